"""Adapters of PEFT (the oracle) on modules that are none of ours, or that hold no pairs here."""

import json

import peft
import pytest
import tiny
import torch
from safetensors.torch import load_file, save_file
from test_adapters import NEAR, peft_made, quietly

from seqwise.checkpoints import adapters, hub
from seqwise.errors import CheckpointError
from seqwise.models import lora


def near(one, theirs, given):
    """Both sides answer the same, and otherwise than the base."""
    with torch.no_grad():
        expected, found = tiny.their_logits(theirs, given), tiny.our_logits(one.ours, given)
        assert (expected - found).abs().max() < NEAR
        with lora.selected(one.ours, None):
            assert (expected - tiny.our_logits(one.ours, given)).abs().max() > 1e-2


@pytest.mark.parametrize("targets", [["query", "dense"], "all-linear"])
def test_a_pair_on_berts_pooler_is_left_aside_where_vectors_are_asked_for(targets, tmp_path):
    one, given, theirs = peft_made("bert-bare", tmp_path, target_modules=targets, task_type="FEATURE_EXTRACTION")
    assert any("pooler" in name for name in load_file(tmp_path / "a" / "adapter_model.safetensors"))
    adapters.load(tmp_path / "a", one.ours, one.checkpoint)
    near(one, theirs, given)


PROJECTIONS = [
    ("llama", {"target_modules": ["q_proj", "lm_head"], "use_rslora": True}),
    ("llama-tied", {"target_modules": ["lm_head"]}),
    ("gpt2", {"target_modules": ["c_attn", "lm_head"], "fan_in_fan_out": True, "rank_pattern": {"lm_head": 2}}),
    ("t5", {"target_modules": ["q", "lm_head"]}),
    ("bart", {"target_modules": ["q_proj", "lm_head"], "alpha_pattern": {"lm_head": 9}}),
]


@pytest.mark.parametrize(("case", "settings"), PROJECTIONS)
def test_a_pair_on_the_last_projection_answers_as_there(case, settings, tmp_path):
    """PEFT writes the weight beside it too; the table of the tokens, which it may share, stays what it was."""
    one, given, theirs = peft_made(case, tmp_path, **settings)
    table = next(one.ours.parameters()).detach().clone()
    adapters.load(tmp_path / "a", one.ours, one.checkpoint)
    near(one, theirs, given)
    lora.select(one.ours, None)
    assert torch.equal(next(one.ours.parameters()), table)


def test_a_projection_with_its_pair_is_written_as_one_that_was_trained_whole(tmp_path):
    one, given, theirs = peft_made("llama", tmp_path, target_modules=["q_proj", "lm_head"])
    adapters.load(tmp_path / "a", one.ours, one.checkpoint)
    adapters.save(tmp_path / "b", one.ours, one.checkpoint)
    assert json.loads((tmp_path / "b" / "adapter_config.json").read_text())["modules_to_save"] == ["lm_head"]
    other = quietly(peft.PeftModel.from_pretrained, tiny.make("llama", tmp_path / "c"), str(tmp_path / "b")).eval()
    with torch.no_grad():
        assert (tiny.their_logits(other, given) - tiny.their_logits(theirs, given)).abs().max() < NEAR


@pytest.mark.parametrize("change", ["shape", "length", "elsewhere"])
def test_pairs_on_a_projection_that_do_not_fit_are_refused(change, tmp_path):
    one, _, _ = peft_made("llama", tmp_path, target_modules=["q_proj", "lm_head"], use_dora=change == "length")
    path = tmp_path / "a" / "adapter_model.safetensors"
    tensors = load_file(path)
    if change == "shape":
        tensors["base_model.model.lm_head.base_layer.weight"] = torch.zeros(97, 24)
    if change == "elsewhere":
        tensors["base_model.model.model.layers.0.self_attn.q_proj.base_layer.weight"] = torch.zeros(40, 24)
    save_file(tensors, path, {"format": "pt"})
    with pytest.raises(CheckpointError, match=r"base_layer\.weight in |a pair on lm_head"):
        adapters.load(tmp_path / "a", hub.load(one.checkpoint), one.checkpoint)
