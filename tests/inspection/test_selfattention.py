import pytest
import tiny
import torch

from seqwise.checkpoints import hub
from seqwise.errors import ConfigError
from seqwise.inspection.selfattention import chosen, habits, recomputed

IDS = torch.tensor([[5, 9, 33, 12, 60, 7, 41]])
CASES = {
    "bert-bare": "encoder",
    "modernbert-mlm": "encoder",
    "gpt2": "decoder",
    "qwen3": "decoder",
    "gemma2": "decoder",
}


@pytest.mark.parametrize("case", CASES)
def test_the_weights_are_those_that_transformers_returns(case, tmp_path):
    """Oracle: output_attentions of the eager implementation."""
    oracle = tiny.make(case, tmp_path)
    ours = hub.load(hub.open_checkpoint(tmp_path))
    run = (lambda: ours.hidden(IDS, torch.tensor([7]))) if CASES[case] == "encoder" else (lambda: ours.hidden(IDS))
    found = recomputed(ours, run, f"{CASES[case]}.attend")
    with torch.no_grad():
        theirs = torch.stack(oracle(IDS, output_attentions=True).attentions)[:, 0]
    torch.testing.assert_close(found, theirs, atol=1e-5, rtol=1e-4)


def test_the_three_attentions_of_a_translator(tmp_path):
    oracle = tiny.make("marian", tmp_path)
    ours = hub.load(hub.open_checkpoint(tmp_path))
    written = torch.tensor([[95, 4, 8]])
    with torch.no_grad():
        theirs = oracle(IDS, decoder_input_ids=written, output_attentions=True)
    expected = {
        "encoder.attend": theirs.encoder_attentions,
        "decoder.attend": theirs.decoder_attentions,
        "decoder.cross": theirs.cross_attentions,
    }
    for part, weights in expected.items():
        found = recomputed(ours, lambda: ours.hidden(IDS, torch.tensor([7]), written), part)
        torch.testing.assert_close(found, torch.stack(weights)[:, 0], atol=1e-5, rtol=1e-4)


def test_a_head_that_looks_at_the_token_before_is_told_so():
    before = torch.eye(6).roll(-1, 1).tril(-1)
    before[0, 0] = 1.0
    (found,) = habits(before[None, None])
    assert found.before == pytest.approx(1.0)
    assert found.sharpness == pytest.approx(1.0, abs=1e-4)
    (even,) = habits(torch.full((1, 1, 6, 6), 1 / 6))
    assert even.sharpness == pytest.approx(0.0, abs=1e-4)
    assert (even.first, even.before, even.itself, even.after) == pytest.approx((1 / 6,) * 4)


def test_a_layer_or_a_part_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="--layer 7: needs 0 to 1"):
        chosen(torch.ones(2, 4, 3, 3), 7, None)
    tiny.make("gpt2", tmp_path)
    with pytest.raises(ConfigError, match="--part encoder"):
        recomputed(hub.load(hub.open_checkpoint(tmp_path)), lambda: None, "encoder.attend")
