"""The LSTM that foresees: it reads the past step by step, or segment by segment, and answers all of the horizon.

Direct: from the last state, one step of the cell for each segment of the horizon, all at once; what tells the segments
apart is the input of that step, a learned vector for each (Lin et al. 2023, SegRNN, section 3.3: parallel multi-step
forecasting). The recurrent product is the same for all of them and done once.
Rolled: a state after each step, and the next value from it (Salinas et al. 2020, DeepAR).

    B  windows      N  segments of the past       W  width     Q  4 W, the gates
    C  sequences    M  segments of the horizon    R  rows, B x C or paths of them    T  steps
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from seqwise.config import Range
from seqwise.errors import Fault
from seqwise.models.dropout import Dropout
from seqwise.models.instance import Instance, Start
from seqwise.models.lstm import Gates, LSTMLayer, LSTMStack, LSTMState, LSTMWeights, StackOutput


@dataclass(frozen=True)
class LSTMForecaster:
    """The size and the make of an LSTM that foresees series."""

    kind: Literal["lstm"] = "lstm"
    """Which model this is."""
    width: Annotated[int, Range(1)] = 128
    """Size of the hidden state; 512 for thousands of windows, 32 for hundreds."""
    layers: Annotated[int, Range(1)] = 1
    """Layers above each other; one is as good as more on most series, and twice as fast as two."""
    dropout: Annotated[float, Range(0.0, 0.95)] = 0.2
    """From layer to layer and before the head, never from step to step. Rounded to the nearest 1/256 on CPU."""
    segment: Annotated[int, Range(1)] = 1
    """Steps that are read, and answered, as one vector; 1 is step by step. A day of hourly values as one segment of 24
    makes four steps of 96: faster, and the gradient has a shorter way."""
    instance: Instance = "auto"
    """Each window from a centre of its own (Kim et al. 2022): its mean; its last value, for what wanders without coming
    back; or standard, its mean in its standard deviations, for swings that grow with the level. off: as the series was
    standardized. auto: the last value for business days and sessions, as prices have them, else the mean."""
    channels: Literal["together", "apart"] = "apart"
    """Whether targets are one sequence of vectors, or each a sequence of its own with the weights shared by all, which
    learns more from less."""
    start: Start = "level"
    """What a forecast is told as a distance from: the centre of the window, or season: the value of a season before,
    so that the seasonal naive forecast need not be learnt, only what changes from one season to the next."""
    strategy: Literal["direct", "rolled"] = "direct"
    """Whether the horizon is foreseen at once, or step by step, each drawn value the input of the next step."""
    forget_bias: Annotated[float, Range(-10.0, 10.0)] = 1.0
    """Bias of the forget gate at the start; above 0, a fresh cell keeps what it holds (Jozefowicz et al. 2015)."""
    chrono: Annotated[int, Range(0)] = 0
    """The longest span, in segments, that cells shall bridge from the start (Tallec & Ollivier 2018); 0 is off."""

    def faults(self) -> Iterator[Fault]:
        """Two ways to set one bias, a span that is none, and segments that cannot be rolled."""
        if self.chrono == 1:
            yield Fault("--model.chrono 1", "a span of two steps or more, or 0", "--model.chrono 100 or leave it out")
        if self.chrono and self.forget_bias != LSTMForecaster.forget_bias:
            yield Fault(
                f"--model.chrono {self.chrono} with --model.forget-bias {self.forget_bias:g}",
                "one of the two, since both set the bias of the forget gate",
                "--model.chrono 0 or leave forget-bias out",
            )
        yield from rolling_faults(self.strategy, self.segment, self.start)


def rolling_faults(strategy: str, segment: int, start: str) -> Iterator[Fault]:
    """What is drawn step by step is read step by step, and starts from the step before."""
    if strategy == "rolled" and start == "season":
        yield Fault(
            "--model.strategy rolled with --model.start season",
            "a start from the level, since each step is drawn from the one before",
            "--model.start level or --model.strategy direct",
        )
    if strategy == "rolled" and segment != 1:
        yield Fault(
            f"--model.strategy rolled with --model.segment {segment}",
            "segments of one step, since each drawn value is read before the next",
            "--model.segment 1 or --model.strategy direct",
        )


States = tuple[LSTMState, ...]
"""Of each layer."""


class LSTMTrunk(nn.Module):
    """`LSTMStack` between what is read and what the head reads. `Forecaster` calls it."""

    def __init__(self, settings: LSTMForecaster) -> None:
        super().__init__()
        self.stack = LSTMStack(settings.width, settings.width, settings.layers, settings.dropout)
        self.dropout = Dropout(settings.dropout)

    def answer(self, read: Float[Tensor, "B C N W"], asked: Float[Tensor, "#B C M W"]) -> Float[Tensor, "B C M W"]:
        """A vector for each segment of the horizon, one step from the last state."""
        states = _states(self.stack(read.flatten(0, 1)))
        x = asked
        for i, (layer, state) in enumerate(zip(self.stack, states, strict=True)):
            x = leap(layer, self.dropout(x) if i else x, state)
        dropped: Tensor = self.dropout(x)
        return dropped

    def follow(self, read: Float[Tensor, "R T W"]) -> Float[Tensor, "R T W"]:
        """What is known after each step, of what came until then."""
        dropped: Tensor = self.dropout(self.stack(read).outputs)
        return dropped

    def begin(self, read: Float[Tensor, "R T W"]) -> tuple[Float[Tensor, "R W"], States]:
        """What is known after the last step, and the state to go on from."""
        found = self.stack(read)
        return self.dropout(found.outputs[:, -1]), _states(found)

    def step(self, x: Float[Tensor, "R W"], state: States) -> tuple[Float[Tensor, "R W"], States]:
        """One step more."""
        found = self.stack(x[:, None], start=state)
        return self.dropout(found.outputs[:, 0]), _states(found)

    def repeated(self, state: States, times: int) -> States:
        """As many of each row, one after the other."""
        return tuple(LSTMState(*(part.repeat_interleave(times, 0) for part in (s.hidden, s.cell))) for s in state)


def _states(found: StackOutput) -> States:
    return tuple(LSTMState(hidden, cell) for hidden, cell in zip(found.hidden, found.cells, strict=True))


def leap(layer: LSTMLayer, x: Float[Tensor, "#B C M W"], state: LSTMState) -> Float[Tensor, "B C M W"]:
    """One step of a layer from each row's state, M times with different inputs: hidden states only.

    `lstm_step` for B x C x M rows, without repeating the state, and its product, M times.
    """
    weights = LSTMWeights.of(layer.forwards)
    shape = (-1, x.shape[1], 1)  # (B, C, 1)
    known = functional.linear(state.hidden, weights.recurrent)  # (R, Q)
    known = torch.unflatten(known, 0, shape[:2])[:, :, None]  # (B, C, 1, Q)
    now = Gates.squash(functional.linear(x, weights.input, weights.bias) + known)  # (B, C, M, W) each
    cell = torch.unflatten(state.cell, 0, shape[:2])[:, :, None]  # (B, C, 1, W)
    return now.output * torch.tanh(now.forget * cell + now.input * now.candidate)
