"""What the data of a task hold, before anything is trained on them: one line a check, with rows and the mend.

    checks_for(train, valid, test, ...) -> Check, ...      all that apply

    rows          how many, and how many could not be read       lengths    share that the model would cut off
    empty         texts or answers without a character           encoding   what was once read wrongly
    duplicates    the same text with the same answer             near       texts that agree by 80 % (`nearness.py`)
    conflicts     the same text with different labels            balance    one label only; rare, unknown, alike ones
    leakage       texts of one part that also stand in another   test size  the smallest gain that can be shown
    learnt        which share of conversations is, and of which nothing (`learnt`, as it needs their ids)

Texts are the same whatever their case, spaces and width of letters. FAIL is what makes a result worthless: one label
only, a leak of 1 % of what is tested or more. WARN is what one should have seen.

What concerns labels stands in `labelchecks.py`.

Left out: whether the labels are right.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from seqwise.data.filters import key
from seqwise.data.labelchecks import alike, balance, conflicts, size_of, unknown
from seqwise.data.masking import Masks, preflight
from seqwise.data.mojibake import garbled
from seqwise.data.nearness import LIKE, near
from seqwise.data.parts import SHOWN, Check, Level, Part, Room, percent, share

__all__ = ["Check", "Level", "Part", "Room", "checks_for", "learnt"]

LEAKED = 0.01
"""Share of a part that also stands in training, from which its score is worthless."""
LEAKED_NEARLY = 0.05
"""The same for texts that are nearly the same, of which some are so by chance."""
_PURPOSE = {"train": "train on", "valid": "validate with", "test": "test on"}


def checks_for(
    train: Part,
    valid: Part | None = None,
    test: Part | None = None,
    *,
    room: Room | None = None,
    labels: Sequence[str] = (),
    nearly: bool = True,
) -> tuple[Check, ...]:
    """All checks that apply. `labels`: those that the model knows, where it brings its own. `nearly`: whether texts
    that are nearly the same are looked for, which takes longest."""
    parts = [part for part in (train, valid, test) if part is not None]
    found = [*_rows(parts), _empty(parts), _encoding(parts), _duplicates(train)]
    pairs = _near(parts) if nearly else _Near({}, [], [])
    if nearly:
        found.append(_near_duplicates(train, pairs))
    if train.labelled:
        found += [conflicts(train), balance(train), *alike(train), *unknown(train, parts[1:], labels)]
    for place, part in enumerate(parts[1:], 1):
        found += [_leakage(part, other, pairs) for other in parts[:place]]
    found += [_lengths(part, room) for part in parts]
    if test is not None or valid is not None:
        found.append(size_of(test or valid or train))
    return tuple(found)


def _rows(parts: Sequence[Part]) -> Iterator[Check]:
    told = ", ".join(f"{len(part):,} to {_PURPOSE.get(part.name, part.name)}" for part in parts)
    bad = [fault for part in parts for fault in part.bad]
    if len(parts[0]) < 2:
        yield Check("rows", "FAIL", told, mend="two rows to train on at least")
    elif bad:
        where = tuple(fault.where for fault in bad[:SHOWN])
        lost = share(len(bad), len(bad) + sum(map(len, parts)))
        yield Check("rows", "WARN", f"{told}; {lost} could not be read: {bad[0].given}", where, bad[0].mend)
    else:
        yield Check("rows", "PASS", told)


def _empty(parts: Sequence[Part]) -> Check:
    where: list[str] = []
    for part in parts:
        answered = any(part.answers)
        for text, answer, place in zip(part.texts, part.answers, part.places, strict=True):
            if not text.strip() or (answered and not answer.strip()):
                where.append(place)
    if not where:
        return Check("empty", "PASS", "no text without a character")
    total = sum(map(len, parts))
    level: Level = "FAIL" if len(where) > total / 2 else "WARN"
    told = f"{share(len(where), total)} without a character on one side"
    return Check("empty", level, told, tuple(where[:SHOWN]), "leaving them out, or the right columns")


def _encoding(parts: Sequence[Part]) -> Check:
    where: list[str] = []
    first = ""
    for part in parts:
        for text, answer, place in zip(part.texts, part.answers, part.places, strict=True):
            if found := garbled(text) or garbled(answer):
                first = first or found
                where.append(place)
    if not where:
        return Check("encoding", "PASS", "no letters of a wrong encoding")
    told = f"{share(len(where), sum(map(len, parts)))} with letters of a wrong encoding, such as {first!r}"
    mend = "the file as it was before it was converted, or --encoding"
    return Check("encoding", "WARN", told, tuple(where[:SHOWN]), mend)


def _duplicates(part: Part) -> Check:
    seen: set[tuple[str, str]] = set()
    again: list[int] = []
    for item, (text, answer) in enumerate(zip(part.asked, part.answers, strict=True)):
        one = (key(text), key(answer))
        if one in seen:
            again.append(item)
        seen.add(one)
    if not again:
        return Check("duplicates", "PASS", "no row twice in training")
    told = f"{share(len(again), len(part))} in training stand there before"
    return Check("duplicates", "WARN", told, part.named(again), "keeping the first of each")


@dataclass(frozen=True)
class _Near:
    """Texts of all parts, each once, and which are near."""

    owners: dict[str, list[tuple[str, int]]]
    """Normalized text -> the parts and rows that have it."""
    keys: list[str]
    pairs: list[tuple[int, int]]


def _near(parts: Sequence[Part]) -> _Near:
    owners: dict[str, list[tuple[str, int]]] = {}
    texts: list[str] = []
    for part in parts:
        for item, (text, asked) in enumerate(zip(part.texts, part.asked, strict=True)):
            name = key(asked)
            if name and name not in owners:
                texts.append(text)
            owners.setdefault(name, []).append((part.name, item))
    owners.pop("", None)
    return _Near(owners, list(owners), near(texts))


def _near_duplicates(part: Part, found: _Near) -> Check:
    again: set[int] = set()
    for _, items in _pairs_between(found, part.name, part.name):
        again.add(items[-1])
    name = "near duplicates"
    if not again:
        return Check(name, "PASS", f"no two texts in training agree by {100 * LIKE:.0f} % of their words")
    told = f"{share(len(again), len(part))} in training agree with an earlier one by {100 * LIKE:.0f} % of their words"
    level: Level = "WARN" if len(again) > 0.01 * len(part) else "PASS"
    return Check(name, level, told, part.named(sorted(again)), "keeping one of each, if they are copies")


def _pairs_between(found: _Near, one: str, other: str) -> Iterator[tuple[int, tuple[int, ...]]]:
    """A row of one part and the rows of the other with a text that is near, but not the same."""
    for first, later in found.pairs:
        for a, b in ((first, later),) if one == other else ((first, later), (later, first)):
            ours = [item for name, item in found.owners[found.keys[a]] if name == one]
            theirs = [item for name, item in found.owners[found.keys[b]] if name == other]
            if ours and theirs:
                yield ours[0], tuple(theirs)


def _leakage(part: Part, other: Part, found: _Near) -> Check:
    name = f"leakage {other.name}-{part.name}"
    known = {key(text) for text in other.asked}
    same = [item for item, text in enumerate(part.asked) if key(text) and key(text) in known]
    close = {item for _, items in _pairs_between(found, other.name, part.name) for item in items} - set(same)
    total = max(1, len(part))
    if not same and not close:
        return Check(name, "PASS", f"no text of {part.name} stands in {other.name}")
    told = f"{share(len(same), len(part))} of {part.name} stand in {other.name}, {len(close):,} more nearly so"
    level: Level = "FAIL" if len(same) >= LEAKED * total or len(close) >= LEAKED_NEARLY * total else "WARN"
    return Check(name, level, told, part.named([*same, *sorted(close)]), f"leaving them out of {other.name}")


def _lengths(part: Part, room: Room | None) -> Check:
    name = f"lengths {part.name}"
    if not len(part):
        return Check(name, "PASS", "no text")
    if room is None:
        sizes = [len(text) for text in part.texts]
        told = f"median {median(sizes):,.0f} characters, longest {max(sizes):,}"
        return Check(name, "PASS", told)
    sizes = list(room.count(part.asked))
    answers = [0] * len(sizes) if part.labelled else list(room.count(part.answers))
    sizes = [a + b if room.shared else max(a, b) for a, b in zip(sizes, answers, strict=True)]
    told = f"median {median(sizes):,.0f} tokens, longest {max(sizes):,}"
    if room.longest is None:
        return Check(name, "PASS", told)
    over = [item for item, size in enumerate(sizes) if size > room.longest]
    told += f", of {room.longest:,} that the model takes"
    if not over:
        return Check(name, "PASS", told)
    level: Level = "FAIL" if len(over) > len(sizes) / 2 else "WARN"
    mend = "a model that reads more, shorter texts, or knowing that they are cut"
    return Check(name, level, f"{share(len(over), len(sizes))} would be cut off: {told}", part.named(over), mend)


def learnt(masks: Masks, ends: Sequence[int], part: Part) -> Check:
    """What is left to learn of conversations, once they are ids and what is too long is cut."""
    for fault in preflight(masks, ends, part.places):
        where = (fault.where,) if fault.where else ()
        return Check("learnt", "FAIL", f"{fault.given}: needs {fault.allowed}", where, fault.mend)
    told = f"{masks.learned:,} of {masks.tokens:,} tokens ({percent(masks.learned, masks.tokens)}) are learnt"
    if masks.skipped:
        rows = tuple(fault.where for fault in masks.skipped[:SHOWN])
        given = f"{told}; {share(len(masks.skipped), len(part))} cannot be: {masks.skipped[0].given}"
        return Check("learnt", "WARN", given, rows, masks.skipped[0].mend)
    if masks.cut:
        return Check("learnt", "WARN", f"{told}; the prompts of {share(masks.cut, len(part))} are cut at the left")
    return Check("learnt", "PASS", told)
