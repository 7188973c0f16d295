"""Weighing two sets of 100,000 scored items with 10,000 resamples, and the bootstrap beside scipy's, in turn.

    python bench/weighing.py [threads] [rounds]     threads none: as many as this process may use

A task's set, gain asked, and a general one, loss asked: tests, intervals, bootstrap and sign flips included. scipy's
bootstrap is run on 200 resamples, vectorized, 20 at a time (its best on this machine of 20 and 100), and its seconds
are taken 50 times; it uses one thread. `paired` draws the items of both systems at once, as its manual does;
`single` only their differences. Aimed at: all in 10 s and 1 GB, and 10 times scipy's bootstrap.
"""

import os
import statistics
import sys
import time

import numpy as np
from scipy.stats import bootstrap

from _work import tell
from seqwise.verdict import draws
from seqwise.verdict.gain import gain
from seqwise.verdict.generalization import generalization
from seqwise.verdict.scored import Measure, Scored

ITEMS, RESAMPLES, THEIRS, BATCH = 100_000, 10_000, 200, 20
LOSS = Measure("loss", "score", "nats", lower=True)


def scored(values: np.ndarray, system: str, part: str) -> Scored:
    """As the verdict gets it."""
    return Scored(system, part, LOSS, tuple(map(str, range(len(values)))), values)


def seconds(call: object, times: float = 1.0) -> float:
    """Of one call, taken so many times."""
    clock = time.perf_counter()
    call()  # type: ignore[operator]
    return times * (time.perf_counter() - clock)


def main(threads: int, rounds: int) -> None:
    """One line."""
    chance = np.random.default_rng(3)
    base = chance.gamma(2.0, 1.0, ITEMS)
    tuned = base + chance.normal(-0.01, 0.5, ITEMS)
    test = scored(base, "base", "test"), scored(tuned, "tuned", "test")
    general = scored(tuned, "base", "general"), scored(base, "tuned", "general")
    d, seed = tuned - base, np.random.default_rng(1)

    def weigh() -> None:
        gain(*test, resamples=RESAMPLES)
        generalization({"general": general[0]}, {"general": general[1]}, resamples=RESAMPLES)

    def paired() -> None:
        both, how = (base, tuned), {"n_resamples": THEIRS, "batch": BATCH, "method": "percentile", "rng": seed}
        bootstrap(both, lambda a, b, axis: b.mean(axis) - a.mean(axis), paired=True, vectorized=True, **how)

    def single() -> None:
        bootstrap((d,), np.mean, n_resamples=THEIRS, batch=BATCH, method="percentile", vectorized=True, rng=seed)

    rows = []
    for _ in range(rounds):
        ours = seconds(lambda: draws.middle(draws.means(d, RESAMPLES, 1, threads)))
        scale = RESAMPLES / THEIRS
        rows.append((seconds(weigh), ours, seconds(paired, scale), seconds(single, scale)))
    spent, ours, pairs, alone = (statistics.median(column) for column in zip(*rows, strict=True))
    tell(
        bench="weighing",
        items=ITEMS,
        sets=2,
        resamples=RESAMPLES,
        threads=threads,
        weigh_s=spent,
        bootstrap_s=ours,
        scipy_paired_s=pairs,
        scipy_single_s=alone,
        ratio_paired=statistics.median(row[2] / row[1] for row in rows),
        ratio_single=statistics.median(row[3] / row[1] for row in rows),
    )


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:3]]
    main(*(given + [len(os.sched_getaffinity(0)), 5][len(given) :]))
