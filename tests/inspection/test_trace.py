import pytest
import torch
from torch import nn

from seqwise.inspection.attention import by_word, cross_attention
from seqwise.inspection.steps import steps
from seqwise.inspection.trace import attentions, trace, weights
from seqwise.models.architecture import FeedForwardSettings, TransformerSettings
from seqwise.models.assemble import build
from seqwise.models.attention import AttentionSettings, MultiHeadAttention
from seqwise.models.kernels import Mask, padding_bias
from seqwise.models.lstm import LSTMSettings


@pytest.mark.parametrize("causal", [False, True])
def test_recomputed_weights_are_those_of_torch(causal):
    """Oracle: torch.nn.MultiheadAttention, asked for its weights."""
    ours = MultiHeadAttention(24, 4, AttentionSettings())
    theirs = nn.MultiheadAttention(24, 4, batch_first=True)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(ours.qkv.weight)
        theirs.in_proj_bias.copy_(ours.qkv.bias.normal_())
        theirs.out_proj.load_state_dict(ours.out.state_dict())
    x, lengths = torch.randn(2, 5, 24), torch.tensor([5, 3])
    with trace({"here": ours}) as heard:
        ours(x, Mask(causal, padding_bias(lengths, 5, torch.float32)))
    padded = torch.arange(5) >= lengths[:, None]
    later = torch.ones(5, 5, dtype=torch.bool).triu(1) if causal else None
    _, expected = theirs(x, x, x, key_padding_mask=padded, attn_mask=later, average_attn_weights=False)
    torch.testing.assert_close(weights(heard.calls["here"][0]), expected, atol=1e-5, rtol=1e-4)


def transformer():
    torch.manual_seed(0)
    return build(TransformerSettings(width=32, layers=2, heads=4, feed_forward=FeedForwardSettings(width=32)), 40, 40)


def test_listening_changes_nothing_and_stops_with_the_block():
    model = transformer().eval()
    call = torch.tensor([[4, 5, 3]]), torch.tensor([3]), torch.tensor([[2, 7]])
    before = model(*call)
    with trace(attentions(model)) as heard:
        assert torch.equal(model(*call), before)
    assert set(heard.calls) == {
        f"{side}.layers.{i}.{part}"
        for side, parts in (("encoder", ["attend"]), ("decoder", ["attend", "cross"]))
        for i in (0, 1)
        for part in parts
    }
    model(*call)
    assert all(len(calls) == 1 for calls in heard.calls.values())


@pytest.mark.parametrize("settings", [None, LSTMSettings(width=16, layers=1)], ids=["transformer", "lstm"])
def test_each_token_spreads_one_over_the_source(settings):
    model = (transformer() if settings is None else build(settings, 40, 40)).eval()
    found = cross_attention(model, [4, 5, 6, 3], [2, 7, 8])
    assert found.shape == (3, 4)
    torch.testing.assert_close(found.sum(1), torch.ones(3))


def test_the_mean_of_the_layers_is_the_mean():
    model = transformer().eval()
    each = [cross_attention(model, [4, 5, 3], [2, 7], layer=i) for i in (0, 1)]
    torch.testing.assert_close(cross_attention(model, [4, 5, 3], [2, 7]), (each[0] + each[1]) / 2)
    heads = [cross_attention(model, [4, 5, 3], [2, 7], layer=0, head=h) for h in range(4)]
    torch.testing.assert_close(each[0], torch.stack(heads).mean(0))


def test_tokens_of_a_word_are_added_up():
    found = torch.tensor([[0.1, 0.2, 0.3, 0.4]])
    torch.testing.assert_close(by_word(found, [0, 0, 1, 2], 3), torch.tensor([[0.3, 0.3, 0.4]]))


def test_steps_tell_the_softmax_of_the_full_forward():
    model = transformer().eval()
    found = steps(model, [4, 5, 3], [7, 8, 3], start=2, shown=40)
    logits = model(torch.tensor([[4, 5, 3]]), torch.tensor([3]), torch.tensor([[2, 7, 8]]))[0]
    for t, (step, token) in enumerate(zip(found, [7, 8, 3], strict=True)):
        assert step.chosen.token == token
        assert step.chosen.probability == pytest.approx(logits[t].softmax(0)[token].item(), abs=1e-6)
        assert sum(choice.probability for choice in step.likeliest) == pytest.approx(1, abs=1e-4)
        ranked = [choice.probability for choice in step.likeliest]
        assert ranked == sorted(ranked, reverse=True)
