"""`seqwise stats series`: what a series is made of, what it remembers, whether it wanders."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
from jaxtyping import Float, Shaped

from seqwise.config import Range
from seqwise.data.columns import Table
from seqwise.data.frequency import Frequency
from seqwise.data.frequency import found as frequency_of
from seqwise.errors import DataError
from seqwise.reports.drawing import Picture
from seqwise.reports.plots import bell
from seqwise.reports.plots import series as drawn
from seqwise.stats.finance import Risk, risk
from seqwise.stats.finance import returns as returns_of
from seqwise.stats.series import Series
from seqwise.stats.series import series as looked_into
from seqwise.stats.units import quantity
from seqwise.verbs.stats import reading
from seqwise.verbs.stats.answering import Answer, Part, answer
from seqwise.verbs.stats.reading import PLAIN, Written

DAYS = 252  # on which is traded, in a year
YEAR = np.timedelta64(31_556_952, "s")  # 365.2425 days, the mean of the calendar


def series(
    data: tuple[str, ...] = (),
    *,
    value: str | None = None,
    time: str | None = None,
    period: Annotated[int, Range(2)] | None = None,
    lags: Annotated[int, Range(1)] | None = None,
    returns: bool = False,
    prices: bool = False,
    year: Annotated[float, Range(1.0)] | None = None,
    written: Written = PLAIN,
    json: bool = False,
    report: Path | None = None,
) -> Answer:
    """Look into a series: trend, season, memory.

    Autocorrelation with the Ljung-Box test, whether the series keeps to a level (ADF and KPSS together), trend, season
    and rest (STL), and which periods stand out (spectrum). With --prices also volatility, value at risk, the deepest
    fall and the Sharpe ratio, as they were and as a normal distribution would have them.

    Args:
        data: Tables: CSV, TSV, JSONL or Parquet; several count as one, in this order.
        value: Column of the series; the only one of numbers where there is but one.
        time: Column of dates or times, to see that rows are in order and how far apart, and for the pictures.
        period: Rows until the season comes again, such as 12 for months; looked for unless said.
        lags: Of the autocorrelation; ten, or two periods, unless said.
        returns: Look at changes from row to row, as shares of the value, in place of the values.
        prices: The values are prices: also tell the risk.
        year: Rows in a year, for the risk: as --time has it, such as 12 of months, 252 of trading days; without, 252.
        written: How the files are written.
        json: Print all numbers in full, as JSON.
        report: An HTML file to write, with pictures, that stands alone.

    Example:
        seqwise stats series passengers.csv --value passengers --time month --period 12
    """
    table = reading.opened(data, written, "series passengers.csv --value passengers", {"--report": report})
    chosen = reading.column(table, value, "--value")
    name, unit = quantity(chosen)
    clock = reading.names(time, table.names, "--time", several=False)
    x = table.values([chosen])[:, 0].astype(np.float64)
    reading.within_reach(x[:, None], [chosen], table.paths[0])
    times, step = _times(table, clock[0]) if clock else (None, None)
    missing = np.flatnonzero(np.isnan(x))
    if len(missing):
        given = f"{len(missing):,} of {len(x):,} values of {name} missing, the first in row {missing[0] + 1:,}"
        raise DataError(
            given, "a value in every row, as in a series its place counts", "filling the gaps", table.paths[0]
        )
    shown, names = (returns_of(x, name=name), f"returns of {name}") if returns else (x, name)
    result = looked_into(shown, period, names, "" if returns else unit, lags)
    dates = times if times is None or not returns else times[1:]
    parts = [Part(f"What {names} is made of", result, partial(_drawn, shown, dates, result))]
    notes = [*table.suspects([chosen], last=False), *([_uneven(times, step)] if times is not None else [])]
    if prices:
        changes, told_risk = partial(returns_of, x, name=name), risk(x, year or _in_a_year(times, step), name=name)
        parts.append(Part(f"Risk of {name}", told_risk, lambda: [bell(changes(), f"returns of {name}")]))
        notes += _dated(told_risk, times) if times is not None else []
    about = reading.facts(table, len(x)) | ({"time": _span(times, step)} if times is not None else {})
    return answer(f"{names} along time", parts, about, notes=notes, report=report, as_json=json)


def _dated(found: Risk, times: Shaped[np.ndarray, "T"]) -> list[str]:
    """When the prices of the deepest fall were seen, and those after a split."""
    fall = found.drawdown
    falls = [at for at in (fall.peak, fall.trough, fall.recovered) if at is not None and fall.depth]
    told = []
    for what, places in (("The deepest fall", falls), ("What looks like a split", [one.place for one in found.splits])):
        dates = [f"price {at + 1:,} was seen on {np.datetime_as_string(times[at], unit='auto')}" for at in places]
        told += [f"{what}: {', '.join(dates)}."] if dates else []
    return told


def _in_a_year(times: Shaped[np.ndarray, "T"] | None, step: Frequency | None) -> float:
    """Rows in a year: those of the step; where it has no custom, as many as there were."""
    if times is None:
        return DAYS
    return (step and step.yearly) or (len(times) - 1) / float((times[-1] - times[0]) / YEAR)


def _uneven(times: Shaped[np.ndarray, "T"], step: Frequency | None) -> str:
    """Where rows that count as steps of equal length are none; empty where all are."""
    if step is None:
        return "Rows count as steps of equal length, but their times have no common distance."
    whole, fits = step.steps(times)
    odd = np.flatnonzero((whole != 1) | ~fits)
    if not len(odd):
        return ""
    after = np.datetime_as_string(times[odd[0]], unit="auto")
    others = f"{len(odd):,} of {len(whole):,} are not: the first follows {after}"
    return f"Rows count as steps of equal length, {step.step} each, but {others}."


def _span(times: Shaped[np.ndarray, "T"], step: Frequency | None) -> str:
    """From when to when, and how far apart."""
    first, last = (str(np.datetime_as_string(times[at], unit="auto")) for at in (0, -1))
    return f"{first} to {last}, {f'every {step.name}' if step else 'at no common distance'}"


def _times(table: Table, column: str) -> tuple[Shaped[np.ndarray, "T"], Frequency | None]:
    """The times in their order, and how far apart they are."""
    times = table.times(column)
    back = np.flatnonzero(np.diff(times) <= np.timedelta64(0, "us"))
    if len(back):
        at = int(back[0])
        after, before = (str(np.datetime_as_string(times[one], unit="auto")) for one in (at + 1, at))
        given, mend = f"{after} after {before} in {column!r}, row {at + 2:,}", "sorting the file by time"
        if after == before:
            given, mend = f"{after} twice in {column!r}, rows {at + 1:,} and {at + 2:,}", "leaving one of the two out"
        raise DataError(given, "rows in the order of time, each time once", mend, table.paths[0])
    return times, frequency_of([times]) if len(times) > 2 else None


def _drawn(x: Float[np.ndarray, "T"], times: Shaped[np.ndarray, "T"] | None, found: Series) -> Sequence[Picture]:
    """The series and all that it was taken apart into."""
    seasons, spectrum, memory = found.seasons, found.spectrum, found.autocorrelation
    trend, season, rest = (
        (np.array(seasons.trend), np.array(seasons.season), np.array(seasons.rest)) if seasons else (None, None, None)
    )
    powers = None
    if spectrum is not None:
        powers = (1 / np.array(spectrum.frequencies), np.array(spectrum.shares))
    return [
        drawn(x, times, trend=trend, season=season, remainder=rest, acf=np.array(memory.acf), bound=memory.band,
              spectrum=powers, name=found.name, unit=found.unit)
    ]  # fmt: skip
