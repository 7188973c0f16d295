"""Permutation tests: how often would chance alone make a difference so large, if labels or signs meant nothing?

    permutation   two samples: the labels are dealt anew        null: both come of the same distribution
    sign_flip     pairs: the signs of the differences are       null: a difference is as likely positive as negative

Exact where all arrangements can be tried: up to 100,000 ways to deal, up to 20 pairs (a million signs). Else so many
are drawn with a seed, and the one seen counts among them, so that p is never 0 (Phipson and Smyth 2010). Two-sided:
arrangements whose statistic is as far from 0 on either side.

Left out: more than two samples, blocks, one-sided tests.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, islice
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Shaped

from seqwise.errors import ConfigError
from seqwise.stats.means import student
from seqwise.stats.phrases import amount, between, chance
from seqwise.stats.power import satterthwaite
from seqwise.stats.resample import BATCH, DRAWS, bootstrap_difference
from seqwise.stats.results import LEVEL, Estimate, Grid, Interval, Test, ends_of, plain
from seqwise.stats.samples import Row, differing, flat, sample
from seqwise.stats.statistic import Function

# N items of both samples, M of the first, R arrangements

WAYS = 100_000
PAIRS = 20
TIED = 1e-10  # relative: sums in another order differ in their last bits


@dataclass(frozen=True)
class Rearranged:
    """A difference, and how often arrangements that mean nothing make one as large."""

    name: str
    """Of what differs, such as mean width."""
    names: tuple[str, str]
    arrangements: int
    exact: bool
    test: Test

    @property
    def differ(self) -> bool:
        """Whether p and interval agree that there is a difference."""
        interval = self.test.effect.interval
        return self.test.rejected and (interval is None or 0 not in interval)

    def sentences(self) -> tuple[str, ...]:
        """One, and what shakes it."""
        effect, (first, second) = self.test.effect, self.names
        way = "higher" if effect.value > 0 else "lower"
        by = amount(abs(effect.value), effect.unit)
        counts = " and ".join(f"{count:,}" for count in self.test.n.values())
        how = f"all {self.arrangements:,} arrangements" if self.exact else f"{self.arrangements:,} arrangements"
        end = f"{chance(self.test.p)} by {how}, n = {counts}"
        within = f", {between(effect.interval, effect.unit)}" if effect.interval else ""
        if self.differ:
            told = f"The {self.name} of {second} is {by} {way} than that of {first}{within}"
        else:
            seen = f"it is {by} {way}" if effect.value else "it is the same"
            told = f"Cannot tell whether the {self.name} of {second} differs from that of {first}: {seen}{within}"
        return (f"{told} ({end}).", *self.test.notes)

    def grids(self) -> tuple[Grid, ...]:
        """One row."""
        effect = self.test.effect
        cells = (self.test.name, effect.value, *ends_of(effect.interval), self.test.p, self.arrangements)
        return (Grid(effect.name, ("test", "difference", "low", "high", "p", "arrangements"), (cells,)),)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {**plain(self), "differ": self.differ}


def permutation(
    first: Shaped[np.ndarray, "N"],
    second: Shaped[np.ndarray, "M"],
    statistic: str | Function = "mean",
    draws: int = DRAWS,
    names: tuple[str, str] = ("first", "second"),
    name: str = "value",
    unit: str = "",
    level: float = LEVEL,
    seed: int = 0,
) -> Rearranged:
    """Two samples.

    statistic   mean, median, or a function of an array (R, N) to (R,): its difference is what is tested
    """
    function, told = _function(statistic)
    one, other = sample(first, names[0]), sample(second, names[1])
    x = np.concatenate([one, other])
    differing(x, f"{names[0]} and {names[1]}")
    x = x - x.mean() if statistic == "mean" else x  # the difference is the same, its last digits are better
    m, ways = len(one), math.comb(len(x), len(one))
    exact = ways <= WAYS
    _enough(draws)
    seen = float(function(x[None, m:])[0] - function(x[None, :m])[0])
    edge = abs(seen) - TIED * float(np.abs(x).max())
    beyond = 0
    for chosen in _dealt(len(x), m, exact, draws, seed):
        far = np.abs(function(_rest(x, chosen)) - function(x[chosen]))
        beyond += int((far >= edge).sum())
    p = beyond / ways if exact else (1 + beyond) / (1 + draws)
    interval = _welch(one, other, level)
    if statistic != "mean":
        interval = bootstrap_difference(one, other, function, names=names, level=level, seed=seed).estimate.interval
    test = Test(
        name="permutation test",
        null=f"{name} of {names[0]} and of {names[1]} have the same distribution",
        symbol="difference",
        statistic=seen,
        df=(),
        p=p,
        n={names[0]: m, names[1]: len(other)},
        effect=Estimate(f"{told} {name} of {names[1]} minus that of {names[0]}", seen, interval, unit),
        why="takes no shape of the values for granted",
        notes=_reach(1 / ways if m != len(other) else 2 / ways, level),
    )
    return Rearranged(f"{told} {name}", names, ways if exact else draws, exact, test)


def sign_flip(
    differences: Float[np.ndarray, "N"],
    draws: int = DRAWS,
    names: tuple[str, str] = ("first", "second"),
    name: str = "value",
    unit: str = "",
    level: float = LEVEL,
    seed: int = 0,
) -> Rearranged:
    """Pairs, by their differences second - first."""
    d = sample(differences, f"differences of {name}")
    n, mean = len(d), float(d.mean())
    _enough(draws)
    p, exact = flipped(d, draws, seed, PAIRS, BATCH)
    notes = list(_reach(2.0 ** (1 - n), level))
    interval = None
    if flat(d):
        notes.append(f"All differences are {amount(float(d[0]), unit)}: they tell nothing of how far chance carries.")
    else:
        interval = student(mean, float(d.std(ddof=1)) / math.sqrt(n), n - 1, level)
    test = Test(
        name="sign-flip permutation test",
        null=f"a difference of {name} between {names[0]} and {names[1]} is as likely positive as negative",
        symbol="mean",
        statistic=mean,
        df=(),
        p=p,
        n={"pairs": n},
        effect=Estimate(f"mean {name} of {names[1]} minus that of {names[0]}", mean, interval, unit),
        why="pairs, whose differences need no shape but symmetry",
        notes=tuple(notes),
    )
    return Rearranged(f"mean {name}", names, 2**n if exact else draws, exact, test)


def flipped(d: Row, draws: int, seed: int, pairs: int, batch: int) -> tuple[float, bool]:
    """Two-sided p that a sum so far from 0 comes of flipped signs, and whether all flips were tried: up to so many
    `pairs`; of more, `batch` signs are drawn at a time."""
    total = float(d.sum())
    edge = abs(total) - TIED * float(np.abs(d).sum())
    if len(d) <= pairs:
        sums = np.abs(d[:1])  # turning all signs at once changes nothing, so one of them stays
        for one in d[1:]:
            sums = np.concatenate([sums + one, sums - one])
        return float((np.abs(sums) >= edge).mean()), True
    kept = halves(d[:, None], draws, seed, batch)[:, 0]  # (R,)
    return (1 + int((np.abs(2 * kept - total) >= edge).sum())) / (1 + draws), False


def halves(parts: Float[np.ndarray, "N C"], draws: int, seed: int, batch: int) -> Float[np.ndarray, "R C"]:
    """Sums over items of which each is taken with chance one half. batch: items drawn at a time."""
    generator = np.random.default_rng(seed)
    n, sums = len(parts), np.empty((draws, parts.shape[1]))
    step = max(1, batch // n)
    for begin in range(0, draws, step):
        rows = min(step, draws - begin)
        bits = np.unpackbits(generator.integers(0, 256, (rows, -(-n // 8)), dtype=np.uint8), axis=1)[:, :n]  # (rows, N)
        sums[begin : begin + rows] = bits.astype(np.float64) @ parts
    return sums


def _dealt(n: int, m: int, exact: bool, draws: int, seed: int) -> Iterator[Int[np.ndarray, "R M"]]:
    """Places of the first sample, batch by batch."""
    step = max(1, BATCH // n)
    if exact:
        ways = combinations(range(n), m)
        while rows := list(islice(ways, step)):
            yield np.array(rows)
        return
    generator = np.random.default_rng(seed)
    for begin in range(0, draws, step):
        yield np.argsort(generator.random((min(step, draws - begin), n)), axis=1)[:, :m]


def _rest(x: Row, chosen: Int[np.ndarray, "R M"]) -> Float[np.ndarray, "R K"]:
    """What was not chosen."""
    left = np.ones((len(chosen), len(x)), dtype=bool)
    np.put_along_axis(left, chosen, False, axis=1)
    return np.broadcast_to(x, left.shape)[left].reshape(len(chosen), -1)


def _function(statistic: str | Function) -> tuple[Function, str]:
    if callable(statistic):
        return statistic, getattr(statistic, "__name__", "statistic")
    if statistic == "mean":
        return lambda rows: rows.mean(axis=-1), "mean"
    if statistic == "median":
        return lambda rows: np.median(rows, axis=-1), "median"
    raise ConfigError(f"statistic={statistic!r}", "mean, median or a function", "mean")


def _welch(one: Row, other: Row, level: float) -> Interval | None:
    """Of the difference of means; None where a sample has no spread of its own to tell it."""
    parts = [float(x.var(ddof=1)) / len(x) for x in (one, other)]
    if sum(parts) <= 0:
        return None
    df = satterthwaite(parts, (len(one), len(other)))
    return student(float(other.mean() - one.mean()), math.sqrt(sum(parts)), df, level)


def _reach(least: float, level: float) -> tuple[str, ...]:
    """Told where no arrangement of so few could be rare enough."""
    if least < 1 - level:
        return ()
    return (f"So few values cannot give less than {chance(least)}, whatever they are.",)


def _enough(draws: int) -> None:
    if draws < 99:
        raise ConfigError(f"draws={draws}", "99 or more", f"{DRAWS}")
