"""How far a loss rose above its lowest look, and whether that is more than chance.

    by_items   from the losses of the same items at both steps alone: a paired t test; at all looks: `turning`
    by_looks   from the means alone: against their jitter around a smooth curve
    from_means where the losses turned, by their means
    spread     which looks are compared, of very many
    jitter     that spread, by second differences (Gasser, Sroka and Jennen-Steinmetz, Biometrika 73 (1986) 625)
    detected   how large a rise has to be to be found

The interval is of the rise above the best of all expected losses, whichever look that is of. The lowest look was picked
from many, so that its lower end, and p with it, hold for all of them at once: by Bonferroni for items, for looks by
drawing curves that are flat but for their jitter, where the lowest of many differs most from the end. The upper end
needs no more than to hold for the best look, and the lowest one seen is farther below the end than that.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import ceil, sqrt

import numpy as np
from jaxtyping import Float
from scipy.special import gammaincinv, ndtr, stdtr, stdtrit

from seqwise.stats.crossing import crossing
from seqwise.stats.means import paired, student
from seqwise.stats.power import POWER
from seqwise.stats.results import LEVEL, Estimate, Interval, Test
from seqwise.stats.samples import ROUNDING, flat, numbers

# N items, K looks, R curves drawn

Losses = Float[np.ndarray, "_"]
LEAST = 5
"""Looks that a smooth curve, and the spread around it, can be told from."""
UNIT = "nats"
STRIPS = 1000
"""Of the distribution of a spread, of equal chance."""
CURVES, MOST = 20_000, 4_000_000
"""Drawn, and looks of all of them together at most."""
LOOKS = 300
"""That are compared at most: time and memory grow with their square."""


def by_items(after: Losses, before: Losses, steps: tuple[int, int], picked: int = 1) -> Test | None:
    """Of the second step of `steps` over the first; None where nothing moved.

    picked: how many looks could have been the lowest; 1 where these items had no part in picking it.
    """
    first, last = steps
    after, before = (numbers(losses, "validation losses") for losses in (after, before))
    if after.shape == before.shape and flat(after - before, float(np.abs(before).max(initial=0.0))):
        return None
    test = paired(after, before, (f"step {last}", f"step {first}"), name="validation loss", unit=UNIT)
    value, df = test.effect.value, test.df[0]
    error, level = float((after - before).std(ddof=1)) / sqrt(len(after)), 1 - (1 - LEVEL) / picked
    low, high = student(value, error, df, level).low, student(value, error, df).high
    tail = min(picked * float(stdtr(df, -value / error)), float(stdtr(df, value / error)))
    widened = f"; widened, as the lowest of {picked + 1} looks was picked" if picked > 1 else ""
    return replace(
        test,
        p=min(1.0, 2 * tail),
        effect=replace(test.effect, interval=Interval(low, high, LEVEL)),
        why=f"the same validation items at both steps, so that what sets items apart cancels out{widened}",
        detectable=detectable(detected(float(stdtrit(df, (1 + level) / 2)), df) * error),
    )


def spread(count: int, best: int) -> list[int]:
    """Places of the looks that are compared, the last one last: all, or the best one and others that lie evenly."""
    if count <= LOOKS:
        return list(range(count))
    return sorted({best, *np.linspace(0, count - 1, LOOKS - 1).round().astype(int).tolist()})


def folds(count: int) -> int:
    """How many times as many looks the best one was picked from as are compared.

    All of them are so many sets of looks as evenly spread, in each of which the largest has the same chance; by
    Bonferroni's inequality the chance of the largest of all is at most so many times that of one set.
    """
    return ceil(count / LOOKS)


def by_looks(steps: Float[np.ndarray, "K"], losses: Float[np.ndarray, "K"], of: int = 1) -> Test | None:
    """Of the last look over the lowest; None of too few looks. of: `folds`, where these are some of more."""
    count, best = len(steps), int(np.argmin(losses))
    if count < LEAST:
        return None
    drawn = _flat_curves(tuple(map(float, steps)), of)
    value, sd = float(losses[-1] - losses[best]), max(jitter(steps, losses)[0], ROUNDING * float(np.abs(losses).max()))
    if not sd:
        return None
    first, last = int(steps[best]), int(steps[-1])
    lowest = f"that at step {first}" if best + 1 < count else "any before it"
    return Test(
        name="test of the end against the lowest look, by drawn curves",
        null=f"expected validation loss at step {last} is not above {lowest}",
        symbol="rise/jitter",
        statistic=value / sd,
        df=(),
        p=min(1.0, 2 * of * (1 + int((drawn.rises >= value / sd).sum())) / (1 + len(drawn.rises))),
        n={"looks": count},
        effect=Estimate(
            f"step {last} minus the lowest, step {first}",
            value,
            Interval(value - drawn.low * sd, value + drawn.high * sd, LEVEL),
            UNIT,
        ),
        why="only the means of the looks are known: chance is their spread around a smooth curve, of which the lowest "
        f"of {count} was picked",
        detectable=detectable(drawn.detected * sd),
        notes=("Other validation items would add to chance: the means alone cannot tell how much.",),
    )


@dataclass(frozen=True, eq=False)
class _Drawn:
    """Of flat curves, in units of the jitter that is seen in them."""

    rises: Float[np.ndarray, "R"]
    """Of the end over the lowest look."""
    low: float
    """What chance alone hardly ever exceeds: of the lowest look, and of any single one."""
    high: float
    detected: float
    """A rise that is found four times in five."""


@lru_cache(maxsize=8)
def _flat_curves(steps: tuple[float, ...], of: int) -> _Drawn:
    """The same ones for each run with looks at these steps."""
    k = len(steps)
    curves = np.random.default_rng(0).standard_normal((min(CURVES, max(1, MOST // k)), k))  # (R, K)
    spreads = _spreads(np.array(steps), curves)  # (R,)
    rises = (curves[:, -1] - curves[:, :-1].min(1)) / spreads  # (R,)
    low = np.quantile(rises, 1 - (1 - LEVEL) / 2 / of)
    high = np.quantile((curves[:, 0] - curves[:, -1]) / spreads, (1 + LEVEL) / 2)
    return _Drawn(rises, float(low), float(high), float(np.quantile((low - rises) * spreads, POWER)))


def from_means(looks: Sequence[tuple[int, float]], best: int, rise: Test | None) -> int | None:
    """The first step behind the best one from which on all losses are above its own by more than chance."""
    if rise is None or not rise.rejected or rise.effect.value <= 0 or rise.effect.interval is None:
        return None
    half, found, lowest = rise.effect.value - rise.effect.interval.low, looks[-1][0], dict(looks)[best]
    for step, loss in reversed(looks):
        if step <= best or loss - lowest <= half:
            break
        found = step
    return found


def jitter(steps: Float[np.ndarray, "K"], values: Float[np.ndarray, "K"]) -> tuple[float, float]:
    """Sd of values around a smooth curve, and its degrees of freedom: each against the line through its neighbours.

    Without the first third, where losses fall so steeply that no line through neighbours follows them. Degrees of
    freedom are Satterthwaite's, as neighbouring residuals share values.
    """
    w = _lines(steps)
    return float(_spreads(steps, values[None])[0]), len(w) ** 2 / float(np.square(w @ w.T).sum())


def _lines(steps: Float[np.ndarray, "K"]) -> Float[np.ndarray, "L K"]:
    """What takes values to their distances from the lines through their neighbours, each of sd 1 where values are."""
    k = len(steps)
    begin = max(0, min(k // 3, k - LEAST))
    left = (steps[2:] - steps[1:-1]) / (steps[2:] - steps[:-2])  # (K - 2,) how much the left neighbour weighs
    rows, w = np.arange(k - 2), np.zeros((k - 2, k))
    w[rows, rows], w[rows, rows + 1], w[rows, rows + 2] = left, -1.0, 1 - left
    w /= np.sqrt(np.square(w).sum(1, keepdims=True))
    return w[begin:]


def _spreads(steps: Float[np.ndarray, "K"], curves: Float[np.ndarray, "R K"]) -> Float[np.ndarray, "R"]:
    return np.asarray(np.sqrt(np.square(curves @ _lines(steps).T).mean(1)))


def detected(critical: float, df: float) -> float:
    """Standard errors that a rise must have to lie beyond the critical value of t in four cases of five.

    Over the distribution of the spread: scipy's noncentral t, which `stats.power` asks, has no answer for some of the
    critical values that come of picking.
    """
    middles = (np.arange(STRIPS) + 0.5) / STRIPS
    spreads = np.sqrt(2 * gammaincinv(df / 2, middles) / df)  # (STRIPS,) estimated sd over the true one
    return crossing(lambda shift: float(ndtr(shift - critical * spreads).mean()), 0.0, 10 * (critical + 1), POWER)


def detectable(value: float) -> Estimate:
    """As a test tells it."""
    return Estimate("rise found four times in five", value, None, UNIT)
