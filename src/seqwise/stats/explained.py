"""How much of the variance is explained: lines of a table of variance, eta and omega squared, their intervals.

    eta squared      share of the sum of squares of these data; too large for the population, most so in small samples
    omega squared    the same, corrected; may be below 0, which says no more than 0
    interval         of the population's share, by the noncentral F distribution (Steiger 2004; Smithson 2001)

An F below 1 is less than chance alone would give. Taken as it is, it would pretend to know that nothing is there: the
interval's upper end falls to 0 with it. So that end is never taken from an F below 1; the interval is then too wide.
"""

from dataclasses import dataclass

from scipy.special import chdtri, fdtrc, ncfdtr

from seqwise.stats.crossing import upwards
from seqwise.stats.results import LEVEL, Cell, Estimate, Grid, Interval

VAST = 1e9  # noncentrality


@dataclass(frozen=True)
class Line:
    """A line of a table of variance."""

    source: str
    squares: float
    df: float
    f: float | None = None
    p: float | None = None

    @property
    def mean(self) -> float:
        """Sum of squares for each degree of freedom."""
        return self.squares / self.df


def tested(source: str, squares: float, df: float, error: Line) -> Line:
    """A line with its F against the error's."""
    f = squares / df / error.mean
    return Line(source, squares, df, f, float(fdtrc(df, error.df, f)))


def table(title: str, lines: tuple[Line, ...], note: str = "") -> Grid:
    """As textbooks print it."""
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (line.source, line.squares, line.df, line.mean, line.f, line.p) for line in lines
    )
    return Grid(title, ("source", "sum of squares", "df", "mean square", "F", "p"), rows, note)


def noncentrality(f: float, df1: float, df2: float, level: float = LEVEL) -> tuple[float, float]:
    """Limits of the noncentrality of which an F so large and so small would just not be rare."""
    tail = (1 - level) / 2
    if f * df1 > VAST:  # the noncentral F has no digits left, and all that varies is the error's mean square
        low, high = (f * df1 * float(chdtri(df2, side)) / df2 for side in (1 - tail, tail))
        return low, high
    return _where(f, df1, df2, 1 - tail), _where(max(f, 1.0), df1, df2, tail)


def _where(f: float, df1: float, df2: float, chance: float) -> float:
    """The noncentrality at which F is below the one seen with this chance; 0 where it never is."""
    if float(ncfdtr(df1, df2, 0.0, f)) <= chance:
        return 0.0
    return upwards(lambda shift: -float(ncfdtr(df1, df2, shift, f)), 0.0, -chance)


def share_interval(f: float, df1: float, df2: float, n: int, level: float = LEVEL) -> Interval:
    """Of the (partial) share of the variance: noncentrality / (noncentrality + n)."""
    low, high = noncentrality(f, df1, df2, level)
    return Interval(low / (low + n), high / (high + n), level)


def eta(name: str, line: Line, error: Line, n: int, level: float = LEVEL, total: float | None = None) -> Estimate:
    """Partial eta squared, or with `total` the share of all squares."""
    whole = total if total is not None else line.squares + error.squares
    interval = share_interval(line.f, line.df, error.df, n, level) if line.f is not None else None
    return Estimate(name, line.squares / whole, interval)


def omega(line: Line, error: Line, n: int) -> float:
    """Partial omega squared (Olejnik and Algina 2003), as F and degrees of freedom tell it."""
    f = line.f if line.f is not None else 0.0
    return line.df * (f - 1) / (line.df * (f - 1) + n)
