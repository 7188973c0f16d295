"""A control chart as it is read: points between limits, signals, and how often signals come by chance.

`control` draws them. Every chart has the same shape, so that whatever plots one plots all: as many centres, lower and
upper limits as points, though they often stay the same.
"""

from dataclasses import dataclass
from typing import Any

from seqwise.stats.phrases import amount, counted, digits_apart, joined, number
from seqwise.stats.results import Assumption, Cell, Estimate, Grid, plain
from seqwise.stats.rules import Signal

TOLD = 5  # signals that get a sentence of their own


@dataclass(frozen=True)
class ControlChart:
    """Points, limits and what breaks them."""

    kind: str
    """individuals, means, EWMA; of the spread: moving ranges, ranges, sds."""
    name: str
    """Of what is charted."""
    unit: str
    points: tuple[float, ...]
    labels: tuple[str, ...]
    """Of the points: their numbers from 1, or the names of the subgroups."""
    centre: tuple[float, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    sd: Estimate
    """Of single values, within: that the limits are made of."""
    method: str
    """Where centre and sd come from; reads on after "from"."""
    baseline: int
    """So many of the first points gave the limits; 0 where limits were given."""
    rules: tuple[int, ...]
    signals: tuple[Signal, ...]
    run_length: float | None = None
    """Points between two false alarms on average, if values are independent and normal; None where unknown."""
    assumptions: tuple[Assumption, ...] = ()
    notes: tuple[str, ...] = ()
    spread: "ControlChart | None" = None
    """The chart below: whether the spread changes."""

    @property
    def controlled(self) -> bool:
        """Whether nothing was signalled, of the points or of their spread."""
        return not self.signals and (self.spread is None or not self.spread.signals)

    def sentences(self) -> tuple[str, ...]:
        """Signals first, then limits, chance and doubts."""
        doubts = [one.told for one in self.assumptions if one.holds is False]
        spread = self.spread.verdict() if self.spread else []
        return (*self.verdict(), *spread, self._limits(), *self._chance(), *doubts, *self.notes)

    def verdict(self) -> list[str]:
        """One sentence, and one for each of the first signals."""
        what = f"{self.name} ({self.kind})"
        many = counted(len(self.points), "point")
        if not self.signals:
            return [f"No signal in {many} of {what}: {self._ruled()}."]
        signalled = f"{counted(len(self.signals), 'signal')} in {many} of {what}"
        told = [signal.why for signal in self.signals[:TOLD]]
        if len(self.signals) > TOLD:
            told.append(f"and {len(self.signals) - TOLD:,} more, which the table lists")
        return [f"{signalled}: {'; '.join(told)}."]

    def _ruled(self) -> str:
        if self.rules == (1,):
            return "none lies beyond its limits"
        several = len(self.rules) > 1
        return f"Western Electric rule{'s' * several} {joined([*map(str, self.rules)])} hold{'s' * (not several)}"

    def _limits(self) -> str:
        low, middle, high = self.lower[-1], self.centre[-1], self.upper[-1]
        digits = digits_apart(low, middle, high)
        at = " at the last point" if self._moving else ""
        ends = f"{number(low, digits)} to {amount(high, self.unit, digits)}"
        sd = f"sd {amount(self.sd.value, self.unit)}"
        return f"The limits{at} are {ends} around {amount(middle, self.unit, digits)}, from {self.method} ({sd})."

    @property
    def _moving(self) -> bool:
        """Whether limits differ from point to point."""
        return len(set(self.lower)) > 1 or len(set(self.upper)) > 1

    def _chance(self) -> list[str]:
        if self.run_length is None:
            return []
        expected = len(self.points) / self.run_length
        return [
            f"By chance alone, if values are independent and normal, a signal comes about every "
            f"{number(self.run_length, 3)} points: {number(expected, 2)} in as many points as these."
        ]

    def grids(self) -> tuple[Grid, ...]:
        """Signals and limits; the points are for pictures."""
        charts = [self] if self.spread is None else [self, self.spread]
        limits: list[tuple[Cell, ...]] = [
            (chart.kind, chart.centre[-1], chart.lower[-1], chart.upper[-1], len(chart.points)) for chart in charts
        ]
        found: list[tuple[Cell, ...]] = [
            (chart.kind, signal.rule, signal.side, chart.labels[signal.points[0]], chart.labels[signal.points[-1]])
            for chart in charts
            for signal in chart.signals
        ]
        unit = f" ({self.unit})" if self.unit else ""
        note = "At the last point: limits move from point to point." if any(chart._moving for chart in charts) else ""
        columns = ("chart", "centre", "lower", "upper", "points")
        return (
            Grid(f"limits of {self.name}{unit}", columns, tuple(limits), note),
            Grid(f"signals of {self.name}", ("chart", "rule", "side", "from", "to"), tuple(found)),
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {**plain(self), "controlled": self.controlled}
