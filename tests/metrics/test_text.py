import io
import json
import random
import time
from unicodedata import normalize

import numpy as np
import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from seqwise.errors import ConfigError, DataError, MissingExtraError
from seqwise.metrics.text import bleu, chrf, looks_tokenized, sentence_scores, words_for

WORDS = (
    "a",
    "the",
    "cat",
    "dog",
    "sees",
    "loves",
    "old",
    "red",
    "house",
    ",",
    ".",
    "not",
    "we",
    "they",
    "in",
    "front",
    "of",
    "l'arbre",
)


def corpus(n: int, seed: int = 1, noise: float = 0.25) -> tuple[list[str], list[str]]:
    """Sentences, and the same with some words dropped, doubled or changed."""
    draw = random.Random(seed)
    references = [" ".join(draw.choices(WORDS, k=draw.randint(1, 20))) for _ in range(n)]
    outputs = []
    for line in references:
        words = [draw.choice(WORDS) if draw.random() < noise else word for word in line.split()]
        outputs.append(" ".join(words[: max(0, len(words) - draw.randint(0, 2))]))
    return outputs, references


texts = st.text(st.sampled_from("ab cd.,'É東"), max_size=30)
pairs = st.lists(st.tuples(texts, texts), min_size=1, max_size=8)


@settings(max_examples=150, deadline=None)
@given(pairs)
def test_the_value_of_a_corpus_equals_sacrebleus_for_any_text(pairs):
    """Oracle: sacrebleu.corpus_bleu and corpus_chrf."""
    outputs, references = map(list, zip(*pairs, strict=True))
    assert bleu(outputs, references, "13a", resamples=1).value == pytest.approx(
        sacrebleu.corpus_bleu(outputs, [references]).score, abs=1e-9
    )
    assert chrf(outputs, references, resamples=1).value == pytest.approx(
        sacrebleu.corpus_chrf(outputs, [references]).score, abs=1e-9
    )


@settings(max_examples=150, deadline=None)
@given(pairs)
def test_sentence_scores_equal_sacrebleus_with_effective_order(pairs):
    """Oracle: sacrebleu's sentence_score of BLEU(effective_order=True) and CHRF()."""
    outputs, references = map(list, zip(*pairs, strict=True))
    words, characters = BLEU(effective_order=True), CHRF()
    for found, output, reference in zip(sentence_scores(outputs, references, "13a"), outputs, references, strict=True):
        assert found.bleu == pytest.approx(words.sentence_score(output, [reference]).score, abs=1e-9)
        assert found.chrf == pytest.approx(characters.sentence_score(output, [reference]).score, abs=1e-9)


@pytest.mark.parametrize("tokenize", ["13a", "none", "char", "intl", "zh"])
@pytest.mark.parametrize("lowercase", [False, True])
def test_options_are_sacrebleus(tokenize, lowercase):
    """Oracle: sacrebleu.corpus_bleu."""
    outputs, references = corpus(50)
    outputs[0] = outputs[0].upper()
    expected = sacrebleu.corpus_bleu(outputs, [references], tokenize=tokenize, lowercase=lowercase, force=True).score
    assert bleu(outputs, references, tokenize, lowercase, resamples=1).value == pytest.approx(expected, abs=1e-9)


ZH = ["我今天非常高兴，因为天气很好。", "他昨天去了北京的学校。", "这本书（2019 年）很有意思！"]
JA = ["私は今日とても嬉しいです。", "彼は昨日京都の学校に行きました。", "この本はとても面白い！"]
TH = ["วันนี้ฉันมีความสุขมาก", "เมื่อวานเขาไปโรงเรียนที่กรุงเทพ", "หนังสือเล่มนี้สนุกมาก"]


@pytest.mark.parametrize(("references", "tokenize"), [(ZH, "zh"), (JA, "char"), (TH, "char")])
def test_scripts_without_spaces_are_cut_by_the_rule_that_sacrebleu_has_for_them(references, tokenize):
    """Oracle: sacrebleu.corpus_bleu, told which rule; by 13a the same outputs are worth next to nothing."""
    outputs = [text[:-4] + text[-3:] for text in references]
    expected = sacrebleu.corpus_bleu(outputs, [references], tokenize=tokenize).score
    found = bleu(outputs, references, resamples=5)
    assert found.value == pytest.approx(expected, abs=1e-9)
    assert found.value > 50
    assert f"tok:{tokenize}" in found.signature
    assert bleu(outputs, references, "13a", resamples=5).value < 10
    several = [[one, "x"] for one in references]
    assert f"tok:{tokenize}" in bleu(outputs, several, resamples=5).signature
    words = BLEU(effective_order=True, tokenize=tokenize)
    each = [words.sentence_score(a, [b]).score for a, b in zip(outputs, references, strict=True)]
    assert [one.bleu for one in sentence_scores(outputs, references)] == pytest.approx(each, abs=1e-9)


def test_a_few_words_of_another_script_change_no_rule():
    assert words_for(["In Kyoto (京都) it rains.", "나는 학교에 간다"]) == "13a"
    assert words_for(["NLP 是一门很有意思的学科", "の 是日文里的字，我们今天学习了很多。"]) == "zh"
    assert words_for(["", ""]) == "13a"


@pytest.mark.parametrize("text", ["나는 오늘 학교에 갑니다", "un été très chaud à Málaga"])
def test_what_looks_alike_is_equal_however_it_is_composed(text):
    """The same letters in two spellings of Unicode, NFC and NFD."""
    apart = normalize("NFD", text)
    assert apart != text
    for output, reference in ((text, apart), (apart, text)):
        assert bleu([output], [reference], resamples=2).value == pytest.approx(100)
        assert chrf([output], [[reference, "x"]], resamples=2).value == pytest.approx(100)


def test_chrf_with_words_is_chrf_plus_plus():
    """Oracle: sacrebleu.corpus_chrf with word_order=2."""
    outputs, references = corpus(50)
    found = chrf(outputs, references, words=2, resamples=1)
    assert found.value == pytest.approx(sacrebleu.corpus_chrf(outputs, [references], word_order=2).score, abs=1e-9)
    assert found.name == "chrF2++"


@pytest.mark.parametrize(("ours", "theirs"), [(bleu, BLEU()), (chrf, CHRF())], ids=["bleu", "chrf"])
def test_intervals_and_signatures_are_those_of_sacrebleus_own_bootstrap(ours, theirs):
    """Oracle: sacrebleu with n_bootstrap=1000, which tells the mean and half the width of the interval."""
    outputs, references = corpus(200)
    found = ours(outputs, references)
    expected = theirs.corpus_score(outputs, [references], n_bootstrap=1000)
    assert found.value == pytest.approx(expected.score, abs=1e-9)
    # sacrebleu scores its resamples in single precision
    assert (found.interval[1] - found.interval[0]) / 2 == pytest.approx(expected._ci, abs=1e-4)
    assert found.signature == theirs.get_signature().format()
    assert found.interval[0] < found.value < found.interval[1]
    assert found.name == expected.name


def test_intervals_of_another_seed_differ_but_little():
    outputs, references = corpus(300)
    one, other = bleu(outputs, references, seed=1), bleu(outputs, references, seed=2)
    assert one.interval != other.interval
    assert one.interval == pytest.approx(other.interval, abs=0.5)


def test_drawing_in_portions_changes_nothing(monkeypatch):
    outputs, references = corpus(40)
    at_once = bleu(outputs, references, resamples=50)
    monkeypatch.setattr("seqwise.metrics.scores.DRAWS", 300)
    assert bleu(outputs, references, resamples=50) == at_once


def test_the_interval_covers_the_score_of_all_sentences_about_95_times_in_100():
    """Oracle: the score of the population that the samples are drawn from."""
    outputs, references = corpus(4000, seed=3)
    truth = chrf(outputs, references, resamples=1).value
    draw = np.random.default_rng(0)
    covered = 0
    for _ in range(100):
        chosen = draw.integers(0, len(outputs), 60)
        low, high = chrf([outputs[i] for i in chosen], [references[i] for i in chosen], resamples=200).interval
        covered += low <= truth <= high
    assert 86 <= covered <= 100


def test_perfect_output_scores_100_and_foreign_output_0():
    _, references = corpus(20)
    assert bleu(references, references).value == pytest.approx(100)
    assert chrf(references, references).interval == pytest.approx((100, 100))
    assert bleu(["東"] * 20, references).value == 0
    assert chrf([""] * 20, references).value == 0
    assert bleu([""], [""], resamples=3).interval == (0, 0)


def test_a_thousand_sentences_with_a_thousand_resamples_take_about_a_second():
    outputs, references = corpus(1000)
    began = time.process_time()
    bleu(outputs, references)
    chrf(outputs, references)
    assert time.process_time() - began < 5  # measured: 0.5 s, both; the rest is for a busy machine


def test_tokenized_text_is_recognised_by_its_full_stops():
    assert looks_tokenized(["a cat .", "a dog .", "two cats"])
    assert not looks_tokenized(["A cat.", "A dog.", "Two . . ."])
    assert not looks_tokenized([])


@pytest.mark.parametrize("score", [bleu, chrf, sentence_scores])
def test_bad_input_is_one_clear_line(score):
    with pytest.raises(DataError, match="2 outputs and 1 references: needs one reference for each output"):
        score(["a", "b"], ["a"])
    with pytest.raises(DataError, match="no sentences: needs at least one"):
        score([], [])
    with pytest.raises(DataError, match="a single text"):
        score("a b", "a b")


def test_bad_settings_are_one_clear_line():
    with pytest.raises(ConfigError, match=r"tokenize='13b': needs one of 13a, char.* Try 13a"):
        bleu(["a"], ["a"], tokenize="13b")
    with pytest.raises(ConfigError, match="resamples=0: needs at least 1"):
        chrf(["a"], ["a"], resamples=0)


def test_a_tokenizer_without_its_library_says_what_to_install(monkeypatch):
    def fails(*_, **__):
        raise RuntimeError("no MeCab")

    monkeypatch.setattr("seqwise.metrics.text.BLEU.__init__", fails)
    with pytest.raises(MissingExtraError, match=r"pip install 'sacrebleu\[ja\]'"):
        bleu(["a"], ["a"], tokenize="ja-mecab")


def test_a_score_shows_itself_as_json_table_text_and_html():
    outputs, references = corpus(30)
    score = bleu(outputs, references, resamples=100)
    told = json.loads(json.dumps(score.to_dict()))
    assert told["value"] == score.value
    assert tuple(told["interval"]) == score.interval
    assert told["n"] == 30
    assert "nrefs:1|bs:100|seed:12345|case:mixed|eff:no|tok:13a" in told["signature"]
    assert str(score).startswith(f"BLEU {score.value:.2f} [")
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(score)
    assert f"{score.value:.2f}" in console.export_text()
    assert score.signature in score._repr_html_()
