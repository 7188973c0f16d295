"""Labels of a file -> a checkpoint's own numbers for them.

A label goes by its name: as the checkpoint writes it, with accents composed in another way, or in another case. A
number that is no name is the checkpoint's own only where nothing else can be meant: all labels of the file are numbers
from 0 up to the last one, and 0 is among them; or the checkpoint's names say nothing but their number (LABEL_0,
LABEL_1). Stars from 1 to 5 beside a checkpoint that counts its five labels from 0 are refused: each would be taken for
the next.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from seqwise.data.corpus import Labelled
from seqwise.errors import DataError, nearest
from seqwise.letters import composed

# N texts

LISTED = 12  # labels in a message, at most
_NAMELESS = re.compile(r"LABEL_\d+")


@dataclass(frozen=True)
class Numbered:
    """The labels of all texts."""

    numbers: Int[np.ndarray, "N"]
    notes: tuple[str, ...] = ()
    """How numbers of the file were taken, where they were."""


def numbered(labelled: Labelled, known: Sequence[str]) -> Numbered:
    """The checkpoint's number of each label; refuses one that it does not know, or that may be meant otherwise."""
    given = list(dict.fromkeys(labelled.labels))
    places = {label: place for label in given if (place := _named(label, known)) is not None}
    others = [label for label in given if label not in places]
    notes: tuple[str, ...] = ()
    if others and _counted(others, given, known):
        places |= {label: int(label) for label in others}
        told = ", ".join(f"{label} is {known[int(label)]}" for label in sorted(others, key=int)[:LISTED])
        notes = (f"labels by their number: {told}" + ", ..." * (len(others) > LISTED),)
    elif others:
        raise _unknown(others[0], known, labelled.where(labelled.labels.index(others[0])))
    return Numbered(np.array([places[label] for label in labelled.labels]), notes)


def _named(label: str, known: Sequence[str]) -> int | None:
    """The place of its name; in another case only where no name is so written."""
    for form in (str, composed, lambda text: composed(text).lower()):
        names = [form(name) for name in known]
        if form(label) in names:
            return names.index(form(label))
    return None


def _counted(others: Sequence[str], given: Sequence[str], known: Sequence[str]) -> bool:
    """Whether what is no name must be the checkpoint's number of a label."""
    if not all(label.isdecimal() and int(label) < len(known) for label in others):
        return False
    return all(map(_NAMELESS.fullmatch, known)) or (len(others) == len(given) and 0 in map(int, given))


def _unknown(label: str, known: Sequence[str], where: str) -> DataError:
    listed = ", ".join(known[:LISTED]) + ", ..." * (len(known) > LISTED)
    close = nearest(label, known)
    mend = f"writing {close} there" if close else "a checkpoint with these labels, or --data.label with their column"
    if label.isdecimal():
        listed += f"; or numbers alone, from 0 to {len(known) - 1} and 0 among them"
        mend = "writing the names in place of the numbers"
    return DataError(f"the label {label!r}", f"one of {listed}", mend, where)
