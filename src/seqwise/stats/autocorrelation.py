"""Autocorrelation: how much a value says about those so many steps later.

    acf          r(k) = sum (y[i] - mean) (y[i + k] - mean) / sum (y[i] - mean)², as NIST and Box and Jenkins define it
    lag_one      r(1) alone, 0 where nothing varies
    pacf         what lag k adds to the shorter ones; Levinson and Durbin's recursion
    ljung_box    whether lags 1 to K are together more than chance (Ljung and Box 1978)

Two kinds of interval, which are often mixed up: the band around 0 within which r(k) lies by chance if nothing depends
on anything, and the interval of r(k) itself by Bartlett's formula, which knows of the lags below k.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped
from scipy.special import chdtrc, ndtri

from seqwise.errors import ConfigError, DataError
from seqwise.stats.phrases import chance, counted, number, sure
from seqwise.stats.results import LEVEL, Estimate, Grid, Interval, Test, plain
from seqwise.stats.samples import Row, sample

# N values, K lags

LEAST = 8  # values


@dataclass(frozen=True)
class Autocorrelation:
    """Of lags 1 to K."""

    name: str
    n: int
    lags: tuple[int, ...]
    acf: tuple[float, ...]
    low: tuple[float, ...]
    """Of the intervals of r(k) by Bartlett's formula."""
    high: tuple[float, ...]
    pacf: tuple[float, ...]
    band: float
    """Both r(k) and the partial one lie within ± this by chance, each with the level's share."""
    level: float
    ljung_box: Test

    def sentences(self) -> tuple[str, ...]:
        """Whether there is any, and where it is strongest."""
        top = max(range(len(self.acf)), key=lambda place: abs(self.acf[place]))
        r = f"{number(self.acf[top], 2)}, {sure(self.level)} {number(self.low[top], 2)} to {number(self.high[top], 2)}"
        if len(self.lags) > 1:
            shown = (
                f"of the autocorrelations at lags 1 to {len(self.lags)} the strongest is {r}, at lag {self.lags[top]}"
            )
        else:
            shown = f"the autocorrelation at lag 1 is {r}"
        test = f"Ljung-Box Q({len(self.lags)}) = {number(self.ljung_box.statistic)}, {chance(self.ljung_box.p)}"
        depend = f"alues of {self.name} depend on those before"
        told = f"V{depend}" if self.ljung_box.p < 1 - self.level else f"No sign that v{depend}"
        return (f"{told}: {shown} ({test}, {counted(self.n, 'value')}).",)

    def grids(self) -> tuple[Grid, ...]:
        """A row for each lag."""
        rows = tuple(zip(self.lags, self.acf, self.low, self.high, self.pacf, strict=True))
        note = f"by chance within ±{number(self.band, 2)}"
        return (Grid(f"autocorrelation of {self.name}", ("lag", "acf", "low", "high", "partial"), rows, note),)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return dict(plain(self))


def autocorrelation(
    values: Shaped[np.ndarray, "N"],
    lags: int | None = None,
    name: str = "values",
    fitted: int = 0,
    level: float = LEVEL,
) -> Autocorrelation:
    """Of lags 1 to `lags`.

    lags     None: ten, or a fifth of the values where that is less
    fitted   parameters of the model whose residuals these are: the test has so many degrees of freedom less
    """
    x = sample(values, name, LEAST, varied=True)
    most = usual_lags(len(x)) if lags is None else lags
    if not 1 <= most < len(x) or most <= fitted:
        raise ConfigError(f"lags={most}", f"{fitted + 1} to {len(x) - 1}", f"{max(usual_lags(len(x)), fitted + 1)}")
    r = acf(x, most)[1:]  # (K,)
    z, n = float(ndtri((1 + level) / 2)), len(x)
    spread = np.sqrt((1 + 2 * np.concatenate([[0.0], np.cumsum(r[:-1] ** 2)])) / n)  # (K,)
    low, high = np.maximum(-1, r - z * spread), np.minimum(1, r + z * spread)
    test = ljung_box(r, n, name, fitted, level)
    return Autocorrelation(
        name, n, tuple(range(1, most + 1)), tuple(r.tolist()), tuple(low.tolist()), tuple(high.tolist()),
        tuple(pacf(r).tolist()), z / math.sqrt(n), level, test,
    )  # fmt: skip


def usual_lags(n: int, period: int | None = None) -> int:
    """Ten, or two periods; a fifth of the values where that is less (Hyndman and Athanasopoulos 2021, section 5.4)."""
    return max(1, min(10 if period is None else 2 * period, n // 5))


def acf(x: Row, lags: int) -> Float[np.ndarray, "K"]:
    """r(0) to r(lags)."""
    sums = products(x, lags)
    if sums[0] <= 0:
        raise DataError("values that are all the same", "values that differ", "another column")
    return np.asarray(sums / sums[0])


def lag_one(x: Row) -> float:
    """r(1); 0 where nothing varies."""
    gaps = x - x.mean()
    total = float(gaps @ gaps)
    return float(gaps[:-1] @ gaps[1:]) / total if total > 0 else 0.0


def products(x: Row, lags: int) -> Float[np.ndarray, "K"]:
    """Sums of (y[i] - mean) (y[i + k] - mean) for k from 0 to lags; of many by the Fourier transform."""
    gaps = x - x.mean()
    if lags * len(x) < 5_000_000:
        return np.array([float(gaps[: len(x) - lag] @ gaps[lag:]) for lag in range(lags + 1)])
    size = 1 << (2 * len(x) - 1).bit_length()
    return np.asarray(np.fft.irfft(np.abs(np.fft.rfft(gaps, size)) ** 2, size)[: lags + 1])


def pacf(r: Float[np.ndarray, "K"]) -> Float[np.ndarray, "K"]:
    """Partial autocorrelations of lags 1 to K, from r(1) to r(K)."""
    found = np.empty(len(r))
    weights = np.empty(0)  # of the best forecast from k values
    error = 1.0
    for k in range(len(r)):
        found[k] = (r[k] - weights @ r[:k][::-1]) / error if error > 0 else 0.0
        weights = np.append(weights - found[k] * weights[::-1], found[k])
        error *= 1 - found[k] ** 2
    return found


def ljung_box(r: Float[np.ndarray, "K"], n: int, name: str = "values", fitted: int = 0, level: float = LEVEL) -> Test:
    """Whether r(1) to r(K) are together more than chance."""
    k = len(r)
    q = float(n * (n + 2) * np.sum(r * r / (n - np.arange(1, k + 1))))
    top = int(np.argmax(np.abs(r)))
    half = float(ndtri((1 + level) / 2)) * math.sqrt((1 + 2 * float(np.sum(r[:top] ** 2))) / n)
    inside = Interval(max(-1.0, float(r[top]) - half), min(1.0, float(r[top]) + half), level)
    return Test(
        name="Ljung-Box test",
        null=f"values of {name} are independent of those 1 to {k} steps before",
        symbol="Q",
        statistic=q,
        df=(float(k - fitted),),
        p=float(chdtrc(k - fitted, q)),
        n={name: n},
        effect=Estimate(f"autocorrelation at lag {top + 1}, the strongest", float(r[top]), inside),
        why="one test of all lags together, as of many lags some are far from 0 by chance",
    )
