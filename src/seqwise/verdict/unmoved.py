"""Differences without a spread: none at all, or the same of every item. Nothing there tells how far luck carries them.

Items that are all the same give the score 0 change; items that all differ by the same number are told by the signs of
their differences alone, which need no spread. Left out: right and wrong, whose flips have a spread that is known.
"""

import numpy as np

from seqwise.stats.assumptions import INDEPENDENT
from seqwise.stats.results import Estimate, Interval, Test
from seqwise.stats.samples import flat
from seqwise.verdict.aligned import Aligned
from seqwise.verdict.seeds import Chance

NONE = 1e-150  # an error that is none, and can be divided by
SIGNS = 6  # differences that are all the same, from which flips of their signs tell anything: 2 in 2^6 is below 5 %


def compared(data: Aligned, name: str, size: float, level: float) -> tuple[Test, Chance] | None:
    """What is told of differences without a spread; None where they have one.

    name   of the effect
    size   of the scores, by which rounding is told from a spread
    """
    if data.measure.kind != "right" and _same(data, size):
        return _nothing(data, name, level)
    alike = _alike(data, size)
    return _steady(data, name, alike, level) if alike >= SIGNS else None


def _same(data: Aligned, size: float) -> bool:
    """Whether no item makes a difference to the score: all have the same, or the score is 0 whatever they have."""
    first = data.base[0].values
    if all(np.array_equal(first, one.values) for one in (*data.base, *data.tuned)):
        return True
    if data.measure.kind != "counts" or len(set(data.values)) > 1:
        return False
    return all(float(np.abs(table).max()) <= 1e-12 * size for table in data.tables())


def _nothing(data: Aligned, name: str, level: float) -> tuple[Test, Chance]:
    """No item differs: there is no spread to tell by, and nothing to be told."""
    test = Test(
        name="no test",
        null=f"{data.measure.name} of {data.names[0]} and {data.names[1]} is the same",
        symbol="difference",
        statistic=0.0,
        df=(),
        p=1.0,
        n=data.n,
        effect=Estimate(name, 0.0, Interval(0.0, 0.0, level), data.measure.unit),
        why="no item makes a difference to the score",
        assumptions=(INDEPENDENT,),
    )
    return test, Chance.of(NONE, max(1.0, len(data.sizes) - 1.0))


def _alike(data: Aligned, size: float) -> int:
    """Items, or clusters, where each has the same difference; 0 where differences have a spread."""
    if data.single and data.measure.kind == "right":
        return 0  # of flips the spread is known
    tables = data.tables()
    return tables[0].shape[1] if all(flat(table.reshape(-1), size) for table in tables) else 0


def _steady(data: Aligned, name: str, units: int, level: float) -> tuple[Test, Chance]:
    """Each item differs by the same: no spread to take an interval from, and a test by signs that needs none.

    What flips of the signs do not reject is the difference itself alone, and that is the interval.
    """
    value = float(sum(table.mean() for table in data.tables()))
    what = "items" if data.codes is None else "clusters"
    test = Test(
        name="flips of signs",
        null=f"a difference is as likely to be {data.names[0]}'s as {data.names[1]}'s",
        symbol="difference",
        statistic=value,
        df=(),
        p=2.0 ** (1 - units),
        n=data.n,
        effect=Estimate(name, value, Interval(value, value, level), data.measure.unit),
        why=f"all {units:,} {what} differ by the same, so that there is no spread; the test needs the signs alone",
        assumptions=(INDEPENDENT,),
        notes=(f"All differences are the same over the {what}: look whether the scores are what they should be.",),
    )
    return test, Chance.of(NONE, max(1.0, units - 1.0))
