"""The encoder: reads a text whole, from both sides, and says something about it. Devlin et al. 2019 and its heirs."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from seqwise.models.architecture import TransformerSettings
from seqwise.models.heads import Labels, NextToken
from seqwise.models.kernels import padding_bias
from seqwise.models.packed import ALIKE, evened, packed
from seqwise.models.transformer import Stack


class Encoder(nn.Module):
    """A stack that sees all positions, with a head: a masked token, or labels of the text or of each token."""

    def __init__(self, settings: TransformerSettings, embed: nn.Module, head: NextToken | Labels | None) -> None:
        super().__init__()
        self.settings = settings
        self.encoder = Stack(settings, embed, causal=False, cross=False)
        self.head = head

    def hidden(
        self,
        inputs: Int[Tensor, "B T"],
        lengths: Int[Tensor, "D"],
        segments: Int[Tensor, "B T"] | None = None,
    ) -> Float[Tensor, "B T W"]:
        """A vector for each position; those of the padding mean nothing.

        lengths    of the texts; where there are more or fewer than rows, they stand end to end in one
        segments   0 for tokens of the first text, 1 for those of the second; all 0 unless given
        """
        count = inputs.shape[1]
        if len(lengths) != len(inputs):
            inputs, lengths, segments = evened(inputs, lengths, segments)
        documents = packed(inputs, lengths, self.encoder.dtype, ALIKE if torch.is_grad_enabled() else 1.0)
        padding = None if documents else padding_bias(lengths, count, self.encoder.dtype)
        vectors: Tensor = self.encoder(inputs, padding, segments=segments, documents=documents)
        return vectors[:, :count]

    def forward(
        self,
        inputs: Int[Tensor, "B T"],
        lengths: Int[Tensor, "D"] | None = None,
        segments: Int[Tensor, "B T"] | None = None,
    ) -> Float[Tensor, "_ *T V"]:
        """What the head says; the vectors themselves where there is none. `lengths`: real tokens of each text."""
        if lengths is None:
            lengths = torch.full((len(inputs),), inputs.shape[1], device=inputs.device)
        hidden = self.hidden(inputs, lengths, segments)
        if isinstance(self.head, Labels):
            labelled: Tensor = self.head(hidden, lengths)
            return labelled
        logits: Tensor = hidden if self.head is None else self.head(hidden)
        return logits
