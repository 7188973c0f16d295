"""Readers of a run: the journal on disk, TensorBoard; and `follow`, which feeds every event to all readers.

A reader has two methods, `tell(event)` and `close()`. It changes nothing in the training, and whoever wants
to watch a run in another way writes one more; `training.console` is the terminal. Left out: the web page,
which reads `journal.jsonl` as it grows.

    {"kind": "stepped", "step": 1, "epoch": 0.01, "loss": 9.2, ...}     one line of journal.jsonl

Numbers that are not finite stand as "nan", "inf" and "-inf", since JSON has none.
"""

import json
import math
import os
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Protocol

from seqwise.errors import CheckpointError, MissingExtraError
from seqwise.printable import printable
from seqwise.training.console import figure
from seqwise.training.events import Evaluated, Event, Finished, Noted, Sample, Saved, Stepped


class Reader(Protocol):
    """Someone who watches a run."""

    def tell(self, event: Event) -> None:
        """Take in what happened."""

    def close(self) -> None:
        """The run is over, in order or not."""


def follow(events: Iterable[Event], readers: Sequence[Reader]) -> Finished:
    """Feed every event to all readers, close them however it ends, return the last word of the run.

    The events are closed before the readers, so that what training still does then (saving) is done first.
    """
    finished = None
    with ExitStack() as stack:
        for reader in readers:
            stack.callback(reader.close)
        if isinstance(events, Generator):
            stack.enter_context(closing(events))
        for event in events:
            for reader in readers:
                reader.tell(event)
            if isinstance(event, Finished):
                finished = event
    if finished is None:
        raise RuntimeError("the events ended without Finished")
    return finished


class Journal:
    """journal.jsonl: a line an event, on its way to the disk at once."""

    def __init__(self, path: str | Path, resumed: int = 0) -> None:
        """Append to the file; what it tells of steps after `resumed` is cut off, for those are done again."""
        self.path = Path(path)
        try:
            if self.path.exists():
                os.truncate(self.path, _end_of(self.path, resumed))
            self.file = open(self.path, "a", encoding="ascii", newline="\n")  # noqa: SIM115 (closed by close)
        except OSError as error:
            raise _unwritable(self.path, error) from error

    def tell(self, event: Event) -> None:
        """Write one line."""
        line = {"kind": type(event).__name__.lower(), **_plain(_told(event))}
        try:
            self.file.write(json.dumps(line, allow_nan=False) + "\n")
            self.file.flush()
        except OSError as error:
            raise _unwritable(self.path, error) from error

    def close(self) -> None:
        """Force the lines to the disk."""
        if self.file.closed:
            return
        try:
            with self.file:
                self.file.flush()
                os.fsync(self.file.fileno())
        except OSError as error:
            raise _unwritable(self.path, error) from error


def read(path: str | Path) -> list[Event]:
    """The events of a journal, also of one that is being written: a line without an end is not yet one."""
    try:
        lines = Path(path).read_bytes().split(b"\n")[:-1]
    except OSError as error:
        raise CheckpointError(
            given=f"{path} cannot be read ({error.strerror})",
            allowed="the journal of a run",
            mend="the folder of a run that has begun",
        ) from error
    return [_event(line, f"{path}:{number}") for number, line in enumerate(lines, 1)]


def _end_of(path: Path, step: int) -> int:
    """Bytes of the journal up to and with this step. What its end called for is cut off too, since the run goes on: all
    behind the state that it goes on from."""
    end = saved = 0
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                break
            event = _event(line, f"{path}:{number}")
            if event.step > step or isinstance(event, Finished):
                break
            end += len(line)
            if isinstance(event, Saved) and event.step == step:
                saved = end
    return saved or end


def _event(line: bytes, where: str) -> Event:
    try:
        told = json.loads(line)
        return _KINDS[told["kind"]](told)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(
            given=f"a line that is no event ({type(error).__name__}: {error})",
            allowed="lines as this version of Seqwise writes them",
            mend="deleting the line",
            where=where,
        ) from error


def _told(event: Event) -> dict[str, Any]:
    """All fields, but for the losses of items, which have a file of their own."""
    if not isinstance(event, Evaluated):
        return asdict(event)
    told = asdict(replace(event, losses=None))
    del told["losses"]
    return told


def _numbers(told: Mapping[str, Any]) -> dict[str, float]:
    return {str(name): float(value) for name, value in told.items()}


def _fact(told: Any) -> float | str:
    return told if isinstance(told, str) and told not in ("nan", "inf", "-inf") else float(told)


_FLOATS = ("epoch", "loss", "rate", "gradient_norm", "seconds", "padding")
_KINDS: dict[str, Callable[[dict[str, Any]], Event]] = {
    "stepped": lambda t: Stepped(
        step=t["step"], tokens=t["tokens"], total=t["total"], **{name: float(t[name]) for name in _FLOATS}
    ),
    "evaluated": lambda t: Evaluated(
        t["step"],
        _numbers(t["scores"]),
        t["best"],
        tuple(Sample(s["source"], s["reference"], s["output"]) for s in t["samples"]),
        averaged=t.get("averaged", False),
    ),
    "saved": lambda t: Saved(t["step"], t["path"], t["reason"]),
    "noted": lambda t: Noted(t["step"], t["name"], {str(name): _fact(value) for name, value in t["values"].items()}),
    "finished": lambda t: Finished(t["step"], t["reason"], t["best_step"], _numbers(t["best"])),
}


def _plain(value: Any) -> Any:
    """The same without numbers that JSON lacks."""
    match value:
        case dict():
            return {name: _plain(inner) for name, inner in value.items()}
        case list() | tuple():
            return [_plain(inner) for inner in value]
        case float() if not math.isfinite(value):
            return str(value)
        case _:
            return value


def _unwritable(path: Path, error: OSError) -> CheckpointError:
    return CheckpointError(
        given=f"{path} cannot be written ({error.strerror or error})",
        allowed="a folder with room that this user may write in",
        mend="freeing room, or another folder, then --resume",
    )


class TensorBoard:
    """Curves of every step and evaluation for TensorBoard, in the folder `path`."""

    def __init__(self, path: str | Path, resumed: int = 0) -> None:
        """Needs the extra `tensorboard`. What an earlier process told of steps after `resumed` is hidden."""
        try:
            from torch.utils.tensorboard import SummaryWriter  # takes a second, and few ask for it
        except ImportError as error:
            raise MissingExtraError(
                given="TensorBoard is not installed",
                allowed="the extra 'tensorboard'",
                mend="pip install 'seqwise[tensorboard]'",
            ) from error
        purged = resumed + 1 if resumed else None
        self.writer = SummaryWriter(str(path), purge_step=purged)

    def tell(self, event: Event) -> None:
        """Add what the event tells to its curves."""
        match event:
            case Stepped():
                self._add("train/loss", event.loss, event.step)
                self._add("train/rate", event.rate, event.step)
                self._add("train/gradient_norm", event.gradient_norm, event.step)
                self._add("train/tokens_per_second", event.tokens / max(1e-9, event.seconds), event.step)
                self._add("train/padding", event.padding, event.step)
            case Evaluated():
                for name, value in event.scores.items():
                    self._add(f"valid/{name}", value, event.step)
                for number, sample in enumerate(event.samples, 1):
                    # four spaces make it Markdown's plain text, so that nothing in it is taken for markup
                    told = "\n".join(f"    {name}: {printable(text)}" for name, text in asdict(sample).items())
                    self.writer.add_text(f"sample/{number}", told, event.step)
            case Noted():
                told = "\n".join(f"    {printable(name)}: {figure(value)}" for name, value in event.values.items())
                self.writer.add_text(printable(event.name), told, event.step)
            case Saved() | Finished():
                self.writer.flush()

    def close(self) -> None:
        """Write what is still in memory."""
        self.writer.close()

    def _add(self, name: str, value: float, step: int) -> None:
        self.writer.add_scalar(name, value, step)
