"""Tables of any format, read in parts: CSV and TSV, JSONL, Parquet.

    table_file(path, settings, flag)     the names of the columns, what they hold, and the rows in parts
    kinds                                of each column: number, integer, float32, boolean, time, text

What a text column holds is judged by its first rows: numbers, where at least half are. A text further on in a column
of numbers is refused where it stands, when the column is asked for.

A file is larger than memory here: nothing but a part of some megabytes is held. Parquet is read by polars, a group of
rows at a time, so that a file written as one huge group, or gzipped, is the exception.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from seqwise.data.cells import MARKS, ColumnSettings, Flag, Part, numeric
from seqwise.data.delimited import Delimited
from seqwise.data.files import OR_SKIP, empty, opened, shown
from seqwise.data.objects import Found, objects, place
from seqwise.data.readers import ABSENT, listed, value_at
from seqwise.data.timestamps import looks_like_times
from seqwise.errors import DataError, Fault, nearest

Kind = Literal["number", "integer", "float32", "boolean", "time", "text", "other"]
NUMBERS: tuple[Kind, ...] = ("number", "integer", "float32")

_ROWS = 65_536  # of JSONL and Parquet in a part
_HEAD = 2_000  # rows that tell what a column holds
_MOSTLY = 0.5  # of them numbers


@runtime_checkable
class TableFile(Protocol):
    """One file."""

    path: str
    names: tuple[str, ...]

    def parts(self, numbers: Sequence[str], texts: Sequence[str]) -> Iterator[Part]:
        """All rows; some columns as numbers, some as they stand."""


def table_file(path: str, settings: ColumnSettings, flag: Flag) -> TableFile:
    """The file, whatever its format."""
    form = settings.format
    with opened(path) as stream:
        head = stream.peek(4)[:4]
    if not head:
        raise empty(path)
    ending = Path(path.lower().removesuffix(".gz")).suffix
    if form == "auto" and head == b"PAR1":
        form = "parquet"
    elif form == "auto":
        form = "jsonl" if ending in (".jsonl", ".ndjson", ".json") else "tsv" if ending in (".tsv", ".tab") else "csv"
    if form == "parquet":
        return _Parquet(path)
    if form == "jsonl":
        return _Jsonl(path, settings.encoding)
    return Delimited(path, settings, flag, tabbed=form == "tsv")


def kinds(file: TableFile, settings: ColumnSettings) -> Mapping[str, Kind]:
    """What each column holds, by the first rows."""
    part = next(iter(file.parts((), file.names)), None)
    if part is None:
        raise DataError("no row but the names of the columns", "one row at least", "the right file", file.path)
    return {name: _kind(part.frame[name].head(_HEAD), settings) for name in file.names}


def missing_column(name: str, names: Sequence[str], where: str, flag: str) -> DataError:
    """A name that no column has."""
    mend = f"{flag} {nearest(name, names) or 'with one of them'}"
    return DataError(f'no column "{name}" among {listed(names)}', "a column of the file", mend, where)


def _kind(column: Any, settings: ColumnSettings) -> Kind:
    import polars

    kind = column.dtype
    if kind == polars.Float32:
        return "float32"
    if kind.is_integer():
        return "integer"
    if kind.is_float() or kind.is_decimal():
        return "number"
    if kind == polars.Boolean:
        return "boolean"
    if kind in (polars.Date, polars.Datetime):
        return "time"
    if kind == polars.Null:
        return "number"
    if kind not in (polars.String, polars.Categorical, polars.Enum):
        return "other"
    texts = column.cast(polars.String)
    share = numeric(texts, settings)
    if share != 1 and looks_like_times(texts, ""):
        return "time"
    filled = texts.str.strip_chars()
    filled = filled.filter(filled.is_not_null() & ~filled.is_in([*MARKS, *settings.marks]))
    if share is None or share >= _MOSTLY:
        whole = len(filled) and filled.str.contains(r"^[+-]?\d{1,15}$").all()
        return "integer" if whole else "number"
    return "boolean" if filled.str.to_lowercase().is_in(["true", "false"]).all() else "text"


class _Jsonl:
    """An object a line, or a list of them. Entries of an object in it are columns with a dot: place.x."""

    def __init__(self, path: str, encoding: str) -> None:
        self.path, self._encoding = path, encoding
        names: dict[str, None] = {}
        for found in islice(self._objects(), _HEAD):
            for key, value in found.value.items():
                inner = [f"{key}.{name}" for name in value] if isinstance(value, dict) else [key]
                names |= dict.fromkeys(inner)
        if not names:
            raise DataError("no row", "an object a line", "the right file", path)
        self.names = tuple(names)

    def parts(self, numbers: Sequence[str], texts: Sequence[str]) -> Iterator[Part]:
        """The rows."""
        import polars

        rows = self._objects()
        while found := list(islice(rows, _ROWS)):
            columns = {name: [value_at(one.value, name) for one in found] for name in (*numbers, *texts)}
            series = [_of_values(name, values, name in numbers) for name, values in columns.items()]
            yield Part(polars.DataFrame(series), partial(self._where, found))

    def _where(self, found: Sequence[Found], row: int) -> str:
        return place(self.path, found[row].line, found[row].row)

    def _objects(self) -> Iterator[Found]:
        for found in objects(self.path, self._encoding):
            if isinstance(found, Fault):
                mend = found.mend.removesuffix(OR_SKIP)
                raise DataError(found.given, found.allowed, mend, found.where)
            yield found


def _of_values(name: str, values: Sequence[Any], number: bool) -> Any:
    """Values of JSON as a column: of numbers where all are, else of texts."""
    import polars

    plain = [None if value is ABSENT else value for value in values]
    if all(value is None or (isinstance(value, int | float) and not isinstance(value, bool)) for value in plain):
        kind = polars.Float64 if number or any(isinstance(value, float) for value in plain) else polars.Int64
        if kind == polars.Int64 and any(value is not None and abs(value) >= 2**63 for value in plain):
            kind = polars.Float64
        return polars.Series(name, [_float(value) if kind == polars.Float64 else value for value in plain], kind)
    if all(value is None or isinstance(value, bool) for value in plain):
        return polars.Series(name, plain, polars.Boolean)
    texts = [value if value is None or isinstance(value, str) else _told(value) for value in plain]
    return polars.Series(name, texts, polars.String)


def _float(value: int | float | None) -> float | None:
    try:
        return None if value is None else float(value)
    except OverflowError:
        return float("inf")


def _told(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


class _Parquet:
    """Columns, by polars; `file:line` has the number of the row."""

    def __init__(self, path: str) -> None:
        import polars

        self.path = path
        try:
            self._scan = polars.scan_parquet(_unzipped(path), glob=False)
            self.names = tuple(self._scan.collect_schema())
            self.rows = int(self._scan.select(polars.len()).collect().item())
        except (polars.exceptions.PolarsError, polars.exceptions.PanicException, OSError) as error:
            raise self._damaged(error) from None

    def parts(self, numbers: Sequence[str], texts: Sequence[str]) -> Iterator[Part]:
        """The rows."""
        import polars

        wanted = self._scan.select([*numbers, *texts])
        first = 0
        try:
            for frame in _frames(wanted, self.rows):
                yield Part(frame, partial(self._where, first))
                first += len(frame)
        except (polars.exceptions.PolarsError, polars.exceptions.PanicException) as error:
            raise self._damaged(error) from None

    def _where(self, first: int, row: int) -> str:
        return f"{self.path}:{first + row + 1}"

    def _damaged(self, error: BaseException) -> DataError:
        given = f"no readable Parquet ({shown(str(error).partition(chr(10))[0], 60)})"
        return DataError(given, "a whole Parquet file", "writing it again", self.path)


def _unzipped(path: str) -> str | BytesIO:
    """The file; where it is gzip, all that is in it, as its end must be read first."""
    with open(path, "rb") as stored:
        if stored.read(2) != b"\x1f\x8b":
            return path
    with opened(path) as stream:
        return BytesIO(stream.read())


def _frames(wanted: Any, rows: int) -> Iterator[Any]:
    """Slices, each read when its turn comes."""
    for first in range(0, rows, 4 * _ROWS):
        yield wanted.slice(first, 4 * _ROWS).collect()
