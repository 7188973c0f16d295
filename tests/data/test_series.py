import numpy as np
import pytest

from seqwise.data.frequency import Frequency
from seqwise.data.series import Series, SeriesTable, Span, shown_time
from seqwise.errors import DataError

DAY = np.timedelta64(1, "D")
BEGIN = np.datetime64("2020-01-01", "us")


def table(*lengths: int, later: int = 0) -> SeriesTable:
    series = []
    for number, length in enumerate(lengths):
        steps = np.arange(length + later, dtype=np.float64)[:, None]
        times = BEGIN + np.arange(length + later) * DAY
        past, ahead = steps[:length], 10 * steps
        none = np.zeros((length, 0))
        series.append(Series(str(number), times[:length], past, none, ahead[:length], times[length:], ahead[length:]))
    return SeriesTable(tuple(series), ("y",), (), ("k",), Frequency("day"))


def sizes(found: SeriesTable, *cuts: object, **end: str) -> list[int]:
    split = found.split(*cuts, **end)
    return [len(found.within(span).times) for span in (split.train, split.valid, split.test)]


@pytest.mark.parametrize(
    ("cuts", "expected"),
    [
        ((0.2, 0.1), [70, 20, 10]),
        ((20, 10), [70, 20, 10]),
        (("2020-03-11", "2020-03-31"), [70, 20, 10]),
        (("2020-03-11 00:00", 0.1), [70, 20, 10]),
        ((0.15, 25), [60, 15, 25]),
    ],
)
def test_a_split_is_by_time(cuts, expected):
    whole = table(100, 60)
    assert sizes(whole, *cuts) == expected
    split = whole.split(*cuts)
    assert split.train.end == split.valid.begin
    assert split.valid.end == split.test.begin


def test_what_lies_behind_the_end_is_left_out():
    assert sizes(table(100), 20, 10, end="2020-03-11") == [40, 20, 10]


@pytest.mark.parametrize(
    ("cuts", "fault"),
    [
        ((1.5, 0.1), "valid 1.5: needs a share between 0 and 1"),
        ((0.1, 0), "test 0: needs 1 time or more"),
        ((50, 60), "valid 50 and test 60 of 100 times, which leaves 0, 50 and 60 times"),
        (("2021-01-01", 0.1), "needs a time or more for each, in this order"),
        (("soon", 0.1), "valid soon: needs a date or time"),
    ],
)
def test_parts_without_a_time_are_refused(cuts, fault):
    with pytest.raises(DataError) as caught:
        table(100).split(*cuts)
    assert fault in str(caught.value)


def test_within_keeps_what_is_known_later():
    cut = table(10, later=2).within(Span(None, BEGIN + 7 * DAY)).series[0]
    assert (len(cut), cut.later_known[:, 0].tolist()) == (7, [70, 80, 90, 100, 110])
    assert table(10, 3).within(Span(BEGIN + 5 * DAY, None)).names == ("0",)


def test_numbers_can_be_changed_and_the_rest_stays():
    found = table(5, later=2).map(targets=lambda block: 2 * block, known=lambda block: -block)
    assert found.series[0].targets[:, 0].tolist() == [0, 2, 4, 6, 8]
    assert found.series[0].later_known[:, 0].tolist() == [-50, -60]
    assert found.series[0].observed.shape == (5, 0)


def test_the_future_follows_the_last_time_that_is_told():
    (ahead,) = table(5, later=2).future(2)
    assert ahead.times.tolist() == [(BEGIN + n * DAY).item() for n in (5, 6)]
    assert ahead.known[:, 0].tolist() == [50, 60]


@pytest.mark.parametrize(
    ("time", "text"),
    [
        ("2020-01-01", "2020-01-01"),
        ("2020-01-01T13:00", "2020-01-01 13:00"),
        ("2020-01-01T13:00:05", "2020-01-01 13:00:05"),
        ("2020-01-01T00:00:00.25", "2020-01-01 00:00:00.250000"),
    ],
)
def test_times_are_shown_without_what_is_zero(time, text):
    assert shown_time(np.datetime64(time, "us")) == text
