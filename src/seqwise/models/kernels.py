"""softmax(q k^T * scale + bias) v: `attention()`, a pure function and the one place where a kernel is chosen.

Attention weights never leave this file: `inspection.trace` recomputes them, exactly.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import FunctionCtx
from torch.nn import functional

from seqwise.models.dropout import dropout, scaled_mask
from seqwise.models.packed import Documents

# Longest keys for which two batched products and a softmax beat the fused kernel on a CPU, forward and backward, by
# dtype: measured by bench/attention.py, figures in docs/benchmarks.md. The fused bf16 backward is many times slower.
UNFUSED_UP_TO = {torch.bfloat16: 512, torch.float16: 512, torch.float32: 64}
FEW, UNFUSED_FOR_FEW = 16, 512  # the same in decoding: queries of a sentence at once, and keys that they see


@dataclass(frozen=True)
class Mask:
    """Which keys a query may see, and what is added to its scores."""

    causal: bool = False
    """A query sees no key that comes later. Queries are the last T of the S positions."""
    bias: Float[Tensor, "#B #H #T S"] | None = None
    """Added to the scores: -inf hides a key, anything else prefers or disfavours it."""
    window: int | None = None
    """Greatest distance between a query and a key that it sees."""
    documents: Documents | None = None
    """Texts that stand end to end in one row and see nothing of each other; None: a row is a text."""
    groups: tuple["Mask", ...] = ()
    """What each group of the documents may see."""
    one_by_one: bool = False
    """Whether each query is answered by a call of its own, as a step of decoding is: then it rounds as that does."""

    def dense(self, queries: int, keys: int, like: Tensor) -> Float[Tensor, "#B #H T S"] | None:
        """Both parts as one tensor to add; None where every query sees every key."""
        bias = None if self.bias is None else self.bias.to(like.dtype)
        hidden = self._hidden(queries, keys, like)
        if hidden is None:
            return bias
        return hidden[None, None] if bias is None else bias + hidden

    def _hidden(self, queries: int, keys: int, like: Tensor) -> Float[Tensor, "T S"] | None:
        """-inf where a query may not see a key for where they stand; None where all see all."""
        near = self.window is None or self.window >= keys - 1
        if near and (not self.causal or queries == 1):
            return None
        full = torch.full((queries, keys), float("-inf"), dtype=like.dtype, device=like.device)
        hidden = full.triu(keys - queries + 1) if self.causal else torch.zeros_like(full)
        if near or self.window is None:
            return hidden
        hidden += full.tril(keys - queries - self.window - 1)
        return hidden if self.causal else hidden + full.triu(keys - queries + self.window + 1)

    def settled(self, length: int, like: Tensor) -> "Mask":
        """The same with a window worked out once, for all layers of a stack."""
        if self.window is None or self.window >= length - 1:
            return Mask(self.causal, self.bias)
        bias = self.dense(length, length, like)
        if bias is not None and self.bias is not None:  # padding further from all that is real than a window sees all
            bias = bias.masked_fill((bias == float("-inf")).all(-1, keepdim=True), 0.0)
        return Mask(bias=bias)

    def each(self, queries: int, keys: int) -> Iterator[tuple[int, "Mask"]]:
        """For each query of a causal mask, how many keys it can see and what hides some of them."""
        for i, seen in enumerate(range(keys - queries + 1, keys + 1)):
            bias = None if self.bias is None else self.bias[..., i : i + 1, :seen]
            yield seen, Mask(True, bias, self.window)

    def apart(self, documents: Documents, like: Tensor) -> "Mask":
        """The same for each of the documents; the bias is that of the longest one."""
        groups = []
        for group in documents.groups:
            bias = None if self.bias is None else self.bias[..., : group.longest, : group.longest]
            # what is padded comes later, which a causal mask hides already
            padding = None if self.causal else padding_bias(group.lengths, group.longest, like.dtype)
            if padding is not None:
                bias = padding if bias is None else bias + padding
            groups.append(replace(self, bias=bias).settled(group.longest, like))
        return replace(self, documents=documents, groups=tuple(groups))


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
    softcap: float | None = None,
) -> Float[Tensor, "B H T D"]:
    """Average the values, weighted by how well each key answers the query.

    softmax(q k^T * scale + bias) v        Vaswani et al. 2017, eq. 1; scale is 1 / sqrt(D) unless given

    softcap   c: a score s becomes c tanh(s / c) before the bias is added (Gemma 2); no fused kernel does that

    G divides H: each key head answers H / G query heads (Ainslie et al. 2023). A query that may see no key is an error
    of the caller and gives NaN. The choice of the kernel depends on dtype, lengths, device and whether gradients
    are recorded, never on time, so that a resumed run takes the same one.
    """
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    if mask.documents is not None:
        groups = zip(*(mask.documents.take(x) for x in (query, key, value)), mask.groups, strict=True)
        return mask.documents.put([attention(q, k, v, seen, scale, drop, softcap) for q, k, v, seen in groups])
    if mask.one_by_one:
        each = mask.each(query.shape[2], key.shape[2])
        parts = zip(torch.split(query, 1, 2), each, strict=True)
        return torch.cat(
            [attention(q, key[:, :, :n], value[:, :, :n], m, scale, drop, softcap) for q, (n, m) in parts], 2
        )
    if softcap is not None:
        bias = mask.dense(query.shape[2], key.shape[2], query)
        if not drop and not torch.is_grad_enabled():
            return _answered(query, key, value, bias, scale, softcap)
        return _recorded(query, key, value, bias, scale, drop, softcap)
    few = query.shape[2] <= FEW and not torch.is_grad_enabled()
    if few and query.dtype == torch.float32:
        few = query.shape[2] == 1 or query.shape[2] != key.shape[2]  # a step of decoding, not a short text
    elif few:
        few = query.shape[2] > 1
    longest = UNFUSED_FOR_FEW if few else UNFUSED_UP_TO.get(query.dtype, 0)
    if not few and not torch.is_grad_enabled() and (query.dtype == torch.float32 or query.shape[2] == 1):
        longest = 0  # forward alone the fused kernel wins: it copies no heads, and one query fills no product
    if query.device.type == "cpu" and key.shape[2] <= longest:
        bias = mask.dense(query.shape[2], key.shape[2], query)
        if few and not drop:
            return _answered(query, key, value, bias, scale)
        if not torch.is_grad_enabled():
            return _two_products(query, key, value, bias, scale, drop)[0]
        if bias is not None and bias.requires_grad:
            return _recorded(query, key, value, bias, scale, drop)
        result: Tensor = _TwoProducts.apply(query, key, value, bias, scale, drop)  # type: ignore[no-untyped-call]
        return result
    square = query.shape[2] == key.shape[2]  # otherwise torch aligns its causal mask at the wrong corner
    plain = square and mask.bias is None and mask.window is None
    bias = None if plain else mask.dense(query.shape[2], key.shape[2], query)
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


def _answered(
    query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, scale: float, softcap: float | None = None
) -> Float[Tensor, "B H T D"]:
    """`_two_products` for a step of decoding, where a call costs more than its arithmetic: as few as there can be.
    Scores that are bounded are so in place."""
    (b, h, t, d), (g, s) = query.shape, key.shape[1:3]
    q = query.reshape(b * g, h // g * t, d)
    k, alpha = key.reshape(b * g, s, d), scale if softcap is None else scale / softcap
    if softcap is not None and q.dtype == torch.bfloat16 and q.shape[1] <= FEW:  # a quarter of the time this way round
        scores = torch.bmm(k, q.transpose(1, 2)).mul_(alpha).transpose(1, 2).contiguous()  # (B G, H/G T, S)
    else:
        scores = torch.baddbmm(q.new_empty(1, 1, 1), q, k.transpose(1, 2), beta=0, alpha=alpha)  # (B G, H/G T, S)
    if softcap is not None:
        scores.tanh_().mul_(softcap)
    if bias is not None:
        scores.view(b, h, t, s).add_(bias)
    return torch.bmm(torch.softmax(scores, -1), value.reshape(b * g, s, d)).view(b, h, t, d)


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
    query: Tensor,
    key: Tensor,
    value: Tensor,
    bias: Tensor | None,
    scale: float,
    drop: float,
    softcap: float | None = None,
) -> Float[Tensor, "B H T D"]:
    """The same call by call, for a bias that is learnt (T5's) and for scores that are bounded."""
    groups = query.shape[1] // key.shape[1]
    key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)  # (B, H, S, D)
    scores = bounded(query @ key.transpose(-1, -2) * scale, softcap)  # (B, H, T, S)
    wide = torch.promote_types(query.dtype, torch.float32)
    weights = (scores if bias is None else scores + bias).softmax(-1, dtype=wide).to(query.dtype)
    return dropout(weights, drop, training=True) @ value


def bounded(scores: Float[Tensor, "*B"], cap: float | None) -> Float[Tensor, "*B"]:
    """c tanh(score / c), where there is a bound c."""
    return scores if cap is None else torch.tanh(scores / cap) * cap
