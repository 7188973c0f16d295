"""Linear regression: NIST's certified values, statsmodels for errors and diagnostics, published examples, sentences."""

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest

from seqwise.errors import ConfigError, DataError
from seqwise.stats.regression import indicators, ols
from seqwise.stats.results import Shown

DATA = Path(os.environ.get("SEQWISE_DATA", Path(__file__).resolve().parents[2] / "../shared/data"))

NORRIS = """0.1 0.2; 338.8 337.4; 118.1 118.2; 888.0 884.6; 9.2 10.1; 228.1 226.5; 668.5 666.3; 998.5 996.3; 449.1
448.6; 778.9 777.0; 559.2 558.2; 0.3 0.4; 0.1 0.6; 778.1 775.5; 668.8 666.9; 339.3 338.0; 448.9 447.5;
10.8 11.6; 557.7 556.0; 228.3 228.1; 998.0 995.8; 888.8 887.6; 119.6 120.2; 0.3 0.3; 0.6 0.3; 557.6
556.8; 339.3 339.1; 888.0 887.2; 998.5 999.0; 778.9 779.0; 10.2 11.1; 117.6 118.3; 228.9 229.2; 668.4
669.1; 449.2 448.9; 0.2 0.5"""
LONGLEY = """60323 83.0 234289 2356 1590 107608 1947; 61122 88.5 259426 2325 1456 108632 1948;
60171 88.2 258054 3682 1616 109773 1949; 61187 89.5 284599 3351 1650 110929 1950;
63221 96.2 328975 2099 3099 112075 1951; 63639 98.1 346999 1932 3594 113270 1952;
64989 99.0 365385 1870 3547 115094 1953; 63761 100.0 363112 3578 3350 116219 1954;
66019 101.2 397469 2904 3048 117388 1955; 67857 104.6 419180 2822 2857 118734 1956;
68169 108.4 442769 2936 2798 120445 1957; 66513 110.8 444546 4681 2637 121950 1958;
68655 112.6 482704 3813 2552 123366 1959; 69564 114.2 502601 3931 2514 125368 1960;
69331 115.7 518173 4806 2572 127852 1961; 70551 116.9 554894 4007 2827 130081 1962"""
WAMPLER = np.array([759, -2048, 2048, -2048, 2523, -2048, 2048, -2048, 1838, -2048, 2048], dtype=np.float64)
WAMPLER = np.concatenate([WAMPLER, WAMPLER[-2::-1]])  # what Wampler 3 adds to the polynomial: the same from both ends
POWERS = np.arange(21.0)[:, None] ** np.arange(1, 6)
X5 = ["x", "x2", "x3", "x4", "x5"]


def table(text):
    return np.array([[float(v) for v in row.split()] for row in text.split(";")])


def digits(found, certified):
    """Digits that agree at least (LRE)."""
    apart = np.abs(np.asarray(found) - np.asarray(certified)) / np.abs(certified)
    return float(np.min(-np.log10(np.maximum(apart, 1e-15))))


def values(fit):
    return [one.estimate.value for one in fit.coefficients], [one.error for one in fit.coefficients]


def test_norris():
    data = table(NORRIS)
    fit = ols(data[:, 0], data[:, 1:], ["x"])
    coefficients, errors = values(fit)
    assert digits(coefficients, [-0.262323073774029, 1.00211681802045]) >= 13
    assert digits(errors, [0.232818234301152, 0.429796848199937e-03]) >= 13
    assert digits(fit.sd.value, 0.884796396144373) >= 13
    assert digits(fit.r2.value, 0.999993745883712) >= 14
    assert digits(fit.test.statistic, 5436385.54079785) >= 9.5  # 1 - R squared has lost five digits
    assert fit.test.df == (1, 34)


def test_longley_to_more_digits_than_one_division_by_sds_gives():
    data = table(LONGLEY)
    fit = ols(data[:, 0], data[:, 1:], [f"x{place}" for place in range(1, 7)])
    certified = [-3482258.63459582, 15.0618722713733, -0.358191792925910e-01, -2.02022980381683]
    certified += [-1.03322686717359, -0.511041056535807e-01, 1829.15146461355]
    sure = [890420.383607373, 84.9149257747669, 0.334910077722432e-01, 0.488399681651699]
    sure += [0.214274163161675, 0.226073200069370, 455.478499142212]
    coefficients, errors = values(fit)
    assert digits(coefficients, certified) >= 13
    assert digits(errors, sure) >= 13
    assert digits(fit.sd.value, 304.854073561965) >= 13
    assert digits(fit.r2.value, 0.995479004577296) >= 13
    assert digits(fit.test.statistic, 330.285339234588) >= 12
    assert fit.diagnostics.apart.holds is False


@pytest.mark.parametrize(("noise", "attained"), [(1, 12), (100, 11), (10_000, 9)])
def test_wampler_3_to_5(noise, attained):
    """A polynomial of degree 5 with coefficients 1 beneath noise up to ten thousand times as large."""
    sure = [2152.32624678170, 2363.55173469681, 779.343524331583, 101.475507550350, 5.64566512170752, 0.112324854679312]
    fit = ols(1 + POWERS.sum(axis=1) + noise * WAMPLER, POWERS, X5)
    coefficients, errors = values(fit)
    assert digits(coefficients, 1.0) >= attained
    assert digits(errors, noise * np.array(sure)) >= 12.5
    assert digits(fit.sd.value, noise * 2360.14502379268) >= 13


def test_wampler_1_and_2_are_exact_and_told_so():
    fit = ols(1 + POWERS.sum(axis=1), POWERS, X5, name="y")
    assert digits(values(fit)[0], 1.0) >= 12
    assert values(fit)[1] == [0.0] * 6
    assert (fit.sd.value, fit.r2.value, fit.test.p) == (0.0, 1.0, 0.0)
    assert fit.sentences() == ("y follows from x, x2, x3, x4 and x5 exactly: nothing is left over.",)
    json.dumps(fit.to_dict(), allow_nan=False)
    second = ols(1 + POWERS @ 0.1 ** np.arange(1, 6), POWERS, X5)
    assert digits(values(second)[0], 0.1 ** np.arange(6)) >= 12


def test_no_intercept():
    """NIST's NoInt1."""
    fit = ols(np.arange(130.0, 141), np.arange(60.0, 71)[:, None], ["x"], intercept=False)
    (coefficient,), (error,) = values(fit)
    assert digits(coefficient, 2.07438016528926) >= 14
    assert digits(error, 0.165289256198347e-01) >= 14
    assert digits(fit.sd.value, 3.56753034006338) >= 14
    assert digits(fit.r2.value, 0.999365492298663) >= 14
    assert digits(fit.test.statistic, 15750.25) >= 11


@pytest.fixture(scope="module")
def rows():
    """An outcome of three columns that scatters with one of them, in 15 clusters."""
    rng = np.random.default_rng(11)
    x = rng.normal(size=(90, 3)) + np.array([5, 0, 100])
    x[:, 1] = x[:, 1] > 0
    clusters = np.repeat(np.arange(15), 6)
    y = x @ [2, -1, 0.3] + rng.normal(size=15)[clusters] + rng.normal(size=90) * np.abs(x[:, 0])
    return y, x, clusters


@pytest.mark.parametrize("errors", ["classic", "HC3", "cluster"])
def test_errors_equal_statsmodels(rows, errors):
    import statsmodels.api as sm

    y, x, clusters = rows
    how = {
        "classic": {},
        "HC3": {"cov_type": "HC3", "use_t": True},
        "cluster": {"cov_type": "cluster", "cov_kwds": {"groups": clusters}, "use_t": True},
    }[errors]
    theirs = sm.OLS(y, sm.add_constant(x)).fit(**how)
    fit = ols(y, x, ["a", "b", "c"], errors=errors, clusters=clusters if errors == "cluster" else None)
    coefficients, sizes = values(fit)
    assert coefficients == pytest.approx(theirs.params, rel=1e-9)
    assert sizes == pytest.approx(theirs.bse, rel=1e-9)
    assert [one.p for one in fit.coefficients] == pytest.approx(theirs.pvalues, rel=1e-8)
    limits = [(one.estimate.interval.low, one.estimate.interval.high) for one in fit.coefficients]
    assert np.array(limits) == pytest.approx(theirs.conf_int(), rel=1e-8)
    assert fit.test.statistic == pytest.approx(theirs.fvalue, rel=1e-9)
    assert fit.test.p == pytest.approx(theirs.f_pvalue, rel=1e-8)
    assert (fit.r2.value, fit.adjusted) == pytest.approx((theirs.rsquared, theirs.rsquared_adj), rel=1e-9)


def test_diagnostics_equal_statsmodels(rows):
    import statsmodels.api as sm
    from statsmodels.stats.diagnostic import het_breuschpagan, linear_reset
    from statsmodels.stats.outliers_influence import variance_inflation_factor
    from statsmodels.stats.stattools import durbin_watson

    y, x, _ = rows
    table = sm.add_constant(x)
    theirs = sm.OLS(y, table).fit()
    influence = theirs.get_influence()
    looked = ols(y, x, ["a", "b", "c"]).diagnostics
    assert looked.breusch_pagan == pytest.approx(het_breuschpagan(theirs.resid, table)[1], rel=1e-9)
    assert looked.durbin_watson == pytest.approx(durbin_watson(theirs.resid), rel=1e-9)
    assert looked.leverage == pytest.approx(influence.hat_matrix_diag, rel=1e-9)
    assert looked.studentized == pytest.approx(influence.resid_studentized_external, rel=1e-8)
    worst = int(influence.cooks_distance[0].argmax())
    assert looked.worst[0].row == worst + 1
    assert looked.worst[0].cook == pytest.approx(influence.cooks_distance[0][worst], rel=1e-9)
    inflation = [variance_inflation_factor(table, place) for place in (1, 2, 3)]
    assert [value for _, value in looked.inflation] == pytest.approx(inflation, rel=1e-9)
    reset = linear_reset(theirs, power=3, use_f=True)
    assert f"{float(reset.fvalue):.3g}" in looked.straight.told or f"{float(reset.fvalue):.4g}" in looked.straight.told


def test_clustered_mean_of_four_documents():
    """CR1 with t of clusters - 1: the reference's oracle for items that belong to documents."""
    changes = np.array([1.0, 1, 0, 0, 0, 0, 1, 0, 1, 0, -1, 0])
    groups = np.repeat(list("abcd"), 3)
    fit = ols(changes, np.ones((12, 1)), ["mean"], errors="cluster", clusters=groups, intercept=False)
    one = fit.coefficients[0]
    assert (one.estimate.value, one.error) == pytest.approx((0.25, 0.25), rel=1e-12)
    assert one.p == pytest.approx(0.39100221895577, rel=1e-10)
    assert any("4 clusters are few" in note for note in fit.sentences())


def test_standardized_coefficients_are_those_of_standardized_data(rows):
    y, x, _ = rows
    fit = ols(y, x, ["a", "b", "c"])
    z = ols((y - y.mean()) / y.std(), (x - x.mean(axis=0)) / x.std(axis=0), ["a", "b", "c"])
    theirs = [one.estimate.value for one in z.coefficients[1:]]
    assert [one.standardized for one in fit.coefficients[1:]] == pytest.approx(theirs, rel=1e-9)
    assert z.r2.value == pytest.approx(fit.r2.value, rel=1e-12)


def test_a_slope_is_told_in_the_datas_own_units():
    rng = np.random.default_rng(4)
    x = rng.normal(20, 2, 200)
    y = 700 - 2 * x + rng.normal(0, 5, 200)
    fit = ols(y, x[:, None], ["class size"], name="score", unit="points", units={"class size": "student"})
    first, second, *_ = fit.sentences()
    assert first.startswith("class size explains ")
    assert " of the variance of score (95 % interval " in first
    assert second.startswith("One student more of class size goes with ")
    assert " points less of score (95 % interval " in second
    assert isinstance(fit, Shown)
    assert fit.test.effect == fit.coefficients[1].estimate


def test_what_is_not_seen_is_not_claimed():
    rng = np.random.default_rng(0)
    fit = ols(rng.normal(size=30), rng.normal(size=(30, 2)), ["a", "b"], name="y")
    first, second, third, *rest = fit.sentences()
    assert first.startswith("These data cannot tell whether a and b explain anything of y:")
    assert second.startswith("These data cannot tell whether one more of ")
    assert third.startswith("These data cannot tell whether one more of ")
    assert not any("goes with most" in one for one in rest)


def test_columns_of_two_values_are_told_as_such():
    rng = np.random.default_rng(2)
    table, names = indicators(["b", "a", "c"] * 20, "prog", "b")
    assert names == ("prog=a", "prog=c")
    fit = ols(5 * table[:, 0] + rng.normal(size=60), table, names, name="write", unit="points")
    assert any(one.startswith("Where prog=a is 1 and not 0 there is ") for one in fit.sentences())
    assert any("Each measured in its own sd, prog=a goes with most" in one for one in fit.sentences())


def test_a_bend_uneven_scatter_and_a_lonely_row_are_told():
    rng = np.random.default_rng(5)
    x = np.append(rng.uniform(0, 3, 150), 12.0)
    y = x**2 + rng.normal(size=151) * x
    y[-1] = 0
    looked = ols(y, x[:, None], ["x"]).diagnostics
    assert looked.straight.holds is False
    assert looked.scatter.holds is False
    assert looked.rows.holds is False
    assert "row 151" in looked.rows.told


def test_missing_values_are_left_out_and_told(rows):
    y, x, _ = rows
    x = x.copy()
    x[3, 1] = np.nan
    fit = ols(y, x, ["a", "b", "c"])
    whole = np.arange(90) != 3
    assert values(fit)[0] == pytest.approx(values(ols(y[whole], x[whole], ["a", "b", "c"]))[0], rel=1e-12)
    assert "1 of 90 rows lack a value and are left out." in fit.sentences()
    assert fit.diagnostics.places.tolist() == np.flatnonzero(whole).tolist()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda y, x: (y, np.column_stack([x, x[:, 0] - 2 * x[:, 2]])), "follows from .*a.* and .*needs columns none"),
        (lambda y, x: (y, np.column_stack([x, np.ones(90)])), "d with the same value in all rows"),
        (lambda y, x: (y, np.column_stack([x, x[:, 0] / 0])), "infinite values in d"),
        (lambda y, x: (y[:4], np.column_stack([x, x[:, 0] ** 2])[:4]), "4 whole rows: needs 6 at least"),
        (lambda y, x: (y * 0, np.column_stack([x, x[:, 0] ** 2])), "y is 0 in all 90 rows"),
    ],
)
def test_what_cannot_be_answered_is_refused(rows, change, told):
    with np.errstate(divide="ignore"):
        y, x = change(*rows[:2])
    with pytest.raises(DataError, match=told):
        ols(y, x, ["a", "b", "c", "d"])


def test_contradictions_are_refused(rows):
    y, x, clusters = rows
    with pytest.raises(ConfigError, match="without clusters"):
        ols(y, x, ["a", "b", "c"], errors="cluster")
    with pytest.raises(ConfigError, match="with clusters"):
        ols(y, x, ["a", "b", "c"], clusters=clusters)
    with pytest.raises(ConfigError, match="a named twice"):
        ols(y, x, ["a", "a", "c"])
    with pytest.raises(DataError, match="3 clusters and 3 columns"):
        ols(y, x, ["a", "b", "c"], errors="cluster", clusters=np.arange(90) % 3)
    alone = np.column_stack([x[:, 0], np.arange(90) == 7])
    with pytest.raises(DataError, match="row 8 alone decides a coefficient"):
        ols(y, alone, ["a", "seventh"], errors="HC3")
    with pytest.raises(DataError, match="cluster 1 alone decides the coefficient of first"):
        ols(y, np.column_stack([x[:, 0], clusters == 1]), ["a", "first"], errors="cluster", clusters=clusters)


def column(name):
    path = DATA / "statistics" / "samples" / f"{name}.csv"
    if not path.exists():
        pytest.skip(f"needs {path}")
    with path.open(newline="") as file:
        lines = list(csv.DictReader(file))
    return lambda field: np.array([float(line[field]) for line in lines])


def test_californias_schools_as_stock_and_watson_print_them():
    of = column("CASchools")
    size = of("students") / of("teachers")
    fit = ols((of("read") + of("math")) / 2, size[:, None], ["class size"], name="score", unit="points")
    assert values(fit)[0] == pytest.approx([698.93, -2.2798], rel=1e-5)
    assert fit.r2.value == pytest.approx(0.0512, abs=5e-5)


def test_galtons_families():
    of = column("GaltonFamilies")
    fit = ols(of("childHeight"), of("midparentHeight")[:, None], ["midparent"], name="child", unit="inches")
    assert fit.coefficients[1].standardized == pytest.approx(0.3209, abs=5e-5)
    assert fit.coefficients[1].estimate.value == pytest.approx(0.6374, abs=5e-5)
