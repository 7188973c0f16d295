"""Oracles: exact moments and quantiles of what is drawn, scipy's bootstrap, all sign flips."""

import numpy as np
import pytest
from scipy.stats import bootstrap

from seqwise.errors import ConfigError
from seqwise.stats.permutation import flipped
from seqwise.verdict import draws


def columns():
    """A column for each way to draw: few values that differ, few items, whole blocks, a last block that is short."""
    chance = np.random.default_rng(4)
    return {
        "levels": chance.integers(0, 5, 3000) / 4,
        "small": chance.gamma(1.0, 1.0, 400),
        "blocks": chance.gamma(1.0, 1.0, 2560) + 1000,
        "short": chance.gamma(1.0, 1.0, 2561),
    }


@pytest.mark.parametrize("kind", ["levels", "small", "blocks", "short"])
def test_drawn_means_have_the_moments_of_the_bootstrap(kind):
    """Mean, sd = s / sqrt(n) with n in the denominator, and skewness = that of the values / sqrt(n)."""
    x = columns()[kind]
    drawn, r = draws.means(x, 40_000, 7, 1), 40_000
    sd = x.std() / len(x) ** 0.5
    assert abs(drawn.mean() - x.mean()) < 4 * sd / r**0.5
    assert drawn.std() == pytest.approx(sd, rel=4 / (2 * r) ** 0.5)
    z, own = (drawn - x.mean()) / sd, (x - x.mean()) / x.std()
    assert abs((z**3).mean() - (own**3).mean() / len(x) ** 0.5) < 4 * (15 / r) ** 0.5


def test_intervals_equal_scipys_bootstrap():
    x = columns()["short"]
    ours = draws.middle(draws.means(x, 10_000, 3, 1))
    theirs = bootstrap((x,), np.mean, n_resamples=4000, batch=500, method="percentile", rng=np.random.default_rng(1))
    sd = x.std() / len(x) ** 0.5
    assert ours.low == pytest.approx(theirs.confidence_interval.low, abs=0.15 * sd)
    assert ours.high == pytest.approx(theirs.confidence_interval.high, abs=0.15 * sd)


@pytest.mark.parametrize("kind", ["levels", "small", "short"])
def test_threads_change_nothing(kind):
    x = columns()[kind][:2561]
    assert np.array_equal(draws.means(x, 2500, 5, 1), draws.means(x, 2500, 5, 3))
    assert np.array_equal(draws.halves(x[:300, None], 2500, 5, 1), draws.halves(x[:300, None], 2500, 5, 3))
    assert not np.array_equal(draws.means(x, 2500, 5, 1), draws.means(x, 2500, 6, 1))


def test_coins_take_each_row_half_the_time_and_no_two_together():
    """Columns of the identity tell which rows were taken."""
    taken = draws.halves(np.eye(19), 20_000, 2, 1)
    assert set(np.unique(taken)) == {0.0, 1.0}
    assert np.abs(taken.mean(0) - 0.5).max() < 4 * 0.5 / 20_000**0.5
    apart = np.corrcoef(taken.T) - np.eye(19)
    assert np.abs(apart).max() < 5 / 20_000**0.5


def test_sums_of_counts_are_those_of_as_many_items():
    counts = np.random.default_rng(1).integers(0, 9, (150, 3)).astype(float)
    found = draws.sums(np.concatenate([counts, np.ones((150, 1))], axis=1), 20_000, 9, 1)
    assert (found[:, 3] == 150).all()
    expected = 150 * np.cov(counts.T, bias=True)
    assert np.cov(found[:, :3].T) == pytest.approx(expected, abs=0.05 * expected.max())


def test_drawn_flips_agree_with_all_flips():
    d = np.random.default_rng(8).normal(0.3, 1, 20)
    exact, every = draws.flips(d)
    assert every
    assert exact == flipped(d, 99, 0, 20, 1)[0]
    more = np.concatenate([d, np.zeros(1)])  # flips of nothing change nothing
    p, every = draws.flips(more, 40_000, 1, 1)
    assert not every
    assert abs(p - exact) < 4 * (exact * (1 - exact) / 40_000) ** 0.5


def test_too_few_resamples_are_refused():
    with pytest.raises(ConfigError, match="20 resamples: needs at least 40"):
        draws.means(np.arange(9.0), 20)
