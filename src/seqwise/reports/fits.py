"""Pictures of a fit: what it leaves over, and one value against another.

residuals    against the fitted values, against normal quantiles, against leverage
curve        lines over a common axis, each with its band where it has one
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Num
from scipy import special

from seqwise.errors import DataError
from seqwise.reports.drawing import BLUE, GREEN, INK, ORANGE, Picture, draw, label, measured, plainly, thinned, told

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# N items, P points of a curve

COLOURS, DASHES = (BLUE, ORANGE, GREEN, INK), ("-", "--", "-.", ":")
PARTS = 10  # of the fitted values, of which medians are taken


def residuals(
    fitted: Num[np.ndarray, "N"],
    residual: Num[np.ndarray, "N"],
    leverage: Num[np.ndarray, "N"] | None = None,
    name: str = "values",
    unit: str = "",
) -> Picture:
    """Three looks at what a fit leaves over: its shape, its distribution, and which items pull."""
    n = len(residual)
    if n < 3 or len(fitted) != n or not np.isfinite([fitted, residual]).all():
        given = f"{n:,} residuals of {len(fitted):,} fitted values"
        raise DataError(given, "three or more, as many of each, all finite", "the residuals of a fit")
    chosen = thinned(n)
    sd = float(np.std(residual, ddof=1)) or 1.0
    largest = float(np.abs(residual).max())
    middle, most = measured(float(np.median(np.abs(residual))), unit), measured(largest, unit)
    title = f"The fit of {label(name)} misses by {middle} at the median, by {most} at most."
    alt = f"Residuals of {n:,} items against fitted values, against normal quantiles" + (
        ", against leverage." if leverage is not None else "."
    )

    def paint(axes: Sequence["Axes"]) -> None:
        panel = axes[0]
        panel.plot(fitted[chosen], residual[chosen], "o", color=BLUE, ms=2.5, alpha=0.6, mew=0)
        panel.axhline(0, color=INK, lw=1, ls="--")
        middles = medians(fitted, residual)
        panel.plot(*middles, color=ORANGE, label="medians")
        panel.legend(loc="best")
        panel.set(xlabel=label(f"fitted {name}", unit, 28), ylabel=label("residual", unit), title="Shape")
        ordered = np.sort(residual)[chosen] / sd
        z = special.ndtri((chosen + 0.625) / (n + 0.25))
        axes[1].plot(z, z + float(np.mean(residual)) / sd, color=ORANGE)
        axes[1].plot(z, ordered, "o", color=BLUE, ms=2.5, alpha=0.6, mew=0)
        axes[1].set(xlabel="z of the rank", ylabel="residual in sd", title="Distribution")
        if leverage is not None:
            axes[2].plot(leverage[chosen], residual[chosen] / sd, "o", color=BLUE, ms=2.5, alpha=0.6, mew=0)
            axes[2].axhline(0, color=INK, lw=1, ls="--")
            axes[2].set(xlabel="leverage", ylabel="residual in sd", title="Pull")

    size = (7.6, 3.2) if leverage is not None else (7.6, 3.6)
    return draw(title, alt, paint, columns=2 + (leverage is not None), size=size, note=told(n, len(chosen)))


def medians(
    fitted: Num[np.ndarray, "N"], residual: Num[np.ndarray, "N"]
) -> tuple[Float[np.ndarray, "K"], Float[np.ndarray, "K"]]:
    """The middle residual of each tenth of the fitted values; a bend shows a shape that the fit lacks."""
    order = np.argsort(fitted, kind="stable")
    parts = [part for part in np.array_split(order, min(PARTS, max(1, len(order) // 5))) if len(part)]
    return (
        np.array([np.median(fitted[part]) for part in parts], dtype=np.float64),
        np.array([np.median(residual[part]) for part in parts], dtype=np.float64),
    )


def curve(
    x: Num[np.ndarray, "P"],
    lines: Mapping[str, Num[np.ndarray, "P"]],
    title: str,
    *,
    across: str = "",
    up: str = "",
    bands: Mapping[str, tuple[Num[np.ndarray, "P"], Num[np.ndarray, "P"]]] | None = None,
    log: bool = False,
) -> Picture:
    """Lines over a common axis; `title` is the sentence that tells what they show."""
    if not lines or len(x) < 1 or any(len(y) != len(x) for y in lines.values()):
        raise DataError(f"{len(lines)} lines over {len(x)} points", "lines with a value at each point", "other arrays")
    alt = f"{label(up) or 'Values'} against {label(across) or 'x'}: " + "; ".join(
        f"{label(name)} from {measured(float(y[0]))} to {measured(float(y[-1]))}" for name, y in lines.items()
    )

    def paint(axes: Sequence["Axes"]) -> None:
        panel = axes[0]
        for order, (name, y) in enumerate(lines.items()):
            colour, dash = COLOURS[order % len(COLOURS)], DASHES[order // len(COLOURS) % len(DASHES)]
            if bands and name in bands:
                panel.fill_between(x, *bands[name], color=colour, alpha=0.15, lw=0)
            panel.plot(x, y, dash, color=colour, label=label(name), marker="o" if len(x) <= 30 else "", ms=3)
        if log:
            panel.set_xscale("log")
            plainly(panel)
        panel.set(xlabel=label(across), ylabel=label(up))
        panel.legend(loc="best")

    return draw(title, alt + ".", paint)
