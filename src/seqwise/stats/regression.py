"""Linear regression: how much more of the outcome goes with one more of each column.

    ols    least squares, with errors that are classic, HC3 (uneven scatter) or clustered (rows that belong together)

A coefficient has the outcome's unit for a unit of its column. Those of several columns can be compared only once each
is measured in its own sd: the standardized coefficients. That is why one standardizes; the fit itself is the same.

Left out: choosing columns by their p-values, after which none of these intervals holds; weights; mixed models.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Int, Shaped
from scipy.special import chdtri, fdtrc, stdtr, stdtrit

from seqwise.errors import ConfigError, DataError
from seqwise.stats import products as times
from seqwise.stats.design import Design, design, indicators
from seqwise.stats.diagnostics import WHOLE, Diagnostics, diagnose
from seqwise.stats.explained import share_interval
from seqwise.stats.factors import Labels
from seqwise.stats.leastsquares import Fit, solve
from seqwise.stats.phrases import amount, answered, chance, clear, counted, in_brackets, number, percent, short, within
from seqwise.stats.products import Joint, Product
from seqwise.stats.results import LEVEL, Assumption, Cell, Estimate, Grid, Interval, Test, ends_of, plain

__all__ = ["Coefficient", "Errors", "Regression", "indicators", "ols"]

# N rows, P columns, K coefficients

Errors = Literal["classic", "HC3", "cluster"]
FEW_CLUSTERS = 20  # below them clustered errors are themselves unsure
TOLD = 5  # columns with a sentence each


@dataclass(frozen=True)
class Coefficient:
    """What goes with one more of a column, all others as they are."""

    name: str
    estimate: Estimate
    error: float
    t: float
    p: float
    standardized: float | None
    """In sds of the outcome for an sd of the column; none for the intercept."""
    binary: bool = False
    """Whether the column holds only 0 and 1."""


@dataclass(frozen=True, eq=False)
class Regression:
    """A line, plane or more through the data."""

    name: str
    unit: str
    n: int
    errors: str
    test: Test
    """Of all columns together. Effect: the coefficient where there is one column, else what they take off the sd."""
    coefficients: tuple[Coefficient, ...]
    r2: Estimate
    """Share of the variance explained (without intercept: of the squares about 0)."""
    adjusted: float
    sd: Estimate
    """Of what is left."""
    diagnostics: Diagnostics | None
    """None where the fit is exact."""
    columns: tuple[str, ...]
    units: tuple[str, ...]
    products: tuple[Product, ...] = ()
    joint: tuple[Joint, ...] = ()
    """Of products that are several columns."""

    @property
    def slopes(self) -> tuple[Coefficient, ...]:
        """All but the intercept, the largest in sds first."""
        shown = [one for one in self.coefficients if one.standardized is not None]
        return tuple(sorted(shown, key=lambda one: -abs(one.standardized or 0.0)))

    def sentences(self) -> tuple[str, ...]:
        """How much is explained, then what goes with each column."""
        if self.diagnostics is None:
            first = f"{self.name} follows from {short(self.columns, 6)} exactly: nothing is left over."
            return (first, *self.test.notes)
        slopes = self.slopes[:TOLD]
        told = [self._told(one) for one in slopes]
        if len(self.slopes) > TOLD:
            told.append(f"{counted(len(self.slopes) - TOLD, 'column')} more: see the table.")
        doubts = [one.told for one in self.test.assumptions if one.holds is False]
        pairs = [one.told for one in self.joint]
        return (self._explains(), *pairs, *told, *self._compared(), *self.test.notes, *doubts)

    def _explains(self) -> str:
        share = f"{percent(self.r2.value)} of the variance of {self.name}"
        left = f"what is left has an sd of {amount(self.sd.value, self.unit)}"
        names, several = short(self.columns, 6), len(self.columns) > 1
        sure = in_brackets(self.r2.interval, answered(self.test))
        if self.test.rejected:
            return f"{names} explain{'' if several else 's'} {share}{sure}; {left}."
        told = f"These data cannot tell whether {names} explain{'' if several else 's'} anything of {self.name}"
        return f"{told}: {share} in these data{sure}; {left}."

    def _told(self, one: Coefficient) -> str:
        value, both = one.estimate.value, one.estimate.interval
        unit, rest = self.units[self.columns.index(one.name)], times.rest(self.products, self.columns, one.name)
        for product in self.products:
            if product.name == one.name:
                binary = {each.name: each.binary for each in self.coefficients}
                return times.told(product, one.estimate, one.p, self.name, self.unit, binary, rest)
        more = f"One {unit} more of {one.name}" if unit else f"One more of {one.name}"
        if one.binary:
            more = f"Where {one.name} is 1 and not 0"
        if both is None or not clear(one.estimate):
            sure = f" ({within(both, self.unit)})" if both else ""
            told = f"{more[0].lower()}{more[1:]} goes with more or less of {self.name}{rest}"
            if one.binary:
                told = f"there is more or less of {self.name} {more[0].lower()}{more[1:]}{rest}"
            return f"These data cannot tell whether {told}: {amount(value, self.unit)}{sure}, {chance(one.p)}."
        less = value < 0
        ends = both.turned if less else both
        size = f"{amount(abs(value), self.unit)} {'less' if less else 'more'} of {self.name}"
        does = "there is" if one.binary else "goes with"
        return f"{more} {does} {size} ({within(ends, self.unit)}, {chance(one.p)}){rest}."

    def _compared(self) -> tuple[str, ...]:
        slopes = self.slopes
        if len(slopes) < 2 or self.products:
            return ()
        first, second = (abs(one.standardized or 0.0) for one in slopes[:2])
        one = slopes[0]
        if not clear(one.estimate):
            return ()
        told = f"{one.name} goes with most: {number(first, 2)} sd of {self.name} for one sd of it"
        return (f"Each measured in its own sd, {told} (next: {slopes[1].name}, {number(second, 2)}).",)

    def grids(self) -> tuple[Grid, ...]:
        """Coefficients, fit, diagnostics."""
        columns = ("column", "coefficient", "low", "high", "se", "t", "p", "standardized")
        rows = tuple(_row(one) for one in self.coefficients)
        note = (
            f"Errors: {self.errors}. Standardized: in sds of {self.name} for an sd of the column, to compare columns."
        )
        fit: tuple[tuple[Cell, ...], ...] = (
            ("rows", self.n),
            ("R squared", self.r2.value),
            ("adjusted R squared", self.adjusted),
            ("sd of what is left", self.sd.value),
            ("F", self.test.statistic),
            ("p", self.test.p),
        )
        first = Grid(f"Regression of {self.name}", columns, rows, note)
        shown = (first, *times.grid(self.joint), Grid("Fit", ("", "value"), fit))
        return shown + (self.diagnostics.grids() if self.diagnostics else ())

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        looked = self.diagnostics.to_dict() if self.diagnostics else None
        bare = replace(self, diagnostics=None)
        told = list(self.sentences())
        return {**plain(bare), "test": self.test.to_dict(), "diagnostics": looked, "sentences": told}


def _row(one: Coefficient) -> tuple[Cell, ...]:
    return (one.name, one.estimate.value, *ends_of(one.estimate.interval), one.error, one.t, one.p, one.standardized)


def ols(
    y: Shaped[np.ndarray, "N"],
    x: Shaped[np.ndarray, "N P"],
    names: Sequence[str],
    *,
    name: str = "y",
    unit: str = "",
    units: Mapping[str, str] | None = None,
    errors: Errors = "classic",
    clusters: Labels | None = None,
    intercept: bool = True,
    level: float = LEVEL,
    products: Sequence[Product] = (),
    places: Int[np.ndarray, "N"] | None = None,
) -> Regression:
    """Least squares of y by the columns of x. `units`: of columns, by name. `clusters`: rows that belong together.

    `products`: which columns are others multiplied. `places`: of the rows in the table that they come from, from 0."""
    _coherent(errors, clusters)
    times.complete(products, names)
    data = design(y, x, names, name, clusters, intercept)
    data = data if places is None else replace(data, rows=places[data.rows])
    fit = solve(data.y, data.x, intercept)
    covariance, df = covariance_of(fit, data, errors)
    told = _coefficients(fit, data, covariance, df, unit, level)
    n, p = len(data.y), len(names)
    share, exact = 1 - fit.squares / fit.total, fit.squares == 0
    f = _joint(fit, data, covariance, df, errors, share)
    left = (fit.squares / fit.df) ** 0.5
    spread = (fit.total / (n - intercept)) ** 0.5
    effect = told[-1].estimate if p == 1 else Estimate("taken off the sd", spread - left, None, unit)
    notes = data.notes + _few(data) + times.beyond(products, names, data.x)
    looked = diagnose(fit, data, {part for one in products for part in (one.name, one.first, one.second)})
    explained = Estimate("R squared", share, None if exact else _shares(share, p, fit.df, n, level))
    test = Test(
        name=f"linear regression, {'clustered' if errors == 'cluster' else errors} errors",
        null=f"none of {short(list(names), 6)} goes with more or less {name}",
        symbol="F",
        statistic=f,
        df=(float(p), float(df)),
        p=0.0 if exact else float(fdtrc(p, df, f)),
        n={"rows": n} | ({"clusters": len(data.clusters.levels)} if data.clusters else {}),
        effect=effect,
        size=explained,
        why=_WHY[errors],
        assumptions=_assumed(looked, errors),
        notes=notes,
    )
    adjusted = 1 - (fit.squares / fit.df) / (fit.total / (n - intercept))
    sd = Estimate("sd of what is left", left, _sd_interval(fit, level), unit)
    each = tuple((units or {}).get(one, "") for one in names)
    joint = () if exact else _pairs(fit, data, covariance, df, products, level)
    return Regression(
        name, unit, n, errors, test, told, explained, adjusted, sd, looked, tuple(names), each, tuple(products), joint
    )


_WHY = {
    "classic": "All rows are taken to scatter alike and each for itself.",
    "HC3": "Rows need not scatter alike (HC3); each stands for itself.",
    "cluster": "Rows of a cluster may belong together; clusters stand for themselves (CR1, t of clusters - 1).",
}


def _coherent(errors: str, clusters: Labels | None) -> None:
    if errors not in _WHY:
        raise ConfigError(f"errors={errors!r}", "classic, HC3 or cluster", "HC3")
    if (errors == "cluster") != (clusters is not None):
        given = f"errors={errors!r} {'with' if clusters is not None else 'without'} clusters"
        raise ConfigError(given, "clusters where errors are clustered, and only there", "errors='cluster' and clusters")


def covariance_of(fit: Fit, data: Design, errors: Errors) -> tuple[Float[np.ndarray, "K K"], float]:
    """Of the coefficients, with the degrees of freedom of their t."""
    if errors == "classic":
        return fit.classic(), fit.df
    if errors == "HC3":
        alone = np.flatnonzero(fit.leverage >= WHOLE)
        if len(alone):
            given = f"row {int(data.rows[alone[0]]) + 1:,} alone decides a coefficient"
            raise DataError(given, "several rows behind each coefficient for HC3 errors", "leaving out its column")
        return fit.hc3(), fit.df
    groups = data.clusters
    if groups is None:
        return fit.classic(), fit.df
    if len(groups.levels) <= len(data.names):
        given = f"{len(groups.levels):,} clusters and {len(data.names):,} columns"
        raise DataError(given, "more clusters than columns", "fewer columns")
    decided = fit.decided(groups.codes)
    if decided is not None:
        cluster, coefficient = decided
        name = ("intercept", *data.names)[coefficient] if data.intercept else data.names[coefficient]
        given = f"cluster {groups.levels[cluster]} alone decides the coefficient of {name}"
        raise DataError(given, "several clusters behind each coefficient", "leaving out that column")
    return fit.clustered(groups.codes), len(groups.levels) - 1


def _coefficients(
    fit: Fit, data: Design, covariance: Float[np.ndarray, "K K"], df: float, unit: str, level: float
) -> tuple[Coefficient, ...]:
    sizes = np.sqrt(np.diag(covariance))
    names = ("intercept", *data.names) if data.intercept else data.names
    edge = float(stdtrit(df, (1 + level) / 2))
    found = []
    for place, name in enumerate(names):
        slope = place - data.intercept
        value, error = float(fit.coefficients[place]), float(sizes[place])
        none = slope >= 0 and abs(fit.standardized[slope]) < 1e-12  # rounding, where the fit is exact
        t = value / error if error > 0 else 0.0 if none or not value else float(np.inf * np.sign(value))
        p = float(2 * stdtr(df, -abs(t))) if np.isfinite(t) else 0.0
        both = Interval(value - edge * error, value + edge * error, level)
        standardized = float(fit.standardized[slope]) if slope >= 0 else None
        binary = slope >= 0 and bool(np.isin(data.x[:, slope], (0, 1)).all())
        found.append(Coefficient(name, Estimate(name, value, both, unit), error, t, p, standardized, binary))
    return tuple(found)


def _joint(fit: Fit, data: Design, covariance: Float[np.ndarray, "K K"], df: float, errors: str, share: float) -> float:
    """F of all columns together: of the squares, or Wald's where errors are not classic."""
    p = len(data.names)
    if fit.squares == 0:
        return float("inf")
    if errors == "classic":
        return share / p / ((1 - share) / df)
    return _wald(fit, covariance, np.arange(p) + int(data.intercept))


def _wald(fit: Fit, covariance: Float[np.ndarray, "K K"], which: Int[np.ndarray, "M"]) -> float:
    """F of these coefficients together."""
    slopes, spread = fit.coefficients[which], covariance[np.ix_(which, which)]
    sizes = np.sqrt(np.diag(spread))
    z, correlation = slopes / sizes, spread / np.outer(sizes, sizes)
    return float(z @ np.linalg.lstsq(correlation, z, rcond=None)[0]) / len(which)


def _pairs(
    fit: Fit, data: Design, covariance: Float[np.ndarray, "K K"], df: float, products: Sequence[Product], level: float
) -> tuple[Joint, ...]:
    """Products of a pair that are several columns, tested together."""
    found = []
    for pair in dict.fromkeys(one.pair for one in products if one.pair):
        names = [one.name for one in products if one.pair == pair]
        if len(names) < 2:
            continue
        f = _wald(fit, covariance, np.array([data.names.index(one) for one in names]) + int(data.intercept))
        p = float(fdtrc(len(names), df, f))
        found.append(Joint(pair, f, (float(len(names)), float(df)), p, p < 1 - level))
    return tuple(found)


def _shares(share: float, p: int, df: float, n: int, level: float) -> Interval:
    return share_interval(share / p / ((1 - share) / df), p, df, n, level)


def _sd_interval(fit: Fit, level: float) -> Interval | None:
    if fit.squares == 0:
        return None
    low, high = (float((fit.squares / chdtri(fit.df, tail)) ** 0.5) for tail in ((1 - level) / 2, (1 + level) / 2))
    return Interval(low, high, level)


def _few(data: Design) -> tuple[str, ...]:
    if data.clusters is None or len(data.clusters.levels) >= FEW_CLUSTERS:
        return ()
    return (f"{len(data.clusters.levels)} clusters are few: intervals are rough, and rather too narrow.",)


def _assumed(looked: Diagnostics | None, errors: str) -> tuple[Assumption, ...]:
    if looked is None:
        return ()
    if errors == "classic":
        return looked.assumptions
    scatter = Assumption("own scatter", True, f"Rows need not scatter alike here. {looked.scatter.told}")
    return tuple(scatter if one is looked.scatter else one for one in looked.assumptions)
