import pytest
import torch
from torch.nn import functional

from seqwise.models import agreement_loss as module
from seqwise.models.agreement_loss import agreed, agreement_loss
from seqwise.models.vocabulary_loss import smoothed_loss

N, W, V = 7, 6, 11


def parts(dtype=torch.float64):
    torch.manual_seed(0)
    made = [torch.randn(shape, dtype=torch.float64) for shape in ((2, N, W), (V, W), (V,))]
    return [part.to(dtype).requires_grad_() for part in made], torch.randint(V, (N,))


def written_out(hidden, weight, bias, target, alpha, smoothing, cap):
    """Liang et al. 2021, equation 4, halved, term by term."""
    scores = hidden @ weight.t() + bias
    scores = scores if cap is None else cap * torch.tanh(scores / cap)
    p, q = scores.softmax(-1)
    wanted = (1 - smoothing) * functional.one_hot(target, V) + smoothing / V
    losses = -(wanted * p.log()).sum() - (wanted * q.log()).sum()
    apart = (p * (p / q).log()).sum() + (q * (q / p).log()).sum()
    return 0.5 * (losses + alpha / 2 * apart)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("cap", [None, 2.0])
@pytest.mark.parametrize("rows", [1, 3, 7])
def test_loss_and_gradients_are_those_of_the_formula(smoothing, cap, rows, monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 2 * V * rows)
    monkeypatch.setattr(module, "CACHED", 2 * V)
    (exact, target), (single, _) = parts(), parts(torch.float32)
    expected = written_out(*exact, target, 3.0, smoothing, cap)
    found = agreement_loss(*single, target, 3.0, smoothing, cap)
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)
    (2 * expected).backward()
    (2 * found).backward()
    for one, other in zip(exact, single, strict=True):
        assert torch.allclose(one.grad.float(), other.grad, atol=2e-5)


def test_passes_that_agree_cost_what_one_costs():
    (hidden, weight, bias), target = parts(torch.float32)
    same = hidden[:1].expand(2, N, W)
    found = agreement_loss(same, weight, bias, target, 5.0, 0.1)
    assert found.item() == pytest.approx(smoothed_loss(same[0], weight, bias, target, 0.1).item(), rel=1e-6)


def test_scores_of_labels_cost_the_same_as_scores_of_a_vocabulary():
    (hidden, weight, bias), target = parts(torch.float32)
    scores = hidden @ weight.t() + bias
    expected = agreement_loss(hidden, weight, bias, target, 5.0, 0.1)
    assert agreed(scores, target, 5.0, 0.1).item() == pytest.approx(expected.item(), rel=1e-5)


def test_a_frozen_table_gets_no_gradient():
    (hidden, weight, bias), target = parts(torch.float32)
    weight.requires_grad_(False)
    agreement_loss(hidden, weight, bias, target, 5.0).backward()
    assert weight.grad is None
    assert hidden.grad.abs().sum() > 0
