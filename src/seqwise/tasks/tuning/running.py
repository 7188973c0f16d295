"""A tuning run, put together for the trainer: examples as batches, objective, weights that move, and looks."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor, nn

from seqwise import device as devices
from seqwise.checkpoints.run import RunFolder
from seqwise.data.examples import ExampleLoader, Examples, Mixed
from seqwise.data.loader import Batches
from seqwise.models import assemble
from seqwise.models.lora import selected
from seqwise.tasks.places import placed
from seqwise.tasks.pretrained import quick
from seqwise.tasks.tuning.answers import mean_and_items
from seqwise.tasks.tuning.bases import Base, OwnBase
from seqwise.tasks.tuning.items import Items, Read
from seqwise.tasks.tuning.jobs import Job, Writing, job_for, learnt
from seqwise.tasks.tuning.settings import LABEL_RATE, OWN_RATES, RATES, Tune
from seqwise.training import distributed, moving
from seqwise.training.agreement import agreeing
from seqwise.training.events import ItemLosses, Losses, Noted, Sample
from seqwise.training.loop import Look, Setting
from seqwise.training.objectives import Anchored, Learning
from seqwise.training.optim import Weights, adamw
from seqwise.training.state import TrainingState

SHOWN = 3  # samples of a look
FEW = 30  # updates in which hardly anything can be learnt
GAP = 1000  # training examples at most that the gap to the validation examples is measured on


@dataclass(frozen=True, eq=False)
class Material:
    """The examples as rows of ids, before anything is written."""

    read: Read
    train: Examples
    valid: Examples
    replay: Examples | None
    packed: bool
    places: tuple[str, ...]
    """Where each example that is learnt stands; those of the replay behind the others."""


def encode(job: Job, read: Read, settings: Tune) -> Material:
    """All parts that are trained and looked at."""
    train, valid = _encoded(job, read.train), _encoded(job, read.valid)
    replay = None if read.replay is None else _encoded(job, read.replay)
    packed = settings.examples.packed and job.packs
    places = (*_places(job, read.train), *(_places(job, read.replay) if read.replay else ()))
    return Material(read, train, valid, replay, packed, places)


def _encoded(job: Job, items: Items) -> Examples:
    """Of one part; what is too long is told by its place."""
    with placed((*items.texts, *items.wanted), lambda text: items.places[text % len(items)]):
        return job.examples(items)


def _places(job: Job, items: Items) -> tuple[str, ...]:
    """Of each example: an item may give several, or none."""
    if not isinstance(job, Writing):
        return items.places
    return tuple(items.places[one.item] for one in learnt(job.masked(items)))


class Looker:
    """What a look at the validation examples is: their loss, that of as many training examples, and the task's scores.

    The very model that is trained is looked at, so that no second one fills the memory. Afterwards it is as
    before where its weights are averaged while it learns; where not, it keeps the weights of the look.
    """

    def __init__(self, job: Job, material: Material, settings: Tune, where: torch.device, averaged: bool) -> None:
        self.job, self.material, self.device = job, material, where
        self.tokens = settings.training.batch_tokens
        valid = material.read.valid
        writes = settings.task in ("translate", "summarize")  # labels cost no more than the loss
        count = settings.evaluation.sentences * writes or len(valid)
        self.items = valid.select(range(min(count, len(valid))))
        self.objective = job.objective(0.0)
        chosen = _spread(len(material.train), min(GAP, len(material.valid), len(material.train)))
        self.sample = material.train.select(chosen)
        self.owners = _owners(job, valid), _owners(job, material.read.train)[chosen]
        self.averaged = averaged

    def __call__(self, weights: Mapping[str, Tensor]) -> Look:
        """Look with these weights in the model."""
        model = self.job.model
        learning = model.training
        before = {name: model.get_parameter(name).detach().clone() for name in weights} if self.averaged else {}
        model.load_state_dict(dict(weights), strict=False)
        model.eval()
        try:
            return self._look()
        finally:
            model.load_state_dict(before, strict=False)
            model.train(learning)

    def _look(self) -> Look:
        answers = self.job.answers(self.items) if self.job.task != "generate" else None
        known = {} if answers is None else dict(answers.scores)
        loss = known.pop("loss", None)
        if answers is None or loss is None:
            loss, valid = self._loss(self.material.valid, self.owners[0])
        else:
            valid = ItemLosses(np.array(answers.losses), np.array(answers.tokens, dtype=np.float64))
        train, trained = self._loss(self.sample, self.owners[1])
        scores, losses = {"loss": loss, "train_loss": train, "gap": loss - train}, Losses(valid, trained)
        if answers is None:
            return Look(scores, losses=losses)
        scores |= known
        shown = self.items.select(range(min(SHOWN, len(self.items))))
        triples = zip(shown.texts, shown.wanted, answers.outputs, strict=False)
        return Look(scores, tuple(Sample(*triple) for triple in triples), losses)

    def _loss(self, examples: Examples, owners: Int[np.ndarray, "N"]) -> tuple[float, ItemLosses]:
        """Of all, and of each item: its examples together, since they have chance in common."""
        mean, found = mean_and_items(self.objective, examples, self.tokens, self.material.packed, self.device)
        _, places = np.unique(owners, return_inverse=True)
        return mean, ItemLosses(np.bincount(places, found.nats), np.bincount(places, found.targets))


def _spread(most: int, count: int) -> Int[np.ndarray, "N"]:
    """So many, spread evenly: the same ones at each look."""
    return np.linspace(0, most - 1, count).astype(int)


def _owners(job: Job, items: Items) -> Int[np.ndarray, "N"]:
    """Of each example, the item that it is of."""
    if not isinstance(job, Writing):
        return np.arange(len(items))
    return np.array([one.item for one in learnt(job.masked(items))])


@dataclass(frozen=True)
class Run:
    """What `fit` needs."""

    state: TrainingState
    setting: Setting
    notes: tuple[str, ...]
    trained: int
    """Weights that move."""
    looking: Job
    """The job with a whole model."""


def rate(settings: Tune, base: Base) -> float:
    """The learning rate: what was asked for, or what is usual for the method."""
    usual = OWN_RATES if isinstance(base, OwnBase) else RATES
    if settings.task == "classify" and settings.method != "full" and not isinstance(base, OwnBase):
        return settings.optimizer.rate or LABEL_RATE
    return settings.optimizer.rate or usual[settings.method]


def loader_of(settings: Tune, material: Material, group: distributed.Group) -> ExampleLoader | Mixed:
    """Batches of the training examples, with replayed ones in between where there are any."""
    parts: dict[str, Any] = {
        "batch_tokens": settings.training.batch_tokens,
        "batch_examples": settings.examples.batch,
        "seed": settings.training.seed,
        "rank": group.rank,
        "world": group.world,
        "packed": material.packed,
    }
    main = ExampleLoader(material.train, **parts)
    if material.replay is None:
        return main
    return Mixed(main, ExampleLoader(material.replay, **parts), settings.guard.replay_share)


def begin(
    settings: Tune,
    base: Base,
    job: Job,
    material: Material,
    folder: RunFolder,
    group: distributed.Group,
    stopped: Callable[[], bool],
    began: float | None,
) -> Run:
    """Optimizer, state and setting. Which weights move is settled already (`bases.prepare`)."""
    training, where = settings.training, devices.pick(settings.training.device)
    model = job.model
    dtype = devices.precision(training.precision, where)
    objective = _objective(settings, job, dtype)
    names = [name for name, _ in model.named_parameters()]
    looking = _apart(job, base, settings, group)
    watcher = Looker(looking, material, settings, where, settings.evaluation.ema > 0)
    if training.shard and group.world > 1:
        wrapped = distributed.shard(objective, assemble.units(model), dtype, group)
        weights = Weights(model, torch.float32)
    else:
        weights = Weights(model, dtype)
        wrapped = distributed.replicate(objective, group)
    quick(model, dtype)
    loader = loader_of(settings, material, group)
    steps = planned(settings, loader)
    optimizer = settings.optimizer.optimizer(rate(settings, base), steps)
    shares = moving.rates(settings.moving, names)
    adam = adamw(zip(weights.names, weights.master, strict=True), optimizer, shares)
    state = TrainingState(weights, adam, loader, settings.evaluation.ema)
    parts = (training, optimizer, settings.evaluation)
    setting = Setting(
        wrapped,
        *parts,
        watcher,
        folder,
        where,
        group,
        stopped,
        _named(material),
        began,
        items="examples",
        thawing=moving.Thawing.of(weights.names, names, settings.moving.unfreeze),
        noted=lambda: _replayed(loader, state),
    )
    trained = sum(weight.numel() for weight in weights.master)
    return Run(state, setting, tuple(_notes(settings, loader, trained, model, steps)), trained, looking)


def planned(settings: Tune, loader: Batches) -> int | None:
    """Updates in all, as the trainer will count them."""
    training = settings.training
    limits = [training.steps] if training.steps else []
    if training.epochs:
        limits.append(-(-loader.batches(training.epochs) // training.accumulate))
    return min(limits, default=None)


def _objective(settings: Tune, job: Job, dtype: torch.dtype) -> nn.Module:
    """The task's, read twice or anchored to the untouched model where that is asked for."""
    objective = job.objective(settings.training.label_smoothing)
    weight = settings.guard.anchor
    if not weight:
        return agreeing(objective, settings.training.agreement.r_drop)
    return anchored(objective, job.model, weight, settings.method, dtype)


def anchored(
    objective: Learning, model: nn.Module, weight: float, method: str, dtype: torch.dtype = torch.float32
) -> Anchored:
    """Under LoRA the untouched model is the same without its adapter; else it is a copy, in the type computed in."""
    if method == "full":
        return Anchored(objective, copy.deepcopy(model).to(dtype), weight)
    return Anchored(objective, model, weight, lambda: selected(model, None))


def _apart(job: Job, base: Base, settings: Tune, group: distributed.Group) -> Job:
    """The job that looks: the same, or one with a whole model where the trained one is split among processes."""
    if not (settings.training.shard and group.world > 1 and group.first):
        return job
    twin = copy.deepcopy(job.model)
    told = getattr(job, "labels", ()), getattr(job, "single", False)
    if isinstance(base, OwnBase):
        return job_for(replace(base, model=twin), settings, *told)  # type: ignore[arg-type]  # of the same class
    opened = replace(base.opened, model=twin)  # type: ignore[arg-type]
    return job_for(replace(base, opened=opened), settings, *told)


def _named(material: Material) -> Callable[[int], str]:
    """Where an item of a batch stands; those of the replay come behind the others."""
    places = material.places
    return lambda item: places[item] if item < len(places) else f"example {item + 1}"


def _replayed(loader: ExampleLoader | Mixed, state: TrainingState) -> tuple[Noted, ...]:
    """The share that was replayed in the end."""
    if not isinstance(loader, Mixed):
        return ()
    main, second = loader.counts
    told: dict[str, float | str] = {
        "share": loader.actual,
        "asked": loader.share,
        "examples": float(main),
        "replayed": float(second),
    }
    return (Noted(state.progress.step, "replay", told),)


def _notes(
    settings: Tune, loader: ExampleLoader | Mixed, trained: int, model: nn.Module, steps: int | None
) -> list[str]:
    weights = sum(p.numel() for p in model.parameters())
    found = [f"model: {weights:,} parameters, {trained:,} of them trained"]
    if steps is not None and steps < FEW and settings.training.steps is None:
        found.append(f"{steps} updates in all, which is few: smaller --examples.batch or more --epochs make more")
    if loader.oversized:
        longer = f"{loader.oversized:,} examples are longer than --training.batch-tokens"
        found.append(f"{longer} {settings.training.batch_tokens:,}: each makes a batch of its own")
    return found
