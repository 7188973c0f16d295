"""Plain text: read, cut into lines or into windows of a stream, and how a model learns to go on with it.

line    <s> one line </s>                   each by itself
file    windows of all files, end to end    no beginning and no end within
"""

import codecs
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Int
from torch import nn

from seqwise.data import splits
from seqwise.data.batch import Rows
from seqwise.data.examples import ExampleLoader, Examples
from seqwise.data.files import check_paths, lines
from seqwise.data.filters import key
from seqwise.data.instructions import OnBadRow, good_lines, holds_rows, read_texts
from seqwise.data.loader import Batches
from seqwise.data.readers import Note
from seqwise.data.tokens import Tokenizer, Vocabularies, train_tokenizers
from seqwise.data.windows import WindowLoader, windows
from seqwise.decoding import Ranking, Specials, decode
from seqwise.errors import DataError
from seqwise.models.decoder import Decoder
from seqwise.stats.phrases import counted
from seqwise.tasks.labelling import HELD_OUT, one_sided
from seqwise.tasks.prepared import Prepared
from seqwise.tasks.settings import Train
from seqwise.tasks.watching import SHOWN, TextWatcher, part_of
from seqwise.training.agreement import agreeing
from seqwise.training.events import Sample
from seqwise.training.objectives import NextTokenObjective

HELD_OUT_SHARE = 20  # of lines, one in so many at most
LAST = 10  # of a stream, the last part in so many
GIVEN, WRITTEN = 24, 64  # tokens of a sample: the prompt's, and those written on it


@dataclass(frozen=True)
class Lines:
    """Lines of text that are not empty, and where each stands."""

    texts: tuple[str, ...]
    places: tuple[str, ...]

    def select(self, items: Sequence[int]) -> "Lines":
        """These, in this order."""
        return Lines(tuple(self.texts[i] for i in items), tuple(self.places[i] for i in items))

    def __len__(self) -> int:
        return len(self.texts)


@dataclass(frozen=True)
class PreparedText(Prepared):
    """What a run that generates reads."""

    settings: Train
    stream: Int[np.ndarray, "K"] | None
    """All tokens of the training files, end to end; None where lines are learnt."""
    examples: Examples
    """The training text: lines, or a stream cut once."""
    valid_examples: Examples
    vocabularies: Vocabularies
    places: tuple[str, ...]
    """Where each line stands; of a stream, its files."""
    notes: tuple[str, ...]
    labels: tuple[str, ...] = ()

    @property
    def longest(self) -> int:
        """Tokens seen together."""
        return int(max(part.inputs.lengths.max() for part in (self.examples, self.valid_examples)))

    def batches(self, rank: int, world: int) -> Batches:
        """Lines of like length together, or windows that begin somewhere else in each epoch."""
        training = self.settings.training
        tokens, seed = training.batch_tokens, training.seed
        if self.stream is None:
            return ExampleLoader(self.examples, batch_tokens=tokens, seed=seed, rank=rank, world=world)
        context = self.settings.generate.context
        return WindowLoader(self.stream, context=context, batch_tokens=tokens, seed=seed, rank=rank, world=world)

    def objective(self, model: nn.Module) -> nn.Module:
        """Cross-entropy of each next token."""
        training = self.settings.training
        return agreeing(NextTokenObjective(model, training.label_smoothing), training.agreement.r_drop)

    def watch(self, model: Decoder) -> TextWatcher:
        """Loss and perplexity, and what the model writes on a few beginnings."""
        training = self.settings.training
        trained = part_of(self.examples, self.valid_examples, training.seed)
        return TextWatcher(model, self.valid_examples, training.batch_tokens, trained, lambda: self._samples(model))

    def _samples(self, model: Decoder) -> list[Sample]:
        """Beginnings of validation texts, how they go on, and how the model goes on."""
        tokenizer = self.vocabularies.target
        inputs = self.valid_examples.inputs
        rows = [inputs.flat[a:b].tolist() for a, b in zip(inputs.starts[:SHOWN], inputs.starts[1:], strict=False)]
        given = [row[: min(GIVEN, (len(row) + 1) // 2)] for row in rows]
        asked = self.settings.generation
        least = min(asked.min_length, WRITTEN)
        made = replace(asked, beams=1, best=1, ranking=Ranking(), min_length=least, max_length=WRITTEN)
        rooms = [max(1, self.settings.generate.context - len(row)) for row in given]
        where = next(model.parameters()).device
        sources, starts = [row[:-1] for row in given], [row[-1] for row in given]
        found = decode(model, sources, made, specials(tokenizer), where, None, starts, rooms)
        written = [list(best[0].ids) for best in found]
        follows = [row[len(told) : len(told) + WRITTEN] for row, told in zip(rows, given, strict=True)]
        columns = (tokenizer.decode(part) for part in (given, follows, written))
        return [Sample(*triple) for triple in zip(*columns, strict=True)]

    def where(self, item: int) -> str:
        """Where a line stands; in a stream, which token of it a window begins with."""
        return self.places[item] if self.stream is None else f"{', '.join(self.places)}: token {item:,}"


def specials(tokenizer: Tokenizer) -> Specials:
    """The ids that steer a decoder of ours."""
    forbidden = tuple({tokenizer.pad, tokenizer.bos, tokenizer.unk} - {tokenizer.eos})
    return Specials(tokenizer.bos, tokenizer.eos, tokenizer.pad, forbidden, bounded=False)


def prepare_text(settings: Train, vocabularies: Vocabularies | None = None) -> PreparedText:
    """Read, split, encode. A resumed run brings its vocabularies along; a new one learns or reads them."""
    return (_lines if settings.generate.unit == "line" else _stream)(settings, vocabularies)


def _lines(settings: Train, vocabularies: Vocabularies | None) -> PreparedText:
    notes: list[str] = []
    train, valid = _parts(settings, notes)
    words = vocabularies or _learnt(train.texts, settings, front=True, notes=notes)
    context = settings.generate.context
    examples, owners = line_examples(train.texts, words.source, context)
    held, _ = line_examples(valid.texts, words.source, context)
    places = tuple(train.places[line] for line in owners)
    if cut := len(places) - len(train):
        notes.append(f"lines of more than --generate.context {context:,} tokens were cut: {cut:,} pieces more")
    return PreparedText(settings, None, examples, held, words, places, tuple(notes))


def _stream(settings: Train, vocabularies: Vocabularies | None) -> PreparedText:
    notes: list[str] = []
    data, context = settings.data, settings.generate.context
    texts = whole(settings.train, data.encoding, data.on_bad_row, notes.append)
    if settings.valid:
        held = whole(settings.valid, data.encoding, data.on_bad_row, notes.append)
    else:
        texts, held = _last_part(texts)
        notes.append(f"valid: the last {len(held[0]):,} characters; {sum(map(len, texts)):,} are left to train on")
    words = vocabularies or _learnt(texts, settings, front=False, notes=notes)
    ids, held_ids = (joined(part, words.source) for part in (texts, held))
    notes.append(f"train: {len(ids):,} tokens; valid: {len(held_ids):,}")
    both = windows(ids, context), windows(held_ids, context)
    return PreparedText(settings, ids, both[0], both[1], words, settings.train, tuple(notes))


def line_examples(texts: Sequence[str], tokenizer: Tokenizer, context: int) -> tuple[Examples, list[int]]:
    """Lines between start and end token, cut where they exceed the context; and which line each piece is of."""
    rows = [[tokenizer.bos, *ids, tokenizer.eos] for ids in tokenizer.encode(texts)]
    pieces, owners = [], []
    for line, row in enumerate(rows):
        for first in range(0, len(row) - 1, context):
            pieces.append(row[first : first + context + 1])
            owners.append(line)
    inputs, targets = Rows.of([piece[:-1] for piece in pieces]), Rows.of([piece[1:] for piece in pieces])
    return Examples(inputs, targets, None, tokenizer.pad, tokenizer.pad), owners


def joined(texts: Sequence[str], tokenizer: Tokenizer) -> Int[np.ndarray, "K"]:
    """The tokens of all texts end to end, the end token between two."""
    rows = tokenizer.encode(texts)
    return np.array([token for row in rows for token in (*row, tokenizer.eos)][:-1], dtype=np.int32)


def whole(paths: Sequence[str], encoding: str, on_bad_row: OnBadRow = "stop", on_note: Note | None = None) -> list[str]:
    """The text of each file, line feeds and all; of a JSON file its texts, one after the other."""
    check_paths(paths)
    codecs.lookup(encoding)
    found = []
    for path in paths:
        if holds_rows(path):
            found.append("".join(f"{text}\n" for text, _ in read_texts(path, encoding, on_bad_row, on_note)))
        else:
            found.append("\n".join(good_lines(lines(path, encoding), path, on_bad_row, on_note)) + "\n")
    return found


def _last_part(texts: Sequence[str]) -> tuple[list[str], list[str]]:
    """The last tenth of all text, from the end of the last file, set aside."""
    *first, last = texts
    total = sum(map(len, texts))
    count = min(total - int(total * (1 - 1 / LAST)), len(last) - 1)
    if count < 1:
        raise DataError(f"{total:,} characters of text", "enough to hold some out", "--valid, or more text")
    return [*first, last[:-count]], [last[-count:]]


def _learnt(texts: Sequence[str], settings: Train, front: bool, notes: list[str]) -> Vocabularies:
    """The vocabulary, which also tells how a prompt begins."""
    words = train_tokenizers(texts, (), one_sided(settings).tokens)
    words.source.frame(front=front, behind=False)
    notes.extend(words.notes)
    return words


def _read(paths: Sequence[str], settings: Train, notes: list[str]) -> Lines:
    texts, places = [], []
    for path in paths:
        for text, place in read_texts(path, settings.data.encoding, settings.data.on_bad_row, notes.append):
            texts.append(text)
            places.append(place)
    if not texts:
        raise DataError("no text", "a line that is not empty", "another file", ", ".join(paths))
    return Lines(tuple(texts), tuple(places))


def _parts(settings: Train, notes: list[str]) -> tuple[Lines, Lines]:
    """Training and validation lines; the first without anything that stands in the second, or in a test."""
    train = _read(settings.train, settings, notes)
    held = [_read(settings.test, settings, notes)] if settings.test else []
    if settings.valid:
        valid = _read(settings.valid, settings, notes)
        train = _sifted(train, settings, [valid, *held], notes)
        notes.append(f"valid: {counted(len(valid), 'line')}")
        return train, valid
    train = _sifted(train, settings, held, notes)
    if len(train) < 2:
        given = f"a single line left: {notes[-1].removeprefix('train: ')}"
        raise DataError(given, "at least two, one of them to validate with", "--valid, or more lines")
    count = min(HELD_OUT, max(1, len(train) // HELD_OUT_SHARE))
    kept, aside = splits.split(len(train), count, settings.training.seed, texts=train.texts)
    train, valid = train.select(kept), train.select(aside)
    train = _sifted(train, settings, [valid], [])
    notes.append(f"valid: {counted(len(valid), 'line')} held out of these; {len(train):,} are left to train on")
    return train, valid


def _sifted(train: Lines, settings: Train, held_out: Sequence[Lines], notes: list[str]) -> Lines:
    """Without lines that stand twice or are judged on."""
    judged = {key(text) for part in held_out for text in part.texts} if settings.data.drop_leaks else set()
    seen: set[str] = set()
    kept, twice, leaked = [], 0, 0
    for item, text in enumerate(train.texts):
        if key(text) in judged:
            leaked += 1
        elif settings.data.drop_duplicates and text in seen:
            twice += 1
        else:
            seen.add(text)
            kept.append(item)
    told = f"{counted(len(train), 'line')} read, {len(kept):,} kept"
    if twice or leaked:
        told += f" (left out: {twice:,} duplicate, {leaked:,} also in validation or test)"
    if not kept:
        raise DataError(told, "one line at least", "other files, or --data.drop-leaks false")
    notes.append(f"train: {told}")
    return train.select(kept)
