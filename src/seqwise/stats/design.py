"""What a regression is made of: an outcome, numbers that may explain it, and checks that they can.

Rows with a missing value are left out, which is told. Refused: infinite values, columns that do not vary, columns that
others tell already (their coefficients could be anything), more coefficients than rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Shaped

from seqwise.errors import ConfigError, DataError
from seqwise.stats.factors import Factor, Labels, absent, factor
from seqwise.stats.phrases import counted, joined, short
from seqwise.stats.samples import flat, numbers, varying, within_reach

# N rows, P columns, K coefficients

WORDS = "indicators(labels, name), a column for each label"
DEPENDENT = 1e-10  # of a column in its own sd: what is left of it beside the others is rounding


@dataclass(frozen=True, eq=False)
class Design:
    """Rows that are whole, of columns that can explain."""

    y: Float[np.ndarray, "N"]
    x: Float[np.ndarray, "N P"]
    names: tuple[str, ...]
    rows: Int[np.ndarray, "N"]
    """Places in the table that was given, from 0."""
    dropped: int
    clusters: Factor | None
    intercept: bool

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out."""
        if not self.dropped:
            return ()
        whole = self.dropped + len(self.y)
        return (f"{self.dropped:,} of {whole:,} rows lack a value and are left out.",)


def design(
    y: Shaped[np.ndarray, "N"],
    x: Shaped[np.ndarray, "M P"],
    names: Sequence[str],
    name: str,
    clusters: Labels | None,
    intercept: bool,
) -> Design:
    """Check, also that x has as many rows as y, and leave out rows that lack a value."""
    outcome, table = (numbers(one, what, WORDS) for one, what in ((y, name), (x, "the columns that explain")))
    if outcome.ndim != 1 or table.ndim != 2 or len(table) != len(outcome):
        given = f"{name} of shape {outcome.shape} and columns of shape {table.shape}"
        raise DataError(given, "a row of the columns for each outcome", "columns of the same table")
    if table.shape[1] != len(names) or not names:
        raise ConfigError(f"{len(names)} names and {table.shape[1]} columns", "a name for each column", "as many")
    twice = sorted({one for one in names if list(names).count(one) > 1 or one == name})
    if twice:
        raise ConfigError(
            f"{joined(twice)} named twice", "each column once, and not the outcome itself", "leaving it out"
        )
    _infinite(outcome, table, names, name)
    for one, column in zip((name, *names), (outcome, *table.T), strict=True):
        within_reach(column, one)
    whole = ~(np.isnan(outcome) | np.isnan(table).any(axis=1))
    if clusters is not None:
        whole &= ~absent(np.asarray(clusters)) if len(clusters) == len(whole) else whole
    groups = _clusters(clusters, whole)
    rows = np.flatnonzero(whole)
    outcome, table = outcome[rows], table[rows]
    _enough(outcome, table, names, name, intercept, len(whole))
    _independent(table, names, intercept)
    return Design(outcome, table, tuple(names), rows, len(whole) - len(rows), groups, intercept)


def _infinite(y: Float[np.ndarray, "N"], x: Float[np.ndarray, "N P"], names: Sequence[str], name: str) -> None:
    bad = [one for one, column in zip((name, *names), (y, *x.T), strict=True) if np.isinf(column).any()]
    if bad:
        raise DataError(f"infinite values in {short(bad)}", "finite numbers", "leaving those rows out")


def _clusters(clusters: Labels | None, whole: Shaped[np.ndarray, "N"]) -> Factor | None:
    if clusters is None:
        return None
    if len(clusters) != len(whole):
        given = f"{len(clusters):,} labels of clusters and {len(whole):,} rows"
        raise DataError(given, "one label for each row", "columns of the same table")
    kept = np.asarray(clusters)[whole]
    return factor(kept, "clusters", len(kept))


def _enough(
    y: Float[np.ndarray, "N"],
    x: Float[np.ndarray, "N P"],
    names: Sequence[str],
    name: str,
    intercept: bool,
    given: int,
) -> None:
    least = len(names) + int(intercept) + 1
    if len(y) < least:
        told = counted(len(y), "whole row") + (f" of {given:,}" if given > len(y) else "")
        raise DataError(told, f"{least:,} at least for {least - 1:,} coefficients", "more rows or fewer columns")
    varying(y, name, "an outcome that varies", "another column")
    same = [one for one, column in zip(names, x.T, strict=True) if flat(column)]
    if same and (intercept or not x[:, names.index(same[0])].any()):
        raise DataError(f"{short(same)} with the same value in all rows", "columns that vary", "leaving them out")


def scales(x: Float[np.ndarray, "N P"], intercept: bool) -> tuple[Float[np.ndarray, "P"], Float[np.ndarray, "P"]]:
    """Mean and sd of each column; without intercept 0 and the root of the mean square."""
    means = x.mean(axis=0) if intercept else np.zeros(x.shape[1])
    return means, np.sqrt(((x - means) ** 2).mean(axis=0))


def _independent(x: Float[np.ndarray, "N P"], names: Sequence[str], intercept: bool) -> None:
    """Refuse columns that are sums of multiples of others, and name those others."""
    from scipy.linalg import qr

    means, sds = scales(x, intercept)
    z = (x - means) / sds
    _, r, order = qr(z, mode="economic", pivoting=True)
    left = np.abs(np.diag(r)) / len(x) ** 0.5
    rank = int((left > DEPENDENT).sum())
    if rank == x.shape[1]:
        return
    kept = order[:rank]
    weights, *_ = np.linalg.lstsq(z[:, kept], z[:, order[rank]], rcond=None)
    by = sorted(int(kept[place]) for place in np.flatnonzero(np.abs(weights) > 1e-6))
    given = f"{names[int(order[rank])]} follows from {short([names[place] for place in by])}"
    given += f" (and {x.shape[1] - rank - 1} more such)" if x.shape[1] - rank > 1 else ""
    raise DataError(given, "columns none of which the others tell already", f"leaving out {names[int(order[rank])]}")


def indicators(labels: Labels, name: str, reference: str = "") -> tuple[Float[np.ndarray, "N K"], tuple[str, ...]]:
    """A column of 0 and 1 for each label but the reference, which is the first where none is named."""
    levels = factor(labels, name, len(labels))
    if reference and reference not in levels.levels:
        raise ConfigError(f"reference={reference!r} of {name}", f"one of {short(levels.levels, 8)}", levels.levels[0])
    base = levels.levels.index(reference) if reference else 0
    kept = [place for place in range(len(levels.levels)) if place != base]
    table = (levels.codes[:, None] == np.array(kept)).astype(np.float64)
    return table, tuple(f"{name}={levels.levels[place]}" for place in kept)
