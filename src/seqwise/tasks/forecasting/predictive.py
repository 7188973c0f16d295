"""What was foreseen, in the data's own units: the model's distribution, moved back and, of logarithms, raised again.

    Foreseen    distributions of numbers, or of their logarithms, told as distributions of the numbers

Of logarithms, quantiles and bands are those of the logarithm, raised: exact. Mean, sd and CRPS are closed for a normal
(the lognormal: Baran & Lerch 2015, section 2); of other shapes they are sums over `GRID` quantiles.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from seqwise.models.distributions import BANDS, LEVELS, Distribution, Head, Normal, Quantiles, StudentT, told

GRID = 199  # quantiles in the middle of as many equal shares; for CRPS an error of some 0.1 %

# B is any shape; G quantiles


@dataclass(frozen=True, eq=False)
class Foreseen:
    """Distributions of numbers as they stand in the table. fp64."""

    inner: Distribution
    """Of the numbers, or of their logarithms."""
    logarithms: bool = False
    bands: tuple[tuple[Float[Tensor, "*B"], Float[Tensor, "*B"]], ...] = ()
    """Low and high of the bands of 68.27, 95.45 and 99.73 %, where these are not the distribution's own."""

    @property
    def mean(self) -> Float[Tensor, "*B"]:
        """Expected value."""
        if not self.logarithms:
            return self.inner.mean
        if isinstance(self.inner, Normal):
            return torch.exp(self.inner.mean + 0.5 * self.inner.sd**2)
        return self._grid().mean(0)

    @property
    def sd(self) -> Float[Tensor, "*B"]:
        """Standard deviation."""
        if not self.logarithms:
            return self.inner.sd
        if isinstance(self.inner, Normal):
            return self.mean * torch.expm1(self.inner.sd**2).sqrt()
        return self._grid().std(0, correction=0)

    def quantile(self, p: float) -> Float[Tensor, "*B"]:
        """The value that a share p lies below."""
        found = self.inner.quantile(torch.tensor(p, dtype=torch.float64))
        return found.exp() if self.logarithms else found

    def interval(self, level: float) -> tuple[Float[Tensor, "*B"], Float[Tensor, "*B"]]:
        """The middle band that holds a share `level`."""
        if self.bands and level in BANDS:
            low, high = self.bands[BANDS.index(level)]
            return (low.exp(), high.exp()) if self.logarithms else (low, high)
        return self.quantile((1 - level) / 2), self.quantile((1 + level) / 2)

    def cdf(self, y: Float[Tensor, "*B"]) -> Float[Tensor, "*B"]:
        """Chance of y or less."""
        return self.inner.cdf(self._thought(y))

    def nll(self, y: Float[Tensor, "*B"]) -> Float[Tensor, "*B"]:
        """Log score: the negative logarithm of the density, in nats; of a logarithm's with the change of the unit."""
        thought = self._thought(y)
        found = self.inner.nll(thought)
        return found + thought if self.logarithms else found

    def crps(self, y: Float[Tensor, "*B"]) -> Float[Tensor, "*B"]:
        """Continuous ranked probability score, in the unit of the data."""
        if not self.logarithms:
            return self.inner.crps(y)
        if isinstance(self.inner, Normal):
            return _lognormal_crps(self.inner, y)
        grid = self._grid()  # (G, *B)
        shares = _shares().view(-1, *([1] * y.ndim))
        return 2 * ((grid >= y).to(grid.dtype).sub(shares) * (grid - y)).mean(0)

    def scores(self, y: Float[Tensor, "*B"]) -> Float[Tensor, "*B"]:
        """Residuals as normal scores: standard normal where the distributions are right, whatever their shape."""
        shares = self.cdf(y).clamp(1e-16, 1 - 1e-16)
        scores: Tensor = torch.special.ndtri(shares)
        return scores

    def row(self, row: int) -> "Foreseen":
        """Those of one row."""
        bands = tuple((low[row], high[row]) for low, high in self.bands)
        return Foreseen(altered(self.inner, lambda told: told[row]), self.logarithms, bands)

    def _thought(self, y: Float[Tensor, "*B"]) -> Float[Tensor, "*B"]:
        """The number as the model thinks of it; what has no logarithm lies below all."""
        return y.clamp_min(1e-300).log() if self.logarithms else y

    def _grid(self) -> Float[Tensor, "G *B"]:
        shares = _shares().view(-1, *([1] * self.inner.mean.ndim))
        found = self.inner.quantile(shares)
        return found.exp() if self.logarithms else found


def _shares() -> Float[Tensor, "G"]:
    return (torch.arange(GRID, dtype=torch.float64) + 0.5) / GRID


def _lognormal_crps(inner: Normal, y: Float[Tensor, "*B"]) -> Float[Tensor, "*B"]:
    """y (2 Phi(w) - 1) - 2 exp(m + s^2 / 2) (Phi(w - s) + Phi(s / sqrt 2) - 1), w = (log y - m) / s."""
    mean, sd = inner.mean, inner.sd.clamp_min(1e-12)
    w = (y.clamp_min(1e-300).log() - mean) / sd
    ndtr: Callable[[Tensor], Tensor] = torch.special.ndtr
    high = 2 * torch.exp(mean + 0.5 * sd**2)
    return y * (2 * ndtr(w) - 1) - high * (ndtr(w - sd) + ndtr(sd / math.sqrt(2)) - 1)


KINDS: dict[type, Head] = {Normal: "normal", StudentT: "student", Quantiles: "quantiles"}


def altered(found: Distribution, change: Callable[[Tensor], Tensor]) -> Distribution:
    """The same distributions with other parameters: of a row, in another precision, on another device."""
    return told(KINDS[type(found)], change(found.parameters))


def of_paths(paths: Float[Tensor, "paths *B"], normal: bool) -> Distribution:
    """The distribution of many ways in which a series may go on: normal, or told by quantiles."""
    paths = paths.double()
    if normal:
        sd, mean = torch.std_mean(paths, 0, correction=1)
        return Normal(mean, sd.clamp_min(1e-12))
    values = torch.quantile(paths, torch.tensor(LEVELS, dtype=torch.float64), dim=0)  # (13, *B)
    values = torch.cummax(values + torch.arange(len(LEVELS)).view(-1, *([1] * (paths.ndim - 1))) * 1e-9, 0).values
    return Quantiles(values.movedim(0, -1))
