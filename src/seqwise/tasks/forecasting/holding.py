"""Whether bands hold what they say: too narrow, too wide, or so few origins that nobody can tell.

A share of 75 % where 68.3 % were promised may be chance: forecasts of neighbouring origins share most of their truth,
so that eleven of them, twelve steps ahead, are hardly more than one. The error of the share is that of a mean of
dependent values, with as many covariances as forecasts overlap (as in `stats.forecasts`); where origins are fewer than
`FEW` for each step, or all hold alike, it is that of as many independent trials as there are forecasts side by side.

    hold           every share is near what is promised
    narrow, wide   beyond chance
    uneven         one band too narrow, another too wide
    cannot tell    off, and chance would do
"""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float
from scipy.special import stdtrit

from seqwise.stats.forecasts import FEW, autocovariances, error_of_mean, small_sample

NEAR = 0.03  # a share so near to what is promised holds it, whatever the number of origins says

Holding = Literal["hold", "narrow", "wide", "uneven", "cannot tell"]

# T origins, in the order of time


def holding(held: Sequence[Float[np.ndarray, "T"]], levels: Sequence[float], steps: int) -> Holding:
    """held: of each band, the share that it held at each origin. steps: origins whose forecasts overlap."""
    off = [float(each.mean()) - level for each, level in zip(held, levels, strict=True)]
    if max(map(abs, off)) <= NEAR:
        return "hold"
    sure = [
        gap
        for gap, each, level in zip(off, held, levels, strict=True)
        if abs(gap) > NEAR and abs(gap) > by_chance(each, level, steps)
    ]
    if not sure:
        return "cannot tell"
    if min(sure) < 0 < max(sure):
        return "uneven"
    return "narrow" if sure[0] < 0 else "wide"


def by_chance(held: Float[np.ndarray, "T"], level: float, steps: int) -> float:
    """How far a share strays that is what it says, 95 times of 100."""
    n = len(held)
    if n >= FEW * steps and np.ptp(held) > 0:
        error, _ = error_of_mean(autocovariances(held, steps), n)
        if error > 0:
            return float(stdtrit(n - 1, 0.975)) * error / small_sample(n, steps)
    trials = n / steps
    if trials < 2:
        return math.inf
    return 1.96 * math.sqrt(level * (1 - level) / trials) + 0.5 / trials  # corrected, since trials are whole
