"""Pictures of one column: the bell curve over its histogram, its quantiles against normal ones, and PIT values.

bell    counts, the normal curve of the same mean and sd, and what lies within 1, 2 and 3 sd
qq      what the values are against what they would be, were they normal (Wilk and Gnanadesikan 1968)
pit     where the truth lay in the forecast distributions; flat if these are calibrated (Dawid 1984)
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Num
from scipy import special

from seqwise.errors import DataError
from seqwise.reports.drawing import (
    BLUE,
    GREEN,
    INK,
    ORANGE,
    Picture,
    draw,
    finite,
    label,
    measured,
    patch,
    thinned,
    together,
    told,
    whole,
)
from seqwise.stats.phrases import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# N values, B bars of a histogram

BARS = (6, 60)  # fewest and most of a histogram
SHADES = ((3, 0.07), (2, 0.10), (1, 0.14))  # sd to either side and how dark, the widest first
WITHIN = tuple(float(special.erf(k / 2**0.5)) for k in (1, 2, 3))  # 0.6827, 0.9545, 0.9973


def bell(values: Num[np.ndarray, "N"], name: str = "values", unit: str = "", *, mean: float | None = None,
         sd: float | None = None, limits: Mapping[str, float] | None = None) -> Picture:  # fmt: skip
    """The histogram of all values, the normal curve of the same mean and sd, and the bands of 68, 95 and 99.7 %.

    `limits`: what is allowed, by name.
    """
    kept = finite(values, name)
    mean = float(kept.mean()) if mean is None else mean
    sd = float(kept.std(ddof=1)) if sd is None and len(kept) > 1 else (sd or 0.0)
    counts, edges = np.histogram(kept, bars_of(kept))
    inside = tuple(float((abs(kept - mean) <= k * sd).mean()) for k in (1, 2, 3))
    if kept.min() == kept.max():
        title = f"All {len(kept):,} values of {label(name)} are {measured(float(kept[0]), unit)}."
    else:
        title = f"{100 * inside[0]:.1f} % of {label(name)} lie within one sd of the mean; 68.3 % would, if normal."
    return bell_of(counts, edges, mean, sd, name, unit, title=title, inside=inside, limits=limits)


def bell_of(counts: Num[np.ndarray, "B"], edges: Float[np.ndarray, "B1"], mean: float, sd: float, name: str = "values",
            unit: str = "", *, title: str = "", note: str = "", inside: Sequence[float] = (),
            limits: Mapping[str, float] | None = None) -> Picture:  # fmt: skip
    """The same where only counts are known, of values that fit no memory. `inside`: shares within 1, 2 and 3 sd."""
    n = int(counts.sum())
    title = title or f"{label(name)}: {n:,} values, mean {measured(mean, unit)}, sd {measured(sd, unit)}."
    alt = (
        f"Histogram of {n:,} values of {label(name)} from {measured(float(edges[0]), unit)} to "
        f"{measured(float(edges[-1]), unit)}, with the normal curve of mean {measured(mean, unit)} and sd "
        f"{measured(sd, unit)}."
    )

    def paint(axes: Sequence["Axes"]) -> None:
        panel = axes[0]
        handles: list[Any] = [panel.stairs(counts, edges, fill=True, color=BLUE, alpha=0.55, label=f"{n:,} values")]
        if sd > 0:
            for k, alpha in SHADES:
                panel.axvspan(mean - k * sd, mean + k * sd, color=ORANGE, alpha=alpha, lw=0, zorder=0)
                layers = [dark for wide, dark in SHADES if wide >= k]
                found = f"{100 * inside[k - 1]:.4g} %, " if inside else ""
                handles.append(patch(ORANGE, layers, f"± {k} sd: {found}normal {100 * WITHIN[k - 1]:.4g} %"))
            # counts as the curve would have them, bar by bar of the same width
            x = np.linspace(mean - 4 * sd, mean + 4 * sd, 240)
            width = (edges[-1] - edges[0]) / len(counts)
            curve = n * width / (sd * (2 * np.pi) ** 0.5) * np.exp(-0.5 * ((x - mean) / sd) ** 2)
            handles += panel.plot(x, curve, color=ORANGE, label="normal curve")
            room = 0.5 * sd
            panel.set_xlim(min(float(edges[0]), mean - 3 * sd) - room, max(float(edges[-1]), mean + 3 * sd) + room)
        for limit, at in (limits or {}).items():
            handles.append(panel.axvline(at, color=GREEN, ls="--", label=f"{limit} {number(at)}"))
            low, high = panel.get_xlim()
            room = 0.03 * (high - low)
            panel.set_xlim(min(low, at - room), max(high, at + room))
        panel.set_xlabel(label(name, unit))
        panel.set_ylabel("values")
        whole(panel)
        panel.legend(handles=handles, loc="center left", bbox_to_anchor=(1.0, 0.5))

    return draw(title, alt, paint, note=note)


def bars_of(values: Float[np.ndarray, "N"]) -> int:
    """How many bars: Freedman and Diaconis 1981, within bounds that an outlier cannot break."""
    quarter, rest = np.quantile(values, [0.25, 0.75])
    spread = float(values.max() - values.min())
    width = 2 * float(rest - quarter) / len(values) ** (1 / 3)
    if width <= 0 or spread <= 0:
        return BARS[0] if spread <= 0 else BARS[1] // 2
    return int(np.clip(np.ceil(spread / width), *BARS))


def qq(values: Num[np.ndarray, "N"], name: str = "values", unit: str = "", *, correlation: float | None = None,
       bands: bool = True) -> Picture:  # fmt: skip
    """Each value against the one a normal sample would have at its rank, with the band of 95 % point by point."""
    kept = np.sort(finite(values, name))
    n = len(kept)
    if n < 3 or kept[0] == kept[-1]:
        given = f"{n:,} values of {label(name)}" + (", all equal" if n >= 3 else "")
        raise DataError(given, "three numbers that differ", "another column")
    chosen = thinned(n)
    rank = chosen + 1.0
    mean, sd = float(kept.mean()), float(kept.std(ddof=1))
    theory = special.ndtri((rank - 0.375) / (n + 0.25))  # Blom 1958
    low, high = (mean + sd * special.ndtri(special.betaincinv(rank, n + 1 - rank, q)) for q in (0.025, 0.975))
    shown = kept[chosen]
    outside = int(((shown < low) | (shown > high)).sum())
    title = f"{outside:,} of {len(shown):,} points of {label(name)} lie outside the band that holds 95 % if normal."
    tail = f", correlation {number(correlation)}" if correlation is not None else ""
    alt = f"Ordered values of {label(name)} against normal quantiles{tail}; the line is mean plus z times sd."

    def paint(axes: Sequence["Axes"]) -> None:
        panel = axes[0]
        if bands:
            panel.fill_between(theory, low, high, color=GREEN, alpha=0.2, lw=0, label="95 % of each point, if normal")
        panel.plot(theory, mean + sd * theory, color=ORANGE, label="normal with the same mean and sd")
        panel.plot(theory, shown, "o", color=BLUE, ms=3, alpha=0.7, label="values")
        panel.set_xlabel("z of the rank")
        panel.set_ylabel(label(name, unit))
        panel.legend(loc="upper left")

    return draw(title, alt, paint, note=together(told(n, len(shown)), "Below the line: smaller than normal."))


def pit(values: Num[np.ndarray, "N"], bars: int = 10) -> Picture:
    """Where the truth lay in each forecast distribution, 0 to 1. Hollow: too wide; heaped at the ends: too narrow."""
    from scipy.stats import binom

    kept = finite(values, "PIT values")
    if kept.min() < 0 or kept.max() > 1:
        raise DataError(
            f"PIT values from {number(kept.min())} to {number(kept.max())}",
            "values from 0 to 1",
            "the cdf at the truth",
        )
    n = len(kept)
    counts, edges = np.histogram(kept, bars, range=(0, 1))
    low, high = (float(binom.ppf(q, n, 1 / bars)) for q in (0.025, 0.975))
    outside = int(((counts < low) | (counts > high)).sum())
    title = f"{outside} of {bars} bars leave the band that holds 95 % of each bar if forecasts are calibrated."
    alt = f"Histogram of {n:,} PIT values: {', '.join(map(str, counts))}; {n / bars:.4g} expected in each bar."

    def paint(axes: Sequence["Axes"]) -> None:
        panel = axes[0]
        panel.stairs(counts, edges, fill=True, color=BLUE, alpha=0.55, label=f"{n:,} forecasts")
        panel.axhspan(low, high, color=GREEN, alpha=0.2, lw=0, label="95 % of each bar, if calibrated")
        panel.axhline(n / bars, color=INK, lw=1, ls="--", label="expected")
        panel.set_xlim(0, 1)
        panel.set_ylim(0, 1.05 * max(float(counts.max()), high))
        panel.set_xlabel("forecast probability of less than the truth")
        panel.set_ylabel("forecasts")
        whole(panel)
        panel.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))

    return draw(title, alt, paint)
