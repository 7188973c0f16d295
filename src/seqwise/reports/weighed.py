"""A verdict on the terminal: the sentence, what was answered, a table that fits, and where the rest is.

What was not asked stands in the table alone; slices and items that changed stand in the page and in verdict.json.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import Group

from seqwise.reports import answers
from seqwise.reports.record import to_json
from seqwise.reports.terminal import Fitted, lines, shortened, table
from seqwise.stats.results import Cell, Grid
from seqwise.verdict.findings import Question
from seqwise.verdict.verdict import Verdict

SHORT: Mapping[Question, str] = {
    "gain": "better at the task?",
    "generalization": "lost elsewhere?",
    "overfitting": "overfits?",
    "data": "more data would help?",
    "cost": "cost",
    "luck": "could be luck?",
    "trade": "a better trade?",
    "rival": "beats cheap rivals?",
    "systems": "better than another?",
    "changed": "changed",
}
"""The questions in few words."""


@dataclass(frozen=True)
class Weighed:
    """What `seqwise weigh` returns."""

    verdict: Verdict
    out: str = ""
    """The page; empty where nothing was written."""
    exit_code: int = 0

    def to_dict(self) -> dict[str, Any]:
        """As verdict.json."""
        return to_json(self.verdict)

    def __rich__(self) -> Group:
        asked = answers.closest(self.verdict)
        told = [one.told for one in asked if one.told and one.state != "NOT RUN"]
        needed = dict.fromkeys(one.needed for one in asked if one.needed)
        notes = [*needed, *self.verdict.notes, *([f"Written to {self.out}."] if self.out else [])]
        more = [one for one in asked if one.question in ("cost", "trade", "data") and one.state != "NOT RUN"]
        tables = (Fitted(shortened(grid)) for one in more for grid in one.grids if grid.rows)
        return Group(
            lines([self.verdict.sentence]), lines(["", *told, *notes]), "", table(brief(self.verdict)), *tables
        )


def brief(verdict: Verdict) -> Grid:
    """One row for each answer, narrow: differences to the base, or to the rival or system that it is asked of."""
    several = len(verdict.tuned) > 1
    rows: list[tuple[Cell, ...]] = []
    for one in answers.asked(verdict):
        told = answers.size(one) if one.test else ""
        row = (SHORT[one.question], one.subject, *((one.system,) if several else ()), one.answer or one.state, told)
        rows.append(row)
    columns = ("question", "of", *(("system",) if several else ()), "answer", "difference")
    return Grid("Answers", columns, tuple(rows), whole=True)
