"""What loss would matter, set by set: one margin for all, and others by the name of a set.

    --margin 1                      1 in the unit of each set's measure
    --margin 1 --margin sst2=0.5    0.5 on sst2, 1 on all others
    --margin sst2=0.5               0.5 on sst2, the default of its measure on each other

Sets have the names of their files without what follows the first dot; of files of predictions those in the column
`set`. The test set is called test: by its margin systems are compared with one another, and a loss at the task is
ruled out.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf

from seqwise.errors import ConfigError, nearest
from seqwise.stats.phrases import joined
from seqwise.verdict.generalization import default_margin
from seqwise.verdict.scored import Scored
from seqwise.verdict.words import limit

FLAG = "--margin"
BETWEEN = "="
WHOLE = 100.0  # points that there are


@dataclass(frozen=True)
class Margins:
    """As they were given."""

    each: float | None = None
    """Of every set that is not named; None: the default of its measure."""
    named: Mapping[str, float] = field(default_factory=dict)
    """By the name of the set."""

    @classmethod
    def read(cls, given: float | Sequence[str] | None) -> "Margins":
        """The words of the flag, or one number."""
        words = [] if given is None else [f"{given:g}"] if isinstance(given, int | float) else list(given)
        each: float | None = None
        named: dict[str, float] = {}
        for text in map(str, words):
            name, between, value = text.rpartition(BETWEEN)
            if between and name in named:
                raise ConfigError(f"{FLAG} of {name} twice", "one margin for each set", f"{FLAG} {text}, alone")
            if not between and each is not None:
                allowed = "one margin for all sets, and others by name"
                raise ConfigError(f"{FLAG} {each:g} and {FLAG} {text}", allowed, f"{FLAG} {each:g} {FLAG} NAME={text}")
            size = _size(text, name, value)
            if between:
                named[name] = size
            else:
                each = size
        return cls(each, named)

    def of(self, scored: Scored) -> float:
        """Of the set of these scores of the base: as given, or the default of the measure."""
        given = self.named.get(scored.part, self.each)
        if given is not None and given >= WHOLE and scored.measure.kind == "right":
            flag = f"{FLAG} {scored.part}{BETWEEN}{given:g}" if scored.part in self.named else f"{FLAG} {given:g}"
            allowed = f"below {WHOLE:g} points, as {scored.measure.name} has no more to lose"
            raise ConfigError(f"{flag} on {scored.part}", allowed, f"{FLAG} 1, a point")
        return default_margin(scored.measure, scored.size) if given is None else given

    def must_name(self, parts: Iterable[str]) -> None:
        """Refuse names of sets that are not there."""
        known = list(parts)
        for name, size in self.named.items():
            if name not in known:
                close = nearest(name, known) or known[-1]
                given, allowed = f"{FLAG} {name}{BETWEEN}{size:g}", f"the name of a set: {', '.join(known)}"
                raise ConfigError(given, allowed, f"{FLAG} {close}{BETWEEN}{size:g}")

    def told(self, bases: Iterable[Scored]) -> str:
        """The margin of each set, and whether it was given."""
        return joined([
            f"{limit(self.of(one), one.measure.unit)} on {one.part} "
            f"({'given' if one.part in self.named or self.each is not None else 'default'})"
            for one in bases
        ])  # fmt: skip


def _size(text: str, name: str, value: str) -> float:
    """A number above 0."""
    lead = f"{name}{BETWEEN}" if name else ""
    try:
        size = float(value)
    except ValueError:
        given, allowed = f"{FLAG} {text}", "a number, or NAME=NUMBER for the set of that name"
        raise ConfigError(given, allowed, f"{FLAG} {lead}1") from None
    if not 0 < size < inf:
        allowed = "a margin above 0: that nothing at all was lost cannot be shown"
        raise ConfigError(f"{FLAG} {lead}{size:g}", allowed, f"{FLAG} {lead}1, or whatever loss would matter")
    return size
