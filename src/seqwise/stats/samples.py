"""Samples, checked before anything is computed of them, and what their numbers are at a glance.

    sample       finite numbers in one row, enough of them; `varied`: not all the same, up to rounding
    squarable    the same, of which sums of squares can be told
    outcome      the same of a column of a table, whose fourth powers can be told; errors name rows
    flat         whether all values are the same               shape    skewness and excess kurtosis

A missing value is refused and not dropped: only the one who reads the table knows why it is missing, and in a series
its place counts. Labels of groups stand in `factors.py`, what a test takes for granted of a sample in `assumptions.py`.
"""

import math
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, Shaped

from seqwise.errors import DataError
from seqwise.stats.phrases import counted, number

# N values

Row = Float[np.ndarray, "_"]
"""Of any length: rows of one call need not be equally long."""
Groups = Mapping[str, Row]

ROUNDING = 8 * float(np.finfo(np.float64).eps)
"""Relative; values that differ by less are the same, computed in another order."""
HUGE = 1e150  # beyond it squares overflow; below its inverse they vanish
REACH = 1e70  # the same of fourth powers
SHOWN = 3  # places in an error


def numbers(
    values: Shaped[np.ndarray, "..."], name: str, mend: str = "another column, or correcting them"
) -> Float[np.ndarray, "..."]:
    """The values in float64, of any shape."""
    try:
        array = np.asarray(values)
        if array.dtype.kind in "fiubO":
            return array.astype(np.float64)
    except (TypeError, ValueError):
        pass
    raise DataError(f"texts in {name}", "numbers", mend)


def sample(
    values: Shaped[np.ndarray, "N"], name: str = "", least: int = 2, *, varied: bool = False
) -> Float[np.ndarray, "N"]:
    """The values in float64, or an error that says what is wrong with them.

    varied   refuse values that are all the same
    """
    called = name or "the sample"
    x = numbers(values, called)
    if x.ndim != 1:
        raise DataError(f"{x.ndim} dimensions in {called}", "one number an item", "one column at a time")
    bad = np.flatnonzero(~np.isfinite(x))
    if bad.size:
        given = f"{x[bad[0]]} as value {bad[0] + 1:,} of {called}" + (f", {bad.size:,} such" if bad.size > 1 else "")
        raise DataError(given, "finite numbers", "leaving out the rows that have none; in a series, filling the gaps")
    if len(x) < least:
        raise DataError(f"{counted(len(x), 'value')} of {called}", f"at least {least:,}", "more rows")
    if varied:
        differing(x, called)
    return x


def squarable(
    values: Shaped[np.ndarray, "N"], name: str = "", least: int = 2, *, varied: bool = True
) -> Float[np.ndarray, "N"]:
    """A sample neither too large nor, where it has to vary, too close to be squared."""
    x = sample(values, name, least, varied=varied)
    if np.abs(x).max() > HUGE or (varied and np.ptp(x) < 1 / HUGE):
        given = f"values from {x.min():g} to {x.max():g} of {name or 'the sample'}"
        raise DataError(given, "values and differences that can be squared", "another unit")
    return x


def outcome(values: Shaped[np.ndarray, "N"], name: str, least: int = 2) -> Float[np.ndarray, "N"]:
    """A column that groups or other columns may explain, a row for each item: it varies, and errors name rows."""
    x = numbers(values, name)
    if x.ndim != 1:
        raise DataError(f"{x.ndim} dimensions in {name}", "one row of numbers", "a single column of numbers")
    if len(x) < least:
        raise DataError(f"{len(x):,} values of {name}", f"{least:,} at least", "more rows")
    bad = np.flatnonzero(~np.isfinite(x))
    if bad.size:
        places = ", ".join(f"{place + 1:,}" for place in bad[:SHOWN])
        given = f"{bad.size:,} of {len(x):,} values of {name} missing or infinite (first: row {places})"
        raise DataError(given, "a finite number in each row", "leaving those rows out, if why they miss allows it")
    within_reach(x, name)
    varying(x, name, "values that differ", "another column; of a constant there is nothing to explain")
    return x


def within_reach(values: Float[np.ndarray, "..."], name: str) -> None:
    """Refuse numbers whose fourth powers no double holds."""
    size = float(np.abs(values).max(initial=0.0, where=np.isfinite(values)))
    if size and not 1 / REACH < size < REACH:
        raise DataError(f"{name} as large as {size:.0e}", "numbers between 1e-70 and 1e70", "another unit")


def varying(x: Float[np.ndarray, "N"], name: str, allowed: str, mend: str) -> None:
    """Refuse a column of a table that is the same in all rows."""
    if flat(x):
        raise DataError(f"{name} is {x[0]:g} in all {len(x):,} rows", allowed, mend)


def flat(x: Float[np.ndarray, "N"], scale: float = 0.0) -> bool:
    """Whether all values are the same up to rounding. scale: the size of what they were computed from."""
    return bool(np.ptp(x) <= ROUNDING * max(scale, float(np.abs(x).max())))


def differing(x: Float[np.ndarray, "N"], name: str, scale: float = 0.0) -> None:
    """An error where all values are the same: then nothing can be said about chance."""
    if flat(x, scale):
        given = f"all {len(x):,} values of {name} are {number(float(x[0]))}"
        raise DataError(given, "values that differ", "another column, or a finer measurement")


def shape(x: Float[np.ndarray, "N"]) -> tuple[float, float]:
    """Skewness g1 and excess kurtosis g2, nothing corrected, as scipy has them."""
    away = x - x.mean()
    square = np.square(away)
    variance = float(square.mean())
    return float((square * away).mean()) / variance**1.5, float(np.square(square).mean()) / variance**2 - 3


def shape_errors(n: int) -> tuple[float, float]:
    """The sd of g1 and of g2 over normal samples of n values, exact (Fisher 1930)."""
    skew = 6 * (n - 2) / ((n + 1) * (n + 3))
    kurtosis = 24 * n * (n - 2) * (n - 3) / ((n + 1) ** 2 * (n + 3) * (n + 5))
    return math.sqrt(skew), math.sqrt(kurtosis)


def scaled(x: Float[np.ndarray, "N"]) -> Float[np.ndarray, "N"]:
    """In sds from the mean (n in the denominator), of which no power overflows; of values that differ."""
    away = x - x.mean()
    away = away / np.abs(away).max()
    return np.asarray(away / math.sqrt(float(np.square(away).mean())))


def skewness(x: Float[np.ndarray, "N"]) -> float:
    """g1; 0 of what does not differ."""
    return 0.0 if flat(x) else shape(scaled(x))[0]
