"""A distribution of any shape, told by its values at thirteen quantiles that never cross.

The quantiles are those that a normal number has at -3, -2.5, ... 3 standard deviations, so that the bands of 68.27,
95.45 and 99.73 % are among them. Between two of them, and beyond the last, the distribution is a piece of a normal one:

    x = v_k + b_k (z - z_k),   z standard normal between z_k and z_k+1,   b_k = (v_k+1 - v_k) / (z_k+1 - z_k)

so that density, distribution function, moments and CRPS are closed, and thirteen values on a line are a normal
distribution exactly. CRPS is the integral of F^2 below y and of (1 - F)^2 above it, and of Phi^2 that is

    G(z) = z Phi(z)^2 + 2 phi(z) Phi(z) - Phi(sqrt(2) z) / sqrt(pi)

    B  any shape    Q  13 quantiles    K  12 pieces between them
"""

import math
from dataclasses import dataclass
from functools import cache, cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seqwise.models.normal import HALF_LOG_TAU, ROOT_PI, Distribution, density

GAP = 0.5  # standard deviations from one quantile to the next
SCORES = tuple(GAP * k for k in range(-6, 7))
"""The quantiles, as normal scores."""
TINIEST = 1e-12  # of a standard deviation
COUNT, MIDDLE = len(SCORES), len(SCORES) // 2
LEVELS = tuple(0.5 * math.erfc(-z / math.sqrt(2)) for z in SCORES)
"""The same as shares: 0.00135, 0.0062, ... 0.99865."""


def _integral(z: Float[Tensor, "*B"]) -> Float[Tensor, "*B"]:
    """Of Phi^2 up to z."""
    below = torch.special.ndtr(z)
    result: Tensor = z * below**2 + 2 * density(z) * below - torch.special.ndtr(math.sqrt(2) * z) / ROOT_PI
    return result


@dataclass(frozen=True, eq=False)
class _Tables:
    """What no distribution changes; fp64."""

    scores: Float[Tensor, "Q"]
    crps: Float[Tensor, "K K"]
    """Row: the piece that y lies in; column: what CRPS owes to each piece, by its b, besides S(z) of y's own."""
    share: Float[Tensor, "K"]
    """Probability of each piece."""
    first: Float[Tensor, "K"]
    """Mean of z within it, times its probability."""
    second: Float[Tensor, "K"]
    """The same of z^2."""


@cache
def _tables() -> _Tables:
    scores = torch.tensor(SCORES, dtype=torch.float64)
    inner = scores[1:-1]  # the outer pieces have no end
    up, down = _integral(inner), _integral(-inner)
    zero = up.new_zeros(1)
    below = torch.diff(torch.cat((zero, up)))  # (K - 1,) of pieces that lie below y, all but the last
    above = -torch.diff(torch.cat((down, zero)))  # of pieces above y, all but the first
    own = -(torch.cat((zero, up)) + torch.cat((down, zero)))  # (K,)
    owed = torch.diag(own) + torch.cat((below, zero)).expand(len(own), -1).tril(-1)
    owed = owed + torch.cat((zero, above)).expand(len(own), -1).triu(1)
    shares = torch.special.ndtr(inner)
    heights = torch.cat((zero, density(inner), zero))
    sloped = torch.cat((zero, inner * density(inner), zero))
    share = torch.diff(torch.cat((zero, shares, zero + 1)))
    return _Tables(scores, owed, share, -torch.diff(heights), share - torch.diff(sloped))


@dataclass(frozen=True, eq=False)
class Quantiles(Distribution):
    """Told by its quantiles at the normal scores -3, -2.5, ... 3."""

    values: Float[Tensor, "*B Q"]
    """Rising."""

    @property
    def parameters(self) -> Float[Tensor, "*B P"]:
        """The quantiles themselves."""
        return self.values

    @cached_property
    def _slopes(self) -> Float[Tensor, "*B K"]:
        """Standard deviation of each piece; as much as the type of the values can tell apart where it cannot."""
        least = torch.finfo(self.values.dtype).eps * self.values.detach().abs().amax(-1, keepdim=True) + TINIEST
        return torch.maximum(self.values.diff(dim=-1) / GAP, least)

    def _scores(self) -> Float[Tensor, "Q"]:
        return _tables().scores.to(self.values)

    def _placed(self, places: Int[Tensor, "*B"], table: Float[Tensor, "*#B K"]) -> Float[Tensor, "*B"]:
        return table.expand(*places.shape, -1).gather(-1, places[..., None])[..., 0]

    def _place(self, y: Float[Tensor, "*#B"]) -> tuple[Tensor, Tensor, Tensor]:
        """Which piece each y lies in, its standard deviation, and the normal score of y."""
        y = y + torch.zeros_like(self.values[..., 0])
        values = self.values.expand(*y.shape, -1)
        with torch.no_grad():
            piece = torch.searchsorted(values[..., 1:-1].contiguous(), y[..., None])[..., 0]
        slope = self._placed(piece, self._slopes)
        left = self._placed(piece, values[..., :-1])
        return piece, slope, self._scores()[piece] + (y - left) / slope

    @property
    def mean(self) -> Float[Tensor, "*B"]:
        """Expected value, of all pieces."""
        found = _tables()
        share, first = found.share.to(self.values), found.first.to(self.values)
        flat = self.values[..., :-1] - self._slopes * self._scores()[:-1]  # (*B, K) each piece at z = 0
        return (flat * share + self._slopes * first).sum(-1)

    @property
    def sd(self) -> Float[Tensor, "*B"]:
        """Standard deviation, of all pieces."""
        found = _tables()
        share, first, second = (part.to(self.values) for part in (found.share, found.first, found.second))
        flat = self.values[..., :-1] - self._slopes * self._scores()[:-1] - self.mean[..., None]
        squares = flat**2 * share + 2 * flat * self._slopes * first + self._slopes**2 * second
        return squares.sum(-1).clamp_min(0.0).sqrt()

    def nll(self, y: Float[Tensor, "*#B"]) -> Float[Tensor, "*B"]:
        """log b + z^2 / 2 + log(2 pi) / 2."""
        _, slope, z = self._place(y)
        return slope.log() + 0.5 * z * z + HALF_LOG_TAU

    def crps(self, y: Float[Tensor, "*#B"]) -> Float[Tensor, "*B"]:
        """Summed over the pieces; of y's own it is that of a normal distribution, less what lies in others."""
        piece, slope, z = self._place(y)
        owed = _tables().crps.to(self.values)[piece]  # (*B, K)
        own = z * (2 * torch.special.ndtr(z) - 1) + 2 * density(z)
        # what S(z) lacks of the integrals of Phi^2 and (1 - Phi)^2 is 1 / sqrt(pi), Phi(a) + Phi(-a) being 1
        result: Tensor = (self._slopes * owed).sum(-1) + slope * (own - 1 / ROOT_PI)
        return result

    def cdf(self, y: Float[Tensor, "*#B"]) -> Float[Tensor, "*B"]:
        """Phi of the normal score."""
        result: Tensor = torch.special.ndtr(self._place(y)[2])
        return result

    def quantile(self, p: Float[Tensor, "*#B"]) -> Float[Tensor, "*B"]:
        """By the piece that the normal score of p lies in."""
        z = (torch.special.ndtri(p) + torch.zeros_like(self.values[..., 0])).contiguous()
        piece = torch.searchsorted(_tables().scores[1:-1].to(z), z)
        values = self.values.expand(*z.shape, -1)
        left, slope = self._placed(piece, values[..., :-1]), self._placed(piece, self._slopes)
        result: Tensor = left + slope * (z - self._scores()[piece]).to(slope.dtype)
        return result

    def moved(self, shift: Float[Tensor, "*#B"], scale: Float[Tensor, "*#B"]) -> "Quantiles":
        """Each quantile by itself."""
        return Quantiles(self.values * scale[..., None] + shift[..., None])

    def widened(self, factor: Float[Tensor, "*#B"]) -> "Quantiles":
        """Around the median."""
        median = self.values[..., MIDDLE, None]
        return Quantiles(median + (self.values - median) * factor[..., None])


def bent(found: Distribution, factors: Float[Tensor, "3 *#B"]) -> Quantiles:
    """The same around its median, but its bands of one, two and three standard deviations so many times as wide.

    What lies between two bands is multiplied by what lies between their factors. So a forecast that is normal gets the
    tails that its errors were found to have, and every score can be asked of what results.
    """
    scores = _tables().scores.to(found.mean)
    median = found.quantile(torch.special.ndtr(scores[MIDDLE]))
    sizes = scores[MIDDLE + 1 :].clamp_min(1.0)  # (6,) up to the first band its factor holds
    low = (sizes - 1).long().clamp_max(1)  # which two bands each lies between
    share = (sizes - 1 - low)[:, *([None] * (factors.ndim - 1))]
    each = factors.to(median)[low] * (1 - share) + factors.to(median)[low + 1] * share  # (6, *B)
    ends = []
    for sign in (-1, 1):
        shares = torch.special.ndtr(sign * scores[MIDDLE + 1 :])
        away = torch.stack([(found.quantile(p) - median).abs() for p in shares]) * each  # (6, *B)
        ends.append(sign * away.cummax(0).values)  # where a wider band was found to need less than a narrower one
    below, above = ends
    return Quantiles(median[..., None] + torch.stack([*below.flip(0), torch.zeros_like(median), *above], -1))
