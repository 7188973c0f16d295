"""`seqwise stats control`: whether a process still does what it did, and how well it keeps within its limits."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from jaxtyping import Shaped

from seqwise.config import Range
from seqwise.errors import ConfigError
from seqwise.reports.drawing import Picture
from seqwise.reports.plots import bell, control_chart
from seqwise.stats import control as charts
from seqwise.stats.capability import capability
from seqwise.stats.charts import ControlChart
from seqwise.stats.units import quantity
from seqwise.verbs.stats import reading
from seqwise.verbs.stats.answering import Answer, Part, answer
from seqwise.verbs.stats.reading import PLAIN, Written


def control(
    data: tuple[str, ...] = (),
    *,
    value: str | None = None,
    subgroup: str | None = None,
    spread: Literal["sds", "ranges"] = "sds",
    ewma: bool = False,
    weight: Annotated[float, Range(0.01, 1.0)] = 0.2,
    baseline: Annotated[int, Range(2)] | None = None,
    centre: float | None = None,
    sd: float | None = None,
    lower: float | None = None,
    upper: float | None = None,
    written: Written = PLAIN,
    json: bool = False,
    report: Path | None = None,
) -> Answer:
    """Draw a control chart and tell which points do not belong.

    Rows are taken in the order of the file. Limits are three short-term sds from the centre, signals those of the
    Western Electric rules. With --lower or --upper, what a customer allows, also how well the process keeps to it: Cp,
    Cpk, Pp and Ppk with intervals.

    Args:
        data: Tables: CSV, TSV, JSONL or Parquet; several count as one.
        value: Column of what is measured; the only one of numbers where there is but one.
        subgroup: Column that tells which values were taken together; then means of these are charted.
        spread: What shows the spread within subgroups.
        ewma: Chart exponentially weighted means, which see small shifts.
        weight: Of a new value in them.
        baseline: So many of the first points give the limits; by default all.
        centre: Of the process, where it is known from before; with --sd.
        sd: Of single values, where it is known from before; with --centre.
        lower: The least that is allowed.
        upper: The most that is allowed.
        written: How the files are written.
        json: Print all numbers in full, as JSON.
        report: An HTML file to write, with pictures, that stands alone.

    Example:
        seqwise stats control wafers.csv --value thickness --lower 9 --upper 11
    """
    _possible(ewma, subgroup, (centre, sd), (lower, upper))
    table = reading.opened(data, written, "control wafers.csv --value thickness", {"--report": report})
    chosen = reading.column(table, value, "--value")
    labels = reading.names(subgroup, table.names, "--subgroup", several=False)
    name, unit = quantity(chosen)
    found = reading.rows(table, [chosen], labels)
    x, groups = found.values, found.labels[0] if labels else None
    given: dict[str, Any] = {"name": name, "unit": unit, "baseline": baseline, "centre": centre, "sd": sd}
    if ewma:
        chart = charts.ewma(x, weight, **given)
    elif groups is not None:
        chart = charts.subgroups(x, groups, spread, **given)
    else:
        chart = charts.individuals(x, **given)
    parts = [Part(f"Is {name} in control?", chart, partial(_drawn, chart, subgroup or "item"))]
    if lower is not None or upper is not None:
        ends = {told: at for told, at in (("lower limit", lower), ("upper limit", upper)) if at is not None}
        able = capability(x, lower, upper, groups, name, unit)
        parts.append(Part(f"Does {name} keep to its limits?", able, lambda: [bell(x, name, unit, limits=ends)]))
    about = reading.facts(table, len(x))
    notes = [*found.notes, _scattered(groups, subgroup)]
    return answer(f"Control chart of {name}", parts, about, notes=notes, report=report, as_json=json)


def _scattered(groups: Shaped[np.ndarray, "N"] | None, subgroup: str | None) -> str:
    """Told where rows of a subgroup do not stand together, as labels that count within something else have it."""
    if groups is None:
        return ""
    runs = groups[np.flatnonzero(np.append(True, groups[1:] != groups[:-1]))]
    names, counts = np.unique(runs, return_counts=True)
    again = names[counts > 1]
    if not len(again):
        return ""
    told = f"{len(again):,} of {len(names):,} subgroups come again after others, such as {again[0]}"
    return f"{told}: all rows of one {subgroup} count as taken together. If they were not, give each time its own."


def _possible(
    ewma: bool,
    subgroup: str | None,
    known: tuple[float | None, float | None],
    limits: tuple[float | None, float | None],
) -> None:
    """Refuse flags that contradict each other before anything is read."""
    if ewma and subgroup is not None:
        raise ConfigError("--ewma with --subgroup", "one of the two", "leaving out --subgroup")
    if (known[0] is None) != (known[1] is None):
        given, other = ("--centre", "--sd") if known[1] is None else ("--sd", "--centre")
        raise ConfigError(f"{given} without {other}", "both, where the process is known", f"{other} as well")
    if known[1] is not None and not known[1] > 0:
        raise ConfigError(f"--sd {known[1]:g}", "an sd above 0", "--sd with that of single values")
    lower, upper = limits
    if lower is not None and upper is not None and not lower < upper:
        raise ConfigError(f"--lower {lower:g} with --upper {upper:g}", "a lower limit below the upper one",
                          f"--lower {upper:g} --upper {lower:g}")  # fmt: skip


def _drawn(chart: ControlChart, across: str) -> Sequence[Picture]:
    """The chart, and that of its spread below."""
    pictures = []
    for one in (chart, chart.spread):
        if one is not None:
            signals = sorted({point for signal in one.signals for point in signal.points})
            name = chart.name if one is chart else f"{one.kind} of {chart.name}"
            pictures.append(
                control_chart(
                    np.array(one.points), np.array(one.centre), np.array(one.lower), np.array(one.upper), signals,
                    name, one.unit, across, one.labels,
                )
            )  # fmt: skip
    return pictures
