"""A run of a forecaster, put together from its settings: fresh, or as it was saved; and what is done at its end."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from seqwise import device
from seqwise.checkpoints.files import hash_file
from seqwise.checkpoints.provenance import signature
from seqwise.checkpoints.run import RunFolder
from seqwise.config import to_yaml
from seqwise.data.series import shown_time
from seqwise.data.timewindows import WindowLoader
from seqwise.models.forecaster import Forecaster
from seqwise.tasks.forecasting import calibrating
from seqwise.tasks.forecasting.preparation import Material, build
from seqwise.tasks.forecasting.settings import Forecast
from seqwise.tasks.forecasting.stored import CALIBRATION, RIVALS, SCALES, SERIES
from seqwise.tasks.forecasting.watching import ForecastWatcher
from seqwise.tasks.restoring import restored
from seqwise.training import distributed
from seqwise.training.forecasting import ForecastObjective
from seqwise.training.loop import Setting
from seqwise.training.optim import Weights, adamw
from seqwise.training.state import TrainingState

ITEMS = "windows"


@dataclass(frozen=True)
class Run:
    """What `fit` needs."""

    state: TrainingState
    setting: Setting
    model: Forecaster
    parameters: int
    notes: tuple[str, ...]


def begin(
    settings: Forecast,
    material: Material,
    folder: RunFolder,
    where: torch.device,
    group: distributed.Group,
    stopped: Callable[[], bool],
    began: float,
) -> Run:
    """Write down settings, scales and signature, or restore what was saved."""
    model = build(settings, material.columns)
    parameters = sum(p.numel() for p in model.parameters())
    if group.first and not settings.resume:
        _write_down(settings, material, folder, parameters)
    state, objective = _state(settings, material, model.to(where), where, group)
    notes = [restored(state, folder, group)] if settings.resume else []
    dtype = device.precision(settings.training.precision, where)
    twin = build(settings, material.columns).to(where, dtype)
    watch = ForecastWatcher(twin, material.valid, settings.loss)
    batches = state.loader.batches_in_epoch(0)
    training, evaluation = settings.training.whole(len(material.train), batches), settings.evaluation.whole(batches)
    parts = (training, settings.optimizer, evaluation)
    whole = objective, *parts, watch, folder, where, group, stopped, _named(material), began
    return Run(state, Setting(*whole, items=ITEMS), twin, parameters, tuple(notes))


def close(settings: Forecast, material: Material, folder: RunFolder, twin: Forecaster) -> tuple[str, ...]:
    """At the end: how much wider or narrower the bands must be, as the validation part shows for the best weights."""
    if not settings.evaluation.calibrate:
        return ()
    twin.to(torch.float32)
    twin.load_state_dict(folder.load_model(), strict=False)
    widening, before = calibrating.fitted(twin, material.valid)
    folder.write_json(CALIBRATION, calibrating.stored(widening, before))
    return (calibrating.told(widening, before),)


def _named(material: Material) -> Callable[[int], str]:
    """A window by the time that it foresees first."""

    def named(item: int) -> str:
        windows = material.train
        name = windows.table.names[int(windows.series[item])]
        return f"{name} {shown_time(windows.times(item)[0])}".strip()

    return named


def _write_down(settings: Forecast, material: Material, folder: RunFolder, parameters: int) -> None:
    kept = replace(settings, resume=False, overwrite=False)
    folder.save_config(to_yaml(kept, comments=True))
    folder.write_json(SCALES, material.scales.to_dict())
    folder.write_json(SERIES, material.columns.to_dict())
    widths = material.widths()
    tensors = {"sd": torch.from_numpy(widths.sd.copy()), "scale": torch.from_numpy(widths.scale.copy())}
    folder.write_tensors(RIVALS, tensors)
    data = {path: hash_file(path) for path in settings.train}
    folder.save_signature(signature(settings.training.seed, data, {"parameters": parameters}))


def _state(
    settings: Forecast, material: Material, model: Forecaster, where: torch.device, group: distributed.Group
) -> tuple[TrainingState, torch.nn.Module]:
    """Weights, optimizer and data at the start, and the objective, wrapped where there are several processes."""
    training = settings.training
    rows = training.rows(len(material.train))
    loader = WindowLoader(material.train, batch_windows=rows, seed=training.seed, rank=group.rank, world=group.world)
    dtype = device.precision(training.precision, where)
    objective: torch.nn.Module = ForecastObjective(model, settings.loss)
    if training.shard and group.world > 1:
        objective = distributed.shard(objective, [], dtype, group)
        weights = Weights(model, torch.float32)
    else:
        weights = Weights(model, dtype)
        objective = distributed.replicate(objective, group)
    optimizer = adamw(zip(weights.names, weights.master, strict=True), settings.optimizer)
    return TrainingState(weights, optimizer, loader, settings.evaluation.ema), objective
