"""Items -> a measure and the values that it is made of, for whatever made the outputs.

    labels      accuracy, macro-F1
    texts       exact match, BLEU, chrF, ROUGE
    numbers     a score, a loss, an error of each item
    foreseen    perplexity, nats a token
    errors      of forecasts: absolute error, CRPS

All that a number depends on stands in the signature of its measure, so that numbers made in two ways never meet.
Macro-F1 is over the classes that are true of some item: what else is found is a miss, and no class of its own, so that
two systems are measured by the same classes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from jaxtyping import Bool, Float

from seqwise.errors import ConfigError, DataError, nearest
from seqwise.letters import composed
from seqwise.metrics.rouge import KINDS, NAMES, Words, averaged, looks_foreign, rouge_of_each
from seqwise.metrics.text import bleu, chrf, counted, words_for
from seqwise.verdict.scored import Counts, Measure, Scored, Scores

# N items, R resamples, C counts of an item

Metric = Literal["auto", "accuracy", "macro-f1", "exact-match", "bleu", "chrf", "rouge1", "rouge2", "rougeL", "score",
                 "loss", "perplexity", "error", "mae", "crps"]  # fmt: skip
METRICS: tuple[str, ...] = get_args(Metric)
USUAL: Mapping[str, tuple[str, ...]] = {
    "classify": ("accuracy", "macro-f1"),
    "translate": ("bleu", "chrf", "rouge1", "rouge2", "rougeL", "exact-match"),
    "summarize": ("rougeL", "rouge1", "rouge2", "bleu", "chrf", "exact-match"),
    "generate": ("loss", "perplexity"),
    "forecast": ("mae", "crps"),
}
"""What a task may be measured by; the first of each unless told otherwise."""
BETWEEN = " ||| "
"""Between several references in one text, as in the file of scores that `seqwise evaluate` writes."""
CELLS = 100_000_000  # counts of macro-F1 at most: 800 MB


@dataclass(frozen=True, eq=False)
class Measured:
    """A measure and the values of all items."""

    measure: Measure
    values: np.ndarray
    """(N,) booleans or numbers, or (N, C) counts."""


def known(metric: str) -> Metric:
    """The metric, if it is one."""
    if metric not in METRICS:
        close = nearest(metric, METRICS)
        raise ConfigError(f"--metric {metric}", ", ".join(METRICS), f"--metric {close or 'auto'}")
    return metric  # type: ignore[return-value]


def chosen(metric: Metric, task: str) -> str:
    """What a task is measured by."""
    if metric == "auto":
        return USUAL[task][0]
    if metric not in USUAL[task]:
        allowed = ", ".join(USUAL[task])
        raise ConfigError(f"--metric {metric} for --task {task}", allowed, f"--metric {USUAL[task][0]}")
    return metric


def compared(metric: str, outputs: Sequence[str], references: Sequence[Sequence[str]]) -> Measured:
    """Outputs against what is right of each, by any metric of labels or texts."""
    if metric == "accuracy" and any(len(row) > 1 for row in references):
        right = np.array([a in row for a, row in zip(outputs, references, strict=True)], dtype=bool)
        return Measured(right_or_wrong("accuracy", "accuracy"), right)
    if metric in ("accuracy", "macro-f1"):
        return labels(metric, outputs, [row[0] for row in references])
    return texts(metric, outputs, references)


def labels(metric: str, outputs: Sequence[str], true: Sequence[str]) -> Measured:
    """One label for each item."""
    if metric == "accuracy":
        right = np.array([a == b for a, b in zip(outputs, true, strict=True)], dtype=bool)
        return Measured(right_or_wrong("accuracy", "accuracy"), right)
    classes = sorted(set(true))
    if 3 * len(classes) * len(true) > CELLS:
        given = f"macro-F1 of {len(classes):,} labels over {len(true):,} items"
        raise DataError(given, "fewer labels", "--metric accuracy")
    place = {name: i for i, name in enumerate(classes)}
    counts = np.zeros((len(true), 3, len(classes)))  # (N, hits or misses or false alarms, classes)
    for item, (found, wanted) in enumerate(zip(outputs, true, strict=True)):
        counts[item, 0 if found == wanted else 1, place[wanted]] = 1
        if found != wanted and found in place:
            counts[item, 2, place[found]] = 1
    measure = Measure("macro-F1", "counts", signature="macro-F1|classes:true", score=f1)
    return Measured(measure, counts.reshape(len(true), -1))


def right_or_wrong(name: str, signature: str, lower: bool = False) -> Measure:
    """Each item is right or wrong."""
    return Measure(name, "right", lower=lower, signature=signature)


def f1(sums: Counts) -> Scores:
    """Macro-F1 of each row: hits, misses and false alarms of each class. A class that is not there counts not."""
    hits, misses, alarms = sums.reshape(len(sums), 3, -1).swapaxes(0, 1)  # (R, classes) each
    whole = 2 * hits + misses + alarms
    there = hits + misses > 0
    each = np.divide(2 * hits, whole, out=np.zeros_like(hits, dtype=np.float64), where=there)
    scores: Scores = 100 * each.sum(1) / np.maximum(there.sum(1), 1)
    return scores


def texts(metric: str, outputs: Sequence[str], references: Sequence[Sequence[str]]) -> Measured:
    """One text for each item, and one or more that would be right."""
    rows = [list(row) for row in references]
    if metric == "exact-match":
        pairs = zip(outputs, rows, strict=True)
        right = np.array([_plain(text) in set(map(_plain, row)) for text, row in pairs], dtype=bool)
        return Measured(right_or_wrong("exact match", "exact-match|spaces:stripped"), right)
    if metric in ("bleu", "chrf"):
        cut = words_for(rows)
        found = counted(metric, outputs, rows, cut)  # type: ignore[arg-type]
        one = outputs[:1], rows[:1]  # the signature alone
        first = bleu(*one, cut, resamples=1) if metric == "bleu" else chrf(*one, resamples=1)
        told = _undrawn(first.signature, rows)
        return Measured(Measure(found.name, "counts", found.name, signature=told, score=found.score), found.counts)
    if metric not in KINDS:
        raise ConfigError(f"--metric {metric} for texts", ", ".join(USUAL["translate"]), "--metric bleu")
    words: Words = "unicode" if looks_foreign([row[0] for row in rows]) else "english"
    place = KINDS.index(metric)
    each = rouge_of_each(outputs, rows, words=words)  # (N, 3)
    told = _undrawn(averaged(each[:1], rows[:1], words=words, resamples=1)[place].signature, rows)
    return Measured(Measure(NAMES[place], "score", NAMES[place], signature=told), each[:, place])


def _plain(text: str) -> str:
    return composed(text.strip())


def _undrawn(signature: str, references: Sequence[Sequence[str]]) -> str:
    """The signature of a score without how it was drawn anew, and with how many references there are in all."""
    many = {len(row) for row in references}
    parts = [part for part in signature.split("|") if not part.startswith(("bs:", "seed:", "nrefs:"))]
    return "|".join([f"nrefs:{many.pop() if len(many) == 1 else 'var'}", *parts])


def numbers(metric: str, values: Float[np.ndarray, "N"] | Bool[np.ndarray, "N"]) -> Measured:
    """A number of each item, as it was given."""
    if values.dtype == bool:
        wrong = metric != "score"
        return Measured(right_or_wrong("error rate" if wrong else "accuracy", f"column:{metric}", wrong), values)
    return Measured(Measure(metric, "score", "", metric != "score", f"column:{metric}"), values)


def are_truths(several: Sequence[Scored]) -> bool:
    """Whether numbers as they were given are 0 and 1 alone, of all these systems: then they are right or wrong."""
    return all(
        one.measure.kind == "score"
        and one.measure.signature.startswith("column:")
        and bool(np.isin(one.values, (0.0, 1.0)).all())
        for one in several
    )


def as_truth(one: Scored) -> Scored:
    """The same, as right or wrong."""
    found = numbers(one.measure.name, one.values.astype(bool))
    return replace(one, measure=found.measure, values=found.values)


def foreseen(metric: str, nats: Sequence[float], tokens: Sequence[int], signature: str = "") -> Measured:
    """How surprising each item is: the sum over its tokens, and how many they are."""
    counts = np.array([nats, tokens], dtype=np.float64).T  # (N, 2)
    if not counts[:, 1].sum():
        raise DataError("no token to foresee", "texts of at least two tokens", "another file")
    if metric == "perplexity":
        return Measured(Measure("perplexity", "counts", "perplexity", True, signature, perplexity), counts)
    return Measured(Measure("nats a token", "counts", "nats a token", True, signature, rate), counts)


def errors(metric: str, values: Float[np.ndarray, "N"], unit: str, signature: str) -> Measured:
    """Of forecasts, a mean over steps and targets for each origin. unit: of the data, where it is known."""
    return Measured(Measure(metric.upper(), "score", unit or metric.upper(), True, signature), values)


def rate(sums: Counts) -> Scores:
    """Nats a token of each row."""
    scores: Scores = sums[:, 0] / np.maximum(sums[:, 1], 1)
    return scores


def perplexity(sums: Counts) -> Scores:
    """The same as the number of tokens that would be as hard to tell apart."""
    scores: Scores = np.exp(np.minimum(rate(sums), 700.0))
    return scores


def score_of(name: str) -> Callable[[Counts], Scores] | None:
    """The function of a measure of counts, by the name of the measure: what a file cannot keep."""
    ours = {"macro-F1": f1, "nats a token": rate, "perplexity": perplexity}
    if name in ours:
        return ours[name]
    theirs = {one.name: one.score for one in (counted("bleu", ["a"], ["a"]), counted("chrf", ["a"], ["a"]))}
    return theirs.get(name)
