"""What means, analyses of variance and regressions take for granted, and whether these data bear it out.

    equal_spread       Brown and Forsythe (1974): analysis of variance of the distances from each group's median
    normal_residuals   skew and excess kurtosis before any p: what matters is how far from normal, and the more values,
                       the less that matters

A p-value answers whether there is any difference from normal, of which a large sample is always sure and a small one
never. So beyond `MANY` values the verdict goes by skew and kurtosis alone, and below `FEW` there is none.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from scipy.special import fdtrc

from seqwise.stats.results import Assumption, chance, number

FEW = 8  # values: fewer can show nothing about a shape
MANY = 300  # values: beyond them a test of normality sees what no longer matters
SKEW, KURTOSIS = 1.0, 2.0  # beyond these, means of many values are still slow to become normal
DOUBT = 0.05


def equal_spread(groups: Sequence[Float[np.ndarray, "_"]], name: str = "equal spread") -> Assumption:
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


def brown_forsythe(groups: Sequence[Float[np.ndarray, "_"]]) -> tuple[float, int, int]:
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


def normal_residuals(residuals: Float[np.ndarray, "N"], name: str = "normal residuals") -> Assumption:
    """Whether what the model leaves over is near enough to normal for its intervals."""
    n, sd = len(residuals), float(residuals.std())
    if n < FEW or sd == 0:
        return Assumption(name, None, f"{n:,} residuals are too few to tell whether they are normal.")
    z = (residuals - residuals.mean()) / sd
    skew, excess = float((z**3).mean()), float((z**4).mean()) - 3
    shape = f"The {n:,} residuals have a skew of {number(skew, 2)} and an excess kurtosis of {number(excess, 2)}"
    mild = abs(skew) <= SKEW and abs(excess) <= KURTOSIS
    if n > MANY:
        verdict = "near enough to normal, as means of so many values are"
        if not mild:
            verdict = "far from normal; with so many values intervals of means hold, those of single values do not"
        return Assumption(name, mild, f"{shape}: {verdict}.")
    w, p = _shapiro(residuals)
    test = f"Shapiro-Wilk W = {number(w)}, {chance(p)}"
    verdict = "no sign against normal ones" if p >= DOUBT else "not normal"
    if p < DOUBT and mild:
        verdict += ", though not far from it"
    return Assumption(name, p >= DOUBT, f"{shape}: {verdict} ({test}).")


def _shapiro(values: Float[np.ndarray, "N"]) -> tuple[float, float]:
    from scipy.stats import shapiro  # half a second, which not everybody should wait for

    found = shapiro(values)
    return float(found.statistic), float(found.pvalue)
