"""Texts as dates and times, without guessing.

    looks_like_times(texts, name)    whether a column holds times
    read_times(texts, dates)         Times: datetime64[us], what was taken for granted, and what cannot be read

    shape       written as                                     shape      written as
    date        2015-02-17, 2015/02/17, 2015.2.17, with a      named      Feb 17, 2015; 17 Feb 2015; Feb 2015
                time and perhaps a zone: 2015-02-17T13:00Z     quarter    1960Q1, 1960-Q1
    compact     20150217                                       year       1949
    month       1949-01, 1949/01, 1949.01                      unix       seconds or milliseconds since 1970
    numbers     17/02/2015, 02/17/2015, 17.2.2015

Which of two numbers is the day is told by the whole column: a 17 somewhere cannot be a month. Where no row tells, or
rows tell different things, nobody but the user knows, and --data.dates says. A number is a time only in a column that
is called so. Times with a zone become UTC.

Left out: years of two digits, names of months in other languages than English, leap seconds, weeks of ISO 8601.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Int, Shaped

Dates = Literal["auto", "iso", "day-first", "month-first"]
NAMES = ("date", "time", "datetime", "timestamp", "ds", "month", "day", "week", "quarter", "year", "period")
"""What columns of times are called."""

_CLOCK = r"(?:[T ]+(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?)?"  # hour, minute, second, fraction
_ZONE = r"\s*(Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)?"
_HALF = r"\s*([AaPp])?(?:\.?[Mm]\.?)?"
_SHAPES = {  # of each: year, month, day, then the clock; what a shape lacks is not named
    "date": rf"^(?<y>\d{{4}})[-/.](?<m>\d{{1,2}})[-/.](?<d>\d{{1,2}}){_CLOCK}{_ZONE}$",
    "compact": r"^(?<y>1[6-9]\d{2}|2\d{3})(?<m>0[1-9]|1[0-2])(?<d>[0-3]\d)$",
    "month": r"^(?<y>\d{4})[-/M](?<m>0?[1-9]|1[0-2])$",
    "month with a point": r"^(?<y>1[6-9]\d{2}|2\d{3})\.(?<m>0[1-9]|1[0-2])$",  # 1949.1 may be January or October
    "numbers": rf"^(?<m>\d{{1,2}})[-/.](?<d>\d{{1,2}})[-/.](?<y>\d{{4}}),?{_CLOCK}{_HALF}$",
    "named": rf"^(?<b>[A-Za-z]{{3,9}})\.?[- ](?<d>\d{{1,2}})(?:st|nd|rd|th)?,?[- ](?<y>\d{{4}}),?{_CLOCK}{_HALF}$",
    "named day first": rf"^(?<d>\d{{1,2}})\.?[- ](?<b>[A-Za-z]{{3,9}})\.?,?[- ](?<y>\d{{4}}),?{_CLOCK}{_HALF}$",
    "named month": r"^(?<b>[A-Za-z]{3,9})\.?,?[- ](?<y>\d{4})$",
    "quarter": r"^(?<y>\d{4})[- ]?[Qq](?<q>[1-4])$",
    "year": r"^(?<y>1[0-9]\d{2}|2\d{3})$",
    "unix": r"^(?<u>-?\d{9,10}(?:\.\d+)?)$",
    "unix milliseconds": r"^(?<u>-?\d{12,13})$",
}
_BARE = ("compact", "month with a point", "year", "unix", "unix milliseconds")  # numbers; times where the name says so
_ISO = ("date", "compact", "month", "month with a point", "quarter", "year")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_SAMPLE = 200
_MOSTLY = 0.9  # of a sample, where a few cells are broken

# N texts


@dataclass(frozen=True, eq=False)
class Times:
    """What was read, and what stands in the way of the rest. The first row of each trouble, or None."""

    values: Shaped[np.ndarray, "N"]
    """datetime64[us]; NaT where nothing could be read."""
    shapes: Int[np.ndarray, "N"]
    """Which way each is written; -1 where none fits."""
    unread: int | None = None
    """No date, or a day that does not exist."""
    mixed: int | None = None
    """Written otherwise than the first."""
    unclear: int | None = None
    """Day and month cannot be told apart."""
    contrary: int | None = None
    """A day where the setting, or another row, has the month."""
    zoned: bool = False
    """All have a zone and are in UTC now."""
    half_zoned: int | None = None
    """The first with a zone where others have none, or the other way round."""


def looks_like_times(texts: Any, name: str) -> bool:
    """Whether nearly all of the first texts are written as times are."""
    sample = texts.drop_nulls().head(_SAMPLE).str.strip_chars()
    sample = sample.filter(sample != "")
    if not len(sample):
        return False
    shaped = np.stack([sample.str.contains(_polars(rule)).to_numpy() for rule in _allowed(name).values()])
    return bool(shaped.any(axis=0).mean() >= _MOSTLY)


def called_time(name: str) -> bool:
    """Whether a column's name says that it holds times."""
    plain = name.strip().lower().replace("_", " ")
    return any(word in NAMES for word in plain.split()) or plain in NAMES


def read_times(texts: Any, dates: Dates, name: str = "time") -> Times:
    """All texts of a polars column, told apart by their shape."""
    stripped = texts.str.strip_chars()
    count = len(texts)
    values = np.full(count, np.datetime64("NaT", "us"))
    shapes, zones = np.full(count, -1), np.zeros(count, bool)
    contrary, unclear = None, None
    for number, (shape, rule) in enumerate(_allowed(name, dates).items()):
        rows = np.flatnonzero((shapes < 0) & stripped.str.contains(_polars(rule)).fill_null(False).to_numpy())
        if not len(rows):
            continue
        shapes[rows] = number
        fields = stripped.gather(rows).str.extract_groups(_polars(rule)).struct.unnest()
        parts = {field: fields[field] for field in fields.columns}
        if shape == "numbers":
            first, second = _whole(parts["m"]), _whole(parts["d"])
            swapped, contrary, unclear = _which_is_the_day(rows, first, second, dates)
            if swapped:
                parts["m"], parts["d"] = parts["d"], parts["m"]
        values[rows] = _values(parts, milliseconds=shape.endswith("milliseconds"))
        if shape == "date":
            zones[rows] = parts["8"].is_not_null().to_numpy()
    read = ~np.isnat(values)
    return Times(
        values,
        shapes,
        unread=_first(~read),
        mixed=_first(read & (shapes != shapes[0])) if count else None,
        unclear=unclear,
        contrary=contrary,
        zoned=bool(zones.any() and zones.all()),
        half_zoned=_first(zones != zones[0]) if count else None,
    )


def _allowed(name: str, dates: Dates = "auto") -> dict[str, str]:
    """The shapes that a column of this name may have; numbers are times only where it is called so."""
    called = called_time(name)
    rules = {shape: rule for shape, rule in _SHAPES.items() if called or shape not in _BARE}
    return {shape: rule for shape, rule in rules.items() if dates != "iso" or shape in _ISO}


def _polars(rule: str) -> str:
    """Names of groups as Rust has them; the clock and the zone are groups 4 to 8 where a date comes before."""
    return rule.replace("(?<", "(?P<")


def _which_is_the_day(
    rows: Int[np.ndarray, "N"], first: Int[np.ndarray, "N"], second: Int[np.ndarray, "N"], dates: Dates
) -> tuple[bool, int | None, int | None]:
    """Whether the day stands first; the first row that says otherwise, and the first that no row explains."""
    day_first, month_first = first > 12, second > 12
    if dates == "day-first" or (dates != "month-first" and day_first.any()):
        return True, _row(rows, month_first), None
    if dates == "month-first" or month_first.any():
        return False, _row(rows, day_first), None
    return False, None, int(rows[0])


def _values(parts: dict[str, Any], milliseconds: bool) -> Shaped[np.ndarray, "N"]:
    """The fields of a shape as times; NaT for a day that does not exist."""
    if "u" in parts:
        scale = 1_000 if milliseconds else 1_000_000
        return np.asarray(np.round(parts["u"].cast(float).to_numpy() * scale).astype("datetime64[us]"))
    year = _whole(parts["y"])
    if "b" in parts:
        names = parts["b"].str.to_lowercase().str.slice(0, 3).to_list()
        month = np.array([_MONTHS.index(name) + 1 if name in _MONTHS else 0 for name in names])
    elif "q" in parts:
        month = 3 * _whole(parts["q"]) - 2
    else:
        month = _whole(parts["m"]) if "m" in parts else np.ones_like(year)
    day = _whole(parts["d"]) if "d" in parts else np.ones_like(year)
    months = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
    dates = months.astype("datetime64[D]") + (day - 1)
    exists = (month >= 1) & (month <= 12) & (day >= 1) & (dates.astype("datetime64[M]") == months)
    times = dates.astype("datetime64[us]")
    clock, sound = _clock(parts)
    return np.where(exists & sound, times + clock.astype("timedelta64[us]"), np.datetime64("NaT", "us"))


def _clock(parts: dict[str, Any]) -> tuple[Int[np.ndarray, "N"], Bool[np.ndarray, "N"]]:
    """Microseconds since midnight in UTC, and whether there is such a time of day."""
    count = len(parts["y"])
    if "4" not in parts:
        return np.zeros(count, np.int64), np.ones(count, bool)
    hour, minute, second = (_whole(parts[group]) for group in "456")
    sound = (hour < 24) & (minute < 60) & (second < 60)
    fraction = _whole(parts["7"].fill_null("").str.pad_end(9, "0").str.slice(0, 6))
    last = parts["8"]
    letters = last.str.to_lowercase()
    afternoon, morning = (letters == "p").fill_null(False).to_numpy(), (letters == "a").fill_null(False).to_numpy()
    sound &= ~(afternoon | morning) | ((hour >= 1) & (hour <= 12))
    hour = np.where(afternoon | morning, hour % 12 + 12 * afternoon, hour)
    offsets = last.str.extract_groups(r"^(?P<sign>[+-])(?P<hours>\d{2}):?(?P<minutes>\d{2})?$").struct.unnest()
    sign = np.where((offsets["sign"] == "-").fill_null(False).to_numpy(), -1, 1)
    offset = sign * (60 * _whole(offsets["hours"]) + _whole(offsets["minutes"]))
    return ((hour * 60 + minute - offset) * 60 + second) * 1_000_000 + fraction, sound


def _whole(texts: Any) -> Int[np.ndarray, "N"]:
    found: Int[np.ndarray, "N"] = texts.cast(int, strict=False).fill_null(0).to_numpy().astype(np.int64)
    return found


def _first(which: Bool[np.ndarray, "N"]) -> int | None:
    return int(which.argmax()) if which.any() else None


def _row(rows: Int[np.ndarray, "N"], which: Bool[np.ndarray, "N"]) -> int | None:
    return int(rows[which.argmax()]) if which.any() else None
