"""trace(): listen to the attention of a model while it runs, without changing what it computes or how fast.

What is kept are queries and keys; the weights are recomputed from them where someone looks (`inspection.attention`).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seqwise.models.attention import Kernel, MultiHeadAttention
from seqwise.models.kernels import Mask, bounded


@dataclass(frozen=True)
class Asked:
    """One call of attention: all that its weights depend on."""

    query: Float[Tensor, "B H T D"]
    key: Float[Tensor, "B G S D"]
    mask: Mask
    scale: float
    softcap: float | None


@dataclass(frozen=True)
class Trace:
    """What was heard, by the name of the part; in the order of the calls."""

    calls: dict[str, list[Asked]] = field(default_factory=dict)


@contextmanager
def trace(parts: Mapping[str, MultiHeadAttention]) -> Iterator[Trace]:
    """Keep queries and keys of the named parts while the block runs."""
    heard = Trace({name: [] for name in parts})
    handles = [part.kernel.register_forward_pre_hook(_listener(heard.calls[name])) for name, part in parts.items()]
    try:
        yield heard
    finally:
        for handle in handles:
            handle.remove()


def _listener(calls: list[Asked]):  # type: ignore[no-untyped-def]  # torch types its hooks as Callable[..., None]
    def listen(_kernel: Kernel | nn.Module, arguments: tuple[Any, ...]) -> None:
        query, key, _value, mask, scale, _drop, softcap = arguments
        calls.append(Asked(query.detach(), key.detach(), mask, scale, softcap))

    return listen


def attentions(model: nn.Module) -> dict[str, MultiHeadAttention]:
    """All attentions of a model by their names, such as `decoder.layers.0.cross`."""
    return {name: part for name, part in model.named_modules() if isinstance(part, MultiHeadAttention)}


@torch.inference_mode()
def weights(asked: Asked) -> Float[Tensor, "B H T S"]:
    """softmax(q k^T * scale + bias), scores bounded where the model bounds them: the weights that the kernel used and
    never handed out, in fp32."""
    groups = asked.query.shape[1] // asked.key.shape[1]
    key = asked.key.repeat_interleave(groups, 1)  # (B, H, S, D)
    scores = bounded(asked.query.float() @ key.float().transpose(-1, -2) * asked.scale, asked.softcap)  # (B, H, T, S)
    bias = asked.mask.dense(scores.shape[2], scores.shape[3], scores)
    return (scores if bias is None else scores + bias.float()).softmax(-1)
