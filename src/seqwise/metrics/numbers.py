"""How good forecasts of numbers are: of the value itself, and of the distribution around it.

    absolute, squared, scaled       distance of a value; MAE, RMSE and MASE are their means
    crps_*, log_score_*             of a distribution; lower is better, and lowest, on average, for the true one
    pit_*                           where the truth lay in it: uniform between 0 and 1 where it was the true one
    coverage                        how often the middle 68.27, 95.45 and 99.73 % held the truth

Each function answers in the shape of the truth, so that errors can be read by window, by step of the horizon or by
target; `by_item` and `mean` sum up. A truth that is missing is NaN, and so is what is said about it; `by_item` and
`mean` pass it over. Hyndman & Koehler 2006 (MASE); Gneiting & Raftery 2007 (CRPS, log score); Ferro 2014 (the fair CRPS
of samples); Jordan, Krueger & Lerch 2019 (CRPS of Student's t). Left out: whether a difference is more than chance.

    N  windows    H  steps of the horizon    C  targets    S  samples    Q  quantiles    B  any shape
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy import special

from seqwise.errors import DataError

Array = np.ndarray
ROOT_PI = math.sqrt(math.pi)
HALF_LOG_TAU = 0.5 * math.log(2 * math.pi)
BANDS = tuple(math.erf(k / math.sqrt(2)) for k in (1, 2, 3))
"""Chance that a normal number lies within 1, 2, 3 standard deviations."""


def mean(costs: Float[Array, "*B"]) -> float:
    """Over all that is not missing."""
    known = costs[~np.isnan(costs)]
    if not known.size:
        raise DataError("a score of no values", "a truth that is known", "other rows or another horizon")
    return float(known.mean())


def by_item(costs: Float[Array, "N *B"]) -> Float[Array, "N"]:
    """Each window's mean; NaN where all of it is missing."""
    flat = costs.reshape(len(costs), -1)
    count = (~np.isnan(flat)).sum(1)
    return np.where(count > 0, np.nansum(flat, 1) / np.maximum(count, 1), np.nan)


def absolute(truth: Float[Array, "*B"], value: Float[Array, "*B"]) -> Float[Array, "*B"]:
    """|y - value|; its mean is MAE, least for the median."""
    return np.asarray(np.abs(truth - value))


def squared(truth: Float[Array, "*B"], value: Float[Array, "*B"]) -> Float[Array, "*B"]:
    """(y - value)^2; its mean is MSE, least for the mean."""
    return np.asarray((truth - value) ** 2)


def mae(truth: Float[Array, "*B"], value: Float[Array, "*B"]) -> float:
    """Mean absolute error, in the unit of the data."""
    return mean(absolute(truth, value))


def rmse(truth: Float[Array, "*B"], value: Float[Array, "*B"]) -> float:
    """Root of the mean squared error, in the unit of the data."""
    return math.sqrt(mean(squared(truth, value)))


def seasonal_scale(train: Float[Array, "T C"], season: int = 1) -> Float[Array, "C"]:
    """How far apart values of the training part are, a season from each other, on average: what MASE divides by."""
    if season < 1 or len(train) <= season:
        raise DataError(
            given=f"a training part of {len(train)} rows with a season of {season}",
            allowed="more rows than a season has",
            mend=f"a season of 1 to {max(1, len(train) - 1)}, or a longer training part",
        )
    steps = np.abs(train[season:] - train[:-season])
    known = ~np.isnan(steps)
    scale = np.where(known, steps, 0.0).sum(0) / np.maximum(known.sum(0), 1)
    if flat := [str(c + 1) for c in np.flatnonzero(scale <= 0)]:
        raise DataError(
            given=f"target {', '.join(flat)}, which repeats itself with a season of {season} in the training part",
            allowed="values that differ from those a season before, since errors are divided by how far they do",
            mend="MAE instead of MASE, or another season",
        )
    return np.asarray(scale)


def scaled(truth: Float[Array, "*B C"], value: Float[Array, "*B C"], scale: Float[Array, "C"]) -> Float[Array, "*B C"]:
    """|y - value| / scale; its mean is MASE: below 1 it is better than the naive forecast was on the training part."""
    return np.asarray(absolute(truth, value) / scale)


def crps_normal(location: Float[Array, "*B"], sd: Float[Array, "*B"], truth: Float[Array, "*B"]) -> Float[Array, "*B"]:
    """(y - m) (2 Phi(z) - 1) + s (2 phi(z) - 1 / sqrt(pi)); the distance where s is 0."""
    z = (truth - location) / np.maximum(sd, np.finfo(float).tiny)
    height = np.exp(-0.5 * np.minimum(np.abs(z), 1e3) ** 2 - HALF_LOG_TAU)
    return np.asarray((truth - location) * (2 * special.ndtr(z) - 1) + sd * (2 * height - 1 / ROOT_PI))


def log_score_normal(
    location: Float[Array, "*B"], sd: Float[Array, "*B"], truth: Float[Array, "*B"]
) -> Float[Array, "*B"]:
    """-log of the density at y, in nats."""
    return np.asarray(np.log(sd) + 0.5 * ((truth - location) / sd) ** 2 + HALF_LOG_TAU)


def pit_normal(location: Float[Array, "*B"], sd: Float[Array, "*B"], truth: Float[Array, "*B"]) -> Float[Array, "*B"]:
    """Phi(z)."""
    return np.asarray(special.ndtr((truth - location) / sd))


def _t_density(z: Float[Array, "*B"], df: Float[Array, "*#B"]) -> Float[Array, "*B"]:
    constant = special.gammaln((df + 1) / 2) - special.gammaln(df / 2) - 0.5 * np.log(df * math.pi)
    return np.asarray(np.exp(constant - (df + 1) / 2 * np.log1p(z * z / df)))


def crps_student(
    location: Float[Array, "*B"], scale: Float[Array, "*B"], df: Float[Array, "*#B"], truth: Float[Array, "*B"]
) -> Float[Array, "*B"]:
    """Jordan, Krueger & Lerch 2019, appendix A; df more than 1."""
    z = (truth - location) / scale
    half = 2 * np.sqrt(df) / (df - 1) * special.beta(0.5, df - 0.5) / special.beta(0.5, df / 2) ** 2
    tail = 2 * _t_density(z, df) * (df + z * z) / (df - 1)
    return np.asarray(scale * (z * (2 * special.stdtr(df, z) - 1) + tail - half))


def log_score_student(
    location: Float[Array, "*B"], scale: Float[Array, "*B"], df: Float[Array, "*#B"], truth: Float[Array, "*B"]
) -> Float[Array, "*B"]:
    """-log of the density at y, in nats."""
    return np.asarray(np.log(scale) - np.log(_t_density((truth - location) / scale, df)))


def pit_student(
    location: Float[Array, "*B"], scale: Float[Array, "*B"], df: Float[Array, "*#B"], truth: Float[Array, "*B"]
) -> Float[Array, "*B"]:
    """F(z)."""
    return np.asarray(special.stdtr(df, (truth - location) / scale))


def crps_quantiles(
    values: Float[Array, "*B Q"], levels: Sequence[float], truth: Float[Array, "*B"]
) -> Float[Array, "*B"]:
    """Twice the pinball loss, integrated over the levels by trapezoids; what lies beyond the outermost levels counts as
    they do. An approximation, as close as the levels are."""
    p = np.asarray(levels, float)
    if p.ndim != 1 or len(p) != values.shape[-1] or (np.diff(p) <= 0).any() or p[0] <= 0 or p[-1] >= 1:
        raise DataError(
            f"levels {', '.join(f'{level:g}' for level in p.ravel())} for {values.shape[-1]} quantiles",
            "a level between 0 and 1 for each, rising",
            "levels such as 0.1, 0.5, 0.9",
        )
    distance = truth[..., None] - values
    pinball = np.where(distance >= 0, p, p - 1) * distance  # (*B, Q)
    edges = np.concatenate(([0.0], (p[1:] + p[:-1]) / 2, [1.0]))
    return np.asarray(2 * pinball @ np.diff(edges))


def crps_samples(samples: Float[Array, "S *B"], truth: Float[Array, "*B"], fair: bool = True) -> Float[Array, "*B"]:
    """Mean |x - y| less half of the mean |x - x'|, by sorting: S log S instead of S^2.

    fair   x and x' are never the same draw (Ferro 2014): as if there were endlessly many samples
    """
    count = len(samples)
    if count < (2 if fair else 1):
        raise DataError(f"{count} samples", "at least 2", "more paths")
    ranked = np.sort(samples, 0)
    weights = 2 * np.arange(count) - count + 1  # of the sum of x_j - x_i over i < j
    gaps = np.tensordot(weights, ranked, 1)
    pairs = count * (count - 1) if fair else count**2
    return np.asarray(np.abs(samples - truth).mean(0) - gaps / pairs)


def pit_samples(samples: Float[Array, "S *B"], truth: Float[Array, "*B"]) -> Float[Array, "*B"]:
    """Share of samples below y, half of those at it; moved in from 0 and 1 by half a sample, as far as S can tell."""
    below = (samples < truth).sum(0) + 0.5 * (samples == truth).sum(0)
    share = (below + 0.5) / (len(samples) + 1)
    return np.where(np.isnan(truth), np.nan, share)


@dataclass(frozen=True)
class Coverage:
    """How often a middle band held the truth."""

    level: float
    """What it promised."""
    share: float
    """What it did."""
    n: int
    """Values, which are not independent where windows overlap."""

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def within(pit: Float[Array, "*B"], level: float) -> Float[Array, "*B"]:
    """1 where the truth lay in the middle band of that level, 0 where it did not, NaN where it is missing."""
    inside = np.abs(pit - 0.5) <= level / 2
    return np.where(np.isnan(pit), np.nan, inside)


def coverage(pit: Float[Array, "*B"], levels: Sequence[float] = BANDS) -> tuple[Coverage, ...]:
    """Of each band, over all that is not missing."""
    n = int((~np.isnan(pit)).sum())
    return tuple(Coverage(level, mean(within(pit, level)), n) for level in levels)
