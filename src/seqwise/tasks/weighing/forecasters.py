"""Forecasters side by side: runs that may be compared, asked from the same origins of the same table.

    must_compare    other targets, horizons or frequencies, and the same weights twice, are refused
    since           up to when any of them was trained or stopped by, after which all of them are asked
    answered        one run on a table: errors of it and of its rivals from each origin, and what it foresaw
    common          the origins that all of them have; of two lookbacks the longer one decides

Each reads the table as it read its own, so that what was mended may differ: whoever compares has to check that the same
came (`verdict.scored.paired` does, by the references). Left out: what stands in training and test under another time.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped

from seqwise.data.series import SeriesTable, Span, shown_time
from seqwise.errors import ConfigError, DataError
from seqwise.stats.phrases import counted, joined
from seqwise.tasks.forecasting.backtest import MEASURES, backtest
from seqwise.tasks.forecasting.foreseeing import read_table
from seqwise.tasks.forecasting.stored import Stored
from seqwise.tasks.weighing.systems import fingerprint

# N origins of all series; H steps, K of them kept, C targets

KEPT = 12
"""Steps of the horizon at most of which forecasts are kept, to be looked at."""


@dataclass(frozen=True, eq=False)
class Answers:
    """What one run and its rivals made of a table, by origin: time after time, at each time series after series."""

    run: str
    times: Shaped[np.ndarray, "N"]
    series: Shaped[np.ndarray, "N"]
    """Names; empty of a table with one."""
    errors: dict[str, dict[str, Float[np.ndarray, "N"]]]
    """By forecaster and measure: means over steps and targets."""
    medians: Float[np.ndarray, "N K C"]
    truth: Float[np.ndarray, "N K C"]
    steps: tuple[int, ...]
    """Which are kept, from 1."""
    notes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.times)

    def select(self, rows: Shaped[np.ndarray, "M"]) -> "Answers":
        """Some of the origins."""
        errors = {name: {what: cost[rows] for what, cost in found.items()} for name, found in self.errors.items()}
        parts = self.times[rows], self.series[rows], errors, self.medians[rows], self.truth[rows]
        return Answers(self.run, *parts, self.steps, self.notes)


def must_compare(base: Stored, tuned: Stored) -> None:
    """Refuse two runs whose errors mean different things, and one run under two names."""
    pairs = {
        "the target": (", ".join(base.columns.targets), ", ".join(tuned.columns.targets)),
        "the horizon": (str(base.settings.horizon), str(tuned.settings.horizon)),
        "steps of a": (base.columns.frequency, tuned.columns.frequency),
    }
    wrong = [f"{what} {one} and {other}" for what, (one, other) in pairs.items() if one != other]
    if wrong:
        given = f"{joined(wrong)} of {base.folder.path} and {tuned.folder.path}"
        allowed = "the same targets, horizon and frequency for both"
        raise ConfigError(given, allowed, "seqwise train forecast with those of the other")
    if fingerprint(base.model) == fingerprint(tuned.model):
        given = f"{base.folder.path} and {tuned.folder.path} with the same weights"
        raise ConfigError(given, "two different forecasters", "another run as the second")


def since(runs: Sequence[Stored]) -> np.datetime64:
    """The last time that any of them was trained on, or stopped by."""
    return max(np.datetime64(one.columns.trained_until, "us") for one in runs)


def answered(stored: Stored, paths: Sequence[str], last: np.datetime64, part: str) -> Answers:
    """From each origin whose foreseen steps come after `last`."""
    table, run, horizon = read_table(stored, paths), str(stored.folder.path), stored.settings.horizon
    if table.times[-1] <= last:
        given = f"{part} with rows up to {shown_time(table.times[-1])}, all of which a run was trained on or stopped by"
        raise DataError(
            given, f"rows after {shown_time(last)}", "a newer table, or training with a larger --split.test"
        )
    span, steps = Span(last + np.timedelta64(1, "us"), None), kept(horizon)
    _must_have_room(stored, table, last, part)
    found = backtest(stored, table, span, 1, tuple(step - 1 for step in steps))
    windows = found.windows
    places = windows.starts[:, None] + np.array(steps) - 1
    names = np.array(table.names, dtype=object)[windows.series]
    whole = Answers(
        run,
        found.times,
        names,
        {name: dict(zip(MEASURES, tally.origins, strict=True)) for name, tally in found.tallies.items()},
        np.concatenate(found.tallies["model"].medians),
        table.blocks()[0][places],
        steps,
        table.notes,
    )
    return whole.select(np.lexsort((windows.series, found.times)))


def _must_have_room(stored: Stored, table: SeriesTable, last: np.datetime64, part: str) -> None:
    """Refuse a table from which nothing can be foreseen: often of new rows alone, with nothing to look back at."""
    horizon, lookback = stored.settings.horizon, stored.columns.lookback
    places = [(one, int(np.searchsorted(one.times, last, side="right"))) for one in table.series]
    if any(len(one) - max(first, lookback) >= horizon for one, first in places):
        return
    room, first = max((len(one) - first, first) for one, first in places)
    given = f"{counted(room, 'step')} of {part} after {shown_time(last)}, up to which a run was trained or stopped"
    need = f"{horizon:,} to foresee, and {lookback:,} before them in the same table for {stored.folder.path}"
    mend = (
        "a longer table"
        if room < horizon
        else "one table with the rows that the run was trained on and the new ones after them"
    )
    raise DataError(f"{given}, and {counted(first, 'step')} before", need, mend)


def kept(horizon: int) -> tuple[int, ...]:
    """Steps to look at: all of a few, else the first, the last and some between."""
    if horizon <= KEPT:
        return tuple(range(1, horizon + 1))
    return tuple(sorted({round(1 + (horizon - 1) * k / (KEPT - 1)) for k in range(KEPT)}))


def common(answers: Sequence[Answers]) -> list[Answers]:
    """The origins that all have."""
    keys = [list(zip(one.times.tolist(), one.series.tolist(), strict=True)) for one in answers]
    shared = set(keys[0]).intersection(*keys[1:])
    if not shared:
        given = f"no origin that {' and '.join(one.run for one in answers)} have in common"
        raise DataError(given, "a table on which all of them can be asked", "a longer table")
    rows = [np.flatnonzero([key in shared for key in own]) for own in keys]
    return [one.select(chosen) for one, chosen in zip(answers, rows, strict=True)]
