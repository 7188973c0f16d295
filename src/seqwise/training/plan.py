"""What a run will cost, from a few timed steps of it: seconds, each with how far it may be off.

    seconds of a step = a + b positions + c squares        none negative, fitted to the steps that were timed
    a run             = start, answers before, looks, steps, savings, answers after

Positions are what the model computes of a batch, padding included; squares are the sum of the squared lengths, which
attention costs. Both are known of every step before any is taken, so only a, b and c have to be measured.

Left out: whoever takes the steps (`seqwise.tasks.tuning`), and memory, which is measured rather than fitted.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Float

from seqwise.data.batch import Batch
from seqwise.training.loop import EvaluationSettings

TIME_FLOOR = 0.1
"""Share by which a time may be off, however alike the probed steps were. The same command run twice on a machine with
nothing else to do differs by 3 to 5 % (clock rates, pages); what comes later in a run is not what was probed."""
MEMORY_FLOOR = 0.1
"""The same for memory: the heap keeps holes, which depend on the order of the batches. Runs of the benchmark took 5 to
9 % more than their probes, which answer fewer examples."""
STUDENT = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23)
"""97.5 % points of Student's t for 1 to 10 degrees of freedom; 2 beyond."""

# N steps; features of a step: 1, positions, squares


@dataclass(frozen=True)
class Work:
    """What a batch, or several, give to compute."""

    positions: int = 0
    """Of inputs and, where they are texts of their own, of targets; padding included."""
    squares: int = 0
    """Sum over the rows, or the documents of a packed row, of the squared length."""

    @classmethod
    def of(cls, batch: Batch, texts: bool = False) -> "Work":
        """Of one batch. `texts`: whether the targets are texts of their own, which are computed too."""
        if batch.packed:
            return cls(batch.inputs.numel(), int((batch.lengths**2).sum()))
        rows, length = batch.inputs.shape
        other = batch.targets.shape[1] if texts else 0
        return cls(rows * (length + other), rows * (length**2 + other**2 + length * other))

    def __add__(self, other: "Work") -> "Work":
        return Work(self.positions + other.positions, self.squares + other.squares)


@dataclass(frozen=True)
class Spent:
    """Seconds of the clock on the wall, and of all processors together."""

    wall: float = 0.0
    processor: float = 0.0

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(self.wall + other.wall, self.processor + other.processor)

    def __sub__(self, other: "Spent") -> "Spent":
        return Spent(self.wall - other.wall, self.processor - other.processor)

    def times(self, share: float) -> "Spent":
        """So many times as much."""
        return Spent(self.wall * share, self.processor * share)


@dataclass(frozen=True)
class Timed:
    """A step that was taken."""

    work: Work
    spent: Spent


@dataclass(frozen=True)
class Figure:
    """A number that is foreseen."""

    value: float
    error: float
    """Half of the interval in which it is expected 19 times in 20."""

    def __add__(self, other: "Figure") -> "Figure":
        """Errors are added, not their squares: what slows one part down slows all."""
        return Figure(self.value + other.value, self.error + other.error)

    def holds(self, actual: float) -> bool:
        """Whether that is what came."""
        return abs(actual - self.value) <= self.error

    def to_dict(self) -> dict[str, float]:
        """Plain values, for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Pace:
    """Seconds of a step, as a sum of what it gives to compute."""

    coefficients: tuple[float, float, float]
    """Of 1, positions and squares."""
    spread: float
    """Standard deviation of a step from this line, as a share of it."""
    count: int
    """Steps that it was fitted to."""
    free: int
    """Of the coefficients, how many were fitted."""

    @classmethod
    def of(cls, works: Sequence[Work], seconds: Sequence[float]) -> "Pace":
        """Least squares of the relative errors, over all choices of coefficients that leave none negative.

        Which terms matter differs: on short texts a step costs nearly the same whatever it holds. With few steps to go
        by, no more coefficients are fitted than half of them.
        """
        if not works:
            raise ValueError("no step was timed")
        table = _features(works)  # (N, 3)
        spent = np.maximum(np.array(seconds, float), 1e-9)  # (N,)
        best: tuple[float, np.ndarray, int] | None = None
        for size in range(1, 1 + min(3, max(1, len(works) // 2))):
            for chosen in combinations(range(3), size):
                found = _fitted(table[:, chosen] / spent[:, None])
                if found is None or (found < 0).any():
                    continue
                error = float(((table[:, chosen] @ found / spent - 1) ** 2).sum()) / max(1, len(works) - size)
                if best is None or error < 0.9 * best[0]:  # a term more must earn its place
                    best = (error, _placed(found, chosen), size)
        if best is None:  # cannot be: each term alone is positive
            raise ValueError("no line through the steps")
        error, line, size = best
        return cls((float(line[0]), float(line[1]), float(line[2])), math.sqrt(error), len(works), size)

    def seconds(self, works: Iterable[Work]) -> float:
        """Of all these steps together."""
        works = list(works)
        return float((_features(works) @ np.array(self.coefficients)).sum()) if works else 0.0

    def figure(self, works: Iterable[Work]) -> Figure:
        """The same with its error: the uncertainty of the line, for many steps average out, and the floor."""
        value = self.seconds(works)
        return Figure(value, value * (TIME_FLOOR + self.doubt))

    @property
    def doubt(self) -> float:
        """Half of the line's interval, as a share of it."""
        left = self.count - self.free
        if left < 1:
            return 0.5  # one step says little
        student = STUDENT[left - 1] if left <= len(STUDENT) else 2.0
        return student * self.spread * math.sqrt(self.free / self.count)  # as the fitted values vary on average


def _features(works: Sequence[Work]) -> Float[np.ndarray, "N 3"]:
    return np.array([(1.0, work.positions, work.squares) for work in works]).reshape(-1, 3)


def _fitted(table: Float[np.ndarray, "N K"]) -> Float[np.ndarray, "K"] | None:
    """The coefficients with which each row comes nearest to 1; None where rows do not tell them apart."""
    scale = np.abs(table).max(0)  # positions are thousands and squares millions
    if not scale.all():
        return None
    found, _, rank, _ = np.linalg.lstsq(table / scale, np.ones(len(table)), rcond=1e-6)
    return found / scale if rank == table.shape[1] else None


def _placed(found: Float[np.ndarray, "K"], chosen: Sequence[int]) -> Float[np.ndarray, "3"]:
    line = np.zeros(3)
    line[list(chosen)] = found
    return line


def steps_of(works: Sequence[Work], accumulate: int) -> list[Work]:
    """Batches as the steps that they make."""
    return [sum(works[i : i + accumulate], Work()) for i in range(0, len(works), accumulate)]


def repeated(works: Sequence[Work], count: int) -> tuple[list[Work], float]:
    """Steps of a run of `count` of them, of which some are known: those, and how many times they come."""
    if count <= len(works):
        return list(works[:count]), 1.0
    return list(works), count / max(1, len(works))


def chosen(works: Sequence[Work], count: int) -> list[int]:
    """Which steps to probe: the longest, and others spread evenly from it to the shortest; every second one first,
    so that a probe that is stopped halfway has seen long and short ones.

    Where some are probed twice, since there are few, noise still averages out.
    """
    order = sorted(range(len(works)), key=lambda i: (works[i].positions, works[i].squares))
    places = np.linspace(len(order) - 1, 0, count).round().astype(int).tolist()
    middle, ends = places[1::2], places[::2]
    return [order[place] for place in [*ends, *middle]]


def looks(steps: int, epochs: float, settings: EvaluationSettings) -> int:
    """How often a run of so many steps, and passes over the data, looks at its validation examples."""
    every = settings.every
    regular = steps // every if every else math.floor(epochs)
    last = bool(steps % every) if every else epochs > math.floor(epochs)
    return regular + last + settings.first + (settings.average > 1)


@dataclass(frozen=True)
class Course:
    """A run in its parts, in the order in which they come."""

    parts: Mapping[str, Figure]

    @property
    def total(self) -> Figure:
        """All of it."""
        return sum(self.parts.values(), Figure(0.0, 0.0))

    def to_dict(self) -> dict[str, object]:
        """Plain values, for JSON."""
        return {"parts": {name: one.to_dict() for name, one in self.parts.items()}, "total": self.total.to_dict()}


def grown(peaks: Sequence[int], steps: int) -> Figure:
    """The peak after so many steps, from those up to each of the first.

    What memory grows by when the steps double halves each time; half of what is foreseen so may be wrong.
    """
    here, half = peaks[-1], peaks[len(peaks) // 2 - 1 if len(peaks) > 1 else 0]
    doublings = math.log2(max(1.0, steps / len(peaks)))
    further = (here - half) * (1 - 0.5**doublings)
    return Figure(here + further, MEMORY_FLOOR * here + further / 2)


def measured(seconds: float, share: float = TIME_FLOOR) -> Figure:
    """What was timed once."""
    return Figure(seconds, share * seconds)
