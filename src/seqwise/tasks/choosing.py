"""Which of a model's outputs is written: the likeliest, or the one that the others agree with most.

Minimum Bayes risk, Kumar & Byrne 2004: see `metrics.consensus`. Any model that writes offers its outputs with their
scores; left out is how they were found.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

from seqwise.decoding import Generation
from seqwise.decoding.pools import log_probability
from seqwise.metrics.consensus import consensus
from seqwise.tasks.translation import Translation


def chosen(outputs: Sequence[Translation], settings: Generation) -> list[Translation]:
    """As many as are wanted, best first. By mbr the score is what is to be expected of each, 0 to 100."""
    if settings.mbr == "none" or len(outputs) < 2:
        return list(outputs[: settings.best])
    expected = consensus([one.text for one in outputs], settings.mbr, weights(outputs, settings))
    ranked = sorted(zip(expected.tolist(), outputs, strict=True), key=lambda pair: -pair[0])  # ties: the likelier first
    return [replace(one, score=score) for score, one in ranked[: settings.best]]


def weights(outputs: Sequence[Translation], settings: Generation) -> list[float]:
    """How likely each is, as the model has it; samples are as likely as they are frequent."""
    if settings.temperature or any(one.score is None for one in outputs):
        return [1.0] * len(outputs)
    logs = [log_probability(one.score or 0.0, len(one.ids), one.ended, settings) for one in outputs]
    most = max(logs)
    return [math.exp(log - most) for log in logs]
