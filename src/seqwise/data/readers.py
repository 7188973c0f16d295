"""One function a format: files in, rows out, and for each row that cannot be read a fault in its place.

    aligned(first, second)   lines of the same number
    jsonl                    an object a line
    parquet                  columns, by polars

Cells between tabs and commas are read by `sheets.py`, translation memories by `tmx.py`.

A row is the line where it begins (in Parquet: its number), and two texts as they stand in the file, perhaps with
more that belongs to it. What becomes of faults, of spaces around a text and of empty texts is decided in `text.py`.
In JSONL and Parquet a text may be a list of sentences; a list of targets holds several that are equally right.
"""

import io
import json
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any, TypeGuard

from seqwise.data import paired
from seqwise.data.files import Undecoded, bad_row, empty, lines, opened, shown
from seqwise.data.paired import Text
from seqwise.errors import DataError, Fault, nearest

Second = str | tuple[str, ...]
Row = tuple[int, Text, Second] | tuple[int, Text, Second, str]
"""A line, a first text and a second one, or what may stand for the second: several summaries of a text; then the
group, where a column was named for it. What is labelled may be a pair of texts."""
Rows = Generator[Row | Fault, None, None]
Note = Callable[[str], None]

_LISTED = 12  # names of columns in a message, at most
ABSENT = object()
"""What `value_at` finds where there is nothing."""


@dataclass(frozen=True)
class Columns:
    """The two columns that are asked for, and what may stand beside them."""

    given: tuple[str | None, str | None]
    """As the user named them; None where not."""
    usual: tuple[str, str]
    """Their names where the user gives none, which are also the names of the flags."""
    labelled: bool = False
    """Whether the second is a label, so that a whole number or true and false will do."""
    group: str | None = None
    """A further one, whose value says what belongs together."""
    second: str | None = None
    """Of labelled texts: the column of a text that is judged together with the first."""
    several: bool = True
    """Whether a list in the second holds what is equally right; else its sentences are one text."""

    @property
    def texts(self) -> tuple[str, str]:
        """The names of the two."""
        return self.given[0] or self.usual[0], self.given[1] or self.usual[1]

    @property
    def names(self) -> tuple[str, ...]:
        """What to look for."""
        return (*self.texts, *(name for name in (self.second, self.group) if name is not None))

    def flag(self, name: str) -> str:
        """The flag that names this column."""
        flags = (*self.usual, *([self.usual[0]] if self.second is not None else []), "group-by")
        return f"--data.{flags[self.names.index(name)]}"

    def mended(self, name: str, meant: str) -> str:
        """Flags with another column in the place of this one."""
        if self.second is None or name not in (self.texts[0], self.second):
            return f"{self.flag(name)} {meant}"
        return " ".join(f"{self.flag(one)} {meant if one == name else one}" for one in (self.texts[0], self.second))

    @property
    def alone(self) -> str:
        """The flag that reads the first text only."""
        return f"--data.{self.usual[0]} {self.texts[0]} alone"

    def mend(self, name: str) -> str:
        """What to do where this column has nothing."""
        return f"mending it, {self.alone}" if name == self.second else "mending it"

    def loose(self, place: int) -> bool:
        """Whether this column may hold whole numbers, and true and false."""
        return (self.labelled and place == 1) or (self.group is not None and place == len(self.names) - 1)

    def row(self, number: int, texts: Sequence[str], several: tuple[str, ...] = ()) -> Row:
        """A row of these columns; `several` may stand for the second."""
        first = texts[0] if self.second is None else (texts[0], texts[2])
        second = several or texts[1]
        return (number, first, second) if self.group is None else (number, first, second, texts[-1].strip())

    @property
    def open(self) -> bool:
        """Whether a file may say by its columns that what is labelled are pairs."""
        return self.labelled and self.given[0] is None and not (self.given[1] or "").isdecimal()

    def among(self, names: Sequence[str], where: str, note: Note) -> "Columns":
        """The columns of a file that has these: where none is asked for and none called "text", perhaps two texts."""
        found = paired.named(names) if self.open else []
        if not found:
            return self
        first, second = found[0]
        text = paired.spelt(self.usual[0], names)
        if text is not None and all(text not in pair for pair in found):
            note(f"{where}: the column {text} alone is read; {first} with {second} by --data.text, given twice")
            return self
        if len(found) > 1:
            raise paired.several(found, where)
        label = self.given[1] or next(filter(None, (paired.spelt(name, names) for name in paired.LABELS)), None)
        note(f"{where}: pairs of texts, {first} with {second}, labelled by {label or self.usual[1]}")
        return replace(self, given=(first, label), second=second)


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


def jsonl(path: str, encoding: str, columns: Columns, note: Note) -> Rows:
    """An object a line; the first one tells of pairs."""
    settled: Columns | None = None
    seen: set[str] = set()
    for number, line in enumerate(lines(path, encoding), 1):
        if isinstance(line, Undecoded):
            yield line.fault
        elif line.strip():
            row = _object(path, number, line)
            if isinstance(row, dict):
                if settled is None:
                    settled = columns.among(_names(row), path, note)
                elif settled is columns and not row.keys() <= seen:
                    _still_single(columns, row, f"{path}:{number}")
                seen |= row.keys()
                yield _picked(path, number, row, line, settled)
            else:
                yield row


def _still_single(columns: Columns, row: dict[str, Any], where: str) -> None:
    """Refuse a pair behind single texts: its second text would be lost, and nobody told."""
    found = columns.among(_names(row), where, lambda _: None)
    if found.second is not None:
        first = found.texts[0]
        mend = f"--data.text {first}, or --data.text {first} --data.text {found.second}"
        raise DataError(
            f'"{found.second}", which the rows before lack', "pairs of texts in all rows or in none", mend, where
        )


def parquet(path: str, columns: Columns, note: Note) -> Rows:
    """Some columns of a Parquet file; its rows count from 1."""
    import polars  # 0.3 s, which nobody else should wait for

    with opened(path) as stream:
        if not stream.peek(1):
            raise empty(path)
        try:
            table = polars.scan_parquet(io.BytesIO(stream.read()))
            schema = dict(table.collect_schema())
            columns = columns.among(_columns_of(schema), path, note)
            wanted = [_column(path, schema, place, columns).alias(str(place)) for place in range(len(columns.names))]
            frame = table.select(wanted).collect()
        except (polars.exceptions.PolarsError, polars.exceptions.PanicException) as error:  # on damaged bytes
            given = f"no readable Parquet ({shown(str(error).partition(chr(10))[0], 60)})"
            raise DataError(given, "a whole Parquet file", "writing it again", path) from None
    for number, texts in enumerate(frame.iter_rows(), 1):
        empty_ones = [text is None or (isinstance(text, list) and (not text or None in text)) for text in texts]
        if True in empty_ones:
            name = columns.names[empty_ones.index(True)]
            yield bad_row(path, number, f'no value in "{name}"', "a value in every row", columns.mend(name))
        else:
            yield columns.row(number, texts, tuple(texts[1]) if isinstance(texts[1], list) else ())


def listed(names: Sequence[str]) -> str:
    """The names of columns, for a message."""
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(shown(name, 24)[1:-1] for name in names[:_LISTED]) + more


def _object(path: str, number: int, line: str) -> dict[str, Any] | Fault:
    """What stands on a line of JSON."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        why = "nested too deeply, or a number too long"
        if isinstance(error, json.JSONDecodeError):
            why = f"{error.msg}, column {error.colno}"
        mend = f"jq -c '.[]' {path}" if line.lstrip().startswith("[") else "mending it"
        return bad_row(path, number, f"no JSON ({why})", "an object in each line", mend)
    if isinstance(row, dict):
        return row
    mend = f"jq -c '.[]' {path}" if isinstance(row, list) else "mending it"
    return bad_row(path, number, f"JSON that is no object, {shown(line)}", "an object in each line", mend)


def _picked(path: str, number: int, row: dict[str, Any], line: str, columns: Columns) -> Row | Fault:
    """The texts of an object. A list of texts is read as one text, sentence by sentence; in place of the second one, as
    all that may be written."""
    texts: list[str] = []
    several: tuple[str, ...] = ()
    for place, name in enumerate(columns.names):
        value, loose = value_at(row, name), columns.loose(place)
        if not columns.labelled and place < 2 and _is_texts(value):
            choice = place == 1 and columns.several
            several = tuple(value) if choice and len(value) > 1 else ()
            value = value[0] if choice else " ".join(value)
        if value is ABSENT:
            others = [one for one in _names(row) if one not in columns.names]
            given, near = f'no "{name}" among {listed(_names(row))}', nearest(name, others)
            mend = columns.alone if name == columns.second and not near else None
            mend = mend or columns.mended(name, near or "with one of them")
            return bad_row(path, number, given, f'"{name}" in every row', mend)
        if not isinstance(value, str | int if loose else str):
            given, allowed = (
                f'"{name}": {shown(json.dumps(value))}',
                "text in quotes" + " or a whole number" * loose,
            )
            return bad_row(path, number, given, allowed, columns.mend(name))
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
        mend = columns.mended(name, nearest(name, names) or "with one of them")
        raise DataError(f'no column "{name}" among {listed(names)}', "a column of the file", mend, path)
    if kind == polars.List(polars.String) and not columns.labelled and place < 2:  # sentences; or several to choose
        if place == 1 and columns.several:
            return found
        return polars.when(found.list.len() > 0).then(found.list.join(" ", ignore_nulls=False))
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
