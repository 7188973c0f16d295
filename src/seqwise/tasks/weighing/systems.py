"""A run or a checkpoint, ready to be asked as another one was tuned: its task, the reading of its files, its labels.

    open_system(tuned)                a run of `seqwise tune`, a run of `seqwise train`, or a checkpoint
    open_system(base, like=tuned)     asked what the tuned run learnt: same prompts, same labels, same reading

A base without a head for the labels is given one with random weights, as tuning does; `fresh` names them. The base is
read in full precision, also where the run was tuned on four bits: they are a price of the method, which the base does
not pay. Left out: runs that forecast, for which `forecasters` is.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import nn

from seqwise import device as devices
from seqwise.checkpoints.run import RunFolder
from seqwise.decoding import Drafting, Generation
from seqwise.errors import ConfigError
from seqwise.models.compact import settle
from seqwise.models.decoder import Decoder
from seqwise.models.heads import NextToken
from seqwise.models.linear import instructions
from seqwise.models.lora import LoraSettings
from seqwise.models.transformer import Transformer
from seqwise.tasks.judging import must_choose
from seqwise.tasks.pretrained import Opened, generation, is_run
from seqwise.tasks.settings import Train
from seqwise.tasks.stored import is_forecast, read_settings
from seqwise.tasks.translation import Translator
from seqwise.tasks.tuning.bases import OwnBase, known_labels, must_suit, open_base
from seqwise.tasks.tuning.checking import must_read
from seqwise.tasks.tuning.items import Items, read
from seqwise.tasks.tuning.jobs import Job, job_for
from seqwise.tasks.tuning.judging import job_on
from seqwise.tasks.tuning.settings import Task, Tune
from seqwise.tasks.tuning.stored import is_tuned, open_tuned, read_facts, read_tune
from seqwise.training.moving import MovingSettings


@dataclass(frozen=True, eq=False)
class System:
    """A model that is weighed."""

    name: str
    """The folder, or the name on the hub."""
    model: nn.Module
    settings: Tune
    """How files are read, and what is put to it."""
    job: Job | None
    """What it does; None of a body without a head that anything could be asked of."""
    opened: Opened | None = None
    """None of a run of ours that translates or summarizes."""
    labels: tuple[str, ...] = ()
    fresh: tuple[str, ...] = ()
    """Weights of a head that was drawn: what it says of labels is chance."""

    @property
    def task(self) -> Task:
        """What it is asked to do."""
        return self.settings.task

    @property
    def writes(self) -> bool:
        """Whether it foresees plain text."""
        return isinstance(self.model, Decoder) and isinstance(self.model.head, NextToken)


def open_system(
    model: str, like: str | None = None, where: str = "auto", precision: devices.Precision = "auto"
) -> System:
    """The model, in evaluation mode.

    like   a run of `seqwise tune`, as which a model that no such run made is asked
    """
    if is_run(model) and is_forecast(model):
        given = f"the forecaster {model}"
        raise ConfigError(given, "models of text", f"seqwise evaluate {model}, which has the naive forecasts beside it")
    device = devices.pick(where)
    if is_tuned(model):
        return _tuned(model, str(device), precision)
    settings, labels = _asked(model, like)
    settings = replace(settings, training=replace(settings.training, device=str(device)))
    base = open_base(settings, labels, settings.training.seed)
    if like is not None:
        must_suit(base, settings)
    made = _settled(base.model, device, devices.resolved(precision, device))
    if isinstance(base, OwnBase):
        opened = None if base.opened is None else replace(base.opened, model=made)  # type: ignore[arg-type]
        base = replace(base, model=made, opened=opened)  # type: ignore[arg-type]
        usual = base.settings.generation
    else:
        base = replace(base, opened=replace(base.opened, model=made))  # type: ignore[arg-type]
        usual = generation(base.opened.checkpoint)
        if like is None:
            settings = replace(settings, task=_task(base.opened) or "classify")
            labels = base.opened.checkpoint.labels
            if _task(base.opened) == "classify":
                must_choose(base.opened)
    settings = _searching(settings, usual)
    able = like is not None or isinstance(base, OwnBase) or _task(base.opened) is not None
    single = like is not None and is_tuned(like) and read_facts(RunFolder.open(like)).single
    job = job_for(base, settings, labels, single) if able else None
    return System(model, made, settings, job, base.opened, tuple(labels) if able else (), base.fresh)


def _tuned(run: str, where: str, precision: devices.Precision) -> System:
    """A run of `seqwise tune`."""
    folder = RunFolder.open(run)
    return of_tuned(run, open_tuned(run, where, precision), read_tune(folder))


def of_tuned(run: str, found: Opened | tuple[Translator, Train], settings: Tune) -> System:
    """The model of a run of `seqwise tune`, opened already."""
    folder = RunFolder.open(run)
    usual = generation(found.checkpoint) if isinstance(found, Opened) else found[1].generation
    settings = _searching(settings, usual)
    job = job_on(found, folder, settings)
    opened = found if isinstance(found, Opened) else None
    return System(run, job.model, settings, job, opened, read_facts(folder).labels)


def _asked(model: str, like: str | None) -> tuple[Tune, tuple[str, ...]]:
    """What is asked of a model that was not tuned, and the labels that it shall name."""
    if like is not None and is_tuned(like):
        folder = RunFolder.open(like)
        settings = replace(
            read_tune(folder), base=model, revision=None, method="full", lora=LoraSettings(), moving=MovingSettings()
        )
        return settings, read_facts(folder).labels
    if not is_run(model):
        return Tune(base=model, method="full"), ()
    made = read_settings(RunFolder.open(model))
    settings = Tune(base=model, method="full", task=made.task, data=made.data, generation=made.generation)
    return settings, known_labels(model)


def _task(opened: Opened | None) -> Task | None:
    """What a checkpoint is for, by its head; None of a body, and of a masked language model."""
    if opened is None:
        return None
    if isinstance(opened.model, Transformer):
        return "translate"
    if opened.checkpoint.head.task == "labels" and len(opened.checkpoint.labels) > 1:
        return "classify"
    return "generate" if opened.checkpoint.head.task == "tokens" and isinstance(opened.model, Decoder) else None


def _searching(settings: Tune, usual: Generation) -> Tune:
    """One output of each text, and the same one each time."""
    made = replace(settings.generation or usual, best=1, temperature=0.0, drafting=Drafting())
    return replace(settings, generation=made)


def _settled(model: nn.Module, device: torch.device, precision: Literal["fp32", "bf16", "int8"]) -> nn.Module:
    """As `open_tuned` leaves a tuned model: in bf16 only where the processor computes in it."""
    narrow = precision == "bf16" and (device.type != "cpu" or instructions())
    return settle(model.to(device, torch.bfloat16 if narrow else torch.float32).eval(), precision)


def items_of(system: System, paths: Sequence[str], cluster: str | None = None) -> Items:
    """The user's files as the system reads them. cluster: a column that says what belongs together."""
    settings = replace(system.settings, split=replace(system.settings.split, group_by=cluster))
    items = read(settings, [str(path) for path in paths], [], grouped=cluster is not None)
    if system.job is not None:
        must_read(system.job, items)
    return items


def fingerprint(model: nn.Module) -> str:
    """A hash of all weights as they stand in memory, whichever folder they came from."""
    told = hashlib.sha256()
    for name, weight in sorted(model.named_parameters()):
        told.update(name.encode())
        told.update(weight.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return told.hexdigest()


def must_differ(base: System, tuned: System) -> None:
    """Refuse a base that is the tuned model."""
    same = base.name == tuned.name or (
        type(base.model) is type(tuned.model) and fingerprint(base.model) == fingerprint(tuned.model)
    )
    if same:
        given = f"{base.name} and {tuned.name} with the same weights"
        raise ConfigError(given, "two different models", "the model that it was tuned from as the first")
