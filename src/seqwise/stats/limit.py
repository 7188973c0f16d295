"""The central limit theorem on given values: means of samples of them become normal, whatever their own shape.

Samples are drawn with replacement, so that the values stand for the whole population: its mean and sd (n in the
denominator) are known, and a mean of k values has sd / sqrt(k). For each k the means' distance from that normal stands
beside the largest one possible, C rho / sqrt(k) with rho = E|X - mean|^3 / sd^3 (Berry 1941, Esseen 1942; C = 0.4748,
Shevtsova 2011). k = 1 is exact; the others rest on draws, which blur distances by `noise`.

Left out: values that depend on one another, and populations without a variance: of given values there always is one,
but for heavy tails it says little.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from seqwise.errors import ConfigError
from seqwise.stats.departure import kolmogorov
from seqwise.stats.normal import Normal
from seqwise.stats.phrases import joined, led, number, parts
from seqwise.stats.results import Grid, plain
from seqwise.stats.samples import shape, squarable

# N values, D draws

SIZES = (1, 2, 5, 10, 30, 100)
SHEVTSOVA = 0.4748
NEAR = 2.0  # percentage points from which a mean passes for normal
CELLS = 1 << 22  # values drawn at once: 32 MB


@dataclass(frozen=True)
class Means:
    """Means of samples of one size."""

    size: int
    distance: float
    """Kolmogorov's, from the normal with the population's mean and sd / sqrt(size), in percentage points."""
    bound: float
    """No population with these moments can be further away (Berry and Esseen), in percentage points."""
    skewness: float
    skewness_expected: float
    """The population's by sqrt(size)."""
    sd: float
    """Of the means, in the data's unit."""
    sd_expected: float
    within: tuple[float, float]
    """Shares within 1 and 2 sd_expected of the mean; 0.683 and 0.954 of a normal."""


@dataclass(frozen=True)
class CentralLimit:
    """Means of samples of given values, size by size."""

    name: str
    unit: str
    n: int
    mean: float
    sd: float
    """Of the values as a population: n in the denominator."""
    rho: float
    """E|X - mean|^3 / sd^3: 1 at least, 1.6 of a normal, large with heavy tails."""
    draws: int
    noise: float
    """What draws alone make of no distance in 19 of 20 cases (Kolmogorov), in percentage points."""
    rows: tuple[Means, ...]

    @property
    def near(self) -> int | None:
        """The size from which on the means are within 2 percentage points of a normal, give or take the noise."""
        sizes = [row.size for row in self.rows]
        far = [row.size for row in self.rows if row.distance > NEAR + (self.noise if row.size > 1 else 0)]
        return sizes[0] if not far else min((size for size in sizes if size > max(far)), default=None)

    def sentences(self) -> tuple[str, ...]:
        """How fast means become normal, and how fast they settle."""
        last = self.rows[-1]
        told = (led(self.name, self._shape(last)),)
        return told if last.size == 1 else (*told, self._spread(last), self._cover(last))

    def _shape(self, last: Means) -> str:
        rows = [f"{number(row.distance, 2)} percentage points for {_of(row.size)}" for row in (self.rows[0], last)]
        away = f"distance from a normal distribution {joined(rows if last.size > self.rows[0].size else rows[:1])}"
        if self.near is None:
            end = f"means of {last.size:,} are not yet near one" if last.size > 1 else "that is not near"
        elif self.near == 1:
            end = "single values are near one already"
        else:
            end = f"from {self.near:,} values on, of the sizes tried, means are near one"
        blur = f"; {self.draws:,} draws blur it by up to {number(self.noise, 2)}" if last.size > 1 else ""
        return f"{away}: {end}{blur}."

    def _spread(self, last: Means) -> str:
        seen, expected = number(last.sd), f"{number(last.sd_expected)} {self.unit}".rstrip()
        told = f"The sd of {_of(last.size)} is {seen}, where sd / sqrt(n) is {expected}"
        if last.bound >= 100:
            return f"{told}."
        return f"{told}; no distance at this size can exceed {number(last.bound, 3)} percentage points (Berry-Esseen)."

    def _cover(self, last: Means) -> str:
        seen = joined([parts(share) for share in last.within])
        return f"Within 1 and 2 sd / sqrt(n) of the mean lie {seen} of {_of(last.size)}; of a normal 68.3 % and 95.4 %."

    def grids(self) -> tuple[Grid, ...]:
        """A row for each size."""
        unit = f" ({self.unit})" if self.unit else ""
        columns = ("size", "distance", "bound", "skewness", "expected", f"sd{unit}", "sd / sqrt(n)", "1 sd %", "2 sd %")
        rows = tuple(
            (
                row.size, row.distance, min(100.0, row.bound), row.skewness, row.skewness_expected, row.sd,
                row.sd_expected, *(100 * share for share in row.within),
            )
            for row in self.rows
        )  # fmt: skip
        note = f"Distances in percentage points; {self.draws:,} draws blur them by up to {number(self.noise, 2)}."
        return (Grid("Means of samples", columns, rows, note),)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {**plain(self), "near": self.near, "told": list(self.sentences())}


def central_limit(
    x: Float[np.ndarray, "N"],
    sizes: Sequence[int] = SIZES,
    draws: int = 10_000,
    seed: int = 0,
    name: str = "",
    unit: str = "",
) -> CentralLimit:
    """Draws means of each size out of the values and compares them with the normal distribution they tend to."""
    values = np.sort(squarable(x, name))
    asked = sorted({int(size) for size in sizes})
    if not asked or asked[0] < 1:
        raise ConfigError(f"sizes={tuple(sizes)}", "one size or more, each at least 1", f"sizes={SIZES}")
    if draws < 100:
        raise ConfigError(f"draws={draws}", "at least 100", "draws=10_000")
    mean, sd = float(values.mean()), float(values.std())
    z = (values - mean) / sd  # (N,)
    rho, skew = float((np.abs(z) ** 3).mean()), shape(z)[0]
    generator, rows = np.random.default_rng(seed), []
    for size in asked:
        drawn = z if size == 1 else np.sort(_drawn(z, size, draws, generator)) * math.sqrt(size)  # (D,), sd 1
        rows.append(_means(size, drawn, sd, skew, rho))
    noise = 100 * 1.358 / math.sqrt(draws)  # Kolmogorov's distribution at 95 %
    return CentralLimit(name, unit, len(values), mean, sd, rho, draws, noise, tuple(rows))


def _means(size: int, drawn: Float[np.ndarray, "D"], sd: float, skew: float, rho: float) -> Means:
    """drawn: means in order, with sd 1 where theory is right."""
    away, root = np.abs(drawn), math.sqrt(size)
    return Means(
        size=size,
        distance=100 * kolmogorov(drawn, Normal())[0],
        bound=100 * SHEVTSOVA * rho / root,
        skewness=shape(drawn)[0] if np.ptp(drawn) > 0 else 0.0,
        skewness_expected=skew / root,
        sd=float(drawn.std()) * sd / root,
        sd_expected=sd / root,
        within=(float((away <= 1).mean()), float((away <= 2).mean())),
    )


def _drawn(z: Float[np.ndarray, "N"], size: int, draws: int, generator: np.random.Generator) -> Float[np.ndarray, "D"]:
    """Means of so many values each, drawn with replacement, in batches that fit memory."""
    means, step = np.empty(draws), max(1, CELLS // size)
    for begin in range(0, draws, step):
        rows = min(step, draws - begin)
        places: Int[np.ndarray, "D K"] = generator.integers(0, len(z), (rows, size))
        means[begin : begin + rows] = z[places].mean(axis=1)
    return means


def _of(size: int) -> str:
    return "single values" if size == 1 else f"means of {size:,}"
