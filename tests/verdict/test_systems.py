"""Systems against one another: each pair as scipy and statsmodels have it, Holm over all pairs, and no difference."""

from math import comb

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower
from statsmodels.stats.weightstats import ttost_paired

from seqwise.verdict.effects import effect
from seqwise.verdict.scored import Measure, Scored
from seqwise.verdict.standing import standing
from seqwise.verdict.systems import MOST, systems

RIGHT = Measure("accuracy", "right")
LOSS = Measure("loss", "score", "nats", lower=True)
MAE = Measure("MAE", "score", "degrees", lower=True)
F1 = Measure("F1", "counts", score=lambda sums: 200 * sums[:, 0] / (2 * sums[:, 0] + sums[:, 1]))


def scored(name, values, measure=RIGHT, **more):
    return Scored(name, "test", measure, tuple(map(str, range(len(values)))), np.asarray(values), "d", **more)


def coins(seed, share, n=400):
    return np.random.default_rng(seed).random(n) < share


@pytest.fixture
def three():
    """full and lora differ by ten points and more; qlora lies between."""
    return {name: scored(name, coins(seed, share)) for name, seed, share in (
        ("full", 1, 0.70), ("lora", 2, 0.85), ("qlora", 3, 0.78)
    )}  # fmt: skip


def mid_p(first, second):
    """McNemar's, written out."""
    b, c = int((first & ~second).sum()), int((second & ~first).sum())
    n, k = b + c, min(b, c)
    tail = sum(comb(n, i) for i in range(k + 1)) / 2**n
    return min(1.0, 2 * (tail - comb(n, k) / 2 ** (n + 1)))


def test_each_pair_is_tested_as_mcnemar_has_it_and_held_to_holm_over_all(three):
    found = systems(three, 1.0)
    pairs = [("full", "lora"), ("full", "qlora"), ("lora", "qlora")]
    assert [{one.system, one.subject} for one in found] == [set(pair) for pair in pairs]
    p = [mid_p(*(three[name].values for name in pair)) for pair in pairs]
    holm = multipletests(p, method="holm")[1]
    for one, wanted, corrected in zip(found, p, holm, strict=True):
        assert one.test is not None
        assert one.test.p == pytest.approx(wanted)
        assert one.values["p by Holm"] == pytest.approx(corrected)
        assert one.answer == ("yes" if corrected < 0.05 else "cannot tell")
        assert one.scores[one.system] > one.scores[one.subject]
        assert one.test.effect.value == pytest.approx(one.scores[one.system] - one.scores[one.subject])
    assert found[0].told.startswith("lora is better than full on test: accuracy ")
    assert "by Holm over 3 pairs" in found[0].told


def test_holm_may_take_back_what_a_pair_by_itself_would_show():
    """One pair at p = 0.02 or so, of three."""
    base = np.zeros(300, bool)
    base[:150] = True
    moved = base.copy()
    moved[150:164], moved[:4] = True, False
    also = base.copy()
    also[200:206], also[:6] = True, False
    of = {name: scored(name, one) for name, one in (("a", base), ("b", moved), ("c", also))}
    alone = systems({name: of[name] for name in ("a", "b")}, 1.0)
    assert 0.017 < mid_p(base, moved) < 0.05
    assert alone[0].answer == "yes"
    together = {(one.system, one.subject): one for one in systems(of, 1.0)}
    assert together["b", "a"].answer == "cannot tell"
    assert "a difference is not shown" in together["b", "a"].told


def test_what_a_pair_could_have_shown_is_found_four_times_in_five_by_what_holm_asks_of_the_smallest_p():
    """Statsmodels' power of a paired t-test at 5 % divided by the pairs, and the items that it asks for."""
    rng = np.random.default_rng(5)
    of = {name: scored(name, rng.normal(0, 1, 60), LOSS) for name in "abc"}
    power = TTestPower()
    for names, alpha in (("abc", 0.05 / 3), ("ab", 0.05)):
        for one in systems({name: of[name] for name in names}, 0.01):
            assert one.test is not None
            assert one.test.detectable is not None
            sd = (of[one.system].values - of[one.subject].values).std(ddof=1)
            size = power.solve_power(nobs=60, alpha=alpha, power=0.8)
            assert one.test.detectable.value == pytest.approx(size * sd, rel=1e-3)
            assert one.answer == "cannot tell"
            items = power.solve_power(abs(one.test.effect.value) / sd, alpha=alpha, power=0.8)
            told = int(one.needed.split(" ", 1)[0].replace(",", ""))
            assert items <= told <= 1.1 * items + 1


def test_no_difference_that_matters_is_said_by_two_one_sided_tests():
    """Scores of 400 items that differ by noise alone, against statsmodels' TOST; p of both pairs by Holm."""
    rng = np.random.default_rng(5)
    base = rng.normal(2, 1, 400)
    of = {"a": base, "b": base + rng.normal(0, 0.1, 400), "c": base + rng.normal(0.3, 0.1, 400)}
    found = systems({name: scored(name, one, LOSS) for name, one in of.items()}, 0.05)
    same = next(one for one in found if {one.system, one.subject} == {"a", "b"})
    p = [ttost_paired(of[x], of[y], -0.05, 0.05)[0] for x, y in (("a", "b"), ("a", "c"), ("b", "c"))]
    assert same.answer == "no"
    assert same.values["p of unchanged"] == pytest.approx(p[0])
    assert same.values["p of unchanged by Holm"] == pytest.approx(multipletests(p, method="holm")[1][0])
    assert same.told.startswith(f"Between {same.system} and {same.subject} there is no difference that matters on test")
    assert [one.answer for one in found] == ["no", "yes", "yes"]
    assert all(one.subject == "c" for one in found[1:])  # a loss: less is better


def test_an_interval_that_leaves_the_margin_is_no_proof_of_no_difference():
    """By one-sided tests at 5 % it would be: the 95 % interval says what is said."""
    rng = np.random.default_rng(8)
    d = rng.normal(0, 1, 200)
    d += 0.06 - d.mean()
    half = stats.t.ppf(0.975, 199) * d.std(ddof=1) / 200**0.5
    margin = 0.06 + 0.9 * half
    of = {"a": scored("a", np.zeros(200), LOSS), "b": scored("b", d, LOSS)}
    (found,) = systems(of, margin)
    assert found.values["p of unchanged"] < 0.05
    assert found.answer == "cannot tell"
    (wider,) = systems(of, 0.06 + 1.1 * half)
    assert wider.answer == "no"


def test_a_small_difference_that_is_shown_is_called_smaller_than_what_matters():
    rng = np.random.default_rng(2)
    of = {"a": scored("a", np.zeros(500), LOSS), "b": scored("b", rng.normal(0.05, 0.1, 500), LOSS)}
    (found,) = systems(of, 0.2)
    assert (found.answer, found.system) == ("yes", "a")
    assert "it is less than 0.2 nats, the difference that would matter" in found.told


def seeded(name, seed, shift):
    """Three seeds on one set of items."""
    items = np.random.default_rng(0).normal(0, 1, 80)
    rng = np.random.default_rng(seed)
    return [
        scored(name, items + shift + rng.normal(0, 0.1) + rng.normal(0, 0.3, 80), LOSS, seed=number)
        for number in (1, 2, 3)
    ]


def clustered(name, seed, share):
    return scored(name, coins(seed, share, 200), clusters=tuple(str(i // 10) for i in range(200)))


def counted(name, seed, share):
    hits = coins(seed, share, 120).astype(float)
    return scored(name, np.stack([hits, np.full(120, 2.0) - hits], axis=1), F1)


def foreseen(name, seed, shift):
    rng = np.random.default_rng(seed)
    return scored(name, np.abs(rng.normal(2 + shift, 1, 90)), MAE, ahead=3)


@pytest.mark.parametrize(
    ("made", "given", "test", "noun"),
    [
        (seeded, ((1, 0.0), (2, 0.5)), "seeds x items", "seeds"),
        (clustered, ((1, 0.5), (2, 0.8)), "clusters", "clusters"),
        (counted, ((1, 0.5), (2, 0.8)), "approximate randomization", "items"),
        (foreseen, ((1, 0.0), (2, 2.0)), "diebold-mariano", "origins"),
    ],
)
def test_a_pair_is_tested_by_what_a_gain_is_tested_by(made, given, test, noun):
    first, second = (made(name, *one) for name, one in zip("ab", given, strict=True))
    (found,) = systems({"a": first, "b": second}, 0.01)
    assert found.test is not None
    wanted = effect(second, first) if found.system == "a" else effect(first, second)
    assert test in found.test.name.lower()
    assert noun in found.test.n
    assert (found.test.effect, found.test.p) == (wanted.effect, wanted.p)
    assert found.answer == "yes"


def test_seeds_are_told_by_whose_they_are():
    of = {"a": seeded("a", 1, 0.0), "b": seeded("b", 2, 0.5)[:2]}
    (found,) = systems(of, 0.1)
    assert found.test is not None
    assert found.test.n == {"items": 80, "seeds of a": 3, "seeds of b": 2}
    assert "3 seeds of a" in found.told
    assert "of the base" not in found.told
    assert not found.notes
    (lone,) = systems({"a": of["a"], "b": of["b"][0]}, 0.1)
    assert lone.notes == ("One seed of b: the interval says nothing of another one.",)
    assert standing([lone], "a", ["b"]).endswith("; one seed of b, whose luck of training is not excluded")
    assert "luck" not in standing([found], "a", ["b"])
    (even,) = systems({"a": seeded("a", 1, 0.0), "b": seeded("b", 2, 0.5)}, 0.1)
    assert even.test is not None
    assert even.test.n == {"items": 80, "seeds": 3}


def test_of_many_systems_the_first_ten_are_compared_and_a_line_says_so():
    of = {f"s{i}": scored(f"s{i}", coins(i, 0.7, 60)) for i in range(12)}
    found = systems(of, 1.0)
    assert sum(one.state == "MEASURED" for one in found) == MOST * (MOST - 1) // 2
    left = [one for one in found if one.state == "NOT RUN"]
    assert [one.system for one in left] == ["s10", "s11"]
    assert "The first 10 of 12 systems" in left[0].told


def test_one_system_has_no_other():
    (found,) = systems({"tuned": scored("tuned", coins(1, 0.5))}, 1.0)
    assert (found.state, found.system) == ("NOT RUN", "tuned")


def test_a_pair_that_breaks_or_has_too_few_clusters_leaves_the_others(three):
    other = scored("other", np.random.default_rng(1).random(400), LOSS)
    found = {(one.subject, one.system): one for one in systems({**three, "other": other}, 1.0)}
    assert found["full", "other"].state == "ERROR"
    assert found["full", "lora"].values["pairs"] == 3
    few = {name: scored(name, coins(i, 0.5, 40), clusters=("x", "y") * 20) for i, name in enumerate("ab")}
    (one,) = systems(few, 1.0)
    assert one.state == "TOO FEW"


def test_what_would_tell_is_said_of_what_was_seen_or_of_what_would_matter():
    of = {name: scored(name, coins(seed, 0.7, 200)) for name, seed in (("a", 1), ("b", 4))}
    seen, matters = (systems(of, margin)[0] for margin in (0.1, 20.0))
    assert seen.answer == "cannot tell"
    assert "a difference as large as the one seen" in seen.needed
    assert matters.answer in ("no", "cannot tell")
    (level,) = systems({"a": of["a"], "b": scored("b", of["a"].values[::-1].copy())}, 2.0)
    assert level.answer == "cannot tell"
    assert "a difference of 2 points, which would matter" in level.needed


def test_two_that_answer_all_alike_do_not_differ():
    values = coins(1, 0.7, 2000)
    (found,) = systems({"a": scored("a", values), "b": scored("b", values.copy())}, 1.0)
    assert found.answer == "no"
