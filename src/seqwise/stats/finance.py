"""What prices say about risk: volatility, losses, the deepest fall and the Sharpe ratio, a normal against the history.

    returns          of each period, simple or log
    volatility       sd of returns, by the year; its interval knows of heavy tails
    value_at_risk    what is lost in the worst periods and on average beyond, historical against normal
    drawdown         the deepest fall from a peak
    splits           changes that look like splits for which prices were not adjusted
    sharpe           mean over sd, by the year (Lo 2002; Mertens 2002 for returns that are not normal)
    risk             all of it

The historical expected shortfall is Acerbi and Tasche's (2002), the interval of the historical loss that of order
statistics, which knows no shape. Years are told by the square root of time, which is right for returns that do not
depend on one another; where their autocorrelation says otherwise, it is told.

Left out: volatility that changes with time (GARCH), extreme value theory, several assets, forecasts.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float
from scipy import special

from seqwise.errors import ConfigError, DataError
from seqwise.stats.autocorrelation import lag_one
from seqwise.stats.normal import central, moments
from seqwise.stats.normality import Normality, normality
from seqwise.stats.phrases import led, number, parts, within
from seqwise.stats.ranked import quantile_interval
from seqwise.stats.results import LEVEL, Cell, Estimate, Grid, Interval, ends_of, plain
from seqwise.stats.samples import sample, shape, squarable

# T prices, N returns

LEVELS = (0.95, 0.99)
ROUNDING = 1e-12  # sd of returns that comes from the last bits of prices
LONE = 10.0  # times the median change, from where a price that halves or doubles looks like a split
WHOLE = 0.1  # of a logarithm, within which a change is by a whole number of times at most
EXACT = 1e-9  # the same where prices else stand still
APART = 2.0  # times the largest of all other changes, of which heavy tails make large ones too
Kind = Literal["simple", "log"]


@dataclass(frozen=True)
class Loss:
    """What the worst periods lose, as shares of the value: historical against a normal with the same mean and sd."""

    level: float
    """Share of periods that lose less, such as 0.99."""
    historical: Estimate
    """Value at risk: the smallest loss of the worst periods; interval by order statistics."""
    normal: float
    shortfall: float
    """Mean loss of the worst periods, historical."""
    normal_shortfall: float
    n: int

    @property
    def normal_is(self) -> Literal["too small", "too large", "in line"]:
        """How the normal's loss lies to the interval of the historical one."""
        known = self.historical.interval or Interval(-math.inf, math.inf)
        if self.normal < known.low:
            return "too small"
        return "too large" if self.normal > known.high else "in line"

    @property
    def told(self) -> str:
        """One sentence."""
        worst, seen = parts(1 - self.level), parts(self.historical.value)
        beyond = self.n * (1 - self.level)
        if beyond < 1 - 1e-9:
            return f"{self.n:,} returns cannot show their worst {worst}: the largest loss seen is {seen}."
        normal = {
            "too small": f"a normal distribution says {parts(self.normal)} and understates it",
            "too large": f"a normal distribution says {parts(self.normal)} and overstates it",
            "in line": f"a normal distribution says {parts(self.normal)}, which is in line with it",
        }[self.normal_is]
        sure = f" ({within(self.historical.interval.hundredfold, '%')})" if self.historical.interval else ""
        mean = f"the mean loss there is {parts(self.shortfall)}, by a normal {parts(self.normal_shortfall)}"
        return f"The worst {worst} of periods lose {seen} or more{sure}: {normal}; {mean}."


@dataclass(frozen=True)
class Drawdown:
    """The deepest fall from a peak. Places count prices from 0."""

    depth: float
    """Share of the peak; 0 where prices never fall."""
    peak: int
    trough: int
    recovered: int | None
    """The first price at or above the peak after it; none where the prices end below."""

    @property
    def told(self) -> str:
        """One sentence; prices counted from 1."""
        if not self.depth:
            return "The price never fell below an earlier one."
        end = f"made good at price {self.recovered + 1:,}" if self.recovered is not None else "not made good by the end"
        fall = f"from price {self.peak + 1:,} to price {self.trough + 1:,}"
        return f"The deepest fall from a peak is {parts(self.depth)}, {fall}, {end}."


@dataclass(frozen=True)
class Split:
    """A change of price by a whole number of times, such as no trade of these prices makes."""

    place: int
    """Of the first price after it, from 0."""
    times: int
    rises: bool

    @property
    def told(self) -> str:
        """What it looks like; prices counted from 1."""
        size = f"{self.times:,} times" if self.rises else f"1/{self.times:,} of"
        kind = f"1 for {self.times:,}" if self.rises else f"{self.times:,} for 1"
        return f"price {self.place + 1:,} is about {size} the one before it, as after a split of {kind}"


@dataclass(frozen=True)
class Risk:
    """What prices say about risk."""

    name: str
    kind: Kind
    periods: float
    """In a year."""
    n: int
    """Returns."""
    mean: float
    """Of a period's return."""
    volatility: Estimate
    """By the year, a share of the value."""
    losses: tuple[Loss, ...]
    drawdown: Drawdown
    sharpe: Estimate
    """By the year; interval by Mertens."""
    sharpe_normal: Interval
    """The same for normal returns (Lo); for comparison."""
    autocorrelation: float
    """Of neighbouring returns."""
    normality: Normality
    """Of the returns."""
    splits: tuple[Split, ...] = ()
    """All that look like one."""

    @property
    def dependent(self) -> bool:
        """Whether neighbouring returns depend on one another, so that the square root of time misleads."""
        return abs(self.autocorrelation) > 1.96 / math.sqrt(self.n)

    def sentences(self) -> tuple[str, ...]:
        """Volatility, losses, the deepest fall, the Sharpe ratio, and whether a normal distribution fits."""
        sure = f" ({within(self.volatility.interval.hundredfold, '%')})" if self.volatility.interval else ""
        size = f"{self.n:,} {self.kind} returns with a mean of {parts(self.mean)} a period"
        year = f"a year of {number(self.periods)} periods"
        told = [led(self.name, f"volatility {parts(self.volatility.value)} {year}{sure}, of {size}.")]
        told += [loss.told for loss in self.losses]
        told += [self.drawdown.told, self._sharpe(), self.normality.sentences()[0]]
        if self.dependent:
            r = f"autocorrelation {number(self.autocorrelation, 2)}"
            way = "understated" if self.autocorrelation > 0 else "overstated"
            told.append(f"Neighbouring returns depend on one another ({r}): volatility a year is {way}.")
        if self.splits:
            others = f" ({len(self.splits):,} such changes in all)" if len(self.splits) > 1 else ""
            mend = "if these prices were not adjusted for it, volatility, losses and falls here are of the split"
            told.append(f"{led('', self.splits[0].told)}{others}: {mend}.")
        return tuple(told)

    def _sharpe(self) -> str:
        told = f"Sharpe ratio {number(self.sharpe.value, 3)} a year"
        if self.sharpe.interval is None:
            return f"{told}."
        clear = 0 not in self.sharpe.interval
        word = ("above 0" if self.sharpe.value > 0 else "below 0") if clear else "cannot be told from 0"
        return f"{told} ({within(self.sharpe.interval)}): {word}."

    def grids(self) -> tuple[Grid, ...]:
        """Losses, then the rest."""
        columns = ("level", "historical %", "low %", "high %", "normal %", "mean beyond %", "normal mean beyond %")
        losses = []
        for loss in self.losses:
            ends = loss.historical.interval or Interval(-math.inf, math.inf)
            shares = (loss.historical.value, ends.low, ends.high, loss.normal, loss.shortfall, loss.normal_shortfall)
            losses.append((loss.level, *(100 * share for share in shares)))
        year, ratio = self.volatility, self.sharpe
        rows: list[tuple[Cell, ...]] = [
            ("volatility a year (%)", 100 * year.value, *ends_of(year.interval and year.interval.hundredfold)),
            ("Sharpe ratio a year", ratio.value, *ends_of(ratio.interval)),
            ("deepest fall (%)", 100 * self.drawdown.depth, None, None),
            ("autocorrelation", self.autocorrelation, None, None),
        ]
        note = f"Losses of one period in {self.n:,} returns."
        first = Grid("Losses, historical against normal", columns, tuple(losses), note)
        return first, Grid("Risk", ("measure", "value", "low", "high"), tuple(rows)), *self.normality.grids()

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        more = {"told": list(self.sentences()), "dependent": self.dependent, "normality": self.normality.to_dict()}
        return {**plain(self), **more}


def returns(prices: Float[np.ndarray, "T"], kind: Kind = "simple", name: str = "") -> Float[np.ndarray, "N"]:
    """Of each period: p1 / p0 - 1 (simple), which adds up over assets, or log(p1 / p0), which adds up over time."""
    if kind not in ("simple", "log"):
        raise ConfigError(f"kind={kind!r}", "'simple' or 'log'", "'simple'")
    values = sample(prices, name or "the prices", 3)
    low = np.flatnonzero(values <= 0)
    if len(low):
        given = f"{number(float(values[low[0]]))} as price {low[0] + 1:,} of {name or 'the prices'}"
        raise DataError(given, "prices above 0", "correcting it, or differences in place of returns")
    changes: Float[np.ndarray, "N"] = np.diff(values) / values[:-1]
    return changes if kind == "simple" else np.log1p(changes)


def volatility(changes: Float[np.ndarray, "N"], periods: float = 252, level: float = LEVEL) -> Estimate:
    """sd of returns times the root of the periods in a year.

    The interval takes the sd's spread from the kurtosis, sd^2 (g2 + 2) / 4n: chi2's is too narrow for heavy tails.
    """
    values, _, sd = _spread(changes, periods)
    half = central(level) * math.sqrt(max(0.0, shape(values)[1] + 2) / (4 * len(values)))
    year = sd * math.sqrt(periods)
    return Estimate("volatility", year, Interval(year * math.exp(-half), year * math.exp(half), level))


def value_at_risk(changes: Float[np.ndarray, "N"], level: float = 0.99, sure: float = LEVEL) -> Loss:
    """What the worst 1 - level of periods lose. sure: of the interval of the historical loss."""
    if not 0.5 < level < 1:
        raise ConfigError(f"level={level}", "a share between 0.5 and 1", "level=0.99")
    values, mean, sd = _spread(changes, 1)
    ordered, n, worst = np.sort(values), len(values), 1 - level
    rank = max(1, math.ceil(n * worst - 1e-9))  # 100 * (1 - 0.95) is a hair above 5
    whole = math.floor(n * worst + 1e-9)
    rest = max(0.0, n * worst - whole)  # of one more return, where the worst are no whole number
    tail = float(ordered[:whole].sum()) + rest * float(ordered[min(whole, n - 1)])
    ends = quantile_interval(ordered, worst, sure)
    history = Estimate("value at risk", -float(ordered[rank - 1]), ends.turned)
    z = -float(special.ndtri(worst))
    density = math.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    return Loss(level, history, z * sd - mean, -tail / (n * worst), sd * density / worst - mean, n)


def drawdown(prices: Float[np.ndarray, "T"], name: str = "") -> Drawdown:
    """The deepest fall from a peak, and whether it was made good."""
    returns(prices, name=name)  # refuses what are no prices
    values = np.asarray(prices, dtype=np.float64)
    highest = np.maximum.accumulate(values)
    depths = 1 - values / highest
    trough = int(depths.argmax())
    top = float(highest[trough])
    peak = int(np.flatnonzero(values[: trough + 1] == top)[-1])
    after = np.flatnonzero(values[trough:] >= top)
    return Drawdown(float(depths[trough]), peak, trough, trough + int(after[0]) if len(after) else None)


def splits(prices: Float[np.ndarray, "T"], name: str = "") -> tuple[Split, ...]:
    """Prices that are a whole number of times the one before, or such a part of it, far beyond all usual changes.

    Whole by as much as prices else move: the day of the split is a day of trade too.
    """
    changes = np.log1p(returns(prices, name=name))
    sizes = np.abs(changes)
    usual = float(np.median(sizes))
    times = np.maximum(2, np.rint(np.exp(sizes)))
    whole = np.abs(sizes - np.log(times)) <= min(WHOLE, max(EXACT, 3 * usual / special.ndtri(0.75)))
    alike = whole & (sizes > LONE * usual)
    found = np.flatnonzero(alike & (sizes > APART * np.max(sizes, where=~alike, initial=0.0)))
    return tuple(Split(int(at) + 1, int(times[at]), bool(changes[at] > 0)) for at in found)


def sharpe(
    changes: Float[np.ndarray, "N"],
    periods: float = 252,
    risk_free: float = 0.0,
    level: float = LEVEL,
    normal: bool = False,
) -> Estimate:
    """Mean return above the risk-free one, over the sd; by the year.

    Variance of the ratio SR of a period: (1 + SR^2 / 2 - g1 SR + g2 SR^2 / 4) / n (Mertens 2002); without the last two
    terms for normal returns (Lo 2002, eq. 9).

    risk_free   of a year, a share
    normal      whether returns are taken for normal
    """
    if risk_free <= -1 or not math.isfinite(risk_free):
        raise ConfigError(f"risk_free={risk_free}", "a share of a year above -1", "risk_free=0.02")
    values, mean, sd = _spread(changes, periods)
    ratio = (mean - math.expm1(math.log1p(risk_free) / periods)) / sd
    skew, kurtosis = (0.0, 0.0) if normal else shape(values)
    variance = (1 + ratio**2 / 2 - skew * ratio + kurtosis * ratio**2 / 4) / len(values)
    half = central(level) * math.sqrt(max(0.0, variance))
    ends = [math.sqrt(periods) * (ratio + way * half) for way in (-1, 1)]
    return Estimate("Sharpe ratio", math.sqrt(periods) * ratio, Interval(ends[0], ends[1], level))


def risk(
    prices: Float[np.ndarray, "T"],
    periods: float = 252,
    levels: Sequence[float] = LEVELS,
    kind: Kind = "simple",
    risk_free: float = 0.0,
    name: str = "",
) -> Risk:
    """All that prices say about risk. periods: in a year, 252 trading days, 52 weeks, 12 months."""
    changes = returns(prices, kind, name)
    if len(changes) < 3:
        raise DataError(f"{len(changes) + 1} prices", "at least 4 to tell risk", "more periods", name)
    values, mean, _ = _spread(changes, periods)
    ratio = sharpe(values, periods, risk_free)
    lo = sharpe(values, periods, risk_free, normal=True).interval
    return Risk(
        name=name,
        kind=kind,
        periods=periods,
        n=len(values),
        mean=mean,
        volatility=volatility(values, periods),
        losses=tuple(value_at_risk(values, level) for level in levels),
        drawdown=drawdown(prices, name),
        sharpe=ratio,
        sharpe_normal=lo or Interval(-math.inf, math.inf),
        autocorrelation=lag_one(values),
        normality=normality(values, f"returns of {name}" if name else "returns"),
        splits=splits(prices, name),
    )


def _spread(changes: Float[np.ndarray, "N"], periods: float) -> tuple[Float[np.ndarray, "N"], float, float]:
    """Returns that vary, with mean and sd."""
    if not (periods > 0 and math.isfinite(periods)):
        raise ConfigError(f"periods={periods}", "periods in a year, above 0", "252 for days, 12 for months")
    values = squarable(changes, "the returns")
    mean, sd = moments(values)
    if sd < ROUNDING:
        raise DataError(f"returns that are all {parts(mean)}", "prices whose returns vary", "another column")
    return values, mean, sd
