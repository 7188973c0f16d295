"""Logistic regression against statsmodels and scikit-learn, its intervals against their definition, its sentences."""

import itertools
import json

import numpy as np
import pytest
from scipy.special import expit

from seqwise.errors import ConfigError, DataError
from seqwise.stats.discrimination import auc, calibration
from seqwise.stats.likelihood import separated
from seqwise.stats.logistic import logistic
from seqwise.stats.results import Shown

NAMES = ["age", "smoker"]


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(8)
    age, smoker = rng.normal(50, 10, 160), (rng.random(160) < 0.4).astype(float)
    y = (rng.random(160) < expit(-6 + 0.1 * age + smoker)).astype(float)
    return y, np.column_stack([age, smoker]), np.repeat(np.arange(20), 8)


@pytest.fixture(scope="module")
def theirs(rows):
    import statsmodels.api as sm

    y, x, _ = rows
    return sm.Logit(y, sm.add_constant(x)).fit(disp=0, tol=1e-12)


def test_coefficients_equal_statsmodels(rows, theirs):
    y, x, _ = rows
    fit = logistic(y, x, NAMES)
    assert [one.log for one in fit.coefficients] == pytest.approx(theirs.params, rel=1e-7)
    assert [one.error for one in fit.coefficients] == pytest.approx(theirs.bse, rel=1e-7)
    assert [one.p for one in fit.coefficients] == pytest.approx(theirs.pvalues, rel=1e-6)
    assert fit.mcfadden == pytest.approx(theirs.prsquared, rel=1e-8)
    assert (fit.test.statistic, fit.test.p) == pytest.approx((theirs.llr, theirs.llr_pvalue), rel=1e-7)
    chances = theirs.predict()
    assert fit.chances == pytest.approx(chances, rel=1e-7)
    assert fit.test.effect.value == pytest.approx(100 * (chances[y == 1].mean() - chances[y == 0].mean()), rel=1e-7)


def test_marginal_effects_equal_statsmodels(rows, theirs):
    y, x, _ = rows
    effects = theirs.get_margeff(dummy=True)
    fit = logistic(y, x, NAMES)
    points = [one.marginal for one in fit.coefficients[1:]]
    assert [one.value for one in points] == pytest.approx(100 * effects.margeff, rel=1e-6)
    limits = [(one.interval.low, one.interval.high) for one in points]
    assert np.array(limits) == pytest.approx(100 * effects.conf_int(), rel=1e-5)


def test_profile_limits_lose_what_they_should(rows):
    """At a limit, the best log likelihood of the other coefficients lies 1.92 below the top (statsmodels' fits)."""
    import statsmodels.api as sm

    y, x, _ = rows
    fit = logistic(y, x, NAMES)
    top = sm.Logit(y, sm.add_constant(x)).fit(disp=0).llf
    for place, one in enumerate(fit.coefficients[1:]):
        others = sm.add_constant(np.delete(x, place, axis=1))
        for end in (one.ratio.interval.low, one.ratio.interval.high):
            held = sm.GLM(y, others, family=sm.families.Binomial(), offset=np.log(end) * x[:, place]).fit()
            assert 2 * (top - held.llf) == pytest.approx(3.841458820694, rel=1e-5)


@pytest.mark.parametrize("errors", ["robust", "cluster"])
def test_robust_errors_equal_statsmodels(rows, errors):
    """Times n / (n - 1), of rows or clusters."""
    import statsmodels.api as sm

    y, x, clusters = rows
    kwds = {"groups": clusters, "use_correction": False} if errors == "cluster" else None
    model = sm.GLM(y, sm.add_constant(x), family=sm.families.Binomial())
    found = model.fit(cov_type="HC0" if errors == "robust" else "cluster", cov_kwds=kwds, tol=1e-14)
    fit = logistic(y, x, NAMES, errors=errors, clusters=clusters if errors == "cluster" else None)
    units = 20 if errors == "cluster" else 160
    assert [one.error for one in fit.coefficients] == pytest.approx(found.bse * (units / (units - 1)) ** 0.5, rel=1e-6)
    assert fit.intervals == "Wald"
    wald = found.wald_test(np.eye(3)[1:], use_f=False, scalar=True)
    assert fit.test.statistic == pytest.approx(float(wald.statistic) * (units - 1) / units, rel=1e-6)


def test_auc_equals_sklearn_and_delong_by_all_pairs():
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(3)
    y = np.repeat([1.0, 0.0], [15, 22])
    scores = np.round(rng.normal(size=37) + y, 1)  # with ties
    found = auc(y, scores)
    assert found.value == pytest.approx(roc_auc_score(y, scores), rel=1e-12)
    ones, zeros = scores[y == 1], scores[y == 0]
    wins = (ones[:, None] > zeros) + 0.5 * (ones[:, None] == zeros)  # (15, 22)
    variance = wins.mean(axis=1).var(ddof=1) / 15 + wins.mean(axis=0).var(ddof=1) / 22
    logit = np.log(found.value / (1 - found.value))
    half = 1.959963984540054 * variance**0.5 / (found.value * (1 - found.value))
    assert (found.interval.low, found.interval.high) == pytest.approx((expit(logit - half), expit(logit + half)))


def test_calibration_counts_every_row_once_and_keeps_equal_chances_together():
    chances = np.repeat([0.1, 0.2, 0.5, 0.9], [40, 10, 30, 20])
    y = np.concatenate([np.arange(n) < n * p for n, p in ((40, 0.1), (10, 0.2), (30, 0.5), (20, 0.9))]).astype(float)
    found = calibration(y, chances)
    assert [one.n for one in found.bins] == [40, 10, 30, 20]
    assert [one.observed for one in found.bins] == pytest.approx([0.1, 0.2, 0.5, 0.9])
    assert found.statistic == pytest.approx(0, abs=1e-20)
    assert calibration(y, np.full(100, 0.4)).p is None


def test_separation_is_found_exactly_where_there_is_one():
    """Brute force over thresholds of a single column."""
    for bits in itertools.product([0.0, 1.0], repeat=5):
        y, table = np.array(bits), np.column_stack([np.ones(5), [1.0, 2, 2, 3, 4]])
        x = table[:, 1]
        sides = [(x[y == 1], x[y == 0]), (x[y == 0], x[y == 1])]
        apart = len(set(bits)) == 1 or any(low.max() <= high.min() for low, high in sides)
        assert (separated(y, table) is not None) == apart


def test_separated_classes_are_refused_with_the_column(rows):
    y, x, _ = rows
    with pytest.raises(DataError, match="age tells old from the rest without fail"):
        logistic((x[:, 0] > 50).astype(float), x, NAMES, name="old")
    never = np.where(x[:, 1] == 1, 0.0, y)  # no smoker is a one
    with pytest.raises(DataError, match="smoker tells ill from the rest without fail, in some rows"):
        logistic(never, x, NAMES, name="ill")


def test_sentences_say_odds_and_points(rows):
    y, x, _ = rows
    fit = logistic(y, x, NAMES, name="illness", units={"age": "year"})
    first, second, third = fit.sentences()[:3]
    assert first.startswith("age and smoker tell illness from the rest better than chance: the mean chance told is ")
    assert " percentage points higher for them than for the others (AUC " in first
    assert second.startswith("The odds of illness are ")
    assert "times as high with one year more of age (95 % interval " in second
    assert "; on average over the rows the chance is " in second
    assert "smoker = 1 in place of 0" in third
    assert isinstance(fit, Shown)
    json.dumps(fit.to_dict(), allow_nan=False)


def test_nothing_to_see_is_told_as_such():
    rng = np.random.default_rng(6)
    fit = logistic((np.arange(40) % 2).astype(float), rng.normal(size=(40, 1)), ["noise"], name="y")
    first, second, *_ = fit.sentences()
    assert first.startswith("These data cannot show whether noise tells y from the rest:")
    assert second.startswith(
        "These data cannot tell whether one more of noise makes y more or less likely: odds times "
    )


def test_labels_may_be_words_and_the_event_is_named(rows):
    y, x, _ = rows
    words = np.where(y == 1, "yes", "no")
    fit = logistic(words, x, NAMES, name="ill")
    assert fit.name == "ill = yes"
    other = logistic(list(words), x, NAMES, name="ill", event="no")
    assert other.name == "ill = no"
    assert other.coefficients[1].log == pytest.approx(-fit.coefficients[1].log, rel=1e-9)
    assert other.coefficients[1].ratio.interval.low == pytest.approx(
        1 / fit.coefficients[1].ratio.interval.high, rel=1e-6
    )


def test_few_of_a_class_are_told():
    rng = np.random.default_rng(9)
    y = np.zeros(60)
    y[:12] = 1
    fit = logistic(y, rng.normal(size=(60, 2)), ["a", "b"], name="y")
    assert any("Only 12 rows of the rarer class for 2 columns" in one for one in fit.sentences())


def test_missing_values_are_left_out_and_told(rows):
    y, x, _ = rows
    y, x = y.copy(), x.copy()
    y[2], x[5, 0] = np.nan, np.nan
    fit = logistic(y, x, NAMES)
    assert fit.n == 158
    assert "2 of 160 rows lack a value and are left out." in fit.sentences()


@pytest.mark.parametrize(
    ("y", "told"),
    [
        (np.arange(160) % 3, "3 different values of y"),
        (np.ones(160), "in all 160 rows"),
        (np.full(160, np.nan), "no value of y"),
    ],
)
def test_what_cannot_be_answered_is_refused(rows, y, told):
    with pytest.raises(DataError, match=told):
        logistic(y, rows[1], NAMES)


def test_an_outcome_of_another_length_is_refused(rows):
    with pytest.raises(DataError, match="a row of the columns for each outcome"):
        logistic([0, 1] * 50, rows[1], NAMES)


def test_contradictions_are_refused(rows):
    y, x, clusters = rows
    with pytest.raises(ConfigError, match="without clusters"):
        logistic(y, x, NAMES, errors="cluster")
    with pytest.raises(ConfigError, match="event='x' of y"):
        logistic(y, x, NAMES, event="x")
    with pytest.raises(DataError, match="2 clusters and 2 columns"):
        logistic(y, x, NAMES, errors="cluster", clusters=clusters % 2)
