"""Words and numbers as they stand in a sentence; what the room says, it says with these.

    number(299.852)                     299.9                           chance(0.0342)      p = 0.0342
    amount(9.53, "points")              9.53 points                     percent(0.1776)     17.8 %
    within(Interval(6.1, 12.9), "cm")   95 % interval 6.1 to 12.9 cm    counted(2, "row")   2 rows
    alike(9.9, 6.6, 13.2)               as many decimals each           joined(["a", "b"])  a and b

`between` is `within` in as many digits as tell the ends apart: three digits of 299.852 and 299.931 read 300 and 300.

Left out: languages other than English. Whole sentences about a comparison stand in `telling.py`.
"""

import math
from collections.abc import Sequence

from seqwise.stats.results import Estimate, Interval, Test

MOST = 12  # digits; beyond them stands rounding


def number(value: float, digits: int = 4) -> str:
    """So many significant digits, thousands set apart, no exponent where none is needed."""
    if not math.isfinite(value):
        return {math.inf: "infinity", -math.inf: "-infinity"}.get(value, "not a number")
    if value == 0:
        return "0"
    size = math.floor(math.log10(abs(value)))
    if not -4 <= size < 12:
        return f"{value:.{digits - 1}e}"
    shown = f"{value:,.{max(0, digits - 1 - size)}f}"
    return shown.rstrip("0").rstrip(".") if "." in shown else shown


def rounded(value: float) -> str:
    """Two digits, none of them beyond the third place, and no -0: of what is nothing where it is small."""
    return number(round(value, 3) or 0.0, 2)


def digits_apart(*values: float, least: int = 3) -> int:
    """Significant digits with which the farthest two of these differ in at least `least` of them."""
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return least
    far, size = max(finite) - min(finite), max(abs(value) for value in finite)
    if far <= 0 or size <= far:
        return least
    return min(MOST, least + math.floor(math.log10(size)) - math.floor(math.log10(far)))


def alike(*values: float, digits: int = 3) -> tuple[str, ...]:
    """Numbers with the same decimals, as many as the largest needs and what is near 0 and is not: 9.9, 6.6, 13.2."""
    largest = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    if not 1e-9 <= largest < 1e12:
        return tuple(number(value, digits) for value in values)
    decimals = max(0, digits - 1 - math.floor(math.log10(largest)))
    most = decimals + 3
    while decimals < most and any(math.isfinite(value) and value and not round(value, decimals) for value in values):
        decimals += 1
    return tuple(_fixed(value, decimals) for value in values)


def _fixed(value: float, decimals: int) -> str:
    if not math.isfinite(value):
        return number(value)
    return f"{round(value, decimals) + 0.0:,.{decimals}f}"  # + 0.0: no -0


def amount(value: float, unit: str = "", digits: int = 3) -> str:
    """A number with its unit."""
    return f"{number(value, digits)} {unit}".strip()


def counted(count: int, word: str) -> str:
    """1 point, 2 points."""
    return f"{count:,} {word}{'s' * (count != 1)}"


def percent(share: float, digits: int = 3, small: int = 1) -> str:
    """A share of 1 in parts of a hundred; never 0 or 100 where it is not. small: digits below 1 %."""
    value = 100 * share
    if 99.95 <= value < 100:  # "100 %" would be too much said
        return "over 99.9 %"
    if 0 < value < 0.05:
        return "under 0.1 %"
    return f"{number(value, digits if value >= 1 else small)} %"


def parts(share: float, digits: int = 3) -> str:
    """The same of shares far out in a tail, which need all their digits: 0.00633 %."""
    return f"{number(100 * share, digits)} %"


def chance(p: float) -> str:
    """A p-value; never 0."""
    return "p < 0.0001" if p < 1e-4 else f"p = {p:.4f}" if p < 0.1 else f"p = {p:.3f}"


def answered(test: Test) -> str:
    """What a test found: F(2, 197) = 21.27, p < 0.0001."""
    df = ", ".join(number(one) for one in test.df)
    return f"{test.symbol}({df}) = {number(test.statistic)}, {chance(test.p)}"


def sure(level: float) -> str:
    """What stands before the ends of an interval."""
    return f"{number(100 * level)} % interval"


def within(interval: Interval, unit: str = "", digits: int = 3) -> str:
    """An interval, with how sure it is."""
    level = sure(interval.level)
    if not math.isfinite(interval.high) and math.isfinite(interval.low):
        return f"{level} {amount(interval.low, unit, digits)} or more"
    return f"{level} {number(interval.low, digits)} to {amount(interval.high, unit, digits)}"


def between(interval: Interval, unit: str = "") -> str:
    """The same in as many digits as tell its ends apart."""
    return within(interval, unit, digits_apart(interval.low, interval.high))


def shares_within(interval: Interval, small: int = 1) -> str:
    """The same of a share of 1, in parts of a hundred."""
    return f"{sure(interval.level)} {percent(interval.low, small=small)} to {percent(interval.high, small=small)}"


def in_brackets(interval: Interval | None, test: str = "") -> str:
    """The interval of a share and the test that goes with it, as far as there are any."""
    told = ", ".join(part for part in (shares_within(interval) if interval else "", test) if part)
    return f" ({told})" if told else ""


def ends(level: float, low: str, high: str) -> str:
    """An interval whose numbers are words already, shorter: "95 % 6.6 to 13.2"."""
    return f"{number(100 * level)} % {low} to {high}"


def clear(estimate: Estimate, null: float = 0.0) -> bool:
    """Whether the interval leaves the null out."""
    return estimate.interval is not None and null not in estimate.interval


def joined(names: Sequence[str], last: str = "and") -> str:
    """a, b and c."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {last} {names[-1]}"


def short(names: Sequence[str], most: int = 3, last: str = "and") -> str:
    """The first of many names, and how many follow."""
    shown = list(names[:most])
    return joined(shown, last) if len(names) <= most else f"{', '.join(shown)} {last} {len(names) - most:,} more"


def led(name: str, text: str) -> str:
    """The column's name in front, as in the data; a capital letter where it has none."""
    return f"{name}: {text}" if name else text[:1].upper() + text[1:]
