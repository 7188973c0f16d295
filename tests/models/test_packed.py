import pytest
import torch

from seqwise.models.architecture import FeedForwardSettings, NormSettings, TransformerSettings
from seqwise.models.assemble import build_pretrained, initialise
from seqwise.models.attention import AttentionSettings
from seqwise.models.heads import LabelsSettings, TokensSettings, pooled
from seqwise.models.jointly import Jointly
from seqwise.models.kernels import Mask, attention
from seqwise.models.packed import EVEN, Documents, evened, packed
from seqwise.models.positions import PositionSettings

LENGTHS = torch.tensor([9, 4, 12, 1, 5, 4, 11])


def model(shape="decoder", head=None, **settings):
    usual = {"positions": PositionSettings("rotary"), "feed_forward": FeedForwardSettings(24, None, "silu", True)}
    made = TransformerSettings(shape=shape, width=16, layers=2, heads=4, dropout=0.0, **{**usual, **settings})
    built = build_pretrained(made, head, 50)
    initialise(built)
    return built


def documents(lengths, alike=1.5, slots=1):
    return Documents.of(torch.tensor(lengths), alike, slots)


@pytest.mark.parametrize("slots", [1, 4])
@pytest.mark.parametrize("alike", [1.0, 1.5, 5.0])
@pytest.mark.parametrize("lengths", [[9, 4, 12, 1, 5, 4, 11], [3, 3, 3], [1], [7, 1], [2, 2, 9]])
def test_taken_apart_each_document_is_whole_and_goes_back(alike, lengths, slots):
    """Every way in which heads may lie in memory."""
    found, total = documents(lengths, alike, slots), sum(lengths)
    for group in found.groups:
        shortest, longest = int(group.lengths[0]), int(group.lengths[-1])
        assert longest <= max(alike * shortest, shortest + 1, -(-shortest // slots) * slots)
        assert group.longest == -(-longest // slots) * slots
    assert sum(len(group.lengths) for group in found.groups) == len(lengths)
    for x in (
        torch.randn(1, total, 3, 4).transpose(1, 2),
        torch.randn(1, total, 5, 4).transpose(1, 2)[:, 1:4],
        torch.randn(1, 3, total, 4),
        torch.randn(1, 3, 4, total).transpose(2, 3),
    ):
        parts = found.take(x)
        assert torch.equal(found.put(parts), x)
        each = torch.split(x, sorted(lengths), 2)
        for group, part in zip(found.groups, parts, strict=True):
            for length, document in zip(group.lengths.tolist(), part, strict=True):
                assert torch.equal(document[:, :length], each[0][0])
                each = each[1:]


@pytest.mark.parametrize(("alike", "slots"), [(1.0, 1), (2.0, 1), (1.5, 4)])
def test_gradients_go_the_same_way(alike, slots):
    """Oracle: finite differences. What is padding is left out on the way back, so that it gets no gradient."""
    found = documents([3, 1, 2, 3], alike, slots)
    x = torch.randn(1, 2, 9, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: found.put([part.exp() for part in found.take(x)]), x)
    parts = [part.detach().requires_grad_() for part in found.take(x)]
    assert torch.autograd.gradcheck(lambda *parts: found.put(parts), parts)


def test_documents_stand_in_order_of_length_within_and_come_back():
    found = Documents.of(LENGTHS)
    ids = torch.arange(int(LENGTHS.sum()))[None]
    inside = found.sorted(ids)
    assert torch.equal(found.given(inside[:, :, None].float())[:, :, 0].long(), ids)
    starts = inside[0][found.places == 0]
    assert sorted(starts.tolist()) == (LENGTHS.cumsum(0) - LENGTHS).tolist()
    steps = found.places.diff()[found.places[1:] != 0]
    assert torch.equal(steps, torch.ones_like(steps))
    assert Documents.of(torch.tensor([1, 4, 4])).order is None


@pytest.mark.parametrize("norm", [True, False])
def test_more_slots_than_the_longest_document_needs_change_nothing(norm, monkeypatch):
    """Values and gradients of a decoder, attended to jointly or, with norms of queries and keys, part by part."""
    decoder, ids = model(attention=AttentionSettings(norm=norm)).decoder, torch.randint(0, 50, (1, int(LENGTHS.sum())))
    found = []
    for slots in (8, 1):
        monkeypatch.setattr("seqwise.models.packed.SLOTS", {torch.float32: slots})
        apart = packed(ids, LENGTHS, torch.float32)
        assert all(group.longest % 8 == 0 for group in apart.groups) == (slots == 8)
        decoder.zero_grad()
        hidden = decoder(ids, documents=apart)
        hidden.square().sum().backward()
        found.append([hidden.detach(), *(weight.grad.clone() for weight in decoder.parameters())])
    torch.testing.assert_close(*found, rtol=1e-4, atol=1e-4)


def test_a_batch_is_packed_where_texts_and_rows_differ_in_number():
    ids = torch.zeros(2, 5, dtype=torch.long)
    assert packed(ids, None, torch.float32) is None
    assert packed(ids, torch.tensor([5, 3]), torch.float32) is None
    assert packed(ids[:1], torch.tensor([5]), torch.float32) is None
    for dtype, slots in ((torch.float32, 16), (torch.bfloat16, 32), (torch.float64, 3)):
        found = packed(ids[:1], torch.tensor([2, 3]), dtype)
        assert [group.longest for group in found.groups] == [slots]
    found = packed(ids[:1], torch.tensor([2, 3]), torch.float32, alike=1.0)
    assert [group.longest for group in found.groups] == [2, 3]


@pytest.mark.parametrize("lengths", [[9, 4], [3], [64], [63, 20, 1]])
def test_an_evened_batch_has_documents_more_and_none_is_longer(lengths):
    """Learned positions have no more rows than the longest text needs."""
    ids = torch.arange(sum(lengths))[None]
    more, sizes, kinds = evened(ids, torch.tensor(lengths), ids * 2)
    assert more.shape[1] % EVEN == 0
    assert more.shape[1] == int(sizes.sum()) < ids.shape[1] + EVEN
    assert sizes[: len(lengths)].tolist() == lengths
    assert int(sizes.max()) == max(lengths)
    assert torch.equal(more[:, : ids.shape[1]], ids)
    assert torch.equal(kinds, more * 2)


KINDS = {
    "rotary": {},
    "grouped": {"attention": AttentionSettings(kv_heads=2)},
    "interleaved": {"positions": PositionSettings("rotary", interleaved=True)},
    "stretched window": {
        "positions": PositionSettings("rotary", local_theta=50.0),
        "attention": AttentionSettings(window=3, window_layers=(1,)),
    },
    "learned": {"positions": PositionSettings("learned", longest=12)},
    "sinusoidal": {"positions": PositionSettings("sinusoidal")},
    "alibi": {"positions": PositionSettings("alibi")},
    "t5": {"positions": PositionSettings("t5", buckets=8, reach=16)},
    "softcap": {"attention": AttentionSettings(softcap=2.0, norm=True), "norm": NormSettings("rms-offset", "both")},
}


@pytest.mark.parametrize("shape", ["encoder", "decoder"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_position_restarts_with_each_document(shape, kind):
    """In training and without gradients: what each text gives alone."""
    made = model(shape, **KINDS[kind])
    ids = torch.randint(1, 50, (1, int(LENGTHS.sum())))
    expected = torch.cat([made(text) for text in torch.split(ids, LENGTHS.tolist(), 1)], 1)
    torch.testing.assert_close(made.hidden(ids, LENGTHS), expected, atol=1e-5, rtol=1e-5)
    with torch.no_grad():
        torch.testing.assert_close(made.hidden(ids, LENGTHS), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", ["encoder", "decoder"])
def test_one_step_of_autograd_is_the_parts_one_by_one(shape, dtype, monkeypatch):
    """Gradients too; bf16 rounds at other places."""
    made = model(shape, attention=AttentionSettings(kv_heads=2)).to(dtype)
    ids = torch.randint(1, 50, (1, int(LENGTHS.sum())))
    results = []
    for _ in range(2):
        made.zero_grad()
        hidden = made.hidden(ids, LENGTHS)
        (hidden * torch.linspace(-1, 1, 16).to(dtype)).sum().backward()
        results.append([hidden.detach(), *(weight.grad for weight in made.parameters() if weight.grad is not None)])
        monkeypatch.setattr(Jointly, "of", lambda *_: None)
    for ours, theirs in zip(*results, strict=True):
        error = (ours - theirs).norm() / theirs.norm()
        assert error < (1e-5 if dtype == torch.float32 else 0.03)


def test_dropout_on_the_weights_of_packed_attention_is_dropout():
    """As many zeros as asked for, and gradients of what was kept: the loss is linear in the values."""
    made = model("encoder", attention=AttentionSettings(dropout=0.5)).train()
    ids = torch.randint(1, 50, (1, int(LENGTHS.sum())))
    torch.manual_seed(1)
    first = made.hidden(ids, LENGTHS)
    torch.manual_seed(1)
    assert torch.equal(made.hidden(ids, LENGTHS), first)
    assert not torch.allclose(made.hidden(ids, LENGTHS), first)
    assert not torch.allclose(made.eval().hidden(ids, LENGTHS), first)


def test_attention_by_documents_takes_a_learnt_bias():
    """T5's table gets a gradient from every document."""
    query, key, value = torch.randn(3, 1, 2, 9, 4)
    bias = torch.randn(1, 2, 4, 4, requires_grad=True)
    found = Documents.of(torch.tensor([2, 3, 4]))
    attention(query, key, value, Mask(bias=bias).apart(found, query)).square().sum().backward()
    slope, bias.grad = bias.grad, None
    for first, last in ((0, 2), (2, 5), (5, 9)):
        part = [x[:, :, first:last] for x in (query, key, value)]
        attention(*part, Mask(bias=bias[..., : last - first, : last - first])).square().sum().backward()
    torch.testing.assert_close(slope, bias.grad)


@pytest.mark.parametrize("how", ["first", "last", "mean", "each"])
def test_texts_end_to_end_are_pooled_as_texts_in_rows(how):
    hidden = torch.randn(1, int(LENGTHS.sum()), 6)
    texts = torch.split(hidden, LENGTHS.tolist(), 1)
    one_by_one = [pooled(text, length[None], how) for text, length in zip(texts, LENGTHS, strict=True)]
    torch.testing.assert_close(pooled(hidden, LENGTHS, how), torch.cat(one_by_one, 1 if how == "each" else 0))


@pytest.mark.parametrize("head", [LabelsSettings(labels=3, pool="mean"), TokensSettings()])
def test_recomputed_layers_give_the_same_gradients(head):
    """Dropout draws the same numbers again."""
    made = model("encoder", head).train()
    for part in made.modules():
        if hasattr(part, "rate"):
            part.rate = 0.3
    ids, results = torch.randint(1, 50, (1, int(LENGTHS.sum()))), []
    for again in (False, True):
        made.encoder.checkpointing = again
        made.zero_grad()
        torch.manual_seed(3)
        made(ids, LENGTHS).square().sum().backward()
        results.append([weight.grad.clone() for weight in made.parameters() if weight.grad is not None])
    assert len(results[0]) == len(results[1]) > 10
    for kept, recomputed in zip(*results, strict=True):
        assert torch.equal(kept, recomputed)


def test_recomputed_layers_keep_little():
    """Bytes that autograd holds, but for the weights: a good part less with two layers, and nothing for each further
    layer but its input."""
    kept = {}
    for layers in (2, 6):
        made = model("decoder", TokensSettings(), attention=AttentionSettings())
        made = build_pretrained(
            TransformerSettings(shape="decoder", width=16, layers=layers, heads=4, dropout=0.0), TokensSettings(), 50
        )
        for again in (False, True):
            made.decoder.checkpointing = again
            held = {}
            weights = {weight.data_ptr() for weight in made.parameters()}

            def pack(x, held=held, weights=weights):
                if x.untyped_storage().data_ptr() not in weights:
                    held[x.untyped_storage().data_ptr()] = x.untyped_storage().nbytes()
                return x

            with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
                loss = made.hidden(torch.randint(1, 50, (1, 200))).sum()
            kept[layers, again] = sum(held.values())
            del loss
    assert (kept[6, True] - kept[2, True]) <= 4 * 200 * 16 * 4 * 1.1
    assert (kept[6, True] - kept[2, True]) < (kept[6, False] - kept[2, False]) / 5
