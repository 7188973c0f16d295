"""What is left out of training, counted by reason, and how a part is set aside for validation.

The reasons are asked in the order of `FilterReport`, and the first that holds counts.

A training pair leaks if its source or its target is also one of the validation or test files, whatever the
case, the spaces and the width of letters. The source alone, because a model that learnt one translation of a
test sentence is no longer tested on it; the target alone, because a decoder that learnt a sentence as a whole
writes it for any source that comes near. Being strict costs the training a few common sentences. Being lax
costs the score its meaning. Held-out files are never changed: a figure must stay comparable with others.

Left out: near duplicates, wrong languages, and scores of adequacy, which need models of their own.
Characters for the ratio: Gale and Church 1993, who found them steadier than words.
"""

import random
import unicodedata
from collections.abc import Container, Sequence
from dataclasses import asdict, dataclass, replace

from seqwise.data.corpus import Pairs, TextSettings
from seqwise.data.paired import TAB, Text
from seqwise.errors import DataError
from seqwise.stats.phrases import counted

_SHORT = 10  # characters; a shorter side counts as so many in the ratio: "谢谢" may be "Thank you very much."


@dataclass(frozen=True)
class FilterReport:
    """How many pairs were read, how many were left out, each for one reason, and how many stay."""

    read: int
    """Rows of the files, bad ones too: the sum of all that follows."""
    bad: int
    """Could not be read, and were skipped."""
    empty: int
    """One side or both without a character."""
    too_long: int
    """One side or both with more characters than `max_length`."""
    ratio: int
    """One side longer than `max_ratio` times the other."""
    duplicates: int
    """The same on both sides as an earlier pair."""
    leaked: int
    """Source or target stands in the validation or test files."""
    kept: int
    """Stay."""

    def to_dict(self) -> dict[str, int]:
        """The counts by name."""
        return asdict(self)

    def __str__(self) -> str:
        reasons = {
            "bad": self.bad,
            "empty": self.empty,
            "too long": self.too_long,
            "of unlike length": self.ratio,
            "duplicate": self.duplicates,
            "also in validation or test": self.leaked,
        }
        out = ", ".join(f"{count:,} {reason}" for reason, count in reasons.items() if count)
        return f"{counted(self.read, 'pair')} read, {self.kept:,} kept" + f" (left out: {out})" * bool(out)

    def __rich__(self) -> str:
        return str(self)


def filter_pairs(pairs: Pairs, settings: TextSettings, held_out: Sequence[Pairs] = ()) -> tuple[Pairs, FilterReport]:
    """The pairs to train on, in their order, and the report. Raises where none is left."""
    sieve = _Sieve(settings, held_out if settings.drop_leaks else ())
    reasons = dict.fromkeys(("empty", "too_long", "ratio", "duplicates", "leaked"), 0)
    kept: list[int] = []
    for item, (source, target) in enumerate(zip(pairs.sources, pairs.targets, strict=True)):
        if reason := sieve.reason(source, target):
            reasons[reason] += 1
        else:
            kept.append(item)
    bad = len(pairs.skipped)
    report = FilterReport(read=len(pairs) + bad, bad=bad, **reasons, kept=len(kept))
    if not kept:
        raise _none_left(report, reasons)
    return pairs.select(kept), report


def split_off(pairs: Pairs, count: int, seed: int) -> tuple[Pairs, Pairs]:
    """What stays to train on, and about `count` pairs set aside at random, both in their old order.

    All pairs with the same source, however it is cased or spaced, go to the same side, so that no translation
    of a held-out sentence is trained on. Hence a few pairs less than `count` where the groups do not add up.
    Targets may still stand on both sides: `filter_pairs(train, settings, [held_out])` drops those. The bad rows
    stay with the training side, so that its report counts them.
    """
    if not 0 < count < len(pairs):
        allowed = f"from 1 to {len(pairs) - 1:,} of {len(pairs):,} pairs"
        raise DataError(f"{count:,} pairs to set aside", allowed, f"{max(1, len(pairs) // 20):,}")
    groups: dict[str, list[int]] = {}
    for item, source in enumerate(pairs.sources):
        groups.setdefault(key(source), []).append(item)
    shuffled = list(groups.values())
    random.Random(seed).shuffle(shuffled)
    aside: list[int] = []
    for group in shuffled:
        if len(aside) + len(group) <= count:
            aside.extend(group)
    if not aside:
        allowed, least = "as many as the source with the fewest has", min(map(len, shuffled))
        raise DataError(f"{count:,} pairs to set aside", allowed, f"{least:,}")
    out = set(aside)
    train = pairs.select([item for item in range(len(pairs)) if item not in out])
    return replace(train, skipped=pairs.skipped), pairs.select(sorted(aside))


class _Sieve:
    """Why a pair is left out; remembers the pairs that it saw."""

    def __init__(self, settings: TextSettings, held_out: Sequence[Pairs]) -> None:
        self.max_length = settings.max_length or float("inf")
        self.max_ratio = settings.max_ratio or float("inf")
        self.seen: set[tuple[str, str]] | None = set() if settings.drop_duplicates else None
        self.sources: Container[str] = {key(text) for pairs in held_out for text in pairs.sources}
        self.targets: Container[str] = {key(text) for pairs in held_out for text in pairs.targets}
        self.guarded = bool(held_out)

    def reason(self, source: str, target: str) -> str:
        """The name of the count in the report, or nothing where the pair stays."""
        if not source or not target or source.isspace() or target.isspace():
            return "empty"
        shorter, longer = sorted((len(source), len(target)))
        if longer > self.max_length:
            return "too_long"
        if longer > self.max_ratio * max(shorter, _SHORT):
            return "ratio"
        if self.seen is not None:
            pair = (source, target)
            if pair in self.seen:
                return "duplicates"
            self.seen.add(pair)
        if self.guarded and (key(source) in self.sources or key(target) in self.targets):
            return "leaked"
        return ""


def key(text: Text) -> str:
    """What two texts share that a reader calls the same: "Va !" and "va!". Of a pair of texts both count, each for
    itself; in one text a tab is a space."""
    sides = (text,) if isinstance(text, str) else text
    bare = ["".join(unicodedata.normalize("NFKC", side).casefold().split()) for side in sides]
    return TAB.join(bare) if any(bare) else ""


def _none_left(report: FilterReport, reasons: dict[str, int]) -> DataError:
    mends = {
        "empty": "other columns or files",
        "too_long": "--data.max-length with a larger number",
        "ratio": "--data.max-ratio with a larger number, or the right columns",
        "duplicates": "other files",
        "leaked": "files for validation and test that differ from the training's",
    }
    worst = max(reasons, key=lambda reason: reasons[reason])
    return DataError(str(report), "one pair at least", mends[worst])
