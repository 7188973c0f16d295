"""Adapters in PEFT's layout, which many programs open: adapter_config.json and adapter_model.safetensors.

    attach(model, settings, parts(checkpoint))    weights by the names that PEFT's users know
    save(folder, model, checkpoint)                      of a model with an adapter on it
    load(folder, model, checkpoint)                      one that was made here or by PEFT, beside others if need be
    describe(folder)                                     what it is, without its weights

Several modules of theirs lie in one weight of ours; the tables of the families tell which rows are whose. Read are
plain LoRA, rsLoRA, DoRA, ranks and alphas by pattern, and modules trained whole. Other methods, and starts that change
the model itself (PiSSA, OLoRA, CorDA, LoRA-GA, LoftQ), are refused by name. The config is `adapter_config.py`'s.
"""

import copy
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from seqwise.checkpoints import hub
from seqwise.checkpoints.adapter_config import (
    CONFIG,
    TENSORS,
    Described,
    described,
    labelling,
    labelling_adapted,
    written,
)
from seqwise.checkpoints.adapter_projection import summed
from seqwise.checkpoints.files import make_folder, replacing
from seqwise.checkpoints.hub import Checkpoint
from seqwise.checkpoints.names import Piece, pieces
from seqwise.checkpoints.tensors import damaged, write_tensors
from seqwise.errors import CheckpointError, nearest
from seqwise.models import lora
from seqwise.models.lora import Part
from seqwise.models.lora_layers import LoraLinear
from seqwise.models.lora_pairs import Quantized, Slot
from seqwise.models.lora_targets import Plan

PREFIX = "base_model.model."
_PAIR = re.compile(r"(.+)\.(lora_A|lora_B|lora_magnitude_vector)(?:\.weight)?")
_FOREIGN = re.compile(r".+\.(lora_embedding_[AB]|lora_B\.bias|base_layer\..+|token_adapter\..+)")
_BASE = ".base_layer.weight"
AGAIN = "copying or downloading it again"


def parts(checkpoint: Checkpoint) -> dict[str, tuple[Part, ...]]:
    """Which rows of our weights are which module of theirs: our module -> its parts."""
    found: dict[str, tuple[Part, ...]] = {}
    for name, told in _pieces(checkpoint).items():
        module, _, leaf = name.rpartition(".")
        if leaf == "weight":
            found[module] = tuple(Part(one.written[0].removesuffix(".weight"), one.first, one.rows) for one in told)
    return found


def _pieces(checkpoint: Checkpoint) -> dict[str, tuple[Piece, ...]]:
    """Of each of our parameters, its parts by their names; also of a projection that shares its weight with a table."""
    model = hub.empty(checkpoint)
    model.head = copy.deepcopy(model.head)
    prefix = "" if checkpoint.head.task == "vectors" else checkpoint.family.prefix
    return pieces(checkpoint.family, checkpoint.head, model, prefix)


def is_adapter(folder: Path) -> bool:
    """Whether a folder looks like an adapter."""
    return (folder / CONFIG).is_file()


def describe(folder: Path) -> Described:
    """What an adapter is: of which model, with which settings."""
    return described(folder)


def save(
    folder: Path,
    model: nn.Module,
    checkpoint: Checkpoint,
    adapter: str = "default",
    base: str | None = None,
    weights: Mapping[str, Tensor] | None = None,
) -> None:
    """Write an adapter in PEFT's layout.

    base      the name of the model that it belongs to; the folder of the checkpoint unless given
    weights   by the names that the model has them under, where they are not the model's own: as training keeps them
    """
    settings = lora.settings_of(model, adapter)
    known = {part.name for found in parts(checkpoint).values() for part in found}
    kept = dict(weights or {})
    tensors: dict[str, Tensor] = {}
    slots: list[Slot] = []
    for name, layer in lora.layers(model):
        for slot in layer.slots.get(adapter, ()):
            _must_be_theirs(slot, known)
            slots.append(slot)
            for kind, theirs in KINDS[: 3 if settings.dora else 2]:
                ours = f"{name}.{kind}.{adapter}.{slot.part.leaf}"
                tensors[f"{slot.part.name}.{theirs}"] = kept.get(ours, model.get_parameter(ours))
    whole = dict(_whole(checkpoint, model, adapter, kept, slots))
    modules = {name.rpartition(".")[0] for name in whole}
    text = written(checkpoint, settings, slots, known, modules, base)
    make_folder(folder)
    stored = {PREFIX + name: tensor.detach() for name, tensor in (tensors | whole).items()}
    write_tensors(folder / TENSORS, stored, {"format": "pt"})
    with replacing(folder / CONFIG, len(text)) as file:
        file.write(text)


KINDS = (("lora_a", "lora_A.weight"), ("lora_b", "lora_B.weight"), ("lora_magnitude", "lora_magnitude_vector"))
"""Names of a pair, ours and theirs."""


def _must_be_theirs(slot: Slot, known: set[str]) -> None:
    if slot.part.name not in known:
        raise CheckpointError(
            given=f"an adapter on {slot.part.name}, which is our name",
            allowed="names of the hub's modules for an adapter in PEFT's layout",
            mend="merging it into the model, or attaching it with the parts of the checkpoint",
        )


def _whole(
    checkpoint: Checkpoint, model: nn.Module, adapter: str, kept: Mapping[str, Tensor], slots: list[Slot]
) -> Iterator[tuple[str, Tensor]]:
    """Weights of modules that are trained whole, by their names; of a head for labels always, since PEFT reads it."""
    trained = tuple(f"{name}." for name in lora.whole(model, adapter))
    always = "labels" in checkpoint.head.task and not labelling_adapted(slots)
    with lora.selected(model, adapter):
        for ours, told in _pieces(checkpoint).items():
            for piece in told:
                held = always and labelling(piece.written[0].rpartition(".")[0]) is not None
                if ours.startswith(trained) or held:
                    rows = piece.of(kept.get(ours, model.get_parameter(ours)))
                    yield piece.written[0], rows.t() if piece.transposed else rows


@dataclass(frozen=True)
class _File:
    """What an adapter's file holds, by their names."""

    folder: Path
    pairs: dict[str, dict[str, Tensor]]
    """Module -> lora_A, lora_B, lora_magnitude_vector."""
    whole: dict[str, Tensor]
    """Weight -> its numbers."""
    bases: dict[str, Tensor]
    """Module -> the weight that its pair was trained beside, where the file has it."""


def load(folder: Path, model: nn.Module, checkpoint: Checkpoint, adapter: str = "default") -> Described:
    """Put an adapter on the model that it was trained on, and let it answer."""
    told = described(folder)
    file = _sorted(folder)
    table = _pieces(checkpoint)
    where = {part.name: (ours, part) for ours, found in parts(checkpoint).items() for part in found}
    _leave_aside(file, where, checkpoint)
    file.whole.update(summed(told, file.pairs, file.bases, where, table, model))
    if file.bases:
        raise _foreign(f"{next(iter(file.bases))}.base_layer.weight", folder)
    slots: dict[str, list[Slot]] = {}
    for name, pair in file.pairs.items():
        ours, part = _place(file, name, where, checkpoint)
        slots.setdefault(ours, []).append(_slot(told, part, pair, model.get_submodule(ours), folder))
    _must_be_all(told, file, where, model)
    owners = {piece.written[0]: (ours, piece) for ours, told_ in table.items() for piece in told_}
    modules = _trained_whole(file, owners, table, model, checkpoint)
    planned = Plan(
        {name: tuple(sorted(found, key=lambda one: one.part.first)) for name, found in slots.items()}, modules
    )
    lora.install(model, told.settings, planned, adapter)
    with torch.no_grad():
        for name, pair in file.pairs.items():
            ours, part = where[name]
            for kind, theirs in KINDS:
                if (tensor := pair.get(theirs.removesuffix(".weight"))) is not None:
                    model.get_parameter(f"{ours}.{kind}.{adapter}.{part.leaf}").copy_(tensor)
        for name, tensor in file.whole.items():
            ours, piece = owners[name]
            piece.of(model.get_parameter(ours)).copy_(tensor.t() if piece.transposed else tensor)
    return told


def _sorted(folder: Path) -> _File:
    """Read the file, and tell pairs from weights that were trained whole."""
    found = _File(folder, {}, {}, {})
    for key, tensor in read(folder / TENSORS).items():
        name = key.removeprefix(PREFIX)
        if name.endswith(_BASE):
            found.bases[name.removesuffix(_BASE)] = tensor
            continue
        if _FOREIGN.fullmatch(name):
            raise _foreign(name, folder)
        pair = _PAIR.fullmatch(name)
        if pair:
            found.pairs.setdefault(pair.group(1), {})[pair.group(2)] = tensor
        else:
            found.whole[name] = tensor
    return found


def _foreign(name: str, folder: Path) -> CheckpointError:
    return CheckpointError(
        given=f"{name} in {folder / TENSORS}",
        allowed="pairs on products, and modules that were trained whole",
        mend="an adapter without adapted embeddings and biases",
    )


def _leave_aside(file: _File, known: Collection[str], checkpoint: Checkpoint) -> None:
    """Forget pairs on modules that our model does not need, such as BERT's pooler where vectors are asked for."""
    spare = re.compile(checkpoint.family.leftovers)
    for name in [name for name in file.pairs if name not in known and spare.match(f"{name}.weight")]:
        del file.pairs[name]


def read(path: Path) -> dict[str, Tensor]:
    """The tensors of an adapter's file, under their names there."""
    if not path.is_file():
        pickled = (path.parent / "adapter_model.bin").is_file()
        raise CheckpointError(
            given=f"{path.parent} with adapter_model.bin, which could run code when it is opened"
            if pickled
            else f"{path.parent} without {path.name}",
            allowed=path.name,
            mend="saving it again in PEFT, which writes safetensors" if pickled else AGAIN,
        )
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no mapping)
    except SafetensorError as error:
        raise damaged(path, error, AGAIN) from None
    except OSError as error:
        raise CheckpointError(
            given=f"{path} cannot be read ({error.strerror or error})",
            allowed="a file that this user may read",
            mend=f"chmod u+r {path}",
        ) from None


def _place(file: _File, name: str, where: Mapping[str, tuple[str, Part]], checkpoint: Checkpoint) -> tuple[str, Part]:
    if name not in where:
        close = nearest(name, where)
        raise CheckpointError(
            given=f"an adapter for {name}, which {checkpoint.architecture} does not have",
            allowed=f"modules of the model that it is put on{f', such as {close}' if close else ''}",
            mend="the model that base_model_name_or_path in its config names",
            where=str(file.folder),
        )
    return where[name]


def _slot(told: Described, part: Part, pair: Mapping[str, Tensor], module: nn.Module, folder: Path) -> Slot:
    """The part with its rank, once the shapes are known to fit."""
    if not isinstance(module, nn.Linear | Quantized | LoraLinear):
        raise CheckpointError(
            given=f"a pair on {part.name} in {folder}",
            allowed="pairs on products inside of the layers",
            mend="training it with that module in modules_to_save, or without it",
        )
    rank = told.rank(part.name)
    wanted: dict[str, tuple[int, ...]] = {"lora_A": (rank, int(module.in_features)), "lora_B": (part.rows, rank)}
    if told.settings.dora:
        wanted["lora_magnitude_vector"] = (part.rows,)
    if pair.keys() != wanted.keys():
        raise CheckpointError(
            given=f"{part.name} with " + " and ".join(sorted(pair)),
            allowed=" and ".join(wanted),
            mend=f"{AGAIN}, config and weights of one adapter",
            where=str(folder / TENSORS),
        )
    for kind, shape in wanted.items():
        if tuple(pair[kind].shape) != shape:
            raise CheckpointError(
                given=f"{kind} of {part.name} of shape {list(pair[kind].shape)}",
                allowed=f"{list(shape)}, by its config and by the model",
                mend="the model that base_model_name_or_path names, config and weights of one adapter",
                where=str(folder / TENSORS),
            )
    return Slot(part, rank, told.alpha(part.name), told.settings.rslora)


def _must_be_all(told: Described, file: _File, where: Mapping[str, tuple[str, Part]], model: nn.Module) -> None:
    """The file has pairs for the modules that the config names, and for no others."""
    if told.settings.targets == ("all-linear",):
        return
    lacking = [
        name
        for name, (ours, _) in where.items()
        if name not in file.pairs
        and told.means(name)
        and isinstance(model.get_submodule(ours), nn.Linear | Quantized | LoraLinear)
    ]
    spare = [name for name in file.pairs if not told.means(name)]
    if lacking or spare:
        given = f"no pair for {lacking[0]}" if lacking else f"a pair for {spare[0]}"
        raise CheckpointError(
            given=f"{given} in {file.folder / TENSORS}",
            allowed=f"pairs for the modules that {CONFIG} names, all of them and no others",
            mend=f"{AGAIN}, config and weights of one adapter",
        )


def _trained_whole(
    file: _File,
    owners: Mapping[str, tuple[str, Piece]],
    table: Mapping[str, tuple[Piece, ...]],
    model: nn.Module,
    checkpoint: Checkpoint,
) -> tuple[str, ...]:
    """Our modules that were trained whole, once it is known that all of their weights are there and fit."""
    modules: dict[str, None] = {}
    for name, tensor in file.whole.items():
        if name not in owners:
            _place(file, name, {one: ("", Part("", 0, 0)) for one in owners}, checkpoint)
        ours, piece = owners[name]
        modules[ours.rpartition(".")[0]] = None
        shape = tuple(piece.of(model.get_parameter(ours)).shape)
        shape = shape[::-1] if piece.transposed else shape
        if tuple(tensor.shape) != shape:
            raise CheckpointError(
                given=f"{name} of shape {list(tensor.shape)}",
                allowed=f"{list(shape)}, as {checkpoint.architecture} has it here",
                mend="a model with as many labels or tokens as the one that it was trained on",
                where=str(file.folder / TENSORS),
            )
    for ours, told in table.items():
        for piece in told if ours.rpartition(".")[0] in modules else ():
            if piece.written[0] not in file.whole:
                raise CheckpointError(
                    given=f"{file.folder / TENSORS} without {piece.written[0]}",
                    allowed="all weights of modules that were trained whole",
                    mend=AGAIN,
                )
    return tuple(modules)
