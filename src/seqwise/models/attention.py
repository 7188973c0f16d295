"""Attention: each position takes a weighted average of others, and which others is computed, not wired.

`kernels.attention()` is the pure function; `MultiHeadAttention` holds the projections. Self-attention, masked (causal)
self-attention and encoder-decoder attention are one class, told apart by where keys come from.

Bahdanau's and Luong's attention, for the LSTM, stand in `alignment.py`.
"""

from dataclasses import dataclass
from typing import Annotated

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from seqwise.config import Range
from seqwise.models.jointly import Jointly, Shape, attend
from seqwise.models.kernels import Mask, attention
from seqwise.models.linear import Linear
from seqwise.models.positions import PositionSettings, turns
from seqwise.models.rotary import Rotation

EVERYTHING = Mask()


@dataclass(frozen=True)
class AttentionSettings:
    """The inner shape of attention, where it differs from width / heads."""

    kv_heads: Annotated[int, Range(1)] | None = None
    """Heads of keys and values; fewer than `heads` is grouped-query attention (Ainslie et al. 2023): a smaller cache.
    None: as many as heads."""
    head_width: Annotated[int, Range(1)] | None = None
    """Width of one head; None: width / heads."""
    bias: bool = True
    """Biases in the projections, as in Vaswani et al. 2017's own code; newer decoders leave them out."""
    out_bias: bool | None = None
    """A bias in the last projection; None: as `bias`. Qwen2 has biases in the others only."""
    norm: bool = False
    """Normalize queries and keys, head by head, before they meet (Henry et al. 2020): Qwen3, Gemma 3."""
    scale: Annotated[float, Range(1e-6)] | None = None
    """What scores are multiplied by; None: 1 / sqrt(head width), and 1 with positions of kind t5."""
    softcap: Annotated[float, Range(1e-6)] | None = None
    """Bound of the scores, c tanh(score / c), as in Gemma 2; None: none."""
    window: Annotated[int, Range(0)] | None = None
    """Greatest distance at which a token sees another; None: any. Mistral's window of 4096 is a distance of 4095."""
    window_layers: tuple[int, ...] | None = None
    """Layers, from 0, that see a window only; None: all, if there is a window."""
    dropout: Annotated[float, Range(0.0, 0.95)] = 0.0
    """Dropout on the attention weights; on short sentences it costs much and buys little."""


class Kernel(nn.Module):
    """`attention()` as a module without weights: a place where `inspection` can listen to queries and keys."""

    def forward(
        self,
        query: Float[Tensor, "B H T D"],
        key: Float[Tensor, "B G S D"],
        value: Float[Tensor, "B G S D"],
        mask: Mask,
        scale: float,
        drop: float,
        softcap: float | None = None,
    ) -> Float[Tensor, "B H T D"]:
        """See `attention`."""
        return attention(query, key, value, mask, scale, drop, softcap)


@dataclass(frozen=True)
class Keys:
    """What a query asks: keys and values, projected once."""

    key: Float[Tensor, "B G S D"]
    value: Float[Tensor, "B G S D"]

    def to(self, dtype: torch.dtype) -> "Keys":
        """The same in another type, each head's keys side by side, to be asked many times."""
        form = torch.contiguous_format
        return Keys(self.key.to(dtype, memory_format=form), self.value.to(dtype, memory_format=form))

    def take(self, rows: Int[Tensor, "B2"]) -> "Keys":
        """Only these sentences."""
        return Keys(self.key.index_select(0, rows), self.value.index_select(0, rows))


class MultiHeadAttention(nn.Module):
    """Project, attend in several heads at once, project back. Vaswani et al. 2017, section 3.2.2.

    The projections of query, key and value lie in one matrix each for self-attention (`qkv`) and, for encoder-decoder
    attention, in `q` and `kv`: one large product is faster than three small ones.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        settings: AttentionSettings,
        positions: PositionSettings | None = None,
        norms: tuple[nn.Module, nn.Module] | None = None,
        cross: bool = False,
    ) -> None:
        """norms: of queries and keys, head by head."""
        super().__init__()
        self.heads = heads
        self.groups = settings.kv_heads or heads
        self.head_width = settings.head_width or width // heads
        self.positions = positions if positions and positions.kind == "rotary" and not cross else None
        # T5 leaves the scale to its initialisation (Raffel et al. 2020, section 2.1)
        usual = 1.0 if positions and positions.kind == "t5" else self.head_width**-0.5
        self.scale = usual if settings.scale is None else settings.scale
        self.softcap = settings.softcap
        self.rate = settings.dropout
        self.query_norm = norms[0] if norms else None
        self.key_norm = norms[1] if norms else None
        asked, answered = self.heads * self.head_width, self.groups * self.head_width
        self.q = Linear(width, asked, settings.bias) if cross else None
        self.kv = Linear(width, 2 * answered, settings.bias) if cross else None
        self.qkv = None if cross else Linear(width, asked + 2 * answered, settings.bias)
        self.kernel = Kernel()
        self.out = Linear(asked, width, settings.bias if settings.out_bias is None else settings.out_bias)

    def projections(self) -> tuple[Tensor, ...]:
        """The weights of query, key and value, each by itself, as views."""
        answered = self.groups * self.head_width
        if self.qkv is not None:
            return torch.split(self.qkv.weight, [self.heads * self.head_width, answered, answered])
        return torch.split(self.kv.weight, answered) if self.kv is not None else ()

    def asking(self) -> Tensor:
        """The weight of the query, as a view."""
        return self.q.weight if self.q is not None else self.projections()[0]

    def split(self, x: Float[Tensor, "B T _"], heads: int) -> Float[Tensor, "B heads T D"]:
        """Cut the last dimension into heads."""
        return torch.unflatten(x, -1, (heads, self.head_width)).transpose(1, 2)

    def project(self, x: Float[Tensor, "B T W"], rotation: Rotation | None = None) -> tuple[Tensor, Keys]:
        """Queries (B, H, T, D) and keys of the same positions; turned by `rotation`, as positions 0 to T - 1 unless
        given, where positions are rotary."""
        if self.qkv is None:
            raise TypeError("encoder-decoder attention takes its keys from `remember`")
        heads = self.split(self.qkv(x), self.heads + 2 * self.groups)  # (B, H + 2 G, T, D)
        value = heads[:, self.heads + self.groups :]
        if self.positions is not None and rotation is None:
            rotation = turns(self.positions, self.head_width, torch.arange(x.shape[1], device=x.device))
        if rotation is not None and self.positions is not None and self.query_norm is None:
            heads = rotation.turn(heads[:, : self.heads + self.groups])  # both at once
        query, key = heads[:, : self.heads], heads[:, self.heads : self.heads + self.groups]
        if self.query_norm is not None and self.key_norm is not None:
            query, key = self.query_norm(query), self.key_norm(key)
            if rotation is not None and self.positions is not None:
                query, key = rotation.turn(query), rotation.turn(key)
        return query, Keys(key, value)

    def ask(self, x: Float[Tensor, "B T W"]) -> Float[Tensor, "B H T D"]:
        """Queries to another sequence."""
        if self.q is None:
            raise TypeError("self-attention takes its queries from `project`")
        return self.split(self.q(x), self.heads)

    def remember(self, memory: Float[Tensor, "B S W"]) -> Keys:
        """Keys and values of another sequence: done once, then asked at every step."""
        if self.kv is None:
            raise TypeError("self-attention takes its keys from `project`")
        key, value = self.kv(memory).chunk(2, -1)
        return Keys(self.split(key, self.groups), self.split(value, self.groups))

    def answer(self, query: Float[Tensor, "B H T D"], keys: Keys, mask: Mask) -> Float[Tensor, "B T W"]:
        """Attend, in the type of the keys, and bring the heads together."""
        drop = self.rate if self.training else 0.0
        asked = query.to(keys.key.dtype)
        heads = self.kernel(asked, keys.key, keys.value, mask, self.scale, drop, self.softcap)  # (B, H, T, D)
        result: Tensor = self.out(heads.to(query.dtype).transpose(1, 2).flatten(2))  # (B, T, W)
        return result

    def jointly(self, x: Float[Tensor, "1 K W"], documents: Jointly) -> Float[Tensor, "1 K W"]:
        """Each of many documents attends to itself: `project` and `answer` with fewer steps to record."""
        if self.qkv is None:
            raise TypeError("encoder-decoder attention has no documents")
        shape = Shape(self.heads, self.groups, self.scale, self.rate if self.training else 0.0)
        result: Tensor = self.out(attend(self.qkv(x), documents, shape))
        return result

    def forward(
        self, x: Float[Tensor, "B T W"], mask: Mask = EVERYTHING, memory: Keys | None = None
    ) -> Float[Tensor, "B T W"]:
        """Attend to `memory`, or to x itself where there is none."""
        if memory is not None:
            return self.answer(self.ask(x), memory, mask)
        query, keys = self.project(x)
        return self.answer(query, keys, mask)
