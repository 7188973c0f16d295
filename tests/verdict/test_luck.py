"""Oracles: the statistics reference (V5), the largest of k normal values, drawn."""

import numpy as np
import pytest

from seqwise.verdict.gain import gain
from seqwise.verdict.luck import luck, optimism, superiority
from seqwise.verdict.scored import Measure, Scored
from seqwise.verdict.sentence import sentence

LOSS = Measure("loss", "score", "nats", lower=True)
RIGHT = Measure("accuracy", "right")


def scored(values, system="tuned", seed=None, measure=LOSS):
    values = np.asarray(values)
    return Scored(system, "test", measure, tuple(map(str, range(len(values)))), values, seed=seed)


def world(effect, seeds, training=0.02, items=300):
    """A base, and trainings of as many seeds."""
    chance = np.random.default_rng(seeds)
    base = chance.normal(2, 1, items)
    rows = [base + effect + chance.normal(0, training) + chance.normal(0, 0.3, items) for _ in range(seeds)]
    return scored(base, "base"), [scored(row, seed=one) for one, row in enumerate(rows)]


@pytest.mark.parametrize(
    ("tried", "expected"), [(1, 0), (2, 0.564190), (3, 0.846284), (5, 1.162964), (10, 1.538753), (20, 1.867475)]
)
def test_the_best_of_k_lies_above_the_mean_as_the_reference_says(tried, expected):
    assert optimism(tried) == pytest.approx(expected, abs=6e-7)


def test_superiority_equals_the_reference():
    """V5: P(A > B) of five seeds each."""
    assert superiority([71.2, 70.4, 72.0, 71.5, 70.9], [70.1, 70.6, 69.8, 71.0, 70.2]) == pytest.approx(0.88)
    assert superiority([1.0], [1.0]) == 0.5


def test_one_seed_is_called_one_seed():
    base, tuned = world(-0.2, 1)
    found = luck(base, tuned)
    assert found.answer == "cannot tell"
    assert found.told.startswith(
        "One seed of tuned: the luck of the items alone is unlikely to make this, that of the training is unknown"
    )
    assert "3 seeds would show a difference of 3.3 standard deviations between seeds" in found.needed
    assert "5 seeds one of 1.7" in found.needed
    assert "luck of the items alone may make this" in luck(*world(0.0, 1)).told


def test_a_difference_beyond_luck_is_none():
    found = luck(*world(-0.3, 4))
    assert found.answer == "no"
    assert found.test.n == {"items": 300, "seeds": 4}
    assert found.values["seeds that are better"] == 1
    assert found.interval.high < 0


def test_a_difference_within_the_seeds_spread_may_be_luck():
    """Items alone would be sure of it."""
    base, tuned = world(-0.02, 3, training=0.3)
    found = luck(base, tuned)
    assert found.answer == "yes"
    assert "may have made the difference" in found.told
    assert found.needed
    assert luck(base, tuned[0]).test.p < 0.001


def test_the_best_of_many_is_lowered():
    base, tuned = world(-0.3, 4, training=0.1)
    plain, picked = luck(base, tuned), luck(base, tuned, tried=20)
    sd = np.std([one.value for one in tuned], ddof=1)
    assert picked.values["optimism"] == pytest.approx(optimism(20) * sd, rel=1e-9)
    best = max(base.value - one.value for one in tuned)
    assert picked.values["best seed, corrected"] == pytest.approx(best - optimism(20) * sd, rel=1e-9)
    assert "of 20 tried 4 are shown" in picked.told
    assert "of 20 tried" not in plain.told
    assert picked.test.p == plain.test.p


def test_seeds_without_a_single_flip_may_be_luck():
    same = np.array([True, False] * 20)
    found = luck(scored(same, "base", measure=RIGHT), [scored(same, seed=one, measure=RIGHT) for one in range(3)])
    assert found.answer == "yes"
    assert found.values["sd over seeds"] == 0


def test_a_base_that_is_one_training_leaves_its_own_luck_open():
    """Of one recipe three seeds and a fourth that is called the base: its luck is in no spread."""
    chance, told = np.random.default_rng(9), []
    for _ in range(60):
        hard = chance.normal(0, 1, 200)
        runs = [hard + chance.normal(0, 0.05) + chance.normal(0, 0.3, 200) for _ in range(4)]
        base, *tuned = [scored(row, "tuned" if seed else "base", seed) for seed, row in enumerate(runs)]
        found = luck(base, tuned, resamples=40)
        told.append(found.answer)
        assert found.test.n == {"items": 200, "seeds": 3, "seeds of the base": 1}
    assert "no" not in told
    assert "cannot tell" in told  # it is more than what three seeds and the items make


def test_a_base_of_one_seed_is_called_so_in_answer_and_sentence():
    base, tuned = world(-0.3, 4)
    drawn = scored(base.values, "base", seed=7)
    found = luck(drawn, tuned)
    assert found.answer == "cannot tell"
    assert found.told.startswith(
        "One seed of base: luck of the seeds of tuned and of the items is unlikely to make this"
    )
    assert "As many seeds of base as of tuned" in found.needed
    findings = [gain(drawn, tuned), found]
    assert sentence(findings).endswith("4 seeds and one seed of the base, whose luck of the training is not excluded.")
    assert sentence([gain(base, tuned), luck(base, tuned)]).endswith("; 4 seeds.")
