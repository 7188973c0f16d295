"""Spectrum and seasons against Fisher's table, Parseval, and series whose period is known."""

import math

import numpy as np
import pytest

from seqwise.stats.seasons import find_period, seasons, strength
from seqwise.stats.spectrum import fisher_p, periodogram, spectrum, straightened


def _noise(n, seed=0):
    return np.random.default_rng(seed).normal(size=n)


def _regression(n=300, weight=0.9, seed=0):
    """Autoregression of order 1."""
    x = _noise(n, seed)
    for place in range(1, n):
        x[place] += weight * x[place - 1]
    return x


def _monthly(n=144, seed=0):
    t = np.arange(n)
    return 100 + 0.5 * t + 10 * np.sin(2 * np.pi * t / 12) + 4 * np.cos(2 * np.pi * t / 6) + _noise(n, seed)


@pytest.mark.parametrize(("m", "g"), [(5, 0.68377), (10, 0.44495), (20, 0.27040), (50, 0.13135)])
def test_fishers_critical_values(m, g):
    """Fisher 1929, 5 %."""
    assert fisher_p(g, m) == pytest.approx(0.05, abs=1e-4)


def test_fishers_p_of_two_frequencies_and_its_ends():
    assert fisher_p(0.75, 2) == pytest.approx(0.5)
    assert fisher_p(1.0, 7) == 0.0
    assert fisher_p(1 / 7, 7) == pytest.approx(1.0, rel=1e-13)
    assert fisher_p(0.002, 2000) == pytest.approx(1.0)
    assert 0 < fisher_p(0.02, 2000) < 1e-12


def test_shares_of_the_spectrum_sum_to_the_variance():
    """Parseval, for an even and an odd number of values."""
    for n in (40, 41):
        x = _noise(n)
        frequencies, shares = periodogram(x)
        assert shares.sum() == pytest.approx(1)
        angles = 2 * np.pi * frequencies[3] * np.arange(n)
        power = (x @ np.cos(angles)) ** 2 + (x @ np.sin(angles)) ** 2
        assert shares[3] == pytest.approx(2 * power / n / ((x - x.mean()) @ (x - x.mean())), rel=1e-10)


def test_the_strongest_period_is_found_and_told():
    x = np.sin(2 * np.pi * np.arange(120) / 8) + 0.3 * _noise(120)
    found = spectrum(x, "tide")
    assert found.peaks[0].period == 8
    assert found.sentences()[0].startswith("A period of 8 values holds")
    assert "be its neighbours alike or not" in found.sentences()[0]
    assert found.fisher.rejected


def test_noise_has_no_period_and_red_noise_is_told_to_be_noise():
    assert spectrum(_noise(100), "x").sentences()[0].startswith("No period of x is stronger than chance has it")
    red = spectrum(_regression(), "x")
    assert red.fisher.rejected
    assert red.red > 0.05
    assert "as noise would do whose neighbours are as much alike" in red.sentences()[0]


def test_swings_from_value_to_value_are_a_period_of_two():
    found = spectrum(np.tile([1.0, -1.0], 30) + 0.2 * _noise(60), "x")
    assert found.peaks[0].period == 2
    assert found.fisher.p < 1e-6
    assert found.fisher.statistic == pytest.approx(found.peaks[0].share)


def test_noise_is_refused_as_often_as_told():
    p = [spectrum(_noise(65 + seed % 2, seed)).fisher.p for seed in range(300)]
    assert np.mean(np.array(p) < 0.1) == pytest.approx(0.1, abs=0.05)


def test_a_season_is_taken_apart_into_parts_that_add_up():
    x = _monthly()
    found = seasons(x, 12, "load", "MW")
    whole = np.array(found.trend) + np.array(found.season) + np.array(found.rest)
    assert whole == pytest.approx(x, rel=1e-12)
    assert found.strength_season > 0.95 > found.chance_season
    assert found.strength_trend > 0.95
    assert found.swing == pytest.approx(
        np.ptp(10 * np.sin(np.pi * np.arange(12) / 6) + 4 * np.cos(np.pi * np.arange(12) / 3)), rel=0.1
    )
    assert "load has a season with a period of 12 values (as given): it swings by" in found.sentences()[0]
    assert "trend rises by" in found.sentences()[1]


def test_strength_is_hyndmans():
    season, rest = np.array([1.0, -1, 1, -1]), np.array([0.5, 0.5, -0.5, -0.5])
    assert strength(season, rest) == pytest.approx(1 - 0.25 / 1.25)
    assert strength(-rest, rest) == 0


def test_a_season_that_shuffled_values_have_as_well_is_told_as_none():
    found = seasons(_noise(96, 5), 12, "x")
    assert not found.seasonal
    assert found.sentences()[0].startswith("x shows no season with a period of 12 values")


@pytest.mark.parametrize(
    ("values", "period"),
    [
        (_monthly(), 12),
        (np.sin(2 * np.pi * np.arange(300) / 11) + 0.5 * _noise(300), 11),
        (np.tile([1.0, 2, 9, 2, 1, 0, 0], 20) + 0.3 * _noise(140), 7),
        (_noise(150), None),
        (np.cumsum(_noise(150)), None),
        (np.arange(50.0), None),
    ],
)
def test_periods_are_found_where_there_are_any(values, period):
    assert find_period(values) == period


def test_noise_rarely_has_a_period():
    found = [find_period(_noise(120, seed)) for seed in range(40)]
    walks = [find_period(np.cumsum(_noise(200, seed))) for seed in range(40)]
    assert sum(one is not None for one in found) <= 4
    assert sum(one is not None for one in walks) <= 4


def test_what_a_line_leaves_over_has_no_slope():
    x = straightened(3 * np.arange(20.0) + _noise(20))
    assert abs(x @ np.arange(20.0)) < 1e-10
    assert math.isclose(x.sum(), 0, abs_tol=1e-12)
