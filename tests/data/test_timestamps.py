import numpy as np
import polars
import pytest

from seqwise.data.timestamps import looks_like_times, read_times


def read(*texts, dates="auto", name="date"):
    return read_times(polars.Series(texts), dates, name)


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("2015-02-17", "date", "2015-02-17"),
        ("2015/2/7", "x", "2015-02-07"),
        ("2015.02.17 13:05", "x", "2015-02-17T13:05"),
        (" 2015-02-17T13:05:06.25 ", "x", "2015-02-17T13:05:06.25"),
        ("2015-02-17T13:05:06Z", "x", "2015-02-17T13:05:06"),
        ("2015-02-17 01:30:00+02:00", "x", "2015-02-16T23:30"),
        ("2015-02-17 23:30-0100", "x", "2015-02-18T00:30"),
        ("1949-01", "x", "1949-01-01"),
        ("1949M11", "x", "1949-11-01"),
        ("1949.11", "month", "1949-11-01"),
        ("17/02/2015", "x", "2015-02-17"),
        ("02/17/2015", "x", "2015-02-17"),
        ("17.2.2015 08:00", "x", "2015-02-17T08:00"),
        ("02/17/2015 1:05 PM", "x", "2015-02-17T13:05"),
        ("02/17/2015 12:05 a.m.", "x", "2015-02-17T00:05"),
        ("Feb 17, 2015", "x", "2015-02-17"),
        ("February 1st, 2015", "x", "2015-02-01"),
        ("17 Feb 2015", "x", "2015-02-17"),
        ("17-Feb-2015", "x", "2015-02-17"),
        ("Jan 1949", "x", "1949-01-01"),
        ("1960Q3", "x", "1960-07-01"),
        ("1949", "year", "1949-01-01"),
        ("20150217", "date", "2015-02-17"),
        ("1424131200", "timestamp", "2015-02-17"),
        ("1424131200.5", "timestamp", "2015-02-17T00:00:00.5"),
        ("1424131200000", "timestamp", "2015-02-17"),
        ("2016-02-29", "x", "2016-02-29"),
    ],
)
def test_a_time_is_read(text, name, value):
    found = read(text, name=name)
    assert found.values[0] == np.datetime64(value, "us")
    assert (found.unread, found.zoned) == (None, "Z" in text or "+" in text or text.endswith("-0100"))


@pytest.mark.parametrize(
    "text",
    [
        "2015-02-30",
        "2015-13-01",
        "2015-02-29",
        "29/02/2015",
        "Fob 17, 2015",
        "2015-02-17 24:00",
        "17/02/15",
        "soon",
        "",
        "02/17/2015 13:05 PM",
        "2015-00-10",
    ],
)
def test_what_is_no_time_is_not_read(text):
    assert read("2015-02-17", text).unread == 1


def test_the_column_tells_which_is_the_day():
    assert read("01/02/2020", "13/02/2020").values.astype("M8[D]").astype(str).tolist() == ["2020-02-01", "2020-02-13"]
    assert read("01/02/2020", "02/13/2020").values.astype("M8[D]").astype(str).tolist() == ["2020-01-02", "2020-02-13"]
    assert read("01/02/2020", "03/04/2020").unclear == 0
    told = read("01/02/2020", "03/04/2020", dates="day-first")
    assert (told.unclear, str(told.values[1])[:10]) == (None, "2020-04-03")
    assert str(read("01/02/2020", dates="month-first").values[0])[:10] == "2020-01-02"


def test_rows_that_contradict_each_other_or_the_setting_are_named():
    assert read("13/02/2020", "14/02/2020", "02/15/2020").contrary == 2
    assert read("02/03/2020", "13/02/2020", dates="month-first").contrary == 1
    assert read("02/03/2020", "2020-02-03").mixed == 1
    assert read("2020-02-03", "02/13/2020", dates="iso").unread == 1
    assert read("2020-02-03T00:00Z", "2020-02-04T00:00").half_zoned == 1


def test_offsets_that_change_with_the_clocks_are_one_time():
    found = read("2020-03-29T01:00+01:00", "2020-03-29T03:00+02:00")
    assert (found.values[1] - found.values[0]).astype(int) == 3_600_000_000


def test_numbers_are_times_only_where_the_column_says_so():
    years = polars.Series(["1949", "1950"])
    assert looks_like_times(years, "year")
    assert not looks_like_times(years, "passengers")
    assert read("1949", name="passengers").unread == 0
    measured = polars.Series(["1034.5", "2058.2", "1999.9"])  # milliseconds
    assert not looks_like_times(measured, "ms")
    assert not looks_like_times(measured, "time")
    months = polars.Series(["1949.01", "1949.12"])
    assert looks_like_times(months, "month")
    assert not looks_like_times(months, "ms")
    assert not looks_like_times(polars.Series(["2015-13", "2015-14"]), "date")
    assert looks_like_times(polars.Series(["2020-01-01", None, ""]), "x")
    assert not looks_like_times(polars.Series([None, ""], dtype=polars.String), "date")
    assert not looks_like_times(polars.Series(["2020-01-01", "a", "b"]), "date")
