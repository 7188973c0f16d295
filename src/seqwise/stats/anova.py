"""Do the means of several groups differ? Analysis of variance, and the pairs that make the difference.

    one_way     Fisher's, or Welch's where spreads differ (Welch 1951, "On the comparison of several mean values")
    tukey       all pairs (`pairs.py`)

The grand mean is subtracted before anything is squared: of values such as 1,000,000,000,000.4 the textbook's sums of
squares keep no digit, these keep all that the values have (NIST's SmLs07 to SmLs09).

Left out: two factors (`factorial.py`), the same subjects several times (`repeated.py`), groups within groups.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Shaped
from scipy.special import fdtrc

from seqwise.stats import explained
from seqwise.stats.assumptions import by_design, equal_spread, normal_residuals
from seqwise.stats.explained import Line
from seqwise.stats.factors import Labels, factor, split
from seqwise.stats.pairs import (
    MOST,
    Group,
    Pair,
    Pairs,
    compared,
    critical,
    described,
    no_spread,
    of_groups,
    own_spread,
    tukey,
)
from seqwise.stats.phrases import amount, answered, in_brackets, percent, within
from seqwise.stats.power import f_noncentrality
from seqwise.stats.results import LEVEL, Assumption, Cell, Estimate, Grid, Interval, Test, ends_of, plain
from seqwise.stats.samples import Row, flat, outcome

__all__ = ["Anova", "Group", "Pair", "Pairs", "one_way", "tukey"]

# N values in K groups of M each


@dataclass(frozen=True)
class Anova:
    """Whether the means of groups differ, by how much, and which."""

    name: str
    by: str
    test: Test
    """Effect: the largest difference of two means, its interval allows for all pairs. Size: eta squared."""
    lines: tuple[Line, ...]
    eta: Estimate
    """Eta squared, the share of the variance explained."""
    omega: float
    """Omega squared: the share explained, corrected for chance; 0 or less says none."""
    groups: tuple[Group, ...]
    pairs: Pairs | None
    """None where there are too many groups to tell all pairs."""

    def sentences(self) -> tuple[str, ...]:
        """How much the groups explain, then which differ."""
        f = answered(self.test)
        share, both = percent(self.eta.value), self.eta.interval
        if self.test.rejected:
            told = f"{self.by} explains {share} of the variance of {self.name}{in_brackets(both, f)}"
            first = f"{told}: the means of its groups differ."
        elif self.test.statistic <= 1:
            told = f"{self.by} explains {share} of the variance of {self.name} in these data"
            first = f"{told}, no more than chance alone would: no sign that its groups differ ({f})."
        else:
            told = f"These data cannot tell whether mean {self.name} differs by {self.by}"
            first = f"{told}: it explains {share} of the variance{in_brackets(both, f)}."
        rest = self.pairs.sentences() if self.pairs and self.test.rejected else (self._largest(),)
        return (first, *rest, *self.test.notes)

    def _largest(self) -> str:
        if self.pairs is not None:
            return compared(self.pairs.largest, self.name, len(self.pairs.pairs))
        high = max(self.groups, key=lambda group: group.mean).name
        low = min(self.groups, key=lambda group: group.mean).name
        value, both = self.test.effect.value, self.test.effect.interval
        sure = f" ({within(both, self.test.effect.unit)})" if both else ""
        return f"The largest difference is that of {high} above {low}: {amount(value, self.test.effect.unit)}{sure}."

    def grids(self) -> tuple[Grid, ...]:
        """Groups, the table of variance, the pairs."""
        columns = ("group", "n", "mean", "sd", "low", "high")
        rows = tuple(_row(group) for group in self.groups)
        note = f"{self.test.name}: {answered(self.test)}"
        grids = (
            Grid(f"{self.name} by {self.by}", columns, rows, "low and high: of the mean, by each group's own sd"),
            explained.table(f"Analysis of variance: {self.name} by {self.by}", self.lines, note),
        )
        return grids + (self.pairs.grids() if self.pairs else ())

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {**plain(self), "test": self.test.to_dict(), "sentences": list(self.sentences())}


def _row(group: Group) -> tuple[Cell, ...]:
    return (group.name, group.n, group.mean, group.sd, *ends_of(group.interval))


def one_way(
    values: Shaped[np.ndarray, "N"],
    groups: Labels,
    *,
    name: str = "value",
    unit: str = "",
    by: str = "group",
    welch: bool = False,
    level: float = LEVEL,
) -> Anova:
    """Whether the means of the groups differ. `welch`: each group has its own sd, else one for all."""
    array = outcome(values, name, 3)
    kinds = factor(groups, by, len(array))
    samples = split(array, kinds)
    if len(array) <= len(samples) or all(map(flat, samples)):
        raise no_spread(kinds.levels, by)
    if welch:
        own_spread(samples, kinds.levels, by)
    lines = sums(samples, by)
    if welch:  # its F is not the one of these squares
        lines = (Line(by, lines[0].squares, lines[0].df), *lines[1:])
    told = described(samples, kinds.levels, level)
    pairs = of_groups(samples, kinds.levels, name, unit, by, welch, level) if len(samples) <= MOST else None
    effect = _largest(told, lines[1], pairs, unit, level)
    f, df1, df2 = welch_f(samples) if welch else (lines[0].mean / lines[1].mean, lines[0].df, lines[1].df)
    n = len(array)
    size = Estimate("eta squared", lines[0].squares / lines[2].squares, explained.share_interval(f, df1, df2, n, level))
    test = Test(
        name="Welch's analysis of variance" if welch else "one-way analysis of variance",
        null=f"mean {name} is the same in all {len(samples)} groups of {by}",
        symbol="F",
        statistic=f,
        df=(df1, df2),
        p=float(fdtrc(df1, df2, f)),
        n={group.name: group.n for group in told},
        effect=effect,
        size=size,
        why=_why(len(samples), welch),
        assumptions=_assumed(samples, welch),
        detectable=None if welch else _detectable(told, lines[1], unit, level),
        notes=_notes(samples, kinds.levels, pairs),
    )
    corrected = df1 * (f - 1) / (df1 * (f - 1) + n)
    return Anova(name, by, test, lines, size, corrected, told, pairs)


def sums(samples: tuple[Row, ...], by: str) -> tuple[Line, Line, Line]:
    """Sums of squares between groups, within them, and of all, about the grand mean."""
    sizes = np.array([len(sample) for sample in samples], dtype=np.float64)
    n = float(sizes.sum())
    offset = sum(float(sample.sum()) for sample in samples) / n
    means, within = np.empty(len(samples)), 0.0
    for place, sample in enumerate(samples):
        near = sample - offset  # what is left has no leading digits in common
        means[place] = near.mean()
        apart = near - means[place]
        within += float((apart**2).sum() - apart.sum() ** 2 / len(sample))
    middle = float(sizes @ means) / n
    between = float(sizes @ (means - middle) ** 2)
    error = Line("within groups", within, n - len(samples))
    line = explained.tested(by, between, len(samples) - 1, error)
    return line, error, Line("all", between + within, n - 1)


def welch_f(samples: tuple[Row, ...]) -> tuple[float, float, float]:
    """Welch's F and its degrees of freedom: groups weigh as sure as their means are."""
    sizes = np.array([len(sample) for sample in samples], dtype=np.float64)
    offset = float(samples[0][0])
    means = np.array([(sample - offset).mean() for sample in samples])
    weights = sizes / np.array([(sample - offset).var(ddof=1) for sample in samples])
    total, k = float(weights.sum()), len(samples)
    middle = float(weights @ means) / total
    between = float(weights @ (means - middle) ** 2) / (k - 1)
    lost = float(((1 - weights / total) ** 2 / (sizes - 1)).sum())
    f = between / (1 + 2 * (k - 2) / (k**2 - 1) * lost)
    return f, k - 1.0, (k**2 - 1) / (3 * lost)


def _largest(groups: tuple[Group, ...], error: Line, pairs: Pairs | None, unit: str, level: float) -> Estimate:
    """The highest mean minus the lowest, with an interval that allows for all pairs."""
    if pairs is not None:
        return _upright(pairs.largest)
    high = max(groups, key=lambda group: group.mean)
    low = min(groups, key=lambda group: group.mean)
    value, deviation = high.mean - low.mean, (error.mean * (1 / high.n + 1 / low.n)) ** 0.5
    half = critical(level, len(groups), error.df) * deviation
    return Estimate(f"{high.name} minus {low.name}", value, Interval(value - half, value + half, level), unit)


def _upright(pair: Pair) -> Estimate:
    """The difference told so that it is not below 0."""
    both = pair.difference.interval
    if pair.difference.value >= 0 or both is None:
        return pair.difference
    return Estimate(f"{pair.first} minus {pair.second}", -pair.difference.value, both.turned, pair.difference.unit)


def _why(groups: int, welch: bool) -> str:
    if welch:
        return f"{groups} groups, each with its own sd: Welch's test does not take spreads for equal."
    return f"{groups} groups and one sd for all of them; where spreads differ, Welch's test is the safer one."


def _assumed(samples: tuple[Row, ...], welch: bool) -> tuple[Assumption, ...]:
    spread = equal_spread(samples)
    if welch:
        spread = Assumption("own spreads", True, f"Spreads need not be equal here. {spread.told}")
    residuals = np.concatenate([sample - sample.mean() for sample in samples])
    return normal_residuals(residuals), spread, by_design("value")


def _detectable(groups: tuple[Group, ...], error: Line, unit: str, level: float) -> Estimate:
    """Of two means, all others half way between: the case that is hardest to find."""
    each = len(groups) / sum(1 / group.n for group in groups)
    shift = f_noncentrality(len(groups) - 1, error.df, level=level)
    return Estimate("largest difference of two means", (2 * shift * error.mean / each) ** 0.5, None, unit)


def _notes(samples: tuple[Row, ...], levels: tuple[str, ...], pairs: Pairs | None) -> tuple[str, ...]:
    alone = [name for name, sample in zip(levels, samples, strict=True) if len(sample) == 1]
    notes = []
    if alone:
        notes.append(f"{len(alone)} of {len(levels)} groups have a single value and say nothing of the spread.")
    if pairs is None:
        notes.append(f"{len(levels)} groups are too many to tell all pairs.")
    return tuple(notes)
