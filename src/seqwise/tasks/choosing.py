"""Which of a model's outputs is written: the likeliest, or the one that the others agree with most.

Minimum Bayes risk (Kumar & Byrne 2004): see `metrics.consensus`. Any model that writes offers its outputs with their
scores; left out is how they were found.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from seqwise.decoding import Generation
from seqwise.metrics.consensus import consensus


@dataclass(frozen=True)
class Translation:
    """One output of one sentence."""

    text: str
    ids: tuple[int, ...]
    score: float | None
    """Log-probability over the length penalty, where several outputs were ranked; by mbr, what is expected of it."""
    ended: bool = True
    """Whether the model ended it, rather than the limit on its length."""


def chosen(outputs: Sequence[Translation], settings: Generation) -> list[Translation]:
    """As many as are wanted, best first. By mbr the score is what is to be expected of each, 0 to 100.

    Every output counts alike. Weighed by their probabilities, short outputs have their way: on Multi30k's validation
    part that lost 2 BLEU of what the same beams gained without weights.
    """
    if settings.mbr == "none" or len(outputs) < 2:
        return list(outputs[: settings.best])
    expected = consensus([one.text for one in outputs], settings.mbr)
    ranked = sorted(zip(expected.tolist(), outputs, strict=True), key=lambda pair: -pair[0])  # ties: the likelier first
    return [replace(one, score=score) for score, one in ranked[: settings.best]]
