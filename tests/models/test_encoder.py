import pytest
import torch

from seqwise.models.architecture import NormSettings, TransformerSettings
from seqwise.models.assemble import build_pretrained
from seqwise.models.attention import AttentionSettings
from seqwise.models.heads import ChangeSettings, LabelsSettings, TokensSettings, pooled
from seqwise.models.positions import PositionSettings

LENGTHS = torch.tensor([5, 2, 7])


def model(head=None, **settings):
    usual = {"positions": PositionSettings("learned", longest=20), "norm": NormSettings(place="post", embeddings=True)}
    made = TransformerSettings(shape="encoder", width=16, layers=2, heads=2, dropout=0.0, **{**usual, **settings})
    return build_pretrained(made, head, 50).eval()


@pytest.mark.parametrize(
    "settings", [{}, {"attention": AttentionSettings(window=2, window_layers=(1,))}, {"segments": 2}]
)
@pytest.mark.parametrize(
    "head", [None, TokensSettings(bias=True, change=ChangeSettings()), LabelsSettings(pool="mean")]
)
def test_padding_changes_nothing(settings, head):
    """Each text by itself gives what it gives among longer ones."""
    made, ids = model(head, **settings), torch.randint(1, 50, (3, 7))
    together = made(ids, LENGTHS)
    for i, n in enumerate(LENGTHS.tolist()):
        alone = made(ids[i : i + 1, :n])[0]
        found = together[i] if isinstance(head, LabelsSettings) else together[i, :n]
        torch.testing.assert_close(found, alone, atol=1e-5, rtol=1e-5)


def test_it_sees_both_sides():
    made, ids = model(), torch.randint(1, 50, (1, 7))
    for place in (0, 6):
        other = ids.clone()
        other[:, place] = ids[:, place] % 49 + 1
        assert not torch.allclose(made(ids)[0, 3], made(other)[0, 3])


def test_segments_are_all_the_first_unless_told():
    made, ids = model(segments=2), torch.randint(1, 50, (2, 6))
    zeros, ones = torch.zeros_like(ids), torch.ones_like(ids)
    assert torch.equal(made(ids), made(ids, segments=zeros))
    assert not torch.allclose(made(ids), made(ids, segments=ones))


def test_a_model_without_segments_minds_none():
    made, ids = model(), torch.randint(1, 50, (2, 6))
    assert torch.equal(made(ids), made(ids, segments=torch.ones_like(ids)))


def test_a_text_is_pooled_from_what_is_real():
    """By hand, for each way."""
    hidden = torch.randn(3, 7, 4)
    assert torch.equal(pooled(hidden, LENGTHS, "first"), hidden[:, 0])
    assert torch.equal(pooled(hidden, LENGTHS, "each"), hidden)
    last = torch.stack([hidden[i, n - 1] for i, n in enumerate(LENGTHS.tolist())])
    assert torch.equal(pooled(hidden, LENGTHS, "last"), last)
    mean = torch.stack([hidden[i, :n].mean(0) for i, n in enumerate(LENGTHS.tolist())])
    torch.testing.assert_close(pooled(hidden, LENGTHS, "mean"), mean)
