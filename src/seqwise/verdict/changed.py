"""Which items were won and lost, the largest changes first, with both outputs and what differs in their words."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["same", "gone", "new"]


@dataclass(frozen=True)
class Words:
    """A stretch of words that both outputs have, only the base's, or only the tuned one's."""

    kind: Kind
    text: str


@dataclass(frozen=True)
class Item:
    """One item that changed."""

    id: str
    text: str
    reference: str
    base: str
    tuned: str
    before: float
    """Its score by the base: 0 or 1, the score of a sentence, a loss."""
    after: float
    words: tuple[Words, ...]
    """From the base's output to the tuned one's."""


@dataclass(frozen=True)
class Changed:
    """Of one set."""

    part: str
    system: str
    won: int
    lost: int
    same: int
    best: tuple[Item, ...]
    """Largest gains first."""
    worst: tuple[Item, ...]
    """Largest losses first."""
