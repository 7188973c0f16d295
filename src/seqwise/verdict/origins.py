"""Forecasts from successive origins: how far luck carries a difference whose items depend on each other in time.

    compared   Diebold and Mariano's test (1995) with Harvey, Leybourne and Newbold's correction (1997)
    crossed    the same of several trainings, whose luck counts beside that of the origins
    lacking    why so few origins tell nothing

Forecasts h steps ahead from neighbouring origins share up to h - 1 steps of what came, so that their errors, and the
differences of these, depend on each other. Of several series the origins of one time count as one, by the jackknife of
clusters, which for equally many series is the mean over them at each time: what moves all series moves them together.

Two things differ from the test as it was published, and both were measured (1,500 worlds each, no difference, 5 %):

    degrees of freedom    T / (2 m - 1) in place of T - 1, m the covariances that count: as many as the sum of so many
                          covariances knows of itself. By T - 1 it rejects 9 to 12 % with 8 origins for each step of a
                          horizon of 4 to 24, and 12 to 17 % with 5; by these 3 to 6 %.
    covariances           m = h, or the cube root of T where that is more. A forecast that is off for a while is off in
                          ways that no horizon explains: with an autocorrelation of 0.3 beyond the horizon the test of
                          one step ahead rejects 14 to 16 %, and by these 5 to 6 %.

The forecasters are taken as they are, trained once, before all origins (Giacomini and White 2006). Left out: the
models behind them, of which one may hold the other (Clark and West 2007); gaps in time, over which the origins on
both sides are neighbours.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from seqwise.errors import DataError
from seqwise.stats.forecasts import autocovariances, counting, diebold_mariano, error_of_mean, small_sample
from seqwise.stats.phrases import chance as told_p
from seqwise.stats.phrases import counted, number
from seqwise.stats.results import LEVEL, Estimate, Test
from seqwise.stats.samples import differing
from seqwise.verdict import seeds
from seqwise.verdict.aligned import Aligned
from seqwise.verdict.clusters import jackknife_error
from seqwise.verdict.scored import Scored
from seqwise.verdict.seeds import Chance, Crossed

# T origins, S seeds

LEAST = 8
"""Origins at least, whatever the horizon."""
HORIZONS = 2
"""Horizons that have to lie beside each other within the origins: of fewer the covariances sum to anything."""

Differences = Float[np.ndarray, "T"]


def fewest(ahead: int) -> int:
    """Origins of which a difference of forecasts can be told at all."""
    return max(LEAST, HORIZONS * ahead)


def lacking(scored: Scored) -> str:
    """Why nothing is told of forecasts from so few origins; empty where there are enough, and of all else."""
    if not scored.ahead:
        return ""
    origins = len(set(scored.clusters)) if scored.clusters else len(scored)
    if origins >= fewest(scored.ahead):
        return ""
    ahead = counted(scored.ahead, "step")
    return f"{counted(origins, 'origin')} in {scored.part}, and forecasts {ahead} ahead need {fewest(scored.ahead):,}."


def chance_of(units: Differences, ahead: int) -> Chance:
    """How far luck carries the mean of these differences, in the order of time."""
    n = len(units)
    if n < fewest(ahead):
        given = f"{counted(n, 'origin')} of forecasts {counted(ahead, 'step')} ahead"
        raise DataError(given, f"{fewest(ahead):,} origins at least", "a longer table")
    m, df = counting(n, ahead)
    error, _ = error_of_mean(autocovariances(units, m), n)
    error = error / small_sample(n, m) or jackknife_error(units)
    return Chance.of(error, df)


def compared(data: Aligned, name: str, level: float = LEVEL) -> tuple[Test, Chance]:
    """Of one training of each. name: of the difference."""
    units = data.tables()[0][0]
    n, value, measure = len(units), float(units.mean()), data.measure
    differing(units, name, max(map(abs, data.values)) or 1.0)
    luck = chance_of(units, data.ahead)
    m, _ = counting(n, data.ahead)
    plain = diebold_mariano(units, np.zeros(n), m, data.names, measure.name, measure.unit, level).test
    far = counted(data.ahead, "step")
    return replace(
        plain,
        statistic=value / luck.error,
        df=(luck.df,),
        p=luck.p(value),
        n=data.n,
        effect=Estimate(name, value, luck.interval(value, level), measure.unit),
        why=f"forecasts {far} ahead from successive origins share what came, so that their errors depend on each "
        "other: their covariances count, as a t-test of single origins would be too sure",
        detectable=Estimate(seeds.FOUND, luck.detectable(level), None, measure.unit),
        notes=_notes(data, units, m, luck, plain),
    ), luck


def _notes(data: Aligned, units: Differences, m: int, luck: Chance, plain: Test) -> tuple[str, ...]:
    n = len(units)
    usual = f"by T - 1 degrees, as it was published, {told_p(plain.p)}, which is too sure"
    told = [f"{counted(m, 'covariance')} of {n:,} origins leave {number(luck.df, 3)} degrees of freedom; {usual}."]
    if error_of_mean(autocovariances(units, m), n)[1]:
        told.append("The covariances sum to less than 0, so Bartlett's weights were used in their place.")
    if data.codes is not None:
        told.append("Series are told together: at each time of origin the mean over them counts as one.")
    if n < 5 * data.ahead:
        told.append(f"{n:,} origins are few for {counted(data.ahead, 'step')} ahead: the interval is wide for that.")
    return tuple(told)


def crossed(tables: Sequence[Float[np.ndarray, "S T"]], value: float, ahead: int) -> Crossed:
    """Luck of seeds and of origins, added up: what is in both is counted twice, which is on the safe side."""
    middle = np.sum([table.mean(0) for table in tables], axis=0)  # (T,)
    own, lasting = seeds.crossed(tables, value, len(middle) - 1.0), chance_of(middle, ahead)
    (luck, df), time = own.chance.parts[0], lasting.error**2
    total = luck + time
    fits = total * total / (luck * luck / df + time * time / lasting.df)
    chance = Chance(math.sqrt(total), fits, ((luck, df), (time, lasting.df)))
    return Crossed(value, chance, luck, time, 0.0, own.sd)
