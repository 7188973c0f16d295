"""Coverage and PIT against the reference's numbers, scipy, and forecasts that are wrong in a known way."""

import json

import numpy as np
import pytest
from scipy import stats

from seqwise.errors import ConfigError, DataError
from seqwise.stats.calibration import berkowitz, coverage, pit_uniformity
from seqwise.stats.proportions import score_interval
from seqwise.stats.results import Shown

NO_SIGN = "No sign that the 90 % band is too narrow or too wide"
HITS = np.array([True] * 12 + [False] * 8)


def _z(n, mean=0.0, sd=1.0, seed=0):
    """Values with exactly this mean and sd."""
    x = np.random.default_rng(seed).permutation(stats.norm.ppf((np.arange(n) + 0.5) / n))
    return mean + sd * (x - x.mean()) / x.std(ddof=1)


def test_coverage_equals_the_reference():
    """12 of 20 within one sd."""
    found = coverage(HITS, 0.682689492137086)
    assert found.test.p == pytest.approx(0.472711306114844, rel=1e-9)
    assert found.test.effect.interval.low == pytest.approx(0.3865815007622531, rel=1e-12)
    assert found.test.effect.interval.high == pytest.approx(0.781193467627183, rel=1e-12)
    assert found.verdict == "cannot tell"


@pytest.mark.parametrize(("count", "n"), [(0, 5), (5, 5), (3, 7), (138, 200)])
def test_wilson_equals_scipy(count, n):
    theirs = stats.binomtest(count, n).proportion_ci(0.95, "wilson")
    found = score_interval(count / n, n)
    assert (found.low, found.high) == (pytest.approx(theirs.low, abs=1e-12), pytest.approx(theirs.high, abs=1e-12))


@pytest.mark.parametrize(
    ("hits", "nominal", "verdict", "words"),
    [
        (HITS, 0.9, "too narrow", "The 90 % band is too narrow: it held 60 % of 20 values"),
        (np.ones(200, dtype=bool), 0.9, "too wide", "The 90 % band is too wide: it held 100 % of 200 values"),
        (
            np.ones(3, dtype=bool),
            0.9,
            "cannot tell",
            "No sign that the 90 % band is too narrow or too wide: it held 100 % of 3",
        ),
        (
            np.zeros(1, dtype=bool),
            0.5,
            "cannot tell",
            "No sign that the 90 % band is too narrow or too wide: it held 0 % of 1 value",
        ),
    ],
)
def test_verdicts_are_told(hits, nominal, verdict, words):
    found = coverage(hits, nominal, name="90 % band")
    assert found.verdict == verdict
    assert found.sentences()[0].startswith(words)


def test_hits_in_runs_count_for_fewer():
    """Runs of three: of 120 about a third are independent; hits that alternate never count for more than there are."""
    runs = np.repeat(np.random.default_rng(0).random(40) < 0.7, 3)
    found = coverage(runs, 0.7, 3)
    assert 40 < found.effective < 80  # Bartlett's weights see the covariances only in part
    assert "120 forecasts count for" in found.sentences()[1]
    wide, narrow = found.test.effect.interval, coverage(runs, 0.7).test.effect.interval
    assert wide.high - wide.low > narrow.high - narrow.low
    assert coverage(np.tile([True, False], 30), 0.5, 2).effective == 60
    assert coverage(np.ones(30, dtype=bool), 0.9, 5).effective == 6


def test_berkowitz_equals_the_reference():
    """LR depends on mean and sd of z alone: 0.0475 and 1.236663060949016 of 20."""
    ratio, p = berkowitz(_z(20, 0.0475, 1.236663060949016))
    assert ratio == pytest.approx(1.63169899685769, rel=1e-9)
    assert p == pytest.approx(0.442263465617796, rel=1e-9)


def test_berkowitz_is_the_likelihood_ratio():
    z = _z(40, 0.3, 0.8)
    full = stats.norm.logpdf(z, z.mean(), z.std()).sum()
    assert berkowitz(z)[0] == pytest.approx(2 * (full - stats.norm.logpdf(z).sum()), rel=1e-12)


def test_kolmogorov_overlooks_what_berkowitz_sees():
    found = pit_uniformity(stats.norm.cdf(_z(60, 0, 1.35)))
    assert found.tests[0].p > 0.05
    assert found.tests[2].p < 0.01
    assert found.rejected


@pytest.mark.parametrize(
    ("mean", "sd", "words"),
    [
        (0, 1, "No sign that forecast distributions of price are wrong"),
        (0, 2, "Forecast distributions of price are too narrow"),
        (0, 0.4, "Forecast distributions of price are too wide"),
        (1, 1, "Forecast distributions of price are too low"),
        (-1, 1, "Forecast distributions of price are too high"),
        (1, 2, "Forecast distributions of price are too narrow and too low"),
    ],
)
def test_what_is_wrong_is_told(mean, sd, words):
    found = pit_uniformity(stats.norm.cdf(_z(80, mean, sd)), name="price")
    assert found.sentences()[0].startswith(words)
    assert found.width.value == pytest.approx(sd, rel=1e-6)


def test_the_interval_of_the_width_is_the_chi_squares():
    found = pit_uniformity(stats.norm.cdf(_z(25, 0, 1.2)))
    exact = 1.2 * np.sqrt(24 / stats.chi2.ppf([0.975, 0.025], 24))
    assert (found.width.interval.low, found.width.interval.high) == pytest.approx(tuple(exact), rel=1e-8)


def test_overlapping_forecasts_are_tested_in_parts():
    z = _z(60, 0, 1.1)
    found = pit_uniformity(stats.norm.cdf(z), horizon=3)
    p = min(berkowitz(z[start::3])[1] for start in range(3))
    assert found.tests[2].p == pytest.approx(min(1, 3 * p), rel=1e-9)
    assert "every 3-th forecast" in found.tests[2].notes[0]
    alone = pit_uniformity(stats.norm.cdf(z)).width.interval
    assert found.width.interval.high > alone.high


def test_what_a_forecast_held_for_impossible_is_told():
    u = np.concatenate([[0.0, 1.0], stats.norm.cdf(_z(30))])
    found = pit_uniformity(u)
    assert any(
        sentence.startswith("2 of 32 values lie where the forecast saw no chance") for sentence in found.sentences()
    )
    assert np.isfinite(found.tests[2].statistic)


def test_errors_that_foretell_errors_are_told():
    x = np.cumsum(np.random.default_rng(1).normal(size=100))
    u = stats.norm.cdf((x - x.mean()) / x.std())
    assert any("Neighbouring PIT of values are alike" in sentence for sentence in pit_uniformity(u).sentences())


def test_they_can_be_shown():
    for found in (coverage(HITS, 0.9, 2), pit_uniformity(stats.norm.cdf(_z(30)))):
        assert isinstance(found, Shown)
        json.dumps(found.to_dict())
        assert all(len(row) == len(grid.columns) for grid in found.grids() for row in grid.rows)


def test_bad_input_is_refused():
    for pit in (np.array([0.5] * 3), np.full(20, 0.5), np.linspace(0, 1.2, 20), np.array([np.nan] * 20)):
        with pytest.raises(DataError):
            pit_uniformity(pit)
    with pytest.raises(ConfigError, match="8 forecasts for each step"):
        pit_uniformity(np.linspace(0.1, 0.9, 20), horizon=3)
    with pytest.raises(DataError, match="true or false"):
        coverage(np.array([], dtype=bool), 0.9)
    with pytest.raises(ConfigError):
        coverage(HITS, 1.0)
    with pytest.raises(ConfigError):
        coverage(HITS, 0.9, 0)
