"""Numbers against numpy and scipy; sentences by cases, so that each is true of the numbers it speaks of."""

import math

import numpy as np
import pytest
from scipy import stats

from seqwise.stats.description import SHARES, Description, Texts, described
from seqwise.stats.moments import Moments
from seqwise.stats.quantiles import Sketch


def table(rows=None, texts=(), units=None, **columns):
    """A description of these columns."""
    names = tuple(columns)
    data = np.column_stack([np.asarray(column, dtype=np.float64) for column in columns.values()])
    sketches = []
    for column in data.T:
        sketches.append(Sketch())
        sketches[-1].update(column)
    found = described(Moments.of(data, names=names), sketches, names, units or [""] * len(names))
    return Description(rows or len(data), found, tuple(texts))


def test_numbers_are_those_of_numpy_and_scipy():
    x = np.random.default_rng(1).gamma(2, 3, size=57)
    (one,) = table(x=x).numbers
    assert one.mean.value == pytest.approx(x.mean(), rel=1e-14)
    low, high = stats.ttest_1samp(x, 0).confidence_interval()
    assert (one.mean.interval.low, one.mean.interval.high) == pytest.approx((low, high), rel=1e-12)
    assert one.sd == pytest.approx(x.std(ddof=1), rel=1e-14)
    assert (one.minimum, one.maximum) == (x.min(), x.max())
    assert one.skewness == pytest.approx(stats.skew(x, bias=False), rel=1e-12)
    assert one.kurtosis == pytest.approx(stats.kurtosis(x, bias=False), rel=1e-11)
    np.testing.assert_array_equal(one.quantiles, np.quantile(x, SHARES))
    assert one.bound == 0


def test_one_value_has_a_mean_and_no_spread():
    (one,) = table(x=[4.0]).numbers
    assert (one.mean.value, one.mean.interval, one.sd, one.skewness) == (4, None, None, None)
    assert table(x=[4.0]).sentences() == ("1 row, 1 column of numbers.", "No value is missing.")


def test_a_column_without_values_has_nothing():
    found = table(x=[math.nan, math.nan], y=[1, 2])
    one = found.numbers[0]
    assert (one.n, one.missing, one.mean, one.quantiles) == (0, 2, None, ())
    assert found.sentences()[1] == "Values are missing in 1 column: x 2 (all)."
    assert found.grids()[1].rows[0] == ("x", *(None,) * len(SHARES))


def test_what_is_missing_and_what_never_changes_is_told():
    found = table(a=[1, 1, 1, 1], b=[1, math.nan, 2, 3], units=["cm", ""])
    assert found.sentences() == (
        "4 rows, 2 columns of numbers.",
        "Values are missing in 1 column: b 1 (25.0 %).",
        "The same in every row that has a value: a 1 cm.",
    )


def test_a_mean_that_a_tail_draws_is_told_with_the_median():
    x = np.exp(np.random.default_rng(0).normal(size=400))
    (told,) = [sentence for sentence in table(x=x, units=["mg"]).sentences() if "tail" in sentence]
    assert told.startswith("x has a long right tail")
    assert f"the median is {np.median(x):.4g} mg" in told
    (left,) = [sentence for sentence in table(x=-x).sentences() if "tail" in sentence]
    assert left.startswith("x has a long left tail")
    assert "(skewness -" in left


def test_a_tail_that_does_not_draw_the_mean_is_not_said_to():
    x = np.concatenate([np.full(60, 0.0), np.full(45, -1.0), [9.0]])  # skewed to the right, mean below the median
    assert stats.skew(x) > 1
    assert x.mean() < np.median(x)
    (told,) = [sentence for sentence in table(x=x).sentences() if "tail" in sentence]
    assert "median" not in told


def test_few_values_have_no_tail():
    assert not any("tail" in sentence for sentence in table(x=[0, 0, 0, 9]).sentences())


def test_texts_are_counted():
    texts = [Texts("who", 3, 1, 2, True, (("a", 2), ("b", 1))), Texts("id", 4, 0, 123456, False, ())]
    found = table(x=[1, 2, 3, 4], texts=texts)
    assert found.sentences()[0] == "4 rows, 1 column of numbers and 2 others."
    assert found.grids()[-1].rows == (
        ("who", 3, 1, "2", "a (2), b (1)"),
        ("id", 4, 0, "about 123,456", ""),
    )
    assert Description(2, (), tuple(texts[:1])).sentences()[0] == "2 rows, 1 column, none of numbers."


def test_what_is_not_exact_is_told(monkeypatch):
    from seqwise.stats import quantiles

    monkeypatch.setattr(quantiles, "K", 64)
    x = np.random.default_rng(0).normal(size=5000)
    sketch = Sketch(kept=0)
    sketch.update(x)
    (one,) = described(Moments.of(x), [sketch], ["x"], [""])
    found = Description(5000, (one,), ())
    assert 0 < one.bound < 0.1
    assert any("off by" in sentence and "all else is exact" in sentence for sentence in found.sentences())
    assert "off by" in found.grids()[1].note
    assert "off by" not in table(x=x).grids()[1].note
