"""The end of a tuning run: the best weights in the model, its answers beside those from before, the adapter's files."""

from collections.abc import Mapping

import torch

from seqwise.checkpoints.run import RunFolder
from seqwise.tasks.tuning import stored
from seqwise.tasks.tuning.answers import Answers
from seqwise.tasks.tuning.bases import PretrainedBase
from seqwise.tasks.tuning.jobs import Job
from seqwise.tasks.tuning.outcome import TUNED, Outcome, compared, from_json, to_json
from seqwise.tasks.tuning.settings import Tune
from seqwise.tasks.tuning.starting import Start
from seqwise.training import distributed
from seqwise.training.state import TrainingState


def keep_before(folder: RunFolder, answers: Mapping[str, Answers]) -> None:
    """Write down what was answered before training, for a run that is resumed."""
    folder.write_json(stored.BEFORE, to_json(answers))


def answers_before(folder: RunFolder) -> dict[str, Answers]:
    """What was written down then."""
    return from_json(folder.read_json(stored.BEFORE))


def restored(state: TrainingState, folder: RunFolder, group: distributed.Group) -> str:
    """Go on from what was saved last."""
    saved = folder.load_state()
    if saved is None:
        return "resume: nothing was saved yet, beginning at step 0"
    state.restore(saved.tensors, saved.facts)
    if group.first:
        folder.restore_best()
    return f"resume: from step {saved.step}" + (f" ({saved.note})" if saved.note else "")


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
