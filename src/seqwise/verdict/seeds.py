"""Seeds and items at once: training's luck and the items' luck, both in one error.

    chance    how far luck carries a difference: its error, parts and degrees of freedom; p, interval, what is found
    crossed   of a table of differences, seeds x units, or of two whose seeds are no pairs

    Var = (MS_seed + MS_item - MS_err) / (S I)        parts: v_seed + v_item - v_err
    df  = (v_seed + v_item - v_err)² / (v_seed² / (S - 1) + v_item² / (I - 1) + v_err² / ((S - 1) (I - 1)))

that is Satterthwaite's. To average over the seeds and test the items, or the other way round, answers a narrower
question. With three seeds Satterthwaite's t is too sure where seeds matter as much as items: in simulations it rejects
7.6 % at 5 %, with two seeds 12. Behrens and Fisher's sum of two independent t's, sqrt(v_seed) t(S - 1) +
sqrt(v_item - v_err) t(I - 1), errs on the other side: 2.4 %, so that its 95 % interval holds the truth in 97.6 %.
Between them lies the posterior by the prior of Ghosh and Kim (2001, Canadian Journal of Statistics 29, 5), the one
whose intervals cover what they say up to the second order: Behrens and Fisher's weighted by 1 / variance of either
part, which is a mixture of two such sums. Of very few degrees of freedom that order is not enough (two seeds: up to
10 %), so that p and interval take the share 1 - 1 / (the lesser degrees of freedom) of Ghosh and Kim's and the rest of
Behrens and Fisher's: nothing of it with two seeds, half with three, three quarters with five. Rejected of 20,000 worlds
without a difference, whatever share of luck is training's, with 30 and 200 items: at most 4.8 % with 2 seeds, 5.1 with
3, 5.4 with 5. Where the items' part is no more than v_err and the seeds' is, all luck is training's, with S - 1 degrees
of freedom.

Seeds whose means come out alike are so by luck where single items differ between them; v_seed + v_item - v_err would
then be next to nothing, or nothing. Whatever training's luck is, the error is not below what the items alone make, by
v_item or, where that is more, v_err: p is the larger of both tests', as both have to refuse (Berger 1982, Technometrics
24, 295). Where 1 % of 200 items flip in one seed or another, 2 seeds then reject 1.1 % in place of 10.5, 3 seeds 0.8 in
place of 3.7, 5 seeds 1.6 in place of 4.4. An error of the items' size at least, within the sum of both t's, would be
cautious twice: of 3 seeds, 200 items right or wrong, its 95 % interval covers 96.9 to 97.0 % (8,000 worlds).

Left out: seeds that saw different data each (folds).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import sqrt

import numpy as np
from jaxtyping import Float
from scipy.special import ndtr, stdtr, stdtrit

from seqwise.stats.power import shift_beyond
from seqwise.stats.results import LEVEL, Interval

# S seeds, U units (items or clusters), P nodes

Table = Float[np.ndarray, "S U"]
Part = tuple[float, float]
"""A variance, and the degrees of freedom that it is known by."""

REACH = 8.0  # sds over which the density is summed up
FOUND = "difference found four times in five"
"""What a difference is called that `Chance.detectable` tells."""
NODES = 401  # the sum of so many is right to ten digits


@lru_cache(maxsize=256)
def _places(df: float) -> tuple[Float[np.ndarray, "P"], Float[np.ndarray, "P"]]:
    """Of a normal value at the nodes, its density; and t(df) at the same places, both tails alike. Nothing takes as
    long as its inverse, and one search for a critical value asks for it some ten times."""
    z = np.linspace(-REACH, REACH, NODES)
    return np.exp(-z * z / 2), stdtrit(df, ndtr(-np.abs(z))) * -np.sign(z)


@dataclass(frozen=True)
class Chance:
    """How far luck carries a difference that is nothing."""

    error: float
    """Standard error."""
    df: float
    """As told; Satterthwaite's where there are two parts, and of items where their error alone is the larger."""
    parts: tuple[Part, ...]
    """The variances that add up to error², each with its degrees of freedom: of items; or of seeds, then of items."""
    alone: Part | None = None
    """That of items alone, of several seeds: p is never below theirs, nor error² below it."""

    @classmethod
    def of(cls, error: float, df: float) -> "Chance":
        """Student's."""
        return cls(error, df, ((error * error, df),))

    @property
    def live(self) -> list[Part]:
        """Parts that are any."""
        return [(variance, df) for variance, df in self.parts if variance > 0]

    def above(self, t: float) -> float:
        """One-sided chance of so many errors or more."""
        found = self._together(t * self.error) if self.live else 0.0
        return found if self.alone is None else max(found, _student(t * self.error, self.alone))

    def _together(self, x: float) -> float:
        """By all parts."""
        if len(self.live) == 1:
            return _student(x, self.live[0])
        one, other = self.live
        found, share = behrens_fisher(x, one, other), max(0.0, 1 - 1 / min(one[1], other[1]))
        return found if not share else (1 - share) * found + share * ghosh_kim(x, one, other)

    def by_items(self, value: float) -> bool:
        """Whether p is that of items alone."""
        x = abs(value) or self.error
        return self.alone is not None and (not self.live or _student(x, self.alone) >= self._together(x))

    def p(self, value: float, null: float = 0.0) -> float:
        """Two-sided."""
        return min(1.0, 2 * self.above(abs(value - null) / self.error))

    def critical(self, level: float = LEVEL, sides: int = 2) -> float:
        """Errors beyond which a difference is told from nothing."""
        return _critical(self, (1 - level) / sides)

    def interval(self, value: float, level: float = LEVEL) -> Interval:
        """Two-sided."""
        half = self.critical(level) * self.error
        return Interval(value - half, value + half, level)

    def detectable(self, level: float = LEVEL, sides: int = 2) -> float:
        """What is found four times in five."""
        critical = self.critical(level, sides)
        return shift_beyond(critical, self.df, sides=1) * self.error  # beyond the other side lies next to nothing


def _student(x: float, part: Part) -> float:
    """One-sided chance that sqrt(variance) t(df) lies above x."""
    return float(stdtr(part[1], -x / sqrt(part[0])))


def behrens_fisher(x: float, one: Part, other: Part) -> float:
    """One-sided chance that sqrt(variance) t(df) of both parts together lie above x."""
    weights, middle = _places(one[1])
    found = stdtr(other[1], (sqrt(one[0]) * middle - x) / sqrt(other[0]))
    return float(weights @ found / weights.sum())


def ghosh_kim(x: float, one: Part, other: Part) -> float:
    """The same by the prior that adds 1 / variance of the one part and of the other: each sum has two degrees of
    freedom more for that part, whose variance is the smaller for it, and counts by what the other part makes of both.
    """
    share = other[0] / (one[0] + other[0])
    return share * behrens_fisher(x, _surer(one), other) + (1 - share) * behrens_fisher(x, one, _surer(other))


def _surer(part: Part) -> Part:
    variance, df = part
    return variance * df / (df + 2), df + 2


@lru_cache(maxsize=256)
def _critical(chance: Chance, tail: float) -> float:
    """The interval and what is found both ask for it. By Brent's method, a fifth of the time that halving takes."""
    if chance.alone is None and len(chance.live) == 1:
        return -float(stdtrit(chance.live[0][1], tail))
    from scipy.optimize import brentq  # half a second, which not everybody should wait for

    high = 4.0
    while chance.above(high) > tail:
        high *= 2
    return float(brentq(lambda t: chance.above(t) - tail, 0.0, high, xtol=1e-13, rtol=1e-13))


@dataclass(frozen=True)
class Crossed:
    """Luck by where it comes from, and both together."""

    value: float
    chance: Chance
    seeds: float
    """Variance of the difference that comes from seeds: of their means over all items."""
    items: float
    """The same from items: of their means over all seeds."""
    rest: float
    """What is in both of these, and counted once."""
    sd: float
    """Of the difference over all items, from seed to seed."""

    @property
    def satterthwaite(self) -> float:
        """Two-sided p by Satterthwaite's t."""
        return min(1.0, 2 * float(stdtr(self.chance.df, -abs(self.value) / self.chance.error)))

    @property
    def training(self) -> float:
        """Variance of the difference by training's luck alone."""
        return max(0.0, self.seeds - self.rest)


def crossed(tables: Sequence[Table], value: float, units: float) -> Crossed:
    """tables: differences by seed and unit; the items' part is that of the sum of both tables' means.

    units   degrees of freedom of the items: how many units, less one; fewer for clusters of unequal sizes
    """
    several = [table for table in tables if len(table) > 1]
    means = [table.mean(1) for table in several]  # (S,) each
    own = [float(mean.var(ddof=1)) / len(mean) for mean in means]
    seeds = sum(own)
    df = seeds**2 / sum(v * v / (len(m) - 1) for v, m in zip(own, means, strict=True)) if seeds > 0 else 1.0
    middle = np.sum([table.mean(0) for table in tables], axis=0)  # (U,)
    u = len(middle)
    items = float(middle.var(ddof=1)) / u
    rests = [_rest(table) for table in several]
    rest, degrees = sum(rests), [(len(table) - 1) * units for table in several]
    lasting, alone = max(0.0, items - rest), max(items, rest)
    total = max(seeds + lasting, alone)
    below = seeds**2 / df + items**2 / units + sum(r * r / d for r, d in zip(rests, degrees, strict=True))
    fits = max(min(df, units), min(total * total / below, units + df)) if below > 0 else units
    if alone >= seeds + lasting:
        fits = units
    elif not lasting:
        fits = df
    chance = Chance(sqrt(total), fits, ((seeds, df), (lasting, units)), (alone, units) if alone else None)
    sd = sqrt(float(means[0].var(ddof=1)))
    return Crossed(value, chance, seeds, items, rest, sd)


def _rest(table: Table) -> float:
    """MS_err / (S U)."""
    s, u = table.shape
    away = table - table.mean(0) - table.mean(1, keepdims=True) + table.mean()
    return float(np.square(away).sum()) / float((s - 1) * (u - 1) * s * u)
