"""A forecaster from a table to its verdict, on series that the tests make."""

import csv
import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import scoringrules
import torch

from seqwise.config import resolve
from seqwise.data.series import Span
from seqwise.data.table import read_series
from seqwise.data.tablesettings import Mends, TableSettings
from seqwise.errors import CheckpointError, ConfigError, DataError
from seqwise.models.distributions import Normal, Quantiles, StudentT
from seqwise.tasks.forecasting import Forecast, rivals
from seqwise.tasks.forecasting.answering import foresee
from seqwise.tasks.forecasting.judging import judge_forecasts
from seqwise.tasks.forecasting.predictive import Foreseen, of_paths
from seqwise.tasks.forecasting.scaling import Scales
from seqwise.tasks.forecasting.settings import ScaleSettings
from seqwise.tasks.stored import is_forecast
from seqwise.verbs.forecast import forecast
from seqwise.verbs.predict import predict

QUICK = ("--model.width", "16", "--steps", "60", "--every", "30", "--precision", "fp32", "--lookback", "24")


def table(path, length=400, names=("",), columns=("y",), seed=0, season=12, noise=0.1):
    """Seasons with noise, by the hour; each column and series at a level of its own."""
    random = np.random.default_rng(seed)
    with open(path, "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["time", *(["shop"] if names != ("",) else []), *columns])
        for place, name in enumerate(names):
            for t in range(length):
                time = np.datetime64("2024-01-01T00:00") + np.timedelta64(60 * t, "m")
                level = 100 * (place + 1)
                values = [
                    level + 10 * math.sin(2 * math.pi * (t + 3 * c) / season) + 10 * noise * random.normal()
                    for c in range(len(columns))
                ]
                rows.writerow([str(time), *([name] if name else []), *values])
    return str(path)


def trained(path, out, *more, target=("y",), horizon=6):
    words = ("--train", path, "--target", *target, "--horizon", str(horizon), "--season", "12", "--out", str(out))
    return forecast(resolve(Forecast, None, (*words, *QUICK, *more)))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("forecast")
    path = table(folder / "table.csv", noise=0.4)
    trained(path, folder / "run", "--steps", "400", "--every", "50", "--rate", "0.003")
    return folder / "run"


def test_a_season_is_foreseen_and_beats_what_costs_nothing(run):
    found = judge_forecasts(run)
    assert found.verdict == "better"
    assert found.model.measures["MAE"] < found.forecasters[1].measures["MAE"]
    assert "better than the seasonal naive forecast" in found.sentences()[0]
    assert found.comparisons["MAE"].test.effect.value > 0
    assert found.origins == 60 - 6 + 1  # the last 15 % of 400 hours, and room for the horizon
    assert sum(found.pit) == found.origins * 6
    json.dumps(found.to_dict(), allow_nan=False)


def test_what_comes_next_is_told_in_the_units_of_the_table(run):
    rows = foresee(run).rows()
    assert [row["time"] for row in rows][:2] == ["2024-01-17 16:00", "2024-01-17 17:00"]
    assert len(rows) == 6
    for row in rows:
        assert row["low99.7"] < row["low95"] < row["low68"] < row["mean"] < row["high68"] < row["high95"]
        assert 80 < row["mean"] < 120


def test_the_scale_is_of_the_training_part_alone(run, tmp_path):
    """Other numbers in validation and test leave the standardizer as it is."""
    told = json.loads((run / "standardizer.json").read_text())
    path = table(tmp_path / "other.csv", noise=0.4)
    lines = (tmp_path / "other.csv").read_text().splitlines()
    changed = [line if i < 281 else line.rpartition(",")[0] + ",5000" for i, line in enumerate(lines)]
    (tmp_path / "other.csv").write_text("\n".join(changed) + "\n")
    series = read_series([path], ["y"], TableSettings(), Mends())
    split = series.split(0.15, 0.15)
    found = Scales.fit(series, split.train, ScaleSettings())
    assert found.to_dict()["targets"] == told["targets"]
    assert found.targets[""].fitted_on.rows == 280
    again = Scales.from_dict(json.loads(json.dumps(found.to_dict())))
    assert np.array_equal(again.targets[""].center, found.targets[""].center)


def test_a_run_that_is_interrupted_goes_on_to_the_same_bits(tmp_path):
    path = table(tmp_path / "table.csv", length=200)
    steady = ("--schedule", "constant", "--warmup", "5", "--patience", "0")
    trained(path, tmp_path / "whole", "--steps", "40", "--every", "10", *steady)
    trained(path, tmp_path / "parts", "--steps", "20", "--every", "10", *steady)
    trained(path, tmp_path / "parts", "--steps", "40", "--every", "10", "--resume", *steady)
    assert (tmp_path / "whole/model.safetensors").read_bytes() == (tmp_path / "parts/model.safetensors").read_bytes()
    assert (tmp_path / "whole/calibration.json").read_text() == (tmp_path / "parts/calibration.json").read_text()


def test_resuming_with_other_data_or_settings_is_refused(tmp_path, run):
    path = run.parent / "table.csv"
    with pytest.raises(ConfigError, match=r"horizon is 7 but was 6"):
        trained(str(path), run, "--resume", horizon=7)


@pytest.mark.parametrize("more", [
    ("--transform", "log"),
    ("--transform", "returns"),
    ("--head", "student", "--loss", "likelihood"),
    ("--head", "quantiles", "--transform", "log"),
    ("--model", "transformer", "--model.segment", "6"),
    ("--model.strategy", "rolled"),
    ("--standardize", "robust", "--model.channels", "together"),
    ("--standardize", "none", "--model.instance", "mean"),
])  # fmt: skip
def test_every_kind_trains_foresees_and_is_judged(tmp_path, more):
    path = table(tmp_path / "table.csv", length=150, columns=("y", "z"))
    trained(path, tmp_path / "run", "--steps", "8", *more, target=("y", "z"))
    rows = foresee(tmp_path / "run").rows()
    assert {row["target"] for row in rows} == {"y", "z"}
    assert all(math.isfinite(row["mean"]) and row["low95"] < row["median"] < row["high95"] for row in rows)
    found = judge_forecasts(tmp_path / "run")
    assert math.isfinite(found.model.measures["CRPS"])
    assert found.sentences()


def test_returns_are_logarithms_told_from_the_last_value(tmp_path):
    """The oracle is the same run with both flags written out."""
    path = table(tmp_path / "table.csv", length=150)
    trained(path, tmp_path / "returns", "--steps", "8", "--transform", "returns")
    trained(path, tmp_path / "log", "--steps", "8", "--transform", "log", "--model.instance", "last")
    assert foresee(tmp_path / "returns").rows() == foresee(tmp_path / "log").rows()


def test_several_series_have_scales_of_their_own(tmp_path):
    path = table(tmp_path / "table.csv", length=150, names=("north", "south"))
    trained(path, tmp_path / "run", "--by", "shop", "--steps", "8")
    rows = foresee(tmp_path / "run").rows()
    assert [row["series"] for row in rows] == ["north"] * 6 + ["south"] * 6
    assert rows[0]["mean"] < 150 < rows[-1]["mean"]
    found = judge_forecasts(tmp_path / "run")
    assert (found.series, found.origins) == (2, 22 - 6 + 1)
    assert not [note for note in found.notes if "Errors are means" in note]
    new = table(tmp_path / "new.csv", length=150, names=("west",))
    with pytest.raises(DataError, match=r"the series west, which the run was not trained on"):
        foresee(tmp_path / "run", [new])


def test_errors_that_are_of_the_largest_series_are_told(tmp_path):
    """A shop that sells a hundred times as much decides a mean in pieces sold."""
    head, *rows = Path(table(tmp_path / "table.csv", length=150, names=("north", "south"))).read_text().splitlines()
    cells = [row.split(",") for row in rows]
    larger = [[time, shop, str(float(y) * (100 if shop == "south" else 1))] for time, shop, y in cells]
    (tmp_path / "table.csv").write_text("".join(f"{','.join(row)}\n" for row in [head.split(","), *larger]))
    trained(str(tmp_path / "table.csv"), tmp_path / "run", "--by", "shop", "--steps", "8")
    (note,) = [note for note in judge_forecasts(tmp_path / "run").sentences() if "Errors are means" in note]
    of = dict.fromkeys(("north", "south"))
    for shop in of:
        of[shop] = np.abs(np.diff([float(y) for _, own, y in larger if own == shop])).mean()
    times = float(note.partition("moves ")[2].partition(" times")[0])
    assert times == pytest.approx(of["south"] / of["north"], rel=0.05)
    assert "in south as in north" in note


def test_a_series_that_is_new_is_foreseen_where_all_share_a_scale(tmp_path):
    path = table(tmp_path / "table.csv", length=150, names=("north", "south"))
    trained(path, tmp_path / "run", "--by", "shop", "--steps", "8", "--no-each")
    new = table(tmp_path / "new.csv", length=40, names=("west",))
    assert len(foresee(tmp_path / "run", [new]).rows()) == 6


def test_other_columns_or_steps_at_prediction_are_refused(run, tmp_path):
    path = tmp_path / "other.csv"
    path.write_text("time,x\n2024-01-01,1\n2024-01-02,2\n")
    with pytest.raises(DataError, match="y"):
        foresee(run, [str(path)])
    path.write_text("time,y\n" + "".join(f"2024-01-{d:02},{d}\n" for d in range(1, 30)))
    with pytest.raises(DataError):
        foresee(run, [str(path)])
    path.write_text("time,y\n" + "".join(f"2024-02-01 {h:02}:00,{h}\n" for h in range(10)))
    with pytest.raises(DataError, match="10 steps"):
        foresee(run, [str(path)])


def test_a_table_that_was_trained_on_is_no_test(run, tmp_path):
    old = table(tmp_path / "old.csv", length=300)
    with pytest.raises(DataError, match="all of which the run was trained on"):
        judge_forecasts(run, [old])


def test_the_verb_writes_files_and_pictures(run, tmp_path):
    assert predict(str(run), output=tmp_path / "next.csv", plot=tmp_path / "fan.svg") is None
    assert (tmp_path / "next.csv").read_text().startswith("time,target,mean,sd,median,low68,high68")
    assert (tmp_path / "fan.svg").read_text().startswith("<svg") or "<svg" in (tmp_path / "fan.svg").read_text()
    table = run.parent / "table.csv"  # read where no --input is given
    before = table.read_bytes()
    for more in ({}, {"input": table}):
        with pytest.raises(ConfigError, match=r"--output .*table\.csv, which is"):
            predict(str(run), output=table, **more)
    assert table.read_bytes() == before
    told = predict(str(run), json=True)
    assert json.loads(told.splitlines()[0])["target"] == "y"
    with pytest.raises(ConfigError, match=r"--beams for the forecaster"):
        predict(str(run), beams=3)
    with pytest.raises(ConfigError, match=r"ends in \.csv"):
        predict(str(run), output=tmp_path / "next.xyz")
    assert not (tmp_path / "next.xyz").exists()


def test_other_verbs_say_what_the_run_is(run):
    from seqwise.tasks.opening import open_own

    assert is_forecast(run)
    with pytest.raises(ConfigError, match="was trained to forecast"):
        open_own(run)


@pytest.mark.parametrize(("words", "told"), [
    (("--target", "y", "--horizon", "0"), "--horizon 0"),
    (("--horizon", "3"), "no --target"),
    (("--target", "y", "--head", "quantiles", "--loss", "likelihood"), "quantiles have no density"),
    (("--target", "y", "--head", "student", "--transform", "log"), "--head student with --scale.transform log"),
    (("--target", "y", "--transform", "returns", "--model.instance", "mean"), "--scale.transform returns with"),
    (("--target", "y", "--model.strategy", "rolled", "--model.segment", "4"), "--model.strategy rolled"),
    (("--target", "y", "--resume", "--overwrite"), "--resume with --overwrite"),
    (("--target", "y", "--valid", "0"), "--split.valid 0"),
    (("--target", "y", "--horizon", "300"), "--horizon 300"),
    (("--target", "y", "--valid", "2040-01-01"), "valid 2040-01-01"),
])  # fmt: skip
def test_what_cannot_be_is_one_line(tmp_path, words, told):
    path = table(tmp_path / "table.csv", length=200)
    with pytest.raises((ConfigError, DataError)) as caught:
        forecast(resolve(Forecast, None, ("--train", path, "--out", str(tmp_path / "run"), *words)))
    assert told in str(caught.value)
    assert "\n" not in str(caught.value.faults[0])
    assert not (tmp_path / "run").exists()


def test_prices_that_fall_to_zero_have_no_logarithm(tmp_path):
    (tmp_path / "t.csv").write_text("day,y\n" + "".join(f"2024-01-{d:02},{max(0, 9 - d)}\n" for d in range(1, 31)))
    with pytest.raises(DataError, match=r"y is 0 at 2024-01-09: needs numbers above 0 for logarithms"):
        trained(str(tmp_path / "t.csv"), tmp_path / "run", "--transform", "log", "--lookback", "2", horizon=1)


# rivals


def test_rivals_are_what_their_names_say():
    """Written out by hand for one window."""
    y = np.array([[1.0], [5.0], [2.0], [6.0], [3.0], [7.0], [4.0]])
    starts = np.array([6])
    found = [rivals.foreseen(y, starts, 3, 2, place)[0, :, 0].tolist() for place in range(3)]
    assert found == [[7, 7, 7], [3, 7, 3], [7 + 6 / 5, 7 + 12 / 5, 7 + 18 / 5]]


def test_a_missing_value_is_as_it_was_last():
    y = np.array([[np.nan], [5.0], [np.nan], [6.0]])
    assert rivals.foreseen(y, np.array([3]), 1, 1, 0).item() == 5
    assert rivals.foreseen(y, np.array([1]), 1, 1, 0).item() == 5  # before the first, the first


def test_the_bands_of_the_naive_forecast_grow_with_the_root_of_a_random_walk():
    """The oracle is the random walk: h steps ahead its sd is that of a step times the root of h."""
    walk = np.random.default_rng(1).normal(size=(20_000, 1)).cumsum(0)
    sd = rivals.widths(walk, 9, 1)[0, 0]
    assert sd == pytest.approx(np.sqrt(np.arange(1, 10)), rel=0.05)


def test_widths_of_a_short_training_part_grow_from_what_is_known():
    sd = rivals.widths(np.arange(12.0)[:, None] % 3, 30, 3)
    assert sd.shape == (3, 1, 30)
    assert np.isfinite(sd).all()
    assert (np.diff(sd[0, 0, 12:]) > 0).all()


# distributions in the data's units


def test_the_lognormal_has_its_moments_and_its_crps():
    """Oracles: scipy's lognorm, scoringrules."""
    from scipy.stats import lognorm

    m, s = torch.tensor([0.3, 1.0], dtype=torch.float64), torch.tensor([0.5, 0.1], dtype=torch.float64)
    found = Foreseen(Normal(m, s), logarithms=True)
    oracle = lognorm(s=s.numpy(), scale=np.exp(m.numpy()))
    y = torch.tensor([1.7, 2.2], dtype=torch.float64)
    assert found.mean.numpy() == pytest.approx(oracle.mean(), rel=1e-12)
    assert found.sd.numpy() == pytest.approx(oracle.std(), rel=1e-12)
    assert found.quantile(0.9).numpy() == pytest.approx(oracle.ppf(0.9), rel=1e-12)
    assert found.nll(y).numpy() == pytest.approx(-oracle.logpdf(y.numpy()), rel=1e-12)
    assert found.cdf(y).numpy() == pytest.approx(oracle.cdf(y.numpy()), rel=1e-12)
    theirs = scoringrules.crps_lognormal(y.numpy(), m.numpy(), s.numpy())
    assert found.crps(y).numpy() == pytest.approx(theirs, rel=1e-9)


def test_sums_over_quantiles_come_near_the_closed_forms():
    """Quantiles that are those of a normal distribution: the lognormal of the test above is the oracle."""
    m, s = torch.tensor([0.3], dtype=torch.float64), torch.tensor([0.5], dtype=torch.float64)
    scores = torch.arange(-6, 7, dtype=torch.float64) * 0.5
    inner = Quantiles(m[:, None] + s[:, None] * scores)
    one, other = Foreseen(inner, True), Foreseen(Normal(m, s), True)
    y = torch.tensor([1.1], dtype=torch.float64)
    assert one.crps(y).item() == pytest.approx(other.crps(y).item(), rel=5e-3)
    assert one.mean.item() == pytest.approx(other.mean.item(), rel=5e-3)
    assert one.sd.item() == pytest.approx(other.sd.item(), rel=2e-2)


def test_residuals_of_the_true_distribution_are_standard_normal():
    df = torch.full((4000,), 5.0, dtype=torch.float64)
    found = Foreseen(StudentT(df * 0, df / 5, df))
    y = torch.from_numpy(np.random.default_rng(2).standard_t(5, 4000))
    scores = found.scores(y)
    assert scores.mean().item() == pytest.approx(0, abs=0.05)
    assert scores.std().item() == pytest.approx(1, abs=0.04)


def test_paths_become_the_distribution_that_they_were_drawn_from():
    paths = torch.from_numpy(np.random.default_rng(3).normal(2.0, 3.0, (20_000, 1)))
    for normal in (True, False):
        found = of_paths(paths, normal)
        assert found.mean.item() == pytest.approx(2, abs=0.1)
        assert found.sd.item() == pytest.approx(3, rel=0.03)


def test_the_test_part_begins_where_training_and_validation_end(run):
    from seqwise.tasks.forecasting.backtest import span_of
    from seqwise.tasks.forecasting.foreseeing import read_table
    from seqwise.tasks.forecasting.stored import open_run

    stored = open_run(run)
    series = read_table(stored, ())
    span = span_of(stored, series)
    assert isinstance(span, Span)
    assert series.within(span).times[0] == series.split(0.15, 0.15).test.begin


def test_a_damaged_file_of_the_run_is_told(run, tmp_path):

    shutil.copytree(run, tmp_path / "run")
    (tmp_path / "run" / "series.json").write_text('{"targets": ["y"]}')
    with pytest.raises(CheckpointError, match=r"series\.json: it is not what a run of this version has"):
        foresee(tmp_path / "run")
