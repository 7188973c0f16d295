"""Where each weight of a model comes from: their tensors by name, and how several are stacked in one of ours."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from seqwise.checkpoints.families import Family, Gated, Head, Raw, Shared, Theirs
from seqwise.models.attention import MultiHeadAttention
from seqwise.models.transformer import Transformer

_LAYER = re.compile(r"\.layers\.(\d+)\.")


@dataclass(frozen=True)
class Piece:
    """One tensor of theirs, and the rows of ours that it fills."""

    names: tuple[str, ...]
    """The first that the file has is read."""
    written: tuple[str, ...]
    first: int
    rows: int
    transposed: bool
    optional: bool = False
    """Zero where it is missing."""

    def of(self, ours: Tensor) -> Tensor:
        """The rows, as a view; as theirs are stored, if they are stored input first."""
        return ours.detach()[self.first : self.first + self.rows]


def pieces(family: Family, head: Head, model: nn.Module, prefix: str) -> dict[str, tuple[Piece, ...]]:
    """For each weight of the model, shared ones once, the tensors that it is made of.

    prefix   what stands before the names of the stack in the file at hand
    """
    table = {name: _prefixed(theirs, prefix) for name, theirs in family.weights.items()}
    for name, theirs in head.weights.items():  # BERT's pooler belongs to the stack
        if isinstance(theirs, str) and family.prefix and theirs.startswith(family.prefix):
            theirs = prefix + theirs.removeprefix(family.prefix)
        table[name] = theirs
    found = {}
    for name, weight in model.named_parameters():
        found[name] = tuple(_pieces(family, table, model, name, weight))
    return found


def _prefixed(theirs: Theirs, prefix: str) -> Theirs:
    match theirs:
        case str():
            return _both(theirs, prefix)
        case tuple():
            return tuple(prefix + one for one in theirs)
        case Gated():
            return Gated(prefix + theirs.plain, prefix + theirs.gate, prefix + theirs.value)
        case Shared():
            return Shared(_both(theirs.shared, prefix), prefix + theirs.own)
        case _:
            return theirs


def _both(names: str, prefix: str) -> str:
    return "|".join(prefix + one for one in names.split("|"))


def _pieces(
    family: Family, table: Mapping[str, Theirs], model: nn.Module, name: str, weight: Tensor
) -> Iterator[Piece]:
    layer = _LAYER.search(name)
    number = layer.group(1) if layer else ""
    general = _LAYER.sub(".layers.{}.", name)
    module, _, leaf = general.rpartition(".")
    theirs = table.get(general) or table.get(module)
    if theirs is None:
        raise LookupError(f"the table of {family.name} does not tell where {general} comes from")
    if isinstance(theirs, Raw):
        yield Piece(theirs.names, theirs.written or theirs.names[:1], 0, len(weight), False, theirs.optional)
        return
    if isinstance(theirs, Gated):
        half = model.get_submodule(name.rpartition(".")[0].rpartition(".")[0])
        theirs = (theirs.gate, theirs.value) if getattr(half, "gated", False) else theirs.plain
    if isinstance(theirs, Shared):
        joint = isinstance(model, Transformer) and model.encoder.embed is model.decoder.embed
        theirs = theirs.shared if joint else theirs.own
    modules = theirs.split("|") if isinstance(theirs, str) else theirs
    transposed = family.transposed and layer is not None and weight.ndim == 2
    if isinstance(theirs, str):
        names = tuple(f"{one.format(number)}.{leaf}" for one in modules)
        yield Piece(names, names[:1], 0, len(weight), transposed)
        return
    first = 0
    for one, rows in zip(modules, _sizes(model, name, len(weight), len(modules)), strict=True):
        names = (f"{one.format(number)}.{leaf}",)
        yield Piece(names, names, first, rows, transposed)
        first += rows


def _sizes(model: nn.Module, name: str, rows: int, count: int) -> list[int]:
    """Rows of each part of a stacked weight: query, key, value; or equal parts."""
    if count == 3:
        attend = model.get_submodule(name.rpartition(".")[0].rpartition(".")[0])
        if isinstance(attend, MultiHeadAttention):
            answered = attend.groups * attend.head_width
            return [attend.heads * attend.head_width, answered, answered]
    return [rows // count] * count
