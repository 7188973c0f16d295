import random
from math import sqrt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqwise.data import nearness
from seqwise.data.checks import Check, Part, Room, checks_for, learnt
from seqwise.data.conversations import Conversations, exchange
from seqwise.data.corpus import Labelled, Pairs
from seqwise.data.labelchecks import alike, detectable, label_faults
from seqwise.data.masking import Masked, Masks
from seqwise.data.mojibake import garbled
from seqwise.data.nearness import LIKE, near, shingles
from seqwise.errors import Fault

WORDS = [f"word{i}" for i in range(400)]


def sentences(count: int, seed: int = 1, length: int = 12) -> list[str]:
    chance = random.Random(seed)
    return [" ".join(chance.choices(WORDS, k=length)) for _ in range(count)]


def labelled(texts: list[str], labels: list[str] | None = None, name: str = "train") -> Part:
    return Part.of(name, Labelled.of(texts, labels or ["a", "b"] * (len(texts) // 2) + ["a"] * (len(texts) % 2), name))


def found(*parts: Part, **more) -> dict[str, Check]:
    return {check.name: check for check in checks_for(*parts, **more)}


# --- near texts ------------------------------------------------------------------------------------------------


def jaccard(one: str, other: str) -> float:
    a, b = shingles(one), shingles(other)
    return len(a & b) / len(a | b)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**6), st.integers(2, 40))
def test_near_texts_are_those_that_comparing_all_with_all_finds(seed, count):
    """The oracle knows no MinHash. Of many alike not every pair is told, but each one has a partner."""
    chance = random.Random(seed)
    texts = sentences(count, seed)
    for _ in range(count // 3):
        words = chance.choice(texts).split()
        words[chance.randrange(len(words))] = chance.choice(WORDS)
        texts.append(" ".join(words))
    expected = {(i, j) for j in range(len(texts)) for i in range(j) if jaccard(texts[i], texts[j]) >= LIKE}
    told = near(texts)
    assert set(told) <= expected
    assert {j for _, j in told} == {j for _, j in expected}


def test_case_punctuation_and_width_do_not_matter():
    assert near(["The dog, at home!", "the DOG at  home", "ｔｈｅ dog at home.", "the dog at work"]) == [
        (0, 1),
        (0, 2),
        (1, 2),
    ]
    assert shingles("日本 dog") == {" 日", "日 本", "本 dog", "dog "}
    assert near([]) == near(["a"]) == []


def test_texts_without_a_letter_are_compared_by_their_characters():
    assert near(["😀😀🎉", "🐶", "!!!", "…?", "🐶"]) == [(1, 4)]


def test_vowel_signs_tell_words_apart():
    one, other = "लड़का खाता पीता", "लड़की खाती पीती"
    assert shingles(one) & shingles(other) == set()
    assert near([one, other]) == []


def test_a_thousand_copies_are_not_compared_with_one_another(monkeypatch):
    counted = []
    monkeypatch.setattr(nearness, "shingles", lambda text: counted.append(1) or shingles(text))
    told = near(["the dog is at home"] * 1000)
    assert len(told) <= 4 * 1000
    assert {later for _, later in told} == set(range(1, 1000))
    assert len(counted) <= 2 * 1000


# --- letters of a wrong encoding -------------------------------------------------------------------------------

PROSE = [
    "Un café à l’été, ça va ?",
    "„Größe“ – 10 °C",
    "Привет",
    "日本語",
    "ελληνικά",
    "«\u00a0Amitié\u00a0»",
    "MENÜ»",
    "C++",
    "NÃO É",
]


@pytest.mark.parametrize("text", PROSE)
def test_text_as_it_should_be_is_no_garbage(text):
    assert garbled(text) == ""


@pytest.mark.parametrize("text", [text for text in PROSE if not text.isascii()])
@pytest.mark.parametrize("wrong", ["cp1252", "latin-1"])
def test_utf_8_that_was_read_as_western_is_found(text, wrong):
    spoilt = text.encode().decode(wrong, "ignore" if wrong == "cp1252" else "strict")
    assert garbled(spoilt) != "" or len(text.encode()) != len(spoilt)  # cp1252 has no letter for some bytes
    assert garbled("café".encode().decode(wrong))


def test_what_was_given_up_is_found():
    assert [bool(garbled(text)) for text in ("a\ufffdb", "Sepp+ñl+ñ", "x\x85y", "x\x01y")] == [True] * 4


# --- one check at a time ---------------------------------------------------------------------------------------


def test_data_without_a_fault_pass_every_check():
    texts = sentences(4000)
    train, valid, test = (
        labelled(texts[:2000]),
        labelled(texts[2000:2200], name="valid"),
        labelled(texts[2200:], name="test"),
    )
    checks = checks_for(train, valid, test, room=Room(lambda rows: [len(row.split()) for row in rows], 12))
    assert {check.level for check in checks} == {"PASS"}
    assert [check.name for check in checks] == [
        *("rows", "empty", "encoding", "duplicates", "near duplicates", "conflicts", "balance"),
        *("leakage train-valid", "leakage train-test", "leakage valid-test"),
        *("lengths train", "lengths valid", "lengths test", "test size"),
    ]


def test_rows_that_stand_twice_are_told_with_their_places():
    texts = sentences(50)
    check = found(labelled([*texts, texts[0].upper(), texts[1]], ["a", "b"] * 26))["duplicates"]
    assert (check.level, check.rows) == ("WARN", ("train:51", "train:52"))
    assert check.told == "2 of 52 rows (3.8 %) in training stand there before"


def test_near_duplicates_are_told_apart_from_equal_ones():
    texts = sentences(20, length=30)
    close = texts[3].rsplit(" ", 1)[0] + " other"
    check = found(labelled([*texts, texts[0], close, texts[1]], ["a", "b"] * 11 + ["a"]))["near duplicates"]
    assert (check.level, check.rows) == ("WARN", ("train:22",))


def test_a_text_with_two_labels_is_a_conflict():
    texts = sentences(30)
    check = found(labelled([*texts, texts[0].title()], ["a", "b"] * 15 + ["b"]))["conflicts"]
    assert (check.level, check.rows) == ("WARN", ("train:1 and train:31",))
    assert check.told == "1 of 30 texts (3.3 %) with two labels or more, the first a, b"
    half = found(labelled([*texts, *texts], ["a"] * 30 + ["b"] * 30))["conflicts"]
    assert half.level == "FAIL"


def test_labels_that_cannot_be_learnt_fail_and_rare_ones_warn():
    texts = sentences(60)
    assert found(labelled(texts, ["a"] * 60))["balance"].level == "FAIL"
    rare = found(labelled(texts, ["a"] * 29 + ["b"] * 29 + ["c"] * 2))["balance"]
    assert (rare.level, rare.rows) == ("WARN", ("train:59", "train:60"))
    assert rare.told.endswith("1 of 3 labels with fewer than 10 examples, c with 2")
    many = sentences(300)
    assert found(labelled(many, ["a"] * 285 + ["b"] * 15))["balance"].level == "WARN"
    odd = found(labelled(texts), labelled(sentences(4, 2), ["a", "b", "c", "d"], "test"))["labels"]
    assert (odd.level, odd.rows) == ("FAIL", ("test:3", "test:4"))
    assert found(labelled(texts), labels=["a", "x"])["labels"].rows == tuple(f"train:{i}" for i in (2, 4, 6, 8, 10))


def test_texts_in_place_of_labels_are_no_labels():
    """Two aligned files of a translator, read without --task."""
    check = found(labelled(sentences(40), sentences(40, 2)))["balance"]
    assert check.level == "FAIL"
    assert check.told.startswith("40 labels on 40 rows, such as")
    assert "--task translate" in check.mend
    assert found(labelled(sentences(4), ["a", "b", "a", "b"]))["balance"].level == "WARN"


def test_few_rows_of_several_labels_are_labels_all_the_same():
    """Two labels on three rows are no texts; eleven on eleven are."""
    assert found(labelled(["one", "two", "three"], ["x", "y", "y"]))["balance"].level == "WARN"
    ten, eleven = (list(map(str, range(count))) for count in (10, 11))
    assert found(labelled(ten, ten))["balance"].level == "WARN"
    assert found(labelled(eleven, eleven))["balance"].level == "FAIL"


def test_spellings_of_many_labels_are_counted_once():
    """Counting each in all rows is quadratic: minutes for the answers of a large set."""

    class Once(tuple):
        def count(self, value):
            raise AssertionError("counted row by row")

    answers = Once(f"{word} {i}" for i in range(40) for word in ("Name", "name", "name"))
    texts = tuple(map(str, range(120)))
    (check,) = alike(Part("train", texts, answers, tuple(f"train:{i}" for i in range(120)), True))
    assert check.rows == tuple(f"train:{3 * i}" for i in range(5))


def test_labels_that_differ_in_their_spelling_alone_are_told():
    texts = sentences(60)
    check = found(labelled(texts, ["neutral"] * 29 + ["Neutral"] + ["1"] * 28 + ["1.0"] * 2))["labels"]
    assert check.level == "WARN"
    assert check.told == "written alike, but told apart: 'Neutral' and 'neutral'; '1' and '1.0'"
    assert check.rows == ("train:30", "train:59", "train:60")
    assert "labels" not in found(labelled(texts, ["neutral"] * 30 + ["neutral 2"] * 30))


@pytest.mark.parametrize(("values", "level"), [(26, "WARN"), (400, "FAIL")])
def test_scores_are_told_from_labels(values, level):
    """As of STS, 0.0 to 5.0: a model would learn each as a class and be wrong with the next one."""
    labels = [f"{5 * (i % values) / (values - 1):.3f}" for i in range(600)]
    balance = found(labelled(sentences(600), labels))["balance"]
    assert balance.level == level
    assert (
        f"{values} labels that are numbers with fractions, 0.000 to 5.000: rather scores, which are not" in balance.told
    )


@pytest.mark.parametrize("names", ["01234", ["0.0", "1.0", "2.0", "3.0", "4.0"], ["1.1", "1.2"], ["1.5", "nan", "a"]])
def test_numbers_that_name_classes_are_no_scores(names):
    labels = [names[i % len(names)] for i in range(300)]
    assert found(labelled(sentences(300), labels))["balance"].level == "PASS"


def test_a_leak_fails_from_one_percent_on():
    texts = sentences(300)
    test = labelled([*sentences(199, 2), texts[5].upper()], name="test")
    check = found(labelled(texts), None, test)["leakage train-test"]
    assert (check.level, check.rows) == ("WARN", ("test:200",))
    assert check.told == "1 of 200 rows (0.5 %) of test stand in train, 0 more nearly so"
    more = labelled([*sentences(199, 2), texts[5], texts[6], texts[7]], name="test")
    assert found(labelled(texts), None, more)["leakage train-test"].level == "FAIL"


def test_texts_that_nearly_stand_in_training_are_told_too():
    texts = sentences(50, length=30)
    close = [text.rsplit(" ", 1)[0] + " other" for text in texts[:2]]
    check = found(labelled(texts), labelled([*sentences(98, 2), *close], name="valid"))["leakage train-valid"]
    assert (check.level, check.rows) == ("WARN", ("valid:99", "valid:100"))


def test_what_the_model_would_cut_off_is_counted():
    room = Room(lambda rows: [len(row.split()) for row in rows], 14)
    long = sentences(3, 2, 40)
    check = found(labelled([*sentences(97), *long], ["a", "b"] * 50), room=room)["lengths train"]
    assert (check.level, check.rows) == ("WARN", ("train:98", "train:99", "train:100"))
    assert (
        check.told == "3 of 100 rows (3.0 %) would be cut off: median 12 tokens, longest 40, of 14 that the model takes"
    )
    pairs = Part.of("train", Pairs.of(sentences(9), sentences(9, 3, 4)))
    assert found(pairs, room=room)["lengths train"].level == "PASS"
    assert found(pairs, room=Room(room.count, 14, shared=True))["lengths train"].level == "FAIL"
    assert found(pairs, room=Room(room.count, None))["lengths train"].told == "median 12 tokens, longest 12"


def test_bad_and_empty_rows_and_garbage_are_told():
    bad = Part(
        "train",
        ("a b", "", "cafÃ©"),
        ("x", "y", "z"),
        ("f:1", "f:2", "f:3"),
        False,
        (Fault("no JSON", "it", "x", "f:4"),),
    )
    checks = found(bad)
    assert (checks["rows"].level, checks["rows"].rows) == ("WARN", ("f:4",))
    assert checks["rows"].told == "3 to train on; 1 of 4 rows (25.0 %) could not be read: no JSON"
    assert (checks["empty"].level, checks["empty"].rows) == ("WARN", ("f:2",))
    assert (checks["encoding"].level, checks["encoding"].rows) == ("WARN", ("f:3",))
    assert found(Part("train", ("a",), ("b",), ("f:1",)))["rows"].level == "FAIL"


def test_conversations_are_compared_by_what_is_asked():
    talks = Part.of("train", Conversations.of([exchange("a b c", "x"), exchange("A b c", "X"), exchange("a b c", "y")]))
    assert found(talks)["duplicates"].rows == ("memory:2",)


def test_what_is_left_to_learn_is_told():
    part = Part("train", ("a", "b"), ("c", "d"), ("f:1", "f:2"))
    good = Masked((1, 2, 9), (False, True, True), 0)
    assert learnt(Masks((good, good)), [9], part).told == "4 of 6 tokens (66.7 %) are learnt"
    assert learnt(Masks((good, good), cut=1), [9], part).level == "WARN"
    assert learnt(Masks((good, good), (Fault("long", "less", "x", "f:2"),)), [9], part).rows == ("f:2",)
    assert learnt(Masks((good,)), [9], part).level == "FAIL"


# --- the gain that a test can show -----------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "accuracy"), [(200, 0.5), (872, 0.8), (1821, 0.9)])
def test_the_gain_is_found_in_four_tests_of_five(count, accuracy):
    """By simulation: two models that err independently, McNemar's test at the 5 % level."""
    gain = detectable(count, accuracy)
    only_old, only_new = (2 * accuracy * (1 - accuracy) - gain) / 2, (2 * accuracy * (1 - accuracy) + gain) / 2
    chance = random.Random(1)
    shown = 0
    for _ in range(600):
        drawn = chance.choices((1, -1, 0), (only_new, only_old, 1 - only_new - only_old), k=count)
        better, worse = drawn.count(1), drawn.count(-1)
        shown += (better - worse) / sqrt(max(1, better + worse)) > 1.959964
    assert shown / 600 == pytest.approx(0.8, abs=0.06)


def test_a_small_test_warns():
    train = labelled(sentences(100))
    check = found(train, labelled(sentences(60, 2), name="valid"))["test size"]
    assert check.level == "WARN"
    assert check.mend == "1,570 texts, which show 5 points whatever the accuracy"
    assert found(train, None, labelled(sentences(1570, 2), name="test"))["test size"].level == "PASS"


def test_labels_that_no_training_can_do_with_are_faults():
    def told(*given, **more) -> list[str]:
        return [fault.given for fault in label_faults(*given, **more)]

    assert told(["a"]) == ["1 example"]
    assert told(["a", "a"]) == ["2 examples, all with the label 'a'"]
    assert told(["a", "b"]) == []
    (fault,) = label_faults(["pos", "neg", "poss", "poss"], ["pos", "neg"], ["f:1", "f:2", "f:3", "f:4"])
    assert str(fault) == (
        "f:3: the label 'poss' (2 times), which the model does not know: needs one of pos, neg. "
        "Try writing 'pos' there, or leaving these rows out."
    )


def test_a_check_is_plain_values():
    check = Check("rows", "WARN", "few", ("a:1",), "more")
    assert check.to_dict() == {"name": "rows", "level": "WARN", "told": "few", "rows": ["a:1"], "mend": "more"}
