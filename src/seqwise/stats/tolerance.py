"""Tolerance intervals: between which values at least so much of all that is made lies, with so much confidence.

Neither the interval of the mean, which narrows to nothing, nor mean ± 2 sds, which forgets that both are estimates.

    normal, one side    exact, by the noncentral t distribution
    normal, two sides   exact: the factor of which the chance, integrated over mean and sd, is the confidence
                        (Krishnamoorthy and Mathew 2009, section 2.3; ISO 16269-6)
    by order            from the r-th smallest to the r-th largest value, of any continuous distribution (Wilks 1941):
                        for 95 % with 95 % confidence it takes 59 values for one side and 93 for two

The factors agree with ISO 16269-6 in all printed digits. Howe's (1969) approximation, which many programs print, is a
little too small: 3.382 in place of 3.393 for ten values, 95 % and 95 %.

Left out: other distributions, regression, several variables.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from jaxtyping import Shaped
from scipy.special import betainc, gammaincc, ndtr, ndtri

from seqwise.errors import ConfigError
from seqwise.stats.assumptions import normal_values
from seqwise.stats.crossing import first
from seqwise.stats.phrases import amount, counted, digits_apart, number, percent
from seqwise.stats.results import Assumption, Cell, Grid, Interval, plain
from seqwise.stats.samples import Row, sample

Side = Literal["both", "lower", "upper"]
TAILS = "limits by order hold for any shape, those by the normal distribution do not"
MOST = 10_000_000  # values that `needed` looks for


@dataclass(frozen=True)
class Tolerance:
    """Limits that hold so much of all values, with so much confidence."""

    name: str
    unit: str
    n: int
    coverage: float
    """Of all values, so much lies within."""
    confidence: float
    """In so many samples of a hundred the limits hold at least that much."""
    side: Side
    mean: float
    sd: float
    factor: float
    """Sds from the mean to a limit."""
    normal: Interval
    """If values are normal; open at the other end where one side is asked for. Its level is the confidence."""
    ordered: Interval | None
    """By order, of any distribution; None where the values are too few. Its level is the confidence that it reaches."""
    needed: int
    """Values from which limits by order exist."""
    assumptions: tuple[Assumption, ...]

    @property
    def trusted(self) -> Interval | None:
        """The normal limits, or those by order where values are not normal."""
        return self.ordered if any(one.holds is False for one in self.assumptions) else self.normal

    def sentences(self) -> tuple[str, ...]:
        """First the limits that can be trusted."""
        told = [
            f"With {_share(self.confidence)} confidence at least {_share(self.coverage)} of {self.name} "
            f"{self._limits(self.normal)}, if values are normal ({counted(self.n, 'value')}, mean ± "
            f"{number(self.factor, 4)} sds)."
        ]
        if self.side != "both":
            sign = "-" if self.side == "lower" else "+"
            told = [told[0].replace("mean ± ", f"mean {sign} ")]
        if self.ordered is None:
            order = f"Limits that hold for any distribution take {self.needed:,} values; these are {self.n:,}."
        else:
            order = (
                f"Whatever the distribution, with {_share(self.ordered.level)} confidence at least "
                f"{_share(self.coverage)} of {self.name} {self._limits(self.ordered)}."
            )
        doubts = [one.told for one in self.assumptions if one.holds is False]
        return (order, *doubts, *told) if doubts else (*told, order)

    def _limits(self, interval: Interval) -> str:
        digits = digits_apart(interval.low, interval.high, self.mean, self.mean + self.sd)
        if self.side == "lower":
            return f"lies above {amount(interval.low, self.unit, digits)}"
        if self.side == "upper":
            return f"lies below {amount(interval.high, self.unit, digits)}"
        return f"lies between {number(interval.low, digits)} and {amount(interval.high, self.unit, digits)}"

    def grids(self) -> tuple[Grid, ...]:
        """Both kinds of limits."""
        rows: list[tuple[Cell, ...]] = [("normal", *_ends(self.normal), self.confidence)]
        if self.ordered is not None:
            rows.append(("by order", *_ends(self.ordered), self.ordered.level))
        unit = f" ({self.unit})" if self.unit else ""
        title = f"tolerance limits for {_share(self.coverage)} of {self.name}{unit}"
        return (Grid(title, ("limits", "lower", "upper", "confidence"), tuple(rows)),)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return dict(plain(self))


def tolerance(
    values: Shaped[np.ndarray, "N"],
    coverage: float = 0.95,
    confidence: float = 0.95,
    side: Side = "both",
    name: str = "values",
    unit: str = "",
) -> Tolerance:
    """Limits within which, with `confidence`, at least `coverage` of all values lie."""
    x = sample(values, name, varied=True)
    _shares(coverage, confidence, side)
    n, mean, sd = len(x), float(x.mean()), float(x.std(ddof=1))
    k = two_sided(n, coverage, confidence) if side == "both" else one_sided(n, coverage, confidence)
    low = mean - k * sd if side != "upper" else -math.inf
    high = mean + k * sd if side != "lower" else math.inf
    limits = Interval(low, high, confidence)
    least = needed(coverage, confidence, side)
    ordered = _ordered(np.sort(x), coverage, confidence, side) if n >= least else None
    return Tolerance(
        name, unit, n, coverage, confidence, side, mean, sd, k, limits, ordered, least, (normal_values(x, TAILS),)
    )  # fmt: skip


def one_sided(n: int, coverage: float = 0.95, confidence: float = 0.95) -> float:
    """Sds from the mean to the limit: exact, a quantile of the noncentral t distribution."""
    from scipy.stats import nct  # half a second, which not everybody should wait for

    return float(nct.ppf(confidence, n - 1, float(ndtri(coverage)) * math.sqrt(n))) / math.sqrt(n)


@lru_cache(maxsize=256)
def two_sided(n: int, coverage: float = 0.95, confidence: float = 0.95) -> float:
    """Sds from the mean to each limit: exact, by integration over the mean and a root over the factor.

    With the sample's mean z / sqrt(n) true sds off, limits hold enough where they reach r(z) true sds far, and they do
    with the chance that a chi-square exceeds (n - 1) r² / k².
    """
    from scipy.optimize import brentq

    nodes, weights = np.polynomial.legendre.leggauss(96)
    z = 4.5 * (nodes + 1)  # (Q,) the mean's distance in its own errors, 0 to 9
    share = 9 * weights * np.exp(-z * z / 2) / math.sqrt(2 * math.pi)  # both sides
    reach = _reach(z / math.sqrt(n), coverage)

    def excess(log: float) -> float:
        chi = (n - 1) * (reach / math.exp(log)) ** 2
        return float(share @ gammaincc((n - 1) / 2, chi / 2)) - confidence

    start = math.log(float(ndtri((1 + coverage) / 2)))
    return math.exp(float(brentq(excess, start - 3, start + 30, xtol=1e-13)))


def _reach(off: Row, coverage: float) -> Row:
    """Half the width of what holds the coverage of a normal distribution, centred so many sds off; by bisection."""
    low, high = np.zeros(len(off)), off + 40
    for _ in range(60):
        middle = (low + high) / 2
        enough = ndtr(off + middle) - ndtr(off - middle) >= coverage
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return high


def needed(coverage: float = 0.95, confidence: float = 0.95, side: Side = "both") -> int:
    """The fewest values of which the outermost are limits of any continuous distribution."""
    _shares(coverage, confidence, side)
    low, high = 1, 2
    while _order_confidence(high, 1, coverage, side) < confidence:
        low, high = high, high * 2
        if high > MOST:
            given = f"coverage={coverage} with confidence={confidence}"
            raise ConfigError(given, f"shares that {MOST:,} values can show", "less of both")
    return first(lambda n: _order_confidence(n, 1, coverage, side) >= confidence, low, high)


def _order_confidence(n: int, r: int, coverage: float, side: Side) -> float:
    """Confidence that the r-th values from the ends hold the coverage: what they hold is beta distributed."""
    out = 2 * r if side == "both" else r
    return 1 - float(betainc(n + 1 - out, out, coverage)) if out <= n else 0.0


def _ordered(ordered: Row, coverage: float, confidence: float, side: Side) -> Interval:
    """The innermost order statistics that are enough."""
    n = len(ordered)  # the confidence falls with r
    inner = first(lambda r: _order_confidence(n, r, coverage, side) < confidence, 1, n + 1) - 1
    reached = _order_confidence(n, inner, coverage, side)
    begin = float(ordered[inner - 1]) if side != "upper" else -math.inf
    end = float(ordered[n - inner]) if side != "lower" else math.inf
    return Interval(begin, end, reached)


def _share(share: float) -> str:
    return percent(share, small=3)


def _ends(interval: Interval) -> tuple[float | None, float | None]:
    """None where it is open."""
    low, high = interval.low, interval.high
    return low if math.isfinite(low) else None, high if math.isfinite(high) else None


def _shares(coverage: float, confidence: float, side: str) -> None:
    if not (0 < coverage < 1 and 0 < confidence < 1) or side not in ("both", "lower", "upper"):
        given = f"coverage={coverage}, confidence={confidence}, side={side!r}"
        raise ConfigError(given, "shares between 0 and 1, and both, lower or upper", "0.95, 0.95 and both")
