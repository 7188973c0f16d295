"""The normal distribution against scipy, published constants and the algebra of its tails."""

import inspect
import math

import numpy as np
import pytest
from scipy import stats

from seqwise.errors import ConfigError, DataError
from seqwise.stats.normal import Normal, bands, moments, positions, qq

STANDARD = Normal()


def near(value, expected, digits=13):
    assert value == pytest.approx(expected, rel=10.0**-digits, abs=0)


def test_textbook_numbers():
    """Constants to 15 digits, from arithmetic with more of them."""
    near(STANDARD.cdf(1.5), 0.933192798731142)
    near(STANDARD.cdf(1.2), 0.884930329778292)
    near(STANDARD.between(-1.0, 1.0), 0.682689492137086)
    near(STANDARD.between(-2.0, 2.0), 0.954499736103642)
    near(STANDARD.between(-3.0, 3.0), 0.99730020393674)
    near(STANDARD.quantile(0.975), 1.95996398454005)
    near(STANDARD.quantile(0.995), 2.5758293035489)
    near(STANDARD.pdf(0.0), 0.398942280401433)
    near(STANDARD.sf(2.0), 0.0227501319481792)
    near(1 / STANDARD.quantile(0.75), 1.4826022185056)
    near(STANDARD.quantile(0.75) - STANDARD.quantile(0.25), 1.34897950039216)
    near(-Normal(2.0, 0.5).logpdf(1.0), 2.22579135264473)


def test_tails_keep_their_digits():
    near(STANDARD.sf(4.5), 3.39767312473005e-06)
    near(STANDARD.logcdf(-40.0), -804.608442013754)
    near(STANDARD.logsf(40.0), -804.608442013754)
    near(STANDARD.between(8.0, 9.0), stats.norm.sf(8) - stats.norm.sf(9), 10)
    near(STANDARD.between(8.0, 9.0), STANDARD.between(-9.0, -8.0))
    assert STANDARD.between(8.0, math.inf) == STANDARD.sf(8.0)
    near(STANDARD.isf(1e-300), -STANDARD.quantile(1e-300))
    near(STANDARD.quantile_of_log(STANDARD.logcdf(-40.0)), -40.0)
    assert STANDARD.cdf(-math.inf) == 0
    assert STANDARD.quantile(0.0) == -math.inf
    assert math.isfinite(STANDARD.logcdf(-1e100))


def test_functions_are_scipys_in_any_unit_and_shape():
    normal, oracle = Normal(100.0, 15.0), stats.norm(100, 15)
    x = np.array([[40.0, 85.0, 100.0], [101.5, 130.0, 220.0]])
    for ours, theirs in (("pdf", "pdf"), ("logpdf", "logpdf"), ("cdf", "cdf"), ("sf", "sf"), ("logcdf", "logcdf")):
        np.testing.assert_allclose(getattr(normal, ours)(x), getattr(oracle, theirs)(x), rtol=1e-12)
    np.testing.assert_allclose(normal.quantile(normal.cdf(x[:, :2])), x[:, :2], rtol=1e-12)
    np.testing.assert_allclose(normal.isf(normal.sf(x)), x, rtol=1e-12)
    ends = normal.interval(0.9)
    assert (ends.low, ends.high) == pytest.approx(oracle.interval(0.9))
    assert isinstance(normal.cdf(100.0), float)


@pytest.mark.parametrize("sd", [0.0, -1.0, math.nan, math.inf])
def test_a_distribution_without_spread_is_refused(sd):
    with pytest.raises(ConfigError, match="sd above 0"):
        Normal(1.0, sd)


def test_what_is_no_chance_is_refused():
    for refused in (
        lambda: STANDARD.quantile(1.5),
        lambda: STANDARD.isf(np.array([0.5, math.nan])),
        lambda: STANDARD.quantile_of_log(0.5),
        lambda: STANDARD.interval(95.0),
        lambda: STANDARD.between(2.0, 1.0),
    ):
        with pytest.raises(ConfigError):
            refused()
    with pytest.raises(DataError, match="not a number"):
        STANDARD.cdf(math.nan)


def test_a_fit_has_the_intervals_of_t_and_chi2():
    x = np.array([4.1, 5.2, 3.9, 6.0, 5.5, 4.8, 5.1])
    fitted = Normal.fit(x, 0.9)
    oracle = stats.ttest_1samp(x, 0).confidence_interval(0.9)
    assert (fitted.mean.interval.low, fitted.mean.interval.high) == pytest.approx((oracle.low, oracle.high))
    squares = 6 * x.var(ddof=1)
    expected = [math.sqrt(squares / stats.chi2.ppf(p, 6)) for p in (0.95, 0.05)]
    assert [fitted.sd.interval.low, fitted.sd.interval.high] == pytest.approx(expected)
    assert fitted.normal.mean == pytest.approx(x.mean())
    assert fitted.n == 7


def test_a_large_mean_leaves_the_sd_its_digits():
    """NIST's NumAcc4: the decimal data have sd 0.1; their nearest doubles allow for 8.3 digits of it."""
    mean, sd = moments(np.array([10000000.2] + [10000000.1, 10000000.3] * 500))
    assert mean == pytest.approx(10000000.2, rel=1e-15)
    assert sd == pytest.approx(0.1, rel=1e-8)


@pytest.mark.parametrize(
    ("x", "told"),
    [
        ([], "0 values"),
        ([1.0], "1 value"),
        ([2.0, 2.0, 2.0], "all 3 values"),
        ([1.0, math.nan, 2.0], "nan as value 2"),
        ([1.0, math.inf], "inf as value 2"),
        ([0.0, 1e200], "another unit"),
        ([0.0, 1e-200], "another unit"),
    ],
)
def test_bad_samples_are_refused_in_one_line(x, told):
    for use in (Normal.fit, bands, qq):
        with pytest.raises(DataError, match=told) as error:
            use(np.array(x))
        assert "\n" not in str(error.value)


def test_bands_count_values_and_say_what_is_off():
    """Of values at 0.01, 0.02, ... sd a uniform share lies within each band; the interval is Wilson's."""
    x = np.arange(-175, 176) / 100
    found = bands(x, 0.0, 1.0)
    assert [row.count for row in found.rows] == [201, 351, 351]
    near(found.rows[0].expected, 0.682689492137086)
    assert found.rows[0].off
    assert found.told.startswith("Within 1, 2 and 3 sd of 0 lie 57.3 %, 100 % and 100 % of 351 values; of a normal")
    assert "fewer within 1 sd (95 % interval 52 to 62.3 %) and more within 2 sd" in found.told


def test_few_values_cannot_lie_beyond_their_own_sd():
    """None is further than (n - 1) / sqrt(n) sd from the mean: of 10 values, 2.85."""
    x = np.array([0.0] * 9 + [1000.0])
    found = bands(x)
    assert [row.reachable for row in found.rows] == [True, True, False]
    assert "So few values all lie within 3 sd, whatever they are." in found.told
    assert found.rows[1].count == 9
    assert all(row.reachable for row in bands(np.append(x, 0.0)).rows)
    told = bands(np.array([1.0, 2.0])).told
    assert told.endswith("So few values all lie within 1 sd, whatever they are.")
    assert all(row.reachable for row in bands(x, 0.0, 1.0).rows)


def test_a_single_value_is_judged_by_a_given_distribution():
    found = bands(np.array([4.0]), 0.0, 1.0)
    assert [row.count for row in found.rows] == [0, 0, 0]


def test_qq_points_and_line_are_scipys():
    x = np.random.default_rng(3).gamma(2.0, size=57)
    (theoretical, ordered), (slope, intercept, r) = stats.probplot(x)
    found = qq(x, "least squares")
    np.testing.assert_allclose(found.theoretical, theoretical, atol=1e-12)
    np.testing.assert_array_equal(found.ordered, ordered)
    assert (found.slope, found.intercept, found.correlation) == pytest.approx((slope, intercept, r), rel=1e-10)


def test_the_line_through_the_quartiles_ignores_outliers():
    """R's qqline: slope IQR / 1.349."""
    x = np.append(np.random.default_rng(4).normal(10, 2, 99), 1e6)
    found = qq(x)
    low, high = np.quantile(x, [0.25, 0.75])
    assert found.slope == pytest.approx((high - low) / 1.34897950039216)
    assert found.expected[found.theoretical.searchsorted(0)] == pytest.approx(10, abs=1)
    steps = qq(np.array([1.0] * 8 + [2.0]))
    assert steps.slope > 0, "quartiles that are one value give way to least squares"
    with pytest.raises(ConfigError):
        inspect.unwrap(qq)(x, "straight")  # as a caller whose types nobody checks


def test_positions_are_symmetric():
    places = positions(10)
    np.testing.assert_allclose(places + places[::-1], 1)
    assert places[-1] == pytest.approx(0.5**0.1)
