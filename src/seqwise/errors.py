"""Every error a user can meet, and the form they share: what was given, what is allowed, how to mend it.

    SeqwiseError
    ├── ConfigError        a setting, or several that contradict each other
    ├── DataError          a file of the user's: its rows, encoding, columns
    ├── CheckpointError    a run folder or weights: missing, truncated, of another shape, disk full
    ├── TrainingError      a run that cannot go on: loss not finite, no batches
    └── MissingExtraError       an optional library that is not installed

The command line prints one line for each and exits with 2; `--debug` shows the traceback. Anything else that
escapes is a defect of ours, not of the input.
"""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong, before it is known whether others are wrong too."""

    given: str
    """What stands there now, quoted as the user wrote it."""
    allowed: str
    """What may stand there; reads on after "needs"."""
    mend: str
    """What to do; reads on after "Try"."""
    where: str = ""
    """`file:line`, or the name of the setting; empty where there is no place."""

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        return f"{place}{self.given}: needs {self.allowed}. Try {self.mend}."


class SeqwiseError(Exception):
    """The root. Raise a child: `raise DataError(given=..., allowed=..., mend=..., where="a.en:7")`."""

    def __init__(self, given: str, allowed: str, mend: str, where: str = "") -> None:
        self.faults: tuple[Fault, ...] = (Fault(given, allowed, mend, where),)
        self.text: object = None
        """What it is about, where that is one of many texts: whoever knows where it stands will name the place."""
        super().__init__(str(self.faults[0]))

    @classmethod
    def of(cls, faults: Sequence[Fault]) -> Self:
        """One error that tells several faults, a line each; a single fault reads as if it were raised alone."""
        first = faults[0]
        error = cls(first.given, first.allowed, first.mend, first.where)
        error.faults = tuple(faults)
        if len(faults) > 1:
            error.args = ("\n".join([f"{len(faults)} faults:", *(f"  {fault}" for fault in faults)]),)
        return error

    def about(self, text: object) -> Self:
        """The same error, about this text."""
        self.text = text
        return self


class ConfigError(SeqwiseError):
    """A setting, or several that contradict each other."""


class DataError(SeqwiseError):
    """A file of the user's: its rows, encoding, columns."""


class CheckpointError(SeqwiseError):
    """A run folder or weights: missing, truncated, of another shape, no room to write."""


class TrainingError(SeqwiseError):
    """A run that cannot go on."""


class MissingExtraError(SeqwiseError):
    """An optional library that is not installed."""


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The known name that the given one was probably meant to be, or None where none is close."""
    known = list(names)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return close[0] if close else None
