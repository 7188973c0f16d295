"""Pictures along time: control charts, series taken apart, forecasts.

    control_chart    points, the centre line, limits, and the signals marked
    series           values with trend; season; remainder; what values remember (acf); which periods they have
    fan              what was, and what is forecast, with the bands of 68, 95 and 99.7 %

Long series are drawn by the least and the largest value of each stretch, so that no peak is lost.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int, Num, Shaped

from seqwise.errors import DataError
from seqwise.reports.drawing import BLUE, GREEN, INK, ORANGE, Picture, draw, label, measured, patch, plainly
from seqwise.stats.phrases import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# T points of time, H steps ahead

Times = Shaped[np.ndarray, "T"]
"""datetime64, or numbers."""
NAMED = 30  # points whose names stand below a control chart
STRETCHES = 600  # of a long series, two points each
BANDS = ((3, 0.9973, 0.12), (2, 0.9545, 0.16), (1, 0.6827, 0.22))  # sd, share and how dark; the widest first


def outline(values: Num[np.ndarray, "T"], stretches: int = STRETCHES) -> Int[np.ndarray, "K"]:
    """Which points draw the same line: of each stretch the least and the largest, and both ends; in order."""
    n = len(values)
    if n <= 2 * stretches:
        return np.arange(n)
    bounds = np.linspace(0, n, stretches + 1).astype(int)
    filled = np.where(np.isfinite(values), values, np.nanmedian(values))
    chosen = {0, n - 1}
    for start, end in pairwise(bounds):
        chosen |= {start + int(filled[start:end].argmin()), start + int(filled[start:end].argmax())}
    return np.array(sorted(chosen))


def control_chart(
    values: Num[np.ndarray, "T"],
    center: float | Num[np.ndarray, "T"],
    lower: float | Num[np.ndarray, "T"],
    upper: float | Num[np.ndarray, "T"],
    signals: Sequence[int] = (),
    name: str = "values",
    unit: str = "",
    across: str = "item",
    labels: Sequence[str] = (),
) -> Picture:
    """Points in order, the limits of what a process in control does, and what signals marked.

    labels   of the points; numbers from 1 unless given
    """
    n = len(values)
    named = tuple(labels) or tuple(str(at + 1) for at in range(n))
    numbered = all(one.isdecimal() for one in named)
    if not n:
        raise DataError("no point", "one or more points in their order", "another column")
    middle, low, high = (np.broadcast_to(np.asarray(line, dtype=np.float64), (n,)) for line in (center, lower, upper))
    marked = np.array(sorted(set(signals)), dtype=int)
    shown = np.union1d(outline(values), marked)
    title = f"{len(marked):,} of {n:,} points of {label(name)} signal that the process changed."
    if not len(marked):
        title = f"None of {n:,} points of {label(name)} signals that the process changed."
    where = ", ".join(label(named[at]) for at in marked[:20]) or "none"
    alt = (
        f"{label(name)} in order, centre {measured(float(middle[-1]), unit)}, limits {measured(float(low[-1]), unit)} "
        f"and {measured(float(high[-1]), unit)}. Signals at {where}"
        f"{' and more' if len(marked) > 20 else ''}."
    )

    def paint(axes: Sequence["Axes"]) -> None:
        panel, x = axes[0], np.array(named, dtype=np.float64) if numbered else np.arange(1.0, n + 1)
        panel.plot(x[shown], np.asarray(values)[shown], color=BLUE, lw=1, marker="o" if n <= 200 else "", ms=3)
        for line, style, told in ((middle, "-", "centre"), (low, "--", "limits"), (high, "--", "")):
            panel.step(x, line, style, where="mid", color=GREEN, lw=1.2, label=told or "_nolegend_")
        if len(marked):
            panel.plot(
                x[marked], np.asarray(values)[marked], "s", color=ORANGE, ms=6, mfc="none", mew=1.5, label="signal"
            )
        if not numbered:
            every = x[:: -(-n // NAMED)]
            panel.set_xticks(every, [label(named[int(at) - 1], longest=14) for at in every], rotation=45, ha="right")
        panel.set(xlabel=label(across), ylabel=label(name, unit))
        panel.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))

    return draw(title, alt, paint, size=(7.6, 3.4))


def series(
    values: Num[np.ndarray, "T"],
    times: Times | None = None,
    *,
    trend: Num[np.ndarray, "T"] | None = None,
    season: Num[np.ndarray, "T"] | None = None,
    remainder: Num[np.ndarray, "T"] | None = None,
    acf: Num[np.ndarray, "K"] | None = None,
    bound: float | None = None,
    spectrum: tuple[Num[np.ndarray, "F"], Num[np.ndarray, "F"]] | None = None,
    name: str = "values",
    unit: str = "",
) -> Picture:
    """A series and what it is made of; `acf` from lag 1 on, `spectrum` as periods and their power."""
    n = len(values)
    if not n:
        raise DataError("no point", "a series", "another column")
    x = np.arange(n) if times is None else times
    rows: list[tuple[str, str]] = [("values", label(name, unit))]
    rows += [("season", "season")] * (season is not None) + [("remainder", "remainder")] * (remainder is not None)
    rows += [("acf", "correlation")] * (acf is not None) + [("spectrum", "power")] * (spectrum is not None)
    kept = np.asarray(values, dtype=np.float64)
    first, last = measured(float(kept[0]), unit), measured(float(kept[-1]), unit)
    title = f"{label(name)} runs from {first} to {last} over {n:,} points."
    alt = f"{label(name)} over time; below it: {', '.join(kind for kind, _ in rows[1:]) or 'nothing'}."

    def paint(axes: Sequence["Axes"]) -> None:
        for panel, (kind, up) in zip(axes, rows, strict=True):
            panel.set_ylabel(up)
            if kind == "acf" and acf is not None:
                _memory(panel, acf, bound)
            elif kind == "spectrum" and spectrum is not None:
                panel.semilogx(*spectrum, color=BLUE, lw=1)
                plainly(panel)
                panel.set_xlabel("period, in steps")
            else:
                line = {"values": kept, "season": season, "remainder": remainder}[kind]
                _line(panel, x, np.asarray(line, dtype=np.float64), BLUE, kind)
        if trend is not None:
            _line(axes[0], x, np.asarray(trend, dtype=np.float64), ORANGE, "trend")
            axes[0].legend(loc="best")

    return draw(title, alt, paint, rows=len(rows), size=(7.6, 1.2 + 1.5 * len(rows)))


def _memory(panel: "Axes", acf: Num[np.ndarray, "K"], bound: float | None) -> None:
    """Bars of correlation by lag, and what white noise would show."""
    lags = np.arange(1, len(acf) + 1)
    panel.vlines(lags, 0, acf, color=BLUE, lw=2 if len(acf) < 60 else 1)
    panel.axhline(0, color=INK, lw=0.8)
    if bound is not None:
        panel.axhspan(-bound, bound, color=GREEN, alpha=0.2, lw=0, label="95 % of each, if there is no memory")
        panel.legend(loc="lower right", bbox_to_anchor=(1.0, 0.98))  # above, where no bar is
    panel.set_xlabel("lag, in steps")


def _line(panel: "Axes", x: Times, y: Float[np.ndarray, "T"], colour: str, name: str) -> None:
    shown = outline(y)
    _dated(panel, x)
    panel.plot(x[shown], y[shown], color=colour, lw=1 if name != "trend" else 1.8, label=name)


def _dated(panel: "Axes", x: Times) -> None:
    """Dates as short as they can be told."""
    if np.issubdtype(x.dtype, np.datetime64):
        from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

        found = AutoDateLocator()  # type: ignore[no-untyped-call]
        panel.xaxis.set_major_locator(found)
        panel.xaxis.set_major_formatter(ConciseDateFormatter(found))  # type: ignore[no-untyped-call]


def fan(
    times: Times,
    values: Num[np.ndarray, "T"],
    ahead: Shaped[np.ndarray, "H"],
    mean: Num[np.ndarray, "H"],
    sd: Num[np.ndarray, "H"] | None = None,
    *,
    bands: Sequence[tuple[Num[np.ndarray, "H"], Num[np.ndarray, "H"]]] | None = None,
    truth: Num[np.ndarray, "H"] | None = None,
    name: str = "values",
    unit: str = "",
) -> Picture:
    """What was and what is forecast. `bands`: low and high of 68, 95 and 99.7 %; else mean and sd make them, and
    without either there are none."""
    if not len(ahead) or len(mean) != len(ahead):
        raise DataError(f"{len(mean)} forecasts of {len(ahead)} times", "as many, one or more", "other arrays")
    if bands is None:
        bands = () if sd is None else [(mean - k * sd, mean + k * sd) for k in (1, 2, 3)]
    wide = tuple(bands)
    steps = f"{len(ahead):,} step{'s' * (len(ahead) > 1)}"
    title = f"{label(name)} is forecast at {measured(float(mean[-1]), unit)} after {steps}"
    alt = f"{len(values):,} past values of {label(name)}, then {len(ahead):,} forecasts"
    if wide:
        title += f", between {number(float(wide[1][0][-1]))} and {measured(float(wide[1][1][-1]), unit)} with 95 %"
        alt += " with bands of 68, 95 and 99.7 %"

    def paint(axes: Sequence["Axes"]) -> None:
        panel = axes[0]
        _dated(panel, ahead)
        handles: list[Any] = []
        for (low, high), (k, share, alpha) in zip(reversed(wide), BANDS, strict=False):
            if len(ahead) == 1:
                panel.vlines(ahead, low, high, color=ORANGE, alpha=alpha, lw=8)
            else:
                panel.fill_between(ahead, low, high, color=ORANGE, alpha=alpha, lw=0)
            layers = [dark for sds, _, dark in BANDS if sds >= k]
            handles.append(patch(ORANGE, layers, f"{100 * share:.4g} %"))
        if len(values):
            shown = outline(np.asarray(values, dtype=np.float64))
            handles += panel.plot(times[shown], np.asarray(values)[shown], color=BLUE, label="past")
        dots = "o" if len(ahead) <= 30 else ""
        handles += panel.plot(ahead, mean, color=ORANGE, marker=dots, ms=3, label="forecast mean")
        if truth is not None:
            handles += panel.plot(ahead, truth, "x", color=INK, ms=4, label="what came")
        panel.set_ylabel(label(name, unit))
        panel.legend(handles=handles, loc="center left", bbox_to_anchor=(1.0, 0.5))

    return draw(title + ".", alt + ".", paint)
