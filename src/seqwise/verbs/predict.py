"""predict: a trained model at work, on one text, on a file, or on standard input line by line as it comes."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from seqwise import device as devices
from seqwise.checkpoints.files import replacing
from seqwise.checkpoints.run import RunFolder
from seqwise.config import Range, check
from seqwise.data.paired import joined
from seqwise.decoding import Generation, Repetition
from seqwise.errors import ConfigError
from seqwise.models.lora import selected
from seqwise.printable import on_terminal
from seqwise.reports.forecasts import drawn, fans
from seqwise.tasks.answering import Answer, Wanted, conversation, of_checkpoint, single_texts, written
from seqwise.tasks.destinations import must_be_free, save_lines
from seqwise.tasks.forecasting.answering import PICTURES, TABLES, foresee, must_be_writable
from seqwise.tasks.forecasting.stored import read_forecast
from seqwise.tasks.lines import must_have_ends
from seqwise.tasks.opening import must_have_no_revision, open_own
from seqwise.tasks.places import Asked, asked, told_of
from seqwise.tasks.pretrained import Opened, generation, is_run, not_applied, open_pretrained, whole
from seqwise.tasks.stored import is_forecast, open_translator
from seqwise.tasks.tuning.adapting import alone, on_its_base, open_adapted
from seqwise.tasks.tuning.jobs import layout
from seqwise.tasks.tuning.stored import is_tuned, longest_learnt, open_tuned, read_facts, read_tune, usual_generation
from seqwise.tasks.writing import Manner, Writer

DECODING = ("beams", "length_penalty", "best", "mbr", "min_length", "max_length", "temperature", "top_k", "top_p",
            "min_p", "no_repeat", "repetition_penalty", "draft", "seed", "batch")  # fmt: skip
FOR_CHECKPOINTS = ("revision", "source_language", "target_language", "system", "raw", "messages", "stream", "vectors",
                   "cut")  # fmt: skip


def predict(
    model: str,
    text: str | None = None,
    second: str | None = None,
    /,
    *,
    input: Path | None = None,  # noqa: A002  # the name of the flag
    column: str | tuple[str, str] | None = None,
    output: Path | None = None,
    plot: Path | None = None,
    ensemble: tuple[Path, ...] = (),
    adapter: tuple[Path, ...] = (),
    beams: Annotated[int, Range(1, 64)] | None = None,
    length_penalty: Annotated[float, Range(-5.0, 5.0)] | None = None,
    best: Annotated[int, Range(1, 64)] | None = None,
    mbr: Literal["none", "bleu", "chrf"] | None = None,
    min_length: Annotated[int, Range(0)] | None = None,
    max_length: Annotated[int, Range(1)] | None = None,
    temperature: Annotated[float, Range(0.0, 10.0)] | None = None,
    top_k: Annotated[int, Range(0)] | None = None,
    top_p: Annotated[float, Range(0.0, 1.0)] | None = None,
    min_p: Annotated[float, Range(0.0, 1.0)] | None = None,
    no_repeat: Annotated[int, Range(0)] | None = None,
    repetition_penalty: Annotated[float, Range(0.1, 10.0)] | None = None,
    draft: Literal["auto", "none", "int8", "lookup"] | None = None,
    seed: Annotated[int, Range(0, 2**31 - 1)] | None = None,
    batch: Annotated[int, Range(1)] | None = None,
    revision: str | None = None,
    source_language: str | None = None,
    target_language: str | None = None,
    system: str | None = None,
    messages: bool = False,
    raw: bool = False,
    stream: bool = False,
    vectors: bool = False,
    pool: Literal["auto", "mean", "first"] = "auto",
    normalize: bool = True,
    top: Annotated[int, Range(1)] = 5,
    cut: bool = False,
    json: bool = False,
    precision: devices.Precision = "auto",
    device: str = "auto",
) -> str | None:
    """Put a trained model to work on text, or on a table whose future is asked for.

    The model is a run of Seqwise, a folder in the hub's format, or a name on the hub. What it does is told by what it
    was made for: translate or summarize, continue a prompt, answer a conversation, name labels of a text or of its
    words, fill in masked words, give a vector for each sentence. Writes one line for each line it reads, in the same
    order; an empty line gives an empty line. Without text and --input it reads standard input and answers each line as
    it comes. What is not given is as the run or the checkpoint was set. In Python, a text is answered by a text.

    A run of `seqwise train forecast` reads a table with --input, by default the one that it was trained on, and writes
    what comes after its last row: mean, sd and the bands of 68, 95 and 99.7 %, in the units of the table.

    Args:
        model: A run folder, a folder with config.json, owner/name on the hub, or an adapter in PEFT's layout.
        text: One sentence or prompt.
        second: A second text, for models that compare two. On a line of a file a tab stands between them.
        input: A text file, a sentence a line; `.gz` is read too. Of a forecaster a table like that of training.
        column: --input is a table, .tsv, .csv, .jsonl or .parquet: the column whose texts are answered, a line a row;
            given twice, the two of a pair of texts.
        output: Where the results go, written when all are there; standard output unless given. Of a forecaster .csv,
            .tsv, .jsonl or .parquet.
        plot: Of a forecaster: draw the fan into this file, .svg or .html.
        ensemble: Further runs with the same vocabulary, whose probabilities are averaged.
        adapter: Adapters for the checkpoint, in PEFT's layout or runs of seqwise tune. With several, each answers each
            line: its name, a tab, its answer.
        beams: Hypotheses kept at each step; 1 is greedy.
        length_penalty: Divide the log-probability by ((5 + length) / 6) ** this; by length ** this for checkpoints.
        best: Outputs for each sentence, best first: then a line is number, tab, score, tab, text.
        mbr: Write the output that is most like the others by BLEU or chrF (minimum Bayes risk) rather than the
            likeliest: among --beams outputs of beam search, 16 say, or among as many samples.
        min_length: The end token is forbidden before this many tokens.
        max_length: Most tokens of an output.
        temperature: 0 searches; above 0 samples.
        top_k: Sample among the k likeliest tokens; 0 is all.
        top_p: Sample among the likeliest tokens that together have this probability.
        min_p: Sample among tokens at least this fraction as likely as the likeliest.
        no_repeat: Forbid every sequence of this many tokens to occur twice, in a decoder's prompt and output together.
        repetition_penalty: Make tokens that are there already less likely: 1.1 to 1.3 against loops, 1 is none.
        draft: Write one prompt faster, the same text or a sample alike: the model verifies several drafted tokens at
            once. lookup drafts by what was there already, int8 by a copy in a byte a weight, auto by lookup if greedy.
        seed: Of the sampling.
        batch: Sentences decoded at once.
        revision: Branch, tag or commit of a model on the hub.
        source_language: What the text is written in, for M2M-100, NLLB, mBART: fr, fra_Latn, fr_XX.
        target_language: What to translate into; for Marian models with several targets too.
        system: What a conversation begins with, where the checkpoint has a chat template.
        messages: Each line is a conversation in JSON: a list of objects with role and content.
        raw: Put the prompt to the model as it stands, although the checkpoint has a chat template.
        stream: Show the text as it is written, token by token; greedy or sampled.
        vectors: A vector for each text, whatever else the checkpoint can do.
        pool: What a vector is: mean of all tokens or first token; auto goes by the folder, and else takes the mean.
        normalize: Make vectors of length 1.
        top: Labels, or words for a mask, to show.
        cut: Cut texts that are longer than the model reads rather than refuse them, and say how many: what is lost is
            the end of a text, the beginning of a prompt.
        json: A JSON object a line, with all that is known.
        precision: fp32, bf16 or int8 weights; auto takes bf16 where the processor computes in it, fp32 elsewhere.
        device: auto, cpu, cuda or cuda:N.

    Example:
        seqwise predict runs/demo "I love machine learning."
    """
    flags = dict(locals())
    must_have_ends(text, input, None if is_forecast(model) else column, output)
    flags["two"] = "--column twice" if isinstance(column, tuple) else ""
    if text is not None and second is not None:
        flags |= {"text": joined(text, second), "two": "a second text"}
    devices.keep_memory()
    if is_forecast(model):
        return _foreseen(flags)
    if plot is not None:
        raise ConfigError(f"--plot with {model}", "a run of seqwise train forecast", "leaving it out")
    if output is not None:
        must_be_free("--output", output, () if input is None else (input,))
    return _answered(flags)


def _answered(flags: Mapping[str, Any]) -> str | None:
    """Whatever reads text."""
    text, output = flags["text"], flags["output"]
    answer, writer, made, told = _answering(flags)
    if made.temperature == 0 and made.best > made.beams:
        raise ConfigError(f"--best {made.best} with {made.beams} beams", "as many beams", f"--beams {made.best}")
    found = asked(text, flags["input"], flags["column"], flags["messages"])
    if found.note:
        print(found.note, file=sys.stderr)
    if writer is not None and flags["stream"]:
        _show(writer, found, made, flags["messages"])
        return None
    answers = found.answers(answer)
    line = "\n".join(answers) if text is not None and output is None else None
    if output is not None:
        save_lines(answers, output)
    elif line is None:
        for one in answers:
            print(on_terminal(one), flush=True)
    if (note := told()) is not None:
        print(note, file=sys.stderr)
    return line


def _foreseen(flags: Mapping[str, Any]) -> str | None:
    """A run that forecasts."""
    for name in (*DECODING[:-2], *FOR_CHECKPOINTS, "batch", "ensemble", "adapter", "raw", "text", "column"):
        if flags[name] not in (None, (), False):
            flag = "a text" if name == "text" else "--" + name.replace("_", "-")
            raise ConfigError(f"{flag} for the forecaster {flags['model']}", "--input with a table", "leaving it out")
    for name, endings in (("plot", PICTURES), ("output", TABLES)):
        if flags[name] is not None:
            must_be_writable(f"--{name}", flags[name], endings)
    paths = () if flags["input"] is None else (str(flags["input"]),)
    for name in ("plot", "output"):
        if flags[name] is not None:
            must_be_free(f"--{name}", flags[name], paths or read_forecast(RunFolder.open(flags["model"])).train)
    found = foresee(flags["model"], paths, flags["device"], flags["seed"])
    if flags["plot"] is not None:
        content = drawn(fans(found), str(flags["plot"])).encode()
        with replacing(flags["plot"], len(content)) as file:
            file.write(content)
    for note in found.notes:
        print(note, file=sys.stderr)
    if flags["output"] is None:
        return found.text(lines=flags["json"])
    found.save(flags["output"])
    return None


Answering = tuple[Answer, Writer | None, Generation, Callable[[], str | None]]


def _answering(flags: Mapping[str, Any]) -> Answering:
    """Whatever the model is."""
    if alone(Path(flags["model"])):
        adapter = Path(flags["model"])
        base, revision = on_its_base(adapter, flags["revision"])
        print(f"the base of {adapter}: {base}", file=sys.stderr)
        return _adapted({**flags, "model": base, "revision": revision, "adapter": (adapter, *flags["adapter"])})
    if flags["adapter"]:
        return _adapted(flags)
    if is_tuned(flags["model"]):
        return _tuned(flags)
    if not is_run(flags["model"]):
        return _checkpoint(flags)
    own = open_own(flags["model"], flags["device"], flags["precision"], flags["revision"])
    return _run(flags) if own is None else _checkpoint(flags, own.opened, own.settings.generation)


def _tuned(flags: Mapping[str, Any]) -> Answering:
    """A run of seqwise tune."""
    must_have_no_revision(flags["model"], flags["revision"])
    found = open_tuned(flags["model"], flags["device"], flags["precision"])
    if isinstance(found, Opened):
        return _as_tuned(flags, found, flags["model"])
    _refuse(flags, (*FOR_CHECKPOINTS, "ensemble", "draft"))
    translator, kept = found
    made = _made(read_tune(RunFolder.open(flags["model"])).generation or kept.generation, flags)
    return written(translator, made, Wanted(json=flags["json"])), None, made, lambda: None


def _as_tuned(flags: Mapping[str, Any], opened: Opened, run: str | Path) -> Answering:
    """A checkpoint, put to work as it was tuned: with the prompt and the languages of that run, where it is one."""
    if not is_tuned(run):
        return _checkpoint(flags, opened)
    folder = RunFolder.open(run)
    settings, facts = read_tune(folder), read_facts(folder)
    named = ("source_language", "target_language")
    languages = {name: flags[name] or getattr(settings.writing, name) for name in named}
    rewrites = settings.task in ("translate", "summarize")
    longest = longest_learnt(folder) if rewrites else None
    asked = layout(opened, settings)
    manner = Manner(layout=asked, turns=facts.turns, single=facts.single, rewrites=rewrites, longest=longest)
    return _checkpoint({**flags, **languages}, opened, usual_generation(folder), manner)


def _adapted(flags: Mapping[str, Any]) -> Answering:
    """A checkpoint with adapters; of several, each answers."""
    if is_run(flags["model"]):
        raise ConfigError(f"--adapter for the run {flags['model']}", "a checkpoint of the hub", "leaving it out")
    named = ("model", "adapter", "revision", "device", "precision")
    opened, names, notes = open_adapted(*(flags[name] for name in named))
    for note in notes:
        print(note, file=sys.stderr)
    ways = [_as_tuned(flags, opened, folder) for folder in flags["adapter"]]
    if len(names) == 1:
        return ways[0]
    if flags["stream"]:
        raise ConfigError(f"--stream with {len(names)} adapters", "one adapter", "leaving it out")

    def each(texts: Sequence[str]) -> Iterator[str]:
        rows = []
        for name, (answer, *_) in zip(names, ways, strict=True):
            with selected(opened.model, name):
                rows.append(list(answer(texts)))
        for lines in zip(*rows, strict=True):
            yield from (f"{name}\t{line}" for name, line in zip(names, lines, strict=True))

    return each, None, *ways[0][2:]


def _refuse(flags: Mapping[str, Any], names: Sequence[str]) -> None:
    """Flags that mean nothing to a run."""
    Wanted.by(flags, DECODING).must_be_meant("texts", f"the run {flags['model']}")
    if flags["two"]:
        raise single_texts(flags["two"], f"the run {flags['model']}")
    for name in names:
        if flags[name] and flags[name] not in ("none", "auto"):
            given = f"--{name.replace('_', '-')} for the run {flags['model']}"
            raise ConfigError(given, f"a {'decoder' if name == 'draft' else 'checkpoint of the hub'}", "leaving it out")


def _run(flags: Mapping[str, Any]) -> tuple[Answer, None, Generation, Callable[[], str | None]]:
    """A run of ours, or several."""
    _refuse(flags, (*FOR_CHECKPOINTS, "draft"))
    runs = [flags["model"], *flags["ensemble"]]
    translator, settings = open_translator(runs, flags["device"], flags["precision"])
    made = _made(settings.generation, flags)
    return written(translator, made, Wanted(json=flags["json"])), None, made, lambda: None


def _checkpoint(
    flags: Mapping[str, Any],
    opened: Opened | None = None,
    usual: Generation | None = None,
    tuned: Manner | None = None,
) -> Answering:
    """A checkpoint of the hub, opened or to be opened; `tuned`: how prompts were put to it."""
    if flags["ensemble"]:
        raise ConfigError("--ensemble for a checkpoint of the hub", "it for runs only", "leaving it out")
    if opened is None:
        opened = open_pretrained(flags["model"], flags["revision"], flags["device"], flags["precision"])
    for note in not_applied(opened.checkpoint):
        print(note, file=sys.stderr)
    made = _made(usual or generation(opened.checkpoint), flags)
    wanted = Wanted.by(flags, DECODING)
    manner = replace(tuned or Manner(), raw=flags["raw"], system=flags["system"], cut=flags["cut"])
    if usual is None and tuned is None and flags["max_length"] is None:
        manner = replace(manner, whole=whole(opened.checkpoint))
    answer, writer = of_checkpoint(opened, made, wanted, manner, (flags["source_language"], flags["target_language"]))
    if flags["stream"] and (writer is None or made.beams > 1 or flags["output"] is not None):
        raise ConfigError(
            "--stream" + (f" with --beams {made.beams}" if writer else f" for {opened.checkpoint.architecture}"),
            "a decoder that writes to the terminal, without beams",
            "leaving it out, or --beams 1",
        )
    return answer, writer, made, opened.told


def _made(settings: Generation, flags: Mapping[str, Any]) -> Generation:
    """The settings of the model, with what was given in their place."""
    chosen: dict[str, Any] = {name: flags[name] for name in DECODING if flags[name] is not None}
    ranking = replace(settings.ranking, mbr=chosen.pop("mbr", settings.mbr))
    repetition = Repetition(chosen.pop("repetition_penalty", settings.repetition_penalty))
    drafting = replace(settings.drafting, by=chosen.pop("draft", settings.drafting.by))
    made = replace(settings, ranking=ranking, repetition=repetition, drafting=drafting, **chosen)
    check(made)
    return made


def _show(writer: Writer, found: Asked, made: Generation, messages: bool) -> None:
    """Pieces of text as they are written."""

    def pieces(texts: Sequence[str]) -> Iterator[str]:
        for text in texts:
            said = conversation(text) if messages and text.strip() else text
            with told_of([text], [said]):
                yield from writer.stream(said, made) if text.strip() else ()
            yield "\n"

    for piece in found.answers(pieces):
        print(on_terminal(piece), end="", flush=True)
