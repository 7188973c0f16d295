"""What a model cost: time, memory, trained weights, energy, money; and what was foreseen of it.

    costs    all trainings side by side, each method against one of them, and what was foreseen against what came

Ratios of methods are of geometric means over runs, with Welch's interval on logarithms where both have two runs or
more: one run says nothing of how much another would differ. There is no yes or no to a cost. A cell that was not
measured says so, and the note below the table says why.

Left out: measuring, which the run does; what the data cost, and the people.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import exp, isfinite

import numpy as np

from seqwise.errors import ConfigError, DataError
from seqwise.stats.means import welch
from seqwise.stats.phrases import alike, counted, ends, joined, number, percent
from seqwise.stats.results import LEVEL, Cell, Estimate, Grid, Interval
from seqwise.stats.samples import flat
from seqwise.verdict.findings import Finding, not_run

ABSENT = "NOT RUN"
GIGA, KILO, HOUR = 1e9, 1e3, 3600.0
FIELDS = ("seconds", "processor", "memory", "trained", "energy", "foreseen_seconds", "foreseen_memory")
WHY: Mapping[str, str] = {
    "seconds": "time: the run did not record it",
    "processor": "processor time: the run did not record it",
    "memory": "memory: the run did not record it",
    "trained": "trained weights: the run did not record them",
    "energy": "energy: the machine tells none",
    "money": "money: no price per hour was given",
    "foreseen_seconds": "foreseen time: the run was too short, or broken off before it could be told",
    "foreseen_memory": "foreseen memory: the run was too short, or broken off before it could be told",
}
"""Of what is missing, where the run itself does not say why."""


@dataclass(frozen=True)
class Cost:
    """Of one training. None: not measured."""

    system: str
    seed: int | None = None
    seconds: float | None = None
    """Of the wall."""
    processor: float | None = None
    """Seconds of all cores together."""
    memory: float | None = None
    """Bytes at the peak."""
    trained: int | None = None
    """Weights."""
    energy: float | None = None
    """Joules, where the machine tells; of several trainings at once its share."""
    foreseen_seconds: float | None = None
    foreseen_memory: float | None = None
    examples: int | None = None
    """That were trained on."""
    whole: float | None = None
    """Seconds of the whole command, in which base and rivals answer as well. Money is for these where they are known,
    since the machine is paid for meanwhile."""
    why: Mapping[str, str] = field(default_factory=dict)
    """Of what was not measured, by the name of the field: why not."""
    beside: float = 1.0
    """Trainings among which its machine was shared meanwhile, this one among them, on average. Each pays its share."""

    @property
    def paid(self) -> float | None:
        """Seconds of the machine that are paid for."""
        seconds = self.seconds if self.whole is None else self.whole
        return None if seconds is None else seconds / self.beside


@dataclass(frozen=True)
class _Measure:
    """A column."""

    name: str
    title: str
    of: Callable[[Cost], float | None]
    clause: str
    """How the ratio reads."""


def costs(
    spent: Sequence[Cost], price_per_hour: float | None = None, currency: str = "USD", *, against: str | None = None
) -> Finding:
    """What the trainings cost.

    Args:
        spent: One for each run; several seeds of a system stand under its name.
        price_per_hour: Of the machine; None leaves out money.
        currency: Its name.
        against: The system that the others are set against; None: "full" where there is one, else the first.
    """
    if not spent:
        return not_run("cost", "training", "No run told what it cost.")
    _sound(spent, price_per_hour)
    systems = _systems(spent)
    first = against or ("full" if "full" in systems else next(iter(systems)))
    if first not in systems:
        given = f"costs against {first!r}, and systems {joined(list(systems))}"
        raise ConfigError(given, "one of these systems", next(iter(systems)))
    measures = _measures(price_per_hour, currency)
    grids = [_side_by_side(systems, measures)]
    if len(systems) > 1:
        grids.append(_ratios(systems, first, measures))
    grids.append(_foreseen(spent))
    return Finding(
        "cost",
        "training",
        "MEASURED",
        _sentence(systems, first, measures),
        system=joined(list(systems)),
        values=_values(systems, measures),
        grids=tuple(grids),
        notes=_notes(spent, systems),
    )


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Estimate | None:
    """Geometric mean of the first over that of the second; None where one of them is 0."""
    if min(*ours, *theirs) <= 0:
        return None
    a, b = np.log(ours), np.log(theirs)
    value, interval = exp(float(a.mean() - b.mean())), None
    if min(len(a), len(b)) > 1 and not (flat(a) and flat(b)):
        found = welch(a, b).effect.interval
        interval = None if found is None else Interval(_power(found.low), _power(found.high), found.level)
    return Estimate("ratio", value, interval)


def _power(value: float) -> float:
    return exp(min(value, 700.0))


def _sound(spent: Sequence[Cost], price: float | None) -> None:
    if price is not None and not (isfinite(price) and price >= 0):
        raise ConfigError(f"--price-per-hour {price:g}", "0 or more", "what an hour of the machine costs")
    for one in spent:
        for name, value in (*_figures(one).items(), ("whole", one.whole)):
            if value is not None and not (isfinite(value) and value >= 0):
                given = f"{name} {value:g} of {one.system}"
                raise DataError(given, "a finite number of 0 or more", "what the run recorded")
        if not (isfinite(one.beside) and one.beside >= 1):
            given = f"{one.system} among {one.beside:g} trainings at once"
            raise DataError(given, "a finite number of 1 or more", "1, a training by itself")


def _figures(one: Cost) -> dict[str, float | None]:
    values = (one.seconds, one.processor, one.memory, one.trained, one.energy)
    return dict(zip(FIELDS, (*values, one.foreseen_seconds, one.foreseen_memory), strict=True))


def _systems(spent: Sequence[Cost]) -> dict[str, list[Cost]]:
    found: dict[str, list[Cost]] = {}
    for one in spent:
        found.setdefault(one.system, []).append(one)
    return found


def _measures(price: float | None, currency: str) -> tuple[_Measure, ...]:
    def money(one: Cost) -> float | None:
        return None if price is None or one.paid is None else price * one.paid / HOUR

    return (
        _Measure("seconds", "s", lambda one: one.seconds, "of the time"),
        _Measure("processor", "processor s", lambda one: one.processor, "of the processor time"),
        _Measure("memory", "memory, GB", lambda one: _over(one.memory, GIGA), "of the memory"),
        _Measure("trained", "trained weights", lambda one: one.trained, "of the trained weights"),
        _Measure("energy", "energy, kJ", lambda one: _over(one.energy, KILO), "of the energy"),
        _Measure("money", currency, money, "of the money"),
    )


def _over(value: float | None, unit: float) -> float | None:
    return None if value is None else value / unit


def _known(runs: Sequence[Cost], measure: _Measure) -> list[float]:
    return [value for value in map(measure.of, runs) if value is not None]


def _mean(runs: Sequence[Cost], measure: _Measure) -> float | None:
    """Over the runs that tell; weights stay whole numbers where all runs agree."""
    known = _known(runs, measure)
    if not known:
        return None
    return known[0] if len(set(known)) == 1 else sum(known) / len(known)


def _side_by_side(systems: Mapping[str, Sequence[Cost]], measures: Sequence[_Measure]) -> Grid:
    rows: list[tuple[Cell, ...]] = []
    for system, runs in systems.items():
        means = [_mean(runs, measure) for measure in measures]
        rows.append((system, len(runs), *(ABSENT if mean is None else mean for mean in means)))
    runs = [one for several in systems.values() for one in several]
    missing = [measure.name for measure in measures if any(measure.of(one) is None for one in runs)]
    columns = ("system", "runs", *(measure.title for measure in measures))
    note = " ".join(filter(None, (_why(runs, missing), _whole(systems, measures))))
    return Grid("What training cost, a run", columns, tuple(rows), note, whole=True)


def _whole(systems: Mapping[str, Sequence[Cost]], measures: Sequence[_Measure]) -> str:
    """For how many seconds money is paid, where these are more than those of the training."""
    whole = _Measure("whole", "", lambda one: one.whole, "")
    means = {system: _mean(runs, whole) for system, runs in systems.items()}
    known = [
        f"{_digits(mean)} s{f' of {system}' if len(systems) > 1 else ''}" for system, mean in means.items() if mean
    ]
    if not known or all(_mean(runs, measures[-1]) is None for runs in systems.values()):
        return ""
    return f"{measures[-1].title} is for the whole command, {joined(known)}, in which base and rivals answer too."


def _why(runs: Sequence[Cost], missing: Sequence[str]) -> str:
    """Why cells are missing: what the runs say, else what is usual."""
    told = {name: sorted({one.why[name] for one in runs if name in one.why}) for name in missing}
    reasons = [f"{joined(told[name])}" if told[name] else WHY[name] for name in missing]
    return f"{ABSENT}: {'; '.join(dict.fromkeys(reasons))}." if reasons else ""


def _ratios(systems: Mapping[str, Sequence[Cost]], first: str, measures: Sequence[_Measure]) -> Grid:
    rows: list[tuple[Cell, ...]] = []
    for system, runs in systems.items():
        for measure in measures if system != first else ():
            ours, theirs = _known(runs, measure), _known(systems[first], measure)
            found = ratio(ours, theirs) if ours and theirs else None
            within = found.interval if found else None
            size = ABSENT if found is None else found.value
            limits = (within.low, within.high) if within else (None, None)
            rows.append((system, measure.title, size, *limits, len(ours), len(theirs)))
    low, high = (f"{number(100 * LEVEL)} %, {end}" for end in ("low", "high"))
    columns = ("system", "what", f"times {first}", low, high, "runs", f"runs of {first}")
    note = "Ratios of geometric means; an interval takes two runs of each."
    return Grid(f"Against {first}", columns, tuple(rows), note, whole=True)


def _foreseen(spent: Sequence[Cost]) -> Grid:
    """Each run: what it foresaw after its first steps, and what came."""
    rows: list[tuple[Cell, ...]] = []
    for one in spent:
        pairs = (
            ("s", one.foreseen_seconds, one.seconds),
            ("memory, GB", _over(one.foreseen_memory, GIGA), _over(one.memory, GIGA)),
        )
        for what, foreseen, came in pairs:
            known = foreseen is not None and came
            error = 100 * (foreseen - came) / came if known and foreseen is not None and came else ABSENT
            both = (ABSENT if value is None else value for value in (foreseen, came))
            rows.append((one.system, one.seed, what, *both, error))
    missing = [name for name in FIELDS if name.startswith("foreseen") and any(_figures(o)[name] is None for o in spent)]
    columns = ("system", "seed", "what", "foreseen", "came", "error, %")
    return Grid("Foreseen and come", columns, tuple(rows), _why(spent, missing), whole=True)


def _sentence(systems: Mapping[str, Sequence[Cost]], first: str, measures: Sequence[_Measure]) -> str:
    told = [f"Training {first} cost {_amounts(systems[first], measures)}"]
    for system, runs in systems.items():
        shares = [_share(runs, systems[first], measure) for measure in measures if measure.name in _TOLD]
        known = [share for share in shares if share]
        if system != first and known:
            told.append(f"{system} took {joined(known)}")
        elif system != first:
            told.append(f"what {system} cost was not recorded")
    return f"{'; '.join(told)}."


_TOLD = ("seconds", "memory", "trained")
"""Of the others, in the sentence."""


def _amounts(runs: Sequence[Cost], measures: Sequence[_Measure]) -> str:
    said: Mapping[str, Callable[[float], str]] = {
        "seconds": lambda value: f"{_digits(value)} s",
        "processor": lambda value: f"{_digits(value)} s of all cores together",
        "memory": lambda value: f"{_digits(value)} GB of memory at the peak",
        "trained": lambda value: f"{value:,.0f} trained weights",
        "energy": lambda value: f"{_digits(value)} kJ",
        "money": lambda value: f"{_digits(value)} {measures[-1].title}",
    }
    means = {measure.name: _mean(runs, measure) for measure in measures}
    known = [said[name](mean) for name, mean in means.items() if mean is not None]
    if means["seconds"] is not None and (others := company(runs)):
        known[0] += f" ({others})"
    each = f" a run, over {len(runs)} runs" if len(runs) > 1 else ""
    return f"{joined(known)}{each}" if known else "no more than is known: nothing was recorded"


def company(runs: Sequence[Cost]) -> str:
    """How many others the machine was shared with, to the nearest whole one; empty where there was none."""
    others = round(sum(one.beside for one in runs) / len(runs)) - 1
    return f"run side by side with {counted(others, 'other')}" if others > 0 else ""


def _digits(value: float) -> str:
    """Whole numbers where there are three digits of them."""
    return f"{value:,.0f}" if value >= 100 else number(value, 3)


def _share(ours: Sequence[Cost], theirs: Sequence[Cost], measure: _Measure) -> str:
    """62 % of the time, 1.4 times (95 % 1.1 to 1.8) the time."""
    known = _known(ours, measure), _known(theirs, measure)
    found = ratio(*known) if all(known) else None
    if found is None:
        return ""
    if found.interval is None:
        if found.value < 1:
            return f"{percent(found.value)} {measure.clause}"
        return f"{number(found.value, 3)} times {measure.clause.removeprefix('of ')}"
    size, *limits = alike(found.value, found.interval.low, found.interval.high)
    return f"{size} times ({ends(found.interval.level, *limits)}) {measure.clause.removeprefix('of ')}"


def _values(systems: Mapping[str, Sequence[Cost]], measures: Sequence[_Measure]) -> dict[str, float | str | None]:
    return {
        f"{system}: {measure.title}": _mean(runs, measure) for system, runs in systems.items() for measure in measures
    }


def _notes(spent: Sequence[Cost], systems: Mapping[str, Sequence[Cost]]) -> tuple[str, ...]:
    found = []
    single = [system for system, runs in systems.items() if len(runs) == 1]
    if len(systems) > 1 and single:
        runs = f"One run {'each ' if len(single) > 1 else ''}of {joined(single)}"
        found.append(f"{runs}: how much another run would differ is not known.")
    examples = {one.examples for one in spent if one.examples is not None}
    if len(examples) > 1:
        found.append("The runs were trained on different numbers of examples, which their costs follow.")
    shared = {system: told for system, runs in systems.items() if (told := company(runs))}
    for told in dict.fromkeys(shared.values()):
        names = joined([system for system, its in shared.items() if its == told])
        found.append(f"{names}: {told}, so that times are longer than alone; money and energy are their shares.")
    if any(one.whole is not None for one in spent):
        found.append("Time is that of training; money is for the whole command, in which base and rivals answer too.")
    return tuple(found)
