"""Runs that forecast, on the user's tables: what `seqwise evaluate` would say of each, origin by origin, as `Scored`.

    are_forecasters    whether the words are such runs; a mixture is refused
    of_forecasters     base and tuned runs from the same origins, and the best of the forecasts that cost nothing

An item is an origin, of a series where there are several; its score is the mean over steps and targets of the absolute
error of the median, or of CRPS, in the data's own unit. All are asked from the origins that all can be asked from,
after all that any of them was trained on or stopped by. Items follow one another in time and look ahead
(`Scored.ahead`), so that the test of a difference is one for such (`verdict.origins`).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from seqwise.checkpoints.run import RunFolder
from seqwise.config import to_yaml
from seqwise.data.series import shown_time
from seqwise.errors import ConfigError
from seqwise.stats.phrases import counted, joined, number
from seqwise.stats.units import quantity
from seqwise.tasks.forecasting.backtest import MEASURES
from seqwise.tasks.forecasting.rivals import NAMES
from seqwise.tasks.forecasting.stored import Stored, open_run, read_forecast
from seqwise.tasks.stored import is_forecast
from seqwise.tasks.weighing.forecasters import Answers, answered, common, must_compare, since
from seqwise.verbs.weighing.contenders import BASE, FORECAST, TEST, Contender, Field, named, seed_of
from seqwise.verbs.weighing.measures import chosen, errors, known
from seqwise.verbs.weighing.request import Request
from seqwise.verdict.scored import Scored

MODEL = "model"
TOLD = 100_000  # origins beyond which forecasts are not written out to be looked at
DIGITS = 4  # of a typical value

# N origins of all series; K steps kept, C targets

Told = tuple[str, ...]


def are_forecasters(words: Sequence[str]) -> bool:
    """Whether these are runs of `seqwise train forecast`; a mixture is refused."""
    kinds = {is_forecast(word) for word in words}
    if len(kinds) > 1:
        odd = next(word for word in words if not is_forecast(word))
        given = f"{odd} beside the forecaster {next(word for word in words if is_forecast(word))}"
        raise ConfigError(given, "forecasters, or none", "runs of seqwise train forecast as all words")
    return kinds == {True}


def of_forecasters(request: Request) -> tuple[Field, tuple[Scored, ...]]:
    """Who is weighed, and the best rival on the test set."""
    metric = chosen(known(request.metric), FORECAST)
    words = (request.base, *request.tuned)
    opened = [open_run(word, request.device) for word in words]
    for one in opened[1:]:
        must_compare(opened[0], one)
    last, found, notes = since(opened), dict[str, list[Answers]](), list[str]()
    for part, paths in request.sets.items():
        found[part] = common([answered(one, paths, last, part) for one in opened])
        notes += [*dict.fromkeys(note for one in found[part] for note in one.notes), _origins(part, found[part][0])]
    groups = _alike(request.tuned)
    titles = ["tuned"] if len(groups) == 1 else named([runs[0].rstrip("/").rpartition("/")[2] for runs in groups])

    def parts(name: str, runs: Sequence[str]) -> dict[str, tuple[Scored, ...]]:
        places = [words.index(run) for run in runs]
        return {
            part: tuple(
                replace(_scored(opened[0], each[place], name, part, metric), seed=seed_of(words[place]))
                for place in places
            )
            for part, each in found.items()
        }

    base = Contender(BASE, parts(BASE, [request.base]), (request.base,))
    tuned = tuple(Contender(name, parts(name, runs), tuple(runs)) for name, runs in zip(titles, groups, strict=True))
    twins = tuple(one.name for one in tuned if len(_alike((request.base, *one.runs))) == 1)
    rivals, note = _rivals(opened[0], found[TEST][1], metric) if request.rivals else ((), "")
    notes = list(dict.fromkeys(filter(None, (*notes, note))))
    return Field(base, tuned, tuple(notes), None, FORECAST, twins), rivals


def _origins(part: str, one: Answers) -> str:
    """Which origins these are."""
    times = np.unique(one.times)
    whole = f"{counted(len(times), 'origin')}, {shown_time(times[0])} to {shown_time(times[-1])}"
    several = len(set(one.series.tolist()))
    more = f", {several:,} series, {len(one):,} forecasts" if several > 1 else ""
    return f"{part}: {whole}{more}, all after what any of the runs was trained on or stopped by"


def _alike(runs: Sequence[str]) -> list[list[str]]:
    """Runs of one recipe, which differ by their seed alone, together."""
    found: dict[str, list[str]] = {}
    for run in runs:
        made = read_forecast(RunFolder.open(run))
        pace = replace(made.training, seed=0, device="auto", time_limit=0.0, tensorboard=False)
        found.setdefault(to_yaml(replace(made, out="", resume=False, overwrite=False, training=pace)), []).append(run)
    return list(found.values())


def _scored(run: Stored, found: Answers, name: str, part: str, metric: str, who: str = MODEL) -> Scored:
    """One forecaster's errors. who: the model of the run, or one of its rivals."""
    what = next(one for one in MEASURES if one.lower() == metric)
    times = [shown_time(time) for time in found.times]
    series = [str(one) for one in found.series]
    several, targets, horizon = len(set(series)) > 1, run.columns.targets, run.settings.horizon
    ids = tuple(f"{time} {one}".rstrip() for time, one in zip(times, series, strict=True))
    signature = f"{what}|horizon:{horizon}|targets:{','.join(targets)}|step:{run.columns.frequency}"
    units = {quantity(target)[1] for target in targets}
    measured = errors(metric, found.errors[who][what], units.pop() if len(units) == 1 else "", signature)
    told = who == MODEL and len(found) <= TOLD
    outputs, references, texts = _texts(found, targets, horizon) if told else ((), (), ())
    return Scored(
        name,
        part,
        measured.measure,
        ids,
        measured.values,
        _signed(ids, found),
        clusters=tuple(str(time) for time in found.times) if several else (),
        slices={"series": tuple(series)} if several else {},
        outputs=outputs,
        references=references,
        texts=texts,
        ahead=horizon,
    )


def _signed(ids: Sequence[str], found: Answers) -> str:
    """Signature of the origins and of what came after them."""
    told = hashlib.sha256("\n".join(ids).encode())
    told.update(np.round(found.truth, 9).tobytes())
    return told.hexdigest()[:16]


def _texts(found: Answers, targets: Sequence[str], horizon: int) -> tuple[Told, Told, Told]:
    """What was foreseen, what came, and what was asked, to be looked at."""
    size = float(np.nanmedian(np.abs(found.truth))) if np.isfinite(found.truth).any() else 1.0
    places = max(0, DIGITS - 1 - int(np.floor(np.log10(size)))) if size > 0 else DIGITS - 1
    few = f", of which {joined([str(step) for step in found.steps])}" if len(found.steps) < horizon else ""
    ahead = f"{counted(horizon, 'step')} ahead{few}"

    def row(values: np.ndarray) -> str:
        """(K, C) as a line."""
        each = [", ".join("missing" if np.isnan(one) else f"{one:,.{places}f}" for one in side) for side in values.T]
        return (
            each[0] if len(each) == 1 else "; ".join(f"{name} {one}" for name, one in zip(targets, each, strict=True))
        )

    return tuple(map(row, found.medians)), tuple(map(row, found.truth)), (ahead,) * len(found)


def _rivals(run: Stored, found: Answers, metric: str) -> tuple[tuple[Scored, ...], str]:
    """The best of what costs nothing on the test set, and how the others do. found: of the first tuned run."""
    each = {name: _scored(run, found, f"the {name} forecast", TEST, metric, name) for name in NAMES}
    best = min(each, key=lambda name: each[name].value)
    scores = joined([f"{name} {number(one.value)}" for name, one in each.items()])
    told = f"the {best} forecast is the best of those that cost nothing, by {metric.upper()} ({scores})"
    return (each[best],), f"{TEST}: {told}, chosen after the fact, which makes it a hard rival"
