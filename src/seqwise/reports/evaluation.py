"""The scores of a model on a test set, as the terminal shows them."""

from dataclasses import dataclass

from rich.console import Group
from rich.table import Table
from rich.text import Text

from seqwise.metrics.calibration import Calibration, Coverage
from seqwise.metrics.comparison import Difference
from seqwise.metrics.confusion import Confusion
from seqwise.metrics.scores import Score
from seqwise.printable import printable

TEXTS = ("source", "reference", "output")
NAMES = {"chrf": "chrF", "rougeL": "ROUGE-L"}


@dataclass(frozen=True)
class Evaluation:
    """Scores of a model on a test set."""

    scores: tuple[Score, ...]
    worst: tuple[dict[str, str], ...]
    """The worst items first, each by the names of the columns of the file of scores."""
    notes: tuple[str, ...]
    """Where the score of each item stands, and what else to know."""
    details: tuple[Confusion | Calibration | Coverage, ...] = ()
    """Of models that name labels: what is confused, whether the chances are true, accuracy against coverage."""
    tables: bool = False
    """Whether the terminal shows the details in full, rather than a line of each."""
    differences: tuple[Difference, ...] = ()
    """Of summaries: against the first sentence of each text."""

    def to_dict(self) -> dict[str, object]:
        """Plain values, for JSON."""
        return {
            "scores": [score.to_dict() for score in self.scores],
            "notes": list(self.notes),
            **({"differences": [one.to_dict() for one in self.differences]} if self.differences else {}),
            **{type(one).__name__.lower(): one.to_dict() for one in self.details},
        }

    def __rich__(self) -> Group:
        told = [Text(printable(one.told)) for one in (*self.details, *self.differences)]
        tables = self.details if self.tables else ()
        return Group(*self.scores, *told, Text("\n".join(self.notes)), *tables, *self._items())

    def _items(self) -> list[Table]:
        if not self.worst:
            return []
        columns = list(self.worst[0])
        if columns[-3:] != list(TEXTS):
            table = Table(*columns, title="worst items")
            for row in self.worst:
                table.add_row(*(Text(printable(cell)) for cell in row.values()))
            return [table]
        table = Table(NAMES[columns[1]], ", ".join(TEXTS), title="worst texts", show_lines=True)
        for row in self.worst:
            lines = "\n".join(printable(row[name]) for name in TEXTS)
            table.add_row(f"{float(row[columns[1]]):.1f}", Text(lines))
        return [table]
