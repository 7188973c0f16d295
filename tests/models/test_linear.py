import copy
import os
import subprocess
import sys

import pytest
import torch
from torch import nn
from torch.nn import functional

from seqwise.models.architecture import FeedForwardSettings, TransformerSettings
from seqwise.models.assemble import build
from seqwise.models.linear import FUSED, Linear, Packed, at_a_time, instructions, linear, pack, packed_for_many
from seqwise.models.pointwise import activate

BF16 = torch.bfloat16
here = pytest.mark.skipif(
    Packed.copy(torch.zeros(2, 2, dtype=BF16)) is None, reason="this torch has no oneDNN product to test"
)


def parts(rows=7, inputs=24, outputs=33, dtype=BF16):
    x = torch.randn(rows, 3, inputs).to(dtype)
    return x, torch.randn(outputs, inputs).to(dtype), torch.randn(outputs).to(dtype)


@pytest.mark.parametrize("dtype", [torch.float32, BF16])
@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("then", ["none", "relu"])
def test_product_and_gradients_equal_torchs(dtype, biased, then):
    """Against the same product in float64; bf16 rounds once at the end, so one part in 128 is allowed."""
    x, weight, bias = (t.requires_grad_() for t in parts(dtype=dtype))
    y = linear(x, weight, bias if biased else None, then)
    up = torch.randn_like(y)
    y.backward(up)
    exact = [t.detach().double().requires_grad_() for t in (x, weight, bias)]
    expected = functional.linear(exact[0], exact[1], exact[2] if biased else None)
    if then == "relu":
        expected = expected.relu()
    expected.backward(up.double())
    tolerance = {"rtol": 1e-5, "atol": 1e-4} if dtype == torch.float32 else {"rtol": 2**-7, "atol": 0.15}
    torch.testing.assert_close(y.double(), expected, **tolerance)
    for given, wanted in zip((x, weight, bias)[: 2 + biased], exact, strict=False):
        torch.testing.assert_close(given.grad.double(), wanted.grad, **tolerance)


@here
@pytest.mark.parametrize("packed", [True, False])
def test_a_product_in_pieces_is_the_product(packed, monkeypatch):
    """With two threads, where oneDNN would take one: value and gradient against float64."""
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    assert [at_a_time(rows, 768, 640, BF16) for rows in (704, 705, 1472, 1536)] == [None, 384, 512, None]
    x, weight, bias = (t.requires_grad_() for t in parts(rows=250, inputs=640, outputs=768))
    copy_ = Packed.copy(weight) if packed else None
    y = linear(x, weight, bias, "relu", copy_)
    exact = [t.detach().double().requires_grad_() for t in (x, weight, bias)]
    expected = functional.linear(*exact).relu()
    up = torch.randn_like(y)
    y.backward(up)
    expected.backward(up.double())
    torch.testing.assert_close(y.double(), expected, rtol=2**-7, atol=0.2)
    torch.testing.assert_close(x.grad.double(), exact[0].grad, rtol=2**-7, atol=0.5)


def test_what_is_frozen_gets_no_gradient():
    x, weight, bias = parts()
    x.requires_grad_()
    linear(x, weight, bias, "relu").sum().backward()
    assert x.grad is not None
    assert weight.grad is None


def test_nothing_is_kept_for_what_is_frozen():
    """Neither the input of a frozen weight nor the weight of a frozen input: memory."""

    def kept(x, weight):
        held = []
        with torch.autograd.graph.saved_tensors_hooks(lambda t: held.append(t.data_ptr()) or t, lambda t: t):
            linear(x, weight, None)
        return held

    x, weight, _ = parts()
    assert kept(x.clone().requires_grad_(), weight) == [weight.data_ptr()]
    trained = weight.clone().requires_grad_()
    assert kept(x, trained) == [x.data_ptr()]


@pytest.mark.parametrize("dtype", [torch.float32, BF16])
@pytest.mark.parametrize("then", FUSED)
@pytest.mark.parametrize("rows", [2, 300])
def test_every_activation_follows_the_product(then, dtype, rows):
    """With gradients it is a step of its own, without them part of the product where oneDNN does that."""
    x, weight, bias = parts(rows, dtype=dtype)
    exact = activate(functional.linear(x.double(), weight.double(), bias.double()), then)
    tolerance = {"rtol": 1e-5, "atol": 1e-4} if dtype == torch.float32 else {"rtol": 2**-6, "atol": 0.1}
    torch.testing.assert_close(linear(x, weight, bias, then).double(), exact, **tolerance)
    trained = linear(x.requires_grad_(), weight, bias, then)
    torch.testing.assert_close(trained.detach().double(), exact, **tolerance)
    trained.sum().backward()
    assert x.grad is not None


def test_fp32_weights_are_packed_for_a_while_only():
    model = nn.Sequential(Linear(24, 33), nn.ReLU(), Linear(33, 8)).requires_grad_(False)
    x = torch.randn(400, 24)
    expected = model(x)
    with packed_for_many(model), torch.no_grad():
        assert [part.packed is None for part in (model[0], model[2])] == [not instructions()] * 2
        torch.testing.assert_close(model(x), expected, atol=1e-5, rtol=1e-5)
    assert model[0].packed is None
    assert model[2].packed is None


@here
@torch.no_grad()
@pytest.mark.parametrize("rows", [1, 5, 64, 300])
def test_packed_weights_give_the_same(rows):
    x, weight, bias = parts(rows)
    packed = Packed.copy(weight)
    torch.testing.assert_close(
        linear(x, weight, bias, packed=packed), functional.linear(x, weight, bias), rtol=2**-7, atol=0.1
    )


@here
@torch.no_grad()
def test_a_packed_copy_that_is_out_of_date_is_left_aside():
    layer = Linear(16, 8).to(BF16)
    x = torch.randn(4, 16).to(BF16)
    layer.pack()
    before = layer(x)
    layer.weight.mul_(2)
    layer.bias.mul_(2)
    torch.testing.assert_close(layer(x), 2 * before, rtol=2**-6, atol=0.05)
    layer.load_state_dict({name: t / 2 for name, t in layer.state_dict().items()})
    torch.testing.assert_close(layer(x), before)
    layer.pack()
    layer.to(torch.float32)
    torch.testing.assert_close(layer(x.float()), before.float(), rtol=2**-6, atol=0.05)


def test_packing_leaves_no_trace_in_what_is_saved_or_copied():
    model = nn.Sequential(Linear(16, 8), nn.ReLU()).to(BF16)
    pack(model)
    assert set(model.state_dict()) == {"0.weight", "0.bias"}
    assert copy.deepcopy(model)[0].packed is None
    assert model[0].packed is None or model[0].packed.fits(model[0].weight)


def test_fp32_is_torchs_own_product():
    x, weight, bias = parts(dtype=torch.float32)
    assert Packed.copy(weight) is None
    assert torch.equal(linear(x, weight, bias), functional.linear(x, weight, bias))


def test_no_rows_are_no_rows():
    _, weight, bias = parts()
    assert linear(torch.zeros(0, 24, dtype=BF16), weight, bias).shape == (0, 33)


@here
def test_a_whole_model_can_be_copied_after_packing():
    settings = TransformerSettings(width=16, layers=1, heads=2, feed_forward=FeedForwardSettings(width=32))
    model = build(settings, 20, 20).to(BF16).eval()
    pack(model)
    assert model.head.packed is not None
    twin = copy.deepcopy(model)
    assert twin.head.packed is None
    x = torch.randn(5, 16).to(BF16)
    with torch.no_grad():
        torch.testing.assert_close(twin.head(x), model.head(x), rtol=2**-7, atol=0.05)


@here
def test_weights_made_in_inference_mode_can_be_packed():
    with torch.inference_mode():
        layer = Linear(8, 8).to(BF16)
        pack(layer)
        x = torch.randn(3, 8).to(BF16)
        torch.testing.assert_close(layer(x), functional.linear(x, layer.weight, layer.bias), rtol=2**-7, atol=0.05)


def test_without_instructions_for_bf16_torchs_own_product_is_used():
    """A processor with AVX2 alone, which oneDNN is told to imitate: slow, but it works."""
    program = (
        "import torch; from seqwise.models.linear import Linear, pack\n"
        "layer = Linear(8, 8).bfloat16(); pack(layer)\n"
        "layer(torch.ones(2, 8).bfloat16()).sum().backward(); print(layer.packed)"
    )
    environment = {**os.environ, "ONEDNN_MAX_CPU_ISA": "AVX2"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert done.stdout.strip() == "None", done.stderr
