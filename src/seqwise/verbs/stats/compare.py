"""`seqwise stats compare`: whether groups differ, by how much, and how sure that is."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float, Shaped

from seqwise.errors import ConfigError
from seqwise.reports.drawing import Picture
from seqwise.reports.plots import forest
from seqwise.reports.plots import groups as boxes
from seqwise.stats.compare import compare as compare_groups
from seqwise.stats.compare import compare_value
from seqwise.stats.comparison import Comparison, spoken
from seqwise.stats.factorial import two_way
from seqwise.stats.proportions import independent_shares, paired_shares, wilson
from seqwise.stats.repeated import wide
from seqwise.stats.results import Estimate, Shown
from seqwise.stats.tables import crossed, fit
from seqwise.stats.units import quantity
from seqwise.verbs.stats import reading
from seqwise.verbs.stats.answering import Answer, Part, answer
from seqwise.verbs.stats.reading import PLAIN, Rows, Written

POSITIVE = ("true", "yes", "1", "y", "passed", "pass")
"""Of two texts, the one that is counted; else the second in order."""
PAIRS = 28  # differences drawn in a picture

Values = Float[np.ndarray, "N"]
Labels = Shaped[np.ndarray, "N"]
_Found = tuple[Shown, Callable[[], Sequence[Picture]]]


def compare(
    data: tuple[str, ...] = (),
    *,
    value: str,
    by: str | None = None,
    and_: str | None = None,
    paired: str | None = None,
    to: float | None = None,
    method: Literal["auto", "means", "ranks"] = "auto",
    written: Written = PLAIN,
    json: bool = False,
    report: Path | None = None,
) -> Answer:
    """Tell whether groups differ, by how much, and how sure that is.

    What is compared says how: numbers by their means (Welch's t, paired t, analysis of variance with Tukey's pairs),
    with ranks beside them; yes and no by their shares; other texts by a table (chi-square). What the method takes for
    granted is looked at and told, and where nothing is found, how large a difference would have been.

    Args:
        data: Tables: CSV, TSV, JSONL or Parquet; several count as one.
        value: Column of what is compared: numbers, yes and no, or texts.
        by: Column that tells the groups apart.
        and_: A second one, for two factors at once.
        paired: Column that tells which item a row is of, where each item has a row in every group.
        to: A number that all values are compared with, in place of groups.
        method: Of numbers, which comes first: means, as auto does, or ranks.
        written: How the files are written.
        json: Print all numbers in full, as JSON.
        report: An HTML file to write, with pictures, that stands alone.

    Example:
        seqwise stats compare scores.csv --value write --by prog
    """
    _possible(by, and_, paired, to)
    table = reading.opened(data, written, "compare scores.csv --value write --by prog", {"--report": report})
    given = {"--value": value, "--by": by, "--and": and_, "--paired": paired}
    columns = {flag: reading.names(text, table.names, flag, several=False) for flag, text in given.items()}
    chosen, labels = columns["--value"][0], columns["--by"] + columns["--and"] + columns["--paired"]
    counted = chosen not in table.numbers
    reading.plain(table, [chosen], "--value")
    found = reading.rows(table, [] if counted else [chosen], (chosen, *labels) if counted else labels)
    name, unit = quantity(chosen)
    if not counted and labels and set(np.unique(found.values)) == {0, 1} and not and_:  # yes and no in numbers
        found, counted = replace(found, labels=(np.where(found.values == 1, "1", "0"), *found.labels)), True
    if counted:
        result, draw = _counted(found.labels, name, labels, and_, paired, to)
    else:
        result, draw = _measured(found, _Asked(name, unit, labels, method), and_, paired, to)
    about = reading.facts(table, int(found.kept.sum()))
    groups = " and ".join(labels[: 1 + (and_ is not None)])
    asked = f"by {groups}" if groups else f"from {to:g}" if to is not None else "between its kinds"
    title = f"{name} by {groups}" if groups else name
    part = Part(f"Does {name} differ {asked}?", result, draw)
    return answer(title, [part], about, notes=found.notes, report=report, as_json=json)


@dataclass(frozen=True)
class _Asked:
    """Names of what is compared, and how."""

    name: str
    unit: str
    labels: tuple[str, ...]
    method: Literal["auto", "means", "ranks"]


def _possible(by: str | None, and_: str | None, paired: str | None, to: float | None) -> None:
    """Refuse flags that contradict each other before anything is read."""
    if to is not None and (by or and_ or paired):
        raise ConfigError("--to with groups", "a number or groups to compare with", "leaving out --to")
    if by is None and (and_ or paired):
        raise ConfigError(f"{'--and' if and_ else '--paired'} without --by", "--by, the groups", "--by COLUMN")
    if and_ and paired:
        raise ConfigError("--and with --paired", "one of the two", "leaving out --and")


def _measured(rows: Rows, asked: _Asked, and_: str | None, paired: str | None, to: float | None) -> _Found:
    """Numbers, compared by means or ranks."""
    x, name, unit = rows.values, asked.name, asked.unit
    if not rows.labels:
        if to is None:
            raise ConfigError("nothing to compare with", "--by with groups, or --to with a number", "--to 0")
        alone = compare_value(x, to, name=name, unit=unit, method=asked.method)
        return alone, partial(_boxes, {name: x}, name, unit)
    groups, by = rows.labels[0], asked.labels[0]
    if and_:
        both = np.array([f"{one}, {other}" for one, other in zip(*rows.labels, strict=True)])
        two = two_way(x, groups, rows.labels[1], (by, asked.labels[1]), name=name, unit=unit)
        return two, partial(_boxes, _parted(x, both), name, unit)
    found = compare_groups(
        x, groups, name=name, unit=unit, by=by, paired=rows.labels[1] if paired else None, method=asked.method
    )
    return found, partial(_boxes, _parted(x, groups), name, unit, found)


def _counted(
    labels: Sequence[Labels], name: str, by: Sequence[str], and_: str | None, paired: str | None, to: float | None
) -> _Found:
    """Yes and no, or other texts, compared by how frequent they are."""
    if to is not None or and_:
        flag = "--and" if and_ else "--to"
        raise ConfigError(f"{flag} for {name}, which holds no numbers", "--by alone", f"leaving out {flag}")
    kinds, counts = np.unique(labels[0], return_counts=True)
    if not by:
        alone = fit(counts, tuple(map(str, kinds)), name=name)
        return alone, partial(_shares, name, {"": alone.counts[0]}, alone.columns)
    groups = np.unique(labels[1])
    if len(kinds) != 2 or len(groups) != 2:
        if paired:
            given = f"--paired for {len(kinds)} kinds of {name} in {len(groups)} groups"
            raise ConfigError(given, "yes and no in two groups", "leaving out --paired")
        table = crossed(labels[0], labels[1], (name, by[0]))
        by_group = dict(zip(table.columns, zip(*table.counts, strict=True), strict=True))
        return table, partial(_shares, f"{name} by {by[0]}", by_group, table.rows)
    hit = next((one for one in kinds if str(one).lower() in POSITIVE), kinds[1])
    names = spoken(by[0], str(groups[0])), spoken(by[0], str(groups[1]))
    what = name if str(hit).lower() in POSITIVE else f"{name} {hit}"
    if paired:
        both = wide((labels[0] == hit).astype(np.float64), labels[2], labels[1], by[1], by[0])[0]
        both = both[~np.isnan(both).any(1)] == 1
        found = paired_shares(both[:, 0], both[:, 1], names, name=what)
    else:
        first, second = (labels[0][labels[1] == group] == hit for group in groups)
        found = independent_shares((int(first.sum()), len(first)), (int(second.sum()), len(second)), names, name=what)
    return found, lambda: [forest([*found.shares], f"Share of {what} by {by[0]}.", zero=None)]


def _shares(name: str, counts: Mapping[str, Sequence[int]], kinds: Sequence[str]) -> Sequence[Picture]:
    """How frequent each kind is in each group."""
    shares = [
        Estimate(", ".join(filter(None, (group, kind))), hits / sum(row), wilson(hits, sum(row)))
        for group, row in counts.items()
        if sum(row)
        for kind, hits in zip(kinds, row, strict=True)
    ]
    return [forest(shares, f"Share of each {name}.", zero=None)]


def _parted(x: Values, groups: Labels) -> dict[str, Values]:
    """The values of each group."""
    return {str(group): x[groups == group] for group in np.unique(groups)}


def _boxes(parts: Mapping[str, Values], name: str, unit: str, found: Comparison | None = None) -> Sequence[Picture]:
    """Boxes and strips; and where there are pairs, their differences."""
    sure = {group.name: group.interval for group in found.groups if group.interval} if found else None
    pictures = [boxes(parts, name, unit, sure)]
    if found and found.anova and found.anova.pairs and len(found.anova.pairs.pairs) <= PAIRS:
        pictures.append(forest([pair.difference for pair in found.anova.pairs.pairs], axis=f"difference in {name}"))
    return pictures
