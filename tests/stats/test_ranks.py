"""Oracles: Hollander and Wolfe's examples as R's manual prints them, scipy.stats, permutations counted one by one."""

from itertools import combinations, product

import numpy as np
import pytest
from scipy import stats

from seqwise.errors import DataError
from seqwise.stats import ranks

BEFORE = np.array([1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30])  # depression, R: ?wilcox.test
AFTER = np.array([0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29])
TERM = np.array([0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46])  # permeability, the same page
EARLY = np.array([1.15, 0.88, 0.90, 0.74, 1.21])
CHANGES = np.array([0.12, 0.05, -0.03, 0.20, 0.08, 0.00, 0.15, -0.06, 0.10, 0.09])


def test_signed_rank_equals_r():
    """V = 40, one-sided p-value = 0.01953."""
    test = ranks.signed_rank(BEFORE, AFTER)
    assert test.statistic == 40
    assert test.p / 2 == pytest.approx(0.01953, abs=5e-6)


def test_rank_sum_equals_r():
    """W = 35, one-sided p-value = 0.1272."""
    test = ranks.rank_sum(TERM, EARLY)
    assert test.statistic == 35
    assert test.p / 2 == pytest.approx(0.1272, abs=5e-5)


def test_kruskal_equals_r():
    """Hollander and Wolfe's mucociliary efficiency: chi-squared = 0.77143, df = 2, p-value = 0.68."""
    x = {
        "normal": [2.9, 3.0, 2.5, 2.6, 3.2],
        "obstructive": [3.8, 2.7, 4.0, 2.4],
        "asbestosis": [2.8, 3.4, 3.7, 2.2, 2.0],
    }
    test = ranks.kruskal({name: np.array(values) for name, values in x.items()})
    assert test.statistic == pytest.approx(0.77143, abs=5e-6)
    assert test.p == pytest.approx(0.68, abs=5e-3)


def test_zeros_count_by_pratt():
    """O7 of the reference: exact p .03125 with the zero ranked and then left out."""
    test = ranks.signed_rank(CHANGES, np.zeros(10))
    assert test.p == pytest.approx(0.03125, abs=1e-15)
    assert test.size.value == 0.75  # better in 7, equal in 1
    assert any("Pratt" in note for note in test.notes)


def test_rank_sum_equals_the_reference():
    """O9: U 22, p .0556, P(A > B) .88."""
    a, b = np.array([71.2, 70.4, 72.0, 71.5, 70.9]), np.array([70.1, 70.6, 69.8, 71.0, 70.2])
    test = ranks.rank_sum(a, b)
    assert (test.statistic, test.size.value) == (22, 0.88)
    assert test.p == pytest.approx(0.0555555555555556, rel=1e-12)


def test_with_ties_p_is_still_exact():
    """Against all ways to draw five of ten values, and all ways to flip nine signs."""
    a, b = np.array([1.0, 2, 2, 5, 7]), np.array([2.0, 3, 1, 1, 2])
    r = stats.rankdata(np.concatenate([a, b]))
    sums = np.array([r[list(chosen)].sum() for chosen in combinations(range(10), 5)])
    seen = r[:5].sum()
    assert ranks.rank_sum(a, b).p == pytest.approx(2 * min((sums >= seen).mean(), (sums <= seen).mean()), rel=1e-12)
    d = np.array([1.0, -1, 2, 2, 3, 0, 4, -2, 5])
    r = stats.rankdata(np.abs(d))[d != 0]
    flips = np.array([r[np.array(signs)].sum() for signs in product([False, True], repeat=8)])
    seen = r[d[d != 0] > 0].sum()
    expected = 2 * min((flips >= seen).mean(), (flips <= seen).mean())
    assert ranks.signed_rank(d, np.zeros(9)).p == pytest.approx(expected, rel=1e-12)


def test_large_samples_equal_scipy():
    seeded = np.random.default_rng(3)
    a, b = seeded.normal(0.2, 1, 150).round(1), seeded.normal(0, 1.2, 130).round(1)
    theirs = stats.mannwhitneyu(a, b, use_continuity=False, method="asymptotic")
    ours = ranks.rank_sum(a, b)
    assert ours.statistic == theirs.statistic
    assert ours.p == pytest.approx(theirs.pvalue, rel=1e-10)
    paired = stats.wilcoxon(a[:130] - b, zero_method="pratt", correction=False, method="asymptotic")
    assert ranks.signed_rank(a[:130], b).p == pytest.approx(paired.pvalue, rel=1e-10)


def test_the_shift_is_the_median_of_all_differences_and_its_interval_theirs_in_order():
    test = ranks.rank_sum(TERM, EARLY)
    every = np.sort((TERM[:, None] - EARLY[None, :]).ravel())
    assert test.effect.value == pytest.approx(np.median(every))
    within = test.effect.interval
    k = int(np.flatnonzero(np.isclose(every, within.low))[0]) + 1
    assert within.high == every[50 - k]
    null = np.array(
        [sum(1 for i in chosen for j in set(range(15)) - set(chosen) if i > j) for chosen in combinations(range(15), 5)]
    )
    assert (null <= k - 1).mean() <= 0.025 < (null <= k).mean()  # U of 5 among 15 is as that of 10


def test_the_interval_of_pairs_is_the_averages_in_order():
    d = BEFORE - AFTER
    every = np.sort([(d[i] + d[j]) / 2 for i in range(9) for j in range(i, 9)])
    test = ranks.signed_rank(BEFORE, AFTER)
    assert test.effect.value == pytest.approx(np.median(every))
    null = np.array([sum(r + 1 for r in range(9) if signs[r]) for signs in product([0, 1], repeat=9)])
    k = int(max(j for j in range(1, 20) if (null <= j - 1).mean() <= 0.025))
    assert (test.effect.interval.low, test.effect.interval.high) == pytest.approx((every[k - 1], every[45 - k]))


def test_the_search_among_many_differences_finds_what_sorting_finds(monkeypatch):
    seeded = np.random.default_rng(5)
    a, b = seeded.normal(1, 2, 160).round(2), seeded.normal(0, 2, 140).round(2)
    held = ranks.rank_sum(a, b).effect, ranks.signed_rank(a[:140], b).effect
    monkeypatch.setattr(ranks, "PAIRS", 10)
    searched = ranks.rank_sum(a, b).effect, ranks.signed_rank(a[:140], b).effect
    for one, other in zip(held, searched, strict=True):
        assert other.value == pytest.approx(one.value, abs=1e-12)  # 2.1 - 1.4 and 1.7 - 1.0 differ in the last bit
        assert other.interval.low == pytest.approx(one.interval.low, abs=1e-12)
        assert other.interval.high == pytest.approx(one.interval.high, abs=1e-12)


def test_the_search_finds_a_limit_that_is_0_exactly(monkeypatch):
    """Ties at the limit: 1e-16 in place of 0 would claim a difference."""
    monkeypatch.setattr(ranks, "PAIRS", 10)
    a, b = np.repeat([0.1, 0.3, 0.5], [30, 40, 40]), np.repeat([0.1, 0.3, 0.5], [40, 40, 30])
    assert ranks.rank_sum(a, b).effect.interval.low == 0.0


def test_the_interval_of_the_chance_to_be_above_solves_newcombes_equation():
    within = ranks.above_interval(0.88, 5, 5)
    for at in (within.low, within.high):
        spread = at * (1 - at) / 25 * (1 + 4 * ((1 - at) / (2 - at) + at / (1 + at)))
        assert abs(0.88 - at) == pytest.approx(stats.norm.ppf(0.975) * np.sqrt(spread), rel=1e-9)
    mirrored = ranks.above_interval(0.12, 5, 5)
    assert (1 - mirrored.high, 1 - mirrored.low) == pytest.approx((within.low, within.high))


def test_groups_that_do_not_overlap_leave_room_for_doubt():
    test = ranks.rank_sum(np.array([5.0, 6, 7, 8]), np.array([1.0, 2, 3, 4]))
    assert test.size.value == 1
    assert test.size.interval.high == 1
    assert 0.4 < test.size.interval.low < 0.9


def test_too_few_items_have_an_interval_without_ends():
    test = ranks.rank_sum(np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    assert (test.effect.interval.low, test.effect.interval.high) == (-np.inf, np.inf)
    assert test.p == pytest.approx(1 / 3)
    assert "without ends" in test.notes[0]


def test_what_cannot_be_ranked_is_refused():
    with pytest.raises(DataError, match="all values of score are 2"):
        ranks.rank_sum(np.array([2.0, 2.0]), np.array([2.0]), name="score")
    with pytest.raises(DataError, match="all 2 values"):
        ranks.signed_rank(np.array([1.0, 2.0]), np.array([1.0, 2.0]))
    with pytest.raises(DataError, match="1 group"):
        ranks.kruskal({"a": np.array([1.0, 2.0])})
