"""What a look at the validation data is, by what a model does: weights by name in, scores and samples out.

    LabelWatcher    names labels of texts      loss, accuracy, macro_f1
    TextWatcher     foresees texts             loss, perplexity
    OutputWatcher   rewrites texts             loss, and bleu with chrf, or rouge1, rouge2 and rougeL

Each may also be given a part of the training data, always the same: then `train_loss` stands beside `loss`, and `gap`,
how much smaller it is. A gap that grows is what is learnt by heart.

The weights are loaded into the model that a watcher was given, those that it is not told of stay as they are.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from seqwise.data.batch import Batch, Rows
from seqwise.data.examples import Examples, ordered
from seqwise.metrics.labels import accuracy, macro_f1
from seqwise.metrics.rouge import looks_foreign, rouge
from seqwise.metrics.text import bleu, chrf
from seqwise.training.events import Sample
from seqwise.training.loop import Look
from seqwise.training.objectives import NextTokenObjective, label_loss

SHOWN = 3  # samples of a look
PART = 1000  # training items that are scored at each look, at most

Batches = Callable[[], Iterable[Batch]]
"""All items once, batch by batch."""
Measure = Literal["bleu", "rouge"]


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
            loss, true, found = self._read(self.examples)
            train_loss = None if self.trained is None else self._read(self.trained)[0]
        names, told = ([self.labels[i] for i in row] for row in (true, found))
        scores = {
            "loss": loss,
            "accuracy": accuracy(told, names).value,
            "macro_f1": macro_f1(told, names, resamples=1).value,
            **beside(loss, train_loss),
        }
        shown = range(min(SHOWN, len(self.texts)))
        return Look(scores, tuple(Sample(self.texts[i], names[i], told[i]) for i in shown))

    def _read(self, examples: Examples) -> tuple[float, list[int], list[int]]:
        """Nats an item, and of each item the true label and the likeliest one."""
        device = device_of(self.model)
        total, count = 0.0, 0
        true, found = {}, {}
        for batch in ordered(examples, self.batch_tokens):
            scores = self.model(batch.inputs.to(device), batch.lengths.to(device)).float()  # (D, L)
            wanted = batch.targets[:, 0].to(device)  # (D,)
            total += float(label_loss(scores, wanted, "sum"))
            count += len(wanted)
            likeliest = scores.argmax(1).tolist()
            for item, label, answer in zip(batch.items.tolist(), wanted.tolist(), likeliest, strict=True):
                true[item], found[item] = label, answer
        order = sorted(true)
        return total / count, [true[i] for i in order], [found[i] for i in order]


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
            loss = self._loss(self.examples)
            train_loss = None if self.trained is None else self._loss(self.trained)
            samples = () if self.write is None else tuple(self.write())[:SHOWN]
        scores = {"loss": loss, "perplexity": perplexity_of(loss), **beside(loss, train_loss)}
        return Look(scores, samples)

    def _loss(self, examples: Examples) -> float:
        batches = ordered(examples, self.batch_tokens, packed=self.packed)
        return mean_loss(self.objective, batches, device_of(self.model))


class OutputWatcher:
    """The loss of all pairs, and how like the references the outputs of the first so many are."""

    def __init__(
        self,
        model: nn.Module,
        objective: nn.Module,
        batches: Batches,
        sources: Sequence[str],
        references: Sequence[str],
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
            loss = mean_loss(self.objective, self.batches(), device)
            train_loss = None if self.trained is None else mean_loss(self.objective, self.trained(), device)
        likeness = alike(outputs, self.references, self.measure)
        triples = zip(self.sources, self.references, outputs, strict=True)
        shown = tuple(Sample(*triple) for triple, _ in zip(triples, range(SHOWN), strict=False))
        return Look({"loss": loss, **likeness, **beside(loss, train_loss)}, shown)


def alike(outputs: Sequence[str], references: Sequence[str], measure: Measure) -> dict[str, float]:
    """BLEU and chrF, or ROUGE, by the names that they have in a journal."""
    if measure == "bleu":
        return {
            "bleu": bleu(outputs, references, resamples=1).value,
            "chrf": chrf(outputs, references, resamples=1).value,
        }
    words: Literal["unicode", "english"] = "unicode" if looks_foreign(references) else "english"
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


def mean_loss(objective: nn.Module, batches: Iterable[Batch], device: torch.device) -> float:
    """Nats a target, over all batches."""
    total, count = 0.0, 0.0
    for batch in batches:
        total += float(objective(*(tensor.to(device) for tensor in batch.tensors())))
        count += float(batch.weights.sum())
    return total / max(1.0, count)


def beside(loss: float, train_loss: float | None) -> dict[str, float]:
    """The loss of training items, and how much smaller it is; nothing where none were given."""
    return {} if train_loss is None else {"train_loss": train_loss, "gap": loss - train_loss}


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
