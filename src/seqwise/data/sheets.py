"""Cells between tabs, commas or what else, as rows of two texts, for `text.py`.

    tsv                between tabs
    comma_separated    between commas; semicolons, tabs or bars where the first rows say so

A row is the line where it begins. How a file is written, the first rows tell (`dialect.py`). A header is used if the
first row names the wanted columns; otherwise all rows count. Blank lines are no rows, but in a file of one column,
where they are empty texts, so that outputs stand beside inputs.
"""

import codecs
import csv
import re
from collections.abc import Iterator, Sequence

from seqwise.data.dialect import HEAD, Dialect, broken, even_delimiter, named_delimiter, told_delimiter
from seqwise.data.files import OR_SKIP, Undecoded, bad_row, lines, opened, shown
from seqwise.data.paired import NAMES, spelt
from seqwise.data.readers import Columns, Note, Rows, listed
from seqwise.errors import DataError, Fault, nearest


def tsv(path: str, encoding: str, columns: Columns, note: Note) -> Rows:
    """Cells between tabs."""
    yield from _rows(_Feed(path, encoding), Dialect.of(_head(path, encoding), "\t"), columns, note)


def comma_separated(path: str, encoding: str, columns: Columns, note: Note) -> Rows:
    """Cells between commas; or between what Excel tells, else by what the first row names the wanted columns, else by
    what cuts the first rows alike."""
    head = _head(path, encoding)
    told = told_delimiter(head)
    first = next((line for line in head.split("\n") if line.strip()), "")
    pairs = (named_delimiter(first.lower(), names) for names in (NAMES if columns.open else ()))
    named = named_delimiter(first, columns.names) or next(filter(None, pairs), None)
    mark = told or named or even_delimiter(head) or ","
    dialect = Dialect.of(head, mark)
    if mark != ",":
        note(f"{path}: columns between {dialect.name}s")
    yield from _rows(_Feed(path, encoding, skipped=int(told is not None)), dialect, columns, note)


def _rows(feed: "_Feed", dialect: Dialect, columns: Columns, note: Note) -> Rows:
    table = _Table(feed, columns, note, dialect)
    for first, last, cells in dialect.rows(feed):
        if isinstance(cells, csv.Error):
            feed.faults.append(_broken(feed, dialect, first, last, cells))
        elif not cells:
            table.blank(first)
        elif not feed.faults:
            yield from table.row(first, cells)
        yield from feed.faults[:1]
        feed.faults.clear()


def _broken(feed: "_Feed", dialect: Dialect, first: int, last: int, error: csv.Error) -> Fault:
    """A row that is no CSV. Raises where what follows was swallowed: skipping would lose it."""
    given, allowed, mend = broken(error, dialect)
    if feed.ended or "field limit" in str(error):
        given = "a quoted cell that does not end" if feed.ended else f"a row {given}"
        raise DataError(given, f'a closing " before a {dialect.name} or a new line', mend, f"{feed.path}:{first}")
    rows = f"a row up to line {last}" if last > first else "a row"
    return bad_row(feed.path, first, f"{rows} {given}", allowed, mend)


class _Table:
    """Rows of cells as rows of two texts: knows, once it saw the first row, where they stand."""

    def __init__(self, feed: "_Feed", columns: Columns, note: Note, dialect: Dialect) -> None:
        self.feed, self.columns, self.note, self.dialect = feed, columns, note, dialect
        self.path = feed.path
        self._spaced_quote = re.compile(rf'(?:^|{re.escape(dialect.delimiter)}) +"')
        self.places: tuple[int, ...] | None = None
        self.least, self.width = 0, 0
        self.blanks: list[int] = []

    def row(self, number: int, cells: list[str]) -> Rows:
        """The row, a fault, or nothing where it is the header."""
        if self.places is None:
            if spaced := self._spaced(number, cells):
                raise DataError(spaced.given, spaced.allowed, spaced.mend.removesuffix(OR_SKIP), spaced.where)
            self.places, header = self._find([cell.strip() for cell in cells], number)
            self.least, self.width = 1 + max(self.places), len(cells)
            if header:
                return
        if self.blanks:
            yield from [self.columns.row(blank, [""] * len(self.places)) for blank in self.blanks]
            self.blanks.clear()
        fault = None if self.least <= len(cells) <= self.width else self._uneven(number, cells)
        fault = fault or self._spaced(number, cells)
        yield fault or self.columns.row(number, [cells[place] for place in self.places])

    def blank(self, number: int) -> None:
        """Nothing, or in a file of one column an empty text, if something follows."""
        if (self.least, self.width) == (1, 1):
            self.blanks.append(number)

    def _find(self, cells: list[str], number: int) -> tuple[tuple[int, ...], bool]:
        """Where the columns stand, and whether this first row is a header."""
        where = f"{self.path}:{number}"
        self.columns = self.columns.among(cells, where, self.note)
        names, group = self.columns.names, self.columns.group
        numbered = all(name.isdecimal() for name in names)
        missing = [name for name in names if numbered or name not in cells]
        if zero := next((name for name in missing if name.isdecimal() and not int(name)), None):
            flag = self.columns.flag(zero)
            raise DataError(f"{flag} {zero}", "columns counted from 1", f"{flag} 1", self.path)
        if numbered:
            return tuple(int(name) - 1 for name in names), False
        if not missing:
            if twice := next((name for name in names if cells.count(name) > 1), None):
                raise DataError(f'two columns "{twice}"', "a name of its own for each column", "another name", where)
            return tuple(map(cells.index, names)), True
        alike = [cell for cell in (spelt(name, cells) for name in names) if cell is not None and cells.count(cell) == 1]
        if self.columns.given == (None, None) and len(alike) == len(names):
            return tuple(map(cells.index, alike)), True
        counted = group is not None and group.isdecimal()
        if len(missing) < len(names) or self.columns.given != (None, None) or (group is not None and not counted):
            raise DataError.of([self._unknown(name, cells, where) for name in missing])
        if len(cells) > 1:
            told = f"columns 1 and 2 of {len(cells)}, without a header: {shown(cells[0])}, {shown(cells[1])}"
            self.note(f"{self.path}: {told}")
        return ((0, 1) if group is None else (0, 1, int(group) - 1)), False

    def _unknown(self, name: str, cells: list[str], where: str) -> Fault:
        usual, others = self.columns.usual, [cell for cell in cells if cell not in self.columns.names]
        if len(cells) == 1:
            mend = f"columns {self._between}"
        else:
            close = others[0] if len(others) == 1 else nearest(name, cells) or "with one of them"
            numbers = f"--data.{usual[0]} 1 --data.{usual[1]} 2"
            if self.columns.second is not None:
                numbers = f"--data.{usual[0]} 1 --data.{usual[0]} 2 --data.{usual[1]} 3"
            mend = f"{self.columns.mended(name, close)}, or {numbers} where the file has no header"
        return Fault(f'no column "{name}" among {listed(cells)}', "a column of the first row", mend, where)

    @property
    def _between(self) -> str:
        return f"with a {self.dialect.name} between them"

    def _uneven(self, number: int, cells: Sequence[str]) -> Fault | None:
        """A row with too few cells, or with more than the first."""
        if len(cells) < self.least:
            given = f"{len(cells)} column{'s' * (len(cells) > 1)}"
            return bad_row(self.path, number, given, f"{self.least} columns {self._between}")
        if not any(cell.strip() for cell in cells[self.width :]):
            return None
        given = f"{len(cells)} columns, {shown(cells[self.width])} the first beyond the last"
        name = self.dialect.name
        mend = f"quotes around a cell that holds a {name}" if self.dialect.quoted else f"no {name} within a cell"
        if self._opened():
            mend = f"no space between a {name} and a quote"
        return bad_row(self.path, number, given, f"{self.width}, as many as in the first row", mend)

    def _spaced(self, number: int, cells: Sequence[str]) -> Fault | None:
        """A row with a cell whose quotes do not quote, as a space stands before them."""
        for cell in cells if self._opened() else ():
            bare = cell.strip()
            if cell[:1] == " " and len(bare) > 1 and bare[0] == bare[-1] == '"':
                given = f"a space before the quote of {shown(bare)}"
                allowed = f"a quote right behind the {self.dialect.name}"
                return bad_row(self.path, number, given, allowed, "removing the space")
        return None

    def _opened(self) -> bool:
        """Whether a space stands before a quote that would quote."""
        return self.dialect.quoted and ' "' in self.feed.line and self._spaced_quote.search(self.feed.line) is not None


class _Feed:
    """Lines for the csv module, with a note of those that could not be decoded and of the end.

    skipped   so many first lines are blank
    """

    def __init__(self, path: str, encoding: str, skipped: int = 0) -> None:
        self.path = path
        self.lines: Iterator[str | Undecoded] = lines(path, encoding)
        self.faults: list[Fault] = []
        self.ended = False
        self.skipped = skipped
        self.line = ""  # the last one

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
        if self.skipped:
            self.skipped -= 1
            line = ""
        self.line = line
        return line + "\n"


def _head(path: str, encoding: str) -> str:
    """How a file begins; what is wrong with it, whoever reads the lines will say."""
    codec = "utf-8" if codecs.lookup(encoding).name == "utf-8-sig" else encoding
    with opened(path) as stream:
        raw = stream.read(4 * HEAD)  # bytes, of which no character has more than four
    return codecs.getincrementaldecoder(codec)("replace").decode(raw).removeprefix("\ufeff")[:HEAD]
