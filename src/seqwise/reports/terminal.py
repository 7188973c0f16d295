"""Results for a terminal: sentences as they are, tables with numbers to four digits, to the right; more where
an interval needs them.

Names and texts of the user's are shown on one line, without characters that steer a terminal.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from seqwise.printable import printable
from seqwise.stats.phrases import chance, digits_apart
from seqwise.stats.phrases import number as rounded
from seqwise.stats.results import Cell, Grid, Shown

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
    from rich.table import Table

LONGEST = 60  # characters of the name of a column
WRAPPED = 36  # characters from which a text may be wrapped rather than have a table of its own
GAP = 3  # between two columns
DIGITS = 4  # of a number, unless its interval needs more
ROWS = 50  # of a table: the most of one that is not whole by its nature


def cell(value: Cell, column: str = "", digits: int = DIGITS) -> str:
    """As it is read; a column of the name p shows chances."""
    if value is None:
        return ""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if column == "p" or column.startswith(("p,", "p (")):
        return chance(value).removeprefix("p = ").removeprefix("p ")
    return rounded(value, digits)


def cells(row: Sequence[Cell], columns: Sequence[str]) -> tuple[str, ...]:
    """A row as it is read; one of the name p holds a chance."""
    chances, digits = bool(row) and row[0] == "p", _digits(row, columns)
    return tuple(
        cell(value, "p" if chances and at else columns[at], digits.get(at, DIGITS)) for at, value in enumerate(row)
    )


def _digits(row: Sequence[Cell], columns: Sequence[str]) -> dict[int, int]:
    """Digits of values with an interval, as many as tell its ends apart: not 1,000,000 from 1,000,000 to 1,000,000."""
    found: dict[int, int] = {}
    for at, (name, after) in enumerate(pairwise(columns)):
        low, high = row[at], row[at + 1]
        if name.startswith("low") and after.startswith("high") and isinstance(low, float) and isinstance(high, float):
            enough = max(DIGITS, digits_apart(low, high, least=2))
            found |= dict.fromkeys((at - 1, at, at + 1), enough)
    return found


def numeric(grid: Grid) -> tuple[bool, ...]:
    """Which columns hold numbers, and so stand to the right."""
    return tuple(
        any(isinstance(row[at], int | float) for row in grid.rows)
        and not any(isinstance(row[at], str) for row in grid.rows)
        for at in range(len(grid.columns))
    )


def table(grid: Grid) -> "Table":
    """A grid as rich shows it."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    note = Text(printable(grid.note)) if grid.note else None
    made = Table(
        title=Text(printable(grid.title), style="bold") if grid.title else None,
        title_justify="left",
        caption=note,
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    for name, right in zip(grid.columns, numeric(grid), strict=True):
        made.add_column(Text(printable(name, LONGEST)), justify="right" if right else "left", overflow="fold",
                        no_wrap=right)  # fmt: skip
    for row in grid.rows:
        made.add_row(*map(Text, cells(row, grid.columns)))
    return made


def lines(sentences: Sequence[str]) -> "RenderableType":
    """Sentences below one another, the first one the answer."""
    from rich.console import Group
    from rich.text import Text

    return Group(*(Text(printable(one), style="" if at else "bold") for at, one in enumerate(sentences)))


def shown(result: Shown) -> "RenderableType":
    """A result: what it says, then the numbers."""
    from rich.console import Group

    return Group(lines(result.sentences()), "", *(Fitted(shortened(grid)) for grid in result.grids() if grid.rows))


def shortened(grid: Grid) -> Grid:
    """The first rows of a long table, such as that of 250 lags, and how many more there are."""
    if grid.whole or len(grid.rows) <= ROWS:
        return grid
    told = f"first {ROWS} of {len(grid.rows):,} rows: --json and a report have all"
    return replace(grid, rows=grid.rows[:ROWS], note="; ".join(filter(None, (grid.note.rstrip("."), told))))


@dataclass(frozen=True)
class Fitted:
    """A grid in as many tables as it takes to stay within the terminal, the first column in each."""

    grid: Grid

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "RenderResult":
        """The tables, one below the other."""
        for part in fitted(self.grid, options.max_width):
            yield table(part)


def fitted(grid: Grid, width: int) -> tuple[Grid, ...]:
    """The grid cut into parts that are no wider than so many characters, where its columns allow."""
    right, shown = numeric(grid), [cells(row, grid.columns) for row in grid.rows]
    longest = [max(len(name), *(len(row[at]) for row in shown)) for at, name in enumerate(grid.columns)]
    widths = [(most if right[at] else min(most, WRAPPED)) + GAP for at, most in enumerate(longest)]
    if sum(widths) <= width or len(widths) < 3:
        return (grid,)
    parts: list[list[int]] = [[]]
    for at in range(1, len(widths)):
        if parts[-1] and widths[0] + sum(widths[one] for one in parts[-1]) + widths[at] > width:
            parts.append([])
        parts[-1].append(at)
    return tuple(
        Grid(
            grid.title if number == 0 else "",
            tuple(grid.columns[at] for at in (0, *part)),
            tuple(tuple(row[at] for at in (0, *part)) for row in grid.rows),
            grid.note if number == len(parts) - 1 else "",
            grid.whole,
        )
        for number, part in enumerate(parts)
    )
