"""tune, from a base to its outcome: each task by each method on models of a few thousand weights, and what follows."""

import csv
import io
import json
import shutil
import warnings
from contextlib import redirect_stdout
from pathlib import Path

import peft
import pytest
import tiny
import torch
import transformers
import tunable
from folders import llama

from seqwise.checkpoints import adapters, hub
from seqwise.checkpoints.run import RunFolder
from seqwise.decoding import Generation
from seqwise.errors import CheckpointError
from seqwise.metrics.text import bleu
from seqwise.models import lora
from seqwise.tasks.tuning.adapting import open_adapted
from seqwise.tasks.tuning.stored import open_tuned, read_facts
from seqwise.training.events import Evaluated, Stepped
from seqwise.training.journal import read
from seqwise.verbs.evaluate import evaluate
from seqwise.verbs.export import export
from seqwise.verbs.predict import predict
from seqwise.verbs.tune import tune

SHORT = Generation(beams=1, max_length=8)
WRITES = {"generation": SHORT, "examples": {"batch": None}, "evaluation": {"sentences": 5, "metric": "loss"}}
LABELS = {"task": "classify", "training": {"epochs": 4}, "optimizer": {"rate": 4e-3}}
PAIRS = {"task": "translate", "training": {"epochs": 3, "batch_tokens": 120}, "optimizer": {"rate": 1e-2}, **WRITES}
OURS = {**PAIRS, "optimizer": {"rate": 5e-3}}
CASES = {
    "labels by bert, full": ("bert", "labels", {"method": "full", **LABELS}),
    "labels by bert, lora": ("bert", "labels", {"method": "lora", **LABELS}),
    "labels by bert, qlora": ("bert", "labels", {"method": "qlora", **LABELS}),
    "labels by llama, lora": ("llama", "labels", {"method": "lora", **LABELS, "optimizer": {"rate": 2e-2}}),
    "pairs by t5, full": ("t5", "pairs", {"method": "full", **PAIRS}),
    "pairs by t5, lora": ("t5", "pairs", {"method": "lora", **PAIRS, "optimizer": {"rate": 3e-2}}),
    "pairs by marian, full": ("marian", "pairs", {"method": "full", **PAIRS}),
    "pairs by marian, lora": ("marian", "pairs", {"method": "lora", **PAIRS, "optimizer": {"rate": 3e-2}}),
    "summaries by llama, lora": ("plain", "pairs", {"method": "lora", **PAIRS, "task": "summarize"}),
    "pairs by ours, full": ("transformer", "pairs", {"method": "full", **OURS}),
    "pairs by ours, lora": ("transformer", "pairs", {"method": "lora", **OURS}),
    "pairs by our lstm, full": ("lstm", "pairs", {"method": "full", **OURS}),
    "pairs by our lstm, lora": ("lstm", "pairs", {"method": "lora", **OURS}),
    "alpaca by llama, lora": ("llama", "alpaca", {"task": "generate", "method": "lora"}),
    "messages by llama, full": ("llama", "messages", {"task": "generate", "method": "full"}),
    "texts by llama, lora": ("plain", "texts", {"task": "generate", "method": "lora"}),
}
FULL = [name for name in CASES if name.endswith("full")]
HUB_LORA = [name for name in CASES if name.endswith("lora") and "ours" not in name and "our" not in name]


def quietly(made, *given, **further):
    """Called without what transformers and PEFT warn of each other."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return made(*given, **further)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with all models and files."""
    folder = tmp_path_factory.mktemp("tune")
    for name in ("bert", "llama", "plain", "t5", "marian"):
        (folder / name).mkdir()
    tunable.bert(folder / "bert")
    llama(folder / "llama")
    llama(folder / "plain", template=False)
    tunable.t5(folder / "t5")
    tunable.marian(folder / "marian")
    tunable.own(folder)
    tunable.own(folder, "lstm")
    for part, count, seed in (("train", 160, 1), ("test", 60, 2)):
        tunable.labelled(folder / f"labels-{part}.tsv", count, seed)
        tunable.pairs(folder / f"pairs-{part}.tsv", count // (1 if part == "train" else 2), seed)
        tunable.instructions(folder / f"alpaca-{part}.jsonl", count // 2, seed)
        lines = Path(tunable.pairs(folder / "text.tsv", count // 2, seed)).read_text().splitlines()[1:]
        (folder / f"texts-{part}.txt").write_text("".join(line.replace("\t", " ") + "\n" for line in lines))
        talks = [dict(zip(("user", "assistant"), line.split("\t"), strict=True)) for line in lines]
        rows = [{"messages": [{"role": role, "content": said} for role, said in one.items()]} for one in talks]
        (folder / f"messages-{part}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def files(place, data, part):
    return (str(next(place.glob(f"{data}-{part}.*"))),)


@pytest.fixture(scope="module")
def runs(place):
    """Tunes each case once: name -> folder of the run, and what `tune` returned."""
    done = {}

    def run(case):
        if case not in done:
            base, data, sections = CASES[case]
            out = place / case.replace(" ", "-").replace(",", "")
            parts = {"train": files(place, data, "train"), "test": files(place, data, "test"), "out": str(out)}
            done[case] = out, tune(tunable.settings(place / base, place, **parts, **sections))
        return done[case]

    return run


def looks(run):
    return [event for event in read(run / "journal.jsonl") if isinstance(event, Evaluated)]


@pytest.mark.parametrize("case", CASES)
def test_what_can_be_learnt_is_learnt_and_compared(runs, case):
    run, tuned = runs(case)
    told = json.loads((run / "outcome.json").read_text())
    assert told == json.loads(json.dumps(tuned.outcome.to_dict()))
    assert [one["name"] for one in told["systems"]][:: len(told["systems"]) - 1] == ["base", "tuned"]
    assert [one["systems"] for one in told["differences"]] == [
        [one["name"], "tuned"] for one in told["systems"] if one["name"] != "tuned"
    ]
    first, best = looks(run)[0].scores, tuned.finished.best
    assert best["loss"] < 0.9 * first["loss"]
    assert best["gap"] == pytest.approx(best["loss"] - best["train_loss"], abs=1e-9)
    if "labels" in case:
        assert told["systems"][-1]["scores"]["accuracy"] > 90
        assert told["differences"][0]["better"] == "yes"
        assert [one["name"] for one in told["systems"]] == ["base", "majority", "tf-idf", "tuned"]


@pytest.mark.parametrize("case", CASES)
def test_evaluate_says_what_the_outcome_says(runs, place, case, tmp_path):
    """Of the tuned run; and of the base, where it can do the task by itself."""
    run, tuned = runs(case)
    base, data, _ = CASES[case]
    test = files(place, data, "test")
    systems = {one.name: one.scores for one in tuned.outcome.systems}
    again = evaluate(str(run), test=test, precision="fp32", resamples=5, scores=tmp_path / "each.tsv")
    names = {"BLEU": "bleu", "chrF2": "chrf", "ROUGE-L": "rougeL", "perplexity": "perplexity", "accuracy": "accuracy"}
    compared = 0
    for score in again.scores:
        if score.name in names:
            compared += 1
            near = pytest.approx(systems["tuned"][names[score.name]], rel=1e-4, abs=1e-4)
            assert score.value == near, score.name
    assert compared
    with (tmp_path / "each.tsv").open(newline="") as lines:
        assert len(list(csv.reader(lines, "excel-tab"))) == tuned.outcome.items + 1
    if base in ("t5", "marian", "transformer", "lstm"):
        alone = evaluate(str(place / base), test=test, precision="fp32", beams=1, resamples=5, scores=tmp_path / "b")
        if base in ("transformer", "lstm"):  # checkpoints write longer outputs by themselves
            assert alone.scores[0].value == pytest.approx(systems["base"]["bleu"])
            assert alone.scores[1].value == pytest.approx(systems["base"]["chrf"])


@pytest.mark.parametrize("case", ["labels by bert, full", "labels by bert, lora", "labels by llama, lora"])
def test_predict_gives_the_labels_that_were_scored(runs, place, case, tmp_path):
    run, tuned = runs(case)
    rows = [line.split("\t") for line in Path(*files(place, "labels", "test")).read_text().splitlines()[1:]]
    (tmp_path / "in.txt").write_text("".join(f"{text}\n" for text, _ in rows))
    predict(str(run), input=tmp_path / "in.txt", output=tmp_path / "out.tsv", top=1, precision="fp32")
    found = [line.split("\t")[0] for line in (tmp_path / "out.tsv").read_text().splitlines()]
    right = sum(label == other for (_, label), other in zip(rows, found, strict=True))
    assert 100 * right / len(rows) == pytest.approx(tuned.outcome.systems[-1].scores["accuracy"])


@pytest.mark.parametrize("case", ["pairs by t5, lora", "pairs by ours, lora", "pairs by our lstm, full"])
def test_predict_writes_what_was_scored(runs, place, case, tmp_path):
    run, tuned = runs(case)
    rows = [line.split("\t") for line in Path(*files(place, "pairs", "test")).read_text().splitlines()[1:]]
    (tmp_path / "in.txt").write_text("".join(f"{text}\n" for text, _ in rows))
    predict(str(run), input=tmp_path / "in.txt", output=tmp_path / "out.txt", precision="fp32")
    found = bleu((tmp_path / "out.txt").read_text().splitlines(), [target for _, target in rows], resamples=1)
    assert found.value == pytest.approx(tuned.outcome.systems[-1].scores["bleu"])


def theirs_of(checkpoint, folder):
    """The base as transformers opens it, with a head for as many labels."""
    further = {"num_labels": len(checkpoint.labels)} if checkpoint.head.task == "labels" else {}
    return quietly(getattr(transformers, checkpoint.architecture).from_pretrained, folder, **further).eval()


@pytest.mark.parametrize("case", HUB_LORA)
def test_peft_opens_the_adapter_and_answers_the_same(runs, place, case):
    run, _ = runs(case)
    opened = open_tuned(run, "cpu", "fp32")
    base = theirs_of(opened.checkpoint, place / CASES[case][0])
    theirs = quietly(peft.PeftModel.from_pretrained, base, str(run / "adapter")).eval()
    given = tiny.reading(tiny.Pair(case, theirs, opened.model, opened.checkpoint))
    with torch.no_grad():
        ours = tiny.our_logits(opened.model, given)
        if not case.endswith("qlora"):  # whose base PEFT has here in full
            torch.testing.assert_close(tiny.their_logits(theirs, given), ours, atol=2e-5, rtol=1e-4)
        with theirs.disable_adapter():
            assert (tiny.their_logits(theirs, given) - ours).abs().max() > 1e-2


@pytest.mark.parametrize("case", [name for name in HUB_LORA + FULL if "ou" not in name])
def test_transformers_opens_the_merged_export_and_answers_the_same(runs, case, tmp_path):
    run, _ = runs(case)
    done = export(run, to="merged", out=tmp_path / "out")
    opened = open_tuned(run, "cpu", "fp32")
    theirs = quietly(getattr(transformers, opened.checkpoint.architecture).from_pretrained, tmp_path / "out").eval()
    given = tiny.reading(tiny.Pair(case, theirs, opened.model, opened.checkpoint))
    with torch.no_grad():
        near = {"atol": 3e-5, "rtol": 1e-4}
        torch.testing.assert_close(tiny.their_logits(theirs, given), tiny.our_logits(opened.model, given), **near)
    if not case.endswith("full"):
        assert "merged: " in done.notes[0]
    if "labels" in case:
        assert set(theirs.config.id2label.values()) == {"bad", "good"}


def test_an_exported_adapter_is_the_one_that_was_tuned(runs, tmp_path):
    run, _ = runs("labels by bert, lora")
    export(run, to="peft", out=tmp_path / "out")
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        assert (tmp_path / "out" / name).read_bytes() == (run / "adapter" / name).read_bytes()
    export(run, to="hf", out=tmp_path / "hf")
    text = "you love food"
    assert predict(str(tmp_path / "hf"), text, precision="fp32") == predict(str(run), text, precision="fp32")


@pytest.mark.parametrize("case", ["pairs by ours, lora", "pairs by our lstm, lora", "pairs by ours, full"])
def test_a_run_of_ours_that_was_tuned_becomes_a_plain_run(runs, case, tmp_path):
    run, _ = runs(case)
    export(run, to="merged", out=tmp_path / "plain")
    for text in ("one two", "seven three one"):
        assert predict(str(tmp_path / "plain"), text, precision="fp32") == predict(str(run), text, precision="fp32")


@pytest.mark.parametrize("case", FULL)
def test_a_model_tuned_in_full_needs_its_base_no_more(runs, place, case, tmp_path):
    """Tied tables, fixed positions and all: the base is put away meanwhile."""
    run, _ = runs(case)
    base = place / CASES[case][0]
    assert read_facts(RunFolder.open(run)).complete
    before = predict(str(run), "one two", precision="fp32", max_length=None if "labels" in case else 6)
    shutil.move(base, tmp_path / "away")
    try:
        assert predict(str(run), "one two", precision="fp32", max_length=None if "labels" in case else 6) == before
    finally:
        shutil.move(tmp_path / "away", base)


@pytest.mark.parametrize("case", ["labels by bert, lora", "labels by bert, qlora", "pairs by ours, lora"])
def test_an_adapter_refuses_a_base_that_has_changed_or_gone(runs, place, case, tmp_path):
    run, _ = runs(case)
    base = place / CASES[case][0]
    weights = base / "model.safetensors"
    kept = weights.read_bytes()
    weights.write_bytes(kept[:-4] + b"\0\0\1\0")
    with pytest.raises(CheckpointError, match="not what the run was tuned on"):
        predict(str(run), "one two")
    weights.write_bytes(kept)
    shutil.move(base, tmp_path / "away")
    with pytest.raises(CheckpointError) as caught:
        predict(str(run), "one two")
    shutil.move(tmp_path / "away", base)
    assert len(str(caught.value).splitlines()) == 1
    assert base.name in str(caught.value)


def test_adapters_are_switched_on_one_base_without_loading_it_again(runs, place, monkeypatch):
    """Two runs and a folder of PEFT's layout at once: each answers as it does alone."""
    one, _ = runs("labels by bert, lora")
    sections = {**LABELS, "training": {"epochs": 1}, "optimizer": {"rate": 1e-3}}
    data = {"train": files(place, "labels", "train"), "out": str(place / "second")}
    tune(tunable.settings(place / "bert", place, method="lora", **sections, **data))
    names = (one, place / "second", one / "adapter")
    alone = [predict(str(place / "bert"), "you love food", adapter=(name,), precision="fp32") for name in names[:2]]
    assert alone[0] == predict(str(one), "you love food", precision="fp32")
    assert alone[0] != alone[1]
    loads = []
    load = hub.load
    monkeypatch.setattr(hub, "load", lambda *given, **more: loads.append(1) or load(*given, **more))
    told = predict(str(place / "bert"), "you love food", adapter=names, precision="fp32").splitlines()
    assert loads == [1]
    assert [line.split("\t", 1)[0] for line in told] == [one.name.replace(".", "-"), "second", "adapter"]
    assert [line.split("\t", 1)[1] for line in told] == [*alone, alone[0]]


def test_an_adapter_is_asked_as_it_was_tuned(runs, place):
    """What stands around a text in the prompt comes along with --adapter."""
    run, _ = runs("summaries by llama, lora")
    told = predict(str(place / "plain"), "one two three", adapter=(run,), precision="fp32")
    assert told == predict(str(run), "one two three", precision="fp32")


def test_an_adapter_of_another_base_is_refused(runs, place):
    run, _ = runs("labels by bert, lora")
    with pytest.raises(CheckpointError, match="not what the run was tuned on"):
        open_adapted(str(place / "llama"), (run,), None, "cpu", "fp32")
    with pytest.raises(CheckpointError, match="which LlamaForCausalLM does not have"):
        open_adapted(str(place / "llama"), (run / "adapter",), None, "cpu", "fp32")


def test_an_adapter_of_pefts_own_is_read(place, tmp_path):
    """One that PEFT attached and saved, on our base: the same logits."""
    base = quietly(transformers.LlamaForCausalLM.from_pretrained, place / "plain").eval()
    config = peft.LoraConfig(r=3, lora_alpha=5, target_modules=["q_proj", "down_proj"])
    theirs = quietly(peft.get_peft_model, base, config).eval()
    with torch.no_grad():
        for name, weight in theirs.named_parameters():
            if "lora_" in name:
                weight.normal_(std=0.3)
    quietly(theirs.save_pretrained, str(tmp_path / "a"))
    opened, names, _ = open_adapted(str(place / "plain"), (tmp_path / "a",), None, "cpu", "fp32")
    given = tiny.reading(tiny.Pair("plain", theirs, opened.model, opened.checkpoint))
    with torch.no_grad(), lora.selected(opened.model, *names):
        torch.testing.assert_close(
            tiny.our_logits(opened.model, given), tiny.their_logits(theirs, given), atol=2e-5, rtol=1e-4
        )
    assert adapters.describe(tmp_path / "a").settings.rank == 3


def test_the_journal_tells_of_each_step_and_look(runs):
    run, tuned = runs("labels by bert, lora")
    events = read(run / "journal.jsonl")
    steps = [event for event in events if isinstance(event, Stepped)]
    assert [event.step for event in steps] == list(range(1, tuned.finished.step + 1))
    assert steps[0].rate < steps[3].rate > steps[-1].rate  # up in the warm-up, down to the end
    assert looks(run)[0].step == 0
    assert len(looks(run)) == 5
    assert all(len(look.samples) == 3 for look in looks(run))


def test_the_command_shows_all_systems_and_the_differences(runs, capsys):
    from rich.console import Console

    _, tuned = runs("labels by bert, lora")
    out = io.StringIO()
    with redirect_stdout(out):
        Console(width=100).print(tuned)
    told = out.getvalue()
    assert "60 test examples" in told
    for name in ("base", "majority", "tf-idf", "tuned"):
        assert name in told
    assert "The tuned model is NOT shown to be better than tf-idf." in " ".join(told.split())
