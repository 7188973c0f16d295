"""One function a format: files in, rows out, and for each row that cannot be read a fault in its place.

    aligned(first, second)   lines of the same number
    tsv                      cells between tabs; a quote is a character like any other
    comma_separated          RFC 4180: a quoted cell may hold commas, doubled quotes and line feeds
    jsonl                    an object a line
    parquet                  columns, by polars

A row is the line where it begins (in Parquet: its number), and two texts as they stand in the file, perhaps with
more that belongs to it. What becomes of faults, of spaces around a text and of empty texts is decided in `text.py`.
In JSONL and Parquet a text may be a list of sentences; a list of targets holds several that are equally right.

TSV and CSV may have a header. It is used if the first row names the wanted columns; otherwise all rows count.
"""

import csv
import io
import json
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import Any, TypeGuard

from seqwise.data.files import Undecoded, bad_row, empty, lines, opened, shown
from seqwise.errors import DataError, Fault, nearest

Second = str | tuple[str, ...]
Row = tuple[int, str, Second] | tuple[int, str, Second, str]
"""A line, a first text and a second one, or what may stand for the second: several summaries of a text; then the
group, where a column was named for it."""
Rows = Generator[Row | Fault, None, None]
Note = Callable[[str], None]

_LISTED = 12  # names of columns in a message, at most
ABSENT = object()
"""What `value_at` finds where there is nothing."""


@dataclass(frozen=True)
class Columns:
    """The two columns that are asked for."""

    given: tuple[str | None, str | None]
    """As the user named them; None where not."""
    usual: tuple[str, str]
    """Their names where the user gives none, which are also the names of the flags."""
    labelled: bool = False
    """Whether the second is a label, so that a whole number or true and false will do."""
    group: str | None = None
    """A third one, whose value says what belongs together."""

    @property
    def texts(self) -> tuple[str, str]:
        """The names of the two."""
        return self.given[0] or self.usual[0], self.given[1] or self.usual[1]

    @property
    def names(self) -> tuple[str, ...]:
        """What to look for."""
        return self.texts if self.group is None else (*self.texts, self.group)

    def flag(self, name: str) -> str:
        """The flag that names this column."""
        return f"--data.{(*self.usual, 'group-by')[self.names.index(name)]}"

    def loose(self, place: int) -> bool:
        """Whether this column may hold whole numbers, and true and false."""
        return place == 2 or (self.labelled and place == 1)

    def row(self, number: int, texts: Sequence[str], several: tuple[str, ...] = ()) -> Row:
        """A row of these columns; `several` may stand for the second."""
        second = several or texts[1]
        return (number, texts[0], second) if self.group is None else (number, texts[0], second, texts[2].strip())


def aligned(first: str, second: str, encoding: str) -> Rows:
    """Two files, whose lines of the same number belong together."""
    sides = lines(first, encoding), lines(second, encoding)
    for number, (one, other) in enumerate(zip_longest(*sides), 1):
        if one is None or other is None:
            counts = [
                number - (line is None) + sum(1 for _ in rest) for line, rest in zip((one, other), sides, strict=True)
            ]
            raise DataError(
                f"lines: {counts[0]:,} in {first}, {counts[1]:,} in {second}",
                "as many lines in both",
                "files that belong together, or finding the line where they part",
            )
        if isinstance(one, Undecoded):
            yield one.fault
        elif isinstance(other, Undecoded):
            yield other.fault
        else:
            yield number, one, other


def tsv(path: str, encoding: str, columns: Columns, note: Note) -> Rows:
    """Cells between tabs."""
    table = _Table(path, columns, note, "with a tab between them")
    for number, line in enumerate(lines(path, encoding), 1):
        if isinstance(line, Undecoded):
            yield line.fault
        elif line.strip(" \r"):  # a blank line is no row
            yield from table.row(number, line.split("\t"))


def comma_separated(path: str, encoding: str, columns: Columns, note: Note) -> Rows:
    """Cells between commas, in quotes where they hold a comma, a quote or a line feed; between semicolons where the
    first row names the wanted columns by them."""
    feed = _Feed(path, encoding)
    mark = ";" if feed.named_by(";", columns) and not feed.named_by(",", columns) else ","
    if mark == ";":
        note(f"{path}: columns between semicolons")
    table = _Table(path, columns, note, f"with a {'comma' if mark == ',' else 'semicolon'} between them")
    reader = csv.reader(feed, delimiter=mark, strict=True)
    while True:
        start = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            if feed.ended or "field limit" in str(error):  # what follows was swallowed: skipping would lose it
                given, allowed = "a quoted cell that does not end", 'a closing " before a comma or a new line'
                raise DataError(given, allowed, 'writing a " within a cell as ""', f"{path}:{start}") from None
            rows = f"a row up to line {reader.line_num}" if reader.line_num > start else "a row"
            given = f"{rows} that is no CSV ({str(error).split(' - ')[0]})"
            feed.faults.append(bad_row(path, start, given, "cells as in RFC 4180", 'writing a " as ""'))
        else:
            if cells is None:
                return
            if cells and not feed.faults:
                yield from table.row(start, cells)
        yield from feed.faults[:1]
        feed.faults.clear()


def jsonl(path: str, encoding: str, columns: Columns) -> Rows:
    """An object a line."""
    for number, line in enumerate(lines(path, encoding), 1):
        if isinstance(line, Undecoded):
            yield line.fault
        elif line.strip():
            yield _parsed(path, number, line, columns)


def parquet(path: str, columns: Columns) -> Rows:
    """Two columns of a Parquet file; its rows count from 1."""
    import polars  # 0.3 s, which nobody else should wait for

    with opened(path) as stream:
        if not stream.peek(1):
            raise empty(path)
        try:
            table = polars.scan_parquet(io.BytesIO(stream.read()))
            schema = dict(table.collect_schema())
            wanted = [_column(path, schema, place, columns).alias(str(place)) for place in range(len(columns.names))]
            frame = table.select(wanted).collect()
        except (polars.exceptions.PolarsError, polars.exceptions.PanicException) as error:  # on damaged bytes
            given = f"no readable Parquet ({shown(str(error).partition(chr(10))[0], 60)})"
            raise DataError(given, "a whole Parquet file", "writing it again", path) from None
    for number, texts in enumerate(frame.iter_rows(), 1):
        empty_ones = [text is None or (isinstance(text, list) and (not text or None in text)) for text in texts]
        if True in empty_ones:
            name = columns.names[empty_ones.index(True)]
            yield bad_row(path, number, f'no value in "{name}"', "a value in every row")
        else:
            yield columns.row(number, texts, tuple(texts[1]) if isinstance(texts[1], list) else ())


class _Table:
    """Rows of cells as rows of two texts: knows, once it saw the first row, where they stand."""

    def __init__(self, path: str, columns: Columns, note: Note, between: str) -> None:
        self.path, self.columns, self.note, self.between = path, columns, note, between
        self.places: tuple[int, ...] | None = None
        self.width = 0

    def row(self, number: int, cells: list[str]) -> Rows:
        """The row, a fault, or nothing where it is the header."""
        if self.places is None:
            self.places, header = self._find([cell.strip() for cell in cells], number)
            self.width = 1 + max(self.places)
            if header:
                return
        if len(cells) < self.width:
            yield self._short(number, cells)
        else:
            yield self.columns.row(number, [cells[place] for place in self.places])

    def _find(self, cells: list[str], number: int) -> tuple[tuple[int, ...], bool]:
        """Where the columns stand, and whether this first row is a header."""
        names, group = self.columns.names, self.columns.group
        if all(name.isdecimal() for name in names):
            return tuple(int(name) - 1 for name in names), False
        missing = [name for name in names if name not in cells]
        if not missing:
            return tuple(map(cells.index, names)), True
        counted = group is not None and group.isdecimal() and group != "0"
        if len(missing) < len(names) or self.columns.given != (None, None) or (group is not None and not counted):
            where = f"{self.path}:{number}"
            raise DataError.of([self._unknown(name, cells, where) for name in missing])
        if len(cells) > 1:
            told = f"columns 1 and 2 of {len(cells)}, without a header: {shown(cells[0])}, {shown(cells[1])}"
            self.note(f"{self.path}: {told}")
        return ((0, 1) if group is None else (0, 1, int(group) - 1)), False

    def _unknown(self, name: str, cells: list[str], where: str) -> Fault:
        usual, others = self.columns.usual, [cell for cell in cells if cell not in self.columns.names]
        if len(cells) == 1:
            mend = f"columns {self.between}"
        else:
            close = others[0] if len(others) == 1 else nearest(name, cells) or "with one of them"
            numbers = f"--data.{usual[0]} 1 --data.{usual[1]} 2"
            mend = f"{self.columns.flag(name)} {close}, or {numbers} where the file has no header"
        return Fault(f'no column "{name}" among {listed(cells)}', "a column of the first row", mend, where)

    def _short(self, number: int, cells: list[str]) -> Fault:
        given = f"{len(cells)} column{'s' * (len(cells) > 1)}"
        mend = "commas in place of semicolons" if len(cells) == 1 and ";" in cells[0] else "mending it"
        return bad_row(self.path, number, given, f"{self.width} columns {self.between}", mend)


class _Feed:
    """Lines for the csv module, with a note of those that could not be decoded and of the end."""

    def __init__(self, path: str, encoding: str) -> None:
        self.lines: Iterator[str | Undecoded] = lines(path, encoding)
        self.faults: list[Fault] = []
        self.ended = False

    def named_by(self, mark: str, columns: Columns) -> bool:
        """Whether the first line, cut at this mark, holds the names of all columns. It stays to be read."""
        first = next(self.lines, None)
        if first is None:
            return False
        self.lines = chain([first], self.lines)
        cells = [] if isinstance(first, Undecoded) else first.split(mark)
        return set(columns.names) <= {cell.strip(' \r"') for cell in cells}

    def __iter__(self) -> "_Feed":
        return self

    def __next__(self) -> str:
        line = next(self.lines, None)
        if line is None:
            self.ended = True
            raise StopIteration
        if isinstance(line, Undecoded):
            self.faults.append(line.fault)
            line = line.text
        return line + "\n"


def listed(names: Sequence[str]) -> str:
    """The names of columns, for a message."""
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(shown(name, 24)[1:-1] for name in names[:_LISTED]) + more


def _parsed(path: str, number: int, line: str, columns: Columns) -> Row | Fault:
    """The two texts of a line of JSON. A list of texts is read as one text, sentence by sentence; in place of the
    second one, as all that may be written."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        why = "nested too deeply, or a number too long"
        if isinstance(error, json.JSONDecodeError):
            why = f"{error.msg}, column {error.colno}"
        mend = f"jq -c '.[]' {path}" if line.lstrip().startswith("[") else "mending it"
        return bad_row(path, number, f"no JSON ({why})", "an object in each line", mend)
    if not isinstance(row, dict):
        mend = f"jq -c '.[]' {path}" if isinstance(row, list) else "mending it"
        return bad_row(path, number, f"JSON that is no object, {shown(line)}", "an object in each line", mend)
    texts: list[str] = []
    several: tuple[str, ...] = ()
    for place, name in enumerate(columns.names):
        value, loose = value_at(row, name), columns.loose(place)
        if not columns.labelled and place < 2 and _is_texts(value):
            several = tuple(value) if place == 1 and len(value) > 1 else ()
            value = value[0] if place == 1 else " ".join(value)
        if value is ABSENT:
            given, near = f'no "{name}" among {listed(_names(row))}', nearest(name, _names(row))
            mend = f"{columns.flag(name)} {near}" if near else f"{columns.flag(name)} with one of them"
            return bad_row(path, number, given, f'"{name}" in every row', mend)
        if not isinstance(value, str | int if loose else str):
            given, allowed = (
                f'"{name}": {shown(json.dumps(value))}',
                "text in quotes" + " or a whole number" * loose,
            )
            return bad_row(path, number, given, allowed)
        texts.append(value if isinstance(value, str) else json.dumps(value))
    if "\\u" in line and any("\ud800" <= letter <= "\udfff" for text in (*texts, *several) for letter in text):
        return bad_row(path, number, "half of a surrogate pair", "both halves, as in \\ud83d\\ude00")
    return columns.row(number, texts, several)


def _is_texts(value: object) -> TypeGuard[list[str]]:
    return isinstance(value, list) and bool(value) and all(isinstance(one, str) for one in value)


def value_at(row: dict[str, Any], name: str) -> object:
    """What a name leads to; "translation.en" is the entry "en" of the entry "translation"."""
    found: Any = row
    for part in [name] if name in row else name.split("."):
        if not isinstance(found, dict) or part not in found:
            return ABSENT
        found = found[part]
    return found


def _names(row: dict[str, Any]) -> list[str]:
    """The entries of an object, those of objects in it with a dot."""
    return [
        name
        for key, value in row.items()
        for name in ([f"{key}.{inner}" for inner in value] if isinstance(value, dict) else [key])
    ]


def _column(path: str, schema: dict[str, Any], place: int, columns: Columns) -> Any:
    """The polars expression of a column that holds text, or a label."""
    import polars

    name, loose = columns.names[place], columns.loose(place)
    kind, found = schema.get(name), polars.col(name)
    if kind is None:
        head, *rest = name.split(".")
        kind, found = schema.get(head), polars.col(head)
        for part in rest:
            fields = dict(kind) if isinstance(kind, polars.Struct) else {}
            kind, found = fields.get(part), found.struct.field(part)
    if kind is None:
        names = _columns_of(schema)
        mend = f"{columns.flag(name)} {nearest(name, names) or 'with one of them'}"
        raise DataError(f'no column "{name}" among {listed(names)}', "a column of the file", mend, path)
    if kind == polars.List(polars.String) and not columns.labelled and place < 2:  # sentences; or several to choose
        return found.list.join(" ") if place == 0 else found
    counted = loose and (kind == polars.Boolean or kind.is_integer())
    if not counted and kind not in (polars.String, polars.Categorical, polars.Enum):
        allowed = "a column of text" + " or whole numbers" * loose
        raise DataError(f'column "{name}" of {kind}', allowed, f"{columns.flag(name)} with another", path)
    return found.cast(polars.String)


def _columns_of(schema: dict[str, Any]) -> list[str]:
    """The columns of a Parquet file, those within a column with a dot."""
    return [
        name
        for key, kind in schema.items()
        for name in ([f"{key}.{field.name}" for field in kind.fields] if hasattr(kind, "fields") else [key])
    ]
