"""What costs next to nothing, on the same test set: a tuned model that does not beat it was not worth its training.

    classify     the commonest label; tf-idf with logistic regression; the base asked for labels, where it writes
    summarize    the first sentence
    translate    the text itself

They learn from the training files of the run, as the run read them. The base of a model that writes is asked the same
prompt as the tuned one and so is a system already; for labels alone it needs a prompt of its own (`weighing.prompt`).
"""

from collections.abc import Sequence

from seqwise.checkpoints.run import RunFolder
from seqwise.errors import SeqwiseError
from seqwise.tasks.rivals import rivals_for
from seqwise.tasks.stored import must_be_same
from seqwise.tasks.tuning.items import Items, read, read_all
from seqwise.tasks.tuning.stored import is_tuned, read_tune
from seqwise.tasks.weighing.prompt import prompted
from seqwise.tasks.weighing.systems import System, items_of
from seqwise.verbs.weighing.measures import Metric, chosen, compared
from seqwise.verbs.weighing.models import further, made
from seqwise.verdict.scored import Scored

PROMPTED = "base prompted"


def score_rivals(
    tuned: System,
    test: Sequence[str],
    part: str = "test",
    metric: Metric = "auto",
    *,
    base: str | None = None,
    cluster: str | None = None,
) -> tuple[tuple[Scored, ...], tuple[str, ...]]:
    """Each rival's scores; and notes on those that could not be asked.

    base   the model that was tuned: asked for labels in a prompt, where it is a decoder that writes
    """
    if tuned.task == "generate":
        return (), ("what foresees text has no rival that costs nothing, but the base itself",)
    paths = [str(path) for path in test]
    items, how, notes = items_of(tuned, paths, cluster), chosen(metric, tuned.task), []
    found, columns = [], further(tuned, items, paths)
    try:
        train = _learnt(tuned)
    except (SeqwiseError, OSError) as error:
        train = None
        if tuned.task == "classify":  # where rivals learn
            notes.append(f"rivals that learn: the training files of {tuned.name} cannot be read ({error})")
    for rival in rivals_for(tuned.task):
        if train is None and tuned.task == "classify":
            continue
        told = rival.fit(train.texts if train else ("",), train.wanted if train else ("",)).predict(items.texts)
        found.append(made(rival.name, part, compared(how, told.outputs, items.right), items, told.outputs, columns))
    if base is not None and tuned.task == "classify":
        outputs = prompted(base, items, tuned.labels, tuned.settings)
        if outputs is not None:
            found.append(made(PROMPTED, part, compared(how, outputs, items.right), items, outputs, columns))
    return tuple(found), tuple(notes)


def _learnt(tuned: System) -> Items:
    """What the run learnt from."""
    settings = tuned.settings
    if is_tuned(tuned.name):
        folder = RunFolder.open(tuned.name)
        made = read_tune(folder)
        must_be_same((*made.train, *made.valid, *made.test), folder)  # other files by now would make other rivals
        return read_all(made).train
    return read(settings, settings.train, [])
