"""Texts end to end: every encoder and decoder says and learns of them what it does of each alone."""

import pytest
import tiny
import torch

from seqwise.checkpoints import hub

LENGTHS = torch.tensor([9, 4, 12, 1, 5, 4, 11])
ALONE = ("t5", "mt5", "bart", "mbart", "marian", "pegasus", "m2m")
"""Families that read one text and write another."""


@pytest.mark.parametrize("case", [case for case in tiny.CASES if not case.startswith(ALONE)])
def test_logits_and_gradients_are_those_of_each_text_alone(case, tmp_path):
    """fp32, seven texts of unlike lengths."""
    tiny.make(case, tmp_path)
    found = hub.open_checkpoint(tmp_path)
    model = hub.load(found)
    ids = torch.randint(3, 90, (1, int(LENGTHS.sum())))
    texts = torch.split(ids, LENGTHS.tolist(), 1)
    apart = [model(text) for text in texts]
    each = getattr(getattr(model.head, "settings", None), "pool", "each") == "each"
    expected = torch.cat(apart, 1 if each else 0)
    together = model(ids, LENGTHS)
    torch.testing.assert_close(together, expected, atol=1e-5, rtol=1e-5)

    up = torch.randn_like(expected)
    weights = list(model.parameters())
    exact = torch.autograd.grad((expected * up).sum(), weights, allow_unused=True)
    slopes = torch.autograd.grad((together * up).sum(), weights, allow_unused=True)
    greatest = max(float(slope.abs().max()) for slope in exact if slope is not None)
    for ours, theirs in zip(slopes, exact, strict=True):
        if theirs is not None:
            torch.testing.assert_close(ours, theirs, atol=1e-5 * greatest, rtol=1e-4)
    assert [slope is None for slope in slopes] == [slope is None for slope in exact]
