"""The same subjects several times: oracle numbers, statsmodels' AnovaRM, scipy's paired t."""

import json

import numpy as np
import pytest
from scipy import stats

from seqwise.errors import DataError
from seqwise.stats.repeated import repeated, sphericity, wide
from seqwise.stats.results import Shown

ARMS = np.array(
    [
        [0.50, 0.58, 0.61],
        [0.40, 0.47, 0.44],
        [0.62, 0.66, 0.70],
        [0.55, 0.60, 0.63],
        [0.48, 0.50, 0.49],
        [0.70, 0.75, 0.79],
    ]
)
NAMES = ("base", "one", "two")


def test_oracle_numbers():
    found = repeated(ARMS, NAMES, name="accuracy", by="arm", subject="item")
    assert found.test.statistic == pytest.approx(17.180451127819744, rel=1e-12)
    assert found.lines[0].p == pytest.approx(0.000582100733619, rel=1e-11)
    assert found.sphericity.greenhouse_geisser == pytest.approx(0.7525312686127162, rel=1e-10)
    assert found.test.p == pytest.approx(0.0022221954855, rel=1e-10)
    assert [line.squares for line in found.lines] == pytest.approx([0.0152333, 0.1897833, 0.0044333], abs=5e-8)
    assert found.friedman.statistic == pytest.approx(9.33333333333333, rel=1e-12)
    assert found.friedman.p == pytest.approx(0.00940356255149523, rel=1e-12)
    assert found.eta_generalized == pytest.approx(0.0152333333 / (0.0152333333 + 0.1897833333 + 0.0044333333), rel=1e-6)


def test_f_equals_statsmodels():
    pandas = pytest.importorskip("pandas")
    from statsmodels.stats.anova import AnovaRM

    rng = np.random.default_rng(2)
    table = rng.normal(size=(9, 1)) + rng.normal(size=(9, 4)) + np.arange(4) / 3
    rows = [(s, c, table[s, c]) for s in range(9) for c in range(4)]
    theirs = AnovaRM(pandas.DataFrame(rows, columns=["s", "c", "y"]), "y", "s", within=["c"]).fit().anova_table
    line = repeated(table, list("abcd")).lines[0]
    assert line.f == pytest.approx(theirs["F Value"].iloc[0], rel=1e-10)
    assert line.p == pytest.approx(theirs["Pr > F"].iloc[0], rel=1e-9)


def test_two_conditions_are_the_paired_t_test():
    found = repeated(ARMS[:, :2], NAMES[:2])
    theirs = stats.ttest_rel(ARMS[:, 1], ARMS[:, 0])
    assert found.test.statistic == pytest.approx(theirs.statistic**2, rel=1e-10)
    assert found.test.p == pytest.approx(theirs.pvalue, rel=1e-10)
    both = found.test.effect.interval
    assert (both.low, both.high) == pytest.approx(tuple(theirs.confidence_interval()), rel=1e-10)
    assert found.friedman is None
    assert found.sphericity.mauchly is None
    assert "adjusted" not in found.sentences()[1]


def test_pairs_are_paired_t_tests_by_holm():
    found = repeated(ARMS, NAMES)
    raw = [stats.ttest_rel(ARMS[:, b], ARMS[:, a]).pvalue for a, b in ((0, 1), (0, 2), (1, 2))]
    order = np.argsort(raw)
    by_hand = np.empty(3)
    by_hand[order] = np.maximum.accumulate(np.sort(raw) * [3, 2, 1])
    assert [pair.p for pair in found.pairs.pairs] == pytest.approx(by_hand, rel=1e-9)


def test_a_difference_that_never_varies_is_no_proof():
    """Three subjects, all one up: as many signs the same come up by chance in one case of four."""
    found = repeated(np.array([[1.0, 2, 4], [2, 3, 0], [5, 6, 1]]), NAMES)
    pair = found.pairs.pairs[0]
    assert pair.difference.interval is None
    assert pair.p == pytest.approx(0.75)  # by Holm, of three
    assert "by their mean value these data cannot tell one from base" in found.sentences()[1].lower()


def test_epsilon_and_mauchly_know_their_bounds():
    """Compound symmetry has epsilon 1 and W 1; one contrast alone has epsilon 1 / (K - 1)."""
    rng = np.random.default_rng(5)
    q, _ = np.linalg.qr(rng.normal(size=(12, 5)) - rng.normal(size=(12, 5)).mean(axis=0))
    white = q[:, :4] - q[:, :4].mean(axis=0)
    u, _, v = np.linalg.svd(white, full_matrices=False)
    ball = sphericity(u @ v)
    assert (ball.greenhouse_geisser, ball.huynh_feldt, ball.mauchly) == pytest.approx((1, 1, 1))
    assert ball.p == pytest.approx(1)
    assert sphericity(np.outer(rng.normal(size=8), [1.0, -1, 0])).greenhouse_geisser == pytest.approx(0.5)


def test_mauchly_is_the_ratio_of_geometric_and_arithmetic_mean():
    """Of the eigenvalues of the double-centred covariance, computed another way."""
    rng = np.random.default_rng(6)
    table = rng.normal(size=(20, 4)) * [1, 2, 1, 3]
    k = 4
    centre = np.eye(k) - 1 / k
    values = np.sort(np.linalg.eigvalsh(centre @ np.cov(table, rowvar=False) @ centre))[1:]
    ball = sphericity(table)
    assert ball.mauchly == pytest.approx(np.prod(values) / values.mean() ** (k - 1), rel=1e-10)
    assert ball.greenhouse_geisser == pytest.approx(values.sum() ** 2 / ((k - 1) * (values**2).sum()), rel=1e-10)


def test_demsar_printed_table_with_ties():
    """Friedman, corrected for ties, of the 14 data sets that Demsar (2006, table 6) prints."""
    table = np.array(
        [
            [0.763, 0.768, 0.771, 0.798], [0.599, 0.591, 0.590, 0.569], [0.954, 0.971, 0.968, 0.967],
            [0.628, 0.661, 0.654, 0.657], [0.882, 0.888, 0.886, 0.898], [0.936, 0.931, 0.916, 0.931],
            [0.661, 0.668, 0.609, 0.685], [0.583, 0.583, 0.563, 0.625], [0.775, 0.838, 0.866, 0.875],
            [1.000, 1.000, 1.000, 1.000], [0.940, 0.962, 0.965, 0.962], [0.619, 0.666, 0.614, 0.669],
            [0.972, 0.981, 0.975, 0.975], [0.957, 0.978, 0.946, 0.970],
        ]
    )  # fmt: skip
    found = repeated(table, ("C4.5", "C4.5+m", "C4.5+cf", "C4.5+m+cf"))
    assert found.friedman.statistic == pytest.approx(10.952380952381, rel=1e-9)
    assert found.friedman.p == pytest.approx(0.0119861763254178, rel=1e-9)


def test_sentences_and_json():
    found = repeated(ARMS, NAMES, name="accuracy", by="arm", subject="item")
    first, second, *_ = found.sentences()
    assert first.startswith("arm explains 77.5 % of the variance of accuracy within each item (95 % interval 18.6 %")
    assert first.endswith("mean accuracy differs by arm.")
    assert second.startswith("Mean accuracy is 0.0517 higher in one than in base (95 % interval 0.0292 to 0.0741")
    assert isinstance(found, Shown)
    json.dumps(found.to_dict(), allow_nan=False)
    rng = np.random.default_rng(1)
    none = repeated(rng.normal(size=(8, 3)), NAMES, name="accuracy", by="arm")
    assert none.sentences()[0].startswith("These data cannot tell whether mean accuracy differs by arm: it explains")


def test_long_form_and_subjects_that_lack_a_value():
    subjects, conditions = np.repeat(np.arange(6), 3), np.tile(NAMES, 6)
    table, names = wide(ARMS.reshape(-1), subjects, conditions)
    assert names == NAMES
    assert np.array_equal(table, ARMS)
    table, names = wide(ARMS.reshape(-1)[:-1], subjects[:-1], conditions[:-1])
    found = repeated(table, names)
    assert found.test.n == {"subject": 5}
    assert "1 of 6 rows lack a value under some condition and are left out." in found.sentences()
    with pytest.raises(DataError, match="2 values of pupil 0 under week base"):
        wide(np.append(ARMS.reshape(-1), 1.0), np.append(subjects, 0), np.append(conditions, "base"), "pupil", "week")


@pytest.mark.parametrize(
    ("table", "told"),
    [
        (ARMS[:1], "1 of 1 subjects with a value"),
        (np.array([[1.0, 2, 3], [2, 3, 4]]), "differs from the others by the same"),
        (np.full((4, 3), 2.0), "differs from the others by the same"),
        (np.array([[1.0, 2, np.inf], [2, 3, 5]]), "infinite in row 1 under condition two"),
        (ARMS[:, :2], "a table of shape"),
        (ARMS * 1e80, "another unit"),
    ],
)
def test_what_cannot_be_answered_is_refused(table, told):
    with pytest.raises(DataError, match=told):
        repeated(table, NAMES)
