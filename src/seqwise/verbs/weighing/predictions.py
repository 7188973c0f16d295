"""Files of predictions made elsewhere, so that anybody's models can be weighed. One row an item:

    id                       which item; the same in the files of both systems
    prediction, reference    what the model said and what is right (`references`: a list of what is)
    score | loss | error     or a number of each item, one kind for all; `tokens` beside a loss that is a sum over them
    set, seed                where one file holds several
    cluster | group          what items belong together by
    text                     what was asked, to be shown and to be parted by length
    label, source, ...       any other column that has some values only becomes slices

JSONL, CSV, TSV or Parquet. Without `--metric` a number of each item is taken as it is, and a prediction is a label
where there are few different references; whoever has texts says how they are scored.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seqwise.data.files import shown
from seqwise.errors import ConfigError, DataError, nearest
from seqwise.stats.phrases import counted, joined
from seqwise.verbs.weighing import slices
from seqwise.verbs.weighing.measures import (
    BETWEEN,
    Measured,
    Metric,
    compared,
    foreseen,
    known,
    numbers,
    perplexity,
    rate,
)
from seqwise.verbs.weighing.rows import Row, read_rows, told
from seqwise.verdict.scored import Scored, signed

NUMBERS = ("score", "loss", "error")
OURS = ("id", "prediction", "reference", "references", *NUMBERS, "tokens", "set", "seed", "cluster", "group", "text")
FEW = 20  # different references at most that are taken for labels
WORDS = 4  # of a label at most
LARGEST = 1e100  # of a number, whose squares are summed


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
    for row in rows:
        _whole(row, source.metric, rows[0], filled)
    parted: dict[tuple[str, int | None], list[Row]] = {}
    for row in rows:
        parted.setdefault((told(row.cells.get("set")).strip() or part, _seed(row)), []).append(row)
    _every_seed(parted, path)
    return tuple(_scored(source, name, seed, found) for (name, seed), found in parted.items())


def must_differ(sets: Sequence[tuple[Scored, Scored]]) -> None:
    """Refuse two files that say the same of every item of every set."""
    if all(_same(base, tuned) for base, tuned in sets):
        base, tuned = sets[0]
        what, items = "outputs" if base.outputs and tuned.outputs else base.measure.name, sum(len(a) for a, _ in sets)
        given = f"the same {what} of {base.system} and {tuned.system} for all {items:,} items"
        raise DataError(given, "two systems", f"checking that the second file is that of {tuned.system}")


def must_count_alike(base: Scored, tuned: Scored) -> None:
    """Refuse a loss a token whose tokens are others: that one text makes fewer of them is no gain."""
    if base.measure.score not in (perplexity, rate):
        return
    theirs = dict(zip(tuned.ids, tuned.values[:, 1].tolist(), strict=True))
    for name, own in zip(base.ids, base.values[:, 1].tolist(), strict=True):
        if (other := theirs.get(name, own)) != own:
            given = f"{own:,.0f} tokens of item {name!r} in {base.system} and {other:,.0f} in {tuned.system}"
            raise DataError(given, "as many in both, or a loss a token is another measure", "counting words or bytes")


def told_by_case(scored: Scored) -> str:
    """A note on labels that are right but for upper and lower case; empty where there are none."""
    if scored.measure.name not in ("accuracy", "macro-F1") or not scored.references or not scored.outputs:
        return ""
    pairs = [(a.strip(), b.strip()) for a, b in zip(scored.outputs, scored.references, strict=True)]
    count = sum(a != b and a.casefold() == b.casefold() for a, b in pairs)
    what = f"{counted(count, 'prediction')} of {scored.system} on {scored.part}"
    return f"{what} counted as wrong for upper and lower case alone" if count else ""


def _same(base: Scored, tuned: Scored) -> bool:
    if base.outputs and tuned.outputs:
        said = [dict(zip(one.ids, one.outputs, strict=True)) for one in (base, tuned)]
        return said[0] == said[1]
    return base.ids == tuned.ids and np.array_equal(base.values, tuned.values)


def _first(row: Row, path: str) -> None:
    """Refuse a table that is none of predictions."""
    if "id" not in row.cells:
        close = nearest("id", row.cells)
        given = f"no id among {', '.join(map(repr, list(row.cells)[:8]))}"
        mend = f"calling {close!r} id" if close else "an id in each row, the same in the files of both systems"
        raise DataError(given, "a column id, which says which item a row is of", mend, row.where or path)


def _there(row: Row, name: str) -> bool:
    """Whether a row has it. A prediction may be empty; nothing else may."""
    value = row.cells.get(name)
    return value is not None and (name == "prediction" or not isinstance(value, str) or bool(value.strip()))


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
    references = {_references(row) for row in rows if _reference(row)}
    if not references:
        allowed = f"prediction and reference, or one of {', '.join(NUMBERS)}"
        raise DataError(f"columns {', '.join(map(repr, list(rows[0].cells)[:8]))}", allowed, "adding them", path)
    short = all(len(text.split()) <= WORDS for one in references for text in one)
    if short and len(references) <= min(FEW, max(2, len(rows) // 2)) and all(len(one) == 1 for one in references):
        return "accuracy"
    raise ConfigError(
        f"{len(references):,} different references of {counted(len(rows), 'row')} and no --metric",
        "to be told how texts are scored",
        "--metric error for numbers"
        if all(len(one) == 1 and _is_number(one[0]) for one in references)
        else "--metric bleu for translations, rougeL for summaries, exact-match for answers, accuracy for labels",
        path,
    )


def _reference(row: Row) -> str:
    """The column of what is right; empty where there is none."""
    return next((name for name in ("references", "reference") if _there(row, name)), "")


def _references(row: Row) -> tuple[str, ...]:
    """All that would be right."""
    value = row.cells.get(_reference(row))
    return tuple(map(told, value)) if isinstance(value, list | tuple) else (told(value),)


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
    text = told(row.cells["seed"]).strip()
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
        return foreseen(metric, nats, [int(count) for count in tokens], "columns:loss,tokens")
    if metric == "error" and not _there(rows[0], "error"):
        away = [abs(_number(row, "prediction") - _number(row, _reference(row))) for row in rows]
        return numbers("error", np.array(away))
    if metric in NUMBERS:
        right = {"true": True, "false": False}
        values = [right.get(told(row.cells[metric]).lower()) for row in rows]
        if all(value is not None for value in values):
            return numbers(metric, np.array(values, dtype=bool))
        return numbers(metric, np.array([_number(row, metric) for row in rows]))
    for row in rows:
        if isinstance(row.cells["prediction"], list | dict):
            given = f"the prediction {shown(told(row.cells['prediction']))}"
            raise DataError(given, "one text or label", "the best of them alone", row.where)
    outputs = [told(row.cells["prediction"]) for row in rows]
    references = [_references(row) for row in rows]
    if metric in ("accuracy", "macro-f1"):
        outputs, references = [one.strip() for one in outputs], [tuple(map(str.strip, row)) for row in references]
    return compared(metric, outputs, references)


def _scored(source: Source, part: str, seed: int | None, rows: Sequence[Row]) -> Scored:
    """One set of one seed."""
    first: dict[str, str] = {}
    for row in rows:
        name = told(row.cells["id"]).strip()
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
    outputs = tuple(told(row.cells["prediction"]) for row in rows) if _there(rows[0], "prediction") else ()
    right = tuple(BETWEEN.join(_references(row)) for row in rows) if all(map(_reference, rows)) else ()
    group = next((name for name in ("cluster", "group") if _there(rows[0], name)), "")
    clusters = tuple(told(row.cells[group]) for row in rows) if group else ()
    named = right if source.metric in ("accuracy", "macro-f1") else ()
    return Scored(
        source.system,
        part,
        found.measure,
        ids,
        found.values,
        signed(ids, right, texts) if texts else "",  # without texts the references alone are compared
        seed,
        outputs,
        right,
        texts,
        clusters,
        slices.of_items(texts or right, named, _further(rows)),
    )


def _further(rows: Sequence[Row]) -> dict[str, list[str]]:
    """All columns that are not ours."""
    names = dict.fromkeys(name for row in rows for name in row.cells if name not in OURS)
    plain = [name for name in names if not any(isinstance(row.cells.get(name), list | dict) for row in rows)]
    return {name: [told(row.cells.get(name)) for row in rows] for name in plain}
