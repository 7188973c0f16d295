"""Losses of a run along its looks: the best step, how far validation rose above it, and where it turned.

    Look     both losses at a step
    Trend    what the looks of a run tell
    trend    made of them, and of the losses of the items where these are known

    rise = validation loss at the end - at the lowest look          H0: no earlier look is better than the end

With the losses of the validation items at all looks the rise is tested in pairs, over all earlier looks at once: what
sets items apart cancels out, and it is allowed for that the best look was picked (`turning.py`). With the means alone
only the jitter of the looks is known; other items are then left out of account (`rise.py`).

Left out: whether that is overfitting (`overfitting.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import Literal

import numpy as np
from jaxtyping import Float

from seqwise.errors import DataError
from seqwise.stats.means import student, welch
from seqwise.stats.results import Interval, Test
from seqwise.verdict.rise import LEAST, UNIT, Losses, by_items, by_looks, folds, from_means, jitter, spread
from seqwise.verdict.turning import along

# K looks

By = Literal["items", "looks"]
Kind = Literal["items", "forecasts", "densities"]


@dataclass(frozen=True)
class Look:
    """A look at both losses."""

    step: int
    valid: float
    train: float | None
    """Measured as that of validation, without dropout; None where only the loss of single batches is known."""


@dataclass(frozen=True)
class Trend:
    """The losses of a run."""

    system: str
    seed: int | None
    looks: tuple[Look, ...]
    best: int
    """Step with the lowest validation loss."""
    turned: int | None
    """Step from which validation got worse beyond chance; None where it never did."""
    gap: Interval | None
    """Validation minus training loss at the end."""
    saved: float | None
    """Share of the steps that stopping at the best one would have spared."""
    rise: Test | None = None
    """Validation loss at the end minus that at the best step; None of too few looks."""
    by: By = "looks"
    """Whether chance is that of the validation items, or only the jitter of the looks."""
    spared: float | None = None
    """Seconds of it, where the time of the training is known."""
    kept: int | None = None
    """Step whose weights the run kept, where it is known."""
    averaged: bool = False
    """Whether the run kept the mean of the weights of its last looks instead."""
    items: int = 0
    """Validation items whose losses are known at each look; 0: means alone."""
    whole: int = 0
    """Validation items in all, where it is known."""
    unit: str = UNIT
    """Of the losses."""
    kind: Kind = "items"
    """What the losses are of: items, or windows of forecasts, which overlap and are no items; `densities`: windows
    whose loss is the negative logarithm of a density, which may be below 0."""
    compared: tuple[float, float] | None = None
    """Validation loss at the best step and at the end, of the items whose losses are known; None: as the looks say."""

    @property
    def lowest(self) -> float:
        """Validation loss at the best step, of what was compared."""
        return (
            next(one.valid for one in self.looks if one.step == self.best)
            if self.compared is None
            else self.compared[0]
        )

    @property
    def end(self) -> float:
        """Validation loss at the last step, of what was compared."""
        return self.looks[-1].valid if self.compared is None else self.compared[1]


def trend(
    looks: Sequence[Look],
    system: str,
    seed: int | None = None,
    *,
    valid: Mapping[int, Losses] | None = None,
    train: Losses | None = None,
    fresh: bool = False,
    seconds: float | None = None,
    kept: int | None = None,
    averaged: bool = False,
    whole: int = 0,
    unit: str = UNIT,
    kind: Kind = "items",
) -> Trend:
    """What the looks of a run tell.

    Args:
        looks: In any order. Of several at one step the first counts: others are of averaged weights.
        system: Its name.
        seed: Of the run.
        valid: Losses of the validation items, in one order, by step. Where one look is missing, those of the best and
            the last step are used.
        train: Losses of training items at the last step.
        fresh: Whether the items of `valid` had no part in choosing the best step.
        seconds: That the steps took in all.
        kept: Step whose weights the run kept.
        averaged: Whether the run kept the mean of its last looks' weights.
        whole: Items of the validation part, where `valid` are some of them.
        unit: Of the losses.
        kind: What the losses are of.
    """
    ordered, valid = _ordered(looks, system), valid or {}
    last = ordered[-1]
    by: By = "items"
    found = None if fresh else along([look.step for look in ordered], valid)
    if found is None:
        best = min(ordered, key=lambda look: look.valid).step
        rise, by = _rise(ordered, best, valid, fresh)
        turning = from_means([(look.step, look.valid) for look in ordered], best, rise)
    else:
        best, rise, turning = found.best, found.rise, found.turned
    held = (float(valid[best].mean()), float(valid[last.step].mean())) if by == "items" else None
    saved = 1 - best / last.step if last.step else 0.0
    return Trend(
        system,
        seed,
        ordered,
        best,
        turning,
        _gap(ordered, valid.get(last.step), train),
        saved,
        None if rise is None else _in(unit, rise),
        by,
        None if seconds is None else seconds * saved,
        kept,
        averaged,
        len(valid[last.step]) if by == "items" else 0,
        whole,
        unit,
        kind,
        held,
    )


def _in(unit: str, rise: Test) -> Test:
    """With its unit."""
    least = None if rise.detectable is None else replace(rise.detectable, unit=unit)
    return replace(rise, effect=replace(rise.effect, unit=unit), detectable=least)


def _ordered(looks: Sequence[Look], system: str) -> tuple[Look, ...]:
    first: dict[int, Look] = {}
    for look in looks:
        first.setdefault(look.step, look)
    ordered = tuple(first[step] for step in sorted(first))
    if not ordered:
        raise DataError(f"no looks of {system}", "one at least", "the journal of a run that looked at validation")
    if bad := [look for look in ordered if not (isfinite(look.valid) and isfinite(look.train or 0.0))]:
        raise DataError(f"a loss that is not finite at step {bad[0].step} of {system}", "finite losses", "another run")
    return ordered


def _rise(looks: Sequence[Look], best: int, valid: Mapping[int, Losses], fresh: bool) -> tuple[Test | None, By]:
    """By the items where those of both steps are given, and something moved."""
    last = looks[-1].step
    if best != last and best in valid and last in valid:
        found = by_items(valid[last], valid[best], (best, last), 1 if fresh else len(looks) - 1)
        if found is not None:
            return found, "items"
    some = _some(looks)
    losses = _row([look.valid for look in some])
    return by_looks(_row([look.step for look in some]), losses, folds(len(looks))), "looks"


def _some(looks: Sequence[Look]) -> list[Look]:
    """All of a few; of many so many that no more is computed of them than need be."""
    return [looks[place] for place in spread(len(looks), int(np.argmin([look.valid for look in looks])))]


def _row(values: Sequence[float]) -> Float[np.ndarray, "K"]:
    return np.array(values, dtype=np.float64)


def _gap(looks: Sequence[Look], valid: Losses | None, train: Losses | None) -> Interval | None:
    """By the items where both are given, else from the jitter of the gap along the looks."""
    if valid is not None and train is not None:
        return welch(valid, train, ("validation", "training"), name="loss", unit=UNIT).effect.interval
    known = [(look.step, look.valid - look.train) for look in _some(looks) if look.train is not None]
    if len(known) < LEAST or looks[-1].train is None:
        return None
    sd, df = jitter(_row([step for step, _ in known]), _row([gap for _, gap in known]))
    return student(known[-1][1], sd, df)
