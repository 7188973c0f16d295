"""What a look at the validation data is, by what a model does: weights by name in, scores and samples out.

    LabelWatcher    names labels of texts      loss, accuracy, macro_f1
    TextWatcher     foresees texts             loss, perplexity
    OutputWatcher   rewrites texts             loss, and bleu with chrf, or rouge1, rouge2 and rougeL

Each may also be given a part of the training data, always the same: then `train_loss` stands beside `loss`, and `gap`,
how much smaller it is. A gap that grows is what is learnt by heart. What the losses are means of, item by item, comes
along from the same pass.

The weights are loaded into the model that a watcher was given, those that it is not told of stay as they are.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from seqwise.data.batch import Batch, Rows
from seqwise.data.examples import Examples, ordered
from seqwise.metrics.labels import accuracy, macro_f1
from seqwise.metrics.rouge import References, looks_foreign, rouge, several
from seqwise.metrics.text import bleu, chrf
from seqwise.training.events import ItemLosses, Losses, Sample
from seqwise.training.loop import Look
from seqwise.training.objectives import Learning, NextTokenObjective, label_loss

SHOWN = 3  # samples of a look
PART = 1000  # training items that are scored at each look, at most

# R rows of T targets, D documents in a batch

Batches = Callable[[], Iterable[Batch]]
"""All items once, batch by batch."""
Measure = Literal["bleu", "rouge"]
Told = tuple[float, ItemLosses]
"""A mean loss, and what it is the mean of."""


class LabelWatcher:
    """The loss of all labels, and how many are right."""

    def __init__(
        self,
        model: nn.Module,
        examples: Examples,
        labels: Sequence[str],
        texts: Sequence[str],
        batch_tokens: int,
        trained: Examples | None = None,
    ) -> None:
        """labels, texts: names of the labels by number; what was read, for the samples. trained: see `part`."""
        self.model = model
        self.examples = examples
        self.labels = tuple(labels)
        self.texts = texts
        self.batch_tokens = batch_tokens
        self.trained = trained

    def __call__(self, weights: Mapping[str, Tensor]) -> Look:
        """Load the weights and score them."""
        with looking(self.model, weights):
            loss, items, true, found = self._read(self.examples)
            trained = None if self.trained is None else self._read(self.trained)[:2]
        names, told = ([self.labels[i] for i in row] for row in (true, found))
        scores = {
            "loss": loss,
            "accuracy": accuracy(told, names).value,
            "macro_f1": macro_f1(told, names, resamples=1).value,
            **beside(loss, trained),
        }
        shown = range(min(SHOWN, len(self.texts)))
        samples = tuple(Sample(self.texts[i], names[i], told[i]) for i in shown)
        return Look(scores, samples, losses_of(items, trained))

    def _read(self, examples: Examples) -> tuple[float, ItemLosses, list[int], list[int]]:
        """Nats an item, of all and of each, and of each the true label and the likeliest one."""
        device = device_of(self.model)
        total, count = 0.0, 0
        true, found = {}, {}
        nats = np.zeros(len(examples))
        for batch in ordered(examples, self.batch_tokens):
            scores = self.model(batch.inputs.to(device), batch.lengths.to(device)).float()  # (D, L)
            wanted = batch.targets[:, 0].to(device)  # (D,)
            total += float(label_loss(scores, wanted, "sum"))
            count += len(wanted)
            nats[batch.items.numpy()] = label_loss(scores, wanted).cpu().numpy()
            likeliest = scores.argmax(1).tolist()
            for item, label, answer in zip(batch.items.tolist(), wanted.tolist(), likeliest, strict=True):
                true[item], found[item] = label, answer
        order = sorted(true)
        items = ItemLosses(nats, np.ones(len(nats)))
        return total / count, items, [true[i] for i in order], [found[i] for i in order]


class TextWatcher:
    """The loss of all tokens, and exp of it."""

    def __init__(
        self,
        model: nn.Module,
        examples: Examples,
        batch_tokens: int,
        trained: Examples | None = None,
        write: Callable[[], Sequence[Sample]] | None = None,
        packed: bool = False,
    ) -> None:
        """write: a few prompts with their true continuations and the model's, for the samples. trained: see `part`."""
        self.model = model
        self.objective = NextTokenObjective(model)
        self.examples = examples
        self.batch_tokens = batch_tokens
        self.trained = trained
        self.write = write
        self.packed = packed

    def __call__(self, weights: Mapping[str, Tensor]) -> Look:
        """Load the weights and score them."""
        with looking(self.model, weights):
            loss, items = self._loss(self.examples)
            trained = None if self.trained is None else self._loss(self.trained)
            samples = () if self.write is None else tuple(self.write())[:SHOWN]
        scores = {"loss": loss, "perplexity": perplexity_of(loss), **beside(loss, trained)}
        return Look(scores, samples, losses_of(items, trained))

    def _loss(self, examples: Examples) -> Told:
        batches = ordered(examples, self.batch_tokens, packed=self.packed)
        return mean_and_items(self.objective, batches, device_of(self.model))


class OutputWatcher:
    """The loss of all pairs, and how like the references the outputs of the first so many are."""

    def __init__(
        self,
        model: nn.Module,
        objective: Learning,
        batches: Batches,
        sources: Sequence[str],
        references: References,
        translate: Callable[[Sequence[str]], Sequence[str]],
        measure: Measure = "bleu",
        trained: Batches | None = None,
    ) -> None:
        """
        objective    of the model, without smoothing
        batches      all validation pairs, afresh at each call
        sources      those that are written anew at each look, and their references; all, or the first so many
        translate    texts -> outputs, by the weights that the model has then
        """
        self.model, self.objective = model, objective
        self.batches, self.trained = batches, trained
        self.sources, self.references = list(sources), list(references)
        self.translate = translate
        self.measure = measure

    def __call__(self, weights: Mapping[str, Tensor]) -> Look:
        """Load the weights and score them."""
        device = device_of(self.model)
        with looking(self.model, weights):
            outputs = list(self.translate(self.sources))
            loss, items = mean_and_items(self.objective, self.batches(), device)
            trained = None if self.trained is None else mean_and_items(self.objective, self.trained(), device)
        likeness = alike(outputs, self.references, self.measure)
        first = [row[0] for row in several(self.references)]
        triples = zip(self.sources, first, outputs, strict=True)
        shown = tuple(Sample(*triple) for triple, _ in zip(triples, range(SHOWN), strict=False))
        return Look({"loss": loss, **likeness, **beside(loss, trained)}, shown, losses_of(items, trained))


def alike(outputs: Sequence[str], references: References, measure: Measure) -> dict[str, float]:
    """BLEU and chrF, or ROUGE, by the names that they have in a journal."""
    if measure == "bleu":
        return {
            "bleu": bleu(outputs, references, resamples=1).value,
            "chrf": chrf(outputs, references, resamples=1).value,
        }
    first = [row[0] for row in several(references)]
    words: Literal["unicode", "english"] = "unicode" if looks_foreign(first) else "english"
    found = rouge(outputs, references, words=words, resamples=1)
    return {name: score.value for name, score in zip(("rouge1", "rouge2", "rougeL"), found, strict=True)}


@contextmanager
def looking(model: nn.Module, weights: Mapping[str, Tensor]) -> Iterator[None]:
    """The model with these weights, without dropout and gradients; trained on afterwards where it was before."""
    model.load_state_dict(dict(weights), strict=False)
    training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        model.train(training)


def mean_and_items(objective: Learning, batches: Iterable[Batch], device: torch.device) -> Told:
    """Nats a target, over all batches; and what they are made of."""
    total, count = 0.0, 0.0
    items, nats, targets = list[np.ndarray](), list[np.ndarray](), list[np.ndarray]()
    for batch in batches:
        each, summed = objective.each(*(tensor.to(device) for tensor in batch.tensors()))
        total += float(summed)
        count += float(batch.weights.sum())
        items.append(batch.items.numpy())
        nats.append(_by_document(each.cpu(), batch))
        targets.append(_by_document(batch.weights, batch))
    order = np.argsort(np.concatenate(items))
    return total / max(1.0, count), ItemLosses(np.concatenate(nats)[order], np.concatenate(targets)[order])


def _by_document(values: Float[Tensor, "R T"], batch: Batch) -> Float[np.ndarray, "D"]:
    """Sums over the targets of each."""
    found = values.double().numpy()
    if len(found) == len(batch.lengths):
        return np.asarray(found.sum(1))
    ends = batch.lengths.numpy().cumsum()
    return np.add.reduceat(found[0], ends - batch.lengths.numpy())


def beside(loss: float, trained: Told | None) -> dict[str, float]:
    """The loss of training items, and how much smaller it is; nothing where none were given."""
    return {} if trained is None else {"train_loss": trained[0], "gap": loss - trained[0]}


def losses_of(items: ItemLosses, trained: Told | None) -> Losses:
    """Of validation items, and of training items where some were given."""
    return Losses(items, None if trained is None else trained[1])


def perplexity_of(loss: float) -> float:
    """exp(loss); infinite where no float is that large."""
    try:
        return math.exp(loss)
    except OverflowError:
        return math.inf


def part(items: int, like: int, seed: int) -> list[int]:
    """Which training items are scored beside the validation data: as many as there, at most `PART`, ever the same."""
    count = min(items, like, PART)
    return sorted(np.random.default_rng(seed).choice(items, count, replace=False).tolist())


def part_of(examples: Examples, like: Examples, seed: int) -> Examples:
    """The same part, as examples."""
    chosen = np.array(part(len(examples.inputs.lengths), len(like.inputs.lengths), seed))
    trained = None if examples.trained is None else _some(examples.trained, chosen)
    inputs, targets = _some(examples.inputs, chosen), _some(examples.targets, chosen)
    return Examples(inputs, targets, trained, examples.pad, examples.target_pad)


def _some(rows: Rows, items: np.ndarray) -> Rows:
    flat, lengths = rows.joined(items)
    return Rows(flat.numpy().astype(np.int32), np.concatenate([[0], np.cumsum(lengths.numpy())]))


def device_of(model: nn.Module) -> torch.device:
    """Where the weights are."""
    return next(model.parameters()).device
