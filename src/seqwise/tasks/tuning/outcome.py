"""Was it worth it? Base, cheap rivals and result on the same examples, side by side, and what may be said of them.

The base is the untouched model, with its head as it was drawn where it had none. A result that is not shown to be
better than these is told so: the intervals are of the differences, item by item. Left out: the price, other seeds, and
what the model has forgotten, which `weigh` asks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from rich.console import Group
from rich.table import Table
from rich.text import Text

from seqwise.metrics.comparison import Difference, compare_right, compare_sums, compare_texts
from seqwise.metrics.labels import accuracy, macro_f1
from seqwise.tasks import rivals
from seqwise.tasks.tuning.answers import Answers, scored_texts
from seqwise.tasks.tuning.items import Items
from seqwise.tasks.tuning.settings import Task

METRICS: Mapping[Task, str] = {"classify": "accuracy", "translate": "bleu", "summarize": "rougeL", "generate": "loss"}
"""What systems are compared by."""
BASE, TUNED = "base", "tuned"


@dataclass(frozen=True)
class System:
    """One way to answer, and how good it is."""

    name: str
    scores: Mapping[str, float]
    seconds: float
    """Of the answers, and of what a rival learnt."""


@dataclass(frozen=True)
class Outcome:
    """All of them, and the differences between the tuned model and each of the others."""

    task: Task
    part: str
    """What they answered: test, or validation, on which the result was chosen and is flattered."""
    items: int
    systems: tuple[System, ...]
    differences: tuple[Difference, ...]

    @property
    def beats_all(self) -> bool:
        """Whether the tuned model is shown to be better than every other."""
        return all(one.better == "yes" for one in self.differences)

    @property
    def told(self) -> str:
        """What may be said."""
        open_ = [one.systems[0] for one in self.differences if one.better != "yes"]
        if not open_:
            sentence = f"better than {_listed([one.systems[0] for one in self.differences])}, as far as chance goes"
        else:
            sentence = f"NOT shown to be better than {_listed(open_)}"
        flattered = " (on validation examples, which flatter it: give --test)" if self.part != "test" else ""
        return f"The tuned model is {sentence}{flattered}."

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "task": self.task,
            "part": self.part,
            "items": self.items,
            "systems": [asdict(one) for one in self.systems],
            "differences": [one.to_dict() for one in self.differences],
            "told": self.told,
        }

    def __rich__(self) -> Group:
        names = list(dict.fromkeys(name for one in self.systems for name in one.scores))
        table = Table("", *names, title=f"{self.items:,} {self.part} examples", box=None, title_justify="left")
        for one in self.systems:
            cells = (f"{one.scores[name]:.4g}" if name in one.scores else "" for name in names)
            table.add_row(one.name, *cells)
        told = [Text(one.told, overflow="fold") for one in self.differences]
        return Group(table, *told, Text(self.told, style="bold", overflow="fold"))


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + f" and {names[-1]}"


def answers_of_rivals(task: Task, train: Items, judged: Items) -> dict[str, Answers]:
    """Each cheap rival's answers, learnt from the training examples."""
    found = {}
    for rival in rivals.rivals_for(task):
        told = rival.fit(train.texts, train.wanted).predict(judged.texts)
        if task == "classify":
            scores: Mapping[str, float] = {
                "accuracy": accuracy(told.outputs, judged.wanted).value,
                "macro_f1": macro_f1(told.outputs, judged.wanted, resamples=1).value,
            }
        else:
            scores = scored_texts(task, told.outputs, judged)
        found[rival.name] = Answers(told.outputs, scores, seconds=told.seconds)
    return found


def compared(task: Task, part: str, judged: Items, answers: Mapping[str, Answers]) -> Outcome:
    """The tuned model's answers against all others."""
    tuned = answers[TUNED]
    differences = tuple(
        difference(task, judged, one, tuned, (name, TUNED)) for name, one in answers.items() if name != TUNED
    )
    systems = tuple(System(name, dict(one.scores), one.seconds) for name, one in answers.items())
    return Outcome(task, part, len(judged), systems, differences)


def difference(task: Task, judged: Items, one: Answers, other: Answers, names: tuple[str, str]) -> Difference:
    """The second minus the first, in the measure of the task."""
    if task == "classify":
        wanted = np.array(judged.wanted)
        return compare_right(np.array(one.outputs) == wanted, np.array(other.outputs) == wanted, names)
    if task == "generate":
        before, after = (np.stack([a.losses, a.tokens], 1).astype(np.float64) for a in (one, other))  # (N, 2)
        return compare_sums(before, after, lambda sums: sums[:, 0] / sums[:, 1], "nats a token", names, lower=True)
    metric = "rougeL" if task == "summarize" else "bleu"
    return compare_texts(one.outputs, other.outputs, judged.right, metric, names)  # type: ignore[arg-type]


def to_json(answers: Mapping[str, Answers]) -> dict[str, Any]:
    """What is kept in the run of the answers before training: a resumed run does not ask again."""
    return {
        name: {
            "outputs": list(one.outputs),
            "scores": dict(one.scores),
            "losses": list(one.losses),
            "tokens": list(one.tokens),
            "seconds": one.seconds,
        }
        for name, one in answers.items()
    }


def from_json(told: Mapping[str, Any]) -> dict[str, Answers]:
    """The inverse."""
    return {
        name: Answers(
            tuple(one["outputs"]),
            one["scores"],
            tuple(one["losses"]),
            tuple(one["tokens"]),
            None,
            one["seconds"],
        )
        for name, one in told.items()
    }
