"""What is done to each number or row by itself. Norms and gates are one step of autograd each, some rows at a time, so
that what lies between stays in the cache.

Called one by one, the passes of a bf16 RMSNorm or of a gate cost a frozen model about as much as half of its products:
most are bound by memory, and what fp32 needs in between is the largest. The numbers are the same; less is kept for the
gradients.

Letters of the shapes: N rows of width W; F the inner width of a feed-forward network.
"""

from collections.abc import Callable, Iterator

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import FunctionCtx
from torch.nn import functional

ELEMENTS = 2**18  # at a time: 1 MiB of fp32, half of the second cache
FEW = 2**14  # up to which, in a step of decoding, a call costs more than its arithmetic


def activate(x: Float[Tensor, "*B F"], name: str) -> Float[Tensor, "*B F"]:
    """The non-linearity of the feed-forward network; that of the name "none" changes nothing."""
    match name:
        case "none":
            return x
        case "relu":
            return torch.relu(x)
        case "gelu":
            return functional.gelu(x)
        case "gelu-tanh":
            return functional.gelu(x, approximate="tanh")
        case "tanh":
            return torch.tanh(x)
        case _:
            return functional.silu(x)


def tracing() -> bool:
    """Whether a graph is being written down, which may ask nothing of a tensor."""
    return bool(torch._C._get_tracing_state())


def direct(x: Tensor) -> bool:
    """Whether what is done here is of use: on a processor, and not while a graph is written down."""
    return x.device.type == "cpu" and not tracing()


def blocks(*parts: Float[Tensor, "N _"]) -> Iterator[tuple[Tensor, ...]]:
    """The same rows of all parts, few at a time."""
    rows = max(1, ELEMENTS // parts[0].shape[1])
    return zip(*(torch.split(part, rows) for part in parts), strict=True)


def rms(x: Float[Tensor, "*B W"], scale: Float[Tensor, "W"], epsilon: float) -> Float[Tensor, "*B W"]:
    """x / rms(x) * scale, in fp32 and rounded once. Zhang & Sennrich 2019, eq. 4."""
    if torch.is_grad_enabled() and (x.requires_grad or scale.requires_grad):
        result: Tensor = _RMS.apply(x, scale, epsilon)  # type: ignore[no-untyped-call]
        return result
    if x.numel() <= FEW:
        return functional.rms_norm(x.float(), scale.shape, scale.float(), epsilon).to(x.dtype)
    return _rms(x, scale, epsilon)[0]


def _rms(x: Tensor, scale: Tensor, epsilon: float) -> tuple[Tensor, Tensor]:
    """Also what each row was multiplied by, (N, 1)."""
    rows = x.reshape(-1, x.shape[-1])
    wide, result = scale.float(), torch.empty_like(rows)
    factors = torch.empty(len(rows), 1, device=x.device)
    buffer = torch.empty(min(len(rows), max(1, ELEMENTS // rows.shape[1])), rows.shape[1], device=x.device)
    for part, out, factor in blocks(rows, result, factors):
        held = buffer[: len(part)].copy_(part)
        size = torch.linalg.vector_norm(held, 2, -1, True)
        factor.copy_(size.square_().mul_(1.0 / x.shape[-1]).add_(epsilon).rsqrt_())
        out.copy_(held.mul_(factor).mul_(wide))
    return result.view(x.shape), factors


class _RMS(torch.autograd.Function):
    """`rms` with its gradients; that of the scale only where it is trained."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, scale: Tensor, epsilon: float) -> Tensor:
        result, factors = _rms(x, scale, epsilon)
        ctx.save_for_backward(x, scale, factors)
        return result

    @staticmethod
    def backward(ctx: FunctionCtx, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, scale, factors = ctx.saved_tensors  # type: ignore[attr-defined]
        rows = x.reshape(-1, x.shape[-1])
        up, wide = gradients[0].reshape(rows.shape), scale.float()
        # LayerNorm's gradient around a mean of 0 is d x = f (g - mean(g) - x f^2 mean(g x)) with g = scale * up and
        # f = rms(x)^-1: all but its mean(g) is ours, and torch makes it in one pass
        nothing, only_x = torch.zeros_like(factors), [True, False, False]
        d_x, _, _ = torch.ops.aten.native_layer_norm_backward(
            up, rows, [rows.shape[1]], nothing, factors, wide, None, only_x
        )
        mean = (up @ scale.to(up.dtype)).float().mul_(1.0 / rows.shape[1])[:, None]  # (N, 1)
        d_x += mean.mul_(factors).to(d_x.dtype)
        d_scale = None
        if ctx.needs_input_grad[1]:  # type: ignore[attr-defined]  # torch's own adds it up in bf16: 4 % off for 1000 rows
            d_scale = (factors.to(x.dtype).t() @ (up * rows))[0].to(scale.dtype)
        return d_x.view(x.shape), d_scale, None


Into = Callable[[Tensor, Tensor], object]
"""Reads the first, writes the second."""


def _silu(x: Tensor, out: Tensor) -> None:
    torch.ops.aten.silu.out(x, out=out)


def _silu_slope(x: Tensor, up: Tensor) -> None:
    torch.ops.aten.silu_backward.grad_input(up, x, grad_input=up)


def _gelu(x: Tensor, out: Tensor) -> None:
    torch.ops.aten.gelu.out(x, out=out)


def _gelu_slope(x: Tensor, up: Tensor) -> None:
    torch.ops.aten.gelu_backward.grad_input(up, x, grad_input=up)


def _gelu_tanh(x: Tensor, out: Tensor) -> None:
    torch.ops.aten.gelu.out(x, approximate="tanh", out=out)


def _gelu_tanh_slope(x: Tensor, up: Tensor) -> None:
    torch.ops.aten.gelu_backward.grad_input(up, x, approximate="tanh", grad_input=up)


GATES: dict[str, tuple[Into, Into]] = {
    "silu": (_silu, _silu_slope),
    "gelu": (_gelu, _gelu_slope),
    "gelu-tanh": (_gelu_tanh, _gelu_tanh_slope),
}
"""Each activation, and what turns a gradient of it in place into one of what it reads."""


def gated(x: Float[Tensor, "*B F2"], activation: str) -> Float[Tensor, "*B F"]:
    """activation(first half) * second half. Shazeer 2020, GLU variants; `activation` is one of GATES."""
    if torch.is_grad_enabled() and x.requires_grad:
        result: Tensor = _Gated.apply(x, activation)  # type: ignore[no-untyped-call]
        return result
    if x.numel() <= FEW:
        gate, value = x.chunk(2, -1)
        return activate(gate, activation) * value
    return _gated(x, activation)


def _gated(x: Tensor, activation: str) -> Tensor:
    rows = x.reshape(-1, x.shape[-1])
    result = rows.new_empty(len(rows), x.shape[-1] // 2)
    for gate, value, out in blocks(*rows.chunk(2, -1), result):
        GATES[activation][0](gate, out)
        out.mul_(value)
    return result.view(*x.shape[:-1], -1)


class _Gated(torch.autograd.Function):
    """`gated` with its gradient; the activation is computed again."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, activation: str) -> Tensor:
        ctx.save_for_backward(x)
        ctx.activation = activation  # type: ignore[attr-defined]  # the way autograd functions keep what is no tensor
        return _gated(x, activation)

    @staticmethod
    def backward(ctx: FunctionCtx, *gradients: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors  # type: ignore[attr-defined]
        act, slope = GATES[ctx.activation]  # type: ignore[attr-defined]
        rows = x.reshape(-1, x.shape[-1])
        up = gradients[0].reshape(len(rows), -1)
        result = torch.empty_like(rows)
        for gate, value, g, d_gate, d_value in blocks(*rows.chunk(2, -1), up, *result.chunk(2, -1)):
            act(gate, d_value)
            d_value.mul_(g)
            torch.mul(g, value, out=d_gate)
            slope(gate, d_gate)
        return result.view(x.shape), None
