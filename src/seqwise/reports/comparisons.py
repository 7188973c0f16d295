"""Pictures of several groups or values: boxes with every value and means, and estimates with their intervals.

groups    box and strip of each group, and its mean with the interval
forest    estimates with intervals, against a line and, where one is given, a margin
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Num
from scipy import special

from seqwise.errors import DataError
from seqwise.reports.drawing import (
    BLUE,
    GREEN,
    INK,
    ORANGE,
    SEED,
    Picture,
    draw,
    finite,
    label,
    measured,
    thinned,
    together,
)
from seqwise.stats.results import LEVEL, Estimate, Interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST = 30  # groups, or estimates, in one picture
STRIP = 400  # points drawn of one group


def groups(values: Mapping[str, Num[np.ndarray, "N"]], name: str = "values", unit: str = "",
           intervals: Mapping[str, Interval] | None = None) -> Picture:  # fmt: skip
    """A box and all values of each group, with its mean; where no intervals are given, Student's t of each group."""
    if not values:
        raise DataError("no group", "one or more groups of numbers", "another column to group by")
    kept = {group: finite(given, group) for group, given in list(values.items())[:MOST]}
    means = {group: float(given.mean()) for group, given in kept.items()}
    lowest, highest = min(means, key=means.__getitem__), max(means, key=means.__getitem__)
    title = f"Mean {label(name)} is {measured(means[lowest], unit)} in {label(lowest)}"
    if lowest != highest:
        title += f" and {measured(means[highest], unit)} in {label(highest)}"
    alt = f"Box and strip of {label(name)} by group: " + "; ".join(
        f"{label(group)}, n {len(given):,}, mean {measured(means[group], unit)}" for group, given in kept.items()
    )
    drawn = {group: given[thinned(len(given), STRIP)] for group, given in kept.items()}
    note = together(
        "Box: middle half and median; whiskers to 1.5 times its width; diamond: mean with its interval.",
        f"Of the larger groups {STRIP} points are drawn, chosen by chance." if _fewer(drawn, kept) else "",
        f"{MOST} of {len(values):,} groups are drawn." if len(values) > MOST else "",
    )

    def paint(axes: Sequence["Axes"]) -> None:
        panel, chance = axes[0], np.random.default_rng(SEED)
        places = np.arange(len(kept), 0, -1)  # the first on top
        for place, (group, given) in zip(places, kept.items(), strict=True):
            height = place + 0.12 + 0.22 * chance.random(len(drawn[group]))
            panel.plot(drawn[group], height, "o", color=BLUE, ms=2.5, alpha=0.45, mew=0)
            found = intervals.get(group) if intervals else _interval(given)
            if found is not None:
                panel.plot([found.low, found.high], [place - 0.25] * 2, color=ORANGE, lw=2)
            panel.plot([means[group]], [place - 0.25], "D", color=ORANGE, ms=5)
        panel.boxplot(list(kept.values()), positions=places, orientation="horizontal", widths=0.16, showfliers=False,
                      manage_ticks=False, medianprops={"color": INK}, boxprops={"color": INK},
                      whiskerprops={"color": INK}, capprops={"color": INK})  # fmt: skip
        panel.set_yticks(places, [f"{label(group, longest=24)}\nn = {len(given):,}" for group, given in kept.items()])
        panel.set_ylim(0.4, len(kept) + 0.6)
        panel.grid(axis="y", visible=False)
        panel.set_xlabel(label(name, unit))

    return draw(title + ".", alt + ".", paint, size=(7.6, 1.6 + 0.62 * len(kept)), note=note)


def _fewer(drawn: Mapping[str, Num[np.ndarray, "..."]], kept: Mapping[str, Num[np.ndarray, "..."]]) -> bool:
    return any(len(drawn[group]) < len(kept[group]) for group in kept)


def _interval(values: Num[np.ndarray, "N"]) -> Interval | None:
    """Of the mean; one value has none."""
    n = len(values)
    if n < 2:
        return None
    half = float(special.stdtrit(n - 1, (1 + LEVEL) / 2)) * float(values.std(ddof=1)) / n**0.5
    return Interval(float(values.mean()) - half, float(values.mean()) + half)


def forest(estimates: Sequence[Estimate], title: str = "", *, margin: float | None = None, zero: float | None = 0.0,
           axis: str = "") -> Picture:  # fmt: skip
    """Estimates one below the other. `margin`: what is too small to matter, to either side of `zero`."""
    shown = [one for one in estimates if np.isfinite(one.value)][:MOST]
    if not shown:
        raise DataError("no estimate", "one or more finite estimates", "leaving the picture out")
    within = [one for one in shown if one.interval is not None]
    if not title and zero is not None:
        apart = sum(zero not in one.interval for one in within if one.interval is not None)
        title = f"{apart} of {len(within)} intervals leave out {measured(zero)}."
    title = title or f"{len(shown)} estimates and their intervals."
    alt = "Estimates: " + "; ".join(_told(one) for one in shown) + "."
    unit = shown[0].unit if len({one.unit for one in shown}) == 1 else ""

    def paint(axes: Sequence["Axes"]) -> None:
        panel, places = axes[0], np.arange(len(shown), 0, -1)
        if zero is not None:
            if margin is not None:
                panel.axvspan(zero - margin, zero + margin, color=GREEN, alpha=0.2, lw=0, label="too small to matter")
                panel.legend(loc="best")
            panel.axvline(zero, color=INK, lw=1, ls="--")
        ends = [end for one in within if one.interval for end in (one.interval.low, one.interval.high)]
        room = [value for value in (*ends, *(one.value for one in shown)) if np.isfinite(value)]
        wide = max(room) - min(room) or abs(room[0]) or 1.0
        for place, one in zip(places, shown, strict=True):
            if one.interval is not None:  # an endless one runs out of the picture
                low, high = max(one.interval.low, min(room) - wide), min(one.interval.high, max(room) + wide)
                panel.plot([low, high], [place] * 2, color=BLUE, lw=2)
            panel.plot([one.value], [place], "o", color=BLUE, ms=5)
        panel.set_yticks(places, [label(one.name) for one in shown])
        panel.set_ylim(0.4, len(shown) + 0.6)
        panel.grid(axis="y", visible=False)
        panel.set_xlabel(label(axis, unit) if axis else unit)

    note = f"{len(shown)} of {len(estimates)} estimates are drawn." if len(shown) < len(estimates) else ""
    return draw(title, alt, paint, size=(7.6, 1.4 + 0.34 * len(shown)), note=note)


def _told(one: Estimate) -> str:
    value = f"{label(one.name)} {measured(one.value, one.unit)}"
    return value if one.interval is None else f"{value}, {measured(one.interval.low)} to {measured(one.interval.high)}"
