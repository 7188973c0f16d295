"""Forecaster: windows of series in, a distribution for each step of the horizon out.

    past     (B, L, F)   targets first, then what was observed beside them, then what is known in advance
    future   (B, H, K)   what is known in advance, of the horizon
    series   (B,)        which series each window is of; -1 for one that was not trained on

A window is read in its own units (`instance.py`), cut into segments, each of which becomes a vector; a trunk, LSTM or
Transformer, answers with a vector for each segment of the horizon, and the head makes distributions of it
(`distributions.py`), in the units that the past was given in. Left out: standardization, files, calendars.

    B  windows   L  steps of the past       H  steps of the horizon       S  steps of a segment    W  width
    F  features  N  segments of the past    M  segments of the horizon    P  parameters of a distribution
    K  known     C  targets                 C2 sequences of a window: C, or 1 where targets are together
    T  steps, past and horizon              R  rows: B x C2, or B x C2 x paths
"""

from collections.abc import Iterator
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from seqwise.errors import ConfigError, Fault
from seqwise.models.assemble import initialise as initialise_transformer
from seqwise.models.distributions import Distribution, Head, bounded, count
from seqwise.models.forecaster_lstm import LSTMForecaster as LSTMForecaster
from seqwise.models.forecaster_lstm import LSTMTrunk
from seqwise.models.forecaster_transformer import TransformerForecaster as TransformerForecaster
from seqwise.models.forecaster_transformer import TransformerTrunk
from seqwise.models.instance import Frame
from seqwise.models.linear import Linear
from seqwise.models.lstm import initialise as initialise_lstm

ForecasterSettings = LSTMForecaster | TransformerForecaster


def faults(settings: ForecasterSettings, past: int, future: int, targets: int) -> Iterator[Fault]:
    """Contradictions between a model and the columns that it is given."""
    yield from settings.faults()
    observed = past - future - targets
    if settings.strategy == "rolled" and observed > 0:
        yield Fault(
            f"--model.strategy rolled with {observed} columns that are not known in advance",
            "targets, and what is known in advance, since each drawn step is read as if it had come",
            "--model.strategy direct, or those columns as targets",
        )


@runtime_checkable
class Trunk(Protocol):
    """What stands between the segments and the head. A state is the trunk's own affair."""

    def answer(self, read: Float[Tensor, "B C2 N W"], asked: Float[Tensor, "#B C2 M W"]) -> Float[Tensor, "B C2 M W"]:
        """A vector for each segment of the horizon."""

    def follow(self, read: Float[Tensor, "R T W"]) -> Float[Tensor, "R T W"]:
        """What is known after each step, of what came until then."""

    def begin(self, read: Float[Tensor, "R T W"]) -> tuple[Float[Tensor, "R W"], Any]:
        """What is known after the last step, and the state to go on from."""

    def step(self, x: Float[Tensor, "R W"], state: Any) -> tuple[Float[Tensor, "R W"], Any]:
        """One step more."""

    def repeated(self, state: Any, times: int) -> Any:
        """As many of each row, one after the other."""


class Forecaster(nn.Module):
    """A trunk between the segments of a window and distributions of its horizon.

    settings   which trunk, and how large
    past       features of the past, F
    future     of them known in advance, K
    targets    of them foreseen, C
    series     series that are told apart by a vector of their own; 1: none has any
    horizon    steps foreseen at once, H
    head       which distribution
    season     steps after which it is the same time again, for forecasts that start from the last season
    """

    def __init__(
        self,
        settings: ForecasterSettings,
        past: int,
        future: int,
        targets: int,
        series: int,
        horizon: int,
        head: Head = "normal",
        season: int = 1,
    ) -> None:
        super().__init__()
        self.season = season
        if found := list(faults(settings, past, future, targets)):
            raise ConfigError.of(found)
        self.settings, self.head_kind = settings, head
        self.targets, self.known, self.horizon = targets, future, horizon
        apart = settings.channels == "apart"
        width, size = settings.width, settings.segment
        self.sequences, self.together = (targets, 1) if apart else (1, targets)
        self.read = Linear(size * (past - targets + self.together), width)
        self.ask = Linear(size * future, width, bias=False) if future and settings.strategy == "direct" else None
        segments = -(-horizon // size) if settings.strategy == "direct" else 1
        self.place_embedding = nn.Parameter(torch.empty(segments, width))
        self.channel_embedding = nn.Parameter(torch.empty(self.sequences, width))
        self.series_embedding = nn.Parameter(torch.empty(series, width)) if series > 1 else None
        self.trunk = _trunk(settings)
        self.tell = Linear(width, size * self.together * count(head))
        _initialise(self)

    @property
    def rolls(self) -> bool:
        """Whether it foresees step by step."""
        return self.settings.strategy == "rolled"

    def foreseen(
        self, past: Float[Tensor, "B L F"], future: Float[Tensor, "B H K"], series: Int[Tensor, "B"]
    ) -> Distribution:
        """Of each step of the horizon at once, (B, H, C)."""
        if self.rolls:
            raise TypeError("a model that foresees step by step is asked by `foretold` or `rolled`")
        if future.shape[1] > self.horizon:
            raise ConfigError(
                given=f"a horizon of {future.shape[1]} steps",
                allowed=f"at most the {self.horizon} that the model was trained for",
                mend=f"--horizon {self.horizon}, or a model with --model.strategy rolled",
            )
        frame = Frame.of(past[..., : self.targets], self.settings.instance)
        read = self._vectors(self._sequences(frame, past), series)  # (B, C, N, W)
        hidden = self.trunk.answer(read, self._asked(future))  # (B, C, M, W)
        if self.settings.start == "season":
            frame = Frame.of_season(past[..., : self.targets], future.shape[1], self.season, frame)
        return self._distribution(hidden, frame, future.shape[1])

    def forward(
        self, past: Float[Tensor, "B L F"], future: Float[Tensor, "B H K"], series: Int[Tensor, "B"]
    ) -> Float[Tensor, "B H C P"]:
        """The parameters of `foreseen`; `distributions.told` makes distributions of them again."""
        return self.foreseen(past, future, series).parameters

    def foretold(
        self,
        past: Float[Tensor, "B L F"],
        future: Float[Tensor, "B H K"],
        targets: Float[Tensor, "B H C"],
        series: Int[Tensor, "B"],
    ) -> Distribution:
        """Of each step of the horizon, knowing what came before it: how a model that rolls is trained, (B, H, C)."""
        frame = Frame.of(past[..., : self.targets], self.settings.instance)
        read = self._vectors(self._steps(frame, past, future, targets[:, :-1]), series)  # (B, C, T, W)
        hidden = self.trunk.follow(read.flatten(0, 1))[:, past.shape[1] - 1 :]  # (R, H, W)
        return self._distribution(torch.unflatten(hidden, 0, read.shape[:2]), frame, future.shape[1])

    @torch.no_grad()
    def rolled(
        self,
        past: Float[Tensor, "B L F"],
        future: Float[Tensor, "B H K"],
        series: Int[Tensor, "B"],
        horizon: int,
        paths: int,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "paths B horizon C"]:
        """Ways in which the series may go on: each step drawn from its distribution and read as if it had come.

        Any horizon; a column that is known in advance must be known as far.
        """
        if not self.rolls:
            raise TypeError("a model that foresees the horizon at once has no steps to draw")
        if not self.known:
            future = future.new_zeros(len(future), horizon, 0)
        if future.shape[1] < horizon:
            raise ConfigError(
                given=f"{future.shape[1]} steps of what is known in advance for a horizon of {horizon}",
                allowed="as many steps as are foreseen",
                mend=f"a horizon of {future.shape[1]}",
            )
        frame = Frame.of(past[..., : self.targets], self.settings.instance)
        read = self._vectors(self._steps(frame, past, future[:, :1], past[:, :0, : self.targets]), series)
        hidden, state = self.trunk.begin(read.flatten(0, 1))
        hidden, state = hidden.repeat_interleave(paths, 0), self.trunk.repeated(state, paths)
        drawn: list[Tensor] = []
        for t in range(horizon):
            # rows are B x C x paths: (B, C, paths, W) answers as if the paths were segments
            found = self._drawn(torch.unflatten(hidden, 0, (*read.shape[:2], paths)), frame, generator)  # (B, paths, C)
            drawn.append(found)
            if t + 1 < horizon:
                x = self._next(found, frame, future[:, t + 1], series)  # (B, C, paths, W)
                hidden, state = self.trunk.step(x.flatten(0, 2), state)
        return torch.stack(drawn, 2).transpose(0, 1)

    def _drawn(
        self, hidden: Float[Tensor, "B C2 paths W"], frame: Frame, generator: torch.Generator | None
    ) -> Float[Tensor, "B paths C"]:
        raw = self._raw(hidden)  # (B, paths, C, P)
        return bounded(self.head_kind, raw).moved(frame.shift, frame.scale).sample(1, generator)[0]

    def _next(
        self,
        drawn: Float[Tensor, "B paths C"],
        frame: Frame,
        known: Float[Tensor, "B K"],
        series: Int[Tensor, "B"],
    ) -> Float[Tensor, "B C2 paths W"]:
        """What a step reads: the values that were drawn, and what is known of the step after them."""
        beside = known[:, None].expand(-1, drawn.shape[1], -1)
        return self._vectors(self._apart(frame.inside(drawn), beside), series)

    def _apart(self, y: Float[Tensor, "B T C"], beside: Float[Tensor, "B T _"]) -> Float[Tensor, "B C2 T F2"]:
        """Targets with what stands beside them: one sequence, or one for each target."""
        if self.sequences == 1:
            return torch.cat((y, beside), -1)[:, None]
        values = y.transpose(1, 2)[..., None]  # (B, C, T, 1)
        return torch.cat((values, beside[:, None].expand(-1, self.targets, -1, -1)), -1)

    def _sequences(self, frame: Frame, past: Float[Tensor, "B L F"]) -> Float[Tensor, "B C2 N SF"]:
        """The past of each sequence, cut into segments; the first one begins with its first step, repeated."""
        y = frame.inside(past[..., : self.targets].float())
        steps = self._apart(y, past[..., self.targets :].float())  # (B, C, L, F)
        size = self.settings.segment
        if lack := -past.shape[1] % size:
            steps = torch.cat((steps[:, :, :1].expand(-1, -1, lack, -1), steps), 2)
        return torch.unflatten(steps, 2, (-1, size)).flatten(3)

    def _steps(
        self,
        frame: Frame,
        past: Float[Tensor, "B L F"],
        future: Float[Tensor, "B H K"],
        targets: Float[Tensor, "B H1 C"],
    ) -> Float[Tensor, "B C2 T F2"]:
        """Step by step: each value with what is known of the step after it."""
        y = torch.cat((past[..., : self.targets], targets), 1).float()
        known = torch.cat((past[:, 1:, self.targets :], future), 1).float()
        return self._apart(frame.inside(y), known)

    def _vectors(self, x: Float[Tensor, "B C2 N SF"], series: Int[Tensor, "B"]) -> Float[Tensor, "B C2 N W"]:
        """Segments as vectors; the channel and the series are added to each."""
        weight = self.read.weight
        own = self.channel_embedding[:, None]  # (C, 1, W)
        vectors: Tensor = functional.relu(self.read(x.to(weight.dtype))) + own
        if self.series_embedding is None:
            return vectors
        table = functional.pad(self.series_embedding, (0, 0, 0, 1))  # -1 is the last row, of zeros
        return vectors + table[series][:, None, None]

    def _asked(self, future: Float[Tensor, "B H K"]) -> Float[Tensor, "#B C2 M W"]:
        """What tells the horizon's segments apart: where they are, of which channel, and what is known of them."""
        asked = (self.place_embedding + self.channel_embedding[:, None])[None]  # (1, C, M, W)
        size = self.settings.segment
        asked = asked[:, :, : -(-future.shape[1] // size)]
        if self.ask is None:
            return asked
        padded = functional.pad(future, (0, 0, 0, -future.shape[1] % size))
        known: Tensor = self.ask(torch.unflatten(padded, 1, (-1, size)).flatten(2).to(asked.dtype))  # (B, M, W)
        return asked + known[:, None]

    def _raw(self, hidden: Float[Tensor, "B C2 M W"]) -> Float[Tensor, "B MS C P"]:
        """The head: a segment's vector -> its steps, each target's numbers."""
        size, many = self.settings.segment, count(self.head_kind)
        raw: Tensor = self.tell(hidden)
        raw = torch.unflatten(raw, -1, (size, self.together, many))  # (B, sequences, M, S, together, P)
        return raw.permute(0, 2, 3, 1, 4, 5).flatten(3, 4).flatten(1, 2)

    def _distribution(self, hidden: Float[Tensor, "B C2 M W"], frame: Frame, horizon: int) -> Distribution:
        found = bounded(self.head_kind, self._raw(hidden)[:, :horizon])
        plain = self.settings.instance == "off" and self.settings.start == "level"
        return found if plain else found.moved(frame.shift, frame.scale)


def _trunk(settings: ForecasterSettings) -> Trunk:
    return LSTMTrunk(settings) if isinstance(settings, LSTMForecaster) else TransformerTrunk(settings)


def _initialise(model: Forecaster) -> None:
    """All weights, drawn here: the trunk's as trunks of its kind are; vectors of places, channels and series small.

    places     normal, standard deviation 0.02 times 50 ** 0.5 of a width of 1: as apart as what is read
    channels   the same
    series     0: one that was never seen is like the mean of those that were
    """
    if isinstance(model.settings, LSTMForecaster):
        initialise_lstm(model, model.settings.forget_bias, model.settings.chrono)
    else:
        initialise_transformer(model)
    for table in (model.place_embedding, model.channel_embedding):
        nn.init.normal_(table, std=0.1)
    if model.series_embedding is not None:
        nn.init.zeros_(model.series_embedding)
