"""A training run, put together from its settings: fresh, or as it was saved. The same for every task."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch

from seqwise import device
from seqwise.checkpoints.provenance import signature
from seqwise.checkpoints.run import RunFolder
from seqwise.config import to_yaml
from seqwise.data.tokens import Vocabularies
from seqwise.errors import CheckpointError
from seqwise.models import assemble
from seqwise.stats.phrases import counted
from seqwise.tasks.preparation import empty, fresh_model, hashes, prepare
from seqwise.tasks.prepared import Prepared
from seqwise.tasks.restoring import restored
from seqwise.tasks.settings import Train
from seqwise.training import distributed
from seqwise.training.loop import Setting, planned
from seqwise.training.optim import Weights, adamw, rate_at
from seqwise.training.state import TrainingState

LABELS = "labels.json"
UNITS = {"translate": "pairs", "summarize": "pairs", "classify": "texts", "generate": "lines"}


@dataclass(frozen=True)
class Material:
    """Data and fresh model: all that can fail before the first file is written."""

    prepared: Prepared
    model: assemble.Model
    parameters: int
    notes: tuple[str, ...]
    """What to tell before the start."""


def gather(settings: Train, folder: RunFolder) -> Material:
    """Read the data, build the model. Writes nothing."""
    vocabularies = Vocabularies.load(folder.path) if settings.resume else None
    labels = read_labels(folder) if settings.resume and settings.task == "classify" else ()
    prepared = prepare(settings, vocabularies, labels)
    model, notes = fresh_model(settings, prepared.vocabularies, prepared.labels)
    parameters = sum(p.numel() for p in model.parameters())
    return Material(prepared, model, parameters, (*prepared.notes, *notes, f"model: {parameters:,} parameters"))


def read_labels(folder: RunFolder) -> tuple[str, ...]:
    """Names of the labels of a run that classifies, by number."""
    found = folder.read_json(LABELS).get("labels")
    if not isinstance(found, list) or len(found) < 2 or not all(isinstance(name, str) for name in found):
        where = str(folder.path / LABELS)
        raise CheckpointError("no names of labels", "a list of two or more", "copying the run folder again", where)
    return tuple(found)


@dataclass(frozen=True)
class Run:
    """What `fit` needs."""

    state: TrainingState
    setting: Setting
    notes: tuple[str, ...]
    """Where a resumed run goes on, and which batches will be larger than asked."""


def begin(
    settings: Train,
    material: Material,
    folder: RunFolder,
    where: torch.device,
    group: distributed.Group,
    stopped: Callable[[], bool],
    began: float,
) -> Run:
    """Write down settings and signature, or restore what was saved."""
    prepared = material.prepared
    if group.first and not settings.resume:
        _write_down(settings, folder, prepared, material.parameters)
    state, objective = _state(settings, prepared, material.model.to(where), where, group)
    notes = [restored(state, folder, group)] if settings.resume else []
    if oversized := getattr(state.loader, "oversized", 0):
        longer = f"{counted(oversized, UNITS[settings.task].removesuffix('s'))} longer than --training.batch-tokens"
        notes.append(f"{longer} {settings.training.batch_tokens:,}: each makes a batch of its own")
    dtype = device.precision(settings.training.precision, where)
    twin = empty(settings, prepared.vocabularies, prepared.labels).to(where, dtype)
    parts = (settings.training, settings.optimizer, settings.evaluation)
    watch = prepared.watch(twin)
    whole = objective, *parts, watch, folder, where, group, stopped, prepared.where, began
    setting = Setting(*whole, items=UNITS[settings.task], noted=lambda: prepared.closing(state.progress.step))
    return Run(state, setting, (*notes, *_unreached(state, setting)))


def _unreached(state: TrainingState, setting: Setting) -> Iterator[str]:
    """A rate that never is what was asked for: with little data a run may end before its warm-up does."""
    total, warmup = planned(state.loader, setting), setting.optimizer.warmup
    if total is not None and warmup > total:
        most = rate_at(total, setting.optimizer, total)
        told = f"the warm-up takes {warmup:,} steps and the run {total:,}, so the rate gets no further than {most:.1e}"
        yield f"{told}; try --optimizer.warmup {max(1, total // 10)}"


def _write_down(settings: Train, folder: RunFolder, prepared: Prepared, parameters: int) -> None:
    kept = replace(settings, resume=False, overwrite=False)
    folder.save_config(to_yaml(kept, comments=True))
    prepared.vocabularies.save(folder.path)
    if prepared.labels:
        folder.write_json(LABELS, {"labels": list(prepared.labels)})
    data = hashes([*settings.train, *settings.valid, *settings.test])
    folder.save_signature(signature(settings.training.seed, data, {"parameters": parameters}))


def _state(
    settings: Train,
    prepared: Prepared,
    model: assemble.Model,
    where: torch.device,
    group: distributed.Group,
) -> tuple[TrainingState, torch.nn.Module]:
    """Weights, optimizer and data at the start, and the objective, wrapped where there are several processes."""
    training = settings.training
    loader = prepared.batches(group.rank, group.world)
    dtype = device.precision(training.precision, where)
    objective = prepared.objective(model)
    if training.shard and group.world > 1:
        objective = distributed.shard(objective, assemble.units(model), dtype, group)
        weights = Weights(model, torch.float32)
    else:
        weights = Weights(model, dtype)
        objective = distributed.replicate(objective, group)
    optimizer = adamw(zip(weights.names, weights.master, strict=True), settings.optimizer)
    return TrainingState(weights, optimizer, loader, settings.evaluation.ema), objective
