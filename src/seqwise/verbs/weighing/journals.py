"""What the folders of trainings tell: losses along the way, what was learnt by heart, and what it cost."""

from collections.abc import Mapping, Sequence
from math import fsum
from statistics import mean

import numpy as np

from seqwise.checkpoints.run import JOURNAL, LOOKS, RunFolder
from seqwise.errors import SeqwiseError
from seqwise.tasks.forecasting.stored import read_forecast
from seqwise.tasks.stored import is_forecast, must_be_same
from seqwise.tasks.tuning.items import Items, read_all
from seqwise.tasks.tuning.spending import Spending, read_cost
from seqwise.tasks.tuning.stored import is_tuned, read_tune
from seqwise.tasks.weighing.systems import System
from seqwise.training.events import Evaluated, Event, Stepped
from seqwise.training.journal import read
from seqwise.training.looks import Looks
from seqwise.training.looks import read as read_looks
from seqwise.verbs.weighing.asking import tried
from seqwise.verbs.weighing.contenders import Contender, seed_of
from seqwise.verbs.weighing.held import Held
from seqwise.verdict.cost import Cost
from seqwise.verdict.findings import Finding, failed, not_run
from seqwise.verdict.memorisation import memorised
from seqwise.verdict.overfitting import overfitting
from seqwise.verdict.trend import Kind, Look, Trend, trend
from seqwise.verdict.turning import weighted

MOST = 1000
"""Items of each kind that are asked what was learnt by heart: enough for a share within three points."""
UNTOLD = dict.fromkeys(
    ("processor", "memory", "energy", "foreseen_seconds", "foreseen_memory"),
    "seqwise train forecast writes down the time of its steps alone",
)


def overfits(
    one: Contender, price_per_hour: float | None, currency: str, beside: Mapping[str, float]
) -> tuple[Finding, tuple[Trend, ...]]:
    """Whether validation turned; and the losses of each seed, where the runs are known. beside: as of `costs_of`."""
    try:
        trends = tuple(found for run in one.runs if (found := _trend(one.name, run)) is not None)
    except SeqwiseError as error:
        return failed("overfitting", "validation", error, one.name), ()
    if not trends:
        return not_run("overfitting", "validation", "No journal with looks at validation is known.", one.name), ()

    among = mean(beside.get(run, 1.0) for run in one.runs)
    price = None if price_per_hour is None else price_per_hour / among

    def told() -> Finding:
        return overfitting(trends, price_per_hour=price, currency=currency)

    return tried("overfitting", "validation", one.name, told), trends


def _trend(name: str, run: str) -> Trend | None:
    """By the journal, and by the losses of the items where the run wrote them down."""
    events = _events(run)
    looks = [one for one in events if isinstance(one, Evaluated) and "loss" in one.scores]
    if not looks:
        return None
    items, (kept, averaged) = _items(run), _kept(run)
    valid = {} if items is None else dict(zip(items.steps.tolist(), weighted(items.nats, items.targets), strict=True))
    spent = _spending(run)
    seconds = _stepped(events) if spent is None else spent.training.seconds if spent.complete else None
    kind = _kind(run)
    return trend(
        [Look(one.step, one.scores["loss"], one.scores.get("train_loss")) for one in looks],
        name,
        seed_of(run),
        valid=valid,
        train=_trained(items, looks[-1].step),
        seconds=seconds,
        kept=kept,
        averaged=averaged,
        whole=0 if items is None else items.items,
        unit="CRPS" if kind == "forecasts" else "nats",
        kind=kind,
    )


def _kind(run: str) -> Kind:
    """What its losses are of."""
    if not is_forecast(run):
        return "items"
    return "forecasts" if read_forecast(RunFolder.open(run)).loss == "crps" else "densities"


def _stepped(events: Sequence[Event]) -> float | None:
    """Seconds of all steps, where there are any."""
    return fsum(one.seconds for one in events if isinstance(one, Stepped)) or None


def _trained(items: Looks | None, last: int) -> np.ndarray | None:
    """Losses of training items at the last look; too few say nothing."""
    if items is None or len(items.train.nats) < 2 or not len(items.steps) or items.steps[-1] != last:
        return None
    return weighted(items.train.nats, items.train.targets)


def _kept(run: str) -> tuple[int | None, bool]:
    """The step whose weights the run kept, as they tell themselves; or that they are the mean of several looks'."""
    try:
        told = RunFolder.open(run).load_model_metadata()
    except (SeqwiseError, OSError):
        return None, False
    if told.get("averaged"):
        return None, True
    return (int(told["step"]) if told.get("step", "").isdecimal() else None), False


def _items(run: str) -> Looks | None:
    """None of a run that wrote none down, or of a single one."""
    path = RunFolder.open(run).path / LOOKS
    found = read_looks(path) if path.exists() else None
    return None if found is None or len(found.targets) < 2 else found


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


def costs_of(one: Contender, beside: Mapping[str, float]) -> tuple[Cost, ...]:
    """Of each seed; what a run did not tell is None. beside: among how many the machine was shared, by the run."""
    found = []
    for run in one.runs:
        told = _spending(run)
        if told is not None and told.complete:
            found.append(_cost(one.name, told, beside.get(run, 1.0)))
        elif is_forecast(run):
            found.append(Cost(one.name, seed_of(run), _stepped(_events(run)), trained=_parameters(run), why=UNTOLD))
        elif is_tuned(run):  # begun by a version that wrote nothing down: no cell of its row is empty
            found.append(Cost(one.name, seed_of(run)))
    return tuple(found)


def _cost(name: str, told: Spending, beside: float) -> Cost:
    energy = told.training.energy  # of the whole machine
    return Cost(
        name,
        told.seed,
        told.training.seconds,
        told.training.processor,
        float(told.memory),
        told.trained,
        None if energy is None else energy / beside,
        told.foreseen.seconds if told.foreseen else None,
        told.foreseen.memory if told.foreseen else None,
        told.examples,
        told.whole.seconds,
        told.why,
        beside,
    )


def _spending(run: str) -> Spending | None:
    try:
        return read_cost(RunFolder.open(run)) if is_tuned(run) else None
    except SeqwiseError:
        return None


def _parameters(run: str) -> int | None:
    """Weights of a forecaster, all of which are trained; None where its signature is lost or no longer one."""
    try:
        told = RunFolder.open(run).load_signature().get("parameters")
    except SeqwiseError:
        return None
    return told if isinstance(told, int) else None


def _events(run: str) -> list[Event]:
    try:
        return read(RunFolder.open(run).path / JOURNAL)
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
