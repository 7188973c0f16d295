"""Fitting and applying the standardizer beside scikit-learn's StandardScaler, in turn, and beside what memory allows.

    python bench/moments.py [threads] [rounds]      threads none: as many as this process may use

1e6 x 20 and 2e7 x 1, float32 and float64, around 10,000 with an sd of 1. Ratios are medians over the rounds; the floor
of fitting is one sum over all (a read), that of applying a copy to new memory, both by numpy with one thread. Digits
are those of the variance that agree with two passes in extended precision, of the first column. Aimed at: 4 times
scikit-learn's fit, 1.3 times its transform.
"""

import os
import statistics
import sys
from collections.abc import Callable

import numpy as np
from sklearn.preprocessing import StandardScaler

from _work import tell, timed
from seqwise.stats.standardize import Standardizer


def in_turn(calls: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each call, one after the other in every round."""
    rows = [[timed(call, 1, 0) for call in calls.values()] for _ in range(rounds + 1)][1:]  # the first one warms up
    return {name: list(column) for name, column in zip(calls, zip(*rows, strict=True), strict=True)}


def exact_variance(column: np.ndarray) -> np.longdouble:
    """Two passes in extended precision, a part at a time."""
    parts = [column[at : at + 2**20].astype(np.longdouble) for at in range(0, len(column), 2**20)]
    mean = sum(part.sum() for part in parts) / len(column)
    return sum(((part - mean) ** 2).sum() for part in parts) / len(column)


def worst(z: np.ndarray, near: np.ndarray) -> float:
    """Digits behind the point that are right in all of some z."""
    return float(-np.log10(max(np.abs(z - near).max(), 1e-17)))


def digits(found: float, true: np.longdouble) -> float:
    """That agree."""
    return float(-np.log10(max(abs(np.longdouble(found) - true) / true, np.longdouble(1e-17))))


def main(threads: int, rounds: int) -> None:
    """All shapes and types."""
    chance = np.random.default_rng(7)
    for shape in ((1_000_000, 20), (20_000_000, 1)):
        wide = chance.standard_normal(shape) + 10_000
        for kind in (np.float32, np.float64):
            x = wide.astype(kind)
            ours, peer = Standardizer.fit(x, threads=threads), StandardScaler().fit(x)
            seconds = in_turn(
                {
                    "fit": lambda x=x: Standardizer.fit(x, threads=threads),
                    "peer_fit": lambda x=x: StandardScaler().fit(x),
                    "read": lambda x=x: np.add.reduce(x, axis=None),
                    "apply": lambda x=x, ours=ours: ours.apply(x, threads=threads),
                    "peer_apply": lambda x=x, peer=peer: peer.transform(x),
                    "copy": lambda x=x: x.copy(),
                },
                rounds,
            )
            spent = {name: statistics.median(each) for name, each in seconds.items()}
            true, near = exact_variance(x[:, 0]), (x[:1000].astype(np.float64) - ours.center) / ours.scale
            tell(
                bench="moments",
                shape="x".join(map(str, shape)),
                dtype=np.dtype(kind).name,
                threads=threads,
                fit_s=spent["fit"],
                fit_ratio=ratio(seconds, "peer_fit", "fit"),
                fit_gb_s=x.nbytes / spent["fit"] / 1e9,
                fit_over_read=spent["fit"] / spent["read"],
                digits=digits(float(ours.scale[0]) ** 2, true),
                peer_digits=digits(float(peer.var_[0]), true),
                apply_s=spent["apply"],
                apply_ratio=ratio(seconds, "peer_apply", "apply"),
                apply_over_copy=spent["apply"] / spent["copy"],
                apply_digits=worst(ours.apply(x[:1000]), near),
                peer_apply_digits=worst(peer.transform(x[:1000]), near),
            )


def ratio(seconds: dict[str, list[float]], slow: str, fast: str) -> float:
    """How many times as fast, round by round."""
    return statistics.median(a / b for a, b in zip(seconds[slow], seconds[fast], strict=True))


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:3]]
    main(*(given + [len(os.sched_getaffinity(0)), 5][len(given) :]))
