"""Pictures of what tuning gained and lost: effects against their margins, and gain against loss.

effects    each answer that has an effect, by measure and set: its interval, 0, and the margin; a panel for each unit
front      gain against loss of each system: those that no other beats in both, and the weights in between
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from seqwise.reports.answers import is_slice, kind, size
from seqwise.reports.drawing import BLUE, GREEN, INK, LABEL, ORANGE, Picture, draw, label, measured
from seqwise.stats.phrases import joined
from seqwise.stats.results import Estimate
from seqwise.verdict.findings import Finding
from seqwise.verdict.trade import Choice, Trade
from seqwise.verdict.verdict import Verdict

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST = 30  # effects in one panel
SUBJECT = 8  # characters that are left of one
SHORT = {
    "gain": "gain",
    "generalization": "kept",
    "luck": "luck",
    "rival": "against a rival",
    "overfitting": "overfitting",
    "data": "more data",
    "trade": "trade",
    "cost": "cost",
    "systems": "against another",
    "changed": "changed",
}
SHAPES = {"hoped": ("o", BLUE, BLUE), "feared": ("s", ORANGE, ORANGE), "open": ("D", "none", INK)}
"""Marker, filling and edge."""
MEANING = {"hoped": "answer as hoped", "feared": "answer as feared", "open": "cannot tell, or neither hoped nor feared"}


def effects(verdict: Verdict) -> tuple[Picture, ...]:
    """A picture for each unit, as effects of different units have no common axis; none where nothing was measured."""
    units: dict[str, list[Finding]] = {}
    for one in verdict.findings:
        if _drawn(one, verdict.findings) and one.test is not None and np.isfinite(one.test.effect.value):
            units.setdefault(one.test.effect.unit, []).append(one)
    return tuple(_panel(found, unit, verdict) for unit, found in units.items())


def _drawn(one: Finding, findings: Sequence[Finding]) -> bool:
    """Not those of slices, nor of pairs of systems, which are no differences to the base; and not the effect of luck
    where it is that of the gain, lest one number stands twice."""
    if one.question != "luck" or one.test is None:
        return not is_slice(one) and one.question != "systems"
    gains = [other.test.effect for other in findings if other.question == "gain" and other.test is not None
             and (other.subject, other.system) == (one.subject, one.system)]  # fmt: skip
    return one.test.effect not in gains


def _panel(found: Sequence[Finding], unit: str, verdict: Verdict) -> Picture:
    shown = list(found[:MOST])
    apart = sum(1 for one in found if one.interval is not None and 0 not in one.interval)
    title = f"{apart} of {len(found)} effects{f' in {unit}' if unit else ''} leave out 0."
    names = [_name(one, len(verdict.tuned) > 1) for one in shown]
    told = [f"{name}: {size(one)}, {one.answer or one.state}" for name, one in zip(names, shown, strict=True)]
    margins = any(one.margin is not None for one in shown)

    def paint(axes: Sequence["Axes"]) -> None:
        panel, places = axes[0], list(range(len(shown), 0, -1))
        low, high = _room(shown)
        _margins(panel, shown, places)
        panel.axvline(0, color=INK, lw=1)
        for place, one in zip(places, shown, strict=True):
            _effect(panel, one, place, (low - (high - low), high + (high - low)))
        for sort in dict.fromkeys(map(kind, shown)):
            shape, fill, edge = SHAPES[sort]
            panel.plot([], [], shape, mfc=fill, mec=edge, ms=6, ls="", label=MEANING[sort])
        panel.set_yticks(places, [_short(one, len(verdict.tuned) > 1) for one in shown])
        panel.set(ylim=(0.4, len(shown) + 0.6), xlim=(low, high), xlabel=label(f"difference to {verdict.base}", unit))
        panel.grid(axis="y", visible=False)
        panel.figure.legend(loc="outside lower left", ncols=4)
        beside = panel.twinx()
        beside.set_yticks(places, [f"{size(one)}\n{one.answer or one.state}" for one in shown])
        beside.set_ylim(0.4, len(shown) + 0.6)
        beside.spines["right"].set_visible(False)
        beside.tick_params(length=0)
        beside.grid(visible=False)

    note = f"{len(shown)} of {len(found)} effects are drawn. " if len(shown) < len(found) else ""
    note += "Shaded: the margin, within which a difference is taken for none." if margins else ""
    return draw(title, "; ".join(told) + ".", paint, size=(7.6, 1.7 + 0.44 * len(shown)), note=note.strip())


def _name(one: Finding, several: bool) -> str:
    whose = f", {one.system}" if several else ""
    return f"{one.subject}: {SHORT[one.question]}{whose}" if one.subject else f"{SHORT[one.question]}{whose}"


def _short(one: Finding, several: bool) -> str:
    """The name as it fits beside the picture: what is cut is the subject, never the system."""
    rest = len(_name(one, several)) - len(one.subject)
    cut = replace(one, subject=label(one.subject, longest=max(SUBJECT, LABEL - rest)) if one.subject else "")
    return label(_name(cut, several))


def _room(shown: Sequence[Finding]) -> tuple[float, float]:
    """From where to where the axis goes: all finite ends, the margins and 0, with some air."""
    ends = [0.0]
    for one in shown:
        if one.test is not None:
            ends.append(one.test.effect.value)
        if one.interval is not None:
            ends += [one.interval.low, one.interval.high]
        if one.margin is not None:
            ends += [-one.margin, one.margin]
    finite = [end for end in ends if np.isfinite(end)]
    air = 0.06 * (max(finite) - min(finite)) or 1.0
    return min(finite) - air, max(finite) + air


def _margins(panel: "Axes", shown: Sequence[Finding], places: Sequence[int]) -> None:
    told = False
    for place, one in zip(places, shown, strict=True):
        if one.margin is not None:
            panel.fill_betweenx([place - 0.5, place + 0.5], -one.margin, one.margin, color=GREEN, alpha=0.2, lw=0,
                                label=None if told else "within the margin")  # fmt: skip
            told = True


def _effect(panel: "Axes", one: Finding, place: int, far: tuple[float, float]) -> None:
    if one.test is None:
        return
    shape, fill, edge = SHAPES[kind(one)]
    if one.interval is not None:  # an endless one runs out of the picture
        ends = [max(one.interval.low, far[0]), min(one.interval.high, far[1])]
        panel.plot(ends, [place] * 2, color=edge, lw=2)
    panel.plot([one.test.effect.value], [place], shape, mec=edge, mfc=fill, ms=6)


def front(trade: Trade, base: str = "base", general: str = "general sets") -> Picture:
    """Gain against loss, with the intervals of both; the front is the line that no system lies above and left of.

    general   where the loss was measured
    """
    shown = [one for one in trade.choices if np.isfinite([one.gain.value, one.loss.value]).all()]
    best = sorted((one for one in shown if one.front), key=lambda one: (one.loss.value, one.gain.value))
    chosen = [one for one in shown if one.chosen]
    title = f"No other beats {joined([label(one.name, longest=24) for one in best])} in both gain and loss." if best \
        else "Gain against loss."  # fmt: skip
    if chosen:
        title = title[:-1] + f"; chosen: {label(chosen[0].name, longest=24)}."
    told = [
        f"{label(one.name)}: gain {measured(one.gain.value, one.gain.unit)}, loss {measured(one.loss.value)}"
        for one in shown
    ]

    def paint(axes: Sequence["Axes"]) -> None:
        panel = axes[0]
        panel.axhline(0, color=INK, lw=0.8)
        panel.axvline(0, color=INK, lw=0.8)
        blends = sorted((one for one in shown if one.alpha is not None), key=lambda one: one.alpha or 0.0)
        _line(panel, best, GREEN, "-", "front")
        _line(panel, blends, INK, ":", "blends by alpha")
        for one in shown:
            _choice(panel, one)
        panel.set(xlabel=label(f"lost on {general}", _unit(shown, "loss")),
                  ylabel=label(f"gained over {base} on {trade.part}", _unit(shown, "gain")))  # fmt: skip
        panel.margins(0.1)
        if len(best) > 1 or blends:
            panel.legend(loc="best")

    return draw(title, "; ".join(told) + ".", paint, size=(7.6, 4.6), note="Bars: the intervals of gain and loss.")


def _unit(shown: Sequence[Choice], which: str) -> str:
    units = {one.gain.unit if which == "gain" else one.loss.unit for one in shown}
    return units.pop() if len(units) == 1 else ""


def _line(panel: "Axes", choices: Sequence[Choice], colour: str, dash: str, shown: str) -> None:
    if len(choices) > 1:
        x, y = [one.loss.value for one in choices], [one.gain.value for one in choices]
        panel.plot(x, y, dash, color=colour, label=shown, zorder=1)


def _choice(panel: "Axes", one: Choice) -> None:
    colour = GREEN if one.front else ORANGE
    x, y = one.loss.value, one.gain.value
    panel.errorbar([x], [y], xerr=_bars(one.loss), yerr=_bars(one.gain), fmt="none", ecolor=colour, lw=1, alpha=0.7)
    panel.plot([x], [y], "*" if one.chosen else "o" if one.front else "s", color=colour, ms=12 if one.chosen else 6)
    told = f" ({one.alpha:g})" if one.alpha is not None and f"{one.alpha:g}" not in one.name else ""
    name = label(one.name, longest=24) + told
    panel.annotate(name, (x, y), (6, 5), textcoords="offset points", fontsize=8)


def _bars(estimate: Estimate) -> list[list[float]] | None:
    """From the value down and up, as far as the interval ends at all."""
    if estimate.interval is None:
        return None
    down, up = estimate.value - estimate.interval.low, estimate.interval.high - estimate.value
    return [[down if np.isfinite(down) and down > 0 else 0.0], [up if np.isfinite(up) and up > 0 else 0.0]]
