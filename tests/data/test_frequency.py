import numpy as np
import pytest

from seqwise.data.frequency import Frequency, absent_weekdays, found


def dates(*texts: str) -> np.ndarray:
    return np.array(texts, dtype="datetime64[us]")


def every(step: str, first: str, count: int) -> np.ndarray:
    """Times by numpy's own steps (the oracle of what has one length)."""
    return np.datetime64(first, "us") + np.arange(count) * np.timedelta64(int(step[:-1]), step[-1]).astype("m8[us]")


@pytest.mark.parametrize(
    ("step", "name", "season"),
    [
        ("1s", "second", 60),
        ("10s", "10 seconds", 6),
        ("1m", "minute", 60),
        ("5m", "5 minutes", 288),
        ("15m", "15 minutes", 96),
        ("30m", "30 minutes", 48),
        ("1h", "hour", 24),
        ("6h", "6 hours", 4),
        ("7h", "7 hours", 1),
        ("1D", "day", 7),
        ("7D", "week", 52),
        ("14D", "2 weeks", 26),
        ("30D", "30 days", 1),
    ],
)
def test_steps_of_one_length_are_found(step, name, season):
    times = every(step, "2020-01-04", 40)
    frequency = found([times])
    assert (frequency.name, frequency.season) == (name, season)
    assert np.array_equal(frequency.next(times[19], 20), times[20:])
    steps, fits = frequency.steps(times)
    assert fits.all()
    assert (steps == 1).all()


@pytest.mark.parametrize(
    ("times", "name", "season", "ahead"),
    [
        (("2020-11-01", "2020-12-01", "2021-01-01"), "month", 12, ("2021-02-01", "2021-03-01")),
        (("2020-11-30", "2020-12-31", "2021-01-31"), "month end", 12, ("2021-02-28", "2021-03-31")),
        (("2019-07-15", "2019-10-15", "2020-01-15"), "quarter", 4, ("2020-04-15", "2020-07-15")),
        (("2019-06-30", "2019-09-30", "2019-12-31"), "quarter end", 4, ("2020-03-31", "2020-06-30")),
        (("1749-01-01", "1750-01-01", "1751-01-01"), "year", 1, ("1752-01-01", "1753-01-01")),
        (("1990-12-31", "1992-12-31", "1994-12-31"), "2 year ends", 1, ("1996-12-31", "1998-12-31")),
    ],
)
def test_months_are_counted_on_the_calendar(times, name, season, ahead):
    frequency = found([dates(*times)])
    assert (frequency.name, frequency.season) == (name, season)
    assert np.array_equal(frequency.next(dates(*times)[-1], 2), dates(*ahead))
    assert frequency.steps(dates(*times, *ahead))[0].tolist() == [1, 1, 1, 1]


def test_weekdays_are_business_days_and_with_holidays_sessions():
    days = np.arange("2021-01-04", "2021-03-01", dtype="datetime64[D]")
    weekdays = days[np.is_busday(days)].astype("datetime64[us]")
    assert found([weekdays]) == Frequency("business day")
    assert found([weekdays]).next(np.datetime64("2021-02-26"), 2).astype(str).tolist() == [
        "2021-03-01T00:00:00.000000",
        "2021-03-02T00:00:00.000000",
    ]
    closed = np.delete(weekdays, [10, 30])
    assert found([closed]) == Frequency("session")
    assert np.array_equal(absent_weekdays(closed).astype("datetime64[us]"), weekdays[[10, 30]])
    assert found([closed]).steps(closed)[0].tolist() == [1] * (len(closed) - 1)
    torn = np.delete(weekdays, np.arange(5, 25))  # four weeks are no holiday
    assert found([torn]) == Frequency("business day")


def test_a_whole_week_is_days():
    assert found([every("1D", "2020-01-01", 20)]) == Frequency("day")


def test_gaps_are_steps_of_more_than_one():
    times = np.delete(every("1h", "2020-01-01", 30), [4, 5, 20])
    frequency = found([times])
    steps, fits = frequency.steps(times)
    assert frequency == Frequency("hour")
    assert fits.all()
    assert (steps - 1).sum() == 3
    assert np.flatnonzero(steps > 1).tolist() == [3, 17]


def test_what_has_no_usual_step_has_no_frequency():
    assert found([dates("2020-01-01", "2020-01-02", "2020-01-05", "2020-01-11")]) is None
    assert found([dates("2020-01-01")]) is None
    assert found([]) is None


def test_rows_off_the_grid_are_seen():
    times = dates("2020-01-01", "2020-01-02", "2020-01-03T05:30", "2020-01-04", "2020-01-05", "2020-01-06")
    assert found([times]) == Frequency("day")
    assert Frequency("day").steps(times)[1].tolist() == [True, False, False, True, True]
    assert not Frequency("month").steps(dates("2020-01-01", "2020-02-02", "2020-03-01"))[1].all()
    assert not Frequency("business day").steps(dates("2020-01-03", "2020-01-04"))[1].all()


def test_the_frequency_is_common_to_all_series():
    assert found([every("1h", "2020-01-01", 5), every("1h", "2021-01-01T00:30", 5)]) == Frequency("hour")


@pytest.mark.parametrize(
    ("text", "unit", "count"),
    [
        ("hour", "hour", 1),
        ("15 minutes", "minute", 15),
        ("15min", "minute", 15),
        ("Daily", "day", 1),
        ("business days", "business day", 1),
        ("month ends", "month end", 1),
        ("quarter", "month", 3),
        ("quarter end", "month end", 3),
        ("2 years", "month", 24),
        ("session", "session", 1),
    ],
)
def test_names_are_read(text, unit, count):
    assert Frequency.read(text) == Frequency(unit, count)
    assert Frequency.read(Frequency(unit, count).name) == Frequency(unit, count)


@pytest.mark.parametrize("text", ["dayz", "", "0 days", "2 sessions", "-1 day", "1.5 hours"])
def test_what_is_no_name_is_not_read(text):
    assert Frequency.read(text) is None
