"""One update of weights that a processor computes with in bf16: their gradient to fp32, AdamW, and the result to bf16.

Done one after the other for all weights, each of these goes through memory, and the fp32 gradient needs as much of it
as the weights. Here a piece goes through all of them while it lies in the cache. Of a table of embeddings, whose
gradient names the rows of its batch, only those rows are read and written that have ever had a gradient: all others
have moments of 0 and stay as they are. The numbers are those of `torch.optim.AdamW`, whose state this is.

Left out: which weights have a gradient, and what the rate is. See `optim.py`.

Letters of the shapes: V rows of a table, W its width; R rows with moments, U rows with a gradient; N numbers.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

PIECE = 2**18
"""Weights at a time: 1 MiB of fp32, half of the second cache."""
MOST = 0.5
"""Share of a table's rows with moments from which all are gone through: apart from each other they are copied twice."""
Part = TypeVar("Part")
MOVED = "moved"
"""Name of a table's state, besides AdamW's own: which rows have moments. (V,)"""


class Moving(NamedTuple):
    """A weight and all that belongs to it, or a piece of them."""

    master: Tensor
    gradient: Tensor
    """In any type."""
    working: Tensor
    """The copy that the model computes with."""
    mean: Tensor
    square: Tensor
    step: Tensor
    """Updates so far, this one included, of the whole weight."""

    def pieces(self, size: int) -> Iterator["Moving"]:
        """Of at most so many weights, as views."""
        *parts, step = self
        for master, gradient, working, mean, square in zip(*(_cut(part, size) for part in parts), strict=True):
            yield Moving(master, gradient, working, mean, square, step)


@torch.no_grad()
def length(gradients: Sequence[Tensor]) -> Float[Tensor, ""]:
    """Of all of them as one vector, added up in fp32. A sparse one is coalesced."""
    buffer = torch.empty(PIECE)
    flat = [gradient.values() if gradient.is_sparse else gradient for gradient in gradients]
    pieces = (piece for gradient in flat for piece in _cut(gradient.contiguous(), PIECE))
    bundles = _bundles((piece, piece.numel()) for piece in pieces)
    sizes = [torch.linalg.vector_norm(_widened(bundle, buffer)[1]) for bundle in bundles]
    whole: Tensor = torch.linalg.vector_norm(torch.stack(sizes))
    return whole


@torch.no_grad()
def move(optimizer: torch.optim.AdamW, found: Iterable[tuple[Tensor, Tensor, Tensor]], factor: float = 1.0) -> None:
    """Update masters and working weights by gradients, each of them times `factor`.

    found   of each weight that moves: master, gradient, working weight
    """
    known = {id(each[0]): each for each in found}
    buffer = torch.empty(PIECE)
    for group in optimizer.param_groups:
        here = [_begun(optimizer, *known[id(w)]) for w in group["params"] if id(w) in known]
        tables = [each for each in here if each.gradient.is_sparse]
        for table in tables:
            _advance_table(table, group, optimizer.state, factor)
        whole = (piece for each in here if not each.gradient.is_sparse for piece in each.pieces(PIECE))
        for bundle in _bundles((piece, piece.master.numel()) for piece in whole):
            wide, filled = _widened([each.gradient for each in bundle], buffer)
            if factor != 1.0:
                filled.mul_(factor)
            _adamw([each._replace(gradient=g) for each, g in zip(bundle, wide, strict=True)], group)


def _begun(optimizer: torch.optim.AdamW, master: Tensor, gradient: Tensor, working: Tensor) -> Moving:
    """A weight with its moments, which are 0 at first, at its next step."""
    state = optimizer.state[master]
    if not state:
        state["step"] = torch.zeros(())
        state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(master), torch.zeros_like(master)
        if gradient.is_sparse:
            state[MOVED] = torch.zeros(len(master), dtype=torch.bool)
    state["step"] += 1
    gradient = gradient if gradient.is_sparse else gradient.contiguous()
    return Moving(master, gradient, working.detach(), state["exp_avg"], state["exp_avg_sq"], state["step"])


def _cut(x: Tensor, size: int) -> Sequence[Tensor]:
    """Its numbers in a row, so many at a time. Most weights are small, and `torch.split` costs 5 us."""
    count, flat = x.numel(), x.view(-1)
    if count <= size:
        return (flat,)
    return flat.split_with_sizes([size] * (count // size) + [count % size] * (count % size > 0))


def _bundles(parts: Iterable[tuple[Part, int]]) -> Iterator[list[Part]]:
    """As many at a time as have at most PIECE numbers together."""
    bundle: list[Part] = []
    count = 0
    for part, size in parts:
        if bundle and count + size > PIECE:
            yield bundle
            bundle, count = [], 0
        bundle.append(part)
        count += size
    if bundle:
        yield bundle


def _widened(parts: Sequence[Tensor], buffer: Float[Tensor, "N"]) -> tuple[list[Tensor], Tensor]:
    """The numbers in fp32, side by side in the buffer: each part, and all."""
    sizes = [part.numel() for part in parts]
    filled = buffer[: sum(sizes)]
    views = list(filled.split_with_sizes(sizes))
    torch._foreach_copy_(views, list(parts))
    return views, filled


def _adamw(bundle: Sequence[Moving], group: dict[str, Any]) -> None:
    """AdamW as torch does it in one pass, and the copies."""
    masters, gradients, working, means, squares, steps = map(list, zip(*bundle, strict=True))
    torch._fused_adamw_(
        masters,
        gradients,
        means,
        squares,
        [],
        steps,
        amsgrad=False,
        lr=group["lr"],
        beta1=group["betas"][0],
        beta2=group["betas"][1],
        weight_decay=group["weight_decay"],
        eps=group["eps"],
        maximize=False,
    )
    torch._foreach_copy_(working, masters)


def _advance_table(table: Moving, group: dict[str, Any], states: Any, factor: float) -> None:
    """The same for a table whose gradient names rows. What decays moves without a gradient, so then all rows do."""
    state = states[table.master]
    moved = state.get(MOVED)
    if moved is None:  # taken up again
        moved = state[MOVED] = ((table.mean != 0) | (table.square != 0)).any(1)
    ids = table.gradient.indices()[0]  # (U,), rising
    moved[ids] = True
    rows = moved.nonzero()[:, 0]  # (R,)
    if group["weight_decay"] or len(rows) > MOST * len(moved):
        rows, apart = torch.arange(len(moved)), False
    else:
        apart = True
    slopes = table.gradient.values() * factor  # (U, W)
    places = torch.searchsorted(rows, ids)  # of the gradient's rows among those that move
    most = max(1, PIECE // (2 * slopes.shape[1]))
    ends = torch.searchsorted(places, torch.tensor(range(most, len(rows), most), dtype=torch.int64)).tolist()
    cuts = zip([0, *ends], [*ends, len(ids)], torch.split(rows, most), strict=True)
    for number, (first, last, piece) in enumerate(cuts):
        begin = number * most
        gradient = slopes.new_zeros(len(piece), slopes.shape[1])
        gradient.index_copy_(0, places[first:last] - begin, slopes[first:last])
        _advance_rows(table._replace(gradient=gradient), piece if apart else begin, group)


def _advance_rows(table: Moving, rows: Int[Tensor, "R"] | int, group: dict[str, Any]) -> None:
    """Those of these numbers, or as many as the gradient has from this one on."""
    step, gradient = table.step, table.gradient
    parts = (table.master, table.working, table.mean, table.square)
    if isinstance(rows, int):
        master, working, mean, square = (part[rows : rows + len(gradient)] for part in parts)
        _adamw([Moving(master, gradient, working, mean, square, step)], group)
        return
    master, working, mean, square = (part.index_select(0, rows) for part in parts)
    _adamw([Moving(master, gradient, working, mean, square, step)], group)
    for part, piece in zip(parts, (master, working, mean, square), strict=True):
        part.index_copy_(0, rows, piece)
