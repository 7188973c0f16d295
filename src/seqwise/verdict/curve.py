"""Whether more data would help: error against the number of training examples, and what a power law says of twice as
many."""

from dataclasses import dataclass

from seqwise.stats.results import Estimate, Interval


@dataclass(frozen=True)
class Point:
    """A model trained on a part of the data."""

    n: int
    """Training examples."""
    seed: int
    error: float
    """In the unit of the curve; less is better."""


@dataclass(frozen=True)
class Band:
    """The fitted curve at one size."""

    n: float
    error: float
    interval: Interval


@dataclass(frozen=True)
class Curve:
    """e(n) = c + a n^-b, fitted."""

    measure: str
    """What the error is, such as `error rate`."""
    unit: str
    points: tuple[Point, ...]
    a: float
    b: float
    c: float
    fits: bool
    """Whether the power law describes the points; if not, nothing is foretold."""
    gain: Estimate | None
    """e(N) - e(2N), N the largest size, with its interval."""
    band: tuple[Band, ...]
    """From the smallest size to twice the largest, for a picture."""
    notes: tuple[str, ...] = ()
