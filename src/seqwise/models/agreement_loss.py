"""Cross-entropy of two passes that differ by dropout, and the price of their disagreeing, over a large vocabulary.

R-Drop, Liang et al. 2021 (R-Drop: Regularized Dropout for Neural Networks), section 2.2. The scores of both passes are
made a chunk at a time, and the gradients with them, as in `vocabulary_loss`.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import FunctionCtx
from torch.nn import functional

from seqwise.models.vocabulary_loss import CHUNK, bound_in_place

CACHED = 3 * 2**17  # numbers of a part whose dozen passes stay in the processor's second cache


def agreement_loss(
    hidden: Float[Tensor, "2 N W"],
    weight: Float[Tensor, "V W"],
    bias: Float[Tensor, "V"] | None,
    target: Int[Tensor, "N"],
    agreement: float,
    smoothing: float = 0.0,
    cap: float | None = None,
) -> Float[Tensor, ""]:
    """Sum over N positions of the mean cross-entropy of two passes, and of what it costs that they differ, in nats.

    mean of both -log p(target), smoothed  +  a / 4 (KL(p || q) + KL(q || p))

    which is half of the paper's equation 4, so that the loss of passes that agree is that of one. Gradients are exact.

    agreement   a, the paper's alpha
    cap         bound c of the logits, c tanh(s / c); None: none
    """
    loss: Tensor = _AgreementLoss.apply(hidden, weight, bias, target, agreement, smoothing, cap)  # type: ignore[no-untyped-call]
    return loss


def agreed(
    scores: Float[Tensor, "2 N L"], target: Int[Tensor, "N"], agreement: float, smoothing: float = 0.0
) -> Float[Tensor, ""]:
    """The same of scores that are there, of few labels."""
    a, b = functional.log_softmax(scores.float(), -1)
    apart = ((a.exp() - b.exp()) * (a - b)).sum()  # KL(p || q) + KL(q || p), Jeffreys' divergence
    both = scores.float().flatten(0, 1)
    losses = functional.cross_entropy(both, target.repeat(2), reduction="sum", label_smoothing=smoothing)
    found: Tensor = losses / 2 + agreement / 4 * apart
    return found


class _AgreementLoss(torch.autograd.Function):
    """The gradients are made in the forward pass, where the scores are at hand; backward only scales them."""

    @staticmethod
    def forward(
        ctx: FunctionCtx,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        target: Tensor,
        agreement: float,
        smoothing: float,
        cap: float | None,
    ) -> Tensor:
        n, v = hidden.shape[1], len(weight)
        wanted = ctx.needs_input_grad  # type: ignore[attr-defined]
        device = weight.device
        d_hidden = torch.empty_like(hidden) if wanted[0] else None  # (2, N, W)
        d_weight = torch.zeros(weight.shape, dtype=torch.float32, device=device) if wanted[1] else None  # (V, W)
        d_bias = torch.zeros(v, dtype=torch.float32, device=device) if wanted[2] else None
        loss = torch.zeros((), dtype=torch.float32, device=device)
        rows = max(1, min(n, CHUNK // (2 * v)))
        for first in range(0, n, rows):
            h, y = hidden[:, first : first + rows], target[first : first + rows]
            logits = h @ weight.t()  # (2, N', V)
            if bias is not None:
                logits += bias
            slope = None if cap is None else bound_in_place(logits, cap)
            loss += _loss_and_slope(logits, y, agreement, smoothing)
            if slope is not None:
                logits *= slope
            if d_hidden is not None:
                d_hidden[:, first : first + rows] = logits @ weight
            if d_weight is not None:
                d_weight += torch.mm(logits.flatten(0, 1).t(), h.flatten(0, 1))
            if d_bias is not None:
                d_bias += logits.sum((0, 1), dtype=torch.float32)
        made = (d_hidden, *(None if one is None else one.to(weight.dtype) for one in (d_weight, d_bias)))
        ctx.save_for_backward(*made)  # type: ignore[arg-type]  # None may be saved
        return loss

    @staticmethod
    def backward(ctx: FunctionCtx, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        made: tuple[Tensor | None, ...] = ctx.saved_tensors  # type: ignore[attr-defined]
        scaled = [None if one is None else one * gradients[0].to(one.dtype) for one in made]
        return *scaled, None, None, None, None


def _loss_and_slope(
    logits: Float[Tensor, "2 N V"], target: Int[Tensor, "N"], agreement: float, smoothing: float
) -> Float[Tensor, ""]:
    """The summed loss; the logits become its slope, in place. In fp32, a few rows at a time on a CPU."""
    n, v = logits.shape[1:]
    rows = max(1, CACHED // v) if logits.device.type == "cpu" else n
    loss = torch.zeros((), dtype=torch.float32, device=logits.device)
    for both, wanted in zip(torch.split(logits, rows, 1), torch.split(target, rows), strict=True):
        a, b = functional.log_softmax(both.float(), -1)  # log p, log q
        place = wanted[:, None]
        loss -= 0.5 * (1 - smoothing) * (a.gather(1, place).sum() + b.gather(1, place).sum())
        if smoothing:
            loss -= 0.5 * smoothing / v * (a.sum() + b.sum())
        p, q = a.exp(), b.exp()
        apart, ratio = p - q, a.sub_(b)  # p - q, log p / q
        of_p, of_q = (p * ratio).sum(1, keepdim=True), (q * ratio).sum(1, keepdim=True)  # KL(p || q), -KL(q || p)
        loss += agreement / 4 * (of_p - of_q).sum()
        # d / d scores of p: p (log p/q - KL(p || q)) + p - q; of q: q (KL... - log p/q) - (p - q)
        for into, share, mean, sign in ((both[0], p, of_p, 1.0), (both[1], q, of_q, -1.0)):
            slope = (ratio - mean).mul_(share).add_(apart).mul_(sign * agreement / 4)
            slope.add_(share, alpha=0.5)
            if smoothing:
                slope -= 0.5 * smoothing / v
            slope.scatter_add_(1, place, slope.new_full(place.shape, -0.5 * (1 - smoothing)))
            into.copy_(slope)
    return loss
