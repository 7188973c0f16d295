"""The end of a tuning run: the best weights in the model, its answers beside those from before, the adapter's files.

What that takes is foreseen from the base's answers, and kept free of a time limit.
"""

import time
from collections.abc import Mapping
from dataclasses import replace

import torch

from seqwise.checkpoints.run import RunFolder
from seqwise.tasks.tuning import stored
from seqwise.tasks.tuning.answers import Answers, scored_texts
from seqwise.tasks.tuning.bases import PretrainedBase
from seqwise.tasks.tuning.items import Items
from seqwise.tasks.tuning.jobs import Job
from seqwise.tasks.tuning.outcome import BASE, TUNED, Outcome, compared, difference, from_json, to_json
from seqwise.tasks.tuning.settings import Tune
from seqwise.tasks.tuning.starting import Say, Start
from seqwise.training.deadline import RESERVE
from seqwise.training.loop import Setting

LONGER = 4.0
"""Times as much as the base the tuned model is expected to write at most, where the references are longer than what the
base wrote."""
SOONEST = 1e-3  # seconds: a limit of none would be no limit


def keep_before(folder: RunFolder, answers: Mapping[str, Answers]) -> None:
    """Write down what was answered before training, for a run that is resumed."""
    folder.write_json(stored.BEFORE, to_json(answers))


def answers_before(folder: RunFolder) -> dict[str, Answers]:
    """What was written down then."""
    return from_json(folder.read_json(stored.BEFORE))


def foreseen(settings: Tune, judged: Items, answers: Mapping[str, Answers]) -> float:
    """Seconds that the end takes: as long as the base answered, or longer where it wrote too little, and the
    comparisons, of which one is tried."""
    base, clock = answers[BASE], time.monotonic()
    difference(settings.task, judged, base, base, (BASE, TUNED))
    comparing = (time.monotonic() - clock) * len(answers)
    if settings.task not in ("translate", "summarize"):
        return RESERVE * (base.seconds + comparing)
    clock = time.monotonic()
    scored_texts(settings.task, base.outputs, judged)
    comparing += time.monotonic() - clock
    wanted, written = (sum(map(len, texts)) for texts in (judged.wanted, base.outputs))
    longer = min(LONGER, max(1.0, wanted / max(1, written)))
    return RESERVE * (longer * base.seconds + comparing)


def bounded(settings: Tune, setting: Setting, start: Start, folder: RunFolder, began: float, say: Say) -> Setting:
    """The run with a time limit that leaves room for what comes after the training."""
    limit = setting.training.time_limit
    if not limit:
        return setting
    judged, part = start.material.read.judged
    kept = foreseen(settings, judged, answers_before(folder))
    left = limit - kept - (time.monotonic() - began)
    rest = f"{left:,.0f} s are left to train in" if left > 0 else "nothing is left to train in: a longer one is needed"
    say(f"time limit: some {kept:,.0f} s of it go to the {part} examples at the end, {rest}")
    return replace(setting, training=replace(setting.training, time_limit=max(SOONEST, limit - kept)))


def end(settings: Tune, start: Start, job: Job, folder: RunFolder) -> Outcome:
    """Compare the best weights with base and rivals, on the same examples, and write all of it down."""
    model, weights = job.model, folder.load_model()
    with torch.no_grad():
        for name, value in weights.items():
            model.get_parameter(name).copy_(value)
    model.eval()
    judged, part = start.material.read.judged
    answers = answers_before(folder)
    answers[TUNED] = job.answers(judged)
    found = compared(settings.task, part, judged, answers)
    folder.write_json(stored.OUTCOME, found.to_dict())
    if settings.method != "full" and isinstance(start.base, PretrainedBase):
        stored.write_adapter(folder, start.base, settings, weights)
    return found
