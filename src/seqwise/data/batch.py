"""Batch: what leaves the data room. Padded tensors and the items they came from.

No file and no model is known here.

Rows of ids of different lengths are kept end to end in one array, so that a corpus costs four bytes a token
and a batch is gathered without a Python loop.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

# N rows of K tokens in all (N1 = N + 1); of them B in a batch, padded to S source and T target positions


@dataclass(frozen=True)
class Batch:
    """Sentence pairs side by side, padded at the right."""

    inputs: Int[Tensor, "B S"]
    """Source ids, the end token included."""
    lengths: Int[Tensor, "B"]
    """Real source positions of each row."""
    targets: Int[Tensor, "B T"]
    """Target ids, the end token included, the start token not."""
    weights: Float[Tensor, "B T"]
    """What each target counts in the loss: 1 for a real one, 0 for padding."""
    items: Int[Tensor, "B"]
    """Which pair of the corpus each row is."""


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

    def padded(self, items: Int[np.ndarray, "B"], fill: int) -> tuple[Int[Tensor, "B S"], Int[Tensor, "B"]]:
        """These rows as one matrix, shorter ones filled up at the right, and their lengths."""
        starts = self.starts[items]  # (B,)
        lengths = self.starts[items + 1] - starts
        columns = np.arange(lengths.max(initial=0))
        real = columns < lengths[:, None]  # (B, S)
        matrix = np.full(real.shape, fill, np.int64)
        matrix[real] = self.flat[(starts[:, None] + columns)[real]]
        return torch.from_numpy(matrix), torch.from_numpy(lengths)


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
