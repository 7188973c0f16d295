"""Scores of forecasts against scoringrules, scipy, and the numbers of the reference."""

import math

import numpy as np
import pytest
import scoringrules
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from seqwise.errors import DataError
from seqwise.metrics import numbers

Y = np.array([[1.0, -2.0, 0.3], [4.0, 0.0, -0.6]])
MEAN = np.array([[0.5, -1.0, 0.3], [1.0, 2.0, -0.5]])
SD = np.array([[1.0, 0.2, 3.0], [2.0, 0.7, 0.05]])
DF = np.array([[2.5, 4.0, 9.0], [30.0, 3.0, 5.0]])


@pytest.mark.parametrize(
    ("mean", "sd", "y", "expected"),
    [
        (0.0, 1.0, 0.0, 0.233694977255109),
        (0.0, 1.0, 1.0, 0.602441357627616),
        (0.0, 1.0, 3.0, 2.43657472508634),
        (2.0, 0.5, 1.0, 0.726395910842952),
        (0.0, 1.0, 40.0, 39.4358104164522),
        (2.0, 0.0, 1.0, 1.0),
        (2.0, 0.0, 2.0, 0.0),
        (2.0, 1e-200, 1.0, 1.0),
    ],
)
def test_crps_of_a_normal(mean, sd, y, expected):
    found = numbers.crps_normal(np.array([mean]), np.array([sd]), np.array([y]))
    assert float(found[0]) == pytest.approx(expected, rel=1e-14)


def test_normal_against_scipy():
    found = numbers.log_score_normal(np.array([2.0]), np.array([0.5]), np.array([1.0]))
    assert float(found[0]) == pytest.approx(2.22579135264473, rel=1e-14)
    np.testing.assert_allclose(numbers.log_score_normal(MEAN, SD, Y), -stats.norm.logpdf(Y, MEAN, SD))
    np.testing.assert_allclose(numbers.pit_normal(MEAN, SD, Y), stats.norm.cdf(Y, MEAN, SD))
    np.testing.assert_allclose(numbers.crps_normal(MEAN, SD, Y), scoringrules.crps_normal(Y, MEAN, SD))


def test_student_against_scipy():
    np.testing.assert_allclose(numbers.crps_student(MEAN, SD, DF, Y), scoringrules.crps_t(Y, DF, MEAN, SD))
    np.testing.assert_allclose(numbers.log_score_student(MEAN, SD, DF, Y), -stats.t.logpdf(Y, DF, MEAN, SD))
    np.testing.assert_allclose(numbers.pit_student(MEAN, SD, DF, Y), stats.t.cdf(Y, DF, MEAN, SD))


def test_crps_of_samples_biased_and_fair():
    samples, y = np.array([[1.0], [2.0], [4.0], [7.0]]), np.array([3.0])
    assert float(numbers.crps_samples(samples, y, fair=False)[0]) == pytest.approx(0.75, rel=1e-14)
    assert float(numbers.crps_samples(samples, y)[0]) == pytest.approx(0.333333333333333, rel=1e-14)


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=30), st.floats(-1e3, 1e3))
@settings(max_examples=40, deadline=None)
def test_crps_of_samples_by_all_pairs(samples, y):
    x = np.array(samples)
    distances = np.abs(x[:, None] - x)
    expected = np.abs(x - y).mean() - distances.sum() / (2 * len(x) * (len(x) - 1))
    assert float(numbers.crps_samples(x[:, None], np.array([y]))[0]) == pytest.approx(expected, abs=1e-8)


def test_crps_of_samples_against_scoringrules():
    samples = np.random.default_rng(1).normal(size=(50, 2, 3))
    for fair, estimator in ((True, "fair"), (False, "nrg")):
        oracle = scoringrules.crps_ensemble(Y, np.moveaxis(samples, 0, -1), estimator=estimator)
        np.testing.assert_allclose(numbers.crps_samples(samples, Y, fair), oracle)


def test_crps_of_many_quantiles_is_that_of_the_distribution():
    levels = np.arange(1, 1000) / 1000
    values = MEAN[..., None] + SD[..., None] * stats.norm.ppf(levels)
    found = numbers.crps_quantiles(values, levels.tolist(), Y)
    np.testing.assert_allclose(found, numbers.crps_normal(MEAN, SD, Y), rtol=2e-3)


def test_crps_of_a_median_is_the_absolute_error():
    np.testing.assert_allclose(numbers.crps_quantiles(MEAN[..., None], [0.5], Y), numbers.absolute(Y, MEAN))


@pytest.mark.parametrize("levels", [[0.5, 0.1], [0.1], [0.0, 0.5], [0.5, 1.0]])
def test_levels_that_are_none(levels):
    with pytest.raises(DataError, match="rising"):
        numbers.crps_quantiles(np.zeros((3, 2)), levels, np.zeros(3))


def test_values():
    assert numbers.mae(Y, MEAN) == pytest.approx((0.5 + 1 + 0 + 3 + 2 + 0.1) / 6)
    assert numbers.rmse(Y, MEAN) == pytest.approx(math.sqrt((0.25 + 1 + 0 + 9 + 4 + 0.01) / 6))
    np.testing.assert_allclose(numbers.by_item(numbers.absolute(Y, MEAN)), [0.5, 1.7])


def test_mase_of_the_naive_forecast_on_its_own_training_part_is_one():
    train = np.random.default_rng(2).normal(size=(40, 2)).cumsum(0)
    for season in (1, 7):
        scale = numbers.seasonal_scale(train, season)
        errors = numbers.scaled(train[season:], train[:-season], scale)
        np.testing.assert_allclose(errors.mean(0), 1.0)


def test_mase_of_hyndmans_definition():
    """Mean absolute difference of 1, 3, 2, 6 is (2 + 1 + 4) / 3."""
    scale = numbers.seasonal_scale(np.array([[1.0], [3.0], [2.0], [6.0]]))
    assert scale == pytest.approx([7 / 3])
    assert numbers.scaled(np.array([[7.0]]), np.array([[0.0]]), scale) == pytest.approx(3.0)


def test_a_scale_that_is_none():
    with pytest.raises(DataError, match="target 2"):
        numbers.seasonal_scale(np.array([[1.0, 5.0], [2.0, 5.0], [4.0, 5.0]]))
    with pytest.raises(DataError, match="more rows than a season"):
        numbers.seasonal_scale(np.ones((3, 1)), 3)


def test_what_is_missing_is_passed_over():
    y = Y.copy()
    y[0, 0] = np.nan
    y2 = np.full_like(Y, np.nan)
    assert numbers.mae(y, MEAN) == pytest.approx((1 + 0 + 3 + 2 + 0.1) / 5)
    np.testing.assert_allclose(numbers.by_item(numbers.absolute(y, MEAN)), [0.5, 1.7])
    assert np.isnan(numbers.by_item(numbers.absolute(y2, MEAN))).all()
    (one, _, _) = numbers.coverage(numbers.pit_normal(MEAN, SD, y))
    assert one.n == 5
    with pytest.raises(DataError, match="no values"):
        numbers.mae(y2, MEAN)


def test_coverage_of_the_reference():
    """Twenty numbers, of which twelve, eighteen and twenty lie within 1, 2 and 3 standard deviations."""
    z = np.array([0.1 * k for k in range(12)] + [1.5] * 6 + [2.5, -2.9])
    z[11] = -0.99
    z[10] = 0.98
    shares = [found.share for found in numbers.coverage(numbers.pit_normal(np.zeros(20), np.ones(20), z))]
    assert shares == [0.6, 0.9, 1.0]
    assert [round(level, 4) for level in numbers.BANDS] == [0.6827, 0.9545, 0.9973]


def test_where_samples_put_the_truth():
    samples = np.arange(9.0)[:, None].repeat(4, 1)
    found = numbers.pit_samples(samples, np.array([-1.0, 4.0, 100.0, np.nan]))
    np.testing.assert_allclose(found, [0.05, 0.5, 0.95, np.nan])


def test_the_true_distribution_has_a_uniform_pit():
    """Null hypothesis: uniform, by Kolmogorov and Smirnov; bands hold what they promise, to four standard errors."""
    random = np.random.default_rng(4)
    mean, sd = random.normal(size=5000), random.uniform(0.2, 3, 5000)
    pit = numbers.pit_normal(mean, sd, random.normal(mean, sd))
    assert stats.kstest(pit, "uniform").pvalue > 0.001
    for found in numbers.coverage(pit):
        assert abs(found.share - found.level) < 4 * math.sqrt(found.level * (1 - found.level) / 5000)
