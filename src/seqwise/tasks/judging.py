"""How good a checkpoint of the hub is at what its head is for: labels against true ones, perplexity of a text."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from seqwise.data.corpus import Labelled, TextSettings
from seqwise.data.text import read_labelled, read_lines
from seqwise.errors import ConfigError, DataError, nearest
from seqwise.metrics.labels import accuracy, macro_f1
from seqwise.metrics.likelihood import perplexity
from seqwise.metrics.scores import Score
from seqwise.tasks.foreseeing import surprise
from seqwise.tasks.pretrained import Opened
from seqwise.tasks.reading import Classifier, pair


@dataclass(frozen=True)
class Judged:
    """Scores, and one line for each item, worst first where there is a worst."""

    scores: tuple[Score, ...]
    items: tuple[tuple[str, ...], ...]
    """Rows of the file of scores: item, what it was scored by, and the texts."""
    columns: tuple[str, ...]
    notes: tuple[str, ...]


def judge_labels(opened: Opened, test: Sequence[str], reading: TextSettings, cut: bool, resamples: int) -> Judged:
    """Accuracy and macro-F1 on labelled texts; the least likely of the true labels first."""
    known = opened.checkpoint.labels
    if len(known) < 2:
        raise ConfigError(
            f"{opened.checkpoint.folder.name}, which tells a number", "labels to score", "seqwise predict"
        )
    labelled = read_labelled(test, reading)
    true = [_label(label, known, where) for label, where in zip(labelled.labels, _places(labelled), strict=True)]
    reader = Classifier(opened, cut)
    found = reader.classify([pair(text) for text in labelled.texts])
    first = [ranked[0].name for ranked in found]
    chances = [
        next(one.probability for one in ranked if one.name == name) for ranked, name in zip(found, true, strict=True)
    ]
    order = sorted(range(len(true)), key=lambda i: chances[i])
    items = tuple((str(i), f"{chances[i]:.4f}", true[i], first[i], labelled.texts[i]) for i in order)
    told = opened.told()
    notes = (told,) if told else ()
    scores = accuracy(first, true), macro_f1(first, true, resamples)
    return Judged(scores, items, ("item", "probability of the true label", "true", "found", "text"), notes)


def _places(labelled: Labelled) -> list[str]:
    return [f"{file}:{line}" for file, line in zip(labelled.files, labelled.lines, strict=True)]


def _label(given: str, known: Sequence[str], where: str) -> str:
    """The checkpoint's own name of a label: itself, in another case, or by its number."""
    if given in known:
        return given
    lower = {name.lower(): name for name in known}
    if given.lower() in lower:
        return lower[given.lower()]
    if given.isdecimal() and int(given) < len(known):
        return known[int(given)]
    close = nearest(given, known)
    raise DataError(
        f"the label {given!r}",
        "one of " + ", ".join(known[:12]) + (", ..." if len(known) > 12 else "") + ", or its number",
        f"writing {close} there" if close else "a checkpoint with these labels",
        where,
    )


def judge_text(opened: Opened, test: Sequence[str], resamples: int, encoding: str = "utf-8") -> Judged:
    """Perplexity and bits a byte of plain text, line by line; the most surprising lines first."""
    lines = [line for path in test for line in read_lines(Path(path), encoding) if line.strip()]
    if not lines:
        raise DataError("no text", "lines to foresee", "another file", ", ".join(test))
    found = surprise(opened, lines)
    sizes = [len(line.encode()) - given for line, given in zip(lines, found.given, strict=True)]
    scores = perplexity(found.nats, found.tokens, sizes, resamples)
    rates = [nats / max(1, tokens) for nats, tokens in zip(found.nats, found.tokens, strict=True)]
    order = sorted(range(len(lines)), key=lambda i: -rates[i])
    items = tuple((str(i), f"{rates[i]:.4f}", str(found.tokens[i]), lines[i]) for i in order)
    notes = []
    if found.pieces:
        notes.append(
            f"lines longer than {opened.longest} tokens were read in {found.pieces:,} pieces more, each by itself"
        )
    return Judged(scores, items, ("item", "nats a token", "tokens", "text"), tuple(notes))


def only_pairs(opened: Opened) -> ConfigError:
    """For heads that have no score here."""
    return ConfigError(
        f"evaluate for {opened.checkpoint.architecture}",
        "a model that translates, names labels of texts, or writes",
        "seqwise predict, to see what it says",
    )
