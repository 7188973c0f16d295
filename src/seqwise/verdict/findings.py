"""What every question is answered with: yes, no or cannot tell, and all that a referee would ask back.

Finding    one answer to one question on one set
State      whether it was measured at all, and if not, why: no cell of a report is ever silently empty
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from seqwise.stats.results import Grid, Interval, Test, plain

State = Literal["MEASURED", "NOT RUN", "ERROR", "TOO FEW"]
Answer = Literal["yes", "no", "cannot tell"]
Question = Literal[
    "gain", "generalization", "overfitting", "data", "cost", "luck", "trade", "rival", "systems", "changed"
]

ASKED: Mapping[Question, str] = {
    "gain": "Is it better at the task?",
    "generalization": "Has it lost what it could do before?",
    "overfitting": "Does it overfit?",
    "data": "Would more data help?",
    "cost": "What did it cost?",
    "luck": "Could it be luck?",
    "trade": "Is there a better trade?",
    "rival": "Does it beat what costs nothing?",
    "systems": "Is it better than another system?",
    "changed": "What changed?",
}
"""In the order of the report."""


@dataclass(frozen=True)
class Finding:
    """One answer."""

    question: Question
    subject: str
    """What it was asked of: test, the name of a general set, a rival, another system."""
    state: State
    told: str
    """One sentence that stands alone, with size and interval where something was measured; where nothing was, why."""
    answer: Answer | None = None
    """None unless it was measured; of cost and what changed there is none."""
    system: str = "tuned"
    test: Test | None = None
    """Effect in the user's unit with interval, test and null hypothesis, why this test, n, what n could have shown."""
    margin: float | None = None
    """In the effect's unit."""
    needed: str = ""
    """Of "cannot tell": how many more items or seeds would tell."""
    values: Mapping[str, float | str | None] = field(default_factory=dict)
    """Further numbers, by names that are ours alone."""
    grids: tuple[Grid, ...] = ()
    notes: tuple[str, ...] = ()
    scores: Mapping[str, float] = field(default_factory=dict)
    """Of both systems on the set, by their names, which may be any: first the one held against, then `system`."""

    @property
    def interval(self) -> Interval | None:
        """Of the effect."""
        return self.test.effect.interval if self.test else None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {**plain(self), "asked": ASKED[self.question], "test": self.test.to_dict() if self.test else None}


def not_run(question: Question, subject: str, why: str, system: str = "tuned") -> Finding:
    """Nobody asked, or something it takes was not given."""
    return Finding(question, subject, "NOT RUN", why, system=system)


def failed(question: Question, subject: str, error: Exception, system: str = "tuned") -> Finding:
    """It was asked and broke."""
    return Finding(question, subject, "ERROR", str(error), system=system)


def too_few(question: Question, subject: str, why: str, system: str = "tuned") -> Finding:
    """So few items or seeds that no method says anything."""
    return Finding(question, subject, "TOO FEW", why, system=system)
