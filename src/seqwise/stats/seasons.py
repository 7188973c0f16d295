"""Trend, season and the rest: STL (Cleveland et al. 1990), and how strong trend and season are.

    strength of trend    1 - var(rest) / var(trend + rest), at least 0
    strength of season   1 - var(rest) / var(season + rest), at least 0

(Hyndman and Athanasopoulos 2021, section 4.3.) 0 is none, 1 is nothing else. Even white noise has some of both, as
STL bends to what it sees, so the strengths of shuffled values stand beside them: what the same values show in an order
that means nothing.

A period that is not given is looked for: the highest autocorrelation beyond the first zero crossing, of the values
about a straight line or of their changes, seen at least three times and repeated at twice the lag. Random walks show
cycles that are none (Nelson and Kang 1981), so what is found is a suggestion and says so.

Left out: several seasons at once, periods that are no whole number of values.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from seqwise.errors import ConfigError, DataError
from seqwise.stats.autocorrelation import acf
from seqwise.stats.phrases import amount, counted, number
from seqwise.stats.results import Grid, plain
from seqwise.stats.samples import Row, flat, sample
from seqwise.stats.spectrum import straightened

# N values

LEAST = 8  # values
LONG = 5_000  # values that are shuffled of a longer series: what chance shows falls with length
SHUFFLES = 19  # the strengths exceed all of them by chance in one of twenty series
CLEAR = 0.3  # autocorrelation from which on a lag is taken for a period
MULTIPLE = 0.85  # of the highest autocorrelation: twice a period may come out a little higher by chance
CYCLES = 3  # of a period that is looked for


@dataclass(frozen=True)
class Seasons:
    """A series as the sum of three."""

    name: str
    unit: str
    period: int
    found: bool
    """Whether the period was looked for, not given."""
    trend: tuple[float, ...]
    season: tuple[float, ...]
    rest: tuple[float, ...]
    strength_trend: float
    strength_season: float
    chance_season: float
    """The greatest strength of season among shuffled values."""
    swing: float
    """From the season's lowest to its highest value on average, in the unit of the values."""

    @property
    def seasonal(self) -> bool:
        """Whether the season is stronger than of all shuffled series."""
        return self.strength_season > self.chance_season

    def sentences(self) -> tuple[str, ...]:
        """Season, then trend."""
        period = f"a period of {self.period} values ({'found, not given' if self.found else 'as given'})"
        most = number(self.chance_season, 2)
        strengths = f"strength {number(self.strength_season, 2)} of 1, shuffled values up to {most}"
        if self.seasonal:
            swing = amount(self.swing, self.unit)
            season = f"{self.name} has a season with {period}: it swings by {swing} ({strengths})."
        else:
            season = f"{self.name} shows no season with {period} beyond that of shuffled values ({strengths})."
        rise = self.trend[-1] - self.trend[0]
        level = abs(rise) <= 1e-9 * (self.swing + max(map(abs, self.rest), default=0.0))
        way = "stays" if level else f"{'rises' if rise > 0 else 'falls'} by {amount(abs(rise), self.unit)}"
        strong = f"the trend's strength is {number(self.strength_trend, 2)} of 1"
        return season, f"From first to last value its trend {way}; {strong} ({counted(len(self.trend), 'value')})."

    def grids(self) -> tuple[Grid, ...]:
        """The strengths."""
        rows = (
            ("trend", self.strength_trend, None),
            ("season", self.strength_season, self.chance_season),
        )
        note = f"period {self.period} values"
        return (Grid(f"parts of {self.name}", ("part", "strength", "of shuffled values"), rows, note),)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {**plain(self), "seasonal": self.seasonal}


def seasons(
    values: Shaped[np.ndarray, "N"],
    period: int | None = None,
    name: str = "values",
    unit: str = "",
    robust: bool = False,
    seed: int = 0,
) -> Seasons:
    """Trend, season and rest.

    period   values until the season comes again; None: looked for
    robust   whether outliers are kept out of trend and season
    seed     of the shuffled values
    """
    x = sample(values, name, LEAST, varied=True)
    used = find_period(x) if period is None else period
    if used is None:
        given = f"{name} without a period that can be seen"
        raise DataError(given, "a season", "naming the period, where one is known")
    if not 2 <= used <= len(x) // 2:
        raise ConfigError(f"period={used}", f"2 to {len(x) // 2:,}, half of the values", "the steps of a day or a year")
    scale = float(x.std())
    trend, season, rest = (part * scale for part in _stl((x - x.mean()) / scale, used, robust))
    generator = np.random.default_rng(seed)
    noise = straightened(x)[: max(LONG, 4 * used)]
    chances = []
    if not flat(noise, float(np.ptp(x))):
        for _ in range(SHUFFLES):
            _, shuffled, left = _stl(generator.permutation(noise) / scale, used, robust)
            chances.append(strength(shuffled, left))
    cycle = np.array([season[start::used].mean() for start in range(used)])
    return Seasons(
        name, unit, used, period is None, tuple((trend + x.mean()).tolist()), tuple(season.tolist()),
        tuple(rest.tolist()), strength(trend, rest), strength(season, rest), max(chances, default=1.0),
        float(np.ptp(cycle)),
    )  # fmt: skip


def strength(part: Row, rest: Row) -> float:
    """How much of what trend or season and the rest vary together is not the rest."""
    whole = float((part + rest).var())
    return max(0.0, 1 - float(rest.var()) / whole) if whole > 0 else 0.0


def find_period(values: Shaped[np.ndarray, "N"]) -> int | None:
    """The period that stands out most, or None."""
    x = sample(values, least=LEAST, varied=True)
    best: tuple[float, int] | None = None
    for series in (straightened(x), np.diff(x)):
        if float(series.std()) <= 1e-9 * float(x.std()):
            continue
        most = len(series) // CYCLES
        r = acf(series, min(len(series) - 1, 2 * most + 1))  # (2 * most + 2,)
        below = np.flatnonzero(r < 0)
        if not len(below) or below[0] > most:
            continue
        lags = np.arange(max(2, int(below[0])), most + 1)
        lags = lags[(r[lags] >= r[lags - 1]) & (r[lags] >= r[lags + 1])]
        edge = max(CLEAR, 3 / math.sqrt(len(series)))
        lags = lags[(r[lags] > edge) & (r[2 * lags] > edge / 2)] if len(lags) else lags
        if len(lags):
            top = int(lags[r[lags] >= MULTIPLE * r[lags].max()][0])  # of a period and its multiples, the period
            best = max(best or (0.0, 0), (float(r[top]), top))
    return best[1] if best else None


def _stl(x: Row, period: int, robust: bool) -> tuple[Float[np.ndarray, "N"], ...]:
    """Trend, season, rest."""
    from statsmodels.tsa.seasonal import STL  # a second, which not everybody should wait for

    found = STL(x, period=period, robust=robust).fit()
    return np.asarray(found.trend), np.asarray(found.seasonal), np.asarray(found.resid)
