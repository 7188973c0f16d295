"""The example about long memory: its data are what it says, and an LSTM learns them."""

import importlib.util
import sys
from pathlib import Path

import pytest
import torch


@pytest.fixture(scope="module")
def example():
    path = Path(__file__).resolve().parents[2] / "examples" / "long_memory.py"
    spec = importlib.util.spec_from_file_location("long_memory", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look a class's module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.mark.parametrize("length", [2, 9, 100])
def test_two_numbers_are_marked_one_in_each_half(example, length):
    x, y = example.draw(500, length, torch.Generator().manual_seed(1))
    assert x.shape == (500, length, 2)
    marks = x[..., 1]
    assert (marks[:, : length // 2].sum(1) == 1).all()
    assert (marks[:, length // 2 :].sum(1) == 1).all()
    torch.testing.assert_close((x[..., 0] * marks).sum(1), y)


def test_who_always_says_one_is_off_by_a_sixth(example):
    _, y = example.draw(200_000, 4, torch.Generator().manual_seed(1))
    assert float((y - 1).square().mean()) == pytest.approx(example.CHANCE, abs=0.002)


@pytest.mark.parametrize("kind", ["bias 1", "chrono"])
def test_a_short_sum_is_learned(example, kind):
    plan = example.Plan(steps=500, batch=32, width=32, rate=1e-2, seed=1)
    found, steps, _ = example.train(kind, 10, plan)
    assert found < example.SOLVED
    assert steps <= 500


def test_the_table_has_a_row_for_each(example, monkeypatch, capsys):
    words = ["--lengths", "6", "--steps", "2", "--batch", "4", "--width", "4"]
    monkeypatch.setattr(sys, "argv", ["long_memory.py", *words])
    example.main()
    lines = capsys.readouterr().out.splitlines()
    assert "0.167" in lines[0]
    assert [line.split()[0] for line in lines[2:]] == ["6"] * 4
