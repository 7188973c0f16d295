"""From the files of the settings to corpora, vocabularies and a fresh model: all that training starts from."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from seqwise.checkpoints import wordvectors
from seqwise.checkpoints.files import hash_file
from seqwise.data.text import Pairs, filter_pairs, read_pairs, split_off
from seqwise.data.tokens import Tokenizer, Vocabularies, train_tokenizers
from seqwise.data.variation import Variation
from seqwise.errors import ConfigError, DataError
from seqwise.models import assemble
from seqwise.models.architecture import TransformerSettings
from seqwise.models.embeddings import Embeddings
from seqwise.tasks.settings import Train
from seqwise.tasks.translation import Corpus

HELD_OUT = 1000  # validation pairs at most where no file names them
HELD_OUT_SHARE = 20  # and at most one in so many


@dataclass(frozen=True)
class Prepared:
    """What a run reads, ready to be trained on."""

    train: Corpus
    valid: Corpus
    vocabularies: Vocabularies
    varied: tuple[Variation, Variation] | None
    """Source and target under BPE-dropout, where it is asked for."""
    notes: tuple[str, ...]
    """What the user should know: how many pairs were left out and why, how the vocabulary came out."""


def prepare(settings: Train, vocabularies: Vocabularies | None = None) -> Prepared:
    """Read, filter, encode. A resumed run brings its vocabularies along; a new one learns or reads them."""
    if not settings.train:
        raise ConfigError("no --train", "the files to learn from", "--train a.en a.fr, or --train pairs.tsv")
    notes: list[str] = []
    train, valid = _pairs(settings, notes)
    if vocabularies is None:
        vocabularies = train_tokenizers(train.sources, train.targets, settings.tokens)
        notes.extend(vocabularies.notes)
    corpora = Corpus.of(train, vocabularies), Corpus.of(valid, vocabularies)
    varied = None
    if dropout := settings.tokens.dropout:
        sources = Variation(vocabularies.source, train.sources, dropout)
        varied = sources, Variation(vocabularies.target, train.targets, dropout)
    lengths = [1 + len(row) for corpus in corpora for row in (*corpus.sources, *corpus.targets)]
    _must_fit(settings, max(*lengths, *(side.longest for side in varied or ())))
    return Prepared(*corpora, vocabularies, varied, tuple(notes))


def _must_fit(settings: Train, longest: int) -> None:
    """A learned table of positions has an end; say so before training runs into it."""
    model = settings.model
    if not isinstance(model, TransformerSettings) or model.positions.kind != "learned":
        return
    if longest > model.positions.longest:
        raise ConfigError(
            f"a sentence of {longest} tokens with --model.positions.longest {model.positions.longest}",
            "a table as long as the longest sentence",
            f"--model.positions.longest {longest}, or a smaller --data.max-length",
        )


def _pairs(settings: Train, notes: list[str]) -> tuple[Pairs, Pairs]:
    """Training and validation pairs, filtered; the first without anything that stands in the second, or in a test."""
    read = read_pairs(settings.train, settings.data, notes.append)
    tests = (read_pairs(settings.test, settings.data, notes.append),) if settings.test else ()
    if settings.valid:
        valid = read_pairs(settings.valid, settings.data, notes.append)
        notes.append(f"valid: {len(valid):,} pairs")
        train, report = filter_pairs(read, settings.data, held_out=(valid, *tests))
        notes.append(f"train: {report}")
        return train, valid
    read, report = filter_pairs(read, settings.data, held_out=tests)
    notes.append(f"train: {report}")
    if len(read) < 2:
        raise DataError("a single pair", "at least two, one of them to validate with", "--valid, or more pairs")
    count = min(HELD_OUT, max(1, len(read) // HELD_OUT_SHARE))
    read, valid = split_off(read, count, settings.training.seed)
    train, report = filter_pairs(read, settings.data, held_out=(valid,))  # the same target may have another source
    notes.append(f"valid: {len(valid):,} pairs held out of these; {len(train):,} are left to train on")
    return train, valid


def hashes(paths: Sequence[str]) -> dict[str, str]:
    """SHA-256 of each file, for the signature."""
    return {path: hash_file(path) for path in paths}


def empty_model(settings: Train, vocabularies: Vocabularies) -> assemble.Translator:
    """A model for these vocabularies, with random weights."""
    source, target = vocabularies.source, vocabularies.target
    paddings = (source.pad, target.pad)
    return assemble.build(settings.model, source.size, target.size, vocabularies.joint, paddings)


def fresh_model(settings: Train, vocabularies: Vocabularies) -> tuple[assemble.Translator, tuple[str, ...]]:
    """A model with random weights, or with the word vectors that the settings name; and what was found of these."""
    torch.manual_seed(settings.training.seed)
    source, target = vocabularies.source, vocabularies.target
    model = empty_model(settings, vocabularies)
    chosen = settings.model.embeddings
    sides = (
        (chosen.source_vectors, source, model.encoder.embed),
        (chosen.target_vectors, target, model.decoder.embed),
    )
    notes = [_load_vectors(path, tokens, table, chosen.frozen) for path, tokens, table in sides if path]
    return model, tuple(notes)


def _load_vectors(path: str, tokens: Tokenizer, table: nn.Module, frozen: bool) -> str:
    if not isinstance(table, Embeddings):
        raise TypeError("word vectors go into a table of tokens")
    words = {piece: i for i, piece in enumerate(tokens.pieces(range(tokens.size)))}
    found = wordvectors.read(path, words)
    width = table.weight.shape[1]
    if found.width != width:
        raise ConfigError(
            f"word vectors of width {found.width} for embeddings of width {width}",
            "the same width",
            f"--model.width {found.width}",
            where=path,
        )
    table.load(found.ids, found.vectors, frozen)
    return f"{path}: {found}"
