"""A tuned run for others: its adapter in PEFT's layout, or the whole model with the adapter in its weights."""

from dataclasses import replace
from pathlib import Path

import torch

from seqwise.checkpoints import adapters, export
from seqwise.checkpoints.run import RunFolder
from seqwise.config import to_yaml
from seqwise.errors import ConfigError
from seqwise.models import lora
from seqwise.models.assemble import Translator as Translating
from seqwise.tasks.pretrained import Opened
from seqwise.tasks.settings import Train
from seqwise.tasks.stored import read_settings
from seqwise.tasks.translation import Translator
from seqwise.tasks.tuning.stored import BASE, open_tuned, read_facts, read_tune


def whole(place: Path, dtype: torch.dtype | None = None) -> tuple[Opened | Translator, tuple[str, ...]]:
    """The model with all that it learnt in plain weights, and what merging lost.

    dtype   that the weights will be kept in; the checkpoint's unless given
    """
    settings = read_tune(RunFolder.open(place))
    found = open_tuned(place, "cpu", "fp32", merged=False)
    if not isinstance(found, Opened):
        return found[0], ()
    if settings.method == "full":
        return found, ()
    merged = lora.merge(found.model, dtype=found.checkpoint.dtype if dtype is None else dtype)
    note = f"merged: {merged.weights:,} weights, each to {merged.error:.2g} of the exact sum"
    if settings.method == "qlora":
        note += "; the base keeps the rounding to four bits that the adapter was trained on"
    if not merged.untied:
        return found, (note,)
    config = {**found.checkpoint.config, "tie_word_embeddings": False}  # or transformers would leave the head aside
    return replace(found, checkpoint=replace(found.checkpoint, config=config)), (note,)


def write_peft(place: Path, folder: Path) -> tuple[str, ...]:
    """The adapter by itself, as `peft.PeftModel.from_pretrained` reads it."""
    run = RunFolder.open(place)
    settings, facts = read_tune(run), read_facts(run)
    if settings.method == "full":
        raise ConfigError(f"--to peft for {place}, in which all weights were tuned", "a run of LoRA", "--to hf")
    found = open_tuned(place, "cpu", "fp32", merged=False)
    if not isinstance(found, Opened):
        raise ConfigError(
            f"--to peft for {place}, a run of Seqwise's own model", "a checkpoint of the hub", "--to merged"
        )
    adapters.save(folder, found.model, found.checkpoint, base=facts.place)
    export.copy_files(found.checkpoint.folder, folder)
    return (f"belongs to {facts.place}",)


def base_settings(place: Path) -> Train:
    """The settings of the run that was tuned."""
    return read_settings(RunFolder(place / BASE))


def write_run(place: Path, folder: Path, translator: Translator) -> None:
    """A run of ours that was tuned, as a run like any other."""
    made, run, small = RunFolder(folder), RunFolder(place), RunFolder(place / BASE)
    write_small(small, made, translator)
    made.save_model(dict(translator.models[0].named_parameters()))
    made.save_signature(run.load_signature())


def write_small(small: RunFolder, made: RunFolder, translator: Translator) -> None:
    """Settings and vocabularies of a run of ours, as its model is now.

    A head that was trained whole has left the table that it shared; settings that have both share one would load the
    head over the table.
    """
    settings = read_settings(small)
    told = settings.model.embeddings.tied
    if told in ("all", "output") and not _shares(translator.models[0]):
        parted = replace(settings.model.embeddings, tied="source-target" if told == "all" else "none")
        settings = replace(settings, model=replace(settings.model, embeddings=parted))
        made.save_config(to_yaml(settings, comments=True))
    else:
        made.save_config(small.load_config())
    translator.vocabularies.save(made.path)


def _shares(model: Translating) -> bool:
    """Whether the head is one of the tables."""
    head = model.head.weight
    names = [name for name, weight in model.named_parameters(remove_duplicate=False) if weight is head]
    return len(names) > 1
