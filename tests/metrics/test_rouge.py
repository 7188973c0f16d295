import random
from unicodedata import normalize

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from seqwise.errors import DataError
from seqwise.metrics.rouge import KINDS, looks_foreign, rouge, rouge_of_each

WORDS = ["the", "models", "learns", "learning", "learned", "of", "summaries", "3", "a", "é", "it's", "state-of-the-art"]
lines = st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(lines, st.lists(lines, min_size=1, max_size=3)), min_size=1, max_size=5), st.booleans())
def test_each_score_is_rouge_scores(pairs, stem):
    """Oracle: rouge_score.RougeScorer.score_multi, with and without its own stemmer."""
    outputs, references = [output for output, _ in pairs], [rows for _, rows in pairs]
    scorer = RougeScorer(list(KINDS), use_stemmer=stem)
    expected = [[scorer.score_multi(rows, output)[kind].fmeasure for kind in KINDS] for output, rows in pairs]
    np.testing.assert_array_equal(rouge_of_each(outputs, references, stem), 100 * np.array(expected))


def test_a_corpus_has_the_mean_of_its_texts_and_an_interval_about_it():
    draw = random.Random(1)
    references = [" ".join(draw.choices(WORDS, k=12)) for _ in range(200)]
    outputs = [" ".join(draw.choices(text.split(), k=8)) for text in references]
    each = rouge_of_each(outputs, references)
    for i, score in enumerate(rouge(outputs, references)):
        low, high = score.interval
        assert score.value == pytest.approx(each[:, i].mean())
        error = each[:, i].std(ddof=1) / 200**0.5  # of a mean, by the central limit theorem
        assert (high - low) / 2 == pytest.approx(1.96 * error, rel=0.1)
        assert low < score.value < high
        assert score.unit == "texts"


def test_the_signature_tells_what_the_number_hangs_on():
    one = rouge(["a b"], [["a", "b"]], stem=False)[0].signature
    assert one.startswith("nrefs:2|bs:1000|seed:12345|case:lc|words:english|stem:no|f1:mean|rouge-score:")
    assert "nrefs:var" in rouge(["a", "b"], [["a"], ["a", "b"]], resamples=5)[0].signature
    assert "stem:yes" in rouge(["a"], ["a"], resamples=5)[0].signature


def test_other_scripts_need_words_of_their_own():
    greek = ["η γάτα κάθεται", "ο σκύλος"]
    assert looks_foreign(greek)
    assert not looks_foreign(["un été à Paris", "9 ducks"])
    assert not looks_foreign([])
    assert rouge(greek, greek, resamples=5)[0].value == 0
    assert [score.value for score in rouge(greek, greek, words="unicode", resamples=5)] == [100, 100, 100]
    assert rouge_of_each(["我喜欢猫"], ["我喜欢狗"], words="unicode")[0, 0] == pytest.approx(75)  # by hand: 3 of 4


def test_words_of_scripts_with_vowel_signs_are_whole():
    """By hand: no word of the two sentences is the same; with another spelling of the same accents all are."""
    one, other = "लड़का खाता पीता", "लड़की खाती पीती"
    assert looks_foreign([one])
    assert rouge_of_each([one], [other], words="unicode").tolist() == [[0, 0, 0]]
    assert rouge_of_each([one], [one + " है"], words="unicode")[0, 0] == pytest.approx(100 * 6 / 7)
    french = "un résumé très élaboré"
    for words in ("english", "unicode"):
        assert rouge_of_each([normalize("NFD", french)], [french], words=words)[0, 2] == 100


@pytest.mark.parametrize("score", [rouge, rouge_of_each])
def test_bad_input_is_one_clear_line(score):
    with pytest.raises(DataError, match="2 outputs and 1 references"):
        score(["a", "b"], ["a"])
    with pytest.raises(DataError, match="no texts"):
        score([], [])
    with pytest.raises(DataError, match="a single text"):
        score("a b", "a b")
    with pytest.raises(DataError, match="text 1 without a reference"):
        score(["a", "b"], [["a"], []])
