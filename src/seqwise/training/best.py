"""Which of two looks at the validation data is better: by one metric, a tie by the loss.

A score that is no number (NaN) is worse than any that is, so weights that gave one do not stay the best. Left out: what
is looked at, and what becomes of the better one (see `loop.py`).
"""

import math
from collections.abc import Mapping

CHOSEN = ("accuracy", "rougeL", "bleu")  # what "auto" goes by, the first that there is


def beats(scores: Mapping[str, float], best: Mapping[str, float], metric: str) -> bool:
    """Whether the scores are better; a tie, and no score at all, is for the loss to decide."""
    if not best:
        return True
    if metric == "auto":
        metric = next((name for name in CHOSEN if name in scores), "loss")
    if metric != "loss" and metric in scores:
        new, old = (_or_worst(told.get(metric, -math.inf), -math.inf) for told in (scores, best))
        if new != old:
            return new > old
    new, old = (_or_worst(told.get("loss", math.inf), math.inf) for told in (scores, best))
    return new < old


def _or_worst(score: float, worst: float) -> float:
    """A score that is no number (NaN) is beaten by any that is."""
    return worst if math.isnan(score) else score
