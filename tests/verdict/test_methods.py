"""What is told of how a verdict was computed, beside the tests that were really used."""

import numpy as np
import pytest

from seqwise.verdict.effects import effect
from seqwise.verdict.findings import Finding, Question
from seqwise.verdict.methods import methods
from seqwise.verdict.scored import Measure, Scored

RIGHT = Measure("accuracy", "right", "points")


def told(items: int, clusters: int = 0, seeds: int = 1, question: Question = "gain") -> str:
    luck = np.random.default_rng(8)
    ids = tuple(map(str, range(items)))
    of = tuple(str(place % clusters) for place in range(items)) if clusters else ()
    rights = [luck.random(items) < 0.6 for _ in range(seeds + 1)]
    base, *tuned = (
        Scored("base" if not seed else "tuned", "test", RIGHT, ids, right, seed=seed or None, clusters=of)
        for seed, right in enumerate(rights)
    )
    test = effect(base, tuned)
    return " ".join(methods([Finding(question, "test", "MEASURED", "It was measured.", "yes", test=test)]))


@pytest.mark.parametrize(
    ("made", "reference"),
    [
        ({"items": 40}, "of 50 items or fewer by its estimated p (Lloyd 2008; Lloyd and Moldovan 2008)"),
        ({"items": 40, "question": "generalization"}, "of 50 items or fewer by its estimated p (Lloyd 2008), of sev"),
        ({"items": 200, "seeds": 3, "question": "generalization"}, "never below that of items alone (Berger 1982). Wh"),
        ({"items": 200, "seeds": 3}, "p never below that of items alone (Berger 1982)"),
        ({"items": 200, "clusters": 20}, "divided by the design effect (Rao and Scott 1992), p never below that of s"),
        ({"items": 200, "clusters": 20}, "CR2's error of clusters"),
    ],
)
def test_each_test_is_told_with_what_makes_it(made, reference):
    assert reference in told(**made)


def test_no_other_test_is_told():
    assert "Rao and Scott" not in told(200)
    assert "Rao and Scott" not in told(200, clusters=20, seeds=3)
    assert "Berger" not in told(200)
