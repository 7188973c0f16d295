"""tune: a model that is there already learns a task from the user's examples, in full, by LoRA or by QLoRA."""

import shlex
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from seqwise import device
from seqwise.checkpoints.provenance import signature
from seqwise.checkpoints.run import RunFolder
from seqwise.config import check, to_yaml
from seqwise.printable import printable
from seqwise.tasks.following import counted, readers
from seqwise.tasks.preparation import hashes
from seqwise.tasks.restoring import restored
from seqwise.tasks.tuning import Tune, ending, running, starting, stored
from seqwise.tasks.tuning.bases import fingerprint
from seqwise.tasks.tuning.foreseeing import Foresight
from seqwise.tasks.tuning.meters import Meters
from seqwise.tasks.tuning.outcome import Outcome
from seqwise.tasks.tuning.spending import Bookkeeper
from seqwise.training import distributed
from seqwise.training.events import Finished
from seqwise.training.journal import Reader, follow
from seqwise.training.loop import fit
from seqwise.training.ranging import RangeSettings, RangeTest, range_test
from seqwise.training.stopping import asked_to_stop


@dataclass(frozen=True)
class Tuned:
    """How a run ended, and whether it was worth it."""

    out: str
    trained: int
    """Weights that were trained."""
    finished: Finished
    outcome: Outcome | None
    """None where the run was stopped before its end."""
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        told = None if self.outcome is None else self.outcome.to_dict()
        return {"out": self.out, "trained": self.trained, "finished": asdict(self.finished), "outcome": told,
                "seconds": self.seconds}  # fmt: skip

    def __rich__(self) -> Group:
        best = ", ".join(f"{name} {value:.4g}" for name, value in self.finished.best.items())
        rows = {
            "best weights": f"step {self.finished.best_step}: {best}" if best else "none yet: --resume to go on",
            "stopped": f"step {self.finished.step} ({self.finished.reason}), after {self.seconds:,.0f} s",
            "next": f'seqwise predict {shlex.quote(str(self.out))} "..."',
        }
        table = Table(box=None, show_header=False, pad_edge=False)
        for name, text in rows.items():
            table.add_row(name, text)
        return Group(table) if self.outcome is None else Group(self.outcome, table)


@dataclass(frozen=True)
class Masks:
    """Examples as they are learnt."""

    examples: tuple[starting.Segments, ...]

    def __rich__(self) -> Group:
        return Group(*map(_shown, self.examples))


def _shown(one: starting.Segments) -> Text:
    """What is learnt in green, within brackets where there are no colours."""
    text = Text(f"{printable(one.place)}\n", style="bold")
    for words, trained in one.segments:
        lines = "\n".join(map(printable, words.split("\n")))
        text.append(f"[{lines}]" if trained else lines, style="bold green" if trained else "not bold dim")
    return text.append("\n")


def tune(settings: Tune) -> Tuned | Masks | RangeTest:
    """Teach a pretrained model a task, from your examples.

    The model is a folder in the hub's format, a name on the hub, or a run of Seqwise. First the untouched model and
    cheap rivals answer the test examples, then the model is trained, in full, by LoRA or by QLoRA; at the end all of
    them stand side by side, with the intervals of their differences. Ctrl-C saves and ends; --resume goes on to the
    same bits.

    Args:
        settings: Everything, from a YAML file, from flags, or both. The first word is the model.

    Example:
        seqwise tune models/all-minilm --task classify --train train.tsv --test test.tsv --out runs/sentiment
    """
    check(settings)
    clock = time.monotonic()
    device.keep_memory()
    where = device.pick(settings.training.device)
    with ExitStack() as stack:
        group = stack.enter_context(distributed.group(where))
        meters = Meters(where)
        console = Console(stderr=True, quiet=not group.first, highlight=False)

        def say(note: str) -> None:
            console.print(printable(note), markup=False, soft_wrap=True)

        folder = _folder(settings)
        start = starting.gather(settings, folder if settings.resume else None, say)
        if settings.show_mask:
            return Masks(starting.masks(start, settings.show_mask))
        if settings.find_lr:
            run = running.begin(settings, start.base, start.job, start.material, folder, group, lambda: False, None)
            return range_test(run.state, run.setting, RangeSettings())
        if group.first:
            _make(settings, folder, start, stack, say)
        group.wait()
        stopped = stack.enter_context(asked_to_stop())  # from here on Ctrl-C saves; before, there is nothing to save
        run = running.begin(settings, start.base, start.job, start.material, folder, group, stopped, clock)
        notes = [*run.notes, restored(run.state, folder, group)] if settings.resume else run.notes
        for note in notes:
            say(note)
        group.wait()
        setting, following = run.setting, list[Reader]()
        if group.first:
            setting = ending.bounded(settings, setting, start, folder, clock, say)
            foresight = Foresight(run.state.loader, settings.training.accumulate, run.state.progress.step, where)
            setting = foresight.watched(setting)
            told = folder, console, run.state.progress.step, counted(settings.task)
            books = Bookkeeper(meters, settings, start, run, folder)
            following = [foresight, books, *readers(settings.training, *told)]
        finished = follow(fit(run.state, setting), following)
        outcome = None
        if group.first and finished.reason != "signal":
            outcome = ending.end(settings, start, run.looking, folder)
            books.write()
        group.wait()
    return Tuned(settings.out, run.trained, finished, outcome, time.monotonic() - clock)


def _folder(settings: Tune) -> RunFolder:
    """The run to resume, or a place for a new one."""
    if settings.show_mask or settings.find_lr:
        return RunFolder(settings.out)
    if not settings.resume:
        return RunFolder.must_be_free(settings.out, settings.overwrite)
    folder = RunFolder.open(settings.out)
    stored.same_run(starting.kept(settings), starting.kept(stored.read_tune(folder)))
    stored.same_data(settings, folder)
    return folder


def _make(settings: Tune, folder: RunFolder, start: starting.Start, stack: ExitStack, say: starting.Say) -> None:
    """A new run's first files, or a look whether the base is still what a resumed one began with."""
    marks = fingerprint(start.base)
    if settings.resume:
        stack.enter_context(folder.lock())
        stored.must_be(start.base.files(), stored.read_facts(folder))
        ending.answers_before(folder)  # they are needed at the end, which is no time to miss them
        return
    answers = starting.before(start, settings, say)
    RunFolder.create(settings.out, settings.overwrite)
    stack.enter_context(folder.lock())
    folder.save_config(to_yaml(starting.kept(settings), comments=True))
    stored.write_base(folder, start.base, settings, start.labels, marks, start.turns, start.single)
    files = [*settings.train, *settings.valid, *settings.test, *settings.guard.replay]
    folder.save_signature(signature(settings.training.seed, hashes(files)))
    ending.keep_before(folder, answers)
