"""Values with the labels of their groups: what an analysis of variance is made of, checked once before it starts.

Labels may be texts or numbers; groups stand in sorted order. A missing value or label is refused and not dropped, as
only the one who reads the table knows why it is missing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Shaped

from seqwise.errors import DataError

# N values, K groups of M values each

Labels = Sequence[Any] | Shaped[np.ndarray, "N"]
SHOWN = 3  # places in an error
REACH = 1e70
ROUNDING = 8 * float(np.finfo(np.float64).eps)
"""Relative; values that differ by less are the same, computed in another order."""


def finite(values: Shaped[np.ndarray, "N"], name: str = "value", least: int = 2) -> Float[np.ndarray, "N"]:
    """The values in float64; refused where too few, not finite or all the same."""
    array = np.asarray(values)
    if array.ndim != 1 or array.dtype.kind not in "fiub":
        given = f"{name} of shape {array.shape} and type {array.dtype}"
        raise DataError(given, "one row of numbers", "a single column of numbers")
    array = array.astype(np.float64)
    if len(array) < least:
        raise DataError(f"{len(array):,} values of {name}", f"{least:,} at least", "more rows")
    bad = np.flatnonzero(~np.isfinite(array))
    if len(bad):
        places = ", ".join(f"{place + 1:,}" for place in bad[:SHOWN])
        given = f"{len(bad):,} of {len(array):,} values of {name} missing or infinite (first: row {places})"
        raise DataError(given, "a finite number in each row", "leaving those rows out, if why they miss allows it")
    within_reach(array, name)
    if still(array):
        given = f"{name} is {array[0]:g} in all {len(array):,} rows"
        raise DataError(given, "values that differ", "another column; of a constant there is nothing to explain")
    return array


def within_reach(values: Float[np.ndarray, "..."], name: str) -> None:
    """Refuse numbers whose fourth powers no double holds."""
    size = float(np.abs(values).max(initial=0.0, where=np.isfinite(values)))
    if size and not 1 / REACH < size < REACH:
        raise DataError(f"{name} as large as {size:.0e}", "numbers between 1e-70 and 1e70", "another unit")


def still(values: Float[np.ndarray, "N"]) -> bool:
    """Whether all values are the same, up to the last bits."""
    return bool(np.ptp(values) <= ROUNDING * float(np.abs(values).max()))


@dataclass(frozen=True, eq=False)
class Factor:
    """Labels as places in a sorted list of names."""

    name: str
    levels: tuple[str, ...]
    codes: Int[np.ndarray, "N"]

    @property
    def counts(self) -> Int[np.ndarray, "K"]:
        """Rows of each level."""
        return np.asarray(np.bincount(self.codes, minlength=len(self.levels)))


def factor(labels: Labels, name: str, rows: int, least: int = 2) -> Factor:
    """Sorted names and codes; refused where a label is missing, where lengths differ, or there are too few groups."""
    array = labels if isinstance(labels, np.ndarray) else _array(labels)
    if array.ndim != 1 or len(array) != rows:
        given = f"{rows:,} values and {len(array) if array.ndim else 0:,} labels of {name}"
        raise DataError(given, "one label for each value", "columns of the same table")
    missing = absent(array)
    if missing.any():
        given = (
            f"{int(missing.sum()):,} of {rows:,} labels of {name} missing (first: row {int(missing.argmax()) + 1:,})"
        )
        raise DataError(given, "a label in each row", "leaving those rows out, or a label of their own for them")
    if array.dtype.kind == "O":
        array = np.array([str(one) for one in array])
    levels, codes = np.unique(array, return_inverse=True)
    names = tuple(f"{level:g}" if array.dtype.kind == "f" else str(level) for level in levels)
    if len(set(names)) < len(names):  # 1.0000001 and 1
        names = tuple(str(level) for level in levels)
    if len(levels) < least:
        given = f"{len(levels):,} group{'s' * (len(levels) != 1)} in {name}" + (f" ({names[0]})" if names else "")
        raise DataError(given, f"{least} at least", "another column to group by")
    return Factor(name, names, codes.reshape(-1))


def absent(array: Shaped[np.ndarray, "N"]) -> Shaped[np.ndarray, "N"]:
    """Which labels are None or not a number."""
    if array.dtype.kind == "f":
        return np.asarray(np.isnan(array))
    if array.dtype.kind == "O":
        return np.array([one is None or one != one for one in array], dtype=bool)
    return np.zeros(len(array), dtype=bool)


def _array(labels: Sequence[Any]) -> Shaped[np.ndarray, "N"]:
    """Numbers stay numbers, so that 10 comes after 9; all else is kept as it is."""
    if all(isinstance(one, int | float) and not isinstance(one, bool) for one in labels):
        return np.array(labels, dtype=np.float64)
    array = np.empty(len(labels), dtype=object)
    array[:] = list(labels)
    return array


def split(values: Float[np.ndarray, "N"], groups: Factor) -> tuple[Float[np.ndarray, "_"], ...]:
    """The values of each group, in the order of the levels."""
    order = np.argsort(groups.codes, kind="stable")
    return tuple(np.split(values[order], np.cumsum(groups.counts)[:-1]))
