"""The same items of two systems, of one training or of several: what is compared, made ready.

    Aligned    both systems in one order of items, with clusters; its differences as tables of seeds x units
    aligned    checks and orders them

Left out: whether two may be compared at all, which `scored.paired` says.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from seqwise.errors import DataError
from seqwise.stats.phrases import counted
from seqwise.verdict.clusters import Codes, coded, pseudovalues
from seqwise.verdict.scored import Measure, Scored, paired

# S seeds, U units (items or clusters)

FEWEST = 5
"""Clusters, or items with a number each: fewer than these are a handful of accidents, whatever their arithmetic says.
Of four the spread is known to within a factor of six (its 95 % interval), and two that happen to differ alike, by 0.50
and 0.51, would have an error of next to none. Items that are right or wrong are counted exactly, however few."""


@dataclass(frozen=True, eq=False)
class Aligned:
    """Two systems on the same items."""

    base: tuple[Scored, ...]
    """By seed; one of a model that is not trained here."""
    tuned: tuple[Scored, ...]
    codes: Codes | None
    """Which cluster each item is of; None where each stands by itself."""

    @property
    def measure(self) -> Measure:
        """The same of all."""
        return self.base[0].measure

    @property
    def names(self) -> tuple[str, str]:
        """Tuned, base: what is subtracted comes last, and is named first where both have one name."""
        tuned, base = self.tuned[0].system, self.base[0].system
        return (tuned, base) if tuned != base else (tuned, f"{base} before")

    @property
    def part(self) -> str:
        """The set."""
        return self.base[0].part

    @property
    def items(self) -> int:
        """How many."""
        return len(self.base[0])

    @property
    def ahead(self) -> int:
        """Steps that forecasts from successive origins look ahead; 0 of all else."""
        return self.base[0].ahead

    @property
    def noun(self) -> str:
        """What more of would tell."""
        return "origins" if self.ahead else "items"

    @property
    def many(self) -> int:
        """How many of these: of several series, times of origin."""
        return len(self.sizes) if self.ahead else self.items

    @property
    def sizes(self) -> np.ndarray:
        """Items of each unit."""
        return np.ones(self.items, dtype=np.int64) if self.codes is None else np.bincount(self.codes)

    @property
    def lacking(self) -> str:
        """Why so few clusters, or so few items, tell nothing; empty where there are enough."""
        count = len(self.sizes)
        exact = self.codes is None and self.single and self.measure.kind == "right"
        if self.ahead or exact or count >= FEWEST:
            return ""
        what = counted(count, "item")
        if self.codes is not None:
            what = f"{counted(count, 'cluster')} of items that belong together"
        return f"{what}, and {FEWEST} at least tell something."

    @property
    def single(self) -> bool:
        """One training of each."""
        return len(self.base) == len(self.tuned) == 1

    @property
    def matched(self) -> bool:
        """Whether a training of each shares its seed, and with it what the seed draws. Others are no pairs, whatever
        order they stand in."""
        seeds = [[one.seed for one in side] for side in (self.base, self.tuned)]
        return None not in seeds[0] and seeds[0] == seeds[1]

    @property
    def once(self) -> bool:
        """Whether the base is a single training, of a seed, and the tuned one several: its luck nobody knows."""
        return len(self.base) == 1 < len(self.tuned) and self.base[0].seed is not None

    @property
    def n(self) -> dict[str, int]:
        """What was counted."""
        counts = {self.noun: self.many}
        if self.codes is not None:
            counts |= {"forecasts": self.items} if self.ahead else {"clusters": len(self.sizes)}
        if not self.single:
            counts["seeds"] = len(self.tuned)
        if len(self.base) > 1 or self.once:
            counts["seeds of the base"] = len(self.base)
        return counts

    @property
    def values(self) -> tuple[float, float]:
        """Scores of base and tuned, means over seeds."""
        return tuple(float(np.mean([one.value for one in side])) for side in (self.base, self.tuned))  # type: ignore[return-value]

    @property
    def difference(self) -> str:
        """What is told: accuracy of tuned minus base."""
        return f"{self.measure.name} of {self.names[0]} minus {self.names[1]}"

    @property
    def scale(self) -> float:
        """Of what differences are computed from: what lies below its last digits is none."""
        return max(abs(one) for one in self.values) or 1.0

    @property
    def flips(self) -> tuple[float, float]:
        """Items that only the tuned one gets right, and only the base: of right or wrong; means over seeds."""
        before = [one.values.astype(bool) for one in self.base]
        after = [one.values.astype(bool) for one in self.tuned]
        pairs = [(a, b) for a in before for b in after]
        gained = float(np.mean([(b & ~a).sum() for a, b in pairs]))
        return gained, float(np.mean([(a & ~b).sum() for a, b in pairs]))

    def tables(self) -> list[Float[np.ndarray, "S U"]]:
        """Differences by seed and unit: one table where seeds are pairs, else one for each system."""
        first = self.base[0].values
        if self.single or self.matched:
            return [np.stack([self._units(a.values, b.values) for a, b in zip(self.base, self.tuned, strict=True)])]
        tables = [np.stack([self._units(first, one.values) for one in self.tuned])]
        if len(self.base) > 1:
            tables.append(-np.stack([self._units(first, one.values) for one in self.base]))
        return tables

    def _units(self, base: np.ndarray, tuned: np.ndarray) -> Float[np.ndarray, "U"]:
        return pseudovalues(self.measure, base, tuned, self.codes)

    def select(self, chosen: np.ndarray) -> "Aligned":
        """These items."""
        return aligned([one.select(chosen) for one in self.base], [one.select(chosen) for one in self.tuned])


def aligned(base: Scored | Sequence[Scored], tuned: Scored | Sequence[Scored]) -> Aligned:
    """One or several trainings of each, in the order of the first base's items."""
    before, after = _listed(base, "base"), _listed(tuned, "tuned")
    first = before[0]
    before = [first, *(paired(first, one)[1] for one in before[1:])]
    after = [paired(first, one)[1] for one in after]
    for side in (before, after):
        _seeds(side)
    seeds = [one.seed for one in before]
    if len(before) == len(after) > 1 and None not in seeds and set(seeds) == {one.seed for one in after}:
        places = {one.seed: one for one in after}
        after = [places[seed] for seed in seeds]
    for one in (*before, *after):
        if one.measure.kind != "right" and not np.isfinite(one.values).all():
            given = (
                f"{int((~np.isfinite(one.values)).sum()):,} scores of {one.system} on {one.part} that are no numbers"
            )
            raise DataError(given, "a finite score for each item", "scoring again, or leaving those items out of both")
    labels = first.clusters or after[0].clusters
    return Aligned(tuple(before), tuple(after), coded(labels))


def _listed(given: Scored | Sequence[Scored], what: str) -> list[Scored]:
    several = [given] if isinstance(given, Scored) else list(given)
    if not several:
        raise DataError(f"no scores of {what}", "scores of one training at least", "scoring it first")
    return several


def _seeds(side: Sequence[Scored]) -> None:
    """Refuse a seed that stands for two trainings."""
    known = [one.seed for one in side if one.seed is not None]
    twice = [seed for seed in known if known.count(seed) > 1]
    if twice:
        given = f"seed {twice[0]} of {side[0].system} {known.count(twice[0])} times"
        raise DataError(given, "trainings of different seeds", "another seed, or leaving one of them out")
