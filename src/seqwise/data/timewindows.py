"""Windows of series: so many steps that are seen, so many that are foreseen; and the batches of a run.

    Windows         where windows begin, no copies; a batch is cut when it is asked for
    WindowBatch     what a forecaster reads and what it is compared with
    WindowLoader    batches without end, by seed and epoch, that begin again anywhere
    ordered         all windows once, in the order of time, for an evaluation

    past        |---- lookback ----|                        targets, observed, known (and what was missing)
    future                         |------ horizon ------|  known
    targets                        |------ horizon ------|  with weights: 0 where the number is missing

A window lies in one series and never goes from one to the next, nor over a gap that was cut. The steps foreseen lie
within the span; those that are seen may reach back before it, since at that time they are known.

What is missing: a target counts for nothing (weight 0, value 0). On the input stands the last value before it, or 0
where there is none, which is the mean of what is standardized. With `masked` the input also has a column for each
target and each observed one that is 1 where the number was there and 0 where it was not.

Left out: standardization (`SeriesTable.map` before), models.
"""

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from seqwise.data.loader import Plan, Turns
from seqwise.data.series import SeriesTable, Span
from seqwise.errors import ConfigError, DataError

# N windows in all, B of them in a batch; L steps seen, H foreseen; F columns read, K known, C targets; T steps of all
# series, end to end


@dataclass(frozen=True)
class WindowBatch:
    """Windows side by side."""

    past: Float[Tensor, "B L F"]
    """Targets, then observed, then known columns; then what was there, where that is told."""
    future: Float[Tensor, "B H K"]
    """Known columns of the steps that are foreseen."""
    targets: Float[Tensor, "B H C"]
    weights: Float[Tensor, "B H C"]
    """What each target counts: 1, or 0 where it is missing."""
    items: Int[Tensor, "B"]
    """Which window each is."""
    series: Int[Tensor, "B"]
    """Which series of the table each is of, by its place in `SeriesTable.names`."""

    def tensors(self) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """What an objective is called with: past, future, targets, weights, series."""
        return self.past, self.future, self.targets, self.weights, self.series

    def uncounted(self) -> "WindowBatch":
        """The same with all weights 0."""
        return replace(self, weights=torch.zeros_like(self.weights))


class Windows:
    """All windows of a table whose foreseen steps lie within a span, `stride` steps apart."""

    def __init__(
        self,
        table: SeriesTable,
        lookback: int,
        horizon: int,
        *,
        stride: int = 1,
        span: Span | None = None,
        masked: bool | None = None,
    ) -> None:
        for name, value in (("lookback", lookback), ("horizon", horizon), ("stride", stride)):
            if value < 1:
                raise ConfigError(f"a {name} of {value}", "1 step or more", f"--{name} 1")
        self.table, self.lookback, self.horizon = table, lookback, horizon
        self.masked = table.missing if masked is None else masked
        blocks = table.blocks()
        targets, observed, known = (block.astype(np.float32) for block in blocks)
        self._targets = np.nan_to_num(targets)  # (T, C)
        self._weights = (~np.isnan(targets)).astype(np.float32)
        self._known = _last_values(known, self._lengths)  # (T, K)
        seen = [_last_values(targets, self._lengths), _last_values(observed, self._lengths), self._known]
        there = [self._weights, (~np.isnan(observed)).astype(np.float32)] if self.masked else []
        self._past = np.concatenate([*seen, *there], axis=1)  # (T, F)
        self._times = np.concatenate([np.zeros(0, "datetime64[us]"), *(one.times for one in table.series)])
        self.starts, self._which = self._found(span or Span(), stride)
        if not len(self.starts):
            raise self._none(span)

    def __len__(self) -> int:
        return len(self.starts)

    def chosen(self, items: Int[np.ndarray, "M"]) -> "Windows":
        """Some of the windows, on the same arrays."""
        found = copy(self)
        found.starts, found._which = self.starts[items], self._which[items]
        return found

    @property
    def features(self) -> int:
        """F: columns that are read."""
        return int(self._past.shape[1])

    @property
    def series(self) -> Int[np.ndarray, "N"]:
        """The series of each window, by its place in the table's `names`."""
        return self._which

    @property
    def origins(self) -> Shaped[np.ndarray, "N"]:
        """The last time that each window sees."""
        origins: Shaped[np.ndarray, "N"] = self._times[self.starts - 1]
        return origins

    def times(self, item: int) -> Shaped[np.ndarray, "H"]:
        """The times that a window foresees."""
        return self._times[self.starts[item] : self.starts[item] + self.horizon]

    def batch(self, items: Int[np.ndarray, "B"]) -> WindowBatch:
        """These windows."""
        starts = self.starts[items][:, None]
        back = starts + np.arange(-self.lookback, 0)  # (B, L)
        ahead = starts + np.arange(self.horizon)  # (B, H)
        return WindowBatch(
            past=torch.from_numpy(self._past[back]),
            future=torch.from_numpy(self._known[ahead]),
            targets=torch.from_numpy(self._targets[ahead]),
            weights=torch.from_numpy(self._weights[ahead]),
            items=torch.tensor(items, dtype=torch.int64),
            series=torch.tensor(self._which[items], dtype=torch.int64),
        )

    @property
    def _lengths(self) -> list[int]:
        return [len(one) for one in self.table.series]

    def _found(self, span: Span, stride: int) -> tuple[Int[np.ndarray, "N"], Int[np.ndarray, "N"]]:
        """Where the foreseen steps of each window begin, and of which series it is.

        Windows without a single target that counts are left out. The last window of each series ends with the span,
        whatever the stride: what is newest is never lost.
        """
        counted = np.concatenate([[0], np.cumsum(self._weights.any(axis=1))])  # (T + 1,)
        starts, which, begin = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], 0
        for one in self.table.series:
            first, last = span.within(one.times)
            place = begin + np.arange(last - self.horizon, max(first, self.lookback) - 1, -stride)[::-1]
            place = place[counted[place + self.horizon] > counted[place]]
            starts.append(place)
            which.append(np.full(len(place), self.table.names.index(one.name)))
            begin += len(one)
        return np.concatenate(starts), np.concatenate(which)

    def _none(self, span: Span | None) -> DataError:
        longest = max((len(one) for one in self.table.series), default=0)
        needed = self.lookback + self.horizon
        if longest >= needed and span is not None:
            inside = max(last - first for first, last in (span.within(one.times) for one in self.table.series))
            given = f"{inside} steps from {span}, none with {self.lookback} before it and {self.horizon} to foresee"
            return DataError(given, "room for one window", f"a --horizon up to {max(1, inside)}, or a larger part")
        given = f"--lookback {self.lookback} and --horizon {self.horizon} with {longest} steps in the longest series"
        if longest >= needed:
            return DataError(given, "a target in one window at least", "other data")
        mend = f"--lookback {max(1, min(self.lookback, longest // 2))} --horizon {max(1, longest // 4)}"
        return DataError(given, f"{needed} steps, or a shorter window", mend)


class WindowLoader(Turns[WindowBatch]):
    """Batches of windows without end, in random order. Where the last of an epoch would be half or less of a batch,
    its windows are passed over; others are in the next epoch."""

    def __init__(self, windows: Windows, *, batch_windows: int, seed: int, rank: int = 0, world: int = 1) -> None:
        if batch_windows < 1:
            raise ConfigError(f"a batch of {batch_windows} windows", "1 or more", "--training.batch-examples 32")
        self.windows = windows
        self._rows, self._seed = batch_windows, seed
        self.oversized = 0
        super().__init__(rank, world)

    def batches(self, epochs: int) -> int:
        """Of so many epochs, exactly."""
        return epochs * self.batches_in_epoch(0)

    def _planned(self, epoch: int) -> Plan:
        order = np.random.default_rng((self._seed, epoch)).permutation(len(self.windows))
        whole, rest = divmod(len(order), self._rows)
        if whole and 2 * rest <= self._rows:
            order = order[: whole * self._rows]
        cuts = np.array([*range(0, len(order), self._rows), len(order)])
        return Plan(order, cuts, np.arange(len(cuts) - 1))

    def _gathered(self, items: Int[np.ndarray, "B"]) -> WindowBatch:
        return self.windows.batch(items)

    def _shared(self, items: Int[np.ndarray, "B"]) -> Int[np.ndarray, "B2"]:
        return items[self._rank :: self._world]


def ordered(windows: Windows, batch_windows: int) -> Iterator[WindowBatch]:
    """All windows once, series after series, each in the order of time."""
    for first in range(0, len(windows), batch_windows):
        yield windows.batch(np.arange(first, min(first + batch_windows, len(windows))))


def latest(table: SeriesTable, lookback: int, masked: bool) -> tuple[Float[np.ndarray, "B L F"], tuple[str, ...]]:
    """The last steps of each series as a model reads them, to foresee what comes next; and the names of the series."""
    last = {one.name: one for one in table.series}
    past = []
    for one in last.values():
        if len(one) < lookback:
            whose = f" of {one.name}" if one.name else ""
            given = f"{len(one)} step{'s' * (len(one) != 1)}{whose}"
            raise DataError(given, f"{lookback} steps that the model looks back on", "more rows before the last one")
        blocks = [block.astype(np.float32) for block in (one.targets, one.observed, one.known)]
        seen = [_last_values(block, [len(one)]) for block in blocks]
        there = [(~np.isnan(block)).astype(np.float32) for block in blocks[:2]] if masked else []
        past.append(np.concatenate([*seen, *there], axis=1)[-lookback:])
    return np.stack(past), tuple(last)


def _last_values(block: Float[np.ndarray, "T F"], lengths: Sequence[int]) -> Float[np.ndarray, "T F"]:
    """What is missing becomes the last value of its series, or 0 before the first."""
    absent: Bool[np.ndarray, "T F"] = np.isnan(block)
    if not absent.any():
        return block
    filled = np.empty_like(block)
    begin = 0
    for length in lengths:
        here = slice(begin, begin + length)
        place = np.where(absent[here], -1, np.arange(length)[:, None])
        place = np.maximum.accumulate(place, axis=0)  # (T, F): where the last value stands
        taken = np.take_along_axis(block[here], np.maximum(place, 0), axis=0)
        filled[here] = np.where(place < 0, 0, taken)
        begin += length
    return filled
