import math

import pytest
import torch
from transformers import LlamaConfig
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding, apply_rotary_pos_emb
from transformers.models.marian.modeling_marian import MarianSinusoidalPositionalEmbedding
from transformers.models.t5.modeling_t5 import T5Attention

from seqwise.errors import Fault
from seqwise.models.positions import (
    Positions,
    PositionSettings,
    RelativeBias,
    alibi_slopes,
    sinusoidal,
    t5_bucket,
)
from seqwise.models.rotary import rotate


def test_interleaved_sinusoids_equal_the_formula_of_the_paper():
    table = sinusoidal(torch.arange(50), 16, interleaved=True)
    for p in (0, 1, 7, 49):
        for i in range(8):
            angle = p / 10_000 ** (2 * i / 16)
            assert table[p, 2 * i].item() == pytest.approx(math.sin(angle), abs=1e-5)
            assert table[p, 2 * i + 1].item() == pytest.approx(math.cos(angle), abs=1e-5)


@pytest.mark.parametrize("width", [16, 15])
def test_halved_sinusoids_equal_marian(width):
    """Oracle: the table that transformers builds for Marian."""
    theirs = MarianSinusoidalPositionalEmbedding(30, width)
    weight = theirs.create_weight() if hasattr(theirs, "create_weight") else theirs.weight
    if width % 2:
        assert sinusoidal(torch.arange(30), width).shape == (30, width)
    else:
        torch.testing.assert_close(sinusoidal(torch.arange(30), width), weight.detach(), atol=1e-5, rtol=1e-4)


def test_rotation_equals_llama():
    """Oracle: transformers' rotary embedding (pairs half a head apart)."""
    config = LlamaConfig(hidden_size=32, num_attention_heads=2, head_dim=16, rope_theta=5_000.0)
    config.rope_parameters = {"rope_type": "default", "rope_theta": 5_000.0}
    q, k = torch.randn(2, 3, 2, 9, 16)
    cos, sin = LlamaRotaryEmbedding(config)(q, torch.arange(9)[None])
    expected, _ = apply_rotary_pos_emb(q, k, cos, sin)
    torch.testing.assert_close(rotate(q, torch.arange(9), theta=5_000.0), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("interleaved", [False, True])
def test_rotation_keeps_lengths(interleaved):
    x = torch.randn(2, 2, 5, 8)
    turned = rotate(x, torch.arange(5), interleaved=interleaved)
    torch.testing.assert_close(turned.norm(dim=-1), x.norm(dim=-1))
    assert torch.equal(turned[:, :, 0], x[:, :, 0])


def test_slopes_of_alibi_are_those_of_the_paper():
    assert alibi_slopes(8).tolist() == [2.0**-i for i in range(1, 9)]
    # between two powers of two: the 8 of the power below, then every second one of the power above
    assert alibi_slopes(12)[8:].tolist() == pytest.approx([2**-0.5, 2**-1.5, 2**-2.5, 2**-3.5])


@pytest.mark.parametrize("both", [False, True])
def test_buckets_equal_t5(both):
    """Oracle: transformers' T5Attention."""
    distance = torch.arange(-300, 301)
    theirs = T5Attention._relative_position_bucket(distance, bidirectional=both, num_buckets=32, max_distance=128)
    assert torch.equal(t5_bucket(distance, 32, 128, both), theirs)


def test_the_sinusoid_table_grows_and_starts_anywhere():
    part = Positions(PositionSettings(), 8)
    zeros = torch.zeros(1, 200, 8)
    whole = part(zeros)
    assert torch.equal(part(zeros[:, :3], first=150), whole[:, 150:153])


def test_a_causal_table_of_t5_puts_the_future_into_bucket_zero():
    bias = RelativeBias(PositionSettings(kind="t5"), heads=2, both_sides=False)
    out = bias(torch.arange(4), torch.arange(4))
    assert out.shape == (1, 2, 4, 4)
    assert torch.equal(out[:, :, 0, 3], out[:, :, 0, 0])


def test_a_reach_within_the_exact_buckets_is_a_fault():
    (fault,) = PositionSettings(kind="t5", reach=16, buckets=32).faults()
    assert isinstance(fault, Fault)
    assert "reach" in str(fault)
