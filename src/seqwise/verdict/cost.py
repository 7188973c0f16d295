"""What a model cost: time, memory, trained weights, energy, money; and what was foreseen of it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    """Of one training. None: not measured."""

    system: str
    seed: int | None = None
    seconds: float | None = None
    """Of the wall."""
    processor: float | None = None
    """Seconds of all cores together."""
    memory: float | None = None
    """Bytes at the peak."""
    trained: int | None = None
    """Weights."""
    energy: float | None = None
    """Joules, where the machine tells."""
    foreseen_seconds: float | None = None
    foreseen_memory: float | None = None
    examples: int | None = None
    """That were trained on."""
