"""What was learnt by heart: the loss on items that were trained on against that on items like them that were not.

    effect      mean loss of unseen items - mean loss of trained items                    H0: it is 0 (Welch)
    with base   mean fall of trained items - mean fall of unseen ones, fall = loss before tuning - loss after
    strength    the share of pairs (one trained, one unseen) in which the trained item has less loss, or fell further

The strength is the AUC of the simplest membership inference: whoever sees the losses guesses what was trained on (Yeom
et al. 2018, 3.2); 50 % is guessing. The untouched model's losses take off what made items easy before anybody tuned on
them (Watson et al. 2022, difficulty calibration), and the difference of differences is paired within each item.

It is told by the strength, since with enough items any training leaves some difference: yes where its interval lies
above `LIMIT`, no where it lies below. Left out: attacks with shadow models, which find more (Carlini et al. 2022); a
"no" is one about the loss, not a promise of privacy.
"""

from dataclasses import dataclass
from math import ceil

import numpy as np
from jaxtyping import Float

from seqwise.errors import ConfigError, DataError
from seqwise.stats.discrimination import auc
from seqwise.stats.means import welch
from seqwise.stats.phrases import between, counted, number, percent, shares_within
from seqwise.stats.ranks import above_interval
from seqwise.stats.results import Estimate, Grid, Interval, Test
from seqwise.stats.samples import sample
from seqwise.verdict.findings import Answer, Finding, too_few

# N trained items, M unseen ones

Losses = Float[np.ndarray, "_"]
SUBJECT = "by heart"
UNIT = "nats"
LIMIT = 0.6
"""Share of pairs told apart from which on items count as learnt by heart: an advantage of some 0.2 over guessing."""
LEAST = 10
"""Items of each kind."""
MANY = 1_000_000
"""Items that nobody has."""


@dataclass(frozen=True)
class _Half:
    """One kind of item."""

    losses: Losses
    base: Losses | None

    @property
    def told(self) -> Losses:
        """By which the kinds are compared: how far the loss fell, or how low it is."""
        return -self.losses if self.base is None else self.base - self.losses


def memorised(
    trained: Losses,
    unseen: Losses,
    base_trained: Losses | None = None,
    base_unseen: Losses | None = None,
    *,
    system: str = "tuned",
    limit: float = LIMIT,
) -> Finding:
    """Whether training items were learnt by heart.

    Args:
        trained: Losses of items that were trained on, in nats.
        unseen: Losses of comparable items that were not: from the same source, of the same kind and length.
        base_trained: Losses of the untouched model on the first, in the same order; None where not measured.
        base_unseen: The same of the second.
        system: Its name.
        limit: Share of pairs told apart from which on it counts.
    """
    if not 0.5 < limit < 1:
        raise ConfigError(f"a limit of {limit:g}", "a share above 0.5, which is guessing, and below 1", f"{LIMIT:g}")
    if (base_trained is None) != (base_unseen is None):
        given = "losses of the untouched model on one kind of item only"
        raise DataError(given, "on both, or on neither", "scoring the base on trained and on unseen items")
    halves = _half(trained, base_trained, "trained items"), _half(unseen, base_unseen, "unseen items")
    counts = len(halves[0].losses), len(halves[1].losses)
    if min(counts) < LEAST:
        why = f"{counts[0]:,} trained and {counts[1]:,} unseen items: {LEAST} of each at least are needed."
        return too_few("overfitting", SUBJECT, why, system)
    test = _test(*halves)
    strength = told_apart(halves[0].told, halves[1].told)
    answer = _answer(test, strength, limit)
    return Finding(
        "overfitting",
        SUBJECT,
        "MEASURED",
        _sentence(system, _size(test.effect, base_trained is not None), strength, answer, limit),
        answer,
        system,
        test,
        needed=_needed(strength, counts, limit) if answer == "cannot tell" else "",
        values=_values(halves, strength),
        grids=(_grid(system, halves),),
        notes=_notes(halves),
    )


def told_apart(trained: Losses, unseen: Losses) -> Estimate:
    """The share of pairs in which the trained item has the higher value, ties half, with its interval: DeLong's, and
    Newcombe's where all pairs or none are told apart and the former has no spread."""
    m, n = len(trained), len(unseen)
    found = auc(np.repeat([1.0, 0.0], [m, n]), np.concatenate([trained, unseen]))
    interval = found.interval or above_interval(found.value, m, n)
    return Estimate("share of pairs told apart", found.value, interval)


def _half(losses: Losses, base: Losses | None, name: str) -> _Half:
    found = sample(losses, f"losses of {name}", 1)
    if base is None:
        return _Half(found, None)
    before = sample(base, f"losses of the untouched model on {name}", 1)
    if len(before) != len(found):
        given = f"{len(found):,} losses of {name} and {len(before):,} of the untouched model on them"
        raise DataError(given, "both of each item", "scoring both on the same items")
    return _Half(found, before)


def _test(trained: _Half, unseen: _Half) -> Test:
    names = ("trained items", "unseen items")
    if trained.base is None:
        return welch(unseen.losses, trained.losses, (names[1], names[0]), name="loss", unit=UNIT)
    return welch(trained.told, unseen.told, names, name="the fall in loss by tuning", unit=UNIT)


def _ends(strength: Estimate) -> Interval:
    return strength.interval or Interval(0.0, 1.0)


def _answer(test: Test, strength: Estimate, limit: float) -> Answer:
    """Yes takes both: pairs told apart beyond the limit, and a mean difference that is no chance."""
    if _ends(strength).high < limit:
        return "no"
    sure = test.rejected and test.effect.value > 0
    return "yes" if _ends(strength).low > limit and sure else "cannot tell"


def _sentence(system: str, told: str, strength: Estimate, answer: Answer, limit: float) -> str:
    shown = f"{percent(strength.value)} of pairs ({shares_within(_ends(strength))}; 50 % is guessing)"
    how = f"{told}, and by it {shown} are told apart"
    if answer == "yes":
        return f"{system} knows training items by heart: {how}."
    if answer == "no":
        return f"{system} knows training items hardly by heart: {how}, under the limit of {percent(limit)}."
    return f"Cannot tell whether {system} knows training items by heart: {how}; the limit is {percent(limit)}."


def _size(effect: Estimate, fell: bool) -> str:
    """The difference in losses. fell: whether it is one of falls from the untouched model's."""
    size = f"{number(abs(effect.value), 3)} {UNIT}"
    interval = f" ({between(effect.interval, UNIT)})" if effect.interval else ""
    if fell:
        side = "further" if effect.value >= 0 else "less far"
        return f"tuning brought the loss down {size} {side} on them than on comparable unseen items{interval}"
    side = "less" if effect.value >= 0 else "more"
    return f"its loss on them is {size} {side} than on comparable unseen items{interval}"


def _needed(strength: Estimate, counts: tuple[int, int], limit: float) -> str:
    """Widths shrink with the root of the items."""
    ends, distance = _ends(strength), abs(strength.value - limit)
    half = max(ends.high - strength.value, strength.value - ends.low)
    items = ceil(min(counts) * (half / distance) ** 2) if distance * MANY**0.5 > half else MANY
    if items >= MANY:
        return "No number of items that anybody has would tell: the share lies at the limit."
    more = max(items, min(counts) + 1)
    return f"Some {more:,} trained items and as many unseen ones would tell what was learnt by heart."


def _values(halves: tuple[_Half, _Half], strength: Estimate) -> dict[str, float | str | None]:
    trained, unseen = halves
    base = [None if half.base is None else float(half.base.mean()) for half in halves]
    ends = _ends(strength)
    return {
        "loss on trained items": float(trained.losses.mean()),
        "loss on unseen items": float(unseen.losses.mean()),
        "base's loss on trained items": base[0],
        "base's loss on unseen items": base[1],
        "pairs told apart": strength.value,
        "pairs told apart, low": ends.low,
        "pairs told apart, high": ends.high,
    }


def _grid(system: str, halves: tuple[_Half, _Half]) -> Grid:
    rows = []
    for name, half in zip(("trained", "unseen"), halves, strict=True):
        base = None if half.base is None else float(half.base.mean())
        rows.append((name, len(half.losses), base, float(half.losses.mean()), float(np.median(half.losses))))
    columns = ("items", "n", "base, mean", "mean", "median")
    return Grid(f"{system}: loss on trained and on unseen items", columns, tuple(rows), f"In {UNIT}.")


def _notes(halves: tuple[_Half, _Half]) -> tuple[str, ...]:
    """Whether the items were alike before anybody tuned on them."""
    trained, unseen = halves
    if trained.base is None or unseen.base is None:
        return ("Taken for granted: trained and unseen items are alike. The untouched model's losses would show it.",)
    before = told_apart(-trained.base, -unseen.base)
    if 0.5 in _ends(before):
        return ()
    easier = "easier" if before.value > 0.5 else "harder"
    shown = f"{percent(before.value)} of pairs ({shares_within(_ends(before))})"
    told = f"The untouched model already found the trained items {easier}, in {shown}: the kinds were not alike."
    return (
        f"{told} What it knew is taken off; {counted(len(unseen.losses), 'unseen item')} like them would be better.",
    )
