"""Capability: how well a process fits between its specification limits, and how sure that is.

    Cp, Cpk   from the short-term sd: what the process can do while nothing drifts
    Pp, Ppk   from the sd of all values: what it did

    Cp = (upper - lower) / 6 sd        interval by chi-square
    Cpk = min(upper - mean, mean - lower) / 3 sd        interval by Bissell (1990)

Where one limit is given, only Cpk and Ppk exist. How many values are expected beyond the limits is the normal
distribution's answer, which far out is no better than the values are normal there; how many were seen beyond stands
beside it. (Montgomery 2019, chapter 8.)

Left out: Cpm and other indices with a target, Box-Cox and other shapes, gauge studies.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Shaped
from scipy.special import ndtr, ndtri, pdtrc

from seqwise.errors import ConfigError, DataError
from seqwise.stats.assumptions import DOUBT, independent, normal_values
from seqwise.stats.factors import Labels, grouped
from seqwise.stats.phrases import amount, between, counted, digits_apart, number, percent, shares_within
from seqwise.stats.proportions import clopper_pearson
from seqwise.stats.results import LEVEL, Assumption, Cell, Estimate, Grid, Interval, plain
from seqwise.stats.rules import RULES, run_length, signals
from seqwise.stats.samples import Row, sample
from seqwise.stats.within import Within, chi_square, moving_range, overall, pooled

NEEDED = 1.33  # four sds between the mean and the nearer limit: the custom of Montgomery's table 8.4
HARM = "the short-term sd is then too small, and Cp and Cpk too good"
TAILS = "what the normal distribution expects beyond the limits cannot be trusted"


@dataclass(frozen=True)
class Capability:
    """Indices with intervals, and what lies beyond the limits."""

    name: str
    unit: str
    n: int
    limits: tuple[float | None, float | None]
    """Lower and upper specification limit."""
    mean: float
    within: Estimate
    """The short-term sd."""
    overall: Estimate
    """The sd of all values."""
    indices: tuple[Estimate, ...]
    """Cp, Cpk, Pp and Ppk, or Cpk and Ppk where one limit is given."""
    expected: float
    """Share beyond the limits by the normal distribution with the sd of all values."""
    observed: Estimate
    """Share of the values beyond them; Clopper and Pearson's interval."""
    needed: float
    """The Cpk and Ppk that is asked for."""
    assumptions: tuple[Assumption, ...]

    def index(self, name: str) -> Estimate:
        """Cp, Cpk, Pp or Ppk."""
        for index in self.indices:
            if index.name == name:
                return index
        told = ", ".join(index.name for index in self.indices)
        raise ConfigError(f"index {name!r}", f"one of {told}", "Ppk, which exists for one limit as well")

    @property
    def capable(self) -> bool | None:
        """Whether Ppk reaches what is needed; None where its interval says both."""
        interval = self.index("Ppk").interval
        if interval is None or self.needed in interval:
            return None
        return interval.low > self.needed

    def sentences(self) -> tuple[str, ...]:
        """Whether it fits, whether it drifts, what lies outside, and doubts."""
        doubts = [one.told for one in self.assumptions if one.holds is False]
        return (self._fit(), *self._drift(), self._outside(), *doubts)

    def _fit(self) -> str:
        ppk = self.index("Ppk")
        shown = f"Ppk {number(ppk.value, 3)}, {_told(ppk)}, {self.n:,} values"
        asked = f"the Ppk of {number(self.needed, 3)} that is asked for"
        digits = digits_apart(self.mean, self.mean + self.overall.value)
        where = f"mean {amount(self.mean, self.unit, digits)}, sd {amount(self.overall.value, self.unit)}"
        if self.capable is None:
            return f"Cannot tell whether {self.name} reaches {asked}: {shown} ({where})."
        return f"{self.name} {'reaches' if self.capable else 'falls short of'} {asked}: {shown} ({where})."

    def _drift(self) -> list[str]:
        """Whether the long run is worse than the short-term sd, however unsure that is."""
        short, long = self.index("Cpk"), self.index("Ppk")
        told = f"Cpk {number(short.value, 3)} by {self.within.name.removeprefix('sd by ')}"
        told = f"{told}, Ppk {number(long.value, 3)} by all values"
        if self.within.interval and self.within.interval.high < self.overall.value:
            return [f"In the long run {self.name} varies more than in the short: {told}."]
        return [f"No sign that {self.name} varies more in the long run than in the short: {told}."]

    def _outside(self) -> str:
        seen, interval = round(self.observed.value * self.n), self.observed.interval
        share = percent(self.observed.value, small=3) + (f", {shares_within(interval, small=3)}" if interval else "")
        lie = f"{seen:,} of {counted(self.n, 'value')} lie{'s' * (seen == 1)} outside the limits ({share})"
        return f"{lie}; a normal distribution expects {number(1e6 * self.expected, 3)} in a million."

    def grids(self) -> tuple[Grid, ...]:
        """Indices, then what they are made of."""
        rows = tuple((index.name, index.value, *_ends(index)) for index in self.indices)
        sds = tuple((sd.name, sd.value, *_ends(sd)) for sd in (self.within, self.overall))
        unit = f" ({self.unit})" if self.unit else ""
        parts: tuple[tuple[Cell, ...], ...] = (
            ("values outside, of a million", 1e6 * self.observed.value, *(1e6 * end for end in _ends(self.observed))),
            ("expected, of a million", 1e6 * self.expected, None, None),
        )
        return (
            Grid(f"capability of {self.name}", ("index", "value", "low", "high"), rows),
            Grid(f"spread of {self.name}{unit}", ("sd", "value", "low", "high"), sds),
            Grid(f"beyond the limits of {self.name}", ("", "value", "low", "high"), parts),
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {**plain(self), "capable": self.capable}


def capability(
    values: Shaped[np.ndarray, "N"],
    lower: float | None = None,
    upper: float | None = None,
    subgroups: Labels | None = None,
    name: str = "values",
    unit: str = "",
    needed: float = NEEDED,
    level: float = LEVEL,
) -> Capability:
    """How well values fit between the limits; in the order of time, unless subgroups are named.

    lower, upper   specification limits: what is wanted, not what a control chart found; one of them is enough
    subgroups      a label for each value: the short-term sd is then pooled within them, else it comes from neighbours
    """
    x = sample(values, name, 3, varied=True)
    _limits(lower, upper)
    short, long = _short(x, subgroups, name), overall(x)
    mean = float(x.mean())
    sides = tuple(gap for gap in (_gap(upper, mean), _gap(mean, lower)) if gap is not None)
    found: list[Estimate] = []
    for letter, sd in (("C", short), ("P", long)):
        if lower is not None and upper is not None:
            value = (upper - lower) / (6 * sd.value)
            found.append(Estimate(f"{letter}p", value, cp_interval(value, sd.df, level)))
        value = min(sides) / (3 * sd.value)
        found.append(Estimate(f"{letter}pk", value, cpk_interval(value, len(x), sd.df, level)))
    outside = _outside(x, lower, upper)
    checks = (normal_values(x, TAILS), *_controlled(x, short, subgroups, name))
    return Capability(
        name, unit, len(x), (lower, upper), mean, _sd(short, unit, level), _sd(long, unit, level), tuple(found),
        float(sum(ndtr(-gap / long.value) for gap in sides)), _share(outside, len(x), level), needed, checks,
    )  # fmt: skip


def cp_interval(value: float, df: float, level: float = LEVEL) -> Interval:
    """Of Cp or Pp: as sure as the sd, whose square is a chi-square (Montgomery 2019, equation 8.19)."""
    tail = (1 - level) / 2
    low, high = (value * math.sqrt(chi_square(share, df) / df) for share in (tail, 1 - tail))
    return Interval(low, high, level)


def cpk_interval(value: float, n: int, df: float, level: float = LEVEL) -> Interval:
    """Of Cpk or Ppk: normal, with the variance of the mean and of the sd (Bissell 1990; Montgomery, equation 8.21)."""
    half = float(ndtri((1 + level) / 2)) * math.sqrt(1 / (9 * n) + value * value / (2 * df))
    return Interval(value - half, value + half, level)


def _short(x: Row, subgroups: Labels | None, name: str) -> Within:
    if subgroups is None:
        return moving_range(x)
    groups, _ = grouped(x, subgroups, name)
    if len(x) - len(groups) < 1:
        given = f"{len(groups):,} subgroups of {len(x):,} values of {name}"
        raise DataError(given, "a subgroup of two values or more", "leaving the subgroups out, for neighbours in time")
    found = pooled(groups)
    if found.value <= 0:
        given = f"subgroups of {name} within which nothing differs"
        raise DataError(given, "values that vary within subgroups", "leaving the subgroups out, for neighbours in time")
    return found


def _controlled(x: Row, short: Within, subgroups: Labels | None, name: str) -> Sequence[Assumption]:
    """Whether the process did not change meanwhile; indices of one that did foretell nothing."""
    if subgroups is not None:
        return ()
    found = signals((x - x.mean()) / short.value, RULES, [str(place + 1) for place in range(len(x))])
    expected = len(x) / run_length(RULES)
    if not found:
        return independent(x, HARM), Assumption("in control", True, f"No signal on a control chart of {name}.")
    told = f"{counted(len(found), 'signal')} on a control chart of {name}, {number(expected, 2)} expected by chance"
    if float(pdtrc(len(found) - 1, expected)) > DOUBT:
        return independent(x, HARM), Assumption("in control", None, f"{told}.")
    told = f"The process is not in control, so that these indices foretell little: {told}"
    return independent(x, HARM), Assumption("in control", False, f"{told}; first, {found[0].why}.")


def _limits(lower: float | None, upper: float | None) -> None:
    ends = [end for end in (lower, upper) if end is not None]
    if not ends or not all(math.isfinite(end) for end in ends) or (len(ends) == 2 and ends[0] >= ends[1]):
        allowed = "a lower limit below the upper one, or one of the two"
        raise ConfigError(f"lower={lower} and upper={upper}", allowed, "the limits of the specification")


def _gap(high: float | None, low: float | None) -> float | None:
    return None if high is None or low is None else high - low


def _outside(x: Row, lower: float | None, upper: float | None) -> int:
    below = int((x < lower).sum()) if lower is not None else 0
    return below + (int((x > upper).sum()) if upper is not None else 0)


def _share(count: int, n: int, level: float) -> Estimate:
    """With Clopper and Pearson's interval, which keeps to its level for shares near 0."""
    return Estimate("share outside the limits", count / n, clopper_pearson(count, n, level))


def _sd(within: Within, unit: str, level: float) -> Estimate:
    return Estimate(f"sd by {within.method}", within.value, within.interval(level), unit)


def _told(estimate: Estimate) -> str:
    return between(estimate.interval) if estimate.interval else "no interval"


def _ends(estimate: Estimate) -> tuple[float, float]:
    return (estimate.interval.low, estimate.interval.high) if estimate.interval else (math.nan, math.nan)
