"""Control charts: does a process still do what it did, or has something changed?

    individuals   single values, with their moving ranges below (I-MR)
    subgroups     means of subgroups, with their ranges (X-bar-R) or sds (X-bar-S) below
    ewma          exponentially weighted means: see shifts of one sd or less that the others overlook (Roberts 1959)

Phase I: limits from all values, or from the first `baseline` of them. Phase II: centre and sd are given. Limits are 3
short-term sds from the centre (Shewhart 1931; Montgomery 2019, chapters 6 and 9). Rules of runs are for points that
know nothing of each other, so the spread and the EWMA are judged by their limits alone. What a chart takes for granted
is checked on the values its limits come from.

Left out: charts of counts and shares, CUSUM, several variables at once.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import accumulate
from typing import Literal

import numpy as np
from jaxtyping import Shaped
from scipy.special import ndtr

from seqwise.errors import ConfigError, DataError
from seqwise.stats.assumptions import independent, normal_values
from seqwise.stats.charts import ControlChart
from seqwise.stats.factors import Labels, grouped
from seqwise.stats.phrases import counted
from seqwise.stats.results import Assumption, Estimate
from seqwise.stats.rules import RULES, run_length, signals
from seqwise.stats.samples import Row, sample
from seqwise.stats.within import Within, c4, moving_range, range_moments, ranges, sds

# N values or points, K subgroups

WIDTH = 3.0  # sds from the centre to a limit
ENOUGH = 20  # points: fewer give limits that are themselves unsure
HARM = "limits that come from neighbours are then too narrow, and false alarms more frequent than told"
TAILS = "how often a point lies beyond the limits by chance is then not as told"


def individuals(
    values: Shaped[np.ndarray, "N"],
    name: str = "values",
    unit: str = "",
    baseline: int | None = None,
    centre: float | None = None,
    sd: float | None = None,
    rules: Sequence[int] = RULES,
) -> ControlChart:
    """Single values in the order of time, with their moving ranges.

    baseline     so many of the first values give the limits; None: all of them
    centre, sd   known from before, both or neither
    rules        of Western Electric
    """
    chosen = _ruled(rules)
    process, x = _single(values, name, unit, baseline, centre, sd)
    below = None
    if len(x) > 1:
        d2, d3 = range_moments(2)
        gaps = np.abs(np.diff(x))
        below = process.spread("moving ranges", gaps, _numbers(len(x))[1:], _like(gaps, d2), _like(gaps, d3))
    chart = process.chart("individuals", x, _numbers(len(x)), _like(x, process.sd.value), chosen)
    return process.told(chart, run_length(chosen), process.checks(x), below)


def subgroups(
    values: Shaped[np.ndarray, "..."],
    labels: Labels | None = None,
    spread: Literal["sds", "ranges"] = "sds",
    name: str = "values",
    unit: str = "",
    baseline: int | None = None,
    centre: float | None = None,
    sd: float | None = None,
    rules: Sequence[int] = RULES,
) -> ControlChart:
    """Means of subgroups in the order in which they first come up, with their sds or ranges.

    values     one by one with a label each, or as rows of subgroups
    spread     what shows it: sds, or ranges, which see no less up to five values
    baseline   so many of the first subgroups give the limits; None: all of them
    sd         of single values, not of means
    """
    chosen = _ruled(rules)
    if spread not in ("sds", "ranges"):
        raise ConfigError(f"spread={spread!r}", "sds or ranges", "sds")
    groups, names = _grouped(values, labels, name)
    process = _several(groups, spread, name, unit, baseline, centre, sd)
    means = np.array([group.mean() for group in groups])  # (K,)
    errors = process.sd.value / np.sqrt([len(group) for group in groups])
    several = [place for place, group in enumerate(groups) if len(group) > 1]
    below = _spread(process, spread, [groups[place] for place in several], tuple(names[place] for place in several),
                    sum(place < process.base for place in several))  # fmt: skip
    checks = (independent(means[: process.base], HARM),) if process.base else ()
    chart = process.chart("means", means, names, errors, chosen)
    return _with_lone(process.told(chart, run_length(chosen), checks, below), len(groups) - len(several), spread)


def _spread(process: "_Process", spread: str, groups: list[Row], names: tuple[str, ...], base: int) -> ControlChart:
    """The chart below, of subgroups of two values or more."""
    if spread == "ranges":
        points = np.array([float(np.ptp(group)) for group in groups])
        moments = np.array([range_moments(len(group)) for group in groups])  # (K, 2)
    else:
        points = np.array([float(group.std(ddof=1)) for group in groups])
        moments = np.array([(c4(len(group)), math.sqrt(1 - c4(len(group)) ** 2)) for group in groups])
    return replace(process, base=base).spread(spread, points, names, moments[:, 0], moments[:, 1])


def _with_lone(chart: ControlChart, lone: int, spread: str) -> ControlChart:
    """Told that some subgroups hold one value only."""
    if not lone:
        return chart
    have = "has one value and no spread" if lone == 1 else "have one value and no spread"
    note = f"{counted(lone, 'subgroup')} {have}: charted among the means, missing among the {spread}."
    return replace(chart, notes=(*chart.notes, note))


def ewma(
    values: Shaped[np.ndarray, "N"],
    weight: float = 0.2,
    width: float = WIDTH,
    exact: bool = True,
    name: str = "values",
    unit: str = "",
    baseline: int | None = None,
    centre: float | None = None,
    sd: float | None = None,
) -> ControlChart:
    """Each point is `weight` of the new value and the rest of the point before; the first starts from the centre.

    weight   0.05 to 0.3 see small shifts; 1 is a chart of individuals
    width    of the limits in sds of the points; 2.6 to 3 go with small weights
    exact    limits that are narrower at first, as the first points vary less; False: those of later points
    """
    if not 0 < weight <= 1:
        raise ConfigError(f"weight={weight}", "more than 0, at most 1", "0.2")
    if not 0 < width < math.inf:
        raise ConfigError(f"width={width}", "more than 0", "3")
    process, x = _single(values, name, unit, baseline, centre, sd)
    steps = accumulate(x.tolist(), lambda old, new: old + weight * (new - old), initial=process.centre)
    points = np.array(list(steps)[1:])  # (N,)
    early = 1 - (1 - weight) ** (2 * np.arange(1, len(x) + 1)) if exact else np.ones(len(x))
    errors = process.sd.value * np.sqrt(weight / (2 - weight) * early)
    chart = process.chart("EWMA", points, _numbers(len(x)), errors, (1,), width, "beyond the limit,")
    return process.told(chart, ewma_run_length(weight, width), process.checks(x), None)


@lru_cache(maxsize=32)
def ewma_run_length(weight: float, width: float, shift: float = 0.0) -> float:
    """Points until an EWMA chart signals, on average, after a shift of so many sds; Crowder's (1987) integral equation.

    For limits of later points; exact ones signal a little sooner.
    """
    if weight == 1:
        return float(1 / (ndtr(shift - width) + ndtr(-shift - width)))
    edge = width * math.sqrt(weight / (2 - weight))
    nodes, weights = np.polynomial.legendre.leggauss(min(600, max(64, math.ceil(16 * edge / weight))))
    at = edge * np.concatenate([[0.0], nodes])  # (Q + 1,) the start, then the nodes
    gaps = (at[None, 1:] - (1 - weight) * at[:, None]) / weight - shift  # (Q + 1, Q)
    moves = np.exp(-gaps * gaps / 2) / math.sqrt(2 * math.pi) * (edge * weights / weight)
    lengths = np.linalg.solve(np.eye(len(nodes)) - moves[1:], np.ones(len(nodes)))
    return float(1 + moves[0] @ lengths)


@dataclass(frozen=True)
class _Process:
    """What limits are made of."""

    name: str
    unit: str
    centre: float
    sd: Within
    base: int
    """Points that gave them; 0 where they were given."""
    source: str

    def chart(
        self,
        kind: str,
        points: Row,
        labels: tuple[str, ...],
        errors: Row,
        rules: tuple[int, ...],
        width: float = WIDTH,
        far: str = "more than 3 sds",
        centres: Row | None = None,
    ) -> ControlChart:
        """Points between limits that lie so many of their own sds from the centre."""
        middle = _like(points, self.centre) if centres is None else centres
        found = signals((points - middle) / errors * (WIDTH / width), rules, labels, far)  # rule 1 looks 3 sds far
        low = middle - width * errors if centres is None else np.maximum(0, middle - width * errors)
        interval = self.sd.interval() if math.isfinite(self.sd.df) else None
        sd = Estimate(f"sd by {self.sd.method}", self.sd.value, interval, self.unit)
        centre, lower, upper = (tuple(line.tolist()) for line in (middle, low, middle + width * errors))
        told, values = self.source, tuple(points.tolist())
        return ControlChart(
            kind, self.name, self.unit, values, labels, centre, lower, upper, sd, told, self.base, rules, found
        )

    def spread(self, kind: str, points: Row, labels: tuple[str, ...], means: Row, errors: Row) -> ControlChart:
        """The chart below, of what has such means and sds where the sd is 1."""
        return self.chart(kind, points, labels, self.sd.value * errors, (1,), centres=self.sd.value * means)

    def checks(self, x: Row) -> tuple[Assumption, ...]:
        """Of single values."""
        return (independent(x[: self.base], HARM), normal_values(x[: self.base], TAILS)) if self.base else ()

    def told(
        self, chart: ControlChart, length: float, checks: tuple[Assumption, ...], below: ControlChart | None
    ) -> ControlChart:
        """The chart with all that a reader needs to know of it."""
        notes = []
        if 0 < self.base < ENOUGH:
            few = counted(self.base, "point")
            notes.append(f"The limits come from {few} only and are unsure themselves; {ENOUGH} to 25 are usual.")
        if any(signal.index < self.base for signal in chart.signals):
            notes.append(
                "Signals lie among the points that the limits come from: where a cause is found, "
                "leave those points out and draw the chart anew."
            )
        return replace(chart, run_length=length, assumptions=checks, notes=tuple(notes), spread=below)


def _single(
    values: Shaped[np.ndarray, "N"], name: str, unit: str, baseline: int | None, centre: float | None, sd: float | None
) -> tuple[_Process, Row]:
    """Of single values."""
    if _known(baseline, centre, sd):
        return _given(name, unit, centre, sd), sample(values, name, 1)  # one new value is enough
    x = sample(values, name, varied=True)
    base = _base(len(x), baseline, "values")
    within = moving_range(x[:base])
    if within.value <= 0:
        given = f"the first {base:,} values of {name} all the same"
        raise DataError(given, "values that differ to take limits from", "a longer baseline")
    return _Process(name, unit, float(x[:base].mean()), within, base, _source(base, len(x), "value", within)), x


def _several(
    groups: list[Row], spread: str, name: str, unit: str, baseline: int | None, centre: float | None, sd: float | None
) -> _Process:
    """Of subgroups."""
    if _known(baseline, centre, sd):
        return _given(name, unit, centre, sd)
    base = _base(len(groups), baseline, "subgroups")
    several = [group for group in groups[:base] if len(group) > 1]
    if not several:
        given = f"the first {base:,} subgroups of {name} with one value each"
        raise DataError(given, "two values or more in some of them", "a longer baseline")
    within = sds(several) if spread == "sds" else ranges(several)
    if within.value <= 0:
        given = f"subgroups of {name} within which nothing differs"
        raise DataError(given, "values that vary within subgroups", "a chart of individuals of their means")
    middle = float(np.concatenate(groups[:base]).mean())
    return _Process(name, unit, middle, within, base, _source(base, len(groups), "subgroup", within))


def _known(baseline: int | None, centre: float | None, sd: float | None) -> bool:
    """Whether centre and sd are given; refused where they contradict each other."""
    if (centre is None) != (sd is None):
        given = f"centre={centre} and sd={sd}"
        raise ConfigError(given, "both, or neither to take them from the values", "naming the other one too")
    if sd is not None and baseline is not None:
        raise ConfigError(f"baseline={baseline} and sd={sd}", "one of the two", "leaving the baseline out")
    return sd is not None


def _given(name: str, unit: str, centre: float | None, sd: float | None) -> _Process:
    if centre is None or sd is None or not (0 < sd < math.inf and math.isfinite(centre)):
        raise ConfigError(f"centre={centre} and sd={sd}", "a finite centre and an sd above 0", "what phase I found")
    return _Process(name, unit, centre, Within(sd, math.inf, "what was given"), 0, "the centre and sd given")


def _base(count: int, baseline: int | None, what: str) -> int:
    if baseline is not None and not 2 <= baseline <= count:
        raise ConfigError(f"baseline={baseline}", f"2 to {count:,} {what}", f"{min(count, ENOUGH)}")
    return baseline or count


def _source(base: int, count: int, what: str, within: Within) -> str:
    return f"{'the first' if base < count else 'all'} {base:,} {what}s by {within.method}"


def _grouped(values: Shaped[np.ndarray, "..."], labels: Labels | None, name: str) -> tuple[list[Row], tuple[str, ...]]:
    """Subgroups and their names in the order of time."""
    array = np.asarray(values)
    if array.ndim == 2 and labels is None:
        flat = sample(array.reshape(-1), name, 4, varied=True)
        groups, names = list(flat.reshape(array.shape)), _numbers(len(array))
    elif array.ndim == 1 and labels is not None:
        groups, names = grouped(sample(array, name, 4, varied=True), labels, name)
    else:
        given = f"{name} of shape {array.shape} {'without' if labels is None else 'with'} labels"
        raise DataError(given, "rows of subgroups, or single values with a label each", "a label for each value")
    alone = all(len(group) < 2 for group in groups)
    if alone or len(groups) < 2:
        given = f"subgroups of {name} with one value each" if alone else f"one subgroup of {name}"
        raise DataError(given, "two subgroups or more, some of two values or more", "a chart of individuals")
    return groups, names


def _ruled(rules: Sequence[int]) -> tuple[int, ...]:
    chosen = tuple(sorted(set(rules)))
    if not chosen or not set(chosen) <= set(RULES):
        raise ConfigError(f"rules={tuple(rules)}", "some of the rules 1, 2, 3 and 4", "all: 1, 2, 3, 4")
    return chosen


def _numbers(count: int) -> tuple[str, ...]:
    return tuple(str(place + 1) for place in range(count))


def _like(x: Row, value: float) -> Row:
    return np.full(len(x), float(value))
