"""The settings of a Transformer: its size, and the choices in which published models differ.

The classes that are built from them stand in `layers.py` and `transformer.py`; which family of checkpoints has which
settings is a table in `seqwise.checkpoints`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Annotated, Literal

from seqwise.config import Range
from seqwise.errors import Fault
from seqwise.models.attention import AttentionSettings
from seqwise.models.embeddings import EmbeddingSettings
from seqwise.models.positions import PositionSettings


@dataclass(frozen=True)
class NormSettings:
    """How activations are kept in range."""

    kind: Literal["layer", "rms", "rms-offset"] = "layer"
    """LayerNorm (Ba et al. 2016), or RMSNorm (Zhang & Sennrich 2019) without mean and bias; rms-offset stores its
    weight as the difference from 1, as Gemma does."""
    place: Literal["pre", "post", "both"] = "pre"
    """Before each part, which trains without care; after its addition as in 2017, which needs warm-up (Xiong et al.
    2020); or before the part and again before its addition, as in Gemma 2."""
    epsilon: Annotated[float, Range(1e-12, 1e-2)] = 1e-5
    """Added to the variance."""
    bias: bool = True
    """Whether LayerNorm has one."""
    first: bool = True
    """Whether the very first attention has one before it: ModernBERT normalizes the embeddings instead."""
    last: bool | None = None
    """Whether the last layer is followed by one; None: unless `place` is post."""
    embeddings: bool = False
    """Whether embeddings and positions, added, are normalized: BERT, BART."""


@dataclass(frozen=True)
class FeedForwardSettings:
    """The network applied to each position by itself."""

    width: Annotated[int, Range(1)] = 1024
    """Inner width; four times the model's is customary, less where the gate adds a third matrix."""
    decoder_width: Annotated[int, Range(1)] | None = None
    """Inner width in the decoder; None: as `width`."""
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
    decoder_heads: Annotated[int, Range(1)] | None = None
    """Heads of the decoder; None: as `heads`."""
    segments: Annotated[int, Range(0)] = 0
    """Rows of a table that tells the first of two texts from the second, added to the embeddings: 2 for BERT."""
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

    def of_decoder(self) -> "TransformerSettings":
        """The sizes of the decoder as if they were those of an encoder."""
        feed = replace(self.feed_forward, width=self.feed_forward.decoder_width or self.feed_forward.width)
        layers, heads = self.decoder_layers or self.layers, self.decoder_heads or self.heads
        return replace(self, layers=layers, heads=heads, feed_forward=feed)

    def local(self, layer: int) -> bool:
        """Whether a layer sees a window only."""
        chosen = self.attention.window_layers
        return self.attention.window is not None and (chosen is None or layer in chosen)

    def faults(self) -> Iterator[Fault]:
        """Sizes that cannot be cut as asked."""
        yield from self._cut(self.heads, "heads")
        if self.shape == "encoder-decoder" and self.decoder_heads not in (None, self.heads):
            yield from self._cut(self.of_decoder().heads, "decoder_heads")

    def _cut(self, heads: int, name: str) -> Iterator[Fault]:
        """The same of so many heads, those of a stack."""
        flag, given = f"--model.{name.replace('_', '-')}", self.attention.head_width
        if given is None and self.width % heads:
            near = min((h for h in range(1, self.width + 1) if self.width % h == 0), key=lambda h: (abs(h - heads), -h))
            yield Fault(
                f"{name}={heads} with width={self.width}",
                "a width that the number of heads divides",
                f"{flag} {near} or --model.width {max(1, self.width // heads) * heads}",
            )
        head = given or self.width // heads
        if self.positions.kind == "rotary" and head % 2:
            yield Fault(
                f"{name} of width {head} with rotary positions",
                "an even width, since coordinates turn in pairs",
                f"--model.attention.head-width {head + 1}",
            )
        groups = self.attention.kv_heads
        if groups and heads % groups:
            dividing = [g for g in range(1, groups + 1) if heads % g == 0 == self.heads % g]
            yield Fault(
                f"kv_heads={groups} with {name}={heads}",
                "a number of key heads that divides the heads",
                f"--model.attention.kv-heads {max(dividing)}",
            )
