"""Texts end to end in one row, without padding: where each begins, and how attention takes them apart.

All but attention looks at a position by itself and minds no borders. Attention gets documents of like length side by
side, a group at a time. So that a group is one piece of the row, documents are put in order of their length before the
first layer and back behind the last. A group that lies in the cache is then copied once, by one `index_select` of rows
of one head's width, forward and backward; a group without padding that needs no gradient is not copied at all.

Letters of the shapes: K positions of D documents; a group has N positions of B documents, each with T slots; H heads of
width W.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import FunctionCtx

# A group ends where the next document is so many times as long as its first. Padding within attention against calls: of
# 1.0 to 3.0 the best, or near it, for documents of 10 to 500 tokens.
ALIKE = 1.5
EVEN = 64  # positions of a packed batch are a multiple of it
# Slots of a document are a multiple of it on a processor, which computes a softmax of 32 numbers in bf16 in 31 ns and
# one of 31 in 180: what fills no vector is done number by number.
SLOTS = {torch.bfloat16: 32, torch.float32: 16}


@dataclass(frozen=True, eq=False)
class Group:
    """Documents of like length, one after the other."""

    lengths: Int[Tensor, "B"]
    longest: int
    """Slots of each, not fewer than the positions of any."""
    first: int
    """Position that the first of them begins at."""
    count: int
    """Positions of all of them."""
    _known: dict[tuple[object, ...], Tensor] = field(default_factory=dict, repr=False)

    @property
    def slots(self) -> int:
        """Positions with padding."""
        return len(self.lengths) * self.longest

    @property
    def padded(self) -> bool:
        """Whether any of the slots is empty."""
        return self.slots > self.count

    @property
    def here(self) -> slice:
        """Its positions."""
        return slice(self.first, self.first + self.count)

    def filled(self) -> Int[Tensor, "B T"]:
        """Which of the group's positions each slot is filled from; padding repeats the last of its document."""
        within = torch.arange(self.longest, device=self.lengths.device).minimum(self.lengths[:, None] - 1)
        return (self.lengths.cumsum(0) - self.lengths)[:, None] + within

    def apart(self, blocks: tuple[int, ...], by_place: int, by_head: int = 1) -> Int[Tensor, "_"]:
        """Rows of one head's width, to be gathered: all documents' heads of the first block, then those of the next.

        by_place, by_head   rows from one position to the next and from one head to the next
        """

        def find() -> Tensor:
            filled, first, found = self.filled()[:, None] * by_place, 0, []
            for heads in blocks:
                each = torch.arange(first, first + heads, device=filled.device)[:, None]  # (H, 1)
                found.append((filled + each * by_head).flatten())
                first += heads
            return torch.cat(found)

        return self._once(("apart", blocks, by_place, by_head), find)

    def together(self, blocks: tuple[int, ...]) -> Int[Tensor, "_"]:
        """The inverse: of each position and head, which of the rows that `apart` lists it is."""

        def find() -> Tensor:
            rows = self.apart(blocks, sum(blocks))
            slots = torch.cat([self._real(heads) for heads in blocks]).nonzero()[:, 0]
            return torch.empty_like(slots).index_copy_(0, rows[slots], slots)

        return self._once(("together", blocks), find)

    def blank(self, rows: Float[Tensor, "_ W"], heads: int) -> None:
        """Set the padding to 0, as in a gradient it must be."""
        if self.padded:
            rows.index_fill_(0, self._once(("blank", heads), lambda: (~self._real(heads)).nonzero()[:, 0]), 0.0)

    def _real(self, heads: int) -> Tensor:
        real = torch.arange(self.longest, device=self.lengths.device) < self.lengths[:, None, None]  # (B, 1, T)
        return real.expand(-1, heads, -1).flatten()

    def _once(self, key: tuple[object, ...], find: Callable[[], Tensor]) -> Tensor:
        if key not in self._known:
            self._known[key] = find()
        return self._known[key]

    def gather(self, x: Float[Tensor, "1 H K W"]) -> Float[Tensor, "B H T W"]:
        """The documents side by side."""
        heads, width = x.shape[1], x.shape[3]
        if x.stride(3) != 1 or x.stride(1) % width or x.stride(2) % width:
            x = x.transpose(1, 2).contiguous().transpose(1, 2)
        part = x[0, :, self.here]  # (H, N, W)
        by_head, by_place = part.stride(0) // width, part.stride(1) // width
        count = 1 + (heads - 1) * by_head + (self.count - 1) * by_place
        rows = part.as_strided((count, width), (width, 1))
        taken = rows.index_select(0, self.apart((heads,), by_place, by_head))
        return taken.view(-1, heads, self.longest, width)

    def view(self, x: Float[Tensor, "1 H K W"]) -> Float[Tensor, "B H T W"]:
        """The same without a copy, where there is no padding."""
        return torch.unflatten(x[0, :, self.here], 1, (-1, self.longest)).transpose(0, 1)

    def put(self, x: Float[Tensor, "B H T W"], into: Float[Tensor, "K H W"]) -> None:
        """The documents one after the other again."""
        here = into[self.here]
        if self.padded or x.is_contiguous():
            heads, width = x.shape[1], x.shape[3]
            torch.index_select(x.reshape(-1, width), 0, self.together((heads,)), out=here.view(-1, width))
        else:
            here.view(-1, self.longest, *here.shape[1:]).copy_(x.transpose(1, 2))


@dataclass(frozen=True, eq=False)
class Documents:
    """Where the documents of a batch begin, and how they are taken apart: worked out once for all layers."""

    places: Int[Tensor, "K"]
    """Of each position in its document, in order of length."""
    groups: tuple[Group, ...]
    """The shortest first."""
    order: Int[Tensor, "K"] | None
    """Positions as they come, by the documents' length; None where they come so."""
    back: Int[Tensor, "K"] | None
    """The inverse."""

    @classmethod
    def of(cls, lengths: Int[Tensor, "D"], alike: float = ALIKE, slots: int = 1) -> "Documents":
        """Sort documents into groups.

        alike   how much longer than its first the last document of a group may be, unless that is no more than `slots`
        slots   what those of a document are a multiple of
        """
        device, known = lengths.device, lengths.cpu()
        sizes, numbers = known.sort(stable=True)
        owned = known.cumsum(0) - known  # (D,) where each begins
        begins = sizes.cumsum(0) - sizes
        places = torch.arange(int(sizes.sum())) - begins.repeat_interleave(sizes)
        groups = tuple(
            Group(
                sizes[first:last].to(device),
                _up(int(sizes[last - 1]), slots),
                int(begins[first]),
                int(begins[last - 1] + sizes[last - 1] - begins[first]),
            )
            for first, last in _like(sizes.tolist(), alike, slots)
        )
        if bool((sizes == known).all()):
            return cls(places.to(device), groups, None, None)
        order = places + owned[numbers].repeat_interleave(sizes)
        back = torch.empty_like(order).index_copy_(0, order, torch.arange(len(order)))
        return cls(places.to(device), groups, order.to(device), back.to(device))

    @property
    def longest(self) -> int:
        """Slots of the longest document."""
        return self.groups[-1].longest

    @property
    def last(self) -> int:
        """The last place of the longest document."""
        return int(self.groups[-1].lengths[-1]) - 1

    def sorted(self, ids: Int[Tensor, "1 K"]) -> Int[Tensor, "1 K"]:
        """In order of the documents' length."""
        return ids if self.order is None else ids.index_select(1, self.order)

    def given(self, x: Float[Tensor, "1 K W"]) -> Float[Tensor, "1 K W"]:
        """In the order that they came in."""
        if self.order is None or self.back is None:
            return x
        found: Tensor = _Reordered.apply(x, self.back, self.order)  # type: ignore[no-untyped-call]
        return found

    def take(self, x: Float[Tensor, "1 H K W"]) -> tuple[Float[Tensor, "_ H _ W"], ...]:
        """The groups, each with its documents side by side."""
        if torch.is_grad_enabled() and x.requires_grad:
            found: tuple[Tensor, ...] = _Take.apply(x, self)  # type: ignore[no-untyped-call]
            return found
        return tuple(group.gather(x) if group.padded else group.view(x) for group in self.groups)

    def put(self, parts: Sequence[Float[Tensor, "_ H _ W"]]) -> Float[Tensor, "1 H K W"]:
        """The documents end to end again; the padding is left out."""
        if torch.is_grad_enabled() and any(part.requires_grad for part in parts):
            result: Tensor = _Put.apply(self, *parts)  # type: ignore[no-untyped-call]
            return result
        return self.joined(parts)

    def joined(self, parts: Sequence[Float[Tensor, "_ H _ W"]]) -> Float[Tensor, "1 H K W"]:
        """`put`, not recorded."""
        result = parts[0].new_empty(len(self.places), parts[0].shape[1], parts[0].shape[3])
        for group, part in zip(self.groups, parts, strict=True):
            group.put(part, result)
        return result.transpose(0, 1)[None]


def packed(
    inputs: Int[Tensor, "B T"], lengths: Int[Tensor, "D"] | None, dtype: torch.dtype, alike: float = ALIKE
) -> Documents | None:
    """The documents of a batch that has them end to end; None where each has a row of its own."""
    if lengths is None or len(lengths) == len(inputs):
        return None
    even = alike > 1 and inputs.device.type == "cpu"  # otherwise none is padded
    return Documents.of(lengths, alike, SLOTS.get(dtype, 1) if even else 1)


def evened(
    inputs: Int[Tensor, "1 K"], lengths: Int[Tensor, "D"], segments: Int[Tensor, "1 K"] | None = None
) -> tuple[Int[Tensor, "1 E"], Int[Tensor, "D1"], Int[Tensor, "1 E"] | None]:
    """The same with some documents more, which mean nothing, so that the positions are a multiple of `EVEN`.

    oneDNN makes a product ready anew for each number of rows, and keeps it: batches that never repeat a number cost a
    fifth of the time and gigabytes of memory in the end.
    """
    extra = -inputs.shape[1] % EVEN
    if not extra:
        return inputs, lengths, segments
    size = min(extra, int(lengths.max()))
    sizes = [size] * (extra // size) + ([extra % size] if extra % size else [])
    more = torch.cat([lengths, lengths.new_tensor(sizes)])
    kinds = None if segments is None else torch.cat([segments, segments[:, -1:].expand(1, extra)], 1)
    return torch.cat([inputs, inputs[:, -1:].expand(1, extra)], 1), more, kinds


def _up(count: int, multiple: int) -> int:
    return -(-count // multiple) * multiple


def _like(lengths: list[int], alike: float, slots: int) -> Iterator[tuple[int, int]]:
    """The first document of each group and the one after its last; lengths rise."""
    first = 0
    for number, length in enumerate(lengths):
        if length > max(alike * lengths[first], lengths[first] + (alike > 1), _up(lengths[first], slots)):
            yield first, number
            first = number
    yield first, len(lengths)


class _Take(torch.autograd.Function):
    """`take` with its gradient, which is `put`."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, documents: Documents) -> tuple[Tensor, ...]:
        ctx.documents = documents  # type: ignore[attr-defined]  # the way autograd functions keep what is no tensor
        return tuple(group.gather(x) for group in documents.groups)

    @staticmethod
    def backward(ctx: FunctionCtx, *gradients: Tensor) -> tuple[Tensor, None]:
        documents: Documents = ctx.documents  # type: ignore[attr-defined]
        return documents.joined(gradients), None


class _Put(torch.autograd.Function):
    """`put` with its gradient, which is `take`."""

    @staticmethod
    def forward(ctx: FunctionCtx, documents: Documents, *parts: Tensor) -> Tensor:
        ctx.documents = documents  # type: ignore[attr-defined]
        return documents.joined(parts)

    @staticmethod
    def backward(ctx: FunctionCtx, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        documents: Documents = ctx.documents  # type: ignore[attr-defined]
        found = [group.gather(gradients[0]) for group in documents.groups]
        for group, part in zip(documents.groups, found, strict=True):
            group.blank(part.view(-1, part.shape[-1]), part.shape[1])
        return None, *found


class _Reordered(torch.autograd.Function):
    """Positions in another order, and their gradients in the first one."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, order: Tensor, back: Tensor) -> Tensor:
        ctx.save_for_backward(back)
        return x.index_select(1, order)

    @staticmethod
    def backward(ctx: FunctionCtx, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (back,) = ctx.saved_tensors  # type: ignore[attr-defined]
        return gradients[0].index_select(1, back), None, None
