"""All settings of `seqwise train`, and the contradictions between its sections."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from typing import Annotated, Any, Literal

from seqwise.config import Range
from seqwise.data.text import TextSettings
from seqwise.data.tokens import TokenSettings
from seqwise.decoding import Generation
from seqwise.errors import Fault
from seqwise.models import assemble
from seqwise.models.architecture import TransformerSettings
from seqwise.models.lstm import LSTMSettings
from seqwise.training.loop import EvaluationSettings, TrainingSettings
from seqwise.training.optim import OptimizerSettings

Task = Literal["translate", "summarize", "classify", "generate"]
METRICS: Mapping[Task, tuple[str, ...]] = {
    "translate": ("bleu", "chrf"),
    "summarize": ("rouge1", "rouge2", "rougeL"),
    "classify": ("accuracy", "macro_f1"),
    "generate": (),
}
"""What a task's weights may be chosen by, besides their loss."""
_LONG: Mapping[str, Any] = {"data.max_length": None}
USUAL: Mapping[Task, Mapping[str, Any]] = {
    "translate": {},
    "summarize": {"out": "runs/summarize", **_LONG, "data.max_ratio": None},
    "classify": {"out": "runs/classify", **_LONG, "model.shape": "encoder"},
    "generate": {
        "out": "runs/generate",
        "model.shape": "decoder",
        "training.label_smoothing": 0.0,
        "generation.beams": 1,
        "generation.temperature": 0.8,
    },
}
"""What settings are that were left as `translate` has them, for the other tasks."""


@dataclass(frozen=True)
class ClassifySettings:
    """How the tokens of a text become one label."""

    pool: Literal["auto", "first", "last", "mean", "max"] = "auto"
    """What stands for the text: its first token, its end (of an LSTM both ends), the mean of all tokens, or in each
    place the largest number. auto: max for an LSTM, mean for a Transformer, which has no max."""
    dropout: Annotated[float, Range(0.0, 0.95)] | None = None
    """Dropout on that; none: as in the model."""
    word_dropout: Annotated[float, Range(0.0, 0.9)] = 0.0
    """Share of the tokens that are hidden while training, drawn anew each time (Iyyer et al. 2015)."""
    dense: bool = False
    """A dense layer with tanh between that and the labels, as in the code of BERT (Devlin et al. 2019)."""


@dataclass(frozen=True)
class GenerateSettings:
    """How plain text becomes examples of a language model."""

    unit: Literal["line", "file"] = "line"
    """line: each line is a text of its own, with a beginning and an end. file: all is one stream, which is cut
    somewhere else in every epoch."""
    context: Annotated[int, Range(2)] = 256
    """Tokens that are seen together in training; longer lines are cut."""


@dataclass(frozen=True)
class Train:
    """What to train, on what, and where it goes."""

    train: tuple[str, ...] = ()
    """What to learn from. Pairs, of texts or of text and summary: two aligned files (`a.en a.fr`), or one or more TSV,
    CSV, JSONL, Parquet or TMX files. Labelled texts: such tables, but TMX. To generate: plain text."""
    valid: tuple[str, ...] = ()
    """What to look at while training, the same way; none: up to 1,000 items are held out of `train`, of a stream its
    last tenth."""
    test: tuple[str, ...] = ()
    """What the model will be scored on later, the same way: what stands in it is left out of training."""
    out: str = "runs/translate"
    """Folder of the run: settings, weights, tokenizer, journal."""
    resume: bool = False
    """Go on with the run in `out`, from what was saved last, to the same bits as if it had never stopped."""
    overwrite: bool = False
    """Replace the run in `out`."""
    task: Task = "translate"
    """What the model is for. translate, summarize: read a text, write another. classify: name the label of a text.
    generate: write on what it is given."""
    data: TextSettings = field(default_factory=TextSettings)
    """How the files are read and filtered."""
    tokens: TokenSettings = field(default_factory=TokenSettings)
    """How text becomes tokens."""
    model: TransformerSettings | LSTMSettings = field(default_factory=TransformerSettings)
    """Which model."""
    classify: ClassifySettings = field(default_factory=ClassifySettings)
    """With --task classify."""
    generate: GenerateSettings = field(default_factory=GenerateSettings)
    """With --task generate."""
    training: TrainingSettings = field(default_factory=TrainingSettings)
    """How long and how exactly."""
    optimizer: OptimizerSettings = field(default_factory=OptimizerSettings)
    """How fast."""
    evaluation: EvaluationSettings = field(default_factory=EvaluationSettings)
    """When to look, and what follows."""
    generation: Generation = field(default_factory=Generation)
    """How the finished model writes, unless `predict` and `evaluate` are told otherwise."""

    def faults(self) -> Iterator[Fault]:
        """Contradictions that no section sees by itself."""
        if self.resume and self.overwrite:
            yield Fault("--resume with --overwrite", "one of them", "--resume to go on, --overwrite to begin anew")
        if self.test and not self.data.drop_leaks:
            yield Fault(
                "--test with --data.drop-leaks false",
                "leaks to be dropped: to know what they are is all that the files are for",
                "--data.drop-leaks true or no --test",
            )
        if self.generation.temperature == 0 and self.generation.best > self.generation.beams:
            yield Fault(
                f"--generation.best {self.generation.best} with beams {self.generation.beams}",
                "as many beams as outputs",
                f"--generation.beams {self.generation.best}",
            )
        if self.training.shard and self.model.embeddings.frozen:
            yield Fault(
                "--training.shard with --model.embeddings.frozen",
                "whole weights to keep some rows as they are",
                "--no-shard or --no-frozen",
            )
        if self.training.tensorboard and find_spec("tensorboard") is None:
            yield Fault("--training.tensorboard without the library", "the extra", "pip install 'seqwise[tensorboard]'")
        yield from self._endless()
        yield from task_faults(self)

    def _endless(self) -> Iterator[Fault]:
        """Runs whose end nobody knows."""
        counted = self.training.epochs or self.training.steps
        schedule = self.optimizer.schedule
        timed = self.training.time_limit and self.optimizer.fall_by == "time"
        if not counted and not timed and schedule in ("cosine", "wsd"):
            yield Fault(
                f"--optimizer.schedule {schedule} without epochs and steps",
                "a last step to fall towards",
                "--training.steps N or --optimizer.schedule inverse-sqrt",
            )
        elif not counted and not self.training.time_limit and not self.evaluation.patience:
            yield Fault("no epochs, no steps, no time limit, no patience", "an end", "--training.time-limit 1h")


def fitted(settings: Train) -> Train:
    """The settings with what is usual for the task in place of what was left as translation has it."""
    plain = Train()
    for name, value in USUAL[settings.task].items():
        section, _, last = name.rpartition(".")
        if not section:
            if getattr(settings, last) == getattr(plain, last):
                settings = replace(settings, **{last: value})
            continue
        part, usual = getattr(settings, section), getattr(plain, section)
        if type(part) is type(usual) and getattr(part, last) == getattr(usual, last):
            settings = replace(settings, **{section: replace(part, **{last: value})})
    return settings


def task_faults(settings: Train) -> Iterator[Fault]:
    """What does not go with the task."""
    task, model = settings.task, settings.model
    yield from metric_faults(settings.evaluation, task)
    yield from _columns_of_another(settings)
    if settings.generation.drafting.asked and task != "generate":
        given = f"--generation.drafting.by {settings.generation.drafting.by} with --task {task}"
        yield Fault(given, "a decoder, which --task generate trains", "--generation.drafting.by none")
    if task in ("translate", "summarize"):
        yield from assemble.faults(model, settings.tokens.joint and settings.tokens.target_file is None)
        return
    if isinstance(model, TransformerSettings):
        shape = USUAL[task]["model.shape"]
        if model.shape not in (shape, TransformerSettings.shape):
            given = f"--model.shape {model.shape} with --task {task}"
            yield Fault(given, f"{shape}, which is taken by itself", f"--model.shape {shape}")
    elif task == "generate":
        yield Fault("--model.kind lstm with --task generate", "a Transformer", "--model.kind transformer")
    if settings.tokens.target_file or model.embeddings.target_vectors:
        flag = "--tokens.target-file" if settings.tokens.target_file else "--model.embeddings.target-vectors"
        mend = flag.replace("target", "source")
        yield Fault(f"{flag} with --task {task}", "the source's only, as there is but one text", mend)
    if task == "generate" and settings.test and settings.generate.unit == "file":
        mend = "leaving it out; what does not stand in --train cannot leak"
        yield Fault("--test with --generate.unit file", "lines, which can be told apart", mend)
    if settings.tokens.dropout:
        given = f"--tokens.dropout {settings.tokens.dropout:g} with --task {task}"
        yield Fault(given, "it for pairs only", "--classify.word-dropout" if task == "classify" else "leaving it out")
    kind, pool = model.kind, settings.classify.pool
    if task == "classify" and (kind, pool) in (("lstm", "first"), ("transformer", "max")):
        mend = "--classify.pool last" if kind == "lstm" else "--classify.pool mean"
        yield Fault(f"--classify.pool {pool} with --model.kind {kind}", "another", mend)


def metric_faults(evaluation: EvaluationSettings, task: Task) -> Iterator[Fault]:
    """A metric that no look of this task would tell."""
    allowed = ("auto", "loss", *METRICS[task])
    if evaluation.metric not in allowed:
        given = f"--evaluation.metric {evaluation.metric} with --task {task}"
        yield Fault(given, ", ".join(allowed), "--evaluation.metric auto")


def _columns_of_another(settings: Train) -> Iterator[Fault]:
    """Columns that only another task reads: the first two would be taken in their place."""
    pairs = settings.task in ("translate", "summarize")
    if settings.task == "generate":
        return
    for name in ("text", "label") if pairs else ("source", "target"):
        column = getattr(settings.data, name)
        if column is not None:
            meant = {"text": "source", "label": "target", "source": "text", "target": "label"}[name]
            allowed = f"--data.{meant}" if pairs else f"--data.{meant}, or a task of pairs"
            yield Fault(f"--data.{name} {column} with --task {settings.task}", allowed, f"--data.{meant} {column}")
