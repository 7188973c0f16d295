"""A tuning run that was broken off goes on to the same bits; one that has become another is refused."""

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import tunable
from folders import llama

from seqwise.checkpoints.run import RunFolder
from seqwise.config import to_yaml
from seqwise.errors import CheckpointError, ConfigError
from seqwise.training.events import Evaluated, Stepped
from seqwise.training.journal import read
from seqwise.verbs.tune import tune


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("resume")
    for name in ("bert", "llama"):
        (folder / name).mkdir()
    tunable.bert(folder / "bert", hidden_dropout_prob=0.1)  # with dropout, whose random numbers must go on as well
    llama(folder / "llama")
    tunable.labelled(folder / "train.tsv", 60, 1)
    tunable.labelled(folder / "general.tsv", 20, 3)
    tunable.instructions(folder / "train.jsonl", 60, 1)
    return folder


def case(name, place, out):
    """LoRA with replay and an average of the weights, and all weights of a decoder in bf16."""
    if name == "lora":
        return tunable.settings(
            place / "bert",
            out,
            task="classify",
            train=(str(place / "train.tsv"),),
            guard={"replay": (str(place / "general.tsv"),), "replay_share": 0.2},
            evaluation={"ema": 0.9},
            lora={"dropout": 0.2},
        )
    return tunable.settings(
        place / "llama",
        out,
        task="generate",
        method="full",
        train=(str(place / "train.jsonl"),),
        training={"precision": "bf16", "epochs": 3},
        moving={"unfreeze": 1.0},
        evaluation={"every": 2},
    )


def bits(path):
    """Everything that a run is: the state's tensors and facts, and the best weights."""
    folder = RunFolder.open(path)
    state = folder.load_state()
    tensors = {**state.tensors, **{f"model.{name}": w for name, w in folder.load_model().items()}}
    return {name: tensor.numpy().tobytes() for name, tensor in tensors.items()}, state.facts


def told(path):
    """The journal, but for the clock and what was saved when."""
    events = [event for event in read(Path(path) / "journal.jsonl") if isinstance(event, Stepped | Evaluated)]
    return [replace(event, seconds=0.0) if isinstance(event, Stepped) else event for event in events]


def compared(outcome):
    """An outcome without the clock."""
    return [(one.name, one.scores) for one in outcome.systems], outcome.differences


@contextmanager
def signal_after(monkeypatch, steps):
    """As if Ctrl-C were pressed after so many steps."""

    @contextmanager
    def asked():
        calls = iter(range(10**6))
        yield lambda: next(calls) >= steps

    with monkeypatch.context() as patched:
        patched.setattr(sys.modules["seqwise.verbs.tune"], "asked_to_stop", asked)
        yield


@pytest.mark.parametrize("name", ["lora", "full"])
def test_a_run_in_parts_equals_one_run_to_the_bit(place, tmp_path, monkeypatch, name):
    settings = case(name, place, tmp_path)
    whole = tune(replace(settings, out=settings.out + "-whole"))
    for after in (2, 1):
        with signal_after(monkeypatch, after):
            stopped = tune(settings)
        assert stopped.outcome is None
        assert stopped.finished.reason == "signal"
        assert not (Path(settings.out) / "outcome.json").exists()
        settings = replace(settings, resume=True)
    resumed = tune(settings)
    assert bits(settings.out) == bits(whole.out)
    assert told(settings.out) == told(whole.out)
    looks = [(Path(out) / "looks.safetensors").read_bytes() for out in (settings.out, whole.out)]
    assert looks[0] == looks[1]
    assert compared(resumed.outcome) == compared(whole.outcome)
    if name == "lora":
        parts = [Path(out) / "adapter" / "adapter_model.safetensors" for out in (settings.out, whole.out)]
        assert parts[0].read_bytes() == parts[1].read_bytes()


def test_a_run_that_was_killed_ends_with_the_same_bits(place, tmp_path):
    """SIGKILL, once something is saved, in a process of its own."""
    settings = case("full", place, tmp_path)
    settings = replace(settings, training=replace(settings.training, epochs=5))
    file = tmp_path / "run.yaml"
    file.write_text(to_yaml(settings))
    words = [sys.executable, "-m", "seqwise", "tune", str(file)]
    child = subprocess.Popen(words, env={**os.environ}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    journal = Path(settings.out) / "journal.jsonl"
    while child.poll() is None and not (journal.exists() and journal.read_text().count('"saved"') > 2):
        time.sleep(0.01)
    child.kill()
    child.wait()
    assert not (Path(settings.out) / "outcome.json").exists()
    tune(replace(settings, resume=True))
    whole = replace(settings, out=settings.out + "-whole")
    tune(whole)
    assert bits(settings.out) == bits(whole.out)
    assert told(settings.out) == told(whole.out)


def test_what_would_make_it_another_run_is_refused(place, tmp_path, monkeypatch):
    settings = case("lora", place, tmp_path)
    data = tmp_path / "train.tsv"
    data.write_bytes(Path(settings.train[0]).read_bytes())
    settings = replace(settings, train=(str(data),))
    with signal_after(monkeypatch, 1):
        tune(settings)
    settings = replace(settings, resume=True)
    with pytest.raises(ConfigError, match=r"lora\.rank is 4 but was 16.*--resume"):
        tune(tunable.changed(settings, lora={"rank": 4}))
    with pytest.raises(ConfigError, match=r"training\.epochs is 9 but was 2"):
        tune(tunable.changed(settings, training={"epochs": 9}))
    data.write_text(data.read_text() + "one more\tgood\n")
    with pytest.raises(ConfigError, match=r"train\.tsv.*not what the run began with"):
        tune(settings)
    with pytest.raises(CheckpointError, match="there is no folder"):
        tune(replace(settings, out=str(tmp_path / "nowhere")))
    assert not (tmp_path / "nowhere").exists()


def test_a_run_that_lost_its_first_answers_says_so_before_it_goes_on(place, tmp_path, monkeypatch):
    settings = case("lora", place, tmp_path)
    with signal_after(monkeypatch, 1):
        tune(settings)
    (Path(settings.out) / "before.json").unlink()
    with pytest.raises(CheckpointError, match=r"before\.json"):
        tune(replace(settings, resume=True))


def test_a_base_that_has_changed_is_refused(place, tmp_path, monkeypatch):
    settings = case("lora", place, tmp_path)
    (tmp_path / "bert").mkdir()
    tunable.bert(tmp_path / "bert")
    settings = replace(settings, base=str(tmp_path / "bert"))
    with signal_after(monkeypatch, 1):
        tune(settings)
    weights = tmp_path / "bert" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"\0\0\1\0")
    with pytest.raises(CheckpointError, match="not what the run was tuned on"):
        tune(replace(settings, resume=True))
