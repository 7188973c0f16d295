"""How a comparison is told: one plain sentence with its size and interval, in the names and the unit of the data.

    apart     of two groups: who is higher, by how much; or that the data cannot tell, and what they could have shown
    against   of one sample and a value: the same
    tested    the tests behind it as a table, with their null hypothesis and why these
    granted   what the method takes for granted as a table; `doubts` of it what does not hold, as sentences

A sentence claims a difference only where the interval leaves out what the null hypothesis says, and the test agrees.
"""

from math import inf, isfinite

from seqwise.stats.phrases import alike, amount, ends, number
from seqwise.stats.results import Cell, Estimate, Grid, Interval, Test, ends_of

ANSWERS = {True: "yes", False: "no", None: "cannot tell"}


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
    both = effect.interval or Interval(-inf, inf)
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
    both = effect.interval or Interval(-inf, inf)
    unit = f" {effect.unit}" if effect.unit else ""
    mean, *limits = alike(effect.value + value, both.low + value, both.high + value, digits=4)
    place = f"{mean}{unit} ({ends(both.level, *limits)})"
    if found and 0 not in both:
        side = "above" if effect.value > 0 else "below"
        return f"The mean of {name} is {place}, {side} {number(value, 8)}{unit}."
    return f"The data cannot tell the mean of {name}, {place}, from {number(value, 8)}{unit}{could(detectable)}."


def tested(*tests: Test | None) -> Grid:
    """The tests, a row each; the note is of the first."""
    heads = ("test", "statistic", "df", "p", "effect", "value", "low", "high", "effect size", "its value")
    there = [test for test in tests if test is not None]
    first = there[0]
    return Grid("Tests", heads, tuple(map(_row, there)), f"H0: {first.null}. {first.why[:1].upper()}{first.why[1:]}")


def _row(test: Test) -> tuple[Cell, ...]:
    size, df = test.size, ", ".join(map(number, test.df)) or None
    told = (size.name, size.value) if size else (None, None)
    start = (f"{test.name}, {test.symbol}", test.statistic, df, test.p)
    return (*start, test.effect.name, test.effect.value, *ends_of(test.effect.interval), *told)


def granted(test: Test) -> Grid:
    """What the method takes for granted, and whether it holds."""
    rows = tuple((held.name, ANSWERS[held.holds], held.told) for held in test.assumptions)
    return Grid("What is taken for granted", ("what", "holds", "how it looks"), rows)


def doubts(test: Test) -> tuple[str, ...]:
    """What does not hold of that."""
    return tuple(f"Doubtful, {held.name}: {held.told}" for held in test.assumptions if held.holds is False)
