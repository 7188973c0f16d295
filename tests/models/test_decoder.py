import pytest
import torch

from seqwise.models import cache
from seqwise.models.architecture import FeedForwardSettings, NormSettings, TransformerSettings
from seqwise.models.assemble import build_pretrained
from seqwise.models.attention import AttentionSettings
from seqwise.models.heads import LabelsSettings, TokensSettings
from seqwise.models.positions import PositionSettings

KINDS = {
    "rotary": {"positions": PositionSettings("rotary")},
    "alibi": {"positions": PositionSettings("alibi")},
    "t5": {"positions": PositionSettings("t5", buckets=8, reach=10)},
    "alibi-window": {"positions": PositionSettings("alibi"), "attention": AttentionSettings(window=4)},
    "learned": {"positions": PositionSettings("learned", longest=40)},
    "sinusoidal": {"positions": PositionSettings("sinusoidal")},
    "grouped": {"positions": PositionSettings("rotary"), "attention": AttentionSettings(kv_heads=2, head_width=10)},
    "windows": {
        "positions": PositionSettings("rotary", local_theta=500.0),
        "attention": AttentionSettings(window=4, window_layers=(0, 2)),
    },
    "narrow": {"positions": PositionSettings("rotary"), "attention": AttentionSettings(window=1)},
    "capped": {
        "positions": PositionSettings("rotary"),
        "attention": AttentionSettings(softcap=2.0, norm=True, window=3, window_layers=(1,)),
        "norm": NormSettings("rms-offset", "both"),
    },
}


def model(kind, head=None):
    """Three layers, random weights large enough to tell errors apart."""
    settings = TransformerSettings(
        shape="decoder",
        width=24,
        layers=3,
        heads=4,
        dropout=0.0,
        feed_forward=FeedForwardSettings(width=40),
        **KINDS[kind],
    )
    made = build_pretrained(settings, head or TokensSettings(), 50).eval()
    with torch.no_grad():
        for weight in made.parameters():
            weight.normal_(std=0.2)
    return made


def padded(texts):
    rows = torch.zeros(len(texts), max(map(len, texts)), dtype=torch.int64)
    for row, text in zip(rows, texts, strict=True):
        row[: len(text)] = torch.tensor(text)
    return rows, torch.tensor([len(text) for text in texts])


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_beams_that_are_reordered_and_leave_equal_the_whole_text(kind):
    """Prompts of unlike lengths, one of them empty; beams that fork and die, a sentence that goes: every step."""
    made, drawn, beams = model(kind), torch.Generator().manual_seed(3), 3
    prompts = [torch.randint(1, 50, (n,), generator=drawn).tolist() for n in (9, 0, 4, 13)]
    state = made.start(made.encode(*padded(prompts)), beams, 8)
    texts = [list(prompt) for prompt in prompts for _ in range(beams)]
    for t in range(8):
        ids = torch.randint(1, 50, (len(texts),), generator=drawn)
        logits, state = made.step(ids, state)
        for row, (text, token) in enumerate(zip(texts, ids.tolist(), strict=True)):
            text.append(token)
            whole = made(torch.tensor([text]))[0, -1]
            torch.testing.assert_close(logits[row], whole, atol=1e-4, rtol=1e-4)
        parents = torch.randint(0, beams, (len(texts) // beams, beams), generator=drawn)
        rows = (parents + torch.arange(0, len(texts), beams)[:, None]).flatten()
        state, texts = state.reorder(rows), [list(texts[row]) for row in rows.tolist()]
        if t in (2, 5):  # the first sentence goes
            kept = torch.arange(1, len(texts) // beams)
            state, texts = state.keep(kept), texts[beams:]


@pytest.mark.parametrize("kind", ["rotary", "windows", "t5"])
@torch.no_grad()
def test_room_is_made_as_it_is_needed_and_what_stands_in_it_is_kept(kind, monkeypatch):
    made, drawn = model(kind), torch.Generator().manual_seed(5)
    prompts = padded([[4, 5, 6], [], [7]])
    for beams in (1, 3):
        monkeypatch.setattr(cache, "FIRST", 100)
        whole = made.start(made.encode(*prompts), beams, 11)
        monkeypatch.setattr(cache, "FIRST", 2)
        few = made.start(made.encode(*prompts), beams, 11)
        assert few.caches[0].key.shape[2] == 3 + 2 * beams < whole.caches[0].key.shape[2] == 3 + 11 * beams
        for _ in range(11):
            ids = torch.randint(1, 50, (3 * beams,), generator=drawn)
            (expected, whole), (found, few) = made.step(ids, whole), made.step(ids, few)
            torch.testing.assert_close(found, expected, rtol=0, atol=0)
            rows = (torch.randint(0, beams, (3, beams), generator=drawn) + beams * torch.arange(3)[:, None]).flatten()
            whole, few = whole.reorder(rows), few.reorder(rows)
        assert few.caches[0].key.shape[2] == 3 + 11 * beams


@torch.no_grad()
def test_room_is_made_for_several_steps_at_once(monkeypatch):
    made, text = model("rotary"), torch.arange(1, 14)[None]
    whole, _ = made.steps(text, made.start(made.encode(text[:, :0], torch.tensor([0])), 1, 13))
    monkeypatch.setattr(cache, "FIRST", 2)
    few, state = made.steps(text, made.start(made.encode(text[:, :0], torch.tensor([0])), 1, 13))
    torch.testing.assert_close(few, whole, rtol=0, atol=0)
    assert state.caches[0].key.shape[2] == 13


@torch.no_grad()
def test_the_last_layer_makes_no_more_of_a_prompt_than_its_keys():
    made, called = model("rotary"), []
    for i, layer in enumerate(made.decoder.layers):
        for part in (layer.attend.kernel, layer.feed):
            part.register_forward_hook(lambda *_, i=i: called.append(i))
    prompt = made.encode(*padded([[3, 4, 5], [6, 7]]))
    assert called == [0, 0, 1, 1]
    assert len(prompt.keys) == 3


@pytest.mark.parametrize("kind", KINDS)
def test_later_tokens_change_nothing_before_them(kind):
    made = model(kind)
    ids = torch.randint(1, 50, (2, 12))
    other = ids.clone()
    other[:, 7:] = 3
    assert torch.equal(made(ids)[:, :7], made(other)[:, :7])


def test_a_window_hides_what_is_further_away():
    """One layer that sees two tokens back: the last token's answer depends on three tokens."""
    settings = TransformerSettings(
        shape="decoder", width=24, layers=1, positions=PositionSettings("rotary"), attention=AttentionSettings(window=2)
    )
    made = build_pretrained(settings, None, 50).eval()
    ids = torch.randint(1, 50, (1, 9))
    other = ids.clone()
    other[:, :6] = 3
    torch.testing.assert_close(made(ids)[:, -1], made(other)[:, -1])
    other[:, 6] = ids[:, 6] % 49 + 1
    assert not torch.allclose(made(ids)[:, -1], made(other)[:, -1])


def test_labels_are_read_from_the_last_real_token():
    made = model("rotary", LabelsSettings(labels=3, pool="last"))
    texts, lengths = padded([[4, 5, 6], [7, 8, 9, 10, 11]])
    alone = made(torch.tensor([[4, 5, 6]]))
    torch.testing.assert_close(made(texts, lengths)[:1], alone)


def test_a_decoder_without_a_head_for_tokens_cannot_write():
    made = model("rotary", LabelsSettings(pool="last"))
    state = made.start(made.encode(*padded([[4, 5]])), 1, 2)
    with pytest.raises(TypeError, match="cannot write"):
        made.step(torch.tensor([3]), state)


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_several_steps_at_once_equal_one_after_the_other_and_can_be_taken_back(kind):
    made = model(kind)
    text = torch.randint(1, 50, (1, 20), generator=torch.Generator().manual_seed(4))
    for read in (0, 7):
        one = made.start(made.encode(text[:, :read], torch.tensor([read])), 1, 20)
        many = made.start(made.encode(text[:, :read], torch.tensor([read])), 1, 20)
        expected = []
        for place in range(read, read + 9):
            logits, one = made.step(text[:, place], one)
            expected.append(logits)
        _, many = made.steps(text[:, 11:16], many)
        first, many = made.steps(text[:, read : read + 4], many.back(5))
        second, many = made.steps(text[:, read + 4 : read + 9], many)
        torch.testing.assert_close(torch.cat((first, second), 1), torch.stack(expected, 1))
        assert many.written == one.written
