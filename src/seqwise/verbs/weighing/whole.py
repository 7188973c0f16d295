"""The whole weighing: who is weighed, each question asked of each, and one verdict of all answers."""

import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from seqwise import __version__
from seqwise.errors import SeqwiseError
from seqwise.reports.card import About
from seqwise.stats.phrases import joined
from seqwise.tasks.stored import is_forecast
from seqwise.verbs.weighing import contenders, forecasts, journals, sizes, trading, trying
from seqwise.verbs.weighing.asking import Terms, ask
from seqwise.verbs.weighing.contenders import TEST, Field
from seqwise.verbs.weighing.request import Request
from seqwise.verbs.weighing.rivals import score_rivals
from seqwise.verbs.weighing.trial import Recipe
from seqwise.verbs.weighing.trying import FRACTIONS, Tried
from seqwise.verdict.cost import Cost, costs
from seqwise.verdict.findings import Finding, not_run
from seqwise.verdict.scored import Measure, Scored
from seqwise.verdict.trend import Trend
from seqwise.verdict.trials import plan
from seqwise.verdict.verdict import Verdict, decide

PIPELINES = {"classify": "text-classification", "translate": "translation", "summarize": "summarization",
             "generate": "text-generation", "forecast": "time-series-forecasting"}  # fmt: skip
"""What the hub calls our tasks."""


def weigh_all(request: Request) -> Verdict:
    """The verdict."""
    terms = Terms(request.margins, request.least, request.tried)
    if contenders.are_files((request.base, *request.tuned)):
        found = contenders.of_files(request.base, request.tuned, request.metric, {})
        request.margins.must_name(found.base.parts)
        return _judged(request, terms, found, (), "Files of predictions have no training files.", None)
    if forecasts.are_forecasters((request.base, *request.tuned)):
        found, costless = forecasts.of_forecasters(request)
        return _judged(request, terms, found, costless, "" if request.rivals else "They were not asked for.", None)
    table = _tried(request) if request.trials else None
    sets, metric, cluster = request.sets, request.metric, request.group_by
    if table is None:
        found = contenders.of_models(request.base, request.tuned, sets, metric, cluster, request.device)
    else:
        found = contenders.of_trials(request.base, table.rows, table.folders, sets, metric, cluster, request.device)
    rivals, why = _rivals(request, found)
    return _judged(request, terms, found, rivals, why, table)


def about(request: Request, verdict: Verdict) -> About:
    """What a card must be told of the model."""
    run = Path(next(iter(request.tuned), request.base))
    name = verdict.best if len(verdict.tuned) > 1 or run.is_file() else run.name
    task = verdict.facts.get("task", "")
    return About(name, PIPELINES.get(task, ""), verdict.best, _hub_name(request.base))


def _hub_name(base: str) -> str:
    """The base as the hub may know it: a folder's name; a file of predictions is no model, and no forecaster was tuned
    from another one."""
    return "" if Path(base).is_file() or is_forecast(base) else Path(base).name


def _judged(
    request: Request, terms: Terms, found: Field, rivals: Sequence[Scored], why: str | Exception, table: Tried | None
) -> Verdict:
    """Each question of each system, and the verdict."""
    asked = ask(found, rivals, terms, why)
    findings, trends, spent = list(asked.findings), list[Trend](), list[Cost]()
    beside = table.beside if table else {}
    for one in found.tuned:
        overfits, looks = journals.overfits(one, request.price_per_hour, request.currency, beside)
        trends += looks
        spent += journals.costs_of(one, beside)
        findings += [overfits, journals.by_heart(one, found.held)]
    findings += _lost(found, table)
    measure = _measure(found)
    data, curve = sizes.enough(request, terms, found, table, measure)
    trade, traded = trading.traded(request, terms, found)
    cost = (
        costs(spent, request.price_per_hour, request.currency) if any(one.seconds for one in spent) else _no_cost(found)
    )
    verdict = decide([*findings, data, trade, cost], found.base.name, [one.name for one in found.tuned], measure.name)
    return replace(
        verdict,
        curve=curve,
        trends=tuple(trends),
        trade=traded,
        costs=tuple(spent),
        price=request.price_per_hour,
        currency=request.currency if request.price_per_hour is not None else "",
        changed=asked.changed,
        facts=_facts(request, found),
        notes=(*found.notes, *(table.notes if table else ())),
    )


def _rivals(request: Request, found: Field) -> tuple[tuple[Scored, ...], str | Exception]:
    """What costs next to nothing, on the same test; and why some of it is not there."""
    if not request.rivals or found.held is None:
        return (), "They were not asked for."
    tuned = found.held.open(found.tuned[0].runs[0])
    try:
        rivals, notes = score_rivals(
            tuned, request.test, TEST, request.metric, base=request.base, cluster=request.group_by
        )
    except (SeqwiseError, OSError, ValueError) as error:  # one that breaks takes no other question with it
        return (), error
    return rivals, " ".join(notes)


def _lost(found: Field, table: Tried | None) -> list[Finding]:
    """Methods of which no trial on all data ended well."""
    rows = [row for row in table.rows if row.trial.fraction == 1] if table else []
    weighed = {one.method for one in found.tuned}
    first = {row.trial.method: row for row in reversed(rows) if row.trial.method not in weighed}
    return [Finding("gain", TEST, "ERROR", f"{name}: {row.error}", system=name) for name, row in first.items()]


def _measure(found: Field) -> Measure:
    parts = found.base.parts
    return next(iter(parts.get(TEST) or next(iter(parts.values())))).measure


def _tried(request: Request) -> Tried:
    """The table: all methods and seeds on all data, and fractions where a curve is asked for."""
    settings = trying.recipe_of(request.base, request.tuned, request.recipe)
    sets = request.sets
    general = tuple((part, paths) for part, paths in sets.items() if part != TEST)
    trying.must_be_unseen(settings, dict(general))
    recipe = Recipe(settings, request.test, general, request.metric, request.group_by, trying.probed(settings, general))
    methods: Sequence[str] = request.methods or (settings.method,)
    seeds = range(1, (request.seeds or (3 if request.curve else 1)) + 1)
    trials = plan(methods, (1.0,), tuple(seeds))
    if request.curve:
        trials += plan(methods[:1], FRACTIONS[1:], tuple(seeds))
    if request.out is None:
        raise TypeError("trials have a folder")
    return trying.try_all(
        trials, recipe, request.out, workers=request.workers, cluster=request.cluster, overwrite=request.overwrite
    )


def _no_cost(found: Field) -> Finding:
    why = "No run that wrote down what it spent is among the systems."
    return not_run("cost", "training", why, joined([one.name for one in found.tuned]))


def _facts(request: Request, found: Field) -> dict[str, str]:
    """Where the numbers come from."""
    facts = {"command": shlex.join(["seqwise", *sys.argv[1:]]) if sys.argv[1:2] == ["weigh"] else "seqwise.weigh(...)"}
    facts |= {"seqwise": __version__} | ({"task": found.task} if found.task else {})
    facts |= {"base": request.base, "tuned": ", ".join(run for one in found.tuned for run in one.runs)}
    told = request.margins.told(several[0] for several in found.base.parts.values())
    facts |= {"margins": f"what would matter is {told}"}
    for part, several in found.base.parts.items():
        one = several[0]
        what = "forecasts" if one.ahead else "items"
        name = f"set {part}" if part in facts else part
        facts[name] = f"{len(one):,} {what}, {one.measure.signature or one.measure.name}, {one.data}"
    return facts
