"""evaluate: how good a run is on pairs it has not seen, how sure that is, and where it is worst."""

import csv
import io
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from rich.console import Group
from rich.table import Table
from rich.text import Text

from seqwise import device as devices
from seqwise.checkpoints.files import replacing
from seqwise.config import Range, check
from seqwise.data.corpus import Format
from seqwise.data.text import Pairs, TextSettings, read_pairs
from seqwise.decoding import Generation
from seqwise.errors import CheckpointError, ConfigError, SeqwiseError
from seqwise.metrics.scores import Score
from seqwise.metrics.text import SentenceScore, bleu, chrf, looks_tokenized, sentence_scores
from seqwise.models.transformer import Transformer
from seqwise.tasks.answering import Writes
from seqwise.tasks.judging import judge_labels, judge_text, only_pairs
from seqwise.tasks.pretrained import Opened, is_run, not_applied, open_pretrained
from seqwise.tasks.stored import open_translator
from seqwise.tasks.writing import Rewriter
from seqwise.training.console import printable

SCORES = "test-scores.tsv"
COLUMNS = ("item", "chrf", "bleu", "source", "reference", "output")
Made = TypeVar("Made")
TOKENIZED = "the references look tokenized: for scores that others can compare with, use --tokenize none"


@dataclass(frozen=True)
class Scored:
    """One sentence of the test set."""

    score: SentenceScore
    source: str
    reference: str
    output: str


@dataclass(frozen=True)
class Evaluation:
    """Scores of a run on a test set."""

    scores: tuple[Score, ...]
    worst: tuple[Scored, ...]
    """The worst first, by chrF."""
    notes: tuple[str, ...]
    """Where the score of each sentence stands, and what else to know."""
    judged: tuple[tuple[str, ...], ...] = ()
    """Of models that do not translate: their worst items, the names of the columns first."""

    def to_dict(self) -> dict[str, object]:
        """Plain values, for JSON."""
        return {"scores": [score.to_dict() for score in self.scores], "notes": list(self.notes)}

    def __rich__(self) -> Group:
        table = Table("chrF", "source, reference, output", title="worst sentences", show_lines=True)
        for one in self.worst:
            texts = (printable(text) for text in (one.source, one.reference, one.output))
            table.add_row(f"{one.score.chrf:.1f}", Text("\n".join(texts)))
        return Group(*self.scores, Text("\n".join(self.notes)), *([table] if self.worst else []), *self._items())

    def _items(self) -> list[Table]:
        if len(self.judged) < 2:
            return []
        table = Table(*self.judged[0], title="worst items")
        for row in self.judged[1:]:
            table.add_row(*(Text(printable(cell)) for cell in row))
        return [table]


def evaluate(
    model: str,
    *,
    test: tuple[str, ...] = (),
    ensemble: tuple[Path, ...] = (),
    tokenize: str = "13a",
    lowercase: bool = False,
    beams: Annotated[int, Range(1, 64)] | None = None,
    length_penalty: Annotated[float, Range(0.0, 5.0)] | None = None,
    worst: Annotated[int, Range(0)] = 5,
    scores: Path | None = None,
    resamples: Annotated[int, Range(1)] = 1000,
    format: Format | None = None,  # noqa: A002  # the name of the flag
    encoding: str | None = None,
    source: str | None = None,
    target: str | None = None,
    on_bad_row: Literal["stop", "skip"] | None = None,
    text: str | None = None,
    label: str | None = None,
    revision: str | None = None,
    source_language: str | None = None,
    target_language: str | None = None,
    cut: bool = False,
    precision: devices.Precision = "auto",
    device: str = "auto",
) -> Evaluation:
    """Score a trained model on data that it has not seen.

    Models that translate or summarize: BLEU and chrF with sacrebleu's signature and a 95 % bootstrap interval over
    sentences, the score of each sentence in a file, and the worst sentences first. The files are read as the training
    files of a run were. Checkpoints of the hub that name labels: accuracy and macro-F1 on labelled texts. Those that
    write: perplexity and bits a byte of plain text, line by line.

    Args:
        model: A run folder, a folder with config.json, or owner/name on the hub.
        test: The sentence pairs: two aligned files, or one or more TSV, CSV, JSONL, Parquet or TMX files. For labels,
            the same but TMX; for perplexity, plain text.
        ensemble: Further runs with the same vocabulary, whose probabilities are averaged.
        tokenize: How sacrebleu cuts words: 13a for raw text, none for tokenized text, zh, ja-mecab, char, intl.
        lowercase: Compare without regard to case.
        beams: Hypotheses kept at each step; as the run was set unless given.
        length_penalty: As in predict; as the run was set unless given.
        worst: How many of the worst sentences to show.
        scores: File for the score of each sentence; test-scores.tsv in the run folder unless given.
        resamples: Draws of the bootstrap.
        format: Of the test files; as the run was set unless given, and there auto goes by their endings.
        encoding: Of lines, TSV, CSV and JSONL; as the run was set unless given.
        source: Column of what is read; as the run was set unless given.
        target: Column of the reference; as the run was set unless given.
        text: Column of a labelled text.
        label: Column of its label.
        revision: Branch, tag or commit of a model on the hub.
        source_language: What is translated from, for M2M-100 and NLLB.
        target_language: What is translated into.
        cut: Cut texts that are longer than the model reads, rather than refuse them.
        on_bad_row: stop at a row that cannot be read, or skip it and count; as the run was set unless given.
        precision: Of weights and products; auto takes bf16 where the processor computes in it, fp32 elsewhere.
        device: auto, cpu, cuda or cuda:N.

    Example:
        seqwise evaluate runs/en-fr --test test.en test.fr
    """
    if not test:
        raise ConfigError("no --test", "the files to score on", "--test test.en test.fr")
    flags = dict(locals())
    devices.keep_memory()
    opened = None if is_run(model) else open_pretrained(model, revision, device, precision)
    if opened is not None and not isinstance(opened.model, Transformer):
        return _judged(opened, flags)
    translator, usual, kept = _run(flags) if opened is None else _rewriter(opened, flags)
    pairs = _read(test, _reading(kept, flags))
    length_penalty = usual.length_penalty if length_penalty is None else length_penalty
    made = replace(usual, best=1, beams=beams or usual.beams, length_penalty=length_penalty)
    check(made)
    outputs = [best[0].text for best in translator.translate(pairs.sources, made)]
    references = list(pairs.targets)
    both = (
        bleu(outputs, references, tokenize, lowercase, resamples),
        chrf(outputs, references, lowercase=lowercase, resamples=resamples),
    )
    each = [
        Scored(score, pairs.sources[score.item], references[score.item], outputs[score.item])
        for score in sentence_scores(outputs, references, tokenize, lowercase)
    ]
    notes = [_save([COLUMNS, *map(_row, each)], scores or (Path(model) / SCORES if opened is None else None))]
    if tokenize != "none" and looks_tokenized(references):
        notes.append(TOKENIZED)
    return Evaluation(both, tuple(sorted(each, key=lambda one: one.score.chrf)[:worst]), tuple(notes))


def _row(one: Scored) -> tuple[str, ...]:
    score = one.score
    return str(score.item), f"{score.chrf:.2f}", f"{score.bleu:.2f}", one.source, one.reference, one.output


def _run(flags: Mapping[str, Any]) -> tuple[Writes, Generation, TextSettings]:
    """A run of ours, or several: how it decodes, and how its files were read."""
    for name in ("revision", "source_language", "target_language", "cut", "text", "label"):
        if flags[name]:
            flag = "--" + name.replace("_", "-")
            raise ConfigError(f"{flag} for the run {flags['model']}", "a checkpoint of the hub", "leaving it out")
    runs = [flags["model"], *flags["ensemble"]]
    translator, settings = open_translator(runs, flags["device"], flags["precision"])
    return translator, settings.generation, settings.data


def _rewriter(opened: Opened, flags: Mapping[str, Any]) -> tuple[Writes, Generation, TextSettings]:
    """A checkpoint that translates or summarizes."""
    if flags["ensemble"]:
        raise ConfigError("--ensemble for a checkpoint of the hub", "it for runs only", "leaving it out")
    for note in not_applied(opened.checkpoint):
        print(note, file=sys.stderr)
    model = Rewriter(opened, flags["source_language"], flags["target_language"], flags["cut"])
    return model, model.settings, TextSettings()


def _reading(kept: TextSettings, flags: Mapping[str, Any]) -> TextSettings:
    """How the test files are read: as the flags say, else as the run was set."""
    named = ("format", "encoding", "source", "target", "on_bad_row", "text", "label")
    return replace(kept, **{name: flags[name] for name in named if flags[name] is not None})


def _judged(opened: Opened, flags: Mapping[str, Any]) -> Evaluation:
    """A checkpoint that names labels, or one that writes."""
    test, resamples = flags["test"], flags["resamples"]
    for name in ("ensemble", "beams", "length_penalty", "lowercase", "source_language", "target_language"):
        if flags[name]:
            flag = "--" + name.replace("_", "-")
            raise ConfigError(
                f"{flag} for {opened.checkpoint.architecture}", "a model that translates", "leaving it out"
            )
    task = opened.checkpoint.head.task
    if task == "labels":
        found = _ours_named(
            lambda: judge_labels(opened, test, _reading(TextSettings(), flags), flags["cut"], resamples)
        )
    elif task == "tokens":
        found = judge_text(opened, test, resamples, flags["encoding"] or "utf-8")
    else:
        raise only_pairs(opened)
    told = _save([found.columns, *found.items], flags["scores"])
    return Evaluation(found.scores, (), (told, *found.notes), (found.columns, *found.items[: flags["worst"]]))


def _ours_named(work: Callable[[], Made]) -> Made:
    """A fault names the flags of this verb, not those of train."""
    try:
        return work()
    except SeqwiseError as error:
        faults = [
            replace(fault, given=_ours(fault.given), allowed=_ours(fault.allowed), mend=_ours(fault.mend))
            for fault in error.faults
        ]
        raise type(error).of(faults) from None


def _read(test: tuple[str, ...], reading: TextSettings) -> Pairs:
    """The test pairs."""
    return _ours_named(lambda: read_pairs(test, reading))


def _ours(text: str) -> str:
    return text.replace("--data.", "--")


def _save(rows: Sequence[Sequence[str]], place: Path | None) -> str:
    """A line an item, under the names of the columns. Where it cannot be written, the scores are still told."""
    if place is None:
        return "each item: --scores FILE writes them"
    text = io.StringIO()
    csv.writer(text, "excel-tab", lineterminator="\n").writerows(rows)
    content = text.getvalue().encode()
    try:
        with replacing(place, len(content)) as file:
            file.write(content)
    except CheckpointError as error:
        return f"each sentence: not written: {error}"
    return f"each sentence: {place}"
