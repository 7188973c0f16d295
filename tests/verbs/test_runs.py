"""runs: what lies below a folder, told as it lies there; the files are written by hand, as the docs say they are."""

import json
import os
from io import StringIO
from pathlib import Path

import pytest
import torch
from rich.console import Console

from seqwise.checkpoints.run import RunFolder
from seqwise.errors import DataError
from seqwise.tasks.tuning.meters import Readings
from seqwise.tasks.tuning.spending import Process, Spending
from seqwise.training.events import Evaluated, Finished, Stepped
from seqwise.training.journal import Journal
from seqwise.verbs.runs import runs

SENTENCE = "Worth it: tuned is better than base on test by 34.00 points (95 % interval 26.05 to 41.47, 300 items)."


def stepped(step: int, seconds: float) -> Stepped:
    return Stepped(step, step / 10, 2.0, 1e-3, 0.5, 100, seconds, 0.0, 10)


def made(place: Path, config: str, created: str, events=(), model: bool = True) -> RunFolder:
    """A run as train and tune leave it, as far as a list looks."""
    folder = RunFolder.create(place)
    folder.save_config(config)
    folder.save_signature({"created": created, "data": {}})
    if model:
        folder.save_model({"weight": torch.zeros(2)})
    journal = Journal(place / "journal.jsonl")
    for event in events:
        journal.tell(event)
    journal.close()
    return folder


TRANSLATOR = "task: translate\ntrain: [data/train.en, data/train.fr]\n"
FORECASTER = "task: forecast\ntrain: [prices.csv]\n"
LOOKED = (
    stepped(1, 30.0),
    Evaluated(1, {"loss": 2.0, "bleu": 10.0}, best=True),
    stepped(2, 30.5),
    Evaluated(2, {"loss": 1.0, "bleu": 42.0}, best=True),
    stepped(3, 60.0),
    Evaluated(3, {"loss": 1.5, "bleu": 40.0}, best=False),
)
ENDED = (*LOOKED, Finished(3, "epochs", 2, {"loss": 1.0, "bleu": 42.0}))


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Four runs: one of each kind and one that goes on still."""
    monkeypatch.chdir(tmp_path)
    made(Path("runs/general"), TRANSLATOR, "2026-01-01T10:00:00+00:00", ENDED)
    tuned = made(Path("runs/deep/tuned"), "task: classify\ntrain: [a.tsv]\n", "2026-01-02T10:00:00+00:00", ENDED)
    tuned.write_json("base.json", {})
    systems = [{"name": "base", "scores": {"accuracy": 50.0}}, {"name": "tuned", "scores": {"accuracy": 83.0}}]
    tuned.write_json("outcome.json", {"part": "test", "systems": systems})
    made(Path("runs/prices"), FORECASTER, "2026-01-03T10:00:00+00:00", LOOKED)
    made(Path("runs/new"), TRANSLATOR, "2026-01-04T10:00:00+02:00", LOOKED[:1], model=False)
    return Path("runs")


def weighed(place: Path, tuned: list[str], **more) -> None:
    place.mkdir(parents=True, exist_ok=True)
    told = {"version": 1, "worth": "worth it", "sentence": SENTENCE, "base": "runs/general", "tuned": tuned, **more}
    (place / "verdict.json").write_text(json.dumps(told))


def by_name(folder: Path) -> dict[str, dict]:
    return {run["name"]: run for run in json.loads(runs(folder, json=True))["runs"]}


def shown(folder: Path, width: int = 80) -> str:
    out = StringIO()
    Console(file=out, width=width).print(runs(folder))
    return out.getvalue()


def test_runs_of_every_kind_are_listed_newest_first(place):
    found = by_name(place)
    assert list(found) == ["new", "prices", "deep/tuned", "general"]
    assert [run["kind"] for run in found.values()] == ["train", "forecast", "tune", "train"]
    assert [run["task"] for run in found.values()] == ["translate", "forecast", "classify", "translate"]
    assert found["general"]["data"] == ["train.en", "train.fr"]
    assert {run["broken"] for run in found.values()} == {""}


def test_scores_are_of_the_best_look_or_of_the_outcome_and_costs_are_of_the_steps(place):
    found = by_name(place)
    assert (found["general"]["scores"], found["general"]["scored"]) == ({"loss": 1.0, "bleu": 42.0}, "valid")
    assert found["prices"]["scores"] == {"loss": 1.0, "bleu": 42.0}
    assert (found["deep/tuned"]["scores"], found["deep/tuned"]["scored"]) == ({"accuracy": 83.0}, "test")
    assert found["general"]["seconds"] == 120.5
    assert (found["new"]["scores"], found["new"]["seconds"], found["new"]["ended"]) == ({}, 30.0, "")


def test_what_cost_json_says_goes_before_the_journal(place):
    """The file as tune writes it; its training took 7.5 seconds in two processes."""
    processes = tuple(
        Process(first, last, Readings(9.0, 9.0, None), Readings(seconds, 1.0, None), 10)
        for first, last, seconds in ((0, 5, 4.0), (5, 9, 3.5))
    )
    told = Spending("lora", 1, 10, 100, 50, "cpu", processes=processes).to_dict()
    RunFolder(place / "deep/tuned").write_json("cost.json", told)
    assert by_name(place)["deep/tuned"]["seconds"] == 7.5


def test_a_run_has_the_verdict_that_lies_in_it(place):
    weighed(place / "deep/tuned", ["tuned"])
    assert by_name(place)["deep/tuned"]["verdict"] == SENTENCE
    assert by_name(place)["general"]["verdict"] == "not weighed"


@pytest.mark.parametrize(
    ("tuned", "facts"),
    [
        (["runs/deep/tuned"], {}),
        (["../deep/tuned"], {}),
        (["LoRA"], {"tuned": "runs/deep/tuned"}),
        (["lora", "full"], {"tuned": "runs/other, runs/deep/tuned"}),
    ],
)
def test_a_run_has_the_verdict_of_the_weighing_that_names_it(place, tuned, facts):
    weighed(place / "weighing", tuned, facts=facts)
    found = by_name(place)
    assert (found["deep/tuned"]["verdict"], found["deep/tuned"]["weighed_in"]) == (SENTENCE, "weighing")
    assert found["general"]["verdict"] == "not weighed"
    assert (found["weighing"]["kind"], found["weighing"]["worth"]) == ("weighing", "worth it")


def test_what_a_system_is_called_is_no_run_where_the_facts_name_another(place, monkeypatch):
    """`tuned` is what weigh calls a single system, and what tune calls its folder."""
    monkeypatch.chdir(place / "deep")
    weighed(Path("weighing"), ["tuned"], facts={"tuned": "runs/other"})
    assert by_name(Path())["tuned"]["verdict"] == "not weighed"


def test_of_two_weighings_the_newer_one_counts(place):
    for age, word in ((100, "older"), (0, "newer")):
        weighed(place / word, ["runs/deep/tuned"], sentence=f"{word}.")
        then = (place / word / "verdict.json").stat().st_mtime - age
        os.utime(place / word / "verdict.json", (then, then))
    assert by_name(place)["deep/tuned"]["verdict"] == "newer."


BREAKS = {
    "config.yaml": ("task: [", "line 1"),
    "journal.jsonl": ("{}\n", "no event"),
    "model.safetensors": ("", "model.safetensors"),
    "cost.json": ('{"seconds": 1}', "cost.json"),
    "outcome.json": ('{"systems": 3}', "TypeError"),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_run_is_listed_with_the_reason_and_hides_no_other(place, name):
    content, reason = BREAKS[name]
    (place / "general" / name).write_text(content)
    found = by_name(place)
    assert len(found) == 4
    assert reason in found["general"]["broken"] or name in found["general"]["broken"], found["general"]["broken"]
    assert "\n" not in found["general"]["broken"]
    assert {run["broken"] for run in found.values() if run["name"] != "general"} == {""}
    assert "broken" in shown(place)


@pytest.mark.parametrize(
    ("content", "reason"),
    [('{"worth": "worth it"}', "without sentence"), ('{"worth": "wor', "no JSON"), ("[" * 99999, "nested without end")],
)
def test_a_broken_verdict_leaves_the_run_as_it_is_and_asks_for_a_weighing_not_a_training(place, content, reason):
    before = by_name(place)["general"]
    (place / "general/verdict.json").write_text(content)
    found = by_name(place)["general"]
    assert {**found, "worth": "", "verdict": ""} == {**before, "worth": "", "verdict": ""}
    assert found["worth"] == "verdict broken"
    assert found["verdict"].startswith("verdict.json is broken")
    assert reason in found["verdict"]
    told = " ".join(shown(place).split())
    assert f"Try seqwise weigh again with --out {place / 'general'} --overwrite." in told
    assert "bleu 42 (valid)" in told
    assert "training anew" not in told


def test_a_weighing_with_trials_is_gone_on_with_not_overwritten(place):
    weighed(place / "weighing", ["runs/deep/tuned"])
    (place / "weighing/trials.jsonl").write_text("")
    (place / "weighing/verdict.json").write_text("{")
    assert by_name(place)["weighing"]["broken"].endswith(f"with --out {place / 'weighing'} --resume.")


def test_weights_that_are_lost_are_told_of_a_run_that_ended(place):
    (place / "general/model.safetensors").unlink()
    assert "no model.safetensors" in by_name(place)["general"]["broken"]


@pytest.mark.parametrize(
    "content", ["", "[]", "nonsense", '{"worth": 3, "sentence": [], "base": 1, "tuned": 5}', "[" * 9999]
)
def test_a_broken_weighing_is_listed_as_broken(place, content):
    (place / "weighing").mkdir()
    (place / "weighing/verdict.json").write_text(content)
    assert by_name(place)["weighing"]["broken"]


def test_the_table_fits_80_columns_and_says_the_sentence(place):
    weighed(place / "weighing", ["runs/deep/tuned"])
    told = shown(place)
    assert max(map(len, told.splitlines())) <= 80
    for word in ("deep/tuned", "tune classify", "accuracy 83 (test)", "bleu 42 (valid)", "2 min", "unfinished"):
        assert word in told
    assert SENTENCE in " ".join(told.split())
    assert " ".join(told.split()).count(SENTENCE) == 1  # beside the run, not once more beside the weighing


def test_nothing_in_a_run_steers_the_terminal(place):
    made(place / "[red]x", "task: '[bold]a'\ntrain: [\"b\\e[31m\\nc\"]\n", "2026-01-05T10:00:00+00:00", ENDED)
    weighed(place / "weighing", ["runs/deep/tuned"], sentence="a\x1b[31m [red]b\u202e")
    told = shown(place)
    assert "\x1b" not in told
    assert "\u202e" not in told
    for word in ("[red]x", "[bold]a", r"\x1b[31m\nc", r"a\x1b[31m [red]b\u202e"):
        assert word in told


def test_what_lies_in_runs_and_in_hidden_folders_is_not_listed(place):
    made(place / "general/base", TRANSLATOR, "2026-01-05T10:00:00+00:00", ENDED)
    made(place / ".hidden/run", TRANSLATOR, "2026-01-05T10:00:00+00:00", ENDED)
    assert len(by_name(place)) == 4


def test_a_run_itself_can_be_looked_at(place):
    assert list(by_name(place / "general")) == ["."]


def test_no_runs_are_no_fault_but_no_folder_is(tmp_path):
    assert "no runs below" in shown(tmp_path)
    with pytest.raises(DataError, match=r"there is no folder .*nowhere"):
        runs(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="file is a file"):
        runs(tmp_path / "file")


def test_a_run_that_was_really_trained_is_listed(trained):
    (run,) = json.loads(runs(trained, json=True))["runs"]
    assert (run["name"], run["task"], run["ended"], run["broken"]) == ("run", "translate", "steps", "")
    assert run["scores"]["bleu"] > 50
    assert 0 < run["seconds"] < 600
