"""Student's t: a normal distribution whose tails are as heavy as its degrees of freedom are few.

    y = location + scale t,   t with df degrees of freedom, df > 2 so that there is a standard deviation

CRPS by Jordan, Krueger & Lerch 2019, appendix A. Its distribution function has no closed form for arbitrary df; with
t = sqrt(df) tan(a) it is an integral of cos(a)^(df - 1), smooth and over a short way, so that 32 nodes of Gauss and
Legendre give it to 1e-9 or better, and its derivative by df with it.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from scipy import special
from torch import Tensor
from torch.autograd.function import FunctionCtx

from seqwise.models.normal import SMALLEST, Distribution

NODES, WEIGHTS = (torch.from_numpy(part) for part in np.polynomial.legendre.leggauss(32))
FAR = 40.0  # -log of what the integrand has fallen to where the integral may end
ROWS = 2**16  # integrals at a time


def _log_constant(df: Float[Tensor, "*B"]) -> Float[Tensor, "*B"]:
    """Of the density of t: log of Gamma((df + 1) / 2) / (sqrt(df pi) Gamma(df / 2))."""
    return torch.lgamma((df + 1) / 2) - torch.lgamma(df / 2) - 0.5 * torch.log(df * math.pi)


def student_log_density(z: Float[Tensor, "*#B"], df: Float[Tensor, "*#B"]) -> Float[Tensor, "*B"]:
    """Of t itself, location 0 and scale 1."""
    return _log_constant(df) - (df + 1) / 2 * torch.log1p(z * z / df)


def _integrals(z: Tensor, df: Tensor) -> tuple[Tensor, Tensor]:
    """Of the density from 0 to |z|, in fp64, and its derivative by df; (N,) each."""
    power = df - 1
    end = torch.atan(z.abs() / df.sqrt())
    last = torch.arccos(torch.exp(-FAR / power))  # where cos^power is e^-FAR
    half = torch.minimum(end, last)[:, None] / 2  # (N, 1)
    logs = torch.log(torch.cos(half * (NODES.to(z.device) + 1)))  # (N, 32)
    parts = WEIGHTS.to(z.device) * torch.exp(power[:, None] * logs)
    constant = torch.exp(_log_constant(df)) * df.sqrt()
    within = constant * half[:, 0] * parts.sum(1)
    # by df: of the constant, of the power, and of the end, arctan(|z| / sqrt(df))
    slope = 0.5 * (torch.digamma((df + 1) / 2) - torch.digamma(df / 2))
    moved = -torch.where(end < last, z.abs() * torch.exp(student_log_density(z, df)) / (2 * df), 0.0)
    return within, slope * within + constant * half[:, 0] * (parts * logs).sum(1) + moved


class _CDF(torch.autograd.Function):
    """F(z; df), with a gradient by df alone."""

    @staticmethod
    def forward(ctx: FunctionCtx, z: Tensor, df: Tensor) -> Tensor:
        parts = zip(*(torch.split(x.reshape(-1).double(), ROWS) for x in (z, df)), strict=True)
        within, slopes = (torch.cat(found) for found in zip(*(_integrals(*part) for part in parts), strict=True))
        sign = torch.sign(z)
        ctx.save_for_backward((sign * slopes.view(z.shape)).to(df.dtype))
        return (0.5 + sign * within.view(z.shape)).to(df.dtype)

    @staticmethod
    def backward(ctx: FunctionCtx, *gradients: Tensor) -> tuple[None, Tensor]:
        (slope,) = ctx.saved_tensors  # type: ignore[attr-defined]
        return None, gradients[0] * slope


def student_cdf(z: Float[Tensor, "*#B"], df: Float[Tensor, "*#B"]) -> Float[Tensor, "*B"]:
    """Chance that t is z or less; differentiable by df."""
    both = z + df
    z, df = z.expand_as(both), df.expand_as(both)
    if not z.numel():
        return torch.zeros_like(z)
    result: Tensor = _CDF.apply(z.detach(), df)  # type: ignore[no-untyped-call]
    return result


def student_crps(
    location: Float[Tensor, "*#B"],
    scale: Float[Tensor, "*#B"],
    df: Float[Tensor, "*#B"],
    y: Float[Tensor, "*#B"],
) -> Float[Tensor, "*B"]:
    """(y - m) (2 F(z) - 1) + s (2 f(z) (df + z^2) - 2 sqrt(df) B(1/2, df - 1/2) / B(1/2, df / 2)^2) / (df - 1).

    As in `normal_crps`, both factors are the derivatives by y - m and s; by df they are differentiated as they stand.
    """
    z = ((y - location) / scale.clamp_min(SMALLEST)).detach()
    by_distance = 2 * student_cdf(z, df) - 1
    # 2 f(z) (df + z^2) / (df - 1), where z^2 would be infinite beside a density of 0
    near = torch.exp(_log_constant(df) - (df - 1) / 2 * torch.log1p(z * z / df))
    half = torch.full_like(df, 0.5)
    log_c = _log_beta(half, df - 0.5) - 2 * _log_beta(half, df / 2)
    by_scale = (2 * df * near - 2 * df.sqrt() * torch.exp(log_c)) / (df - 1)
    return (y - location) * by_distance + scale * by_scale


def _log_beta(a: Tensor, b: Tensor) -> Tensor:
    return torch.lgamma(a) + torch.lgamma(b) - torch.lgamma(a + b)


@dataclass(frozen=True, eq=False)
class StudentT(Distribution):
    """Student's t, moved and stretched."""

    location: Float[Tensor, "*B"]
    scale: Float[Tensor, "*B"]
    """Less than the standard deviation, by sqrt(df / (df - 2))."""
    df: Float[Tensor, "*B"]
    """Degrees of freedom, more than 2."""

    @property
    def parameters(self) -> Float[Tensor, "*B P"]:
        """Location, scale, degrees of freedom."""
        return torch.stack((self.location, self.scale, self.df), -1)

    @property
    def mean(self) -> Float[Tensor, "*B"]:
        """Expected value."""
        return self.location

    @property
    def sd(self) -> Float[Tensor, "*B"]:
        """Standard deviation."""
        return self.scale * torch.sqrt(self.df / (self.df - 2))

    def nll(self, y: Float[Tensor, "*#B"]) -> Float[Tensor, "*B"]:
        """-log f(z) + log s."""
        return self.scale.log() - student_log_density((y - self.location) / self.scale, self.df)

    def crps(self, y: Float[Tensor, "*#B"]) -> Float[Tensor, "*B"]:
        """See `student_crps`."""
        return student_crps(self.location, self.scale, self.df, y)

    def cdf(self, y: Float[Tensor, "*#B"]) -> Float[Tensor, "*B"]:
        """F(z)."""
        return student_cdf((y - self.location) / self.scale.clamp_min(SMALLEST), self.df)

    def quantile(self, p: Float[Tensor, "*#B"]) -> Float[Tensor, "*B"]:
        """m + s F^-1(p), without a gradient by df: scipy inverts F, on the processor."""
        df = self.df.detach().cpu().double().numpy()
        t = np.asarray(special.stdtrit(df, p.detach().cpu().double().numpy()))
        return self.location + self.scale * torch.from_numpy(t).to(self.location)

    def moved(self, shift: Float[Tensor, "*#B"], scale: Float[Tensor, "*#B"]) -> "StudentT":
        """Location and scale; the tails stay."""
        return StudentT(self.location * scale + shift, self.scale * scale, self.df)

    def widened(self, factor: Float[Tensor, "*#B"]) -> "StudentT":
        """s * factor."""
        return StudentT(self.location, self.scale * factor, self.df)
