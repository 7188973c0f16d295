"""Whether a model overfits: where validation turned along the journal, and what stopping there would have spared.

    trend         the losses of a run: best step, where validation got worse beyond chance, gap, what was spared
    overfitting   the answer for the runs of one system

    rise = validation loss at the end - at the lowest look          H0: no earlier look is better than the end

With the losses of the validation items at all looks the rise is tested in pairs, over all earlier looks at once: what
sets items apart cancels out, and it is allowed for that the best look was picked (`turning.py`). With the means alone
only the jitter of the looks is known; other items are then left out of account, which is said (`rise.py`).

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
from seqwise.verdict.cost import HOUR
from seqwise.verdict.findings import Answer, Finding, not_run, too_few
from seqwise.verdict.rise import LEAST, UNIT, Losses, by_items, by_looks, from_means, jitter
from seqwise.verdict.turning import along

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
    averaged: bool = False
    """Whether the run kept the mean of the weights of its last looks instead."""
    items: int = 0
    """Validation items whose losses are known at each look; 0: means alone."""
    whole: int = 0
    """Validation items in all, where it is known."""
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
    averaged: bool = False,
    whole: int = 0,
    unit: str = UNIT,
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
    """
    ordered, valid = _ordered(looks, system), valid or {}
    last = ordered[-1]
    found = None if fresh else along([look.step for look in ordered], valid)
    if found is None:
        best = min(ordered, key=lambda look: look.valid).step
        rise, by = _rise(ordered, best, valid, fresh)
        turning = from_means([(look.step, look.valid) for look in ordered], best, rise)
    else:
        best, rise, turning = found
        by = "items"
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
    )


def _in(unit: str, rise: Test) -> Test:
    """With its unit."""
    least = None if rise.detectable is None else replace(rise.detectable, unit=unit)
    return replace(rise, effect=replace(rise.effect, unit=unit), detectable=least)


def overfitting(
    trends: Sequence[Trend],
    *,
    margin: float | None = None,
    subject: str = "validation",
    price_per_hour: float | None = None,
    currency: str = "USD",
) -> Finding:
    """Whether the runs of one system overfit: yes where validation turned in more than half of them, no where in all
    of them the rise stays within the margin.

    margin: in the unit of the losses; None: a share `MARGIN` of the lowest validation loss. price_per_hour: of the
    machine, for what stopping early would have spared.
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
    margin = MARGIN * float(np.mean([_at(one.looks, one.best).valid for one in told])) if margin is None else margin
    if not (isfinite(margin) and margin > 0):
        raise ConfigError(
            f"a margin of {margin:g} {told[0].unit}", "a margin above 0", "the smallest rise that matters"
        )
    answers = [_answer(one, margin) for one in told]
    middle = sorted(told, key=lambda one: _effect(one).value)[len(told) // 2]
    many = answers.count("yes")
    answer: Answer = "yes" if 2 * many > len(told) else "no" if set(answers) == {"no"} else "cannot tell"
    money = None if price_per_hour is None or middle.spared is None else price_per_hour * middle.spared / HOUR
    return Finding(
        "overfitting",
        subject,
        "MEASURED",
        _sentence(middle, answer, margin, (many, len(told)), "" if money is None else f"{number(money, 3)} {currency}"),
        answer,
        system,
        middle.rise,
        margin,
        _needed(middle, margin) if answer == "cannot tell" else "",
        {**_values(middle), "money spared": money},
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
    if bad := [look for look in ordered if not (isfinite(look.valid) and isfinite(look.train or 0.0))]:
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


def _gap(looks: Sequence[Look], valid: Losses | None, train: Losses | None) -> Interval | None:
    """By the items where both are given, else from the jitter of the gap along the looks."""
    if valid is not None and train is not None:
        return welch(valid, train, ("validation", "training"), name="loss", unit=UNIT).effect.interval
    known = [(look.step, look.valid - look.train) for look in looks if look.train is not None]
    if len(known) < LEAST or looks[-1].train is None:
        return None
    sd, df = jitter(_row([step for step, _ in known]), _row([gap for _, gap in known]))
    return student(known[-1][1], sd, df)


def _at(looks: Sequence[Look], step: int) -> Look:
    return next(look for look in looks if look.step == step)


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


def _sentence(one: Trend, answer: Answer, margin: float, runs: tuple[int, int], money: str) -> str:
    effect, best, last, unit = _effect(one), _at(one.looks, one.best), one.looks[-1], one.unit
    interval = between(effect.interval, unit) if effect.interval else ""
    rise = f"at the end validation loss is {number(effect.value, 3)} {unit} above its lowest, at step {best.step}"
    if best is last:
        rise = f"validation loss is lowest at the end, {amount(last.valid, unit)} at step {last.step}"
        rise += f", {number(abs(effect.value), 3)} {unit} below all before it" if one.by == "items" else ""
        interval = f"as a rise: {interval}"
    many, count = runs
    of = f" in {many} of {count} runs" if count > 1 else ""
    if answer == "no" and best is last:
        chance = "its jitter" if one.by == "looks" else f"the losses of {counted(one.items, 'item')} ({interval})"
        return f"{one.system} does not overfit: {rise}, and no rise beyond {amount(margin, unit)} fits {chance}."
    if answer == "no":
        return f"{one.system} does not overfit: {rise} ({interval}), within the margin of {amount(margin, unit)}."
    if answer == "cannot tell":
        told = f"{rise} ({interval}), the margin is {amount(margin, unit)}"
        return f"Cannot tell whether {one.system} overfits{f' (it does{of})' if many else ''}: {told}."
    turn = f", and from step {one.turned} on it is above that beyond chance" if one.turned is not None else ""
    return f"{one.system} overfits{of}: {rise} ({interval}){turn}; {_stopping(one, money)}{_kept(one)}."


def _stopping(one: Trend, money: str) -> str:
    """What is told of the steps behind the best one."""
    spared = [f"{number(one.spared, 3)} s"] if one.spared else []
    spared += [money] if money and one.spared else []
    steps = one.looks[-1].step - one.best
    amounts = f" ({', '.join(spared)})" if spared else ""
    return f"stopping there would have spared {steps:,} steps, {percent(one.saved or 0.0)} of the steps{amounts}"


def _kept(one: Trend) -> str:
    if one.averaged:
        return "; the weights that were kept are the mean of those of the last looks"
    if one.kept is None or one.turned is None:
        return ""
    where = "before" if one.kept < one.turned else "after"
    return f"; the weights that were kept, of step {one.kept}, are from {where} it turned"


def _needed(one: Trend, margin: float) -> str:
    """How many items bring an end of the interval to the nearer answer."""
    effect = _effect(one)
    if one.rise is None or effect.interval is None or one.by == "looks":
        return "Losses of the validation items at the best and the last step would tell more than their means."
    value, within = effect.value, effect.interval
    shares = [(value - within.low) / value] if value > 0 else []  # how much narrower it has to be for a yes
    shares += [(within.high - value) / (margin - value)] if value < margin else []
    items = next(iter(one.rise.n.values()))
    return f"Some {ceil(items * min(shares) ** 2):,} validation items would tell." if shares else ""


def _values(one: Trend) -> dict[str, float | str | None]:
    last = one.looks[-1]
    low, high = ends_of(one.gap)
    return {
        "lowest validation loss": _at(one.looks, one.best).valid,
        "validation loss at the end": last.valid,
        "training loss at the end": last.train,
        "gap": None if last.train is None else last.valid - last.train,
        "gap, low": low,
        "gap, high": high,
        "best step": one.best,
        "turned at step": one.turned,
        "validation items": one.items or None,
        "kept step": one.kept,
        "steps spared": last.step - one.best,
        "share of the steps spared": one.saved,
        "seconds spared": one.spared,
    }


def _grid(trends: Sequence[Trend]) -> Grid:
    columns = ("seed", "best step", "turned", "lowest", "end", "rise, low", "rise, high", "gap, low", "gap, high")
    rows: list[tuple[Cell, ...]] = []
    for one in trends:
        rise = ends_of(one.rise.effect.interval if one.rise else None)
        losses = _at(one.looks, one.best).valid, one.looks[-1].valid
        rows.append((one.seed, one.best, one.turned, *losses, *rise, *ends_of(one.gap), one.saved))
    note = "Gap: validation minus training loss at the end. Spared: by stopping at the best step."
    note = f"Losses in {trends[0].unit}. {note}"
    return Grid(f"{trends[0].system}: validation along the runs", (*columns, "spared"), tuple(rows), note)


def _notes(trends: Sequence[Trend], short: int) -> tuple[str, ...]:
    found = []
    if any(one.by == "looks" for one in trends):
        found.append("Chance is the jitter of the looks alone: losses item by item would take in that of the items.")
    if some := [one for one in trends if one.items and one.items < one.whole]:
        found.append(f"Chance is told by the losses of {some[0].items:,} of the {some[0].whole:,} validation items.")
    if any(one.saved for one in trends):
        found.append("Stopping early needs some looks beyond the best one, so that a little less is spared than said.")
    if short:
        found.append(f"{counted(short, 'run')} had too few looks to be counted.")
    return tuple(found)
