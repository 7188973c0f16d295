"""Files that name less than they hold, or more: stacks alone, heads that were not saved, keys left to a class."""

import json
from dataclasses import replace

import pytest
import tiny
import torch
import transformers
from folders import bert
from safetensors.torch import load_file, save_file

from seqwise.checkpoints import hub
from seqwise.checkpoints.encoder_decoders import STACKS
from seqwise.errors import CheckpointError
from seqwise.tasks.pretrained import not_applied
from seqwise.verbs.predict import predict


def renamed(folder, **changes):
    """config.json with other keys."""
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **changes}))


# ---- stacks alone


@pytest.mark.parametrize("case", ["t5", "bart", "mbart", "marian", "pegasus", "m2m"])
def test_two_stacks_write_by_the_table_of_their_tokens(case, tmp_path):
    """As transformers opens such a file for writing: facebook/bart-base is one."""
    one = tiny.pair(case, tmp_path / "whole")
    stacks = one.theirs.base_model
    if case == "t5":
        stacks = transformers.T5Model(one.theirs.config)
        stacks.load_state_dict(one.theirs.state_dict(), strict=False)
    stacks.save_pretrained(tmp_path / "bare")
    named = json.loads((tmp_path / "bare" / "config.json").read_text())["architectures"]
    found = hub.open_checkpoint(tmp_path / "bare")
    assert (named, found.architecture) == ([type(stacks).__name__], type(one.theirs).__name__)
    assert found.head.task == "tokens"
    assert STACKS[named[0]] == found.architecture
    theirs = type(one.theirs).from_pretrained(tmp_path / "bare", attn_implementation="eager").eval()
    given = tiny.reading(one)
    with torch.no_grad():
        expected = tiny.their_logits(theirs, given)
        torch.testing.assert_close(tiny.our_logits(hub.load(found), given), expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("case", ["t5-1.1", "mt5"])
def test_two_stacks_without_their_projection_are_refused(case, tmp_path):
    """One of its own is not there, and the table would be another one."""
    tiny.make(case, tmp_path)
    renamed(tmp_path, architectures=["T5Model" if case == "t5-1.1" else "MT5Model"])
    with pytest.raises(CheckpointError, match=r"the architecture M?T5Model"):
        hub.open_checkpoint(tmp_path)


# ---- heads that were not saved


@pytest.mark.parametrize("case", ["bert-mlm", "roberta-mlm", "distilbert-mlm", "electra-mlm", "modernbert-mlm"])
@pytest.mark.parametrize("prefixed", [False, True])
def test_an_encoder_whose_config_names_a_head_that_is_not_there_gives_vectors(case, prefixed, tmp_path):
    """As all-distilroberta-v1: the vectors of transformers' bare model, and a note."""
    theirs = tiny.make(case, tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    front = f"{theirs.base_model_prefix}."
    kept = {name if prefixed else name.removeprefix(front): w for name, w in tensors.items() if name.startswith(front)}
    save_file(kept, tmp_path / "model.safetensors", {"format": "pt"})
    found = hub.open_checkpoint(tmp_path)
    assert (found.head.task, found.architecture) == ("vectors", type(theirs.base_model).__name__)
    (note,) = not_applied(found)
    assert f"no weights of the head of {type(theirs).__name__}" in note
    given = tiny.reading(tiny.Pair(case, theirs.base_model, hub.load(found), found))
    with torch.no_grad():
        expected = tiny.their_logits(theirs.base_model, given)
        torch.testing.assert_close(tiny.our_logits(hub.load(found), given), expected, atol=1e-4, rtol=0)


def test_a_head_of_which_something_is_there_must_be_whole(tmp_path):
    tiny.make("roberta-mlm", tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    save_file(
        {name: one for name, one in tensors.items() if "lm_head.dense" not in name},
        tmp_path / "model.safetensors",
        {"format": "pt"},
    )
    with pytest.raises(CheckpointError, match=r"without the tensor lm_head\.dense"):
        hub.load(hub.open_checkpoint(tmp_path))


def test_a_text_becomes_a_vector_where_there_is_nothing_to_fill_a_mask_with(tmp_path):
    bert(tmp_path, "BertModel")
    expected = predict(str(tmp_path), "The cat sat", precision="fp32")
    renamed(tmp_path, architectures=["BertForMaskedLM"])
    assert predict(str(tmp_path), "The cat sat", precision="fp32") == expected


# ---- keys left to the class

SILENT = {
    "hidden_size": 24, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 40, "vocab_size": 96
}  # fmt: skip


@pytest.mark.parametrize("family", ["llama", "mistral", "qwen2", "qwen3", "phi3"])
def test_what_a_file_leaves_out_is_as_the_class_of_transformers_has_it(family):
    """Its sizes told and nothing else, against what its own class says of itself."""
    told = transformers.CONFIG_MAPPING[family](**SILENT).to_dict()
    ours, theirs = map(hub.FAMILIES[family].read, ({"model_type": family, **SILENT}, told))
    widths = {"kv_heads": ours.attention.kv_heads or 4, "head_width": theirs.attention.head_width and 6}
    if family != "qwen3":  # whose heads have a width of their own
        ours = replace(ours, attention=replace(ours.attention, **widths))
    assert ours == theirs


def test_a_window_that_is_told_to_be_none_is_none():
    mistral = hub.FAMILIES["mistral"]
    assert mistral.read({"sliding_window": None, **SILENT}).attention.window is None
    assert mistral.read(SILENT).attention.window == transformers.MistralConfig().sliding_window - 1
