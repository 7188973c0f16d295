"""Texts that are nearly the same, found without comparing each with each.

    near(texts) -> pairs (first, later) of those whose shingles agree by 80 % or more

A shingle is two words that stand side by side, case and punctuation aside; a letter of a script without spaces counts
as a word, and in a text without words, such as emoji, each character. The likeness of two texts is the share of their
shingles that both have (Jaccard). MinHash (Broder 1997) keeps 64 numbers of each text, in which two agree as often as
their shingles do; texts that agree in one of 16 bands of 4 numbers are compared in full, so that none is reported that
is not near; two pairs of texts are near where both their texts are. A pair at 80 % is missed once in 5,000, one at
90 % practically never.

Memory is 256 bytes a text beside the shingles of those that are compared, and a text is compared with the first few of
a band, not with all, so that a thousand copies do not cost a million comparisons. Left out: texts said in other words.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from jaxtyping import Int, UInt

from seqwise import letters
from seqwise.data.paired import TAB, sides

LIKE = 0.8
"""Share of shingles in common from which two texts are near."""
PERMUTATIONS, BANDS = 64, 16
_ROWS = PERMUTATIONS // BANDS
_WORDS = 2_000  # of a text, at most
_COMPARED = 4  # texts of a band that each later one is compared with
_CHUNK = 5_000
_HELD = 50_000  # texts whose shingles are kept, as most are compared more than once


def near(texts: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs of near texts, the earlier one first; equal ones too. Of many that are alike not every pair is told."""
    if len(texts) < 2:
        return []
    found: list[tuple[int, int]] = []
    held: dict[str, frozenset[str]] = {}

    def shingled(text: str) -> frozenset[str]:
        if text not in held:
            if len(held) >= _HELD:
                held.clear()
            held[text] = shingles(text)
        return held[text]

    def alike(one: str, other: str) -> bool:
        return one == other or _alike(shingled(one), shingled(other))

    seen: set[tuple[int, int]] = set()
    for first, later in _candidates(_signatures(texts)):
        if (first, later) not in seen:
            seen.add((first, later))
            both = texts[first], texts[later]
            if all(alike(one, other) for one, other in _sides(*both)) and alike(*both):
                found.append((first, later))
    return sorted(found)


def _alike(one: frozenset[str], other: frozenset[str]) -> bool:
    shared = len(one & other)
    return shared >= LIKE * (len(one) + len(other) - shared)


def _sides(one: str, other: str) -> list[tuple[str, str]]:
    """Of two pairs of texts, each text with its fellow, the shorter ones first: a long premise makes no two hypotheses
    alike."""
    if TAB not in one or TAB not in other:
        return []
    return sorted(zip(sides(one), sides(other), strict=True), key=lambda fellows: sum(map(len, fellows)))


def shingles(text: str) -> frozenset[str]:
    """Neighbouring words; the first and the last one have the edge as a neighbour."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    words = (letters.words(folded) or "".join(folded.split()))[:_WORDS]
    return frozenset(f"{one} {other}" for one, other in zip(["", *words], [*words, ""], strict=True))


def _signatures(texts: Sequence[str]) -> UInt[np.ndarray, "N K"]:
    from datasketch import MinHash  # brings scipy along, which nobody else should wait for

    made = np.empty((len(texts), PERMUTATIONS), np.uint32)
    for start in range(0, len(texts), _CHUNK):
        rows = [[one.encode() for one in shingles(text)] for text in texts[start : start + _CHUNK]]
        hashed = MinHash.bulk(rows, num_perm=PERMUTATIONS, seed=1)
        made[start : start + len(rows)] = np.stack([one.hashvalues for one in hashed])
    return made


def _candidates(signatures: UInt[np.ndarray, "N K"]) -> Iterator[tuple[int, int]]:
    """Pairs that agree in a band: each text with the first ones of those that do."""
    odd = np.random.default_rng(1).integers(0, 2**62, _ROWS, np.uint64) * np.uint64(2) + np.uint64(1)
    for band in range(BANDS):
        values = signatures[:, band * _ROWS : (band + 1) * _ROWS].astype(np.uint64)  # (N, 4)
        keys = (values * odd).sum(1, dtype=np.uint64)  # (N,)
        order = np.argsort(keys, kind="stable")
        for run in _runs(keys[order]):
            members = order[run].tolist()
            for place, later in enumerate(members[1:], 1):
                for first in members[: min(place, _COMPARED)]:
                    yield first, later


def _runs(ordered: UInt[np.ndarray, "N"]) -> Iterator[slice]:
    """Where two or more equal values stand side by side."""
    edges: Int[np.ndarray, "M"] = np.flatnonzero(np.diff(ordered)) + 1
    bounds = [0, *edges.tolist(), len(ordered)]
    for start, end in pairwise(bounds):
        if end - start > 1:
            yield slice(start, end)
