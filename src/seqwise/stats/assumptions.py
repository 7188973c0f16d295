"""What methods take for granted, and whether these data bear it out.

    normal_means       of means: these become normal, whatever the shape of the data, so that what must be small is the
                       skewness against the number of items (Cochran 1977, Sampling Techniques, section 2.15:
                       n > 25 skew²); in small samples the distance from a straight QQ line is judged as well (Ryan and
                       Joiner 1976)
    normal_residuals   of analyses of variance and regressions: skew and excess kurtosis before any p
    normal_values      of charts, capability and tolerance intervals, which look at single values: those do not become
                       normal by being many, and the far tails decide, so that this one is the sternest
    equal_spread       Brown and Forsythe (1974): analysis of variance of the distances from each group's median
    outliers           values far beyond the quartiles
    independent        whether neighbours in time are alike; `by_design`, `INDEPENDENT`: what numbers cannot show

A p-value answers whether there is any difference from normal, of which a large sample is always sure and a small one
never. So none decides alone, and below `FEW` values there is no verdict.
"""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from scipy.special import fdtrc, ndtri

from seqwise.stats.autocorrelation import lag_one
from seqwise.stats.phrases import amount, chance, number, rounded
from seqwise.stats.results import Assumption
from seqwise.stats.samples import Groups, Row, flat, scaled, shape, shape_errors, skewness

FEW = 8  # values: fewer can show nothing about shape or order
DOUBT = 0.05
# of means
SMALL = 30  # items: from here on the mean forgives whatever shape has little skew
COCHRAN = 25.0  # items for each square of skewness
FAR = 3.0  # quartile ranges beyond the quartiles, Tukey's outer fences
# of residuals
MANY = 300  # values: beyond them a test of normality sees what no longer matters
SKEW, KURTOSIS = 1.0, 2.0  # beyond these, means of many values are still slow to become normal
# of single values
MOST = 5000  # values: Shapiro and Wilk's p is not known beyond
MILD_SKEW, MILD_KURTOSIS = 0.5, 1.0  # up to here a departure matters little even 3 sds out

INDEPENDENT = Assumption(
    "independent items", None, "Each row is taken as an item of its own; the numbers alone cannot show whether it is."
)


def by_design(one: str) -> Assumption:
    """Of values, rows or subjects that know nothing of each other."""
    return Assumption(f"independent {one}s", None, f"Only the design can say that no {one} depends on another.")


def equal_spread(groups: Sequence[Row], name: str = "equal spread") -> Assumption:
    """Whether all groups spread alike, as pooling them takes for granted."""
    sds = [float(group.std(ddof=1)) for group in groups if len(group) > 1]
    if len(sds) < 2:
        return Assumption(name, None, "Spreads cannot be compared: fewer than two groups have two values.")
    told = f"The sds of the groups go from {number(min(sds))} to {number(max(sds))}"
    if min(sds) == 0 < max(sds):
        return Assumption(name, False, f"{told}: a group has no spread at all.")
    f, between, within = brown_forsythe(groups)
    if not np.isfinite(f):
        return Assumption(name, None, f"{told}; each group's values are all as far from its median: no test of spread.")
    p = float(fdtrc(between, within, f))
    test = f"Brown-Forsythe F({between}, {within}) = {number(f)}, {chance(p)}"
    verdict = "no sign that they differ" if p >= DOUBT else "they differ by more than chance would have it"
    return Assumption(name, p >= DOUBT, f"{told}: {verdict} ({test}).")


def brown_forsythe(groups: Sequence[Row]) -> tuple[float, int, int]:
    """F and its degrees of freedom; nan where distances do not vary within any group."""
    far = [np.abs(group - np.median(group)) for group in groups]
    sizes = np.array([len(one) for one in far])
    means = np.array([one.mean() for one in far])
    middle = float(sizes @ means / sizes.sum())
    between, within = len(far) - 1, int(sizes.sum()) - len(far)
    squares = sum(float(((one - mean) ** 2).sum()) for one, mean in zip(far, means, strict=True))
    scale = max(float(np.abs(one).max()) for one in far)
    if within < 1 or squares <= (1e-14 * scale) ** 2 * sizes.sum():
        return float("nan"), between, within
    return float(sizes @ (means - middle) ** 2 / between / (squares / within)), between, within


def normal_means(groups: Groups, what: str = "normal means") -> Assumption:
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
    shown = f"skewness {rounded(skew)}{place} with {n:,} values, correlation with a straight QQ line {line:.3f}"
    if bend > 1:
        wanted = max(SMALL, round(COCHRAN * skew * skew))
        return Assumption(what, False, f"Far from normal for so few values: {shown}; {wanted:,} or more would do.")
    if few:
        count = f"{few[0]} has" if len(few) == 1 else f"{len(few)} groups have"
        return Assumption(what, None, f"{count} too few values to judge; of the others the worst has {shown}.")
    return Assumption(what, True, f"Near enough to normal: {shown}.")


def _bend(x: Row) -> tuple[float, float, float]:
    """How far from normal, 1 at the edge of what is forgiven; skewness; straightness."""
    n, skew, line = len(x), skewness(x), _straightness(x)
    bend = min(COCHRAN * skew * skew / n, abs(skew) / (2 * shape_errors(n)[0]))
    if n < SMALL:  # Ryan and Joiner's critical value at 5 %
        edge = 1.0063 - 0.1288 / math.sqrt(n) - 0.6118 / n + 1.3505 / n**2
        bend = max(bend, (1 - line) / (1 - edge))
    return bend, skew, line


def _straightness(x: Row) -> float:
    """Correlation of the ordered values with normal quantiles at Blom's places: 1 on a straight QQ line. Values that
    are the same have the mean of their places: a scale of few steps is no bend."""
    places = ndtri((np.arange(1, len(x) + 1) - 0.375) / (len(x) + 0.25))  # (N,)
    _, alike, counts = np.unique(np.sort(x), return_inverse=True, return_counts=True)
    places = (np.bincount(alike, places) / counts)[alike]
    ordered = np.sort(x) - x.mean()
    length = math.sqrt(float(ordered @ ordered) * float(places @ places))
    return float(places @ ordered) / length if length > 0 else 0.0


def normal_residuals(residuals: Float[np.ndarray, "N"], name: str = "normal residuals") -> Assumption:
    """Whether what the model leaves over is near enough to normal for its intervals."""
    n = len(residuals)
    if n < FEW or not residuals.std() > 0:
        return Assumption(name, None, f"{n:,} residuals are too few to tell whether they are normal.")
    skew, excess = shape(scaled(residuals))
    told = f"The {n:,} residuals have a skew of {rounded(skew)} and an excess kurtosis of {rounded(excess)}"
    mild = abs(skew) <= SKEW and abs(excess) <= KURTOSIS
    if n > MANY:
        verdict = "near enough to normal, as means of so many values are"
        if not mild:
            verdict = "far from normal; with so many values intervals of means hold, those of single values do not"
        return Assumption(name, mild, f"{told}: {verdict}.")
    w, p = _shapiro(residuals)
    test = f"Shapiro-Wilk W = {number(w)}, {chance(p)}"
    verdict = "no sign against normal ones" if p >= DOUBT else "not normal"
    if p < DOUBT and mild:
        verdict += ", though not far from it"
    return Assumption(name, p >= DOUBT, f"{told}: {verdict} ({test}).")


def normal_values(values: Float[np.ndarray, "N"], harm: str) -> Assumption:
    """Whether values are near enough to normal for what is said of their tails.

    harm   what follows if they are not: a clause for the sentence
    """
    name, n = "normal values", len(values)
    if n < FEW or not values.std() > 0:
        return Assumption(name, None, f"{n:,} values are too few to tell whether they are normal.")
    skew, excess = shape(scaled(values))
    told = f"skew {rounded(skew)}, excess kurtosis {rounded(excess)}"
    mild = abs(skew) <= MILD_SKEW and abs(excess) <= MILD_KURTOSIS
    if n > MOST:
        verdict = "near enough to normal" if mild else f"not normal: {harm}"
        return Assumption(name, mild, f"The values are {verdict} ({told}).")
    w, p = _shapiro(values)
    told += f", Shapiro-Wilk W = {number(w)}, {chance(p)}"
    if p >= DOUBT:
        return Assumption(name, True, f"No sign that the values are not normal ({told}).")
    if mild and n > 100:  # the test sees what matters little; few values that it refuses are far off
        return Assumption(name, True, f"The values are not quite normal, but not far from it ({told}).")
    return Assumption(name, False, f"The values are not normal ({told}): {harm}.")


def _shapiro(values: Float[np.ndarray, "N"]) -> tuple[float, float]:
    from scipy.stats import shapiro  # half a second, which not everybody should wait for

    found = shapiro(scaled(values))
    return float(found.statistic), float(found.pvalue)


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
    shown = f"{amount(value, unit, 4)}{place}"
    told = f"{count} more than {FAR:g} quartile ranges beyond the quartiles, farthest {shown}."
    return Assumption("no outliers", False, told)


def independent(values: Float[np.ndarray, "N"], harm: str, what: str = "values") -> Assumption:
    """Whether neighbours in time know nothing of each other.

    harm   what follows if they do, and are alike: a clause for the sentence
    what   the values are
    """
    name, n = "independent values", len(values)
    if n < FEW:
        return Assumption(name, None, f"{n:,} values are too few to tell whether neighbours are alike.")
    r, band = lag_one(values), float(ndtri(0.975)) / math.sqrt(n)
    told = f"lag-1 autocorrelation {number(r, 2)}, by chance within ±{number(band, 2)}"
    if abs(r) <= band:
        return Assumption(name, True, f"No sign that neighbouring {what} depend on each other ({told}).")
    if r > 0:
        return Assumption(name, False, f"Neighbouring {what} are alike ({told}): {harm}.")
    return Assumption(name, False, f"Neighbouring {what} differ more than others do ({told}).")
