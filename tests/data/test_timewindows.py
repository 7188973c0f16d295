from itertools import islice

import numpy as np
import pytest
import torch

from seqwise.data.frequency import Frequency
from seqwise.data.loader import Place
from seqwise.data.series import Series, SeriesTable, Span
from seqwise.data.timewindows import WindowLoader, Windows, latest, ordered
from seqwise.errors import ConfigError, DataError

HOUR = np.timedelta64(3_600_000_000, "us")
BEGIN = np.datetime64("2020-01-01", "us")


def one(name: str, length: int, begin: int = 0, missing: tuple[int, ...] = ()) -> Series:
    """Targets 100 + step and minus that, observed 1000 + step, known 2000 + step."""
    steps = np.arange(begin, begin + length, dtype=np.float64)
    targets = np.stack([100 + steps, -100 - steps], axis=1)
    targets[list(missing), 0] = np.nan
    later = np.zeros((0, 1))
    times = BEGIN + steps.astype(np.int64) * HOUR
    return Series(name, times, targets, 1000 + steps[:, None], 2000 + steps[:, None], times[:0], later)


def table(*series: Series) -> SeriesTable:
    return SeriesTable(series, ("y", "z"), ("o",), ("k",), Frequency("hour"))


def test_a_window_is_what_was_seen_and_what_follows():
    windows = Windows(table(one("a", 10), one("b", 9)), 4, 3)
    assert (len(windows), windows.features, windows.masked) == (4 + 3, 4, False)
    batch = windows.batch(np.array([1, 4]))
    assert batch.past[0].tolist() == [[100 + t, -100 - t, 1000 + t, 2000 + t] for t in range(1, 5)]
    assert batch.future[0, :, 0].tolist() == [2005, 2006, 2007]
    assert batch.targets[0].tolist() == [[100 + t, -100 - t] for t in (5, 6, 7)]
    assert batch.past[1, :, 0].tolist() == [100, 101, 102, 103]
    assert batch.weights.unique().tolist() == [1]
    assert (batch.items.tolist(), batch.series.tolist()) == ([1, 4], [0, 1])
    assert {tensor.dtype for tensor in batch.tensors()[:4]} == {torch.float32}
    assert windows.origins[1] == BEGIN + 4 * HOUR
    assert windows.times(1).tolist() == [(BEGIN + t * HOUR).item() for t in (5, 6, 7)]


def test_no_window_goes_from_one_series_to_the_next():
    windows = Windows(table(one("a", 8), one("b", 8, begin=500), one("a", 7, begin=900)), 3, 2)
    for batch in ordered(windows, 4):
        steps = torch.cat([batch.past[:, :, 3], batch.future[:, :, 0]], dim=1)  # known counts the steps
        assert (steps.diff(dim=1) == 1).all()
    assert windows.series.tolist() == [0] * 4 + [1] * 4 + [0] * 3


def test_what_is_foreseen_lies_within_the_span_and_what_is_seen_may_lie_before():
    whole = table(one("a", 20))
    span = Span(BEGIN + 10 * HOUR, BEGIN + 15 * HOUR)
    windows = Windows(whole, 4, 3, span=span)
    assert [windows.times(item)[0] for item in range(len(windows))] == [BEGIN + t * HOUR for t in (10, 11, 12)]
    assert windows.batch(np.array([0])).past[0, :, 0].tolist() == [106, 107, 108, 109]
    train = Windows(whole, 4, 3, span=Span(None, span.begin))
    assert max(train.times(item)[-1] for item in range(len(train))) < span.begin


def test_a_stride_keeps_the_newest_window():
    windows = Windows(table(one("a", 20)), 4, 3, stride=5)
    assert [int((time - BEGIN) / HOUR) for time in windows.origins] == [6, 11, 16]


def test_missing_targets_weigh_nothing_and_missing_inputs_are_the_last_value():
    windows = Windows(table(one("a", 12, missing=(0, 5, 6, 9))), 4, 2)
    assert (windows.masked, windows.features) == (True, 7)
    batch = windows.batch(np.array([0, 4]))
    assert batch.past[0, :, 0].tolist() == [0, 101, 102, 103]
    assert batch.past[0, :, 4:].tolist() == [[0, 1, 1]] + [[1, 1, 1]] * 3
    assert batch.past[1, :, 0].tolist() == [104, 104, 104, 107]
    assert batch.past[1, :, 4].tolist() == [1, 0, 0, 1]
    assert batch.weights[1].tolist() == [[1, 1], [0, 1]]
    assert batch.targets[1].tolist() == [[108, -108], [0, -109]]
    assert Windows(windows.table, 4, 2, masked=False).features == 4
    assert Windows(table(one("a", 12)), 4, 2, masked=True).batch(np.array([0])).past[0, 0].tolist()[4:] == [1, 1, 1]


def test_windows_without_a_target_are_left_out():
    gone = one("a", 12, missing=(6, 7, 8))
    gone.targets[6:9] = np.nan
    assert [int((time - BEGIN) / HOUR) for time in Windows(table(gone), 4, 2).origins] == [3, 4, 7, 8, 9]


def test_an_epoch_holds_each_window_once_and_begins_again_anywhere():
    windows = Windows(table(one("a", 40), one("b", 30)), 4, 3)
    loader = WindowLoader(windows, batch_windows=7, seed=3)
    count = loader.batches_in_epoch(0)
    first = list(islice(loader, count))
    items = torch.cat([batch.items for batch in first]).tolist()
    assert len(set(items)) == len(items)
    assert len(windows) - len(items) <= 3
    assert items != torch.cat([batch.items for batch in islice(loader, count)]).tolist()
    assert loader.batches(3) == 3 * count
    again = WindowLoader(windows, batch_windows=7, seed=3)
    again.seek(Place(0, 5))
    for batch in first[5:]:
        assert all(map(torch.equal, batch.tensors(), next(again).tensors()))
    assert again.place == Place(1, 0)


def test_processes_share_each_batch():
    windows = Windows(table(one("a", 40)), 4, 3)
    whole = WindowLoader(windows, batch_windows=8, seed=1)
    parts = [WindowLoader(windows, batch_windows=8, seed=1, rank=rank, world=3) for rank in range(3)]
    for _ in range(whole.batches_in_epoch(0)):
        shares = torch.cat([next(part).items for part in parts])
        assert sorted(shares.tolist()) == sorted(next(whole).items.tolist())


def test_a_process_without_a_window_gets_one_that_counts_for_nothing():
    windows = Windows(table(one("a", 8)), 4, 3)
    batch = next(WindowLoader(windows, batch_windows=2, seed=1, rank=2, world=3))
    assert (len(batch.items), float(batch.weights.sum())) == (1, 0)


def test_the_last_steps_are_read_as_a_window_reads_them():
    whole = table(one("a", 12, missing=(0, 10)), one("b", 9))
    past, names = latest(whole, 4, masked=True)
    assert names == ("a", "b")
    windows = Windows(table(one("a", 13, missing=(0, 10)), one("b", 10)), 4, 1, masked=True)
    ends = [int(np.flatnonzero(windows.series == number)[-1]) for number in (0, 1)]
    assert np.array_equal(past, windows.batch(np.array(ends)).past.numpy())
    with pytest.raises(DataError, match="9 steps of b: needs 10 steps"):
        latest(whole, 10, masked=True)


@pytest.mark.parametrize(
    ("lookback", "horizon", "span", "fault"),
    [
        (8, 6, None, "--lookback 8 and --horizon 6 with 10 steps in the longest series: needs 14 steps"),
        (4, 3, Span(BEGIN + 8 * HOUR, None), "2 steps from 2020-01-01 08:00 up to the end, none with 4 before it"),
    ],
)
def test_a_horizon_longer_than_the_data_is_one_line(lookback, horizon, span, fault):
    with pytest.raises(DataError) as caught:
        Windows(table(one("a", 10)), lookback, horizon, span=span)
    assert str(caught.value).startswith(fault)


def test_sizes_below_one_are_refused():
    with pytest.raises(ConfigError, match="a horizon of 0"):
        Windows(table(one("a", 10)), 4, 0)
    with pytest.raises(ConfigError, match="a batch of 0 windows"):
        WindowLoader(Windows(table(one("a", 10)), 4, 2), batch_windows=0, seed=1)
