"""Permutations and sign flips against scipy, the reference, and brute force."""

import json
from itertools import combinations, product

import numpy as np
import pytest
from scipy import stats

from seqwise.errors import ConfigError, DataError
from seqwise.stats import permutation as module
from seqwise.stats.permutation import permutation, sign_flip
from seqwise.stats.results import Shown

RNG = np.random.default_rng(0)
A, B = RNG.normal(size=7), RNG.normal(size=7) + 0.9
D = np.array([0.12, 0.05, -0.03, 0.20, 0.08, 0.00, 0.15, -0.06, 0.10, 0.09])


def test_sign_flips_equal_the_reference():
    """32 of 1,024, with Student's interval beside it."""
    found = sign_flip(D, names=("base", "tuned"), name="accuracy")
    assert found.test.p == 0.03125
    assert (found.arrangements, found.exact) == (1024, True)
    interval = found.test.effect.interval
    assert (interval.low, interval.high) == (
        pytest.approx(0.01188413022872764, rel=1e-10),
        pytest.approx(0.12811586977127234, rel=1e-10),
    )
    assert found.sentences() == (
        "The mean accuracy of tuned is 0.07 higher than that of base, 95 % interval 0.0119 to 0.128 (p = 0.0312 by all "
        "1,024 arrangements, n = 10).",
    )


def test_sign_flips_equal_scipys_and_brute_force():
    for n in (2, 5, 9):
        d = RNG.normal(0.4, 1, n)
        theirs = stats.permutation_test(
            (d,), lambda x, axis: x.mean(axis=axis), permutation_type="samples", vectorized=True
        )
        sums = [
            abs(sum(sign * one for sign, one in zip(signs, d, strict=True))) for signs in product((1, -1), repeat=n)
        ]
        brute = np.mean(np.array(sums) >= abs(d.sum()) - 1e-12)
        assert sign_flip(d).test.p == pytest.approx(brute, abs=1e-15)
        assert sign_flip(d).test.p == pytest.approx(theirs.pvalue, abs=1e-12)


@pytest.mark.parametrize(("n", "least"), [(3, 0.25), (4, 0.125), (5, 0.0625), (6, 0.03125)])
def test_the_smallest_p_is_told_where_it_is_too_large(n, least):
    found = sign_flip(np.arange(1.0, n + 1))
    assert found.test.p == least
    assert any("cannot give less" in sentence for sentence in found.sentences()) is (least > 0.05)


def test_drawn_flips_come_near_the_exact_ones(monkeypatch):
    d = RNG.normal(0.35, 1, 18)
    exact = sign_flip(d).test.p
    monkeypatch.setattr(module, "PAIRS", 5)
    drawn = sign_flip(d)
    assert not drawn.exact
    assert drawn.test.p == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 9999))
    assert drawn == sign_flip(d)


def test_twenty_pairs_are_still_exact():
    d = RNG.normal(0.5, 1, 20)
    found = sign_flip(d)
    assert found.arrangements == 2**20
    assert found.test.p * 2**20 == pytest.approx(round(found.test.p * 2**20))
    assert found.test.p == pytest.approx(stats.ttest_1samp(d, 0).pvalue, abs=0.02)


def test_deals_equal_scipys_where_groups_are_equal():
    theirs = stats.permutation_test(
        (A, B), lambda x, y, axis: y.mean(axis=axis) - x.mean(axis=axis), n_resamples=np.inf, vectorized=True
    )
    found = permutation(A, B)
    assert found.arrangements == 3432
    assert found.test.p == pytest.approx(theirs.pvalue, abs=1e-12)


@pytest.mark.parametrize("which", ["mean", "median"])
def test_deals_equal_brute_force_where_groups_are_not(which):
    one, other = np.round(A[:3], 1), np.round(np.concatenate([B, A[3:5]]), 1)
    x, function = np.concatenate([one, other]), getattr(np, which)
    gaps = []
    for chosen in combinations(range(len(x)), 3):
        rest = np.delete(x, chosen)
        gaps.append(abs(function(rest) - function(x[list(chosen)])))
    seen = abs(function(other) - function(one))
    assert permutation(one, other, which).test.p == pytest.approx(np.mean(np.array(gaps) >= seen - 1e-12), abs=1e-15)


def test_drawn_deals_come_near_the_exact_ones(monkeypatch):
    exact = permutation(A, B).test.p
    monkeypatch.setattr(module, "WAYS", 10)
    drawn = permutation(A, B)
    assert not drawn.exact
    assert drawn.test.p == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 9999))
    assert "by 9,999 arrangements" in drawn.sentences()[0]


def test_batches_do_not_change_an_exact_p(monkeypatch):
    whole = permutation(A, B).test.p
    monkeypatch.setattr(module, "BATCH", 14 * 10)
    assert permutation(A, B).test.p == whole


def test_the_interval_of_means_is_welchs():
    theirs = stats.ttest_ind(B, A, equal_var=False).confidence_interval(0.95)
    interval = permutation(A, B).test.effect.interval
    assert (interval.low, interval.high) == (pytest.approx(theirs.low), pytest.approx(theirs.high))


def test_a_function_of_the_users_is_tested():
    def spread(rows):
        return rows.std(axis=-1)

    found = permutation(A, 5 * B, spread, name="delay")
    assert found.test.effect.name == "spread delay of second minus that of first"
    assert found.test.effect.value == pytest.approx((5 * B).std() - A.std())


@pytest.mark.parametrize(("shift", "words"), [(4, "is 4.2"), (-4, "lower than that of"), (0, "Cannot tell whether")])
def test_the_sentence_says_which_is_higher(shift, words):
    base = RNG.normal(size=12)
    found = permutation(base, base[::-1] + 1.05 * shift, names=("old", "new"), name="width", unit="mm")
    assert words in found.sentences()[0]
    assert found.differ is (shift != 0)
    if shift:
        assert found.sentences()[0].startswith("The mean width of new is 4.2 mm")
    else:
        assert "it is " in found.sentences()[0]


def test_equal_differences_and_ties_are_told_truly():
    zero = sign_flip(np.zeros(6), names=("old", "new"))
    assert (zero.test.p, zero.differ) == (1.0, False)
    assert "it is the same" in zero.sentences()[0]
    assert "All differences are 0" in zero.sentences()[-1]
    equal = sign_flip(np.full(8, 0.1))
    assert equal.test.p == 2 / 2**8
    assert equal.differ
    assert equal.test.effect.interval is None
    flat = permutation(np.array([1.0, 1.0]), np.array([2.0, 2.0]))
    assert flat.test.p == pytest.approx(2 / 6)
    assert flat.test.effect.interval is None


def test_they_can_be_shown():
    for found in (permutation(A, B), sign_flip(D)):
        assert isinstance(found, Shown)
        assert json.loads(json.dumps(found.to_dict()))["exact"] is True
        assert all(len(row) == len(grid.columns) for grid in found.grids() for row in grid.rows)


def test_bad_input_is_refused():
    for first, second in (
        (np.array([1.0]), B),
        (A, np.array([np.nan, 1.0])),
        (np.ones(3), np.ones(4)),
    ):
        with pytest.raises(DataError):
            permutation(first, second)
    with pytest.raises(DataError):
        sign_flip(np.array([1.0]))
    with pytest.raises(ConfigError):
        permutation(A, B, "mode")
    with pytest.raises(ConfigError):
        sign_flip(D, draws=3)
