"""Gain against loss: which systems no other beats in both (the Pareto front), and weights in between.

    choose    which blend of base and tuned weights, by validation
    front     which choices no other beats in gain and loss at once
    trade     whether the chosen blend keeps the gain and surely loses less, by one test on the test set

A blend is alpha tuned + (1 - alpha) base, weight by weight; many tuned models lose little of their gain at an alpha of
0.5 to 0.8, and much of their loss. Alpha is chosen on validation, by a rule that is fixed before: as little loss as is
to be had for most of the gain. Then the one blend that was chosen is tested, once, so that nothing has to be corrected
for the many that were looked at.

Left out: making blends; choosing on the test set.

Wortsman et al. 2022, Robust Fine-Tuning of Zero-Shot Models (WiSE-FT); the rule of one standard error: Breiman et al.
1984, Classification and Regression Trees, section 3.4.3.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf, isfinite

from scipy.special import ndtri

from seqwise.errors import ConfigError, DataError
from seqwise.stats.phrases import amount, between, number, sure
from seqwise.stats.power import POWER
from seqwise.stats.results import Estimate, Grid, Interval, Test, ends_of
from seqwise.verdict.findings import Answer, Finding, not_run


@dataclass(frozen=True)
class Choice:
    """A system, or a blend of base and tuned weights."""

    name: str
    alpha: float | None
    """Share of the tuned weights; None of a system that is no blend."""
    gain: Estimate
    """Over the base, better being more, on validation where it was chosen by it, else on test."""
    loss: Estimate
    """Against the base on general sets, worse being more."""
    chosen: bool = False
    front: bool = False
    """Whether no other has more gain without more loss."""


@dataclass(frozen=True)
class Trade:
    """All choices."""

    part: str
    """What they were scored on: validation or test."""
    choices: tuple[Choice, ...]
    measure: str
    unit: str


def choose(choices: Sequence[Choice]) -> tuple[Choice, ...]:
    """Mark one blend: of those whose gain is within a standard error of the best blend's, the one that loses least.

    The error is that of the best gain, from its interval. Of equal losses the larger gain decides, then the larger
    share of tuned weights. What is no blend stays what it is, and is never chosen.
    """
    blends = [one for one in choices if one.alpha is not None]
    if not blends:
        raise DataError("no blend to choose from", "choices with an alpha", "blends at 0.25, 0.5 and 0.75")
    if any(not (isfinite(one.gain.value) and isfinite(one.loss.value)) for one in blends):
        raise DataError("a blend whose gain or loss is no number", "numbers", "scoring it anew")
    best = max(blends, key=lambda one: one.gain.value)
    enough = best.gain.value - _error(best.gain.interval)
    near = [one for one in blends if one.gain.value >= enough]
    taken = min(near, key=lambda one: (one.loss.value, -one.gain.value, -(one.alpha or 0.0)))
    return tuple(replace(one, chosen=one is taken) for one in choices)


def _error(within: Interval | None) -> float:
    """The standard error that an interval was made of; 0 where there is none."""
    if within is None:
        return 0.0
    if isfinite(within.high - within.low):
        return (within.high - within.low) / 2 / float(ndtri((1 + within.level) / 2))
    return 0.0


def front(choices: Sequence[Choice]) -> tuple[Choice, ...]:
    """Mark those that no other beats: as good in both and better in one. Of equal ones both stay."""

    def beaten(one: Choice) -> bool:
        return any(
            other.gain.value >= one.gain.value
            and other.loss.value <= one.loss.value
            and (other.gain.value, other.loss.value) != (one.gain.value, one.loss.value)
            for other in choices
        )

    return tuple(replace(one, front=not beaten(one)) for one in choices)


def trade(
    choices: Sequence[Choice],
    part: str,
    measure: str,
    unit: str,
    margin: float,
    *,
    gain: Test | None = None,
    loss: Test | None = None,
    system: str = "tuned",
) -> tuple[Finding, Trade]:
    """Whether the chosen blend keeps the gain within the margin and surely loses less than the tuned model.

    gain: of the chosen blend minus the tuned model on the task's test set, better being more. loss: of the blend minus
    the tuned model on the general set, better being more as well, so that above 0 less was lost. Both of the test set
    and of one blend only; without them nothing is answered, and the choices are shown.
    Both have to hold for a yes, so that each is tested at the full level (intersection-union).
    """
    if not 0 < margin < inf:
        raise ConfigError(f"margin={margin:g}", "a number above 0", "the smallest loss of gain that would matter")
    shown = Trade(part, front(choices), measure, unit)
    taken = [one for one in shown.choices if one.chosen]
    if len(taken) > 1:
        raise DataError(f"{len(taken)} chosen blends", "one, chosen by validation", "`choose`")
    if not taken or gain is None or loss is None:
        why = "No blend was tested on the test set: ask with --blend."
        return replace(not_run("trade", part, why, system), grids=(_grid(shown),)), shown
    kept, saved = _interval(gain), _interval(loss)
    answer: Answer = "cannot tell"
    if kept.low > -margin and saved.low > 0:
        answer = "yes"
    elif kept.high <= -margin or saved.high <= 0:
        answer = "no"
    return Finding(
        "trade",
        "test",
        "MEASURED",
        _told(taken[0], gain, loss, margin, answer),
        answer,
        system,
        loss,
        margin,
        _needed(gain, loss, margin) if answer == "cannot tell" else "",
        _values(taken[0], gain, loss),
        (_grid(shown),),
        ("Alpha was chosen on validation; the blend it gave was tested once. Both parts must hold for a yes.",),
    ), shown


def _interval(test: Test) -> Interval:
    if test.effect.interval is None:
        raise DataError(f"{test.name} without an interval", "an interval of the effect", "a test that has one")
    return test.effect.interval


def _told(one: Choice, gain: Test, loss: Test, margin: float, answer: Answer) -> str:
    """Both effects with their intervals, and what follows from them."""
    kept, saved = _interval(gain), _interval(loss)
    told = f"{one.name} (alpha {number(one.alpha or 0.0)}) changes the gain by {_sized(gain.effect)}, "
    if kept.low > -margin:
        told += f"so that it keeps it within {amount(margin, gain.effect.unit)}, "
    elif kept.high <= -margin:
        told += f"so that it gives up {amount(margin, gain.effect.unit)} or more, "
    else:
        told += f"which may be more than the {amount(margin, gain.effect.unit)} allowed, "
    told += f"and keeps {_sized(loss.effect)} more of what the base could do"
    if saved.low > 0:
        told += ": surely less is lost"
    else:
        told += ": surely no less is lost" if saved.high <= 0 else ", which may be nothing"
    ends = {"yes": "a better trade", "no": "no better trade", "cannot tell": "whether it is a better trade is open"}
    return f"{told}; {ends[answer]}."


def _sized(effect: Estimate) -> str:
    within = effect.interval
    if within is None:
        return amount(effect.value, effect.unit)
    if isfinite(within.low) and isfinite(within.high):
        return f"{amount(effect.value, effect.unit)} ({between(within, effect.unit)})"
    end = f"{amount(within.low, effect.unit)} or more" if isfinite(within.low) else f"up to {number(within.high, 3)}"
    return f"{amount(effect.value, effect.unit)} ({sure(within.level)} {end})"


def _needed(gain: Test, loss: Test, margin: float) -> str:
    """How many times the items would decide what is open, if the effects are as they were seen."""
    times = []
    for test, bound in ((gain, -margin), (loss, 0.0)):
        within, value = _interval(test), test.effect.value
        if within.low <= bound < within.high:
            end = within.low if value > bound or not isfinite(within.high) else within.high
            sides = 2 if isfinite(within.high) and isfinite(within.low) else 1
            z = float(ndtri(1 - (1 - within.level) / sides))
            apart = abs(value - bound)
            times.append((abs(value - end) / apart * (1 + float(ndtri(POWER)) / z)) ** 2 if apart else inf)
    most = max(times, default=inf)
    if not most < 1000:
        return "More than 1,000 times as many items would be needed: what was seen lies on the edge."
    return f"About {number(max(most, 1.1), 2)} times as many items would tell, if the effects are as seen."


def _values(one: Choice, gain: Test, loss: Test) -> dict[str, float | str | None]:
    kept, saved = _interval(gain), _interval(loss)
    return {
        "alpha": one.alpha,
        "gain changed by": gain.effect.value,
        "gain from": kept.low,
        "gain to": kept.high,
        "p of the gain": gain.p,
        "kept more by": loss.effect.value,
        "kept from": saved.low,
        "kept to": saved.high,
        "p of the loss": loss.p,
    }


def _grid(shown: Trade) -> Grid:
    rows = tuple(
        (
            one.name,
            one.alpha,
            one.gain.value,
            *ends_of(one.gain.interval),
            one.loss.value,
            *ends_of(one.loss.interval),
            "yes" if one.front else "",
            "yes" if one.chosen else "",
        )
        for one in shown.choices
    )
    columns = ("system", "alpha", "gain", "from", "to", "loss", "from", "to", "on the front", "chosen")
    return Grid(f"Gain and loss on {shown.part}", columns, rows, f"{shown.measure}, in {shown.unit}", whole=True)
