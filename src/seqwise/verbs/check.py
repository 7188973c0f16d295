"""`seqwise check`: what the data hold, a line each, before a model is trained on them."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from seqwise.checkpoints import soundness
from seqwise.checkpoints.download import locate
from seqwise.checkpoints.hub import open_checkpoint
from seqwise.checkpoints.run import RunFolder
from seqwise.data import paired, pretrained
from seqwise.data.checks import Check, Part, Room, checks_for, learnt
from seqwise.data.conversations import Conversations
from seqwise.data.corpus import Format, Labelled, Pairs, TextSettings
from seqwise.data.files import SKIPPED
from seqwise.data.instructions import Form, InstructionSettings, read_instructions
from seqwise.data.masking import mask
from seqwise.data.pretrained import Pretrained
from seqwise.data.text import read_labelled, read_pairs
from seqwise.data.tokens import Vocabularies
from seqwise.errors import ConfigError, SeqwiseError
from seqwise.printable import printable
from seqwise.tasks.pretrained import is_run
from seqwise.tasks.pretrained import longest as longest_of
from seqwise.tasks.stored import read_settings
from seqwise.tasks.tuning.stored import BASE, is_tuned

Task = Literal["classify", "translate", "summarize", "generate"]
STYLES = {"PASS": "green", "WARN": "yellow", "FAIL": "bold red"}


@dataclass(frozen=True)
class Checked:
    """All that was looked at."""

    checks: tuple[Check, ...]

    @property
    def exit_code(self) -> int:
        """2 where a check failed, else 0: a warning is no failure."""
        return 2 * any(check.level == "FAIL" for check in self.checks)

    def to_dict(self) -> dict[str, object]:
        """Plain values, for JSON."""
        return {"checks": [check.to_dict() for check in self.checks]}

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """One line for each, never wrapped, so that grep finds whole ones."""
        width = max((len(check.name) for check in self.checks), default=0)
        for check in self.checks:
            rows = f" At {', '.join(map(printable, check.rows))}." if check.rows else ""
            mend = f" Try {printable(check.mend)}." if check.mend else ""
            line = f"{check.name:{width}}  {printable(check.told)}{'.' * bool(rows or mend)}{rows}{mend}"
            yield Text.assemble((check.level, STYLES[check.level]), "  ", line, no_wrap=True, overflow="ignore")


def check(
    data: tuple[str, ...] = (),
    *,
    valid: tuple[str, ...] = (),
    test: tuple[str, ...] = (),
    task: Task = "classify",
    model: str | None = None,
    revision: str | None = None,
    format: Format = "auto",  # noqa: A002  # the name of the flag
    form: Form = "auto",
    encoding: str = "utf-8",
    text: str | tuple[str, str] | None = None,
    label: str | None = None,
    source: str | None = None,
    target: str | None = None,
    on_bad_row: Literal["stop", "skip"] = "skip",
) -> Checked:
    """Look for what spoils a training: duplicates, leaks, contradictions, rare labels, cut-off texts.

    One line a check: PASS, WARN or FAIL, what was found, the first rows where, and what to do. Nothing is changed.
    Ends with 0, or with 2 where a check fails.

    Args:
        data: What will be trained on: tables, two aligned files, or for --task generate JSON and plain text.
        valid: What it will be validated with.
        test: What it will be tested on.
        task: classify reads texts and labels; translate and summarize read source and target; generate reads
            instructions, conversations or plain texts.
        model: A checkpoint or a run, whose tokenizer then tells how much would be cut off.
        revision: Branch, tag or commit of a model on the hub.
        format: Of tables and aligned files; auto goes by their endings.
        form: Of the rows of --task generate; auto goes by their keys.
        encoding: Of text files, by any name that Python knows.
        text: Column of a labelled text; given twice, the two of a pair of texts, such as premise and hypothesis.
        label: Column of its label.
        source: Column of what is read; of --task generate the entry of the prompt, if not "prompt".
        target: Column of what is written; of --task generate the entry of the answer, if not "completion".
        on_bad_row: skip a row that cannot be read, and count it, or stop there.

    Example:
        seqwise check train.tsv --test test.tsv
    """
    if not data:
        raise ConfigError("no data", "the files to check", "seqwise check train.tsv")
    _must_mean_something(task, {"text": text, "label": label, "source": source, "target": target})
    reading = TextSettings(
        format=format, encoding=encoding, text=text, label=label, source=source, target=target, on_bad_row=on_bad_row
    )
    try:
        read = {
            name: _read(paths, task, reading, form)
            for name, paths in (("train", data), ("valid", valid), ("test", test))
            if paths
        }
    except SeqwiseError as error:
        raise _renamed(error, task) from None
    parts = {name: Part.of(name, found) for name, found in read.items()}
    words, longest, shared = _words(model, revision) if model is not None else (None, None, False)
    room = None if words is None else Room(_counter(words, shared or task == "generate"), longest, shared)
    found = checks_for(parts["train"], parts.get("valid"), parts.get("test"), room=room)
    talks = read["train"]
    if words is not None and isinstance(talks, Conversations):
        masks = mask(words, talks.items, parts["train"].places, longest, cut=True, on_bad_row="skip")
        found = (*found, learnt(masks, words.ends, parts["train"]))
    return Checked(found)


def _must_mean_something(task: Task, columns: Mapping[str, str | tuple[str, str] | None]) -> None:
    """Refuse columns of another task: others would be read in their place."""
    for name, column in columns.items():
        if column is not None and (name in ("text", "label")) != (task == "classify"):
            allowed = "--text and --label" if task == "classify" else "--source and --target"
            mend = "--task translate" if task == "classify" else "--task classify"
            told = column if isinstance(column, str) else " ".join(column)
            raise ConfigError(f"--{name} {told} with --task {task}", allowed, f"{mend}, or {allowed}")


def _read(paths: Sequence[str], task: Task, reading: TextSettings, form: Form) -> Labelled | Pairs | Conversations:
    match task:
        case "classify":
            return read_labelled(paths, reading, _say, learnt=True)
        case "generate":
            asked = InstructionSettings(
                format=form,
                encoding=reading.encoding,
                prompt=reading.source,
                answer=reading.target,
                on_bad_row=reading.on_bad_row,
            )
            return read_instructions(paths, asked)
    return read_pairs(paths, reading, _say)


def _say(note: str) -> None:
    """What was assumed, such as which columns are meant. Bad rows are told of by a check."""
    if SKIPPED not in note:
        print(note, file=sys.stderr)


def _renamed(error: SeqwiseError, task: Task) -> SeqwiseError:
    """A fault names the flags of this verb."""
    names = {"--data.": "--"}
    if task == "generate":
        names = {"--data.prompt": "--source", "--data.answer": "--target", "--data.format": "--form", **names}

    def ours(text: str) -> str:
        for theirs, name in names.items():
            text = text.replace(theirs, name)
        return text

    return type(error).of(
        [
            replace(fault, given=ours(fault.given), allowed=ours(fault.allowed), mend=ours(fault.mend))
            for fault in error.faults
        ]
    )


def _words(model: str, revision: str | None) -> tuple[Pretrained, int | None, bool]:
    """The tokenizer of a model, what the model takes, and whether text and answer share that. No weights are read."""
    if is_tuned(model):  # whose tokenizer is its base's
        return _words(str(Path(model) / BASE), None)
    if is_run(model):
        folder = RunFolder.open(model)
        both = Vocabularies.load(folder.path)
        positions = getattr(read_settings(folder).model, "positions", None)
        longest = positions.longest if positions is not None and positions.kind == "learned" else None
        target = both.target
        return Pretrained(both.source, target, None, {}, None, longest, (target.eos,), {}), longest, False
    found = open_checkpoint(locate(model, revision))
    words = pretrained.load(found.folder, {**found.config, **found.generation})
    positions = soundness.settings(found.folder, found.config, found.family).positions
    limits = [limit for limit in (words.longest, longest_of(found.config, positions)) if limit is not None]
    return words, min(limits, default=None), found.head.task == "tokens" and not found.config.get("is_encoder_decoder")


def _counter(words: Pretrained, bare: bool) -> Callable[[Sequence[paired.Text]], list[int]]:
    """How many tokens texts have; with the special ones around them, where these are not the chat template's."""
    if bare:
        return lambda texts: list(map(len, words.source.encode(paired.whole(texts))))
    return lambda texts: [len(framed.ids) for framed in words.source.framed(texts)]
