"""Profile intervals: all values of a coefficient that the likelihood does not refuse, the others at their best.

Better than Wald's in small samples and far from 0, as they need no symmetric likelihood (Venzon and Moolgavkar 1988).
"""

import numpy as np
from jaxtyping import Float

from seqwise.stats.likelihood import Likelihood, maximize

# N rows, K coefficients, P of them without the intercept

DOUBLINGS = 12
CLOSE = 1e-7  # of a limit, in standard errors


def profiles(
    fit: Likelihood, y: Float[np.ndarray, "N"], first: int, covariance: Float[np.ndarray, "K K"], edge: float
) -> Float[np.ndarray, "P 2"]:
    """Limits of each coefficient of the scaled columns from place `first` on."""
    limits = np.empty((len(fit.beta) - first, 2))
    for place in range(first, len(fit.beta)):
        error = float(covariance[place, place]) ** 0.5
        limits[place - first] = [_limit(fit, y, place, sign * error, edge) for sign in (-1, 1)]
    return limits


def _limit(fit: Likelihood, y: Float[np.ndarray, "N"], place: int, step: float, edge: float) -> float:
    """Where twice the log likelihood has lost edge squared; infinite where it never does."""
    from scipy.optimize import brentq

    others = np.delete(fit.table, place, axis=1)
    start = np.delete(fit.beta, place)
    column, best = fit.table[:, place], float(fit.beta[place])

    def lost(steps: float) -> float:
        held = maximize(y, others, start, column * (best + steps * step))
        return 2 * (fit.log - held.log) - edge**2

    low, high = 0.0, edge
    for _ in range(DOUBLINGS):
        if lost(high) > 0:
            return best + step * float(brentq(lost, low, high, xtol=CLOSE))
        low, high = high, 2 * high
    return float(np.inf * np.sign(step))
