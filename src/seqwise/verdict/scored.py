"""What a system made of the items of one set, and whether two such answers may be compared at all.

    Measure    how an item is scored: right or wrong, a number, or counts that a score of the corpus is made of
    Scored     one system's scores of all items of a set, of one seed
    paired     the same items of two systems in the same order, or an error that says why there are none

Only equal signatures are compared: the same items with the same references, scored by the same measure.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from jaxtyping import Float

from seqwise.data.files import shown
from seqwise.errors import DataError
from seqwise.stats.phrases import counted
from seqwise.stats.proportions import POINTS

# N items, R resamples, C counts of an item

Kind = Literal["right", "score", "counts"]
TOKENS = "tokens:"
"""How the signature of a score of tokens begins, before how many these are: other tokens, another measure."""

Counts = Float[np.ndarray, "R C"]
Scores = Float[np.ndarray, "R"]


@dataclass(frozen=True)
class Measure:
    """How an item is scored."""

    name: str
    """As people call it: accuracy, BLEU, nats a token."""
    kind: Kind
    """`right`: each item is right or wrong (McNemar). `score`: each has a number, whose mean counts. `counts`: each has
    counts, of whose sums a score is made: BLEU, macro-F1, perplexity."""
    unit: str = POINTS
    """Of differences."""
    lower: bool = False
    """Whether less is better: losses, perplexity, errors."""
    signature: str = ""
    """All that the number depends on; only equal ones are compared."""
    score: Callable[[Counts], Scores] | None = field(default=None, compare=False, repr=False)
    """Of each row of sums; of `counts` only."""

    def of(self, values: np.ndarray) -> float:
        """The score of a corpus from the values of its items."""
        if self.kind == "right":
            return 100 * float(np.mean(values))
        if self.kind == "score":
            return float(np.mean(values))
        if self.score is None:
            raise TypeError("a measure of counts has a function of their sums")
        return float(self.score(values.sum(0, keepdims=True, dtype=np.float64))[0])

    def good(self, change: float) -> bool:
        """Whether a change to the better is what the number tells."""
        return change < 0 if self.lower else change > 0


@dataclass(frozen=True, eq=False)
class Scored:
    """One system's scores of a set, item by item."""

    system: str
    """What it is called in the report: base, tuned, LoRA, tf-idf."""
    part: str
    """The set: test, or the name of a general one."""
    measure: Measure
    ids: tuple[str, ...]
    values: np.ndarray = field(repr=False)
    """(N,) booleans or numbers, or (N, C) counts."""
    data: str = ""
    """Signature of what was asked: `signed`."""
    seed: int | None = None
    """Of the training, where it is known."""
    outputs: tuple[str, ...] = field(default=(), repr=False)
    references: tuple[str, ...] = field(default=(), repr=False)
    texts: tuple[str, ...] = field(default=(), repr=False)
    clusters: tuple[str, ...] = ()
    """What items belong together by: a document, a patient. Empty where each stands by itself."""
    slices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Further labels of each item, by name: its length, its label, where it comes from."""
    ahead: int = 0
    """Steps that each item looks ahead, where items are forecasts from successive origins in the order of time, or the
    clusters are. 0: all else, whose order means nothing."""

    @property
    def value(self) -> float:
        """The score of the set."""
        return self.measure.of(self.values)

    @property
    def size(self) -> float:
        """The score of the values without their signs: how large they are, where gains and losses would cancel out."""
        return self.value if self.measure.kind == "right" else self.measure.of(np.abs(self.values))

    def __len__(self) -> int:
        return len(self.ids)

    def select(self, chosen: Sequence[int] | np.ndarray) -> "Scored":
        """These items, in this order."""
        places = [int(place) for place in chosen]

        def taken(values: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(values[place] for place in places) if values else ()

        return replace(
            self,
            ids=taken(self.ids),
            values=self.values[places],
            outputs=taken(self.outputs),
            references=taken(self.references),
            texts=taken(self.texts),
            clusters=taken(self.clusters),
            slices={name: taken(labels) for name, labels in self.slices.items()},
        )


def signed(ids: Sequence[str], references: Sequence[str] = (), texts: Sequence[str] = ()) -> str:
    """Signature of what was asked, whatever order it was asked in."""
    rows = zip(ids, references or [""] * len(ids), texts or [""] * len(ids), strict=True)
    told = hashlib.sha256()
    for row in sorted(rows):
        for text in row:
            content = text.encode("utf-8", "surrogatepass")
            told.update(len(content).to_bytes(8, "little") + content)
    return told.hexdigest()[:16]


def paired(base: Scored, tuned: Scored) -> tuple[Scored, Scored]:
    """The same items of both, in the order of the first; refused where they are no pairs."""
    for one in (base, tuned):
        _unique(one)
    _alike(base, tuned)
    places = {name: place for place, name in enumerate(tuned.ids)}
    theirs = set(base.ids)
    if set(places) != theirs:
        lacking = [name for name in base.ids if name not in places]
        more = [name for name in tuned.ids if name not in theirs]
        where = f"{lacking[0]!r} is not in {tuned.system}" if lacking else f"{more[0]!r} is not in {base.system}"
        given = f"{len(base):,} items of {base.system} and {len(tuned):,} of {tuned.system} on {base.part}: {where}"
        raise DataError(given, "the same items of both", "scoring both on the same file")
    ordered = tuned if base.ids == tuned.ids else tuned.select([places[name] for name in base.ids])
    if base.references and ordered.references and base.references != ordered.references:
        differing = [i for i, (a, b) in enumerate(zip(base.references, ordered.references, strict=True)) if a != b]
        i = differing[0]
        here, there = _apart(base.references[i], ordered.references[i])
        pair = f"{here} in {base.system} and {there} in {ordered.system}"
        given = f"other references for {counted(len(differing), 'item')}, such as {base.ids[i]!r}, {pair}"
        raise DataError(given, "the same references for both systems", "scoring both on the same file")
    if base.data and ordered.data and base.data != ordered.data:
        given = f"{base.part} of {base.system} with signature {base.data} and of {tuned.system} with {tuned.data}"
        raise DataError(given, "the same texts and references for both", "scoring both on the same file")
    _grouped_alike(base, ordered)
    return base, ordered


def _apart(one: str, other: str) -> tuple[str, str]:
    """Two texts from a little before where they part."""
    parted = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    at = max(0, parted - 20)
    return shown(one[at:]), shown(other[at:])


def _grouped_alike(base: Scored, tuned: Scored) -> None:
    """Refuse clusters that part the items otherwise; what they are called does not matter."""
    if not base.clusters or not tuned.clusters:
        return
    pairs = dict.fromkeys(zip(base.clusters, tuned.clusters, strict=True))
    one, other = (dict[str, str](), dict[str, str]())
    for a, b in pairs:
        if one.setdefault(a, b) != b or other.setdefault(b, a) != a:
            i = next(i for i, pair in enumerate(zip(base.clusters, tuned.clusters, strict=True)) if pair == (a, b))
            given = f"item {base.ids[i]!r} of {base.part} in cluster {a!r} of {base.system} and {b!r} of {tuned.system}"
            raise DataError(given, "the same items together in both", "the clusters of one file in both")


def _alike(base: Scored, tuned: Scored) -> None:
    """Refuse other sets and other measures."""
    one, other = base.measure, tuned.measure
    if one != other and one.name == other.name and all(each.signature.startswith(TOKENS) for each in (one, other)):
        counts = [each.signature.removeprefix(TOKENS) for each in (one, other)]
        given = f"{one.name} over {counts[0]} tokens by {base.system} and over {counts[1]} by {tuned.system}"
        raise DataError(given, "one way to cut texts into tokens", "models with the same tokenizer")
    if one != other:
        given = f"{base.system} scored by {_named(one)} and {tuned.system} by {_named(other)}"
        raise DataError(given, "one measure for both", "scoring both anew with the same --metric")
    if base.part != tuned.part:
        given = f"{base.system} on {base.part} and {tuned.system} on {tuned.part}"
        raise DataError(given, "the same set for both", "scoring both on the same file")
    if base.values.shape[1:] != tuned.values.shape[1:]:
        raise DataError(f"counts of two kinds for {one.name}", "the same counts for both", "scoring both anew")


def _named(measure: Measure) -> str:
    return f"{measure.name} ({measure.signature})" if measure.signature else measure.name


def _unique(one: Scored) -> None:
    """Refuse an id that stands for two items, and a set of one item."""
    if len(set(one.ids)) < len(one.ids):
        name, count = Counter(one.ids).most_common(1)[0]
        given = f"the id {name!r} {count} times in {one.part} of {one.system}"
        raise DataError(given, "one item for each id", "giving each item an id of its own")
    if len(one) < 2:
        given = f"{counted(len(one), 'item')} in {one.part} of {one.system}"
        raise DataError(given, "two items at least, and some hundred to tell anything", "more of them")
