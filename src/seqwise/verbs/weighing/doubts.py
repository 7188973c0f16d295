"""Files of predictions side by side: refused where they are no pair, told where they may be meant otherwise.

must_differ        two files that say the same
must_count_alike   losses over other tokens
must_be_of_a_kind  true and false beside numbers
doubts             what looks like a slip of the pen, to be told beside the answer
copies             files, or seeds of one, that say the same
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

import numpy as np

from seqwise.errors import DataError
from seqwise.stats.phrases import joined
from seqwise.verbs.weighing.labels import told_by_case, told_strange
from seqwise.verbs.weighing.measures import perplexity, rate
from seqwise.verbs.weighing.slices import unspaced
from seqwise.verdict.scored import Scored

PERCENT = 20.0  # times larger: 0.6 beside 60 is a hundred times, and a score is not mended so far

Pairs = Sequence[tuple[Scored, Scored]]


def must_differ(sets: Pairs) -> None:
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


def must_be_of_a_kind(base: Scored, tuned: Scored) -> None:
    """Refuse a column that is true and false in one file, and numbers in the other."""
    one, other = base.measure, tuned.measure
    if {one.kind, other.kind} == {"right", "score"} and one.signature == other.signature:
        column = one.signature.removeprefix("column:")
        truths, numbers = (base, tuned) if one.kind == "right" else (tuned, base)
        given = f"the {column} of {truths.system} is true or false, and that of {numbers.system} a number"
        raise DataError(given, "one kind in both files", "true and false, or 1 and 0, in both")


def doubts(sets: Pairs) -> Iterator[str]:
    """What may be meant otherwise, a note each: of every file, and of the two together."""
    for one in chain.from_iterable(sets):
        yield from filter(None, (told_by_case(one), told_strange(one), _unspaced(one), _below(one)))
    for pair in sets:
        yield from _percents(*pair)


def copies(files: Mapping[str, Sequence[Scored]]) -> Iterator[str]:
    """Files, or seeds of one file, that say the same of every item: a copy would be a training that never was."""
    found: dict[int, list[str]] = {}
    for path, rows in files.items():
        seeds = dict.fromkeys(one.seed for one in rows)
        for seed in seeds:
            said = hash(frozenset((one.part, _said(one)) for one in rows if one.seed == seed))
            found.setdefault(said, []).append(path if len(seeds) == 1 else f"seed {seed} of {path}")
    for names in found.values():
        if len(names) > 1:
            told = f"{joined(names)} say the same of every item"
            yield f"{told}: if one is a copy, it counts as a training that never was"


def _said(one: Scored) -> int:
    """What is said of the items, in whatever order, as a number."""
    rows = one.values.tolist()
    values = map(tuple, rows) if one.values.ndim > 1 else rows  # several counts of each, or one number
    return hash(frozenset(zip(one.ids, one.outputs or ("",) * len(one.ids), values, strict=True)))


def _unspaced(one: Scored) -> str:
    """BLEU by 13a, for scripts with spaces, takes a sentence without them for one word."""
    if one.measure.name != "BLEU" or "tok:13a" not in one.measure.signature or not unspaced(one.references):
        return ""
    return f"BLEU counts words, and texts of {one.part} have no spaces between them: --metric chrf counts letters"


def _below(one: Scored) -> str:
    """Losses that are all below 0 seem to be logarithms of probabilities, of which more is better."""
    if not one.measure.lower or one.measure.kind != "score" or not one.measure.signature.startswith("column:"):
        return ""
    if float(one.values.max()) >= 0:
        return ""
    return (
        f"each {one.measure.name} of {one.system} on {one.part} is below 0, and less is taken to be better: "
        "log-probabilities, of which more is, stand in a column score"
    )


def _percents(base: Scored, tuned: Scored) -> Iterator[str]:
    """Shares between 0 and 1 in one file, and percents, as they seem, in the other."""
    if base.measure.kind != "score" or not base.measure.signature.startswith("column:"):
        return
    low, high = sorted((base, tuned), key=lambda one: float(np.abs(one.values).max()))
    share = bool(np.all((low.values >= 0) & (low.values <= 1)) and low.values.any())
    if share and float(np.median(high.values)) >= PERCENT * max(0.05, float(np.median(low.values))):
        yield (
            f"the {base.measure.name} of {low.system} on {low.part} lies between 0 and 1, and that of {high.system} "
            f"reaches {float(high.values.max()):.4g}: are these percents?"
        )


def _same(base: Scored, tuned: Scored) -> bool:
    if bool(base.outputs) != bool(tuned.outputs):
        return base.ids == tuned.ids and np.array_equal(base.values, tuned.values)
    return _said(base) == _said(tuned)
