"""Means compared: of one sample with a value, of two groups, of pairs.

    one_sample   Student's t            H0: the mean is the value
    welch        Welch's t              H0: the two means are the same; spreads may differ
    paired       Student's t of a - b   H0: the mean difference is 0

Effects are first minus second, in the unit of the data. Without a unit they are Hedges' g: of one sample and of pairs
the mean in sds of the values or differences (g_z), its interval by the noncentral t distribution; of two groups the
difference in sds averaged over the groups, not pooled, as Welch's test does not pool (Delacre et al. 2021), its
interval by Bonett's large-sample variance (Psychological Methods 13, 2008, 99). Hedges' J takes the bias off them all.

What could have been found comes from the spread and the number of items, never from the difference that was seen.
Variances are never tested first: to choose by such a test spoils both (Zimmerman 2004), and Welch's test loses
next to nothing where they are equal.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import exp, sqrt

import numpy as np
from jaxtyping import Float
from scipy.special import gammaln, nctdtr, ndtri, stdtr, stdtrit

from seqwise.errors import DataError
from seqwise.stats.assumptions import INDEPENDENT, normal_means, outliers
from seqwise.stats.crossing import crossing
from seqwise.stats.phrases import amount, number
from seqwise.stats.power import satterthwaite, t_noncentrality
from seqwise.stats.results import LEVEL, Assumption, Estimate, Interval, Test
from seqwise.stats.samples import differing, flat, sample

Values = Float[np.ndarray, "N"]
Others = Float[np.ndarray, "M"]
"""Of another number; for pairs of the same, which is checked with a clear error."""


@dataclass(frozen=True)
class _Difference:
    """What every t test comes down to."""

    value: float
    error: float
    """Standard error."""
    df: float
    level: float

    @property
    def t(self) -> float:
        return self.value / self.error

    @property
    def p(self) -> float:
        """Two-sided."""
        return min(1.0, 2 * float(stdtr(self.df, -abs(self.t))))

    @property
    def interval(self) -> Interval:
        return student(self.value, self.error, self.df, self.level)

    @property
    def detectable(self) -> float:
        return t_noncentrality(self.df, level=self.level) * self.error


def student(value: float, error: float, df: float, level: float = LEVEL) -> Interval:
    """Student's t interval around a value with this standard error."""
    half = float(stdtrit(df, (1 + level) / 2)) * error
    return Interval(value - half, value + half, level)


def mean_interval(x: Values, level: float = LEVEL) -> Interval | None:
    """Student's t interval of the mean; none of one value."""
    if len(x) < 2:
        return None
    return student(float(x.mean()), float(x.std(ddof=1)) / sqrt(len(x)), len(x) - 1, level)


def one_sample(x: Values, value: float = 0.0, *, name: str = "value", unit: str = "", level: float = LEVEL) -> Test:
    """The mean of x against a value. The effect is the mean minus the value."""
    x = sample(x, name, varied=True)
    n, sd = len(x), float(x.std(ddof=1))
    found = _Difference(float(x.mean()) - value, sd / sqrt(n), n - 1, level)
    aim = amount(value, unit, 8)
    return _told(
        found,
        name="one-sample t-test",
        null=f"the mean of {name} is {aim}",
        n={name: n},
        effect=f"mean of {name} minus {aim}",
        unit=unit,
        size=_g_single(found.value / sd, n, level, "Hedges' g"),
        why="one sample whose mean is compared with a given value; its sd is estimated from the data",
        assumptions=(normal_means({name: x}, "normal mean"), outliers({name: x}, unit), INDEPENDENT),
    )


def paired(
    a: Values,
    b: Others,
    names: tuple[str, str] = ("first", "second"),
    *,
    name: str = "value",
    unit: str = "",
    level: float = LEVEL,
) -> Test:
    """Two values of each item. The effect is the mean of a - b."""
    d = differences(a, b, names)
    n, sd = len(d), float(d.std(ddof=1))
    found = _Difference(float(d.mean()), sd / sqrt(n), n - 1, level)
    first, second = names
    return _told(
        found,
        name="paired t-test",
        null=f"the mean of {name} is the same for {first} and {second}",
        n={"pairs": n},
        effect=f"mean of {first} minus {second}",
        unit=unit,
        size=_g_single(found.value / sd, n, level, "Hedges' g_z"),
        why="both values come from the same item, so that what sets items apart cancels out",
        assumptions=(
            normal_means({"the differences": d}, "normal mean difference"),
            outliers({"the differences": d}, unit),
            INDEPENDENT,
        ),
    )


def welch(
    a: Values,
    b: Others,
    names: tuple[str, str] = ("first", "second"),
    *,
    name: str = "value",
    unit: str = "",
    level: float = LEVEL,
) -> Test:
    """Two groups of different items. The effect is the mean of a minus the mean of b."""
    first, second = names
    a, b = sample(a, f"{name} in {first}"), sample(b, f"{name} in {second}")
    variances = tuple(0.0 if flat(x) else float(x.var(ddof=1)) for x in (a, b))
    parts = variances[0] / len(a), variances[1] / len(b)
    if not sum(parts) > 0:
        given = f"only the value {number(float(a[0]))} in {first} and {number(float(b[0]))} in {second}"
        raise DataError(given, "values that differ within a group", "another column, or a finer measurement")
    df = satterthwaite(parts, (len(a), len(b)))
    found = _Difference(float(a.mean()) - float(b.mean()), sqrt(sum(parts)), df, level)
    groups = {first: a, second: b}
    return _told(
        found,
        name="Welch's t-test",
        null=f"the mean of {name} is the same for {first} and {second}",
        n={first: len(a), second: len(b)},
        effect=f"mean of {first} minus mean of {second}",
        unit=unit,
        size=_g_two(found.value, variances, (len(a), len(b)), level),
        why="two groups of different items; spreads may differ, and next to nothing is lost if they do not",
        assumptions=(normal_means(groups), _spreads(names, variances, unit), outliers(groups, unit), INDEPENDENT),
    )


def differences(a: Values, b: Others, names: tuple[str, str]) -> Values:
    """a - b of each item, where they are pairs and not all the same."""
    first, second = names
    if np.shape(a) != np.shape(b):
        given = f"{len(a):,} values of {first} and {len(b):,} of {second}"
        raise DataError(given, "two values of each item", "comparing them as groups of different items")
    a, b = sample(a, first), sample(b, second)
    d: Values = a - b  # (N,)
    differing(d, f"{first} minus {second}", float(max(np.abs(a).max(), np.abs(b).max())))
    return d


def hedges(df: float) -> float:
    """Hedges' J, by which a difference in sds is too large on average (1981, eq. 6e)."""
    return exp(float(gammaln(df / 2) - gammaln((df - 1) / 2))) / sqrt(df / 2)


def _told(
    found: _Difference,
    *,
    name: str,
    null: str,
    n: Mapping[str, int],
    effect: str,
    unit: str,
    size: Estimate | None,
    why: str,
    assumptions: tuple[Assumption, ...],
) -> Test:
    few = min(n.values()) < 3
    notes = ("Of two items the interval leans on normal values, which so few cannot show.",) if few else ()
    return Test(
        name=name,
        null=null,
        symbol="t",
        statistic=found.t,
        df=(found.df,),
        p=found.p,
        n=n,
        effect=Estimate(effect, found.value, found.interval, unit),
        size=size,
        why=why,
        assumptions=assumptions,
        detectable=Estimate("difference found four times in five", found.detectable, None, unit),
        notes=notes,
    )


def _g_single(d: float, n: int, level: float, name: str) -> Estimate | None:
    """A mean in sds, with the interval of the noncentral t distribution. None of two items: J is 0 there."""
    if n < 3:
        return None
    t, df, tail = d * sqrt(n), n - 1, (1 - level) / 2
    reach = 4 * abs(t) + 12.0  # beyond what any chi of one degree of freedom makes of t
    # From the nearer tail: 1 - nctdtr loses its digits.
    low = crossing(lambda shift: float(nctdtr(df, -shift, -t)), -reach, reach, tail)
    high = crossing(lambda shift: float(nctdtr(df, shift, t)), -reach, reach, tail)
    j = hedges(df)
    return Estimate(name, j * d, Interval(j * low / sqrt(n), j * high / sqrt(n), level))


def _g_two(difference: float, variances: tuple[float, ...], ns: tuple[int, int], level: float) -> Estimate | None:
    """A difference of means in the root of the mean variance. None where a group of two items has all the spread."""
    (u, v), (m, n) = variances, (ns[0] - 1, ns[1] - 1)
    df = m * n * (u + v) ** 2 / (n * u * u + m * v * v)
    if df < 2:
        return None
    square = (u + v) / 2
    d = difference / sqrt(square)
    error = sqrt(d * d * (u * u / m + v * v / n) / (8 * square * square) + (u / m + v / n) / square)
    j, half = hedges(df), float(ndtri((1 + level) / 2)) * error
    return Estimate("Hedges' g", j * d, Interval(j * (d - half), j * (d + half), level))


def _spreads(names: tuple[str, str], variances: tuple[float, ...], unit: str) -> Assumption:
    shown = [f"{amount(sqrt(variance), unit)} in {name}" for name, variance in zip(names, variances, strict=True)]
    return Assumption("spreads may differ", True, f"Equal spreads are not needed: sd {shown[0]}, {shown[1]}.")
