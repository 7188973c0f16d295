"""Attention of many short documents as one step of autograd: taking apart, rotation, attending, putting back.

The parts are those of `packed`, `rotary` and `kernels`, and so are the numbers. Recorded one by one they cost a frozen
model as much as a third of its products: heads are copied to be cut, to be turned and to be joined, forward and back.
Here a group of documents goes through all of it while it lies in the cache, and heads are copied once each way.

Letters of the shapes: K positions; H heads of queries, G of keys, R = H + 2 G; W width of a head; in a group B
documents of T slots.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import FunctionCtx

from seqwise.models.dropout import scaled_mask
from seqwise.models.kernels import UNFUSED_UP_TO, Mask
from seqwise.models.packed import Documents, Group
from seqwise.models.rotary import Rotation


@dataclass(frozen=True)
class Shape:
    """What attention is told besides its vectors."""

    heads: int
    keys: int
    scale: float
    drop: float = 0.0

    @property
    def rows(self) -> int:
        """Of one head's width at each position."""
        return self.heads + 2 * self.keys

    @property
    def blocks(self) -> tuple[int, int, int]:
        """Those of queries, keys and values."""
        return self.heads, self.keys, self.keys


@dataclass(frozen=True, eq=False)
class Jointly:
    """The documents of a batch with all that is the same in every layer of a kind."""

    documents: Documents
    biases: tuple[Float[Tensor, "_ _ _ _"] | None, ...]
    """Of each group, as (#B, #H, #T, T)."""
    turn: tuple[Float[Tensor, "T W"], Float[Tensor, "T W"]] | None = field(default=None)
    """Cosine and signed sine of each place in a document."""

    @classmethod
    def of(cls, mask: Mask, rotation: Rotation | None, like: Tensor) -> "Jointly | None":
        """None where the parts have to be called one by one: for long documents, a learnt bias, another device.

        rotation   of as many places as the longest document has
        """
        documents = mask.documents
        if documents is None or like.device.type != "cpu" or documents.longest > UNFUSED_UP_TO.get(like.dtype, 0):
            return None
        pairs = zip(documents.groups, mask.groups, strict=True)
        biases = tuple(seen.dense(group.longest, group.longest, like) for group, seen in pairs)
        if any(bias is not None and bias.requires_grad for bias in biases):
            return None
        if rotation is None:
            return cls(documents, biases)
        if rotation.interleaved:
            return None
        cos, sin = (part[0, 0].to(like.dtype) for part in rotation.whole)  # (T, W)
        return cls(documents, biases, (cos, sin))

    def turned(self, x: Float[Tensor, "BHT W"], group: Group, sign: int) -> None:
        """Turn the queries and keys of a group, in place. sign: 1 forward, -1 back."""
        if self.turn is None:
            return
        x = x.view(-1, group.longest, x.shape[1])
        exchanged = x.roll(x.shape[2] // 2, -1)  # the second half of each before the first
        cos, sin = (wave[: group.longest] for wave in self.turn)
        x.mul_(cos).addcmul_(exchanged, sin, value=sign)


def attend(qkv: Float[Tensor, "1 K RW"], jointly: Jointly, shape: Shape) -> Float[Tensor, "1 K HW"]:
    """Queries, keys and values of all heads, as one product has made them -> the answers of all heads."""
    result: Tensor = _Attend.apply(qkv, jointly, shape)  # type: ignore[no-untyped-call]
    return result


class _Attend(torch.autograd.Function):
    """`attend` with its gradient."""

    @staticmethod
    def forward(ctx: FunctionCtx, qkv: Tensor, jointly: Jointly, shape: Shape) -> Tensor:
        width = qkv.shape[-1] // shape.rows
        flat = qkv.reshape(-1, shape.rows * width)
        answers = flat.new_empty(len(flat), shape.heads * width)
        kept: list[Tensor | None] = []
        for group, bias in zip(jointly.documents.groups, jointly.biases, strict=True):
            rows = group.apart(shape.blocks, shape.rows)
            taken = flat[group.here].view(-1, width).index_select(0, rows)  # (B R T, W)
            turned = (shape.heads + shape.keys) * group.slots
            jointly.turned(taken[:turned], group, 1)
            answer, weights, mask = _answered(taken, group, bias, shape)
            kept += (taken, weights, mask)
            put = group.together((shape.heads,))
            torch.index_select(answer.view(-1, width), 0, put, out=answers[group.here].view(-1, width))
        ctx.save_for_backward(*kept)  # type: ignore[arg-type]  # None may be saved
        ctx.jointly, ctx.shape, ctx.input = jointly, shape, qkv.shape  # type: ignore[attr-defined]
        return answers.view(*qkv.shape[:-1], -1)

    @staticmethod
    def backward(ctx: FunctionCtx, *gradients: Tensor) -> tuple[Tensor, None, None]:
        jointly, shape = ctx.jointly, ctx.shape  # type: ignore[attr-defined]
        width = ctx.input[-1] // shape.rows  # type: ignore[attr-defined]
        flat = gradients[0].reshape(-1, shape.heads * width)
        slopes = flat.new_empty(len(flat), shape.rows * width)
        kept: Iterator[Tensor] = iter(ctx.saved_tensors)  # type: ignore[attr-defined]
        for group, taken, weights, mask in zip(jointly.documents.groups, kept, kept, kept, strict=True):
            rows = group.apart((shape.heads,), shape.heads)
            up = flat[group.here].view(-1, width).index_select(0, rows)  # (B H T, W)
            group.blank(up, shape.heads)
            slope = _slopes(up, taken, weights, mask, shape)
            turned = (shape.heads + shape.keys) * group.slots
            jointly.turned(slope[:turned], group, -1)
            put = group.together(shape.blocks)
            torch.index_select(slope, 0, put, out=slopes[group.here].view(-1, width))
        return slopes.view(ctx.input), None, None  # type: ignore[attr-defined]


def _parts(rows: Float[Tensor, "BRT W"], shape: Shape, length: int) -> list[Tensor]:
    """Queries (B G, H/G T, W), keys and values (B G, T, W) of a group, as views: the heads that share keys lie below
    each other."""
    slots = len(rows) // shape.rows
    each = slots // length * shape.keys  # B G
    return [part.view(each, -1, rows.shape[1]) for part in torch.split(rows, [n * slots for n in shape.blocks])]


def _answered(
    taken: Float[Tensor, "BRT W"], group: Group, bias: Tensor | None, shape: Shape
) -> tuple[Tensor, Tensor, Tensor | None]:
    """The answers of a group, its weights, and dropout's mask. See `kernels._two_products`."""
    q, k, v = _parts(taken, shape, group.longest)
    weights = q.new_empty(len(q), q.shape[1], group.longest)
    torch.baddbmm(weights, q, k.transpose(1, 2), beta=0, alpha=shape.scale, out=weights)
    if bias is not None:
        weights.view(-1, shape.heads, group.longest, group.longest).add_(bias)
    torch.ops.aten._softmax.out(weights, -1, False, out=weights)
    mask = scaled_mask(weights, shape.drop) if shape.drop else None
    return torch.bmm(weights if mask is None else weights * mask, v), weights, mask


def _slopes(
    up: Float[Tensor, "BHT W"], taken: Float[Tensor, "BRT W"], weights: Tensor, mask: Tensor | None, shape: Shape
) -> Float[Tensor, "BRT W"]:
    """The gradients of a group's queries, keys and values. See `kernels._TwoProducts`."""
    slopes = torch.empty_like(taken)
    q, k, v = _parts(taken, shape, weights.shape[2])
    d_q, d_k, d_v = _parts(slopes, shape, weights.shape[2])
    up = up.view(q.shape)
    torch.bmm((weights if mask is None else weights * mask).transpose(1, 2), up, out=d_v)
    slope = torch.bmm(up, v.transpose(1, 2))
    if mask is not None:
        slope *= mask
    slope = torch.ops.aten._softmax_backward_data(slope, weights, -1, weights.dtype)
    torch.baddbmm(d_q, slope, k, beta=0, alpha=shape.scale, out=d_q)
    torch.baddbmm(d_k, slope.transpose(1, 2), q, beta=0, alpha=shape.scale, out=d_k)
    return slopes
