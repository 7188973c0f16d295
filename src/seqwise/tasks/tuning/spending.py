"""What a tuning run spent, in `cost.json` of its folder: time, memory, energy, trained weights, and what was foreseen.

    Spending     of a run, all its processes together
    Bookkeeper   writes it down as the run goes: at each saving, when the training is over, and at the end
    read_cost    the inverse

A run that was broken off and resumed is the sum of its processes. What one spent between its last saving and its being
killed is not known and left out; its steps are done again and counted then. Of several processes at once (torchrun) the
first one writes, and tells its own.

Time is told twice: of the whole command, in which base and rivals answer too, and of the training alone, from before
its first step to its last word, looks and savings included. What was foreseen is of the training (`foreseeing.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from seqwise import device as devices
from seqwise.checkpoints.run import RunFolder
from seqwise.errors import CheckpointError
from seqwise.tasks.tuning import meters, probing
from seqwise.tasks.tuning.meters import Meters, Readings
from seqwise.tasks.tuning.running import Run
from seqwise.tasks.tuning.settings import Tune
from seqwise.tasks.tuning.starting import Start
from seqwise.training.events import Event, Finished, Noted, Saved, Stepped

COST = "cost.json"
NOTHING = Readings(0.0, 0.0, 0.0)
BROKEN = "the run was too short, or broken off before it could be told"


@dataclass(frozen=True)
class Foreseen:
    """Of the training, after its first steps."""

    seconds: float
    processor: float
    memory: float


@dataclass(frozen=True)
class Process:
    """One start of the command."""

    first: int
    """Step behind which it went on."""
    last: int
    """Step that it came to."""
    whole: Readings
    training: Readings
    memory: int
    """Bytes at the peak: of the process, or of the accelerator where there is one."""
    foreseen: Foreseen | None = None
    """None of a process that was too short, or was broken off."""
    ended: str = ""
    """Why the training was over; empty while it goes on, and of a process that was killed."""


@dataclass(frozen=True)
class Spending:
    """Of a run."""

    method: str
    seed: int
    trained: int
    """Weights."""
    weights: int
    """In all."""
    examples: int
    """That were trained on."""
    device: str
    world: int = 1
    """Processes at once."""
    processes: tuple[Process, ...] = ()
    """One after the other."""

    @property
    def whole(self) -> Readings:
        """Of the command, from its settings to its outcome."""
        return _sum([one.whole for one in self.processes])

    @property
    def training(self) -> Readings:
        """Of the training alone."""
        return _sum([one.training for one in self.processes])

    @property
    def memory(self) -> int:
        """Bytes at the peak."""
        return max((one.memory for one in self.processes), default=0)

    @property
    def foreseen(self) -> Foreseen | None:
        """Of the training; None where one of the processes told nothing."""
        told = [one.foreseen for one in self.processes if one.foreseen is not None]
        if not told or len(told) < len(self.processes):
            return None
        seconds, processor = sum(one.seconds for one in told), sum(one.processor for one in told)
        return Foreseen(seconds, processor, max(one.memory for one in told))

    @property
    def complete(self) -> bool:
        """Whether all steps of the run are in it: one that older versions began told nothing of itself."""
        return bool(self.processes) and self.processes[0].first == 0

    @property
    def why(self) -> Mapping[str, str]:
        """Of what is missing, why."""
        found = {}
        if self.training.energy is None:
            found["energy"] = meters.UNTOLD
        if self.foreseen is None:
            found |= {"foreseen_seconds": BROKEN, "foreseen_memory": BROKEN}
        return found

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON, with the sums for whoever reads the file."""
        foreseen = None if self.foreseen is None else asdict(self.foreseen)
        sums = {"whole": asdict(self.whole), "training": asdict(self.training), "memory": self.memory}
        return {**asdict(self), "sums": {**sums, "foreseen": foreseen, "why": dict(self.why)}}


def _sum(readings: Sequence[Readings]) -> Readings:
    found = NOTHING
    for one in readings:
        found = found + one
    return found


def read_cost(folder: RunFolder) -> Spending:
    """What a run spent; CheckpointError of one that did not write it down."""
    told = folder.read_json(COST)
    try:
        told.pop("sums", None)
        return Spending(**{**told, "processes": tuple(map(_process, told["processes"]))})
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            given=f"a cost that cannot be read ({type(error).__name__}: {error})",
            allowed="the file that seqwise tune wrote",
            mend="copying the whole run folder again",
            where=str(Path(folder.path) / COST),
        ) from error


def _process(told: Mapping[str, Any]) -> Process:
    readings = {name: Readings(**told[name]) for name in ("whole", "training")}
    foreseen = None if told["foreseen"] is None else Foreseen(**told["foreseen"])
    return Process(**{**told, **readings, "foreseen": foreseen})


class Bookkeeper:
    """A reader of the events of a run, who writes down what it spends."""

    def __init__(self, running: Meters, settings: Tune, start: Start, run: Run, folder: RunFolder) -> None:
        """running: started with the command."""
        self.meters, self.folder, self.where = running, folder, run.setting.device
        self.before = running.read()
        self.training: Readings | None = None
        step = run.state.progress.step
        self.process = Process(step, step, self.before, NOTHING, 0)
        resumed = settings.resume and (folder.path / COST).is_file()
        model = start.job.model
        self.spending = Spending(
            method=settings.method,
            seed=settings.training.seed,
            trained=run.trained,
            weights=sum(weight.numel() for weight in model.parameters()),
            examples=len(start.material.train),
            device=str(devices.pick(settings.training.device)),
            world=run.setting.group.world,
            processes=read_cost(folder).processes if resumed else (),
        )

    def tell(self, event: Event) -> None:
        """Read the meters, whose counters come round; write at each saving."""
        self.meters.read()
        match event:
            case Stepped():
                self.process = replace(self.process, last=event.step)
            case Noted(name="plan"):
                names = ("predicted_seconds", "predicted_processor_seconds", "predicted_memory")
                foreseen = Foreseen(*(float(event.values[name]) for name in names))
                self.process = replace(self.process, foreseen=foreseen)
            case Saved():
                self.write()
            case Finished():
                self.process = replace(self.process, ended=event.reason)

    def close(self) -> None:
        """The training is over, in order or not."""
        self.training = self.meters.read() - self.before
        self.write()

    def write(self) -> None:
        """All that was spent up to now."""
        now = self.meters.read()
        training = self.training or now - self.before
        process = replace(self.process, whole=now, training=training, memory=probing.peak(self.where))
        earlier = self.spending.processes
        self.folder.write_json(COST, replace(self.spending, processes=(*earlier, process)).to_dict())
