"""What a classifier takes for what: the confusion matrix, and each class by itself."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Int
from rich.console import Group
from rich.table import Column, Table
from rich.text import Text

from seqwise.errors import DataError

# N texts

WIDEST = 12  # classes of a matrix that is drawn: a terminal holds no more
LONGEST = 24  # characters of a name in a table


@dataclass(frozen=True)
class Class:
    """One class by itself. In per cent."""

    name: str
    precision: float
    """Of the texts that were found to be of it, those that are."""
    recall: float
    """Of the texts that are of it, those that were found to be."""
    f1: float
    support: int
    """Texts that are of it."""


@dataclass(frozen=True)
class Mistake:
    """A class that is taken for another."""

    true: str
    found: str
    count: int
    support: int
    """Texts that are of the true one."""

    def __str__(self) -> str:
        return f"{_short(self.true)} taken for {_short(self.found)} {self.count:,} of {self.support:,} times"


@dataclass(frozen=True)
class Confusion:
    """The matrix: a row a true class, a column a found one."""

    names: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]

    @property
    def classes(self) -> tuple[Class, ...]:
        """Precision, recall and F1 of each class; 0 where nothing was found, or nothing is there."""
        table = np.array(self.counts)
        hits, found, there = table.diagonal(), table.sum(0), table.sum(1)  # (classes,) each
        return tuple(
            Class(
                name,
                100 * float(hits[i] / max(1, found[i])),
                100 * float(hits[i] / max(1, there[i])),
                100 * float(2 * hits[i] / max(1, found[i] + there[i])),
                int(there[i]),
            )
            for i, name in enumerate(self.names)
        )

    def mistakes(self, most: int = 3) -> tuple[Mistake, ...]:
        """The pairs that are confused most often."""
        pairs = [
            Mistake(self.names[i], self.names[j], count, sum(row))
            for i, row in enumerate(self.counts)
            for j, count in enumerate(row)
            if i != j and count
        ]
        return tuple(sorted(pairs, key=lambda pair: -pair.count)[:most])  # stable: then in the order of the names

    @property
    def told(self) -> str:
        """One line."""
        found = self.mistakes()
        return "most confused: " + "; ".join(map(str, found)) if found else "nothing is confused"

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self) | {
            "classes": [asdict(one) for one in self.classes],
            "mistakes": [asdict(one) for one in self.mistakes()],
        }

    def __rich__(self) -> Group:
        each = Table("class", "precision", "recall", "F1", "texts")
        for one in self.classes:
            numbers = (f"{value:.1f}" for value in (one.precision, one.recall, one.f1))
            each.add_row(Text(_short(one.name)), *numbers, f"{one.support:,}")
        if len(self.names) > WIDEST:
            return Group(Text("each class"), each)
        matrix = Table("true", *(Column(Text(_short(name))) for name in self.names))
        for name, row in zip(self.names, self.counts, strict=True):
            matrix.add_row(Text(_short(name)), *(f"{count:,}" for count in row))
        return Group(Text("each class"), each, Text("what is taken for what: true in rows, found in columns"), matrix)


def confuse(found: Int[np.ndarray, "N"], true: Int[np.ndarray, "N"], names: Sequence[str]) -> Confusion:
    """Count which class was found for which. Classes by number, in the order of their names."""
    if len(found) != len(true) or not len(found):
        raise DataError(f"{len(found)} labels found for {len(true)}", "one for each, and at least one", "another file")
    many = len(names)
    if min(found.min(), true.min()) < 0 or max(found.max(), true.max()) >= many:
        raise DataError(f"label {int(max(found.max(), true.max()))} of {many}", f"0 to {many - 1}", "other labels")
    counts = np.bincount(true * many + found, minlength=many * many).reshape(many, many)
    return Confusion(tuple(names), tuple(tuple(row) for row in counts.tolist()))


def _short(name: str) -> str:
    """A name that fits a table, and steers no terminal."""
    shown = "".join(letter if letter.isprintable() else "\ufffd" for letter in name)
    return shown if len(shown) <= LONGEST else shown[: LONGEST - 1] + "\u2026"
