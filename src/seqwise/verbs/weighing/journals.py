"""What the folders of trainings tell: losses along the way, what was learnt by heart, and what it cost."""

from math import fsum
from typing import Any

import numpy as np

from seqwise.checkpoints.run import JOURNAL, RunFolder
from seqwise.errors import SeqwiseError
from seqwise.tasks.forecasting.stored import read_forecast
from seqwise.tasks.stored import is_forecast, must_be_same
from seqwise.tasks.tuning.items import Items, read_all
from seqwise.tasks.tuning.spending import Spending, read_cost
from seqwise.tasks.tuning.stored import is_tuned, read_tune
from seqwise.tasks.weighing.systems import System
from seqwise.training.events import Stepped
from seqwise.training.journal import read
from seqwise.verbs.weighing.asking import tried
from seqwise.verbs.weighing.contenders import Contender, seed_of
from seqwise.verbs.weighing.held import Held
from seqwise.verbs.weighing.trial import looks
from seqwise.verdict.cost import Cost
from seqwise.verdict.findings import Finding, failed, not_run
from seqwise.verdict.memorisation import memorised
from seqwise.verdict.overfitting import Look, Trend, overfitting, trend

MOST = 1000
"""Items of each kind that are asked what was learnt by heart: enough for a share within three points."""
UNTOLD = dict.fromkeys(
    ("processor", "memory", "energy", "foreseen_seconds", "foreseen_memory"),
    "seqwise train forecast writes down the time of its steps alone",
)


def overfits(one: Contender) -> tuple[Finding, tuple[Trend, ...]]:
    """Whether validation turned; and the losses of each seed, where the runs are known."""
    try:
        trends = tuple(found for run in one.runs if (found := _trend(one.name, run)) is not None)
    except SeqwiseError as error:
        return failed("overfitting", "validation", error, one.name), ()
    if not trends:
        return not_run("overfitting", "validation", "No journal with looks at validation is known.", one.name), ()
    return tried("overfitting", "validation", one.name, lambda: overfitting(trends)), trends


def _trend(name: str, run: str) -> Trend | None:
    looks = [one for one in _looks(run) if "loss" in one["scores"]]
    if not looks:
        return None
    steps = [Look(one["step"], one["scores"]["loss"], one["scores"].get("train_loss")) for one in looks]
    spent = _spending(run)
    seconds = spent.training.seconds if spent and spent.complete else _stepped(run)
    crps = is_forecast(run) and read_forecast(RunFolder.open(run)).loss == "crps"
    return trend(steps, name, seed_of(run), seconds=seconds, unit="CRPS" if crps else "nats")


def by_heart(one: Contender, held: Held | None) -> Finding:
    """Losses on items that were learnt, against comparable ones that were not: the run's validation examples."""
    subject = "by heart"
    run = next((run for run in one.runs if is_tuned(run)), None)
    settings = None if run is None else read_tune(RunFolder.open(run))
    if held is None or run is None or settings is None or settings.task not in ("classify", "generate"):
        why = "It takes a run of seqwise tune whose answers have a loss: of labels, or of plain text."
        return not_run("overfitting", subject, why, one.name)
    try:
        must_be_same((*settings.train, *settings.valid, *settings.test), RunFolder.open(run))
        read = read_all(settings)
    except (SeqwiseError, OSError) as error:
        return not_run("overfitting", subject, f"The training files cannot be read: {error}", one.name)
    halves = [_some(read.train), _some(read.valid)]

    def told() -> Finding:
        base, ours = held.base, [_losses(held.open(run), half) for half in halves]
        theirs = None if base.fresh or base.job is None else [_losses(base, half) for half in halves]
        before = (None, None) if theirs is None else (theirs[0], theirs[1])
        return memorised(ours[0], ours[1], *before, system=one.name)

    return tried("overfitting", subject, one.name, told)


def costs_of(one: Contender) -> tuple[Cost, ...]:
    """Of each seed; what a run did not tell is None."""
    found = []
    for run in one.runs:
        told = _spending(run)
        if told is not None and told.complete:
            found.append(_cost(one.name, told))
        elif is_forecast(run):
            weights = RunFolder.open(run).load_signature().get("parameters")
            found.append(Cost(one.name, seed_of(run), _stepped(run), trained=weights, why=UNTOLD))
        elif is_tuned(run):  # begun by a version that wrote nothing down: no cell of its row is empty
            found.append(Cost(one.name, seed_of(run)))
    return tuple(found)


def _cost(name: str, told: Spending) -> Cost:
    return Cost(
        name,
        told.seed,
        told.training.seconds,
        told.training.processor,
        float(told.memory),
        told.trained,
        told.training.energy,
        told.foreseen.seconds if told.foreseen else None,
        told.foreseen.memory if told.foreseen else None,
        told.examples,
        told.whole.seconds,
        told.why,
    )


def _spending(run: str) -> Spending | None:
    try:
        return read_cost(RunFolder.open(run)) if is_tuned(run) else None
    except SeqwiseError:
        return None


def _stepped(run: str) -> float | None:
    """Seconds of all steps of a run that wrote down nothing else."""
    if not is_forecast(run):
        return None
    try:
        steps = [one.seconds for one in read(RunFolder.open(run).path / JOURNAL) if isinstance(one, Stepped)]
    except SeqwiseError:
        return None
    return fsum(steps) if steps else None


def _looks(run: str) -> list[dict[str, Any]]:
    try:
        return looks(RunFolder.open(run).path)
    except SeqwiseError:
        return []


def _some(items: Items) -> Items:
    """Spread evenly."""
    if len(items) <= MOST:
        return items
    return items.select(np.linspace(0, len(items) - 1, MOST).astype(int).tolist())


def _losses(system: System, items: Items) -> np.ndarray:
    """Nats of each."""
    if system.job is None:
        raise TypeError("a system without a task answers nothing")
    found = system.job.answers(items)
    return np.asarray(found.losses, dtype=np.float64) / np.maximum(1, np.asarray(found.tokens, dtype=np.float64))
