import json
import math
import os
from fractions import Fraction
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from seqwise.errors import ConfigError, DataError
from seqwise.stats.blocks import leaf_rows
from seqwise.stats.moments import Moments, MomentStream

DATA = Path(os.environ.get("SEQWISE_DATA", Path(__file__).resolve().parents[2] / "../shared/data"))
NIST = DATA / "statistics/nist_strd/univariate"

# NIST Statistical Reference Datasets, univariate: https://www.itl.nist.gov/div898/strd, a work of the US government.
MAVRO = """
2.00180 2.00170 2.00180 2.00190 2.00180 2.00170 2.00150 2.00140 2.00150 2.00150 2.00170 2.00180 2.00180 2.00190
2.00190 2.00210 2.00200 2.00160 2.00140 2.00130 2.00130 2.00150 2.00150 2.00160 2.00150 2.00140 2.00130 2.00140
2.00150 2.00140 2.00150 2.00160 2.00150 2.00160 2.00190 2.00200 2.00200 2.00210 2.00220 2.00230 2.00240 2.00250
2.00270 2.00260 2.00260 2.00260 2.00270 2.00260 2.00250 2.00240
"""
MICHELSO = """
299.85 299.74 299.90 300.07 299.93 299.85 299.95 299.98 299.98 299.88 300.00 299.98 299.93 299.65 299.76 299.81
300.00 300.00 299.96 299.96 299.96 299.94 299.96 299.94 299.88 299.80 299.85 299.88 299.90 299.84 299.83 299.79
299.81 299.88 299.88 299.83 299.80 299.79 299.76 299.80 299.88 299.88 299.88 299.86 299.72 299.72 299.62 299.86
299.97 299.95 299.88 299.91 299.85 299.87 299.84 299.84 299.85 299.84 299.84 299.84 299.89 299.81 299.81 299.82
299.80 299.77 299.76 299.74 299.75 299.76 299.91 299.92 299.89 299.86 299.88 299.72 299.84 299.85 299.85 299.78
299.89 299.84 299.78 299.81 299.76 299.81 299.79 299.81 299.82 299.85 299.87 299.87 299.81 299.74 299.81 299.94
299.95 299.80 299.81 299.87
"""
LEW = """
-213 -564 -35 -15 141 115 -420 -360 203 -338 -431 194 -220 -513 154 -125 -559 92 -21 -579 -52 99 -543 -175 162
-457 -346 204 -300 -474 164 -107 -572 -8 83 -541 -224 180 -420 -374 201 -236 -531 83 27 -564 -112 131 -507 -254
199 -311 -495 143 -46 -579 -90 136 -472 -338 202 -287 -477 169 -124 -568 17 48 -568 -135 162 -430 -422 172 -74
-577 -13 92 -534 -243 194 -355 -465 156 -81 -578 -64 139 -449 -384 193 -198 -538 110 -44 -577 -6 66 -552 -164
161 -460 -344 205 -281 -504 134 -28 -576 -118 156 -437 -381 200 -220 -540 83 11 -568 -160 172 -414 -408 188 -125
-572 -32 139 -492 -321 205 -262 -504 142 -83 -574 0 48 -571 -106 137 -501 -266 190 -391 -406 194 -186 -553 83
-13 -577 -49 103 -515 -280 201 300 -506 131 -45 -578 -80 138 -462 -361 201 -211 -554 32 74 -533 -235 187 -372
-442 182 -147 -566 25 68 -535 -244 194 -351 -463 174 -125 -570 15 72 -550 -190 172 -424 -385 198 -218 -536 96
"""
LOTTERY = """
162 671 933 414 788 730 817 33 536 875 670 236 473 167 877 980 316 950 456 92 517 557 956 954 104 178 794 278
147 773 437 435 502 610 582 780 689 562 964 791 28 97 848 281 858 538 660 972 671 613 867 448 738 966 139 636
847 659 754 243 122 455 195 968 793 59 730 361 574 522 97 762 431 158 429 414 22 629 788 999 187 215 810 782 47
34 108 986 25 644 829 630 315 567 919 331 207 412 242 607 668 944 749 168 864 442 533 805 372 63 458 777 416 340
436 140 919 350 510 572 905 900 85 389 473 758 444 169 625 692 140 897 672 288 312 860 724 226 884 508 976 741
476 417 831 15 318 432 241 114 799 955 833 358 935 146 630 830 440 642 356 373 271 715 367 393 190 669 8 861 108
795 269 590 326 866 64 523 862 840 219 382 998 4 628 305 747 247 34 747 729 645 856 974 24 568 24 694 608 480
410 729 947 293 53 930 223 203 677 227 62 455 387 318 562 242 428 968
"""


def pi_digits(count):
    """The first digits of pi by Machin's formula, with the one wrong digit that NIST's series has."""
    unit = 10 ** (count + 10)

    def arctan(inverse):
        term = total = unit // inverse
        divisor, sign = 3, -1
        while term := term // inverse**2:
            total += sign * (term // divisor)
            divisor, sign = divisor + 2, -sign
        return total

    places = 4 * (4 * arctan(5) - arctan(239)) // 10**11  # count digits
    halves = f"{places // 10 ** (count // 2)}{places % 10 ** (count // 2):0{count // 2}}"  # Python writes 4300 at once
    digits = [int(digit) for digit in halves]
    assert len(digits) == count
    digits[956] = 3
    return digits


def nist(name):
    """Values, certified mean and sd (n - 1; 18 digits derived in exact arithmetic), digits that float64 can attain."""
    match name:
        case "NumAcc1":
            return [10000001.0, 10000003.0, 10000002.0], 10000002.0, 1.0, 1e-14
        case "NumAcc2":
            return [1.2, *[1.1, 1.3] * 500], 1.2, 0.1, 1e-14
        case "NumAcc3":
            return [1000000.2, *[1000000.1, 1000000.3] * 500], 1000000.2, 0.1, 1e-9
        case "NumAcc4":
            return [10000000.2, *[10000000.1, 10000000.3] * 500], 10000000.2, 0.1, 1e-8
        case "Mavro":
            return [float(x) for x in MAVRO.split()], 2.001856, 0.000429123454003052837, 1e-12
        case "Michelso":
            return [float(x) for x in MICHELSO.split()], 299.8524, 0.0790105478190517716, 1e-12
        case "Lew":
            return [float(x) for x in LEW.split()], -177.435, 277.332168044316136, 1e-14
        case "Lottery":
            return [float(x) for x in LOTTERY.split()], 518.958715596330275, 291.699727470969084, 1e-14
    return [float(digit) for digit in pi_digits(5000)], 4.5348, 2.86733906028871, 3e-15


NAMES = ("NumAcc1", "NumAcc2", "NumAcc3", "NumAcc4", "Mavro", "Michelso", "Lew", "Lottery", "PiDigits")


def bits(moments):
    return [None if sums is None else sums.tobytes() for sums in moments._sums().values()]


def fed(values, size, order=4):
    stream = MomentStream(order, threads=1)
    for at in range(0, len(values), size):
        stream.add(values[at : at + size])
    return stream.result()


@pytest.mark.parametrize("name", NAMES)
def test_nist_is_met_to_the_digits_that_float64_can_attain(name):
    """Blocks of 1, 7 and 4096 rows, eight parts that are merged, and one row merged after the other."""
    values, mean, sd, digits = nist(name)
    x = np.array(values)
    parts = [Moments.of(part) for part in np.array_split(x, 8) if len(part)]
    by_row = Moments.of(x[:1])
    for at in range(1, min(len(x), 1001)):
        by_row = by_row.merge(Moments.of(x[at : at + 1]))
    found = {f"blocks of {size}": fed(x, size) for size in (1, 7, 4096)}
    found |= {"at once": Moments.of(x), "order 2": Moments.of(x, order=2), "8 parts": Moments.tree(parts)}
    found |= {"by row": by_row} if len(x) <= 1001 else {}
    for how, moments in found.items():
        assert moments.n[0] == len(x)
        assert moments.mean[0] == pytest.approx(mean, rel=3e-16), how
        assert moments.sd()[0] == pytest.approx(sd, rel=digits), how
    assert all(bits(found[f"blocks of {size}"]) == bits(found["at once"]) for size in (1, 7, 4096))


@pytest.mark.skipif(not NIST.is_dir(), reason=f"{NIST} is absent")
@pytest.mark.parametrize("name", ["Lew", "Lottery", "NumAcc1", "NumAcc3"])
def test_nist_files_hold_what_these_tests_do(name):
    lines = (NIST / f"{name}.dat").read_text().splitlines()
    start = max(place for place, line in enumerate(lines) if line.startswith("---")) + 1
    assert [float(line) for line in lines[start:] if line.strip()] == nist(name)[0]


def test_float32_that_cannot_tell_the_sd_is_refused_and_not_answered_wrong():
    """NumAcc4 in float32 is 10,000,000 throughout; NumAcc3's sd is one step and a half, and 6 % off."""
    for name, told in (("NumAcc4", "steps of 1 "), ("NumAcc3", "steps of 0.0625 ")):
        moments = Moments.of(np.array(nist(name)[0], dtype=np.float32))
        for ask in (moments.sd, moments.variance, moments.skew, moments.kurtosis):
            with pytest.raises(DataError, match=f"column 1 is stored in {told}") as error:
                ask()
            assert 'coarse="pass"' in str(error.value)
        assert moments.coarse().tolist() == [True]
        assert abs(moments.sd(coarse="pass")[0] - 0.1) > 0.005
    assert not Moments.of(np.array(nist("NumAcc4")[0])).coarse().any()
    assert not Moments.of(np.array(nist("NumAcc2")[0], dtype=np.float32)).coarse().any()
    assert not Moments.of(np.zeros(5, dtype=np.float32)).coarse().any()  # 0 has no steps


def test_the_coarsest_part_decides_whether_float32_can_tell():
    wide, narrow = np.array(nist("NumAcc4")[0]), np.array(nist("NumAcc4")[0], dtype=np.float32)
    merged = Moments.of(wide).merge(Moments.of(narrow))
    assert merged.coarse().tolist() == [True]
    assert MomentStream().add(wide).add(narrow).result().coarse().tolist() == [True]


def test_merging_is_pebay():
    """{1, 2, 3} and {10, 20}: exact values; skew and kurtosis also as scipy has them."""
    merged = Moments.of(np.array([1.0, 2, 3])).merge(Moments.of(np.array([10.0, 20])))
    assert (merged.n[0], merged.minimum[0], merged.maximum[0]) == (5, 1, 20)
    for found, exact in (
        (merged.mean, 7.2),
        (merged.m2, 254.8),
        (merged.m3, 1666.08),
        (merged.m4, 29424.976),
        (merged.variance(), 63.7),
        (merged.skew(), 0.915970986855308),
        (merged.kurtosis(), -0.733857194610727),
        (merged.skew(adjusted=True), 1.36544892801736),
        (merged.kurtosis(adjusted=True), 1.06457122155709),
    ):
        assert found[0] == pytest.approx(exact, rel=1e-14)


def exact(values):
    """Mean and sums of powers of float64 numbers, in fractions."""
    parts = [Fraction(float(value)) for value in values]
    mean = sum(parts) / len(parts)
    return [mean, *(sum((part - mean) ** power for part in parts) for power in (2, 3, 4))]


numbers = st.lists(st.floats(-1e6, 1e6, allow_subnormal=False).map(lambda x: round(x, 3)), min_size=1, max_size=40)


@settings(max_examples=60, deadline=None)
@given(numbers, numbers, st.sampled_from([0.0, 1e3, -1e7]))
def test_merging_tells_the_same_as_exact_fractions_of_all(first, second, offset):
    a, b = np.array(first) + offset, np.array(second) + offset
    both = np.concatenate([a, b])
    mean, m2, m3, m4 = (float(value) for value in exact(both))
    width = float(np.abs(both - mean).max())
    n = len(both)
    for found in (Moments.of(a).merge(Moments.of(b)), Moments.of(both)):
        assert found.mean[0] == pytest.approx(mean, rel=1e-14, abs=1e-15 * width)
        error = 8 * n * np.finfo(float).eps * (abs(mean) + width)  # of each deviation
        assert found.m2[0] == pytest.approx(m2, rel=1e-12, abs=2 * error * width * n)
        assert found.m3[0] == pytest.approx(m3, rel=1e-12, abs=3 * error * width**2 * n)
        assert found.m4[0] == pytest.approx(m4, rel=1e-12, abs=4 * error * width**3 * n)
        assert (found.minimum[0], found.maximum[0]) == (both.min(), both.max())


@settings(max_examples=60, deadline=None)
@given(numbers, numbers, numbers)
def test_the_order_of_merging_changes_no_more_than_rounding(first, second, third):
    a, b, c = (Moments.of(np.array(part)) for part in (first, second, third))
    left, right = a.merge(b).merge(c), a.merge(b.merge(c))
    scale = float(max(np.abs(np.concatenate([first, second, third])).max(), 1))
    for power, (one, other) in enumerate(zip((left.mean, left.m2), (right.mean, right.m2), strict=True), 1):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-13 * scale**power * left.n[0])
    assert bits(Moments.tree([a, b, c])) == bits(a.merge(b).merge(c))


@pytest.mark.parametrize("columns", [1, 3, 20, 700])
def test_bits_do_not_depend_on_blocks_threads_layout_or_type(columns):
    rows = 5 * leaf_rows(columns, 4) // 2 + 13 if columns > 1 else 2**20 + leaf_rows(1, 4) // 3  # enough for threads
    x = np.random.default_rng(1).normal(3, 2, (rows, columns)).astype(np.float32)
    x[rows // 2, columns // 2] = np.nan
    x[5, 0] = -0.0
    wide = x.astype(np.float64)
    whole = bits(Moments.of(wide, threads=1))
    assert bits(Moments.of(wide, threads=3)) == whole
    assert bits(fed(wide, leaf_rows(columns, 4) // 3 + 1)) == whole
    assert bits(fed(wide, leaf_rows(columns, 4))) == whole
    assert bits(Moments.of(np.asfortranarray(wide))) == whole
    assert bits(Moments.of(np.repeat(wide, 2, axis=0)[::2])) == whole
    assert bits(Moments.of(x))[:-1] == whole[:-1]  # all but the step of the type


def test_streams_of_many_leaves_make_the_tree_of_pairs():
    """131 leaves wait on two levels; one array of them is merged by the same pairs."""
    columns = 1200  # of few rows a leaf
    x = np.random.default_rng(2).random((130 * leaf_rows(columns, 2) + 5, columns))
    stream = MomentStream(order=2)
    for part in np.array_split(x, 7):
        stream.add(part)
        stream.result()  # asking on the way changes nothing
    assert bits(stream.result()) == bits(Moments.of(x, order=2))
    parts = [Moments.of(x[at : at + leaf_rows(columns, 2)], order=2) for at in range(0, len(x), leaf_rows(columns, 2))]
    assert bits(Moments.tree(parts)) == bits(stream.result())


def test_moments_are_numpys_and_scipys_of_two_passes():
    """Those of numpy and scipy are asked of data whose offset was taken off, which is exact: they lose digits by it."""
    offset = np.array([0.0, 2.0**20, -(2.0**30)])
    x = np.random.default_rng(3).gamma(2.0, 3.0, (100_003, 3)) + offset
    moments = Moments.of(x)
    np.testing.assert_allclose(moments.mean, [math.fsum(column) / len(x) for column in x.T], rtol=3e-16)
    near = x - offset
    np.testing.assert_allclose(moments.variance(0), near.var(axis=0), rtol=1e-12)
    np.testing.assert_allclose(moments.skew(), stats.skew(near), rtol=1e-9)
    np.testing.assert_allclose(moments.kurtosis(), stats.kurtosis(near), rtol=1e-9)
    np.testing.assert_allclose(moments.skew(adjusted=True), stats.skew(near, bias=False), rtol=1e-9)
    np.testing.assert_allclose(moments.kurtosis(adjusted=True), stats.kurtosis(near, bias=False), rtol=1e-11)
    two = Moments.of(x, order=2)
    np.testing.assert_allclose(two.m2, moments.m2, rtol=1e-14)
    assert two.m3 is two.m4 is two.minimum is two.maximum is None


def test_an_outlier_that_comes_first_and_a_trend_cost_no_digits():
    rest = np.random.default_rng(4).normal(size=3000)
    for x in (np.concatenate([[1e9], rest]), rest + np.linspace(0, 1e7, len(rest)), np.repeat([1.0, 1e8], 1500)):
        found = Moments.of(x)
        mean, *sums = exact(x)
        for power, (ours, true) in enumerate(zip((found.m2, found.m3, found.m4), sums, strict=True), 2):
            size = float(np.sum(np.abs(x - float(mean)) ** power))  # the third powers cancel
            assert abs(float(Fraction(float(ours[0])) - true)) <= 2e-15 * size


def test_equal_values_have_no_variance_at_all():
    for value in (0.1, 1e7 + 0.1, -3e-5):
        moments = Moments.of(np.full(200_001, value))
        assert (moments.mean[0], moments.m2[0], moments.m4[0]) == (value, 0, 0)
        assert np.isnan(moments.skew()[0])
        assert np.isnan(moments.kurtosis()[0])


def test_missing_values_are_counted_and_left_out():
    x = np.random.default_rng(5).normal(10, 1, (5000, 3))
    x[::3, 0] = np.nan
    x[:, 1] = np.nan
    moments = Moments.of(x)
    there = x[~np.isnan(x[:, 0]), 0]
    assert moments.missing.tolist() == [1667, 5000, 0]
    assert moments.n.tolist() == [3333, 0, 5000]
    assert moments.mean[0] == pytest.approx(there.mean(), rel=1e-15)
    assert moments.m2[0] == pytest.approx(((there - there.mean()) ** 2).sum(), rel=1e-13)
    assert (moments.minimum[0], moments.maximum[0]) == (there.min(), there.max())
    assert np.isnan([moments.mean[1], moments.minimum[1], moments.variance()[1], moments.skew()[1]]).all()
    again = Moments.of(x[:100]).merge(Moments.of(x[100:]))
    np.testing.assert_allclose(again.m4, moments.m4, rtol=1e-12)


def test_infinite_values_are_refused_by_column_and_row():
    x = np.zeros((5, 2))
    x[3, 1] = -np.inf
    with pytest.raises(DataError, match='-inf in column "close", row 4: needs finite numbers'):
        Moments.of(x, names=("open", "close"))
    stream = MomentStream().add(np.zeros((70_000, 2))).add(x)
    with pytest.raises(DataError, match="column 2, row 70,004"):
        stream.result()


def test_what_has_no_moments_is_refused_in_one_line():
    for call, told in (
        (lambda: Moments.of(np.zeros(0)), "no rows: needs one row at least"),
        (lambda: Moments.of(np.float64(3)), "shape a single value"),
        (lambda: Moments.of(np.zeros((2, 2, 2))), "shape 2×2×2"),
        (lambda: Moments.of(np.array(["a", "b"])), "values of type <U1: needs numbers"),
        (lambda: Moments.of(np.array([1.0, "b"], dtype=object)), "values of type object"),
        (lambda: Moments.of(np.array(["2020-01-01"], dtype="datetime64[D]")), "datetime64"),
        (lambda: Moments.of(np.zeros(2), order=3), "order=3: needs 2 or 4"),
        (lambda: Moments.of(np.zeros((2, 2)), names=("a",)), "1 names: needs 2"),
        (lambda: MomentStream().add(np.zeros((2, 2))).add(np.zeros((2, 3))), "a block of 3 columns: needs 2"),
        (
            lambda: MomentStream().add(pl.DataFrame({"a": [1], "b": [2]})).add(pl.DataFrame({"b": [1], "a": [2]})),
            "a block with columns b, a: needs a, b",
        ),
        (lambda: Moments.of(np.zeros(2)).merge(Moments.of(np.zeros((2, 2)))), "columns 1 in one part and 2"),
        (lambda: Moments.tree([]), "no parts"),
        (lambda: Moments.of(np.array([1.0, 2]), order=2).skew(), "order=2: needs order 4"),
        (lambda: Moments.of(np.array([1e100, -1e100])), "column 1, whose sd is about 1e\\+100"),
        (lambda: Moments.of(np.array([1e200, -1e200]), order=2), "whose sd is about inf"),
        (lambda: Moments.of(np.array([1e-200, 2e-200])), "whose sd is about 0"),
    ):
        with pytest.raises((ConfigError, DataError), match=told) as error:
            call()
        assert "\n" not in str(error.value)


class _Column:
    def __init__(self, values):
        self.values = values

    def to_numpy(self, zero_copy_only=True):
        if zero_copy_only:
            raise ValueError("Needed to copy 1 chunks with 1 nulls, but zero_copy_only was True")
        return self.values


class _Batch:
    """Stands in for an Arrow record batch, whose columns refuse missing values unless they may be copied."""

    column_names = ("a", "b")

    def column(self, place):
        return _Column([np.array([1, 2, 3]), np.array([1.5, np.nan, 2.5], dtype=np.float32)][place])


def test_tensors_frames_and_arrow_batches_are_read_as_they_are():
    frame = pl.DataFrame({"a": [1, 2, 3], "b": pl.Series([1.5, None, 2.5], dtype=pl.Float32)})
    for table in (frame, _Batch()):
        moments = Moments.of(table)
        assert moments.names == ("a", "b")
        assert (moments.n.tolist(), moments.missing.tolist()) == ([3, 2], [0, 1])
        assert moments.mean.tolist() == [2, 2]
        assert moments.step.tolist() == [0, 2.0**-23]
    assert Moments.of(frame["b"]).mean[0] == 2
    assert Moments.of(pl.Series([True, None, False])).mean[0] == 0.5
    assert Moments.of(pl.Series([1, None, 4])).missing[0] == 1
    tensor = torch.tensor([[1.0, 10], [3, 30]], requires_grad=True)
    assert Moments.of(tensor).mean.tolist() == [2, 20]
    assert Moments.of(tensor.bfloat16()).step.tolist() == [2.0**-7] * 2
    assert Moments.of(np.array([1, 3], dtype=np.float16)).step.tolist() == [2.0**-10]
    assert Moments.of(np.array([1, 2], dtype=np.int8)).mean[0] == 1.5
    assert Moments.of(np.ma.array([1.0, 99, 3], mask=[0, 1, 0])).mean[0] == 2


def test_what_is_stored_comes_back_to_the_last_bit():
    x = np.random.default_rng(6).normal(size=(50, 3)) / 3
    x[:, 1] = np.nan
    for moments in (Moments.of(x, names=("a", "b", "c")), Moments.of(x.astype(np.float32), order=2)):
        again = Moments.from_dict(json.loads(json.dumps(moments.to_dict(), allow_nan=False)))
        assert bits(again) == bits(moments)
        assert again.names == moments.names


def test_single_columns_can_be_taken_out():
    x = np.random.default_rng(7).normal(size=(50, 3))
    taken = Moments.of(x, names=("a", "b", "c")).chosen([2, 0])
    assert taken.names == ("c", "a")
    np.testing.assert_allclose(taken.mean, x[:, [2, 0]].mean(axis=0), rtol=1e-13)
    assert math.isclose(taken.update(x[:, [2, 0]]).n[0], 100)
