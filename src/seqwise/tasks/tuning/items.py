"""What a task reads from the user's files: texts and what is wanted of each, and where each stands.

    classify                text, label
    translate, summarize    source, target; a summary may have several references, of which the first is learnt
    generate                conversations, or plain texts

Examples that occur twice are left out, and so is what stands in the validation or test files; of the validation
examples those that stand in the test files.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from seqwise.data.conversations import Conversations
from seqwise.data.filters import key
from seqwise.data.instructions import InstructionSettings, read_instructions
from seqwise.data.paired import TAB, Text, pair, sides
from seqwise.data.splits import split
from seqwise.data.text import Labelled, Pairs, TextSettings, read_labelled, read_pairs
from seqwise.errors import DataError, Fault, SeqwiseError, nearest
from seqwise.tasks.tuning.settings import Task, Tune

HELD_OUT = 1000  # examples that are split off for validation at most
SHORT = 10  # characters that a side counts as at least, where lengths are compared
_NUMBER = re.compile(r"-?\d+")
Made = TypeVar("Made")
Value = TypeVar("Value")


@dataclass(frozen=True)
class Items:
    """Examples as text."""

    texts: tuple[str, ...]
    """What is read; of a conversation all that is said before its last answer."""
    wanted: tuple[str, ...]
    """The label, the translation, the summary, the last answer."""
    places: tuple[str, ...]
    """`file:line` of each."""
    references: tuple[tuple[str, ...], ...] = ()
    """All that would be right, where there are several."""
    conversations: Conversations | None = None
    """Of the task generate."""
    groups: tuple[str, ...] = ()
    """What belongs together."""
    labelled: bool = False
    """Whether what is wanted are labels."""
    parted: bool = False
    """Whether a tab parts two texts; else it is a letter."""
    paired: bool = False
    """Whether they stand in two columns of a table."""

    def __len__(self) -> int:
        return len(self.texts)

    def select(self, chosen: Sequence[int]) -> "Items":
        """These, in this order."""

        def taken(values: tuple[Value, ...]) -> tuple[Value, ...]:
            return tuple([values[i] for i in chosen]) if values else ()

        return Items(
            taken(self.texts),
            taken(self.wanted),
            taken(self.places),
            taken(self.references),
            self.conversations.select(chosen) if self.conversations else None,
            taken(self.groups),
            self.labelled,
            self.parted,
            self.paired,
        )

    @property
    def asked(self) -> Sequence[Text]:
        """The texts as a model reads them: single ones, or pairs."""
        return [pair(text) for text in self.texts] if self.parted else self.texts

    @property
    def pairs(self) -> int:
        """How many of the texts are two."""
        return sum(TAB in text for text in self.texts) if self.parted else 0

    @property
    def right(self) -> tuple[tuple[str, ...], ...]:
        """The references of each."""
        return self.references or tuple((text,) for text in self.wanted)


@dataclass(frozen=True)
class Read:
    """The parts of the data, and what the user should know of them."""

    train: Items
    valid: Items
    test: Items | None
    replay: Items | None
    notes: tuple[str, ...]

    @property
    def judged(self) -> tuple[Items, str]:
        """What base, rivals and result are compared on, and its name."""
        return (self.valid, "validation") if self.test is None else (self.test, "test")


def read_all(settings: Tune) -> Read:
    """All files, filtered and split."""
    notes: list[str] = []
    train = read(settings, settings.train, notes, grouped=True, learnt=True)
    if 0 < train.pairs < len(train):
        notes.append(f"train: {train.pairs:,} of {len(train):,} lines are pairs of texts, with a tab between them")
    test = read(settings, settings.test, notes) if settings.test else None
    held_out = [test] if test else []
    if settings.valid:
        valid = _unseen(read(settings, settings.valid, notes), held_out, settings.data, notes)
        train = _kept(train, [valid, *held_out], settings.data, notes)
    else:
        train = _kept(train, held_out, settings.data, notes)
        train, valid = _split(train, settings)
        if settings.split.by_time:
            train = _kept(train, [valid], settings.data, notes)
        notes.append(f"valid: {len(valid):,} examples held out, {len(train):,} are left to train on")
        notes += _unvalidated(train, valid)
    notes.append(f"train: {len(train):,} examples; valid: {len(valid):,}" + (f"; test: {len(test):,}" if test else ""))
    replay = read(settings, settings.guard.replay, notes) if settings.guard.replay else None
    if replay is not None:
        replay = _kept(replay, [valid, *held_out], settings.data, notes, "replay")
    return Read(train, valid, test, replay, tuple(notes))


def read(settings: Tune, paths: Sequence[str], notes: list[str], grouped: bool = False, learnt: bool = False) -> Items:
    """The examples of one part, as they stand in the files. `grouped`: with their groups, which only a split needs.
    `learnt`: those whose labels are learnt."""
    split_ = settings.split if grouped else replace(settings.split, group_by=None)
    return ours_named(lambda: _read(replace(settings, split=split_), paths, notes, learnt))


def _read(settings: Tune, paths: Sequence[str], notes: list[str], learnt: bool) -> Items:
    data, group = settings.data, settings.split.group_by
    if settings.task == "generate":
        return _conversations(read_instructions(paths, _instructions(settings), notes.append))
    if settings.task == "classify":
        found = read_labelled(paths, data, notes.append, group_by=group, learnt=learnt)
        return Items(
            found.texts,
            found.labels,
            _places(found),
            groups=found.groups,
            labelled=True,
            parted=found.parted,
            paired=found.paired,
        )
    pairs = read_pairs(paths, data, notes.append, group_by=group)
    return Items(pairs.sources, pairs.targets, _places(pairs), pairs.references, groups=pairs.groups)


def _places(found: Labelled | Pairs | Conversations) -> tuple[str, ...]:
    return tuple(map(found.where, range(len(found))))


def _instructions(settings: Tune) -> InstructionSettings:
    """The same settings in the words of the reader of conversations."""
    data, examples = settings.data, settings.examples
    return InstructionSettings(
        format=examples.form,
        encoding=data.encoding,
        prompt=data.source,
        answer=data.target,
        learn=examples.answers,
        documents=examples.documents,
        group_by=settings.split.group_by,
        on_bad_row=data.on_bad_row,
    )


FLAGS = {
    "--cut": "--examples.cut",
    "--data.prompt": "--data.source",
    "--data.answer": "--data.target",
    "--data.format alpaca": "--examples.form alpaca",
    "--data.format prompt": "--examples.form prompt",
    "--data.format messages": "--examples.form messages",
    "--data.format sharegpt": "--examples.form sharegpt",
    "--data.format text": "--examples.form text",
    "--data.group-by": "--split.group-by",
    "--data.learn": "--examples.answers",
    "--data.documents": "--examples.documents",
}
"""What the readers call a flag -> what it is called here."""


def ours_named(work: Callable[[], Made]) -> Made:
    """A fault names the flags of this verb."""
    try:
        return work()
    except SeqwiseError as error:
        raise type(error).of([_renamed(fault) for fault in error.faults]) from None


def _renamed(fault: Fault) -> Fault:
    def ours(text: str) -> str:
        for theirs, name in FLAGS.items():
            text = text.replace(theirs, name)
        return text

    return replace(fault, given=ours(fault.given), allowed=ours(fault.allowed), mend=ours(fault.mend))


def _conversations(found: Conversations) -> Items:
    asked = tuple("\n".join(str(message.get("content") or "") for message in one.asked) for one in found.items)
    texts = tuple(text if one.text is None else one.text for text, one in zip(asked, found.items, strict=True))
    return Items(texts, tuple(one.answer for one in found.items), _places(found), (), found, found.groups)


def _split(items: Items, settings: Tune) -> tuple[Items, Items]:
    """Training and validation examples, of one part."""
    if len(items) < 2:
        raise DataError("a single example", "at least two, one of them to validate with", "--valid, or more examples")
    count = min(HELD_OUT, max(1, round(len(items) * settings.split.share)))
    strata = items.wanted if settings.task == "classify" else None
    kept, held = split(
        len(items),
        count,
        settings.training.seed,
        labels=strata,
        groups=items.groups or None,
        texts=[key(text) for text in items.asked],
        last=settings.split.by_time,
    )
    return items.select(kept), items.select(held)


def _judged(held_out: Sequence[Items], data: TextSettings) -> set[str]:
    """Keys of the texts that the model is judged on."""
    return {key(text) for part in held_out for text in part.asked} if data.drop_leaks else set()


def _unseen(valid: Items, held_out: Sequence[Items], data: TextSettings, notes: list[str]) -> Items:
    """Without what is tested on: the weights are chosen by the others. Nothing else is filtered."""
    judged = _judged(held_out, data)
    kept = [i for i, text in enumerate(valid.asked) if key(text) not in judged]
    if len(kept) == len(valid):
        return valid
    if not kept:
        raise DataError(
            f"all {len(valid):,} validation examples stand in the test files as well",
            "others to choose weights by than those to compare models on",
            "leaving out --valid, so that a part of --train is held out, or --test",
            valid.places[0],
        )
    notes.append(f"valid: examples left out: {len(valid) - len(kept):,} that stand in the test files as well")
    return valid.select(kept)


def _unvalidated(train: Items, valid: Items) -> list[str]:
    """Labels that nothing was held out of: rare ones, and those that stand in one group."""
    lacking = sorted(set(train.wanted) - set(valid.wanted)) if train.labelled else []
    named = ", ".join(lacking[:12]) + (", ..." if len(lacking) > 12 else "")
    return [f"valid: no example of {named}: too few are there, or all are in one group"] if lacking else []


def _kept(items: Items, held_out: Sequence[Items], data: TextSettings, notes: list[str], name: str = "train") -> Items:
    """Without what occurs twice, and without what the model is judged on."""
    judged = _judged(held_out, data)
    seen: set[tuple[Text, str]] = set()
    kept: list[int] = []
    reasons = dict.fromkeys(("empty", "too long", "of unlike length", "duplicate", "also judged on"), 0)
    for i, (text, wanted) in enumerate(zip(items.asked, items.wanted, strict=True)):
        if items.conversations is None and not (text and wanted):
            reasons["empty"] += 1
        elif reason := _unlike(items, i, data):
            reasons[reason] += 1
        elif key(text) in judged:
            reasons["also judged on"] += 1
        elif data.drop_duplicates and (text, wanted) in seen:
            reasons["duplicate"] += 1
        else:
            seen.add((text, wanted))
            kept.append(i)
    out = ", ".join(f"{count:,} {reason}" for reason, count in reasons.items() if count)
    if not kept:
        raise DataError(
            f"no example of {name} is left of {len(items):,} ({out})", "some to learn from", "other files, or filters"
        )
    if out:
        notes.append(f"{name}: examples left out: {out}")
    return items.select(kept)


def _unlike(items: Items, i: int, data: TextSettings) -> str:
    """Why the lengths of an example are against the filters, if they are: those of a label say nothing."""
    if items.labelled:
        shorter = longer = max(map(len, sides(items.texts[i]) if items.parted else items.texts[i : i + 1]))
    else:
        shorter, longer = sorted((len(items.texts[i]), len(items.wanted[i])))
    if data.max_length is not None and longer > data.max_length:
        return "too long"
    unlike = data.max_ratio is not None and longer > data.max_ratio * max(shorter, SHORT)
    return "of unlike length" if unlike and items.conversations is None else ""


def labels_of(items: Items) -> tuple[str, ...]:
    """All labels: numbers by size, others by name."""
    names = set(items.wanted)
    if all(_NUMBER.fullmatch(name) for name in names):
        return tuple(sorted(names, key=lambda name: (int(name), name)))
    return tuple(sorted(names))


def known(task: Task, items: Mapping[str, Items], labels: Sequence[str]) -> None:
    """Refuse labels that the training examples do not have."""
    if task != "classify":
        return
    for part, of in items.items():
        for label, place in zip(of.wanted, of.places, strict=True):
            if label not in labels:
                close = nearest(label, labels)
                mend = f"writing {close} there" if close else "training examples of it, or leaving the row out"
                raise DataError(
                    f"the label {label!r} in {part}, which no training example has",
                    "one of " + ", ".join(labels[:12]),
                    mend,
                    place,
                )
