"""What a regression takes for granted, looked up in what it leaves over.

    straight        Ramsey's RESET (1969): do squares and cubes of the fitted values explain more?
    normal          shape of the residuals
    even scatter    Breusch and Pagan (1979) as Koenker made it hold without normal residuals, and White (1980) of the
                    fitted values and their squares
    no one row      leverage and Cook's distance (1977), by number of the row
    told apart      variance inflation: how many times wider an interval is for columns that go together
    independent     Durbin and Watson (1951), which means something only where rows stand in order of time

The arrays that pictures of residuals are drawn of stay with the result.
"""

from collections.abc import Collection
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy.special import chdtrc, fdtrc

from seqwise.stats.assumptions import DOUBT, normal_residuals
from seqwise.stats.design import Design
from seqwise.stats.leastsquares import Fit
from seqwise.stats.phrases import chance, number
from seqwise.stats.results import Assumption, Cell, Grid, plain

# N rows, P columns, K coefficients

WORST = 5  # rows that are told
DECIDES = 1.0  # Cook's distance from which a row moves the coefficients to the edge of what is sure about them
ALIKE = 10.0  # variance inflation from which columns are hard to tell apart
WHOLE = 1 - 1e-10  # leverage of a row that alone decides its fitted value


@dataclass(frozen=True)
class Row:
    """A row that stands out."""

    row: int
    """In the table that was given, from 1."""
    leverage: float
    studentized: float
    """Residual in its own sd, measured without this row."""
    cook: float


@dataclass(frozen=True, eq=False)
class Diagnostics:
    """How well the model fits what it takes for granted."""

    straight: Assumption
    normal: Assumption
    scatter: Assumption
    rows: Assumption
    apart: Assumption
    independent: Assumption
    breusch_pagan: float
    """p; rows scatter alike whatever the columns say."""
    white: float
    """p; rows scatter alike whatever the fitted value is."""
    durbin_watson: float
    inflation: tuple[tuple[str, float], ...]
    worst: tuple[Row, ...]
    places: Int[np.ndarray, "N"]
    """Of the rows in the table that was given, from 0."""
    fitted: Float[np.ndarray, "N"]
    residuals: Float[np.ndarray, "N"]
    leverage: Float[np.ndarray, "N"]
    studentized: Float[np.ndarray, "N"]

    @property
    def assumptions(self) -> tuple[Assumption, ...]:
        """All of them."""
        return self.straight, self.normal, self.scatter, self.rows, self.apart, self.independent

    def grids(self) -> tuple[Grid, ...]:
        """Rows that stand out, and columns that go together."""
        columns = ("row", "leverage", "studentized residual", "Cook's distance")
        rows: tuple[tuple[Cell, ...], ...] = tuple(
            (one.row, one.leverage, one.studentized, one.cook) for one in self.worst
        )
        shown: tuple[Grid, ...] = (Grid("Rows that move the fit most", columns, rows),) if rows else ()
        if len(self.inflation) > 1:
            shown += (Grid("Columns that go together", ("column", "variance inflation"), self.inflation),)
        return shown

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON, without what each row has."""
        kept = [field.name for field in fields(self) if not isinstance(getattr(self, field.name), np.ndarray)]
        return {name: plain(getattr(self, name)) for name in kept}


def diagnose(fit: Fit, data: Design, multiplied: Collection[str] = ()) -> Diagnostics | None:
    """Look at the residuals; None where there are none, as the fit is exact. `multiplied`: products and their parts."""
    if fit.squares == 0:
        return None
    n, k = fit.basis.shape
    room = np.maximum(1 - fit.leverage, 1 - WHOLE)  # of each residual
    variance = fit.squares / fit.df
    inner = fit.residuals**2 / (variance * room)  # internally studentized, squared
    without = np.maximum(fit.df - inner, 1e-12) / max(1, fit.df - 1)
    studentized = np.sign(fit.residuals) * np.sqrt(inner / without)
    cook = inner * fit.leverage / room / k
    cook[fit.leverage >= WHOLE] = np.inf
    breusch, white = _scatter(fit, data)
    steps = float((np.diff(fit.residuals) ** 2).sum()) / fit.squares
    inflation = _inflation(fit, data)
    worst = tuple(
        Row(int(data.rows[place]) + 1, float(fit.leverage[place]), float(studentized[place]), float(cook[place]))
        for place in np.argsort(-cook, kind="stable")[:WORST]
    )
    return Diagnostics(
        straight=_straight(fit),
        normal=normal_residuals(fit.residuals),
        scatter=_even(breusch, white, n),
        rows=_alone(worst[0]),
        apart=_apart(tuple(one for one in inflation if one[0] not in multiplied), bool(multiplied)),
        independent=_order(steps),
        breusch_pagan=breusch,
        white=white,
        durbin_watson=steps,
        inflation=inflation,
        worst=worst,
        places=data.rows,
        fitted=fit.fitted,
        residuals=fit.residuals,
        leverage=fit.leverage,
        studentized=studentized,
    )


def _share(target: Float[np.ndarray, "N"], columns: Float[np.ndarray, "N M"]) -> tuple[float, int]:
    """R squared of a target by columns and an intercept, and how many columns counted."""
    near = columns - columns.mean(axis=0)
    sizes = np.sqrt((near**2).sum(axis=0))
    near = near[:, sizes > 0] / sizes[sizes > 0]
    about = target - target.mean()
    total = float((about**2).sum())
    if not near.shape[1] or total <= 0:
        return 0.0, 0
    u, values, _ = np.linalg.svd(near, full_matrices=False)
    kept = u[:, values > 1e-8 * values[0]]
    return float(((kept.T @ about) ** 2).sum()) / total, kept.shape[1]


def _scatter(fit: Fit, data: Design) -> tuple[float, float]:
    """p of Breusch-Pagan (Koenker) and of White by the fitted values."""
    n, squares = len(fit.residuals), fit.residuals**2
    found = []
    for columns in (data.x, np.stack([fit.fitted, (fit.fitted - fit.fitted.mean()) ** 2], axis=1)):
        share, df = _share(squares, columns)
        found.append(float(chdtrc(df, n * share)) if df else 1.0)
    return found[0], found[1]


def _even(breusch: float, white: float, n: int) -> Assumption:
    told = f"Breusch-Pagan {chance(breusch)}, White {chance(white)}, {n:,} rows"
    if min(breusch, white) >= DOUBT:
        return Assumption("even scatter", True, f"No sign that some rows scatter more than others ({told}).")
    mend = "HC3 errors hold all the same"
    return Assumption("even scatter", False, f"Some rows scatter more than others ({told}); {mend}.")


def _straight(fit: Fit) -> Assumption:
    name = "straight lines"
    n, k = fit.basis.shape
    z = fit.fitted - fit.fitted.mean()
    size = float(np.abs(z).max())
    if size == 0:
        return Assumption(name, None, "Fitted values do not vary: nothing to see of a bend.")
    powers = np.stack([(z / size) ** 2, (z / size) ** 3], axis=1)
    powers -= fit.basis @ (fit.basis.T @ powers)
    u, values, _ = np.linalg.svd(powers, full_matrices=False)
    kept = u[:, values > 1e-8 * n**0.5]
    more, df = kept.shape[1], n - k - kept.shape[1]
    gained = float(((kept.T @ fit.residuals) ** 2).sum())
    if not more or df < 1 or fit.squares - gained <= 0:
        return Assumption(name, None, "Too few different fitted values, or rows, to tell a bend from a straight line.")
    f = gained / more / ((fit.squares - gained) / df)
    p = float(fdtrc(more, df, f))
    told = f"RESET F({more}, {df}) = {number(f)}, {chance(p)}"
    if p >= DOUBT:
        return Assumption(name, True, f"No sign of a bend ({told}).")
    share = 100 * gained / fit.squares
    bend = f"squares and cubes of the fitted values take {number(share, 2)} % more off the residuals' squares"
    return Assumption(name, False, f"The relation bends: {bend} ({told}); try logarithms or squares of the columns.")


def _alone(worst: Row) -> Assumption:
    name, told = "no row decides alone", f"row {worst.row:,}: Cook's distance {number(worst.cook, 3)}"
    if worst.leverage >= WHOLE:
        return Assumption(name, False, f"Row {worst.row:,} alone decides a coefficient: nothing else can correct it.")
    if worst.cook < DECIDES:
        return Assumption(name, True, f"No single row moves the fit by much (most of all {told}).")
    return Assumption(
        name, False, f"A single row moves the fit by much ({told}, leverage {number(worst.leverage, 2)})."
    )


def _inflation(fit: Fit, data: Design) -> tuple[tuple[str, float], ...]:
    if not data.intercept:
        return ()
    own = ((data.x - data.x.mean(axis=0)) ** 2).sum(axis=0)  # (P,)
    spread = (fit.back[1:] ** 2).sum(axis=1)  # (P,) variance of a coefficient, in units of the residuals'
    return tuple((name, float(value)) for name, value in zip(data.names, own * spread, strict=True))


def _apart(inflation: tuple[tuple[str, float], ...], multiplied: bool) -> Assumption:
    name = "columns told apart"
    if multiplied and not inflation:
        told = "Products go together with their columns by what they are: taking means off changes that, not the fit."
        return Assumption(name, None, told)
    if len(inflation) < 2 and not multiplied:
        return Assumption(
            name, None if not inflation else True, "A single column, or no intercept: nothing to compare."
        )
    worst, value = max(inflation, key=lambda one: one[1])
    told = f"variance inflation of {worst} {number(value, 3)}"
    if value < ALIKE:
        return Assumption(name, True, f"Columns can be told apart ({told} at most).")
    wider = number(value**0.5, 2)
    return Assumption(name, False, f"Columns go together: {told}, its interval is {wider} times as wide as if alone.")


def _order(watson: float) -> Assumption:
    told = f"Durbin-Watson {number(watson, 3)} in the order of the rows; 2 where neighbours have nothing in common"
    return Assumption("independent rows", None, f"{told}, which tells something only if rows stand in order of time.")
