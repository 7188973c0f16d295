import pytest
import torch

from seqwise.decoding.reading import batches, read_all, unpadded
from seqwise.models.architecture import FeedForwardSettings, TransformerSettings
from seqwise.models.assemble import build_pretrained, initialise
from seqwise.models.heads import LabelsSettings, pooled


def encoder(head=None):
    settings = TransformerSettings(
        shape="encoder", width=16, layers=2, heads=2, feed_forward=FeedForwardSettings(width=32)
    )
    model = build_pretrained(settings, head, 50)
    initialise(model)
    return model.eval()


def texts(count=40):
    return [torch.randint(1, 50, (int(length),)).tolist() for length in torch.randint(1, 30, (count,))]


@pytest.mark.parametrize("budget", [1, 64, 10_000])
def test_every_text_is_in_one_batch_within_the_budget(budget):
    lengths = [len(row) for row in texts()]
    found = list(batches(lengths, budget))
    assert sorted(place for batch in found for place in batch) == list(range(len(lengths)))
    for batch in found:
        longest = lengths[batch[-1]]
        assert len(batch) == 1 or longest * len(batch) <= budget
        assert longest <= 1.1 * lengths[batch[0]] + 1


@pytest.mark.parametrize("budget", [1, 64, 10_000])
def test_without_padding_every_text_is_in_one_batch_within_the_budget(budget):
    lengths = [len(row) for row in texts()]
    found = list(unpadded(lengths, budget))
    assert sorted(place for batch in found for place in batch) == list(range(len(lengths)))
    for batch in found:
        assert len(batch) == 1 or sum(lengths[place] for place in batch) <= budget
        assert [lengths[place] for place in batch] == sorted(lengths[place] for place in batch)


@pytest.mark.parametrize("pool", ["mean", "first", "last"])
def test_vectors_are_those_of_each_text_read_alone(pool):
    model, rows = encoder(), texts()
    found = read_all(model, rows, pool, budget=100)
    for row, vector in zip(rows, found, strict=True):
        length = torch.tensor([len(row)])
        with torch.no_grad():
            alone = pooled(model.hidden(torch.tensor([row]), length), length, pool)[0]
        torch.testing.assert_close(vector, alone, rtol=1e-4, atol=1e-5)


def test_labels_are_those_of_each_text_read_alone():
    model, rows = encoder(LabelsSettings(labels=3)), texts(9)
    found = read_all(model, rows, None)
    with torch.no_grad():
        alone = torch.cat([model(torch.tensor([row])) for row in rows])
    torch.testing.assert_close(found, alone, rtol=1e-4, atol=1e-5)


def test_no_texts_are_no_vectors():
    assert read_all(encoder(), []).shape == (0, 16)
