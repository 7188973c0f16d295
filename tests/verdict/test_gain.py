"""What is said of a gain: never against its numbers, and with the items that would tell."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from seqwise.errors import ConfigError
from seqwise.verdict import shortage
from seqwise.verdict.aligned import aligned
from seqwise.verdict.effects import weighed
from seqwise.verdict.gain import against_rival, gain
from seqwise.verdict.generalization import generalization
from seqwise.verdict.luck import luck
from seqwise.verdict.scored import Measure, Scored

RIGHT = Measure("accuracy", "right")
LOSS = Measure("loss", "score", "nats", lower=True)


def scored(values, measure, system="tuned", seed=None):
    values = np.asarray(values)
    return Scored(system, "test", measure, tuple(map(str, range(len(values)))), values, seed=seed)


def flips(both, lost, gained, neither):
    counts = (both, lost, gained, neither)
    return (
        scored(np.repeat([1, 1, 0, 0], counts) > 0, RIGHT, "base"),
        scored(np.repeat([1, 0, 1, 0], counts) > 0, RIGHT),
    )


def test_a_gain_is_told_with_size_interval_test_and_n():
    found = gain(*flips(120, 6, 18, 56))
    assert found.answer == "yes"
    assert not found.needed
    assert found.told == (
        "tuned is better than base on test: accuracy 63.00 of base, 69.00 of tuned, difference +6.0 points, "
        "95 % interval 1.3 to 11.2 (McNemar's mid-p test, p = 0.0146, 200 items)."
    )
    assert found.scores["base"] == pytest.approx(63)
    assert found.scores["tuned"] == pytest.approx(69)


def test_less_loss_is_better_and_more_is_worse():
    chance = np.random.default_rng(1)
    base = chance.normal(3, 1, 100)
    tuned = base - 0.3 + chance.normal(0, 0.3, 100)
    assert gain(scored(base, LOSS, "base"), scored(tuned, LOSS)).answer == "yes"
    worse = gain(scored(tuned, LOSS, "base"), scored(base, LOSS))
    assert worse.answer == "no"
    assert "tuned is worse than base" in worse.told
    assert against_rival(scored(base, LOSS, "tf-idf"), scored(tuned, LOSS)).subject == "tf-idf"


@pytest.mark.parametrize(
    ("least", "answer", "told"),
    [
        (1.0, "yes", "the gain is 1 point or more, as would be useful"),
        (3.0, "yes", "whether the gain is 3 points, the least that would be useful, is open"),
        (12.0, "no", "a gain of 12 points, the least that would be useful, is ruled out"),
    ],
)
def test_a_gain_is_judged_by_what_would_be_useful(least, answer, told):
    found = gain(*flips(120, 6, 18, 56), least=least)
    assert found.answer == answer
    assert told in found.told
    assert found.margin == least


def shown(n, gained, lost):
    """How often McNemar's mid-p test finds such shares among n items: the sum over all that may happen, by scipy."""
    changed, total = gained + lost, 0.0
    for m in range(n + 1):
        k = np.arange(m + 1)
        less = np.minimum(k, m - k)
        p = np.where(2 * k == m, 1.0, 2 * binom.cdf(less, m, 0.5) - binom.pmf(less, m, 0.5))
        total += binom.pmf(m, n, min(1.0, changed)) * binom.pmf(k, m, gained / changed)[p < 0.05].sum()
    return total


def told_items(found, now):
    return int(re.search(rf"([\d,]+) items like these \(now {now}\)", found.needed)[1].replace(",", ""))


@pytest.mark.parametrize("row", [(130, 7, 14, 49), (49, 0, 1, 0), (30, 0, 4, 6), (7, 1, 3, 0)])
def test_cannot_tell_names_the_items_that_would(row):
    """By the exact power of the test itself: enough, and a tenth fewer would not be; rounded up to two digits."""
    found, n = gain(*flips(*row)), sum(row)
    assert found.answer == "cannot tell"
    number = told_items(found, n)
    assert shown(number, row[2] / n, row[1] / n) >= 0.8
    assert shown(round(0.88 * number), row[2] / n, row[1] / n) < 0.81
    useful = gain(*flips(130, 7, 14, 49), least=2.0)
    assert "would tell a gain of 2 points" in useful.needed


def test_two_items_that_both_flip_ask_for_five_as_four_never_tell():
    """Four that all go one way have p = 0.0625, by the binomial."""
    found = gain(*flips(0, 0, 2, 0))
    assert told_items(found, 2) == 5
    assert shown(4, 1.0, 0.0) == 0
    assert shown(5, 1.0, 0.0) == 1


def test_a_huge_cluster_among_small_ones_is_no_many_items():
    """Where the difference seen is smaller than what is found four times in five, more items are asked for."""
    sizes = [191] + [1] * 9
    chance, labels = np.random.default_rng(2), tuple(str(g) for g, n in enumerate(sizes) for _ in range(n))
    base, tuned = chance.random(200) < 0.6, chance.random(200) < 0.85
    pair = scored(base, RIGHT, "base"), scored(tuned, RIGHT)
    found = gain(*(replace(one, clusters=labels) for one in pair))
    assert found.answer == "cannot tell"
    least = found.test.detectable
    assert least is None or abs(found.test.effect.value) < least.value
    assert told_items(found, 200) > 200


def test_so_many_items_would_indeed_tell():
    """Simulated: the number asked for finds the difference in 78 to 83 of 100 worlds."""
    chance = np.random.default_rng(4)
    d = chance.normal(0.1, 1, 150)
    wanted = int(shortage.items(weighed(aligned(scored(0 * d, LOSS, "base"), scored(d, LOSS)), resamples=40), 0.2))
    spread = d.std(ddof=1)
    worlds = chance.normal(0.2, spread, (4000, wanted))
    t = worlds.mean(1) / (worlds.std(1, ddof=1) / wanted**0.5)
    assert 0.78 < (np.abs(t) > 1.972).mean() < 0.84


def test_as_many_gained_as_lost_is_not_nothing_changed():
    assert gain(*flips(50, 10, 10, 50)).needed.startswith("Gains and losses are level; a difference of ")


def test_nothing_changed_is_told_as_such():
    found = gain(*flips(50, 0, 0, 50))
    assert found.answer == "cannot tell"
    assert found.needed.startswith("Nothing changed")


@settings(max_examples=25, deadline=None)
@given(st.tuples(*[st.integers(0, 60)] * 4).filter(lambda row: sum(row) > 2), st.sampled_from([None, 0.5, 2.0, 10.0]))
def test_words_never_contradict_the_numbers(row, least):
    found = gain(*flips(*row), least=least)
    both, p = found.interval, found.test.p
    assert "significant" not in found.told
    assert "interval" in found.told
    assert "items" in found.told
    if found.answer == "yes":
        assert p < 0.05
        assert both.low > 0
    elif found.answer == "no":
        assert (p < 0.05 and both.high < 0) or both.high < least
    else:
        assert p >= 0.05 or 0 in both
        assert found.needed


def test_a_useful_gain_is_above_nothing():
    with pytest.raises(ConfigError, match="least=0: needs a number above 0"):
        gain(*flips(5, 1, 1, 5), least=0)


@pytest.mark.parametrize("count", [1, 2, 4])
def test_fewer_than_five_clusters_tell_nothing(count):
    """However clear: two documents that went well are two accidents."""
    documents = tuple(f"d{i % count}" for i in range(40))
    base, tuned = scored(np.zeros(40) > 0, RIGHT, "base"), scored(np.arange(40) % 8 > 0, RIGHT)
    both = [replace(one, clusters=documents) for one in (base, tuned)]
    found = gain(*both)
    assert (found.state, found.answer) == ("TOO FEW", None)
    assert f"{count} cluster" in found.told
    assert luck(*both).state == "TOO FEW"
    (general,) = generalization({"news": both[0]}, {"news": both[1]})
    assert general.state == "TOO FEW"


@pytest.mark.parametrize(("count", "state"), [(2, "TOO FEW"), (4, "TOO FEW"), (5, "MEASURED")])
def test_a_handful_of_items_is_too_few_however_alike_their_differences(count, state):
    base = scored(np.linspace(1.0, 2.0, count), LOSS, "base")
    tuned = scored(base.values - 0.50 - 0.01 * np.arange(count), LOSS)
    assert gain(base, tuned).state == luck(base, tuned).state == state
    (lost,) = generalization({"test": base}, {"test": tuned}, 0.1)
    assert lost.state == state
    if state == "TOO FEW":
        assert gain(base, tuned).told == f"{count} items, and 5 at least tell something."


def test_few_items_that_are_right_or_wrong_are_counted_exactly():
    base, tuned = flips(1, 0, 2, 0)
    assert (gain(base, tuned).state, gain(base, tuned).answer) == ("MEASURED", "cannot tell")
