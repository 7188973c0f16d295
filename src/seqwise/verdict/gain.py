"""Is it better at the task, and better than what costs nothing?

    gain            tuned against base on the test set
    against_rival   the same against a system without training: base prompted, tf-idf, a naive forecast

"Yes" and "no" need a p below 5 % and an interval that leaves out 0. Where the user says what gain would be useful at
least, a difference that is surely smaller is answered by "no" as well: better by next to nothing was not worth it.
"Cannot tell" names the items or seeds that would tell.
"""

from collections.abc import Sequence

import numpy as np

from seqwise.errors import ConfigError
from seqwise.stats.results import LEVEL
from seqwise.verdict import draws, shortage
from seqwise.verdict.aligned import aligned
from seqwise.verdict.effects import Weighed, weighed
from seqwise.verdict.findings import Answer, Finding, Question, too_few
from seqwise.verdict.scored import Scored
from seqwise.verdict.words import both, limit

Systems = Scored | Sequence[Scored]


def gain(
    base: Systems,
    tuned: Systems,
    least: float | None = None,
    *,
    level: float = LEVEL,
    resamples: int = draws.RESAMPLES,
    seed: int = draws.SEED,
) -> Finding:
    """Whether tuned is better than base. least: the smallest gain that would be useful, in the measure's unit."""
    return _asked("gain", base, tuned, least, level, resamples, seed)


def against_rival(
    rival: Systems,
    tuned: Systems,
    *,
    level: float = LEVEL,
    resamples: int = draws.RESAMPLES,
    seed: int = draws.SEED,
) -> Finding:
    """Whether tuned is better than a system that costs nothing."""
    return _asked("rival", rival, tuned, None, level, resamples, seed)


def answer(found: Weighed, least: float | None = None) -> Answer:
    """Whether tuned is better, and by what is useful."""
    if least is not None and _most(found) < least:
        return "no"
    if not found.shown:
        return "cannot tell"
    return "yes" if found.gain > 0 else "no"


def _most(found: Weighed) -> float:
    """The largest gain that the interval leaves open."""
    return -found.interval.low if found.data.measure.lower else found.interval.high


def _least(found: Weighed) -> float:
    return -found.interval.high if found.data.measure.lower else found.interval.low


def _asked(
    question: Question, base: Systems, tuned: Systems, least: float | None, level: float, resamples: int, seed: int
) -> Finding:
    if least is not None and not 0 < least < float("inf"):
        raise ConfigError(f"least={least:g}", "a number above 0", "the smallest gain that would be useful")
    data = aligned(base, tuned)
    tuned_name, base_name = data.names
    if data.lacking:
        return too_few(question, data.part if question == "gain" else base_name, data.lacking, tuned_name)
    found = weighed(data, level=level, resamples=resamples, seed=seed)
    said = answer(found, least)
    before, after = data.values
    return Finding(
        question,
        data.part if question == "gain" else base_name,
        "MEASURED",
        f"{_opening(found, said)}: {both(found)}{_useful(found, said, least)}.",
        answer=said,
        system=tuned_name,
        test=found.test,
        margin=least,
        needed=_needed(found, said, least, level),
        values={"set": data.part, "measure": data.measure.name, "gain": found.gain},
        scores={base_name: before, tuned_name: after},
    )


def _opening(found: Weighed, said: Answer) -> str:
    tuned, base = found.data.names
    where = f"on {found.data.part}"
    if said == "yes":
        return f"{tuned} is better than {base} {where}"
    if said == "no" and found.shown:
        return f"{tuned} is {'better' if found.gain > 0 else 'worse'} than {base} {where}"
    if said == "no":
        return f"{tuned} is not usefully better than {base} {where}"
    return f"Cannot tell whether {tuned} is better than {base} {where}"


def _useful(found: Weighed, said: Answer, least: float | None) -> str:
    """What is to be said of the least useful gain."""
    if least is None or (said == "no" and found.shown and found.gain < 0):
        return ""
    size = limit(least, found.data.measure.unit)
    if said == "no":
        return f"; a gain of {size}, the least that would be useful, is ruled out"
    if said == "yes" and _least(found) >= least:
        return f"; the gain is {size} or more, as would be useful"
    return f"; whether the gain is {size}, the least that would be useful, is open"


def _needed(found: Weighed, said: Answer, least: float | None, level: float) -> str:
    if said != "cannot tell":
        return ""
    if least is not None and shortage.items(found, least, level) > found.data.many:
        return shortage.told(found, least, "a gain of {}", level)
    if not found.value:
        first, least_found = found.data.base[0].values, found.test.detectable
        same = all(np.array_equal(first, one.values) for one in found.data.tuned)
        what = "Nothing changed" if same else "Gains and losses are level"
        if least_found is None:
            return f"{what}; how many {found.data.noun} would tell is not known from that."
        shown = limit(least_found.value, least_found.unit)
        return f"{what}; a difference of {shown} would have been found four times in five."
    return shortage.told(found, found.value, "a difference as large as the one seen, {}", level)
