"""Windows of one long text: what a language model learns from where no document ends.

An epoch cuts the text into windows of equal length, beginning somewhere else each time, and shuffles them, so that no
token is for ever the first of its window. Like every plan it is a pure function of seed and epoch.

    text      a b c d e f g h i j k        context 3, offset 1
    inputs      b c d|e f g|h i j
    targets     c d e|f g h|i j k
"""

import numpy as np
import torch
from jaxtyping import Int

from seqwise.data.batch import Batch, Rows
from seqwise.data.examples import Examples
from seqwise.data.loader import Plan, Turns
from seqwise.errors import ConfigError, DataError

# K tokens of the text, T of a window, M windows, B of them in a batch


class WindowLoader(Turns[Batch]):
    """Batches of windows without end. The number of a window is where it begins in the text."""

    def __init__(
        self, ids: Int[np.ndarray, "K"], *, context: int, batch_tokens: int, seed: int, rank: int = 0, world: int = 1
    ) -> None:
        if len(ids) < 2:
            raise DataError(f"a text of {len(ids)} tokens", "two tokens or more", "more text")
        if batch_tokens < context:
            given = f"--training.batch-tokens {batch_tokens} with --generate.context {context}"
            raise ConfigError(given, "room for a window", f"--training.batch-tokens {context}")
        self._ids = ids.astype(np.int64)
        self._context = min(context, len(ids) - 1)
        self._rows = batch_tokens // context
        self._seed = seed
        self.oversized = 0
        super().__init__(rank, world)

    def batches(self, epochs: int) -> int:
        """Of so many epochs, exactly."""
        return epochs * self.batches_in_epoch(0)

    def _planned(self, epoch: int) -> Plan:
        random = np.random.default_rng((self._seed, epoch))
        span = len(self._ids) - 1  # tokens that have one behind them
        count = max(1, span // self._context - 1)  # one less than there could be, so that there is room to shift
        offset = random.integers(0, span - count * self._context + 1)
        starts = offset + self._context * random.permutation(count)
        if count > self._rows:  # all batches are full: a few windows, others each time, are passed over
            starts = starts[: count // self._rows * self._rows]
        cuts = np.array([*range(0, len(starts), self._rows), len(starts)])
        return Plan(starts, cuts, np.arange(len(cuts) - 1))

    def _gathered(self, items: Int[np.ndarray, "B"]) -> Batch:
        where = items[:, None] + np.arange(self._context)  # (B, T)
        inputs, targets = torch.from_numpy(self._ids[where]), torch.from_numpy(self._ids[where + 1])
        lengths = torch.full((len(items),), self._context)
        return Batch(inputs, lengths, targets, torch.ones(targets.shape), torch.tensor(items, dtype=torch.int64))

    def _shared(self, items: Int[np.ndarray, "B"]) -> Int[np.ndarray, "B2"]:
        return items[self._rank :: self._world]


def windows(ids: Int[np.ndarray, "K"], context: int) -> Examples:
    """The whole text once, cut into windows; the last one may be shorter."""
    if len(ids) < 2:
        raise DataError(f"a text of {len(ids)} tokens", "two tokens or more", "more text")
    span = len(ids) - 1
    starts = np.array([*range(0, span, context), span])
    flat = ids.astype(np.int32)
    return Examples(Rows(flat[:-1], starts), Rows(flat[1:], starts))
