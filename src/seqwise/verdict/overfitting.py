"""Whether a model overfits: where validation turned along the journal, and what stopping there would have spared.

    trend         the losses of a run: best step, where validation got worse beyond chance, gap, what was spared
    overfitting   the answer for the runs of one system

    rise = validation loss at the end - at the lowest look          H0: no earlier look is better than the end

With the losses of the validation items at both steps the rise is tested by a paired t test: what sets items apart
cancels out. With the means alone only the jitter of the looks is known; other items are then left out of account, which
is said. How either is done: `rise.py`.

Left out: what was learnt by heart, which is told by `memorisation`; which weights to keep, which the trainer chose.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, isfinite
from typing import Literal

import numpy as np
from jaxtyping import Float

from seqwise.errors import ConfigError, DataError
from seqwise.stats.means import student, welch
from seqwise.stats.phrases import amount, between, counted, joined, number, percent
from seqwise.stats.results import Cell, Estimate, Grid, Interval, Test, ends_of
from seqwise.verdict.findings import Answer, Finding, not_run, too_few
from seqwise.verdict.rise import LEAST, UNIT, Losses, by_items, by_looks, jitter

# K looks

MARGIN = 0.05
"""Share of the lowest validation loss by which it may rise and nobody would mind, where no margin is given: the order
of what a loss moves from one seed to the next."""


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
    by: Literal["items", "looks"] = "looks"
    """Whether chance is that of the validation items, or only the jitter of the looks."""
    spared: float | None = None
    """Seconds of it, where the time of the training is known."""
    kept: int | None = None
    """Step whose weights the run kept, where it is known."""
    unit: str = UNIT
    """Of the losses."""


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
    unit: str = UNIT,
) -> Trend:
    """What the looks of a run tell.

    Args:
        looks: In any order. Of several at one step the first counts: others are of averaged weights.
        system: Its name.
        seed: Of the run.
        valid: Losses of the validation items, in one order, by step; those of the best and the last step are used.
        train: Losses of training items at the last step.
        fresh: Whether the items of `valid` had no part in choosing the best step.
        seconds: That the steps took in all.
        kept: Step whose weights the run kept.
        unit: Of the losses.
    """
    ordered = _ordered(looks, system)
    best, last = min(ordered, key=lambda look: look.valid), ordered[-1]
    rise, by = _rise(ordered, best.step, valid or {}, fresh)
    saved = 1 - best.step / last.step if last.step else 0.0
    return Trend(
        system,
        seed,
        ordered,
        best.step,
        _turned(ordered, best, rise),
        _gap(ordered, (valid or {}).get(last.step), train),
        saved,
        None if rise is None else _in(unit, rise),
        by,
        None if seconds is None else seconds * saved,
        kept,
        unit,
    )


def _in(unit: str, rise: Test) -> Test:
    """With its unit."""
    least = None if rise.detectable is None else replace(rise.detectable, unit=unit)
    return replace(rise, effect=replace(rise.effect, unit=unit), detectable=least)


def overfitting(trends: Sequence[Trend], *, margin: float | None = None, subject: str = "validation") -> Finding:
    """Whether the runs of one system overfit: yes where validation turned in more than half of them, no where in all
    of them the rise stays within the margin.

    margin: in the unit of the losses; None: a share `MARGIN` of the lowest validation loss.
    """
    if not trends:
        return not_run("overfitting", subject, "No looks at training and validation were given.")
    system = trends[0].system
    if len({one.system for one in trends}) > 1:
        given = f"runs of {joined(sorted({one.system for one in trends}))}"
        raise DataError(given, "the runs of one system", "one answer for each system")
    told = [one for one in trends if one.rise is not None]
    if not told:
        looks = max(len(one.looks) for one in trends)
        why = f"{counted(looks, 'look')} at validation, and {LEAST} at least show a curve: look more often"
        return too_few("overfitting", subject, f"{why}, or give the losses of the items.", system)
    margin = MARGIN * float(np.mean([_at(one, one.best).valid for one in told])) if margin is None else margin
    if not (isfinite(margin) and margin > 0):
        raise ConfigError(
            f"a margin of {margin:g} {told[0].unit}", "a margin above 0", "the smallest rise that matters"
        )
    answers = [_answer(one, margin) for one in told]
    middle = sorted(told, key=lambda one: _effect(one).value)[len(told) // 2]
    turned = answers.count("yes")
    answer: Answer = "yes" if 2 * turned > len(told) else "no" if set(answers) == {"no"} else "cannot tell"
    return Finding(
        "overfitting",
        subject,
        "MEASURED",
        _sentence(middle, answer, margin, (turned, len(told))),
        answer,
        system,
        middle.rise,
        margin,
        _needed(middle, margin) if answer == "cannot tell" else "",
        _values(middle),
        (_grid(trends),),
        _notes(told, len(trends) - len(told)),
    )


def _ordered(looks: Sequence[Look], system: str) -> tuple[Look, ...]:
    first: dict[int, Look] = {}
    for look in looks:
        first.setdefault(look.step, look)
    ordered = tuple(first[step] for step in sorted(first))
    if not ordered:
        raise DataError(f"no looks of {system}", "one at least", "the journal of a run that looked at validation")
    bad = [look for look in ordered if not (isfinite(look.valid) and isfinite(look.train or 0.0))]
    if bad:
        raise DataError(f"a loss that is not finite at step {bad[0].step} of {system}", "finite losses", "another run")
    return ordered


def _rise(
    looks: Sequence[Look], best: int, valid: Mapping[int, Losses], fresh: bool
) -> tuple[Test | None, Literal["items", "looks"]]:
    """By the items where those of both steps are given, and something moved."""
    last = looks[-1].step
    if best != last and best in valid and last in valid:
        found = by_items(valid[last], valid[best], (best, last), 1 if fresh else len(looks) - 1)
        if found is not None:
            return found, "items"
    return by_looks(_row([look.step for look in looks]), _row([look.valid for look in looks])), "looks"


def _row(values: Sequence[float]) -> Float[np.ndarray, "K"]:
    return np.array(values, dtype=np.float64)


def _turned(looks: Sequence[Look], best: Look, rise: Test | None) -> int | None:
    """The first look behind the best one from which on all are above it by more than chance."""
    if rise is None or not rise.rejected or rise.effect.value <= 0 or rise.effect.interval is None:
        return None
    half, found = rise.effect.value - rise.effect.interval.low, looks[-1].step
    for look in reversed(looks):
        if look.step <= best.step or look.valid - best.valid <= half:
            break
        found = look.step
    return found


def _gap(looks: Sequence[Look], valid: Losses | None, train: Losses | None) -> Interval | None:
    """By the items where both are given, else from the jitter of the gap along the looks."""
    if valid is not None and train is not None:
        return welch(valid, train, ("validation", "training"), name="loss", unit=UNIT).effect.interval
    known = [(look.step, look.valid - look.train) for look in looks if look.train is not None]
    if len(known) < LEAST or looks[-1].train is None:
        return None
    sd, df = jitter(_row([step for step, _ in known]), _row([gap for _, gap in known]))
    return student(known[-1][1], sd, df)


def _at(one: Trend, step: int) -> Look:
    return next(look for look in one.looks if look.step == step)


def _effect(one: Trend) -> Estimate:
    if one.rise is None or one.rise.effect.interval is None:
        raise TypeError("a trend with too few looks has no rise")
    return one.rise.effect


def _answer(one: Trend, margin: float) -> Answer:
    """A rise that is sure but surely within the margin is none."""
    within = _effect(one).interval
    if within is not None and within.high <= margin:
        return "no"
    return "cannot tell" if one.turned is None else "yes"


def _sentence(one: Trend, answer: Answer, margin: float, runs: tuple[int, int]) -> str:
    effect, best, last, unit = _effect(one), _at(one, one.best), one.looks[-1], one.unit
    interval = between(effect.interval, unit) if effect.interval else ""
    rise = f"{number(effect.value, 3)} {unit} above its lowest, at step {best.step} ({interval})"
    turned, count = runs
    of = f" in {turned} of {count} runs" if count > 1 else ""
    if answer == "no" and best is last:
        told = f"validation loss is lowest at the end, {amount(last.valid, unit)} at step {last.step}"
        return f"{one.system} does not overfit: {told}, and no rise beyond {amount(margin, unit)} fits its jitter."
    if answer == "no":
        told = f"at the end validation loss is {rise}, within the margin of {amount(margin, unit)}"
        return f"{one.system} does not overfit: {told}."
    if answer == "cannot tell":
        told = f"at the end validation loss is {rise}, the margin is {amount(margin, unit)}"
        return f"Cannot tell whether {one.system} overfits{f' (it does{of})' if turned else ''}: {told}."
    spared = f" ({number(one.spared, 3)} s)" if one.spared else ""
    stopping = f"stopping there would have spared {percent(one.saved or 0.0)} of the steps{spared}"
    return f"{one.system} overfits{of}: at the end validation loss is {rise}; {stopping}{_kept(one)}."


def _kept(one: Trend) -> str:
    if one.kept is None or one.turned is None:
        return ""
    where = "from before it turned" if one.kept < one.turned else "from after it turned"
    return f"; the weights that were kept, of step {one.kept}, are {where}"


def _needed(one: Trend, margin: float) -> str:
    """How many items bring an end of the interval to the nearer answer."""
    effect = _effect(one)
    if one.rise is None or effect.interval is None or one.by == "looks":
        return "Losses of the validation items at the best and the last step would tell more than their means."
    value, within = effect.value, effect.interval
    shares = [(value - within.low) / value] if value > 0 else []  # how much narrower it has to be for a yes
    shares += [(within.high - value) / (margin - value)] if value < margin else []
    return f"Some {ceil(one.rise.n['pairs'] * min(shares) ** 2):,} validation items would tell." if shares else ""


def _values(one: Trend) -> dict[str, float | str | None]:
    last = one.looks[-1]
    low, high = ends_of(one.gap)
    return {
        "lowest validation loss": _at(one, one.best).valid,
        "validation loss at the end": last.valid,
        "training loss at the end": last.train,
        "gap": None if last.train is None else last.valid - last.train,
        "gap, low": low,
        "gap, high": high,
        "best step": one.best,
        "turned at step": one.turned,
        "share of the steps spared": one.saved,
        "seconds spared": one.spared,
    }


def _grid(trends: Sequence[Trend]) -> Grid:
    columns = ("seed", "best step", "turned", "lowest", "end", "rise, low", "rise, high", "gap, low", "gap, high")
    rows: list[tuple[Cell, ...]] = []
    for one in trends:
        rise = ends_of(one.rise.effect.interval if one.rise else None)
        losses = _at(one, one.best).valid, one.looks[-1].valid
        rows.append((one.seed, one.best, one.turned, *losses, *rise, *ends_of(one.gap), one.saved))
    gap = "Gap: validation minus training loss at the end. Spared: by stopping at the best step."
    note = f"Losses in {trends[0].unit}. {gap}"
    return Grid(f"{trends[0].system}: validation along the runs", (*columns, "spared"), tuple(rows), note)


def _notes(trends: Sequence[Trend], short: int) -> tuple[str, ...]:
    found = []
    if any(one.by == "looks" for one in trends):
        found.append("Chance is the jitter of the looks alone: losses item by item would take in that of the items.")
    if any(one.saved for one in trends):
        found.append("Stopping early needs some looks beyond the best one, so that a little less is spared than said.")
    if short:
        found.append(f"{counted(short, 'run')} had too few looks to be counted.")
    return tuple(found)
