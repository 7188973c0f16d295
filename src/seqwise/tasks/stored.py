"""A run as it lies on disk: its settings read back, its model ready to use."""

from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from seqwise import device
from seqwise.checkpoints.files import hash_file
from seqwise.checkpoints.run import CONFIG, RunFolder
from seqwise.config import resolve
from seqwise.data.tokens import Vocabularies
from seqwise.errors import CheckpointError, ConfigError, Fault
from seqwise.models.compact import settle
from seqwise.models.linear import instructions
from seqwise.models.transformer import Transformer
from seqwise.tasks.preparation import empty_model
from seqwise.tasks.settings import Train
from seqwise.tasks.translation import Translator

FREE = ("resume", "overwrite", "out", "generation", "training.steps", "training.epochs", "training.time_limit",
        "training.device", "training.shard", "evaluation.patience", "evaluation.save_every")  # fmt: skip
"""Settings that a resumed run may change: they decide how long it goes on and where, not what it computes. The last
step is one of them only where the learning rate does not depend on it."""
LAST_STEP = ("training.steps", "training.epochs")
FACTS = "base.json"
"""What a run of `seqwise tune` has beside its settings, and no other run."""


def is_forecast(run: str | Path) -> bool:
    """Whether a folder is a run of `seqwise train forecast`."""
    try:
        lines = (Path(run) / CONFIG).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return False
    return any(line.split("#")[0].rstrip() == "task: forecast" for line in lines)


def read_settings(folder: RunFolder) -> Train:
    """The settings that the run was trained with."""
    if is_forecast(folder.path):
        given = f"the run {folder.path}, which was trained to forecast"
        raise ConfigError(given, "a run that reads text", "seqwise predict or seqwise evaluate, which know both")
    if (folder.path / FACTS).is_file():
        given = f"the run {folder.path}, which was tuned"
        raise ConfigError(given, "a run of seqwise train", f"seqwise export {folder.path} --to merged first")
    return resolve(Train, folder.path / CONFIG, ())


def same_run(given: Train, stored: Train) -> None:
    """Refuse to resume a run with settings under which it would have become another one."""
    free = tuple(
        name for name in FREE if stored.optimizer.schedule in ("inverse-sqrt", "constant") or name not in LAST_STEP
    )
    changed = [name for name in differences(given, stored) if not name.startswith(free)]
    if not changed:
        return
    where = Path(given.out) / CONFIG
    raise ConfigError.of(
        [
            Fault(
                f"{name} is {value_of(given, name)!r} but was {value_of(stored, name)!r}",
                "the settings of the run that is resumed",
                f"seqwise train {where} --resume",
            )
            for name in changed
        ]
    )


def same_data(given: Train, folder: RunFolder) -> None:
    """Refuse to resume on files whose content has changed: the place in the data would mean other pairs."""
    must_be_same((*given.train, *given.valid, *given.test), folder)


def must_be_same(paths: Sequence[str], folder: RunFolder) -> None:
    """Refuse files that are not what the run began with."""
    told = folder.load_signature()["data"]
    changed = [path for path in paths if told.get(path) != hash_file(path)]
    if changed:
        raise ConfigError.of(
            [
                Fault(
                    "its content is not what the run began with",
                    "the same file",
                    "a new run with --out, or the old file",
                    where=path,
                )
                for path in changed
            ]
        )


def differences(a: Any, b: Any, prefix: str = "") -> list[str]:
    """Dotted names of the settings that differ."""
    if type(a) is not type(b):
        return [f"{prefix}kind"]
    found = []
    for field in fields(a):
        one, other = getattr(a, field.name), getattr(b, field.name)
        if is_dataclass(one) and is_dataclass(other):
            found += differences(one, other, f"{prefix}{field.name}.")
        elif one != other:
            found.append(f"{prefix}{field.name}")
    return found


def value_of(settings: Any, name: str) -> Any:
    """The setting of a dotted name."""
    for part in name.split("."):
        settings = getattr(settings, part)
    return settings


def open_translator(
    runs: Sequence[str | Path], where: str = "auto", precision: device.Precision = "fp32"
) -> tuple[Translator, Train]:
    """The model of a run, or of several that vote; and the settings of the first."""
    chosen = device.pick(where)
    kept = device.resolved(precision, chosen)
    folders = [RunFolder.open(run) for run in runs]
    settings = [read_settings(folder) for folder in folders]
    for folder, made in zip(folders, settings, strict=True):
        if made.task not in ("translate", "summarize"):
            given = f"the run {folder.path}, which was trained to {made.task}"
            raise ConfigError(given, "a run that translates or summarizes", "seqwise predict, evaluate or inspect")
    vocabularies = [Vocabularies.load(folder.path) for folder in folders]
    for folder, other in zip(folders[1:], vocabularies[1:], strict=True):
        _must_share(folders[0], vocabularies[0], folder, other)
    models = []
    for folder, made, words in zip(folders, settings, vocabularies, strict=True):
        model = empty_model(made, words)
        fill(model, folder)
        narrow = kept == "bf16" and not (chosen.type == "cpu" and isinstance(model, Transformer) and not instructions())
        settle(model.to(chosen, torch.bfloat16 if narrow else torch.float32).eval(), kept)
        models.append(model)
    return Translator(models, vocabularies[0]), settings[0]


def fill(model: nn.Module, folder: RunFolder, but: str | None = None) -> None:
    """Load the weights of the run into the model; they must be exactly those that it has. but: a part that stays."""
    saved = {name: weight for name, weight in folder.load_model().items() if not _within(name, but)}
    wanted = {name: weight for name, weight in model.named_parameters() if not _within(name, but)}
    wrong = sorted(
        {name for name, weight in wanted.items() if name not in saved or saved[name].shape != weight.shape}
        | (saved.keys() - wanted.keys() - set(model.state_dict()))
    )
    if wrong:
        raise CheckpointError(
            f"{folder.path}: the weights do not fit the settings, first {wrong[0]}",
            f"the weights that belong to its {CONFIG}",
            "copying the whole run folder again, or training anew",
        )
    model.load_state_dict(saved, strict=False)


def _within(name: str, part: str | None) -> bool:
    return part is not None and name.startswith(f"{part}.")


def _must_share(first: RunFolder, words: Vocabularies, other: RunFolder, theirs: Vocabularies) -> None:
    """Models that vote on tokens must mean the same tokens."""
    for mine, yours in ((words.source, theirs.source), (words.target, theirs.target)):
        if mine.size != yours.size or mine.pieces(range(mine.size)) != yours.pieces(range(yours.size)):
            raise ConfigError(
                f"{first.path} and {other.path} have different vocabularies",
                "runs that share one to decide together",
                "training them with the same --tokens.source-file",
            )
