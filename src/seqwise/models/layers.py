"""One layer of a Transformer: attention and a feed-forward network, each inside a residual. Vaswani et al. 2017, 3.1.

The same class serves encoders, decoders, and decoders that ask an encoder. What is left out: embeddings and the loop
over layers, which stand in `transformer.py`.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from seqwise.models.architecture import FeedForwardSettings, NormSettings, TransformerSettings
from seqwise.models.attention import Keys, MultiHeadAttention
from seqwise.models.cache import Cache, DecoderState
from seqwise.models.dropout import Dropout
from seqwise.models.jointly import Jointly
from seqwise.models.kernels import Mask
from seqwise.models.linear import Linear
from seqwise.models.pointwise import GATES, activate, direct, gated, rms
from seqwise.models.rotary import Rotation


class OffsetRMSNorm(nn.Module):
    """x / rms(x) * (1 + w), multiplied in fp32, as Gemma does: a weight of 0 changes nothing."""

    def __init__(self, width: int, epsilon: float) -> None:
        super().__init__()
        self.epsilon = epsilon
        self.weight = nn.Parameter(torch.zeros(width))

    def forward(self, x: Float[Tensor, "*B W"]) -> Float[Tensor, "*B W"]:
        """Any shape in, the same shape out."""
        scale = self.weight.float() + 1.0
        if direct(x):
            return rms(x, scale, self.epsilon)
        return functional.rms_norm(x.float(), scale.shape, scale, self.epsilon).to(x.dtype)


class RMSNorm(nn.Module):
    """x / rms(x) * w, Zhang & Sennrich 2019."""

    def __init__(self, width: int, epsilon: float) -> None:
        super().__init__()
        self.epsilon = epsilon
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Float[Tensor, "*B W"]) -> Float[Tensor, "*B W"]:
        """Any shape in, the same shape out."""
        weight, width = self.weight, x.shape[-1]
        if weight.dtype != x.dtype or not direct(x):
            return functional.rms_norm(x, weight.shape, weight, self.epsilon)
        if torch.is_grad_enabled() or x.dtype != torch.float32:
            return rms(x, weight, self.epsilon)
        size = torch.linalg.vector_norm(x, 2, -1, True)  # (*B, 1) sqrt(width) times the root of the mean square
        size.mul_(size).mul_(1.0 / width).add_(self.epsilon).sqrt_()
        return torch.mul(x, weight).div_(size)


def norm(settings: NormSettings, width: int) -> nn.Module:
    """A fresh normalization."""
    match settings.kind:
        case "rms":
            return RMSNorm(width, settings.epsilon)
        case "rms-offset":
            return OffsetRMSNorm(width, settings.epsilon)
        case _:
            return nn.LayerNorm(width, eps=settings.epsilon, bias=settings.bias)


class FeedForward(nn.Module):
    """max(0, x W1 + b1) W2 + b2, Vaswani et al. 2017, eq. 2; the activation and a gate are settings."""

    def __init__(self, width: int, settings: FeedForwardSettings) -> None:
        super().__init__()
        self.activation = settings.activation
        self.up = Linear(width, settings.width * (2 if settings.gated else 1), settings.bias)
        self.down = Linear(settings.width, width, settings.bias)
        self.gated = settings.gated
        self.dropout = Dropout(settings.dropout)

    def forward(self, x: Float[Tensor, "B T W"]) -> Float[Tensor, "B T W"]:
        """Each position by itself."""
        if self.gated and self.activation in GATES and direct(x):
            inner = gated(self.up(x), self.activation)  # (B, T, F)
        elif self.gated:
            gate, value = self.up(x).chunk(2, -1)
            inner = activate(gate, self.activation) * value
        elif self.activation == "relu":
            inner = self.up(x, "relu")  # (B, T, F)
        elif type(self.up) is Linear and direct(x) and not torch.is_grad_enabled():
            inner = self.up(x, self.activation)
        else:
            inner = activate(self.up(x), self.activation)
        result: Tensor = self.down(self.dropout(inner))
        return result


@dataclass(frozen=True)
class View:
    """How the positions of a sequence see each other in one kind of layer."""

    mask: Mask
    rotation: Rotation | None = None
    """Of rotary positions."""
    jointly: Jointly | None = None
    """Both for documents that are attended to in one step of autograd."""


class Layer(nn.Module):
    """Self-attention, attention to a memory where there is one, feed-forward: each normalized, dropped out, added."""

    def __init__(self, settings: TransformerSettings, cross: bool, first: bool = False) -> None:
        super().__init__()
        width, attention, norms = settings.width, settings.attention, settings.norm
        self.before_part = norms.place != "post"
        both = norms.place == "both"
        self.attend = MultiHeadAttention(width, settings.heads, attention, settings.positions, own_norm(settings))
        self.attend_norm = nn.Identity() if first and not norms.first else norm(norms, width)
        self.attend_after = norm(norms, width) if both else None
        if cross:
            self.cross = MultiHeadAttention(width, settings.heads, attention, settings.positions, cross=True)
            self.cross_norm = norm(norms, width)
            self.cross_after = norm(norms, width) if both else None
        self.feed = FeedForward(width, settings.feed_forward)
        self.feed_norm = norm(norms, width)
        self.feed_after = norm(norms, width) if both else None
        self.has_memory = cross
        self.dropout = Dropout(settings.dropout)

    def before(self, x: Tensor, normalize: nn.Module) -> Tensor:
        """What a part reads."""
        return normalize(x) if self.before_part else x

    def after(self, x: Tensor, part: Tensor, normalize: nn.Module, inner: nn.Module | None = None) -> Tensor:
        """Add what a part says."""
        part = part if inner is None else inner(part)
        added = x + (self.dropout(part) if self.training else part)
        return added if self.before_part else normalize(added)

    def forward(
        self,
        x: Float[Tensor, "B T W"],
        mask: Mask,
        memory: Float[Tensor, "B S W"] | None = None,
        memory_mask: Mask | None = None,
        rotation: Rotation | None = None,
        jointly: Jointly | None = None,
    ) -> Float[Tensor, "B T W"]:
        """All positions at once: encoding, and training a decoder."""
        read = self.before(x, self.attend_norm)
        if jointly is None:
            part = self.attend.answer(*self.attend.project(read, rotation), mask)
        else:
            part = self.attend.jointly(read, jointly)
        # projected in here and not by the caller, since FSDP2 gathers a layer's weights when the layer is called
        remembered = self.cross.remember(memory) if self.has_memory and memory is not None else None
        return self.finish(x, part, remembered, memory_mask or Mask())

    def read(self, x: Float[Tensor, "B T W"], view: View) -> tuple[Float[Tensor, "B T W"], Keys]:
        """All positions at once, and the keys that later ones will ask: a decoder reads its prompt."""
        query, keys = self.attend.project(self.before(x, self.attend_norm), view.rotation)
        return self.finish(x, self.attend.answer(query, keys, view.mask), None, Mask()), keys

    def keys(self, x: Float[Tensor, "B T W"], view: View) -> Keys:
        """The keys alone."""
        return self.attend.project(self.before(x, self.attend_norm), view.rotation)[1]

    def step(
        self, x: Float[Tensor, "B K W"], cache: Cache, state: DecoderState, layer: int, view: View
    ) -> Float[Tensor, "B K W"]:
        """One position of each beam, or K of one beam: write their keys into the cache, attend to what is there."""
        query, keys = self.attend.project(self.before(x, self.attend_norm), view.rotation)
        part = self.attend.answer(query, cache.write(keys, state.written), view.mask)
        return self.finish(x, part, state.memory[layer] if state.memory else None, state.memory_mask)

    def finish(self, x: Tensor, part: Tensor, memory: Keys | None, memory_mask: Mask) -> Float[Tensor, "B T W"]:
        """All that follows what attention says: attention to the memory, feed-forward."""
        x = self.after(x, part, self.attend_norm, self.attend_after)
        if self.has_memory and memory is not None:
            query = self.cross.ask(self.before(x, self.cross_norm))
            x = self.after(x, self.cross.answer(query, memory, memory_mask), self.cross_norm, self.cross_after)
        return self.after(x, self.feed(self.before(x, self.feed_norm)), self.feed_norm, self.feed_after)


def own_norm(settings: TransformerSettings) -> tuple[nn.Module, nn.Module] | None:
    """Normalizations of queries and keys, head by head, where a model has them (Henry et al. 2020)."""
    if not settings.attention.norm:
        return None
    width = settings.attention.head_width or settings.width // settings.heads
    return norm(settings.norm, width), norm(settings.norm, width)


def set_dropout(model: nn.Module, rate: float) -> None:
    """Another rate wherever vectors lose elements on their way: of embeddings, of what each layer adds, between the
    layers of an LSTM, before a head. Within feed-forwards and on attention weights it stays as the model was made.
    """
    for part in model.modules():
        for child in part.children():
            if isinstance(child, Dropout) and not isinstance(part, FeedForward):
                child.rate = rate
