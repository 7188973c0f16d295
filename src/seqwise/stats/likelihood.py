"""Logistic regression by Newton's steps, in the columns' own sds, and whether it has a solution at all.

    maximize        coefficients of the scaled columns, with any of them held still (for profile intervals)
    separated       a combination of columns that tells the two classes apart without fail, if there is one
    Likelihood      with the covariance of its coefficients: classic, robust, clustered

Where a combination of columns separates the classes, the likelihood grows without end and every program prints some
large number (Albert and Anderson 1984). A linear program finds such a combination (Konis 2007).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.special import expit, xlogy

# N rows, K coefficients

STEPS = 60
HALVES = 30
CLOSE = 1e-12  # relative change of the likelihood from which steps end
FAR = 12.0  # log odds from which separation is looked for: one in 160,000
APART = 1e-6


@dataclass(frozen=True, eq=False)
class Likelihood:
    """The best coefficients of a table of columns."""

    beta: Float[np.ndarray, "K"]
    chances: Float[np.ndarray, "N"]
    log: float
    """Log likelihood."""
    table: Float[np.ndarray, "N K"]
    converged: bool

    def information(self) -> Float[np.ndarray, "K K"]:
        """How sharply the likelihood falls off."""
        weights = self.chances * (1 - self.chances)
        return np.asarray(self.table.T @ (self.table * weights[:, None]))

    def classic(self) -> Float[np.ndarray, "K K"]:
        """Covariance of the coefficients where the model is right."""
        return np.linalg.inv(self.information())

    def robust(self, y: Float[np.ndarray, "N"]) -> Float[np.ndarray, "K K"]:
        """The same where chances may be told wrongly (White 1982), times n / (n - 1)."""
        return self._sandwich(self.table * (y - self.chances)[:, None])

    def clustered(self, y: Float[np.ndarray, "N"], codes: Int[np.ndarray, "N"]) -> Float[np.ndarray, "K K"]:
        """The same where rows of a cluster belong together, times clusters / (clusters - 1)."""
        sums = np.zeros((int(codes.max()) + 1, self.table.shape[1]))
        np.add.at(sums, codes, self.table * (y - self.chances)[:, None])
        return self._sandwich(sums)

    def _sandwich(self, scores: Float[np.ndarray, "M K"]) -> Float[np.ndarray, "K K"]:
        bread = self.classic()
        return np.asarray(bread @ (scores.T @ scores) @ bread * (len(scores) / (len(scores) - 1)))


def loglik(y: Float[np.ndarray, "N"], odds: Float[np.ndarray, "N"]) -> float:
    """Log likelihood of outcomes 0 and 1 at these log odds; exact far out as well."""
    return float(-np.logaddexp(0.0, np.where(y > 0, -odds, odds)).sum())


def maximize(
    y: Float[np.ndarray, "N"],
    table: Float[np.ndarray, "N K"],
    start: Float[np.ndarray, "K"] | None = None,
    offset: Float[np.ndarray, "N"] | float = 0.0,
) -> Likelihood:
    """Newton's steps, halved while they lose. `offset`: added to the log odds, where a coefficient is held still."""
    beta = np.zeros(table.shape[1]) if start is None else start.copy()
    odds = table @ beta + offset
    log, converged = loglik(y, odds), not table.shape[1]
    for _ in range(0 if converged else STEPS):
        chances = expit(odds)
        curve = table.T @ (table * (chances * (1 - chances))[:, None])
        slope = table.T @ (y - chances)
        try:
            step = np.linalg.solve(curve, slope)
        except np.linalg.LinAlgError:  # chances all 0 or 1
            break
        for _ in range(HALVES):
            tried = table @ (beta + step) + offset
            gained = loglik(y, tried) - log
            if gained >= -CLOSE * abs(log):
                break
            step = step / 2
        beta, odds, log = beta + step, tried, log + gained
        if abs(gained) <= CLOSE * (abs(log) + CLOSE) and float(slope @ step) <= 1e-10:
            converged = True
            break
    return Likelihood(beta, expit(odds), log, table, converged)


def separated(y: Float[np.ndarray, "N"], table: Float[np.ndarray, "N K"]) -> Float[np.ndarray, "K"] | None:
    """Weights of columns whose sum is never on the wrong side for any row, and for some on the right one."""
    from scipy.optimize import linprog  # half a second, which not everybody should wait for

    signed = table * (2 * y - 1)[:, None]  # (N, K)
    best = linprog(-signed.sum(axis=0), A_ub=-signed, b_ub=np.zeros(len(y)), bounds=(-1, 1), method="highs")
    if best.status != 0 or -best.fun <= APART * len(y) ** 0.5:
        return None
    return np.asarray(best.x)


def entropy(share: float) -> float:
    """Log likelihood of a row if only the share of ones is known."""
    return float(xlogy(share, share) + xlogy(1 - share, 1 - share))
