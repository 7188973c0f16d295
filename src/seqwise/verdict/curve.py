"""Whether more data would help: error against the number of training examples, and what a power law says of twice as
many.

    fit            the power law e(n) = c + a n^-b through models of several sizes and seeds, with all doubts
    doubling       what twice as many examples would gain, with its interval
    enough_data    the answer: surely as much as would be worth it, surely less, or cannot tell and what would

Errors are numbers of which less is better and none is below 0: 100 - accuracy, 100 - BLEU, a loss. Nothing is foretold
beyond four times the largest size, and nothing at all where the law does not fit: by the F test of lack of fit against
the scatter of seeds, or where more data made the error larger beyond chance, as one learning curve in seven does.

Left out: other laws; costs of labelling. The sums are in `powerlaw`.

Hestness et al. 2017, Deep Learning Scaling is Predictable, Empirically; Yan et al. 2025, LCDB 1.1.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import ceil, isfinite, sqrt

import numpy as np
from scipy.special import stdtr

from seqwise.errors import ConfigError, DataError
from seqwise.stats.phrases import amount, between, chance, counted, number
from seqwise.stats.power import t_noncentrality
from seqwise.stats.results import LEVEL, Assumption, Estimate, Grid, Interval, Test, ends_of
from seqwise.verdict.findings import Answer, Finding, too_few
from seqwise.verdict.powerlaw import Law, law
from seqwise.verdict.words import limit

SIZES, SEEDS = 4, 2
"""Without so many sizes, each trained with so many seeds, nothing is fitted; better are 5 and 3."""
BEYOND = 4
"""Times the largest size: no curve is read farther than that."""
MOST_SEEDS = 50
"""Of a size; beyond them nobody goes."""
_BAND = 25


@dataclass(frozen=True)
class Point:
    """A model trained on a part of the data."""

    n: int
    """Training examples."""
    seed: int
    error: float
    """In the unit of the curve; less is better."""


@dataclass(frozen=True)
class Band:
    """The fitted curve at one size."""

    n: float
    error: float
    interval: Interval


@dataclass(frozen=True)
class Curve:
    """e(n) = c + a n^-b, fitted."""

    measure: str
    """What the error is, such as `error rate`."""
    unit: str
    points: tuple[Point, ...]
    a: float
    b: float
    c: float
    fits: bool
    """Whether the power law describes the points; if not, nothing is foretold."""
    gain: Estimate | None
    """e(N) - e(2N), N the largest size, with its interval."""
    band: tuple[Band, ...]
    """From the smallest size to twice the largest, for a picture."""
    notes: tuple[str, ...] = ()

    def at(self, n: float) -> float:
        """The error that the law says of so many examples; refused far beyond those that were tried."""
        largest = max(point.n for point in self.points)
        if not self.fits:
            given = f"the {self.measure} of {number(n)} examples from a power law that does not fit"
            raise ConfigError(given, "a curve that a power law describes", "training on so many")
        if not 0 < n <= BEYOND * largest:
            given = f"{number(n)} examples, where {largest:,} are the most that were tried"
            allowed = f"a number of examples up to {BEYOND} times as large, {BEYOND * largest:,}"
            raise ConfigError(given, allowed, "training on more before asking about still more")
        return float(self.c + self.a * n**-self.b)


def fit(points: Sequence[Point], measure: str = "error rate", unit: str = "points", level: float = LEVEL) -> Curve:
    """The power law through these points; seeds weigh by how much they scatter."""
    found = _law(points)
    broken = [told for told in (_rising(found, level), _bent(found, level), _still(found)) if told]
    largest = found.data.sizes[-1]
    band: tuple[Band, ...] = ()
    if not broken:
        places = np.unique(np.append(np.geomspace(found.data.sizes[0], 2 * largest, _BAND), largest))
        rows = zip(places.tolist(), *found.around(places, level).tolist(), strict=True)
        band = tuple(Band(n, error, Interval(low, high, level)) for n, error, low, high in rows)
    return Curve(
        measure,
        unit,
        tuple(sorted(points, key=lambda point: (point.n, point.seed))),
        found.a,
        found.b,
        found.c,
        not broken,
        None if broken else _gain(found, unit, level),
        band,
        (*broken, *_notes(found, measure, unit, level, bool(broken))),
    )


def doubling(points: Sequence[Point], *, unit: str = "points", level: float = LEVEL) -> Estimate:
    """What twice as many examples would gain, if there is a power law; whether there is one, `fit` says."""
    return _gain(_law(points), unit, level)


def enough_data(
    points: Sequence[Point],
    *,
    measure: str = "error rate",
    unit: str = "points",
    least: float,
    level: float = LEVEL,
    part: str = "test",
    system: str = "tuned",
) -> tuple[Finding, Curve | None]:
    """Whether twice as many examples would gain at least so much. No curve where there are too few models."""
    if not 0 < least < float("inf"):
        raise ConfigError(f"least={least:g}", "a number above 0", "the smallest gain that would be worth the labelling")
    lacking = _lacking(points)
    if lacking:
        return replace(too_few("data", part, lacking[0], system), needed=lacking[1], margin=least), None
    curve, found = fit(points, measure, unit, level), _law(points)
    told, answer, needed = _answered(curve, found, least, level)
    finding = Finding(
        "data",
        part,
        "MEASURED",
        told,
        answer,
        system,
        _test(found, curve, curve.gain, least, level) if curve.gain else None,
        margin=least,
        needed=needed,
        values=_values(found, curve, level),
        grids=(_grid(found, curve, level),),
        notes=curve.notes,
    )
    return finding, curve


def _answered(curve: Curve, found: Law, least: float, level: float) -> tuple[str, Answer, str]:
    """The sentence, the answer, and what would tell where there is none."""
    if curve.gain is None or curve.gain.interval is None:
        reason = curve.notes[0]
        told = f"Nothing is foretold of twice as many examples: {reason[:1].lower()}{reason[1:]}"
        return told, "cannot tell", "models trained on more examples: where no power law does, only they tell"
    n, least_told, within = int(found.data.sizes[-1]), limit(least, curve.unit), curve.gain.interval
    told = f"Twice as many examples ({2 * n:,} in place of {n:,}) would lower the {curve.measure} by "
    told += f"{amount(curve.gain.value, curve.unit)} ({between(within, curve.unit)})"
    if within.low >= least:
        return f"{told}, surely by the {least_told} that would be worth it.", "yes", ""
    if within.high < least:
        return f"{told}, surely by less than the {least_told} that would be worth it.", "no", ""
    told += f", which may be more or less than the {least_told} that would be worth it."
    return told, "cannot tell", _needed(found, least, level)


def _law(points: Sequence[Point]) -> Law:
    """Checked and fitted."""
    twice = [key for key, count in Counter((point.n, point.seed) for point in points).items() if count > 1]
    if twice:
        given = f"seed {twice[0][1]} at {twice[0][0]:,} examples more than once"
        raise DataError(given, "one model for each size and seed", "leaving out all but one")
    for point in points:
        if point.n < 1:
            raise DataError(f"a model of {point.n} examples", "1 example or more", "leaving it out")
        if not (isfinite(point.error) and point.error >= 0):
            given = f"an error of {point.error:g} at {point.n:,} examples"
            raise DataError(given, "numbers from 0, of which less is better", "100 - accuracy, or a loss")
    sizes = {point.n for point in points}
    if len(sizes) < SIZES:
        given = f"a curve of {counted(len(sizes), 'size')}"
        raise DataError(given, f"{SIZES} sizes or more", "training on a half, a quarter and an eighth as well")
    return law(np.array([point.n for point in points]), np.array([point.error for point in points]))


def _lacking(points: Sequence[Point]) -> tuple[str, str] | None:
    """Why there are too few models, and what it takes."""
    seeds = Counter(point.n for point in points)
    full = sum(count >= SEEDS for count in seeds.values())
    if full >= SIZES:
        return None
    fewest = min(seeds.values(), default=0)
    told = f"{counted(len(seeds), 'size')}, the least with {counted(fewest, 'seed')}, say nothing: a curve takes "
    told += f"{SIZES} sizes with {SEEDS} seeds each, and better 5 with 3."
    return told, f"{counted(SIZES - full, 'more size')} with {SEEDS} seeds each"


def _gain(found: Law, unit: str, level: float) -> Estimate:
    within = found.interval(found.critical(level), level)
    return Estimate("error less by twice the examples", found.gain, within, unit)


def _rising(found: Law, level: float) -> str:
    """Where more data made it worse beyond chance: the clearest of all pairs of sizes, by Bonferroni."""
    (scatter, df), data = found.data.scatter, found.data
    if not scatter > 0:
        return ""
    pairs = list(combinations(range(len(data.sizes)), 2))
    spread = {(i, j): sqrt(scatter / df * (1 / data.weights[i] + 1 / data.weights[j])) for i, j in pairs}
    i, j = max(pairs, key=lambda pair: (data.means[pair[1]] - data.means[pair[0]]) / spread[pair])
    p = min(1.0, len(pairs) * float(stdtr(df, -(data.means[j] - data.means[i]) / spread[i, j])))
    if p >= 1 - level:
        return ""
    told = f"The error rises from {number(data.means[i])} at {int(data.sizes[i]):,} examples to "
    return (
        f"{told}{number(data.means[j])} at {int(data.sizes[j]):,}, beyond chance ({chance(p)} over all pairs of sizes)."
    )


def _bent(found: Law, level: float) -> str:
    """Whether the means lie off the law farther than seeds do."""
    if found.lack is None or found.lack[3] >= 1 - level:
        return ""
    f, between_sizes, df, p = found.lack
    return (
        f"The power law does not fit: F({between_sizes}, {df}) = {number(f)} against the scatter of seeds, {chance(p)}."
    )


def _still(found: Law) -> str:
    """Whether nothing tells how far chance goes."""
    if found.variance > 0:
        return ""
    return f"All {counted(int(found.data.counts.sum()), 'model')} have the errors of the law exactly, as no models do."


def _notes(found: Law, measure: str, unit: str, level: float, broken: bool) -> tuple[str, ...]:
    notes = []
    if not broken:
        floor, last = found.floor(level), float(found.data.means[-1])
        if floor.high - floor.low > last / 2:
            told = (
                f"What no amount of data removes, c, is weakly identified ({between(floor, unit)}): it is no forecast"
            )
            notes.append(f"{told} of the best {measure} that can be had.")
    if len(found.data.sizes) < 5 or found.data.counts.min() < 3:
        notes.append("5 sizes with 3 seeds each would say more: fewer leave much to the shape of the law.")
    if not found.data.scatter[0]:
        notes.append("No size has seeds that differ, so that the scatter about the curve stands for chance.")
    return tuple(notes)


def _test(found: Law, curve: Curve, gain: Estimate, least: float, level: float) -> Test:
    """Against the gain that would be worth it: below and above it are answers, near it is none."""
    limit = amount(least, curve.unit)
    wide = found.interval(found.variance * t_noncentrality(found.df, level=level) ** 2, level)
    shown = max(found.gain - wide.low, wide.high - found.gain)
    lack = f"p of lack of fit {found.lack[3]:.3f}" if found.lack else "seeds that do not differ cannot show it"
    return Test(
        name="profile likelihood of a power law",
        null=f"twice as many examples lower the {curve.measure} by {limit}",
        symbol="t",
        statistic=found.t(least),
        df=(found.df,),
        p=found.p(least),
        n={"models": int(found.data.counts.sum()), "sizes": len(found.data.sizes)},
        effect=gain,
        why="the curve is bent and its floor cannot be below 0, so that an interval of equal arms would miss too often",
        assumptions=(
            Assumption("power law", curve.fits if found.lack else None, f"Errors follow c + a n^-b ({lack})."),
            Assumption("independent models", None, "Each seed draws its examples and its start anew."),
        ),
        detectable=Estimate(f"departure from {limit} that is told four times in five", shown, None, curve.unit),
        notes=("The interval is about this test set: another one may lie higher or lower as a whole.",),
    )


def _needed(found: Law, least: float, level: float) -> str:
    """How many seeds of each size would tell four times in five, if the estimate is the truth."""
    sizes, models = len(found.data.sizes), int(found.data.counts.sum())
    now = ceil(models / sizes)
    for seeds in range(now + 1, MOST_SEEDS + 1):
        shift = t_noncentrality(sizes * (seeds - 1) - 1, level=level)
        wide = found.interval(found.variance * shift**2 * models / (sizes * seeds), level)
        if wide.low >= least or wide.high < least:
            told = f"{seeds} seeds of each size in place of {now} would tell four times in five"
            return f"{told}, if the gain is as estimated."
    return f"more than {MOST_SEEDS} seeds of each size: models of twice as many examples would tell sooner"


def _values(found: Law, curve: Curve, level: float) -> dict[str, float | str | None]:
    floor = found.floor(level) if curve.fits else None
    low, high = ends_of(floor)
    return {
        "examples": float(found.data.sizes[-1]),
        "error": float(found.data.means[-1]),
        "gain": found.gain if curve.fits else None,
        "a": found.a,
        "b": found.b,
        "c": found.c,
        "c from": low,
        "c to": high,
        "p of lack of fit": found.lack[3] if found.lack else None,
    }


def _grid(found: Law, curve: Curve, level: float) -> Grid:
    data = found.data
    spreads = np.sqrt(data.spreads / np.maximum(1, data.counts - 1))
    said = found.around(data.sizes, level).T.tolist() if curve.fits else [[None] * 3] * len(data.sizes)
    rows = zip(data.sizes.tolist(), data.counts.tolist(), data.means.tolist(), spreads.tolist(), said, strict=True)
    return Grid(
        f"{curve.measure} by training examples",
        ("examples", "seeds", "mean", "sd of seeds", "law", "from", "to"),
        tuple((int(n), seeds, mean, spread, *told) for n, seeds, mean, spread, told in rows),
        f"in {curve.unit}" if curve.unit else "",
    )
