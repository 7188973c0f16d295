"""evaluate: how good a run is on pairs it has not seen, how sure that is, and where it is worst."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from json import dumps
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from seqwise import device as devices
from seqwise.checkpoints.files import replacing
from seqwise.checkpoints.run import RunFolder
from seqwise.config import Range, check
from seqwise.data.corpus import Format, encoding_faults
from seqwise.data.text import TextSettings, read_pairs
from seqwise.data.tokens import Tokenizer
from seqwise.decoding import Generation
from seqwise.errors import CheckpointError, ConfigError, SeqwiseError
from seqwise.metrics.text import AUTO
from seqwise.models.decoder import Decoder
from seqwise.models.heads import NextToken
from seqwise.models.transformer import Transformer
from seqwise.reports.evaluation import Evaluation
from seqwise.reports.forecasts import Backtested, backtest_page
from seqwise.tasks.answering import Writes
from seqwise.tasks.destinations import must_be_free, save_rows
from seqwise.tasks.forecasting.judging import judge_forecasts
from seqwise.tasks.idle import ALONE, FIXED, FORESEEN, IDLE, JUDGED, LABELLED, SEARCHED, TEXTUAL, refuse
from seqwise.tasks.judging import Judged, judge_labels, judge_outputs, judge_text, only_pairs, unwritable
from seqwise.tasks.opening import Own, judge_lines, judge_stream, open_own, summarizes
from seqwise.tasks.places import placed
from seqwise.tasks.pretrained import Opened, generation, is_run, not_applied, open_pretrained, whole
from seqwise.tasks.stored import is_forecast, open_translator
from seqwise.tasks.tuning.judging import judge
from seqwise.tasks.tuning.stored import is_tuned, read_tune
from seqwise.tasks.writing import Manner, Rewriter, Writer

SCORES = "test-scores.tsv"
WORST, RESAMPLES = 5, 1000  # items shown, draws of the bootstrap
Made = TypeVar("Made")
Rewriting = tuple[Writes, Generation, TextSettings, Tokenizer]


def evaluate(
    model: str,
    *,
    test: tuple[str, ...] = (),
    ensemble: tuple[Path, ...] = (),
    tokenize: str = AUTO,
    lowercase: bool = False,
    rouge: bool = False,
    beams: Annotated[int, Range(1, 64)] | None = None,
    max_length: Annotated[int, Range(1)] | None = None,
    length_penalty: Annotated[float, Range(-5.0, 5.0)] | None = None,
    mbr: Literal["none", "bleu", "chrf"] | None = None,
    worst: Annotated[int, Range(0)] = WORST,
    details: bool = False,
    scores: Path | None = None,
    resamples: Annotated[int, Range(1)] = RESAMPLES,
    format: Format | None = None,  # noqa: A002  # the name of the flag
    encoding: str | None = None,
    source: str | None = None,
    target: str | None = None,
    on_bad_row: Literal["stop", "skip"] | None = None,
    text: str | tuple[str, str] | None = None,
    label: str | None = None,
    revision: str | None = None,
    source_language: str | None = None,
    target_language: str | None = None,
    cut: bool = False,
    stride: Annotated[int, Range(1)] | None = None,
    report: Path | None = None,
    json: bool = False,
    precision: devices.Precision = "auto",
    device: str = "auto",
) -> Evaluation | Backtested | str:
    """Score a trained model on data that it has not seen.

    Models that translate or summarize: BLEU and chrF with sacrebleu's signature, or ROUGE, with a 95 % bootstrap
    interval over texts, the score of each text in a file, and the worst texts first. The files are read as the training
    files of a run were. Checkpoints of the hub that name labels: accuracy and macro-F1 on labelled texts, what is
    confused, and whether the chances are true. Those that write: perplexity and bits a byte of plain text. Runs of
    `seqwise train forecast`: a backtest on what came after their training and validation part, beside the naive, the
    seasonal naive and the drift forecast, with a test of the difference and what the bands held.

    Args:
        model: A run folder, a folder with config.json, or owner/name on the hub.
        test: The sentence pairs: two aligned files, or one or more TSV, CSV, JSONL, Parquet or TMX files. For labels,
            the same but TMX; for perplexity, plain text. Of a forecaster a table, by default that of training.
        ensemble: Further runs with the same vocabulary, whose probabilities are averaged.
        tokenize: How sacrebleu cuts words: 13a for raw text, none for tokenized text, zh, ja-mecab, char, intl; auto
            takes 13a, or in scripts without spaces zh or char.
        lowercase: Compare without regard to case.
        rouge: ROUGE-1, ROUGE-2 and ROUGE-L, as for summaries, in place of BLEU and chrF.
        beams: Hypotheses kept at each step; as the run was set unless given.
        max_length: Tokens of an output at most, those of a prompt not counted; as the run was set unless given.
        length_penalty: As in predict; as the run was set unless given.
        mbr: Judge the output that is most like the others by BLEU or chrF, among --beams (16, say), not the likeliest.
        worst: How many of the worst items to show.
        details: For labels, show each class, the confusion matrix, calibration and coverage as tables.
        scores: File for the score of each item; test-scores.tsv in the run folder unless given.
        resamples: Draws of the bootstrap.
        format: Of the test files; as the run was set unless given, and there auto goes by their endings.
        encoding: Of lines, TSV, CSV and JSONL; as the run was set unless given.
        source: Column of what is read; as the run was set unless given.
        target: Column of the reference; as the run was set unless given.
        text: Column of a labelled text; given twice, the two of a pair of texts, such as premise and hypothesis.
        label: Column of its label.
        revision: Branch, tag or commit of a model on the hub.
        source_language: What is translated from, for M2M-100, NLLB and mBART.
        target_language: What is translated into.
        cut: Cut texts that are longer than the model reads, rather than refuse them.
        on_bad_row: stop at a row that cannot be read, or skip it and count; as the run was set unless given.
        stride: Of a forecaster: steps from one origin to the next; 1 unless given.
        report: Of a forecaster: write a page with pictures into this .html file.
        json: Print all as JSON.
        precision: Of weights and products; auto takes bf16 where the processor computes in it, fp32 elsewhere.
        device: auto, cpu, cuda or cuda:N.

    Example:
        seqwise evaluate runs/en-fr --test test.en test.fr
    """
    flags = dict(locals())
    found = _backtested(flags) if is_forecast(model) else _evaluated(flags)
    return dumps(found.to_dict(), indent=1, ensure_ascii=False) if json else found


def _backtested(flags: Mapping[str, Any]) -> Backtested:
    """A run that forecasts."""
    usual = {"tokenize": AUTO, "worst": WORST, "resamples": RESAMPLES}
    for name in (*ALONE, *JUDGED, *usual, *TEXTUAL):
        if flags[name] not in (None, (), False, usual.get(name)):
            flag = "--" + name.replace("_", "-")
            allowed = "--test, --stride, --report, --json, --device"
            raise ConfigError(f"{flag} for the forecaster {flags['model']}", allowed, "leaving it out")
    if flags["report"] is not None:
        must_be_free("--report", flags["report"], flags["test"])
    found = judge_forecasts(flags["model"], flags["test"], flags["stride"], flags["device"])
    if flags["report"] is not None:
        content = backtest_page(found).encode()
        with replacing(flags["report"], len(content)) as file:
            file.write(content)
    return Backtested(found)


def _evaluated(flags: Mapping[str, Any]) -> Evaluation:
    """Whatever reads text."""
    model, test, device, precision = (flags[name] for name in ("model", "test", "device", "precision"))
    rouge, tokenize, lowercase, resamples = (flags[name] for name in ("rouge", "tokenize", "lowercase", "resamples"))
    worst, details = flags["worst"], flags["details"]
    if not test:
        raise ConfigError("no --test", "the files to score on", "--test test.en test.fr")
    _refuse_forecasting(flags)
    if faults := [*encoding_faults(flags["encoding"] or "utf-8", "--")]:
        raise ConfigError.of(faults)
    place = flags["scores"] or (Path(model) / SCORES if is_run(model) else None)
    if place is not None and (flags["scores"] or place.is_file()):
        must_be_free("--scores", place, test)
    flags = {**flags, "scores": place}
    if rouge and (lowercase or tokenize != AUTO):
        given = "--lowercase" if lowercase else f"--tokenize {tokenize}"
        raise ConfigError(f"{given} with --rouge", "BLEU, since ROUGE cuts words its own way", "leaving it out")
    devices.keep_memory()
    if is_tuned(model):
        return _tuned(flags)
    own = open_own(model, device, precision) if is_run(model) else None
    if own is not None:
        return _own(own, flags)
    opened = None if is_run(model) else open_pretrained(model, flags["revision"], device, precision)
    if opened is not None and not _rewrites(opened, rouge):
        return _judged(opened, flags)
    translator, usual, kept, words = _run(flags) if opened is None else _rewriter(opened, flags)
    notes: list[str] = []
    pairs = _ours_named(lambda: read_pairs(test, _reading(kept, flags), notes.append))
    made = _searching(usual, flags)
    with placed(pairs.sources, pairs.where):
        outputs = [best[0].text for best in translator.translate(pairs.sources, made)]
    references = pairs.references or pairs.targets
    rouge = rouge or (opened is None and summarizes(model))
    metric: Literal["bleu", "rouge"] = "rouge" if rouge else "bleu"
    found = judge_outputs(outputs, references, pairs.sources, metric, tokenize, lowercase, resamples)
    found = replace(found, notes=(*notes, *found.notes, *unwritable(references, words)))
    return _evaluation(found, _save(found, place), worst, details)


def _refuse_forecasting(flags: Mapping[str, Any]) -> None:
    for name in ("stride", "report"):
        if flags[name] is not None:
            raise ConfigError(f"--{name} for {flags['model']}", "a run of seqwise train forecast", "leaving it out")


def _tuned(flags: Mapping[str, Any]) -> Evaluation:
    """A run of seqwise tune, on files that are read as its training files were."""
    task = read_tune(RunFolder.open(flags["model"])).task
    named = f"the tuned run {flags['model']}"
    refuse(named, flags, FIXED, "it as it was tuned")
    refuse(named, flags, IDLE[task], f"flags that mean something for --task {task}")
    metric = ("rouge" if flags["rouge"] else "", flags["tokenize"], flags["lowercase"])
    where, precision = flags["device"], flags["precision"]
    found = _ours_named(
        lambda: judge(
            flags["model"],
            flags["test"],
            lambda kept: _reading(kept, flags),
            lambda usual: _searching(usual, flags),
            where,
            precision,
            flags["resamples"],
            metric,
        )
    )
    return _evaluation(found, _save(found, flags["scores"]), flags["worst"], flags["details"])


def _searching(usual: Generation, flags: Mapping[str, Any]) -> Generation:
    """One output of each text, and the same one each time: greedy or by beams, whatever the model would sample."""
    given = {name: flags[name] for name in SEARCHED[:3] if flags[name] is not None}
    ranking = replace(usual.ranking, mbr=flags["mbr"] or usual.mbr)
    made = replace(usual, best=1, temperature=0.0, ranking=ranking, **given)
    check(made)
    return made


def _evaluation(found: Judged, told: str, worst: int, tables: bool) -> Evaluation:
    shown = tuple(dict(zip(found.columns, row, strict=True)) for row in found.items[:worst])
    return Evaluation(found.scores, shown, (told, *found.notes), found.details, tables, found.differences)


def _rewrites(opened: Opened, rouge: bool) -> bool:
    """Whether a checkpoint is asked for texts of its own."""
    writes = isinstance(opened.model, Decoder) and isinstance(opened.model.head, NextToken)
    return isinstance(opened.model, Transformer) or (rouge and writes)


def _run(flags: Mapping[str, Any]) -> Rewriting:
    """A run of ours, or several: how it decodes, how its files were read, and its tokens."""
    idle = ("revision", "source_language", "target_language", "cut", *IDLE["translate"])
    refuse(f"the run {flags['model']}", flags, idle)
    runs = [flags["model"], *flags["ensemble"]]
    translator, settings = open_translator(runs, flags["device"], flags["precision"])
    return translator, settings.generation, settings.data, translator.vocabularies.target


def _rewriter(opened: Opened, flags: Mapping[str, Any]) -> Rewriting:
    """A checkpoint that translates or summarizes, by itself or asked to in a prompt."""
    if flags["ensemble"]:
        raise ConfigError("--ensemble for a checkpoint of the hub", "it for runs only", "leaving it out")
    for note in not_applied(opened.checkpoint):
        print(note, file=sys.stderr)
    if isinstance(opened.model, Decoder):
        refuse(opened.checkpoint.architecture, flags, ("source_language", "target_language"))
        usual = generation(opened.checkpoint)
        manner = Manner(cut=flags["cut"], whole=whole(opened.checkpoint) if flags["max_length"] is None else None)
        return Writer(opened, manner), usual, TextSettings(), opened.words.target
    model = Rewriter(opened, flags["source_language"], flags["target_language"], flags["cut"])
    return model, model.settings, TextSettings(), opened.words.target


def _reading(kept: TextSettings, flags: Mapping[str, Any]) -> TextSettings:
    """How the test files are read: as the flags say, else as the run was set."""
    named = ("format", "encoding", "source", "target", "on_bad_row", "text", "label")
    return replace(kept, **{name: flags[name] for name in named if flags[name] is not None})


def _own(own: Own, flags: Mapping[str, Any]) -> Evaluation:
    """A run that classifies or generates, on files that are read as its training files were."""
    task = own.settings.task
    idle = ("revision", *ALONE, *(LABELLED if task == "classify" else FORESEEN))
    refuse(f"the run {flags['model']}, which learnt to {task}", flags, idle)
    reading, test, resamples = _reading(own.settings.data, flags), flags["test"], flags["resamples"]

    def judged() -> Judged:
        if task == "classify":
            return judge_labels(own.opened, test, reading, flags["cut"], resamples)
        judge = judge_stream if own.streams else judge_lines
        return judge(own, test, resamples, reading.encoding, reading.on_bad_row)

    found = _ours_named(judged)
    return _evaluation(found, _save(found, flags["scores"]), flags["worst"], flags["details"])


def _judged(opened: Opened, flags: Mapping[str, Any]) -> Evaluation:
    """A checkpoint that names labels, or one that writes."""
    test, resamples = flags["test"], flags["resamples"]
    task = opened.checkpoint.head.task
    idle = (*ALONE, *(LABELLED if task == "labels" else FORESEEN))
    refuse(opened.checkpoint.architecture, flags, idle)
    if task == "labels":
        found = _ours_named(
            lambda: judge_labels(opened, test, _reading(TextSettings(), flags), flags["cut"], resamples)
        )
    elif task == "tokens":
        found = judge_text(opened, test, resamples, flags["encoding"] or "utf-8", flags["on_bad_row"] or "stop")
    else:
        raise only_pairs(opened)
    return _evaluation(found, _save(found, flags["scores"]), flags["worst"], flags["details"])


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


def _ours(text: str) -> str:
    return text.replace("--data.", "--")


def _save(found: Judged, place: Path | None) -> str:
    """A line an item, as they stand in the files, under the names of the columns. Where it cannot be written, the
    scores are still told."""
    if place is None:
        return "each item: --scores FILE writes them"
    try:
        save_rows([found.columns, *sorted(found.items, key=lambda row: int(row[0]))], place)
    except CheckpointError as error:
        return f"each item: not written: {error}"
    return f"each item: {place}"
