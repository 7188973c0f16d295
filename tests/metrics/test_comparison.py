import inspect
import json
import math
import random
from itertools import product

import numpy as np
import pytest
import sacrebleu
from rich.console import Console
from scipy import stats

from seqwise.errors import ConfigError, DataError
from seqwise.metrics.comparison import (
    compare_means,
    compare_right,
    compare_sums,
    compare_texts,
    mcnemar,
    sign_flips,
    student,
    tango,
)
from seqwise.metrics.rouge import rouge
from seqwise.stats.proportions import paired_shares

CHANGES = np.array([0.12, 0.05, -0.03, 0.20, 0.08, 0.00, 0.15, -0.06, 0.10, 0.09])


def verdicts(gained, lost, n):
    """Right or wrong of two systems: so many that only one has right, the rest shared."""
    both = (n - gained - lost) // 2
    first = [True] * lost + [False] * gained + [True] * both + [False] * (n - gained - lost - both)
    second = [False] * lost + [True] * gained + [True] * both + [False] * (n - gained - lost - both)
    return first, second


def test_mcnemar_is_the_published_one():
    """Oracles: 18 gained and 6 lost, exact and mid-p, with the binomial worked in fractions; scipy's binomtest."""
    assert mcnemar(18, 6, exact=True) == pytest.approx(0.0226558446884155)
    assert mcnemar(18, 6) == pytest.approx(0.0146332979202271)
    for gained, lost in product(range(8), range(8)):
        expected = stats.binomtest(gained, gained + lost).pvalue if gained + lost else 1.0
        assert mcnemar(gained, lost, exact=True) == pytest.approx(expected)
    assert mcnemar(3, 3) <= 1
    assert mcnemar(0, 5, exact=True) == pytest.approx(1 / 16)


def test_tangos_interval_is_the_published_one():
    """Oracle: 18 gained and 6 lost of 200, worked to full precision from Tango's formula."""
    assert tango(18, 6, 200) == pytest.approx((0.0129721949142510, 0.112272649402901), abs=1e-12)
    low, high = tango(6, 18, 200)
    assert (-high, -low) == pytest.approx(tango(18, 6, 200))


def test_the_ends_of_tangos_interval_are_the_differences_that_a_score_test_just_accepts():
    """Oracle: the likelihood maximized over the shares by brute force, under a given difference."""

    def z(gained, lost, n, difference):
        shares = np.linspace(max(0, -difference), (1 - difference) / 2, 200_001)[1:-1]  # of those lost
        likelihood = gained * np.log(shares + difference) + lost * np.log(shares)
        likelihood = likelihood + (n - gained - lost) * np.log(1 - 2 * shares - difference)
        share = shares[likelihood.argmax()]
        return (gained - lost - n * difference) / math.sqrt(n * (2 * share + difference - difference**2))

    for gained, lost, n in ((9, 2, 40), (4, 4, 30), (1, 7, 20)):
        low, high = tango(gained, lost, n)
        assert z(gained, lost, n, low) == pytest.approx(1.96, abs=0.002)
        assert z(gained, lost, n, high) == pytest.approx(-1.96, abs=0.002)


def test_tangos_interval_where_nothing_or_all_differs():
    """By hand: with none that differs z is -sqrt(n D / (1 - D)), so that D = z^2 / (n + z^2)."""
    edge = 1.959964**2 / (50 + 1.959964**2)
    assert tango(0, 0, 50) == pytest.approx((-edge, edge), abs=1e-6)
    assert tango(50, 0, 50)[1] == pytest.approx(1)
    assert 0.8 < tango(50, 0, 50)[0] < 1


def test_right_and_wrong_in_a_sentence():
    found = compare_right(*verdicts(18, 6, 200), systems=("before", "after"))
    assert found.better == "yes"
    assert found.value == pytest.approx(6)
    assert found.told == (
        "after is better than before: accuracy +6.00, 95 % interval +1.30 to +11.23, p = 0.015, 200 items."
    )
    swapped = compare_right(*reversed(verdicts(18, 6, 200)))
    assert swapped.better == "no"
    assert "tuned is worse than base" in swapped.told
    few = compare_right(*verdicts(3, 1, 200))
    assert few.better == "cannot tell"
    assert few.told.startswith("cannot tell whether tuned is better than base")
    assert compare_right([True], [True]).p == 1
    assert compare_right([True], [True]).told.endswith("p = 1.000, 1 item.")


@pytest.mark.parametrize(("gained", "lost", "n"), [(12, 4, 20), (7, 1, 8), (13, 4, 51)])
def test_of_few_items_the_answer_is_that_of_weighing_them(gained, lost, n):
    """Tango's interval by the normal distribution leaves out 0 for the first two, their own distribution does not."""
    assert tango(gained, lost, n)[0] > 0
    first, second = (np.array(one) for one in verdicts(gained, lost, n))
    found, told = compare_right(first, second), paired_shares(second, first).test
    assert found.better == ("yes" if n > 50 else "cannot tell")
    assert found.interval == pytest.approx((told.effect.interval.low, told.effect.interval.high), rel=1e-12)
    assert ("so few pairs" in found.test) is (n <= 50)


def test_pairs_see_what_two_single_intervals_do_not():
    """An unpaired test of the same counts has p = 0.2 and would miss it."""
    first, second = verdicts(18, 6, 200)
    table = [[sum(first), 200 - sum(first)], [sum(second), 200 - sum(second)]]
    assert stats.chi2_contingency(table, correction=False).pvalue > 0.2
    assert compare_right(first, second).p < 0.02


def test_sign_flips_are_all_tried_where_that_can_be_done():
    """Oracles: 32 of 1,024 flips, by hand; scipy's permutation_test."""
    p, how = sign_flips(CHANGES, 10, 0)
    assert p == 32 / 1024
    assert how == "all 1,024 flips"
    data = (CHANGES[:8] + 0.01, np.zeros(8))
    theirs = stats.permutation_test(data, lambda a, b: (a - b).mean(), permutation_type="samples", n_resamples=np.inf)
    assert sign_flips(data[0], 10, 0)[0] == pytest.approx(theirs.pvalue)


def test_drawn_flips_come_near_all_of_them(monkeypatch):
    monkeypatch.setattr("seqwise.metrics.comparison.EXACT", 5)
    assert sign_flips(CHANGES, 20_000, 0)[0] == pytest.approx(32 / 1024, abs=0.004)
    monkeypatch.setattr("seqwise.metrics.comparison.DRAWS", 100)
    portions = sign_flips(CHANGES, 999, 0)[0]
    assert portions == pytest.approx(32 / 1024, abs=0.02)
    assert portions >= 1 / 1000


def test_few_items_have_students_interval_and_many_the_bootstraps():
    """Oracle: the interval of scipy's ttest_1samp, and the central limit theorem."""
    assert student(CHANGES) == pytest.approx((0.0118841302287276, 0.128115869771272))
    found = compare_means(np.zeros(10), CHANGES, "chrF")
    assert found.interval == student(CHANGES)
    assert found.better == "yes"
    draw = np.random.default_rng(0)
    first = draw.normal(50, 10, 400)
    second = first + draw.normal(1, 5, 400)
    many = compare_means(first, second, "ROUGE-L")
    expected = stats.ttest_rel(second, first)
    assert many.value == pytest.approx((second - first).mean())
    assert many.interval == pytest.approx(tuple(expected.confidence_interval()), abs=0.05)
    assert many.p == pytest.approx(expected.pvalue, abs=0.002)
    assert compare_means(first, second, "ROUGE-L") == many


def test_of_very_many_items_the_t_test_says_the_same_at_once(monkeypatch):
    """Oracle: scipy's ttest_rel."""
    draw = np.random.default_rng(0)
    first, second = draw.normal(size=(2, 300))
    drawn = compare_means(first, second, "x")
    monkeypatch.setattr("seqwise.metrics.comparison.MANY", 100)
    found = compare_means(first, second, "x")
    assert found.p == pytest.approx(stats.ttest_rel(second, first).pvalue)
    assert found.p == pytest.approx(drawn.p, abs=0.02)
    assert found.interval == pytest.approx(drawn.interval, abs=0.02)


def test_of_losses_the_lower_is_better():
    assert compare_means(CHANGES + 1, np.ones(10), "loss", lower=True).better == "yes"
    assert compare_means(np.ones(10), CHANGES + 1, "loss", lower=True).better == "no"
    alone = compare_means([1.0], [2.0], "loss")
    assert alone.better == "cannot tell"
    assert json.loads(json.dumps(alone.to_dict(), allow_nan=False))["interval"] == [None, None]
    assert "loss -0.0130, " in compare_means(np.ones(10), np.ones(10) - 0.013, "loss", lower=True).told


@pytest.mark.parametrize("n", [12, 60])
def test_with_no_difference_one_in_twenty_is_taken_for_one(n):
    """The promise of the test, on data where the null is true."""
    draw = np.random.default_rng(1)
    hits = sum(
        compare_means(*draw.normal(size=(2, n)), "x", resamples=400, seed=seed).better != "cannot tell"
        for seed in range(300)
    )
    assert hits <= 28  # 15 are to be expected; more than 28 come once in a thousand times


def corpus(n, seed=0):
    """References, and two systems of which the second errs less."""
    draw = random.Random(seed)
    words = ["the", "cat", "dog", "sees", "loves", "an", "old", "red", "house", ",", "not", "we", "in", "front", "of"]
    references = [" ".join(draw.choices(words, k=draw.randint(4, 15))) for _ in range(n)]

    def noisy(rate):
        return [
            " ".join(draw.choice(words) if draw.random() < rate else word for word in t.split()) for t in references
        ]

    return noisy(0.4), noisy(0.25), references


@pytest.mark.parametrize("metric", ["bleu", "chrf"])
def test_corpus_scores_differ_by_what_sacrebleu_says_and_p_is_near_its_own(metric):
    """Oracles: sacrebleu.corpus_*; and sacrebleu.significance.PairedTest, approximate randomization."""
    from sacrebleu.metrics import BLEU, CHRF
    from sacrebleu.significance import PairedTest

    first, second, references = corpus(30, seed=4)
    second = [*first[:20], *second[20:]]
    found = compare_texts(first, second, references, metric)
    score = getattr(sacrebleu, f"corpus_{metric}")
    assert found.value == pytest.approx(score(second, [references]).score - score(first, [references]).score)
    theirs = {"bleu": BLEU, "chrf": CHRF}[metric]()
    _, told = PairedTest([("a", first), ("b", second)], {"": theirs}, [references], "ar", 1000)()
    (systems,) = (row for name, row in told.items() if name != "System")
    assert found.p == pytest.approx(systems[1].p_value, abs=0.03)
    assert found.interval[0] < found.value < found.interval[1]


def test_rouge_is_compared_by_the_mean_of_its_texts():
    first, second, references = corpus(80)
    found = compare_texts(first, second, references, "rouge2")
    assert found.name == "ROUGE-2"
    assert found.value == pytest.approx(rouge(second, references)[1].value - rouge(first, references)[1].value)
    assert found.better == "yes"
    greek = ["η γάτα κάθεται", "ο σκύλος", "το σπίτι"]
    assert compare_texts(["x"] * 3, greek, greek, "rouge1").value == 100


def test_any_score_of_sums_can_be_compared():
    """Perplexity, of which less is better."""
    draw = np.random.default_rng(0)
    tokens = draw.integers(5, 20, 200).astype(float)
    nats = tokens * draw.normal(3, 0.3, 200)
    found = compare_sums(
        np.stack([nats, tokens], 1),
        np.stack([nats - 0.1 * tokens, tokens], 1),
        lambda sums: np.exp(sums[:, 0] / sums[:, 1]),
        "perplexity",
        lower=True,
    )
    assert found.better == "yes"
    assert found.value == pytest.approx(np.exp(nats.sum() / tokens.sum()) * (np.exp(-0.1) - 1))


def test_equal_systems_are_not_told_apart():
    first, _, references = corpus(40)
    for metric in ("bleu", "chrf", "rougeL"):
        found = compare_texts(first, first, references, metric)
        assert (found.value, found.interval, found.p, found.better) == (0, (0, 0), 1, "cannot tell")


def test_a_difference_shows_itself_as_json_and_on_a_terminal():
    found = compare_right(*verdicts(18, 6, 200))
    told = json.loads(json.dumps(found.to_dict()))
    assert told["better"] == "yes"
    assert told["told"] == found.told
    console = Console(width=200, record=True)
    with console.capture():
        console.print(found)
    assert "18 gained and 6 lost" in found.test


def test_bad_input_is_one_clear_line():
    with pytest.raises(DataError, match="2 items of one system and 1 of the other"):
        compare_right([True, False], [True])
    with pytest.raises(DataError, match="0 items"):
        compare_means([], [], "loss")
    with pytest.raises(DataError, match="1 items of one system and 2"):
        compare_texts(["a"], ["a", "b"], ["a"])
    with pytest.raises(ConfigError, match="metric='meteor'"):
        inspect.unwrap(compare_texts)(["a"], ["a"], ["a"], "meteor")
