"""What is asked of tables of series: how they are written (`TableSettings`), and what may be mended (`Mends`).

Nothing is mended unless a flag says so, since every mend invents what nobody measured. What was mended is told with
its count and its first place.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from seqwise.data.calendar import Feature
from seqwise.data.cells import ColumnSettings, TableFormat, written_faults
from seqwise.data.frequency import Frequency
from seqwise.data.timestamps import Dates
from seqwise.errors import Fault, nearest

_FREQUENCIES = ("second", "minute", "hour", "day", "business day", "week", "month", "month end", "quarter", "year")


@dataclass(frozen=True)
class TableSettings:
    """Where in a table the series stand."""

    format: TableFormat = "auto"
    """auto: Parquet by its first bytes, JSONL by the ending .jsonl .ndjson .json, TSV by .tsv .tab, also before .gz;
    all else is CSV."""
    encoding: str = "utf-8"
    """Of CSV, TSV and JSONL, by any name that Python knows. A byte order mark is dropped."""
    delimiter: str | None = None
    """Between the cells of CSV. By default found: comma, semicolon, tab or bar."""
    thousands: str | None = None
    """What sets thousands apart, such as the comma of 1,234.5. By default nothing does, and such a number is refused,
    since 1,234 may also be a little more than one."""
    decimal: Literal[".", ","] = "."
    """What stands before the fraction."""
    time: str | None = None
    """The column of dates or times. By default found: the only one that holds them, or the one that is called so."""
    dates: Dates = "auto"
    """How dates such as 02/03/2015 are read: day-first or month-first. auto asks the other rows, and refuses where none
    tells. iso: years first, all else refused."""
    frequency: str | None = None
    """The step from row to row: hour, 15 minutes, day, business day, week, month, month end, quarter, year. session:
    rows as they stand, for markets that close on holidays. By default found."""
    by: tuple[str, ...] = ()
    """Columns that tell series apart, such as the name of a shop. By default the table holds one series."""
    known: tuple[str, ...] = ()
    """Columns that are known for the time to come, such as holidays and prices of one's own. Rows at the end may have
    them without a target."""
    observed: tuple[str, ...] = ()
    """Columns that are seen beside the target and not known in advance, such as the weather."""
    calendar: tuple[Feature, ...] | None = None
    """What is made of the time: minute, hour, weekday, business, day, month, week, quarter as sine and cosine, year as
    a number. By default what fits the frequency and comes round three times; an empty list for none."""

    def faults(self) -> Iterator[Fault]:
        """What contradicts itself."""
        yield from written_faults(self.encoding, self.delimiter, self.thousands, self.decimal, "--data.")
        if self.frequency is not None and Frequency.read(self.frequency) is None:
            close = nearest(self.frequency.lower(), _FREQUENCIES) or "hour"
            allowed = "a unit, perhaps with a number: hour, 15 minutes, business day, month end, quarter, session"
            yield Fault(f"--data.frequency {self.frequency}", allowed, f'--data.frequency "{close}"')
        roles = {"time": (self.time,) if self.time else (), "by": self.by, "known": self.known}
        roles |= {"observed": self.observed}
        seen: dict[str, str] = {}
        for role, names in roles.items():
            for name in names:
                if name in seen:
                    given = f"{name} as --data.{seen[name]} and as --data.{role}"
                    yield Fault(given, "one role for each column", f"--data.{role} without it")
                seen[name] = role

    def columns(self, marks: tuple[str, ...]) -> ColumnSettings:
        """What the reader of columns needs of it."""
        return ColumnSettings(self.format, self.encoding, self.delimiter, self.thousands, self.decimal, marks)


@dataclass(frozen=True)
class Mends:
    """What may be mended in series, and how."""

    gaps: Literal["stop", "fill", "cut"] = "stop"
    """Steps without a row. fill: rows are put in, with numbers as `missing` says, or on a straight line where it says
    stop. cut: two pieces, with no window over the gap."""
    duplicates: Literal["stop", "first", "last", "mean"] = "stop"
    """Rows of one time: the first or the last is kept, or their mean."""
    unsorted: Literal["stop", "sort"] = "stop"
    """Rows that go back in time."""
    missing: Literal["stop", "interpolate", "forward", "drop", "keep"] = "stop"
    """Rows without a number. interpolate: a straight line between neighbours; forward: the last number; before the
    first number of a series stands the first. drop: the row goes, which may leave a gap. keep: nothing is learnt where
    a target is missing, and the model is told where an input is."""
    mixed: bool = False
    """Whether dates may be written in several ways in one column."""
    constant: bool = False
    """Whether a target may be the same throughout, of which nothing can be learnt."""
    marks: tuple[str, ...] = ()
    """Further texts that stand for a missing number, beside empty cells, NA, N/A, NaN, null, None, #N/A, - . and ?."""
