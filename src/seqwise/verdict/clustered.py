"""A difference over items that belong together: clusters are counted, and their error is told beside that of items.

    compared    test, chance and flips of one training

Right or wrong by Tango's score test of effective items (`flips.py`), all else by Student's t of the clusters
(`clusters.py`). Clusters that all differ by the same have no spread, and five documents without a flip would seem as
good as a thousand items. How alike the items of a cluster are is then not seen but stated: a correlation of 0.1, the
one that the degrees of freedom are of, and where all items do the same, 1.

Left out: several seeds, whose items' part is by clusters too (`seeds.py`).
"""

from math import isfinite, sqrt

import numpy as np

from seqwise.stats.assumptions import normal_means
from seqwise.stats.phrases import chance as told_p
from seqwise.stats.phrases import number
from seqwise.stats.results import LEVEL, Assumption, Estimate, Test
from seqwise.stats.samples import flat
from seqwise.verdict.aligned import FEWEST, Aligned
from seqwise.verdict.clusters import ALIKE, cluster_error, cr1, freedom, influences, jackknife_error, pseudovalues
from seqwise.verdict.flips import Flips, design
from seqwise.verdict.seeds import FOUND, Chance


def compared(data: Aligned, level: float = LEVEL) -> tuple[Test, Chance, Flips | None]:
    """Of one training of each, or of several without a flip; the flips of right or wrong."""
    units, sizes = data.tables()[0][0], data.sizes
    same, right = flat(units, data.scale), data.measure.kind == "right"
    if same:
        shares = Flips.level(data) if right else None
        chance = _stated(data, shares)
    else:
        chance = Chance.of(cluster_error(units, sizes), freedom(sizes))
        shares = Flips.of(data, chance) if right else None
    value = float(units.mean())
    within = chance.interval(value, level) if shares is None else shares.interval(level)
    least = chance.detectable(level) if shares is None else shares.detectable(level)
    g = len(units)
    enough = Assumption("enough clusters", g >= FEWEST or None, f"{g:,} clusters, worth {number(chance.df + 1, 3)}.")
    test = Test(
        name="t-test of clusters" if shares is None else "Tango's score test of clusters",
        null=f"{data.measure.name} of {data.names[0]} and {data.names[1]} is the same",
        symbol="t",
        statistic=value / chance.error if shares is None else shares.t(),
        df=(chance.df,),
        p=chance.p(value) if shares is None else shares.p(),
        n=data.n,
        effect=Estimate(data.difference, value, within, data.measure.unit),
        why="items of a cluster are alike, so that clusters are counted: by CR2's error, which is CR1's where they "
        "are of one size",
        assumptions=(normal_means({"the clusters": units}, "normal mean difference"), enough),
        detectable=Estimate(FOUND, least, None, data.measure.unit) if isfinite(least) else None,
        notes=_of_level(data, shares) if same else _of_clusters(data, chance, value, shares),
    )
    return test, chance, shares


def _stated(data: Aligned, shares: Flips | None) -> Chance:
    """Where clusters have no spread: that of the items, alike within a cluster by what is usual."""
    items = pseudovalues(data.measure, data.base[0].values, data.tuned[0].values, None)
    if shares is not None:  # of which an error is asked, and never decides
        return Chance.of(100 * sqrt(max(1.0, shares.gained + shares.lost)) / shares.n, shares.df)
    return Chance.of(jackknife_error(items) * sqrt(design(data.sizes, ALIKE)), freedom(data.sizes))


def _of_level(data: Aligned, shares: Flips | None) -> tuple[str, ...]:
    """How clusters without a spread are counted."""
    stated = design(data.sizes, ALIKE)
    if shares is not None and shares.effect > stated:
        return ("All items do the same, so that each cluster counts as one.",)
    none = shares is not None and not shares.gained + shares.lost
    why = "No item flips" if none else "All clusters differ by the same, and their items do not"
    how = f"these are taken to be alike with a correlation of {ALIKE:g}, and {number(stated, 3)} of them are worth one"
    return (f"{why}, which says nothing of how much the items of a cluster are alike: {how}.",)


def _of_clusters(data: Aligned, chance: Chance, value: float, shares: Flips | None) -> tuple[str, ...]:
    """What clusters do to the error, and what other errors would have said."""
    alone, sizes = _linear(data), data.sizes
    robust, naive = cr1(alone, data.codes), cr1(alone)
    notes = [f"The error is {number(chance.error / naive, 3)} times what single items would seem to give."]
    if shares is not None:
        notes.append(f"Student's t of the clusters: {told_p(chance.p(value))}.")
    if shares is not None and chance.error < naive:
        notes.append("Clusters differ less than their items would by chance: p is the larger of theirs and the items'.")
    elif shares is not None and shares.single.p() > shares.by_clusters:
        notes.append("p is that of single items, which is the larger.")
    if np.ptp(sizes):
        g = len(sizes)
        cr = f"CR1 with t({g - 1}): {told_p(Chance.of(robust, g - 1).p(value))}" if robust else "CR1 has no spread"
        notes.append(f"Clusters have {sizes.min():,} to {sizes.max():,} items, for which CR1 is too sure ({cr}).")
    return tuple(notes)


def _linear(data: Aligned) -> np.ndarray:
    """What each item does to the difference."""
    base, tuned = data.base[0].values, data.tuned[0].values
    if data.measure.kind == "counts":
        return np.asarray(influences(data.measure, tuned) - influences(data.measure, base))
    scale = 100.0 if data.measure.kind == "right" else 1.0
    return np.asarray(scale * (tuned.astype(np.float64) - base.astype(np.float64)))
