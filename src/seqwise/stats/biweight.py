"""Robust limits of small samples: Tukey's biweight gives values far out little weight, or none.

Location by iterated biweights around the median (c = 3.7), scale by biweight sd at c = 205.6 (of single values) and
c = 3.7 (of the location); limits are location ± t sqrt(both variances). Horn, Pesce and Copeland 1998, Clin Chem 44:
622-631; Horn and Pesce 2003, Clin Chim Acta 334: 5-23; CLSI EP28-A3c, appendix B, whose worked example is a test here.
How sure they are is asked of the bootstrap: samples of the values, drawn with replacement (percentiles).

Left out: skew data, for which they are not made. Transform those first.
"""

import numpy as np
from jaxtyping import Bool, Float
from scipy import special

from seqwise.stats.results import Interval

# R samples, N values of each

NEAR, FAR = 3.7, 205.6
MAD = 0.6745  # of a normal distribution with sd 1
TURNS = 100
CELLS = 1 << 20  # values of the samples that are handled at once
Rows = Float[np.ndarray, "R N"]


def limits(rows: Rows, level: float) -> tuple[Float[np.ndarray, "R"], Float[np.ndarray, "R"], Bool[np.ndarray, "R"]]:
    """Lower and upper limits of each sample, and whether it has any: not where half of its values are one."""
    n = rows.shape[1]
    median = np.median(rows, axis=1, keepdims=True)  # (R, 1)
    spread = np.median(np.abs(rows - median), axis=1, keepdims=True) / MAD
    spreads = spread[:, 0] > 0
    unit = np.where(spread > 0, spread, 1.0)
    place = median
    for _ in range(TURNS):
        away = rows - place
        weights = np.square(np.maximum(0.0, 1 - np.square(away / (NEAR * unit))))  # (R, N)
        step = (weights * away).sum(axis=1, keepdims=True) / weights.sum(axis=1, keepdims=True)
        place = place + step
        if (np.abs(step) <= 1e-9 * unit).all():
            break
    values = _scale(rows - median, FAR * unit) * np.sqrt(n)
    near = _scale(rows - median, NEAR * unit) * np.sqrt(n)
    located = _scale(rows - place, NEAR * np.where(near > 0, near, 1.0))
    half = float(special.stdtrit(n - 1, (1 + level) / 2)) * np.hypot(values, located)  # (R, 1)
    return (place - half)[:, 0], (place + half)[:, 0], spreads


def limits_intervals(
    values: Float[np.ndarray, "N"], level: float, confidence: float, resamples: int, seed: int
) -> tuple[Interval, Interval]:
    """Of both limits, by the bootstrap."""
    generator, n = np.random.default_rng(seed), len(values)
    lows, highs, step = [], [], max(1, CELLS // n)
    for begin in range(0, resamples, step):
        rows = min(step, resamples - begin)
        low, high, spreads = limits(values[generator.integers(0, n, (rows, n))], level)
        lows.append(low[spreads])
        highs.append(high[spreads])
    ends = [(1 - confidence) / 2, (1 + confidence) / 2]
    low, high = (np.quantile(np.concatenate(drawn), ends) for drawn in (lows, highs))
    return Interval(float(low[0]), float(low[1]), confidence), Interval(float(high[0]), float(high[1]), confidence)


def _scale(away: Rows, unit: Float[np.ndarray, "R 1"]) -> Float[np.ndarray, "R 1"]:
    """Biweight sd of each row by sqrt(n); values beyond the unit count for nothing."""
    u2 = np.square(away / unit)
    rest = np.where(u2 < 1, 1 - u2, 0.0)
    upper = (u2 * rest**4).sum(axis=1, keepdims=True)
    lower = (rest * (1 - 5 * u2)).sum(axis=1, keepdims=True)
    scale: Float[np.ndarray, "R 1"] = unit * np.sqrt(upper / np.maximum(1e-12, lower * np.maximum(1.0, lower - 1)))
    return scale
