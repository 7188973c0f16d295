"""What a test looks at before it computes: whether the numbers can be used, and how far they are from normal.

    sample       finite numbers, enough of them         differing    not all the same, up to rounding
    normality    of each group, for tests of means      outliers     far beyond the quartiles

A test of means wants the mean to be normal, not the data: what must be small is the skewness against the number of
items (Cochran 1977, Sampling Techniques, section 2.15: n > 25 skew²). In small samples the distance from a straight
QQ line is judged as well (Ryan and Joiner 1976). No p-value decides: it would pass every small sample and none large.

Left out: independence, which numbers alone do not show.
"""

from collections.abc import Mapping
from math import sqrt

import numpy as np
from jaxtyping import Float
from scipy.special import ndtri

from seqwise.errors import DataError
from seqwise.stats.results import Assumption, number

FEW = 8  # items: below them neither skewness nor a QQ line says anything
SMALL = 30  # items: from here on the mean forgives whatever shape has little skew
COCHRAN = 25.0  # items for each square of skewness
FAR = 3.0  # quartile ranges beyond the quartiles, Tukey's outer fences
ROUNDING = 8 * float(np.finfo(np.float64).eps)
"""Relative; values that differ by less are the same, computed in another order."""

Groups = Mapping[str, Float[np.ndarray, "_"]]

INDEPENDENT = Assumption(
    "independent items", None, "Each row is taken as an item of its own; the numbers alone cannot show whether it is."
)


def sample(values: Float[np.ndarray, "N"], name: str, least: int = 2) -> Float[np.ndarray, "N"]:
    """The values in float64, or an error that says what is wrong with them."""
    try:
        x = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise DataError(f"texts in {name}", "numbers", "another column, or correcting them") from None
    if x.ndim != 1:
        raise DataError(f"{x.ndim} dimensions in {name}", "one number an item", "one column at a time")
    bad = np.flatnonzero(~np.isfinite(x))
    if bad.size:
        given = f"{x[bad[0]]} as value {bad[0] + 1:,} of {name}" + (f", {bad.size:,} such" if bad.size > 1 else "")
        raise DataError(given, "finite numbers", "leaving out the rows that have none")
    if len(x) < least:
        given = f"{len(x)} value{'' if len(x) == 1 else 's'} of {name}"
        raise DataError(given, f"at least {least}", "a file with more rows, or other groups")
    return x


def flat(x: Float[np.ndarray, "N"], scale: float = 0.0) -> bool:
    """Whether all values are the same up to rounding. scale: the size of what they were computed from."""
    return bool(np.ptp(x) <= ROUNDING * max(scale, float(np.abs(x).max())))


def differing(x: Float[np.ndarray, "N"], name: str, scale: float = 0.0) -> None:
    """An error where all values are the same: then nothing can be said about chance."""
    if flat(x, scale):
        given = f"all {len(x):,} values of {name} are {number(float(x[0]))}"
        raise DataError(given, "values that differ", "another column, or a finer measurement")


def skewness(x: Float[np.ndarray, "N"]) -> float:
    """m3 / m2^1.5, without correction for small samples; 0 of what does not differ."""
    d = x - x.mean()
    spread = float((d * d).mean())
    return float((d**3).mean()) / spread**1.5 if spread > 0 and not flat(x) else 0.0


def straightness(x: Float[np.ndarray, "N"]) -> float:
    """Correlation of the ordered values with normal quantiles at Blom's places: 1 on a straight QQ line."""
    places = ndtri((np.arange(1, len(x) + 1) - 0.375) / (len(x) + 0.25))  # (N,)
    ordered = np.sort(x) - x.mean()
    length = sqrt(float(ordered @ ordered) * float(places @ places))
    return float(places @ ordered) / length if length > 0 else 0.0


def normality(groups: Groups, what: str = "normal means") -> Assumption:
    """Whether means of these groups can be taken as normal, with the group that is worst."""
    few = [name for name, x in groups.items() if len(x) < FEW]
    told = {name: _bend(x) for name, x in groups.items() if len(x) >= FEW and not flat(x)}
    if not told:
        least = min(len(x) for x in groups.values())
        reason = f"{least} values are too few to judge" if few else "values that do not differ have no shape to judge"
        return Assumption(what, None, f"{reason[0].upper()}{reason[1:]}.")
    worst = max(told, key=lambda name: told[name][0])
    bend, skew, line = told[worst]
    n = len(groups[worst])
    place = f" in {worst}" if len(groups) > 1 else ""
    shown = f"skewness {number(skew, 2)}{place} with {n:,} values, correlation with a straight QQ line {line:.3f}"
    if bend > 1:
        wanted = max(SMALL, round(COCHRAN * skew * skew))
        return Assumption(what, False, f"Far from normal for so few values: {shown}; {wanted:,} or more would do.")
    if few:
        count = f"{few[0]} has" if len(few) == 1 else f"{len(few)} groups have"
        return Assumption(what, None, f"{count} too few values to judge; of the others the worst has {shown}.")
    return Assumption(what, True, f"Near enough to normal: {shown}.")


def _bend(x: Float[np.ndarray, "N"]) -> tuple[float, float, float]:
    """How far from normal, 1 at the edge of what is forgiven; skewness; straightness."""
    n, skew, line = len(x), skewness(x), straightness(x)
    error = sqrt(6 * (n - 2) / ((n + 1) * (n + 3)))  # of the skewness of normal samples
    bend = min(COCHRAN * skew * skew / n, abs(skew) / (2 * error))
    if n < SMALL:  # Ryan and Joiner's critical value at 5 %
        edge = 1.0063 - 0.1288 / sqrt(n) - 0.6118 / n + 1.3505 / n**2
        bend = max(bend, (1 - line) / (1 - edge))
    return bend, skew, line


def outliers(groups: Groups, unit: str = "") -> Assumption:
    """Values beyond Tukey's outer fences of their group."""
    found: list[tuple[float, str, float]] = []
    for name, x in groups.items():
        low, high = np.percentile(x, [25, 75])
        beyond = np.maximum(low - x, x - high)
        for at in np.flatnonzero((beyond > FAR * (high - low)) & (high > low)):
            found.append((float(beyond[at] / (high - low)), name, float(x[at])))
    total = sum(len(x) for x in groups.values())
    if not found:
        told = f"None of {total:,} values lies more than {FAR:g} quartile ranges beyond the quartiles."
        return Assumption("no outliers", True if total >= FEW else None, told)
    _, name, value = max(found)
    place = f" in {name}" if len(groups) > 1 else ""
    count = f"{len(found):,} of {total:,} values {'lies' if len(found) == 1 else 'lie'}"
    shown = f"{number(value)}{f' {unit}' if unit else ''}{place}"
    told = f"{count} more than {FAR:g} quartile ranges beyond the quartiles, farthest {shown}."
    return Assumption("no outliers", False, told)
