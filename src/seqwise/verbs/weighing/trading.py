"""Is there a better trade? Weights between base and tuned, and all systems by gain and loss.

Shares are chosen by the validation examples and by every second item of the first general set; the one that was chosen
is then tested on the test set and on the other items, which had no part in the choice.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from seqwise.errors import SeqwiseError
from seqwise.stats.phrases import counted
from seqwise.stats.results import Estimate, Interval, Test
from seqwise.verbs.weighing.asking import Terms
from seqwise.verbs.weighing.blends import Blends, Share, blends, named
from seqwise.verbs.weighing.contenders import FORECAST, TEST, Contender, Field
from seqwise.verbs.weighing.request import Request
from seqwise.verdict.aligned import aligned
from seqwise.verdict.effects import effect
from seqwise.verdict.findings import Finding, failed, not_run, too_few
from seqwise.verdict.scored import Scored
from seqwise.verdict.trade import Choice, Trade, choose, front, trade


def traded(request: Request, terms: Terms, found: Field) -> tuple[Finding, Trade | None]:
    """The answer, and all choices; of the first system and the first general set."""
    one = found.tuned[0]
    general = next((part for part in found.base.parts if part != TEST), None)
    if general is None or TEST not in found.base.parts:
        return not_run("trade", TEST, "It takes a test set and a general set, --general.", one.name), None
    if not request.blend:
        why = "No blend was asked for, --blend."
        if found.task == FORECAST:
            why = "Forecasters are trained each from its own random weights, between which no blend forecasts anything."
        return not_run("trade", TEST, why, one.name), _systems(found, general)
    try:
        return _blended(request, terms, found, one, general)
    except (SeqwiseError, ValueError) as error:
        return failed("trade", TEST, error, one.name), _systems(found, general)


def _blended(
    request: Request, terms: Terms, found: Field, one: Contender, general: str
) -> tuple[Finding, Trade | None]:
    shares = tuple(sorted({0.0, 1.0, *request.blend}))
    sets = {general: request.sets[general]}
    made = blends(
        request.base, one.runs[0], shares, request.valid, request.test, sets, request.metric, request.group_by,
        pick=_picked,
    )  # fmt: skip
    blended = next(share for share in made.shares if share.alpha == made.chosen)
    whole = made.shares[-1]
    tuned = replace(found.tuned[0].parts[TEST][0], system=one.name)
    choices, measure, margin = _choices(made.shares), made.test.measure, terms.margins.of(made.test)
    if made.chosen in (0.0, 1.0):  # no blend, and nothing to compare the tuned model with but itself or the base
        side = "the tuned model itself" if made.chosen else "the base, which gains nothing,"
        untested, shown = trade(choices, "validation", measure.name, measure.unit, margin, system=one.name)
        why = f"Of all shares {side} comes out best on validation, so that no blend was tested."
        return replace(untested, subject=TEST, told=why, notes=_of_what(found, one, general)), shown
    before, after = _half(whole.general[0], 1), _half(blended.general[0], 1)
    if few := aligned(tuned, made.test).lacking or _few(general, aligned(before, after).lacking):
        return too_few("trade", TEST, few, one.name), _systems(found, general)
    kept, saved = better(effect(tuned, made.test), made.test), better(effect(before, after), after)
    answer, shown = trade(
        choices, "validation", measure.name, measure.unit, margin, gain=kept, loss=saved, system=one.name
    )
    notes = (*answer.notes, *_of_what(found, one, general))
    return replace(answer, notes=notes), _beside(found, general, made, blended) or shown


def _few(general: str, lacking: str) -> str:
    """Why nothing is told of the half of a general set that chose no blend."""
    return f"The half of {general} that has no part in the choice has {lacking}" if lacking else ""


def _of_what(found: Field, one: Contender, general: str) -> tuple[str, ...]:
    """What the blends were of, and by which general set they were judged, where there are more."""
    run = f" its first run, {one.runs[0]}, of {counted(len(one.runs), 'run')}" if len(one.runs) > 1 else ""
    system = f" {one.name} of {counted(len(found.tuned), 'system')}" if len(found.tuned) > 1 else ""
    told = f"Blends are of{' and'.join(filter(None, (system, run)))}; others were not blended." if system or run else ""
    sets = len(found.base.parts) - 1
    judged = f"Losses of blends are those on {general}, the first of {sets} general sets." if sets > 1 else ""
    return tuple(filter(None, (told, judged)))


def _beside(found: Field, general: str, made: Blends, blended: Share) -> Trade | None:
    """All systems on the test sets, and the blend that was chosen; of the general set the items that chose nothing."""
    base = found.base.parts[general][0]
    if base.measure != blended.general[0].measure:
        return _systems(found, general)
    shown = _systems(found, general, _rest)
    if shown is None:
        return None
    gained = _gained(found.base.parts[TEST], made.test)
    lost = _lost(_half(base, 1), _half(blended.general[0], 1))
    blend = Choice(named(made.chosen), made.chosen, gained, lost, chosen=True)
    return replace(shown, choices=front([*shown.choices, blend]))


def _picked(shares: Sequence[Share]) -> float:
    """By the rule of `trade.choose`."""
    return next(one.alpha or 0.0 for one in _choices(shares) if one.chosen)


def _choices(shares: Sequence[Share]) -> tuple[Choice, ...]:
    """Each share against the first, which is the base with what the tuned model alone has."""
    first = shares[0]
    return choose(
        [
            Choice(
                named(share.alpha),
                share.alpha,
                _gained(first.valid, share.valid),
                _lost(_half(first.general[0], 0), _half(share.general[0], 0)),
            )
            for share in shares
        ]
    )


def _rest(scored: Scored) -> Scored:
    """The items that choose nothing."""
    return _half(scored, 1)


def _systems(found: Field, general: str, part: Callable[[Scored], Scored] = lambda scored: scored) -> Trade | None:
    """All systems on the test sets; none where differences cannot be told, which the questions about them say.

    part   of the general set: what a blend is held against is measured on the same items
    """
    first, measure = found.base.parts, found.base.parts[TEST][0].measure
    base = list(map(part, first[general]))
    choices = []
    for one in found.tuned:
        general_ = list(map(part, one.parts[general]))
        if aligned(first[TEST], one.parts[TEST]).lacking or aligned(base, general_).lacking:
            return None
        try:
            gained, lost = _gained(first[TEST], one.parts[TEST]), _lost(base, general_)
        except SeqwiseError:
            return None
        choices.append(Choice(one.name, None, gained, lost))
    return Trade(TEST, front(choices), measure.name, measure.unit)


def _gained(base: Scored | Sequence[Scored], tuned: Scored | Sequence[Scored]) -> Estimate:
    first, *others = [*_listed(base), *_listed(tuned)]
    if all(one.ids == first.ids and np.array_equal(one.values, first.values) for one in others):  # the base as a share
        return Estimate(f"{others[-1].system} minus {first.system}", 0.0, Interval(0.0, 0.0), first.measure.unit)
    return better(effect(base, tuned), first).effect


def _lost(base: Scored | Sequence[Scored], tuned: Scored | Sequence[Scored]) -> Estimate:
    found = _gained(base, tuned)
    return replace(found, value=-found.value, interval=found.interval.turned if found.interval else None)


def better(test: Test, scored: Scored) -> Test:
    """The same test, with better being more."""
    if not scored.measure.lower:
        return test
    told = test.effect
    turned = replace(told, value=-told.value, interval=told.interval.turned if told.interval else None)
    return replace(test, effect=turned)


def _half(scored: Scored, which: int) -> Scored:
    """Every second item; of clusters every second one, whole."""
    if not scored.clusters:
        return scored.select(np.arange(which, len(scored), 2))
    _, codes = np.unique(np.array(scored.clusters), return_inverse=True)
    return scored.select(np.flatnonzero(codes.reshape(-1) % 2 == which))


def _listed(scored: Scored | Sequence[Scored]) -> Sequence[Scored]:
    return [scored] if isinstance(scored, Scored) else scored
