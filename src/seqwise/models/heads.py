"""The last step: from vectors to what is asked for. The next token, a masked token, a label of a text or of each token.

    NextToken   (B, T, W) -> (B, T, V)      a score for each token of the vocabulary
    Labels      (B, T, W) -> (B, L)         a score for each label, or (B, T, L) of each token

Which published head has which settings is a table in `seqwise.checkpoints`.
"""

from dataclasses import dataclass, field
from typing import Annotated, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from seqwise.config import Range
from seqwise.models.agreement_loss import agreed, agreement_loss
from seqwise.models.architecture import NormSettings
from seqwise.models.dropout import Dropout
from seqwise.models.kernels import bounded
from seqwise.models.layers import norm
from seqwise.models.linear import Linear, Packed, Repackable, linear
from seqwise.models.pointwise import activate
from seqwise.models.vocabulary_loss import losses_and_sum, smoothed_loss, surprise


@dataclass(frozen=True)
class ChangeSettings:
    """A dense layer before the scores, as BERT's heads have it."""

    activation: Literal["relu", "gelu", "gelu-tanh", "silu", "tanh"] = "gelu"
    """After the product."""
    bias: bool = True
    """In the product."""
    norm: NormSettings | None = None
    """After the activation; None: none."""


class Change(nn.Module):
    """norm(activation(x W^T + b))"""

    def __init__(self, width: int, settings: ChangeSettings) -> None:
        super().__init__()
        self.activation = settings.activation
        self.dense = Linear(width, width, settings.bias)
        self.norm = norm(settings.norm, width) if settings.norm else nn.Identity()

    def forward(self, x: Float[Tensor, "*B W"]) -> Float[Tensor, "*B W"]:
        """Each position by itself."""
        changed: Tensor = self.norm(activate(self.dense(x), self.activation))
        return changed


@dataclass(frozen=True)
class TokensSettings:
    """How vectors become scores of the vocabulary."""

    kind: Literal["tokens"] = "tokens"
    """Which head this is."""
    bias: bool = False
    """One number a token."""
    scale: float = 1.0
    """What vectors are multiplied by first: 1 / sqrt(width) in T5 where tables are shared."""
    softcap: float | None = None
    """Bound of the scores, c tanh(score / c), as in Gemma 2; None: none."""
    change: ChangeSettings | None = None
    """A dense layer first, as in BERT's masked language model; None: none."""


class NextToken(Repackable):
    """Vectors -> a score for each token of the vocabulary, and the loss of training.

    `weight` is handed in where it is shared with the embeddings.
    """

    def __init__(
        self,
        vocabulary: int,
        width: int,
        weight: nn.Parameter | None = None,
        settings: TokensSettings | None = None,
    ) -> None:
        super().__init__()
        self.settings = settings = settings or TokensSettings()
        self.weight = weight if weight is not None else nn.Parameter(torch.empty(vocabulary, width))
        self.bias = nn.Parameter(torch.zeros(vocabulary)) if settings.bias else None
        self.change = Change(width, settings.change) if settings.change else None
        self.product: nn.Module | None = None  # instead of weight and bias, where `compact` has put them
        if weight is None:
            nn.init.normal_(self.weight, std=width**-0.5)

    def forward(self, hidden: Float[Tensor, "*B W"]) -> Float[Tensor, "*B V"]:
        """Logits."""
        x = self._changed(hidden)
        logits = linear(x, self.weight, self.bias, packed=self.packed) if self.product is None else self.product(x)
        return bounded(logits, self.settings.softcap)

    def _changed(self, hidden: Float[Tensor, "*B W"]) -> Float[Tensor, "*B W"]:
        if self.change is not None:
            hidden = self.change(hidden)
        return hidden if self.settings.scale == 1.0 else hidden * self.settings.scale

    def pack(self) -> None:
        """Keep a copy of the projection in the order that the processor reads it in; see `linear`."""
        self.packed = None if self.product is not None else Packed.copy(self.weight)

    def loss(
        self,
        hidden: Float[Tensor, "B T W"],
        targets: Int[Tensor, "B T"],
        weights: Float[Tensor, "B T"],
        smoothing: float = 0.0,
    ) -> Float[Tensor, ""]:
        """Summed cross-entropy of the positions whose weight is not 0; the others are dropped before the projection.

        weights   1 or 0 for each position (padding)
        """
        flat, real = _counted(hidden, weights)
        wanted = targets.flatten()[real]
        if self.product is not None:
            return functional.cross_entropy(self(flat).float(), wanted, reduction="sum", label_smoothing=smoothing)
        return smoothed_loss(self._changed(flat), self.weight, self.bias, wanted, smoothing, self.settings.softcap)

    def agreement(
        self,
        hidden: Float[Tensor, "2 N W"],
        targets: Int[Tensor, "N"],
        alpha: float,
        smoothing: float = 0.0,
    ) -> Float[Tensor, ""]:
        """Summed loss of two passes, and of their disagreement; see `agreement_loss`."""
        if self.product is not None:
            return agreed(self(hidden).float(), targets, alpha, smoothing)
        table, cap = (self.weight, self.bias), self.settings.softcap
        return agreement_loss(self._changed(hidden), *table, targets, alpha, smoothing, cap)

    def losses(
        self, hidden: Float[Tensor, "B T W"], targets: Int[Tensor, "B T"], weights: Float[Tensor, "B T"]
    ) -> tuple[Float[Tensor, "B T"], Float[Tensor, ""]]:
        """Cross-entropy of each position, 0 where its weight is, and the sum that `loss` tells. Without gradients."""
        flat, real = _counted(hidden, weights)
        wanted = targets.flatten()[real]
        if self.product is not None:
            each, total = surprise(self(flat).float(), wanted)
        else:
            each, total = losses_and_sum(self._changed(flat), self.weight, self.bias, wanted, self.settings.softcap)
        found = each.new_zeros(targets.numel())
        found[real] = each
        return found.view_as(targets), total


def _counted(
    hidden: Float[Tensor, "B T W"], weights: Float[Tensor, "B T"]
) -> tuple[Float[Tensor, "N W"], Int[Tensor, "N"]]:
    """The positions whose weight is not 0, and which these are."""
    real = weights.flatten().nonzero()[:, 0]  # (N,)
    flat = hidden.flatten(0, 1)  # (B T, W)
    return (flat.index_select(0, real) if len(real) < len(flat) else flat), real


@dataclass(frozen=True)
class LabelsSettings:
    """How vectors become scores of labels."""

    kind: Literal["labels"] = "labels"
    """Which head this is."""
    labels: Annotated[int, Range(1)] = 2
    """How many there are."""
    pool: Literal["first", "mean", "last", "each"] = "first"
    """Which vector stands for the text: the first token's, the mean, the last real token's; or each token by itself."""
    bias: bool = True
    """In the last product."""
    dropout: Annotated[float, Range(0.0, 0.95)] = 0.0
    """Before the last product."""
    change: ChangeSettings | None = field(default=None)
    """A dense layer first; None: none."""


class Labels(nn.Module):
    """Vectors -> a score for each label, of the whole text or of each token."""

    def __init__(self, width: int, settings: LabelsSettings) -> None:
        super().__init__()
        self.settings = settings
        self.change = Change(width, settings.change) if settings.change else None
        self.dropout = Dropout(settings.dropout)
        self.out = Linear(width, settings.labels, settings.bias)

    def forward(self, hidden: Float[Tensor, "B T W"], lengths: Int[Tensor, "D"]) -> Float[Tensor, "_ *T L"]:
        """Scores before softmax."""
        x = pooled(hidden, lengths, self.settings.pool)
        if self.change is not None:
            x = self.change(x)
        scores: Tensor = self.out(self.dropout(x))
        return scores


def pooled(
    hidden: Float[Tensor, "B T W"], lengths: Int[Tensor, "D"], how: Literal["first", "mean", "last", "each"]
) -> Float[Tensor, "_ *T W"]:
    """One vector for each text, or all of them; the texts have a row each, or stand end to end in one."""
    if how != "each" and len(lengths) != len(hidden):
        return _of_packed(hidden[0], lengths, how)
    match how:
        case "first":
            return hidden[:, 0]
        case "last":
            return hidden[torch.arange(len(hidden), device=hidden.device), lengths - 1]
        case "mean":
            real = torch.arange(hidden.shape[1], device=hidden.device) < lengths[:, None]  # (B, T)
            total = (hidden * real[:, :, None]).sum(1)
            return total / lengths[:, None]
        case _:
            return hidden


def _of_packed(
    flat: Float[Tensor, "K W"], lengths: Int[Tensor, "D"], how: Literal["first", "mean", "last"]
) -> Float[Tensor, "D W"]:
    """One vector for each text of those that stand end to end."""
    ends = lengths.cumsum(0)
    if how != "mean":
        return flat.index_select(0, ends - 1 if how == "last" else ends - lengths)
    where = torch.arange(len(flat), device=flat.device)
    own = ((where < ends[:, None]) & (where >= (ends - lengths)[:, None])).to(flat.dtype)  # (D, K)
    return own @ flat / lengths[:, None]
