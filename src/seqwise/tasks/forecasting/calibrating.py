"""Bands that cover what they say: how much wider those of a model must be, as later data show (`metrics.bands`).

A model that learnt its training part well is too sure of what comes after it. The validation part tells each band's
factor, step by step of the horizon and target by target; it is stored with the run. A world that changes makes old
factors wrong, so where a table reaches beyond validation, the truths of its last `SEASONS` seasons tell the factors
anew, each step of the horizon by those that have come, validation and what came after it alike: those of `predict`
and, origin by origin, those that `evaluate` calls "fitted again on the way".

    found       in the model's numbers: (B, H, C)
    inner       the same, so much wider that one and two standard deviations hold what they say, as nearly as can be
    bands       low and high of each band, by its own factor

    L  bands    N  windows    H  steps    C  targets
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from seqwise.data.timewindows import WindowBatch, Windows, ordered
from seqwise.metrics.bands import Widening, kept_up, of_late, ratios
from seqwise.metrics.numbers import BANDS
from seqwise.models.distributions import Distribution
from seqwise.models.forecaster import Forecaster
from seqwise.stats.phrases import counted, number, percent
from seqwise.tasks.forecasting.watching import foresee_blind

ROWS = 256  # windows read together
ROLLED = 300  # windows that are rolled out at most
SEED = 1
VALUES = 3_000_000  # foreseen values that are looked at; of more, every so manyth window
SEASONS = 30  # how far back the errors of late reach
LEAST = 50  # windows without which nothing is fitted anew

Bands = tuple[tuple[Float[Tensor, "B H C"], Float[Tensor, "B H C"]], ...]


def errors(model: Forecaster, windows: Windows) -> tuple[Float[np.ndarray, "L N H C"], Windows]:
    """How many times as wide each band would have had to be, and the windows that were looked at."""
    values = len(windows) * windows.horizon * len(windows.table.targets)
    step = max(1, -(-values // VALUES), -(-len(windows) // ROLLED) if model.rolls else 1)
    chosen = windows if step == 1 else windows.chosen(np.arange(len(windows))[::step])
    generator = torch.Generator().manual_seed(SEED)
    model.eval()
    parts = []
    with torch.inference_mode():
        for batch in ordered(chosen, ROWS):
            found = foresee_blind(model, batch.past, batch.future, batch.series, generator)
            parts.append(_ratios(batch, found))
    return np.concatenate(parts, axis=1), chosen


def _ratios(batch: WindowBatch, found: Distribution) -> Float[np.ndarray, "L B H C"]:
    truth = torch.where(batch.weights > 0, batch.targets, torch.nan).double().numpy()
    median = found.quantile(torch.tensor(0.5, dtype=torch.float64)).numpy()
    ends = [[end.numpy() for end in found.interval(level)] for level in BANDS]
    return np.stack([ratios(truth, median, low, high) for low, high in ends]).astype(np.float32)


def fitted(model: Forecaster, windows: Windows) -> tuple[Widening, tuple[float, ...]]:
    """Of the validation part: the factors, and what the bands held before."""
    found, _ = errors(model, windows)
    before = tuple(float(np.nanmean(np.where(np.isnan(each), np.nan, each <= 1))) for each in found)
    return Widening.fit(found), before


def lately(model: Forecaster, windows: Windows, season: int) -> Widening | None:
    """From the truths that came last in each series; None where too few windows have come whole.

    windows   all that came after the training part, up to those of whose truth but the first step is known
    """
    reach, horizon = SEASONS * season, windows.horizon
    now = np.zeros(len(windows), np.int64)  # the first step of which nothing is known, of each window's series
    for name in np.unique(windows.series):
        own = windows.series == name
        now[own] = windows.starts[own].max() + 1
    ago = now - windows.starts
    if (ago >= horizon).sum() < LEAST:
        return None
    found, chosen = errors(model, windows.chosen(np.flatnonzero(ago < reach + horizon)))
    ends = dict(zip(windows.series.tolist(), now.tolist(), strict=True))
    until = np.array([ends[name] for name in chosen.series.tolist()], np.int64)
    return Widening.fit(of_late(found, chosen.starts, until, reach))


def held_lately(model: Forecaster, windows: Windows, first: np.datetime64, season: int) -> tuple[float, ...] | None:
    """What bands hold that are fitted again on the way, from the errors of late: shares of all that came after `first`.

    windows   of one series, validation before test, in the order of time
    """
    found, chosen = errors(model, windows)
    begin = int(np.searchsorted(chosen.origins, first))
    if begin < LEAST or begin == len(chosen):
        return None
    step = max(1, int(np.median(np.diff(chosen.starts))))
    every = max(1, max(season, windows.horizon // 4) // step)
    reach = SEASONS * season
    held = kept_up(found, chosen.starts.astype(np.int64), begin, reach, every)
    return tuple(float(share) for share in np.nanmean(held, axis=(1, 2, 3)))


def applied(found: Distribution, widening: Widening | None) -> tuple[Distribution, Bands]:
    """The distribution and its bands as the factors have them; without, as the model has them."""
    bands = [found.interval(level) for level in BANDS]
    if widening is None:
        return found, tuple(bands)
    median = found.quantile(torch.tensor(0.5, dtype=found.mean.dtype))
    factors = torch.from_numpy(widening.factors).to(median.dtype)  # (L, H, C)
    wide = tuple(
        (median + factor * (low - median), median + factor * (high - median))
        for factor, (low, high) in zip(factors, bands, strict=True)
    )
    return found.widened(torch.from_numpy(widening.sd).to(median.dtype)), wide


def told(widening: Widening, before: Sequence[float]) -> str:
    """What was done, in a sentence."""
    one, two = (percent(share) for share in before[:2])
    mean = float(np.exp(np.log(np.maximum(widening.sd, 1e-12)).mean()))
    return (
        f"bands: on {counted(widening.n, 'validation window')} those of 68.3 and 95.4 % held {one} and {two}; "
        f"calibrated, on average to {number(mean, 3)} of their width"
    )


def stored(widening: Widening, before: Sequence[float]) -> dict[str, object]:
    """For calibration.json."""
    return {**widening.to_dict(), "before": list(before)}
