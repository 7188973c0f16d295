import pytest
import torch
from torch import nn

from seqwise.config import check
from seqwise.errors import ConfigError
from seqwise.models.architecture import FeedForwardSettings, NormSettings, TransformerSettings
from seqwise.models.assemble import build
from seqwise.models.attention import AttentionSettings
from seqwise.models.embeddings import EmbeddingSettings
from seqwise.models.kernels import Mask, padding_bias
from seqwise.models.layers import Layer
from seqwise.models.positions import PositionSettings
from seqwise.models.transformer import ALIKE

LENGTHS = torch.tensor([5, 3, 1, 7])
V = 40


def settings(**changes):
    return TransformerSettings(
        **{
            "width": 24,
            "layers": 2,
            "heads": 4,
            "dropout": 0.0,
            "feed_forward": FeedForwardSettings(width=40),
            **changes,
        }
    )


def randomized(module):
    with torch.no_grad():
        for p in module.parameters():
            p.normal_(std=0.3)
    return module


def copy_attention(theirs, fused, out):
    theirs.in_proj_weight.copy_(torch.cat([part.weight for part in fused]))
    theirs.in_proj_bias.copy_(torch.cat([part.bias for part in fused]))
    theirs.out_proj.load_state_dict(out.state_dict())


def twin(ours, place, activation, decoder):
    """torch's own layer with the weights of ours."""
    kind = nn.TransformerDecoderLayer if decoder else nn.TransformerEncoderLayer
    theirs = kind(24, 4, 40, 0.0, activation, batch_first=True, norm_first=place == "pre")
    with torch.no_grad():
        copy_attention(theirs.self_attn, [ours.attend.qkv], ours.attend.out)
        theirs.linear1.load_state_dict(ours.feed.up.state_dict())
        theirs.linear2.load_state_dict(ours.feed.down.state_dict())
        norms = [ours.attend_norm, ours.feed_norm]
        if decoder:
            copy_attention(theirs.multihead_attn, [ours.cross.q, ours.cross.kv], ours.cross.out)
            norms.insert(1, ours.cross_norm)
        for i, norm in enumerate(norms, 1):
            getattr(theirs, f"norm{i}").load_state_dict(norm.state_dict())
    return theirs


def assert_same_with_gradients(ours, theirs, x, y):
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)
    ours.square().sum().backward()
    theirs.square().sum().backward()
    torch.testing.assert_close(x.grad, y.grad, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("place", ["pre", "post"])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_an_encoder_layer_equals_torch_forward_and_gradient(place, activation):
    """Oracle: torch.nn.TransformerEncoderLayer with copied weights."""
    made = settings(norm=NormSettings(place=place), feed_forward=FeedForwardSettings(width=40, activation=activation))
    ours = randomized(Layer(made, cross=False))
    theirs = twin(ours, place, activation, decoder=False)
    x = torch.randn(4, 7, 24, requires_grad=True)
    y = x.detach().clone().requires_grad_()
    real = torch.arange(7) < LENGTHS[:, None]
    a = ours(x, Mask(bias=padding_bias(LENGTHS, 7, torch.float32)))[real]
    b = theirs(y, src_key_padding_mask=~real)[real]
    assert_same_with_gradients(a, b, x, y)


@pytest.mark.parametrize("place", ["pre", "post"])
def test_a_decoder_layer_equals_torch_forward_and_gradient(place):
    """Oracle: torch.nn.TransformerDecoderLayer with copied weights."""
    ours = randomized(Layer(settings(norm=NormSettings(place=place)), cross=True))
    theirs = twin(ours, place, "relu", decoder=True)
    memory = torch.randn(4, 7, 24)
    x = torch.randn(4, 6, 24, requires_grad=True)
    y = x.detach().clone().requires_grad_()
    padded = torch.arange(7) >= LENGTHS[:, None]
    mask = Mask(bias=padding_bias(LENGTHS, 7, torch.float32))
    a = ours(x, Mask(causal=True), memory, mask)
    later = torch.ones(6, 6, dtype=torch.bool).triu(1)
    b = theirs(y, memory, tgt_mask=later, memory_key_padding_mask=padded)
    assert_same_with_gradients(a, b, x, y)


def sentences():
    x = torch.randint(4, V, (4, 7))
    return x.masked_fill(torch.arange(7) >= LENGTHS[:, None], 0), torch.randint(4, V, (4, 6))


MAKES = [
    {"positions": PositionSettings(kind="sinusoidal")},
    {"positions": PositionSettings(kind="learned", longest=9)},
    {"positions": PositionSettings(kind="rotary"), "norm": NormSettings(kind="rms")},
    {"positions": PositionSettings(kind="alibi"), "norm": NormSettings(place="post")},
    {"positions": PositionSettings(kind="t5"), "attention": AttentionSettings(kv_heads=2, bias=False)},
    {"feed_forward": FeedForwardSettings(width=32, activation="silu", gated=True, bias=False)},
    {"attention": AttentionSettings(kv_heads=1, head_width=10), "decoder_layers": 1},
    {"embeddings": EmbeddingSettings(tied="none", scaled=False)},
]


@pytest.mark.parametrize("make", MAKES, ids=lambda make: "-".join(make))
@pytest.mark.parametrize("beams", [1, 3])
def test_cached_steps_equal_the_full_forward(make, beams):
    model = randomized(build(settings(**make), V, V)).eval()
    inputs, _ = sentences()
    rows = torch.arange(4).repeat_interleave(beams)
    many = torch.randint(4, V, (4 * beams, 6))
    with torch.inference_mode():
        full = model(inputs[rows], LENGTHS[rows], many)
        state = model.start(model.encode(inputs, LENGTHS), beams, 6)
        for t in range(6):
            logits, state = model.step(many[:, t], state)
            torch.testing.assert_close(logits, full[:, t], atol=2e-4, rtol=2e-4)


@pytest.mark.parametrize("make", MAKES[:5], ids=lambda make: "-".join(make))
def test_reordered_beams_equal_the_forward_of_their_own_past(make):
    """After any reordering and after sentences left, each row scores as if its tokens had been there from the start."""
    torch.manual_seed(1)
    beams, model = 3, randomized(build(settings(**make), V, V)).eval()
    inputs, _ = sentences()
    past = torch.empty(12, 0, dtype=torch.int64)
    sentence = torch.arange(4)
    with torch.inference_mode():
        state = model.start(model.encode(inputs, LENGTHS), beams, 8)
        for t in range(8):
            past = torch.cat((past, torch.randint(4, V, (len(past), 1))), 1)
            logits, state = model.step(past[:, -1], state)
            rows = sentence.repeat_interleave(beams)
            full = model(inputs[rows], LENGTHS[rows], past)[:, -1]
            torch.testing.assert_close(logits, full, atol=2e-4, rtol=2e-4)
            parents = torch.randint(beams, (len(past),)) + torch.arange(0, len(past), beams).repeat_interleave(beams)
            state, past = state.reorder(parents), past[parents]
            if t in (2, 5):
                kept = torch.tensor([0, len(sentence) - 1])
                state, sentence = state.keep(kept), sentence[kept]
                past = past.view(-1, beams, past.shape[1])[kept].flatten(0, 1)


@pytest.mark.parametrize("make", MAKES[:5], ids=lambda make: "-".join(make))
def test_padding_and_neighbours_change_nothing(make):
    model = randomized(build(settings(**make), V, V)).eval()
    inputs, written = sentences()
    with torch.inference_mode():
        together = model(inputs, LENGTHS, written)
        for i, length in enumerate(LENGTHS.tolist()):
            alone = model(inputs[i : i + 1, :length], LENGTHS[i : i + 1], written[i : i + 1])
            torch.testing.assert_close(together[i : i + 1], alone, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("make", MAKES[:5], ids=lambda make: "-".join(make))
def test_rows_read_in_groups_of_like_length_are_those_read_at_once(make):
    """With gradients all rows are read at once, without them in groups: the same vectors at all real positions."""
    torch.manual_seed(2)
    model = randomized(build(settings(**make), V, V)).eval()
    lengths = torch.randint(1, 10, (3 * ALIKE + 5,)).clamp(max=9)
    inputs = torch.randint(4, V, (len(lengths), 9)).masked_fill(torch.arange(9) >= lengths[:, None], 0)
    with torch.inference_mode():
        grouped = model.encode(inputs, lengths)
    whole = model.encode(inputs, lengths)
    assert torch.equal(grouped.lengths, lengths)
    real = torch.arange(9) < lengths[:, None]
    torch.testing.assert_close(grouped.vectors[real], whole.vectors[real].detach(), atol=1e-5, rtol=1e-5)


def test_a_decoder_sees_nothing_that_comes_later():
    model = randomized(build(settings(), V, V)).eval()
    inputs, written = sentences()
    changed = written.clone()
    changed[:, 4:] = 5
    with torch.inference_mode():
        a, b = model(inputs, LENGTHS, written), model(inputs, LENGTHS, changed)
    assert torch.equal(a[:, :4], b[:, :4])


def test_bf16_weights_compute_nearly_the_same():
    torch.manual_seed(0)
    model = build(settings(), V, V).eval()
    inputs, written = sentences()
    with torch.inference_mode():
        exact = model(inputs, LENGTHS, written)
        coarse = model.bfloat16()(inputs, LENGTHS, written).float()
    assert (exact - coarse).abs().max() < 0.1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"width": 256, "heads": 6}, ["heads=6 with width=256", "--model.heads 8", "--model.width 252"]),
        ({"width": 30, "heads": 6, "positions": PositionSettings(kind="rotary")}, ["even", "head-width 6"]),
        ({"attention": AttentionSettings(kv_heads=3)}, ["kv_heads=3", "--model.attention.kv-heads 2"]),
        ({"decoder_heads": 5}, ["decoder_heads=5 with width=24", "--model.decoder-heads 6"]),
        ({"width": 16, "decoder_heads": 32}, ["decoder_heads=32 with width=16", "--model.decoder-heads 16"]),
        (
            {"width": 48, "decoder_heads": 16, "positions": PositionSettings(kind="rotary")},
            ["decoder_heads of width 3 with rotary", "--model.attention.head-width 4"],
        ),
        (
            {"width": 48, "heads": 8, "decoder_heads": 6, "attention": AttentionSettings(kv_heads=4)},
            ["kv_heads=4 with decoder_heads=6", "--model.attention.kv-heads 2"],
        ),
    ],
)
def test_sizes_that_do_not_divide_are_faults_with_a_mend(changes, words):
    (fault,) = settings(**changes).faults()
    assert all(word in str(fault) for word in words)


def test_heads_of_a_decoder_that_is_not_built_are_no_fault():
    assert list(settings(shape="encoder", decoder_heads=3).faults()) == []
    assert list(settings(decoder_heads=2, attention=AttentionSettings(kv_heads=2)).faults()) == []


@pytest.mark.parametrize("name", ["scale", "softcap"])
def test_scores_cannot_be_bounded_to_nothing(name):
    """0 would divide by 0, or let nobody prefer a key."""
    with pytest.raises(ConfigError, match=f"{name}=0"):
        check(settings(attention=AttentionSettings(**{name: 0.0})))
    check(settings(attention=AttentionSettings(**{name: 0.01})))
