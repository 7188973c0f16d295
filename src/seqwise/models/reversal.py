"""Rows of unequal length, backwards: a layer that reads right to left must not meet the padding first.

Only the order of positions changes; padding stays at the right, where nothing reads it.

    B  sentences    S  positions    N  B x S    E  width of a vector
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import FunctionCtx


class _Turned(torch.autograd.Function):
    """Rows of a matrix in an order that is its own inverse, so that the backward pass is the same gather.
    Torch's own would add row after row into zeros."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, order: Tensor) -> Tensor:
        ctx.save_for_backward(order)
        return x.index_select(0, order)

    @staticmethod
    def backward(ctx: FunctionCtx, *gradients: Tensor) -> tuple[Tensor, None]:
        (order,) = ctx.saved_tensors  # type: ignore[attr-defined]
        return gradients[0].index_select(0, order), None


def turning(lengths: Int[Tensor, "B"], longest: int) -> Int[Tensor, "N"]:
    """The order that reverses each row by its own length, for rows laid end to end."""
    place = torch.arange(longest, device=lengths.device)
    mirrored = lengths[:, None] - 1 - place  # (B, S)
    mirrored = torch.where(mirrored < 0, place, mirrored)
    first = torch.arange(len(lengths), device=lengths.device)[:, None] * longest
    return (first + mirrored).flatten()  # (N,)


def turned(x: Float[Tensor, "B S E"], order: Int[Tensor, "N"]) -> Float[Tensor, "B S E"]:
    """Each row backwards; twice changes nothing."""
    result: Tensor = _Turned.apply(x.flatten(0, 1), order)  # type: ignore[no-untyped-call]
    return result.view_as(x)
