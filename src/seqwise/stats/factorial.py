"""Two factors at once: does each move the mean, and does the one's effect depend on the other?

    two_way     the interaction first; then each factor, corrected for the other (type II sums of squares)

Groups of unequal size are allowed, empty ones are not: nothing says what would stand there. Where every group has as
many values, types I, II and III agree. Type II is the most powerful where there is no interaction, and where there is
one, main effects are averages of unlike things whatever the type (Langsrud 2003, Statistics and Computing 13).

All is computed from sizes and means of the cells: a table of a million rows with six cells is a problem of six rows.

Left out: three factors and more, covariates (`regression.py` takes them), subjects seen twice (`repeated.py`).
"""

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped
from scipy.special import stdtrit

from seqwise.errors import DataError
from seqwise.stats import explained
from seqwise.stats.assumptions import by_design, equal_spread, normal_residuals
from seqwise.stats.explained import Line
from seqwise.stats.factors import Factor, Labels, factor, split
from seqwise.stats.pairs import MOST, Group, critical, described
from seqwise.stats.phrases import amount, answered, within
from seqwise.stats.results import LEVEL, Assumption, Cell, Estimate, Grid, Interval, Test, ends_of, plain
from seqwise.stats.samples import Row, flat, outcome
from seqwise.stats.telling import doubts, granted

# A levels of the first factor, B of the second


@dataclass(frozen=True)
class TwoWay:
    """What two factors do to a mean, together and each."""

    name: str
    unit: str
    by: tuple[str, str]
    interaction: Test
    """Effect: the largest difference of two differences; its interval allows for all such."""
    first: Test
    """Effect: the largest difference of two means, corrected for the other factor as the test is."""
    second: Test
    ends: tuple[tuple[str, str], ...]
    """Of each of the three tests: what is highest, and what lowest."""
    lines: tuple[Line, ...]
    cells: tuple[Group, ...]

    def sentences(self) -> tuple[str, ...]:
        """The interaction, which says how to read the rest, then each factor."""
        test, (a, b) = self.interaction, self.by
        (high, low), depends = self.ends[0], f"what {a} does to {self.name} depends on {b}"
        found = f"the largest difference, {high} against {low}, is {_sized(test.effect)}, {answered(test)}."
        first, own = f"These data cannot tell whether {depends}: {found}", ""
        if test.rejected:
            first = f"W{depends[1:]}: {found}"
            own = "an average that need hold for no single group, "
        elif test.statistic <= 1:
            first = f"No sign that {depends}: {found}"
        mains = [self._main(self.first, a, self.ends[1], f"Averaged over {b}, {own}")]
        mains.append(self._main(self.second, b, self.ends[2], f"Averaged over {a}, {own}"))
        return (first, *mains, *doubts(test), *test.notes)

    def _main(self, test: Test, factor_name: str, ends: tuple[str, str], start: str) -> str:
        high, low = ends
        up = "up to " if test.df[0] > 1 else ""
        if test.rejected:
            told = f"mean {self.name} is {up}{_sized(test.effect)} higher in {high} than in {low}"
            return f"{start}{told}, {answered(test)}."
        told = f"{start}these data cannot tell whether {factor_name} moves mean {self.name}"
        return f"{told}: it is {up}{_sized(test.effect)} higher in {high} than in {low}, {answered(test)}."

    def grids(self) -> tuple[Grid, ...]:
        """Means of the cells, the table of variance, how large each effect is."""
        a, b = self.by
        columns = (f"{a}, {b}", "n", "mean", "sd", "low", "high")
        rows = tuple((one.name, one.n, one.mean, one.sd, *ends_of(one.interval)) for one in self.cells)
        title = f"Analysis of variance: {self.name} by {a} and {b}"
        note = "Type II: each factor corrected for the other."
        parts = zip(self.lines, (self.first, self.second, self.interaction), strict=False)
        sizes = tuple((line.source, *_size(test)) for line, test in parts)
        head = ("source", "partial eta squared", "low", "high", "largest difference", "low ", "high ")
        return (
            Grid(f"{self.name} by {a} and {b}", columns, rows),
            explained.table(title, self.lines, note),
            Grid("How large the effects are", head, sizes, "Share of what the other lines leave; difference of means."),
            granted(self.interaction),
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        tests = {name: getattr(self, name).to_dict() for name in ("interaction", "first", "second")}
        return {**plain(self), **tests, "sentences": list(self.sentences())}


def _size(test: Test) -> tuple[Cell, ...]:
    share = test.size
    first = (share.value, *ends_of(share.interval)) if share else (None, None, None)
    return (*first, test.effect.value, *ends_of(test.effect.interval))


def _sized(effect: Estimate) -> str:
    sure = f" ({within(effect.interval, effect.unit)})" if effect.interval else ""
    return f"{amount(effect.value, effect.unit)}{sure}"


@dataclass(frozen=True, eq=False)
class _Table:
    """Sizes and means of the cells, all that the sums of squares need."""

    sizes: Float[np.ndarray, "A B"]
    means: Float[np.ndarray, "A B"]
    error: Line


def two_way(
    values: Shaped[np.ndarray, "N"],
    a: Labels,
    b: Labels,
    names: tuple[str, str] = ("a", "b"),
    *,
    name: str = "value",
    unit: str = "",
    level: float = LEVEL,
) -> TwoWay:
    """Whether the mean differs by each of two factors, and by their combination."""
    array = outcome(values, name, 5)
    one, other = factor(a, names[0], len(array)), factor(b, names[1], len(array))
    samples, labels = _cells(array, one, other)
    table = _table(samples, len(one.levels), len(other.levels), names)
    lines = _lines(table, names)
    pooled, n = table.error, len(array)
    shared = (level, n, pooled, samples, labels)
    nulls = (
        f"the effect of {names[0]} on mean {name} is the same at every level of {names[1]}",
        f"{names[0]} does not move mean {name}, whatever {names[1]} does",
        f"{names[1]} does not move mean {name}, whatever {names[0]} does",
    )
    (apart, ends), (first, tops), (second, others) = (
        _tetrad(table, one, other, unit, level),
        _corrected(table.means, table.sizes, one, pooled, unit, level),
        _corrected(table.means.T, table.sizes.T, other, pooled, unit, level),
    )
    cells = described(samples, labels, level)
    both, one_alone, other_alone = (
        _test(lines[place], effect, null, shared, unequal=bool(np.ptp(table.sizes) > 0))
        for place, effect, null in zip((2, 0, 1), (apart, first, second), nulls, strict=True)
    )
    return TwoWay(name, unit, names, both, one_alone, other_alone, (ends, tops, others), lines, cells)


def _cells(array: Float[np.ndarray, "N"], one: Factor, other: Factor) -> tuple[tuple[Row, ...], tuple[str, ...]]:
    """The values of each combination; refused where one has none."""
    for each in (one, other):
        if len(each.levels) > MOST:
            given = f"{len(each.levels):,} levels of {each.name}"
            raise DataError(given, f"{MOST} at most", "fewer levels, or a regression with numbers in place of levels")
    labels = tuple(f"{first}, {second}" for first in one.levels for second in other.levels)
    both = Factor(f"{one.name}, {other.name}", labels, one.codes * len(other.levels) + other.codes)
    empty = [label for label, count in zip(labels, both.counts, strict=True) if not count]
    if empty:
        given = f"no value of {both.name} = {empty[0]}" + (f" and {len(empty) - 1:,} more" if empty[1:] else "")
        mend = "leaving out that level, or comparing the groups that there are as one factor"
        raise DataError(given, "a value for every combination of levels", mend)
    return split(array, both), labels


def _table(samples: tuple[Row, ...], rows: int, columns: int, names: tuple[str, str]) -> _Table:
    sizes = np.array([len(sample) for sample in samples], dtype=np.float64)
    n = float(sizes.sum())
    if n <= len(samples) or all(map(flat, samples)):
        given = f"no two values that differ within any combination of {names[0]} and {names[1]}"
        mend = "several values for each combination; of one each, the interaction and chance look the same"
        raise DataError(given, "several values in a group, to measure chance by", mend)
    offset = sum(float(sample.sum()) for sample in samples) / n  # what is left has no leading digits in common
    means = np.array([(sample - offset).mean() for sample in samples])
    left = [float(((sample - offset - mean) ** 2).sum()) for sample, mean in zip(samples, means, strict=True)]
    error = Line("within groups", sum(left), n - len(samples))
    return _Table(sizes.reshape(rows, columns), means.reshape(rows, columns), error)


def _lines(table: _Table, names: tuple[str, str]) -> tuple[Line, ...]:
    """Each factor after the other, then what both together leave between the cells."""
    rows, columns = table.sizes.shape
    root = np.sqrt(table.sizes).reshape(-1, 1)
    ones = np.ones((rows * columns, 1))
    a = np.kron(np.eye(rows)[:, 1:], np.ones((columns, 1)))  # (AB, A-1) a column for each level but the first
    b = np.kron(np.ones((rows, 1)), np.eye(columns)[:, 1:])  # (AB, B-1)
    y = root[:, 0] * table.means.reshape(-1)
    squares = []
    for before, after in ((b, a), (a, b)):
        q, _ = np.linalg.qr(root * np.hstack([ones, before, after]))
        squares.append(float(((q.T @ y)[-after.shape[1] :] ** 2).sum()))
        rest = y - q @ (q.T @ y)
    both = float((rest**2).sum())
    return (
        explained.tested(names[0], squares[0], rows - 1, table.error),
        explained.tested(names[1], squares[1], columns - 1, table.error),
        explained.tested(f"{names[0]} x {names[1]}", both, (rows - 1) * (columns - 1), table.error),
        table.error,
    )


def _corrected(
    means: Float[np.ndarray, "A B"],
    sizes: Float[np.ndarray, "A B"],
    levels: Factor,
    error: Line,
    unit: str,
    level: float,
) -> tuple[Estimate, tuple[str, str]]:
    """Highest minus lowest level of a factor beside the other one: the plain averages where groups are of one size.

    Else an average that leans on the levels where there are more values, the one that type II sums of squares test:
    plain averages belong to type III, and may lie on the other side of zero.
    """
    rows, columns = means.shape
    root = np.sqrt(sizes).reshape(-1, 1)
    a = np.kron(np.eye(rows), np.ones((columns, 1)))  # (AB, A)
    b = np.kron(np.ones((rows, 1)), np.eye(columns)[:, 1:])  # (AB, B-1)
    q, r = np.linalg.qr(root * np.hstack([a, b]))
    weights = np.linalg.inv(r)[:rows]  # of independent parts of the data, in each level
    averages = weights @ (q.T @ (root[:, 0] * means.reshape(-1)))  # (A,)
    high, low = int(averages.argmax()), int(averages.argmin())
    if high == low:
        high = 1
    variance = error.mean * float(((weights[high] - weights[low]) ** 2).sum())
    half = critical(level, len(averages), error.df) * variance**0.5
    value = float(averages[high] - averages[low])
    ends = (levels.levels[high], levels.levels[low])
    return Estimate(" minus ".join(ends), value, Interval(value - half, value + half, level), unit), ends


def _tetrad(table: _Table, one: Factor, other: Factor, unit: str, level: float) -> tuple[Estimate, tuple[str, str]]:
    """The largest difference of two differences; of all of them by Bonferroni."""
    pairs = [np.array(list(combinations(range(size), 2))).T for size in table.means.shape]
    (a1, a2), (b1, b2) = pairs
    step = table.means[:, b2] - table.means[:, b1]  # (A, pairs of B)
    apart = step[a2] - step[a1]  # (pairs of A, pairs of B)
    row, column = np.unravel_index(int(np.abs(apart).argmax()), apart.shape)
    value = float(apart[row, column])
    low, high = (int(side[row]) for side in ((a1, a2) if value >= 0 else (a2, a1)))
    start, end = int(b1[column]), int(b2[column])
    variance = _tetrad_error(table, (low, high), (start, end))
    half = float(stdtrit(table.error.df, 1 - (1 - level) / (2 * apart.size))) * variance**0.5
    move = f"the step from {other.levels[start]} to {other.levels[end]} in {one.levels[high]}"
    value = abs(value)
    ends = (move, one.levels[low])
    return Estimate(" against ".join(ends), value, Interval(value - half, value + half, level), unit), ends


def _tetrad_error(table: _Table, rows: tuple[int, int], columns: tuple[int, int]) -> float:
    """Variance of a difference of differences of four cells."""
    return table.error.mean * float((1 / table.sizes[np.ix_(rows, columns)]).sum())


_Shared = tuple[float, int, Line, tuple[Row, ...], tuple[str, ...]]


def _test(line: Line, effect: Estimate, null: str, shared: _Shared, unequal: bool) -> Test:
    level, n, error, samples, labels = shared
    f, p = line.f, line.p
    told = "Groups differ in size: each factor is corrected for the other (type II), its averages lean on large groups."
    notes = (told,) if unequal else ()
    return Test(
        name="two-way analysis of variance",
        null=null,
        symbol="F",
        statistic=f if f is not None else 0.0,
        df=(line.df, error.df),
        p=p if p is not None else 1.0,
        n={label: len(sample) for label, sample in zip(labels, samples, strict=True)},
        effect=effect,
        size=explained.eta("partial eta squared", line, error, n, level),
        why="Two factors and their combination, one sd for all groups.",
        assumptions=_assumed(samples),
        notes=notes,
    )


def _assumed(samples: tuple[Row, ...]) -> tuple[Assumption, ...]:
    residuals = np.concatenate([sample - sample.mean() for sample in samples])
    return normal_residuals(residuals), equal_spread(samples), by_design("value")
