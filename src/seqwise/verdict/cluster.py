"""Trials on many machines, by Ray (extra `cluster`).

One task a trial. Tasks only send their row back and the process that asked writes the table, so nothing is counted
twice however often a task runs; one whose worker or machine dies is run again by Ray. All machines need Seqwise, the
data under the same paths, and the folder of the weighing on a disk that they share.

Address `local` starts a Ray of its own on this machine and ends it afterwards: for trying it out, since `pool` does
the same with less. Left out: sending data and code to the machines, which is the work of the cluster's image.
"""

import importlib
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from typing import Any

from seqwise.errors import ConfigError, MissingExtraError
from seqwise.verdict.ledger import Ledger
from seqwise.verdict.progress import Progress, Tally, silent
from seqwise.verdict.trials import Row, Run, Trial, attempt, lost

LOCAL = "local"
RETRIES = 2  # of a trial whose worker dies
TICK = 1.0  # seconds
STORE = 80 * 10**6  # bytes of shared memory, about the least that Ray takes: what is sent is small

QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing is told to anybody
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # Ray's coming default, whose announcement is a warning
    "RAY_task_oom_retries": str(RETRIES),  # Ray's own number is endless: a trial too large would run for ever
}


def run_on_cluster(
    trials: Sequence[Trial],
    run: Run,
    ledger: Ledger,
    address: str = LOCAL,
    *,
    workers: int = 2,
    cores: int = 1,
    gpus: float = 0,
    progress: Callable[[Progress], None] = silent,
) -> tuple[Row, ...]:
    """Run what has no result yet on a cluster, and return the rows of all, in the order given.

    address: of its head, such as `10.0.0.1:6379` or `ray://host:10001`, or `local`. workers: how many at a time, with
    `local` only; elsewhere as many as there is room for. cores, gpus: what each trial takes.
    """
    due = ledger.due(trials)
    if not due:
        return ledger.of(trials)
    ray = _library()
    with _connected(ray, address, workers * cores):
        if address == LOCAL and gpus > (found := ray.cluster_resources().get("GPU", 0)):  # Ray would wait for ever
            raise ConfigError(f"{gpus:g} GPUs a trial", f"no more than the {found:g} of this machine", f"{found:g}")
        slots = workers if address == LOCAL else int(ray.cluster_resources().get("CPU", 1) // cores)
        tally = Tally(trials, ledger, slots, progress)
        # a killed worker is Ray's to mend, an error of the run is a row of ours
        task = ray.remote(num_cpus=cores, num_gpus=gpus, max_retries=RETRIES, retry_exceptions=False)(attempt)
        waiting = {task.remote(run, trial, ledger.folder_of(trial)): trial for trial in due}
        try:
            _gather(ray, waiting, tally)
        finally:
            with suppress(ray.exceptions.RayError):  # a cluster that is gone has nothing left to end
                for one in waiting:
                    ray.cancel(one, force=True)
    return ledger.of(trials)


def _gather(ray: Any, waiting: dict[Any, Trial], tally: Tally) -> None:
    """Take rows as they come."""
    tally.tell({}, waiting.values())
    while waiting:
        ready, _ = ray.wait(list(waiting), num_returns=1, timeout=TICK)
        for one in ready:
            trial = waiting.pop(one)
            try:
                row = ray.get(one)
            except ray.exceptions.RayError as error:
                lines = str(error).strip().splitlines() or [""]
                line = lines[-1] if isinstance(error, ray.exceptions.RayTaskError) else lines[0]  # -1: of a traceback
                row = lost(trial, 0.0, f"no result from the cluster ({type(error).__name__}: {line.strip()})")
            tally.add(row)
        tally.tell({}, waiting.values())


def _library() -> Any:
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    try:
        return importlib.import_module("ray")  # takes a while, and few ask for it
    except ImportError as error:
        raise MissingExtraError(
            given="Ray is not installed",
            allowed="the extra 'cluster'",
            mend="pip install 'seqwise[cluster]', or without --cluster, which runs trials on this machine",
        ) from error


@contextmanager
def _connected(ray: Any, address: str, cores: int) -> Iterator[None]:
    """A cluster for as long as it is needed."""
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR, "configure_logging": False}
    if ray.is_initialized():
        raise RuntimeError("Ray is in use in this process already")
    logging.getLogger("ray").setLevel(logging.ERROR)
    if address == LOCAL:
        folder = Path(tempfile.mkdtemp(prefix="ray-"))
        place = {"num_cpus": cores, "include_dashboard": False, "object_store_memory": STORE, "_temp_dir": str(folder)}
    else:
        folder, place = None, {}
    try:
        try:
            ray.init(address=address, **place, **quiet)
        except (ConnectionError, ValueError, RuntimeError) as error:
            given = f"cluster {address!r} ({' '.join(str(error).split())[:200]})"
            mend = "`ray start --head` there, or local"
            raise ConfigError(given, "the address of a Ray cluster that runs", mend) from error
        with redirect_stdout(sys.stderr):  # where Ray tells that it runs a killed task again; results go to the other
            yield
    finally:
        ray.shutdown()
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
