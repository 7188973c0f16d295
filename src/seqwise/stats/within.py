"""The short-term sd: how much items vary that are made next to each other, whatever happens in the long run.

    moving_range   of single values in the order of time: mean distance of neighbours / d2(2)
    ranges         of subgroups: their ranges / d2
    sds            of subgroups: their sds / c4
    pooled         of subgroups: root of the pooled variance
    overall        of all values, order and subgroups ignored: the long-term sd, to compare with

d2, d3 and c4 are computed for any size of subgroup, as tables end at 25: d2 and d3 are mean and sd of the range of n
standard normal values, c4 the mean of their sd. Subgroups of several sizes are weighted so that the estimate varies
least (Burr 1976). How sure an sd is: as sure as a chi distribution of so many degrees of freedom that its coefficient
of variation is the estimate's (Patnaik 1950), solved exactly.

Left out: moving ranges over more than two values, medians of ranges.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import gammaln, gdtrix, ndtr

from seqwise.stats.results import LEVEL, Interval
from seqwise.stats.samples import Row

NEIGHBOUR_SHARE = (2 / math.pi) * (math.sqrt(0.75) + math.asin(0.5) / 2)  # E|XY| of normal X, Y, correlation -1/2
FAR = 9.0  # sds: beyond them lies nothing that a double would see


@dataclass(frozen=True)
class Within:
    """An sd, how it was found and how sure it is."""

    value: float
    df: float
    """Degrees of freedom, as a chi distribution has them."""
    method: str
    """Reads on after "sd by"."""
    unbiased: bool = True
    """Whether its mean is the sd; the root of a variance is a little too small."""

    def interval(self, level: float = LEVEL) -> Interval:
        """Of the true sd, if the values are normal and independent."""
        tail = (1 - level) / 2
        size = self.value * math.sqrt(self.df) * (c4(self.df + 1) if self.unbiased else 1.0)
        low, high = (size / math.sqrt(chi_square(share, self.df)) for share in (1 - tail, tail))
        return Interval(low, high, level)


def chi_square(share: float, df: float) -> float:
    """The quantile of the chi-square distribution."""
    return float(gdtrix(0.5, df / 2, share))


def c4(n: float) -> float:
    """Mean of the sd of n standard normal values."""
    if n > 1000:  # where the difference of two large numbers would lose digits
        m = 1 / (n - 1)
        return 1 - m / 4 + m * m / 32 + 5 * m**3 / 128
    return math.sqrt(2 / (n - 1)) * math.exp(float(gammaln(n / 2) - gammaln((n - 1) / 2)))


@lru_cache(maxsize=256)
def range_moments(n: int) -> tuple[float, float]:
    """d2 and d3: mean and sd of the range of n standard normal values.

    P(range <= w) = n ∫ pdf(x) (cdf(x + w) - cdf(x))^(n - 1) dx, and the moments are integrals of what is missing to 1.
    """
    nodes, weights = np.polynomial.legendre.leggauss(160)
    w = FAR * (nodes + 1)  # (W,) from 0 to 18
    x = np.linspace(-FAR, FAR, 721)  # (X,) of the smallest value
    density = np.exp(-x * x / 2) / math.sqrt(2 * math.pi)
    between = ndtr(x[:, None] + w) - ndtr(x)[:, None]  # (X, W)
    beyond = 1 - n * (x[1] - x[0]) * (density @ between ** (n - 1))  # (W,)
    mean = float(FAR * weights @ beyond)
    square = float(FAR * weights @ (2 * w * beyond))
    return mean, math.sqrt(square - mean * mean)


def moving_range(values: Row) -> Within:
    """From neighbours in time; 60 % as sure as the overall sd where nothing changes, and untouched by what does."""
    ranges = np.abs(np.diff(values))
    m, d2 = len(ranges), 2 / math.sqrt(math.pi)
    alone, shared = 2 * (1 - 2 / math.pi), 2 * NEIGHBOUR_SHARE - d2 * d2  # variance of a range, with its neighbour
    spread = (m * alone + 2 * (m - 1) * shared) / (m * d2) ** 2
    return Within(float(ranges.mean()) / d2, degrees(spread), "moving ranges")


def ranges(groups: Sequence[Row]) -> Within:
    """From the ranges of subgroups: nearly as sure as their sds up to five values, worse beyond ten."""
    moments = [range_moments(len(group)) for group in groups]
    found = [(float(np.ptp(group)) / d2, (d3 / d2) ** 2) for group, (d2, d3) in zip(groups, moments, strict=True)]
    return _weighted(found, "ranges within subgroups")


def sds(groups: Sequence[Row]) -> Within:
    """From the sds of subgroups."""
    found = []
    for group in groups:
        mean = c4(len(group))
        found.append((float(group.std(ddof=1)) / mean, (1 - mean * mean) / mean**2))
    return _weighted(found, "sds within subgroups")


def pooled(groups: Sequence[Row]) -> Within:
    """The root of the pooled variance."""
    df = sum(len(group) - 1 for group in groups)
    squares = sum(float(((group - group.mean()) ** 2).sum()) for group in groups)
    return Within(math.sqrt(squares / df), df, "pooled variance of subgroups", unbiased=False)


def overall(values: Row) -> Within:
    """Of all values."""
    return Within(float(values.std(ddof=1)), len(values) - 1, "all values", unbiased=False)


@lru_cache(maxsize=256)
def degrees(spread: float) -> float:
    """Degrees of freedom of the chi distribution whose squared coefficient of variation is `spread`."""
    from scipy.optimize import brentq

    def excess(log: float) -> float:
        return 1 / c4(math.exp(log) + 1) ** 2 - 1 - spread

    return float(math.exp(brentq(excess, math.log(0.1), math.log(1e9), xtol=1e-12)))


def _weighted(found: Sequence[tuple[float, float]], method: str) -> Within:
    """Estimates weighted by how sure each is."""
    sure = [1 / spread for _, spread in found]
    value = sum(weight * one for weight, (one, _) in zip(sure, found, strict=True)) / sum(sure)
    return Within(value, degrees(1 / sum(sure)), method)
