"""Oracles: R's examples of power.t.test, power.prop.test and power.anova.test; statsmodels; published plans."""

import math

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad
from scipy.stats import binom, binomtest, chi2, ncx2

from seqwise.errors import ConfigError
from seqwise.stats import power


def test_t_tests_need_as_many_items_as_r_says():
    """power.t.test(n = 20, delta = 1), (power = .90, delta = 1), and the same one-sided.

    R counts the upper tail alone; the lower one adds 2.3e-7 here.
    """
    assert power.t_power(1, 20, groups=2) == pytest.approx(0.8689528 + 2.3e-7, abs=6e-8)
    assert power.t_items(1, groups=2, power=0.9) == pytest.approx(22.02110, abs=2e-4)
    assert power.t_items(1, groups=2, power=0.9, sides=1) == pytest.approx(17.84713, abs=2e-4)


@pytest.mark.parametrize(
    ("n", "d"),
    [
        (3, 3.264043552819638),
        (5, 1.6819970833232674),
        (10, 0.996001910762418),
        (200, 0.199064659469739),
    ],
)
def test_pairs_show_what_statsmodels_says(n, d):
    """statsmodels 0.15, TTestPower.solve_power at 80 %, as exactly as it solves."""
    assert power.t_effect(n) == pytest.approx(d, rel=1e-5)


def test_power_equals_the_integral_over_the_sd():
    """t beyond its critical value, for each sd that a sample may have (scipy.integrate)."""
    df, shift = 9, 3.0
    edge = stats.t.ppf(0.975, df)

    def beyond(u):
        t = edge * u / math.sqrt(df)
        return (stats.norm.sf(t - shift) + stats.norm.cdf(-t - shift)) * stats.chi.pdf(u, df)

    expected = quad(beyond, 0, 3, epsabs=1e-13)[0] + quad(beyond, 3, 30, epsabs=1e-13)[0]
    assert power.t_power(shift / math.sqrt(10), 10) == pytest.approx(expected, rel=1e-10)
    assert power.t_noncentrality(df, power=expected) == pytest.approx(shift, rel=1e-9)


def test_half_an_sd_needs_34_pairs():
    """statsmodels 0.15, TTestPower.solve_power(effect_size=.5, power=.8)."""
    assert power.t_items(0.5) == pytest.approx(33.3671311843178, rel=1e-6)


def test_welch_equals_the_t_test_where_spreads_and_sizes_are_the_same():
    assert power.welch_effect((3.0, 3.0), (20, 20)) == pytest.approx(3 * power.t_effect(20, groups=2), rel=1e-12)
    assert power.welch_effect((3.0, 0.0), (20, 20)) == pytest.approx(3 * power.t_effect(20), rel=1e-12)


def test_anova_needs_as_many_items_as_r_says():
    """power.anova.test(groups = 4, n = 5, between.var = 1, within.var = 3) and the same with power = .80."""
    effect = math.sqrt(1 * 3 / 4 / 3)  # R's variance of the means has groups - 1 below
    assert power.anova_power(effect, 4, 5) == pytest.approx(0.3535594, abs=5e-8)
    assert power.anova_items(effect, 4) == pytest.approx(11.92613, abs=2e-4)
    assert power.anova_effect(4, 11.92613) == pytest.approx(effect, rel=1e-5)


def test_tables_show_an_effect_as_often_as_they_say():
    w = power.table_effect(150, 3)
    assert ncx2.sf(chi2.ppf(0.95, 3), 3, 150 * w * w) == pytest.approx(0.8, abs=1e-9)


def test_shares_need_as_many_items_as_r_says():
    """power.prop.test(p1 = .50, p2 = .75, power = .90): 76.7 a group."""
    assert power.proportions_items(0.5, 0.75, power=0.9) == pytest.approx(76.7, abs=0.05)
    assert power.proportions_effect(0.7, (200, 200)) == pytest.approx(0.12838476327872, rel=1e-12)


@pytest.mark.parametrize(
    ("n", "changed", "least"),
    [
        (1000, 0.02, 0.012514),
        (200, 0.04, 0.039387),
        (1000, 0.04, 0.017698),
        (200, 0.05, 0.044036),
        (200, 0.1, 0.062277),
        (1000, 0.1, 0.027983),
        (200, 0.2, 0.088073),
        (200, 0.3, 0.107867),
    ],
)
def test_paired_shares_show_what_connor_says(n, changed, least):
    assert power.pairs_effect(n, changed) == pytest.approx(least, abs=5e-7)


def test_too_few_changes_can_show_nothing():
    """2 % of 200 pairs are 4, and even if all go one way the exact p is .125."""
    assert power.pairs_effect(200, 0.02) == math.inf
    assert power.pairs_effect(200, 0.0) == math.inf


def test_paired_shares_need_as_many_pairs_as_published():
    """Connor's formula with .45 and .05: 22.011 (open-powersamplesize)."""
    assert power.pairs_items(0.05, 0.45) == pytest.approx(22.011, abs=5e-4)


@pytest.mark.parametrize(
    ("n", "gained", "lost", "expected"),
    [(200, 0.07, 0.03, 0.353094498068151), (200, 0.1, 0.03, 0.748687137039595), (1000, 0.07, 0.03, 0.978717814972828)],
)
def test_the_exact_power_of_mcnemar_equals_the_sum_over_all_outcomes(n, gained, lost, expected):
    assert power.pairs_power(n, gained, lost) == pytest.approx(expected, rel=1e-10)


def test_the_exact_power_of_mcnemar_equals_brute_force():
    """Each number of changes, and each way they may fall, with scipy's own binomial test."""
    n, gained, lost = 14, 0.4, 0.1
    found = 0.0
    for m in range(n + 1):
        for b in range(m + 1):
            if m and binomtest(b, m).pvalue <= 0.05:
                found += binom.pmf(m, n, gained + lost) * binom.pmf(b, m, gained / (gained + lost))
    assert power.pairs_power(n, gained, lost) == pytest.approx(found, rel=1e-12)


def test_margins_need_as_many_pairs_as_the_reference_says():
    """A margin of half an sd: 24.73 for non-inferiority, 34.26 for equivalence."""
    assert power.non_inferiority_items(0.5) == pytest.approx(24.7302289280791, rel=1e-12)
    assert power.equivalence_items(0.5) == pytest.approx(34.2553894026719, rel=1e-12)
    assert power.equivalence_items(1.0, sd=2.0) == power.equivalence_items(0.5)


@pytest.mark.parametrize(
    "ask",
    [
        lambda: power.t_items(0.0),
        lambda: power.t_effect(1),
        lambda: power.t_effect(10, power=1.0),
        lambda: power.welch_effect((0.0, 0.0), (5, 5)),
        lambda: power.anova_items(0.3, 1),
        lambda: power.proportions_items(0.3, 0.3),
        lambda: power.pairs_items(0.7, 0.6),
        lambda: power.pairs_power(200_000, 0.1, 0.05),
        lambda: power.non_inferiority_items(-0.5),
    ],
)
def test_what_has_no_answer_is_refused(ask):
    with pytest.raises(ConfigError):
        ask()


def test_power_grows_with_items():
    found = [power.t_power(0.4, n) for n in (5, 10, 50, 200)]
    assert np.all(np.diff(found) > 0)


@pytest.mark.parametrize(
    ("df", "level"), [(1.5, 0.95), (2.3, 0.95), (3.1, 0.95), (8, 1 - 0.05 / 4), (20, 1 - 0.05 / 11)]
)
def test_power_is_told_where_scipy_has_no_number(df, level):
    """scipy's nctdtr is no number there; drawn t values are the oracle."""
    shift = power.t_noncentrality(df, level=level)
    generator = np.random.default_rng(0)
    drawn = (generator.normal(size=200_000) + shift) / np.sqrt(generator.chisquare(df, 200_000) / df)
    assert (np.abs(drawn) > stats.t.ppf((1 + level) / 2, df)).mean() == pytest.approx(0.8, abs=0.004)
