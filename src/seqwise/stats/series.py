"""A series at a glance: does it depend on itself, keep its level, have a season, hold a period?

    series    autocorrelation, ADF and KPSS, STL, spectrum, each with its null hypothesis, in one result

What these values cannot answer is left out with the reason, and the rest is answered all the same.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Shaped

from seqwise.errors import DataError
from seqwise.stats.autocorrelation import LEAST, Autocorrelation, autocorrelation, usual_lags
from seqwise.stats.results import LEVEL, Grid, plain
from seqwise.stats.samples import sample
from seqwise.stats.seasons import Seasons, seasons
from seqwise.stats.spectrum import Spectrum, spectrum
from seqwise.stats.stationarity import Stationarity, stationarity

Part = TypeVar("Part")


@dataclass(frozen=True)
class Series:
    """All that was asked of a series; None where there is no answer, with the reason in `skipped`."""

    name: str
    unit: str
    n: int
    autocorrelation: Autocorrelation
    stationarity: Stationarity | None
    seasons: Seasons | None
    spectrum: Spectrum | None
    skipped: tuple[str, ...]
    """One sentence for each part that is missing."""

    def sentences(self) -> tuple[str, ...]:
        """Of each part, then what is missing."""
        parts = (self.autocorrelation, self.stationarity, self.seasons, self.spectrum)
        return (*(sentence for part in parts if part is not None for sentence in part.sentences()), *self.skipped)

    def grids(self) -> tuple[Grid, ...]:
        """Of each part."""
        parts = (self.autocorrelation, self.stationarity, self.seasons, self.spectrum)
        return tuple(grid for part in parts if part is not None for grid in part.grids())

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        parts = {
            "autocorrelation": self.autocorrelation.to_dict(),
            "stationarity": self.stationarity.to_dict() if self.stationarity else None,
            "seasons": self.seasons.to_dict() if self.seasons else None,
            "spectrum": self.spectrum.to_dict() if self.spectrum else None,
        }
        return {**plain(self), **parts}


def series(
    values: Shaped[np.ndarray, "N"],
    period: int | None = None,
    name: str = "values",
    unit: str = "",
    lags: int | None = None,
    level: float = LEVEL,
) -> Series:
    """Of values at equal distances in time.

    period   values until the season comes again; None: looked for
    lags     of the autocorrelation; None: ten, or two periods
    """
    x = sample(values, name, LEAST, varied=True)
    skipped: list[str] = []

    def tried(what: str, ask: Callable[[], Part]) -> Part | None:
        try:
            return ask()
        except DataError as error:
            fault = error.faults[0]
            skipped.append(f"{what} of {name} left out: {fault.given}, where it needs {fault.allowed}.")
            return None

    level_kept = tried("Stationarity", lambda: stationarity(x, False, name, unit, level))
    season = tried("Season", lambda: seasons(x, period, name, unit))
    strong = tried("Spectrum", lambda: spectrum(x, name))
    if lags is None:
        lags = usual_lags(len(x), season.period if season else None)
    return Series(
        name, unit, len(x), autocorrelation(x, lags, name, 0, level), level_kept, season, strong, tuple(skipped)
    )
