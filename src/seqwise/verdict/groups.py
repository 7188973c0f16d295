"""The same comparison in each group of the items: by length, by label, by where they come from.

Over all groups p is corrected by Holm, so that chance does not pass for a finding; groups too small to tell anything
are left out and counted. A p by draws is never below 1 in the number of draws and one, which of 101 groups Holm makes
0.05 at least: of a fifth as many groups or more, p of sums is Student's of the jackknife and not by draws.
"""

from dataclasses import dataclass

import numpy as np

from seqwise.errors import DataError
from seqwise.stats.multiplicity import adjust
from seqwise.stats.phrases import counted
from seqwise.stats.results import LEVEL, Cell, Grid, ends_of
from seqwise.verdict import draws
from seqwise.verdict.aligned import FEWEST
from seqwise.verdict.effects import Weighed, weighed
from seqwise.verdict.slices import LABELS, SMALL

DRAWN = 2_000  # resamples for a group
REACHED = 5  # times as many draws as would just do, lest a few of them decide


@dataclass(frozen=True)
class Group:
    """One of them."""

    slice: str
    label: str
    found: Weighed


def by_group(
    found: Weighed, level: float = LEVEL, resamples: int = draws.RESAMPLES
) -> tuple[tuple[Grid, ...], tuple[str, ...]]:
    """A grid of all groups, and the groups that lost, by Holm; nothing where no item has labels."""
    groups, small = _groups(found, level, min(resamples, DRAWN))
    if not groups:
        return (), ()
    drawn = (1 - level) * (1 + min(resamples, DRAWN)) > REACHED * len(groups)
    alone = np.array([group.found.test.p if drawn else _undrawn(group.found) for group in groups])
    holm = adjust(alone) if len(alone) > 1 else alone
    unit, title = found.data.measure.unit, f"{found.data.part} by group"
    rows = tuple(_row(group, float(p)) for group, p in zip(groups, holm, strict=True))
    columns = ("by", "group", "items", *reversed(found.data.names), f"difference, {unit}", "low", "high", "p, Holm")
    few = f"{counted(small, 'group')} of fewer than {SMALL} items or {FEWEST} clusters, or without spread,"
    left = f"; {few} left out" if small else ""
    by_jackknife = not drawn and found.data.measure.kind == "counts"
    how = ", of the jackknife, as they are too many for draws" if by_jackknife else ""
    lost = [
        f"{group.slice} {group.label}"
        for group, p in zip(groups, holm, strict=True)
        if p < 1 - level and group.found.shown and group.found.gain < 0
    ]
    note = (f"Lost, by Holm over {len(groups)} groups: {', '.join(lost)}.",) if lost else ()
    return (Grid(title, columns, rows, f"p by Holm over {len(groups)} groups{how}{left}"),), note


def _undrawn(found: Weighed) -> float:
    """p; of sums over items that of the jackknife."""
    swapped = found.data.measure.kind == "counts" and found.chance is not None and not found.test.df
    return found.chance.p(found.value) if swapped and found.value and found.chance else found.test.p


def _groups(found: Weighed, level: float, resamples: int) -> tuple[list[Group], int]:
    groups, small, data = [], 0, found.data
    for name, labels in data.base[0].slices.items():
        kinds = sorted(set(labels))
        if not 1 < len(kinds) <= LABELS:
            continue
        for label in kinds:
            chosen = data.select(np.flatnonzero([one == label for one in labels]))
            if chosen.items < SMALL or chosen.lacking:
                small += 1
                continue
            try:
                groups.append(Group(name, label, weighed(chosen, level=level, resamples=resamples)))
            except DataError:  # all differences the same, or a single cluster: nothing to tell them by
                small += 1
    return groups, small


def _row(group: Group, p: float) -> tuple[Cell, ...]:
    found = group.found
    before, after = found.data.values
    return (group.slice, group.label, found.data.items, before, after, found.value, *ends_of(found.interval), p)
