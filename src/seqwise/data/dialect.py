"""How a file of cells is written: what stands between them, and whether a quote quotes or is a character like others.

    Dialect.of(head, delimiter)     what the first rows say of quotes
    named_delimiter(line, names)    the one by which a first line holds these names
    even_delimiter(head)            the one that cuts the first rows into the same number of cells
    told_delimiter(head)            the one of `sep=;`, which Excel writes in a first line of its own

Between commas, semicolons and bars a cell may stand in quotes, as in RFC 4180. Tabs come both ways: in corpora a quote
is a character, R and pandas quote with it. There quotes quote where the first rows show it, by one of three signs:
the first row has every cell in quotes; a quoted cell holds a doubled quote; the rows have as many cells as the first
one only if a quoted cell may hold tabs and line feeds.

Left out: other escapes than a doubled quote, and comments.
"""

import csv
import io
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
HEAD = 1 << 16  # characters that tell how a file is written
LONGEST = 1 << 26  # characters of a cell, bytes of a row: beyond it a quote was opened by mistake
_LOOKED_AT = 50  # rows that tell the delimiter
_EVEN = 0.9  # of them as wide as the first

_TOLD = re.compile(r"sep=(.)\r?(?:\n|$)")
_QUOTED = re.compile(r' *"(?:[^"]|"")*" *')
_WITH_QUOTES = re.compile(r'(?:^|(?<=\t))"(?:[^"\t\n]|"")*""(?:[^"\t\n]|"")*"(?=\t|\r?$)', re.MULTILINE)


@dataclass(frozen=True)
class Dialect:
    """How the cells of a row are told apart."""

    delimiter: str
    quoted: bool
    """Whether a cell may stand in quotes, and a quote in it is doubled."""

    @classmethod
    def of(cls, head: str, delimiter: str) -> "Dialect":
        """That of a file that begins so."""
        return cls(delimiter, delimiter != "\t" or _quotes_quote(head))

    @property
    def name(self) -> str:
        """Of the delimiter, in words."""
        return DELIMITERS.get(self.delimiter, repr(self.delimiter))

    @property
    def spaces(self) -> str:
        """Of which a blank line consists; what stands between cells is none."""
        return " \t\r".replace(self.delimiter, "")

    def rows(self, lines: Iterable[str]) -> "Iterator[tuple[int, int, list[str] | csv.Error]]":
        """The first line of each row, the last, and the cells or what the csv module says against them. Each line
        ends with its line feed. A blank one has no cells."""
        blank = self.spaces + "\n"
        if not self.quoted:
            for number, line in enumerate(lines, 1):
                bare = line.removesuffix("\n").removesuffix("\r")
                yield number, number, bare.split(self.delimiter) if bare.strip(blank) else []
            return
        csv.field_size_limit(LONGEST)
        reader = csv.reader(lines, delimiter=self.delimiter, strict=True)
        while True:
            first = reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield first, reader.line_num, error
            else:
                spaces = len(cells) == 1 and cells[0] != "" and not cells[0].strip(blank)
                yield first, reader.line_num, [] if spaces else cells


def told_delimiter(head: str) -> str | None:
    """The one of a first line such as `sep=;`, if there is one."""
    found = _TOLD.match(head)
    return found[1] if found else None


def named_delimiter(line: str, names: Collection[str]) -> str | None:
    """The one by which a first line holds all these names; a comma before others."""
    for mark in DELIMITERS:
        if set(names) <= {cell.strip(' \r\n"') for cell in line.split(mark)}:
            return mark
    return None


def even_delimiter(head: str) -> str | None:
    """The one that cuts the first rows into the same number of cells, as many as possible. Of two that do, the one
    whose last cells do not hold the other."""
    whole, cut = _whole(head)
    lines = whole.split("\n")
    begin, cut = "\n".join(lines[:_LOOKED_AT]), cut or len(lines) > _LOOKED_AT
    found: dict[str, list[list[str]]] = {}
    for mark in DELIMITERS:
        rows = _rows(begin, mark, cut)
        read = [cells for cells in rows if isinstance(cells, list)]
        if read and len(read[0]) > 1 and sum(len(cells) == len(read[0]) for cells in read) >= _EVEN * len(rows):
            found[mark] = read
    most = max((len(rows[0]) for rows in found.values()), default=0)
    best = [mark for mark, rows in found.items() if len(rows[0]) == most]

    def mixed(mark: str) -> int:
        return sum(any(other in cells[-1] for other in best if other != mark) for cells in found[mark])

    return min(best, key=mixed, default=None)


def frequent_delimiter(head: str) -> str:
    """The one that stands most often in the first line; a comma where none does."""
    line = next((line for line in head.split("\n") if line.strip()), "")
    best = max(DELIMITERS, key=line.count)
    return best if best in line else ","


def broken(error: csv.Error, dialect: Dialect) -> tuple[str, str, str]:
    """What the csv module says against a row: given, allowed, mend."""
    said = str(error)
    if "field limit" in said or "unexpected end" in said:
        given = (
            f"with a cell of more than {LONGEST:,} characters"
            if "limit" in said
            else "with a quoted cell that does not end"
        )
        return given, f'a closing " before a {dialect.name} or a new line', 'writing a " within a cell as ""'
    if "new-line" in said:
        mend = "quotes around the cell, or line feeds at the ends of lines"
        return "that is no CSV (a carriage return outside quotes)", "cells as in RFC 4180", mend
    return f"that is no CSV ({said.split(' - ')[0]})", "cells as in RFC 4180", 'writing a " as ""'


def _quotes_quote(head: str) -> bool:
    """Whether the quotes of a file between tabs quote."""
    begin, cut = _whole(head)
    lines = [line.removesuffix("\r") for line in begin.split("\n") if line.strip(" \r")]
    if not lines or '"' not in begin:
        return False
    rows = _rows(begin, "\t", cut)
    read = [cells for cells in rows if isinstance(cells, list)]
    if all(_QUOTED.fullmatch(cell) for cell in lines[0].split("\t")):
        return len(read) == len(rows) or '\\"' in begin  # as R escapes a quote: better refused than learnt
    if not read or len(read) < len(rows) or {len(cells) for cells in read} != {max(2, len(read[0]))}:
        return False
    if all(line.count("\t") + 1 == len(read[0]) for line in lines):
        return _WITH_QUOTES.search(begin) is not None
    return any("\t" in cell or "\n" in cell for cells in read for cell in cells)


def _whole(head: str) -> tuple[str, bool]:
    """Without a last line that is cut off; and whether the file goes on."""
    return (head[: head.rfind("\n", 0, HEAD) + 1], True) if len(head) >= HEAD else (head, False)


def _rows(text: str, delimiter: str, cut: bool) -> list[list[str] | csv.Error]:
    """With quotes that quote, without blank lines; the last one not, if it was cut off within quotes."""
    found = Dialect(delimiter, True).rows(io.StringIO(text, newline="\n"))
    rows = [cells for _, _, cells in found if cells]
    if cut and rows and isinstance(rows[-1], csv.Error):
        del rows[-1]
    return rows
