"""Trials on a real Ray cluster of this machine, with a worker killed in the middle."""

import importlib.util
import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from seqwise.errors import ConfigError, MissingExtraError
from seqwise.verdict.cluster import run_on_cluster
from seqwise.verdict.ledger import FILE, opened
from seqwise.verdict.trials import plan

HERE = Path(__file__).parent
SIGNATURE = {"train": "9f2c"}
ray_is_here = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="the extra 'cluster' is not installed")


@pytest.fixture
def runs(monkeypatch):
    monkeypatch.syspath_prepend(str(HERE))
    monkeypatch.setenv("PYTHONPATH", str(HERE))
    import trial_runs

    return trial_runs


def calls(folder, trial):
    file = folder / "trials" / trial.name / "calls"
    return [int(line) for line in file.read_text().split()] if file.exists() else []


@ray_is_here
def test_a_worker_killed_in_the_middle_loses_nothing_and_nothing_is_counted_twice(tmp_path, runs):
    trials, seen, killed = plan(["full"], [1, 0.5], [1, 2]), [], []

    def kill():
        end = time.monotonic() + 60
        while time.monotonic() < end and not killed:
            if found := calls(tmp_path, trials[1]):
                os.kill(found[0], signal.SIGKILL)
                killed.append(found[0])
            time.sleep(0.05)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        with opened(tmp_path, SIGNATURE) as ledger:
            done = [trials[2]]
            rows = run_on_cluster(trials, runs.waiting_for_kill, ledger, "local", workers=2, progress=seen.append)
            lines = (tmp_path / FILE).read_text().splitlines()
            again = run_on_cluster(trials[::-1], runs.broken, ledger, "local")
    finally:
        killer.join()
    assert [row.trial for row in rows] == list(trials)
    assert [row.result["score"] for row in rows] == [1, 2, 0.5, 1]
    assert len(lines) == 1 + len(trials)
    assert len(killed) == 1
    assert killed[0] not in calls(tmp_path, trials[1])[1:]
    assert len(calls(tmp_path, trials[1])) == 2
    assert all(len(calls(tmp_path, trial)) == 1 for trial in done)
    assert again == rows[::-1]
    assert (seen[0].done, seen[-1].done, seen[-1].failed) == (0, 4, 0)


@ray_is_here
def test_an_address_at_which_nothing_runs_is_one_clear_error(tmp_path, runs):
    with opened(tmp_path, SIGNATURE) as ledger, pytest.raises(ConfigError, match="address of a Ray cluster"):
        run_on_cluster(plan(["full"]), runs.counting, ledger, "no address")


def test_without_ray_the_error_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with opened(tmp_path, SIGNATURE) as ledger, pytest.raises(MissingExtraError, match=r"seqwise\[cluster\]"):
        run_on_cluster(plan(["full"]), len, ledger)
