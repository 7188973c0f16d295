"""What a look at normality comes to, in sentences decided by the numbers.

The first says what the values are good for, the next how far they are from normal and where, the last what the tests
found and how much so many values can say. Left out: pictures, which stand on the page.
"""

import math

from seqwise.stats.assumptions import SMALL
from seqwise.stats.departure import FEW, Departure
from seqwise.stats.phrases import amount, chance, digits_apart, joined, led, number, parts, rounded
from seqwise.stats.results import Test

MANY = 5000  # values with which every real sample fails
STEPS = 0.2  # different values by values, below which it is told


def sentences(found: Departure, tests: tuple[Test, ...]) -> tuple[str, ...]:
    """All of it, the most important first."""
    told = [led(found.name, f"{_good_for(found)}{_tail(found)}."), _distance(found), found.bands.told]
    told += [text for text in (_skewed(found), _peaks(found), _steps(found), _tested(found, tests)) if text]
    return tuple(told)


def _good_for(found: Departure) -> str:
    size = f"n = {found.n:,}, skewness {rounded(found.skewness)}"
    if found.means:
        if found.shape == "not normal":
            return f"not normal, but enough values for means and t-tests all the same ({size})"
        word = "in line with a normal distribution, and " if found.shape == "in line with normal" else ""
        return f"{word}close enough to normal for means and t-tests ({size})"
    if found.means is None:
        return f"so few values cannot tell whether they are normal ({size}); t-tests need to know it from elsewhere"
    if found.n < found.needed and abs(found.kurtosis) <= found.n / 10:
        return f"not close enough to normal for means and t-tests ({size}; such values need about {found.needed:,})"
    return f"not close enough to normal for means and t-tests: a few values far out decide the mean ({size})"


def _tail(found: Departure) -> str:
    """Which way the tails differ, where they do; the outermost first."""
    for row in reversed(found.bands.rows):
        if row.width < 2 or not row.off:
            continue
        beyond, normal = 1 - row.share.value, 1 - row.expected
        word = "heavier" if beyond > normal else "lighter"
        seen = f"beyond {number(row.width)} sd stand {_small(beyond)} where a normal has {_small(normal)}"
        return f"; tails {word} than normal: {seen}"
    if found.kurtosis_z is not None and abs(found.kurtosis_z) > 3:
        word = "heavier" if found.kurtosis > 0 else "lighter"
        return f"; tails {word} than normal: excess kurtosis {number(found.kurtosis, 3)}"
    return ""


def _small(share: float) -> str:
    return parts(share, 2 if share < 0.01 else 3)


def _distance(found: Departure) -> str:
    digits = digits_apart(found.mean, found.mean + found.sd)
    fitted = f"mean {amount(found.mean, found.unit, digits)}, sd {amount(found.sd, found.unit)}"
    place = amount(found.distance_at, found.unit, digits)
    gap = f"{amount(found.gap, found.unit)} at {amount(found.gap_at, found.unit, digits)}"
    word = "above" if found.distance > found.usual else "within"
    return (
        f"Shares differ from the fitted normal's ({fitted}) by up to {number(found.distance, 3)} percentage points, at "
        f"{place}; this is {word} the {number(found.usual, 3)} that 95 of 100 normal samples of this size stay below. "
        f"Single values differ by up to {gap}."
    )


def _skewed(found: Departure) -> str:
    if abs(found.skewness) <= 2 * found.skewness_error or found.n < 8:
        return ""
    side = "right" if found.skewness > 0 else "left"
    spread = number(1.96 * found.skewness_error, 2)
    return (
        f"Long tail to the {side}: skewness {number(found.skewness, 3)}, where 95 of 100 normal samples of this size "
        f"stay within ±{spread}."
    )


def _peaks(found: Departure) -> str:
    """No symmetric distribution with one peak is flatter than the uniform one."""
    uniform, error = -1.2, 1.15 / math.sqrt(found.n)  # the sd of g2 over uniform samples, by the delta method
    if found.n < FEW or found.kurtosis >= uniform - 2 * error or found.distance <= found.usual:
        return ""
    flat = f"excess kurtosis {number(found.kurtosis, 3)}, uniform {uniform}"
    return f"Flatter than a uniform distribution ({flat}): look for two peaks, or two groups."


def _steps(found: Departure) -> str:
    if found.n < FEW or found.different > STEPS * found.n:
        return ""
    steps = f"{found.different:,} different ones of {found.n:,}"
    return f"Values come in steps ({steps}), which distance and tests take for a departure from normal too."


def _tested(found: Departure, tests: tuple[Test, ...]) -> str:
    answers = joined([f"{test.name} {test.symbol} = {number(test.statistic, 3)}, {chance(test.p)}" for test in tests])
    if found.n >= MANY:
        advice = "With so many values every real sample is rejected sooner or later: judge by the distance, not by p"
    elif found.n < SMALL:
        advice = "With so few values the tests see gross departures only: a p above 0.05 proves nothing"
    else:
        advice = "A p tells how surely something was seen, not how large it is"
    return f"{advice} ({answers})."
