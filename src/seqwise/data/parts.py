"""What is checked (`Part`), what is found (`Check`), and how much a model takes (`Room`). Values only."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from seqwise.data.conversations import Conversations
from seqwise.data.corpus import Labelled, Pairs
from seqwise.data.paired import Text, pair
from seqwise.errors import Fault

Level = Literal["PASS", "WARN", "FAIL"]

SHOWN = 5
"""Rows named with a check."""


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    name: str
    level: Level
    told: str
    """What was found."""
    rows: tuple[str, ...] = ()
    """Where; the first few."""
    mend: str = ""
    """What to do about it."""

    def to_dict(self) -> dict[str, object]:
        """Plain values, for JSON."""
        return asdict(self) | {"rows": list(self.rows)}


@dataclass(frozen=True)
class Part:
    """Rows of one purpose: train, valid or test."""

    name: str
    texts: tuple[str, ...]
    """What is read."""
    answers: tuple[str, ...]
    """The label, the translation, the summary, the last answer; empty for plain text."""
    places: tuple[str, ...]
    """`file:line` of each."""
    labelled: bool = False
    """Whether the answers are labels."""
    bad: tuple[Fault, ...] = ()
    """Rows that could not be read."""
    parted: bool = False
    """Whether a tab parts two texts; else it is a letter."""

    @property
    def asked(self) -> Sequence[Text]:
        """The texts as a model reads them: single ones, or pairs."""
        return [pair(text) for text in self.texts] if self.parted else self.texts

    @classmethod
    def of(cls, name: str, data: Labelled | Pairs | Conversations) -> "Part":
        """What a reader gave."""
        places = tuple(map(data.where, range(len(data))))
        match data:
            case Labelled():
                return cls(name, data.texts, data.labels, places, True, data.skipped, data.parted)
            case Pairs():
                return cls(name, data.sources, data.targets, places, False, data.skipped)
        texts, answers = tuple(one.question for one in data.items), tuple(one.answer for one in data.items)
        return cls(name, texts, answers, places, False, data.skipped)

    def __len__(self) -> int:
        return len(self.texts)

    def named(self, items: Iterable[int]) -> tuple[str, ...]:
        """Where the first few of these stand."""
        return tuple([self.places[item] for item, _ in zip(items, range(SHOWN), strict=False)])


@dataclass(frozen=True)
class Room:
    """How much the model takes."""

    count: Callable[[Sequence[Text]], Sequence[int]]
    """Tokens of each text, or pair of texts."""
    longest: int | None
    """Tokens at most; None where there is no limit."""
    shared: bool = False
    """Whether text and answer stand in one row, as in a decoder."""


def share(count: int, total: int, noun: str = "row") -> str:
    """So many of so many, and in percent."""
    return f"{count:,} of {total:,} {noun}s ({percent(count, total)})"


def percent(count: int, total: int) -> str:
    """One digit behind the point."""
    return f"{100 * count / max(1, total):.1f} %"
