"""Labels of groups: what values are compared by, checked once before anything starts.

    factor     sorted names and codes        split      the values of each group, in that order
    grouped    the values of each label in the order in which labels come up, as subgroups and clusters do

Labels may be texts or numbers. A missing label is refused and not dropped, as only the one who reads the table knows
why it is missing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Shaped

from seqwise.errors import DataError
from seqwise.stats.samples import Row

# N values, K groups of M values each

Labels = Sequence[Any] | Shaped[np.ndarray, "_"]


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


def split(values: Float[np.ndarray, "N"], groups: Factor) -> tuple[Row, ...]:
    """The values of each group, in the order of the levels."""
    order = np.argsort(groups.codes, kind="stable")
    return tuple(np.split(values[order], np.cumsum(groups.counts)[:-1]))


def grouped(x: Row, labels: Labels, name: str) -> tuple[list[Row], tuple[str, ...]]:
    """The values of each label, and the labels, in the order in which they first come up."""
    if len(labels) != len(x):
        given = f"{len(x):,} values of {name} and {len(labels):,} labels"
        raise DataError(given, "one label for each value", "columns of the same table")
    places: dict[Any, list[int]] = {}
    for place, label in enumerate(labels.tolist() if isinstance(labels, np.ndarray) else labels):
        if label is None or label != label:
            raise DataError(
                f"no label for value {place + 1:,} of {name}", "a label for each value", "a label of its own"
            )
        places.setdefault(label, []).append(place)
    return [x[found] for found in places.values()], tuple(str(label) for label in places)
