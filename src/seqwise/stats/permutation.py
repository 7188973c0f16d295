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
from scipy.special import stdtrit

from seqwise.errors import ConfigError
from seqwise.stats.digits import amount, between
from seqwise.stats.given import Row, row, same
from seqwise.stats.resample import BATCH, DRAWS, bootstrap_difference
from seqwise.stats.results import LEVEL, Estimate, Grid, Interval, Test, chance, plain
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
        ends = (effect.interval.low, effect.interval.high) if effect.interval else (None, None)
        cells = (self.test.name, effect.value, *ends, self.test.p, self.arrangements)
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
    one, other = row(first, names[0], varied=False), row(second, names[1], varied=False)
    x = row(np.concatenate([one, other]), f"{names[0]} and {names[1]}")
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
    d = row(differences, f"differences of {name}", varied=False)
    n, mean, flat = len(d), float(d.mean()), same(d)
    _enough(draws)
    exact = n <= PAIRS
    edge = abs(float(d.sum())) - TIED * float(np.abs(d).sum())
    if exact:
        sums = np.abs(d[:1])  # turning all signs at once changes nothing, so one of them stays
        for one in d[1:]:
            sums = np.concatenate([sums + one, sums - one])
        p = float((np.abs(sums) >= edge).mean())
    else:
        p = (1 + _flipped(d, edge, draws, seed)) / (1 + draws)
    notes = list(_reach(2.0 ** (1 - n), level))
    interval = None
    if flat:
        notes.append(f"All differences are {amount(float(d[0]), unit)}: they tell nothing of how far chance carries.")
    else:
        half = float(stdtrit(n - 1, (1 + level) / 2)) * float(d.std(ddof=1)) / math.sqrt(n)
        interval = Interval(mean - half, mean + half, level)
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


def _flipped(d: Row, edge: float, draws: int, seed: int) -> int:
    """Draws of signs whose sum is as far from 0."""
    generator = np.random.default_rng(seed)
    total, beyond, step = float(d.sum()), 0, max(1, BATCH // len(d))
    for begin in range(0, draws, step):
        rows = min(step, draws - begin)
        bits = generator.integers(0, 256, (rows, -(-len(d) // 8)), dtype=np.uint8)
        kept = np.unpackbits(bits, axis=1)[:, : len(d)].astype(np.float64) @ d  # (rows,)
        beyond += int((np.abs(2 * kept - total) >= edge).sum())
    return beyond


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
    a, b = (float(sample.var(ddof=1)) / len(sample) for sample in (one, other))
    if a + b <= 0:
        return None
    df = (a + b) ** 2 / (a * a / (len(one) - 1) + b * b / (len(other) - 1))
    half = float(stdtrit(df, (1 + level) / 2)) * math.sqrt(a + b)
    gap = float(other.mean() - one.mean())
    return Interval(gap - half, gap + half, level)


def _reach(least: float, level: float) -> tuple[str, ...]:
    """Told where no arrangement of so few could be rare enough."""
    if least < 1 - level:
        return ()
    return (f"So few values cannot give less than {chance(least)}, whatever they are.",)


def _enough(draws: int) -> None:
    if draws < 99:
        raise ConfigError(f"draws={draws}", "99 or more", f"{DRAWS}")
