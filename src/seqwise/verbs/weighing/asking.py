"""The questions, put to each contender: which answers come, in which order, and what becomes of one that breaks.

A question that cannot be put, as something it takes was not given, is NOT RUN and says what it takes. One that breaks
is an ERROR in its own cell; only gain and loss, without which there is no verdict, end the command.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from seqwise.errors import SeqwiseError
from seqwise.verbs.weighing.contenders import TEST, Contender, Field
from seqwise.verbs.weighing.margins import Margins
from seqwise.verdict.changed import Changed, changed
from seqwise.verdict.findings import Finding, Question, failed, not_run, too_few
from seqwise.verdict.gain import against_rival, gain
from seqwise.verdict.generalization import generalization
from seqwise.verdict.luck import luck
from seqwise.verdict.origins import lacking as lacking_origins
from seqwise.verdict.scored import Scored
from seqwise.verdict.sentence import AT_MOST, MATTERS, TWINS
from seqwise.verdict.slices import slices
from seqwise.verdict.systems import systems


@dataclass(frozen=True)
class Terms:
    """What is held to be much and little; fixed before the data are seen."""

    margins: Margins = field(default_factory=Margins)
    """The loss that would matter on each set, in the unit of its measure."""
    least: float | None = None
    """The smallest gain that would be useful; None: any."""
    tried: int = 1
    """Runs of which this is the best."""


@dataclass(frozen=True)
class Asked:
    """Answers, and the items that changed."""

    findings: tuple[Finding, ...]
    changed: tuple[Changed, ...]


def ask(found: Field, rivals: Sequence[Scored], terms: Terms, lacking: str | Exception = "") -> Asked:
    """Every question that scores alone answer, of each system. lacking: why rivals, or some of them, are not there."""
    findings: list[Finding] = []
    changes: list[Changed] = []
    for one in found.tuned:
        base, tuned = found.base.parts.get(TEST), one.parts.get(TEST)
        if base is None or tuned is None:
            findings.append(not_run("gain", TEST, "No test set was given.", one.name))
            continue
        if few := lacking_origins(base[0]):
            short: tuple[Question, ...] = ("gain", "luck", *(("rival",) if rivals else ()))
            findings += [too_few(question, _of(question, rivals), few, one.name) for question in short]
            findings += [*_losses(found.base, one, terms), *_changes(base, tuned, changes)]
            continue
        findings.append(_ruled_out(gain(_one(base), _one(tuned), terms.least), base[0], terms))
        findings += _losses(found.base, one, terms)
        lucky = tried("luck", TEST, one.name, partial(luck, _one(base), _one(tuned), terms.tried))
        findings.append(_twin(lucky) if one.name in found.twins else lucky)
        findings += _rivals(rivals, one, lacking)
        findings += _changes(base, tuned, changes)
    return Asked((*findings, *_systems(found, terms)), tuple(changes))


def _systems(found: Field, terms: Terms) -> tuple[Finding, ...]:
    """The tuned ones against one another, on the test set."""
    if TEST not in found.base.parts:
        return (not_run("systems", "other systems", "No test set was given.", found.tuned[0].name),)
    asked = {one.name: _one(one.parts[TEST]) for one in found.tuned if TEST in one.parts}
    return systems(asked, terms.margins.of(found.base.parts[TEST][0]))


def _of(question: Question, rivals: Sequence[Scored]) -> str:
    """What a question is asked of."""
    return rivals[0].system if question == "rival" else TEST


def _twin(answer: Finding) -> Finding:
    """Of two trainings of one recipe there is nothing else that could part them."""
    told = f"{answer.system} was made as the base was, but for the seed: what parts them is the luck of training."
    needed = "Seeds of another recipe would tell whether that one is better: --seeds, or more runs."
    values = {**answer.values, TWINS: "yes"}
    return replace(answer, state="MEASURED", answer="yes", told=told, needed=needed, values=values)


def tried(question: Question, subject: str, system: str, made: Callable[[], Finding]) -> Finding:
    """An answer, or the error that came in its place."""
    try:
        return made()
    except (SeqwiseError, ValueError, ArithmeticError) as error:
        return failed(question, subject, error, system)


def _ruled_out(found: Finding, base: Scored, terms: Terms) -> Finding:
    """With the largest loss that the interval of the gain leaves open, and the one that would matter."""
    if found.interval is None:
        return found
    low = -found.interval.high if base.measure.lower else found.interval.low
    return replace(found, values={**found.values, AT_MOST: max(0.0, -low), MATTERS: terms.margins.of(base)})


def _losses(base: Contender, tuned: Contender, terms: Terms) -> list[Finding]:
    """Each general set, with Holm over all."""
    few = {part: why for part, scored in base.parts.items() if (why := lacking_origins(scored[0]))}
    general = [part for part in base.parts if part != TEST and part not in few]
    short = [too_few("generalization", part, why, tuned.name) for part, why in few.items() if part != TEST]
    if not general and not short:
        why = "No general set was given, --general."
        return [not_run("generalization", "general sets", why, tuned.name)]
    base_sets = {part: _one(base.parts[part]) for part in general}
    tuned_sets = {part: _one(tuned.parts[part]) for part in general}
    margins = {part: terms.margins.of(base.parts[part][0]) for part in general}
    found = generalization(base_sets, tuned_sets, margins)
    return [*(replace(one, system=tuned.name) for one in found), *short]


def _rivals(rivals: Sequence[Scored], tuned: Contender, lacking: str | Exception) -> list[Finding]:
    if isinstance(lacking, Exception):
        return [failed("rival", "cheap rivals", lacking, tuned.name)]
    if not rivals:
        return [not_run("rival", "cheap rivals", lacking or "None was asked.", tuned.name)]
    found = [
        tried("rival", one.system, tuned.name, partial(against_rival, one, _one(tuned.parts[TEST]))) for one in rivals
    ]
    return [*found, *([not_run("rival", "other rivals", lacking, tuned.name)] if lacking else [])]


def _changes(base: Sequence[Scored], tuned: Sequence[Scored], changes: list[Changed]) -> list[Finding]:
    """Items won and lost, of the first seed; and slices, over all."""
    first, other = base[0], tuned[0]
    if not first.outputs and not first.texts and not first.slices:
        return [not_run("changed", TEST, "Neither outputs nor texts are known.", other.system)]
    findings: list[Finding] = []

    def told() -> Finding:
        finding, change = changed(first, other)
        changes.append(change)
        note = (f"Items of the first of {len(tuned)} seeds.",) if len(tuned) > 1 else ()
        return replace(finding, notes=(*finding.notes, *note))

    findings.append(tried("changed", TEST, other.system, told))
    try:
        findings += slices(_one(base), _one(tuned))
    except (SeqwiseError, ValueError, ArithmeticError) as error:
        findings.append(failed("changed", "slices", error, other.system))
    return findings


def _one(several: Sequence[Scored]) -> Scored | Sequence[Scored]:
    """A single seed as it is."""
    return several[0] if len(several) == 1 else list(several)
