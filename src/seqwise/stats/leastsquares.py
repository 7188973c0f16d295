"""Least squares that keep the digits of the data: centre, scale, QR, then refine against the data themselves.

Longley's columns have a condition number of 4.86e9; in their own sds it is 111. That alone is worth what the normal
equations lose. The residuals that refine the solution are formed in extended precision where the machine has any
(Björck 1967, Iterative refinement of linear least squares solutions), so that little but the rounding of the data is
left.

    solve              coefficients, residuals, leverage
    Fit.covariance     of the coefficients: classic, HC3 (MacKinnon and White 1985), clustered (CR1)
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Shaped

from seqwise.stats.design import scales

# N rows, P columns, K coefficients: the intercept first where there is one

BLOCK = 65_536  # rows in extended precision at a time
STEPS = 3  # of refinement; each gains as many digits as the condition leaves
STEEP = 1e6  # condition beyond which squares of it are worth no digit
ALONE = 1e-8  # short of 1: leverage of a cluster that nothing else can correct
EXACT = 8 * float(np.finfo(np.float64).eps)  # of the outcome: residuals that small are rounding


@dataclass(frozen=True, eq=False)
class Fit:
    """A solution and what its errors are computed from."""

    coefficients: Float[np.ndarray, "K"]
    standardized: Float[np.ndarray, "P"]
    """In sds of the outcome for an sd of the column."""
    fitted: Float[np.ndarray, "N"]
    residuals: Float[np.ndarray, "N"]
    leverage: Float[np.ndarray, "N"]
    """Share of its own outcome in a row's fitted value."""
    squares: float
    """Of the residuals; exactly 0 where they are rounding."""
    total: float
    """Squares of the outcome about its mean, or about 0 without intercept."""
    basis: Float[np.ndarray, "N K"]
    """Orthonormal; spans what the columns can say."""
    back: Float[np.ndarray, "K K"]
    """From coordinates in the basis to coefficients."""

    @property
    def df(self) -> int:
        """Rows that are free to differ from the fit."""
        return int(self.basis.shape[0] - self.basis.shape[1])

    def classic(self) -> Float[np.ndarray, "K K"]:
        """Covariance of the coefficients where all rows scatter alike, each for itself."""
        return np.asarray(self.squares / self.df * self.back @ self.back.T)

    def hc3(self) -> Float[np.ndarray, "K K"]:
        """The same where some rows scatter more than others."""
        weights = self.residuals / (1 - self.leverage)
        return self._sandwich(self.basis * weights[:, None])

    def clustered(self, codes: Int[np.ndarray, "N"]) -> Float[np.ndarray, "K K"]:
        """The same where rows of a cluster belong together."""
        n, k = self.basis.shape
        clusters = int(codes.max()) + 1
        sums = np.zeros((clusters, k))
        np.add.at(sums, codes, self.basis * self.residuals[:, None])
        return self._sandwich(sums) * float(clusters / (clusters - 1) * (n - 1) / (n - k))

    def decided(self, codes: Int[np.ndarray, "N"]) -> tuple[int, int] | None:
        """A cluster that alone decides a coefficient, and which one: its residuals say nothing of that one's error."""
        for cluster in np.flatnonzero(np.bincount(codes, self.leverage) >= 1 - ALONE):
            rows = self.basis[codes == cluster]  # (M, K)
            sizes, ways = np.linalg.eigh(rows.T @ rows)
            if sizes[-1] >= 1 - ALONE:
                moved = np.abs(self.back @ ways[:, -1]) / np.sqrt((self.back**2).sum(axis=1))
                return int(cluster), int(moved.argmax())
        return None

    def _sandwich(self, scores: Float[np.ndarray, "M K"]) -> Float[np.ndarray, "K K"]:
        root = scores @ self.back.T
        return np.asarray(root.T @ root)


def solve(y: Float[np.ndarray, "N"], x: Float[np.ndarray, "N P"], intercept: bool = True) -> Fit:
    """The coefficients that leave the least squares."""
    means, sds = scales(x, intercept)
    z = (x - means) / sds
    table = np.hstack([np.ones((len(z), 1)), z]) if intercept else z  # (N, K)
    basis, r = np.linalg.qr(table)
    inverse = np.linalg.inv(r)
    steep = float(np.linalg.cond(r)) > STEEP
    g = np.zeros(r.shape[0], dtype=np.longdouble)  # coefficients of the scaled columns
    for _ in range(STEPS):
        left, slope = _left(y, x, means, sds, g, intercept)
        step = basis.T @ left if steep else inverse.T @ slope
        g = g + (inverse @ step).astype(np.longdouble)
    residuals, _ = _left(y, x, means, sds, g, intercept)
    back = unscale(means, sds, intercept)
    squares = float((residuals**2).sum())
    if squares <= EXACT**2 * float((y**2).sum()):
        residuals, squares = np.zeros_like(residuals), 0.0
    about = y - y.mean() if intercept else y
    total = float((about**2).sum())
    slopes = g[1:] if intercept else g
    return Fit(
        coefficients=(back @ g).astype(np.float64),
        standardized=slopes.astype(np.float64) / (total / len(y)) ** 0.5,
        fitted=y - residuals,
        residuals=residuals,
        leverage=np.minimum(1.0, (basis**2).sum(axis=1)),
        squares=squares,
        total=total,
        basis=basis,
        back=back.astype(np.float64) @ inverse,
    )


def _left(
    y: Float[np.ndarray, "N"],
    x: Float[np.ndarray, "N P"],
    means: Float[np.ndarray, "P"],
    sds: Float[np.ndarray, "P"],
    g: Shaped[np.ndarray, "K"],
    intercept: bool,
) -> tuple[Float[np.ndarray, "N"], Float[np.ndarray, "K"]]:
    """Residuals, and their products with the columns: 0 at the solution."""
    left, slope = np.empty(len(y)), np.zeros(len(g), dtype=np.longdouble)
    for begin in range(0, len(y), BLOCK):
        rows = slice(begin, begin + BLOCK)
        z = (x[rows].astype(np.longdouble) - means) / sds
        if intercept:
            z = np.hstack([np.ones((len(z), 1), dtype=np.longdouble), z])
        rest = y[rows].astype(np.longdouble) - z @ g
        left[rows] = rest
        slope += rest @ z
    return left, slope.astype(np.float64)


def unscale(means: Float[np.ndarray, "P"], sds: Float[np.ndarray, "P"], intercept: bool) -> Shaped[np.ndarray, "K K"]:
    """From coefficients of scaled columns to those of the columns as they are."""
    slopes = np.diag(1 / sds.astype(np.longdouble))
    if not intercept:
        return slopes
    back = np.zeros((len(sds) + 1, len(sds) + 1), dtype=np.longdouble)
    back[0, 0] = 1
    back[0, 1:] = -means.astype(np.longdouble) / sds
    back[1:, 1:] = slopes
    return back
