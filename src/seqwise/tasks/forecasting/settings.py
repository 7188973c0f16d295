"""All settings of `seqwise train forecast`, and the contradictions between its sections."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Annotated, Literal

from seqwise.config import Duration, Range
from seqwise.data.tablesettings import Mends, TableSettings
from seqwise.errors import Fault
from seqwise.models.forecaster import LSTMForecaster, TransformerForecaster
from seqwise.training.loop import EvaluationSettings, TrainingSettings
from seqwise.training.optim import OptimizerSettings

LEAST_UPDATES = 1000
SHORT_PASS = 50  # updates


@dataclass(frozen=True)
class SplitSettings:
    """Which part of the time is learnt from, looked at while training, and kept for the test. Later parts are later."""

    valid: str = "0.15"
    """What stands before the test part: a share of the time (0.15), a number of steps (2880), or the time at which the
    part begins (2017-07-01)."""
    test: str = "0.15"
    """The end, the same way: never looked at, kept for `seqwise evaluate`. 0: none, to learn from the newest, too."""
    end: str | None = None
    """A time from which on the table is left out, also by `seqwise evaluate` without --test."""


Transform = Literal["none", "log", "returns"]


@dataclass(frozen=True)
class ScaleSettings:
    """In which numbers the model thinks."""

    transform: Transform = "none"
    """log: logarithms, for what is positive and grows in percent, such as prices; bands are then skewed as they are.
    returns: logarithms too, and each window told as returns from its last value, whatever --model.instance is by
    itself."""
    standardize: Literal["z", "robust", "none"] = "z"
    """z: mean 0 and sd 1 of each series' training part. robust: median and quartiles, against outliers."""
    each: bool = True
    """Of several series, each has a scale of its own; otherwise all share one."""


@dataclass(frozen=True)
class PaceSettings:
    """How long, on how much at a time, and how exactly."""

    epochs: Annotated[int, Range(1)] | None = None
    """Passes over the windows at most; none: 20, of few windows as many as make 1,000 updates."""
    steps: Annotated[int, Range(1)] | None = None
    """Updates at most; none: as many as the other limits allow."""
    time_limit: Annotated[float, Duration()] = 0.0
    """Wall time of this call, as in `90s`, `10m` or `1.5h`; 0 is no limit."""
    batch: Annotated[int, Range(1)] | None = None
    """Windows of one update; none: 64, of few windows less, so that a pass has 16 updates, and 8 at least."""
    stride: Annotated[int, Range(1)] = 1
    """Steps between the beginnings of two windows that are learnt from."""
    clip: Annotated[float, Range(0.0)] = 1.0
    """Longest gradient; a longer one is shortened to this. 0 never shortens."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Of the working weights; masters are always fp32. auto takes bf16 where the processor computes in it."""
    seed: Annotated[int, Range(0, 2**31 - 1)] = 1
    """Of the first weights, the order of the windows and dropout."""
    shard: bool = False
    """With several processes: split weights and optimizer among them (FSDP2) instead of copying them (DDP)."""
    device: str = "auto"
    """auto, cpu, cuda or cuda:N."""
    tensorboard: bool = False
    """Write curves for TensorBoard into the run folder; needs the extra of that name."""

    def rows(self, windows: int) -> int:
        """Windows of one update, of so many in all."""
        return self.batch or max(8, min(64, windows // 16))

    def passes(self, batches: int) -> int:
        """Passes at most, of so many updates each."""
        return self.epochs or max(20, -(-LEAST_UPDATES // batches))

    def whole(self, windows: int, batches: int) -> TrainingSettings:
        """The same in the words of the trainer, for so many windows and updates of a pass."""
        return TrainingSettings(
            epochs=self.passes(batches),
            steps=self.steps,
            time_limit=self.time_limit,
            batch_tokens=self.rows(windows),
            clip=self.clip,
            label_smoothing=0.0,
            precision=self.precision,
            seed=self.seed,
            shard=self.shard,
            device=self.device,
            tensorboard=self.tensorboard,
        )


@dataclass(frozen=True)
class LookSettings:
    """When to look at the validation part, and what follows from it."""

    every: Annotated[int, Range(0)] = 0
    """Updates between two looks; 0 looks at the end of each pass, of short ones every 50 updates. The run is saved at
    each look."""
    patience: Annotated[int, Range(0)] = 8
    """Stop after so many looks without a new best; 0 never does."""
    average: Annotated[int, Range(0)] = 0
    """At the end, average the weights of the last so many looks and keep them if they score better; 0 or 1 does not."""
    ema: Annotated[float, Range(0.0, 0.99999)] = 0.0
    """Evaluate and keep an exponential moving average of the weights, such as 0.999; 0 does not."""
    save_every: Annotated[float, Duration()] = 600.0
    """Wall time after which the run is saved between two looks as well; 0 saves at looks only."""
    calibrate: bool = True
    """At the end, widen or narrow the bands, step by step of the horizon, so that they cover on the validation part."""

    def whole(self, batches: int) -> EvaluationSettings:
        """The same in the words of the trainer, for passes of so many updates."""
        return EvaluationSettings(
            every=self.every or (SHORT_PASS if batches < SHORT_PASS else 0),
            metric="loss",
            patience=self.patience,
            average=self.average,
            ema=self.ema,
            save_every=self.save_every,
        )


@dataclass(frozen=True)
class Forecast:
    """What to forecast, from what, and where it goes."""

    train: tuple[str, ...] = ()
    """Tables with a time column: CSV, Parquet or JSONL; several files are read as one."""
    target: tuple[str, ...] = ()
    """The columns to forecast."""
    horizon: Annotated[int, Range(1)] = 1
    """Steps to look ahead."""
    lookback: Annotated[int, Range(1)] | None = None
    """Steps to look back; none: twice the season or twice the horizon, whichever is longer, at most a season (or a
    third) of a short training part and a tenth of a long one."""
    out: str = "runs/forecast"
    """Folder of the run: settings, weights, standardizer, journal."""
    resume: bool = False
    """Go on with the run in `out`, from what was saved last, to the same bits as if it had never stopped."""
    overwrite: bool = False
    """Replace the run in `out`."""
    task: Literal["forecast"] = "forecast"
    """What the run is for."""
    season: Annotated[int, Range(1)] | None = None
    """Steps after which it is the same time again; none: as the frequency has it, 24 for hours, 12 for months. The
    seasonal naive forecast, which the model is measured against, goes by it."""
    head: Literal["normal", "student", "quantiles"] = "normal"
    """The distribution of each step: normal; Student's t, whose tails are heavier; or quantiles, of any form."""
    loss: Literal["likelihood", "crps"] = "crps"
    """What is minimized: the negative log-likelihood, or the continuous ranked probability score, which outliers pull
    less. Quantiles know crps only."""
    data: TableSettings = field(default_factory=TableSettings)
    """How the tables are read."""
    mend: Mends = field(default_factory=Mends)
    """What may be mended in them."""
    split: SplitSettings = field(default_factory=SplitSettings)
    """Which part of the time is for what."""
    scale: ScaleSettings = field(default_factory=ScaleSettings)
    """In which numbers the model thinks."""
    model: LSTMForecaster | TransformerForecaster = field(default_factory=LSTMForecaster)
    """Which model."""
    training: PaceSettings = field(default_factory=PaceSettings)
    """How long and how exactly."""
    optimizer: OptimizerSettings = field(
        default_factory=lambda: OptimizerSettings(schedule="cosine", warmup=50, beta2=0.999, epsilon=1e-8)
    )
    """How fast."""
    evaluation: LookSettings = field(default_factory=LookSettings)
    """When to look, and what follows."""

    def faults(self) -> Iterator[Fault]:
        """Contradictions that no section sees by itself."""
        if self.resume and self.overwrite:
            yield Fault("--resume with --overwrite", "one of them", "--resume to go on, --overwrite to begin anew")
        if not self.train:
            yield Fault("no --train", "the tables to learn from", "--train prices.csv")
        if not self.target:
            yield Fault("no --target", "the columns to forecast", "--target close")
        if self.head == "quantiles" and self.loss == "likelihood":
            yield Fault("--loss likelihood with --head quantiles", "crps, for quantiles have no density", "--loss crps")
        transform = self.scale.transform
        if transform == "returns" and self.model.instance not in ("auto", "last"):
            given = f"--scale.transform returns with --model.instance {self.model.instance}"
            yield Fault(given, "windows told from their last value", "--model.instance last, or --scale.transform log")
        if self.head == "student" and transform != "none":
            given = f"--head student with --scale.transform {transform}"
            yield Fault(given, "a head whose exponential has a mean", "--head normal or --head quantiles")
        if self.training.tensorboard and find_spec("tensorboard") is None:
            yield Fault("--training.tensorboard without the library", "the extra", "pip install 'seqwise[tensorboard]'")
