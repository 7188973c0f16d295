"""What each share of the tuned weights gains and loses: scores on the task's examples and on general ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from torch import Tensor

from seqwise.checkpoints.run import RunFolder
from seqwise.errors import ConfigError
from seqwise.models.lora import LoraSettings
from seqwise.tasks.stored import read_settings
from seqwise.tasks.tuning.blending import Opening, blended, put
from seqwise.tasks.tuning.items import Items, known, read
from seqwise.tasks.tuning.jobs import Job
from seqwise.tasks.tuning.judging import job_on
from seqwise.tasks.tuning.outcome import METRICS
from seqwise.tasks.tuning.settings import Tune
from seqwise.tasks.tuning.stored import is_tuned, read_tune


@dataclass(frozen=True)
class Row:
    """One share."""

    alpha: float
    valid: Mapping[str, float]
    general: Mapping[str, float]


def scored(
    tuned: Opening,
    pairs: Mapping[str, tuple[Tensor | None, Tensor]],
    alphas: Sequence[float],
    valid: Sequence[str],
    general: Sequence[str],
) -> tuple[tuple[Row, ...], str]:
    """Scores at each share, and the measure to choose by."""
    job, settings = _job(tuned)
    parts = [_items(job, settings, paths) if paths else None for paths in (valid, general)]
    rows = []
    for alpha in alphas:
        put(tuned.model, blended(pairs, alpha))
        found = [{} if items is None else dict(job.answers(items).scores) for items in parts]
        rows.append(Row(alpha, *found))
    return tuple(rows), METRICS[settings.task]


def best(rows: Sequence[Row], metric: str) -> float:
    """The share with the best score on the validation examples; of equals the one nearer to the base."""
    sign = -1.0 if metric == "loss" else 1.0
    return max(rows, key=lambda row: (sign * row.valid[metric], -row.alpha)).alpha


def _job(tuned: Opening) -> tuple[Job, Tune]:
    """What the tuned model was tuned for."""
    if not is_tuned(tuned.name):
        raise ConfigError(
            f"--valid for {tuned.name}, which no run of seqwise tune made",
            "a run, which knows its task and how its files are read",
            "a single --alpha without --valid",
        )
    folder = RunFolder.open(tuned.name)
    settings = replace(read_tune(folder), method="full", lora=LoraSettings())
    if tuned.opened is not None:
        return job_on(tuned.opened, folder, settings), settings
    if tuned.run is None or tuned.translator is None:
        raise TypeError("a run of ours has a folder")
    return job_on((tuned.translator, read_settings(tuned.run)), folder, settings), settings


def _items(job: Job, settings: Tune, paths: Sequence[str]) -> Items:
    notes: list[str] = []
    items = read(settings, [str(Path(path)) for path in paths], notes)
    known(settings.task, {"the examples": items}, getattr(job, "labels", ()))
    return items
