"""Capability against Montgomery (2019, chapter 8), scipy and counting."""

import json
import math

import numpy as np
import pytest
from scipy import stats

from seqwise.errors import ConfigError, DataError
from seqwise.stats.capability import capability, cp_interval, cpk_interval
from seqwise.stats.results import Shown


def _exact(n, mean=0.0, sd=1.0, seed=0):
    """Near normal values with exactly this mean and sd."""
    x = np.random.default_rng(seed).permutation(stats.norm.ppf((np.arange(n) + 0.5) / n))
    return mean + sd * (x - x.mean()) / x.std(ddof=1)


def test_the_interval_of_cp_is_montgomerys():
    """Example 8.4: n = 20, Cp 2.29: 1.57 to 3.01."""
    found = cp_interval(2.29, 19)
    assert (round(found.low, 2), round(found.high, 2)) == (1.57, 3.01)


def test_the_interval_of_cpk_is_montgomerys():
    """Example 8.5: n = 20, Cpk 1.33: 0.88 to 1.78."""
    found = cpk_interval(1.33, 20, 19)
    assert (round(found.low, 2), round(found.high, 2)) == (0.88, 1.78)


def test_indices_of_a_known_mean_and_sd():
    found = capability(_exact(200, 50, 2), 44, 58, name="width", unit="mm")
    assert found.index("Pp").value == pytest.approx(14 / 12, rel=1e-12)
    assert found.index("Ppk").value == pytest.approx(1.0, rel=1e-12)
    assert found.expected == pytest.approx(stats.norm.sf(3) + stats.norm.sf(4), rel=1e-9)
    assert found.observed.value == 0
    exact = stats.binomtest(0, 200).proportion_ci(0.95, "exact")
    assert found.observed.interval.high == pytest.approx(exact.high, rel=1e-9)


def test_a_centred_process_of_three_sds_has_2700_in_a_million_outside():
    found = capability(_exact(100), -3, 3)
    assert 1e6 * found.expected == pytest.approx(2699.796, abs=0.001)
    assert found.index("Pp").value == pytest.approx(found.index("Ppk").value, rel=1e-12)


def test_counts_outside_are_counted_on_both_sides_with_their_interval():
    x = _exact(50)
    found = capability(x, -1, 1.5)
    outside = int(((x < -1) | (x > 1.5)).sum())
    exact = stats.binomtest(outside, 50).proportion_ci(0.95, "exact")
    assert found.observed.value == outside / 50
    assert (found.observed.interval.low, found.observed.interval.high) == pytest.approx((exact.low, exact.high))
    assert f"{outside} of 50 values lie outside" in " ".join(found.sentences())


def test_one_limit_has_no_cp():
    found = capability(_exact(60), upper=3)
    assert [index.name for index in found.indices] == ["Cpk", "Ppk"]
    assert found.index("Ppk").value == pytest.approx(1.0, rel=1e-12)
    with pytest.raises(ConfigError, match="Cpk, Ppk"):
        found.index("Cp")


def test_the_short_term_sd_of_subgroups_is_pooled():
    x = np.array([1.0, 2, 3, 11, 12, 13])
    found = capability(x, 0, 20, ["a", "a", "a", "b", "b", "b"])
    assert found.within.value == pytest.approx(1.0)
    assert found.index("Cp").value == pytest.approx(20 / 6)
    assert found.index("Cp").interval.low == pytest.approx(20 / 6 * math.sqrt(stats.chi2.ppf(0.025, 4) / 4))
    assert "varies more in the long run" not in found.sentences()[1]
    assert found.sentences()[1].startswith("In the long run")


@pytest.mark.parametrize(
    ("edge", "capable", "words"), [(6, True, "reaches"), (2, False, "falls short of"), (4, None, "Cannot tell")]
)
def test_the_first_sentence_says_what_the_interval_says(edge, capable, words):
    found = capability(_exact(100), -edge, edge, name="width")
    assert found.capable is capable
    assert words in found.sentences()[0]
    assert "95 % interval" in found.sentences()[0]


def test_a_process_out_of_control_is_told_and_chance_is_not():
    drifts = _exact(60)
    drifts = np.sort(drifts)
    told = capability(drifts, -9, 9)
    assert any(one.name == "in control" and one.holds is False for one in told.assumptions)
    assert any("foretell little" in sentence for sentence in told.sentences())
    steady = capability(_exact(60), -9, 9)
    assert all(one.holds is not False for one in steady.assumptions if one.name == "in control")


def test_it_can_be_shown():
    found = capability(_exact(30), -3, 3)
    assert isinstance(found, Shown)
    assert json.loads(json.dumps(found.to_dict()))["n"] == 30
    assert all(len(row) == len(grid.columns) for grid in found.grids() for row in grid.rows)


@pytest.mark.parametrize(("lower", "upper"), [(None, None), (2.0, 1.0), (1.0, 1.0), (math.nan, 1.0), (None, math.inf)])
def test_limits_that_are_none_are_refused(lower, upper):
    with pytest.raises(ConfigError, match="lower limit below"):
        capability(_exact(20), lower, upper)


def test_values_that_say_nothing_are_refused():
    for x in (np.array([1.0, 2.0]), np.full(9, 1.0), np.array([1.0, np.nan, 2.0])):
        with pytest.raises(DataError):
            capability(x, 0, 3)
    with pytest.raises(DataError, match="nothing differs"):
        capability(np.array([1.0, 1, 2, 2]), 0, 3, ["a", "a", "b", "b"])
    with pytest.raises(DataError, match="two values or more"):
        capability(np.array([1.0, 2, 3]), 0, 3, ["a", "b", "c"])


def test_values_outside_by_far_have_a_negative_index_and_a_true_sentence():
    found = capability(_exact(40, 10), -1, 1)
    assert found.index("Ppk").value < 0
    assert found.capable is False
    assert "40 of 40 values lie outside the limits (100 %" in " ".join(found.sentences())
