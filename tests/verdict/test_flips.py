"""Oracles: Connor's formula where items stand alone, worlds of documents drawn."""

import numpy as np
import pytest
from scipy.special import ndtr, ndtri, stdtr

from seqwise.stats import power
from seqwise.stats.proportions import tango, tango_statistic
from seqwise.verdict.aligned import aligned
from seqwise.verdict.clusters import cluster_error, freedom
from seqwise.verdict.effects import weighed
from seqwise.verdict.flips import Flips
from seqwise.verdict.generalization import no_worse
from seqwise.verdict.scored import Measure, Scored
from seqwise.verdict.seeds import Chance
from seqwise.verdict.shortage import harmless

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


def documents(gained, lost, size=10):
    """So many items of each document go either way, the rest not at all."""
    ids = tuple(map(str, range(size * len(gained))))
    labels = tuple(str(place // size) for place in range(len(ids)))
    base, tuned = np.zeros(len(ids), bool), np.zeros(len(ids), bool)
    for place, (up, down) in enumerate(zip(gained, lost, strict=True)):
        tuned[place * size : place * size + up] = True
        base[place * size + up : place * size + up + down] = True
    right = Measure("accuracy", "right")
    return aligned(*(Scored(name, "test", right, ids, one, clusters=labels)
                     for name, one in (("base", base), ("tuned", tuned))))  # fmt: skip


def test_documents_that_differ_less_than_chance_has_it_are_not_surer_than_their_items():
    """Five documents of ten whose flips are spread more evenly than chance has it: the interval is that of Tango's for
    50 items, and p lies between theirs and what it would be if they were held to t(4) as well, 2 P(t(4) > 3) = 0.04."""
    data = documents([3, 4, 2, 3, 2], [0, 1, 0, 1, 0])
    found = Flips.of(data, Chance.of(cluster_error(data.tables()[0][0], data.sizes), freedom(data.sizes)))
    assert found.effect < 0.2
    within, alone = found.interval(), tango(14, 2, 50).hundredfold
    assert (within.low, within.high) == pytest.approx((alone.low, alone.high), rel=1e-6)
    z = tango_statistic(14, 2, 50, 0.0)
    assert z == pytest.approx(3)
    assert 2 * ndtr(-z) <= found.p() < stdtr(4, -z)
    assert found.above(12.0) >= ndtr(-tango_statistic(14, 2, 50, 0.12))
    assert found.detectable() > 100 * power.pairs_effect(50, 16 / 50) - 1
    assert found.times(4).single.n == pytest.approx(200)

    asked = weighed(data)
    assert "p is the larger of theirs and the items'" in " ".join(asked.test.notes)
    sds = ndtri(0.95) + ndtri(0.8)
    assert no_worse(asked, 12.0).detectable.value >= sds * 100 * 4 / 50 - 1e-9
    assert harmless(asked, 12.0) >= 50 * (sds * 100 * 4 / 50 / 12) ** 2


def test_documents_that_are_alike_are_weighed_by_themselves():
    """Where their items are alike, those of single items never decide."""
    data = documents([6, 0, 5, 0, 4], [0, 1, 0, 0, 0])
    found = Flips.of(data, Chance.of(cluster_error(data.tables()[0][0], data.sizes), freedom(data.sizes)))
    assert found.effect > 2
    assert found.single is None
    assert found.p() > 2 * ndtr(-tango_statistic(15, 1, 50, 0.0))
