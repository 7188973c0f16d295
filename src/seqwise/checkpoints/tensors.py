"""Named tensors in a safetensors file: 8 bytes of length, a JSON header, the numbers. Loading runs no code.

We write the format ourselves and read it with the library. The library writes through a temporary file of
its own, tells neither the number of a system's error nor when the bytes are on the disk, and gives the file
to its owner alone.

A tensor under several names (tied weights) is stored once, under the first of them; the other names stand in
the file's metadata as `tied` and come back as the same tensor. So `model.state_dict()` goes in and out as it
is. Programs that know nothing of this see the first name only, as they expect of tied weights.

Left out: complex and quantized types, and machines that put the most significant byte first.
"""

import json
import struct
from collections.abc import Mapping
from pathlib import Path

import torch
from jaxtyping import Shaped
from safetensors import SafetensorError, safe_open
from torch import Tensor

from seqwise.checkpoints.files import replacing
from seqwise.errors import CheckpointError

LENGTH = struct.Struct("<Q")  # of the header, the file's first 8 bytes
ALIGNMENT = 8  # bytes; the numbers begin at a multiple, so that a memory map can be used as it is
TIED = "tied"
NAMES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.float8_e4m3fn: "F8_E4M3",
    torch.float8_e5m2: "F8_E5M2",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}

Tensors = dict[str, Shaped[Tensor, "..."]]


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> None:
    """Write all tensors, wherever they lie, and the metadata; atomic."""
    distinct, tied = _untie(tensors)
    order = sorted(distinct, key=lambda name: (-distinct[name].element_size(), name))  # keeps each aligned
    header: dict[str, object] = {"__metadata__": {**(metadata or {}), **({TIED: json.dumps(tied)} if tied else {})}}
    end = 0
    for name in order:
        tensor = distinct[name]
        begin, end = end, end + tensor.numel() * tensor.element_size()
        header[name] = {
            "dtype": _name(name, tensor),
            "shape": list(tensor.shape),
            "data_offsets": [begin, end],
        }
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % ALIGNMENT)
    with replacing(path, LENGTH.size + len(text) + end) as file:
        file.write(LENGTH.pack(len(text)) + text)
        # one at a time: a model on an accelerator never stands twice in memory
        for name in filter(lambda name: distinct[name].numel(), order):
            plain = distinct[name].detach().cpu().contiguous().reshape(-1)
            file.write(plain.view(torch.uint8).numpy().data)


def read_tensors(path: Path) -> Tensors:
    """All tensors of the file, on the CPU. Their numbers are read from the disk when first used."""
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no mapping)
            metadata = file.metadata() or {}
    except FileNotFoundError as error:
        raise CheckpointError(
            given=f"there is no {path.name} in {path.parent}",
            allowed="a run that has saved its weights",
            mend="training longer, with --resume, until the first evaluation",
        ) from error
    except OSError as error:
        raise CheckpointError(
            given=f"{path} cannot be read ({error.strerror or error})",
            allowed="a file that this user may read",
            mend=f"chmod u+r {path}",
        ) from error
    except SafetensorError as error:
        raise damaged(path, error) from error
    tied: dict[str, str] = json.loads(metadata.get(TIED, "{}"))
    return {**tensors, **{name: tensors[kept] for name, kept in tied.items()}}


def read_metadata(path: Path) -> dict[str, str]:
    """The texts that were stored with the tensors."""
    read: dict[str, str] = {}
    try:
        with safe_open(path, framework="pt") as file:
            read.update(file.metadata() or {})
    except SafetensorError as error:
        raise damaged(path, error) from error
    read.pop(TIED, None)
    return read


def _untie(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Each distinct tensor under its first name, and the name that each further name stands for."""
    first: dict[tuple[object, ...], str] = {}
    distinct: dict[str, Tensor] = {}
    tied: dict[str, str] = {}
    for name, tensor in tensors.items():
        place = (tensor.device, tensor.data_ptr(), tensor.dtype, tensor.shape, tensor.stride())
        if tensor.numel() and (kept := first.setdefault(place, name)) != name:
            tied[name] = kept
        else:
            distinct[name] = tensor
    return distinct, tied


def _name(name: str, tensor: Tensor) -> str:
    if (known := NAMES.get(tensor.dtype)) is None:
        raise CheckpointError(
            given=f"tensor {name} is of type {tensor.dtype}",
            allowed="one of " + ", ".join(sorted(str(dtype).removeprefix("torch.") for dtype in NAMES)),
            mend="converting it before saving",
        )
    return known


AGAIN = "copying it again, or training on with --resume, which writes it anew"


def damaged(path: Path, error: SafetensorError, mend: str = AGAIN) -> CheckpointError:
    """Say how much of the file is there and how much its header tells, as far as that can be read."""
    size = path.stat().st_size
    expected = _told(path, size)
    if expected is None:
        return CheckpointError(
            given=f"{size:,} bytes whose header cannot be read ({error})",
            allowed="a whole safetensors file",
            mend=mend,
            where=str(path),
        )
    return CheckpointError(
        given=f"{size:,} bytes are there",
        allowed=f"the {expected:,} that its header tells",
        mend=mend,
        where=str(path),
    )


def _told(path: Path, size: int) -> int | None:
    """Bytes that the file should have by its own header; None where the header makes no sense."""
    with open(path, "rb") as file:
        first = file.read(LENGTH.size)
        if len(first) < LENGTH.size:
            return None
        (length,) = LENGTH.unpack(first)
        begin = LENGTH.size + int(length)
        text = file.read(min(length, size))
    if text[:1] != b"{":
        return None
    if len(text) < length:
        return begin
    try:
        ends = [entry["data_offsets"][1] for name, entry in json.loads(text).items() if name != "__metadata__"]
        expected = begin + max(ends, default=0)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):
        return None
    return expected if expected != size else None
