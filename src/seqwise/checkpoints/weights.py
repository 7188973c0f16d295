"""One weight of ours from tensors of theirs: where they lie in the file, if they can be used so, or put together."""

import torch
from torch import Tensor

from seqwise.checkpoints.names import Piece
from seqwise.checkpoints.shards import Shards


def built(shape: tuple[int, ...], dtype: torch.dtype, parts: tuple[Piece, ...], shards: Shards) -> Tensor:
    """A weight as it lies in the file, where it can be used so; else a copy, put together of its parts."""
    found = _as_stored(shape, dtype, parts, shards)
    if found is not None:
        return found
    weight = torch.empty(shape, dtype=dtype)
    for part in parts:
        _fill(part, weight, shards)
    return weight


def _as_stored(shape: tuple[int, ...], dtype: torch.dtype, parts: tuple[Piece, ...], shards: Shards) -> Tensor | None:
    """Its parts in the file itself, where they have its type and together its shape."""
    names = [next((one for one in part.names if one in shards), None) for part in parts]
    for part, name in zip(parts, names, strict=True):
        if name is None or part.transposed or shards.places[name].dtype != dtype:
            return None
        if shards.places[name].shape != (part.rows, *shape[1:]):
            return None
    return shards.mapped(*filter(None, names))


def _fill(part: Piece, weight: Tensor, shards: Shards) -> None:
    name = next((one for one in part.names if one in shards), None)
    target = part.of(weight)
    if name is None:
        target.zero_()
        return
    if len(shards.places[name].shape) == target.ndim + 1:  # final_logits_bias is a row
        target = target[None]
    shards.copy_into(name, target, part.transposed)
