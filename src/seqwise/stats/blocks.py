"""Sums of powers of a block of rows, and how those of two blocks become those of both.

    summarize(rows, work, out, ...)     a leaf of at most `leaf_rows` rows: read once, then kept in the second cache
    central(sums) -> states             of many leaves at once
    merge(a, b) -> state                of two neighbours, or of many pairs at once
    tree(states) -> state               neighbours in pairs, pairs of pairs, ...; an odd one goes up as it is

A state is a float64 array (5, C): n, mean, rest, m2, missing; or (9, C): also minimum, maximum, m3, m4. mj is the sum
of (x - mean)^j; the rest is what float64 leaves over of the mean. Without it the difference of two means, and with it
m2 of both, loses digits where the mean is large beside the sd. The order of all additions follows from the number of
rows and columns alone, so that threads cannot change a bit.

What keeps the digits: each leaf is shifted by its own pilot, the mean of some of its rows, before anything is squared
(the textbook's E[x²] - E[x]² has lost all digits where mean/sd is 10^8); a pilot and not the mean, as that would read
the rows twice. Rows that are all equal give m2 = 0 to the last bit. Merging: Chan, Golub and LeVeque 1983 for m2;
Pébay 2008, eq. 2.1 and 3.1, for m3 and m4.

Tried and lost: BLAS for the sums, a third less time, but its own threads change the order of the additions.
"""

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from seqwise.errors import DataError

# R rows of a leaf, C columns, K = 5 or 9 numbers a column, J = K + 1, L leaves, W = lanes * C

N, MEAN, REST, M2, MISSING, LOW, HIGH, M3, M4 = range(9)
STATE = {2: 5, 4: 9}
"""Numbers a column, by order."""
LEAF = {2: 2**17, 4: 2**16}  # numbers in a leaf, about, by order: with the squares that four moments need, a MiB of
# float64. Less spends more time between the sums than in them
LANE = 1024  # numbers that are added at once: a vector that stays in the first cache
FEWEST = 64  # rows in a leaf, however many columns
PILOT = 32  # rows that make the pilot, spread over the leaf: each is fetched from memory by itself, so more cost time


def lanes(columns: int) -> int:
    """Rows that lie side by side in one long row, so that few columns are added as fast as many."""
    return 1 << ((LANE - 1) // columns).bit_length()


def leaf_rows(columns: int, order: int) -> int:
    """Rows in a leaf: a power of two that nothing but the number of columns and of moments decides."""
    return max(FEWEST, 1 << round(math.log2(max(1.0, LEAF[order] / columns))))


def cores(asked: int | None) -> int:
    """Threads: those that were asked for, or as many as this process may use."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()  # macOS has none
    return max(1, asked or allowed or 1)


@dataclass(frozen=True, eq=False)
class Work:
    """Room for one thread's leaf."""

    rows: Float[np.ndarray, "R C"]
    squares: Float[np.ndarray, "Q C"]
    """Q = R; 0 for two moments, which need none."""
    tile: Float[np.ndarray, "lanes C"]
    """The pilot, repeated."""
    order: int

    @classmethod
    def of(cls, columns: int, order: int) -> "Work":
        """For leaves of so many columns; the squares are needed for four moments only."""
        shape = (leaf_rows(columns, order), columns)
        return cls(
            np.empty(shape), np.empty(shape if order > 2 else (0, columns)), np.empty((lanes(columns), columns)), order
        )


def quiet() -> np.errstate:
    """Powers that float64 cannot hold are told once, at the end, by column."""
    return np.errstate(over="ignore", under="ignore", invalid="ignore")


def summarize(rows: np.ndarray, work: Work, out: Float[np.ndarray, "J C"], start: int, names: tuple[str, ...]) -> None:
    """Sums about a pilot of a leaf of 1 to `leaf_rows` rows; `start` is its place in the data, which a refusal names.

    J is K + 1: as a state, but with the pilot for the mean, sums of powers about it, and their first one at the end.
    """
    out[N], out[MEAN], out[REST], out[MISSING] = len(rows), _pilot(rows), 0.0, 0.0
    if work.order > 2:
        out[LOW], out[HIGH] = _ends(rows, len(work.tile))
    _sum(_shift(rows, out[MEAN], work), work, out)
    if not math.isfinite(np.add.reduce(out[-1])):
        _summarize_gaps(rows, work, out, start, names)


def _pilot(rows: np.ndarray) -> Float[np.ndarray, "C"]:
    """Where the rows are, about; of equal rows exactly their value."""
    first = rows[0].astype(np.float64)
    some = rows[:: max(1, len(rows) // PILOT)] - first
    mean: Float[np.ndarray, "C"] = first + np.add.reduce(some) / len(some)
    return mean


def _ends(rows: np.ndarray, side: int) -> Iterator[Float[np.ndarray, "C"]]:
    """The least and the largest of each column."""
    whole = len(rows) // side * side
    wide = np.ascontiguousarray(rows[:whole]).reshape(-1, side * rows.shape[1])
    for of in (np.minimum, np.maximum):
        lane = of.reduce(wide).reshape(side, -1) if whole else rows[:0]
        yield of.reduce(np.concatenate([lane, rows[whole:]]))


def _shift(rows: np.ndarray, pilot: Float[np.ndarray, "C"], work: Work) -> Float[np.ndarray, "L W"]:
    """Less the pilot, in lanes; rows of zeros fill the last of them."""
    side, columns = work.tile.shape
    padded = -(-len(rows) // side) * side
    shifted = work.rows[:padded]
    wide = shifted.reshape(-1, side * columns)  # (R / lanes, W)
    work.tile[:] = pilot
    tile = work.tile.reshape(-1) if columns > 1 else pilot[0]  # a scalar is read but once
    if padded == len(rows) and rows.dtype == np.float64 and rows.flags.c_contiguous:
        np.subtract(rows.reshape(wide.shape), tile, out=wide)
        return wide
    shifted[: len(rows)] = rows  # a narrow type by itself: numpy's casting while it subtracts takes longer
    wide -= tile
    shifted[len(rows) :] = 0.0
    return wide


def _sum(wide: Float[np.ndarray, "L W"], work: Work, out: Float[np.ndarray, "J C"]) -> None:
    """The first two or four powers, down the lanes and then over them."""
    for place, lane in _powers(wide, work):
        np.add.reduce(lane.reshape(-1, out.shape[1]), out=out[place])


def _summarize_gaps(
    rows: np.ndarray, work: Work, out: Float[np.ndarray, "J C"], start: int, names: tuple[str, ...]
) -> None:
    """The same where values are missing: each gap is filled with the pilot, which adds nothing to any sum."""
    filled = rows.astype(np.float64)
    missing = np.isnan(filled)
    _refuse_infinite(filled, missing, start, names)
    count = (~missing).sum(axis=0)  # (C,)
    first = np.take_along_axis(filled, missing.argmin(axis=0)[None], axis=0)[0]  # that is there
    first[count == 0] = 0.0
    np.copyto(filled, first, where=missing)
    pilot = first + np.add.reduce(filled - first) / np.maximum(count, 1)
    out[N], out[MEAN], out[MISSING] = count, pilot, len(rows) - count
    if work.order > 2:
        out[LOW] = np.where(count > 0, filled.min(axis=0), np.inf)
        out[HIGH] = np.where(count > 0, filled.max(axis=0), -np.inf)
    np.copyto(filled, pilot, where=missing)
    _sum(_shift(filled, pilot, work), work, out)


def _refuse_infinite(
    rows: Float[np.ndarray, "R C"], missing: Bool[np.ndarray, "R C"], start: int, names: tuple[str, ...]
) -> None:
    bad = ~(np.isfinite(rows) | missing)
    if not bad.any():
        return
    row, column = (int(place) for place in np.argwhere(bad)[0])
    given = f"{rows[row, column]} in {named(names, column)}, row {start + row + 1:,}"
    raise DataError(given, "finite numbers", "leaving this row out, or NaN for a value that is missing")


def named(names: tuple[str, ...], column: int) -> str:
    """A column for a sentence."""
    return f'column "{names[column]}"' if names else f"column {column + 1}"


def _powers(wide: Float[np.ndarray, "L W"], work: Work) -> Iterator[tuple[int, Float[np.ndarray, "P"]]]:
    """Sums of the first two or four powers, in P parts a column, and the row of each."""
    products = _across if work.tile.shape[1] == 1 else _down
    yield -1, np.add.reduce(wide)
    if work.order == 2:
        yield M2, products(wide, wide)
        return
    squares = work.squares.reshape(-1)[: wide.size].reshape(wide.shape)
    np.multiply(wide, wide, out=squares)
    yield M2, np.add.reduce(squares)
    yield M3, products(squares, wide)
    yield M4, products(squares, squares)


def _down(a: Float[np.ndarray, "L W"], b: Float[np.ndarray, "L W"]) -> Float[np.ndarray, "W"]:
    """Sums of the products down the lanes."""
    found: Float[np.ndarray, "W"] = np.einsum("ij,ij->j", a, b)
    return found


def _across(a: Float[np.ndarray, "L W"], b: Float[np.ndarray, "L W"]) -> Float[np.ndarray, "L"]:
    """The same along each long row, where all of it is one column: dot products too short for BLAS to share among its
    threads, in two thirds of the time."""
    found: Float[np.ndarray, "L"] = np.matmul(a[:, None], b[:, :, None]).reshape(-1)
    return found


def central(sums: Float[np.ndarray, "L J C"]) -> Float[np.ndarray, "L K C"]:
    """States, from sums about the pilot to sums about the mean, which is `off` away."""
    n, second = sums[:, N], sums[:, M2]  # (L, C)
    states = sums[:, :-1] + 0.0  # no -0 among the ends, which is equal to 0 and has other bits
    with quiet():
        off = sums[:, -1] / np.maximum(n, 1)
        states[:, MEAN], states[:, REST] = _two(sums[:, MEAN], off)
        states[:, M2] = np.maximum(second - sums[:, -1] * off, 0.0)
        if states.shape[1] > M3:
            third = sums[:, M3]
            states[:, M3] = third - 3 * off * second + 2 * n * off**3
            states[:, M4] = np.maximum(sums[:, M4] - 4 * off * third + 6 * off**2 * second - 3 * n * off**4, 0.0)
    return states


def _two(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """a + b, and what rounding took from it, exactly (Knuth's two-sum)."""
    both = a + b
    added = both - a
    return both, (a - (both - added)) + (b - added)


def merge(a: Float[np.ndarray, "*L K C"], b: Float[np.ndarray, "*L K C"]) -> Float[np.ndarray, "*L K C"]:
    """Both together. With d = mean_b - mean_a and n = n_a + n_b:

    m2 = m2_a + m2_b + d² n_a n_b / n
    m3 = m3_a + m3_b + d³ n_a n_b (n_a - n_b) / n² + 3 d (n_a m2_b - n_b m2_a) / n
    m4 = m4_a + m4_b + d⁴ n_a n_b (n_a² - n_a n_b + n_b²) / n³
         + 6 d² (n_a² m2_b + n_b² m2_a) / n² + 4 d (n_a m3_b - n_b m3_a) / n
    """
    na, nb, ma, mb = a[..., N, :], b[..., N, :], a[..., MEAN, :], b[..., MEAN, :]
    n = na + nb
    total = np.maximum(n, 1.0)
    pa, pb = na / total, nb / total  # shares: products of counts would leave the whole numbers float64 has
    ra, rb = a[..., REST, :], b[..., REST, :]
    d = (mb - ma) + (rb - ra)
    out = np.empty_like(a)
    out[..., N, :] = n
    mean, rest = _two(ma, ra + d * pb)
    out[..., MEAN, :], out[..., REST, :] = np.where(na > 0, mean, mb), np.where(na > 0, rest, rb)
    out[..., M2, :] = a[..., M2, :] + b[..., M2, :] + d * d * (na * pb)
    out[..., MISSING, :] = a[..., MISSING, :] + b[..., MISSING, :]
    if a.shape[-2] > M3:
        out[..., LOW, :] = np.minimum(a[..., LOW, :], b[..., LOW, :])
        out[..., HIGH, :] = np.maximum(a[..., HIGH, :], b[..., HIGH, :])
        m2a, m2b, m3a, m3b = a[..., M2, :], b[..., M2, :], a[..., M3, :], b[..., M3, :]
        both = na * pb
        out[..., M3, :] = m3a + m3b + d**3 * both * (pa - pb) + 3 * d * (pa * m2b - pb * m2a)
        sixth = 6 * d**2 * (pa * pa * m2b + pb * pb * m2a)
        m4 = a[..., M4, :] + b[..., M4, :] + d**4 * both * (pa * pa - pa * pb + pb * pb)
        out[..., M4, :] = m4 + sixth + 4 * d * (pa * m3b - pb * m3a)
    return out


def tree(states: Float[np.ndarray, "*G L K C"]) -> Float[np.ndarray, "*G K C"]:
    """All in one, neighbours first; of several groups at once, where there is a leading axis."""
    while (count := states.shape[-3]) > 1:
        even = count // 2 * 2
        with quiet():
            pairs = merge(states[..., 0:even:2, :, :], states[..., 1:even:2, :, :])
        states = np.concatenate([pairs, states[..., even:, :, :]], axis=-3)
    return states[..., 0, :, :]
