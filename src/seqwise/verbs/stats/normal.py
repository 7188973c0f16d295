"""`seqwise stats normal`: how near a column is to the normal distribution, and what that allows."""

from pathlib import Path
from typing import Annotated

from seqwise.config import Range
from seqwise.reports.plots import bell, qq
from seqwise.stats.limit import central_limit
from seqwise.stats.medicine import reference_interval
from seqwise.stats.normality import normality
from seqwise.stats.units import quantity
from seqwise.verbs.stats import reading
from seqwise.verbs.stats.answering import Answer, Part, answer
from seqwise.verbs.stats.reading import PLAIN, Written


def normal(
    data: tuple[str, ...] = (),
    *,
    column: str | None = None,
    sums: bool = False,
    seed: Annotated[int, Range(0)] = 0,
    reference: bool = False,
    written: Written = PLAIN,
    json: bool = False,
    report: Path | None = None,
) -> Answer:
    """Tell how near a column is to a normal distribution.

    How far it is from the normal distribution with its mean and sd, and what that is good for; how many values lie
    within 1, 2 and 3 sd, beside 68, 95 and 99.7 %; and what tests say, last, as they pass every small sample and none
    that is large.

    Args:
        data: Tables: CSV, TSV, JSONL or Parquet; several count as one.
        column: Which one; the only one of numbers where there is but one.
        sums: Also draw means of samples of this column, and tell how large these must be to become normal.
        seed: Of the samples drawn.
        reference: Also tell the reference interval of medicine, within which 95 % of healthy people lie.
        written: How the files are written.
        json: Print all numbers in full, as JSON.
        report: An HTML file to write, with pictures, that stands alone.

    Example:
        seqwise stats normal adults.csv --column height --report height.html
    """
    table = reading.opened(data, written, "normal adults.csv --column height", {"--report": report})
    chosen = reading.column(table, column, "--column")
    name, unit = quantity(chosen)
    found = reading.rows(table, [chosen])
    x = found.values
    result = normality(x, name, unit)
    parts = [
        Part(
            f"Is {name} normal?",
            result,
            lambda: [bell(x, name, unit), qq(x, name, unit, correlation=result.correlation)],
        )
    ]
    if sums:
        parts.append(Part(f"Means of {name}", central_limit(x, seed=seed, name=name, unit=unit)))
    if reference:
        parts.append(Part(f"Reference interval of {name}", reference_interval(x, name=name, unit=unit)))
    given = reading.facts(table, len(x))
    return answer(f"{name}: normal or not", parts, given, notes=found.notes, report=report, as_json=json)
