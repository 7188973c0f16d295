"""How well chances tell two classes apart, and whether they keep what they promise.

    auc            the chance that a one has the higher value of a pair (one, zero), ties half: Mann and Whitney's U
    calibration    rows in groups of like chances: expected against observed (Hosmer and Lemeshow 1980)

The interval of the AUC goes by DeLong, DeLong and Clarke-Pearson 1988, computed from ranks (Sun and Xu 2014), on the
scale of log odds so that it stays between 0 and 1.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.special import chdtrc, expit, logit, ndtri

from seqwise.errors import DataError
from seqwise.stats.ranks import ranks
from seqwise.stats.results import LEVEL, Estimate, Interval

# N rows, G groups

GROUPS = 10


def auc(y: Float[np.ndarray, "N"], scores: Float[np.ndarray, "N"], level: float = LEVEL) -> Estimate:
    """Area under the ROC curve, with DeLong's interval."""
    ones, zeros = scores[y > 0], scores[y <= 0]
    m, n = len(ones), len(zeros)
    if not m or not n:
        raise DataError(f"{m:,} ones and {n:,} zeros", "some of both", "a file with both classes")
    all_ranks = ranks(np.concatenate([ones, zeros]))
    above = (all_ranks[:m] - ranks(ones)) / n  # (m,) share of zeros below each one
    below = 1 - (all_ranks[m:] - ranks(zeros)) / m  # (n,) share of ones above each zero
    value = float(above.mean())
    if m < 2 or n < 2 or value in (0.0, 1.0):
        return Estimate("AUC", value)
    error = (float(above.var(ddof=1)) / m + float(below.var(ddof=1)) / n) ** 0.5
    if not error:  # all scores the same
        return Estimate("AUC", value)
    half = float(ndtri((1 + level) / 2)) * error / (value * (1 - value))
    middle = float(logit(value))
    return Estimate("AUC", value, Interval(float(expit(middle - half)), float(expit(middle + half)), level))


@dataclass(frozen=True)
class Bin:
    """Rows of like chances."""

    n: int
    expected: float
    """Mean chance told."""
    observed: float
    """Share of ones."""


@dataclass(frozen=True)
class Calibration:
    """Whether of the rows with a chance of 30 % about 30 % are ones."""

    bins: tuple[Bin, ...]
    statistic: float
    df: int
    p: float | None
    """None where there are too few different chances for a test."""


def calibration(y: Float[np.ndarray, "N"], chances: Float[np.ndarray, "N"], groups: int = GROUPS) -> Calibration:
    """Expected and observed shares by tenths of the chances; equal chances stay together."""
    codes = _tenths(chances, groups)
    sizes = np.bincount(codes).astype(np.float64)
    expected, observed = np.bincount(codes, chances), np.bincount(codes, y)
    variance = expected * (1 - expected / sizes)
    bins = tuple(
        Bin(int(n), float(one / n), float(other / n)) for n, one, other in zip(sizes, expected, observed, strict=True)
    )
    statistic = float(((observed - expected) ** 2 / np.maximum(variance, 1e-300)).sum())
    df = len(bins) - 2
    return Calibration(bins, statistic, max(0, df), float(chdtrc(df, statistic)) if df > 0 else None)


def _tenths(chances: Float[np.ndarray, "N"], groups: int) -> Int[np.ndarray, "N"]:
    edges = np.unique(np.quantile(chances, np.linspace(0, 1, groups + 1)[1:-1]))
    codes = np.searchsorted(edges, chances, side="left")
    return np.asarray(np.unique(codes, return_inverse=True)[1].reshape(-1))
