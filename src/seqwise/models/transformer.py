"""The Transformer: encoder, decoder, and both together. Vaswani et al. 2017, and later choices as settings.

One `Layer` serves all three shapes: self-attention, attention to a memory where there is one, and a feed-forward
network, each inside a residual. Which family of checkpoints it imitates is not said here: that is a table.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from seqwise.config import Range
from seqwise.errors import Fault
from seqwise.models.attention import (
    AttentionSettings,
    Keys,
    Mask,
    MultiHeadAttention,
    padding_bias,
)
from seqwise.models.cache import Cache, DecoderState
from seqwise.models.dropout import Dropout
from seqwise.models.embeddings import EmbeddingSettings
from seqwise.models.heads import NextToken
from seqwise.models.linear import Linear
from seqwise.models.positions import Positions, PositionSettings, RelativeBias

ALIKE, FULL = 16, 0.9  # rows encoded at a time where less than such a share of the positions is real


@dataclass(frozen=True)
class NormSettings:
    """How activations are kept in range."""

    kind: Literal["layer", "rms"] = "layer"
    """LayerNorm (Ba et al. 2016), or RMSNorm (Zhang & Sennrich 2019) without mean and bias."""
    place: Literal["pre", "post"] = "pre"
    """Before each part, which trains without care, or after it as in 2017, which needs warm-up (Xiong et al. 2020)."""
    epsilon: Annotated[float, Range(1e-12, 1e-2)] = 1e-5
    """Added to the variance."""


@dataclass(frozen=True)
class FeedForwardSettings:
    """The network applied to each position by itself."""

    width: Annotated[int, Range(1)] = 1024
    """Inner width; four times the model's is customary, less where the gate adds a third matrix."""
    activation: Literal["relu", "gelu", "gelu-tanh", "silu"] = "relu"
    """gelu is the exact one (erf), gelu-tanh the approximation that GPT-2 and Gemma use."""
    gated: bool = False
    """Multiply by a second projection (Shazeer 2020, GLU variants)."""
    bias: bool = True
    """Biases in both projections."""
    dropout: Annotated[float, Range(0.0, 0.95)] = 0.0
    """Dropout after the activation."""


@dataclass(frozen=True)
class TransformerSettings:
    """The size and the make of a Transformer."""

    kind: Literal["transformer"] = "transformer"
    """Which model this is."""
    shape: Literal["encoder-decoder", "encoder", "decoder"] = "encoder-decoder"
    """Translation needs an encoder-decoder."""
    width: Annotated[int, Range(2)] = 256
    """Size of the vector that stands for one token; 128 for some ten thousand sentences, 512 for millions."""
    layers: Annotated[int, Range(1)] = 3
    """Layers of the encoder, and of the decoder unless `decoder_layers` says otherwise."""
    decoder_layers: Annotated[int, Range(1)] | None = None
    """Layers of the decoder: few make decoding fast and cost little quality (Kasai et al. 2021). None: as `layers`."""
    heads: Annotated[int, Range(1)] = 4
    """Attention heads; must divide the width unless `attention.head_width` is given."""
    dropout: Annotated[float, Range(0.0, 0.95)] = 0.1
    """On embeddings and on each part before it is added; 0.3 for small data. Rounded to the nearest 1/256 on CPU."""
    attention: AttentionSettings = field(default_factory=AttentionSettings)
    """Inside attention."""
    feed_forward: FeedForwardSettings = field(default_factory=FeedForwardSettings)
    """Between attentions."""
    norm: NormSettings = field(default_factory=NormSettings)
    """Normalization."""
    positions: PositionSettings = field(default_factory=PositionSettings)
    """Order."""
    embeddings: EmbeddingSettings = field(default_factory=EmbeddingSettings)
    """Tables of tokens."""

    def faults(self) -> Iterator[Fault]:
        """Sizes that cannot be cut as asked."""
        given = self.attention.head_width
        if given is None and self.width % self.heads:
            near = min(
                (h for h in range(1, self.width + 1) if self.width % h == 0),
                key=lambda h: (abs(h - self.heads), -h),
            )
            yield Fault(
                f"heads={self.heads} with width={self.width}",
                "a width that the number of heads divides",
                f"--model.heads {near} or --model.width {max(1, self.width // self.heads) * self.heads}",
            )
        head = given or self.width // self.heads
        if self.positions.kind == "rotary" and head % 2:
            yield Fault(
                f"heads of width {head} with rotary positions",
                "an even width, since coordinates turn in pairs",
                f"--model.attention.head-width {head + 1}",
            )
        groups = self.attention.kv_heads
        if groups and self.heads % groups:
            yield Fault(
                f"kv_heads={groups} with heads={self.heads}",
                "a number of key heads that divides the heads",
                f"--model.attention.kv-heads {max(g for g in range(1, groups + 1) if self.heads % g == 0)}",
            )


def activate(x: Float[Tensor, "*B F"], name: str) -> Float[Tensor, "*B F"]:
    """The non-linearity of the feed-forward network."""
    match name:
        case "relu":
            return torch.relu(x)
        case "gelu":
            return functional.gelu(x)
        case "gelu-tanh":
            return functional.gelu(x, approximate="tanh")
        case _:
            return functional.silu(x)


def norm(settings: NormSettings, width: int) -> nn.Module:
    """A fresh normalization."""
    if settings.kind == "rms":
        return nn.RMSNorm(width, eps=settings.epsilon)
    return nn.LayerNorm(width, eps=settings.epsilon)


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
        if self.gated:
            gate, value = self.up(x).chunk(2, -1)
            inner = activate(gate, self.activation) * value  # (B, T, F)
        elif self.activation == "relu":
            inner = self.up(x, "relu")  # (B, T, F)
        else:
            inner = activate(self.up(x), self.activation)
        result: Tensor = self.down(self.dropout(inner))
        return result


class Layer(nn.Module):
    """Self-attention, attention to a memory where there is one, feed-forward: each normalized, dropped out, added."""

    def __init__(self, settings: TransformerSettings, cross: bool) -> None:
        super().__init__()
        width, attention = settings.width, settings.attention
        self.pre = settings.norm.place == "pre"
        self.attend = MultiHeadAttention(width, settings.heads, attention, settings.positions)
        self.attend_norm = norm(settings.norm, width)
        positions = settings.positions
        self.cross = MultiHeadAttention(width, settings.heads, attention, positions, cross=True) if cross else None
        self.cross_norm = norm(settings.norm, width) if cross else None
        self.feed = FeedForward(width, settings.feed_forward)
        self.feed_norm = norm(settings.norm, width)
        self.dropout = Dropout(settings.dropout)

    def before(self, x: Tensor, normalize: nn.Module) -> Tensor:
        """What a part reads."""
        return normalize(x) if self.pre else x

    def after(self, x: Tensor, part: Tensor, normalize: nn.Module) -> Tensor:
        """Add what a part says."""
        added = x + self.dropout(part)
        return added if self.pre else normalize(added)  # type: ignore[no-any-return]

    def forward(
        self,
        x: Float[Tensor, "B T W"],
        mask: Mask,
        memory: Float[Tensor, "B S W"] | None = None,
        memory_mask: Mask | None = None,
    ) -> Float[Tensor, "B T W"]:
        """All positions at once: encoding, and training a decoder."""
        query, keys = self.attend.project(self.before(x, self.attend_norm))
        x = self.after(x, self.attend.answer(query, keys, mask), self.attend_norm)
        # projected in here and not by the caller, since FSDP2 gathers a layer's weights when the layer is called
        remembered = self.cross.remember(memory) if self.cross is not None and memory is not None else None
        return self._ask_and_feed(x, remembered, memory_mask or Mask())

    def step(self, x: Float[Tensor, "B K W"], cache: Cache, state: DecoderState, layer: int) -> Float[Tensor, "B K W"]:
        """One position of each beam: write its key into the cache, attend to all that is there."""
        where = None if self.attend.positions is None else torch.tensor([state.at], device=x.device)
        query, keys = self.attend.project(self.before(x, self.attend_norm), where)
        seen = cache.write(keys, state.at)
        x = self.after(x, self.attend.answer(query, seen, state.past_mask), self.attend_norm)
        memory = state.memory[layer] if state.memory else None
        return self._ask_and_feed(x, memory, state.memory_mask)

    def _ask_and_feed(self, x: Tensor, memory: Keys | None, mask: Mask) -> Tensor:
        if self.cross is not None and self.cross_norm is not None and memory is not None:
            query = self.cross.ask(self.before(x, self.cross_norm))
            x = self.after(x, self.cross.answer(query, memory, mask), self.cross_norm)
        return self.after(x, self.feed(self.before(x, self.feed_norm)), self.feed_norm)


class Stack(nn.Module):
    """Embeddings, positions, layers, and the last normalization that pre-norm needs."""

    def __init__(self, settings: TransformerSettings, embed: nn.Module, layers: int, causal: bool, cross: bool) -> None:
        super().__init__()
        self.embed = embed
        self.causal = causal
        self.positions = Positions(settings.positions, settings.width)
        relative = settings.positions.kind in ("alibi", "t5")
        self.relative = RelativeBias(settings.positions, settings.heads, not causal) if relative else None
        self.layers = nn.ModuleList(Layer(settings, cross) for _ in range(layers))
        self.last_norm = norm(settings.norm, settings.width) if settings.norm.place == "pre" else nn.Identity()
        self.dropout = Dropout(settings.dropout)

    def each(self) -> list[Layer]:
        """The layers, from the first."""
        return [layer for layer in self.layers if isinstance(layer, Layer)]

    def enter(self, ids: Int[Tensor, "B T"], first: int = 0) -> Float[Tensor, "B T W"]:
        """Tokens and where they stand, as vectors."""
        x: Tensor = self.dropout(self.positions(self.embed(ids), first))
        return x

    def relations(self, first: int, queries: int, keys: int, like: Tensor) -> Tensor | None:
        """ALiBi's or T5's addition to the scores, (1, H, T, S)."""
        if self.relative is None:
            return None
        where = torch.arange(keys, device=like.device)
        bias: Tensor = self.relative(where[first : first + queries], where)
        return bias.to(like.dtype)

    def forward(
        self,
        ids: Int[Tensor, "B T"],
        padding: Float[Tensor, "B 1 1 T"] | None = None,
        memory: Float[Tensor, "B S W"] | None = None,
        memory_mask: Mask | None = None,
    ) -> Float[Tensor, "B T W"]:
        """All positions at once. A decoder needs no padding mask: what is padded comes later and is never seen."""
        x = self.enter(ids)
        bias = self.relations(0, ids.shape[1], ids.shape[1], x)
        if padding is not None:
            bias = padding if bias is None else bias + padding
        mask = Mask(self.causal, bias)
        for layer in self.layers:
            x = layer(x, mask, memory, memory_mask)
        result: Tensor = self.last_norm(x)
        return result

    def step(self, ids: Int[Tensor, "B K"], state: DecoderState) -> tuple[Float[Tensor, "B K W"], DecoderState]:
        """One more position of each beam."""
        x: Tensor = self.positions(self.embed(ids).flatten(0, 1)[:, None], state.at)  # (R, 1, W)
        x = x.view(*ids.shape, -1)  # (B, K, W)
        state = state.grown(self.relations(state.at, 1, state.at + 1, x))
        for i, (layer, cache) in enumerate(zip(self.each(), state.caches, strict=True)):
            x = layer.step(x, cache, state, i)
        return self.last_norm(x), state.advanced()


@dataclass(frozen=True)
class Memory:
    """What the encoder hands to the decoder."""

    vectors: Float[Tensor, "B S W"]
    lengths: Int[Tensor, "B"]


def _hide_padding(memory: Memory) -> Mask:
    """What a decoder may see of the source."""
    vectors = memory.vectors
    return Mask(bias=padding_bias(memory.lengths, vectors.shape[1], vectors.dtype))


class Transformer(nn.Module):
    """Encoder-decoder: reads a sentence whole, writes another one token by token."""

    def __init__(self, settings: TransformerSettings, source: nn.Module, target: nn.Module, head: NextToken) -> None:
        super().__init__()
        self.settings = settings
        self.encoder = Stack(settings, source, settings.layers, causal=False, cross=False)
        self.decoder = Stack(settings, target, settings.decoder_layers or settings.layers, causal=True, cross=True)
        self.head = head

    def encode(self, inputs: Int[Tensor, "B S"], lengths: Int[Tensor, "B"]) -> Memory:
        """Read the source; without gradients and on a CPU, rows of like length together, so that less is padding."""
        if torch.is_grad_enabled() or inputs.device.type != "cpu" or int(lengths.sum()) > FULL * inputs.numel():
            return Memory(self._read(inputs, lengths), lengths)
        vectors = self.head.weight.new_zeros(*inputs.shape, self.settings.width)  # (B, S, W)
        for rows in torch.split(lengths.argsort(), ALIKE):
            longest = int(lengths[rows].max())
            vectors[rows, :longest] = self._read(inputs[rows, :longest], lengths[rows])
        return Memory(vectors, lengths)

    def _read(self, inputs: Int[Tensor, "B S"], lengths: Int[Tensor, "B"]) -> Float[Tensor, "B S W"]:
        padding = padding_bias(lengths, inputs.shape[1], self.head.weight.dtype)
        vectors: Tensor = self.encoder(inputs, padding)
        return vectors

    def hidden(
        self, inputs: Int[Tensor, "B S"], lengths: Int[Tensor, "B"], shifted: Int[Tensor, "B T"]
    ) -> Float[Tensor, "B T W"]:
        """What the head reads, at every target position. `shifted`: the start token, then the targets but the last."""
        memory = self.encode(inputs, lengths)
        result: Tensor = self.decoder(shifted, None, memory.vectors, _hide_padding(memory))
        return result

    def forward(
        self, inputs: Int[Tensor, "B S"], lengths: Int[Tensor, "B"], shifted: Int[Tensor, "B T"]
    ) -> Float[Tensor, "B T V"]:
        """Logits of the next token at every target position."""
        logits: Tensor = self.head(self.hidden(inputs, lengths, shifted))
        return logits

    def start(self, memory: Memory, beams: int, room: int) -> DecoderState:
        """Before the first token. `room`: tokens that will be written at most."""
        layers = self.decoder.each()
        keys = tuple(layer.cross.remember(memory.vectors) for layer in layers if layer.cross is not None)
        return DecoderState.empty(
            layers[0].attend, len(layers), memory.vectors, beams, room, keys, _hide_padding(memory)
        )

    def step(self, ids: Int[Tensor, "R"], state: DecoderState) -> tuple[Float[Tensor, "R V"], DecoderState]:
        """The last token of each beam -> scores of the next, and the state after it."""
        x, after = self.decoder.step(ids.view(-1, state.beams), state)  # (B, K, W)
        logits: Tensor = self.head(x.flatten(0, 1))  # (R, V)
        return logits, after
