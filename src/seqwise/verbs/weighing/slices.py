"""Labels of items, so that a difference can be looked at where it arises: how long a text is, what else is known of it.

A column of the file makes slices where it has few values, at most as many as `verdict.slices` looks at; one that has
another value in each row says nothing of groups. Lengths are cut at terciles of the set itself: short, medium and long
mean something else in another set.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from seqwise.verdict.slices import LABELS

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
    found = {"length": cut} if texts and (cut := lengths(texts)) else {}
    return found | useful({"label": labels} if labels else {}) | useful(columns or {})
