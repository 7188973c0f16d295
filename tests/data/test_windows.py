import numpy as np
import pytest
import torch

from seqwise.data.loader import Place
from seqwise.data.windows import WindowLoader, windows
from seqwise.errors import ConfigError, DataError

IDS = np.arange(1000, 1101, dtype=np.int32)  # each token tells where it stands


def loader(**changed):
    return WindowLoader(IDS, **{"context": 7, "batch_tokens": 28, "seed": 3, **changed})


def test_each_target_follows_its_input():
    for _, batch in zip(range(20), loader(), strict=False):
        assert batch.inputs.shape == batch.targets.shape == (4, 7)
        assert torch.equal(batch.targets, batch.inputs + 1)
        assert torch.equal(batch.inputs[:, 0] - 1000, batch.items)
        assert (batch.weights == 1).all()
        assert not batch.packed


def test_no_token_is_read_twice_in_an_epoch_and_another_is_left_out_each_time():
    train = loader()
    left = []
    for epoch in range(12):
        seen = [t for _ in range(train.batches_in_epoch(epoch)) for t in next(train).inputs.flatten().tolist()]
        assert len(seen) == len(set(seen)) == 12 * 7
        left.append(set(IDS.tolist()) - set(seen))
    assert train.place == Place(12, 0)
    assert len(set.intersection(*left)) <= 1  # the very last token is a target only
    assert train.batches(12) == 36


def test_the_windows_of_epochs_begin_at_other_places():
    offsets = {int(batch.items[0]) % 7 for _, batch in zip(range(60), loader(), strict=False)}
    assert len(offsets) > 3


def test_a_place_is_all_that_is_needed_to_go_on():
    one, other = loader(), loader()
    for _ in range(8):
        next(one)
    other.seek(one.place)
    for _ in range(5):
        assert torch.equal(next(one).inputs, next(other).inputs)


def test_processes_share_each_batch():
    whole, parts = loader(), [loader(rank=rank, world=2) for rank in range(2)]
    for _ in range(6):
        together = torch.cat([next(part).items for part in parts])
        assert sorted(together.tolist()) == sorted(next(whole).items.tolist())


def test_a_text_shorter_than_a_window_is_one_window():
    train = WindowLoader(IDS[:4], context=7, batch_tokens=28, seed=1)
    assert next(train).inputs.tolist() == [[1000, 1001, 1002]]


def test_for_a_look_the_whole_text_is_cut_once():
    found = windows(IDS, 7)
    assert found.inputs.lengths.tolist() == [7] * 14 + [2]
    assert found.targets.flat.tolist() == IDS[1:].tolist()
    assert found.inputs.flat.tolist() == IDS[:-1].tolist()


def test_what_cannot_be_cut_is_refused():
    with pytest.raises(DataError, match="a text of 1 tokens"):
        loader().__class__(IDS[:1], context=7, batch_tokens=28, seed=1)
    with pytest.raises(ConfigError, match=r"batch-tokens 5 with --generate\.context 7"):
        loader(batch_tokens=5)
