"""Whether a model overfits: training against validation along the journal, and what was learnt by heart."""

from dataclasses import dataclass

from seqwise.stats.results import Interval


@dataclass(frozen=True)
class Look:
    """A look at both losses, in nats."""

    step: int
    valid: float
    train: float | None
    """Measured as that of validation, without dropout; None where only the loss of single batches is known."""


@dataclass(frozen=True)
class Trend:
    """The losses of a run."""

    system: str
    seed: int | None
    looks: tuple[Look, ...]
    best: int
    """Step with the lowest validation loss."""
    turned: int | None
    """Step from which validation got worse beyond chance; None where it never did."""
    gap: Interval | None
    """Validation minus training loss at the end."""
    saved: float | None
    """Share of the steps that stopping at the best one would have spared."""
