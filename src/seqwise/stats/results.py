"""What every answer of this room is made of: a value with its interval, a test with its null hypothesis, a grid.

    Interval      from where to where, and how sure
    Estimate      a value in its unit, with an interval where there is one
    Assumption    what a method takes for granted, and whether these data bear it out
    Test          a hypothesis, what speaks against it, how large the effect is, what the data could have shown
    Grid          rows and columns for terminal and page; formatting is theirs

Results are frozen and hold plain Python values, so that they can be compared, stored and written as JSON. Those that
are shown are `Shown`: sentences first, then the numbers behind them. How numbers read: `phrases.py`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Protocol, runtime_checkable

LEVEL = 0.95
"""Of intervals, where nothing else is asked for."""

Cell = str | int | float | None
"""None is shown as nothing."""


@dataclass(frozen=True)
class Interval:
    """From where to where; either end may be infinite."""

    low: float
    high: float
    level: float = LEVEL

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high

    @property
    def turned(self) -> "Interval":
        """Of the same quantity with the other sign."""
        return Interval(-self.high, -self.low, self.level)

    @property
    def hundredfold(self) -> "Interval":
        """Of a share, in parts of a hundred."""
        return Interval(100 * self.low, 100 * self.high, self.level)


@dataclass(frozen=True)
class Estimate:
    """A value, and how sure it is."""

    name: str
    value: float
    interval: Interval | None = None
    unit: str = ""
    """As in the data; empty where the value has none."""


@dataclass(frozen=True)
class Assumption:
    """What a method takes for granted."""

    name: str
    """Such as "normal residuals"."""
    holds: bool | None
    """None: these data cannot tell."""
    told: str
    """One sentence with the numbers."""


@dataclass(frozen=True)
class Test:
    """A test of a hypothesis, and all that a reader needs to judge the answer."""

    name: str
    """Of the method, such as "Welch's t-test"."""
    null: str
    """The null hypothesis, in words and in the names of the data."""
    symbol: str
    """Of the statistic: t, F, U, chi2, ..."""
    statistic: float
    df: tuple[float, ...]
    """Degrees of freedom, none where there are none."""
    p: float
    n: Mapping[str, int]
    """Items by group."""
    effect: Estimate
    """In the user's unit."""
    size: Estimate | None = None
    """The effect without a unit, such as Hedges' g or eta squared."""
    why: str = ""
    """Why this test and no other."""
    assumptions: tuple[Assumption, ...] = ()
    detectable: Estimate | None = None
    """The smallest effect that a test of this size finds in four cases of five."""
    notes: tuple[str, ...] = ()

    @property
    def rejected(self) -> bool:
        """Whether the data speak against the null hypothesis at the level of the interval."""
        level = self.effect.interval.level if self.effect.interval else LEVEL
        return self.p < 1 - level

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {**plain(self), "rejected": self.rejected}


@dataclass(frozen=True)
class Grid:
    """A table: numbers as numbers, so that each reader rounds as it likes."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    whole: bool = False
    """Whether a terminal shows all rows, however many these are."""


def ends_of(interval: Interval | None) -> tuple[float | None, float | None]:
    """For a row of a grid; nothing where there is no interval."""
    return (interval.low, interval.high) if interval else (None, None)


@runtime_checkable
class Shown(Protocol):
    """A result that terminal, page and JSON can show without knowing what it is."""

    def sentences(self) -> tuple[str, ...]:
        """The conclusions, each in a plain sentence, the most important first."""

    def grids(self) -> tuple[Grid, ...]:
        """The numbers behind them."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON; what is not finite is a text there: "inf", "-inf", "nan"."""


def plain(value: Any) -> Any:
    """Dataclasses as dictionaries, numpy values as Python's, what JSON has no number for as text."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):  # numpy
        return plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
