"""The table of trials on disk, `trials.jsonl`: what is done stays done, whatever is killed when.

    {"trials": 1, "of": {"train": "9f2c", "settings": "77ab"}}                     what all trials have in common
    {"trial": {"method": "lora", ...}, "signature": "ab12", "state": "MEASURED", ...}    a line a finished trial

A line is written whole and forced to the disk before the next trial is told as done. What a killed process left of a
last line is cut off, with a note; a damaged line before it is refused by file and line. A trial with a result is not
run again and has one such line; one that ended with an error is run again and its later line counts, the earlier stays
to be read. One process at a time writes: it holds `trials.lock`, which the system drops with its holder.

Seeds, fractions and methods are no part of what trials have in common, so that more of them can be added later. What is
there at its default is marked so, and may be absent on either side: a table goes on with a version that knows settings
more or fewer, as long as these are at their defaults. Rows are signed by the head of their own table, whatever version
wrote it. Left out: the models themselves, which lie in the trials' folders, and file systems without locks.
"""

import hashlib
import importlib.util
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from seqwise.errors import ConfigError, DataError
from seqwise.stats.phrases import counted
from seqwise.verdict.trials import Row, Trial

VERSION = 1
FILE = "trials.jsonl"
LOCK = "trials.lock"
FOLDERS = "trials"
DEFAULT = " (default)"
"""Ends what is at its default, and need not be known to every version."""

_ANEW = "--overwrite, which begins anew, or another folder"
_START = b'{"trials": '

# the module stands on Unix only
fcntl = importlib.import_module("fcntl") if importlib.util.find_spec("fcntl") else None


Older = Callable[[Mapping[str, str], Sequence[Row]], Mapping[str, str]]
"""What the head of a table of an older form would say today, from that head and the rows."""


@dataclass(frozen=True)
class Contents:
    """What a table holds."""

    signature: Mapping[str, str]
    """What all trials have in common, by name: hashes of data and settings."""
    rows: tuple[Row, ...]
    """One a trial: its result, else its latest error; in the order in which the trials first ended."""
    notes: tuple[str, ...] = ()
    end: int = 0
    """Bytes up to the end of the last whole line."""


class Ledger:
    """A table that this process holds the lock of. Made by `opened`."""

    def __init__(self, folder: Path, contents: Contents, handle: int) -> None:
        self.folder = folder
        self.signature = dict(contents.signature)
        self.notes = contents.notes
        self._rows = {row.trial: row for row in contents.rows}
        self._handle = handle

    @property
    def rows(self) -> tuple[Row, ...]:
        """One a trial."""
        return tuple(self._rows.values())

    def folder_of(self, trial: Trial) -> Path:
        """Where a trial keeps what it makes."""
        return self.folder / FOLDERS / trial.name

    def due(self, trials: Sequence[Trial]) -> tuple[Trial, ...]:
        """Those without a result yet, in the order given."""
        return tuple(trial for trial in dict.fromkeys(trials) if not self._measured(trial))

    def of(self, trials: Iterable[Trial]) -> tuple[Row, ...]:
        """The rows of these trials, in the order given; those that never ended have none."""
        return tuple(self._rows[trial] for trial in dict.fromkeys(trials) if trial in self._rows)

    def add(self, row: Row) -> None:
        """Write a row and force it to the disk."""
        if self._measured(row.trial):
            raise ValueError(f"{row.trial.name} has a result already")
        _append(self._handle, self.folder / FILE, _line(row, self.signature))
        self._rows[row.trial] = row

    def _measured(self, trial: Trial) -> bool:
        return trial in self._rows and self._rows[trial].measured


@contextmanager
def opened(
    folder: Path, signature: Mapping[str, str], *, overwrite: bool = False, older: Older | None = None
) -> Iterator[Ledger]:
    """The table in the folder, to go on with or begun; refused where its trials are of something else.

    signature: what all trials have in common, by name. overwrite: forget the rows that are there, of whatever they are;
    the trials' folders stay, and are the runner's to clear. older: reads the head of a table of an older form.
    """
    path = folder / FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise _unwritable(folder, error) from error
    try:
        _take(lock, folder)
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        except OSError as error:
            raise _unwritable(path, error) from error
        try:
            yield Ledger(folder, _begun(handle, path, dict(signature), overwrite, older), handle)
        finally:
            os.close(handle)
    finally:
        os.close(lock)  # the file stays: deleting it would let two others hold a lock of the same name


def read(folder: Path) -> Contents:
    """The table in a folder, also while it is being written."""
    path = folder / FILE
    try:
        return _parsed(path.read_bytes(), path)
    except OSError as error:
        given = f"{path} cannot be read ({error.strerror})"
        raise DataError(given, "the table of trials of a weighing", "the folder of one") from error


def _begun(handle: int, path: Path, signature: dict[str, str], overwrite: bool, older: Older | None) -> Contents:
    """What the file holds, a half last line cut off; a new file gets its first line."""
    if overwrite:
        os.ftruncate(handle, 0)
    contents = _parsed(path.read_bytes(), path, signature)
    there = older(contents.signature, contents.rows) if older else contents.signature
    if differing := _differing(there, signature):
        raise _other(path, there, signature, differing[0])
    if contents.end < os.fstat(handle).st_size:
        os.ftruncate(handle, contents.end)
    if not contents.end:
        _append(handle, path, json.dumps({"trials": VERSION, "of": signature}))
        with suppress(OSError):  # some network file systems cannot; the content is on the disk all the same
            _sync(path.parent)
    return contents


def _parsed(content: bytes, path: Path, signature: dict[str, str] | None = None) -> Contents:
    """All whole lines. signature: of a table that is not begun yet."""
    *lines, half = content.split(b"\n")
    if not lines:
        if not (half.startswith(_START) or _START.startswith(half)):
            raise _no_table(path)
        return Contents(signature or {}, ())
    common = _header(lines[0], path)
    rows: dict[Trial, Row] = {}
    for number, line in enumerate(lines[1:], 2):
        row = _row(line, f"{path}:{number}", common)
        if row.trial in rows and rows[row.trial].measured:
            given = f"damaged trial table: {row.trial.name} again, which has a result already"
            raise DataError(given, "one result a trial", f"deleting that line, or {_ANEW}", f"{path}:{number}")
        rows[row.trial] = row
    told = f"{path}:{len(lines) + 1}: {counted(len(half), 'byte')} of a line that was never finished were cut off"
    return Contents(common, tuple(rows.values()), (told,) if half else (), len(content) - len(half))


def _header(line: bytes, path: Path) -> dict[str, str]:
    try:
        told = json.loads(line)
        version, common = told["trials"], dict(told["of"])
    except (ValueError, KeyError, TypeError) as error:
        raise _no_table(path) from error
    if version != VERSION:
        given = f"a trial table of version {version}"
        raise DataError(given, f"version {VERSION}", f"the Seqwise that wrote it, or {_ANEW}", f"{path}:1")
    return common


def _row(line: bytes, where: str, common: Mapping[str, str]) -> Row:
    """One line."""
    try:
        told = json.loads(line)
        row = _made(told)
        signature = told["signature"]
    except (ValueError, KeyError, TypeError, AttributeError, ConfigError) as error:
        given = f"truncated trial table: a line that is no row ({type(error).__name__})"
        raise DataError(given, "whole lines, one a trial", f"deleting that line, or {_ANEW}", where) from error
    if signature != signed(row.trial, common):
        given = f"damaged trial table: {row.trial.name} with the signature {signature} of another one"
        raise DataError(given, "trials of one table", f"deleting that line, or {_ANEW}", where)
    return row


def _made(told: dict[str, Any]) -> Row:
    trial = told["trial"]
    state, result = told["state"], told["result"]
    if (state, isinstance(result, dict)) not in (("MEASURED", True), ("ERROR", False)):
        raise ValueError("a state without its result")
    return Row(
        Trial(trial["seed"], trial["fraction"], trial["method"], dict(trial["more"])),
        state,
        float(told["seconds"]),
        str(told["started"]),
        str(told["host"]),
        result,
        str(told["error"]),
    )


def _line(row: Row, common: Mapping[str, str]) -> str:
    told = {"trial": asdict(row.trial), "signature": signed(row.trial, common)}
    rest = {name: getattr(row, name) for name in ("state", "seconds", "started", "host", "result", "error")}
    return json.dumps(told | rest, allow_nan=False)


def signed(trial: Trial, common: Mapping[str, str]) -> str:
    """Signature of a trial together with what it has in common with the others of its table."""
    told = json.dumps([dict(common), trial.key], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def _append(handle: int, path: Path, line: str) -> None:
    """A whole line on the disk, or none."""
    before = os.fstat(handle).st_size
    rest = memoryview(line.encode("ascii") + b"\n")
    try:
        while rest:
            rest = rest[os.write(handle, rest) :]
        os.fsync(handle)
    except OSError as error:
        with suppress(OSError):
            os.ftruncate(handle, before)
        raise _unwritable(path, error) from error


def _take(lock: int, folder: Path) -> None:
    """Hold the lock, or say who does."""
    if fcntl is not None:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(lock, 32, 0).decode(errors="replace").strip() or "unknown"
            given = f"process {holder} is running the trials in {folder}"
            raise DataError(given, "one at a time in a folder", "waiting until it ends, or another folder") from error
        except OSError:  # a file system without locks: better to work than to refuse
            return
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _no_table(path: Path) -> DataError:
    given = "truncated trial table: a first line that is none"
    return DataError(given, "a table that Seqwise began", f"{_ANEW}", f"{path}:1")


def _differing(there: Mapping[str, str], here: Mapping[str, str]) -> list[str]:
    """Names of what is not the same."""
    return [name for name in {**here, **there} if not _agree(there.get(name), here.get(name))]


def _agree(one: str | None, other: str | None) -> bool:
    """Whether both are the same, or the one that is known is at its default."""
    if one is None or other is None:
        return (one or other or "").endswith(DEFAULT)
    return one.removesuffix(DEFAULT) == other.removesuffix(DEFAULT)


def _other(path: Path, common: Mapping[str, str], signature: Mapping[str, str], name: str) -> DataError:
    """The first thing in which they differ."""
    told = f"{name} is {common.get(name, 'not known')} there and {signature.get(name, 'not known')} here"
    given = f"{path} holds trials of something else: {told}"
    return DataError(given, "trials of the same settings and data", _ANEW)


def _unwritable(path: Path, error: OSError) -> DataError:
    given = f"{path} cannot be written ({error.strerror or error})"
    return DataError(given, "a folder with room that this user may write in", "freeing room, or another folder")
