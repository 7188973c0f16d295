"""Trials side by side on this machine, each in a process of its own.

A fresh process per trial, not a pool of workers: in `concurrent.futures` one worker that the system kills, for want of
memory say, breaks the pool, which ends the trials of all others and cannot tell whose fault it was. Here nobody else
notices; the trial gets one more try and is then an ERROR. Starting Python anew costs seconds, a training minutes, and
memory that one trial leaks is no loss to the next.

A process gets its share of the cores, writes what it prints to its folder, and does not hear Ctrl-C, which this one
answers for all. It ends when this one is gone, however that ended. Left out: sharing a GPU fairly; ask for one worker.
"""

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import NamedTuple

from seqwise.verdict.ledger import Ledger
from seqwise.verdict.progress import Progress, Tally, silent
from seqwise.verdict.trials import LOG, Row, Run, Trial, attempt, lost

THREADS = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "POLARS_MAX_THREADS",
    "RAYON_NUM_THREADS",
)
"""Whose libraries take all cores where nobody says how many; read when a library is first imported."""
TRIES = 2  # of a trial whose process is killed
TICK = 1.0  # seconds between two looks at those that run
PATIENCE = 5.0  # seconds in which a process that was asked to end may do so


def run_trials(
    trials: Sequence[Trial],
    run: Run,
    ledger: Ledger,
    *,
    workers: int = 1,
    progress: Callable[[Progress], None] = silent,
) -> tuple[Row, ...]:
    """Run what has no result yet, `workers` at a time, and return the rows of all, in the order given.

    Rows reach the disk one by one: what is done when Ctrl-C is pressed, or a progress bar breaks, is kept.
    """
    _importable(run)
    tally = Tally(trials, ledger, workers, progress)
    waiting = deque((trial, 1) for trial in ledger.due(trials))
    running: list[_Running] = []
    tally.tell({}, [trial for trial, _ in waiting])
    try:
        while waiting or running:
            while waiting and len(running) < max(1, workers):
                trial, tries = waiting.popleft()
                running.append(_start(run, trial, ledger.folder_of(trial), tries, _share(workers)))
            for one, row in _ended(running):
                running.remove(one)
                if row is None and one.tries < TRIES:
                    waiting.append((one.trial, one.tries + 1))
                else:
                    tally.add(row or lost(one.trial, one.seconds, _fate(one)))
            tally.tell({one.trial: one.seconds for one in running}, [trial for trial, _ in waiting])
    finally:
        _stop(running)
    return ledger.of(trials)


class _Running(NamedTuple):
    """A trial at work."""

    trial: Trial
    process: SpawnProcess
    pipe: Connection
    """Where its row comes out."""
    begun: float
    tries: int

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.begun


def _importable(run: Run) -> None:
    """Other processes find a function by its name."""
    name = getattr(run, "__qualname__", "")
    if "<" in name:
        raise TypeError(f"{name} is made inside a function: other processes cannot import it by its name")


def _share(workers: int) -> int:
    """Threads for each process."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores // max(1, workers))


def _start(run: Run, trial: Trial, folder: Path, tries: int, threads: int) -> _Running:
    context = multiprocessing.get_context("spawn")  # a fork would copy the locks of libraries that have threads
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(run, trial, folder, sender), name=trial.name)
    with _threads(threads), _without_interrupts():
        process.start()
    sender.close()  # so that the pipe ends with the process
    return _Running(trial, process, receiver, time.monotonic(), tries)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """The environment in which a process starts. Fewer threads that the user asks for by any of the names hold for all:
    torch takes what MKL may use for its own, so two of MKL's beside one of OpenMP would be two."""
    before = {name: os.environ.get(name) for name in THREADS}
    wishes = [int(given) for given in before.values() if given and given.isdecimal()]
    least = min([count, *(wish for wish in wishes if wish > 0)])
    try:
        os.environ.update(dict.fromkeys(THREADS, str(least)))
        yield
    finally:
        for name, given in before.items():
            if given is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = given


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """What starts now never hears Ctrl-C; here it is heard a moment later."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(run: Run, trial: Trial, folder: Path, sender: Connection) -> None:
    """What the process does."""
    if hasattr(os, "setsid"):
        os.setsid()  # with what it starts: Ctrl-C must not end a training early that would then count as done
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with suppress(OSError):  # without a folder the attempt itself will say so
        folder.mkdir(parents=True, exist_ok=True)
        log = os.open(folder / LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.close(log)
    row = attempt(run, trial, folder)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    with suppress(BrokenPipeError):
        sender.send(row)
    sender.close()


def _end_with_parent() -> None:
    """A training that nobody waits for would keep cores, and the folder that a later one needs."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        if hasattr(os, "killpg"):
            os.killpg(0, signal.SIGKILL)  # with the processes that it has started
        os._exit(1)


def _ended(running: Sequence[_Running]) -> list[tuple[_Running, Row | None]]:
    """Those that have ended since, with their rows; None for a process that ended without one."""
    wait([handle for one in running for handle in (one.pipe, one.process.sentinel)], timeout=TICK)
    found: list[tuple[_Running, Row | None]] = []
    for one in running:
        alive = one.process.is_alive()  # before its pipe is looked at: what it sent before it ended is there
        try:
            if one.pipe.poll():
                row = one.pipe.recv()
            elif alive:
                continue
            else:
                row = None
        except (EOFError, OSError):
            row = None
        one.process.join(PATIENCE)
        _kill(one.process)
        one.pipe.close()
        found.append((one, row))
    return found


def _fate(one: _Running) -> str:
    """How a process ended that had no row."""
    code = one.process.exitcode
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        cause = ", as the system does when memory runs out" if name == "SIGKILL" else ""
        return f"its process was killed by {name}{cause}, {TRIES} times"
    return f"its process ended with code {code} and no result, {TRIES} times"


def _stop(running: Sequence[_Running]) -> None:
    """End those that are left, first in order, then not."""
    for one in running:
        one.process.terminate()
    late = time.monotonic() + PATIENCE
    for one in running:
        one.process.join(max(0.0, late - time.monotonic()))
        _kill(one.process)
        one.pipe.close()


def _kill(process: SpawnProcess) -> None:
    """End it now, and the processes that it has started."""
    if hasattr(os, "killpg") and process.pid is not None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.join()
