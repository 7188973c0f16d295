"""The columns of tables as numbers, block by block, for statistics: files may be larger than memory.

    table = open_table(["scores.csv"])
    table.names, table.kinds, table.numbers          what there is
    for block in table.blocks(["write", "read"]):    (rows, columns) of float64, NaN where a number is missing
    table.values(["write", "read"])                  all rows at once, for what needs them
    table.column("write")                            the numbers of one column without the missing ones
    table.groups("prog")                             its labels, row by row
    table.times("date")                              as datetime64[us]
    table.unread(["write", "read"])                  which of them hold a text after all, and where

Several files count as one table; they need the same columns. Every fault names `file:line`, what stands there and the
flag that would read it. Numbers of single precision stay float32 in blocks of nothing else, so that whoever sums them
sees what digits there are; beside others they are widened.

Infinite values are values, and left to whoever asks. Left out: times of several series and their steps (`table.py`).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from seqwise.config import check
from seqwise.data.cells import MARKS, ColumnSettings, Flag, Part, not_a_number, numbers, unlabelled, unsigned
from seqwise.data.delimited import Delimited
from seqwise.data.files import check_paths, shown
from seqwise.data.readers import listed
from seqwise.data.suspects import grouped, told_grouped, told_total, total
from seqwise.data.tablefiles import NUMBERS, Kind, TableFile, kinds, missing_column, table_file
from seqwise.data.timestamps import Dates, Times, read_times
from seqwise.errors import DataError

__all__ = ["Column", "ColumnSettings", "Kind", "Table", "open_table"]

ROWS = 65_536
"""Of a block."""
_FIRST = 100  # rows that tell how numbers are written

# N rows, C columns


@dataclass(frozen=True, eq=False)
class Column:
    """The numbers of a column."""

    name: str
    values: Float[np.ndarray, "N"]
    """Without the missing ones; float32 where the file has no more."""
    missing: int
    """Rows without a number."""


class Table:
    """Files with the same columns. Nothing but their heads is read until something is asked for."""

    def __init__(self, files: Sequence[TableFile], settings: ColumnSettings, flag: Flag) -> None:
        self._files, self._settings, self._flag = tuple(files), settings, flag
        self.names = self._files[0].names
        for file in self._files[1:]:
            if set(file.names) != set(self.names):
                odd = sorted(set(file.names) ^ set(self.names))
                given = f"other columns than {self._files[0].path}: {listed(odd)}"
                raise DataError(given, "the same columns in all files", "files that belong together", file.path)
        self.kinds: Mapping[str, Kind] = kinds(self._files[0], settings)

    @property
    def paths(self) -> tuple[str, ...]:
        """The files."""
        return tuple(file.path for file in self._files)

    @property
    def numbers(self) -> tuple[str, ...]:
        """The columns of numbers, in the order of the file."""
        return tuple(name for name in self.names if self.kinds[name] in NUMBERS)

    @property
    def unlabelled(self) -> tuple[str, ...]:
        """Texts that name no group: NA and the like."""
        return tuple(unlabelled(self._settings))

    @cached_property
    def rows(self) -> int:
        """How many there are; counted by reading the files, where they do not say."""
        return sum(len(part.frame) for _, part in self.parts((), self.names[:1]))

    def blocks(self, columns: Sequence[str] | None = None, rows: int = ROWS) -> Iterator[Float[np.ndarray, "N C"]]:
        """All rows in their order, so many at a time; by default all columns of numbers."""
        names = self.numbers if columns is None else tuple(columns)
        if not names:
            given = f"no column of numbers among {listed(self.names)}"
            raise DataError(given, "one at least", "another file", self.paths[0])
        for block, _ in self.parts(names):
            for first in range(0, len(block), rows):
                yield np.ascontiguousarray(block[first : first + rows])

    def parts(
        self, columns: Sequence[str], texts: Sequence[str] = ()
    ) -> Iterator[tuple[Float[np.ndarray, "N C"], Part]]:
        """All rows as the file is read: numbers, and the part with the other columns that are wanted."""
        self._must_have([*columns, *texts])
        for file in self._files:
            for part in file.parts(columns, texts):
                yield self._block(part, columns), part

    def pieces(
        self, numbers: Sequence[str], texts: Sequence[str]
    ) -> Iterator[tuple[Float[np.ndarray, "N C"], Mapping[str, Any]]]:
        """All rows in one pass: columns of numbers, and others as polars series of texts, null where one is missing."""
        for block, part in self.parts(numbers, texts):
            yield block, {name: texts_of(part.frame[name], missing=None) for name in texts}

    def values(self, columns: Sequence[str] | None = None) -> Float[np.ndarray, "N C"]:
        """All rows at once, NaN where a number is missing; aligned with `groups` and `times`."""
        return np.concatenate(list(self.blocks(columns)))

    def column(self, name: str) -> Column:
        """The numbers of one column."""
        values = self.values([name])[:, 0]
        there = ~np.isnan(values)
        return Column(name, values[there], int(len(values) - there.sum()))

    def groups(self, name: str) -> Shaped[np.ndarray, "N"]:
        """The labels of a column, as texts; empty where one is missing."""
        found = [np.asarray(texts_of(part.frame[name]).to_list()) for _, part in self.parts((), [name])]
        return np.concatenate(found).astype(np.str_)

    def times(self, name: str, dates: Dates = "auto") -> Shaped[np.ndarray, "N"]:
        """A column of dates or times, as datetime64[us]; every row must have one."""
        columns = [part.frame[name] for _, part in self.parts((), [name])]
        return column_of_times(columns, name, dates, self.where, self._flag).values

    def unread(self, names: Sequence[str]) -> Mapping[str, DataError]:
        """Columns of numbers that hold something else further on, each with its first fault; reads all rows."""
        faults: dict[str, DataError] = {}
        for file in self._files:
            for part in file.parts(names, ()):
                for name in names:
                    try:
                        if name not in faults:
                            self._numbers(part, name)
                    except DataError as error:
                        faults[name] = error
        return faults

    def where(self, row: int) -> str:
        """`file:line` of a row, counted from 0 through all files; found by reading them again."""
        first = 0
        for _, part in self.parts((), self.names[:1]):
            if row < first + len(part.frame):
                return part.where(row - first)
            first += len(part.frame)
        return self.paths[-1]

    def sample(self, rows: int = 5) -> tuple[Mapping[str, str], ...]:
        """The first rows as they stand."""
        part = next(iter(self._files[0].parts((), self.names)))
        shown_names = [name for name in self.names if self.kinds[name] != "other"]
        texts = {name: texts_of(part.frame[name].head(rows)).to_list() for name in shown_names}
        count = min(rows, len(part.frame))
        return tuple({name: texts[name][row] for name in shown_names} for row in range(count))

    def signed(self, names: Sequence[str]) -> Mapping[str, tuple[str, str]]:
        """Columns whose first cells are mostly numbers but for a sign: one such text, and how to have them read."""
        first, found = self.sample(_FIRST), {}
        for name in names:
            texts = [row[name] for row in first if row.get(name, "").strip() not in MARKS]
            odd = [text for text in texts if unsigned(text, self._flag)]
            if 2 * len(odd) > len(texts):
                found[name] = (shown(odd[0].strip()), unsigned(odd[0], self._flag) or "")
        return found

    def suspects(self, names: Sequence[str], last: bool = True) -> tuple[str, ...]:
        """What these columns of numbers may hold that nobody meant; `last`: whether the last row counts."""
        told, settings, file = [], self._settings, self._files[0]
        if isinstance(file, Delimited) and file.delimiter == ";" and settings.decimal == "." and not settings.thousands:
            first = next(iter(file.parts((), names))).frame.head(_FIRST)
            found = [(name, text) for name in names if (text := grouped(first[name]))]
            told += [told_grouped(found)] if found else []
        end = self._files[-1]
        if last and isinstance(end, Delimited) and (text := total(end.path, end.delimiter)):
            told.append(told_total(text))
        return tuple(told)

    def _block(self, part: Part, columns: Sequence[str]) -> Float[np.ndarray, "N C"]:
        import polars

        kinds = {part.frame[name].dtype for name in columns}
        if kinds in ({polars.Float64}, {polars.Float32}):  # four times faster than column by column
            block: Float[np.ndarray, "N C"] = part.frame.select(columns).to_numpy(order="c")
            return block
        numbers = [self._numbers(part, name) for name in columns]
        return np.stack(numbers, axis=1) if numbers else np.zeros((len(part.frame), 0))

    def _numbers(self, part: Part, name: str) -> Float[np.ndarray, "N"]:
        import polars

        column = part.frame[name]
        if column.dtype == polars.Float32:
            found: Float[np.ndarray, "N"] = column.to_numpy().astype(np.float32)
            return found
        if column.dtype.is_numeric() or column.dtype in (polars.Boolean, polars.Null):
            read: Float[np.ndarray, "N"] = column.cast(polars.Float64).to_numpy().astype(np.float64)
            return read
        if column.dtype not in (polars.String, polars.Categorical, polars.Enum):
            given = f'column "{name}" of {column.dtype}'
            raise DataError(given, "a column of numbers", "another column", self.paths[0])
        texts = column.cast(polars.String)
        if self.kinds[name] == "boolean":
            low = texts.str.strip_chars().str.to_lowercase()
            texts = texts.set(low == "true", "1").set(low == "false", "0")
        values, bad = numbers(texts, self._settings)
        if bad is not None:
            raise self._refused(str(texts[bad]), name, part.where(bad))
        return values

    def _refused(self, text: str, name: str, where: str) -> DataError:
        if self.kinds[name] in NUMBERS:
            return DataError.of([not_a_number(text, name, where, self._flag, self._settings.signs)])
        given = f'column "{name}" of text, {shown(text)}'
        mend = unsigned(text, self._flag) or listed(self.numbers) or "another file"
        return DataError(given, "a column of numbers", mend, where)

    def _must_have(self, names: Sequence[str]) -> None:
        for name in names:
            if name not in self.names:
                where = self.paths[0]
                raise missing_column(name, self.names, where, "the column")


def open_table(
    paths: Sequence[str | Path] | str | Path, settings: ColumnSettings | None = None, flag: Flag | None = None
) -> Table:
    """The columns of these files. `flag` names the flag of a setting in advice; by default "--thousands" and so on."""
    told = settings or ColumnSettings()
    check(told)
    names = [str(path) for path in ([paths] if isinstance(paths, str | Path) else paths)]
    if not names:
        raise DataError("no file", "one at least", "data.csv")
    check_paths(names)
    named = flag or (lambda name: f"--{name}")
    return Table([table_file(name, told, named) for name in names], told, named)


def texts_of(column: Any, missing: str | None = "") -> Any:
    """A polars column as text; where a cell is missing, `missing`."""
    import polars

    texts = column.cast(polars.String)
    return texts if missing is None else texts.fill_null(missing)


def column_of_times(
    columns: Sequence[Any], name: str, dates: Dates, where: Callable[[int], str], flag: Flag, mixed: bool = False
) -> Times:
    """The parts of one column as times. Raises where one cannot be read, or could be read in two ways."""
    import polars

    if all(column.dtype in (polars.Date, polars.Datetime) for column in columns):
        values = np.concatenate([_utc(column) for column in columns])
        there = ~np.isnat(values)
        if not there.all():
            place = where(int(there.argmin()))
            raise DataError(f'no time in column "{name}"', "a date or time in every row", "mending it", place)
        zoned = any(getattr(column.dtype, "time_zone", None) for column in columns)
        return Times(values, np.zeros(len(values), np.int64), zoned=bool(zoned))
    texts = polars.concat([texts_of(column) for column in columns])
    read = read_times(texts, dates, name)
    other, either = f"{flag('mixed')} true", f"{flag('dates')} day-first or {flag('dates')} month-first"
    troubles = (
        (read.contrary, "day and month in the same order throughout", "mending it"),
        (read.unread, "a date or time", "mending it, or another way to write it, such as 2015-02-17 13:00"),
        (read.half_zoned, "a zone in all rows or in none", "writing all in one zone"),
        (None if mixed else read.mixed, "the same way of writing as in the rows before", other),
        (read.unclear, "to be told which is the day, as no row has one above 12", either),
    )
    for row, allowed, mend in troubles:
        if row is not None:
            text = texts[row].strip()
            given = f'{shown(text)} in column "{name}"' if text else f'no time in column "{name}"'
            raise DataError(given, allowed, mend, where(row))
    return read


def _utc(column: Any) -> Shaped[np.ndarray, "N"]:
    import polars

    if getattr(column.dtype, "time_zone", None):
        column = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    values: Shaped[np.ndarray, "N"] = column.cast(polars.Datetime("us")).to_numpy().astype("datetime64[us]")
    return values
