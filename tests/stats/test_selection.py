"""The k-th of all differences and averages, against sorting them all; and that few counts find it."""

import numpy as np
import pytest

from seqwise.stats import selection
from seqwise.stats.selection import averages, differences

SHAPES = {
    "normal": lambda chance, n: chance.normal(size=n),
    "rounded": lambda chance, n: np.round(chance.normal(size=n), 1),
    "skewed": lambda chance, n: chance.lognormal(0, 3, n),
    "few values": lambda chance, n: chance.integers(0, 3, n).astype(float),
    "far from 0": lambda chance, n: 1e9 + chance.normal(size=n),
    "wild": lambda chance, n: chance.standard_cauchy(n),
    "one apart": lambda _, n: np.r_[1.0, np.zeros(n - 1)],
}


@pytest.mark.parametrize("held", [3, 25, 10**6])
@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_selected_is_what_sorting_finds(shape, held):
    chance = np.random.default_rng(5)
    for _ in range(20):
        a, b = (SHAPES[shape](chance, int(chance.integers(1, 50))) for _ in "ab")
        one, other = np.triu_indices(len(a))
        for sums, every in (
            (differences(a, b, held), np.sort((a[:, None] - b).ravel())),
            (averages(a, held), np.sort((a[one] + a[other]) / 2)),
        ):
            assert sums.total == len(every)
            for k in {1, max(1, len(every) // 7), (len(every) + 1) // 2, len(every)}:
                near = 2 * selection.NEAR * float(np.ptp(every))
                assert sums.smallest(k) == pytest.approx(every[k - 1], rel=1e-15, abs=near)


@pytest.mark.parametrize("shape", SHAPES)
def test_few_counts_find_it_among_many(shape, monkeypatch):
    """Halving takes 45 of them; a million of rows has 2.5e11 differences, so that each counts."""
    counts = []
    through = selection.Sums._through
    monkeypatch.setattr(selection.Sums, "_through", lambda sums, at: counts.append(at) or through(sums, at))
    a, b = (SHAPES[shape](np.random.default_rng(seed), 20_000) for seed in (1, 2))
    sums = differences(a, b, 1_000_000)
    found = sums.smallest(sums.total // 2)
    assert len(counts) <= 12
    below = sum(int(np.searchsorted(np.sort(a), b + side * selection.NEAR * np.ptp(a) + found).sum()) for side in (-1,))
    assert below < sums.total // 2
