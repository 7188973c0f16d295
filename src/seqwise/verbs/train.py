"""train: from files of texts to a run folder that translates, summarizes, classifies or generates."""

import shlex
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass

from rich.console import Console
from rich.table import Table
from rich.text import Text

from seqwise import device
from seqwise.checkpoints.run import RunFolder
from seqwise.config import check
from seqwise.tasks.following import counted, readers
from seqwise.tasks.running import begin, gather
from seqwise.tasks.settings import Train, fitted
from seqwise.tasks.stored import read_settings, same_data, same_run
from seqwise.training import distributed
from seqwise.training.events import Finished
from seqwise.training.journal import follow
from seqwise.training.loop import fit
from seqwise.training.stopping import asked_to_stop


@dataclass(frozen=True)
class Trained:
    """How a run ended."""

    out: str
    parameters: int
    finished: Finished
    seconds: float

    def to_dict(self) -> dict[str, object]:
        """Plain values, for JSON."""
        return asdict(self)

    def __rich__(self) -> Table:
        best = self.finished.best
        scores = ", ".join(f"{name} {value:.4g}" for name, value in best.items())
        rows = {
            "best weights": f"step {self.finished.best_step}: {scores}" if best else "none yet: --resume to go on",
            "stopped": f"step {self.finished.step} ({self.finished.reason}), after {self.seconds:,.0f} s",
            "next": f'seqwise predict {shlex.quote(str(self.out))} "..."',
        }
        table = Table(box=None, show_header=False, pad_edge=False)
        for name, text in rows.items():
            table.add_row(name, text)
        return table


def train(settings: Train) -> Trained:
    """Train a model on your data.

    Reads sentence pairs, texts with summaries or with labels, or plain text, as --task says; learns a vocabulary where
    none is given, trains, and keeps the best weights in the run folder. Ctrl-C saves and ends; --resume goes on to the
    same bits.

    Args:
        settings: Everything, from a YAML file, from flags, or both.

    Example:
        seqwise train --train train.en train.fr --valid valid.en valid.fr --out runs/en-fr --epochs 10
    """
    check(settings)
    settings = fitted(settings)
    clock = time.monotonic()
    device.keep_memory()
    where = device.pick(settings.training.device)
    with ExitStack() as stack:
        group = stack.enter_context(distributed.group(where))
        folder = _folder(settings)
        material = gather(settings, folder)
        console = Console(stderr=True, quiet=not group.first, highlight=False)
        for note in material.notes:
            console.print(Text(note), soft_wrap=True)
        if group.first:
            # only now is anything written: a fault in the data leaves no folder behind, and an old run as it was
            if not settings.resume:
                RunFolder.create(settings.out, settings.overwrite)
            stack.enter_context(folder.lock())
        group.wait()
        stopped = stack.enter_context(asked_to_stop())  # from here on Ctrl-C saves; before, there is nothing to save
        run = begin(settings, material, folder, where, group, stopped, clock)
        for note in run.notes:
            console.print(Text(note), soft_wrap=True)
        group.wait()
        told = folder, console, run.state.progress.step, counted(settings.task)
        following = readers(settings.training, *told) if group.first else []
        finished = follow(fit(run.state, run.setting), following)
    return Trained(settings.out, material.parameters, finished, time.monotonic() - clock)


def _folder(settings: Train) -> RunFolder:
    """The run to resume, or a place for a new one."""
    if not settings.resume:
        return RunFolder.must_be_free(settings.out, settings.overwrite)
    folder = RunFolder.open(settings.out)
    same_run(settings, read_settings(folder))
    same_data(settings, folder)
    return folder
