"""A tuned run for others: its adapter in PEFT's layout, or the whole model with the adapter in its weights."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from seqwise.checkpoints import adapters, export
from seqwise.checkpoints.hub import Checkpoint
from seqwise.checkpoints.run import RunFolder
from seqwise.config import to_yaml
from seqwise.data.tokens import Vocabularies
from seqwise.errors import ConfigError
from seqwise.models import lora
from seqwise.models.decoder import Decoder
from seqwise.models.heads import NextToken
from seqwise.tasks.pretrained import Opened
from seqwise.tasks.running import LABELS
from seqwise.tasks.settings import Train
from seqwise.tasks.stored import read_settings
from seqwise.tasks.translation import Translator
from seqwise.tasks.tuning.bases import HEAD, REWRITING
from seqwise.tasks.tuning.jobs import layout
from seqwise.tasks.tuning.stored import BASE, open_tuned, read_facts, read_tune


def whole(place: Path, dtype: torch.dtype | None = None) -> tuple[Opened | Translator, tuple[str, ...]]:
    """The model with all that it learnt in plain weights, and what merging lost.

    dtype   that the weights will be kept in; the checkpoint's unless given
    """
    run = RunFolder.open(place)
    settings, facts = read_tune(run), read_facts(run)
    found = open_tuned(place, "cpu", "fp32", merged=False)
    if not isinstance(found, Opened):
        return found[0], ()
    if settings.method == "full" or facts.kind == "own":  # the latter is merged already
        return found, ()
    merged = lora.merge(found.model, dtype=found.checkpoint.dtype if dtype is None else dtype)
    note = f"merged: {merged.weights:,} weights, each to {merged.error:.2g} of the exact sum"
    if settings.method == "qlora":
        note += "; the base keeps the rounding to four bits that the adapter was trained on"
    if not merged.untied:
        return found, (note,)
    return replace(found, checkpoint=_parted(found.checkpoint)), (note,)


def _parted(checkpoint: Checkpoint) -> Checkpoint:
    """With a head of its own, which transformers would leave aside unless it is told. T5 takes the same key for whether
    vectors are made smaller before the head, unless that is told too."""
    config = {**checkpoint.config, "tie_word_embeddings": False}
    if "scale" in checkpoint.head.settings and config.get("scale_decoder_outputs") is None:
        config["scale_decoder_outputs"] = True
    return replace(checkpoint, config=config)


def write_peft(place: Path, folder: Path) -> tuple[str, ...]:
    """The adapter by itself, as `peft.PeftModel.from_pretrained` reads it."""
    run = RunFolder.open(place)
    settings, facts = read_tune(run), read_facts(run)
    if settings.method == "full":
        raise ConfigError(f"--to peft for {place}, in which all weights were tuned", "a run of LoRA", "--to hf")
    found = open_tuned(place, "cpu", "fp32", merged=False)
    if not isinstance(found, Opened) or facts.kind == "own":
        raise ConfigError(
            f"--to peft for {place}, a run of Seqwise's own model", "a checkpoint of the hub", "--to merged"
        )
    adapters.save(folder, found.model, found.checkpoint, base=facts.place)
    export.copy_files(found.checkpoint.folder, folder)
    return (f"belongs to {facts.place}",)


def asked_as(place: Path, opened: Opened | Translator) -> tuple[str, ...]:
    """What a decoder that was tuned to rewrite texts is asked, which no file of the hub tells."""
    settings = read_tune(RunFolder.open(place))
    if isinstance(opened, Translator) or settings.task not in REWRITING or not isinstance(opened.model, Decoder):
        return ()
    return (f"asked as it learnt to be, with a text in place of {{text}}: {layout(opened, settings)!r}",)


def base_settings(place: Path) -> Train:
    """The settings of the run that was tuned."""
    return read_settings(RunFolder(place / BASE))


def is_own(place: Path) -> bool:
    """Whether a tuned run was made from a run of ours."""
    return read_facts(RunFolder.open(place)).kind == "own"


def write_run(place: Path, folder: Path, model: nn.Module) -> None:
    """A run of ours that was tuned, as a run like any other."""
    made, run = RunFolder(folder), RunFolder(place)
    write_small(RunFolder(place / BASE), made, model, read_facts(run).labels)
    made.save_model(dict(model.named_parameters()))
    made.save_signature(run.load_signature())


def write_small(small: RunFolder, made: RunFolder, model: nn.Module, labels: Sequence[str]) -> None:
    """Settings, vocabularies and labels of a run of ours, as its model is now.

    A head that was trained whole has left the table that it shared; settings that have both share one would load the
    head over the table.
    """
    settings = read_settings(small)
    told = settings.model.embeddings.tied
    if told in ("all", "output") and isinstance(head := getattr(model, HEAD), NextToken) and not _shares(model, head):
        parted = replace(settings.model.embeddings, tied="source-target" if told == "all" else "none")
        settings = replace(settings, model=replace(settings.model, embeddings=parted))
        made.save_config(to_yaml(settings, comments=True))
    else:
        made.save_config(small.load_config())
    Vocabularies.load(small.path).save(made.path)
    if labels:
        made.write_json(LABELS, {"labels": list(labels)})


def _shares(model: nn.Module, head: NextToken) -> bool:
    """Whether the head is one of the tables."""
    names = [name for name, weight in model.named_parameters(remove_duplicate=False) if weight is head.weight]
    return len(names) > 1
