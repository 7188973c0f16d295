import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from seqwise.config import check
from seqwise.errors import ConfigError
from seqwise.models.architecture import FeedForwardSettings, TransformerSettings
from seqwise.models.assemble import build
from seqwise.models.nf4 import NF4Linear, quantize
from seqwise.training import update
from seqwise.training.optim import OptimizerSettings, Weights, adamw, decays, rate_at


def made(**changes):
    return OptimizerSettings(**{"rate": 2.0, "warmup": 10, **changes})


def test_noam_is_equation_3_of_the_paper():
    """rate * sqrt(warmup) * min(step ** -0.5, step * warmup ** -1.5), Vaswani et al. 2017."""
    for step in (1, 5, 10, 11, 40, 1000):
        expected = 2.0 * math.sqrt(10) * min(step**-0.5, step * 10**-1.5)
        assert rate_at(step, made(schedule="inverse-sqrt"), None) == pytest.approx(expected)


def test_cosine_falls_from_the_rate_to_the_floor():
    settings = made(schedule="cosine", floor=0.1)
    assert rate_at(10, settings, 110) == pytest.approx(2.0)
    assert rate_at(60, settings, 110) == pytest.approx(2.0 * 0.55)
    assert rate_at(110, settings, 110) == pytest.approx(0.2)


def test_wsd_is_flat_and_then_falls_in_a_line():
    settings = made(schedule="wsd", decay=0.2)
    rates = [rate_at(step, settings, 100) for step in (10, 50, 80, 90, 100)]
    assert rates == pytest.approx([2.0, 2.0, 2.0, 1.0, 0.0])


@pytest.mark.parametrize("schedule", ["inverse-sqrt", "constant"])
def test_a_rate_that_does_not_fall_to_a_last_step_is_not_told_by_what_to_fall(schedule):
    check(made(schedule=schedule))
    check(made(schedule="wsd", fall_by="time"))
    with pytest.raises(ConfigError, match=f"--optimizer.fall-by time with --optimizer.schedule {schedule}"):
        check(made(schedule=schedule, fall_by="time"))


@given(
    schedule=st.sampled_from(["inverse-sqrt", "cosine", "wsd", "constant"]),
    warmup=st.integers(0, 50),
    total=st.integers(1, 300),
)
def test_no_schedule_leaves_its_bounds_or_rises_after_the_warmup(schedule, warmup, total):
    settings = made(schedule=schedule, warmup=warmup)
    rates = [rate_at(step, settings, total) for step in range(1, total + 1)]
    assert all(0 <= rate <= 2.0 + 1e-9 for rate in rates)
    after = rates[max(0, warmup - 1) :]
    assert all(a >= b - 1e-9 for a, b in pairwise(after))


def small():
    torch.manual_seed(0)
    return build(TransformerSettings(width=16, layers=1, heads=2, feed_forward=FeedForwardSettings(width=32)), 40, 40)


def test_matrices_decay_and_tables_norms_and_biases_do_not():
    decayed = {name for name, weight in small().named_parameters() if decays(name, weight)}
    assert "encoder.layers.0.attend.qkv.weight" in decayed
    assert not {name for name in decayed if "embed" in name or "norm" in name or name.endswith("bias")}


def test_a_step_is_torchs_own_adamw():
    """Oracle: torch.optim.AdamW without fusing, on a copy."""
    ours, theirs = nn.Linear(5, 3), nn.Linear(5, 3)
    theirs.load_state_dict(ours.state_dict())
    settings = OptimizerSettings(rate=0.01, weight_decay=0.1)
    mine = adamw(ours.named_parameters(), settings)
    groups = [{"params": [theirs.weight], "weight_decay": 0.1}, {"params": [theirs.bias], "weight_decay": 0.0}]
    other = torch.optim.AdamW(groups, lr=0.01, betas=(0.9, 0.98), eps=1e-9, foreach=False)
    for _ in range(3):
        x = torch.randn(4, 5)
        for model, optimizer in ((ours, mine), (theirs, other)):
            optimizer.zero_grad()
            model(x).square().sum().backward()
            optimizer.step()
    torch.testing.assert_close(ours.weight, theirs.weight, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(ours.bias, theirs.bias, atol=1e-6, rtol=1e-5)


def test_masters_keep_what_bf16_would_lose():
    model = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        model.weight.fill_(1.0)
    weights = Weights(model, torch.bfloat16)
    for _ in range(10):  # ten steps of 1/1000: each alone is below half a bf16 step at 1
        with torch.no_grad():
            weights.master[0] -= 1e-3
        weights.spread()
    assert model.weight.dtype == torch.bfloat16
    assert weights.master[0].item() == pytest.approx(0.99, abs=1e-6)
    assert model.weight.item() == pytest.approx(0.99, abs=4e-3)


def stepped(weights, optimizer, longest):
    """The length of the gradient, and a step."""
    norm = float(weights.norm())
    weights.move(optimizer, longest, norm)
    return norm


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("longest", [0.0, 1.0, 1e6])
@pytest.mark.parametrize("parts", [1, 2])
def test_weights_move_as_by_torchs_own_optimizer_and_clipping(dtype, longest, parts, monkeypatch):
    """Oracle: AdamW not fused, in two groups, with `clip_grad_norm_`, in fp32; gradients come in one part or in two."""
    monkeypatch.setattr(update, "PIECE", 64)
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(24, 24), nn.LayerNorm(24), nn.Linear(24, 3))
    weights = Weights(model, dtype)
    oracle = [w.detach().clone().requires_grad_() for w in weights.master]
    settings = OptimizerSettings(rate=1e-2, weight_decay=0.1)
    groups = [
        {"params": [w for w in oracle if w.ndim == 2], "weight_decay": 0.1},
        {"params": [w for w in oracle if w.ndim < 2], "weight_decay": 0.0},
    ]
    theirs = torch.optim.AdamW(groups, lr=1e-2, betas=(0.9, 0.98), eps=1e-9, foreach=False)
    ours = adamw(zip(weights.names, weights.master, strict=True), settings)
    for _ in range(4):
        for part in range(parts):
            loss = model(torch.randn(8, 24).to(dtype)).square().sum()
            loss.backward()
            own = [p.grad.float() for p in model.parameters()]
            for w, gradient in zip(oracle, own, strict=True):
                before = None if dtype == torch.float32 or w.grad is None else w.grad
                w.grad = gradient.clone() if before is None else before + gradient
            if part + 1 < parts:
                weights.gather_gradients()
        expected = torch.nn.utils.clip_grad_norm_(oracle, longest or 1e9)
        assert stepped(weights, ours, longest) == pytest.approx(float(expected), rel=1e-5)
        theirs.step()
        theirs.zero_grad()
        assert all(p.grad is None for p in (*weights.master, *model.parameters()))
        for master, copy, w in zip(weights.master, model.parameters(), oracle, strict=True):
            torch.testing.assert_close(master, w, atol=1e-6, rtol=1e-5)
            assert torch.equal(copy, master.to(dtype))


def test_pieces_of_another_size_give_the_same_bits(monkeypatch):
    results = []
    for piece in (64, 2**18):
        monkeypatch.setattr(update, "PIECE", piece)
        torch.manual_seed(1)
        model = nn.Sequential(nn.Linear(48, 32), nn.Linear(32, 16))
        weights = Weights(model, torch.bfloat16)
        optimizer = adamw(zip(weights.names, weights.master, strict=True), OptimizerSettings(rate=1e-2))
        for _ in range(3):
            model(torch.randn(8, 48).bfloat16()).square().sum().backward()
            stepped(weights, optimizer, 0.0)
        results.append([w.detach() for w in weights.master])
    assert all(torch.equal(one, other) for one, other in zip(*results, strict=True))


def partly(dtype=torch.bfloat16):
    """A model of which the first layer is frozen."""
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4), nn.LSTM(4, 4))
    model[0].requires_grad_(False)
    return model, Weights(model, dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_only_what_is_trained_has_masters(dtype):
    model, weights = partly(dtype)
    assert weights.names == [name for name, p in model.named_parameters() if p.requires_grad]
    assert all(master.dtype == torch.float32 and master.requires_grad for master in weights.master)
    assert all(p.dtype == dtype for p in model.parameters())
    assert not model[0].weight.requires_grad
    x = torch.randn(2, 3, 4, dtype=dtype)
    before = model[0].weight.clone()
    model(x)[0].float().square().sum().backward()
    weights.gather_gradients()
    assert all(master.grad is not None and master.grad.dtype == torch.float32 for master in weights.master)
    with torch.no_grad():
        for master in weights.master:
            master += 1.0
    weights.spread()
    assert torch.equal(model[0].weight, before)
    assert torch.equal(model[1].weight, weights.master[0].to(dtype))


def test_a_frozen_model_in_bf16_is_brought_to_fp32_where_that_is_asked_for():
    model = nn.Linear(4, 4).to(torch.bfloat16)
    model.weight.requires_grad_(False)
    weights = Weights(model, torch.float32)
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert weights.master[0] is model.bias


def test_masters_of_a_model_in_bf16_are_fp32_of_their_own():
    model = nn.Linear(4, 4).to(torch.bfloat16)
    weights = Weights(model, torch.bfloat16)
    assert all(master.dtype == torch.float32 for master in weights.master)
    assert torch.equal(weights.master[0].detach(), model.weight.detach().float())


def test_weights_in_four_bits_are_left_alone():
    """What they multiply by is what it was, to bf16; their bytes are the same."""
    model = small()
    quantize(model)
    layers = [part for part in model.modules() if isinstance(part, NF4Linear)]
    before = [layer.dequantized(torch.float32) for layer in layers]
    numbers = [layer.packed.clone() for layer in layers]
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    model.encoder.embed.weight.requires_grad_(True)
    weights = Weights(model, torch.bfloat16)
    assert weights.names == ["encoder.embed.weight"]
    for layer, old, bytes_ in zip(layers, before, numbers, strict=True):
        assert torch.equal(layer.packed, bytes_)
        assert torch.equal(layer.dequantized(torch.float32), old)
        assert layer.dtype == torch.bfloat16
