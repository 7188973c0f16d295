"""What costs nothing: the last value, the value of a season ago, the last value and the mean step. With bands.

    naive             y(t)                                       best for prices, if these are a random walk
    seasonal naive    y(t + h - m k)                             m the season, k so that it is known at t
    drift             y(t) + h (y(t) - y(1)) / (t - 1)           Hyndman & Athanasopoulos 2021, section 5.2

Their bands are normal, as wide as their errors were on the training part, step by step of the horizon: a rival that
is given worse bands than it could have is no rival. All think in the same numbers as the model does.

    S  series    C  targets    H  steps of the horizon    T  times of a series    N  windows
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

NAMES = ("naive", "seasonal naive", "drift")
LEAST = (
    8  # errors from which a width is taken; of fewer, that of shorter steps, or of the first, grows as the root of h
)


@dataclass(frozen=True, eq=False)
class Widths:
    """Standard deviation of each rival's error, by series, target and step."""

    sd: Float[np.ndarray, "3 S C H"]
    scale: Float[np.ndarray, "S C"]
    """Mean absolute error of the seasonal naive forecast one step ahead, of the training part in the data's own unit:
    what MASE divides by (Hyndman & Koehler 2006)."""


def foreseen(
    values: Float[np.ndarray, "T C"], starts: Int[np.ndarray, "N"], horizon: int, season: int, place: int
) -> Float[np.ndarray, "N H C"]:
    """What one of them, by its place in `NAMES`, foresees in windows whose first foreseen step is `starts`."""
    filled = _filled(values)
    steps = np.arange(horizon)[None]
    last = filled[starts - 1][:, None]  # (N, 1, C)
    if place == 1:
        return np.asarray(filled[_back(starts[:, None], steps, season)])
    if place == 0:
        return np.broadcast_to(last, (len(starts), horizon, values.shape[1]))
    slope = (last - filled[0]) / np.maximum(starts - 1, 1)[:, None, None]
    return np.asarray(last + slope * (steps[..., None] + 1))


def _back(starts: Int[np.ndarray, "*#N"], steps: Int[np.ndarray, "*#N"], season: int) -> Int[np.ndarray, "*N"]:
    """Where the value of the same time of the last season stands; before a season has passed, the last value."""
    back = starts - season + steps % season
    return np.where(back < 0, starts - 1, back)


def widths(values: Float[np.ndarray, "T C"], horizon: int, season: int) -> Float[np.ndarray, "3 C H"]:
    """How far the rivals are off on the training part of one series."""
    length = len(values)
    starts = np.arange(max(min(2, length - 1), min(season + 1, length // 2)), length)
    filled = _filled(values)
    found = np.full((3, values.shape[1], horizon), np.nan)
    for h in range(horizon):
        here = starts[starts + h < length]
        if len(here) < (LEAST if h else 1):
            break
        last, slope = filled[here - 1], (filled[here - 1] - filled[0]) / np.maximum(here - 1, 1)[:, None]
        told = np.stack([last, filled[_back(here, np.array(h), season)], last + slope * (h + 1)])  # (3, n, C)
        errors = values[here + h][None] - told
        found[:, :, h] = np.sqrt(_mean(errors**2))
    return _grown(found)


def step_of_season(values: Float[np.ndarray, "T C"], season: int) -> Float[np.ndarray, "C"]:
    """Mean absolute change over a season, or from step to step where there is not one; of missing values nothing."""
    lag = season if len(values) > season else 1
    steps = np.abs(values[lag:] - values[:-lag])
    counted = np.maximum((~np.isnan(steps)).sum(0), 1)
    return np.asarray(np.nansum(steps, axis=0) / counted)


def _mean(squares: Float[np.ndarray, "3 n C"]) -> Float[np.ndarray, "3 C"]:
    counted = np.maximum((~np.isnan(squares)).sum(1), 1)
    return np.asarray(np.nansum(squares, axis=1) / counted)


def _grown(found: Float[np.ndarray, "3 C H"]) -> Float[np.ndarray, "3 C H"]:
    """Where the training part is too short to tell: as the last width that it tells, with the root of the steps."""
    told = ~np.isnan(found[0, 0])
    if told.all() or not told.any():
        return np.where(np.isnan(found), 1.0, found)
    last = int(np.flatnonzero(told)[-1])
    growth = np.sqrt((np.arange(found.shape[2]) + 1) / (last + 1))
    return np.where(np.isnan(found), found[:, :, last : last + 1] * growth, found)


def _filled(values: Float[np.ndarray, "T C"]) -> Float[np.ndarray, "T C"]:
    """What is missing is as it was last."""
    if not np.isnan(values).any():
        return values
    rows = np.where(np.isnan(values), -1, np.arange(len(values))[:, None])
    rows = np.maximum.accumulate(rows, axis=0)
    first = np.nan_to_num(np.take_along_axis(values, (~np.isnan(values)).argmax(0)[None], axis=0))
    return np.where(rows < 0, first, np.take_along_axis(values, np.maximum(rows, 0), axis=0))
