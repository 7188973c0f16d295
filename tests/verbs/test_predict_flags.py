"""What is given and means nothing to a model, or could mean harm, is refused in one line and not passed over."""

import json

import folders
import pytest

from seqwise.cli import main
from seqwise.tasks.pretrained import not_applied, open_pretrained
from seqwise.verbs.predict import predict

PARTS = [{"type": "text", "text": "Hello"}, {"type": "image", "url": "cat.png"}]
MADE = {
    "writer": lambda folder: folders.llama(folder),
    "labels": lambda folder: folders.bert(folder, "BertForSequenceClassification", num_labels=3),
    "names": lambda folder: folders.bert(folder, "BertForTokenClassification", num_labels=3),
    "masks": folders.bert,
    "vectors": lambda folder: folders.bert(folder, "BertModel"),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Name -> folder, a model for each kind of answer."""
    found = {}
    for name, make in MADE.items():
        found[name] = tmp_path_factory.mktemp(name)
        make(found[name])
    return found


@pytest.mark.parametrize(
    ("kind", "flags", "told"),
    [
        ("labels", ["--beams", "3"], "--beams for BertForSequenceClassification: needs a model that writes"),
        ("names", ["--temperature", "0.5"], "--temperature for BertForTokenClassification"),
        ("masks", ["--no-repeat", "2"], "--no-repeat for BertForMaskedLM: needs a model that writes"),
        ("vectors", ["--max-length", "5"], "--max-length for BertModel: needs a model that writes"),
        ("writer", ["--top", "3"], "--top 3 for LlamaForCausalLM: needs a model that names labels of a text"),
        ("names", ["--top", "3"], "--top 3 for BertForTokenClassification"),
        ("writer", ["--pool", "first"], "--pool first for LlamaForCausalLM: needs vectors of an encoder"),
        ("labels", ["--no-normalize"], "--no-normalize for BertForSequenceClassification: needs vectors"),
    ],
)
def test_a_flag_of_another_kind_of_model_is_refused(made, kind, flags, told, capsys):
    assert main(["predict", str(made[kind]), "Paris [MASK]", *flags]) == 2
    said = capsys.readouterr()
    assert told in said.err
    assert said.err.count("\n") == 1
    assert said.out == ""


def test_flags_of_its_own_kind_are_obeyed(made):
    assert predict(str(made["labels"]), "Paris", top=2).count("LABEL") == 2
    assert predict(str(made["masks"]), "Paris [MASK]", top=2, draft="none", mbr="none")
    mean, first = (predict(str(made["vectors"]), "Paris", pool=pool, normalize=False) for pool in ("mean", "first"))
    assert mean != first
    assert predict(str(made["labels"]), "Paris", vectors=True, pool="first")


@pytest.mark.parametrize(
    "template",
    [
        folders.TEMPLATE,  # writes a list as Python shows it
        "{% for m in messages %}{{ m['role'] + ': ' + m['content'] }}{% endfor %}",  # fails
        "{% for m in messages %}{{ m['content'].strip() }}{% endfor %}",
    ],
)
def test_a_list_as_content_is_told_and_not_the_template(made, template, tmp_path, capsys):
    folders.llama(tmp_path)
    told = json.loads((tmp_path / "tokenizer_config.json").read_text())
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({**told, "chat_template": template}))
    line = json.dumps([{"role": "system", "content": "Be brief."}, {"role": "user", "content": PARTS}])
    capsys.readouterr()
    assert main(["predict", str(tmp_path), line, "--messages", "--max-length", "3"]) == 2
    said = capsys.readouterr().err
    assert "message 2: content that is a list of parts" in said
    assert "'content': 'the text" in said
    assert said.count("\n") == 1


def test_a_template_that_fails_whatever_is_said_is_told(tmp_path, capsys):
    folders.llama(tmp_path)
    told = json.loads((tmp_path / "tokenizer_config.json").read_text()) | {"chat_template": "{{ 1 / 0 }}"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(told))
    line = json.dumps([{"role": "user", "content": PARTS}])
    assert main(["predict", str(tmp_path), line, "--messages"]) == 2
    assert "a chat template that fails (division by zero)" in capsys.readouterr().err


@pytest.mark.parametrize(("told", "count"), [({"min_length": 9}, 1), ({"min_new_tokens": 9, "min_length": 9}, 0)])
def test_a_shortest_length_that_counts_the_prompt_is_told(tmp_path, told, count):
    folders.llama(tmp_path)
    (tmp_path / "generation_config.json").write_text(json.dumps({"eos_token_id": 2, **told}))
    notes = list(not_applied(open_pretrained(tmp_path, None, "cpu", "fp32").checkpoint))
    assert len(notes) == count
    assert all("min_length 9, which counts the prompt too" in note for note in notes)


@pytest.mark.parametrize(
    "words",
    [
        ["export", "MODEL", "--to", "hf", "--out", ""],
        ["export", "MODEL", "--to", "hf", "--out="],
        ["blend", "MODEL", "MODEL", "--alpha", "0.5", "--out", ""],
        ["predict", "MODEL", "Hello", "--output", ""],
        ["weigh", "MODEL", "MODEL", "--test", "a.tsv", "--out", ""],
        ["stats", "standardize", "a.csv", "--out", ""],
        ["train", "--train", "FILE", "--task", "generate", "--out", ""],
        ["tune", "MODEL", "--task", "generate", "--train", "FILE", "--out", ""],
    ],
)
def test_a_path_without_a_letter_is_refused(made, words, tmp_path, monkeypatch, capsys):
    """It would be the folder that one works in."""
    monkeypatch.chdir(tmp_path)
    (tmp_path.parent / "lines.txt").write_text("one\ntwo\nthree\n")
    named = {"MODEL": str(made["writer"]), "FILE": "../lines.txt"}
    assert main([named.get(word, word) for word in words]) == 2
    said = capsys.readouterr().err
    assert '--out "": needs a ' in said or '--output "": needs a path' in said
    assert said.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
