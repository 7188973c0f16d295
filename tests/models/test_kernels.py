import math

import pytest
import torch
from transformers.models.gemma2.modeling_gemma2 import Gemma2RMSNorm

from seqwise.models.kernels import Mask, attention, bounded, padding_bias
from seqwise.models.layers import OffsetRMSNorm


@pytest.mark.parametrize("window", [0, 1, 3, 6, 50, None])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(("queries", "keys"), [(7, 7), (3, 7), (1, 7), (1, 1)])
def test_a_window_hides_what_is_further_away(window, causal, queries, keys):
    """Oracle: one pair at a time. Queries are the last of the positions."""
    like = torch.zeros(1)
    found = Mask(causal, None, window).dense(queries, keys, like)
    for t in range(queries):
        for s in range(keys):
            distance = t + keys - queries - s
            seen = (not causal or distance >= 0) and (window is None or abs(distance) <= window)
            value = 0.0 if found is None else float(found[0, 0, t, s])
            assert value == (0.0 if seen else -math.inf), (t, s)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("window", [0, 2])
def test_a_settled_window_gives_the_same_averages(causal, window):
    lengths = torch.tensor([3, 6, 5])
    mask = Mask(causal, padding_bias(lengths, 6, torch.float32), window)
    query, key, value = torch.randn(3, 3, 2, 6, 8)
    real = torch.arange(6) < lengths[:, None]
    found = attention(query, key, value, mask.settled(6, query)).transpose(1, 2)
    expected = attention(query, key, value, mask).transpose(1, 2)
    torch.testing.assert_close(found[real], expected[real])
    assert found.isfinite().all()  # padding too, though a window shows it nothing real


def test_bounded_scores_are_those_of_gemma():
    scores = torch.randn(50) * 9
    assert bounded(scores, None) is scores
    torch.testing.assert_close(bounded(scores, 5.0), torch.tanh(scores / 5.0) * 5.0)
    assert bounded(scores, 5.0).abs().max() < 5.0


@pytest.mark.parametrize("causal", [False, True])
def test_attention_with_bounded_scores_equals_the_equation(causal):
    """By hand, with grouped keys."""
    query, (key, value) = torch.randn(2, 4, 5, 6), torch.randn(2, 2, 2, 5, 6)
    found = attention(query, key, value, Mask(causal), 0.7, softcap=1.5)
    wide = [part.repeat_interleave(2, 1).double() for part in (key, value)]
    scores = 1.5 * torch.tanh(query.double() @ wide[0].transpose(-1, -2) * 0.7 / 1.5)
    if causal:
        scores = scores.masked_fill(torch.ones(5, 5, dtype=torch.bool).triu(1), -math.inf)
    torch.testing.assert_close(found.double(), scores.softmax(-1) @ wide[1], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_norm_of_gemma(dtype):
    """Oracle: transformers' Gemma2RMSNorm, in fp32 and in bf16."""
    ours, theirs = OffsetRMSNorm(16, 1e-6), Gemma2RMSNorm(16, 1e-6)
    with torch.no_grad():
        ours.weight.normal_()
        theirs.weight.copy_(ours.weight)
    x = torch.randn(3, 5, 16).to(dtype) * 4
    tolerance = 1e-6 if dtype == torch.float32 else 1e-2
    torch.testing.assert_close(ours.to(dtype)(x), theirs.to(dtype)(x), atol=tolerance, rtol=tolerance)
    assert OffsetRMSNorm(16, 1e-6)(x).dtype == dtype
