"""What columns hold: how many values, where, how wide, of which shape; of texts, how many different ones.

Made from what one pass over data of any length leaves behind: `Moments` of the numbers, a `Sketch` of their order, the
counts of texts. Skewness and kurtosis are those adjusted for small n (G1 and G2); the interval of the mean is Student's
t, which takes rows for independent of one another.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan
from typing import Any

import numpy as np

from seqwise.stats.means import student
from seqwise.stats.moments import Moments
from seqwise.stats.phrases import amount, counted, number, parts, short, sure
from seqwise.stats.quantiles import Sketch
from seqwise.stats.results import LEVEL, Cell, Estimate, Grid, ends_of, plain

SHARES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
SKEWED = 1.0  # skewness from which mean and median may lie well apart
ENOUGH = 20  # values from which a skewness is worth a sentence
SHOWN = 4  # columns named in a sentence


@dataclass(frozen=True)
class Numbers:
    """A column of numbers. None: too few values to tell."""

    name: str
    unit: str
    n: int
    missing: int
    mean: Estimate | None
    sd: float | None
    minimum: float | None
    maximum: float | None
    skewness: float | None
    kurtosis: float | None
    """Excess: 0 for a normal distribution."""
    quantiles: tuple[float, ...]
    """At `SHARES`; none where there is no value."""
    bound: float
    """Share of the values by which the ranks of the quantiles may be off; 0 where they are exact."""

    @property
    def constant(self) -> bool:
        """Whether all its values are the same."""
        return self.n > 0 and self.minimum == self.maximum


@dataclass(frozen=True)
class Texts:
    """A column of texts, or of true and false."""

    name: str
    n: int
    missing: int
    distinct: int
    exact: bool
    """Whether `distinct` was counted out, or estimated as there are too many to hold."""
    most: tuple[tuple[str, int], ...]
    """The most frequent ones; none where `distinct` is estimated."""
    first: str = ""
    """The earliest, of dates that begin with the year; else empty, as `last`."""
    last: str = ""


@dataclass(frozen=True)
class Description:
    """A table, column by column."""

    rows: int
    numbers: tuple[Numbers, ...]
    texts: tuple[Texts, ...]
    level: float = LEVEL

    def sentences(self) -> tuple[str, ...]:
        """What it is, what is missing, what is the same in all rows, where a mean misleads."""
        told = [f"{counted(self.rows, 'row')}, {_kinds(len(self.numbers), len(self.texts))}."]
        every: list[Numbers | Texts] = [*self.numbers, *self.texts]
        lacking = sorted((one for one in every if one.missing), key=lambda one: -one.missing)
        if lacking:
            share = [f"{one.name} {one.missing:,} ({_percent(one.missing, one.n + one.missing)})" for one in lacking]
            told.append(f"Values are missing in {counted(len(lacking), 'column')}: {short(share, SHOWN)}.")
        elif every:
            told.append("No value is missing.")
        same = [f"{one.name} {_shown(one.minimum, one.unit)}" for one in self.numbers if one.constant and one.n > 1]
        same += [one.name for one in self.texts if one.n > 1 and one.distinct == 1 and one.exact]
        if same:
            told.append(f"The same in every row that has a value: {short(same, SHOWN)}.")
        told += [_leaning(one) for one in self._lopsided()[:SHOWN]]
        told += [_nearly(one) for one in self.numbers if one.bound][:1]
        return tuple(told)

    def grids(self) -> tuple[Grid, ...]:
        """Numbers, their quantiles, texts."""
        found = []
        if self.numbers:
            found += [self._moments(), self._quantiles()]
        if self.texts:
            rows = tuple(_text_row(one) for one in self.texts)
            found.append(
                Grid("Texts", ("column", "n", "missing", "different", "most frequent, or from and to"), rows, "", True)
            )
        return tuple(found)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {**plain(self), "shares": list(SHARES), "sentences": list(self.sentences())}

    def _lopsided(self) -> list[Numbers]:
        skewed = [one for one in self.numbers if one.n >= ENOUGH and abs(one.skewness or 0.0) >= SKEWED]
        return sorted(skewed, key=lambda one: -abs(one.skewness or 0.0))

    def _moments(self) -> Grid:
        names = ("column", "n", "missing", "mean", "low", "high", "sd", "min", "max", "skewness", "kurtosis")
        rows = []
        for one in self.numbers:
            ends = ends_of(one.mean.interval if one.mean else None)
            mean = one.mean.value if one.mean else None
            shape = (one.sd, one.minimum, one.maximum, one.skewness, one.kurtosis)
            rows.append((_named(one), one.n, one.missing, mean, *ends, *shape))
        note = f"low, high: {sure(self.level)} of the mean; kurtosis: excess over the normal distribution's."
        return Grid("Numbers", names, tuple(rows), note, whole=True)

    def _quantiles(self) -> Grid:
        names = ("column", *(f"{100 * share:g} %" for share in SHARES))
        rows = tuple((_named(one), *(one.quantiles or (None,) * len(SHARES))) for one in self.numbers)
        worst = max(one.bound for one in self.numbers)
        note = f"Values of the data whose ranks are off by {_bound(worst)} at most." if worst else ""
        return Grid("Values below which so many lie", names, rows, note, whole=True)


def described(
    moments: Moments, sketches: Sequence[Sketch], names: Sequence[str], units: Sequence[str], level: float = LEVEL
) -> tuple[Numbers, ...]:
    """Columns of numbers, from what a pass over them left behind."""
    sd = np.asarray(moments.sd(1, "pass"))
    least, most = np.asarray(moments.minimum), np.asarray(moments.maximum)
    skew, kurtosis = moments.skew(True, "pass"), moments.kurtosis(True, "pass")
    found = []
    for at, sketch in enumerate(sketches):
        n, mean = int(moments.n[at]), float(moments.mean[at])
        name, unit = names[at], units[at]
        interval = student(mean, float(sd[at]) / n**0.5, n - 1, level) if n > 1 else None
        estimate = Estimate(f"mean {name}", mean, interval, unit) if n else None
        ends = _some(least[at]), _some(most[at])
        shape = _some(skew[at]), _some(kurtosis[at])
        quantiles = tuple(float(q) for q in sketch.quantiles(SHARES)) if n else ()
        missing = int(moments.missing[at])
        found.append(Numbers(name, unit, n, missing, estimate, _some(sd[at]), *ends, *shape, quantiles, sketch.bound))
    return tuple(found)


def _some(value: float | np.floating[Any]) -> float | None:
    return None if isnan(value) else float(value)


def _named(one: Numbers) -> str:
    return f"{one.name} [{one.unit}]" if one.unit else one.name


def _text_row(one: Texts) -> tuple[Cell, ...]:
    most = ", ".join(f"{text} ({count:,})" for text, count in one.most if count > 1 or one.distinct <= 3)
    told = f"{one.first} to {one.last}" if one.first else most
    return (one.name, one.n, one.missing, f"{'' if one.exact else 'about '}{one.distinct:,}", told)


def _leaning(one: Numbers) -> str:
    """Of a column with one long tail."""
    skewness = one.skewness or 0.0
    side = "right" if skewness > 0 else "left"
    middle, mean = one.quantiles[SHARES.index(0.5)], one.mean.value if one.mean else 0.0
    told = f"{one.name} has a long {side} tail (skewness {number(skewness, 2)})"
    if (mean - middle) * skewness > 0:
        told += f", which draws its mean to {_shown(mean, one.unit)}; the median is {_shown(middle, one.unit)}"
    return told + "."


def _nearly(one: Numbers) -> str:
    return (
        f"Quantiles are values of the data whose ranks are off by {_bound(one.bound)} at most, as there are more "
        "than memory holds; all else is exact."
    )


def _bound(share: float) -> str:
    return f"{parts(share, 2)} of the rows"


def _shown(value: float | None, unit: str) -> str:
    return amount(value, unit, 4) if value is not None else ""


def _kinds(numbers: int, texts: int) -> str:
    if not texts:
        return f"{counted(numbers, 'column')} of numbers" if numbers else "no column"
    if not numbers:
        return f"{counted(texts, 'column')}, none of numbers"
    return f"{counted(numbers, 'column')} of numbers and {counted(texts, 'other')}"


def _percent(part: int, whole: int) -> str:
    share = 100 * part / whole
    return "under 0.1 %" if share < 0.1 else "all" if part == whole else f"{min(share, 99.9):.1f} %"
