"""Counts in a table: whether rows and columns go together, and whether counts follow given shares.

    independence   rows by columns      chi-square; Fisher's exact test or drawn tables where counts are small
    fit            one row of counts    chi-square against given shares; drawn counts where they are small
    crossed        two columns of labels to a table

How strong: Cramér's V freed of its bias (Bergsma 2013) and, against given shares, Cohen's w; both with the interval of
the noncentral chi-square distribution. Which cells: adjusted residuals (Haberman 1973), about standard normal where
rows and columns do not go together, told where they exceed what the largest of so many would by chance.

Left out: ordered categories (ranks say more of them) and tables of three or more sides.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Shaped
from scipy.special import chdtrc, chndtr, ndtri

from seqwise.errors import ConfigError, DataError
from seqwise.stats.assumptions import INDEPENDENT
from seqwise.stats.crossing import upwards
from seqwise.stats.factors import Labels, factor
from seqwise.stats.phrases import alike, chance, ends, joined, number
from seqwise.stats.power import table_effect
from seqwise.stats.results import LEVEL, Assumption, Cell, Estimate, Grid, Interval, Test, plain
from seqwise.stats.telling import granted, tested

DRAWS = 9_999  # tables drawn; p is known to 0.002 near 0.05
SMALL, FEW = 5.0, 0.2  # Cochran's rule: no more than a fifth of the cells expect below 5, none below 1
MOST = 10_000  # cells
SHOWN = 3  # cells told in a sentence


@dataclass(frozen=True)
class Table:
    """A table of counts, and what it shows."""

    names: tuple[str, str]
    """Of rows and columns."""
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    expected: tuple[tuple[float, ...], ...]
    residuals: tuple[tuple[float, ...], ...]
    """Adjusted: in standard errors."""
    test: Test

    @property
    def outstanding(self) -> tuple[tuple[int, int], ...]:
        """Cells beyond what the largest residual of so many would be by chance, the farthest first."""
        level = self.test.effect.interval.level if self.test.effect.interval else LEVEL
        r = np.array(self.residuals)
        free = max(1, r.shape[0] - 1) * (r.shape[1] - 1)  # of two by two all are the same but for the sign
        edge = float(ndtri(1 - (1 - level) / 2 / free))
        # Of two by two all are as far off; then the rarest cell tells most.
        order = np.lexsort((np.array(self.expected).ravel(), -np.abs(r).ravel().round(9)))
        places = [divmod(int(at), r.shape[1]) for at in order]
        return tuple((i, j) for i, j in places if abs(r[i, j]) > edge)

    def sentences(self) -> tuple[str, ...]:
        """Whether the sides go together, how strongly, and where."""
        test, (a, b) = self.test, self.names
        both = test.effect.interval
        size = alike(test.effect.value, *((both.low, both.high) if both else ()), digits=2)
        sure = f" ({ends(both.level, *size[1:])}, {chance(test.p)})" if both else f" ({chance(test.p)})"
        strength = f"{test.effect.name} {size[0]}{sure}"
        if not test.rejected:
            least = number(test.detectable.value, 2) if test.detectable else ""
            tail = f"; with these numbers {least} or more would have been found four times in five" if least else ""
            lead = f"The data cannot tell whether {a} and {b} go together" if b else f"{a} may well follow the shares"
            return (f"{lead}: {strength}{tail}.",)
        lead = f"{a} and {b} go together" if b else f"{a} does not follow the shares"
        if both and both.low <= 0:
            lead += ", though hardly more than chance would have it"
        return (f"{lead}: {strength}.", *self._cells())

    def _cells(self) -> tuple[str, ...]:
        told = [self._cell(i, j) for i, j in self.outstanding[:SHOWN]]
        if not told:
            return ("No single cell stands out; the difference is spread over the table.",)
        if len(self.rows) == len(self.columns) == 2:  # one cell tells all four
            return (f"There are {told[0]}.",)
        more = len(self.outstanding) - len(told)
        tail = f", and {more:,} more" if more else ""
        return (f"What stands out: {'; '.join(told)}{tail}.",)

    def _cell(self, i: int, j: int) -> str:
        seen, wanted = self.counts[i][j], number(self.expected[i][j], 3)
        side = "more" if self.residuals[i][j] > 0 else "fewer"
        a, b = self.names
        place = f"{a} {self.rows[i]} with {b} {self.columns[j]}" if b else f"{a} {self.columns[j]}"
        return f"{place}, {seen:,} where {wanted} were expected ({side})"

    def grids(self) -> tuple[Grid, ...]:
        """Counts, what was expected, residuals."""
        corner = " / ".join(name for name in self.names if name)
        columns = (corner, *self.columns)
        kinds: tuple[tuple[str, Sequence[Sequence[Cell]], str], ...] = (
            ("Counts", self.counts, ""),
            ("Expected", self.expected, ""),
            ("Adjusted residuals", self.residuals, "in standard errors; beyond 2 or 3 a cell is out of line"),
        )
        counted = tuple(
            Grid(title, columns, tuple((row, *cells) for row, cells in zip(self.rows, values, strict=True)), note)
            for title, values, note in kinds
        )
        return *counted, tested(self.test), granted(self.test)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {**plain(self), "test": self.test.to_dict(), "sentences": list(self.sentences())}


def crossed(
    first: Labels,
    second: Labels,
    names: tuple[str, str] = ("rows", "columns"),
    *,
    seed: int = 12345,
    level: float = LEVEL,
) -> Table:
    """Two labels of each item, counted into a table and tested."""
    one, other = (factor(labels, name, len(first)) for labels, name in zip((first, second), names, strict=True))
    shape = len(one.levels), len(other.levels)
    if shape[0] * shape[1] > MOST:
        given = f"{shape[0]:,} values of {names[0]} by {shape[1]:,} of {names[1]}"
        raise DataError(given, f"at most {MOST:,} cells", "columns of fewer categories")
    counts = np.bincount(one.codes * shape[1] + other.codes, minlength=shape[0] * shape[1]).reshape(shape)
    return independence(counts, one.levels, other.levels, names, seed=seed, level=level)


def independence(
    counts: Int[np.ndarray, "R C"],
    rows: tuple[str, ...],
    columns: tuple[str, ...],
    names: tuple[str, str] = ("rows", "columns"),
    *,
    seed: int = 12345,
    level: float = LEVEL,
) -> Table:
    """Whether rows and columns go together. The effect is Cramér's V."""
    table = _checked(counts, rows, columns)
    n, across, down = int(table.sum()), table.sum(1) / table.sum(), table.sum(0) / table.sum()
    expected = n * across[:, None] * down[None, :]  # (R, C)
    chi2 = float(((table - expected) ** 2 / expected).sum())
    df = (len(rows) - 1) * (len(columns) - 1)
    rule = _rule(expected)
    name, p, why = (
        "chi-square test of independence",
        float(chdtrc(df, chi2)),
        "counts of items in two sets of categories",
    )
    if not rule.holds:
        name, p, why = _small(table, chi2, seed)
    v = cramer(chi2, n, table.shape, level)
    scale = sqrt(_steps(n, table.shape))
    test = Test(
        name=name,
        null=f"{names[0]} and {names[1]} have nothing to do with each other",
        symbol="chi2",
        statistic=chi2,
        df=(df,),
        p=p,
        n={"items": n},
        effect=v,
        why=why,
        assumptions=(rule, INDEPENDENT),
        detectable=_detectable(v.name, table_effect(n, df, level=level) / scale) if scale else None,
    )
    residuals = (table - expected) / np.sqrt(expected * (1 - across[:, None]) * (1 - down[None, :]))
    return Table(names, rows, columns, _cells(table), _cells(expected), _cells(residuals), test)


def fit(
    counts: Int[np.ndarray, "C"],
    labels: tuple[str, ...],
    shares: Float[np.ndarray, "C"] | None = None,
    name: str = "category",
    *,
    seed: int = 12345,
    level: float = LEVEL,
) -> Table:
    """Whether counts follow shares that are given; without them, whether all categories are as frequent."""
    table = np.asarray(counts)
    k = len(labels)
    aimed = np.full(k, 1 / k) if shares is None else np.asarray(shares, dtype=np.float64)
    if k < 2 or table.shape != (k,) or aimed.shape != (k,) or (table < 0).any() or not table.sum():
        given = f"{table.size} counts, {aimed.size} shares, {k} labels"
        raise DataError(given, "two categories or more, a count and a share of each", "counting again")
    if not (aimed > 0).all() or abs(float(aimed.sum()) - 1) > 1e-6:
        raise ConfigError(
            f"shares that add up to {number(float(aimed.sum()))}", "shares above 0 that add up to 1", "0.5 0.5"
        )
    n = int(table.sum())
    expected = n * aimed / aimed.sum()
    chi2 = float(((table - expected) ** 2 / expected).sum())
    rule, p, kind = _rule(expected), float(chdtrc(k - 1, chi2)), "chi-square test of fit"
    if not rule.holds:
        drawn = np.random.default_rng(seed).multinomial(n, expected / n, DRAWS)  # (draws, C)
        p, kind = _share_beyond(((drawn - expected) ** 2 / expected).sum(1), chi2), f"{kind}, {DRAWS:,} draws"
    low, high = (sqrt(shift / n) for shift in noncentral(chi2, k - 1, level))
    w = Estimate("Cohen's w", sqrt(chi2 / n), Interval(low, high, level))
    test = Test(
        name=kind,
        null=f"{name} follows the given shares" if shares is not None else f"all values of {name} are as frequent",
        symbol="chi2",
        statistic=chi2,
        df=(k - 1,),
        p=p,
        n={"items": n},
        effect=w,
        why="counts of items in one set of categories, against shares known beforehand",
        assumptions=(rule, INDEPENDENT),
        detectable=_detectable(w.name, table_effect(n, k - 1, level=level)),
    )
    residuals = (table - expected) / np.sqrt(expected * (1 - expected / n))
    one = (name,)
    return Table((name, ""), one, labels, _cells(table[None]), _cells(expected[None]), _cells(residuals[None]), test)


def cramer(chi2: float, n: int, shape: tuple[int, ...], level: float = LEVEL) -> Estimate:
    """Cramér's V, freed of its bias; 0 where rows and columns go together no more than by chance."""
    df = (shape[0] - 1) * (shape[1] - 1)
    steps = _steps(n, shape)
    if steps <= 0:
        return Estimate("Cramér's V", 0.0, Interval(0.0, 1.0, level))
    value = min(1.0, sqrt(max(0.0, chi2 / n - df / (n - 1)) / steps))
    low, high = (min(1.0, sqrt(shift / n / steps)) for shift in noncentral(chi2, df, level))
    return Estimate("Cramér's V", value, Interval(low, high, level))


def _steps(n: int, shape: tuple[int, ...]) -> float:
    """The lesser number of categories minus 1, as Bergsma corrects it."""
    if n < 2:
        return 0.0
    return min(k - (k - 1) ** 2 / (n - 1) for k in shape) - 1


def noncentral(chi2: float, df: float, level: float = LEVEL) -> tuple[float, float]:
    """Noncentralities of which a chi-square so large and so small would just not be rare."""
    tail = (1 - level) / 2

    def where(chance: float) -> float:
        above = 1 - chance
        if 1 - float(chndtr(chi2, df, 0.0)) >= above:
            return 0.0
        return upwards(lambda shift: 1 - float(chndtr(chi2, df, shift)), 0.0, above)

    return where(1 - tail), where(tail)


def _small(table: Int[np.ndarray, "R C"], chi2: float, seed: int) -> tuple[str, float, str]:
    """Name, p and reason of the test that stands in where chi-square is no good guide."""
    if table.shape == (2, 2):
        from scipy.stats import fisher_exact  # half a second, which not everybody should wait for

        return "Fisher's exact test", float(fisher_exact(table).pvalue), "a table of two by two with small counts"
    from scipy.stats import random_table

    across, down = table.sum(1), table.sum(0)
    expected = across[:, None] * down[None, :] / table.sum()
    drawn = random_table(across, down, seed=np.random.default_rng(seed)).rvs(DRAWS)  # (draws, R, C)
    p = _share_beyond(((drawn - expected) ** 2 / expected).sum((1, 2)), chi2)
    name = f"chi-square test of independence, {DRAWS:,} drawn tables"
    return name, p, "small counts: p comes of tables drawn with the same sums of rows and columns"


def _share_beyond(drawn: Float[np.ndarray, "D"], seen: float) -> float:
    return float(1 + (drawn >= seen * (1 - 1e-9)).sum()) / (1 + len(drawn))


def _rule(expected: Float[np.ndarray, "..."]) -> Assumption:
    """Cochran's rule."""
    least, below = float(expected.min()), int((expected < SMALL).sum())
    fair = least >= 1 and below <= FEW * expected.size and (expected.size > 4 or below == 0)
    shown = f"{below:,} of {expected.size:,} cells expect fewer than 5, the least {number(least, 2)}"
    told = "Enough for chi-square" if fair else "Too few for chi-square, so that p is counted another way"
    return Assumption("enough expected in each cell", fair, f"{told}: {shown}.")


def _detectable(name: str, value: float) -> Estimate | None:
    return Estimate(f"{name} found four times in five", value) if value <= 1 else None


def _cells(values: Shaped[np.ndarray, "R C"]) -> tuple[tuple[Any, ...], ...]:
    return tuple(tuple(row) for row in values.tolist())


def _checked(counts: Int[np.ndarray, "R C"], rows: tuple[str, ...], columns: tuple[str, ...]) -> Int[np.ndarray, "R C"]:
    table = np.asarray(counts)
    if table.shape != (len(rows), len(columns)) or min(table.shape) < 2 or (table < 0).any():
        given = f"counts of shape {table.shape} for {len(rows)} rows and {len(columns)} columns"
        raise DataError(given, "counts in two rows and two columns at least", "columns with more than one value")
    empty = [name for name, total in zip((*rows, *columns), (*table.sum(1), *table.sum(0)), strict=True) if not total]
    if empty:
        raise DataError(f"no items in {joined(empty)}", "items in each row and column", "leaving out what is empty")
    return table
