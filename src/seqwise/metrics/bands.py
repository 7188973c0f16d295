"""Bands that hold what they promise: how much wider foreseen ones must be, as later data show.

A model is as sure as its training part made it. On data that it was not trained on, each truth tells by how much its
band would have had to be wider, or narrower, to end just there:

    ratio = (y - median) / (end - median)      of the end on the side of y; for a normal forecast, |z| / k

The factor of a band is the quantile of these ratios that the band promises: split conformal prediction (Vovk et al.
2005; Romano et al. 2019), with a forecast's own width as the measure. Each band has a factor of its own, since real
errors are heavier in the tails than normal ones. The promise holds for data like those that it was fitted on; where
the world changes, `kept_up` fits again from the errors that have come since (in the spirit of Gibbs & Candes 2021).

    N  windows, in the order of time    H  steps of the horizon    C  targets    L  bands
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from seqwise.errors import DataError
from seqwise.metrics.numbers import BANDS

POOL = 500  # ratios that a factor is fitted on; where windows are fewer, steps of the horizon nearby lend theirs
MISSES = 2  # a band must miss so many truths of a pool, else its factor is that of the next narrower one


def ratios(
    truth: Float[np.ndarray, "N H C"],
    median: Float[np.ndarray, "N H C"],
    low: Float[np.ndarray, "N H C"],
    high: Float[np.ndarray, "N H C"],
) -> Float[np.ndarray, "N H C"]:
    """How many times as wide each band would have had to be; NaN where the truth is missing."""
    width = np.where(truth >= median, high - median, median - low)
    return np.asarray(np.abs(truth - median) / np.maximum(width, np.finfo(float).tiny))


def _pooled(found: Float[np.ndarray, "N H"], step: int) -> Float[np.ndarray, "M"]:
    """The ratios of a step of the horizon, and of as many steps around it as it takes; sorted."""
    count, horizon = int((~np.isnan(found[:, step])).sum()), found.shape[1]
    reach = min(horizon, math.ceil((POOL / max(1, count) - 1) / 2)) if count < POOL else 0
    near = found[:, max(0, step - reach) : step + reach + 1].ravel()
    return np.sort(near[~np.isnan(near)])


def _factors(found: Sequence[Float[np.ndarray, "N H"]], levels: Sequence[float], step: int) -> list[float]:
    """Of each band at one step of the horizon, narrowest first."""
    chosen: list[float] = []
    for each, level in zip(found, levels, strict=True):
        pool = _pooled(each, step)
        rank = math.ceil((len(pool) + 1) * level)  # conformal: one more than there are, the truth to come
        if rank <= len(pool) and (len(pool) * (1 - level) >= MISSES or not chosen):
            chosen.append(float(pool[rank - 1]))
        else:
            chosen.append(chosen[-1] if chosen else 1.0)
    return chosen


@dataclass(frozen=True, eq=False)
class Widening:
    """What each band is multiplied by, for each step of the horizon and each target."""

    factors: Float[np.ndarray, "L H C"]
    levels: tuple[float, ...] = BANDS
    n: int = 0
    """Windows that it was fitted on."""

    @classmethod
    def none(cls, horizon: int, targets: int, levels: Sequence[float] = BANDS) -> "Widening":
        """Bands as they are."""
        return cls(np.ones((len(levels), horizon, targets)), tuple(levels))

    @classmethod
    def fit(cls, found: Float[np.ndarray, "L N H C"], levels: Sequence[float] = BANDS) -> "Widening":
        """From the `ratios` of each band, narrowest first, on data that the model was not trained on."""
        _, count, horizon, targets = found.shape
        if not (~np.isnan(found)).any():
            raise DataError(
                given="a calibration of bands on no known values",
                allowed="a validation part whose truth is known",
                mend="a longer validation part, or bands as they are",
            )
        factors = np.empty((len(levels), horizon, targets))
        for step in range(horizon):
            for c in range(targets):
                factors[:, step, c] = _factors([each[..., c] for each in found], levels, step)
        return cls(factors, tuple(levels), count)

    @property
    def sd(self) -> Float[np.ndarray, "H C"]:
        """What a standard deviation is multiplied by: between what its bands of one and of two ask for."""
        return np.asarray(np.exp(np.log(np.maximum(self.factors[:2], 1e-12)).mean(0)))

    def band(
        self,
        which: int,
        median: Float[np.ndarray, "N H C"],
        low: Float[np.ndarray, "N H C"],
        high: Float[np.ndarray, "N H C"],
    ) -> tuple[Float[np.ndarray, "N H C"], Float[np.ndarray, "N H C"]]:
        """Band number `which` around the same median, so much wider; of a horizon as long, or shorter."""
        factor = self.factors[which, : median.shape[1]]
        return median + factor * (low - median), median + factor * (high - median)

    def held(self, found: Float[np.ndarray, "L N H C"]) -> Float[np.ndarray, "L N H C"]:
        """1 where a widened band held the truth, 0 where it did not, NaN where the truth is missing."""
        inside = found <= self.factors[:, None, : found.shape[2]]
        return np.where(np.isnan(found), np.nan, inside)

    def to_dict(self) -> dict[str, Any]:
        """For JSON; `from_dict` gives the same numbers back, to the last bit."""
        return {"levels": list(self.levels), "n": self.n, "factors": self.factors.tolist()}

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> "Widening":
        """What `to_dict` wrote."""
        return cls(np.array(stored["factors"], float), tuple(stored["levels"]), int(stored["n"]))


def kept_up(
    found: Float[np.ndarray, "L N H C"],
    origins: Int[np.ndarray, "N"],
    first: int,
    reach: int,
    every: int = 1,
    levels: Sequence[float] = BANDS,
) -> Float[np.ndarray, "L N2 H C"]:
    """1 where a band held the truth that was fitted again on the way, 0 where it did not: of windows from `first` on.

    At each origin only truths count that have come by then, and of them those of the last `reach` steps: old errors are
    of an old world. Of a long horizon the first steps of a window come long before its last, and count at once.

    found      of one series, windows in the order of their origins, validation before test
    origins    last step of each window's past
    every      windows that pass between two fits
    """
    horizon, results = found.shape[2], []
    for start, end in pairwise([*range(first, found.shape[1], every), found.shape[1]]):
        now = int(origins[start])
        near = slice(int(np.searchsorted(origins, now - reach - horizon)), start)
        known = of_late(found[:, near], origins[near], now, reach)
        none = np.isnan(known).all()
        fitted = Widening.none(horizon, found.shape[3], levels) if none else Widening.fit(known, levels)
        results.append(fitted.held(found[:, start:end]))
    return np.concatenate(results, 1)


def of_late(
    found: Float[np.ndarray, "L N H C"], origins: Int[np.ndarray, "N"], now: int | Int[np.ndarray, "N"], reach: int
) -> Float[np.ndarray, "L N H C"]:
    """The ratios whose truth came within `reach` steps up to the origin `now`; NaN in place of the others."""
    ago = (now - origins)[:, None] - 1 - np.arange(found.shape[2])  # (N, H): steps from the truth to now
    came = (ago >= 0) & (ago < reach)  # (N, H)
    return np.where(came[None, :, :, None], found, np.nan)
