"""How many items a test needs, and how small an effect a number of items can show.

    t tests          t_power  t_effect  t_items  welch_effect     by the noncentral t distribution
    ANOVA            anova_power  anova_effect  anova_items       by the noncentral F distribution; f = sd of means / sd
    tables           table_effect                                 by the noncentral chi-square distribution; Cohen's w
    proportions      proportions_effect  proportions_items        normal approximation
    pairs, yes or no pairs_effect  pairs_items  pairs_power    Connor 1987; exact, unconditional
                     flips_effect  flips_items                of the mid-p test, exact
    margins          non_inferiority_items  equivalence_items     normal approximation

Power is asked for before data are seen, or from their spread and number. From the effect that was seen it is not: that
power is but another name for the p-value (Hoenig and Heisey 2001). Numbers of items are returned as they come out of
the formula, to be rounded up; what no number of items can show is infinite.

Cohen 1988, Statistical Power Analysis; Connor, Biometrics 43 (1987) 207.
"""

from collections.abc import Callable, Sequence
from math import ceil, inf, sqrt

import numpy as np
from scipy.special import bdtr, chdtri, chndtr, fdtri, gammaincinv, ncfdtr, nctdtr, ndtr, ndtri, stdtrit

from seqwise.errors import ConfigError
from seqwise.stats.crossing import crossing, first, upwards
from seqwise.stats.results import LEVEL

POWER = 0.8
"""Four times in five, where nothing else is asked for."""
MOST = 100_000
"""Pairs for which the exact power of McNemar's test is summed up."""
LONG, MANY, RARE = 1e6, 2000, 1e-9
"""Changed pairs up to which the mid-p test is summed up; a chance of so many that is left out."""
STRIPS = 4000
"""Of a sum in place of an integral: five digits."""


def t_noncentrality(df: float, *, power: float = POWER, level: float = LEVEL, sides: int = 2) -> float:
    """How many standard errors an effect must have to be found that often by a t test."""
    _chances(power=power, level=level)
    return shift_beyond(float(stdtrit(df, 1 - (1 - level) / sides)), df, power=power, sides=sides)


def shift_beyond(critical: float, df: float, *, power: float = POWER, sides: int = 2) -> float:
    """The same, where the critical value is another than t's own, as with Tukey's intervals."""
    return upwards(lambda shift: beyond(critical, df, shift, sides), 0.0, power)


def beyond(critical: float, df: float, shift: float, sides: int = 2) -> float:
    """Chance that t with this noncentrality lies beyond the critical value."""
    above = _above(critical, df, shift)
    return above + (_above(critical, df, -shift) if sides == 2 else 0.0)


def _above(critical: float, df: float, shift: float) -> float:
    """Chance that it lies above; from the nearer tail, as 1 - nctdtr(df, shift, critical) loses its digits."""
    found = float(nctdtr(df, -shift, -critical))
    if np.isfinite(found):
        return found
    # scipy has no number for some large critical values: then over the distribution of the estimated sd
    spreads = np.sqrt(2 * gammaincinv(df / 2, (np.arange(STRIPS) + 0.5) / STRIPS) / df)  # (STRIPS,) over the true one
    return float(ndtr(shift - critical * spreads).mean())


def t_power(effect: float, n: float, *, groups: int = 1, level: float = LEVEL, sides: int = 2) -> float:
    """Chance that a t test finds an effect, in sds. groups: 1 for one sample or pairs, 2 for two samples of n each."""
    _chances(level=level)
    df = groups * (n - 1)
    critical = float(stdtrit(df, 1 - (1 - level) / sides))
    return beyond(critical, df, abs(effect) * sqrt(n / groups), sides)


def t_effect(n: float, *, groups: int = 1, power: float = POWER, level: float = LEVEL, sides: int = 2) -> float:
    """The smallest effect, in sds (of the differences, for pairs), that n items (a group) show that often."""
    _items(n, 2)
    return t_noncentrality(groups * (n - 1), power=power, level=level, sides=sides) / sqrt(n / groups)


def t_items(effect: float, *, groups: int = 1, power: float = POWER, level: float = LEVEL, sides: int = 2) -> float:
    """Items (a group) that show an effect of so many sds that often."""
    _chances(power=power, level=level)
    _effect(effect)
    return upwards(lambda n: t_power(effect, n, groups=groups, level=level, sides=sides), 2.0, power)


def welch_effect(sds: tuple[float, float], ns: tuple[int, int], *, power: float = POWER, level: float = LEVEL) -> float:
    """The smallest difference of means, in the unit of the sds, that Welch's test shows that often."""
    for n in ns:
        _items(n, 2)
    parts = [sd * sd / n for sd, n in zip(sds, ns, strict=True)]
    if not sum(parts) > 0:
        raise ConfigError(f"sds of {sds[0]:g} and {sds[1]:g}", "at least one above 0", "the sds of earlier data")
    return t_noncentrality(satterthwaite(parts, ns), power=power, level=level) * sqrt(sum(parts))


def satterthwaite(parts: Sequence[float], ns: Sequence[int]) -> float:
    """Degrees of freedom of Welch's test. parts: the variance of each mean, of so many items."""
    return sum(parts) ** 2 / sum(part * part / (n - 1) for part, n in zip(parts, ns, strict=True))


def anova_power(effect: float, groups: int, n: float, *, level: float = LEVEL) -> float:
    """Chance that one-way ANOVA of groups of n items finds means whose sd is `effect` times the sd within groups."""
    _chances(level=level)
    between, within = groups - 1, groups * (n - 1)
    critical = float(fdtri(between, within, level))
    return 1 - float(ncfdtr(between, within, groups * n * effect * effect, critical))


def anova_effect(groups: int, n: float, *, power: float = POWER, level: float = LEVEL) -> float:
    """The smallest Cohen's f that groups of n items show that often."""
    _items(groups, 2, "groups")
    _items(n, 2)
    return sqrt(f_noncentrality(groups - 1, groups * (n - 1), power=power, level=level) / (groups * n))


def f_noncentrality(df1: float, df2: float, *, power: float = POWER, level: float = LEVEL) -> float:
    """The noncentrality that an F test finds that often."""
    _chances(power=power, level=level)
    critical = float(fdtri(df1, df2, level))
    return upwards(lambda shift: 1 - float(ncfdtr(df1, df2, shift, critical)), 0.0, power)


def anova_items(effect: float, groups: int, *, power: float = POWER, level: float = LEVEL) -> float:
    """Items in each group that show a Cohen's f that often."""
    _chances(power=power)
    _items(groups, 2, "groups")
    _effect(effect)
    return upwards(lambda n: anova_power(effect, groups, n, level=level), 2.0, power)


def table_effect(n: int, df: int, *, power: float = POWER, level: float = LEVEL) -> float:
    """The smallest Cohen's w, the root of chi-square over n, that a chi-square test shows that often."""
    _chances(power=power, level=level)
    _items(n, 1)
    critical = float(chdtri(df, 1 - level))
    return sqrt(upwards(lambda shift: 1 - float(chndtr(critical, df, shift)), 0.0, power) / n)


def proportions_effect(share: float, ns: tuple[int, int], *, power: float = POWER, level: float = LEVEL) -> float:
    """The smallest difference of two independent shares near `share` that is shown that often."""
    for n in ns:
        _items(n, 1)
    return _normal(power, level) * sqrt(share * (1 - share) * (1 / ns[0] + 1 / ns[1]))


def proportions_items(first: float, second: float, *, power: float = POWER, level: float = LEVEL) -> float:
    """Items in each of two groups that show their shares to differ that often."""
    _chances(power=power, level=level)
    _chances(first=first, second=second)
    _effect(first - second)
    middle = (first + second) / 2
    under_null = float(ndtri((1 + level) / 2)) * sqrt(2 * middle * (1 - middle))
    under_effect = float(ndtri(power)) * sqrt(first * (1 - first) + second * (1 - second))
    return ((under_null + under_effect) / (first - second)) ** 2


def pairs_effect(n: int, changed: float, *, power: float = POWER, level: float = LEVEL) -> float:
    """The smallest difference of two paired shares that McNemar's test shows that often, where a share `changed` of
    the pairs goes one way or the other. Infinite where even all of them going one way would not be seen that often."""
    _chances(power=power, level=level)
    _items(n, 1)

    def lacking(difference: float) -> float:
        return _connor(changed, difference, power, level) - difference * sqrt(n)

    return inf if not 0 < changed <= 1 or lacking(changed) > 0 else crossing(lacking, 0.0, changed)


def flips_effect(n: int, changed: float, *, power: float = POWER, level: float = LEVEL) -> float:
    """The same of McNemar's mid-p test and exact, over all numbers of pairs that may change; Connor's where some
    thousands do. Connor's is too large where few change: of 200 pairs 5 % of which do, it is found in 87 %."""
    _chances(power=power, level=level)
    _items(n, 1)
    if not 0 < changed <= 1:
        return inf
    if n * changed > MANY:
        return pairs_effect(n, changed, power=power, level=level)
    found = _flips_power(n, changed, level)
    return crossing(found, 0.0, changed, power) if found(changed) >= power else inf


def flips_items(changed: float, difference: float, *, power: float = POWER, level: float = LEVEL) -> float:
    """Pairs that show such a difference that often by McNemar's mid-p test, exact, where a share `changed` goes one way
    or the other; Connor's where some thousands do. Connor's number is too large where few change, and too small where
    so few do that no p-value is below the level: four pairs that all go one way have 0.0625."""
    guess = pairs_items(max(0.0, (changed - difference) / 2), (changed + difference) / 2, power=power, level=level)
    if guess * changed > MANY or guess > LONG:
        return guess

    def enough(n: int) -> bool:
        return _flips_power(n, changed, level)(difference) >= power

    high = max(1, ceil(guess))
    while not enough(high):
        high *= 2
    return float(first(enough, 0, high))


def _flips_power(n: int, changed: float, level: float) -> Callable[[float], float]:
    """Of a difference, how often n pairs show it by the mid-p test."""
    pairs = np.arange(n + 1)  # that change
    chances = np.diff(np.concatenate([[0.0], bdtr(pairs, n, changed)]))  # (n + 1,)
    pairs, chances = pairs[chances > RARE], chances[chances > RARE]
    edge = np.array([_middle_edge(int(m), 1 - level) for m in pairs])

    def found(difference: float) -> float:
        gained = (changed + difference) / (2 * changed)
        tails = bdtr(np.maximum(edge, 0), pairs, gained) + bdtr(np.maximum(edge, 0), pairs, 1 - gained)
        return float(chances @ np.where(edge >= 0, tails, 0.0))

    return found


def _middle_edge(pairs: int, alpha: float) -> int:
    """The largest lesser count whose two-sided mid-p is below alpha; -1 where none is."""
    guess = int(pairs / 2 + float(ndtri(alpha / 2)) * sqrt(pairs) / 2)
    near = np.arange(max(0, guess - 4), min(pairs // 2, max(0, guess + 4)) + 1)
    before = np.where(near > 0, bdtr(np.maximum(near - 1, 0), pairs, 0.5), 0.0)
    within = near[bdtr(near, pairs, 0.5) + before < alpha]
    return int(within.max()) if within.size else -1


def pairs_items(lost: float, gained: float, *, power: float = POWER, level: float = LEVEL) -> float:
    """Pairs that show two paired shares to differ that often; lost and gained: shares of pairs that go either way."""
    _chances(power=power, level=level)
    _effect(gained - lost)
    if not (0 <= lost <= 1 and 0 <= gained <= 1 and lost + gained <= 1):
        raise ConfigError(f"shares {lost:g} and {gained:g} of pairs", "shares that add up to 1 at most", "0.05 and 0.1")
    return (_connor(lost + gained, gained - lost, power, level) / (gained - lost)) ** 2


def _connor(changed: float, difference: float, power: float, level: float) -> float:
    """Connor's numerator: standard errors without and with the difference."""
    spread = sqrt(max(0.0, changed - difference**2))
    return float(ndtri((1 + level) / 2)) * sqrt(changed) + float(ndtri(power)) * spread


def pairs_power(n: int, gained: float, lost: float, *, level: float = LEVEL) -> float:
    """Chance that McNemar's exact test finds a difference, over all numbers of pairs that may change."""
    _chances(level=level)
    _items(n, 1)
    if n > MOST:
        raise ConfigError(f"{n:,} pairs", f"at most {MOST:,}", "pairs_items, which is exact enough there")
    changed = gained + lost
    if not 0 < changed <= 1:
        raise ConfigError(f"shares {gained:g} and {lost:g} of pairs", "shares that add up to 1 at most", "0.1 and 0.05")
    pairs = np.arange(n + 1)  # that change
    chances = np.diff(np.concatenate([[0.0], bdtr(pairs, n, changed)]))  # (n + 1,)
    # The most pairs on the lesser side that still speak against chance; -1 where none do.
    edge = np.array([_edge(int(m), (1 - level) / 2) for m in pairs])
    low = np.where(edge >= 0, bdtr(np.maximum(edge, 0), pairs, gained / changed), 0.0)
    high = np.where(edge >= 0, bdtr(np.maximum(edge, 0), pairs, lost / changed), 0.0)
    return float(chances @ (low + high))


def _edge(pairs: int, tail: float) -> int:
    """The largest count whose tail of the binomial with one half is within the level; -1 where none is."""
    if not pairs:
        return -1
    guess = int(pairs / 2 + float(ndtri(tail)) * sqrt(pairs) / 2)
    near = np.arange(max(0, guess - 4), max(0, guess + 4) + 1)
    within = near[bdtr(near, pairs, 0.5) <= tail]
    return int(within.max()) if within.size else -1


def non_inferiority_items(
    margin: float, *, sd: float = 1.0, difference: float = 0.0, power: float = POWER, level: float = LEVEL
) -> float:
    """Pairs that show, one-sided, a true difference to be no worse than -margin; sd: of the differences."""
    _chances(power=power, level=level)
    _room(margin, margin + difference)
    return float(((ndtri(level) + ndtri(power)) * sd / (margin + difference)) ** 2)


def equivalence_items(margin: float, *, sd: float = 1.0, power: float = POWER, level: float = LEVEL) -> float:
    """Pairs that show (two one-sided tests) a difference, in truth 0, to be within the margin either way."""
    _chances(power=power, level=level)
    _room(margin, margin)
    return float(((ndtri(level) + ndtri((1 + power) / 2)) * sd / margin) ** 2)


def _normal(power: float, level: float) -> float:
    """Standard errors that an effect must have, by the normal distribution: 2.80 for 80 % at 95 %."""
    _chances(power=power, level=level)
    return float(ndtri((1 + level) / 2) + ndtri(power))


def _chances(**named: float) -> None:
    for name, value in named.items():
        if not 0 < value < 1:
            raise ConfigError(f"{name}={value:g}", "a share between 0 and 1", f"{name}=0.8")


def _items(n: float, least: int, what: str = "items") -> None:
    if not n >= least:
        raise ConfigError(f"{n:g} {what}", f"at least {least}", "a larger number")


def _effect(effect: float) -> None:
    if not abs(effect) > 0:
        raise ConfigError(f"an effect of {effect:g}", "an effect other than 0", "the smallest that would matter")


def _room(margin: float, room: float) -> None:
    if not room > 0:
        raise ConfigError(f"a margin of {margin:g}", "a margin above the true loss", "the smallest loss that matters")
