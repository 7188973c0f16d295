"""train forecast: from a table with a time column to a run folder that foresees what comes next."""

import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass

from rich.console import Console
from rich.table import Table
from rich.text import Text

from seqwise import device
from seqwise.checkpoints.run import CONFIG, RunFolder
from seqwise.config import check
from seqwise.tasks.following import readers
from seqwise.tasks.forecasting.preparation import cut_of, gather
from seqwise.tasks.forecasting.running import begin, close
from seqwise.tasks.forecasting.settings import Forecast
from seqwise.tasks.forecasting.stored import must_go_on
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
    notes: tuple[str, ...]
    tested: bool
    """Whether a part of the table was kept for a test."""

    def to_dict(self) -> dict[str, object]:
        """Plain values, for JSON."""
        return asdict(self)

    def __rich__(self) -> Table:
        best = self.finished.best
        scores = ", ".join(f"{name} {value:.4g}" for name, value in best.items())
        test = f"seqwise evaluate {self.out}" + ("" if self.tested else " --test NEWER.csv")
        rows = {
            "best weights": f"step {self.finished.best_step}: {scores}, in standardized units" if best else "none yet",
            "stopped": f"step {self.finished.step} ({self.finished.reason}), after {self.seconds:,.0f} s",
            **{note.partition(": ")[0]: note.partition(": ")[2] for note in self.notes},
        }
        if self.finished.reason in ("signal", "time limit"):
            rows["going on"] = f"seqwise train forecast {self.out}/{CONFIG} --resume"
        if best:
            rows["next"] = f"{test}, then seqwise predict {self.out}"
        table = Table(box=None, show_header=False, pad_edge=False)
        for name, text in rows.items():
            table.add_row(name, text)
        return table


def forecast(settings: Forecast) -> Trained:
    """Train a forecaster of a table with a time column.

    Reads CSV, Parquet or JSONL; standardizes by the training part alone; learns the distribution of the next steps, of
    one or several columns and one or many series. The newest part is kept for `seqwise evaluate`, which weighs the run
    against forecasts that cost nothing. Ctrl-C saves and ends; --resume goes on to the same bits.

    Args:
        settings: Everything, from a YAML file, from flags, or both.

    Example:
        seqwise train forecast --train prices.csv --target close --horizon 10 --model lstm --out runs/close
    """
    check(settings)
    clock = time.monotonic()
    device.keep_memory(large_pages=True)
    where = device.pick(settings.training.device)
    with ExitStack() as stack:
        group = stack.enter_context(distributed.group(where))
        folder = _folder(settings)
        material = gather(settings)
        settings = material.settings
        windows = f"{len(material.train):,} windows to learn from, {len(material.valid):,} to look at"
        console = Console(stderr=True, quiet=not group.first, highlight=False)
        for note in (*material.notes, windows):
            console.print(Text(note), soft_wrap=True)
        if group.first:
            # only now is anything written: a fault in the data leaves no folder behind, and an old run as it was
            if not settings.resume:
                RunFolder.create(settings.out, settings.overwrite)
            stack.enter_context(folder.lock())
        group.wait()
        stopped = stack.enter_context(asked_to_stop())
        run = begin(settings, material, folder, where, group, stopped, clock)
        for note in run.notes:
            console.print(Text(note), soft_wrap=True)
        group.wait()
        told = folder, console, run.state.progress.step, "values"
        following = readers(settings.training, *told) if group.first else []
        finished = follow(fit(run.state, run.setting), following)
        done = bool(finished.best) and group.first
        notes = close(settings, material, folder, run.model) if done else ()
        seconds = time.monotonic() - clock
        tested = cut_of(settings.split.test, "--split.test") is not None
        return Trained(settings.out, run.parameters, finished, seconds, notes, tested)


def _folder(settings: Forecast) -> RunFolder:
    """The run to resume, or a place for a new one."""
    if not settings.resume:
        return RunFolder.must_be_free(settings.out, settings.overwrite)
    folder = RunFolder.open(settings.out)
    must_go_on(settings, folder)
    return folder
