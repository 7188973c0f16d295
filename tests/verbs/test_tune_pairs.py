"""Labels of pairs of texts, from a table through tuning to predictions, scores and other people's formats."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
import tunable
from folders import byte_tokenizer, save
from tokenizers import Tokenizer, processors

from seqwise.checkpoints.run import RunFolder
from seqwise.cli import main
from seqwise.errors import ConfigError, DataError
from seqwise.tasks.judging import label_logits
from seqwise.tasks.pretrained import open_pretrained
from seqwise.tasks.reading import Classifier
from seqwise.tasks.tuning.stored import open_tuned
from seqwise.tasks.weighing.systems import items_of, open_system
from seqwise.verbs.evaluate import evaluate
from seqwise.verbs.export import export
from seqwise.verbs.predict import predict
from seqwise.verbs.tune import tune

SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}
ASKED = [("one two", "the cat sat"), ("you are", "how"), ("capital of the machine", "Paris Paris mat"), ("a", "a")]


def framed(kind):
    """The tokenizer of RoBERTa and of ModernBERT, by what they put around a pair."""
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    made = byte_tokenizer(special)
    pair = "<s> $A </s> </s> $B </s>" if kind == "roberta" else "<s> $A </s> $B:1 </s>:1"
    made.post_processor = processors.TemplateProcessing("<s> $A </s>", pair, [("<s>", 0), ("</s>", 2)])
    told = {"cls_token": "<s>", "bos_token": "<s>", "eos_token": "</s>", "sep_token": "</s>", "pad_token": "<pad>"}
    return made, told | {
        "unk_token": "<unk>",
        "mask_token": "<mask>",
        "model_input_names": ["input_ids", "attention_mask"],
    }


def bert(folder):
    """Tells its two texts apart."""
    tunable.bert(folder)
    place = folder / "tokenizer_config.json"
    told = json.loads(place.read_text())
    place.write_text(json.dumps(told | {"model_input_names": ["input_ids", "token_type_ids", "attention_mask"]}))


def distilbert(folder):
    """Has no segments."""
    tunable.bert(folder)
    size = json.loads((folder / "config.json").read_text())["vocab_size"]
    config = transformers.DistilBertConfig(
        vocab_size=size, dim=32, n_layers=2, n_heads=4, hidden_dim=48, max_position_embeddings=24, dropout=0.0,
        attention_dropout=0.0, seq_classif_dropout=0.0,
    )  # fmt: skip
    told = json.loads((folder / "tokenizer_config.json").read_text())
    names = {"model_input_names": ["input_ids", "attention_mask"]}
    save(folder, "DistilBertForMaskedLM", config, Tokenizer.from_file(str(folder / "tokenizer.json")), told | names)


def roberta(folder):
    """Parts its texts by two marks."""
    tokenizer, told = framed("roberta")
    none = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    config = transformers.RobertaConfig(
        vocab_size=tokenizer.get_vocab_size(), max_position_embeddings=66, type_vocab_size=1, pad_token_id=1,
        bos_token_id=0, eos_token_id=2, **SMALL, **none,
    )  # fmt: skip
    save(folder, "RobertaForMaskedLM", config, tokenizer, told)


def modernbert(folder):
    """Its file names segments that the model has no table for."""
    tokenizer, told = framed("modernbert")
    config = transformers.ModernBertConfig(
        vocab_size=tokenizer.get_vocab_size(), max_position_embeddings=64, pad_token_id=1, bos_token_id=0,
        eos_token_id=2, cls_token_id=0, sep_token_id=2, local_attention=8, **SMALL,
    )  # fmt: skip
    save(folder, "ModernBertForMaskedLM", config, tokenizer, told)


def theirs(folder, asked, **cut):
    """transformers' logits of each pair, by its own tokenizer."""
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    with torch.no_grad():
        rows = [tokenizer(*pair, return_tensors="pt", **cut) for pair in asked]
        return torch.cat([model(**row).logits for row in rows]).numpy(), rows


def ours(opened, asked, cut=False):
    """Our logits of each pair, all together."""
    return label_logits(Classifier(opened, cut), asked)


@pytest.mark.parametrize(
    ("family", "method"),
    [(bert, "full"), (bert, "lora"), (bert, "qlora"), (distilbert, "full"), (roberta, "lora"), (modernbert, "full")],
)
def test_tuned_on_pairs_of_a_table_logits_are_those_of_transformers(family, method, tmp_path):
    """Oracle: transformers' tokenizer and model, on what was exported."""
    (tmp_path / "base").mkdir()
    family(tmp_path / "base")
    train, test = tunable.nli(tmp_path / "train.tsv", 48, 1), tunable.nli(tmp_path / "test.tsv", 16, 2)
    tune(tunable.settings(tmp_path / "base", tmp_path, method=method, task="classify", train=(train,), test=(test,)))
    run, out = tmp_path / "run", tmp_path / "out"
    assert RunFolder.open(run).read_json("base.json")["single"] is False
    export(run, to="hf" if method == "full" else "merged", out=out, precision="fp32")
    expected, rows = theirs(out, ASKED)
    opened = open_tuned(str(run), "cpu", "fp32")
    assert [row.ids for row in Classifier(opened).rows(ASKED)] == [row["input_ids"][0].tolist() for row in rows]
    assert np.abs(ours(open_pretrained(str(out), None, "cpu", "fp32"), ASKED) - expected).max() < 1e-4
    assert np.abs(ours(opened, ASKED) - expected).max() < (1e-4 if method != "qlora" else 1e-3)
    asked = [row.split("\t")[1:3] for row in Path(test).read_text().splitlines()[1:]]
    evaluate(str(run), test=(test,), scores=tmp_path / "scores.tsv", precision="fp32", resamples=2)
    scored = [float(row.split("\t")[1]) for row in (tmp_path / "scores.tsv").read_text().splitlines()[1:]]
    logits, _ = theirs(out, asked)
    chances = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    labels = [opened.checkpoint.labels.index(row.split("\t")[3]) for row in Path(test).read_text().splitlines()[1:]]
    assert scored == pytest.approx(chances[np.arange(len(labels)), labels].tolist(), abs=2e-3)


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """A BERT tuned on pairs of a table, in batches that are padded."""
    folder = tmp_path_factory.mktemp("tuned")
    (folder / "bert").mkdir()
    bert(folder / "bert")
    train, test = tunable.nli(folder / "train.tsv", 48, 1), tunable.nli(folder / "test.tsv", 16, 2)
    parts = {"train": (train,), "test": (test,), "examples": {"packed": False}, "optimizer": {"rate": 1e-2}}
    tune(tunable.settings(folder / "bert", folder, method="full", task="classify", **parts))
    return folder


def chances(line):
    """By name."""
    return {one["name"]: one["probability"] for one in json.loads(line)["labels"]}


def test_a_pair_is_predicted_alike_whichever_way_it_comes(tuned, tmp_path, capsys):
    """Two arguments, a tab, two columns, and what transformers says; the label hangs on the second text."""
    run, (first, second) = str(tuned / "run"), ASKED[2]
    export(tuned / "run", to="hf", out=tmp_path / "hf", precision="fp32")
    logits, _ = theirs(tmp_path / "hf", [(first, second)])
    true = dict(zip(("bad", "good"), torch.tensor(logits[0]).softmax(-1).tolist(), strict=True))
    table = tmp_path / "in.csv"
    table.write_text(f"n,hypothesis,premise\n1,{second},{first}\n2,,\n")
    assert chances(predict(run, first, second, json=True, precision="fp32")) == pytest.approx(true, abs=1e-5)
    assert chances(predict(run, f"{first}\t{second}", json=True, precision="fp32")) == pytest.approx(true, abs=1e-5)
    asked = ["--input", str(table), "--column", "premise", "--column", "hypothesis", "--json", "--precision", "fp32"]
    assert main(["predict", run, *asked]) == 0
    told, empty = capsys.readouterr().out.splitlines()
    assert chances(told) == pytest.approx(true, abs=1e-5)
    assert chances(empty) == {}
    turned = chances(predict(run, second, first, json=True, precision="fp32"))
    assert turned != pytest.approx(true, abs=1e-4)


def test_token_types_are_learnt_in_every_path(tuned):
    """The row of the second text's type moves, and what is looked at is what is evaluated."""
    told = RunFolder.open(tuned / "run").read_json("outcome.json")
    assert [one["name"] for one in told["systems"]] == ["base", "majority", "tf-idf", "tuned"]
    before = open_pretrained(str(tuned / "bert"), None, "cpu", "fp32").model.encoder.segments.weight
    after = open_tuned(str(tuned / "run"), "cpu", "fp32").model.encoder.segments.weight
    assert (after - before).abs().max(1).values.min() > 1e-4
    found = evaluate(str(tuned / "run"), test=(str(tuned / "test.tsv"),), precision="fp32", resamples=2)
    assert found.scores[0].value == pytest.approx(told["systems"][-1]["scores"]["accuracy"])


def test_longest_cuts_the_longer_text_first(tuned, tmp_path):
    """Oracle: transformers' longest_first, in the rows that are trained on and scored."""
    from seqwise.tasks.tuning.items import read
    from seqwise.tasks.tuning.judging import job_on
    from seqwise.tasks.tuning.stored import read_tune

    folder = RunFolder.open(tuned / "run")
    settings = tunable.changed(read_tune(folder), examples={"longest": 9})
    job = job_on(open_tuned(str(folder.path), "cpu", "fp32"), folder, settings)
    (tmp_path / "long.jsonl").write_text(
        json.dumps({"premise": "the cat sat on the mat", "hypothesis": "a cat", "label": "good"}) + "\n"
    )
    items = read(settings, (str(tmp_path / "long.jsonl"),), [])
    examples = job.examples(items)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tuned / "bert")
    cut = tokenizer("the cat sat on the mat", "a cat", truncation="longest_first", max_length=9)
    assert examples.inputs.flat.tolist() == cut["input_ids"]
    assert examples.segments.flat.tolist() == cut["token_type_ids"]
    job = job_on(
        open_tuned(str(folder.path), "cpu", "fp32"), folder, tunable.changed(settings, examples={"longest": 2})
    )
    with pytest.raises(ConfigError, match="a pair of texts cut to 2 tokens: needs more than its special tokens"):
        job.examples(items)


def test_onnx_has_the_logits_of_pairs(tuned, tmp_path):
    """Oracle: onnxruntime, with the token types that transformers' tokenizer gives."""
    runtime = pytest.importorskip("onnxruntime")
    export(tuned / "run", to="onnx", out=tmp_path / "onnx")
    export(tuned / "run", to="hf", out=tmp_path / "hf", precision="fp32")
    logits, rows = theirs(tmp_path / "hf", ASKED)
    session = runtime.InferenceSession(str(next((tmp_path / "onnx").glob("*.onnx"))))
    names = [one.name for one in session.get_inputs()]
    assert "token_type_ids" in names
    found = [session.run(None, {name: row[name].numpy() for name in names})[0] for row in rows]
    assert np.abs(np.concatenate(found) - logits).max() < 1e-4


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["one", "two", "--vectors"], "a second text for BertForSequenceClassification: needs a model that names"),
        (["--column", "a", "--column", "b", "--column", "c", "--input", "x.csv"], "--column 3 times: needs one column"),
        (["--column", "a", "--column", "b"], "--column a --column b without --input: needs a table to read"),
    ],
)
def test_what_reads_no_pairs_says_so(tuned, words, told, capsys):
    assert main(["predict", str(tuned / "run"), *words]) == 2
    assert told in capsys.readouterr().err


def test_a_run_that_learnt_single_texts_refuses_two(tmp_path):
    (tmp_path / "bert").mkdir()
    bert(tmp_path / "bert")
    train = tunable.labelled(tmp_path / "train.tsv", 16, 1)
    parts = {"train": (train,), "training": {"epochs": None, "steps": 1}}
    tune(tunable.settings(tmp_path / "bert", tmp_path, method="lora", task="classify", **parts))
    with pytest.raises(ConfigError, match="a second text for a run that was tuned on single texts"):
        predict(str(tmp_path / "run"), "one", "two")
    pairs = tunable.nli(tmp_path / "pairs.tsv", 8, 2)
    given = r"pairs.tsv:2: pairs of texts, for a model that learnt from single texts"
    with pytest.raises(DataError, match=given):
        evaluate(str(tmp_path / "run"), test=(pairs,))
    with pytest.raises(DataError, match=given):
        items_of(open_system(str(tmp_path / "run")), [pairs])  # as weigh reads them
    parts = parts | {"test": (pairs,), "out": str(tmp_path / "other")}
    with pytest.raises(DataError, match=given):
        tune(tunable.settings(tmp_path / "bert", tmp_path, method="lora", task="classify", **parts))
    lines = {"one.txt": "one\ttwo\nthree\n", "one.labels": "good\nbad\n"}
    for name, text in lines.items():
        (tmp_path / name).write_text(text)
    found = evaluate(str(tmp_path / "run"), test=tuple(str(tmp_path / name) for name in lines), resamples=2)
    assert found.scores[0].n == 2


def test_a_run_that_learnt_pairs_tells_that_texts_are_single(tuned, tmp_path):
    test = tunable.labelled(tmp_path / "single.tsv", 8, 2)
    note = "single texts, for a run that was tuned on pairs of texts"
    assert note in evaluate(str(tuned / "run"), test=(test,), resamples=2).notes
    assert note not in evaluate(str(tuned / "run"), test=(str(tuned / "test.tsv"),), resamples=2).notes
