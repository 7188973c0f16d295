"""Where it was won and lost: the effect within each slice of a set, such as long texts, one label, one source.

Every slice is tested as the whole set is, and the p-values of all slices together are corrected by Holm (1979), so
that one slice in twenty does not stand out by luck alone. The intervals are those of each slice by itself. A slice
with few items, or few clusters of them, is told and not tested.

Left out: whether slices differ from one another, which takes a test of its own; slices that overlap are corrected as
if each were asked alone, which is on the safe side.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from seqwise.errors import SeqwiseError
from seqwise.stats.multiplicity import adjust
from seqwise.stats.phrases import alike, chance, counted, ends
from seqwise.stats.results import LEVEL, Test
from seqwise.verdict import origins
from seqwise.verdict.aligned import Aligned, aligned
from seqwise.verdict.effects import weighed
from seqwise.verdict.findings import Finding
from seqwise.verdict.scored import Scored

Systems = Scored | Sequence[Scored]

LABELS = 30
"""Of a slice: one with more is a name of each item rather than a kind of it."""
SMALL = 20
"""Items of a label, below which nothing is tested."""
CORRECTED = "p, Holm"


def slices(base: Systems, tuned: Systems, least_items: int = SMALL) -> tuple[Finding, ...]:
    """The effect in each slice over all seeds, by slice and label in the order of the set; none of a set without."""
    data = aligned(base, tuned)
    least_items = max(least_items, origins.fewest(data.ahead) if data.ahead else 0)
    first, other = data.base[0], data.tuned[0]
    found: list[Finding] = []
    for name, labels in ({**other.slices, **first.slices}).items():
        if _is_clusters(labels, first.clusters):
            continue
        places: dict[str, list[int]] = {}
        for place, label in enumerate(labels):
            places.setdefault(label, []).append(place)
        if len(places) > LABELS:
            told = f"{name} has {len(places):,} labels in {data.part}, too many to look at each: up to {LABELS}."
            found.append(_untested(other.system, data.part, name, "", data.items, told))
            continue
        for label, members in places.items():
            found.append(_slice(data, name, label, members, least_items))
    return _corrected(found)


def _is_clusters(labels: Sequence[str], clusters: Sequence[str]) -> bool:
    """Whether each label holds no more than one cluster, which alone tells nothing."""
    return bool(clusters) and len({*zip(labels, clusters, strict=True)}) == len({*labels})


def _slice(data: Aligned, name: str, label: str, members: Sequence[int], least: int) -> Finding:
    n, system = len(members), data.tuned[0].system
    if n < max(2, least):
        told = f"{_where(data.part, name, label)} has {counted(n, 'item')}, too few to tell anything: {least} or more."
        return _untested(system, data.part, name, label, n, told)
    subject, values = _where(data.part, name, label), _values(name, label, n)
    chosen = data.select(np.array(members))
    if chosen.lacking:
        told = f"{_where(data.part, name, label)} has {chosen.lacking}"
        return _untested(system, data.part, name, label, n, told)
    try:
        test = weighed(chosen).test
    except SeqwiseError as error:
        return Finding("changed", subject, "ERROR", str(error), system=system, values=values)
    return Finding("changed", subject, "MEASURED", "", system=system, test=test, values=values)


def _untested(system: str, part: str, name: str, label: str, n: int, told: str) -> Finding:
    values = _values(name, label, n)
    return Finding("changed", _where(part, name, label), "TOO FEW", told, system=system, values=values)


def _values(name: str, label: str, n: int) -> Mapping[str, float | str | None]:
    return {"slice": name, "label": label, "items": n}


def _where(part: str, name: str, label: str) -> str:
    return f"{part}, {name} {label}".rstrip()


def _corrected(found: Sequence[Finding]) -> tuple[Finding, ...]:
    """Those that were tested, with p as one of all of them, and the sentence that this allows."""
    tests = {place: one.test for place, one in enumerate(found) if one.test is not None}
    if not tests:
        return tuple(found)
    p = adjust(np.array([test.p if math.isfinite(test.p) else 1.0 for test in tests.values()]))
    told = list(found)
    for (place, test), value in zip(tests.items(), p.tolist(), strict=True):
        one = found[place]
        sentence = _told(one.subject, test, value, len(tests))
        told[place] = replace(one, told=sentence, values={**one.values, CORRECTED: value})
    return tuple(told)


def _told(subject: str, test: Test, p: float, family: int) -> str:
    effect, unit = test.effect, f" {test.effect.unit}" if test.effect.unit else ""
    among = f" after Holm over {family} slices" if family > 1 else ""
    if effect.interval is None:
        size = f"{alike(effect.value)[0]}{unit} ({chance(p)}{among})"
    else:
        value, low, high = alike(effect.value, effect.interval.low, effect.interval.high)
        size = f"{value}{unit} ({ends(effect.interval.level, low, high)}; {chance(p)}{among})"
    stands = p < 1 - LEVEL and (effect.interval is None or 0 not in effect.interval)
    return f"On {subject} the difference is {size}{'' if stands else ', which chance may have made'}."
