"""Oracles: the statistics reference (O9), sums of squares written out, sums of two t's drawn."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from seqwise.verdict import shortage
from seqwise.verdict.aligned import aligned
from seqwise.verdict.effects import weighed
from seqwise.verdict.scored import Measure, Scored
from seqwise.verdict.seeds import Chance, crossed


def reference():
    """A table of 3 seeds x 6 items with the mean and the mean squares of O9."""
    seed, item = np.array([1, -1, 0]) / 2**0.5, np.array([1, 1, 1, -1, -1, -1]) / 6**0.5
    rest = np.outer(np.array([1, 1, -2]) / 6**0.5, np.array([1, -1, 0, 0, 0, 0]) / 2**0.5)
    return 0.1 + seed[:, None] * (0.03 / 6) ** 0.5 + item * (7 / 90) ** 0.5 + rest * (11 / 300) ** 0.5


def test_seeds_and_items_equal_the_reference():
    """O9: SE, Satterthwaite's df, t and p."""
    found = crossed([reference()], 0.1, 5)
    assert found.chance.error == pytest.approx(0.0567646212197547, rel=1e-12)
    assert found.chance.df == pytest.approx(6.12304331998544, rel=1e-12)
    assert found.value / found.chance.error == pytest.approx(1.76166065854411, rel=1e-12)
    assert found.satterthwaite == pytest.approx(0.127605278770817, rel=1e-11)
    assert found.seeds**0.5 == pytest.approx(0.0288675134594813, rel=1e-12)
    assert found.items**0.5 == pytest.approx(0.0509175077217316, rel=1e-12)
    assert found.rest == pytest.approx(0.003666666666666668 / 18, rel=1e-10)


@pytest.mark.parametrize(
    ("one", "two"),
    [((0.3, 2.0), (0.7, 199.0)), ((0.5, 4.0), (0.5, 5.0)), ((0.9, 2.0), (0.1, 29.0)), ((0.4, 1.0), (0.6, 9.0))],
)
def test_p_equals_draws_by_both_priors(one, two):
    """Variances drawn as Behrens and Fisher have them, t's given them; Ghosh and Kim weigh these by 1 / variance."""
    chance, many = np.random.default_rng(2), 10**6
    variances = [variance * df / chance.chisquare(df, many) for variance, df in (one, two)]
    drawn = np.abs(chance.normal(size=many)) * np.sqrt(sum(variances))
    weights = sum(1 / variance for variance in variances)
    matched = max(0.0, 1 - 1 / min(one[1], two[1]))
    weights = 1 - matched + matched * weights / weights.mean()
    found = Chance(1.0, 5.0, (one, two))
    for t in (0.5, 2.0, 3.5):
        hits = weights * (drawn > t)
        assert found.p(t) == pytest.approx(hits.mean(), abs=4 * hits.std() / many**0.5)
    assert found.p(found.critical()) == pytest.approx(0.05, rel=1e-9)
    low, high = found.interval(3.0).low, found.interval(3.0).high
    assert (low + high) / 2 == pytest.approx(3)
    assert high - 3 == pytest.approx(found.critical())


def test_one_part_is_students():
    found = Chance.of(2.0, 9)
    assert found.p(5.449492609130661) == pytest.approx(0.023425107930961742, rel=1e-10)
    assert found.above(1.3) == pytest.approx(stats.t.sf(1.3, 9), rel=1e-12)
    assert found.critical(0.95, 1) == pytest.approx(stats.t.ppf(0.95, 9), rel=1e-10)


def test_seeds_that_are_all_alike_leave_the_items_luck():
    row = np.random.default_rng(1).normal(0.2, 1, 50)
    found = crossed([np.stack([row, row, row])], float(row.mean()), 49)
    assert found.chance.p(found.value) == pytest.approx(stats.ttest_1samp(row, 0).pvalue, rel=1e-9)


def test_items_that_tell_no_more_than_chance_leave_the_seeds_luck():
    """An item part below nothing is nothing: S - 1 degrees of freedom."""
    chance = np.random.default_rng(5)
    table = chance.normal(0, 1, (3, 40))
    table -= table.mean(0)  # all items alike in the mean
    table += np.array([0.3, 0.1, 0.5])[:, None]
    found = crossed([table], float(table.mean()), 39)
    assert found.chance.p(found.value) == pytest.approx(stats.ttest_1samp(table.mean(1), 0).pvalue, rel=1e-9)


def test_seeds_of_both_systems_add_up():
    """Two tables: the variance of the seeds' means is that of Welch's test."""
    chance = np.random.default_rng(9)
    a, b = chance.normal(1, 1, (4, 30)), chance.normal(0, 1, (3, 30))
    found = crossed([a, -b], float(a.mean() - b.mean()), 29)
    expected = a.mean(1).var(ddof=1) / 4 + b.mean(1).var(ddof=1) / 3
    assert found.seeds == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("seeds", [3, 5])
@pytest.mark.parametrize("share", [0.5, 5.0])
def test_no_difference_is_rarely_called_one(seeds, share):
    """2,000 worlds; share: variance of the seeds' mean against that of the items'."""
    chance, items, worlds = np.random.default_rng(int(10 * share) + seeds), 40, 2000
    own = chance.normal(0, (share * seeds / items) ** 0.5, (worlds, seeds, 1))
    table = own + chance.normal(0, 1, (worlds, 1, items)) + chance.normal(0, 1, (worlds, seeds, items))
    wrong = 0
    for one in table:
        found = crossed([one], float(one.mean()), items - 1)
        wrong += abs(found.value) > 1.9 * found.chance.error and found.chance.p(found.value) < 0.05
    assert wrong / worlds < 0.06 + 2 * (0.06 * 0.94 / worlds) ** 0.5


def test_seeds_that_gain_as_much_on_other_items_are_no_surer_than_the_items():
    """Five items of 200 each, other ones, so that the seeds' means are alike: error and p of the items alone."""
    table = np.zeros((2, 200))
    table[0, 100:105] = table[1, 110:115] = 100
    found = crossed([table], 2.5, 199)
    assert found.seeds == 0
    assert found.chance.error >= stats.sem(table.mean(0))
    assert found.chance.p(2.5) >= stats.ttest_1samp(table.mean(0), 0).pvalue


def test_seeds_whose_means_come_out_alike_leave_the_items_error():
    """Scores: what an item differs by from seed to seed is all there is, and the seeds' means hide it."""
    chance = np.random.default_rng(4)
    table = chance.normal(0, 1, (3, 60))
    table += 0.3 - table.mean(1, keepdims=True)
    found = crossed([table], 0.3, 59)
    assert found.chance.error >= stats.sem(table.mean(0))
    assert found.chance.p(0.3) >= stats.ttest_1samp(table.mean(0), 0).pvalue


@pytest.mark.parametrize("seeds", [2, 3])
def test_a_few_flips_of_training_are_rarely_called_a_difference(seeds):
    """1 % of 200 items flip in a seed, either way: before, 2 seeds were called so in 11 % of such worlds."""
    chance, worlds, wrong = np.random.default_rng(3), 400, 0
    for table in chance.choice([0.0, 100.0, -100.0], p=[0.99, 0.005, 0.005], size=(worlds, seeds, 200)):
        value = float(table.mean())
        wrong += bool(value) and crossed([table], value, 199).chance.p(value) < 0.05
    assert wrong / worlds < 0.05


def test_p_of_seeds_is_the_larger_of_all_parts_and_of_the_items_alone():
    """Three seeds whose means lie closer than their items make them: the items' t decides, and of seeds that lie far
    apart the sum of both."""
    chance = np.random.default_rng(8)
    table = chance.normal(0, 1, (3, 200)) + chance.normal(0, 1, 200)
    table += (np.array([-0.01, 0.0, 0.01]) - table.mean(1))[:, None] + 0.2
    close = crossed([table], 0.2, 199)
    assert 0 < close.seeds < close.rest
    items = 2 * stats.t.sf(0.2 / max(close.items, close.rest) ** 0.5, 199)
    assert close.chance.p(0.2) == pytest.approx(items, rel=1e-9)
    assert close.chance.p(close.chance.critical() * close.chance.error) == pytest.approx(0.05, rel=1e-6)

    far = table + np.array([-0.3, 0.0, 0.3])[:, None]
    apart = crossed([far], 0.2, 199)
    parts = ((apart.seeds, 2.0), (apart.items - apart.rest, 199))
    assert apart.chance.p(0.2) == pytest.approx(Chance(1.0, 5.0, parts).p(0.2), rel=1e-9)
    assert apart.chance.p(0.2) > items


def weighed_seeds(*gained):
    """Right or wrong of 200 items, half of which the base has right; each seed gains these."""
    right, ids, known = Measure("accuracy", "right"), tuple(map(str, range(200))), np.arange(200) >= 100
    tuned = [
        Scored("tuned", "test", right, ids, known | np.isin(np.arange(200), places), seed=seed)
        for seed, places in enumerate(gained)
    ]
    return weighed(aligned(Scored("base", "test", right, ids, known), tuned))


def test_where_items_alone_decide_their_degrees_of_freedom_are_told():
    """Each seed gains six other items: no luck of training is seen, and p is that of 200 items."""
    found = weighed_seeds(range(6), range(6, 12), range(12, 18)).test
    assert found.df == (199,)
    assert found.p == pytest.approx(2 * stats.t.sf(found.statistic, 199), rel=1e-9)
    assert found.notes[-1].startswith("p is that of items alone, which is the larger")


def test_where_seeds_and_items_decide_their_test_is_named():
    found = weighed_seeds(range(2), range(18), range(40)).test
    assert found.df[0] < 10
    assert found.notes[-1].startswith("p and interval by Behrens and Fisher and Ghosh and Kim; Satterthwaite's t(")


def scores(table, clusters=()):
    """A base that is 0 for each item, and seeds that are these."""
    measure, ids = Measure("score", "score"), tuple(map(str, range(table.shape[1])))
    base = Scored("base", "test", measure, ids, np.zeros(table.shape[1]), clusters=clusters)
    return weighed(aligned(base, [replace(base, system="tuned", values=one, seed=n) for n, one in enumerate(table)]))


def test_what_is_told_beside_p_of_the_seeds_is_students_of_items_where_their_error_is_the_larger():
    """No item lasts, and the two degrees of freedom of the seeds make p the larger, though their error is not."""
    table = np.random.default_rng(5).normal(0, 1, (3, 40))
    table -= table.mean(0)
    table += np.array([0.3, 0.13, 0.3])[:, None] - table.mean(1, keepdims=True)
    asked = scores(table)
    assert 0.3 * asked.crossed.rest < asked.crossed.seeds < asked.crossed.rest
    assert asked.test.df == (39,)
    assert asked.test.p == pytest.approx(stats.ttest_1samp(table.mean(1), 0).pvalue, rel=1e-9)
    assert "; t(39) of items alone: " in asked.test.notes[-1]


@pytest.mark.parametrize("world", range(8))
def test_more_seeds_tell_what_luck_of_the_moment_hides(world):
    """Nothing lasts, of seeds or items: the error falls by the root of the number of seeds, that of items alone too."""
    asked = scores(0.3 + np.random.default_rng(world).normal(0, 4.65, (3, 200)))
    assert 3 < shortage.seeds(asked, 0.3) < 20
    assert "seeds (now 3) would tell a gain of 0.3" in shortage.told(asked, 0.3, "a gain of {}")


@pytest.mark.parametrize("documents", [8, 400])
@pytest.mark.parametrize("world", range(4))
def test_items_that_would_tell_agree_with_what_can_be_shown_now(world, documents):
    """Few documents know their spread by few degrees of freedom, which counts in both."""
    random = np.random.default_rng(world)
    clusters = tuple(f"document {n * documents // 400}" for n in range(400))
    of_documents = random.normal(0, 1, documents)[np.arange(400) * documents // 400]
    asked = scores(0.5 + of_documents + random.normal(0, 0.5, (3, 400)), clusters)
    now = asked.chance.detectable()
    assert shortage.items(asked, 1.001 * now) <= 400
    assert shortage.items(asked, 0.999 * now) > 400
    assert shortage.items(asked, now / 1.5) > 700
    assert "400" in shortage.told(asked, 0.9 * now, "a gain of {}")
    assert "As many items as these" in shortage.told(asked, 1.1 * now, "a gain of {}")


def test_items_rule_no_margin_out_that_the_luck_of_training_may_make():
    """Training's own luck is as large with many items: a margin within it is never ruled out, by whatever number."""
    random = np.random.default_rng(1)
    item, trained = random.normal(0, 5, 200), np.array([[-1.0], [0.2], [0.9]])
    asked = scores(trained + item + random.normal(0, 3, (3, 200)))
    assert shortage.harmless(asked, 1.0) == np.inf
    wide = asked.chance.detectable(sides=1)
    assert 150 <= shortage.harmless(asked, 1.01 * wide) <= 200
    calm = scores(item + random.normal(0, 3, (3, 200)))
    assert 200 < shortage.harmless(calm, 0.7 * calm.chance.detectable(sides=1)) < 600


@pytest.mark.parametrize("world", range(10))
def test_what_can_be_shown_now_is_never_said_to_need_more(world):
    """More items may leave the luck of training alone with its few degrees of freedom, within a hair."""
    random = np.random.default_rng(world)
    item, trained = random.normal(0, 1, 120), random.normal(0, 0.3, (3, 1))
    asked = scores(trained + item + random.normal(0, 0.3, (3, 120)))
    for times in (1.001, 1.02, 1.1):
        assert shortage.items(asked, times * asked.chance.detectable()) <= 120
