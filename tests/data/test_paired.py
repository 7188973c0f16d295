"""Pairs of texts: found in tables by their columns, told apart where it could be others, counted as both."""

import json

import pytest

from seqwise.data.checks import Part, checks_for
from seqwise.data.filters import key
from seqwise.data.nearness import near
from seqwise.data.paired import NAMES, joined, pair, sides
from seqwise.data.text import TextSettings, read_labelled
from seqwise.errors import ConfigError, DataError

ROW = ("A man sleeps, deeply.", 'He "rests"', "yes")


def table(folder, ending, names, row=ROW, extra="7"):
    """A row of a pair, an index in front of it, in any format."""
    columns = dict(zip(("idx", *names), (extra, *row), strict=True))
    place = folder / f"data.{ending}"
    if ending == "jsonl":
        place.write_text(json.dumps(columns) + "\n")
    elif ending == "parquet":
        import polars

        polars.DataFrame({name: [value] for name, value in columns.items()}).write_parquet(place)
    elif ending == "csv":
        quoted = ['"' + cell.replace('"', '""') + '"' for cell in columns.values()]
        place.write_text(";".join(columns) + "\n" + ";".join(quoted) + "\n")
    else:
        place.write_text("\t".join(columns) + "\n" + "\t".join(columns.values()) + "\n")
    return place


@pytest.mark.parametrize("ending", ["tsv", "csv", "jsonl", "parquet"])
@pytest.mark.parametrize("names", NAMES)
def test_two_columns_of_usual_names_are_a_pair(tmp_path, ending, names):
    notes = []
    found = read_labelled([table(tmp_path, ending, (*names, "gold_label"))], TextSettings(), notes.append)
    assert found.asked == [ROW[:2]]
    assert (found.labels, found.parted) == (("yes",), True)
    assert any(f"pairs of texts, {names[0]} with {names[1]}, labelled by gold_label" in note for note in notes)


@pytest.mark.parametrize("ending", ["tsv", "csv", "jsonl", "parquet"])
def test_two_columns_that_are_named_are_a_pair(tmp_path, ending):
    """Whatever else is there; and one that is named is read alone."""
    place = table(tmp_path, ending, ("text", "says", "verdict"))
    found = read_labelled([place], TextSettings(text=("says", "text"), label="verdict"))
    assert found.asked == [(ROW[1], ROW[0])]
    alone = read_labelled([place], TextSettings(text="says", label="verdict"))
    assert (alone.asked, alone.parted) == ([ROW[1]], False)


def test_columns_are_counted_where_there_is_no_header(tmp_path):
    (tmp_path / "in.tsv").write_text("1\tone\ttwo\tyes\n")
    found = read_labelled([tmp_path / "in.tsv"], TextSettings(text=("3", "2"), label="4"))
    assert (found.asked, found.labels) == ([("two", "one")], ("yes",))


def test_a_column_text_goes_before_pairs_and_is_told(tmp_path):
    notes = []
    place = table(tmp_path, "jsonl", ("premise", "hypothesis", "text"))
    place.write_text(place.read_text().replace('"idx"', '"label"'))
    found = read_labelled([place], TextSettings(), notes.append)
    assert (found.texts, found.labels, found.parted) == (("yes",), ("7",), False)
    assert notes[0].endswith("the column text alone is read; premise with hypothesis by --data.text, given twice")


def test_a_tab_within_the_first_text_parts_nothing(tmp_path):
    (tmp_path / "in.jsonl").write_text(json.dumps({"premise": "a\tb ", "hypothesis": " c\td", "label": 1}) + "\n")
    found = read_labelled([tmp_path / "in.jsonl"], TextSettings())
    assert (found.asked, found.labels) == ([("a b", "c\td")], ("1",))
    assert pair(joined("a\tb", "c")) == ("a b", "c")
    assert (sides("a\tb\tc"), sides("a")) == (("a", "b\tc"), ("a",))


WRONG = {
    "two pairs": (
        {"premise": "a", "hypothesis": "b", "sentence1": "c", "sentence2": "d", "label": "x"},
        TextSettings(),
        "two pairs of texts among the columns, sentence1 with sentence2 and premise with hypothesis: needs to be told "
        "which two are meant. Try --data.text sentence1 --data.text sentence2.",
    ),
    "half a pair": (
        {"premise": "a", "hypothesis": " ", "label": "x"},
        TextSettings(),
        "an empty second text: needs two texts and a label in every row. Try mending it, --data.text with one column "
        "alone, or --on-bad-row skip.",
    ),
    "half a pair in front": (
        {"premise": "", "hypothesis": "b", "label": "x"},
        TextSettings(),
        "an empty first text: needs two texts and a label in every row. Try mending it, --data.text with one column "
        "alone, or --on-bad-row skip.",
    ),
    "null for a text": (
        {"text": "a", "text_pair": None, "label": "x"},
        TextSettings(),
        "\"text_pair\": 'null': needs text in quotes. Try mending it, --data.text text alone, or --on-bad-row skip.",
    ),
    "no label": (
        {"premise": "a", "hypothesis": "b", "verdict": "x"},
        TextSettings(),
        'no "label" among premise, hypothesis, verdict: needs "label" in every row. Try --data.label with one of them, '
        "or --on-bad-row skip.",
    ),
    "a name that is none": (
        {"premise": "a", "hypothesis": "b", "label": "x"},
        TextSettings(text=("premise", "hypotesis")),
        'no "hypotesis" among premise, hypothesis, label: needs "hypotesis" in every row. Try --data.text premise '
        "--data.text hypothesis, or --on-bad-row skip.",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_a_pair_is_told(tmp_path, name):
    row, settings, told = WRONG[name]
    (tmp_path / "in.jsonl").write_text(json.dumps(row) + "\n")
    with pytest.raises(DataError) as caught:
        read_labelled([tmp_path / "in.jsonl"], settings)
    assert str(caught.value).removeprefix(f"{tmp_path}/in.jsonl").lstrip(":1 ") == told


JSON_OF_A_SINGLE = '{"text": "a", "label": "x"}\n'
JSON_OF_A_PAIR = '{"text": "c", "text_pair": "d", "label": "y"}\n'


def test_a_second_text_that_some_rows_lack_is_told(tmp_path):
    """In whichever order they stand; the first text alone is read where that is asked for."""
    place = tmp_path / "in.jsonl"
    place.write_text(JSON_OF_A_PAIR + JSON_OF_A_SINGLE)
    with pytest.raises(
        DataError, match=r':2: no "text_pair" among .* Try --data\.text text alone, or --on-bad-row skip'
    ):
        read_labelled([place], TextSettings())
    place.write_text(JSON_OF_A_SINGLE + JSON_OF_A_PAIR)
    with pytest.raises(DataError, match=r':2: "text_pair", which the rows before lack.* Try --data\.text text, or '):
        read_labelled([place], TextSettings())
    assert read_labelled([place], TextSettings(text="text")).asked == ["a", "c"]


@pytest.mark.parametrize("ending", ["tsv", "csv", "jsonl", "parquet"])
@pytest.mark.parametrize("names", [("Premise", "Hypothesis", "Label"), ("sentence_A", "Sentence_B", "LABEL")])
def test_usual_names_are_found_in_any_case(tmp_path, ending, names):
    """Else the header is a row of the data, and the second text the label."""
    found = read_labelled([table(tmp_path, ending, names)], TextSettings())
    assert (found.asked, found.labels, found.parted) == ([ROW[:2]], ("yes",), True)


def test_columns_between_semicolons_are_found_in_any_case(tmp_path):
    (tmp_path / "in.csv").write_text("Premise;Hypothesis;Label\na, b, c;d, e;x\nf, g;h;y\n")
    assert read_labelled([tmp_path / "in.csv"], TextSettings()).asked == [("a, b, c", "d, e"), ("f, g", "h")]


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_a_column_text_goes_before_two_pairs(tmp_path, ending):
    place = table(tmp_path, ending, ("text", "label", "query", "passage", "document"), row=("a", "x", "q", "p", "d"))
    notes = []
    found = read_labelled([place], TextSettings(), notes.append)
    assert (found.asked, found.labels) == (["a"], ("x",))
    assert any("the column text alone is read; query with passage by --data.text" in note for note in notes)


def test_the_label_that_says_undecided_is_told(tmp_path):
    place = tmp_path / "in.tsv"
    place.write_text("sentence1\tsentence2\tgold_label\na\tb\t-\nc\td\tneutral\n")
    notes = []
    assert read_labelled([place], TextSettings(), notes.append).labels == ("-", "neutral")
    assert notes[-1].startswith("1 pair labelled -, as in SNLI where judges disagree: a label like any other")
    place.write_text(place.read_text().replace("neutral", "+"))
    notes = []
    read_labelled([place], TextSettings(), notes.append)
    assert not any("SNLI" in note for note in notes)


def test_single_texts_and_pairs_do_not_mix(tmp_path):
    (tmp_path / "a.tsv").write_text("text\tlabel\nx\tyes\n")
    (tmp_path / "b.tsv").write_text("premise\thypothesis\tlabel\nx\ty\tyes\n")
    with pytest.raises(DataError, match=r"b\.tsv: single texts here and pairs of texts in .*a\.tsv, or the other way"):
        read_labelled([tmp_path / "a.tsv", tmp_path / "b.tsv"], TextSettings())


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"text": ("a", "a")}, "--data.text a with --data.text a: needs different columns."),
        ({"text": ("1", "b"), "label": "3"}, "needs three names, or three different numbers counted from 1."),
        ({"text": ("1", "2")}, "Try --data.text 1 --data.text 2 --data.label 3, or the names in the first row."),
    ],
)
def test_columns_that_contradict_each_other_are_refused(tmp_path, asked, told):
    with pytest.raises(ConfigError) as caught:
        read_labelled([table(tmp_path, "tsv", ("premise", "hypothesis", "label"))], TextSettings(**asked))
    assert told in str(caught.value)


PREMISE = "the quick brown fox jumps over the lazy dog while the rain keeps falling on all the roofs of the old town"


def test_pairs_are_the_same_and_near_by_both_texts():
    """A premise that several hypotheses share makes no two of them alike, however long it is."""
    one, same, other = (joined(PREMISE, text) for text in ("A fox jumps.", "a fox jumps .", "Nobody is there."))
    assert key(pair(one)) == key(pair(same)) != key(pair(other))
    assert key(("ab", "c")) != key(("a", "bc"))
    longer = joined(f"{PREMISE} again", "A fox jumps.")
    assert near([one, other, longer]) == [(0, 2)]


def test_a_tab_in_a_single_text_is_a_space(tmp_path):
    """So that a leak is found, however the text is spaced."""
    assert key("a\tb") == key("A b") == "ab"
    train = Part("train", ("some\ttext", "another"), ("x", "y"), ("train:1", "train:2"), True)
    test = Part("test", ("some text", "a third"), ("x", "y"), ("test:1", "test:2"), True)
    found = {check.name: check for check in checks_for(train, None, test)}
    assert found["leakage train-test"].rows == ("test:1",)


def test_shingles_of_a_side_are_made_once(monkeypatch):
    """A passage that many pairs share is not cut into words for each of them."""
    from seqwise.data import nearness

    made = []
    shingles = nearness.shingles
    monkeypatch.setattr(nearness, "shingles", lambda text: made.append(text) or shingles(text))
    passages = [" ".join(f"{word}{i}" for word in PREMISE.split()) for i in range(3)]
    texts = [joined(passages[i % 3], f"question {i} of many") for i in range(30)]
    near(texts)
    assert made
    assert all(made.count(passage) <= 1 for passage in passages)


def test_leaks_and_conflicts_look_at_both_texts():
    def part(name, rows):
        texts, labels = zip(*rows, strict=True)
        return Part(name, texts, labels, tuple(f"{name}:{i}" for i in range(len(rows))), True, parted=True)

    train = part("train", [(joined(PREMISE, f"word{i} other{i}"), "ab"[i % 2]) for i in range(20)])
    test = part("test", [(joined(PREMISE, f"fresh{i} thing{i}"), "ab"[i % 2]) for i in range(20)])
    found = {check.name: check for check in checks_for(train, None, test)}
    names = ("duplicates", "near duplicates", "conflicts", "leakage train-test")
    assert [found[name].level for name in names] == ["PASS"] * 4
    torn = part("train", [*zip(train.texts, train.answers, strict=True), (train.texts[0], "b")])
    leaked = part("test", [*zip(test.texts, test.answers, strict=True), (train.texts[1], "b")])
    found = {check.name: check for check in checks_for(torn, None, leaked)}
    assert found["conflicts"].rows == ("train:0 and train:20",)
    assert found["leakage train-test"].rows == ("test:20",)
