"""Writing that a kill, a crash or a full disk cannot leave half done.

A file is written beside its place under another name, forced to the disk, and only then renamed onto the
place: whoever opens it sees the old content or the new one, whole. A folder is filled under another name in
the same way. What a killed process leaves behind ends in `.part`, is read by nobody, and is swept away by
the next process that holds the folder's lock.

Nothing here knows what the bytes mean. Left out: appending (`training.journal` does that, line by line).
"""

import errno
import hashlib
import itertools
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from seqwise.errors import CheckpointError

PART = ".part"
DEVICES = (Path("/dev"), Path("/dev/fd"), Path("/proc/self/fd"))
MEGABYTE = 10**6
BLOCK = 1 << 20  # bytes hashed at a time

_ASIDE = re.compile(r"\.([^/\\]+)\.\d+-\d+\.part")
_numbers = itertools.count()  # two files on their way to the same place need two names


@contextmanager
def replacing(path: Path, needed: int) -> Iterator[BinaryIO]:
    """A file that takes the place of `path` once all of it is on the disk; if that fails, the old one stays.

    `needed` is the size in bytes, which the error of a full disk tells. What is no file but a device or a pipe, such
    as /dev/null, is written to and never replaced.
    """
    if _is_device(path):
        try:
            with open(path, "wb") as file:
                yield file
        except OSError as error:
            raise unwritable(path, error, needed) from error
        return
    part = _aside(path)
    try:
        with open(part, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
        _sync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            part.unlink()  # before the error is made, which tells how much is free
        raise unwritable(path, error, needed) from error
    finally:
        with suppress(OSError):
            part.unlink()


@contextmanager
def publishing(folder: Path) -> Iterator[Path]:
    """A new folder under another name, to be filled; it gets its own name once all of it is on the disk."""
    with filling(folder) as part:
        yield part
        _sync_folder(part)
        os.rename(part, folder)
        _sync_folder(folder.parent)


@contextmanager
def filling(folder: Path) -> Iterator[Path]:
    """A folder beside the place of another, for what shall go there. What is still in it at the end is deleted."""
    part = _aside(folder)
    try:
        make_folder(part)
        yield part
    except OSError as error:
        raise unwritable(folder, error, 0) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def move_in(part: Path, folder: Path, last: str) -> None:
    """All that is in a folder into another one that has content of its own; one of the names comes last."""
    for name in sorted(os.listdir(part), key=lambda name: (name == last, name)):
        os.replace(part / name, folder / name)
    _sync_folder(folder)


def make_folder(path: Path) -> None:
    """Make the folder and those above it, where they are missing."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(path, error, 0) from error


def must_be_writable(folder: Path) -> None:
    """Refuse a folder, there or not, that could not be made or written to; hours of work may lie before that."""
    place = folder.absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    code = errno.EACCES if place.is_dir() else errno.ENOTDIR
    if code == errno.ENOTDIR or not os.access(place, os.W_OK | os.X_OK):
        raise unwritable(folder, OSError(code, os.strerror(code)), 0)


def discard(path: Path) -> None:
    """Delete a file or a folder such that a kill in the middle leaves nothing that looks complete."""
    part = _aside(path)
    try:
        os.rename(path, part)
        if part.is_dir() and not part.is_symlink():
            shutil.rmtree(part)
        else:
            part.unlink()
    except OSError as error:
        raise CheckpointError(
            given=f"{path} cannot be deleted ({error.strerror})",
            allowed="a folder that this user may change",
            mend=f"chmod u+w {path.parent}, or another folder",
        ) from error


def is_left_over(name: str) -> bool:
    """Whether a file or folder of this name was on its way to its place when its process was killed."""
    return _ASIDE.fullmatch(name) is not None


def sweep(folder: Path) -> None:
    """Delete what killed processes left half written. Only for the one that holds the folder's lock."""
    for left in folder.glob(f".*{PART}"):
        if not is_left_over(left.name):
            continue
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left, ignore_errors=True)
        else:
            with suppress(OSError):
                left.unlink()


def hash_file(path: str | Path) -> str:
    """SHA-256 of the content, in hexadecimal, as `sha256sum` prints it."""
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while block := file.read(BLOCK):
                digest.update(block)
    except OSError as error:
        raise CheckpointError(
            given=f"{path} cannot be read ({error.strerror})",
            allowed="a file that this user may read",
            mend="another path, or chmod u+r",
        ) from error
    return digest.hexdigest()


def unwritable(path: Path, error: OSError, needed: int) -> CheckpointError:
    """The one line for a file that could not be written, the mend chosen by what the system said."""
    place = _ASIDE.sub(r"\1", str(path))
    reason = f"{place} cannot be written ({error.strerror or error})"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        free = _free(path)
        return CheckpointError(
            given=f"{reason}: {free / MEGABYTE:,.1f} MB are free",
            allowed=f"{_told(needed)} on that disk",
            mend="freeing room there, or a folder on another disk; what was there before is intact",
        )
    if error.errno == errno.EFBIG:
        return CheckpointError(
            given=reason,
            allowed=f"leave to write a file of {_told(needed)}" if needed else "leave to write larger files",
            mend="a higher `ulimit -f`, or a file system for large files; what was there before is intact",
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return CheckpointError(
            given=reason,
            allowed="a folder in which this user may write",
            mend=f"chmod u+w {path.parent}, or another folder",
        )
    return CheckpointError(given=reason, allowed="a folder that can be written", mend="another folder")


def _told(needed: int) -> str:
    """A size; 0 is one that is not known, since another library writes."""
    if not needed:
        return "more room"
    return f"{needed / MEGABYTE:,.1f} MB" if needed >= MEGABYTE / 10 else f"{needed:,} bytes"


def _aside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}-{next(_numbers)}{PART}")


def _is_device(path: Path) -> bool:
    """Whether there is something that is neither file nor folder. /dev/stdout never is, wherever it leads."""
    return path.parent in DEVICES or (path.exists() and not (path.is_file() or path.is_dir()))


def _sync_folder(folder: Path) -> None:
    """Force the names of a folder to the disk: without it, a renaming may be lost with the power."""
    with suppress(OSError):  # some network file systems cannot; the content is on the disk all the same
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _free(path: Path) -> int:
    existing = next((folder for folder in path.parents if folder.exists()), Path("."))
    try:
        return shutil.disk_usage(existing).free
    except OSError:
        return 0
