"""Oracles: R's sleep data as its manual prints them, scipy.stats, and the numbers of the statistics reference."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.power import TTestPower

from seqwise.errors import DataError
from seqwise.stats import means
from seqwise.stats.assumptions import normal_means, outliers

FIRST = np.array([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0])  # R's sleep: extra hours, drug 1
SECOND = np.array([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4])  # drug 2, the same patients
CHANGES = np.array([0.12, 0.05, -0.03, 0.20, 0.08, 0.00, 0.15, -0.06, 0.10, 0.09])
OTHER_SPREADS = np.array([71.2, 70.4, 72.0, 71.5, 70.9]), np.array([70.1, 70.6, 69.8, 71.0, 70.2])


def test_welch_equals_r_on_sleep():
    """t.test(extra ~ group): t = -1.8608, df = 17.776, p-value = 0.07939, -3.3654832 0.2054832."""
    test = means.welch(FIRST, SECOND, ("drug 1", "drug 2"), name="extra", unit="hours")
    assert test.statistic == pytest.approx(-1.8608, abs=5e-5)
    assert test.df[0] == pytest.approx(17.776, abs=5e-4)
    assert test.p == pytest.approx(0.07939, abs=5e-6)
    within = test.effect.interval
    assert (within.low, within.high) == pytest.approx((-3.3654832, 0.2054832), abs=5e-8)
    assert test.null == "the mean of extra is the same for drug 1 and drug 2"
    assert not test.rejected


def test_paired_equals_r_on_sleep():
    """t.test(Pair(first, second) ~ 1): t = -4.0621, df = 9, p-value = 0.002833, -2.4598858 -0.7001142."""
    test = means.paired(FIRST, SECOND, ("drug 1", "drug 2"), name="extra")
    assert test.statistic == pytest.approx(-4.0621, abs=5e-5)
    assert test.df == (9,)
    assert test.p == pytest.approx(0.002833, abs=5e-7)
    within = test.effect.interval
    assert (within.low, within.high) == pytest.approx((-2.4598858, -0.7001142), abs=5e-8)
    assert test.effect.value == pytest.approx(-1.58)
    assert test.rejected
    assert test.n == {"pairs": 10}


def test_one_sample_equals_the_reference():
    """O7 of the reference: t, p, interval, Hedges' g_z with the exact J."""
    test = means.one_sample(CHANGES, name="change")
    assert test.statistic == pytest.approx(2.72474630456533, rel=1e-12)
    assert test.p == pytest.approx(0.0234251079309617, rel=1e-11)
    within = test.effect.interval
    assert (within.low, within.high) == pytest.approx((0.0118841302287276, 0.128115869771272), rel=1e-11)
    assert means.hedges(9) == pytest.approx(0.913874891792552, rel=1e-13)
    assert test.size.value == pytest.approx(0.787431560995251, rel=1e-12)


def test_welch_equals_the_reference():
    test = means.welch(*OTHER_SPREADS)
    assert test.statistic == pytest.approx(2.51854187442693, rel=1e-11)
    assert test.df[0] == pytest.approx(7.52178988542124, rel=1e-11)
    assert test.p == pytest.approx(0.0376605208261835, rel=1e-10)


def test_the_interval_of_g_z_is_where_the_noncentral_t_puts_it():
    test = means.one_sample(CHANGES)
    j, root = means.hedges(9), np.sqrt(10)
    low, high = test.size.interval.low / j * root, test.size.interval.high / j * root
    assert stats.nct.sf(test.statistic, 9, low) == pytest.approx(0.025, rel=1e-8)
    assert stats.nct.cdf(test.statistic, 9, high) == pytest.approx(0.025, rel=1e-8)


def test_g_of_two_groups_of_one_size_is_the_pooled_one():
    """With as many items each, averaging variances is pooling; only J knows that spreads may differ."""
    test = means.welch(FIRST, SECOND)
    pooled = np.sqrt((FIRST.var(ddof=1) + SECOND.var(ddof=1)) / 2)
    d = (FIRST.mean() - SECOND.mean()) / pooled
    assert 0.94 < test.size.value / d < means.hedges(18)
    assert test.size.value in test.size.interval


def test_what_could_be_found_equals_statsmodels():
    test = means.paired(FIRST, SECOND, unit="hours")
    sd = (FIRST - SECOND).std(ddof=1)
    wanted = sd * TTestPower().solve_power(nobs=10, alpha=0.05, power=0.8)
    assert test.detectable.value == pytest.approx(float(np.squeeze(wanted)), rel=1e-6)
    assert test.detectable.unit == "hours"


@pytest.mark.parametrize("level", [0.9, 0.99])
def test_levels_are_those_of_scipy(level):
    within = means.welch(FIRST, SECOND, level=level).effect.interval
    theirs = stats.ttest_ind(FIRST, SECOND, equal_var=False).confidence_interval(level)
    assert (within.low, within.high) == pytest.approx((theirs.low, theirs.high), rel=1e-11)
    assert within.level == level


def test_far_from_zero_no_digits_are_lost():
    """NIST's NumAcc4: t of the mean against 10,000,000.1; the certified sd is 0.1."""
    x = np.array([10000000.2] + [10000000.1, 10000000.3] * 500)
    assert means.one_sample(x, 10000000.1).statistic == pytest.approx(np.sqrt(1001), rel=1e-7)


def test_a_group_without_spread_is_weighed_by_the_other():
    a, b = np.array([2.0, 2.0, 2.0]), np.array([1.0, 4.0, 3.0, 5.0])
    test = means.welch(a, b)
    assert test.df == pytest.approx((3.0,))
    assert test.effect.interval.high == pytest.approx(2 - stats.t.interval(0.95, 3, b.mean(), stats.sem(b))[0])


def test_two_items_give_an_answer_without_nan():
    test = means.one_sample(np.array([1.0, 2.0]), 1.0)
    numbers = [test.statistic, test.p, test.effect.interval.low, test.effect.interval.high, test.detectable.value]
    assert np.isfinite(numbers).all()
    assert test.size is None
    assert test.notes


@pytest.mark.parametrize(
    ("ask", "told"),
    [
        (lambda: means.one_sample(np.array([]), name="write"), "0 values of write: needs at least 2"),
        (lambda: means.one_sample(np.array([1.0]), name="write"), "1 value of write: needs at least 2"),
        (lambda: means.one_sample(np.array([3.0, 3.0, 3.0]), name="write"), "all 3 values of write are 3"),
        (lambda: means.one_sample(np.array([1.0, np.nan, 3.0])), "nan as value 2 of value"),
        (lambda: means.one_sample(np.array([1.0, 2.0, np.inf, np.inf])), "inf as value 3 of value, 2 such"),
        (lambda: means.paired(np.array([1.0, 2.0]), np.array([1.0])), "2 values of first and 1 of second"),
        (lambda: means.paired(np.array([1.1, 2.2, 3.3]), np.array([1.0, 2.1, 3.2])), "all 3 values of first minus"),
        (lambda: means.welch(np.array([1.0, 1.0]), np.array([2.0, 2.0])), "only the value 1 in first and 2 in second"),
        (lambda: means.welch(np.array([1.0]), np.array([2.0, 3.0])), "1 value of value in first"),
    ],
)
def test_what_cannot_be_judged_is_refused_in_one_line(ask, told):
    with pytest.raises(DataError) as caught:
        ask()
    assert str(caught.value).startswith(told)
    assert "\n" not in str(caught.value)


def test_normality_is_judged_by_skewness_against_the_number_of_items():
    seeded = np.random.default_rng(7)
    skewed = seeded.exponential(size=40)
    assert normal_means({"x": skewed}).holds is False
    assert normal_means({"x": np.resize(skewed, 4000)}).holds is True  # the same shape; its mean is normal
    assert normal_means({"x": seeded.normal(size=40)}).holds is True
    assert normal_means({"x": seeded.normal(size=5)}).holds is None
    assert normal_means({"x": np.ones(20)}).holds is None
    assert "in b" in normal_means({"a": seeded.normal(size=20), "b": skewed}).told


def test_in_small_samples_the_straight_line_is_judged_as_well():
    """Two clumps without skewness: the QQ line bends."""
    clumps = np.repeat([0.0, 10.0], 8) + np.linspace(0, 0.1, 16)
    found = normal_means({"x": clumps})
    assert found.holds is False
    assert "straight QQ line" in found.told


def test_a_scale_of_few_steps_is_no_bend():
    """Answers from 1 to 5, as symmetric as normal ones: what is the same cannot lie on a line of different places."""
    answers = np.repeat([1.0, 2, 3, 4, 5], [2, 5, 7, 5, 1])
    assert normal_means({"": answers}).holds
    skewed = np.repeat([1.0, 2, 3, 4, 5], [14, 3, 1, 1, 1])
    assert normal_means({"": skewed}).holds is False


def test_normal_samples_are_seldom_called_far_from_normal():
    seeded = np.random.default_rng(1)
    refused = [normal_means({"x": seeded.normal(size=15)}).holds is False for _ in range(400)]
    assert np.mean(refused) < 0.09


def test_outliers_are_told_with_the_farthest():
    x = np.append(np.linspace(0, 1, 20), 9.0)
    found = outliers({"a": np.linspace(0, 1, 20), "b": x}, "cm")
    assert found.holds is False
    assert found.told.startswith("1 of 41 values lies")
    assert found.told.endswith("farthest 9 cm in b.")
    assert outliers({"a": np.linspace(0, 1, 20)}).holds is True
