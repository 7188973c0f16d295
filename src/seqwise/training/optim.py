"""How the weights move: AdamW in two groups, the learning rate as a pure function of the step, and fp32 masters.

Kingma & Ba 2015; Loshchilov & Hutter 2019. Schedules: Vaswani et al. 2017, eq. 3 (inverse square root), Loshchilov &
Hutter 2017 (cosine), Hu et al. 2024 (warm-up, stable, decay).
"""

import math
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from seqwise.config import Range
from seqwise.errors import Fault
from seqwise.models.embeddings import by_rows
from seqwise.training import update


@dataclass(frozen=True)
class OptimizerSettings:
    """How fast the weights move, and when."""

    rate: Annotated[float, Range(1e-8, 10.0)] = 1e-3
    """Learning rate at the end of the warm-up; 5e-4 to 5e-3 for small Transformers, less for wide ones."""
    schedule: Literal["inverse-sqrt", "cosine", "wsd", "constant"] = "inverse-sqrt"
    """What follows the warm-up. inverse-sqrt (Noam) needs no end; cosine and wsd fall to `floor` at the last step."""
    warmup: Annotated[int, Range(0)] = 1000
    """Steps in which the rate grows from 0, linearly."""
    decay: Annotated[float, Range(0.0, 1.0)] = 0.2
    """Share of the steps in which wsd falls."""
    floor: Annotated[float, Range(0.0, 1.0)] = 0.0
    """Where cosine and wsd end, as a share of `rate`."""
    fall_by: Literal["steps", "time"] = "steps"
    """Which last step they fall to. steps: the one planned, so that a run which a time limit ends goes on to the same
    bits. time: the last one that `training.time_limit` allows, if that is sooner: a better model where none goes on."""
    beta1: Annotated[float, Range(0.0, 0.9999)] = 0.9
    """Memory of the mean gradient."""
    beta2: Annotated[float, Range(0.0, 0.99999)] = 0.98
    """Memory of its square; 0.98 rather than 0.999 since Vaswani et al. 2017, for a scale that changes quickly."""
    epsilon: Annotated[float, Range(1e-15, 1e-3)] = 1e-9
    """Added to the denominator."""
    weight_decay: Annotated[float, Range(0.0, 1.0)] = 1e-4
    """Decoupled decay of the matrices; embeddings, norms and biases are exempt."""

    def faults(self) -> Iterator[Fault]:
        """A last step that no schedule looks at."""
        if self.fall_by == "time" and self.schedule in ("inverse-sqrt", "constant"):
            given = f"--optimizer.fall-by time with --optimizer.schedule {self.schedule}"
            yield Fault(given, "a rate that falls to the last step", "--optimizer.schedule cosine or wsd")


def rate_at(step: int, settings: OptimizerSettings, total: int | None) -> float:
    """Learning rate of update number `step`, counted from 1. `total` is the last one, where it is known."""
    if step < settings.warmup:
        return settings.rate * step / settings.warmup
    after = max(1, settings.warmup)
    match settings.schedule:
        case "inverse-sqrt":
            share = math.sqrt(after / max(step, after))
        case "cosine":
            done = _progress(step, settings.warmup, total)
            share = settings.floor + (1 - settings.floor) * (1 + math.cos(math.pi * done)) / 2
        case "wsd":
            fall = max(1, round((total or 0) * settings.decay))
            done = _progress(step, (total or step + fall) - fall, total)
            share = 1 - (1 - settings.floor) * done
        case "constant":
            share = 1.0
    return settings.rate * share


def _progress(step: int, first: int, total: int | None) -> float:
    """0 at `first`, 1 at `total`."""
    if total is None or total <= first:
        return 0.0
    return min(1.0, max(0.0, (step - first) / (total - first)))


def decays(name: str, weight: Tensor) -> bool:
    """Whether weight decay applies: to matrices, but not to tables of embeddings."""
    return weight.ndim >= 2 and "embed" not in name and "table" not in name and not name.startswith("head.")


Rates = Callable[[str], float]
"""Name of a weight -> what the learning rate is multiplied by for it."""


def adamw(
    named: Iterable[tuple[str, Tensor]], settings: OptimizerSettings, rates: Rates | None = None
) -> torch.optim.AdamW:
    """The optimizer; fused, one pass over each weight. Matrices and the rest are in two groups, and so for each rate.

    rates   multiplier of each weight's learning rate, kept as "share" of its group; all 1 unless given
    """
    found: dict[tuple[float, bool], list[Tensor]] = {}
    for name, weight in named:
        found.setdefault((rates(name) if rates else 1.0, decays(name, weight)), []).append(weight)
    groups = [
        {"params": found[share, decayed], "weight_decay": settings.weight_decay if decayed else 0.0, "share": share}
        for share, decayed in sorted(found, reverse=True)
    ]
    betas = (settings.beta1, settings.beta2)
    return torch.optim.AdamW(groups, lr=settings.rate, betas=betas, eps=settings.epsilon, fused=True)


def set_rate(optimizer: torch.optim.AdamW, rate: float) -> None:
    """The learning rate of the next update, each group's by its share."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["share"]


class Weights:
    """The weights that are optimized, and the ones that the model computes with.

    Optimized is what requires a gradient when this is made. What does not is cast to the working type, once, and then
    left alone: it has no master, no moments and no place in what is saved.

    In fp32 masters and working weights are the same. In bf16 the model holds bf16 copies and the optimizer fp32
    masters: an update less than 1/256 of a weight would be lost in bf16, and casting once a step is cheaper than
    autocast's cast at every use.
    """

    def __init__(self, model: nn.Module, dtype: torch.dtype) -> None:
        trained = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
        self.names = [name for name, _ in trained]
        working = [p for _, p in trained]
        if dtype == torch.float32:
            if any(p.is_floating_point() and p.dtype != dtype for p in model.parameters()):
                model.to(dtype)
            self.working: list[nn.Parameter] | None = None
            self.master: list[Tensor] = list(working)
        else:
            self.master = [p.detach().to(torch.float32, copy=True).requires_grad_() for p in working]
            model.to(dtype)  # what is no floating-point number, such as the bytes of a quantized weight, stays as it is
            self.working = working
            if self._at_once:
                by_rows(model)

    def gather_gradients(self, sparse_only: bool = False) -> None:
        """Add the gradients of the working weights to those of the masters: in fp32, so that many parts add up."""
        for master, working in zip(self.master, self.working or (), strict=self.working is not None):
            if working.grad is None or (sparse_only and not working.grad.is_sparse):
                continue
            part = working.grad.float()
            added = part if master.grad is None else master.grad.add_(part)
            master.grad = added.coalesce() if added.is_sparse else added
            working.grad = None

    def hold(self, held: Container[str], prune: bool) -> None:
        """Pass these weights over in the next update: they get no gradient. None is held unless named.

        prune   whether none is made either, which saves time, but DDP and FSDP2 must know all gradients beforehand
        """
        for name, working, master in zip(self.names, self.working or self.master, self.master, strict=True):
            if name in held:
                working.grad = master.grad = None
            if prune:
                working.requires_grad_(name not in held)

    def spread(self) -> None:
        """Bring the working weights up to date."""
        if self.working is not None:
            with torch.no_grad():
                torch._foreach_copy_(list[Tensor](self.working), self.master)

    def norm(self) -> Tensor:
        """Length of the gradient, of all parts together."""
        if not self._at_once or any(w.grad is not None for w in self.master):
            self.gather_gradients()
        if self._at_once:
            self.gather_gradients(sparse_only=True)
            return update.length([gradient for _, gradient, _ in self._moving()])
        return nn.utils.get_total_norm([w.grad for w in self.master if w.grad is not None])

    def move(self, optimizer: torch.optim.AdamW, longest: float, norm: float) -> None:
        """Update all that has a gradient, and forget it. To be called after `norm`.

        longest   what the gradient, of length `norm`, is shortened to; 0 leaves it
        """
        short = longest > 0 and norm > longest
        if self._at_once:
            update.move(optimizer, self._moving(), longest / (norm + 1e-6) if short else 1.0)
        else:
            if short:
                nn.utils.clip_grads_with_norm_(self.master, longest, torch.tensor(norm))
            optimizer.step()
            self.spread()
        self.forget()

    def forget(self) -> None:
        """No weight has a gradient any more, neither a master nor what the model computes with."""
        for weight in (*self.master, *(self.working or ())):
            weight.grad = None

    @property
    def _at_once(self) -> bool:
        return self.working is not None and all(w.device.type == "cpu" and w.is_contiguous() for w in self.master)

    def _moving(self) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Masters, gradients and working weights of what has a gradient, of one batch or of several added up."""
        pairs = zip(self.master, self.working or self.master, strict=True)
        found = [(m, w.grad if m.grad is None else m.grad, w) for m, w in pairs]
        return [(m, gradient, w) for m, gradient, w in found if gradient is not None]
