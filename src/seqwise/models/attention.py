"""Attention: each position takes a weighted average of others, and which others is computed, not wired.

`attention()` is the pure function and the one place where a kernel is chosen; `MultiHeadAttention` holds the
projections. Self-attention, masked (causal) self-attention and encoder-decoder attention are one class, told apart by
where keys come from. Attention weights never leave this file: `inspection.trace` recomputes them, exactly.

Bahdanau's and Luong's attention, for the LSTM, stand in `alignment.py`.
"""

from dataclasses import dataclass
from typing import Annotated

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx
from torch.nn import functional

from seqwise.config import Range
from seqwise.models.dropout import dropout, scaled_mask
from seqwise.models.linear import Linear
from seqwise.models.positions import PositionSettings, rotate

# Longest keys for which two batched products and a softmax beat the fused kernel on a CPU, forward and backward, by
# dtype: measured by bench/attention.py, figures in docs/benchmarks.md. The fused bf16 backward is many times slower.
UNFUSED_UP_TO = {torch.bfloat16: 512, torch.float16: 512, torch.float32: 64}
FEW, UNFUSED_FOR_FEW = 16, 512  # the same in decoding: queries of a sentence at once, and keys that they see


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
    dropout: Annotated[float, Range(0.0, 0.95)] = 0.0
    """Dropout on the attention weights; on short sentences it costs much and buys little."""


@dataclass(frozen=True)
class Mask:
    """Which keys a query may see, and what is added to its scores."""

    causal: bool = False
    """A query sees no key that comes later. Queries are the last T of the S positions."""
    bias: Float[Tensor, "#B #H #T S"] | None = None
    """Added to the scores: -inf hides a key, anything else prefers or disfavours it."""

    def dense(self, queries: int, keys: int, like: Tensor) -> Float[Tensor, "#B #H T S"] | None:
        """Both parts as one tensor to add; None where every query sees every key."""
        bias = None if self.bias is None else self.bias.to(like.dtype)
        if not self.causal or queries == 1:
            return bias
        later = torch.full((queries, keys), float("-inf"), dtype=like.dtype, device=like.device)
        later = later.triu(keys - queries + 1)[None, None]  # (1, 1, T, S)
        return later if bias is None else bias + later


EVERYTHING = Mask()
CAUSAL = Mask(causal=True)


def padding_bias(lengths: Int[Tensor, "B"], longest: int, dtype: torch.dtype) -> Float[Tensor, "B 1 1 S"] | None:
    """-inf over the padding of each row; None where no row has any, which length buckets make the usual case."""
    if bool((lengths == longest).all()):
        return None
    beyond = torch.arange(longest, device=lengths.device) >= lengths[:, None]  # (B, S)
    bias = torch.zeros(beyond.shape, dtype=dtype, device=lengths.device)
    return bias.masked_fill_(beyond, float("-inf"))[:, None, None]  # (B, 1, 1, S)


def attention(
    query: Float[Tensor, "B H T D"],
    key: Float[Tensor, "B G S D"],
    value: Float[Tensor, "B G S D"],
    mask: Mask = EVERYTHING,
    scale: float | None = None,
    drop: float = 0.0,
) -> Float[Tensor, "B H T D"]:
    """Average the values, weighted by how well each key answers the query.

    softmax(q k^T * scale + bias) v        Vaswani et al. 2017, eq. 1; scale is 1 / sqrt(D) unless given

    G divides H: each key head answers H / G query heads (Ainslie et al. 2023). A query that may see no key is an error
    of the caller and gives NaN. The choice of the kernel depends on dtype, lengths, device and whether gradients
    are recorded, never on time, so that a resumed run takes the same one.
    """
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    few = query.shape[2] <= FEW and not torch.is_grad_enabled()
    if query.device.type == "cpu" and key.shape[2] <= (UNFUSED_FOR_FEW if few else UNFUSED_UP_TO.get(query.dtype, 0)):
        bias = mask.dense(query.shape[2], key.shape[2], query)
        if not torch.is_grad_enabled():
            return _two_products(query, key, value, bias, scale, drop)[0]
        if bias is not None and bias.requires_grad:
            return _recorded(query, key, value, bias, scale, drop)
        result: Tensor = _TwoProducts.apply(query, key, value, bias, scale, drop)  # type: ignore[no-untyped-call]
        return result
    square = query.shape[2] == key.shape[2]  # otherwise torch aligns its causal mask at the wrong corner
    bias = mask.dense(query.shape[2], key.shape[2], query) if mask.bias is not None or not square else None
    return functional.scaled_dot_product_attention(
        query,
        key,
        value,
        attn_mask=bias,
        is_causal=mask.causal and bias is None and query.shape[2] > 1,
        dropout_p=drop,
        scale=scale,
        enable_gqa=key.shape[1] != query.shape[1],
    )


def _two_products(
    query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, scale: float, drop: float
) -> tuple[Tensor, tuple[Tensor | None, ...]]:
    """The same without the fused kernel: scores, softmax, average, each one call for all sentences and heads.

    Also returns what the gradient needs: query, key and value by group, the weights, and dropout's mask.
    """
    (b, h, t, d), (g, s) = query.shape, key.shape[1:3]
    rows = h // g * t  # the queries of a group share their keys, so they stand below each other
    q, k, v = query.reshape(b * g, rows, d), key.reshape(b * g, s, d), value.reshape(b * g, s, d)
    weights = q.new_empty(b * g, rows, s)
    torch.baddbmm(weights, q, k.transpose(1, 2), beta=0, alpha=scale, out=weights)  # (B G, H/G T, S)
    if bias is not None:
        weights.view(b, h, t, s).add_(bias)
    torch.ops.aten._softmax.out(weights, -1, False, out=weights)
    mask = scaled_mask(weights, drop) if drop else None
    result = torch.bmm(weights if mask is None else weights * mask, v).view(b, h, t, d)
    return result, (q, k, v, weights, mask)


class _TwoProducts(torch.autograd.Function):
    """`_two_products` as one step of autograd: half the time of the same calls recorded one by one."""

    @staticmethod
    def forward(
        ctx: FunctionCtx, query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, scale: float, drop: float
    ) -> Tensor:
        result, kept = _two_products(query, key, value, bias, scale, drop)
        ctx.save_for_backward(*kept)  # type: ignore[arg-type]  # None may be saved
        ctx.scale = scale  # type: ignore[attr-defined]  # the way autograd functions keep numbers
        return result

    @staticmethod
    def backward(ctx: FunctionCtx, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, weights, mask = ctx.saved_tensors  # type: ignore[attr-defined]
        (b, h, t, d), s = gradients[0].shape, k.shape[1]
        g = len(q) // b
        up = gradients[0].reshape(q.shape)  # (B G, H/G T, D)
        d_value = torch.bmm((weights if mask is None else weights * mask).transpose(1, 2), up)  # (B G, S, D)
        slope = torch.bmm(up, v.transpose(1, 2))  # (B G, H/G T, S)
        if mask is not None:
            slope *= mask
        slope = torch.ops.aten._softmax_backward_data(slope, weights, -1, weights.dtype)
        slope *= ctx.scale  # type: ignore[attr-defined]
        d_query = torch.bmm(slope, k).view(b, h, t, d)
        d_key = torch.bmm(slope.transpose(1, 2), q).view(b, g, s, d)
        return d_query, d_key, d_value.view(b, g, s, d), None, None, None


def _recorded(
    query: Tensor, key: Tensor, value: Tensor, bias: Tensor, scale: float, drop: float
) -> Float[Tensor, "B H T D"]:
    """The same call by call, for a bias that is learnt (T5's)."""
    groups = query.shape[1] // key.shape[1]
    key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)  # (B, H, S, D)
    weights = (query @ key.transpose(-1, -2) * scale + bias).softmax(-1)  # (B, H, T, S)
    return dropout(weights, drop, training=True) @ value


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
    ) -> Float[Tensor, "B H T D"]:
        """See `attention`."""
        return attention(query, key, value, mask, scale, drop)


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
        cross: bool = False,
    ) -> None:
        super().__init__()
        self.heads = heads
        self.groups = settings.kv_heads or heads
        self.head_width = settings.head_width or width // heads
        self.positions = positions if positions and positions.kind == "rotary" and not cross else None
        # T5 leaves the scale to its initialisation (Raffel et al. 2020, section 2.1)
        self.scale = 1.0 if positions and positions.kind == "t5" else self.head_width**-0.5
        self.rate = settings.dropout
        asked, answered = self.heads * self.head_width, self.groups * self.head_width
        self.q = Linear(width, asked, settings.bias) if cross else None
        self.kv = Linear(width, 2 * answered, settings.bias) if cross else None
        self.qkv = None if cross else Linear(width, asked + 2 * answered, settings.bias)
        self.kernel = Kernel()
        self.out = Linear(asked, width, settings.bias)

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

    def project(self, x: Float[Tensor, "B T W"], where: Int[Tensor, "#T"] | None = None) -> tuple[Tensor, Keys]:
        """Queries (B, H, T, D) and keys of the same positions; `where` they stand, 0 to T - 1 unless given."""
        if self.qkv is None:
            raise TypeError("encoder-decoder attention takes its keys from `remember`")
        answered = self.groups * self.head_width
        q, k, v = self.qkv(x).split((self.heads * self.head_width, answered, answered), -1)
        query, key = self.split(q, self.heads), self.split(k, self.groups)
        if self.positions is not None:
            where = torch.arange(x.shape[1], device=x.device) if where is None else where
            query = rotate(query, where, self.positions.theta, self.positions.interleaved)
            key = rotate(key, where, self.positions.theta, self.positions.interleaved)
        return query, Keys(key, self.split(v, self.groups))

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
        heads = self.kernel(asked, keys.key, keys.value, mask, self.scale, drop).to(query.dtype)  # (B, H, T, D)
        result: Tensor = self.out(heads.transpose(1, 2).flatten(2))  # (B, T, W)
        return result

    def forward(
        self, x: Float[Tensor, "B T W"], mask: Mask = EVERYTHING, memory: Keys | None = None
    ) -> Float[Tensor, "B T W"]:
        """Attend to `memory`, or to x itself where there is none."""
        if memory is not None:
            return self.answer(self.ask(x), memory, mask)
        query, keys = self.project(x)
        return self.answer(query, keys, mask)
