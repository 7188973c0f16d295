"""How many different values passed by, where they are too many to hold: 16 KB in place of all of them.

HyperLogLog (Flajolet et al. 2007) with the estimator of Ertl (2017, arXiv:1702.01284, algorithm 6), which needs no
table of corrections and is unbiased from a handful to billions. Its standard error is 1.04 / sqrt(16,384) = 0.8 %.
"""

import math

import numpy as np
from jaxtyping import UInt64

PLACES = 14  # bits of the hash that choose a register
REST = 64 - PLACES
REGISTERS = 1 << PLACES
ERROR = 1.04 / math.sqrt(REGISTERS)


class Distinct:
    """Takes hashes in; tells about how many of them were different."""

    def __init__(self) -> None:
        self.registers = np.zeros(REGISTERS, dtype=np.uint8)

    def update(self, hashes: UInt64[np.ndarray, "N"]) -> None:
        """Hashes of 64 bits, all of them good."""
        place = (hashes >> np.uint64(REST)).astype(np.intp)
        rest = (hashes & np.uint64((1 << REST) - 1)).astype(np.float64)  # below 2^53, so exact
        rank = (REST + 1 - np.frexp(rest)[1]).astype(np.uint8)  # leading zeros and one
        np.maximum.at(self.registers, place, rank)

    def merge(self, other: "Distinct") -> None:
        """Take in what another has seen."""
        np.maximum(self.registers, other.registers, out=self.registers)

    def count(self) -> float:
        """About how many."""
        counts = np.bincount(self.registers, minlength=REST + 2)
        z = REGISTERS * _tau(1 - counts[REST + 1] / REGISTERS)
        for k in range(REST, 0, -1):
            z = 0.5 * (z + int(counts[k]))
        z += REGISTERS * _sigma(counts[0] / REGISTERS)
        return REGISTERS**2 / (2 * math.log(2) * z)


def _sigma(x: float) -> float:
    if x == 1:
        return math.inf
    y, z, before = 1.0, x, -1.0
    while z != before:
        x, before = x * x, z
        z += x * y
        y += y
    return z


def _tau(x: float) -> float:
    if x in (0.0, 1.0):
        return 0.0
    y, z, before = 1.0, 1 - x, -1.0
    while z != before:
        x, before = math.sqrt(x), z
        y *= 0.5
        z -= (1 - x) ** 2 * y
    return z / 3
