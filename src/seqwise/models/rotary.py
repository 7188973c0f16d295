"""Rotary positions: queries and keys turned by an angle that grows with the position. Su et al. 2021, section 3.2.

Then the product of a query at p and a key at q depends on p - q only. Models that were trained on short texts are
stretched to longer ones by turning more slowly, in one of four ways:

    linear     all angles divided by a factor                     Chen et al. 2023
    dynamic    as trained up to the trained length; longer texts are refused here, since what was cached at the old
               angles would have to be turned again
    yarn       fast angles kept, slow ones divided                Peng et al. 2024, sections 3.2 to 3.4
    llama3     the same with bounds on the wavelength             Grattafiori et al. 2024; the code of Llama 3.1

Letters of the shapes: B rows, H heads, T positions, D width of a head.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Annotated, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seqwise.config import Range
from seqwise.errors import ConfigError, Fault


@dataclass(frozen=True)
class RotationSettings:
    """How a rotation is stretched to texts longer than those of its training."""

    kind: Literal["none", "linear", "dynamic", "yarn", "llama3"] = "none"
    """Which way; see `models.rotary`."""
    factor: Annotated[float, Range(1.0)] = 1.0
    """How many times longer."""
    trained: Annotated[int, Range(1)] = 8192
    """Positions of the training before the stretching."""
    low: float = 1.0
    """Turns within the trained positions up to which an angle counts as slow: yarn's beta_slow, llama3's low factor."""
    high: float = 4.0
    """Turns from which an angle counts as fast: yarn's beta_fast (32 is usual), llama3's high factor."""
    whole: bool = True
    """yarn: round the bounds of slow and fast to whole coordinates."""
    sharpness: float | None = None
    """yarn: what cosine and sine are multiplied by, which sharpens attention; None: 0.1 ln(factor) + 1."""

    def faults(self) -> Iterator[Fault]:
        """Bounds in the wrong order."""
        if self.low >= self.high:
            yield Fault(
                f"--model.positions.rotation.low {self.low:g} with high {self.high:g}",
                "a lower bound below the higher one",
                f"--model.positions.rotation.high {4 * max(self.low, 1):g}",
            )


UNSTRETCHED = RotationSettings()


def frequencies(width: int, theta: float = 10_000.0) -> Float[Tensor, "half"]:
    """Angles a position, theta ** (-2 i / width), one for each pair of coordinates."""
    return theta ** (-torch.arange(0, width, 2, dtype=torch.float32) / width)


def stretched(rates: Float[Tensor, "half"], theta: float, settings: RotationSettings) -> Float[Tensor, "half"]:
    """The angles a position after stretching."""
    match settings.kind:
        case "linear":
            return rates / settings.factor
        case "yarn":
            slow = _slow_yarn(len(rates), theta, settings)
            return rates / settings.factor * slow + rates * (1 - slow)
        case "llama3":
            turned = settings.trained * rates / (2 * math.pi)  # within the trained positions
            fast = ((turned - settings.low) / (settings.high - settings.low)).clamp(0, 1)
            return (1 - fast) * rates / settings.factor + fast * rates
        case _:
            return rates


def _slow_yarn(half: int, theta: float, settings: RotationSettings) -> Float[Tensor, "half"]:
    """1 where an angle is slow, 0 where it is fast, a straight line between."""

    def coordinate(turned: float) -> float:
        """Which one turns so often within the trained positions."""
        return half * math.log(settings.trained / (turned * 2 * math.pi)) / math.log(theta)

    first, last = coordinate(settings.high), coordinate(settings.low)
    if settings.whole:
        first, last = math.floor(first), math.ceil(last)
    first, last = max(first, 0), min(last, 2 * half - 1)
    return ((torch.arange(half) - first) / ((last - first) or 0.001)).clamp(0, 1)


def sharpness(settings: RotationSettings) -> float:
    """What cosine and sine are multiplied by."""
    if settings.sharpness is not None:
        return settings.sharpness
    return 0.1 * math.log(settings.factor) + 1.0 if settings.kind == "yarn" and settings.factor > 1 else 1.0


@cache
def _rates(width: int, theta: float, settings: RotationSettings) -> Float[Tensor, "half"]:
    """Once for a model, not once for a step."""
    with torch.inference_mode(False), torch.device("cpu"):
        return stretched(frequencies(width, theta), theta, settings)


@dataclass(frozen=True)
class Rotation:
    """Cosine and sine of the angles, ready to turn all heads of all layers."""

    cos: Float[Tensor, "#B 1 T half"]
    sin: Float[Tensor, "#B 1 T half"]
    interleaved: bool
    _typed: dict[torch.dtype, tuple[Tensor, ...]] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def at(
        cls,
        where: Int[Tensor, "..."],
        width: int,
        theta: float = 10_000.0,
        interleaved: bool = False,
        settings: RotationSettings = UNSTRETCHED,
    ) -> "Rotation":
        """where: positions, (T,) for all rows or (B, T) for each its own."""
        if settings.kind == "dynamic" and where.numel() and int(where.max()) >= settings.trained:
            raise ConfigError(
                f"a text of {int(where.max()) + 1} tokens",
                f"at most {settings.trained}, since its positions are stretched dynamically",
                "a shorter text, or a checkpoint with linear, yarn or llama3 scaling",
            )
        rates = _rates(width, theta, settings).to(where.device)
        angles = where.float()[..., None] * rates  # (T, half) or (B, T, half)
        angles = angles[None, None] if where.ndim == 1 else angles[:, None]
        scale = sharpness(settings)
        if scale == 1.0:
            return cls(angles.cos(), angles.sin(), interleaved)
        return cls(angles.cos() * scale, angles.sin() * scale, interleaved)

    @cached_property
    def whole(self) -> tuple[Float[Tensor, "#B 1 T D"], Float[Tensor, "#B 1 T D"]]:
        """Cosine and signed sine for all D coordinates, half by half: fewer calls to turn a single position."""
        return torch.cat((self.cos, self.cos), -1), torch.cat((-self.sin, self.sin), -1)

    def _whole_in(self, dtype: torch.dtype) -> tuple[Tensor, ...]:
        """`whole` in another type, once for all layers."""
        if dtype not in self._typed:
            self._typed[dtype] = tuple(part.to(dtype) for part in self.whole)
        return self._typed[dtype]

    def to(self, dtype: torch.dtype) -> "Rotation":
        """The same in another type."""
        return Rotation(self.cos.to(dtype), self.sin.to(dtype), self.interleaved)

    def turn(self, x: Float[Tensor, "B H T D"]) -> Float[Tensor, "B H T D"]:
        """Turn each pair of coordinates: (i, i + D/2), or (2i, 2i + 1) when interleaved. Su et al. 2021, eq. 34."""
        if not self.interleaved and not torch.is_grad_enabled():
            wide, signed = self._whole_in(x.dtype)
            return torch.addcmul(x * wide, x.roll(x.shape[-1] // 2, -1), signed)
        cos, sin = self.cos.to(x.dtype), self.sin.to(x.dtype)
        if self.interleaved:
            even, odd = x[..., 0::2], x[..., 1::2]  # (B, H, T, D/2) each
            return torch.stack((even * cos - odd * sin, even * sin + odd * cos), -1).flatten(-2)
        first, second = x.chunk(2, -1)  # (B, H, T, D/2) each
        return torch.cat((first * cos - second * sin, first * sin + second * cos), -1)


def rotate(
    x: Float[Tensor, "B H T D"],
    positions: Int[Tensor, "#T"],
    theta: float = 10_000.0,
    interleaved: bool = False,
) -> Float[Tensor, "B H T D"]:
    """Turn each head by its position. D must be even."""
    return Rotation.at(positions, x.shape[-1], theta, interleaved).turn(x)
