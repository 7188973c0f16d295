"""(x - center) * inverse, column by column, in pieces that stay in the cache, by several threads.

float64 as written. float32 in its own type, as ((x - hi) - lo) * inverse with center = hi + lo: near the center x - hi
is exact (Sterbenz 1974), so that what is left is the rounding of one subtraction and one product, 2^-23 together.

Left out: dividing by the scale, which is right to the last bit and takes longer; the product is within one bit of it.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from seqwise.errors import ConfigError
from seqwise.stats.blocks import lanes, quiet

# N rows, C columns, S rows side by side, W = S * C

CHUNK = 2**18  # bytes that are changed at once: with what they come of, half of the second cache of most machines
WORTH = 2**20  # numbers from which threads pay


@dataclass(frozen=True, eq=False)
class Affine:
    """The change of each column."""

    center: Float[np.ndarray, "C"]
    inverse: Float[np.ndarray, "C"]
    narrow: bool
    """float32 to float32; else all becomes float64."""

    def apply(self, x: np.ndarray, out: np.ndarray | None, threads: int) -> np.ndarray:
        """Of any shape whose last axis is that of the columns, or of one column; into `out`, which may be x."""
        kind = np.dtype(np.float32 if self.narrow else np.float64)
        if out is not None and (out.shape != x.shape or out.dtype != kind):
            raise ConfigError(f"out of {out.dtype} {out.shape}", f"{kind} {x.shape}", "np.empty_like(x), or no out")
        if self.narrow and not self._fits():
            wide = Affine(self.center, self.inverse, False).apply(x.astype(np.float64), None, threads)
            return _stored(wide.astype(kind), out)
        result = out if out is not None and out.flags.c_contiguous else np.empty(x.shape, kind)
        columns = len(self.center)
        source, target = x.reshape(-1, columns), result.reshape(-1, columns)  # (N, C)
        side = lanes(columns)
        whole = len(source) // side * side
        with quiet():
            shape = (-1, side * columns)
            self._run(source[:whole].reshape(shape), target[:whole].reshape(shape), side, threads)
            self._run(source[whole:], target[whole:], 1, 1)
        return _stored(result, out)

    def _fits(self) -> bool:
        """Whether float32 has numbers for the scales."""
        with quiet():
            inverse = self.inverse.astype(np.float32)
        return bool((np.isfinite(inverse) & ((inverse != 0) == (self.inverse != 0))).all())

    def _run(self, source: np.ndarray, target: np.ndarray, side: int, threads: int) -> None:
        """Long rows of `side` rows each."""
        kind = target.dtype.type
        high = self.center.astype(kind)
        low = (self.center - high).astype(kind)
        tiles = [np.tile(part, side) for part in (high, low, self.inverse.astype(kind))]  # (W,) each
        hi, lo, inverse = (tile if len(high) > 1 else kind(tile[0]) for tile in tiles)  # a scalar is read but once
        exact = not low.any()
        step = max(1, CHUNK // (target.itemsize * max(1, source.shape[1])))

        def change(first: int, last: int) -> None:
            for at in range(first, last, step):
                piece = target[at : min(last, at + step)]
                np.subtract(source[at : min(last, at + step)], hi, out=piece)
                if not exact:
                    np.subtract(piece, lo, out=piece)
                np.multiply(piece, inverse, out=piece)

        if threads == 1 or source.size < WORTH:
            change(0, len(source))
            return
        cuts = [len(source) * part // threads for part in range(threads + 1)]
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(change, cuts[:-1], cuts[1:]))


def _stored(result: np.ndarray, out: np.ndarray | None) -> np.ndarray:
    if out is None or out is result:
        return result
    out[...] = result
    return out
