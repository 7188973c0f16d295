"""Each task from scratch, from files to a run folder and back to answers."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from seqwise.checkpoints.run import RunFolder
from seqwise.decoding import Repetition
from seqwise.errors import CheckpointError, ConfigError, DataError
from seqwise.tasks.running import read_labels
from seqwise.tasks.stored import read_settings
from seqwise.training.journal import read
from seqwise.verbs.evaluate import evaluate
from seqwise.verbs.export import export
from seqwise.verbs.inspect import inspect
from seqwise.verbs.predict import predict
from seqwise.verbs.train import train


def changed(settings, **sections):
    parts = {
        name: replace(getattr(settings, name), **value) if isinstance(value, dict) else value
        for name, value in sections.items()
    }
    return replace(settings, **parts)


def bits(path):
    folder = RunFolder.open(path)
    state = folder.load_state()
    tensors = {**state.tensors, **{f"model.{name}": w for name, w in folder.load_model().items()}}
    return {name: tensor.numpy().tobytes() for name, tensor in tensors.items()}, state.facts


def looks(path):
    return [event for event in read(Path(path) / "journal.jsonl") if type(event).__name__ == "Evaluated"]


SCORES = {
    "classify": {"accuracy", "macro_f1"},
    "summarize": {"rouge1", "rouge2", "rougeL"},
    "generate": {"perplexity"},
}
SHAPES = {"classify": "encoder", "summarize": "encoder-decoder", "generate": "decoder"}


def test_a_run_in_two_parts_equals_one_run_to_the_bit(every_run):
    """And on the way: what every look tells, and that the settings in the folder fit the task."""
    whole = changed(every_run, out=every_run.out + "-whole")
    train(whole)
    train(changed(every_run, training={"steps": 6}))
    train(changed(every_run, resume=True))
    assert bits(every_run.out) == bits(whole.out)
    stored = read_settings(RunFolder.open(whole.out))
    assert stored.task == every_run.task
    assert stored.model.kind == "lstm" or stored.model.shape == SHAPES[stored.task]
    for look in looks(whole.out):
        assert look.scores.keys() == {"loss", "train_loss", "gap", *SCORES[stored.task]}
        assert look.scores["gap"] == pytest.approx(look.scores["loss"] - look.scores["train_loss"])
        assert len(look.samples) == 3
    first, *_, last = looks(whole.out)
    assert last.scores["loss"] < first.scores["loss"]


@pytest.fixture(scope="module", params=["transformer", "lstm"])
def labelling(request, tmp_path_factory, settings_of):
    """A run that has learnt which words are praise."""
    folder = tmp_path_factory.mktemp("labelling")
    settings = changed(settings_of("classify", folder, request.param), training={"steps": 60})
    train(changed(settings, evaluation={"every": 30}))
    return settings


def test_labels_are_learnt_and_named(labelling):
    assert read_labels(RunFolder.open(labelling.out)) == ("0", "1")
    found = json.loads(predict(labelling.out, "the film was lovely", json=True))
    assert found["labels"][0]["name"] == "1"
    assert sum(one["probability"] for one in found["labels"]) == pytest.approx(1, abs=1e-5)
    assert predict(labelling.out, "the film was awful").startswith("0\t")
    assert predict(labelling.out, "") == ""


def test_what_evaluate_tells_is_what_the_last_look_told(labelling):
    found = {
        score.name: score.value for score in evaluate(labelling.out, test=labelling.valid, precision="fp32").scores
    }
    best = max((look.scores for look in looks(labelling.out)), key=lambda scores: (scores["accuracy"], -scores["loss"]))
    assert found["accuracy"] == pytest.approx(best["accuracy"])
    assert found["macro-F1"] == pytest.approx(best["macro_f1"])
    assert best["accuracy"] > 95


def test_labels_that_the_run_does_not_know_are_refused_with_their_place(labelling, tmp_path):
    file = tmp_path / "test.tsv"
    file.write_text("it was fine\t1\nit was dull\t7\n")
    with pytest.raises(DataError, match=r"test\.tsv:2.*'7'"):
        evaluate(labelling.out, test=(str(file),))


def test_runs_that_classify_neither_vote_nor_translate(labelling):
    with pytest.raises(ConfigError, match="--ensemble"):
        predict(labelling.out, "fine", ensemble=(Path(labelling.out),))
    with pytest.raises(ConfigError, match="--revision for the run"):
        predict(labelling.out, "fine", revision="1234")


@pytest.mark.parametrize(
    "flags", [{"revision": "1234"}, {"tokenize": "char"}, {"source": "a"}, {"source_language": "en"}, {"beams": 2}]
)
def test_evaluate_refuses_what_means_nothing_to_a_run_that_classifies(labelling, flags):
    named = "--" + next(iter(flags)).replace("_", "-")
    with pytest.raises(ConfigError, match=f"{named} for the run .*, which learnt to classify"):
        evaluate(labelling.out, test=labelling.valid, **flags)


def test_evaluate_writes_items_in_the_order_of_the_file(labelling, tmp_path):
    evaluate(labelling.out, test=labelling.valid, scores=tmp_path / "scores.tsv")
    numbers = [int(line.split("\t")[0]) for line in (tmp_path / "scores.tsv").read_text().splitlines()[1:]]
    assert numbers == sorted(numbers)
    assert len(numbers) > 10


def test_what_a_run_that_classifies_can_show_of_itself(labelling, tmp_path):
    if labelling.model.kind == "lstm":
        with pytest.raises(ConfigError, match="LSTM"):
            inspect(labelling.out, "it was fine")
    else:
        shown = inspect(labelling.out, "it was fine")
        assert [row.token for row in shown.attended.rows] == ["<s>", "▁it", "▁was", "▁fine", "</s>"]
    unlike = "LSTM" if labelling.model.kind == "lstm" else "bert cannot have norm.place"
    with pytest.raises(CheckpointError, match=unlike):
        export(Path(labelling.out), to="hf", out=tmp_path / "hf")


def test_damaged_labels_are_told(labelling):
    file = Path(labelling.out) / "labels.json"
    before = file.read_text()
    file.write_text('{"labels": ["1"]}')
    with pytest.raises(CheckpointError, match=r"labels\.json"):
        predict(labelling.out, "fine")
    file.write_text(before)


@pytest.mark.parametrize("kind", ["line", "stream"])
def test_a_language_model_goes_on_and_is_judged_as_it_was_trained(tmp_path, kind, settings_of):
    settings = changed(settings_of("generate", tmp_path, kind), training={"steps": 90}, evaluation={"every": 90})
    settings = changed(settings, optimizer={"schedule": "cosine"})
    train(settings)
    assert predict(settings.out, "klm", temperature=0.0, max_length=1) == "n"
    assert len(predict(settings.out, "klm", max_length=40)) <= 40
    found = evaluate(settings.out, test=settings.valid, precision="fp32")
    (score, bits_a_byte) = found.scores
    assert (score.name, bits_a_byte.name) == ("perplexity", "bits/byte")
    if kind == "stream":  # the very windows of the look
        assert score.value == pytest.approx(looks(settings.out)[-1].scores["perplexity"], rel=1e-5)
        assert "windows of 12 tokens" in " ".join(found.notes)
    for flags in ({"revision": "1234"}, {"format": "csv"}, {"text": "a"}, {"details": True}, {"cut": True}):
        with pytest.raises(ConfigError, match="which learnt to generate"):
            evaluate(settings.out, test=settings.valid, **flags)
    with pytest.raises(ConfigError, match=r"--encoding foo: needs an encoding that Python knows"):
        evaluate(settings.out, test=settings.valid, encoding="foo")


def test_a_model_that_summarizes_is_told_the_lead_and_scored_by_rouge(tmp_path, settings_of):
    settings = settings_of("summarize", tmp_path)
    train(settings)
    events = read(Path(settings.out) / "journal.jsonl")
    (noted,) = [event for event in events if type(event).__name__ == "Noted"]
    assert "first sentence" in noted.name
    assert noted.values["rouge1"] > 10
    assert [score.name for score in evaluate(settings.out, test=settings.valid).scores] == [
        "ROUGE-1",
        "ROUGE-2",
        "ROUGE-L",
    ]


def test_a_warm_up_that_outlasts_the_run_is_told(settings_of, tmp_path, capfd):
    settings = settings_of("generate", tmp_path)
    train(changed(settings, training={"steps": 2}, optimizer={"warmup": 8}))
    told = capfd.readouterr().err
    assert "the warm-up takes 8 steps and the run 2, so the rate gets no further than" in told
    assert "try --optimizer.warmup 1" in told


def test_samples_of_a_run_that_generates_keep_its_repetition_penalty(settings_of, tmp_path):
    """A penalty of 10 on greedy search changes what a model writes that has hardly learnt a thing."""
    samples = {}
    for penalty in (1.0, 10.0):
        settings = settings_of("generate", tmp_path)
        parts = {"temperature": 0.0, "beams": 1, "repetition": Repetition(penalty)}
        out = str(tmp_path / f"p{penalty}")
        train(changed(settings, out=out, training={"steps": 2}, generation=parts))
        samples[penalty] = [one.output for one in looks(out)[0].samples]
    assert samples[1.0] != samples[10.0]
