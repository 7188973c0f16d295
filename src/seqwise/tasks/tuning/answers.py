"""What a model says of some items, and how good that is: labels and texts against what is wanted, losses of items."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from jaxtyping import Float

from seqwise.data.examples import Examples, ordered
from seqwise.decoding import Drafting, Generation
from seqwise.metrics.rouge import Words, looks_foreign, rouge_of_each
from seqwise.metrics.text import bleu, chrf
from seqwise.tasks import watching
from seqwise.tasks.tuning.items import Items
from seqwise.tasks.tuning.settings import Task, Tune
from seqwise.training.objectives import Learning

# N items, L labels


@dataclass(frozen=True, eq=False)
class Answers:
    """What a model, or a rival, says of some items."""

    outputs: tuple[str, ...]
    """A label or a text for each; empty where only losses are known."""
    scores: Mapping[str, float]
    """By name, as they stand in the journal."""
    losses: tuple[float, ...] = ()
    """Nats of each item, where they are known."""
    tokens: tuple[int, ...] = ()
    """What the losses are sums over."""
    logits: Float[np.ndarray, "N L"] | None = field(default=None, repr=False)
    """Scores of each label."""
    seconds: float = 0.0


def scored_texts(task: Task, outputs: Sequence[str], items: Items) -> dict[str, float]:
    """Scores of what was written."""
    right = items.right
    if task == "summarize":
        words: Words = "unicode" if looks_foreign([row[0] for row in right]) else "english"
        found = rouge_of_each(outputs, right, words=words).mean(0).tolist()  # (3,)
        return dict(zip(("rouge1", "rouge2", "rougeL"), found, strict=True))
    return {"bleu": bleu(outputs, right, resamples=1).value, "chrf": chrf(outputs, right, resamples=1).value}


def texts_answered(task: Task, outputs: Sequence[str], items: Items, seconds: float) -> Answers:
    """What was written, scored as the task is."""
    return Answers(tuple(outputs), scored_texts(task, outputs, items), seconds=seconds)


def by_item(
    owners: Sequence[int], losses: Sequence[float], tokens: Sequence[int], count: int
) -> tuple[list[float], list[int]]:
    """Sums of the examples that each item became."""
    nats, counted = [0.0] * count, [0] * count
    for owner, loss, number in zip(owners, losses, tokens, strict=True):
        nats[owner] += loss
        counted[owner] += number
    return nats, counted


@torch.inference_mode()
def item_losses(objective: Learning, examples: Examples, device: torch.device) -> tuple[list[float], list[int]]:
    """Nats of each example by itself, and how many targets they are sums over."""
    nats, counted = [0.0] * len(examples), [0] * len(examples)
    for i in range(len(examples)):
        batch = examples.batch(np.array([i]))
        nats[i] = float(objective(*(t.to(device) for t in batch.tensors())))
        counted[i] = int(batch.weights.sum())
    return nats, counted


@torch.inference_mode()
def mean_and_items(
    objective: Learning, examples: Examples, batch_tokens: int, packed: bool, device: torch.device
) -> watching.Told:
    """Nats per target that counts, over all examples and of each."""
    return watching.mean_and_items(objective, ordered(examples, batch_tokens, packed), device)


def steady(usual: Generation, settings: Tune) -> Generation:
    """One output of each text, and the same one each time, without sampling: as the run says, or as usual by few beams,
    for looks are many."""
    made = settings.generation or replace(usual, beams=settings.evaluation.beams)
    return replace(made, best=1, temperature=0.0, drafting=Drafting())  # many texts at once
