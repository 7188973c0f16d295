"""A checkpoint with one or several adapters on it, which are switched without loading anything again."""

from collections.abc import Sequence
from itertools import count
from pathlib import Path

import torch
from torch import nn

from seqwise import device as devices
from seqwise.checkpoints import adapter_heads, adapters, heads, hub
from seqwise.checkpoints.download import locate
from seqwise.checkpoints.hub import Checkpoint
from seqwise.checkpoints.run import CONFIG, RunFolder
from seqwise.data import pretrained
from seqwise.errors import CheckpointError, ConfigError
from seqwise.models.linear import instructions
from seqwise.tasks.pretrained import IDS, Opened, quick
from seqwise.tasks.tuning.bases import weights_of
from seqwise.tasks.tuning.settings import Tune
from seqwise.tasks.tuning.stored import ADAPTER, is_tuned, must_be, read_facts, read_tune
from seqwise.tasks.tuning.wording import worded


def open_adapted(
    model: str, folders: Sequence[Path], revision: str | None, where: str, precision: devices.Precision
) -> tuple[Opened, tuple[str, ...], tuple[str, ...]]:
    """The base with these adapters, folders of PEFT or runs of `seqwise tune`; the adapters' names; what the user
    should know of them."""
    device = devices.pick(where)
    chosen = devices.resolved(precision, device)
    if chosen == "int8":
        raise ConfigError("--precision int8 with --adapter", "fp32 or bf16", "--precision fp32, or a merged model")
    dtype = torch.bfloat16 if chosen == "bf16" and (device.type != "cpu" or instructions()) else torch.float32
    checkpoint = hub.open_checkpoint(locate(model, revision))
    ids = {key: checkpoint.generation[key] for key in IDS if key in checkpoint.generation}
    words = pretrained.load(checkpoint.folder, {**checkpoint.config, **ids})
    words, told = worded(words, checkpoint.folder, [_place(folder) for folder in folders])
    for folder in filter(is_tuned, folders):
        must_be(weights_of(checkpoint.folder), read_facts(RunFolder.open(folder)))
    labels = _labels(folders, checkpoint)
    wanted = heads.labelled(checkpoint, labels, _naming(folders)) if labels else checkpoint
    four = _four(folders)
    read = dtype if four is None else devices.precision(four.training.precision, device)
    loaded, fresh = heads.load(checkpoint, wanted, read, device, None if four is None else "nf4")
    names = _names(folders)
    for name, folder in zip(names, folders, strict=True):
        adapters.load(_place(folder), loaded, wanted, name)
        adapter_heads.must_be_whole(_place(folder), loaded, fresh, name)
    loaded.to(dtype).eval()
    quick(loaded, dtype)
    return Opened(wanted, loaded, words, device), names, (*told, *_notes(folders))


def alone(folder: Path) -> bool:
    """Whether this is an adapter in PEFT's layout and nothing else, though the config of its base may lie beside it."""
    try:
        whole = hub.is_checkpoint(folder) and any(folder.glob("model*.safetensors"))
        return adapters.is_adapter(folder) and not whole and not is_tuned(folder)
    except OSError:  # a name that no file can have
        return False


def on_its_base(folder: Path, revision: str | None) -> tuple[str, str | None]:
    """The model that an adapter names as its base, and of which revision; a base that is a folder here has none."""
    told = adapters.describe(folder)
    if told.base is None:
        raise CheckpointError(
            given=f"{folder}, an adapter that names no base",
            allowed="base_model_name_or_path in its config",
            mend=f"seqwise predict BASE --adapter {folder}",
        )
    kept = None if Path(told.base).expanduser().is_dir() else told.revision
    return told.base, revision or kept


def _run_of(folder: Path) -> Path | None:
    """The run of ours that an adapter is: the folder itself, or the one that its files lie in."""
    place = folder.absolute()
    return next((one for one in (place, *[place.parent] * (place.name == ADAPTER)) if is_tuned(one)), None)


def _by_method(folders: Sequence[Path]) -> dict[Path, Tune | None]:
    """The settings of those that are QLoRA of ours; nothing of the others."""
    runs = {folder: _run_of(folder) for folder in folders}
    found = {folder: None if run is None else read_tune(RunFolder.open(run)) for folder, run in runs.items()}
    return {folder: one if one is not None and one.method == "qlora" else None for folder, one in found.items()}


def _four(folders: Sequence[Path]) -> Tune | None:
    """Settings of a run, where all adapters were trained on a base in four bits."""
    found = list(_by_method(folders).values())
    return found[0] if all(one is not None for one in found) else None


def _notes(folders: Sequence[Path]) -> tuple[str, ...]:
    """What the user should know of the base that adapters were put on."""
    found = _by_method(folders)
    four = ", ".join(str(folder) for folder, one in found.items() if one is not None)
    if not four:
        return ()
    if _four(folders) is not None:
        return (f"the base is in four bits (NF4), on which QLoRA trained {four}",)
    others = ", ".join(str(folder) for folder, one in found.items() if one is None)
    return (
        f"the base is not in four bits (NF4), on which QLoRA trained {four}, since it is shared with {others}: answers "
        "differ a little; a call for each has each on its own",
    )


def _place(folder: Path) -> Path:
    """Where the files of an adapter lie."""
    if is_tuned(folder):
        place = folder / ADAPTER
        if not adapters.is_adapter(place):
            raise CheckpointError(
                given=f"{folder} without {ADAPTER}",
                allowed="a run of LoRA that came to its end",
                mend=f"seqwise tune {folder / CONFIG} --resume, or seqwise export {folder} --to peft",
            )
        return place
    if not adapters.is_adapter(folder):
        raise CheckpointError(
            given=f"{folder}, which is no adapter",
            allowed="a folder with adapter_config.json, or a run of seqwise tune",
            mend="the folder that PEFT saved",
        )
    return folder


def _labels(folders: Sequence[Path], checkpoint: Checkpoint) -> tuple[str, ...]:
    """The labels that all adapters share; none where the checkpoint's own head is meant."""
    known = {one for one in (_labels_of(folder, checkpoint) for folder in folders) if one is not None}
    named = {one for one in known if one != adapter_heads.unnamed(len(one))} or known
    if len(named) > 1 or len(set(map(len, known))) > 1:
        raise ConfigError(
            "adapters with different labels on one base", "adapters for the same labels", "a call for each of them"
        )
    return next(iter(named), ())


def _labels_of(folder: Path, checkpoint: Checkpoint) -> tuple[str, ...] | None:
    """Of one; None where it brings no head for labels."""
    run = _run_of(folder)
    if is_tuned(folder) and run is not None:
        return read_facts(RunFolder.open(run)).labels
    found = adapter_heads.labels_of(_place(folder), checkpoint)
    if found is None or run is None:
        return found
    named = read_facts(RunFolder.open(run)).labels
    return named if len(named) == len(found) else found


def _naming(folders: Sequence[Path]) -> adapter_heads.Labelling:
    """What all of them name: texts, or the tokens of one."""
    tasks = {"labels" if is_tuned(folder) else adapter_heads.task_of(_place(folder)) for folder in folders} - {None}
    if len(tasks) > 1:
        given = "adapters for labels of texts and of tokens on one base"
        raise ConfigError(given, "adapters for the same labels", "a call for each of them")
    return "token labels" if "token labels" in tasks else "labels"


def _names(folders: Sequence[Path]) -> tuple[str, ...]:
    """A name for each, by its folder."""
    names = [folder.absolute().name.replace(".", "-") or "adapter" for folder in folders]
    names = [f"adapter-{name}" if hasattr(nn.ModuleDict(), name) else name for name in names]  # torch's own words
    found: list[str] = []
    for name in names:
        numbered = (f"{name}-{i}" for i in count(1))
        taken = {*names, *found}
        found.append(name if names.count(name) == 1 else next(one for one in numbered if one not in taken))
    return tuple(found)
