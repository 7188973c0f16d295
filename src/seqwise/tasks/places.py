"""Texts that a model is asked, and where each stands, so that whatever is wrong with one is told as `file:line`.

A model knows texts, whoever opened the file knows lines: a fault carries its text up to where both are known.

asked     the texts of a command line, a file, a column of a table, or of standard input as they come
placed    a fault about one of these texts gets its place
told_of   a fault about what was made of a text is one about that text
"""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from seqwise.data.paired import joined
from seqwise.data.text import is_table, read_column, read_lines
from seqwise.errors import ConfigError, SeqwiseError
from seqwise.tasks.lines import as_they_come, in_chunks

Where = Callable[[int], str]
"""`file:line` of a text by its number, from 0; empty where there is no place."""


@dataclass(frozen=True)
class Asked:
    """Texts, as many at a time as it pays to answer together."""

    chunks: Iterable[list[str]]
    where: Where
    note: str = ""
    """What the user should know of how they are read."""

    def answers(self, answer: Callable[[Sequence[str]], Iterator[str]]) -> Iterator[str]:
        """All answers, in order."""
        first = 0
        for chunk in self.chunks:
            with placed(chunk, partial(self._behind, first)):
                yield from answer(chunk)
            first += len(chunk)

    def _behind(self, first: int, item: int) -> str:
        return self.where(first + item)


def asked(text: str | None, source: Path | None, column: str | tuple[str, str] | None, messages: bool) -> Asked:
    """One text, or the lines of a file, or of a table the texts of a column, or of two, as pairs; else standard input,
    line by line."""
    if text is not None:
        return Asked([[text]], lambda _: "")
    if source is None:
        if sys.stdin is None:  # closed, as for a program without a terminal
            raise ConfigError("no text, and no standard input", "something to answer", "a text, or --input FILE")
        return Asked(as_they_come(sys.stdin.buffer), lambda item: f"standard input:{item + 1}")
    if column is None and source.suffix.lower() == ".parquet":
        raise ConfigError(f"--input {source} without --column", "the column whose texts are answered", "--column NAME")
    if column is None:
        told = f"{source} is read line by line: --column NAME reads the texts of a column"
        note = told if is_table(source) and not messages else ""
        return Asked(in_chunks(read_lines(source)), lambda item: f"{source}:{item + 1}", note)
    found = read_column(source, column)
    texts: Iterable[str] = found.sources
    if isinstance(column, tuple):
        texts = (joined(*both) if any(both) else "" for both in zip(found.sources, found.targets, strict=True))
    return Asked(in_chunks(texts), found.where)


@contextmanager
def placed(texts: Sequence[object], where: Where) -> Iterator[None]:
    """Whatever is raised about one of these texts names where it stands."""
    try:
        yield
    except SeqwiseError as error:
        place = where(texts.index(error.text)) if error.text is not None and error.text in texts else ""
        if not place or error.faults[0].where:
            raise
        raise type(error).of([replace(fault, where=place) for fault in error.faults]) from None


@contextmanager
def told_of(texts: Sequence[object], made: Sequence[object]) -> Iterator[None]:
    """Whatever is raised about what was made of a text is about the text."""
    try:
        yield
    except SeqwiseError as error:
        if error.text is not None and error.text in made:
            error.about(texts[made.index(error.text)])
        raise
