"""Moments of columns: one pass over data of any length, in float64, mergeable, the same bits for any number of threads.

    Moments.of(x)             of an array, a tensor, a table
    MomentStream().add(x)...  of data that come in blocks; .result() -> Moments
    a.merge(b), Moments.tree  of files, ranks, days

Rows are cut into leaves of a fixed length and leaves are merged in a fixed tree (`blocks.py`). So bits are equal

    whenever the same rows come in the same order to `Moments.of` or to a stream, in blocks of any length, from any
    number of threads, in any layout and type that holds the same values;
    for `Moments.tree` (and `merge`), whenever the parts and their order are the same.

Parts that are cut elsewhere, columns that stand in another table and another numpy agree to the digits that the data
can bear (NIST's sets: `tests/stats/test_moments.py`), not to the last bit.

Left out: weights, and quantiles, which no sum can tell.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float

from seqwise.errors import ConfigError, DataError
from seqwise.stats import blocks
from seqwise.stats.blocks import HIGH, LOW, M2, M3, M4, MEAN, MISSING, REST, N, named
from seqwise.stats.phrases import number
from seqwise.stats.results import plain
from seqwise.stats.rows import as_rows

# C columns, K numbers of a state, L leaves

RESOLVED = 8
"""Steps of the stored type that an sd must be wide. Rounding to steps of g adds g² / 12 to the variance: at 8 steps
0.13 %, at one step 8 %, and below it the sd is of the rounding and no longer of the data."""
FAN = 64  # states that wait before they become one; a power of two, so that the tree is that of pairs
WORTH = 2**20  # numbers from which threads pay
Coarse = Literal["refuse", "pass"]


@dataclass(frozen=True, eq=False)
class Moments:
    """Of each column: how many, where, how wide, how lopsided, how heavy in the tails.

    Methods that answer with an sd, or with what is divided by one, refuse columns stored in float32 or less whose sd
    is below 8 steps of that type at their mean: what they would tell is the rounding. "pass" tells it
    nevertheless; `coarse()` says which columns these are. NaN stands for what too few values cannot tell.
    """

    n: Float[np.ndarray, "C"]
    """Values that are there."""
    mean: Float[np.ndarray, "C"]
    """NaN where no value is there, as `minimum` and `maximum`."""
    rest: Float[np.ndarray, "C"]
    """What float64 leaves over of the mean: mean + rest has twice the digits, which merging needs."""
    m2: Float[np.ndarray, "C"]
    """Sum of (x - mean)²."""
    m3: Float[np.ndarray, "C"] | None
    """Sum of (x - mean)³; None where `order` was 2, as are m4 and the ends."""
    m4: Float[np.ndarray, "C"] | None
    minimum: Float[np.ndarray, "C"] | None
    maximum: Float[np.ndarray, "C"] | None
    missing: Float[np.ndarray, "C"]
    step: Float[np.ndarray, "C"]
    """Of the stored type, from 1 to the next larger number: 2^-23 for float32, 0 for float64 and whole numbers."""
    names: tuple[str, ...] = ()
    """Of the columns; empty where they have none."""

    @classmethod
    def of(cls, x: Any, order: int = 4, threads: int | None = None, names: Sequence[str] = ()) -> "Moments":
        """Of one column (N,) or several (N, C): numpy, torch, polars, Arrow. `order` 2 leaves out the ends, m3 and
        m4, and takes half the time; `threads` none: as many as this process may use."""
        return MomentStream(order, threads, names).add(x).result()

    @classmethod
    def tree(cls, parts: Sequence["Moments"]) -> "Moments":
        """Of parts, in their order: neighbours first, then pairs of neighbours."""
        if not parts:
            raise DataError("no parts", "moments of one part at least", "Moments.of")
        order = min(part.order for part in parts)
        _agree(parts)
        states = np.stack([part._state()[: blocks.STATE[order]] for part in parts])  # (L, K, C)
        step = np.maximum.reduce([part.step for part in parts])
        return cls._from(blocks.tree(states), step, next((part.names for part in parts if part.names), ()))

    def merge(self, other: "Moments") -> "Moments":
        """Of both together; neither is changed."""
        return Moments.tree((self, other))

    def update(self, x: Any) -> "Moments":
        """With more rows; this one stays as it is. For many small blocks a `MomentStream` is faster and loses less."""
        return self.merge(Moments.of(x, self.order, names=self.names))

    @property
    def order(self) -> int:
        """4, or 2 where m3 and m4 were left out."""
        return 2 if self.m3 is None else 4

    def variance(self, ddof: int = 1, coarse: Coarse = "refuse") -> Float[np.ndarray, "C"]:
        """m2 / (n - ddof); NaN where n is not above ddof."""
        self._refuse_coarse(coarse)
        enough = self.n > ddof
        found: Float[np.ndarray, "C"] = np.where(enough, self.m2 / np.where(enough, self.n - ddof, 1.0), np.nan)
        return found

    def sd(self, ddof: int = 1, coarse: Coarse = "refuse") -> Float[np.ndarray, "C"]:
        """The root of the variance."""
        found: Float[np.ndarray, "C"] = np.sqrt(self.variance(ddof, coarse))
        return found

    def skew(self, adjusted: bool = False, coarse: Coarse = "refuse") -> Float[np.ndarray, "C"]:
        """Above 0 where the right tail is the longer one. g1; adjusted for small n: G1, as in R's type 2 and Excel."""
        self._refuse_coarse(coarse)
        n, m2 = self._spread(3 if adjusted else 1)
        g1: Float[np.ndarray, "C"] = np.sqrt(n) * self._need(self.m3) / m2**1.5
        if adjusted:
            g1 *= np.sqrt(n * (n - 1)) / (n - 2)
        return g1

    def kurtosis(self, adjusted: bool = False, coarse: Coarse = "refuse") -> Float[np.ndarray, "C"]:
        """Above 0 where tails are heavier than the normal's (excess). g2; adjusted for small n: G2."""
        self._refuse_coarse(coarse)
        n, m2 = self._spread(4 if adjusted else 1)
        g2: Float[np.ndarray, "C"] = n * self._need(self.m4) / m2**2 - 3
        if adjusted:
            g2 = (n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * g2 + 6)
        return g2

    def grain(self) -> Float[np.ndarray, "C"]:
        """Step of the stored type at the column's mean; 0 for float64 and whole numbers."""
        there = (self.n > 0) & (self.mean != 0)
        size: Float[np.ndarray, "C"] = 2.0 ** np.floor(np.log2(np.abs(np.where(there, self.mean, 1.0))))
        return np.where(there, self.step * size, 0.0)

    def coarse(self) -> Bool[np.ndarray, "C"]:
        """Columns stored so coarsely that their sd cannot be told: below 8 steps."""
        told: Bool[np.ndarray, "C"] = np.sqrt(self.m2 / np.maximum(self.n, 1)) < RESOLVED * self.grain()
        return told & (self.n > 1)

    def column(self, place: int) -> str:
        """A column for a sentence: its name, or its place from 1."""
        return named(self.names, place)

    def chosen(self, places: Sequence[int]) -> "Moments":
        """Of some of the columns, in this order."""
        kept: dict[str, Any] = {
            name: None if sums is None else sums[list(places)] for name, sums in self._sums().items()
        }
        return replace(self, **kept, names=tuple(self.names[place] for place in places) if self.names else ())

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON; nothing is lost."""
        found: dict[str, Any] = plain(self)
        return found

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> "Moments":
        """What `to_dict` gave."""
        kept: dict[str, Any] = {"names": tuple(stored["names"])}
        for name in stored.keys() - kept.keys():
            kept[name] = None if stored[name] is None else np.array([float(value) for value in stored[name]])
        return cls(**kept)

    def _sums(self) -> dict[str, Any]:
        """All fields but the names."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name != "names"}

    def _spread(self, least: int) -> tuple[Float[np.ndarray, "C"], Float[np.ndarray, "C"]]:
        """n and m2; NaN where values are too few or all equal."""
        told = (self.m2 > 0) & (self.n >= least)
        return np.where(told, self.n, np.nan), np.where(told, self.m2, np.nan)

    @staticmethod
    def _need(sums: Float[np.ndarray, "C"] | None) -> Float[np.ndarray, "C"]:
        if sums is None:
            raise ConfigError("order=2", "order 4 for skew and kurtosis", "Moments.of(x, order=4)")
        return sums

    def _refuse_coarse(self, coarse: Coarse) -> None:
        if coarse == "pass" or not (bad := self.coarse()).any():
            return
        place = int(bad.argmax())
        seen = float(np.sqrt(self.m2[place] / self.n[place]))
        given = (
            f"{self.column(place)} is stored in steps of {number(float(self.grain()[place]))} at its mean, "
            f"and its sd seems {number(seen)}"
        )
        mend = 'the data in float64, an offset taken off before they were stored, or coarse="pass"'
        raise DataError(given, f"an sd of {RESOLVED} steps at least, as below it is that of the rounding", mend)

    def _state(self) -> Float[np.ndarray, "K C"]:
        """As `blocks` has it, where what is not there counts as 0, and its ends as beyond all."""
        none = self.n == 0
        sums = [self.n, np.where(none, 0.0, self.mean), self.rest, self.m2, self.missing]
        if self.minimum is not None and self.maximum is not None and self.m3 is not None and self.m4 is not None:
            ends = np.where(none, np.inf, self.minimum), np.where(none, -np.inf, self.maximum)
            sums += [*ends, self.m3, self.m4]
        return np.stack(sums)

    @classmethod
    def _from(cls, state: Float[np.ndarray, "K C"], step: Float[np.ndarray, "C"], names: tuple[str, ...]) -> "Moments":
        none = state[N] == 0
        mean = np.where(none, np.nan, state[MEAN])
        low, high, m3, m4 = None, None, None, None
        if len(state) > LOW:
            low, high = (np.where(none, np.nan, state[row]) for row in (LOW, HIGH))
            m3, m4 = state[M3], state[M4]
        found = cls(state[N], mean, state[REST], state[M2], m3, m4, low, high, state[MISSING], step, names)
        found._refuse_extreme()
        return found

    def _refuse_extreme(self) -> None:
        """Numbers whose powers float64 cannot hold."""
        sd = np.sqrt(self.m2 / np.maximum(self.n, 1))
        low, high = (1e-140, 1e140) if self.m3 is None else (1e-70, 1e70)
        bad = ~(sd < high) | ((sd > 0) & (sd < low))  # also where it is no number
        if self.minimum is not None and self.maximum is not None:
            bad |= (sd == 0) & (self.minimum < self.maximum)
        if not bad.any():
            return
        place = int(bad.argmax())
        given = f"{self.column(place)}, whose sd is about {sd[place]:.3g}"
        if not np.isfinite(sd[place]) and self.maximum is not None:
            given = f"{self.column(place)}, whose values reach {self.maximum[place]:.3g} and whose sd is beyond reach"
        powers = "squares" if self.m3 is None else "fourth powers"
        raise DataError(given, f"one between {low:g} and {high:g}, as {powers} are added", "another unit")


def _agree(parts: Sequence[Moments]) -> None:
    """The same columns in all."""
    counts = {len(part.n) for part in parts}
    names = {part.names for part in parts if part.names}
    if len(counts) > 1 or len(names) > 1:
        one, other = [*sorted(map(str, names)), *map(str, sorted(counts))][:2]
        raise DataError(
            f"columns {one} in one part and {other} in another", "the same columns in all", "the same order"
        )


class MomentStream:
    """Takes rows in blocks of any length and holds a leaf of them. Changed by `add`; `result` may be asked any time."""

    def __init__(self, order: int = 4, threads: int | None = None, names: Sequence[str] = ()) -> None:
        if order not in (2, 4):
            raise ConfigError(f"order={order}", "2 or 4", "order=4")
        self._order, self._names = order, tuple(names)
        self._seen: tuple[str, ...] = ()  # of the first block, where it was a table
        self._threads = blocks.cores(threads)
        self._rows = self._held = 0
        self._step = np.zeros(0)
        self._kept = np.zeros((0, 0))  # rows of the leaf that is not full: (R, C)
        self._levels: list[Float[np.ndarray, "L K C"]] = []

    def add(self, x: Any) -> "MomentStream":
        """One column (N,) or several (N, C); this stream, so that calls can be chained."""
        given = as_rows(x)
        values = given.values
        self._know(values.shape[1], given.names)
        if given.names and given.names != self._seen:
            told = f"a block with columns {', '.join(given.names)}"
            raise DataError(told, f"{', '.join(self._seen) or 'none with names'}, as before", "the same columns in all")
        self._step = np.maximum(self._step, given.step)
        leaf = len(self._kept)
        if self._held:
            taken = min(leaf - self._held, len(values))
            self._kept[self._held : self._held + taken] = values[:taken]
            self._held, values = self._held + taken, values[taken:]
            if self._held == leaf:
                self._take(self._kept)
                self._held = 0
        full = len(values) // leaf * leaf
        if full:
            self._take(values[:full])
        if rest := len(values) - full:
            self._kept[:rest] = values[full:]
            self._held = rest
        return self

    def result(self) -> Moments:
        """Of all rows so far."""
        if not self._rows + self._held:
            raise DataError("no rows", "one row at least", "a file or a part with rows")
        last = self._leaves(self._kept[: self._held])  # one, or none where the leaf is empty
        for level in self._levels:
            waiting = np.concatenate([level, last])
            last = blocks.tree(waiting)[None] if len(waiting) else waiting
        return Moments._from(last[0], self._step, self._names)

    def _know(self, columns: int, names: tuple[str, ...]) -> None:
        """The first block decides which columns there are."""
        if not self._kept.size:
            self._names, self._seen = self._names or names, names
            self._kept = np.empty((blocks.leaf_rows(columns, self._order), columns))
            self._step = np.zeros(columns)
        known = self._kept.shape[1]
        if columns != known:
            raise DataError(f"a block of {columns} columns", f"{known} as before", "the same columns in all blocks")
        if self._names and len(self._names) != known:
            raise ConfigError(f"{len(self._names)} names", f"{known}, as there are columns", "a name for each column")

    def _take(self, rows: np.ndarray) -> None:
        """Whole leaves."""
        states = self._leaves(rows)
        self._rows += len(rows)
        self._push(states, 0)

    def _leaves(self, rows: np.ndarray) -> Float[np.ndarray, "L K C"]:
        """A state of each leaf, by several threads where there is enough to do."""
        leaf, columns = self._kept.shape
        count = -(-len(rows) // leaf)
        threads = min(self._threads, count) if rows.size >= WORTH else 1
        sums = np.empty((count, blocks.STATE[self._order] + 1, columns))

        def run(part: range) -> None:
            work = blocks.Work.of(columns, self._order)
            with blocks.quiet():
                for place in part:
                    at = place * leaf
                    blocks.summarize(rows[at : at + leaf], work, sums[place], self._rows + at, self._names)

        if threads == 1:
            run(range(count))
        else:
            cuts = [count * part // threads for part in range(threads + 1)]
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(run, map(range, cuts[:-1], cuts[1:])))
        return blocks.central(sums)

    def _push(self, states: Float[np.ndarray, "L K C"], level: int) -> None:
        """Let them wait until `FAN` are there, which then wait as one on the next level."""
        if level == len(self._levels):
            self._levels.append(states[:0])
        waiting = np.concatenate([self._levels[level], states])
        full = len(waiting) // FAN * FAN
        self._levels[level] = waiting[full:].copy()
        if full:
            self._push(blocks.tree(waiting[:full].reshape(-1, FAN, *waiting.shape[1:])), level + 1)
