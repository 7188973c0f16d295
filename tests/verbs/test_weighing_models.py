"""Runs, checkpoints, rivals and blends on the user's files, item by item, against what evaluate and tune say."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import tunable
from folders import TEXTS, llama

from seqwise.decoding import Generation
from seqwise.errors import ConfigError, DataError
from seqwise.tasks.tuning.items import read
from seqwise.tasks.tuning.settings import Tune
from seqwise.tasks.weighing.overlap import learnt
from seqwise.tasks.weighing.systems import must_differ, open_system
from seqwise.verbs.blend import blend
from seqwise.verbs.evaluate import evaluate
from seqwise.verbs.tune import tune
from seqwise.verbs.weighing.blends import blends
from seqwise.verbs.weighing.models import PROBE, further, score_model, scored, seen
from seqwise.verbs.weighing.rivals import PROMPTED, score_rivals
from seqwise.verdict.scored import paired

SHORT = {"generation": Generation(beams=1, max_length=8)}
OTHER = {"love": ("love", "food"), "cat": ("cat", "mat")}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Bases, runs of each task, and test files."""
    folder = tmp_path_factory.mktemp("weighing")
    for name in ("bert", "labels", "t5", "llama", "plain"):
        (folder / name).mkdir()
    tunable.bert(folder / "bert")
    named = {"num_labels": 2, "id2label": {0: "bad", 1: "good"}}
    tunable.bert(folder / "labels", "BertForSequenceClassification", **named)
    tunable.t5(folder / "t5")
    llama(folder / "llama")
    llama(folder / "plain", template=False)
    tunable.labelled(folder / "train.tsv", 120, 1)
    tunable.labelled(folder / "test.tsv", 40, 2)
    tunable.labelled(folder / "other.tsv", 60, 3, OTHER)
    tunable.pairs(folder / "pairs.tsv", 40, 1)
    tunable.pairs(folder / "fresh.tsv", 12, 2)
    tunable.instructions(folder / "talks.jsonl", 24, 1)
    (folder / "text.txt").write_text("\n".join(TEXTS) + "\n")
    labels = {"task": "classify", "train": (str(folder / "train.tsv"),)}
    longer = {"training": {"epochs": 4}, "optimizer": {"rate": 4e-3}}
    once = {"training": {"steps": 2}}
    pairs = {"train": (str(folder / "pairs.tsv"),), **once, **SHORT, "evaluation": {"metric": "loss", "sentences": 5}}
    talks = {"task": "generate", "train": (str(folder / "talks.jsonl"),), **once}
    cases = (
        ("classify", "labels", {**labels, **longer, "method": "full"}),
        ("fresh", "bert", {**labels, **longer, "method": "lora"}),
        ("translate", "t5", {"task": "translate", **pairs, "method": "full"}),
        ("summarize", "plain", {"task": "summarize", **pairs, "method": "lora"}),
        ("generate", "llama", {**talks, "method": "lora"}),
    )
    for name, base, sections in cases:
        tune(tunable.settings(folder / base, folder, out=str(folder / name), **sections))
    return folder


@pytest.fixture
def inside(place, monkeypatch):
    monkeypatch.chdir(place)
    return place


TESTS = {
    "classify": ("test.tsv", "accuracy"),
    "translate": ("fresh.tsv", "BLEU"),
    "summarize": ("fresh.tsv", "ROUGE-L"),
    "generate": ("talks.jsonl", "perplexity"),
}


@pytest.mark.parametrize("task", TESTS)
def test_a_run_has_the_scores_that_evaluate_gives_it(inside, tmp_path, task):
    file, name = TESTS[task]
    metric = "perplexity" if task == "generate" else "auto"
    found = score_model(task, [file], metric=metric, precision="fp32")
    told = evaluate(task, test=(file,), resamples=5, precision="fp32", scores=tmp_path / "a.tsv").scores
    assert found.measure.name == name
    assert found.value == pytest.approx(next(one.value for one in told if one.name == name), abs=1e-6)
    assert len(found) == len(found.texts) == len(set(found.ids))
    assert len(found.outputs) == (0 if task == "generate" else len(found))


@pytest.mark.parametrize(("task", "base"), [("classify", "labels"), ("translate", "t5"), ("generate", "llama")])
def test_a_base_asked_as_its_run_was_has_the_scores_that_tuning_wrote_down(inside, task, base):
    """before.json holds what the base answered to the validation examples; here to the test file the same is asked."""
    systems = {"base": open_system(base, task, precision="fp32"), "tuned": open_system(task, precision="fp32")}
    file = TESTS[task][0]
    found = scored(systems, [file])
    pair = paired(found["base"], found["tuned"])
    assert pair[0].measure == pair[1].measure
    assert not np.array_equal(pair[0].values, pair[1].values)
    must_differ(*systems.values())


def test_a_base_that_is_the_tuned_model_is_refused_wherever_it_lies(inside, tmp_path):
    shutil.copytree("classify", tmp_path / "copy")
    tuned = open_system("classify", precision="fp32")
    for other in ("classify", str(tmp_path / "copy")):
        with pytest.raises(ConfigError, match="with the same weights: needs two different models"):
            must_differ(open_system(other, precision="fp32"), tuned)


def test_labels_in_another_case_are_the_same_labels(inside, tmp_path):
    text = (inside / "test.tsv").read_text().replace("\tgood", "\tGood")
    (tmp_path / "test.tsv").write_text(text)
    found = score_model("classify", [str(tmp_path / "test.tsv")], precision="fp32")
    assert set(found.references) == {"Good", "bad"}
    assert found.value == score_model("classify", ["test.tsv"], precision="fp32").value


def test_a_general_set_of_other_labels_is_asked_of_the_representation(inside):
    systems = {"base": open_system("bert", "fresh", precision="fp32"), "tuned": open_system("fresh", precision="fp32")}
    found = scored(systems, ["other.tsv"], "other", general=True)
    assert {one.measure.name for one in found.values()} == {PROBE}
    assert found["tuned"].value > 60  # which of four words is there can be read from a mean of vectors
    paired(*found.values())
    with pytest.raises(DataError, match="the label 'love' in other"):
        scored(systems, ["other.tsv"], "other")


def test_a_head_that_was_drawn_is_not_asked_of_general_sets(inside):
    """The labels are known to both, but the base says them by chance."""
    systems = {"base": open_system("bert", "fresh", precision="fp32"), "tuned": open_system("fresh", precision="fp32")}
    assert systems["base"].fresh
    assert scored(systems, ["test.tsv"], "general", general=True)["tuned"].measure.name == PROBE
    trained = {"base": open_system("labels", "classify", precision="fp32"), "tuned": open_system("classify")}
    assert scored(trained, ["test.tsv"], "general", general=True)["base"].measure.name == "accuracy"


def test_plain_text_is_foreseen_by_models_that_write(inside):
    systems = {"base": open_system("plain", "summarize", precision="fp32"), "tuned": open_system("summarize")}
    found = scored(systems, ["text.txt"], "text", general=True)
    assert found["base"].measure.name == "perplexity"
    told = evaluate("plain", test=("text.txt",), precision="fp32", resamples=5).scores
    assert found["base"].value == pytest.approx(told[0].value, rel=1e-6)
    with pytest.raises(ConfigError, match=r"plain text text\.txt for translate"):
        score_model("translate", ["text.txt"], general=True)


def test_lines_of_a_document_count_as_one_for_whoever_foresees_them(inside):
    """Blank lines part documents."""
    documents = ["".join(f"{line}\n" for line in TEXTS[i % 5 : i % 5 + 2]) for i in range(40)]
    (inside / "book.txt").write_text("\n".join(documents))
    (run,) = scored({"run": open_system("generate")}, ["book.txt"], "book", general=True).values()
    assert len(run) == 80
    assert run.clusters == tuple(str(i // 2 + 1) for i in range(80))


def test_a_column_that_is_none_of_labels_is_not_probed(inside):
    with pytest.raises(DataError, match="5 texts a label on average"):
        scored({"run": open_system("classify")}, ["pairs.tsv"], "pairs", general=True)


def test_columns_of_the_file_make_ids_slices_and_clusters(inside, tmp_path):
    rows = [line.split("\t") for line in (inside / "test.tsv").read_text().splitlines()[1:]]
    told = [{"id": f"t{i}", "text": a, "label": b, "source": "web" if i % 3 else "print", "page": i // 4}
            for i, (a, b) in enumerate(rows)]  # fmt: skip
    path = tmp_path / "test.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in told))
    found = scored({"tuned": open_system("classify")}, [str(path)], cluster="page")["tuned"]
    assert found.ids[:2] == ("t0", "t1")
    assert found.slices["source"][:3] == ("print", "web", "web")
    assert found.clusters[:5] == ("0", "0", "0", "0", "1")
    assert set(found.slices["label"]) == {"good", "bad"}


def test_a_general_set_that_was_trained_on_is_refused(inside, tmp_path):
    tuned, keys = open_system("classify"), learnt("classify")
    assert keys
    assert seen(tuned, ["test.tsv"], "general", keys).seen == 0
    with pytest.raises(DataError, match="of the 120 texts of general, which stand in the training files too") as error:
        seen(tuned, ["train.tsv"], "general", keys)
    assert len(str(error.value).splitlines()) == 1


def test_a_training_file_that_changed_tells_nothing(inside, tmp_path, monkeypatch):
    shutil.copytree(inside / "classify", tmp_path / "run")
    config = (tmp_path / "run" / "config.yaml").read_text()
    (tmp_path / "run" / "config.yaml").write_text(config.replace(str(inside / "train.tsv"), str(tmp_path / "gone.tsv")))
    assert learnt(str(tmp_path / "run")) is None
    assert learnt("labels") is None


@pytest.mark.parametrize(("task", "names"), [("classify", ["majority", "tf-idf"]), ("summarize", ["lead sentence"]),
                                             ("translate", ["copy of the source"]), ("generate", [])])  # fmt: skip
def test_rivals_answer_the_same_items(inside, task, names):
    tuned = open_system(task)
    found, notes = score_rivals(tuned, [TESTS[task][0]])
    assert [one.system for one in found] == names
    assert bool(notes) == (task == "generate")
    ours = scored({"tuned": tuned}, [TESTS[task][0]])["tuned"]
    for one in found:
        paired(one, ours)
    if task == "classify":
        assert found[0].value == 50
        assert found[1].value == 100  # the last word tells


def test_a_base_that_writes_is_prompted_for_labels(inside):
    found, _ = score_rivals(open_system("classify"), ["test.tsv"], base="plain")
    assert found[-1].system == PROMPTED
    assert set(found[-1].outputs) <= {"good", "bad"}
    assert PROMPTED not in [one.system for one in score_rivals(open_system("classify"), ["test.tsv"], base="bert")[0]]


def test_blends_are_what_blend_writes_and_the_best_on_validation_is_tested(inside, tmp_path):
    found = blends("labels", "classify", (0.0, 0.5, 1.0), ["test.tsv"], ["test.tsv"], {"other": ["test.tsv"]})
    assert [share.alpha for share in found.shares] == [0, 0.5, 1]
    values = [share.valid.value for share in found.shares]
    assert found.test.value == max(values)
    assert found.chosen == found.shares[int(np.argmax(values))].alpha
    assert values == [share.general[0].value for share in found.shares]
    blend("labels", "classify", alpha=(0.5,), out=tmp_path / "half")
    assert score_model(str(tmp_path / "half"), ["test.tsv"], precision="fp32").value == values[1]
    tuned = score_model("classify", ["test.tsv"], precision="fp32")
    assert np.array_equal(found.shares[2].valid.values, tuned.values)


def test_without_files_blends_are_chosen_on_the_examples_that_the_run_held_out(inside):
    found = blends("labels", "classify", (0.5, 1.0), test=["test.tsv"])
    assert len(found.shares[0].valid) == 12
    with pytest.raises(ConfigError, match=r"--blend 1\.5: needs shares"):
        blends("labels", "classify", (1.5,), test=["test.tsv"])


def test_a_forecaster_is_sent_to_evaluate(tmp_path):
    (tmp_path / "config.yaml").write_text("task: forecast\n")
    with pytest.raises(ConfigError, match=r"the forecaster .*: needs models of text\. Try seqwise evaluate"):
        open_system(str(tmp_path))


def test_a_body_alone_has_nothing_to_be_scored_by(inside):
    with pytest.raises(ConfigError, match="bert, which has no head for a task"):
        score_model("bert", ["test.tsv"])
    assert score_model("bert", ["other.tsv"], general=True).measure.name == PROBE


FURTHER = {
    "single": (
        "Text,Label,domain,query,gold_label\na,x,d,q,g\n",
        {"domain": ("d",), "query": ("q",), "gold_label": ("g",)},
    ),
    "pairs": ("Premise,Hypothesis,Label,domain\na,b,x,d\n", {"domain": ("d",)}),
}


@pytest.mark.parametrize("kind", FURTHER)
def test_what_is_read_of_a_header_in_capitals_is_no_slice_and_all_else_is(tmp_path, kind):
    table, columns = FURTHER[kind]
    (tmp_path / "test.csv").write_text(table)
    paths, settings = [str(tmp_path / "test.csv")], Tune(task="classify")
    assert further(SimpleNamespace(settings=settings), read(settings, paths, []), paths) == columns
