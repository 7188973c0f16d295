"""Differences without a spread: no item differs, or all differ by the same; what can be told of them all the same.

    same      whether no item makes a difference to the score; its answer: nothing
    alike     how many items, or clusters, differ by the very same; their answer: steady

Student's t divides by the spread and has nothing to say here; signs need none. Forecasts from successive origins
depend on each other, and the more, the more alike they are: only origins that lie as many steps apart as covariances
count are taken as units.
"""

import numpy as np

from seqwise.errors import DataError
from seqwise.stats.assumptions import INDEPENDENT
from seqwise.stats.forecasts import counting
from seqwise.stats.phrases import number
from seqwise.stats.results import Assumption, Estimate, Interval, Test
from seqwise.stats.samples import flat
from seqwise.verdict.aligned import Aligned

SIGNS = 6  # differences that are all the same, from which their signs tell anything: 2 in 2^6 is below 5 %
NOTHING, EQUAL = "no test", "sign test"
"""Names of the tests."""


def same(data: Aligned) -> bool:
    """Whether no item makes a difference to the score: all have the same, or the score is 0 whatever they have."""
    first = data.base[0].values
    if all(np.array_equal(first, one.values) for one in (*data.base, *data.tuned)):
        return True
    if data.measure.kind != "counts" or len(set(data.values)) > 1:
        return False
    return all(float(np.abs(table).max()) <= 1e-12 * data.scale for table in data.tables())


def nothing(data: Aligned, level: float) -> Test:
    """No item differs: there is no spread to tell by, and nothing to be told."""
    return Test(
        name=NOTHING,
        null=f"{data.measure.name} of {data.names[0]} and {data.names[1]} is the same",
        symbol="difference",
        statistic=0.0,
        df=(),
        p=1.0,
        n=data.n,
        effect=Estimate(data.difference, 0.0, Interval(0.0, 0.0, level), data.measure.unit),
        why="no item makes a difference to the score",
        assumptions=_assumed(data),
    )


def alike(data: Aligned) -> int:
    """Items, clusters or origins apart, where each has the same difference; 0 where differences have a spread."""
    if data.single and data.measure.kind == "right":
        return 0  # of flips the spread is known
    tables = data.tables()
    if not all(flat(table.reshape(-1), data.scale) for table in tables):
        return 0
    units = int(tables[0].shape[1])
    return units // counting(units, data.ahead)[0] if data.ahead else units


def few_alike(data: Aligned, units: int) -> DataError:
    """So few that neither their spread nor their signs tell anything."""
    what = data.noun if data.codes is None else "clusters"
    given = f"all {units} {what} of {data.part} differ by the same, {number(data.values[1] - data.values[0])}"
    return DataError(given, f"differences with a spread, or {SIGNS} {what} at least", f"more {what}")


def steady(data: Aligned, units: int, level: float) -> Test:
    """Each item differs by the same: no spread to take an interval from, and a test by signs that needs none.

    units: that count. What flips of their signs do not reject is the difference itself alone, and that is the interval.
    """
    value = float(sum(table.mean() for table in data.tables()))
    what = data.noun if data.ahead or data.codes is None else "clusters"
    alone = f", of {units:,} that do not look ahead over each other" if data.ahead else ""
    return Test(
        name=EQUAL,
        null=f"a difference is as likely to be {data.names[0]}'s as {data.names[1]}'s",
        symbol="difference",
        statistic=value,
        df=(),
        p=2.0 ** (1 - units),
        n=data.n,
        effect=Estimate(data.difference, value, Interval(value, value, level), data.measure.unit),
        why=f"all {what} differ by the same, so that there is no spread; the test needs the signs alone{alone}",
        assumptions=_assumed(data),
        notes=(f"All differences are the same over the {what}: look whether the scores are what they should be.",),
    )


def _assumed(data: Aligned) -> tuple[Assumption, ...]:
    """That items stand alone, where they are what counts."""
    return (INDEPENDENT,) if data.codes is None and not data.ahead else ()
