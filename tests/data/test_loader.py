import time
from itertools import islice, pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seqwise.data.batch import Batch, Rows
from seqwise.data.loader import Loader, Place, ordered_batches, plan_epoch
from seqwise.errors import ConfigError, DataError

EOS = 3
lengths = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=120)


def corpus(pairs: list[tuple[int, int]]) -> tuple[list[list[int]], list[list[int]]]:
    """Rows of these lengths whose ids tell which row they are."""
    return [[100 + i] * a for i, (a, _) in enumerate(pairs)], [[100 + i] * b for i, (_, b) in enumerate(pairs)]


def natural(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Lengths as of sentences: log-normal sources, targets about a tenth longer."""
    random = np.random.default_rng(seed)
    sources = np.clip(random.lognormal(2.8, 0.5, n), 1, 150).astype(int)
    return sources, np.clip(sources * random.normal(1.1, 0.12, n), 1, 180).astype(int)


def epoch_of(loader: Loader, epoch: int = 0) -> list[Batch]:
    loader.seek(Place(epoch))
    return list(islice(loader, loader.batches_in_epoch(epoch)))


def same(a: Batch, b: Batch) -> bool:
    names = ("inputs", "lengths", "targets", "weights", "items")
    return all(torch.equal(getattr(a, name), getattr(b, name)) for name in names)


def padding(batches: list[Batch]) -> tuple[float, float]:
    """Share of padding in the sources and in the targets."""
    source = sum(int(b.lengths.sum()) for b in batches) / sum(b.inputs.numel() for b in batches)
    target = sum(float(b.weights.sum()) for b in batches) / sum(b.weights.numel() for b in batches)
    return 1 - source, 1 - target


@given(lengths, st.integers(1, 200), st.integers(0, 2**63), st.integers(0, 3))
def test_an_epoch_holds_each_pair_once_and_no_batch_exceeds_the_budget(pairs, budget, seed, epoch):
    sources, targets = corpus(pairs)
    loader = Loader(sources, targets, batch_tokens=budget, seed=seed, eos=EOS)
    batches = epoch_of(loader, epoch)
    assert sorted(torch.cat([b.items for b in batches]).tolist()) == list(range(len(pairs)))
    for b in batches:
        assert len(b.items) == 1 or len(b.items) * max(b.inputs.shape[1], b.targets.shape[1]) <= budget
    assert loader.place == Place(epoch + 1)


@given(lengths, st.integers(1, 200))
def test_rows_are_the_pairs_that_items_name_with_the_end_behind(pairs, budget):
    sources, targets = corpus(pairs)
    for batch in epoch_of(Loader(sources, targets, batch_tokens=budget, seed=1, eos=EOS)):
        for row, item in enumerate(batch.items.tolist()):
            real = int(batch.lengths[row])
            assert batch.inputs[row, :real].tolist() == [*sources[item], EOS]
            assert not batch.inputs[row, real:].any()
            real = int(batch.weights[row].sum())
            assert batch.targets[row, :real].tolist() == [*targets[item], EOS]
            assert not batch.targets[row, real:].any()


def test_a_seed_and_an_epoch_decide_the_order():
    sources, targets = corpus([(n % 7 + 1, n % 5 + 2) for n in range(400)])

    def order(seed: int, epoch: int) -> list[list[int]]:
        loader = Loader(sources, targets, batch_tokens=100, seed=seed, eos=EOS)
        return [b.items.tolist() for b in epoch_of(loader, epoch)]

    assert order(1, 0) == order(1, 0)
    assert order(1, 0) != order(1, 1)
    assert order(1, 0) != order(2, 0)
    assert sorted(map(sorted, order(1, 0))) != sorted(map(sorted, order(1, 1))), "the same pairs share a batch"


@settings(deadline=None)
@given(lengths, st.integers(5, 200), st.integers(0, 60))
def test_a_run_goes_on_from_any_place_with_the_same_batches(pairs, budget, done):
    sources, targets = corpus(pairs)
    whole = Loader(sources, targets, batch_tokens=budget, seed=5, eos=EOS)
    list(islice(whole, done))
    resumed = Loader(sources, targets, batch_tokens=budget, seed=5, eos=EOS)
    resumed.seek(whole.place)
    assert resumed.place == whole.place
    for a, b in islice(zip(whole, resumed, strict=True), 20):
        assert same(a, b)


@settings(deadline=None)
@given(lengths, st.integers(5, 200), st.integers(2, 5))
def test_processes_share_the_batches_that_one_would_have(pairs, budget, world):
    sources, targets = corpus(pairs)

    def loader(rank: int, world: int) -> Loader:
        return Loader(sources, targets, batch_tokens=budget, seed=5, eos=EOS, rank=rank, world=world)

    alone, shares = epoch_of(loader(0, 1)), [epoch_of(loader(rank, world)) for rank in range(world)]
    assert all(len(share) == len(alone) for share in shares)
    for batch, *parts in zip(alone, *shares, strict=True):
        counted = [item for part in parts for item in part.items[part.weights.sum(1) > 0].tolist()]
        assert sorted(counted) == sorted(batch.items.tolist())
        assert sum(float(part.weights.sum()) for part in parts) == float(batch.weights.sum())
        assert all(len(part.items) > 0 for part in parts), "a process has nothing to compute"


def test_a_process_without_a_row_gets_one_that_counts_for_nothing():
    sources, targets = corpus([(4, 4)])
    batch = next(Loader(sources, targets, batch_tokens=100, seed=0, eos=EOS, rank=1, world=2))
    assert batch.items.tolist() == [0]
    assert batch.targets.tolist() == [[100, 100, 100, 100, EOS]]
    assert not batch.weights.any()


def test_a_pair_above_the_budget_has_a_batch_of_its_own():
    sources, targets = corpus([(5, 5)] * 6 + [(50, 4), (4, 60)])
    loader = Loader(sources, targets, batch_tokens=30, seed=0, eos=EOS)
    assert loader.oversized == 2
    assert [6] in [b.items.tolist() for b in epoch_of(loader)]
    assert [7] in [b.items.tolist() for b in epoch_of(loader)]


def test_the_last_batch_is_no_single_row():
    """21 rows of 10 where 20 fill a batch: 10 and 11, not 20 and 1."""
    sources, targets = corpus([(9, 9)] * 21)
    batches = epoch_of(Loader(sources, targets, batch_tokens=200, seed=0, eos=EOS))
    assert sorted(len(b.items) for b in batches) == [10, 11]


def test_little_of_a_batch_is_padding():
    """Of a hundred thousand pairs of natural length in batches of 4096 tokens, at most 2 % of both sides."""
    a, b = natural(100_000)
    plan = plan_epoch(a, b, 4096, 0, 0)
    batches = [plan.order[i:j] for i, j in pairwise(plan.cuts.tolist())]
    padded = sum(int(a[batch].max() + b[batch].max()) * len(batch) for batch in batches)
    assert 1 - (a.sum() + b.sum()) / padded < 0.02


def test_less_is_padding_than_with_a_sort_by_target_and_source():
    a, b = natural(20_000)
    sources, targets = corpus(list(zip(a.tolist(), b.tolist(), strict=True)))
    ours = padding(epoch_of(Loader(sources, targets, batch_tokens=4096, seed=0, eos=EOS)))
    order = np.lexsort((a, b))
    cuts = [0]
    for i in range(len(order)):
        widest = 1 + int(np.maximum(a, b)[order[cuts[-1] : i + 1]].max())
        if (i + 1 - cuts[-1]) * widest > 4096:
            cuts.append(i)
    cuts.append(len(order))
    plain = [
        1 - (side + 1).sum() / sum((1 + int(side[order[i:j]].max())) * (j - i) for i, j in pairwise(cuts))
        for side in (a, b)
    ]
    assert sum(ours) < 0.8 * sum(plain)


def test_a_million_pairs_are_planned_in_seconds_at_most():
    a, b = natural(1_000_000)
    start = time.perf_counter()
    plan = plan_epoch(a, b, 8192, 0, 0)
    assert time.perf_counter() - start < 5  # a third of a second on a machine with nothing else to do
    assert len(plan.order) == 1_000_000


def test_every_epoch_has_as_many_batches():
    a, b = natural(3000)
    sources, targets = corpus(list(zip(a.tolist(), b.tolist(), strict=True)))
    loader = Loader(sources, targets, batch_tokens=500, seed=0, eos=EOS)
    assert len({loader.batches_in_epoch(epoch) for epoch in range(5)}) == 1


def test_asking_for_another_epoch_does_not_disturb_the_running_one():
    sources, targets = corpus([(n % 7 + 1, n % 5 + 2) for n in range(100)])
    a, b = (Loader(sources, targets, batch_tokens=60, seed=1, eos=EOS) for _ in range(2))
    next(a), next(b)
    a.batches_in_epoch(9)
    assert same(next(a), next(b))


@given(lengths, st.integers(1, 200))
def test_evaluation_sees_each_pair_once_the_longest_first(pairs, budget):
    sources, targets = corpus(pairs)
    batches = list(ordered_batches(sources, targets, budget, eos=EOS))
    assert sorted(item for b in batches for item in b.items.tolist()) == list(range(len(pairs)))
    longest = [max(map(max, (pairs[item] for item in b.items.tolist()))) for b in batches]
    assert longest == sorted(longest, reverse=True)
    for b in batches:
        assert len(b.items) == 1 or len(b.items) * max(b.inputs.shape[1], b.targets.shape[1]) <= budget


def test_separate_vocabularies_have_their_own_end_and_padding():
    loader = Loader([[7], [7, 8]], [[5, 6], [5]], batch_tokens=50, seed=0, eos=2, pad=1, source_eos=102, source_pad=0)
    batch = next(loader)
    first = batch.items.tolist().index(0)
    assert batch.inputs[first].tolist() == [7, 102, 0]
    assert batch.targets[1 - first].tolist() == [5, 2, 1]


def test_a_place_that_cannot_be_is_an_error():
    sources, targets = corpus([(3, 3)] * 10)
    loader = Loader(sources, targets, batch_tokens=8, seed=0, eos=EOS)
    for place in (Place(0, 11), Place(-1, 0), Place(0, -1)):
        with pytest.raises(DataError, match="a place within epochs of 5 batches"):
            loader.seek(place)
    loader.seek(Place(2, 5))
    assert loader.place == Place(3, 0)


def test_nothing_to_load_is_an_error():
    with pytest.raises(DataError, match="0 sources and 0 targets"):
        Loader([], [], batch_tokens=8, seed=0, eos=EOS)
    with pytest.raises(DataError, match="1 sources and 2 targets"):
        Loader([[5]], [[5], [6]], batch_tokens=8, seed=0, eos=EOS)
    with pytest.raises(ConfigError, match="0 tokens"):
        Loader([[5]], [[5]], batch_tokens=0, seed=0, eos=EOS)


def test_batches_do_not_share_memory_with_the_plan():
    sources, targets = corpus([(3, 3)] * 10)
    loader = Loader(sources, targets, batch_tokens=100, seed=0, eos=EOS)
    batch = next(loader)
    batch.items.fill_(0)
    assert sorted(next(Loader(sources, targets, batch_tokens=100, seed=0, eos=EOS)).items.tolist()) == list(range(10))
    loader.seek(Place(0))
    assert sorted(next(loader).items.tolist()) == list(range(10))


def test_rows_that_vary_are_batched_by_the_lengths_of_their_epoch():
    """Each epoch has its own rows; going back to an epoch brings back its batches."""
    sources, targets = corpus([(n % 7 + 1, n % 5 + 2) for n in range(50)])

    def rows(epoch: int) -> tuple[Rows, Rows]:
        grown = [[*row, *row[:1] * epoch] for row in sources]
        return Rows.of(grown, end=EOS), Rows.of(targets, end=EOS)

    loader = Loader(sources, targets, batch_tokens=60, seed=1, eos=EOS, varied=rows)
    first, third = epoch_of(loader, 0), epoch_of(loader, 2)
    assert sum(int(b.lengths.sum()) for b in third) == sum(int(b.lengths.sum()) for b in first) + 100
    assert all(len(b.items) * max(b.inputs.shape[1], b.targets.shape[1]) <= 60 for b in third)
    assert all(same(a, b) for a, b in zip(epoch_of(loader, 0), first, strict=True))
