"""Runs that generate or classify, for the hub: tables say what was worked out, and transformers computes the same."""

from dataclasses import replace

import pytest
import torch
import transformers

from seqwise.checkpoints import export
from seqwise.checkpoints.tabulated import tabulated
from seqwise.models.architecture import FeedForwardSettings, NormSettings, TransformerSettings
from seqwise.models.assemble import build_classifier, build_decoder
from seqwise.models.heads import ChangeSettings, LabelsSettings
from seqwise.models.positions import PositionSettings

IDS = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
PLAIN = TransformerSettings(width=24, layers=2, feed_forward=FeedForwardSettings(width=40), dropout=0.0)
POST = replace(PLAIN, norm=NormSettings(place="post", embeddings=True))
LABELLED = LabelsSettings(labels=3, pool="first", change=ChangeSettings("tanh"))


def drawn(model):
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(std=0.2)
    return model.eval()


def theirs(folder, model, kind):
    made = export.to_hub(model, IDS)
    folder.mkdir()
    export.write_weights(folder, model, made)
    export.write_config(folder, made, torch.float32)
    found, told = kind.from_pretrained(folder, output_loading_info=True, attn_implementation="eager")
    assert not told["missing_keys"]
    assert not told["unexpected_keys"]
    return found.eval()


@pytest.mark.parametrize("kind", ["sinusoidal", "learned"])
@torch.no_grad()
def test_a_decoder_of_ours_is_a_gpt2(kind, tmp_path):
    model = drawn(build_decoder(replace(PLAIN, positions=PositionSettings(kind, longest=20)), 60))
    ids = torch.randint(3, 60, (3, 20))
    made = tabulated(model, 20)
    torch.testing.assert_close(made(ids), model(ids), atol=1e-5, rtol=0)
    found = theirs(tmp_path / "out", made, transformers.AutoModelForCausalLM)
    assert found.config.n_positions == 20
    torch.testing.assert_close(found(input_ids=ids).logits, model(ids), atol=1e-4, rtol=0)


@torch.no_grad()
def test_a_classifier_of_ours_is_a_bert(tmp_path):
    model = drawn(build_classifier(POST, LABELLED, 60))
    ids, lengths = torch.randint(3, 60, (3, 9)), torch.tensor([9, 5, 7])
    real = torch.arange(9) < lengths[:, None]
    ids = ids.masked_fill(~real, 0)
    expected = model(ids, lengths)
    found = theirs(tmp_path / "out", tabulated(model, 16), transformers.AutoModelForSequenceClassification)
    torch.testing.assert_close(found(input_ids=ids, attention_mask=real.long()).logits, expected, atol=1e-4, rtol=0)
    assert expected.std() > 0.01


def test_what_has_tables_already_stays_as_it_is():
    settings = replace(
        PLAIN, positions=PositionSettings("learned", 20), embeddings=replace(PLAIN.embeddings, scaled=False)
    )
    model = build_decoder(settings, 60)
    assert tabulated(model, 20) is model
