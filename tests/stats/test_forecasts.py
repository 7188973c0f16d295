"""Diebold and Mariano's test against the reference's numbers, statsmodels' HAC and counting."""

import json
import math

import numpy as np
import pytest

from seqwise.errors import ConfigError, DataError
from seqwise.stats.forecasts import autocovariances, diebold_mariano, error_of_mean, small_sample
from seqwise.stats.results import Shown


def _losses(mean, g0, g1, n=10):
    """Two rows of losses whose differences have this mean and these autocovariances: a sum of two eigenvectors of the
    shift, as they do not mix."""
    shift = np.eye(n, k=1) / 2 + np.eye(n, k=-1) / 2
    centre = np.eye(n) - 1 / n
    values, vectors = np.linalg.eigh(centre @ shift @ centre)
    low, high = values[0], values[-1]
    share = (n * g1 - low * n * g0) / (high - low)
    d = mean + math.sqrt(share) * vectors[:, -1] + math.sqrt(n * g0 - share) * vectors[:, 0]
    second = np.full(n, 5.0)
    return second + d, second


FIRST, SECOND = _losses(0.318, 0.130636, -0.0534544)


def test_one_step_equals_the_reference():
    found = diebold_mariano(FIRST, SECOND).test
    assert found.effect.value == pytest.approx(0.318, rel=1e-12)
    assert found.statistic == pytest.approx(2.639471260820505, rel=1e-9)
    assert found.p == pytest.approx(0.02693711724263302, rel=1e-8)
    assert found.statistic / small_sample(10, 1) == pytest.approx(2.782247000916383, rel=1e-9)


def test_two_steps_equal_the_reference():
    found = diebold_mariano(FIRST, SECOND, 2).test
    assert found.statistic == pytest.approx(5.53949433657741, rel=1e-8)
    assert found.p == pytest.approx(0.00036128418770659844, rel=1e-7)
    assert found.statistic / small_sample(10, 2) == pytest.approx(6.52835668289727, rel=1e-8)
    assert autocovariances(FIRST - SECOND, 2) == pytest.approx([0.130636, -0.0534544], rel=1e-10)


def test_one_step_is_nearly_students():
    """sqrt((T - 1) / T) DM = d / (sd / sqrt(T)) with the sd of T - 1."""
    from scipy.stats import ttest_1samp

    d = FIRST - SECOND
    student = ttest_1samp(d, 0)
    assert diebold_mariano(FIRST, SECOND).test.statistic == pytest.approx(student.statistic, rel=1e-12)
    interval = diebold_mariano(FIRST, SECOND).test.effect.interval
    theirs = student.confidence_interval(0.95)
    assert (interval.low, interval.high) == (pytest.approx(theirs.low), pytest.approx(theirs.high))


def test_the_error_is_the_uniform_kernels():
    """Oracle: statsmodels' HAC standard error of a constant with the uniform kernel."""
    import statsmodels.api as sm
    from statsmodels.stats.sandwich_covariance import weights_uniform

    rng = np.random.default_rng(0)
    d = np.convolve(rng.normal(size=63), [1, 0.6, 0.3], "valid")
    fit = sm.OLS(d, np.ones(len(d))).fit(
        cov_type="HAC", cov_kwds={"maxlags": 2, "kernel": weights_uniform, "use_correction": False}
    )
    error, saved = error_of_mean(autocovariances(d, 3), len(d))
    assert not saved
    assert error == pytest.approx(float(fit.bse[0]), rel=1e-10)


def test_a_negative_variance_is_saved_and_told():
    first, second = _losses(0.1, 1.0, -0.7)
    error, saved = error_of_mean([1.0, -0.7], 10)
    assert saved
    assert error == pytest.approx(math.sqrt((1 - 0.7) / 10))
    found = diebold_mariano(first, second, 2)
    assert any("Bartlett" in sentence for sentence in found.sentences())
    assert found.test.p > 0.05


def test_the_factor_is_above_zero_for_any_horizon():
    assert all(small_sample(n, h) > 0 for n in range(2, 30) for h in range(1, n))


@pytest.mark.parametrize("sign", [1, -1])
def test_better_and_worse_are_told_in_the_right_order(sign):
    rng = np.random.default_rng(1)
    base = rng.gamma(2, size=60)
    first, second = (base + 1, base + 0.1 * rng.normal(size=60))[::sign]
    found = diebold_mariano(first, second, 1, ("naive", "LSTM"), "squared error", "EUR²")
    assert found.verdict == ("better" if sign > 0 else "worse")
    word, less = ("better", "less") if sign > 0 else ("worse", "more")
    assert found.sentences()[0].startswith(f"LSTM is {word} than naive: the mean squared error of LSTM is ")
    assert f" EUR² {less}, 95 % interval " in found.sentences()[0]
    low = float(found.sentences()[0].split("95 % interval ")[1].split(" to ")[0])
    assert low > 0  # of how much less or more it is
    assert "60 forecasts 1 step ahead" in found.sentences()[0]


def test_what_cannot_be_told_is_told():
    rng = np.random.default_rng(2)
    found = diebold_mariano(rng.gamma(2, size=40), rng.gamma(2, size=40), 3, ("naive", "LSTM"))
    assert found.verdict == "cannot tell"
    assert found.sentences()[0].startswith("Cannot tell whether LSTM is better or worse than naive")


def test_verdict_interval_and_p_agree():
    rng = np.random.default_rng(3)
    for _ in range(40):
        a, b = rng.gamma(2, size=12), rng.gamma(2.6, size=12)
        found = diebold_mariano(a, b, int(rng.integers(1, 4)))
        assert found.test.rejected == (0 not in found.test.effect.interval)
        assert (found.verdict == "cannot tell") == (not found.test.rejected)


def test_equal_losses_and_equal_differences_are_told():
    x = np.random.default_rng(4).gamma(2, size=30)
    same = diebold_mariano(x, x.copy())
    assert (same.verdict, same.test.p) == ("cannot tell", 1.0)
    assert "the same at every origin" in " ".join(same.sentences())
    shifted = diebold_mariano(x, x + 1)
    assert (shifted.verdict, shifted.test.p) == ("worse", 2.0**-29)
    assert "which is 1 more at each of them" in shifted.sentences()[0]
    few = diebold_mariano(x[:3], x[:3] + 1)
    assert (few.verdict, few.test.p) == ("cannot tell", 0.25)


def test_a_difference_that_changes_with_time_is_told():
    rng = np.random.default_rng(5)
    second = rng.normal(size=80) + np.repeat([-3.0, 3.0], 40)
    found = diebold_mariano(np.zeros(80), second)
    assert any("changes with time" in sentence for sentence in found.sentences())


def test_few_origins_are_told():
    assert any("rough guess" in one for one in diebold_mariano(FIRST, SECOND, 4).sentences())
    assert not any("rough guess" in one for one in diebold_mariano(FIRST, SECOND, 2).sentences())


def test_it_can_be_shown():
    for found in (diebold_mariano(FIRST, SECOND, 2), diebold_mariano(SECOND, SECOND + 1)):
        assert isinstance(found, Shown)
        assert json.loads(json.dumps(found.to_dict()))["verdict"] == found.verdict
        assert all(len(row) == len(grid.columns) for grid in found.grids() for row in grid.rows)


def test_bad_losses_are_refused():
    for first, second in (
        (np.array([1.0]), np.array([1.0])),
        (np.array([1.0, 2.0]), np.array([1.0, 2.0, 3.0])),
        (np.array([1.0, np.nan]), np.array([1.0, 2.0])),
    ):
        with pytest.raises(DataError):
            diebold_mariano(first, second)
    for horizon in (0, 10, 11):
        with pytest.raises(ConfigError, match="horizon"):
            diebold_mariano(FIRST, SECOND, horizon)


def test_kept_degrees_hold_the_level_where_horizons_overlap():
    """Differences that share all steps but one with their neighbour, eight origins for each of six steps, none better:
    by T - 1 degrees too many are called better or worse, by those kept about one in twenty."""
    chance, h, worlds = np.random.default_rng(3), 6, 800
    rejected = {"published": 0, "kept": 0}
    for _ in range(worlds):
        moves = chance.standard_normal(8 * h + h - 1)
        d = np.convolve(moves, np.ones(h), "valid")
        for degrees in rejected:
            test = diebold_mariano(d, np.zeros(len(d)), h, degrees=degrees).test
            rejected[degrees] += test.rejected
    assert rejected["published"] / worlds > 0.08
    assert 0.02 < rejected["kept"] / worlds < 0.07


def test_kept_degrees_are_those_of_the_sum_of_covariances():
    chance = np.random.default_rng(4)
    found = diebold_mariano(chance.random(60), chance.random(60), 5, degrees="kept").test
    assert found.df == (60 / 9,)
    assert diebold_mariano(FIRST, SECOND, degrees="kept").test.df == (10 / 3,)  # the cube root of 10 covariances
