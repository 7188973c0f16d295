"""The losses of items that a run keeps: what is kept, what a resumed run goes on with, and what a bad file is told."""

import json
import pickle

import numpy as np
import pytest
import torch

from seqwise.checkpoints.run import LOOKS, RunFolder
from seqwise.checkpoints.tensors import read_tensors, write_tensors
from seqwise.errors import CheckpointError
from seqwise.training import looks
from seqwise.training.events import Evaluated, ItemLosses, Losses, Stepped
from seqwise.training.journal import Journal
from seqwise.training.journal import read as read_journal
from seqwise.training.looks import Recorder, read


def evaluated(step, items=20, train=5, best=False):
    chance = np.random.default_rng(step)
    valid = ItemLosses(chance.gamma(1.0, 1.0, items), np.arange(items) % 3 + 1.0)
    trained = ItemLosses(chance.gamma(1.0, 1.0, train), np.ones(train)) if train else None
    mean = float(valid.nats.sum() / valid.targets.sum())
    return Evaluated(step, {"loss": mean}, best, losses=Losses(valid, trained))


def recorded(folder, steps, resumed=0, **sizes):
    recorder = Recorder(RunFolder(folder), resumed)
    for step in steps:
        recorder.tell(evaluated(step, **sizes))
    recorder.close()


def test_each_look_is_kept_with_what_its_loss_is_the_mean_of(tmp_path):
    recorded(tmp_path, [4, 8, 12])
    found = read(tmp_path / LOOKS)
    assert found.steps.tolist() == [4, 8, 12]
    assert (found.items, found.train_items) == (20, 5)
    for step, nats in zip(found.steps, found.nats, strict=True):
        assert nats.sum() / found.targets.sum() == pytest.approx(evaluated(int(step)).scores["loss"], rel=1e-6)
    assert found.train.nats == pytest.approx(evaluated(12).losses.train.nats, rel=1e-6)
    assert not list(tmp_path.glob(".*"))


def test_the_second_look_at_a_step_is_left_out(tmp_path):
    """It is at averaged weights."""
    recorder = Recorder(RunFolder(tmp_path))
    recorder.tell(evaluated(4))
    before = (tmp_path / LOOKS).read_bytes()
    other = evaluated(5)
    recorder.tell(Evaluated(4, other.scores, True, losses=other.losses))
    recorder.tell(Stepped(5, 0.1, 1.0, 1e-3, 1.0, 10, 0.1, 0.0, None))
    recorder.tell(Evaluated(6, {"loss": 1.0}, False))
    assert (tmp_path / LOOKS).read_bytes() == before


def test_a_resumed_run_leaves_the_same_bits_and_no_look_twice(tmp_path):
    for name in ("whole", "parts"):
        (tmp_path / name).mkdir()
    recorded(tmp_path / "whole", [2, 4, 6, 8])
    recorded(tmp_path / "parts", [2, 4, 6])
    recorded(tmp_path / "parts", [6, 8], resumed=5)
    recorded(tmp_path / "parts", [8], resumed=8)
    files = [(tmp_path / name / LOOKS).read_bytes() for name in ("whole", "parts")]
    assert files[0] == files[1]


def test_items_without_targets_are_no_items(tmp_path):
    recorder = Recorder(RunFolder(tmp_path))
    losses = Losses(ItemLosses(np.array([1.0, 0.0, 2.0]), np.array([1.0, 0.0, 2.0])))
    recorder.tell(Evaluated(1, {"loss": 1.0}, True, losses=losses))
    found = read(tmp_path / LOOKS)
    assert found.nats.tolist() == [[1.0, 2.0]]
    assert (found.items, found.train_items) == (2, 0)


def test_of_many_items_the_same_ones_are_kept_and_of_many_looks_all(tmp_path, monkeypatch):
    monkeypatch.setattr(looks, "ITEMS", 64)
    monkeypatch.setattr(looks, "NUMBERS", 400)
    monkeypatch.setattr(looks, "FEWEST", 8)
    recorded(tmp_path, range(1, 7), items=300)
    found = read(tmp_path / LOOKS)
    assert found.nats.shape == (6, 64)
    assert found.items == 300
    recorded(tmp_path, range(7, 31), resumed=6, items=300)
    fewer = read(tmp_path / LOOKS)
    assert fewer.nats.shape == (30, 8)
    assert all(set(now) <= set(before) for now, before in zip(fewer.nats, found.nats, strict=False))
    whole = evaluated(30, 300).losses.valid
    assert set(fewer.nats[29]) <= set(whole.nats.astype(np.float32).astype(np.float64))
    recorded(tmp_path, range(31, 80), resumed=30, items=300)
    assert read(tmp_path / LOOKS).steps[-1] == 50  # more would be less than eight items


def test_the_journal_does_not_repeat_them(tmp_path):
    journal = Journal(tmp_path / "journal.jsonl")
    journal.tell(evaluated(4))
    journal.close()
    kept = {"kind", "step", "scores", "best", "samples", "averaged"}
    assert json.loads((tmp_path / "journal.jsonl").read_text()).keys() == kept
    assert read_journal(tmp_path / "journal.jsonl") == [evaluated(4)]


def altered(tmp_path, **changes):
    recorded(tmp_path, [4, 8])
    tensors = {**read_tensors(tmp_path / LOOKS), **changes}
    write_tensors(tmp_path / LOOKS, {name: tensor for name, tensor in tensors.items() if tensor is not None})


BAD = {
    "no tensor": {"nats": None},
    "another type": {"nats": torch.zeros(2, 20, dtype=torch.float64)},
    "another shape": {"nats": torch.zeros(2, 19)},
    "no order": {"steps": torch.tensor([8, 8])},
    "no targets": {"targets": torch.zeros(20)},
    "no number": {"train_targets": torch.full((5,), float("nan"))},
    "one count": {"counts": torch.tensor([1])},
}


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_training_did_not_write_gives_one_line(tmp_path, name):
    altered(tmp_path, **BAD[name])
    with pytest.raises(CheckpointError, match="deleting this file") as caught:
        read(tmp_path / LOOKS)
    assert "\n" not in str(caught.value)


def test_a_damaged_file_holds_up_no_training_and_is_begun_anew(tmp_path):
    altered(tmp_path, **BAD["no order"])
    recorded(tmp_path, [12, 16], resumed=8)
    assert read(tmp_path / LOOKS).steps.tolist() == [12, 16]


def test_a_truncated_a_huge_and_a_pickled_file_give_one_line(tmp_path, monkeypatch):
    recorded(tmp_path, [4, 8])
    path = tmp_path / LOOKS
    whole = path.read_bytes()
    bad = [whole[:size] for size in (0, 5, 90, len(whole) - 8)]
    bad += [pickle.dumps({"steps": [1]}), whole.replace(b'"__metadata__":{}', b'"__metadata__":[]')]
    for content in bad:
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match="deleting this file") as caught:
            read(path)
        assert "\n" not in str(caught.value)
    path.write_bytes(whole)
    monkeypatch.setattr(looks, "LARGEST", 100)
    with pytest.raises(CheckpointError, match="at most 100"):
        read(path)
