"""What a tuned run says is what it learnt: of texts with a tab, and once its weights are merged for others."""

import json

import pytest
import tiny
import torch
import transformers
import tunable
from test_adapters import quietly

from seqwise.tasks.pretrained import open_pretrained
from seqwise.tasks.tuning.stored import open_tuned
from seqwise.verbs.evaluate import evaluate
from seqwise.verbs.export import export
from seqwise.verbs.predict import predict
from seqwise.verbs.tune import tune

PREMISE, HYPOTHESIS = "you love food", "the cat sat"


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    """A checkpoint tuned on labels of texts."""
    folder = tmp_path_factory.mktemp("labelled")
    (folder / "bert").mkdir()
    tunable.bert(folder / "bert")
    tunable.labelled(folder / "train.tsv", 32, 1)
    data = {"task": "classify", "train": (str(folder / "train.tsv"),), "optimizer": {"rate": 4e-3}}
    tune(tunable.settings(folder / "bert", folder, method="lora", **data))
    return folder


def test_two_texts_with_a_tab_are_one_where_one_was_learnt(labelled, tmp_path):
    """predict says what evaluate scores and what training read; a plain checkpoint still reads two."""
    run, text = str(labelled / "run"), f"{PREMISE}\t{HYPOTHESIS}"
    found = json.loads(predict(run, text, json=True, precision="fp32"))["labels"]
    model = open_tuned(run, "cpu", "fp32")
    (ids,) = (framed.ids for framed in model.words.source.framed([text]))
    assert ids.count(model.words.source.eos) == 1
    with torch.no_grad():
        chances = model.model(torch.tensor([ids]), torch.tensor([len(ids)])).softmax(-1)[0].tolist()
    by_name = dict(zip(model.checkpoint.labels, chances, strict=True))
    assert {one["name"]: one["probability"] for one in found} == pytest.approx(by_name, abs=1e-6)
    rows = [{"text": text, "label": "good"}, {"text": PREMISE, "label": "bad"}]
    (tmp_path / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    evaluate(run, test=(str(tmp_path / "test.jsonl"),), scores=tmp_path / "scores.tsv", precision="fp32", resamples=2)
    scored = {row.split("\t")[0]: row.split("\t")[1] for row in (tmp_path / "scores.tsv").read_text().splitlines()[1:]}
    assert float(scored["0"]) == pytest.approx(by_name["good"], abs=1e-4)
    export(labelled / "run", to="merged", out=tmp_path / "merged")
    pair = json.loads(predict(str(tmp_path / "merged"), text, json=True, precision="fp32"))["labels"]
    assert pair != found


@pytest.mark.parametrize("told", [None, True, False])
def test_a_merged_t5_scales_as_it_was_tuned_though_its_head_has_left_the_table(tmp_path, told):
    """transformers (the oracle), and we ourselves, open what was merged."""
    (tmp_path / "t5").mkdir()
    tunable.t5(tmp_path / "t5")
    config = json.loads((tmp_path / "t5" / "config.json").read_text())
    config.pop("scale_decoder_outputs", None)
    changed = {} if told is None else {"scale_decoder_outputs": told}
    (tmp_path / "t5" / "config.json").write_text(json.dumps({**config, "tie_word_embeddings": True, **changed}))
    train = tunable.pairs(tmp_path / "train.tsv", 8, 1)
    data = {"task": "translate", "train": (train,), "training": {"epochs": 1}, "lora": {"also": ("lm_head",)}}
    tune(tunable.settings(tmp_path / "t5", tmp_path, method="lora", **data))
    export(tmp_path / "run", to="merged", out=tmp_path / "out")
    tuned, again = open_tuned(tmp_path / "run", "cpu", "fp32"), open_pretrained(tmp_path / "out", None, "cpu", "fp32")
    theirs = quietly(transformers.T5ForConditionalGeneration.from_pretrained, tmp_path / "out").eval()
    given = tiny.reading(tiny.Pair("t5", theirs, tuned.model, tuned.checkpoint))
    with torch.no_grad():
        expected = tiny.our_logits(tuned.model, given)
        torch.testing.assert_close(tiny.their_logits(theirs, given), expected, atol=3e-5, rtol=1e-4)
        torch.testing.assert_close(tiny.our_logits(again.model, given), expected, atol=3e-5, rtol=1e-4)
