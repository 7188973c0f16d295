"""Whose hour of the machine it was: the shares of all add up to the hours in which it was at work."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqwise.verdict.sharing import sharing
from seqwise.verdict.trials import Row, Trial

START = datetime(2026, 1, 1, tzinfo=UTC)


def row(seed, begin, seconds, host="here"):
    started = (START + timedelta(seconds=begin)).isoformat(timespec="milliseconds")
    return Row(Trial(seed, 1.0, "full"), "MEASURED", seconds, started, host, {})


def test_four_trials_of_an_hour_side_by_side_have_a_quarter_each():
    assert set(sharing([row(seed, 0, 3600) for seed in range(4)]).values()) == {4.0}


def test_a_trial_is_shared_only_while_others_run():
    found = sharing([row(1, 0, 100), row(2, 50, 100), row(3, 1000, 10)])
    assert found == pytest.approx({"full-1-seed1": 100 / 75, "full-1-seed2": 100 / 75, "full-1-seed3": 1.0})


def test_other_machines_are_others():
    assert set(sharing([row(1, 0, 100), row(2, 0, 100, "there")]).values()) == {1.0}


def test_a_row_that_tells_no_time_is_alone():
    rows = [row(1, 0, 100), row(2, 10, 0.0), Row(Trial(3, 1.0, "full"), "MEASURED", 50.0, "", "here", {})]
    assert set(sharing(rows).values()) == {1.0}


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(1, 300)), min_size=1, max_size=8))
def test_the_shares_of_all_are_the_time_at_work(spans):
    rows = [row(seed, *span) for seed, span in enumerate(spans)]
    at_work = len({second for begin, length in spans for second in range(begin, begin + length)})
    found = sharing(rows)
    assert min(found.values()) >= 1
    assert sum(one.seconds / found[one.trial.name] for one in rows) == pytest.approx(at_work)
