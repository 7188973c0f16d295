"""How often each text of a column occurs, in bounded memory.

Counted out while the different ones are few; beyond, only how many there are is estimated (`stats.distinct`).
"""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from seqwise.stats.description import Texts
from seqwise.stats.distinct import Distinct

DIFFERENT = 20_000  # texts that are held
CHARACTERS = 4_000_000  # of them in all
SHOWN = 3  # most frequent ones that are told
LONGEST = 40  # characters of them

_DATE = re.compile(r"\d{4}-\d\d")


class Tally:
    """Of one column, part by part."""

    def __init__(self, name: str, absent: Sequence[str] = ()) -> None:
        self.name, self.n, self.missing, self._absent = name, 0, 0, ["", *absent]
        self.counts: dict[str, int] | None = {}
        self.distinct = Distinct()
        self.first: str | None = None
        self.last: str | None = None

    def update(self, texts: Any) -> None:
        """A polars series of texts; null and empty ones are missing, and those that name nothing."""
        found = texts.filter(texts.is_not_null() & ~texts.str.strip_chars().is_in(self._absent))
        self.missing += len(texts) - len(found)
        self.n += len(found)
        if not len(found):
            return
        self.distinct.update(np.asarray(found.hash().to_numpy(), dtype=np.uint64))
        least, most = str(found.min()), str(found.max())
        self.first = least if self.first is None else min(self.first, least)
        self.last = most if self.last is None else max(self.last, most)
        if self.counts is None:
            return
        for text, count in found.value_counts().iter_rows():
            self.counts[text] = self.counts.get(text, 0) + count
        if len(self.counts) > DIFFERENT or sum(map(len, self.counts)) > CHARACTERS:
            self.counts = None

    def result(self) -> Texts:
        """What is known in the end."""
        ends = (self.first or "", self.last or "")
        dates = ends if _DATE.match(ends[0]) and _DATE.match(ends[1]) else ("", "")
        if self.counts is None:
            return Texts(self.name, self.n, self.missing, round(self.distinct.count()), False, (), *dates)
        most = sorted(self.counts.items(), key=lambda item: (-item[1], item[0]))[:SHOWN]
        shown = tuple((text if len(text) <= LONGEST else text[: LONGEST - 1] + "…", count) for text, count in most)
        return Texts(self.name, self.n, self.missing, len(self.counts), True, shown, *dates)
