"""Cross-entropy over a large vocabulary, without the logits of all positions in memory at once."""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import FunctionCtx
from torch.nn import functional

from seqwise.models.kernels import bounded

CHUNK = 16 * 2**20  # logits computed at a time: few large products, and little memory
EVEN = 64  # rows of a bf16 chunk are a multiple of it: oneDNN makes a product ready anew for each number of rows


class _SmoothedLoss(torch.autograd.Function):
    """Cross-entropy over a large vocabulary in chunks, so that the logits of all positions never exist at once.

    The gradients are made in the forward pass, where the logits are at hand, and none for what is frozen; backward only
    scales them. d loss / d logits = softmax - (1 - e) onehot - e / V, so one softmax in place is all that is needed.
    """

    @staticmethod
    def forward(
        ctx: FunctionCtx,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        target: Tensor,
        smoothing: float,
        cap: float | None,
    ) -> Tensor:
        n, v = len(hidden), len(weight)
        wanted = ctx.needs_input_grad  # type: ignore[attr-defined]
        hidden, rows = _in_chunks(hidden, v)
        device = weight.device
        d_hidden = torch.empty_like(hidden) if wanted[0] else None  # (N, W)
        d_weight = torch.zeros(weight.shape, dtype=torch.float32, device=device) if wanted[1] else None  # (V, W)
        d_bias = torch.zeros(v, dtype=torch.float32, device=device) if wanted[2] else None
        loss = torch.zeros((), dtype=torch.float32, device=device)
        buffer = torch.empty(rows, v, dtype=hidden.dtype, device=device)
        for first in range(0, n, rows):
            h, y = hidden[first : first + rows], target[first : first + rows]
            every = torch.mm(h, weight.t(), out=buffer[: len(h)])
            logits = every[: len(y)]  # (N', V)
            if bias is not None:
                logits += bias
            slope = None if cap is None else bound_in_place(logits, cap)
            loss += _loss_and_slope(logits, y, smoothing)
            if slope is not None:
                logits *= slope
            if d_hidden is not None:
                torch.mm(every, weight, out=d_hidden[first : first + rows])
            if d_weight is not None:
                d_weight += torch.mm(every.t(), h)
            if d_bias is not None:
                d_bias += logits.sum(0, dtype=torch.float32)
        found = (None if one is None else one.to(weight.dtype) for one in (d_weight, d_bias))
        made = (None if d_hidden is None else d_hidden[:n], *found)
        ctx.save_for_backward(*made)  # type: ignore[arg-type]  # None may be saved
        return loss

    @staticmethod
    def backward(ctx: FunctionCtx, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        made: tuple[Tensor | None, ...] = ctx.saved_tensors  # type: ignore[attr-defined]
        scaled = [None if one is None else one * gradients[0].to(one.dtype) for one in made]
        return *scaled, None, None, None


def _in_chunks(hidden: Float[Tensor, "N W"], choices: int) -> tuple[Float[Tensor, "_ W"], int]:
    """The vectors, with some rows of 0 more where chunks are to be even, and the rows of a chunk."""
    n, most = len(hidden), max(1, CHUNK // choices)
    if hidden.dtype != torch.bfloat16 or hidden.device.type != "cpu" or n < EVEN or most < EVEN:
        return hidden, max(1, min(n, most))
    chunks = -(-n // (most - most % EVEN))
    return functional.pad(hidden, (0, 0, 0, -n % EVEN)), -(-n // chunks // EVEN) * EVEN


def bound_in_place(logits: Float[Tensor, "*N V"], cap: float) -> Float[Tensor, "*N V"]:
    """Bound the logits in place, c tanh(s / c); the slope of each comes back."""
    logits.div_(cap).tanh_()
    slope = torch.square(logits).neg_().add_(1.0)
    logits.mul_(cap)
    return slope


def _loss_and_slope(logits: Float[Tensor, "N V"], target: Int[Tensor, "N"], smoothing: float) -> Float[Tensor, ""]:
    """The summed loss; the logits become its slope, in place."""
    v = logits.shape[1]
    flat = logits.view(-1)
    place = target + torch.arange(0, flat.numel(), v, device=logits.device)  # of the targets, in the flat buffer
    extra = torch.zeros((), dtype=torch.float32, device=logits.device)
    if smoothing:
        extra = smoothing * (flat[place].sum(dtype=torch.float32) - logits.sum(dtype=torch.float32) / v)
    torch.ops.aten._softmax.out(logits, 1, False, out=logits)
    likely = flat[place]  # (N,)
    if smoothing:
        logits -= smoothing / v
    flat[place] = likely - (1 - smoothing + smoothing / v)
    return extra - likely.float().clamp_min(1e-38).log().sum()


def smoothed_loss(
    hidden: Float[Tensor, "N W"],
    weight: Float[Tensor, "V W"],
    bias: Float[Tensor, "V"] | None,
    target: Int[Tensor, "N"],
    smoothing: float = 0.0,
    cap: float | None = None,
) -> Float[Tensor, ""]:
    """Sum over N positions of the cross-entropy against the target, in nats, with label smoothing.

    (1 - e) * -log p(target) + e * mean over the vocabulary of -log p        Szegedy et al. 2016, section 7

    cap   bound c of the logits, c tanh(s / c); None: none
    """
    if torch.is_grad_enabled() and any(x is not None and x.requires_grad for x in (hidden, weight, bias)):
        loss: Tensor = _SmoothedLoss.apply(hidden, weight, bias, target, smoothing, cap)  # type: ignore[no-untyped-call]
        return loss
    if not smoothing:
        return losses_and_sum(hidden, weight, bias, target, cap)[1]
    total = torch.zeros((), dtype=torch.float32, device=hidden.device)
    rows = max(1, CHUNK // len(weight))
    for h, y in zip(torch.split(hidden, rows), torch.split(target, rows), strict=True):
        logits = bounded(functional.linear(h, weight, bias), cap).float()  # (N', V)
        total += functional.cross_entropy(logits, y, reduction="sum", label_smoothing=smoothing)
    return total


def losses_and_sum(
    hidden: Float[Tensor, "N W"],
    weight: Float[Tensor, "V W"],
    bias: Float[Tensor, "V"] | None,
    target: Int[Tensor, "N"],
    cap: float | None = None,
) -> tuple[Float[Tensor, "N"], Float[Tensor, ""]]:
    """Nats of each position without smoothing, and of all: the sum that a look has always told, to the bit."""
    total = torch.zeros((), dtype=torch.float32, device=hidden.device)
    rows, each = max(1, CHUNK // len(weight)), [hidden.new_zeros(0, dtype=torch.float32)]
    for h, y in zip(torch.split(hidden, rows), torch.split(target, rows), strict=True):
        found, summed = surprise(bounded(functional.linear(h, weight, bias), cap).float(), y)
        total += summed
        each.append(found)
    return torch.cat(each), total


def surprise(logits: Float[Tensor, "N V"], target: Int[Tensor, "N"]) -> tuple[Float[Tensor, "N"], Float[Tensor, ""]]:
    """Nats of each and of all, from one softmax: that is what `cross_entropy` does for either."""
    likely = functional.log_softmax(logits, 1)
    return functional.nll_loss(likely, target, reduction="none"), functional.nll_loss(likely, target, reduction="sum")
