"""Weights as the hub keeps them: one safetensors file or several with an index, read in place, never twice in memory.

A tensor that is used as it lies in the file is mapped there and read from the disk when it is first used: `mapping`.
Others are read straight into the weight that they fill, or, where its type is another, through a block of a few
megabytes. So the peak is the model, whatever the size of the files. Nothing here can run code: files that could
(pickle) are refused by what they are, not by what they are called.
"""

import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from seqwise.checkpoints import mapping
from seqwise.checkpoints.tensors import LENGTH, NAMES, damaged
from seqwise.errors import CheckpointError, nearest

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
TYPES = {name: dtype for dtype, name in NAMES.items()}
BLOCK = 1 << 22  # bytes converted at a time


@dataclass(frozen=True)
class Place:
    """Where a tensor lies."""

    file: Path
    dtype: torch.dtype
    shape: tuple[int, ...]
    begin: int
    """First byte in the file."""
    end: int


class Shards:
    """The tensors of a folder by name; nothing is read but the headers until one is asked for."""

    def __init__(self, places: Mapping[str, Place]) -> None:
        self.places = places
        self._rooms = threading.local()  # one of each thread for all its tensors: many of unlike sizes leave holes

    @classmethod
    def open(cls, folder: Path) -> "Shards":
        """Find the files, check that all that the index tells is there, read the headers."""
        index = folder / INDEX
        if index.is_file():
            return cls(_indexed(folder, _read_index(index)))
        whole = folder / WEIGHTS
        if whole.is_file():
            return cls(_header(whole))
        pickled = sorted(path.name for path in folder.glob("*") if path.suffix in PICKLED)
        if pickled:
            raise CheckpointError(
                given=f"{folder} with {pickled[0]}, which could run code when it is opened",
                allowed=f"weights in {WEIGHTS}",
                mend="a revision of the model with safetensors files, or converting it on a machine that may be lost",
            )
        raise CheckpointError(
            given=f"{folder} without {WEIGHTS}",
            allowed=f"{WEIGHTS}, or shards with {INDEX}",
            mend="downloading the folder again, whole",
        )

    def __contains__(self, name: str) -> bool:
        return name in self.places

    def __iter__(self) -> Iterator[str]:
        return iter(self.places)

    def copy_into(self, name: str, target: Tensor, transposed: bool = False) -> None:
        """Copy a tensor to where it belongs; where the type or the order is another, block by block."""
        place = self.places[name]
        if target.dtype == place.dtype and target.is_contiguous() and not transposed:
            _read(place, place.begin, target)
            return
        rows = place.shape[0] if place.shape else 1
        row = (place.end - place.begin) // max(1, rows)  # bytes
        many = max(1, BLOCK // max(1, row))
        room: Tensor | None = getattr(self._rooms, "room", None)
        if room is None or len(room) < many * row:
            room = self._rooms.room = torch.empty(many * row, dtype=torch.uint8)
        for first in range(0, rows, many):
            count = min(many, rows - first)
            block = room[: count * row].view(place.dtype).view(count, *place.shape[1:])
            _read(place, place.begin + first * row, block)
            into = target[:, first : first + count] if transposed else target[first : first + count]
            into.copy_(block.t() if transposed else block)

    def mapped(self, *names: str) -> Tensor | None:
        """Tensors as they lie in the file, rows of one behind those of the other, read when they are used.

        Writing to it changes memory and not the file. None where they cannot be had without a copy.
        """
        places = [self.places[name] for name in names]
        first = places[0]
        if any(place.file != first.file or place.dtype != first.dtype for place in places):
            return None
        if any(place.begin % place.dtype.itemsize for place in places):
            return None
        found = mapping.mapped(first.file, [(place.begin, place.end) for place in places])
        if found is None:
            return None
        if len(places) == 1:
            return found.view(first.dtype).view(first.shape)
        return found.view(first.dtype).view(sum(place.shape[0] for place in places), *first.shape[1:])

    def get(self, name: str) -> Tensor:
        """A copy of a tensor, as it is."""
        place = self.places[name]
        found = torch.empty(place.shape, dtype=place.dtype)
        _read(place, place.begin, found)
        return found


def _read(place: Place, begin: int, target: Tensor) -> None:
    """Bytes of the file, straight into a tensor's memory."""
    if target.numel() == 0:
        return
    room = target.reshape(-1).view(torch.uint8).numpy().data
    with open(place.file, "rb", buffering=0) as file:
        file.seek(begin)
        while len(room):
            count = file.readinto(room)  # at most 2 GB at a time
            if not count:
                raise CheckpointError(
                    given=f"{place.file}, which became shorter while it was read",
                    allowed="a file that nobody writes meanwhile",
                    mend="again, once it is whole",
                )
            room = room[count:]


def _indexed(folder: Path, wanted: Mapping[str, str]) -> dict[str, Place]:
    headers: dict[str, dict[str, Place]] = {}
    for file in sorted(set(wanted.values())):
        path = folder / file
        if Path(file).name != file:
            raise CheckpointError(
                given=f"{INDEX} that tells of {file!r}, which leads out of {folder}",
                allowed="names of files beside it",
                mend="another copy of the model; nothing was loaded",
            )
        if not path.is_file():
            raise CheckpointError(
                given=f"{folder} without {file}, which {INDEX} tells of",
                allowed=f"all {len(set(wanted.values()))} shards",
                mend="downloading the missing shard",
            )
        headers[file] = _header(path)
    for name, file in wanted.items():
        if name not in headers[file]:
            raise CheckpointError(
                given=f"{INDEX} that promises {name} in {file}, which lacks it",
                allowed="an index of the shards beside it",
                mend="downloading index and shards again, of one revision",
                where=str(folder / INDEX),
            )
    return {name: place for header in headers.values() for name, place in header.items()}


def _read_index(path: Path) -> dict[str, str]:
    try:
        found = json.loads(path.read_text("utf-8"))["weight_map"]
        if not isinstance(found, dict) or not all(isinstance(file, str) for file in found.values()):
            raise ValueError("weight_map is no table of names and files")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise CheckpointError(
            given=f"an index that cannot be read ({error})",
            allowed="JSON with a weight_map",
            mend="downloading it again",
            where=str(path),
        ) from None
    return found


def _header(path: Path) -> dict[str, Place]:
    """Where each tensor of a file lies; the library checks that all of it is there."""
    try:
        _no_pickle(path)
        with safe_open(path, framework="pt"):
            pass
    except SafetensorError as error:
        raise damaged(path, error, "downloading it again") from None
    except OSError as error:
        raise CheckpointError(
            given=f"{path} cannot be read ({error.strerror or error})",
            allowed="a file that this user may read",
            mend=f"chmod u+r {path}",
        ) from None
    with open(path, "rb") as file:
        (length,) = LENGTH.unpack(file.read(LENGTH.size))
        entries: dict[str, Any] = json.loads(file.read(length).decode("utf-8"))
    entries.pop("__metadata__", None)
    start = LENGTH.size + length
    return {name: _place(path, name, entry, start) for name, entry in entries.items()}


def _place(path: Path, name: str, entry: Mapping[str, Any], start: int) -> Place:
    dtype = TYPES.get(entry["dtype"])
    if dtype is None:
        close = nearest(entry["dtype"], TYPES)
        raise CheckpointError(
            given=f"{name} of type {entry['dtype']}",
            allowed="one of " + ", ".join(TYPES) + (f" ({close}?)" if close else ""),
            mend="a revision of the model in one of these",
            where=str(path),
        )
    begin, end = entry["data_offsets"]
    return Place(path, dtype, tuple(entry["shape"]), start + begin, start + end)


def _no_pickle(path: Path) -> None:
    """A pickle or a zip of pickles under another name."""
    with open(path, "rb") as file:
        first = file.read(4)
    if first[:2] == b"PK" or (first[:1] == b"\x80" and first[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05")):
        raise CheckpointError(
            given=f"{path}, which is a pickle and could run code when it is opened",
            allowed="a safetensors file",
            mend="a revision of the model with safetensors files",
        )
