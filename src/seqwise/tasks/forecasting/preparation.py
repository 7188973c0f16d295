"""From tables to what a forecaster is trained on: read, split by time, scaled by the training part, in windows."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch

from seqwise.data.calendar import Feature
from seqwise.data.series import Cut, SeriesTable, Span, Split, moment, shown_time
from seqwise.data.table import read_series
from seqwise.data.timewindows import Windows
from seqwise.errors import ConfigError, DataError
from seqwise.models.forecaster import Forecaster
from seqwise.models.instance import Instance
from seqwise.tasks.forecasting import rivals
from seqwise.tasks.forecasting.scaling import Scales
from seqwise.tasks.forecasting.settings import Forecast

SHARE = 10  # the lookback that is chosen by itself is at most this part of the training part


@dataclass(frozen=True)
class Columns:
    """What a run reads; saved as series.json, and what tables at prediction must have."""

    targets: tuple[str, ...]
    observed: tuple[str, ...]
    known: tuple[str, ...]
    calendar: tuple[Feature, ...]
    """What was made of the time."""
    names: tuple[str, ...]
    """Of the series, in the order of their vectors."""
    frequency: str
    season: int
    lookback: int
    features: int
    masked: bool
    learnt_until: str
    """The last time of the training part."""
    trained_until: str
    """The last time of training and validation."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> "Columns":
        """The inverse."""
        lists = {name: tuple(told[name]) for name in ("targets", "observed", "known", "calendar", "names")}
        return cls(**{**told, **lists})


@dataclass(frozen=True, eq=False)
class Material:
    """Data, ready to be trained on."""

    settings: Forecast
    table: SeriesTable
    """As it stands in the files."""
    split: Split
    scales: Scales
    thought: SeriesTable
    """As the model sees it."""
    lookback: int
    notes: tuple[str, ...]

    @cached_property
    def train(self) -> Windows:
        """What is learnt from: all of it within the training part."""
        settings = self.settings
        stride = settings.training.stride
        return Windows(self.thought, self.lookback, settings.horizon, stride=stride, span=self.split.train)

    @cached_property
    def valid(self) -> Windows:
        """What is looked at: foreseen steps within the validation part; what is seen may lie before it."""
        masked = self.train.masked
        return Windows(self.thought, self.lookback, self.settings.horizon, span=self.split.valid, masked=masked)

    @property
    def columns(self) -> Columns:
        """What the run will read."""
        table = self.table
        learnt, before = (table.within(part).times for part in (self.split.train, self.split.valid))
        return Columns(
            table.targets,
            table.observed,
            table.known,
            table.calendar,
            table.names,
            table.frequency.name,
            season(self.settings, table),
            self.lookback,
            self.train.features,
            self.train.masked,
            str(learnt[-1]),
            str(before[-1]),
        )

    def widths(self) -> rivals.Widths:
        """How far off the rivals are on the training part; the longest piece of each series tells."""
        part = self.table.within(self.split.train)
        period = season(self.settings, self.table)
        found, scales = [], []
        for name in self.table.names:
            longest = max((one for one in part.series if one.name == name), key=len)
            thought = self.scales.thought(longest, self.table.targets)
            found.append(rivals.widths(thought, self.settings.horizon, period))
            scales.append(rivals.step_of_season(longest.targets, period))
        return rivals.Widths(np.stack(found, axis=1), np.stack(scales))


def season(settings: Forecast, table: SeriesTable) -> int:
    """Steps after which it is the same time again: as told, else as the frequency has it."""
    return settings.season or table.frequency.season


def gather(settings: Forecast) -> Material:
    """Read, split, scale. Writes nothing."""
    table = read_series(settings.train, settings.target, settings.data, settings.mend)
    settings = settled(settings, table)
    split = split_of(table, settings)
    must_have_room(table, split, settings)
    scales = Scales.fit(table, split.train, settings.scale, settings.mend.constant)
    lookback = settings.lookback or _lookback(settings, table, split.train)
    notes = (*table.notes, *_told(table, split, settings, lookback))
    return Material(settings, table, split, scales, scales.apply(table), lookback, notes)


def settled(settings: Forecast, table: SeriesTable) -> Forecast:
    """With what the table decides in place of "auto"."""
    if settings.model.instance != "auto":
        return settings
    wanders = settings.scale.transform == "returns" or table.frequency.unit in ("session", "business day")
    instance: Instance = "last" if wanders else "mean"
    return replace(settings, model=replace(settings.model, instance=instance))


def split_of(table: SeriesTable, settings: Forecast) -> Split:
    """The parts as the settings cut them."""
    parts = settings.split
    test, valid = cut_of(parts.test, "--split.test"), cut_of(parts.valid, "--split.valid")
    if valid is None:
        raise ConfigError(f"--split.valid {parts.valid}", "a part to stop and to calibrate by", "--split.valid 0.15")
    if parts.end is not None:
        moment(parts.end, "--split.end")
    try:
        return table.split(valid, test, parts.end)
    except DataError as error:
        fault = error.faults[0]
        later = fault.mend == "a later end"
        mend = "a later --split.end" if later else "other --split.valid and --split.test, or more rows"
        raise DataError(fault.given, fault.allowed, mend) from None


def cut_of(text: str, flag: str) -> Cut | None:
    """A share, a number of steps or a time; None where it is 0."""
    try:
        number = float(text)
    except ValueError:
        moment(text, flag)
        return text
    if number == 0:
        return None
    if not 0 < number < math.inf or (number > 1 and number != int(number)):
        allowed = "a share between 0 and 1, a whole number of steps, or a time such as 2017-06-26"
        raise ConfigError(f"{flag} {text}", allowed, f"{flag} 0.15")
    return number if number < 1 else int(number)


def must_have_room(table: SeriesTable, split: Split, settings: Forecast) -> None:
    """Refuse a horizon that is longer than a part: also than the test part, which nobody would notice before its end.

    The training part must have room for what is looked back on, too.
    """
    back = settings.lookback or 1
    steps = {name: max(_steps(table, span)) for name, span in _parts(split).items() if _inside(table, span)}
    rooms = {name: count - back * (name == "training") for name, count in steps.items()}
    name = min(rooms, key=lambda part: rooms[part])
    if rooms[name] >= settings.horizon:
        return
    looking = f" and --lookback {back}" if name == "training" and settings.lookback else ""
    given = f"--horizon {settings.horizon}{looking} with {steps[name]:,} steps in the {name} part"
    mends = [f"--horizon {rooms[name]}"] if rooms[name] > 0 else []
    mends += ["a shorter --lookback"] if looking else []
    mends += [] if name == "training" else [f"a larger --split.{name[:5] if name == 'validation' else name}"]
    mends += ["--split.test 0, which keeps none"] if name == "test" else []
    raise DataError(given, "room for one window in each part", ", ".join([*mends, "or more rows"]).removeprefix("or "))


def _steps(table: SeriesTable, span: Span) -> list[int]:
    """Of each piece of a series, how many lie inside."""
    return [last - first for first, last in (span.within(one.times) for one in table.series)]


def build(settings: Forecast, columns: Columns) -> Forecaster:
    """A model for these columns, with random weights."""
    torch.manual_seed(settings.training.seed)
    return Forecaster(
        settings.model,
        columns.features,
        len(columns.known),
        len(columns.targets),
        len(columns.names),
        settings.horizon,
        settings.head,
        columns.season,
    )


def _lookback(settings: Forecast, table: SeriesTable, train: Span) -> int:
    length = max(_steps(table, train))
    wished = 2 * max(season(settings, table), settings.horizon)
    most = max(length // SHARE, min(season(settings, table), length // 3))
    return max(1, min(wished, most, length - settings.horizon))


def _told(table: SeriesTable, split: Split, settings: Forecast, lookback: int) -> Sequence[str]:
    """Which rows are for what."""
    rows = {name: len(table.within(span).times) for name, span in _parts(split).items() if _inside(table, span)}
    parts = ", ".join(f"{name} {_shown(table, span)} ({rows[name]:,} times)" for name, span in _parts(split).items()
                      if name in rows)  # fmt: skip
    kept = "" if "test" in rows else "; no part is kept for a test"
    several = f", {len(table.names):,} series" if len(table.names) > 1 else ""
    targets = ", ".join(table.targets)
    return (
        f"{targets}: a step is {table.frequency.step}, the season {season(settings, table)} steps{several}",
        f"{parts}{kept}",
        f"looking back {lookback} steps, ahead {settings.horizon}",
    )


def _parts(split: Split) -> dict[str, Span]:
    return {"training": split.train, "validation": split.valid, "test": split.test}


def _inside(table: SeriesTable, span: Span) -> bool:
    first, last = span.within(table.times)
    return last > first


def _shown(table: SeriesTable, span: Span) -> str:
    first, last = span.within(table.times)
    return f"{shown_time(table.times[first])} to {shown_time(table.times[last - 1])}"
