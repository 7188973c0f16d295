"""Whether the chances that a classifier tells are true: of the texts it is 80 % sure of, are 80 % right?

    expected_calibration_error   the mean gap between how sure and how often right, over bins of confidence
    brier, nll                   proper scores of the whole distribution: lowest where the chances are the true ones
    fit_temperature              one number that all logits are divided by (Guo et al. 2017, section 4.2)
    calibrate                    all of that before and after a temperature
    cover                        accuracy where only the surest texts are answered (selective prediction)

A temperature fitted on the texts that it is then judged by looks better than it is. `calibrate` fits it on one half and
judges the other, and the other way round, unless it is handed one from elsewhere.

The error is never 0: bins of a few texts are off by chance. `Calibration.chance` tells what a perfectly calibrated
model would show. Left out: several labels of a text, and calibrating each label by itself.
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float, Int
from rich.console import Group
from rich.table import Table
from rich.text import Text

from seqwise.errors import DataError

# N texts, L labels

Logits = Float[np.ndarray, "N L"]
Truth = Int[np.ndarray, "N"]

BINS = 15  # as Guo et al. 2017
COLDEST, HOTTEST = 0.05, 20.0
"""A temperature beyond these is no calibration: where all is right, the best one would be 0."""
DRAWN = 200  # models drawn to learn what chance does; fewer of many texts, where chance does little
SHOWN = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5)  # coverages of the table
FEWEST = 20  # texts: with fewer, two halves say nothing


@dataclass(frozen=True)
class Bin:
    """Texts of about the same confidence."""

    n: int
    confidence: float
    """Mean chance of the label that was found."""
    accuracy: float
    """Share that is right."""


@dataclass(frozen=True)
class Fit:
    """How true the chances are, before or after a temperature. The lower, the better."""

    mass: float
    """Expected calibration error over bins of equally many texts, from 0 to 1."""
    width: float
    """The same over bins of equally wide confidence, which is what most papers tell."""
    brier: float
    """Mean squared distance between chances and truth, over all labels: from 0 to 2 (Brier 1950)."""
    nll: float
    """Mean surprise at the true label, in nats."""
    bins: tuple[Bin, ...]
    """Of equal mass."""


@dataclass(frozen=True)
class Calibration:
    """How true the chances are, and what a temperature mends."""

    before: Fit
    after: Fit | None
    """None where there are too few texts for two halves."""
    temperatures: tuple[float, ...]
    """What the logits are divided by: above 1 where the model is too sure of itself. Of the two halves, or the one
    that was given."""
    given: bool
    """Whether the temperature came from other texts."""
    chance: float
    """The error of equal mass that a perfectly calibrated model would show on so many texts."""
    n: int

    @property
    def told(self) -> str:
        """One line."""
        first = f"calibration error {100 * self.before.mass:.1f} points"
        by_chance = f"{100 * self.chance:.1f} by chance alone"
        if self.after is None:
            return f"{first} ({by_chance}; too few texts for a temperature)"
        mean = float(np.exp(np.log(self.temperatures).mean()))
        how = "from other texts" if self.given else "each half judged by the other's"
        return f"{first}, {100 * self.after.mass:.1f} after a temperature of {mean:.2f} ({how}; {by_chance})"

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def __rich__(self) -> Group:
        table = Table("texts", "confidence", "right")
        for one in self.before.bins:
            table.add_row(f"{one.n:,}", f"{100 * one.confidence:.1f} %", f"{100 * one.accuracy:.1f} %")
        told = "\n".join(_line(name, fit) for name, fit in self._named())
        return Group(Text("reliability, in bins of equally many texts"), table, Text(told))

    def _named(self) -> list[tuple[str, Fit]]:
        return [("before", self.before), *([("after", self.after)] if self.after else [])]


@dataclass(frozen=True)
class Point:
    """The surest texts, and how many of them are right."""

    coverage: float
    """Share of the texts that is answered."""
    accuracy: float
    """Share of those that is right."""
    threshold: float
    """The least confidence among them."""


@dataclass(frozen=True)
class Coverage:
    """Accuracy against coverage."""

    points: tuple[Point, ...]
    area: float
    """Mean accuracy over all coverages: 1 less AURC (Geifman and El-Yaniv 2017)."""
    best: float
    """The area if all right answers were surer than all wrong ones."""
    n: int

    @property
    def told(self) -> str:
        """One line."""
        half = self.points[SHOWN.index(0.8)]
        return (
            f"answering the surest {100 * half.coverage:.0f} %: {100 * half.accuracy:.1f} % right; "
            f"area {100 * self.area:.1f} of at most {100 * self.best:.1f}"
        )

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def __rich__(self) -> Group:
        table = Table("answered", "right", "confidence from")
        for one in self.points:
            table.add_row(f"{100 * one.coverage:.0f} %", f"{100 * one.accuracy:.1f} %", f"{one.threshold:.3f}")
        return Group(Text("accuracy against coverage"), table)


def calibrate(
    logits: Logits, true: Truth, temperature: float | None = None, bins: int = BINS, seed: int = 12345
) -> Calibration:
    """How true the chances are, before and after a temperature.

    temperature   fitted on other texts; None: fitted on each half of these and judged on the other
    """
    _checked(logits, true)
    before = chances(logits)  # (N, L)
    confidence = before.max(1)  # (N,)
    floor = _by_chance(confidence, bins, seed)
    temperatures: tuple[float, ...] = ()
    after = None
    if temperature is not None:
        temperatures = (temperature,)
        after = _fit(chances(logits, temperature), true, bins)
    elif len(true) >= FEWEST:
        scaled, temperatures = _crossed(logits, true, seed)
        after = _fit(scaled, true, bins)
    return Calibration(_fit(before, true, bins), after, temperatures, temperature is not None, floor, len(true))


def chances(logits: Logits, temperature: float = 1.0) -> Logits:
    """Softmax in double precision."""
    scaled = np.asarray(logits, dtype=np.float64) / temperature
    powers = np.exp(scaled - scaled.max(1, keepdims=True))
    found: Logits = powers / powers.sum(1, keepdims=True)
    return found


def fit_temperature(logits: Logits, true: Truth) -> float:
    """The temperature with the least surprise at the true labels. To be applied to other texts than these.

    The surprise is convex in 1 / T, so that there is one minimum, and the search needs no start.
    """
    from scipy.optimize import minimize_scalar  # half a second, which nobody else should wait for

    _checked(logits, true)
    wide = np.asarray(logits, dtype=np.float64)
    bounds = float(np.log(COLDEST)), float(np.log(HOTTEST))
    exact = {"xatol": 1e-8}
    found = minimize_scalar(lambda t: _surprise(wide, true, np.exp(t)), bounds=bounds, method="bounded", options=exact)
    return float(np.exp(found.x))


def _surprise(logits: Logits, true: Truth, temperature: float) -> float:
    scaled = logits / temperature
    top = scaled.max(1)  # (N,)
    return float((top + np.log(np.exp(scaled - top[:, None]).sum(1)) - scaled[np.arange(len(true)), true]).mean())


def _crossed(logits: Logits, true: Truth, seed: int) -> tuple[Logits, tuple[float, ...]]:
    """Chances of each half by the temperature of the other; and the temperatures."""
    order = np.random.default_rng(seed).permutation(len(true))
    halves = order[: len(true) // 2], order[len(true) // 2 :]
    scaled, temperatures = np.empty(logits.shape), []
    for judged, fitted in (halves, halves[::-1]):
        temperatures.append(fit_temperature(logits[fitted], true[fitted]))
        scaled[judged] = chances(logits[judged], temperatures[-1])
    return scaled, tuple(temperatures)


def _fit(found: Logits, true: Truth, bins: int) -> Fit:
    confidence, right = found.max(1), found.argmax(1) == true
    return Fit(
        expected_calibration_error(confidence, right, bins),
        expected_calibration_error(confidence, right, bins, "width"),
        brier(found, true),
        nll(found, true),
        reliability(confidence, right, bins),
    )


def expected_calibration_error(
    confidence: Float[np.ndarray, "N"],
    right: Bool[np.ndarray, "N"],
    bins: int = BINS,
    equal: Literal["mass", "width"] = "mass",
) -> float:
    """The mean gap between confidence and accuracy, over bins, weighted by their texts; from 0 to 1."""
    rows = reliability(confidence, right, bins, equal)
    return sum(row.n * abs(row.confidence - row.accuracy) for row in rows) / len(confidence)


def reliability(
    confidence: Float[np.ndarray, "N"],
    right: Bool[np.ndarray, "N"],
    bins: int = BINS,
    equal: Literal["mass", "width"] = "mass",
) -> tuple[Bin, ...]:
    """Bins of equally many texts, or equally wide ones, closed to the right: 1 lies in the last. None is empty."""
    if equal == "mass":
        groups = np.array_split(np.argsort(confidence, kind="stable"), min(bins, len(confidence)))
        share = _shared(confidence, right)
    else:
        places = np.clip(np.ceil(confidence * bins - 1e-9).astype(int) - 1, 0, bins - 1)  # (N,)
        groups, share = [np.flatnonzero(places == place) for place in range(bins)], right.astype(np.float64)
    return tuple(
        Bin(len(group), float(confidence[group].mean()), float(share[group].mean())) for group in groups if len(group)
    )


def _shared(confidence: Float[np.ndarray, "N"], right: Bool[np.ndarray, "N"]) -> Float[np.ndarray, "N"]:
    """How often texts of the very same confidence are right: in place of each of them, so that order means nothing."""
    _, group = np.unique(confidence, return_inverse=True)  # (N,)
    found: Float[np.ndarray, "N"] = (np.bincount(group, right) / np.bincount(group))[group]
    return found


def brier(found: Logits, true: Truth) -> float:
    """Mean over texts of the squared distance between the chances and the truth."""
    wanted = np.zeros_like(found)
    wanted[np.arange(len(true)), true] = 1
    return float(((found - wanted) ** 2).sum(1).mean())


def nll(found: Logits, true: Truth) -> float:
    """Mean surprise at the true label, in nats; a chance of 0 counts as the smallest number there is."""
    return float(-np.log(np.maximum(found[np.arange(len(true)), true], np.finfo(np.float64).tiny)).mean())


def _by_chance(confidence: Float[np.ndarray, "N"], bins: int, seed: int) -> float:
    """The error of a model as sure as this one that is right as often as it says."""
    generator, ordered, n = np.random.default_rng(seed), np.sort(confidence), len(confidence)
    starts = np.cumsum([0, *(len(part) for part in np.array_split(ordered, min(bins, n))[:-1])])
    errors = [
        np.abs(np.add.reduceat(_shared(ordered, generator.random(n) < ordered) - ordered, starts)).sum() / n
        for _ in range(min(DRAWN, max(20, 4_000_000 // n)))
    ]
    return float(np.mean(errors))


def cover(logits: Logits, true: Truth) -> Coverage:
    """Accuracy of the surest texts. Of equally sure ones each stands for their mean, so that their order is nothing."""
    _checked(logits, true)
    found = chances(logits)
    confidence, right = found.max(1), found.argmax(1) == true
    order, n = np.argsort(-confidence, kind="stable"), len(true)
    sure = confidence[order]
    curve = _shared(confidence, right)[order].cumsum() / np.arange(1, n + 1)  # (N,)
    ideal = np.minimum(1.0, right.sum() / np.arange(1, n + 1))
    points = []
    for share in SHOWN:
        kept = max(1, round(share * n))
        points.append(Point(kept / n, float(curve[kept - 1]), float(sure[kept - 1])))
    return Coverage(tuple(points), float(curve.mean()), float(ideal.mean()), n)


def _line(name: str, fit: Fit) -> str:
    return (
        f"{name}: error {100 * fit.mass:.2f} (equal width {100 * fit.width:.2f}) points, "
        f"Brier {fit.brier:.4f}, NLL {fit.nll:.4f}"
    )


def _checked(logits: Logits, true: Truth) -> None:
    if len(logits) != len(true) or not len(true):
        raise DataError(f"{len(logits):,} rows of logits and {len(true):,} labels", "as many, at least one", "others")
    if logits.shape[1] < 2:
        raise DataError("one logit a text", "one for each of two labels or more", "a model that names labels")
    if true.min() < 0 or true.max() >= logits.shape[1]:
        wrong = int(true.max() if true.max() >= logits.shape[1] else true.min())
        raise DataError(f"label {wrong} of {logits.shape[1]}", f"0 to {logits.shape[1] - 1}", "other labels")
    if not np.isfinite(logits).all():
        raise DataError("logits that are not finite", "finite numbers", "fp32, or another model")
