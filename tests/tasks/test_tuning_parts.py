"""Parts of a tuning run's data that must not touch, where each example stands, and the time that its end needs."""

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest
import tunable
from folders import TEMPLATE, llama

from seqwise.checkpoints.run import RunFolder
from seqwise.decoding import Generation
from seqwise.errors import DataError
from seqwise.tasks.tuning import ending, running, starting
from seqwise.tasks.tuning.answers import Answers
from seqwise.tasks.tuning.bases import open_base
from seqwise.tasks.tuning.items import Items, read_all
from seqwise.tasks.tuning.jobs import Labelling, job_for
from seqwise.training import distributed
from seqwise.verbs.tune import tune

FORGETFUL = TEMPLATE.replace("{{ m['content'] }}", "{{ m['content'] if m['role'] == 'user' or loop.last else 'hm' }}")
"""Writes earlier answers otherwise, so that each answer becomes an example of its own."""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("parts")
    for name in ("bert", "plain", "chat"):
        (folder / name).mkdir()
    tunable.bert(folder / "bert")
    llama(folder / "plain", template=False)
    llama(folder / "chat")
    told = json.loads((folder / "chat" / "tokenizer_config.json").read_text())
    (folder / "chat" / "tokenizer_config.json").write_text(json.dumps(told | {"chat_template": FORGETFUL}))
    tunable.labelled(folder / "train.tsv", 60, 1)
    return folder


def table(path, rows):
    path.write_text("text\tlabel\n" + "".join(f"{text}\t{label}\n" for text, label in rows))
    return (str(path),)


GOOD, BAD = [[(f"{word} number {i}", word) for i in range(6)] for word in ("good", "bad")]


def files(folder, valid, test):
    rows = {"train": [*GOOD, *BAD], "valid": valid, "test": test}
    named = {part: table(folder / f"{part}.tsv", some) for part, some in rows.items()}
    return tunable.settings("none", folder, task="classify", **named)


def test_what_is_tested_on_is_neither_learnt_nor_validated_with(tmp_path):
    valid = [GOOD[0], ("Good  Number 1", "good"), ("quite new", "good"), ("old", "bad"), ("old", "bad")]
    read = read_all(files(tmp_path, valid, [*GOOD[:2], BAD[0]]))
    assert read.test.texts == ("good number 0", "good number 1", "bad number 0")
    assert read.valid.texts == ("quite new", "old", "old")  # nothing else is filtered there
    assert set(read.train.texts) == {text for text, _ in [*GOOD[2:], *BAD[1:]]}
    assert "valid: examples left out: 2 that stand in the test files as well" in read.notes
    assert "train: examples left out: 3 also judged on" in read.notes


def test_validation_and_test_files_may_not_be_the_same(tmp_path):
    with pytest.raises(DataError, match=r"valid.tsv:2: all 2 validation examples.* leaving out --valid"):
        read_all(files(tmp_path, GOOD[:2], GOOD[:3]))


@pytest.mark.parametrize(("model", "replayed"), [("plain", True), ("plain", False), ("chat", True)])
def test_each_example_is_named_by_the_line_that_it_comes_from(place, tmp_path, model, replayed):
    """Documents cut into windows, and conversations of which each answer is an example: what is read stands there."""
    numbers = ("one", "two", "three", "four", "five", "six", "seven")
    lines = []
    for i, word in enumerate(numbers):
        said = " ".join([word] * (4 + 9 * (i % 3)))
        talk = [{"role": ("user", "assistant")[k % 2], "content": word} for k in range(2 + 2 * (i % 3))]
        lines.append(said if model == "plain" else json.dumps({"messages": talk}))
    ending_ = "txt" if model == "plain" else "jsonl"
    for name, some in (("train", lines), ("general", lines[::-1])):
        (tmp_path / f"{name}.{ending_}").write_text("".join(f"{line}\n" for line in some))
    (tmp_path / f"valid.{ending_}").write_text("machine\n" if model == "plain" else lines[0].replace("one", "cat"))
    guard = {"replay": (str(tmp_path / f"general.{ending_}"),)} if replayed else {}
    parts = {part: (str(tmp_path / f"{part}.{ending_}"),) for part in ("train", "valid")}
    sections = {"task": "generate", "method": "full", "guard": guard, "examples": {"longest": 24}, **parts}
    settings = tunable.settings(place / model, tmp_path, **sections)
    start = starting.gather(settings, None, lambda _: None)
    parts = (start.base, start.job, start.material, RunFolder(tmp_path / "run"), distributed.Group())
    named = running.begin(settings, *parts, lambda: False, None).setting.named
    several = [start.material.train, *([start.material.replay] if replayed else [])]
    assert len(start.material.train) > len(lines)
    seen = set()
    for offset, examples in zip((0, len(start.material.train)), several, strict=False):
        for row in range(len(examples)):
            ids = examples.inputs.flat[examples.inputs.starts[row] : examples.inputs.starts[row + 1]]
            text = start.job.opened.words.target.decode([ids.tolist()])[0]
            where, _, number = named(offset + row).rpartition(":")
            word = next(word for word in numbers if word in Path(where).read_text().splitlines()[int(number) - 1])
            assert word in text
            seen.add((where, word))
    assert len(seen) == len(several) * len(numbers)
    assert named(10_000) == "example 10001"


def test_the_answers_at_the_end_are_within_the_time_limit(place, tmp_path, monkeypatch, capsys):
    """By a clock that answers to the test examples push on by 100 s, before training and after it, and looks by 10."""
    answer, clock, late = Labelling.answers, time.monotonic, [0.0]

    def answers(self, items):
        taken = 100.0 if len(items) == 7 else 10.0
        late[0] += taken
        return replace(answer(self, items), seconds=taken)

    monkeypatch.setattr(Labelling, "answers", answers)
    monkeypatch.setattr(time, "monotonic", lambda: clock() + late[0])
    test = table(tmp_path / "test.tsv", [(f"man {'love' * (i % 2)}", ("bad", "good")[i % 2]) for i in range(7)])
    training = {"epochs": None, "steps": 1000, "time_limit": 460.0}
    sections = {"train": (str(place / "train.tsv"),), "test": test, "training": training, "method": "full"}
    run = tune(
        tunable.settings(place / "bert", tmp_path, task="classify", evaluation={"every": 1, "first": True}, **sections)
    )
    assert run.finished.reason == "time limit"
    assert run.finished.step > 5
    assert 300 < run.seconds <= 460
    assert run.outcome.items == 7
    assert "time limit: some 125 s of it go to the test examples at the end" in capsys.readouterr().err


def items(texts, wanted):
    return Items(tuple(texts), tuple(wanted), tuple(map(str, range(len(texts)))))


@pytest.mark.parametrize(("written", "times"), [("one two three", 1.0), ("one", 13 / 3), ("", 4.0)])
def test_what_the_tuned_model_will_write_is_foreseen_by_the_references(tmp_path, written, times):
    settings = tunable.settings("none", tmp_path, task="translate", train=("x",))
    base = Answers((written,) * 3, {}, seconds=100.0)
    found = ending.foreseen(settings, items("abc", ["one two three"] * 3), {"base": base, "copy": base})
    assert found == pytest.approx(1.25 * 100.0 * min(4.0, times), abs=5.0)


@pytest.mark.parametrize("given", [None, Generation(beams=2, temperature=0.9)])
def test_answers_are_never_sampled(place, tmp_path, given):
    folder = tmp_path / "plain"
    folder.mkdir()
    for path in (place / "plain").iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "generation_config.json").write_text(json.dumps({"do_sample": True, "temperature": 1.5}))
    settings = tunable.settings(folder, tmp_path, task="summarize", train=("x",), method="full", generation=given)
    job = job_for(open_base(settings), settings, ())
    assert job.made.temperature == 0
    assert job.made.beams == (1 if given is None else 2)
