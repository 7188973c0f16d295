"""How far apart the rows of a series are: seconds to years, business days, ends of months, or simply the next row.

    Frequency         a unit and how many of it; `next` goes on from a time, `steps` counts between times
    Frequency.read    "15 minutes", "daily", "business day", "quarter end"
    found             the frequency that times have, or None where most steps have no common length

"session" counts rows as they stand. It is what prices of a market have, which closes on holidays: the next row after
Thursday may be Monday, and still is one step on. Prices by the day with a few weekdays absent are taken for that.

A month and a year are not of one length, so these are counted on the calendar: the same day of each month, or its last.
Left out: time zones and the change of clocks (times with a zone are in UTC), and weeks of other days of rest.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from jaxtyping import Bool, Int, Shaped

Unit = Literal[
    "microsecond",
    "millisecond",
    "second",
    "minute",
    "hour",
    "day",
    "business day",
    "week",
    "month",
    "month end",
    "session",
]

_SIZES: dict[str, int] = {  # of what has one length, in microseconds
    "microsecond": 1,
    "millisecond": 1_000,
    "second": 1_000_000,
    "minute": 60_000_000,
    "hour": 3_600_000_000,
    "day": 86_400_000_000,
    "week": 604_800_000_000,
}
DAY = _SIZES["day"]
_MONTHS = {1: "month", 3: "quarter", 6: "half year", 12: "year"}
_WORDS = {
    "secondly": "second",
    "hourly": "hour",
    "daily": "day",
    "weekly": "week",
    "monthly": "month",
    "quarterly": "quarter",
    "yearly": "year",
    "annual": "year",
    "sec": "second",
    "min": "minute",
    "weekday": "business day",
}
_SEASONS = {"day": 7, "business day": 5, "session": 5, "week": 52, "month": 12, "month end": 12}
_YEAR = {"session": 252, "business day": 252, "day": 365, "week": 52, "month": 12, "month end": 12}
_LONG_SEASON = 300  # steps; of what is finer, the season is the hour or the minute
_CLOSED = 0.1  # of the weekdays may be absent, and
_CLOSED_RUN = 10  # so many in a row, for a market that is closed on holidays: golden weeks, September 2001

# T times of a series, N of them to come


@dataclass(frozen=True)
class Frequency:
    """A step from one row to the next."""

    unit: Unit
    count: int = 1
    """How many of the unit a step is."""

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """Such as "hour", "15 minutes", "quarter end"."""
        end = " end" * self.unit.endswith(" end")
        count, unit = self.count, self.unit.removesuffix(" end")
        if unit == "month":
            size = max(size for size in _MONTHS if count % size == 0)
            count, unit = count // size, _MONTHS[size]
        return unit + end if count == 1 else f"{count} {unit}{end}s"

    @property
    def step(self) -> str:
        """For a sentence: "one hour", "15 minutes"."""
        return self.name if self.name[0].isdigit() else f"one {self.name}"

    @property
    def season(self) -> int:
        """Steps after which it is the same time again: of the day, the week or the year; 1 where there is none.

        Hours have 24, days 7, business days and sessions 5, weeks 52, months 12; what is finer than five minutes
        repeats with the hour, what is finer than twelve seconds with the minute.
        """
        if self.unit in _SEASONS:
            return _SEASONS[self.unit] // self.count if _SEASONS[self.unit] % self.count == 0 else 1
        size = _SIZES[self.unit] * self.count
        for whole in (DAY, _SIZES["hour"], _SIZES["minute"]):
            if whole % size == 0 and whole // size <= _LONG_SEASON:
                return max(1, whole // size)
        return 1

    @property
    def yearly(self) -> float | None:
        """Steps in a year, by custom: 252 on which is traded, 365 days, 52 weeks; None of what is finer than a day."""
        return _YEAR[self.unit] / self.count if self.unit in _YEAR else None

    def like(self, other: "Frequency") -> bool:
        """Whether times in which this one was found may be of the other: a week of sessions looks like days."""
        market = ("session", "business day")
        return self == other or (other.unit in market and (self.unit in market or self == Frequency("day")))

    def next(self, time: np.datetime64, count: int) -> Shaped[np.ndarray, "N"]:
        """The times after this one. Sessions go on with the weekdays, as nobody knows the holidays to come."""
        ahead = np.arange(1, count + 1, dtype=np.int64) * self.count
        time = time.astype("datetime64[us]")
        if self.unit in _SIZES:
            return time + (ahead * _SIZES[self.unit]).astype("timedelta64[us]")
        date = time.astype("datetime64[D]")
        clock = time - date
        if self.unit in ("business day", "session"):
            return np.asarray(np.busday_offset(date, ahead, roll="backward") + clock)
        month = date.astype("datetime64[M]")
        last = _last_day(month + ahead)
        if self.unit == "month end":
            return np.asarray(last + clock)
        day = (month + ahead).astype("datetime64[D]") + (date - month.astype("datetime64[D]"))
        return np.asarray(np.minimum(day, last) + clock)  # the 30th of January, then the 28th of February

    def steps(self, times: Shaped[np.ndarray, "T"]) -> tuple[Int[np.ndarray, "T-1"], Bool[np.ndarray, "T-1"]]:
        """Steps from each time to the next, rounded down, and whether it is a whole number of them."""
        passed = np.diff(times).astype(np.int64)
        if self.unit == "session":
            return np.ones(len(passed), np.int64), passed > 0
        if self.unit in _SIZES:
            whole, rest = np.divmod(passed, _SIZES[self.unit] * self.count)
            return whole, rest == 0
        dates = times.astype("datetime64[D]")
        fits = times - dates == times[:1] - dates[:1]
        if self.unit == "business day":
            fits &= np.is_busday(dates)
            whole, rest = np.divmod(np.busday_count(dates[:-1], dates[1:]).astype(np.int64), self.count)
        else:
            months = dates.astype("datetime64[M]")
            last, day = _last_day(months), dates - months.astype("datetime64[D]")
            whole_month = dates == last
            fits &= whole_month if self.unit == "month end" else (day == day.max()) | (whole_month & (day < day.max()))
            whole, rest = np.divmod(np.diff(months).astype(np.int64), self.count)
        return whole, (rest == 0) & fits[1:] & fits[:-1]

    @classmethod
    def read(cls, text: str) -> "Frequency | None":
        """The frequency of this name, or None where it is none."""
        parts = re.fullmatch(r"(\d{0,6}) *([a-z]+(?: [a-z]+)*)", text.strip().lower().replace("_", " "))
        if parts is None:
            return None
        count, name = int(parts[1] or 1), _WORDS.get(parts[2], parts[2].removesuffix("s"))
        name = _WORDS.get(name, name)
        end = " end" if name.endswith(" end") else ""
        for months, long in _MONTHS.items():
            if name.removesuffix(" end") == long and count:
                return cls("month end" if end else "month", count * months)
        known = name in get_args(Unit) and count and not (name == "session" and count > 1)
        return cls(name, count) if known else None  # type: ignore[arg-type]


def found(runs: Sequence[Shaped[np.ndarray, "_"]]) -> Frequency | None:
    """The frequency of series whose times ascend: that of most steps, of which the others may be multiples."""
    passed = np.concatenate([np.zeros(0, np.int64), *(np.diff(times).astype(np.int64) for times in runs)])
    size, share = _usual(passed)
    if size >= 28 * DAY and (monthly := _monthly(runs)):
        return monthly
    if size <= 0 or share <= 0.5:
        return None
    dates = np.concatenate([times.astype("datetime64[D]") for times in runs])
    crossed = bool((passed >= 3 * DAY).any())
    if size == DAY and crossed and np.is_busday(dates).all():
        return Frequency("session") if _closes(runs) else Frequency("business day")
    unit = next(unit for unit in reversed(_SIZES) if size % _SIZES[unit] == 0)
    return Frequency(unit, size // _SIZES[unit])  # type: ignore[arg-type]


def absent_weekdays(times: Shaped[np.ndarray, "T"]) -> Shaped[np.ndarray, "N"]:
    """The weekdays between the first and the last time that have no row."""
    dates = np.unique(times.astype("datetime64[D]"))
    days = np.arange(dates[0], dates[-1] + 1)
    return np.setdiff1d(days[np.is_busday(days)], dates)


def _closes(runs: Sequence[Shaped[np.ndarray, "_"]]) -> bool:
    """Whether weekdays are absent as those are on which a market is closed."""
    gaps = [np.busday_count(dates[:-1], dates[1:]) - 1 for run in runs if len(dates := run.astype("datetime64[D]")) > 1]
    absent = np.concatenate(gaps)
    return bool(absent.any() and absent.max() <= _CLOSED_RUN and absent.sum() <= _CLOSED * len(absent))


def _monthly(runs: Sequence[Shaped[np.ndarray, "_"]]) -> Frequency | None:
    """A step of whole months, where all times are of one day of the month, or all of the last."""
    times = np.concatenate(runs)
    dates = times.astype("datetime64[D]")
    months = dates.astype("datetime64[M]")
    days = dates - months.astype("datetime64[D]")
    at_end = bool((dates == _last_day(months)).all())
    if len(np.unique(times - dates)) > 1 or not (at_end or len(np.unique(days)) == 1):
        return None
    passed = np.concatenate([np.diff(run.astype("datetime64[M]")).astype(np.int64) for run in runs])
    size, share = _usual(passed)
    return Frequency("month end" if at_end else "month", size) if size > 0 and share > 0.5 else None


def _usual(passed: Int[np.ndarray, "T"]) -> tuple[int, float]:
    """The most frequent of the steps, and its share of them."""
    if not len(passed):
        return 0, 0.0
    sizes, counts = np.unique(passed, return_counts=True)
    return int(sizes[counts.argmax()]), float(counts.max() / len(passed))


def _last_day(months: Shaped[np.ndarray, "T"]) -> Shaped[np.ndarray, "T"]:
    last: Shaped[np.ndarray, "T"] = (months + 1).astype("datetime64[D]") - 1
    return last
