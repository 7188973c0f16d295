"""Files as other programs write them: the same labels in other spellings, columns by other names, slips of the pen."""

import json

import pytest

import seqwise
from seqwise.errors import ConfigError, DataError
from seqwise.verbs.weighing.labels import told_strange
from seqwise.verbs.weighing.predictions import read_predictions
from seqwise.verbs.weighing.slices import useful


def written(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return str(path)


def labels(said, right, ids=None):
    rows = enumerate(zip(said, right, strict=True))
    return [{"id": ids[i] if ids else i, "prediction": a, "reference": b} for i, (a, b) in rows]


def read(tmp_path, rows, metric="auto"):
    (found,) = read_predictions(written(tmp_path / "a.jsonl", rows), metric)
    return found


def noted(tmp_path, base, tuned, **flags):
    """What is told beside the answer."""
    words = written(tmp_path / "base.jsonl", base), written(tmp_path / "tuned.jsonl", tuned)
    return " ".join(seqwise.weigh(*words, **flags).verdict.notes)


@pytest.mark.parametrize(
    ("said", "right"),
    [
        ([1.0, 0.0, 1.0, 0.0], [1, 0, 1, 0]),
        (["1.0", "0.0", "1", "0"], ["1", "0", "1", "0"]),
        (["True", "False", "true", "FALSE"], [True, False, True, False]),
        ([1, -1, 1, -1], ["+1", "-1", "+1", "-1"]),
        (["-0", 1, "0", 1], [0, "1", 0, "1"]),
        (["good ", " bad", "good", "bad"], ["good", "bad", "good ", "bad"]),
    ],
)
def test_a_label_is_the_same_however_a_program_wrote_it(tmp_path, said, right):
    assert read(tmp_path, labels(said, right)).value == 100


@pytest.mark.parametrize(("said", "right"), [("01", "1"), ("1.5", "1"), ("Us", "US"), ("1.0", "one"), ("True", "yes")])
def test_what_may_be_another_label_is_one(tmp_path, said, right):
    assert read(tmp_path, labels([said] * 4, [right, "2", right, "2"]), "accuracy").value == 0


def test_an_id_that_became_a_float_is_the_same_item(tmp_path):
    found = read(tmp_path, labels("abab", "aabb", [1.0, 2.0, 3.0, 2.5]))
    assert found.ids == ("1", "2", "3", "2.5")


def test_ids_of_a_table_with_a_point_and_a_zero_are_the_same_items(tmp_path):
    """As pandas writes a column of numbers that lacked some once."""
    (tmp_path / "a.csv").write_text("id,score\n" + "".join(f"{i},{i % 7}\n" for i in range(20)))
    (tmp_path / "b.tsv").write_text("id\tscore\n" + "".join(f"{i}.0\t{i % 7 + i / 20}\n" for i in reversed(range(20))))
    (tmp_path / "versions.csv").write_text("id,score\n1.0,0.5\n1.5,0.7\n")
    found = seqwise.weigh(str(tmp_path / "a.csv"), str(tmp_path / "b.tsv")).verdict.findings[0]
    assert found.test.effect.value == pytest.approx(9.5 / 20)
    (kept,) = read_predictions(str(tmp_path / "versions.csv"), "auto")
    assert kept.ids == ("1.0", "1.5")


def test_references_that_differ_by_spaces_alone_are_the_same_labels(tmp_path):
    base = labels("ababab" * 4, "aabbab" * 4)
    tuned = labels("aabbab" * 4, [f"{one} " for one in "aabbab" * 4])
    assert not noted(tmp_path, base, tuned)


def test_any_of_several_labels_may_be_right_and_macro_f1_needs_one(tmp_path):
    rows = [{"id": i, "prediction": "c", "references": ["b", "c"]} for i in range(4)]
    assert read(tmp_path, rows, "accuracy").value == 100
    assert told_strange(read(tmp_path, rows, "accuracy")) == ""
    with pytest.raises(DataError, match=r"a.jsonl:1: 2 references of one item, and --metric macro-f1"):
        read(tmp_path, rows, "macro-f1")


def test_a_number_that_is_written_out_stays_as_it_was_written(tmp_path):
    rows = [{"id": float(i), "prediction": 2.0, "reference": "2.0"} for i in range(4)]
    found = read(tmp_path, rows, "exact-match")
    assert (found.value, found.ids[1]) == (100, "1")
    mixed = labels([2.0, 2.5, 2.0, 2.5], ["2.0", "2.5", "2.0", "2.5"])
    assert read(tmp_path, mixed, "accuracy").value == 100


def test_references_of_a_list_that_are_nothing_are_left_out(tmp_path):
    rows = [{"id": i, "prediction": "", "references": ["b", None]} for i in range(4)]
    assert read(tmp_path, rows, "exact-match").value == 0
    assert read(tmp_path, rows, "exact-match").references[0] == "b"


NAN = float("nan")
BAD = {
    "prediction NaN": (
        [*labels("ab", "ab"), {"id": 2, "prediction": NAN, "reference": "a"}],
        "a.jsonl:3: a row without",
    ),
    "id NaN": (
        [*labels("ab", "ab"), {"id": NAN, "prediction": "a", "reference": "a"}],
        "a.jsonl:3: a row without an id",
    ),
    "no references": ([{"id": i, "prediction": "a", "references": []} for i in (1, 2)], "adding them"),
    "an object": ([{"id": 1, "prediction": "a", "reference": {"en": "a"}}] * 2, "a.jsonl:1: the reference "),
    "an id of parts": ([{"id": [1, 2], "prediction": "a", "reference": "a"}] * 2, "a.jsonl:1: the id '[1, 2]'"),
    "ID": ([{"ID": i, "score": 1.0} for i in (1, 2)], "Try calling 'ID' id."),
    "numbers between labels": (
        labels([0.43, 1.2, 0, 1], [0, 1, 0, 1]),
        "a.jsonl:1: the prediction 0.43, few different numbers as references, and no --metric",
    ),
    "a wrong sign": ([{"id": i, "loss": -30.0 - i, "tokens": 9} for i in (1, 2)], "Try the same without its sign."),
    "no such loss": ([{"id": i, "loss": 1e6 + i, "tokens": 9} for i in (1, 2)], "from 0 to 700 a token"),
    "next to nothing": (
        [{"id": i, "score": 1e-300 * i} for i in (1, 2)],
        "no score beyond 2e-300: needs numbers beyond",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_no_score_can_be_made_of_is_one_line_that_says_where(tmp_path, case):
    rows, message = BAD[case]
    with pytest.raises((DataError, ConfigError)) as error:
        read(tmp_path, rows)
    (line,) = str(error.value).splitlines()
    assert message in line


@pytest.mark.parametrize(
    ("theirs", "ours"), [("hypothesis", "prediction"), ("Prediction", "prediction"), ("target", "reference")]
)
def test_a_column_by_another_name_is_found(tmp_path, theirs, ours):
    rows = labels(["a b c d e f"] * 3, ["a b c d e g"] * 3)
    for row in rows:
        row[theirs] = row.pop(ours)
    with pytest.raises(DataError, match=f"no {ours} among .*Try calling '{theirs}' {ours}"):
        read(tmp_path, rows, "bleu")


def test_another_encoding_is_mended_outside_as_there_is_no_flag(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes('{"id": 1, "prediction": "café", "reference": "a"}\n'.encode("latin-1"))
    with pytest.raises(DataError, match="Try iconv -f latin-1 -t utf-8 "):
        read_predictions(str(path))
    path.write_text('{"id": 1, "prediction": "a", "reference": "a"}\n', "utf-16")
    with pytest.raises(DataError, match="Try iconv -f utf-16 -t utf-8 "):
        read_predictions(str(path))


RIGHT = [["good", "bad"][i % 3 % 2] for i in range(30)]
HALF = labels([one if i % 2 else "good" for i, one in enumerate(RIGHT)], RIGHT)


def test_predictions_that_are_no_label_are_told_of(tmp_path):
    names = {"good": "LABEL_1", "bad": "LABEL_0"}
    told = noted(tmp_path, HALF, labels([names[one] for one in RIGHT], RIGHT))
    assert "30 of 30 predictions of tuned on test are no label of the references: 'LABEL_1' beside 'good'" in told


def test_shares_beside_percents_are_told_of(tmp_path):
    base = [{"id": i, "score": 0.5 + i / 100} for i in range(30)]
    told = noted(tmp_path, base, [{"id": i, "score": 60 + i % 7} for i in range(30)])
    assert "the score of base on test lies between 0 and 1, and that of tuned reaches 66: are these percents?" in told
    assert not noted(tmp_path, base, [{"id": i, "score": 0.6 + i % 7 / 100} for i in range(30)])


def test_bleu_of_a_script_without_spaces_is_told_of(tmp_path):
    right = [
        f"나는개를{'아주' * (i % 3)}좋아하기때문에거기에갑니다" for i in range(30)
    ]  # Korean has spaces, if they are written
    rows = labels(["나는고양이를좋아하기때문에가지않습니다"] * 30, right), labels(right, right)
    assert "--metric chrf counts letters" in noted(tmp_path, *rows, metric="bleu")
    assert not noted(tmp_path, *rows, metric="chrf")
    japanese = [f"私は犬が{'とても' * (i % 3)}好きですから行きます" for i in range(30)]  # cut by letters
    rows = labels(["私は猫が好きですから行きません"] * 30, japanese), labels(japanese, japanese)
    assert not noted(tmp_path, *rows, metric="bleu")


def refused(tmp_path, base, tuned, **flags):
    with pytest.raises((DataError, ConfigError)) as error:
        noted(tmp_path, base, tuned, **flags)
    (line,) = str(error.value).splitlines()
    return line


def test_true_and_false_beside_numbers_are_refused_by_that_name(tmp_path):
    base, tuned = ([{"id": i, "score": kind(i % 3)} for i in range(9)] for kind in (bool, int))
    line = refused(tmp_path, base, tuned)
    assert "the score of base is true or false, and that of tuned a number: needs one kind in both files" in line


def test_other_references_are_shown_where_they_part(tmp_path):
    rows = labels(["x y"] * 4, ["a" * 60 + "b"] * 4)
    line = refused(tmp_path, rows, labels(["y x"] * 4, ["a" * 60 + "b "] * 4), metric="bleu")
    assert f"such as '0', '{'a' * 19}b' in base and '{'a' * 19}b ' in tuned" in line


def test_clusters_that_part_the_items_otherwise_are_refused_and_other_names_are_not(tmp_path):
    base = [row | {"cluster": i // 5} for i, row in enumerate(HALF)]
    right = labels(RIGHT, RIGHT)
    same, other = ([row | {"cluster": f"d{i // n}"} for i, row in enumerate(right)] for n in (5, 3))
    assert "in cluster '0' of base and 'd1' of tuned" in refused(tmp_path, base, other)
    assert not noted(tmp_path, base, same)


def test_no_margin_is_the_whole_of_what_there_is(tmp_path):
    tuned = labels(RIGHT, RIGHT)
    line = refused(tmp_path, HALF, tuned, margin=100)
    assert "--margin 100 on test: needs below 100 points, as accuracy has no more to lose" in line


def test_long_labels_of_slices_are_cut_unless_two_would_be_one():
    found = useful({"source": ["a" * 3000, "b", "b"]})["source"]
    assert found == ("a" * 59 + "…", "b", "b")
    alike = ["a" * 3000, "a" * 3000 + "b", "a" * 3000]
    assert useful({"source": alike})["source"] == tuple(alike)


def test_a_score_beside_labels_may_be_how_sure_the_model_was(tmp_path):
    rows = [{**row, "score": 0.5 + row["id"] / 100} for row in labels("abab" * 5, "aabb" * 5)]
    with pytest.raises(ConfigError, match=r"a.jsonl:1: .*the score 0.5, and no --metric: .*--metric accuracy"):
        read(tmp_path, rows)
    assert read(tmp_path, rows, "accuracy").measure.name == "accuracy"
    assert read(tmp_path, rows, "score").measure.name == "score"
    right = [{**row, "score": row["prediction"] == row["reference"]} for row in rows]
    assert read(tmp_path, right).value == 50
    texts = [{**row, "prediction": f"text {row['id']}", "reference": f"other {row['id']}"} for row in rows]
    assert read(tmp_path, texts).measure.name == "score"


@pytest.mark.parametrize(
    ("columns", "mend"),
    [
        (("doc_id", "acc"), "Try calling 'doc_id' id."),
        (("id", "acc"), "Try calling 'acc' score."),
        (("id", "output", "target"), "Try calling 'output' prediction and 'target' reference."),
        (("id", "prediction", "gold"), "Try calling 'gold' reference."),
        (("id", "nll"), "Try calling 'nll' loss."),
        (("id", "what"), "Try adding them."),
    ],
)
def test_what_others_call_our_columns_is_told(tmp_path, columns, mend):
    rows = [{name: i if name in ("id", "doc_id") else 0.5 for name in columns} for i in range(4)]
    with pytest.raises(DataError) as told:
        read(tmp_path, rows)
    assert str(told.value).endswith(mend)


def test_losses_below_zero_are_told(tmp_path):
    base = [{"id": i, "loss": -2.0 - i % 7 / 10} for i in range(30)]
    told = noted(tmp_path, base, [{"id": i, "loss": -1.5 - i % 5 / 10} for i in range(30)])
    assert "each loss of base on test is below 0, and less is taken to be better" in told
    assert not noted(tmp_path, base, [{"id": i, "loss": -1.5 - i % 5 / 10} for i in range(29)] + [{"id": 29, "loss": 0}]
                     ).count("of tuned")  # fmt: skip


def test_the_only_set_is_told_to_be_the_test_set(tmp_path):
    base, tuned = ([{"id": i, "score": i % k, "set": "news"} for i in range(30)] for k in (3, 4))
    assert "news is the only set, and is taken for the test set" in noted(tmp_path, base, tuned)
