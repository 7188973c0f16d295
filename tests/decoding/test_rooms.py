"""Rows whose room is used up, beside others that go on."""

import pytest
import torch

from seqwise.decoding import Generation, Specials, decode
from seqwise.models.architecture import FeedForwardSettings, TransformerSettings
from seqwise.models.assemble import build_pretrained
from seqwise.models.heads import TokensSettings
from seqwise.models.positions import PositionSettings
from seqwise.models.rotary import RotationSettings

LONGEST = 32
KINDS = {
    "learned": PositionSettings("learned", longest=LONGEST),
    "dynamic": PositionSettings("rotary", rotation=RotationSettings("dynamic", 2.0, LONGEST)),
}
SPECIALS = Specials(start=0, end=1, padding=0, forbidden=(0, 1), bounded=False)


def decoder(kind):
    """It never ends by itself."""
    torch.manual_seed(2)
    settings = TransformerSettings(
        "transformer", "decoder", 16, 2, heads=2, feed_forward=FeedForwardSettings(24), positions=KINDS[kind]
    )
    return build_pretrained(settings, TokensSettings(), 40).eval()


@pytest.mark.parametrize("look", [1, 8])
@pytest.mark.parametrize("settings", [{"beams": 1}, {"beams": 4}, {"temperature": 1.0}], ids=["1", "4", "sampled"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_long_prompt_fills_its_room_and_its_neighbours_theirs(kind, settings, look, monkeypatch):
    """Oracle: each prompt by itself. One of nine is no longer than an eighth, so it would stay in the batch."""
    monkeypatch.setattr("seqwise.decoding.stepwise.LOOK", {"cpu": look})
    model, made = decoder(kind), Generation(max_length=20, **settings)
    draws = torch.Generator().manual_seed(4)
    prompts = [torch.randint(2, 40, (n,), generator=draws).tolist() for n in (3, 3, 3, 27, 3, 3, 3, 3, 3)]
    sources, starts = [ids[:-1] for ids in prompts], [ids[-1] for ids in prompts]
    rooms = [LONGEST - len(ids) for ids in prompts]
    together = decode(model, sources, made, SPECIALS, starts=starts, rooms=rooms)
    assert [len(found[0].ids) for found in together] == [min(20, room) for room in rooms]
    if "temperature" in settings:
        return
    for source, start, room, found in zip(sources, starts, rooms, together, strict=True):
        (alone,) = decode(model, [source], made, SPECIALS, starts=[start], rooms=[room])
        assert [h.ids for h in alone] == [h.ids for h in found]


@pytest.mark.parametrize("beams", [1, 2])
@pytest.mark.parametrize("rooms", [[0, 5], [0, 0]])
def test_no_room_is_no_token(beams, rooms):
    model, made = decoder("learned"), Generation(beams=beams)
    found = decode(model, [[2, 3], [4, 5]], made, SPECIALS, starts=[6, 7], rooms=rooms)
    assert [len(h.ids) for (h,) in found] == rooms
    assert not any(h.ended for (h,) in found)
