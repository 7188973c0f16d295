"""Does a series keep its level, or does it wander off for good? Two tests that ask from opposite sides.

    adf     null: there is a unit root, shocks stay for good (Dickey and Fuller 1979, Said and Dickey 1984)
    kpss    null: the level is constant, shocks fade (Kwiatkowski, Phillips, Schmidt and Shin 1992)

One alone is often misread, as not rejecting proves nothing. Together they have four outcomes, and each gets a sentence
of its own. statsmodels does the sums; lags of ADF by AIC up to Schwert's rule, of KPSS by Hobijn, Franses and Ooms
(1998).

Left out: breaks in the level, seasonal unit roots, several series.
"""

import math
import warnings
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Shaped

from seqwise.errors import DataError
from seqwise.stats.autocorrelation import acf
from seqwise.stats.phrases import amount, chance, counted, number
from seqwise.stats.results import LEVEL, Estimate, Grid, Test, plain
from seqwise.stats.samples import Row, sample

LONG = 5_000  # values
LEAST = 15  # values: fewer leave the regression of ADF nothing
NOISELESS = 1e6  # sds: what a few lags foretell better than this has no noise to test with
EDGES = (0.01, 0.1)  # of the table of p of KPSS
Verdict = Literal["stationary", "not stationary", "both rejected", "cannot tell"]


@dataclass(frozen=True)
class Stationarity:
    """ADF and KPSS on the same values."""

    name: str
    n: int
    """Values that were tested: the last `LONG` of a longer series, as ADF fits a regression for each lag."""
    of: int
    """Values that there are."""
    trend: bool
    """Whether "stationary" means: around a straight line."""
    adf: Test
    kpss: Test
    level: float

    @property
    def verdict(self) -> Verdict:
        """What the two say together."""
        wanders, keeps = self.adf.p >= 1 - self.level, self.kpss.p >= 1 - self.level
        if keeps:
            return "cannot tell" if wanders else "stationary"
        return "not stationary" if wanders else "both rejected"

    def sentences(self) -> tuple[str, ...]:
        """One, with both tests."""
        line = "a straight line" if self.trend else "a constant level"
        part = f", over the last {self.n:,} of {self.of:,} values," if self.n < self.of else ""
        what = f"{self.name}{part}"
        told = {
            "stationary": f"{what} keeps to {line}: ADF refuses a unit root, KPSS has nothing against the level",
            "not stationary": f"{what} does not keep to {line}: KPSS refuses that, ADF has nothing against a unit root",
            "both rejected": f"{what} neither wanders like a random walk nor keeps to {line}: each test refuses one of "
            "the two, as breaks, trends and long memory make them",
            "cannot tell": f"Cannot tell whether {what} keeps to {line} or wanders: neither test refuses anything",
        }[self.verdict]
        return (f"{told}; {self._size()} ({self._tests()}).",)

    def _size(self) -> str:
        moved, left = self.kpss.effect, self.adf.effect.value
        half = f"{amount(abs(moved.value), moved.unit)} {'above' if moved.value > 0 else 'below'} the first's"
        return (
            f"from one step to the next the correlation is {number(left, 2)}, and the mean of the second half is "
            f"{half if moved.value else 'the first one'}"
        )

    def _tests(self) -> str:
        adf = f"ADF {number(self.adf.statistic, 3)}, {chance(self.adf.p)}"
        kpss = f"KPSS {number(self.kpss.statistic, 3)}, {kpss_chance(self.kpss.p)}"
        return f"{adf}; {kpss}; {counted(self.n, 'value')}"

    def grids(self) -> tuple[Grid, ...]:
        """A row for each test."""
        rows = tuple((test.name, test.null, test.statistic, test.p) for test in (self.adf, self.kpss))
        note = "; ".join((*self.adf.notes, *self.kpss.notes))
        return (Grid(f"stationarity of {self.name}", ("test", "null hypothesis", "statistic", "p"), rows, note),)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {**plain(self), "verdict": self.verdict}


def stationarity(
    values: Shaped[np.ndarray, "N"], trend: bool = False, name: str = "values", unit: str = "", level: float = LEVEL
) -> Stationarity:
    """Both tests.

    trend   whether a straight line is allowed for: keeps to the line, or wanders away from it
    """
    whole = sample(values, name, LEAST, varied=True)
    x = sample(whole[-LONG:], name, LEAST, varied=True)
    return Stationarity(name, len(x), len(whole), trend, adf(x, trend, name), kpss(x, trend, name, unit), level)


def adf(x: Row, trend: bool = False, name: str = "values") -> Test:
    """Augmented Dickey-Fuller; its effect is the correlation of neighbours, near 1 of a unit root."""
    from statsmodels.tsa.stattools import adfuller  # a second, which not everybody should wait for

    n, z = len(x), (x - x.mean()) / x.std()
    steps = np.arange(n) - (n - 1) / 2
    line = z - steps * float(steps @ z) / float(steps @ steps)  # (N,) what a straight line leaves over
    most = min(math.ceil(12 * (n / 100) ** 0.25), n // 5)  # Schwert's (1989), which leaves a short series nothing
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # series without noise make its regressions singular
        found = adfuller(z, most, "ct" if trend else "c", autolag="AIC", result_object=True)
    statistic, p = float(found.statistic), float(found.pvalue)
    if not (abs(statistic) < NOISELESS and 0 <= p <= 1) or float(line.std()) * NOISELESS < 1:
        given = f"changes of {name} that follow from those before without error"
        raise DataError(given, "a series with some noise", "its spectrum, or a formula")
    around = "a straight line" if trend else "a constant"
    return Test(
        name="augmented Dickey-Fuller test",
        null=f"{name} has a unit root: shocks stay for good, also beside {around}",
        symbol="tau",
        statistic=statistic,
        df=(),
        p=p,
        n={name: len(x)},
        effect=Estimate("autocorrelation at lag 1", float(acf(line if trend else z, 1)[1])),
        why="asks whether the series wanders",
        notes=(f"ADF with {counted(int(found.lags), 'lagged change')}",),
    )


def kpss(x: Row, trend: bool = False, name: str = "values", unit: str = "") -> Test:
    """Kwiatkowski, Phillips, Schmidt and Shin; its effect is how far the level moved from one half to the other."""
    from statsmodels.tools.sm_exceptions import InterpolationWarning
    from statsmodels.tsa.stattools import kpss as computed

    z, half = (x - x.mean()) / x.std(), len(x) // 2
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InterpolationWarning)  # told in the notes
        found = computed(z, regression="ct" if trend else "c", nlags="auto", result_object=True)
    p = min(EDGES[1], max(EDGES[0], float(found.pvalue)))
    outside = (f"KPSS {kpss_chance(p)}: its table ends there",) if p in EDGES else ()
    return Test(
        name="KPSS test",
        null=f"{name} keeps to {'a straight line' if trend else 'a constant level'}: shocks fade",
        symbol="eta",
        statistic=float(found.statistic),
        df=(),
        p=p,
        n={name: len(x)},
        effect=Estimate(
            "mean of the second half minus the first's", float(x[half:].mean() - x[:half].mean()), None, unit
        ),
        why="asks whether the level is kept",
        notes=(f"KPSS with {counted(int(found.lags), 'lag')}", *outside),
    )


def kpss_chance(p: float) -> str:
    """The table of its p ends at 1 % and 10 %."""
    return "p < 0.01" if p <= EDGES[0] else "p > 0.1" if p >= EDGES[1] else chance(p)
