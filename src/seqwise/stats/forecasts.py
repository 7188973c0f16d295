"""Which of two forecasts is better: Diebold and Mariano's test (1995) with Harvey, Leybourne and Newbold's correction.

    d = loss of the first - loss of the second, at each origin        null: their mean is 0
    DM = mean(d) / sqrt((g(0) + 2 (g(1) + ... + g(h-1))) / T)          g(k): autocovariance of d, divided by T
    HLN = DM sqrt((T + 1 - 2h + h (h - 1) / T) / T)                    against t with T - 1 degrees (1997)

Losses, not errors, so that any will do: squared, absolute, CRPS, -log score. Forecasts h steps ahead share h - 1 steps
of what came, which is why neighbouring d depend on each other even of perfect forecasters. The sum of covariances can
be negative; then it is taken with Bartlett's weights, which cannot, and the result says so.

By T - 1 degrees the test rejects too often where origins are few for the horizon: 9 to 12 % in place of 5 with eight
for each step, 12 to 17 % with five. A sum of m covariances knows its own size about as well as T / (2 m - 1) free
numbers would; with as many degrees, and m no less than the cube root of T, it rejects 3 to 6 %: `degrees="kept"`.

Left out: nested models, whose difference is not normal when the larger one adds nothing (Clark and West 2007); many
forecasts at once.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Shaped
from scipy.special import stdtr

from seqwise.errors import ConfigError, DataError
from seqwise.stats.autocorrelation import lag_one, products
from seqwise.stats.means import student
from seqwise.stats.phrases import amount, between, chance, counted, digits_apart, number
from seqwise.stats.results import LEVEL, Assumption, Estimate, Grid, Interval, Test, plain
from seqwise.stats.samples import Row, sample

# T origins

FEW = 5  # origins for each step of the horizon: with fewer the covariances are hardly known
Verdict = Literal["better", "worse", "cannot tell"]


@dataclass(frozen=True)
class ForecastComparison:
    """The second forecast against the first, by their losses at the same origins."""

    names: tuple[str, str]
    loss: str
    means: tuple[float, float]
    """Of the losses; less is better."""
    horizon: int
    test: Test
    """Its effect is the first's mean loss minus the second's: above 0 the second is better."""

    @property
    def verdict(self) -> Verdict:
        """Of the second. Only where p and interval agree."""
        interval = self.test.effect.interval
        if not self.test.rejected or (interval is not None and 0 in interval):
            return "cannot tell"
        return "better" if self.test.effect.value > 0 else "worse"

    def sentences(self) -> tuple[str, ...]:
        """One, and whatever shakes it."""
        first, second = self.names
        told = {
            "better": f"{second} is better than {first}",
            "worse": f"{second} is worse than {first}",
            "cannot tell": f"Cannot tell whether {second} is better or worse than {first}",
        }[self.verdict]
        one, other = (amount(mean, self.test.effect.unit, digits_apart(*self.means)) for mean in self.means)
        levels = f"the mean {self.loss} of {second} is {other}, that of {first} {one}{self._gap()}"
        n = next(iter(self.test.n.values()))
        by = f"{chance(self.test.p)}, {counted(n, 'forecast')} {counted(self.horizon, 'step')} ahead"
        doubts = [one.told for one in self.test.assumptions if one.holds is False]
        return (f"{told}: {levels} ({by}).", *doubts, *self.test.notes)

    def _gap(self) -> str:
        """How much the second has less or more, with its interval."""
        effect = self.test.effect
        if effect.value == 0:
            return "" if effect.interval is None else f", difference {between(effect.interval, effect.unit)}"
        told = f", which is {amount(abs(effect.value), effect.unit)} {'less' if effect.value > 0 else 'more'}"
        if effect.interval is None:
            return f"{told} at each of them"
        turned = effect.interval if effect.value > 0 else effect.interval.turned
        return f"{told}, {between(turned, effect.unit)}"

    def grids(self) -> tuple[Grid, ...]:
        """Losses, difference, test."""
        interval = self.test.effect.interval or Interval(math.nan, math.nan)
        rows = (
            *((name, mean, None, None, None) for name, mean in zip(self.names, self.means, strict=True)),
            ("difference", self.test.effect.value, interval.low, interval.high, self.test.p),
        )
        return (Grid(f"mean {self.loss}", ("forecast", "mean", "low", "high", "p"), rows, self.test.name),)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {**plain(self), "verdict": self.verdict}


def diebold_mariano(
    first: Shaped[np.ndarray, "T"],
    second: Shaped[np.ndarray, "_"],
    horizon: int = 1,
    names: tuple[str, str] = ("first", "second"),
    loss: str = "loss",
    unit: str = "",
    level: float = LEVEL,
    degrees: Literal["published", "kept"] = "published",
) -> ForecastComparison:
    """Two forecasts by their losses at the same origins, in the order of time.

    horizon   steps ahead that was forecast
    names     of the two; the second is the one that is judged
    loss      what it is called, such as squared error
    degrees   published: T - 1; kept: those that the sum of the covariances leaves, which keeps to the level
    """
    one, other = sample(first, f"losses of {names[0]}"), sample(second, f"losses of {names[1]}")
    if len(one) != len(other):
        given = f"{len(one):,} losses of {names[0]} and {len(other):,} of {names[1]}"
        raise DataError(given, "the same forecast origins", "comparing where both made a forecast")
    if not 1 <= horizon < len(one):
        raise ConfigError(
            f"horizon={horizon}", f"1 to {len(one) - 1:,}, fewer than there are forecasts", "a shorter one"
        )
    d = one - other  # (T,)
    scale = max(float(np.abs(one).max()), float(np.abs(other).max()))
    d = np.where(np.abs(d) <= 1e-13 * scale, 0.0, d)
    means = (float(one.mean()), float(other.mean()))
    kept = degrees == "kept"
    found = _tested(d, horizon, names, loss, unit, level, float(np.ptp(d)) <= 1e-12 * scale, kept)
    return ForecastComparison(names, loss, means, horizon, found)


def autocovariances(d: Row, count: int) -> Float[np.ndarray, "K"]:
    """g(0) to g(count - 1), divided by T as the test wants them."""
    return np.asarray(products(d, count - 1) / len(d))


def error_of_mean(covariances: Sequence[float] | Float[np.ndarray, "K"], n: int) -> tuple[float, bool]:
    """Standard error of the mean of d, and whether Bartlett's weights had to save it from a negative variance."""
    whole, *others = (float(one) for one in covariances)
    plain_sum = whole + 2 * sum(others)
    if plain_sum > 1e-12 * whole:
        return math.sqrt(plain_sum / n), False
    h = len(others) + 1
    weighted = whole + 2 * sum((1 - k / h) * one for k, one in enumerate(others, start=1))
    return math.sqrt(max(weighted, 0.0) / n), True


def small_sample(n: int, horizon: int) -> float:
    """Harvey, Leybourne and Newbold's factor: above 0 for any horizon below n."""
    return math.sqrt((n + 1 - 2 * horizon + horizon * (horizon - 1) / n) / n)


def counting(n: int, horizon: int) -> tuple[int, float]:
    """How many covariances count, the variance among them, and the degrees of freedom that their sum leaves."""
    m = max(horizon, round(math.cbrt(n)))
    return m, min(n - 1.0, n / (2 * m - 1))


def _tested(
    d: Row, horizon: int, names: tuple[str, str], loss: str, unit: str, level: float, constant: bool, kept: bool
) -> Test:
    """The test; without a standard error where every d is the same."""
    n, mean = len(d), float(d.mean())
    m, df = counting(n, horizon) if kept else (horizon, n - 1.0)
    error, saved = (0.0, False) if constant else error_of_mean(autocovariances(d, m), n)
    error /= small_sample(n, m)
    notes = _notes(n, horizon, saved)
    if error > 0:
        statistic = mean / error
        p = min(1.0, 2 * float(stdtr(df, -abs(statistic))))
        interval: Interval | None = student(mean, error, df, level)
    elif mean == 0:
        statistic, p, interval = 0.0, 1.0, Interval(0.0, 0.0, level)
        notes.append(f"The losses of {names[0]} and {names[1]} are the same at every origin.")
    else:
        statistic, p, interval = math.copysign(math.inf, mean), min(1.0, 2.0 ** (1 - n)), None
        notes.append("The losses differ by the same amount at every origin: p is that of as many equal signs.")
    return Test(
        name="Diebold-Mariano test, corrected by Harvey, Leybourne and Newbold",
        null=f"the mean {loss} of {names[0]} and {names[1]} is the same",
        symbol="t",
        statistic=statistic,
        df=(df,),
        p=p,
        n={"forecasts": n},
        effect=Estimate(f"mean {loss} of {names[0]} minus that of {names[1]}", mean, interval, unit),
        why="forecasts of the same origins, whose losses depend on each other over the horizon",
        assumptions=() if constant else (_steady(d),),
        notes=tuple(notes),
    )


def _notes(n: int, horizon: int, saved: bool) -> list[str]:
    notes = []
    if saved:
        notes.append("The covariances of the differences sum to less than 0, so Bartlett's weights were used in place.")
    if n < FEW * horizon:
        few, far = counted(n, "forecast"), counted(horizon, "step")
        notes.append(f"{few} {'is' if n == 1 else 'are'} few for {far} ahead: take p as a rough guess.")
    return notes


def _steady(d: Row) -> Assumption:
    """Whether the difference keeps its mean: the test asks for one mean, and a forecast may be better only at times."""
    name, n = "steady difference", len(d)
    if n < 20:
        return Assumption(name, None, f"{counted(n, 'forecast')} are too few to tell whether the difference is steady.")
    one, other = d[: n // 2], d[n // 2 :]
    memory = min(0.9, max(0.0, lag_one(d)))
    alone = float(one.var(ddof=1)) / len(one) + float(other.var(ddof=1)) / len(other)
    error = math.sqrt(alone * (1 + memory) / (1 - memory))  # as much as neighbours are alike
    told = f"{number(float(one.mean()), 3)} in the first half and {number(float(other.mean()), 3)} in the second"
    if abs(float(other.mean() - one.mean())) <= 3 * error:
        return Assumption(name, True, f"No sign that the difference of the losses changes with time: {told}.")
    return Assumption(name, False, f"The difference of the losses changes with time: {told}.")
