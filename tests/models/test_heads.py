import pytest
import torch
from torch.nn import functional

from seqwise.models import vocabulary_loss
from seqwise.models.heads import NextToken
from seqwise.models.vocabulary_loss import smoothed_loss


@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("chunk", [31 * 70, 10**6])
def test_even_chunks_in_bf16_count_no_row_that_is_not_there(biased, chunk, monkeypatch):
    """Oracle: cross_entropy in fp32. 100 rows become 128, in one chunk or two."""
    monkeypatch.setattr(vocabulary_loss, "CHUNK", chunk)
    inputs = [torch.randn(100, 8), torch.randn(31, 8), torch.randn(31) if biased else None]
    inputs = [None if x is None else x.bfloat16() for x in inputs]
    target = torch.randint(31, (100,))
    coarse = [None if x is None else x.clone().requires_grad_() for x in inputs]
    exact = [None if x is None else x.float().requires_grad_() for x in inputs]
    loss = smoothed_loss(*coarse, target, 0.1)
    loss.backward()
    expected = functional.cross_entropy(functional.linear(*exact), target, reduction="sum", label_smoothing=0.1)
    expected.backward()
    torch.testing.assert_close(loss, expected, rtol=1e-2, atol=0.0)
    for ours, theirs in zip(coarse, exact, strict=True):
        if ours is not None:
            assert ours.grad.shape == theirs.grad.shape
            torch.testing.assert_close(ours.grad.float(), theirs.grad, rtol=0.03, atol=0.15)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("chunk", [64, 10**6])
def test_loss_and_gradients_equal_cross_entropy(smoothing, biased, chunk, monkeypatch):
    """Oracle: torch's cross_entropy over all logits."""
    monkeypatch.setattr(vocabulary_loss, "CHUNK", chunk)
    inputs = [torch.randn(19, 8), torch.randn(31, 8), torch.randn(31) if biased else None]
    target = torch.randint(31, (19,))
    results = []
    for loss_of in (
        lambda h, w, b: smoothed_loss(h, w, b, target, smoothing),
        lambda h, w, b: functional.cross_entropy(
            functional.linear(h, w, b), target, reduction="sum", label_smoothing=smoothing
        ),
    ):
        leaves = [x.clone().requires_grad_() if x is not None else None for x in inputs]
        loss = loss_of(*leaves)
        (loss * 0.5).backward()
        results.append([loss.detach(), *(x.grad for x in leaves if x is not None)])
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("chunk", [64, 10**6])
def test_bounded_scores_are_projected_in_chunks_too(smoothing, chunk, monkeypatch):
    """Gemma 2's: loss and gradients of all logits at once."""
    monkeypatch.setattr(vocabulary_loss, "CHUNK", chunk)
    inputs, target = [torch.randn(19, 8), torch.randn(31, 8), torch.randn(31)], torch.randint(31, (19,))
    results = []
    for loss_of in (
        lambda h, w, b: smoothed_loss(h, w, b, target, smoothing, 1.5),
        lambda h, w, b: functional.cross_entropy(
            1.5 * torch.tanh(functional.linear(h, w, b) / 1.5), target, reduction="sum", label_smoothing=smoothing
        ),
    ):
        leaves = [x.clone().requires_grad_() for x in inputs]
        loss = loss_of(*leaves)
        loss.backward()
        results.append([loss.detach(), *(x.grad for x in leaves)])
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-5)
    with torch.no_grad():
        torch.testing.assert_close(smoothed_loss(*inputs, target, smoothing, 1.5), results[0][0], atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("trained", [(True, False, False), (False, True, False), (False, False, True)])
def test_what_is_frozen_gets_no_gradient_nor_memory(trained):
    """Nothing of the size of a frozen weight is made: the largest allocation is the chunk of logits."""
    inputs = [torch.randn(9, 64), torch.randn(200, 64), torch.randn(200)]
    target = torch.randint(200, (9,))
    leaves = [x.clone().requires_grad_(wanted) for x, wanted in zip(inputs, trained, strict=True)]
    with torch.profiler.profile(profile_memory=True) as seen:
        smoothed_loss(*leaves, target).backward()
    largest = max(event.cpu_memory_usage for event in seen.events() if event.name in ("aten::empty", "aten::zeros"))
    assert (largest >= 200 * 64 * 4) == trained[1]
    exact = [x.clone().requires_grad_() for x in inputs]
    functional.cross_entropy(functional.linear(*exact), target, reduction="sum").backward()
    for leaf, right, wanted in zip(leaves, exact, trained, strict=True):
        if wanted:
            torch.testing.assert_close(leaf.grad, right.grad, atol=1e-4, rtol=1e-5)
        else:
            assert leaf.grad is None


def test_the_loss_without_gradient_is_the_same():
    h, w, y = torch.randn(9, 8), torch.randn(31, 8), torch.randint(31, (9,))
    leaf = h.clone().requires_grad_()
    with torch.no_grad():
        quiet = smoothed_loss(leaf, w, None, y, 0.1)
    torch.testing.assert_close(quiet, smoothed_loss(leaf, w, None, y, 0.1).detach(), atol=1e-4, rtol=1e-5)


def test_bf16_loss_stays_within_a_thousandth():
    torch.manual_seed(0)
    h, w, y = torch.randn(400, 32), 0.2 * torch.randn(500, 32), torch.randint(500, (400,))
    exact = functional.cross_entropy(h @ w.T, y, reduction="sum", label_smoothing=0.1)
    coarse = smoothed_loss(h.bfloat16().requires_grad_(), w.bfloat16(), None, y, 0.1)
    assert coarse.item() == pytest.approx(exact.item(), rel=3e-3)


def test_padding_counts_nothing():
    head = NextToken(31, 8)
    hidden, targets = torch.randn(2, 5, 8), torch.randint(31, (2, 5))
    weights = torch.tensor([[1.0, 1, 1, 0, 0], [1, 1, 1, 1, 1]])
    real = weights.bool()
    expected = functional.cross_entropy(head(hidden)[real], targets[real], reduction="sum")
    torch.testing.assert_close(head.loss(hidden, targets, weights), expected, atol=1e-4, rtol=1e-5)


def test_an_impossible_target_gives_a_large_finite_loss():
    h = torch.tensor([[100.0, 0.0]], requires_grad=True)
    w = torch.tensor([[10.0, 0.0], [-10.0, 0.0]])
    assert torch.isfinite(smoothed_loss(h, w, None, torch.tensor([1])))
