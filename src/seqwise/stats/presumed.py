"""Whether values are independent and normal, as charts, capability and tolerance intervals take for granted of each.

Other than means, single values do not become normal by being many: the far tails decide, so that skew and kurtosis are
weighed more sternly here than in `assumptions`. How far off comes first; p-values stand beside, as any large sample
refuses any model.
"""

import math

import numpy as np
from jaxtyping import Float

from seqwise.stats.results import Assumption, chance, number

FEW = 8  # values: fewer tell nothing about shape or order
MOST = 5000  # values: Shapiro and Wilk's p is not known beyond
MILD_SKEW, MILD_KURTOSIS = 0.5, 1.0  # up to here a departure matters little even 3 sds out
DOUBT = 0.05
NORMAL = 1.959963984540054  # 97.5 % quantile of the standard normal distribution


def lag_one(values: Float[np.ndarray, "N"]) -> float:
    """Correlation of neighbours, as NIST defines it; 0 where nothing varies."""
    gaps = values - values.mean()
    total = float(gaps @ gaps)
    return float(gaps[:-1] @ gaps[1:]) / total if total > 0 else 0.0


def independent(values: Float[np.ndarray, "N"], harm: str, what: str = "values") -> Assumption:
    """Whether neighbours in time know nothing of each other.

    harm   what follows if they do, and are alike: a clause for the sentence
    what   the values are
    """
    name, n = "independent values", len(values)
    if n < FEW:
        return Assumption(name, None, f"{n:,} values are too few to tell whether neighbours are alike.")
    r, band = lag_one(values), NORMAL / math.sqrt(n)
    told = f"lag-1 autocorrelation {number(r, 2)}, by chance within ±{number(band, 2)}"
    if abs(r) <= band:
        return Assumption(name, True, f"No sign that neighbouring {what} depend on each other ({told}).")
    if r > 0:
        return Assumption(name, False, f"Neighbouring {what} are alike ({told}): {harm}.")
    return Assumption(name, False, f"Neighbouring {what} differ more than others do ({told}).")


def normal(values: Float[np.ndarray, "N"], harm: str) -> Assumption:
    """Whether values are near enough to normal for what is said of their tails."""
    name, n = "normal values", len(values)
    sd = float(values.std())
    if n < FEW or sd == 0:
        return Assumption(name, None, f"{n:,} values are too few to tell whether they are normal.")
    z = (values - values.mean()) / sd
    skew, excess = float((z**3).mean()), float((z**4).mean()) - 3
    shape = f"skew {number(skew, 2)}, excess kurtosis {number(excess, 2)}"
    mild = abs(skew) <= MILD_SKEW and abs(excess) <= MILD_KURTOSIS
    if n > MOST:
        verdict = "near enough to normal" if mild else f"not normal: {harm}"
        return Assumption(name, mild, f"The values are {verdict} ({shape}).")
    w, p = _shapiro(values)
    shape += f", Shapiro-Wilk W = {number(w)}, {chance(p)}"
    if p >= DOUBT:
        return Assumption(name, True, f"No sign that the values are not normal ({shape}).")
    if mild and n > 100:  # the test sees what matters little; few values that it refuses are far off
        return Assumption(name, True, f"The values are not quite normal, but not far from it ({shape}).")
    return Assumption(name, False, f"The values are not normal ({shape}): {harm}.")


def _shapiro(values: Float[np.ndarray, "N"]) -> tuple[float, float]:
    from scipy.stats import shapiro  # half a second, which not everybody should wait for

    found = shapiro((values - values.mean()) / values.std())
    return float(found.statistic), float(found.pvalue)
