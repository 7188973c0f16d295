"""Oracles: R's documented examples on ToothGrowth and PlantGrowth, UCLA's worked pages on hsb2; sentences by cases."""

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest
from jaxtyping import TypeCheckError

from seqwise.errors import ConfigError, DataError
from seqwise.stats import results
from seqwise.stats.compare import compare, compare_value
from seqwise.stats.phrases import alike
from seqwise.stats.telling import apart

DATA = Path(os.environ.get("SEQWISE_DATA", Path(__file__).resolve().parents[2] / "../shared/data"))
HSB2 = DATA / "statistics" / "samples" / "hsb2.csv"
needs_hsb2 = pytest.mark.skipif(not HSB2.is_file(), reason=f"{HSB2} is absent")

# R's ToothGrowth: length of teeth at three doses, ten animals each
VC = [4.2, 11.5, 7.3, 5.8, 6.4, 10, 11.2, 11.2, 5.2, 7, 16.5, 16.5, 15.2, 17.3, 22.5, 17.3, 13.6, 14.5, 18.8, 15.5]
VC += [23.6, 18.5, 33.9, 25.5, 26.4, 32.5, 26.7, 21.5, 23.3, 29.5]
OJ = [15.2, 21.5, 17.6, 9.7, 14.5, 10, 8.2, 9.4, 16.5, 9.7, 19.7, 23.3, 23.6, 26.4, 20, 25.2, 25.8, 21.2, 14.5, 27.3]
OJ += [25.5, 26.4, 22.4, 24.5, 24.8, 30.9, 26.4, 27.3, 29.4, 23]
TEETH = np.array(VC + OJ, dtype=np.float64)
SUPPLEMENT = ["VC"] * 30 + ["OJ"] * 30
DOSE = np.tile(np.repeat([0.5, 1.0, 2.0], 10), 2)

# R's PlantGrowth
CONTROL = [4.17, 5.58, 5.18, 6.11, 4.5, 4.61, 5.17, 4.53, 5.33, 5.14]
ONE = [4.81, 4.17, 4.41, 3.59, 5.87, 3.83, 6.03, 4.89, 4.32, 4.69]
TWO = [6.31, 5.12, 5.54, 5.5, 5.37, 5.29, 4.92, 6.15, 5.8, 5.26]
PLANTS = np.array(CONTROL + ONE + TWO)
TREATED = ["ctrl"] * 10 + ["trt1"] * 10 + ["trt2"] * 10


def column(name, kind=np.float64):
    with HSB2.open() as file:
        return np.array([row[name] for row in csv.DictReader(file)], dtype=kind)


def test_two_groups_equal_r_on_tooth_growth():
    """t.test(len ~ supp): t = 1.9153, df = 55.309, p-value = 0.06063, -0.1710156 7.5710156."""
    found = compare(TEETH, SUPPLEMENT, name="len", by="supp")
    assert found.test.statistic == pytest.approx(1.9153, abs=5e-5)
    assert found.test.df[0] == pytest.approx(55.309, abs=5e-4)
    assert found.test.p == pytest.approx(0.06063, abs=5e-6)
    within = found.test.effect.interval
    assert (within.low, within.high) == pytest.approx((-0.1710156, 7.5710156), abs=5e-8)
    assert found.sentences()[0] == (
        "The data cannot tell OJ and VC apart in the mean of len: difference 3.70 (95 % -0.17 to 7.57, Welch's t); "
        "with these numbers a difference of 5.51 or more would have been found four times in five."
    )
    assert found.sentences()[2] == "Compared by ranks the answer is the same (Mann-Whitney test, p = 0.0637)."


def test_groups_that_are_numbers_take_the_name_of_their_column():
    told = compare(TEETH, DOSE, name="len", by="dose").sentences()
    assert told[1].startswith("The mean of len is 15.5 higher for dose 2 than for dose 0.5 (95 % ")


def test_several_groups_equal_r_on_plant_growth():
    """aov(weight ~ group): F 4.846, p 0.01591; TukeyHSD: trt2-trt1 0.865 (0.1737839 1.5562161), p 0.0120064."""
    found = compare(PLANTS, TREATED, name="weight", unit="g", by="group")
    assert found.test.statistic == pytest.approx(4.846, abs=5e-4)
    assert found.test.p == pytest.approx(0.01591, abs=5e-6)
    assert found.sentences()[1] == (
        "The mean of weight is 0.87 g higher for trt2 than for trt1 (95 % 0.17 to 1.56, Tukey-Kramer)."
    )
    assert sum("cannot tell" in told for told in found.sentences()) == 2
    pair = next(pair for pair in found.anova.pairs.pairs if {pair.first, pair.second} == {"trt1", "trt2"})
    assert (pair.difference.interval.low, pair.difference.interval.high) == pytest.approx(
        (0.1737839, 1.5562161), abs=1e-5
    )
    assert pair.p == pytest.approx(0.0120064, abs=1e-5)


def test_an_sd_twice_another_gives_each_group_its_own():
    wide = np.concatenate([PLANTS[:20], (PLANTS[20:] - PLANTS[20:].mean()) * 4 + PLANTS[20:].mean()])
    found = compare(wide, TREATED, name="weight", by="group")
    assert found.test.name == "Welch's analysis of variance"
    assert "Games" in found.test.why
    few = np.array([1.0, 2, 3, 4, 5, 20, 35, 7, 8])
    assert compare(few, list("aaabbbccc")).test.name == "one-way analysis of variance"


@needs_hsb2
def test_hsb2_equals_the_worked_pages():
    """UCLA: write by female t(169.7) = -3.66; by prog F = 21.27; write against 50 t = 4.14; write - read t = 0.87."""
    write, read = column("write"), column("read")
    by_gender = compare(write, column("gender", str), name="write", unit="points", by="gender")
    assert by_gender.test.statistic == pytest.approx(3.66, abs=5e-3)
    assert by_gender.test.df[0] == pytest.approx(169.7, abs=0.05)
    assert by_gender.sentences()[0] == (
        "The mean of write is 4.87 points higher for female than for male (95 % 2.24 to 7.50, Welch's t)."
    )
    by_program = compare(write, column("prog", str), name="write", unit="points", by="prog")
    assert by_program.test.statistic == pytest.approx(21.27, abs=5e-3)
    assert by_program.sentences()[1].startswith(
        "The mean of write is 9.5 points higher for academic than for vocational"
    )
    against = compare_value(write, 50, name="write", unit="points")
    assert against.test.statistic == pytest.approx(4.140, abs=5e-4)
    assert against.sentences()[0].endswith(", above 50 points.")
    both, pupil = np.concatenate([write, read]), np.tile(np.arange(200), 2)
    pairs = compare(both, ["write"] * 200 + ["read"] * 200, paired=pupil, name="score", unit="points", by="exam")
    assert abs(pairs.test.statistic) == pytest.approx(0.87, abs=5e-3)
    assert pairs.test.p == pytest.approx(0.3868, abs=5e-5)
    assert pairs.sentences()[0].startswith(
        "The data cannot tell write and read apart in the mean of score: difference 0.55"
    )


def test_ranks_come_first_where_they_are_asked_for():
    found = compare(TEETH, SUPPLEMENT, name="len", by="supp", method="ranks")
    assert found.test.name == "Mann-Whitney test"
    assert found.check.name == "Welch's t-test"
    assert found.sentences()[0].startswith("The data cannot tell OJ and VC apart in the typical len: difference")
    several = compare(PLANTS, TREATED, name="weight", by="group", method="ranks")
    assert several.sentences()[0] == (
        "weight differs by group: the groups explain 27.5 % of the variance of its ranks, "
        "Kruskal-Wallis test, p = 0.0184."
    )


def test_the_same_items_are_compared_with_themselves_in_any_order():
    """Shuffled rows, an item that lacks a value: the paired test of what is whole."""
    a, b = np.array([3.0, 5, 9, 11, 20]), np.array([4.0, 7, 10, 14, 22])
    x, group, item = np.concatenate([a, b, [99.0]]), ["new"] * 5 + ["old"] * 5 + ["new"], [*"abcde", *"abcde", "z"]
    order = np.random.default_rng(2).permutation(11)
    found = compare(x[order], [group[i] for i in order], paired=[item[i] for i in order], name="time", unit="s")
    assert found.test.name == "paired t-test"
    assert found.test.effect.value == pytest.approx(-1.8)
    assert found.sentences()[0].startswith("The mean of time is 1.80 s higher for old than for new (95 % ")
    assert found.sentences()[-1] == "Left out, without a value in each group of group: 1 item."


def test_more_groups_of_the_same_items_are_compared_with_themselves():
    """O of the reference: six items, three arms, F 17.18."""
    arms = [[0.50, 0.58, 0.61], [0.40, 0.47, 0.44], [0.62, 0.66, 0.70]]
    arms += [[0.55, 0.60, 0.63], [0.48, 0.50, 0.49], [0.70, 0.75, 0.79]]
    table = np.array(arms)
    found = compare(table.ravel(), ["c", "b", "a"] * 6, paired=np.repeat(np.arange(6), 3), name="accuracy", by="arm")
    assert found.test.statistic == pytest.approx(17.180451127819744, rel=1e-10)
    assert found.test.p == pytest.approx(0.0022221954855, rel=1e-6)
    assert [group.mean for group in found.groups] == pytest.approx(table.mean(0)[::-1])
    assert found.sentences()[1].startswith("The mean of accuracy is 0.068 higher for a than for c (95 % ")
    assert " by Holm)." in found.sentences()[1]


def test_pairs_of_the_same_items_are_claimed_by_holm_only():
    """Single intervals leave 0 out, but not p once all pairs count: no claim, and p tells why."""
    x = np.array([1.0, 2, 3, 4, 5, 6, 2, 4, 3, 6, 6, 9, 3, 3, 3, 8, 9, 9])
    found = compare(x, list("a" * 6 + "b" * 6 + "c" * 6), paired=list(range(6)) * 3, name="score", by="arm")
    assert (
        found.anova.pairs.largest.difference.interval.low > 0 or found.anova.pairs.largest.difference.interval.high < 0
    )
    for sentence in found.sentences()[1:4]:
        assert sentence.startswith("The data cannot tell ")
        assert "by Holm" in sentence
        assert "four times in five" not in sentence


def test_groups_of_one_are_left_out_and_told():
    found = compare(np.array([1.0, 2, 3, 4, 9]), ["a", "a", "b", "b", "lonely"], name="x")
    assert found.sentences()[-1] == "Left out, as a single value says nothing of its spread: lonely."
    assert [group.name for group in found.groups] == ["a", "b"]


@pytest.mark.parametrize(
    ("x", "groups"),
    [
        ([1, 2, 3, 4], "aabb"),  # two each
        ([1, 1, 1, 2, 2, 3], "aaabbb"),  # a group without spread
        ([1, 2, 2, 2, 2, 3], "aaabbb"),  # ties
        ([1, 2, 1, 2], "aabb"),  # the same twice
        ([1, 2, 3, 1, 2, 3, 1, 2, 3], "aaabbbccc"),  # three times the same
        ([1e9, 1e9 + 1, 1e9 + 2, 1e9 + 3], "aabb"),
        ([1e-9, 2e-9, 3e-9, 5e-9], "aabb"),
        ([0, 0, 0, 0, 0, 1], "aaabbb"),
        ([1, 1, 2, 2, 5, 6], "aabbcc"),  # two groups of three without spread
    ],
)
@pytest.mark.parametrize("method", ["means", "ranks"])
def test_whatever_the_numbers_the_sentences_are_true(x, groups, method):
    """Who is called higher is higher, and only where the interval leaves 0 out; nothing is called not a number."""
    found = compare(np.array(x, dtype=np.float64), list(groups), name="x", method=method)
    told = " ".join(found.sentences())
    assert "nan" not in told
    assert "not a number" not in told
    means = {group.name: group.mean for group in found.groups}
    for sentence in found.sentences():
        if " higher for " in sentence:
            high, low = sentence.split(" higher for ")[1].split(" (")[0].split(" than for ")
            assert means[high] > means[low]
            assert " % -" not in sentence
    if len(means) == 2:
        claimed = "cannot tell" not in found.sentences()[0]
        assert claimed == (found.test.rejected and 0 not in found.test.effect.interval)
    json.dumps(found.to_dict(), allow_nan=False)


def test_one_sample_is_told_by_its_side():
    x = np.array([4.8, 5.1, 5.0, 4.9, 5.3, 5.2])
    assert compare_value(x, 6, name="width", unit="cm").sentences()[0].endswith(", below 6 cm.")
    assert (
        compare_value(x, 5, name="width", unit="cm").sentences()[0].startswith("The data cannot tell the mean of width")
    )
    assert "than for 6" not in compare_value(x, 6, name="width", method="means").sentences()[0]
    assert "for 6 than for width" in compare_value(x, 6, name="width", method="ranks").sentences()[0]


def test_where_ranks_disagree_it_is_said():
    x = np.array([1.0, 2, 3, 10, 11, 12])
    told = compare(x, list("aaabbb"), name="x").sentences()
    assert any("Compared by ranks the data cannot tell (Mann-Whitney test, p = 0.100)" in one for one in told)


def test_doubts_are_told():
    seeded = np.random.default_rng(4)
    x = np.concatenate([seeded.exponential(size=15) ** 2, seeded.normal(size=15)])
    told = compare(x, ["wait"] * 15 + ["size"] * 15, name="x").sentences()
    assert any(one.startswith("Doubtful, normal means: Far from normal for so few values") for one in told)


def test_a_comparison_can_be_shown():
    found = compare(PLANTS, TREATED, name="weight", unit="g", by="group")
    assert isinstance(found, results.Shown)
    titles = [grid.title for grid in found.grids()]
    assert titles[:2] == ["weight by group, g", "Tests"]
    for grid in found.grids():
        assert {len(row) for row in grid.rows} == {len(grid.columns)}


@pytest.mark.parametrize(
    ("ask", "told"),
    [
        (lambda: compare(np.array([1.0, 2, 3]), ["a", "a", "a"]), "1 group"),
        (lambda: compare(np.array([1.0, 2]), ["a", "b"]), "0 of 2 groups of group with two values"),
        (lambda: compare(np.array([1.0, 2, 3]), ["a", "a", "b"]), "1 of 2 groups"),
        (lambda: compare(np.full(4, 3.0), list("aabb")), "only the value 3"),
        (lambda: compare(np.array([1.0, 1, 2, 2, 3, 3]), list("aabbcc")), "no two values that differ"),
        (lambda: compare(np.arange(102.0), [i // 2 for i in range(102)], by="id"), "51 groups in id: needs at most 50"),
        (lambda: compare(np.array([1.0, np.nan]), ["a", "b"], name="x"), "nan as value 2 of x"),
        (lambda: compare(np.array([1.0, 2]), ["a"]), "2 values and 1 labels"),
        (lambda: compare(np.array([1.0, 2, 3, 4]), list("aabb"), paired=[1, 1, 1, 2]), "2 values of item 1"),
        (lambda: compare(np.array([1.0, 2, 3, 4]), list("aabb"), paired=[1, 2, 3, 4]), "0 items with a value in each"),
        (lambda: compare_value(np.array([2.0, 2.0]), 1.0), "all 2 values"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_one_line(ask, told):
    with pytest.raises(DataError) as caught:
        ask()
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_settings_that_are_not_known_are_refused():
    for bad in ({"method": "anova"}, {"level": 1.5}):
        with pytest.raises((ConfigError, TypeCheckError)):
            compare(TEETH, SUPPLEMENT, **bad)


def test_numbers_of_a_sentence_have_the_same_decimals():
    assert alike(9.86, 6.6, 13.23) == ("9.9", "6.6", "13.2")
    assert alike(0.07, 0.0118, 0.128) == ("0.070", "0.012", "0.128")
    assert alike(1234.5, -0.2, 3000.0) == ("1,234.5", "-0.2", "3,000.0")  # -0.2 is not 0
    assert alike(1.0, -np.inf, np.inf) == ("1.00", "-infinity", "infinity")
    assert alike(0.0, 0.0) == ("0", "0")


def test_no_difference_is_claimed_where_the_interval_holds_0():
    effect = results.Estimate("a minus b", -2.0, results.Interval(-4.0, 0.0), "cm")
    assert apart(("a", "b"), "the mean of x", effect, found=True) == (
        "The data cannot tell b and a apart in the mean of x: difference 2.00 cm (95 % 0.00 to 4.00)."
    )
