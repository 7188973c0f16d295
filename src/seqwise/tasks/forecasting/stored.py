"""A forecaster as it lies on disk: settings, scales, columns, calibration, weights; and ready to foresee."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import torch

from seqwise import device as devices
from seqwise.checkpoints.files import hash_file
from seqwise.checkpoints.run import CONFIG, RunFolder
from seqwise.checkpoints.tensors import read_tensors
from seqwise.config import resolve
from seqwise.data.series import SeriesTable
from seqwise.errors import CheckpointError, ConfigError, DataError, Fault
from seqwise.metrics.bands import Widening
from seqwise.models.forecaster import Forecaster
from seqwise.tasks.forecasting.preparation import Columns, build
from seqwise.tasks.forecasting.rivals import Widths
from seqwise.tasks.forecasting.scaling import Scales
from seqwise.tasks.forecasting.settings import Forecast
from seqwise.tasks.stored import differences, fill, is_forecast, value_of

SCALES, SERIES, CALIBRATION, RIVALS = "standardizer.json", "series.json", "calibration.json", "rivals.safetensors"
Made = TypeVar("Made")
FREE = ("resume", "overwrite", "out", "training.device", "training.time_limit", "training.tensorboard",
        "evaluation.patience", "evaluation.save_every")  # fmt: skip
"""Settings that a resumed run may change."""


@dataclass(frozen=True, eq=False)
class Stored:
    """A run, opened."""

    folder: RunFolder
    settings: Forecast
    columns: Columns
    scales: Scales
    calibration: Widening | None
    model: Forecaster
    device: torch.device

    def widths(self) -> Widths:
        """What the rivals' bands are made of."""
        tensors = read_tensors(self.folder.path / RIVALS)
        return Widths(tensors["sd"].numpy(), tensors["scale"].numpy())

    def must_fit(self, table: SeriesTable) -> None:
        """Refuse a table with other columns or of another frequency."""
        faults = []
        for what in ("targets", "observed", "known"):
            ours, theirs = getattr(self.columns, what), getattr(table, what)
            if ours != theirs:
                given = f"{what} {', '.join(theirs) or 'none'}"
                faults.append(Fault(given, f"those of training: {', '.join(ours) or 'none'}", "the same columns"))
        if table.frequency.name != self.columns.frequency:
            given = f"steps of a {table.frequency.name}"
            faults.append(Fault(given, f"steps as in training: {self.columns.frequency}", "a table of that frequency"))
        if faults:
            raise DataError.of(faults)


def open_run(run: str | Path, where: str = "auto") -> Stored:
    """The forecaster of a run. It computes in fp32: a forecast costs little, and its scale matters."""
    folder = RunFolder.open(run)
    settings = read_forecast(folder)
    columns = _read(folder, SERIES, Columns.from_dict)
    scales = _read(folder, SCALES, Scales.from_dict)
    chosen = devices.pick(where)
    model = build(settings, columns)
    if not (folder.path / "model.safetensors").is_file():
        given = f"{folder.path} has no weights yet"
        raise CheckpointError(given, "a run that was looked at once at least", "seqwise train forecast ... --resume")
    fill(model, folder)
    found = None
    if (folder.path / CALIBRATION).is_file():
        found = _read(folder, CALIBRATION, Widening.from_dict)
    return Stored(folder, settings, columns, scales, found, model.to(chosen).eval(), chosen)


def _read(folder: RunFolder, name: str, made: Callable[[dict[str, Any]], Made]) -> Made:
    """A file of the run; one that is damaged, or of another version, is told."""
    told = folder.read_json(name)
    try:
        return made(told)
    except (KeyError, TypeError, ValueError) as error:
        given = f"it is not what a run of this version has ({type(error).__name__}: {error})"
        where = str(folder.path / name)
        raise CheckpointError(given, "the file as training wrote it", "training anew", where) from error


def read_forecast(folder: RunFolder) -> Forecast:
    """The settings of a run that forecasts."""
    if not is_forecast(folder.path):
        given = f"the run {folder.path}, which does not forecast"
        raise ConfigError(given, "a run of seqwise train forecast", "another run")
    return resolve(Forecast, folder.path / CONFIG, ())


def must_go_on(given: Forecast, folder: RunFolder) -> None:
    """Refuse to resume under settings, or on files, with which it would have become another run."""
    stored = read_forecast(folder)
    if given.model.instance == "auto":  # the table settled it
        given = replace(given, model=replace(given.model, instance=stored.model.instance))
    free: tuple[str, ...] = FREE
    if stored.optimizer.schedule in ("inverse-sqrt", "constant"):
        free = (*FREE, "training.epochs", "training.steps")
    changed = [name for name in differences(given, stored) if not name.startswith(free)]
    faults = [
        Fault(
            f"{name} is {value_of(given, name)!r} but was {value_of(stored, name)!r}",
            "the settings of the run that is resumed",
            f"seqwise train forecast {folder.path / CONFIG} --resume",
        )
        for name in changed
    ]
    told: Mapping[str, str] = folder.load_signature()["data"]
    faults += [
        Fault("its content is not what the run began with", "the same file", "a new run with --out", where=path)
        for path in given.train
        if told.get(path) != hash_file(path)
    ]
    if faults:
        raise ConfigError.of(faults)
