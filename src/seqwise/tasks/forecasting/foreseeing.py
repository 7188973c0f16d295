"""A run and a table in, distributions out, in the units of the table: of what comes next, or of what has come."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from seqwise.data.series import Future, SeriesTable, Span
from seqwise.data.table import read_series
from seqwise.data.timewindows import Windows, latest, ordered
from seqwise.errors import DataError, Fault, SeqwiseError
from seqwise.metrics.bands import Widening
from seqwise.tasks.forecasting.calibrating import applied, lately
from seqwise.tasks.forecasting.predictive import Foreseen
from seqwise.tasks.forecasting.stored import Stored
from seqwise.tasks.forecasting.watching import foresee_blind

ROWS = 128  # windows read together
SEED = 12345

# S series, N windows, B of them at a time; H steps, C targets


@dataclass(frozen=True, eq=False)
class Outlook:
    """What comes next in one series."""

    name: str
    times: Shaped[np.ndarray, "H"]
    foreseen: Foreseen
    """Of each step and target, (H, C)."""
    past_times: Shaped[np.ndarray, "T"]
    past: Float[np.ndarray, "T C"]
    """What the model saw, and a little before it, for a picture."""


def read_table(stored: Stored, paths: Sequence[str]) -> SeriesTable:
    """A table read as those of training were, with the same columns and frequency; without paths, those of training."""
    settings, columns = stored.settings, stored.columns
    told = replace(settings.data, frequency=settings.data.frequency or columns.frequency, calendar=columns.calendar)
    chosen = tuple(paths) or settings.train
    as_found = settings.data.frequency is None
    try:
        table = read_series(chosen, columns.targets, told, settings.mend, learning=False, as_found=as_found)
        stored.must_fit(table)
    except DataError as error:
        raise DataError.of([_as_trained(fault) for fault in error.faults]) from None
    return table


def _as_trained(fault: Fault) -> Fault:
    """How a table is read was settled in training: here is no flag for it."""
    if fault.given.startswith("no column "):
        return replace(fault, mend="a table with the columns of training")
    if "--" not in fault.mend:
        return fault
    flags = fault.mend[fault.mend.index("--") :]
    return replace(fault, mend=f"mending the table, or training with {flags}")


@torch.inference_mode()
def outlook(stored: Stored, table: SeriesTable, seed: int = SEED) -> tuple[Outlook, ...]:
    """The horizon after the last row of each series."""
    columns, horizon = stored.columns, stored.settings.horizon
    scaled = stored.scales.apply(table)
    if scaled.missing and not columns.masked:
        stored_names = ", ".join(table.targets)
        given = f"missing values among {stored_names} or beside them"
        raise DataError(given, "whole rows, as in training", "--mend.missing interpolate when training, or whole rows")
    past, names = latest(scaled, columns.lookback, columns.masked)
    ahead = scaled.future(horizon)
    widening = _of_late(stored, table, _stretched(scaled, ahead)) or stored.calibration
    known = torch.from_numpy(np.stack([one.known for one in ahead]).astype(np.float32))
    series = torch.tensor([_number(stored, name) for name in names])
    found = foresee_blind(stored.model, torch.from_numpy(past), known, series, torch.Generator().manual_seed(seed))
    inner, bands = applied(found, widening)
    moved = stored.scales.foreseen(inner, bands, torch.arange(len(names)), names)
    last = {one.name: one for one in table.series}
    kept = max(4 * horizon, columns.lookback)
    return tuple(
        Outlook(
            name,
            ahead[i].times,
            moved.row(i),
            last[name].times[-kept:],
            last[name].targets[-kept:],
        )
        for i, name in enumerate(names)
    )


def windows_foreseen(stored: Stored, windows: Windows, seed: int = SEED) -> Iterator[tuple[Int[Tensor, "B"], Foreseen]]:
    """What was foreseen from each origin, batch after batch, and which windows these are."""
    names = windows.table.names
    numbers = torch.tensor([_number(stored, name) for name in names])
    generator = torch.Generator().manual_seed(seed)
    for batch in ordered(windows, ROWS):
        with torch.inference_mode():
            found = foresee_blind(stored.model, batch.past, batch.future, numbers[batch.series], generator)
            inner, bands = applied(found, stored.calibration)
            moved = stored.scales.foreseen(inner, bands, batch.series, names)
        yield batch.items, moved


def _stretched(table: SeriesTable, ahead: Sequence[Future]) -> SeriesTable:
    """The table with the steps to come, whose targets are missing: windows that have begun to come true lie within."""
    later = {one.name: one for one in ahead}
    last = {one.name: place for place, one in enumerate(table.series)}  # of pieces of a series, its last
    found = list(table.series)
    for name, place in last.items():
        one, more = found[place], later[name]
        empty = [np.full((len(more.times), block.shape[1]), np.nan) for block in (one.targets, one.observed)]
        found[place] = replace(
            one,
            times=np.concatenate([one.times, more.times]),
            targets=np.concatenate([one.targets, empty[0]]),
            observed=np.concatenate([one.observed, empty[1]]),
            known=np.concatenate([one.known, more.known]),
        )
    return replace(table, series=tuple(found))


def _of_late(stored: Stored, table: SeriesTable, scaled: SeriesTable) -> Widening | None:
    """Factors of the bands from windows that came after the training part; None where the run has none, where nothing
    came after validation, or where windows are few."""
    last = np.datetime64(stored.columns.trained_until, "us")
    if stored.calibration is None or table.times[-1] <= last:
        return None
    columns = stored.columns
    span = Span(np.datetime64(columns.learnt_until, "us") + np.timedelta64(1, "us"), None)
    try:
        windows = Windows(scaled, columns.lookback, stored.settings.horizon, span=span, masked=columns.masked)
    except SeqwiseError:  # not one window whose truth has come
        return None
    return lately(stored.model, windows, columns.season)


def _number(stored: Stored, name: str) -> int:
    """Which vector a series has; -1 for one that was not trained on."""
    return stored.columns.names.index(name) if name in stored.columns.names else -1
