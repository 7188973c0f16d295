"""Sentence pairs and labelled texts from the user's files. The door: the rest of the project asks here.

    read_pairs(paths, settings)            Pairs: two aligned files, or TSV, CSV, JSONL, Parquet, TMX
    read_labelled(paths, settings)         Labelled, from the same, but TMX
    read_lines(path)                       one plain file
    read_column(path, column)              the texts of one column of a table
    filter_pairs(pairs, settings, others)  what to train on, and a report of what was left out
    split_off(pairs, count, seed)          a part for validation

    files -> readers, sheets, tmx -> text -> filters       bytes -> lines -> rows -> pairs -> pairs

Each file may be gzipped. Spaces around a text are dropped, those within stay, and so do line feeds that a
format can quote. What cannot be read is named as file:line, and either ends the reading or is counted.

Left out: any change of the text itself (`tokens.py` normalizes), and corpora larger than memory.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from seqwise.config import check
from seqwise.data.corpus import Format, Labelled, Pairs, TextSettings
from seqwise.data.files import OR_SKIP, Undecoded, bad_row, check_paths, left_out, lines, shown
from seqwise.data.filters import FilterReport, filter_pairs, split_off
from seqwise.data.paired import joined
from seqwise.data.readers import Columns, Note, Row, Rows, aligned, jsonl, parquet
from seqwise.data.sheets import comma_separated, tsv
from seqwise.data.tmx import tmx
from seqwise.errors import ConfigError, DataError, Fault
from seqwise.letters import composed
from seqwise.stats.phrases import counted

__all__ = [
    "FilterReport",
    "Labelled",
    "Pairs",
    "TextSettings",
    "filter_pairs",
    "read_labelled",
    "read_lines",
    "read_pairs",
    "split_off",
]

Texts = tuple[str, ...]
UNDECIDED = "-"
ENOUGH = 20
"""Rows beside the first, from which on their labels say whether that of the first is one of their kind."""
RECURRING = 3
"""Rows of each label, on the average, from which on a label on the first row alone may be the name of its column."""
_NAME = re.compile(r"[^\W\d]\w*(?:[ .,:/&%#()-]+\w+){0,3}[)%#?:]?")
"""What may be the name of a column: a few words."""

_ENDINGS: dict[str, Format] = {
    ".tsv": "tsv",
    ".tab": "tsv",
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",  # mostly it is; if not, the error says what to do
    ".parquet": "parquet",
    ".tmx": "tmx",
}
_WITHOUT_NUL: dict[Format, str] = {
    "jsonl": "writing it without \\u0000",
    "parquet": "writing the file without it",
}


def read_pairs(
    paths: Sequence[str | Path], settings: TextSettings, on_note: Note | None = None, group_by: str | None = None
) -> Pairs:
    """Read sentence pairs; `on_note` is told what was assumed and how many bad rows were skipped.

    `group_by`: a further column, whose values come along as `groups`.
    """
    columns = Columns((settings.source, settings.target), ("source", "target"), group=group_by)
    found = _read(paths, settings, columns, on_note)
    return Pairs(*found.columns(), references=found.references(), groups=tuple(found.groups))


def read_labelled(
    paths: Sequence[str | Path],
    settings: TextSettings,
    on_note: Note | None = None,
    group_by: str | None = None,
    learnt: bool = False,
) -> Labelled:
    """Read texts with labels, or pairs of texts, as `read_pairs` does. What is empty makes a bad row.

    `learnt`: the labels are those that will be learnt, so that the name of a column must not be taken for one of them.
    """
    first, second = settings.text if isinstance(settings.text, tuple) else (settings.text, None)
    asked = (first, settings.label)
    columns = Columns(asked, ("text", "label"), labelled=True, group=group_by, second=second)
    found = _read(paths, settings, columns, on_note)
    if learnt and asked == (None, None) and not found.pairs:
        _must_have_no_header(found, settings)
    paired = found.pairs > 0
    undecided = found.seconds.count(UNDECIDED) if paired and "+" not in found.seconds else 0
    if undecided and on_note is not None:
        given = f"{counted(undecided, 'pair')} labelled {UNDECIDED}, as in SNLI where judges disagree"
        on_note(f"{given}: a label like any other, unless you leave these rows out")
    plain = not isinstance(paths, str | Path) and "lines" in _formats(paths, settings)  # of which there are two
    return Labelled(*found.columns(), groups=tuple(found.groups), parted=plain or paired, paired=paired)


def read_column(path: str | Path, column: str | tuple[str, str], encoding: str = "utf-8") -> Pairs:
    """The texts of a column of a table, one for each row, as sources and as targets, each with its place; a number
    counts the columns of a table without a header. Of two columns the first are the sources."""
    first, second = (column, column) if isinstance(column, str) else column
    if not is_table(path):
        raise ConfigError(f"--column {first} for {path}", "a .tsv, .csv, .jsonl or .parquet file", "leaving it out")
    columns = Columns((first, second), ("column", "column"), several=False)
    try:
        return Pairs(*_read([path], TextSettings(encoding=encoding), columns, None).columns())
    except DataError as error:
        fault = error.faults[0]  # of columns that are one, or else the first that lacks
        mend = fault.mend.partition(", or --data.")[0].replace("--data.", "--").removesuffix(OR_SKIP)
        given = fault.given.replace("--data.column", "--column")
        raise DataError.of([replace(fault, given=given, mend=mend)]) from None


def is_table(path: str | Path) -> bool:
    """Whether it has columns of texts, by its ending."""
    return _ending(str(path)) not in ("lines", "tmx")


def read_lines(path: str | Path, encoding: str = "utf-8") -> list[str]:
    """The lines of a plain file without the space at their ends, empty ones too. An empty file has none."""
    check_paths([str(path)], once=True)
    found: list[str] = []
    for line in lines(str(path), encoding, alone=True):
        if isinstance(line, Undecoded):
            raise DataError.of([line.fault])
        found.append(line.rstrip())
    return found


@dataclass
class _Found:
    """What was read so far. Lists of texts and not of rows: tuples by the million would busy the garbage collector."""

    firsts: list[str] = field(default_factory=list)
    seconds: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    skipped: list[Fault] = field(default_factory=list)
    several: dict[int, tuple[str, ...]] = field(default_factory=dict)
    groups: list[str] = field(default_factory=list)
    pairs: int = 0
    """First texts that are two."""

    def take(self, path: str, form: Format, rows: Rows, columns: Columns, stop: bool) -> None:
        """Add the good rows of a file, stripped, and the bad ones; or raise the first bad one."""
        for row in rows:
            fault = row if isinstance(row, Fault) else self._keep(path, form, row, columns)
            if fault is not None:
                if stop:
                    raise DataError.of([fault])
                self.skipped.append(fault)
        self.files += [path] * (len(self.firsts) - len(self.files))

    def columns(self) -> tuple[Texts, Texts, Texts, tuple[int, ...], tuple[Fault, ...]]:
        """First texts, second texts, files, lines, bad rows."""
        firsts, seconds, files = tuple(self.firsts), tuple(self.seconds), tuple(self.files)
        return firsts, seconds, files, tuple(self.lines), tuple(self.skipped)

    def references(self) -> tuple[tuple[str, ...], ...]:
        """All second texts of each row, where any row has several."""
        return tuple([self.several.get(i, (text,)) for i, text in enumerate(self.seconds)]) if self.several else ()

    def _keep(self, path: str, form: Format, row: Row, columns: Columns) -> Fault | None:
        """Add a row, or tell what every format can hold and no text should."""
        several = () if isinstance(row[2], str) else tuple(text.strip() for text in row[2])
        firsts = [text.strip() for text in ((row[1],) if isinstance(row[1], str) else row[1])]
        number, second = row[0], several[0] if several else str(row[2]).strip()
        if any("\0" in text for text in (*firsts, second, *several)):
            without = _WITHOUT_NUL.get(form, f"tr -d '\\000' < {path}")
            return bad_row(path, number, "a NUL byte" if form not in _WITHOUT_NUL else "a NUL", "text", without)
        if columns.labelled and not (all(firsts) and second):
            name, mend = columns.usual[all(firsts)], "mending it"
            allowed = "a text and a label in every row" if len(firsts) == 1 else "two texts and a label in every row"
            if len(firsts) == 2 and not all(firsts):
                name = "second text" if firsts[0] else "first text"
                mend = "mending it, --data.text with one column alone"
            return bad_row(path, number, f"an empty {name}", allowed, mend)
        second = composed(second) if columns.labelled else second  # two spellings of an accent are one class
        if several:
            self.several[len(self.firsts)] = several
        if len(row) == 4:
            self.groups.append(row[3])
        self.pairs += len(firsts) == 2
        self.lines.append(number)
        self.firsts.append(joined(*firsts) if len(firsts) == 2 else firsts[0])
        self.seconds.append(second)
        return None


def _read(paths: Sequence[str | Path], settings: TextSettings, columns: Columns, on_note: Note | None) -> _Found:
    check(settings)
    note = on_note or (lambda _: None)
    found = _Found()
    for path, form, rows in _opened(paths, settings, columns, note):
        good, bad = len(found.firsts), len(found.skipped)
        with closing(rows):
            found.take(path, form, rows, columns, stop=settings.on_bad_row == "stop")
        new = found.skipped[bad:]
        if len(found.firsts) == good:
            raise _nothing(path, new)
        if found.pairs not in (0, len(found.firsts)):
            raise _half_paired(path, names=[file for file in dict.fromkeys(found.files) if file != path])
        if new:
            note(left_out(path, new))
    return found


def _half_paired(path: str, names: Sequence[str]) -> DataError:
    given = f"single texts here and pairs of texts in {names[0]}, or the other way round"
    return DataError(given, "the same columns in all files", "--data.text with the column, or given twice", path)


def _must_have_no_header(found: _Found, settings: TextSettings) -> None:
    """Refuse a first row that was read as any other, and seems to name the columns: it would be a class of its own."""
    firsts = [item for item, path in enumerate(found.files) if not item or path != found.files[item - 1]]
    begins = set(firsts)
    others = Counter(label for item, label in enumerate(found.seconds) if item not in begins)
    for item in firsts:
        path, names = found.files[item], (found.firsts[item], found.seconds[item])
        form = _formats([path], settings)[0]
        told = form not in ("tsv", "csv") or found.lines[item] > 1  # the header was read, or there can be none
        if told or names[1] in others or not all(map(_NAME.fullmatch, names)):
            continue
        if others.total() >= max(ENOUGH, RECURRING * len(others)):
            given = f"{shown(names[0])} and {shown(names[1])}, a label that no other row has"
            named = "--data.text NAME --data.label NAME if these are names of columns"
            mend = f"{named}, or --data.text 1 --data.label 2 if not"
            raise DataError(given, "to be told whether this row is a header", mend, f"{path}:{found.lines[item]}")


def _formats(paths: Sequence[str | Path], settings: TextSettings) -> list[Format]:
    return [settings.format if settings.format != "auto" else _ending(str(path)) for path in paths]


def _opened(
    paths: Sequence[str | Path], settings: TextSettings, columns: Columns, note: Note
) -> Iterator[tuple[str, Format, Rows]]:
    """Each table with its format and rows, or the one pair of aligned files."""
    names = [str(path) for path in ([paths] if isinstance(paths, str | Path) else paths)]
    check_paths(names)
    if columns.group is not None and not columns.group.strip():
        raise DataError('--data.group-by ""', "the name of a column", "leaving it out")
    formats = _formats(names, settings)
    if "lines" in formats or not names:
        if formats != ["lines", "lines"]:
            raise _not_two(names, formats, settings)
        _ungrouped(columns, "plain files", names[0])
        yield names[0], "lines", aligned(names[0], names[1], settings.encoding)
        return
    for name, form in zip(names, formats, strict=True):
        yield name, form, _rows(name, form, settings, columns, note)


def _rows(path: str, form: Format, settings: TextSettings, columns: Columns, note: Note) -> Rows:
    match form:
        case "tsv":
            return tsv(path, settings.encoding, columns, note)
        case "csv":
            return comma_separated(path, settings.encoding, columns, note)
        case "jsonl":
            return jsonl(path, settings.encoding, columns, note)
        case "parquet":
            return parquet(path, columns, note)
    if columns.labelled:
        raise DataError("a translation memory", "texts with labels", "a TSV, CSV, JSONL or Parquet file", path)
    _ungrouped(columns, "a translation memory", path)
    return tmx(path, settings.languages, note)


def _ungrouped(columns: Columns, what: str, path: str) -> None:
    if columns.group is not None:
        raise DataError(f"--data.group-by {columns.group} for {what}", "a table with columns", "leaving it out", path)


def _ending(path: str) -> Format:
    return _ENDINGS.get(Path(path.lower().removesuffix(".gz")).suffix, "lines")


def _not_two(names: list[str], formats: list[Format], settings: TextSettings) -> DataError:
    """Files that are neither two aligned ones nor tables."""
    plain = [name for name, form in zip(names, formats, strict=True) if form == "lines"]
    allowed = "two plain files, whose lines belong together, or tables such as TSV"
    if not names:
        return DataError("no file", allowed, "a.en a.fr")
    if len(plain) < len(names):
        given = f"plain {', '.join(plain)} with tables"
        return DataError(given, allowed, "--data.format, or one kind of file only")
    if len(names) > 2:
        given = f"{len(names)} plain files ({', '.join(names)})"
        return DataError(given, allowed, "joining the parts of each side with cat")
    first = next(lines(names[0], settings.encoding))
    if not isinstance(first, Undecoded) and "\t" in first:
        return DataError("one plain file", allowed, "--data.format tsv, as its first line has a tab", names[0])
    return DataError("one plain file", allowed, f"{names[0]} {_sibling(names[0])}", names[0])


def _sibling(path: str) -> str:
    """What the file in the other language is probably called."""
    end = ".gz" if path.lower().endswith(".gz") else ""
    stem = Path(path[: len(path) - len(end)]).stem
    for other in sorted(Path(path).parent.glob("*" + end)):
        name = other.name[: len(other.name) - len(end)]
        if other.name != Path(path).name and Path(name).stem == stem and _ending(name) == "lines":
            return str(other)
    return "and the file in the other language"


def _nothing(path: str, bad: list[Fault]) -> DataError:
    """A file without one good row."""
    if not bad:
        return DataError("no row but a header or blank lines", "one row at least", "the right file", path)
    first = bad[0]
    which = f"the first of {len(bad):,} rows, which are all bad" if len(bad) > 1 else "the only row"
    given = f"{first.given}, {which}"
    return DataError(given, first.allowed, first.mend.removesuffix(OR_SKIP), first.where)
