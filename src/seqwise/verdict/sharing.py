"""How many trials ran at once on one machine, whose hours are paid for once however many share them.

    sharing    by trial, the number among which each hour of its machine was shared, itself among them

By the times in the rows of the table: at each moment all trials that run on a host have equal shares of it. The shares
of all add up to the time in which the machine was at work, so that no hour is paid for twice. A number between two
whole ones is that of a trial some of whose time was shared.

Left out: tries that were killed and left no row; whatever else ran on the machine; what each took of it, as its cores
are dealt out evenly.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import pairwise

from seqwise.verdict.trials import Row


def sharing(rows: Sequence[Row]) -> Mapping[str, float]:
    """By the name of the trial; 1 of those that were alone, or of whose time nothing is known."""
    spans = {row.trial.name: span for row in rows if (span := _span(row)) is not None}
    hosts = {row.trial.name: row.host for row in rows}
    found = dict.fromkeys(hosts, 1.0)
    for host in set(hosts.values()):
        here = {name: span for name, span in spans.items() if hosts[name] == host}
        edges = sorted({edge for span in here.values() for edge in span})
        paid = dict.fromkeys(here, 0.0)
        for begin, end in pairwise(edges):
            at_work = [name for name, (first, last) in here.items() if first <= begin and end <= last]
            for name in at_work:
                paid[name] += (end - begin) / len(at_work)
        found |= {name: (last - first) / paid[name] for name, (first, last) in here.items()}
    return found


def _span(row: Row) -> tuple[float, float] | None:
    """From when to when it ran, in seconds since the epoch; None where that took no time or is not told."""
    try:
        begin = datetime.fromisoformat(row.started).timestamp()
    except ValueError:
        return None
    return (begin, begin + row.seconds) if begin + row.seconds > begin else None
