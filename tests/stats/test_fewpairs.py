"""Oracles: scipy's multinomial, Tango's statistic written for one table, and sums over all that can be seen."""

import numpy as np
import pytest
from scipy.special import ndtri
from scipy.stats import multinomial

from seqwise.stats import fewpairs
from seqwise.stats.margins import no_worse_share
from seqwise.stats.proportions import paired_above, paired_interval, tango, tango_statistic


def tables(n):
    return [(gained, lost) for gained in range(n + 1) for lost in range(n + 1 - gained)]


def chances(n, changed, difference):
    """Of every table, if the shares are these."""
    shares = [(changed + difference) / 2, (changed - difference) / 2, 1 - changed]
    return np.array([multinomial.pmf([b, c, n - b - c], n, shares) for b, c in tables(n)])


@pytest.mark.parametrize("difference", [-0.1, -0.03, 0.0, 0.05])
@pytest.mark.parametrize(("gained", "lost"), [(0, 0), (3, 1), (0, 2), (5, 7)])
def test_p_is_the_chance_of_tangos_statistic_at_the_likeliest_shares(gained, lost, difference):
    """The likeliest share lost by trying out, the chances by scipy."""
    n = 12
    tried = np.linspace(max(0.0, -difference), (1 - difference) / 2, 200_001)
    counts = np.array([gained, lost, n - gained - lost])
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = np.stack([tried + difference, tried, 1 - 2 * tried - difference])
        logs = np.where(counts[:, None] > 0, counts[:, None] * np.log(np.maximum(shares, 0)), 0).sum(0)
    share = tried[np.argmax(logs)]
    ways = np.maximum(0, [share + difference, share, 1 - 2 * share - difference])
    ways /= ways.sum()
    every = multinomial.pmf([[b, c, n - b - c] for b, c in tables(n)], n, ways)
    statistics = np.array([tango_statistic(b, c, n, difference) for b, c in tables(n)])
    expected = every[statistics >= tango_statistic(gained, lost, n, difference) - 1e-9].sum()
    assert fewpairs.above(gained, lost, n, difference) == pytest.approx(expected, abs=2e-4)


def test_a_loss_of_the_margin_is_ruled_out_in_no_more_worlds_than_is_said():
    """30 pairs, 18 % of which change, a loss of 3 points: Tango's test by the normal distribution errs in 6.01 %."""
    n, margin = 30, 0.03
    seen = chances(n, 0.18, -margin)
    normal = np.array([tango_statistic(b, c, n, -margin) > ndtri(0.95) for b, c in tables(n)])
    assert seen @ normal == pytest.approx(0.0601, abs=1e-4)
    ruled_out = np.array([no_worse_share(b, c, n, margin).rejected for b, c in tables(n)])
    assert seen @ ruled_out == pytest.approx(0.0442, abs=1e-3)


def test_the_interval_covers_what_it_says_of_few_pairs():
    """30 pairs, 10 % of which change, three in four of them for the better: the normal distribution covers 98.4 %."""
    n, truth = 30, 0.05
    seen, likely = chances(n, 0.1, truth), [place for place, p in enumerate(chances(n, 0.1, truth)) if p > 1e-7]
    held = {"few": 0.0, "normal": 0.0}
    for place in likely:
        gained, lost = tables(n)[place]
        held["few"] += seen[place] * (truth in paired_interval(gained, lost, n))
        held["normal"] += seen[place] * (truth in tango(gained, lost, n))
    assert held["normal"] == pytest.approx(0.984, abs=1e-3)
    assert held["few"] == pytest.approx(0.969, abs=1e-3)


def test_gains_and_losses_mirror_each_other():
    there, back = paired_interval(6, 2, 40), paired_interval(2, 6, 40)
    assert (-there.high, -there.low) == pytest.approx((back.low, back.high), abs=1e-12)
    assert there.low < 0.1 < there.high


def test_of_all_and_none_too_there_are_ends():
    assert paired_interval(20, 0, 20).high == pytest.approx(1)
    none = paired_interval(0, 0, 20)
    assert none.low == pytest.approx(-none.high)
    assert 0.1 < none.high < 0.25
    assert paired_above(0, 0, 20, -1.0) < 1e-9


def test_of_more_pairs_the_normal_distribution_does():
    n = fewpairs.FEW + 1
    assert paired_interval(8, 3, n) == tango(8, 3, n)
    few, more = paired_interval(8, 3, fewpairs.FEW), tango(8, 3, fewpairs.FEW)
    assert (few.low, few.high) == pytest.approx((more.low, more.high), abs=0.02)
