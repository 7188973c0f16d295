"""Files of predictions made elsewhere, so that anybody's models can be weighed. One row an item:

    id                       which item; the same in the files of both systems
    prediction, reference    what the model said and what is right (`references`: a list of what is)
    score | loss | error     or a number of each item, one kind for all; `tokens` beside a loss that is a sum over them
    set, seed                where one file holds several
    cluster | group          what items belong together by
    text                     what was asked, to be shown and to be parted by length
    source, ...              any other column that has some values only becomes slices, if it is the same in all files

JSONL, CSV, TSV or Parquet. Without `--metric` a number of each item is taken as it is, and a prediction is a label
where there are few different references; whoever has texts, or a score beside labels, says how they are scored.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seqwise.data.files import shown
from seqwise.errors import DataError
from seqwise.stats.phrases import counted, joined
from seqwise.verbs.weighing import labels, slices
from seqwise.verbs.weighing.columns import NUMBERS, close_to, metric_of, reference_column, references_of, there
from seqwise.verbs.weighing.measures import (
    BETWEEN,
    Measured,
    Metric,
    compared,
    foreseen,
    known,
    numbers,
)
from seqwise.verbs.weighing.rows import Row, named, read_rows, told
from seqwise.verdict.scored import Scored, signed

OURS = ("id", "prediction", "reference", "references", *NUMBERS, "tokens", "set", "seed", "cluster", "group", "text")
LARGEST, SMALLEST = 1e100, 1e-100  # of numbers whose squares are summed
HIGHEST = 700.0  # nats a token, of which the perplexity is still a number


@dataclass(frozen=True)
class Source:
    """A file and what its rows are read as."""

    path: str
    metric: str
    part: str
    """The set, where the file names none."""
    system: str


def read_predictions(
    path: str, metric: Metric = "auto", part: str = "test", system: str = "tuned"
) -> tuple[Scored, ...]:
    """Scores of each set and each seed of the file.

    metric   how items are scored; auto: as the columns tell
    part     the set, where the file has no column `set`
    system   what it is called in the report
    """
    rows = read_rows(path)
    _first(rows[0], path)
    source = Source(path, metric_of(rows, known(metric), path), part, system)
    filled = {name for name in ("prediction", *NUMBERS) if any(there(row, name) for row in rows)}
    _columns(rows, source.metric, path)
    for row in rows:
        _plain(row)
        _whole(row, source.metric, rows[0], filled)
    parted: dict[tuple[str, int | None], list[Row]] = {}
    for row in rows:
        parted.setdefault((named(row.cells.get("set")).strip() or part, _seed(row)), []).append(row)
    _every_seed(parted, path)
    return tuple(_scored(source, name, seed, found) for (name, seed), found in parted.items())


def _first(row: Row, path: str) -> None:
    """Refuse a table that is none of predictions."""
    if "id" not in row.cells:
        close = close_to("id", row.cells)
        given = f"no id among {', '.join(map(repr, list(row.cells)[:8]))}"
        mend = f"calling {close!r} id" if close else "an id in each row, the same in the files of both systems"
        raise DataError(given, "a column id, which says which item a row is of", mend, row.where or path)


def _columns(rows: Sequence[Row], metric: str, path: str) -> None:
    """Refuse a file none of whose rows has a column that all must have."""
    for name in _needed(rows[0], metric):
        if any(there(row, name) or (name == "reference" and reference_column(row)) for row in rows):
            continue
        columns = list(dict.fromkeys(one for row in rows for one in row.cells))
        if close := close_to(name, [one for one in columns if one not in OURS]):
            given = f"no {name} among {', '.join(map(repr, columns[:8]))}"
            raise DataError(given, f"{name} in each row, for {metric}", f"calling {close!r} {name}", path)


def _plain(row: Row) -> None:
    """Refuse what is neither text nor number where one of them stands."""
    for name in ("id", "reference", "references", "text", "set", "cluster", "group"):
        value = row.cells.get(name)
        several = value if name in ("reference", "references") and isinstance(value, list | tuple) else [value]
        if (nested := next((one for one in several if isinstance(one, list | dict)), None)) is not None:
            raise DataError(f"the {name} {shown(told(nested))}", "a text or a number", "the one that counts", row.where)


def _needed(row: Row, metric: str) -> tuple[str, ...]:
    """Columns that a row must have."""
    if metric == "perplexity":
        return "loss", "tokens"
    if metric in ("score", "loss") or (metric == "error" and not there(row, "prediction")):
        return (metric,)
    return ("prediction", "reference") if metric != "error" or not there(row, "error") else ("error",)


def _whole(row: Row, metric: str, first: Row, filled: set[str]) -> None:
    """Refuse a row that lacks something, or is of another kind than the rest. filled: what some rows have."""
    if not there(row, "id"):
        raise DataError(
            "a row without an id", "an id in each row", "giving it the id that the other file has", row.where
        )
    for name in _needed(row, metric):
        if there(row, name) or (name == "reference" and reference_column(row)):
            continue
        others = [one for one in ("prediction", *NUMBERS) if one != name and there(row, one)]
        if others and name in filled:
            given = f"{others[0]} here and {name} in other rows"
            raise DataError(given, "one kind of value in all rows", "two files, or --metric", row.where)
        raise DataError(f"a row without {name}", f"{name} in each row, for {metric}", "adding it", row.where)
    for name in ("seed", "cluster", "group"):
        if there(row, name) != there(first, name):
            one, other = ("a row without", "with") if there(first, name) else ("a row with", "without")
            given = f"{one} {name}, and the first row {other}"
            raise DataError(given, f"a {name} in each row, or in none", "adding it", row.where)


def _seed(row: Row) -> int | None:
    if not there(row, "seed"):
        return None
    text = named(row.cells["seed"]).strip()
    try:
        return int(text)
    except ValueError:
        raise DataError(f"the seed {shown(text)}", "a whole number", "1, 2, 3", row.where) from None


def _every_seed(parted: dict[tuple[str, int | None], list[Row]], path: str) -> None:
    """Refuse seeds that some sets have and others lack."""
    seeds = {name: {seed for part, seed in parted if part == name} for name, _ in parted}
    every = set[int | None]().union(*seeds.values())
    for name, found in seeds.items():
        if lacking := every - found:
            given = f"no row of the set {name} with the seed {joined([str(seed) for seed in lacking])}"
            raise DataError(given, "the same seeds in every set", "adding them, or leaving them out everywhere", path)


def _number(row: Row, name: str) -> float:
    value = row.cells[name]
    try:
        number = float(value) if not isinstance(value, list | dict) else None
    except ValueError:
        number = None
    except OverflowError:  # a whole number that no float is as large as
        given = f"the {name} {shown(told(value))}"
        raise DataError(given, f"a number up to {LARGEST:g}", "another unit", row.where) from None
    if number is None:
        raise DataError(f"the {name} {shown(told(value))}", "a number", "mending it", row.where)
    if not math.isfinite(number):
        raise DataError(f"the {name} {told(value)}", "a finite number", "leaving the item out of both files", row.where)
    if abs(number) > LARGEST:
        raise DataError(f"the {name} {told(value)}", f"a number up to {LARGEST:g}", "another unit", row.where)
    return number


def _measured(metric: str, rows: Sequence[Row]) -> Measured:
    if metric == "perplexity":
        nats, tokens = ([_number(row, name) for row in rows] for name in ("loss", "tokens"))
        wrong = next((row for row, count in zip(rows, tokens, strict=True) if count < 1 or count % 1), None)
        if wrong is not None:
            raise DataError(f"tokens {told(wrong.cells['tokens'])}", "a count from 1", "mending it", wrong.where)
        for row, sum_, count in zip(rows, nats, tokens, strict=True):
            if not 0 <= sum_ <= HIGHEST * count:
                given = f"the loss {told(row.cells['loss'])} over {counted(int(count), 'token')}"
                allowed = f"a sum of -log p in nats, from 0 to {HIGHEST:g} a token"
                raise DataError(given, allowed, "the same without its sign" if sum_ < 0 else "--metric loss", row.where)
        return foreseen(metric, nats, [int(count) for count in tokens], "columns:loss,tokens")
    if metric == "error" and not there(rows[0], "error"):
        away = [abs(_number(row, "prediction") - _number(row, reference_column(row))) for row in rows]
        return numbers("error", np.array(away))
    if metric in NUMBERS:
        right = {"true": True, "false": False}
        values = [right.get(told(row.cells[metric]).lower()) for row in rows]
        if all(value is not None for value in values):
            return numbers(metric, np.array(values, dtype=bool))
        found = np.array([_number(row, metric) for row in rows])
        if 0 < (largest := float(np.abs(found).max())) < SMALLEST:
            raise DataError(
                f"no {metric} beyond {largest:g}", f"numbers beyond {SMALLEST:g}", "another unit", rows[0].where
            )
        return numbers(metric, found)
    for row in rows:
        if isinstance(row.cells["prediction"], list | dict):
            given = f"the prediction {shown(told(row.cells['prediction']))}"
            raise DataError(given, "one text or label", "the best of them alone", row.where)
    outputs, references = _said(metric, rows)
    several = next((row for row, right in zip(rows, references, strict=True) if len(right) > 1), None)
    if metric == "macro-f1" and several is not None:
        given = f"{len(references_of(several))} references of one item, and --metric macro-f1"
        raise DataError(given, "one label for each item", "--metric accuracy", several.where)
    return compared(metric, outputs, references)


def _said(metric: str, rows: Sequence[Row]) -> tuple[Sequence[str], Sequence[tuple[str, ...]]]:
    """What was said of each item, and what would be right; nothing where that is not known of all."""
    outputs = [told(row.cells["prediction"]) for row in rows] if there(rows[0], "prediction") else []
    references = [references_of(row) for row in rows] if all(map(reference_column, rows)) else []
    return labels.alike(outputs, references) if metric in ("accuracy", "macro-f1") else (outputs, references)


def _scored(source: Source, part: str, seed: int | None, rows: Sequence[Row]) -> Scored:
    """One set of one seed."""
    first: dict[str, str] = {}
    for row in rows:
        name = named(row.cells["id"]).strip()
        if name in first:
            given = f"the id {name!r}, which {first[name]} has already"
            raise DataError(given, "one row for each item", "giving each item an id of its own", row.where)
        first[name] = row.where
    if len(rows) < 2:
        given = f"1 item in {part}"
        raise DataError(given, "two items at least, and some hundred to tell anything", "more of them", rows[0].where)
    found = _measured(source.metric, rows)
    ids = _shortened(tuple(first))
    texts = tuple(told(row.cells.get("text")) for row in rows) if all(there(row, "text") for row in rows) else ()
    outputs, references = _said(source.metric, rows)
    right = tuple(map(BETWEEN.join, references))
    group = next((name for name in ("cluster", "group") if there(rows[0], name)), "")
    clusters = tuple(named(row.cells[group]) for row in rows) if group else ()
    labels = right if source.metric in ("accuracy", "macro-f1") else ()
    return Scored(
        source.system,
        part,
        found.measure,
        ids,
        found.values,
        signed(ids, right, texts) if texts else "",  # without texts the references alone are compared
        seed,
        tuple(outputs),
        right,
        texts,
        clusters,
        slices.of_items(texts or right, labels, _further(rows)),
    )


def _shortened(ids: tuple[str, ...]) -> tuple[str, ...]:
    """Ids that are all of the form 17.0, as a table of numbers is written that once lacked some, as 17."""
    return tuple(one[:-2] for one in ids) if all(one.endswith(".0") and one[:-2].isdecimal() for one in ids) else ids


def _further(rows: Sequence[Row]) -> dict[str, list[str]]:
    """All columns that are not ours."""
    names = dict.fromkeys(name for row in rows for name in row.cells if name not in OURS)
    plain = [name for name in names if not any(isinstance(row.cells.get(name), list | dict) for row in rows)]
    return {name: [named(row.cells.get(name)) for row in rows] for name in plain}
