"""Reversible instance standardization: each window of a series in its own units, and the forecast brought back.

A series wanders: what was learnt at one level is asked for at another. So a model reads how far each value is from the
centre of its own window, and what it foresees, mean, standard deviation or quantiles, is moved back. Kim et al. 2022
(RevIN), without their learned slope, which the first and last layers have anyway; Lin et al. 2023 (SegRNN) subtract
the last value. To divide by the window's standard deviation helps where swings grow with the level, and hurts where
they do not: on ETTh1, horizon 96, the same LSTM had a mean squared error of 0.366 without and 0.373 with it.

    B  windows    L  steps of the past    C  targets
"""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

Instance = Literal["auto", "off", "mean", "last", "standard"]
"""What each window of a target is told by: nothing of its own, distances from its mean, distances from its last value,
or distances from its mean in its standard deviations. auto is for the task to settle; here it is the mean."""

Start = Literal["level", "season"]
"""What a forecast is a distance from."""

LEAST = (
    0.05  # standard deviation added to that of a window, in those of the series: one that stood still may move again
)


@dataclass(frozen=True, eq=False)
class Frame:
    """The units of each window: x = (y - shift) / scale."""

    shift: Float[Tensor, "B _ C"]
    """Of all steps, or of each step that is foreseen."""
    scale: Float[Tensor, "B 1 C"]

    @classmethod
    def of(cls, targets: Float[Tensor, "B L C"], kind: Instance) -> "Frame":
        """As the past of each window has them, in fp32; no gradient goes this way."""
        with torch.no_grad():
            y = targets.float()
            if kind == "off":
                still = torch.zeros_like(y[:, :1])
                return cls(still, still + 1)
            variance, mean = torch.var_mean(y, 1, correction=0, keepdim=True)  # (B, 1, C)
            if kind == "standard":
                return cls(mean, (variance + LEAST**2).sqrt())
            return cls(y[:, -1:] if kind == "last" else mean, torch.ones_like(mean))

    def inside(self, y: Float[Tensor, "B T C"]) -> Float[Tensor, "B T C"]:
        """In the units of the window."""
        return (y - self.shift) / self.scale

    def repeated(self, times: int) -> "Frame":
        """As many of each window, one after the other."""
        return Frame(self.shift.repeat_interleave(times, 0), self.scale.repeat_interleave(times, 0))

    @classmethod
    def of_season(cls, targets: Float[Tensor, "B L C"], horizon: int, season: int, frame: "Frame") -> "Frame":
        """For what is foreseen: each step from the value of a season before it, as far as the past reaches."""
        length = targets.shape[1]
        period = min(season, length)
        back = length - period + torch.arange(horizon, device=targets.device) % period  # (H,)
        return cls(targets[:, back].float(), frame.scale)
