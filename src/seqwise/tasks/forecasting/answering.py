"""Forecasts as a table: a row for each series, time and target, with mean, sd and the three bands, in the data's units.

    series, time, target, mean, sd, median, low68, high68, low95, high95, low99.7, high99.7

The column of the series is there where the run has several. A band of 68 % is that of 68.27 %, and so on: one, two and
three standard deviations of a normal distribution.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from seqwise.checkpoints.files import replacing
from seqwise.data.series import shown_time
from seqwise.errors import ConfigError, DataError
from seqwise.models.distributions import BANDS
from seqwise.tasks.forecasting.foreseeing import SEED, Outlook, outlook, read_table
from seqwise.tasks.forecasting.stored import open_run

NAMES = ("68", "95", "99.7")
TABLES = (".csv", ".tsv", ".jsonl", ".parquet")
PICTURES = (".svg", ".html", ".htm")


@dataclass(frozen=True, eq=False)
class Forecasts:
    """What comes next, of each series."""

    outlooks: tuple[Outlook, ...]
    targets: tuple[str, ...]
    notes: tuple[str, ...]

    def columns(self) -> dict[str, list[Any]]:
        """The table, column by column."""
        found: dict[str, list[Any]] = {"series": [], "time": [], "target": [], "mean": [], "sd": [], "median": []}
        found |= {f"{end}{name}": [] for name in NAMES for end in ("low", "high")}
        for one in self.outlooks:
            self._add(found, one)
        if len(self.outlooks) == 1 and not self.outlooks[0].name:
            del found["series"]
        return found

    def _add(self, found: dict[str, list[Any]], one: Outlook) -> None:
        mean, sd, median = one.foreseen.mean, one.foreseen.sd, one.foreseen.quantile(0.5)  # (H, C) each
        bands = [one.foreseen.interval(level) for level in BANDS]
        for h, time in enumerate(one.times):
            for c, target in enumerate(self.targets):
                row = [one.name, shown_time(time), target, *(_rounded(part[h, c]) for part in (mean, sd, median))]
                row += [_rounded(end[h, c]) for band in bands for end in band]
                for name, value in zip(found, row, strict=True):
                    found[name].append(value)

    def rows(self) -> list[dict[str, Any]]:
        """The table, row by row."""
        columns = self.columns()
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def text(self, lines: bool = False) -> str:
        """CSV, or a JSON object a line."""
        if lines:
            return "\n".join(json.dumps(row, ensure_ascii=False) for row in self.rows())
        return str(self._frame().write_csv()).rstrip("\n")

    def save(self, place: Path) -> None:
        """A file, whole or not at all: .csv, .tsv, .jsonl or .parquet."""
        must_be_writable("--output", place, TABLES)
        with replacing(place, 0) as file:
            match kind := place.suffix.lower():
                case ".parquet":
                    self._frame().write_parquet(file)
                case ".jsonl":
                    file.write((self.text(lines=True) + "\n").encode())
                case _:
                    file.write(self._frame().write_csv(separator="\t" if kind == ".tsv" else ",").encode())

    def _frame(self) -> Any:
        import polars as pl

        return pl.DataFrame(self.columns())


def _rounded(value: Any) -> float:
    """Ten digits: more than any forecast has."""
    return float(f"{float(value):.10g}")


def must_be_writable(flag: str, place: Path, endings: Sequence[str]) -> None:
    """Refuse a file that cannot be written, before anything is foreseen or another file is there."""
    if place.suffix.lower() not in endings:
        named = f"{', '.join(endings[:-1])} or {endings[-1]}"
        raise ConfigError(f"{flag} {place}", f"a name that ends in {named}", f"{flag} forecast{endings[0]}")
    if not place.parent.is_dir():
        raise ConfigError(f"{flag} {place}", "a folder that exists", f"mkdir -p {place.parent}")


def foresee(run: str | Path, paths: Sequence[str] = (), where: str = "auto", seed: int | None = None) -> Forecasts:
    """The next steps after the last row of a table; without one, of the table that the run was trained on."""
    stored = open_run(run, where)
    table = read_table(stored, paths)
    try:
        found = outlook(stored, table, SEED if seed is None else seed)
    except DataError as error:
        path = (tuple(paths) or stored.settings.train)[-1]  # where the newest rows stand
        raise DataError.of([replace(fault, where=fault.where or path) for fault in error.faults]) from None
    known = [one for one in found if not np.isfinite(one.foreseen.mean.numpy()).all()]
    if known:
        raise ConfigError("a forecast that is not finite", "weights that are sound", "training anew")
    return Forecasts(found, stored.columns.targets, table.notes)
