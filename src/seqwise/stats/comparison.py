"""A comparison of groups as it is shown: who is higher and by how much, what backs it, and what gives cause for doubt.

`compare.py` makes it. Left out here: pictures, which the reports draw from the same numbers.
"""

from dataclasses import dataclass
from typing import Any

from seqwise.stats.anova import Anova, Group, Pair
from seqwise.stats.phrases import alike, chance, clear, ends, number, percent, short
from seqwise.stats.power import shift_beyond
from seqwise.stats.repeated import Repeated
from seqwise.stats.results import Cell, Estimate, Grid, Test, ends_of, plain
from seqwise.stats.telling import against, apart, doubts, granted, tested

MOST_TOLD = 6  # pairs in sentences, half of them for those that cannot be told apart; all stand in the table


@dataclass(frozen=True)
class Described(Group):
    """A group by itself, and how its values lie."""

    median: float
    minimum: float
    maximum: float


@dataclass(frozen=True)
class Comparison:
    """Groups compared by their means, or by ranks where that was asked for."""

    name: str
    unit: str
    by: str
    """The column that tells groups apart; empty where one sample is compared with a value."""
    groups: tuple[Described, ...]
    test: Test
    check: Test | None
    """The other kind of test beside it: ranks beside means, means beside ranks."""
    anova: Anova | Repeated | None = None
    """Of three groups or more: the table of variance and all pairs."""
    value: float | None = None
    """What one sample is compared with."""
    notes: tuple[str, ...] = ()

    @property
    def found(self) -> bool:
        """Whether the data speak of a difference: the test says so, and the interval leaves 0 out."""
        within = self.test.effect.interval
        return self.test.rejected and (within is None or self.anova is not None or 0 not in within)

    def sentences(self) -> tuple[str, ...]:
        """The answer, the pairs behind it, whether the other kind of test agrees, what gives cause for doubt."""
        rest = (*doubts(self.test), *self.test.notes, *self.notes)
        return (*self._answer(), *self._size(), *self._checked(), *rest)

    def _answer(self) -> tuple[str, ...]:
        test = self.test
        if self.anova is not None:
            return (self.anova.sentences()[0], *self._pairs(self.anova))
        if self.value is not None and "W" not in test.symbol:
            return (against(self.name, test.effect, self.value, found=self.found, detectable=test.detectable),)
        if len(self.groups) > 2 or test.effect.interval is None:
            return (self._whole(test),)
        names = self._names() if self.value is None else (self.name, number(self.value, 8))
        what = f"the mean of {self.name}" if test.symbol == "t" else f"the typical {self.name}"
        return (apart(names, what, test.effect, found=self.found, method=_short(test), detectable=test.detectable),)

    def _names(self) -> tuple[str, str]:
        return spoken(self.by, self.groups[0].name), spoken(self.by, self.groups[1].name)

    def _whole(self, test: Test) -> str:
        share = f"{percent(test.effect.value)} of the variance of its ranks, {test.name}, {chance(test.p)}"
        if test.rejected:
            return f"{self.name} differs by {self.by}: the groups explain {share}."
        return f"The data cannot tell whether {self.name} differs by {self.by}: the groups explain {share}."

    def _pairs(self, anova: Anova | Repeated) -> tuple[str, ...]:
        """The largest differences that are found, then those nearest to it that are not."""
        if anova.pairs is None:
            return ()
        method = "paired t" if isinstance(anova, Repeated) else anova.pairs.method.split(":")[0]
        found = sorted((pair for pair in anova.pairs.pairs if _told(pair)), key=lambda pair: -_size_of(pair))
        rest = sorted((pair for pair in anova.pairs.pairs if not _told(pair)), key=lambda pair: -_size_of(pair))
        told = [self._pair(pair, method, True) for pair in found[:MOST_TOLD]]
        if len(found) > MOST_TOLD:
            told.append(f"{len(found) - MOST_TOLD:,} more of the {len(anova.pairs.pairs):,} pairs differ.")
        if 0 < len(rest) <= MOST_TOLD // 2:
            told += [self._pair(pair, method, False) for pair in rest]
        elif rest:
            told.append(self._pair(rest[0], method, False))
            others = [f"{spoken(self.by, pair.first)} and {spoken(self.by, pair.second)}" for pair in rest[1:]]
            told.append(f"Nor can they tell apart: {short(others, MOST_TOLD)}.")
        return tuple(told)

    def _pair(self, pair: Pair, method: str, found: bool) -> str:
        names = spoken(self.by, pair.second), spoken(self.by, pair.first)
        least = None if found else _detectable(pair)
        if isinstance(self.anova, Repeated):  # its intervals stand each by itself, only p allows for all pairs
            method, least = f"this pair by itself, {method}; of all pairs {chance(pair.p)} by Holm", None
        return apart(names, f"the mean of {self.name}", pair.difference, found=found, method=method, detectable=least)

    def _size(self) -> tuple[str, ...]:
        size = self.test.size
        if size is None or size.interval is None or self.anova is not None or "Hedges" not in size.name:
            return ()
        within = size.interval.turned if size.value < 0 else size.interval
        value, *limits = alike(abs(size.value), within.low, within.high, digits=2)
        return (f"In sds the difference is {value} ({ends(size.interval.level, *limits)}, {size.name}).",)

    def _checked(self) -> tuple[str, ...]:
        """Whether the test beside says the same."""
        test, check = self.test, self.check
        if check is None:
            return ()
        kind = "means" if check.symbol in ("t", "F") else "ranks"
        shown = f"{check.name}, {chance(check.p)}"
        leans = "so that the answer leans on what is taken for granted"
        if self.found and not check.rejected:
            return (f"Compared by {kind} the data cannot tell ({shown}), {leans}.",)
        if check.rejected and not self.found:
            return (f"Compared by {kind} there is a difference ({shown}), {leans}.",)
        opposite = self.found and self.anova is None and test.effect.value * check.effect.value < 0
        if opposite and len(self.groups) < 3:
            return (f"Compared by {kind} the difference points the other way ({shown}); see the groups.",)
        return (f"Compared by {kind} the answer is the same ({shown}).",)

    def grids(self) -> tuple[Grid, ...]:
        """The groups, the tests, table of variance and pairs, what was taken for granted."""
        columns = ("group", "n", "mean", "low", "high", "sd", "median", "least", "most")
        title = f"{self.name} by {self.by}" if self.by else self.name
        if self.unit:
            title += f", {self.unit}"
        shown = Grid(title, columns, tuple(map(_row, self.groups)), "low and high: interval of the mean")
        rest = self.anova.grids()[1:] if self.anova is not None else ()
        return (shown, tested(self.test, self.check), *rest, granted(self.test))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        tests = {"test": self.test.to_dict(), "check": self.check.to_dict() if self.check else None}
        return {**plain(self), **tests, "found": self.found, "sentences": list(self.sentences())}


def spoken(by: str, name: str) -> str:
    """A group in a sentence: a word is its own name, a number needs its column's: "dose 0.5"."""
    word = any(map(str.isalpha, name)) and name not in ("True", "False")
    return name if word or not by else f"{by} {name}"


def _told(pair: Pair) -> bool:
    """Whether a pair is told apart: its interval leaves 0 out, and its p allows for all pairs."""
    return pair.shown and clear(pair.difference)


def _size_of(pair: Pair) -> float:
    return abs(pair.difference.value)


def _detectable(pair: Pair) -> Estimate | None:
    """What the interval of this pair would leave 0 out for, four times in five."""
    within = pair.difference.interval
    if within is None or not pair.error > 0:
        return None
    critical = (within.high - within.low) / 2 / pair.error
    least = shift_beyond(critical, pair.df) * pair.error
    return Estimate("difference found four times in five", least, None, pair.difference.unit)


def _short(test: Test) -> str:
    """The method as it stands in brackets."""
    return test.name.removesuffix(" test").removesuffix("-test")


def _row(group: Described) -> tuple[Cell, ...]:
    ends = ends_of(group.interval)
    return (group.name, group.n, group.mean, *ends, group.sd, group.median, group.minimum, group.maximum)
