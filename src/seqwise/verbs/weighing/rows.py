"""A table row by row, each with its place: JSONL with its own types, CSV, TSV and Parquet by `data.tablefiles`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqwise.data.cells import ColumnSettings
from seqwise.data.files import OR_SKIP, check_paths, empty, opened
from seqwise.data.objects import objects, place
from seqwise.data.tablefiles import table_file
from seqwise.errors import DataError, Fault

JSON = (".jsonl", ".ndjson", ".json")
EXACT = 2.0**53  # whole numbers below it are exact as floats


@dataclass(frozen=True)
class Row:
    """One row."""

    where: str
    """`file:line`."""
    cells: Mapping[str, Any]
    """By column; an empty cell of CSV or TSV is an empty text."""


def read_rows(path: str) -> list[Row]:
    """All rows of a file."""
    check_paths([path])
    found = list(_objects(path) if _is_json(path) else _cells(path))
    if not found:
        raise DataError("no row", "one row at least", "the right file", path)
    return found


def _is_json(path: str) -> bool:
    with opened(path) as stream:
        head = stream.peek(64)[:64].lstrip(b"\xef\xbb\xbf \t\r\n")
    if not head:
        raise empty(path)
    return Path(path.lower().removesuffix(".gz")).suffix in JSON or head.startswith(b'{"')


def _objects(path: str) -> Iterator[Row]:
    for found in objects(path, "utf-8", alone=True):
        if isinstance(found, Fault):
            raise DataError(found.given, found.allowed, found.mend.removesuffix(OR_SKIP), found.where)
        yield Row(place(path, found.line, found.row), found.value)


def _cells(path: str) -> Iterator[Row]:
    file = table_file(path, ColumnSettings(), _mended)
    for part in file.parts((), file.names):
        for number, cells in enumerate(part.frame.iter_rows(named=True)):
            yield Row(part.where(number), {name: "" if value is None else value for name, value in cells.items()})


def _mended(setting: str) -> str:
    """What to do where a reader with flags would name one."""
    return "converting it to utf-8 from" if setting == "encoding" else f"mending its {setting}"


def told(value: Any) -> str:
    """A cell as text; true is "true"."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def named(value: Any) -> str:
    """A cell that names something: 1.0, which 1 becomes where a column lacks some, is "1" as well."""
    if isinstance(value, float) and value.is_integer() and abs(value) < EXACT:
        return str(int(value))
    return told(value)


def columns_beside(places: Sequence[str], paths: Sequence[str], taken: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """What else stands in the rows that items were read from, by column; nothing where a file is no table with names.

    places   of the items, as their reader told them
    taken    columns that were read already, in any case; a file without any of them has no names of columns
    """
    known = {name.lower() for name in taken}
    rows: dict[str, Mapping[str, Any]] = {}
    for path in paths:
        try:
            found = read_rows(path)
        except DataError:
            return {}
        if known.isdisjoint(name.lower() for name in found[0].cells):
            return {}
        rows |= {row.where: row.cells for row in found}
    if not set(places) <= rows.keys():
        return {}
    names = dict.fromkeys(name for where in places for name in rows[where] if name.lower() not in known)
    plain = [name for name in names if not any(isinstance(rows[where].get(name), list | dict) for where in places)]
    return {name: tuple(named(rows[where].get(name)) for where in places) for name in plain}
