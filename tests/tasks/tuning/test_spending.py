"""What a tuning run spent, as it lies in its folder: of one process, of several after each other, of one that broke."""

import json
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import tunable

from seqwise.checkpoints.run import OURS, RunFolder
from seqwise.errors import CheckpointError, TrainingError
from seqwise.tasks.tuning import meters
from seqwise.tasks.tuning.meters import Readings
from seqwise.tasks.tuning.spending import COST, Foreseen, Process, Spending, read_cost
from seqwise.training.events import Noted, Stepped
from seqwise.training.journal import read
from seqwise.verbs.tune import tune


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("spending")
    (folder / "bert").mkdir()
    tunable.bert(folder / "bert")
    tunable.labelled(folder / "train.tsv", 60, 1)
    return folder


def asked(place, out, **further):
    return tunable.settings(place / "bert", out, task="classify", train=(str(place / "train.tsv"),), **further)


@contextmanager
def signal_after(monkeypatch, steps):
    """As if Ctrl-C were pressed after so many steps."""

    @contextmanager
    def stopped():
        calls = iter(range(10**6))
        yield lambda: next(calls) >= steps

    with monkeypatch.context() as patched:
        patched.setattr(sys.modules["seqwise.verbs.tune"], "asked_to_stop", stopped)
        yield


def test_a_run_leaves_what_it_spent_and_what_it_had_foreseen(place, tmp_path):
    settings = asked(place, tmp_path, training={"epochs": 6})
    done = tune(settings)
    spent = read_cost(RunFolder.open(settings.out))
    assert (spent.method, spent.seed, spent.device, spent.world) == ("lora", settings.training.seed, "cpu", 1)
    assert spent.trained == done.trained < spent.weights
    assert spent.complete
    (process,) = spent.processes
    assert (process.first, process.last, process.ended) == (0, done.finished.step, "epochs")
    events = read(Path(settings.out) / "journal.jsonl")
    steps = sum(event.seconds for event in events if isinstance(event, Stepped))
    assert steps <= spent.training.seconds < spent.whole.seconds <= done.seconds + 0.1
    assert 0 < spent.training.processor < spent.whole.processor
    assert 50e6 < spent.memory < 64e9
    (plan,) = [event.values for event in events if isinstance(event, Noted) and event.name == "plan"]
    foreseen = [plan[f"predicted_{name}"] for name in ("seconds", "processor_seconds", "memory")]
    assert spent.foreseen == Foreseen(*foreseen)
    assert spent.training.seconds == pytest.approx(plan["actual_seconds"], abs=0.2)
    told = json.loads((Path(settings.out) / COST).read_text())
    assert told["sums"]["training"]["seconds"] == spent.training.seconds
    assert COST in OURS


def test_a_run_in_parts_is_the_sum_of_its_processes(place, tmp_path, monkeypatch):
    settings = asked(place, tmp_path)
    for after in (2, 1):
        with signal_after(monkeypatch, after):
            tune(settings)
        settings = replace(settings, resume=True)
    done = tune(settings)
    spent = read_cost(RunFolder.open(settings.out))
    assert [(one.first, one.last, one.ended) for one in spent.processes] == [
        (0, 2, "signal"),
        (2, 3, "signal"),
        (3, done.finished.step, "epochs"),
    ]
    assert spent.whole.seconds == pytest.approx(sum(one.whole.seconds for one in spent.processes))
    assert spent.complete
    assert spent.foreseen is None
    assert "broken off" in spent.why["foreseen_seconds"]
    (Path(settings.out) / COST).unlink()
    tune(settings)
    assert not read_cost(RunFolder.open(settings.out)).complete  # of the steps before nobody knows


def test_a_run_that_breaks_has_written_what_it_spent_until_then(place, tmp_path, monkeypatch):
    def breaks(*_):
        raise TrainingError(given="a loss that explodes", allowed="another", mend="a lower rate")

    settings = asked(place, tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr("seqwise.training.loop._finish", breaks)
        with pytest.raises(TrainingError):
            tune(settings)
    (process,) = read_cost(RunFolder.open(settings.out)).processes
    assert process.ended == ""
    assert process.last > 0


def test_sums_know_energy_only_where_every_process_told_it():
    some = Process(0, 5, Readings(9.0, 8.0, 7.0), Readings(3.0, 2.0, 1.0), 100, Foreseen(3.0, 2.0, 90.0), "signal")
    more = Process(5, 9, Readings(1.0, 1.0, None), Readings(1.0, 1.0, None), 200, Foreseen(1.0, 1.0, 190.0), "epochs")
    one = Spending("full", 1, 10, 10, 60, "cpu", processes=(some,))
    both = replace(one, processes=(some, more))
    assert one.training == Readings(3.0, 2.0, 1.0)
    assert not one.why
    assert both.whole == Readings(10.0, 9.0, None)
    assert both.why == {"energy": meters.UNTOLD}
    assert both.memory == 200
    assert both.foreseen == Foreseen(4.0, 3.0, 190.0)


@pytest.mark.parametrize("content", ["{}", '{"method": "full", "processes": [3]}', "[1", '{"processes": [{}]}'])
def test_a_damaged_file_is_refused_in_one_line(tmp_path, content):
    (tmp_path / COST).write_text(content)
    with pytest.raises(CheckpointError):
        read_cost(RunFolder(tmp_path))
    with pytest.raises(CheckpointError):
        read_cost(RunFolder(tmp_path / "nothing"))
