"""A run of rows made regular: ascending, one row a step, no number missing. Each mend only where a flag asks for it.

    ordered_rows    rows that go back in time, and rows of one time
    regular         rows at every step of a frequency: gaps refused, filled or cut
    whole           no missing number: refused, a straight line, the last one, or kept as missing

What was done is told in notes, with how often and where first. A straight line over a gap uses the number behind it,
so a gap that is filled where training ends has seen a little of what follows.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from seqwise.data.frequency import Frequency
from seqwise.data.series import shown_time
from seqwise.data.tablesettings import Mends
from seqwise.errors import DataError

Where = Callable[[int], str]
"""`file:line` of a row of the table."""

# T rows of a run, M columns: targets, observed, known


@dataclass(frozen=True, eq=False)
class Run:
    """The rows of one series."""

    name: str
    times: Shaped[np.ndarray, "T"]
    values: Float[np.ndarray, "T M"]
    rows: Int[np.ndarray, "T"]
    """Of the table; -1 for a row that was put in."""

    def __len__(self) -> int:
        return len(self.times)

    def select(self, items: Int[np.ndarray, "T"] | Bool[np.ndarray, "T"] | slice) -> "Run":
        """These rows."""
        return Run(self.name, self.times[items], self.values[items], self.rows[items])

    @property
    def whose(self) -> str:
        """For a sentence."""
        return f" of {self.name}" if self.name else ""


@dataclass(frozen=True)
class Told:
    """What happened, how often, and where first."""

    what: tuple[str, str]
    """Of one, and of several."""
    done: str
    count: int
    row: int

    @property
    def counted(self) -> str:
        """`2 gaps: ...`."""
        return f"{self.count:,} {self.what[self.count != 1]}: {self.done}"


def ordered_rows(run: Run, mends: Mends, where: Where, hint: str = "") -> tuple[Run, tuple[Told, ...]]:
    """Times that ascend, each once. `hint` proposes the column that tells series apart, where there is one."""
    told: list[Told] = []
    back = np.flatnonzero(run.times[1:] < run.times[:-1]) + 1
    if len(back):
        if mends.unsorted == "stop":
            before, here = shown_time(run.times[back[0] - 1]), shown_time(run.times[back[0]])
            given = f"{here}{run.whose} after {before}"
            mend = f"--mend.unsorted sort{hint}"
            raise DataError(given, "rows in the order of time", mend, where(int(run.rows[back[0]])))
        what = "row that went back in time", "rows that went back in time"
        told.append(Told(what, "sorted", len(back), int(run.rows[back[0]])))
        run = run.select(np.argsort(run.times, kind="stable"))
    again = np.flatnonzero(run.times[1:] == run.times[:-1]) + 1
    if len(again):
        row = int(run.rows[again[0]])
        if mends.duplicates == "stop":
            alike = np.array_equal(run.values[again[0]], run.values[again[0] - 1], equal_nan=True)
            numbers = "the same numbers" if alike else "other numbers"
            given = f"a second row{run.whose} for {shown_time(run.times[again[0]])}, with {numbers}"
            raise DataError(given, "one row for each time", f"--mend.duplicates first, last or mean{hint}", where(row))
        done = "averaged" if mends.duplicates == "mean" else f"only the {mends.duplicates} kept"
        what = "row with the time of another", "rows with the time of another"
        told.append(Told(what, done, len(again), row))
        run = _once(run, mends)
    return run, tuple(told)


def regular(run: Run, frequency: Frequency, mends: Mends, where: Where) -> tuple[tuple[Run, ...], tuple[Told, ...]]:
    """The run at every step, in one piece or, where gaps are cut, in several."""
    if len(run) < 2:
        return (run,), ()
    steps, fits = frequency.steps(run.times)
    if not fits.all():
        raise _irregular(run, int(fits.argmin()), frequency, where)
    gaps = np.flatnonzero(steps > 1)
    if not len(gaps):
        return (run,), ()
    first, absent = int(gaps[0]), int((steps[gaps] - 1).sum())
    if mends.gaps == "stop":
        raise _gap(run, first, int(steps[first]) - 1, len(gaps), frequency, where)
    row = int(run.rows[first + 1])
    if mends.gaps == "cut":
        told = Told(("gap", "gaps"), "the series was cut there", len(gaps), row)
        ends = [0, *(gaps + 1).tolist(), len(run)]
        return tuple(run.select(slice(begin, end)) for begin, end in pairwise(ends)), (told,)
    how = {"interpolate": "with a straight line", "forward": "with the last number", "keep": "with missing numbers"}
    done = f"filled {how.get(mends.missing, 'with a straight line')}"
    told = Told(("step without a row", "steps without a row"), done, absent, row)
    return (_filled(run, frequency, steps),), (told,)


def whole(run: Run, columns: tuple[str, ...], mends: Mends, where: Where, last: int) -> tuple[Run, Iterator[Told]]:
    """No number missing but where that is wanted; from row `last` on nothing is asked of targets and observed columns.

    Rows that were put in are filled whatever the setting, unless missing numbers are kept.
    """
    absent = np.isnan(run.values)
    stated = absent & (run.rows >= 0)[:, None]
    if mends.missing in ("stop", "drop") and stated[:last].any():
        row, column = (int(place) for place in np.argwhere(stated[:last])[0])
        given = f'no number in column "{columns[column]}"{run.whose} at {shown_time(run.times[row])}'
        mend = "--mend.missing interpolate, forward, drop or keep"
        raise DataError(given, "a number in every row", mend, where(int(run.rows[row])))
    told = _told_missing(stated[:last], run, columns, mends)
    if mends.missing == "keep" or not absent[:last].any():
        return run, told
    values = run.values.copy()
    for column in range(values.shape[1]):
        values[:last, column] = _completed(values[:last, column], mends.missing == "forward")
    return replace(run, values=values), told


def drop_missing(run: Run, last: int) -> tuple[Run, tuple[Told, ...]]:
    """Without the rows before `last` that lack a number."""
    gone = np.isnan(run.values).any(axis=1) & (np.arange(len(run)) < last)
    if not gone.any():
        return run, ()
    what = "row that lacks a number", "rows that lack a number"
    return run.select(~gone), (Told(what, "left out", int(gone.sum()), int(run.rows[gone.argmax()])),)


def _told_missing(stated: Bool[np.ndarray, "T M"], run: Run, columns: tuple[str, ...], mends: Mends) -> Iterator[Told]:
    done = {"interpolate": "put on a straight line", "forward": "taken from the row before", "keep": "kept as missing"}
    for column in np.flatnonzero(stated.any(axis=0)).tolist():
        which = stated[:, column]
        of = f'in "{columns[column]}"'
        what = f"missing number {of}", f"missing numbers {of}"
        yield Told(what, done[mends.missing], int(which.sum()), int(run.rows[which.argmax()]))


def _once(run: Run, mends: Mends) -> Run:
    """One row for each time."""
    times, firsts, counts = np.unique(run.times, return_index=True, return_counts=True)
    if mends.duplicates != "mean":
        return run.select(firsts if mends.duplicates == "first" else firsts + counts - 1)
    there = ~np.isnan(run.values)
    sums = np.add.reduceat(np.where(there, run.values, 0), firsts, axis=0)
    number = np.add.reduceat(there.astype(np.int64), firsts, axis=0)
    with np.errstate(invalid="ignore"):
        means = np.where(number > 0, sums / np.maximum(number, 1), np.nan)
    return Run(run.name, times, means, run.rows[firsts])


def _filled(run: Run, frequency: Frequency, steps: Int[np.ndarray, "T"]) -> Run:
    """Rows of missing numbers at the steps that have none."""
    place = np.concatenate([[0], np.cumsum(steps)])
    count = int(place[-1]) + 1
    times = np.concatenate([run.times[:1], frequency.next(run.times[0], count - 1)])
    times[place] = run.times  # months after the 31st of January
    values, rows = np.full((count, run.values.shape[1]), np.nan), np.full(count, -1)
    values[place], rows[place] = run.values, run.rows
    return Run(run.name, times, values, rows)


def _completed(column: Float[np.ndarray, "T"], forward: bool) -> Float[np.ndarray, "T"]:
    there = ~np.isnan(column)
    if not there.any() or there.all():
        return column
    items = np.arange(len(column))
    if forward:
        place = np.maximum.accumulate(np.where(there, items, -1))
        return np.asarray(column[np.where(place < 0, there.argmax(), place)])
    return np.asarray(np.interp(items, items[there], column[there]))


def _irregular(run: Run, place: int, frequency: Frequency, where: Where) -> DataError:
    before, here = run.times[place], run.times[place + 1]
    given = f"{shown_time(here)}{run.whose} {span_of(here - before)} after {shown_time(before)}"
    allowed = f"rows {frequency.step} apart, or a whole number of such steps"
    mend = "rows at regular times, or --data.frequency session, which counts rows as they stand"
    return DataError(given, allowed, mend, where(int(run.rows[place + 1])))


def _gap(run: Run, place: int, absent: int, gaps: int, frequency: Frequency, where: Where) -> DataError:
    steps = f"{absent} step{'s' * (absent > 1)}"
    more = f", the first of {gaps:,} gaps" if gaps > 1 else ""
    given = f"{steps} without a row{run.whose} before {shown_time(run.times[place + 1])}{more}"
    mend = "--mend.gaps fill, --mend.gaps cut"
    mend += ", or --data.frequency session, which counts rows as they stand"
    return DataError(given, f"a row after each {frequency}", mend, where(int(run.rows[place + 1])))


def span_of(passed: np.timedelta64) -> str:
    """A length of time in words: 37 minutes, 3 days."""
    size = int(passed.astype("timedelta64[us]").astype(np.int64))
    for unit, length in (("day", 86_400_000_000), ("hour", 3_600_000_000), ("minute", 60_000_000), ("second", 10**6)):
        if size >= length:
            count = f"{size / length:.3g}"
            return f"{count} {unit}{'s' * (count != '1')}"
    return f"{size / 1000:g} ms"
