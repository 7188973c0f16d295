"""Where a monotone function meets a level, by halving: limits of intervals, numbers of items, detectable effects.

Slower than Brent's method and never astray: the functions here are cheap, and some are flat at their ends.
"""

from collections.abc import Callable
from math import isnan

HALVINGS = 200
"""Enough to walk from 1e30 down to the last bit."""
WIDEST = 1e15
"""Where the search for a high enough end gives up."""


def crossing(function: Callable[[float], float], low: float, high: float, level: float = 0.0) -> float:
    """The place between low and high; the nearer end where the level is not met between them."""
    rises = function(high) > function(low)
    for _ in range(HALVINGS):
        middle = low + (high - low) / 2
        if middle in (low, high):
            break
        if (function(middle) < level) == rises:
            low = middle
        else:
            high = middle
    return low + (high - low) / 2


def first(holds: Callable[[int], bool], low: int, high: int) -> int:
    """The least whole number above low for which it holds, and from there on; it does for high."""
    while high - low > 1:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle
    return high


def upwards(function: Callable[[float], float], low: float, level: float) -> float:
    """The place above low where a rising function meets the level, however far; infinite where it never does."""
    high = max(2 * low, 1.0)
    while (value := function(high)) < level:
        if high > WIDEST or isnan(value):
            return float("inf")
        high *= 2
    return crossing(function, low, high, level)
