"""Average marginal effects: what one more of a column does to the chance, averaged over the rows as they are.

The slope of the chance where a column is a number; of a column of 0 and 1 the difference between all rows with 1 and
all rows with 0. Errors by the delta method.
"""

import numpy as np
from jaxtyping import Float
from scipy.special import expit, ndtri

from seqwise.stats.likelihood import Likelihood
from seqwise.stats.results import Estimate, Interval

# N rows, P columns, K coefficients


def marginal(
    fit: Likelihood,
    x: Float[np.ndarray, "N P"],
    first: int,
    scale: tuple[Float[np.ndarray, "P"], Float[np.ndarray, "P"]],
    covariance: Float[np.ndarray, "K K"],
    level: float,
    names: tuple[str, ...],
) -> tuple[Estimate, ...]:
    """Of each column, in percentage points."""
    edge, found = float(ndtri((1 + level) / 2)), []
    for column, name in enumerate(names):
        if np.isin(x[:, column], (0, 1)).all():
            value, slope = _step(fit, column + first, float(scale[0][column]), float(scale[1][column]))
        else:
            value, slope = _slope(fit, column + first, float(scale[1][column]))
        half = edge * float(slope @ covariance @ slope) ** 0.5
        both = Interval(100 * (value - half), 100 * (value + half), level)
        found.append(Estimate(f"marginal effect of {name}", 100 * value, both, "percentage points"))
    return tuple(found)


def _slope(fit: Likelihood, place: int, sd: float) -> tuple[float, Float[np.ndarray, "K"]]:
    """Mean slope of the chance, and how it moves with each coefficient."""
    weights = fit.chances * (1 - fit.chances)
    steep, size = float(weights.mean()), float(fit.beta[place]) / sd
    moved = fit.table.T @ (weights * (1 - 2 * fit.chances)) / len(weights) * size
    moved[place] += steep / sd
    return steep * size, moved


def _step(fit: Likelihood, place: int, mean: float, sd: float) -> tuple[float, Float[np.ndarray, "K"]]:
    """Mean difference of the chances with 1 and with 0, and how it moves with each coefficient."""
    table = fit.table.copy()
    value, moved = 0.0, np.zeros(len(fit.beta))
    for sign, held in ((1, 1.0), (-1, 0.0)):
        table[:, place] = (held - mean) / sd
        chances = expit(table @ fit.beta)
        value += sign * float(chances.mean())
        moved += sign * (table.T @ (chances * (1 - chances))) / len(chances)
    return value, moved
