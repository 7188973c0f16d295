"""The model that is tuned, ready to be trained: opened, given a head, quantized, with LoRA beside its weights.

    PretrainedBase    a checkpoint of the hub
    OwnBase           a run of Seqwise: Transformer or LSTM, which goes on with the task that it was trained for, or
                      rewrites in a prompt what it could only go on with

Which weights are trained stands in their `requires_grad` from here on.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from seqwise import device as devices
from seqwise.checkpoints import adapters, heads, hub
from seqwise.checkpoints.download import locate
from seqwise.checkpoints.files import hash_file
from seqwise.checkpoints.run import MODEL, RunFolder
from seqwise.data import pretrained
from seqwise.data.tokens import Vocabularies
from seqwise.errors import ConfigError
from seqwise.models import assemble
from seqwise.models.decoder import Decoder
from seqwise.models.encoder import Encoder
from seqwise.models.heads import Labels, NextToken
from seqwise.models.layers import set_dropout
from seqwise.models.linear import Repackable
from seqwise.models.lora import LoraSettings, Part, attach
from seqwise.models.transformer import Stack, Transformer
from seqwise.tasks.opening import opened_as, unfilled
from seqwise.tasks.preparation import empty_model
from seqwise.tasks.pretrained import IDS, Opened, is_run
from seqwise.tasks.running import read_labels
from seqwise.tasks.settings import Train
from seqwise.tasks.stored import fill, read_settings
from seqwise.tasks.tuning.settings import Task, Tune
from seqwise.training.moving import settle

HEAD = "head"
REWRITING: tuple[Task, ...] = ("translate", "summarize")
"""Tasks of runs of ours that read one text and write another."""


def weights_of(checkpoint: Path) -> list[Path]:
    """The files of a checkpoint that hold its weights."""
    return sorted(checkpoint.glob("*.safetensors"))


@dataclass(frozen=True)
class PretrainedBase:
    """A checkpoint of the hub."""

    opened: Opened
    fresh: tuple[str, ...] = ()
    """Weights of the head that were drawn, since the checkpoint has none for these labels."""

    @property
    def model(self) -> nn.Module:
        """What is trained."""
        return self.opened.model

    def files(self) -> list[Path]:
        """Its weights."""
        return weights_of(self.opened.checkpoint.folder)

    def parts(self) -> Mapping[str, tuple[Part, ...]]:
        """What our fused weights are called in the hub's files."""
        return adapters.parts(self.opened.checkpoint)


@dataclass(frozen=True)
class OwnBase:
    """A run of Seqwise."""

    folder: RunFolder
    settings: Train
    vocabularies: Vocabularies
    model: assemble.Model
    device: torch.device
    fresh: tuple[str, ...] = ()
    """Weights of the head that were drawn, since the run knows other labels."""
    opened: Opened | None = None
    """As a checkpoint is opened, where it classifies or generates; its model is `model`."""

    def files(self) -> list[Path]:
        """Its weights."""
        return [self.folder.path / MODEL]

    def parts(self) -> None:
        """Ours are called as they are."""


Base = PretrainedBase | OwnBase


def fingerprint(base: Base) -> dict[str, str]:
    """SHA-256 of the files that hold the weights: an adapter fits no others."""
    return {path.name: hash_file(path) for path in base.files()}


def fingerprint_of(settings: Tune) -> dict[str, str]:
    """The same of the model that the settings name, which is not opened."""
    if own(settings.base):
        return {MODEL: hash_file(RunFolder(settings.base).path / MODEL)}
    return {path.name: hash_file(path) for path in weights_of(locate(settings.base, settings.revision))}


def own(model: str) -> bool:
    """Whether the model is a run of ours rather than a checkpoint."""
    return is_run(model)


def open_base(settings: Tune, labels: Sequence[str] = (), seed: int = 1) -> Base:
    """Read the model that the settings name; with a head for these labels where there are any.

    Weights are read in fp32 where all of them are trained, otherwise in the type that is computed in.
    """
    where = devices.pick(settings.training.device)
    dtype = torch.float32 if settings.method == "full" else devices.precision(settings.training.precision, where)
    if own(settings.base):
        return _own(settings, labels, where, seed)
    checkpoint, wanted, words = described(settings, labels)
    torch.manual_seed(seed)
    quantize = {"full": "none", "qlora": "nf4"}.get(settings.method)  # four bits of a file cannot be trained in full
    model, fresh = heads.load(checkpoint, wanted, dtype, where, quantize)  # type: ignore[arg-type]
    return PretrainedBase(Opened(wanted, model, words, where), fresh)


def described(settings: Tune, labels: Sequence[str]) -> tuple[hub.Checkpoint, hub.Checkpoint, pretrained.Pretrained]:
    """The checkpoint as it lies there, the same with a head for these labels, and its tokenizer. No weight is read."""
    checkpoint = hub.open_checkpoint(locate(settings.base, settings.revision))
    ids = {key: checkpoint.generation[key] for key in IDS if key in checkpoint.generation}
    words = pretrained.load(checkpoint.folder, {**checkpoint.config, **ids})
    wanted = heads.labelled(checkpoint, labels) if labels else checkpoint
    if labels and wanted.config.get("pad_token_id") is None:
        wanted = replace(wanted, config={**wanted.config, "pad_token_id": words.source.pad})
    return checkpoint, wanted, words


def must_go_on(settings: Tune) -> None:
    """Refuse a run of ours that was trained for something else: its vocabulary and its shape are made for that. One
    that generates may be asked for translations and summaries in a prompt, as a decoder of the hub may."""
    made = read_settings(RunFolder.open(settings.base))
    allowed_tasks = _learnable(made.task)
    if settings.task not in allowed_tasks:
        allowed = " or ".join(allowed_tasks)
        raise ConfigError(
            f"--task {settings.task} on the run {settings.base}, which was trained to {made.task}",
            f"{allowed}: a run goes on with what it does",
            f"--task {made.task}, or seqwise train --task {settings.task}",
        )
    if settings.method == "qlora":
        raise ConfigError(
            f"--method qlora on the run {settings.base}", "full or lora, since runs of ours are small", "--method lora"
        )


def _learnable(task: Task) -> tuple[Task, ...]:
    """What a run of ours that was trained for this may be tuned for."""
    if task == "generate":
        return (task, *REWRITING)
    return REWRITING if task in REWRITING else (task,)


def known_labels(run: str) -> tuple[str, ...]:
    """Those of a run of ours that classifies."""
    folder = RunFolder.open(run)
    return read_labels(folder) if read_settings(folder).task == "classify" else ()


def _own(settings: Tune, labels: Sequence[str], where: torch.device, seed: int) -> OwnBase:
    must_go_on(settings)
    base = own_base(RunFolder.open(settings.base), labels, where, seed)
    drawn = bool(labels) and tuple(labels) != known_labels(settings.base)
    fill(base.model, base.folder, HEAD if drawn else None)
    base.model.to(where).eval()
    names = [name for name, _ in base.model.named_parameters()] if drawn else []
    return replace(base, fresh=tuple(name for name in names if name.startswith(f"{HEAD}.")))


def own_base(folder: RunFolder, labels: Sequence[str], where: torch.device, seed: int = 1) -> OwnBase:
    """A run of ours with a head for these labels, where it classifies, and with random weights."""
    made, vocabularies = read_settings(folder), Vocabularies.load(folder.path)
    torch.manual_seed(seed)
    if made.task in REWRITING:
        return OwnBase(folder, made, vocabularies, empty_model(made, vocabularies), where)
    model = unfilled(made, vocabularies, labels)
    opened = opened_as(model, folder, made, vocabularies, labels, where)
    return OwnBase(folder, made, vocabularies, model, where, opened=opened)


def must_suit(base: Base, settings: Tune) -> None:
    """Refuse a task that the model cannot learn, before any data are read."""
    model, named = base.model, settings.base
    if settings.guard.anchor and base.fresh:
        raise ConfigError(
            f"--anchor {settings.guard.anchor:g} with a head for labels that was not trained yet",
            "a model that answers already",
            "leaving it out, or --replay",
        )
    if settings.task == "classify" and isinstance(model, Transformer):
        raise ConfigError(f"--task classify with {named}", "an encoder or a decoder", "a BERT or a Llama")
    writes = isinstance(model, Transformer) or isinstance(getattr(model, "head", None), NextToken)
    rewritten = settings.task in ("translate", "summarize") and isinstance(base, PretrainedBase)
    if rewritten and (not writes or isinstance(model, Encoder)):
        raise ConfigError(f"--task {settings.task} with {named}", "a model that writes", "a T5, BART or Llama")
    if settings.task == "generate" and not (isinstance(model, Decoder) and writes):
        raise ConfigError(f"--task generate with {named}", "a decoder that writes", "a GPT-2 or a Llama")


def prepare(base: Base, settings: Tune) -> tuple[str, ...]:
    """Say which weights are trained, and put LoRA beside those it adapts; notes for the user come back."""
    model = base.model
    torch.manual_seed(settings.training.seed)
    _checkpointing(model, settings.examples.checkpointing)
    if settings.guard.base_dropout is not None:
        set_dropout(model, settings.guard.base_dropout)
    if settings.method == "full":
        for weight in model.parameters():
            weight.requires_grad_(True)
        settle(model, settings.moving)
        if isinstance(base, OwnBase) and base.settings.model.embeddings.frozen:
            return ("word vectors that the run kept as they were are trained now",)
        return ()
    trained = with_head(settings.lora, model)
    adapted = attach(model, trained, base.parts())
    weights = sum(p.numel() for p in model.parameters() if p.requires_grad)
    return (f"lora: {len(adapted):,} products of rank {_ranks(trained)}, {weights:,} weights",)


def _ranks(settings: LoraSettings) -> str:
    return f"{settings.rank}, but for {', '.join(settings.ranks)}" if settings.ranks else f"{settings.rank}"


def with_head(settings: LoraSettings, model: nn.Module) -> LoraSettings:
    """A head for labels is trained whole: LoRA beside a random matrix would adapt nothing."""
    if isinstance(getattr(model, "head", None), Labels) and HEAD not in settings.also:
        return replace(settings, also=(*settings.also, HEAD))
    return settings


@contextmanager
def computed_in(model: nn.Module, dtype: torch.dtype) -> Iterator[None]:
    """The model in the type that it will be trained in, for a while: what it answers is compared with what it answers
    then. Its own numbers come back exactly."""
    kept = [(weight, weight.data) for weight in model.parameters() if weight.is_floating_point()]
    if all(data.dtype == dtype for _, data in kept):
        yield
        return
    model.to(dtype)
    try:
        yield
    finally:
        for weight, data in kept:
            weight.data = data
        for part in model.modules():
            if isinstance(part, Repackable):
                part.packed = None  # of the weights of meanwhile, whose addresses may come again


def _checkpointing(model: nn.Module, wanted: bool) -> None:
    stacks = [part for part in model.modules() if isinstance(part, Stack)]
    if wanted and not stacks:
        raise ConfigError("--examples.checkpointing for an LSTM", "it for a Transformer", "leaving it out")
    for stack in stacks:
        stack.checkpointing = wanted
