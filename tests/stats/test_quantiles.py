"""Quantiles of a sketch against all values sorted: the rank is never off by more than the bound it tells."""

import numpy as np
import pytest

from seqwise.errors import DataError
from seqwise.stats import quantiles
from seqwise.stats.quantiles import Sketch

SHARES = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)


def off(x, sketch):
    """Ranks by which the quantiles of the sketch are off, at most: brute force over all values."""
    ordered, n = np.sort(x), len(x)
    worst = 0.0
    for share, value in zip(SHARES, sketch.quantiles(SHARES), strict=True):
        first, last = np.searchsorted(ordered, value, "left"), np.searchsorted(ordered, value, "right")
        assert last > first  # a true value of the data
        worst = max(worst, first - share * n, share * n - last)
    return worst


def filled(x, kept=0, block=10_000):
    sketch = Sketch(kept=kept)
    for start in range(0, len(x), block):
        sketch.update(x[start : start + block])
    return sketch


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(quantiles, "K", 256)


@pytest.mark.parametrize("order", ["random", "sorted", "reversed", "ties", "heavy"])
def test_a_rank_is_never_off_by_more_than_the_bound(order):
    chance = np.random.default_rng(3)
    x = chance.normal(size=100_003)
    x = {"random": x, "sorted": np.sort(x), "reversed": -np.sort(x), "ties": np.round(x), "heavy": x / chance.random(len(x))}[order]  # noqa: E501  # fmt: skip
    sketch = filled(x)
    assert not sketch.exact
    assert sketch.n == len(x)
    assert off(x, sketch) <= sketch.error
    assert sketch.bound < 0.02
    assert sum(map(len, filter(lambda one: one is not None, sketch.levels))) < 3000


def test_few_values_are_exact():
    """numpy is the oracle."""
    x = np.random.default_rng(0).normal(size=999)
    sketch = filled(x, kept=1000, block=7)
    assert sketch.exact
    assert sketch.bound == 0
    np.testing.assert_array_equal(sketch.quantiles(SHARES), np.quantile(x, SHARES))


@pytest.mark.parametrize("kept", [0, 20_000])
def test_parts_merge_within_the_bound(kept):
    x = np.random.default_rng(1).gamma(2, size=60_000)
    whole = Sketch(kept=kept)
    for part in np.array_split(x, 7):
        whole.merge(filled(part, kept, 999))
    assert whole.n == len(x)
    assert off(x, whole) <= whole.error


def test_counts_add_up_to_all():
    x = np.random.default_rng(2).normal(size=50_000)
    sketch = filled(x)
    edges = np.linspace(x.min(), x.max() + 1e-9, 21)
    counts = sketch.counts(edges)
    assert counts.sum() == pytest.approx(len(x), abs=sketch.error + 1)
    assert abs(counts - np.histogram(x, edges)[0]).max() <= 2 * sketch.error


def test_missing_values_do_not_count():
    sketch = filled(np.array([1.0, np.nan, 3.0]), kept=10)
    assert sketch.n == 2
    assert sketch.quantiles([0.5]) == [2.0]


def test_what_has_no_quantile_is_refused():
    with pytest.raises(DataError, match="no number"):
        Sketch().quantiles([0.5])
    with pytest.raises(DataError, match="from 0 to 1"):
        filled(np.ones(3)).quantiles([50])
