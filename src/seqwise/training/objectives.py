"""Objectives: a model and its loss as one module, since DDP and FSDP2 wrap what is called.

    Objective            an encoder-decoder writes the target
    NextTokenObjective   a decoder foresees each token of the text itself
    LabelObjective       an encoder or a decoder says which label
    Anchored             any of these, and a price for leaving what the untouched model said

All are called with the tensors of a batch, of which the segments may be lacking, and return the summed loss of what
counts in it, so that parts of a step, however they are cut, add up to one. Left out: what a batch is made of, and the
mean.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from seqwise.errors import ConfigError
from seqwise.models.agreement_loss import agreed

CHUNK = 4 * 2**20  # logits of an anchored position that exist at a time, of either model

# inputs (B, S), or (1, K) packed; lengths (D,), D = B unless packed; R rows of targets; N positions that count


class Learning(nn.Module, ABC):
    """The loss of a model in two parts, what it thinks and what that costs, so that a second model can be compared."""

    def __init__(self, model: nn.Module, smoothing: float = 0.0) -> None:
        super().__init__()
        self.model = model
        self.smoothing = smoothing

    @abstractmethod
    def think(
        self,
        model: nn.Module,
        inputs: Int[Tensor, "B S"],
        lengths: Int[Tensor, "D"],
        targets: Int[Tensor, "R T"],
        segments: Int[Tensor, "B S"] | None = None,
    ) -> Float[Tensor, "..."]:
        """Of this model, or of another of the same make: what scores are made of, the targets' place first. segments:
        which of two texts each input is of, for models that tell them apart."""

    @abstractmethod
    def cost(
        self, thought: Float[Tensor, "..."], targets: Int[Tensor, "R T"], weights: Float[Tensor, "R T"]
    ) -> Float[Tensor, ""]:
        """Summed cross-entropy, in nats."""

    @abstractmethod
    def scores(self, model: nn.Module, thought: Float[Tensor, "N W"]) -> Float[Tensor, "N V"]:
        """What is chosen among, before softmax."""

    @abstractmethod
    def agreement(self, thought: Float[Tensor, "2 N W"], targets: Int[Tensor, "N"], alpha: float) -> Float[Tensor, ""]:
        """Summed cross-entropy of two passes, their mean, and the price of their disagreement; see `Agreeing`."""

    def forward(
        self,
        inputs: Int[Tensor, "B S"],
        lengths: Int[Tensor, "D"],
        targets: Int[Tensor, "R T"],
        weights: Float[Tensor, "R T"],
        segments: Int[Tensor, "B S"] | None = None,
    ) -> Float[Tensor, ""]:
        """Summed loss of what counts."""
        return self.cost(self.think(self.model, inputs, lengths, targets, segments), targets, weights)

    @abstractmethod
    def costs(
        self, thought: Float[Tensor, "..."], targets: Int[Tensor, "R T"], weights: Float[Tensor, "R T"]
    ) -> tuple[Float[Tensor, "R T"], Float[Tensor, ""]]:
        """Of each target, 0 where it does not count, and of all together: what `cost` tells, to the bit."""

    def each(
        self,
        inputs: Int[Tensor, "B S"],
        lengths: Int[Tensor, "D"],
        targets: Int[Tensor, "R T"],
        weights: Float[Tensor, "R T"],
        segments: Int[Tensor, "B S"] | None = None,
    ) -> tuple[Float[Tensor, "R T"], Float[Tensor, ""]]:
        """Loss of each target and of all, from one pass; for looking, without smoothing and gradients."""
        if self.smoothing:
            raise ValueError("a look is one without smoothing")
        return self.costs(self.think(self.model, inputs, lengths, targets, segments), targets, weights)


class _Tokens(Learning):
    """What is foreseen are tokens, by a head that knows its loss."""

    def cost(
        self, thought: Float[Tensor, "B T W"], targets: Int[Tensor, "B T"], weights: Float[Tensor, "B T"]
    ) -> Float[Tensor, ""]:
        """Of the positions that count; the others never reach the vocabulary."""
        loss: Tensor = self.model.head.loss(thought, targets, weights, self.smoothing)  # type: ignore[operator, union-attr]
        return loss

    def costs(
        self, thought: Float[Tensor, "B T W"], targets: Int[Tensor, "B T"], weights: Float[Tensor, "B T"]
    ) -> tuple[Float[Tensor, "B T"], Float[Tensor, ""]]:
        """Of each position and of all."""
        found: tuple[Tensor, Tensor] = self.model.head.losses(thought, targets, weights)  # type: ignore[operator, union-attr]
        return found

    def scores(self, model: nn.Module, thought: Float[Tensor, "N W"]) -> Float[Tensor, "N V"]:
        """Of the vocabulary."""
        logits: Tensor = model.head(thought)  # type: ignore[operator]  # nn.Module is untyped
        return logits

    def agreement(self, thought: Float[Tensor, "2 N W"], targets: Int[Tensor, "N"], alpha: float) -> Float[Tensor, ""]:
        """In chunks of the vocabulary's scores."""
        loss: Tensor = self.model.head.agreement(thought, targets, alpha, self.smoothing)  # type: ignore[operator, union-attr]
        return loss


class Objective(_Tokens):
    """Of an encoder-decoder, Transformer or LSTM."""

    def __init__(self, model: nn.Module, start: int, smoothing: float) -> None:
        super().__init__(model, smoothing)
        self.start = start

    def think(
        self,
        model: nn.Module,
        inputs: Int[Tensor, "B S"],
        lengths: Int[Tensor, "B"],
        targets: Int[Tensor, "B T"],
        segments: Int[Tensor, "B S"] | None = None,
    ) -> Float[Tensor, "B T W"]:
        """With the targets shifted right behind the start token."""
        begin = torch.full_like(targets[:, :1], self.start)
        shifted = torch.cat((begin, targets[:, :-1]), 1)  # (B, T)
        hidden: Tensor = model.hidden(inputs, lengths, shifted)  # type: ignore[operator]  # nn.Module is untyped
        return hidden


class NextTokenObjective(_Tokens):
    """Of a decoder: targets[i] follows inputs[i]."""

    def think(
        self,
        model: nn.Module,
        inputs: Int[Tensor, "B T"],
        lengths: Int[Tensor, "D"],
        targets: Int[Tensor, "B T"],
        segments: Int[Tensor, "B T"] | None = None,
    ) -> Float[Tensor, "B T W"]:
        """Padding comes last and is seen by nothing that counts, so lengths matter to packed documents alone."""
        packed = len(lengths) != len(inputs)
        hidden: Tensor = model.hidden(inputs, lengths) if packed else model.hidden(inputs)  # type: ignore[operator]
        return hidden


def label_loss(
    scores: Float[Tensor, "N L"],
    labels: Int[Tensor, "N"],
    reduction: Literal["none", "sum"] = "none",
    smoothing: float = 0.0,
) -> Float[Tensor, "*N"]:
    """Nats of each label, or of all: one loss, whoever learns by it or is judged by it."""
    return functional.cross_entropy(scores, labels, reduction=reduction, label_smoothing=smoothing)


class LabelObjective(Learning):
    """Of a model whose head judges the text, or each of its tokens."""

    def think(
        self,
        model: nn.Module,
        inputs: Int[Tensor, "B S"],
        lengths: Int[Tensor, "D"],
        targets: Int[Tensor, "R T"],
        segments: Int[Tensor, "B S"] | None = None,
    ) -> Float[Tensor, "*R L"]:
        """The scores themselves, which are few."""
        told = (inputs, lengths) if segments is None else (inputs, lengths, segments)
        hidden = model.hidden(*told)  # type: ignore[operator]
        scores: Tensor = model.head(hidden, lengths)  # type: ignore[operator]
        return scores

    def cost(
        self, thought: Float[Tensor, "*R L"], targets: Int[Tensor, "R T"], weights: Float[Tensor, "R T"]
    ) -> Float[Tensor, ""]:
        """In fp32, whatever the model computes in."""
        return self.costs(thought, targets, weights)[1]

    def costs(
        self, thought: Float[Tensor, "*R L"], targets: Int[Tensor, "R T"], weights: Float[Tensor, "R T"]
    ) -> tuple[Float[Tensor, "R T"], Float[Tensor, ""]]:
        """Of each label and of all."""
        scores = thought.flatten(0, -2).float()  # (N, L)
        losses = label_loss(scores, targets.flatten(), smoothing=self.smoothing) * weights.flatten()
        return losses.view_as(targets), losses.sum()

    def scores(self, model: nn.Module, thought: Float[Tensor, "N L"]) -> Float[Tensor, "N L"]:
        """Already there."""
        return thought

    def agreement(self, thought: Float[Tensor, "2 N L"], targets: Int[Tensor, "N"], alpha: float) -> Float[Tensor, ""]:
        """In fp32, whatever the model computes in."""
        return agreed(thought, targets, alpha, self.smoothing)


class Anchored(nn.Module):
    """The loss of an objective and, times a weight, how far the model's answers are from those of the untouched one.

    loss + weight * sum over what counts of KL(reference || model)

    That is what forgetting costs where the text is: Li & Hoiem 2017 (learning without forgetting), and the penalty of
    every method that learns from preferences. Only a few positions have logits at a time.

    reference   frozen, and none of this module's parameters. Where it is the very model that is trained, as under
                LoRA, `untouched` is entered around its pass, and a second copy of the weights is saved:
                Anchored(objective, objective.model, 0.1, lambda: without_adapter(model))
    """

    def __init__(
        self,
        objective: Learning,
        reference: nn.Module,
        weight: float,
        untouched: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        super().__init__()
        if not weight > 0:
            raise ConfigError(f"an anchor of weight {weight:g}", "more than 0", "--anchor 0.1, or none")
        if reference is not objective.model:
            reference.eval().requires_grad_(False)
        elif untouched is nullcontext:
            raise ValueError("a model cannot be its own anchor")
        self.objective = objective
        self.weight = weight
        self.untouched = untouched
        self._reference = (reference,)  # in a tuple, so that it is no part of this module

    def forward(
        self,
        inputs: Int[Tensor, "B S"],
        lengths: Int[Tensor, "D"],
        targets: Int[Tensor, "R T"],
        weights: Float[Tensor, "R T"],
        segments: Int[Tensor, "B S"] | None = None,
    ) -> Float[Tensor, ""]:
        """Summed loss of what counts, and the price of leaving the reference."""
        base = self._before(inputs, lengths, targets, segments)
        thought = self.objective.think(self.objective.model, inputs, lengths, targets, segments)
        loss = self.objective.cost(thought, targets, weights)
        counted = weights.flatten().nonzero()[:, 0]  # (N,)
        return loss + self.weight * self._distance(
            thought.flatten(0, -2).index_select(0, counted), base.flatten(0, -2).index_select(0, counted)
        )

    @torch.no_grad()
    def _before(
        self,
        inputs: Int[Tensor, "B S"],
        lengths: Int[Tensor, "D"],
        targets: Int[Tensor, "R T"],
        segments: Int[Tensor, "B S"] | None,
    ) -> Float[Tensor, "..."]:
        """What the reference thinks, without dropout."""
        (reference,) = self._reference
        learning = reference.training
        with self.untouched():
            reference.eval()
            thought = self.objective.think(reference, inputs, lengths, targets, segments)
        reference.train(learning)
        return thought

    def _distance(self, ours: Float[Tensor, "N W"], theirs: Float[Tensor, "N W"]) -> Float[Tensor, ""]:
        """Sum of the divergences; scores are made in chunks, and once more for the gradient."""
        if not len(ours):
            return ours.sum()
        rows = max(1, CHUNK // self._choices(ours[:1]))
        parts = [
            checkpoint(self._divergence, a, b, use_reentrant=False)
            for a, b in zip(torch.split(ours, rows), torch.split(theirs, rows), strict=True)
        ]
        total: Tensor = torch.stack(parts).sum()
        return total

    @torch.no_grad()
    def _choices(self, thought: Float[Tensor, "1 W"]) -> int:
        return self.objective.scores(self.objective.model, thought).shape[-1]

    def _divergence(self, ours: Float[Tensor, "N W"], theirs: Float[Tensor, "N W"]) -> Float[Tensor, ""]:
        """KL(reference || model) = sum p (log p - log q), Kullback & Leibler 1951."""
        (reference,) = self._reference
        with torch.no_grad(), self.untouched():
            before = functional.log_softmax(self.objective.scores(reference, theirs).float(), -1)  # (N, V)
        now = functional.log_softmax(self.objective.scores(self.objective.model, ours).float(), -1)
        return functional.kl_div(now, before, reduction="sum", log_target=True)
