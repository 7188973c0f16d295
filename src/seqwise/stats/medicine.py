"""Reference intervals of medicine: between which values 95 % of healthy people lie, and how sure both limits are.

    nonparametric    ranks 0.025 (n + 1) and 0.975 (n + 1); from 120 values on (CLSI EP28-A3c); order statistics
    parametric       mean ± 1.96 sd, also of logarithms or Box-Cox powers; limits by the noncentral t, exact
    robust           Horn and Pesce's biweight; bootstrap

Which one is recommended follows CLSI EP28-A3c and Friedrichs et al. 2012 (Vet Clin Pathol 41: 441-453): nonparametric
where there are values enough, else parametric where the values are in line with a normal, else robust; below 20 none.
Outliers by Tukey's fences (1.5 quartile ranges beyond the quartiles) and by Dixon's rule (a gap of a third of the
range: Reed, Henry and Mason 1971; two side by side hide one another) are told and stay in, unless asked for.

Left out: splitting by age and sex, transferring intervals between laboratories, indirect methods.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Bool, Float
from scipy import special

from seqwise.errors import ConfigError, DataError, nearest
from seqwise.stats import biweight
from seqwise.stats.departure import Departure, departure
from seqwise.stats.normal import moments
from seqwise.stats.phrases import joined, led, number, parts, rounded, within
from seqwise.stats.ranked import quantile, quantile_interval, ranks
from seqwise.stats.results import Assumption, Cell, Estimate, Grid, Interval, ends_of, plain
from seqwise.stats.samples import squarable
from seqwise.stats.tolerance import one_sided

# N values

LEAST = 20
ENOUGH = 120
EXACT = 1000  # values up to which the noncentral t is used; beyond, its normal limit, 1 % off at most
SMALL = 1000  # values up to which the robust method is tried unasked
WIDE = 0.2  # interval of a limit by the reference interval's width, beyond which the limit is told to be unsure
Method = Literal["nonparametric", "parametric", "robust"]
Transform = Literal["none", "log", "box-cox"]
HEALTHY = Assumption("reference individuals", None, "The values are taken for those of healthy people, one of each.")
Values = Float[np.ndarray, "N"]


@dataclass(frozen=True)
class Limits:
    """A reference interval by one method."""

    method: Method
    low: Estimate
    high: Estimate

    @property
    def unsure(self) -> bool:
        """Whether a limit's interval is wider than a fifth of the reference interval (CLSI EP28)."""
        width = self.high.value - self.low.value
        ends = [end.interval for end in (self.low, self.high) if end.interval is not None]
        return any(not end.high - end.low <= WIDE * width for end in ends)

    @property
    def told(self) -> str:
        """From where to where, with the intervals of both."""
        sure = [within(end.interval, end.unit) for end in (self.low, self.high) if end.interval is not None]
        return f"{number(self.low.value)} to {number(self.high.value)} {self.low.unit}".rstrip() + (
            f" (lower limit: {sure[0]}; upper limit: {sure[1]})" if len(sure) == 2 else ""
        )


@dataclass(frozen=True)
class Outliers:
    """Values that stand apart, by two rules; in the order of the data's values."""

    tukey: tuple[float, ...]
    dixon: tuple[float, ...]
    removed: tuple[float, ...]


@dataclass(frozen=True)
class ReferenceInterval:
    """Between which values the given share of healthy people lies."""

    name: str
    unit: str
    n: int
    """Without what was removed."""
    level: float
    confidence: float
    """Of the limits' intervals; 0.9 is the custom (CLSI EP28)."""
    transform: Transform
    power: float | None
    """Of Box-Cox."""
    limits: tuple[Limits, ...]
    """The recommended one, or the one asked for, first."""
    why: str
    outliers: Outliers
    departure: Departure
    """From normal, of the transformed values."""
    assumptions: tuple[Assumption, ...]
    notes: tuple[str, ...]

    @property
    def best(self) -> Limits:
        """The recommended one, or the one asked for."""
        return self.limits[0]

    def sentences(self) -> tuple[str, ...]:
        """The interval, why this one, how sure it is, and which values stand apart."""
        best = self.best
        told = [led(self.name, f"{parts(self.level)} of healthy people lie within {best.told}; n = {self.n:,}.")]
        told.append(f"The {best.method} interval: {self.why}.")
        if best.unsure:
            told.append("A limit's interval is wider than a fifth of the reference interval: more values would help.")
        for rule, found in (("Tukey's fences", self.outliers.tukey), ("Dixon's rule", self.outliers.dixon)):
            if found:
                told.append(f"Apart from the others by {rule}: {self._few(found)}.")
        if self.outliers.removed:
            told.append(f"Removed, as asked: {self._few(self.outliers.removed)}.")
        elif self.outliers.tukey or self.outliers.dixon:
            told.append("They stay in: only what is known to be an error or a patient should be removed.")
        return (*told, *self.notes)

    def _few(self, values: tuple[float, ...]) -> str:
        shown = [f"{number(value)}" for value in values[:5]]
        more = [f"{len(values) - 5:,} more"] if len(values) > 5 else []
        return f"{joined([*shown, *more])} {self.unit}".rstrip()

    def grids(self) -> tuple[Grid, ...]:
        """A row for each method."""
        unit = f" ({self.unit})" if self.unit else ""
        columns = ("method", f"low{unit}", "from", "to", f"high{unit}", "from", "to")
        rows: list[tuple[Cell, ...]] = []
        for found in self.limits:
            row: list[Cell] = [found.method]
            for end in (found.low, found.high):
                row += [end.value, *ends_of(end.interval)]
            rows.append(tuple(row))
        note = f"From and to: {parts(self.confidence)} interval of a limit."
        return (Grid(f"Reference interval, {parts(self.level)}", columns, tuple(rows), note),)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {**plain(self), "told": list(self.sentences())}


def reference_interval(
    x: Values,
    method: Method | Literal["auto"] = "auto",
    transform: Transform = "none",
    remove: Literal["none", "tukey", "dixon"] = "none",
    level: float = 0.95,
    confidence: float = 0.9,
    resamples: int = 1000,
    seed: int = 0,
    name: str = "",
    unit: str = "",
) -> ReferenceInterval:
    """Limits by each method that so many values allow, the recommended one first.

    transform   of parametric and robust limits, and of the rules for outliers; ranks need none
    remove      the outliers of a rule, before anything else; dixon looks again after each
    """
    _asked(method, transform, remove, level, confidence)
    if resamples < 1:
        raise ConfigError(f"resamples={resamples}", "at least 1", "resamples=1000")
    values = np.sort(squarable(x, name, LEAST))
    forward, back, power = _transformed(values, transform, name)
    apart = {"tukey": tukey(forward(values)), "dixon": dixon(forward(values))}  # (N,) of truths
    out = apart.get(remove, np.zeros(len(values), dtype=bool))
    found = Outliers(_told(values[apart["tukey"]]), _told(values[apart["dixon"]]), _told(values[out]))
    if out.any():
        values = squarable(values[~out], name, LEAST)
        forward, back, power = _transformed(values, transform, name)
    shaped = forward(values)  # (N,)
    away = departure(shaped, name, unit)
    drawn = resamples if method == "robust" or len(values) <= SMALL else 0
    ways = _ways(values, shaped, back, level, confidence, drawn, seed, unit)
    chosen, why = _chosen(method, away, ways, len(values), level, confidence)
    order = (ways[chosen], *(limits for key, limits in ways.items() if key != chosen))
    told, notes = (HEALTHY, _shape(away, transform)), _notes(chosen, away)
    return ReferenceInterval(
        name, unit, len(values), level, confidence, transform, power, order, why, found, away, told, notes
    )  # fmt: skip


def _ways(
    values: Values,
    shaped: Values,
    back: Callable[[Values], Values],
    level: float,
    confidence: float,
    resamples: int,
    seed: int,
    unit: str,
) -> dict[Method, Limits]:
    """Limits by each method that these values allow; without resamples no robust ones."""
    ways: dict[Method, Limits] = {"nonparametric": _nonparametric(values, level, confidence, unit)}
    ways["parametric"] = _named("parametric", _parametric(shaped, level, confidence), back, confidence, unit)
    robust = _robust(shaped, level, confidence, resamples, seed) if resamples else None
    if robust:
        ways["robust"] = _named("robust", robust, back, confidence, unit)
    return ways


def tukey(ordered: Values) -> Bool[np.ndarray, "N"]:
    """Which are more than 1.5 quartile ranges beyond the quartiles; of normal values 7 in 1,000 are."""
    low, high = quantile(ordered, 0.25), quantile(ordered, 0.75)
    return (ordered < low - 1.5 * (high - low)) | (ordered > high + 1.5 * (high - low))


def dixon(ordered: Values) -> Bool[np.ndarray, "N"]:
    """Which of the outermost a gap of a third of the range sets apart; looked for again without each found."""
    low, high = 0, len(ordered)
    while high - low > 2 and (span := ordered[high - 1] - ordered[low]) > 0:
        if ordered[high - 1] - ordered[high - 2] >= span / 3:
            high -= 1
        elif ordered[low + 1] - ordered[low] >= span / 3:
            low += 1
        else:
            break
    places = np.arange(len(ordered))
    return (places < low) | (places >= high)


def _nonparametric(ordered: Values, level: float, confidence: float, unit: str) -> Limits:
    ends = []
    for name, p in (("lower limit", (1 - level) / 2), ("upper limit", (1 + level) / 2)):
        ends.append(Estimate(name, quantile(ordered, p), quantile_interval(ordered, p, confidence), unit))
    return Limits("nonparametric", ends[0], ends[1])


Ends = tuple[float, float, Interval, Interval]


def _parametric(values: Values, level: float, confidence: float) -> Ends:
    """mean ± z sd. sqrt(n) times their distance from the true limits, by sd, is noncentral t."""
    n, (mean, sd) = len(values), moments(values)
    z, side = -float(special.ndtri((1 - level) / 2)), (1 - confidence) / 2
    if n <= EXACT:
        near, far = (one_sided(n, (1 + level) / 2, p) for p in (side, 1 - side))
    else:
        half = -float(special.ndtri(side)) * math.sqrt((1 + z * z / 2) / n)
        near, far = z - half, z + half
    lower = Interval(mean - far * sd, mean - near * sd, confidence)
    return mean - z * sd, mean + z * sd, lower, Interval(mean + near * sd, mean + far * sd, confidence)


def _robust(values: Values, level: float, confidence: float, resamples: int, seed: int) -> Ends | None:
    low, high, spreads = biweight.limits(values[None, :], level)
    if not spreads[0]:
        return None
    return float(low[0]), float(high[0]), *biweight.limits_intervals(values, level, confidence, resamples, seed)


def _named(method: Method, ends: Ends, back: Callable[[Values], Values], confidence: float, unit: str) -> Limits:
    """Limits in the data's own unit."""
    low, high, lower, upper = ends
    told = [float(end) for end in back(np.array([low, lower.low, lower.high, high, upper.low, upper.high]))]
    first = Estimate("lower limit", told[0], Interval(told[1], told[2], confidence), unit)
    return Limits(method, first, Estimate("upper limit", told[3], Interval(told[4], told[5], confidence), unit))


def _chosen(
    method: str, away: Departure, ways: dict[Method, Limits], n: int, level: float, confidence: float
) -> tuple[Method, str]:
    """The recommended method, and why."""
    for way in ways:
        if way == method:
            return way, "as asked for"
    if method == "robust":
        given = f"{n:,} values of which half are one"
        raise DataError(given, "values with a spread", "method='nonparametric'", away.name)
    if n >= ENOUGH and ranks(n, (1 - level) / 2, confidence).low >= 1:
        return "nonparametric", f"{n:,} values are enough for ranks, which need no shape (CLSI EP28: {ENOUGH} or more)"
    few = f"{n:,} values are too few for ranks"
    fits = not away.departs and not _skew(away)
    if fits or "robust" not in ways:
        fit = "are in line with a normal distribution" if fits else "have no robust spread"
        return "parametric", f"{few}, and they {fit}"
    return "robust", f"{few}, and they are not in line with a normal distribution"


def _shape(away: Departure, transform: Transform) -> Assumption:
    word = {"none": "the values", "log": "their logarithms", "box-cox": "their powers"}[transform]
    distance = f"{number(away.distance, 3)} percentage points away, {number(away.usual, 3)} are usual"
    skew = f"skewness {rounded(away.skewness)}"
    holds = not away.departs and not _skew(away)
    verb = "are" if holds else "are not"
    told = f"For the parametric limits: {word} {verb} in line with a normal distribution ({distance}; {skew})."
    return Assumption("normal values", holds, told)


def _skew(away: Departure) -> bool:
    return abs(away.skewness) > 2 * away.skewness_error


def _notes(chosen: Method, away: Departure) -> tuple[str, ...]:
    if chosen == "nonparametric" or not _skew(away):
        return ()
    told = f"The values are skew ({number(away.skewness, 2)}), and {chosen} limits are made for symmetric ones"
    return (f"{told}: transform='log' or 'box-cox' may help.",)


def _transformed(
    values: Values, transform: Transform, name: str
) -> tuple[Callable[[Values], Values], Callable[[Values], Values], float | None]:
    """There and back, and Box-Cox's power by maximum likelihood."""
    if transform == "none":
        return (lambda x: x), (lambda y: y), None
    if values.min() <= 0:
        given = f"a value of {number(float(values.min()))} for transform={transform!r}"
        raise DataError(given, "values above 0", "transform='none'", name)
    if transform == "log":
        return np.log, np.exp, None
    from scipy.stats import boxcox_normmax

    power = float(boxcox_normmax(values, method="mle"))

    def back(y: Values) -> Values:
        """Beyond the end of a power's range lies 0, or infinity."""
        inside = power * y + 1
        kept = special.inv_boxcox(np.where(inside > 0, y, 0.0), power)
        return np.where(inside > 0, kept, 0.0 if power > 0 else math.inf)

    return (lambda x: special.boxcox(x, power)), back, power


def _told(values: Values) -> tuple[float, ...]:
    return tuple(float(value) for value in values)


def _asked(method: str, transform: str, remove: str, level: float, confidence: float) -> None:
    """Refuses what is no choice."""
    choices = {
        "method": (method, ("auto", *get_args(Method))),
        "transform": (transform, get_args(Transform)),
        "remove": (remove, ("none", "tukey", "dixon")),
    }
    for name, (given, allowed) in choices.items():
        if given not in allowed:
            raise ConfigError(f"{name}={given!r}", joined(allowed, "or"), nearest(given, allowed) or allowed[0])
    if not (0 < level < 1 and 0 < confidence < 1):
        raise ConfigError(f"level={level}, confidence={confidence}", "shares between 0 and 1", "0.95 and 0.9")
