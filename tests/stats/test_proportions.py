"""Oracles: Newcombe's published tables (1998), the statistics reference, statsmodels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, chi2_contingency
from statsmodels.stats.contingency_tables import mcnemar as theirs

from seqwise.errors import DataError
from seqwise.stats import proportions as shares
from seqwise.stats.power import pairs_effect


def ends(interval):
    return interval.low, interval.high


@pytest.mark.parametrize(
    ("hits", "n", "wilson", "exact"),
    [
        (81, 263, (0.2553, 0.3662), (0.2527, 0.3676)),
        (15, 148, (0.0624, 0.1605), (0.0578, 0.1617)),
        (0, 20, (0.0, 0.1611), (0.0, 0.1684)),
        (1, 29, (0.0061, 0.1718), (0.0009, 0.1776)),
    ],
)
def test_intervals_of_a_share_equal_newcombes_table(hits, n, wilson, exact):
    """Statistics in Medicine 17 (1998) 857, table I: methods 3 and 5."""
    assert ends(shares.wilson(hits, n)) == pytest.approx(wilson, abs=5e-5)
    assert ends(shares.clopper_pearson(hits, n)) == pytest.approx(exact, abs=5e-5)


def test_intervals_of_a_share_equal_the_reference():
    assert ends(shares.wilson(138, 200)) == pytest.approx((0.6228282243374195, 0.750010551639219), rel=1e-12)
    assert ends(shares.jeffreys(138, 200)) == pytest.approx((0.623526498110671, 0.7510193971706665), rel=1e-10)
    assert ends(shares.clopper_pearson(138, 200)) == pytest.approx((0.6209229594796741, 0.7533419625582742), rel=1e-10)
    assert ends(shares.wilson(12, 20)) == pytest.approx((0.3865815007622531, 0.781193467627183), rel=1e-12)


def test_no_case_in_200_leaves_a_share_open():
    """The rule of three, exact."""
    assert shares.none_seen(200) == pytest.approx(0.0148670392312721, rel=1e-12)
    assert shares.none_seen(1) == pytest.approx(0.95)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ((56, 70), (48, 80), (0.0524, 0.3339)),
        ((9, 10), (3, 10), (0.1705, 0.8090)),
        ((5, 56), (0, 29), (-0.0381, 0.1926)),
        ((10, 10), (0, 20), (0.6791, 1.0)),
    ],
)
def test_differences_of_shares_equal_newcombes_table(first, second, expected):
    """Statistics in Medicine 17 (1998) 873, table II: method 10."""
    assert ends(shares.newcombe(first, second)) == pytest.approx(expected, abs=5e-5)


def test_pairs_equal_the_reference():
    """O6: 200 items, 18 gained and 6 lost."""
    assert shares.mcnemar(18, 6, exact=True) == pytest.approx(0.0226558446884155, rel=1e-11)
    assert shares.mcnemar(18, 6) == pytest.approx(0.0146332979202271, rel=1e-11)
    assert ends(shares.tango(18, 6, 200)) == pytest.approx((0.012972194914251018, 0.11227264940290127), rel=1e-9)


@given(st.integers(0, 40), st.integers(0, 40))
def test_mcnemar_is_the_binomial_test(gained, lost):
    exact = shares.mcnemar(gained, lost, exact=True)
    if gained + lost:
        assert exact == pytest.approx(theirs([[0, gained], [lost, 0]], exact=True).pvalue, rel=1e-9)
        assert exact == pytest.approx(binomtest(gained, gained + lost).pvalue, rel=1e-9)
    assert shares.mcnemar(gained, lost) <= exact <= 1


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 50))
def test_tangos_interval_holds_the_difference_and_turns_with_it(gained, lost, same):
    n = gained + lost + same
    if not n:
        return
    within, turned = shares.tango(gained, lost, n), shares.tango(lost, gained, n)
    assert -1 <= within.low <= (gained - lost) / n <= within.high <= 1
    assert ends(within) == pytest.approx((-turned.high, -turned.low), abs=1e-9)
    assert within.low < within.high


def test_tango_is_no_point_where_nothing_differs():
    assert ends(shares.tango(0, 0, 100)) == pytest.approx((-0.037, 0.037), abs=5e-4)


def made(both, only_first, only_second, neither):
    """Right or wrong of two systems."""
    first = np.repeat([True, True, False, False], [both, only_first, only_second, neither])
    return first, np.repeat([True, False, True, False], [both, only_first, only_second, neither])


def test_paired_shares_tell_the_reference_s_story():
    """Paired, the gain is found; the unpaired test cannot tell."""
    told = shares.paired_shares(*made(120, 18, 6, 56), ("tuned", "base"), name="right answers")
    assert told.test.effect.value == pytest.approx(6.0)
    assert told.sentences() == (
        "The share of right answers is 6.0 points higher for tuned than for base (95 % 1.3 to 11.2).",
    )
    apart = shares.independent_shares((138, 200), (126, 200), ("tuned", "base"), name="right answers")
    table = [[138, 62], [126, 74]]
    assert apart.test.p == pytest.approx(chi2_contingency(table, correction=False).pvalue, rel=1e-10)
    assert apart.sentences()[0].startswith("The data cannot tell tuned and base apart in the share of right answers")
    assert "four times in five" in apart.sentences()[0]


def test_what_could_be_found_comes_from_the_changes_not_from_the_effect():
    test = shares.paired_shares(*made(120, 12, 12, 56)).test
    assert test.detectable.value == pytest.approx(100 * pairs_effect(200, 0.12))


def test_no_cases_are_told_with_what_stays_possible():
    told = shares.independent_shares((0, 200), (3, 180), ("new", "old"), name="failures")
    assert told.test.name == "Fisher's exact test"
    assert "No failures among 200 of new: up to 1.49 % is still possible" in told.sentences()[1]


def test_equal_shares_of_nothing_give_no_nan():
    told = shares.independent_shares((0, 5), (0, 7))
    assert told.test.p == 1
    assert np.isfinite(ends(told.test.effect.interval)).all()
    assert told.test.detectable is None
    same = shares.paired_shares(*made(4, 0, 0, 3))
    assert same.test.p == 1
    assert "cannot tell" in same.sentences()[0]


@pytest.mark.parametrize(
    ("ask", "told"),
    [
        (lambda: shares.wilson(3, 0), "3 of 0 items"),
        (lambda: shares.wilson(5, 4), "5 of 4 items"),
        (lambda: shares.independent_shares((1, 0), (1, 2)), "1 of 0 items"),
        (lambda: shares.tango(3, 4, 5), "3 gained and 4 lost of 5 pairs"),
        (lambda: shares.paired_shares(np.array([True]), np.array([True, False])), "1 items of first and 2 of second"),
    ],
)
def test_counts_that_cannot_be_are_refused(ask, told):
    with pytest.raises(DataError, match=told):
        ask()
