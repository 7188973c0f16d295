"""What a training run tells: five kinds of event, all of them values.

`fit()` yields them; the console, `journal.jsonl`, TensorBoard and a web page read them. Nothing here writes or prints.
"""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

# N items


@dataclass(frozen=True)
class Stepped:
    """One update of the weights."""

    step: int
    """Updates done so far, this one included."""
    epoch: float
    """Passes over the training data, with the fraction of the current one."""
    loss: float
    """Cross-entropy per target, in nats; label smoothing and an anchor's price included."""
    rate: float
    """Learning rate of this update."""
    gradient_norm: float
    """Length of the gradient before clipping."""
    tokens: int
    """Targets that the loss averaged over, on all ranks: tokens, or labels."""
    seconds: float
    """Wall time of this step, reading the data included."""
    padding: float
    """Share of the targets that did not count, being padding or not to be learnt, 0 to 1."""
    total: int | None
    """Updates planned in all, where the run is limited by steps."""


@dataclass(frozen=True)
class Sample:
    """One sentence of the validation data, as the model does it now."""

    source: str
    reference: str
    output: str


@dataclass(frozen=True, eq=False)
class ItemLosses:
    """Of the items of a part, in their order."""

    nats: Float[np.ndarray, "N"]
    """Summed over the targets of each."""
    targets: Float[np.ndarray, "N"]
    """How many count. The loss that a look tells is the sum of the nats over that of the targets."""


@dataclass(frozen=True)
class Losses:
    """Item by item, as a look found them."""

    valid: ItemLosses
    train: ItemLosses | None = None
    """Of the training items that are looked at."""


@dataclass(frozen=True)
class Evaluated:
    """A look at the validation data."""

    step: int
    scores: dict[str, float]
    """By name: `loss`, `bleu`, `accuracy`; `train_loss` where that of training data was measured the same way."""
    best: bool
    """Whether this beats every earlier evaluation of the run."""
    samples: tuple[Sample, ...] = ()
    losses: Losses | None = field(default=None, compare=False, repr=False)
    """What `loss` and `train_loss` are means of. No part of the journal: `training.looks` writes it."""
    averaged: bool = False
    """Whether the weights are the mean of those of the last looks: the last look of a run, at the step of another."""


@dataclass(frozen=True)
class Saved:
    """Something was written that a later run can start from."""

    step: int
    path: str
    reason: str
    """`evaluation`, `time` (`save_every` went by), or why the run
    ended: `steps`, `epochs`, `patience`, `time limit`, `signal`."""


@dataclass(frozen=True)
class Noted:
    """Facts of another kind: what was planned and what came, what was mixed in, how many weights are trained."""

    step: int
    name: str
    """What they are about."""
    values: dict[str, float | str]
    """By name, in the order to be shown."""


@dataclass(frozen=True)
class Finished:
    """The run is over, in order; a failure raises instead."""

    step: int
    reason: str
    """`steps`, `epochs`, `patience`, `time limit` or `signal`."""
    best_step: int
    best: dict[str, float]


Event = Stepped | Evaluated | Saved | Noted | Finished
