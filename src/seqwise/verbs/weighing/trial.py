"""One trial of a table: `seqwise tune` in a process of its own, on a part of the training files, then its scores.

    functools.partial(run_trial, recipe)     what `verdict.pool` runs

There is one way to train, and this goes it: the settings are written to the folder and given to the command, so that
whoever doubts a cell of the table runs it again by hand. What a killed try left is resumed where it can be, and taken
as it is where it had ended and was made by the settings, files and base that are wanted now. In the folder of a trial:

    tune.yaml     the settings        run/        the run of seqwise tune
    part/         its training rows   scores/     a file for each set (`keeping`)
"""

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast, get_args

from seqwise.checkpoints.files import discard, hash_file, make_folder, replacing
from seqwise.checkpoints.run import CONFIG, JOURNAL, STATE, RunFolder
from seqwise.config import to_yaml
from seqwise.errors import CheckpointError, ConfigError, SeqwiseError, TrainingError, nearest
from seqwise.tasks.stored import differences, value_of
from seqwise.tasks.tuning.bases import fingerprint_of
from seqwise.tasks.tuning.settings import Method, Tune, with_method
from seqwise.tasks.tuning.spending import COST
from seqwise.tasks.tuning.stored import OUTCOME, read_facts, read_tune
from seqwise.tasks.weighing.nested import nested
from seqwise.tasks.weighing.systems import open_system
from seqwise.training.events import Evaluated
from seqwise.training.journal import read
from seqwise.verbs.weighing import keeping
from seqwise.verbs.weighing.measures import Metric
from seqwise.verbs.weighing.models import scored
from seqwise.verdict.trials import Trial

RUN, PART, SCORES, SETTINGS = "run", "part", "scores", "tune.yaml"
METHODS: tuple[str, ...] = get_args(Method)
FREE = ("out", "resume", "overwrite", "show_mask", "find_lr", "training.device", "training.tensorboard",
        "evaluation.save_every")  # fmt: skip
"""Settings that change no result."""
FILES = ("train", "valid", "test", "guard.replay")
"""Settings whose content counts, wherever it lies."""
ENDED = 1  # lines of a failed command that are told
CHARACTERS = 400


@dataclass(frozen=True)
class Recipe:
    """What all trials have in common. Other processes get a copy of it."""

    settings: Tune
    """As the tuned run was made, or as it would be."""
    test: tuple[str, ...] = ()
    """Files of the test set, which are also left out of training."""
    general: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Names and files of the general sets."""
    metric: Metric = "auto"
    cluster: str | None = None
    probe: bool = False
    """Whether labels of general sets are asked of the representations, as they are of the base."""


def run_trial(recipe: Recipe, trial: Trial, folder: Path) -> dict[str, Any]:
    """Train and score one trial; plain facts come back, and the names of the files of its scores."""
    settings, rows = settings_of(recipe, trial, folder)
    run = folder / RUN
    if not _ended(run, settings):
        _train(settings, folder)
    system = open_system(str(run), None, settings.training.device)
    make_folder(folder / SCORES)
    sets = [("test", recipe.test, False), *((name, paths, True) for name, paths in recipe.general)]
    scores = []
    for number, (part, paths, general) in enumerate(sets):
        if paths:
            asked = {trial.method: system}
            found = scored(asked, paths, part, recipe.metric if not general else "auto", cluster=recipe.cluster,
                           general=general, probe=general and recipe.probe)[trial.method]  # fmt: skip
            place = folder / SCORES / f"{number}.npz"
            keeping.save(replace(found, seed=trial.seed), place)
            told = {"part": part, "file": f"{SCORES}/{place.name}", "value": found.value, "n": len(found)}
            scores.append({**told, "measure": found.measure.name})
    return {"run": RUN, "rows": rows, "scores": scores, "cost": _cost(run), "looks": looks(run)}


def _ended(run: Path, wanted: Tune) -> bool:
    """Whether a run has ended that was made as is wanted now: by its settings, the content of its files, its base."""
    folder = RunFolder(run)
    if not (run / OUTCOME).is_file():
        return False
    try:
        made, told = read_tune(folder), folder.load_signature()["data"]
        if any(name not in (*FREE, *FILES) for name in differences(wanted, made)):
            return False
        then, now = ([list(value_of(one, name)) for name in FILES] for one in (made, wanted))
        if [[told.get(path) for path in paths] for paths in then] != [[*map(hash_file, paths)] for paths in now]:
            return False
        return dict(read_facts(folder).hashes) == fingerprint_of(wanted)
    except (SeqwiseError, KeyError):  # of a run that tells nothing of itself nobody knows what it is of
        return False


def settings_of(recipe: Recipe, trial: Trial, folder: Path) -> tuple[Tune, int]:
    """The settings of a trial, and how many rows of the training files it learns from. Writes a part of these."""
    return nested(planned(recipe, trial, folder), trial.fraction, folder / PART)


def planned(recipe: Recipe, trial: Trial, folder: Path) -> Tune:
    """The settings of a trial, as yet with all training files."""
    if trial.method not in METHODS:
        allowed = ", ".join(METHODS)
        raise ConfigError(f"method {trial.method}", allowed, nearest(trial.method, METHODS) or METHODS[0])
    made = recipe.settings
    return replace(
        with_method(made, cast(Method, trial.method)),
        test=recipe.test or made.test,
        out=str(folder / RUN),
        resume=False,
        overwrite=False,
        training=replace(made.training, seed=trial.seed),
    )


def _train(settings: Tune, folder: Path) -> None:
    """The command, gone on with where an earlier try left what it takes."""
    content = to_yaml(settings).encode()
    make_folder(folder)
    with replacing(folder / SETTINGS, len(content)) as file:
        file.write(content)
    run = Path(settings.out)
    ended = (run / OUTCOME).is_file()  # and is not what is wanted: nothing of it is gone on with
    if (run / CONFIG).is_file() and (run / STATE).is_dir() and not ended:
        done = _called(folder, "--resume")
        if done.returncode == 0 and (run / OUTCOME).is_file():
            return
    if run.exists():
        discard(run)
    done = _called(folder)
    if done.returncode or not (run / OUTCOME).is_file():
        lines = [line for line in done.stderr.splitlines() if line.strip()] or ["it ended before its last step"]
        told = " ".join(lines[-ENDED:])[-CHARACTERS:].removeprefix("seqwise: ")
        raise TrainingError(
            f"seqwise tune {folder / SETTINGS} ({told})", "a run that ends in order", "running it alone"
        )


def _called(folder: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "seqwise", "tune", str(folder / SETTINGS), *flags]
    return subprocess.run(words, capture_output=True, text=True, errors="replace", check=False)


def _cost(run: Path) -> Mapping[str, Any] | None:
    """What the run spent, as it wrote it down; None where it did not."""
    try:
        return dict(RunFolder(run).read_json(COST))
    except CheckpointError:
        return None


def looks(run: Path) -> list[dict[str, Any]]:
    """The looks at the validation data: step and scores."""
    events = read(run / JOURNAL)
    return [{"step": one.step, "scores": dict(one.scores)} for one in events if isinstance(one, Evaluated)]
