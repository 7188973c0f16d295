"""Whether values are close enough to normal, and for what: how far away first, p-values last.

    Shapiro-Wilk        1965; Royston 1995, up to 5,000 values
    Anderson-Darling    D'Agostino and Stephens 1986, table 4.9
    D'Agostino's K2     D'Agostino, Belanger and D'Agostino 1990: skewness and kurtosis
    Jarque-Bera         1987: the same, for thousands of values

Small samples pass every test and large ones fail every test, so no p-value decides here: the verdict is drawn from
distances (`departure.py`), and put in words in `verdict.py`.

Left out: whether values depend on one another, which makes a sample smaller than it looks; several variables at once.
"""

import math
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy import special

from seqwise.stats.departure import Departure, departure
from seqwise.stats.phrases import number
from seqwise.stats.results import Assumption, Cell, Estimate, Grid, Test, plain
from seqwise.stats.verdict import sentences

# N values

SHAPIRO = 5000  # values: beyond them Royston's p-value is not calibrated
ANDERSON = 8
MOMENTS = 20  # values from which K2 and Jarque-Bera say anything
LARGE = 2000  # values from which chi2 is good for Jarque-Bera
FLAT = -1.0  # excess kurtosis below which K2 explodes
INDEPENDENT = Assumption("independent values", None, "Not looked at here: the order of the values may mean nothing.")


@dataclass(frozen=True)
class Normality(Departure):
    """How far values are from normal, and what tests make of it."""

    tests: tuple[Test, ...]
    notes: tuple[str, ...]

    def sentences(self) -> tuple[str, ...]:
        """What it is good for, how far it is from normal and where, and what the tests say."""
        return sentences(self, self.tests)

    def grids(self) -> tuple[Grid, ...]:
        """Distances, bands and tests."""
        return (self._distances(), self._bands(), self._tests())

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        more = {"shape": self.shape, "means": self.means, "told": list(self.sentences())}
        return {**plain(self), **more, "tests": [test.to_dict() for test in self.tests]}

    def _distances(self) -> Grid:
        unit = f" ({self.unit})" if self.unit else ""
        rows: list[tuple[Cell, ...]] = [
            ("n", self.n, None),
            (f"mean{unit}", self.mean, None),
            (f"sd{unit}", self.sd, None),
            ("skewness", self.skewness, f"0 ± {number(1.96 * self.skewness_error, 2)}"),
            ("excess kurtosis", self.kurtosis, f"about 0 ± {number(1.96 * self.kurtosis_error, 2)}"),
            ("distance (percentage points)", self.distance, f"up to {number(self.usual, 3)}"),
            (f"QQ gap{unit}", self.gap, None),
            ("QQ correlation", self.correlation, None),
        ]
        note = f"The last column is what 95 of 100 normal samples with n = {self.n:,} have."
        return Grid("Distance from normal", ("measure", "value", "normal"), tuple(rows), note)

    def _bands(self) -> Grid:
        columns = ("within", "normal %", "observed %", "low %", "high %", "count")
        rows: list[tuple[Cell, ...]] = []
        for row in self.bands.rows:
            ends = row.share.interval
            sure = (100 * ends.low, 100 * ends.high) if ends else (None, None)
            rows.append((f"{number(row.width)} sd", 100 * row.expected, 100 * row.share.value, *sure, row.count))
        return Grid("The 68-95-99.7 rule", columns, tuple(rows), "Low and high: Wilson's 95 % interval.")

    def _tests(self) -> Grid:
        rows = tuple((test.name, test.symbol, test.statistic, test.p) for test in self.tests)
        note = " ".join(self.notes)
        return Grid("Tests of normality", ("test", "symbol", "statistic", "p"), rows, note)


def normality(x: Float[np.ndarray, "N"], name: str = "", unit: str = "") -> Normality:
    """How far values are from the normal distribution with their mean and sd. Three of them or more."""
    found = departure(x, name, unit)
    z = (np.sort(np.asarray(x, dtype=np.float64)) - found.mean) / found.sd  # (N,)
    measures = {field.name: getattr(found, field.name) for field in fields(found)}
    return Normality(**measures, tests=_tests(z, found), notes=_notes(found.n, found.kurtosis))


def anderson(ordered: Float[np.ndarray, "N"]) -> tuple[float, float]:
    """A2 of values in order, in sd from their mean, and its p.

    As statsmodels' normal_ad, but from logarithms of chances: an outlier beyond 8 sd is no infinity here. Below
    5e-31 the fit of p by D'Agostino and Stephens turns back, and this value is given for all beyond.
    """
    n = len(ordered)
    weights = 2 * np.arange(1, n + 1) - 1
    a2 = -n - float((weights * (special.log_ndtr(ordered) + special.log_ndtr(-ordered[::-1]))).sum()) / n
    a = a2 * (1 + 0.75 / n + 2.25 / n**2)
    if a < 0.2:
        return a2, 1 - math.exp(-13.436 + 101.14 * a - 223.73 * a * a)
    if a < 0.34:
        return a2, 1 - math.exp(-8.318 + 42.796 * a - 59.938 * a * a)
    if a < 0.6:
        return a2, math.exp(0.9177 - 4.279 * a - 1.38 * a * a)
    a = min(a, 13.0)
    return a2, math.exp(1.2937 - 5.709 * a + 0.0186 * a * a)


def _tests(z: Float[np.ndarray, "N"], found: Departure) -> tuple[Test, ...]:
    """Those that so many values allow. z: in order, in sd from their mean, which changes no statistic."""
    from scipy import stats  # half a second, which only those who ask for tests should wait for

    n, made = len(z), []
    name = found.name or "the sample"
    null = f"{name} is made of independent values of one normal distribution, whatever its mean and sd"
    far = Estimate("largest distance from the fitted normal", found.distance, None, "percentage points")

    def add(title: str, symbol: str, statistic: float, df: tuple[float, ...], p: float, why: str, *notes: str) -> None:
        made.append(Test(title, null, symbol, statistic, df, p, {name: n}, far, None, why, (INDEPENDENT,), None, notes))

    if n <= SHAPIRO:
        answer = stats.shapiro(z)
        add("Shapiro-Wilk", "W", float(answer.statistic), (), float(answer.pvalue), "sees most, up to 5,000 values")
    if n >= ANDERSON:
        a2, p = anderson(z)
        add("Anderson-Darling", "A2", a2, (), p, "takes any number of values and looks at the tails")
    if n >= MOMENTS:
        answer = stats.normaltest(z)
        both = "skewness and kurtosis together"
        notes = ("It explodes for flat and two-peaked values such as these.",) if found.kurtosis < FLAT else ()
        add("D'Agostino-Pearson", "K2", float(answer.statistic), (2.0,), float(answer.pvalue), both, *notes)
        jb = n / 6 * (found.skewness**2 + found.kurtosis**2 / 4)
        notes = ("Its p is from chi2, which is good for thousands of values only.",) if n < LARGE else ()
        add("Jarque-Bera", "JB", jb, (2.0,), float(special.chdtrc(2, jb)), both, *notes)
    return tuple(made)


def _notes(n: int, kurtosis: float) -> tuple[str, ...]:
    """What was left out, and what not to trust."""
    told = []
    if n > SHAPIRO:
        told.append(f"Shapiro-Wilk is left out: its p is made for up to {SHAPIRO:,} values.")
    if n < ANDERSON:
        told.append(f"Anderson-Darling is left out below {ANDERSON} values.")
    if n < MOMENTS:
        told.append(f"K2 and Jarque-Bera are left out below {MOMENTS} values.")
    elif kurtosis < FLAT:
        told.append("K2 explodes for flat and two-peaked values: do not go by it alone.")
    return tuple(told)
