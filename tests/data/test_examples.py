from itertools import islice, pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seqwise.data.batch import Batch, Rows
from seqwise.data.examples import ExampleLoader, Examples, Mixed, ordered
from seqwise.data.loader import Loader, Place
from seqwise.errors import ConfigError, DataError

lengths = st.lists(st.integers(1, 30), min_size=1, max_size=90)
limits = st.sampled_from([{"batch_tokens": 40}, {"batch_examples": 5}, {"batch_tokens": 60, "batch_examples": 4}])


def texts(sizes: list[int]) -> Examples:
    """Of a decoder: row i holds 100 + i, its targets 1000 + 100 i + place, of which the first does not count."""
    inputs = [[100 + i] * n for i, n in enumerate(sizes)]
    targets = [[1000 + 100 * i + k for k in range(n)] for i, n in enumerate(sizes)]
    trained = [[0] + [1] * (n - 1) for n in sizes]
    return Examples(Rows.of(inputs), Rows.of(targets), Rows.of(trained), pad=7, target_pad=8)


def labelled(sizes: list[int]) -> Examples:
    return Examples(
        Rows.of([[100 + i] * n for i, n in enumerate(sizes)]), Rows.of([[i % 3] for i in range(len(sizes))])
    )


def epoch_of(loader: ExampleLoader | Mixed, epoch: int = 0) -> list[Batch]:
    loader.seek(Place(epoch))
    return list(islice(loader, loader.batches_in_epoch(epoch)))


def same(a: Batch, b: Batch) -> bool:
    return torch.equal(a.items, b.items) and all(map(torch.equal, a.tensors(), b.tensors()))


def documents(batch: Batch) -> dict[int, tuple[list[int], list[int], list[float]]]:
    """By example: what is read, what is foreseen and what counts, whichever way it was laid out."""
    found = {}
    ends = batch.lengths.cumsum(0).tolist()
    each = len(batch.targets) == len(batch.items)  # targets of their own, or a row for all
    for row, (item, length) in enumerate(zip(batch.items.tolist(), batch.lengths.tolist(), strict=True)):
        packed = slice(ends[row] - length, ends[row])
        inputs = batch.inputs[0, packed] if batch.packed else batch.inputs[row, :length]
        place = (row, slice(length)) if each else (0, packed)
        found[item] = (inputs.tolist(), batch.targets[place].tolist(), batch.weights[place].tolist())
    return found


@settings(deadline=None)
@given(lengths, limits, st.booleans(), st.booleans(), st.integers(0, 2))
def test_an_epoch_holds_each_example_once_as_it_is(sizes, limit, packed, label, epoch):
    examples = labelled(sizes) if label else texts(sizes)
    batches = epoch_of(ExampleLoader(examples, seed=3, packed=packed, **limit), epoch)
    found = [pair for batch in batches for pair in documents(batch).items()]
    assert sorted(item for item, _ in found) == list(range(len(sizes)))
    for item, (inputs, targets, weights) in found:
        n = sizes[item]
        assert inputs == [100 + item] * n
        assert targets == ([item % 3] if label else [1000 + 100 * item + k for k in range(n)])
        assert weights == ([1.0] if label else [0.0] + [1.0] * (n - 1))


@settings(deadline=None)
@given(lengths, limits, st.booleans())
def test_no_batch_exceeds_its_limits_and_no_more_were_needed(sizes, limit, packed):
    loader = ExampleLoader(texts(sizes), seed=3, packed=packed, **limit)
    batches = epoch_of(loader)
    tokens, rows = limit.get("batch_tokens", 10**9), limit.get("batch_examples", 10**9)
    for batch in batches:
        assert len(batch.items) <= rows
        assert len(batch.items) == 1 or batch.inputs.numel() <= tokens
        assert not packed or batch.inputs.numel() == int(batch.lengths.sum()), "there is padding"
    if packed:  # greedy: two neighbours never fit into one
        for a, b in pairwise(batches):
            assert len(a.items) == rows or a.inputs.numel() + int(b.lengths[0]) > tokens
    assert loader.batches(3) == sum(loader.batches_in_epoch(epoch) for epoch in range(3))


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.integers(1, 30), min_size=40, max_size=260),
    st.sampled_from([{"batch_examples": 1}, {"batch_examples": 2}, {"batch_examples": 3}, {}]),
    st.sampled_from([30, 41, None]),
    st.booleans(),
    st.integers(1, 5),
)
def test_the_batches_of_some_epochs_are_told_exactly(sizes, rows, tokens, packed, epochs):
    """A run ends where its epochs end, and its rate falls to the last step: of many pools, no two epochs are alike."""
    limit = {**rows, **({"batch_tokens": tokens} if tokens or not rows else {})}
    if not any(limit.values()):
        return
    loader = ExampleLoader(texts(sizes), seed=len(sizes), packed=packed, **limit)
    told, counted = loader.batches(epochs), 0
    while loader.place.epoch < epochs:
        next(loader)
        counted += 1
    assert told == counted == loader.batches(epochs)
    assert loader.batches(1) == loader.batches_in_epoch(0)


def test_packing_is_in_random_order_and_mixes_lengths():
    """Documents of any length share a batch: of sorted ones, the lengths within a batch would be all but equal."""
    sizes = [1 + n % 50 for n in range(1000)]
    batches = epoch_of(ExampleLoader(texts(sizes), batch_tokens=500, seed=1, packed=True))
    spreads = [int(batch.lengths.max() - batch.lengths.min()) for batch in batches]
    assert np.mean(spreads) > 30
    other = epoch_of(ExampleLoader(texts(sizes), batch_tokens=500, seed=1, packed=True), 1)
    assert batches[0].items.tolist() != other[0].items.tolist()


def test_padded_batches_are_of_like_length_in_another_order_each_epoch():
    sizes = [1 + n % 50 for n in range(1000)]
    for limit in ({"batch_tokens": 500}, {"batch_examples": 20}):
        loader = ExampleLoader(texts(sizes), seed=1, **limit)
        first, second = epoch_of(loader, 0), epoch_of(loader, 1)
        real = sum(int(batch.lengths.sum()) for batch in first)
        assert real / sum(batch.inputs.numel() for batch in first) > 0.95
        assert [b.items.tolist() for b in first] != [b.items.tolist() for b in second]


@settings(deadline=None, max_examples=40)
@given(lengths, limits, st.booleans(), st.integers(0, 40))
def test_a_run_goes_on_from_any_place_with_the_same_batches(sizes, limit, packed, done):
    whole, resumed = (ExampleLoader(texts(sizes), seed=5, packed=packed, **limit) for _ in range(2))
    list(islice(whole, done))
    resumed.seek(whole.place)
    assert all(same(a, b) for a, b in islice(zip(whole, resumed, strict=True), 12))


@settings(deadline=None)
@given(lengths, st.booleans(), st.booleans(), st.integers(2, 4))
def test_processes_share_the_batches_that_one_would_have(sizes, packed, label, world):
    examples = labelled(sizes) if label else texts(sizes)

    def loader(rank: int, world: int) -> ExampleLoader:
        return ExampleLoader(examples, batch_tokens=60, seed=5, rank=rank, world=world, packed=packed)

    alone, shares = epoch_of(loader(0, 1)), [epoch_of(loader(rank, world)) for rank in range(world)]
    assert all(len(share) == len(alone) for share in shares)
    for batch, *parts in zip(alone, *shares, strict=True):
        assert sum(float(part.weights.sum()) for part in parts) == float(batch.weights.sum())
        counted = {item: told for part in parts for item, told in documents(part).items() if any(told[2])}
        assert counted == {item: told for item, told in documents(batch).items() if any(told[2])}


def test_processes_have_much_the_same_to_do():
    sizes = np.random.default_rng(0).integers(1, 100, 500).tolist()
    shares = [
        epoch_of(ExampleLoader(texts(sizes), batch_tokens=2000, seed=5, rank=r, world=2, packed=True)) for r in (0, 1)
    ]
    for a, b in zip(*shares, strict=True):
        assert abs(a.inputs.numel() - b.inputs.numel()) <= 100


@given(lengths, st.booleans())
def test_an_evaluation_sees_each_example_once_the_longest_first(sizes, packed):
    batches = list(ordered(texts(sizes), 60, packed))
    assert sorted(item for b in batches for item in b.items.tolist()) == list(range(len(sizes)))
    read = [n for b in batches for n in b.lengths.tolist()]
    assert read == sorted(read, reverse=True)
    assert all(len(b.items) == 1 or b.inputs.numel() <= 60 for b in batches)


def test_examples_of_translation_are_batched_as_by_the_loader():
    """The same rows, seed and budget: the batches of `Loader`, which adds the end tokens itself."""
    sources, targets = [[5] * (1 + n % 9) for n in range(80)], [[6] * (1 + n % 7) for n in range(80)]
    old = Loader(sources, targets, batch_tokens=50, seed=4, eos=3)
    new = ExampleLoader(Examples(Rows.of(sources, 3), Rows.of(targets, 3)), batch_tokens=50, seed=4)
    assert all(same(a, b) for a, b in islice(zip(old, new, strict=True), 60))


def test_a_document_above_the_budget_has_a_batch_of_its_own():
    loader = ExampleLoader(texts([5, 5, 50, 5]), batch_tokens=10, seed=0, packed=True)
    assert loader.oversized == 1
    assert [2] in [batch.items.tolist() for batch in epoch_of(loader)]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("share", [0.05, 0.3, 0.9])
def test_a_mixture_has_the_share_that_was_asked_for_at_any_time(share, packed):
    main = ExampleLoader(texts([3 + n % 9 for n in range(300)]), batch_tokens=60, seed=1, packed=packed)
    second = ExampleLoader(texts([2 + n % 20 for n in range(40)]), batch_tokens=60, seed=1, packed=packed)
    mixed = Mixed(main, second, share)
    counts = [0, 0]
    largest = 0
    for batch in islice(mixed, 400):
        which = bool(batch.items[0] >= 300)
        assert bool((batch.items >= 300).all()) == which, "a batch is of one of them"
        counts[which] += len(batch.items)
        largest = max(largest, len(batch.items))
        assert abs(counts[1] - share * sum(counts)) <= largest
        assert mixed.counts == tuple(counts)
    assert mixed.actual == pytest.approx(share, abs=0.01)


def test_an_epoch_of_a_mixture_is_one_of_the_main_loader():
    main, second = (ExampleLoader(texts([4] * n), batch_examples=4, seed=2) for n in (50, 7))
    mixed = Mixed(main, second, 0.4)
    for epoch in range(3):
        items = torch.cat([batch.items for batch in epoch_of(mixed, epoch)])
        assert sorted(items[items < 50].tolist()) == list(range(50))
    assert mixed.place == Place(3)
    assert mixed.batches(3) == sum(mixed.batches_in_epoch(epoch) for epoch in range(3))
    every = torch.cat([batch.items for epoch in range(3) for batch in epoch_of(mixed, epoch)])
    seen = torch.bincount(every[every >= 50] - 50)
    assert seen.max() - seen.min() <= 1, "the second loader skips or repeats some of its examples"


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 80), st.floats(0.02, 0.95))
def test_a_mixture_goes_on_from_any_place_with_the_same_batches(done, share):
    def made() -> Mixed:
        main = ExampleLoader(texts([3 + n % 9 for n in range(60)]), batch_tokens=60, seed=1, packed=True)
        return Mixed(main, ExampleLoader(texts([5] * 9), batch_tokens=20, seed=2), share)

    whole, resumed = made(), made()
    list(islice(whole, done))
    resumed.seek(whole.place)
    assert resumed.counts == whole.counts
    assert all(same(a, b) for a, b in islice(zip(whole, resumed, strict=True), 20))


def test_processes_mix_alike():
    def made(rank: int, world: int) -> Mixed:
        parts = (ExampleLoader(texts([4] * n), batch_tokens=40, seed=2, rank=rank, world=world) for n in (50, 20))
        return Mixed(*parts, 0.2)

    for alone, a, b in islice(zip(made(0, 1), made(0, 2), made(1, 2), strict=True), 60):
        assert sorted(a.items.tolist() + b.items.tolist()) == sorted(alone.items.tolist())


@pytest.mark.parametrize("share", [0.0, 1.0, 2.0, -0.1])
def test_a_share_that_is_none_is_an_error(share):
    loader = ExampleLoader(texts([4]), batch_tokens=40, seed=2)
    with pytest.raises(ConfigError, match="more than 0 and less than 1"):
        Mixed(loader, loader, share)


def test_what_cannot_be_examples_or_batches_is_an_error():
    with pytest.raises(DataError, match="0 inputs and 0 targets"):
        Examples(Rows.of([]), Rows.of([]))
    with pytest.raises(DataError, match="2 inputs and 1 targets"):
        Examples(Rows.of([[5], [5]]), Rows.of([[5]]))
    with pytest.raises(DataError, match="example 2 is empty"):
        Examples(Rows.of([[5], []]), Rows.of([[5], [5]]))
    with pytest.raises(ConfigError, match="a batch without a size"):
        ExampleLoader(texts([4]), seed=0)
    with pytest.raises(ConfigError, match="0 examples"):
        ExampleLoader(texts([4]), seed=0, batch_examples=0)
    with pytest.raises(ConfigError, match="packing of texts with another text"):
        ExampleLoader(Examples(Rows.of([[5, 6]]), Rows.of([[5, 6, 7]])), seed=0, batch_tokens=9, packed=True)


@given(lengths, st.data())
def test_some_of_the_examples_are_what_they_were(sizes, data):
    examples = texts(sizes)
    chosen = np.array(data.draw(st.lists(st.integers(0, len(sizes) - 1), min_size=1, max_size=20)))
    some = examples.select(chosen)
    assert len(some) == len(chosen)
    a, b = some.batch(np.arange(len(chosen))), examples.batch(chosen)
    assert all(map(torch.equal, a.tensors(), b.tensors()))
