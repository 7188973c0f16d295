"""The bootstrap against scipy.stats.bootstrap and against the formulas that it approaches."""

import json
import math

import numpy as np
import pytest
from scipy import stats

from seqwise.errors import ConfigError, DataError
from seqwise.stats import resample
from seqwise.stats.resample import bootstrap, bootstrap_difference
from seqwise.stats.results import Shown
from seqwise.stats.statistic import of_one, of_pairs

RNG = np.random.default_rng(0)
X = RNG.gamma(2, size=40)
Y = X + RNG.normal(size=40)


def _close(interval, theirs, share=0.06):
    """Within a share of the interval's width: what drawing anew changes."""
    width = theirs.high - theirs.low
    return abs(interval.low - theirs.low) < share * width and abs(interval.high - theirs.high) < share * width


def _sd(x, axis=-1):
    return np.std(x, axis=axis, ddof=1)


@pytest.mark.parametrize("which", ["mean", "sd", "median"])
def test_sums_of_counts_are_the_statistic_of_the_drawn_rows(which):
    drawn = np.random.default_rng(1).integers(0, 40, (50, 40))
    direct = {"mean": np.mean, "sd": _sd, "median": np.median}[which](X[drawn], axis=-1)
    assert of_one(X, which, None).of(drawn) == pytest.approx(direct, rel=1e-12)


def test_correlations_from_sums_are_pearsons():
    drawn = np.random.default_rng(2).integers(0, 40, (30, 40))
    direct = [stats.pearsonr(X[row], Y[row]).statistic for row in drawn]
    assert of_pairs(X, Y, "correlation", None).of(drawn) == pytest.approx(direct, rel=1e-10)


def test_sums_do_not_cancel_far_from_zero():
    drawn = np.random.default_rng(3).integers(0, 40, (30, 40))
    assert of_one(X + 1e9, "sd", None).of(drawn) == pytest.approx(_sd((X + 1e9)[drawn]), rel=1e-6)


def test_leaving_out_is_leaving_out():
    left = of_one(X, "sd", None).without()
    assert left == pytest.approx([_sd(np.delete(X, place)) for place in range(40)], rel=1e-12)
    own = of_one(X, lambda rows: _sd(rows), None).without()
    assert own == pytest.approx(left, rel=1e-12)


def test_drawn_clusters_are_whole():
    members = tuple(np.arange(40).reshape(8, 5))
    drawn = np.array([[0, 0, 3, 5, 1, 1, 1, 2]])
    items = np.concatenate([members[one] for one in drawn[0]])
    assert of_one(X, "mean", members).of(drawn)[0] == pytest.approx(X[items].mean(), rel=1e-13)
    assert of_one(X, "median", members).of(drawn)[0] == np.median(X[items])
    assert of_one(X, lambda rows: rows.max(axis=-1), members).of(drawn)[0] == X[items].max()


@pytest.mark.parametrize("method", ["bca", "percentile"])
@pytest.mark.parametrize(("which", "function"), [("mean", np.mean), ("sd", _sd)])
def test_intervals_equal_scipys(which, function, method):
    name = {"bca": "BCa", "percentile": "percentile"}[method]
    theirs = stats.bootstrap((X,), function, method=name, rng=np.random.default_rng(1), n_resamples=9999)
    found = bootstrap(X, which, method=method)
    assert found.estimate.value == pytest.approx(float(function(X)), rel=1e-14)
    assert _close(found.estimate.interval, theirs.confidence_interval)
    assert found.error == pytest.approx(theirs.standard_error, rel=0.04)
    assert found.method == method


def test_intervals_of_pairs_and_of_two_samples_equal_scipys():
    def pearson(x, y, axis=-1):
        return stats.pearsonr(x, y, axis=axis).statistic

    def gap(x, y, axis=-1):
        return y.mean(axis) - x.mean(axis)

    theirs = stats.bootstrap((X, Y), pearson, paired=True, vectorized=True, rng=np.random.default_rng(1))
    assert _close(bootstrap(X, "correlation", Y).estimate.interval, theirs.confidence_interval)
    theirs = stats.bootstrap((X[:20], Y), gap, vectorized=True, rng=np.random.default_rng(1))
    assert _close(bootstrap_difference(X[:20], Y).estimate.interval, theirs.confidence_interval)


def test_a_function_gives_the_same_as_the_name():
    named, own = bootstrap(X, "mean"), bootstrap(X, lambda rows: rows.mean(axis=-1))
    assert own.estimate.interval.low == pytest.approx(named.estimate.interval.low, rel=1e-12)
    assert own.estimate.interval.high == pytest.approx(named.estimate.interval.high, rel=1e-12)


def test_the_error_of_a_mean_is_its_formula():
    found = bootstrap(X, "mean")
    assert found.error == pytest.approx(X.std() / math.sqrt(40), rel=0.03)
    assert abs(found.bias) < 4 * found.error / 100


def test_clusters_widen_the_interval_as_much_as_their_means_vary():
    """Clusters of equal size: the error is that of the mean of their means."""
    labels = np.repeat(np.arange(10), 4)
    x = np.repeat(np.random.default_rng(4).normal(size=10), 4) + 0.1 * RNG.normal(size=40)
    found, alone = bootstrap(x, "mean", clusters=labels), bootstrap(x, "mean")
    means = x.reshape(10, 4).mean(axis=1)
    assert found.error == pytest.approx(means.std() / math.sqrt(10), rel=0.03)
    assert found.error > 1.7 * alone.error
    assert "draws of 10 clusters of 40 items" in found.sentences()[0]


def test_pairs_are_their_differences():
    found = bootstrap(X, "mean", second=Y, name="score")
    assert found.estimate.name == "mean of differences of score"
    assert found.estimate.interval == bootstrap(Y - X, "mean").estimate.interval


def test_the_same_seed_gives_the_same_interval_and_batches_do_not_matter(monkeypatch):
    first, other = bootstrap(X, seed=1), bootstrap(X, seed=2)
    assert first == bootstrap(X, seed=1)
    assert first.estimate.interval != other.estimate.interval
    monkeypatch.setattr(resample, "BATCH", 40 * 100)
    assert _close(bootstrap(X, seed=1).estimate.interval, first.estimate.interval)


def test_intervals_of_a_skewed_mean_lean_to_where_it_is_skewed():
    bca, plain = (bootstrap(X, method=method).estimate.interval for method in ("bca", "percentile"))
    assert bca.high > plain.high
    assert bca.low > plain.low


def test_few_items_are_told_to_be_too_few():
    told = " ".join(bootstrap(X[:8], name="score").sentences())
    assert "Drawn from only 8 items the interval is too narrow: the percentile interval of a mean of 8 values" in told
    assert len(bootstrap(X).notes) == 0


def test_draws_without_a_correlation_are_left_out_and_told():
    found = bootstrap(np.array([1.0, 2, 3, 5]), "correlation", np.array([1.0, 3, 2, 6]))
    assert any("had no correlation and were left out" in note for note in found.notes)
    assert np.isfinite(found.estimate.interval.low)


def test_a_statistic_at_the_end_of_all_draws_falls_back_and_says_so():
    found = bootstrap(np.arange(1.0, 41.0), lambda rows: -1.0 * (rows.shape[0] == 1) + rows.mean(axis=-1) * 1e-9)
    assert found.method.startswith("percentile (as the statistic lies at the end")
    assert bootstrap(np.arange(1.0, 41.0), lambda rows: rows.max(axis=-1)).estimate.interval.high == 40


def test_a_median_is_corrected_for_bias_alone():
    found = bootstrap(X, "median", unit="s", name="delay")
    assert found.method == "bias-corrected"
    assert found.sentences()[0].startswith("The median of delay is ")
    assert " s (bias-corrected bootstrap, 9,999 draws of 40 items)." in found.sentences()[0]


def test_it_can_be_shown():
    found = bootstrap_difference(X, Y, names=("old", "new"))
    assert isinstance(found, Shown)
    assert json.loads(json.dumps(found.to_dict()))["n"] == [40, 40]
    assert found.estimate.name == "mean of new minus that of old"
    assert all(len(row) == len(grid.columns) for grid in found.grids() for row in grid.rows)


def test_bad_input_is_refused():
    for x in (np.array([]), np.array([1.0]), np.full(9, 2.0), np.array([1.0, np.nan])):
        with pytest.raises(DataError):
            bootstrap(x)
    with pytest.raises(DataError, match="pairs"):
        bootstrap(X, "correlation", Y[:10])
    with pytest.raises(DataError, match="two clusters"):
        bootstrap(X, clusters=np.zeros(40))
    with pytest.raises(DataError, match="values that differ"):
        bootstrap_difference(np.ones(4), np.ones(5))
    with pytest.raises(ConfigError, match="draws"):
        bootstrap(X, draws=10)
    with pytest.raises(ConfigError, match="statistic"):
        bootstrap(X, "correlation")
