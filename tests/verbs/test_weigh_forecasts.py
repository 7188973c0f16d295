"""weigh, of runs that forecast: tiny ones on series that the tests make, from the words of the command to its files."""

import csv
import json
import math
import shutil
from pathlib import Path

import jsonschema
import numpy as np
import pytest

import seqwise
from seqwise.cli import main
from seqwise.config import resolve
from seqwise.data.series import Span
from seqwise.errors import ConfigError, DataError
from seqwise.stats.forecasts import diebold_mariano
from seqwise.tasks.forecasting import Forecast
from seqwise.tasks.forecasting.backtest import MEASURES, backtest
from seqwise.tasks.forecasting.foreseeing import read_table
from seqwise.tasks.forecasting.judging import judge_forecasts
from seqwise.tasks.forecasting.stored import open_run
from seqwise.tasks.weighing.forecasters import answered, common, since
from seqwise.verbs.forecast import forecast
from seqwise.verbs.weighing.contenders import Contender
from seqwise.verbs.weighing.journals import costs_of, overfits

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "verdict.schema.json").read_text("utf-8"))
SHORT = ("--horizon", "3", "--season", "12", "--model.width", "16", "--precision", "fp32", "--every", "50")


def table(path, length=300, seed=0, names=("",), minutes=60, target="y [MW]", noise=4.0):
    """Seasons of twelve steps, with noise."""
    generator = np.random.default_rng(seed)
    with open(path, "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["time", *(["shop"] if len(names) > 1 else []), target])
        for place, name in enumerate(names):
            for t in range(length):
                time = np.datetime64("2024-01-01T00:00") + np.timedelta64(minutes * t, "m")
                value = 100 * (place + 1) + 10 * math.sin(2 * math.pi * t / 12) + noise * generator.standard_normal()
                rows.writerow([str(time), *([name] if len(names) > 1 else []), value])
    return str(path)


def trained(path, out, *more, target="y [MW]", lookback=12):
    words = ("--train", path, "--target", target, *SHORT, "--lookback", str(lookback), "--out", str(out), *more)
    forecast(resolve(Forecast, None, words))
    return str(out)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A base that has hardly learnt, and one that has."""
    folder = tmp_path_factory.mktemp("forecasts")
    path = table(folder / "table.csv")
    table(folder / "later.csv", 520)  # the same, and what came after it
    table(folder / "other.csv", 520, seed=5)
    trained(path, folder / "base", "--steps", "5")
    trained(path, folder / "tuned", "--steps", "150", "--rate", "0.01", lookback=24)
    return folder


def weighed(place, *more, base="base", tuned=("tuned",), **flags):
    words = (str(place / base), *(str(place / one) for one in tuned))
    return seqwise.weigh(*words, *more, test=(str(place / "later.csv"),), **flags).verdict


def test_a_forecaster_that_has_learnt_is_worth_it_and_all_that_is_written_agrees(place, tmp_path, capsys):
    out = tmp_path / "out"
    words = ["weigh", str(place / "base"), str(place / "tuned"), "--test", str(place / "later.csv")]
    general = ["--general", str(place / "other.csv")]
    assert main([*words, *general, "--out", str(out), "--fail-unless", "worth-it"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    told = json.loads((out / "verdict.json").read_text("utf-8"))
    jsonschema.validate(told, SCHEMA)
    assert told["worth"] == "worth it"
    assert told["sentence"] in shown
    assert "it beats the seasonal naive forecast" in told["sentence"]
    assert "263 origins" in told["sentence"]  # 520 hours, of which 255 were trained on, and room for three steps
    of = {(one["question"], one["subject"]): one for one in told["findings"]}
    assert of["gain", "test"]["test"]["name"].startswith("Diebold-Mariano")
    assert of["gain", "test"]["test"]["effect"]["unit"] == "MW"
    lost = of["generalization", "other"]
    assert lost["margin"] == pytest.approx(0.05 * lost["scores"]["base"])
    assert of["cost", "training"]["state"] == "MEASURED"
    assert told["trends"][0]["unit"] == "CRPS"
    for question in (("data", "test"), ("trade", "test"), ("overfitting", "by heart")):
        assert of[question]["state"] == "NOT RUN"
        assert of[question]["told"]
    best = told["changed"][0]["best"][0]
    assert best["id"].startswith("2024-01-")
    assert len(best["reference"].split(", ")) == len(best["tuned"].split(", ")) == 3
    page = (out / "verdict.html").read_text("utf-8")
    assert best["tuned"] in page
    assert main([*words, "--markdown"]) == 0
    assert "Diebold and Mariano" in capsys.readouterr().out
    assert main([*words, "--card"]) == 0
    card = capsys.readouterr().out
    assert "pipeline_tag: time-series-forecasting" in card
    assert "tuned from" not in card


def test_scores_and_differences_are_those_of_the_backtest_from_the_origins_that_both_have(place):
    (gain,) = [one for one in weighed(place, metric="crps").findings if one.question == "gain"]
    losses, later = [], str(place / "later.csv")
    for name in ("base", "tuned"):
        stored = open_run(place / name)
        found = judge_forecasts(place / name, [later])
        assert gain.scores[name] == pytest.approx(found.model.measures["CRPS"])
        assert len(answered(stored, [later], since([stored]), "test")) == found.origins
        span = Span(since([stored]) + np.timedelta64(1, "us"), None)
        whole = backtest(stored, read_table(stored, [later]), span, 1)
        losses.append(whole.by_time("model", MEASURES.index("CRPS")))
    assert gain.test is not None
    published = diebold_mariano(losses[1], losses[0], 6).test  # the cube root of 263 is more than the horizon
    assert gain.test.statistic == pytest.approx(published.statistic)
    assert gain.test.effect.value == pytest.approx(published.effect.value)


def test_the_longer_lookback_and_the_later_training_decide_where_both_are_asked_from(place, tmp_path):
    path = str(place / "table.csv")
    late = open_run(trained(path, tmp_path / "late", "--steps", "2", "--split.test", "20"))
    early = open_run(place / "base")
    found = common([answered(one, [path], since([early, late]), "test") for one in (early, late)])
    assert [len(one) for one in found] == [18, 18]  # 20 steps, of which the last three are foreseen from the 18th
    assert (found[0].times == found[1].times).all()
    assert (found[0].truth == found[1].truth).all()


def test_the_rival_is_the_best_of_those_that_cost_nothing_and_the_sentence_says_where_it_is_not_beaten(place):
    found = weighed(place, base="tuned", tuned=("base",))
    assert found.worth == "not worth it"
    assert "tuned is worse than base" in found.sentence
    (rival,) = [one for one in found.findings if one.question == "rival"]
    judged = judge_forecasts(place / "base", [str(place / "later.csv")])
    assert rival.subject == f"the {judged.best['MAE']} forecast"
    least = min(one.measures["MAE"] for one in judged.forecasters[1:])
    assert rival.scores[rival.subject] == pytest.approx(least)
    assert (rival.answer == "no") == (f"{rival.subject}, which costs next to nothing, is better" in found.sentence)
    (nothing,) = [one for one in weighed(place, rivals=False).findings if one.question == "rival"]
    assert nothing.state == "NOT RUN"


def test_seeds_of_one_recipe_are_one_system_and_two_of_them_differ_by_luck(place):
    path = str(place / "table.csv")
    for seed in (2, 3):
        trained(path, place / f"base{seed}", "--steps", "5", "--training.seed", str(seed))
    found = weighed(place, base="tuned", tuned=("base", "base2", "base3"))
    (gain,) = [one for one in found.findings if one.question == "gain"]
    assert gain.test is not None
    assert gain.test.n == {"origins": 263, "seeds": 3, "seeds of the base": 1}
    assert "3 seeds" in found.sentence
    assert len(found.costs) == 3
    twins = weighed(place, tuned=("base2",))
    assert twins.worth == "cannot tell"
    assert "both are of one recipe" in twins.sentence


@pytest.mark.parametrize("content", [None, "{", "[]"])
def test_a_run_whose_signature_is_lost_costs_what_its_steps_tell(content, place, tmp_path):
    run = shutil.copytree(place / "base", tmp_path / "run")
    (run / "signature.json").unlink()
    if content is not None:
        (run / "signature.json").write_text(content)
    (cost,) = costs_of(Contender("tuned", {}, (str(run),)), {})
    assert cost.trained is None
    assert cost.seconds > 0


def test_overfitting_of_densities_is_told_though_their_loss_may_be_below_0(place, tmp_path):
    """A series without noise, whose density grows without end."""
    path = table(tmp_path / "table.csv", noise=0.0)
    more = ("--loss", "likelihood", "--steps", "200", "--rate", "0.02", "--every", "25")
    run = trained(path, tmp_path / "run", *more)
    finding, (trend,) = overfits(Contender("tuned", {}, (run,)), None, "USD", {})
    assert (trend.kind, trend.unit, trend.lowest < 0) == ("densities", "nats", True)
    assert (finding.state, finding.margin) == ("MEASURED", 0.05)
    assert "item" not in finding.needed + " ".join(finding.notes)


def test_several_series_are_told_together_and_each_by_itself(place, tmp_path):
    path = table(tmp_path / "table.csv", 160, names=("north", "south"))
    words = [trained(path, tmp_path / f"{steps}", "--steps", steps, "--data.by", "shop") for steps in ("2", "60")]
    found = seqwise.weigh(*words, test=(path,)).verdict
    (gain,) = [one for one in found.findings if one.question == "gain"]
    assert gain.test is not None
    assert gain.test.n == {"origins": 22, "forecasts": 44}
    assert {one.values.get("label") for one in found.findings if "slice" in one.values} == {"north", "south"}


def test_too_few_origins_are_told_and_leave_the_verdict_open(place, tmp_path):
    lines = (place / "table.csv").read_text().splitlines()
    (tmp_path / "short.csv").write_text("\n".join(lines[: 1 + 255 + 8]) + "\n")
    found = seqwise.weigh(str(place / "base"), str(place / "tuned"), test=(str(tmp_path / "short.csv"),)).verdict
    states = {one.question: one.state for one in found.findings if "slice" not in one.values}
    assert (states["gain"], states["rival"], states["luck"]) == ("TOO FEW", "TOO FEW", "TOO FEW")
    assert found.worth == "cannot tell"
    assert "6 origins in test, and forecasts 3 steps ahead need 8" in found.sentence


@pytest.mark.parametrize(
    ("flags", "wanted"),
    [
        ({"blend": (0.5,)}, "--blend beside forecasters"),
        ({"curve": True}, "--curve beside forecasters"),
        ({"seeds": 3}, "--seeds beside forecasters"),
        ({"valid": ("x.csv",)}, "--valid beside forecasters"),
        ({"group_by": "shop"}, "--group-by beside forecasters"),
        ({"metric": "bleu"}, "--metric bleu for --task forecast"),
    ],
)
def test_what_means_nothing_for_forecasters_is_refused(place, flags, wanted):
    with pytest.raises(ConfigError, match=wanted):
        weighed(place, **flags)


def another_horizon(place, folder):
    return trained(str(place / "table.csv"), folder / "x", "--steps", "1", "--horizon", "2"), "the horizon 3 and 2"


def another_target(place, folder):
    path = table(folder / "x.csv", target="z")
    return trained(path, folder / "x", "--steps", "1", target="z"), r"the target y \[MW\] and z"


def another_frequency(place, folder):
    path = table(folder / "x.csv", minutes=30)
    return trained(path, folder / "x", "--steps", "1"), "the same targets, horizon and frequency"


def the_same_weights(place, folder):
    shutil.copytree(place / "base", folder / "x")
    return str(folder / "x"), "with the same weights"


def no_forecaster(place, folder):
    (folder / "x").mkdir()
    return str(folder / "x"), "beside the forecaster"


@pytest.mark.parametrize("kind", [another_horizon, another_target, another_frequency, the_same_weights, no_forecaster])
def test_runs_that_cannot_be_compared_are_refused_in_one_line(kind, place, tmp_path):
    other, wanted = kind(place, tmp_path)
    with pytest.raises(ConfigError, match=wanted) as caught:
        seqwise.weigh(str(place / "base"), other, test=(str(place / "table.csv"),))
    assert "\n" not in str(caught.value)


def test_a_table_that_ends_before_the_training_did_is_refused(place, tmp_path):
    lines = (place / "table.csv").read_text().splitlines()
    (tmp_path / "old.csv").write_text("\n".join(lines[:200]) + "\n")
    with pytest.raises(DataError, match="all of which a run was trained on or stopped by"):
        seqwise.weigh(str(place / "base"), str(place / "tuned"), test=(str(tmp_path / "old.csv"),))
    (tmp_path / "two.csv").write_text("\n".join(lines[: 1 + 255 + 2]) + "\n")
    with pytest.raises(DataError, match=r"2 steps of test after .*Try a longer table"):
        seqwise.weigh(str(place / "base"), str(place / "tuned"), test=(str(tmp_path / "two.csv"),))


def test_a_table_of_new_rows_alone_is_told_what_it_lacks_and_no_flag_that_weigh_has_not(place, tmp_path):
    """The longer lookback is 24, and rows up to the 255th were trained on."""
    head, *lines = (place / "later.csv").read_text().splitlines()
    (tmp_path / "new.csv").write_text("\n".join([head, *lines[256:270]]) + "\n")
    run = open_run(place / "tuned")
    wanted = r"14 steps of test after .*, and 0 steps before: needs 3 to foresee, and 24 before them .*Try one table"
    with pytest.raises(DataError, match=wanted) as caught:
        answered(run, [str(tmp_path / "new.csv")], since([run]), "test")
    assert "--" not in str(caught.value)
    assert "\n" not in str(caught.value)
