"""How far values are from the normal distribution with their mean and sd.

    distance    largest difference between the share of values up to a point and the normal's (Kolmogorov)
    gap         largest difference between a value and the one that a normal sample has in its place (QQ), in its unit
    shape       skewness and excess kurtosis, with their sd over normal samples
    bands       shares within 1, 2 and 3 sd

Each distance stands beside the one below which 95 of 100 normal samples of the same size stay (Stephens 1974, mean and
sd fitted; 5 %). Means and t-tests need a normal mean, not normal values: 30 of them, and n > 25 skewness^2 (Cochran
1977, Sampling Techniques, 2.15). Left out: tests, which stand in `normality.py`.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from seqwise.stats.assumptions import COCHRAN, SMALL
from seqwise.stats.normal import Bands, Normal, bands, moments, qq
from seqwise.stats.samples import shape, shape_errors, squarable

# N values

FEW = 20  # values: below them skewness and kurtosis say nothing
LITTLE = 2.0  # percentage points that make no difference in practice
Shape = Literal["in line with normal", "close to normal", "not normal", "cannot tell"]


@dataclass(frozen=True)
class Departure:
    """How far values are from normal, and what that allows."""

    name: str
    unit: str
    n: int
    mean: float
    sd: float
    skewness: float
    """0 of a normal distribution, above 0 with a long tail to the right (g1)."""
    skewness_error: float
    """Its sd over normal samples of this size."""
    kurtosis: float
    """Excess over a normal distribution's (g2): above 0 with heavy tails, -1.2 of a uniform one."""
    kurtosis_error: float
    kurtosis_z: float | None
    """How far out that is for a normal sample of this size, in sd (Anscombe and Glynn 1983); none below 20 values."""
    distance: float
    """Kolmogorov's, in percentage points."""
    distance_at: float
    """The value where it is."""
    usual: float
    """What 95 of 100 normal samples of this size stay below, in percentage points."""
    gap: float
    """The QQ plot's largest, in the data's unit."""
    gap_at: float
    correlation: float
    """Of the QQ plot."""
    different: int
    """Values that differ from all others."""
    bands: Bands

    @property
    def departs(self) -> bool:
        """Whether normal samples of this size hardly look like this."""
        skew = abs(self.skewness) > 3 * self.skewness_error
        kurtosis = self.kurtosis_z is not None and abs(self.kurtosis_z) > 3
        return self.distance > self.usual or (self.n >= FEW and skew) or kurtosis

    @property
    def shape(self) -> Shape:
        """What the values look like."""
        if not self.departs:
            return "in line with normal" if self.n >= 50 else "cannot tell"
        little = self.distance <= LITTLE and abs(self.skewness) <= 0.3 and abs(self.kurtosis) <= 1
        return "close to normal" if little else "not normal"

    @property
    def needed(self) -> int:
        """Values whose mean is close to normal, with this skewness."""
        return max(SMALL, math.ceil(COCHRAN * self.skewness**2))

    @property
    def means(self) -> bool | None:
        """Whether means and t-tests of samples of this size may count on it. None: so few values cannot tell."""
        if self.n >= self.needed and abs(self.kurtosis) <= self.n / 10:
            return True
        return False if self.departs else None


def departure(x: Float[np.ndarray, "N"], name: str = "", unit: str = "") -> Departure:
    """Measures them. Three values or more."""
    values = np.sort(squarable(x, name, 3))
    n, (mean, sd) = len(values), moments(values)
    fitted = Normal(mean, sd)
    z = fitted.z(values)  # (N,)
    skew, kurtosis = shape(z)
    distance, place = kolmogorov(values, fitted)
    points = qq(values)
    gaps = np.abs(values - (mean + sd * points.theoretical))
    worst = int(gaps.argmax())
    errors = shape_errors(n)
    return Departure(
        name=name,
        unit=unit,
        n=n,
        mean=mean,
        sd=sd,
        skewness=skew,
        skewness_error=errors[0],
        kurtosis=kurtosis,
        kurtosis_error=errors[1],
        kurtosis_z=_kurtosis_z(z) if n >= FEW else None,
        distance=100 * distance,
        distance_at=place,
        usual=100 * usual(n),
        gap=float(gaps[worst]),
        gap_at=float(values[worst]),
        correlation=points.correlation,
        different=len(np.unique(values)),
        bands=bands(values),
    )


def kolmogorov(ordered: Float[np.ndarray, "N"], normal: Normal) -> tuple[float, float]:
    """Largest difference between the share of values up to a point and the normal's, and that point."""
    n, chances = len(ordered), normal.cdf(ordered)
    steps = np.arange(n + 1) / n
    away = np.maximum(steps[1:] - chances, chances - steps[:-1])  # after and before each step
    worst = int(away.argmax())
    return float(away[worst]), float(ordered[worst])


def usual(n: int) -> float:
    """The distance below which 95 of 100 normal samples stay, mean and sd fitted (Stephens 1974, table 1A)."""
    return 0.895 / (math.sqrt(n) - 0.01 + 0.85 / math.sqrt(n))


def _kurtosis_z(z: Float[np.ndarray, "N"]) -> float:
    from scipy.stats import kurtosistest  # half a second, which only those who look at normality should wait for

    return float(kurtosistest(z).statistic)
