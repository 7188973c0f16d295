"""Where a token stands: five ways to tell a model that sees a set that it is a sequence.

    sinusoidal   added to the embeddings, nothing to learn      Vaswani et al. 2017, section 3.5
    learned      added to the embeddings, a table               Gehring et al. 2017; BERT, GPT-2
    rotary       turns queries and keys: `rotary.py`            Su et al. 2021 (RoFormer), section 3.2
    alibi        a slope on the distance, added to the scores   Press et al. 2022, section 3
    t5           a learned number for each bucket of distance   Raffel et al. 2020, section 2.1

Pure functions first; `Positions` is the thin module that adds to the embeddings, `RelativeBias` the one that adds to
the scores. A stack works out the angles of a rotation once, `turns`; attention applies them to each head.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from seqwise.config import Range
from seqwise.errors import ConfigError, Fault
from seqwise.models.rotary import Rotation, RotationSettings, frequencies


@dataclass(frozen=True)
class PositionSettings:
    """How a model knows the order of the tokens."""

    kind: Literal["sinusoidal", "learned", "rotary", "alibi", "t5", "none"] = "sinusoidal"
    """Sinusoidal learns nothing and is the classic for translation; rotary and alibi stretch best to unseen lengths."""
    longest: Annotated[int, Range(1)] = 1024
    """Positions of the learned table; no sentence may be longer. Other kinds have no limit."""
    offset: Annotated[int, Range(0)] = 0
    """Number of the first position: BART leaves 2 rows of its table unused, RoBERTa counts from 2."""
    theta: Annotated[float, Range(1.0)] = 10_000.0
    """Base of the wavelengths of sinusoidal and rotary positions: larger reaches further, finer is lost."""
    local_theta: Annotated[float, Range(1.0)] | None = None
    """Base of the rotation in layers that see a window only, as in Gemma 3 and ModernBERT; None: as `theta`."""
    interleaved: bool = False
    """Sine and cosine (or the two halves of a rotation) side by side rather than half by half."""
    spread: Literal["open", "closed"] = "open"
    """Whether the slowest sinusoid ends a step before `theta` (open, as published) or reaches it (closed: M2M-100)."""
    rotation: RotationSettings = field(default_factory=RotationSettings)
    """How a rotation is stretched beyond the lengths it was trained on."""
    buckets: Annotated[int, Range(4)] = 32
    """Distances that t5 tells apart; half of them exact, the rest growing logarithmically."""
    reach: Annotated[int, Range(8)] = 128
    """Distance from which t5 puts everything into the last bucket."""

    def faults(self) -> Iterator[Fault]:
        """A bucket table needs room for its exact half."""
        if self.reach <= self.buckets // 2:
            yield Fault(
                f"--model.positions.reach {self.reach} with buckets {self.buckets}",
                "a reach beyond the exact half of the buckets",
                f"--model.positions.reach {4 * self.buckets}",
            )


def sinusoidal(
    positions: Int[Tensor, "T"], width: int, theta: float = 10_000.0, interleaved: bool = False, closed: bool = False
) -> Float[Tensor, "T W"]:
    """sin(p f_i) and cos(p f_i) for each frequency f_i. Vaswani et al. 2017, section 3.5.

    interleaved: sine, cosine, sine, cosine ... as in the paper; otherwise all sines, then all cosines, as in Marian.
    The two differ by a permutation of coordinates, which the first projection undoes. An odd width drops the last.
    closed: exponents i / (half - 1), as in tensor2tensor and M2M-100, instead of i / half; then an odd width ends in 0.
    """
    if closed:
        half = width // 2
        rates = theta ** (-torch.arange(half, dtype=torch.float32) / max(1, half - 1))
    else:
        rates = frequencies(width, theta)
    angles = positions.float()[:, None] * rates.to(positions.device)  # (T, half)
    waves = (angles.sin(), angles.cos())
    table = torch.stack(waves, -1).flatten(1) if interleaved else torch.cat(waves, -1)  # (T, 2 half)
    return functional.pad(table, (0, max(0, width - table.shape[1])))[:, :width]


def alibi_slopes(heads: int) -> Float[Tensor, "H"]:
    """One slope a head: 2 ** (-8 h / H) for H a power of two; between the powers every second slope of the next one.

    Press et al. 2022, section 3, and their code for other numbers of heads.
    """

    def powers(count: int) -> list[float]:
        return [2.0 ** (-8.0 * (h + 1) / count) for h in range(count)]

    below = 2 ** math.floor(math.log2(heads))
    return torch.tensor(powers(below) + powers(2 * below)[0::2][: heads - below])


def alibi(queries: Int[Tensor, "T"], keys: Int[Tensor, "S"], slopes: Float[Tensor, "H"]) -> Float[Tensor, "1 H T S"]:
    """-slope * |distance|: the further away, the less attention. Symmetric, so that encoders can use it too."""
    distance = (queries[:, None] - keys).abs()  # (T, S)
    return -slopes[None, :, None, None] * distance


def t5_bucket(distance: Int[Tensor, "..."], buckets: int, reach: int, both_sides: bool) -> Int[Tensor, "..."]:
    """Key position minus query position -> bucket. Raffel et al. 2020, section 2.1.

    Half of a side's buckets hold one distance each, the others grow logarithmically up to `reach`; what is further
    falls into the last. An encoder (both_sides) gives half of the buckets to keys that come later; a decoder sees none.
    """
    side = torch.zeros_like(distance)
    if both_sides:
        buckets //= 2
        side = (distance > 0) * buckets
        distance = distance.abs()
    else:
        distance = (-distance).clamp(min=0)
    exact = buckets // 2
    ratio = torch.log(distance.clamp(min=1).float() / exact) / math.log(reach / exact)
    far = (exact + (ratio * (buckets - exact)).long()).clamp(max=buckets - 1)
    return side + torch.where(distance < exact, distance, far)


class Positions(nn.Module):
    """What is added to the embeddings: the sinusoidal or the learned table; nothing for the other kinds."""

    def __init__(self, settings: PositionSettings, width: int) -> None:
        super().__init__()
        self.settings = settings
        self.width = width
        rows = settings.longest + settings.offset
        self.table = nn.Embedding(rows, width) if settings.kind == "learned" else None
        self._waves = torch.empty(0)  # grows to the longest sentence seen; no buffer, so never saved

    def forward(
        self, x: Float[Tensor, "B T W"], first: int | Int[Tensor, "B"] | Int[Tensor, "B T"] = 0
    ) -> Float[Tensor, "B T W"]:
        """x: embeddings whose first position is `first`, in all rows or in each its own; or where each stands."""
        if self.table is None and self.settings.kind != "sinusoidal":
            return x
        follow = x.shape[1] if isinstance(first, int) or first.ndim == 1 else 1
        last = (first if isinstance(first, int) else int(first.max())) + follow
        if self.table is not None and last > self.settings.longest:
            raise ConfigError(
                f"{last} tokens with a table of {self.settings.longest} positions (--model.positions.longest)",
                "a table as long as the longest sentence",
                f"a shorter text, or to train anew with --model.positions.longest {last} or another kind of positions",
            )
        offset = self.settings.offset
        rows = self._sinusoids(last + offset, x) if self.table is None else self.table.weight  # (all, W)
        if isinstance(first, int):
            return x + rows[first + offset : last + offset]
        where = first if first.ndim == 2 else first[:, None] + torch.arange(x.shape[1], device=x.device)  # (B, T)
        return x + functional.embedding(where + offset, rows)

    def _sinusoids(self, length: int, like: Tensor) -> Float[Tensor, "T W"]:
        waves = self._waves
        if len(waves) < length or waves.dtype != like.dtype or waves.device != like.device:
            settings = self.settings
            positions = torch.arange(max(length, 64), device=like.device)
            closed = settings.spread == "closed"
            waves = sinusoidal(positions, self.width, settings.theta, settings.interleaved, closed).to(like.dtype)
            self._waves = waves
        return waves


class RelativeBias(nn.Module):
    """What is added to the scores: ALiBi's slopes or T5's learned table; shared by all layers of a stack."""

    def __init__(self, settings: PositionSettings, heads: int, both_sides: bool) -> None:
        super().__init__()
        self.settings = settings
        self.both_sides = both_sides
        self.table = nn.Embedding(settings.buckets, heads) if settings.kind == "t5" else None
        if settings.kind == "alibi":
            self.register_buffer("slopes", alibi_slopes(heads), persistent=False)

    def forward(self, queries: Int[Tensor, "T"], keys: Int[Tensor, "S"]) -> Float[Tensor, "1 H T S"]:
        """Positions of those who ask and of those who answer -> what to add to their scores."""
        if self.table is None:
            return alibi(queries, keys, self.get_buffer("slopes"))
        distance = keys - queries[:, None]  # (T, S)
        bucket = t5_bucket(distance, self.settings.buckets, self.settings.reach, self.both_sides)
        bias: Tensor = self.table(bucket)  # (T, S, H)
        return bias.permute(2, 0, 1)[None]  # (1, H, T, S)


def turns(
    settings: PositionSettings, head_width: int, where: Int[Tensor, "..."], local: bool = False
) -> Rotation | None:
    """The angles by which queries and keys at these positions are turned; None for the other kinds of positions.

    local   of layers that see a window only
    """
    if settings.kind != "rotary":
        return None
    near = local and settings.local_theta is not None
    stretched = RotationSettings() if near else settings.rotation  # a window is never longer than what was trained on
    theta = settings.local_theta if near and settings.local_theta is not None else settings.theta
    return Rotation.at(where, head_width, theta, settings.interleaved, stretched)
