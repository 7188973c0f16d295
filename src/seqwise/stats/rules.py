"""The four rules of Western Electric (1956): patterns that a process which does not change rarely shows.

    1   one point beyond 3 sds
    2   two of three points in a row beyond 2 sds, on the same side
    3   four of five points in a row beyond 1 sd, on the same side
    4   eight points in a row on the same side of the centre

"Rarely" is told in numbers: `run_length` is how many points pass on average between two false alarms, exact for
independent normal values and known limits by the Markov chain of Champ and Woodall (1987, table 1): 370 for rule 1
alone, 92 for all four. A point on the centre or on a limit is on neither side of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float
from scipy.special import ndtr

# N points; a side is 1 above the centre and -1 below

RULES = (1, 2, 3, 4)
EDGE = {1: 3.0, 2: 2.0, 3: 1.0, 4: 0.0}  # sds
NEEDED = {1: (1, 1), 2: (2, 3), 3: (4, 5), 4: (8, 8)}  # so many of so many in a row


@dataclass(frozen=True)
class Signal:
    """A pattern, from its first point to its last; as long as it goes on it is one signal."""

    rule: int
    side: str
    """above or below the centre."""
    index: int
    """The point, counted from 0, at which the rule is broken for the first time."""
    points: tuple[int, ...]
    """All that make the pattern, counted from 0."""
    why: str
    """In words, with the points' names."""


def signals(
    z: Float[np.ndarray, "N"], rules: Sequence[int], labels: Sequence[str], far: str = "more than 3 sds"
) -> tuple[Signal, ...]:
    """All patterns, in the order in which they come up.

    z     distance from the centre in sds
    far   what rule 1 says of a point, before "above the centre"
    """
    found = []
    for rule in rules:
        for side in (1, -1):
            found += _episodes(side * z > EDGE[rule], rule, side, labels, far)
    return tuple(sorted(found, key=lambda signal: (signal.index, signal.rule)))


def _episodes(beyond: Bool[np.ndarray, "N"], rule: int, side: int, labels: Sequence[str], far: str) -> list[Signal]:
    """Places where the rule is broken, those next to each other as one."""
    need, window = NEEDED[rule]
    counts = np.cumsum(np.concatenate([[0], beyond]))  # (N + 1,)
    begins = np.maximum(0, np.arange(1, len(beyond) + 1) - window)  # (N,)
    fired = np.flatnonzero(beyond & (counts[1:] - counts[begins] >= need))
    runs = [run for run in np.split(fired, np.flatnonzero(np.diff(fired) > 1) + 1) if len(run)]
    found = []
    for run in runs:
        first, last = int(run[0]), int(run[-1])
        points = tuple(int(place) for place in range(begins[first], last + 1) if beyond[place])
        found.append(_signal(rule, side, first, points, labels, far))
    return found


def _signal(rule: int, side: int, index: int, points: tuple[int, ...], labels: Sequence[str], far: str) -> Signal:
    word = "above" if side > 0 else "below"
    first, last, many = labels[points[0]], labels[points[-1]], len(points)
    span, edge = points[-1] - points[0] + 1, f"more than {EDGE[rule]:g} sd{'s' * (rule == 2)}"
    edge = {1: f"{far} ", 4: ""}.get(rule, f"{edge} ")
    if many == 1:
        why = f"point {first} lies {edge}{word} the centre"
    elif many == 2 == span:
        why = f"points {first} and {last} lie {edge}{word} the centre"
    elif many == span:
        why = f"points {first} to {last}, {many} in a row, lie {edge}{word} the centre"
    else:
        why = f"{many} of the {span} points from {first} to {last} lie {edge}{word} the centre"
    return Signal(rule, word, index, points, f"{why} (rule {rule})")


State = tuple[int, tuple[int, ...], tuple[int, ...], tuple[int, ...], tuple[int, ...]]
START: State = (0, (), (), (), ())
"""Run on one side, negative below; then the last points beyond 2 sds above and below, beyond 1 sd above and below."""


@lru_cache(maxsize=32)
def run_length(rules: tuple[int, ...]) -> float:
    """Points between two false alarms of a process that does not change, on average."""
    edges = np.array([0.0, 1.0, 2.0, 3.0 if 1 in rules else np.inf])
    shares = np.diff(ndtr(edges))  # of the zones C, B, A on one side
    places: dict[State, int] = {START: 0}
    moves: list[tuple[int, int, float]] = []
    todo = [START]
    while todo:
        state = todo.pop()
        for zone in (-3, -2, -1, 1, 2, 3):
            after = _after(state, zone, rules)
            if after is None:
                continue
            if after not in places:
                places[after] = len(places)
                todo.append(after)
            moves.append((places[state], places[after], float(shares[abs(zone) - 1])))
    stays = np.eye(len(places))
    for begin, end, share in moves:
        stays[begin, end] -= share
    return float(np.linalg.solve(stays, np.ones(len(places)))[0])


def _after(state: State, zone: int, rules: tuple[int, ...]) -> State | None:
    """What is remembered after one more point, or None where a rule is broken."""
    run, *memories = state
    side = 1 if zone > 0 else -1
    kept: list[tuple[int, ...]] = []
    run = (run + side if run * side > 0 else side) if 4 in rules else 0
    if abs(run) >= NEEDED[4][0]:
        return None
    for place, (rule, above) in enumerate(((2, 1), (2, -1), (3, 1), (3, -1))):
        if rule not in rules:
            kept.append(())
            continue
        need, window = NEEDED[rule]
        flags = (*memories[place], int(above * zone > EDGE[rule]))[-window:]
        if flags[-1] and sum(flags) >= need:
            return None
        kept.append(_useful(flags[-(window - 1) :], window - need))
    return (run, kept[0], kept[1], kept[2], kept[3])


def _useful(flags: tuple[int, ...], spare: int) -> tuple[int, ...]:
    """The flags that can still be part of a pattern: those with no more gaps after them than a pattern may have."""
    gaps = 0
    for back in range(1, len(flags) + 1):
        gaps += not flags[-back]
        if gaps > spare:
            flags = flags[len(flags) - back + 1 :]
            break
    while flags and not flags[0]:
        flags = flags[1:]
    return flags
