"""What a forecast is: a distribution for each number, told by a few parameters. And the first of them, the normal.

    Distribution   what all can be asked: how likely, how far off, which quantile, a sample
    Normal         mean and standard deviation                              `normal.py`
    StudentT       location, scale, degrees of freedom: heavier tails       `student.py`
    Quantiles      the values at thirteen quantiles: any shape              `quantiles.py`

CRPS, the continuous ranked probability score, is the integral of (F(x) - 1{x >= y})^2 over x: in the unit of the
data, the absolute error where the distribution is a point (Gneiting & Raftery 2007, section 4.2). Gradients are exact
to first order and finite down to a standard deviation of 0; CRPS of a normal and of a t has no second order here.

B is any shape. Nothing here is rounded to the working type of a model: parameters are fp32 or wider.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

SMALLEST = 1e-30  # stands for a standard deviation of 0 where one divides by it
HALF_LOG_TAU = 0.5 * math.log(2 * math.pi)
ROOT_PI = math.sqrt(math.pi)
BANDS = (math.erf(1 / math.sqrt(2)), math.erf(2 / math.sqrt(2)), math.erf(3 / math.sqrt(2)))
"""Chance that a normal number lies within 1, 2, 3 standard deviations: 0.6827, 0.9545, 0.9973."""


def density(z: Float[Tensor, "*B"]) -> Float[Tensor, "*B"]:
    """Of the standard normal distribution."""
    return torch.exp(-0.5 * z * z - HALF_LOG_TAU)


def normal_nll(mean: Float[Tensor, "*#B"], sd: Float[Tensor, "*#B"], y: Float[Tensor, "*#B"]) -> Float[Tensor, "*B"]:
    """log s + z^2 / 2 + log(2 pi) / 2, z = (y - m) / s."""
    z = (y - mean) / sd
    return sd.log() + 0.5 * z * z + HALF_LOG_TAU


def normal_crps(mean: Float[Tensor, "*#B"], sd: Float[Tensor, "*#B"], y: Float[Tensor, "*#B"]) -> Float[Tensor, "*B"]:
    """(y - m) (2 Phi(z) - 1) + s (2 phi(z) - 1 / sqrt(pi)). Gneiting & Raftery 2007, eq. 5.

    CRPS grows in proportion to y - m and s together, so the factors of both are its partial derivatives (Euler), and
    autograd need not look into them: no division of 0 by 0 where s is 0.
    """
    with torch.no_grad():
        z = (y - mean) / sd.clamp_min(SMALLEST)
        by_distance = 2 * torch.special.ndtr(z) - 1
        by_sd = 2 * density(z) - 1 / ROOT_PI
    result: Tensor = (y - mean) * by_distance + sd * by_sd
    return result


class Distribution(ABC):
    """One for each number that is foreseen. Frozen: what changes it makes another."""

    @property
    @abstractmethod
    def parameters(self) -> Float[Tensor, "*B P"]:
        """What it is told by, side by side."""

    @property
    @abstractmethod
    def mean(self) -> Float[Tensor, "*B"]:
        """Expected value."""

    @property
    @abstractmethod
    def sd(self) -> Float[Tensor, "*B"]:
        """Standard deviation."""

    @abstractmethod
    def nll(self, y: Float[Tensor, "*#B"]) -> Float[Tensor, "*B"]:
        """Negative logarithm of the density at y, in nats: the log score."""

    @abstractmethod
    def crps(self, y: Float[Tensor, "*#B"]) -> Float[Tensor, "*B"]:
        """Continuous ranked probability score; formula at the head of this file."""

    @abstractmethod
    def cdf(self, y: Float[Tensor, "*#B"]) -> Float[Tensor, "*B"]:
        """Chance of y or less: of what came, its probability integral transform (PIT)."""

    @abstractmethod
    def quantile(self, p: Float[Tensor, "*#B"]) -> Float[Tensor, "*B"]:
        """The value that a share p lies below."""

    @abstractmethod
    def moved(self, shift: Float[Tensor, "*#B"], scale: Float[Tensor, "*#B"]) -> "Distribution":
        """Of x * scale + shift, where x is distributed like this: undoes a standardization."""

    @abstractmethod
    def widened(self, factor: Float[Tensor, "*#B"]) -> "Distribution":
        """Around the same centre, so many times as wide: what a calibration does."""

    def interval(self, level: float) -> tuple[Float[Tensor, "*B"], Float[Tensor, "*B"]]:
        """The middle band that holds a share `level`; its ends are as improbable."""
        tail = self.mean.new_tensor((1 - level) / 2)
        return self.quantile(tail), self.quantile(1 - tail)

    def sample(self, paths: int, generator: torch.Generator | None = None) -> Float[Tensor, "paths *B"]:
        """Independent draws: quantiles at random shares, drawn in fp64 so that the far tails have theirs."""
        mean = self.mean
        shape = (paths, *mean.shape)
        shares = torch.rand(shape, generator=generator, dtype=torch.float64, device=mean.device)
        return self.quantile(shares.clamp(2.0**-53, 1 - 2.0**-53)).to(mean.dtype)


@dataclass(frozen=True, eq=False)
class Normal(Distribution):
    """The normal distribution."""

    location: Float[Tensor, "*B"]
    scale: Float[Tensor, "*B"]

    @property
    def parameters(self) -> Float[Tensor, "*B P"]:
        """Mean and standard deviation."""
        return torch.stack((self.location, self.scale), -1)

    @property
    def mean(self) -> Float[Tensor, "*B"]:
        """Expected value."""
        return self.location

    @property
    def sd(self) -> Float[Tensor, "*B"]:
        """Standard deviation."""
        return self.scale

    def nll(self, y: Float[Tensor, "*#B"]) -> Float[Tensor, "*B"]:
        """See `normal_nll`."""
        return normal_nll(self.location, self.scale, y)

    def crps(self, y: Float[Tensor, "*#B"]) -> Float[Tensor, "*B"]:
        """See `normal_crps`."""
        return normal_crps(self.location, self.scale, y)

    def cdf(self, y: Float[Tensor, "*#B"]) -> Float[Tensor, "*B"]:
        """Phi(z)."""
        result: Tensor = torch.special.ndtr((y - self.location) / self.scale.clamp_min(SMALLEST))
        return result

    def quantile(self, p: Float[Tensor, "*#B"]) -> Float[Tensor, "*B"]:
        """m + s Phi^-1(p)."""
        result: Tensor = self.location + self.scale * torch.special.ndtri(p)
        return result

    def moved(self, shift: Float[Tensor, "*#B"], scale: Float[Tensor, "*#B"]) -> "Normal":
        """m * scale + shift and s * scale."""
        return Normal(self.location * scale + shift, self.scale * scale)

    def widened(self, factor: Float[Tensor, "*#B"]) -> "Normal":
        """s * factor."""
        return Normal(self.location, self.scale * factor)
