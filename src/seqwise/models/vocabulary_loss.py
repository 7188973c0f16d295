"""Cross-entropy over a large vocabulary, without the logits of all positions in memory at once."""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import FunctionCtx
from torch.nn import functional

CHUNK = 16 * 2**20  # logits computed at a time: few large products, and little memory


class _SmoothedLoss(torch.autograd.Function):
    """Cross-entropy over a large vocabulary in chunks, so that the logits of all positions never exist at once.

    Both gradients are made in the forward pass, where the logits are at hand; backward only scales them.
    d loss / d logits = softmax - (1 - e) onehot - e / V, so one softmax in place is all that is needed.
    """

    @staticmethod
    def forward(
        ctx: FunctionCtx,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        target: Tensor,
        smoothing: float,
    ) -> Tensor:
        n, v = len(hidden), len(weight)
        rows = max(1, min(n, CHUNK // v))
        d_hidden = torch.empty_like(hidden)  # (N, W)
        d_weight = torch.zeros(weight.shape, dtype=torch.float32, device=weight.device)  # (V, W)
        d_bias = None if bias is None else torch.zeros(v, dtype=torch.float32, device=weight.device)
        # sum of all logits, without touching them: h . (sum of the rows of the projection)
        spread = hidden.sum(0, dtype=torch.float32) @ weight.sum(0, dtype=torch.float32)
        if bias is not None:
            spread += n * bias.sum(dtype=torch.float32)
        loss = -smoothing / v * spread
        starts = torch.arange(0, rows * v, v, device=hidden.device)
        buffer = torch.empty(rows, v, dtype=hidden.dtype, device=hidden.device)
        for h, y, out in zip(
            torch.split(hidden, rows), torch.split(target, rows), torch.split(d_hidden, rows), strict=True
        ):
            logits = torch.mm(h, weight.t(), out=buffer[: len(h)])  # (N', V)
            if bias is not None:
                logits += bias
            place = y + starts[: len(y)]  # of the targets, in the flat buffer
            flat = buffer.view(-1)
            right = flat[place].float()  # (N',)
            torch.ops.aten._softmax.out(logits, 1, False, out=logits)
            likely = flat[place]  # (N',)
            loss += (smoothing * right - likely.float().clamp_min(1e-38).log()).sum()
            if smoothing:
                logits -= smoothing / v
            flat[place] = likely - (1 - smoothing + smoothing / v)
            torch.mm(logits, weight, out=out)
            d_weight += torch.mm(logits.t(), h)
            if d_bias is not None:
                d_bias += logits.sum(0, dtype=torch.float32)
        last = None if d_bias is None else d_bias.to(weight.dtype)
        ctx.save_for_backward(d_hidden, d_weight.to(weight.dtype), last)  # type: ignore[arg-type]  # None may be saved
        return loss

    @staticmethod
    def backward(ctx: FunctionCtx, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        d_hidden, d_weight, d_bias = ctx.saved_tensors  # type: ignore[attr-defined]
        scale = gradients[0].to(d_hidden.dtype)
        return d_hidden * scale, d_weight * scale, None if d_bias is None else d_bias * scale, None, None


def smoothed_loss(
    hidden: Float[Tensor, "N W"],
    weight: Float[Tensor, "V W"],
    bias: Float[Tensor, "V"] | None,
    target: Int[Tensor, "N"],
    smoothing: float = 0.0,
) -> Float[Tensor, ""]:
    """Sum over N positions of the cross-entropy against the target, in nats, with label smoothing.

    (1 - e) * -log p(target) + e * mean over the vocabulary of -log p        Szegedy et al. 2016, section 7
    """
    if torch.is_grad_enabled() and (hidden.requires_grad or weight.requires_grad):
        loss: Tensor = _SmoothedLoss.apply(hidden, weight, bias, target, smoothing)  # type: ignore[no-untyped-call]
        return loss
    total = torch.zeros((), dtype=torch.float32, device=hidden.device)
    rows = max(1, CHUNK // len(weight))
    for h, y in zip(torch.split(hidden, rows), torch.split(target, rows), strict=True):
        logits = functional.linear(h, weight, bias).float()  # (N', V)
        total += functional.cross_entropy(logits, y, reduction="sum", label_smoothing=smoothing)
    return total
