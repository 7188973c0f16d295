"""How good labels are: accuracy, and macro-F1 where classes differ in size. With 95 % intervals over items.

Left out here: how right its chances are (`calibration.py`), what is taken for what (`confusion.py`), and comparing two
models, which needs pairs (`comparison.py`).
"""

from collections.abc import Sequence

import numpy as np

from seqwise.errors import DataError
from seqwise.metrics.scores import Counts, Score, Scores, interval, resampled
from seqwise.stats.proportions import wilson


def accuracy(found: Sequence[str], true: Sequence[str]) -> Score:
    """Per cent of the items that are right, with Wilson's interval (Wilson 1927), which holds near 0 and 100 too."""
    n = _checked(found, true)
    right = sum(a == b for a, b in zip(found, true, strict=True))
    both = wilson(right, n).hundredfold
    return Score("accuracy", 100 * (right / n), (both.low, both.high), n, "interval:wilson", 0, "texts")


def macro_f1(found: Sequence[str], true: Sequence[str], resamples: int = 1000, seed: int = 12345) -> Score:
    """The mean over classes of F1 = 2 hits / (2 hits + misses + false alarms), each class counting the same.

    Classes are those that are true of some item or were found for one.
    """
    n = _checked(found, true)
    classes = sorted({*found, *true})
    place = {name: i for i, name in enumerate(classes)}
    counts = np.zeros((n, 3 * len(classes)))  # (N, hits, misses, false alarms of each class)
    for item, (a, b) in enumerate(zip(found, true, strict=True)):
        if a == b:
            counts[item, place[a]] = 1
        else:
            counts[item, len(classes) + place[b]] = 1
            counts[item, 2 * len(classes) + place[a]] = 1
    value = float(_f1(counts.sum(0, keepdims=True))[0])
    both = interval(_f1(resampled(counts, resamples, seed)))
    signature = f"classes:{len(classes)}|bs:{resamples}|seed:{seed}"
    return Score("macro-F1", value, both, n, signature, resamples, "texts")


def _f1(sums: Counts) -> Scores:
    hits, misses, alarms = np.split(sums, 3, axis=1)  # (R, classes) each
    whole = 2 * hits + misses + alarms
    f1 = np.where(whole > 0, 2 * hits / np.where(whole > 0, whole, 1), 0.0)
    seen: Scores = np.maximum((whole > 0).sum(1), 1)
    scores: Scores = 100 * f1.sum(1) / seen
    return scores


def _checked(found: Sequence[str], true: Sequence[str]) -> int:
    if len(found) != len(true) or not found:
        raise DataError(f"{len(found)} labels found for {len(true)}", "one for each, and at least one", "another file")
    return len(found)
