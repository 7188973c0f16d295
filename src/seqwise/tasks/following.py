"""Who follows a run of any kind: the journal, the losses of items, the terminal, and TensorBoard if asked for."""

from typing import Protocol

from rich.console import Console

from seqwise.checkpoints.run import JOURNAL, RunFolder
from seqwise.training.console import Console as Progress
from seqwise.training.journal import Journal, Reader, TensorBoard
from seqwise.training.looks import Recorder


class Watched(Protocol):
    """What the settings of a training say of it."""

    @property
    def time_limit(self) -> float:
        """Seconds; 0: none."""
        ...

    @property
    def tensorboard(self) -> bool:
        """Whether curves are written for TensorBoard."""
        ...


def readers(training: Watched, folder: RunFolder, console: Console, step: int, counted: str) -> list[Reader]:
    """Of a run that goes on after `step`. counted: what its speed is told in, such as tokens."""
    found: list[Reader] = [
        Journal(folder.path / JOURNAL, step),
        Recorder(folder, step),
        Progress(console, training.time_limit or None, counted=counted),
    ]
    if training.tensorboard:
        found.append(TensorBoard(folder.path / "tensorboard", step))
    return found


def counted(task: str) -> str:
    """What is counted of a task on text."""
    return "labels" if task == "classify" else "tokens"
