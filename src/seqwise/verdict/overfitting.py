"""Whether a model overfits: where validation turned along the journal, and what stopping there would have spared.

    yes           in more than half of the runs of a system validation turned (`trend.py`), and the rise may be more
                  than the margin
    no            in all of them the whole interval of the rise lies within the margin
    cannot tell   neither; with what would tell

Default margins, for they have to be chosen before data are seen:

    losses and CRPS    5 % of the lowest    the order of what a loss moves from one seed to the next
    densities          0.05 nats a value    what errors and spread that are 5 % larger add to a negative logarithm of a
                                            density, log 1.05; it may be below 0, so that no share of it means anything

Left out: what was learnt by heart, which is told by `memorisation`; which weights to keep, which the trainer chose.
"""

from collections.abc import Sequence
from math import ceil, isfinite

import numpy as np

from seqwise.errors import ConfigError, DataError
from seqwise.stats.phrases import amount, between, counted, joined, number, percent
from seqwise.stats.results import Cell, Estimate, Grid, ends_of
from seqwise.verdict.cost import HOUR
from seqwise.verdict.findings import Answer, Finding, not_run, too_few
from seqwise.verdict.rise import LEAST
from seqwise.verdict.trend import Trend

MARGIN = 0.05
"""Share of the lowest validation loss by which it may rise and nobody would mind."""
NATS = 0.05
"""The same of densities, a value that is foreseen."""


def overfitting(
    trends: Sequence[Trend],
    *,
    margin: float | None = None,
    subject: str = "validation",
    price_per_hour: float | None = None,
    currency: str = "USD",
) -> Finding:
    """Whether the runs of one system overfit.

    margin: in the unit of the losses; None: the default. price_per_hour: of the machine, for what stopping early would
    have spared.
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
        more = ", or give the losses of the items" if trends[0].kind == "items" else ""
        return too_few("overfitting", subject, f"{why}{more}.", system)
    margin = _margin(told) if margin is None else margin
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


def _margin(trends: Sequence[Trend]) -> float:
    """Where none is given."""
    return NATS if trends[0].kind == "densities" else MARGIN * float(np.mean([one.lowest for one in trends]))


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
    effect, unit, falling = _effect(one), one.unit, one.best == one.looks[-1].step
    interval = between(effect.interval, unit) if effect.interval else ""
    interval, (many, count) = f"as a rise: {interval}" if falling else interval, runs
    which = "the worse" if count == 2 else "the middle one"
    rise = f"{f'in {which} of {count} runs{_seed(one)}, ' if count > 1 else ''}{_rise(one)}"
    of = f" in {many} of {count} runs" if count > 1 else ""
    if answer == "no" and falling:
        chance = "its jitter" if one.by == "looks" else f"the losses of {counted(one.items, 'item')} ({interval})"
        return f"{one.system} does not overfit: {rise}, and no rise beyond {amount(margin, unit)} fits {chance}."
    if answer == "no":
        return f"{one.system} does not overfit: {rise} ({interval}), within the margin of {amount(margin, unit)}."
    if answer == "cannot tell":
        told = f"{rise} ({interval}), the margin is {amount(margin, unit)}"
        return f"Cannot tell whether {one.system} overfits{f' (it does{of})' if many else ''}: {told}."
    turn = f", and from step {one.turned} on it is above that beyond chance" if one.turned is not None else ""
    return f"{one.system} overfits{of}: {rise} ({interval}){turn}; {_stopping(one, money)}{_kept(one)}."


def _seed(one: Trend) -> str:
    return "" if one.seed is None else f", that of seed {one.seed}"


def _rise(one: Trend) -> str:
    """How far the end lies above the lowest look; of some items alone it is said that the lowest is theirs."""
    size, unit, last = f"{number(abs(_effect(one).value), 3)} {one.unit}", one.unit, one.looks[-1].step
    loss = f"the loss of {one.items:,} validation items" if one.items < one.whole and one.by == "items" else ""
    loss = loss or "validation loss"
    if one.best == last:
        next_ = f", {size} below the next lowest look" if one.by == "items" else ""
        return f"{loss} is lowest at the end, {amount(one.end, unit)} at step {last}{next_}"
    if _effect(one).value < 0:  # the lowest look was picked by the means over all items
        return f"at the end {loss} is {size} below that at step {one.best}, where the mean over all was lowest"
    return f"at the end {loss} is {size} above its lowest, at step {one.best}"


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
        if one.kind != "items":
            return "Looking more often would tell more."
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
        "lowest validation loss": one.lowest,
        "validation loss at the end": one.end,
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
        rows.append((one.seed, one.best, one.turned, one.lowest, one.end, *rise, *ends_of(one.gap), one.saved))
    note = "Gap: validation minus training loss at the end. Spared: by stopping at the best step."
    note = f"Losses in {trends[0].unit}. {note}"
    return Grid(f"{trends[0].system}: validation along the runs", (*columns, "spared"), tuple(rows), note)


def _notes(trends: Sequence[Trend], short: int) -> tuple[str, ...]:
    found = []
    if any(one.by == "looks" for one in trends):
        items = ": losses item by item would take in that of the items" if trends[0].kind == "items" else ""
        found.append(f"Chance is the jitter of the looks alone{items}.")
    if some := [one for one in trends if one.items and one.items < one.whole]:
        which = f"{some[0].items:,} of the {some[0].whole:,} validation items"
        found.append(f"Best step, losses, rise and chance are those of {which}.")
    if any(one.saved for one in trends):
        found.append("Stopping early needs some looks beyond the best one, so that a little less is spared than said.")
    if short:
        found.append(f"{counted(short, 'run')} had too few looks to be counted.")
    return tuple(found)
