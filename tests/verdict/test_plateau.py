"""Oracle: texts whose labels were turned on purpose, so that it is known which are wrong."""

import sys

import numpy as np
import pytest

from seqwise.errors import DataError, MissingExtraError
from seqwise.stats.results import Shown
from seqwise.verdict import plateau

COMMON = [f"gen{i}" for i in range(200)]


def _made(n, wrong, seed=0):
    """Texts of three labels, each with words of its own; a share of the labels turned."""
    rng = np.random.default_rng(seed)
    true = rng.choice(list("abc"), n)
    texts = [" ".join([*(f"{k}w{i}" for i in rng.integers(0, 60, 5)), *rng.choice(COMMON, 8)]) for k in true]
    turned = rng.random(n) < wrong
    labels = ["abc"[("abc".index(k) + 1) % 3] if flip else str(k) for k, flip in zip(true, turned, strict=True)]
    return texts, labels, turned


def test_wrong_labels_are_counted_and_found():
    texts, labels, turned = _made(400, 0.15)
    found = plateau.explained(texts, labels)
    assert float(turned.mean()) in found.wrong.interval
    assert found.wrong.value == pytest.approx(turned.mean(), abs=0.04)
    assert np.mean([turned[one.item] for one in found.suspects]) >= 0.9
    assert all(labels[one.item] == one.label != one.likely for one in found.suspects)
    assert [one.chance for one in found.suspects] == sorted(one.chance for one in found.suspects)


def test_clean_labels_explain_no_plateau():
    texts, labels, _ = _made(200, 0.0)
    found = plateau.explained(texts, labels)
    assert found.wrong.value == pytest.approx(0, abs=0.01)
    assert found.wrong.interval.high > 0
    assert (found.repeated, found.contradicted) == (0, 0)
    assert "explain no plateau" in found.sentences()[0]


def test_repeats_and_contradictions_are_counted():
    texts, labels, _ = _made(150, 0.0)
    other = ["b" if label == "a" else "a" for label in labels[20:25]]
    found = plateau.explained([*texts, *texts[:25]], [*labels, *labels[:20], *other])
    assert (found.n, found.repeated, found.contradicted) == (175, 25, 5)
    assert found.contradictions == tuple((20 + i, 170 + i) for i in range(5))
    assert isinstance(found, Shown)
    assert found.sentences()[1].startswith("25 of 175 texts (14.3 %)")
    assert found.grids()[0].rows[2][-1] == 25


def test_rare_labels_are_left_aside_and_said():
    texts, labels, _ = _made(150, 0.0)
    found = plateau.explained([*texts, "one", "two"], [*labels, "x", "y"])
    assert (found.n, found.judged) == (152, 150)
    assert found.notes == ("2 items of rare labels (x and y) were left aside.",)


def test_what_cannot_be_judged_is_refused():
    texts, labels, _ = _made(60, 0.0)
    with pytest.raises(DataError, match="a label for each text"):
        plateau.explained(texts, labels[1:])
    with pytest.raises(DataError, match="50 or more"):
        plateau.explained(texts[:20], labels[:20])
    with pytest.raises(DataError, match="two labels"):
        plateau.explained(texts, ["a"] * 60)
    with pytest.raises(DataError, match="say nothing"):
        plateau.explained([" "] * 60, labels)


def test_without_cleanlab_the_extra_is_named(monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "cleanlab"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "cleanlab", None)
    texts, labels, _ = _made(60, 0.0)
    with pytest.raises(MissingExtraError, match=r"seqwise\[labels\]"):
        plateau.explained(texts, labels)
