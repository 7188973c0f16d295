"""Spectrum: which periods make up a series, and whether the strongest is more than chance.

    periodogram   share of the variance that each frequency k/N holds, after a straight line is taken out
    Welch         the same averaged over overlapping segments: less sharp, far less noisy (Welch 1967)
    Fisher's g    share of the strongest frequency against white noise, exact (Fisher 1929)

Fisher's null is white noise, so a series whose neighbours are alike is refused whether it is periodic or not: long
periods are strong in both. So the test is done again with the spectrum of an autoregression of order 1 divided out
(red noise: Torrence and Compo 1998, section 4), and what only white noise does not show is told as such.

Left out: unevenly spaced values (Lomb-Scargle), wavelets, tapers to choose from.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped
from scipy.special import betainc, gammaln

from seqwise.errors import DataError
from seqwise.stats.autocorrelation import acf
from seqwise.stats.phrases import chance, counted, number, percent
from seqwise.stats.results import Estimate, Grid, Test, plain
from seqwise.stats.samples import Row, flat, sample

# N values, F frequencies

LEAST = 8  # values
PEAKS = 5
SEGMENT = 256  # values of a segment of Welch's
DOUBT = 0.05


@dataclass(frozen=True)
class Peak:
    """A frequency that is stronger than its neighbours."""

    period: float
    """Values."""
    share: float
    """Of the variance, after the straight line is taken out."""


@dataclass(frozen=True)
class Spectrum:
    """Frequencies in cycles for each value, from 1/N to 1/2."""

    name: str
    n: int
    frequencies: tuple[float, ...]
    shares: tuple[float, ...]
    """Of the variance; they sum to 1."""
    smooth_frequencies: tuple[float, ...]
    smooth: tuple[float, ...]
    """Welch's density, in squared units of the values for each cycle."""
    peaks: tuple[Peak, ...]
    """The strongest first."""
    fisher: Test
    red: float
    """p of the same test after the spectrum of noise whose neighbours are as much alike is divided out."""

    def sentences(self) -> tuple[str, ...]:
        """The strongest period, and what chance has to do with it."""
        if not self.peaks:
            return (f"No frequency of {self.name} stands out from its neighbours ({counted(self.n, 'value')}).",)
        top, test = self.peaks[0], self.fisher
        period, share = number(top.period, 3), percent(top.share, small=3)
        what = f"a period of {period} values holds {share} of the variance of {self.name}"
        g = f"Fisher's g = {number(test.statistic, 3)}, {chance(test.p)}, {counted(self.n, 'value')}"
        if test.rejected and self.red < DOUBT:
            told = f"{what}, more than the strongest of noise would, be its neighbours alike or not"
        elif test.rejected:
            told = f"{what}, as noise would do whose neighbours are as much alike ({chance(self.red)}), white noise not"
        else:
            told = f"No period of {self.name} is stronger than chance has it: the strongest, of "
            told += f"{period} values, holds {share} of the variance"
        return (f"{told[0].upper()}{told[1:]} ({g}).",)

    def grids(self) -> tuple[Grid, ...]:
        """The strongest periods."""
        rows = tuple((peak.period, peak.share) for peak in self.peaks)
        return (Grid(f"strongest periods of {self.name}", ("values", "share of variance"), rows),)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return dict(plain(self))


def spectrum(values: Shaped[np.ndarray, "N"], name: str = "values") -> Spectrum:
    """Of values at equal distances in time."""
    x = sample(values, name, LEAST, varied=True)
    left = straightened(x)
    if flat(left, float(np.ptp(x))) or float(left.std()) < 1e-9 * float(x.std()):
        given = f"{name} that is a straight line"
        raise DataError(given, "values that vary about it", "another column")
    frequencies, shares = periodogram(left)
    smooth_frequencies, smooth = _welch(left)
    inner = np.concatenate([[-1.0], shares, [-1.0]])
    places = np.flatnonzero((inner[1:-1] > inner[:-2]) & (inner[1:-1] >= inner[2:]))
    strongest = places[np.argsort(-shares[places], kind="stable")][:PEAKS]
    peaks = tuple(Peak(1 / float(frequencies[place]), float(shares[place])) for place in strongest)
    test, red = _fisher(frequencies, shares, name, len(x)), shares / _red(frequencies, float(acf(left, 1)[1]))
    return Spectrum(
        name, len(x), tuple(frequencies.tolist()), tuple(shares.tolist()), tuple(smooth_frequencies.tolist()),
        tuple(smooth.tolist()), peaks, test, _fisher(frequencies, red, name, len(x)).p,
    )  # fmt: skip


def _red(frequencies: Row, r: float) -> Row:
    """The spectrum of noise whose neighbours correlate by r."""
    return np.asarray(1 / (1 + r * r - 2 * r * np.cos(2 * math.pi * frequencies)))


def straightened(x: Row) -> Row:
    """What a straight line leaves over."""
    steps = np.arange(len(x)) - (len(x) - 1) / 2
    gaps = x - x.mean()
    return np.asarray(gaps - steps * (float(steps @ gaps) / float(steps @ steps)))


def periodogram(x: Row) -> tuple[Float[np.ndarray, "F"], Float[np.ndarray, "F"]]:
    """Frequencies k/N and the share of the variance that each holds."""
    n = len(x)
    power = np.abs(np.fft.rfft(x - x.mean())[1:]) ** 2  # (F,)
    if n % 2 == 0:
        power[-1] /= 2  # frequency 1/2 has a cosine and no sine
    return np.arange(1, len(power) + 1) / n, power / power.sum()


def fisher_p(g: float, m: int) -> float:
    """Chance that of m equally strong frequencies one holds the share g or more.

    sum over j of (-1)^(j-1) C(m, j) (1 - j g)^(m-1)        Fisher 1929

    The terms alternate and lose all digits where many frequencies are likely to hold as much; there it is 1.
    """
    if m < 2 or m * (1 - g) ** (m - 1) > 12:  # so many are expected: none would be a chance of exp(-12)
        return 1.0
    total = 0.0
    for j in range(1, min(m, math.floor(1 / g)) + 1):
        rest = 1 - j * g
        if rest <= 0:
            break
        size = float(gammaln(m + 1) - gammaln(j + 1) - gammaln(m - j + 1)) + (m - 1) * math.log(rest)
        total += (-1) ** (j - 1) * math.exp(size)
        if size < -50:
            break
    return min(1.0, max(0.0, total))


def _fisher(frequencies: Row, shares: Row, name: str, n: int) -> Test:
    """Fisher's; where frequency 1/2 is strongest, which has a cosine and no sine, its share is beta distributed."""
    shares = shares / shares.sum()
    top, m = int(shares.argmax()), (n - 1) // 2
    g = float(shares[top])
    if top < m:
        g /= float(shares[:m].sum())
        p = fisher_p(g, m)
    else:
        p = min(1.0, (m + 1) * float(betainc(m, 0.5, 1 - g)))  # Bonferroni: any of them might have been strongest
    return Test(
        name="Fisher's g test",
        null=f"{name} is white noise about a straight line: normal, and independent from one value to the next",
        symbol="g",
        statistic=g,
        df=(),
        p=p,
        n={name: n},
        effect=Estimate(f"share of the variance at a period of {number(1 / float(frequencies[top]), 3)} values", g),
        why="asks of the strongest frequency, as the strongest of many is always strong",
    )


def _welch(x: Row) -> tuple[Row, Row]:
    from scipy.signal import welch  # half a second, which not everybody should wait for

    size = min(SEGMENT, max(LEAST, len(x) // 2))
    frequencies, power = welch(x, nperseg=size)
    return np.asarray(frequencies[1:]), np.asarray(power[1:])
