"""The decoder: writes on what it was given, one token after the other. Radford et al. 2019 (GPT-2) and its heirs.

It answers the same calls as an encoder-decoder: `encode` reads a prompt, `start` makes room for what will be written,
`step` writes. The prompt is all but the last token of what was given; that last one is fed to the first step.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from seqwise.models.architecture import TransformerSettings
from seqwise.models.attention import Keys
from seqwise.models.cache import DecoderState, Prompt
from seqwise.models.heads import Labels, NextToken
from seqwise.models.packed import evened, packed
from seqwise.models.transformer import Stack


class Decoder(nn.Module):
    """A causal stack with a head: the next token, or labels of what was read."""

    def __init__(self, settings: TransformerSettings, embed: nn.Module, head: NextToken | Labels | None) -> None:
        super().__init__()
        self.settings = settings
        self.decoder = Stack(settings, embed, causal=True, cross=False)
        self.head = head

    def hidden(self, inputs: Int[Tensor, "B T"], lengths: Int[Tensor, "D"] | None = None) -> Float[Tensor, "B T W"]:
        """What the head reads, at every position.

        lengths   of the texts; where there are more or fewer than rows, they stand end to end in one
        """
        count = inputs.shape[1]
        if lengths is not None and len(lengths) != len(inputs):
            inputs, lengths, _ = evened(inputs, lengths)
        vectors: Tensor = self.decoder(inputs, documents=packed(inputs, lengths, self.decoder.dtype))
        return vectors[:, :count]

    def forward(self, inputs: Int[Tensor, "B T"], lengths: Int[Tensor, "D"] | None = None) -> Float[Tensor, "_ *T V"]:
        """Logits at every position, or of the labels; the vectors themselves where there is no head.

        lengths   real tokens of each text, the padding behind them; all unless given
        """
        hidden = self.hidden(inputs, lengths)
        if isinstance(self.head, Labels):
            if lengths is None:
                lengths = torch.full((len(inputs),), inputs.shape[1], device=inputs.device)
            labelled: Tensor = self.head(hidden, lengths)
            return labelled
        logits: Tensor = hidden if self.head is None else self.head(hidden)
        return logits

    def encode(self, inputs: Int[Tensor, "B P"], lengths: Int[Tensor, "B"]) -> Prompt:
        """Read a prompt, the padding of shorter ones behind them. It may be empty."""
        if inputs.shape[1]:
            return Prompt(self.decoder.read(inputs), lengths)
        layer = self.decoder.each()[0].attend
        shape = len(inputs), layer.groups, 0, layer.head_width
        nothing = torch.empty(shape, dtype=self.decoder.dtype, device=inputs.device)
        return Prompt((Keys(nothing, nothing),) * len(self.decoder.layers), lengths)

    def start(self, prompt: Prompt, beams: int, room: int) -> DecoderState:
        """Before the first token. `room`: tokens that will be written at most."""
        layers = self.decoder.each()
        like = prompt.keys[0].key
        return DecoderState.empty(layers[0].attend, len(layers), like, beams, room, prompt=prompt)

    def step(self, ids: Int[Tensor, "R"], state: DecoderState) -> tuple[Float[Tensor, "R V"], DecoderState]:
        """The last token of each beam -> scores of the next, and the state after it."""
        x, after = self.decoder.step(ids.view(-1, state.beams), state)  # (B, K, W)
        if not isinstance(self.head, NextToken):
            raise TypeError("a decoder without a head for tokens cannot write")
        logits: Tensor = self.head(x.flatten(0, 1))  # (R, V)
        return logits, after

    def steps(self, ids: Int[Tensor, "B T"], state: DecoderState) -> tuple[Float[Tensor, "B T V"], DecoderState]:
        """Several tokens of a single beam at once -> scores of the one after each, and the state after all of them."""
        x, after = self.decoder.steps(ids, state)  # (B, T, W)
        if not isinstance(self.head, NextToken):
            raise TypeError("a decoder without a head for tokens cannot write")
        logits: Tensor = self.head(x.flatten(0, 1))  # (B T, V)
        return logits.view(*ids.shape, -1), after
