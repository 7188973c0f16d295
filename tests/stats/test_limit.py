"""Means of samples become normal: against what is known exactly of coins, dice and exponentials."""

import json
import math

import numpy as np
import pytest
from scipy import stats

from seqwise.errors import ConfigError, DataError
from seqwise.stats.limit import central_limit
from seqwise.stats.results import Shown

COIN = np.array([0.0, 1.0])


def test_single_values_are_exact():
    """A coin: half lies at -1 sd, so the distance is Phi(1) - 1/2; its third moment is 1, the least there is."""
    first = central_limit(COIN, sizes=(1,)).rows[0]
    assert first.distance == pytest.approx(100 * (stats.norm.cdf(1) - 0.5))
    assert first.bound == pytest.approx(47.48)
    assert first.sd == first.sd_expected == 0.5
    assert first.within == (1.0, 1.0)


def test_means_of_coins_have_the_distance_of_the_binomial():
    found = central_limit(COIN, sizes=(30,), draws=4000, seed=1)
    heads = np.arange(31)
    away = np.abs(stats.binom.cdf(heads, 30, 0.5)[:-1] - stats.norm.cdf((heads[:-1] - 15) / math.sqrt(7.5)))
    below = np.abs(stats.binom.cdf(heads - 1, 30, 0.5) - stats.norm.cdf((heads - 15) / math.sqrt(7.5)))
    exact = 100 * max(away.max(), below.max())
    assert found.rows[0].distance == pytest.approx(exact, abs=found.noise)
    assert found.near is None
    assert "means of 30 are not yet near one" in " ".join(central_limit(COIN, sizes=(1, 30), draws=500).sentences())


def test_distances_fall_and_keep_below_the_bound():
    x = np.random.default_rng(0).exponential(size=300)
    found = central_limit(x, (1, 4, 16, 64), draws=4000, seed=2, name="wait", unit="s")
    distances = [row.distance for row in found.rows]
    assert distances == sorted(distances, reverse=True)
    for row in found.rows:
        assert row.distance <= row.bound + found.noise
        assert row.sd == pytest.approx(row.sd_expected, rel=0.05)
        assert row.skewness == pytest.approx(row.skewness_expected, abs=0.25)
    assert found.rho == pytest.approx((np.abs(x - x.mean()) ** 3).mean() / x.std() ** 3)
    assert found.near == 64
    told = found.sentences()
    assert told[0].startswith("wait: distance from a normal distribution")
    assert "from 64 values on, of the sizes tried, means are near one" in told[0]
    assert "where sd / sqrt(n) is" in told[1]
    assert isinstance(found, Shown)
    assert len(found.grids()[0].rows) == 4
    json.dumps(found.to_dict(), allow_nan=False)


def test_the_same_seed_draws_the_same():
    x = np.array([1.0, 2.0, 5.0])
    assert central_limit(x, (1, 5), 200, seed=3) == central_limit(x, (1, 5), 200, seed=3)
    assert central_limit(x, (1, 5), 200, seed=3) != central_limit(x, (1, 5), 200, seed=4)


def test_what_is_normal_is_near_from_the_first():
    x = stats.norm.ppf((np.arange(400) + 0.5) / 400)
    found = central_limit(x, (1, 2), draws=2000)
    assert found.near == 1
    assert "single values are near one already" in found.sentences()[0]
    assert len(central_limit(x, (1,)).sentences()) == 1


def test_bad_input_is_refused():
    for sizes in ((), (0, 1)):
        with pytest.raises(ConfigError, match="sizes"):
            central_limit(COIN, sizes)
    with pytest.raises(ConfigError, match="draws"):
        central_limit(COIN, draws=1)
    for x in ([1.0], [3.0, 3.0], [1.0, math.nan]):
        with pytest.raises(DataError):
            central_limit(np.array(x))
