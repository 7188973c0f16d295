"""Files of predictions made elsewhere, so that anybody's models can be weighed. One row an item:

    id                       which item; the same in the files of both systems
    prediction, reference    what the model said and what is right (`references`: a list of what is)
    score | loss | error     or a number of each item, one kind for all; `tokens` beside a loss that is a sum over them
    set, seed                where one file holds several
    cluster | group          what items belong together by
    text                     what was asked, to be shown and to be parted by length
    source, ...              any other column that has some values only becomes slices, if it is the same in all files

JSONL, CSV, TSV or Parquet. Without `--metric` a number of each item is taken as it is, and a prediction is a label
where there are few different references; whoever has texts says how they are scored.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from seqwise.data.files import shown
from seqwise.errors import ConfigError, DataError, nearest
from seqwise.stats.phrases import counted, joined
from seqwise.verbs.weighing import labels, slices
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

NUMBERS = ("score", "loss", "error")
OURS = ("id", "prediction", "reference", "references", *NUMBERS, "tokens", "set", "seed", "cluster", "group", "text")
FEW = 20  # different references at most that are taken for labels
WORDS = 4  # of a label at most
LARGEST, SMALLEST = 1e100, 1e-100  # of numbers whose squares are summed
HIGHEST = 700.0  # nats a token, of which the perplexity is still a number
OTHERS = {
    "id": ("idx", "index", "key", "uid", "guid"),
    "prediction": ("hypothesis", "output", "predicted", "pred", "generated", "mt"),
    "reference": ("target", "gold", "answer", "expected", "label", "ref"),
}
"""What others call our columns."""


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
    source = Source(path, _metric(rows, known(metric), path), part, system)
    filled = {name for name in ("prediction", *NUMBERS) if any(_there(row, name) for row in rows)}
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
        close = _close("id", row.cells)
        given = f"no id among {', '.join(map(repr, list(row.cells)[:8]))}"
        mend = f"calling {close!r} id" if close else "an id in each row, the same in the files of both systems"
        raise DataError(given, "a column id, which says which item a row is of", mend, row.where or path)


def _there(row: Row, name: str) -> bool:
    """Whether a row has it. A prediction may be empty; nothing else may, nor be NaN where no number is wanted."""
    value = row.cells.get(name)
    if name not in NUMBERS and isinstance(value, float) and math.isnan(value):
        return False
    if isinstance(value, list | tuple):
        return any(told(one).strip() for one in value)
    return value is not None and (name == "prediction" or not isinstance(value, str) or bool(value.strip()))


def _close(name: str, there: Iterable[str]) -> str:
    """The column that is meant by this name, as it seems; empty where there is none."""
    by_case = {one.casefold().strip(): one for one in there}
    found = next((by_case[other] for other in (name, *OTHERS.get(name, ())) if other in by_case), "")
    return found or by_case.get(nearest(name, by_case) or "", "")


def _columns(rows: Sequence[Row], metric: str, path: str) -> None:
    """Refuse a file none of whose rows has a column that all must have."""
    for name in _needed(rows[0], metric):
        if any(_there(row, name) or (name == "reference" and _reference(row)) for row in rows):
            continue
        there = list(dict.fromkeys(one for row in rows for one in row.cells))
        if close := _close(name, [one for one in there if one not in OURS]):
            given = f"no {name} among {', '.join(map(repr, there[:8]))}"
            raise DataError(given, f"{name} in each row, for {metric}", f"calling {close!r} {name}", path)


def _plain(row: Row) -> None:
    """Refuse what is neither text nor number where one of them stands."""
    for name in ("id", "reference", "references", "text", "set", "cluster", "group"):
        value = row.cells.get(name)
        several = value if name in ("reference", "references") and isinstance(value, list | tuple) else [value]
        if (nested := next((one for one in several if isinstance(one, list | dict)), None)) is not None:
            raise DataError(f"the {name} {shown(told(nested))}", "a text or a number", "the one that counts", row.where)


def _metric(rows: Sequence[Row], metric: Metric, path: str) -> str:
    """As asked, or as the columns tell."""
    if metric != "auto":
        return metric
    kinds = [name for name in NUMBERS if any(_there(row, name) for row in rows)]
    both = len(kinds) > 1 and next((row for row in rows if sum(_there(row, name) for name in kinds) > 1), None)
    if both:
        allowed = "one kind of number, or to be told which"
        raise ConfigError(f"{joined(kinds)} in one row", allowed, f"--metric {kinds[0]}", both.where)
    if kinds:
        first = next(name for row in rows for name in kinds if _there(row, name))
        return "perplexity" if first == "loss" and any(_there(row, "tokens") for row in rows) else first
    references = {tuple(map(str.strip, _references(row))) for row in rows if _reference(row)}
    if not references:
        allowed = f"prediction and reference, or one of {', '.join(NUMBERS)}"
        raise DataError(f"columns {', '.join(map(repr, list(rows[0].cells)[:8]))}", allowed, "adding them", path)
    short = all(len(text.split()) <= WORDS for one in references for text in one)
    if short and len(references) <= min(FEW, max(2, len(rows) // 2)) and all(len(one) == 1 for one in references):
        _must_be_labels(rows, references)
        return "accuracy"
    raise ConfigError(
        f"{len(references):,} different references of {counted(len(rows), 'row')} and no --metric",
        "to be told how texts are scored",
        "--metric error for numbers"
        if all(len(one) == 1 and _is_number(one[0]) for one in references)
        else "--metric bleu for translations, rougeL for summaries, exact-match for answers, accuracy for labels",
        path,
    )


def _must_be_labels(rows: Sequence[Row], references: Iterable[Sequence[str]]) -> None:
    """Refuse to guess where what is right are few numbers, and what was said lies between them."""
    if not all(_is_number(one) for row in references for one in row):
        return
    for row in rows:
        said = told(row.cells.get("prediction")).strip()
        if _is_number(said) and float(said) % 1 and (said,) not in references:
            raise ConfigError(
                f"the prediction {said}, few different numbers as references, and no --metric",
                "to be told how they are scored",
                "--metric error for numbers, accuracy for labels",
                row.where,
            )


def _reference(row: Row) -> str:
    """The column of what is right; empty where there is none."""
    return next((name for name in ("references", "reference") if _there(row, name)), "")


def _references(row: Row) -> tuple[str, ...]:
    """All that would be right."""
    value = row.cells.get(_reference(row))
    return tuple(told(one) for one in value if one is not None) if isinstance(value, list | tuple) else (told(value),)


def _needed(row: Row, metric: str) -> tuple[str, ...]:
    """Columns that a row must have."""
    if metric == "perplexity":
        return "loss", "tokens"
    if metric in ("score", "loss") or (metric == "error" and not _there(row, "prediction")):
        return (metric,)
    return ("prediction", "reference") if metric != "error" or not _there(row, "error") else ("error",)


def _whole(row: Row, metric: str, first: Row, filled: set[str]) -> None:
    """Refuse a row that lacks something, or is of another kind than the rest. filled: what some rows have."""
    if not _there(row, "id"):
        raise DataError(
            "a row without an id", "an id in each row", "giving it the id that the other file has", row.where
        )
    for name in _needed(row, metric):
        if _there(row, name) or (name == "reference" and _reference(row)):
            continue
        others = [one for one in ("prediction", *NUMBERS) if one != name and _there(row, one)]
        if others and name in filled:
            given = f"{others[0]} here and {name} in other rows"
            raise DataError(given, "one kind of value in all rows", "two files, or --metric", row.where)
        raise DataError(f"a row without {name}", f"{name} in each row, for {metric}", "adding it", row.where)
    for name in ("seed", "cluster", "group"):
        if _there(row, name) != _there(first, name):
            one, other = ("a row without", "with") if _there(first, name) else ("a row with", "without")
            given = f"{one} {name}, and the first row {other}"
            raise DataError(given, f"a {name} in each row, or in none", "adding it", row.where)


def _seed(row: Row) -> int | None:
    if not _there(row, "seed"):
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


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


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
    if metric == "error" and not _there(rows[0], "error"):
        away = [abs(_number(row, "prediction") - _number(row, _reference(row))) for row in rows]
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
        given = f"{len(_references(several))} references of one item, and --metric macro-f1"
        raise DataError(given, "one label for each item", "--metric accuracy", several.where)
    return compared(metric, outputs, references)


def _said(metric: str, rows: Sequence[Row]) -> tuple[Sequence[str], Sequence[tuple[str, ...]]]:
    """What was said of each item, and what would be right; nothing where that is not known of all."""
    outputs = [told(row.cells["prediction"]) for row in rows] if _there(rows[0], "prediction") else []
    references = [_references(row) for row in rows] if all(map(_reference, rows)) else []
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
    ids = tuple(first)
    texts = tuple(told(row.cells.get("text")) for row in rows) if all(_there(row, "text") for row in rows) else ()
    outputs, references = _said(source.metric, rows)
    right = tuple(map(BETWEEN.join, references))
    group = next((name for name in ("cluster", "group") if _there(rows[0], name)), "")
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


def _further(rows: Sequence[Row]) -> dict[str, list[str]]:
    """All columns that are not ours."""
    names = dict.fromkeys(name for row in rows for name in row.cells if name not in OURS)
    plain = [name for name in names if not any(isinstance(row.cells.get(name), list | dict) for row in rows)]
    return {name: [named(row.cells.get(name)) for row in rows] for name in plain}
