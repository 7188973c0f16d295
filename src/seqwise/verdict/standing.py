"""How the best of several systems stands to the others, as far as the tests of the pairs carry it.

    beaten      how many of some systems are shown to be better than one
    standing    the clauses of the sentence: better than which, and by how much; told apart from which, and which not

A system is called better than another only where their pair was answered by "yes"; size, interval and items stand
behind each clause. Of many systems at once the clause gives the size of the pair that says least.
"""

from collections.abc import Sequence

from seqwise.stats.phrases import chance, joined
from seqwise.verdict.findings import Finding
from seqwise.verdict.sentence import HOLM, edge, size

SIZES = 3
"""Systems whose sizes are all told."""


def beaten(findings: Sequence[Finding], name: str, by: Sequence[str]) -> int:
    """How many of these are shown to be better."""
    pairs = [pair for other in by if other != name and (pair := _pair(findings, name, other)) is not None]
    return sum(pair.answer == "yes" and pair.system != name for pair in pairs)


def standing(findings: Sequence[Finding], best: str, others: Sequence[str]) -> str:
    """The best against each of the others; empty where no pair was measured."""
    pairs = {name: _pair(findings, best, name) for name in others}
    known = {name: pair for name, pair in pairs.items() if pair is not None}
    if not known:
        return ""
    above = {name: pair for name, pair in known.items() if pair.answer == "yes" and pair.system == best}
    below = {name: pair for name, pair in known.items() if pair.answer == "yes" and pair.system != best}
    level = {name: pair for name, pair in known.items() if pair.answer == "no"}
    unsure = {name: pair for name, pair in known.items() if pair.answer == "cannot tell"}
    told = [_better(best, above)] if above else []
    told += [f"{name} is better than {best} by {_size(pair)}{_little(pair)}" for name, pair in below.items()]
    told += [_level(best, level)] if level else []
    told += [_unsure(best, unsure)] if unsure else []
    lacking = [name for name in others if name not in known]
    told += [f"{best} was not compared with {joined(lacking)}"] if lacking else []
    once = [name for name in known if _seeds(known[name], name) == 1] if _several(known, best) else []
    of = "each of " if len(once) > 1 else "of "
    told += [f"one seed {of}{joined(once)}, whose luck of training is not excluded"] if once else []
    part = next(iter(known.values())).values.get("set")
    return f"{f'on {part} ' if part else ''}{'; '.join(told)}"


def _several(known: dict[str, Finding], best: str) -> bool:
    """Whether the best has more seeds than one; where it has one, the sentence says so already."""
    return any(_seeds(pair, best) > 1 for pair in known.values())


def _seeds(pair: Finding, name: str) -> int:
    n = pair.test.n if pair.test else {}
    return n.get(f"seeds of {name}", n.get("seeds", 1))


def _better(best: str, above: dict[str, Finding]) -> str:
    if len(above) <= SIZES:
        those = [f"than {name} by {_size(pair)}{_little(pair)}" for name, pair in above.items()]
        return f"{best} is better {joined(those)}"
    least = min(above, key=lambda name: _width(above[name]))
    return f"{best} is better than {joined(list(above))}, least so than {least}, by {_size(above[least])}"


def _little(pair: Finding) -> str:
    """Whether a difference that is shown is surely smaller than what would matter."""
    within, margin = pair.interval, pair.margin
    little = within is not None and margin is not None and max(abs(within.low), abs(within.high)) < margin
    return f", less than the {edge(pair)} that would matter" if little else ""


def _level(best: str, level: dict[str, Finding]) -> str:
    margin = edge(next(iter(level.values())))
    of = f"{_of(level)} " if len(level) > 1 else ""
    return f"{best} and {of}{joined(list(level))} do not differ by {margin}, which would matter, {_sizes(level)}"


def _unsure(best: str, unsure: dict[str, Finding]) -> str:
    if len(unsure) == 1:
        return f"{best} and {next(iter(unsure))} cannot be told apart, {_sizes(unsure)}"
    return f"{best} cannot be told apart from {_of(unsure)} {joined(list(unsure))}, {_sizes(unsure)}"


def _of(several: dict[str, Finding]) -> str:
    return "either of" if len(several) == 2 else "any of"


def _sizes(pairs: dict[str, Finding]) -> str:
    """Of one, of a few, or of the largest of many."""
    if len(pairs) == 1:
        return f"the difference is {_held(next(iter(pairs.values())))}"
    if len(pairs) <= SIZES:
        return f"the differences are {joined([f'{_held(pair)} to {name}' for name, pair in pairs.items()])}"
    most = max(pairs, key=lambda name: _width(pairs[name]))
    return f"the largest difference is {_held(pairs[most])} to {most}"


def _held(pair: Finding) -> str:
    """With Holm's p where the interval by itself would tell them apart."""
    p, within, told = pair.values.get(HOLM), pair.interval, _size(pair)
    alone = pair.answer == "cannot tell" and within is not None and 0 not in within
    return f"{told.removesuffix(')')}, {chance(p)} by Holm)" if alone and isinstance(p, float) else told


def _pair(findings: Sequence[Finding], one: str, other: str) -> Finding | None:
    """What was measured of the two, whichever is named first."""
    for found in findings:
        names = {found.system, found.subject}
        if found.question == "systems" and found.state == "MEASURED" and found.test and names == {one, other}:
            return found
    return None


def _width(pair: Finding) -> float:
    return abs(pair.test.effect.value) if pair.test else 0.0


def _size(pair: Finding) -> str:
    return size(pair.test) if pair.test else ""
