"""The questions, put to each contender: which answers come, in which order, and what becomes of one that breaks.

A question that cannot be put, as something it takes was not given, is NOT RUN and says what it takes. One that breaks
is an ERROR in its own cell; only gain and loss, without which there is no verdict, end the command.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from seqwise.errors import SeqwiseError
from seqwise.verbs.weighing.contenders import TEST, Contender, Field
from seqwise.verdict.changed import Changed, changed
from seqwise.verdict.findings import Finding, Question, failed, not_run
from seqwise.verdict.gain import against_rival, gain
from seqwise.verdict.generalization import default_margin, generalization
from seqwise.verdict.luck import luck
from seqwise.verdict.scored import Scored
from seqwise.verdict.slices import slices


@dataclass(frozen=True)
class Terms:
    """What is held to be much and little; fixed before the data are seen."""

    margin: float | None = None
    """The loss that would matter, in the unit of the measure; None: the default of each measure."""
    least: float | None = None
    """The smallest gain that would be useful; None: any."""
    tried: int = 1
    """Runs of which this is the best."""


@dataclass(frozen=True)
class Asked:
    """Answers, and the items that changed."""

    findings: tuple[Finding, ...]
    changed: tuple[Changed, ...]


def ask(found: Field, rivals: Sequence[Scored], terms: Terms, why_no_rivals: str = "") -> Asked:
    """Every question that scores alone answer, of each system."""
    findings: list[Finding] = []
    changes: list[Changed] = []
    for one in found.tuned:
        base, tuned = found.base.parts.get(TEST), one.parts.get(TEST)
        if base is None or tuned is None:
            findings.append(not_run("gain", TEST, "No test set was given.", one.name))
            continue
        findings.append(gain(_one(base), _one(tuned), terms.least))
        findings += _losses(found.base, one, terms)
        findings.append(tried("luck", TEST, one.name, lambda b=base, t=tuned: luck(_one(b), _one(t), terms.tried)))
        findings += _rivals(rivals, one, why_no_rivals)
        findings += _changes(base[0], tuned[0], changes)
    return Asked(tuple(findings), tuple(changes))


def tried(question: Question, subject: str, system: str, made: Callable[[], Finding]) -> Finding:
    """An answer, or the error that came in its place."""
    try:
        return made()
    except (SeqwiseError, ValueError, ArithmeticError) as error:
        return failed(question, subject, error, system)


def margin_of(scored: Scored, terms: Terms) -> float:
    """As given, or the default of the measure."""
    return default_margin(scored.measure, scored.value) if terms.margin is None else terms.margin


def _losses(base: Contender, tuned: Contender, terms: Terms) -> list[Finding]:
    """Each general set, with Holm over all."""
    general = [part for part in base.parts if part != TEST]
    if not general:
        why = "No general set was given, --general."
        return [not_run("generalization", "general sets", why, tuned.name)]
    base_sets = {part: _one(base.parts[part]) for part in general}
    return list(generalization(base_sets, {part: _one(tuned.parts[part]) for part in general}, terms.margin))


def _rivals(rivals: Sequence[Scored], tuned: Contender, why: str) -> list[Finding]:
    if not rivals:
        return [not_run("rival", "cheap rivals", why or "None was asked.", tuned.name)]
    return [
        tried("rival", one.system, tuned.name, lambda one=one: against_rival(one, _one(tuned.parts[TEST])))
        for one in rivals
    ]


def _changes(base: Scored, tuned: Scored, changes: list[Changed]) -> list[Finding]:
    """Of the first seed: items won and lost, and slices."""
    if not base.outputs and not base.texts and not base.slices:
        return [not_run("changed", TEST, "Neither outputs nor texts are known.", tuned.system)]
    findings: list[Finding] = []

    def told() -> Finding:
        finding, change = changed(base, tuned)
        changes.append(change)
        return finding

    findings.append(tried("changed", TEST, tuned.system, told))
    try:
        findings += slices(base, tuned)
    except (SeqwiseError, ValueError, ArithmeticError) as error:
        findings.append(failed("changed", "slices", error, tuned.system))
    return findings


def _one(several: Sequence[Scored]) -> Scored | Sequence[Scored]:
    """A single seed as it is."""
    return several[0] if len(several) == 1 else list(several)
