"""What each head of each layer looks at in one text: the weights of self-attention, recomputed, for any family.

Also a summary of heads by what they look at most: the first token, the one before, itself, the one after. Heads that
do one of these nearly always are common, and are what to look at first (Clark et al. 2019, section 3).
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from seqwise.errors import ConfigError
from seqwise.inspection.attention import within
from seqwise.inspection.trace import attentions, trace, weights
from seqwise.models.assemble import Pretrained


@dataclass(frozen=True)
class Habit:
    """What a head does on the whole."""

    layer: int
    head: int
    first: float
    """Mean weight on the first token, by all but the first."""
    before: float
    """On the token before."""
    itself: float
    after: float
    """On the token after; 0 in a decoder."""
    sharpness: float
    """1 where each token looks at a single other one, 0 where at all alike: 1 - entropy / its maximum."""


def recomputed(model: Pretrained, run: Callable[[], object], part: str) -> Float[Tensor, "L H T S"]:
    """The weights of all layers of a part, while `run` computes.

    part   `encoder.attend`, `decoder.attend`, `decoder.cross`
    """
    stack, _, kind = part.partition(".")
    parts = {
        name: one for name, one in attentions(model).items() if name.startswith(f"{stack}.") and name.endswith(kind)
    }
    if not parts:
        raise ConfigError(f"--part {part}", "one that the model has", "leaving it out")
    with torch.inference_mode(), trace(parts) as heard:
        run()
    return torch.stack([weights(calls[0])[0] for calls in heard.calls.values()])


def chosen(found: Float[Tensor, "L H T S"], layer: int | None, head: int | None) -> Float[Tensor, "T S"]:
    """Of one layer and head, or the mean of all where none is named."""
    within(layer, found.shape[0], "--layer")
    within(head, found.shape[1], "--head")
    picked = found if layer is None else found[layer : layer + 1]
    picked = picked if head is None else picked[:, head : head + 1]
    return picked.mean((0, 1))


def habits(found: Float[Tensor, "L H T T"]) -> list[Habit]:
    """What each head looks at, on the whole."""
    length = found.shape[-1]
    told = []
    for layer, heads in enumerate(found):
        for number, one in enumerate(heads):
            seen = (one > 0).sum(-1).clamp(min=2).log()  # of each token, how many it may see
            entropy = -(one * one.clamp(min=1e-12).log()).sum(-1)
            told.append(
                Habit(
                    layer,
                    number,
                    float(one[1:, 0].mean()) if length > 1 else 1.0,
                    float(one.diagonal(-1).mean()) if length > 1 else 0.0,
                    float(one.diagonal().mean()),
                    float(one.diagonal(1).mean()) if length > 1 else 0.0,
                    float((1 - entropy / seen).clamp(0, 1).mean()),
                )
            )
    return told
