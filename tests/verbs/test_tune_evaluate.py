"""evaluate on tuned runs: flags that would do nothing are refused, and nothing is sampled."""

import csv
import json
import shutil

import pytest
import tunable
from folders import llama

from seqwise.cli import main
from seqwise.decoding import Generation
from seqwise.verbs.evaluate import evaluate
from seqwise.verbs.tune import tune

SAMPLED = {"do_sample": True, "temperature": 5.0, "max_new_tokens": 8}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A run for each task, of one step; the base that translates is meant to be sampled from."""
    folder = tmp_path_factory.mktemp("evaluate")
    for name in ("bert", "t5", "llama"):
        (folder / name).mkdir()
    tunable.bert(folder / "bert")
    tunable.t5(folder / "t5")
    llama(folder / "llama", template=False)
    (folder / "t5" / "generation_config.json").write_text(json.dumps(SAMPLED))
    tunable.labelled(folder / "labels.tsv", 24, 1)
    tunable.pairs(folder / "pairs.tsv", 24, 1)
    tunable.instructions(folder / "talks.jsonl", 24, 1)
    short = {"generation": Generation(beams=1, max_length=8)}
    cases = (
        ("classify", "bert", "labels.tsv", {}),
        ("translate", "t5", "pairs.tsv", {}),
        ("summarize", "llama", "pairs.tsv", short),
        ("generate", "llama", "talks.jsonl", {}),
    )
    for task, base, data, further in cases:
        sections = {"task": task, "train": (str(folder / data),), "training": {"steps": 1}, **further}
        tune(tunable.settings(folder / base, folder, method="full", out=str(folder / task), **sections))
    return folder


DATA = {"classify": "labels.tsv", "translate": "pairs.tsv", "summarize": "pairs.tsv", "generate": "talks.jsonl"}
IDLE = [
    ("classify", ["--cut"]),
    ("classify", ["--rouge"]),
    ("classify", ["--beams", "2"]),
    ("classify", ["--max-length", "9"]),
    ("classify", ["--length-penalty", "0"]),
    ("classify", ["--lowercase"]),
    ("classify", ["--tokenize", "none"]),
    ("classify", ["--source", "text"]),
    ("classify", ["--source-language", "en"]),
    ("translate", ["--cut"]),
    ("translate", ["--label", "target"]),
    ("translate", ["--details"]),
    ("summarize", ["--lowercase"]),
    ("generate", ["--rouge"]),
    ("generate", ["--beams", "2"]),
    ("generate", ["--format", "jsonl"]),
]


@pytest.mark.parametrize(("task", "flag"), IDLE)
def test_flags_that_do_nothing_are_refused_in_a_line(place, task, flag, capsys):
    capsys.readouterr()
    assert main(["evaluate", str(place / task), "--test", str(place / DATA[task]), *flag]) == 2
    (error,) = capsys.readouterr().err.splitlines()
    assert error.startswith(f"seqwise: {flag[0]} for the tuned run {place / task}: needs ")
    assert not (place / task / "test-scores.tsv").exists()


def test_a_tuned_run_has_no_revision(place, capsys):
    for verb in (["predict"], ["evaluate", "--test", str(place / DATA["classify"])]):
        words = [verb[0], str(place / "classify"), *(["good"] if verb[0] == "predict" else verb[1:])]
        assert main([*words, "--revision", "main"]) == 2
        assert "--revision for the" in capsys.readouterr().err


USED = [
    ("classify", {"details": True, "text": "text", "label": "label"}),
    ("translate", {"rouge": True, "beams": 2, "length_penalty": 0.5, "source": "source", "target": "target"}),
    ("translate", {"tokenize": "none", "lowercase": True}),
    ("translate", {"max_length": 3}),
    ("summarize", {"rouge": True, "beams": 2}),
    ("generate", {"worst": 1}),
]


@pytest.mark.parametrize(("task", "flags"), USED)
def test_flags_that_mean_something_are_heeded(place, tmp_path, task, flags):
    test = (str(place / DATA[task]),)
    assert evaluate(str(place / task), test=test, resamples=5, scores=tmp_path / "each.tsv", **flags).scores


@pytest.mark.parametrize("model", ["translate", "t5"])
def test_nothing_is_sampled(place, tmp_path, model):
    """What a checkpoint says of sampling is for predict: the outputs are those of greedy search."""

    def outputs(name):
        scores = tmp_path / f"{name}.tsv"
        evaluate(str(place / model), test=(str(place / "pairs.tsv"),), precision="fp32", resamples=5, scores=scores)
        with scores.open(newline="") as lines:
            return [row["output"] for row in csv.DictReader(lines, dialect="excel-tab")]

    sampled = outputs("sampled")
    config = place / model / ("base" if model == "translate" else "") / "generation_config.json"
    assert json.loads(config.read_text())["do_sample"]
    config.write_text(json.dumps({"max_new_tokens": 8}))
    assert sampled == outputs("greedy")
    config.write_text(json.dumps(SAMPLED))


def test_rows_that_are_skipped_are_told_of(place, tmp_path, capsys):
    """A score of fewer rows than the file has says so."""
    rows = (place / "labels.tsv").read_text().splitlines()
    test = tmp_path / "test.tsv"
    test.write_text("\n".join([*rows[:5], "a text without its label", *rows[5:]]) + "\n")
    found = evaluate(str(place / "classify"), test=(str(test),), on_bad_row="skip", scores=tmp_path / "each.tsv")
    assert f"{test}: 1 bad row skipped" in "\n".join(found.notes)
    assert found.scores[0].n == 24


def test_what_is_cut_or_left_out_is_told_of(place, tmp_path):
    """Texts and prompts that are longer than what the model reads."""
    long = tmp_path / "labels.tsv"
    long.write_text((place / "labels.tsv").read_text() + " ".join(["one"] * 500) + "\t" + "odd\n")
    label = (place / "labels.tsv").read_text().splitlines()[1].split("\t")[1]
    long.write_text(long.read_text().replace("\todd", f"\t{label}"))
    found = evaluate(str(place / "classify"), test=(str(long),), scores=tmp_path / "each.tsv")
    assert "longer than the model reads, and cut: 1 text" in found.notes
    folder = tmp_path / "short"
    shutil.copytree(place / "classify", folder)
    config = (folder / "config.yaml").read_text()
    assert config.count("longest: null") == 1
    (folder / "config.yaml").write_text(config.replace("longest: null", "longest: 6"))
    long.write_text((place / "labels.tsv").read_text().splitlines()[0] + "\n" + f"{'one ' * 9}\t{label}\n")
    found = evaluate(str(folder), test=(str(long),), scores=tmp_path / "each.tsv")
    assert "longer than the 6 tokens of examples.longest, and cut: 1 text" in found.notes
    talk = tmp_path / "talk.jsonl"
    first = (place / "talks.jsonl").read_text().splitlines()[0]
    row = {**json.loads(first)}
    key = "instruction" if "instruction" in row else "prompt"
    talk.write_text(first + "\n" + json.dumps({**row, key: " ".join(["one"] * 900)}) + "\n")
    found = evaluate(str(place / "generate"), test=(str(talk),), scores=tmp_path / "each.tsv")
    assert "the prompts of 1 example were shortened" in found.notes


def test_a_label_written_otherwise_is_refused_with_the_right_one(place, tmp_path, capsys):
    rows = (place / "labels.tsv").read_text().splitlines()
    text, label = rows[-1].split("\t")
    (tmp_path / "test.tsv").write_text(f"{rows[0]}\n{text}\t{label}s\n")
    capsys.readouterr()
    assert main(["evaluate", str(place / "classify"), "--test", str(tmp_path / "test.tsv")]) == 2
    assert f"Try writing {label} there." in capsys.readouterr().err
