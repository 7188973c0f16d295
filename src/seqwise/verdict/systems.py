"""Is one system better than another? Every pair of those that were tuned, item by item, as each against the base.

    systems    an answer for each pair, the one with the better score against the other

    yes           it is better: p below 5 % by Holm's correction over all pairs, and the interval leaves out 0
    no            no difference that matters: the interval lies within the margin both ways, and two one-sided tests
                  (Schuirmann 1987), by Holm's correction too, rule out a difference as large either way
    cannot tell   neither; with the items or seeds that would tell

Scores against the base do not answer this: that one gain is shown and another is not says nothing of their difference
(Gelman and Stern 2006, The American Statistician 60, 328). Who has the better score is seen in the data, which a
two-sided test allows for. A pair that is better by less than the margin is "yes", and the margin is told.

Resamples are shared out among the pairs, so that ten systems take no longer than their gains over the base: 10,000 of
one pair, 2,000 at least, of which 45 pairs still have p-values below 5 %.

What a pair could have shown, and what would tell it, are by the p that Holm asks of the smallest, 5 % divided by the
pairs: by 5 % a difference could be larger than what is found four times in five and still not be told.

Left out: an order of all of them at once (Tukey's range, critical differences), and systems beyond the first ten.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from seqwise.errors import SeqwiseError
from seqwise.stats.multiplicity import adjust
from seqwise.stats.phrases import chance as told_p
from seqwise.stats.phrases import counted
from seqwise.stats.results import LEVEL
from seqwise.verdict import draws, origins, shortage
from seqwise.verdict.aligned import Aligned, aligned
from seqwise.verdict.effects import Weighed, weighed
from seqwise.verdict.findings import Answer, Finding, failed, not_run, too_few
from seqwise.verdict.generalization import unchanged
from seqwise.verdict.scored import Scored
from seqwise.verdict.sentence import HOLM
from seqwise.verdict.words import both, limit

Systems = Scored | Sequence[Scored]

MOST = 10
"""Systems, of which there are 45 pairs."""
FEWEST = 2000
"""Resamples of a pair."""
DRAWN = 40
"""Resamples where only the spread is asked for."""
SAME, SAME_HOLM, PAIRS = "p of unchanged", "p of unchanged by Holm", "pairs"
"""Among the values of an answer: the two one-sided tests, and of how many pairs it is one."""


def systems(
    of: Mapping[str, Systems],
    margin: float,
    *,
    level: float = LEVEL,
    resamples: int = draws.RESAMPLES,
    seed: int = draws.SEED,
) -> tuple[Finding, ...]:
    """An answer for each pair, in the order given. margin: the difference that would matter, in the measure's unit."""
    names = list(of)
    couples = list(combinations(names[:MOST], 2))
    drawn = max(min(FEWEST, resamples), resamples // max(1, len(couples)))
    found: dict[tuple[str, str], Weighed] = {}
    same: dict[tuple[str, str], float] = {}
    other: dict[tuple[str, str], Finding] = {}
    for couple in couples:
        first, second = couple
        try:
            data = _ordered(of[first], of[second])
            if few := data.lacking or origins.lacking(data.base[0]):
                other[couple] = too_few("systems", first, few, second)
                continue
            one = weighed(data, level=level, resamples=drawn, seed=seed)
            same[couple] = unchanged(one, margin)
            found[couple] = one
        except (SeqwiseError, ValueError, ArithmeticError) as error:
            other[couple] = failed("systems", first, error, second)
    differ = _holm({couple: one.test.p for couple, one in found.items()})
    alike = _holm(same)
    return (
        *(
            _finding(found[couple], margin, (differ[couple], same[couple], alike[couple]), len(found), level)
            if couple in found
            else other[couple]
            for couple in couples
        ),
        *_beyond(names),
    )


def _ordered(first: Systems, second: Systems) -> Aligned:
    """The one with the better score as the tuned one; of equals the second."""
    data = aligned(first, second)
    before, after = data.values
    return aligned(second, first) if data.measure.good(before - after) else data


def _holm(p: Mapping[tuple[str, str], float]) -> Mapping[tuple[str, str], float]:
    values = np.array([min(1.0, one) for one in p.values()])
    return dict(zip(p, map(float, adjust(values) if len(p) > 1 else values), strict=True))


def _beyond(names: Sequence[str]) -> tuple[Finding, ...]:
    """Those that were not compared."""
    if len(names) < 2:
        return (not_run("systems", "other systems", "One system was weighed, and no other.", *names[:1]),)
    why = f"The first {MOST} of {len(names)} systems are compared with one another; name first what shall be."
    return tuple(not_run("systems", "other systems", why, name) for name in names[MOST:])


def _finding(found: Weighed, margin: float, p: tuple[float, float, float], pairs: int, level: float) -> Finding:
    """One pair. p: of the difference by Holm, of none that matters, the same by Holm."""
    strict = 1 - (1 - level) / pairs
    found = _counted(_strictly(found, strict) if pairs > 1 else found)
    better, other = found.data.names
    holm, same, same_holm = p
    said = answer(found, margin, holm, same_holm, level)
    before, after = found.data.values
    return Finding(
        "systems",
        other,
        "MEASURED",
        _told(found, said, margin, p, pairs),
        answer=said,
        system=better,
        test=found.test,
        margin=margin,
        needed=_needed(found, margin, strict) if said == "cannot tell" else "",
        values={
            "set": found.data.part,
            "measure": found.data.measure.name,
            "gain": found.gain,
            HOLM: holm,
            SAME: same,
            SAME_HOLM: same_holm,
            PAIRS: pairs,
        },
        notes=_seeds(found),
        scores={other: before, better: after},
    )


def _seeds(found: Weighed) -> tuple[str, ...]:
    """Whose luck of training the interval leaves out."""
    if found.data.single:
        return (f"One seed of each: an interval over {found.data.noun} says nothing of another seed.",)
    sides = zip(found.data.names, (found.data.tuned, found.data.base), strict=True)
    return tuple(f"One seed of {name}: the interval says nothing of another one." for name, of in sides if len(of) == 1)


def answer(found: Weighed, margin: float, holm: float, same: float, level: float = LEVEL) -> Answer:
    """Whether the first is better. holm, same: p of the difference and of none that matters, as one of all pairs."""
    if found.shown and holm < 1 - level:
        return "yes"
    within = -margin < found.interval.low and found.interval.high < margin
    return "no" if within and same < 1 - level else "cannot tell"


def _strictly(found: Weighed, level: float) -> Weighed:
    """With what is found four times in five at a stricter level."""
    least = weighed(found.data, level=level, resamples=DRAWN).test.detectable
    return replace(found, test=replace(found.test, detectable=least))


def _counted(found: Weighed) -> Weighed:
    """Seeds by whose they are: here none is of the base."""
    n, whose = dict(found.test.n), found.data.names
    others = n.pop("seeds of the base", 1)
    if "seeds" in n and n["seeds"] != others:
        seeds = n.pop("seeds")
        n |= {f"seeds of {whose[0]}": seeds, f"seeds of {whose[1]}": others}
    return replace(found, test=replace(found.test, n=n))


def _told(found: Weighed, said: Answer, margin: float, p: tuple[float, float, float], pairs: int) -> str:
    better, other = found.data.names
    holm, _, same = p
    where, size = f"on {found.data.part}", limit(margin, found.data.measure.unit)
    among = f", {told_p(holm)} by Holm over {counted(pairs, 'pair')}" if pairs > 1 else ""
    held = " by Holm" if pairs > 1 else ""
    if said == "yes":
        within = -margin < found.interval.low and found.interval.high < margin
        less = f"; it is less than {size}, the difference that would matter" if within else ""
        return f"{better} is better than {other} {where}: {both(found)}{among}{less}."
    if said == "no":
        ruled = f"one of {size} either way is ruled out (two one-sided tests, {told_p(same)}{held})"
        return f"Between {better} and {other} there is no difference that matters {where}: {both(found)}; {ruled}."
    return (
        f"Cannot tell {better} from {other} {where}: {both(found)}{among}; "
        f"a difference is not shown, and one of {size} is not ruled out."
    )


def _needed(found: Weighed, margin: float, level: float) -> str:
    """What would tell the difference that was seen, or the smallest that matters where that is larger."""
    if abs(found.value) >= margin:
        return shortage.told(found, found.value, "a difference as large as the one seen, {}", level)
    return shortage.told(found, margin, "a difference of {}, which would matter", level)
