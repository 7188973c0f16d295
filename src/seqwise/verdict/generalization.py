"""Has it lost what it could do before? On each general set: whether a loss as large as a margin can be ruled out.

    generalization    an answer for each set
    default_margin    what a loss has to reach to matter, where the user does not say

    no            a loss of the margin or more is ruled out (non-inferiority, one-sided at 5 %), even if a smaller loss
                  is shown
    yes           it is not ruled out, and a loss is shown: two-sided, p by Holm's correction over all sets
    cannot tell   neither; with the number of items that would tell

That no difference is found shows nothing, so that it never answers "no". To rule out a loss on each of several sets
needs no correction (each has to pass); to claim that some set lost does. Tests against the margin: Tango's score test
of right or wrong (Wald's is too liberal), Student's t of all else, with clusters, seeds and origins as in `effects.py`.

Default margins. They have to be chosen before data are seen, so that the user's own is always better.

    right or wrong          1 point           as accuracies are read in whole points
    BLEU, chrF, macro-F1    1                 people cannot tell systems apart that differ by less than about 1 BLEU
    ROUGE                   0.5               as its systems lie closer together than BLEU's
    perplexity              2 % of the base   0.02 nats a token, below what a change of the corpus's edition makes
    nats a token            0.02              the same
    MAE, CRPS of forecasts  5 % of the base   half of the nearly 10 % that parted the winner of the M4 competition from
                                              its benchmark of combined forecasts (Makridakis et al. 2020)
    other numbers           2 % of the base   as nothing is known of their scale; of its size, where some are below 0

Left out: forgetting along a chain of tasks (backward transfer).
"""

from collections.abc import Mapping, Sequence
from math import inf

import numpy as np
from scipy.special import ndtri

from seqwise.errors import ConfigError, DataError
from seqwise.stats.crossing import crossing
from seqwise.stats.margins import no_worse_share
from seqwise.stats.multiplicity import adjust
from seqwise.stats.phrases import chance as told_p
from seqwise.stats.phrases import number, sure
from seqwise.stats.power import POWER
from seqwise.stats.proportions import paired_above
from seqwise.stats.results import LEVEL, Estimate, Interval, Test
from seqwise.verdict import draws, shortage
from seqwise.verdict.aligned import Aligned, aligned
from seqwise.verdict.constant import NOTHING, Unvaried
from seqwise.verdict.effects import Weighed, weighed
from seqwise.verdict.findings import Answer, Finding, failed, too_few
from seqwise.verdict.flips import Flips, SeedFlips
from seqwise.verdict.groups import by_group
from seqwise.verdict.scored import Measure, Scored
from seqwise.verdict.words import both, limit

Systems = Scored | Sequence[Scored]

POINT = 1.0
HALF = 0.5
RELATIVE = 0.02
NATS = 0.02
FORECASTS = 0.05


def default_margin(measure: Measure, base: float = 0.0) -> float:
    """In the unit of the measure. base: the base's score, or `Scored.size`, of which some margins are a share."""
    name = measure.name.lower()
    unknown = measure.kind == "score" and not measure.unit  # a number whose scale nobody told
    points = () if unknown else ("bleu", "chrf", "f1", "accuracy")
    if measure.kind == "right" or any(known in name for known in points):
        return POINT
    if "rouge" in name and not unknown:
        return HALF
    if "nats" in name or "nats" in measure.unit:
        return NATS
    if name in ("mae", "crps"):
        return FORECASTS * abs(base) or FORECASTS
    return RELATIVE * abs(base) or RELATIVE


def no_worse(found: Weighed, margin: float, level: float = LEVEL) -> Test:
    """The test against the margin. Its effect is the gain, better being more; its null: the loss is the margin."""
    if not 0 < margin < inf:
        raise ConfigError(f"margin={margin:g}", "a number above 0", "the smallest loss that would matter")
    data, value = found.data, found.gain
    name = f"{'loss by ' if data.measure.lower else ''}{data.measure.name} of {' minus '.join(data.names)}"
    test = found.test.name.replace("approximate randomization", "t-test of the jackknife")
    test = test.replace(NOTHING, "difference of 0 for each item")
    if found.chance is None:
        gained, lost = _turned(found)
        if margin >= 100:
            raise ConfigError(f"margin={margin:g} points", "below 100 points", "1, a point")
        return no_worse_share(gained, lost, data.items, margin / 100, data.names, level=level)
    luck, unit, flips = found.chance, data.measure.unit, _flips(found)
    if flips is not None:
        t, p = flips.t(-margin), flips.above(-margin)
        low = crossing(lambda difference: flips.above(difference), _lowest(found), value, 1 - level)
    else:
        t, p = (value + margin) / luck.error, _ruled_out(found, margin)
        low = -_smallest(found, level)
    return Test(
        name=f"{test} against the margin",
        null=f"{data.names[0]} is worse than {data.names[1]} by {limit(margin, unit)} or more",
        symbol="t",
        statistic=t,
        df=(luck.df,),
        p=p,
        n=data.n,
        effect=Estimate(name, value, Interval(low, inf, level), unit),
        why="the question is whether a loss is smaller than the margin; that none is found would not show it",
        detectable=Estimate("margin met four times in five without a loss", _met(found, level), None, unit),
    )


def _met(found: Weighed, level: float) -> float:
    """The smallest margin that is ruled out four times in five where nothing is lost; of right or wrong none that
    would not be ruled out even without a flip."""
    least = 0.0 if found.chance is None else found.chance.detectable(level, 1)
    if isinstance(found.flips, Flips | SeedFlips):
        worth = found.flips.n / (found.flips.effect if isinstance(found.flips, SeedFlips) else 1.0)
        if isinstance(found.flips, Flips):
            alone = found.flips.single
            least = max(least, float(ndtri(level) + ndtri(POWER)) * alone.error, alone.unflipped(level))
        square = float(ndtri(level)) ** 2
        least = max(least, 100 * square / (worth + square))
    return least


def _flips(found: Weighed) -> Flips | SeedFlips | Unvaried | None:
    """What tells a margin by itself, better being gained."""
    return found.flips.turned if found.flips is not None and found.data.measure.lower else found.flips


def _lowest(found: Weighed) -> float:
    """Where the largest loss that is not ruled out is looked for."""
    return found.gain - 2 * found.flips.reach if isinstance(found.flips, Unvaried) else -100.0


def _ruled_out(found: Weighed, margin: float) -> float:
    """p that the loss is the margin or more: the larger of Student's and, of one training, Johnson's modified t.

    Where a few items lost a lot, as forgetting has it, Student's one-sided t errs in 10 % of worlds of 30 items in
    place of 5; the modified t (Johnson 1978, Journal of the American Statistical Association 73, 536) in 6.
    """
    luck = found.chance
    if luck is None:
        raise TypeError("of items that flip there is no spread")
    student = luck.above((found.gain + margin) / luck.error)
    if not found.data.single or found.data.ahead:
        return student
    units = found.data.tables()[0][0] * (-1.0 if found.data.measure.lower else 1.0)
    n, away = len(units), units - units.mean()
    if n < 3:
        return student
    square, third = float(away @ away) / (n - 1), float((away**3).sum()) * n / ((n - 1) * (n - 2))
    m = found.gain + margin
    if not square:
        return student
    johnson = (m + third / (6 * square * n) + third * m * m / (3 * square * square)) / luck.error
    return max(student, luck.above(johnson)) if m > 0 else student


def _smallest(found: Weighed, level: float) -> float:
    """The smallest margin that is ruled out; below 0 where a gain is shown."""
    if found.chance is None:
        raise TypeError("of items that flip there is no spread")
    least = found.chance.critical(level, 1) * found.chance.error - found.gain
    if _ruled_out(found, least + 1e-9 * abs(least)) <= 1 - level:
        return least
    return crossing(lambda margin: _ruled_out(found, margin), least, least + 20 * found.chance.error, 1 - level)


def unchanged(found: Weighed, margin: float) -> float:
    """p of the larger of two one-sided tests (TOST): below 5 %, a change of the margin either way is ruled out."""
    if found.chance is None:
        gained, lost = _turned(found)
        n, share = found.data.items, margin / 100
        return max(paired_above(gained, lost, n, -share), paired_above(lost, gained, n, -share))
    flips = _flips(found)
    if flips is not None:
        return max(flips.above(-margin), flips.turned.above(-margin))
    return found.chance.above((margin - abs(found.value)) / found.chance.error)


def _turned(found: Weighed) -> tuple[int, int]:
    """Items that became better and worse: where what is counted are errors, the other way round."""
    gained, lost = (int(one) for one in found.data.flips)
    return (lost, gained) if found.data.measure.lower else (gained, lost)


def generalization(
    base_sets: Mapping[str, Systems],
    tuned_sets: Mapping[str, Systems],
    margin: float | Mapping[str, float] | None = None,
    level: float = LEVEL,
    *,
    resamples: int = draws.RESAMPLES,
    seed: int = draws.SEED,
) -> tuple[Finding, ...]:
    """An answer for each set. margin: in the unit of each measure, of all or by set; none: its default."""
    margins = margin if isinstance(margin, Mapping) else dict.fromkeys(base_sets, margin)
    if set(base_sets) != set(tuned_sets):
        odd = sorted(set(base_sets) ^ set(tuned_sets))[0]
        given = f"scores on {odd!r} of {'the base' if odd in base_sets else 'the tuned model'} only"
        raise DataError(given, "the same sets of both", "scoring both on it")
    found: dict[str, Weighed] = {}
    few: dict[str, Aligned] = {}
    wrong: dict[str, Exception] = {}
    for name, base in base_sets.items():
        try:
            data = aligned(base, tuned_sets[name])
            if data.lacking:
                few[name] = data
            else:
                found[name] = weighed(data, level=level, resamples=resamples, seed=seed)
        except (DataError, ArithmeticError) as error:
            wrong[name] = error
    p = np.array([one.test.p for one in found.values()])
    holm = dict(zip(found, map(float, adjust(p) if len(p) > 1 else p), strict=True))
    return tuple(
        _finding(name, found[name], holm[name], len(holm), margins.get(name), level, resamples)
        if name in found
        else too_few("generalization", name, few[name].lacking, few[name].names[0])
        if name in few
        else failed("generalization", name, wrong[name])
        for name in base_sets
    )


def _finding(
    name: str, found: Weighed, holm: float, sets: int, margin: float | None, level: float, resamples: int
) -> Finding:
    """One set."""
    measure, (before, after) = found.data.measure, found.data.values
    size = float(np.mean([one.size for one in found.data.base]))
    limit_ = default_margin(measure, size) if margin is None else margin
    ruled = no_worse(found, limit_, level)
    loss = found.gain < 0 and found.shown and holm < 1 - level
    said: Answer = "no" if ruled.rejected else "yes" if loss else "cannot tell"
    same = unchanged(found, limit_)
    values: dict[str, float | str | None] = {
        "p against the margin": ruled.p,
        "p of unchanged": same,
        "gain": found.gain,
        "p by Holm": holm,
        "measure": measure.name,
    }
    notes = [_against(ruled, limit_, found), *_extra(found, same, limit_, holm, sets, level)]
    if measure.kind == "right":
        learnt, forgotten = found.data.flips[::-1] if measure.lower else found.data.flips
        values |= {"forgotten": forgotten, "learnt": learnt}
        notes.append(f"{number(forgotten)} items forgotten (right before, wrong now), {number(learnt)} learnt.")
    grids, more = by_group(found, level, resamples)
    return Finding(
        "generalization",
        name,
        "MEASURED",
        _told(found, said, loss, limit_),
        answer=said,
        system=found.data.names[0],
        test=found.test,
        margin=limit_,
        needed=_needed(found, limit_, level) if said == "cannot tell" else "",
        values=values,
        grids=grids,
        notes=(*notes, *more),
        scores={found.data.names[1]: before, found.data.names[0]: after},
    )


def _told(found: Weighed, said: Answer, loss: bool, margin: float) -> str:
    tuned, base = found.data.names
    where, size = f"on {found.data.part}", limit(margin, found.data.measure.unit)
    if said == "yes":
        gain = found.interval.turned if found.data.measure.lower else found.interval
        beyond, open_ = f"the loss is more than {size}, the margin", f"a loss of {size} or more is not ruled out"
        much = beyond if gain.high < -margin else open_
        return f"{tuned} lost against {base} {where}: {both(found)}; {much}."
    if said == "no" and loss:
        return f"{tuned} lost a little against {base} {where}, but less than {size}, the margin: {both(found)}."
    if said == "no":
        return f"{tuned} lost less than {size} against {base} {where}, if anything: {both(found)}."
    return (
        f"Cannot tell whether {tuned} lost against {base} {where}: {both(found)}; "
        f"a loss of {size} is neither shown nor ruled out."
    )


def _against(ruled: Test, margin: float, found: Weighed) -> str:
    low = ruled.effect.interval.low if ruled.effect.interval else -inf
    size = limit(margin, found.data.measure.unit)
    most = number(max(0.0, -low), 3)
    level = ruled.effect.interval.level if ruled.effect.interval else LEVEL
    return f"{ruled.name}, {size}: {told_p(ruled.p)}; the loss is at most {most} (one-sided {sure(level)})."


def _extra(found: Weighed, same: float, margin: float, holm: float, sets: int, level: float) -> list[str]:
    size = limit(margin, found.data.measure.unit)
    word = "ruled out" if same < 1 - level else "not ruled out"
    notes = [f"Unchanged? A change of {size} or more either way is {word} (two one-sided tests, {told_p(same)})."]
    if sets > 1:
        notes.append(f"Over {sets} sets Holm's correction makes it {told_p(holm)}.")
    return notes


def _needed(found: Weighed, margin: float, level: float) -> str:
    """Items that would rule the margin out, or show the loss that was seen."""
    n, size = found.data.many, limit(margin, found.data.measure.unit)
    for difference, what in ((0.0, "if nothing is lost in truth"), (found.gain, "if the loss is as seen in truth")):
        wanted = shortage.harmless(found, margin, difference, level)
        if n < wanted <= shortage.MOST_ITEMS:
            told = f"{int(wanted):,} {found.data.noun} like these (now {n:,}) would rule out a loss of {size}"
            return f"{told}, four times in five {what}."
    if found.gain < 0:
        return shortage.told(found, found.value, "a loss as large as the one seen, {}", level)
    return shortage.told(found, margin, "a loss of {}", level)
