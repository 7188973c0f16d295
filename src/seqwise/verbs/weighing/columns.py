"""What the columns of a file of predictions hold, and how its items are scored where nobody says.

there, reference_column, references_of   what a row has
close_to                                 the column that others call otherwise
metric_of                                as asked, or as the columns tell
"""

import math
from collections.abc import Collection, Iterable, Sequence

from seqwise.errors import ConfigError, DataError, nearest
from seqwise.stats.phrases import counted, joined
from seqwise.verbs.weighing.measures import Metric
from seqwise.verbs.weighing.rows import Row, told

NUMBERS = ("score", "loss", "error")
FEW = 20  # different references at most that are taken for labels
WORDS = 4  # of a label at most
TRUTHS = {"0", "1", "0.0", "1.0", "true", "false"}
OTHERS = {
    "id": ("idx", "index", "key", "uid", "guid", "doc_id", "example_id", "sample_id", "question_id"),
    "prediction": ("hypothesis", "output", "predicted", "pred", "generated", "mt"),
    "reference": ("target", "gold", "answer", "expected", "label", "ref"),
    "score": ("acc", "accuracy", "correct", "exact_match", "em", "f1", "comet", "bertscore", "rating"),
    "loss": ("nll", "cross_entropy", "log_loss", "logloss"),
}
"""What others call our columns."""


def there(row: Row, name: str) -> bool:
    """Whether a row has it. A prediction may be empty; nothing else may, nor be NaN where no number is wanted."""
    value = row.cells.get(name)
    if name not in NUMBERS and isinstance(value, float) and math.isnan(value):
        return False
    if isinstance(value, list | tuple):
        return any(told(one).strip() for one in value)
    return value is not None and (name == "prediction" or not isinstance(value, str) or bool(value.strip()))


def reference_column(row: Row) -> str:
    """The column of what is right; empty where there is none."""
    return next((name for name in ("references", "reference") if there(row, name)), "")


def references_of(row: Row) -> tuple[str, ...]:
    """All that would be right."""
    value = row.cells.get(reference_column(row))
    return tuple(told(one) for one in value if one is not None) if isinstance(value, list | tuple) else (told(value),)


def is_number(text: str) -> bool:
    """Whether a text is a finite one."""
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def close_to(name: str, columns: Iterable[str]) -> str:
    """The column that is meant by this name, as it seems; empty where there is none."""
    by_case = {one.casefold().strip(): one for one in columns}
    found = next((by_case[other] for other in (name, *OTHERS.get(name, ())) if other in by_case), "")
    return found or by_case.get(nearest(name, by_case) or "", "")


def metric_of(rows: Sequence[Row], metric: Metric, path: str) -> str:
    """As asked, or as the columns tell."""
    if metric != "auto":
        return metric
    kinds = [name for name in NUMBERS if any(there(row, name) for row in rows)]
    both = len(kinds) > 1 and next((row for row in rows if sum(there(row, name) for name in kinds) > 1), None)
    if both:
        allowed = "one kind of number, or to be told which"
        raise ConfigError(f"{joined(kinds)} in one row", allowed, f"--metric {kinds[0]}", both.where)
    references = {tuple(map(str.strip, references_of(row))) for row in rows if reference_column(row)}
    if kinds:
        first = next(name for row in rows for name in kinds if there(row, name))
        if first == "score" and _are_labels(rows, references):
            _must_be_worth(rows)
        return "perplexity" if first == "loss" and any(there(row, "tokens") for row in rows) else first
    if not references:
        allowed = f"prediction and reference, or one of {', '.join(NUMBERS)}"
        given = f"columns {', '.join(map(repr, list(rows[0].cells)[:8]))}"
        raise DataError(given, allowed, _renaming(rows[0].cells) or "adding them", path)
    if _are_labels(rows, references):
        _must_be_labels(rows, references)
        return "accuracy"
    raise ConfigError(
        f"{len(references):,} different references of {counted(len(rows), 'row')} and no --metric",
        "to be told how texts are scored",
        "--metric error for numbers"
        if all(len(one) == 1 and is_number(one[0]) for one in references)
        else "--metric bleu for translations, rougeL for summaries, exact-match for answers, accuracy for labels",
        path,
    )


def _are_labels(rows: Sequence[Row], references: Collection[Sequence[str]]) -> bool:
    """Whether what is right are few and short, one of each item."""
    short = all(len(text.split()) <= WORDS for one in references for text in one)
    few = 0 < len(references) <= min(FEW, max(2, len(rows) // 2))
    return short and few and all(len(one) == 1 for one in references)


def _must_be_worth(rows: Sequence[Row]) -> None:
    """Refuse to take for the worth of a label what may be how sure the model was of it."""
    if not all(there(row, "prediction") for row in rows):
        return
    row = next((row for row in rows if told(row.cells.get("score")).strip().lower() not in TRUTHS), None)
    if row is not None:
        given = f"a label as prediction, its reference and the score {told(row.cells.get('score'))}, and no --metric"
        allowed = "to be told whether the score says how good the answer is, or how sure the model was of it"
        raise ConfigError(given, allowed, "--metric accuracy for the labels, --metric score for the number", row.where)


def _renaming(columns: Collection[str]) -> str:
    """How to call columns that others call otherwise; empty where none is known."""
    by_case = {one.casefold().strip(): one for one in columns}
    meant = {name: next((by_case[one] for one in others if one in by_case), "") for name, others in OTHERS.items()}
    for names in (("prediction", "reference"), ("score",), ("loss",)):
        if all(meant[name] or name in columns for name in names):
            return "calling " + joined([f"{meant[name]!r} {name}" for name in names if meant[name]])
    return ""


def _must_be_labels(rows: Sequence[Row], references: Iterable[Sequence[str]]) -> None:
    """Refuse to guess where what is right are few numbers, and what was said lies between them."""
    if not all(is_number(one) for row in references for one in row):
        return
    for row in rows:
        said = told(row.cells.get("prediction")).strip()
        if is_number(said) and float(said) % 1 and (said,) not in references:
            raise ConfigError(
                f"the prediction {said}, few different numbers as references, and no --metric",
                "to be told how they are scored",
                "--metric error for numbers, accuracy for labels",
                row.where,
            )
