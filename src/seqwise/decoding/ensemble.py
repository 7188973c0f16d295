"""Several models of one vocabulary as one: at each step the mean of their probabilities decides."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seqwise.decoding.generation import Model


@dataclass(frozen=True)
class _Votes:
    """The states of several models, as one."""

    states: tuple[Any, ...]

    def reorder(self, rows: Tensor) -> "_Votes":
        return _Votes(tuple(state.reorder(rows) for state in self.states))

    def keep(self, sentences: Tensor) -> "_Votes":
        return _Votes(tuple(state.keep(sentences) for state in self.states))


class Ensemble:
    """Several models of one vocabulary as one: the mean of their probabilities, at each step."""

    def __init__(self, models: Sequence[Model]) -> None:
        self.models = tuple(models)

    def encode(self, inputs: Int[Tensor, "B S"], lengths: Int[Tensor, "B"]) -> tuple[Any, ...]:
        """Each model reads."""
        return tuple(model.encode(inputs, lengths) for model in self.models)

    def start(self, memory: tuple[Any, ...], beams: int, room: int) -> _Votes:
        """Each model starts."""
        pairs = zip(self.models, memory, strict=True)
        return _Votes(tuple(model.start(part, beams, room) for model, part in pairs))

    def step(self, ids: Int[Tensor, "R"], state: _Votes) -> tuple[Float[Tensor, "R V"], _Votes]:
        """log of the mean of softmax."""
        steps = [model.step(ids, part) for model, part in zip(self.models, state.states, strict=True)]
        mean = torch.stack([logits.float().softmax(-1) for logits, _ in steps]).mean(0)  # (R, V)
        return mean.clamp_min(torch.finfo(mean.dtype).tiny).log(), _Votes(tuple(after for _, after in steps))
