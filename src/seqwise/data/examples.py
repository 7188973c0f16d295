"""Examples: what is read and what is learnt from it, as rows of ids; and the batches that a run takes from them.

    Examples        rows of ids, and which of them count in the loss
    ExampleLoader   batches without end: padded, of examples of like length, or packed without padding
    ordered         all examples once, for an evaluation
    Mixed           a share of the examples from elsewhere, such as general text beside that of a task

One class serves every task; what distinguishes them is the length of the targets:

    another text    any length
    next token      as long as the input: targets[i] follows inputs[i]
    labels          one

Packed batches hold documents end to end in one row. Which may look at which is for the model to heed, by their lengths.
Left out: text and tokens, and what an example of a task looks like.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Int

from seqwise.data.batch import Batch, Rows, gather
from seqwise.data.loader import Place, Plan, Turns, by_length, fill, settled
from seqwise.errors import ConfigError, DataError

POOL = 50  # batches whose examples are sorted together, where a batch holds a number of examples

# N examples in all, D of them in a batch, M batches in an epoch


@dataclass(frozen=True, eq=False)
class Examples:
    """Rows of ids: what is read, and what is learnt from it."""

    inputs: Rows
    """What is read, special tokens included."""
    targets: Rows
    """What is learnt: another text, what follows each position of the input, or a label's number."""
    trained: Rows | None = None
    """1 for each target that counts in the loss, 0 for the others; None: all count."""
    pad: int = 0
    """Fills up inputs."""
    target_pad: int = 0
    """Fills up targets; it counts for nothing."""
    segments: Rows | None = None
    """Of pairs of texts, which of the two each input is of: 0 or 1; None: all are of the first."""

    def __post_init__(self) -> None:
        inputs, targets = self.inputs.lengths, self.targets.lengths
        if not len(inputs) or len(inputs) != len(targets):
            raise DataError(
                given=f"{len(inputs)} inputs and {len(targets)} targets",
                allowed="as many of the one as of the other, and at least one example",
                mend="other files, or milder filters",
            )
        if not inputs.all() or not targets.all():
            empty = int(np.flatnonzero((inputs == 0) | (targets == 0))[0])
            raise DataError(f"example {empty + 1} is empty", "a token or more in each", "leaving it out")
        if self.trained is not None and not np.array_equal(self.trained.lengths, targets):
            raise ValueError("trained and targets differ in their lengths")

    def __len__(self) -> int:
        return len(self.inputs.starts) - 1

    @cached_property
    def aligned(self) -> bool:
        """Whether each position of the inputs has a target of its own."""
        return np.array_equal(self.inputs.lengths, self.targets.lengths)

    @cached_property
    def labelled(self) -> bool:
        """Whether each example has one target."""
        return bool((self.targets.lengths == 1).all())

    def select(self, items: Int[np.ndarray, "D"]) -> "Examples":
        """These examples, in this order."""
        trained, segments = (None if rows is None else rows.select(items) for rows in (self.trained, self.segments))
        inputs, targets = self.inputs.select(items), self.targets.select(items)
        return replace(self, inputs=inputs, targets=targets, trained=trained, segments=segments)

    def batch(self, items: Int[np.ndarray, "D"], packed: bool = False) -> Batch:
        """These examples, side by side or end to end."""
        return self._packed(items) if packed else self._padded(items)

    def _padded(self, items: Int[np.ndarray, "D"]) -> Batch:
        batch = gather(self.inputs, self.targets, items, self.target_pad, self.pad)
        if self.segments is not None:
            batch = replace(batch, segments=self.segments.padded(items, 0)[0])
        if self.trained is None:
            return batch
        counted, _ = self.trained.padded(items, 0)  # (D, T)
        return replace(batch, weights=counted.float())

    def _packed(self, items: Int[np.ndarray, "D"]) -> Batch:
        inputs, lengths = self.inputs.joined(items)  # (K,), (D,)
        targets, _ = self.targets.joined(items)
        weights = torch.ones(len(targets)) if self.trained is None else self.trained.joined(items)[0].float()
        shape = (1, -1) if self.aligned else (-1, 1)
        numbers = torch.tensor(items, dtype=torch.int64)
        segments = None if self.segments is None else self.segments.joined(items)[0][None]
        return Batch(inputs[None], lengths, targets.view(shape), weights.view(shape), numbers, segments)


class ExampleLoader(Turns[Batch]):
    """Batches of examples without end.

    batch_tokens     positions of a batch, padding included, on input or target, whichever is longer; packed: real ones
    batch_examples   examples of a batch; with `batch_tokens` whichever is reached first
    packed           documents of any length end to end, in random order; no padding, so no sorting by length either

    An example that is longer than the budget gets a batch of its own; `oversized` counts them.
    """

    def __init__(
        self,
        examples: Examples,
        *,
        batch_tokens: int | None = None,
        batch_examples: int | None = None,
        seed: int,
        rank: int = 0,
        world: int = 1,
        packed: bool = False,
    ) -> None:
        self.examples = examples
        self._tokens, self._rows = _limits(batch_tokens, batch_examples)
        self._seed, self.packed = seed, packed
        _must_pack(examples, packed)
        self._longest = np.maximum(examples.inputs.lengths, examples.targets.lengths)  # (N,)
        self._pool = len(examples) if math.isinf(self._rows) else POOL * int(self._rows)
        self._counts: list[int] = []  # batches of each epoch, as far as they were asked for
        self.oversized = int((self._longest > self._tokens).sum())
        super().__init__(rank, world)

    def batches(self, epochs: int) -> int:
        """Of so many epochs, exactly: they differ wherever chance decides which lengths come together."""
        alike = not self.packed and (math.isinf(self._tokens) or len(self.examples) <= self._pool)
        if alike:
            return epochs * self.batches_in_epoch(0)
        self._counts += [len(self._planned(epoch).turns) for epoch in range(len(self._counts), epochs)]
        return sum(self._counts[:epochs])

    def _planned(self, epoch: int) -> Plan:
        random = np.random.default_rng((self._seed, epoch))
        order = random.permutation(len(self.examples))
        if self.packed:
            cuts = _packs(self._longest[order], self._tokens, self._rows)
            return Plan(order, cuts, np.arange(len(cuts) - 1))
        inputs, targets = self.examples.inputs.lengths, self.examples.targets.lengths
        pools = [order[first : first + self._pool] for first in range(0, len(order), self._pool)]
        order = np.concatenate([items[by_length(inputs[items], targets[items])] for items in pools])
        cuts = fill(self._longest[order], self._tokens, self._rows)
        return Plan(order, cuts, random.permutation(len(cuts) - 1))

    def _gathered(self, items: Int[np.ndarray, "D"]) -> Batch:
        return self.examples.batch(items, self.packed)

    def _shared(self, items: Int[np.ndarray, "D"]) -> Int[np.ndarray, "D2"]:
        """Every `world`-th; of packed documents in the order of their lengths, so that all have much the same to do."""
        if self.packed and self._world > 1:
            items = items[np.argsort(-self._longest[items], kind="stable")]
        return items[self._rank :: self._world]


def ordered(examples: Examples, batch_tokens: int, packed: bool = False) -> Iterator[Batch]:
    """All examples once, for evaluation: the longest first, so that a lack of memory shows at once.

    `items` says which example a row is, so that results can be put back in order.
    """
    tokens, rows = _limits(batch_tokens, None)
    _must_pack(examples, packed)
    inputs, targets = examples.inputs.lengths, examples.targets.lengths
    order = by_length(inputs, targets)[::-1].copy()
    longest = np.maximum(inputs, targets)[order]
    cuts = _packs(longest, tokens, rows) if packed else fill(longest, tokens)
    for start, end in pairwise(cuts.tolist()):
        yield examples.batch(order[start:end], packed)


def _packs(lengths: Int[np.ndarray, "N"], tokens: float, rows: float) -> Int[np.ndarray, "M1"]:
    """Cut wherever one document more would go over a limit; a document alone may go over."""
    cuts, total = [0], 0
    for place, length in enumerate(lengths.tolist()):
        if place > cuts[-1] and (total + length > tokens or place - cuts[-1] >= rows):
            cuts.append(place)
            total = 0
        total += length
    return np.array([*cuts, len(lengths)])


def _limits(batch_tokens: int | None, batch_examples: int | None) -> tuple[float, float]:
    """Both, endless where not given."""
    if batch_tokens is None and batch_examples is None:
        raise ConfigError("a batch without a size", "tokens or examples", "--training.batch-tokens 4096")
    for given, name in ((batch_tokens, "tokens"), (batch_examples, "examples")):
        if given is not None and given < 1:
            mend = f"--training.batch-{name} {4096 if name == 'tokens' else 32}"
            raise ConfigError(f"a batch of {given} {name}", "at least 1", mend)
    return batch_tokens or math.inf, batch_examples or math.inf


def _must_pack(examples: Examples, packed: bool) -> None:
    if packed and not examples.aligned and not examples.labelled:
        raise ConfigError("packing of texts with another text as target", "labels or a decoder", "no packing")


class Mixed:
    """The batches of one loader, and in between those of a second, so that these have a given share of the examples.

    Which batch is next follows from the counts alone: always the one that brings the share nearest to what is
    wanted. So the share is exact but for half a batch at any time, and a `Place` says all, as for one loader.
    An epoch is one of the main loader; the second goes round as often as it must. Its `items` count on from the main's.
    """

    def __init__(self, main: ExampleLoader, second: ExampleLoader, share: float) -> None:
        if not 0 < share < 1:
            raise ConfigError(f"a replay share of {share:g}", "more than 0 and less than 1", "--replay-share 0.05")
        self.main, self.second, self.share = main, second, share
        self.oversized = main.oversized + second.oversized
        self._plans: list[_Turn] = []
        self._second_sizes: list[int] = []
        self._second_ends: list[int] = []  # batches of the second up to and with each epoch
        self._place = Place()

    @property
    def place(self) -> Place:
        """Where the next batch comes from."""
        return self._place

    def seek(self, place: Place) -> None:
        """Go on from here."""
        self._place = settled(place, self.batches_in_epoch(max(place.epoch, 0)))

    def batches_in_epoch(self, epoch: int) -> int:
        """How many batches this epoch has, of both loaders."""
        return len(self._turn(epoch).second)

    def batches(self, epochs: int) -> int:
        """Of so many epochs, exactly."""
        return sum(self.batches_in_epoch(epoch) for epoch in range(epochs))

    @property
    def counts(self) -> tuple[int, int]:
        """Examples so far, of all processes: of the main loader and of the second."""
        turn = self._turn(self._place.epoch)
        done = turn.second[: self._place.batch]
        main = turn.main_before + int(self.main.sizes(self._place.epoch)[: int((~done).sum())].sum())
        return main, sum(self._second_sizes[: turn.second_begin + int(done.sum())])

    @property
    def actual(self) -> float:
        """The second's share of the examples so far."""
        main, second = self.counts
        return second / max(1, main + second)

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        place, turn = self._place, self._turn(self._place.epoch)
        seconds = int(turn.second[: place.batch].sum())
        if turn.second[place.batch]:
            self.second.seek(self._second_place(turn.second_begin + seconds))
            batch = next(self.second)
            batch = replace(batch, items=batch.items + len(self.main.examples))
        else:
            self.main.seek(Place(place.epoch, place.batch - seconds))
            batch = next(self.main)
        self.seek(replace(place, batch=place.batch + 1))
        return batch

    def _turn(self, epoch: int) -> "_Turn":
        """Which loader each batch of an epoch is of; worked out from the first epoch on, once."""
        while len(self._plans) <= epoch:
            self._plans.append(self._mixed(len(self._plans)))
        return self._plans[epoch]

    def _mixed(self, epoch: int) -> "_Turn":
        last = self._plans[-1] if self._plans else None
        begin, first = (last.second_end, last.main_after) if last else (0, 0)
        main, at = first, begin
        second = sum(self._second_sizes[:begin])
        turns: list[bool] = []
        for size in self.main.sizes(epoch).tolist():
            while True:
                other = self._second_size(at)
                with_main = abs(second - self.share * (main + size + second))
                if abs(second + other - self.share * (main + second + other)) >= with_main:
                    break
                turns.append(True)
                second, at = second + other, at + 1
            turns.append(False)
            main += size
        return _Turn(np.array(turns), first, main, begin, at)

    def _second_size(self, batch: int) -> int:
        """Examples of a batch of the second loader, counted from its first epoch."""
        while len(self._second_sizes) <= batch:
            self._second_sizes += self.second.sizes(len(self._second_ends)).tolist()
            self._second_ends.append(len(self._second_sizes))
        return self._second_sizes[batch]

    def _second_place(self, batch: int) -> Place:
        epoch = int(np.searchsorted(self._second_ends, batch, side="right"))
        return Place(epoch, batch - (self._second_ends[epoch - 1] if epoch else 0))


@dataclass(frozen=True, eq=False)
class _Turn:
    """One epoch of a mixture."""

    second: np.ndarray
    """Of each batch, whether it is the second loader's."""
    main_before: int
    """Examples of the main loader before this epoch."""
    main_after: int
    second_begin: int
    """Batches of the second loader before this epoch."""
    second_end: int
