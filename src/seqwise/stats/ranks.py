"""Tests of ranks, which no shape of the data and no outlier can upset.

    signed_rank    pairs              Wilcoxon 1945, zeros by Pratt 1959      shift: median of the Walsh averages
    rank_sum       two groups         Mann and Whitney 1947                   shift: median of all differences
    kruskal        several groups     Kruskal and Wallis 1952                 share of the ranks' variance

Shifts are Hodges and Lehmann's (1963), first minus second, in the unit of the data; their intervals are Moses's: the
order statistics that the same distribution of ranks leaves in. Without a unit: the chance that an item of the first
group is above one of the second, ties counting half, with the interval of Newcombe 2006 (method 5), which holds also
where the groups do not overlap; of pairs, the share in which the first is above, with Wilson's.

p is exact, ties and zeros included, for up to 100 items: the distribution of rank sums is counted out. Beyond, normal
with the correction for ties. Differences of millions of pairs are never stored: their order statistics are searched.
"""

from collections.abc import Callable
from math import inf, sqrt

import numpy as np
from scipy.special import chdtrc, ndtr, ndtri

from seqwise.errors import DataError
from seqwise.stats.assumptions import FEW, INDEPENDENT
from seqwise.stats.crossing import crossing
from seqwise.stats.means import Others, Values, differences
from seqwise.stats.phrases import number, rounded
from seqwise.stats.proportions import wilson
from seqwise.stats.results import LEVEL, Assumption, Estimate, Interval, Test
from seqwise.stats.samples import Groups, sample, skewness
from seqwise.stats.selection import Sums, averages
from seqwise.stats.selection import differences as differences_of

EXACT = 100  # items: up to here rank sums are counted out, in milliseconds
PAIRS = 4_000_000  # differences that are held in memory; among more is searched
ALIKE = 2.0  # ratio of quartile ranges up to which two groups count as of one shape


def ranks(x: Values) -> Values:
    """1 for the smallest; equal values share their mean rank."""
    _, places, counts = np.unique(x, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[places], dtype=np.float64)


def signed_rank(
    a: Values,
    b: Others,
    names: tuple[str, str] = ("first", "second"),
    *,
    name: str = "value",
    unit: str = "",
    level: float = LEVEL,
) -> Test:
    """Two values of each item. The effect is the median of the averages of all pairs of differences a - b."""
    d = differences(a, b, names)
    first, second = names
    n, zeros = len(d), int((d == 0).sum())
    r = ranks(np.abs(d))[d != 0]  # zeros take the lowest ranks with them
    w = float(r[d[d != 0] > 0].sum())
    exact = len(r) <= EXACT
    p = _both_tails(_subset_sums(r), w) if exact else _normal(w - r.sum() / 2, float((r * r).sum()) / 4)
    above = float((d > 0).sum()) + zeros / 2
    notes = (f"{zeros:,} of {n:,} pairs are equal; they count by Pratt's method.",) if zeros else ()
    middle, within = _walsh(d, level)
    return Test(
        name="Wilcoxon's signed-rank test",
        null=f"the differences of {name} between {first} and {second} lie symmetrically around 0",
        symbol="W",
        statistic=w,
        df=(),
        p=p,
        n={"pairs": n},
        effect=Estimate(f"typical difference, {first} minus {second}", middle, within, unit),
        size=Estimate(f"share of pairs with {first} above {second}", above / n, wilson(above, n, level)),
        why=f"pairs, by ranks, so that no outlier weighs more than its place; {_how(exact)}",
        assumptions=(_symmetry(d), INDEPENDENT),
        notes=(*notes, *_endless(within)),
    )


def rank_sum(
    a: Values,
    b: Others,
    names: tuple[str, str] = ("first", "second"),
    *,
    name: str = "value",
    unit: str = "",
    level: float = LEVEL,
) -> Test:
    """Two groups of different items. The effect is the median of all differences of an item of a and one of b."""
    first, second = names
    a, b = sample(a, f"{name} in {first}", 1), sample(b, f"{name} in {second}", 1)
    m, n = len(a), len(b)
    r = ranks(np.concatenate([a, b]))
    if np.ptp(r) == 0:
        raise DataError(f"all values of {name} are {number(float(a[0]))}", "values that differ", "another column")
    u = float(r[:m].sum()) - m * (m + 1) / 2
    exact = m + n <= EXACT
    p = _both_tails(_chosen_sums(r, m), float(r[:m].sum())) if exact else _normal(u - m * n / 2, _tied(r, m))
    shift, within = _shift(a, b, level)
    share = u / (m * n)
    return Test(
        name="Mann-Whitney test",
        null=f"an item of {first} is as likely above as below one of {second} in {name}",
        symbol="U",
        statistic=u,
        df=(),
        p=p,
        n={first: m, second: n},
        effect=Estimate(f"typical difference, {first} minus {second}", shift, within, unit),
        size=Estimate(f"chance that {first} is above {second}", share, above_interval(share, m, n, level)),
        why=f"two groups, by ranks, so that no outlier weighs more than its place; {_how(exact)}",
        assumptions=(_same_shape(a, b, names), INDEPENDENT),
        notes=_endless(within),
    )


def kruskal(groups: Groups, *, name: str = "value") -> Test:
    """Several groups of different items. The effect is the share of the ranks' variance that lies between groups."""
    parts = [sample(x, f"{name} in {group}", 1) for group, x in groups.items()]
    counts = np.array([len(x) for x in parts])
    r = ranks(np.concatenate(parts))
    n, k = len(r), len(parts)
    if k < 2 or np.ptp(r) == 0:
        given = f"{k} group" if k < 2 else f"all values of {name} are {number(float(parts[0][0]))}"
        raise DataError(given, "two groups or more, and values that differ", "another column")
    split = np.split(r, np.cumsum(counts)[:-1])
    between = sum(len(x) * (float(x.mean()) - (n + 1) / 2) ** 2 for x in split)
    h = between / float(r.var(ddof=1))  # corrected for ties
    return Test(
        name="Kruskal-Wallis test",
        null=f"{name} has the same distribution in all {k} groups",
        symbol="H",
        statistic=h,
        df=(k - 1,),
        p=float(chdtrc(k - 1, h)),
        n={group: len(x) for group, x in zip(groups, parts, strict=True)},
        effect=Estimate("share of the variance of ranks between groups, eta squared", min(1.0, h / (n - 1))),
        why="several groups, by ranks, so that no outlier weighs more than its place; p by chi-square",
        assumptions=(INDEPENDENT,),
        notes=("p is rough below 5 items a group.",) if counts.min() < 5 else (),
    )


def above_interval(share: float, m: int, n: int, level: float = LEVEL) -> Interval:
    """Interval of the chance that one group is above the other: Newcombe, Statist. Med. 25 (2006) 559, method 5.

    Where the standard error that a chance itself would give puts it `z` errors from the share that was seen.
    """
    z, less = float(ndtri((1 + level) / 2)), (m + n) / 2 - 1

    def reach(at: float) -> float:
        spread = at * (1 - at) / (m * n) * (1 + less * ((1 - at) / (2 - at) + at / (1 + at)))
        return z * sqrt(max(0.0, spread))

    low = 0.0 if share <= 0 else crossing(lambda at: at + reach(at) - share, 0.0, share)
    high = 1.0 if share >= 1 else crossing(lambda at: at - reach(at) - share, share, 1.0)
    return Interval(low, high, level)


def _subset_sums(r: Values) -> Others:
    """Chance of each sum of ranks, in halves, where each rank is taken with probability one half."""
    doubled = np.rint(2 * r).astype(np.int64)
    chances = np.zeros(int(doubled.sum()) + 1)
    chances[0] = 1.0
    for step in doubled:
        chances[step:] = chances[step:] + chances[: len(chances) - step]
        chances /= 2
    return chances


def _chosen_sums(r: Values, m: int) -> Others:
    """Chance of each sum of ranks, in halves, of m ranks drawn without putting back."""
    doubled = np.sort(np.rint(2 * r).astype(np.int64))
    counts = np.zeros((m + 1, int(doubled[-m:].sum()) + 1))
    counts[0, 0] = 1.0
    for step in doubled:
        counts[1:, step:] += counts[:-1, : counts.shape[1] - step].copy()
    return np.asarray(counts[m] / counts[m].sum())


def _both_tails(chances: Values, seen: float) -> float:
    """Twice the smaller tail, what was seen included."""
    at = round(2 * seen)
    return float(min(1.0, 2 * min(chances[: at + 1].sum(), chances[at:].sum())))


def _normal(excess: float, variance: float) -> float:
    return float(min(1.0, 2 * ndtr(-abs(excess) / sqrt(variance))))


def _tied(r: Values, m: int) -> float:
    """Variance of the sum of m ranks, ties included."""
    n = len(r)
    return float(r.var(ddof=1)) * m * (n - m) / n


def _place(chances: Callable[[], Others], middle: float, spread: float, exact: bool, level: float) -> int:
    """How many of the ordered differences lie below the interval; below 1 where the interval has no end."""
    tail = (1 - level) / 2
    if exact:
        return int(np.searchsorted(np.cumsum(chances()), tail, side="right"))
    return int(np.floor(middle + float(ndtri(tail)) * spread))


def _walsh(d: Values, level: float) -> tuple[float, Interval]:
    """The median of the averages, and the interval that the same distribution of ranks leaves."""
    n = len(d)
    total = n * (n + 1) // 2
    spread = sqrt(n * (n + 1) * (2 * n + 1) / 24)
    whole = np.arange(1.0, n + 1)
    k = _place(lambda: _subset_sums(whole)[::2], total / 2, spread, n <= EXACT, level)
    every = averages(d, PAIRS)
    return _median(every), _ends(k, every, level)


def _median(every: Sums) -> float:
    """Of all sums; the mean of the two in the middle where their number is even."""
    middle = every.smallest((every.total + 1) // 2)
    return middle if every.total % 2 else (middle + every.smallest(every.total // 2 + 1)) / 2


def _shift(a: Values, b: Others, level: float) -> tuple[float, Interval]:
    m, n = len(a), len(b)
    total, every = m * n, differences_of(a, b, PAIRS)
    least = m * (m + 1) // 2  # the smallest sum of m ranks

    def chances() -> Others:
        return _chosen_sums(np.arange(1.0, m + n + 1), m)[2 * least :: 2]  # of U = 0, 1, ...

    k = _place(chances, total / 2, sqrt(total * (m + n + 1) / 12), m + n <= EXACT, level)
    return _median(every), _ends(k, every, level)


def _ends(k: int, every: Sums, level: float) -> Interval:
    """From the k-th smallest to the k-th largest; without ends where so few items cannot be as sure as that."""
    if k < 1:
        return Interval(-inf, inf, level)
    return Interval(every.smallest(k), every.smallest(every.total + 1 - k), level)


def _symmetry(d: Values) -> Assumption:
    skew = skewness(d)
    told = f"the differences have skewness {rounded(skew)}"
    if len(d) < FEW:
        return Assumption("symmetric differences", None, f"{len(d)} differences are too few to judge: {told}.")
    fair = abs(skew) < 1
    return Assumption("symmetric differences", fair, f"{'Near enough' if fair else 'Lopsided'}: {told}.")


def _same_shape(a: Values, b: Others, names: tuple[str, str]) -> Assumption:
    what = "same shape, for the typical difference"
    if min(len(a), len(b)) < FEW:
        return Assumption(what, None, f"{min(len(a), len(b))} values in a group are too few to judge.")
    spread = [float(np.subtract(*np.percentile(x, [75, 25]))) for x in (a, b)]
    fair = max(spread) <= ALIKE * min(spread)
    shown = " and ".join(f"{number(wide, 3)} in {name}" for wide, name in zip(spread, names, strict=True))
    tail = "" if fair else "; the chance that one is above the other holds, the typical difference is an average"
    return Assumption(what, fair, f"Quartile ranges are {shown}{tail}.")


def _how(exact: bool) -> str:
    return "p is exact" if exact else "p by the normal distribution, corrected for ties"


def _endless(within: Interval) -> tuple[str, ...]:
    return ("So few items leave the interval without ends.",) if within.low == -inf else ()
