"""blend: weights between a model and its tuned version, of the hub and of ours."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import tunable

from seqwise.checkpoints import hub
from seqwise.checkpoints.run import RunFolder
from seqwise.cli import main
from seqwise.errors import CheckpointError, ConfigError
from seqwise.tasks.stored import open_translator
from seqwise.tasks.tuning import blending
from seqwise.tasks.tuning.stored import open_tuned
from seqwise.verbs.blend import blend
from seqwise.verbs.evaluate import evaluate
from seqwise.verbs.export import export
from seqwise.verbs.predict import predict
from seqwise.verbs.tune import tune


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Bases, and what became of them."""
    folder = tmp_path_factory.mktemp("blend")
    for name in ("labels", "masked", "other"):
        (folder / name).mkdir()
    tunable.bert(folder / "labels", "BertForSequenceClassification", num_labels=2, id2label={0: "bad", 1: "good"})
    tunable.bert(folder / "masked")
    tunable.bert(folder / "other", "BertForTokenClassification", num_labels=3)
    train = (tunable.labelled(folder / "train.tsv", 120, 1),)
    tunable.labelled(folder / "dev.tsv", 40, 2)
    pairs = (tunable.pairs(folder / "pairs.tsv", 100, 1),)
    labels = {"task": "classify", "train": train, "training": {"epochs": 4}, "optimizer": {"rate": 4e-3}}
    tune(tunable.settings(folder / "labels", folder, method="full", **labels, out=str(folder / "full")))
    tune(tunable.settings(folder / "labels", folder, method="lora", **labels, out=str(folder / "lora")))
    short = {**labels, "training": {"epochs": 1}}
    tune(tunable.settings(folder / "masked", folder, method="qlora", **short, out=str(folder / "fresh")))
    own = {"task": "translate", "train": pairs, "method": "lora", "evaluation": {"metric": "loss"}}
    tune(tunable.settings(tunable.own(folder), folder, **own, out=str(folder / "ours")))
    return folder


def weights(folder):
    return dict(hub.load(hub.open_checkpoint(Path(folder)), torch.float32).named_parameters())


@pytest.mark.parametrize("method", ["full", "lora"])
@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_each_weight_lies_where_it_should(place, tmp_path, method, alpha):
    blend(str(place / "labels"), str(place / method), alpha=(alpha,), out=tmp_path / "out")
    base, found = weights(place / "labels"), weights(tmp_path / "out")
    tuned = dict(open_tuned(place / method, "cpu", "fp32").model.named_parameters())
    for name, weight in found.items():
        torch.testing.assert_close(weight, (1 - alpha) * base[name] + alpha * tuned[name], atol=1e-7, rtol=1e-6)
    for share, model in ((0.0, place / "labels"), (1.0, place / method)):
        same = predict(str(tmp_path / "out"), "you love", precision="fp32") == predict(
            str(model), "you love", precision="fp32"
        )
        assert same == (share == alpha)


def test_the_best_share_on_the_validation_examples_is_written(place, tmp_path):
    dev = (str(place / "dev.tsv"),)
    alphas = (0.0, 0.25, 1.0)
    done = blend(str(place / "labels"), str(place / "full"), alpha=alphas, out=tmp_path / "out", valid=dev, general=dev)
    assert [row.alpha for row in done.rows] == list(alphas)
    best = max(row.valid["accuracy"] for row in done.rows)
    assert done.alpha == next(row.alpha for row in done.rows if row.valid["accuracy"] == best)
    assert all(row.valid == row.general for row in done.rows)
    places = {0.0: place / "labels", 1.0: place / "full", done.alpha: tmp_path / "out"}
    rows = {row.alpha: row for row in done.rows}
    for alpha, model in places.items():
        score = evaluate(str(model), test=dev, precision="fp32", resamples=5, scores=tmp_path / "each").scores[0]
        assert score.value == pytest.approx(rows[alpha].valid["accuracy"])


def test_a_head_that_the_base_lacks_is_taken_as_it_is(place, tmp_path):
    """The masked language model has a dense layer of the same name and shape, which means something else."""
    blend(str(place / "masked"), str(place / "fresh"), alpha=(0.5,), out=tmp_path / "out")
    told = json.loads((place / "fresh" / "base" / "config.json").read_text())
    assert told["architectures"] == ["BertForSequenceClassification"]
    found = weights(tmp_path / "out")
    stored = RunFolder.open(place / "fresh").load_model()
    heads = {name: weight for name, weight in stored.items() if name.startswith("head.")}
    assert len(heads) == 4
    for name, weight in heads.items():
        assert torch.equal(found[name], weight), name


def test_runs_of_ours_become_a_run(place, tmp_path):
    blend(str(place / "transformer"), str(place / "ours"), alpha=(0.5,), out=tmp_path / "out")
    base, found = (RunFolder.open(path).load_model() for path in (place / "transformer", tmp_path / "out"))
    translator, _ = open_tuned(place / "ours", "cpu", "fp32")
    tuned = dict(translator.models[0].named_parameters())
    for name, weight in found.items():
        torch.testing.assert_close(weight, (base[name] + tuned[name]) / 2, atol=1e-7, rtol=1e-6)
    assert isinstance(predict(str(tmp_path / "out"), "one two"), str)
    blend(str(place / "transformer"), str(place / "ours"), alpha=(1.0,), out=tmp_path / "one")
    for text in ("one two", "three"):
        ours = predict(str(place / "ours"), text, precision="fp32")
        assert predict(str(tmp_path / "one"), text, precision="fp32") == ours


@pytest.mark.parametrize("kind", ["transformer", "lstm", "marian"])
def test_a_tied_head_that_was_trained_whole_lies_between_the_table_and_itself(place, tmp_path, kind):
    """LoRA that trains the head parts it from the table that it was; what is written keeps both."""
    if kind == "marian":
        (tmp_path / kind).mkdir()
        tunable.marian(tmp_path / kind)
    base = str(tmp_path / kind) if kind == "marian" else tunable.own(tmp_path, kind)
    sections = {"task": "translate", "train": (str(place / "pairs.tsv"),), "lora": {"also": ("head",)}}
    sections |= {"evaluation": {"metric": "loss", "first": False, "sentences": 2}, "optimizer": {"rate": 0.05}}
    tuned = tune(tunable.settings(base, tmp_path, method="lora", out=str(tmp_path / "tuned"), **sections)).out
    for alpha in (0.5, 1.0):
        blend(base, tuned, alpha=(alpha,), out=tmp_path / f"{alpha}")
    if kind == "marian":
        table, head = (weights(base)[name] for name in ("encoder.embed.weight",) * 2)
        found = weights(tmp_path / "0.5")
        model = open_tuned(tuned, "cpu", "fp32").model
    else:
        saved = RunFolder.open(base).load_model()
        table = head = saved["encoder.embed.weight"]
        found = dict(open_translator([tmp_path / "0.5"])[0].models[0].named_parameters())
        model = open_tuned(tuned, "cpu", "fp32")[0].models[0]
    now = dict(model.named_parameters())
    assert not torch.equal(now["head.weight"], head)
    for name, before in (("head.weight", head), ("encoder.embed.weight", table)):
        torch.testing.assert_close(found[name], (before + now[name]) / 2, atol=1e-6, rtol=1e-5)
    export(Path(tuned), to="merged", out=tmp_path / "merged")
    for text in ("one two", "three", "seven six five"):
        told = predict(tuned, text, precision="fp32", max_length=6)
        assert predict(str(tmp_path / "1.0"), text, precision="fp32", max_length=6) == told
        assert predict(str(tmp_path / "merged"), text, precision="fp32", max_length=6) == told


def test_one_weight_cannot_lie_between_two(place, tmp_path):
    """The other way round: a base whose head has left its table, and a model whose head is the table."""
    one = blending.open_for_blending(str(place / "transformer"))
    other = blending.open_for_blending(str(place / "transformer"))
    other.model.head.weight = torch.nn.Parameter(other.model.head.weight.detach() + 1)
    assert blending.both(one, other)
    with pytest.raises(ConfigError, match=r"are one weight in .* and two in "):
        blending.both(other, one)


def test_a_base_with_more_layers_is_refused(tmp_path):
    """There is nothing between a layer and none; a blend of the others would be neither model."""
    for name, layers in (("deep", 3), ("flat", 2)):
        (tmp_path / name).mkdir()
        tunable.bert(tmp_path / name, num_hidden_layers=layers)
    with pytest.raises(ConfigError, match=r"layers 2 in .*flat, and 3 in .*deep"):
        blend(str(tmp_path / "deep"), str(tmp_path / "flat"), out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_blend_that_fails_or_is_killed_leaves_no_half_of_a_run(place, tmp_path, monkeypatch):
    """Nothing in the place of the new one, and the old one as it was, with what is not ours beside it."""
    words = [str(place / "transformer"), str(place / "ours")]

    def fails(*_given):
        raise CheckpointError("a full disk", "room", "freeing some")

    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "save_model", fails)
        with pytest.raises(CheckpointError):
            blend(*words, out=tmp_path / "new")
    assert list(tmp_path.iterdir()) == []
    blend(*words, out=tmp_path / "old", alpha=(0.25,))
    (tmp_path / "old" / "notes.txt").write_text("mine")
    before = {path.name: path.read_bytes() for path in (tmp_path / "old").iterdir()}
    code = (
        "import os, sys; from pathlib import Path; from seqwise.checkpoints.run import RunFolder\n"
        "from seqwise.verbs.blend import blend\n"
        "RunFolder.save_model = lambda *given: os._exit(9)\n"
        "blend(sys.argv[1], sys.argv[2], out=Path(sys.argv[3]), overwrite=True)"
    )
    for name in ("new", "old"):
        killed = subprocess.run([sys.executable, "-c", code, *words, str(tmp_path / name)], check=False)
        assert killed.returncode == 9
    assert not (tmp_path / "new").exists()
    assert {path.name: path.read_bytes() for path in (tmp_path / "old").iterdir()} == before
    blend(*words, out=tmp_path / "old", alpha=(1.0,), overwrite=True)
    assert (tmp_path / "old" / "notes.txt").read_text() == "mine"
    assert predict(str(tmp_path / "old"), "one two", precision="fp32") == predict(words[1], "one two", precision="fp32")


BAD = {
    "share": (["labels", "full", "--alpha", "1.5"], "--alpha 0.5"),
    "several": (["labels", "full", "--alpha", "0", "1"], "--valid dev.tsv"),
    "same": (["labels", "labels"], "two different models"),
    "make": (["other", "transformer"], "two models of one make"),
    "task": (["labels", "labels", "--alpha", "0.5", "--valid", "dev.tsv"], "two different models"),
    "unknown label": (["labels", "full", "--alpha", "0", "1", "--valid", "bad.tsv"], "the label 'fine'"),
    "nothing": (["lables", "full"], "there is no folder lables"),
    "there": (["labels", "full", "--out", "lora"], "content"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_is_one_line_and_nothing_is_written(place, tmp_path, monkeypatch, case, capsys):
    monkeypatch.chdir(tmp_path)
    for path in place.iterdir():
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / "bad.tsv").write_text("text\tlabel\nyou love\tfine\n")
    words, told = BAD[case]
    before = set(tmp_path.iterdir())
    assert main(["blend", *words, *([] if "--out" in words else ["--out", "out"])]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert told in error
    assert set(tmp_path.iterdir()) == before


def test_models_that_compute_otherwise_with_the_same_shapes_are_refused(place, tmp_path):
    for name in ("labels", "heads"):
        shutil.copytree(place / "labels", tmp_path / name)
    told = json.loads((tmp_path / "heads" / "config.json").read_text())
    told["num_attention_heads"] *= 2
    (tmp_path / "heads" / "config.json").write_text(json.dumps(told))
    with pytest.raises(ConfigError, match=r"heads 8 in .*heads, and 4 in .*labels: needs two models"):
        blend(str(tmp_path / "labels"), str(tmp_path / "heads"), out=tmp_path / "out")


def test_an_earlier_blend_is_replaced_only_when_asked(place, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(place / "labels", out)
    words = ["blend", str(place / "labels"), str(place / "full"), "--out", str(out)]
    before = (out / "model.safetensors").read_bytes()
    assert main(words) == 2
    assert (out / "model.safetensors").read_bytes() == before
    assert main([*words, "--overwrite"]) == 0
    assert (out / "model.safetensors").read_bytes() != before
