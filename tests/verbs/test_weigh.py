"""weigh, from the words of the command to the files it writes; on files of predictions and on tiny models."""

import json
import random
import shutil
import weakref
from pathlib import Path

import jsonschema
import pytest
import tunable

import seqwise
from seqwise.cli import main
from seqwise.reports import answers
from seqwise.verbs.tune import tune
from seqwise.verbs.weighing import held as held_
from seqwise.verbs.weighing.contenders import common_name

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "verdict.schema.json").read_text("utf-8"))


def write(path, rows):
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf-8")
    return str(path)


def labelled(path, right, seed, parts=(("test", 300),), **more):
    """A file of predictions: of each item so large a share is right, by chance of its own."""
    generator, wanted = random.Random(seed), random.Random(0)
    rows = []
    for part, count in parts:
        for i in range(count):
            reference = wanted.choice(["good", "bad"])
            other = "bad" if reference == "good" else "good"
            said = reference if generator.random() < right else other
            rows.append({"id": f"{part}-{i}", "prediction": said, "reference": reference, "set": part, **more})
    return write(path, rows)


@pytest.fixture
def two(tmp_path):
    """A base, and a system that is much better."""
    return labelled(tmp_path / "base.jsonl", 0.6, 1), labelled(tmp_path / "tuned.jsonl", 0.9, 2)


def test_a_large_gain_is_worth_it_and_all_that_is_written_agrees(two, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["weigh", *two, "--out", str(out), "--fail-unless", "worth-it"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    told = json.loads((out / "verdict.json").read_text("utf-8"))
    jsonschema.validate(told, SCHEMA)
    assert told["worth"] == "worth it"
    assert told["sentence"] in shown
    page = (out / "verdict.html").read_text("utf-8")
    assert "<script" not in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert told["sentence"].split(":")[0] in page
    states = {one["state"] for one in told["findings"]}
    assert states <= {"MEASURED", "NOT RUN", "ERROR", "TOO FEW"}
    assert {one["question"] for one in told["findings"]} >= {"gain", "generalization", "rival", "data", "cost", "luck"}


@pytest.mark.parametrize("name", ["slice", "one recipe", "optimism", "gain", "measure", "loss at most", "set"])
def test_what_a_system_is_called_changes_nothing(tmp_path, name):
    parts = (("test", 300), ("news", 200))
    words = [labelled(tmp_path / f"{word}.jsonl", right, 1 + i, parts)
             for i, (word, right) in enumerate({"base": 0.6, "tuned": 0.9}.items())]  # fmt: skip
    other = shutil.copyfile(words[1], tmp_path / f"{name}.jsonl")
    plain, found = seqwise.weigh(*words).verdict, seqwise.weigh(words[0], str(other)).verdict
    assert found.worth == plain.worth == "worth it"
    assert found.sentence == plain.sentence.replace("tuned", name)
    assert answers.answers(found).rows == answers.answers(plain).rows
    assert answers.slices(found) == answers.slices(plain)
    ours, theirs = ([answers.scores(one) for one in each.findings] for each in (found, plain))
    assert ours == theirs
    assert ours[0] is not None
    assert ours[0][1] > 85


def test_a_set_that_is_called_as_a_fact_leaves_the_fact(tmp_path):
    parts = (("test", 300), ("tuned", 200))
    words = [labelled(tmp_path / f"{word}.jsonl", 0.7, seed, parts) for seed, word in enumerate(("base", "after"))]
    facts = seqwise.weigh(*words).verdict.facts
    assert facts["tuned"] == words[1]
    assert facts["set tuned"].startswith("200 items")


def test_luck_alone_fails_a_pipeline_with_its_own_exit_code(tmp_path, capsys):
    words = [labelled(tmp_path / f"{name}.jsonl", 0.7, seed) for name, seed in (("base", 1), ("tuned", 2))]
    assert main(["weigh", *words, "--fail-unless", "worth-it"]) == 3
    assert capsys.readouterr().out.startswith("Cannot tell whether it was worth it")
    assert main(["weigh", *words, "--fail-unless", "not-worse", "--json"]) == 3
    assert json.loads(capsys.readouterr().out)["worth"] == "cannot tell"


def test_a_loss_on_a_general_set_is_the_price(tmp_path):
    parts = (("test", 300), ("news", 400))
    rows = [
        json.loads(line) for line in Path(labelled(tmp_path / "base.jsonl", 0.6, 1, parts)).read_text().splitlines()
    ]
    tuned = [dict(row) for row in rows]
    for row in tuned:
        if row["set"] == "test":
            row["prediction"] = row["reference"]
        elif random.Random(row["id"]).random() < 0.2:
            row["prediction"] = "bad" if row["reference"] == "good" else "good"
    found = seqwise.weigh(str(tmp_path / "base.jsonl"), write(tmp_path / "tuned.jsonl", tuned))
    assert found.verdict.worth == "at a price"
    assert "it has lost" in found.verdict.sentence
    assert "news" in found.verdict.sentence
    assert found.verdict.not_worse is False


def test_a_general_set_that_both_answer_alike_is_no_reason_to_refuse(two, tmp_path):
    more = [{"id": f"n{i}", "prediction": "good", "reference": "good", "set": "news"} for i in range(40)]
    words = []
    for path in two:
        rows = [json.loads(line) for line in Path(path).read_text().splitlines()]
        words.append(write(Path(path).with_suffix(".more.jsonl"), [*rows, *more]))
    (kept,) = [one for one in seqwise.weigh(*words).verdict.findings if one.question == "generalization"]
    assert kept.state == "MEASURED"


def test_a_general_set_that_cannot_be_told_is_an_error_of_its_own_and_leaves_the_verdict_open(tmp_path):
    """All five items of news are worse by exactly 2: too few to tell that by, and no reason to call it kept."""
    noise, sizes = random.Random(3), {"test": 60, "news": 5}
    base = [{"id": f"{part}{i}", "score": noise.random(), "set": part} for part in sizes for i in range(sizes[part])]
    tuned = [
        {**row, "score": row["score"] + noise.gauss(1, 0.1)} if row["set"] == "test" else {**row, "score": 1.0}
        for row in base
    ]
    base = [row if row["set"] == "test" else {**row, "score": 3.0} for row in base]
    words = write(tmp_path / "base.jsonl", base), write(tmp_path / "after.jsonl", tuned)
    found = seqwise.weigh(*words).verdict
    (lost,) = [one for one in found.findings if one.question == "generalization"]
    assert (lost.state, lost.system) == ("ERROR", "after")
    assert (found.worth, found.not_worse, found.trade) == ("cannot tell", None, None)
    assert "what was lost on news could not be measured" in found.sentence


def test_seeds_in_one_file_are_seeds(two, tmp_path):
    rows = [json.loads(line) | {"seed": 1} for line in Path(two[1]).read_text().splitlines()]
    second = [
        json.loads(line) | {"seed": 2} for line in Path(labelled(tmp_path / "b.jsonl", 0.9, 5)).read_text().splitlines()
    ]
    found = seqwise.weigh(two[0], write(tmp_path / "seeds.jsonl", [*rows, *second])).verdict
    (gain,) = [one for one in found.findings if one.question == "gain"]
    assert gain.test is not None
    assert gain.test.n["seeds"] == 2
    assert "2 seeds" in found.sentence
    assert "one seed" not in found.sentence


def test_scores_of_0_and_1_alone_are_right_and_wrong(tmp_path):
    """As true and false, whatever the other sets hold; with a fraction among them they are numbers."""

    def told(name, kind, more=()):
        files = []
        for seed, share in (("base", 0.6), ("tuned", 0.8)):
            generator = random.Random(seed)
            rows = [{"id": i, "score": kind(generator.random() < share), "set": "test"} for i in range(80)]
            rows += [{"id": i, "score": generator.random(), "set": "other"} for i in range(40)]
            files.append(write(tmp_path / f"{name}-{seed}.jsonl", [*rows, *more]))
        return seqwise.weigh(*files).verdict

    found = told("numbers", int)
    assert found.sentence.replace("numbers", "truths") == told("truths", bool).sentence
    gain, other = (next(one for one in found.findings if one.question == kind) for kind in ("gain", "generalization"))
    assert (gain.test.effect.unit, gain.values["measure"]) == ("points", "accuracy")
    assert other.values["measure"] == "score"
    found = told("parts", float, [{"id": "x", "score": 0.5, "set": "test"}])
    assert next(one for one in found.findings if one.question == "gain").values["measure"] == "score"


def test_many_systems_are_held_to_holm(two, tmp_path):
    others = [labelled(tmp_path / f"other{seed}.jsonl", 0.6, seed) for seed in (7, 8)]
    found = seqwise.weigh(*two, *others).verdict
    assert found.tuned == ("tuned", "other7", "other8")
    assert found.sentence.startswith("Worth it")
    chosen = "Of 3 systems, each against base, tuned has the best verdict; on test tuned is better than other7 by "
    assert chosen in found.sentence
    pairs = [one for one in found.findings if one.question == "systems"]
    assert [(one.system, one.answer) for one in pairs[:2]] == [("tuned", "yes"), ("tuned", "yes")]
    assert pairs[2].answer == "cannot tell"


def test_systems_are_compared_with_one_another_on_page_in_json_and_for_a_pull_request(two, tmp_path, capsys):
    """lora and full differ by 30 points; lora's twin by name answers nearly all as lora does."""
    rows = [json.loads(line) for line in Path(two[1]).read_text().splitlines()]
    rows[0]["prediction"] = "bad" if rows[0]["prediction"] == "good" else "good"
    words = [*two, write(tmp_path / "near.jsonl", rows), "--margin", "3", "--out", str(tmp_path / "out")]
    assert main(["weigh", *words]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    told = json.loads((tmp_path / "out" / "verdict.json").read_text("utf-8"))
    jsonschema.validate(told, SCHEMA)
    (pair,) = [one for one in told["findings"] if one["question"] == "systems"]
    assert (pair["asked"], pair["answer"], pair["margin"]) == ("Is it better than another system?", "no", 3.0)
    assert {pair["system"], pair["subject"]} == {"tuned", "near"}
    for text in (shown, told["sentence"]):
        assert "do not differ by 3 points, which would matter, the difference is 0.33 points (95 % interval" in text
    page = (tmp_path / "out" / "verdict.html").read_text("utf-8")
    assert "Systems against one another" in page
    assert "Of 1 pair none is told apart; of 1 a difference that matters is ruled out." in page
    assert main(["weigh", *words[:3], "--margin", "3", "--markdown"]) == 0
    assert "| Is it better than another system? |" in capsys.readouterr().out


def test_runs_of_several_seeds_are_called_by_what_their_folders_begin_with():
    assert common_name(["runs/full-1", "runs/full-2", "runs/full-13"]) == "full"
    assert common_name(["a/lora-seed1", "b/lora-seed2"]) == "lora"
    assert common_name(["runs/first", "runs/second"]) == "first"
    assert common_name(["runs/1", "runs/2"]) == "1"
    assert common_name(["runs/full-1"]) == "full-1"


def test_a_number_that_is_not_that_of_the_seed_stays_in_the_name():
    assert common_name(["runs/lora-r8-1", "runs/lora-r8-2"]) == "lora-r8"
    assert common_name(["runs/lora-r16-1", "runs/lora-r16-10"]) == "lora-r16"
    assert common_name(["runs/lora8-seed-1", "runs/lora8-seed-2"]) == "lora8"
    assert common_name(["seed1/lora8", "seed2/lora8"]) == "lora8"


def test_each_set_has_a_margin_of_its_own_where_one_is_named(tmp_path, capsys):
    parts = (("test", 100), ("sst2", 200), ("news", 200))
    words = [labelled(tmp_path / f"{name}.jsonl", 0.7, seed, parts) for name, seed in (("base", 1), ("tuned", 2))]
    out = tmp_path / "out"
    assert main(["weigh", *words, "--margin", "2", "--margin", "sst2=0.5", "--out", str(out)]) == 0
    told = json.loads((out / "verdict.json").read_text("utf-8"))
    margins = {one["subject"]: one["margin"] for one in told["findings"] if one["question"] == "generalization"}
    assert margins == {"sst2": 0.5, "news": 2.0}
    wanted = "2 points on test (given), 0.5 points on sst2 (given) and 2 points on news (given)"
    assert wanted in told["facts"]["margins"]
    page = (out / "verdict.html").read_text("utf-8")
    assert wanted in page
    for size in ("0.5 points", "2 points"):
        assert size in page.replace("\u00a0", " ")
    assert main(["weigh", *words, "--margin", "sst=0.5"]) == 2
    assert "needs the name of a set: test, sst2, news. Try --margin sst2=0.5." in capsys.readouterr().err


@pytest.mark.parametrize("given", [2, 2.0, ("2",), ("news=2", "sst2=2")])
def test_from_python_a_margin_may_be_a_number_or_words(tmp_path, given):
    parts = (("test", 60), ("sst2", 60), ("news", 60))
    words = [labelled(tmp_path / f"{name}.jsonl", 0.7, seed, parts) for name, seed in (("base", 1), ("tuned", 2))]
    found = seqwise.weigh(*words, margin=given).verdict.findings
    assert {one.margin for one in found if one.question == "generalization"} == {2.0}


def test_a_curve_of_one_seed_is_refused_before_anything_is_trained(tmp_path, capsys):
    (tmp_path / "model").mkdir()
    words = [str(tmp_path / "model"), "--test", "test.tsv", "--curve", "--out", str(tmp_path / "out")]
    assert main(["weigh", *words, "--seeds", "1"]) == 2
    assert "--curve with --seeds 1: needs 2 seeds or more" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_markdown_and_card_carry_the_sentence(two, capsys):
    assert main(["weigh", *two, "--markdown"]) == 0
    assert capsys.readouterr().out.startswith("**Worth it: ")
    assert main(["weigh", *two, "--card"]) == 0
    card = capsys.readouterr().out
    assert card.startswith("---\n")
    assert "Worth it: " in card
    assert "\n# tuned\n\ntuned, weighed against base by Seqwise.\n" in card


def test_the_card_of_several_systems_is_that_of_the_best(two, tmp_path, capsys):
    other = labelled(tmp_path / "other.jsonl", 0.5, 7)
    assert main(["weigh", two[0], other, two[1], "--card"]) == 0
    assert "\n# tuned\n" in capsys.readouterr().out


def unequal(place, base, _):
    return [base, labelled(place / "x.jsonl", 0.9, 2, (("test", 299),))], "the same items of both"


def other_references(place, base, tuned):
    rows = [json.loads(line) for line in Path(tuned).read_text().splitlines()]
    rows[3]["reference"] = "bad" if rows[3]["reference"] == "good" else "good"
    return [base, write(place / "x.jsonl", rows)], "the same references for both"


def duplicate_ids(place, base, tuned):
    lines = Path(tuned).read_text().splitlines()
    (place / "x.jsonl").write_text("\n".join([*lines, lines[0]]) + "\n")
    return [base, str(place / "x.jsonl")], "needs one row for each item"


def one_item(place, _, __):
    return [labelled(place / f"{n}.jsonl", n, 1, (("test", 1),)) for n in (0, 1)], "two items at least"


def all_the_same(place, base, _):
    copied = place / "copy.jsonl"
    copied.write_bytes(Path(base).read_bytes())
    return [base, str(copied)], "two systems"


def other_metrics(place, base, _):
    rows = [{"id": f"test-{i}", "score": i / 300} for i in range(300)]
    return [base, write(place / "x.jsonl", rows)], "one measure for both"


def the_same_word(_, base, __):
    return [base, base], "different systems"


def the_same_file_by_another_way(place, base, tuned):
    (place / "more").mkdir()
    return [base, tuned, f"{place}/more/../{Path(tuned).relative_to(place)}"], "twice: needs different systems"


def a_column_of_groups(_, base, tuned):
    return [base, tuned, "--group-by", "doc"], "Try calling the column doc cluster there"


def no_numbers(place, base, _):
    rows = [{"id": f"test-{i}", "score": "high"} for i in range(300)]
    return [write(place / "x.jsonl", rows), base], "x.jsonl:1"


def a_mixture(place, base, _):
    (place / "model").mkdir()
    return [base, str(place / "model")], "files of predictions, or models"


def a_slip_of_the_pen(_, base, tuned):
    return [base, tuned.replace("tuned", "tunde")], "no such file"


def a_set_that_one_lacks(place, base, tuned):
    rows = [json.loads(line) for line in Path(base).read_text().splitlines()]
    more = [{"id": f"n{i}", "prediction": "good", "reference": "good", "set": "news"} for i in range(30)]
    return [write(place / "x.jsonl", [*rows, *more]), tuned], "the same sets in all files"


def flags_of_models(_, base, tuned):
    return [base, tuned, "--seeds", "3"], "--seeds beside files of predictions"


def no_margin(_, base, tuned):
    return [base, tuned, "--margin", "0"], "a margin above 0"


def a_margin_below_0(_, base, tuned):
    return [base, tuned, "--margin", "-1"], "Try --margin 1"


def a_margin_of_no_set(_, base, tuned):
    return [base, tuned, "--margin", "1", "nws=2"], "--margin nws=2: needs the name of a set: test. Try --margin test=2"


def a_margin_twice(_, base, tuned):
    return [base, tuned, "--margin", "test=1", "--margin", "test=2"], "--margin of test twice"


def two_margins_for_all(_, base, tuned):
    return [base, tuned, "--margin", "1", "2"], "--margin 1 and --margin 2"


def a_margin_without_a_number(_, base, tuned):
    return [base, tuned, "--margin", "test="], "a number, or NAME=NUMBER"


def no_useful_gain(_, base, tuned):
    return [base, tuned, "--least", "0"], "a gain above 0"


def no_json(place, base, _):
    (place / "x.jsonl").write_text('{"id": "1", "prediction": "good", "reference": "good"}\n{"id": "2", "pred\n')
    return [base, str(place / "x.jsonl")], "x.jsonl:2"


def nothing_to_compare(_, base, __):
    return [base], "two systems"


@pytest.mark.parametrize(
    "kind",
    [unequal, other_references, duplicate_ids, one_item, all_the_same, other_metrics, the_same_word,
     the_same_file_by_another_way, a_column_of_groups, no_numbers,
     a_mixture, a_slip_of_the_pen, a_set_that_one_lacks, flags_of_models, no_margin, a_margin_below_0,
     a_margin_of_no_set, a_margin_twice, two_margins_for_all, a_margin_without_a_number, no_useful_gain,
     no_json, nothing_to_compare],
)  # fmt: skip
def test_bad_input_is_one_clear_line(kind, two, tmp_path, capsys):
    words, wanted = kind(tmp_path, *two)
    out = tmp_path / "out"
    assert main(["weigh", *words, "--out", str(out)]) == 2
    told = capsys.readouterr()
    assert told.err.startswith("seqwise: ")
    assert wanted in told.err
    assert "Try " in told.err
    assert len(told.err.splitlines()) == 1
    assert not told.out
    assert not out.exists()


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A base, data, and a run."""
    folder = tmp_path_factory.mktemp("weigh")
    (folder / "base").mkdir()
    tunable.bert(folder / "base", "BertForSequenceClassification", num_labels=2, id2label={0: "bad", 1: "good"})
    train = (tunable.labelled(folder / "train.tsv", 120, 1),)
    for name, seed in (("test", 2), ("general", 3)):
        tunable.labelled(folder / f"{name}.tsv", 60, seed)
    labels = {"task": "classify", "train": train, "training": {"epochs": 4}, "optimizer": {"rate": 4e-3}}
    tune(tunable.settings(folder / "base", folder, method="full", **labels, out=str(folder / "run")))
    return folder


def test_a_run_is_weighed_against_its_base_with_rivals_cost_journal_and_blends(place, tmp_path):
    found = seqwise.weigh(
        str(place / "base"), str(place / "run"), test=(str(place / "test.tsv"),), general=(str(place / "general.tsv"),),
        blend=(0.5,), price_per_hour=2.0, out=tmp_path / "out",
    ).verdict  # fmt: skip
    states = {(one.question, one.subject): one.state for one in found.findings}
    assert states["gain", "test"] == "MEASURED"
    assert states["generalization", "general"] == "MEASURED"
    assert states["rival", "tf-idf"] == "MEASURED"
    assert states["cost", "training"] == "MEASURED"
    assert found.costs[0].seconds
    assert found.trends
    assert found.trade is not None
    (told,) = [one for one in found.findings if one.question == "trade"]
    assert [row[1] for row in told.grids[0].rows] == [0.0, 0.5, 1.0]
    (chosen,) = [one.alpha for one in found.trade.choices if one.chosen]
    assert told.state == ("MEASURED" if chosen == 0.5 else "NOT RUN")  # the tuned model itself is no blend
    assert [one.alpha for one in found.trade.choices] == ([None, 0.5] if chosen == 0.5 else [0.0, 0.5, 1.0])
    jsonschema.validate(json.loads((tmp_path / "out" / "verdict.json").read_text()), SCHEMA)


def test_a_set_without_the_column_of_groups_is_told(place, tmp_path):
    """The test set has it; items of the general set count one by one, which is not to be had in silence."""
    head, *rows = (place / "test.tsv").read_text().splitlines()
    paged = [f"{head}\tpage", *(f"{row}\t{i // 3}" for i, row in enumerate(rows))]
    (tmp_path / "test.tsv").write_text("".join(f"{row}\n" for row in paged))
    sets = {"test": (str(tmp_path / "test.tsv"),), "general": (str(place / "general.tsv"),)}
    found = seqwise.weigh(str(place / "base"), str(place / "run"), **sets, group_by="page", rivals=False).verdict
    (gain,) = [one for one in found.findings if one.question == "gain"]
    assert gain.test.n["clusters"] == 20
    assert "general has no column page, so that each of its items counts by itself" in found.notes
    assert not [note for note in found.notes if note.startswith("test has no column")]


def test_blends_of_a_measure_of_sums_have_the_base_among_them(place, monkeypatch):
    """Its gain over itself is 0, where a test would have nothing to tell chance by."""
    monkeypatch.chdir(place)
    found = seqwise.weigh("base", "run", test=("test.tsv",), general=("general.tsv",), blend=(0.5,), metric="macro-f1")
    (told,) = [one for one in found.verdict.findings if one.question == "trade"]
    assert told.state in ("MEASURED", "NOT RUN")
    _, alpha, gained, _, _, lost, *_ = told.grids[0].rows[0]
    assert (alpha, gained, lost) == (0.0, 0.0, 0.0)


def test_many_models_are_held_one_at_a_time(place, monkeypatch):
    monkeypatch.chdir(place)
    shutil.copytree("run", "second", dirs_exist_ok=True)
    held, alive = [], []
    real = held_.open_system

    def opening(*words):
        alive.append(sum(one() is not None for one in held))
        made = real(*words)
        held.append(weakref.ref(made.model))
        return made

    monkeypatch.setattr(held_, "open_system", opening)
    settings = Path("second/config.yaml")
    settings.write_text(settings.read_text().replace("rate: 0.004", "rate: 0.005"))
    found = seqwise.weigh("base", "run", "second", test=("test.tsv",), rivals=False).verdict
    assert found.tuned == ("run", "second")
    assert max(alive) == 1  # the base, when another one is opened


def test_trials_are_trained_weighed_and_not_trained_twice(place, tmp_path, capsys, monkeypatch):
    words = ["weigh", str(place / "base"), str(place / "run"), "--test", str(place / "test.tsv"), "--seeds", "2"]
    words += ["--methods", "full", "--out", str(tmp_path / "out")]
    assert main([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    (gain,) = [one for one in told["findings"] if one["question"] == "gain"]
    assert gain["test"]["n"]["seeds"] == 2
    assert len(told["costs"]) == 2
    table = (tmp_path / "out" / "trials.jsonl").read_text()
    assert main([*words, "--resume", "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert (tmp_path / "out" / "trials.jsonl").read_text() == table
    assert again["findings"] == told["findings"]
    gone = tmp_path / "out" / "trials" / "full-1-seed1" / "run" / "outcome.json"
    gone.write_text("{}")
    assert main([*words, "--overwrite", "--json"]) == 0
    capsys.readouterr()
    assert gone.read_text() != "{}"  # trained anew, not taken from the folder
    table = (tmp_path / "out" / "trials.jsonl").read_text()
    (tmp_path / "out" / "trials.jsonl").write_text(table.replace('"MEASURED"', '"MEAS', 1))
    assert main([*words, "--resume"]) == 2
    assert "trials.jsonl:2" in capsys.readouterr().err


def test_a_set_that_the_run_has_learnt_from_is_refused(place, capsys):
    words = ["weigh", str(place / "base"), str(place / "run"), "--test", str(place / "test.tsv")]
    assert main([*words, "--general", str(place / "train.tsv")]) == 2
    assert "stand in the training files too" in capsys.readouterr().err


def test_a_base_that_is_the_tuned_model_is_refused(place, tmp_path, capsys):
    shutil.copytree(place / "run", tmp_path / "copy")
    words = ["weigh", str(place / "run"), str(tmp_path / "copy"), "--test", str(place / "test.tsv")]
    assert main(words) == 2
    assert "two different models" in capsys.readouterr().err


def test_a_run_by_two_paths_is_no_second_seed(place, capsys):
    run = str(place / "run")
    for words in ([run, f"{run}/"], [str(place / "base"), run, f"{run}/"]):
        assert main(["weigh", *words, "--test", str(place / "test.tsv")]) == 2
        assert "twice: needs different systems" in capsys.readouterr().err


def test_the_same_words_again_need_a_free_folder(two, tmp_path, capsys):
    out = str(tmp_path / "out")
    assert main(["weigh", *two, "--out", out]) == 0
    capsys.readouterr()
    assert main(["weigh", *two, "--out", out]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert main(["weigh", *two, "--out", out, "--overwrite"]) == 0


def test_two_seeds_of_one_recipe_are_parted_by_luck_alone(place, tmp_path, monkeypatch):
    monkeypatch.chdir(place)
    labels = {"task": "classify", "train": ("train.tsv",), "optimizer": {"rate": 4e-3}}
    for seed in (1, 2):
        tune(tunable.settings(place / "base", place, method="full", **labels, training={"epochs": 1, "seed": seed},
                              out=str(tmp_path / f"seed{seed}")))  # fmt: skip
    found = seqwise.weigh(str(tmp_path / "seed1"), str(tmp_path / "seed2"), test=("test.tsv",), rivals=False).verdict
    assert found.worth == "cannot tell"
    assert "luck of the training is all that parts them" in found.sentence
    (luck,) = [one for one in found.findings if one.question == "luck"]
    assert luck.answer == "yes"
