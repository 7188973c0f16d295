"""How far from normal: NIST's small sets, scipy and statsmodels as oracles, and the sentences case by case.

The four sets are of StRD, a work of the US government, and stand for samples of values, whatever their order.
"""

import json
import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.diagnostic import kstest_normal, normal_ad

from seqwise.errors import DataError
from seqwise.stats.departure import usual
from seqwise.stats.normal import moments
from seqwise.stats.normality import anderson, normality
from seqwise.stats.results import Shown
from seqwise.stats.samples import shape_errors


def numbers(text):
    return np.array(text.split(), dtype=np.float64)


MAVRO = numbers("""
    2.00180 2.00170 2.00180 2.00190 2.00180 2.00170 2.00150 2.00140 2.00150 2.00150 2.00170 2.00180 2.00180
    2.00190 2.00190 2.00210 2.00200 2.00160 2.00140 2.00130 2.00130 2.00150 2.00150 2.00160 2.00150 2.00140
    2.00130 2.00140 2.00150 2.00140 2.00150 2.00160 2.00150 2.00160 2.00190 2.00200 2.00200 2.00210 2.00220
    2.00230 2.00240 2.00250 2.00270 2.00260 2.00260 2.00260 2.00270 2.00260 2.00250 2.00240
""")
MICHELSO = numbers("""
    299.85 299.74 299.90 300.07 299.93 299.85 299.95 299.98 299.98 299.88 300.00 299.98 299.93 299.65 299.76
    299.81 300.00 300.00 299.96 299.96 299.96 299.94 299.96 299.94 299.88 299.80 299.85 299.88 299.90 299.84
    299.83 299.79 299.81 299.88 299.88 299.83 299.80 299.79 299.76 299.80 299.88 299.88 299.88 299.86 299.72
    299.72 299.62 299.86 299.97 299.95 299.88 299.91 299.85 299.87 299.84 299.84 299.85 299.84 299.84 299.84
    299.89 299.81 299.81 299.82 299.80 299.77 299.76 299.74 299.75 299.76 299.91 299.92 299.89 299.86 299.88
    299.72 299.84 299.85 299.85 299.78 299.89 299.84 299.78 299.81 299.76 299.81 299.79 299.81 299.82 299.85
    299.87 299.87 299.81 299.74 299.81 299.94 299.95 299.80 299.81 299.87
""")
LOTTERY = numbers("""
    162 671 933 414 788 730 817 33 536 875 670 236 473 167 877 980 316 950 456 92 517 557 956 954 104 178 794
    278 147 773 437 435 502 610 582 780 689 562 964 791 28 97 848 281 858 538 660 972 671 613 867 448 738 966
    139 636 847 659 754 243 122 455 195 968 793 59 730 361 574 522 97 762 431 158 429 414 22 629 788 999 187
    215 810 782 47 34 108 986 25 644 829 630 315 567 919 331 207 412 242 607 668 944 749 168 864 442 533 805
    372 63 458 777 416 340 436 140 919 350 510 572 905 900 85 389 473 758 444 169 625 692 140 897 672 288 312
    860 724 226 884 508 976 741 476 417 831 15 318 432 241 114 799 955 833 358 935 146 630 830 440 642 356 373
    271 715 367 393 190 669 8 861 108 795 269 590 326 866 64 523 862 840 219 382 998 4 628 305 747 247 34 747
    729 645 856 974 24 568 24 694 608 480 410 729 947 293 53 930 223 203 677 227 62 455 387 318 562 242 428
    968
""")
LEW = numbers("""
    -213 -564 -35 -15 141 115 -420 -360 203 -338 -431 194 -220 -513 154 -125 -559 92 -21 -579 -52 99 -543 -175
    162 -457 -346 204 -300 -474 164 -107 -572 -8 83 -541 -224 180 -420 -374 201 -236 -531 83 27 -564 -112 131
    -507 -254 199 -311 -495 143 -46 -579 -90 136 -472 -338 202 -287 -477 169 -124 -568 17 48 -568 -135 162
    -430 -422 172 -74 -577 -13 92 -534 -243 194 -355 -465 156 -81 -578 -64 139 -449 -384 193 -198 -538 110 -44
    -577 -6 66 -552 -164 161 -460 -344 205 -281 -504 134 -28 -576 -118 156 -437 -381 200 -220 -540 83 11 -568
    -160 172 -414 -408 188 -125 -572 -32 139 -492 -321 205 -262 -504 142 -83 -574 0 48 -571 -106 137 -501 -266
    190 -391 -406 194 -186 -553 83 -13 -577 -49 103 -515 -280 201 300 -506 131 -45 -578 -80 138 -462 -361 201
    -211 -554 32 74 -533 -235 187 -372 -442 182 -147 -566 25 68 -535 -244 194 -351 -463 174 -125 -570 15 72
    -550 -190 172 -424 -385 198 -218 -536 96
""")

MEASURED = {
    "Michelso": (
        MICHELSO, 299.8524, 0.0790105478190518, -0.018259613962657212, 0.2635305323114663,
        (0.9880743299652283, 0.5137039300083659), (0.7231347891186761, 0.6965836485454735),
        (0.2949249811195649, 0.8628948044154349), 0.46076385565194755, (0.67, 0.97, 1.0),
        (-2.941379428633058, 2.754062666396773),
    ),
    "Mavro": (
        MAVRO, 2.001856, 0.000429123454003053, 0.6254180701455688, -0.8583840278172601,
        (0.9007973941717948, 0.0005105655507447693), (6.5095197397187885, 0.038590086193686646),
        (4.794612893878542, 0.09096263629555243), 1.6684654846545683, (0.62, 1.0, 1.0),
        (-1.2956644406473277, 1.966799978251062),
    ),
    "Lottery": (
        LOTTERY, 518.958715596330, 291.699727470969, -0.09268823145035579, -1.1927809417579538,
        (0.952130096071246, 1.1985682098605042e-06), (100.33862408086632, 1.628338232359361e-22),
        (13.235241506168675, 0.0013366072842264938), 2.57372647145084, (0.5825688073394495, 1.0, 1.0),
        (-1.7653726318533522, 1.6456692934395867),
    ),
    "Lew": (
        LEW, -177.435, 277.332168044316, -0.05022629545821298, -1.4887601738140257,
        (0.9038350541689639, 4.4405315122369745e-10), (14306.806032064218, 0.0),
        (18.554146484638256, 9.354450530801089e-05), 6.000646915775917, (0.51, 1.0, 1.0),
        (-1.4479568051255856, 1.7215276661440464),
    ),
}  # fmt: skip
"""Certified mean and sd; skewness, kurtosis, W, K2 and JB by scipy 1.17, A2 by statsmodels 0.15; shares; both ends."""


@pytest.mark.parametrize("name", MEASURED)
def test_nist_sets_have_the_known_numbers(name):
    x, mean, sd, skew, kurtosis, w, k2, jb, a2, shares, outer = MEASURED[name]
    found = normality(x, name)
    digits = 1e-9 if name in ("Mavro", "Michelso") else 1e-11  # decimals of which doubles know 13 digits
    assert found.mean == pytest.approx(mean, rel=1e-14)
    assert found.sd == pytest.approx(sd, rel=1e-12)
    assert (found.skewness, found.kurtosis) == pytest.approx((skew, kurtosis), rel=digits)
    tests = {test.symbol: test for test in found.tests}
    assert (tests["W"].statistic, tests["W"].p) == pytest.approx(w, rel=1e-8)
    assert (tests["K2"].statistic, tests["K2"].p) == pytest.approx(k2, rel=1e-7, abs=1e-300)
    assert (tests["JB"].statistic, tests["JB"].p) == pytest.approx(jb, rel=1e-8)
    assert tests["A2"].statistic == pytest.approx(a2, rel=1e-8)
    assert tuple(row.share.value for row in found.bands.rows) == pytest.approx(shares)
    assert ((x.min() - mean) / sd, (x.max() - mean) / sd) == pytest.approx(outer, rel=1e-8)


@pytest.mark.parametrize("seed", range(6))
def test_distances_are_scipys_and_statsmodels(seed):
    x = np.random.default_rng(seed).gamma(1 + 3 * seed, size=30 + 40 * seed)
    found = normality(x)
    mean, sd = moments(x)
    assert found.distance / 100 == pytest.approx(stats.kstest(x, "norm", (mean, sd)).statistic)
    assert found.skewness == pytest.approx(stats.skew(x))
    assert found.kurtosis == pytest.approx(stats.kurtosis(x))
    statistic, p = normal_ad(x)
    a2 = next(test for test in found.tests if test.symbol == "A2")
    assert (a2.statistic, a2.p) == pytest.approx((statistic, p), rel=1e-9)
    theoretical = stats.probplot(x)[0][0]
    assert found.gap == pytest.approx(np.abs(np.sort(x) - mean - sd * theoretical).max())


def test_the_usual_distance_is_lilliefors_five_percent():
    """A sample just at it has p = 0.05 by statsmodels' table."""
    for n in (20, 100, 500):
        x = stats.norm.ppf((np.arange(n) + 0.5) / n)
        x[: n // 2] *= np.linspace(2.2, 1, n // 2)
        distance, p = kstest_normal(x, dist="norm")
        assert (distance > usual(n)) == (p < 0.05)
    table = {20: 0.1920, 30: 0.1590, 50: 0.1246}  # Lilliefors's, as computed anew by Molin and Abdi 1998
    assert [usual(n) for n in table] == pytest.approx(list(table.values()), rel=0.01)


def test_errors_of_the_shape_are_those_of_normal_samples():
    draws = np.random.default_rng(0).normal(size=(8000, 25))
    assert shape_errors(25) == pytest.approx(
        (stats.skew(draws, axis=1).std(), stats.kurtosis(draws, axis=1).std()), rel=0.04
    )


def test_an_outlier_is_no_infinity():
    """statsmodels takes log(1 - cdf), which is infinite from 8.3 sd on."""
    x = np.append(np.random.default_rng(1).normal(size=5000), 1e6)
    statistic, p = anderson(np.sort((x - x.mean()) / x.std()))
    assert math.isfinite(statistic)
    assert 0 < p < 1e-29
    json.dumps(normality(x).to_dict(), allow_nan=False)


def told(x, name="write", unit="points"):
    return normality(np.asarray(x, dtype=np.float64), name, unit)


def scores(n):
    """Values that stand where those of a normal sample would."""
    return 50 + 10 * stats.norm.ppf((np.arange(n) + 0.5) / n)


def test_three_values_tell_nothing():
    found = told([1.0, 2.0, 4.0])
    assert (found.shape, found.means) == ("cannot tell", None)
    assert found.sentences()[0] == (
        "write: so few values cannot tell whether they are normal (n = 3, skewness 0.38); t-tests need to know it from "
        "elsewhere."
    )
    assert [test.symbol for test in found.tests] == ["W"]
    assert "a p above 0.05 proves nothing" in found.sentences()[-1]
    assert len(found.notes) == 2


def test_normal_values_are_in_line():
    found = told(scores(200))
    assert (found.shape, found.means) == ("in line with normal", True)
    assert found.sentences()[0] == (
        "write: in line with a normal distribution, and close enough to normal for means and t-tests "
        "(n = 200, skewness 0)."
    )
    assert "is within the 6.31 that 95 of 100 normal samples" in found.sentences()[1]
    assert "mean 50 points, sd 9.99 points" in found.sentences()[1]


def test_heavy_tails_are_told_with_their_share():
    x = stats.t(3).ppf((np.arange(2000) + 0.5) / 2000)
    found = told(x)
    beyond = 100 * (np.abs((x - found.mean) / found.sd) > 3).mean()
    assert (
        f"tails heavier than normal: beyond 3 sd stand {beyond:.2g} % where a normal has 0.27 %"
        in (found.sentences()[0])
    )
    assert found.shape == "not normal"
    assert found.means is True


def test_skew_small_samples_are_not_for_t_tests():
    """Cochran: n > 25 skewness^2."""
    found = told(stats.expon.ppf((np.arange(40) + 0.5) / 40))
    assert (found.shape, found.means) == ("not normal", False)
    assert found.needed == math.ceil(25 * found.skewness**2) > 40
    assert f"such values need about {found.needed}" in found.sentences()[0]
    assert any(text.startswith("Long tail to the right: skewness 1.") for text in found.sentences())
    mirrored = told(-stats.expon.ppf((np.arange(40) + 0.5) / 40))
    assert any(text.startswith("Long tail to the left: skewness -1.") for text in mirrored.sentences())


def test_enough_skew_values_are_for_means_but_not_normal():
    found = told(stats.expon.ppf((np.arange(3000) + 0.5) / 3000))
    assert (found.shape, found.means) == ("not normal", True)
    assert found.sentences()[0].startswith("write: not normal, but enough values for means and t-tests all the same")


def test_one_value_far_out_decides_the_mean():
    found = told([*scores(20), 5000.0])
    assert found.means is False
    assert "a few values far out decide the mean" in found.sentences()[0]
    assert "would do" not in " ".join(found.sentences()), "more such values would not help"


def test_two_peaks_are_seen_and_k2_is_not_believed():
    found = told(LEW, "deflection", "")
    assert any(text.endswith("look for two peaks, or two groups.") for text in found.sentences())
    assert "tails lighter than normal: beyond 2 sd stand 0 % where a normal has 4.55 %" in found.sentences()[0]
    k2 = next(test for test in found.tests if test.symbol == "K2")
    assert k2.notes == ("It explodes for flat and two-peaked values such as these.",)
    assert any(note.startswith("K2 explodes") for note in found.notes)
    assert not any("two peaks" in text for text in told(LOTTERY).sentences()), "one uniform distribution has no peaks"


def test_many_values_are_judged_by_distance():
    """A hundred thousand values a little off: every test refuses them, and they are close to normal."""
    x = scores(100_000)
    x += 0.02 * np.square(x - 50) / 10
    found = told(x)
    assert (found.shape, found.means) == ("close to normal", True)
    assert found.tests[0].rejected
    assert [test.symbol for test in found.tests] == ["A2", "K2", "JB"]
    assert found.sentences()[0].startswith("write: close enough to normal for means and t-tests (n = 100,000")
    assert found.sentences()[-1].startswith("With so many values every real sample is rejected sooner or later")
    assert found.notes[0].startswith("Shapiro-Wilk is left out")


def test_steps_are_told():
    assert any("Values come in steps" in text for text in told(np.round(scores(200) / 10)).sentences())


def test_results_are_shown_compared_and_written():
    found = told(MICHELSO, "speed", "km/s")
    assert isinstance(found, Shown)
    assert found == told(MICHELSO, "speed", "km/s")
    assert [grid.title for grid in found.grids()] == [
        "Distance from normal", "The 68-95-99.7 rule", "Tests of normality",
    ]  # fmt: skip
    for grid in found.grids():
        assert {len(row) for row in grid.rows} == {len(grid.columns)}
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["shape"] == "in line with normal"
    test = found.tests[0]
    assert test.null.startswith("speed is made of independent values of one normal distribution")
    assert test.effect.value == found.distance
    assert told([1.0, 2.0, 4.0], "", "").sentences()[0].startswith("So few values")


@pytest.mark.parametrize("x", [[], [1.0, 2.0], [3.0] * 9, [1.0, 2.0, math.nan], [1.0, 2.0, math.inf]])
def test_bad_samples_are_refused(x):
    with pytest.raises(DataError):
        normality(np.array(x))
