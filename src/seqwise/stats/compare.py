"""Do groups differ, and by how much: chooses the test, runs it, checks what it takes for granted, tells the answer.

    groups    items        test of means                                 beside it
    one       -            one-sample t                                  Wilcoxon's signed ranks
    two       different    Welch's t                                     Mann-Whitney
    two       the same     paired t                                      Wilcoxon's signed ranks
    more      different    one-way ANOVA, Tukey; Welch's, Games-Howell   Kruskal-Wallis
    more      the same     repeated-measures ANOVA, pairs by Holm        Friedman

Means are compared unless ranks are asked for: tests of them hold for most shapes once groups are not tiny. No test of
assumptions chooses the test, as that spoils the p-values (Zimmerman 2004). Only among several groups sds decide, where
one is twice another and each group has enough values to know its own.

Left out: two factors at once (`factorial.py`), covariates (`regression.py`).
"""

from dataclasses import replace
from typing import Literal

import numpy as np

from seqwise.errors import ConfigError, DataError
from seqwise.stats.anova import one_way
from seqwise.stats.assumptions import normal_means, outliers
from seqwise.stats.comparison import Comparison, Described, spoken
from seqwise.stats.factors import Factor, Labels, factor
from seqwise.stats.means import Values, mean_interval, one_sample, welch
from seqwise.stats.means import paired as means_of_pairs
from seqwise.stats.phrases import counted, short
from seqwise.stats.ranks import kruskal, rank_sum, signed_rank
from seqwise.stats.repeated import repeated, wide
from seqwise.stats.results import LEVEL, Test
from seqwise.stats.samples import Groups, flat, sample

Method = Literal["auto", "means", "ranks"]

MOST = 50  # groups
TWICE = 2.0  # ratio of sds from which groups do not share one
ENOUGH = 6  # values of a group that know its own sd; with fewer Games and Howell's intervals are too narrow


def compare(
    values: Values,
    groups: Labels,
    *,
    name: str = "value",
    unit: str = "",
    by: str = "group",
    paired: Labels | None = None,
    method: Method = "auto",
    level: float = LEVEL,
) -> Comparison:
    """The values of each group against those of the others.

    paired   which item each value is of, where the same items stand in each group
    method   auto and means: of means, with ranks beside them; ranks: the other way round
    """
    _known(method, level)
    x = sample(values, name)
    kinds = factor(groups, by, len(x))
    if len(kinds.levels) > MOST:
        given = f"{len(kinds.levels):,} groups in {by}"
        raise DataError(given, f"at most {MOST}", "a column of fewer groups, or a regression if it holds numbers")
    if paired is not None:
        return _same(x, kinds, paired, name, unit, method, level)
    parts = {level_: x[kinds.codes == code] for code, level_ in enumerate(kinds.levels)}
    alone = [one for one, part in parts.items() if len(part) < 2]
    parts = {one: part for one, part in parts.items() if len(part) > 1}
    if len(parts) < 2:
        given = f"{len(parts)} of {len(kinds.levels)} groups of {by} with two values or more"
        raise DataError(given, "two such groups at least", "a column that has several rows for each group")
    notes = (f"Left out, as a single value says nothing of its spread: {short(alone, 6)}.",) if alone else ()
    if len(parts) > 2:
        return _several(parts, name, unit, by, method, level, notes)
    return _two(parts, name, unit, by, method, level, notes)


def compare_value(
    values: Values,
    value: float = 0.0,
    *,
    name: str = "value",
    unit: str = "",
    method: Method = "auto",
    level: float = LEVEL,
) -> Comparison:
    """One sample against a value that is given."""
    _known(method, level)
    if not np.isfinite(value):
        raise ConfigError(f"value={value}", "a finite number", "0")
    x = sample(values, name)
    means = one_sample(x, value, name=name, unit=unit, level=level)
    ranked = signed_rank(x, np.full(len(x), float(value)), (name, f"{value:g}"), name=name, unit=unit, level=level)
    test, check = _chosen(means, ranked, method)
    return Comparison(name, unit, "", (described(name, x, level),), test, check, value=float(value))


def described(name: str, x: Values, level: float = LEVEL) -> Described:
    """A group by itself."""
    sd = (0.0 if flat(x) else float(x.std(ddof=1))) if len(x) > 1 else None
    ends = float(np.median(x)), float(x.min()), float(x.max())
    return Described(name, len(x), float(x.mean()), sd, mean_interval(x, level), *ends)


def _two(
    parts: Groups, name: str, unit: str, by: str, method: Method, level: float, notes: tuple[str, ...]
) -> Comparison:
    (first, a), (second, b) = parts.items()
    names = spoken(by, first), spoken(by, second)
    means = welch(a, b, names, name=name, unit=unit, level=level)
    test, check = _chosen(means, rank_sum(a, b, names, name=name, unit=unit, level=level), method)
    groups = described(first, a, level), described(second, b, level)
    return Comparison(name, unit, by, groups, test, check, notes=notes)


def _several(
    parts: Groups, name: str, unit: str, by: str, method: Method, level: float, notes: tuple[str, ...]
) -> Comparison:
    groups = tuple(described(one, x, level) for one, x in parts.items())
    x = np.concatenate(list(parts.values()))
    labels = np.concatenate([np.full(len(part), code) for code, part in enumerate(parts.values())])
    own, why = _own_spreads(groups)
    found = one_way(x, [list(parts)[code] for code in labels], name=name, unit=unit, by=by, welch=own, level=level)
    named = {spoken(by, one): part for one, part in parts.items()}
    kept = [held for held in found.test.assumptions if held.name != "normal residuals"]  # means are what must be
    means = replace(found.test, why=why, assumptions=(normal_means(named), *kept, outliers(named, unit)))
    ranked = kruskal(named, name=name)
    test, check = _chosen(means, ranked, method)
    return Comparison(name, unit, by, groups, test, check, None if method == "ranks" else found, notes=notes)


def _own_spreads(groups: tuple[Described, ...]) -> tuple[bool, str]:
    """Whether each group has its own sd, and why."""
    sds = [group.sd or 0.0 for group in groups]
    low, high = min(sds), max(sds)
    lead = f"{len(groups)} groups"
    if high <= TWICE * low:
        return False, f"{lead}, no sd twice another: one for all, Tukey's intervals for the pairs"
    if low == 0 or min(group.n for group in groups) < ENOUGH:
        return (
            False,
            f"{lead}, with sds that differ but too few values to know each: one for all, to be taken with care",
        )
    return True, f"{lead}, one sd more than twice another: each its own, Games and Howell's intervals for the pairs"


def _same(x: Values, kinds: Factor, items: Labels, name: str, unit: str, method: Method, level: float) -> Comparison:
    """The same items in each group."""
    by, levels = kinds.name, kinds.levels
    table, _ = wide(x, items, [levels[code] for code in kinds.codes], "item", by)  # (I, K), groups by name
    order = [sorted(levels).index(one) for one in levels]
    whole = np.isfinite(table).all(1)
    lost, table = int((~whole).sum()), table[whole][:, order]
    if len(table) < 2:
        given = f"{len(table)} items with a value in each group of {by}"
        raise DataError(given, "at least two", "comparing them as groups of different items")
    notes = (f"Left out, without a value in each group of {by}: {counted(lost, 'item')}.",) if lost else ()
    groups = tuple(described(one, column, level) for one, column in zip(levels, table.T, strict=True))
    if len(levels) > 2:
        found = repeated(table, levels, name=name, unit=unit, by=by, subject="item", level=level)
        test, check = found.test, found.friedman
        if method == "ranks" and check is not None:
            return Comparison(name, unit, by, groups, check, test, notes=notes)
        return Comparison(name, unit, by, groups, test, check, found, notes=notes)
    a, b = table[:, 0], table[:, 1]
    names = spoken(by, levels[0]), spoken(by, levels[1])
    means = means_of_pairs(a, b, names, name=name, unit=unit, level=level)
    test, check = _chosen(means, signed_rank(a, b, names, name=name, unit=unit, level=level), method)
    return Comparison(name, unit, by, groups, test, check, notes=notes)


def _chosen(means: Test, ranked: Test, method: Method) -> tuple[Test, Test]:
    return (ranked, means) if method == "ranks" else (means, ranked)


def _known(method: str, level: float) -> None:
    if method not in ("auto", "means", "ranks"):
        raise ConfigError(f"method={method!r}", "auto, means or ranks", "auto")
    if not 0.5 <= level < 1:
        raise ConfigError(f"level={level:g}", "a share from 0.5 to below 1", "0.95")
