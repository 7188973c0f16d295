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
from dataclasses import dataclass
from itertools import zip_longest
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
        if place == 1:
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
