"""Oracles: statsmodels, matrices written out, the statistics reference (O8, O24)."""

import numpy as np
import pytest
import statsmodels.api as sm

from seqwise.errors import DataError
from seqwise.verdict import clusters
from seqwise.verdict.scored import Measure
from seqwise.verdict.seeds import Chance

NUMBER = Measure("score", "score", "")
NATS = Measure("nats", "counts", "nats", True, score=lambda sums: sums[:, 0] / sums[:, 1])
O8 = np.array([1, 1, 0, 0, 0, 0, 1, 0, 1, 0, -1, 0.0])


def test_the_error_of_equal_clusters_equals_the_reference():
    """O8: 4 documents of 3 items."""
    codes = np.repeat(np.arange(4), 3)
    units = clusters.pseudovalues(NUMBER, np.zeros(12), O8, codes)
    assert units.mean() == pytest.approx(0.25, rel=1e-14)
    assert clusters.jackknife_error(units) == pytest.approx(0.25, rel=1e-14)
    assert clusters.cluster_error(units, np.full(4, 3)) == pytest.approx(0.25, rel=1e-14)
    assert clusters.cr1(O8, codes) == pytest.approx(0.25, rel=1e-14)
    assert clusters.cr1(O8) == pytest.approx(0.179435140641318, rel=1e-13)
    assert clusters.freedom(np.full(4, 3)) == pytest.approx(3, rel=1e-12)


def test_cr1_equals_statsmodels():
    chance = np.random.default_rng(3)
    codes = np.sort(chance.integers(0, 7, 60))
    d = chance.normal(size=60) + chance.normal(size=7)[codes]
    theirs = sm.OLS(d, np.ones(60)).fit(cov_type="cluster", cov_kwds={"groups": codes})
    assert clusters.cr1(d, codes) == pytest.approx(float(theirs.bse[0]), rel=1e-12)


def test_perplexity_of_documents_equals_the_reference():
    """O24: nats and tokens of five documents."""
    nats, tokens = np.array([2.1, 2.4, 1.9, 2.2, 2.6]), np.array([100, 50, 80, 120, 40.0])
    counts = np.stack([nats * tokens, tokens], axis=1)
    assert NATS.of(counts) == pytest.approx(2.1794871794871793, rel=1e-14)
    moves = clusters.influences(NATS, counts)
    assert moves.sum() == pytest.approx(0, abs=1e-8)
    assert clusters.cr1(moves) == pytest.approx(0.0894527997006298, rel=1e-9)


@pytest.mark.parametrize("sizes", [[3, 3, 3], [2, 5, 10, 20, 40], [1, 1, 1, 1, 50], [2] * 10 + [30] * 3])
def test_the_error_of_unequal_clusters_and_its_freedom_equal_their_matrices(sizes):
    """CR2 and its degrees of freedom over items, as Bell and McCaffrey write them: of I - H and its roots."""
    codes, alike = np.repeat(np.arange(len(sizes)), sizes), 0.1
    n = len(codes)
    away = np.eye(n) - 1 / n
    rows = []
    for own in (codes == g for g in range(len(sizes))):
        values, vectors = np.linalg.eigh(away[np.ix_(own, own)])
        rows.append(np.ones(own.sum()) @ (vectors / np.sqrt(values)) @ vectors.T @ away[own] / n)
    squared = np.stack(rows)  # what CR2 squares and sums up, by item
    d = np.random.default_rng(len(sizes)).normal(size=n)
    units = clusters.pseudovalues(NUMBER, 0 * d, d, codes)
    expected = np.linalg.norm(squared @ d)
    assert clusters.cluster_error(units, np.array(sizes)) == pytest.approx(expected, rel=1e-10)
    covariance = np.where(codes[:, None] == codes, alike, 0.0) + (1 - alike) * np.eye(n)
    spread = squared @ covariance @ squared.T
    expected = np.trace(spread) ** 2 / np.trace(spread @ spread)
    assert clusters.freedom(np.array(sizes)) == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("codes", [None, np.repeat(np.arange(5), [1, 2, 3, 4, 2])])
def test_pseudovalues_equal_those_of_leaving_out_one_by_one(codes):
    chance = np.random.default_rng(6)
    tokens = chance.integers(3, 30, 12).astype(float)
    base, tuned = (np.stack([tokens * chance.gamma(9, 0.2, 12), tokens], axis=1) for _ in range(2))
    labels = np.arange(12) if codes is None else codes
    whole, units = NATS.of(tuned) - NATS.of(base), np.unique(labels)
    without = np.array([NATS.of(tuned[labels != u]) - NATS.of(base[labels != u]) for u in units])
    expected = len(units) * whole - (len(units) - 1) * without
    found = clusters.pseudovalues(NATS, base, tuned, codes)
    assert found - found.mean() == pytest.approx(expected - expected.mean(), rel=1e-9, abs=1e-9)
    assert found.mean() == pytest.approx(whole, rel=1e-12)


def test_one_cluster_has_no_spread_and_single_items_are_no_clusters():
    assert clusters.coded(("a", "b", "c")) is None
    assert clusters.coded(()) is None
    codes = clusters.coded(("a", "a", "a"))
    for measure, values in ((NUMBER, np.arange(3.0)), (NATS, np.ones((3, 2)))):
        with pytest.raises(DataError, match="all 3 items in one cluster: needs two clusters"):
            clusters.pseudovalues(measure, values, values, codes)


@pytest.mark.parametrize("sizes", [[8] * 5, [1, 2, 4, 8, 16], [2] * 25 + [40] * 2])
def test_of_two_systems_alike_few_are_called_different(sizes):
    """2,000 worlds whose clusters share half of the variance; at most 6 %, and what the drawing adds."""
    chance, worlds, codes = np.random.default_rng(len(sizes)), 2000, np.repeat(np.arange(len(sizes)), sizes)
    df, wrong = clusters.freedom(np.array(sizes)), 0
    for _ in range(worlds):
        d = chance.normal(size=len(sizes))[codes] + chance.normal(size=len(codes))
        units = clusters.pseudovalues(NUMBER, 0 * d, d, codes)
        wrong += Chance.of(clusters.cluster_error(units, np.array(sizes)), df).p(d.mean()) < 0.05
    assert wrong / worlds < 0.06 + 2 * (0.06 * 0.94 / worlds) ** 0.5
