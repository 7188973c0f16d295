"""Trials in real processes, some of them killed: nothing is lost and nothing is counted twice."""

import functools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from seqwise.verdict.ledger import FILE, opened, read
from seqwise.verdict.pool import THREADS, run_trials
from seqwise.verdict.trials import LOG, plan

HERE = Path(__file__).parent
SIGNATURE = {"train": "9f2c"}

DRIVER = """
import signal
import sys
from pathlib import Path
import trial_runs
from seqwise.verdict.ledger import opened
from seqwise.verdict.pool import run_trials
from seqwise.verdict.trials import plan
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs are born deaf to it
    with opened(Path(sys.argv[1]), {"train": "9f2c"}) as ledger:
        run_trials(plan(["full"], seeds=[1, 2, 3, 4]), trial_runs.slow, ledger, workers=2)
"""
"""Two trials that end, and two that take a minute."""


@pytest.fixture
def runs(monkeypatch):
    """The functions of trial_runs.py, found by this process and those it starts."""
    monkeypatch.syspath_prepend(str(HERE))
    monkeypatch.setenv("PYTHONPATH", str(HERE))
    import trial_runs

    return trial_runs


def done(folder, trials, run, **more):
    with opened(folder, SIGNATURE) as ledger:
        return run_trials(trials, run, ledger, **more)


def calls(folder, trial):
    """Processes in which a trial has begun."""
    file = folder / "trials" / trial.name / "calls"
    return file.read_text().split() if file.exists() else []


def until(true, seconds=20.0):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.05)


def alive(pid):
    """Whether the process still runs; one that ended and was not yet taken leave of does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_all_are_run_once_and_come_back_in_the_order_given(tmp_path, runs):
    trials, seen = plan(["b", "a"], [1, 0.5], [1]), []
    rows = done(tmp_path, trials, runs.counting, workers=2, progress=seen.append)
    assert [row.trial for row in rows] == list(trials)
    assert [row.result["score"] for row in rows] == [2, 2, 1.5, 1.5]
    assert os.getpid() not in {row.result["pid"] for row in rows}
    assert (seen[0].done, seen[0].total, seen[0].left) == (0, 4, None)
    assert (seen[-1].done, seen[-1].failed, seen[-1].left) == (4, 0, 0)
    assert sorted(row.trial.name for one in seen for row in one.ended) == sorted({t.name for t in trials})
    assert max(len(one.running) for one in seen) <= 2
    again = done(tmp_path, trials[::-1], runs.broken)  # which would fail, were anything run
    assert again == rows[::-1]
    more = done(tmp_path, plan(["a"], seeds=[1, 2]), runs.counting)
    assert [len(calls(tmp_path, row.trial)) for row in more] == [1, 1]


def test_a_killed_process_costs_nobody_else_and_gets_one_more_try(tmp_path, runs):
    rows = done(tmp_path, plan(["full"], seeds=[1, 2, 3]), runs.killed_once, workers=2)
    assert [row.result for row in rows] == [{"score": 1}, {"score": 2}, {"score": 3}]
    assert [len(calls(tmp_path, row.trial)) for row in rows] == [1, 2, 1]


def test_a_process_that_is_killed_again_is_an_error_and_the_others_are_measured(tmp_path, runs):
    seen = []
    rows = done(tmp_path, plan(["full"], seeds=[2, 1]), runs.killed_always, progress=seen.append)
    assert [row.state for row in rows] == ["ERROR", "MEASURED"]
    assert "killed by SIGKILL" in rows[0].error
    assert len(calls(tmp_path, rows[0].trial)) == 2
    assert seen[-1].failed == 1


def test_errors_are_told_in_rows_and_run_again_when_resumed(tmp_path, runs):
    rows = done(tmp_path, plan(["full"], seeds=[1, 2, 3, 4]), runs.broken, workers=2)
    assert [row.state for row in rows] == ["ERROR", "ERROR", "ERROR", "MEASURED"]
    assert [row.error for row in rows][:2] == ["ValueError: too high a rate", "SystemExit: no data"]
    again = done(tmp_path, plan(["full"], seeds=[1, 4]), runs.counting)
    assert [row.result["score"] for row in again] == [2, 4.0]
    assert (tmp_path / FILE).read_text().count("too high a rate") == 1


def test_a_process_has_its_share_of_the_cores_and_prints_into_its_folder(tmp_path, runs, monkeypatch, capfd):
    for name in THREADS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(6)), raising=False)
    (row,) = done(tmp_path, plan(["full"]), runs.surroundings, workers=2)
    assert (row.result["threads"], row.result["torch"]) == ("3", False)
    assert row.result["group"] != os.getpgid(0)
    assert "OMP_NUM_THREADS" not in os.environ
    assert (tmp_path / "trials" / row.trial.name / LOG).read_text() == "printed by Python\nby a child\n"
    assert capfd.readouterr() == ("", "")


def test_fewer_threads_that_are_asked_for_by_one_name_hold_for_all_libraries(tmp_path, runs, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(6)), raising=False)
    for name in THREADS:
        monkeypatch.setenv(name, "0")  # which asks for nothing
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("MKL_NUM_THREADS", "4")
    (row,) = done(tmp_path, plan(["full"]), runs.surroundings)
    assert row.result["threads"] == "1"
    assert os.environ["MKL_NUM_THREADS"] == "4"


def test_a_function_that_others_cannot_import_is_refused_before_anything_runs(tmp_path, runs):
    with pytest.raises(TypeError, match="cannot import"):
        done(tmp_path, plan(["full"]), lambda trial, folder: {})
    (row,) = done(tmp_path, plan(["full"]), functools.partial(runs.counting))
    assert row.measured


def test_a_progress_bar_that_breaks_ends_all_and_loses_nothing(tmp_path, runs):
    def breaking(progress):
        if progress.done == 2:
            raise RuntimeError("the terminal is gone")

    trials = plan(["full"], seeds=[1, 2, 3])
    with pytest.raises(RuntimeError, match="terminal"):
        done(tmp_path, trials, runs.slow, workers=2, progress=breaking)
    assert {row.trial.seed for row in read(tmp_path).rows} == {1, 2}
    assert not any(alive(pid) for trial in trials for pid in calls(tmp_path, trial))


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT], ids=["killed", "Ctrl-C"])
def test_a_driver_that_ends_in_the_middle_keeps_what_is_done_and_leaves_no_process(tmp_path, runs, how):
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(tmp_path)], stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    trials = plan(["full"], seeds=[1, 2, 3, 4])
    until(lambda: calls(tmp_path, trials[2]) and calls(tmp_path, trials[3]))
    until(lambda: len(read(tmp_path).rows) == 2)
    os.killpg(driver.pid, how) if how == signal.SIGINT else driver.kill()  # Ctrl-C reaches all of the terminal
    _, told = driver.communicate(timeout=20)
    assert driver.returncode == -how
    assert told.count("Traceback") == (how == signal.SIGINT)  # of the driver itself, and of no process of a trial
    until(lambda: not any(alive(pid) for trial in trials for pid in calls(tmp_path, trial)))
    assert {row.trial.seed for row in read(tmp_path).rows} == {1, 2}
    rows = done(tmp_path, trials, runs.counting, workers=2)
    assert [row.trial for row in rows] == list(trials)
    assert [len(calls(tmp_path, trial)) for trial in trials] == [1, 1, 2, 2]
