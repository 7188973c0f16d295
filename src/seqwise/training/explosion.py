"""Whether the loss of a run explodes: what it is now against what it was at first, each a mean over enough targets.

A step may hold few targets, and one of them may be labelled wrongly. Then its loss says nothing about the run, and what
its gradient can move is bounded by clipping, so it is not judged alone:

    at first   the mean over the first targets, some dozens; of the first step, where that has more
    now        the mean over the last targets, some hundred, older ones counting less; of this step, where it has more

A run that explodes before there are dozens of targets would be measured against its own explosion. So what it was at
first counts at most a bound above the very first step. Left out: numbers that are not finite, and what is done about an
explosion (see `loop.py`).
"""

from dataclasses import replace

from seqwise.training.state import Progress

EXPLODED = 4.0  # a loss so many times the first one will not come back
FIRST, RECENT = 64, 256  # targets of the two means


def followed(progress: Progress, loss: float, targets: float) -> Progress:
    """The same run after one more step, of so many targets with this mean loss. The step itself is not counted."""
    seen = progress.targets + targets
    share = targets / min(seen, max(RECENT, targets))  # at first all targets count alike
    recent = progress.recent_loss + share * (loss - progress.recent_loss)
    early = recent if progress.targets < FIRST else progress.early_loss
    first = progress.first_loss or loss
    return replace(progress, first_loss=first, early_loss=early, recent_loss=recent, targets=seen)


def exploded(progress: Progress) -> bool:
    """Whether it will not come back."""
    at_first = min(progress.early_loss, _bound(progress.first_loss))
    return progress.recent_loss > _bound(at_first)


def _bound(loss: float) -> float:
    return EXPLODED * max(loss, 1.0)
