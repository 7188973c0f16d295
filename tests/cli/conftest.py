"""A house with small verbs of its own, so that the command line is tested without torch and training."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from seqwise.cli import main
from seqwise.verbs import Verb

VERBS = '''
"""Verbs of all sorts."""

import errno
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from rich.table import Table

from seqwise.config import Duration, Range
from seqwise.errors import DataError, Fault


@dataclass(frozen=True)
class Model:
    """The model."""

    kind: Literal["deep"] = "deep"
    """Which."""
    width: Annotated[int, Range(2)] = 256
    """Size of a vector (Foo et al. 2017). It costs [time]."""
    layers: int = 3
    """How deep."""


@dataclass(frozen=True)
class Flat:
    """Another model."""

    kind: Literal["flat"] = "flat"
    """Which."""
    width: Annotated[int, Range(2)] = 8
    """Size of a vector."""


@dataclass(frozen=True)
class Settings:
    """Everything."""

    train: tuple[str, ...] = ()
    """Files."""
    resume: bool = False
    """Go on."""
    limit: Annotated[float, Duration()] | None = None
    """How long."""
    model: Model | Flat = field(default_factory=Model)
    """Which model."""


def learn(settings: Settings) -> str:
    """Learn from files.

    A longer word about it.

    Args:
        settings: Everything.

    Example:
        seqwise learn --train a.en a.fr
    """
    return repr(settings)


@dataclass(frozen=True)
class Said:
    """A result."""

    text: str

    def __rich__(self):
        table = Table("text")
        table.add_row(self.text)
        return table


def say(
    run: Path,
    text: str | None = None,
    /,
    *,
    files: tuple[Path, ...] = (),
    beams: Annotated[int, Range(1, 64)] | None = None,
    limit: Annotated[float, Duration()] = 60.0,
    mode: Literal["loud", "quiet"] = "loud",
    model: Model = Model(),
) -> Said:
    """Say it.

    Args:
        run: Where it lies.
        text: What to say.
        beams: How wide.

    ```
    seqwise say runs/a "hello"
    ```
    """
    return Said(f"{run} {text} {[str(file) for file in files]} {beams} {limit} {mode} {model.width}")


def copy(what: Literal["on", "off"], *flags: str) -> str:
    """Copy all words."""
    return " ".join([what, *flags])


@dataclass(frozen=True)
class Broken:
    """A result that is no success."""

    exit_code: int = 1

    def __rich__(self):
        return "broken"


def fail(how: str = "") -> Broken | None:
    """Fail in a given way."""
    if how == "data":
        raise DataError("a\\x1b[31mb\\nc", "text", "less of it", "x.en:3")
    if how == "several":
        raise DataError.of([Fault("a", "b", "c"), Fault("d", "e", "f", "here")])
    if how == "defect":
        raise KeyError("one\\ntwo")
    if how == "interrupt":
        raise KeyboardInterrupt
    if how == "library":
        import no_such_library
    if how == "open":
        open("/no/such/file")
    if how == "folder":
        open("/")
    if how == "full":
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "runs/a/model")
    if how == "odd":
        raise OSError("no number")
    if how == "pipe":
        raise BrokenPipeError
    return Broken() if how == "result" else None
'''
NAMES = {
    "learn": "Learn from files.",
    "say": "Say it.",
    "copy": "Copy all words.",
    "fail": "Fail in a given way.",
    "absent": "A verb that nobody imports.",
}


@pytest.fixture
def verbs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Verb, ...]]:
    """The table of the small house; its module is on the path."""
    (tmp_path / "small_verbs.py").write_text(VERBS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    yield tuple(Verb(name, summary, f"small_verbs:{name}") for name, summary in NAMES.items())
    sys.modules.pop("small_verbs", None)


@pytest.fixture
def seqwise(verbs: tuple[Verb, ...], capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run a command: exit code, standard output, standard error."""

    def seqwise(*words: str) -> tuple[int, str, str]:
        code = main(list(words), verbs)
        said = capsys.readouterr()
        return code, said.out, said.err

    return seqwise
