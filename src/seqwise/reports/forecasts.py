"""Forecasts as pictures and pages: the fan of what comes, and how good forecasts have been."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Shaped
from scipy.special import ndtr

from seqwise.errors import ConfigError
from seqwise.metrics.numbers import BANDS
from seqwise.reports.distributions import bell, pit, qq
from seqwise.reports.drawing import Picture
from seqwise.reports.fits import curve
from seqwise.reports.page import Section, page
from seqwise.reports.terminal import shown
from seqwise.reports.times import fan
from seqwise.stats.phrases import number
from seqwise.tasks.forecasting.answering import Forecasts
from seqwise.tasks.forecasting.judging import Judgement

if TYPE_CHECKING:
    from rich.console import RenderableType

FITS = 5  # series whose scales are told
MOST = 24  # fans on a page

# T past times, H steps ahead


@dataclass(frozen=True, eq=False)
class Fan:
    """One series and target: what was, what is foreseen."""

    name: str
    times: Shaped[np.ndarray, "T"]
    values: Float[np.ndarray, "T"]
    ahead: Shaped[np.ndarray, "H"]
    mean: Float[np.ndarray, "H"]
    bands: tuple[tuple[Float[np.ndarray, "H"], Float[np.ndarray, "H"]], ...]
    """Of 68, 95 and 99.7 %."""
    truth: Float[np.ndarray, "H"] | None = None

    def picture(self) -> Picture:
        """The fan."""
        return fan(self.times, self.values, self.ahead, self.mean, bands=self.bands, truth=self.truth, name=self.name)


def fans(found: Forecasts) -> list[Fan]:
    """One for each series and target."""
    made = []
    for one in found.outlooks:
        mean = one.foreseen.mean.numpy()
        bands = [[end.numpy() for end in one.foreseen.interval(level)] for level in BANDS]
        for c, target in enumerate(found.targets):
            name = f"{target}, {one.name}" if one.name else target
            ends = tuple((low[:, c], high[:, c]) for low, high in bands)
            made.append(Fan(name, one.past_times, one.past[:, c], one.times, mean[:, c], ends))
    return made


def drawn(fans: Sequence[Fan], place: str) -> str:
    """The content of a file of that name: one SVG, or a page of all fans."""
    kind = place.lower().rpartition(".")[2]
    if kind == "svg":
        if len(fans) > 1:
            given = f"{len(fans)} series and targets in one picture"
            raise ConfigError(given, "a page, which has room for a picture of each", "--plot forecast.html")
        return fans[0].picture().svg
    if kind in ("html", "htm"):
        shown = [one.picture() for one in fans[:MOST]]
        left = len(fans) - len(shown)
        told = (f"{left:,} more are not drawn.",) if left else ()
        return page("Forecast", [Section("What comes next", told, tuple(shown))])
    raise ConfigError(f"a picture {place}", "a name that ends in .svg or .html", "--plot forecast.svg")


@dataclass(frozen=True)
class Backtested:
    """A backtest as the terminal shows it."""

    judgement: Judgement

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return self.judgement.to_dict()

    def __rich__(self) -> "RenderableType":
        return shown(self.judgement)


def _steps(found: Judgement) -> Picture:
    """The error by step of the horizon, beside that of the best rival."""
    rival = found.best["MAE"]
    lines = {one.name: np.array(one.steps["MAE"]) for one in found.forecasters if one.name in ("model", rival)}
    ours, theirs = (float(line[-1]) for line in lines.values())
    title = f"At the last step the model is off by {number(ours)}, the {rival} forecast by {number(theirs)}."
    return curve(np.arange(1, found.horizon + 1), lines, title, across="step of the horizon", up="MAE")


def backtest_page(found: Judgement) -> str:
    """A page of a backtest: the verdict, where the truth lay in the distributions, error by step, residuals."""
    pictures = [_steps(found)]
    if found.residuals is not None:
        name = "residuals one step ahead"
        pictures += [pit(ndtr(found.scores)), bell(found.scores, name, "sd"), qq(found.scores, name, "sd")]
    sections = [Section.of(f"Forecasts of {', '.join(found.targets)}", found, pictures)]
    if found.residuals is not None:
        sections.append(Section.of("Residuals one step ahead", found.residuals))
    if found.memory is not None:
        sections.append(Section.of("Do residuals remember?", found.memory))
    more = len(found.fitted) - FITS
    fits = "; ".join(found.fitted[:FITS]) + (f" and {more:,} more" if more > 0 else "")
    facts = {
        "run": found.run,
        "origins": f"{found.origins:,}, {found.first} to {found.last}",
        "standardized by": fits or "nothing",
    }
    return page("How good the forecasts were", sections, facts)
