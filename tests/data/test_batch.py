import time

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.utils.rnn import pad_sequence

from seqwise.data.batch import Rows, collate, gather, pad

ids = st.lists(st.integers(0, 2**31 - 1), max_size=9)


@given(st.lists(ids, min_size=1, max_size=8), st.integers(0, 9))
def test_padding_equals_torch(rows, fill):
    """The oracle is torch.nn.utils.rnn.pad_sequence."""
    tensors = [torch.tensor(row, dtype=torch.int64) for row in rows]
    assert torch.equal(pad(rows, fill), pad_sequence(tensors, batch_first=True, padding_value=fill))


@given(st.lists(ids, max_size=8), st.one_of(st.none(), st.integers(0, 9)))
def test_rows_come_out_as_they_went_in_with_the_end_behind(rows, end):
    joined = Rows.of(rows, end)
    expected = [[*row, *([] if end is None else [end])] for row in rows]
    found = [joined.flat[a:b].tolist() for a, b in zip(joined.starts, joined.starts[1:], strict=False)]
    assert found == expected
    assert joined.lengths.tolist() == [len(row) for row in expected]


@given(st.data())
def test_gathering_any_items_equals_collating_their_rows(data):
    pairs = data.draw(st.lists(st.tuples(ids, ids), min_size=1, max_size=8))
    items = data.draw(st.lists(st.integers(0, len(pairs) - 1), min_size=1, max_size=12))
    sources, targets = [a for a, _ in pairs], [b for _, b in pairs]
    gathered = gather(Rows.of(sources), Rows.of(targets), np.array(items), 0, 0)
    collated = collate([sources[i] for i in items], [targets[i] for i in items], items, 0)
    for name in ("inputs", "lengths", "targets", "weights", "items"):
        assert torch.equal(getattr(gathered, name), getattr(collated, name)), name


def test_a_batch_says_what_is_real():
    batch = collate([[7, 3], [7, 8, 9, 3]], [[5, 6, 3], [3]], [11, 4], fill=0)
    assert batch.inputs.tolist() == [[7, 3, 0, 0], [7, 8, 9, 3]]
    assert batch.lengths.tolist() == [2, 4]
    assert batch.targets.tolist() == [[5, 6, 3], [3, 0, 0]]
    assert batch.weights.tolist() == [[1, 1, 1], [1, 0, 0]]
    assert batch.weights.dtype == torch.float32
    assert batch.items.tolist() == [11, 4]
    assert {batch.inputs.dtype, batch.lengths.dtype, batch.targets.dtype, batch.items.dtype} == {torch.int64}


def test_the_source_may_have_a_padding_of_its_own():
    batch = gather(Rows.of([[7], [7, 8]]), Rows.of([[5, 6], [5]]), np.arange(2), fill=1, source_fill=0)
    assert batch.inputs.tolist() == [[7, 0], [7, 8]]
    assert batch.targets.tolist() == [[5, 6], [5, 1]]


def test_no_rows_make_an_empty_batch():
    assert pad([], 0).shape == (0, 0)
    assert pad([[], []], 0).shape == (2, 0)


def test_collating_300_rows_takes_milliseconds_at_most():
    """Best of many, as other processes may hold the machine; a third of one on a fast one."""
    rows = [list(range(14))] * 300

    def once() -> float:
        start = time.perf_counter()
        collate(rows, rows, range(300), 0)
        return time.perf_counter() - start

    assert min(once() for _ in range(50)) < 3e-3
