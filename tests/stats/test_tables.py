"""Oracles: R's documented examples of chisq.test and fisher.test, scipy's noncentral chi-square, hand computation."""

import numpy as np
import pytest
from scipy import stats

from seqwise.errors import ConfigError, DataError
from seqwise.stats import tables

PARTIES = np.array([[762, 327, 468], [484, 239, 477]])  # Agresti 2007, p. 39; R: ?chisq.test
GENDERS, PARTY = ("F", "M"), ("Democrat", "Independent", "Republican")
JOBS = np.array([[1, 2, 1, 0], [3, 3, 6, 1], [10, 10, 14, 9], [6, 7, 12, 11]])  # Agresti 2002, p. 57; R: ?fisher.test


def test_independence_equals_r():
    """X-squared = 30.07, df = 2, p-value = 2.954e-07; standardized residuals of the page."""
    told = tables.independence(PARTIES, GENDERS, PARTY, ("gender", "party"))
    assert told.test.statistic == pytest.approx(30.07, abs=5e-3)
    assert told.test.p == pytest.approx(2.954e-07, abs=5e-11)
    assert told.residuals[0] == pytest.approx((4.5020535, 0.6994517, -5.3159455), abs=5e-7)
    assert told.outstanding[0][1] == 2


def test_the_sentences_name_strength_and_cells():
    told = tables.independence(PARTIES, GENDERS, PARTY, ("gender", "party")).sentences()
    assert told[0].startswith("gender and party go together: Cramér's V 0.10 (95 % ")
    assert "gender F with party Republican, 468 where 534 were expected (fewer)" in told[1]


def test_cramers_v_is_freed_of_its_bias():
    """Bergsma's formulas by hand."""
    chi2, n = 30.0701490957547, 2757
    phi = chi2 / n - 2 / (n - 1)
    expected = np.sqrt(phi / (2 - 1 / (n - 1) - 1))
    v = tables.cramer(chi2, n, (2, 3))
    assert v.value == pytest.approx(expected, rel=1e-12)
    low = v.interval.low**2 * n * (1 - 1 / (n - 1))
    assert stats.ncx2.sf(chi2, 2, low) == pytest.approx(0.025, rel=1e-6)
    assert tables.cramer(0.5, n, (2, 3)).value == 0


def test_small_tables_of_two_by_two_get_fishers_test():
    """The lady tasting tea: p-value = 0.4857."""
    told = tables.independence(np.array([[3, 1], [1, 3]]), ("Milk", "Tea"), ("Milk", "Tea"), ("guess", "truth"))
    assert told.test.name == "Fisher's exact test"
    assert told.test.p == pytest.approx(0.4857, abs=5e-5)
    assert told.test.assumptions[0].holds is False
    assert told.sentences()[0].startswith("The data cannot tell whether guess and truth go together")


def test_larger_tables_with_small_counts_are_drawn():
    """Job satisfaction: Fisher's exact p is 0.7827; chi-square of drawn tables comes near it, and is seeded."""
    told = tables.independence(JOBS, tuple("abcd"), tuple("wxyz"))
    assert told.test.p == pytest.approx(0.7827, abs=0.03)
    assert "drawn tables" in told.test.name
    assert tables.independence(JOBS, tuple("abcd"), tuple("wxyz")).test.p == told.test.p


def test_fit_equals_r():
    """chisq.test(c(89,37,30,28,2), p = c(40,20,20,15,5) / 100): X-squared = 9.9901, df = 4, p-value = 0.04059."""
    told = tables.fit(np.array([89, 37, 30, 28, 2]), tuple("ABCDE"), np.array([40, 20, 20, 15, 5]) / 100, "class")
    assert told.test.statistic == pytest.approx(9.9901, abs=5e-5)
    assert told.test.p == pytest.approx(0.04059, abs=5e-6)
    assert told.sentences()[0].startswith("class does not follow the shares, though hardly more than chance")


def test_fit_without_shares_takes_all_as_frequent():
    told = tables.fit(np.array([10, 10, 10]), tuple("abc"), name="side")
    assert told.test.p == 1
    assert told.test.statistic == 0
    assert told.sentences()[0].startswith("side may well follow the shares: Cohen's w 0")


def test_columns_of_labels_are_counted():
    rows, columns = ["a", "a", "b", "b", "b"] * 8, ["x", "y", "x", "x", "x"] * 8
    told = tables.crossed(rows, columns, ("row", "column"))
    assert told.counts == ((8, 8), (24, 0))
    assert told.sentences()[1] == "There are row a with column y, 8 where 3.2 were expected (more)."
    assert told.grids()[0].rows[0] == ("a", 8, 8)
    assert told.to_dict()["test"]["rejected"] is True


def test_a_perfect_table_has_v_1():
    v = tables.independence(np.diag([50, 50]), ("a", "b"), ("x", "y")).test.effect
    assert v.value == pytest.approx(1, abs=0.02)
    assert v.interval.high == 1


@pytest.mark.parametrize(
    ("counts", "told"),
    [
        (np.array([[1, 2]]), "counts of shape"),
        (np.array([[1, -2], [3, 4]]), "counts of shape"),
        (np.array([[0, 2], [0, 4]]), "no items in x"),
    ],
)
def test_tables_that_tell_nothing_are_refused(counts, told):
    with pytest.raises(DataError, match=told):
        tables.independence(counts, ("a", "b")[: len(counts)], ("x", "y"))


def test_shares_must_add_up():
    with pytest.raises(ConfigError):
        tables.fit(np.array([1, 2]), ("a", "b"), np.array([0.5, 0.6]))
    with pytest.raises(DataError):
        tables.fit(np.array([0, 0]), ("a", "b"))
