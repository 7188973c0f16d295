"""How good the forecasts of a run would have been: from each origin of a test part, beside those that cost nothing.

    origin    the last time that is seen; from each, all steps of the horizon are foreseen, and compared with what came

The rivals (`rivals.py`) see the same origins and have bands from the training part. Sums are kept by origin, for the
test of a difference, and by step of the horizon; forecasts are kept of the steps that are asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Shaped
from numpy.typing import ArrayLike

from seqwise.data.series import SeriesTable, Span, moment, shown_time
from seqwise.data.timewindows import Windows
from seqwise.errors import DataError
from seqwise.metrics.numbers import BANDS, absolute, squared
from seqwise.models.distributions import Normal
from seqwise.tasks.forecasting import rivals
from seqwise.tasks.forecasting.foreseeing import windows_foreseen
from seqwise.tasks.forecasting.predictive import Foreseen
from seqwise.tasks.forecasting.stored import Stored

MEASURES = ("MAE", "RMSE", "MASE", "CRPS", "log score")
"""MAE of the median, RMSE of the mean; RMSE is kept squared until it is told."""
BINS = 20  # of the PIT histogram

# N origins of all series; H steps, C targets, K of them kept, M measures, B origins at a time; T times of all series


@dataclass(eq=False)
class Tally:
    """Sums of one forecaster."""

    origins: Float[np.ndarray, "M N"]
    """Of each origin: the mean of each measure over steps and targets."""
    steps: Float[np.ndarray, "M H"]
    """Sums over origins and targets."""
    inside: Float[np.ndarray, "3 H"]
    """How many lay in each band."""
    counts: Float[np.ndarray, "H"]
    held: Float[np.ndarray, "3 N"]
    """Of each origin: the share that each band held; NaN where nothing came."""
    scaled: Float[np.ndarray, "H"]
    """What MASE counts: without series that never changed where they were learnt, which have no scale."""
    pit: Float[np.ndarray, "Bins"] = field(default_factory=lambda: np.zeros(BINS))
    standardized: float = 0.0
    """Sum of squared errors in standardized units."""
    first: list[Float[np.ndarray, "B C"]] = field(default_factory=list)
    """Normal scores of the first step, origin by origin; NaN where nothing came."""
    kept: tuple[int, ...] = ()
    """Steps whose medians are kept, from 0."""
    medians: list[Float[np.ndarray, "B K C"]] = field(default_factory=list)

    @classmethod
    def empty(cls, origins: int, horizon: int, kept: tuple[int, ...] = ()) -> "Tally":
        """Nothing yet."""
        m = len(MEASURES)
        by_origin, by_step = np.zeros((m, origins)), np.zeros((m, horizon))
        inside, held = np.zeros((3, horizon)), np.full((3, origins), np.nan)
        return cls(by_origin, by_step, inside, np.zeros(horizon), held, np.zeros(horizon), kept=kept)

    def add(
        self,
        items: Int[np.ndarray, "B"],
        found: Foreseen,
        y: Float[np.ndarray, "B H C"],
        scale: Float[np.ndarray, "B C"],
        sd: Float[np.ndarray, "B C"],
    ) -> None:
        """What was foreseen from these origins. scale: what MASE divides by; sd: of standardization."""
        truth = torch.from_numpy(np.nan_to_num(y, nan=1.0))
        there: Bool[np.ndarray, "B H C"] = ~np.isnan(y)
        median = found.quantile(0.5).numpy()
        off, squares = absolute(y, median), squared(y, found.mean.numpy())
        pit = found.cdf(truth).numpy()
        costs = np.stack(
            [off, squares, off / scale[:, None], found.crps(truth).numpy(), found.nll(truth).numpy()]
        )  # (M, B, H, C)
        costs = np.where(there & ~np.isnan(costs), costs, 0.0)
        count = there.sum((1, 2))
        self.origins[:, items] = costs.sum((2, 3)) / np.maximum(count, 1)
        self.steps += costs.sum((1, 3))
        self.counts += there.sum((0, 2))
        self.scaled += (there & ~np.isnan(scale)[:, None]).sum((0, 2))
        for i, level in enumerate(BANDS):
            low, high = (end.numpy() for end in found.interval(level))
            inside = (y >= low) & (y <= high) & there
            self.inside[i] += inside.sum((0, 2))
            self.held[i, items] = np.where(count > 0, inside.sum((1, 2)) / np.maximum(count, 1), np.nan)
        self.pit += np.histogram(pit[there], BINS, (0.0, 1.0))[0]
        self.standardized += float(np.where(there, squares / sd[:, None] ** 2, 0.0).sum())
        if self.kept:
            self.medians.append(median[:, list(self.kept)])
        self.first.append(np.where(there[:, 0], found.scores(truth).numpy()[:, 0], np.nan))

    def totals(self) -> Float[np.ndarray, "M"]:
        """Means over all."""
        return _means(self.steps.sum(1, keepdims=True), self.counts.sum(), self.scaled.sum())[:, 0]

    def by_step(self) -> Float[np.ndarray, "M H"]:
        """Means of each step."""
        return _means(self.steps, self.counts, self.scaled)

    def coverage(self) -> Float[np.ndarray, "3"]:
        """Of the three bands."""
        return np.asarray(self.inside.sum(1) / max(1.0, float(self.counts.sum())))


def _means(sums: Float[np.ndarray, "M H"], counts: ArrayLike, scaled: ArrayLike) -> Float[np.ndarray, "M H"]:
    """Sums over what was counted; the root of squared errors; NaN for MASE where no series has a scale."""
    found = sums / np.maximum(counts, 1)
    rmse, mase = MEASURES.index("RMSE"), MEASURES.index("MASE")
    found[rmse] = np.sqrt(found[rmse])
    found[mase] = np.where(np.asarray(scaled) > 0, sums[mase] / np.maximum(scaled, 1), np.nan)
    return np.asarray(found)


@dataclass(frozen=True, eq=False)
class Backtest:
    """The tallies of the model and its rivals, on the same origins."""

    tallies: dict[str, Tally]
    """By name; the model is "model"."""
    times: Shaped[np.ndarray, "N"]
    """The origins."""
    series: Int[np.ndarray, "N"]
    horizon: int
    stride: int
    windows: Windows

    def by_time(self, name: str, measure: int) -> Float[np.ndarray, "T"]:
        """The measure at each distinct origin, in the order of time: the mean over series."""
        return self._by_time(self.tallies[name].origins[measure])

    def held(self, band: int) -> Float[np.ndarray, "T"]:
        """The share that a band of the model held, likewise."""
        return self._by_time(self.tallies["model"].held[band])

    def _by_time(self, values: Float[np.ndarray, "N"]) -> Float[np.ndarray, "T"]:
        _, place = np.unique(self.times, return_inverse=True)
        return np.asarray(np.bincount(place, values) / np.bincount(place))


def backtest(stored: Stored, table: SeriesTable, span: Span, stride: int, kept: tuple[int, ...] = ()) -> Backtest:
    """From each origin whose foreseen steps lie within the span. kept: steps whose medians of the model are kept."""
    settings, columns = stored.settings, stored.columns
    horizon, names = settings.horizon, table.names
    scaled = stored.scales.apply(table)
    windows = Windows(scaled, columns.lookback, horizon, stride=stride, span=span, masked=columns.masked)
    truth = table.blocks()[0]  # (T, C)
    _, sds = stored.scales.shifts(names, len(columns.targets))
    widths = stored.widths()
    numbers = [_own(columns.names, name) for name in names]
    steps = np.where(widths.scale[numbers] > 0, widths.scale[numbers], np.nan)  # (S, C)
    tallies = {name: Tally.empty(len(windows), horizon) for name in rivals.NAMES}
    tallies["model"] = Tally.empty(len(windows), horizon, kept)
    told = _Rivals(stored, table, windows, widths, numbers)
    for items, found in windows_foreseen(stored, windows):
        rows = items.numpy()
        y = truth[windows.starts[rows][:, None] + np.arange(horizon)]  # (B, H, C)
        which = windows.series[rows]
        tallies["model"].add(rows, found, y, steps[which], sds.numpy()[which])
        for place, name in enumerate(rivals.NAMES):
            tallies[name].add(rows, told(place, rows), y, steps[which], sds.numpy()[which])
    return Backtest(tallies, windows.origins, windows.series, horizon, stride, windows)


class _Rivals:
    """What each rival foresees from some origins."""

    def __init__(
        self, stored: Stored, table: SeriesTable, windows: Windows, widths: rivals.Widths, numbers: Sequence[int]
    ) -> None:
        self.windows, self.widths, self.numbers = windows, widths, np.array(numbers)
        self.season, self.horizon = stored.columns.season, windows.horizon
        self.logarithms = stored.scales.logarithms
        self.values = [stored.scales.thought(one, table.targets) for one in table.series]
        self.begins = np.cumsum([0, *(len(one) for one in table.series)])

    def __call__(self, place: int, rows: Int[np.ndarray, "B"]) -> Foreseen:
        starts = self.windows.starts[rows]
        piece = np.searchsorted(self.begins, starts, side="right") - 1
        means = np.empty((len(rows), self.horizon, self.values[0].shape[1]))
        for number in np.unique(piece):
            here = piece == number
            own = starts[here] - self.begins[number]
            means[here] = rivals.foreseen(self.values[number], own, self.horizon, self.season, place)
        sd = self.widths.sd[place][self.numbers[self.windows.series[rows]]]  # (B, C, H)
        spread = np.maximum(sd.transpose(0, 2, 1), 1e-12)
        return Foreseen(Normal(torch.from_numpy(means), torch.from_numpy(spread)), self.logarithms)


def _own(known: Sequence[str], name: str) -> int:
    """The series whose widths count; of one that was not trained on, those of the first."""
    return list(known).index(name) if name in known else 0


def span_of(stored: Stored, table: SeriesTable, own: bool = False) -> Span:
    """What was not trained on: all that comes after training and validation. own: up to where the run's table ended."""
    last = np.datetime64(stored.columns.trained_until, "us")
    if table.times[-1] <= last:
        raise DataError(
            f"rows up to {shown_time(table.times[-1])}, all of which the run was trained on or stopped by",
            f"rows after {shown_time(last)}",
            "--test with a newer table, or training with --split.test 0.15, which keeps a part for this",
        )
    end = stored.settings.split.end if own else None
    return Span(last + np.timedelta64(1, "us"), None if end is None else moment(end))
