"""Weights in four bits (NF4) in files of the hub, as bitsandbytes lays them out: read, written, or made while loading.

A linear layer W of N rows and K columns is

    W.weight                              uint8, (N K / 2, 1)     two codes a byte, the first in the upper half
    W.weight.absmax                       uint8 codes, or fp32    the scale of each block
    W.weight.nested_absmax                fp32                    the scale of each 256 of those codes
    W.weight.quant_map, .nested_quant_map fp32                    what the codes stand for
    W.weight.quant_state.bitsandbytes__nf4                        JSON as bytes: shape, type, sizes, the offset

and config.json says so under quantization_config. Whoever asks for such a weight gets it in full; `stored` tells the
codes. fp4, eight bits and other ways to quantize are refused.
"""

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from seqwise.checkpoints.families import Head
from seqwise.checkpoints.names import Piece
from seqwise.checkpoints.shards import Shards
from seqwise.errors import CheckpointError
from seqwise.models import nf4_codec
from seqwise.models.linear import Linear
from seqwise.models.nf4 import NF4Linear, products
from seqwise.models.nf4_codec import GROUP, Quantized

METHOD, KEY = "bitsandbytes", "quantization_config"
STATE = ".quant_state.bitsandbytes__nf4"
BESIDE = (".absmax", ".quant_map", ".nested_absmax", ".nested_quant_map", STATE)
BLOCKS = (32, 64, 128, 256, 512, 1024, 2048, 4096)  # that bitsandbytes knows
CPU = torch.device("cpu")
TYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
KEPT = re.compile(r".*\.DenseReluDense\.wo\.weight")
"""What transformers never puts into four bits, nor opens so: T5 was trained in bf16 and overflows there in fp16."""
NEAR = 1e-6  # of two tables that are the same


def check(folder: Path, config: Mapping[str, Any]) -> None:
    """Refuse folders that were quantized in any way but this one."""
    told = config.get(KEY)
    if told is None:
        return
    told = told if isinstance(told, Mapping) else {"quant_method": "unknown"}
    method, eight = str(told.get("quant_method", METHOD)), bool(told.get("load_in_8bit"))
    kind = str(told.get("bnb_4bit_quant_type", "fp4"))
    if method == METHOD and not eight and kind == "nf4":
        return
    way = f" with {'8 bits' if eight else kind}" if method == METHOD else ""
    raise CheckpointError(
        given=f"{folder} quantized by {method}{way}",
        allowed=f"weights that are not quantized, or quantized by {METHOD} with bnb_4bit_quant_type nf4",
        mend="the original of the model: it can be put into four bits while it is loaded",
    )


class QuantizedShards(Shards):
    """Tensors by name, some of them in four bits: their places tell shape and type of the weight that is meant."""

    def __init__(self, shards: Shards) -> None:
        self.states: dict[str, Mapping[str, Any]] = {}
        self.raw = shards
        places = dict(shards.places)
        for key in [name for name in places if name.endswith(STATE)]:
            name = key.removesuffix(STATE)
            told = self.states[name] = _state(shards, name)
            places[name] = replace(places[name], shape=tuple(told["shape"]), dtype=TYPES[told["dtype"]])
            for ending in BESIDE:
                places.pop(name + ending, None)
        super().__init__(places)

    def stored(self, name: str) -> Quantized | None:
        """The codes of a weight; None where it is not in four bits."""
        if name not in self.states:
            return None
        told, raw = self.states[name], self.raw
        nested = f"{name}.nested_absmax" in raw
        return Quantized(
            raw.get(name).view(torch.uint8).view(-1),
            raw.get(f"{name}.absmax"),
            raw.get(f"{name}.nested_absmax") if nested else None,
            torch.tensor(float(told["nested_offset"])) if nested else None,
            tuple(told["shape"]),
            told["blocksize"],
        )

    def copy_into(self, name: str, target: Tensor, transposed: bool = False) -> None:
        """Copy a tensor to where it belongs. What is in four bits lies there outputs first, as ours do."""
        found = self.stored(name)
        if found is None:
            super().copy_into(name, target, transposed)
        else:
            target.copy_(nf4_codec.dequantize(found, target.dtype))

    def mapped(self, *names: str) -> Tensor | None:
        """Tensors as they lie in the file; none in four bits lies there as it is used."""
        return None if any(name in self.states for name in names) else super().mapped(*names)

    def get(self, name: str) -> Tensor:
        """A copy of a tensor, as it is; one in four bits in full."""
        found = self.stored(name)
        return super().get(name) if found is None else nf4_codec.dequantize(found, self.places[name].dtype)


def unfolded(shards: Shards) -> Shards:
    """The same tensors, with those in four bits told as the weights that they stand for."""
    return QuantizedShards(shards) if any(name.endswith(STATE) for name in shards) else shards


def _state(shards: Shards, name: str) -> Mapping[str, Any]:
    """What is told about a weight; refused where it does not fit the tensors beside it."""
    try:
        told = json.loads(bytes(shards.get(name + STATE).numpy()))
        (rows, columns), block = told["shape"], told["blocksize"]
        if any(type(size) is not int or size < 1 for size in (rows, columns, block)):  # two below 0 have a product too
            raise ValueError(f"shape {told['shape']!r} in blocks of {block!r}")
        if block not in BLOCKS or told["quant_type"] != "nf4" or told["dtype"] not in TYPES:
            raise ValueError(f"blocks of {block}, {told['quant_type']}, {told['dtype']}")
        count = rows * columns
        nested = name + ".nested_absmax" in shards
        many = -(-count // block)
        wanted = {"": -(-count // 2), ".absmax": many * (1 if nested else 4), ".quant_map": 64}
        if nested:
            wanted |= {".nested_absmax": -(-many // GROUP) * 4, ".nested_quant_map": 1024}
            if told["nested_blocksize"] != GROUP or told["nested_dtype"] != "float32":
                raise ValueError(f"groups of {told['nested_blocksize']}")
            if not math.isfinite(float(told["nested_offset"])):
                raise ValueError(f"an offset of {told['nested_offset']}")
        for ending, size in wanted.items():
            place = shards.places[name + ending]
            if place.end - place.begin != size:
                raise ValueError(f"{place.end - place.begin} bytes of {name + ending} where {size} belong")
        _same(shards.get(name + ".quant_map"), nf4_codec.levels(CPU))
        if nested:
            _same(shards.get(name + ".nested_quant_map"), nf4_codec.dynamic(CPU))
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise CheckpointError(
            given=f"{name} in four bits that cannot be read ({error})",
            allowed=f"NF4 as {METHOD} writes it",
            mend="downloading it again, or the original of the model",
            where=str(shards.places[name + STATE].file),
        ) from None
    return {**told, "shape": (rows, columns)}


def _same(table: Tensor, ours: Tensor) -> None:
    if table.dtype != ours.dtype or not torch.allclose(table.view(-1), ours, rtol=0.0, atol=NEAR):
        raise ValueError("codes that stand for other values")


def is_stored(shards: Shards, name: str) -> bool:
    """Whether the file has a weight in four bits."""
    return isinstance(shards, QuantizedShards) and name in shards.states


def chosen(
    model: nn.Module, wanted: Mapping[str, tuple[Piece, ...]], shards: Shards, quantize: str | None
) -> frozenset[str]:
    """Names of the weights that become an `NF4Linear`.

    quantize   nf4: all products of the stacks; None: what the file has in four bits; none: nothing
    """
    if quantize == "none":
        return frozenset()
    made = {f"{name}.weight" for name, _ in products(model)} if quantize == "nf4" else set()
    made -= {name for name in made if any(KEPT.fullmatch(part.written[0]) for part in wanted[name])}
    stored = shards.states if isinstance(shards, QuantizedShards) else {}
    for name, parts in wanted.items():
        product = name.endswith(".weight") and isinstance(model.get_submodule(name.rpartition(".")[0]), Linear)
        if product and all(any(one in stored for one in part.names) for part in parts):
            made.add(name)
    return frozenset(made)


def codes(parts: tuple[Piece, ...], shards: Shards, read: Callable[[Piece], Tensor]) -> tuple[Quantized, ...]:
    """Each part of a weight in four bits: as the file has it, or else made of what `read` finds of that part."""
    found = []
    for part in parts:
        name = next((one for one in part.names if one in shards), "")
        stored = shards.stored(name) if isinstance(shards, QuantizedShards) else None
        if stored is None:
            stored = nf4_codec.quantize(read(replace(part, first=0)))
        found.append(stored)
    return tuple(found)


def packed(parts: tuple[Piece, ...], layer: NF4Linear) -> dict[str, Tensor]:
    """All weights that lie in one of our layers, as bitsandbytes writes them."""
    if layer.rows != tuple(part.rows for part in parts):
        raise CheckpointError(
            given=f"{parts[0].written[0]} put into four bits with rows that are others in the file ({layer.rows})",
            allowed="each tensor of the file by itself",
            mend="loading the checkpoint in four bits, or writing it in full",
        )
    found: dict[str, Tensor] = {}
    for part, one in zip(parts, layer.parts, strict=True):
        found |= tensors(part.written[0], one, layer.dtype)
    return found


def tensors(name: str, part: Quantized, dtype: torch.dtype) -> dict[str, Tensor]:
    """One weight as bitsandbytes writes it.

    dtype   of the weight that was quantized
    """
    told: dict[str, Any] = {
        "quant_type": "nf4",
        "blocksize": part.block,
        "dtype": str(dtype).removeprefix("torch."),
        "shape": part.shape,
    }
    cpu = part.packed.cpu()
    found = {name: cpu.view(-1, 1).clone(), f"{name}.absmax": part.scales.cpu().clone()}
    found[f"{name}.quant_map"] = nf4_codec.levels(CPU).clone()
    if part.groups is not None and part.offset is not None:
        found[f"{name}.nested_absmax"] = part.groups.cpu().clone()
        found[f"{name}.nested_quant_map"] = nf4_codec.dynamic(CPU).clone()
        told |= {"nested_blocksize": GROUP, "nested_dtype": "float32", "nested_offset": float(part.offset)}
    found[name + STATE] = torch.tensor(list(json.dumps(told).encode()), dtype=torch.uint8)
    return found


def described(config: Mapping[str, Any], written: Iterable[str], nested: bool, head: Head) -> dict[str, Any]:
    """config.json of a folder with such weights.

    written   names of all tensors: what is no weight in four bits is told as left out
    """
    names = set(written)
    whole = {name.removesuffix(".weight") for name in names if name.endswith(".weight") and name + STATE not in names}
    heads = {one for theirs in head.weights.values() if isinstance(theirs, str) for one in theirs.split("|")}
    return {
        **config,
        KEY: {
            "quant_method": METHOD,
            "load_in_4bit": True,
            "load_in_8bit": False,
            "bnb_4bit_quant_type": "nf4",
            "bnb_4bit_use_double_quant": nested,
            "bnb_4bit_compute_dtype": config.get("dtype", "float32"),
            "bnb_4bit_quant_storage": "uint8",
            "llm_int8_skip_modules": sorted(whole | heads | {"lm_head"}),
        },
    }
