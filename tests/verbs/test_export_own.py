"""Runs that generate or classify, handed to transformers, CTranslate2 and ONNX Runtime (the oracles)."""

import json
from pathlib import Path

import ctranslate2
import numpy as np
import onnxruntime
import pytest
import torch
import transformers

from seqwise.cli import main
from seqwise.tasks.opening import open_own
from seqwise.verbs.export import export

TEXTS = ["one two", "seven", "two two </s> five one"]
WORDS = ["--tokens.kind", "words", "--tokens.size", "40", "--model.width", "32", "--model.layers", "1",
         "--training.steps", "12", "--training.precision", "fp32", "--evaluation.every", "12"]  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Lines of digits, and the same with a label: whether a line begins with an early one."""
    folder = tmp_path_factory.mktemp("own")
    drawn = np.random.default_rng(1)
    digits = ("one", "two", "three", "four", "five", "six", "seven")
    rows = [[digits[i] for i in drawn.integers(0, 7, drawn.integers(2, 8))] for _ in range(300)]
    (folder / "lines.txt").write_text("".join(" ".join(row) + "\n" for row in rows))
    labelled = (f"{' '.join(row)}\t{'early' if row[0] in digits[:3] else 'late'}\n" for row in rows)
    (folder / "texts.tsv").write_text("text\tlabel\n" + "".join(labelled))
    return folder


def run_of(place, name, *words):
    """A run of a second."""
    data = "lines.txt" if "generate" in words else "texts.tsv"
    words = ("train", "--train", str(place / data), "--out", str(place / name), *WORDS, *words)
    assert main(list(words)) == 0
    return place / name


def read(opened, texts):
    """The ids of each text, padded, and how many there are."""
    rows = [framed.ids for framed in opened.words.source.framed(texts)]
    ids = torch.zeros(len(rows), max(map(len, rows)), dtype=torch.int64)
    for row, found in zip(ids, rows, strict=True):
        row[: len(found)] = torch.tensor(found)
    return ids, torch.tensor([len(row) for row in rows])


@pytest.mark.parametrize("unit", ["line", "file"])
def test_what_generates_becomes_a_gpt2_and_writes_the_same(place, unit):
    run = run_of(place, unit, "--task", "generate", "--generate.unit", unit, "--generate.context", "24")
    done = export(run, to="hf", out=place / f"{unit}-hf")
    assert done.family == "gpt2"
    opened = open_own(run, "cpu", "fp32").opened
    tokenizer = transformers.AutoTokenizer.from_pretrained(place / f"{unit}-hf")
    model = transformers.AutoModelForCausalLM.from_pretrained(place / f"{unit}-hf").eval()
    assert model.config.n_positions == 24
    assert model.generation_config.max_new_tokens == 23
    for text in TEXTS:
        ids, _ = read(opened, [text])
        assert tokenizer(text)["input_ids"] == ids[0].tolist()
        with torch.no_grad():
            torch.testing.assert_close(model(ids).logits, opened.model(ids), atol=1e-4, rtol=0)
    engine = place / f"{unit}-engine"
    export(run, to="ctranslate2", out=engine)
    generator = ctranslate2.Generator(str(engine), compute_type="float32", intra_threads=1)
    ids, _ = read(opened, ["one two three"])
    written = model.generate(ids, do_sample=False, max_new_tokens=8)[0, ids.shape[1] :].tolist()
    prompt = [tokenizer.convert_ids_to_tokens(ids[0].tolist())]
    (found,) = generator.generate_batch(prompt, beam_size=1, max_length=8, include_prompt_in_result=False)
    end = opened.words.source.eos
    assert found.sequences_ids[0] == (written[: written.index(end)] if end in written else written)


@pytest.mark.parametrize(("kind", "family"), [("sinusoidal", "gpt2"), ("rotary", "mistral")])
def test_as_many_positions_are_told_as_it_was_trained_on(place, kind, family):
    like = ["--model.norm.kind", "rms", "--model.feed-forward.gated", "--model.feed-forward.activation", "silu",
            "--model.feed-forward.bias", "false", "--model.attention.bias", "false"]  # fmt: skip
    run = run_of(place, f"long-{kind}", "--task", "generate", "--generate.context", "1500",
                 "--model.positions.kind", kind, *(like if family == "mistral" else []))  # fmt: skip
    assert export(run, to="hf", out=place / f"{kind}-hf").family == family
    config = transformers.AutoConfig.from_pretrained(place / f"{kind}-hf")
    assert config.max_position_embeddings == 1500
    assert json.loads((place / f"{kind}-hf" / "tokenizer_config.json").read_text())["model_max_length"] == 1500


def test_what_classifies_becomes_a_graph_and_a_bert_where_it_is_one(place, capsys):
    like_bert = ["--model.norm.place", "post", "--model.norm.embeddings", "--classify.pool", "first"]
    run = run_of(place, "labels", "--task", "classify", *like_bert, "--classify.dense")
    opened = open_own(run, "cpu", "fp32").opened
    ids, lengths = read(opened, TEXTS)
    with torch.no_grad():
        expected = opened.model(ids, lengths)
    for to in ("hf", "onnx"):
        export(run, to=to, out=place / to)
        told = json.loads((place / to / "config.json").read_text())
        assert told["id2label"] == {"0": "early", "1": "late"}
    tokenizer = transformers.AutoTokenizer.from_pretrained(place / "hf")
    given = tokenizer(TEXTS, return_tensors="pt", padding=True)
    assert torch.equal(given["input_ids"], ids)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(place / "hf").eval()
    assert model.config.model_type == "bert"
    with torch.no_grad():
        torch.testing.assert_close(model(**given).logits, expected, atol=1e-4, rtol=0)
    session = onnxruntime.InferenceSession(str(place / "onnx" / "model.onnx"))
    (found,) = session.run(None, {name: given[name].numpy() for name in ("input_ids", "attention_mask")})
    torch.testing.assert_close(torch.from_numpy(found), expected, atol=1e-4, rtol=0)


def test_what_no_family_has_is_told_with_what_to_train_with(place, capsys):
    run = run_of(place, "usual", "--task", "classify")
    capsys.readouterr()
    assert main(["export", str(run), "--to", "hf", "--out", str(place / "none")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "bert cannot have norm.place 'pre'" in line
    assert "--classify.dense, or --to onnx" in line
    assert not Path(place / "none").exists()
    rotary = run_of(place, "rotary", "--task", "generate", "--model.positions.kind", "rotary")
    capsys.readouterr()
    assert main(["export", str(rotary), "--to", "hf", "--out", str(place / "none")]) == 2
    assert "as gpt2 has it, or --to ctranslate2" in capsys.readouterr().err
    recurrent = run_of(place, "lstm", "--task", "classify", "--model.kind", "lstm")
    capsys.readouterr()
    assert main(["export", str(recurrent), "--to", "onnx", "--out", str(place / "none")]) == 2
    assert "which is an LSTM" in capsys.readouterr().err


@pytest.mark.parametrize("method", ["full", "lora"])
def test_what_was_tuned_is_handed_on_at_once(place, method):
    """As its merged run is, in one step in place of two."""
    like_bert = ["--model.norm.place", "post", "--model.norm.embeddings", "--classify.pool", "first"]
    base = place / "base"
    if not base.exists():
        run_of(place, "base", "--task", "classify", *like_bert, "--classify.dense")
    run, out = place / f"tuned-{method}", place / f"tuned-{method}-out"
    data = ["--task", "classify", "--train", str(place / "texts.tsv"), "--training.steps", "2"]
    assert main(["tune", str(base), *data, "--method", method, "--precision", "fp32", "--out", str(run)]) == 0
    assert export(run, to="hf", out=out).family == "bert"
    export(run, to="merged", out=place / f"merged-{method}")
    opened = open_own(place / f"merged-{method}", "cpu", "fp32").opened
    ids, lengths = read(opened, TEXTS)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(out).eval()
    given = transformers.AutoTokenizer.from_pretrained(out)(TEXTS, return_tensors="pt", padding=True)
    with torch.no_grad():
        torch.testing.assert_close(model(**given).logits, opened.model(ids, lengths), atol=1e-4, rtol=0)
    assert model.config.id2label == {0: "early", 1: "late"}


def test_what_a_tuned_decoder_is_asked_is_told(place):
    """A run that generates, tuned to translate in a prompt, for transformers and CTranslate2."""
    run_of(place, "writes", "--task", "generate", "--generate.context", "64")
    (place / "pairs.tsv").write_text("source\ttarget\n" + "one two\tthree four\nfive\tsix\nseven\tone\n" * 4)
    run = place / "asked"
    data = ["--train", str(place / "pairs.tsv"), "--method", "full", "--training.steps", "1", "--out", str(run)]
    assert main(["tune", str(place / "writes"), "--task", "translate", *data]) == 0
    done = export(run, to="hf", out=place / "asked-hf")
    assert done.family == "gpt2"
    assert done.notes[0].endswith(repr("{text}\nTranslation:\n"))
    assert (place / "asked-hf" / "model.safetensors").is_file()
