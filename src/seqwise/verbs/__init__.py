"""The verbs: a file each, in it a function of the same name: a command, a Python call, a page of docs.

A verb wires rooms and does no maths. Here they are only listed, not imported: `seqwise --help` stays quick.

How the command line reads a verb:

    docstring    The first line is the help in a line, the same as in the table below. `Args:` tells the
                 parameters (name, colon, meaning), `Example:` at the end a command that runs.
    parameters   `def predict(run: Path, text: str = "", *, beams: Annotated[int, Range(1)] = 4)` are words
                 and flags.
    settings     `def train(settings: Train)`: a single parameter of that name, a dataclass of settings. It is
                 filled from `--config FILE`, or a first word that ends in .yaml or .yml, and flags over it.
    flags        `def config(what: str, *flags: str)` takes all words that are left as they stand.
    parts        `Verb("stats", ..., parts=(Verb("describe", ...),))` is called with two words: seqwise stats describe.
                 A verb with parts may be a command of its own as well: `seqwise train` and `seqwise train forecast`.
    result       What a verb returns is printed: a text as it stands, anything else by rich, None not at all.
                 A result with `exit_code: int` also says how the command ends.
"""

from dataclasses import dataclass

__all__ = ["VERBS", "Verb"]


@dataclass(frozen=True)
class Verb:
    """One command."""

    name: str
    summary: str
    """The first line of the function's docstring."""
    place: str = ""
    """`module:function`; empty for `seqwise.verbs.NAME:NAME`."""
    parts: tuple["Verb", ...] = ()
    """Commands under this one."""
    alone: bool = True
    """Whether it is a command without any of its parts."""

    @property
    def module(self) -> str:
        """Where the function stands."""
        return self.place.partition(":")[0] or f"seqwise.verbs.{self.name}"

    @property
    def function(self) -> str:
        """What it is called there."""
        return self.place.partition(":")[2] or self.name


_STATS: tuple[Verb, ...] = (
    Verb("describe", "Tell what each column holds, in one pass.", "seqwise.verbs.stats.describe:describe"),
    Verb("standardize", "Bring columns to mean 0 and sd 1, and back.", "seqwise.verbs.stats.standardize:standardize"),
    Verb("normal", "Tell how near a column is to a normal distribution.", "seqwise.verbs.stats.normal:normal"),
    Verb(
        "compare",
        "Tell whether groups differ, by how much, and how sure that is.",
        "seqwise.verbs.stats.compare:compare",
    ),
    Verb("regress", "Tell what goes with what, with intervals and checks.", "seqwise.verbs.stats.regress:regress"),
    Verb("control", "Draw a control chart and tell which points do not belong.", "seqwise.verbs.stats.control:control"),
    Verb("series", "Look into a series: trend, season, memory.", "seqwise.verbs.stats.series:series"),
)
"""What `seqwise stats` can be asked."""

VERBS: tuple[Verb, ...] = (
    Verb("demo", "Watch a translator being trained, tuned and weighed on sentences that Seqwise makes up."),
    Verb(
        "train",
        "Train a model on your data.",
        parts=(
            Verb("forecast", "Train a forecaster of a table with a time column.", "seqwise.verbs.forecast:forecast"),
        ),
    ),
    Verb("check", "Look for what spoils a training: duplicates, leaks, contradictions, rare labels, cut-off texts."),
    Verb("tune", "Teach a pretrained model a task, from your examples."),
    Verb(
        "plan", "Foresee what tuning will take: memory and time of each method, steps, padding, and what the data hold."
    ),
    Verb("predict", "Put a trained model to work on text, or on a table whose future is asked for."),
    Verb("evaluate", "Score a trained model on data that it has not seen."),
    Verb(
        "weigh",
        "Tell whether it was worth it: a base against what became of it, with intervals, margins, power and cost.",
    ),
    Verb("runs", "List runs: task, data, scores, cost and verdict."),
    Verb("blend", "Interpolate between a model and its tuned version."),
    Verb("inspect", "Look at what the model attends to, token by token."),
    Verb("export", "Hand a model to others: transformers, CTranslate2 or ONNX Runtime."),
    Verb(
        "stats",
        "Ask a table: what it holds, how normal it is, what differs, what goes with what.",
        parts=_STATS,
        alone=False,
    ),
    Verb("config", "Show every setting, as YAML or as JSON Schema."),
    Verb("doctor", "Check this machine, and tell how to mend it."),
)
