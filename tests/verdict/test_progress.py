"""How far a table is, and how long it will take."""

import pytest

from seqwise.verdict.progress import Pace, Progress, told
from seqwise.verdict.trials import Row, Trial


def row(seconds, fraction=1.0, method="full", state="MEASURED"):
    return Row(Trial(1, fraction, method), state, seconds, "", "", {} if state == "MEASURED" else None)


def test_time_left_counts_a_trial_by_its_fraction_and_its_method():
    pace = Pace.of([row(100), row(30, 0.5, "lora"), row(1, state="ERROR")])
    waiting = [Trial(2, 0.25, "full"), Trial(2, 1, "lora")]
    assert pace.left({}, waiting, 1) == pytest.approx(0.25 * 100 + 60)
    assert pace.left({}, [Trial(1, 1, "new")], 1) == pytest.approx(130 / 1.5)


def test_time_left_is_no_less_than_that_of_the_longest_and_what_ran_already_counts():
    pace = Pace.of([row(100)])
    assert pace.left({Trial(2, 1, "full"): 40}, [Trial(3, 0.2, "full")], 2) == 60
    assert pace.left({Trial(2, 1, "full"): 400}, [], 2) == 0


def test_nothing_is_foretold_before_one_has_been_measured():
    assert Pace.of([row(1, state="ERROR")]).left({}, [Trial(1, 1, "full")], 1) is None


@pytest.mark.parametrize(
    ("progress", "line"),
    [
        (Progress(0, 1), "0 of 1 trial"),
        (Progress(7, 24, 1, left=750.2), "7 of 24 trials, 1 failed, 12 min 30 s left"),
        (Progress(1, 2, left=59.4), "1 of 2 trials, 59 s left"),
        (Progress(1, 2, left=7512), "1 of 2 trials, 2 h 05 min left"),
        (Progress(2, 2, 2, left=0.0), "2 of 2 trials, 2 failed"),
    ],
)
def test_progress_is_one_line(progress, line):
    assert told(progress) == line
