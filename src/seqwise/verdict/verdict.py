"""All answers together, and one sentence over them.

With several systems the gains are held to Holm's p-values, since the best of many is easily better by luck; so is that
nothing was lost on a set, as of ten systems that lost just the margin one easily seems to have lost less. A rival that
is better than a system is held to Holm's p over the rivals; that a system beats all of them needs no correction. The
sentence is about the one that comes out best: by what it was worth, then by how few of its like are shown to be better,
then by its gain. Whether two of them differ is a question of its own (`systems`), and the sentence says better of one
than of another only as far as that was answered; where it was not asked, it says so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from seqwise.stats.multiplicity import adjust
from seqwise.stats.phrases import chance, joined
from seqwise.stats.results import LEVEL
from seqwise.verdict.changed import Changed
from seqwise.verdict.cost import Cost
from seqwise.verdict.curve import Curve
from seqwise.verdict.findings import ASKED, Finding
from seqwise.verdict.methods import methods
from seqwise.verdict.sentence import HOLM, RULED, Worth, edge, not_worse, sentence, signed, useless, worth
from seqwise.verdict.standing import beaten, standing
from seqwise.verdict.trade import Trade
from seqwise.verdict.trend import Trend

VERSION = 2
"""Of verdict.json."""
ORDER: tuple[Worth, ...] = ("worth it", "at a price", "cannot tell", "not worth it")
"""Best first."""

MARGIN, GAIN = "p against the margin", "gain"
"""Values of a loss: of the test against the margin, and the difference, better being more."""


@dataclass(frozen=True)
class Verdict:
    """What `seqwise weigh` says."""

    worth: Worth
    sentence: str
    base: str
    tuned: tuple[str, ...]
    """Systems that were weighed; each may have several seeds."""
    best: str
    """The one that the sentence is about."""
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


def decide(findings: Sequence[Finding], base: str, tuned: Sequence[str], measure: str) -> Verdict:
    """The verdict on one system, or on the best of several. What else is shown is put in by `replace`.

    tuned   the systems that were weighed, as the findings name them
    """
    held = _held(findings)
    of = {name: [one for one in held if one.system == name] for name in tuned}
    best = _best(held, of)
    told = sentence(of[best], base, best)
    if len(tuned) > 1:
        told = f"{told.rstrip('.')}. {_compared(held, of, best, base)}; {_others(of, best)}."
    places = {question: place for place, question in enumerate(ASKED)}
    ordered = sorted(held, key=lambda one: (places[one.question], tuned.index(one.system) if one.system in of else -1))
    how, kept = methods(ordered), not_worse(of[best])
    return Verdict(worth(of[best]), told, base, tuple(tuned), best, measure, tuple(ordered), kept, methods=how)


def _best(findings: Sequence[Finding], of: Mapping[str, Sequence[Finding]]) -> str:
    """The one that the sentence is about."""
    judged = {name: worth(its) for name, its in of.items()}

    def place(name: str) -> tuple[int, int, float]:
        like = [other for other in of if judged[other] == judged[name]]
        return ORDER.index(judged[name]), beaten(findings, name, like), -_gained(of[name])

    return min(of, key=place)


def _gained(findings: Sequence[Finding]) -> float:
    """How large the gain is, whatever its sign in the unit; a loss is below 0."""
    sizes = [
        (1 if one.answer == "yes" else -1 if one.answer == "no" else 0) * abs(one.test.effect.value)
        for one in findings
        if one.question == "gain" and one.test is not None
    ]
    return min(sizes, default=0.0)


def _compared(findings: Sequence[Finding], of: Mapping[str, Sequence[Finding]], best: str, base: str) -> str:
    """By what the best was taken, and how it stands to the others, or that nobody asked."""
    shown = standing(findings, best, [name for name in of if name != best])
    among = f"each against {base}" if shown else f"each against {base} and none against another"
    return "; ".join(filter(None, (_chosen(of, best, f"Of {len(of)} systems, {among}, {best} has the "), shown)))


def _chosen(of: Mapping[str, Sequence[Finding]], best: str, first: str) -> str:
    """By what the best was taken. first: how the clause begins."""
    alike = [name for name in of if worth(of[name]) == worth(of[best])]
    if len(alike) == 1:
        return first + "best verdict"
    largest = all(_gained(of[name]) < _gained(of[best]) for name in alike if name != best)
    return first + (f"largest gain of {len(alike)} with this verdict" if largest else "same verdict as "
                    f"{joined([name for name in alike if name != best])} and comes first")  # fmt: skip


def _others(of: Mapping[str, Sequence[Finding]], best: str) -> str:
    kinds: dict[Worth, list[str]] = {}
    for name, findings in of.items():
        if name != best:
            kinds.setdefault(worth(findings), []).append(name)
    return ", ".join(f"{kind}: {joined(kinds[kind])}" for kind in ORDER if kind in kinds)


def _held(findings: Sequence[Finding]) -> list[Finding]:
    """Gains and losses of several systems on one set, and several rivals of one system, by Holm's p-values."""
    held = list(findings)
    for corrected, question in ((_corrected, "gain"), (_ruled, "generalization"), (_beaten, "rival")):
        places: dict[str, dict[int, float]] = {}
        for place, one in enumerate(findings):
            p = one.values.get(MARGIN) if question == "generalization" else one.test and one.test.p
            if one.question == question and isinstance(p, float):
                places.setdefault(one.system if question == "rival" else one.subject, {})[place] = p
        for several in places.values():
            if len(several) > 1:
                for place, p in zip(several, adjust(np.array(list(several.values()))).tolist(), strict=True):
                    held[place] = corrected(held[place], p, len(several))
    return held


def _corrected(one: Finding, p: float, count: int) -> Finding:
    """A gain of one of several systems; what no longer stands is told anew."""
    note = f"{chance(p)} by Holm, as {count} systems were tried on {one.subject}."
    ruled_out = one.answer == "no" and useless(one)  # by the interval, whatever p of no difference is
    if one.answer not in ("yes", "no") or p < 1 - LEVEL or ruled_out or one.test is None:
        return replace(one, notes=(*one.notes, note))
    told = (
        f"Cannot tell whether {one.system} differs on {one.subject}, as one of {count} systems that were tried: "
        f"{signed(one.test)}, {note}"
    )
    return replace(one, answer="cannot tell", told=told, notes=(*one.notes, note), values={**one.values, HOLM: p})


def _ruled(one: Finding, p: float, count: int) -> Finding:
    """That nothing was lost, by one of several systems; where a loss is shown, what no longer stands is a "yes"."""
    note = f"{chance(p)} against the margin by Holm, as {count} systems were tried on {one.subject}."
    values = {**one.values, RULED: p}
    if one.answer != "no" or p < 1 - LEVEL or one.test is None or one.interval is None:
        return replace(one, values=values, notes=(*one.notes, note))
    gained, alone = one.values.get(GAIN), one.values.get(HOLM)
    lost = isinstance(gained, float) and gained < 0 and one.test.rejected and 0 not in one.interval
    if lost and isinstance(alone, float) and alone < 1 - LEVEL:
        told = f"{one.system} lost on {one.subject}: {signed(one.test)}; a loss of {edge(one)} is not ruled out, {note}"
        return replace(one, answer="yes", told=told, values=values, notes=(*one.notes, note))
    told = (
        f"Cannot tell whether {one.system} lost {edge(one)} on {one.subject}, as one of {count} systems that were "
        f"tried: {signed(one.test)}, {note}"
    )
    return replace(one, answer="cannot tell", told=told, values=values, notes=(*one.notes, note))


def _beaten(one: Finding, p: float, count: int) -> Finding:
    """A rival that is better, as one of several."""
    if one.answer != "no" or one.test is None:
        return one
    note = f"{chance(p)} by Holm, as one of {count} rivals."
    if p < 1 - LEVEL:
        return replace(one, notes=(*one.notes, note))
    told = f"Cannot tell {one.system} from {one.subject}: {signed(one.test)}, {note}"
    return replace(one, answer="cannot tell", told=told, notes=(*one.notes, note), values={**one.values, HOLM: p})
