"""A checkpoint with one or several adapters on it, which are switched without loading anything again."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from seqwise import device as devices
from seqwise.checkpoints import adapters, heads, hub
from seqwise.checkpoints.download import locate
from seqwise.checkpoints.run import RunFolder
from seqwise.data import pretrained
from seqwise.errors import CheckpointError, ConfigError
from seqwise.models.linear import instructions
from seqwise.tasks.pretrained import IDS, Opened
from seqwise.tasks.tuning.bases import weights_of
from seqwise.tasks.tuning.stored import ADAPTER, is_tuned, must_be, read_facts


def open_adapted(
    model: str, folders: Sequence[Path], revision: str | None, where: str, precision: devices.Precision
) -> tuple[Opened, tuple[str, ...]]:
    """The base with these adapters, folders of PEFT or runs of `seqwise tune`; and the adapters' names."""
    device = devices.pick(where)
    chosen = devices.resolved(precision, device)
    if chosen == "int8":
        raise ConfigError("--precision int8 with --adapter", "fp32 or bf16", "--precision fp32, or a merged model")
    dtype = torch.bfloat16 if chosen == "bf16" and (device.type != "cpu" or instructions()) else torch.float32
    checkpoint = hub.open_checkpoint(locate(model, revision))
    ids = {key: checkpoint.generation[key] for key in IDS if key in checkpoint.generation}
    words = pretrained.load(checkpoint.folder, {**checkpoint.config, **ids})
    for folder in filter(is_tuned, folders):
        must_be(weights_of(checkpoint.folder), read_facts(RunFolder.open(folder)))
    labels = _labels(folders)
    wanted = heads.labelled(checkpoint, labels) if labels else checkpoint
    loaded, _ = heads.load(checkpoint, wanted, dtype, device)
    names = _names(folders)
    for name, folder in zip(names, folders, strict=True):
        adapters.load(_place(folder), loaded, wanted, name)
    loaded.to(dtype).eval()
    return Opened(wanted, loaded, words, device), names


def _place(folder: Path) -> Path:
    """Where the files of an adapter lie."""
    if is_tuned(folder):
        place = folder / ADAPTER
        if not adapters.is_adapter(place):
            raise CheckpointError(
                given=f"{folder} without {ADAPTER}",
                allowed="a run of LoRA that came to its end",
                mend=f"seqwise export {folder} --to peft, or --resume",
            )
        return place
    if not adapters.is_adapter(folder):
        raise CheckpointError(
            given=f"{folder}, which is no adapter",
            allowed="a folder with adapter_config.json, or a run of seqwise tune",
            mend="the folder that PEFT saved",
        )
    return folder


def _labels(folders: Sequence[Path]) -> tuple[str, ...]:
    """The labels that all adapters share; none where the checkpoint's own head is meant."""
    found = {read_facts(RunFolder.open(folder)).labels for folder in folders if is_tuned(folder)}
    if len(found) > 1:
        raise ConfigError(
            "adapters with different labels on one base", "adapters for the same labels", "a call for each of them"
        )
    return next(iter(found), ())


def _names(folders: Sequence[Path]) -> tuple[str, ...]:
    """A name for each, by its folder."""
    names = [folder.absolute().name.replace(".", "-") or "adapter" for folder in folders]
    names = [f"adapter-{name}" if hasattr(nn.ModuleDict, name) else name for name in names]  # torch's own words
    return tuple(name if names.count(name) == 1 else f"{name}-{i}" for i, name in enumerate(names, 1))
