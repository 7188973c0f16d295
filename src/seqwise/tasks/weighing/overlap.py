"""Which texts a run has learnt from, so that a set which should be unseen is one.

Texts are the same that a reader calls so, however they are cased or spaced. The run's own files are read again, as it
read them: without what it left out because it stood in its test files. Where they are gone, or are no longer what they
were, nothing is known, and that is told too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from seqwise.checkpoints.run import RunFolder
from seqwise.data.filters import key
from seqwise.data.paired import Text
from seqwise.errors import DataError, SeqwiseError
from seqwise.tasks.pretrained import is_run
from seqwise.tasks.settings import Train
from seqwise.tasks.stored import is_forecast, must_be_same, read_settings
from seqwise.tasks.tuning.items import read, read_all
from seqwise.tasks.tuning.settings import Tune
from seqwise.tasks.tuning.stored import is_tuned, read_tune

ALLOWED = 0.01  # share of a set that may have been seen: such rows are rarely told from those that are common anyway


@dataclass(frozen=True)
class Overlap:
    """How much of a set a run has learnt from."""

    part: str
    seen: int
    """Texts of the set that stand among those it learnt from."""
    total: int
    first: str = ""
    """`file:line` of the first of them."""

    @property
    def told(self) -> str:
        """A note; empty where nothing was seen."""
        if not self.seen:
            return ""
        return f"{self.part}: {self.seen:,} of {self.total:,} texts stand among those that were trained on"


def learnt(model: str) -> frozenset[str] | None:
    """Keys of the texts that a run has learnt from; None where they cannot be known."""
    if not is_run(model) or is_forecast(model):
        return None
    folder = RunFolder.open(model)
    try:
        if is_tuned(model):
            return _of_tuned(read_tune(folder), folder)
        return _of_trained(read_settings(folder), folder)
    except (SeqwiseError, OSError, KeyError):  # other files by now, or none
        return None


def _of_tuned(settings: Tune, folder: RunFolder) -> frozenset[str]:
    must_be_same((*settings.train, *settings.guard.replay), folder)
    if all(Path(path).is_file() for path in (*settings.valid, *settings.test)):
        found = read_all(settings)
        parts = [found.train, *([found.replay] if found.replay else [])]
    else:
        parts = [read(settings, settings.train, [])]
    return frozenset(key(text) for part in parts for text in part.asked)


def _of_trained(made: Train, folder: RunFolder) -> frozenset[str]:
    must_be_same(made.train, folder)
    settings = Tune(task=made.task, data=made.data)
    found = {key(text) for text in read(settings, made.train, []).asked}
    for paths in (made.valid, made.test) if made.data.drop_leaks else ():
        if paths and all(Path(path).is_file() for path in paths):
            found -= {key(text) for text in read(settings, paths, []).asked}
    return frozenset(found)


def overlap(part: str, texts: Sequence[Text], places: Sequence[str], seen: frozenset[str]) -> Overlap:
    """How much of a set stands among texts that were learnt from; refused beyond one in a hundred."""
    there = [i for i, text in enumerate(texts) if key(text) in seen]
    found = Overlap(part, len(there), len(texts), places[there[0]] if there else "")
    if found.seen > ALLOWED * found.total:
        raise DataError(
            f"{found.seen:,} of the {found.total:,} texts of {part}, which stand in the training files too",
            "a set that the model has not learnt from",
            "other texts, or leaving these out",
            found.first,
        )
    return found
