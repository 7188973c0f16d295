import numpy as np
import pytest

from seqwise.errors import DataError
from seqwise.metrics.labels import accuracy, macro_f1


def test_accuracy_has_wilsons_interval():
    """Oracle: the interval for 8 of 10 in Wilson 1927, as R's prop.test(8, 10, correct = FALSE) prints it."""
    found = accuracy(["a"] * 8 + ["b"] * 2, ["a"] * 10)
    assert found.value == 80.0
    assert found.interval == pytest.approx((49.01625, 94.33178), abs=1e-4)


def test_all_right_is_not_certain():
    found = accuracy(["a"] * 5, ["a"] * 5)
    assert found.value == 100.0
    assert found.interval[0] < 60
    assert found.interval[1] == 100.0


def test_macro_f1_is_the_mean_of_the_classes():
    """By hand: a has 2 hits, 1 miss, 1 false alarm: 2/3; b has 1 hit, 1 miss, 1 false alarm: 1/2."""
    true = ["a", "a", "a", "b", "b"]
    found = ["a", "a", "b", "a", "b"]
    assert macro_f1(found, true, resamples=50).value == pytest.approx(100 * (2 / 3 + 1 / 2) / 2)


def test_the_interval_of_macro_f1_narrows_with_more_texts():
    rng = np.random.default_rng(0)
    widths = []
    for n in (50, 800):
        true = rng.choice(["a", "b", "c"], n).tolist()
        found = [label if rng.random() < 0.8 else "a" for label in true]
        low, high = macro_f1(found, true).interval
        widths.append(high - low)
    assert widths[1] < widths[0] / 2


def test_a_class_that_was_never_found_counts_as_nothing():
    assert macro_f1(["a", "a"], ["a", "b"], resamples=10).value == pytest.approx(100 * (2 / 3 + 0) / 2)


def test_different_counts_are_refused():
    with pytest.raises(DataError, match="one for each"):
        accuracy(["a"], ["a", "b"])
    with pytest.raises(DataError, match="at least one"):
        macro_f1([], [])
