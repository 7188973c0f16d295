"""Tables of cells between commas, tabs or what else, read in parts, so that a file may be larger than memory.

    Delimited(path, settings, flag)    finds the delimiter and the names of the columns
    .parts(numbers, texts)             some megabytes at a time, as columns

A part ends with a line that ends outside quotes; polars reads it. What polars cannot read (numbers with spaces, cells
beyond the last column, bytes of another encoding) is read again by the csv module, slower and exactly, so that the
fault is named with its line. A row with too few cells has none in the others. Blank lines are no rows.

Left out: tables without a first line of names, and comments.
"""

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from seqwise.data.cells import MARKS, ColumnSettings, Flag, Part
from seqwise.data.dialect import (
    HEAD,
    LONGEST,
    Dialect,
    broken,
    even_delimiter,
    frequent_delimiter,
    told_delimiter,
)
from seqwise.data.files import Undecoded, empty, lines, opened, shown
from seqwise.errors import DataError, Fault

_SIZE = 1 << 23  # bytes of a part: large enough that polars is fast, small enough to be forgotten
_YEAR = re.compile(r" *(?:1[6-9]|2\d)\d\d *")


class Delimited:
    """A CSV or TSV file."""

    def __init__(self, path: str, settings: ColumnSettings, flag: Flag, tabbed: bool = False) -> None:
        self.path, self.settings, self.flag = path, settings, flag
        self._must_be_text()
        with opened(path) as stream:
            head = self._decoded(stream.read(_SIZE if self._narrow else -1), whole=False)
        if not head.strip():
            raise empty(path)
        self._marked = bool(settings.marks)
        told = told_delimiter(head)
        if told is not None:
            head = "\n" + head.partition("\n")[2]
        begin = head[:HEAD]
        found = told or even_delimiter(begin) or frequent_delimiter(begin)
        self.dialect = Dialect.of(begin, settings.delimiter or ("\t" if tabbed else found))
        self.names, self._head_lines = self._header(head)

    def parts(self, numbers: Sequence[str], texts: Sequence[str]) -> Iterator[Part]:
        """All rows; the columns that are wanted as numbers, and those that are wanted as they stand."""
        line = 1
        for raw in self._cut():
            if line == 1:
                raw = raw.split(b"\n", self._head_lines)[-1] if raw.count(b"\n") >= self._head_lines else b""
                line += self._head_lines
            if raw.strip(self.dialect.spaces.encode() + b"\n"):
                yield Part(self._frame(raw, line, numbers, texts), partial(self._where, raw, line))
            line += int(np.count_nonzero(np.frombuffer(raw, np.uint8) == ord("\n")))  # several times bytes.count

    @property
    def delimiter(self) -> str:
        """Between two cells."""
        return self.dialect.delimiter

    @property
    def _narrow(self) -> bool:
        return "\n".encode(self._codec) == b"\n"

    @property
    def _codec(self) -> str:
        name = codecs.lookup(self.settings.encoding).name
        return "utf-8" if name == "utf-8-sig" else name

    def _decoded(self, raw: bytes, whole: bool = True) -> str:
        """As text. Where it is not of this encoding, the first line that is not is named."""
        try:
            return codecs.getincrementaldecoder(self._codec)().decode(raw, final=whole).removeprefix("\ufeff")
        except UnicodeDecodeError as error:
            for line in lines(self.path, self.settings.encoding, alone=True):
                if isinstance(line, Undecoded):
                    raise self._advised(line.fault) from None
            raise DataError(str(error), self._codec, "another encoding", self.path) from None

    def _must_be_text(self) -> None:
        """Refuse archives, pictures and other encodings, by the first bytes."""
        try:
            next(lines(self.path, self.settings.encoding, alone=True), None)
        except DataError as error:
            raise self._advised(error.faults[0]) from None

    def _advised(self, fault: Fault) -> DataError:
        """The fault, with the flag of the encoding in place of a program that changes it."""
        converted = rf"iconv -f (\S+) -t utf-8 {re.escape(self.path)}"
        mend = re.sub(converted, lambda match: f"{self.flag('encoding')} {match[1]}", fault.mend)
        return DataError(fault.given, fault.allowed, mend, fault.where)

    def _cut(self) -> Iterator[bytes]:
        """The file in UTF-8, cut where rows end."""
        with opened(self.path) as stream:
            if not self._narrow:
                yield self._decoded(stream.read()).encode()
                return
            rest, first = b"", True
            while piece := stream.read(_SIZE):
                rest += piece
                if first:
                    rest, first = rest.removeprefix(codecs.BOM_UTF8), False
                end = _end_of_rows(rest, self.dialect)
                if end:
                    yield self._utf8(rest[:end])
                    rest = rest[end:]
                elif len(rest) > LONGEST:
                    self._decoded(rest, whole=False)
                    raise DataError(
                        given=f"a quoted cell that does not end within {LONGEST >> 20} MB",
                        allowed='a closing " before a delimiter or a new line',
                        mend='writing a " within a cell as ""',
                        where=self.path,
                    )
            if rest:
                yield self._utf8(rest)

    def _utf8(self, raw: bytes) -> bytes:
        return raw if self._codec == "utf-8" else self._decoded(raw).encode()

    def _header(self, head: str) -> tuple[tuple[str, ...], int]:
        """The names of the columns, and the lines that they take."""
        rows = (row for row in self._rows(head, 1) if any(cell.strip() for cell in row[2]))
        first, last, cells = next(rows, (1, 1, []))
        where = f"{self.path}:{first}"
        names = [cell.strip() or f"column {number}" for number, cell in enumerate(cells, 1)]
        if all(_is_number(cell) for cell in cells) and not _are_years(cells, next(rows, (0, 0, cells))[2]):
            given = f"a first line of numbers, {shown(self.delimiter.join(cells))}"
            raise DataError(given, "the names of the columns in the first line", "adding them", where)
        twice = [name for name, count in Counter(names).items() if count > 1]
        if twice:
            raise DataError(f'two columns "{twice[0]}"', "a name of its own for each column", "another name", where)
        return tuple(names), last

    def _frame(self, raw: bytes, line: int, numbers: Sequence[str], texts: Sequence[str]) -> Any:
        import polars

        rows = _without_blank_lines(raw, self.dialect)
        try:
            written = self._read(rows, texts) if texts else None
            read = self._read_numbers(rows, numbers) if numbers else None
        except polars.exceptions.PolarsError:
            return self._exactly(raw, line, [*numbers, *texts])
        found = [frame for frame in (written, read) if frame is not None]
        return polars.concat(found, how="horizontal") if len(found) > 1 else found[0]

    def _read_numbers(self, rows: bytes, names: Sequence[str]) -> Any:
        """As numbers, where all are; as texts, where some are still to be read."""
        import polars

        if self.settings.thousands is None and self.settings.decimal == ".":
            if not self._marked:
                try:
                    return self._read(rows, names, polars.Float64)
                except polars.exceptions.PolarsError:
                    self._marked = True  # to look for marks costs a quarter of the time, so only where there are some
            try:
                return self._read(rows, names, polars.Float64, [*MARKS, *self.settings.marks])
            except polars.exceptions.PolarsError:
                pass  # spaces, or a text
        return self._read(rows, names)

    def _read(self, rows: bytes, names: Sequence[str], kind: Any = None, marks: Sequence[str] | None = None) -> Any:
        """Columns of one type, by polars; of text where none is given."""
        import polars

        wanted = dict.fromkeys(names, kind or polars.String)
        schema = {name: wanted.get(name, polars.String) for name in self.names}
        places = sorted(self.names.index(name) for name in names)
        return polars.read_csv(
            rows,
            has_header=False,
            separator=self.delimiter,
            quote_char='"' if self.dialect.quoted else None,
            columns=places,
            schema=schema,
            null_values=marks,
        )

    def _exactly(self, raw: bytes, line: int, wanted: Sequence[str]) -> Any:
        """By the csv module, all as text; or the fault with its line."""
        import polars

        rows, width = [], len(self.names)
        for number, _, cells in self._read_rows(raw, line):
            if len(cells) > width and any(cell.strip() for cell in cells[width:]):
                more = f", {shown(cells[width])} the first beyond the last"
                allowed = f"{width}, as many as the first line has names"
                quotes = f"mending it, or {self.flag('delimiter')} where another one is meant"
                raise DataError(f"{len(cells)} cells{more}", allowed, quotes, f"{self.path}:{number}")
            rows.append(cells[:width] + [""] * (width - len(cells)))
        columns = list(zip(*rows, strict=True)) or [()] * width
        places = [self.names.index(name) for name in wanted]
        return polars.DataFrame({self.names[place]: columns[place] for place in places}, schema_overrides=None)

    def _read_rows(self, raw: bytes, line: int) -> Iterator[tuple[int, int, list[str]]]:
        return self._rows(self._decoded(raw) if self._codec == "utf-8" else raw.decode(), line)

    def _rows(self, text: str, line: int) -> Iterator[tuple[int, int, list[str]]]:
        """Each row that is not blank, behind its first line and its last."""
        for first, last, cells in self.dialect.rows(io.StringIO(text, newline="\n")):
            if isinstance(cells, csv.Error):
                given, allowed, mend = broken(cells, self.dialect)
                raise DataError(f"a row {given}", allowed, mend, f"{self.path}:{line + first - 1}")
            if cells:
                yield line + first - 1, line + last - 1, cells

    def _where(self, raw: bytes, line: int, row: int) -> str:
        for place, (number, _, _) in enumerate(self._read_rows(raw, line)):
            if place == row:
                return f"{self.path}:{number}"
        return self.path


def _end_of_rows(raw: bytes, dialect: Dialect) -> int:
    """Behind the last line feed outside quotes; 0 where there is none."""
    end = raw.rfind(b"\n")
    quotes = raw.count(b'"', 0, max(end, 0)) if dialect.quoted else 0
    while end > 0 and quotes % 2:
        before = raw.rfind(b"\n", 0, end)
        quotes -= raw.count(b'"', max(before, 0), end)
        end = before
    return end + 1


def _without_blank_lines(raw: bytes, dialect: Dialect) -> bytes:
    """What polars would take for rows without a value."""
    spaces = dialect.spaces.encode()
    last = raw.rfind(b"\n") + 1
    raw = b"\n" + (raw if raw[last:].strip(spaces) else raw[:last])
    if not any(b"\n" + space in raw for space in (b"\n", *(spaces[i : i + 1] for i in range(len(spaces))))):
        return raw[1:]
    kept, begin, counted, quotes = [], 0, 0, 0
    for match in re.finditer(rb"\n(?:[" + spaces + rb"]*\n)+", raw):
        if dialect.quoted:
            quotes += raw.count(b'"', counted, match.start())
            counted = match.start()
        if quotes % 2 == 0:
            kept.append(raw[begin : match.start() + 1])
            begin = match.end()
    return b"".join([*kept, raw[begin:]])[1:]


def _are_years(cells: Sequence[str], below: Sequence[str]) -> bool:
    """Whether numbers in a first line are names: different years, over a row that holds others."""
    return len({*cells}) == len(cells) and all(map(_YEAR.fullmatch, cells)) and not all(map(_YEAR.fullmatch, below))


def _is_number(cell: str) -> bool:
    try:
        float(cell.strip())
    except ValueError:
        return False
    return True
