"""The learning-rate range test: train a moment while the rate grows, see where the loss falls and where it explodes.

Smith 2017 (cyclical learning rates), section 3.3. The rate grows by the same factor at each step; the losses are
smoothed from both sides, so that the curve does not lag behind. Proposed is the smaller of two rates: where the loss
falls most steeply, and a tenth of the one where it is lowest; none, where it falls by no more than it differs from
batch to batch. Afterwards weights, optimizer and place in the data
are what they were. Left out: the schedule; what is proposed is the highest rate of a run, after the warm-up.
"""

import math
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from statistics import fmean, median
from typing import Annotated

from rich.text import Text

from seqwise.config import Range
from seqwise.errors import ConfigError, TrainingError
from seqwise.training.loop import Setting, advance
from seqwise.training.state import TrainingState

WORSE = 3.0  # times the lowest smoothed loss: there is nothing more to see
MEMORY = 0.8  # of the running mean that tells when to stop
NEIGHBOURS = 20  # smoothed over one such part of the steps on either side
FELL = 0.01  # share of the first loss that counts as falling
BEYOND_CHANCE = 2.0  # deviations of a batch's loss that a fall is more than; by chance alone, 1 of 100 curves falls so
BEGUN = 0.1  # share of the fall behind which its steepest place is looked for: before it, chance makes the slopes
NORMAL_MIDDLE = 0.6745  # of a normal distribution: half of it lies within so many deviations
COLUMNS, LINES = 64, 12  # of the chart


@dataclass(frozen=True)
class RangeSettings:
    """Which rates are tried."""

    lowest: Annotated[float, Range(1e-9, 1.0)] = 1e-7
    """Rate of the first step."""
    highest: Annotated[float, Range(1e-8, 100.0)] = 1.0
    """Rate of the last step, should the loss not explode before."""
    steps: Annotated[int, Range(10, 10_000)] = 100
    """Updates; some ten for each power of ten."""


@dataclass(frozen=True)
class RangeTest:
    """How the loss answered to rates, and which one to train with."""

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    """Of each step, before it was made."""
    smoothed: tuple[float, ...]
    steepest: float | None
    """Rate at which the smoothed loss fell fastest; None: it never fell."""
    lowest: float | None
    """Rate at which it was lowest."""
    exploded: bool
    """Whether the test ended because of the loss, rather than at the highest rate."""

    @property
    def proposed(self) -> float | None:
        """The rate to train with; None where the loss never fell."""
        return None if self.steepest is None or self.lowest is None else min(self.steepest, self.lowest / 10)

    @property
    def rule(self) -> str:
        """Where the proposal comes from."""
        if self.proposed is None:
            return "the loss never fell by more than it differs from batch to batch: larger batches, or other data"
        steep = self.proposed == self.steepest
        return "where the loss falls most steeply" if steep else "a tenth of the rate with the lowest loss"

    def to_dict(self) -> dict[str, object]:
        """Plain values, for JSON."""
        return {**asdict(self), "proposed": self.proposed, "rule": self.rule}

    def __rich__(self) -> Text:
        told = "none" if self.proposed is None else f"{self.proposed:.2g}"
        return Text("\n".join([*chart(self.rates, self.smoothed, self.proposed), f"rate {told}: {self.rule}"]))


def range_test(state: TrainingState, setting: Setting, settings: RangeSettings) -> RangeTest:
    """Try the rates, from the lowest up, on the data that come next; then put everything back. All ranks take part.

    All weights take part that are trained at some time of the run.
    """
    if settings.highest <= settings.lowest:
        given = f"rates from {settings.lowest:g} to {settings.highest:g}"
        raise ConfigError(given, "a highest rate above the lowest", f"a highest rate of {settings.lowest * 1e6:g}")
    tensors = {name: tensor.clone() for name, tensor in state.tensors().items()}
    facts = deepcopy(state.facts())
    setting.objective.train()
    endless = replace(setting.training, epochs=None)
    rates, losses, exploded = _tried(state, replace(setting, training=endless, thawing=None), settings)
    state.optimizer.state.clear()
    state.weights.forget()
    state.restore(tensors, facts)
    smoothed = smooth(losses, max(1, settings.steps // NEIGHBOURS))
    return RangeTest(
        tuple(rates), tuple(losses), tuple(smoothed), *found(rates, smoothed, chance(losses, smoothed)), exploded
    )


def _tried(state: TrainingState, setting: Setting, settings: RangeSettings) -> tuple[list[float], list[float], bool]:
    """Rates, losses, and whether the loss exploded. All ranks see the same losses."""
    rates: list[float] = []
    losses: list[float] = []
    mean, best = 0.0, math.inf
    for i in range(settings.steps):
        rate = settings.lowest * (settings.highest / settings.lowest) ** (i / (settings.steps - 1))
        try:
            loss = advance(state, setting, rate).loss
        except TrainingError:
            return rates, losses, True
        rates.append(rate)
        losses.append(loss)
        mean = MEMORY * mean + (1 - MEMORY) * loss
        told = mean / (1 - MEMORY ** (i + 1))
        best = min(best, told)
        if told > WORSE * best:
            return rates, losses, True
    return rates, losses, False


def smooth(values: Sequence[float], reach: int) -> list[float]:
    """The mean of each value and its neighbours, nearer ones counting more; fewer of them at the ends."""
    result = []
    for i in range(len(values)):
        near = min(reach, i, len(values) - 1 - i)  # as many on both sides, or a slope would bend at the ends
        shares = [near + 1 - abs(k) for k in range(-near, near + 1)]
        result.append(sum(s * values[i + k] for s, k in zip(shares, range(-near, near + 1), strict=True)) / sum(shares))
    return result


def chance(losses: Sequence[float], smoothed: Sequence[float]) -> float:
    """How much the loss differs from batch to batch, as a standard deviation: by the middle one of its steps up to the
    lowest place, so that neither a fall nor an explosion counts."""
    bottom = min(range(len(smoothed)), key=smoothed.__getitem__, default=0)
    before = losses[: max(bottom + 1, len(losses) // 2)]
    steps = [abs(after - earlier) for earlier, after in pairwise(before)]
    return median(steps) / (NORMAL_MIDDLE * math.sqrt(2)) if steps else 0.0


def found(rates: Sequence[float], smoothed: Sequence[float], noise: float = 0.0) -> tuple[float | None, float | None]:
    """Where the loss falls most steeply beside the logarithm of the rate, and where it is lowest.

    `noise`: the deviation of a batch's loss; a fall that it may have made is none.
    """
    if not smoothed:
        return None, None
    bottom = min(range(len(smoothed)), key=smoothed.__getitem__)
    begin = fmean(smoothed[: 1 + len(smoothed) // NEIGHBOURS]) if noise else smoothed[0]
    fall = begin - smoothed[bottom]
    if not bottom or fall < max(FELL * abs(begin), BEYOND_CHANCE * noise):
        return None, None
    high = (i for i in range(bottom) if smoothed[i] >= begin - BEGUN * fall)
    inner = range(max((1, *high)) if noise else 1, bottom + 1)
    slopes = {i: smoothed[min(i + 1, bottom)] - smoothed[i - 1] for i in inner}
    steps = {i: math.log(rates[min(i + 1, bottom)] / rates[i - 1]) for i in inner}
    steepest = min(inner, key=lambda i: slopes[i] / steps[i])
    return rates[steepest], rates[bottom]


def chart(rates: Sequence[float], losses: Sequence[float], mark: float | None) -> list[str]:
    """The curve in characters: the rate to the right, by its logarithm, the loss upwards; a line where the mark is."""
    if len(rates) < 2:
        return ["no curve: the first steps exploded"]
    first, span = math.log(rates[0]), math.log(rates[-1] / rates[0])
    ceiling = min(
        max(losses), max(losses[0], losses[0] + (losses[0] - min(losses)) * 0.5)
    )  # the explosion goes on above
    floor = min(losses)
    height = max(ceiling - floor, 1e-12)
    cells = [[" "] * COLUMNS for _ in range(LINES)]

    def column(rate: float) -> int:
        return round((math.log(rate) - first) / span * (COLUMNS - 1))

    if mark is not None and rates[0] <= mark <= rates[-1]:
        for line in cells:
            line[column(mark)] = "|"
    for rate, loss in zip(rates, losses, strict=True):
        row = round((ceiling - min(loss, ceiling)) / height * (LINES - 1))
        cells[row][column(rate)] = "*"
    names = {0: f"{ceiling:.3g}", LINES - 1: f"{floor:.3g}"}
    drawn = [f"{names.get(i, ''):>8} {''.join(line).rstrip()}" for i, line in enumerate(cells)]
    low, high = f"{rates[0]:.1e}", f"{rates[-1]:.1e}"
    return [*drawn, " " * 9 + low + high.rjust(COLUMNS - len(low))]
