"""Counts against Python's own Counter."""

from collections import Counter

import numpy as np
import polars
import pytest

from seqwise.data import tally
from seqwise.data.tally import Tally


def tallied(texts, parts=3):
    found = Tally("t")
    for part in np.array_split(np.arange(len(texts)), parts):
        found.update(polars.Series([texts[at] for at in part], dtype=polars.String))
    return found.result()


def test_few_texts_are_counted_out():
    texts = [f"word {number}" for number in np.random.default_rng(0).zipf(1.5, 900) % 50] + ["", None, "  "]
    found = tallied(texts)
    true = Counter(text for text in texts if text and text.strip())
    assert (found.n, found.missing, found.distinct, found.exact) == (900, 3, len(true), True)
    assert found.most == tuple(sorted(true.items(), key=lambda item: (-item[1], item[0]))[:3])


def test_many_are_estimated(monkeypatch):
    monkeypatch.setattr(tally, "DIFFERENT", 1000)
    found = tallied([str(number) for number in range(30_000)] * 2)
    assert (found.n, found.exact, found.most) == (60_000, False, ())
    assert found.distinct == pytest.approx(30_000, rel=0.04)


def test_long_texts_are_not_held(monkeypatch):
    monkeypatch.setattr(tally, "CHARACTERS", 1000)
    assert not tallied(["x" * 900, "y" * 900, "z"]).exact
    assert tallied(["x" * 90, "y"]).most[0][0] == "x" * 39 + "…"


def test_dates_have_ends():
    found = tallied(["2024-03-01", "2023-12-31", "2024-01-05"])
    assert (found.first, found.last) == ("2023-12-31", "2024-03-01")
    assert tallied(["31.12.2023", "01.01.2024"]).first == ""


def test_a_column_without_texts():
    found = tallied([None, ""])
    assert (found.n, found.missing, found.distinct, found.most) == (0, 2, 0, ())
