"""A checkpoint with a head for labels of one's own: what is read, what is drawn, and what is refused."""

from dataclasses import replace

import pytest
import tiny
import torch

from seqwise.checkpoints import heads, hub
from seqwise.errors import ConfigError

OURS = ("bad", "good", "so so")


def loaded(case, folder, labels=OURS, **more):
    found = tiny.pair(case, folder).checkpoint
    wanted = heads.labelled(found, labels)
    torch.manual_seed(1)
    model, fresh = heads.load(found, wanted, torch.float32, **more)
    return found, wanted, model, fresh


@pytest.mark.parametrize(
    "case", ["bert-mlm", "roberta-mlm", "distilbert-mlm", "electra", "modernbert-mlm", "llama", "gpt2", "qwen2", "phi3"]
)
def test_the_body_is_the_checkpoints_and_the_head_is_new(case, tmp_path):
    found, wanted, model, fresh = loaded(case, tmp_path)
    body = "encoder" if hasattr(model, "encoder") else "decoder"
    theirs = dict(hub.load(found, torch.float32).named_parameters())
    ours = dict(model.named_parameters())
    assert wanted.labels == OURS
    assert model.head.out.weight.shape[0] == 3
    same = [name for name in ours if name.startswith(f"{body}.")]
    assert same
    assert all(torch.equal(ours[name], theirs[name]) for name in same)
    assert "head.out.weight" in fresh
    assert float(ours["head.out.weight"].detach().std()) == pytest.approx(0.02, rel=0.5)
    assert all(not ours[name].any() for name in fresh if name.endswith("bias"))


def test_drawn_weights_come_of_the_seed(tmp_path):
    *_, one, _ = loaded("bert-mlm", tmp_path)
    *_, other, _ = loaded("bert-mlm", tmp_path)
    assert torch.equal(one.head.out.weight, other.head.out.weight)


def test_bfloat16_and_four_bits_get_a_head_too(tmp_path):
    found = tiny.pair("llama", tmp_path).checkpoint
    wanted = heads.labelled(found, OURS)
    model, _ = heads.load(found, wanted, torch.bfloat16, quantize="nf4")
    assert model.head.out.weight.dtype == torch.bfloat16
    given = tiny.reading(tiny.Pair("llama", None, model, wanted))
    assert model(given.ids, given.lengths).shape == (3, 3)


def test_a_head_for_just_these_labels_is_kept(tmp_path):
    found = tiny.pair("bert-labels", tmp_path).checkpoint
    assert heads.labelled(found, found.labels) is found
    model, fresh = heads.load(found, found, torch.float32)
    assert fresh == ()
    assert torch.equal(model.head.out.weight, hub.load(found, torch.float32).head.out.weight)


def test_a_head_that_gave_several_labels_at_once_gives_one_of_them_once_it_is_tuned(tmp_path):
    """Its weights stay; its chances are those of softmax, by which it will have learnt, and no longer of sigmoid."""
    found = tiny.pair("bert-labels", tmp_path).checkpoint
    found = replace(found, config={**found.config, "problem_type": "multi_label_classification"})
    wanted = heads.labelled(found, found.labels)
    assert wanted.config == {**found.config, "problem_type": "single_label_classification"}
    model, fresh = heads.load(found, wanted, torch.float32)
    assert fresh == ()
    assert torch.equal(model.head.out.weight, hub.load(found, torch.float32).head.out.weight)


@pytest.mark.parametrize(
    ("labels", "drawn"), [(("0", "1", "2", "3", "4"), False), (("a", "b", "c", "d", "e"), False), (("a", "b"), True)]
)
def test_a_head_whose_labels_nobody_named_is_a_start_for_as_many(tmp_path, labels, drawn):
    """Of BERT's pooler all is read in any case."""
    found, _, model, fresh = loaded("bert-labels", tmp_path, labels)
    assert ("head.out.weight" in fresh) == drawn
    assert "head.change.dense.weight" not in fresh
    whole = hub.load(found, torch.float32)
    assert torch.equal(model.head.change.dense.weight, whole.head.change.dense.weight)
    assert torch.equal(model.head.out.weight, whole.head.out.weight) != drawn


def test_labels_of_another_meaning_are_no_start(tmp_path):
    """As many, with names: the rows of the old ones would only mislead."""
    found = tiny.pair("bert-labels", tmp_path).checkpoint
    named = heads.labelled(found, ("v", "w", "x", "y", "z"))
    _, fresh = heads.load(named, heads.labelled(named, ("a", "b", "c", "d", "e")), torch.float32)
    assert "head.out.weight" in fresh


def test_a_translator_has_no_head_for_labels(tmp_path):
    found = tiny.pair("t5", tmp_path).checkpoint
    with pytest.raises(ConfigError, match="labels by T5ForConditionalGeneration"):
        heads.labelled(found, OURS)
