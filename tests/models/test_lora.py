"""Adapters against plain autograd: the same formula, written out, on the weights themselves."""

import copy
import math

import pytest
import torch
from torch import nn
from torch.func import functional_call
from torch.nn import functional

from seqwise.errors import ConfigError
from seqwise.models import lora, nf4
from seqwise.models.architecture import FeedForwardSettings, TransformerSettings
from seqwise.models.assemble import build
from seqwise.models.compact import compact
from seqwise.models.dropout import scaled_mask
from seqwise.models.linear import Linear, pack
from seqwise.models.lora import LoraSettings, Part
from seqwise.models.lora_layers import LoraLinear
from seqwise.models.lora_pairs import Slot
from seqwise.models.lstm import LSTMSettings

BF16 = torch.bfloat16
SIZE = TransformerSettings(width=32, heads=4, layers=2, feed_forward=FeedForwardSettings(width=48))
GATED = TransformerSettings(
    width=32, heads=4, layers=1, feed_forward=FeedForwardSettings(width=48, gated=True, activation="silu")
)
MODELS = {
    "transformer": SIZE,
    "gated": GATED,
    "lstm": LSTMSettings(width=16, layers=2, dropout=0.0),
    "lstm-parallel": LSTMSettings(width=16, layers=2, dropout=0.0, input_feeding=False, bidirectional=False),
    "lstm-additive": LSTMSettings(width=16, layers=1, dropout=0.0, attention="additive"),
}
PARTS = (Part("x.q_proj", 0, 24), Part("x.k_proj", 24, 8), Part("x.v_proj", 32, 8))


def shaken(model):
    """Every pair has numbers, as after training."""
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_magnitude" in name:
                weight.mul_(torch.rand_like(weight) + 0.5)
            elif "lora_" in name:
                weight.normal_(std=0.3)
    return model


def product(parts=PARTS, dtype=torch.float32, bias=True, ranks=(4, 2, 3), dora=False, dropout=0.0, inputs=16):
    """A product of 40 rows with pairs on some of them."""
    base = Linear(inputs, 40, bias).to(dtype).requires_grad_(False)
    layer = LoraLinear(base)
    layer.add("a", [Slot(part, rank, 8.0) for part, rank in zip(parts, ranks, strict=True)], dropout, dora)
    layer.active = "a"
    return shaken(layer)


def written_out(layer, x, exact, mask=None):
    """The formula, call by call, in float64 and with gradients; `exact`: name -> weight."""
    weight = layer.weight.double()
    read = x if mask is None else x * mask
    y = functional.linear(x, weight)
    rows = [torch.ones(1)] * 40
    delta = torch.zeros_like(y)
    stretch = torch.ones(40, dtype=torch.float64)
    for slot in layer.slots["a"]:
        part, leaf = slot.part, slot.part.leaf
        down, up = exact[f"lora_a.a.{leaf}"], exact[f"lora_b.a.{leaf}"]
        own = torch.zeros(len(rows), dtype=torch.bool)
        own[part.first : part.first + part.rows] = True
        delta = delta.masked_scatter(own.expand_as(delta), slot.scale * read @ down.t() @ up.t())
        if f"lora_magnitude.a.{leaf}" in exact:
            length = torch.linalg.vector_norm(weight[own] + slot.scale * up @ down, 2, 1).detach()
            stretch = stretch.masked_scatter(own, exact[f"lora_magnitude.a.{leaf}"] / length)
    y = (y + delta) * stretch
    return y if layer.bias is None else y + layer.bias.double()


def near(found, exact):
    """fp32 against float64, as a share of the greatest number."""
    assert (found.double() - exact).abs().max() <= 1e-5 * exact.abs().max()


# ---- one product


@pytest.mark.parametrize("dtype", [torch.float32, BF16])
@pytest.mark.parametrize("then", ["none", "relu"])
@pytest.mark.parametrize("chosen", [(0, 1, 2), (0, 2), (1,)])
def test_product_and_gradients_equal_the_formula(dtype, then, chosen):
    """Against float64; in bf16 each step rounds, so one part in 50 of the greatest is allowed."""
    layer = product(tuple(PARTS[i] for i in chosen), dtype, ranks=tuple((4, 2, 3)[i] for i in chosen))
    x = torch.randn(3, 7, 16).to(dtype).requires_grad_()
    y = layer(x, then)
    up = torch.randn_like(y)
    y.backward(up)
    exact = {n: w.detach().double().requires_grad_() for n, w in layer.named_parameters() if "lora" in n}
    x_exact = x.detach().double().requires_grad_()
    expected = written_out(layer, x_exact, exact)
    expected = expected.relu() if then == "relu" else expected
    expected.backward(up.double())
    share = 1e-5 if dtype == torch.float32 else 0.02
    found = {"y": (y, expected), "x": (x.grad, x_exact.grad)}
    found |= {n: (w.grad, exact[n].grad) for n, w in layer.named_parameters() if "lora" in n}
    for name, (given, wanted) in found.items():
        assert (given.double() - wanted).abs().max() <= share * wanted.abs().max(), name
    assert layer.weight.grad is None
    assert layer.bias.grad is None
    with torch.no_grad():
        torch.testing.assert_close(layer(x, then), y.detach())


def test_the_formula_holds_under_a_search():
    """torch's own numerical gradients, in float64, also where what is read needs none."""
    layer = product(ranks=(2, 2, 2), inputs=5).double()
    names = [name for name, _ in layer.named_parameters() if "lora" in name]
    x = torch.randn(3, 5, dtype=torch.float64, requires_grad=True)

    def answer(x, *weights):
        return functional_call(layer, dict(zip(names, weights, strict=True)), (x, "relu"))

    weights = [layer.get_parameter(name) for name in names]
    assert torch.autograd.gradcheck(answer, (x, *weights))
    assert torch.autograd.gradcheck(answer, (x.detach(), *weights))


def test_dropout_reads_less_and_its_gradient_agrees():
    layer = product(dropout=0.25)
    x = torch.randn(50, 16, requires_grad=True)
    torch.manual_seed(3)
    y = layer(x)
    torch.manual_seed(3)
    mask = scaled_mask(x, 0.25).double()
    assert 0.1 < float((mask == 0).double().mean()) < 0.4
    exact = {n: w.detach().double().requires_grad_() for n, w in layer.named_parameters() if "lora" in n}
    x_exact = x.detach().double().requires_grad_()
    expected = written_out(layer, x_exact, exact, mask)
    near(y, expected)
    y.square().sum().backward()
    expected.square().sum().backward()
    near(x.grad, x_exact.grad)
    for name, weight in exact.items():
        near(layer.get_parameter(name).grad, weight.grad)
    assert torch.equal(layer.eval()(x), layer(x))


@pytest.mark.parametrize("dora", [False, True])
def test_dropout_stays_on_the_device_that_it_is_asked_on(dora):
    """Tensors without numbers, of a device that is no processor: with a tensor of another one nothing is computed."""
    layer = product(dropout=0.25, dora=dora).to("meta")
    x = torch.randn(5, 16, requires_grad=True, device="meta")
    layer(x).sum().backward()
    given = [x.grad, *(w.grad for n, w in layer.named_parameters() if "lora" in n)]
    assert {gradient.device.type for gradient in given} == {"meta"}
    with torch.no_grad():
        assert layer(x).device.type == "meta"


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("chosen", [(0, 1, 2), (2,)])
def test_dora_learns_length_and_direction(bias, chosen):
    """Liu et al. 2024, section 4.3: the lengths of the rows are constants to the gradient."""
    layer = product(tuple(PARTS[i] for i in chosen), bias=bias, ranks=(3,) * len(chosen), dora=True)
    x = torch.randn(11, 16, requires_grad=True)
    exact = {n: w.detach().double().requires_grad_() for n, w in layer.named_parameters() if "lora" in n}
    x_exact = x.detach().double().requires_grad_()
    y, expected = layer(x, "relu"), written_out(layer, x_exact, exact).relu()
    near(y, expected)
    y.square().sum().backward()
    expected.square().sum().backward()
    near(x.grad, x_exact.grad)
    for name, weight in exact.items():
        near(layer.get_parameter(name).grad, weight.grad)


def test_lengths_of_dora_follow_the_pairs():
    layer = product(dora=True).eval()  # which keeps them
    x = torch.randn(2, 16)
    with torch.no_grad():
        layer(x)
        layer.pair("a", "q_proj")[1].add_(1.0)
        after = layer(x)
        assert torch.equal(copy.deepcopy(layer)(x), after)
        layer._lengths.clear()
        assert torch.equal(layer(x), after)


@pytest.mark.parametrize("kind", ["plain", "quantized"])
def test_lengths_of_dora_follow_the_frozen_weight(kind):
    """Another weight is read into a product that has answered already. Oracle: a copy, which has not answered."""
    torch.manual_seed(1)
    bases = []
    for weight in (torch.randn(40, 64), torch.randn(40, 64).exp()):
        bases.append(nf4.NF4Linear.of((weight,), None) if kind == "quantized" else Linear(64, 40, False))
        if kind == "plain":
            bases[-1].weight = nn.Parameter(weight, requires_grad=False)
    layer, x = LoraLinear(bases[0]).eval(), torch.randn(2, 64)
    layer.add("a", [Slot(part, 3, 8.0) for part in PARTS], 0.0, True)
    layer.active = "a"
    with torch.no_grad():
        layer(x)
        layer.base.load_state_dict(bases[1].state_dict())
        fresh = copy.deepcopy(layer)
        fresh._lengths.clear()
        assert torch.equal(layer(x), fresh(x))


def test_dora_learns_after_it_has_answered():
    """Three steps of AdamW, the fused one, which leaves no trace on what it moves; asked in between in inference mode.
    The oracle is the formula, its lengths worked out anew in each step."""
    layer = product(dora=True)
    x = torch.randn(5, 16)
    exact = {n: w.detach().double().requires_grad_() for n, w in layer.named_parameters() if "lora" in n}
    moved = [w for n, w in layer.named_parameters() if "lora" in n]
    ours, theirs = (torch.optim.AdamW(one, lr=0.1, fused=True) for one in (moved, exact.values()))
    for _ in range(3):
        with torch.inference_mode():
            near(layer(x), written_out(layer, x.double(), exact))
        for optimizer, y in ((ours, layer(x)), (theirs, written_out(layer, x.double(), exact))):
            optimizer.zero_grad()
            y.square().sum().backward()
            optimizer.step()
    for name, weight in exact.items():
        near(layer.get_parameter(name), weight)


def test_scale_is_alpha_over_the_rank_or_over_its_root():
    assert Slot(PARTS[0], 16, 32.0).scale == 2.0
    assert Slot(PARTS[0], 16, 32.0, rslora=True).scale == 8.0


def test_a_fresh_pair_is_kaimings_and_zero():
    layer = LoraLinear(nn.Linear(400, 40))
    layer.add("a", [Slot(PARTS[0], 64, 8.0)], 0.0, False)
    down, up, size = layer.pair("a", "q_proj")
    bound = 1 / math.sqrt(400)  # of Kaiming's with a slope of sqrt(5), as PEFT draws it
    assert 0.98 * bound < down.abs().max() <= bound
    assert not up.any()
    assert size is None


@torch.no_grad()
def test_a_packed_weight_gives_the_same():
    layer = product(dtype=BF16)
    x = torch.randn(4, 16).to(BF16)
    before = layer(x)
    pack(layer)
    torch.testing.assert_close(layer(x), before)


def test_exact_pairs_on_rounded_weights_get_exact_gradients():
    """As after loading: pairs in fp32 beside weights and vectors in bf16."""
    layer, same = product(dtype=BF16), product(dtype=BF16)
    same.load_state_dict(layer.state_dict())
    same.to(BF16)
    x = torch.randn(6, 16).to(BF16)
    for one in (layer, same):
        y = one(x)
        y.backward(torch.ones_like(y))
    for name, weight in layer.named_parameters():
        if "lora" in name:
            assert weight.dtype == weight.grad.dtype == torch.float32
            torch.testing.assert_close(weight.grad, same.get_parameter(name).grad.float(), rtol=0.05, atol=0.05)


# ---- whole models


def made(kind="transformer", **settings):
    """A model with an adapter on it, what it reads, and what it answered before."""
    torch.manual_seed(1)
    model = build(MODELS[kind], 50, 50).eval()
    given = (torch.randint(4, 50, (3, 7)), torch.tensor([7, 3, 5]), torch.randint(4, 50, (3, 6)))
    with torch.no_grad():
        before = model(*given)
    plain = copy.deepcopy(model)
    lora.attach(model, LoraSettings(rank=3, alpha=5.0, **settings))
    return model, plain, given, before


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("dora", [False, True])
def test_fresh_adapters_change_nothing(kind, dora):
    model, _, given, before = made(kind, dora=dora)
    torch.testing.assert_close(model(*given), before, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", MODELS)
def test_models_learn_as_with_the_sums_as_weights(kind):
    """Gradients of A and B, against autograd through W + s B A in the model as it was (the oracle)."""
    model, plain, given, _ = made(kind)
    shaken(model)
    y = model(*given)
    up = torch.randn_like(y)
    (y * up).sum().backward()
    exact, sums = {}, dict(plain.named_parameters())
    for name, layer in lora.layers(model):
        for slot in layer.slots["default"]:
            leaf = slot.part.leaf
            down, side = (t.detach().requires_grad_() for t in layer.pair("default", leaf)[:2])
            exact |= {f"{name}.lora_a.default.{leaf}": down, f"{name}.lora_b.default.{leaf}": side}
            whole = f"{name}.{leaf}_l0" if isinstance(layer, nn.LSTM) else f"{name}.weight"
            sums[whole] = sums[whole].detach() + slot.scale * side @ down
    expected = functional_call(plain, sums, given)
    torch.testing.assert_close(y, expected, rtol=1e-4, atol=1e-5)
    (expected * up).sum().backward()
    greatest = max(float(weight.grad.abs().max()) for weight in exact.values())
    assert set(exact) == set(lora.trained(model))
    for name, weight in exact.items():
        assert (model.get_parameter(name).grad - weight.grad).abs().max() < 1e-5 * greatest, name
    assert all(weight.grad is None for weight in model.parameters() if not weight.requires_grad)


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("dora", [False, True])
@torch.no_grad()
def test_merged_is_unmerged(kind, dora):
    model, plain, given, before = made(kind, dora=dora)
    adapted = shaken(model)(*given)
    assert (adapted - before).abs().max() > 0.01
    found = lora.merge(model)
    assert found.error == 0.0
    assert found.weights > 0
    torch.testing.assert_close(model(*given), adapted, rtol=1e-5, atol=1e-5)
    assert [name for name, _ in model.named_parameters()] == [name for name, _ in plain.named_parameters()]
    assert {type(part) for part in model.modules()} == {type(part) for part in plain.modules()}


@torch.no_grad()
def test_lstm_merged_is_unmerged_to_a_millionth():
    for kind in ("lstm", "lstm-parallel"):
        model, _, given, _ = made(kind, targets=("lstm",))
        assert {name.rpartition(".")[2] for name, _ in lora.layers(model)} <= {"forwards", "backwards"}
        adapted = shaken(model)(*given)
        lora.merge(model)
        assert (model(*given) - adapted).abs().max() < 1e-6


@torch.no_grad()
def test_an_adapted_lstm_writes_step_by_step_what_it_reads_at_once():
    model, _, (inputs, lengths, shifted), _ = made("lstm")
    whole = shaken(model)(inputs, lengths, shifted)
    state = model.start(model.encode(inputs, lengths), 1, 6)
    for t in range(shifted.shape[1]):
        logits, state = model.step(shifted[:, t], state)
        torch.testing.assert_close(logits, whole[:, t], rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_merging_leaves_weights_that_others_share():
    model, _, given, before = made()
    shared = copy.copy(model)
    kept = {name: weight.clone() for name, weight in model.named_parameters() if "lora" not in name}
    old = dict(model.named_parameters())
    shaken(model)
    lora.merge(shared)
    assert all(torch.equal(old[name], weight) for name, weight in kept.items())
    assert before.shape == model(*given).shape


@torch.no_grad()
def test_merging_tells_what_its_type_loses():
    model, _, _, _ = made()
    shaken(model).to(BF16)
    layer = model.encoder.layers[0].attend.qkv
    exact = layer.merged("default", layer.weight, layer.slots["default"])
    found = lora.merge(model)
    lost = float((model.encoder.layers[0].attend.qkv.weight.float() - exact).abs().max())
    assert 0 < lost <= found.error < 2**-8 * max(float(w.abs().max()) for w in model.parameters())


@torch.no_grad()
def test_adapters_are_switched_on_one_model():
    model, plain, given, before = made(also=("head",), targets=("attend",))
    first = shaken(model)(*given)
    lora.attach(model, LoraSettings(rank=2, targets=("feed.up", "cross.kv")), adapter="law")
    torch.testing.assert_close(model(*given), before)
    for name, weight in model.named_parameters():
        if "lora_b.law" in name:
            weight.normal_()
    second = model(*given)
    assert lora.adapters(model) == ("default", "law")
    assert (first - second).abs().max() > 0.01
    lora.select(model, "default")
    assert torch.equal(model(*given), first)
    with lora.selected(model, None):
        torch.testing.assert_close(model(*given), before)
    with lora.selected(model, "law"):
        assert torch.equal(model(*given), second)
    assert torch.equal(copy.deepcopy(model)(*given), first)
    lora.detach(model)
    torch.testing.assert_close(model(*given), before)
    assert list(model.state_dict()) == list(plain.state_dict())


def test_only_the_adapter_and_what_it_trains_whole_can_learn():
    model, _, given, _ = made(also=("head", "decoder.last_norm"), targets=("q", "feed.down"))
    learning = {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert set(lora.trained(model)) <= learning
    assert {"head.weight", "decoder.last_norm.weight"} <= set(lora.trained(model))
    assert all(name.startswith("lora.") for name in learning - set(lora.trained(model)))  # the same, kept aside
    assert model.head.weight is not model.decoder.embed.weight
    model(*given).sum().backward()
    assert all(model.get_parameter(name).grad is not None for name in lora.trained(model))
    before = lora.whole(model, "default")["head"].weight.detach().clone()
    with torch.no_grad():
        model.head.weight.add_(1.0)
        with lora.selected(model, None):
            torch.testing.assert_close(model.head.weight, before)


def test_whole_modules_stay_after_merging():
    model, _, given, _ = made(also=("head",))
    with torch.no_grad():
        shaken(model).head.weight.mul_(2.0)
        answer = model(*given)
        assert lora.merge(model).untied == ("head",)  # its weight was the table's
        torch.testing.assert_close(model(*given), answer, rtol=1e-5, atol=1e-5)
        lora.attach(model, LoraSettings(also=("head", "decoder.last_norm")))
        assert lora.merge(model).untied == ()


def test_targets_are_names_ends_and_patterns():
    def adapted(*targets, parts=None, **further):
        model = build(SIZE, 50, 50)
        return lora.attach(model, LoraSettings(rank=2, targets=targets, **further), parts), model

    parts = {f"encoder.layers.{i}.attend.qkv": theirs(i) for i in range(2)}
    names, _ = adapted("q_proj", "v_proj", parts=parts)
    assert names == tuple(f"enc.{i}.self.{one}_proj" for i in range(2) for one in "qv")
    names, _ = adapted(r"enc\.1\..*", r"decoder\.layers\.0\.feed\.(up|down)", parts=parts)
    assert names[:3] == tuple(f"enc.1.self.{one}_proj" for one in "qkv")
    assert names[3:] == ("decoder.layers.0.feed.up", "decoder.layers.0.feed.down")
    names, _ = adapted("cross", "self", parts=parts)
    assert {name.rpartition(".")[2] for name in names} == {"q", "kv", "out", "q_proj", "k_proj", "v_proj"}
    names, model = adapted("attend.qkv", parts=parts, ranks=("k_proj=5", r"enc\.1\..*=3"), alphas=("v_proj=1",))
    slots = {slot.part.name: slot for _, layer in lora.layers(model) for slot in layer.slots["default"]}
    assert [slots[f"enc.1.self.{one}_proj"].rank for one in "qkv"] == [3, 5, 3]
    assert [slots[f"enc.0.self.{one}_proj"].alpha for one in "qkv"] == [32.0, 32.0, 1.0]
    names, _ = adapted("all")
    assert len(names) == 2 * 4 + 2 * 7


def theirs(i):
    """Names of the hub for one of our weights."""
    return tuple(Part(f"enc.{i}.self.{one}_proj", 32 * j, 32) for j, one in enumerate("qkv"))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"rank": 0}, "Try --lora.rank 16"),
        ({"alpha": 0.0}, "more than 0"),
        ({"targets": ()}, "one name or more"),
        ({"targets": ("fed.up",)}, "Try --lora.targets feed.up"),
        ({"targets": ("atend",)}, "--lora.targets atend, which is no weight"),
        ({"targets": ("(",)}, "a regular expression"),
        ({"ranks": ("up",)}, "name=number"),
        ({"ranks": ("up=0",)}, "a number of 1 or more"),
        ({"ranks": ("(=8",)}, "before the ="),
        ({"alphas": ("up=-1",)}, "a number above 0"),
        ({"also": ("heads",)}, "Try --lora.also head"),
        ({"ranks": ("feed.upp=8",)}, "no weight that is adapted.*Try --lora.ranks feed.up=8"),
        ({"targets": ("cross",), "alphas": ("up=1",)}, "--lora.alphas up=1, which is no weight that is adapted"),
    ],
)
def test_what_cannot_be_meant_is_said(settings, said):
    with pytest.raises(ConfigError, match=said.replace("(", r"\(")):
        lora.attach(build(SIZE, 50, 50), LoraSettings(**settings))


def test_what_contradicts_the_model_is_said():
    parts = {f"encoder.layers.{i}.attend.qkv": theirs(i) for i in range(2)}
    with pytest.raises(ConfigError, match="lies in one weight with"):
        lora.attach(build(SIZE, 50, 50), LoraSettings(also=("q_proj",)), parts)
    with pytest.raises(ConfigError, match="LSTM"):
        lora.attach(build(MODELS["lstm"], 50, 50), LoraSettings(dropout=0.1))
    model, _, _, _ = made()
    with pytest.raises(ConfigError, match="a second adapter named 'default'"):
        lora.attach(model, LoraSettings())
    with pytest.raises(ConfigError, match="without dots"):
        lora.attach(model, LoraSettings(), adapter="a.b")
    with pytest.raises(ConfigError, match="Try default"):
        lora.select(model, "defalt")
    lora.select(model, None)
    with pytest.raises(ConfigError, match="select one first"):
        lora.merge(model)
    lora.attach(model, LoraSettings(also=("head",)), adapter="b")
    lora.merge(model, "b")
    assert lora.adapters(model) == ()


# ---- other weights below


@pytest.mark.parametrize("then", ["none", "relu"])
def test_a_quantized_weight_learns_as_the_weight_that_it_stands_for(then):
    torch.manual_seed(0)
    base = nf4.NF4Linear.of((torch.randn(40, 64),), torch.randn(40))
    layer, plain = LoraLinear(base), LoraLinear(Linear(64, 40))
    plain.base.weight = nn.Parameter(base.dequantized(torch.float32), requires_grad=False)
    plain.base.bias = base.bias
    slots = [Slot(part, 3, 8.0) for part in PARTS]
    for one in (layer, plain):
        one.add("a", slots, 0.0, False)
        one.active = "a"
    shaken(layer)
    plain.load_state_dict({n: w for n, w in layer.state_dict().items() if "lora" in n}, strict=False)
    x = torch.randn(5, 64, requires_grad=True)
    other = x.detach().clone().requires_grad_()
    layer(x, then).square().sum().backward()
    plain(other, then).square().sum().backward()
    torch.testing.assert_close(x.grad, other.grad)
    for name, weight in plain.named_parameters():
        if "lora" in name:
            torch.testing.assert_close(layer.get_parameter(name).grad, weight.grad)


def test_checkpointing_turns_four_bits_back_twice_and_not_three_times(monkeypatch):
    """Once forward, once when a layer is computed again, and that one serves its gradient; the same gradients."""
    torch.manual_seed(1)
    model = nf4.quantize(build(SIZE, 50, 50).eval())
    given = (torch.randint(4, 50, (3, 7)), torch.tensor([7, 3, 5]), torch.randint(4, 50, (3, 6)))
    lora.attach(model, LoraSettings(rank=3))
    shaken(model)
    model.encoder.embed.weight.requires_grad_(True)  # so that every layer makes a gradient of what it reads
    asked, made = [], nf4.NF4Linear.dequantized
    monkeypatch.setattr(nf4.NF4Linear, "dequantized", lambda layer, *told: asked.append(layer) or made(layer, *told))
    slopes = []
    for wanted in (False, True):
        model.encoder.checkpointing = model.decoder.checkpointing = wanted
        model.zero_grad()
        asked.clear()
        model(*given).square().sum().backward()
        slopes.append({name: model.get_parameter(name).grad.clone() for name in lora.trained(model)})
        assert {asked.count(layer) for layer in nf4.layers(model)} == {2}
    assert all(torch.equal(slope, slopes[1][name]) for name, slope in slopes[0].items())


@pytest.mark.parametrize("dora", [False, True])
@torch.no_grad()
def test_merging_into_a_quantized_model_makes_it_plain(dora):
    torch.manual_seed(1)
    model = nf4.quantize(build(SIZE, 50, 50).eval())
    given = (torch.randint(4, 50, (3, 7)), torch.tensor([7, 3, 5]), torch.randint(4, 50, (3, 6)))
    lora.attach(model, LoraSettings(rank=3, dora=dora))
    adapted = shaken(model)(*given)
    assert lora.merge(model).error == 0.0
    assert nf4.layers(model) == []
    torch.testing.assert_close(model(*given), adapted, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_adapters_answer_beside_compact_weights():
    """int8 weights below, the pairs as they are: as near to the model as int8 is without an adapter."""
    model, plain, given, before = made()
    adapted = shaken(model)(*given)
    rounding = (compact(plain, "int8")(*given) - before).abs().max()
    found = compact(model, "int8")(*given)
    assert (found - adapted).abs().max() < 10 * rounding < (adapted - before).abs().max()
    stretched, _, given, _ = made(dora=True)
    with pytest.raises(ConfigError, match="merging the adapter first"):
        compact(stretched, "int8")(*given)
