"""Numbers as they stand in a sentence: with their unit, their sign told by a word, and their interval.

    amount(9.53, "points")              9.53 points
    percent(0.1776)                     17.8 %
    within(Interval(6.1, 12.9), "cm")   95 % interval 6.1 to 12.9 cm

Left out: languages other than English, and plurals, which stay as the data name them.
"""

import math

from seqwise.stats.results import Estimate, Interval, number


def amount(value: float, unit: str = "", digits: int = 3) -> str:
    """A number with its unit."""
    return f"{number(value, digits)} {unit}".strip()


def percent(share: float, digits: int = 3) -> str:
    """A share of 1 in points of a hundred."""
    value = 100 * share
    if 99.95 <= value < 100:  # "100 %" would be too much said
        return "over 99.9 %"
    if 0 < value < 0.05:
        return "less than 0.1 %"
    return f"{round(value) if value == round(value) else number(value, digits if value >= 1 else 1)} %"


def within(interval: Interval, unit: str = "", digits: int = 3) -> str:
    """An interval, with how sure it is."""
    level = f"{number(100 * interval.level)} % interval"
    if not math.isfinite(interval.high) and math.isfinite(interval.low):
        return f"{level} {amount(interval.low, unit, digits)} or more"
    return f"{level} {number(interval.low, digits)} to {amount(interval.high, unit, digits)}"


def within_shares(interval: Interval | None, test: str = "") -> str:
    """The same of a share of 1, in brackets with the test that goes with it."""
    level = f"{number(100 * interval.level)} % interval " if interval else ""
    ends = f"{level}{percent(interval.low)} to {percent(interval.high)}" if interval else ""
    told = ", ".join(part for part in (ends, test) if part)
    return f" ({told})" if told else ""


def clear(estimate: Estimate, null: float = 0.0) -> bool:
    """Whether the interval leaves the null out."""
    return estimate.interval is not None and null not in estimate.interval


def joined(names: tuple[str, ...] | list[str], last: str = "and") -> str:
    """a, b and c."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {last} {names[-1]}"


def short(names: tuple[str, ...] | list[str], most: int = 3, last: str = "and") -> str:
    """The first of many names, and how many follow."""
    shown = list(names[:most])
    return joined(shown, last) if len(names) <= most else f"{', '.join(shown)} {last} {len(names) - most:,} more"
