"""The normal distribution: its functions, its fit, the 68-95-99.7 rule, and values against it.

    Normal    mean and sd: density, chances, quantiles, intervals
    Fitted    a normal fitted to values, with intervals for its two parameters
    Bands     how many values lie within 1, 2 and 3 sd: expected against observed
    QQ        the values in order against those that a normal distribution would have

Chances come from scipy.special, which keeps its digits far out, where 1 - cdf has none left; logarithms go on
where a double underflows, beyond 38 sd. Intervals of a share are Wilson's, of the mean Student's, of the sd from chi2.
Points for QQ stand at Filliben's medians (1975), as in scipy.stats.probplot and the NIST handbook, 1.3.3.21.

Left out: weights, censored values, several variables at once. Whether values are normal at all: `normality.py`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np
from jaxtyping import Float
from scipy import special

from seqwise.errors import ConfigError, DataError
from seqwise.stats.phrases import digits_apart, joined, number, parts, within
from seqwise.stats.proportions import wilson
from seqwise.stats.results import LEVEL, Estimate, Interval
from seqwise.stats.samples import squarable

# N values

X = TypeVar("X", float, Float[np.ndarray, "..."])
"""A number gives a number, an array an array of its shape."""

LOG_ROOT = 0.5 * math.log(2 * math.pi)
WIDTHS = (1.0, 2.0, 3.0)  # sd
Line = Literal["quartiles", "least squares"]


@dataclass(frozen=True)
class Normal:
    """N(mean, sd)."""

    mean: float = 0.0
    sd: float = 1.0
    """Above 0: a spread of 0 is a point, which has no density."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.mean) and math.isfinite(self.sd) and self.sd > 0):
            given = f"a normal distribution with mean {self.mean} and sd {self.sd}"
            raise ConfigError(given, "a finite mean and a finite sd above 0", "values that differ from one another")

    def z(self, x: X) -> X:
        """How many sd above the mean."""
        values = np.asarray(x, dtype=np.float64)
        if np.isnan(values).any():
            raise DataError("a value that is not a number", "numbers, which may be infinite", "leaving it out")
        with np.errstate(over="ignore"):
            return _like(x, (values - self.mean) / self.sd)

    def pdf(self, x: X) -> X:
        """Density, in one by the unit of x."""
        return _like(x, np.exp(self.logpdf(x)))

    def logpdf(self, x: X) -> X:
        """Its natural logarithm: the log-likelihood of x."""
        with np.errstate(over="ignore"):
            return _like(x, -0.5 * np.square(self.z(x)) - math.log(self.sd) - LOG_ROOT)

    def cdf(self, x: X) -> X:
        """The chance of at most x."""
        return _like(x, special.ndtr(self.z(x)))

    def sf(self, x: X) -> X:
        """The chance of more than x; keeps its digits where 1 - cdf is 0."""
        return _like(x, special.ndtr(-self.z(x)))

    def logcdf(self, x: X) -> X:
        """The logarithm of the chance of at most x, also where the chance itself underflows."""
        return _like(x, special.log_ndtr(self.z(x)))

    def logsf(self, x: X) -> X:
        """The logarithm of the chance of more than x."""
        return _like(x, special.log_ndtr(-self.z(x)))

    def between(self, a: X, b: X) -> X:
        """The chance of more than a and at most b.

        Taken from the tail in which both lie, so that between(8, 9) is not the difference of two ones. What is left is
        that of two nearly equal chances, where a and b nearly agree.
        """
        low, high = np.asarray(self.z(a)), np.asarray(self.z(b))
        if (low > high).any():
            raise ConfigError("between(a, b) with a above b", "a at most b", "swapping them")
        above = low > 0  # both in the upper tail, which mirrors the lower one
        left, right = np.where(above, -high, low), np.where(above, -low, high)
        return _like(a, special.ndtr(right) - special.ndtr(left))

    def quantile(self, p: X) -> X:
        """What is exceeded with chance 1 - p; infinite at 0 and 1."""
        return _like(p, self.mean + self.sd * special.ndtri(_chance(p)))

    def isf(self, p: X) -> X:
        """What is exceeded with chance p, also for a p so small that 1 - p is 1."""
        return _like(p, self.mean - self.sd * special.ndtri(_chance(p)))

    def quantile_of_log(self, logp: X) -> X:
        """The x of which `logcdf` is logp, also for chances that underflow."""
        values = np.asarray(logp, dtype=np.float64)
        if not (values <= 0).all():
            raise ConfigError("the logarithm of a chance above 0", "0 or less", "log(p), not p")
        return _like(logp, self.mean + self.sd * special.ndtri_exp(values))

    def interval(self, level: float = LEVEL) -> Interval:
        """The shortest that holds this share of single values; it lies around the mean."""
        half = self.sd * central(level)
        return Interval(self.mean - half, self.mean + half, level)

    @classmethod
    def fit(cls, x: Float[np.ndarray, "N"], level: float = LEVEL) -> "Fitted":
        """Mean and sd (n - 1) of values, with Student's interval and that of chi2.

        The interval of the mean is good for any values where n is large, that of the sd only for normal ones.
        """
        values = squarable(x)
        n, mean, sd = len(values), *moments(values)
        central(level)
        df, beyond = n - 1, (1 - level) / 2
        half = -float(special.stdtrit(df, beyond)) * sd / math.sqrt(n)
        ends = [sd * math.sqrt(df / (2 * float(special.gammaincinv(df / 2, p)))) for p in (1 - beyond, beyond)]
        middle = Estimate("mean", mean, Interval(mean - half, mean + half, level))
        return Fitted(cls(mean, sd), n, middle, Estimate("sd", sd, Interval(ends[0], ends[1], level)))


@dataclass(frozen=True)
class Fitted:
    """A normal distribution with the mean and sd of values."""

    normal: Normal
    n: int
    mean: Estimate
    sd: Estimate
    """With n - 1 in its denominator."""


@dataclass(frozen=True)
class Band:
    """The values within so many sd of the mean."""

    width: float
    """sd to either side."""
    expected: float
    """Share of a normal distribution, such as 0.6827."""
    count: int
    share: Estimate
    """Observed, with Wilson's interval."""
    reachable: bool
    """Whether a value can lie outside at all: of n values none is further than (n - 1) / sqrt(n) sd from their mean."""

    @property
    def off(self) -> bool:
        """Whether chance alone would hardly make this share of normal values."""
        return self.reachable and self.share.interval is not None and self.expected not in self.share.interval


@dataclass(frozen=True)
class Bands:
    """The 68-95-99.7 rule, expected against observed.

    Where mean and sd are those of the values, shares vary less than Wilson's intervals allow for, and `off` errs
    towards no.
    """

    n: int
    mean: float
    sd: float
    rows: tuple[Band, ...]

    @property
    def told(self) -> str:
        """What the rule makes of these values, in a sentence or two."""
        widths = joined([number(row.width) for row in self.rows])
        seen = joined([parts(row.share.value) for row in self.rows])
        normal = joined([parts(row.expected) for row in self.rows])
        middle = number(self.mean, digits_apart(self.mean, self.mean + self.sd))
        told = f"Within {widths} sd of {middle} lie {seen} of {self.n:,} values; of a normal distribution {normal}."
        if off := [row for row in self.rows if row.off]:
            return f"{told} That is {joined([_off(row) for row in off])} than chance would make."
        fixed = [row for row in self.rows if not row.reachable]
        if fixed:
            told += f" So few values all lie within {number(fixed[0].width)} sd, whatever they are."
        return told if len(fixed) == len(self.rows) else f"{told} Chance may make such differences."


def bands(
    x: Float[np.ndarray, "N"],
    mean: float | None = None,
    sd: float | None = None,
    widths: Sequence[float] = WIDTHS,
    level: float = LEVEL,
) -> Bands:
    """How many values lie within 1, 2 and 3 sd of the mean; both are the values' own where they are not given."""
    own = mean is None or sd is None
    values = squarable(x, least=2 if own else 1, varied=own)
    n = len(values)
    if mean is None or sd is None:
        middle, spread = moments(values)
        mean, sd = middle if mean is None else mean, spread if sd is None else sd
        furthest = (n - 1) / math.sqrt(n)
    else:
        furthest = math.inf
    away = np.abs(Normal(mean, sd).z(values))  # (N,)
    rows = []
    for width in widths:
        count = int((away <= width).sum())
        share = Estimate(f"within {number(width)} sd", count / n, wilson(count, n, level))
        rows.append(Band(width, 1 - 2 * float(special.ndtr(-width)), count, share, furthest > width))
    return Bands(n, mean, sd, tuple(rows))


@dataclass(frozen=True, eq=False)
class QQ:
    """Values in order, and what a sample of N(0, 1) would have in their places: a line where they are normal."""

    theoretical: Float[np.ndarray, "N"]
    ordered: Float[np.ndarray, "N"]
    """In the data's unit."""
    intercept: float
    slope: float
    line: Line
    correlation: float
    """Of the two (Filliben 1975); 1 on a line."""

    @property
    def expected(self) -> Float[np.ndarray, "N"]:
        """The line at each point, in the data's unit."""
        return self.intercept + self.slope * self.theoretical


def qq(x: Float[np.ndarray, "N"], line: Line = "quartiles") -> QQ:
    """Points of a QQ plot, and a line: through the quartiles, which outliers do not turn (as R's qqline), or of least
    squares (as scipy's probplot), which also stands in where the quartiles are one value.
    """
    if line not in ("quartiles", "least squares"):
        raise ConfigError(f"line={line!r}", "'quartiles' or 'least squares'", "'quartiles'")
    ordered = np.sort(squarable(x))
    theoretical = special.ndtri(positions(len(ordered)))
    a, b = theoretical, ordered - ordered.mean()  # a's mean is 0
    slope, intercept = float(a @ b / (a @ a)), float(ordered.mean())
    correlation = min(1.0, float(a @ b / math.sqrt(float(a @ a) * float(b @ b))))
    low, high = np.quantile(ordered, [0.25, 0.75])
    if line == "quartiles" and high > low:
        slope, intercept = float(high - low) / (2 * float(special.ndtri(0.75))), float(low + high) / 2
    return QQ(theoretical, ordered, intercept, slope, line, correlation)


def positions(n: int) -> Float[np.ndarray, "N"]:
    """Medians of n ordered uniform values, as Filliben approximates them: (i - 0.3175) / (n + 0.365), ends exact."""
    end = 0.5 ** (1 / n)
    inner = (np.arange(1, n + 1) - 0.3175) / (n + 0.365)
    inner[0], inner[-1] = 1 - end, end
    return inner


def moments(values: Float[np.ndarray, "N"]) -> tuple[float, float]:
    """Mean and sd (n - 1), in two passes."""
    mean = float(values.mean())
    away = values - mean
    mean += float(away.mean())  # what rounding left
    return mean, math.sqrt(float(np.square(values - mean).sum()) / (len(values) - 1))


def central(level: float) -> float:
    """sd to either side of the mean that hold this share."""
    if not 0 < level < 1:
        raise ConfigError(f"level={level}", "a share between 0 and 1", f"{LEVEL}")
    return -float(special.ndtri((1 - level) / 2))


def _off(row: Band) -> str:
    """Of a band that is off: which way, and how sure."""
    word = "fewer" if row.share.value < row.expected else "more"
    sure = f" ({within(row.share.interval.hundredfold, '%')})" if row.share.interval else ""
    return f"{word} within {number(row.width)} sd{sure}"


def _like(x: X, value: Any) -> X:
    """Python's own number for a number, so that results can be compared and written."""
    return np.asarray(value) if isinstance(x, np.ndarray) else float(value)


def _chance(p: X) -> X:
    values = np.asarray(p, dtype=np.float64)
    if not ((values >= 0) & (values <= 1)).all():
        raise ConfigError("a chance outside 0 and 1", "0 to 1", "a share of one, not of a hundred")
    return _like(p, values)
