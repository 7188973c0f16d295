"""Where validation turned, by the losses of the same items at all looks: in pairs, and allowing for the choice.

    along       all that the losses of a run's looks tell
    by_curves   the rise of the last look over the best one before it
    turned      the look from which on each one is worse than one before it, beyond chance
    weighted    losses as sums over targets, as the losses of items whose mean is that over all targets

    d_k = mean over items of (loss at the look in question - loss at look k), for each earlier look k
    t_k = d_k / standard error of d_k        rise = max d_k        H0: no earlier look has a lower expected loss

The best earlier look is picked by the very losses that it is tested with, so that its t alone is too sure. Chance is
therefore that of the largest t_k of all: they are jointly t with the correlations that the items show (Hothorn, Bretz
and Westfall 2008, section 3), and the largest is drawn. Looks next to each other have nearly the same losses, which is
why this costs less than Bonferroni's correction, and never more. Of very many looks some are compared, and it is
allowed for that the best was picked from all (`rise.spread`, `rise.folds`). The lower end of the interval is the
largest of the d_k - c s_k. The upper end is the largest of the d_k + t s_k, which takes no correction: it is too low
only where that of the one best look is.

Looks are asked from the last one back, each at the full level, until one is not worse beyond chance: in an order that
is fixed beforehand nothing has to be corrected (Maurer, Hothorn and Lehmacher 1995). Left out: means of looks without
items (`rise.by_looks`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Float
from scipy.special import stdtr, stdtrit

from seqwise.errors import DataError
from seqwise.stats.means import paired
from seqwise.stats.results import LEVEL, Interval, Test
from seqwise.stats.samples import ROUNDING, numbers
from seqwise.verdict.rise import UNIT, detectable, detected, folds, spread

# K looks, N items, R draws

DRAWS, MOST = 20_000, 4_000_000
"""Of the largest t, and numbers drawn at most."""
ALIKE = 1e-7
"""Of the widest error: looks that differ by less are the same one, and what their difference is made of is rounding."""


def weighted(nats: Float[np.ndarray, "*K N"], targets: Float[np.ndarray, "N"]) -> Float[np.ndarray, "*K N"]:
    """A mean over all targets as a mean over items, of the spread that it has because items are drawn, not targets.

    mean + (nats - mean * targets) / mean of targets        the linearized ratio (Cochran 1977, section 6.4)
    """
    mean = nats.sum(-1, keepdims=True) / targets.sum()
    return np.asarray(mean + (nats - mean * targets) / targets.mean())


@dataclass(frozen=True)
class Turn:
    """What the losses of a run's looks tell."""

    best: int
    """Step with the lowest mean; looks at the very weights of the last one count as the last one."""
    rise: Test
    turned: int | None
    """Step that validation turned at."""


@dataclass(frozen=True)
class Highest:
    """The rise of one look over those before it."""

    value: float
    """Over the best of these."""
    best: int
    """Which one that is."""
    error: float
    """Of the rise over it."""
    statistic: float
    """The largest t."""
    tail: float
    """One-sided chance of it."""
    critical: float
    """That the largest t exceeds in so many cases of a hundred as an interval leaves out above."""
    interval: Interval

    @property
    def rejected(self) -> bool:
        """Whether some look before it is better, beyond chance."""
        return self.interval.low > 0


class Curves:
    """Losses of the same items at all looks, in order; and how far chance carries their means."""

    def __init__(self, losses: Sequence[Float[np.ndarray, "N"]], of: int = 1) -> None:
        """of: `rise.folds`, where these are some of more looks."""
        rows = [numbers(one, "validation losses") for one in losses]
        lengths = {one.shape for one in rows}
        if len(lengths) > 1 or not rows or rows[0].ndim != 1 or len(rows[0]) < 2:
            shown = " and ".join(sorted(str(shape) for shape in lengths))
            given = f"validation losses of shapes {shown}"
            raise DataError(given, "the same items, two at least", "one order of items")
        if not all(np.isfinite(one).all() for one in rows):
            raise DataError("validation losses that are not finite", "finite ones", "leaving out such items")
        self.losses, self.of = np.stack(rows), of  # (K, N)
        self.df = self.losses.shape[1] - 1
        # against the last look what sets items apart is gone, before anything is squared
        self.rises = self.losses[-1] - self.losses  # (K, N)
        away = self.rises - self.rises.mean(1, keepdims=True)
        self.means = self.rises.mean(1)  # (K,)
        self.products = away @ away.T / (self.df * (self.df + 1))  # (K, K) covariance of the means
        self.scale = float(np.abs(self.losses).max(initial=0.0))

    def above(self, look: int) -> Highest | None:
        """Of a look over those before it; None where nothing moved."""
        rises = self.means[:look] - self.means[look]
        errors = self._errors(look)
        least = max(ROUNDING * self.scale, ALIKE * float(np.sqrt(np.diag(self.products).max())))
        live = np.flatnonzero(errors > least)
        if not len(live):
            return None
        t = rises[live] / errors[live]
        statistic, (critical, tail) = float(t.max()), self._chance(look, live, errors[live], float(t.max()))
        lone = float(stdtrit(self.df, (1 + LEVEL) / 2))
        best = live[int(rises[live].argmax())]
        low, high = (float((rises[live] + by * errors[live]).max()) for by in (-critical, lone))
        return Highest(
            float(rises[best]),
            int(best),
            float(errors[best]),
            statistic,
            tail,
            critical,
            Interval(low, high, LEVEL),
        )

    def _errors(self, look: int) -> Float[np.ndarray, "K"]:
        """Standard errors of the rises over the looks before it."""
        own = np.diag(self.products)
        squares = own[:look] + own[look] - 2 * self.products[:look, look]
        return np.asarray(np.sqrt(np.maximum(squares, 0.0)))

    def _chance(
        self, look: int, live: np.ndarray, errors: Float[np.ndarray, "K"], statistic: float
    ) -> tuple[float, float]:
        """What the largest t exceeds by chance alone, and the chance of this one.

        At least those of a single t, and at most Bonferroni's.
        """
        drawn = ((self._drawn[:, live] - self._drawn[:, [look]]) / errors).max(1)  # (R,)
        count, share = self.of * len(live), (1 - LEVEL) / 2
        lone, most = (float(stdtrit(self.df, 1 - share / among)) for among in (1, count))
        single = float(stdtr(self.df, -statistic))
        tail = self.of * (1 + int((drawn >= statistic).sum())) / (1 + len(drawn))
        critical = min(max(float(np.quantile(drawn, 1 - share / self.of)), lone), most)
        return critical, min(max(tail, single), count * single, 1.0)

    @cached_property
    def _drawn(self) -> Float[np.ndarray, "R K"]:
        """What the means of the rises have of chance, over the spread that so many items show of it."""
        values, vectors = np.linalg.eigh(self.products)
        chance = np.random.default_rng(0)
        count = min(DRAWS, max(1000, MOST // len(values)))
        drawn = chance.standard_normal((count, len(values))) @ (vectors * np.sqrt(values.clip(min=0.0))).T
        return np.asarray(drawn / np.sqrt(chance.chisquare(self.df, (count, 1)) / self.df))


def along(steps: Sequence[int], valid: Mapping[int, Float[np.ndarray, "N"]]) -> Turn | None:
    """All that the looks tell; None where losses of one are missing, or none moved.

    steps: of the looks, in order. valid: losses of the items by step.
    """
    if len(steps) < 2 or not set(steps) <= valid.keys():
        return None
    shown = [steps[place] for place in spread(len(steps), int(np.argmin([valid[step].mean() for step in steps])))]
    curves = Curves([valid[step] for step in shown], folds(len(steps)))
    found, rise = curves.above(len(shown) - 1), by_curves(curves, shown)
    if found is None or rise is None:
        return None
    if len(shown) < len(steps):
        told = f"{len(shown):,} of {len(steps):,} looks are compared, with the best of all, which p allows for."
        rise = replace(rise, notes=(*rise.notes, told))
    first = turned(curves)
    return Turn(shown[found.best] if found.value >= 0 else shown[-1], rise, None if first is None else shown[first])


def by_curves(curves: Curves, steps: Sequence[int]) -> Test | None:
    """Of the last look over the best one before it; None where nothing moved. steps: of all looks."""
    last = len(steps) - 1
    found = curves.above(last) if last else None
    if found is None:
        return None
    losses, names = curves.losses, (f"step {steps[-1]}", f"step {steps[found.best]}")
    alone = paired(losses[-1], losses[found.best], names, name="validation loss", unit=UNIT)
    return replace(
        alone,
        name="t-test of the same items against all earlier looks, by the largest t",
        null=f"no look before step {steps[-1]} has a lower expected validation loss",
        symbol="max t",
        statistic=found.statistic,
        p=min(1.0, 2 * found.tail),
        n={"validation items": losses.shape[1], "looks": len(steps)},
        effect=replace(alone.effect, interval=found.interval),
        why="the same validation items at all looks, so that what sets items apart cancels out; chance is that of the "
        f"largest t of all, as the best of {last} earlier looks was picked"
        if last > 1
        else alone.why,
        detectable=detectable(detected(found.critical, curves.df) * found.error),
    )


def turned(curves: Curves) -> int | None:
    """The first look from which on each is worse than one before it, beyond chance; None where the last is not."""
    first = None
    for look in range(len(curves.losses) - 1, 0, -1):
        found = curves.above(look)
        if found is None or not found.rejected:
            break
        first = look
    return first
