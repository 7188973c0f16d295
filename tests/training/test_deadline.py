import itertools
import shutil

import pytest

from seqwise.training import deadline
from seqwise.training.deadline import Deadline
from seqwise.training.events import Finished, Stepped
from seqwise.training.loop import Look
from seqwise.training.optim import OptimizerSettings


@pytest.fixture
def clock(monkeypatch):
    """Seconds that the test sets."""
    now = [100.0]
    monkeypatch.setattr(deadline.time, "monotonic", lambda: now[0])
    return now


def test_without_a_limit_nothing_is_late_and_no_last_update_is_known(clock):
    free = Deadline(0.0, clock[0], 0)
    clock[0] += 1e6
    assert not free.late()
    assert free.last(10**6) == float("inf")


def test_the_last_update_is_what_the_pace_so_far_allows_in_the_time_left(clock):
    limited = Deadline(60.0, clock[0] - 5.0, 1000)  # five seconds of it are gone before the first update
    limited.looked(clock[0], 1)
    clock[0] += 20.0  # 40 updates in 20 s, and 35 s are left
    assert limited.last(1040) == pytest.approx(1040 + 35 / 0.5)
    clock[0] += 40.0
    assert limited.last(1041) == 1042  # one more at least, since this one is being made


def test_the_pace_of_the_first_updates_is_not_believed(clock):
    limited = Deadline(60.0, clock[0], 0)
    clock[0] += 30.0
    assert limited.last(deadline.MEASURED - 1) == float("inf")
    assert limited.last(deadline.MEASURED) < 30


def test_what_a_look_took_is_kept_free_for_the_end(clock):
    limited = Deadline(60.0, clock[0], 0)
    clock[0] += 10.0
    limited.looked(clock[0] - 8.0, 2)
    assert limited.reserve == pytest.approx(20.0)
    clock[0] += 29.9
    assert not limited.late()
    clock[0] += 0.2
    assert limited.late()


def test_a_first_look_is_no_part_of_the_pace(small, clock):
    """It takes 50 s, an update half a second: the rate has to be what it would be without the look."""
    rates = OptimizerSettings(rate=1e-3, warmup=2, schedule="cosine", fall_by="time")
    limits = {"epochs": None, "steps": 25, "time_limit": 150.0}

    def look(weights):
        clock[0] += 50.0
        return Look({"loss": 1.0})

    def stopped():
        clock[0] += 0.5
        return False

    found = []
    for first in (True, False):
        evaluation = {"every": 999, "save_every": 0.0, "first": first}
        made = small(training=limits, evaluation=evaluation, optimizer=rates, evaluate=look, stopped=stopped)
        found.append([event.rate for event in made.fit() if isinstance(event, Stepped)])
        shutil.rmtree(made.setting.folder.path)
    assert len(found[0]) == 25
    assert found[0] == found[1]


@pytest.mark.parametrize("falls", ["steps", "time"])
def test_a_rate_falls_in_the_time_that_there_is_where_it_is_told_to(small, clock, monkeypatch, falls):
    """Of 1,000 updates planned the time allows some 40, at half a second each."""
    ticks = itertools.count()
    monkeypatch.setattr(deadline.time, "monotonic", lambda: 100.0 + next(ticks) * 0.1)
    rates = OptimizerSettings(rate=1e-3, warmup=2, schedule="cosine", fall_by=falls)
    limits = {"epochs": None, "steps": 1000, "time_limit": 25.0}
    events = small(training=limits, evaluation={"every": 999, "save_every": 0.0}, optimizer=rates).fit()
    told = [event.rate for event in events if isinstance(event, Stepped)]
    assert isinstance(events[-1], Finished)
    assert events[-1].reason == "time limit"
    assert 20 < len(told) < 300
    if falls == "time":
        assert told[-1] < 0.1 * max(told)
        assert sum(later > before * 1.05 for before, later in itertools.pairwise(told[12:])) == 0
    else:
        assert told[-1] > 0.8 * max(told)
