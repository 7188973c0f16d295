"""predict: a trained model at work, on one text, on a file, or on standard input line by line as it comes."""

import queue
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, BinaryIO

from seqwise import device as devices
from seqwise.checkpoints.files import replacing
from seqwise.config import Range, check
from seqwise.data.text import read_lines
from seqwise.decoding import Generation
from seqwise.errors import ConfigError, DataError
from seqwise.tasks.stored import open_translator
from seqwise.tasks.translation import Translation, Translator

AHEAD = 1024  # lines of a file sorted by length and translated together


def predict(
    run: Path,
    text: str | None = None,
    /,
    *,
    input: Path | None = None,  # noqa: A002  # the name of the flag
    output: Path | None = None,
    ensemble: tuple[Path, ...] = (),
    beams: Annotated[int, Range(1, 64)] | None = None,
    length_penalty: Annotated[float, Range(0.0, 5.0)] | None = None,
    best: Annotated[int, Range(1, 64)] | None = None,
    min_length: Annotated[int, Range(0)] | None = None,
    max_length: Annotated[int, Range(1)] | None = None,
    temperature: Annotated[float, Range(0.0, 10.0)] | None = None,
    top_k: Annotated[int, Range(0)] | None = None,
    top_p: Annotated[float, Range(0.0, 1.0)] | None = None,
    min_p: Annotated[float, Range(0.0, 1.0)] | None = None,
    no_repeat: Annotated[int, Range(0)] | None = None,
    seed: int | None = None,
    batch: Annotated[int, Range(1)] | None = None,
    precision: devices.Precision = "auto",
    device: str = "auto",
) -> str | None:
    """Put a trained model to work on text.

    Writes one line for each line it reads, in the same order; an empty line gives an empty line. Without text and
    --input it reads standard input and answers each line as it comes. What is not given is as the run was set. In
    Python, a text is answered by a text.

    Args:
        run: The run folder.
        text: One sentence.
        input: A text file, a sentence a line; `.gz` is read too.
        output: Where the results go, written when all are there; standard output unless given.
        ensemble: Further runs with the same vocabulary, whose probabilities are averaged.
        beams: Hypotheses kept at each step; 1 is greedy.
        length_penalty: Divide the log-probability by ((5 + length) / 6) ** this.
        best: Outputs for each sentence, best first: then a line is number, tab, score, tab, text.
        min_length: The end token is forbidden before this many tokens.
        max_length: Most tokens of an output.
        temperature: 0 searches; above 0 samples.
        top_k: Sample among the k likeliest tokens; 0 is all.
        top_p: Sample among the likeliest tokens that together have this probability.
        min_p: Sample among tokens at least this fraction as likely as the likeliest.
        no_repeat: Forbid every sequence of this many tokens to occur twice in an output.
        seed: Of the sampling.
        batch: Sentences decoded at once.
        precision: Of weights and products; auto takes bf16 where the processor computes in it, fp32 elsewhere.
        device: auto, cpu, cuda or cuda:N.

    Example:
        seqwise predict runs/demo "I love machine learning."
    """
    if text is not None and input is not None:
        raise ConfigError("a text and --input", "one of them", "--input FILE without a text")
    devices.keep_memory()
    translator, settings = open_translator([run, *ensemble], device, precision)
    given = {
        "beams": beams,
        "length_penalty": length_penalty,
        "best": best,
        "min_length": min_length,
        "max_length": max_length,
        "temperature": temperature,
        "top_k": top_k,
        "top_p": top_p,
        "min_p": min_p,
        "no_repeat": no_repeat,
        "seed": seed,
        "batch": batch,
    }
    chosen: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    made = replace(settings.generation, **chosen)
    check(made)
    if made.temperature == 0 and made.best > made.beams:
        raise ConfigError(f"--best {made.best} with {made.beams} beams", "as many beams", f"--beams {made.best}")
    chunks: Iterable[list[str]] = _as_they_come(sys.stdin.buffer)
    if text is not None:
        chunks = [[text]]
    elif input is not None:
        chunks = _cut(read_lines(input))
    answers = _answers(translator, chunks, made)
    if text is not None and output is None:
        return "\n".join(answers)
    _write(answers, output)
    return None


def _answers(translator: Translator, chunks: Iterable[list[str]], made: Generation) -> Iterator[str]:
    """Lines of output, in order."""
    number = 0
    for chunk in chunks:
        for outputs in translator.translate(chunk, made):
            number += 1
            yield from (_line(number, one, made.best > 1) for one in outputs)


def _line(number: int, one: Translation, several: bool) -> str:
    """One output as one line, whatever characters the model wrote."""
    text = " ".join(one.text.splitlines())
    if not several:
        return text
    return f"{number}\t{'' if one.score is None else format(one.score, '.4f')}\t{text}"


def _write(lines: Iterable[str], output: Path | None) -> None:
    """To standard output as they come, or to a file that is there only when it is complete."""
    if output is None:
        for line in lines:
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
        return
    with ExitStack() as stack:
        file = None
        for line in lines:
            # opened with the first result, so that a fault in the input leaves no trace
            file = file or stack.enter_context(replacing(output, 0))
            file.write((line + "\n").encode())
        if file is None:
            stack.enter_context(replacing(output, 0))


def _cut(lines: Iterable[str]) -> Iterator[list[str]]:
    """Lines of a file, as many at a time as it pays to sort by length."""
    chunk: list[str] = []
    for line in lines:
        chunk.append(line)
        if len(chunk) == AHEAD:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _as_they_come(stream: BinaryIO) -> Iterator[list[str]]:
    """Each line as soon as it is there; those that came while others were translated, together."""
    lines: queue.Queue[str | DataError | None] = queue.Queue(AHEAD)

    def read() -> None:
        for number, line in enumerate(stream, 1):
            try:
                lines.put(line.decode().rstrip("\r\n"))
            except UnicodeDecodeError as error:
                given = f"a byte 0x{line[error.start]:02x} that is no UTF-8"
                lines.put(DataError(given, "UTF-8", "iconv -f latin1 -t utf-8 before", f"standard input:{number}"))
                return
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    while (line := lines.get()) is not None:
        chunk = []
        while isinstance(line, str):
            chunk.append(line)
            if len(chunk) == AHEAD or lines.empty():
                break
            line = lines.get()
        if chunk:
            yield chunk
        if isinstance(line, DataError):
            raise line
        if line is None:
            return
