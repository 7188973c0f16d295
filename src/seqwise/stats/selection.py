"""The k-th smallest of all sums of two values, of which millions of millions are never made.

    differences(a, b)     all a - b             (Hodges and Lehmann's shift of two groups)
    averages(d)           all (d + d') / 2, each value with itself included (Walsh's averages of pairs)
    .smallest(k)          k from 1

A row of sums rises with its columns, so that a search in each row counts what is no larger than a number. Counts at
quantiles of a sample, then between them, narrow the bracket until what is left in it can be made; there the answer is
selected. Where one value fills the bracket, that is the answer. Halving alone, which was here before, took 45 counts
where these take four.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

NEAR = 1e-13  # of the range: two sums nearer than this are taken for one
SAMPLE = 512  # values of each side in the sample that the search begins with
STEPS = 120  # counts, before rounding is held to be all that is left

Values = Float[np.ndarray, "N"]
Places = Int[np.ndarray, "N"]
Made = Float[np.ndarray, "L"]

# N rows, M columns, L sums


@dataclass(frozen=True, eq=False)
class Sums:
    """`scale * (rows[n] + columns[m])` for each row n and each column m from first[n] on."""

    rows: Values
    columns: Float[np.ndarray, "M"]
    """From the smallest."""
    first: Places
    scale: float
    held: int
    """How many sums may be made at once."""

    @cached_property
    def total(self) -> int:
        """How many there are."""
        return int((len(self.columns) - self.first).sum())

    def smallest(self, k: int) -> float:
        """The k-th, k from 1."""
        if self.total <= self.held:
            return float(self._every[k - 1])
        begins, ends = self.first, np.full_like(self.first, len(self.columns))
        below, through = 0, self.total
        near, guesses = NEAR * self._span, self._guesses(k)
        for step in range(STEPS):
            if through - below <= self.held:
                return float(np.partition(self._made(begins, ends), k - below - 1)[k - below - 1])
            least, most = self._edges(begins, ends)
            if most - least <= near:
                break
            aim = (k - below + (-1) ** step * self.held / 4) / (through - below)
            at = guesses[step] if step < len(guesses) else least + (0.5 if step % 3 == 1 else aim) * (most - least)
            if not least <= at < most:
                at = min(least + (most - least) / 2, float(np.nextafter(most, least)))
            places = self._through(at)
            count = int((places - self.first).sum())
            if count < k:
                begins, below = places, count
            else:
                ends, through = places, count
        return self._edges(begins, ends)[1]

    @cached_property
    def _every(self) -> Made:
        return np.sort(self._made(self.first, np.full_like(self.first, len(self.columns))))

    @cached_property
    def _span(self) -> float:
        least, most = self._edges(self.first, np.full_like(self.first, len(self.columns)))
        return most - least

    @cached_property
    def _sample(self) -> Made:
        """Sums of evenly spaced rows and columns, in order."""
        rows = np.linspace(0, len(self.rows) - 1, min(SAMPLE, len(self.rows))).astype(np.int64)
        columns = np.linspace(0, len(self.columns) - 1, min(SAMPLE, len(self.columns))).astype(np.int64)
        there = columns[None, :] >= self.first[rows, None]
        every = self.scale * (self.rows[rows, None] + self.columns[None, columns])
        return np.sort(every[there])

    def _guesses(self, k: int) -> tuple[float, float]:
        """Sums that the k-th most likely lies between."""
        share, wide = k / self.total, 2 / min(SAMPLE, len(self.rows), len(self.columns))
        places = np.clip(np.array([share - wide, share + wide]), 0, 1) * (len(self._sample) - 1)
        low, high = self._sample[places.astype(np.int64)]
        return float(low), float(high)

    def _through(self, at: float) -> Places:
        """In each row, the place behind the last sum that is no larger."""
        found = np.searchsorted(self.columns, at / self.scale - self.rows, side="right")
        return np.asarray(np.maximum(self.first, found))

    def _edges(self, begins: Places, ends: Places) -> tuple[float, float]:
        """The smallest and the largest of what lies between."""
        some = begins < ends
        rows = self.rows[some]
        least = (rows + self.columns[begins[some]]).min()
        return self.scale * float(least), self.scale * float((rows + self.columns[ends[some] - 1]).max())

    def _made(self, begins: Places, ends: Places) -> Made:
        """All that lies between."""
        counts = ends - begins
        before = np.cumsum(counts) - counts
        columns = np.arange(int(counts.sum())) + np.repeat(begins - before, counts)
        return np.asarray(self.scale * (np.repeat(self.rows, counts) + self.columns[columns]))


def differences(a: Float[np.ndarray, "M"], b: Float[np.ndarray, "N"], held: int) -> Sums:
    """All a - b."""
    return Sums(-np.sort(b), np.sort(a), np.zeros(len(b), np.int64), 1.0, held)


def averages(d: Values, held: int) -> Sums:
    """Of all pairs of values, and of each value with itself."""
    ordered = np.sort(d)
    return Sums(ordered, ordered, np.arange(len(d)), 0.5, held)
