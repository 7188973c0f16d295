"""What is asked of text files (`TextSettings`) and what comes back from them (`Pairs`, `Labelled`).

Values only: no file is opened here. Every text remembers its file and line, so that whatever goes wrong with
it later, in a filter, in training or in a table of the worst translations, can be named as `file:line`.
"""

import codecs
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

from seqwise.config import Range
from seqwise.data.paired import Text, pair
from seqwise.errors import Fault, nearest

Format = Literal["auto", "lines", "tsv", "csv", "jsonl", "parquet", "tmx"]

_USUAL_ENCODINGS = (
    "utf-8",
    "latin-1",
    "cp1252",
    "cp1251",
    "utf-16",
    "gb18030",
    "big5",
    "shift_jis",
    "euc-kr",
)


@dataclass(frozen=True)
class TextSettings:
    """Where in the files the text stands, and which of it is kept."""

    format: Format = "auto"
    """auto: by the ending, also before .gz: .tsv .tab, .csv, .jsonl .ndjson .json, .parquet, .tmx; any other
    is lines. lines: two files, whose lines of the same number belong together."""
    encoding: str = "utf-8"
    """Of lines, TSV, CSV and JSONL, by any name that Python knows. A byte order mark is dropped. Not guessed,
    since a wrong guess trains on garbage; an error says which encoding would fit."""
    source: str | None = None
    """Column of what is read. By default "source" where the first row of a TSV or CSV names it, otherwise the
    first column. A number counts the columns of a TSV or CSV without header from 1. In JSONL and Parquet a
    dot leads into an object: translation.en."""
    target: str | None = None
    """Column of what is written: by default "target" or the second; otherwise like `source`."""
    text: str | tuple[str, str] | None = None
    """Column of a labelled text: by default "text" or the first; otherwise like `source`. Two columns are read as a
    pair, such as premise and hypothesis; those of usual names without being asked for."""
    label: str | None = None
    """Column of its label: by default "label" or the second; otherwise like `source`."""
    languages: tuple[str, ...] = ()
    """Of a TMX file, source and target, such as en fr. "en" also takes en-US and en-GB. By default the first
    two languages of its first unit."""
    on_bad_row: Literal["stop", "skip"] = "stop"
    """A row that cannot be read: stop names it and ends, since one bad row is often the sign of many. skip
    leaves it out and counts it."""
    max_length: Annotated[int, Range(1)] | None = 1000
    """Most characters of either side: some 170 English words. Characters and not words, because Chinese and
    Japanese have no spaces; not tokens, because the filters come before the vocabulary is learnt."""
    max_ratio: Annotated[float, Range(1.0)] | None = 6.0
    """How many times as many characters one side may have as the other; beyond it they are rarely
    translations. A side shorter than ten counts as ten. English has some 4 for 1 of Chinese."""
    drop_duplicates: bool = True
    """Keep only the first of pairs that are the same on both sides."""
    drop_leaks: bool = True
    """Leave out of training what also stands in the validation or test files, so that scores are earned."""

    def faults(self) -> Iterator[Fault]:
        """What contradicts itself, or is no name of an encoding."""
        yield from encoding_faults(self.encoding)
        yield from _half_numbered(("source", self.source), ("target", self.target))
        texts = self.text if isinstance(self.text, tuple) else (self.text,)
        yield from _half_numbered(*(("text", name) for name in texts), ("label", self.label))
        if self.languages and (len(self.languages), len({*map(str.lower, self.languages)})) != (2, 2):
            yield Fault(
                given=f"--data.languages {' '.join(self.languages)}",
                allowed="two different languages, source and target",
                mend="--data.languages en fr",
            )


PAIRED = ("sources", "targets", "files", "lines", "references", "groups")
JUDGED = ("texts", "labels", "files", "lines", "groups")
"""Columns of `Pairs` and of `Labelled`: an entry each item, or none at all."""


def _columns(held: object, names: Sequence[str], items: Sequence[int]) -> dict[str, Any]:
    """These items of each column, in this order."""
    columns = {name: getattr(held, name) for name in names}
    return {name: tuple([column[item] for item in items]) if column else () for name, column in columns.items()}


@dataclass(frozen=True)
class Pairs:
    """Sentence pairs, and where each stands."""

    sources: tuple[str, ...]
    """What is read."""
    targets: tuple[str, ...]
    """What is written."""
    files: tuple[str, ...]
    """The file of each pair, as the user named it; of two aligned files the source's."""
    lines: tuple[int, ...]
    """The line, from 1, where each pair begins; in Parquet the row."""
    skipped: tuple[Fault, ...] = ()
    """The bad rows that were left out."""
    references: tuple[tuple[str, ...], ...] = ()
    """All that may be written for each pair, where files list several; `targets` has the first. Empty where none do."""
    groups: tuple[str, ...] = ()
    """What each belongs to, where a column was named for that; else empty."""

    @classmethod
    def of(cls, sources: Iterable[str], targets: Iterable[str], name: str = "memory") -> "Pairs":
        """Pairs that come from no file; `name` stands for it."""
        kept, written = tuple(sources), tuple(targets)
        return cls(kept, written, (name,) * len(kept), tuple(range(1, len(kept) + 1)))

    def __post_init__(self) -> None:
        if not len(self.sources) == len(self.targets) == len(self.files) == len(self.lines):
            raise ValueError("sources, targets, files and lines are not equally many")

    def __len__(self) -> int:
        return len(self.sources)

    def where(self, item: int) -> str:
        """`file:line` of one pair."""
        return f"{self.files[item]}:{self.lines[item]}"

    def select(self, items: Sequence[int]) -> "Pairs":
        """These pairs, in this order, without a memory of bad rows."""
        return replace(self, skipped=(), **_columns(self, PAIRED, items))


@dataclass(frozen=True)
class Labelled:
    """Texts with a label each, and where each stands."""

    texts: tuple[str, ...]
    """What is judged."""
    labels: tuple[str, ...]
    """The judgements, as written in the file, but for accents, which are composed (NFC); the number 1 is "1", and true
    is "true"."""
    files: tuple[str, ...]
    """The file of each text, as the user named it."""
    lines: tuple[int, ...]
    """The line, from 1, where each row begins; in Parquet the row."""
    skipped: tuple[Fault, ...] = ()
    """The bad rows that were left out."""
    groups: tuple[str, ...] = ()
    """What each belongs to, where a column was named for that; else empty."""
    parted: bool = False
    """Whether a tab parts two texts, as in lines of a plain file and where a table has two columns of texts; else it is
    a letter."""
    paired: bool = False
    """Whether a table has two columns of texts."""

    def __post_init__(self) -> None:
        if not len(self.texts) == len(self.labels) == len(self.files) == len(self.lines):
            raise ValueError("texts, labels, files and lines are not equally many")

    @classmethod
    def of(cls, texts: Iterable[str], labels: Iterable[str], name: str = "memory") -> "Labelled":
        """Texts that come from no file; `name` stands for it."""
        kept, judged = tuple(texts), tuple(labels)
        return cls(kept, judged, (name,) * len(kept), tuple(range(1, len(kept) + 1)))

    def __len__(self) -> int:
        return len(self.texts)

    def where(self, item: int) -> str:
        """`file:line` of one text."""
        return f"{self.files[item]}:{self.lines[item]}"

    def select(self, items: Sequence[int]) -> "Labelled":
        """These texts, in this order, without a memory of bad rows."""
        return replace(self, skipped=(), **_columns(self, JUDGED, items))

    @property
    def asked(self) -> list[Text]:
        """The texts as a model reads them: single ones, or pairs."""
        return [pair(text) for text in self.texts] if self.parted else list(self.texts)


def encoding_faults(name: str, prefix: str = "--data.") -> Iterator[Fault]:
    """Whether it is the name of an encoding. `prefix`: of the flag that gives it."""
    if not _is_encoding(name):
        yield Fault(
            given=f"{prefix}encoding {name}",
            allowed="an encoding that Python knows",
            mend=f"{prefix}encoding {nearest(name, _USUAL_ENCODINGS) or 'utf-8'}",
        )


def _is_encoding(name: str) -> bool:
    try:
        codecs.lookup(name)
        "".encode(name)  # codecs that turn bytes into bytes, such as hex, refuse
    except (LookupError, ValueError):
        return False
    return True


def _half_numbered(*asked: tuple[str, str | None]) -> Iterator[Fault]:
    """Some columns by number and others by name, whose first row would be both a header and none; or one twice."""
    names = [name for _, name in asked]
    numbers = [(name or "").isdecimal() for name in names]
    given = " with ".join(f"--data.{flag} {name}" for flag, name in asked if name)
    many = "two" if len(asked) == 2 else "three"
    if any(numbers) and (not all(numbers) or "0" in names or len(set(names)) < len(names)):
        mend = " ".join(f"--data.{flag} {number}" for number, (flag, _) in enumerate(asked, 1))
        allowed = f"{many} names, or {many} different numbers counted from 1"
        yield Fault(given=given, allowed=allowed, mend=f"{mend}, or the names in the first row")
    elif len(asked) == 3 and len(set(names)) < 3:
        yield Fault(given=given, allowed="different columns", mend="the two that hold the texts")
