"""What a backtest says: better than what costs nothing, worse, or cannot tell; and whether the bands hold.

The rival is the best of the three on the same origins, chosen after the fact: a hard one. Two questions are asked of
it, since a model may foresee no better where prices go and still know better how far: the absolute error of the median,
and CRPS of the whole distribution.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from seqwise.data.series import SeriesTable, Span, shown_time
from seqwise.data.timewindows import Windows
from seqwise.errors import SeqwiseError
from seqwise.metrics.numbers import BANDS
from seqwise.stats.autocorrelation import Autocorrelation, autocorrelation
from seqwise.stats.forecasts import ForecastComparison, diebold_mariano
from seqwise.stats.normality import Normality, normality
from seqwise.stats.phrases import counted, number, percent
from seqwise.stats.results import Cell, Grid, plain
from seqwise.tasks.forecasting.backtest import MEASURES, Backtest, backtest, span_of
from seqwise.tasks.forecasting.calibrating import held_lately
from seqwise.tasks.forecasting.foreseeing import read_table
from seqwise.tasks.forecasting.holding import Holding, holding
from seqwise.tasks.forecasting.rivals import NAMES
from seqwise.tasks.forecasting.stored import Stored, open_run

MODEL = "model"
WORDS: dict[Holding, str] = {
    "hold": "The bands hold what they say",
    "narrow": "The bands are too narrow",
    "wide": "The bands are too wide",
    "uneven": "The bands do not hold what they say",
    "cannot tell": "Cannot tell whether the bands hold what they say",
}
SHOWN = ("68.3 %", "95.4 %", "99.7 %")
FAR = 1000  # times as much, of which no percentage is told
LEAST = 8  # residuals from which their shape is looked at
MOST = 2000  # residuals in a picture
UNLIKE = 10  # times as far from step to step, from where a mean over series is one of the largest

# K measures, H steps, R residuals


@dataclass(frozen=True)
class Contender:
    """One of those compared."""

    name: str
    measures: dict[str, float]
    coverage: tuple[float, float, float]
    steps: dict[str, tuple[float, ...]]
    """Each measure by step of the horizon."""
    step_coverage: tuple[tuple[float, ...], ...]
    """Of each band, by step."""


@dataclass(frozen=True, eq=False)
class Judgement:
    """All that a backtest found."""

    run: str
    targets: tuple[str, ...]
    origins: int
    """Distinct ones, in time."""
    first: str
    last: str
    series: int
    horizon: int
    stride: int
    forecasters: tuple[Contender, ...]
    """The model first."""
    best: dict[str, str]
    """The best rival of each question: "MAE", "CRPS"."""
    comparisons: dict[str, ForecastComparison]
    holding: Holding
    """What the first two bands of the model do."""
    kept: tuple[float, ...] | None
    """What bands hold that are fitted again on the way; None of several series, or where origins are few."""
    pit: tuple[int, ...]
    """Counts of twenty equal parts."""
    mse: float
    """In standardized units, as the literature tells it."""
    residuals: Normality | None
    """Of the first step, as normal scores: standard normal where the distributions are right."""
    memory: Autocorrelation | None
    fitted: tuple[str, ...]
    """On which rows each scale was fitted: of the training part, as the run's files prove."""
    scores: Float[np.ndarray, "R"]
    notes: tuple[str, ...]

    @property
    def model(self) -> Contender:
        """The run itself."""
        return self.forecasters[0]

    @property
    def verdict(self) -> str:
        """Of the median's error: better, worse, or cannot tell."""
        return self.comparisons["MAE"].verdict if "MAE" in self.comparisons else "cannot tell"

    def sentences(self) -> tuple[str, ...]:
        """The verdict first."""
        told = [self._told("MAE"), self._told("CRPS"), *self._doubts(), self._bands()]
        if self.residuals is not None:
            told += [f"One step ahead, {one[0].lower()}{one[1:]}" for one in self.residuals.sentences()[:1]]
        if self.memory is not None:
            told += self.memory.sentences()[:1]
        return (*told, *self.notes)

    def _told(self, measure: str) -> str:
        what = {"MAE": "the value", "CRPS": "the distribution"}[measure]
        rival = self.best[measure]
        ours, theirs = (one.measures[measure] for one in self._pair(rival))
        change = f"{measure} {number(ours)} against {number(theirs)}, {_change(ours, theirs)}"
        found = self.comparisons.get(measure)
        if found is None:
            few = f"{self.origins:,} origins" if self.origins > 1 else "one origin"
            return f"Cannot tell whether it foresees {what} better than the {rival} forecast: {change}, of {few} only."
        interval = found.test.effect.interval
        ends = f"{number(interval.low)} to {number(interval.high)}" if interval else "without end"
        behind = f"gain {number(found.test.effect.value)}, 95 % interval {ends}, of {self.origins:,} origins"
        match found.verdict:
            case "better":
                better = f"It foresees {what} better than the {rival} forecast, the best of those that cost nothing"
                return f"{better}: {change} ({behind})."
            case "worse":
                return f"It foresees {what} worse than the {rival} forecast, which costs nothing: {change} ({behind})."
        return f"Cannot tell whether it foresees {what} better than the {rival} forecast: {change} ({behind})."

    def _doubts(self) -> tuple[str, ...]:
        """What shakes the first verdict."""
        if "MAE" not in self.comparisons:
            return ()
        test = self.comparisons["MAE"].test
        return (*(one.told for one in test.assumptions if one.holds is False), *test.notes)

    def _pair(self, rival: str) -> tuple[Contender, Contender]:
        return self.model, next(one for one in self.forecasters if one.name == rival)

    def _bands(self) -> str:
        shares = [
            f"that of {said} held {percent(share)}" for said, share in zip(SHOWN, self.model.coverage, strict=True)
        ]
        told = f"{WORDS[self.holding]}: {shares[0]}, {shares[1]}, {shares[2]}."
        if self.kept is None:
            return told
        one, two = (percent(share) for share in self.kept[:2])
        return f"{told} Fitted again on the way, from the errors of late as `predict` does, they held {one} and {two}."

    def grids(self) -> tuple[Grid, ...]:
        """Scores of all, by step, and the residuals."""
        rows: tuple[tuple[Cell, ...], ...] = tuple(
            (one.name, *(one.measures[name] for name in MEASURES), *(100 * share for share in one.coverage))
            for one in self.forecasters
        )
        columns = ("forecast", *MEASURES, *(f"in {said}" for said in SHOWN))
        origins, steps = counted(self.origins, "origin"), counted(self.horizon, "step")
        note = f"From {origins}, {self.first} to {self.last}, each {steps} ahead."
        if self.series > 1:
            note += f" Means over {self.series:,} series."
        if len(self.targets) > 1:
            note += f" Means over {len(self.targets)} targets, each in its own unit; MASE is without."
        return (Grid("Forecasts", columns, rows, note), self._by_step())

    def _by_step(self) -> Grid:
        steps = _chosen(self.horizon)
        rivals = [one for one in self.forecasters if one.name in (MODEL, self.best["MAE"])]
        rows: list[tuple[Cell, ...]] = []
        for h in steps:
            row: list[Cell] = [h + 1]
            for one in rivals:
                row += [one.steps["MAE"][h], one.steps["CRPS"][h]]
            rows.append((*row, 100 * self.model.step_coverage[0][h], 100 * self.model.step_coverage[1][h]))
        columns = (
            "step",
            *(f"{name} {one.name}" for one in rivals for name in ("MAE", "CRPS")),
            "in 68.3 %",
            "in 95.4 %",
        )
        return Grid("By step of the horizon", columns, tuple(rows))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__ if name not in ("scores", "residuals",
                                                                                                "memory")}  # fmt: skip
        return {
            **plain(fields),
            "verdict": self.verdict,
            "sentences": list(self.sentences()),
            "residuals": None if self.residuals is None else self.residuals.to_dict(),
            "memory": None if self.memory is None else self.memory.to_dict(),
        }


def judge_forecasts(
    run: str | Path, paths: Sequence[str] = (), stride: int | None = None, where: str = "auto"
) -> Judgement:
    """Backtest a run on what comes after its training and validation part. stride: steps from origin to origin."""
    stored = open_run(run, where)
    table = read_table(stored, paths)
    span = span_of(stored, table, own=not paths)
    found = backtest(stored, table, span, stride or 1)
    order = (MODEL, *NAMES)
    forecasters = tuple(_summed(name, found) for name in order)
    best = {name: min(forecasters[1:], key=lambda one: one.measures[name]).name for name in ("MAE", "CRPS")}
    comparisons = {}
    for name in ("MAE", "CRPS"):
        if (compared := _compared(found, name, best[name])) is not None:
            comparisons[name] = compared
    tally = found.tallies[MODEL]
    first = np.concatenate(tally.first)
    scores = first[~np.isnan(first)]
    times = np.unique(found.times)
    return Judgement(
        run=str(run),
        targets=stored.columns.targets,
        origins=len(times),
        first=shown_time(times[0]),
        last=shown_time(times[-1]),
        series=len(table.names),
        horizon=found.horizon,
        stride=found.stride,
        forecasters=forecasters,
        best=best,
        comparisons=comparisons,
        holding=holding([found.held(band) for band in (0, 1)], BANDS[:2], math.ceil(found.horizon / found.stride)),
        kept=_kept(stored, table, own=not paths) if found.stride == 1 and len(table.names) == 1 else None,
        pit=tuple(int(count) for count in tally.pit),
        mse=tally.standardized / max(1.0, float(tally.counts.sum())),
        residuals=_shape(scores),
        memory=_memory(found, first),
        fitted=stored.scales.fitted(),
        scores=scores[:: max(1, len(scores) // MOST)],
        notes=(*table.notes, *unlike(table)),
    )


def unlike(table: SeriesTable) -> tuple[str, ...]:
    """A sentence for each target that moves so much more in one series than in another that errors are of that one."""
    told = []
    for c, target in enumerate(table.targets):
        steps: dict[str, list[np.ndarray]] = {}
        for one in table.series:
            steps.setdefault(one.name, []).append(np.abs(np.diff(one.targets[:, c])))
        sizes = {name: _mean(np.concatenate(several)) for name, several in steps.items()}
        moving = {name: size for name, size in sizes.items() if size > 0}
        if len(moving) < 2:
            continue
        most, least = max(moving, key=lambda name: moving[name]), min(moving, key=lambda name: moving[name])
        if moving[most] > UNLIKE * moving[least]:
            times = number(moving[most] / moving[least], 2)
            told.append(
                f"Errors are means in the unit of {target}, which moves {times} times as far from step to step in "
                f"{most} as in {least}: what moves far decides. MASE, or each series by itself, tells of the others."
            )
    return tuple(told)


def _mean(values: Float[np.ndarray, "N"]) -> float:
    """Of what is known; 0 where nothing is."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else 0.0


def _kept(stored: Stored, table: SeriesTable, own: bool) -> tuple[float, ...] | None:
    """Of one series: what bands hold that follow the errors of late."""
    if stored.calibration is None:
        return None
    columns = stored.columns
    test = span_of(stored, table, own)
    begin = np.datetime64(columns.learnt_until, "us") + np.timedelta64(1, "us")
    scaled = stored.scales.apply(table)
    horizon = stored.settings.horizon
    windows = Windows(scaled, columns.lookback, horizon, span=Span(begin, test.end), masked=columns.masked)
    return held_lately(stored.model, windows, np.datetime64(columns.trained_until, "us"), columns.season)


def _summed(name: str, found: Backtest) -> Contender:
    tally = found.tallies[name]
    one, two, three = tally.coverage().tolist()
    by_step = tally.by_step()
    steps = {measure: tuple(by_step[m].tolist()) for m, measure in enumerate(MEASURES)}
    shares = tally.inside / np.maximum(tally.counts, 1)
    measures = dict(zip(MEASURES, tally.totals().tolist(), strict=True))
    return Contender(name, measures, (one, two, three), steps, tuple(tuple(row) for row in shares.tolist()))


def _compared(found: Backtest, measure: str, rival: str) -> ForecastComparison | None:
    """Diebold and Mariano's test; None where there are too few origins for the horizon."""
    place = MEASURES.index(measure)
    ours, theirs = found.by_time(MODEL, place), found.by_time(rival, place)
    steps = math.ceil(found.horizon / found.stride)
    if len(ours) < max(3, steps + 2):
        return None
    named = (f"the {rival} forecast", "the model")
    return diebold_mariano(theirs, ours, steps, named, measure, degrees="kept")


def _shape(scores: Float[np.ndarray, "R"]) -> Normality | None:
    if len(scores) < LEAST:
        return None
    try:
        return normality(scores, "residuals in sd")
    except SeqwiseError:  # all the same, of a series that does not move
        return None


def _memory(found: Backtest, first: Float[np.ndarray, "N C"]) -> Autocorrelation | None:
    """Of the first step's residuals of the first series and target, where origins follow one another."""
    if found.stride > 1:
        return None
    own = first[found.series == found.series[0], 0]
    own = own[~np.isnan(own)]
    if len(own) < LEAST:
        return None
    try:
        return autocorrelation(own, name="the residuals one step ahead")
    except SeqwiseError:
        return None


def _change(ours: float, theirs: float) -> str:
    if theirs * FAR <= ours:
        return "which is more" if ours > theirs else "the same"
    share = ours / theirs - 1
    return f"{percent(abs(share))} {'less' if share < 0 else 'more'}" if share else "the same"


def _chosen(horizon: int) -> list[int]:
    """Steps to show: all of a few, else the first, the last and some between."""
    if horizon <= 12:
        return list(range(horizon))
    return sorted({0, *(round(horizon * k / 8) - 1 for k in range(1, 9))})
