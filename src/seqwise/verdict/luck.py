"""Could it be luck? Of training, which another seed would have made otherwise, and of the items that were asked.

    luck           seeds x items at once; one seed is called one seed
    optimism       how far the best of k lies above the mean by luck alone, in sds
    superiority    how often one training of the first system beats one of the second

    no             no: the difference is larger than the luck of seeds and items makes it, p below 5 %
    yes            luck alone makes differences as large as this one
    cannot tell    one seed: what another seed would make of it nobody knows; so too of a base that is one training
                   of a seed (`Scored.seed`), and no model that is as it is

Whoever trains k times and shows the best shows the mean and luck: of k normal values the best lies sd E(max of k)
above the mean. That much is taken off, or the best has to be tried on items that did not choose it.

Left out: luck in the choice of the training data.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.special import ndtr

from seqwise.errors import ConfigError
from seqwise.stats.phrases import chance as told_p
from seqwise.stats.phrases import counted, number
from seqwise.stats.power import t_effect
from seqwise.stats.results import LEVEL, Interval
from seqwise.verdict import draws, shortage
from seqwise.verdict.aligned import aligned
from seqwise.verdict.effects import Weighed, weighed
from seqwise.verdict.findings import Answer, Finding, too_few
from seqwise.verdict.scored import Scored
from seqwise.verdict.words import both, difference, limit

ENOUGH = 3
"""Seeds that know anything of their own spread; five tell much more."""


def optimism(tried: int) -> float:
    """The mean of the largest of so many standard normal values: 0.564 of 2, 1.539 of 10."""
    if tried < 1:
        raise ConfigError(f"tried={tried}", "1 or more", "the number of models that one was picked from")
    z = np.linspace(-9.0, 9.0, 3601)
    density = tried * np.exp(-z * z / 2) * ndtr(z) ** (tried - 1)
    return float((z * density).sum() / np.sqrt(2 * np.pi) * (z[1] - z[0]))


def superiority(first: Sequence[float], second: Sequence[float]) -> float:
    """Share of pairs in which the first is above the second, ties for half."""
    gaps = np.asarray(first, dtype=np.float64)[:, None] - np.asarray(second, dtype=np.float64)
    return float((gaps > 0).mean() + (gaps == 0).mean() / 2)


def luck(
    base: Scored | Sequence[Scored],
    tuned_seeds: Scored | Sequence[Scored],
    tried: int = 1,
    *,
    level: float = LEVEL,
    resamples: int = draws.RESAMPLES,
    seed: int = draws.SEED,
) -> Finding:
    """Whether luck makes such a difference. tried: how many trainings the shown ones were picked from, by this set."""
    data = aligned(base, tuned_seeds)
    if data.lacking:
        return too_few("luck", data.part, data.lacking, data.names[0])
    found = weighed(data, level=level, resamples=resamples, seed=seed)
    height = optimism(tried)
    if len(found.data.tuned) == 1:
        return _one(found, tried, height, level)
    return _several(found, tried, height, level)


def _one(found: Weighed, tried: int, height: float, level: float) -> Finding:
    """One seed."""
    tuned = found.data.names[0]
    noun = found.data.noun
    chance = f"the luck of the {noun} alone {'is unlikely to make' if found.shown else 'may make'} this"
    head = f"One seed of {tuned}: {chance}, that of the training is unknown"
    three, five = (number(t_effect(count, level=level), 2) for count in (3, 5))
    needed = (
        f"With a power of 80 %, 3 seeds would show a difference of {three} standard deviations between seeds, "
        f"5 seeds one of {five}."
    )
    notes = [f"An interval over {noun} says nothing of another seed."]
    values = _values(found)
    if tried > 1:
        error = found.chance.error if found.chance else _width(found)
        values["optimism"] = height * error
        size = limit(float(f"{height * error:.3g}"), found.data.measure.unit)
        notes.append(
            f"Picked as the best of {tried} by this set: luck of the {noun} alone may be worth {size} of it; "
            f"other {noun} would tell."
        )
    return _made(found, "cannot tell", f"{head}: {both(found)}.", needed, values, notes)


def _several(found: Weighed, tried: int, height: float, level: float) -> Finding:
    """Several, of which the mean is tested, and the best is told."""
    data, crossed = found.data, found.crossed
    sd = crossed.sd if crossed else 0.0
    sign = -1.0 if data.measure.lower else 1.0
    before = [one.value for one in data.base]
    after = [one.value for one in data.tuned]
    best = max(sign * (one - float(np.mean(before))) for one in after)
    values = _values(found)
    values |= {
        "sd over seeds": float(np.std(after, ddof=1)),
        "best seed": best,
        "seeds that are better": superiority([sign * one for one in after], [sign * one for one in before]),
    }
    notes = [f"Best of {len(after)} seeds {number(best, 3)}, mean {number(found.gain, 3)} {data.measure.unit}.".strip()]
    off = min(height * sd, max(0.0, found.gain)) if tried > len(after) else 0.0
    if tried > 1:
        values["optimism"] = height * sd
        values["best seed, corrected"] = best - height * sd
        notes.append(
            f"The best of {tried} lies {number(height, 3)} sds above the mean by luck alone: {number(best, 3)} is "
            f"worth {number(best - height * sd, 3)}."
        )
    lowered = _lowered(found, off, level) if off else found
    said: Answer = "yes" if not lowered.shown else "cannot tell" if data.once else "no"
    told = f"{_opening(found, said)}: {both(found)}{_less(lowered, off, len(after), tried)}."
    wanted = shortage.told(found, found.value, "a difference as large as the one seen, {}", level)
    needed = wanted if said == "yes" and found.value else ""
    if said == "cannot tell":
        needed = f"As many seeds of {data.names[1]} as of {data.names[0]} would tell how far its own luck carries it."
    return _made(found, said, told, needed, values, notes)


def _opening(found: Weighed, said: Answer) -> str:
    tuned, base = found.data.names
    if said == "no":
        return f"The difference between {tuned} and {base} is larger than luck makes it"
    if said == "cannot tell":
        chance = f"luck of the seeds of {tuned} and of the {found.data.noun} is unlikely to make this"
        return f"One seed of {base}: {chance}, what another seed of {base} would make of it is unknown"
    few = len(found.data.tuned) < ENOUGH
    lead = "Two seeds are too few to know their spread; luck" if few else f"Luck of seeds and {found.data.noun}"
    return f"{lead} may have made the difference between {tuned} and {base}"


def _less(lowered: Weighed, off: float, seeds: int, tried: int) -> str:
    """What is left when the choice of the best is paid for."""
    if not off:
        return ""
    return f"; of {tried} tried {seeds} are shown, which is worth {number(off, 3)} and leaves {difference(lowered)}"


def _lowered(found: Weighed, off: float, level: float) -> Weighed:
    """With the optimism of the best taken off."""
    if found.chance is None:
        return found
    value = found.value + (off if found.data.measure.lower else -off)
    effect = replace(found.test.effect, value=value, interval=found.chance.interval(value, level))
    p, t = found.chance.p(value), value / found.chance.error
    return replace(found, test=replace(found.test, effect=effect, p=p, statistic=t))


def _width(found: Weighed) -> float:
    """Standard error that an interval of right or wrong stands for."""
    both_ends: Interval = found.interval
    return (both_ends.high - both_ends.low) / (2 * 1.96)


def _values(found: Weighed) -> dict[str, float | str | None]:
    return {"measure": found.data.measure.name}


def _made(
    found: Weighed, said: Answer, told: str, needed: str, values: dict[str, float | str | None], notes: list[str]
) -> Finding:
    shown = f"{counted(len(found.data.tuned), 'seed')}, {told_p(found.test.p)}"
    return Finding(
        "luck",
        found.data.part,
        "MEASURED",
        told,
        answer=said,
        system=found.data.names[0],
        test=found.test,
        needed=needed,
        values=values,
        notes=(f"{shown}.", *notes),
        scores=dict(zip(found.data.names[::-1], found.data.values, strict=True)),
    )
