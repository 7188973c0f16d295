import numpy as np
import pytest
import sacrebleu
from sklearn.metrics import f1_score

from seqwise.metrics.comparison import compare_texts
from seqwise.tasks.judging import FOREIGN, TOKENIZED, judge_outputs, judge_predictions

NAMES = ("negative", "neutral", "positive")


def predictions(n=200):
    """Logits that are right two times in three."""
    rng = np.random.default_rng(0)
    true = rng.integers(0, 3, n)
    logits = rng.normal(size=(n, 3)) + 2 * np.eye(3)[true]
    return logits, true, [f"text {i}" for i in range(n)]


def test_labels_are_judged_from_logits_alone():
    """Oracle: sklearn's f1_score, and numpy."""
    logits, true, texts = predictions()
    found = judge_predictions(logits, true, NAMES, texts, 50)
    said = logits.argmax(1)
    assert [score.name for score in found.scores] == ["accuracy", "macro-F1"]
    assert found.scores[0].value == pytest.approx(100 * (said == true).mean())
    assert found.scores[1].value == pytest.approx(100 * f1_score(true, said, average="macro"))
    assert sum(map(sum, found.confusion.counts)) == 200
    assert found.coverage.points[0].accuracy == pytest.approx((said == true).mean())
    assert found.calibration.after is not None
    assert found.details == (found.confusion, found.calibration, found.coverage)


def test_the_least_likely_true_label_comes_first():
    logits, true, texts = predictions()
    found = judge_predictions(logits, true, NAMES, texts, 5)
    chances = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    worst = int(chances[np.arange(200), true].argmin())
    row = dict(zip(found.columns, found.items[0], strict=True))
    assert row["item"] == str(worst)
    assert row["text"] == texts[worst]
    assert row["true"] == NAMES[true[worst]]
    assert float(row["probability of the true label"]) == pytest.approx(chances[worst, true[worst]], abs=1e-4)


def test_a_temperature_from_elsewhere_is_taken():
    logits, true, texts = predictions()
    found = judge_predictions(logits, true, NAMES, texts, 5, temperature=2.0).calibration
    assert found.given
    assert found.temperatures == (2.0,)


def test_translations_are_judged_by_bleu_and_chrf_and_several_references():
    """Oracle: sacrebleu with two references of each sentence."""
    outputs = ["the cat sat on the mat", "dogs bark", "no"]
    first, second = ["a cat sat on the mat", "a dog barks", "yes"], ["the cat sat on a mat", "dogs bark loudly", "no"]
    found = judge_outputs(outputs, list(zip(first, second, strict=True)), ["x", "y", "z"], resamples=10)
    assert found.scores[0].value == pytest.approx(sacrebleu.corpus_bleu(outputs, [first, second]).score)
    assert found.scores[1].value == pytest.approx(sacrebleu.corpus_chrf(outputs, [first, second]).score)
    assert "nrefs:2" in found.scores[0].signature
    assert found.columns == ("item", "chrf", "bleu", "source", "reference", "output")
    assert found.items[-1][3:] == ("z", "yes ||| no", "no")
    uneven = judge_outputs(
        outputs, [(a,) if a == "yes" else (a, b) for a, b in zip(first, second, strict=True)], outputs
    )
    assert uneven.scores[0].value < found.scores[0].value
    assert "nrefs:var" in uneven.scores[0].signature


def test_summaries_are_judged_by_rouge_worst_first():
    found = judge_outputs(["a b c", "d"], ["a b c", "e"], ["long a", "long b"], "rouge", resamples=10)
    assert [score.name for score in found.scores] == ["ROUGE-1", "ROUGE-2", "ROUGE-L"]
    assert [score.value for score in found.scores] == [50, 50, 50]
    assert found.items[0] == ("1", "0.00", "0.00", "0.00", "long b", "e", "d")
    assert found.columns[1] == "rougeL"
    assert found.notes == ()


def test_what_looks_wrong_is_noted():
    assert judge_outputs(["a cat ."], ["a cat ."], ["x"], resamples=5).notes == (TOKENIZED,)
    greek = judge_outputs(["η γάτα"], ["η γάτα"], ["x"], "rouge", resamples=5)
    assert greek.notes == (FOREIGN,)
    assert greek.scores[0].value == 100


def test_summaries_stand_beside_the_first_sentences():
    """Oracle: compare_texts, on first sentences cut by hand."""
    sources = [f"{word} sat. Then it rained all day." for word in ("cat", "dog", "hen", "fox")]
    outputs = [f"{word} sat" for word in ("cat", "dog", "cow", "fox")]
    right = [(f"the {word} sat", f"a wet {word}") for word in ("cat", "dog", "hen", "fox")]
    found = judge_outputs(outputs, right, sources, "rouge", resamples=10).differences
    first = [source.partition(".")[0] for source in sources]
    for one, metric in zip(found, ("rouge1", "rouge2", "rougeL"), strict=True):
        oracle = compare_texts(first, outputs, right, metric)
        assert (one.value, one.interval, one.p) == (oracle.value, oracle.interval, oracle.p)
        assert one.better == "cannot tell"
        assert one.told.startswith("cannot tell whether the model is better than the first sentence: ROUGE-")
    assert judge_outputs(outputs, right, sources, resamples=10).differences == ()
