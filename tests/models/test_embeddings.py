import pytest
import torch
from torch.nn import functional

from seqwise.models.embeddings import Embeddings, EmbeddingSettings


def test_scaled_rows_are_as_large_as_positions():
    torch.manual_seed(0)
    part = Embeddings(500, 64)
    ids = torch.randint(1, 500, (2, 9))
    torch.testing.assert_close(part(ids), functional.embedding(ids, part.weight) * 8.0)
    assert part(ids).std().item() == pytest.approx(1.0, abs=0.05)
    assert Embeddings(500, 64, scaled=False)(ids).std().item() == pytest.approx(1 / 8, abs=0.01)


def test_loaded_rows_keep_their_directions_and_get_length_one():
    part = Embeddings(10, 4)
    ids, vectors = torch.tensor([3, 7]), torch.tensor([[30.0, 0, 0, 0], [0, 10.0, 0, 0]])
    before = part.weight.detach().clone()
    part.load(ids, vectors, frozen=False)
    torch.testing.assert_close(part.weight[ids], vectors / 20)
    others = torch.tensor([0, 1, 2, 4, 5, 6, 8, 9])
    assert torch.equal(part.weight[others], before[others])


@pytest.mark.parametrize("frozen", [False, True])
def test_frozen_rows_get_no_gradient_and_the_others_do(frozen):
    part = Embeddings(10, 4)
    part.load(torch.tensor([3, 7]), torch.randn(2, 4), frozen=frozen)
    part(torch.arange(10)[None]).square().sum().backward()
    grad = part.weight.grad.abs().sum(1)
    assert (grad[[3, 7]] == 0).all() == frozen
    assert (grad[[1, 2, 4, 5, 6, 8, 9]] > 0).all()


def test_two_files_for_one_table_stay_frozen_both():
    part = Embeddings(10, 4)
    part.load(torch.tensor([3, 7]), torch.randn(2, 4), frozen=True)
    part.load(torch.tensor([1, 7]), torch.randn(2, 4), frozen=True)
    part(torch.arange(10)[None]).square().sum().backward()
    assert (part.weight.grad[[1, 3, 7]] == 0).all()


def test_freezing_without_vectors_is_a_fault():
    (fault,) = EmbeddingSettings(frozen=True).faults()
    assert "--model.embeddings.source-vectors" in str(fault)
    assert not list(EmbeddingSettings(frozen=True, source_vectors="glove.txt").faults())
