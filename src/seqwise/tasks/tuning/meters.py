"""What a machine used, as far as it tells: time by the clock and of the processors, and energy.

    Readings     the clocks and the energy since the meters were started
    Meters       the clocks, and every counter of energy that this process may read

    /sys/class/powercap/intel-rapl:N/energy_uj      a processor package, microjoules, begins anew at its range
    libnvidia-ml.so.1, TotalEnergyConsumption       an NVIDIA card since its driver was loaded, millijoules

Both count all that runs there, other programs included. Counters of packages come round within the hour on a busy
machine, so that they are read at each step. Left out: what of a machine is neither processor nor card, its fans and
what cools the room; machines of other makers.
"""

import ctypes
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

POWERCAP = Path("/sys/class/powercap")
LIBRARY = "libnvidia-ml.so.1"
MICRO, MILLI = 1e-6, 1e-3
UNTOLD = "the machine has no counter of energy that may be read"


@dataclass(frozen=True)
class Readings:
    """Since the meters were started."""

    seconds: float
    """By the clock on the wall."""
    processor: float
    """Of all cores together, this process alone."""
    energy: float | None
    """Joules; None where no counter may be read."""

    def __add__(self, other: "Readings") -> "Readings":
        energy = None if self.energy is None or other.energy is None else self.energy + other.energy
        return Readings(self.seconds + other.seconds, self.processor + other.processor, energy)

    def __sub__(self, earlier: "Readings") -> "Readings":
        energy = None if self.energy is None or earlier.energy is None else self.energy - earlier.energy
        return Readings(self.seconds - earlier.seconds, self.processor - earlier.processor, energy)


class Counter:
    """A counter that rises, in joules, and may begin anew at its range."""

    def __init__(self, name: str, read: Callable[[], float], size: float | None = None) -> None:
        """size: joules at which it begins anew; None: never."""
        self.name, self.read, self.size = name, read, size
        self.last, self.used = read(), 0.0

    def joules(self) -> float:
        """Used since it was made; to be asked more often than it comes round."""
        now = self.read()
        step = now - self.last
        if step < 0:  # where it has no range it was set back, and what it had counted is lost
            step = step + self.size if self.size else 0.0
        self.last, self.used = now, self.used + max(0.0, step)
        return self.used


class Meters:
    """All that tells."""

    def __init__(self, where: torch.device) -> None:
        """where: what is computed on; an accelerator is read beside the processors."""
        self.counters = [*packages(), *(cards(where) if where.type == "cuda" else ())]
        self.began = time.monotonic(), time.process_time()

    def read(self) -> Readings:
        """Now."""
        wall, processor = self.began
        energy = sum(counter.joules() for counter in self.counters) if self.counters else None
        return Readings(time.monotonic() - wall, time.process_time() - processor, energy)


def packages(folder: Path = POWERCAP) -> list[Counter]:
    """Processor packages; their parts, such as intel-rapl:0:1, are counted in them already."""
    found = []
    for place in sorted(folder.glob("intel-rapl:*")):
        if place.name.count(":") > 1:
            continue
        try:  # since 2020 only the superuser may read them on most systems
            size = float((place / "max_energy_range_uj").read_text()) * MICRO
            found.append(Counter(place.name, _microjoules(place / "energy_uj"), size))
        except (OSError, ValueError):
            continue
    return found


def _microjoules(path: Path) -> Callable[[], float]:
    return lambda: float(path.read_text()) * MICRO


def cards(where: torch.device) -> Sequence[Counter]:
    """The NVIDIA card that is computed on; none where its library does not tell."""
    try:
        library = ctypes.CDLL(LIBRARY)
        known = f"GPU-{torch.cuda.get_device_properties(where).uuid}"
        return [Counter(known, nvidia(library, known))]
    except (OSError, AttributeError, RuntimeError):
        return ()


def nvidia(library: ctypes.CDLL, uuid: str) -> Callable[[], float]:
    """Joules of a card by its unique name; RuntimeError where it does not tell them."""
    handle = ctypes.c_void_p()
    _must(library.nvmlInit_v2())
    _must(library.nvmlDeviceGetHandleByUUID(uuid.encode(), ctypes.byref(handle)))

    def read() -> float:
        used = ctypes.c_ulonglong()
        _must(library.nvmlDeviceGetTotalEnergyConsumption(handle, ctypes.byref(used)))
        return used.value * MILLI

    return read


def _must(code: int) -> None:
    if code:
        raise RuntimeError(f"NVML says {code}")
