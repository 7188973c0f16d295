"""Do forecast distributions promise what comes? Bands that hold their share, and values that fall anywhere in them.

    coverage        share of values within a band against the share promised: Wilson's interval, exact binomial test
    pit_uniformity  the forecast's distribution function at what came (probability integral transform) is uniform:
                    Kolmogorov-Smirnov, Cramér-von Mises, and Berkowitz's (2001) likelihood ratio

The first two tests of the PIT hardly see bands that are too narrow or too wide: with an sd of 1.24 in place of 1, 20
forecasts give a Kolmogorov-Smirnov p of 0.996. So what leads is the sd of z = normal quantile of the PIT, with its
interval: 1 is right, more than 1 means bands that are too narrow.

Forecasts h steps ahead share h - 1 steps of what came. Then coverage counts for as many independent forecasts as its
variance shows (Bartlett's weights up to lag h - 1), and the PIT is tested in h parts of every h-th forecast, p times h
(Diebold, Gunther and Tay 1998).

Left out: PIT of counts, whose distribution functions jump (Czado, Gneiting and Held 2009); several targets at once.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Shaped
from scipy.special import chdtrc, ndtr, ndtri

from seqwise.errors import ConfigError, DataError
from seqwise.stats.assumptions import independent
from seqwise.stats.autocorrelation import products
from seqwise.stats.phrases import between, chance, counted, number, percent, shares_within
from seqwise.stats.proportions import score_interval
from seqwise.stats.results import LEVEL, Estimate, Grid, Interval, Test, plain
from seqwise.stats.samples import Row, sample
from seqwise.stats.within import overall

# T forecasts

LEAST = 8  # forecasts of a test of the PIT
EDGE = 1e-12  # a PIT of 0 or 1 is as far out as this
HARM = "forecasts miss what the last errors tell, and p is too small"


@dataclass(frozen=True)
class Coverage:
    """How many values fell within a band that promised a share."""

    name: str
    nominal: float
    """The share promised."""
    inside: int
    n: int
    horizon: int
    effective: float
    """Independent forecasts that would show as much."""
    test: Test

    @property
    def verdict(self) -> Literal["too narrow", "too wide", "cannot tell"]:
        """Only where p and interval agree that the share is another."""
        interval = self.test.effect.interval
        if not self.test.rejected or interval is None or self.nominal in interval:
            return "cannot tell"
        return "too wide" if self.test.effect.value > self.nominal else "too narrow"

    def sentences(self) -> tuple[str, ...]:
        """One, and what shakes it."""
        share, interval = self.test.effect.value, self.test.effect.interval
        told = {
            "too narrow": f"The {self.name} is too narrow",
            "too wide": f"The {self.name} is too wide",
            "cannot tell": f"No sign that the {self.name} is too narrow or too wide",
        }[self.verdict]
        within = f", {shares_within(interval, small=3)}" if interval else ""
        held = f"it held {percent(share, small=3)} of {counted(self.n, 'value')}{within}"
        held += f", and promised {percent(self.nominal, small=3)}"
        return (f"{told}: {held} ({chance(self.test.p)}).", *self.test.notes)

    def grids(self) -> tuple[Grid, ...]:
        """One row."""
        interval = self.test.effect.interval or Interval(0.0, 1.0)
        row_ = (self.nominal, self.test.effect.value, interval.low, interval.high, self.n, self.test.p)
        return (Grid(f"coverage of {self.name}", ("promised", "held", "low", "high", "forecasts", "p"), (row_,)),)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {**plain(self), "verdict": self.verdict}


def coverage(
    inside: Bool[np.ndarray, "T"], nominal: float, horizon: int = 1, name: str = "band", level: float = LEVEL
) -> Coverage:
    """Whether a band holds the share it promises.

    inside    whether each value fell within, in the order of time
    nominal   the share promised
    """
    hits = np.asarray(inside)
    if hits.ndim != 1 or hits.dtype != np.bool_ or not len(hits):
        raise DataError(
            f"hits of shape {hits.shape} and type {hits.dtype}", "a row of true or false", "low <= y <= high"
        )
    if not 0 < nominal < 1:
        raise ConfigError(f"nominal={nominal}", "a share between 0 and 1", "0.9545 for mean ± 2 sds")
    if horizon < 1:
        raise ConfigError(f"horizon={horizon}", "1 or more", "the steps ahead that were forecast")
    n, count = len(hits), int(hits.sum())
    notes: tuple[str, ...] = ()
    effective = float(n)
    if horizon > 1:
        effective = _effective(hits.astype(np.float64), horizon)
        few = f"{counted(n, 'forecast')} count for {number(effective, 3)} that do not"
        notes = (f"Forecasts {horizon} steps ahead overlap: {few}.",)
        z = (count / n - nominal) / math.sqrt(nominal * (1 - nominal) / effective)
        p, symbol, statistic = 2 * float(ndtr(-abs(z))), "z", z
    else:
        p, symbol, statistic = _binomial(count, n, nominal), "k", float(count)
    test = Test(
        name="binomial test" if horizon == 1 else "score test",
        null=f"the {name} holds {percent(nominal, small=3)} of the values",
        symbol=symbol,
        statistic=statistic,
        df=(),
        p=p,
        n={"forecasts": n},
        effect=Estimate("share within", count / n, score_interval(count / n, effective, level)),
        why="exact for independent forecasts" if horizon == 1 else "overlapping forecasts, whose hits come in runs",
        notes=notes,
    )
    return Coverage(name, nominal, count, n, horizon, effective, test)


def _effective(hits: Row, horizon: int) -> float:
    """Independent forecasts whose share would vary as much; never more than there are."""
    n = len(hits)
    most = min(horizon, n)
    whole, *others = map(float, products(hits, most - 1))
    if whole == 0:  # all within or all without: as many as do not overlap
        return max(1.0, n / horizon)
    runs = 1 + 2 * sum((1 - k / most) * one / whole for k, one in enumerate(others, start=1))
    return n / max(1.0, runs)


def _binomial(count: int, n: int, share: float) -> float:
    from scipy.stats import binomtest  # half a second, which not everybody should wait for

    return float(binomtest(count, n, share).pvalue)


@dataclass(frozen=True)
class Uniformity:
    """Whether what came falls anywhere in the forecast distributions."""

    name: str
    n: int
    horizon: int
    bias: Estimate
    """Mean of z, 0 if forecasts are neither too low nor too high."""
    width: Estimate
    """Sd of z, 1 if bands are as wide as they should be, more if they are too narrow."""
    tests: tuple[Test, ...]
    """Kolmogorov-Smirnov, Cramér-von Mises, Berkowitz."""
    notes: tuple[str, ...]

    @property
    def rejected(self) -> bool:
        """Whether Berkowitz's test, the one that sees width, refuses."""
        return self.tests[-1].rejected

    def sentences(self) -> tuple[str, ...]:
        """Width and bias first."""
        bands = f"z has sd {_value(self.width)} where 1 is right, and mean {_value(self.bias)} where 0 is right"
        last = self.tests[-1]
        test = f"Berkowitz LR({int(last.df[0])}) = {number(last.statistic, 3)}, {chance(last.p)}"
        faults = []
        if self.width.interval and 1 not in self.width.interval:
            faults.append("too narrow" if self.width.value > 1 else "too wide")
        if self.bias.interval and 0 not in self.bias.interval:
            faults.append("too low" if self.bias.value > 0 else "too high")
        if self.rejected:
            told = f"Forecast distributions of {self.name} are {' and '.join(faults) or 'not those of what came'}"
        elif faults:
            told = f"Forecast distributions of {self.name} may be {' and '.join(faults)}, though the test cannot tell"
        else:
            told = f"No sign that forecast distributions of {self.name} are wrong"
        return (f"{told}: {bands} ({test}, {counted(self.n, 'forecast')}).", *self.notes)

    def grids(self) -> tuple[Grid, ...]:
        """A row for each test."""
        rows = tuple((test.name, test.null, test.statistic, test.p) for test in self.tests)
        return (Grid(f"PIT of {self.name}", ("test", "null hypothesis", "statistic", "p"), rows),)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {**plain(self), "rejected": self.rejected}


def pit_uniformity(
    pit: Shaped[np.ndarray, "T"], horizon: int = 1, name: str = "values", level: float = LEVEL
) -> Uniformity:
    """Whether the forecasts' distribution functions at what came are uniform; in the order of time."""
    u = sample(pit, f"PIT of {name}", LEAST, varied=True)
    if u.min() < 0 or u.max() > 1:
        given = f"PIT of {name} from {number(float(u.min()))} to {number(float(u.max()))}"
        raise DataError(given, "values from 0 to 1", "the distribution function of each forecast at what came")
    if horizon < 1 or len(u) < LEAST * horizon:
        given = f"horizon={horizon} with {counted(len(u), 'forecast')}"
        raise ConfigError(
            given, f"1 or more, and {LEAST} forecasts for each step", "more origins, or a shorter horizon"
        )
    notes = []
    out = int(((u < EDGE) | (u > 1 - EDGE)).sum())
    if out:
        lie = f"{out:,} of {counted(len(u), 'value')} lie{'s' * (out == 1)}"
        notes.append(
            f"{lie} where the forecast saw no chance at all; taken as {number(-float(ndtri(EDGE)), 2)} sds out."
        )
    z = ndtri(np.clip(u, EDGE, 1 - EDGE))
    sd = overall(z)
    count = len(z) / horizon  # overlapping forecasts count for fewer
    half = float(ndtri((1 + level) / 2)) * sd.value / math.sqrt(count)
    spread = type(sd)(sd.value, max(1.0, count - 1), sd.method, sd.unbiased)
    bias = Estimate("mean of z", float(z.mean()), Interval(float(z.mean()) - half, float(z.mean()) + half, level))
    width = Estimate("sd of z", sd.value, spread.interval(level))
    if horizon == 1:
        depends = independent(z, HARM, f"PIT of {name}")
        notes += [depends.told] if depends.holds is False else []
    return Uniformity(name, len(u), horizon, bias, width, _tests(u, z, horizon, name), tuple(notes))


def berkowitz(z: Row) -> tuple[float, float]:
    """Likelihood ratio of mean 0 and sd 1 against any mean and sd, and its p; equation 9 without the autoregression."""
    n, variance = len(z), float(z.var())
    if variance <= 0:
        return math.inf, 0.0
    ratio = max(0.0, float(z @ z) - n - n * math.log(variance))
    return ratio, float(chdtrc(2, ratio))


def _tests(u: Row, z: Row, horizon: int, name: str) -> tuple[Test, ...]:
    from scipy.stats import cramervonmises, kstest  # half a second, which not everybody should wait for

    def ks(part: Row) -> tuple[float, float]:
        found = kstest(part, "uniform")
        return float(found.statistic), float(found.pvalue)

    def cvm(part: Row) -> tuple[float, float]:
        found = cramervonmises(part, "uniform")
        return float(found.statistic), float(found.pvalue)

    far = float(np.abs(np.sort(u) - (np.arange(len(u)) + 0.5) / len(u)).max())
    uniform = f"the PIT of {name} is uniform"
    distance = Estimate("largest distance from uniform", far)
    scale = Estimate("sd of z", float(z.std(ddof=1)))
    normal = f"z of {name} is normal with mean 0 and sd 1"
    return (
        _apart("Kolmogorov-Smirnov test", "D", uniform, ks, u, horizon, distance, ()),
        _apart("Cramér-von Mises test", "W2", uniform, cvm, u, horizon, distance, ()),
        _apart("Berkowitz test", "LR", normal, berkowitz, z, horizon, scale, (2.0,)),
    )


def _apart(
    name: str,
    symbol: str,
    null: str,
    tested: Callable[[Row], tuple[float, float]],
    x: Row,
    horizon: int,
    effect: Estimate,
    df: Sequence[float],
) -> Test:
    """The test on every h-th forecast, h times; p of the smallest by Bonferroni."""
    statistic, p = min((tested(x[start::horizon]) for start in range(horizon)), key=lambda found: found[1])
    notes = (f"the worst of {horizon} parts of every {horizon}-th forecast, p times {horizon}",) if horizon > 1 else ()
    return Test(
        name, null, symbol, statistic, tuple(df), min(1.0, horizon * p), {"forecasts": len(x)}, effect, notes=notes
    )


def _value(estimate: Estimate) -> str:
    told = number(estimate.value, 3)
    return f"{told}, {between(estimate.interval)}," if estimate.interval else told
