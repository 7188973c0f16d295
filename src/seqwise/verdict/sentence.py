"""The one sentence: whether it was worth it, made from the answers by rules.

    worth it        better at the task; nothing lost beyond the margin on any general set that was given, all of which
                    could be measured; better than every cheap rival that was tried
    at a price      better at the task, and a loss elsewhere is shown
    not worth it    worse at the task, or surely less of a gain than would be useful, or worse than what costs nothing
    cannot tell     everything else: the data allow more than one of these; or luck may have made the gain, of the
                    training or of the choice of the best

A gain is a gain only where the interval leaves out 0 and the test agrees. What was not asked counts for nothing and is
said; a single seed is called one. The sentence never speaks of significance: it gives size, interval and numbers.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Literal

from seqwise.stats.phrases import alike, amount, chance, joined, sure
from seqwise.stats.results import Interval, Test
from seqwise.verdict.findings import Finding, Question

Worth = Literal["worth it", "at a price", "not worth it", "cannot tell"]
AT_MOST, MATTERS = "loss at most", "loss that would matter"
"""Values of a gain that tell whether a loss is ruled out: by its interval, and the margin."""
HOLM = "p by Holm"
"""Value of a gain that is told no longer, as one of several systems, and of a rival that is, as one of several."""
RULED = "p against the margin by Holm"
"""Value of a loss on a set, as that of one of several systems."""
OPENING: Mapping[Worth, str] = {
    "worth it": "Worth it",
    "at a price": "Better, at a price",
    "not worth it": "Not worth it",
    "cannot tell": "Cannot tell whether it was worth it",
}

TWINS = "one recipe"
"""Among the values of the answer about luck: whether base and tuned differ by their seed alone."""


def worth(findings: Sequence[Finding]) -> Worth:
    """What the answers about one system add up to."""
    gains, losses, rivals = (_measured(findings, question) for question in ("gain", "generalization", "rival"))
    if _twins(findings):
        return "cannot tell"
    if any(one.answer == "no" for one in (*gains, *rivals)):
        return "not worth it"
    sure_of_it = bool(gains) and all(one.answer == "yes" for one in gains)
    if not sure_of_it or _lucky(findings):
        return "cannot tell"
    if any(one.answer == "yes" for one in losses):
        return "at a price"
    return "cannot tell" if _open(losses, "no") or _open(rivals, "yes") or _broken(findings) else "worth it"


def not_worse(findings: Sequence[Finding]) -> bool | None:
    """Whether nothing was lost beyond the margin, at the task or on general sets; None: cannot tell.

    A loss that is shown is no loss beyond the margin yet: only where the whole interval lies there.
    """
    gains, losses = _measured(findings, "gain"), _measured(findings, "generalization")
    off = _choice(findings) or 0.0
    open_ = [one for one in gains if not _kept(one, off)]
    worse = [one for one in open_ if one.answer == "no" and not useless(one)]
    if any(_least(one) > _matters(one) for one in worse):
        return False
    if any(_least(one) > (one.margin or 0.0) for one in losses if one.answer == "yes"):
        return False
    if _open(losses, "no") or _broken(findings) or _broken(findings, "gain") or not (gains or losses):
        return None
    return None if open_ else True


def _kept(one: Finding, off: float) -> bool:
    """Whether the gain, even if none is shown, leaves no room for a loss that would matter; off: luck of the choice."""
    most = one.values.get(AT_MOST)
    if one.answer == "yes":
        return off <= _least(one) + _matters(one)
    return isinstance(most, float) and most + off < _matters(one)


def _matters(one: Finding) -> float:
    """The loss at the task that would; 0 where nobody says."""
    margin = one.values.get(MATTERS)
    return margin if isinstance(margin, float) else 0.0


def _least(one: Finding) -> float:
    """The smallest gain, or loss, that the interval of one that is shown leaves open."""
    return min(abs(one.interval.low), abs(one.interval.high)) if one.interval is not None else 0.0


def sentence(findings: Sequence[Finding], base: str = "base", tuned: str = "tuned") -> str:
    """It, of one system."""
    judged = worth(findings)
    clauses = [_gains(findings, base, tuned), _losses(findings), _rivals(findings)]
    told = [clause for clause in clauses if clause]
    return f"{OPENING[judged]}: {'; '.join(told)}{_luck(findings)}."


def _gains(findings: Sequence[Finding], base: str, tuned: str) -> str:
    measured = _measured(findings, "gain")
    if not measured:
        states = [one for one in findings if one.question == "gain"]
        return f"the gain was not measured ({states[0].told.rstrip('.')})" if states else "the gain was not asked"
    told = []
    for one in measured:
        test = _test(one)
        if one.answer == "yes":
            told.append(f"{tuned} is better than {base} on {one.subject} by {size(test)}")
        elif one.answer == "no" and useless(one):
            told.append(f"a gain of {edge(one)} on {one.subject} is ruled out, the difference is {signed(test)}")
        elif one.answer == "no":
            told.append(f"{tuned} is worse than {base} on {one.subject} by {size(test)}")
        else:
            held = one.values.get(HOLM)
            why = f" as one of several systems ({chance(held)} by Holm)" if isinstance(held, float) else ""
            told.append(
                f"on {one.subject} the data do not tell {tuned} from {base}{why}, the difference is {_borderline(one)}"
                + (f", and {one.needed[0].lower()}{one.needed[1:].rstrip('.')}" if one.needed else "")
            )
    return joined(told)


def _borderline(one: Finding) -> str:
    """The difference, with p where the interval by itself would tell."""
    test, within, told = _test(one), one.interval, signed(_test(one))
    alone = within is not None and 0 not in within and HOLM not in one.values
    return f"{told.removesuffix(')')}, {chance(test.p)})" if alone else told


def _losses(findings: Sequence[Finding]) -> str:
    asked = [one for one in findings if one.question == "generalization"]
    measured, broken = _measured(findings, "generalization"), _broken(findings)
    if not measured and not broken:
        return "what it may have lost elsewhere was not " + ("measured" if asked else "asked")
    lost = [one for one in measured if one.answer == "yes"]
    kept = [one for one in measured if one.answer == "no"]
    unsure = [one for one in measured if one.answer == "cannot tell"]
    told = [f"it has lost {size(_test(one))} on {one.subject}" for one in lost]
    told += _byedge(kept, "nothing beyond {} was lost on")
    told += _byedge(unsure, "whether more than {} was lost is open on")
    told += [f"what was lost on {one.subject} could not be measured" for one in broken]
    return joined(told)


def useless(one: Finding) -> bool:
    """Whether it is "no" since the gain is smaller than what would be useful, and not since it is a loss."""
    gained, within = one.values.get("gain"), one.interval
    if one.margin is None or not isinstance(gained, float) or within is None:
        return False
    return gained >= 0 or 0 in within


def _byedge(findings: Sequence[Finding], opening: str) -> list[str]:
    """Sets with one margin in one clause."""
    of: dict[str, list[str]] = {}
    for one in findings:
        of.setdefault(edge(one), []).append(f"{one.subject}, where the difference is {signed(_test(one))}{_ruled(one)}")
    return [f"{opening.format(margin)} {joined(sets)}" for margin, sets in of.items()]


def _ruled(one: Finding) -> str:
    """That it was held to what the best of several systems has to pass."""
    held = one.values.get(RULED)
    return f" ({chance(held)} against the margin by Holm, as one of several systems)" if isinstance(held, float) else ""


def edge(one: Finding) -> str:
    """The margin of an answer, in its unit."""
    if one.margin is None:
        return "the margin"
    unit = _test(one).effect.unit
    return amount(one.margin, unit.removesuffix("s") if one.margin == 1 else unit)


def _rivals(findings: Sequence[Finding]) -> str:
    measured = _measured(findings, "rival")
    beaten = [one.subject for one in measured if one.answer == "yes"]
    better = [one for one in measured if one.answer == "no"]
    unsure = [one for one in measured if one.answer == "cannot tell"]
    told = [f"{one.subject}, which costs next to nothing, is better by {size(_test(one))}" for one in better]
    told += [
        f"that it beats {one.subject} is not shown, the difference is {signed(_test(one))}{_held(one)}"
        for one in unsure
    ]
    if beaten and not told:
        told.append(f"it beats {joined(beaten)}")
    return joined(told)


def _held(one: Finding) -> str:
    held = one.values.get(HOLM)
    return f" ({chance(held)} by Holm, as one of several rivals)" if isinstance(held, float) else ""


def _luck(findings: Sequence[Finding]) -> str:
    seeds = [int(one.test.n["seeds"]) for one in _measured(findings, "gain") if one.test and "seeds" in one.test.n]
    least = min(seeds, default=1)
    if not _measured(findings, "gain"):
        return ""
    if _twins(findings):
        return "; both are of one recipe, so that luck of the training is all that parts them"
    if any(one.answer == "yes" for one in _measured(findings, "luck")):
        return "; luck of the training could explain it"
    if (worth_it := _choice(findings)) is not None:
        told = amount(float(f"{worth_it:.3g}"), _test(_measured(findings, "gain")[0]).effect.unit)
        return f"; picked as the best of several, which luck alone makes worth {told}; one seed"
    if least < 2:
        return "; one seed, so luck of the training is not excluded"
    single = any(one.test and one.test.n.get("seeds of the base") == 1 for one in _measured(findings, "gain"))
    return f"; {least} seeds" + (
        " and one seed of the base, whose luck of the training is not excluded" if single else ""
    )


def _measured(findings: Sequence[Finding], question: Question) -> list[Finding]:
    return [one for one in findings if one.question == question and one.state == "MEASURED"]


def _twins(findings: Sequence[Finding]) -> bool:
    """Whether both were made alike but for the seed: which of them is better says nothing about what to do."""
    return any(TWINS in one.values for one in findings if one.question == "luck")


def _lucky(findings: Sequence[Finding]) -> bool:
    """Whether luck may have made the gain: that of the training, or that of picking the best."""
    if any(one.answer == "yes" for one in _measured(findings, "luck")):
        return True
    off = _choice(findings)
    return off is not None and any(_least(one) <= off for one in _measured(findings, "gain"))


def _choice(findings: Sequence[Finding]) -> float | None:
    """What picking the best of several is worth by luck alone, unless luck has been ruled out with it."""
    sizes = [one.values.get("optimism") for one in _measured(findings, "luck") if one.answer != "no"]
    return max((one for one in sizes if isinstance(one, float)), default=None)


def _broken(findings: Sequence[Finding], question: Question = "generalization") -> list[Finding]:
    """Sets that were given and tell nothing: general ones, or, of the gain, the test set."""
    return [one for one in findings if one.question == question and one.state in ("ERROR", "TOO FEW")]


def _open(findings: Sequence[Finding], wanted: str) -> bool:
    """Whether one of them is not answered as wanted."""
    return any(one.answer != wanted for one in findings)


def _test(one: Finding) -> Test:
    if one.test is None:
        raise TypeError(f"{one.question} of {one.subject} is measured and has no test")
    return one.test


def size(test: Test) -> str:
    """How large an effect is, whatever its sign, with interval and items: the words around it say which way."""
    value, interval = test.effect.value, test.effect.interval
    down = value < 0
    within = interval.turned if interval is not None and down else interval
    return _told(abs(value), within, test)


def signed(test: Test) -> str:
    """An effect with its sign, unit, interval and items, as it stands in the sentence."""
    value = test.effect.value
    told = _told(value, test.effect.interval, test)
    return f"+{told}" if value > 0 and told.split(" ", 1)[0].strip("0.") else told


def _told(value: float, interval: Interval | None, test: Test) -> str:
    noun = "items" if "items" in test.n else next(iter(test.n), "items")
    count = f"{test.n.get(noun, 0):,} {noun}"
    if "clusters" in test.n:
        count += f" in {test.n['clusters']:,} groups"
    if interval is None:
        return f"{amount(value, test.effect.unit)} ({count})"
    if not math.isfinite(interval.high):
        shown, low = alike(value, interval.low)
        span = f"{low} or more"
    elif not math.isfinite(interval.low):
        shown, high = alike(value, interval.high)
        span = f"{high} or less"
    else:
        shown, low, high = alike(value, interval.low, interval.high)
        span = f"{low} to {high}"
    unit = f" {test.effect.unit}" if test.effect.unit else ""
    return f"{shown}{unit} ({sure(interval.level)} {span}, {count})"
