import math

import pytest
import torch
from torch import nn

from seqwise.models.attention import AttentionSettings, MultiHeadAttention
from seqwise.models.kernels import UNFUSED_UP_TO, Mask, _recorded, _TwoProducts, attention, padding_bias
from seqwise.models.positions import PositionSettings, turns

LENGTHS = torch.tensor([5, 3, 1, 7])


def plain(q, k, v, allowed, scale):
    """Equation 1 of Vaswani et al. 2017, one query at a time, in float64: the slow oracle."""
    groups = q.shape[1] // k.shape[1]
    out = torch.zeros(q.shape, dtype=torch.float64)
    for b, h, t in torch.cartesian_prod(*map(torch.arange, q.shape[:3])).tolist():
        keys, values = k[b, h // groups].double(), v[b, h // groups].double()
        scores = keys @ q[b, h, t].double() * scale
        scores[~allowed[b, t]] = -math.inf
        out[b, h, t] = scores.softmax(0) @ values
    return out


@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("fused", [False, True])
def test_both_kernels_equal_the_equation(groups, causal, fused, monkeypatch):
    monkeypatch.setitem(UNFUSED_UP_TO, torch.float32, 0 if fused else 512)
    q = torch.randn(4, 4, 7, 6)
    k, v = torch.randn(2, 4, groups, 7, 6)
    mask = Mask(causal, padding_bias(LENGTHS, 7, torch.float32))
    allowed = (torch.arange(7) < LENGTHS[:, None])[:, None].expand(-1, 7, -1)
    if causal:
        allowed = allowed & torch.ones(7, 7, dtype=torch.bool).tril()
    torch.testing.assert_close(
        attention(q, k, v, mask).double(), plain(q, k, v, allowed, 6**-0.5), atol=1e-5, rtol=1e-5
    )


@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("asked", [1, 3, 40])
@pytest.mark.parametrize(("dtype", "most"), [(torch.float32, 1e-6), (torch.bfloat16, 2e-2)])
def test_bounded_scores_of_a_step_copy_no_keys(groups, asked, dtype, most, monkeypatch):
    """Oracle: the call that records gradients, in float64. Keys are a view of a cache with more room."""
    torch.manual_seed(0)
    key, value = (torch.randn(3, groups, 48, 8).to(dtype)[:, :, :40] for _ in range(2))
    query = 3 * torch.randn(3, 4, asked, 8).to(dtype)
    mask = Mask(True, padding_bias(torch.tensor([40, 39, 40]), 40, dtype))
    bias = mask.dense(asked, 40, query.double())
    exact = _recorded(query.double(), key.double(), value.double(), bias, 0.7, 0.0, 2.0)
    assert (exact - _recorded(query.double(), key.double(), value.double(), bias, 0.7, 0.0)).abs().max() > 0.3
    monkeypatch.setattr(torch.Tensor, "repeat_interleave", None)
    with torch.no_grad():
        found = attention(query, key, value, mask, 0.7, softcap=2.0)
    assert found.dtype == dtype
    assert (found.double() - exact).abs().max() < most * exact.abs().max()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_gradients_of_the_two_kernels_agree(dtype, monkeypatch):
    grads = []
    start = [torch.randn(3, 4, 9, 8).to(dtype) for _ in range(3)]
    for limit in (0, 512):
        monkeypatch.setitem(UNFUSED_UP_TO, dtype, limit)
        q, k, v = (x.clone().requires_grad_() for x in start)
        attention(q, k, v, Mask(causal=True)).square().sum().backward()
        grads.append(torch.cat([q.grad, k.grad, v.grad]).float())
    tolerance = 1e-5 if dtype == torch.float32 else 0.1
    torch.testing.assert_close(*grads, atol=tolerance, rtol=tolerance)


def copied(width, heads, cross):
    """torch.nn.MultiheadAttention with our weights."""
    ours = MultiHeadAttention(width, heads, AttentionSettings(), cross=cross)
    theirs = nn.MultiheadAttention(width, heads, batch_first=True)
    with torch.no_grad():
        for p in ours.parameters():
            p.normal_(std=0.3)
        parts = (ours.q, ours.kv) if cross else (ours.qkv,)
        theirs.in_proj_weight.copy_(torch.cat([part.weight for part in parts]))
        theirs.in_proj_bias.copy_(torch.cat([part.bias for part in parts]))
        theirs.out_proj.load_state_dict(ours.out.state_dict())
    return ours, theirs


@pytest.mark.parametrize("causal", [False, True])
def test_self_attention_equals_torch_forward_and_gradient(causal):
    """Oracle: torch.nn.MultiheadAttention with copied weights."""
    ours, theirs = copied(24, 4, cross=False)
    x = torch.randn(4, 7, 24, requires_grad=True)
    y = x.detach().clone().requires_grad_()
    padded = torch.arange(7) >= LENGTHS[:, None]
    later = torch.ones(7, 7, dtype=torch.bool).triu(1) if causal else None
    a = ours(x, Mask(causal, padding_bias(LENGTHS, 7, torch.float32)))
    b = theirs(y, y, y, key_padding_mask=padded, attn_mask=later, need_weights=False)[0]
    torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)
    a.square().sum().backward()
    b.square().sum().backward()
    torch.testing.assert_close(x.grad, y.grad, atol=1e-3, rtol=1e-3)  # gradients of some hundred, in fp32
    torch.testing.assert_close(ours.qkv.weight.grad, theirs.in_proj_weight.grad, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(ours.out.bias.grad, theirs.out_proj.bias.grad, atol=1e-3, rtol=1e-3)


def test_encoder_decoder_attention_equals_torch():
    """Oracle: torch.nn.MultiheadAttention with copied weights."""
    ours, theirs = copied(24, 4, cross=True)
    x, memory = torch.randn(4, 5, 24), torch.randn(4, 7, 24)
    padded = torch.arange(7) >= LENGTHS[:, None]
    a = ours(x, Mask(bias=padding_bias(LENGTHS, 7, torch.float32)), ours.remember(memory))
    b = theirs(x, memory, memory, key_padding_mask=padded, need_weights=False)[0]
    torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


def test_padding_never_changes_what_is_real():
    ours, _ = copied(24, 4, cross=False)
    x = torch.randn(4, 7, 24)
    mask = Mask(bias=padding_bias(LENGTHS, 7, torch.float32))
    real = torch.arange(7) < LENGTHS[:, None]
    changed = torch.where(real[:, :, None], x, 1e3 * torch.randn_like(x))
    assert torch.equal(ours(x, mask)[real], ours(changed, mask)[real])


def test_no_padding_needs_no_mask():
    assert padding_bias(torch.tensor([3, 3]), 3, torch.float32) is None


def test_rotary_scores_depend_on_distance_only():
    positions = PositionSettings(kind="rotary")
    part = MultiHeadAttention(32, 2, AttentionSettings(), positions)
    x = torch.randn(1, 4, 32)
    scores = []
    for first in (0, 100):
        query, keys = part.project(x, turns(positions, 16, torch.arange(first, first + 4)))
        scores.append(query @ keys.key.transpose(-1, -2))
    torch.testing.assert_close(*scores, atol=1e-4, rtol=1e-4)


def test_dropout_on_the_weights_keeps_the_expectation():
    torch.manual_seed(3)
    q, k, v = torch.randn(3, 1, 2, 4, 8)
    mean = torch.stack([attention(q, k, v, drop=0.25) for _ in range(4000)]).mean(0)
    torch.testing.assert_close(mean, attention(q, k, v), atol=0.08, rtol=0.05)


@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("learnt", [False, True])
def test_the_gradient_of_the_two_products_is_exact(groups, learnt):
    """Oracle: finite differences in float64."""
    q = torch.randn(2, 4, 3, 5, dtype=torch.float64, requires_grad=True)
    k, v = (torch.randn(2, groups, 6, 5, dtype=torch.float64, requires_grad=True) for _ in range(2))
    bias = torch.randn(1, 4, 3, 6, dtype=torch.float64, requires_grad=learnt)

    def call(q, k, v, bias):
        if learnt:
            return _recorded(q, k, v, bias, 0.4, 0.0)
        return _TwoProducts.apply(q, k, v, bias, 0.4, 0.0)

    assert torch.autograd.gradcheck(call, (q, k, v, bias))
