"""What comes in, as rows of numbers: numpy arrays, torch tensors, polars and Arrow columns and tables.

    as_rows(x) -> Rows      (N, C) numbers as they are stored, how finely each column is stored, names where it has any
    as_numbers(x) -> Rows   the same, of any shape

No library is imported for it: a tensor is what can be detached, a table what names its columns, a column what turns
into numpy. Missing values become NaN. Numbers keep their type, so that float32 is not copied before its time.

Left out: texts, times and complex numbers, which are refused. Whole numbers beyond 2^53 are rounded to float64.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from seqwise.errors import DataError

# N rows, C columns

BFLOAT16 = 2.0**-7
"""Distance of 1 to the next larger number, which numpy has no type for."""
_FIXED = "fiub"  # kinds of numpy types that are numbers


@dataclass(frozen=True, eq=False)
class Rows:
    """Numbers, and what their type can tell apart."""

    values: np.ndarray
    """Of any type of numbers, NaN where missing: (N, C) of `as_rows`, any shape of `as_numbers`."""
    step: Float[np.ndarray, "C"]
    """Distance of 1 to the next larger number of the stored type; 0 for float64 and whole numbers."""
    names: tuple[str, ...] = ()
    """Of the columns, where the table names them."""


def as_rows(x: Any) -> Rows:
    """One column (N,) or several (N, C) of numbers."""
    given = as_numbers(x)
    values = given.values[:, None] if given.values.ndim == 1 else given.values  # (N, C)
    if values.ndim != 2 or not values.shape[1]:
        shape = "×".join(map(str, values.shape)) or "a single value"
        raise DataError(f"numbers of shape {shape}", "one column (N) or a table (N×C)", "x.reshape(len(x), -1)")
    return Rows(values, given.step, given.names)


def as_numbers(x: Any) -> Rows:
    """Numbers of any shape; the last axis is that of the columns, unless there is but one axis."""
    step = None
    if hasattr(x, "detach"):  # torch
        x = x.detach().cpu()
        if str(x.dtype) == "torch.bfloat16":
            x, step = x.float(), BFLOAT16
        x = x.numpy()
    elif columns := _columns_of(x):
        parts = [_numbers(column) for column in columns.values()]
        return Rows(np.column_stack(parts), np.array([_step(part) for part in parts]), tuple(columns))
    values = _numbers(x)
    count = values.shape[-1] if values.ndim > 1 else 1
    return Rows(values, np.full(count, _step(values) if step is None else step))


def _columns_of(x: Any) -> dict[str, Any]:
    """Columns by name of a polars DataFrame, an Arrow table or a record batch; none of anything else."""
    if hasattr(x, "column_names"):  # Arrow
        return {str(name): x.column(place) for place, name in enumerate(x.column_names)}
    if hasattr(x, "get_columns"):  # polars
        return {column.name: column for column in x.get_columns()}
    return {}


def _step(values: np.ndarray) -> float:
    """0 for whole numbers and for what is stored as finely as we compute."""
    narrow = values.dtype.kind == "f" and values.dtype.itemsize < 8
    return float(np.finfo(values.dtype).eps) if narrow else 0.0


def _numbers(x: Any) -> np.ndarray:
    """As numpy, in the type it has if that is one of numbers."""
    if isinstance(x, np.ma.MaskedArray):
        return np.where(np.ma.getmaskarray(x), np.nan, np.asarray(x.data, dtype=np.float64))
    if hasattr(x, "to_numpy"):
        try:
            x = x.to_numpy(zero_copy_only=False)  # Arrow, which else refuses missing values
        except TypeError:
            x = x.to_numpy()
    values = np.asarray(x)
    if values.dtype.kind in _FIXED:
        return values
    if values.dtype.kind == "O" and all(item is None or isinstance(item, (int, float)) for item in values.flat):
        return values.astype(np.float64)  # None becomes NaN
    raise DataError(f"values of type {values.dtype}", "numbers", "leaving this column out, or turning it into numbers")
