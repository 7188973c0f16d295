"""Checks of labels: texts with two of them, one label only, rare and unknown ones; and the gain that a test can show.

The smallest gain is that of McNemar's test of two models on the same texts at the 5 % level, found with a power of
80 % (Connor 1987), if the two err independently of one another; mostly they err alike, and less will do.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from math import ceil, isfinite, sqrt

from seqwise.data.files import shown
from seqwise.data.filters import key
from seqwise.data.parts import SHOWN, Check, Level, Part, percent, share
from seqwise.errors import Fault, nearest

CONFLICTING = 0.05
"""Share of texts with several labels, from which no model can be good."""
RARE = 10
"""Examples of a label below which it is hardly learnt."""
COARSE = 0.05
"""A gain of five points: a test set that cannot show it is small."""
FEW = 100
"""Texts below which a mean of scores says little."""
LABELS_AT_MOST = 0.5
"""Labels on a row: with more of them, most stand on one row only."""
FEW_LABELS = 10
"""Labels up to which they are labels, on however few rows."""
SCORES = 5
"""Numbers with fractions from which on they are scores; fewer may be names, such as versions."""
_BOTH_SIDES, _POWER = 1.959964, 0.841621  # normal quantiles of 97.5 % and 80 %


def label_faults(labels: Sequence[str], known: Sequence[str] = (), places: Sequence[str] = ()) -> Iterator[Fault]:
    """Why a model of labels cannot be trained on these. `known`: the labels that it has."""
    counts = Counter(labels)
    if len(labels) < 2:
        yield Fault(f"{len(labels)} example{'s' * (not labels)}", "two at least", "more data")
    elif len(counts) < 2:
        given = f"{len(labels):,} examples, all with the label {labels[0]!r}"
        yield Fault(given, "two labels at least", "examples of another label, or another column for --data.label")
    for label in counts if known else ():
        if label not in known:
            where = places[labels.index(label)] if places else ""
            more = f" ({counts[label]:,} times)" if counts[label] > 1 else ""
            listed = ", ".join(known[:12]) + (", ..." if len(known) > 12 else "")
            mend = f"writing {nearest(label, known) or known[0]!r} there, or leaving these rows out"
            yield Fault(f"the label {label!r}{more}, which the model does not know", f"one of {listed}", mend, where)


def detectable(count: int, accuracy: float = 0.5) -> float:
    """The smallest gain in accuracy that so many texts show with a power of 80 %, beside a model of this accuracy."""
    disagreeing = 2 * accuracy * (1 - accuracy)  # share of texts that one of two models alone gets right
    gain = 0.0
    for _ in range(50):  # a fixed point: the gain stands on both sides
        gain = (_BOTH_SIDES * sqrt(disagreeing) + _POWER * sqrt(max(0.0, disagreeing - gain**2))) / sqrt(count)
    return min(1.0, gain)


def conflicts(part: Part) -> Check:
    """The same text with different labels."""
    first: dict[str, int] = {}
    labels: dict[str, set[str]] = {}
    for item, (text, label) in enumerate(zip(part.asked, part.answers, strict=True)):
        first.setdefault(key(text), item)
        labels.setdefault(key(text), set()).add(label)
    torn = [name for name, several in labels.items() if len(several) > 1]
    if not torn:
        return Check("conflicts", "PASS", "no text with two labels")
    where = [
        f"{part.places[first[name]]} and {place}"
        for name in torn[:SHOWN]
        for text, label, place in zip(part.asked, part.answers, part.places, strict=True)
        if key(text) == name and label != part.answers[first[name]]
    ]
    one = ", ".join(sorted(labels[torn[0]]))
    told = f"{share(len(torn), len(labels), 'text')} with two labels or more, the first {one}"
    level: Level = "FAIL" if len(torn) > CONFLICTING * len(labels) else "WARN"
    return Check("conflicts", level, told, tuple(where[:SHOWN]), "deciding which label is right")


def balance(part: Part) -> Check:
    """How the labels are spread."""
    counts = Counter(part.answers)
    told = ", ".join(f"{label} {percent(n, len(part))}" for label, n in counts.most_common(6))
    told += f" and {len(counts) - 6} labels more" if len(counts) > 6 else ""
    for fault in label_faults(part.answers):
        return Check("balance", "FAIL", fault.given, mend=fault.mend)
    unlike = len(counts) > max(FEW_LABELS, len(part) * LABELS_AT_MOST)
    if scores(list(counts)):
        low, high = min(counts, key=float), max(counts, key=float)
        told = f"{len(counts):,} labels that are numbers with fractions, {low} to {high}: rather scores, which are not "
        told += "learnt as such; each is a class of its own, however near the next"
        mend = "few labels in their place, such as low and high, or --data.label with another column"
        return Check("balance", "FAIL" if unlike else "WARN", told, mend=mend)
    if unlike:
        told = f"{len(counts):,} labels on {len(part):,} rows, such as {shown(part.answers[0])}: hardly labels"
        mend = "--task translate or summarize, if they are texts to be written, or the column that holds the labels"
        return Check("balance", "FAIL", told, mend=mend)
    rare = [label for label, count in counts.items() if count < RARE]
    if rare:
        least = min(counts, key=counts.__getitem__)
        given = (
            f"{told}; {len(rare)} of {len(counts)} labels with fewer than {RARE} examples, {least} with {counts[least]}"
        )
        where = part.named(item for item, label in enumerate(part.answers) if label in rare)
        return Check("balance", "WARN", given, where, "more examples of them, or joining them to another label")
    most = max(counts.values())
    if most > 0.9 * len(part):
        mend = "judging by macro-F1: accuracy is high if the model always says the same"
        return Check("balance", "WARN", told, mend=mend)
    return Check("balance", "PASS", told)


def scores(labels: Sequence[str]) -> bool:
    """Whether these, each once, look like what was measured or rated rather than like names: numbers with fractions."""
    try:
        numbers = {float(label) for label in labels}
    except ValueError:
        return False
    return len(numbers) >= SCORES and all(map(isfinite, numbers)) and any(number % 1 for number in numbers)


def alike(part: Part) -> Iterator[Check]:
    """Labels that differ only in their case, in spaces or in the spelling of a number: mostly the same one meant."""
    spellings: dict[str, set[str]] = {}
    for label in part.answers:
        spellings.setdefault(_meant(label), set()).add(label)
    torn = [sorted(several) for several in spellings.values() if len(several) > 1]
    if torn:
        told = "; ".join(" and ".join(map(repr, several)) for several in torn[:6])
        counts = Counter(part.answers)
        rarest = {min(several, key=counts.__getitem__) for several in torn}
        where = part.named(item for item, label in enumerate(part.answers) if label in rarest)
        told = f"written alike, but told apart: {told}"
        yield Check("labels", "WARN", told, where, "writing each in one way, if they are the same")


def _meant(label: str) -> str:
    """What a label is, whatever its case and spaces; a number by its value."""
    try:
        return repr(float(label))
    except ValueError:
        return key(label)


def unknown(train: Part, others: Sequence[Part], known: Sequence[str]) -> Iterator[Check]:
    """Labels that the model, or the training, does not have."""
    allowed = set(known) or set(train.answers)
    who = "the model" if known else "training"
    for part in (train, *others) if known else others:
        odd = [item for item, label in enumerate(part.answers) if label not in allowed]
        if odd:
            names = ", ".join(sorted({part.answers[item] for item in odd})[:6])
            told = f"{share(len(odd), len(part))} in {part.name} with labels that {who} does not know: {names}"
            yield Check("labels", "FAIL", told, part.named(odd), f"one of {', '.join(sorted(allowed)[:12])}")


def size_of(part: Part) -> Check:
    """What gain the part can show."""
    count = len(part)
    if not part.labelled:
        if count >= FEW:
            return Check("test size", "PASS", f"{count:,} texts in {part.name}")
        return Check("test size", "WARN", f"{count:,} texts in {part.name}", mend=f"{FEW} at least, better 1,000")
    worst, usual = detectable(max(1, count)), detectable(max(1, count), 0.9)
    told = f"{count:,} texts in {part.name} show a gain of {100 * usual:.1f} points at 90 % accuracy"
    told += f", of {100 * worst:.1f} at worst (80 % power)"
    if worst <= COARSE:
        return Check("test size", "PASS", told)
    needed = ceil((_BOTH_SIDES + _POWER) ** 2 * 0.5 / COARSE**2 / 10) * 10
    return Check("test size", "WARN", told, mend=f"{needed:,} texts, which show 5 points whatever the accuracy")
