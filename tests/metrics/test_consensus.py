import pytest
from sacrebleu import sentence_bleu, sentence_chrf

from seqwise.metrics.consensus import consensus, likenesses

TEXTS = [
    "a man is riding a bicycle down the street .",
    "A man rides a bicycle down the street.",
    "the the the the man, riding",
    "un homme à vélo",
    "",
]


def test_likenesses_are_what_sacrebleu_says_of_each_pair():
    words, characters = likenesses(TEXTS, "bleu"), likenesses(TEXTS, "chrf")
    for i, output in enumerate(TEXTS):
        for j, reference in enumerate(TEXTS):
            assert characters[i, j] == pytest.approx(sentence_chrf(output, [reference]).score, abs=1e-9)
            if output and reference:
                expected = sentence_bleu(output, [reference], smooth_method="exp").score
                assert words[i, j] == pytest.approx(expected, abs=1e-9)


def test_the_output_that_shares_most_with_the_others_is_expected_to_score_best():
    outputs = ["a dog runs on grass", "a dog runs on the grass", "a dog is on the grass", "two cats"]
    for likeness in ("bleu", "chrf"):
        scores = consensus(outputs, likeness)
        assert scores.argmax() == 1
        assert scores.argmin() == 3


def test_an_output_that_comes_twice_counts_twice():
    texts = ["a b c d e", "f g h i j", "a b c d e"]
    assert consensus(texts, "bleu").tolist() == pytest.approx(likenesses(texts, "bleu").mean(1).tolist())
    assert consensus(texts, "bleu")[0] > consensus(texts, "bleu")[1]


def test_scripts_without_spaces_are_compared_letter_by_letter():
    """Oracle: sacrebleu with its rule for Chinese; by spaces no two of these share anything."""
    texts = ["我今天非常高兴。", "我今天很高兴。", "他走了。"]
    expected = sentence_bleu(texts[0], [texts[1]], tokenize="zh").score
    assert likenesses(texts, "bleu")[0, 1] == pytest.approx(expected, abs=1e-9)
    assert consensus(texts, "bleu").argmin() == 2
