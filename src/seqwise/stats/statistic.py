"""Statistics that can be computed of many resamples at once, from which units were drawn in each.

    sums        mean, sd, correlation, difference of means: functions of sums over units, all draws in one product
    looked up   median and functions of the user's: the drawn items themselves, a row for each draw

A unit is what is drawn: an item, a pair or a cluster. Weights would do for medians as well; sorting the drawn rows was
as fast and reads plainly.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from seqwise.errors import ConfigError
from seqwise.stats.samples import Row

# N items, U units, R draws, Q sums

Drawn = Int[np.ndarray, "R U"]
Values = Float[np.ndarray, "R"]
Named = Literal["mean", "median", "sd", "correlation"]
Function = Callable[..., Values]
"""Of one or two arrays (R, N), a row for each draw, to (R,): such as `lambda x: np.quantile(x, 0.9, axis=-1)`."""


@dataclass(frozen=True, eq=False)
class Sums:
    """A function of sums over units; `of` the units drawn in each draw, and `without` each of all units (jackknife)."""

    parts: Float[np.ndarray, "U Q"]
    """What each unit adds."""
    finish: Callable[[Float[np.ndarray, "R Q"]], Values]

    def of(self, drawn: Drawn) -> Values:
        """Of the units drawn."""
        return self.finish(summed(self.parts, drawn))

    def without(self) -> Values:
        """All sums less one unit's."""
        return self.finish(self.parts.sum(0) - self.parts)


@dataclass(frozen=True, eq=False)
class Looked:
    """A function of the drawn items; `of` and `without` as of Sums, the latter None where it says nothing."""

    items: tuple[Row, ...]
    """One array, or the two of pairs."""
    members: tuple[Int[np.ndarray, "_"], ...] | None
    """Items of each cluster; None: each item is a unit."""
    function: Function
    smooth: bool = True
    """Whether leaving one out moves it a little, as the jackknife takes for granted."""

    def of(self, drawn: Drawn) -> Values:
        """Row by row where clusters differ in size."""
        if self.members is None:
            return np.asarray(self.function(*(x[drawn] for x in self.items)), dtype=np.float64).reshape(-1)
        found = np.empty(len(drawn))
        for place, chosen in enumerate(drawn):
            at = np.concatenate([self.members[unit] for unit in chosen])[None]  # (1, N)
            found[place] = float(np.asarray(self.function(*(x[at] for x in self.items))).reshape(-1)[0])
        return found

    def without(self) -> Values | None:
        """Each of them anew: as many computations as units."""
        if not self.smooth:
            return None
        units = len(self.items[0]) if self.members is None else len(self.members)
        every = np.arange(units)
        return np.concatenate([self.of(np.delete(every, left)[None]) for left in range(units)])


Statistic = Sums | Looked


def summed(parts: Float[np.ndarray, "U Q"], drawn: Drawn) -> Float[np.ndarray, "R Q"]:
    """Sums over the units of each draw: one matrix product of how often each was drawn."""
    rows, units = len(drawn), len(parts)
    places = drawn + np.arange(rows)[:, None] * units
    times = np.bincount(places.ravel(), minlength=rows * units).reshape(rows, units)
    return np.asarray(times.astype(np.float64) @ parts)


def of_one(x: Row, which: Named | Function, members: tuple[Int[np.ndarray, "_"], ...] | None) -> Statistic:
    """Of one sample."""
    if callable(which):
        return Looked((x,), members, which)
    if which == "median":
        return Looked((x,), members, lambda drawn: np.median(drawn, axis=-1), smooth=False)
    middle = float(x.mean())
    d = x - middle  # sums of squares lose digits where the mean is far from 0
    if which == "mean":
        return Sums(_by_unit(np.stack([d, np.ones_like(d)], axis=1), members), lambda s: s[:, 0] / s[:, 1] + middle)
    if which == "sd":
        return Sums(_by_unit(np.stack([d, d * d, np.ones_like(d)], axis=1), members), _sd)
    raise _unknown(which, "mean, median, sd or a function")


def of_pairs(x: Row, y: Row, which: Named | Function, members: tuple[Int[np.ndarray, "_"], ...] | None) -> Statistic:
    """Of pairs that stay together."""
    if callable(which):
        return Looked((x, y), members, which)
    if which == "correlation":
        a, b = (x - x.mean()) / x.std(), (y - y.mean()) / y.std()
        return Sums(_by_unit(np.stack([a, b, a * a, b * b, a * b, np.ones_like(a)], axis=1), members), _correlation)
    raise _unknown(which, "correlation, mean, median or a function")


def _by_unit(
    parts: Float[np.ndarray, "N Q"], members: tuple[Int[np.ndarray, "_"], ...] | None
) -> Float[np.ndarray, "U Q"]:
    return parts if members is None else np.stack([parts[at].sum(0) for at in members])


def _sd(sums: Float[np.ndarray, "R 3"]) -> Values:
    total, squares, n = sums.T
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.sqrt(np.maximum(0.0, squares - total * total / n) / (n - 1)))


def _correlation(sums: Float[np.ndarray, "R 6"]) -> Values:
    a, b, aa, bb, ab, n = sums.T
    one, other = aa - a * a / n, bb - b * b / n
    flat = np.minimum(one, other) <= 1e-12 * n  # drawn rows in which one of them does not vary have none
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.clip((ab - a * b / n) / np.sqrt(one * other), -1, 1)
    return np.where(flat, np.nan, found)


def _unknown(which: object, allowed: str) -> ConfigError:
    return ConfigError(f"statistic={which!r}", allowed, "mean")
