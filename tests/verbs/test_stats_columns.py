"""`seqwise stats normal`, `standardize`, `control` and `series`, against numpy and scipy."""

import json
import re
import subprocess
import sys

import numpy as np
import polars
import pytest
from scipy import stats

from seqwise.cli import main
from seqwise.errors import CheckpointError, ConfigError, DataError
from seqwise.verbs.stats.control import control
from seqwise.verbs.stats.normal import normal
from seqwise.verbs.stats.series import series
from seqwise.verbs.stats.standardize import standardize


def written(path, **columns):
    polars.DataFrame(columns).write_csv(path)
    return str(path)


def result(answer, part=0):
    return answer.parts[part].result


def test_normal_takes_the_only_column_of_numbers(tmp_path):
    x = np.random.default_rng(0).normal(170, 10, 120)
    file = written(tmp_path / "t.csv", **{"height [cm]": x, "who": ["a"] * 120})
    answer = normal((file,), sums=True, reference=True, report=tmp_path / "r.html")
    found = result(answer)
    assert (found.name, found.unit, found.n) == ("height", "cm", 120)
    shapiro = next(test for test in found.tests if "Shapiro" in test.name)
    assert shapiro.statistic == pytest.approx(stats.shapiro(x).statistic, rel=1e-9)
    assert [part.heading for part in answer.parts] == [
        "Is height normal?",
        "Means of height",
        "Reference interval of height",
    ]
    assert (tmp_path / "r.html").read_text().count("<svg") == 2


def test_normal_asks_which_column(tmp_path):
    file = written(tmp_path / "t.csv", a=[1.0, 2.0, 3.0], b=[1.0, 2.0, 4.0])
    with pytest.raises(ConfigError, match="no --column: needs one of 'a', 'b'"):
        normal((file,))


@pytest.fixture
def numbers(tmp_path):
    chance = np.random.default_rng(1)
    x, y = chance.normal(1e6, 3, 500), chance.gamma(2, size=500)
    y[7] = np.nan
    path = tmp_path / "train.parquet"
    polars.DataFrame({"name": [f"row {at}" for at in range(500)], "x": x, "y": y}).with_columns(
        polars.col("y").fill_nan(None)
    ).write_parquet(path)
    return str(path), x, y


@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl", "parquet"])
@pytest.mark.parametrize("kind", ["z", "robust", "minmax"])
def test_standardized_and_back(numbers, tmp_path, ending, kind):
    """There: numpy's mean and sd, quantiles, ends. Back: the same numbers to the last digits."""
    file, x, y = numbers
    out, back, saved = tmp_path / f"z.{ending}", tmp_path / f"b.{ending}", tmp_path / "s.json"
    standardize((file,), out=out, kind=kind, save=saved)
    read = {"csv": polars.read_csv, "jsonl": polars.read_ndjson, "parquet": polars.read_parquet,
            "tsv": lambda path: polars.read_csv(path, separator="\t")}[ending]  # fmt: skip
    z = read(out)
    low, middle, high = np.quantile(x, [0.25, 0.5, 0.75])
    expected = {"z": (x - x.mean()) / x.std(), "robust": (x - middle) / (high - low),
                "minmax": (x - x.min()) / (x.max() - x.min())}[kind]  # fmt: skip
    found = z["x"].to_numpy()
    scale = np.polyfit(expected, found, 1)[0]  # robust may count in sds of the normal distribution
    assert scale == pytest.approx(1, rel=1e-9) or kind == "robust"
    np.testing.assert_allclose(found, expected * (scale if kind == "robust" else 1), rtol=1e-9, atol=1e-9)
    assert z["name"].to_list()[:2] == ["row 0", "row 1"]
    assert z["y"].null_count() == 1
    standardize((str(out),), out=back, apply=saved, invert=True)
    np.testing.assert_allclose(read(back)["x"].to_numpy(), x, rtol=1e-15)
    np.testing.assert_allclose(read(back)["y"].fill_null(np.nan).to_numpy(), y, rtol=1e-12)


def test_what_was_learnt_is_applied_to_other_data(numbers, tmp_path):
    file, x, _ = numbers
    saved = tmp_path / "s.json"
    standardize((file,), columns="x", ddof=1, save=saved)
    other = written(tmp_path / "new.csv", x=[float(x.mean()), float(x.mean() + x.std(ddof=1))])
    answer = standardize((other,), apply=saved, out=tmp_path / "new-z.csv")
    assert polars.read_csv(tmp_path / "new-z.csv")["x"].to_list() == pytest.approx([0, 1], abs=1e-9)
    assert "500 rows of train.parquet" in answer.sentences()[0]


def test_a_fault_further_on_leaves_no_file(tmp_path):
    path, out = tmp_path / "t.csv", tmp_path / "z.csv"
    path.write_text("x,y\n" + "1,2\n2,3\n" * 3000)
    saved = tmp_path / "s.json"
    standardize((str(path),), save=saved)
    path.write_text("x,y\n" + "1,2\n2,3\n" * 3000 + "three,4\n")
    with pytest.raises(DataError, match=r"t\.csv:6002"):
        standardize((str(path),), apply=saved, out=out)
    assert not out.exists()
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ({"invert": True}, "--invert without --apply"),
        ({"apply": "s.json", "save": "t.json"}, "--save with --apply"),
        ({"out": "z.xlsx"}, "ends in .csv"),
        ({"out": "train.parquet"}, "which is read"),
        ({"apply": "none.json"}, "cannot be read"),
        ({"apply": "wrong.json"}, "a file that --save wrote"),
        ({"apply": "other.json"}, "no column 'q'"),
        ({"columns": "name"}, "name"),
    ],
)
def test_what_cannot_be_standardized_is_refused(numbers, tmp_path, monkeypatch, flags, told):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wrong.json").write_text('{"kind": "z"}')
    standardize((written(tmp_path / "q.csv", q=[1.0, 2.0]),), save=tmp_path / "other.json")
    from pathlib import Path

    given = {name: Path(value) if name in ("out", "apply", "save") else value for name, value in flags.items()}
    with pytest.raises((ConfigError, DataError, CheckpointError), match=re.escape(told)):
        standardize(("train.parquet",), **given)


def test_a_column_that_does_not_vary_is_refused_or_passed(tmp_path):
    file = written(tmp_path / "t.csv", x=[2.0, 2.0, 2.0])
    with pytest.raises(DataError, match="leaving this column out, --constant pass or --constant zero"):
        standardize((file,))
    standardize((file,), constant="zero", out=tmp_path / "z.csv")
    assert polars.read_csv(tmp_path / "z.csv")["x"].to_list() == [0, 0, 0]


@pytest.fixture
def wafers(tmp_path):
    x = np.random.default_rng(4).normal(10, 0.2, 60)
    x[40] = 12
    return written(tmp_path / "w.csv", **{"thickness (mm)": x, "batch": [f"b{at // 4 + 1}" for at in range(60)]}), x


def test_a_point_beyond_the_limits_is_found(wafers, tmp_path):
    file, x = wafers
    answer = control((file,), lower=9, upper=11, report=tmp_path / "r.html")
    chart = result(answer)
    assert chart.sd.value == pytest.approx(np.abs(np.diff(x)).mean() / 1.128379167, rel=1e-6)  # d2 of two values
    assert any(signal.rule == 1 and signal.index == 40 for signal in chart.signals)
    assert "mm" in answer.sentences()[1] + answer.sentences()[2]
    assert (tmp_path / "r.html").read_text().count("<svg") == 3
    assert result(answer, 1).limits == (9, 11)


def test_subgroups_and_small_shifts(wafers, tmp_path):
    file, x = wafers
    chart = result(control((file,), subgroup="batch", report=tmp_path / "r.html"))
    assert chart.points == pytest.approx(tuple(x.reshape(-1, 4).mean(1)))
    assert "b11" in (tmp_path / "r.html").read_text()
    assert result(control((file,), ewma=True)).kind == "EWMA"
    with pytest.raises(ConfigError, match="--ewma with --subgroup"):
        control((file,), ewma=True, subgroup="batch")


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ({"centre": 1.0}, "--centre without --sd"),
        ({"sd": 1.0}, "--sd without --centre"),
        ({"centre": 1.0, "sd": -1.0}, "--sd -1: needs an sd above 0"),
        ({"lower": 5.0, "upper": 3.0}, "--lower 5 with --upper 3.*Try --lower 3 --upper 5"),
    ],
)
def test_flags_that_contradict_each_other_are_named(flags, told):
    with pytest.raises(ConfigError, match=told):
        control(("nothing is read.csv",), **flags)


@pytest.fixture
def months(tmp_path):
    t = np.arange(96)
    x = 100 + t + 10 * np.sin(2 * np.pi * t / 12) + np.random.default_rng(0).normal(size=96)
    return written(tmp_path / "s.csv", month=[f"{2000 + at // 12}-{at % 12 + 1:02}-01" for at in t], close=x), x


def test_a_season_is_found_and_drawn(months, tmp_path):
    file, x = months
    answer = series((file,), time="month", report=tmp_path / "r.html")
    found = result(answer)
    assert found.seasons.period == 12
    assert (
        np.array(found.seasons.trend) + found.seasons.season + np.array(found.seasons.rest)
    ) == pytest.approx(x)  # fmt: skip
    html = (tmp_path / "r.html").read_text()
    assert "2000-01-01 to 2007-12-01, every month" in html
    assert "period, in steps" in html


def test_returns_and_risk_of_prices(months):
    file, x = months
    answer = series((file,), value="close", returns=True, prices=True, year=12)
    assert result(answer).n == 95
    sd = float(np.std(np.diff(x) / x[:-1], ddof=1)) * 12**0.5
    assert result(answer, 1).volatility.value == pytest.approx(sd, rel=1e-9)


def test_the_deepest_fall_is_dated(months):
    file, _ = months
    fall = result(series((file,), value="close", time="month", prices=True, year=12), 1).drawdown
    note = series((file,), value="close", time="month", prices=True, year=12).notes[0]
    year, month = divmod(fall.trough, 12)
    assert f"price {fall.trough + 1} was seen on {2000 + year}-{month + 1:02}-01" in note
    assert not series((file,), value="close", prices=True, year=12).notes


def test_what_looks_like_a_split_is_dated(tmp_path):
    x = 100 * np.exp(np.random.default_rng(4).normal(0, 0.01, 60).cumsum())
    x[30:] /= 4
    file = written(tmp_path / "p.csv", day=(np.datetime64("2024-01-01") + np.arange(60)).astype(str), close=x)
    answer = series((file,), value="close", time="day", prices=True)
    assert "What looks like a split: price 31 was seen on 2024-01-31." in answer.notes
    assert "a split of 4 for 1" in answer.sentences()[-1]


def prices(path, days):
    x = 100 * np.exp(np.random.default_rng(2).normal(0, 0.01, len(days)).cumsum())
    return written(path, day=days.astype(str), close=x), float(np.std(np.diff(x) / x[:-1], ddof=1))


@pytest.mark.parametrize(
    ("days", "periods"),
    [
        (np.arange("2015-01", "2025-01", dtype="datetime64[M]").astype("datetime64[D]"), 12),
        (np.datetime64("2015-01-02") + 7 * np.arange(120), 52),
        (np.datetime64("2015-01-02") + np.arange(120), 365),
        (np.busday_offset("2015-01-02", np.arange(120)), 252),
        (np.datetime64("2015-01-02") + np.arange(120) * 14, 26),
        (np.datetime64("2015-01-02T00:00") + 60 * np.arange(120), 24 * 365.2425),
    ],
)
def test_rows_in_a_year_are_those_of_the_time_column(days, periods, tmp_path):
    """Months taken for trading days would have 4.6 times the volatility that they have."""
    file, sd = prices(tmp_path / "p.csv", days)
    risk = result(series((file,), value="close", time="day", prices=True), 1)
    assert risk.volatility.value == pytest.approx(sd * periods**0.5, rel=1e-9)
    assert f" a year of {round(periods):,} periods" in risk.sentences()[0]
    assert result(series((file,), value="close", time="day", prices=True, year=100), 1).periods == 100
    assert result(series((file,), value="close", prices=True), 1).periods == 252


def test_steps_that_are_not_equal_are_told(tmp_path):
    days = np.datetime64("2024-01-01") + np.arange(60)
    file, _ = prices(tmp_path / "p.csv", days)
    assert not series((file,), value="close", time="day").notes
    file, _ = prices(tmp_path / "p.csv", np.delete(days, [20, 21, 40]))
    assert series((file,), value="close", time="day").notes == (
        "Rows count as steps of equal length, one day each, but 2 of 56 are not: the first follows 2024-01-20.",
    )
    odd = np.datetime64("2024-01-01") + np.cumsum(np.random.default_rng(0).integers(1, 40, 60))
    file, _ = prices(tmp_path / "p.csv", odd)
    assert "no common distance" in series((file,), value="close", time="day").notes[0]
    file, _ = prices(tmp_path / "p.csv", np.insert(days, 5, days[5]))
    with pytest.raises(DataError, match=r"2024-01-06 twice in 'day', rows 6 and 7: .* Try leaving one of the two out"):
        series((file,), value="close", time="day")


@pytest.mark.parametrize("scale", [1e300, 1e-300])
@pytest.mark.parametrize("verb", ["compare", "control", "series", "normal", "regress"])
def test_numbers_whose_powers_no_float_holds_are_refused(verb, scale, tmp_path, capsys):
    file = written(tmp_path / "t.csv", x=scale * np.arange(1.0, 41), y=np.arange(40.0), g=["a", "b"] * 20)
    words = {"compare": ["--value", "x", "--by", "g"], "normal": ["--column", "x"],
             "regress": ["--target", "y", "--on", "x"]}.get(verb, ["--value", "x"])  # fmt: skip
    assert main(["stats", verb, file, *words]) == 2
    assert "needs numbers between 1e-70 and 1e+70" in capsys.readouterr().err


def test_long_tables_are_cut_in_the_terminal_and_whole_in_the_report(tmp_path, capsys):
    file = written(tmp_path / "t.csv", x=np.random.default_rng(0).normal(size=300))
    assert main(["stats", "series", file, "--lags", "90", "--report", str(tmp_path / "r.html")]) == 0
    out = capsys.readouterr().out
    assert "first 50 of 90 rows: --json and a report have all" in " ".join(out.split())
    assert "first 50 of 90" not in (tmp_path / "r.html").read_text()
    wide = written(tmp_path / "w.csv", **{f"c{at}": [1.0, 2.0, 4.0] for at in range(80)})
    assert main(["stats", "describe", wide]) == 0
    assert capsys.readouterr().out.count("c79") >= 2


def test_times_out_of_order_and_missing_values_are_refused(tmp_path):
    late = written(tmp_path / "l.csv", day=["2024-01-02", "2024-01-01"] * 20, x=np.arange(40.0))
    with pytest.raises(DataError, match="2024-01-01 after 2024-01-02 in 'day', row 2"):
        series((late,), time="day")
    holes = tmp_path / "h.csv"
    holes.write_text("x\n" + "1\n2\n" * 20 + "NA\n5\n")
    with pytest.raises(DataError, match="1 of 42 values of x missing, the first in row 41"):
        series((str(holes),))


@pytest.mark.parametrize("verb", ["describe", "standardize", "normal", "compare", "regress", "control", "series"])
def test_every_verb_tells_how_it_is_called(verb, capsys):
    assert main(["stats", verb, "--help"]) == 0
    out = capsys.readouterr().out
    assert f"seqwise stats {verb}" in out
    assert all(flag in out for flag in ("--json", "--report", "--thousands", "--delimiter"))
    assert "None]" not in out
    flat = " ".join(out.replace("│", " ").split())
    assert "also before .gz; all else is CSV." in flat  # the lines of the source are one


def test_the_help_of_all_and_of_a_fault_lead_to_the_part(capsys):
    assert main(["stats"]) == 0
    out = capsys.readouterr().out
    assert "seqwise stats describe --help" in out
    assert "demo" not in out
    assert main(["stats", "compare"]) == 2
    assert (
        capsys.readouterr().err == "seqwise: --value is not given: needs a value. Try seqwise stats compare --help.\n"
    )
    assert main(["stats", "describe", __file__, "--encoding", "klingon"]) == 2
    assert "--encoding klingon: needs an encoding that Python knows. Try --encoding utf-8" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["describe", "compare", "normal", "control", "regress", "standardize"])
def test_torch_is_left_alone_where_nothing_is_written(verb):
    code = f"import sys, seqwise.verbs.stats.{verb}; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_json_of_every_part(months, capsys):
    file, _ = months
    assert main(["stats", "series", file, "--prices", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert set(told) == {"What close is made of", "Risk of close", "notes"}
    assert told["Risk of close"]["sentences"]


def test_other_ways_to_write_numbers(tmp_path, capsys):
    path = tmp_path / "de.csv"
    path.write_text("x;y\n1.234,5;a\n2.000,25;b\n1.500,0;a\n")
    words = ["stats", "describe", str(path), "--decimal", ",", "--thousands", ".", "--json"]
    assert main(words) == 0
    assert json.loads(capsys.readouterr().out)["Columns"]["numbers"][0]["maximum"] == 2000.25
