"""Batch: what leaves the data room. Padded or packed tensors and the items they came from.

No file and no model is known here.

Rows of ids of different lengths are kept end to end in one array, so that a corpus costs four bytes a token
and a batch is gathered without a Python loop.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

# N rows of K tokens in all (N1 = N + 1); of them D in a batch: padded to B = D rows of S source and T target positions,
# or end to end in B = 1 row. R rows of targets: B, or D where each document has targets of its own


@runtime_checkable
class Taught(Protocol):
    """What a step of training takes, whatever it holds."""

    @property
    def weights(self) -> Tensor:
        """What each target counts in the loss."""

    @property
    def items(self) -> Tensor:
        """Which examples these are."""

    def tensors(self) -> tuple[Tensor, ...]:
        """What the objective is called with."""

    def uncounted(self) -> "Taught":
        """The same with all weights 0."""


@dataclass(frozen=True)
class Batch:
    """Examples side by side, padded at the right; or packed: end to end in one row, without padding.

    what is learnt    inputs            targets and weights
    another text      (B, S)            (B, T)     the target with its end token, the start token not
    next token        (B, T)            (B, T)     what follows each position
                      (1, K) packed     (1, K)
    labels            (B, S)            (B, 1)
                      (1, K) packed     (D, 1)

    It is packed where there are more lengths than rows of inputs; a single document is both at once.
    """

    inputs: Int[Tensor, "B S"]
    """What is read: ids, special tokens included."""
    lengths: Int[Tensor, "D"]
    """Real tokens of each document."""
    targets: Int[Tensor, "R T"]
    """What is foreseen."""
    weights: Float[Tensor, "R T"]
    """What each target counts in the loss: 1, or 0 for padding and for what is not to be learnt."""
    items: Int[Tensor, "D"]
    """Which example of the corpus each document is."""
    segments: Int[Tensor, "B S"] | None = None
    """Of pairs of texts, which of the two each input is of: 0 or 1; None: all are of the first."""

    def tensors(self) -> tuple[Tensor, ...]:
        """What an objective is called with: inputs, lengths, targets, weights, and segments where there are any."""
        told = (self.inputs, self.lengths, self.targets, self.weights)
        return told if self.segments is None else (*told, self.segments)

    def uncounted(self) -> "Batch":
        """The same with all weights 0."""
        return replace(self, weights=torch.zeros_like(self.weights))

    @property
    def packed(self) -> bool:
        """Whether several documents stand in one row."""
        return len(self.lengths) != len(self.inputs)


@dataclass(frozen=True, eq=False)
class Rows:
    """Many rows of ids, end to end."""

    flat: Int[np.ndarray, "K"]
    """All ids, row after row."""
    starts: Int[np.ndarray, "N1"]
    """Where each row begins; the last entry is where the last row ends."""

    @classmethod
    def of(cls, rows: Sequence[Sequence[int]], end: int | None = None) -> "Rows":
        """Join the rows, each with the end token behind it where one is given."""
        extra = int(end is not None)
        lengths = np.fromiter(map(len, rows), np.int64, len(rows))
        starts = np.concatenate([[0], np.cumsum(lengths + extra)])  # (N + 1,)
        tokens = np.fromiter(chain.from_iterable(rows), np.int32, int(lengths.sum()))
        if end is None:
            return cls(tokens, starts)
        flat = np.full(int(starts[-1]), end, np.int32)  # (K,)
        inside = np.ones(len(flat), bool)
        inside[starts[1:] - 1] = False
        flat[inside] = tokens
        return cls(flat, starts)

    @property
    def lengths(self) -> Int[np.ndarray, "N"]:
        """Tokens in each row."""
        return np.diff(self.starts)

    def select(self, items: Int[np.ndarray, "D"]) -> "Rows":
        """These rows, in this order."""
        lengths = self.lengths[items]
        flat = self.joined(items)[0].numpy().astype(self.flat.dtype)
        return Rows(flat, np.concatenate([[0], np.cumsum(lengths)]))

    def padded(self, items: Int[np.ndarray, "B"], fill: int) -> tuple[Int[Tensor, "B S"], Int[Tensor, "B"]]:
        """These rows as one matrix, shorter ones filled up at the right, and their lengths."""
        starts = self.starts[items]  # (B,)
        lengths = self.starts[items + 1] - starts
        columns = np.arange(lengths.max(initial=0))
        real = columns < lengths[:, None]  # (B, S)
        matrix = np.full(real.shape, fill, np.int64)
        matrix[real] = self.flat[(starts[:, None] + columns)[real]]
        return torch.from_numpy(matrix), torch.from_numpy(lengths)

    def joined(self, items: Int[np.ndarray, "D"]) -> tuple[Int[Tensor, "K"], Int[Tensor, "D"]]:
        """These rows end to end, and their lengths."""
        starts = self.starts[items]  # (D,)
        lengths = self.starts[items + 1] - starts
        shifts = np.repeat(starts - np.cumsum(lengths) + lengths, lengths)  # (K,)
        ids = self.flat[shifts + np.arange(len(shifts))].astype(np.int64)
        return torch.from_numpy(ids), torch.from_numpy(lengths)


def gather(sources: Rows, targets: Rows, items: Int[np.ndarray, "B"], fill: int, source_fill: int) -> Batch:
    """Put these pairs of a corpus side by side."""
    inputs, lengths = sources.padded(items, source_fill)  # (B, S), (B,)
    padded, spans = targets.padded(items, fill)  # (B, T), (B,)
    weights = (torch.arange(padded.shape[1]) < spans[:, None]).float()  # (B, T)
    return Batch(inputs, lengths, padded, weights, torch.tensor(items, dtype=torch.int64))


def pad(rows: Sequence[Sequence[int]], fill: int) -> Int[Tensor, "B S"]:
    """Rows of ids as one matrix, shorter ones filled up at the right."""
    return Rows.of(rows).padded(np.arange(len(rows)), fill)[0]


def collate(
    sources: Sequence[Sequence[int]], targets: Sequence[Sequence[int]], items: Sequence[int], fill: int
) -> Batch:
    """Put pairs of id rows, each with its end token, side by side."""
    batch = gather(Rows.of(sources), Rows.of(targets), np.arange(len(sources)), fill, fill)
    return Batch(batch.inputs, batch.lengths, batch.targets, batch.weights, torch.tensor(items, dtype=torch.int64))
