"""LoRA on a product: y = x W^T + s (x A^T) B^T with W frozen, as one step of autograd. Hu et al. 2022, section 4.1.

Queries, keys and values lie in one weight here and have a pair (A, B) each, as others' adapters have them. So that this
costs no more calls than one pair would, the A are stacked, and the B stand on the diagonal of one matrix:

    h = x [s1 A1; s2 A2; s3 A3]^T    (N, R)   R  ranks of all parts together
    y = x W^T + b + h D^T            (N, O)   D  B1, B2, B3 as blocks, zero elsewhere

Kept for the gradient are x and h, nothing of the size of y. No gradient of W is made, and the gradient of x is added up
in place. Tried and lost: a product for each part (three times the calls, and slower for their strides); x and h side by
side in one longer product (no faster, and W would have to lie there twice); oneDNN's fused addition (slower than a
product that adds to y).

DoRA (Liu et al. 2024) learns length and direction of each row of W by themselves:

    y = m / |W + s B A| * (x W^T + s h B^T) + b      the length |.| taken as a constant, section 4.3

Letters of the shapes: N rows, I inputs, O outputs, R ranks of all parts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx

from seqwise.errors import ConfigError
from seqwise.models.dropout import scaled_mask
from seqwise.models.linear import Linear, Packed, Then, linear, state_of, times
from seqwise.models.lora_pairs import Pairs, Quantized, Slot


@dataclass(frozen=True)
class Layout:
    """Where each part stands: rows of the weight, ranks among the ranks of all, and its scale."""

    first: tuple[int, ...]
    rows: tuple[int, ...]
    ranks: tuple[int, ...]
    scales: tuple[float, ...]

    @classmethod
    def of(cls, slots: Sequence[Slot]) -> "Layout":
        """As the parts follow each other."""
        return cls(
            tuple(slot.part.first for slot in slots),
            tuple(slot.part.rows for slot in slots),
            tuple(slot.rank for slot in slots),
            tuple(slot.scale for slot in slots),
        )

    def downs(self, factors: Sequence[Tensor], dtype: torch.dtype) -> Float[Tensor, "R I"]:
        """All A, one below the other, times their scales."""
        stacked = factors[0] if len(factors) == 1 else torch.cat(list(factors))
        return self.scaled(stacked.to(dtype))

    def scaled(self, stacked: Float[Tensor, "R I"]) -> Float[Tensor, "R I"]:
        """The rows of each part times its scale."""
        if len(set(self.scales)) == 1:
            return stacked * self.scales[0]
        pairs = zip(torch.split(stacked, list(self.ranks)), self.scales, strict=True)
        return torch.cat([rows * scale for rows, scale in pairs])

    def ups(self, factors: Sequence[Tensor], outputs: int, dtype: torch.dtype) -> Float[Tensor, "R O"]:
        """All B as blocks of D^T, as the product with h reads it."""
        blocks = factors[0].new_zeros(sum(self.ranks), outputs, dtype=dtype)
        for block, up in zip(self.blocks(blocks), factors, strict=True):
            block.copy_(up)
        return blocks

    def blocks(self, matrix: Float[Tensor, "R O"]) -> list[Tensor]:
        """The block of each part of such a matrix, as a view in the form of its B."""
        found, at = [], 0
        for first, rows, rank in zip(self.first, self.rows, self.ranks, strict=True):
            found.append(matrix[at : at + rank, first : first + rows].t())
            at += rank
        return found


@dataclass(frozen=True)
class Base:
    """The frozen product: its weight as it is used, and its bias."""

    source: Tensor | Quantized
    bias: Tensor | None
    packed: Packed | None = None

    def weight(self, dtype: torch.dtype, returns: bool) -> Float[Tensor, "O I"]:
        """In the type of the vectors, where it has to be made first. `returns`: whether a gradient will need it."""
        return self.source if isinstance(self.source, Tensor) else self.source.lent(dtype, returns)

    def returned(self, dtype: torch.dtype) -> Float[Tensor, "O I"]:
        """The same for the gradient."""
        return self.source if isinstance(self.source, Tensor) else self.source.returned(dtype)


class _Adapted(torch.autograd.Function):
    """See the head of this file."""

    @staticmethod
    def forward(
        ctx: FunctionCtx, x: Tensor, base: Base, then: Then, rate: float, layout: Layout, *factors: Tensor
    ) -> Tensor:
        mask = scaled_mask(x, rate) if rate else None
        read = x if mask is None else x * mask
        weight = base.weight(x.dtype, ctx.needs_input_grad[0])  # type: ignore[attr-defined]
        y, inner = _forward(x, read, weight, base, then, layout, factors)
        ctx.save_for_backward(read, inner, y if then == "relu" else None, mask, *factors)  # type: ignore[arg-type]
        ctx.base, ctx.layout = base, layout  # type: ignore[attr-defined]  # the way autograd functions keep what is no tensor
        return y

    @staticmethod
    def backward(ctx: FunctionCtx, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        read, inner, y, mask, *factors = ctx.saved_tensors  # type: ignore[attr-defined]
        base, layout = ctx.base, ctx.layout  # type: ignore[attr-defined]
        (up,) = gradients
        if y is not None:
            up = torch.ops.aten.threshold_backward(up, y, 0)
        rows = up.reshape(-1, up.shape[-1])  # (N, O)
        count = len(layout.ranks)
        d_inner = rows @ layout.ups(factors[count:], rows.shape[1], rows.dtype).t()  # (N, R)
        d_x = None
        if ctx.needs_input_grad[0]:  # type: ignore[attr-defined]
            downs = layout.downs(factors[:count], rows.dtype)
            d_x = times(rows, base.returned(rows.dtype))  # (N, I)
            if mask is None:
                d_x.addmm_(d_inner, downs)
            else:
                d_x.addcmul_(d_inner @ downs, mask.view(d_x.shape))
            d_x = d_x.view(read.shape)
        d_downs = layout.scaled(d_inner.t() @ read.reshape(-1, read.shape[-1])).split(layout.ranks)  # (r, I) each
        d_ups = layout.blocks(inner.t() @ rows)  # (o, r) each
        return d_x, None, None, None, None, *d_downs, *d_ups


def _forward(
    x: Tensor, read: Tensor, weight: Tensor, base: Base, then: Then, layout: Layout, factors: Sequence[Tensor]
) -> tuple[Tensor, Tensor]:
    """y and h, with no gradient recorded."""
    count = len(layout.ranks)
    inner = read.reshape(-1, read.shape[-1]) @ layout.downs(factors[:count], x.dtype).t()  # (N, R)
    bias = None if base.bias is None else base.bias.to(x.dtype)
    y = linear(x, weight, bias, "none", base.packed)  # (*B, O)
    y.view(-1, y.shape[-1]).addmm_(inner, layout.ups(factors[count:], y.shape[-1], x.dtype))
    return (y.relu_() if then == "relu" else y), inner


def adapted(
    x: Float[Tensor, "*B I"], base: Base, layout: Layout, factors: Sequence[Tensor], then: Then, rate: float
) -> Float[Tensor, "*B O"]:
    """x W^T + b + s (x A^T) B^T, and max(0, .) where asked.

    factors   all A, then all B
    rate      of dropout on what the A read
    """
    if torch.is_grad_enabled():
        result: Tensor = _Adapted.apply(x, base, then, rate, layout, *factors)  # type: ignore[no-untyped-call]
        return result
    read = x * scaled_mask(x, rate) if rate else x
    return _forward(x, read, base.weight(x.dtype, False), base, then, layout, factors)[0]


class LoraLinear(Pairs):
    """A product with adapters on it, one of which answers, or none; takes the place of the product."""

    def __init__(self, base: nn.Module) -> None:
        """base: a `Linear`, a `torch.nn.Linear`, or one that is `Quantized`."""
        super().__init__()
        self.base = base
        self._start()
        self._lengths: dict[str, tuple[tuple[int, ...], Tensor]] = {}

    @property
    def weight(self) -> Tensor:
        """The frozen weight, without any adapter."""
        return self.base.weight if isinstance(self.base, nn.Linear) else self._dequantized(torch.float32)

    @property
    def bias(self) -> Tensor | None:
        """The frozen bias."""
        bias: Tensor | None = self.base.bias if isinstance(self.base, nn.Linear | Quantized) else None
        return bias

    @property
    def in_features(self) -> int:
        """I."""
        return int(self.base.in_features)  # type: ignore[arg-type]  # every product has it

    @property
    def out_features(self) -> int:
        """O."""
        return int(self.base.out_features)  # type: ignore[arg-type]

    def _dequantized(self, dtype: torch.dtype) -> Tensor:
        if not isinstance(self.base, Quantized):
            raise TypeError(f"a {type(self.base).__name__} does not tell its weight")
        return self.base.dequantized(dtype)

    def frozen(self, slot: Slot) -> Float[Tensor, "O I"]:
        """The weight, whatever the part."""
        return self.weight

    def reads(self, slot: Slot) -> tuple[int, torch.device]:
        """I, and where the weight lies."""
        held = [*self.base.parameters(), *self.base.buffers()]
        return self.in_features, held[0].device

    def plain(self) -> nn.Module:
        """The product without adapters."""
        return self.base

    def joined(self, adapter: str, dtype: torch.dtype | None) -> tuple[nn.Linear, float]:
        """A product with the adapter in its weight, and the greatest difference between that and the exact sum.

        dtype   of the weight; as it is, and for one that is quantized the type of the adapter
        """
        given = self.weight
        kept = dtype or (given.dtype if isinstance(self.base, nn.Linear) else self.pair_dtype(adapter))
        exact = self.merged(adapter, given.detach(), self.slots[adapter])
        kind = nn.Linear if type(self.base) is nn.Linear else Linear
        with torch.device("meta"):
            made = kind(self.in_features, self.out_features, self.bias is not None)
        made.weight = nn.Parameter(exact.to(kept), requires_grad=False)
        if self.bias is not None:
            made.bias = nn.Parameter(self.bias.detach().to(kept, copy=True), requires_grad=False)
        return made, float((made.weight - exact).abs().max())

    def forward(self, x: Float[Tensor, "*B I"], then: Then = "none") -> Float[Tensor, "*B O"]:
        """x W^T + b + s (x A^T) B^T, and max(0, .) where asked."""
        if self.active is None or self.active not in self.slots:
            return self._plain(x, then)
        slots = self.slots[self.active]
        pairs = [self.pair(self.active, slot.part.leaf) for slot in slots]
        factors = [down for down, _, _ in pairs] + [up for _, up, _ in pairs]
        rate = self.rates[self.active] if self.training else 0.0
        layout = Layout.of(slots)
        stretched = self.active in self.lora_magnitude
        base = self._base(None if stretched else self.bias)
        if base is None:
            return self._beside(x, layout, factors, then, stretched)
        if not stretched:
            return adapted(x, base, layout, factors, then, rate)
        y, stretch = adapted(x, base, layout, factors, "none", rate), self._stretch(self.active).to(x.dtype)
        y = y * stretch if self.bias is None else torch.addcmul(self.bias.to(x.dtype), y, stretch)
        return torch.relu(y) if then == "relu" else y

    @torch.no_grad()
    def _beside(
        self, x: Tensor, layout: Layout, factors: Sequence[Tensor], then: Then, stretched: bool
    ) -> Float[Tensor, "*B O"]:
        """The same beside a product that does not tell its weight, as `compact` makes them; to answer, not to train."""
        if stretched:
            raise ConfigError(
                f"DoRA on a {type(self.base).__name__}, whose weight is rounded",
                "a weight whose lengths are known, or plain LoRA",
                "merging the adapter first",
            )
        count = len(layout.ranks)
        y: Tensor = self.base(x)
        inner = x.reshape(-1, x.shape[-1]) @ layout.downs(factors[:count], x.dtype).t()  # (N, R)
        y.view(-1, y.shape[-1]).addmm_(inner, layout.ups(factors[count:], y.shape[-1], x.dtype))
        return y.relu_() if then == "relu" else y

    def _plain(self, x: Tensor, then: Then) -> Tensor:
        if isinstance(self.base, Linear) or not isinstance(self.base, nn.Linear):
            return self.base(x, then)  # type: ignore[no-any-return]
        y: Tensor = self.base(x)
        return torch.relu(y) if then == "relu" else y

    def _base(self, bias: Tensor | None) -> Base | None:
        if isinstance(self.base, nn.Linear):
            return Base(self.base.weight, bias, self.base.packed if isinstance(self.base, Linear) else None)
        return Base(self.base, bias) if isinstance(self.base, Quantized) else None

    def _stretch(self, adapter: str) -> Float[Tensor, "O"]:
        """m / |W + s B A| of each row; 1 where a row has no adapter."""
        lengths = self._row_lengths(adapter, self.training or torch.is_grad_enabled())
        pieces, at = [], 0
        for slot in sorted(self.slots[adapter], key=lambda slot: slot.part.first):
            part, (_, _, size) = slot.part, self.pair(adapter, slot.part.leaf)
            if size is None:
                continue
            pieces += [lengths.new_ones(part.first - at), size / lengths[part.first : part.first + part.rows]]
            at = part.first + part.rows
        return torch.cat([*pieces, lengths.new_ones(self.out_features - at)])

    @torch.no_grad()
    def _row_lengths(self, adapter: str, learning: bool) -> Float[Tensor, "O"]:
        """|W + s B A| of each row: anew while it learns, as fused and sharded optimizers move A and B without a trace;
        else worked out when A, B or the frozen weight has changed."""
        held = (*self.base.parameters(), *self.base.buffers())  # the bytes of a weight that is quantized
        factors = (*self.lora_a[adapter].parameters(), *self.lora_b[adapter].parameters())
        state = tuple(one for each in (*held, *factors) for one in state_of(each))
        known = self._lengths.pop(adapter, None)
        if known is None or known[0] != state or learning:
            known = (state, torch.linalg.vector_norm(self.added(adapter, self.weight, self.slots[adapter]), 2, 1))
        if not learning:
            self._lengths[adapter] = known
        return known[1]
