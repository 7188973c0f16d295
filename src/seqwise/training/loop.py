"""fit(): a generator of events. It trains; who watches, and what an evaluation is, is handed in or reads the events.
It knows no metric and no decoder (`evaluate` is a callable), no terminal and no file but the run folder's state."""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from seqwise.checkpoints.run import RunFolder
from seqwise.config import Duration, Range
from seqwise.data.batch import Taught
from seqwise.data.loader import Batches
from seqwise.errors import TrainingError
from seqwise.training.agreement import AgreementSettings
from seqwise.training.best import beats
from seqwise.training.deadline import Deadline
from seqwise.training.distributed import Group, without_sync
from seqwise.training.events import Evaluated, Event, Finished, Losses, Noted, Sample, Saved, Stepped
from seqwise.training.explosion import RECENT, exploded, followed
from seqwise.training.moving import Thawing
from seqwise.training.objectives import Objective as Objective
from seqwise.training.optim import OptimizerSettings, rate_at, set_rate
from seqwise.training.state import Progress, TrainingState


@dataclass(frozen=True)
class TrainingSettings:
    """How long, on how much at a time, and how exactly."""

    epochs: Annotated[int, Range(1)] | None = 20
    """Passes over the data at most; none: as many as the other limits allow."""
    steps: Annotated[int, Range(1)] | None = None
    """Updates at most; none: as many as the other limits allow."""
    time_limit: Annotated[float, Duration()] = 0.0
    """Wall time of this call, as in `90s`, `10m` or `1.5h`, the last evaluation and saving included; 0 is no limit."""
    batch_tokens: Annotated[int, Range(1)] = 4096
    """Positions of a batch, padding included, on source or target, whichever is longer: the budget of memory."""
    accumulate: Annotated[int, Range(1)] = 1
    """Batches of one update; the loss is averaged over all their tokens, so it is as if they were one."""
    clip: Annotated[float, Range(0.0)] = 1.0
    """Longest gradient; a longer one is shortened to this. 0 never shortens."""
    label_smoothing: Annotated[float, Range(0.0, 0.99)] = 0.1
    """Share of the probability that the target is not sure of (Szegedy et al. 2016)."""
    agreement: AgreementSettings = field(default_factory=AgreementSettings)
    """What is asked of two readings of the same."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Of the working weights; masters are always fp32. auto takes bf16 where the processor computes in it."""
    seed: Annotated[int, Range(0, 2**31 - 1)] = 1
    """Of the first weights, the order of the data and dropout."""
    shard: bool = False
    """With several processes: split weights and optimizer among them (FSDP2) instead of copying them (DDP)."""
    device: str = "auto"
    """auto, cpu, cuda or cuda:N."""
    tensorboard: bool = False
    """Write curves for TensorBoard into the run folder; needs the extra of that name."""


@dataclass(frozen=True)
class EvaluationSettings:
    """When to look at the validation data, and what follows from it."""

    every: Annotated[int, Range(0)] = 0
    """Updates between two looks; 0 looks at the end of each epoch. The run is saved at each look."""
    metric: Literal["auto", "loss", "accuracy", "macro_f1", "bleu", "chrf", "rouge1", "rouge2", "rougeL"] = "auto"
    """What decides which weights are best; a tie goes to the lower loss. auto: accuracy, ROUGE-L or BLEU, whichever
    the task has, otherwise the loss."""
    first: bool = False
    """Look before the first update as well: at what the weights can do that training begins with."""
    patience: Annotated[int, Range(0)] = 0
    """Stop after so many looks without a new best; 0 never does."""
    average: Annotated[int, Range(0)] = 5
    """At the end, average the weights of the last so many looks and keep them if they score better; 0 or 1 does not."""
    ema: Annotated[float, Range(0.0, 0.99999)] = 0.0
    """Evaluate and keep an exponential moving average of the weights, such as 0.999; 0 does not."""
    beams: Annotated[int, Range(1, 64)] = 1
    """Beams of these translations; the final score is for `seqwise evaluate` to tell."""
    save_every: Annotated[float, Duration()] = 600.0
    """Wall time after which the run is saved between two looks as well; 0 saves at looks only."""
    sentences: Annotated[int, Range(0)] = 0
    """Validation sentences translated at each look, the first so many; 0 is all. The loss is always of all."""


@dataclass(frozen=True)
class Look:
    """What `evaluate` returns."""

    scores: dict[str, float]
    samples: tuple[Sample, ...] = ()
    losses: Losses | None = None
    """Item by item, where they are known."""


@dataclass(frozen=True)
class Setting:
    """What a run is made of, besides its state."""

    objective: nn.Module
    """One of `training.objectives`, wrapped where there are several processes."""
    training: TrainingSettings
    optimizer: OptimizerSettings
    evaluation: EvaluationSettings
    evaluate: Callable[[Mapping[str, Tensor]], Look]
    """Weights by name -> scores; called on the first rank only."""
    folder: RunFolder
    device: torch.device
    group: Group
    stopped: Callable[[], bool]
    """Whether someone asked the run to end."""
    named: Callable[[int], str] = str
    """Where an item of the corpus stands, as `file:line`."""
    began: float | None = None
    """When the time limit began to count, by `time.monotonic`; None: with the first step."""
    items: str = "pairs"
    """What the corpus consists of, in the plural."""
    thawing: Thawing | None = None
    """Which weights wait until later, where not all are trained from the start."""
    noted: Callable[[], Iterable[Noted]] = tuple
    """What is told before the last word of a run that nobody stopped, such as what was foreseen and what came."""


def fit(state: TrainingState, setting: Setting) -> Iterator[Event]:
    """Train until the first limit; each update, evaluation and saving is an event.

    Raises TrainingError where the loss is not finite or explodes; what was saved last stays.
    """
    began = time.monotonic() if setting.began is None else setting.began
    total = planned(state.loader, setting)
    deadline = Deadline(setting.training.time_limit, began, state.progress.step)
    looks = 2 if setting.evaluation.average > 1 else 1  # what the end takes: a look, and one at the average
    saved = time.monotonic()
    setting.objective.train()
    if setting.evaluation.first and not state.progress.step and not state.progress.best:
        clock = time.monotonic()
        yield from _look(state, setting)
        deadline.looked(clock, looks)
        deadline.begin()
    while True:
        reason = _over(state, setting, total, deadline)
        if reason:
            break
        stepped, epoch_ended = _update(state, setting, total, deadline)
        yield stepped
        every = setting.evaluation.every
        if (epoch_ended and not every) or (every and stepped.step % every == 0):
            clock = time.monotonic()
            yield from _look(state, setting)
            deadline.looked(clock, looks)
            saved = time.monotonic()
        elif _due(setting, saved):
            yield from _save(state, setting, "time")
            saved = time.monotonic()
    yield from _finish(state, setting, reason)


def planned(loader: Batches, setting: Setting) -> int | None:
    """Updates in all, where epochs or steps tell."""
    limits = []
    if setting.training.steps:
        limits.append(setting.training.steps)
    if setting.training.epochs:
        batches = loader.batches(setting.training.epochs)
        limits.append(math.ceil(batches / setting.training.accumulate))
    return min(limits, default=None)


def _due(setting: Setting, saved: float) -> bool:
    """Whether so much time went by that the next power cut would hurt. All ranks come to the same answer."""
    every = setting.evaluation.save_every
    if not every:
        return False
    (late_ranks,) = setting.group.sum(float(time.monotonic() - saved >= every))
    return bool(late_ranks)


def _over(state: TrainingState, setting: Setting, total: int | None, deadline: Deadline) -> str:
    """Why the run is over, or nothing. All ranks come to the same answer."""
    late_ranks, stopped_ranks = setting.group.sum(float(deadline.late()), float(setting.stopped()))
    if stopped_ranks:
        return "signal"
    if total is not None and state.progress.step >= total:
        return "steps" if total == setting.training.steps else "epochs"
    if setting.training.epochs and state.loader.place.epoch >= setting.training.epochs:
        return "epochs"
    if late_ranks:
        return "time limit"
    if setting.evaluation.patience and state.progress.looks_since_best >= setting.evaluation.patience:
        return "patience"
    return ""


def _update(state: TrainingState, setting: Setting, total: int | None, deadline: Deadline) -> tuple[Stepped, bool]:
    """One step at the rate that the schedule has for it. Also tells whether it used up the epoch."""
    epoch, step = state.loader.place.epoch, state.progress.step
    last = total
    if setting.optimizer.fall_by == "time":
        (foreseen,) = setting.group.sum(deadline.last(step) / setting.group.world)
        last = total if math.isinf(foreseen) else min(round(foreseen), total or round(foreseen))
    stepped = advance(state, setting, rate_at(step + 1, setting.optimizer, last), total)
    return stepped, state.loader.place.epoch > epoch


def advance(state: TrainingState, setting: Setting, rate: float, total: int | None = None) -> Stepped:
    """One update: read, forward, backward, clip, move."""
    clock = time.perf_counter()
    training, step = setting.training, state.progress.step + 1
    held = setting.thawing.held(_passed(state.loader)) if setting.thawing else frozenset[str]()
    if setting.thawing:
        state.weights.hold(held, prune=setting.group.world == 1)
    batches = _next_batches(state.loader, training)
    torch.manual_seed((training.seed << 32) + step * setting.group.world + setting.group.rank)
    set_rate(state.optimizer, rate)
    real = sum(float(batch.weights.sum()) for batch in batches)
    tokens, cells = setting.group.sum(real, sum(batch.weights.numel() for batch in batches))
    local = _backward(batches, state, setting, tokens)
    if held:
        state.weights.hold(held, prune=False)
    norm = float(state.weights.norm())
    (loss,) = setting.group.sum(local)
    progress = followed(state.progress, loss, tokens)
    if not (math.isfinite(loss) and math.isfinite(norm)) or exploded(progress):
        state.weights.forget()
        raise _broken(loss, norm, progress, batches, setting)
    state.weights.move(state.optimizer, training.clip, norm)
    progress.step, state.progress = step, progress
    state.average()
    passed, seconds, padding = _passed(state.loader), time.perf_counter() - clock, 1 - tokens / cells
    return Stepped(step, passed, loss, rate, norm, int(tokens), seconds, padding, total)


def _next_batches(loader: Batches, training: TrainingSettings) -> list[Taught]:
    """Those of one update; fewer where the last epoch ends."""
    batches = [next(loader)]
    while len(batches) < training.accumulate and not (training.epochs and loader.place.epoch >= training.epochs):
        batches.append(next(loader))
    return batches


def _passed(loader: Batches) -> float:
    """Epochs that are done, with the fraction of the current one."""
    place = loader.place
    return place.epoch + place.batch / loader.batches_in_epoch(place.epoch)


def _backward(batches: list[Taught], state: TrainingState, setting: Setting, tokens: float) -> float:
    """Gradients of the mean loss over all tokens of all batches and ranks; returns this rank's part of that mean."""
    loss = 0.0
    world = setting.group.world  # DDP and FSDP2 average over ranks; we want the sum
    for i, batch in enumerate(batches):
        moved = [tensor.to(setting.device, non_blocking=True) for tensor in batch.tensors()]
        with without_sync(setting.objective, active=i + 1 < len(batches)):
            part = setting.objective(*moved) / tokens
            (part * world).backward()
        if world == 1 and len(batches) > 1:  # with several, DDP must see the parts of one step together
            state.weights.gather_gradients()
        loss += float(part.detach())
    return loss


def _broken(loss: float, norm: float, progress: Progress, batches: list[Taught], setting: Setting) -> TrainingError:
    """Why the run stops before an update that would break it: the weights are still those of the step before."""
    told = f"loss {loss:.4g}"
    if exploded(progress) and loss != progress.recent_loss:
        told += f" ({progress.recent_loss:.4g} over the last {RECENT} targets)"
    items = [setting.named(int(i)) for batch in batches for i in batch.items]
    shown = ", ".join(items[:8]) + (f" and {len(items) - 8} more" if len(items) > 8 else "")
    saved = setting.folder.newest_state()
    where = f"at step {progress.step + 1}, in the batch of {setting.items} {shown}"
    return TrainingError(
        given=f"{told} with gradient norm {norm:.4g} {where}",
        allowed=f"a finite loss that does not explode; the last good state is {saved or 'not yet saved'}",
        mend="a lower --optimizer.rate, a longer --optimizer.warmup or --training.precision fp32, with --resume",
    )


def _look(state: TrainingState, setting: Setting) -> Iterator[Event]:
    """Evaluate, remember the best, save."""
    weights = state.best_weights()
    evaluated = _evaluated(state, setting, weights)
    progress = state.progress
    progress.looked = progress.step
    progress.looks_since_best = 0 if evaluated.best else progress.looks_since_best + 1
    if setting.group.first:
        if evaluated.best:
            setting.folder.keep_best()
        if setting.evaluation.average > 1 and progress.step:
            setting.folder.save_average_candidate(progress.step, weights, keep=setting.evaluation.average)
        yield evaluated
    yield from _save(state, setting, "evaluation")


def _evaluated(state: TrainingState, setting: Setting, weights: Mapping[str, Tensor], **told: str) -> Evaluated:
    """Score weights, and make them the model of the run if none were better. All ranks come to the same answer."""
    progress = state.progress
    look = setting.evaluate(weights) if setting.group.first else Look({})
    better = setting.group.first and beats(look.scores, progress.best, setting.evaluation.metric)
    (agreed,) = setting.group.sum(float(better))
    if better:
        setting.folder.save_model(weights, {"step": str(progress.step), **told})
    if agreed:
        progress.best, progress.best_step = look.scores, progress.step
    return Evaluated(progress.step, look.scores, bool(agreed), look.samples, look.losses, bool(told))


def _save(state: TrainingState, setting: Setting, reason: str) -> Iterator[Event]:
    """Write the state down; every rank takes part, the first one writes."""
    tensors = state.tensors()
    if setting.group.first:
        path = setting.folder.save_state(state.progress.step, tensors, state.facts())
        yield Saved(state.progress.step, str(path), reason)
    setting.group.wait()


def _finish(state: TrainingState, setting: Setting, reason: str) -> Iterator[Event]:
    """Save, look a last time, average the last looks, say goodbye.

    The state is saved first: a run that is resumed from here must not know of the looks that only its end called for.
    """
    progress = state.progress
    if reason == "signal" or progress.looked != progress.step:
        yield from _save(state, setting, reason)
    if reason != "signal":
        if progress.looked != progress.step:
            evaluated = _evaluated(state, setting, state.best_weights())
            if setting.group.first:
                yield evaluated
        weights = setting.folder.average(setting.evaluation.average) if setting.group.first else None
        if weights is not None:  # Vaswani et al. 2017, section 6.1; kept only where it is better
            yield _alone(state, setting, weights)
    if setting.group.first and reason != "signal":
        yield from setting.noted()
    yield Finished(progress.step, reason, progress.best_step, progress.best)


def _alone(state: TrainingState, setting: Setting, weights: Mapping[str, Tensor]) -> Evaluated:
    """Score the average, on the first rank: the others are done."""
    return _evaluated(state, replace(setting, group=Group()), weights, averaged="yes")
