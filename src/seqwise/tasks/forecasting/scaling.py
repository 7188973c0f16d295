"""In which numbers a forecaster thinks: logarithms if asked for, then standardized, fitted on the training part only.

    table  ->  log  ->  standardize  ->  model  ->  distribution  ->  un-standardize  ->  exp

Targets and observed columns have a scale for each series, or one for all; known columns of the table have one for all,
the calendar's are as they are. What was fitted on which rows is kept with the numbers (`fitted_on`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from seqwise.data.series import Series, SeriesTable, Span, shown_time
from seqwise.errors import DataError, Fault
from seqwise.models.distributions import Distribution
from seqwise.stats.standardize import FittedOn, Standardizer
from seqwise.tasks.forecasting.calibrating import Bands
from seqwise.tasks.forecasting.predictive import Foreseen
from seqwise.tasks.forecasting.settings import ScaleSettings, Transform

ALL = ""
"""The name under which a scale stands that all series share."""

# S series, C targets, T times of a series


@dataclass(frozen=True, eq=False)
class Scales:
    """Fitted; saved as standardizer.json."""

    transform: Transform
    targets: Mapping[str, Standardizer]
    """By series."""
    observed: Mapping[str, Standardizer]
    known: Standardizer | None
    """Of the columns that are known in advance and stand in the table."""

    @classmethod
    def fit(cls, table: SeriesTable, span: Span, settings: ScaleSettings, constant: bool = False) -> "Scales":
        """On what lies within the span, the training part. constant: whether a target may be the same throughout."""
        part = table.within(span)
        if lost := [name for name in table.names if name not in part.names]:
            given = f"the series {lost[0]} has no row {span}, the training part"
            raise DataError(given, "rows of each series to learn from", "leaving it out, or an earlier series")
        kind = settings.standardize
        if kind == "none":
            return cls(settings.transform, {}, {}, None)
        groups = _groups(part, settings.each)
        targets = {
            name: _fitted(
                [_logged(one, table.targets, settings.transform) for one in rows],
                table.targets,
                kind,
                rows,
                passing=constant,
            )
            for name, rows in groups.items()
        }
        observed = {
            name: _fitted([one.observed for one in rows], table.observed, kind, rows, passing=True)
            for name, rows in groups.items()
            if table.observed
        }
        own = _own_known(table)
        known = None
        if own:
            rows = list(part.series)
            known = _fitted([one.known[:, : len(own)] for one in rows], own, kind, rows, passing=True)
        return cls(settings.transform, targets, observed, known)

    def apply(self, table: SeriesTable) -> SeriesTable:
        """The table as the model sees it."""
        own = len(_own_known(table))
        return replace(table, series=tuple(self._applied(one, table, own) for one in table.series))

    def _applied(self, one: Series, table: SeriesTable, own: int) -> Series:
        targets = _logged(one, table.targets, self.transform)
        if self.targets:
            targets = _of(self.targets, one.name).apply(targets)
        observed = _of(self.observed, one.name).apply(one.observed) if self.observed else one.observed

        def known(block: Float[np.ndarray, "T K"]) -> Float[np.ndarray, "T K"]:
            if self.known is None or not block.size:
                return block
            return np.concatenate([self.known.apply(block[:, :own]), block[:, own:]], axis=1)

        return replace(
            one, targets=targets, observed=observed, known=known(one.known), later_known=known(one.later_known)
        )

    @property
    def logarithms(self) -> bool:
        """Whether the model thinks in them."""
        return self.transform != "none"

    def thought(self, one: Series, names: Sequence[str]) -> Float[np.ndarray, "T C"]:
        """Targets as the rivals think of them: logarithms where the model thinks so, not standardized."""
        return _logged(one, names, self.transform)

    def shifts(self, names: Sequence[str], count: int) -> tuple[Float[Tensor, "S C"], Float[Tensor, "S C"]]:
        """What the model's numbers are multiplied by and then moved by, of each series."""
        if not self.targets:
            whole = torch.zeros(len(names), count, dtype=torch.float64)
            return whole, whole + 1
        rows = [_of(self.targets, name) for name in names]
        return (
            torch.from_numpy(np.stack([row.center for row in rows])),
            torch.from_numpy(np.stack([row.scale for row in rows])),
        )

    def foreseen(self, found: Distribution, bands: Bands, series: Int[Tensor, "B"], names: Sequence[str]) -> Foreseen:
        """The model's distributions (B, H, C), and their bands, in the data's own units."""
        shift, scale = (part[series][:, None] for part in self.shifts(names, found.mean.shape[-1]))
        moved = tuple((low * scale + shift, high * scale + shift) for low, high in bands)
        return Foreseen(found.moved(shift, scale), self.logarithms, moved)

    def fitted(self) -> tuple[str, ...]:
        """Which rows each series' scale comes of."""
        rows = ((name, one.fitted_on) for name, one in self.targets.items())
        return tuple(f"{name}: {told.told}".removeprefix(": ") for name, told in rows if told is not None)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, to the last bit."""
        return {
            "transform": self.transform,
            "targets": {name: one.to_dict() for name, one in self.targets.items()},
            "observed": {name: one.to_dict() for name, one in self.observed.items()},
            "known": None if self.known is None else self.known.to_dict(),
        }

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> "Scales":
        """The inverse of `to_dict`."""
        return cls(
            told["transform"],
            {name: Standardizer.from_dict(one) for name, one in told["targets"].items()},
            {name: Standardizer.from_dict(one) for name, one in told["observed"].items()},
            None if told["known"] is None else Standardizer.from_dict(told["known"]),
        )


def _own_known(table: SeriesTable) -> tuple[str, ...]:
    """The columns known in advance that stand in the table; the calendar's come after them."""
    from seqwise.data.calendar import names

    return table.known[: len(table.known) - len(names(table.calendar))]


def _groups(part: SeriesTable, each: bool) -> dict[str, list[Series]]:
    if not each or len(part.names) == 1:
        return {ALL: list(part.series)}
    found: dict[str, list[Series]] = {}
    for one in part.series:
        found.setdefault(one.name, []).append(one)
    return found


def _fitted(
    blocks: Sequence[Float[np.ndarray, "T C"]],
    names: Sequence[str],
    kind: Literal["z", "robust"],
    rows: Sequence[Series],
    passing: bool = False,
) -> Standardizer:
    """passing: columns that never change are left as they are; targets that never change are refused."""
    first = min(one.times[0] for one in rows)
    last = max(one.times[-1] for one in rows)
    told = FittedOn(sum(map(len, blocks)), "training part", shown_time(first), shown_time(last))
    constant: Literal["pass", "refuse"] = "pass" if passing else "refuse"
    whole = np.concatenate(blocks)  # (T, C)
    try:
        return Standardizer.fit(whole, kind=kind, names=tuple(names), constant=constant, fitted_on=told)
    except DataError as error:
        when = (
            f" of {rows[0].name}" if rows[0].name else ""
        ) + f", from {told.first} to {told.last}, the training part"
        raise DataError.of(
            [replace(fault, given=fault.given + when, mend=_mend(fault, kind)) for fault in error.faults]
        ) from None


def _mend(fault: Fault, kind: Literal["z", "robust"]) -> str:
    if "holds no value" in fault.given and "but" not in fault.given:
        return "an earlier row with a number, or leaving the column out"
    return "--scale.standardize z or none" if kind == "robust" else "a longer training part, or --mend.constant true"


def _of(scales: Mapping[str, Standardizer], name: str) -> Standardizer:
    if ALL in scales:
        return scales[ALL]
    if name not in scales:
        known = ", ".join(list(scales)[:5])
        raise DataError(
            f"the series {name}, which the run was not trained on",
            f"one of {known}" + (f" and {len(scales) - 5} more" if len(scales) > 5 else ""),
            "training with --scale.each false, which has one scale for all, known or not",
        )
    return scales[name]


def _logged(one: Series, names: Sequence[str], transform: str) -> Float[np.ndarray, "T C"]:
    if transform == "none":
        return one.targets
    wrong = one.targets <= 0
    if wrong.any():
        row, column = (int(i) for i in np.argwhere(wrong)[0])
        whose = f" of {one.name}" if one.name else ""
        raise DataError(
            f"{names[column]}{whose} is {one.targets[row, column]:g} at {shown_time(one.times[row])}",
            "numbers above 0 for logarithms",
            "--scale.transform none",
        )
    return np.asarray(np.log(one.targets))
