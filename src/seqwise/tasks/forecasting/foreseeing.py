"""A run and a table in, distributions out, in the units of the table: of what comes next, or of what has come."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from seqwise.data.series import SeriesTable
from seqwise.data.table import read_series
from seqwise.data.timewindows import Windows, latest, ordered
from seqwise.errors import DataError
from seqwise.models.distributions import Distribution
from seqwise.tasks.forecasting.predictive import Foreseen, altered, of_paths
from seqwise.tasks.forecasting.stored import Stored

PATHS = 500  # ways that a model which rolls draws
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
    settings, targets = stored.settings, stored.columns.targets
    told = replace(settings.data, frequency=settings.data.frequency or stored.columns.frequency)
    table = read_series(tuple(paths) or settings.train, targets, told, settings.mend, learning=False)
    stored.must_fit(table)
    return table


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
    known = torch.from_numpy(np.stack([one.known for one in ahead]).astype(np.float32))
    series = torch.tensor([_number(stored, name) for name in names])
    found = _foreseen(stored, torch.from_numpy(past), known, series, torch.Generator().manual_seed(seed))
    moved = stored.scales.foreseen(_calibrated(stored, found), torch.arange(len(names)), names)
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


@torch.inference_mode()
def windows_foreseen(stored: Stored, windows: Windows, seed: int = SEED) -> Iterator[tuple[Int[Tensor, "B"], Foreseen]]:
    """What was foreseen from each origin, batch after batch, and which windows these are."""
    names = windows.table.names
    numbers = torch.tensor([_number(stored, name) for name in names])
    generator = torch.Generator().manual_seed(seed)
    for batch in ordered(windows, ROWS):
        found = _foreseen(stored, batch.past, batch.future, numbers[batch.series], generator)
        yield batch.items, stored.scales.foreseen(_calibrated(stored, found), batch.series, names)


def _foreseen(
    stored: Stored,
    past: Float[Tensor, "B L F"],
    future: Float[Tensor, "B H K"],
    series: Int[Tensor, "B"],
    generator: torch.Generator,
) -> Distribution:
    """In standardized numbers, fp64 on the CPU."""
    model, device = stored.model, stored.device
    moved = past.to(device), future.to(device), series.to(device)
    if not model.rolls:
        return altered(model.foreseen(*moved), lambda told: told.double().cpu())
    paths = model.rolled(*moved, stored.settings.horizon, PATHS, generator)
    return of_paths(paths.cpu(), normal=stored.settings.head == "normal")


def _calibrated(stored: Stored, found: Distribution) -> Distribution:
    return found if stored.calibration is None else found.widened(stored.calibration.factor())


def _number(stored: Stored, name: str) -> int:
    """Which vector a series has; -1 for one that was not trained on."""
    return stored.columns.names.index(name) if name in stored.columns.names else -1
