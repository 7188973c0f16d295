"""A part of the training files, so that each lies within the next larger one of the same seed.

Rows are ranked once for each seed, each label spread evenly over the ranks; a fraction is the first so many. Each seed
ranks them anew, so that seeds differ by the examples they got as well, which belongs to the chance that a curve takes
into account. Whole lines are copied from the user's files, so that they are read as before: same columns, same
encoding, same filters. Left out: TMX and lists in JSON, which have no lines of their own.
"""

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from seqwise.checkpoints.files import make_folder, replacing
from seqwise.data.files import Undecoded, lines
from seqwise.errors import ConfigError, DataError
from seqwise.tasks.tuning.items import Items, read
from seqwise.tasks.tuning.settings import Tune

SEED = 1
LEAST = 4  # rows: two to learn from and two to look at


def ranked(total: int, labels: Sequence[str] | None = None, seed: int = SEED) -> list[int]:
    """All rows in the order in which they join."""
    strata = defaultdict(list)
    for row in range(total):
        strata[labels[row] if labels else ""].append(row)
    chance = random.Random(seed)
    found: list[tuple[float, float, int]] = []
    for label in sorted(strata):
        rows = strata[label]
        chance.shuffle(rows)
        found += [((place + 0.5) / len(rows), chance.random(), row) for place, row in enumerate(rows)]
    return [row for _, _, row in sorted(found)]


def nested(settings: Tune, fraction: float, folder: Path) -> tuple[Tune, int]:
    """The settings with a part of their training files, written to the folder; and how many rows these hold."""
    if not 0 < fraction <= 1:
        raise ConfigError(f"a fraction of {fraction:g} of the training files", "more than 0, at most 1", "0.25 0.5 1")
    items = read(settings, settings.train, [])
    if fraction == 1:
        return settings, len(items)
    count = round(fraction * len(items))
    if count < LEAST:
        given = f"{fraction:g} of {len(items):,} training examples, which is {count}"
        raise DataError(given, f"{LEAST} at least", "larger fractions, or more examples")
    labels = items.wanted if settings.task == "classify" else None
    order = ranked(len(items), labels, settings.training.seed)
    made = _written(settings, items, set(order[:count]), folder)
    return replace(settings, train=tuple(made)), count


def _written(settings: Tune, items: Items, chosen: set[int], folder: Path) -> list[str]:
    make_folder(folder)
    starts: dict[str, dict[int, bool]] = {path: {} for path in settings.train}
    for row, where in enumerate(items.places):
        path, _, line = where.rpartition(":")
        if not line.isdecimal() or path.lower().removesuffix(".gz").endswith(".tmx"):
            raise DataError(f"a part of {path}", "a file with an example a line, or Parquet", "JSONL or TSV", where)
        starts[path][int(line)] = row in chosen
    aligned = [path for path in settings.train if not starts[path]]  # the other side of two aligned files
    for path in aligned:
        starts[path] = starts[settings.train[0]]
    found = []
    for number, path in enumerate(settings.train):
        if any(starts[path].values()):
            place = folder / f"{number}-{Path(path).name.removesuffix('.gz')}"
            write = _rows if Path(path).suffix.lower() == ".parquet" or settings.data.format == "parquet" else _lines
            write(path, place, starts[path], settings.data.encoding)
            found.append(str(place))
    return found


def _lines(path: str, place: Path, starts: Mapping[int, bool], encoding: str) -> None:
    """The lines of the chosen rows, each up to where the next row begins; and the header before the first."""
    kept, chosen = [], True
    for number, line in enumerate(lines(path, encoding, alone=True), 1):
        chosen = starts.get(number, chosen)
        if chosen and not isinstance(line, Undecoded):
            kept.append(line)
    content = "".join(f"{line}\n" for line in kept).encode(encoding)
    with replacing(place, len(content)) as file:
        file.write(content)


def _rows(path: str, place: Path, starts: Mapping[int, bool], encoding: str) -> None:
    """The same of Parquet, where rows have numbers."""
    import polars

    frame = polars.read_parquet(path, glob=False)
    chosen = [number - 1 for number, taken in sorted(starts.items()) if taken]
    with replacing(place, 0) as file:
        frame[chosen].write_parquet(file)
