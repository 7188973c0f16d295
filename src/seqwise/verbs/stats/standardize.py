"""`seqwise stats standardize`: columns to mean 0 and sd 1 and back, through files of any length."""

import json as notation
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from seqwise.data.columns import Table
from seqwise.data.tablewriting import Piece, checked_ending, write_pieces
from seqwise.errors import ConfigError, DataError, Fault
from seqwise.stats.moments import MomentStream
from seqwise.stats.standardize import FittedOn, Standardizer
from seqwise.verbs.stats import reading
from seqwise.verbs.stats.answering import Answer, Part, answer, write
from seqwise.verbs.stats.reading import PLAIN, Written

MARK = {"format": "seqwise standardizer", "version": 1}
"""How a saved one begins."""


def standardize(
    data: tuple[str, ...] = (),
    *,
    out: Path | None = None,
    columns: str | None = None,
    kind: Literal["z", "robust", "minmax"] = "z",
    ddof: Literal[0, 1] = 0,
    constant: Literal["refuse", "pass", "zero"] = "refuse",
    save: Path | None = None,
    apply: Path | None = None,
    invert: bool = False,
    written: Written = PLAIN,
    json: bool = False,
    report: Path | None = None,
) -> Answer:
    """Bring columns to mean 0 and sd 1, and back.

    Reads the files twice, once to learn center and scale and once to write, and holds no more than a part of them;
    robust scores alone need all values in memory. What was learnt on training data is saved and applied to others with
    --save and --apply; --invert brings back the data's own units. Columns that are not standardized stay as they are.

    Args:
        data: Tables: CSV, TSV, JSONL or Parquet; several count as one.
        out: Where the standardized table goes: .csv, .tsv, .jsonl or .parquet.
        columns: Which columns, with commas between; all of numbers, unless said.
        kind: z is mean and sd; robust is median and spread of the middle half; minmax brings least and most to 0 and 1.
        ddof: The sd divides by n, or with 1 by n - 1.
        constant: What becomes of a column that does not vary: an error; its distance from its value; or zero.
        save: A file for center and scale, as JSON.
        apply: Such a file, to use in place of learning.
        invert: Back from standardized values to the data's own units.
        written: How the files are written.
        json: Print all numbers in full, as JSON.
        report: An HTML file to write that stands alone.

    Example:
        seqwise stats standardize train.csv --out train-z.csv --save standardizer.json
    """
    if invert and apply is None:
        raise ConfigError("--invert without --apply", "the standardizer that was saved", "--apply standardizer.json")
    if apply is not None and save is not None:
        raise ConfigError("--save with --apply", "one of the two", "leaving out --save")
    ending = checked_ending(out) if out is not None else ""
    table = reading.opened(
        data, written, "standardize train.csv --out train-z.csv", {"--report": report, "--save": save}
    )
    if out is not None and any(Path(path).resolve() == out.resolve() for path in table.paths):
        raise ConfigError(f"--out {out}, which is read", "another file", f"--out {out.stem}-z{out.suffix}")
    if apply is not None:
        found = _loaded(apply, columns, table)
    else:
        chosen = reading.names(columns, table.names, "--columns") or table.numbers
        try:
            found = _fitted(table, chosen, kind, ddof, constant)
        except DataError as error:
            raise DataError.of([_with_flags(fault) for fault in error.faults]) from error
    notes = [] if invert else [*table.suspects(found.names)]
    if save is not None:
        write(save, (notation.dumps({**MARK, **found.to_dict()}, indent=1) + "\n").encode())
        notes.append(f"center and scale: {save}")
    if out is not None:
        from seqwise.checkpoints.files import replacing  # late: it takes torch along, two seconds of a start

        with replacing(out, 0) as file:
            rows = write_pieces(file, ending, table.names, found.names, _pieces(table, found, invert))
        notes.append(f"{'back in their units' if invert else 'standardized'}: {out}, {rows:,} rows")
    return answer("Standardized", [Part("Center and scale", found)], reading.facts(table), notes=notes, report=report,
                  as_json=json)  # fmt: skip


def _fitted(table: Table, chosen: Sequence[str], kind: Any, ddof: int, constant: Any) -> Standardizer:
    """Learnt from the files, block by block."""
    part = ", ".join(Path(path).name for path in table.paths)
    if kind == "robust":
        values = table.values(chosen)
        return Standardizer.fit(
            values, kind, ddof, names=chosen, constant=constant, fitted_on=FittedOn(len(values), part)
        )
    stream, rows = MomentStream(4, names=chosen), 0
    for block in table.blocks(chosen):
        stream.add(block)
        rows += len(block)
    return Standardizer.fit(
        stream.result(), kind, ddof, names=chosen, constant=constant, fitted_on=FittedOn(rows, part)
    )


def _with_flags(fault: Fault) -> Fault:
    """The fault, with the flag in place of the argument from Python."""
    return replace(fault, mend=re.sub(r'constant="(\w+)"', r"--constant \1", fault.mend))


def _pieces(table: Table, found: Standardizer, invert: bool) -> Iterator[Piece]:
    """The table anew, with its standardized columns."""
    others = [name for name in table.names if name not in found.names]
    for block, texts in table.pieces(found.names, others):
        yield (found.invert(block) if invert else found.apply(block)), texts


def _loaded(path: Path, columns: str | None, table: Table) -> Standardizer:
    """A saved one, for the columns that are asked for."""
    try:
        stored = notation.loads(path.read_text(encoding="utf-8"))
        if not isinstance(stored, dict) or any(stored.pop(key, None) != value for key, value in MARK.items()):
            raise ValueError("no standardizer")
        found = Standardizer.from_dict(stored)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror})", "a saved standardizer", "--save first") from error
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path}", "a file that --save wrote", "seqwise stats standardize train.csv --save FILE"
        ) from error
    lacking = [name for name in found.names if name not in table.names]
    if columns is not None:
        found = found.chosen(reading.names(columns, found.names, "--columns"))
    elif lacking:
        given = f"no column {lacking[0]!r}, of which {path} has center and scale"
        raise DataError(given, "the columns as they were learnt", "--columns with those that there are", table.paths[0])
    return found
