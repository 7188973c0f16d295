"""The Transformer that foresees: segments of the past and of the horizon in one sequence.

Direct: the horizon's segments stand behind the past as learned vectors that ask; all positions see all (an encoder).
Each segment is a token, as in Nie et al. 2023 (PatchTST), whose flattened head would need a fixed past and could not be
told what is known of the future.
Rolled: past and future step by step, each position sees what came before (a decoder).

    B  windows      N  segments of the past       W  width
    C  sequences    M  segments of the horizon    R  rows, B x C or paths of them    T  steps
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seqwise.config import Range
from seqwise.errors import Fault
from seqwise.models.architecture import FeedForwardSettings, TransformerSettings
from seqwise.models.dropout import Dropout
from seqwise.models.forecaster_lstm import rolling_faults
from seqwise.models.instance import Instance, Start
from seqwise.models.kernels import Mask
from seqwise.models.layers import Layer, norm
from seqwise.models.positions import PositionSettings

INNER = 4  # widths of the feed-forward network


@dataclass(frozen=True)
class TransformerForecaster:
    """The size and the make of a Transformer that foresees series."""

    kind: Literal["transformer"] = "transformer"
    """Which model this is."""
    width: Annotated[int, Range(2)] = 64
    """Size of the vector that stands for a segment."""
    layers: Annotated[int, Range(1)] = 2
    """Layers above each other."""
    heads: Annotated[int, Range(1)] = 4
    """Attention heads; must divide the width into even parts, since positions are rotary."""
    dropout: Annotated[float, Range(0.0, 0.95)] = 0.2
    """On vectors and on each part before it is added. Rounded to the nearest 1/256 on CPU."""
    segment: Annotated[int, Range(1)] = 1
    """Steps that are read, and answered, as one vector; 1 is step by step. 8 to 24 is usual for a past of hundreds."""
    instance: Instance = "auto"
    """Each window from a centre of its own (Kim et al. 2022): its mean; its last value, for what wanders without coming
    back; or standard, its mean in its standard deviations, for swings that grow with the level. off: as the series was
    standardized. auto: the last value for business days and sessions, as prices have them, else the mean."""
    channels: Literal["together", "apart"] = "apart"
    """Whether targets are one sequence of vectors, or each a sequence of its own with the weights shared by all, which
    learns more from less (Nie et al. 2023, section 4.3)."""
    start: Start = "level"
    """What a forecast is told as a distance from: the centre of the window, or season: the value of a season before,
    so that the seasonal naive forecast need not be learnt, only what changes from one season to the next."""
    strategy: Literal["direct", "rolled"] = "direct"
    """Whether the horizon is foreseen at once, or step by step, each drawn value the input of the next step."""

    def architecture(self) -> TransformerSettings:
        """Of its layers."""
        feed = FeedForwardSettings(width=INNER * self.width, activation="gelu", dropout=self.dropout)
        positions = PositionSettings(kind="rotary")  # no longest past
        return TransformerSettings(
            shape="encoder" if self.strategy == "direct" else "decoder",
            width=self.width,
            layers=self.layers,
            heads=self.heads,
            dropout=self.dropout,
            feed_forward=feed,
            positions=positions,
        )

    def faults(self) -> Iterator[Fault]:
        """Heads that do not divide the width, and segments that cannot be rolled."""
        yield from self.architecture().faults()
        yield from rolling_faults(self.strategy, self.segment, self.start)


class TransformerTrunk(nn.Module):
    """Layers between what is read and what the head reads. `Forecaster` calls it."""

    def __init__(self, settings: TransformerForecaster) -> None:
        super().__init__()
        made = settings.architecture()
        self.layers = nn.ModuleList(Layer(made, cross=False) for _ in range(made.layers))
        self.last_norm = norm(made.norm, made.width)
        self.dropout = Dropout(made.dropout)

    def _through(self, x: Float[Tensor, "R T W"], mask: Mask) -> Float[Tensor, "R T W"]:
        x = self.dropout(x)
        for layer in self.layers:
            x = layer(x, mask)
        normed: Tensor = self.last_norm(x)
        return normed

    def answer(self, read: Float[Tensor, "B C N W"], asked: Float[Tensor, "#B C M W"]) -> Float[Tensor, "B C M W"]:
        """A vector for each segment of the horizon, which sees the past and the rest of the horizon."""
        asked = asked.expand(len(read), -1, -1, -1)
        x = torch.cat((read, asked), 2).flatten(0, 1)  # (R, N + M, W)
        answers = self._through(x, Mask())[:, read.shape[2] :]
        return torch.unflatten(answers, 0, read.shape[:2])

    def follow(self, read: Float[Tensor, "R T W"]) -> Float[Tensor, "R T W"]:
        """What is known after each step, of what came until then."""
        return self._through(read, Mask(causal=True))

    def begin(self, read: Float[Tensor, "R T W"]) -> tuple[Float[Tensor, "R W"], Tensor]:
        """What is known after the last step, and all that was read, which the next step sees."""
        return self.follow(read)[:, -1], read

    def step(self, x: Float[Tensor, "R W"], state: Float[Tensor, "R T W"]) -> tuple[Float[Tensor, "R W"], Tensor]:
        """One step more; what came before is worked through again, so that each step costs as much as a past."""
        return self.begin(torch.cat((state, x[:, None]), 1))

    def repeated(self, state: Float[Tensor, "R T W"], times: int) -> Float[Tensor, "_ T W"]:
        """As many of each row, one after the other."""
        return state.repeat_interleave(times, 0)
