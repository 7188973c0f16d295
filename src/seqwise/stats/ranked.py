"""Quantiles of a sample and how sure they are, without a word on the shape of the data: order statistics alone.

The quantile p stands at rank p (n + 1) of the values in order (Hyndman and Fan 1996, type 6; CLSI EP28). How many of n
values lie below the true one is binomial, so the values at two ranks hold it between them with a known chance (Hahn and
Meeker 1991, 5.2). With few values far out there is no such rank, and that end of the interval is infinite.

Left out: ties, which make the interval hold more often than it says; weights.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import special

from seqwise.errors import ConfigError
from seqwise.stats.results import LEVEL, Interval

# N values


@dataclass(frozen=True)
class Ranks:
    """Two ranks, counted from 1, whose values hold a quantile between them; 0 and n + 1 stand for no end."""

    low: int
    high: int
    level: float
    """Asked for; they hold at least as often."""


def ranks(n: int, p: float, level: float = LEVEL) -> Ranks:
    """The innermost ranks of n values that hold the quantile p, the error shared by both sides."""
    if not (0 < p < 1 and 0 < level < 1):
        raise ConfigError(f"p={p}, level={level}", "chances between 0 and 1", "p=0.975, level=0.95")
    side = (1 - level) / 2
    counts = np.arange(n + 1)
    below = special.bdtr(counts, n, p)  # (N + 1,): the chance of at most so many below the quantile
    low = int(np.searchsorted(below, side, side="right"))  # the largest rank r with P(fewer than r below) <= side
    upper = special.bdtrc(counts, n, p)  # of more than so many
    high = int(np.argmax(upper <= side)) + 1  # the smallest rank s with P(s or more below) <= side
    return Ranks(low, high, level)


def quantile(ordered: Float[np.ndarray, "N"], p: float) -> float:
    """The value at rank p (n + 1), between neighbours in proportion; the outermost where there is no such rank."""
    place = min(max(p * (len(ordered) + 1), 1.0), float(len(ordered)))
    low = math.floor(place)
    value, above = float(ordered[low - 1]), float(ordered[min(low, len(ordered) - 1)])
    return value + (place - low) * (above - value)


def quantile_interval(ordered: Float[np.ndarray, "N"], p: float, level: float = LEVEL) -> Interval:
    """Where the population's quantile lies, whatever its shape."""
    n = len(ordered)
    found = ranks(n, p, level)
    low = float(ordered[found.low - 1]) if found.low >= 1 else -math.inf
    return Interval(low, float(ordered[found.high - 1]) if found.high <= n else math.inf, level)
