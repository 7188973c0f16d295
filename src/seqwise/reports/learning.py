"""Pictures of learning: error against the amount of data, and training against validation along a run.

learning    the points, the fitted curve with its band, and what twice the data would bring
trend       both losses by step, the best step, and where validation turned
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from seqwise.reports.drawing import BLUE, GREEN, INK, ORANGE, Picture, draw, label, plainly
from seqwise.stats.phrases import alike, clear, counted, ends, percent
from seqwise.verdict.curve import Curve
from seqwise.verdict.rise import LEAST
from seqwise.verdict.trend import Trend

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def learning(curve: Curve) -> Picture:
    """Error against training examples; beyond the largest size the curve foretells, and is drawn thinner."""
    points = [one for one in curve.points if np.isfinite(one.error)]
    largest = max((one.n for one in points), default=0)
    sizes, seeds = len({one.n for one in points}), len({one.seed for one in points})
    alt = f"{label(curve.measure)} of {len(points)} trainings on {sizes} sizes of data with {seeds} seeds"
    measured = [one for one in curve.band if one.n <= largest]
    foretold = [*measured[-1:], *(one for one in curve.band if one.n > largest)] if curve.fits else []

    def paint(axes: Sequence["Axes"]) -> None:
        panel = axes[0]
        panel.set_xscale("log")
        for band, alpha, dash in ((measured, 0.25, "-"), (foretold, 0.12, "--")):
            if band:
                x = [one.n for one in band]
                lows, highs = [one.interval.low for one in band], [one.interval.high for one in band]
                panel.fill_between(x, lows, highs, color=BLUE, alpha=alpha, lw=0)
                told = "fit" if band is measured else "foretold"
                panel.plot(x, [one.error for one in band], dash, color=BLUE, label=told)
        panel.plot([one.n for one in points], [one.error for one in points], "o", color=ORANGE, ms=5, mew=0, alpha=0.8,
                   label="trainings")  # fmt: skip
        if foretold:
            panel.axvline(largest, color=INK, lw=1, ls=":")
            panel.axvline(2 * largest, color=INK, lw=1, ls=":")
            height = panel.get_ylim()[1]
            panel.annotate("all data", (largest, height), (-3, -9), textcoords="offset points", fontsize=8, ha="right")
            panel.annotate("twice", (2 * largest, height), (-3, -9), textcoords="offset points", fontsize=8, ha="right")
        plainly(panel)
        panel.set_xticks(_ticks([one.n for one in points], 2 * largest if foretold else 0))
        panel.set(xlabel="training examples", ylabel=label(curve.measure, curve.unit))
        panel.legend(loc="lower left")

    note = "Band: 95 % interval of the curve; dashed: beyond the data." if foretold else " ".join(curve.notes)
    return draw(_promised(curve), alt + ".", paint, note=note)


def _promised(curve: Curve) -> str:
    if not curve.fits or curve.gain is None:
        return "A power law does not describe these points, so nothing is foretold of more data."
    gain, unit = curve.gain, f" {curve.unit}" if curve.unit else ""
    if gain.interval is None:
        return f"Twice the data: {label(curve.measure)} less by {alike(gain.value)[0]}{unit}."
    value, low, high = alike(gain.value, gain.interval.low, gain.interval.high)
    told = f"{value}{unit} ({ends(gain.interval.level, low, high)})"
    if clear(gain) and gain.value > 0:
        return f"Twice the data would lower the {label(curve.measure)} by {told}."
    return f"Whether twice the data would lower the {label(curve.measure)} is open: {told}."


def _ticks(sizes: Sequence[int], twice: int) -> list[float]:
    """Each size, but for those that would stand on one another."""
    kept: list[float] = []
    for size in sorted({*sizes, *([twice] if twice else [])}, reverse=True):
        if not kept or size < kept[-1] / 1.25:
            kept.append(float(size))
    return kept[::-1]


def trend(found: Trend) -> Picture:
    """Training and validation loss of a run."""
    steps, valid = [one.step for one in found.looks], [one.valid for one in found.looks]
    trained = [(one.step, one.train) for one in found.looks if one.train is not None]
    who = label(found.system) + ("" if found.seed is None else f", seed {found.seed}")
    last = steps[-1] if steps else 0
    alt = f"Validation{' and training' if trained else ''} loss at {len(steps)} looks"

    def paint(axes: Sequence["Axes"]) -> None:
        panel = axes[0]
        mark = "o" if len(steps) <= 40 else ""
        panel.plot(steps, valid, "-", marker=mark, ms=3.5, color=BLUE, label="validation")
        if trained:
            panel.plot([at for at, _ in trained], [loss for _, loss in trained], "--", marker=mark and "s", ms=3,
                       color=ORANGE, label="training")  # fmt: skip
        if len(steps) >= LEAST:
            panel.axvline(found.best, color=GREEN, lw=1.2, label="best step")
        if found.turned is not None:
            panel.axvspan(found.turned, max(last, found.turned), color=ORANGE, alpha=0.12, lw=0,
                          label="worse beyond chance")  # fmt: skip
        panel.set(xlabel="step", ylabel=f"loss ({label(found.unit)})")
        panel.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        panel.legend(loc="best")

    notes = []
    within = None if found.rise is None or found.by == "looks" else found.rise.effect.interval
    if within is not None:
        low, high = alike(within.low, within.high)
        told = f"against the best look before it, by {found.items:,} items"
        notes.append(f"The end: {ends(within.level, low, high)} {found.unit} {told}.")
    if found.gap is not None:
        low, high = alike(found.gap.low, found.gap.high)
        notes.append(f"At the end validation is above training by {ends(found.gap.level, low, high)} {found.unit}.")
    if found.saved:
        notes.append(f"Stopping at the best step would have spared {percent(found.saved)} of the steps.")
    return draw(f"{who}: {_course(found)}.", alt + ".", paint, size=(7.6, 3.6), note=" ".join(notes))


def _course(found: Trend) -> str:
    """Where validation was best and whether it got worse from there; of few looks nothing is said."""
    if len(found.looks) < LEAST:
        return f"{counted(len(found.looks), 'look')} at validation, too few to tell where it was best"
    last = found.looks[-1].step
    if found.best == last:
        return f"validation was best at the end, at step {last:,}"
    best = f"validation was best at step {found.best:,} of {last:,}"
    if found.turned is None:
        return f"{best} and did not get worse after it beyond chance"
    return f"{best} and got worse from step {found.turned:,} on"
