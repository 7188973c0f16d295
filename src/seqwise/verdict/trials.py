"""Trials: methods x fractions x seeds, each a training of its own, and what came of one.

    Trial      what is tried: a method on a fraction of the data with a seed
    plan       all of them, in an order in which an early stop still tells most
    Run        the function that does the work; this room knows no training and is handed one
    Row        what came of it: a result, or the error that it ended with
    attempt    run one and make its row

`ledger` keeps the rows on disk, `pool` runs trials in processes, `cluster` on many machines. Left out: which trial to
try next given the results so far (successive halving, Bayesian search): here every cell is wanted.
"""

import hashlib
import json
import re
import socket
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from seqwise.errors import ConfigError, SeqwiseError
from seqwise.stats.results import plain

LOG = "output.txt"
"""In the folder of a trial: what it printed, and the traceback of what went wrong."""
LONGEST = 120  # characters of a folder's name; file systems take 255 bytes

_UNSAFE = re.compile(r"[^A-Za-z0-9._=+-]")


@dataclass(frozen=True)
class Trial:
    """A method on a fraction of the training data with a seed."""

    seed: int
    fraction: float
    """Of the training data, above 0 and at most 1. Smaller fractions are parts of larger ones, by the one who runs."""
    method: str
    """full, lora, qlora or any other name that the runner knows."""
    more: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Whatever else sets it apart, such as a rank."""

    def __post_init__(self) -> None:
        """Refuse what is no trial."""
        if not self.method:
            raise ConfigError("a trial without a method", "the name of one", "full")
        if not 0 < self.fraction <= 1:
            raise ConfigError(f"fraction {self.fraction:g}", "a share of the data, above 0 and at most 1", "1")
        if self.seed < 0:
            raise ConfigError(f"seed {self.seed}", "a whole number from 0", f"{-self.seed}")

    @property
    def name(self) -> str:
        """For people and folders: lora-0.25-seed2. Other trials have other names."""
        more = [f"{key}={value}" for key, value in sorted(self.more.items())]
        told = "-".join([self.method, _figure(self.fraction), f"seed{self.seed}", *more])
        safe = _UNSAFE.sub("_", told)
        joints = "-" in "".join([*more, self.method] if more else []) or any(pair.count("=") > 1 for pair in more)
        if safe == told and len(told) <= LONGEST and not joints and not told.startswith("."):
            return told
        # the name lost something, or could be read in two ways: eight digits of the whole tell it apart
        return f"{safe[:LONGEST].lstrip('.')}-{hashlib.sha256(repr(self.key).encode()).hexdigest()[:8]}"

    @property
    def key(self) -> tuple[str, float, int, tuple[tuple[str, str], ...]]:
        """The same as plain values, in an order of its own."""
        return self.method, float(self.fraction), self.seed, tuple(sorted(self.more.items()))


Run = Callable[[Trial, Path], Mapping[str, Any]]
"""Trains and scores one trial in the folder, and returns facts that JSON can hold.

A function of a module, or a `functools.partial` of one, since other processes import it by its name. The folder is
the trial's own; it may hold what a killed try left behind. What ends early without an error counts as done, so a
training that was asked to stop must raise."""


@dataclass(frozen=True)
class Row:
    """What came of a trial."""

    trial: Trial
    state: Literal["MEASURED", "ERROR"]
    seconds: float
    """Of the wall."""
    started: str
    """Date and time in UTC (ISO 8601)."""
    host: str
    """Name of the machine."""
    result: Mapping[str, Any] | None = field(default=None, hash=False)
    """What the run returned, as JSON holds it: lists for tuples, "nan" and "inf" for what is not finite."""
    error: str = ""
    """One line; the whole story stands in `output.txt` in the trial's folder."""

    @property
    def measured(self) -> bool:
        """Whether there is a result."""
        return self.state == "MEASURED"


def plan(
    methods: Sequence[str],
    fractions: Sequence[float] = (1.0,),
    seeds: Sequence[int] = (1,),
    more: Mapping[str, str] | None = None,
) -> tuple[Trial, ...]:
    """All trials, the largest fraction first, and within one a seed of every method before the next seed.

    Whoever stops early has the comparison on all data first, with as many seeds of each method; and since long trials
    come before short ones, no process is left waiting for a long one at the end.
    """
    for name, values in (("method", methods), ("fraction", fractions), ("seed", seeds)):
        if not values:
            raise ConfigError(f"no {name}", f"a {name} at least", f"giving one {name}")
        twice = [value for place, value in enumerate(values) if value in values[:place]]
        if twice:
            raise ConfigError(f"{name} {twice[0]} twice", f"each {name} once", f"giving each {name} once")
    ordered = sorted(fractions, reverse=True)
    return tuple(
        Trial(seed, fraction, method, dict(more or {})) for fraction in ordered for seed in seeds for method in methods
    )


def attempt(run: Run, trial: Trial, folder: Path) -> Row:
    """Run one trial in its folder; an error becomes a row that tells it, and only Ctrl-C goes through."""
    started = datetime.now(UTC).isoformat(timespec="milliseconds")
    begun = time.perf_counter()
    result, error = None, ""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # there and back: what a fresh row holds is what a resumed one will
        result = json.loads(json.dumps(plain(dict(run(trial, folder))), allow_nan=False))
    except (Exception, SystemExit) as failure:
        error = _line(failure)
        _log(folder, traceback.format_exc())
    state: Literal["MEASURED", "ERROR"] = "ERROR" if error else "MEASURED"
    return Row(trial, state, time.perf_counter() - begun, started, socket.gethostname(), result, error)


def lost(trial: Trial, seconds: float, error: str) -> Row:
    """The row of a trial whose process ended without one."""
    started = datetime.fromtimestamp(time.time() - seconds, UTC).isoformat(timespec="seconds")
    return Row(trial, "ERROR", seconds, started, socket.gethostname(), None, error)


def _figure(fraction: float) -> str:
    """As short as the number allows without becoming another one."""
    short = f"{fraction:g}"
    return short if float(short) == fraction else repr(float(fraction))


def _line(failure: BaseException) -> str:
    """An error in one line."""
    told = " ".join(str(failure).split())
    if isinstance(failure, SeqwiseError):
        return told
    return f"{type(failure).__name__}: {told}" if told else type(failure).__name__


def _log(folder: Path, text: str) -> None:
    try:
        with open(folder / LOG, "a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
    except OSError:  # the row tells the error all the same; a full disk may be what it is
        return
