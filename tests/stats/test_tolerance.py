"""Tolerance intervals against ISO 16269-6, Wilks, and simulation-free checks of what they promise."""

import json
import math

import numpy as np
import pytest
from scipy import integrate, stats

from seqwise.errors import ConfigError, DataError
from seqwise.stats.results import Shown
from seqwise.stats.tolerance import needed, one_sided, tolerance, two_sided

# ISO 16269-6:2014, tables of exact factors; coverage 95 %, confidence 95 %
BOTH = {2: 36.519, 3: 9.789, 5: 5.077, 10: 3.393, 20: 2.760, 30: 2.555, 100: 2.234}
ONE = {3: 7.656, 5: 4.203, 10: 2.911, 20: 2.396, 30: 2.220, 100: 1.927}


@pytest.mark.parametrize("n", BOTH)
def test_two_sided_factors_are_exact(n):
    assert two_sided(n) == pytest.approx(BOTH[n], abs=6e-4)


@pytest.mark.parametrize("n", ONE)
def test_one_sided_factors_are_exact(n):
    assert one_sided(n) == pytest.approx(ONE[n], abs=6e-4)


def test_the_factor_keeps_its_promise():
    """Oracle: the chance that limits hold 90 %, integrated over mean and sd by scipy, is the confidence of 99 %."""
    n, coverage = 8, 0.9
    k = two_sided(n, coverage, 0.99)

    def holds(z):
        least = stats.ncx2.ppf(coverage, 1, z * z / n)  # of (k s)²
        return stats.norm.pdf(z) * stats.chi2.sf((n - 1) * least / k**2, n - 1)

    assert 2 * integrate.quad(holds, 0, 9, limit=200)[0] == pytest.approx(0.99, abs=1e-8)


def test_howes_approximation_is_a_little_too_small():
    howe = stats.norm.ppf(0.975) * math.sqrt(9 * (1 + 1 / 10) / stats.chi2.ppf(0.05, 9))
    assert howe == pytest.approx(3.382, abs=1e-3)
    assert two_sided(10) > howe


def test_so_many_values_are_needed_for_limits_by_order():
    """Wilks' numbers."""
    assert (needed(), needed(side="upper")) == (93, 59)
    assert (needed(0.9), needed(0.9, side="lower")) == (46, 29)
    assert (needed(0.99), needed(0.99, side="lower")) == (473, 299)


def test_limits_by_order_are_the_innermost_that_are_enough():
    x = np.random.default_rng(0).permutation(200).astype(np.float64)
    found = tolerance(x).ordered

    def confidence(r):  # by the binomial distribution: at most n - 2r of n values lie beyond 95 % of the rest
        return stats.binom.cdf(200 - 2 * r, 200, 0.95)

    r = int(found.low) + 1
    assert found.high == 200 - r
    assert confidence(r) >= 0.95 > confidence(r + 1)
    assert found.level == pytest.approx(confidence(r), rel=1e-9)


def test_one_side_is_open_at_the_other():
    x = stats.norm.ppf((np.arange(80) + 0.5) / 80)
    low, high = tolerance(x, side="lower"), tolerance(x, side="upper")
    assert (low.normal.high, high.normal.low) == (math.inf, -math.inf)
    assert low.normal.low == pytest.approx(-high.normal.high)
    assert low.ordered.low == x[0]
    assert high.ordered.high == x[-1]
    assert "lies above" in low.sentences()[0]
    assert "lies below" in high.sentences()[0]


def test_few_values_have_no_limits_by_order_and_are_told_how_many_it_takes():
    found = tolerance(stats.norm.ppf((np.arange(20) + 0.5) / 20), name="width", unit="mm")
    assert found.ordered is None
    assert found.sentences()[-1] == "Limits that hold for any distribution take 93 values; these are 20."
    assert found.trusted == found.normal


def test_values_that_are_not_normal_are_told_by_order_first():
    found = tolerance(np.random.default_rng(1).exponential(size=150), name="delay", unit="s")
    assert found.trusted == found.ordered
    assert found.sentences()[0].startswith("Whatever the distribution")
    assert "not normal" in found.sentences()[1]


def test_it_can_be_shown():
    found = tolerance(np.arange(100.0), side="lower")
    assert isinstance(found, Shown)
    assert json.loads(json.dumps(found.to_dict()))["normal"]["high"] == "inf"
    assert all(cell is None or cell == cell for row in found.grids()[0].rows for cell in row)


def test_what_cannot_be_promised_is_refused():
    for settings in ({"coverage": 1.0}, {"confidence": 0.0}):
        with pytest.raises(ConfigError):
            tolerance(np.arange(10.0), **settings)
    with pytest.raises(ConfigError, match="can show"):
        needed(0.999999999)
    for x in (np.array([1.0]), np.full(5, 3.0), np.array([1.0, np.nan])):
        with pytest.raises(DataError):
            tolerance(x)
