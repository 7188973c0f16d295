"""Risk from prices, against what can be counted by hand, by simulation, and by the formulas of the papers."""

import inspect
import json
import math
import os
from pathlib import Path

import numpy as np
import pytest
from scipy import integrate, stats

from seqwise.errors import ConfigError, DataError
from seqwise.stats.finance import drawdown, returns, risk, sharpe, splits, value_at_risk, volatility
from seqwise.stats.results import Shown

DATA = Path(os.environ.get("SEQWISE_DATA", Path(__file__).resolve().parents[2] / "../shared/data"))
PRICES = np.array([100.0, 110.0, 99.0, 104.5, 88.0, 96.0, 120.0])


def walk(n=1500, seed=0, df=3.0):
    """Prices whose returns have heavy tails."""
    changes = 0.01 * np.random.default_rng(seed).standard_t(df, n) / math.sqrt(3)
    return 100 * np.exp(np.cumsum(np.append(0.0, changes)))


def test_returns_are_simple_or_log():
    assert returns(PRICES)[:2] == pytest.approx([0.1, -0.1])
    np.testing.assert_allclose(returns(PRICES, "log"), np.diff(np.log(PRICES)), rtol=1e-12)


@pytest.mark.parametrize(
    ("prices", "told"),
    [
        ([1.0, 0.0, 2.0], "0 as price 2"),
        ([1.0, 2.0, -3.0], "-3 as price 3"),
        ([1.0, math.nan, 2.0], "nan as value 2"),
        ([1.0, 2.0], "2 values"),
        ([5.0] * 9, "all 8 values"),
        ([1.01**k for k in range(9)], "needs"),
    ],
)
def test_what_are_no_prices_is_refused(prices, told):
    with pytest.raises(DataError, match=told):
        risk(np.array(prices))


def test_historical_losses_are_counted():
    """Of 20 returns the worst 10 % are two: the smaller of them is lost at least, their mean beyond."""
    changes = np.arange(-10, 10) / 100
    found = value_at_risk(changes, 0.9)
    assert found.historical.value == pytest.approx(0.09)
    assert found.shortfall == pytest.approx(0.095)
    half = value_at_risk(changes, 0.925)  # one and a half returns (Acerbi and Tasche 2002)
    assert half.historical.value == pytest.approx(0.09)
    assert half.shortfall == pytest.approx((0.10 + 0.5 * 0.09) / 1.5)
    assert value_at_risk(np.arange(100.0), 0.95).historical.value == -4, "5 of 100, whatever rounding makes of 1 - 0.95"


def test_normal_losses_are_the_integral_of_the_tail():
    changes = np.random.default_rng(5).normal(0.001, 0.02, 400)
    found = value_at_risk(changes, 0.99)
    fitted = stats.norm(changes.mean(), changes.std(ddof=1))
    cut = fitted.ppf(0.01)
    assert found.normal == pytest.approx(-cut)
    beyond = integrate.quad(lambda x: x * fitted.pdf(x), cut - 1, cut)[0]
    assert found.normal_shortfall == pytest.approx(-beyond / 0.01, rel=1e-6)
    assert found.normal_is == "in line"


def test_heavy_tails_are_told_to_be_understated():
    found = risk(walk(5000), name="close")
    assert found.losses[1].normal_is == "too small"
    assert "a normal distribution says" in found.sentences()[2]
    assert "and understates it" in found.sentences()[2]
    assert found.losses[1].shortfall > found.losses[1].normal_shortfall
    assert "tails heavier than normal" in " ".join(found.sentences())


def test_too_few_returns_show_no_worst_hundredth():
    told = risk(PRICES).losses[1].told
    assert told == "6 returns cannot show their worst 1 %: the largest loss seen is 15.8 %."
    assert risk(PRICES).losses[1].historical.interval.high == math.inf


def test_the_deepest_fall_is_found():
    fall = drawdown(PRICES)
    assert (fall.peak, fall.trough, fall.recovered) == (1, 4, 6)
    assert fall.depth == pytest.approx(0.2)
    assert fall.told == "The deepest fall from a peak is 20 %, from price 2 to price 5, made good at price 7."
    assert drawdown(PRICES[:6]).recovered is None
    assert "not made good" in drawdown(PRICES[:6]).told
    assert drawdown(np.array([1.0, 2.0, 2.0, 3.0])).told == "The price never fell below an earlier one."


def test_the_sharpe_ratio_has_the_papers_standard_error():
    """Mertens 2002 with g1 and g2; Lo 2002 is the same with both 0."""
    changes = np.random.default_rng(1).gamma(2.0, 0.01, 250) - 0.018
    ratio = changes.mean() / changes.std(ddof=1)
    found = sharpe(changes, 252)
    assert found.value == pytest.approx(ratio * math.sqrt(252))
    g1, g2 = stats.skew(changes), stats.kurtosis(changes)
    error = math.sqrt((1 - g1 * ratio + (g2 + 2) / 4 * ratio**2) / 250)
    half = stats.norm.ppf(0.975) * error * math.sqrt(252)
    assert found.interval.high - found.value == pytest.approx(half)
    normal = sharpe(changes, 252, normal=True)
    assert normal.interval.high - normal.value == pytest.approx(
        stats.norm.ppf(0.975) * math.sqrt((1 + ratio**2 / 2) / 250) * math.sqrt(252)
    )


def test_a_risk_free_rate_is_taken_off_period_by_period():
    changes = np.array([0.01, 0.03, 0.02, 0.00])
    rate = 1.12 ** (1 / 12) - 1
    assert sharpe(changes, 12, 0.12).value == pytest.approx(
        math.sqrt(12) * (changes.mean() - rate) / changes.std(ddof=1)
    )


def test_volatility_is_wider_known_with_heavy_tails():
    normal, heavy = np.random.default_rng(2).normal(size=500), np.random.default_rng(2).standard_t(3, 500)
    widths = []
    for changes in (normal, heavy):
        found = volatility(changes / 100, 252)
        assert found.value == pytest.approx(changes.std(ddof=1) / 100 * math.sqrt(252))
        widths.append(found.interval.high / found.interval.low)
    chi2 = math.sqrt(stats.chi2.ppf(0.975, 499) / stats.chi2.ppf(0.025, 499))
    assert widths[0] == pytest.approx(chi2, rel=0.02)
    assert widths[1] > 1.2 * chi2


def test_dependence_is_told_and_everything_is_shown():
    changes = 0.001 * np.convolve(np.random.default_rng(3).normal(size=801), [1, 0.7], "valid")
    found = risk(100 * np.cumprod(1 + np.append(0, changes)), name="fund")
    assert found.dependent
    assert found.sentences()[-1].endswith("volatility a year is understated.")
    assert found.sentences()[0].startswith("fund: volatility ")
    assert isinstance(found, Shown)
    assert [len(row) for row in found.grids()[0].rows] == [7, 7]
    json.dumps(found.to_dict(), allow_nan=False)
    json.dumps(risk(PRICES).to_dict(), allow_nan=False)


def test_a_sharpe_ratio_near_none_cannot_be_told_from_it():
    assert "cannot be told from 0" in " ".join(risk(PRICES).sentences())
    rising = 100 * np.cumprod(1 + np.random.default_rng(0).normal(0.01, 0.01, 300))
    assert risk(rising).sentences()[4].endswith(": above 0.")
    assert risk(rising[::-1].copy()).sentences()[4].endswith(": below 0.")


@pytest.mark.parametrize("times", [2, 3, 4, 7, 20])
@pytest.mark.parametrize("rises", [False, True])
def test_what_looks_like_a_split_is_told(times, rises):
    """On a day that moves by 1.5 % beside it."""
    prices = 100 * np.exp(np.cumsum(np.random.default_rng(times).normal(0, 0.012, 250)))
    prices[100] = prices[99] * 0.985
    prices[100:] *= times if rises else 1 / times
    (found,) = splits(prices)
    assert (found.place, found.times, found.rises) == (100, times, rises)
    told = risk(prices, name="close").sentences()[-1]
    assert told.startswith(f"Price 101 is about {f'{times} times' if rises else f'1/{times} of'} the one before it")
    assert f"a split of {f'1 for {times}' if rises else f'{times} for 1'}: if these prices were not adjusted" in told


@pytest.mark.parametrize("times", [2, 3, 5])
def test_a_split_of_a_price_that_stands_still_is_told(times):
    prices = np.full(100, 30.0)
    prices[50:] /= times
    assert [(one.place, one.times, one.rises) for one in splits(prices)] == [(50, times, False)]


def test_what_trade_makes_is_no_split():
    assert not [seed for seed in range(40) if splits(walk(seed=seed))]
    crash = walk(200)
    crash[100:] *= 0.43  # neither a half nor a third, beyond the 1 % that prices move
    assert not splits(crash)
    jumpy = 100 * np.exp(np.cumsum(np.random.default_rng(0).choice([-0.45, 0.45, 0.69], 60)))
    assert not splits(jumpy), "changes as large as these are usual here"


def test_settings_are_checked():
    changes = returns(PRICES)
    for refused in (
        lambda: inspect.unwrap(returns)(PRICES, "daily"),  # as a caller whose types nobody checks
        lambda: value_at_risk(changes, 0.3),
        lambda: volatility(changes, 0),
        lambda: sharpe(changes, risk_free=-2.0),
        lambda: sharpe(changes, level=1.0),
    ):
        with pytest.raises(ConfigError):
            refused()


def test_the_s_and_p_500_has_heavier_losses_than_a_normal():
    """2000 to April 2020; the fall from October 2007 to March 2009 is 56.8 %, as published."""
    path = DATA / "timeseries/sp500_daily_2000_2020.csv"
    if not path.exists():
        pytest.skip(f"needs {path}")
    found = risk(np.genfromtxt(path, delimiter=",", skip_header=1, usecols=4), name="close")
    assert found.n == 5104
    assert found.drawdown.depth == pytest.approx(0.568, abs=0.0005)
    assert found.losses[1].normal_is == "too small"
    assert "cannot be told from 0" in " ".join(found.sentences())
