"""What the sentence says of systems against one another never goes beyond the tests of their pairs: random results."""

import random
import re
from itertools import combinations

import numpy as np
import pytest

from seqwise.stats import results
from seqwise.stats.phrases import alike
from seqwise.stats.results import Estimate, Interval
from seqwise.verdict.findings import Answer, Finding, failed
from seqwise.verdict.gain import gain
from seqwise.verdict.scored import Measure, Scored
from seqwise.verdict.sentence import worth
from seqwise.verdict.standing import SIZES, standing
from seqwise.verdict.systems import systems
from seqwise.verdict.verdict import Verdict, decide

LEVEL = "cannot be told apart"
SAME = "do not differ by"


def measured(value: float, half: float, n: int, p: float) -> results.Test:
    effect = Estimate("one minus another", value, Interval(value - half, value + half), "points")
    return results.Test("a test", "no difference", "t", 1.0, (n - 1,), p, {"items": n}, effect)


def against_base(name: str, generator: random.Random) -> Finding:
    value, half = generator.uniform(-4, 8), generator.uniform(0.5, 5)
    answer: Answer = "yes" if value > half else "no" if value < -half else "cannot tell"
    test = measured(value, half, generator.randrange(50, 900), 0.001 if abs(value) > half else 0.4)
    return Finding("gain", "test", "MEASURED", "Measured.", answer, name, test)


def pair(one: str, other: str, generator: random.Random) -> Finding:
    """An answer that follows from its interval, its margin and Holm's p."""
    if generator.random() < 0.1:
        return failed("systems", one, ValueError("it broke"), other)
    value, half = generator.uniform(0, 6), generator.choice([0.2, 1.0, 4.0])
    holm = generator.choice([0.01, 0.2]) if value > half else 0.4
    margin = generator.choice([1.0, 3.0])
    answer: Answer = "yes" if holm < 0.05 else "no" if value + half < margin else "cannot tell"
    test = measured(value, half, generator.randrange(50, 900), 0.01 if value > half else 0.4)
    names = [one, other]
    generator.shuffle(names)
    values = {"p by Holm": holm, "set": "test"}
    return Finding("systems", names[0], "MEASURED", "Measured.", answer, names[1], test, margin, values=values)


def world(seed: int) -> tuple[list[Finding], list[str]]:
    generator = random.Random(seed)
    names = ["full", "lora", "qlora", "replay", "dora", "frozen", "adapter"][: generator.randrange(2, 8)]
    findings = [against_base(name, generator) for name in names]
    return findings + [pair(*couple, generator) for couple in combinations(names, 2)], names


def clauses(made: Verdict) -> list[str]:
    """What the sentence says of the systems, claim by claim."""
    _, _, tail = made.sentence.partition(f". Of {len(made.tuned)} systems, ")
    return tail.split("; ")


def named(text: str, names: list[str]) -> set[str]:
    return {name for name in names if re.search(rf"\b{name}\b", text)}


def ends(one: Finding) -> tuple[str, str]:
    """Size and interval, as they have to stand there."""
    assert one.test is not None
    assert one.interval is not None
    value = one.test.effect.value
    low, high = (one.interval.low, one.interval.high) if value >= 0 else (-one.interval.high, -one.interval.low)
    shown, *within = alike(abs(value), low, high)
    return shown, f"(95 % interval {within[0]} to {within[1]}, "


def holds(made: Verdict, names: list[str]) -> None:
    """Each claim on the best and another has its pair, each pair its claim, each claim size and interval."""
    told, best = clauses(made), made.best
    pairs = {
        (one.system if one.subject == best else one.subject): one
        for one in made.findings
        if one.question == "systems" and one.state == "MEASURED" and best in (one.system, one.subject)
    }
    said: dict[str, str] = {}
    for clause in told:
        who = named(clause, names) - {best}
        if " is better than " in clause:
            first = clause.removeprefix("on test ").split(" is better than ")[0]
            said |= dict.fromkeys(who, "above" if first == best else "below")
        elif LEVEL in clause:
            said |= dict.fromkeys(who, "open")
        elif SAME in clause:
            said |= dict.fromkeys(who, "same")
    wanted = {
        name: "above" if one.answer == "yes" and one.system == best
        else "below" if one.answer == "yes" else "same" if one.answer == "no" else "open"
        for name, one in pairs.items()
    }  # fmt: skip
    assert said == wanted, made.sentence
    for claim in set(wanted.values()):
        those = [one for name, one in pairs.items() if wanted[name] == claim]
        shown = [one for one in those if all(part in made.sentence for part in ends(one))]
        assert shown == those if len(those) <= SIZES or claim == "below" else shown, made.sentence
    lacking = set(names) - {best} - set(pairs)
    if pairs and lacking:
        assert any("was not compared with" in one and named(one, names) - {best} == lacking for one in told)
    assert ("none against another" in made.sentence) == (not pairs)
    assert "significan" not in made.sentence.lower()


@pytest.mark.parametrize("hundred", range(4))
def test_the_sentence_never_contradicts_the_pairs(hundred: int):
    for seed in range(100 * hundred, 100 * hundred + 100):
        findings, names = world(seed)
        holds(decide(findings, "base", names, "accuracy"), names)


def test_of_equal_verdicts_one_that_no_other_beats_is_told_of():
    for seed in range(200):
        findings, names = world(seed)
        made = decide(findings, "base", names, "accuracy")
        of = {name: [one for one in made.findings if one.system == name] for name in names}
        like = [name for name in names if worth(of[name]) == made.worth]
        losses = {
            name: sum(one.answer == "yes" and one.subject == name and one.system in like for one in made.findings
                      if one.question == "systems") for name in like
        }  # fmt: skip
        assert losses[made.best] == min(losses.values())


def test_the_claims_follow_from_the_scores_themselves():
    """From items to sentence: whoever is called better has the better score, by what the interval leaves open."""
    for seed in range(25):
        rng = np.random.default_rng(seed)
        lower = seed % 2 == 0
        measure = Measure("loss", "score", "nats", lower=True) if lower else Measure("accuracy", "right")
        hard = rng.normal(size=150)
        names = ["full", "lora", "qlora"]
        of = {}
        for name in ("base", *names):
            values = hard + rng.normal(rng.choice([0.0, 0.0, 0.6]), 0.8, 150)
            of[name] = Scored(
                name, "test", measure, tuple(map(str, range(150))), values if lower else values > 0.2, "d"
            )
        found = [*(gain(of["base"], of[name]) for name in names), *systems({name: of[name] for name in names}, 0.3)]
        made = decide(found, "base", names, measure.name)
        for better, worse in re.findall(r"\b(\w+) is better than (\w+) by", " ".join(clauses(made))):
            change = of[better].value - of[worse].value
            assert measure.good(change), made.sentence
            (one,) = [
                one for one in found if one.question == "systems" and {one.system, one.subject} == {better, worse}
            ]
            assert one.interval is not None
            assert 0 not in one.interval


def test_where_a_price_decides_the_better_system_is_named_all_the_same():
    """lora kept what it could do; full did not, and is better at the task."""
    findings = [
        Finding("gain", "test", "MEASURED", ".", "yes", "full", measured(9.0, 1.0, 500, 0.001)),
        Finding("gain", "test", "MEASURED", ".", "yes", "lora", measured(6.0, 1.0, 500, 0.001)),
        Finding("generalization", "news", "MEASURED", ".", "yes", "full", measured(-4.0, 1.0, 500, 0.001), 1.0),
        Finding("generalization", "news", "MEASURED", ".", "no", "lora", measured(0.0, 0.5, 500, 0.9), 1.0),
        Finding("systems", "lora", "MEASURED", ".", "yes", "full", measured(3.0, 1.0, 500, 0.001), 1.0,
                values={"p by Holm": 0.001, "set": "test"}),
    ]  # fmt: skip
    made = decide(findings, "base", ("full", "lora"), "accuracy")
    assert (made.best, made.worth) == ("lora", "worth it")
    wanted = (
        "Of 2 systems, each against base, lora has the best verdict; on test full is better than lora by 3.00 points "
    )
    assert wanted + "(95 % interval 2.00 to 4.00, 500 items); at a price: full." in made.sentence


def test_what_holm_takes_back_is_said_with_its_p():
    test = measured(3.0, 2.5, 500, 0.03)
    one = Finding("systems", "full", "MEASURED", ".", "cannot tell", "lora", test, 1.0, values={"p by Holm": 0.09})
    told = standing([one], "lora", ["full"])
    assert told == (
        "lora and full cannot be told apart, the difference is 3.00 points "
        "(95 % interval 0.50 to 5.50, 500 items, p = 0.0900 by Holm)"
    )


def test_a_difference_smaller_than_what_would_matter_is_said_to_be():
    def told(margin: float, better: str) -> str:
        other = "a" if better == "b" else "b"
        values = {"p by Holm": 0.01}
        one = Finding("systems", other, "MEASURED", ".", "yes", better, measured(2.0, 1.0, 500, 0.01), margin,
                      values=values)  # fmt: skip
        return standing([one], "a", ["b"])

    size = "by 2.00 points (95 % interval 1.00 to 3.00, 500 items)"
    assert told(3.5, "a") == f"a is better than b {size}, less than the 3.5 points that would matter"
    assert told(3.5, "b") == f"b is better than a {size}, less than the 3.5 points that would matter"
    assert told(3.0, "a") == f"a is better than b {size}"


def test_of_several_that_the_best_is_not_told_from_nothing_is_said_of_one_another():
    def pairs(answer: Answer) -> list[Finding]:
        test, values = measured(0.5, 0.7, 500, 0.2), {"p by Holm": 0.4}
        return [Finding("systems", name, "MEASURED", ".", answer, "a", test, 2.0, values=values) for name in "bc"]

    sizes = "the differences are 0.50 points (95 % interval -0.20 to 1.20, 500 items) to b and "
    told = standing(pairs("cannot tell"), "a", ["b", "c"])
    assert told.startswith(f"a cannot be told apart from either of b and c, {sizes}")
    told = standing(pairs("no"), "a", ["b", "c"])
    assert told.startswith(f"a and either of b and c do not differ by 2 points, which would matter, {sizes}")


def test_systems_that_were_not_compared_are_said_not_to_be():
    findings = [
        Finding("gain", "test", "MEASURED", ".", "yes", name, measured(5.0, 1.0, 500, 0.001)) for name in ("a", "b")
    ]
    assert "each against base and none against another" in decide(findings, "base", ("a", "b"), "x").sentence
