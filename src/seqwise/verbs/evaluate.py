"""evaluate: how good a run is on pairs it has not seen, how sure that is, and where it is worst."""

import csv
import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

from rich.console import Group
from rich.table import Table
from rich.text import Text

from seqwise import device as devices
from seqwise.checkpoints.files import replacing
from seqwise.config import Range, check
from seqwise.data.corpus import Format
from seqwise.data.text import Pairs, TextSettings, read_pairs
from seqwise.errors import CheckpointError, ConfigError, SeqwiseError
from seqwise.metrics.text import Score, SentenceScore, bleu, chrf, looks_tokenized, sentence_scores
from seqwise.tasks.stored import open_translator
from seqwise.training.console import printable

SCORES = "test-scores.tsv"
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

    def to_dict(self) -> dict[str, object]:
        """Plain values, for JSON."""
        return {"scores": [score.to_dict() for score in self.scores], "notes": list(self.notes)}

    def __rich__(self) -> Group:
        table = Table("chrF", "source, reference, output", title="worst sentences", show_lines=True)
        for one in self.worst:
            texts = (printable(text) for text in (one.source, one.reference, one.output))
            table.add_row(f"{one.score.chrf:.1f}", Text("\n".join(texts)))
        return Group(*self.scores, Text("\n".join(self.notes)), *([table] if self.worst else []))


def evaluate(
    run: Path,
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
    precision: devices.Precision = "auto",
    device: str = "auto",
) -> Evaluation:
    """Score a trained model on data that it has not seen.

    BLEU and chrF with sacrebleu's signature and a 95 % bootstrap interval over sentences, the score of each sentence
    in a file, and the worst sentences first. The files are read as the training files were.

    Args:
        run: The run folder.
        test: The sentence pairs: two aligned files, or one or more TSV, CSV, JSONL, Parquet or TMX files.
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
        on_bad_row: stop at a row that cannot be read, or skip it and count; as the run was set unless given.
        precision: Of weights and products; auto takes bf16 where the processor computes in it, fp32 elsewhere.
        device: auto, cpu, cuda or cuda:N.

    Example:
        seqwise evaluate runs/en-fr --test test.en test.fr
    """
    if not test:
        raise ConfigError("no --test", "the files to score on", "--test test.en test.fr")
    devices.keep_memory()
    translator, settings = open_translator([run, *ensemble], device, precision)
    kept = settings.data
    reading = replace(
        kept,
        format=format or kept.format,
        encoding=encoding or kept.encoding,
        source=source or kept.source,
        target=target or kept.target,
        on_bad_row=on_bad_row or kept.on_bad_row,
    )
    pairs = _read(test, reading)
    made = replace(
        settings.generation,
        best=1,
        beams=beams or settings.generation.beams,
        length_penalty=settings.generation.length_penalty if length_penalty is None else length_penalty,
    )
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
    told = _save(each, scores or run / SCORES)
    notes = (told, *([TOKENIZED] if tokenize != "none" and looks_tokenized(references) else []))
    return Evaluation(both, tuple(sorted(each, key=lambda one: one.score.chrf)[:worst]), notes)


def _read(test: tuple[str, ...], reading: TextSettings) -> Pairs:
    """The test pairs; a fault names the flags of this verb, not those of train."""
    try:
        return read_pairs(test, reading)
    except SeqwiseError as error:
        faults = [
            replace(fault, given=_ours(fault.given), allowed=_ours(fault.allowed), mend=_ours(fault.mend))
            for fault in error.faults
        ]
        raise type(error).of(faults) from None


def _ours(text: str) -> str:
    return text.replace("--data.", "--")


def _save(each: list[Scored], place: Path) -> str:
    """A line a sentence, in the order of the test set. Where it cannot be written, the scores are still told."""
    text = io.StringIO()
    table = csv.writer(text, "excel-tab", lineterminator="\n")
    table.writerow(["item", "chrf", "bleu", "source", "reference", "output"])
    for one in each:
        score = one.score
        table.writerow([score.item, f"{score.chrf:.2f}", f"{score.bleu:.2f}", one.source, one.reference, one.output])
    content = text.getvalue().encode()
    try:
        with replacing(place, len(content)) as file:
            file.write(content)
    except CheckpointError as error:
        return f"each sentence: not written: {error}"
    return f"each sentence: {place}"
