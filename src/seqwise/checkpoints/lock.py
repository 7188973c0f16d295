"""One trainer at a time in a folder: an advisory lock on a file, which the system drops with its holder.

However a process ends, its lock ends with it, so a lock is never stale and a killed run can be resumed at
once. The number of the process stands in the file for people only. Left out: Windows, and file systems
without locks, where two trainings in one folder are the user's own care.
"""

import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seqwise.checkpoints.files import unwritable
from seqwise.errors import CheckpointError

# the module stands on Unix only
fcntl = importlib.import_module("fcntl") if importlib.util.find_spec("fcntl") else None


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock `path`; refuse at once where another process holds it."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise unwritable(path, error, 0) from error
    try:
        _take(handle, path)
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(handle)  # the file stays: deleting it would let two others hold a lock of the same name


def _take(handle: int, path: Path) -> None:
    if fcntl is None:
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(handle, 32, 0).decode(errors="replace").strip() or "unknown"
        raise CheckpointError(
            given=f"process {holder} is training in {path.parent}",
            allowed="one training at a time in a folder",
            mend="waiting until it ends, or --out with another name",
        ) from error
    except OSError:  # a file system without locks: better to train than to refuse
        return
