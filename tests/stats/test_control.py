"""Control charts against Champ and Woodall (1987), Crowder (1987), the ASTM table of constants and worked numbers."""

import math

import numpy as np
import pytest
from scipy import integrate, stats

from seqwise.errors import ConfigError, DataError
from seqwise.stats.control import ewma, ewma_run_length, individuals, subgroups
from seqwise.stats.results import Shown
from seqwise.stats.rules import run_length, signals
from seqwise.stats.within import c4, degrees, moving_range, overall, pooled, range_moments, ranges, sds

# ASTM STP 15D: n, d2, d3, c4
TABLE = [
    (2, 1.128, 0.853, 0.7979),
    (3, 1.693, 0.888, 0.8862),
    (5, 2.326, 0.864, 0.9400),
    (10, 3.078, 0.797, 0.9727),
    (25, 3.931, 0.708, 0.9896),
]

# Champ and Woodall 1987, table 1, no shift
LENGTHS = {
    (1,): 370.40,
    (1, 2): 225.44,
    (1, 3): 166.05,
    (1, 4): 152.73,
    (1, 2, 3): 132.89,
    (1, 2, 4): 122.05,
    (1, 3, 4): 105.78,
    (1, 2, 3, 4): 91.75,
}


def _z(*values, rules=(1, 2, 3, 4)):
    x = np.array(values, dtype=np.float64)
    return signals(x, rules, [str(place + 1) for place in range(len(x))])


def _steady(n, seed=0):
    """Values without any signal: normal quantiles in an order that alternates between the sides."""
    x = stats.norm.ppf((np.arange(n) + 0.5) / n)
    order = np.random.default_rng(seed).permutation(n // 2)
    return np.stack([x[: n // 2][order], x[n // 2 :][order]], axis=1).reshape(-1)


@pytest.mark.parametrize(("n", "d2", "d3", "mean"), TABLE)
def test_constants_equal_the_table(n, d2, d3, mean):
    assert range_moments(n) == (pytest.approx(d2, abs=5.1e-4), pytest.approx(d3, abs=5.1e-4))
    assert c4(n) == pytest.approx(mean, abs=5.1e-5)


def test_constants_of_two_values_have_a_closed_form():
    assert range_moments(2)[0] == pytest.approx(2 / math.sqrt(math.pi), rel=1e-13)
    assert range_moments(2)[1] == pytest.approx(math.sqrt(2 - 4 / math.pi), rel=1e-10)
    assert c4(2) == pytest.approx(math.sqrt(2 / math.pi), rel=1e-14)


def test_the_mean_range_of_large_subgroups_equals_its_integral():
    value, _ = integrate.quad(lambda x: 1 - stats.norm.cdf(x) ** 80 - stats.norm.sf(x) ** 80, -12, 12)
    assert range_moments(80)[0] == pytest.approx(value, rel=1e-9)


def test_c4_of_many_values_goes_on_where_the_series_takes_over():
    direct = math.exp(math.lgamma(500.5) - math.lgamma(500.0)) * math.sqrt(2 / 1000)
    assert c4(1001) == pytest.approx(direct, rel=1e-12)
    assert c4(1001) > c4(1000) > c4(999)


def test_degrees_of_freedom_are_found_again():
    for df in (1, 2.5, 19, 400):
        assert degrees(1 / c4(df + 1) ** 2 - 1) == pytest.approx(df, rel=1e-6)


def test_the_moving_range_is_as_unsure_as_samples_of_it_are():
    """Its interval covers what it promises, and its degrees of freedom are those of the samples' variation."""
    x = np.random.default_rng(1).normal(0, 3, (3000, 12))
    found = [moving_range(one) for one in x]
    values = np.array([one.value for one in found])
    assert values.mean() == pytest.approx(3, rel=0.01)
    assert degrees((values.std() / values.mean()) ** 2) == pytest.approx(found[0].df, rel=0.07)
    assert np.mean([3 in one.interval() for one in found]) == pytest.approx(0.95, abs=0.012)


def test_two_values_have_one_degree_of_freedom_by_any_method():
    x = np.array([1.0, 4.0])
    for one in (moving_range(x), ranges([x]), sds([x]), pooled([x]), overall(x)):
        assert one.df == pytest.approx(1, rel=1e-6)
        low, high = one.interval().low, one.interval().high
        exact = [3 / math.sqrt(2) / math.sqrt(stats.chi2.ppf(share, 1)) for share in (0.975, 0.025)]
        assert (low, high) == (pytest.approx(exact[0], rel=1e-6), pytest.approx(exact[1], rel=1e-6))


@pytest.mark.parametrize("rules", LENGTHS)
def test_run_lengths_equal_champ_and_woodall(rules):
    assert run_length(rules) == pytest.approx(LENGTHS[rules], abs=0.006)


@pytest.mark.parametrize(("weight", "length"), [(0.5, 397.46), (0.25, 502.90), (0.1, 842.15), (0.05, 1379.35)])
def test_run_lengths_of_an_ewma_equal_crowder(weight, length):
    assert ewma_run_length(weight, 3.0) == pytest.approx(length, abs=0.01)


def test_run_lengths_of_an_ewma_after_shifts():
    """Lucas and Saccucci (1990): weight 0.1, width 2.814: 500 without a shift, 10.3 after one of one sd. Weight 1 is
    Shewhart's chart."""
    assert ewma_run_length(0.1, 2.814) == pytest.approx(500, abs=1)
    assert ewma_run_length(0.1, 2.814, 1.0) == pytest.approx(10.3, abs=0.05)
    assert ewma_run_length(1.0, 3.0) == pytest.approx(run_length((1,)), rel=1e-12)


def test_rule_1_is_one_point_beyond_three_sds():
    (found,) = _z(0, 3.01, 0)
    assert (found.rule, found.side, found.index, found.points) == (1, "above", 1, (1,))
    assert found.why == "point 2 lies more than 3 sds above the centre (rule 1)"
    assert _z(0, 3.0, -3.0, 0) == ()


def test_rule_2_is_two_of_three_beyond_two_sds():
    (found,) = _z(2.1, 0, 2.2, rules=(2,))
    assert (found.index, found.points) == (2, (0, 2))
    assert found.why == "2 of the 3 points from 1 to 3 lie more than 2 sds above the centre (rule 2)"
    assert _z(2.1, 0, 0, 2.2, rules=(2,)) == ()
    assert _z(2.1, -2.2, rules=(2,)) == ()
    assert _z(-2.1, -2.1, rules=(2,))[0].why == "points 1 and 2 lie more than 2 sds below the centre (rule 2)"


def test_rule_3_is_four_of_five_beyond_one_sd():
    (found,) = _z(-1.1, -1.2, 0, -1.1, -1.3, rules=(3,))
    assert (found.side, found.index, found.points) == ("below", 4, (0, 1, 3, 4))
    assert _z(-1.1, -1.2, 0, 0, -1.1, -1.3, rules=(3,)) == ()


def test_rule_4_is_eight_on_one_side_and_a_point_on_the_centre_ends_it():
    (found,) = _z(*[0.1] * 10, rules=(4,))
    assert (found.index, found.points) == (7, tuple(range(10)))
    assert found.why == "points 1 to 10, 10 in a row, lie above the centre (rule 4)"
    assert _z(*[0.1] * 7, 0.0, *[0.1] * 7, rules=(4,)) == ()


def test_the_rules_find_what_a_search_through_all_windows_finds():
    """Oracle: every window looked at by itself."""
    z = np.random.default_rng(2).normal(0, 1.5, 300)
    for rule, (edge, need, window) in {1: (3, 1, 1), 2: (2, 2, 3), 3: (1, 4, 5), 4: (0, 8, 8)}.items():
        fired = set()
        for end in range(len(z)):
            part = z[max(0, end - window + 1) : end + 1]
            for side in (1, -1):
                if side * z[end] > edge and (side * part > edge).sum() >= need:
                    fired.add(end)
        found = signals(z, (rule,), [str(place) for place in range(len(z))])
        assert {signal.index for signal in found} <= fired
        assert fired <= {place for signal in found for place in signal.points}


def test_limits_of_individuals_are_those_of_the_textbook():
    """Mean ± 2.66 mean moving ranges, and 3.267 mean moving ranges (Montgomery 2019, section 6.4)."""
    x = np.array([310.0, 288, 297, 298, 307, 303, 294, 297, 308, 306, 294, 299, 297, 299, 314])
    chart = individuals(x, "temperature", "°C")
    spread = np.abs(np.diff(x)).mean()
    assert chart.centre[0] == pytest.approx(x.mean(), rel=1e-14)
    assert chart.upper[0] == pytest.approx(x.mean() + 3 / 1.128379167 * spread, rel=1e-9)
    assert chart.lower[3] == pytest.approx(x.mean() - 3 / 1.128379167 * spread, rel=1e-9)
    assert chart.spread.upper[0] == pytest.approx(3.2665 * spread, rel=1e-4)
    assert chart.spread.lower == (0.0,) * 14
    assert chart.spread.labels[0] == "2"
    assert len(chart.points) == len(chart.centre) == len(chart.lower) == len(chart.upper) == 15


@pytest.mark.parametrize(
    ("spread", "factor", "low", "high"), [("ranges", 0.577, 0.0, 2.114), ("sds", 1.427, 0.0, 2.089)]
)
def test_limits_of_means_are_those_of_the_textbook(spread, factor, low, high):
    """A2, D3, D4 and A3, B3, B4 for subgroups of five."""
    x = np.random.default_rng(3).normal(10, 1, (20, 5))
    chart = subgroups(x, spread=spread)
    mean = (np.ptp(x, axis=1) if spread == "ranges" else x.std(axis=1, ddof=1)).mean()
    assert chart.centre[0] == pytest.approx(x.mean(), rel=1e-13)
    assert chart.upper[7] - chart.centre[7] == pytest.approx(factor * mean, rel=1e-3)
    assert chart.spread.centre[0] == pytest.approx(mean, rel=1e-12)
    assert chart.spread.upper[0] == pytest.approx(high * mean, rel=1e-3)
    assert chart.spread.lower[0] == 0


def test_subgroups_by_label_keep_the_order_of_time_and_may_differ_in_size():
    x = np.array([5.0, 6, 7, 1, 2, 3, 4, 9, 8])
    labels = ["b", "b", "b", "a", "a", "a", "a", "c", "c"]
    chart = subgroups(x, labels)
    assert chart.labels == ("b", "a", "c")
    assert chart.points == (6.0, 2.5, 8.5)
    widths = [high - middle for high, middle in zip(chart.upper, chart.centre, strict=True)]
    assert widths[0] / widths[2] == pytest.approx(math.sqrt(2 / 3), rel=1e-12)
    same = subgroups(np.array([[5.0, 6, 7], [1, 2, 3]]))
    assert same.points == subgroups(np.array([5.0, 6, 7, 1, 2, 3]), np.array([1.0, 1, 1, 0, 0, 0])).points


def test_an_ewma_is_the_weighted_sum_of_all_values_before():
    x = np.random.default_rng(4).normal(3, 1, 12)
    chart = ewma(x, 0.3, centre=2.5, sd=1.0)
    weights = 0.3 * 0.7 ** np.arange(11, -1, -1)
    assert chart.points[-1] == pytest.approx(weights @ x + 0.7**12 * 2.5, rel=1e-13)
    assert chart.upper[0] == pytest.approx(2.5 + 3 * 0.3, rel=1e-13)
    late = ewma(x, 0.3, exact=False, centre=2.5, sd=1.0)
    assert late.upper[0] == late.upper[-1] == pytest.approx(2.5 + 3 * math.sqrt(0.3 / 1.7), rel=1e-13)
    whole = ewma(x, 1.0, centre=2.5, sd=1.0)
    assert whole.points == pytest.approx(x.tolist())


def test_an_ewma_sees_a_small_shift_that_points_alone_do_not_show():
    x = np.concatenate([_steady(40), _steady(30, 1) + 1.0])
    chart = ewma(x, baseline=40, centre=None)
    assert chart.signals
    assert chart.signals[0].index >= 40
    assert individuals(x, baseline=40, rules=(1,)).signals == ()
    assert "beyond the limit, above the centre" in chart.sentences()[0]


def test_a_steady_process_is_told_to_be_one():
    chart = individuals(_steady(40), "width", "mm", centre=0.0, sd=1.0)
    assert chart.controlled
    assert chart.sentences()[0] == (
        "No signal in 40 points of width (individuals): Western Electric rules 1, 2, 3 and 4 hold."
    )
    assert (
        individuals(_steady(40), rules=(1,), centre=0.0, sd=1.0).sentences()[0].endswith("none lies beyond its limits.")
    )
    assert individuals(_steady(40), rules=(4,), centre=0.0, sd=1.0).sentences()[0].endswith("rule 4 holds.")


def test_a_shift_is_told_with_rule_and_points():
    x = np.concatenate([_steady(24), np.full(4, 5.0)])
    chart = individuals(x, "width", "mm", baseline=24)
    assert not chart.controlled
    assert {signal.rule for signal in chart.signals} >= {1, 2, 3}
    assert "points 25 to 28, 4 in a row, lie more than 3 sds above the centre (rule 1)" in chart.sentences()[0]
    assert "from the first 24 values by moving ranges" in " ".join(chart.sentences())
    assert not any("leave those points out" in sentence for sentence in chart.sentences())


def test_chance_is_told_in_numbers():
    told = " ".join(individuals(_steady(40), centre=0.0, sd=1.0).sentences())
    assert "about every 91.8 points: 0.44 in as many points as these" in told


def test_alike_neighbours_and_skew_are_told():
    slow = np.cumsum(np.random.default_rng(5).normal(size=60))
    chart = individuals(slow)
    assert next(one for one in chart.assumptions if one.name == "independent values").holds is False
    assert any("too narrow" in sentence for sentence in chart.sentences())
    skewed = np.random.default_rng(6).exponential(size=60)
    assert next(one for one in individuals(skewed).assumptions if one.name == "normal values").holds is False
    few = individuals(np.array([1.0, 2.0, 1.5]))
    assert [one.holds for one in few.assumptions] == [None, None]
    assert any("come from 3 points only" in sentence for sentence in few.sentences())


def test_of_many_values_shape_alone_decides_whether_they_are_normal():
    """Beyond 5,000 values, where any test of normality refuses."""
    rng = np.random.default_rng(7)
    near, far = rng.normal(size=6000), rng.exponential(size=6000)
    assert [individuals(x, rules=(1,)).assumptions[1].holds for x in (near, far)] == [True, False]


def test_signals_within_the_baseline_ask_for_another_chart():
    x = _steady(30).copy()
    x[10] = 9.0
    assert any("leave those points out" in sentence for sentence in individuals(x).sentences())


def test_phase_two_takes_one_value_and_equal_values():
    chart = individuals(np.array([4.0]), centre=0.0, sd=1.0)
    assert chart.spread is None
    assert chart.baseline == 0
    assert len(chart.signals) == 1
    assert chart.sentences()[0].startswith("1 signal in 1 point of values")
    assert individuals(np.full(3, 0.5), centre=0.0, sd=1.0).controlled


@pytest.mark.parametrize("chart", [individuals(_steady(20)), ewma(_steady(20)), subgroups(_steady(20).reshape(5, 4))])
def test_charts_can_be_shown(chart):
    import json

    assert isinstance(chart, Shown)
    assert json.loads(json.dumps(chart.to_dict()))["controlled"] == chart.controlled
    assert all(len(row) == len(grid.columns) for grid in chart.grids() for row in grid.rows)
    assert all(sentence.endswith(".") and "nan" not in sentence for sentence in chart.sentences())


@pytest.mark.parametrize(
    ("values", "error"),
    [
        (np.array([]), DataError),
        (np.array([1.0]), DataError),
        (np.full(5, 2.0), DataError),
        (np.array([1.0, np.nan, 2.0]), DataError),
        (np.array([1.0, np.inf, 2.0]), DataError),
        (np.array(["a", "b"]), DataError),
    ],
)
def test_bad_values_are_one_clear_error(values, error):
    for chart in (individuals, ewma):
        with pytest.raises(error, match="needs"):
            chart(values)


def test_settings_that_contradict_are_refused():
    x = _steady(20)
    for settings in (
        {"centre": 1.0},
        {"sd": 1.0},
        {"centre": 0.0, "sd": 0.0},
        {"centre": 0.0, "sd": 1.0, "baseline": 5},
        {"baseline": 1},
        {"baseline": 21},
        {"rules": ()},
        {"rules": (5,)},
    ):
        with pytest.raises(ConfigError):
            individuals(x, **settings)
    for settings in ({"weight": 0.0}, {"weight": 1.5}, {"width": 0.0}):
        with pytest.raises(ConfigError):
            ewma(x, **settings)
    with pytest.raises(DataError, match="all the same"):
        individuals(np.array([1.0, 1.0, 1.0, 2.0]), baseline=3)


def test_subgroups_that_cannot_be_charted_are_refused():
    with pytest.raises(DataError, match="with one value each"):
        subgroups(np.array([1.0, 2, 3, 4]), ["a", "b", "c", "d"])
    with pytest.raises(DataError, match="the first 2 subgroups of values with one value each"):
        subgroups(np.array([1.0, 2, 3, 4]), ["a", "b", "c", "c"], baseline=2)
    with pytest.raises(DataError, match="nothing differs"):
        subgroups(np.array([1.0, 1, 2, 2]), ["a", "a", "b", "b"])
    with pytest.raises(DataError, match="labels"):
        subgroups(np.array([1.0, 2, 3, 4]), ["a", "a", "b"])
    with pytest.raises(DataError, match="no label for value 2"):
        subgroups(np.array([1.0, 2, 3, 4]), ["a", None, "b", "b"])
    with pytest.raises(DataError, match="without labels"):
        subgroups(np.array([1.0, 2, 3, 4]))


@pytest.mark.parametrize("spread", ["sds", "ranges"])
def test_a_subgroup_of_one_value_is_charted_and_gives_no_spread(spread):
    """Its limits are those of single values; the sd is that of the others."""
    x = np.random.default_rng(3).normal(10, 0.2, 41)
    labels = [f"lot {at // 4}" for at in range(40)] + ["lone"]
    chart, others = subgroups(x, labels, spread), subgroups(x[:40], labels[:40], spread)
    assert chart.sd.value == others.sd.value
    assert chart.points[-1] == x[-1]
    assert chart.upper[-1] - chart.centre[-1] == pytest.approx(3 * chart.sd.value)
    assert chart.spread.labels == others.labels
    assert chart.spread.points == others.spread.points
    assert (
        f"1 subgroup has one value and no spread: charted among the means, missing among the {spread}." in chart.notes
    )
    assert chart.grids()[0].note == "At the last point: limits move from point to point."
    assert not others.grids()[0].note
