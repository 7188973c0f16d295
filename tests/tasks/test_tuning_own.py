"""tune on runs of ours that classify or generate: they go on with what they do, with the same labels or with others."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import tunable

from seqwise.checkpoints.run import RunFolder
from seqwise.errors import CheckpointError, ConfigError
from seqwise.tasks.running import read_labels
from seqwise.tasks.tuning import memory, planning
from seqwise.tasks.tuning.bases import open_base
from seqwise.tasks.tuning.items import read
from seqwise.tasks.tuning.jobs import job_for
from seqwise.tasks.tuning.stored import open_tuned, read_facts, usual_generation
from seqwise.tasks.writing import ANSWER, Manner, Writer
from seqwise.verbs.blend import blend
from seqwise.verbs.evaluate import evaluate
from seqwise.verbs.export import export
from seqwise.verbs.predict import predict
from seqwise.verbs.train import train
from seqwise.verbs.tune import tune

RUNS = [("classify", "transformer"), ("classify", "lstm"), ("generate", "line"), ("generate", "stream")]
MOST, FEW = 160, 12  # rows to learn from, and lines to look at
NAMES = {"0": "sad", "1": "glad"}


def reviews(path, source, names=None):
    """The rows of a file under a header, their labels perhaps renamed."""
    rows = [line.split("\t") for line in Path(source).read_text().splitlines()[:MOST]]
    told = [f"{text}\t{names[label] if names else label}" for text, label in rows]
    path.write_text("text\tlabel\n" + "".join(f"{row}\n" for row in told))
    return str(path)


@pytest.fixture(scope="module")
def bases(tmp_path_factory, settings_of):
    """A run of each task and kind, hardly trained, and the settings it was trained with."""
    folder = tmp_path_factory.mktemp("own")
    made = {}
    for task, kind in RUNS:
        place = folder / f"{task}-{kind}"
        place.mkdir()
        given = settings_of(task, place, kind)
        made[task, kind] = replace(given, training=replace(given.training, steps=2))
        train(made[task, kind])
    return made


def tuned(base, folder, names=None, **sections):
    """Settings of a second run on the examples of the first; names: what its labels are called now."""
    files = {}
    for part in ("train", "valid"):
        source = getattr(base, part)[0]
        if base.task == "classify":
            files[part] = (reviews(folder / f"{part}.tsv", source, names),)
        else:
            lines = Path(source).read_text().splitlines(keepends=True)[: MOST if part == "train" else FEW]
            (folder / f"{part}.txt").write_text("".join(lines))
            files[part] = (str(folder / f"{part}.txt"),)
    usual = {"task": base.task, "training": {"epochs": 3}, "examples": {"batch": 16}, "optimizer": {"rate": 1e-2}}
    return tunable.settings(base.out, folder, **{**usual, **files, "out": str(folder / "tuned"), **sections})


@pytest.mark.parametrize("method", ["full", "lora"])
@pytest.mark.parametrize("run", RUNS, ids=["-".join(run) for run in RUNS])
def test_a_run_goes_on_with_what_it_does(bases, tmp_path, run, method):
    """From tuning to evaluation, prediction, export and a blend, each saying the same."""
    base = bases[run]
    done = tune(tuned(base, tmp_path, method=method))
    before, *_, after = done.outcome.systems
    assert after.scores["loss"] < 0.9 * before.scores["loss"]
    test = (str(tmp_path / f"valid.{'tsv' if base.task == 'classify' else 'txt'}"),)
    again = evaluate(done.out, test=test, precision="fp32", resamples=5, scores=tmp_path / "each.tsv")
    name = "accuracy" if base.task == "classify" else "perplexity"
    score = next(one for one in again.scores if one.name == name)
    assert score.value == pytest.approx(after.scores[name], rel=1e-4)
    text = "the lovely film" if base.task == "classify" else "abcde"
    greedy = {} if base.task == "classify" else {"temperature": 0.0, "max_length": 9}
    told = predict(done.out, text, precision="fp32", **greedy)
    export(Path(done.out), to="merged", out=tmp_path / "plain")
    assert predict(str(tmp_path / "plain"), text, precision="fp32", **greedy) == told
    blend(base.out, done.out, alpha=(1.0,), out=tmp_path / "whole")
    assert predict(str(tmp_path / "whole"), text, precision="fp32", **greedy) == told
    blend(base.out, done.out, alpha=(0.5,), out=tmp_path / "half")
    weights = [RunFolder.open(place).load_model() for place in (base.out, tmp_path / "plain", tmp_path / "half")]
    for name, weight in weights[2].items():
        torch.testing.assert_close(weight, (weights[0][name] + weights[1][name]) / 2, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("method", ["full", "lora"])
@pytest.mark.parametrize("kind", ["transformer", "lstm"])
def test_other_labels_get_a_head_of_their_own(bases, tmp_path, kind, method):
    base = bases["classify", kind]
    done = tune(tuned(base, tmp_path, NAMES, method=method))
    assert read_facts(RunFolder.open(done.out)).labels == ("glad", "sad")
    assert done.outcome.systems[-1].scores["accuracy"] > 80
    assert predict(done.out, "the lovely film", precision="fp32").startswith("glad")
    export(Path(done.out), to="merged", out=tmp_path / "plain")
    assert read_labels(RunFolder.open(tmp_path / "plain")) == ("glad", "sad")
    assert predict(str(tmp_path / "plain"), "a poor film", precision="fp32").startswith("sad")
    blend(base.out, done.out, alpha=(0.5,), out=tmp_path / "half")
    half, whole = (RunFolder.open(tmp_path / name).load_model() for name in ("half", "plain"))
    heads = [name for name in whole if name.startswith("head.")]
    assert heads
    assert all(torch.equal(half[name], whole[name]) for name in heads)


def test_a_part_of_the_labels_keeps_the_runs_own_head(bases, tmp_path):
    """Before the first step the tuned model answers as its base does."""
    base = bases["classify", "transformer"]
    done = tune(tuned(base, tmp_path, evaluation={"metric": "loss"}))
    assert read_facts(RunFolder.open(done.out)).labels == read_labels(RunFolder.open(base.out))
    rows = [line.split("\t") for line in Path(base.valid[0]).read_text().splitlines()]
    found = [predict(base.out, text, precision="fp32").split("\t")[0] for text, _ in rows]
    right = sum(one == label for one, (_, label) in zip(found, rows, strict=True))
    assert done.outcome.systems[0].scores["accuracy"] == pytest.approx(100 * right / len(rows))


def test_a_run_that_was_tuned_goes_on_to_the_same_bits(bases, tmp_path):
    for kind in ("classify", "transformer"), ("generate", "line"):
        (folder := tmp_path / kind[0]).mkdir()
        whole = tuned(bases[kind], folder, training={"steps": 6, "epochs": None}, out=str(folder / "whole"))
        whole = tunable.changed(whole, optimizer={"schedule": "constant"}, evaluation={"every": 3})
        tune(whole)
        part = tunable.changed(whole, out=str(folder / "part"))
        tune(tunable.changed(part, training={"time_limit": 1e-3}))
        tune(tunable.changed(part, resume=True))
        one, other = (RunFolder.open(folder / name).load_model() for name in ("whole", "part"))
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_what_tuning_such_a_run_takes_is_foreseen(bases, tmp_path):
    """By shapes alone, without a weight; and the looks, where epochs have unlike numbers of batches."""
    for kind in RUNS:
        (folder := tmp_path / "-".join(kind)).mkdir()
        given = tunable.changed(tuned(bases[kind], folder), examples={"batch": 2}, training={"batch_tokens": 21})
        data = planning.measured(given, lambda _: None)
        assert data.looks == 1 + given.training.epochs
        model = memory.hollow(given, data.labels).model
        assert all(weight.is_meta for weight in model.parameters())
        assert memory.count(model, given.method).trained > 0


def test_an_adapter_finds_its_run_and_no_other(bases, tmp_path):
    base = bases["classify", "transformer"]
    done = tune(tuned(base, tmp_path, training={"epochs": 1}))
    opened = open_tuned(done.out, "cpu", "fp32")
    assert opened.checkpoint.labels == ("0", "1")
    assert json.loads((Path(done.out) / "base.json").read_text())["kind"] == "own"
    place = Path(base.out) / "model.safetensors"
    kept = place.read_bytes()
    place.write_bytes(kept[:-4] + b"\0\0\1\0")
    try:
        with pytest.raises(Exception, match="not what the run was tuned on"):
            predict(done.out, "the film")
    finally:
        place.write_bytes(kept)


BAD = {
    "another task": ({"task": "translate"}, "classify: a run goes on with what it does"),
    "labels of a language model": ({"task": "classify"}, "generate or translate or summarize: a run goes on"),
    "four bits": ({"method": "qlora"}, "full or lora"),
}


@pytest.mark.parametrize(
    ("run", "case"),
    [
        (("classify", "transformer"), "another task"),
        (("classify", "transformer"), "four bits"),
        (("generate", "line"), "labels of a language model"),
        (("generate", "line"), "four bits"),
    ],
)
def test_what_such_a_run_cannot_learn_is_refused_before_data_are_read(bases, tmp_path, run, case):
    sections, told = BAD[case]
    given = tunable.settings(bases[run].out, tmp_path, **{"task": run[0], "train": ("nowhere.tsv",), **sections})
    with pytest.raises(ConfigError, match=told):
        tune(given)
    for other in {"classify", "generate"} - {run[0]}:
        with pytest.raises(ConfigError, match=f"--task {run[0]}, or seqwise train --task {other}"):
            tune(tunable.changed(given, task=other, method="lora"))


def test_such_a_run_becomes_a_plain_run_and_nothing_else(bases, tmp_path):
    base = bases["classify", "transformer"]
    done = tune(tuned(base, tmp_path, training={"epochs": 1}))
    with pytest.raises(CheckpointError, match="a model like none of the hub"):
        export(Path(done.out), to="hf", out=tmp_path / "hf")
    with pytest.raises(ConfigError, match="--to merged"):
        export(Path(done.out), to="peft", out=tmp_path / "peft")


def test_each_item_is_told_of_a_run_that_was_tuned(bases, tmp_path):
    base = bases["generate", "line"]
    done = tune(tuned(base, tmp_path, training={"epochs": 1}))
    evaluate(done.out, test=(str(tmp_path / "valid.txt"),), precision="fp32", resamples=5, scores=tmp_path / "each.tsv")
    with (tmp_path / "each.tsv").open(newline="") as lines:
        assert len(list(csv.reader(lines, "excel-tab"))) == 1 + FEW


@pytest.mark.parametrize("method", ["full", "lora"])
@pytest.mark.parametrize("kind", ["line", "stream"])
def test_a_run_that_generates_learns_to_summarize_in_a_prompt(bases, tmp_path, kind, method):
    """What comes first in a text, between letters that say nothing; evaluated, predicted and exported alike."""
    rows = [f"{a}{b}{c}\t{a}" for a in "abc" for b in "xyz" for c in "xyz"]
    for part in ("train", "valid"):
        (tmp_path / f"{part}.tsv").write_text("".join(f"{row}\n" for row in rows[part == "valid" :: 2]))
    files = {part: (str(tmp_path / f"{part}.tsv"),) for part in ("train", "valid")}
    steps = {"epochs": 60, "precision": "fp32"}
    given = tuned(bases["generate", kind], tmp_path, method=method, task="summarize", training=steps, **files)
    done = tune(tunable.changed(given, writing={"prompt": "{text}q"}))
    base, *_, after = done.outcome.systems
    assert after.scores["rouge1"] > 90 > base.scores["rouge1"]
    again = evaluate(done.out, test=files["valid"], precision="fp32", resamples=5, beams=1)
    assert [one.value for one in again.scores] == pytest.approx(
        [after.scores[one] for one in ("rouge1", "rouge2", "rougeL")]
    )
    assert [predict(done.out, text, precision="fp32") for text in ("axz", "bzx", "cyz")] == ["a", "b", "c"]
    assert usual_generation(RunFolder.open(done.out)).temperature == 0.0


def test_what_a_text_to_be_summarized_has_too_much_is_cut_at_its_end(bases, tmp_path):
    """And so is what is asked: both read the beginning, with the prompt whole behind it."""
    (tmp_path / "train.tsv").write_text("".join(f"{one}{'y' * 30}\t{one}\n" for one in "abc" * 2))
    files = {part: (str(tmp_path / "train.tsv"),) for part in ("train", "valid")}
    given = tuned(bases["generate", "line"], tmp_path, task="summarize", data={"drop_leaks": False}, **files)
    given = tunable.changed(given, writing={"prompt": "{text}q"})
    base = open_base(given)
    job, items = job_for(base, given, ()), read(given, files["train"], [])
    most = bases["generate", "line"].generate.context
    words = base.opened.words.target
    for text, one in zip(items.texts, job.masked(items), strict=True):
        assert len(one.ids) == most
        assert words.decode([one.ids])[0] == f"{text[: most - 4]}q{text[0]}"  # the start, q, the answer and its end
    manner = Manner(cut=True, layout="{text}q", rewrites=True)
    asked = Writer(base.opened, manner).prompt("a" + "y" * 30)
    assert len(asked) == most - most // ANSWER
    assert words.decode([asked])[0] == "a" + "y" * (len(asked) - 3) + "q"  # the start, a and q
