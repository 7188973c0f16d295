"""Oracle: scipy's studentized range, summed up by nested quadrature."""

import warnings

import pytest
from scipy import stats

from seqwise.stats.studentized import beyond, critical


@pytest.mark.parametrize("groups", [3, 9, 40])
@pytest.mark.parametrize("df", [1.0, 2.3, 12.0, 180.5, 9000.0])
def test_chances_are_scipys(groups, df):
    for q in (0.5, 3.5, 8.0):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = stats.studentized_range.sf(q, groups, df)
        assert beyond(q, groups, df) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("level", "groups", "df", "printed"),
    [
        (0.95, 3, 10, 3.877),
        (0.95, 2, 10, 3.151064),
        (0.99, 5, 20, 5.293),
        (0.95, 4, 1e6, 3.633),
        (0.95, 9, 180, 4.440535),
    ],
)
def test_critical_values_are_those_of_the_tables(level, groups, df, printed):
    """As R's qtukey and the tables of textbooks print them."""
    assert critical(level, groups, df) == pytest.approx(printed, rel=2e-4)
    assert beyond(critical(level, groups, df), groups, df) == pytest.approx(1 - level, rel=1e-9)


def test_what_lies_outside():
    assert beyond(0.0, 5, 10) == 1.0
    assert beyond(-1.0, 5, 10) == 1.0
    assert beyond(1e9, 5, 3.0) < 1e-9
    assert beyond(40.0, 5, float("inf")) == 0.0
