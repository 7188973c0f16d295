"""Losses of the same items at all looks: against scipy, and worlds in which the truth is known."""

import numpy as np
import pytest
from scipy import stats

from seqwise.errors import DataError
from seqwise.verdict import rise
from seqwise.verdict.overfitting import overfitting
from seqwise.verdict.trend import Look, trend
from seqwise.verdict.turning import Curves, by_curves, turned, weighted


def world(chance, theta, items=100, step=0.1):
    """Losses that differ much from item to item, and walk by chance around the expected curve."""
    walks = np.cumsum(step * chance.standard_normal((len(theta), items)), 0)
    return list(chance.gamma(0.5, 0.8, items) + walks + np.asarray(theta)[:, None])


def trend_of(losses, every=10, **told):
    steps = [every * (i + 1) for i in range(len(losses))]
    looks = [Look(step, float(one.mean()), None) for step, one in zip(steps, losses, strict=True)]
    return trend(looks, "full", valid=dict(zip(steps, losses, strict=True)), **told)


def test_of_two_looks_it_is_the_paired_t_test():
    before, after = world(np.random.default_rng(1), [0.4, 0.5])
    found = by_curves(Curves([before, after]), [10, 20])
    oracle = stats.ttest_rel(after, before)
    interval = oracle.confidence_interval()
    assert found.statistic == pytest.approx(oracle.statistic)
    assert found.p == pytest.approx(2 * stats.t.sf(oracle.statistic, 99), rel=0.2)  # drawn
    assert (found.effect.interval.low, found.effect.interval.high) == pytest.approx((interval.low, interval.high))


def test_the_largest_t_is_as_rare_as_a_multivariate_t_makes_it():
    losses = world(np.random.default_rng(2), [0.5, 0.4, 0.4, 0.45, 0.43], 40)
    found = Curves(losses).above(4)
    shape = np.corrcoef([losses[4] - one for one in losses[:4]])
    oracle = stats.multivariate_t(shape=shape, df=39)
    assert oracle.cdf(np.full(4, found.critical), random_state=1) == pytest.approx(0.975, abs=0.003)
    assert 1 - oracle.cdf(np.full(4, found.statistic), random_state=1) == pytest.approx(found.tail, abs=0.01)
    assert stats.t.ppf(0.975, 39) < found.critical < stats.t.ppf(1 - 0.025 / 4, 39)


def test_where_nothing_rises_hardly_any_run_is_said_to_have_turned():
    chance = np.random.default_rng(3)
    found = [Curves(world(chance, np.full(8, 0.4))).above(7) for _ in range(80)]
    assert sum(one.rejected for one in found) <= 6  # 2.5 % expected
    assert all(one.rejected == (one.tail < 0.025) for one in found if abs(one.tail - 0.025) > 0.001)


def test_the_interval_holds_the_true_rise_over_the_best_look():
    chance, theta = np.random.default_rng(4), [0.7, 0.5, 0.4, 0.41, 0.44, 0.5]
    found = [Curves(world(chance, theta)).above(5).interval for _ in range(60)]
    assert sum(one.low <= 0.1 <= one.high for one in found) >= 54


def test_a_turn_is_found_behind_the_lowest_look():
    theta = [0.7, 0.5, 0.4, 0.4, 0.5, 0.6, 0.7, 0.8]
    losses = world(np.random.default_rng(5), theta, 400)
    assert turned(Curves(losses)) in (4, 5)
    found = trend_of(losses, kept=30, whole=1000, seconds=80.0)
    assert found.by == "items"
    assert found.items == 400
    assert found.turned in (50, 60)
    answer = overfitting([found], price_per_hour=36.0, currency="EUR")
    assert answer.answer == "yes"
    assert answer.test.n == {"validation items": 400, "looks": 8}
    low, high = answer.test.effect.interval.low, answer.test.effect.interval.high
    assert low > 0.2
    assert low < 0.4 < high
    spared = 80 - found.best
    assert f"{spared} steps" in answer.told
    assert f"{spared} s, {spared / 100:g}" in answer.told
    assert "EUR" in answer.told
    assert f"from step {found.turned} on" in answer.told
    assert answer.values["money spared"] == pytest.approx(spared / 100)
    assert "400 of the 1,000 validation items" in " ".join(answer.notes)
    assert "jitter" not in " ".join((answer.told, *answer.notes))


def test_a_run_that_is_best_at_its_end_does_not_overfit_whatever_the_jitter_of_its_looks():
    losses = world(np.random.default_rng(6), [0.9, 0.8, 0.75, 0.72, 0.705, 0.7], 400, 0.02)
    found = trend_of(losses)
    assert found.best == 60
    assert found.turned is None
    answer = overfitting([found])
    assert answer.answer == "no"
    assert "losses of 400 items" in answer.told
    assert answer.test.effect.value < 0


def test_weights_that_are_a_mean_of_looks_are_told_as_such():
    found = trend_of(world(np.random.default_rng(7), [0.4, 0.7, 1.0], 200), averaged=True)
    assert "mean of those of the last looks" in overfitting([found]).told


def test_a_mean_over_targets_has_the_spread_that_drawing_items_gives_it():
    """Against the jackknife of the ratio."""
    chance = np.random.default_rng(8)
    targets = chance.integers(1, 40, 300).astype(float)
    nats = targets * chance.gamma(3.0, 0.3, 300)
    found = weighted(nats, targets)
    assert found.mean() == pytest.approx(nats.sum() / targets.sum())
    without = (nats.sum() - nats) / (targets.sum() - targets)
    jackknife = np.sqrt(299 / 300 * np.square(without - without.mean()).sum())
    assert found.std(ddof=1) / np.sqrt(300) == pytest.approx(jackknife, rel=0.03)
    assert weighted(nats, np.ones(300)) == pytest.approx(nats)
    rows = weighted(np.stack([nats, nats**2]), targets)
    assert rows[0] == pytest.approx(found)


def test_a_look_without_losses_of_items_leaves_the_first_and_the_last():
    losses = world(np.random.default_rng(9), [0.9, 0.4, 0.5, 0.6], 100)
    looks = [Look(10 * (i + 1), float(one.mean()), None) for i, one in enumerate(losses)]
    found = trend(looks, "full", valid={20: losses[1], 40: losses[3]})
    assert found.by == "items"
    assert found.rise.n == {"pairs": 100}


def test_looks_that_are_the_same_have_no_rise():
    same = np.random.default_rng(10).gamma(1.0, 1.0, 50)
    assert Curves([same, same, same]).above(2) is None
    assert trend_of([same, same, same]).rise is None


def test_weights_that_stand_still_at_the_end_are_one_look_and_no_rise_is_below_0():
    """A learning rate of 0: the looks from the third on are the same to the last bit, and lowest of all."""
    losses = world(np.random.default_rng(11), [0.9, 0.6, 0.4], 100)
    found = trend_of([*losses, losses[-1], losses[-1]])
    assert (found.best, found.turned) == (50, None)
    assert found.rise.effect.value == pytest.approx(losses[2].mean() - losses[1].mean())
    told = overfitting([found])
    assert told.answer == "no"
    assert "lowest at the end" in told.told
    assert f"{-found.rise.effect.value:.2g}"[:4] in told.told
    assert "-0." not in told.told.split("(")[0]
    risen = trend_of([losses[2], losses[0], losses[0]])
    assert (risen.best, risen.turned) == (10, 20)


def test_the_lowest_look_and_all_that_is_told_of_it_are_those_of_the_items_that_are_compared():
    """All 1,000 items had their lowest look at step 40, the 200 that are kept at step 30."""
    losses = world(np.random.default_rng(12), [0.9, 0.6, 0.3, 0.5, 0.8], 200)
    steps, means = [10, 20, 30, 40, 50], [0.9, 0.6, 0.5, 0.4, 0.7]
    looks = [Look(step, mean, None) for step, mean in zip(steps, means, strict=True)]
    found = trend(looks, "full", valid=dict(zip(steps, losses, strict=True)), whole=1000)
    answer = overfitting([found])
    assert found.best == 30
    assert answer.values["lowest validation loss"] == pytest.approx(losses[2].mean())
    rise = answer.values["validation loss at the end"] - answer.values["lowest validation loss"]
    assert rise == pytest.approx(answer.test.effect.value)
    assert "the loss of 200 validation items" in answer.told
    row = dict(zip(answer.grids[0].columns, answer.grids[0].rows[0], strict=True))
    assert row["end"] - row["lowest"] == pytest.approx(rise)


def test_of_very_many_looks_some_are_compared_with_the_best_of_all(monkeypatch):
    losses = world(np.random.default_rng(13), [*np.linspace(0.9, 0.4, 40), *np.linspace(0.42, 0.9, 40)], 60)
    whole = trend_of(losses)
    monkeypatch.setattr(rise, "LOOKS", 16)
    some = trend_of(losses)
    assert (some.best, len(some.looks)) == (whole.best, 80)
    assert some.rise.n == {"validation items": 60, "looks": 16}
    assert some.rise.effect.value == pytest.approx(whole.rise.effect.value)
    assert some.rise.effect.interval.low < some.rise.effect.value
    assert abs(some.turned - whole.turned) <= 60
    assert "16 of 80 looks" in " ".join(some.rise.notes)
    free, paid = (Curves(losses[::5], of).above(15) for of in (1, 5))
    assert free.critical < paid.critical
    assert paid.tail <= 5 * free.tail


@pytest.mark.parametrize(
    "losses", [[np.ones(3), np.ones(4)], [np.ones(1), np.ones(1)], [np.ones(3), np.full(3, np.nan)]]
)
def test_losses_that_do_not_fit_together_are_refused_in_one_line(losses):
    with pytest.raises(DataError, match="validation losses") as caught:
        Curves(losses)
    assert "\n" not in str(caught.value)
