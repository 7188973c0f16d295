"""memorisation: against scipy, scikit-learn, and worlds in which the truth is known."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from seqwise.errors import ConfigError, DataError
from seqwise.verdict.memorisation import memorised, told_apart


def losses(count, mean, seed):
    return np.random.default_rng(seed).gamma(4.0, mean / 4, count)


def test_the_difference_is_welch_and_the_strength_is_the_auc():
    trained, unseen = losses(80, 0.2, 1), losses(60, 0.5, 2)
    found = memorised(trained, unseen)
    oracle = stats.ttest_ind(unseen, trained, equal_var=False)
    within = oracle.confidence_interval()
    assert found.test is not None
    assert found.interval is not None
    assert found.test.statistic == pytest.approx(oracle.statistic)
    assert (found.interval.low, found.interval.high) == pytest.approx((within.low, within.high))
    auc = roc_auc_score(np.repeat([1, 0], [80, 60]), -np.concatenate([trained, unseen]))
    assert found.values["pairs told apart"] == pytest.approx(auc)
    assert auc == pytest.approx((trained[:, None] < unseen).mean())
    assert found.answer == "yes"
    assert "less than on comparable unseen items" in found.told
    assert found.notes


def test_the_untouched_models_losses_take_off_what_made_items_easy_before():
    """Trained items were easier from the start, and tuning brought all down alike."""
    base_trained, base_unseen = losses(300, 0.4, 3), losses(300, 1.0, 4)
    chance = np.random.default_rng(5)
    trained = base_trained - 0.1 + 0.05 * chance.standard_normal(300)
    unseen = base_unseen - 0.1 + 0.05 * chance.standard_normal(300)
    assert memorised(trained, unseen).answer == "yes"
    found = memorised(trained, unseen, base_trained, base_unseen)
    assert found.answer == "no"
    assert "not alike" in found.notes[0]
    falls = base_trained - trained, base_unseen - unseen
    assert found.test is not None
    assert found.test.effect.value == pytest.approx(falls[0].mean() - falls[1].mean())
    assert found.test.p == pytest.approx(stats.ttest_ind(*falls, equal_var=False).pvalue)
    assert "tuning brought the loss down" in found.told


def test_items_of_one_kind_are_not_said_to_be_learnt_by_heart():
    answers = [memorised(losses(200, 0.5, seed), losses(200, 0.5, 1000 + seed)).answer for seed in range(30)]
    assert answers.count("yes") == 0
    assert answers.count("no") > 24


def test_few_items_near_the_limit_cannot_tell_and_say_how_many_would():
    found = memorised(losses(20, 0.4, 8), losses(20, 0.5, 9))
    assert found.answer == "cannot tell"
    assert "trained items and as many unseen ones would tell" in found.needed
    assert memorised(losses(9, 0.4, 8), losses(50, 0.5, 9)).state == "TOO FEW"


def test_the_interval_covers_the_true_share_of_pairs():
    """Normal losses one sd apart: P = Phi(1 / sqrt 2) = 0.760."""
    truth, chance = float(stats.norm.cdf(1 / np.sqrt(2))), np.random.default_rng(10)
    covered = sum(
        truth in told_apart(chance.standard_normal(40) + 1, chance.standard_normal(40)).interval for _ in range(1000)
    )
    assert 925 <= covered <= 975


def test_all_pairs_told_apart_still_have_an_interval():
    found = told_apart(np.arange(10.0) + 100, np.arange(10.0))
    assert found.value == 1.0
    assert found.interval is not None
    assert 0.6 < found.interval.low < 1 == found.interval.high


def test_what_does_not_fit_is_refused_in_one_line():
    some = losses(20, 0.5, 1)
    with pytest.raises(DataError, match="one kind of item only"):
        memorised(some, some, some)
    with pytest.raises(DataError, match="19 of the untouched model"):
        memorised(some, some, some[1:], some)
    with pytest.raises(DataError, match="trained items"):
        memorised(np.array([*some, np.nan]), some)
    with pytest.raises(ConfigError, match="guessing"):
        memorised(some, some, limit=0.4)
