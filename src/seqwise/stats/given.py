"""Values in the order in which they came: what charts, series and resampling are made of, checked before anything runs.

A missing value is refused and not dropped: in a series its place counts. So is a row of equal values, as of nothing
that varies can variation be told; equal means up to rounding.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from seqwise.errors import DataError
from seqwise.stats.results import number

# N values, K subgroups

ROUNDING = 8 * float(np.finfo(np.float64).eps)  # relative: differences below it come from how values were computed
Labels = Sequence[Any] | Shaped[np.ndarray, "_"]
Row = Float[np.ndarray, "_"]
"""Of any length: rows of one call need not be equally long."""


def row(values: Shaped[np.ndarray, "N"], name: str = "values", least: int = 2, varied: bool = True) -> Row:
    """The values in float64, or an error that says what is wrong with them.

    varied   refuse values that are all the same
    """
    x = np.asarray(values)
    if x.ndim != 1 or x.dtype.kind not in "fiub":
        raise DataError(f"{name} of shape {x.shape} and type {x.dtype}", "one row of numbers", "one column of numbers")
    x = x.astype(np.float64)
    bad = np.flatnonzero(~np.isfinite(x))
    if len(bad):
        given = f"{name} missing or infinite at {len(bad):,} of {len(x):,} places, first at value {bad[0] + 1:,}"
        raise DataError(given, "finite numbers", "filling the gaps, or leaving them out where order does not matter")
    if len(x) < least:
        raise DataError(f"{len(x):,} value{'s' * (len(x) != 1)} of {name}", f"at least {least:,}", "more rows")
    if varied and same(x):
        raise DataError(
            f"all {len(x):,} values of {name} are {number(float(x[0]))}", "values that differ", "other values"
        )
    return x


def same(x: Row, scale: float = 0.0) -> bool:
    """Whether nothing differs but by rounding. scale: the size of what the values were computed from."""
    return bool(np.ptp(x) <= ROUNDING * max(scale, float(np.abs(x).max())))


def grouped(x: Row, labels: Labels, name: str) -> tuple[list[Row], tuple[str, ...]]:
    """The values of each label, and the labels, in the order in which they first come up."""
    if len(labels) != len(x):
        given = f"{len(x):,} values of {name} and {len(labels):,} labels"
        raise DataError(given, "one label for each value", "columns of the same table")
    places: dict[Any, list[int]] = {}
    for place, label in enumerate(np.asarray(labels).tolist() if isinstance(labels, np.ndarray) else labels):
        if label is None or label != label:
            raise DataError(
                f"no label for value {place + 1:,} of {name}", "a label for each value", "a label of its own"
            )
        places.setdefault(label, []).append(place)
    return [x[found] for found in places.values()], tuple(str(label) for label in places)
