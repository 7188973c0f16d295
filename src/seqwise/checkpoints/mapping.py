"""Weights used where they lie in a file: mapped into memory, read from the disk when they are first used.

    mapped(file, [(begin, end)])                one stretch of bytes
    mapped(file, [(begin, end), (begin, end)])  several, side by side in memory though they lie apart in the file

Queries, keys and values lie apart in the hub's files and are multiplied as one matrix here. Pages of a file can stand
anywhere in memory, in any order, so nothing needs to be copied for that but what shares a page: where one stretch ends
and the next begins, a few kilobytes of a page of its own. All stretches must begin at the same place within a page and
be whole pages long, as matrices of real models are.

As with every mapped file: it may be replaced or deleted meanwhile, but not shortened in place. Writing changes memory
and not the file.
"""

import ctypes
import mmap
import os
import sys
import weakref
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

PAGE = mmap.ALLOCATIONGRANULARITY
_MAP_FIXED, _MAP_NORESERVE = 0x10, 0x4000  # of Linux; Python's mmap does not name them
_FAILED = ctypes.c_void_p(-1).value

Stretch = tuple[int, int]
"""The first byte in the file, and the one after the last."""


def mapped(file: Path, stretches: Sequence[Stretch]) -> Tensor | None:
    """The bytes of all stretches, in their order, shape (bytes,); None where they cannot be had without a copy."""
    if any(end <= begin for begin, end in stretches):
        return None
    if len(stretches) == 1:
        return _one(file, *stretches[0])
    begins = {begin % PAGE for begin, _ in stretches}
    whole = all((end - begin) % PAGE == 0 for begin, end in stretches)
    if sys.platform != "linux" or len(begins) > 1 or not whole:
        return None
    return _joined(file, stretches, begins.pop())


def _one(file: Path, begin: int, end: int) -> Tensor:
    start = begin // PAGE * PAGE
    with open(file, "rb") as opened:
        window = mmap.mmap(opened.fileno(), end - start, access=mmap.ACCESS_COPY, offset=start)
    return torch.frombuffer(window, dtype=torch.uint8, offset=begin - start)  # which keeps the window open


def _joined(file: Path, stretches: Sequence[Stretch], offset: int) -> Tensor | None:
    """Pages of each stretch behind those of the one before; `offset` is where in its page each begins."""
    size = sum(end - begin for begin, end in stretches) + (PAGE if offset else 0)
    calls = _calls()
    room = calls.mmap(None, size, _ACCESS, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_NORESERVE, -1, 0)
    if room in (None, _FAILED):
        return None
    whole = (ctypes.c_uint8 * size).from_address(room)
    weakref.finalize(whole, calls.munmap, room, size).atexit = False  # at the end of the process others still read
    at = 0
    handle = os.open(file, os.O_RDONLY)
    try:
        for begin, end in stretches:
            shared = PAGE if offset and at else 0  # the page in which the one before ends is there already
            first, last = begin - offset + shared, -(-end // PAGE) * PAGE
            flags = mmap.MAP_PRIVATE | _MAP_FIXED
            if first < last and calls.mmap(room + at + shared, last - first, _ACCESS, flags, handle, first) == _FAILED:
                return None
            if shared:
                head = os.pread(handle, PAGE - offset, begin)
                ctypes.memmove(room + at + offset, head, len(head))
            at += end - begin
    finally:
        os.close(handle)
    return torch.frombuffer(whole, dtype=torch.uint8, offset=offset)[:at]  # which keeps the room


_ACCESS = mmap.PROT_READ | mmap.PROT_WRITE


def _calls() -> ctypes.CDLL:
    """The C library's mmap and munmap, which take an address."""
    library = ctypes.CDLL(None, use_errno=True)
    library.mmap.restype = ctypes.c_void_p
    library.mmap.argtypes = [
        ctypes.c_void_p,
        ctypes.c_size_t,
        ctypes.c_int,
        ctypes.c_int,
        ctypes.c_int,
        ctypes.c_longlong,
    ]
    library.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    return library
