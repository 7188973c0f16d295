"""Oracles: Connor's formula where items stand alone, worlds of documents drawn."""

import numpy as np
import pytest

from seqwise.stats import power
from seqwise.verdict.aligned import aligned
from seqwise.verdict.clusters import cluster_error, freedom
from seqwise.verdict.flips import Flips
from seqwise.verdict.scored import Measure, Scored
from seqwise.verdict.seeds import Chance

SIZES = np.resize([4, 6, 10, 12, 18], 30)
DOCUMENTS = np.repeat(np.arange(len(SIZES)), SIZES)


def world(chance, gained, lost, alike=0.3):
    """An item goes its document's way with a chance of the root of their correlation."""
    ways = (gained, lost, 1 - gained - lost)
    own, common = chance.choice(3, len(DOCUMENTS), p=ways), chance.choice(3, len(SIZES), p=ways)[DOCUMENTS]
    way = np.where(chance.random(len(DOCUMENTS)) < alike**0.5, common, own)
    ids, right = tuple(map(str, range(len(way)))), Measure("accuracy", "right")
    labels = tuple(map(str, DOCUMENTS))
    base, tuned = (
        Scored(name, "test", right, ids, way != k, clusters=labels) for k, name in enumerate(("base", "tuned"))
    )
    data = aligned(base, tuned)
    return Flips.of(data, Chance.of(cluster_error(data.tables()[0][0], data.sizes), freedom(data.sizes)))


@pytest.mark.parametrize("changed", [0.05, 0.3])
def test_of_many_items_that_stand_alone_the_smallest_effect_is_connors(changed):
    n = 100_000
    found = Flips(changed * n / 2, changed * n / 2, n, 1e6, 1.0, n**-0.5)
    assert found.detectable() == pytest.approx(100 * power.pairs_effect(n, changed), rel=2e-3)
    assert found.turned.detectable() == pytest.approx(found.detectable(), rel=1e-12)


def test_what_is_detectable_is_found_four_times_in_five():
    """30 documents of 4 to 18 items, a fifth of which change; the noncentral t alone, at 15.0, is found in 84 %."""
    chance = np.random.default_rng(4)
    told = [world(chance, 0.1733, 0.0267).detectable() for _ in range(100)]
    least = np.sqrt(np.mean(np.square(told)))
    assert least == pytest.approx(14.7, abs=0.8)
    gained = (0.2 + least / 100) / 2
    hits = np.array([world(chance, gained, 0.2 - gained).p() < 0.05 for _ in range(1200)])
    assert hits.mean() == pytest.approx(0.81, abs=0.04)


def test_a_handful_of_documents_finds_nothing_and_says_so():
    found = Flips(3.0, 1.0, 12.0, 4.0, 3.0, 0.4)
    assert found.detectable() == np.inf
