import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from seqwise.data.phrasebook.corpus import distinct
from seqwise.errors import ConfigError
from seqwise.models import compact as part
from seqwise.models.architecture import FeedForwardSettings, TransformerSettings
from seqwise.models.assemble import build, build_pretrained, initialise
from seqwise.models.compact import Product, Table, compact, quantize, rounded, settle
from seqwise.models.embeddings import EmbeddingSettings
from seqwise.models.heads import TokensSettings
from seqwise.models.lstm import LSTMSettings

LOST = {"fp16": 1e-3, "int8": 0.05}  # of the norm of a product


def decoder(tied="output", width=32, layers=2, vocabulary=96):
    settings = TransformerSettings(
        shape="decoder",
        width=width,
        layers=layers,
        heads=4,
        dropout=0.0,
        feed_forward=FeedForwardSettings(width=2 * width, dropout=0.0),
        embeddings=EmbeddingSettings(tied=tied),
    )
    model = build_pretrained(settings, TokensSettings(bias=True), vocabulary)
    initialise(model)
    return model.eval()


def lost(found, exact):
    return float((found - exact).norm() / exact.norm())


@pytest.mark.parametrize("ordered", [True, False], ids=["fbgemm", "plain"])
@pytest.mark.parametrize("kind", ["fp16", "int8"])
@pytest.mark.parametrize("rows", [1, 2, 70])
def test_products_are_nearly_those_of_the_full_weights(rows, kind, ordered, monkeypatch):
    monkeypatch.setattr(part, "_fbgemm", lambda: ordered)
    x, weight, bias = torch.randn(rows, 3, 64), torch.randn(33, 64), torch.randn(33)
    product = Product(weight, bias, kind)
    assert lost(product(x), functional.linear(x, weight, bias)) < LOST[kind]
    assert lost(product(x, "relu"), functional.linear(x, weight, bias).relu()) < LOST[kind]


def test_a_large_row_does_not_blur_a_small_one():
    weight = torch.randn(40, 64)
    x = torch.randn(2, 64) * torch.tensor([[1e-3], [1e3]])
    found, exact = Product(weight, None, "int8")(x), functional.linear(x, weight)
    assert max(lost(a, b) for a, b in zip(found, exact, strict=True)) < LOST["int8"]


def test_rows_and_channels_of_zeros_stay_zeros():
    weight = torch.randn(8, 16).index_fill_(0, torch.tensor([2]), 0.0)
    y = Product(weight, None, "int8")(torch.zeros(3, 16))
    assert torch.equal(y, torch.zeros(3, 8))
    assert not Product(weight, None, "int8")(torch.randn(3, 16))[:, 2].any()


def test_rounding_is_off_by_half_a_step_at_most():
    weight = torch.randn(9, 50)
    values, scale = rounded(weight)
    assert float(((values * scale[:, None] - weight).abs() / scale[:, None]).max()) < 0.5001


@torch.no_grad()
@pytest.mark.parametrize("kind", ["fp16", "int8"])
@pytest.mark.parametrize("tied", ["output", "none"])
def test_a_decoder_made_compact_says_nearly_the_same(kind, tied):
    model = decoder(tied)
    ids = torch.randint(1, 96, (3, 9))
    exact = model(ids)
    assert compact(model, kind) is model
    assert lost(model(ids), exact) < 3 * LOST[kind]
    assert isinstance(model.decoder.embed, Table)
    state = model.start(model.encode(ids[:, :4], torch.full((3,), 4)), 1, 5)
    for t in range(4, 9):
        logits, state = model.step(ids[:, t], state)
        assert lost(logits, exact[:, t]) < 4 * LOST[kind]


@torch.no_grad()
def test_an_encoder_decoder_keeps_its_one_table():
    settings = TransformerSettings(width=16, layers=1, heads=2, feed_forward=FeedForwardSettings(width=32))
    model = quantize(build(settings, 20, 20).to(torch.bfloat16).eval())
    assert model.encoder.embed is model.decoder.embed
    assert model.encoder.embed.weight.dtype == torch.bfloat16
    inputs = torch.randint(1, 20, (2, 5))
    assert model(inputs, torch.tensor([5, 3]), inputs).dtype == torch.float32


def test_nothing_of_the_full_weights_is_left():
    model = decoder(width=64, vocabulary=500)
    before = sum(p.numel() for p in model.parameters())
    quantize(model)
    assert not any(isinstance(one, nn.Linear) for one in model.modules())
    kept = [p for p in model.parameters() if p.ndim > 1]
    assert [tuple(p.shape) for p in kept] == [(500, 64)]
    assert sum(p.numel() for p in model.parameters()) < before / 2


def test_saving_and_loading_are_refused():
    model = quantize(decoder())
    with pytest.raises(ConfigError, match="compact"):
        model.state_dict()
    with pytest.raises(ConfigError, match="compact"):
        model.load_state_dict({})


def test_an_lstm_is_refused():
    with pytest.raises(ConfigError, match="Transformer"):
        quantize(build(LSTMSettings(), 20, 20))


@pytest.mark.parametrize("instructions", [True, False])
def test_bf16_is_what_the_processor_can_do(instructions, monkeypatch):
    monkeypatch.setattr(part, "instructions", lambda: instructions)
    model = settle(decoder().bfloat16(), "bf16")
    assert model.decoder.dtype == (torch.bfloat16 if instructions else torch.float32)
    assert isinstance(model.decoder.embed, Table) != instructions


def test_perplexity_hardly_changes():
    """A small decoder, trained for seconds on sentences of the phrasebook, byte by byte; then read by int8."""
    text = "\n".join(source for source, _ in distinct(1, 600))
    ids = torch.tensor([min(byte, 127) for byte in text.encode()])
    span = 48
    rows = ids[: len(ids) // span * span].view(-1, span)
    train, unseen = rows[: len(rows) * 9 // 10], rows[len(rows) * 9 // 10 :]
    model = decoder(width=64, vocabulary=128)
    moving = torch.optim.AdamW(model.parameters(), 3e-3)
    for _ in range(120):
        chosen = train[torch.randint(len(train), (32,))]
        loss = functional.cross_entropy(model(chosen[:, :-1]).flatten(0, 1), chosen[:, 1:].flatten())
        moving.zero_grad()
        loss.backward()
        moving.step()

    def perplexity():
        with torch.no_grad():
            logits = model(unseen[:, :-1])
        return math.exp(functional.cross_entropy(logits.flatten(0, 1), unseen[:, 1:].flatten()))

    before = perplexity()
    quantize(model)
    after = perplexity()
    print(f"perplexity {before:.4f} -> {after:.4f}")
    assert before < 12  # untrained: 128
    assert after / before < 1.01
