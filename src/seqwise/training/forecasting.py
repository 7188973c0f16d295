"""The objective of forecasting: how badly the foreseen distributions fit what came.

    likelihood   negative log-likelihood: the log score. Sharp, and harsh on what was thought impossible
    crps         continuous ranked probability score: in the data's own unit, forgiving of outliers

Both are proper: none is lower, on average, than that of the true distribution (Gneiting & Raftery 2007). Like the other
objectives (`objectives.py`), it returns a sum, so that parts of a step add up to one.
"""

from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from seqwise.models.forecaster import Forecaster

Loss = Literal["likelihood", "crps"]


class ForecastObjective(nn.Module):
    """A forecaster and its loss."""

    def __init__(self, model: Forecaster, loss: Loss = "crps") -> None:
        super().__init__()
        self.model = model
        self.loss = loss

    def forward(
        self,
        past: Float[Tensor, "B L F"],
        future: Float[Tensor, "B H K"],
        targets: Float[Tensor, "B H C"],
        weights: Float[Tensor, "B H C"],
        series: Int[Tensor, "B"],
    ) -> Float[Tensor, ""]:
        """Summed over what counts. What does not may be anything, also not a number."""
        targets = torch.where(weights > 0, targets, 0.0).float()
        if self.model.rolls:
            foreseen = self.model.foretold(past, future, targets, series)
        else:
            foreseen = self.model.foreseen(past, future, series)
        costs = foreseen.crps(targets) if self.loss == "crps" else foreseen.nll(targets)  # (B, H, C)
        return (costs * weights).sum()
