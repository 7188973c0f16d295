"""Files of predictions that are one system: what each is called, and which are trainings of one recipe by their seeds.

    titles    by the file, or by its folder where files of several folders are called alike
    joint     files whose names differ by the number of the seed alone are one system with so many seeds

A file is of a seed where its column `seed` says so, one for all rows, or where its name does: lora-seed1.jsonl. Whoever
weighed each seed as a system of its own would show the luckiest of them.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from seqwise.verdict.scored import Scored

BETWEEN = "_. =-"  # what stands between a name and the number of a seed

_NAMED = re.compile(r"(?<![a-z])seed[-_. =]*(\d+)(?!\d)", re.IGNORECASE)

Rows = Sequence[Scored]


@dataclass(frozen=True)
class Joint:
    """One system."""

    name: str
    files: tuple[int, ...]
    """By their places; one, or as many as there are seeds."""


def titles(base: str, tuned: Sequence[str]) -> list[str]:
    """What files are called; of equal names what their folders are."""
    stems = [_stem(one) for one in tuned]
    if len({*stems, _stem(base)}) == len(stems) + 1:
        return stems
    folders = [Path(one).parent.name for one in tuned]
    return folders if all(folders) and len(set(folders)) == len(folders) else stems


def _stem(path: str) -> str:
    return Path(path.removesuffix(".gz")).stem


def joint(names: Sequence[str], files: Sequence[Rows]) -> list[Joint]:
    """Systems in the order of their first files."""
    found: dict[tuple[str, ...], list[tuple[int, int]]] = {}
    for place, (name, rows) in enumerate(zip(names, files, strict=True)):
        seed = _seed(name, rows)
        rest = None if seed is None else _without(name, seed)
        key: tuple[str, ...] = (str(place), name) if rest is None or seed is None else (rest,)
        found.setdefault(key, []).append((place, -1 if seed is None else seed))
    whole = []
    for key, members in found.items():
        places, seeds = zip(*members, strict=True)
        if len(members) > 1 and len(set(seeds)) == len(seeds):
            whole.append(Joint(key[0] or "tuned", places))
        else:
            whole += [Joint(names[place], (place,)) for place in places]
    return sorted(whole, key=lambda one: one.files)


def with_seed(name: str, rows: Rows) -> tuple[Scored, ...]:
    """Scores of the seed that the name of their file says, where they have none."""
    seed = _seed(name, rows)
    return tuple(one if one.seed is not None else replace(one, seed=seed) for one in rows)


def _seed(name: str, rows: Rows) -> int | None:
    """Of the whole file; None where it is of none, or of several."""
    seeds = {one.seed for one in rows}
    if seeds != {None}:
        return seeds.pop() if len(seeds) == 1 else None
    said = _NAMED.findall(name)
    return int(said[0]) if len(said) == 1 else None


def _without(name: str, seed: int) -> str | None:
    """The name without the number of the seed; None where it does not stand there once."""
    for pattern in (rf"(?<![a-z])seed[-_. =]*0*{seed}(?!\d)", rf"(?<!\d)(?<!\d\.)0*{seed}(?!\d)"):
        rest, times = re.subn(pattern, "", name, flags=re.IGNORECASE)
        if times == 1:
            return re.sub(rf"([{BETWEEN}])[{BETWEEN}]+", r"\1", rest).strip(BETWEEN)
    return None
