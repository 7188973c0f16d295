"""Scores of different exams on one scale: which was better, 85 points in one or 620 in another?

    Exam(name, mean, sd)       known from elsewhere, such as a test's handbook
    Exam.of(name, scores)      from a sample of scores, which are kept
    .place(value) -> Placed    z, percentile, IQ (100, 15), T score (50, 10), stanine (1 to 9)
    compare_scores([(exam, value), ...]) -> ScoreComparison

z = (score - mean) / sd makes scores of different exams alike where both are about equally shaped. The percentile of a
sample is counted: those below and half of those that are equal. Of mean and sd alone it is that of a normal
distribution, which is said.

A sample's mean and sd are not exact. The interval of z is Crawford and Garthwaite's 2002 (Neuropsychologia 40, eq. 7,
by the noncentral t distribution), for normal scores; that of a difference of two z puts both together (MOVER: Zou and
Donner 2008). Where it holds 0, the answer is "cannot tell".

Left out: whether the exams ask for the same thing and the same people took them, without which the comparison is void.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import gammaincc, gammaincinv, ndtr, ndtri

from seqwise.errors import ConfigError, DataError
from seqwise.stats.moments import Moments
from seqwise.stats.phrases import number, sure, within
from seqwise.stats.results import LEVEL, Grid, Interval, plain
from seqwise.stats.rows import as_rows

# N scores of a sample

IQ, T_SCORE = (100.0, 15.0), (50.0, 10.0)
"""Mean and sd of the scale."""
MANY = 1000  # scores
NORMAL = "if the scores are normally distributed"


@dataclass(frozen=True)
class Placed:
    """A score, in every currency."""

    exam: str
    score: float
    z: float
    """How many sd above the mean."""
    percentile: float
    """Share of scores below it, of a hundred."""
    counted: bool
    """Whether the percentile was counted in a sample, and not taken from a normal distribution."""
    interval: Interval | None = None
    """Of z, where mean and sd come from a sample."""

    @property
    def iq(self) -> float:
        """Mean 100, sd 15."""
        return IQ[0] + IQ[1] * self.z

    @property
    def t_score(self) -> float:
        """Mean 50, sd 10."""
        return T_SCORE[0] + T_SCORE[1] * self.z

    @property
    def stanine(self) -> int:
        """1 to 9, each half an sd wide, 5 around the mean; what is on an edge belongs to the higher one."""
        return int(min(9, max(1, math.floor(2 * self.z + 5.5))))

    @property
    def told(self) -> str:
        """In one sentence."""
        away = "exactly at" if self.z == 0 else f"{number(abs(self.z), 3)} sd {'above' if self.z > 0 else 'below'}"
        known = ""
        if self.interval:
            low, high = number(self.interval.low, 3), number(self.interval.high, 3)
            known = f" ({sure(self.interval.level)} of z {low} to {high})"
        how = "of the sample" if self.counted else NORMAL
        return f"{number(self.score)} in {self.exam} is {away} the mean{known}, percentile {self.percentile:.1f} {how}."


@dataclass(frozen=True)
class Exam:
    """What a score is held against."""

    name: str
    mean: float
    sd: float
    sample: tuple[float, ...] = ()
    """Sorted; empty where mean and sd are known from elsewhere."""
    whole: bool = False
    """Whether the sample is all that there is, so that its mean and sd are exact."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.mean) and math.isfinite(self.sd) and self.sd > 0):
            given = f"{self.name} with mean {self.mean:g} and sd {self.sd:g}"
            raise ConfigError(given, "a finite mean and an sd above 0", "Exam(name, mean, sd)")

    @classmethod
    def of(cls, name: str, scores: Any, whole: bool = False) -> "Exam":
        """From two scores or more, in one column; missing ones are left out. `whole`: these are all that there are,
        and not a sample of them."""
        values = as_rows(scores).values
        if values.shape[1] > 1:
            raise DataError(f"{values.shape[1]} columns of scores of {name}", "one", "a column at a time")
        moments = Moments.of(scores, order=4, names=(name,))
        if moments.n[0] < 2 or moments.m2[0] == 0:
            given = f"{int(moments.n[0])} scores of {name}" + (", all equal" if moments.n[0] > 1 else "")
            raise DataError(given, "two different ones at least", "more scores, or Exam(name, mean, sd)")
        kept = np.sort(values[:, 0].astype(np.float64))  # NaN goes last
        sample = tuple(kept[: int(moments.n[0])].tolist())
        return cls(name, float(moments.mean[0]), float(moments.sd(0 if whole else 1)[0]), sample, whole)

    def place(self, score: float, level: float = LEVEL) -> Placed:
        """Where a score stands."""
        if not math.isfinite(score):
            raise DataError(f"a score of {score} in {self.name}", "a finite number", "leaving it out")
        z = (score - self.mean) / self.sd
        if not self.sample:
            return Placed(self.name, score, z, 100 * float(ndtr(z)), False)
        below, upto = (float(np.searchsorted(self.sample, score, side)) for side in ("left", "right"))
        percentile = 100 * (below + upto) / 2 / len(self.sample)
        interval = None if self.whole else interval_of_z(z, len(self.sample), level)
        return Placed(self.name, score, z, percentile, True, interval)


def interval_of_z(z: float, n: int, level: float = LEVEL) -> Interval:
    """Of a z whose mean and sd (ddof 1) were estimated from n normal scores.

    z √n is noncentral t with n - 1 degrees of freedom around ζ √n, with ζ the z of the true mean and sd. The interval
    holds those ζ of which z is neither among the largest nor among the smallest: its ends are quantiles of z √n W - Z,
    with Z normal and W the sample's sd over the true one. Beyond a thousand scores the normal approximation with the
    standard error sqrt(1/n + z²/2n) is as good.
    """
    if z < 0:
        return interval_of_z(-z, n, level).turned
    if n > MANY:
        half = float(ndtri((1 + level) / 2)) * math.sqrt((1 + z * z / 2) / n)
        return Interval(z - half, z + half, level)
    from scipy.optimize import brentq  # seldom needed, and slow to import

    seen, tail = z * math.sqrt(n), (1 - level) / 2
    ends = -10.0, seen * (1 + 10 / math.sqrt(2 * n - 2)) + 10  # ten standard errors
    beyond = _beyond(seen, n - 1)
    low, high = (float(brentq(lambda at, p=p: beyond(at) - p, *ends)) for p in (1 - tail, tail))
    return Interval(low / math.sqrt(n), high / math.sqrt(n), level)


def _beyond(seen: float, df: int) -> Callable[[float], float]:
    """Chance that seen * W - Z is above a number: an integral over whichever of the two is the narrower.

    scipy's own (nctdtr) is no number where t is large and the chance is small.
    """
    nodes, weights = np.polynomial.legendre.leggauss(100)
    z = 7.5 * nodes
    density = 7.5 * weights * np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    if seen > 3 * math.sqrt(2 * df):  # over Z
        return lambda at: float(density @ gammaincc(df / 2, df * np.maximum((at + z) / seen, 0.0) ** 2 / 2))
    width = np.sqrt(2 * gammaincinv(df / 2, ndtr(z)) / df)  # over W, as a function of a normal variable
    return lambda at: float(density @ ndtr(seen * width - at))


@dataclass(frozen=True)
class ScoreComparison:
    """Scores of different exams, the best first."""

    placed: tuple[Placed, ...]
    ahead: Interval | None
    """Of the difference in z of the first two; none where no exam comes from a sample."""

    @property
    def better(self) -> Placed | None:
        """The best; none where the first two are equal or cannot be told apart."""
        first, second = self.placed[:2]
        unsure = self.ahead is not None and 0 in self.ahead
        return None if first.z == second.z or unsure else first

    def sentences(self) -> tuple[str, ...]:
        """Which was better, and by how much."""
        first, second = self.placed[:2]
        a, b = (f"{number(one.score)} in {one.exam}" for one in (first, second))
        by = number(first.z - second.z, 3)
        if self.ahead:
            by += f" ({within(self.ahead)})"
        if self.better:
            told = f"{a} is better than {b}, by {by} sd: z {number(first.z, 3)} against {number(second.z, 3)}."
        elif first.z == second.z and not self.ahead:
            told = f"{a} and {b} are equally good: both have z {number(first.z, 3)}."
        else:
            told = (
                f"Cannot tell whether {a} or {b} is better: they differ by {by} sd, and a sample's mean is not exact."
            )
        return (told, *(one.told for one in self.placed))

    def grids(self) -> tuple[Grid, ...]:
        """Every score in every currency."""
        columns = ("exam", "score", "z", "percentile", "IQ scale", "T score", "stanine")
        rows = tuple((p.exam, p.score, p.z, p.percentile, p.iq, p.t_score, p.stanine) for p in self.placed)
        note = f"Percentiles are those of a normal distribution, {NORMAL}."
        return (Grid("Scores", columns, rows, "" if all(p.counted for p in self.placed) else note),)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        rows = [{**plain(p), "iq": p.iq, "t_score": p.t_score, "stanine": p.stanine} for p in self.placed]
        better = self.better.exam if self.better else None
        return {"placed": rows, "ahead": plain(self.ahead), "better": better, "told": self.sentences()[0]}


def compare_scores(scores: Sequence[tuple[Exam, float]], level: float = LEVEL) -> ScoreComparison:
    """Which of two or more scores was the best, each held against its exam."""
    if len(scores) < 2:
        raise ConfigError(f"{len(scores)} scores", "two at least", "Exam.place for a single one")
    placed = sorted((exam.place(score, level) for exam, score in scores), key=lambda one: -one.z)
    return ScoreComparison(tuple(placed), _ahead(placed[0], placed[1], level))


def _ahead(first: Placed, second: Placed, level: float) -> Interval | None:
    """Of the difference, from the interval of each; what is known exactly has none."""
    if not first.interval and not second.interval:
        return None
    a, b = (one.interval or Interval(one.z, one.z) for one in (first, second))
    by = first.z - second.z
    low = by - math.hypot(first.z - a.low, b.high - second.z)
    return Interval(low, by + math.hypot(a.high - first.z, second.z - b.low), level)
