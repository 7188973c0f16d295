"""Groups against each other: NIST's certified values, R's documented examples, scipy's Tukey, sentences by cases."""

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from seqwise.errors import DataError
from seqwise.stats.anova import one_way, tukey
from seqwise.stats.explained import noncentrality
from seqwise.stats.results import Shown

DATA = Path(os.environ.get("SEQWISE_DATA", Path(__file__).resolve().parents[2] / "../shared/data"))

# R's PlantGrowth: dried weight of plants, in grams (Dobson 1983)
WEIGHT = np.array([4.17, 5.58, 5.18, 6.11, 4.50, 4.61, 5.17, 4.53, 5.33, 5.14, 4.81, 4.17, 4.41, 3.59, 5.87, 3.83,
                   6.03, 4.89, 4.32, 4.69, 6.31, 5.12, 5.54, 5.50, 5.37, 5.29, 4.92, 6.15, 5.80, 5.26])  # fmt: skip
PLANT = ["ctrl"] * 10 + ["trt1"] * 10 + ["trt2"] * 10

SIRSTV = """196.3052 196.1240 196.1890 196.2569 196.3403 196.3042 196.3825 196.1669 196.3257 196.0422 196.1303 196.2005
196.2889 196.0343 196.1811 196.2795 196.1748 196.1494 196.1485 195.9885 196.2119 196.1051 196.1850 196.0052 196.2090"""
ATMWTAG = """681568 681465 681572 681785 681446 681903 681526 681494 681616 681587 681519 681486 681419 681569
681508 681672 681385 681518 681662 681424 681360 681333 681610 681477 681079 681344 681513 681197
681604 681385 681642 681365 681151 681082 681517 681448 681198 681482 681334 681609 681101 681512
681469 681360 681254 681261 681450 681368"""


def digits(found, certified):
    """Digits that agree (LRE)."""
    return 15.0 if found == certified else -np.log10(abs(found - certified) / abs(certified))


def simon_lesage(base, replicates):
    """NIST's SmLs01 to SmLs09: nine groups alternate about their first value, of which the last digit counts."""
    values, labels = [], []
    for group, tenth in enumerate([4, 3, 5, 3, 5, 3, 5, 3, 5], 1):
        rows = [tenth] + [tenth - 1, tenth + 1] * ((replicates - 1) // 2)
        values += [float(f"{base}.{row}") for row in rows]
        labels += [group] * replicates
    return np.array(values), labels


@pytest.mark.parametrize(
    ("base", "replicates", "f", "attained"),
    [
        *((1, r, f, 14.0) for r, f in ((21, 21.0), (201, 201.0), (2001, 2001.0))),
        *((10**6, r, f, 10.0) for r, f in ((21, 21.0), (201, 201.0), (2001, 2001.0))),
        *((10**12, r, f, 4.1) for r, f in ((21, 21.0), (201, 201.0), (2001, 2001.0))),
    ],
)
def test_simon_and_lesage_to_all_digits_that_doubles_hold(base, replicates, f, attained):
    found = one_way(*simon_lesage(base, replicates))
    assert digits(found.test.statistic, f) >= attained
    squares = {21: (1.68, 1.8), 201: (16.08, 18.0), 2001: (160.08, 180.0)}[replicates]
    assert [line.df for line in found.lines[:2]] == [8, 9 * replicates - 9]
    for line, certified in zip(found.lines, squares, strict=False):
        assert digits(line.squares, certified) >= attained - 0.5


@pytest.mark.parametrize(
    ("values", "groups", "f", "share", "attained"),
    [
        (np.array([float(v) for v in SIRSTV.split()]), 5, 1.18046237440255, 1.90999039051129e-01, 13.0),
        (np.array([float(f"107.8{v}") for v in ATMWTAG.split()]), 2, 15.9467335677930, 2.57426544538321e-01, 10.0),
    ],
)
def test_nist_measurements(values, groups, f, share, attained):
    found = one_way(values, np.repeat(np.arange(groups), len(values) // groups))
    assert digits(found.test.statistic, f) >= attained
    assert digits(found.eta.value, share) >= attained


def test_plant_growth_as_r_prints_it():
    found = one_way(WEIGHT, PLANT, name="weight", unit="g", by="treatment")
    assert found.test.statistic == pytest.approx(4.846, abs=5e-4)
    assert found.test.p == pytest.approx(0.01591, abs=5e-6)
    assert found.test.df == (2, 27)
    assert [line.squares for line in found.lines[:2]] == pytest.approx([3.76634, 10.49209], abs=5e-6)
    told = {(pair.first, pair.second): pair for pair in found.pairs.pairs}  # TukeyHSD
    pair = told["trt1", "trt2"]
    assert (pair.difference.value, pair.p) == (pytest.approx(0.865), pytest.approx(0.0120064, abs=5e-8))
    assert (pair.difference.interval.low, pair.difference.interval.high) == pytest.approx(
        (0.1737839, 1.5562161), abs=5e-8
    )
    assert told["ctrl", "trt2"].p == pytest.approx(0.1979960, abs=5e-8)
    assert told["ctrl", "trt1"].p == pytest.approx(0.3908711, abs=5e-8)


def test_welch_as_r_prints_it():
    """R's oneway.test(weight ~ group)."""
    test = one_way(WEIGHT, PLANT, welch=True).test
    assert test.statistic == pytest.approx(5.181, abs=5e-4)
    assert test.df == (2, pytest.approx(17.128, abs=5e-4))
    assert test.p == pytest.approx(0.01739, abs=5e-6)


def test_welch_of_two_groups_is_the_square_of_welchs_t():
    values, labels = WEIGHT[:17], PLANT[:17]
    theirs = stats.ttest_ind(values[:10], values[10:], equal_var=False)
    found = one_way(values, labels, welch=True)
    assert found.test.statistic == pytest.approx(theirs.statistic**2, rel=1e-12)
    assert found.test.p == pytest.approx(theirs.pvalue, rel=1e-12)
    assert found.pairs.pairs[0].p == pytest.approx(theirs.pvalue, rel=1e-9)
    both = found.pairs.pairs[0].difference.interval
    assert (-both.high, -both.low) == pytest.approx(tuple(theirs.confidence_interval()), rel=1e-9)


@pytest.mark.parametrize("unequal", [False, True])
def test_pairs_equal_scipys(unequal):
    """Tukey-Kramer and Games-Howell of groups of unequal size."""
    rng = np.random.default_rng(7)
    samples = [rng.normal(mean, sd, size) for mean, sd, size in ((0, 1, 5), (0.5, 2, 9), (2, 0.7, 7), (0, 1, 4))]
    labels = np.repeat(list("abcd"), [len(sample) for sample in samples])
    found = tukey(np.concatenate(samples), labels, unequal=unequal)
    theirs = stats.tukey_hsd(*samples, equal_var=not unequal)
    limits = theirs.confidence_interval()
    for pair in found.pairs:
        a, b = "abcd".index(pair.second), "abcd".index(pair.first)
        assert pair.p == pytest.approx(theirs.pvalue[a, b], abs=1e-8)
        assert pair.difference.value == pytest.approx(theirs.statistic[a, b])
        assert pair.difference.interval.low == pytest.approx(limits.low[a, b], rel=1e-6)
        assert pair.difference.interval.high == pytest.approx(limits.high[a, b], rel=1e-6)


def test_f_equals_scipys_and_spread_goes_by_brown_and_forsythe():
    rng = np.random.default_rng(3)
    samples = [rng.normal(mean, 1 + mean, 12) for mean in (0, 1, 2)]
    found = one_way(np.concatenate(samples), np.repeat([3, 1, 2], 12))
    theirs = stats.f_oneway(*samples)
    assert found.test.statistic == pytest.approx(theirs.statistic, rel=1e-12)
    assert found.test.p == pytest.approx(theirs.pvalue, rel=1e-12)
    levene = stats.levene(*samples, center="median")
    spread = found.test.assumptions[1]
    assert f"{levene.statistic:.4g}" in spread.told
    assert spread.holds is bool(levene.pvalue >= 0.05)


def test_limits_of_the_share_are_those_of_the_noncentral_f():
    """At the limits, an F as seen has probabilities of 2.5 and 97.5 %."""
    low, high = noncentrality(4.846, 2, 27)
    assert stats.ncf.cdf(4.846, 2, 27, low) == pytest.approx(0.975, abs=1e-9)
    assert stats.ncf.cdf(4.846, 2, 27, high) == pytest.approx(0.025, abs=1e-9)
    assert noncentrality(0.9, 2, 27)[0] == 0


def test_an_f_below_chance_does_not_pretend_to_know_that_nothing_is_there():
    found = one_way(np.array([0.0, 1, 0, 1, 0, 1]), list("aabbcc"))
    assert found.test.statistic == pytest.approx(0, abs=1e-15)
    assert found.eta.interval.high > 0.5


def test_groups_that_hardly_spread_have_a_share_near_1():
    found = one_way(np.array([0, 1e-7, 1, 1 + 1e-7]), list("aabb"))
    assert 0.999 < found.eta.interval.low < found.eta.value <= 1
    assert "over 99.9 %" in found.sentences()[0]


def test_the_detectable_difference_is_found_in_four_cases_of_five():
    found = one_way(WEIGHT, PLANT)
    shift = 10 * found.test.detectable.value**2 / 2 / found.lines[1].mean
    assert stats.ncf.sf(stats.f.ppf(0.95, 2, 27), 2, 27, shift) == pytest.approx(0.8, abs=1e-6)


def test_groups_that_differ_are_told_with_size_and_interval():
    found = one_way(WEIGHT, PLANT, name="weight", unit="g", by="treatment")
    first, second, third = found.sentences()
    assert first.startswith(
        "treatment explains 26.4 % of the variance of weight (95 % interval 1 % to 46.4 %, F(2, 27)"
    )
    assert second.startswith(
        "Mean weight is 0.865 g higher in trt2 than in trt1 (95 % interval 0.174 to 1.56 g, p = 0.0120"
    )
    assert third == "By their mean weight these data cannot tell trt1 from ctrl or trt2 from ctrl."
    assert found.test.effect.name == "trt2 minus trt1"
    assert isinstance(found, Shown)
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["test"]["rejected"]


def test_groups_that_may_not_differ_are_not_told_to():
    some = one_way(WEIGHT[:20], PLANT[:20], name="weight", by="treatment")
    assert some.test.statistic > 1
    assert some.sentences()[0].startswith(
        "These data cannot tell whether mean weight differs by treatment: it explains"
    )
    assert some.sentences()[1].startswith(
        "These data cannot tell whether mean weight is higher in ctrl or in trt1: 0.371 apart"
    )
    less = one_way(np.array([1.0, 2, 3, 1.1, 2, 3]), list("aaabbb"), name="weight", by="plot")
    assert "no more than chance alone would: no sign that its groups differ" in less.sentences()[0]


def test_many_groups_are_told_without_pairs():
    rng = np.random.default_rng(1)
    labels = np.repeat(np.arange(40), 3)
    found = one_way(labels / 10 + rng.normal(size=120), labels)
    assert found.pairs is None
    assert found.sentences()[1].startswith("The largest difference is that of ")
    with pytest.raises(DataError, match="30 at most for all pairs"):
        tukey(labels + rng.normal(size=120), labels)


def test_a_group_of_one_value_is_told():
    found = one_way(np.array([1.0, 2, 1.5, 9]), list("aaab"))
    assert found.groups[1].sd is None
    assert any("a single value" in note for note in found.test.notes)


def test_numbers_as_labels_are_sorted_as_numbers():
    found = one_way(np.array([1.0, 2, 4, 3, 5, 6]), [10, 10, 9, 9, 0.5, 0.5])
    assert [group.name for group in found.groups] == ["0.5", "9", "10"]


@pytest.mark.parametrize(
    ("values", "labels", "welch", "told"),
    [
        ([1.0, 2, np.nan, 3], "aabb", False, "missing or infinite .first: row 3"),
        ([1.0, 1, 1, 1], "aabb", False, "in all 4 rows"),
        ([1.0, 1, 2, 2], "aabb", False, "no two values that differ"),
        ([0.1 + 0.2, 0.3, 2, 2], "aabb", False, "no two values that differ"),
        ([1.0, 2, 3, 4], "aaaa", False, "1 group in group"),
        ([1.0, 2, 3, 4], "aab", False, "3 labels of group"),
        ([1.0, 2, 3, 4], "abcd", False, "no two values"),
        ([1.0, 2, 3], "aab", True, "no two values that differ in b"),
        ([], "", False, "0 values of value"),
        ([1e300, 2e300, 3e300, 5e300], "aabb", False, "value as large as 5e.300: needs numbers between"),
        ([1e-300, 2e-300, 3e-300, 5e-300], "aabb", False, "another unit"),
    ],
)
def test_what_cannot_be_answered_is_refused(values, labels, welch, told):
    with pytest.raises(DataError, match=told):
        one_way(np.array(values), list(labels), welch=welch)


def test_missing_labels_are_refused():
    with pytest.raises(DataError, match=r"1 of 4 labels of prog missing \(first: row 2"):
        one_way(np.array([1.0, 2, 3, 4]), ["a", None, "b", "b"], by="prog")


def test_writing_by_programme():
    """hsb2, as UCLA's pages print it."""
    path = DATA / "statistics" / "samples" / "hsb2.csv"
    if not path.exists():
        pytest.skip(f"needs {path}")
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    found = one_way(
        np.array([float(row["write"]) for row in rows]), [row["prog"] for row in rows], name="write", by="prog"
    )
    assert found.test.statistic == pytest.approx(21.275, abs=5e-4)
    assert found.test.p == pytest.approx(4.3e-9, rel=0.01)
