"""Two systems on the same items: how much better or worse the tuned one is, and how sure that is.

    effect     a test, chosen and explained
    weighed    the same, with all that margins and numbers of items are computed of

    scores          items stand alone                                  items in clusters
    right or wrong  McNemar's mid-p, Tango's interval                  Tango's of effective items (`flips.py`)
                    (of 50 items or fewer by its own distribution, `stats/fewpairs.py`)
    numbers         Student's t of differences, sign flips beside it   Student's t of clusters (`clustered.py`)
    counts          swaps for p, the jackknife's t for the interval    the same, by the jackknife of clusters

    several seeds   seeds x units at once, whatever the scores are (`seeds.py`)
    forecasts       from successive origins, one or several seeds: Diebold and Mariano's (`origins.py`)

The effect is tuned minus base, in the unit of the measure. Differences are told only where p is below 5 % and the
interval leaves out 0. Of counts (BLEU, macro-F1, perplexity) the percentile bootstrap was measured beside the
jackknife's t: over 30 items its 95 % interval covered 92 to 93 % and over 200 93 to 95 %, the jackknife's 94 to 97 and
95 to 96 %. So the jackknife's is the interval, and the bootstrap's stands in the notes.

Left out: comparisons of different items; two seeds of one system against each other (`luck.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from seqwise.errors import ConfigError, DataError
from seqwise.stats import means
from seqwise.stats.assumptions import INDEPENDENT, normal_means
from seqwise.stats.phrases import chance as told_p
from seqwise.stats.phrases import number, percent, sure
from seqwise.stats.power import flips_effect
from seqwise.stats.proportions import mcnemar, paired_name, paired_shares
from seqwise.stats.results import LEVEL, Assumption, Estimate, Interval, Test
from seqwise.stats.samples import differing
from seqwise.verdict import clustered, draws, origins
from seqwise.verdict.aligned import Aligned, aligned
from seqwise.verdict.clusters import freedom, jackknife_error
from seqwise.verdict.constant import SIGNS, Unvaried, alike, few_alike, nothing, same, steady
from seqwise.verdict.flips import Flips, SeedFlips
from seqwise.verdict.scored import Scored
from seqwise.verdict.seeds import FOUND, Chance, Crossed, crossed

BOOTSTRAP = 30
"""Units: of fewer the percentile bootstrap is too narrow to be shown (at 8 it covers 87 % in place of 95)."""
MANY = 20_000
"""Items: beyond them counts are not drawn anew for a note; the interval does not need it."""
BOTH = "Behrens and Fisher and Ghosh and Kim"


@dataclass(frozen=True, eq=False)
class Weighed:
    """A difference and what it was computed of."""

    test: Test
    data: Aligned
    chance: Chance | None
    """None of right or wrong by single items, which counts flips."""
    crossed: Crossed | None = None
    """Of several seeds."""
    flips: Flips | SeedFlips | Unvaried | None = None
    """What answers for a difference by itself: of right or wrong by clusters or seeds, and of what has no spread."""

    @property
    def value(self) -> float:
        """Tuned minus base."""
        return self.test.effect.value

    @property
    def gain(self) -> float:
        """The same, better being more."""
        return -self.value if self.data.measure.lower else self.value

    @property
    def interval(self) -> Interval:
        """Of the effect."""
        found = self.test.effect.interval
        return found if found else Interval(-np.inf, np.inf)

    @property
    def shown(self) -> bool:
        """Whether test and interval agree that there is a difference, and enough stands behind them."""
        return self.test.rejected and 0 not in self.interval and not self.data.lacking


def effect(
    base: Scored | Sequence[Scored],
    tuned: Scored | Sequence[Scored],
    *,
    level: float = LEVEL,
    resamples: int = draws.RESAMPLES,
    seed: int = draws.SEED,
) -> Test:
    """Tuned minus base on the same items: several scores of a system are those of several seeds of its training."""
    return weighed(aligned(base, tuned), level=level, resamples=resamples, seed=seed).test


def weighed(
    data: Aligned, *, level: float = LEVEL, resamples: int = draws.RESAMPLES, seed: int = draws.SEED
) -> Weighed:
    """The test that these scores ask for."""
    if not 0.5 <= level < 1:
        raise ConfigError(f"level={level:g}", "a share from 0.5 to below 1", "0.95")
    try:
        return _chosen(data, level, resamples, seed)
    except ArithmeticError as error:
        given = f"scores of {data.names[0]} and {data.names[1]} on {data.part} that end in a {error}"
        raise DataError(
            given, "differences with a spread", "looking whether the scores are what they should be"
        ) from None


def _chosen(data: Aligned, level: float, resamples: int, seed: int) -> Weighed:
    """By the kind of the scores, and by what belongs together."""
    if data.measure.kind == "right" and not any(data.flips):
        return _right(data, level) if data.codes is None else _clustered(data, level)  # no spread to tell seeds by
    if data.measure.kind != "right" and same(data):
        return _spreadless(data, *nothing(data, level))
    units = alike(data)
    if 0 < units < SIGNS and not data.ahead:
        raise few_alike(data, units)
    if units >= SIGNS:
        return _spreadless(data, *steady(data, units, level))
    if not data.single:
        return _seeds(data, level)
    if data.ahead:
        test, chance = origins.compared(data, data.difference, level)
        return Weighed(test, data, chance)
    if data.codes is not None:
        return _clustered(data, level)
    if data.measure.kind == "right":
        return _right(data, level)
    if data.measure.kind == "score":
        return _scores(data, level, resamples, seed)
    return _counts(data, level, resamples, seed)


def _spreadless(data: Aligned, test: Test, without: Unvaried) -> Weighed:
    """With an error that the interval stands for."""
    df = max(1.0, len(data.sizes) - 1.0)
    within = test.effect.interval or Interval(-np.inf, np.inf)
    error = (within.high - within.low) / 2 / Chance.of(1.0, df).critical(within.level)
    return Weighed(test, data, Chance.of(error, df), flips=without)


def _right(data: Aligned, level: float) -> Weighed:
    """McNemar and Tango."""
    base, tuned = (side[0].values.astype(bool) for side in (data.base, data.tuned))
    found = paired_shares(tuned, base, data.names, name=data.measure.name, level=level).test
    gained, lost = int((tuned & ~base).sum()), int((base & ~tuned).sum())
    notes: tuple[str, ...] = (
        "{:,} items gained, {:,} lost; {}.".format(
            *((lost, gained) if data.measure.lower else (gained, lost)), paired_name(data.items)
        ),
        f"McNemar's exact test: {told_p(mcnemar(gained, lost, exact=True))}.",
    )
    if not gained + lost:
        notes = (f"No item is right for one and wrong for the other; {paired_name(data.items)}.",)
    least = flips_effect(data.items, (gained + lost) / data.items, level=level)
    why = "the same items, each right or wrong, so that only those that change tell the two apart; mid-p"
    test = replace(
        found,
        null="an item that only one of them gets right is as likely the one's as the other's",
        n=data.n,
        effect=replace(found.effect, name=data.difference),
        why=f"{why} keeps to its 5 % nearly always and sees more than the exact test",
        detectable=Estimate(FOUND, 100 * least, None, data.measure.unit) if least <= 1 else None,
        notes=notes,
    )
    return Weighed(test, data, None)


def _scores(data: Aligned, level: float, resamples: int, seed: int) -> Weighed:
    """Student's t of the differences."""
    measure = data.measure
    base, tuned = (side[0].values.astype(np.float64) for side in (data.base, data.tuned))
    found = means.paired(tuned, base, data.names, name=measure.name, unit=measure.unit, level=level)
    d = tuned - base
    p, every = draws.flips(d, resamples, seed)
    how = f"all {2 ** len(d):,} flips of signs" if every else f"{resamples:,} flips of signs"
    notes = [f"Sign-flip test beside it, by {how}: {told_p(p)}.", *found.notes]
    if (p < 1 - level) != found.rejected:
        notes.append("The two tests disagree at this level: take the answer with care.")
    if len(d) >= BOOTSTRAP:
        notes.append(_drawn(draws.middle(draws.means(d, resamples, seed), level), resamples, measure.unit))
    test = replace(found, n=data.n, effect=replace(found.effect, name=data.difference), notes=tuple(notes))
    return Weighed(test, data, Chance.of(jackknife_error(d), len(d) - 1))


def _counts(data: Aligned, level: float, resamples: int, seed: int) -> Weighed:
    """Swaps for p, the jackknife for the interval."""
    measure = data.measure
    base, tuned = (side[0].values.astype(np.float64) for side in (data.base, data.tuned))
    units = data.tables()[0][0]
    value = measure.of(tuned) - measure.of(base)
    chance = _chance(data, units)
    p = _swapped(data, value, resamples, seed)
    student = f"Student's t of the jackknife: {told_p(chance.p(value))}."
    notes = [f"Interval by the jackknife, t({number(chance.df)}).", student]
    if BOOTSTRAP <= len(units) <= MANY:
        notes.append(_drawn(draws.middle(_paired_bootstrap(data, resamples, seed), level), resamples, measure.unit))
    test = Test(
        name="approximate randomization",
        null="of the two outputs for an item either could be either system's",
        symbol="difference",
        statistic=value,
        df=(),
        p=p,
        n=data.n,
        effect=Estimate(data.difference, value, chance.interval(value, level), measure.unit),
        why=f"{measure.name} is no mean of items but a score of their sums: outputs of the two are swapped at random, "
        f"{resamples:,} times",
        assumptions=(normal_means({"the pseudo-values": units}, "normal mean difference"), INDEPENDENT),
        detectable=Estimate(FOUND, chance.detectable(level), None, measure.unit),
        notes=tuple(notes),
    )
    return Weighed(test, data, chance)


def _swapped(data: Aligned, value: float, resamples: int, seed: int) -> float:
    """Two-sided p; the difference seen counts among those of the swaps."""
    base, tuned = (side[0].values.astype(np.float64) for side in (data.base, data.tuned))
    score = data.measure.score
    if score is None:
        raise TypeError("a measure of counts has a function of their sums")
    moved = draws.halves(tuned - base, resamples, seed)  # (R, C)
    found = score(base.sum(0) + moved) - score(tuned.sum(0) - moved)
    edge = abs(value) - 1e-9 * max(1.0, abs(data.measure.of(base)))
    return (1 + int((np.abs(found) >= edge).sum())) / (1 + resamples)


def _paired_bootstrap(data: Aligned, resamples: int, seed: int) -> np.ndarray:
    """Differences of items drawn anew, the same ones for both."""
    both = np.concatenate([data.base[0].values, data.tuned[0].values], axis=1).astype(np.float64)
    score = data.measure.score
    if score is None:
        raise TypeError("a measure of counts has a function of their sums")
    sums, columns = draws.sums(both, resamples, seed), both.shape[1] // 2
    return np.asarray(score(sums[:, columns:]) - score(sums[:, :columns]))


def _clustered(data: Aligned, level: float) -> Weighed:
    """Items that belong together."""
    test, chance, flips = clustered.compared(data, level)
    return Weighed(test, data, chance, flips=flips)


def _seeds(data: Aligned, level: float) -> Weighed:
    """Seeds and items at once."""
    tables = data.tables()
    value = float(sum(table.mean() for table in tables))
    differing(np.concatenate([table.reshape(-1) for table in tables]), data.difference, data.scale)
    units = freedom(data.sizes) if data.codes is not None else data.items - 1
    luck = origins.crossed(tables, value, data.ahead) if data.ahead else crossed(tables, value, units)
    chance, seeds = luck.chance, data.n["seeds"]
    share = luck.training / (luck.training + max(luck.items, luck.rest))
    notes = [
        f"Training makes {percent(share)} of the difference's variance; sd {number(luck.sd, 3)} from seed to seed.",
        _by_which(luck),
    ]
    few = Assumption("seeds like others", None, f"{seeds:,} seeds stand for all others that might have been taken.")
    what = "clusters" if data.codes is not None and not data.ahead else data.noun
    test = Test(
        name=f"{'Diebold-Mariano test over' if data.ahead else 't-test of'} seeds x {what}",
        null=f"{data.measure.name} of {data.names[0]} and {data.names[1]} is the same, over all seeds and {data.noun}",
        symbol="t",
        statistic=value / chance.error,
        df=(chance.df,),
        p=chance.p(value),
        n=data.n,
        effect=Estimate(data.difference, value, _possible(chance.interval(value, level), data), data.measure.unit),
        why=f"several seeds on the same {data.noun}: the luck of training and of the {data.noun} counts at once",
        assumptions=(few,) if data.ahead or data.codes is not None else (few, INDEPENDENT),
        detectable=Estimate(FOUND, chance.detectable(level), None, data.measure.unit),
        notes=tuple(notes),
    )
    shares = SeedFlips.of(data, luck) if data.measure.kind == "right" else None
    return Weighed(test, data, chance, luck, shares)


def _by_which(luck: Crossed) -> str:
    """What p and interval are, and what another test would have said."""
    chance = luck.chance
    if chance.by_items(luck.value):
        return "p is that of items alone, which is the larger of it and that of seeds and items."
    both = "Behrens and Fisher" if min(df for _, df in chance.parts) <= 1 else BOTH
    alone = chance.alone is not None and chance.alone[0] >= sum(variance for variance, _ in chance.parts)
    other = f"t({number(chance.df)}) of items alone" if alone else f"Satterthwaite's t({number(chance.df)})"
    return f"p and interval by {both}; {other}: {told_p(luck.satterthwaite)}."


def _possible(within: Interval, data: Aligned) -> Interval:
    """Shares differ by 100 points at most, whatever few seeds leave open."""
    if data.measure.kind != "right":
        return within
    return replace(within, low=max(-100.0, within.low), high=min(100.0, within.high))


def _chance(data: Aligned, units: np.ndarray) -> Chance:
    """Of one training, its items by themselves."""
    differing(units, data.difference, data.scale)
    return Chance.of(jackknife_error(units), len(units) - 1.0)


def _drawn(interval: Interval, resamples: int, unit: str) -> str:
    ends = f"{number(interval.low, 3)} to {number(interval.high, 3)}"
    return f"Bootstrap of {resamples:,} resamples: {sure(interval.level)} {ends} {unit}".rstrip() + "."
