"""`seqwise runs`: what was trained, tuned and weighed here, and what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from json import dumps
from pathlib import Path
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from seqwise.printable import printable
from seqwise.tasks.runs import NOT_WEIGHED, Run, listed
from seqwise.training.console import figure

SHOWN = 1  # scores of a run in the table; all of them are in the JSON
LONGEST = 200  # characters of a name or a reason that are shown
FIRST = ("bleu", "accuracy", "rougeL", "rmse")
"""Scores that say more than the loss, and are therefore shown before it."""


@dataclass(frozen=True)
class Runs:
    """All that was found below a folder."""

    folder: str
    runs: tuple[Run, ...]
    """Newest first."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {"folder": self.folder, "runs": [run.to_dict() for run in self.runs]}

    def __rich__(self) -> Group:
        if not self.runs:
            return Group(Text(f"no runs below {printable(self.folder)}. Try seqwise train --out {self._example}."))
        table = Table(box=None, pad_edge=False)
        for name in ("run", "task", "data", "score", "cost", "verdict"):
            whole = name in ("score", "cost", "verdict")  # names may be cut in two, numbers not
            table.add_column(name, overflow="fold", no_wrap=whole, justify="right" if name == "cost" else "left")
        for run in self.runs:
            table.add_row(*map(_text, _cells(run)))
        said = [run for run in self.runs if run.broken or (run.verdict != NOT_WEIGHED and run.kind != "weighing")]
        said += [run for run in self.runs if run.kind == "weighing" and not run.broken and not self._told(run)]
        lines = [Text(), *map(_sentence, said)] if said else []
        return Group(table, *lines)

    @property
    def _example(self) -> str:
        return printable(f"{self.folder}/first")

    def _told(self, weighing: Run) -> bool:
        """Whether its sentence stands beside a run already."""
        return any(run.weighed_in == weighing.name for run in self.runs)


def runs(folder: Path = Path("runs"), /, *, json: bool = False) -> Runs | str:
    """List runs: task, data, scores, cost and verdict.

    Looks below the folder for what train, tune, train forecast and weigh wrote, newest first. Scores are those of the
    best weights: on the test where the run has one, otherwise on the validation data. A run that cannot be read is
    listed as broken, with the reason.

    Args:
        folder: Where to look.
        json: Print all as JSON.

    Example:
        seqwise runs
    """
    found = Runs(str(folder), listed(folder))
    return dumps(found.to_dict(), indent=1, ensure_ascii=False) if json else found


def _cells(run: Run) -> tuple[str, ...]:
    if run.broken:
        return run.name, run.kind, "", "", "", "broken"
    if run.kind == "weighing":
        return run.name, "weigh", run.task, "", "", run.worth
    task = run.task if run.kind != "tune" else f"tune {run.task}"
    scores = _scores(run.scores, run.scored) if run.scores else "" if run.ended else "unfinished"
    return run.name, task, ", ".join(run.data), scores, _cost(run.seconds), run.worth


def _scores(scores: Mapping[str, float], scored: str) -> str:
    """The few that say most, and what they were measured on."""
    names = sorted(scores, key=lambda name: (name not in FIRST, name == "loss"))[:SHOWN]
    told = ", ".join(f"{name} {figure(scores[name])}" for name in names)
    return f"{told} ({scored.replace('validation', 'valid')})"


def _cost(seconds: float | None) -> str:
    """Wall time, in the unit that people would use."""
    if seconds is None:
        return ""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _text(cell: str) -> Text:
    return Text(printable(cell, LONGEST))


def _sentence(run: Run) -> Text:
    """What was said of one, or what is wrong with it."""
    told = f"broken: {run.broken}" if run.broken else run.verdict
    return Text.assemble((printable(run.name, LONGEST), "bold"), f": {printable(told, 4 * LONGEST)}", overflow="fold")
