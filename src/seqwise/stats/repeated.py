"""The same subjects under several conditions: do the means of the conditions differ?

    repeated    analysis of variance of what subjects leave, epsilon for unlike differences, pairs by Holm, Friedman
    wide        rows of (subject, condition, value) as a table of subjects by conditions

The F test takes all differences of two conditions to spread alike (sphericity). Where they do not, its p is too small;
epsilon shrinks the degrees of freedom to what they are worth. Mauchly's test is told but decides nothing: small
samples pass it whatever they are. The p that counts is always the one by Greenhouse and Geisser.

Left out: several factors within subjects, groups of subjects (a mixed model), what one condition leaves for the next.

Greenhouse and Geisser 1959; Huynh and Feldt 1976; Mauchly 1940; generalized eta squared: Olejnik and Algina 2003.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped
from scipy.special import chdtrc, fdtrc, stdtr, stdtrit

from seqwise.errors import DataError
from seqwise.stats import explained
from seqwise.stats.assumptions import DOUBT, by_design, normal_residuals
from seqwise.stats.explained import Line
from seqwise.stats.factors import Labels, factor
from seqwise.stats.multiplicity import adjust
from seqwise.stats.pairs import MOST, Group, Pair, Pairs, described
from seqwise.stats.phrases import answered, chance, in_brackets, number, percent
from seqwise.stats.results import LEVEL, Assumption, Estimate, Grid, Interval, Test, ends_of, plain
from seqwise.stats.samples import ROUNDING, within_reach

# N subjects, S of them with all values, K conditions


@dataclass(frozen=True)
class Sphericity:
    """How alike the differences of two conditions spread: epsilon is 1 at best, 1 / (conditions - 1) at worst."""

    greenhouse_geisser: float
    huynh_feldt: float
    mauchly: float | None
    """W; none for two conditions, or where there are no more subjects than conditions."""
    p: float | None
    """Of Mauchly's test: differences spread alike."""


@dataclass(frozen=True)
class Repeated:
    """Whether the means of conditions differ within subjects."""

    name: str
    by: str
    subject: str
    test: Test
    """p and degrees of freedom by Greenhouse and Geisser. Effect: the largest difference, by Bonferroni."""
    lines: tuple[Line, ...]
    """F and p as they were if all differences spread alike."""
    sphericity: Sphericity
    p_huynh_feldt: float
    eta_generalized: float
    """Share of all the variance but that of other factors: what studies with and without repetition share."""
    conditions: tuple[Group, ...]
    pairs: Pairs
    friedman: Test | None
    """By ranks within each subject; none for two conditions."""

    def sentences(self) -> tuple[str, ...]:
        """How much the conditions explain, which differ, what ranks say."""
        size, told = self.test.size, answered(self.test)
        within = f"the variance of {self.name} within each {self.subject}"
        share = f"{percent(size.value)} of {within}{in_brackets(size.interval, told)}" if size else f"some of {within}"
        if self.test.rejected:
            first = f"{self.by} explains {share}: mean {self.name} differs by {self.by}."
        else:
            first = f"These data cannot tell whether mean {self.name} differs by {self.by}: it explains {share}."
        return (first, *self.pairs.sentences(), *self._ranked(), *self.test.notes)

    def _ranked(self) -> tuple[str, ...]:
        if self.friedman is None or self.friedman.rejected == self.test.rejected:
            return ()
        says = "do" if self.friedman.rejected else "do not"
        told = answered(self.friedman)
        return (f"Ranks within each {self.subject} {says} show a difference ({told}): look at the single values.",)

    def grids(self) -> tuple[Grid, ...]:
        """Conditions, the table of variance, corrections, pairs."""
        rows = tuple((one.name, one.n, one.mean, one.sd, *ends_of(one.interval)) for one in self.conditions)
        head = ("condition", "n", "mean", "sd", "low", "high")
        line, ball = self.lines[0], self.sphericity
        corrected = (
            ("none", 1.0, line.f, line.df, self.lines[2].df, line.p),
            ("Greenhouse-Geisser", ball.greenhouse_geisser, line.f, *self.test.df, self.test.p),
            ("Huynh-Feldt", ball.huynh_feldt, line.f, *_times(self.lines, ball.huynh_feldt), self.p_huynh_feldt),
        )
        return (
            Grid(f"{self.name} by {self.by}", head, rows, f"low and high: of the mean, over each {self.subject}"),
            explained.table(f"Analysis of variance: {self.name} by {self.by}", self.lines),
            Grid("Corrections", ("correction", "epsilon", "F", "df", "df of error", "p"), corrected),
            *self.pairs.grids(),
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        friedman = self.friedman.to_dict() if self.friedman else None
        told = list(self.sentences())
        return {**plain(self), "test": self.test.to_dict(), "friedman": friedman, "sentences": told}


def _times(lines: tuple[Line, ...], epsilon: float) -> tuple[float, float]:
    return lines[0].df * epsilon, lines[2].df * epsilon


def wide(
    values: Shaped[np.ndarray, "N"],
    subjects: Labels,
    conditions: Labels,
    subject: str = "subject",
    by: str = "condition",
) -> tuple[Float[np.ndarray, "S K"], tuple[str, ...]]:
    """A row for each subject, a column for each condition (sorted), NaN where there is no value."""
    one, other = factor(subjects, subject, len(values)), factor(conditions, by, len(values))
    cells = one.codes * len(other.levels) + other.codes
    counts = np.bincount(cells, minlength=len(one.levels) * len(other.levels))
    if counts.max() > 1:
        row, column = divmod(int(counts.argmax()), len(other.levels))
        given = f"{counts.max():,} values of {subject} {one.levels[row]} under {by} {other.levels[column]}"
        raise DataError(
            given, "one value at most of each subject and condition", "the mean of those that belong together"
        )
    matrix = np.full(len(counts), np.nan)
    matrix[cells] = values
    return matrix.reshape(len(one.levels), len(other.levels)), other.levels


def repeated(
    values: Float[np.ndarray, "N K"],
    conditions: Sequence[str],
    *,
    name: str = "value",
    unit: str = "",
    by: str = "condition",
    subject: str = "subject",
    level: float = LEVEL,
) -> Repeated:
    """Whether the conditions' means differ. Subjects that lack a value (NaN) are left out, which is told."""
    table, notes = _complete(values, conditions, name, by, subject)
    near = table - table.mean()  # what is left has no leading digits in common
    n, k = near.shape
    lines, left = _lines(near, by, subject)
    ball = sphericity(near)
    df1, df2 = _times(lines, ball.greenhouse_geisser)
    f = lines[0].mean / lines[2].mean
    eta = Estimate(
        "partial eta squared",
        lines[0].squares / (lines[0].squares + lines[2].squares),
        explained.share_interval(f, df1, df2, int(lines[0].df + lines[2].df) + 1, level),
    )
    told = described(tuple(table.T), tuple(conditions), level)
    pairs, effect = _pairs(near, told, name, unit, by, level)
    test = Test(
        name="repeated-measures analysis of variance, Greenhouse-Geisser",
        null=f"mean {name} is the same under all {k} conditions of {by}",
        symbol="F",
        statistic=f,
        df=(df1, df2),
        p=float(fdtrc(df1, df2, f)),
        n={subject: n},
        effect=effect,
        size=eta,
        why=f"The same {n:,} subjects under {k} conditions: each is compared with itself.",
        assumptions=(normal_residuals(left.reshape(-1)), _alike(ball), by_design("subject")),
        notes=notes,
    )
    huynh = _times(lines, ball.huynh_feldt)
    whole = sum(line.squares for line in lines)
    friedman = _friedman(table, tuple(conditions), name, by, subject) if k > 2 else None
    p_huynh = float(fdtrc(*huynh, f))
    return Repeated(name, by, subject, test, lines, ball, p_huynh, lines[0].squares / whole, told, pairs, friedman)


def _complete(
    values: Float[np.ndarray, "N K"], conditions: Sequence[str], name: str, by: str, subject: str
) -> tuple[Float[np.ndarray, "S K"], tuple[str, ...]]:
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] != len(conditions) or not 2 <= len(conditions) <= MOST:
        given = f"a table of shape {table.shape} and {len(conditions)} names of conditions"
        raise DataError(given, f"a row for each {subject}, a column for each of 2 to {MOST} conditions", "that shape")
    if np.isinf(table).any():
        row, column = (int(place) for place in np.argwhere(np.isinf(table))[0])
        given = f"{name} infinite in row {row + 1:,} under {by} {conditions[column]}"
        raise DataError(given, "finite numbers", "leaving that subject out")
    within_reach(table, name)
    whole = ~np.isnan(table).any(axis=1)
    lost = int((~whole).sum())
    if whole.sum() < 2:
        given = f"{int(whole.sum()):,} of {len(table):,} subjects with a value under all {len(conditions)} conditions"
        raise DataError(given, "2 such subjects at least", "fewer conditions, or a model for incomplete tables")
    notes = (f"{lost:,} of {len(table):,} rows lack a value under some {by} and are left out.",) if lost else ()
    return table[whole], notes


def _lines(near: Float[np.ndarray, "N K"], by: str, subject: str) -> tuple[tuple[Line, ...], Float[np.ndarray, "N K"]]:
    """Conditions, subjects, what is left; and the residuals themselves."""
    n, k = near.shape
    columns, rows, middle = near.mean(axis=0), near.mean(axis=1), float(near.mean())
    left = near - columns - rows[:, None] + middle  # (N, K)
    rounding = (ROUNDING * float(np.abs(near).max())) ** 2 * near.size
    squares = float((left**2).sum())
    if squares <= rounding:
        given = f"each {subject} differs from the others by the same under every {by}"
        raise DataError(given, "differences that vary, to measure chance by", "the table of means, which tells all")
    error = Line("what is left", squares, (n - 1.0) * (k - 1))
    between = n * float(((columns - middle) ** 2).sum())
    line = explained.tested(by, between, k - 1, error)
    return (line, Line(subject, k * float(((rows - middle) ** 2).sum()), n - 1), error), left


def sphericity(near: Float[np.ndarray, "N K"]) -> Sphericity:
    """Epsilon of Greenhouse and Geisser and of Huynh and Feldt, and Mauchly's test."""
    n, k = near.shape
    contrasts = np.linalg.qr(np.eye(k) - 1 / k)[0][:, : k - 1]  # (K, K-1) orthonormal, each adding up to 0
    spread = np.atleast_2d(np.cov(near @ contrasts, rowvar=False))  # (K-1, K-1)
    trace, d = float(np.trace(spread)), k - 1
    small = min(1.0, trace**2 / (d * float((spread**2).sum())))
    bottom = d * (n - 1 - d * small)
    large = min(1.0, max(small, (n * d * small - 2) / bottom)) if bottom > 0 else 1.0
    if k < 3 or n <= k:
        return Sphericity(small, large, None, None)
    w = min(1.0, float(np.linalg.det(spread / (trace / d))))
    df = k * (k - 1) / 2 - 1
    if w <= 0:
        return Sphericity(small, large, 0.0, 0.0)
    chi2 = -(n - 1 - (2 * d * d + d + 2) / (6 * d)) * float(np.log(w))
    return Sphericity(small, large, w, float(chdtrc(df, max(0.0, chi2))))


def _alike(ball: Sphericity) -> Assumption:
    name, epsilon = "differences that spread alike", f"epsilon {number(ball.greenhouse_geisser, 3)}"
    if ball.p is None:
        return Assumption(name, None, f"No test of it here ({epsilon}); degrees of freedom are corrected all the same.")
    told = f"Mauchly's W = {number(ball.mauchly or 0.0)}, {chance(ball.p)}, {epsilon}"
    verdict = "No sign that differences spread unlike" if ball.p >= DOUBT else "Differences spread unlike"
    return Assumption(name, ball.p >= DOUBT, f"{verdict} ({told}); degrees of freedom are corrected in any case.")


def _pairs(
    near: Float[np.ndarray, "N K"], told: tuple[Group, ...], name: str, unit: str, by: str, level: float
) -> tuple[Pairs, Estimate]:
    """Paired t-tests: intervals each by itself, p by Holm; and the largest difference, by Bonferroni."""
    conditions = tuple(group.name for group in told)
    places = list(combinations(range(len(conditions)), 2))
    n = len(near)
    changes = np.stack([near[:, b] - near[:, a] for a, b in places])  # (pairs, N)
    means, errors = changes.mean(axis=1), changes.std(axis=1, ddof=1) / n**0.5
    tiny = ROUNDING * float(np.abs(near).max())
    flat = errors <= tiny
    t = np.divide(np.abs(means), errors, out=np.where(np.abs(means) > tiny, np.inf, 0.0), where=~flat)
    raw = np.minimum(1.0, 2 * stdtr(n - 1, -t))
    raw = np.where(flat, np.where(t > 0, 2.0 ** (1 - n), 1.0), raw)  # all alike: as many signs the same by chance
    p = adjust(raw, "holm")
    half = float(stdtrit(n - 1, (1 + level) / 2)) * errors
    pairs = []
    for place, (a, b) in enumerate(places):
        value = float(means[place])
        both = None if flat[place] else Interval(value - float(half[place]), value + float(half[place]), level)
        difference = Estimate(f"{conditions[b]} minus {conditions[a]}", value, both, unit)
        pairs.append(Pair(conditions[a], conditions[b], difference, float(errors[place]), n - 1.0, float(p[place])))
    top = int(np.abs(means).argmax())
    wide_half = float(stdtrit(n - 1, 1 - (1 - level) / (2 * len(places)))) * float(errors[top])
    a, b = places[top] if means[top] >= 0 else places[top][::-1]
    value = abs(float(means[top]))
    widest = None if flat[top] else Interval(value - wide_half, value + wide_half, level)
    effect = Estimate(f"{conditions[b]} minus {conditions[a]}", value, widest, unit)
    method = "Paired t-tests: p by Holm, each interval by itself"
    return Pairs(name, unit, by, method, told, tuple(pairs)), effect


def _friedman(table: Float[np.ndarray, "N K"], conditions: tuple[str, ...], name: str, by: str, subject: str) -> Test:
    """Ranks within each subject, ties sharing theirs (Friedman 1937)."""
    from scipy.stats import friedmanchisquare, rankdata  # half a second, which not everybody should wait for

    n, k = table.shape
    found = friedmanchisquare(*table.T)
    ranks = rankdata(table, axis=1).mean(axis=0)  # (K,)
    high, low = int(ranks.argmax()), int(ranks.argmin())
    effect = Estimate(
        f"{conditions[high]} minus {conditions[low]}", float(ranks[high] - ranks[low]), None, "mean ranks"
    )
    return Test(
        name="Friedman's test",
        null=f"under every {by} a {subject} has its ranks of {name} by chance",
        symbol="chi2",
        statistic=float(found.statistic),
        df=(k - 1.0,),
        p=float(found.pvalue),
        n={subject: n},
        effect=effect,
        size=Estimate("Kendall's W", float(found.statistic) / (n * (k - 1))),
        why="Goes by order alone: no shape is taken for granted.",
        notes=() if n > 10 or k > 4 else ("With so few subjects its p is rough.",),
    )
