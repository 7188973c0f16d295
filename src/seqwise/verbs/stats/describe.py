"""`seqwise stats describe`: what each column of a table holds, in one pass over files of any length."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from seqwise.data.columns import Table
from seqwise.data.tally import Tally
from seqwise.errors import DataError, Fault
from seqwise.reports.drawing import Picture
from seqwise.stats.description import Description, Numbers, described
from seqwise.stats.moments import MomentStream
from seqwise.stats.quantiles import Sketch
from seqwise.stats.units import quantity
from seqwise.verbs.stats.answering import Answer, Part, answer
from seqwise.verbs.stats.reading import PLAIN, Written, facts, names, opened

HELD = 8_000_000  # numbers kept to tell quantiles exactly, in all columns together: 64 MB
FEWEST = 16_384  # of them in a column, however many columns there are
DRAWN = 24  # columns drawn in a report
BARS = 40  # of their histograms


def describe(
    data: tuple[str, ...] = (),
    *,
    columns: str | None = None,
    written: Written = PLAIN,
    json: bool = False,
    report: Path | None = None,
) -> Answer:
    """Tell what each column holds, in one pass.

    Of numbers: how many, how many are missing, mean with its 95 % interval, sd, smallest and largest, skewness,
    kurtosis and quantiles. Of texts: how many, how many different ones, the most frequent. Files may be larger than
    memory; then quantiles are values of the data whose ranks are right within a bound that is told, and all else is
    exact.

    Args:
        data: Tables: CSV, TSV, JSONL or Parquet; several count as one.
        columns: Some of the columns, with commas between.
        written: How the files are written.
        json: Print all numbers in full, as JSON.
        report: An HTML file to write, with pictures, that stands alone.

    Example:
        seqwise stats describe scores.csv --report scores.html
    """
    table = opened(data, written, "describe scores.csv", {"--report": report})
    chosen = names(columns, table.names, "--columns") or table.names
    numbers = [name for name in chosen if name in table.numbers]
    texts = [name for name in chosen if name not in table.numbers and table.kinds[name] != "other"]
    notes = []
    try:
        found, sketches = _pass(table, numbers, texts)
    except DataError:
        odd = {} if columns else table.unread(numbers)
        if not odd:
            raise
        notes += [_as_texts(fault) for error in odd.values() for fault in error.faults[:1]]
        numbers = [name for name in numbers if name not in odd]
        found, sketches = _pass(table, numbers, [name for name in chosen if name in odd or name in texts])
    notes += [*_with_signs(table, texts), *table.suspects(numbers)]
    draw = partial(_drawn, found.numbers, sketches)
    other = [name for name in chosen if table.kinds[name] == "other"]
    notes += [f"Left out, as they hold neither numbers nor texts: {', '.join(other)}."] if other else []
    part = Part("Columns", found, draw)
    title = f"What {', '.join(Path(path).name for path in table.paths)} holds"
    return answer(title, [part], facts(table), notes=notes, report=report, as_json=json)


def _as_texts(fault: Fault) -> str:
    """Of a column that nobody named and that turned out to be no column of numbers."""
    return f"A column counts as text, as {fault.where} has {fault.given}; for its numbers try {fault.mend}."


def _with_signs(table: Table, texts: Sequence[str]) -> list[str]:
    """Of columns that would be numbers but for a sign of currency or percent, as their first cells have it."""
    odd = table.signed(texts).items()
    return [
        f"{name} counts as text, as {text} is no plain number; for its numbers try {mend}."
        for name, (text, mend) in odd
    ]


def _pass(table: Table, numbers: Sequence[str], texts: Sequence[str]) -> tuple[Description, list[Sketch]]:
    """Through all rows, once."""
    measured = [quantity(name) for name in numbers]
    plain, units = [name for name, _ in measured], [unit for _, unit in measured]
    stream = MomentStream(4, names=plain)
    kept = max(FEWEST, HELD // max(1, len(numbers)))
    sketches, tallies, rows = [Sketch(kept) for _ in numbers], [Tally(name, table.unlabelled) for name in texts], 0
    for block, others in table.pieces(numbers, texts):
        rows += len(block)
        if len(numbers):
            stream.add(block)
            for sketch, column in zip(sketches, block.T, strict=True):
                sketch.update(np.asarray(column, dtype=np.float64))
        for tally in tallies:
            tally.update(others[tally.name])
    told = described(stream.result(), sketches, plain, units) if numbers else ()
    return Description(rows, told, tuple(tally.result() for tally in tallies)), sketches


def _drawn(numbers: Sequence[Numbers], sketches: Sequence[Sketch]) -> list[Picture]:
    """A bell over the histogram of each column that varies."""
    from seqwise.reports.plots import bell_of

    pictures = []
    for one, sketch in list(zip(numbers, sketches, strict=True))[:DRAWN]:
        if one.minimum is None or one.maximum is None or one.mean is None or one.minimum == one.maximum:
            continue
        edges = np.linspace(one.minimum, one.maximum, BARS + 1)
        note = "" if sketch.exact else "Counts are off by the bound of the quantiles at most, twice at each bar."
        pictures.append(
            bell_of(sketch.counts(edges), edges, one.mean.value, one.sd or 0.0, one.name, one.unit, note=note)
        )
    return pictures
