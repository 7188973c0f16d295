"""Means drawn anew, fast: bootstrap means of a column, and sums of which each item is taken or left by a coin.

    means     R bootstrap means of N values: N drawn with replacement for each
    sums      the same of the sums of N rows of counts
    halves    R sums over items of which each is taken with chance one half: sign flips and swaps of two systems
    flips     two-sided p of a sum so far from 0 if signs meant nothing
    middle    the percentile interval of drawn values

Nothing here is approximate: each draw has the distribution that N single draws would give it, by fewer steps.

    few values that differ    how often each is drawn is multinomial: one product with the values
    many values               a multinomial deals the N draws to blocks of 256 items; within a block 16 random bits take
                              two items at once, from a table of all 65,536 sums of two
    coins                     a random byte decides about eight items at once, by a table of their 256 sums

Resamples are made in runs of `RUN`, each with a generator of its own, spawned from the seed: the same numbers by any
number of threads. Left out: medians and what else is no function of sums, which `stats.resample` draws; whole clusters.

Tried and lost: an index for each item and a gather, four times slower; blocks of 32 with three
items at once, where dealing the draws to blocks takes longer than it saves.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from seqwise.errors import ConfigError
from seqwise.stats.blocks import cores
from seqwise.stats.permutation import TIED, flipped
from seqwise.stats.results import LEVEL, Interval
from seqwise.stats.statistic import summed

# N items, R resamples, C columns, L values that differ, B items of a block

SEED = 12345
RESAMPLES = 10_000
RUN = 1000  # resamples by one generator, for which tables are made once
STRETCH = 500  # resamples that are summed at once: what they draw of a block stays in the second cache
TABLES = 64  # of bytes, made at once
BLOCK = 256  # items: 16 bits are two places
FEW = 256  # values that differ, up to which they are counted and not drawn
SMALL = 2048  # items, up to which an index for each is fast enough
ROOM = 1 << 20  # indices drawn at a time where counts are summed
EXACT = 20  # items of which all sign flips are tried: a million
LEAST = 40  # resamples: fewer have no 95 % interval

Row = Float[np.ndarray, "R"]
Run = Callable[[np.random.Generator, int], np.ndarray]


def means(
    values: Float[np.ndarray, "N"], resamples: int = RESAMPLES, seed: int = SEED, threads: int | None = None
) -> Row:
    """Bootstrap means."""
    x = np.ascontiguousarray(values, dtype=np.float64)
    n, center = len(x), float(np.mean(values, dtype=np.float64))
    x = x - center  # small numbers add up to more digits
    levels, times = np.unique(x, return_counts=True)
    if len(levels) <= min(FEW, n // 8):
        shares = times / n

        def counted(generator: np.random.Generator, rows: int) -> np.ndarray:
            return generator.multinomial(n, shares, size=rows) @ levels  # (rows,)

        return center + _runs(counted, resamples, seed, threads) / n
    if n <= SMALL:
        return center + _runs(lambda generator, rows: _one_by_one(x, generator, rows), resamples, seed, threads) / n
    return center + _runs(lambda generator, rows: _two_by_two(x, generator, rows), resamples, seed, threads) / n


def sums(
    counts: Float[np.ndarray, "N C"], resamples: int = RESAMPLES, seed: int = SEED, threads: int | None = None
) -> Float[np.ndarray, "R C"]:
    """Bootstrap sums of counts: as many items, drawn with replacement."""
    n = len(counts)
    step = max(1, ROOM // n)

    def drawn(generator: np.random.Generator, rows: int) -> np.ndarray:
        some = [min(step, rows - begin) for begin in range(0, rows, step)]
        return np.concatenate([summed(counts, generator.integers(0, n, size=(row, n))) for row in some])

    return _runs(drawn, resamples, seed, threads)


def halves(
    parts: Float[np.ndarray, "N C"], resamples: int = RESAMPLES, seed: int = SEED, threads: int | None = None
) -> Float[np.ndarray, "R C"]:
    """Sums of the rows that a fair coin takes."""
    n, columns = parts.shape
    padded = np.zeros((-(-n // 8) * 8, columns))
    padded[:n] = parts
    eights = padded.reshape(-1, 8, columns)

    def tossed(generator: np.random.Generator, rows: int) -> np.ndarray:
        places = len(eights)
        words = generator.integers(0, 2**64, size=-(-places * rows // 8), dtype=np.uint64)
        coins = words.view(np.uint8)[: places * rows].reshape(places, rows)
        found = np.zeros((rows, columns))
        for begin in range(0, places, TABLES):
            tables = _subsets(eights[begin : begin + TABLES])
            for table, byte in zip(tables, coins[begin : begin + TABLES], strict=True):
                found += table.take(byte, axis=0, mode="wrap")
        return found

    return _runs(tossed, resamples, seed, threads)


def flips(
    differences: Float[np.ndarray, "N"], resamples: int = RESAMPLES, seed: int = SEED, threads: int | None = None
) -> tuple[float, bool]:
    """Two-sided p, and whether all flips were tried."""
    d = np.asarray(differences, dtype=np.float64)
    if len(d) <= EXACT:
        return flipped(d, resamples, seed, EXACT, 1)
    total = float(d.sum())
    edge = abs(total) - TIED * float(np.abs(d).sum())
    kept = halves(d[:, None], resamples, seed, threads)[:, 0]
    return (1 + int((np.abs(2 * kept - total) >= edge).sum())) / (1 + resamples), False


def middle(drawn: Row, level: float = LEVEL) -> Interval:
    """The middle of the drawn values."""
    tail = (1 - level) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return Interval(float(low), float(high), level)


def _runs(run: Run, resamples: int, seed: int, threads: int | None) -> np.ndarray:
    """All runs, each with its own generator, whoever does it."""
    if resamples < LEAST:
        raise ConfigError(f"{resamples} resamples", f"at least {LEAST}", f"{RESAMPLES:,}")
    sizes = [min(RUN, resamples - begin) for begin in range(0, resamples, RUN)]
    children = np.random.SeedSequence(seed).spawn(len(sizes))

    def one(place: int) -> np.ndarray:
        return run(np.random.Generator(np.random.SFC64(children[place])), sizes[place])

    workers = min(cores(threads), len(sizes))
    if workers == 1:
        return np.concatenate([one(place) for place in range(len(sizes))])
    with ThreadPoolExecutor(workers) as pool:
        return np.concatenate(list(pool.map(one, range(len(sizes)))))


def _one_by_one(x: Float[np.ndarray, "N"], generator: np.random.Generator, rows: int) -> Float[np.ndarray, "rows"]:
    return np.asarray(x[generator.integers(0, len(x), size=(rows, len(x)))].sum(1))


def _two_by_two(x: Float[np.ndarray, "N"], generator: np.random.Generator, rows: int) -> Float[np.ndarray, "rows"]:
    """Block by block, two items at once; a block of which an odd number is drawn gives one more by itself."""
    n = len(x)
    sizes = np.full(-(-n // BLOCK), BLOCK)
    sizes[-1] = n - BLOCK * (len(sizes) - 1)
    drawn = np.ascontiguousarray(generator.multinomial(n, sizes / n, size=rows).T)  # (blocks, rows)
    firsts = np.arange(0, n, BLOCK)
    alone = x[generator.integers(0, sizes[:, None], size=drawn.shape) + firsts[:, None]]  # (blocks, rows)
    found: Row = np.where(drawn % 2, alone, 0.0).sum(0)
    room = _Room.of(STRETCH * BLOCK)
    square = np.empty((BLOCK, BLOCK))
    for first, size, times in zip(firsts, sizes, drawn // 2, strict=True):
        block = x[first : first + size]
        table = np.add(block[:, None], block, out=square if size == BLOCK else None).reshape(-1)  # (B * B,)
        for begin in range(0, rows, STRETCH):
            found[begin : begin + STRETCH] += _pairs(table, times[begin : begin + STRETCH], generator, room)
    return found


@dataclass(frozen=True, eq=False)
class _Room:
    """Buffers that stay in the second cache."""

    places: Int[np.ndarray, "P"]
    values: Float[np.ndarray, "P"]

    @classmethod
    def of(cls, size: int) -> "_Room":
        return cls(np.empty(size, np.intp), np.empty(size))


def _pairs(
    table: Float[np.ndarray, "T"], times: Int[np.ndarray, "S"], generator: np.random.Generator, room: _Room
) -> Float[np.ndarray, "S"]:
    """For each of S resamples the sum of so many entries of the table."""
    ends, some = np.cumsum(times), np.flatnonzero(times)
    count, found = int(ends[-1]), np.zeros(len(times))
    if not count:
        return found
    if count > len(room.places):  # all draws but a few in one block: hardly ever
        room = _Room.of(count)
    places, values = room.places[:count], room.values[:count]
    if len(table) == 1 << 16:
        np.copyto(places, generator.bit_generator.random_raw(-(-count // 4)).view(np.uint16)[:count])
    else:
        np.copyto(places, generator.integers(0, len(table), size=count))
    table.take(places, out=values, mode="wrap")  # nothing to wrap: only the check is left out
    found[some] = np.add.reduceat(values, (ends - times)[some])
    return found


def _subsets(eights: Float[np.ndarray, "P 8 C"]) -> Float[np.ndarray, "P 256 C"]:
    """The sums of all sets of eight rows, by the bits of their number."""
    found = np.zeros((len(eights), 1, eights.shape[2]))
    for row in range(8):
        found = np.concatenate([found, found + eights[:, row : row + 1]], axis=1)
    return found
