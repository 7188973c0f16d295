"""One method tried in a process of its own: a run in miniature, timed part by part, and the peak of its memory.

    tried(settings)     starts the process and waits for what it tells
    serve()             what runs there
    probe(settings)     the run in miniature: everything that `seqwise tune` does, on a part of the examples

A process of its own, since a peak of memory is one of a process, and what was freed is not given back. It reads the
data and the model as the run will; then base and rivals answer some examples, a few steps are taken, the longest batch
first, some examples are looked at, and all is saved once, beside where the run would lie. The weights do not move: the
rate is 0. What was done on a part is scaled to the whole.

Gradual unfreezing is left out: all weights take part, as they do at its end.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from seqwise import device
from seqwise.checkpoints.run import RunFolder
from seqwise.config import resolve, to_yaml
from seqwise.data.batch import Batch, Taught
from seqwise.data.examples import ExampleLoader, Mixed
from seqwise.data.loader import Batches, Place
from seqwise.errors import SeqwiseError
from seqwise.tasks.tuning import ending, running, starting
from seqwise.tasks.tuning.answers import mean_and_items
from seqwise.tasks.tuning.bases import fingerprint
from seqwise.tasks.tuning.items import Items
from seqwise.tasks.tuning.jobs import Job
from seqwise.tasks.tuning.outcome import BASE, answers_of_rivals
from seqwise.tasks.tuning.settings import Tune
from seqwise.tasks.tuning.starting import Start
from seqwise.training import distributed
from seqwise.training.loop import advance
from seqwise.training.plan import Spent, Timed, Work, chosen, steps_of

STEPS = 7
"""That are timed, behind one that is not: from the longest to the shortest."""
SETTLING, PATIENCE = 40, 60.0
"""Steps that follow at most, and processor seconds after which none does, so that memory settles."""
ENOUGH = 3.0
"""Processor seconds after which a part has been timed long enough to be scaled; most parts are over by then, and have
brought in as many shapes of batches, and memory with them, as they will in the run."""
FEW = 16
"""Examples that a part begins with; four times as many while it takes less than `ENOUGH`."""
PLANNED = 2000
"""Batches whose work is counted; a longer run is made of the like of them."""
SETTINGS, TOLD = "settings.yaml", "probe.json"
CHILD = "from seqwise.tasks.tuning.probing import serve; serve()"


@dataclass(frozen=True)
class Probe:
    """What one method took."""

    start: Spent
    """To read data and model."""
    before: Spent
    """For base and rivals to answer; of all examples, as the following too."""
    look: Spent
    """At the validation examples, once."""
    save: Spent
    """Once."""
    after: Spent
    """For the answers at the end, and what follows from them."""
    steps: tuple[Timed, ...]
    peaks: tuple[int, ...]
    """Bytes, up to each step: of the process, or of the accelerator where there is one."""
    memory: int
    """The same at the end."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> "Probe":
        """The inverse."""
        parts = {name: Spent(**told[name]) for name in ("start", "before", "look", "save", "after")}
        steps = tuple(Timed(Work(**step["work"]), Spent(**step["spent"])) for step in told["steps"])
        return cls(**parts, steps=steps, peaks=tuple(told["peaks"]), memory=int(told["memory"]))


def tried(settings: Tune) -> Probe | str:
    """The method of the settings, in a process of its own; where that failed, why in a line."""
    out = Path(settings.out).absolute()
    beside = next(place for place in out.parents if place.is_dir())
    with tempfile.TemporaryDirectory(prefix=".seqwise-plan-", dir=beside) as folder:
        quiet = replace(settings, resume=False, overwrite=False, show_mask=0, find_lr=False)
        (Path(folder) / SETTINGS).write_text(to_yaml(quiet), encoding="utf-8")
        threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(torch.get_num_threads()))
        words = [sys.executable, "-P", "-c", CHILD, folder, repr(time.time())]
        done = subprocess.run(words, env=os.environ | threads, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return Probe.of(json.loads((Path(folder) / TOLD).read_text(encoding="utf-8")))
    if done.returncode < 0:
        return f"the probe was killed by signal {-done.returncode}, most likely for want of memory"
    return (done.stderr.strip().splitlines() or ["it said nothing"])[-1]


def serve() -> None:
    """Read the settings from a folder, try them, write what it took there."""
    folder, began = Path(sys.argv[1]), float(sys.argv[2])
    try:
        settings = resolve(Tune, folder / SETTINGS, ())
        told = probe(settings, RunFolder(folder / "run"), began).to_dict()
    except SeqwiseError as error:
        sys.exit(str(error.faults[0]))
    (folder / TOLD).write_text(json.dumps(told), encoding="utf-8")


def probe(settings: Tune, folder: RunFolder, began: float) -> Probe:
    """A run in miniature. `began`: when its process was started, by `time.time`."""
    device.keep_memory()
    start = starting.gather(settings, None, _unheard)
    fingerprint(start.base)
    begun = Spent(time.time() - began, time.process_time())
    before = _before(start, settings)
    folder = RunFolder.create(folder.path)
    run = running.begin(
        settings, start.base, start.job, start.material, folder, distributed.Group(), lambda: False, None
    )
    steps, peaks = _steps(settings, run)
    start.job.model.eval()
    look, answering = _look(start, run.looking, settings)
    save = timed(lambda: _save(run, folder))
    end, few = _end(start, settings, run, folder)
    after = end + answering.times(len(start.judged) - few)
    last = peak(run.setting.device)
    return Probe(begun, before, look, save, after, tuple(steps), tuple(peaks), last)


def _unheard(note: str) -> None:
    """The child says nothing."""


def timed(work: Callable[[], object]) -> Spent:
    """Seconds of a call."""
    wall, processor = time.perf_counter(), time.process_time()
    work()
    return Spent(time.perf_counter() - wall, time.process_time() - processor)


def scaled(work: Callable[[int], object], total: int) -> Spent:
    """Seconds of work on so many examples, from some: four times as many each time, until it takes long enough.

    What the first call takes beyond its share is taken to come once: imports, first pages.
    """
    count, once = min(FEW, total), Spent()
    first = spent = timed(partial(work, count))
    while count < total and (count == FEW or spent.processor < ENOUGH):
        count = min(4 * count, total)
        spent = timed(partial(work, count))
        beyond = first - spent.times(FEW / count)
        once = Spent(max(0.0, beyond.wall), max(0.0, beyond.processor))
    return spent.times(total / count) + once


def spread(total: int, count: int) -> list[int]:
    """So many of all, evenly."""
    return [int(i) for i in np.linspace(0, total - 1, min(count, total)).astype(int)]


def _some(items: Items, count: int) -> Items:
    return items.select(spread(len(items), count))


def _before(start: Start, settings: Tune) -> Spent:
    judged, train = start.judged, start.material.read.train
    base = scaled(lambda count: start.job.answers(_some(judged, count)), len(judged))

    def rivals(count: int) -> None:
        answers_of_rivals(settings.task, _some(train, count), _some(judged, count * len(judged) // total + 1))

    total = len(train)
    return base + scaled(rivals, total)


def works(loader: Batches) -> list[Work]:
    """What the first batches give to compute; the loader is where it was afterwards."""
    place, found, texts = loader.place, [], rewrites(loader)
    loader.seek(Place())
    for _ in range(min(PLANNED, loader.batches_in_epoch(0))):
        found.append(Work.of(of_text(next(loader)), texts))
    loader.seek(place)
    return found


def of_text(batch: Taught) -> Batch:
    """Tuning is on text: its batches are of ids."""
    if not isinstance(batch, Batch):
        raise TypeError("only batches of ids are tuned on")
    return batch


def rewrites(loader: Batches) -> bool:
    """Whether what is learnt are texts of their own."""
    if isinstance(loader, Mixed):
        return rewrites(loader.main)
    return isinstance(loader, ExampleLoader) and not (loader.examples.aligned or loader.examples.labelled)


def _steps(settings: Tune, run: running.Run) -> tuple[list[Timed], list[int]]:
    """A few, the longest first and once more than it is counted; then as they come, until memory has settled.

    Each shape of a batch is new to oneDNN, which keeps what it made for a thousand of them, and leaves holes in the
    heap: the peak after a few steps is not that of the run. Peaks come back too, of each step.
    """
    state, setting = run.state, replace(run.setting, thawing=None)
    where, size = setting.device, settings.training.accumulate
    steps = steps_of(works(state.loader), size)
    setting.objective.train()
    found, peaks = [], []
    first = chosen(steps, STEPS)
    more = list(range(min(SETTLING, len(steps), running.planned(settings, state.loader) or SETTLING)))
    began = time.process_time()  # on a busy machine as many steps as on an idle one
    for turn, step in enumerate([first[0], *first, *more]):
        if turn > STEPS and time.process_time() - began > PATIENCE:
            break
        state.loader.seek(Place(0, step * size))
        spent = timed(partial(advance, state, setting, 0.0))
        peaks.append(peak(where))
        if turn:
            found.append(Timed(steps[step], spent))
    return found, peaks


def _look(start: Start, job: Job, settings: Tune) -> tuple[Spent, Spent]:
    """A whole look; and the answer to one example."""
    material, objective = start.material, job.objective(0.0)
    valid, items = material.valid, material.read.valid
    where = device.pick(settings.training.device)
    sample = min(running.GAP, len(valid))

    def losses(count: int) -> None:
        learnt = material.train.select(np.array(spread(len(material.train), max(1, count * sample // len(valid)))))
        for part in (valid.select(np.array(spread(len(valid), count))), learnt):
            mean_and_items(objective, part, settings.training.batch_tokens, material.packed, where)

    asked = min(settings.evaluation.sentences or len(items), len(items))
    answering = scaled(lambda count: job.answers(_some(items, count)), asked).times(1 / asked)
    answers = answering.times(asked) if job.task != "generate" else Spent()
    return scaled(losses, len(valid)) + answers, answering


def _save(run: running.Run, folder: RunFolder) -> None:
    folder.save_state(0, run.state.tensors(), run.state.facts())
    folder.save_model(run.state.best_weights())


def _end(start: Start, settings: Tune, run: running.Run, folder: RunFolder) -> tuple[Spent, int]:
    """The end of a run that is judged on a few examples only; and how many."""
    read = start.material.read
    few = _some(start.judged, 4 * FEW)
    judged = replace(read, valid=few) if read.test is None else replace(read, test=few)
    short = replace(start, material=replace(start.material, read=judged))
    ending.keep_before(folder, {BASE: start.job.answers(few)})
    return timed(lambda: ending.end(settings, short, run.looking, folder)), len(few)


def peak(where: torch.device) -> int:
    """Bytes that this process held at most, or the accelerator held for it."""
    if where.type == "cuda":
        return torch.cuda.max_memory_reserved(where)
    try:  # ru_maxrss would count the parent as well, whose pages a child has until it becomes another program
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    import resource  # which Windows does not have

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
