"""The table of trials of a weighing: what is tried, where, and how far it is.

recipe_of    what all trials have in common: the settings of a tuned run, or a file of settings
try_all      run what has no result yet, here or on a cluster, with a bar
points_of    error against examples, of one method
"""

import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from statistics import mean

from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bar

from seqwise.checkpoints.files import discard
from seqwise.checkpoints.run import RunFolder
from seqwise.config import resolve
from seqwise.data.filters import key
from seqwise.errors import ConfigError, SeqwiseError
from seqwise.printable import printable
from seqwise.tasks.tuning.bases import open_base
from seqwise.tasks.tuning.items import labels_of, read
from seqwise.tasks.tuning.settings import Tune
from seqwise.tasks.tuning.stored import is_tuned, read_tune
from seqwise.tasks.weighing.overlap import overlap
from seqwise.verbs.weighing.contenders import TEST, scores_of
from seqwise.verbs.weighing.signature import older, signature
from seqwise.verbs.weighing.trial import RUN, Recipe, run_trial
from seqwise.verdict.cluster import run_on_cluster
from seqwise.verdict.curve import Point
from seqwise.verdict.ledger import FOLDERS, opened
from seqwise.verdict.pool import run_trials
from seqwise.verdict.progress import Progress, told
from seqwise.verdict.scored import Measure
from seqwise.verdict.sharing import sharing
from seqwise.verdict.trials import Row, Trial

FRACTIONS = (1.0, 0.5, 0.25, 0.125, 0.0625)
"""Each twice the next: five sizes on which a power law can be seen to bend."""


@dataclass(frozen=True)
class Tried:
    """The rows, and where each trial lies."""

    rows: tuple[Row, ...]
    folders: Mapping[str, Path]
    """By the name of the trial."""
    notes: tuple[str, ...]
    beside: Mapping[str, float] = field(default_factory=dict)
    """Trials among which the machine of each was shared (`verdict.sharing`), by the folder of its run."""


def recipe_of(base: str, tuned: Sequence[str], file: Path | None) -> Tune:
    """How trials are made; refused where nobody says."""
    if file is not None:
        return resolve(Tune, file, ["--base", base])
    runs = [one for one in tuned if is_tuned(one)]
    if not runs:
        given = "trials, and no run of seqwise tune that says how they are made"
        raise ConfigError(given, "a tuned run as the second word, or --recipe", "--recipe tune.yaml")
    return replace(read_tune(RunFolder.open(runs[0])), base=base)


def must_be_unseen(settings: Tune, general: Mapping[str, Sequence[str]]) -> None:
    """Refuse general sets that the training files hold too, before anything is trained. What stands in the test files
    is left out of training anyway."""
    keys = frozenset(key(text) for text in read(settings, settings.train, []).asked) if general else frozenset()
    for part, paths in general.items():
        try:
            items = read(settings, paths, [])
        except SeqwiseError:  # of another form than the task's: read when it is scored
            continue
        overlap(part, items.asked, items.places, keys)


def probed(settings: Tune, general: Sequence[tuple[str, Sequence[str]]]) -> bool:
    """Whether general sets are asked of the representations: the base has no head for the labels of the task."""
    if settings.task != "classify" or not general:
        return False
    labels = labels_of(read(settings, settings.train, []))
    return bool(open_base(settings, labels, settings.training.seed).fresh)


def try_all(
    trials: Sequence[Trial],
    recipe: Recipe,
    folder: Path,
    *,
    workers: int,
    cluster: str | None,
    overwrite: bool,
) -> Tried:
    """All trials of the table, the finished ones as they are."""
    with ExitStack() as stack:
        ledger = stack.enter_context(
            opened(folder, signature(recipe), overwrite=overwrite, older=partial(older, recipe, folder))
        )
        if overwrite and (folder / FOLDERS).exists():  # a run that has ended is taken as it is, whatever made it
            discard(folder / FOLDERS)
        show = stack.enter_context(_Watched())
        run = partial(run_trial, recipe)
        if cluster is not None:
            rows = run_on_cluster(trials, run, ledger, cluster, workers=workers, progress=show.tell)
        else:
            rows = run_trials(trials, run, ledger, workers=workers, progress=show.tell)
        notes = [*ledger.notes, *(f"{row.trial.name}: {row.state}, {row.error}" for row in rows if not row.measured)]
        folders = {trial.name: ledger.folder_of(trial) for trial in trials}
        shared = sharing(ledger.rows)
        beside = {str(place / RUN): shared[name] for name, place in folders.items() if name in shared}
        return Tried(rows, folders, tuple(notes), beside)


def points_of(tried: Tried, method: str) -> tuple[tuple[Point, ...], Measure | None, str]:
    """What each trial of a method came to on the test set, as an error by training examples; and a note about these."""
    rows = [row for row in tried.rows if row.measured and row.trial.method == method and row.result is not None]
    sizes, note = _sizes(rows)
    points, measure = [], None
    for row in rows:
        scored = scores_of(row, tried.folders[row.trial.name], method)[TEST]
        measure = scored.measure
        error = scored.value if measure.lower else 100 - scored.value
        points.append(Point(sizes[row.trial.fraction], row.trial.seed, error))
    return tuple(points), measure, note


def _sizes(rows: Sequence[Row]) -> tuple[Mapping[float, int], str]:
    """Examples that were trained on, by fraction; and what else they are where a run did not write them down.

    Seeds of a fraction leave out some examples more or fewer, by their duplicates: the mean stands for all, since the
    curve compares seeds of one size.
    """
    told = [(row.trial.fraction, (row.result or {}).get("cost") or {}, row.result or {}) for row in rows]
    known = all("examples" in cost for _, cost, _ in told)
    counts: dict[float, list[int]] = {}
    for fraction, cost, result in told:
        counts.setdefault(fraction, []).append(int(cost["examples"] if known else result["rows"]))
    note = "Sizes are rows of the training files, of which some were left out or held out: not all runs wrote down how "
    note += "many examples they were trained on."
    return {fraction: round(mean(some)) for fraction, some in counts.items()}, "" if known else note


class _Watched:
    """A bar on a terminal, a line for each trial elsewhere."""

    def __init__(self) -> None:
        self.console = Console(stderr=True, highlight=False)
        columns = (TextColumn("{task.description}", markup=False), BarColumn())
        self.bar = Bar(*columns, console=self.console, disable=not self.console.is_terminal)
        self.task = self.bar.add_task("trials", total=None)

    def __enter__(self) -> "_Watched":
        self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()

    def tell(self, progress: Progress) -> None:
        """How far it is."""
        line = told(progress)
        self.bar.update(self.task, completed=progress.done, total=progress.total, description=line)
        for row in progress.ended:
            state = "done" if row.measured else f"ERROR: {row.error}"
            print(printable(f"{row.trial.name}: {state} after {row.seconds:,.0f} s; {line}"), file=sys.stderr)
