"""The estimate against the true number, for numbers from none to hundreds of thousands."""

import numpy as np
import pytest

from seqwise.stats.distinct import ERROR, Distinct


def hashes(count, seed=0):
    """As good hashes are: random, and the same for the same value."""
    return np.random.default_rng(seed).integers(0, 2**64, size=count, dtype=np.uint64)


@pytest.mark.parametrize("count", [0, 1, 10, 1_000, 20_000, 100_000, 400_000])
def test_the_estimate_is_within_four_standard_errors(count):
    found = Distinct()
    found.update(hashes(count))
    found.update(hashes(count))  # again, which must not count
    assert found.count() == pytest.approx(count, rel=4 * ERROR, abs=0.6)


def test_parts_merge_into_the_same():
    parts = np.array_split(hashes(50_000), 7)
    whole, merged = Distinct(), Distinct()
    whole.update(hashes(50_000))
    for part in parts:
        one = Distinct()
        one.update(part)
        merged.merge(one)
    np.testing.assert_array_equal(merged.registers, whole.registers)


def test_the_longest_run_of_zeros_is_counted():
    found = Distinct()
    found.update(np.array([0, 1 << 63, 1], dtype=np.uint64))
    assert sorted(found.registers[found.registers > 0]) == [51, 51]
