"""Adapters on a base: in four bits where they were trained so, with a head that they bring, each by its own name."""

import json
import shutil
import warnings

import peft
import pytest
import tiny
import torch
import transformers
import tunable
from folders import llama

from seqwise.checkpoints import adapters
from seqwise.cli import main
from seqwise.errors import CheckpointError, ConfigError
from seqwise.models import lora, nf4
from seqwise.tasks.tuning import adapting
from seqwise.tasks.tuning.adapting import open_adapted
from seqwise.tasks.tuning.stored import open_tuned
from seqwise.verbs.inspect import inspect
from seqwise.verbs.predict import predict
from seqwise.verbs.tune import tune

TEXT = "you love food"


def quietly(made, *given, **further):
    """Called without what transformers and PEFT warn of each other."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return made(*given, **further)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Bases, and a run of QLoRA and one of LoRA on the same."""
    folder = tmp_path_factory.mktemp("adapters")
    for name in ("bert", "plain"):
        (folder / name).mkdir()
    tunable.bert(folder / "bert")
    llama(folder / "plain", template=False)
    tunable.labelled(folder / "train.tsv", 64, 1)
    data = {"task": "classify", "train": (str(folder / "train.tsv"),), "optimizer": {"rate": 4e-3}}
    for method in ("lora", "qlora"):
        tune(tunable.settings(folder / "bert", folder, method=method, out=str(folder / method), **data))
    return folder


def answers(opened):
    """Logits of a text."""
    ids = torch.tensor([opened.words.source.framed([TEXT])[0].ids])
    with torch.no_grad():
        return opened.model(ids, torch.tensor([ids.shape[1]]))


@pytest.mark.parametrize("adapter", ["qlora", "qlora/adapter"])
def test_qlora_lies_on_the_four_bits_that_it_was_trained_on(place, adapter, capsys, monkeypatch):
    """The same logits as the run by itself has, which are others than on the base in full; and one note."""
    opened, *_ = open_adapted(str(place / "bert"), (place / adapter,), None, "cpu", "fp32")
    alone = open_tuned(place / "qlora", "cpu", "fp32")
    assert nf4.layers(opened.model)
    assert torch.equal(answers(opened), answers(alone))
    capsys.readouterr()
    told = predict(str(place / "bert"), TEXT, adapter=(place / adapter,), precision="fp32")
    assert told == predict(str(place / "qlora"), TEXT, precision="fp32")
    (note,) = capsys.readouterr().err.splitlines()
    assert note == f"the base is in four bits (NF4), on which QLoRA trained {place / adapter}"
    monkeypatch.setattr(adapting, "_four", lambda folders: None)
    full, *_ = open_adapted(str(place / "bert"), (place / adapter,), None, "cpu", "fp32")
    assert not torch.equal(answers(full), answers(alone))


def test_qlora_computes_in_the_precision_that_is_asked_for_not_in_that_of_its_training(place, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(place / "qlora", run)
    settings = (run / "config.yaml").read_text()
    assert "precision: fp32" in settings
    (run / "config.yaml").write_text(settings.replace("precision: fp32", "precision: bf16"))
    opened = open_tuned(run, "cpu", "fp32")
    beside, *_ = open_adapted(str(place / "bert"), (run,), None, "cpu", "fp32")
    assert {weight.dtype for weight in opened.model.parameters()} == {torch.float32}
    torch.testing.assert_close(answers(opened), answers(beside), atol=1e-6, rtol=0)
    with pytest.raises(ConfigError, match="int8"):
        open_tuned(run, "cpu", "int8")


@pytest.mark.parametrize("run", ["lora", "qlora"])
def test_inspect_looks_into_a_tuned_model(place, run):
    """The weights of its own layers, which are others than the base's."""
    found, base = (inspect(str(place / name), TEXT, layer=0, head=0).attended for name in (run, "bert"))
    assert [row.token for row in found.rows] == [row.token for row in base.rows]
    assert all(sum(row.weights) == pytest.approx(1, abs=1e-5) for row in found.rows)
    assert found.rows[0].weights != pytest.approx(base.rows[0].weights, abs=1e-4)
    with pytest.raises(ConfigError, match="--part encoder for BertForSequenceClassification"):
        inspect(str(place / run), TEXT, part="encoder")


def test_adapters_of_both_kinds_share_the_full_base_and_are_told_so(place, capsys):
    folders = (place / "lora", place / "qlora")
    capsys.readouterr()
    told = predict(str(place / "bert"), TEXT, adapter=folders, precision="fp32").splitlines()
    assert told[0] == "lora\t" + predict(str(place / "lora"), TEXT, precision="fp32")
    (note,) = capsys.readouterr().err.splitlines()
    assert note.startswith("the base is not in four bits (NF4), on which QLoRA trained ")
    assert f"{folders[1]}, since it is shared with {folders[0]}: answers differ a little" in note


def test_lora_alone_is_told_nothing_of(place, capsys):
    capsys.readouterr()
    predict(str(place / "bert"), TEXT, adapter=(place / "lora",), precision="fp32")
    assert capsys.readouterr().err == ""


# ---- a head in the adapter


def classifying(place, folder, base="plain", labels=3, **settings):
    """PEFT's own adapter with a head for labels, on a base without; all its numbers are others."""
    theirs = quietly(
        transformers.AutoModelForSequenceClassification.from_pretrained, place / base, num_labels=labels
    ).eval()
    config = peft.LoraConfig(r=2, lora_alpha=4, task_type="SEQ_CLS", **settings)
    made = quietly(peft.get_peft_model, theirs, config).eval()
    torch.manual_seed(5)
    with torch.no_grad():
        for weight in made.parameters():
            if weight.requires_grad:
                weight.add_(torch.randn_like(weight) * 0.3)
    quietly(made.save_pretrained, str(folder))
    return made


@pytest.mark.parametrize(
    ("base", "settings"),
    [("plain", {}), ("bert", {"modules_to_save": ["classifier", "pooler"], "target_modules": ["query"]})],
)
def test_the_head_for_labels_comes_from_the_adapter(place, tmp_path, base, settings):
    """PEFT (the oracle) answers the same; the labels are unnamed unless somebody named them."""
    theirs = classifying(place, tmp_path / "a", base, **settings)
    opened, names, _ = open_adapted(str(place / base), (tmp_path / "a",), None, "cpu", "fp32")
    assert opened.checkpoint.labels == ("LABEL_0", "LABEL_1", "LABEL_2")
    given = tiny.reading(tiny.Pair(base, theirs, opened.model, opened.checkpoint))
    with torch.no_grad(), lora.selected(opened.model, *names):
        near = {"atol": 2e-5, "rtol": 1e-4}
        torch.testing.assert_close(tiny.our_logits(opened.model, given), tiny.their_logits(theirs, given), **near)
    assert predict(str(place / base), TEXT, adapter=(tmp_path / "a",), top=3).count("LABEL_") == 3
    config = json.loads((tmp_path / "a" / "adapter_config.json").read_text())
    named = {"id2label": {"0": "sad", "1": "glad", "2": "calm"}}
    (tmp_path / "a" / "adapter_config.json").write_text(json.dumps(config | named))
    opened, *_ = open_adapted(str(place / base), (tmp_path / "a",), None, "cpu", "fp32")
    assert opened.checkpoint.labels == ("sad", "glad", "calm")


def test_an_adapter_of_a_run_brings_the_names_of_its_labels(place):
    opened, *_ = open_adapted(str(place / "bert"), (place / "lora" / "adapter",), None, "cpu", "fp32")
    assert opened.checkpoint.labels == ("bad", "good")


def test_a_head_that_neither_base_nor_adapter_has_is_refused(place, tmp_path):
    """BERT's pooler, which transformers draws anew at each opening."""
    classifying(place, tmp_path / "a", "bert", target_modules=["query"])
    with pytest.raises(CheckpointError, match=r"a without head.change.dense.weight, which its base"):
        open_adapted(str(place / "bert"), (tmp_path / "a",), None, "cpu", "fp32")


def test_other_numbers_of_labels_do_not_share_a_base(place, tmp_path):
    for labels in (2, 3):
        classifying(place, tmp_path / f"a{labels}", labels=labels)
    with pytest.raises(ConfigError, match="different labels"):
        open_adapted(str(place / "plain"), (tmp_path / "a2", tmp_path / "a3"), None, "cpu", "fp32")


# ---- names and places


@pytest.mark.parametrize(
    ("folders", "names"),
    [
        (("x/a", "y/b"), ("a", "b")),
        (("x/a", "y/a"), ("a-1", "a-2")),
        (("x/a", "y/a", "z/a-1", "z/a.2"), ("a-3", "a-4", "a-1", "a-2")),
        (("x/training", "y/keys", "z/adapter-keys"), ("adapter-training", "adapter-keys-1", "adapter-keys-2")),
    ],
)
def test_each_adapter_has_a_name_of_its_own(tmp_path, folders, names):
    assert adapting._names([tmp_path / folder for folder in folders]) == names
    model = torch.nn.Sequential(torch.nn.Linear(2, 2))
    for name in names:
        lora.attach(model, lora.LoraSettings(rank=1), adapter=name)


def test_adapters_in_folders_of_one_name_answer_side_by_side(place, tmp_path):
    for name in ("x", "y", "z"):
        shutil.copytree(place / "lora", tmp_path / name / ("same" if name != "z" else "same-1"))
    folders = tuple(tmp_path / name for name in ("x/same", "y/same", "z/same-1"))
    told = predict(str(place / "bert"), TEXT, adapter=folders).splitlines()
    assert [line.split("\t")[0] for line in told] == ["same-2", "same-3", "same-1"]
    assert len({line.split("\t", 1)[1] for line in told}) == 1


def moved(place, folder, base):
    """An adapter that names this base, in a folder of its own."""
    shutil.copytree(place / "lora" / "adapter", folder)
    told = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps(told | {"base_model_name_or_path": base}))
    return folder


def test_a_relative_base_is_looked_up_from_here_and_else_from_the_adapter(place, tmp_path, monkeypatch, capsys):
    (tmp_path / "models").symlink_to(place)
    there = moved(place, tmp_path / "adapters" / "a", "../../models/bert")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert adapters.describe(there).base == str(there / "../../models/bert")
    capsys.readouterr()
    told = predict(str(there), TEXT, precision="fp32")
    assert [float(one) for one in told.split("\t")[1::2]] == [
        float(one) for one in predict(str(place / "lora"), TEXT, precision="fp32").split("\t")[1::2]
    ]
    assert capsys.readouterr().err == f"the base of {there}: {there}/../../models/bert\n"
    monkeypatch.chdir(there)
    assert adapters.describe(there).base == "../../models/bert"
    for name in ("owner/name", "x" * 5000, str(place / "gone")):
        assert adapters.describe(moved(place, tmp_path / name[:5].strip("/"), name)).base == name


def test_a_revision_that_an_adapter_names_means_nothing_where_its_base_is_a_folder(place, tmp_path):
    there = moved(place, tmp_path / "a", str(place / "bert"))
    told = json.loads((there / "adapter_config.json").read_text())
    (there / "adapter_config.json").write_text(json.dumps(told | {"revision": "main"}))
    assert predict(str(there), TEXT) == predict(str(moved(place, tmp_path / "b", str(place / "bert"))), TEXT)


def test_an_adapter_without_a_base_is_refused(place, tmp_path, capsys):
    there = moved(place, tmp_path / "a", None)
    assert main(["predict", str(there), TEXT]) == 2
    assert capsys.readouterr().err.startswith(f"seqwise: {there}, an adapter that names no base")


def test_a_run_writes_down_where_its_base_is(place, tmp_path, monkeypatch):
    """However it was named: the adapter is opened from elsewhere."""
    monkeypatch.chdir(place)
    data = {"task": "classify", "train": ("train.tsv",), "training": {"epochs": 1}, "out": str(tmp_path / "run")}
    tune(tunable.settings("bert", place, method="lora", **data))
    monkeypatch.chdir(tmp_path)
    assert adapters.describe(tmp_path / "run" / "adapter").base == str(place / "bert")
