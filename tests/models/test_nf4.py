import copy

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from seqwise.errors import ConfigError
from seqwise.models import nf4, nf4_codec
from seqwise.models.architecture import FeedForwardSettings, TransformerSettings
from seqwise.models.assemble import build, build_pretrained, initialise
from seqwise.models.attention import AttentionSettings
from seqwise.models.embeddings import EmbeddingSettings
from seqwise.models.heads import TokensSettings
from seqwise.models.linear import Linear
from seqwise.models.lstm import LSTMSettings
from seqwise.models.nf4 import NF4Linear
from seqwise.models.nf4_codec import dequantize, quantize

CPU = torch.device("cpu")
SHAPES = [(64, 64), (3, 5), (1, 1), (7, 9), (24, 96), (100, 100), (130, 129), (300, 768)]
KINDS = ["normal", "zeros", "outliers", "heavy", "one value"]


def drawn(shape, kind, dtype):
    """Weights as they are met, and as they should not be."""
    weight = torch.randn(shape) * 0.02
    if kind == "zeros":
        weight[: len(weight) // 2 + 1] = 0.0
    if kind == "outliers":
        weight[torch.rand(shape) < 0.01] *= 1000
    if kind == "heavy":
        weight = torch.distributions.StudentT(2.0).sample(shape) * 0.01
    if kind == "one value":
        weight.fill_(0.3)
    return weight.to(dtype)


def decoder(bias=True, width=32):
    settings = TransformerSettings(
        shape="decoder",
        width=width,
        layers=2,
        heads=4,
        dropout=0.0,
        attention=AttentionSettings(kv_heads=2, bias=bias),
        feed_forward=FeedForwardSettings(width=48, dropout=0.0, gated=True, bias=bias),
        embeddings=EmbeddingSettings(tied="output"),
    )
    model = build_pretrained(settings, TokensSettings(), 96)
    initialise(model)
    return model


class Counted:
    """How often a weight was worked out."""

    def __init__(self, monkeypatch):
        self.times = 0
        plain = nf4_codec.dequantize

        def counting(*told):
            self.times += 1
            return plain(*told)

        monkeypatch.setattr(nf4_codec, "dequantize", counting)


# -- the codec, against bitsandbytes


@pytest.fixture
def theirs():
    return pytest.importorskip("bitsandbytes", reason="the oracle of four bits").functional


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("kind", KINDS)
def test_bytes_are_the_ones_of_bitsandbytes(theirs, kind, dtype):
    """Codes, codes of the scales, groups and offset to the last bit, whatever the shape; and so the weights."""
    from bitsandbytes.backends.default.ops import _dequantize_4bit_compute as plain

    for shape in SHAPES:
        weight = drawn(shape, kind, dtype)
        packed, state = theirs.quantize_4bit(weight, quant_type="nf4", compress_statistics=True)
        found = quantize(weight)
        assert torch.equal(found.packed, packed.view(-1))
        assert torch.equal(found.scales, state.absmax)
        assert torch.equal(found.groups, state.state2.absmax)
        assert torch.equal(found.offset, state.offset)
        scales = theirs.dequantize_blockwise(state.absmax, state.state2) + state.offset
        for kept in (torch.float32, torch.bfloat16, torch.float16):
            # their processor code misreads rows of 80, 96, 112 ... weights, blocks of which begin within a row
            expected = getattr(plain, "__wrapped__", plain)(packed.view(-1), scales, state.code, 64, shape, kept)
            assert torch.equal(dequantize(found, kept), expected)


def test_weights_are_the_ones_of_their_processor_code_too(theirs):
    """Where rows are whole blocks, as in any model that is used, with any number of threads."""
    weight = torch.randn(200, 768)
    packed, state = theirs.quantize_4bit(weight, quant_type="nf4", compress_statistics=True)
    threads = torch.get_num_threads()
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            assert torch.equal(dequantize(quantize(weight), torch.float32), theirs.dequantize_4bit(packed, state))
    finally:
        torch.set_num_threads(threads)


def test_a_scale_is_rounded_as_theirs_in_every_step(theirs):
    """Both sides of all 65,536 steps."""
    middles = torch.arange(65536, dtype=torch.float64) * 2 / 65535 - 1
    for shift in (0.0, 1.5e-5, -1.5e-5, 7e-6):
        rows = nn.functional.pad((middles + shift).float(), (0, 254)).view(-1, 255)
        scales = torch.cat([rows, torch.ones(len(rows), 1)], 1).view(-1)
        codes, groups = torch.ops.bitsandbytes.quantize_blockwise(scales, nf4_codec.dynamic(CPU), 256)
        found, most = nf4_codec._rounded(scales)
        assert torch.equal(found, codes)
        assert torch.equal(most, groups)


def test_tables_are_the_published_ones(theirs):
    assert torch.equal(nf4_codec.levels(CPU), theirs.get_4bit_type("nf4", device="cpu"))
    assert torch.equal(nf4_codec.dynamic(CPU), theirs.create_dynamic_map())


def test_a_weight_takes_4_127_bits():
    """4 + 8 / 64 + 32 / (64 * 256), and the offset: Dettmers et al. 2023, section 3."""
    assert quantize(torch.randn(2048, 768)).bits == pytest.approx(4 + 8 / 64 + 32 / (64 * 256), abs=1e-4)
    layer = NF4Linear.of((torch.randn(2048, 768),))
    assert 8 * sum(one.nbytes for one in layer.buffers()) / (2048 * 768) == pytest.approx(4.127, abs=1e-3)


def test_a_block_of_zeros_stays_zeros_but_for_its_scale():
    weight = torch.zeros(64, 64)
    assert torch.equal(dequantize(quantize(weight), torch.float32), weight)


# -- the layer


def test_a_product_is_the_one_of_the_dequantized_weight():
    """Values, gradients of vectors and bias, with relu and without, in fp32 and bf16."""
    for dtype, near in ((torch.float32, 1e-6), (torch.bfloat16, 2e-2)):
        for then in ("none", "relu"):
            weight, bias = torch.randn(48, 100).to(dtype), torch.randn(48).to(dtype)
            layer = NF4Linear.of((weight,), bias).requires_grad_(True)
            full = Linear(100, 48).to(dtype)
            full.weight, full.bias = nn.Parameter(layer.dequantized(dtype)), nn.Parameter(bias.clone())
            given = torch.randn(3, 5, 100, dtype=dtype)
            mine, other = given.clone().requires_grad_(), given.clone().requires_grad_()
            up = torch.randn(3, 5, 48, dtype=dtype)
            found, expected = layer(mine, then), full(other, then)
            found.backward(up)
            expected.backward(up)
            close = {"rtol": near, "atol": near}
            torch.testing.assert_close(found, expected, **close)
            torch.testing.assert_close(mine.grad, other.grad, **close)
            torch.testing.assert_close(layer.bias.grad, full.bias.grad, **close)
            with torch.no_grad():
                torch.testing.assert_close(layer(given, then), expected, **close)


def test_no_weight_is_kept_for_the_gradient():
    """What autograd keeps of a product is nothing at all."""
    kept = []
    layer = NF4Linear.of((torch.randn(64, 64),))
    with torch.autograd.graph.saved_tensors_hooks(lambda one: kept.append(one.numel()), lambda one: one):
        layer(torch.randn(2, 64, requires_grad=True))
    assert kept == []
    assert layer.again is None


def test_it_trains_after_evaluation_and_evaluates_after_training():
    """bitsandbytes packs a weight anew in its first evaluation on a processor, and then passes no gradient."""
    layer = NF4Linear.of((torch.randn(64, 128),))
    given, up = torch.randn(4, 128), torch.randn(4, 64)

    def gradient():
        x = given.clone().requires_grad_()
        layer.train()(x).backward(up)
        return x.grad

    first, bytes_ = gradient(), layer.packed.clone()
    with torch.no_grad():
        answer = layer.eval()(given)
    assert torch.equal(gradient(), first)
    with torch.no_grad():
        assert torch.equal(layer.eval()(given), answer)
    assert torch.equal(layer.packed, bytes_)


def test_a_first_product_in_inference_mode_does_not_keep_others_from_training():
    nf4_codec._rooms().__dict__.clear()
    layer, x = NF4Linear.of((torch.randn(64, 64),)).to(torch.bfloat16), torch.randn(2, 64, dtype=torch.bfloat16)
    with torch.inference_mode():
        layer(x)
    layer(x.requires_grad_()).sum().backward()
    assert torch.isfinite(x.grad).all()


def test_layers_that_share_their_room_do_not_see_each_other():
    """Three layers of unlike sizes, one after the other and back."""
    weights = [torch.randn(96, 64), torch.randn(32, 96), torch.randn(64, 32)]
    four = nn.Sequential(*[NF4Linear.of((weight,)) for weight in weights])
    full = nn.Sequential(*[nn.Linear(one.in_features, one.out_features, False) for one in four])
    for one, layer in zip(full, four, strict=True):
        one.weight = nn.Parameter(layer.dequantized(torch.float32))
    mine = torch.randn(5, 64, requires_grad=True)
    other = mine.detach().clone().requires_grad_()
    found, expected = four(mine), full(other)
    torch.testing.assert_close(found, expected)
    found.square().sum().backward()
    expected.square().sum().backward()
    torch.testing.assert_close(mine.grad, other.grad)


def test_a_layer_computed_again_for_its_gradient_is_dequantized_once_for_both(monkeypatch):
    """Twice for each layer where it would be three times; the gradient is the same."""
    block = nn.Sequential(NF4Linear.of((torch.randn(64, 64),)), nn.ReLU(), NF4Linear.of((torch.randn(64, 64),)))
    given = torch.randn(3, 64)
    plain, again = given.clone().requires_grad_(), given.clone().requires_grad_()
    block(plain).sum().backward()
    counted = Counted(monkeypatch)
    checkpoint(block, again, use_reentrant=False).sum().backward()
    assert counted.times == 4
    assert torch.equal(again.grad, plain.grad)
    assert block[0].again is None
    assert block[2].again is None


def test_cached_weights_are_never_dequantized_again(monkeypatch):
    model = nn.Sequential(NF4Linear.of((torch.randn(64, 64),)), NF4Linear.of((torch.randn(64, 64),)))
    given = torch.randn(3, 64)
    expected = model(given)
    assert nf4.cache(model, torch.float32) == 2 * 64 * 64 * 4
    assert nf4.cache(model, torch.float32, room=64 * 64 * 4) == 64 * 64 * 4
    counted = Counted(monkeypatch)
    assert torch.equal(model(given), expected)
    assert counted.times == 1
    nf4.cache(model, torch.float32)
    assert torch.equal(model(given.clone().requires_grad_()), expected)
    assert copy.deepcopy(model)[0].kept is None
    assert model.to(torch.bfloat16)[0].kept is None
    assert nf4.cache(model, None) == 0


def test_a_change_of_type_leaves_the_bytes_alone():
    layer = NF4Linear.of((torch.randn(32, 64), torch.randn(16, 64)), torch.randn(48))
    before = layer.dequantized(torch.float32)
    for dtype in (torch.bfloat16, torch.float64, torch.float32):
        layer.to(dtype)
        assert layer.dtype == layer.bias.dtype == dtype
        assert torch.equal(layer.dequantized(torch.float32), before)
    assert list(layer.state_dict()) == ["bias", "packed", "scales", "groups", "offset"]
    other = NF4Linear.of((torch.randn(32, 64), torch.randn(16, 64)), torch.randn(48))
    other.load_state_dict(layer.state_dict())
    assert torch.equal(other.dequantized(torch.float32), before)
    assert torch.equal(copy.deepcopy(layer).dequantized(torch.float32), before)


def test_parts_of_a_weight_are_quantized_each_by_itself():
    """Also where a block would reach from one part into the next."""
    parts = [torch.randn(rows, 20) * size for rows, size in ((7, 1.0), (3, 10.0), (5, 0.1))]
    layer = NF4Linear.of(parts)
    assert (layer.rows, layer.in_features, layer.out_features) == ((7, 3, 5), 20, 15)
    for part, found in zip(parts, layer.parts, strict=True):
        alone = quantize(part)
        assert torch.equal(found.packed, alone.packed)
        assert torch.equal(found.scales, alone.scales)
        assert torch.equal(found.groups, alone.groups)
        assert torch.equal(found.offset, alone.offset)
    expected = torch.cat([dequantize(quantize(part), torch.float32) for part in parts])
    assert torch.equal(layer.dequantized(torch.float32), expected)


def test_what_is_lost_is_told():
    """A tenth of the norm of normal weights; nothing of what is in four bits already."""
    weight = torch.randn(256, 256)
    layer = NF4Linear.of((weight,))
    lost = nf4.error(layer, weight)
    difference = layer.dequantized(torch.float32) - weight
    assert lost.relative == pytest.approx(float(difference.norm() / weight.norm()))
    assert lost.greatest == pytest.approx(float(difference.abs().max()))
    assert 0.07 < lost.relative < 0.11
    assert nf4.error(layer, layer.dequantized(torch.float32)) == nf4.Loss(0.0, 0.0)


# -- models


def test_products_of_the_stacks_are_quantized_and_nothing_else():
    model = decoder()
    head, table = model.head.weight, model.decoder.embed.weight
    plain = {name: one.weight.detach().clone() for name, one in nf4.products(model)}
    assert nf4.quantize(model) is model
    four = {name: one for name, one in model.named_modules() if isinstance(one, NF4Linear)}
    assert set(four) == set(plain)
    assert len(four) == 8
    assert model.head.weight is head
    assert model.decoder.embed.weight is table
    assert four["decoder.layers.0.attend.qkv"].rows == (32, 16, 16)
    assert four["decoder.layers.1.feed.up"].rows == (48, 48)
    assert all(nf4.error(one, plain[name]).relative < 0.13 for name, one in four.items())
    for one in four.values():
        assert one.bias is not None


def test_a_quantized_model_is_the_model_of_its_dequantized_weights():
    model = nf4.quantize(decoder())
    full = copy.deepcopy(model)
    assert nf4.restore(full) is full
    assert len(nf4.layers(model)) == 8
    assert nf4.layers(full) == []
    assert set(full.state_dict()) == set(decoder().state_dict())
    ids, lengths = torch.randint(0, 96, (2, 7)), torch.tensor([7, 5])
    torch.testing.assert_close(model(ids, lengths), full(ids, lengths), rtol=1e-5, atol=1e-5)


def test_a_model_without_stacks_is_refused():
    model = build(LSTMSettings(width=8, layers=1), 20, 20)
    with pytest.raises(ConfigError, match="four bits"):
        nf4.quantize(model)
