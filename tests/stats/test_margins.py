"""Oracles: the statistics reference (O12), statsmodels' ttost_paired."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.weightstats import ttost_paired

from seqwise.errors import ConfigError
from seqwise.stats import margins

LOSS = np.array([-1, 0.5, -2, 1.5, -0.5, 0, -1.5, 1, -0.5, -1, 0.5, 0])
NONE = np.zeros(12)


def test_no_worse_equals_the_reference():
    """A margin of 1 is met with p .0144, though a test of no difference (p .42) proves nothing."""
    test = margins.no_worse_mean(LOSS, NONE, 1.0)
    assert test.statistic == pytest.approx(2.51379174478918, rel=1e-11)
    assert test.p == pytest.approx(0.014395837431859, rel=1e-10)
    assert test.effect.interval.low == pytest.approx(-0.7858095462044706, rel=1e-10)
    assert test.rejected
    assert margins.no_worse_mean(LOSS, NONE, 2.0).p == pytest.approx(5.42067952139858e-05, rel=1e-9)


def test_equivalence_equals_the_reference_and_statsmodels():
    test = margins.equivalent(LOSS, NONE, 1.0)
    assert test.p == pytest.approx(ttost_paired(LOSS, NONE, -1, 1)[0], rel=1e-10)
    narrow = test.size.interval
    assert (narrow.low, narrow.high) == pytest.approx((-0.7858095462044706, 0.2858095462044704), rel=1e-10)
    assert narrow.level == pytest.approx(0.9)


def test_shares_no_worse_equal_the_reference():
    """n = 500, 10 gained and 14 lost, 3 points: z 2.0455, p .0204."""
    test = margins.no_worse_share(10, 14, 500, 0.03)
    assert test.statistic == pytest.approx(2.04546434793453, rel=1e-11)
    assert test.p == pytest.approx(0.0204045503077928, rel=1e-10)


@pytest.mark.parametrize("margin", [0.01, 0.02, 0.025, 0.03, 0.05])
def test_the_interval_says_the_same_as_the_test(margin):
    test = margins.no_worse_share(10, 14, 500, margin)
    assert test.rejected == (test.effect.interval.low > -100 * margin)
    mean = margins.no_worse_mean(LOSS, NONE, 40 * margin)
    assert mean.rejected == (mean.effect.interval.low > -40 * margin)


def test_the_verdict_says_what_is_ruled_out():
    test = margins.no_worse_mean(LOSS, NONE, 1.0, ("tuned", "base"), unit="points")
    assert margins.verdict(test, 1.0).endswith("(95 % interval -0.786 or more): a loss of 1 points is ruled out.")
    test = margins.no_worse_mean(LOSS, NONE, 0.5, unit="points")
    assert margins.verdict(test, 0.5).endswith("a loss of 0.5 points is not ruled out.")
    assert "either way, is ruled out" in margins.verdict(margins.equivalent(LOSS, NONE, 1.0), 1.0)


def test_a_margin_must_be_positive():
    for ask in (lambda: margins.no_worse_mean(LOSS, NONE, 0.0), lambda: margins.no_worse_share(1, 1, 10, 2.0)):
        with pytest.raises(ConfigError):
            ask()


def test_that_p_of_few_pairs_is_not_the_normals_is_told():
    few, many = margins.no_worse_share(3, 1, 50, 0.1), margins.no_worse_share(3, 1, 51, 0.1)
    assert few.p != pytest.approx(stats.norm.sf(few.statistic), abs=1e-3)
    assert many.p == pytest.approx(stats.norm.sf(many.statistic))
    assert "by all that so few pairs could have shown" in few.notes[0]
    assert not many.notes
