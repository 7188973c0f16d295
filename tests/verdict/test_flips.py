"""Oracles: Connor's formula where items stand alone, worlds of documents drawn."""

import numpy as np
import pytest
from scipy.special import ndtr, ndtri, stdtr

from seqwise.stats import power
from seqwise.stats.proportions import mcnemar, paired_above, paired_interval, tango_statistic
from seqwise.verdict.aligned import aligned
from seqwise.verdict.clusters import cluster_error, freedom
from seqwise.verdict.effects import weighed
from seqwise.verdict.flips import Flips
from seqwise.verdict.generalization import no_worse
from seqwise.verdict.scored import Measure, Scored
from seqwise.verdict.seeds import Chance
from seqwise.verdict.shortage import harmless, items

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
    """Five documents of ten whose flips are spread more evenly than chance has it: the interval is that of 50 items,
    and p lies between theirs and what it would be if they were held to t(4) as well, 2 P(t(4) > 3) = 0.04."""
    data = documents([3, 4, 2, 3, 2], [0, 1, 0, 1, 0])
    found = Flips.of(data, Chance.of(cluster_error(data.tables()[0][0], data.sizes), freedom(data.sizes)))
    assert found.effect < 0.2
    within, alone = found.interval(), paired_interval(14, 2, 50).hundredfold
    assert (within.low, within.high) == pytest.approx((alone.low, alone.high), rel=1e-6)
    z = tango_statistic(14, 2, 50, 0.0)
    assert z == pytest.approx(3)
    assert 2 * ndtr(-z) <= found.p() < stdtr(4, -z)
    assert found.above(12.0) >= paired_above(14, 2, 50, 0.12)
    assert found.detectable() > 100 * power.pairs_effect(50, 16 / 50) - 1
    assert found.detectable() >= 100 * power.flips_effect(50, 16 / 50)
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
    assert found.p() > 2 * ndtr(-tango_statistic(15, 1, 50, 0.0))
    assert found.p() > found.single.p()
    within, alone = found.interval(), found.single.interval()
    assert within.low < alone.low
    assert within.high > alone.high
    assert found.detectable() > found.single.detectable()


@pytest.mark.parametrize("gained", [[1, 1, 1, 1, 0], [4, 4, 0, 0, 0] * 6])
def test_by_documents_nothing_is_told_that_the_same_items_alone_would_not_tell(gained):
    """Four items gained in as many of five documents: by Tango's statistic and t(4) p is 0.04, by the normal
    distribution, of single items, 0.0455, and McNemar's mid-p 0.0625. So too of documents whose items are alike."""
    data = documents(gained, [0] * len(gained), 6)
    n, seen = 6 * len(gained), sum(gained)
    asked, alone = weighed(data), paired_interval(seen, 0, n).hundredfold
    assert asked.test.p >= mcnemar(seen, 0)
    assert asked.interval.low <= alone.low
    assert asked.interval.high >= alone.high
    for difference in (-12.0, -5.0, 0.0, 3.0):
        assert asked.flips.above(difference) >= paired_above(seen, 0, n, difference / 100)
    assert items(asked, 20.0) >= power.flips_items(max(0.2, seen / n), 0.2)
    if n <= 50:
        assert not asked.shown
        assert asked.test.detectable is None
        assert no_worse(asked, 5.0).detectable.value >= 100 * (1 - 0.05 ** (1 / n))


def test_hardly_alike_documents_with_few_flips_are_not_surer_than_their_items_either():
    """A hundred documents of two, four gained in as many: their error is a little above that of the items."""
    found = Flips(4 / 1.02, 0.0, 200 / 1.02, 99.0, 1.02, 0.1)
    assert found.by_clusters < 0.055
    assert found.p() == mcnemar(4, 0) == 0.0625


@pytest.mark.parametrize(("n", "margin", "wanted"), [(45, 6.0, 49), (40, 5.0, 52), (30, 5.5, 51), (43, 10.0, 29)])
def test_items_without_a_flip_that_rule_a_margin_out(n, margin, wanted):
    """(1 - margin)^n falls below 5 %, of up to 50 items; Tango's statistic above 1.645, of more."""
    ids, right = tuple(map(str, range(n))), Measure("accuracy", "right")
    asked = weighed(aligned(*(Scored(name, "test", right, ids, np.ones(n, bool)) for name in ("base", "tuned"))))
    sds = ndtri(0.95) + ndtri(0.8)
    by_spread = (sds * 100 * n**-0.5 / margin) ** 2  # one flip, which was not seen, has such an sd
    assert paired_above(0, 0, wanted, -margin / 100) < 0.05 <= paired_above(0, 0, wanted - 1, -margin / 100)
    assert harmless(asked, margin) == max(wanted, np.ceil(by_spread))
