"""Time series from the user's tables: CSV, TSV, JSONL, Parquet, gzipped or not. The door: the rest asks here.

    read_series(paths, targets, settings, mends)    SeriesTable: all series, their frequency, and what was assumed

    columns -> timestamps -> frequency -> mending -> calendar -> SeriesTable

Rows at the end of a series that have no target are the time to come: nothing is learnt from them, and what they tell
of columns that are known in advance is kept for the forecast. Everything else that is not as it should be is refused
with `file:line` and the flag that mends it; what was assumed or mended stands in `notes`.

Left out: tables with a column for each time, times in two columns, and series larger than memory.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int, Shaped

from seqwise.config import check
from seqwise.data import calendar
from seqwise.data.columns import Table, column_of_times, open_table, texts_of
from seqwise.data.frequency import Frequency, absent_weekdays, found
from seqwise.data.mending import Run, Told, drop_missing, ordered_rows, regular, span_of, whole
from seqwise.data.readers import listed
from seqwise.data.series import Series, SeriesTable, Span, Split, shown_time
from seqwise.data.tablefiles import missing_column
from seqwise.data.tablesettings import Mends, TableSettings
from seqwise.data.timestamps import called_time, looks_like_times
from seqwise.errors import DataError

__all__ = ["Mends", "Series", "SeriesTable", "Span", "Split", "TableSettings", "read_series"]

_FEWEST = 3  # rows with a target, below which no step and no change can be seen

# N rows of the table, T of a run, M columns: targets, observed, known


def read_series(
    paths: Sequence[str | Path] | str | Path,
    targets: Sequence[str],
    settings: TableSettings | None = None,
    mends: Mends | None = None,
    *,
    learning: bool = True,
    as_found: bool = False,
) -> SeriesTable:
    """All series of these files. `learning` off, as for a forecast by a model that is there: then short series, series
    without change and one row alone will do, if the frequency is told. `as_found`: that frequency was found in the
    table of training, so a table in which another one is found is refused."""
    asked = _Asked(tuple(targets), settings or TableSettings(), mends or Mends(), learning, as_found)
    check(asked.settings)
    table = open_table(paths, asked.settings.columns(asked.mends.marks), _flag)
    time, notes = _time_column(table, asked)
    _must_have(table, asked, time)
    runs, more = _runs(table, asked, time)
    frequency, told = _frequency(runs, asked, table)
    series = _Mended(table, asked, frequency, runs)
    pieces = [piece for run in runs for piece in series.pieces(run)]
    if learning:
        notes = (*notes, *_changing(pieces, asked, table))
    return SeriesTable(
        series=tuple(pieces),
        targets=asked.targets,
        observed=asked.settings.observed,
        known=(*asked.settings.known, *calendar.names(series.features)),
        frequency=frequency,
        calendar=series.features,
        notes=(*notes, *more, *told, *series.notes()),
    )


@dataclass(frozen=True)
class _Asked:
    """What is wanted, all in one."""

    targets: tuple[str, ...]
    settings: TableSettings
    mends: Mends
    learning: bool
    as_found: bool

    @property
    def columns(self) -> tuple[str, ...]:
        """Of numbers."""
        return (*self.targets, *self.settings.observed, *self.settings.known)


class _Mended:
    """Runs as series, with a memory of what was mended."""

    def __init__(self, table: Table, asked: _Asked, frequency: Frequency, runs: Sequence[Run]) -> None:
        self.table, self.asked, self.frequency = table, asked, frequency
        chosen = asked.settings.calendar
        ends = [(run.times.min(), run.times.max()) for run in runs if len(run)]
        passed = max((last - first for first, last in ends), default=np.timedelta64(0, "us"))
        self.features = calendar.fitting(frequency, passed) if chosen is None else chosen
        self.told: list[Told] = []
        self.later = 0

    def pieces(self, run: Run) -> Iterator[Series]:
        """The run at every step of the frequency, whole; several where gaps are cut."""
        asked, where = self.asked, self.table.where
        if asked.mends.missing == "drop":
            run, told = drop_missing(run, _last_target(run, len(asked.targets)))
            self.told += told
        runs, told = regular(run, self.frequency, asked.mends, where)
        self.told += told
        for piece in runs:
            last = _last_target(piece, len(asked.targets))
            if last == 0:
                if not np.isnan(piece.values[:, : len(asked.targets)]).all() or len(runs) == 1:
                    raise self._no_target(piece)
                continue
            self.later += len(piece) - last
            piece, more = whole(piece, asked.columns, asked.mends, where, last)
            self.told += more
            yield self._series(piece, last)

    def notes(self) -> Iterator[str]:
        """What was mended, what is taken for the time to come."""
        sums: dict[tuple[str, str], Told] = {}
        for one in self.told:
            before = sums.get(one.what, replace(one, count=0))
            sums[one.what] = replace(one, count=one.count + before.count, row=min(one.row, before.row))
        for one in sums.values():
            yield f"{one.counted}, the first at {self.table.where(one.row)}"
        if self.later:
            rows = f"{self.later:,} row{'s' * (self.later > 1)} at the end"
            yield f"{rows} without {listed(self.asked.targets)}, taken for the time to come"

    def _series(self, run: Run, last: int) -> Series:
        wide, seen = len(self.asked.targets), len(self.asked.targets) + len(self.asked.settings.observed)
        dated = calendar.columns(run.times, self.features)
        known = np.concatenate([run.values[:, seen:], dated], axis=1)  # (T, K)
        return Series(
            name=run.name,
            times=run.times[:last],
            targets=run.values[:last, :wide],
            observed=run.values[:last, wide:seen],
            known=known[:last],
            later_times=run.times[last:],
            later_known=known[last:],
        )

    def _no_target(self, run: Run) -> DataError:
        given = f"no number at all in {listed(self.asked.targets)}{run.whose}"
        place = self.table.where(int(run.rows.max(initial=0)))
        return DataError(given, "a target in some rows", "another --target, or leaving the series out", place)


def _flag(name: str) -> str:
    if name == "signs":
        return ""
    return f"--mend.{name}" if name in ("marks", "mixed") else f"--data.{name}"


def _time_column(table: Table, asked: _Asked) -> tuple[str, tuple[str, ...]]:
    """The column of times, as named or found; and what to tell of it."""
    settings = asked.settings
    if settings.time is not None:
        if settings.time not in table.names:
            raise missing_column(settings.time, table.names, table.paths[0], "--data.time")
        return settings.time, ()
    taken = {*asked.columns, *settings.by}
    free = [name for name in table.names if table.kinds[name] != "other" and name not in taken]
    frame = next(table.parts((), free))[1].frame if free else {}
    able = [name for name in free if table.kinds[name] == "time" or looks_like_times(texts_of(frame[name]), name)]
    if not able:
        held = [name for name in asked.targets if table.kinds.get(name) == "time"]
        if held:
            raise DataError(f"--target {held[0]}, which holds the times", "a column of numbers", _other_target(table))
        given = f"no column of dates or times among {listed(table.names)}"
        mend = "--data.time with the column that holds them, written such as 2015-02-17 13:00"
        raise DataError(given, "one that tells when each row was", mend, table.paths[0])
    chosen = next((name for name in able if called_time(name)), able[0])
    others = [name for name in able if name != chosen]
    also = f"; {listed(others)} could be it too" if others else ""
    return chosen, (f'the times stand in column "{chosen}"{also}',)


def _must_have(table: Table, asked: _Asked, time: str) -> None:
    """All columns that are asked for, each in one role."""
    settings = asked.settings
    if not asked.targets:
        raise DataError("no target", "a column that is foreseen", _other_target(table), table.paths[0])
    roles = {"--target": asked.targets, "--data.by": settings.by}
    roles |= {"--data.known": settings.known, "--data.observed": settings.observed}
    seen = {time: "--data.time"}
    for flag, names in roles.items():
        for name in names:
            if name not in table.names:
                raise missing_column(name, table.names, table.paths[0], flag)
            if name in seen:
                given = f"{name} as {flag} and as {seen[name]}"
                mend = _other_target(table) if flag == "--target" else f"{flag} without it"
                raise DataError(given, "one role for each column", mend, table.paths[0])
            seen[name] = flag


def _other_target(table: Table) -> str:
    return f"--target {table.numbers[-1]}" if table.numbers else "a table with a column of numbers"


def _runs(table: Table, asked: _Asked, time: str) -> tuple[list[Run], tuple[str, ...]]:
    """The rows of each series, in the order of time; and what to tell."""
    settings, mends = asked.settings, asked.mends
    blocks, columns, labels = [], [], []
    for block, part in table.parts(asked.columns, (time, *settings.by)):
        blocks.append(block.astype(np.float64))
        columns.append(part.frame[time])
        texts = [texts_of(part.frame[name]).str.strip_chars().to_list() for name in settings.by]
        labels += [" / ".join(row) for row in zip(*texts, strict=True)] if texts else [""] * len(block)
    values = np.concatenate(blocks)  # (N, M)
    times = column_of_times(columns, time, settings.dates, table.where, _flag, mends.mixed)
    _finite(values, asked, table)
    notes = ["times have a zone and are in UTC"] if times.zoned else []
    if mends.mixed and times.mixed is not None:
        notes.append(f"dates are written in several ways, the second at {table.where(times.mixed)}")
    hint = _hint(table, asked, time)
    runs = []
    for name, rows in _groups(labels).items():
        run, mended = ordered_rows(Run(name, times.values[rows], values[rows], rows), mends, table.where, hint)
        notes += [f"{one.counted}{run.whose}, the first at {table.where(one.row)}" for one in mended]
        targets = ~np.isnan(run.values[:, : len(asked.targets)])
        if asked.learning and targets.any() and int(targets.any(axis=1).sum()) < _FEWEST:
            count = int(targets.any(axis=1).sum())
            given = f"{count} row{'s' * (count > 1)}{run.whose} with a target"
            raise DataError(given, f"{_FEWEST} rows at least", "more rows", table.where(int(run.rows[-1])))
        runs.append(run)
    return runs, tuple(notes)


def _groups(labels: Sequence[str]) -> dict[str, Int[np.ndarray, "T"]]:
    """The rows of each label, in the order in which the labels come."""
    names, firsts, which = np.unique(np.array(labels, dtype=np.str_), return_index=True, return_inverse=True)
    return {str(names[group]): np.flatnonzero(which == group) for group in np.argsort(firsts)}


def _hint(table: Table, asked: _Asked, time: str) -> str:
    """The column that may tell series apart, where rows of one time come again."""
    taken = {*asked.columns, *asked.settings.by, time}
    texts = [name for name in table.names if table.kinds[name] == "text" and name not in taken]
    return f", or --data.by {texts[0]} where that tells series apart" if texts else ""


def _finite(values: Float[np.ndarray, "N M"], asked: _Asked, table: Table) -> None:
    endless = np.isinf(values)
    if endless.any():
        row, column = (int(place) for place in np.argwhere(endless)[0])
        given = f'an infinite value in column "{asked.columns[column]}"'
        raise DataError(given, "finite numbers", "leaving the cell empty, with --mend.missing", table.where(row))


def _frequency(runs: Sequence[Run], asked: _Asked, table: Table) -> tuple[Frequency, Iterator[str]]:
    """As told, or found; and what to tell."""
    times = [run.times for run in runs]
    known = found([run for run in times if len(run)])
    if asked.settings.frequency is not None:
        told = Frequency.read(asked.settings.frequency)
        if told and told.unit == "month" and known == Frequency("month end", told.count):
            return known, iter(())  # "month" of rows that stand at the ends of months
        if told and asked.as_found and known and not known.like(told):
            allowed = f"steps of {told.step}, as in training"
            raise DataError(f"steps of {known.step}", allowed, "a table of that frequency", table.paths[0])
        if told:
            return told, iter(())
    if known is None:
        raise _no_frequency(runs, table)
    return known, _told_frequency(known, times)


def _told_frequency(frequency: Frequency, times: Sequence[Shaped[np.ndarray, "_"]]) -> Iterator[str]:
    if frequency.unit != "session":
        yield f"the step is {frequency.step}"
        return
    absent = absent_weekdays(max(times, key=len))
    yield (
        f"{len(absent):,} weekdays have no row, the first {shown_time(absent[0])}; taken for days on which a market is "
        'closed, so steps count rows (session). --data.frequency "business day" has them as gaps'
    )


def _no_frequency(runs: Sequence[Run], table: Table) -> DataError:
    longest = max(runs, key=len)
    mend = "--data.frequency session, which counts rows as they stand, or another frequency by name"
    steps = np.diff(longest.times)
    if len(steps) < 2:
        return DataError(
            f"{len(longest)} row{'s' * (len(longest) > 1)}, from which no step can be told",
            f"{_FEWEST} rows, or the frequency",
            mend,
            table.where(int(longest.rows[-1])),
        )
    other = int((steps != steps[0]).argmax())
    given = f"steps of {span_of(steps[0])} and of {span_of(steps[other])}{longest.whose}, none of them usual"
    return DataError(given, "one step throughout", mend, table.where(int(longest.rows[other + 1])))


def _changing(pieces: Sequence[Series], asked: _Asked, table: Table) -> Iterator[str]:
    """Refuse targets of which nothing can be learnt; tell of series that never change."""
    for place, target in enumerate(asked.targets):
        columns = [one.targets[:, place] for one in pieces]
        if all(np.isnan(column).all() for column in columns):
            raise DataError(
                f'no number at all in "{target}"', "a target in some rows", "another --target", table.paths[0]
            )
        still = [bool(np.nanmin(column) == np.nanmax(column)) for column in columns if not np.isnan(column).all()]
        if all(still) and not asked.mends.constant:
            value = next(float(np.nanmax(column)) for column in columns if not np.isnan(column).all())
            given = f'"{target}", which is {value:g} throughout'
            if len(still) > 1:
                given = f'"{target}", which never changes within a series'
            raise DataError(given, "a target that changes", "another --target, or --mend.constant true", table.paths[0])
        if any(still):
            yield f'"{target}" never changes in {sum(still)} of {len(still)} series'


def _last_target(run: Run, targets: int) -> int:
    """Rows up to the last one with a target; behind it is the time to come."""
    there = np.flatnonzero(~np.isnan(run.values[:, :targets]).all(axis=1))
    return int(there[-1]) + 1 if len(there) else 0
