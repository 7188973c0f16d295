"""Reference intervals against the clinical standard's worked example, exact formulas and simulated coverage."""

import inspect
import json
import math

import numpy as np
import pytest
from scipy import stats

from seqwise.errors import ConfigError, DataError
from seqwise.stats import biweight
from seqwise.stats.medicine import dixon, reference_interval, tukey
from seqwise.stats.results import Shown

CALCIUM = np.array(
    [8.9, 9.2] + [9.4] * 2 + [9.5] * 3 + [9.6] * 4 + [9.7] * 5 + [9.8] + [9.9] * 2 + [10.2]
)  # mg/dL; CLSI EP28-A3c, appendix B


def normal(n, seed=0):
    return np.random.default_rng(seed).normal(9.6, 0.4, n)


def test_robust_limits_are_those_of_the_standards_example():
    """9.049545 and 10.199396 by R's mcradds, which stops its iteration at 1e-6."""
    low, high, spreads = biweight.limits(CALCIUM[None, :], 0.95)
    assert (low[0], high[0]) == pytest.approx((9.049545, 10.199396), abs=3e-6)
    assert spreads[0]


def test_robust_limits_follow_the_unit_and_forget_outliers():
    x = normal(60)
    low, high, _ = biweight.limits(np.stack([x, 5 - 2 * x]), 0.95)
    assert (low[1], high[1]) == pytest.approx((5 - 2 * high[0], 5 - 2 * low[0]))
    far = biweight.limits(np.append(x, 1e9)[None, :], 0.95)
    assert far[1][0] == pytest.approx(high[0], rel=0.02)


def test_parametric_limits_have_exact_intervals():
    """The interval of a limit holds the true one so often as it says: 90 of 100, whatever the sample size."""
    inside = 0
    for seed in range(300):
        found = reference_interval(normal(25, seed), "parametric", resamples=2, name="Ca", unit="mg/dL").best
        inside += (9.6 + 1.959964 * 0.4) in found.high.interval
    assert 0.86 <= inside / 300 <= 0.94
    large = [reference_interval(normal(n), "parametric", resamples=2).best.low for n in (1000, 1001)]
    widths = [end.interval.high - end.interval.low for end in large]
    assert widths[1] == pytest.approx(widths[0], rel=0.03), "the formula for many values joins the exact one"


def test_parametric_limits_are_mean_and_sd():
    x = normal(30)
    found = reference_interval(x, "parametric", resamples=2).best
    half = stats.norm.ppf(0.975) * x.std(ddof=1)
    assert (found.low.value, found.high.value) == pytest.approx((x.mean() - half, x.mean() + half))


def test_ranks_are_recommended_from_120_values_on():
    x = normal(120)
    found = reference_interval(x, name="calcium", unit="mg/dL")
    ordered = np.sort(x)
    assert found.best.method == "nonparametric"
    assert found.best.low.value == pytest.approx(np.quantile(x, 0.025, method="weibull"))
    assert found.best.low.interval.low == ordered[0]
    assert found.best.low.interval.high == ordered[6], "CLSI EP28: ranks 1 and 7"
    assert found.sentences()[1].startswith("The nonparametric interval: 120 values are enough for ranks")
    assert found.sentences()[0].startswith("calcium: 95 % of healthy people lie within ")
    assert {limits.method for limits in found.limits} == {"nonparametric", "parametric", "robust"}
    assert isinstance(found, Shown)
    json.dumps(found.to_dict(), allow_nan=False)
    assert len(found.grids()[0].rows[0]) == len(found.grids()[0].columns) == 7


def test_below_120_the_shape_decides():
    fits = reference_interval(normal(80))
    assert fits.best.method == "parametric"
    assert "in line with a normal distribution" in fits.why
    skew = reference_interval(np.random.default_rng(1).lognormal(1, 0.8, 80))
    assert skew.best.method == "robust"
    assert "transform='log'" in " ".join(skew.sentences())
    assert skew.assumptions[1].holds is False
    assert skew.limits[1].low.value != skew.best.low.value


@pytest.mark.parametrize("transform", ["log", "box-cox"])
def test_transformed_limits_come_back_in_the_datas_unit(transform):
    x = np.random.default_rng(2).lognormal(1, 0.6, 100)
    found = reference_interval(x, "parametric", transform)
    assert found.best.low.value > 0
    assert found.best.low.value == pytest.approx(math.exp(1 - 1.96 * 0.6), rel=0.3)
    assert found.best.high.value == pytest.approx(math.exp(1 + 1.96 * 0.6), rel=0.3)
    assert found.best.low.interval.low < found.best.low.value < found.best.low.interval.high
    if transform == "box-cox":
        assert found.power == pytest.approx(stats.boxcox(x)[1], abs=1e-6)
    else:
        logs = np.log(x)
        edge = logs.mean() - stats.norm.ppf(0.975) * logs.std(ddof=1)
        assert found.best.low.value == pytest.approx(math.exp(edge))


def test_outliers_are_told_and_stay_unless_asked():
    x = np.append(normal(140), 15.0)
    found = reference_interval(x, unit="mg/dL")
    assert found.outliers.dixon == (15.0,)
    assert found.n == 141
    assert "They stay in" in " ".join(found.sentences())
    less = reference_interval(x, remove="dixon", unit="mg/dL")
    assert less.n == 140
    assert less.best.high.value < found.best.high.value
    assert "Removed, as asked: 15 mg/dL." in less.sentences()
    twice = reference_interval(np.append(x, 15.0), remove="tukey")
    assert twice.outliers.removed.count(15.0) == 2, "equal outliers go together"


def test_rules_for_outliers():
    """Dixon: a gap of a third of the range, again and again; Tukey's fences as drawn in every box plot."""
    x = np.array([0.0, 10.0, 10.5, 11.0, 11.5, 12.0, 20.0])
    assert list(x[dixon(x)]) == [0.0, 20.0]
    assert not dixon(np.arange(8.0)).any()
    y = np.append(np.arange(11.0), 40.0)
    assert list(y[tukey(y)]) == [40.0]


def test_the_bootstrap_follows_its_seed():
    one, same, other = (reference_interval(normal(40), "robust", seed=seed, resamples=200) for seed in (1, 1, 2))
    assert one == same
    assert one.best.low.interval != other.best.low.interval
    assert one.best.low.value == other.best.low.value
    assert one.best.low.interval.low < one.best.low.value < one.best.low.interval.high


def test_values_of_which_half_are_one_have_no_robust_limits():
    x = np.append(np.full(30, 5.0), np.arange(10.0))
    found = reference_interval(x)
    assert [limits.method for limits in found.limits] == ["parametric", "nonparametric"]
    assert "have no robust spread" in found.why
    with pytest.raises(DataError, match="half are one"):
        reference_interval(x, "robust")


def test_wide_limits_are_told():
    assert "more values would help" in " ".join(reference_interval(CALCIUM).sentences())
    assert "more values would help" not in " ".join(reference_interval(normal(4000)).sentences())


@pytest.mark.parametrize(
    ("x", "settings", "told"),
    [
        (np.arange(19.0), {}, "at least 20"),
        (np.ones(30), {}, "are 1"),
        (np.append(np.arange(30.0), math.nan), {}, "nan as value 31"),
        (np.arange(30.0), {"transform": "log"}, "above 0"),
        (np.append(np.arange(19.0), 900.0), {"remove": "dixon"}, "at least 20"),
    ],
)
def test_bad_values_are_refused(x, settings, told):
    with pytest.raises(DataError, match=told):
        reference_interval(x, **settings)


@pytest.mark.parametrize("settings", [{"method": "robus"}, {"transform": "sqrt"}, {"remove": "all"}, {"level": 95.0}])
def test_bad_settings_are_refused(settings):
    with pytest.raises(ConfigError):
        inspect.unwrap(reference_interval)(CALCIUM, **settings)  # as a caller whose types nobody checks
