"""evaluate on tuned runs: flags that would do nothing are refused, and nothing is sampled."""

import csv
import json

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


USED = [
    ("classify", {"details": True, "text": "text", "label": "label"}),
    ("translate", {"rouge": True, "beams": 2, "length_penalty": 0.5, "source": "source", "target": "target"}),
    ("translate", {"tokenize": "none", "lowercase": True}),
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
