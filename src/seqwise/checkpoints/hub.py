"""Checkpoints of the hub: a folder with config.json and safetensors weights, opened as a model of ours, and written.

    found = open_checkpoint("name or folder")     what it is; nothing of the weights is read yet
    model = load(found, torch.bfloat16)           one copy of the weights, read shard by shard
    model = load(found, quantize="nf4")           products in four bits, one after the other while they are read
    save(model, found, folder)                    the same format, for everyone who reads it

Which families there are stands in the tables. Refused, with what to do instead: pickled weights, remote code,
architectures without a table, weights that do not fit the config.
"""

import json
import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from seqwise.checkpoints import quantized, soundness
from seqwise.checkpoints.decoders import DECODERS
from seqwise.checkpoints.encoder_decoders import ENCODER_DECODERS, STACKS
from seqwise.checkpoints.encoders import ENCODERS
from seqwise.checkpoints.families import Family, Head, Raw
from seqwise.checkpoints.names import Piece, pieces
from seqwise.checkpoints.shards import INDEX, WEIGHTS, Shards
from seqwise.checkpoints.weights import built
from seqwise.errors import CheckpointError, nearest
from seqwise.models import nf4
from seqwise.models.assemble import Pretrained, build_pretrained
from seqwise.models.nf4_codec import Quantized

FAMILIES: dict[str, Family] = {family.name: family for family in (*ENCODERS, *DECODERS, *ENCODER_DECODERS)}
ARCHITECTURES: dict[str, tuple[Family, Head]] = {
    name: (family, head) for family in FAMILIES.values() for name, head in family.heads.items()
}
CONFIG, GENERATION = "config.json", "generation_config.json"
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16, "float64": torch.float64}
_OLD_NAMES = ((re.compile(r"\bgamma$"), "weight"), (re.compile(r"\bbeta$"), "bias"))

Store = Callable[[str, Tensor], nn.Parameter]
"""Makes a parameter of a weight that is about to be filled: quantizes it, perhaps."""


@dataclass(frozen=True)
class Checkpoint:
    """A folder in the hub's format, and what it is."""

    folder: Path
    config: Mapping[str, Any]
    generation: Mapping[str, Any]
    """What generation_config.json says, if there is one."""
    architecture: str
    family: Family
    head: Head

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """Names of the labels, by number."""
        told = self.config.get("id2label")
        named = told if isinstance(told, Mapping) else {}
        count = int(self.config.get("num_labels") or len(named) or 2)
        return tuple(str(named.get(str(i), named.get(i, f"LABEL_{i}"))) for i in range(max(count, len(named))))

    def check(self) -> None:
        """Refuse sizes and a type that cannot be read, before anything is built of them."""
        _ = self.sizes, self.dtype

    @property
    def sizes(self) -> tuple[int, int | None]:
        """Tokens of the vocabulary; and of the target's, where it may differ."""
        told = [self.config.get(name) for name in self.family.vocabulary]
        if not isinstance(told[0], int) or told[0] < 1 or not all(isinstance(one, int | None) for one in told):
            raise CheckpointError(
                given=f"{self.folder / CONFIG} with {self.family.vocabulary[0]} {told[0]!r}",
                allowed="the number of tokens",
                mend="downloading the folder again, whole",
            )
        return told[0], (told[1] or told[0]) if len(told) > 1 else None

    @property
    def dtype(self) -> torch.dtype:
        """The type that the weights are meant to be used in."""
        told = str(self.config.get("dtype") or self.config.get("torch_dtype") or "auto").removeprefix("torch.")
        told = "float32" if told == "auto" else told
        if told not in DTYPES:
            raise CheckpointError(
                given=f"dtype {told!r} in {self.folder / CONFIG}",
                allowed="one of " + ", ".join(DTYPES),
                mend=f"writing {nearest(told, DTYPES) or 'float32'} there; the weights themselves tell their type",
            )
        return DTYPES[told]


def is_checkpoint(folder: Path) -> bool:
    """Whether a folder looks like one of the hub's."""
    return (folder / CONFIG).is_file()


def open_checkpoint(folder: Path) -> Checkpoint:
    """Read config.json and find the table of the family. `folder` is local: see `download.locate`."""
    config = _json(folder / CONFIG)
    generation = _json(folder / GENERATION) if (folder / GENERATION).is_file() else {}
    named = _writing(_named(config), config)
    if "auto_map" in config and named not in ARCHITECTURES:
        raise CheckpointError(
            given=f"{folder} brings its own code (auto_map in {CONFIG})",
            allowed="an architecture that Seqwise knows: " + ", ".join(FAMILIES),
            mend="a model of one of these families; code of a download is never run",
        )
    if named not in ARCHITECTURES:
        raise soundness.unknown(named, config, ARCHITECTURES, FAMILIES)
    family, head = ARCHITECTURES[named]
    if head.task == "masked" and not _has_head(folder, head):
        named, head = next((name, one) for name, one in family.heads.items() if one.task == "vectors")
    found = Checkpoint(folder, config, generation, named, family, head)
    found.check()
    quantized.check(folder, config)
    soundness.settings(folder, config, family)
    soundness.head(folder, config, head)
    return found


def _has_head(folder: Path, head: Head) -> bool:
    """Whether any tensor of a head is in the file: encoders of sentences often name one that was not saved."""
    if not any((folder / name).is_file() for name in (INDEX, WEIGHTS)):
        return True
    theirs = [one for told in head.weights.values() for one in (told.names if isinstance(told, Raw) else (told,))]
    return any(name.startswith(tuple(map(str, theirs))) for name in renamed(Shards.open(folder)))


def _named(config: Mapping[str, Any]) -> str:
    """The architecture. Old files tell the family only: then it is the plain model, or what writes."""
    told = config.get("architectures")
    if told:
        return str(told[0] if isinstance(told, list) else told)
    family = FAMILIES.get(str(config.get("model_type")))
    if family is None:
        return str(config.get("model_type") or "none")
    tasks = {head.task: name for name, head in family.heads.items()}
    return tasks.get("tokens") or tasks.get("vectors") or next(iter(family.heads))


def _writing(named: str, config: Mapping[str, Any]) -> str:
    """What writes on the bare stacks of an encoder-decoder, where its projection is the table of the tokens; BART's
    first files name the stacks only."""
    writing = STACKS.get(named)
    if writing is None:
        return named
    tied = ARCHITECTURES[writing][0].settings["embeddings.tied"].read(config)
    return writing if tied in ("all", "output") else named


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
        if not isinstance(found, dict):
            raise ValueError("no object")
    except FileNotFoundError:
        raise CheckpointError(
            given=f"{path.parent} without {path.name}",
            allowed="a folder in the hub's format",
            mend="downloading the folder again, whole, or the name of a run",
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(
            given=f"a file that cannot be read as JSON ({error})",
            allowed=f"a whole {path.name}",
            mend="downloading it again",
            where=str(path),
        ) from None
    return found


def load(
    checkpoint: Checkpoint,
    dtype: torch.dtype | None = None,
    device: torch.device | str = "cpu",
    store: Store | None = None,
    quantize: Literal["nf4", "none"] | None = None,
) -> Pretrained:
    """The model, with its weights, in `dtype`, or the type that the checkpoint names. Peak: the weights.

    store      makes each parameter; plain ones unless given
    quantize   nf4: products of the stacks in four bits; none: nothing, whatever the files; None: what the files have so
    """
    kept = checkpoint.dtype if dtype is None else dtype
    model = empty(checkpoint)
    shards = renamed(Shards.open(checkpoint.folder))
    prefix = _prefix(checkpoint, shards)
    wanted = pieces(checkpoint.family, checkpoint.head, model, prefix)
    _must_fit(checkpoint, model, shards, wanted)
    owners = places(model)
    four = quantized.chosen(model, wanted, shards, quantize)

    def weight_of(name: str) -> Tensor | tuple[Quantized, ...]:
        with torch.no_grad():  # of this thread
            shape, parts = model.get_parameter(name).shape, wanted[name]
            if name not in four:
                return built(shape, kept, parts, shards)
            return quantized.codes(parts, shards, lambda one: built((one.rows, shape[1]), kept, (one,), shards))

    layers: dict[str, nf4.NF4Linear] = {}
    with ThreadPoolExecutor(1 if four else torch.get_num_threads()) as pool:  # one at a time, or memory holds several
        for name, weight in zip(wanted, pool.map(weight_of, wanted), strict=True):
            if isinstance(weight, tuple):
                layers[name.removesuffix(".weight")] = nf4.NF4Linear(weight, None, kept).to(device)
                continue
            made = nn.Parameter(weight.to(device)) if store is None else store(name, weight)
            for module, leaf in owners[name]:
                setattr(module, leaf, made)
    for module in model.modules():  # buffers hold no numbers that were read: made anew where they belong
        for leaf, buffer in module.named_buffers(recurse=False):
            setattr(module, leaf, torch.zeros(buffer.shape, dtype=buffer.dtype, device=device))
    nf4.replace(model, layers)
    return model.eval()


def empty(checkpoint: Checkpoint) -> Pretrained:
    """The model without memory for its weights."""
    folder, config = checkpoint.folder, checkpoint.config
    settings = soundness.settings(folder, config, checkpoint.family)
    head = soundness.head(folder, config, checkpoint.head)
    padding = config.get("pad_token_id") or 0
    with torch.device("meta"), _Undrawn():
        return soundness.understood(folder, lambda: build_pretrained(settings, head, *checkpoint.sizes, padding))


class _Undrawn(TorchFunctionMode):
    """Draws no numbers that are overwritten anyway: without memory, to draw them brings in 800 modules and 75 MB."""

    def __torch_function__(
        self, called: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), named: Any = None
    ) -> Any:
        """Every call but those as it is."""
        if called in (nn.init.normal_, nn.init.uniform_, nn.init.kaiming_uniform_):
            return args[0] if args else (named or {})["tensor"]
        return called(*args, **(named or {}))


def renamed(shards: Shards) -> Shards:
    """Names as they are today: the first BERTs said gamma and beta."""
    places = {}
    for name, place in shards.places.items():
        for old, new in _OLD_NAMES:
            name = old.sub(new, name)
        places[name] = place
    return quantized.unfolded(Shards(places))


def _prefix(checkpoint: Checkpoint, shards: Shards) -> str:
    """Some files hold the bare stack, whatever their architecture; others hold it behind a name."""
    prefix = checkpoint.family.prefix
    return prefix if any(name.startswith(prefix) for name in shards) else ""


def places(model: nn.Module) -> dict[str, list[tuple[nn.Module, str]]]:
    """Every place of each weight, by its first name: shared ones have several."""
    first: dict[int, str] = {}
    owners: dict[str, list[tuple[nn.Module, str]]] = {}
    for name, weight in model.named_parameters(remove_duplicate=False):
        kept = first.setdefault(id(weight), name)
        module, _, leaf = name.rpartition(".")
        owners.setdefault(kept, []).append((model.get_submodule(module), leaf))
    return owners


def _must_fit(
    checkpoint: Checkpoint, model: nn.Module, shards: Shards, wanted: Mapping[str, tuple[Piece, ...]]
) -> None:
    """Every weight is there and has the shape that the config asks for; nothing is left over."""
    used: set[str] = set()
    for name, parts in wanted.items():
        for part in parts:
            found = next((one for one in part.names if one in shards), None)
            if found is None:
                if part.optional:
                    continue
                raise CheckpointError(
                    given=f"{checkpoint.folder} without the tensor {part.names[0]}",
                    allowed=f"all weights of {checkpoint.architecture}",
                    mend="downloading it again, or the architecture that these weights are of in config.json",
                )
            used.update(one for one in part.names if one in shards)
            shape = tuple(part.of(model.get_parameter(name)).shape)
            shape = shape[::-1] if part.transposed and not quantized.is_stored(shards, found) else shape
            given = shards.places[found].shape
            if given != shape and given != (1, *shape):
                raise CheckpointError(
                    given=f"{found} of shape {list(given)} in {checkpoint.folder}",
                    allowed=f"{list(shape)}, as its config.json has it",
                    mend="config and weights of one revision",
                )
    spare = re.compile(checkpoint.family.leftovers)
    strange = sorted(name for name in shards if name not in used and not spare.match(name))
    if strange:
        more = f" and {len(strange) - 1} more" if len(strange) > 1 else ""
        raise CheckpointError(
            given=f"{checkpoint.folder} with {strange[0]}{more}, which {checkpoint.architecture} does not have",
            allowed="the weights of that architecture and no others",
            mend="config and weights of one revision; were they left out, the answers would be others",
        )


def state(model: nn.Module, checkpoint: Checkpoint, packed: bool = False) -> dict[str, Tensor]:
    """The weights under their names, as transformers saves them: shared ones once.

    packed   those in four bits as they are, in bitsandbytes' layout; in full unless asked for
    """
    prefix = "" if checkpoint.head.task == "vectors" else checkpoint.family.prefix
    four = {f"{name}.weight": part for name, part in model.named_modules() if isinstance(part, nf4.NF4Linear)}
    weights = dict(model.named_parameters())
    told: dict[str, Tensor] = {}
    for name, parts in pieces(checkpoint.family, checkpoint.head, empty(checkpoint) if four else model, prefix).items():
        if packed and name in four:
            told |= quantized.packed(parts, four[name])
            continue
        weight = four[name].dequantized(four[name].dtype) if name in four else weights[name]
        for part in parts:
            piece = part.of(weight)
            piece = piece.t() if part.transposed else piece
            for written in part.written:
                shaped = piece[None] if written == "final_logits_bias" else piece
                told[written] = shaped if written == part.written[0] else shaped.clone()  # or it would be stored once
    return told


def retyped(checkpoint: Checkpoint, dtype: torch.dtype) -> Checkpoint:
    """The same, told to be of another type."""
    name = str(dtype).removeprefix("torch.")
    kept = {key: value for key, value in checkpoint.config.items() if key not in ("torch_dtype", quantized.KEY)}
    return replace(checkpoint, config={**kept, "dtype": name, "architectures": [checkpoint.architecture]})
