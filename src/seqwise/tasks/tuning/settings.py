"""All settings of `seqwise tune`, and the contradictions between its sections."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Annotated, Literal

from seqwise.config import Range
from seqwise.data.instructions import Form
from seqwise.data.text import TextSettings
from seqwise.decoding import Generation
from seqwise.errors import Fault
from seqwise.models.lora import LoraSettings
from seqwise.tasks.settings import metric_faults
from seqwise.training.loop import EvaluationSettings, TrainingSettings
from seqwise.training.moving import MovingSettings
from seqwise.training.optim import OptimizerSettings

Task = Literal["classify", "translate", "summarize", "generate"]
Method = Literal["full", "lora", "qlora"]
RATES = {"full": 5e-5, "lora": 5e-4, "qlora": 5e-4}
"""Learning rates of checkpoints of the hub: LoRA's best is some ten times that of all weights (Biderman et al.
2024)."""
LABEL_RATE = 1e-3
"""Of LoRA for labels: encoders are small, and their head begins with nothing; 5e-4 moved too little in 90 steps."""
OWN_RATES = {"full": 3e-4, "lora": 3e-3, "qlora": 3e-3}
"""Of runs of ours, which are small and were trained at rates like these."""


@dataclass(frozen=True)
class ExampleSettings:
    """How rows of files become examples."""

    form: Form = "auto"
    """Of the rows of --task generate; auto goes by their keys."""
    documents: Literal["lines", "file"] = "lines"
    """What is one text in a file that is no JSON: each line, or the whole file."""
    longest: Annotated[int, Range(2)] | None = None
    """Tokens of an example at most; none: what the model reads."""
    cut: bool = True
    """Cut longer ones, and count them: texts at their end, prompts at their beginning, answers never whole. Otherwise
    they are refused."""
    answers: Literal["all", "last"] = "all"
    """Which answers of a conversation are learned."""
    packed: bool = True
    """Put texts end to end, without padding and without attention from one to another, where the model can."""
    batch: Annotated[int, Range(1)] | None = 32
    """Examples of a batch at most, of which --training.batch-tokens may hold fewer; none: as many as it holds."""
    checkpointing: bool = False
    """Compute each layer once more on the way back instead of keeping what it computed: less memory, a third slower."""


@dataclass(frozen=True)
class SplitSettings:
    """How validation examples are split off where no file has them."""

    share: Annotated[float, Range(0.001, 0.5)] = 0.1
    """Share of the examples; at most 1,000 of them."""
    group_by: str | None = None
    """Column whose values stay together: a document, a speaker, a patient."""
    by_time: bool = False
    """Take the last rows, not random ones: where rows stand in the order of time."""


@dataclass(frozen=True)
class WritingSettings:
    """What is put to a model that translates or summarizes."""

    prompt: str | None = None
    """What a decoder is asked, with {text} in it; none: the text and `TL;DR:` or `Translation:` behind it, or the
    text alone where the model has a chat template."""
    source_language: str | None = None
    """What is translated from, for M2M-100, NLLB and their kin."""
    target_language: str | None = None
    """What is translated into."""

    def faults(self) -> Iterator[Fault]:
        """A prompt has a place for the text."""
        if self.prompt is not None and "{text}" not in self.prompt:
            yield Fault(f"--writing.prompt {self.prompt!r}", "a text with {text} in it", "'{text}\\nSummary:'")


@dataclass(frozen=True)
class PaceSettings:
    """How fast the weights move. AdamW, as in `train`."""

    rate: Annotated[float, Range(1e-8, 10.0)] | None = None
    """Learning rate after the warm-up. none: 5e-5 for all weights, 5e-4 for LoRA and 1e-3 for LoRA and labels; on runs
    of Seqwise 3e-4 and 3e-3. --find-lr measures."""
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    """What follows the warm-up; the first two fall to 0 at the last step."""
    fall_by: Literal["steps", "time"] = "steps"
    """Which last step they fall to. steps: the one planned, so that a run which a time limit ends goes on to the same
    bits. time: the last one that `training.time_limit` allows, if that is sooner: a better model where none goes on."""
    warmup: Annotated[float, Range(0.0, 0.9)] = 0.06
    """Share of the steps in which the rate grows from 0."""
    beta1: Annotated[float, Range(0.0, 0.9999)] = 0.9
    """Memory of the mean gradient."""
    beta2: Annotated[float, Range(0.0, 0.99999)] = 0.999
    """Memory of its square."""
    epsilon: Annotated[float, Range(1e-15, 1e-3)] = 1e-8
    """Added to the denominator."""
    weight_decay: Annotated[float, Range(0.0, 1.0)] = 0.01
    """Decoupled decay of the matrices that are trained."""

    def faults(self) -> Iterator[Fault]:
        """A last step that the schedule does not look at."""
        if self.fall_by == "time" and self.schedule == "constant":
            given = "--optimizer.fall-by time with --optimizer.schedule constant"
            yield Fault(given, "a rate that falls to the last step", "--optimizer.schedule linear")

    def optimizer(self, rate: float, steps: int | None) -> OptimizerSettings:
        """The same in the words of the trainer, for a run of so many steps."""
        warmup = round(self.warmup * (steps or 0))
        schedule: Literal["wsd", "cosine", "constant"] = "wsd" if self.schedule == "linear" else self.schedule
        share = 1.0 if not steps else (steps - warmup) / steps
        floor = 1 / (steps + 1) if steps else 0.0  # or the last step would move nothing
        memory = {"floor": floor, "beta1": self.beta1, "beta2": self.beta2, "epsilon": self.epsilon}
        return OptimizerSettings(
            rate=rate,
            schedule=schedule,
            warmup=warmup,
            decay=share,
            weight_decay=self.weight_decay,
            fall_by=self.fall_by,
            **memory,
        )


@dataclass(frozen=True)
class GuardSettings:
    """Against the loss of what the model could do before, and against learning by heart."""

    replay: tuple[str, ...] = ()
    """Files of general data, of the same form as --train, that are mixed in."""
    replay_share: Annotated[float, Range(0.001, 0.9)] = 0.05
    """Share of the examples of the run that come from them, batch by batch in between."""
    anchor: Annotated[float, Range(0.0, 100.0)] = 0.0
    """Weight of the divergence from the base model's answers (KL, in nats a token), added to the loss; 0: none."""
    base_dropout: Annotated[float, Range(0.0, 0.95)] | None = None
    """Dropout of embeddings, of what each layer adds and between the layers of an LSTM; none: that of the base."""


@dataclass(frozen=True)
class Tune:
    """What to tune, on what, and where it goes."""

    base: str = ""
    """The model: a folder in the hub's format, owner/name on the hub, or a run of Seqwise."""
    revision: str | None = None
    """Branch, tag or commit of a model on the hub."""
    task: Task = "classify"
    """What the model shall do."""
    method: Method = "lora"
    """Train all weights, small matrices beside them (LoRA), or these beside weights of four bits (QLoRA)."""
    train: tuple[str, ...] = ()
    """What to learn from: tables, aligned files, or conversations in JSONL, as the task reads them."""
    valid: tuple[str, ...] = ()
    """What to look at while training; none: a part of `train` is held out."""
    test: tuple[str, ...] = ()
    """What base, rivals and result are compared on; none: the validation examples, which flatters the result."""
    out: str = "runs/tuned"
    """Folder of the run."""
    resume: bool = False
    """Go on with the run in `out`, to the same bits as if it had never stopped."""
    overwrite: bool = False
    """Replace the run in `out`."""
    show_mask: Annotated[int, Range(0)] = 0
    """Show so many examples with the tokens that are learned, and end."""
    find_lr: bool = False
    """Measure the loss at rising learning rates, draw it, propose one, and end."""
    data: TextSettings = field(default_factory=lambda: TextSettings(max_length=None, max_ratio=None))
    """How the files are read and filtered."""
    examples: ExampleSettings = field(default_factory=ExampleSettings)
    """How their rows become examples."""
    split: SplitSettings = field(default_factory=SplitSettings)
    """What is validated on where no file is given."""
    writing: WritingSettings = field(default_factory=WritingSettings)
    """What is put to a model that writes."""
    lora: LoraSettings = field(default_factory=LoraSettings)
    """The small matrices."""
    moving: MovingSettings = field(default_factory=MovingSettings)
    """Which weights move, and when."""
    guard: GuardSettings = field(default_factory=GuardSettings)
    """What is done against forgetting."""
    training: TrainingSettings = field(
        default_factory=lambda: TrainingSettings(epochs=3, batch_tokens=2048, label_smoothing=0.0)
    )
    """How long and how exactly."""
    optimizer: PaceSettings = field(default_factory=PaceSettings)
    """How fast."""
    evaluation: EvaluationSettings = field(
        default_factory=lambda: EvaluationSettings(average=0, patience=3, sentences=200, first=True)
    )
    """When to look, and what follows."""
    generation: Generation | None = None
    """How the finished model writes; none: as the base does."""

    FIRST_WORD = "base"  # the setting that the first word of the command line is

    @property
    def rate(self) -> float | None:
        """The learning rate that was asked for."""
        return self.optimizer.rate

    def faults(self) -> Iterator[Fault]:
        """Contradictions that no section sees by itself."""
        if not self.base:
            yield Fault("no model to tune", "a checkpoint or a run", "seqwise tune MODEL --task ... --train ...")
        if not self.train:
            yield Fault("no --train", "the files to learn from", "--train train.tsv")
        if self.resume and self.overwrite:
            yield Fault("--resume with --overwrite", "one of them", "--resume to go on, --overwrite to begin anew")
        if self.test and not self.data.drop_leaks:
            yield Fault(
                "--test with --data.drop-leaks false",
                "leaks to be dropped: to know what they are is half of what the files are for",
                "--data.drop-leaks true or no --test",
            )
        yield from metric_faults(self.evaluation, self.task)
        yield from self._methods()
        yield from self._idle()
        if self.guard.anchor and self.training.agreement.r_drop:
            yield Fault("--guard.anchor with --training.agreement.r-drop", "one of them", "leaving one out")
        if self.training.shard and self.method == "qlora":
            yield Fault("--training.shard with --method qlora", "weights that can be split", "--method lora")
        if self.training.epochs is None and self.training.steps is None and self.optimizer.schedule != "constant":
            yield Fault(
                f"--optimizer.schedule {self.optimizer.schedule} without epochs and steps",
                "a last step to fall towards",
                "--training.steps N or --optimizer.schedule constant",
            )

    def _idle(self) -> Iterator[Fault]:
        """Settings that nothing would come of."""
        guard, examples = GuardSettings(), ExampleSettings()
        if not self.guard.replay and self.guard.replay_share != guard.replay_share:
            yield Fault("--guard.replay-share without --guard.replay", "files to replay", "--replay general.tsv")
        for name in ("form", "documents", "answers"):
            if self.task != "generate" and getattr(self.examples, name) != getattr(examples, name):
                yield Fault(f"--examples.{name} with --task {self.task}", "it with generate", "leaving it out")
        if self.writing != WritingSettings() and self.task in ("classify", "generate"):
            yield Fault(f"settings of writing with --task {self.task}", "translate or summarize", "leaving them out")
        if self.valid and self.split != SplitSettings():
            yield Fault("--valid with settings of split", "one of them: nothing is split off", "leaving one out")
        if self.show_mask and self.find_lr:
            yield Fault("--show-mask with --find-lr", "one of them", "one after the other")

    def _methods(self) -> Iterator[Fault]:
        """Settings that mean nothing to the method."""
        if self.method == "full":
            if self.lora != LoraSettings():
                yield Fault("settings of lora with --method full", "them with lora or qlora", "--method lora")
            if self.moving.lora_plus != 1.0:
                yield Fault("--moving.lora-plus with --method full", "it with lora or qlora", "--method lora")
            return
        if replace(self.moving, lora_plus=1.0) != MovingSettings():
            yield Fault(
                f"settings of moving with --method {self.method}",
                "them with full: LoRA freezes all but its own",
                "--method full, or --lora.targets for the layers",
            )


def with_method(settings: Tune, method: Method) -> Tune:
    """The same run by another method, at the rate that is usual for it; what means nothing to that is left out."""
    if method == settings.method:
        return settings
    made = replace(settings, method=method, optimizer=replace(settings.optimizer, rate=None))
    if "full" in (method, settings.method):
        made = replace(made, lora=LoraSettings(), moving=MovingSettings())
    return made
