"""R-Drop: each example is read twice under different dropout, and answers that differ cost something.

Liang et al. 2021 (R-Drop: Regularized Dropout for Neural Networks). What is minimized is half of their equation 4, so
that losses compare with those of one pass. Left out: the halves of a batch, which are one batch to the model.
"""

from dataclasses import dataclass
from typing import Annotated

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from seqwise.config import Range
from seqwise.errors import ConfigError
from seqwise.models.attention import MultiHeadAttention
from seqwise.models.dropout import Dropout
from seqwise.models.lora_pairs import Pairs
from seqwise.training.objectives import Learning


@dataclass(frozen=True)
class AgreementSettings:
    """What is asked of two readings of the same."""

    r_drop: Annotated[float, Range(0.0, 100.0)] = 0.0
    """Read all twice under different dropout, and let it cost so much that answers differ (R-Drop, Liang et al. 2021,
    who take 5 to translate). A step takes nearly twice the time and the memory; 0 reads once."""


def agreeing(objective: Learning, alpha: float) -> "Learning | Agreeing":
    """The objective, twice over where alpha is not 0. A model without dropout says the same twice, and is refused."""
    if not alpha:
        return objective
    if not any(_drops(part) for part in objective.modules()):
        given = f"--training.agreement.r-drop {alpha:g} with a model that has no dropout"
        raise ConfigError(given, "two passes that differ", "--model.dropout 0.1 (--lora.dropout 0.1), or no R-Drop")
    return Agreeing(objective, alpha)


def _drops(part: nn.Module) -> bool:
    """Whether it leaves something out while it learns."""
    match part:
        case Dropout() | MultiHeadAttention():
            return part.rate > 0
        case Pairs():
            return any(rate > 0 for rate in part.rates.values())
        case _:
            return False


class Agreeing(nn.Module):
    """The loss of an objective as the mean of two passes, and how far these are from one another.

    mean of both losses + alpha / 4 * sum over what counts of KL(p || q) + KL(q || p)
    """

    def __init__(self, objective: Learning, alpha: float) -> None:
        super().__init__()
        self.objective = objective
        self.alpha = alpha

    def forward(
        self,
        inputs: Int[Tensor, "B S"],
        lengths: Int[Tensor, "D"],
        targets: Int[Tensor, "R T"],
        weights: Float[Tensor, "R T"],
        segments: Int[Tensor, "B S"] | None = None,
    ) -> Float[Tensor, ""]:
        """Summed loss of what counts, each position once."""
        aside = int(len(lengths) != len(inputs))  # packed texts stand end to end in one row
        below = int(len(targets) == 1 and len(lengths) > 1)  # and so do their targets, where each token has one
        read = torch.cat((inputs, inputs), aside), torch.cat((lengths, lengths))
        kinds = None if segments is None else torch.cat((segments, segments), aside)
        thought = self.objective.think(self.objective.model, *read, torch.cat((targets, targets), below), kinds)
        counted = weights.flatten().nonzero()[:, 0]  # (N,)
        flat = thought.flatten(0, -2)  # (2 R T, W)
        both = flat.view(2, -1, flat.shape[-1]).index_select(1, counted)  # (2, N, W)
        return self.objective.agreement(both, targets.flatten()[counted], self.alpha)
