"""Quantiles and their intervals by order statistics, against CLSI's table, numpy and the binomial itself."""

import math

import numpy as np
import pytest
from scipy import stats

from seqwise.errors import ConfigError
from seqwise.stats.ranked import quantile, quantile_interval, ranks

CLSI = {
    119: (1, 7), 132: (1, 7), 133: (1, 8), 160: (1, 8), 161: (1, 9), 187: (1, 9), 188: (2, 9), 189: (2, 9),
    190: (2, 10), 218: (2, 10), 219: (2, 11), 248: (2, 11),
}  # fmt: skip
"""Ranks of the 90 % interval of the lower reference limit, by n (CLSI EP28-A3c, table 8)."""


@pytest.mark.parametrize("n", CLSI)
def test_ranks_are_those_of_the_clinical_standard(n):
    low, high = CLSI[n]
    assert (ranks(n, 0.025, 0.9).low, ranks(n, 0.025, 0.9).high) == (low, high)
    mirrored = ranks(n, 0.975, 0.9)
    assert (n + 1 - mirrored.high, n + 1 - mirrored.low) == (low, high)


def test_below_119_values_there_is_no_lower_rank():
    assert ranks(118, 0.025, 0.9).low == 0
    assert quantile_interval(np.arange(118.0), 0.025, 0.9).low == -math.inf
    assert quantile_interval(np.arange(118.0), 0.975, 0.9).high == math.inf


@pytest.mark.parametrize(("n", "p", "level"), [(7, 0.5, 0.95), (40, 0.1, 0.9), (300, 0.99, 0.95), (25, 0.3, 0.99)])
def test_ranks_are_the_innermost_that_hold_often_enough(n, p, level):
    """P(low <= number below <= high - 1) by the binomial; a step inwards on either side is one too far."""
    found, side = ranks(n, p, level), (1 - level) / 2
    assert stats.binom.cdf(found.low - 1, n, p) <= side < stats.binom.cdf(found.low, n, p)
    assert stats.binom.sf(found.high - 1, n, p) <= side < stats.binom.sf(found.high - 2, n, p)


@pytest.mark.parametrize("p", [0.001, 0.025, 0.3, 0.5, 0.975, 0.999])
def test_the_quantile_is_numpys_of_the_same_definition(p):
    x = np.sort(np.random.default_rng(0).normal(size=37))
    assert quantile(x, p) == pytest.approx(np.quantile(x, p, method="weibull"))


def test_what_is_no_chance_is_refused():
    with pytest.raises(ConfigError):
        ranks(10, 0.0)
