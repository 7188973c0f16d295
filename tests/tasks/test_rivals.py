import random

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from seqwise.errors import ConfigError, DataError
from seqwise.tasks.rivals import Copy, Lead, Majority, TfIdf, rivals_for

GOOD, BAD = "a great and moving film", "a dull and empty film"


def reviews(n, seed=0):
    """Made-up reviews: words of praise or blame among others."""
    draw = random.Random(seed)
    labels = [draw.choice(["good", "bad"]) for _ in range(n)]
    words = {"good": ("great", "moving", "fine"), "bad": ("dull", "empty", "weak")}
    filler = ("the", "film", "and", "its", "actors", "in", "this", "story", "of", "old")
    return [" ".join([*draw.choices(filler, k=6), draw.choice(words[label])]) for label in labels], labels


def test_the_majority_is_the_commonest_label():
    found = Majority().fit(["x"] * 5, ["b", "a", "b", "c", "a"]).predict(["y", "z"])
    assert found.outputs == ("a", "a")  # as common as b, and before it by name
    assert found.labels == ("a", "b", "c")
    np.testing.assert_allclose(found.chances, [[0.4, 0.4, 0.2]] * 2)


def test_tf_idf_is_scikit_learns_usual_pipeline():
    """Oracle: TfidfVectorizer and LogisticRegression, put together by make_pipeline."""
    texts, labels = reviews(300)
    asked, true = reviews(100, seed=1)
    found = TfIdf().fit(texts, labels).predict(asked)
    theirs = make_pipeline(TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), LogisticRegression(C=10))
    theirs.fit(texts, labels)
    np.testing.assert_allclose(found.chances, theirs.predict_proba(asked), atol=1e-6)
    assert list(found.outputs) == theirs.predict(asked).tolist()
    assert found.outputs == tuple(true)
    assert found.seconds > 0
    np.testing.assert_array_equal(found.chances, TfIdf().fit(texts, labels).predict(asked).chances)


def test_one_example_a_class_is_enough():
    fitted = TfIdf().fit([GOOD, BAD, "so so, to be honest"], ["good", "bad", "so so"])
    assert fitted.predict(["moving", "dull"]).outputs == ("good", "bad")


def test_where_nothing_can_be_learnt_it_is_the_commonest_label():
    assert TfIdf().fit([GOOD, BAD], ["good", "good"]).predict(["x"]).outputs == ("good",)
    found = TfIdf().fit(["!", "?", "!"], ["a", "b", "b"]).predict(["x"])
    assert (found.name, found.outputs) == ("tf-idf", ("b",))


def test_scripts_without_spaces_are_cut_into_letters():
    texts = ["我喜欢这部电影", "我讨厌这部电影", "很喜欢", "很讨厌"]
    found = TfIdf().fit(texts, ["good", "bad", "good", "bad"]).predict(["他喜欢", "他讨厌"])
    assert found.outputs == ("good", "bad")


def test_of_many_examples_a_part_is_learnt():
    texts, labels = reviews(500)
    found = TfIdf(examples=60, features=50).fit(texts, labels).predict(texts[:100])
    assert found.outputs == tuple(labels[:100])


def test_lead_and_copy_answer_from_the_text_alone():
    text = "First things first. Then the rest. And more."
    assert Lead().fit([], []).predict([text, ""]).outputs == ("First things first.", "")
    assert Lead(2).fit([], []).predict([text]).outputs == ("First things first. Then the rest.",)
    assert Lead(2).name == "lead 2 sentences"
    assert Copy().fit([], []).predict([text]).outputs == (text,)


def test_no_texts_have_no_answers():
    texts, labels = reviews(20)
    for rival in (Majority(), TfIdf(), Lead(), Copy()):
        assert rival.fit(texts, labels).predict([]).outputs == ()


def test_each_task_has_its_rivals():
    assert [rival.name for rival in rivals_for("classify")] == ["majority", "tf-idf"]
    assert [rival.name for rival in rivals_for("summarize")] == ["lead sentence"]
    assert [rival.name for rival in rivals_for("translate")] == ["copy of the source"]
    assert rivals_for("generate") == ()
    with pytest.raises(ConfigError, match="task='paint'"):
        rivals_for("paint")


def test_bad_input_is_one_clear_line():
    with pytest.raises(DataError, match="2 texts and 1 targets"):
        TfIdf().fit(["a", "b"], ["x"])
    with pytest.raises(DataError, match="0 texts and 0 targets"):
        Majority().fit([], [])


def test_words_of_scripts_with_vowel_signs_are_whole():
    """By the vowel signs alone a boy is told from a girl; scikit-learn's own words have none of them."""
    texts = ["लड़का खाता है", "लड़की खाती है", "लड़का पीता है", "लड़की पीती है"]
    fitted = TfIdf().fit(texts, ["boy", "girl", "boy", "girl"])
    assert fitted.predict(["लड़का सोता है", "लड़की सोती है"]).outputs == ("boy", "girl")
    told = fitted.predict(["लड़का", "लड़की"]).chances
    assert abs(told[0, 0] - told[1, 0]) > 0.3


def test_tf_idf_of_pairs_sees_what_both_texts_share():
    """Whether the second repeats words of the first: of a bag of all words nothing of that is left."""
    chance = random.Random(1)
    words = [f"{a}{b}o" for a in "bcdfghklmnpr" for b in "aeiou"]

    def made(count):
        texts, labels = [], []
        for number in range(count):
            first = chance.sample(words, 6)
            second = chance.sample(first if number % 2 else words, 3)
            texts.append(" ".join(first) + "\t" + " ".join(second))
            labels.append("same" if number % 2 else "other")
        return texts, labels

    told = TfIdf().fit(*made(300)).predict(made(200)[0])
    right = ["same" if number % 2 else "other" for number in range(200)]
    assert sum(a == b for a, b in zip(told.outputs, right, strict=True)) > 180
