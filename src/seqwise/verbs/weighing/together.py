"""Files of predictions that are one system: what each is called, and which are trainings of one recipe by their seeds.

    titles    by the file, and by its folders as far as they tell files apart
    joint     files whose titles differ by the number of the seed alone are one system with so many seeds
    twins     systems whose titles differ from that of the base by the seed alone

A file is of a seed where its column `seed` says so, one for all rows, or where its name does: lora-seed1.jsonl. Whoever
weighed each seed as a system of its own would show the luckiest of them.
"""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from seqwise.verdict.scored import Scored

BETWEEN = "_. =-"  # what stands between a name and the number of a seed

_NAMED = re.compile(r"(?<![a-z])seed[-_. =]*(\d+)(?!\d)", re.IGNORECASE)
_BARE = re.compile(r"(seed[-_. =]*)?\d+", re.IGNORECASE)  # that of a seed, and of nothing else
_LETTER = "[a-rt-z]"  # alone before a number it says of what it is, such as the rank of lora-r8; s is a seed

Rows = Sequence[Scored]


@dataclass(frozen=True)
class Joint:
    """One system."""

    name: str
    files: tuple[int, ...]
    """By their places; one, or as many as there are seeds."""


def titles(paths: Sequence[str]) -> list[str]:
    """What files are called, that of the base first: by the shortest ends of their paths that tell all apart.

    seed1.jsonl of several folders is of several recipes, so that its folder is a part of its name too. The name that
    all tuned ones have is left out.
    """
    files = [_parts(one) for one in paths]
    stems = {file[-1] for file in files[1:]}
    found = ["" for _ in files]
    for depth in range(1, max(map(len, files)) + 1):
        found = [_title(file[-depth:], stems) for file in files]
        told_apart = len(set(found)) == len(set(files))
        bare = {file[:-depth] for file, title in zip(files, found, strict=True) if _BARE.fullmatch(title)}
        if told_apart and len(bare) <= 1:
            break
    return found


def _parts(path: str) -> tuple[str, ...]:
    """Folders and stem."""
    where = Path(path.removesuffix(".gz"))
    where = Path(os.path.abspath(where)) if ".." in where.parts else where
    return (*(part for part in where.parent.parts if part != where.anchor), where.stem)


def _title(end: tuple[str, ...], stems: set[str]) -> str:
    return "-".join(end[:-1] if len(end) > 1 and stems == {end[-1]} else end)


def joint(names: Sequence[str], files: Sequence[Rows]) -> list[Joint]:
    """Systems in the order of their first files."""
    found: dict[tuple[str, ...], list[tuple[int, int]]] = {}
    for place, (name, rows) in enumerate(zip(names, files, strict=True)):
        seed, rest = _seed(name, rows), _recipe(name, rows)
        key: tuple[str, ...] = (str(place), name) if rest is None else (rest,)
        found.setdefault(key, []).append((place, -1 if seed is None else seed))
    whole = []
    for key, members in found.items():
        places, seeds = zip(*members, strict=True)
        if len(members) > 1 and len(set(seeds)) == len(seeds):
            whole.append(Joint(key[0] or "tuned", places))
        else:
            whole += [Joint(names[place], (place,)) for place in places]
    return sorted(whole, key=lambda one: one.files)


def twins(base: tuple[str, Rows], names: Sequence[str], files: Sequence[Rows], systems: Sequence[Joint]) -> list[bool]:
    """Whether each system was made as the base was, title and rows, but for the seed."""
    first = _recipe(*base)
    recipes = [_recipe(name, rows) for name, rows in zip(names, files, strict=True)]
    return [first is not None and all(recipes[place] == first for place in one.files) for one in systems]


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


def _recipe(name: str, rows: Rows) -> str | None:
    """The name without its seed; None where it has none."""
    seed = _seed(name, rows)
    return None if seed is None else _without(name, seed)


def _without(name: str, seed: int) -> str | None:
    """The name without the number of the seed; None where it does not stand there once."""
    for pattern in (
        rf"(?<![a-z])seed[-_. =]*0*{seed}(?!\d)",
        rf"(?<!\d)(?<!\d\.)(?<!\b{_LETTER})(?<!_{_LETTER})0*{seed}(?!\d)",
    ):
        rest, times = re.subn(pattern, "", name, flags=re.IGNORECASE)
        if times == 1:
            return re.sub(rf"([{BETWEEN}])[{BETWEEN}]+", r"\1", rest).strip(BETWEEN)
    return None
