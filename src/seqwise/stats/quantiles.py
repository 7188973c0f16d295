"""Quantiles of more values than memory holds, with a bound on how wrong they can be.

Values are kept as they are while they are few. Beyond, they stand in sorted buffers of K, each value for 2^level of
them; two buffers of a level become one of the next, every other value of the two dropped (Munro and Paterson 1980;
Manku, Rajagopalan and Lindsay 1998). Dropping moves the rank of any value by at most 2^level, in turn up and down, and
the sum of that is kept: a quantile of the sketch is a true value of the data, whose rank is off by `bound` at most,
for certain and not on average. With K = 16,384 that is 0.05 % of a billion values, in two megabytes.

Left out: a bound on the value; where data are thin, a neighbouring rank may lie far off.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from seqwise.errors import DataError

# N values, Q quantiles, E edges, K values of a buffer

K = 1 << 14  # values of a buffer: a bound of 0.05 % at a billion
KEPT = 1 << 20  # values kept exactly, unless asked otherwise: 8 MB

Values = Float[np.ndarray, "N"]


@dataclass
class Sketch:
    """What is known of the order of values that passed by. Grows by `update`; two become one by `merge`."""

    kept: int = KEPT
    """So many values are kept exactly; 0 sketches from the first buffer on."""
    n: int = 0
    error: int = 0
    """Ranks by which a quantile may be off."""
    waiting: list[Values] = field(default_factory=list)
    """Not yet sorted: all values, while they are exact."""
    levels: list[Values | None] = field(default_factory=list)
    odd: list[bool] = field(default_factory=list)
    """Of each level, which of two neighbours is dropped next."""

    @property
    def exact(self) -> bool:
        """Whether every value is still there."""
        return not self.levels

    @property
    def bound(self) -> float:
        """Share of all values by which the rank of a quantile may be off."""
        return self.error / self.n if self.n else 0.0

    def update(self, block: Values) -> None:
        """Take in more values; those that are missing (NaN) do not count."""
        values = np.asarray(block, dtype=np.float64).ravel()
        values = values[~np.isnan(values)]
        self.n += len(values)
        self.waiting.append(values.copy() if values.base is not None else values)
        held = sum(map(len, self.waiting))
        if held > self.kept and held >= K:
            everything = np.concatenate(self.waiting)
            whole = len(everything) // K * K
            for start in range(0, whole, K):
                self._carry(np.sort(everything[start : start + K]), 0)
            self.waiting, self.kept = [everything[whole:].copy()], 0

    def merge(self, other: "Sketch") -> None:
        """Take in what another has seen."""
        for level, buffer in enumerate(other.levels):
            if buffer is not None:
                self._carry(buffer, level)
        self.error += other.error
        self.n += other.n - sum(map(len, other.waiting))
        self.kept = min(self.kept, other.kept)
        for values in other.waiting:
            self.update(values)

    def _carry(self, buffer: Values, level: int) -> None:
        """Put a sorted buffer into its level; where one lies there already, the two go up as one."""
        while True:
            while len(self.levels) <= level:
                self.levels.append(None)
                self.odd.append(False)
            there = self.levels[level]
            if there is None:
                self.levels[level] = buffer
                return
            self.levels[level] = None
            both = np.sort(np.concatenate([there, buffer]), kind="stable")  # of two runs: merges them
            buffer = both[int(self.odd[level]) :: 2].copy()
            self.odd[level] = not self.odd[level]
            self.error += 1 << level
            level += 1

    def weighted(self) -> tuple[Values, Values]:
        """The values that are left, in order, and how many each stands for."""
        values = [*self.waiting, *(buffer for buffer in self.levels if buffer is not None)]
        weights = [np.ones(len(one)) for one in self.waiting]
        weights += [np.full(len(b), float(1 << at)) for at, b in enumerate(self.levels) if b is not None]
        joined = np.concatenate(values) if values else np.empty(0)
        order = np.argsort(joined, kind="stable")
        return joined[order], (np.concatenate(weights) if weights else np.empty(0))[order]

    def quantiles(self, shares: Sequence[float]) -> Float[np.ndarray, "Q"]:
        """Values below which such shares lie: interpolated as numpy does while exact, else values of the data."""
        if not self.n:
            raise DataError("no number", "one or more", "another column")
        if any(not 0 <= share <= 1 for share in shares):
            raise DataError(f"quantiles {list(shares)}", "shares from 0 to 1", "0.5 for the median")
        if self.exact:
            return np.asarray(np.quantile(np.concatenate(self.waiting), list(shares)))  # (Q,)
        values, weights = self.weighted()
        ends = np.cumsum(weights)
        at = np.searchsorted(ends, np.asarray(shares) * ends[-1], side="left")
        return np.asarray(values[np.minimum(at, len(values) - 1)])

    def counts(self, edges: Float[np.ndarray, "E"]) -> Float[np.ndarray, "B"]:
        """How many values lie between each edge and the next, the last edge included; each off by the bound at most."""
        values, weights = self.weighted()
        return np.asarray(np.histogram(values, edges, weights=weights)[0], dtype=np.float64)
