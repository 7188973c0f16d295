import pytest
import torch
from torch.nn import functional

from seqwise.models import pointwise
from seqwise.models.pointwise import GATES, activate, gated, rms

DTYPES = [torch.float32, torch.bfloat16]


def error(found, exact):
    """Relative to the size of what is right."""
    found, exact = found.detach().double(), exact.detach()
    return float((found - exact).norm() / exact.norm())


@pytest.mark.parametrize("elements", [64, 10**6])
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_norm_and_its_gradients_equal_torchs_in_fp64(dtype, elements, monkeypatch):
    monkeypatch.setattr(pointwise, "ELEMENTS", elements)
    x, scale = (2 * torch.randn(500, 4, 24) + 0.5).to(dtype), (torch.rand(24) + 0.5).to(dtype)
    up = torch.randn(500, 4, 24).to(dtype)
    ours = [part.clone().requires_grad_() for part in (x, scale)]
    exact = [part.double().requires_grad_() for part in (x, scale)]
    found, expected = rms(*ours, 1e-3), functional.rms_norm(exact[0], (24,), exact[1], 1e-3)
    found.backward(up)
    expected.backward(up.double())
    worst = 1e-6 if dtype == torch.float32 else 5e-3
    assert found.dtype == dtype
    assert error(found, expected) < worst
    for mine, right in zip(ours, exact, strict=True):
        assert error(mine.grad, right.grad) < worst
    with torch.no_grad():
        assert torch.equal(rms(*ours, 1e-3), found)


def test_a_frozen_scale_gets_no_gradient():
    x, scale = torch.randn(5, 8, requires_grad=True), torch.ones(8)
    rms(x, scale, 1e-6).sum().backward()
    assert x.grad is not None
    assert scale.grad is None


@pytest.mark.parametrize("elements", [64, 10**6])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", GATES)
def test_gates_and_their_gradients_equal_the_parts_one_by_one(activation, dtype, elements, monkeypatch):
    monkeypatch.setattr(pointwise, "ELEMENTS", elements)
    x, up = torch.randn(3, 40, 26).to(dtype), torch.randn(3, 40, 13).to(dtype)
    ours, exact = x.clone().requires_grad_(), x.double().requires_grad_()
    found = gated(ours, activation)
    gate, value = exact.chunk(2, -1)
    expected = activate(gate, activation) * value
    found.backward(up)
    expected.backward(up.double())
    worst = 1e-6 if dtype == torch.float32 else 8e-3
    assert error(found, expected) < worst
    assert error(ours.grad, exact.grad) < worst
    with torch.no_grad():
        assert torch.equal(gated(ours, activation), found)


def test_a_gate_keeps_its_input_only():
    held = []
    x = torch.randn(6, 10, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: held.append(t) or t, lambda t: t):
        gated(x, "silu")
    assert [t.data_ptr() for t in held] == [x.data_ptr()]
