"""What is wrong with the examples, before anything is trained on them: the checks of `seqwise check`, and refusals."""

from collections.abc import Sequence

from seqwise.data.checks import checks_for
from seqwise.data.masking import preflight
from seqwise.data.parts import Check, Part, Room
from seqwise.errors import DataError
from seqwise.printable import printable
from seqwise.tasks.tuning.items import Items, Read
from seqwise.tasks.tuning.jobs import Job, Labelling, Writing

TOO_MANY = 50_000  # texts beyond which those that are nearly the same are not looked for: `seqwise check` does


def checked(job: Job, read: Read, labels: Sequence[str]) -> tuple[Check, ...]:
    """All checks of the training examples, and of what they are judged on."""
    labelled = isinstance(job, Labelling)

    def part(name: str, items: Items | None) -> Part | None:
        if items is None:
            return None
        parted = items.parted and not (isinstance(job, Labelling) and job.single)
        return Part(name, items.texts, items.wanted, items.places, labelled, parted=parted)

    train, valid, test = part("train", read.train), part("valid", read.valid), part("test", read.test)
    if train is None:
        return ()
    nearly = len(train) <= TOO_MANY
    room = None
    if isinstance(job, Labelling):
        tokenizer = job.opened.words.source
        room = Room(lambda texts: [len(one.ids) for one in tokenizer.framed(texts)], job.opened.readable)
    return checks_for(train, valid, test, room=room, labels=labels, nearly=nearly)


def told(check: Check) -> str:
    """One line."""
    rows = f" At {', '.join(map(printable, check.rows))}." if check.rows else ""
    mend = f" Try {printable(check.mend)}." if check.mend else ""
    return f"{check.level}  {check.name}: {printable(check.told)}.{rows}{mend}"


def must_read(job: Job, items: Items) -> None:
    """Refuse pairs of texts for what learnt from single ones. Of lines it does not know which a tab parts."""
    if isinstance(job, Labelling) and job.single and items.paired:
        raise DataError(
            "pairs of texts, for a model that learnt from single texts",
            "single texts, or a model that was tuned on pairs",
            "a file with one column of texts",
            items.places[0],
        )


def must_teach(job: Job, read: Read) -> tuple[str, ...]:
    """Refuse examples of which nothing can be learnt; what was cut or left out is told."""
    for items in (read.valid, *([read.test] if read.test else [])):
        must_read(job, items)
    if not isinstance(job, Writing):
        return ()
    for items in (read.train, read.valid, *([read.replay] if read.replay else [])):
        masks = job.masked(items)
        faults = list(preflight(masks, job.opened.words.ends, items.places, 2 if items is read.train else 1))
        if faults:
            raise DataError.of(faults)
    masks = job.masked(read.train)
    notes = [f"train: {masks.learned:,} of {masks.tokens:,} tokens are learnt"]
    if masks.cut:
        notes.append(f"train: the prompts of {masks.cut:,} examples were shortened")
    if masks.skipped:
        notes.append(f"train: {len(masks.skipped):,} examples left out, the first: {masks.skipped[0]}")
    return tuple(notes)
