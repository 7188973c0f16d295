"""Which pairs go into which batch, in what order, and where a run stands in that order.

A batch is filled to a budget of tokens from pairs of like length, so that little of it is padding, as in
Vaswani et al. 2017, section 5.1. The plan of an epoch is a pure function of lengths, budget, seed and
epoch. A run therefore resumes anywhere from two numbers, and all processes of a run agree without a word.

    sort by the longer side, then by the difference -> cut where the budget is full -> shuffle the batches

Left out: workers in the background. To gather a batch costs a fraction of a millisecond, a training step
hundreds.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Generic, Protocol, TypeVar, cast, runtime_checkable

import numpy as np
from jaxtyping import Int

from seqwise.data.batch import Batch, Rows, Taught, gather
from seqwise.errors import ConfigError, DataError

Kind = TypeVar("Kind", bound=Taught)
"""Of a batch."""

# N examples in the corpus, pairs in most of this file; M batches in an epoch (M1 = M + 1), B examples in a batch


@dataclass(frozen=True)
class Place:
    """Where the next batch comes from."""

    epoch: int = 0
    """Passes over the corpus that are done."""
    batch: int = 0
    """Batches of this pass that are done."""


@runtime_checkable
class Batches(Protocol):
    """What a run is trained on: batches without end, which begin again anywhere from a `Place`."""

    @property
    def place(self) -> Place:
        """Where the next batch comes from."""

    def seek(self, place: Place) -> None:
        """Go on from here."""

    def batches_in_epoch(self, epoch: int) -> int:
        """How many batches this epoch has."""

    def batches(self, epochs: int) -> int:
        """How many the first so many epochs have together, or nearly so where that would cost time to know."""

    def __next__(self) -> Taught:
        """The batch of this process."""


@dataclass(frozen=True, eq=False)
class Plan:
    """The batches of one epoch."""

    order: Int[np.ndarray, "N"]
    """The examples, batch after batch as they were cut."""
    cuts: Int[np.ndarray, "M1"]
    """Where in `order` each batch begins, and where the last one ends."""
    turns: Int[np.ndarray, "M"]
    """Which batch comes first, second and so on."""

    def items(self, batch: int) -> Int[np.ndarray, "B"]:
        """The examples of one batch."""
        turn = self.turns[batch]
        return self.order[self.cuts[turn] : self.cuts[turn + 1]]

    @property
    def sizes(self) -> Int[np.ndarray, "M"]:
        """Examples of each batch, the first batch first."""
        sizes: Int[np.ndarray, "M"] = np.diff(self.cuts)[self.turns]
        return sizes


def plan_epoch(
    sources: Int[np.ndarray, "N"], targets: Int[np.ndarray, "N"], batch_tokens: int, seed: int, epoch: int
) -> Plan:
    """Batches of pairs of like length, from the lengths of both sides, in an order that seed and epoch
    decide.

    Of pairs that are equally long on both sides, chance decides which share a batch; the number of batches
    and their sizes are the same in every epoch.
    """
    random = np.random.default_rng((seed, epoch))
    order = random.permutation(len(sources))
    order = order[by_length(sources[order], targets[order])]
    cuts = fill(np.maximum(sources, targets)[order], batch_tokens)
    return Plan(order, cuts, random.permutation(len(cuts) - 1))


def by_length(sources: Int[np.ndarray, "N"], targets: Int[np.ndarray, "N"]) -> Int[np.ndarray, "N"]:
    """Sort by the longer side, then by how much longer the target is, up and down in turn.

    The turns keep both lengths close where one longest side ends and the next begins. On 29,000 picture
    captions in batches of 4096 tokens this leaves 3 % of padding, where a sort by target, then source, leaves
    6 %.
    """
    longer, difference = np.maximum(sources, targets), targets - sources
    span = int(longer.max(initial=0))
    swept = np.where(longer % 2 == 0, difference, -difference) + span  # from 0 to 2 * span
    return np.argsort(longer * (2 * span + 1) + swept, kind="stable")


def fill(longest: Int[np.ndarray, "N"], budget: float, most: float = math.inf) -> Int[np.ndarray, "M1"]:
    """Cut wherever one row more, padded to the longest, would go over the budget; a row alone may go over.

    most   rows of a batch at most
    """
    cuts, rows, widest = [0], 0, 0
    for place, length in enumerate(longest.tolist()):
        widest = max(widest, length)
        rows += 1
        if rows > 1 and (rows * widest > budget or rows > most):
            cuts.append(place)
            rows, widest = 1, length
    cuts.append(len(longest))
    if len(cuts) > 2:
        # The last batch may be a row or two, a step of pure noise: let it share with the one before.
        middle = (cuts[-3] + cuts[-1] + 1) // 2
        if middle < cuts[-2] and (cuts[-1] - middle) * int(longest[middle:].max()) <= budget:
            cuts[-2] = middle
    return np.array(cuts)


class Turns(ABC, Generic[Kind]):
    """Batches without end, epoch after epoch, each as a plan has it. `Loader` and `ExampleLoader` are of this kind.

    Every process of a run makes the same plan and takes its share of each batch, so all of them see as many batches,
    and together they see what one process would. Where a batch has fewer examples than there are processes, those who
    are left without one get its first with all weights 0: something to compute that counts for nothing. So sum the
    loss and divide by the weights of all processes together.
    """

    def __init__(self, rank: int, world: int) -> None:
        self._rank, self._world = rank, world
        self._place = Place()
        self._epoch, self._plan = 0, self._planned(0)

    @abstractmethod
    def _planned(self, epoch: int) -> Plan:
        """The batches of an epoch, the same in every process."""

    @abstractmethod
    def _gathered(self, items: Int[np.ndarray, "B"]) -> Kind:
        """These examples as a batch."""

    @abstractmethod
    def _shared(self, items: Int[np.ndarray, "B"]) -> Int[np.ndarray, "B2"]:
        """This process's share of a batch, perhaps nothing."""

    @abstractmethod
    def batches(self, epochs: int) -> int:
        """How many the first so many epochs have together, or nearly so where that would cost time to know."""

    @property
    def place(self) -> Place:
        """Where the next batch comes from; what a checkpoint keeps."""
        return self._place

    def seek(self, place: Place) -> None:
        """Go on from here: the batches that follow are those that followed when the place was read."""
        self._place = settled(place, self.batches_in_epoch(max(place.epoch, 0)))

    def batches_in_epoch(self, epoch: int) -> int:
        """How many batches this epoch has: as many as every other, unless rows vary or documents are packed."""
        return len(self._turn(epoch).turns)

    def sizes(self, epoch: int) -> Int[np.ndarray, "M"]:
        """Examples in each batch of an epoch, of all processes."""
        return self._turn(epoch).sizes

    def __iter__(self) -> Iterator[Kind]:
        return self

    def __next__(self) -> Kind:
        plan = self._turn(self._place.epoch)
        items = plan.items(self._place.batch)
        ours = self._shared(items)
        batch = self._gathered(ours if len(ours) else items[:1])
        self.seek(replace(self._place, batch=self._place.batch + 1))
        return batch if len(ours) else cast(Kind, batch.uncounted())

    def _turn(self, epoch: int) -> Plan:
        """The plan of this epoch, kept until another is asked for."""
        if epoch != self._epoch:
            self._epoch, self._plan = epoch, self._planned(epoch)
        return self._plan


def settled(place: Place, batches: int) -> Place:
    """The place within its epoch of so many batches, or the beginning of the next."""
    if place.epoch < 0 or not 0 <= place.batch <= batches:
        raise DataError(
            given=f"batch {place.batch} of epoch {place.epoch} to go on from",
            allowed=f"a place within epochs of {batches} batches",
            mend="the data and the batch size that the run began with",
        )
    return Place(place.epoch + 1) if place.batch == batches else place


class Loader(Turns[Batch]):
    """Batches of pairs from rows of ids that have no end token yet.

    A pair that is longer than the budget gets a batch of its own; `oversized` counts them, in the
    first epoch where rows vary.

    `varied`, where given, tells the rows of an epoch, sources and targets with their end tokens, for texts
    whose tokens change from epoch to epoch; `sources` and `targets` are then those of the unvaried texts.
    """

    def __init__(
        self,
        sources: Sequence[Sequence[int]],
        targets: Sequence[Sequence[int]],
        *,
        batch_tokens: int,
        seed: int,
        eos: int,
        pad: int = 0,
        source_eos: int | None = None,
        source_pad: int | None = None,
        rank: int = 0,
        world: int = 1,
        varied: Callable[[int], tuple[Rows, Rows]] | None = None,
    ) -> None:
        self._corpus = _Corpus.of(sources, targets, eos, pad, source_eos, source_pad)
        if batch_tokens < 1:
            given = f"a batch of {batch_tokens} tokens"
            raise ConfigError(given, "at least 1", "--training.batch-tokens 4096")
        self._budget, self._seed = batch_tokens, seed
        self._varied = varied
        super().__init__(rank, world)
        lengths = self._corpus.sources.lengths, self._corpus.targets.lengths
        self.oversized = int((np.maximum(*lengths) > batch_tokens).sum())

    def batches(self, epochs: int) -> int:
        """Of so many epochs; where rows vary, later ones have a few more or less than is told here."""
        return epochs * self.batches_in_epoch(0)

    def _planned(self, epoch: int) -> Plan:
        if self._varied is not None:
            sources, targets = self._varied(epoch)
            self._corpus = replace(self._corpus, sources=sources, targets=targets)
        lengths = self._corpus.sources.lengths, self._corpus.targets.lengths
        return plan_epoch(*lengths, self._budget, self._seed, epoch)

    def _gathered(self, items: Int[np.ndarray, "B"]) -> Batch:
        return self._corpus.batch(items)

    def _shared(self, items: Int[np.ndarray, "B"]) -> Int[np.ndarray, "B2"]:
        return items[self._rank :: self._world]


def ordered_batches(
    sources: Sequence[Sequence[int]],
    targets: Sequence[Sequence[int]],
    batch_tokens: int,
    *,
    eos: int,
    pad: int = 0,
    source_eos: int | None = None,
    source_pad: int | None = None,
) -> Iterator[Batch]:
    """All pairs once, for evaluation: the longest first, so that a lack of memory shows at once.

    `items` says which pair a row is, so that results can be put back in order.
    """
    corpus = _Corpus.of(sources, targets, eos, pad, source_eos, source_pad)
    lengths = corpus.sources.lengths, corpus.targets.lengths
    order = by_length(*lengths)[::-1].copy()
    cuts = fill(np.maximum(*lengths)[order], batch_tokens)
    for start, end in pairwise(cuts.tolist()):
        yield corpus.batch(order[start:end])


@dataclass(frozen=True, eq=False)
class _Corpus:
    """Pairs of rows, and what fills them up."""

    sources: Rows
    targets: Rows
    pad: int
    source_pad: int

    @classmethod
    def of(
        cls,
        sources: Sequence[Sequence[int]],
        targets: Sequence[Sequence[int]],
        eos: int,
        pad: int,
        source_eos: int | None,
        source_pad: int | None,
    ) -> "_Corpus":
        """Put the end token behind every row: the target's, unless the source has one of its own."""
        if not sources or len(sources) != len(targets):
            raise DataError(
                given=f"{len(sources)} sources and {len(targets)} targets",
                allowed="as many of the one as of the other, and at least one pair",
                mend="other files, or milder filters",
            )
        return cls(
            Rows.of(sources, eos if source_eos is None else source_eos),
            Rows.of(targets, eos),
            pad,
            pad if source_pad is None else source_pad,
        )

    def batch(self, items: Int[np.ndarray, "B"]) -> Batch:
        """These pairs, side by side."""
        return gather(self.sources, self.targets, items, self.pad, self.source_pad)
