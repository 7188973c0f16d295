"""Gain against loss: which systems no other beats in both (the Pareto front), and weights in between."""

from dataclasses import dataclass

from seqwise.stats.results import Estimate


@dataclass(frozen=True)
class Choice:
    """A system, or a blend of base and tuned weights."""

    name: str
    alpha: float | None
    """Share of the tuned weights; None of a system that is no blend."""
    gain: Estimate
    """Over the base, better being more, on validation where it was chosen by it, else on test."""
    loss: Estimate
    """Against the base on general sets, worse being more."""
    chosen: bool = False
    front: bool = False
    """Whether no other has more gain without more loss."""


@dataclass(frozen=True)
class Trade:
    """All choices."""

    part: str
    """What they were scored on: validation or test."""
    choices: tuple[Choice, ...]
    measure: str
    unit: str
