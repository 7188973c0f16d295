"""Labels of items, so that a difference can be looked at where it arises: how long a text is, what else is known of it.

A column of the file makes slices where it has few values, at most as many as `verdict.slices` looks at; one that has
another value in each row says nothing of groups. Lengths are cut at terciles of the set itself: short, medium and long
mean something else in another set.

A slice belongs to the item, never to the answer: items that were picked by how they came out differ the more the more
they were picked, and of two systems alike one "loses" all that the other got right. Files of predictions may have
columns of both kinds, `of_answers` tells them apart.

Left out: columns of answers that are the same in all files and are told otherwise than by right and wrong.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from seqwise.data.files import shown
from seqwise.verdict.scored import Scored
from seqwise.verdict.slices import LABELS

LENGTH, LABEL = "length", "label"
"""Slices that are made of texts and references, which are the items' own."""
SPREAD = 2  # words at least between the terciles, or the lengths are all alike
LONGEST = 60  # letters of a label that are shown
LETTERS = 12  # letters a word on average, beyond which a script is taken to have no spaces


def lengths(texts: Sequence[str]) -> tuple[str, ...]:
    """Short, medium or long, by words; by characters in scripts without spaces. Nothing where all are alike."""
    words = np.array([len(text.split()) for text in texts])
    sizes, unit = words, "words"
    if unspaced(texts):
        sizes, unit = np.array([len(text) for text in texts]), "characters"
    low, high = (int(edge) for edge in np.quantile(sizes, (1 / 3, 2 / 3), method="lower"))
    if high - low < SPREAD:
        return ()
    names = (f"short, to {low} {unit}", f"medium, {low + 1} to {high}", f"long, from {high + 1}")
    found = tuple(names[int(size > low) + int(size > high)] for size in sizes)
    return found if len(set(found)) > 1 else ()


def unspaced(texts: Sequence[str]) -> bool:
    """Whether these are of a script that parts words by no spaces."""
    return sum(map(len, texts)) > LETTERS * max(1, sum(len(text.split()) for text in texts))


def useful(columns: Mapping[str, Sequence[str]], most: int = LABELS) -> dict[str, tuple[str, ...]]:
    """Columns that part the items into some groups."""
    found = {}
    for name, values in columns.items():
        distinct = len(set(values))
        if 2 <= distinct <= most and distinct < len(values):
            shown = _short(dict.fromkeys(values))
            found[name] = tuple(shown[value] if value.strip() else "none" for value in values)
    return found


def _short(values: Iterable[str]) -> Mapping[str, str]:
    """Long ones cut, by which no table could be read; unless two would become one."""
    whole = list(values)
    cut = [one if len(one) <= LONGEST else one[: LONGEST - 1] + "…" for one in whole]
    return dict(zip(whole, cut if len(set(cut)) == len(whole) else whole, strict=True))


def of_items(
    texts: Sequence[str], labels: Sequence[str] = (), columns: Mapping[str, Sequence[str]] | None = None
) -> dict[str, tuple[str, ...]]:
    """All slices: by length, by label, and by further columns."""
    found = {LENGTH: cut} if texts and (cut := lengths(texts)) else {}
    further = {f"column {name}" if name in (LENGTH, LABEL) else name: one for name, one in (columns or {}).items()}
    return found | useful({LABEL: labels} if labels else {}) | useful(further)


def of_answers(several: Sequence[Scored]) -> dict[str, str]:
    """Columns that say what came out rather than what was asked, with what tells that; of one set in all files."""
    found = {}
    for name in dict.fromkeys(name for one in several for name in one.slices):
        if name not in (LENGTH, LABEL) and (why := _why(name, several)):
            found[name] = f"{shown(name)} makes no slices, as it {why}"
    return found


def without(one: Scored, names: Iterable[str]) -> Scored:
    """The same without these slices."""
    return replace(one, slices={name: labels for name, labels in one.slices.items() if name not in set(names)})


def _why(name: str, several: Sequence[Scored]) -> str:
    """Why a column is of answers; empty where it is of items."""
    first = _by_id(several[0], name)
    if any(_by_id(one, name) != first for one in several[1:]):
        return "is not the same for each item in all files, so that it may tell of the answers and not of the items"
    for one in several:
        labels = one.slices[name]
        if one.references and _same_parts(labels, one.references):  # which a perfect system says as well
            return ""
        if any(_same_parts(labels, told) for told in _told(one)):
            return f"tells what {one.system} answered, or which answers are right, and nothing else of the items"
    return ""


def _by_id(one: Scored, name: str) -> Mapping[str, str]:
    return dict(zip(one.ids, one.slices[name], strict=True)) if name in one.slices else {}


def _told(one: Scored) -> Iterator[Sequence[object]]:
    """What came out of each item, in several ways."""
    if one.outputs:
        yield one.outputs
    if one.outputs and one.references:
        yield [said == right for said, right in zip(one.outputs, one.references, strict=True)]
    if one.values.ndim == 1:
        yield one.values.tolist()


def _same_parts(one: Sequence[object], other: Sequence[object]) -> bool:
    """Whether two labellings part the items alike, whatever the labels are called."""
    return len(set(zip(one, other, strict=True))) == len(set(one)) == len(set(other))
