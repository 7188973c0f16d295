"""What a run starts from, whatever its task: data as ids, and how to learn and to look.

One class a task: `rewriting.py`, `labelling.py`, `continuing.py`. The trainer asks no more than this.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

from seqwise.data.loader import Batches
from seqwise.data.tokens import Vocabularies
from seqwise.training.events import Noted
from seqwise.training.loop import Look

Watch = Callable[[Mapping[str, Tensor]], Look]
"""Weights by name -> what a look at the validation data finds."""


class Prepared(ABC):
    """The data of a run, ready to be trained on."""

    vocabularies: Vocabularies
    notes: tuple[str, ...]
    """What the user should know: how many items were left out and why, how the vocabulary came out."""
    labels: tuple[str, ...]
    """Names of the labels by number, where the task has labels."""

    @property
    @abstractmethod
    def longest(self) -> int:
        """Tokens of the longest item, special ones included."""

    @abstractmethod
    def batches(self, rank: int, world: int) -> Batches:
        """What is trained on, of this process."""

    @abstractmethod
    def objective(self, model: Any) -> nn.Module:
        """The model and its loss."""

    @abstractmethod
    def watch(self, model: Any) -> Watch:
        """Who looks at the validation data, with a model of its own."""

    @abstractmethod
    def where(self, item: int) -> str:
        """`file:line` of an item of the batches."""

    def closing(self, step: int) -> tuple[Noted, ...]:
        """What to tell at the end, after so many steps: what costs nothing and reaches as much, perhaps."""
        return ()
