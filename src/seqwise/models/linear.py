"""x W^T + b, the product that nearly all of the time goes into, without the passes that torch adds to it on a CPU.

In bf16, torch spreads the bias over the result first and lets oneDNN add the product to it: 15 % of the product on
shapes of translation. oneDNN can add the bias and apply an activation while a tile is still in registers, and it can
read weights that lie in its own order instead of bringing them there at every call, which for one row is most of the
work. In fp32 the same holds for many rows. Figures: docs/benchmarks.md. In any other type, and on any other device,
this is `torch.nn.Linear`.

Letters of the shapes: N rows, I inputs, O outputs.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx
from torch.nn import functional

from seqwise.models.pointwise import activate, tracing

Then = Literal["none", "relu", "gelu", "gelu-tanh", "silu", "tanh"]
FUSED: dict[Then, tuple[str, str]] = {
    "none": ("none", ""),
    "relu": ("relu", ""),
    "gelu": ("gelu", "none"),
    "gelu-tanh": ("gelu", "tanh"),
    "silu": ("swish", ""),
    "tanh": ("tanh", ""),
}
"""Their names in oneDNN."""
PACKED_AT_MOST = 2**29  # bytes of fp32 weights that are copied for a while
MANY = 256  # rows from which oneDNN's fp32 products with a bias beat torch's
# oneDNN 3 gives a bf16 product of such a width and so many rows to one of two threads; pieces of it go to both, 1.4 to
# 1.8 times as fast. Measured with two threads, inputs 768 to 4,096; narrower or wider results do as well whole.
NARROW, IDLE, PIECE = range(640, 1024), range(577, 1536), 576
FEW_INPUTS, IDLE_FOR_FEW = 2048, 705  # below so many inputs, rows from which it does so


@dataclass(frozen=True)
class Packed:
    """A weight in oneDNN's order, and which state of which weight it is a copy of."""

    weight: Tensor
    of: tuple[int, int]
    """Address and version of the weight that was copied."""

    @classmethod
    def copy(cls, weight: Float[Tensor, "O I"], rows: int = 1) -> "Packed | None":
        """The copy; None where oneDNN would not use it for so many rows."""
        if not _direct(weight, rows):
            return None
        made = torch.ops.mkldnn._reorder_linear_weight(weight.detach().contiguous(), None)
        return cls(made, state_of(weight))

    def serves(self, x: Float[Tensor, "*B I"], weight: Float[Tensor, "O I"]) -> bool:
        """Whether it may stand for the weight in a product with these rows that nobody asks the gradient of."""
        return x.dtype == weight.dtype and not torch.is_grad_enabled() and self.fits(weight) and not tracing()

    def fits(self, weight: Float[Tensor, "O I"]) -> bool:
        """Whether the weight is still what it was when it was copied."""
        return self.of == state_of(weight)


def state_of(weight: Tensor) -> tuple[int, int]:
    """What is another where the weight is another or was changed in place."""
    # one made in inference mode has no version; nor does an edit through `.data` raise it, so do not edit that way
    return weight.data_ptr(), 0 if weight.is_inference() else weight._version


@cache
def instructions() -> bool:
    """Whether this torch has oneDNN with the products that its own compiler (inductor) calls, and the processor has
    the instructions that they need in bf16."""
    there: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    operators = torch.ops.mkldnn
    if not there or not hasattr(operators, "_linear_pointwise") or not hasattr(operators, "_is_mkldnn_bf16_supported"):
        return False
    return bool(operators._is_mkldnn_bf16_supported())


def _direct(weight: Tensor, rows: int = 1) -> bool:
    return (
        (weight.dtype == torch.bfloat16 or (weight.dtype == torch.float32 and rows >= MANY))
        and weight.device.type == "cpu"
        and type(weight.data) is Tensor
        and instructions()
    )


def linear(
    x: Float[Tensor, "*B I"],
    weight: Float[Tensor, "O I"],
    bias: Float[Tensor, "O"] | None = None,
    then: Then = "none",
    packed: Packed | None = None,
) -> Float[Tensor, "*B O"]:
    """x W^T + b, and an activation where asked.

    packed   a copy of the weight in oneDNN's order; left aside where the weight has changed since
    """
    if tracing() or x.numel() == 0 or x.dtype != weight.dtype or not _direct(weight, x.numel() // x.shape[-1]):
        return activate(functional.linear(x, weight, bias), then)
    if packed is not None and not packed.fits(weight):
        packed = None
    if not torch.is_grad_enabled():
        return _product(x, weight, bias, then, packed)
    fused = then if then == "relu" else "none"  # the gradient of the others needs what is not kept
    result: Tensor = _Product.apply(x, weight, bias, fused, packed)  # type: ignore[no-untyped-call]
    return result if fused == then else activate(result, then)


def _product(x: Tensor, weight: Tensor, bias: Tensor | None, then: Then, packed: Packed | None) -> Tensor:
    chosen = weight if packed is None else packed.weight
    name, way = FUSED[then]
    some = at_a_time(x.numel() // x.shape[-1], weight.shape[1], weight.shape[0], x.dtype)
    if some is None:
        result: Tensor = torch.ops.mkldnn._linear_pointwise(x.contiguous(), chosen, bias, name, [], way)
        return result
    parts = torch.split(x.reshape(-1, x.shape[-1]), some)
    made = [torch.ops.mkldnn._linear_pointwise(part, chosen, bias, name, [], way) for part in parts]
    return torch.cat(made).view(*x.shape[:-1], -1)


def at_a_time(rows: int, inputs: int, outputs: int, dtype: torch.dtype) -> int | None:
    """Rows of a product that are multiplied at once, where oneDNN would leave a thread idle; None: all of them."""
    if dtype != torch.bfloat16 or outputs not in NARROW or rows not in IDLE or torch.get_num_threads() != 2:
        return None
    if inputs < FEW_INPUTS and rows < IDLE_FOR_FEW:
        return None
    return -(-rows // -(-rows // PIECE) // 32) * 32


def times(rows: Float[Tensor, "N I"], matrix: Float[Tensor, "I O"]) -> Float[Tensor, "N O"]:
    """The product of both, not recorded, by all threads."""
    some = at_a_time(len(rows), matrix.shape[0], matrix.shape[1], rows.dtype)
    if some is None or rows.device.type != "cpu":
        return rows @ matrix
    result = rows.new_empty(len(rows), matrix.shape[1])
    for part, out in zip(torch.split(rows, some), torch.split(result, some), strict=True):
        torch.mm(part, matrix, out=out)
    return result


class _Product(torch.autograd.Function):
    """The same with its gradients; none is made for what is frozen, and nothing is kept for it."""

    @staticmethod
    def forward(
        ctx: FunctionCtx, x: Tensor, weight: Tensor, bias: Tensor | None, then: Then, packed: Packed | None
    ) -> Tensor:
        y = _product(x, weight, bias, then, packed)
        wanted = ctx.needs_input_grad  # type: ignore[attr-defined]
        ctx.shape = x.shape  # type: ignore[attr-defined]
        kept = (x if wanted[1] else None, weight if wanted[0] else None, y if then == "relu" else None)
        ctx.save_for_backward(*kept)  # type: ignore[arg-type]  # None may be saved
        return y

    @staticmethod
    def backward(ctx: FunctionCtx, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, y = ctx.saved_tensors  # type: ignore[attr-defined]
        wanted = ctx.needs_input_grad  # type: ignore[attr-defined]
        (up,) = gradients
        if y is not None:
            up = torch.ops.aten.threshold_backward(up, y, 0)
        rows = up.reshape(-1, up.shape[-1])  # (N, O)
        d_x = times(rows, weight).view(ctx.shape) if wanted[0] else None  # type: ignore[attr-defined]
        d_weight = rows.t() @ x.reshape(-1, x.shape[-1]) if wanted[1] else None
        d_bias = rows.sum(0) if wanted[2] else None
        return d_x, d_weight, d_bias, None, None


@runtime_checkable
class Packing(Protocol):
    """A part that keeps a packed copy of its weight."""

    def pack(self) -> None:
        """Renew the copy."""


class Repackable(nn.Module):
    """A module with a packed weight that no copy of it takes along."""

    packed: Packed | None = None

    def __getstate__(self) -> dict[str, Any]:
        """What a copy takes along: not the packed weight."""
        return {name: value for name, value in self.__dict__.items() if name != "packed"}


class Linear(Repackable, nn.Linear):
    """`linear()` with its weights; a `torch.nn.Linear` to everyone who asks."""

    def forward(self, x: Float[Tensor, "*B I"], then: Then = "none") -> Float[Tensor, "*B O"]:
        """x W^T + b, and an activation where asked."""
        packed, weight = self.packed, self.weight
        if packed is not None and x.numel() == x.shape[-1] and packed.serves(x, weight):  # a row: calls cost, not sums
            name, way = FUSED[then]
            row: Tensor = torch.ops.mkldnn._linear_pointwise(x.contiguous(), packed.weight, self.bias, name, [], way)
            return row
        return linear(x, weight, self.bias, then, packed)

    def pack(self) -> None:
        """Keep a copy of the weight in oneDNN's order. To be renewed when the weight changes."""
        self.packed = Packed.copy(self.weight)


def pack(model: nn.Module) -> None:
    """Keep packed copies of all weights of products, as much memory again; does nothing where they would not be used.

    Parts that have such a weight say so by a method `pack`.
    """
    for part in model.modules():
        if isinstance(part, Packing):
            part.pack()


@contextmanager
def packed_for_many(model: nn.Module) -> Iterator[None]:
    """Within the block, keep packed copies of fp32 weights too, which pay for many rows at a time only; unless they
    would take much memory."""
    wide = [part for part in model.modules() if type(part) is Linear and part.weight.dtype == torch.float32]
    bare = [part for part in wide if part.packed is None]
    if sum(4 * part.weight.numel() for part in bare) > PACKED_AT_MOST:
        bare = []
    try:
        for part in bare:
            part.packed = Packed.copy(part.weight, MANY)
        yield
    finally:
        for part in bare:
            part.packed = None
