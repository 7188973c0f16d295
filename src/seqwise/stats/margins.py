"""Whether a loss, or a difference, is smaller than a margin: the question that a test of "no difference" cannot answer.

    no_worse_mean      pairs, means      one-sided t test against -margin
    equivalent         pairs, means      two one-sided t tests (Schuirmann 1987)
    no_worse_share     pairs, yes or no  Tango's score test against -margin (1998), of few by its estimated p

Here the null hypothesis is that the loss is as large as the margin: to refuse it is to show that it is not. The margin
is the user's, and has to be chosen before the data are seen. Intervals show the same as the tests: one-sided where the
test is, and two-sided at 2 level - 1 for equivalence (90 % for tests at 5 %).
"""

from math import inf, sqrt

from scipy.special import ndtri, stdtr, stdtrit

from seqwise.errors import ConfigError
from seqwise.stats.assumptions import INDEPENDENT, normal_means
from seqwise.stats.fewpairs import FEW
from seqwise.stats.means import Others, Values, differences
from seqwise.stats.phrases import amount, number, sure
from seqwise.stats.power import POWER, t_noncentrality
from seqwise.stats.proportions import POINTS, paired_above, paired_interval, pairs, tango_statistic
from seqwise.stats.results import LEVEL, Estimate, Interval, Test


def no_worse_mean(
    a: Values,
    b: Others,
    margin: float,
    names: tuple[str, str] = ("new", "old"),
    *,
    name: str = "value",
    unit: str = "",
    level: float = LEVEL,
) -> Test:
    """Whether the mean of a is no lower than that of b by the margin or more; two values of each item."""
    _positive(margin)
    d = differences(a, b, names)
    mean, error, df = float(d.mean()), float(d.std(ddof=1)) / sqrt(len(d)), len(d) - 1
    t = (mean + margin) / error
    low = mean - float(stdtrit(df, level)) * error
    return Test(
        name="one-sided paired t-test against the margin",
        null=f"the mean of {name} is lower for {names[0]} than for {names[1]} by {amount(margin, unit)} or more",
        symbol="t",
        statistic=t,
        df=(df,),
        p=float(stdtr(df, -t)),
        n={"pairs": len(d)},
        effect=Estimate(f"mean of {names[0]} minus {names[1]}", mean, Interval(low, inf, level), unit),
        why="the question is whether a loss is smaller than the margin; that none is found would not show it",
        assumptions=(normal_means({"the differences": d}, "normal mean difference"), INDEPENDENT),
        detectable=Estimate(
            "margin met four times in five without a loss",
            t_noncentrality(df, power=POWER, level=level, sides=1) * error,
            None,
            unit,
        ),
    )


def equivalent(
    a: Values,
    b: Others,
    margin: float,
    names: tuple[str, str] = ("new", "old"),
    *,
    name: str = "value",
    unit: str = "",
    level: float = LEVEL,
) -> Test:
    """Whether the means of a and b differ by less than the margin either way; two values of each item.

    The statistic is that of the side that is nearer to failing, and p the larger of both. `Test.rejected` goes by the
    level of an effect's interval, so that the interval here is the one of the level asked for, 95 %; the one that
    says the same as both tests, 90 %, stands as the size.
    """
    _positive(margin)
    d = differences(a, b, names)
    mean, error, df = float(d.mean()), float(d.std(ddof=1)) / sqrt(len(d)), len(d) - 1
    t = (margin - abs(mean)) / error
    wide, narrow = (float(stdtrit(df, tail)) * error for tail in ((1 + level) / 2, level))
    return Test(
        name="two one-sided paired t-tests",
        null=f"the means of {name} for {names[0]} and {names[1]} differ by {amount(margin, unit)} or more",
        symbol="t",
        statistic=t,
        df=(df,),
        p=float(stdtr(df, -t)),
        n={"pairs": len(d)},
        effect=Estimate(f"mean of {names[0]} minus {names[1]}", mean, Interval(mean - wide, mean + wide, level), unit),
        size=Estimate(
            "the same, with the interval that lies within the margin if the tests pass",
            mean,
            Interval(mean - narrow, mean + narrow, 2 * level - 1),
            unit,
        ),
        why="the question is whether a difference is too small to matter; that none is found would not show it",
        assumptions=(normal_means({"the differences": d}, "normal mean difference"), INDEPENDENT),
    )


def no_worse_share(
    gained: int, lost: int, n: int, margin: float, names: tuple[str, str] = ("new", "old"), *, level: float = LEVEL
) -> Test:
    """Whether the first share is no lower than the second by `margin`, a share of 1, or more; pairs.

    gained: pairs where only the first is so; lost: where only the second is. Wald's test is too liberal here, and of
    few pairs Tango's by the normal distribution: their p is summed up (`fewpairs.py`).
    """
    pairs(gained, lost, n)
    if not 0 < margin < 1:
        raise ConfigError(f"margin={margin:g}", "a share between 0 and 1", "0.02, two points")
    z = tango_statistic(gained, lost, n, -margin)
    low = paired_interval(gained, lost, n, 2 * level - 1).low
    changed, error = (gained + lost) / n, sqrt((gained + lost) / n / n)
    least = 100 * float(ndtri(level) + ndtri(POWER)) * error if changed else None
    return Test(
        name="Tango's score test of non-inferiority",
        null=f"the share of {names[0]} is below that of {names[1]} by {number(100 * margin)} points or more",
        symbol="z",
        statistic=z,
        df=(),
        p=paired_above(gained, lost, n, -margin),
        n={"pairs": n},
        effect=Estimate(
            f"share in {names[0]} minus share in {names[1]}",
            100 * (gained - lost) / n,
            Interval(100 * low, inf, level),
            POINTS,
        ),
        why="the question is whether a loss is smaller than the margin; that none is found would not show it",
        assumptions=(INDEPENDENT,),
        detectable=Estimate("margin met four times in five without a loss", least, None, POINTS) if least else None,
        notes=("p is not the normal's of z but by all that so few pairs could have shown.",) if n <= FEW else (),
    )


def verdict(test: Test, margin: float) -> str:
    """What such a test says, in one sentence."""
    effect, within = test.effect, test.effect.interval
    told = f"{effect.name}: {amount(effect.value, effect.unit)}"
    if within is not None:
        told += f" ({sure(within.level)} {number(within.low, 3)}"
        told += " or more)" if within.high == inf else f" to {number(within.high, 3)})"
    two_sided = within is not None and within.high < inf
    limit = amount(margin, effect.unit)
    if test.rejected:
        shown = (
            f"a difference of {limit} or more, either way, is ruled out"
            if two_sided
            else f"a loss of {limit} is ruled out"
        )
    else:
        shown = f"a difference of {limit} is not ruled out" if two_sided else f"a loss of {limit} is not ruled out"
    return f"{told}: {shown}."


def _positive(margin: float) -> None:
    if not 0 < margin < inf:
        raise ConfigError(f"margin={margin:g}", "a number above 0", "the smallest difference that would matter")
