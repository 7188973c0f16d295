"""How a comparison is told: one plain sentence with its size and interval, in the names and the unit of the data.

    apart     of two groups: who is higher, by how much; or that the data cannot tell, and what they could have shown
    against   of one sample and a value: the same

A sentence claims a difference only where the interval leaves out what the null hypothesis says, and the test agrees.
"""

from math import floor, isfinite, log10

from seqwise.stats.phrases import amount
from seqwise.stats.results import Estimate, Interval, number


def alike(*values: float, digits: int = 3) -> tuple[str, ...]:
    """Numbers with the same decimals, as many as the largest needs and what is near 0 and is not: 9.9, 6.6, 13.2."""
    largest = max((abs(value) for value in values if isfinite(value)), default=0.0)
    if not 1e-9 <= largest < 1e12:
        return tuple(number(value, digits) for value in values)
    decimals = max(0, digits - 1 - floor(log10(largest)))
    most = decimals + 3
    while decimals < most and any(isfinite(value) and value and not round(value, decimals) for value in values):
        decimals += 1
    return tuple(_fixed(value, decimals) for value in values)


def _fixed(value: float, decimals: int) -> str:
    if not isfinite(value):
        return number(value)
    return f"{round(value, decimals) + 0.0:,.{decimals}f}"  # + 0.0: no -0


def ends(level: float, low: str, high: str) -> str:
    """An interval in brackets: "95 % 6.6 to 13.2"."""
    return f"{number(100 * level)} % {low} to {high}"


def apart(
    names: tuple[str, str],
    what: str,
    effect: Estimate,
    *,
    found: bool,
    method: str = "",
    detectable: Estimate | None = None,
) -> str:
    """What can be said of the first group against the second.

    what    the quantity, such as "the mean of write"
    found   whether the test refuses the null hypothesis
    """
    first, second = names
    both = effect.interval or Interval(-float("inf"), float("inf"))
    unit, how = f" {effect.unit}" if effect.unit else "", f", {method}" if method else ""
    value, low, high = effect.value, both.low, both.high
    if value < 0:
        first, second, value, low, high = second, first, -value, -high, -low
    size, *limits = alike(value, low, high)
    shown = f"({ends(both.level, *limits)}{how})"
    if found and 0 not in both:
        return f"{what[0].upper()}{what[1:]} is {size}{unit} higher for {first} than for {second} {shown}."
    told = f"difference {size}{unit} {shown}{could(detectable)}"
    return f"The data cannot tell {first} and {second} apart in {what}: {told}."


def could(detectable: Estimate | None) -> str:
    """What would have been found, as the end of a sentence; nothing where it is not known."""
    if detectable is None or not isfinite(detectable.value):
        return ""
    size = amount(detectable.value, detectable.unit)
    return f"; with these numbers a difference of {size} or more would have been found four times in five"


def against(name: str, effect: Estimate, value: float, *, found: bool, detectable: Estimate | None = None) -> str:
    """What can be said of the mean of one sample against a value; the effect is their difference."""
    both = effect.interval or Interval(-float("inf"), float("inf"))
    unit = f" {effect.unit}" if effect.unit else ""
    mean, *limits = alike(effect.value + value, both.low + value, both.high + value, digits=4)
    place = f"{mean}{unit} ({ends(both.level, *limits)})"
    if found and 0 not in both:
        side = "above" if effect.value > 0 else "below"
        return f"The mean of {name} is {place}, {side} {number(value, 8)}{unit}."
    return f"The data cannot tell the mean of {name}, {place}, from {number(value, 8)}{unit}{could(detectable)}."
