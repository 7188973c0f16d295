"""All that a training run is at one moment, so that it can be written down and taken up again to the same bits.

Random numbers need no place here: those of step n are drawn from a seed made of (seed, n, rank).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor

from seqwise.data.loader import Batches, Place
from seqwise.training.distributed import put, whole
from seqwise.training.optim import Weights

MOMENTS = ("exp_avg", "exp_avg_sq")  # AdamW's names


FORMER_NAMES = {"worse": "looks_since_best"}
"""What `Progress` called its fields in states that older versions left."""


@dataclass
class Progress:
    """How far a run has come."""

    step: int = 0
    best_step: int = 0
    best: dict[str, float] = field(default_factory=dict)
    """Scores of the best evaluation."""
    looked: int = 0
    """Step of the last evaluation."""
    looks_since_best: int = 0
    first_loss: float = 0.0
    """Loss of the first step."""
    early_loss: float = 0.0
    """Mean loss of the first targets, against which an explosion is measured: see `explosion.py`."""
    recent_loss: float = 0.0
    """Mean loss of the last targets."""
    targets: float = 0.0
    """Targets so far, of all processes."""


class TrainingState:
    """Trained weights, optimizer, their moving average, place in the data, progress."""

    def __init__(self, weights: Weights, optimizer: torch.optim.AdamW, loader: Batches, ema: float) -> None:
        self.weights = weights
        self.optimizer = optimizer
        self.loader = loader
        self.progress = Progress()
        self.decay = ema
        self.averaged = [w.detach().clone() for w in weights.master] if ema else None

    def average(self) -> None:
        """Move the average a little towards the weights: a <- d a + (1 - d) w."""
        if self.averaged is not None:
            # early on the average forgets faster, so that it does not remember the random start
            decay = min(self.decay, (1 + self.progress.step) / (10 + self.progress.step))
            torch._foreach_lerp_(self.averaged, [w.detach() for w in self.weights.master], 1 - decay)

    def best_weights(self) -> dict[str, Tensor]:
        """What to evaluate and to keep: the average where there is one. By name, whole, fp32."""
        chosen = self.averaged if self.averaged is not None else self.weights.master
        return {name: whole(w.detach()) for name, w in zip(self.weights.names, chosen, strict=True)}

    def tensors(self) -> dict[str, Tensor]:
        """Everything large, by name. Every rank must ask."""
        found: dict[str, Tensor] = {}
        for i, (name, master) in enumerate(zip(self.weights.names, self.weights.master, strict=True)):
            found[f"weight.{name}"] = whole(master.detach())
            for moment in MOMENTS:
                value = self.optimizer.state.get(master, {}).get(moment)
                if value is not None:
                    found[f"{moment}.{name}"] = whole(value)
            if self.averaged is not None:
                found[f"average.{name}"] = whole(self.averaged[i])
        return found

    def facts(self) -> dict[str, Any]:
        """Everything small."""
        return {"progress": asdict(self.progress), "place": asdict(self.loader.place), "late": self._late()}

    def _late(self) -> dict[str, int]:
        """Updates of each weight that has seen fewer than the run, having waited for its turn."""
        found = {}
        for name, master in zip(self.weights.names, self.weights.master, strict=True):
            moved = self.optimizer.state.get(master, {}).get("step")
            if moved is not None and int(moved) != self.progress.step:
                found[name] = int(moved)
        return found

    def restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """The inverse of `tensors` and `facts`."""
        progress = {FORMER_NAMES.get(name, name): value for name, value in facts["progress"].items()}
        self.progress = Progress(**progress)
        self.loader.seek(Place(**facts["place"]))
        late = facts.get("late", {})
        for i, (name, master) in enumerate(zip(self.weights.names, self.weights.master, strict=True)):
            put(master, tensors[f"weight.{name}"])
            moments = {}
            for moment in MOMENTS:
                if f"{moment}.{name}" in tensors:
                    moments[moment] = torch.zeros_like(master.detach())
                    put(moments[moment], tensors[f"{moment}.{name}"])
            if moments:
                # AdamW counts the steps of each weight, as a float of its own
                moved = float(late.get(name, self.progress.step))
                step = torch.tensor(moved, dtype=torch.float32, device=master.device)
                self.optimizer.state[master] = {"step": step, **moments}
            if self.averaged is not None and f"average.{name}" in tensors:
                put(self.averaged[i], tensors[f"average.{name}"])
        self.weights.spread()
