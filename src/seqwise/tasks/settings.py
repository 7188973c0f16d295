"""All settings of `seqwise train`, and the contradictions between its sections."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Literal

from seqwise.data.text import TextSettings
from seqwise.data.tokens import TokenSettings
from seqwise.decoding import Generation
from seqwise.errors import Fault
from seqwise.models import assemble
from seqwise.models.architecture import TransformerSettings
from seqwise.models.lstm import LSTMSettings
from seqwise.training.loop import EvaluationSettings, TrainingSettings
from seqwise.training.optim import OptimizerSettings


@dataclass(frozen=True)
class Train:
    """What to train, on what, and where it goes."""

    train: tuple[str, ...] = ()
    """The sentence pairs: two aligned files (`a.en a.fr`), or one or more TSV, CSV, JSONL, Parquet or TMX files."""
    valid: tuple[str, ...] = ()
    """Pairs to look at while training, the same way; none: up to 1,000 sources are held out of `train`."""
    test: tuple[str, ...] = ()
    """Pairs that the model will be scored on later, the same way: what stands in them is left out of training."""
    out: str = "runs/translate"
    """Folder of the run: settings, weights, tokenizer, journal."""
    resume: bool = False
    """Go on with the run in `out`, from what was saved last, to the same bits as if it had never stopped."""
    overwrite: bool = False
    """Replace the run in `out`."""
    task: Literal["translate"] = "translate"
    """What the model is for."""
    data: TextSettings = field(default_factory=TextSettings)
    """How the files are read and filtered."""
    tokens: TokenSettings = field(default_factory=TokenSettings)
    """How text becomes tokens."""
    model: TransformerSettings | LSTMSettings = field(default_factory=TransformerSettings)
    """Which model."""
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
        yield from assemble.faults(self.model, self.tokens.joint and self.tokens.target_file is None)

    def _endless(self) -> Iterator[Fault]:
        """Runs whose end nobody knows."""
        counted = self.training.epochs or self.training.steps
        schedule = self.optimizer.schedule
        if not counted and schedule in ("cosine", "wsd"):
            yield Fault(
                f"--optimizer.schedule {schedule} without epochs and steps",
                "a last step to fall towards",
                "--training.steps N or --optimizer.schedule inverse-sqrt",
            )
        elif not counted and not self.training.time_limit and not self.evaluation.patience:
            yield Fault("no epochs, no steps, no time limit, no patience", "an end", "--training.time-limit 1h")
