"""Forecasts as a stranger asks for them: numbers checked by hand, tables that do not fit, few rows, whole files."""

import csv
import json
import math

import numpy as np
import pytest
from scipy.stats import norm

from seqwise.config import resolve
from seqwise.data.frequency import Frequency
from seqwise.errors import ConfigError, DataError
from seqwise.metrics.numbers import BANDS
from seqwise.tasks.forecasting import Forecast, rivals
from seqwise.tasks.forecasting.answering import foresee
from seqwise.tasks.forecasting.holding import by_chance, holding
from seqwise.tasks.forecasting.judging import judge_forecasts
from seqwise.tasks.forecasting.preparation import cut_of
from seqwise.training.events import Finished
from seqwise.verbs.evaluate import evaluate
from seqwise.verbs.forecast import Trained, forecast
from seqwise.verbs.predict import predict

TEST = 14  # steps of the test part
QUICK = ("--model.width", "8", "--steps", "30", "--every", "30", "--precision", "fp32")


def hourly(path, values, begin="2024-01-01T00:00", minutes=60):
    """A table of one column, and its rows."""
    times = (np.datetime64(begin) + np.timedelta64(minutes * t, "m") for t in range(len(values)))
    rows = [(str(time), float(value)) for time, value in zip(times, values, strict=True)]
    return written(path, rows)


def written(path, rows):
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([("time", "y"), *rows])
    return str(path)


def waves(length, seed=0):
    random = np.random.default_rng(seed)
    return 100 + 10 * np.sin(np.arange(length) * 2 * np.pi / 12) + 3 * random.normal(size=length)


def trained(path, out, *more, horizon=3):
    words = ("--train", path, "--target", "y", "--horizon", str(horizon), "--out", str(out))
    return forecast(resolve(Forecast, None, (*words, *QUICK, *more)))


@pytest.fixture(scope="module")
def values():
    return waves(240)


@pytest.fixture(scope="module")
def run(tmp_path_factory, values):
    folder = tmp_path_factory.mktemp("edges")
    split = ("--season", "1", "--lookback", "12", "--valid", "62", "--test", str(TEST))
    trained(hourly(folder / "table.csv", values), folder / "run", *split, horizon=2)
    return folder / "run"


def foretold(run, values, folder, horizon=2):
    """What `predict` says at each origin of the test part, from a table that ends there; and what came."""
    begin = len(values) - TEST
    for origin in range(begin, len(values) - horizon + 1):
        path = hourly(folder / "until.csv", values[:origin])
        yield foresee(run, [path]).rows(), values[origin : origin + horizon]


# what is told is true


def test_measures_are_those_of_forecasts_that_saw_nothing_of_what_came(run, values, tmp_path):
    """By hand, from tables cut off at each origin: the model cannot have seen more, and every mean is numpy's."""
    found = judge_forecasts(run).model.measures
    off, squares, costs = [], [], []
    for rows, truth in foretold(run, values, tmp_path):
        off += [abs(y - row["median"]) for row, y in zip(rows, truth, strict=True)]
        squares += [(y - row["mean"]) ** 2 for row, y in zip(rows, truth, strict=True)]
        costs.append(len(rows))
    assert sum(costs) == 2 * judge_forecasts(run).origins
    assert found["MAE"] == pytest.approx(np.mean(off), rel=1e-6)
    assert found["RMSE"] == pytest.approx(np.mean(squares) ** 0.5, rel=1e-6)


def test_crps_and_coverage_are_those_of_the_bands_that_are_written(tmp_path, values):
    """Of a run whose bands stay as calibrated, since too few windows came after training: the closed form of CRPS."""
    path = hourly(tmp_path / "table.csv", values[:80])
    trained(path, tmp_path / "run", "--season", "1", "--lookback", "6", "--valid", "15", "--test", str(TEST), horizon=2)
    found = judge_forecasts(tmp_path / "run").model
    costs, inside = [], []
    for rows, truth in foretold(tmp_path / "run", values[:80], tmp_path):
        for row, y in zip(rows, truth, strict=True):
            z = (y - row["mean"]) / row["sd"]
            costs.append(row["sd"] * (z * (2 * norm.cdf(z) - 1) + 2 * norm.pdf(z) - 1 / math.sqrt(math.pi)))
            inside.append([row[f"low{name}"] <= y <= row[f"high{name}"] for name in ("68", "95", "99.7")])
    assert found.measures["CRPS"] == pytest.approx(np.mean(costs), rel=1e-6)
    assert found.coverage == pytest.approx(np.mean(inside, axis=0))


def test_bands_fitted_again_hold_what_those_of_predict_hold(run, values, tmp_path):
    """Origin by origin, from tables cut off there. At the first, nothing came after validation: two may differ."""
    found = judge_forecasts(run)
    assert found.kept is not None
    held = np.zeros(2)
    for rows, truth in foretold(run, values, tmp_path):
        for row, y in zip(rows, truth, strict=True):
            held += [row[f"low{name}"] <= y <= row[f"high{name}"] for name in ("68", "95")]
    told = np.array(found.kept[:2]) * found.origins * 2
    assert np.abs(told - held).max() <= 2 + 1e-9


def test_few_origins_cannot_tell_whether_bands_hold(tmp_path, values):
    path = hourly(tmp_path / "table.csv", values[:80])
    trained(path, tmp_path / "run", "--lookback", "6", "--valid", "20", "--test", "12", horizon=10)
    found = judge_forecasts(tmp_path / "run")
    assert found.origins == 3
    assert found.holding in ("hold", "cannot tell")
    assert "From 3 origins" in found.grids()[0].note
    assert "each 10 steps ahead" in found.grids()[0].note


def test_bands_are_judged_by_what_chance_can_do():
    random = np.random.default_rng(0)
    one, two = BANDS[:2]
    true = [(np.arange(400) < 400 * level).astype(float) for level in (one, two)]
    assert holding(true, BANDS[:2], 1) == "hold"
    narrow = [(random.random(400) < level).astype(float) for level in (0.5, 0.8)]
    assert holding(narrow, BANDS[:2], 1) == "narrow"
    assert holding([np.ones(400), np.ones(400)], BANDS[:2], 1) == "wide"
    assert holding([np.ones(400), narrow[1]], BANDS[:2], 1) == "uneven"
    assert holding([np.ones(3), np.ones(3)], BANDS[:2], 3) == "cannot tell"
    assert holding([np.zeros(1), np.zeros(1)], BANDS[:2], 1) == "cannot tell"


def test_chance_strays_as_far_as_it_is_said():
    """Of true bands whose origins share their steps, 95 of 100 shares are so near: counted in 400 series."""
    random = np.random.default_rng(1)
    level, steps, far = BANDS[0], 4, 0
    for _ in range(400):
        hits = (random.random(203) < level).astype(float)
        held = np.convolve(hits, np.ones(steps) / steps, "valid")
        far += abs(held.mean() - level) > by_chance(held, level, steps)
    assert far / 400 == pytest.approx(0.05, abs=0.035)


def test_a_target_that_never_changed_has_no_scale_and_no_warning(tmp_path):
    """MASE divides by nothing: it is not a number, and JSON stays JSON."""
    path = hourly(tmp_path / "table.csv", np.full(80, 5.0))
    trained(path, tmp_path / "run", "--mend.constant", "--lookback", "6")
    told = json.loads(evaluate(str(tmp_path / "run"), json=True))
    assert told["forecasters"][0]["measures"]["MASE"] in (None, "nan")
    assert "which is more" in told["sentences"][0]


def test_a_target_that_changes_too_late_is_told_with_the_flag(tmp_path):
    late = np.where(np.arange(80) < 60, 5.0, waves(80))
    with pytest.raises(DataError, match=r"from 2024-01-01 to .*, the training part.*--mend\.constant true"):
        trained(hourly(tmp_path / "table.csv", late), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_rivals_of_few_rows_have_bands_in_the_unit_of_the_table():
    """A thousand times the numbers, a thousand times the width."""
    few = waves(6)[:, None]
    assert rivals.widths(1000 * few, 2, 24) == pytest.approx(1000 * rivals.widths(few, 2, 24))
    assert (rivals.widths(few, 2, 24) > 0).all()


# settings that cannot be


@pytest.mark.parametrize("text", ["nan", "inf", "-5", "1.5", "-0.1"])
def test_a_part_is_a_share_a_number_of_steps_or_a_time(text):
    with pytest.raises(ConfigError, match=rf"--split\.test {text}: needs a share between 0 and 1"):
        cut_of(text, "--split.test")


def test_parts_are_read_as_they_are_meant():
    assert [cut_of(text, "") for text in ("0", "0.0", "0.15", "20", "2017-06-26")] == [
        None,
        None,
        0.15,
        20,
        "2017-06-26",
    ]
    with pytest.raises(DataError, match=r"--split\.valid soon: needs a date or time"):
        cut_of("soon", "--split.valid")


@pytest.mark.parametrize(("words", "told", "mended"), [
    (("--valid", "30", "--test", "5"), "--horizon 9 with 5 steps in the test part", ("--test", "9")),
    (("--valid", "30", "--test", "5"), "--horizon 9 with 5 steps in the test part", ("--test", "0")),
    (("--valid", "4", "--test", "20"), "--horizon 9 with 4 steps in the validation part", ("--horizon", "4")),
    (("--lookback", "50", "--valid", "15", "--test", "15"), "--lookback 50 with 50 steps in the training part",
     ("--lookback", "20")),
])  # fmt: skip
def test_a_horizon_that_no_part_has_room_for_is_told_before_training(tmp_path, words, told, mended):
    """And the mend that is told mends it."""
    path = hourly(tmp_path / "table.csv", waves(80))
    with pytest.raises(DataError) as caught:
        trained(path, tmp_path / "run", *words, horizon=9)
    assert told in str(caught.value)
    flag = mended[0].removeprefix("--")
    assert flag in caught.value.faults[0].mend
    assert not (tmp_path / "run").exists()
    trained(path, tmp_path / "run", *words, *mended, horizon=9)


def test_ten_rows_are_enough(tmp_path):
    trained(hourly(tmp_path / "table.csv", waves(10)), tmp_path / "run", horizon=1)
    assert len(foresee(tmp_path / "run").rows()) == 1
    assert judge_forecasts(tmp_path / "run").sentences()


def test_a_run_that_was_stopped_says_how_it_goes_on():
    stopped = Trained("runs/x", 1, Finished(3, "signal", 0, {}), 1.0, (), True)
    whole = Trained("runs/x", 1, Finished(3, "steps", 3, {"loss": 1.0}), 1.0, (), True)
    cells = [list(one.__rich__().columns[1].cells) for one in (stopped, whole)]
    assert cells[0][-1] == "seqwise train forecast runs/x/config.yaml --resume"
    assert cells[1][-1] == "seqwise evaluate runs/x, then seqwise predict runs/x"


# tables at prediction


def test_a_table_of_other_steps_is_told_as_such(run, tmp_path):
    for minutes, told in ((15, "15 minutes"), (1440, "one day")):
        path = hourly(tmp_path / "other.csv", waves(60), minutes=minutes)
        with pytest.raises(DataError, match=rf"steps of {told}: needs steps of one hour, as in training"):
            foresee(run, [path])


def test_a_week_of_sessions_may_look_like_days():
    day, session, business = Frequency("day"), Frequency("session"), Frequency("business day")
    assert day.like(session)
    assert business.like(session)
    assert session.like(business)
    assert not session.like(day)
    assert not Frequency("day", 2).like(session)
    assert not Frequency("hour").like(session)


def test_faults_of_a_table_at_prediction_name_no_flag_that_is_not_there(run, tmp_path, values):
    """How a table is read was settled in training."""
    times = [f"2024-01-{1 + t // 24:02} {t % 24:02}:00" for t in range(60)]
    rows = list(zip(times, values[:60], strict=True))
    gap = written(tmp_path / "gap.csv", rows[:20] + rows[23:])
    with pytest.raises(DataError, match=r"gap\.csv:22: .*Try mending the table, or training with --mend\.gaps fill"):
        foresee(run, [gap])
    text = written(tmp_path / "text.csv", [*rows[:30], (times[30], "broken"), *rows[31:]])
    with pytest.raises(DataError, match=r"text\.csv:32: .*or training with --mend\.marks broken"):
        foresee(run, [text])
    (tmp_path / "names.csv").write_text("time,x\n2024-01-01,1\n")
    with pytest.raises(DataError, match=r"Try a table with the columns of training"):
        foresee(run, [str(tmp_path / "names.csv")])
    short = written(tmp_path / "short.csv", rows[:1])
    with pytest.raises(DataError, match=r"short\.csv: 1 step: needs 12 steps that the model looks back on"):
        foresee(run, [short])


def test_nothing_is_half_written(run, tmp_path):
    good, bad = tmp_path / "fan.svg", tmp_path / "none" / "next.csv"
    with pytest.raises(ConfigError, match=r"needs a folder that exists. Try mkdir -p "):
        predict(str(run), plot=good, output=bad)
    with pytest.raises(ConfigError, match=r"a name that ends in \.csv"):
        predict(str(run), plot=good, output=tmp_path / "next.xyz")
    with pytest.raises(ConfigError, match=r"--plot .*next\.png: needs a name that ends in \.svg, \.html"):
        predict(str(run), plot=tmp_path / "next.png", output=tmp_path / "next.csv")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("flags", [{"worst": 3}, {"details": True}, {"encoding": "latin-1"}, {"tokenize": "none"}])
def test_flags_of_texts_mean_nothing_to_a_forecaster(run, flags):
    with pytest.raises(ConfigError, match=rf"--{next(iter(flags))} for the forecaster"):
        evaluate(str(run), **flags)
