import json
import math
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler

from seqwise.errors import ConfigError, DataError
from seqwise.stats.moments import Moments
from seqwise.stats.results import Shown
from seqwise.stats.standardize import FittedOn, Standardizer, _refuse_settings


def table(rows=500, columns=3, kind=np.float64):
    x = np.random.default_rng(0).gamma(2.0, 3.0, (rows, columns)) + np.linspace(-100, 1e4, columns)
    return x.astype(kind)


def crps(mean, sd, y):
    """Of a normal distribution, closed form: Gneiting and Raftery 2007, eq. 21."""
    z = (y - mean) / sd
    return sd * (z * (2 * stats.norm.cdf(z) - 1) + 2 * stats.norm.pdf(z) - 1 / math.sqrt(math.pi))


def test_all_kinds_are_scikit_learns():
    x = table()
    for kind, peer in (("z", StandardScaler()), ("minmax", MinMaxScaler()), ("robust", RobustScaler())):
        ours = Standardizer.fit(x, kind)
        np.testing.assert_allclose(ours.apply(x), peer.fit_transform(x), rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(ours.invert(ours.apply(x)), x, rtol=1e-14)
    np.testing.assert_allclose(Standardizer.fit(x, ddof=1).apply(x), stats.zscore(x, ddof=1), rtol=1e-9, atol=1e-11)
    spread = Standardizer.fit(x, "robust", spread="mad")
    np.testing.assert_allclose(spread.scale, stats.median_abs_deviation(x, scale="normal"), rtol=1e-14)


def test_missing_values_stay_missing_and_count_for_nothing():
    x = table()
    x[::5, 1] = np.nan
    there = ~np.isnan(x[:, 1])
    for kind in ("z", "robust", "minmax"):
        whole, part = Standardizer.fit(x, kind), Standardizer.fit(x[there, 1], kind)
        assert whole.center[1] == pytest.approx(part.center[0], rel=1e-15)
        assert whole.scale[1] == pytest.approx(part.scale[0], rel=1e-13)
        assert np.isnan(whole.apply(x)).tolist() == np.isnan(x).tolist()
        assert np.isnan(whole.invert(whole.apply(x))).tolist() == np.isnan(x).tolist()


def test_float32_far_from_0_keeps_all_digits_that_it_has():
    """z of a column around 10^7 as float64 computes it, to the rounding of two operations; plainly done, worse."""
    x = (np.random.default_rng(1).normal(0, 3000, (1000, 2)) + np.array([1e7, 1e7 + 1 / 3])).astype(np.float32)
    ours = Standardizer.fit(x)
    z = ours.apply(x)
    exact = (x.astype(np.float64) - ours.center) / ours.scale
    assert z.dtype == np.float32
    np.testing.assert_allclose(z, exact, rtol=3 * 2.0**-24, atol=1e-9)
    plain = (x - ours.center.astype(np.float32)) / ours.scale.astype(np.float32)
    assert np.abs(plain - exact).max() > 100 * np.abs(z - exact).max() / 10


@pytest.mark.parametrize("columns", [1, 3, 20])
def test_threads_layout_and_in_place_change_no_bit(columns):
    for kind in (np.float32, np.float64):
        x = table(2**20 // columns + 77, columns, kind)
        ours = Standardizer.fit(x)
        z = ours.apply(x, threads=1)
        assert z.dtype == kind
        assert (ours.apply(x, threads=3) == z).all()
        assert (ours.apply(np.asfortranarray(x)) == z).all()
        out = np.empty_like(z)
        assert ours.apply(x, out=out) is out
        assert (out == z).all()
        other = np.array(x, order="F")
        assert (ours.apply(x, out=other) == z).all()
        assert ours.apply(x, out=x) is x
        assert (x == z).all()


def test_types_and_shapes_are_kept_as_far_as_they_can_be():
    x = table(40, 3)
    ours = Standardizer.fit(x)
    windows = x.reshape(4, 10, 3)
    np.testing.assert_array_equal(ours.apply(windows), ours.apply(x).reshape(4, 10, 3))
    np.testing.assert_array_equal(ours.apply(torch.from_numpy(windows)), ours.apply(windows))
    np.testing.assert_array_equal(ours.apply(x[0]), ours.apply(x)[0])
    one = Standardizer.fit(x[:, 0])
    assert one.apply(x[:, 0]).shape == (40,)
    assert one.invert(0.0).tolist() == pytest.approx(x[:, 0].mean())
    assert Standardizer.fit(np.arange(9)).apply(np.arange(9)).dtype == np.float64
    assert Standardizer.fit(np.arange(9)).apply(np.arange(9, dtype=np.float16)).dtype == np.float32
    tiny = np.array([1e-42, 3e-42, 2e-42], dtype=np.float32)  # whose scale's inverse float32 cannot hold
    tinier = Standardizer.fit(tiny, constant="pass")
    assert np.isfinite(tinier.apply(tiny)).all()


def test_columns_that_do_not_vary_are_refused_with_the_reason_all_at_once():
    n = 2000
    noise = np.random.default_rng(2).normal(size=n)
    x = np.column_stack(
        [noise, np.full(n, 5.0), 1e7 + 1e-9 * noise, np.full(n, np.nan), np.r_[1.0, np.full(n - 1, np.nan)]]
    )
    names = ("a", "b", "c", "d", "e")
    with pytest.raises(DataError) as error:
        Standardizer.fit(x, names=names)
    told = str(error.value).splitlines()
    assert told[0] == "4 faults:"
    assert 'column "b" holds no value but 5: needs a column that varies' in told[1]
    assert 'constant="pass" or constant="zero"' in told[1]
    assert "rounding errors alone can make" in told[2]
    assert 'column "d" holds no value: needs a column with values' in told[3]
    assert 'column "e" holds a single value' in told[4]
    for constant, value in (("pass", 2.0), ("zero", 0.0)):
        ours = Standardizer.fit(x[:, :2], names=names[:2], constant=constant)
        z = ours.apply(np.array([[0.0, 7.0], [np.nan, np.nan]]))
        assert z[0, 1] == value
        assert np.isnan(z[1]).all()
        assert (ours.apply(x[:, :2])[:, 1] == 0).all()
        assert ours.flat == ("", "holds no value but 5")
        assert any('Column "b" holds no value but 5' in line for line in ours.sentences())
    with pytest.raises(DataError, match="holds no value"):
        Standardizer.fit(x, constant="pass")


def test_a_column_that_varies_in_few_values_has_no_robust_scale():
    x = np.r_[np.zeros(80), np.arange(20.0)]
    for spread in ("iqr", "mad"):
        with pytest.raises(DataError, match="varies in less than half of its values"):
            Standardizer.fit(x, "robust", spread=spread)


def test_float32_that_cannot_tell_the_sd_is_refused():
    """NIST's NumAcc4; in float64 its sd is that of exact numbers."""
    x = np.array([10000000.2, *[10000000.1, 10000000.3] * 500])
    assert Standardizer.fit(x, ddof=1).scale[0] == pytest.approx(0.1, rel=1e-8)
    for kind in ("z", "minmax", "robust"):
        with pytest.raises(DataError, match="stored in steps of 1 at its mean 10,000,000"):
            Standardizer.fit(x.astype(np.float32), kind)


@settings(max_examples=40, deadline=None)
@given(st.floats(-5, 5), st.floats(0.05, 4), st.floats(-5, 5), st.floats(0.01, 1e4), st.floats(-1e4, 1e4))
def test_a_predicted_normal_is_told_in_the_datas_units(mean, sd, y, scale, center):
    """scipy's density and the closed CRPS, of z and of x."""
    ours = Standardizer("z", np.array([center]), np.array([scale]), flat=("",))
    [m], [s] = ours.normal(np.array([mean]), np.array([sd]))
    [x] = ours.invert(np.array([y]))
    told = stats.norm.logpdf(y, mean, sd)
    rough = 1e-9 * (1 + abs(center) / (scale * sd)) * (1 + abs(y - mean) / sd) ** 2
    assert ours.log_likelihood(np.array([told]))[0] == pytest.approx(stats.norm.logpdf(x, m, s), abs=rough)
    assert ours.crps(np.array([crps(mean, sd, y)]))[0] == pytest.approx(crps(m, s, x), abs=rough * scale)
    low, high = ours.interval(*(np.array([end]) for end in stats.norm.interval(0.95, mean, sd)))
    np.testing.assert_allclose((low[0], high[0]), stats.norm.interval(0.95, m, s), rtol=1e-12, atol=1e-9)


def test_the_scores_of_a_normal_are_those_of_the_closed_forms():
    """N(2, 0.5) at 1 as N(0, 1) at -2: the log score loses log 0.5, the CRPS is halved."""
    ours = Standardizer("z", np.array([2.0]), np.array([0.5]), flat=("",))
    assert -ours.log_likelihood(stats.norm.logpdf(-2.0)).item() == pytest.approx(2.22579135264473, rel=1e-14)
    assert ours.crps(crps(0, 1, -2.0)).item() == pytest.approx(0.726395910842952, rel=1e-14)
    assert [part.item() for part in ours.normal(0.0, 1.0)] == [2.0, 0.5]


def test_merging_is_fitting_on_both():
    x = table(999)
    for kind in ("z", "minmax"):
        parts = [Standardizer.fit(part, kind, ddof=1, names=("a", "b", "c")) for part in (x[:400], x[400:])]
        both, whole = parts[0].merge(parts[1]), Standardizer.fit(x, kind, ddof=1)
        np.testing.assert_allclose(both.center, whole.center, rtol=1e-15)
        np.testing.assert_allclose(both.scale, whole.scale, rtol=1e-14)
        assert both.names == ("a", "b", "c")
        again = Standardizer.fit(Moments.of(x), kind, ddof=1)
        np.testing.assert_allclose(again.scale, whole.scale, rtol=1e-14)
    noted = [
        Standardizer.fit(part, fitted_on=FittedOn(len(part), hash=name)) for part, name in ((x[:9], "a"), (x[9:], "b"))
    ]
    assert noted[0].merge(noted[1]).fitted_on == FittedOn(999, "train", hash="a+b")


def test_what_cannot_be_is_refused_in_one_line():
    x = table()
    ours = Standardizer.fit(x, names=("a", "b", "c"))
    robust = Standardizer.fit(x, "robust")
    for call, told in (
        (lambda: robust.merge(robust), "medians of parts tell no median"),
        (lambda: Standardizer.fit(Moments.of(x), "robust"), "moments for robust scores"),
        (lambda: Standardizer.fit(Moments.of(x, order=2), "minmax"), "moments of order 2 for minmax"),
        (lambda: Standardizer.fit(Moments.of(x), names=("a",)), "1 names: needs 3"),
        (lambda: ours.merge(Standardizer.fit(x, ddof=1)), "kind, ddof and constant"),
        (lambda: Standardizer.fit(x, ddof=2), "ddof=2: needs 0 or 1"),
        (lambda: Standardizer.fit(np.zeros(0)), "no rows"),
        (lambda: Standardizer.fit(np.array([1.0, np.inf])), "inf in column 1, row 2"),
        (lambda: Standardizer.fit(np.array([1.0])), "holds a single value"),
        (lambda: ours.apply(x[:, :2]), "numbers of shape 500×2: needs 3 columns"),
        (lambda: ours.apply(pl.DataFrame({"a": [1], "c": [2], "b": [3]})), "columns a, c, b: needs a, b, c"),
        (lambda: ours.apply(x, out=np.empty((500, 3), np.float32)), "out of float32"),
        (lambda: ours.chosen(["d"]), 'column "d": needs one of a, b, c'),
    ):
        with pytest.raises((ConfigError, DataError), match=told) as error:
            call()
        assert "\n" not in str(error.value)


def test_settings_that_are_none_are_told_all_at_once():
    with pytest.raises(ConfigError, match="kind='zscore': needs z or robust or minmax") as error:
        _refuse_settings("zscore", 3, "iqr", "refuse")
    assert str(error.value).startswith("2 faults:")
    assert "ddof=3: needs 0 or 1. Try ddof=0." in str(error.value)


def test_what_is_stored_comes_back_to_the_last_bit_and_says_where_it_comes_from():
    x = table()
    noted = FittedOn(500, "train", "2016-07-01 00:00", "2017-06-25 23:00", "6f1a")
    for kind in ("z", "robust", "minmax"):
        ours = Standardizer.fit(x, kind, names=("a", "b", "c"), fitted_on=noted, constant="zero")
        stored = json.loads(json.dumps(ours.to_dict(), allow_nan=False))
        again = Standardizer.from_dict(stored)
        assert again.to_dict() == ours.to_dict()
        assert (again.apply(x) == ours.apply(x)).all()
        assert again.fitted_on == noted
        where = "500 rows of train from 2016-07-01 00:00 to 2017-06-25 23:00, hash 6f1a."
        assert ours.sentences()[0].endswith(where)
        assert isinstance(ours, Shown)
        assert [row[0] for row in ours.grids()[0].rows] == ["a", "b", "c"]


def test_columns_can_be_chosen_by_name_or_place():
    x = table()
    ours = Standardizer.fit(x, names=("a", "b", "c")).chosen(["c", 0])
    assert ours.names == ("c", "a")
    np.testing.assert_array_equal(ours.apply(x[:, [2, 0]]), Standardizer.fit(x).apply(x)[:, [2, 0]])


def test_no_heavy_library_is_imported():
    heavy = "{'pandas', 'polars', 'torch', 'statsmodels', 'scipy.stats'}"
    program = f"import sys, seqwise.stats.standardize, seqwise.stats.scores; print({heavy} & {{*sys.modules}})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
