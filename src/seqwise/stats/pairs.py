"""All pairs of groups, with intervals and p-values that allow for there being many pairs.

    Tukey-Kramer    one sd for all groups, pooled (Tukey 1953; Kramer 1956 for unequal sizes)
    Games-Howell    each group its own sd (Games and Howell 1976)

Both go by the studentized range: all intervals of a family hold at once with the level's chance, and a p below 5 %
comes up in no more than one of twenty families where nothing differs. No test of all groups together is needed before.
"""

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped
from scipy.special import stdtr, stdtrit

from seqwise.errors import DataError
from seqwise.stats import studentized
from seqwise.stats.factors import Labels, factor, split
from seqwise.stats.means import student
from seqwise.stats.phrases import amount, chance, short, within
from seqwise.stats.results import LEVEL, Cell, Estimate, Grid, Interval, ends_of, plain
from seqwise.stats.samples import Row, flat, outcome

MOST = 30  # groups of which all pairs are told: 435 of them, beyond which nobody reads and the range takes minutes


@dataclass(frozen=True)
class Group:
    """A group by itself."""

    name: str
    n: int
    mean: float
    sd: float | None
    interval: Interval | None
    """Of the mean, by this group's own sd; none where it has a single value."""


@dataclass(frozen=True)
class Pair:
    """Two groups, the second minus the first."""

    first: str
    second: str
    difference: Estimate
    error: float
    """Standard error of the difference."""
    df: float
    p: float
    """Adjusted for all pairs."""

    @property
    def shown(self) -> bool:
        """Whether these data show a difference, all pairs allowed for."""
        both = self.difference.interval
        return self.p < 1 - (both.level if both else LEVEL)


@dataclass(frozen=True)
class Pairs:
    """All pairs of groups."""

    name: str
    unit: str
    by: str
    method: str
    groups: tuple[Group, ...]
    pairs: tuple[Pair, ...]

    @property
    def largest(self) -> Pair:
        """The pair with the largest difference."""
        return max(self.pairs, key=lambda pair: abs(pair.difference.value))

    def sentences(self) -> tuple[str, ...]:
        """The largest differences that the data show, or that they show none."""
        shown = sorted((pair for pair in self.pairs if pair.shown), key=lambda pair: pair.p)
        told = [compared(pair, self.name, len(self.pairs)) for pair in shown[:3]]
        if len(shown) > 3:
            told.append(f"{len(shown) - 3:,} more of the {len(self.pairs):,} pairs differ (see the table).")
        rest = [f"{pair.second} from {pair.first}" for pair in self.pairs if not pair.shown]
        if rest:
            told.append(f"By their mean {self.name} these data cannot tell {short(rest, 6, 'or')}.")
        return tuple(told)

    def grids(self) -> tuple[Grid, ...]:
        """A row for each pair."""
        columns = ("pair", "difference", "low", "high", "se", "df", "p (adjusted)")
        rows = tuple(_row(pair) for pair in self.pairs)
        return (Grid(f"Pairs of {self.by}: {self.name}", columns, rows, self.method),)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {**plain(self), "sentences": list(self.sentences())}


def _row(pair: Pair) -> tuple[Cell, ...]:
    ends = ends_of(pair.difference.interval)
    return (f"{pair.second} - {pair.first}", pair.difference.value, *ends, pair.error, pair.df, pair.p)


def compared(pair: Pair, name: str, pairs: int = 2) -> str:
    """The difference of two groups in a sentence, the higher one first."""
    value, both, unit = pair.difference.value, pair.difference.interval, pair.difference.unit
    high, low = (pair.second, pair.first) if value >= 0 else (pair.first, pair.second)
    turned = both if both is None or value >= 0 else both.turned
    p = chance(pair.p) + (" adjusted for all pairs" if pairs > 1 else "")
    sure = f" ({within(turned, unit)}, {p})" if turned else ""
    if not pair.shown:
        apart = f"{amount(abs(value), unit)} apart{sure}"
        return f"These data cannot tell whether mean {name} is higher in {high} or in {low}: {apart}."
    return f"Mean {name} is {amount(abs(value), unit)} higher in {high} than in {low}{sure}."


def tukey(
    values: Shaped[np.ndarray, "N"],
    groups: Labels,
    *,
    name: str = "value",
    unit: str = "",
    by: str = "group",
    unequal: bool = False,
    level: float = LEVEL,
) -> Pairs:
    """Every group against every other. `unequal`: each group has its own sd (Games-Howell), else one for all."""
    array = outcome(values, name, 3)
    kinds = factor(groups, by, len(array))
    return of_groups(split(array, kinds), kinds.levels, name, unit, by, unequal, level)


def of_groups(
    samples: tuple[Row, ...],
    levels: tuple[str, ...],
    name: str,
    unit: str,
    by: str,
    unequal: bool,
    level: float,
) -> Pairs:
    """The same, of values that stand apart by group already."""
    if len(samples) > MOST:
        given = f"{len(samples):,} groups in {by}"
        raise DataError(given, f"{MOST} at most for all pairs", "fewer groups, or the analysis of variance alone")
    told = described(samples, levels, level)
    errors, df = _errors(samples, levels, by, unequal)
    means = np.array([group.mean for group in told])
    places = list(combinations(range(len(samples)), 2))
    chances = _chances(np.array([abs(means[b] - means[a]) for a, b in places]) / errors, len(samples), df)
    pairs = []
    for place, (a, b) in enumerate(places):
        half = critical(level, len(samples), float(df[place])) * float(errors[place])
        value = float(means[b] - means[a])
        difference = Estimate(
            f"{levels[b]} minus {levels[a]}", value, Interval(value - half, value + half, level), unit
        )
        pairs.append(Pair(levels[a], levels[b], difference, float(errors[place]), float(df[place]), chances[place]))
    method = "Games-Howell: each group its own sd" if unequal else "Tukey-Kramer: one sd for all groups"
    return Pairs(name, unit, by, method, told, tuple(pairs))


def described(samples: tuple[Row, ...], levels: tuple[str, ...], level: float) -> tuple[Group, ...]:
    """Each group by itself."""
    groups = []
    for name, sample in zip(levels, samples, strict=True):
        n, mean = len(sample), float(sample[0] + (sample - sample[0]).mean())  # shifted: no digits lost far from 0
        sd = float((sample - sample[0]).std(ddof=1)) if n > 1 else None
        groups.append(Group(name, n, mean, sd, student(mean, sd / n**0.5, n - 1, level) if sd is not None else None))
    return tuple(groups)


def _errors(
    samples: tuple[Row, ...], levels: tuple[str, ...], by: str, unequal: bool
) -> tuple[Float[np.ndarray, "P"], Float[np.ndarray, "P"]]:
    """Standard error and degrees of freedom of each pair's difference."""
    sizes = np.array([len(sample) for sample in samples], dtype=np.float64)
    first, second = np.triu_indices(len(samples), 1)
    squares = np.array(
        [float(((sample - sample.mean()) ** 2).sum()) if not flat(sample) else 0.0 for sample in samples]
    )
    if not unequal:
        df = float(sizes.sum()) - len(samples)
        if df < 1 or not squares.any():
            raise no_spread(levels, by)
        pooled = squares.sum() / df
        return np.sqrt(pooled * (1 / sizes[first] + 1 / sizes[second])), np.full(len(first), df)
    own_spread(samples, levels, by)
    parts = squares / (sizes - 1) / sizes  # (K,) variance of each mean
    both = parts[first] + parts[second]
    df_each = both**2 / (parts[first] ** 2 / (sizes[first] - 1) + parts[second] ** 2 / (sizes[second] - 1))
    return np.sqrt(both), df_each


def no_spread(levels: tuple[str, ...], by: str) -> DataError:
    """No value differs from the others of its group."""
    given = f"no two values that differ within any of the {len(levels)} groups of {by}"
    return DataError(given, "several values in a group, to measure chance by", "the table of means, which tells all")


def own_spread(samples: tuple[Row, ...], levels: tuple[str, ...], by: str) -> None:
    """Refuse groups without a spread of their own, where each needs one."""
    bad = [name for name, sample in zip(levels, samples, strict=True) if len(sample) < 2 or flat(sample)]
    if bad:
        given = f"no two values that differ in {short(bad)} of {by}"
        raise DataError(given, "values that differ in each group, as each has its own sd", "leaving such groups out")


def critical(level: float, groups: int, df: float) -> float:
    """What a difference is in standard errors of it that this share of families keeps below."""
    if groups == 2:  # the range of two is Student's t
        return float(stdtrit(df, (1 + level) / 2))
    return studentized.critical(level, groups, df) / 2**0.5


def _chances(distances: Float[np.ndarray, "P"], groups: int, df: Float[np.ndarray, "P"]) -> list[float]:
    """How often the largest of so many differences would be as many standard errors, if no group differed."""
    if groups == 2:
        return [float(2 * stdtr(df[0], -distances[0]))]
    pairs = zip(distances.tolist(), df.tolist(), strict=True)
    return [studentized.beyond(distance * 2**0.5, groups, known) for distance, known in pairs]
