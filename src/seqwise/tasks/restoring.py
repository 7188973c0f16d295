"""A run of any kind that goes on from what was saved last."""

from seqwise.checkpoints.run import RunFolder
from seqwise.training import distributed
from seqwise.training.state import TrainingState


def restored(state: TrainingState, folder: RunFolder, group: distributed.Group) -> str:
    """Weights, optimizer and place in the data as they were; what to tell of it. All ranks take part."""
    saved = folder.load_state()
    if saved is None:
        return "resume: nothing was saved yet, beginning at step 0"
    state.restore(saved.tensors, saved.facts)
    if group.first:
        folder.restore_best()
    return f"resume: from step {saved.step}" + (f" ({saved.note})" if saved.note else "")
