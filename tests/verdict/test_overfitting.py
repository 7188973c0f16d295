"""overfitting: against scipy, worked numbers, and worlds in which the truth is known."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.power import TTestPower

from seqwise.errors import ConfigError, DataError
from seqwise.verdict import overfitting as overfitting_module
from seqwise.verdict import rise as rise_module
from seqwise.verdict.overfitting import overfitting
from seqwise.verdict.rise import by_items, by_looks, detected, folds, jitter, spread
from seqwise.verdict.trend import Look, trend


def looks_of(valid, train=None, every=10):
    train = [None] * len(valid) if train is None else train
    return [Look(every * (i + 1), float(v), t) for i, (v, t) in enumerate(zip(valid, train, strict=True))]


def curve(count=12, best=5, rise=0.02, sd=0.002, seed=0):
    """Falls to its lowest look, then rises so much a look."""
    steps = np.arange(count)
    middle = np.where(steps <= best, 0.4 + 0.05 * np.abs(steps - best) ** 1.2, 0.4 + rise * (steps - best))
    return middle + sd * np.random.default_rng(seed).standard_normal(count)


def falling(count=12, sd=0.002, seed=1):
    """Comes down to its end."""
    return 0.4 + 0.5 * np.exp(-np.arange(count) / 3) + sd * np.random.default_rng(seed).standard_normal(count)


def test_the_gap_of_the_reference_comes_out_to_the_last_digit():
    """V10 of the reference: Welch on losses of different items."""
    train, valid = [0.31, 0.28, 0.35, 0.30, 0.26, 0.33, 0.29, 0.32], [0.41, 0.55, 0.38, 0.62, 0.47, 0.40]
    found = trend([Look(10, 0.5, 0.3), Look(20, 0.47, 0.3)], "full", valid={20: np.array(valid)}, train=np.array(train))
    assert found.gap is not None
    assert (found.gap.low, found.gap.high) == pytest.approx((0.066863493, 0.266469841), abs=5e-10)
    oracle = stats.ttest_ind(valid, train, equal_var=False).confidence_interval()
    assert (found.gap.low, found.gap.high) == pytest.approx((oracle.low, oracle.high), rel=1e-9)


def test_losses_item_by_item_are_tested_in_pairs_and_widened_for_the_looks_picked_from():
    chance = np.random.default_rng(1)
    before = chance.gamma(2.0, 0.2, 80)
    after = before + chance.normal(0.1, 0.2, 80)
    once, picked = by_items(after, before, (30, 80)), by_items(after, before, (30, 80), picked=7)
    assert once is not None
    assert picked is not None
    oracle = stats.ttest_rel(after, before)
    assert once.statistic == pytest.approx(oracle.statistic)
    assert once.p == pytest.approx(oracle.pvalue)
    assert picked.p == pytest.approx(min(1.0, 7 * oracle.pvalue))
    wide, narrow = oracle.confidence_interval(1 - 0.05 / 7), oracle.confidence_interval()
    assert picked.effect.interval is not None
    assert (picked.effect.interval.low, picked.effect.interval.high) == pytest.approx((wide.low, narrow.high))
    assert picked.detectable.value > once.detectable.value


def test_the_jitter_of_evenly_spaced_looks_is_that_of_second_differences():
    y = np.random.default_rng(2).standard_normal(13)
    sd, df = jitter(np.arange(13.0), y)
    assert sd == pytest.approx(np.sqrt((np.diff(y[4:], 2) ** 2).mean() / 6))  # without the first third
    assert df == pytest.approx(49 / (7 + 2 * 6 * 4 / 9 + 2 * 5 / 36))  # neighbours correlate by -2/3 and 1/6


def test_a_rise_as_large_as_can_be_detected_is_found_four_times_in_five():
    """Against statsmodels, and drawn."""
    shift = TTestPower().solve_power(nobs=10, alpha=0.05, power=0.8, alternative="larger") * np.sqrt(10)
    assert detected(float(stats.t.ppf(0.95, 9)), 9) == pytest.approx(shift, rel=1e-3)
    chance = np.random.default_rng(6)
    for df, critical in ((1.862, 14.55), (2.3, 3.81)):
        spread = np.sqrt(chance.chisquare(df, 100_000) / df)
        t = (chance.standard_normal(100_000) + detected(critical, df)) / spread
        assert (t > critical).mean() == pytest.approx(0.8, abs=0.006)


def test_a_straight_line_has_no_jitter_however_the_looks_are_spaced():
    steps = np.array([1.0, 2.0, 5.0, 9.0, 30.0])
    assert jitter(steps, 3 * steps - 7)[0] == pytest.approx(0.0, abs=1e-12)


def test_a_rise_is_found_where_it_is_and_what_stopping_had_spared_is_told():
    found = trend(looks_of(curve()), "full", 1, seconds=240.0, kept=60)
    assert found.best == 60
    assert found.turned is not None
    assert 60 < found.turned <= 100
    assert found.saved == pytest.approx(0.5)
    assert found.spared == pytest.approx(120.0)
    answer = overfitting([found])
    assert answer.answer == "yes"
    assert "at step 60" in answer.told
    assert "50 % of the steps (120 s)" in answer.told
    assert "from before it turned" in answer.told
    assert answer.test is not None
    assert answer.test.rejected
    assert "jitter" in " ".join(answer.notes)


def test_a_run_that_falls_to_its_end_does_not_overfit():
    values = falling()
    assert values.argmin() == 11
    found = trend(looks_of(values), "lora")
    assert found.turned is None
    assert found.best == 120
    answer = overfitting([found])
    assert answer.answer == "no"
    assert "lowest at the end" in answer.told


def test_a_rise_within_the_margin_is_no_answer_yes_however_sure_it_is():
    chance = np.random.default_rng(3)
    before = chance.gamma(2.0, 0.2, 5000)
    after = before + 0.004 + 0.02 * chance.standard_normal(5000)
    looks = [Look(10, 0.5, None), Look(20, float(before.mean()), None), Look(30, float(after.mean()), None)]
    found = trend(looks, "full", valid={20: before, 30: after})
    assert found.by == "items"
    assert found.turned == 30
    assert overfitting([found]).answer == "no"
    assert overfitting([found], margin=0.001).answer == "yes"


def test_three_looks_are_too_few_unless_there_are_losses_of_the_items():
    looks = looks_of([0.6, 0.4, 0.5])
    assert overfitting([trend(looks, "full")]).state == "TOO FEW"
    items = {20: np.full(40, 0.4) + np.linspace(0, 0.3, 40), 30: np.full(40, 0.5) + np.linspace(0, 0.3, 40) ** 2}
    assert overfitting([trend(looks, "full", valid=items)]).state == "MEASURED"
    assert overfitting([]).state == "NOT RUN"


def test_noisy_looks_cannot_tell_and_say_what_would():
    found = overfitting([trend(looks_of(curve(rise=0.0, sd=0.05, seed=4)), "full")])
    assert found.answer == "cannot tell"
    assert found.needed
    chance = np.random.default_rng(5)
    before = chance.gamma(2.0, 0.2, 30)
    moved = chance.normal(0.0, 0.2, 30)
    after = before + moved - moved.mean() + 0.03
    looks = looks_of([0.9, before.mean(), before.mean() + 0.01, after.mean()])
    by = overfitting([trend(looks, "full", valid={20: before, 40: after})])
    assert by.answer == "cannot tell"
    assert "validation items would tell" in by.needed


def test_of_several_runs_most_decide():
    turned, flat = trend(looks_of(curve()), "full", 1), trend(looks_of(falling()), "full", 2)
    assert overfitting([turned, turned, flat]).answer == "yes"
    told = overfitting([turned, turned, flat]).told
    assert "in 2 of 3 runs" in told
    assert f"in the middle one of 3 runs, that of seed {turned.seed}, at the end" in told
    assert "middle" not in overfitting([turned]).told
    assert f"in the worse of 2 runs, that of seed {turned.seed}, at the end" in overfitting([flat, turned]).told
    assert overfitting([turned, flat, flat]).answer == "cannot tell"
    assert overfitting([flat, flat]).answer == "no"
    assert len(overfitting([turned, flat]).grids[0].rows) == 2


def test_of_two_looks_at_one_step_the_first_counts():
    """The second is at the average of the last weights."""
    found = trend([*looks_of([0.6, 0.5, 0.4]), Look(30, 0.2, None)], "full")
    assert [look.valid for look in found.looks] == [0.6, 0.5, 0.4]


@pytest.mark.parametrize("count", [6, 20])
def test_where_nothing_rises_hardly_any_run_is_said_to_have_turned(count):
    """A plateau, and a falling curve: picking the lowest look is allowed for."""
    chance, steps = np.random.default_rng(count), np.arange(1.0, count + 1)
    wrong = 0
    for world in range(200):
        middle = 0.4 + (world % 2) * 0.5 * np.exp(-steps / 3)
        found = by_looks(steps, middle + 0.01 * chance.standard_normal(count))
        assert found is not None
        assert found.rejected == (found.effect.interval.low > 0)
        wrong += found.rejected
    assert wrong <= 10  # 2.5 % expected where the curve is flat, less where it falls


def test_a_rise_as_large_as_looks_can_detect_is_found_four_times_in_five():
    """A rise that bends the curve nowhere, so that the jitter seen stays the same."""
    chance, steps = np.random.default_rng(7), np.arange(1.0, 13.0)
    rows = chance.standard_normal((3000, 12))
    test, sd = by_looks(steps, rows[0]), jitter(steps, rows[0])[0]
    reach, shift = (test.effect.value - test.effect.interval.low) / sd, test.detectable.value / sd
    sds = np.sqrt((np.diff(rows[:, 4:], 2) ** 2).mean(1) / 6)
    found = (rows[:, -1] + shift - rows[:, :-1].min(1)) / sds > reach
    assert found.mean() == pytest.approx(0.8, abs=0.025)


@pytest.mark.parametrize(("rise", "answer"), [(0.02, "yes"), (0.002, "no")])
def test_of_densities_whose_loss_is_below_0_the_margin_is_one_of_nats(rise, answer):
    """Rises of 0.12 and 0.012, where errors that are 5 % larger would add log 1.05."""
    assert pytest.approx(np.log(1.05), abs=0.002) == overfitting_module.NATS
    found = overfitting([trend(looks_of(curve(rise=rise) - 2.0), "full", kind="densities")])
    assert found.margin == 0.05
    assert found.answer == answer, found.told


def test_forecasters_are_not_asked_for_losses_of_items_which_they_do_not_have():
    few = overfitting([trend(looks_of([0.6, 0.4, 0.5]), "full", kind="forecasts")])
    noisy = overfitting([trend(looks_of(curve(rise=0.0, sd=0.05, seed=4)), "full", kind="forecasts")])
    assert (few.state, noisy.answer) == ("TOO FEW", "cannot tell")
    for told in (few.told, noisy.needed, " ".join(noisy.notes)):
        assert "item" not in told
    assert "look more often" in few.told
    assert "Looking more often" in noisy.needed


def test_of_very_many_looks_some_are_compared_and_the_choice_from_all_is_paid_for(monkeypatch):
    steps, values = np.arange(1.0, 61.0), curve(60, 30, 0.001, 0.01, 3)
    whole = by_looks(steps, values)
    monkeypatch.setattr(rise_module, "LOOKS", 20)
    places = spread(60, 31)
    assert len(places) == 20
    assert {0, 31, 59} <= set(places)
    assert (folds(20), folds(60), folds(61)) == (1, 3, 4)
    some = by_looks(steps[places], values[places], 3)
    free = by_looks(steps[places], values[places])
    assert some.effect.interval.low < free.effect.interval.low
    assert some.p == pytest.approx(min(1.0, 3 * free.p))
    assert whole.n == {"looks": 60}
    assert len(trend(looks_of(values), "full").looks) == 60
    assert trend(looks_of(values), "full").rise.n["looks"] in (19, 20)


def test_what_cannot_be_told_is_refused_in_one_line():
    with pytest.raises(DataError, match="not finite"):
        trend([Look(1, float("nan"), None)], "full")
    with pytest.raises(DataError, match="no looks"):
        trend([], "full")
    good = trend(looks_of(curve()), "full")
    with pytest.raises(ConfigError, match="margin"):
        overfitting([good], margin=-1.0)
    with pytest.raises(DataError, match="one system"):
        overfitting([good, trend(looks_of(curve()), "lora")])
