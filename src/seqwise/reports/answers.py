"""The verdict as sentences and tables: each question with its answer, the effect, and what the data could have shown.

    sentences    the verdict, then what each answer says
    grids        all tables: answers, slices, items that changed, costs
    answers      question, of what, answer, effect and its interval, n, what could have been shown
    pairs        systems against one another
    slices       the effect within each slice
    costs        time, memory, weights, energy, money

No cell is silently empty: what was not measured says NOT RUN, ERROR or TOO FEW. Questions that nobody asked are rows
too.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

from seqwise.stats.phrases import alike, amount, ends, joined, number
from seqwise.stats.results import Cell, Grid, Test, ends_of
from seqwise.verdict.cost import Cost, company
from seqwise.verdict.findings import ASKED, Answer, Finding, Question, not_run
from seqwise.verdict.sentence import HOLM
from seqwise.verdict.systems import SAME_HOLM
from seqwise.verdict.verdict import Verdict
from seqwise.verdict.words import limit

NOT_RUN = "NOT RUN"
FEW_PAIRS = 6
"""Pairs of systems that are told of in sentences; of more those of the best one."""
GOOD: Mapping[Question, Answer] = {
    "gain": "yes",
    "generalization": "no",
    "overfitting": "no",
    "luck": "no",
    "rival": "yes",
}
"""The answer that one hopes for; of the other questions there is none."""


def sentences(verdict: Verdict) -> tuple[str, ...]:
    """The verdict, then what each answer says, slices left to their table."""
    return (verdict.sentence, *(one.told for one in verdict.findings if one.told and not is_slice(one)), *verdict.notes)


def grids(verdict: Verdict) -> tuple[Grid, ...]:
    """All that there are."""
    more = [grid for one in verdict.findings if one.question != "cost" for grid in one.grids]
    made = (answers(verdict), pairs(verdict), slices(verdict), *more, *spent(verdict))
    return tuple(grid for grid in made if grid is not None and grid.rows)


def spent(verdict: Verdict) -> tuple[Grid, ...]:
    """What trainings cost: the tables of the answer, where it has some, else a row for each training."""
    told = tuple(grid for one in verdict.findings if one.question == "cost" for grid in one.grids if grid.rows)
    made = costs(verdict.costs, verdict.price, verdict.currency)
    return told or ((made,) if made else ())


def is_slice(finding: Finding) -> bool:
    """Whether it is about a part of a set that was looked at beside the set."""
    return finding.question == "changed" and "slice" in finding.values


def asked(verdict: Verdict) -> tuple[Finding, ...]:
    """A finding or more for each question, in their order; slices left out."""
    rows: list[Finding] = []
    for question in ASKED:
        found = [one for one in verdict.findings if one.question == question and not is_slice(one)]
        rows += found or [not_run(question, "", "Not asked.", system="")]
    return tuple(rows)


def answers(verdict: Verdict) -> Grid:
    """One row for each answer."""
    several = len(verdict.tuned) > 1
    rows = []
    for one in asked(verdict):
        effect = one.test.effect if one.test else None
        low, high = ends_of(one.interval)
        least = one.test.detectable.value if one.test and one.test.detectable else None
        row: tuple[Cell, ...] = (
            ASKED[one.question],
            one.subject,
            *((one.system,) if several else ()),
            one.answer or one.state,
            effect.value if effect else None,
            low,
            high,
            effect.unit if effect else "",
            counts(one.test),
            least,
            one.margin,
        )
        rows.append(row)
    columns = ("question", "of", *(("system",) if several else ()), "answer", "effect", "low", "high", "unit", "n")
    note = f"Effect: difference to {verdict.base}, of rivals and other systems to these. "
    note += "Could show: found four times in five, if it were so large."
    return Grid("Answers", (*columns, "could show", "margin"), tuple(rows), note, whole=True)


def pairs(verdict: Verdict) -> Grid | None:
    """Systems against one another on the test set, p corrected for all pairs."""
    rows: list[tuple[Cell, ...]] = []
    told = ""
    for one in verdict.findings:
        if one.question != "systems" or one.state == NOT_RUN:
            continue
        effect = one.test.effect if one.test else None
        row: tuple[Cell, ...] = (
            one.system,
            one.subject,
            one.answer or one.state,
            effect.value if effect else None,
            *ends_of(one.interval),
            one.test.p if one.test else None,
            one.values.get(HOLM),
            one.values.get(SAME_HOLM),
            one.state,
        )
        rows.append(row)
        if one.margin is not None and effect:
            unit = f" Differences are in {effect.unit}." if effect.unit else ""
            told = f"{unit} No: none of {limit(one.margin, effect.unit)} or more, which would matter, either way."
    if not rows:
        return None
    columns = ("system", "against", "better?", "difference", "low", "high", "p", "p, Holm", "p, same, Holm")
    note = f"The better score stands first; intervals of each pair by itself.{told}"
    return Grid("Systems against one another", (*columns, "state"), tuple(rows), note)


def closest(verdict: Verdict) -> tuple[Finding, ...]:
    """All answers, but of many pairs of systems those of the best one."""
    found = asked(verdict)
    many = sum(one.question == "systems" for one in found) > FEW_PAIRS
    return tuple(
        one for one in found
        if one.question != "systems" or not many or one.state == NOT_RUN or verdict.best in (one.system, one.subject)
    )  # fmt: skip


def slices(verdict: Verdict) -> Grid | None:
    """The effect within each slice, p corrected for all of them."""
    rows: list[tuple[Cell, ...]] = []
    several = len(verdict.tuned) > 1
    for one in verdict.findings:
        if not is_slice(one):
            continue
        effect, items = one.test.effect if one.test else None, one.values.get("items")
        row: tuple[Cell, ...] = (
            str(one.values["slice"]),
            str(one.values.get("label") or ""),
            *((one.system,) if several else ()),
            one.state,
            int(items) if isinstance(items, int | float) else None,
            effect.value if effect else None,
            *ends_of(one.interval),
            effect.unit if effect else "",
            one.values.get("p, Holm"),
        )
        rows.append(row)
    if not rows:
        return None
    columns = ("slice", "label", *(("system",) if several else ()), "state", "items", "effect", "low", "high", "unit")
    note = f"Effect: difference to {verdict.base}. p as one of all slices, by Holm; intervals of each by itself."
    return Grid("Slices", (*columns, "p, Holm"), tuple(rows), note)


def kind(finding: Finding) -> Literal["hoped", "feared", "open"]:
    """Whether the answer is the one hoped for; open where there is none, or none to hope for."""
    wanted = GOOD.get(finding.question)
    if wanted is None or finding.answer not in ("yes", "no"):
        return "open"
    return "hoped" if finding.answer == wanted else "feared"


def counts(test: Test | None) -> str:
    """What was counted: 400 items, 30 clusters, 3 seeds."""
    return (
        ", ".join(f"{count:,} {_one(name) if count == 1 else name}" for name, count in test.n.items()) if test else ""
    )


def _one(name: str) -> str:
    """Of items: item; of seeds of a system: seed of it."""
    what, of, whose = name.partition(" of ")
    return f"{what.removesuffix('s')}{of}{whose}"


def size(finding: Finding) -> str:
    """The effect with its interval in words, or why there is none."""
    if finding.test is None:
        return "" if finding.state == "MEASURED" else finding.state
    effect = finding.test.effect
    unit = f" {effect.unit}" if effect.unit else ""
    if effect.interval is None:
        return signed(effect.value) + unit
    value, low, high = alike(effect.value, effect.interval.low, effect.interval.high)
    plus = "+" if effect.value > 0 and float(value.replace(",", "") or 0) else ""
    return f"{plus}{value}{unit} ({ends(effect.interval.level, low, high)})"


def signed(value: float) -> str:
    """With its sign."""
    return f"{'+' if value > 0 else ''}{number(value)}"


def least(finding: Finding) -> str:
    """What the data could have shown."""
    found = finding.test.detectable if finding.test else None
    return amount(found.value, found.unit) if found else ""


def margin(finding: Finding, verdict: Verdict) -> str:
    """What is too small to matter, in the unit of the effect; of more data in that of the curve."""
    if finding.margin is None:
        return ""
    curve = verdict.curve if finding.question == "data" else None
    return limit(finding.margin, finding.test.effect.unit if finding.test else curve.unit if curve else "")


def scores(finding: Finding) -> tuple[float, float] | None:
    """Of both systems, where the finding has them: first of the one that is held against."""
    pair = tuple(finding.scores.values())
    return (pair[0], pair[1]) if len(pair) == 2 else None


def costs(trainings: Sequence[Cost], price: float | None = None, currency: str = "") -> Grid | None:
    """What each training cost, and what was foreseen."""
    if not trainings:
        return None
    columns = [
        "system",
        "seed",
        "time",
        "foreseen",
        "processor",
        "peak memory",
        "foreseen",
        "trained weights",
        "energy",
    ]
    if price is not None:
        columns.append("money")
    if any(one.examples is not None for one in trainings):
        columns.append("examples")
    rows = []
    for one in trainings:
        row: list[Cell] = [
            one.system,
            "—" if one.seed is None else str(one.seed),
            lasting(one.seconds),
            lasting(one.foreseen_seconds),
            lasting(one.processor),
            heavy(one.memory),
            heavy(one.foreseen_memory),
            NOT_RUN if one.trained is None else f"{one.trained:,}",
            NOT_RUN if one.energy is None else f"{number(one.energy / 3600, 3)} Wh",
        ]
        if price is not None:
            money = None if one.paid is None else price * one.paid / 3600
            row.append(NOT_RUN if money is None else f"{_money(money)} {currency}".strip())
        if "examples" in columns:
            row.append(NOT_RUN if one.examples is None else f"{one.examples:,}")
        rows.append(tuple(row))
    why = sorted({told for one in trainings for told in one.why.values()})
    note = f"NOT RUN: not measured{f' ({joined(why)})' if why else ''}." if any(NOT_RUN in row for row in rows) else ""
    shared = [f"{one.system} {told}" for one in trainings if (told := company([one]))]
    told = f"Times at once: {joined(list(dict.fromkeys(shared)))}; money is the share of each." if shared else ""
    return Grid("Costs of training", tuple(columns), tuple(rows), " ".join(filter(None, (note, told))))


def lasting(seconds: float | None) -> str:
    """A time as people say it."""
    if seconds is None:
        return NOT_RUN
    if seconds < 60:
        return f"{number(seconds, 3)} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{int(seconds // 60)} min {int(seconds % 60)} s"
    return f"{minutes // 60} h {minutes % 60} min"


def heavy(count: float | None) -> str:
    """Bytes; GB are thousand millions."""
    if count is None:
        return NOT_RUN
    return f"{count / 1e9:,.1f} GB" if count >= 1e8 else f"{count / 1e6:,.0f} MB"


def _money(value: float) -> str:
    return f"{value:,.2f}" if value >= 0.1 else number(value, 2)
