"""A part of the rows set aside: to validate on, or to test.

    split(total, count, seed, ...) -> rows that stay, rows set aside, both in their old order
    parted(data, count, seed, ...) -> the same of Labelled, Pairs or Conversations, without texts on both sides

What belongs together stays together: rows of one group, and rows with the same text, however it is cased or spaced.
By labels, each label gives its share, to a row: `count` rows are divided among the labels in proportion, the largest
remainders first, and no label gives its last row away, in whichever group it stands. So exactly `count` rows are set
aside where every row stands alone; where groups are larger than what is still wanted, or hold all that there is of a
label, they stay, and it is a few rows less, never more. Where each group holds all of some label, nothing can be split.

By order (`last`) the last `count` rows are set aside, as a forecast is judged on what came later. Rows are taken to
stand in the order of time; texts that stand on both sides then are told by `checks.py`, and stay where they are.

Left out: folds for cross-validation.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

from seqwise.data.conversations import Conversations
from seqwise.data.corpus import Labelled, Pairs
from seqwise.data.filters import key
from seqwise.errors import ConfigError, DataError

Data = TypeVar("Data", Labelled, Pairs, Conversations)


def split(
    total: int,
    count: int,
    seed: int,
    *,
    labels: Sequence[str] | None = None,
    groups: Sequence[str] | None = None,
    texts: Sequence[str] | None = None,
    last: bool = False,
) -> tuple[list[int], list[int]]:
    """The rows that stay and those set aside.

    Args:
        total: How many rows there are.
        count: How many to set aside.
        seed: Of the draw.
        labels: Of each row; then each label gives its share, and none its last row.
        groups: What each row belongs to; no group is split.
        texts: Of each row; equal ones are not split either.
        last: Set the last rows aside, not random ones.
    """
    if not 0 < count < total:
        allowed = f"from 1 to {total - 1:,} of {total:,} rows" if total > 1 else "two rows at least, one to train on"
        raise DataError(f"{count:,} rows to set aside", allowed, f"{max(1, total // 10):,}")
    if last:
        if groups is not None:
            raise ConfigError("a split by groups and by order", "one of them", "leaving one out")
        return [*range(total - count)], [*range(total - count, total)]
    units = _units(total, [column for column in (groups, texts) if column is not None])
    if len(units) < 2:
        raise DataError(
            f"{total:,} rows that all belong together", "two groups at least", "another column, or files of their own"
        )
    told = labels if labels is not None else [""] * total
    strata: dict[str, list[list[int]]] = defaultdict(list)
    for unit in units:
        strata[told[unit[0]]].append(unit)
    chance, left = random.Random(seed), Counter(told)
    aside: list[int] = []
    for name, wanted in _shares(strata, count).items():
        aside += _drawn(strata[name], wanted, chance, told, left)
    # Groups of several labels count as of their first one, so that nothing may fit, though some other group does.
    aside = aside or _drawn(units, count, chance, told, left)
    if not aside:
        raise _inseparable(units, count, len(left))
    out = set(aside)
    return [item for item in range(total) if item not in out], sorted(aside)


def _inseparable(units: list[list[int]], count: int, labels: int) -> DataError:
    """Why nothing can be set aside."""
    least = min(map(len, units))
    if least <= count:
        rows = f"{count:,} row{'s' * (count > 1)} to set aside"
        given = f"{rows} of {labels} labels, which would give their last ones"
        mend = "more examples, a file to validate with, or another column of labels"
        return DataError(given, "more rows of a label", mend)
    given = f"{count:,} rows to set aside, where the smallest group has {least:,}"
    return DataError(given, "room for one group at least", f"{least:,} rows")


def parted(data: Data, count: int, seed: int, last: bool = False) -> tuple[Data, Data]:
    """What stays, with the bad rows, and what is set aside: by label and by group, where there are any."""
    labels = None
    match data:
        case Labelled():
            texts, labels = list(map(key, data.asked)), data.labels
        case Pairs():
            texts = list(map(key, data.sources))
        case Conversations():
            texts = [key(one.question) for one in data.items]
    kept, aside = split(len(data), count, seed, labels=labels, groups=data.groups or None, texts=texts, last=last)
    return replace(data.select(kept), skipped=data.skipped), data.select(aside)


def _units(total: int, columns: Iterable[Sequence[str]]) -> list[list[int]]:
    """Rows that belong together, by any of the columns: a forest in which each row points towards its first."""
    parent = [*range(total)]

    def root(item: int) -> int:
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = parent[item]
        return item

    for column in columns:
        first: dict[str, int] = {}
        for item, value in enumerate(column):
            one, other = root(first.setdefault(value, item)), root(item)
            parent[max(one, other)] = min(one, other)
    units: dict[int, list[int]] = defaultdict(list)
    for item in range(total):
        units[root(item)].append(item)
    return list(units.values())


def _shares(strata: dict[str, list[list[int]]], count: int) -> dict[str, int]:
    """How many rows each label gives, at most."""
    sizes = {name: sum(map(len, units)) for name, units in strata.items()}
    total = sum(sizes.values())
    exact = {name: count * size / total for name, size in sizes.items()}
    shares = {name: int(share) for name, share in exact.items()}
    order = sorted(exact, key=lambda name: exact[name] - shares[name], reverse=True)
    for name in order[: count - sum(shares.values())]:
        shares[name] += 1
    return shares


def _drawn(
    units: list[list[int]], wanted: int, chance: random.Random, labels: Sequence[str], left: Counter[str]
) -> list[int]:
    """Random units that fit into what is wanted; whichever holds all that is left of a label stays.

    `left` counts the rows of each label that have not been drawn, here or before.
    """
    shuffled = units.copy()
    chance.shuffle(shuffled)
    aside: list[int] = []
    for unit in shuffled:
        own = Counter(labels[item] for item in unit)
        if len(aside) + len(unit) <= wanted and all(left[label] > rows for label, rows in own.items()):
            aside += unit
            left -= own
    return aside
