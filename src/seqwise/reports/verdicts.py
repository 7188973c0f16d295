"""The verdict as one HTML file that stands alone: the sentence first and large, then what it rests on.

Answers, effects against their margins, learning curve, losses of the run, gain against loss, costs, items won and lost
with what changed in their words, slices; then how each answer was found, methods with references, and facts. Only what
was asked has a section. Nothing is fetched and nothing runs, as in `page`; names and texts of the user's are escaped.

`terminal` and `answers` show the same on a terminal, `markdown` in a pull request, `card` with the model.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from seqwise.printable import printable
from seqwise.reports import answers
from seqwise.reports.comparisons import forest
from seqwise.reports.drawing import Picture, label, tied
from seqwise.reports.effects import effects, front
from seqwise.reports.learning import learning, trend
from seqwise.reports.page import POLICY
from seqwise.reports.terminal import cells, numeric
from seqwise.stats.phrases import answered, chance, counted, number
from seqwise.stats.results import LEVEL, Estimate, Grid
from seqwise.verdict.changed import Changed
from seqwise.verdict.findings import ASKED, Finding
from seqwise.verdict.verdict import Verdict

TRENDS = 6  # runs whose losses are drawn


@dataclass(frozen=True)
class Row:
    """An answer as it stands in the table."""

    question: str
    subject: str
    system: str
    answer: str
    kind: str
    """hoped, feared or open: of the colour, which never says alone what the word does not."""
    effect: str
    n: str
    least: str
    margin: str
    state: str

    @classmethod
    def of(cls, one: Finding, verdict: Verdict) -> "Row":
        """Of a finding; no cell of what was not measured is empty."""
        absent = "none" if one.state == "MEASURED" else one.state
        return cls(
            question=ASKED[one.question],
            subject=one.subject or "—",
            system=one.system or "—",
            answer=one.answer or one.state,
            kind=answers.kind(one),
            effect=answers.size(one) or absent,
            n=answers.counts(one.test) or absent,
            least=answers.least(one) or absent,
            margin=answers.margin(one, verdict) or absent,
            state=one.state,
        )


@dataclass(frozen=True)
class Behind:
    """How an answer was found."""

    question: str
    where: str
    answer: str
    kind: str
    told: str
    facts: Mapping[str, str]
    grids: tuple[Grid, ...] = ()


@dataclass(frozen=True)
class Part:
    """A section of the page."""

    id: str
    heading: str
    sentences: tuple[str, ...] = ()
    pictures: tuple[Picture, ...] = ()
    grids: tuple[Grid, ...] = ()
    changes: tuple[Changed, ...] = ()
    behind: tuple[Behind, ...] = ()
    methods: tuple[str, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)


def verdict_page(verdict: Verdict) -> str:
    """The whole file as text; the same verdict gives the same bytes."""
    return (
        _environment()
        .get_template("verdict.html")
        .render(
            title=f"{', '.join(verdict.tuned)} against {verdict.base}, by {verdict.measure}",
            verdict=verdict,
            answers=[Row.of(one, verdict) for one in answers.asked(verdict)],
            several=len(verdict.tuned) > 1,
            sections=_parts(verdict),
            policy=POLICY,
        )
    )


def _parts(verdict: Verdict) -> list[Part]:
    """Those that have something to show, in the order of the page."""
    told: dict[str, tuple[str, ...]] = {
        question: tuple(one.told for one in answers.asked(verdict) if one.question == question and one.system)
        for question in ASKED
    }
    sliced, paired = answers.slices(verdict), answers.pairs(verdict)
    priced = answers.spent(verdict)
    curve, trade = verdict.curve, verdict.trade
    drawn = bool(curve and curve.points)
    parts = [
        Part("effects", "Effects and margins", pictures=effects(verdict)),
        Part("systems", "Systems against one another", pictures=_paired(verdict), grids=(paired,) if paired else ()),
        Part("data", "Would more data help?", told["data"] if drawn else (),
             (learning(curve),) if curve and drawn else ()),
        Part("overfitting", "Training and validation", told["overfitting"] if verdict.trends else (),
             tuple(trend(one) for one in verdict.trends[:TRENDS] if one.looks)),
        Part("trade", "Gain against loss", told["trade"] if trade else (),
             (front(trade, verdict.base, _lost_on(verdict)),) if trade and len(trade.choices) > 1 else ()),
        Part("costs", "What it cost", told["cost"] if priced else (), grids=priced),
        Part("changed", "Won and lost", changes=verdict.changed),
        Part("slices", "Slices", pictures=_sliced(verdict), grids=(sliced,) if sliced else ()),
        Part("behind", "Behind each answer",
             behind=tuple(_behind(one, verdict) for one in answers.asked(verdict) if one.system)),
        Part("methods", "Methods", methods=verdict.methods),
        Part("facts", "Facts", facts=verdict.facts),
    ]  # fmt: skip
    return [one for one in parts if one.pictures or one.grids or one.changes or one.behind or one.methods or one.facts]


def _lost_on(verdict: Verdict) -> str:
    """The first general set, by which a trade is judged."""
    sets = [one.subject for one in verdict.findings if one.question == "generalization" and one.state != "NOT RUN"]
    return sets[0] if sets else "general sets"


def _paired(verdict: Verdict) -> tuple[Picture, ...]:
    """Pairs of systems below one another, of the measure of the test set."""
    found = [one for one in verdict.findings if one.question == "systems" and one.test is not None]
    shown = [
        replace(one.test.effect, name=f"{one.system} against {one.subject}") for one in found if one.test is not None
    ]
    if not shown:
        return ()
    better, same = (sum(one.answer == said for one in found) for said in ("yes", "no"))
    held = " after Holm's correction" if len(found) > 1 else ""
    title = f"Of {counted(len(found), 'pair')} {better or 'none'} {'is' if better < 2 else 'are'} told apart{held}"
    rest = f"{same or 'no'} other{'s' if same > 1 else ''}" if better else str(same or "none")
    title += f"; of {rest} a difference that matters is ruled out." if better < len(found) else "."
    axis = "difference" if verdict.measure == shown[0].unit else f"difference in {verdict.measure}"
    return (forest(shown, title, margin=found[0].margin, axis=axis),)


def _sliced(verdict: Verdict) -> tuple[Picture, ...]:
    """Slices of one unit below one another."""
    found = [one for one in verdict.findings if answers.is_slice(one) and one.test is not None]
    several = len(verdict.tuned) > 1
    shown = [
        Estimate(f"{one.subject}{f', {one.system}' if several else ''}", one.test.effect.value, one.interval,
                 one.test.effect.unit)
        for one in found if one.test is not None
    ]  # fmt: skip
    if len(shown) < 2 or len({one.unit for one in shown}) > 1:
        return ()
    stand = sum(1 for one in found if isinstance(p := one.values.get("p, Holm"), float) and p < 1 - LEVEL)
    title = f"{stand} of {len(found)} slices differ from {label(verdict.base)} after Holm's correction."
    return (forest(shown, title, axis=f"difference to {verdict.base}"),)


def _behind(one: Finding, verdict: Verdict) -> Behind:
    where = ", ".join(filter(None, (one.subject, one.system if len(verdict.tuned) > 1 else "")))
    facts: dict[str, str] = {}
    if (test := one.test) is not None:
        facts |= {
            "effect": f"{test.effect.name}: {answers.size(one)}",
            "test": f"{test.name}: {answered(test)}"
            if test.df
            else f"{test.name}: {test.symbol} = {number(test.statistic)}, {chance(test.p)}",
            "why this test": test.why,
            "null hypothesis": test.null,
            "n": answers.counts(test),
            "could show": answers.least(one),
            "assumptions": " ".join(f"{each.name}: {each.told}" for each in test.assumptions),
            "remarks": " ".join(test.notes),
        }
    pair = answers.scores(one)
    facts |= {
        "scores": f"{number(pair[1])} of {one.system} against {number(pair[0])}" if pair else "",
        "margin": answers.margin(one, verdict),
        "needed": one.needed,
        "notes": " ".join(one.notes),
    }
    grids = () if one.question in ("changed", "cost") else one.grids
    return Behind(ASKED[one.question], where, one.answer or one.state, answers.kind(one), one.told, facts, grids)


def visible(text: str) -> str:
    """The text with its lines, but nothing that hides or turns what follows."""
    return "".join(one if one in "\n\t" else printable(one) for one in text.replace("\r\n", "\n"))


def hugged(text: str) -> tuple[str, str, str]:
    """The spaces before, the text, the spaces after: a line under or through words spares the spaces around them."""
    core = text.strip()
    start = text.index(core) if core else 0
    return text[:start], core, text[start + len(core) :]


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("seqwise.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"cells": cells, "numeric": numeric, "tied": tied, "printable": printable, "visible": visible}
    made.filters |= {"score": number, "hugged": hugged}
    return made
