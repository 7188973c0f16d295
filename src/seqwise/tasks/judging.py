"""How good a model is at what it is for, item by item and as a whole. A verdict hangs on outputs, not on the model.

judge_predictions   logits and true labels    accuracy, macro-F1, what is confused, calibration, coverage
judge_outputs       texts and references      BLEU and chrF, or ROUGE and what the first sentence has of it
judge_labels        a checkpoint that names labels, on labelled texts: the first of these
judge_text          a checkpoint that writes, on plain text: perplexity, bits a byte
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from seqwise.data.corpus import TextSettings
from seqwise.data.files import shown
from seqwise.data.instructions import OnBadRow, read_texts
from seqwise.data.paired import Text
from seqwise.data.text import read_labelled
from seqwise.data.tokens import Tokenizer
from seqwise.errors import ConfigError, DataError
from seqwise.letters import composed
from seqwise.metrics.calibration import Calibration, Coverage, calibrate, chances, cover
from seqwise.metrics.comparison import Difference, compare_means
from seqwise.metrics.confusion import Confusion, confuse
from seqwise.metrics.labels import accuracy, macro_f1
from seqwise.metrics.likelihood import perplexity
from seqwise.metrics.rouge import NAMES, References, averaged, looks_foreign, rouge_of_each, several
from seqwise.metrics.scores import Score
from seqwise.metrics.text import AUTO, bleu, chrf, looks_tokenized, sentence_scores
from seqwise.stats.phrases import counted
from seqwise.tasks.foreseeing import surprise
from seqwise.tasks.numbering import numbered
from seqwise.tasks.places import placed
from seqwise.tasks.pretrained import Opened
from seqwise.tasks.reading import Classifier
from seqwise.tasks.sentences import lead

# N texts, L labels

TOKENIZED = "the references look tokenized: for scores that others can compare with, use --tokenize none"
FOREIGN = "the references are in a script that rouge-score does not know: words were cut in Seqwise's own way"
BETWEEN = " ||| "  # several references in a cell of the file of scores


@dataclass(frozen=True)
class Judged:
    """Scores, and one line for each item, worst first where there is a worst."""

    scores: tuple[Score, ...]
    items: tuple[tuple[str, ...], ...]
    """Rows of the file of scores: item, what it was scored by, and the texts."""
    columns: tuple[str, ...]
    notes: tuple[str, ...] = ()
    confusion: Confusion | None = None
    """Of labels, and so are the next two."""
    calibration: Calibration | None = None
    coverage: Coverage | None = None
    differences: tuple[Difference, ...] = ()
    """Of summaries: how much better the model is than the first sentence of each text."""

    @property
    def details(self) -> tuple[Confusion | Calibration | Coverage, ...]:
        """What is there of the three; each tells itself in a line as `told`, and in full as a table."""
        return tuple(one for one in (self.confusion, self.calibration, self.coverage) if one is not None)


def judge_predictions(
    logits: Float[np.ndarray, "N L"],
    true: Int[np.ndarray, "N"],
    names: Sequence[str],
    texts: Sequence[str],
    resamples: int = 1000,
    temperature: float | None = None,
    notes: Sequence[str] = (),
) -> Judged:
    """Labels by any model: scores, and the least likely of the true labels first.

    temperature   that chances are calibrated by, fitted on other texts; None: see `calibrate`
    """
    found = logits.argmax(1)
    chance = chances(logits)[np.arange(len(true)), true]  # (N,)
    said, meant = [names[i] for i in found.tolist()], [names[i] for i in true.tolist()]
    order = np.argsort(chance, kind="stable").tolist()
    return Judged(
        scores=(accuracy(said, meant), macro_f1(said, meant, resamples)),
        items=tuple((str(i), f"{chance[i]:.4f}", meant[i], said[i], texts[i]) for i in order),
        columns=("item", "probability of the true label", "true", "found", "text"),
        notes=tuple(notes),
        confusion=confuse(found, true, names),
        calibration=calibrate(logits, true, temperature),
        coverage=cover(logits, true),
    )


def judge_outputs(
    outputs: Sequence[str],
    references: References,
    sources: Sequence[str],
    metric: Literal["bleu", "rouge"] = "bleu",
    tokenize: str = AUTO,
    lowercase: bool = False,
    resamples: int = 1000,
) -> Judged:
    """Texts by any model: translations by BLEU and chrF, summaries by ROUGE; by chrF or ROUGE-L the worst first.

    A reference may be a text, or several. tokenize, lowercase: for BLEU and chrF; ROUGE has its own words.
    """
    rows = several(references)
    columns: tuple[str, ...]
    differences: tuple[Difference, ...] = ()
    if metric == "rouge":
        words: Literal["english", "unicode"] = "unicode" if looks_foreign([row[0] for row in rows]) else "english"
        each = rouge_of_each(outputs, references, words=words)  # (N, 3)
        scores: tuple[Score, ...] = averaged(each, references, words=words, resamples=resamples)
        differences = _beside_lead(each, rouge_of_each([lead(text) for text in sources], references, words=words))
        each = each[:, ::-1]  # ROUGE-L first
        columns, notes = ("rougeL", "rouge2", "rouge1"), [FOREIGN] * (words == "unicode")
    else:
        scores = (
            bleu(outputs, references, tokenize, lowercase, resamples),
            chrf(outputs, references, lowercase=lowercase, resamples=resamples),
        )
        ranked = sentence_scores(outputs, references, tokenize, lowercase)
        each = np.array([[one.chrf, one.bleu] for one in ranked])  # (N, 2)
        raw = tokenize != "none" and looks_tokenized([row[0] for row in rows])
        columns, notes = ("chrf", "bleu"), [TOKENIZED] * raw
    order = np.argsort(each[:, 0], kind="stable").tolist()
    items = tuple(
        (str(i), *(f"{value:.2f}" for value in each[i]), sources[i], BETWEEN.join(rows[i]), outputs[i]) for i in order
    )
    told = ("item", *columns, "source", "reference", "output")
    return Judged(scores, items, told, tuple(notes), differences=differences)


def unwritable(references: References, tokenizer: Tokenizer) -> list[str]:
    """A note on references that the model cannot write as they stand, since its tokenizer makes other characters of
    them: full-width signs and ligatures by NFKC, capitals where it knows none."""
    rows = [text for row in several(references) for text in row]
    pairs = ((text, _spaced(text), _spaced(tokenizer.normalize(text))) for text in rows)
    changed = [text for text, given, made in pairs if given != made]
    if not changed:
        return []
    return [
        f"{len(changed):,} of {counted(len(rows), 'reference')} cannot be written as they stand, the first "
        f"{shown(changed[0])}: the model's tokenizer makes other characters of them, so that no output equals them and "
        "scores are lower than in training, where both were normalized"
    ]


def _spaced(text: str) -> str:
    return " ".join(composed(text).split())


def _beside_lead(each: Float[np.ndarray, "N 3"], first: Float[np.ndarray, "N 3"]) -> tuple[Difference, ...]:
    """Summaries against first sentences, which cost nothing, by each kind of ROUGE."""
    systems = ("the first sentence", "the model")
    return tuple(compare_means(first[:, i], each[:, i], name, systems) for i, name in enumerate(NAMES))


def judge_labels(opened: Opened, test: Sequence[str], reading: TextSettings, cut: bool, resamples: int) -> Judged:
    """A checkpoint of the hub on labelled texts."""
    known = opened.checkpoint.labels
    must_choose(opened)
    notes: list[str] = []
    labelled = read_labelled(test, reading, notes.append)
    true = numbered(labelled, known)
    with placed(labelled.texts, labelled.where):
        logits = label_logits(Classifier(opened, cut), labelled.asked)
    notes += [*true.notes, *filter(None, [opened.told()])]
    return judge_predictions(logits, true.numbers, known, labelled.texts, resamples, notes=notes)


def must_choose(opened: Opened) -> None:
    """Refuse a checkpoint that gives numbers, or several labels to a text: accuracy counts the one that is right."""
    name, kind = opened.checkpoint.folder.name, opened.checkpoint.config.get("problem_type")
    if kind == "regression" or len(opened.checkpoint.labels) < 2:
        raise ConfigError(f"{name}, which tells a number", "labels to score", "seqwise predict")
    if kind == "multi_label_classification":
        given = f"{name}, which may give a text several labels (problem_type {kind})"
        raise ConfigError(given, "a checkpoint that gives one", "seqwise predict --json, for the chance of each label")


def label_logits(reader: Classifier, texts: Sequence[Text]) -> Float[np.ndarray, "N L"]:
    """What a checkpoint says of each label, before it becomes chances."""
    found = np.zeros((len(texts), len(reader.opened.checkpoint.labels)))
    for i, scores in reader.read(reader.rows(texts)):
        found[i] = scores.float().cpu().numpy()
    return found


def judge_text(
    opened: Opened, test: Sequence[str], resamples: int, encoding: str = "utf-8", on_bad_row: OnBadRow = "stop"
) -> Judged:
    """Perplexity and bits a byte of plain text, line by line; the most surprising lines first."""
    notes: list[str] = []
    lines = [text for path in test for text, _ in read_texts(path, encoding, on_bad_row, notes.append)]
    if not lines:
        raise DataError("no text", "lines to foresee", "another file", ", ".join(test))
    found = surprise(opened, lines)
    sizes = [len(line.encode()) - given for line, given in zip(lines, found.given, strict=True)]
    scores = perplexity(found.nats, found.tokens, sizes, resamples)
    rates = [nats / max(1, tokens) for nats, tokens in zip(found.nats, found.tokens, strict=True)]
    order = sorted(range(len(lines)), key=lambda i: -rates[i])
    items = tuple((str(i), f"{rates[i]:.4f}", str(found.tokens[i]), lines[i]) for i in order)
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
