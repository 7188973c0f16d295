"""Right or wrong by clusters or by several seeds: Tango's score statistic on as many items as these are worth.

    Flips        of clusters, in effective numbers
    Single       the same items, as they are told where they stand alone
    SeedFlips    of several seeds, whose own luck stands beside that of the items

Where few clusters hold a flip, the spread of their means comes out too small together with the mean, and Student's t of
clusters errs: at a margin of 5 points that 10 % of the items could make, with 10 clusters it rules the loss out in 16 %
of worlds in place of 5. The score statistic takes the spread that the margin itself would make; flips and items are
divided by the design effect (Kish 1965; Rao and Scott 1992, Biometrics 48, 577), the square of CR2's error over that of
single items, and Student's t of the clusters stands in for the normal. By luck this effect comes out below 1. Items of
a cluster are not less alike than others, so that p is never below that of single items, as these are told by themselves
(McNemar's mid-p; of few by their own distribution): the larger of both, as both have to refuse (Berger 1982,
Technometrics 24, 295). An effect of 1 at least, held to t of the clusters as well, would be cautious twice, as it is of
few studies (Roever, Knapp and Friede 2015, BMC Medical Research Methodology 15, 99): of 5 clusters of 10 whose items
are not alike and half of which change it finds a gain of 30 points in 42 % of worlds, and the larger p in 56. Where
clusters have no spread it is not known how alike their items are: they are taken to be so with a correlation of 0.1,
and where all items of each cluster do the same, a cluster counts as one item. Flips that were not seen, of which a
difference would have made more, are taken to be as much alike at least: of 5 documents with 200 items each, one that
loses half of its items is missing in 95 worlds of 100.

Of several seeds the same holds of the items' part of the error: where few items were lost for good, it comes out too
small together with the loss, and with 200 items and 5 seeds a loss of 1 point, three quarters of it for good, was ruled
out in 19 % of worlds in place of 5. What Tango's variance at a difference has over that at the one seen is added to
the items' part, as if it were all for good; p is never below that of the error as it was seen. Of seeds that are all
alike it is Tango's test again, and where nothing flipped too.

What is detectable is asked of this very test. In units of CR2's error at a difference D it refuses from x on, where
x² (1 - x² error² / changed) = critical², as the spread under no difference is the larger one. From there the noncentral
t reaches to power, with one thing mended: flips that mostly go one way are skewed, so that mean and spread rise and
fall together (their covariance is the third cumulant over n, Johnson 1978, Journal of the American Statistical
Association 73, 536), and a mean is less often too small for its spread. By the plain noncentral t 30 clusters find in
82 to 84 % what should be found in 80; by this in 81 to 82 %. Skewness of clusters is that of flips which follow their
cluster with such a chance, the root of the intraclass correlation, that pairs of them are as alike as the design effect
says.
"""

from dataclasses import dataclass, replace
from math import inf, sqrt

import numpy as np
from jaxtyping import Int
from scipy.special import ndtri, stdtr, stdtrit

from seqwise.stats.crossing import crossing
from seqwise.stats.fewpairs import FEW
from seqwise.stats.power import POWER, beyond, flips_effect
from seqwise.stats.proportions import (
    mcnemar,
    none_seen,
    paired_above,
    paired_interval,
    tango_statistic,
    tango_variance,
)
from seqwise.stats.results import LEVEL, Interval
from seqwise.verdict.aligned import Aligned
from seqwise.verdict.clusters import ALIKE, cluster_error, freedom, jackknife_error, pseudovalues
from seqwise.verdict.seeds import Chance, Crossed


@dataclass(frozen=True)
class Single:
    """Items as if they stood alone, by what is told of such; points of a hundred."""

    gained: int
    lost: int
    n: int

    @property
    def error(self) -> float:
        """Standard error of the difference, if there is none; that of a single flip where nothing flips."""
        return 100 * sqrt(max(1, self.gained + self.lost)) / self.n

    def p(self) -> float:
        """Two-sided, that there is no difference."""
        return mcnemar(self.gained, self.lost)

    def above(self, difference: float) -> float:
        """One-sided, that the difference is this one or less."""
        return paired_above(self.gained, self.lost, self.n, min(1.0, max(-1.0, difference / 100)))

    def interval(self, level: float = LEVEL) -> Interval:
        """The differences that neither side refuses."""
        return paired_interval(self.gained, self.lost, self.n, level).hundredfold

    def detectable(self, level: float = LEVEL) -> float:
        """The smallest difference that is found four times in five; infinite where none is."""
        return 100 * flips_effect(self.n, (self.gained + self.lost) / self.n, level=level)

    def unflipped(self, level: float = LEVEL) -> float:
        """The margin that so many items rule out if none flips."""
        square = float(ndtri(level)) ** 2
        return 100 * (none_seen(self.n, level) if self.n <= FEW else square / (self.n + square))


@dataclass(frozen=True)
class Flips:
    """Effective numbers: none of them need be whole."""

    gained: float
    lost: float
    n: float
    df: float
    effect: float
    """The design effect."""
    skewness: float
    """Of the mean of all items, where that of a single one is 1."""
    unseen: float = 1.0
    """How many times the design effect is that of flips which a difference would make and which were not seen."""

    @property
    def single(self) -> Single:
        """As if items stood alone, which the clusters are never surer than."""
        return Single(*(round(one * self.effect) for one in (self.gained, self.lost, self.n)))

    @classmethod
    def of(cls, data: Aligned, chance: Chance) -> "Flips":
        """From the error of the clusters."""
        base, tuned = data.base[0].values, data.tuned[0].values
        naive = jackknife_error(pseudovalues(data.measure, base, tuned, None))
        return cls._worth(data, (chance.error / naive) ** 2, chance.df)

    @classmethod
    def level(cls, data: Aligned) -> "Flips":
        """Of clusters without a spread, or of items of which none flips."""
        base, tuned = (side[0].values for side in (data.base, data.tuned))
        agree = bool(np.any(base != tuned)) and not np.ptp(pseudovalues(data.measure, base, tuned, None))
        return cls._worth(data, design(data.sizes, 1.0 if agree else ALIKE), freedom(data.sizes))

    @classmethod
    def _worth(cls, data: Aligned, effect: float, df: float) -> "Flips":
        gained, lost = (one / effect for one in data.flips)
        unseen = max(1.0, design(data.sizes, ALIKE) / effect)
        return cls(gained, lost, data.items / effect, df, effect, _skewness(data.sizes, effect), unseen)

    @property
    def error(self) -> float:
        """Standard error of the difference in points, if there is none; that of a single flip where nothing flips."""
        return 100 * sqrt(max(1.0, self.gained + self.lost)) / self.n

    @property
    def turned(self) -> "Flips":
        """Where what is counted are errors."""
        return replace(self, gained=self.lost, lost=self.gained)

    def times(self, many: float) -> "Flips":
        """So many times as many clusters like these."""
        return replace(
            self,
            gained=self.gained * many,
            lost=self.lost * many,
            n=self.n * many,
            df=self.df * many,
            skewness=self.skewness / sqrt(many),
        )

    def found(self, difference: float, level: float = LEVEL) -> float:
        """How often such a difference, in points, is found by the clusters."""
        share = difference / 100
        changed = max((self.gained + self.lost) / self.n, share)
        return self._found(share, changed, float(stdtrit(self.df, (1 + level) / 2)))

    def t(self, difference: float = 0.0) -> float:
        """The statistic, if the true difference, in points, is this one."""
        plain = tango_statistic(self.gained, self.lost, self.n, difference / 100)
        if self.unseen == 1 or not plain:
            return plain
        seen, asked = (
            tango_variance(self.gained, self.lost, self.n, one)
            for one in ((self.gained - self.lost) / self.n, difference / 100)
        )
        return plain / sqrt(1 + (self.unseen - 1) * max(0.0, 1 - seen / asked)) if asked > 0 else plain

    def p(self) -> float:
        """Two-sided, that there is no difference."""
        return max(self.by_clusters, self.single.p())

    @property
    def by_clusters(self) -> float:
        """The same by the clusters alone."""
        return min(1.0, 2 * float(stdtr(self.df, -abs(self.t()))))

    def above(self, difference: float) -> float:
        """One-sided, that the difference is this one or less."""
        return max(float(stdtr(self.df, -self.t(difference))), self.single.above(difference))

    def interval(self, level: float = LEVEL) -> Interval:
        """The differences that the test does not refuse, in points."""
        critical = float(stdtrit(self.df, (1 + level) / 2))
        middle = 100 * (self.gained - self.lost) / self.n
        low, high = crossing(self.t, -100.0, middle, critical), crossing(self.t, middle, 100.0, -critical)
        least = self.single.interval(level)
        return Interval(min(low, least.low), max(high, least.high), level)

    def detectable(self, level: float = LEVEL) -> float:
        """The smallest difference, in points, that is found four times in five; infinite where none is."""
        changed, critical = (self.gained + self.lost) / self.n, float(stdtrit(self.df, (1 + level) / 2))
        if not changed:
            return inf

        def found(difference: float) -> float:
            return self._found(difference, changed, critical)

        least = 100 * crossing(found, 0.0, changed, POWER) if found(changed) >= POWER else inf
        return max(least, self.single.detectable(level))

    def _found(self, difference: float, changed: float, critical: float) -> float:
        """How often such a difference is found, as a share of 1, by the spread that it makes itself."""
        variance = changed - difference**2  # of one flip
        if variance <= 0:  # all items go one way
            return float(difference * sqrt(self.n) > critical)
        error = sqrt(variance / self.n)
        part = error**2 / changed
        room = 1 - 4 * part * critical**2
        if room < 0:
            return 0.0
        edge = sqrt((1 - sqrt(room)) / (2 * part))
        third = difference - 3 * difference * changed + 2 * difference**3
        skewed = edge * self.skewness * third / variance**1.5
        spread = 1 + edge**2 / (2 * self.df)
        less = sqrt(spread) - sqrt(max(0.0, spread - skewed))
        return beyond(edge, self.df, difference / error + float(ndtri(POWER)) * less, sides=1)


@dataclass(frozen=True)
class SeedFlips:
    """Of several seeds; means over them."""

    gained: float
    lost: float
    n: float
    effect: float
    """The design effect of clusters, at least the usual one; 1 of items that stand alone."""
    chance: Chance
    """Of the difference in points, as it was seen."""

    @classmethod
    def of(cls, data: Aligned, luck: Crossed) -> "SeedFlips":
        """From the parts of the error."""
        gained, lost = data.flips
        return cls(gained, lost, data.items, _worth(data), luck.chance)

    @property
    def value(self) -> float:
        """The difference, in points."""
        return 100 * (self.gained - self.lost) / self.n

    @property
    def turned(self) -> "SeedFlips":
        """Where what is counted are errors."""
        return replace(self, gained=self.lost, lost=self.gained)

    def at(self, difference: float) -> Chance:
        """How far luck would carry it, if the true difference, in points, were this one."""
        seen, asked = (tango_variance(self.gained, self.lost, self.n, one / 100) for one in (self.value, difference))
        more = max(0.0, asked - seen) * self.effect * (100 / self.n) ** 2
        chance, (own, (lasting, units)) = self.chance, self.chance.parts
        alone = (chance.alone[0] + more, chance.alone[1]) if chance.alone else None
        return Chance(sqrt(chance.error**2 + more), chance.df, (own, (lasting + more, units)), alone)

    def t(self, difference: float = 0.0) -> float:
        """The statistic, if the true difference, in points, is this one."""
        return (self.value - difference) / self.at(difference).error

    def above(self, difference: float) -> float:
        """One-sided, that the difference is this one or less."""
        away = self.value - difference
        return max(one.above(away / one.error) for one in (self.at(difference), self.chance))


def _worth(data: Aligned) -> float:
    """What the clusters' part of the variance is over that of single items, of means over the seeds; at least as is
    usual."""
    if data.codes is None:
        return 1.0
    before, after = (np.mean([one.values for one in side], axis=0) for side in (data.base, data.tuned))
    alone = jackknife_error(pseudovalues(data.measure, before, after, None))
    together = cluster_error(pseudovalues(data.measure, before, after, data.codes), data.sizes)
    return max(design(data.sizes, ALIKE), (together / alone) ** 2 if alone else 0.0)


def design(sizes: Int[np.ndarray, "G"], alike: float) -> float:
    """Kish's design effect of clusters whose items are alike by so much."""
    n = sizes.astype(np.float64)
    return 1 + alike * (float((n * n).sum() / n.sum()) - 1)


def _skewness(sizes: Int[np.ndarray, "G"], effect: float) -> float:
    """A cluster's n items, of which a pair is alike by r and three by r^1.5, together have the variance
    n (1 + (n - 1) r) and the third cumulant n (1 + 3 (n - 1) r + (n - 1) (n - 2) r^1.5) times those of one."""
    n = sizes.astype(np.float64)
    r = min(1.0, max(0.0, effect - 1) / (float((n * n).sum() / n.sum()) - 1))
    third = n * (1 + 3 * (n - 1) * r + (n - 1) * (n - 2) * r**1.5)
    spread: float = float((n * (1 + (n - 1) * r)).sum()) ** 1.5
    return float(third.sum()) / spread
