"""All answers together, and one sentence over them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from seqwise.verdict.changed import Changed
from seqwise.verdict.cost import Cost
from seqwise.verdict.curve import Curve
from seqwise.verdict.findings import Finding
from seqwise.verdict.overfitting import Trend
from seqwise.verdict.trade import Trade

VERSION = 1
"""Of verdict.json."""
Worth = Literal["worth it", "at a price", "not worth it", "cannot tell"]


@dataclass(frozen=True)
class Verdict:
    """What `seqwise weigh` says."""

    worth: Worth
    sentence: str
    base: str
    tuned: tuple[str, ...]
    """Systems that were weighed; each may have several seeds."""
    measure: str
    findings: tuple[Finding, ...]
    """In the order of the questions."""
    not_worse: bool | None = None
    """Whether nothing was lost beyond the margin, on the task and on every general set; None: cannot tell."""
    curve: Curve | None = None
    trends: tuple[Trend, ...] = ()
    trade: Trade | None = None
    costs: tuple[Cost, ...] = ()
    price: float | None = None
    """Of an hour of the machine."""
    currency: str = ""
    changed: tuple[Changed, ...] = ()
    methods: tuple[str, ...] = ()
    """How it was computed, in words, with references."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """Where the data came from, versions, the command."""
    notes: tuple[str, ...] = ()
