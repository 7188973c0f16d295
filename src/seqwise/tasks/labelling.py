"""Texts with labels: read, filtered, encoded, and how a model learns to name the label."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from seqwise.data import splits
from seqwise.data.batch import Rows
from seqwise.data.examples import ExampleLoader, Examples
from seqwise.data.filters import key
from seqwise.data.paired import Text
from seqwise.data.text import Labelled, TextSettings, read_labelled
from seqwise.data.tokens import Tokenizer, Vocabularies, train_tokenizers
from seqwise.errors import DataError, nearest
from seqwise.letters import composed
from seqwise.stats.phrases import counted
from seqwise.tasks.prepared import Prepared
from seqwise.tasks.settings import Train
from seqwise.tasks.watching import LabelWatcher, part_of
from seqwise.training.agreement import agreeing
from seqwise.training.objectives import LabelObjective

HELD_OUT = 1000  # validation texts at most where no file names them
HELD_OUT_SHARE = 10  # and at most one in so many
LISTED = 12  # labels in a message, at most


@dataclass(frozen=True)
class PreparedLabels(Prepared):
    """What a run that classifies reads."""

    settings: Train
    train: Labelled
    valid: Labelled
    examples: Examples
    valid_examples: Examples
    vocabularies: Vocabularies
    labels: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def longest(self) -> int:
        """Of all texts."""
        return int(max(part.inputs.lengths.max() for part in (self.examples, self.valid_examples)))

    def batches(self, rank: int, world: int) -> ExampleLoader:
        """Texts of like length together."""
        training = self.settings.training
        return ExampleLoader(
            self.examples, batch_tokens=training.batch_tokens, seed=training.seed, rank=rank, world=world
        )

    def objective(self, model: nn.Module) -> nn.Module:
        """Cross-entropy of the label, some tokens hidden where that is asked for."""
        training = self.settings.training
        objective = agreeing(LabelObjective(model, training.label_smoothing), training.agreement.r_drop)
        share = self.settings.classify.word_dropout
        return HiddenWords(objective, share, self.vocabularies.source) if share else objective

    def watch(self, model: nn.Module) -> LabelWatcher:
        """Loss, accuracy and macro-F1."""
        training = self.settings.training
        trained = part_of(self.examples, self.valid_examples, training.seed)
        return LabelWatcher(model, self.valid_examples, self.labels, self.valid.texts, training.batch_tokens, trained)

    def where(self, item: int) -> str:
        """Where the text stands."""
        return self.train.where(item)


class HiddenWords(nn.Module):
    """An objective whose inputs lose some tokens to the unknown one, while the model learns."""

    def __init__(self, objective: nn.Module, share: float, tokens: Tokenizer) -> None:
        super().__init__()
        self.objective = objective
        self.share = share
        self.unknown = tokens.unk
        self.kept = (tokens.pad, tokens.bos, tokens.eos)

    def forward(
        self,
        inputs: Int[Tensor, "B S"],
        lengths: Int[Tensor, "D"],
        targets: Int[Tensor, "R T"],
        weights: Float[Tensor, "R T"],
        *segments: Int[Tensor, "B S"],
    ) -> Float[Tensor, ""]:
        """Summed loss."""
        if self.training:
            hidden = torch.rand(inputs.shape, device=inputs.device) < self.share
            for token in self.kept:
                hidden &= inputs != token
            inputs = inputs.masked_fill(hidden, self.unknown)
        loss: Tensor = self.objective(inputs, lengths, targets, weights, *segments)
        return loss


def prepare_labels(
    settings: Train, vocabularies: Vocabularies | None = None, labels: tuple[str, ...] = ()
) -> PreparedLabels:
    """Read, filter, encode. A resumed run brings vocabularies and labels along; a new one learns them."""
    notes: list[str] = []
    train, valid = _parts(settings, notes)
    labels = labels or ordered_labels(train.labels)
    if len(labels) < 2:
        where = ", ".join(settings.train)
        raise DataError(f"one class only, {labels[0]!r}", "two labels or more", "other data, or --data.label", where)
    if vocabularies is None:
        vocabularies = train_tokenizers(train.texts, (), one_sided(settings).tokens)
        if settings.tokens.source_file is None or not framing(vocabularies.source):
            vocabularies.source.frame(front=True, behind=True)
        notes.extend(vocabularies.notes)
    counts = ", ".join(f"{name} {train.labels.count(name):,}" for name in labels[:LISTED])
    notes.append(f"labels: {counts}" + (f" and {len(labels) - LISTED} more" if len(labels) > LISTED else ""))
    examples, held = (_examples(part, labels, vocabularies.source) for part in (train, valid))
    return PreparedLabels(settings, train, valid, examples, held, vocabularies, labels, tuple(notes))


def one_sided(settings: Train) -> Train:
    """Where there is one text, its vocabulary is that of both sides."""
    return replace(settings, tokens=replace(settings.tokens, joint=True))


def framing(tokenizer: Tokenizer) -> bool:
    """Whether the tokenizer itself puts something around a text."""
    return len(tokenizer.framed(["a"])[0].ids) > len(tokenizer.encode(["a"])[0])


def ordered_labels(found: Sequence[str]) -> tuple[str, ...]:
    """Each label once: numbers by size, others by name."""
    names = set(found)
    return tuple(sorted(names, key=int) if all(name.isdecimal() for name in names) else sorted(names))


def framed(labelled: Labelled, tokenizer: Tokenizer) -> list[list[int]]:
    """Ids of each text as `predict` gives them to the model."""
    return [one.ids for one in tokenizer.framed(labelled.asked)]


def _examples(labelled: Labelled, labels: tuple[str, ...], tokenizer: Tokenizer) -> Examples:
    numbers = {composed(name): i for i, name in enumerate(labels)}
    for item, label in enumerate(labelled.labels):
        if composed(label) not in numbers:
            raise _unknown(label, labels, labelled.where(item))
    targets = Rows.of([[numbers[composed(label)]] for label in labelled.labels])
    return Examples(Rows.of(framed(labelled, tokenizer)), targets, None, tokenizer.pad)


def _unknown(label: str, labels: tuple[str, ...], where: str) -> DataError:
    allowed = "one that a training text has: " + ", ".join(labels[:LISTED]) + (", ..." if len(labels) > LISTED else "")
    return DataError(f"the label {label!r}", allowed, nearest(label, labels) or "training texts of it", where)


def _parts(settings: Train, notes: list[str]) -> tuple[Labelled, Labelled]:
    """Training and validation texts; the first without anything that stands in the second, or in a test."""
    data = settings.data
    train = read_labelled(settings.train, data, notes.append, learnt=True)
    held = [read_labelled(settings.test, data, notes.append)] if settings.test else []
    if settings.valid:
        valid = read_labelled(settings.valid, data, notes.append)
        train = _sifted(train, data, [valid, *held], notes)
        notes.append(f"valid: {counted(len(valid), 'text')}")
        return train, valid
    train = _sifted(train, data, held, notes)
    if len(train) < 2:
        given = f"a single text left: {notes[-1].removeprefix('train: ')}"
        raise DataError(given, "at least two, one of them to validate with", "--valid, or more texts")
    count = min(HELD_OUT, max(1, len(train) // HELD_OUT_SHARE))
    kept, aside = splits.split(len(train), count, settings.training.seed, labels=train.labels, texts=train.texts)
    valid, train = train.select(aside), train.select(kept)
    train = _sifted(train, data, [valid], [])
    notes.append(f"valid: {counted(len(valid), 'text')} held out of these; {len(train):,} are left to train on")
    return train, valid


def _sifted(labelled: Labelled, data: TextSettings, held_out: Sequence[Labelled], notes: list[str]) -> Labelled:
    """Without texts that are too long, stand twice under one label, or are judged on."""
    judged = {key(text) for part in held_out for text in part.asked} if data.drop_leaks else set()
    most = data.max_length or float("inf")
    seen: set[tuple[Text, str]] = set()
    kept: list[int] = []
    reasons = dict.fromkeys(("too long", "duplicate", "also in validation or test"), 0)
    for item, (text, label) in enumerate(zip(labelled.asked, labelled.labels, strict=True)):
        if max(map(len, (text,) if isinstance(text, str) else text)) > most:
            reasons["too long"] += 1
        elif data.drop_duplicates and (text, label) in seen:
            reasons["duplicate"] += 1
        elif key(text) in judged:
            reasons["also in validation or test"] += 1
        else:
            kept.append(item)
            seen.add((text, label))
    out = ", ".join(f"{count:,} {reason}" for reason, count in reasons.items() if count)
    told = f"{counted(len(labelled), 'text')} read, {len(kept):,} kept" + f" (left out: {out})" * bool(out)
    if not kept:
        raise DataError(told, "one text at least", "other files, or milder filters")
    notes.append(f"train: {told}")
    return labelled.select(kept)
