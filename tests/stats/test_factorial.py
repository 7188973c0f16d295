"""Two factors: R's ToothGrowth, statsmodels for unequal groups, sentences by cases."""

import json

import numpy as np
import pytest
from scipy import stats

from seqwise.errors import DataError
from seqwise.stats.factorial import two_way
from seqwise.stats.results import Shown

# R's ToothGrowth: length of teeth of guinea pigs by vitamin C from ascorbic acid or orange juice (Crampton 1947)
VC = [4.2, 11.5, 7.3, 5.8, 6.4, 10, 11.2, 11.2, 5.2, 7, 16.5, 16.5, 15.2, 17.3, 22.5]
VC += [17.3, 13.6, 14.5, 18.8, 15.5, 23.6, 18.5, 33.9, 25.5, 26.4, 32.5, 26.7, 21.5, 23.3, 29.5]
OJ = [15.2, 21.5, 17.6, 9.7, 14.5, 10, 8.2, 9.4, 16.5, 9.7, 19.7, 23.3, 23.6, 26.4, 20]
OJ += [25.2, 25.8, 21.2, 14.5, 27.3, 25.5, 26.4, 22.4, 24.5, 24.8, 30.9, 26.4, 27.3, 29.4, 23]
LENGTH = np.array(VC + OJ)
SUPP = np.array(["VC"] * 30 + ["OJ"] * 30)
DOSE = np.tile(np.repeat([0.5, 1.0, 2.0], 10), 2)


def test_tooth_growth_as_r_prints_it():
    found = two_way(LENGTH, SUPP, DOSE, ("supp", "dose"), name="len")
    squares, f, p = ([getattr(line, name) for line in found.lines[:3]] for name in ("squares", "f", "p"))
    assert squares == pytest.approx([205.35, 2426.43, 108.32], abs=5e-3)
    assert f == pytest.approx([15.572, 92.000, 4.107], abs=5e-4)
    assert p == pytest.approx([0.000231, 4.05e-18, 0.021860], rel=2e-3)
    assert found.lines[3].squares == pytest.approx(712.106)
    assert found.interaction.size.value == pytest.approx(108.319 / (108.319 + 712.106), rel=1e-9)


def test_groups_of_unequal_size_as_statsmodels_has_them():
    """Type II sums of squares, which take each factor after the other."""
    from statsmodels.api import OLS

    kept = np.r_[0:55, 57:59]
    y, supp, dose = LENGTH[kept], SUPP[kept] == "OJ", DOSE[kept]
    one, two = (dose == 1).astype(float), (dose == 2).astype(float)
    ones = np.ones(len(y))
    columns = {"supp": [supp], "dose": [one, two]}

    def left(*names):
        return OLS(y, np.column_stack([ones, *(c for name in names for c in columns[name])])).fit().ssr

    whole = OLS(y, np.column_stack([ones, supp, one, two, supp * one, supp * two])).fit().ssr
    theirs = [
        left("dose") - left("supp", "dose"),
        left("supp") - left("supp", "dose"),
        left("supp", "dose") - whole,
        whole,
    ]
    found = two_way(y, SUPP[kept], dose, ("supp", "dose"))
    assert [line.squares for line in found.lines] == pytest.approx(theirs, rel=1e-10)
    assert "Groups differ in size" in found.sentences()[-1]


def test_the_difference_is_the_one_that_is_tested():
    """Of a factor with two levels, the square of difference over error is its F, also where groups differ in size."""
    chance = np.random.default_rng(4)
    a = np.repeat(["u", "u", "v", "v"], [4, 30, 25, 3])
    b = np.repeat(["k", "l", "k", "l"], [4, 30, 25, 3])
    y = chance.normal(size=62) + (a == "u") - 3.0 * ((a == "u") & (b == "k"))  # plain averages have u below v
    plain = (y[:4].mean() + y[4:34].mean() - y[34:59].mean() - y[59:].mean()) / 2
    found = two_way(y, a, b)
    for test in (found.first, found.second):
        error = (test.effect.interval.high - test.effect.value) / stats.t.ppf(0.975, test.df[1])
        assert (test.effect.value / error) ** 2 == pytest.approx(test.statistic, rel=1e-6)
    sizes = np.array([4 * 25 / 29, 30 * 3 / 33])  # of each level of b, the harmonic size of its two groups
    steps = np.array([y[:4].mean() - y[34:59].mean(), y[4:34].mean() - y[59:].mean()])
    theirs = float(sizes @ steps / sizes.sum())
    assert abs(theirs - plain) > 0.05
    assert found.first.effect.value == pytest.approx(abs(theirs), rel=1e-9)
    assert found.ends[1] == (("u", "v") if theirs > 0 else ("v", "u"))


def test_groups_that_scatter_unlike_give_cause_for_doubt():
    chance = np.random.default_rng(0)
    a, b = np.repeat(["u", "v"], 60), np.tile(np.repeat(["k", "l"], 30), 2)
    found = two_way(chance.normal(0, np.where(a == "u", 1.0, 6.0)), a, b)
    assert any(text.startswith("Doubtful, equal spread: The sds of the groups go from ") for text in found.sentences())
    grid = found.grids()[-1]
    assert grid.title == "What is taken for granted"
    assert ("equal spread", "no") in [row[:2] for row in grid.rows]


def test_an_offset_changes_nothing():
    """A million is added, of which 1e-10 of the digits are lost."""
    plain, far = two_way(LENGTH, SUPP, DOSE), two_way(LENGTH + 1e6, SUPP, DOSE)
    assert [line.f for line in far.lines[:3]] == pytest.approx([line.f for line in plain.lines[:3]], rel=1e-8)


def test_an_interaction_is_told_first_and_warns_of_averages():
    found = two_way(LENGTH, SUPP, DOSE, ("supp", "dose"), name="len", unit="um")
    first, second, third = found.sentences()
    assert first.startswith("What supp does to len depends on dose: ")
    assert "the largest difference, the step from 1 to 2 in VC against OJ, is 6.01 um (95 %" in first
    assert second.startswith(
        "Averaged over dose, an average that need hold for no single group, mean len is 3.7 um (95 %"
    )
    assert third.startswith("Averaged over supp")
    assert "up to 15.5 um" in third
    means = {cell.name: cell.mean for cell in found.cells}
    apart = means["VC, 2"] - means["VC, 1"] - means["OJ, 2"] + means["OJ, 1"]
    assert found.interaction.effect.value == pytest.approx(apart)
    assert isinstance(found, Shown)
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["interaction"]["rejected"]


def test_no_interaction_is_told_as_not_seen():
    rng = np.random.default_rng(0)
    a, b = np.repeat(["x", "y"], 20), np.tile(["u", "v"], 20)
    y = 3.0 * (a == "y") + rng.normal(size=40)
    found = two_way(y, a, b, ("plan", "site"), name="yield", unit="kg")
    first, second, third = found.sentences()
    assert not found.interaction.rejected
    assert first.startswith(("No sign that what plan does", "These data cannot tell whether what plan does"))
    assert second.startswith(("Averaged over site, mean yield is 3", "Averaged over site, mean yield is 2"))
    assert "kg" in second
    assert third.startswith("Averaged over plan, these data cannot tell whether site moves mean yield")


def test_names_of_levels_may_hold_any_words():
    labels = np.where(SUPP == "VC", "a minus b", "a against b")
    assert "a minus b" in two_way(LENGTH, labels, DOSE).sentences()[0]


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([0, 1, 10, 11, 30, 31], "no value of supp, dose = OJ, 1"),
        ([0, 10, 20, 30, 40, 50], "no two values that differ within any combination"),
        ([0, 1, 2, 3, 30, 31], "1 group in dose"),
    ],
)
def test_what_cannot_be_answered_is_refused(rows, told):
    with pytest.raises(DataError, match=told):
        two_way(LENGTH[rows], SUPP[rows], DOSE[rows], ("supp", "dose"))
