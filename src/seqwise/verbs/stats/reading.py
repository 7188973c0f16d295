"""Columns of the user's files for `seqwise stats`, named as in the file; rows that lack a value are left out, told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from cyclopts import Parameter
from jaxtyping import Bool, Float, Shaped

from seqwise.data.columns import ColumnSettings, Table, open_table
from seqwise.errors import ConfigError, DataError, nearest
from seqwise.stats.units import quantity

Written = Annotated[ColumnSettings, Parameter(name="*")]
"""How the files are written; its fields are flags of the verb."""

PLAIN = ColumnSettings()
LARGEST = 1e70  # its fourth power is a float64, and so is that of its inverse


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows that have a value in each of the columns."""

    numbers: Float[np.ndarray, "N C"]
    labels: tuple[Shaped[np.ndarray, "N"], ...]
    kept: Bool[np.ndarray, "M"]
    """Of all rows of the file, which are here."""
    notes: tuple[str, ...]
    """How many were left out, and what looks odd."""

    @property
    def values(self) -> Float[np.ndarray, "N"]:
        """The first column of numbers."""
        return self.numbers[:, 0]


def opened(
    data: Sequence[str], written: ColumnSettings, example: str, outputs: Mapping[str, Path | None] | None = None
) -> Table:
    """The files as one table. `outputs`: the files of what is found by their flags, which are none of these."""
    if not data:
        raise ConfigError("no data", "one or more tables: CSV, TSV, JSONL or Parquet", f"seqwise stats {example}")
    table = open_table(data, written)
    for flag, file in (outputs or {}).items():
        if file is not None and file.is_file() and any(file.samefile(path) for path in table.paths):
            ending = ".html" if flag == "--report" else ".json"
            raise ConfigError(f"{flag} {file}, which is read", "another file", f"{flag} {file.stem}-out{ending}")
    return table


def rows(table: Table, numbers: Sequence[str], labels: Sequence[str] = ()) -> Rows:
    """The columns, aligned."""
    told = [table.groups(name) for name in labels]
    values = table.values(numbers).astype(np.float64) if numbers else np.empty((len(told[0]), 0))
    within_reach(values, numbers, table.paths[0])
    kept: Bool[np.ndarray, "M"] = np.asarray(~np.isnan(values).any(axis=1))
    marks: set[str] = set()
    for one in told:
        texts = np.char.strip(one)
        absent = np.isin(texts, ["", *table.unlabelled])
        marks |= set(texts[absent & kept].tolist()) - {""}
        kept &= ~absent
    lost = int((~kept).sum())
    what = " or ".join([*numbers, *labels])
    if lost == len(kept):
        given = f"no row that has a value of {what.replace(' or ', ' and ')}"
        raise DataError(given, "rows with a value in each of the columns", "other columns", table.paths[0])
    note = f"{lost:,} of {len(kept):,} rows are left out, as {what} is missing there{_named(marks)}." if lost else ""
    notes = (note, *table.suspects(numbers, last=bool(kept[-1])))
    return Rows(values[kept], tuple(one[kept] for one in told), kept, tuple(filter(None, notes)))


def plain(table: Table, names: Sequence[str], flag: str) -> None:
    """Refuse columns that would be numbers but for a sign, where they would be taken for texts."""
    texts = [name for name in names if name not in table.numbers]
    for name, (text, mend) in table.signed(texts).items():
        raise DataError(f"{text} in {name!r}, {flag}", "plain numbers, or texts that are none", mend, table.paths[0])


def _named(marks: set[str]) -> str:
    """Texts that were taken for a missing label."""
    return f" ({' and '.join(map(repr, sorted(marks)))} {'name' if len(marks) > 1 else 'names'} no group)" * bool(marks)


def within_reach(values: Float[np.ndarray, "N C"], names: Sequence[str], where: str) -> None:
    """Refuse numbers whose fourth powers float64 cannot hold, before they turn up as infinite sds."""
    for name, one in zip(names, np.abs(values).T, strict=True):
        largest = float(one[np.isfinite(one)].max(initial=0.0))
        if largest > LARGEST or 0 < largest < 1 / LARGEST:
            allowed = f"numbers between {1 / LARGEST:g} and {LARGEST:g}, as their fourth powers are added"
            raise DataError(f"values as large as {largest:.3g} in {name!r}", allowed, "another unit", where)


def column(table: Table, name: str | None, flag: str) -> str:
    """A column that a flag names; without the flag the only one of numbers."""
    if name is None and len(table.numbers) == 1:
        return table.numbers[0]
    if name is None:
        raise ConfigError(f"no {flag}", f"one of {shortened(table.numbers)}", f"{flag} NAME")
    return names(name, table.names, flag, several=False)[0]


def names(text: str | None, known: Sequence[str], flag: str, several: bool = True) -> tuple[str, ...]:
    """Columns as a flag names them, commas between; names that have a comma and those without their unit are known."""
    if text is None:
        return ()
    plain = {quantity(name)[0]: name for name in reversed(known)} | {name: name for name in known}
    asked = [text] if text in plain or not several else [part.strip() for part in text.split(",") if part.strip()]
    if not asked:
        raise ConfigError(f"{flag} without a column", f"some of {shortened(known)}", f"{flag} {known[0]}")
    for name in asked:
        if name not in plain:
            close = nearest(name, plain) or known[0]
            raise ConfigError(f"no column {name!r}", f"one of {shortened(known)}", f"{flag} {close!r}")
    found = tuple(plain[name] for name in asked)
    if len(set(found)) < len(found):
        raise ConfigError(f"{flag} {text}", "each column once", f"{flag} {','.join(dict.fromkeys(asked))}")
    return found


def shortened(known: Sequence[str], most: int = 12) -> str:
    """Columns for an error."""
    return ", ".join(map(repr, known[:most])) + (f" and {len(known) - most} more" if len(known) > most else "")


def facts(table: Table, used: int | None = None) -> dict[str, str]:
    """What a report says of the data."""
    found = {"data": ", ".join(table.paths)}
    return found if used is None else {**found, "rows used": f"{used:,}"}
