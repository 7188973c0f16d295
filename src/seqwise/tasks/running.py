"""A training run, put together from its settings: fresh, or as it was saved."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from seqwise import device
from seqwise.checkpoints.provenance import signature
from seqwise.checkpoints.run import RunFolder
from seqwise.config import to_yaml
from seqwise.data.batch import Rows
from seqwise.data.loader import Loader
from seqwise.data.tokens import Vocabularies
from seqwise.models import assemble
from seqwise.tasks.preparation import Prepared, empty_model, fresh_model, hashes, prepare
from seqwise.tasks.settings import Train
from seqwise.tasks.translation import Watcher, ends
from seqwise.training import distributed
from seqwise.training.loop import Objective, Setting
from seqwise.training.optim import Weights, adamw
from seqwise.training.state import TrainingState


@dataclass(frozen=True)
class Material:
    """Data and fresh model: all that can fail before the first file is written."""

    prepared: Prepared
    model: assemble.Translator
    parameters: int
    notes: tuple[str, ...]
    """What to tell before the start."""


def gather(settings: Train, folder: RunFolder) -> Material:
    """Read the data, build the model. Writes nothing."""
    prepared = prepare(settings, Vocabularies.load(folder.path) if settings.resume else None)
    model, notes = fresh_model(settings, prepared.vocabularies)
    parameters = sum(p.numel() for p in model.parameters())
    return Material(prepared, model, parameters, (*prepared.notes, *notes, f"model: {parameters:,} parameters"))


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
    notes = [_restored(state, folder, group)] if settings.resume else []
    if state.loader.oversized:
        longer = f"{state.loader.oversized:,} pairs are longer than --training.batch-tokens"
        notes.append(f"{longer} {settings.training.batch_tokens:,}: each makes a batch of its own")
    vocabularies = prepared.vocabularies
    twin = empty_model(settings, vocabularies)
    tokens = settings.training.batch_tokens
    dtype = device.precision(settings.training.precision, where)
    watcher = Watcher(twin.to(where, dtype), prepared.valid, vocabularies, settings.evaluation, tokens)
    parts = (settings.training, settings.optimizer, settings.evaluation)
    named = prepared.train.pairs.where
    setting = Setting(objective, *parts, watcher, folder, where, group, stopped, named, began)
    return Run(state, setting, tuple(notes))


def _write_down(settings: Train, folder: RunFolder, prepared: Prepared, parameters: int) -> None:
    kept = replace(settings, resume=False, overwrite=False)
    folder.save_config(to_yaml(kept, comments=True))
    prepared.vocabularies.save(folder.path)
    data = hashes([*settings.train, *settings.valid, *settings.test])
    folder.save_signature(signature(settings.training.seed, data, {"parameters": parameters}))


def _state(
    settings: Train,
    prepared: Prepared,
    model: assemble.Translator,
    where: torch.device,
    group: distributed.Group,
) -> tuple[TrainingState, torch.nn.Module]:
    """Weights, optimizer and data at the start, and the objective, wrapped where there are several processes."""
    training, vocabularies = settings.training, prepared.vocabularies
    loader = Loader(
        prepared.train.sources,
        prepared.train.targets,
        batch_tokens=training.batch_tokens,
        seed=training.seed,
        rank=group.rank,
        world=group.world,
        varied=_varied(prepared, training.seed),
        **ends(vocabularies),
    )
    dtype = device.precision(training.precision, where)
    objective: torch.nn.Module = Objective(model, vocabularies.target.bos, training.label_smoothing)
    if training.shard and group.world > 1:
        objective = distributed.shard(objective, assemble.units(model), dtype, group)
        weights = Weights(model, torch.float32)
    else:
        weights = Weights(model, dtype)
        objective = distributed.replicate(objective, group)
    optimizer = adamw(zip(weights.names, weights.master, strict=True), settings.optimizer)
    return TrainingState(weights, optimizer, loader, settings.evaluation.ema), objective


def _varied(prepared: Prepared, seed: int) -> Callable[[int], tuple[Rows, Rows]] | None:
    """The rows of an epoch under BPE-dropout."""
    if prepared.varied is None:
        return None
    sources, targets = prepared.varied
    return lambda epoch: (sources.rows(seed, 2 * epoch), targets.rows(seed, 2 * epoch + 1))


def _restored(state: TrainingState, folder: RunFolder, group: distributed.Group) -> str:
    saved = folder.load_state()
    if saved is None:
        return "resume: nothing was saved yet, beginning at step 0"
    state.restore(saved.tensors, saved.facts)
    if group.first:
        folder.restore_best()
    return f"resume: from step {saved.step}" + (f" ({saved.note})" if saved.note else "")
