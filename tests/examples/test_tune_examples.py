"""The settings files for fine-tuning are what a user would start from: each runs, for two steps, on a tiny model."""

import json
from pathlib import Path

import pytest
import tunable
from folders import llama
from tunable import nli

from seqwise.checkpoints.run import RunFolder
from seqwise.cli import main
from seqwise.config import resolve
from seqwise.tasks.tuning import Tune
from seqwise.tasks.tuning.stored import read_tune

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = sorted(path.name for path in EXAMPLES.glob("tune-*.yaml"))


def summaries(path, count, seed):
    """Digits in words, and the first of them as the summary; one row that is none."""
    rows = Path(tunable.pairs(path.with_suffix(".tsv"), count, seed)).read_text().splitlines()[1:]
    told = [dict(zip(("document", "summary"), row.split("\t"), strict=True)) for row in rows]
    path.write_text("".join(json.dumps(row) + "\n" for row in told) + "no JSON\n")
    return str(path)


def compared(path, count, seed):
    """Premises, hypotheses and labels, between commas."""
    rows = Path(nli(path, count, seed)).read_text().splitlines()
    path.write_text("".join(row.replace("\t", ",") + "\n" for row in rows))
    return str(path)


MODELS = {
    "tune-pairs.yaml": (tunable.bert, compared, "csv"),
    "tune-sentiment.yaml": (tunable.bert, tunable.labelled, "tsv"),
    "tune-translate.yaml": (tunable.marian, tunable.pairs, "tsv"),
    "tune-summarize.yaml": (tunable.t5, summaries, "jsonl"),
    "tune-instructions.yaml": (llama, tunable.instructions, "jsonl"),
}


def test_each_example_is_tried():
    assert sorted(MODELS) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_an_example_runs(name, tmp_path, capsys):
    model, data, ending = MODELS[name]
    (tmp_path / "base").mkdir()
    model(tmp_path / "base")
    train, test = (data(tmp_path / f"{part}.{ending}", n, n) for part, n in (("train", 60), ("test", 20)))
    given = resolve(Tune, EXAMPLES / name, ())
    words = ["tune", str(EXAMPLES / name), "--base", str(tmp_path / "base"), "--train", train]
    words += ["--test", test] if given.test else []
    words += ["--out", str(tmp_path / "run"), "--training.steps", "2"]
    words += ["--training.precision", "fp32", "--device", "cpu"]
    if given.generation is not None:
        words += ["--generation.max-length", "6"]
    assert main(words) == 0, capsys.readouterr().err
    run = RunFolder.open(tmp_path / "run")
    kept = read_tune(run)
    assert (kept.task, kept.method, kept.examples, kept.lora) == (given.task, given.method, given.examples, given.lora)
    told = run.read_json("outcome.json")
    assert told["systems"][-1]["name"] == "tuned"
    capsys.readouterr()
    assert main(["predict", str(tmp_path / "run"), "one two three", "--precision", "fp32"]) == 0
