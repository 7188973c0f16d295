"""Shares of items that are one way or the other: how sure one is, and whether two differ.

    wilson  clopper_pearson  jeffreys    interval of one share; Wald's is not here, it is no interval near 0 and 1
    score_interval                       Wilson's of a share of items that count for fewer, as they depend on each other
    none_seen                            the largest share that n items without a case leave open: rule of three, exact
    newcombe                             difference of two independent shares, from Wilson's (Newcombe 1998, method 10)
    tango                                difference of two paired shares: score interval (Tango 1998)
    paired_above  paired_interval        the same as they are told: of few pairs by its own distribution (`fewpairs.py`)
    mcnemar                              p of the same: exact, or mid-p (Fagerland, Lydersen and Laake 2013)
    share  independent_shares  paired_shares    the same as results, with null hypothesis and effect

Low-level functions count in shares of 1; results tell differences in points of a hundred. An effect is the first group
minus the second; of pairs `gained` are those where only the first is so, `lost` where only the second is.

Left out: several pairs of the same item (clusters), and shares adjusted for a third quantity.
"""

from dataclasses import dataclass
from math import exp, inf, log, sqrt
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool
from scipy.special import bdtr, betaincinv, ndtr, ndtri

from seqwise.errors import ConfigError, DataError
from seqwise.stats import fewpairs
from seqwise.stats.assumptions import INDEPENDENT
from seqwise.stats.crossing import crossing
from seqwise.stats.phrases import number, percent
from seqwise.stats.power import pairs_effect, proportions_effect
from seqwise.stats.results import LEVEL, Assumption, Estimate, Grid, Interval, Test, ends_of, plain
from seqwise.stats.telling import apart, granted, tested

EXPECTED = 5.0  # items in each cell, below which chi-square is no good guide
POINTS = "points"
"""Of a hundred: the unit of differences of shares."""
How = Literal["wilson", "jeffreys", "exact"]


def wilson(hits: float, n: int, level: float = LEVEL) -> Interval:
    """Score interval of a share (Wilson 1927): the shares that a score test does not refuse."""
    _counted(hits, n)
    return score_interval(hits / n, n, level)


def score_interval(share: float, n: float, level: float = LEVEL) -> Interval:
    """The same of a share of as many independent items, which need be no whole number."""
    z = float(ndtri((1 + level) / 2))
    shrink = 1 + z * z / n
    middle = (share + z * z / (2 * n)) / shrink
    half = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / shrink
    low, high = max(0.0, middle - half), min(1.0, middle + half)
    return Interval(0.0 if share == 0 else low, 1.0 if share == 1 else high, level)


def clopper_pearson(hits: int, n: int, level: float = LEVEL) -> Interval:
    """Exact interval: covers at least as often as it says, mostly more often (Clopper and Pearson 1934)."""
    _counted(hits, n)
    tail = (1 - level) / 2
    low = float(betaincinv(hits, n - hits + 1, tail)) if hits else 0.0
    high = float(betaincinv(hits + 1, n - hits, 1 - tail)) if hits < n else 1.0
    return Interval(low, high, level)


def jeffreys(hits: int, n: int, level: float = LEVEL) -> Interval:
    """Bayes' interval with Jeffreys' prior; from 0 where no item is a hit, to 1 where all are (Brown et al. 2001)."""
    _counted(hits, n)
    tail = (1 - level) / 2
    low = float(betaincinv(hits + 0.5, n - hits + 0.5, tail)) if hits else 0.0
    high = float(betaincinv(hits + 0.5, n - hits + 0.5, 1 - tail)) if hits < n else 1.0
    return Interval(low, high, level)


def none_seen(n: float, level: float = LEVEL) -> float:
    """The largest share that is not refused where none of n items is a hit, one-sided; about 3 / n at 95 %."""
    _counted(0, n)
    return -float(np.expm1(np.log1p(-level) / n))


def newcombe(first: tuple[int, int], second: tuple[int, int], level: float = LEVEL) -> Interval:
    """Interval of the difference of two independent shares, each (hits, n)."""
    one, other = wilson(*first, level), wilson(*second, level)
    p, q = first[0] / first[1], second[0] / second[1]
    down, up = sqrt((p - one.low) ** 2 + (other.high - q) ** 2), sqrt((one.high - p) ** 2 + (q - other.low) ** 2)
    return Interval(max(-1.0, p - q - down), min(1.0, p - q + up), level)


def mcnemar(gained: int, lost: int, exact: bool = False) -> float:
    """Two-sided p that pairs which differ fall so unequally by chance; mid-p, or exact, which is never below it."""
    both, less = gained + lost, min(gained, lost)
    if not both:
        return 1.0
    tail = 2 * float(bdtr(less, both, 0.5))
    if not exact:
        tail -= float(bdtr(less, both, 0.5)) - (float(bdtr(less - 1, both, 0.5)) if less else 0.0)
    return min(1.0, tail)


def tango_variance(gained: float, lost: float, n: float, difference: float) -> float:
    """Of gained - lost, if the true difference of paired shares is `difference`: by the likeliest shares of that."""
    b = -gained - lost + (2 * n - gained + lost) * difference
    c = -lost * difference * (1 - difference)
    q = (sqrt(max(0.0, b * b - 8 * n * c)) - b) / (4 * n)  # the share lost, as likely as it can be
    return n * (2 * q + difference * (1 - difference))


def tango_statistic(gained: float, lost: float, n: float, difference: float) -> float:
    """Score statistic, standard normal if the true difference of paired shares is `difference`."""
    variance = tango_variance(gained, lost, n, difference)
    excess = gained - lost - n * difference
    if variance > 0:
        return excess / sqrt(variance)
    return float(np.sign(excess)) * inf if excess else 0.0


def tango(gained: int, lost: int, n: int, level: float = LEVEL) -> Interval:
    """Interval of (gained - lost) / n: the differences that the score test does not refuse."""
    pairs(gained, lost, n)
    z, middle = float(ndtri((1 + level) / 2)), (gained - lost) / n

    def statistic(difference: float) -> float:
        return tango_statistic(gained, lost, n, difference)

    return Interval(crossing(statistic, -1.0, middle, z), crossing(statistic, middle, 1.0, -z), level)


def paired_above(gained: int, lost: int, n: int, difference: float) -> float:
    """One-sided p that the true difference of paired shares is `difference` or less, by Tango's statistic."""
    pairs(gained, lost, n)
    if n <= fewpairs.FEW:
        return fewpairs.above(gained, lost, n, difference)
    return float(ndtr(-tango_statistic(gained, lost, n, difference)))


def paired_interval(gained: int, lost: int, n: int, level: float = LEVEL) -> Interval:
    """The differences that neither side of it refuses."""
    pairs(gained, lost, n)
    return fewpairs.interval(gained, lost, n, level) if n <= fewpairs.FEW else tango(gained, lost, n, level)


def paired_name(n: int) -> str:
    """What that interval is called."""
    few = n <= fewpairs.FEW
    return f"Tango's score interval{', by all that so few pairs could have shown' if few else ''}"


def share(hits: int, n: int, *, name: str = "share", how: How = "wilson", level: float = LEVEL) -> Estimate:
    """One share with its interval."""
    kinds = {"wilson": wilson, "jeffreys": jeffreys, "exact": clopper_pearson}
    if how not in kinds:
        raise ConfigError(f"how={how!r}", ", ".join(kinds), "wilson")
    return Estimate(name, hits / n if n else 0.0, kinds[how](hits, n, level))


@dataclass(frozen=True)
class Shares:
    """Two shares compared."""

    name: str
    """What is counted, such as "heads"."""
    names: tuple[str, str]
    shares: tuple[Estimate, Estimate]
    test: Test

    def sentences(self) -> tuple[str, ...]:
        """Which share is larger and by how much; what no case at all leaves open."""
        test = self.test
        found = test.rejected
        told = apart(
            self.names,
            f"the share of {self.name}",
            test.effect,
            found=found,
            detectable=None if found else test.detectable,
        )
        empty = [
            f"No {self.name} among {n:,} of {group}: up to {percent(none_seen(n))} is still possible (95 %, one-sided)."
            for group, n, seen in zip(self.names, self._counts(), self.shares, strict=True)
            if seen.value == 0
        ]
        return (told, *empty)

    def _counts(self) -> tuple[int, ...]:
        counts = tuple(self.test.n.values())
        return counts if len(counts) == 2 else counts * 2

    def grids(self) -> tuple[Grid, ...]:
        """Both shares with their intervals."""
        rows = tuple(
            (group, n, seen.value, *ends_of(seen.interval))
            for group, n, seen in zip(self.names, self._counts(), self.shares, strict=True)
        )
        shown = Grid(f"Share of {self.name}", ("group", "n", "share", "low", "high"), rows, "Wilson's intervals")
        return shown, tested(self.test), granted(self.test)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {**plain(self), "test": self.test.to_dict(), "sentences": list(self.sentences())}


def independent_shares(
    first: tuple[int, int],
    second: tuple[int, int],
    names: tuple[str, str] = ("first", "second"),
    *,
    name: str = "hits",
    level: float = LEVEL,
) -> Shares:
    """Shares of two groups of different items, each (hits, n)."""
    (a, m), (b, n) = first, second
    both = newcombe(first, second, level)
    value, middle = a / m - b / n, (a + b) / (m + n)
    few = min(middle, 1 - middle) * min(m, n) < EXPECTED
    if few:
        from scipy.stats import fisher_exact  # half a second, which not everybody should wait for

        statistic, p = value, float(fisher_exact([[a, m - a], [b, n - b]]).pvalue)
    else:
        error = sqrt(middle * (1 - middle) * (1 / m + 1 / n))
        statistic = value / error
        p = float(2 * ndtr(-abs(statistic)))
    least = proportions_effect(middle, (m, n), level=level) if 0 < middle < 1 else inf
    test = Test(
        name="Fisher's exact test" if few else "score test of two shares",
        null=f"the share of {name} is the same in {names[0]} and {names[1]}",
        symbol="difference" if few else "z",
        statistic=statistic,
        df=(),
        p=p,
        n={names[0]: m, names[1]: n},
        effect=Estimate(f"share in {names[0]} minus share in {names[1]}", 100 * value, both.hundredfold, POINTS),
        size=_odds(a, m - a, b, n - b, level),
        why="two groups of different items" + (", too few for chi-square" if few else ""),
        assumptions=(_expected(min(middle, 1 - middle) * min(m, n)), INDEPENDENT),
        detectable=Estimate("difference found four times in five", 100 * least, None, POINTS) if least <= 1 else None,
        notes=("The interval is Newcombe's, from Wilson's of both shares.",),
    )
    return Shares(name, names, (share(a, m, level=level), share(b, n, level=level)), test)


def paired_shares(
    first: Bool[np.ndarray, "N"],
    second: Bool[np.ndarray, "M"],
    names: tuple[str, str] = ("first", "second"),
    *,
    name: str = "hits",
    exact: bool = False,
    level: float = LEVEL,
) -> Shares:
    """Shares of the same items under two conditions."""
    if len(first) != len(second) or not len(first):
        given = f"{len(first):,} items of {names[0]} and {len(second):,} of {names[1]}"
        raise DataError(given, "the same items for both, at least one", "comparing them as groups of different items")
    n = len(first)
    gained, lost = int((first & ~second).sum()), int((second & ~first).sum())
    changed = (gained + lost) / n
    least = pairs_effect(n, changed, level=level)
    test = Test(
        name=f"McNemar's {'exact' if exact else 'mid-p'} test",
        null=f"an item that is so in only one of {names[0]} and {names[1]} is as likely so in either",
        symbol="gained - lost",
        statistic=float(gained - lost),
        df=(),
        p=mcnemar(gained, lost, exact),
        n={"pairs": n},
        effect=Estimate(
            f"share in {names[0]} minus share in {names[1]}",
            100 * (gained - lost) / n,
            paired_interval(gained, lost, n, level).hundredfold,
            POINTS,
        ),
        size=Estimate("share of pairs that differ", changed, wilson(gained + lost, n, level)),
        why="the same items twice: only those that change tell the two apart",
        assumptions=(INDEPENDENT,),
        detectable=Estimate("difference found four times in five", 100 * least, None, POINTS) if least <= 1 else None,
        notes=(f"{gained:,} pairs are so only in {names[0]}, {lost:,} only in {names[1]}; {paired_name(n)}.",),
    )
    seen = (share(int(x.sum()), n, level=level) for x in (first, second))
    return Shares(name, names, (next(seen), next(seen)), test)


def _odds(a: int, b: int, c: int, d: int, level: float) -> Estimate | None:
    """Odds ratio with Woolf's interval; none where a cell is empty."""
    if not min(a, b, c, d):
        return None
    ratio = log(a) + log(d) - log(b) - log(c)
    half = float(ndtri((1 + level) / 2)) * sqrt(1 / a + 1 / b + 1 / c + 1 / d)
    return Estimate("odds ratio", exp(ratio), Interval(exp(ratio - half), exp(ratio + half), level))


def _expected(least: float) -> Assumption:
    if least >= EXPECTED:
        return Assumption("enough of both kinds", True, f"{number(least, 3)} or more expected in each cell.")
    told = f"{number(least, 3)} expected in the rarest cell, below 5: Fisher's exact test stands in for chi-square."
    return Assumption("enough of both kinds", False, told)


def _counted(hits: float, n: float) -> None:
    if n < 1 or not 0 <= hits <= n:
        given = f"{number(hits)} of {n:,} items"
        raise DataError(given, "at least one item, and no more hits than items", "counting again")


def pairs(gained: int, lost: int, n: int) -> None:
    """An error where so many pairs cannot be."""
    if n < 1 or min(gained, lost) < 0 or gained + lost > n:
        given = f"{gained:,} gained and {lost:,} lost of {n:,} pairs"
        raise DataError(given, "at least one pair, and no more changes than pairs", "counting again")
