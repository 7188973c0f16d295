"""The sentence never contradicts the numbers behind it: random results, in hundreds."""

import math
import random
import re

import numpy as np
import pytest

from seqwise.stats import results
from seqwise.stats.phrases import alike
from seqwise.stats.results import Estimate, Interval
from seqwise.verdict.findings import Answer, Finding, Question, failed, not_run, too_few
from seqwise.verdict.gain import gain
from seqwise.verdict.scored import Measure, Scored
from seqwise.verdict.sentence import AT_MOST, MATTERS, OPENING, not_worse, sentence, worth
from seqwise.verdict.verdict import decide


def measured(value: float, half: float, n: int, seeds: int, unit: str = "points", noun: str = "items") -> results.Test:
    p = 0.01 if abs(value) > half else 0.4
    counts = {noun: n} | ({"seeds": seeds} if seeds > 1 else {})
    effect = Estimate("tuned minus base", value, Interval(value - half, value + half), unit)
    return results.Test("a test", "no difference", "t", 1.0, (n - 1,), p, counts, effect)


def answered(
    question: Question, subject: str, generator: random.Random, margin: float | None = None, noun: str = "items"
) -> Finding:
    """A finding whose answer follows from its interval, as all of them do."""
    value, half = generator.uniform(-8, 8), generator.uniform(0.1, 6)
    test = measured(value, half, generator.randrange(20, 5000), generator.choice([1, 3, 5]), noun=noun)
    low, high = value - half, value + half
    answer: Answer
    if margin is not None:
        answer = "no" if low > -margin else "yes" if high < 0 else "cannot tell"
    else:
        answer = "yes" if low > 0 else "no" if high < 0 else "cannot tell"
    return Finding(question, subject, "MEASURED", "It was measured.", answer, test=test, margin=margin)


def world(seed: int) -> list[Finding]:
    generator = random.Random(seed)
    noun = "origins" if seed % 3 == 0 else "items"  # forecasts are told by their origins
    findings = [answered("gain", "test", generator, noun=noun)]
    for name in ["sst2", "news", "reviews"][: generator.randrange(4)]:
        findings.append(
            answered("generalization", name, generator, margin=generator.choice([0.5, 1.0, 2.0]), noun=noun)
        )
    for name in ["tf-idf", "majority"][: generator.randrange(3)]:
        findings.append(answered("rival", name, generator, noun=noun))
    if generator.random() < 0.2:
        findings.append(not_run("data", "test", "nobody asked"))
    if generator.random() < 0.1:
        findings.append(failed("rival", "lead", ValueError("it broke")))
    return findings


@pytest.mark.parametrize("hundred", range(5))
def test_the_sentence_never_contradicts_the_numbers(hundred: int):
    for seed in range(100 * hundred, 100 * hundred + 100):
        holds(world(seed))


def holds(findings: list[Finding]) -> None:
    gain = findings[0]
    assert gain.test is not None
    assert gain.interval is not None
    judged, told = worth(findings), sentence(findings)
    low, high = gain.interval.low, gain.interval.high
    losses = [one for one in findings if one.question == "generalization"]
    rivals = [one for one in findings if one.question == "rival" and one.state == "MEASURED"]
    assert told.startswith(OPENING[judged])
    assert told.endswith(".")
    assert "significan" not in told.lower()
    assert ("tuned is better than base" in told) == (low > 0)
    assert ("tuned is worse than base" in told) == (high < 0)
    if judged in ("worth it", "at a price"):
        assert low > 0
    if judged == "worth it":
        assert all(one.interval is not None and one.interval.low > -(one.margin or 0) for one in losses)
        assert all(one.answer == "yes" for one in rivals)
    if low > 0 and any(one.interval is not None and one.interval.high < -(one.margin or 0) for one in losses):
        assert judged != "worth it"
    if high < 0:
        assert judged == "not worth it"
    for one in (gain, *losses):  # size, interval and n stand in it
        assert one.test is not None
        assert one.interval is not None
        ends = (one.interval.low, one.interval.high)
        if one is gain and gain.answer != "cannot tell":
            value, *ends_ = alike(abs(one.test.effect.value), *sorted(map(abs, ends)))
            assert f"{value} points (95 % interval {ends_[0]} to {ends_[1]}" in told
        noun = "items" if "items" in one.test.n else "origins"
        assert f"{one.test.n[noun]:,} {noun}" in told
    if losses:
        assert all(one.subject in told for one in losses)
    else:
        assert "was not asked" in told
    seeds = gain.test.n.get("seeds", 1)
    assert ("one seed" in told) == (seeds == 1)


def test_not_worse_is_claimed_only_where_every_loss_is_ruled_out():
    for seed in range(200):
        findings = world(seed)
        claimed = not_worse(findings)
        losses = [one for one in findings if one.question == "generalization"]
        if claimed:
            assert all(one.answer == "no" for one in losses)
            assert findings[0].answer != "no"
        beyond = [one.answer == "yes" and one.interval.high < -one.margin for one in losses]
        assert (claimed is False) == (findings[0].answer == "no" or any(beyond))  # no margin at the task: any loss


def test_a_general_set_that_could_not_be_measured_leaves_it_open():
    gain = Finding("gain", "test", "MEASURED", ".", "yes", test=measured(4.0, 1.0, 500, 3))
    findings = [gain, failed("generalization", "news", ValueError("it broke"))]
    assert worth(findings) == "cannot tell"
    assert not_worse(findings) is None
    assert "what was lost on news could not be measured" in sentence(findings)


@pytest.mark.parametrize(
    "gain", [too_few("gain", "test", "4 clusters"), failed("gain", "test", ValueError("it broke"))]
)
def test_a_test_set_that_tells_nothing_rules_out_no_loss(gain):
    """However clean the general sets are; where one of them lost, that stands."""
    within = measured(0.1, 0.4, 500, 1)
    kept = Finding("generalization", "news", "MEASURED", ".", "no", test=within, margin=1.0)
    lost = Finding("generalization", "sst2", "MEASURED", ".", "yes", test=measured(-4.0, 0.4, 500, 1), margin=1.0)
    assert not_worse([gain, kept]) is None
    assert not_worse([gain, kept, lost]) is False
    assert not_worse([not_run("gain", "test", "No test set was given."), kept]) is True


@pytest.mark.parametrize(
    ("value", "half", "expected"),
    [(0.2, 0.5, True), (0.2, 3.0, None), (-4.0, 1.0, False), (-0.765, 0.145, True), (-1.5, 1.0, None)],
)
def test_not_worse_takes_a_loss_at_the_task_to_be_ruled_out_too(value, half, expected):
    """The general set lost nothing; whether the task did is for its own interval to say, against a margin of 1."""
    answer: Answer = "no" if value + half < 0 else "cannot tell"
    values = {"gain": value, AT_MOST: max(0.0, half - value), MATTERS: 1.0}
    gain = Finding("gain", "test", "MEASURED", ".", answer, test=measured(value, half, 500, 1), values=values)
    kept = Finding("generalization", "news", "MEASURED", ".", "no", test=measured(0.1, 0.4, 500, 1), margin=1.0)
    assert not_worse([gain, kept]) is expected


def test_a_gain_below_what_is_useful_is_no_loss_and_stays_ruled_out_among_many():
    """+0.3 points, 95 % interval -0.2 to 0.8, where 2 would be useful: no, whatever p of no difference is."""
    of = {"gain": 0.3, AT_MOST: 0.2, MATTERS: 1.0}
    findings = [
        Finding("gain", "test", "MEASURED", ".", "no", name, measured(0.3, 0.5, 500, 1), margin=2.0, values=of)
        for name in ("a", "b")
    ]
    assert not_worse(findings[:1]) is True
    made = decide(findings, "base", ("a", "b"), "accuracy")
    assert [one.answer for one in made.findings] == ["no", "no"]
    assert made.worth == "not worth it"
    assert any("McNemar" in one or "Holm" in one for one in made.methods)


def test_a_gain_that_was_not_measured_is_no_gain():
    findings = [not_run("gain", "test", "no test set was given")]
    assert worth(findings) == "cannot tell"
    assert "no test set was given" in sentence(findings)


def test_of_several_systems_the_best_is_told_of_and_luck_of_the_draw_is_allowed_for():
    """Three systems, one of which is better at p = 0.03: by Holm 0.09, which tells nothing."""
    findings = []
    for name, value in (("a", 3.1), ("b", 0.2), ("c", 0.1)):
        test = measured(value, 3.0, 200, 1)
        p = 0.03 if name == "a" else 0.8
        test = results.Test(**{**vars(test), "p": p})
        answer: Answer = "yes" if name == "a" else "cannot tell"
        findings.append(Finding("gain", "test", "MEASURED", f"{name} told.", answer, system=name, test=test))
    made = decide(findings, "base", ("a", "b", "c"), "accuracy")
    assert made.worth == "cannot tell"
    assert "better than" not in made.sentence
    assert "do not tell a from base as one of several systems (p = 0.0900 by Holm), the difference" in made.sentence
    assert all("by Holm" in one.notes[-1] for one in made.findings)
    assert "is better" not in made.findings[0].told


def test_the_best_of_several_is_told_of():
    findings = [
        Finding("gain", "test", "MEASURED", ".", "yes", system=name, test=measured(value, 1.0, 500, 3))
        for name, value in (("full", 4.0), ("lora", 6.0), ("qlora", 5.0))
    ]
    made = decide(findings, "base", ("full", "lora", "qlora"), "accuracy")
    assert "lora is better than base" in made.sentence
    chosen = (
        "Of 3 systems, each against base and none against another, lora has the largest gain of 3 with this verdict"
    )
    assert f"{chosen}; worth it: full and qlora." in made.sentence
    assert math.isclose(made.findings[0].test.effect.value, 4.0)  # type: ignore[union-attr]
    assert not re.search(r"\bnan\b|None", made.sentence)


def test_of_systems_that_tell_nothing_the_first_is_told_of_and_none_is_said_to_gain_most():
    findings = [
        Finding("gain", "test", "MEASURED", ".", "cannot tell", system=name, test=measured(value, 9.0, 500, 3))
        for name, value in (("full", 1.0), ("lora", 2.0))
    ]
    told = decide(findings, "base", ("full", "lora"), "accuracy").sentence
    assert "full has the same verdict as lora and comes first; cannot tell: lora." in told
    assert "largest" not in told


def test_an_interval_without_0_that_tells_nothing_has_its_p():
    """Tango's interval leaves out 0 where McNemar's mid-p is above 5 %: four items lost of 200, and none gained."""
    base = np.ones(200, dtype=bool)
    tuned = base & (np.arange(200) >= 4)
    ids = tuple(map(str, range(200)))
    one, other = (Scored(name, "test", Measure("accuracy", "right"), ids, values)
                  for name, values in (("base", base), ("tuned", tuned)))  # fmt: skip
    found = gain(one, other)
    assert found.interval is not None
    assert found.answer == "cannot tell"
    assert found.interval.high < 0
    assert "-2.00 points (95 % interval -5.03 to -0.08, 200 items, p = 0.0625)" in sentence([found])


def lucky(optimism: float, answer: Answer = "cannot tell", low: float = 2.0) -> list[Finding]:
    """A gain of low + 1, of one seed that was picked as the best of several."""
    test = measured(low + 1, 1.0, 400, 1)
    chosen = {"optimism": optimism}
    return [
        Finding("gain", "test", "MEASURED", ".", "yes", test=test),
        Finding("luck", "test", "MEASURED", ".", answer, test=test, values=chosen),
    ]


def test_a_best_of_several_has_to_be_better_than_the_luck_of_the_choice():
    for optimism, judged in ((1.5, "worth it"), (2.5, "cannot tell")):
        findings = lucky(optimism)
        told = sentence(findings)
        assert worth(findings) == judged
        assert not_worse(findings) is (True if judged == "worth it" else None)
        assert f"picked as the best of several, which luck alone makes worth {optimism} points; one seed." in told


def test_luck_that_was_ruled_out_with_the_choice_counts_no_more():
    assert worth(lucky(9.0, "no")) == "worth it"
    assert not_worse(lucky(9.0, "no")) is True


def test_what_would_be_needed_goes_on_in_the_sentence():
    test = measured(0.0, 2.0, 400, 1)
    needed = "Nothing changed; how many items would tell is not known from that."
    told = sentence([Finding("gain", "test", "MEASURED", ".", "cannot tell", test=test, needed=needed)])
    assert ", and nothing changed; how many items would tell is not known from that; " in told
    assert "Nothing" not in told


def held_to(p: float, value: float, system: str, alone: float = 0.4) -> list[Finding]:
    """A clear gain, and a set where a loss of 1 point is ruled out at this p; alone: of no difference."""
    test = measured(value, 0.5, 1500, 1)
    values = {"p against the margin": p, "p by Holm": alone, "gain": value}
    answer: Answer = "no" if p < 0.05 else "cannot tell"
    return [
        Finding("gain", "test", "MEASURED", ".", "yes", system, measured(16.0, 2.0, 1500, 3)),
        Finding("generalization", "g", "MEASURED", ".", answer, system, test, 1.0, values=values),
    ]


def test_of_ten_systems_that_nothing_was_lost_is_held_to_holm():
    """Of ten that lose just the margin one is easily below 5 %: 0.035 of ten is 0.35."""
    systems = [f"m{place}" for place in range(10)]
    findings = [one for name in systems for one in held_to(0.035 if name == "m6" else 0.5, -0.3, name)]
    assert decide(findings[12:14], "base", ("m6",), "accuracy").worth == "worth it"
    made = decide(findings, "base", systems, "accuracy")
    assert made.worth == "cannot tell"
    assert made.not_worse is None
    assert "nothing beyond" not in made.sentence
    assert "whether more than 1 point was lost is open on g" in made.sentence
    assert "against the margin by Holm, as one of several systems)" in made.sentence
    changed = next(one for one in made.findings if one.system == "m6" and one.question == "generalization")
    assert (changed.answer, changed.values["p against the margin by Holm"]) == ("cannot tell", pytest.approx(0.35))
    assert any("that nothing was lost is by Holm's p over them" in text for text in made.methods)


def test_a_loss_that_is_shown_is_told_where_holm_rules_it_out_no_longer():
    findings = [*held_to(0.04, -0.6, "a", alone=0.01), *held_to(0.5, -0.6, "b", alone=0.01)]
    made = decide(findings, "base", ("a", "b"), "accuracy")
    assert [one.answer for one in made.findings if one.question == "generalization"] == ["yes", "cannot tell"]


def test_one_of_many_rivals_that_is_better_by_luck_does_not_decide():
    """p = 0.02 of one rival among four is 0.08."""
    gain = Finding("gain", "test", "MEASURED", ".", "yes", test=measured(6.0, 1.0, 500, 3))
    tests = [measured(value, 1.0, 500, 3) for value in (-1.2, 0.2, 0.3, 0.1)]
    tests = [results.Test(**{**vars(test), "p": p}) for test, p in zip(tests, (0.02, 0.7, 0.6, 0.8), strict=True)]
    rivals = [
        Finding("rival", name, "MEASURED", ".", "no" if test.p < 0.05 else "cannot tell", test=test)
        for name, test in zip("wxyz", tests, strict=True)
    ]
    assert decide([gain, rivals[0]], "base", ("tuned",), "accuracy").worth == "not worth it"
    made = decide([gain, *rivals], "base", ("tuned",), "accuracy")
    assert made.worth == "cannot tell"
    assert "(p = 0.0800 by Holm, as one of several rivals)" in made.sentence
