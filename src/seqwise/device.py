"""Where tensors live, how numbers are kept there, and what this machine is able to do.

Choices that change results (`pick`, `precision`) follow from names and processor flags alone, never from a
timing, so that every start of the same command on the same machine computes the same bits. `facts` may
measure: it only informs.

Left out: choosing among several accelerators of one process; torchrun gives each process its own.
"""

import ctypes
import os
import platform
import random
import shutil
import statistics
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import torch

from seqwise.errors import ConfigError, nearest

Precision = Literal["auto", "fp32", "bf16", "int8"]
_PROC = Path("/proc")
_CGROUP = Path("/sys/fs/cgroup")
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4  # malloc.h of glibc
_TOP_PAD = 64 << 20
"""Bytes by which the heap grows at once."""
_LARGE_PAGE, _MADV_HUGEPAGE = 2 << 20, 14  # bytes; linux/mman.h
_HEAP = 16 << 30
"""Addresses that are set aside for the heap in large pages, at most, and at most half of the memory that is free."""
_PRIMITIVES = "256"
"""Products that oneDNN keeps ready, each for one shape, with memory of their own: its usual 1,024 hold gigabytes."""
_RACE = 384
"""Width of the raced matrices: large enough to fill the cores, small enough for milliseconds."""


@dataclass(frozen=True)
class Facts:
    """What this machine has and can do."""

    torch: str
    """Version of torch."""
    devices: tuple[str, ...]
    """Accelerators by name; empty where there is only the processor."""
    processor: str
    threads: int
    """That torch uses."""
    cores: int
    """Physical ones that this process may run on."""
    limit: float | None
    """Processors that the container grants; None where it does not limit them."""
    amx: bool
    """Tile matrix unit for bf16."""
    avx512_bf16: bool
    bf16_gain: float
    """How many times faster a bf16 matrix product is than an fp32 one on the processor, measured just now."""
    memory: int
    """Bytes, of the machine or of the container, whichever is less."""
    available: int
    """Bytes of it that are free or can be freed."""
    disk: int
    """Bytes free where the path points."""

    @property
    def bf16_pays(self) -> bool:
        """Whether bf16 matrix products were measurably faster."""
        return self.bf16_gain > 1.1


def pick(name: str = "auto") -> torch.device:
    """The device of that name; "auto" is the first accelerator that works, else the processor.

    Under torchrun, "auto" and "cuda" mean the accelerator of this process (LOCAL_RANK).
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        close = nearest(name, ("auto", "cpu", "cuda", "mps")) or "auto"
        raise ConfigError(f"the device {name}", "auto, cpu, cuda, cuda:N or mps", close) from None
    if device.type == "cuda" and torch.cuda.is_available():
        index = int(os.environ.get("LOCAL_RANK", "0")) if device.index is None else device.index
        if index >= torch.cuda.device_count():
            last = torch.cuda.device_count() - 1
            raise ConfigError(f"the device cuda:{index}", f"a number up to {last}", f"cuda:{last}")
        return torch.device("cuda", index)
    if not (device.type == "cpu" or (device.type == "mps" and torch.backends.mps.is_available())):
        raise ConfigError(f"the device {name}", "an accelerator that torch finds here", "auto, or cpu")
    return device


def resolved(choice: Precision, device: torch.device) -> Literal["fp32", "bf16", "int8"]:
    """auto: bf16 where the hardware multiplies it: CUDA since Ampere, processors with AMX or AVX512-BF16."""
    if choice == "auto":
        return "bf16" if _multiplies_bf16(device) else "fp32"
    return choice


def precision(choice: Literal["auto", "fp32", "bf16"], device: torch.device) -> torch.dtype:
    """The type of activations and working weights."""
    return torch.bfloat16 if resolved(choice, device) == "bf16" else torch.float32


def seed(number: int) -> None:
    """Start every generator of random numbers that is drawn from: Python's, numpy's, torch's."""
    import numpy as np

    random.seed(number)
    np.random.seed(number % 2**32)  # libraries draw from the old generator
    torch.manual_seed(number)


def keep_memory(large_pages: bool = False) -> bool:
    """Tell glibc to keep freed memory, since fresh pages cost more than the arithmetic on them.

    A large buffer is otherwise mapped anew each time and every page of it faulted in: a bf16 product of
    4096 x 256 x 8000 ran five times slower into fresh memory than into memory used before. The price: what
    was needed once stays with the process. Returns whether it took effect; it does nothing elsewhere than on
    Linux with glibc.

    large_pages   ask for them too: a tenth faster for LSTMs that read many steps, nothing or slower for Transformers
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", _PRIMITIVES)
    if platform.system() != "Linux" or platform.libc_ver()[0] != "glibc":
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    mallopt.argtypes, mallopt.restype = (ctypes.c_int, ctypes.c_int), ctypes.c_int
    options = ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, -1), (_M_TOP_PAD, _TOP_PAD))
    kept = all(mallopt(option, value) == 1 for option, value in options)
    if kept and large_pages:
        _large_pages()
    return kept


@cache
def _large_pages() -> bool:
    """Let the heap grow by addresses only and ask for large pages behind all of them; whether the kernel agreed.

    A page that is touched first is faulted in and cleared, and of small ones a step touches tens of thousands. The heap
    must be there before large pages can be asked for, so it is grown at once to what may be needed; memory comes
    as it is touched, as always. Where the kernel counts addresses as memory, nothing is asked for.
    """
    if _read(_PROC / "sys" / "vm" / "overcommit_memory").strip() == "2":
        return False
    libc = ctypes.CDLL(None)
    libc.malloc.argtypes, libc.malloc.restype = (ctypes.c_size_t,), ctypes.c_void_p
    libc.free.argtypes, libc.free.restype = (ctypes.c_void_p,), None
    libc.sbrk.argtypes, libc.sbrk.restype = (ctypes.c_ssize_t,), ctypes.c_void_p
    libc.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    size = min(_HEAP, available() // (2 * int(os.environ.get("LOCAL_WORLD_SIZE", "1"))))
    begin = libc.malloc(size) if size else None
    if not begin:  # limits on addresses, or a kernel that promises no more than it has
        return False
    end, first = libc.sbrk(0) or 0, -(-begin // _LARGE_PAGE) * _LARGE_PAGE
    libc.free(begin)
    if not first < end <= begin + size + 2 * _TOP_PAD:  # it came from elsewhere than the heap
        return False
    return bool(libc.madvise(first, end - first, _MADV_HUGEPAGE) == 0)


def facts(path: Path = Path()) -> Facts:
    """Look at this machine, and at the disk where the path points. The race takes a tenth of a second."""
    memory, available = _memory()
    flags = _flags()
    return Facts(
        torch=torch.__version__,
        devices=tuple(torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())),
        processor=_cpuinfo("model name") or platform.processor() or platform.machine(),
        threads=torch.get_num_threads(),
        cores=_cores(),
        limit=_processor_limit(),
        amx="amx_bf16" in flags,
        avx512_bf16="avx512_bf16" in flags,
        bf16_gain=_race(),
        memory=memory,
        available=available,
        disk=shutil.disk_usage(_existing(path)).free,
    )


def available() -> int:
    """Bytes of memory that are free or can be freed, within the limits of the container; 0 where nobody tells."""
    return _memory()[1]


def _multiplies_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type == "cpu" and bool(_flags() & {"amx_bf16", "avx512_bf16"})


@cache
def _flags() -> frozenset[str]:
    """What the processor says it can do; empty where the system does not tell."""
    return frozenset((_cpuinfo("flags") or _cpuinfo("Features") or "").split())


def _cpuinfo(key: str) -> str | None:
    """The first value of that key."""
    return next((value for name, value in _cpulines() if name == key), None)


def _cpulines() -> list[tuple[str, str]]:
    pairs = (line.partition(":") for line in _read(_PROC / "cpuinfo").splitlines())
    return [(name.strip(), value.strip()) for name, _, value in pairs]


def _cores() -> int:
    """Physical cores, of those that this process may run on."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    package, cores = "0", set()
    for name, value in _cpulines():
        if name == "physical id":
            package = value
        elif name == "core id":
            cores.add((package, value))
    return min(allowed, len(cores)) if cores else allowed


def _processor_limit() -> float | None:
    """Processors that the control groups grant; None where none of them limits."""
    granted = [_read(group / "cpu.max").split() for group in _groups("")]
    granted += [
        [_read(group / "cpu.cfs_quota_us").strip(), _read(group / "cpu.cfs_period_us").strip()]
        for group in _groups("cpu")
    ]
    shares = [int(words[0]) / int(words[1]) for words in granted if len(words) == 2 and words[0].isdigit()]
    return min(shares, default=None)


def _memory() -> tuple[int, int]:
    """Total and available bytes, within the limits of the control groups."""
    table = _table(_PROC / "meminfo")
    total = table.get("MemTotal", 0) * 1024
    available = table.get("MemAvailable", table.get("MemFree", 0)) * 1024
    if not table and hasattr(os, "sysconf"):
        total = available = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limits = [(group, "memory.max", "memory.current", "inactive_file") for group in _groups("")]
    limits += [
        (group, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file") for group in _groups("memory")
    ]
    for group, most, used, cached in limits:
        limit = _read(group / most).strip()
        if limit.isdigit() and int(limit) < total:
            total = int(limit)
            spent = int(_read(group / used).strip() or 0)
            reclaimable = _table(group / "memory.stat").get(cached, 0)  # file pages, given up when needed
            available = min(available, max(0, total - spent + reclaimable))
    return total, available


def _groups(controller: str) -> list[Path]:
    """Folders of this process's control group and those around it: version 2 for no controller, else 1."""
    root = _CGROUP / controller
    for line in _read(_PROC / "self" / "cgroup").splitlines():
        _, names, path = line.split(":", 2)
        if controller in names.split(","):
            own = root / path.lstrip("/")
            return [place for place in (own, *own.parents) if place.is_relative_to(root)]
    return [root]


def _race() -> float:
    """Time of an fp32 matrix product over that of a bf16 one: medians of several, taken in turns."""
    times: dict[torch.dtype, list[float]] = {torch.float32: [], torch.bfloat16: []}
    operands = {kind: torch.ones(_RACE, _RACE, dtype=kind) for kind in times}
    deadline = time.perf_counter() + 0.15  # seconds
    while time.perf_counter() < deadline and len(times[torch.bfloat16]) < 30:
        for kind, matrix in operands.items():
            began = time.perf_counter()
            torch.mm(matrix, matrix)
            times[kind].append(time.perf_counter() - began)
    warm = {kind: statistics.median(taken[1:] or taken) for kind, taken in times.items()}  # the first is set-up
    return warm[torch.float32] / warm[torch.bfloat16]


def _existing(path: Path) -> Path:
    """The path, or the nearest folder above it that exists."""
    return next((place for place in (path, *path.absolute().parents) if place.exists()), Path("/"))


def _table(path: Path) -> dict[str, int]:
    """Numbers by name, as /proc and control groups write them: `MemTotal:  16384 kB`."""
    lines = (line.replace(":", " ").split() for line in _read(path).splitlines())
    return {words[0]: int(words[1]) for words in lines if len(words) > 1 and words[1].isdigit()}


def _read(path: Path) -> str:
    """The file's text; nothing where the system does not have it."""
    try:
        return path.read_text()
    except OSError:
        return ""
