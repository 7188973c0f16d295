import gzip
import os
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars
import pytest

from seqwise.data.table import Mends, SeriesTable, TableSettings, read_series
from seqwise.data.timewindows import Windows
from seqwise.errors import ConfigError, DataError

DATA = Path(os.environ.get("SEQWISE_DATA", Path(__file__).resolve().parents[2] / "../shared/data")) / "timeseries"

DAYS = [(date(2020, 1, 4) + timedelta(n)).isoformat() for n in range(10)]
GOOD = [(day, n) for n, day in enumerate(DAYS)]


def rows(found, head: str = "date,y") -> str:
    return "\n".join([head, *(",".join(map(str, row)) for row in found)]) + "\n"


@pytest.fixture
def read(tmp_path):
    """The series of a text, with any settings and mends; `told` instead gives the fault, without the path."""

    def found(text: str, targets: tuple[str, ...] = ("y",), **given: object) -> SeriesTable:
        path = tmp_path / "f.csv"
        path.write_text(text)
        mends = Mends(**{name: value for name, value in given.items() if name in Mends.__dataclass_fields__})
        asked = {name: value for name, value in given.items() if name in TableSettings.__dataclass_fields__}
        return read_series(path, targets, TableSettings(**asked), mends, learning=bool(given.get("learning", True)))

    return found


@pytest.fixture
def told(read, tmp_path):
    def fault(text: str, targets: tuple[str, ...] = ("y",), **given: object) -> str:
        with pytest.raises((DataError, ConfigError)) as caught:
            read(text, targets, **given)
        assert "\n" not in str(caught.value)
        return str(caught.value).replace(str(tmp_path) + "/", "")

    return fault


TEN = list(range(10))
TWICE = [*GOOD[:4], (DAYS[3], 9), *GOOD[4:]]


def without(*gone: int):
    return [row for n, row in enumerate(GOOD) if n not in gone]


def instead(place: int, *row: object):
    return [row if n == place else other for n, other in enumerate(GOOD)]


def test_a_series_is_what_stands_there(read):
    table = read(rows(GOOD))
    (series,) = table.series
    assert series.times.astype("datetime64[D]").astype(str).tolist() == DAYS
    assert series.targets.tolist() == [[n] for n in range(10)]
    assert (table.targets, table.observed, table.frequency.name) == (("y",), (), "day")
    assert table.known == ()  # ten days have no week that comes round
    assert table.notes == ('the times stand in column "date"', "the step is one day")


@pytest.mark.parametrize("form", ["csv", "crlf", "gz", "parquet", "dates in parquet", "jsonl", "zoned parquet"])
def test_every_format_gives_the_same_series(tmp_path, form):
    frame = polars.DataFrame({"ds": DAYS, "y": range(10)})
    path = tmp_path / ("f.jsonl" if form == "jsonl" else "f.csv")
    if "parquet" in form:
        zone = "Europe/Paris" if "zoned" in form else None
        if form != "parquet":
            frame = frame.with_columns(polars.col("ds").str.to_datetime("%Y-%m-%d", time_zone=zone))
        frame.write_parquet(path)
    elif form == "jsonl":
        frame.write_ndjson(path)
    else:
        text = frame.write_csv().encode()
        path.write_bytes(text.replace(b"\n", b"\r\n") if form == "crlf" else text)
        if form == "gz":
            path.write_bytes(gzip.compress(text))
    table = read_series(path, ["y"])
    hours = -1 if "zoned" in form else 0  # midnight in Paris in January is 23 o'clock in UTC
    expected = np.array(DAYS, "datetime64[us]") + np.timedelta64(hours, "h")
    assert np.array_equal(table.series[0].times, expected)
    assert ("times have a zone and are in UTC" in table.notes) == ("zoned" in form)
    assert table.series[0].targets[:, 0].tolist() == list(range(10))


@pytest.mark.parametrize(
    ("head", "column"),
    [("date,y", "date"), ("y,when", "when"), ("updated,ds,y", "ds"), ("first,second,y", "first")],
)
def test_the_column_of_times_is_found(read, head, column):
    place = head.split(",").index("y")
    wide = len(head.split(","))
    cells = [[str(n) if k == place else day for k in range(wide)] for n, day in enumerate(DAYS)]
    assert f'the times stand in column "{column}"' in read(rows(cells, head)).notes[0]


BAD = {
    "no column of times": (rows([(n, n) for n in range(9)], "a,y"), {}, "no column of dates or times among a, y"),
    "no such time": (
        rows(GOOD),
        {"time": "dat"},
        'f.csv: no column "dat" among date, y: needs a column of the file. Try --data.time date.',
    ),
    "a day that does not exist": (rows(instead(4, "2020-02-30", 4)), {}, "f.csv:6: '2020-02-30' in column \"date\""),
    "no time": (rows(instead(4, "", 4)), {}, 'f.csv:6: no time in column "date"'),
    "irregular": (
        rows(instead(4, "2020-01-08 05:30", 4)),
        {},
        "f.csv:6: 2020-01-08 05:30 1.23 days after 2020-01-07: needs rows one day apart, or a whole number of such "
        "steps. Try rows at regular times, or --data.frequency session",
    ),
    "no usual step": (rows(without(2, 3, 4, 6, 7)), {}, "f.csv:4: steps of 1 day and of 4 days, none of them usual"),
    "a gap": (
        rows(without(4, 5)),
        {},
        "f.csv:6: 2 steps without a row before 2020-01-10: needs a row after each day. "
        "Try --mend.gaps fill, --mend.gaps cut, or --data.frequency session",
    ),
    "two rows of a time": (
        rows([*GOOD[:4], *GOOD[3:]]),
        {},
        "f.csv:6: a second row for 2020-01-07, with the same numbers: needs one row for each time. "
        "Try --mend.duplicates first, last or mean.",
    ),
    "several series": (
        rows([(day, shop, n) for n, day in enumerate(DAYS) for shop in "ab"], "date,shop,y"),
        {},
        "or --data.by shop where that tells series apart.",
    ),
    "unsorted": (
        rows([*GOOD[:4], GOOD[5], GOOD[4], *GOOD[6:]]),
        {},
        "f.csv:7: 2020-01-08 after 2020-01-09: needs rows in the order of time. Try --mend.unsorted sort.",
    ),
    "text": (
        rows(instead(4, DAYS[4], "abc")),
        {},
        "f.csv:6: 'abc' in column \"y\": needs a number. Try mending it, or --mend.marks abc",
    ),
    "thousands": (
        rows(instead(4, DAYS[4], '"1,234.5"')),
        {},
        "f.csv:6: '1,234.5' in column \"y\": needs a number. Try --data.thousands ,.",
    ),
    "decimal comma": (rows(instead(4, DAYS[4], '"3,14"')), {}, "Try --data.decimal ,."),
    "missing": (
        rows(instead(4, DAYS[4], "")),
        {},
        'f.csv:6: no number in column "y" at 2020-01-08: needs a number in '
        "every row. Try --mend.missing interpolate, forward, drop or keep.",
    ),
    "all missing": (rows([(day, "") for day in DAYS]), {}, "f.csv:11: no number at all in y: needs a target"),
    "infinite": (rows(instead(4, DAYS[4], "-inf")), {}, 'f.csv:6: an infinite value in column "y"'),
    "constant": (
        rows([(day, 3) for day in DAYS]),
        {},
        'f.csv: "y", which is 3 throughout: needs a target that changes. '
        "Try another --target, or --mend.constant true.",
    ),
    "two rows": (rows(GOOD[:2]), {}, "f.csv:3: 2 rows with a target: needs 3 rows at least"),
    "one row of a series": (
        rows([*((day, "a", n) for day, n in GOOD), (DAYS[0], "b", 1)], "date,shop,y"),
        {"by": ("shop",)},
        "f.csv:12: 1 row of b with a target: needs 3 rows at least",
    ),
    "day or month": (
        rows([(f"0{n}/02/2020", n) for n in range(1, 7)]),
        {},
        "f.csv:2: '01/02/2020' in column \"date\": needs to be told which is the day, as no row has one above 12. "
        "Try --data.dates day-first or --data.dates month-first.",
    ),
    "day and month": (rows([("13/02/2020", 1), ("14/02/2020", 2), ("02/15/2020", 3)]), {}, "f.csv:4: '02/15/2020'"),
    "mixed dates": (
        rows(instead(4, "8 Jan 2020", 4)),
        {},
        "f.csv:6: '8 Jan 2020' in column \"date\": needs the same way "
        "of writing as in the rows before. Try --mend.mixed true.",
    ),
    "half zones": (rows([(f"{day} 00:00{'Z' * (n > 3)}", n) for day, n in GOOD]), {}, "f.csv:6: '2020-01-08 00:00Z'"),
    "no such series column": (rows(GOOD), {"by": ("shop",)}, 'f.csv: no column "shop" among date, y'),
    "no such covariate": (rows(GOOD), {"known": ("yy",)}, "Try --data.known y."),
    "a covariate of text": (
        rows([(*row, "x") for row in GOOD], "date,y,z"),
        {"observed": ("z",)},
        'column "z" of text',
    ),
    "two roles": (rows(GOOD), {"known": ("y",)}, "y as --data.known and as --target"),
    "not a frequency": (rows(GOOD), {"frequency": "dayz"}, "--data.frequency dayz: needs a unit"),
    "another frequency": (rows(GOOD), {"frequency": "week"}, "f.csv:3: 2020-01-05 1 day after 2020-01-04: needs rows"),
    "too many cells": (rows(instead(4, DAYS[4], 4, 5)), {}, "f.csv:6: 3 cells, '5' the first beyond the last"),
    "no rows": ("date,y\n", {}, "f.csv: no row but the names of the columns"),
    "nothing": ("", {}, "f.csv: an empty file"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line_with_its_place_and_a_mend(told, name):
    text, given, fault = BAD[name]
    assert fault in told(text, **given)


@pytest.mark.parametrize(
    ("targets", "fault"),
    [
        (("prise",), 'f.csv: no column "prise" among date, price: needs a column of the file. Try --target price.'),
        (("date",), "--target date, which holds the times: needs a column of numbers. Try --target price."),
        ((), "f.csv: no target: needs a column that is foreseen. Try --target price."),
        (("price", "price"), "f.csv: price as --target and as --target: needs one role for each column"),
    ],
)
def test_a_target_that_cannot_be_foreseen_is_refused(told, targets, fault):
    assert told(rows(GOOD, "date,price"), targets).startswith(fault)


def test_a_horizon_longer_than_the_data_is_one_line(read):
    with pytest.raises(DataError, match="--lookback 8 and --horizon 6 with 10 steps in the longest series"):
        Windows(read(rows(GOOD)), 8, 6)


def values(table: SeriesTable) -> list[list[float]]:
    return [one.targets[:, 0].tolist() for one in table.series]


@pytest.mark.parametrize(
    ("found", "given", "expected", "note"),
    [
        (
            without(4, 5),
            {"gaps": "fill"},
            [TEN],
            "2 steps without a row: filled with a straight line, the first at f.csv:6",
        ),
        (
            without(4, 5),
            {"gaps": "fill", "missing": "forward"},
            [[0, 1, 2, 3, 3, 3, 6, 7, 8, 9]],
            "filled with the last",
        ),
        (without(4, 5), {"gaps": "cut"}, [[0, 1, 2, 3], [6, 7, 8, 9]], "1 gap: the series was cut there, the first at"),
        (without(4, 5), {"frequency": "session"}, [[0, 1, 2, 3, 6, 7, 8, 9]], "the times stand"),
        (
            TWICE,
            {"duplicates": "first"},
            [TEN],
            "1 row with the time of another: only the first kept, the first at f.csv:6",
        ),
        (TWICE, {"duplicates": "last"}, [[0, 1, 2, 9, 4, 5, 6, 7, 8, 9]], "the last kept"),
        (TWICE, {"duplicates": "mean"}, [[0, 1, 2, 6, 4, 5, 6, 7, 8, 9]], "averaged"),
        (GOOD[::-1], {"unsorted": "sort"}, [TEN], "9 rows that went back in time: sorted"),
        (
            instead(4, DAYS[4], "NA"),
            {"missing": "interpolate"},
            [TEN],
            '1 missing number in "y": put on a straight line, the first at f.csv:6',
        ),
        (
            instead(4, DAYS[4], ""),
            {"missing": "forward"},
            [[0, 1, 2, 3, 3, 5, 6, 7, 8, 9]],
            "taken from the row before",
        ),
        (
            instead(0, DAYS[0], ""),
            {"missing": "forward"},
            [[1, 1, 2, 3, 4, 5, 6, 7, 8, 9]],
            "taken from the row before",
        ),
        (
            instead(4, DAYS[4], ""),
            {"missing": "drop", "gaps": "cut"},
            [[0, 1, 2, 3], [5, 6, 7, 8, 9]],
            "row that lacks a",
        ),
        (instead(4, "8 Jan 2020", 4), {"mixed": True}, [TEN], "written in several ways, the second at f.csv:6"),
        ([(day, 3) for day in DAYS], {"constant": True}, [[3] * 10], '"y" never changes in 1 of 1 series'),
        (instead(4, DAYS[4], "x"), {"marks": ("x",), "missing": "interpolate"}, [TEN], "1 missing number"),
        (instead(4, DAYS[4], '"4,0"'), {"decimal": ","}, [TEN], ""),
        (instead(4, DAYS[4], '"1,004"'), {"thousands": ","}, [[0, 1, 2, 3, 1004, 5, 6, 7, 8, 9]], ""),
    ],
)
def test_a_flag_mends_it_and_the_notes_tell(read, tmp_path, found, given, expected, note):
    table = read(rows(found), **given)
    assert values(table) == expected
    assert note in " ".join(table.notes).replace(str(tmp_path) + "/", "")


def test_missing_numbers_can_be_kept(read):
    (found,) = values(read(rows(instead(4, DAYS[4], "")), missing="keep"))
    assert np.flatnonzero(np.isnan(found)).tolist() == [4]


def test_series_are_told_apart_and_keep_their_order(read):
    places = [("b", "x", 2), ("b", "y", 2), ("a", "x", 1), ("a", "y", 1)]
    several = [(day, shop, town, n * times) for n, day in enumerate(DAYS) for shop, town, times in places]
    table = read(rows(several, "date,shop,town,y"), by=("shop", "town"))
    assert table.names == ("b / x", "b / y", "a / x", "a / y")
    assert values(table)[1] == [2 * n for n in range(10)]
    assert values(table)[2] == list(range(10))


def test_faults_of_one_of_several_series_name_it(told):
    several = [(day, shop, n) for n, day in enumerate(DAYS) for shop in "ab" if (n, shop) != (4, "b")]
    assert told(rows(several, "date,shop,y"), by=("shop",)).startswith(
        "f.csv:12: 1 step without a row of b before 2020-01-09: needs a row after each day."
    )


def test_rows_without_a_target_at_the_end_are_the_time_to_come(read):
    table = read(rows([(day, n if n < 8 else "", 10 * n) for n, day in enumerate(DAYS)], "date,y,k"), known=("k",))
    (series,) = table.series
    assert (len(series), len(series.later_times)) == (8, 2)
    assert "2 rows at the end without y, taken for the time to come" in table.notes
    (future,) = table.future(2)
    assert future.times.astype("datetime64[D]").astype(str).tolist() == DAYS[8:]
    assert future.known[:, 0].tolist() == [80, 90]
    with pytest.raises(DataError, match="k for 2 steps after 2020-01-11: needs what is known in advance for all 3"):
        table.future(3)


def test_targets_and_covariates_keep_their_columns(read):
    found = [(n, day, 2 * n, 3 * n, 4 * n) for n, day in enumerate(DAYS)]
    given = {"observed": ("o",), "known": ("k",), "calendar": ("month",)}
    table = read(rows(found, "y,date,k,o,z"), ("z", "y"), **given)
    one = table.series[0]
    assert (one.targets[2].tolist(), one.observed[2].tolist(), one.known[2, 0]) == ([8, 2], [6], 4)
    assert (table.known, one.known.shape) == (("k", "month sin", "month cos"), (10, 3))
    assert read(rows(found, "y,date,k,o,z"), calendar=()).known == ()


def test_a_forecast_needs_less_than_learning(read):
    assert values(read(rows(GOOD[:1]), learning=False, frequency="day")) == [[0]]
    assert values(read(rows([(day, 3) for day in DAYS]), learning=False)) == [[3] * 10]


def test_ends_of_months_may_be_called_months(read):
    ends = [("2020-01-31", 1), ("2020-02-29", 2), ("2020-03-31", 3), ("2020-04-30", 4)]
    assert read(rows(ends), frequency="month").frequency.name == "month end"


@pytest.mark.skipif(not DATA.is_dir(), reason=f"no data in {DATA}")
@pytest.mark.parametrize(
    ("name", "target", "frequency", "length", "first", "last", "ahead"),
    [
        ("ETTh1.csv.gz", "OT", "hour", 17420, 30.5310001373291, 9.56700038909912, "2018-06-26T20"),
        ("airline_passengers.csv", "Passengers", "month", 144, 112, 432, "1961-01-01"),
        ("sunspots_monthly.csv", "Sunspots", "month", 2820, 58, 33.4, "1984-01-01"),
        ("aapl_2015_2017.csv", "AAPL.Close", "session", 506, 127.830002, 135.350006, "2017-02-17"),
        ("sp500_daily_2000_2020.csv", "close", "session", 5105, 1455.219971, 2874.560059, "2020-04-20"),
    ],
)
def test_known_series_are_read(name, target, frequency, length, first, last, ahead):
    """Lengths and first and last values as listed with the data."""
    table = read_series(DATA / name, [target])
    (one,) = table.series
    assert (table.frequency.name, len(one)) == (frequency, length)
    assert (one.targets[0, 0], one.targets[-1, 0]) == (first, last)
    assert table.future(1)[0].times[0] == np.datetime64(ahead)
    if frequency == "session":
        assert any("weekdays have no row" in note for note in table.notes)
        with pytest.raises(DataError, match="needs a row after each business day"):
            read_series(DATA / name, [target], TableSettings(frequency="business day"))


def test_numbers_with_signs_are_sent_to_be_written_without(tmp_path):
    """As forecasts have no flag that drops them."""
    path = tmp_path / "t.csv"
    path.write_text("date,y\n2024-01-01,5 %\n2024-01-02,7 %\n")
    with pytest.raises(DataError, match="Try writing '5', without signs"):
        read_series(path, ["y"])
