"""Before a run: what the data are as batches, what each method takes of memory and time, and which one to choose.

    measured(settings)       the data: read, checked, cut into batches; no weight is read
    cost(...)                one method: its weights, an estimate of its memory from shapes, and, where that fits, a
                             probe in a process of its own, scaled to the run
    advice(...)              which method fits into memory and time, or what would make one fit

A run that stops early, by patience or a time limit, takes less than is foreseen here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from seqwise import device as devices
from seqwise.data.checks import Check, Part
from seqwise.data.examples import Examples
from seqwise.data.labelchecks import size_of
from seqwise.data.loader import Batches
from seqwise.tasks.tuning import memory, probing, running, starting
from seqwise.tasks.tuning.bases import Base, must_suit
from seqwise.tasks.tuning.checking import checked
from seqwise.tasks.tuning.items import Items, ours_named, read_all
from seqwise.tasks.tuning.jobs import job_for
from seqwise.tasks.tuning.memory import Longest, Need, Weights, gigabytes
from seqwise.tasks.tuning.settings import Method, Tune, with_method
from seqwise.training import plan
from seqwise.training.distributed import Group
from seqwise.training.plan import Course, Figure, Pace, Spent, Work


@dataclass(frozen=True)
class Data:
    """The examples as the run will take them."""

    examples: int
    tokens: int
    """Of one pass, padding not counted."""
    learnt: int
    """Targets of one pass that count in the loss."""
    steps: int | None
    """In all; None where only a time limit ends the run."""
    looks: int
    padding: float
    """Share of the positions that are none."""
    cut: float
    """Share of the tokens of the training texts that the model does not read."""
    longest: Longest
    works: tuple[Work, ...]
    """Of the first steps."""
    labels: tuple[str, ...]
    gain: str
    """The smallest that the examples can show on which systems are compared."""
    checks: tuple[Check, ...]


@dataclass(frozen=True)
class Cost:
    """What one method takes."""

    method: Method
    weights: Weights
    estimate: Need
    """Of memory, from shapes; beside what the program itself holds."""
    memory: Figure | None = None
    """Bytes of the process at its peak; None where nothing was probed."""
    wall: Course | None = None
    """Seconds by the clock on the wall, as busy as the machine was; None where nothing was probed, or has no end."""
    processor: Course | None = None
    """Of all processors together."""
    failed: str = ""
    """Why nothing was probed."""


def measured(settings: Tune, say: starting.Say) -> Data:
    """Read, check and encode all that is trained on."""
    found = read_all(settings)
    for note in found.notes:
        say(note)
    labels = starting.labels_for(settings, found)
    base = memory.hollow(settings, labels)
    must_suit(base, settings)
    job = job_for(base, settings, labels, single=not found.train.pairs)
    checks = checked(job, found, ())
    material = ours_named(lambda: running.encode(job, found, settings))
    judged, part = found.judged
    loader = running.loader_of(settings, material, Group())
    steps = running.planned(settings, loader)
    batches = probing.works(loader)
    works = plan.steps_of(batches, settings.training.accumulate)
    real, positions = _filled(loader, len(batches))
    taken = (steps or 0) * settings.training.accumulate
    if settings.training.epochs:
        taken = min(taken, loader.batches(settings.training.epochs))  # the last update may have fewer
    train = material.train
    learnt = len(train.targets.flat) if train.trained is None else int(train.trained.flat.sum())
    tokens = len(train.inputs.flat) + (0 if train.aligned or train.labelled else len(train.targets.flat))
    return Data(
        examples=len(train),
        tokens=tokens,
        learnt=learnt,
        steps=steps,
        looks=plan.looks(steps or 0, _passes(loader, taken), settings.evaluation),
        padding=1 - real / max(1, positions),
        cut=_cut(base, settings, found.train),
        longest=_longest(train, batches, settings),
        works=tuple(works),
        labels=labels,
        gain=size_of(Part(part, judged.texts, judged.wanted, judged.places, settings.task == "classify")).told,
        checks=checks,
    )


def _passes(loader: Batches, batches: int) -> float:
    """Over the data, by so many batches: epochs need not have the same number."""
    epoch = 0
    while batches >= (size := loader.batches_in_epoch(epoch)):
        batches, epoch = batches - size, epoch + 1
    return epoch + batches / size


def _filled(loader: Batches, batches: int) -> tuple[int, int]:
    """Real tokens, and positions, of the first batches."""
    real = positions = 0
    for _ in range(batches):
        batch = probing.of_text(next(loader))
        real, positions = real + int(batch.lengths.sum()), positions + batch.inputs.numel()
        if probing.rewrites(loader):
            real, positions = real + int(batch.weights.sum()), positions + batch.targets.numel()
    return real, positions


def _longest(train: Examples, batches: Sequence[Work], settings: Tune) -> Longest:
    """Of all batches, each of its sizes by itself; never more than the settings allow but for single long texts."""
    rewrites = not (train.aligned or train.labelled)
    most = max(work.positions for work in batches)
    budget = max(settings.training.batch_tokens, int(train.inputs.lengths.max()))
    inputs = min(most, budget)
    return Longest(inputs, min(most, budget) if rewrites else 0, max(work.squares for work in batches))


def _cut(base: Base, settings: Tune, items: Items) -> float:
    """Share of the tokens that lies behind what the model reads."""
    if base.opened is None:
        return 0.0  # such a run refuses them
    limit = min(base.opened.readable, settings.examples.longest or 2**31)
    texts = items.texts
    if items.conversations is not None:
        texts = tuple(f"{text} {wanted}" for text, wanted in zip(items.texts, items.wanted, strict=True))
    lengths = np.array([len(row.ids) for row in base.opened.words.source.framed(texts)])
    return float(np.maximum(0, lengths - limit).sum() / max(1, lengths.sum()))


def cost(settings: Tune, method: Method, data: Data, free: int, say: starting.Say) -> Cost:
    """What a run by this method would take; it is tried where the estimate says that it fits."""
    wanted = with_method(settings, method)
    model = memory.hollow(wanted, data.labels).model
    weights = memory.count(model, method)
    where = devices.pick(settings.training.device)
    need = memory.need(wanted, model, data.longest, devices.precision(settings.training.precision, where))
    if free and need.least > memory.CLEARLY * free:
        why = f"not tried: some {gigabytes(need.least)} are needed, {gigabytes(free)} are free"
        return Cost(method, weights, need, failed=why)
    say(f"{method}: a few steps are tried")
    found = probing.tried(wanted)
    if isinstance(found, str):
        return Cost(method, weights, need, failed=found)
    peak = plan.grown(found.peaks, data.steps or len(found.peaks))
    after = max(0, found.memory - found.peaks[-1])
    peak = Figure(peak.value + after, peak.error)
    if data.steps is None:
        return Cost(method, weights, need, peak)
    return Cost(method, weights, need, peak, course(found, data, "wall"), course(found, data, "processor"))


def course(found: probing.Probe, data: Data, clock: str) -> Course:
    """The run in its parts."""

    def taken(spent: Spent) -> float:
        return float(getattr(spent, clock))

    pace = Pace.of([step.work for step in found.steps], [taken(step.spent) for step in found.steps])
    steps, times = plan.repeated(data.works, data.steps or 0)
    once = pace.figure(steps)
    parts: Mapping[str, Figure] = {
        "start": plan.measured(taken(found.start)),
        "base and rivals": plan.measured(taken(found.before)),
        "steps": Figure(once.value * times, once.error * times),
        "looks": plan.measured(data.looks * taken(found.look)),
        "savings": plan.measured((data.looks + 1) * taken(found.save)),
        "end": plan.measured(taken(found.after)),
    }
    return Course(parts)


def advice(settings: Tune, costs: Sequence[Cost], data: Data, free: int) -> str:
    """What to do on this machine."""
    asked = next(one for one in costs if one.method == settings.method)
    limit = settings.training.time_limit
    fit = [one for one in costs if _fits(one, free)]
    soon = [one for one in fit if not limit or one.wall is None or one.wall.total.value <= limit]
    if asked in soon:
        return f"--method {asked.method} fits{_others([one for one in soon if one is not asked], asked)}."
    if soon:
        best = min(soon, key=lambda one: memory.METHODS.index(one.method) if one.wall is None else one.wall.total.value)
        why = "memory" if asked not in fit else "the time limit"
        return f"--method {best.method}: {settings.method} does not fit into {why}."
    if fit:
        return "no method is done by the time limit: fewer --training.epochs, or a longer --training.time-limit."
    return f"nothing fits into the {gigabytes(free)} that are free: {memory.mend(settings, data.labels, free)}."


def _fits(one: Cost, free: int) -> bool:
    """Into memory, as far as is known; what the program itself holds is in the probe's figure and free by now."""
    if one.failed:
        return False
    return not free or one.memory is None or one.memory.value <= free


def _others(others: Sequence[Cost], asked: Cost) -> str:
    """How the others compare in time."""
    if asked.wall is None or not others:
        return ""
    mine = asked.wall.total.value
    told = [f"{one.method} takes {one.wall.total.value / mine:.1f} times as long" for one in others if one.wall]
    return f"; {', '.join(told)}" if told else ""
