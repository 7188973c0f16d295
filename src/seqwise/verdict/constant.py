"""Differences without a spread: no item differs, or all differ by the same; what can be told of them all the same.

    same      whether no item makes a difference to the score; its answer: nothing
    alike     how many items, or clusters, differ by the very same; their answer: steady
    Unvaried  what n items of one difference leave open: one that did otherwise may not have been among them

Student's t divides by the spread and has nothing to say here. If a share s of all items did otherwise, none of n would
show it with the chance (1 - s)^n, and as they would move the mean by s times what one of them can, that is p of a
difference which lies so far off; never below 1 in 2^n, what signs can show. An item that differs like all others could
have differed as much the other way, which makes p of no difference that of the sign test; one that does not differ
could have been as far off as the scores of all items lie apart.

Of clusters the same is counted: of no difference by items that are taken to be alike with a correlation of 0.1.
Forecasts from successive origins depend on each other, and the more, the more alike they are: only origins that lie as
many steps apart as covariances count are taken as units.
"""

from dataclasses import dataclass, replace

import numpy as np

from seqwise.errors import DataError
from seqwise.stats.assumptions import INDEPENDENT
from seqwise.stats.forecasts import counting
from seqwise.stats.phrases import number
from seqwise.stats.proportions import none_seen
from seqwise.stats.results import Assumption, Estimate, Interval, Test
from seqwise.stats.samples import flat
from seqwise.verdict.aligned import Aligned
from seqwise.verdict.clusters import ALIKE, pseudovalues
from seqwise.verdict.flips import design

SIGNS = 6  # differences that are all the same, from which their signs tell anything: 2 in 2^6 is below 5 %
NOTHING, EQUAL = "no test", "sign test"
"""Names of the tests."""


@dataclass(frozen=True)
class Unvaried:
    """So many differences that are all the same."""

    value: float
    units: float
    """As many items by themselves as these are worth."""
    reach: float
    """How far from the others an item may be."""

    @property
    def turned(self) -> "Unvaried":
        """Where less is better."""
        return replace(self, value=-self.value)

    def t(self, difference: float = 0.0) -> float:
        """How far off that difference lies, in reaches."""
        return (self.value - difference) / self.reach

    def above(self, difference: float) -> float:
        """One-sided, that the difference is this one or less."""
        share = self.t(difference)
        if share <= 0:
            return 1.0
        return float(max(2.0**-self.units, max(0.0, 1 - share) ** self.units))

    def interval(self, level: float) -> Interval:
        """What the items leave open."""
        half = self.reach * none_seen(self.units, (1 + level) / 2)
        return Interval(self.value - half, self.value + half, level)


def same(data: Aligned) -> bool:
    """Whether no item makes a difference to the score: all have the same, or the score is 0 whatever they have."""
    first = data.base[0].values
    if all(np.array_equal(first, one.values) for one in (*data.base, *data.tuned)):
        return True
    if data.measure.kind != "counts" or len(set(data.values)) > 1:
        return False
    return all(float(np.abs(table).max()) <= 1e-12 * data.scale for table in data.tables())


def nothing(data: Aligned, level: float) -> tuple[Test, Unvaried]:
    """No item differs: there is no spread to tell by, and nothing to be told but how many they are."""
    units = float(len(data.sizes))
    if data.ahead:
        units = float(max(1, len(data.sizes) // counting(len(data.sizes), data.ahead)[0]))
    elif data.codes is not None:
        units = data.items / design(data.sizes, ALIKE)
    without = Unvaried(0.0, units, _reach(data))
    test = Test(
        name=NOTHING,
        null=f"{data.measure.name} of {data.names[0]} and {data.names[1]} is the same",
        symbol="difference",
        statistic=0.0,
        df=(),
        p=1.0,
        n=data.n,
        effect=Estimate(data.difference, 0.0, without.interval(level), data.measure.unit),
        why="no item makes a difference to the score",
        assumptions=_assumed(data),
        notes=(_left(data, without),),
    )
    return test, without


def _reach(data: Aligned) -> float:
    """How far the scores of items lie apart; of corpora, and where they do not, how far they lie from 0."""
    if data.measure.kind == "right":
        return 100.0
    values = np.concatenate([one.values for one in (*data.base, *data.tuned)])
    apart = float(np.ptp(values)) if data.measure.kind == "score" else 0.0
    return apart or max(abs(one) for one in data.values) or 1.0


def _left(data: Aligned, without: Unvaried) -> str:
    """What stands behind the interval."""
    size = f"{number(without.reach, 3)} {data.measure.unit}".rstrip()
    count = number(without.units, 3)
    return f"The interval is what {count} items of one difference leave open, if one that did otherwise is {size} off."


def alike(data: Aligned) -> int:
    """Items, clusters or origins apart, where each has the same difference; 0 where differences have a spread."""
    if data.single and data.measure.kind == "right":
        return 0  # of flips the spread is known
    tables = data.tables()
    if data.single and data.codes is not None and not data.ahead:  # clusters may level out what their items differ by
        tables = [pseudovalues(data.measure, data.base[0].values, data.tuned[0].values, None)[None]]
    if not all(flat(table.reshape(-1), data.scale) for table in tables):
        return 0
    units = len(data.sizes)
    return units // counting(units, data.ahead)[0] if data.ahead else units


def few_alike(data: Aligned, units: int) -> DataError:
    """So few that neither their spread nor their signs tell anything."""
    what = data.noun if data.codes is None else "clusters"
    given = f"all {units} {what} of {data.part} differ by the same, {number(data.values[1] - data.values[0])}"
    return DataError(given, f"differences with a spread, or {SIGNS} {what} at least", f"more {what}")


def steady(data: Aligned, units: int, level: float) -> tuple[Test, Unvaried]:
    """Each item differs by the same: no spread, and a test by signs that needs none. units: that count."""
    value = float(sum(table.mean() for table in data.tables()))
    value = 0.0 if abs(value) <= 1e-12 * data.scale else value
    without = Unvaried(value, float(units), 2 * abs(value) or _reach(data))
    what = data.noun if data.ahead or data.codes is None else "clusters"
    alone = f", of {units:,} that do not look ahead over each other" if data.ahead else ""
    test = Test(
        name=EQUAL,
        null=f"a difference is as likely to be {data.names[0]}'s as {data.names[1]}'s",
        symbol="difference",
        statistic=value,
        df=(),
        p=2.0 ** (1 - units) if value else 1.0,
        n=data.n,
        effect=Estimate(data.difference, value, without.interval(level), data.measure.unit),
        why=f"all {what} differ by the same, so that there is no spread; the test needs the signs alone{alone}",
        assumptions=_assumed(data),
        notes=(f"All differences are the same over the {what}: look whether the scores are what they should be.",
               _left(data, without)),
    )  # fmt: skip
    return test, without


def _assumed(data: Aligned) -> tuple[Assumption, ...]:
    """That items stand alone, where they are what counts."""
    return (INDEPENDENT,) if data.codes is None and not data.ahead else ()
