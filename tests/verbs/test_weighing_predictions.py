"""Files of predictions made elsewhere: what they are read as, and ten kinds of bad input, a line each."""

import json
from pathlib import Path

import numpy as np
import polars
import pytest
import sacrebleu
from sklearn.metrics import f1_score

from seqwise.errors import ConfigError, DataError
from seqwise.metrics.rouge import rouge
from seqwise.verbs.weigh import weigh
from seqwise.verbs.weighing.contenders import of_files
from seqwise.verbs.weighing.doubts import must_count_alike, must_differ
from seqwise.verbs.weighing.labels import told_by_case
from seqwise.verbs.weighing.predictions import read_predictions
from seqwise.verdict.scored import paired


def written(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def labels(count=8, **more):
    return [
        {"id": i, "prediction": "good" if i % 3 else "bad", "reference": "good" if i % 2 else "bad", **more}
        for i in range(count)
    ]


def test_few_short_references_are_labels(tmp_path):
    (found,) = read_predictions(written(tmp_path / "a.jsonl", labels()), system="base")
    assert (found.measure.name, found.measure.kind, found.system, found.part) == ("accuracy", "right", "base", "test")
    assert found.values.tolist() == [(i % 3 > 0) == (i % 2 > 0) for i in range(8)]
    assert found.outputs[0] == "bad"
    assert found.slices["label"] == ("bad", "good") * 4
    assert found.ids == tuple(map(str, range(8)))


def test_macro_f1_is_that_of_scikit_learn_over_the_true_classes(tmp_path):
    chance = np.random.default_rng(1)
    true = chance.choice(["a", "b", "c"], 60).tolist()
    said = [one if chance.random() < 0.6 else str(chance.choice(["a", "b", "c", "none"])) for one in true]
    rows = [{"id": i, "prediction": a, "reference": b} for i, (a, b) in enumerate(zip(said, true, strict=True))]
    (found,) = read_predictions(written(tmp_path / "a.jsonl", rows), "macro-f1")
    expected = 100 * f1_score(true, said, labels=["a", "b", "c"], average="macro")
    assert found.value == pytest.approx(expected, abs=1e-10)


TEXTS = ["the cat sat on the mat", "a man is eating some food now", "Paris is the capital of France", "one two three"]
SAID = ["the cat sat on a mat", "a man eats some food now", "Paris is the capital of Spain", "one two three four"]


def texts(said=None):
    pairs = enumerate(zip(said or SAID, TEXTS, strict=True))
    return [{"id": f"s{i}", "prediction": a, "reference": b, "text": b[::-1]} for i, (a, b) in pairs]


def test_texts_are_scored_by_the_libraries_that_papers_use(tmp_path):
    path = written(tmp_path / "a.jsonl", texts())
    (words,), (letters,), (shared,) = (read_predictions(path, metric) for metric in ("bleu", "chrf", "rougeL"))
    assert words.value == pytest.approx(sacrebleu.corpus_bleu(SAID, [TEXTS]).score, abs=1e-9)
    assert letters.value == pytest.approx(sacrebleu.corpus_chrf(SAID, [TEXTS]).score, abs=1e-9)
    assert shared.value == pytest.approx(rouge(SAID, TEXTS, resamples=1)[2].value, abs=1e-9)
    assert "tok:13a" in words.measure.signature
    assert "bs:" not in words.measure.signature
    (exact,) = read_predictions(path, "exact-match")
    assert exact.value == 0


def test_texts_without_spaces_are_scored_by_their_letters(tmp_path):
    """Oracle: sacrebleu. The first reference alone, which is English, says nothing of the others."""
    right = ["Hello", "我今天非常高兴，因为天气很好。", "他昨天去了北京的学校。"]
    said = ["Hello", "我今天非常高兴，因为天气好。", "他昨天去北京的学校。"]
    rows = [{"id": i, "prediction": a, "reference": b} for i, (a, b) in enumerate(zip(said, right, strict=True))]
    (found,) = read_predictions(written(tmp_path / "a.jsonl", rows), "bleu")
    assert found.value == pytest.approx(sacrebleu.corpus_bleu(said, [right], tokenize="zh").score, abs=1e-9)
    assert "tok:zh" in found.measure.signature


def test_several_references_may_be_right(tmp_path):
    rows = [{"id": i, "prediction": "yes", "references": ["no", "yes"]} for i in range(3)]
    (found,) = read_predictions(written(tmp_path / "a.jsonl", rows), "exact-match")
    assert found.value == 100
    assert found.references[0] == "no ||| yes"


NUMBERS = [({"score": 0.5}, "score", False), ({"loss": 0.5}, "loss", True), ({"error": 2}, "error", True)]


@pytest.mark.parametrize(("cell", "name", "lower"), NUMBERS)
def test_a_number_of_each_item_is_taken_as_it_is(tmp_path, cell, name, lower):
    (found,) = read_predictions(written(tmp_path / "a.jsonl", [{"id": i, **cell} for i in range(3)]))
    assert (found.measure.name, found.measure.lower, found.measure.kind) == (name, lower, "score")
    assert found.value == next(iter(cell.values()))


def test_errors_are_also_distances_of_numbers(tmp_path):
    rows = [{"id": i, "prediction": 3.0, "reference": i} for i in range(4)]
    (found,) = read_predictions(written(tmp_path / "a.jsonl", rows), "error")
    assert found.values.tolist() == [3, 2, 1, 0]


def test_scores_that_are_true_or_false_are_right_or_wrong(tmp_path):
    (found,) = read_predictions(written(tmp_path / "a.jsonl", [{"id": i, "score": i > 0} for i in range(4)]))
    assert (found.measure.kind, found.value) == ("right", 75)


def test_perplexity_is_of_all_tokens(tmp_path):
    rows = [{"id": i, "loss": 2.0 * i, "tokens": 1 + i} for i in range(3)]
    (found,) = read_predictions(written(tmp_path / "a.jsonl", rows))
    assert found.measure.name == "perplexity"
    assert found.value == pytest.approx(np.exp(6 / 6))


def test_sets_and_seeds_are_scored_apart(tmp_path):
    rows = [row | {"set": part, "seed": seed} for part in ("test", "other") for seed in (1, 2) for row in labels(6)]
    found = read_predictions(written(tmp_path / "a.jsonl", rows))
    assert [(one.part, one.seed, len(one)) for one in found] == [
        ("test", 1, 6), ("test", 2, 6), ("other", 1, 6), ("other", 2, 6)
    ]  # fmt: skip


def test_columns_with_some_values_make_slices_and_groups_make_clusters(tmp_path):
    rows = [
        row | {"source": "web" if i < 3 else "", "note": str(i), "group": i // 2, "text": "word " * (1 + 3 * (i % 3))}
        for i, row in enumerate(labels())
    ]
    (found,) = read_predictions(written(tmp_path / "a.jsonl", rows))
    assert found.slices["source"] == ("web",) * 3 + ("none",) * 5
    assert "note" not in found.slices
    assert found.clusters == ("0", "0", "1", "1", "2", "2", "3", "3")
    assert set(found.slices["length"]) == {"short, to 1 words", "medium, 2 to 4", "long, from 5"}


@pytest.mark.parametrize("ending", ["csv", "tsv", "parquet"])
def test_tables_of_other_formats_say_the_same(tmp_path, ending):
    frame = polars.DataFrame(texts())
    path = tmp_path / f"a.{ending}"
    if ending == "parquet":
        frame.write_parquet(path)
    else:
        frame.write_csv(path, separator="," if ending == "csv" else "\t")
    (found,), (same,) = (read_predictions(one, "bleu") for one in (str(path), written(tmp_path / "a.jsonl", texts())))
    assert found.ids == same.ids
    assert np.array_equal(found.values, same.values)
    assert (found.texts, found.outputs, found.data) == (same.texts, same.outputs, same.data)


def test_an_empty_prediction_is_one(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("id,prediction,reference\n1,,one word\n2,two words,two words\n3,a,b\n")
    (found,) = read_predictions(str(path), "exact-match")
    assert found.values.tolist() == [False, True, False]


def test_the_same_items_in_another_order_are_pairs(tmp_path):
    (base,) = read_predictions(written(tmp_path / "a.jsonl", texts()), "bleu", system="base")
    (tuned,) = read_predictions(written(tmp_path / "b.jsonl", texts(TEXTS)[::-1]), "bleu")
    both = paired(base, tuned)
    assert both[1].ids == base.ids
    assert both[1].value == pytest.approx(100)


BAD = {
    "empty file": ([], "auto", "a.jsonl: an empty file: needs"),
    "no id": ([{"ident": 1, "score": 1}, {"ident": 2, "score": 1}], "auto", "a.jsonl:1: no id among 'ident', 'score'"),
    "duplicate id": (
        [*labels(), labels(1)[0]],
        "auto",
        "a.jsonl:9: the id '0', which {path}:1 has already: needs one row for each item",
    ),
    "missing field": ([*labels(), {"id": 9, "prediction": "x"}], "auto", "a.jsonl:9: a row without reference"),
    "mixed kinds": (
        [{"id": 1, "score": 1.0}, {"id": 2, "loss": 1.0}],
        "auto",
        "a.jsonl:2: loss here and score in other rows: needs one kind of value",
    ),
    "two kinds": ([{"id": i, "score": 1, "loss": 2} for i in (1, 2)], "auto", "Try --metric score"),
    "no number": ([{"id": 1, "score": 1}, {"id": 2, "score": "high"}], "auto", "a.jsonl:2: the score 'high': needs a"),
    "nan": ([{"id": 1, "loss": 1}, {"id": 2, "loss": float("nan")}], "auto", "a.jsonl:2: the loss nan: needs a finite"),
    "one item": (labels(1), "accuracy", "a.jsonl:1: 1 item in test: needs two items at least"),
    "texts without a metric": (texts(), "auto", "a.jsonl: 4 different references of 4 rows and no --metric"),
    "unknown metric": (texts(), "blue", "--metric blue: needs auto, accuracy"),
    "no tokens": ([{"id": i, "loss": 1.0} for i in (1, 2)], "perplexity", "a.jsonl:1: a row without tokens"),
    "missing seed": ([*labels(seed=1), {**labels(9)[8]}], "auto", "a.jsonl:9: a row without seed, and the first row"),
    "a seed that a set lacks": (
        [row | {"set": part, "seed": seed} for part, seed in (("a", 1), ("a", 2), ("b", 1)) for row in labels(4)],
        "auto",
        "no row of the set b with the seed 2",
    ),
    "no json": ("{", "auto", "a.jsonl:1: no JSON"),
    "nothing to score": (
        [{"id": 1, "note": "a"}, {"id": 2, "note": "b"}],
        "auto",
        "needs prediction and reference, or",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_one_line_that_says_where(tmp_path, case):
    rows, metric, message = BAD[case]
    path = tmp_path / "a.jsonl"
    if isinstance(rows, str):
        path.write_text(rows + "\n")
    else:
        written(path, rows)
    with pytest.raises((DataError, ConfigError)) as error:
        read_predictions(str(path), metric)
    (line,) = str(error.value).splitlines()
    assert message.replace("{path}", str(path)) in line


def changed(rows, place, **cells):
    return [row | cells if i == place else row for i, row in enumerate(rows)]


PAIRS = {
    "unequal items": (labels(7), "auto", "8 items of base and 7 of tuned on test: '7' is not in tuned"),
    "other references": (changed(labels(), 2, reference="good"), "auto", "other references for 1 item, such as '2'"),
    "different metrics": ([{"id": i, "score": 1.0} for i in range(8)], "auto", "base scored by accuracy"),
}


@pytest.mark.parametrize("case", PAIRS)
def test_files_that_are_no_pairs_are_one_line(tmp_path, case):
    rows, metric, message = PAIRS[case]
    (base,) = read_predictions(written(tmp_path / "a.jsonl", labels()), system="base")
    (tuned,) = read_predictions(written(tmp_path / "b.jsonl", rows), metric)
    with pytest.raises(DataError) as error:
        paired(base, tuned)
    (line,) = str(error.value).splitlines()
    assert message in line


def test_two_files_that_say_the_same_are_refused(tmp_path):
    (base,) = read_predictions(written(tmp_path / "a.jsonl", labels()), system="base")
    (tuned,) = read_predictions(written(tmp_path / "b.jsonl", labels()[::-1]))
    with pytest.raises(DataError, match="the same outputs of base and tuned for all 8 items"):
        must_differ([(base, tuned)])
    (other,) = read_predictions(written(tmp_path / "c.jsonl", changed(labels(), 0, prediction="good")))
    must_differ([(base, other)])
    must_differ([(base, tuned), (base, other)])


def test_numbers_whose_squares_have_no_end_are_refused_where_they_stand(tmp_path):
    path = written(tmp_path / "a.jsonl", [{"id": 1, "score": 1.0}, {"id": 2, "score": -1e300}])
    with pytest.raises(DataError, match=r"a.jsonl:2: the score -1e\+300: needs a number up to 1e\+100"):
        read_predictions(path)


@pytest.mark.parametrize("name", ["score", "loss", "error"])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_whole_number_that_no_float_is_as_large_as_is_refused_where_it_stands(tmp_path, name, sign):
    rows = [{"id": i, name: i if i != 4 else sign * 10**400} for i in range(8)]
    with pytest.raises(DataError) as caught:
        read_predictions(written(tmp_path / "a.jsonl", rows))
    told = str(caught.value)
    assert told.startswith(f"{tmp_path / 'a.jsonl'}:5: the {name} '")
    assert told.endswith("': needs a number up to 1e+100. Try another unit.")
    assert len(told) < 200


def test_an_encoding_is_mended_in_words_since_there_is_no_flag(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes("id,prediction,reference\n1,caf\xe9,a\n2,a,b\n".encode("latin-1"))
    with pytest.raises(DataError, match="Try converting it to utf-8 from latin-1"):
        read_predictions(str(path))


def test_a_loss_of_other_tokens_is_another_measure(tmp_path):
    rows = [{"id": i, "loss": 30.0 + i % 5, "tokens": 12} for i in range(20)]
    (base,) = read_predictions(written(tmp_path / "a.jsonl", rows), system="base")
    (same,) = read_predictions(written(tmp_path / "b.jsonl", rows[::-1]))
    must_count_alike(base, same)
    (tuned,) = read_predictions(written(tmp_path / "c.jsonl", changed(rows, 3, tokens=13)))
    with pytest.raises(DataError, match="12 tokens of item '3' in base and 13 in tuned"):
        must_count_alike(base, tuned)


def test_labels_that_are_wrong_by_their_case_alone_are_counted(tmp_path):
    (found,) = read_predictions(written(tmp_path / "a.jsonl", changed(labels(), 1, prediction="Good")), system="base")
    assert told_by_case(found) == "1 prediction of base on test counted as wrong for upper and lower case alone"
    (found,) = read_predictions(written(tmp_path / "b.jsonl", labels()))
    assert not told_by_case(found)


def test_numbers_to_be_foretold_are_told_from_texts(tmp_path):
    rows = [{"id": i, "prediction": i / 7, "reference": i / 6} for i in range(40)]
    with pytest.raises(ConfigError, match="--metric error for numbers"):
        read_predictions(written(tmp_path / "a.jsonl", rows))


def test_a_list_is_no_prediction(tmp_path):
    with pytest.raises(DataError, match="one text or label"):
        read_predictions(written(tmp_path / "a.jsonl", changed(labels(), 2, prediction=["good"])), "accuracy")


def rows_of(word):
    return [json.loads(line) for line in Path(word).read_text("utf-8").splitlines()]


def two_files(tmp_path, **columns):
    """Two systems alike in how often they are right, not in which items; columns: of row and prediction."""
    random, words = np.random.default_rng(0), []
    rows = [
        {"id": i, "reference": "good" if i % 2 else "bad", "source": "web" if i % 3 else "print"} for i in range(200)
    ]
    for name in ("base", "tuned"):
        told = [row | {"prediction": "good" if random.random() < (0.8 if i % 2 else 0.2) else "bad"}
                for i, row in enumerate(rows)]  # fmt: skip
        told = [row | {column: of(row) for column, of in columns.items()} for row in told]
        words.append(written(tmp_path / f"{name}.jsonl", told))
    return words


def test_a_column_that_tells_of_the_answer_makes_no_slices_and_is_named(tmp_path):
    words = two_files(tmp_path, correct=lambda row: row["prediction"] == row["reference"])
    found = of_files(words[0], words[1:], "auto", {})
    assert {name for one in (found.base, *found.tuned) for name in one.parts["test"][0].slices} == {"label", "source"}
    (note,) = found.notes
    assert note.startswith("'correct' makes no slices, as it is not the same for each item in all files")
    changed = [one for one in weigh(*words).verdict.findings if one.question == "changed" and one.test]
    assert [one.subject for one in changed if one.test and one.test.rejected] == []


def test_a_column_that_one_file_has_alone_makes_no_slices(tmp_path):
    words = two_files(tmp_path, sure=lambda row: "yes" if row["prediction"] == "good" else "no")
    rows = [{name: row[name] for name in row if name != "sure"} for row in rows_of(words[0])]
    found = of_files(written(tmp_path / "base.jsonl", rows), words[1:], "auto", {})
    assert "sure" not in found.tuned[0].parts["test"][0].slices
    assert "'sure' makes no slices" in found.notes[0]


@pytest.mark.parametrize("what", ["prediction", "outcome"])
def test_what_one_system_answered_makes_no_slices_of_either(tmp_path, what):
    """As where both files were made of one table, which had the answers of the base."""
    words = two_files(tmp_path)
    base = {row["id"]: row for row in rows_of(words[0])}
    told = {
        i: row["prediction"] if what == "prediction" else "hit" if row["prediction"] == row["reference"] else "miss"
        for i, row in base.items()
    }
    for word in words:
        written(Path(word), [row | {"before": told[row["id"]]} for row in rows_of(word)])
    found = of_files(words[0], words[1:], "auto", {})
    assert [sorted(one.parts["test"][0].slices) for one in (found.base, *found.tuned)] == [["label", "source"]] * 2
    assert found.notes[0].startswith("'before' makes no slices, as it tells what base answered")


def test_a_column_of_the_references_makes_slices_even_of_a_system_that_is_always_right(tmp_path):
    words = two_files(tmp_path, mood=lambda row: row["reference"].upper())
    written(Path(words[1]), [row | {"prediction": row["reference"]} for row in rows_of(words[1])])
    found = of_files(words[0], words[1:], "auto", {})
    assert set(found.base.parts["test"][0].slices) == {"label", "source", "mood"}
    assert not found.notes
