"""Logistic regression: how much more likely one of two classes is with one more of each column.

    logistic    odds ratios, and what they mean in percentage points of chance, on average over the rows

Intervals of odds ratios go by the profile likelihood where the table is small enough, else by Wald's, as robust and
clustered errors always do; the result says which. Where columns separate the classes there are no coefficients, and
the table is refused with the columns that do it.

AUC and the like are of the rows the model was fitted to, and therefore a little too good.

Left out: more than two classes, penalties (Firth 1993), choosing columns by their p-values.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Shaped
from scipy.special import chdtrc, ndtr, ndtri

from seqwise.errors import ConfigError, DataError
from seqwise.stats.assumptions import DOUBT, by_design
from seqwise.stats.classes import outcome_of, solved
from seqwise.stats.design import Design, design, scales
from seqwise.stats.discrimination import Calibration, auc, calibration
from seqwise.stats.factors import Labels
from seqwise.stats.leastsquares import unscale
from seqwise.stats.likelihood import Likelihood, entropy, maximize
from seqwise.stats.marginal import marginal
from seqwise.stats.phrases import amount, answered, chance, clear, counted, number, short, within
from seqwise.stats.profile import profiles
from seqwise.stats.results import LEVEL, Assumption, Cell, Estimate, Grid, Interval, Test, ends_of, plain

# N rows, P columns, K coefficients: the intercept first where there is one

Errors = Literal["classic", "robust", "cluster"]
PROFILED = 200_000  # rows times coefficients up to which profile intervals take a second or so
RARE = 10  # of the rarer class for each column: below it coefficients are rough, and rather too large
TOLD = 5


@dataclass(frozen=True)
class Odds:
    """What one more of a column does, all others as they are."""

    name: str
    log: float
    """Coefficient: change of the log odds."""
    error: float
    z: float
    p: float
    ratio: Estimate
    """The odds times this."""
    marginal: Estimate | None
    """The chance, in percentage points, on average over the rows; none for the intercept."""
    standardized: float | None
    """Change of the log odds for an sd of the column."""
    binary: bool = False


@dataclass(frozen=True, eq=False)
class Logistic:
    """Which rows are likely to belong to a class."""

    name: str
    n: int
    events: int
    """Rows of the class."""
    errors: str
    intervals: str
    """Of odds ratios: profile or Wald."""
    test: Test
    """Effect: mean chance told for rows of the class minus that for the others (Tjur 2009)."""
    coefficients: tuple[Odds, ...]
    mcfadden: float
    """Share of the log likelihood gained on knowing the class's share alone."""
    auc: Estimate
    calibration: Calibration
    columns: tuple[str, ...]
    units: tuple[str, ...]
    chances: Float[np.ndarray, "N"]

    @property
    def slopes(self) -> tuple[Odds, ...]:
        """All but the intercept, the largest in sds of the column first."""
        shown = [one for one in self.coefficients if one.standardized is not None]
        return tuple(sorted(shown, key=lambda one: -abs(one.standardized or 0.0)))

    def sentences(self) -> tuple[str, ...]:
        """How well classes are told apart, then what each column does."""
        told = [self._told(one) for one in self.slopes[:TOLD]]
        if len(self.slopes) > TOLD:
            told.append(f"{counted(len(self.slopes) - TOLD, 'column')} more: see the table.")
        doubts = [one.told for one in self.test.assumptions if one.holds is False]
        return (self._apart(), *told, *self.test.notes, *doubts)

    def _apart(self) -> str:
        names, several = short(self.columns, 6), len(self.columns) > 1
        chi2 = answered(self.test)
        sure = f", {within(self.auc.interval)}" if self.auc.interval else ""
        area = f"AUC {number(self.auc.value, 3)}{sure}"
        size = abs(self.test.effect.value)
        side = "higher" if self.test.effect.value >= 0 else "lower"
        points = f"the mean chance told is {amount(size, 'percentage points')} {side} for them than for the others"
        if self.test.rejected:
            tell = f"{names} tell{'' if several else 's'} {self.name} from the rest better than chance"
            return f"{tell}: {points} ({area}, {chi2})."
        tell = f"These data cannot show whether {names} tell{'' if several else 's'} {self.name} from the rest"
        return f"{tell}: {points} ({area}, {chi2})."

    def _told(self, one: Odds) -> str:
        unit = self.units[self.columns.index(one.name)]
        more = f"one {unit} more of {one.name}" if unit else f"one more of {one.name}"
        more = f"{one.name} = 1 in place of 0" if one.binary else more
        rest = ", all other columns alike" if len(self.columns) > 1 else ""
        sure = f" ({within(one.ratio.interval)}, {chance(one.p)})" if one.ratio.interval else ""
        points = self._points(one)
        if not clear(one.ratio, 1.0):
            times = f"odds times {number(one.ratio.value, 3)}{sure}"
            return f"These data cannot tell whether {more} makes {self.name} more or less likely{rest}: {times}."
        times = f"The odds of {self.name} are {number(one.ratio.value, 3)} times as high with {more}"
        return f"{times}{sure}{rest}{points}."

    def _points(self, one: Odds) -> str:
        if one.marginal is None or one.marginal.interval is None:
            return ""
        value, both = one.marginal.value, one.marginal.interval
        ends = both.turned if value < 0 else both
        size = f"{amount(abs(value), 'percentage points')} {'lower' if value < 0 else 'higher'}"
        return f"; on average over the rows the chance is {size} ({within(ends)})"

    def grids(self) -> tuple[Grid, ...]:
        """Coefficients, fit, calibration."""
        columns = (
            "column",
            "odds ratio",
            "low",
            "high",
            "log odds",
            "se",
            "z",
            "p",
            "points of chance",
            "low ",
            "high ",
        )
        rows = tuple(_row(one) for one in self.coefficients)
        note = f"Intervals of odds ratios: {self.intervals}; errors: {self.errors}. Points: averaged over the rows."
        fit: tuple[tuple[Cell, ...], ...] = (
            ("rows", self.n),
            (self.name, self.events),
            ("McFadden's R squared", self.mcfadden),
            ("Tjur's D, in points", self.test.effect.value),
            ("AUC", self.auc.value),
        )
        kept = tuple((one.n, one.expected, one.observed) for one in self.calibration.bins)
        return (
            Grid(f"Logistic regression of {self.name}", columns, rows, note),
            Grid("Fit", ("", "value"), fit, "Of the rows it was fitted to: a little too good."),
            Grid("Calibration", ("rows", "mean chance told", "share observed"), kept),
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON, without what each row has."""
        kept = {name: plain(value) for name, value in vars(self).items() if name != "chances"}
        return {**kept, "test": self.test.to_dict(), "sentences": list(self.sentences())}


def _row(one: Odds) -> tuple[Cell, ...]:
    points = (one.marginal.value, *ends_of(one.marginal.interval)) if one.marginal else (None, None, None)
    return (one.name, one.ratio.value, *ends_of(one.ratio.interval), one.log, one.error, one.z, one.p, *points)


def logistic(
    y: Shaped[np.ndarray, "N"] | Sequence[Any],
    x: Shaped[np.ndarray, "N P"],
    names: Sequence[str],
    *,
    name: str = "y",
    event: str = "",
    units: Mapping[str, str] | None = None,
    errors: Errors = "classic",
    clusters: Labels | None = None,
    intercept: bool = True,
    level: float = LEVEL,
) -> Logistic:
    """Chances of a class by the columns of x. y: 0 and 1, or two labels of which `event` (else the later) is asked."""
    if errors not in ("classic", "robust", "cluster") or (errors == "cluster") != (clusters is not None):
        given = f"errors={errors!r} {'with' if clusters is not None else 'without'} clusters"
        raise ConfigError(given, "classic, robust, or cluster with clusters", "errors='cluster' and clusters")
    outcome, told = outcome_of(y, name, event)
    data = design(outcome, x, names, told, clusters, intercept)
    means, sds = scales(data.x, intercept)
    z = (data.x - means) / sds
    table = np.hstack([np.ones((len(z), 1)), z]) if intercept else z
    fit = maximize(data.y, table)
    solved(fit, data, told)
    covariance = _covariance(fit, data, errors)
    profiled = errors == "classic" and table.size <= PROFILED
    found = _coefficients(fit, data, covariance, (means, sds), profiled, level)
    test = _test(fit, data, covariance, errors, told)
    before = _before(data)
    each = tuple((units or {}).get(one, "") for one in names)
    return Logistic(
        name=told,
        n=len(data.y),
        events=int(data.y.sum()),
        errors=errors,
        intervals="profile likelihood" if profiled else "Wald",
        test=test,
        coefficients=found,
        mcfadden=1 - fit.log / before,
        auc=auc(data.y, fit.chances, level),
        calibration=calibration(data.y, fit.chances),
        columns=tuple(names),
        units=each,
        chances=fit.chances,
    )


def _covariance(fit: Likelihood, data: Design, errors: Errors) -> Float[np.ndarray, "K K"]:
    if errors == "classic" or (errors == "cluster" and data.clusters is None):
        return fit.classic()
    if errors == "robust" or data.clusters is None:
        return fit.robust(data.y)
    if len(data.clusters.levels) <= len(data.names):
        given = f"{len(data.clusters.levels):,} clusters and {len(data.names):,} columns"
        raise DataError(given, "more clusters than columns", "fewer columns")
    return fit.clustered(data.y, data.clusters.codes)


def _coefficients(
    fit: Likelihood,
    data: Design,
    covariance: Float[np.ndarray, "K K"],
    scale: tuple[Float[np.ndarray, "P"], Float[np.ndarray, "P"]],
    profiled: bool,
    level: float,
) -> tuple[Odds, ...]:
    back = unscale(*scale, data.intercept).astype(np.float64)
    values, spread = back @ fit.beta, back @ covariance @ back.T
    edge = float(ndtri((1 + level) / 2))
    sizes = np.sqrt(np.diag(spread))
    limits = np.stack([values - edge * sizes, values + edge * sizes], axis=1)  # (K, 2)
    first = int(data.intercept)
    if profiled:
        limits[first:] = profiles(fit, data.y, first, covariance, edge) / scale[1][:, None]
    points = marginal(fit, data.x, first, scale, covariance, level, data.names)
    found = []
    for place, name in enumerate(("intercept", *data.names) if first else data.names):
        slope = place - first
        z = float(values[place] / sizes[place])
        low, high = (float(end) for end in np.exp(np.minimum(limits[place], 700.0)))
        both = Interval(low, high, level)
        ratio = Estimate(f"odds ratio of {name}", float(np.exp(min(values[place], 700.0))), both)
        odds = (name, float(values[place]), float(sizes[place]), z, float(2 * ndtr(-abs(z))), ratio)
        if slope < 0:
            found.append(Odds(*odds, None, None))
            continue
        binary = bool(np.isin(data.x[:, slope], (0, 1)).all())
        found.append(Odds(*odds, points[slope], float(fit.beta[place]), binary))
    return tuple(found)


def _before(data: Design) -> float:
    """Log likelihood of knowing the share alone, or nothing without intercept."""
    return len(data.y) * entropy(float(data.y.mean()) if data.intercept else 0.5)


def _test(fit: Likelihood, data: Design, covariance: Float[np.ndarray, "K K"], errors: Errors, name: str) -> Test:
    p, ones = len(data.names), data.y > 0
    if errors == "classic":
        statistic = max(0.0, 2 * (fit.log - _before(data)))
    else:
        first = int(data.intercept)
        slopes, spread = fit.beta[first:], covariance[first:, first:]
        statistic = float(slopes @ np.linalg.lstsq(spread, slopes, rcond=None)[0])
    apart = float(fit.chances[ones].mean() - fit.chances[~ones].mean())
    rarer = int(min(ones.sum(), (~ones).sum()))
    notes = list(data.notes)
    if rarer < RARE * p:
        told = f"Only {rarer:,} rows of the rarer class for {counted(p, 'column')}"
        notes.append(f"{told}: odds ratios are rough, and rather too far from 1.")
    return Test(
        name="likelihood ratio of a logistic regression" if errors == "classic" else "Wald's of a logistic regression",
        null=f"none of {short(data.names, 6)} tells anything of {name}",
        symbol="chi2",
        statistic=statistic,
        df=(float(p),),
        p=float(chdtrc(p, statistic)),
        n={name: int(ones.sum()), "others": int((~ones).sum())},
        effect=Estimate("chance told of the class minus that of the others", 100 * apart, None, "percentage points"),
        size=Estimate("McFadden's R squared", 1 - fit.log / _before(data)),
        why="Two classes: chances are told, not numbers.",
        assumptions=_assumed(fit, data),
        notes=tuple(notes),
    )


def _assumed(fit: Likelihood, data: Design) -> tuple[Assumption, ...]:
    kept = calibration(data.y, fit.chances)
    name = "chances that hold"
    if kept.p is None:
        held = Assumption(name, None, "Too few different chances to compare them with what came up.")
    else:
        told = f"Hosmer-Lemeshow chi2({kept.df}) = {number(kept.statistic)}, {chance(kept.p)}, {len(kept.bins)} groups"
        verdict = "No sign that chances are off" if kept.p >= DOUBT else "Chances told and shares seen differ"
        held = Assumption(
            name, kept.p >= DOUBT, f"{verdict} ({told}; the test is weak, and other groups give other answers)."
        )
    return held, by_design("row")
