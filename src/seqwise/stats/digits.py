"""How many digits a number needs in a sentence, so that it can be told from its neighbours.

Three digits of 299.852 and 299.931 read 300 and 300. What counts is how far the numbers of a sentence lie apart.
"""

import math

from seqwise.stats.results import Interval, number

MOST = 12  # beyond them stands rounding


def apart(*values: float, least: int = 3) -> int:
    """Significant digits with which the farthest two of these differ in at least `least` of them."""
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return least
    far, size = max(finite) - min(finite), max(abs(value) for value in finite)
    if far <= 0 or size <= far:
        return least
    return min(MOST, least + math.floor(math.log10(size)) - math.floor(math.log10(far)))


def amount(value: float, unit: str = "", digits: int = 3) -> str:
    """A number with its unit."""
    return f"{number(value, digits)} {unit}".strip()


def between(interval: Interval, unit: str = "", digits: int | None = None) -> str:
    """An interval with how sure it is, in as many digits as tell its ends apart."""
    shown = apart(interval.low, interval.high) if digits is None else digits
    level = f"{number(100 * interval.level)} % interval"
    return f"{level} {number(interval.low, shown)} to {amount(interval.high, unit, shown)}"


def percent(share: float) -> str:
    """A share of 1 in points of a hundred; never 0 or 100 where it is not."""
    value = 100 * share
    if 0 < value < 0.05:
        return "under 0.1 %"
    if 99.95 < value < 100:
        return "over 99.9 %"
    return f"{number(value, 3)} %"


def counted(count: int, word: str) -> str:
    """1 point, 2 points."""
    return f"{count:,} {word}{'s' * (count != 1)}"
