"""Items that belong together count as one: a difference told by what leaving out each item, or cluster, does to it.

    pseudovalues    what each unit (item or cluster) makes of a difference; their spread is the jackknife's error
    cluster_error   CR2's error of a difference, of its pseudo-values and the sizes of the clusters
    freedom         the degrees of freedom that unequal clusters leave of G - 1
    influences      how a score moves with the weight of each item
    cr1             cluster-robust error of a mean, with G / (G - 1)

The pseudo-value of unit g is G d - (G - 1) d(-g), d(-g) the difference without it (Tukey 1958). Of a mean over single
items it is the item's own difference, and Student's t comes out; of BLEU, macro-F1 or perplexity it is as close to one
as there is. For clusters of one size the error is CR1's with t(G - 1) (Cameron and Miller 2015). For clusters of
unequal sizes CR1 is too small: in simulations with one cluster of 60 among nine of 2 it rejects up to 69 % at 5 %, and
7 % with five of 4 to 18. CR2 (Bell and McCaffrey 2002, Survey Methodology 28, 169) divides the sum of each cluster by
the root of 1 - its share of all items, which makes it right on average of items that stand alone; the jackknife divides
by the whole of it, and is too large. The degrees of freedom are Satterthwaite's of that error, if items of a cluster
are alike with a correlation of 0.1. Imbens and Kolesar (2016, Review of Economics and Statistics 98, 701) estimate it,
which few clusters hardly allow; 0, the usual choice, takes a huge cluster for well known and rejects up to 9 % (two
clusters of 40 among 28 of 2); 1, the worst, rejects 2.4 to 3.1 % with five of 4 to 18, and 0.1 from 3.4 to 3.9.

Left out: clusters in two directions at once, other than seeds and items.
"""

from math import sqrt

import numpy as np
from jaxtyping import Float, Int

from seqwise.errors import DataError
from seqwise.verdict.scored import Measure

# N items, G units, C counts of an item

STEP = 1e-5  # of an item's weight, for the derivative: its error and that of rounding are both near 1e-11
ALIKE = 0.1  # correlation of two items of a cluster that the degrees of freedom are of
ROOM = 1 << 20  # counts of which a score is computed at a time

Codes = Int[np.ndarray, "N"]
Units = Float[np.ndarray, "G"]


def coded(labels: tuple[str, ...]) -> Codes | None:
    """Which cluster each item is of; None where each is its own."""
    if not labels:
        return None
    names, codes = np.unique(np.array(labels, dtype=object).astype(str), return_inverse=True)
    return None if len(names) == len(labels) else codes.reshape(-1)


def pseudovalues(measure: Measure, base: np.ndarray, tuned: np.ndarray, codes: Codes | None) -> Units:
    """Of the difference tuned minus base, in the unit of the measure; their mean is shifted to the difference."""
    if codes is not None and not codes.any():
        given, mend = f"all {len(codes):,} items in one cluster", "items without clusters, if they stand by themselves"
        raise DataError(given, "two clusters or more", mend)
    if measure.kind != "counts":
        scale = 100.0 if measure.kind == "right" else 1.0
        d = scale * (tuned.astype(np.float64) - base.astype(np.float64))  # (N,)
        if codes is None:
            return d
        sums, sizes = np.bincount(codes, d), np.bincount(codes)
        without = (d.sum() - sums) / (len(d) - sizes)  # (G,)
    else:
        without = _without(measure, tuned, codes) - _without(measure, base, codes)
    g, whole = len(without), measure.of(tuned) - measure.of(base)
    values = g * whole - (g - 1) * without
    return np.asarray(values + (whole - values.mean()))


def _without(measure: Measure, counts: np.ndarray, codes: Codes | None) -> Units:
    """The score without each unit."""
    if measure.score is None:
        raise TypeError("a measure of counts has a function of their sums")
    parts = counts.astype(np.float64) if codes is None else summed(counts, codes)
    whole, step = parts.sum(0), max(1, ROOM // parts.shape[1])
    found = [measure.score(whole - parts[at : at + step]) for at in range(0, len(parts), step)]
    return np.concatenate(found)


def summed(counts: Float[np.ndarray, "N C"], codes: Codes) -> Float[np.ndarray, "G C"]:
    """The counts of each cluster."""
    order = np.argsort(codes, kind="stable")
    firsts = np.concatenate([[0], np.cumsum(np.bincount(codes))[:-1]])
    return np.asarray(np.add.reduceat(counts[order].astype(np.float64), firsts, axis=0))


def jackknife_error(values: Units) -> float:
    """Standard error of a difference from its pseudo-values."""
    return float(values.std(ddof=1)) / sqrt(len(values))


def cluster_error(values: Units, sizes: Int[np.ndarray, "G"]) -> float:
    """CR2's standard error of a difference from its pseudo-values; the jackknife's where units are of one size.

    A pseudo-value lies (G - 1) s / (1 - w) from the difference, s what the cluster's items add to it and w its share
    of them, so that CR2's sum of s² / (1 - w) is one of squared distances times 1 - w. As the s add up to nothing, the
    mean weighted by 1 - w is where distances are taken from.
    """
    others = 1 - sizes / sizes.sum()  # (G,)
    away = values - float(others @ values) / float(others.sum())
    return sqrt(float(others @ (away * away))) / (len(values) - 1)


def freedom(sizes: Int[np.ndarray, "G"], alike: float = ALIKE) -> float:
    """tr(M)² / tr(M²), M the covariance of what CR2 squares and sums up: G - 1 of clusters of a size.

    With w the shares of all items, n the sizes and v = alike + (1 - alike) / n the variance of a cluster's mean, it is
    M = A (I - 1 w') V (I - w 1') A, A² = w² / (1 - w) on the diagonal. Only sums over the clusters are left of it.
    """
    n = sizes.astype(np.float64)
    w = n / n.sum()
    v = alike + (1 - alike) / n
    b, u, c = w * w / (1 - w), w * v, float((w * w) @ v)
    trace = float(b @ (v - 2 * u + c))
    whole, first, second = float(b.sum()), float(b @ u), float(b @ (u * u))
    # off the diagonal (I - 1 w') V (I - w 1') is c less both u; on it v is added
    square = (c * whole) ** 2 + 2 * whole * second - 4 * c * whole * first + 2 * first**2
    square += float((b * b) @ (v * (v + 2 * (c - 2 * u))))
    return trace * trace / square


def influences(measure: Measure, counts: Float[np.ndarray, "N C"]) -> Float[np.ndarray, "N"]:
    """N times the derivative of the score by the weight of each item: of a mean, the item's distance from it."""
    if measure.score is None:
        raise TypeError("a measure of counts has a function of their sums")
    whole, parts = counts.sum(0, dtype=np.float64), counts.astype(np.float64)
    moved = measure.score(whole + STEP * parts) - measure.score(whole - STEP * parts)
    return np.asarray(len(parts) * moved / (2 * STEP))


def cr1(values: Float[np.ndarray, "N"], codes: Codes | None = None) -> float:
    """Error of the mean, items of a cluster depending on each other in any way."""
    away = values - values.mean()
    sums = away if codes is None else np.bincount(codes, away)
    g = len(sums)
    return sqrt(g / (g - 1) * float(sums @ sums)) / len(values)
