"""Oracles: the statistics reference (O6, O7, O8, O9, O13), scipy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from seqwise.errors import DataError
from seqwise.stats import power
from seqwise.stats.proportions import mcnemar
from seqwise.verdict.effects import effect
from seqwise.verdict.scored import Measure, Scored

RIGHT = Measure("accuracy", "right")
LOSS = Measure("loss", "score", "nats", lower=True)
NATS = Measure("nats a token", "counts", "nats", True, score=lambda sums: sums[:, 0] / sums[:, 1])


def scored(values, measure, system="tuned", clusters=(), seed=None):
    values = np.asarray(values)
    ids = tuple(map(str, range(len(values))))
    return Scored(system, "test", measure, ids, values, seed=seed, clusters=tuple(map(str, clusters)))


def flips(both, lost, gained, neither):
    """Base and tuned, right so often."""
    counts = (both, lost, gained, neither)
    base, tuned = np.repeat([1, 1, 0, 0], counts) > 0, np.repeat([1, 0, 1, 0], counts) > 0
    return scored(base, RIGHT, "base"), scored(tuned, RIGHT)


def test_right_or_wrong_equals_the_reference():
    """O6: mid-p and exact p, Tango's interval; O13: Connor's smallest effect."""
    found = effect(*flips(120, 6, 18, 56))
    assert found.p == pytest.approx(0.0146332979202271, rel=1e-12)
    assert found.effect.value == pytest.approx(6, rel=1e-14)
    assert found.effect.unit == "points"
    assert found.effect.interval.low == pytest.approx(1.2972194914251, rel=1e-10)
    assert found.effect.interval.high == pytest.approx(11.2272649402901, rel=1e-10)
    assert "McNemar's exact test: p = 0.0227." in found.notes
    assert found.n == {"items": 200}
    assert found.rejected
    assert found.detectable.value == pytest.approx(100 * power.flips_effect(200, 0.12), rel=1e-12)


@pytest.mark.parametrize(("psi", "n", "points"), [(0.1, 200, 6.2277), (0.2, 200, 8.8073), (0.1, 1000, 2.7983)])
def test_the_smallest_effect_comes_of_the_flips_that_were_seen(psi, n, points):
    """O13, whatever direction the flips have: a little below Connor's, which is no exact power."""
    half = round(psi * n / 2)
    found = effect(*flips(n - 2 * half, half, half, 0))
    assert 0.96 * points < found.detectable.value < points


def test_the_smallest_effect_is_found_in_four_worlds_of_five():
    """Drawn flips are the oracle; where Connor's is found more often."""
    n, psi, generator = 200, 0.05, np.random.default_rng(1)
    for least, share in ((power.flips_effect(n, psi), 0.8), (power.pairs_effect(n, psi), 0.87)):
        chances = [(psi + least) / 2, (psi - least) / 2, 1 - psi]
        worlds = generator.multinomial(n, chances, size=20_000)
        pairs, counts = np.unique(worlds[:, :2], axis=0, return_counts=True)
        seen = sum(count for (a, b), count in zip(pairs, counts, strict=True) if mcnemar(int(a), int(b)) < 0.05)
        assert seen / 20_000 == pytest.approx(share, abs=0.015)


def test_gains_and_losses_that_are_level_in_each_cluster_are_told_as_items_that_are_a_little_alike():
    values = [1, 0, 1, 0, 1, 1]
    base, tuned = scored(np.array(values) > 0, RIGHT, "base", clusters="aabbcc"), np.array([0, 1, 0, 1, 1, 1]) > 0
    found = effect(base, scored(tuned, RIGHT, clusters="aabbcc"))
    assert found.effect.value == 0
    assert found.p == 1
    assert "alike with a correlation of 0.1, and 1.1 of them are worth one" in found.notes[-1]


def test_flips_of_clusters_are_weighed_by_what_the_clusters_are_worth():
    """Ten copies of each item are worth one: Tango's interval of the single items, a little wider by Student's t."""
    generator = np.random.default_rng(2)
    base, tuned = generator.random(60) < 0.5, generator.random(60) < 0.7
    alone = effect(scored(base, RIGHT, "base"), scored(tuned, RIGHT)).effect.interval
    names = np.repeat(np.arange(60), 10)
    several = [
        scored(np.repeat(one, 10), RIGHT, name, clusters=names) for one, name in ((base, "base"), (tuned, "tuned"))
    ]
    found = effect(*several)
    assert found.name == "Tango's score test of clusters"
    width, single = (one.high - one.low for one in (found.effect.interval, alone))
    assert single < width < 1.05 * single


def test_numbers_equal_the_reference():
    """O7: t, p, interval, Hedges' g_z, all sign flips."""
    d = np.array([0.12, 0.05, -0.03, 0.20, 0.08, 0.00, 0.15, -0.06, 0.10, 0.09])
    found = effect(scored(0 * d, LOSS, "base"), scored(d, LOSS))
    assert found.statistic == pytest.approx(2.72474630456533, rel=1e-12)
    assert found.p == pytest.approx(0.023425107930961742, rel=1e-12)
    assert found.effect.interval.low == pytest.approx(0.0118841302287276, rel=1e-10)
    assert found.effect.interval.high == pytest.approx(0.128115869771272, rel=1e-12)
    assert found.size.value == pytest.approx(0.787431560995251, rel=1e-12)
    assert found.notes[0] == "Sign-flip test beside it, by all 1,024 flips of signs: p = 0.0312."
    assert not any("Bootstrap" in note for note in found.notes)  # too few
    assert found.detectable.value == pytest.approx(0.996001910762418 * d.std(ddof=1), rel=1e-6)


def test_clusters_equal_the_reference():
    """O8: t(3) of four documents, as scipy's t-test of their means."""
    d = np.array([1, 1, 0, 0, 0, 0, 1, 0, 1, 0, -1, 0.0])
    found = effect(scored(0 * d, LOSS, "base"), scored(d, LOSS, clusters=np.repeat(list("abcd"), 3)))
    assert found.n == {"items": 12, "clusters": 4}
    assert found.df == pytest.approx((3,), rel=1e-12)
    assert found.p == pytest.approx(0.39100221895577, rel=1e-12)
    half = stats.t.ppf(0.975, 3) * 0.25
    assert found.effect.interval.high == pytest.approx(0.25 + half, rel=1e-12)


def test_seeds_and_items_equal_the_reference():
    """O9: error, t and Satterthwaite's df; p and interval are more careful than Satterthwaite's."""
    seed, item = np.array([1, -1, 0]) / 2**0.5, np.array([1, 1, 1, -1, -1, -1]) / 6**0.5
    rest = np.outer(np.array([1, 1, -2]) / 6**0.5, np.array([1, -1, 0, 0, 0, 0]) / 2**0.5)
    table = 0.1 + seed[:, None] * (0.03 / 6) ** 0.5 + item * (7 / 90) ** 0.5 + rest * (11 / 300) ** 0.5
    found = effect(scored(np.zeros(6), LOSS, "base"), [scored(row, LOSS, seed=i) for i, row in enumerate(table)])
    assert found.effect.value == pytest.approx(0.1, rel=1e-12)
    assert found.statistic == pytest.approx(1.76166065854411, rel=1e-12)
    assert found.df == pytest.approx((6.12304331998544,), rel=1e-12)
    assert any("p = 0.128" in note for note in found.notes)
    assert 0.127605278770817 < found.p < 0.25
    assert found.n == {"items": 6, "seeds": 3}


def test_documents_of_counts_count_as_one():
    """Each document's items put together give the same answer as one item a document: the jackknife of clusters."""
    chance = np.random.default_rng(3)
    tokens = chance.integers(5, 40, 60).astype(float)
    base, tuned = (np.stack([tokens * chance.gamma(9, 0.3, 60), tokens], axis=1) for _ in range(2))
    whole = effect(scored(base, NATS, "base"), scored(tuned, NATS, clusters=np.arange(60) // 5))
    joined = [one.reshape(12, 5, 2).sum(1) for one in (base, tuned)]
    alone = effect(scored(joined[0], NATS, "base"), scored(joined[1], NATS))
    assert whole.effect.value == pytest.approx(alone.effect.value, rel=1e-12)
    assert whole.effect.interval.low == pytest.approx(alone.effect.interval.low, rel=1e-9)
    assert whole.n == {"items": 60, "clusters": 12}


def test_counts_whose_score_is_a_mean_give_students_interval():
    chance = np.random.default_rng(2)
    base, tuned = chance.normal(2, 1, 80), chance.normal(2.2, 1, 80)
    ones = np.ones(80)
    found = effect(scored(np.stack([base, ones], 1), NATS, "base"), scored(np.stack([tuned, ones], 1), NATS))
    theirs = stats.ttest_rel(tuned, base)
    assert found.effect.interval.low == pytest.approx(theirs.confidence_interval().low, rel=1e-9)
    assert found.p == pytest.approx(theirs.pvalue, abs=0.02)


def test_order_of_items_and_of_seeds_changes_nothing():
    chance = np.random.default_rng(7)
    base = scored(chance.normal(size=40), LOSS, "base")
    seeds = [scored(chance.normal(size=40), LOSS, seed=one) for one in (5, 3, 8)]
    turned = [one.select(chance.permutation(40)) for one in seeds[::-1]]
    one, other = effect(base, seeds), effect(base, turned)
    assert one.p == pytest.approx(other.p, rel=1e-10)
    assert one.effect.value == pytest.approx(other.effect.value)


def test_several_seeds_of_both_are_pairs_or_add_up():
    chance = np.random.default_rng(11)
    items = chance.normal(size=60)
    base = [scored(items + chance.normal(size=60), LOSS, "base", seed=one) for one in range(3)]
    tuned = [scored(items - 1 + chance.normal(size=60), LOSS, seed=one) for one in range(4)]
    assert effect(base, tuned).n == {"items": 60, "seeds": 4, "seeds of the base": 3}
    assert effect(base, tuned).rejected
    assert effect(base, tuned[:3]).rejected
    expected = np.mean([one.value for one in tuned]) - np.mean([one.value for one in base])
    assert effect(base, tuned).effect.value == pytest.approx(expected, rel=1e-10)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=60))
def test_exchanging_the_systems_turns_the_effect(rows):
    one, other = (np.array([row[side] for row in rows]) for side in (0, 1))
    found, turned = (
        effect(scored(one, RIGHT, "a"), scored(other, RIGHT, "b")),
        effect(scored(other, RIGHT, "b"), scored(one, RIGHT, "a")),
    )
    assert found.p == pytest.approx(turned.p)
    assert found.effect.value == -turned.effect.value
    assert found.effect.interval.low == pytest.approx(-turned.effect.interval.high, abs=1e-9)
    assert found.effect.value in found.effect.interval


def test_scores_that_are_no_numbers_are_refused():
    with pytest.raises(DataError, match="1 scores of tuned on test that are no numbers"):
        effect(scored(np.zeros(5), LOSS, "base"), scored(np.array([0.0, np.nan, 0, 0, 1]), LOSS))


def test_where_no_item_differs_there_is_no_difference():
    found = effect(scored(np.arange(5.0), LOSS, "base"), scored(np.arange(5.0), LOSS))
    assert (found.effect.value, found.p) == (0, 1)
    share = 1 - 0.025 ** (1 / 5)  # of items that would do otherwise, and be 4 off, as far as the scores lie apart
    assert found.effect.interval.high == pytest.approx(4 * share)
    assert found.effect.interval.low == pytest.approx(-4 * share)


def test_a_seed_given_twice_is_refused():
    seeds = [scored(np.arange(5.0), LOSS, seed=1)] * 2
    with pytest.raises(DataError, match="seed 1 of tuned 2 times: needs trainings of different seeds"):
        effect(scored(np.zeros(5), LOSS, "base"), seeds)


def test_a_score_that_is_nothing_for_both_is_no_difference():
    """BLEU of outputs that share no four words with the references: 0, whatever the counts."""
    measure = Measure("share", "counts", score=lambda sums: np.where(sums[:, 0] > 10, sums[:, 0] / sums[:, 1], 0.0))
    base, tuned = (scored(np.stack([one, np.full(10, 9.0)], 1), measure, name)
                   for one, name in ((np.zeros(10), "base"), (np.eye(10)[0], "tuned")))  # fmt: skip
    assert (effect(base, tuned).effect.value, effect(base, tuned).p) == (0, 1)


@pytest.mark.parametrize(("count", "seeds"), [(6, 1), (50, 1), (50, 3)])
def test_a_difference_that_all_items_have_is_told_by_signs(count, seeds):
    """Oracle: scipy's permutation test of signs, of which no flip but the two whole ones is as far from 0."""
    values = np.arange(count) % 4
    base = [scored(values, LOSS, "base", seed=one) for one in range(seeds)]
    found = effect(base, [scored(values - 2.0, LOSS, seed=one) for one in range(seeds)])
    assert found.effect.value == -2.0
    assert found.rejected
    share = 1 - 0.025 ** (1 / count)  # of items that would have gone the other way
    assert found.effect.interval.high == pytest.approx(-2 + 4 * share)
    assert 0 not in found.effect.interval
    if count == 6:
        d = (np.full(6, -2.0),)
        theirs = stats.permutation_test(d, np.mean, permutation_type="samples", n_resamples=np.inf)
        assert found.p == pytest.approx(theirs.pvalue)


def test_all_wrong_before_and_all_right_now_is_an_answer_for_several_seeds_too():
    base = [scored(np.zeros(40, dtype=bool), RIGHT, "base", seed=seed) for seed in (1, 2)]
    tuned = [scored(np.ones(40, dtype=bool), RIGHT, seed=seed) for seed in (1, 2, 3)]
    found = effect(base, tuned)
    assert (found.effect.value, found.rejected) == (100.0, True)


def test_five_items_that_differ_by_the_same_tell_nothing():
    with pytest.raises(DataError, match="all 5 items of test differ by the same"):
        effect(scored(np.arange(5.0), LOSS, "base"), scored(np.arange(5.0) - 1, LOSS))


def test_no_interval_of_shares_goes_beyond_what_shares_can_differ_by():
    """Two seeds leave nearly everything open, and no more than everything."""
    generator = np.random.default_rng(1)
    base = scored(generator.random(60) < 0.5, RIGHT, "base")
    tuned = [scored(generator.random(60) < share, RIGHT, seed=seed) for seed, share in enumerate((0.4, 0.9))]
    within = effect(base, tuned).effect.interval
    assert (within.low, within.high) == (-100.0, 100.0)


def test_items_of_clusters_are_not_said_to_stand_alone():
    generator = np.random.default_rng(1)
    base, *tuned = [scored(generator.random(60), LOSS, name, np.arange(60) // 5, seed)
                    for name, seed in (("base", None), ("tuned", 1), ("tuned", 2))]  # fmt: skip
    assert [one.name for one in effect(base, tuned).assumptions] == ["seeds like others"]


def two_of_three(seeds, others):
    """Trainings of a base and of a tuned model, whose luck differs by seed."""
    chance = np.random.default_rng(3)
    items = chance.normal(size=50)
    base = [scored(items + i / 3 + chance.normal(0, 0.2, 50), LOSS, "base", seed=seed) for i, seed in enumerate(seeds)]
    tuned = [scored(items - 1 + i / 3 + chance.normal(0, 0.2, 50), LOSS, seed=seed) for i, seed in enumerate(others)]
    return base, tuned


@pytest.mark.parametrize("others", [(11, 12, 13), (2, 3, 4), (None, None, None)])
def test_trainings_of_other_seeds_are_no_pairs_in_whatever_order_they_stand(others):
    base, tuned = two_of_three((1, 2, 3), others)
    one, other = effect(base, tuned), effect(base[::-1], [tuned[place] for place in (1, 2, 0)])
    assert one.p == pytest.approx(other.p, rel=1e-9)
    assert one.effect.value == pytest.approx(other.effect.value)
    assert one.n == {"items": 50, "seeds": 3, "seeds of the base": 3}
    spread = [np.var([each.value for each in side], ddof=1) / 3 for side in (base, tuned)]
    assert (one.effect.value / one.statistic) ** 2 > 0.95 * sum(spread)


def test_trainings_of_the_same_seeds_are_pairs():
    """The luck that both share is none of their difference."""
    base, tuned = two_of_three((1, 2, 3), (1, 2, 3))
    alone = effect(*two_of_three((1, 2, 3), (4, 5, 6)))
    paired = effect(base, tuned[::-1])
    assert abs(paired.statistic) > 3 * abs(alone.statistic)


def test_clusters_that_level_out_are_no_sign_of_a_difference():
    """Six clusters of a gain and a loss of 1: what their items differ by is told, and no sign test of zeros."""
    d, names = np.tile([1.0, -1.0], 6), np.arange(12) // 2
    found = effect(scored(np.full(12, 2.0), LOSS, "base"), scored(2 + d, LOSS, clusters=names))
    assert (found.effect.value, found.p) == (0, 1)
    half = stats.t.ppf(0.975, 5) * d.std(ddof=1) * (1.1 / 12) ** 0.5
    assert found.effect.interval.high == pytest.approx(half)
    assert "All clusters differ by the same, and their items do not" in found.notes[0]


def test_clusters_all_of_whose_items_gain_count_as_one_each():
    """Five clusters that go one way are no fifty items: five signs have 0.0625."""
    names = np.arange(50) // 10
    found = effect(scored(np.zeros(50, dtype=bool), RIGHT, "base", names), scored(np.ones(50, dtype=bool), RIGHT))
    assert found.p == pytest.approx(2 * stats.t.sf(5**0.5, 4))
    assert found.p > 0.0625
    assert found.notes == ("All items do the same, so that each cluster counts as one.",)
