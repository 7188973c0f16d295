"""cost: sums by hand, ratios against scipy, and no cell silently empty."""

import numpy as np
import pytest
from scipy import stats

from seqwise.errors import ConfigError, DataError
from seqwise.verdict.cost import ABSENT, Cost, costs, ratio

FULL = Cost("full", 1, 120.0, 230.0, 1.2e9, 22_700_000, foreseen_seconds=132.0, foreseen_memory=1.08e9, examples=300)
LORA = Cost("lora", 1, 60.0, 118.0, 0.9e9, 297_000, foreseen_seconds=None, foreseen_memory=0.9e9, examples=300)


def grid(found, title):
    return next(one for one in found.grids if one.title.startswith(title))


def test_money_is_hours_times_the_price_of_the_whole_command_where_that_is_known():
    found = costs([FULL], 3.0, "EUR")
    assert found.values["full: EUR"] == pytest.approx(3.0 * 120 / 3600)
    whole = costs([Cost("full", seconds=120.0, whole=240.0)], 3.0, "EUR")
    assert whole.values["full: EUR"] == pytest.approx(3.0 * 240 / 3600)
    assert "0.1 EUR" in found.told
    assert found.answer is None
    assert found.state == "MEASURED"
    note = grid(whole, "What").note
    assert note.endswith("EUR is for the whole command, 240 s, in which base and rivals answer too.")
    assert "whole command" not in grid(found, "What").note
    assert "whole command" not in grid(costs([Cost("full", seconds=120.0, whole=240.0)]), "What").note


def test_systems_stand_side_by_side_and_against_the_full_one():
    found = costs([LORA, FULL])
    assert [row[0] for row in grid(found, "What").rows] == ["lora", "full"]
    rows = {row[1]: row[2] for row in grid(found, "Against full").rows}
    assert rows["s"] == pytest.approx(0.5)
    assert rows["memory, GB"] == pytest.approx(0.75)
    assert rows["trained weights"] == pytest.approx(297_000 / 22_700_000)
    assert "50 % of the time" in found.told
    assert "75 % of the memory" in found.told
    assert "One run each" in found.notes[0]


def test_ratios_of_several_runs_have_welchs_interval_on_logarithms():
    chance = np.random.default_rng(1)
    ours, theirs = np.exp(chance.normal(0.0, 0.1, 3)), np.exp(chance.normal(0.7, 0.2, 4))
    found = ratio(list(ours), list(theirs))
    oracle = stats.ttest_ind(np.log(ours), np.log(theirs), equal_var=False).confidence_interval()
    assert found is not None
    assert found.value == pytest.approx(stats.gmean(ours) / stats.gmean(theirs))
    assert found.interval is not None
    assert (found.interval.low, found.interval.high) == pytest.approx((np.exp(oracle.low), np.exp(oracle.high)))
    several = [Cost("full", i, seconds=float(s)) for i, s in enumerate(theirs)]
    several += [Cost("lora", i, seconds=float(s)) for i, s in enumerate(ours)]
    assert "(95 % " in costs(several).told
    assert ratio([0.0], [1.0]) is None


def test_what_was_foreseen_stands_beside_what_came():
    rows = {(row[0], row[2]): row[3:] for row in grid(costs([FULL, LORA]), "Foreseen").rows}
    assert rows["full", "s"] == pytest.approx((132.0, 120.0, 10.0))
    assert rows["full", "memory, GB"] == pytest.approx((1.08, 1.2, -10.0))
    assert rows["lora", "s"] == (ABSENT, 60.0, ABSENT)


def test_no_cell_is_empty_and_the_note_says_why():
    found = costs([Cost("full", seconds=1.0, why={"energy": "the counters belong to the superuser"}), LORA])
    table = grid(found, "What")
    assert not any(cell is None for row in table.rows for cell in row)
    assert table.rows[0][3:] == (ABSENT,) * 5
    assert "the counters belong to the superuser" in table.note
    assert "no price per hour was given" in table.note
    assert "the run did not record" in table.note
    assert costs([]).state == "NOT RUN"


def test_a_system_that_recorded_nothing_is_said_to():
    told = costs([FULL, Cost("mystery")]).told
    assert "what mystery cost was not recorded" in told
    assert "cost what was not recorded" not in costs([Cost("a")]).told


@pytest.mark.parametrize("seconds", [-1.0, float("nan"), float("inf")])
def test_impossible_numbers_are_refused(seconds):
    with pytest.raises(DataError, match="seconds"):
        costs([Cost("full", seconds=seconds)])
    with pytest.raises(ConfigError, match="price-per-hour"):
        costs([FULL], seconds)
    with pytest.raises(ConfigError, match="against"):
        costs([FULL], against="qlora")


def test_four_trainings_of_an_hour_side_by_side_cost_one_hour_of_the_machine():
    spent = [Cost("full", seed, 3000.0, whole=3600.0, beside=4.0) for seed in range(4)]
    found = costs(spent, 2.0, "EUR")
    assert 4 * found.values["full: EUR"] == pytest.approx(2.0)
    assert "3,000 s (run side by side with 3 others)" in found.told
    assert any(note.startswith("full: run side by side with 3 others") for note in found.notes)


def test_a_training_by_itself_has_no_company():
    found = costs([Cost("full", 1, 3600.0, beside=1.2)], 2.0, "EUR")
    assert "side by side" not in found.told
    with pytest.raises(DataError, match=r"among 0\.5 trainings at once"):
        costs([Cost("full", 1, 3600.0, beside=0.5)])
