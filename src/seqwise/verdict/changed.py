"""Which items were won and lost, the largest changes first, with both outputs and what differs in their words.

    changed      two systems on the same items: how many changed either way, and the items that changed most
    difference   two texts, word by word

Words are compared whole, punctuation by itself, and scripts that set no spaces character by character. A change of
items is counted, not tested: whether the gains outweigh the losses is what the question of gain answers.

Left out: words that only moved, which are told as gone in one place and new in the other.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal
from unicodedata import category

import numpy as np
from jaxtyping import Float

from seqwise.stats.phrases import alike, counted
from seqwise.stats.results import Grid
from seqwise.verdict.findings import Finding
from seqwise.verdict.scored import Scored, paired

# N items

Kind = Literal["same", "gone", "new"]

ALIKE = 1e-6  # relative; scores that differ by less are equal: the same sums in another order
WORDS = 600  # of a stretch that differs; a longer one is told as replaced whole, since comparing grows with the square
JOINING = "'’-\u200c\u200d"  # inside a word they belong to it
SPACELESS = (
    (0x0E00, 0x0FFF),  # Thai, Lao, Tibetan
    (0x1000, 0x109F),  # Burmese
    (0x1780, 0x17FF),  # Khmer
    (0x3040, 0x30FF),  # kana
    (0x31F0, 0x31FF),
    (0x3400, 0x4DBF),  # Chinese characters
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0xFF66, 0xFF9F),  # narrow kana
    (0x20000, 0x3FFFF),
)
"""Scripts whose words are not set apart, by code point."""


@dataclass(frozen=True)
class Words:
    """A stretch of words that both outputs have, only the base's, or only the tuned one's."""

    kind: Kind
    text: str


@dataclass(frozen=True)
class Item:
    """One item that changed."""

    id: str
    text: str
    reference: str
    base: str
    tuned: str
    before: float
    """Its score by the base: 0 or 1, the score of a sentence, a loss."""
    after: float
    words: tuple[Words, ...]
    """From the base's output to the tuned one's."""


@dataclass(frozen=True)
class Changed:
    """Of one set."""

    part: str
    system: str
    won: int
    lost: int
    same: int
    best: tuple[Item, ...]
    """Largest gains first."""
    worst: tuple[Item, ...]
    """Largest losses first."""


def changed(base: Scored, tuned: Scored, most: int = 10) -> tuple[Finding, Changed]:
    """What became of each item; `most` of the largest gains and losses are kept with their texts."""
    base, tuned = paired(base, tuned)
    before, after = _each(base), _each(tuned)
    better = _better(before, after, base.measure.lower)
    order = np.argsort(-np.abs(better), kind="stable")
    won, lost = int((better > 0).sum()), int((better < 0).sum())
    best, worst = (
        tuple(_item(base, tuned, before, after, int(place)) for place in order[chosen[order]][:most])
        for chosen in (better > 0, better < 0)
    )
    found = Changed(base.part, tuned.system, won, lost, len(base) - won - lost, best, worst)
    unknown = int((~np.isfinite(before) | ~np.isfinite(after)).sum())
    finding = Finding(
        question="changed",
        subject=base.part,
        state="MEASURED",
        told=_told(found, base.system, "forecast" if base.ahead else "item"),
        system=tuned.system,
        values={"won": won, "lost": lost, "same": found.same},
        grids=(_grid(found, base.measure.name),) if best or worst else (),
        notes=(f"{counted(unknown, 'item')} without a finite score of its own.",) if unknown else (),
    )
    return finding, found


def _each(scored: Scored) -> Float[np.ndarray, "N"]:
    """The score of each item by itself, of counts as if it were a corpus."""
    if scored.measure.kind != "counts":
        return np.asarray(scored.values, dtype=np.float64)
    if scored.measure.score is None:
        raise TypeError("a measure of counts has a function of their sums")
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(scored.measure.score(scored.values.astype(np.float64)), dtype=np.float64)


def _better(before: np.ndarray, after: np.ndarray, lower: bool) -> Float[np.ndarray, "N"]:
    """How much better each item is, less than 0 where it is worse; what has no score counts as unchanged."""
    with np.errstate(invalid="ignore"):
        change = (before - after) if lower else (after - before)
        same = np.isclose(before, after, rtol=ALIKE, atol=1e-9)
    return np.where(same | np.isnan(change), 0.0, change)


def _item(base: Scored, tuned: Scored, before: np.ndarray, after: np.ndarray, place: int) -> Item:
    def text(values: Sequence[str]) -> str:
        return values[place] if values else ""

    one, other = text(base.outputs), text(tuned.outputs)
    return Item(
        id=base.ids[place],
        text=text(base.texts or tuned.texts),
        reference=text(base.references or tuned.references),
        base=one,
        tuned=other,
        before=float(before[place]),
        after=float(after[place]),
        words=() if base.ahead else difference(one, other),  # numbers that differ everywhere have no words in common
    )


def _told(found: Changed, base: str, noun: str) -> str:
    if not found.won + found.lost:
        return f"Not one of {counted(found.same, noun)} of {found.part} scores otherwise than by {base}."
    everything = found.won + found.lost + found.same
    told = (
        f"Of {counted(everything, noun)} of {found.part} {found.system} does {found.won:,} better than {base} "
        f"and {found.lost:,} worse; {found.same:,} are as before"
    )
    if found.worst:
        one = found.worst[0]
        told += f"; the largest loss is {noun} {one.id}, from {' to '.join(alike(one.before, one.after))}"
    return told + "."


def _grid(found: Changed, measure: str) -> Grid:
    rows = [
        (kind, one.id, one.before, one.after)
        for kind, items in (("won", found.best), ("lost", found.worst))
        for one in items
    ]
    return Grid(
        f"Items of {found.part} that changed most", ("change", "item", f"{measure} before", "after"), tuple(rows)
    )


def difference(base: str, tuned: str) -> tuple[Words, ...]:
    """From one text to the other: what both have, what is gone, what is new.

    Same and new together are `tuned` to the letter; same and gone are `base` but for its spaces.
    """
    one, other = tuple(_pieces(base)), tuple(_pieces(tuned))
    old, new = [word for word, _ in one], [word for word, _ in other]
    start = _common(old, new)
    end = _common(old[start:][::-1], new[start:][::-1])
    stretches: list[tuple[Kind, str]] = [("same", _text(other[:start]))]
    middle, replaced = old[start : len(old) - end], new[start : len(new) - end]
    for tag, a, b, c, d in _steps(middle, replaced):  # from a to b in the old ones, from c to d in the new
        if tag == "equal":
            stretches.append(("same", _text(other[start + c : start + d])))
        else:
            stretches.append(("gone", _parted(one, other, start + a, start + c) + _text(one[start + a : start + b])))
            stretches.append(("new", _text(other[start + c : start + d])))
    stretches.append(("same", _text(other[len(new) - end :])))
    return tuple(Words(kind, text) for kind, text in stretches if text)


def _parted(one: Sequence[tuple[str, str]], other: Sequence[tuple[str, str]], a: int, c: int) -> str:
    """The space before words that are gone, where the new text ends or goes on without one."""
    return one[a - 1][1] if a < len(one) and min(a, c) > 0 and not other[c - 1][1] else ""


def _steps(old: Sequence[str], new: Sequence[str]) -> Sequence[tuple[str, int, int, int, int]]:
    if max(len(old), len(new)) > WORDS:
        return [("replace", 0, len(old), 0, len(new))]
    return SequenceMatcher(None, old, new, autojunk=False).get_opcodes()


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """How many words both begin with."""
    same = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        same += 1
    return same


def _text(pieces: Sequence[tuple[str, str]]) -> str:
    return "".join(word + space for word, space in pieces)


def _pieces(text: str) -> Iterator[tuple[str, str]]:
    """Words, signs and characters of scripts without spaces, each with the spaces after it."""
    word, space, letters = "", "", False
    for character in text:
        if character.isspace():
            space += character
            continue
        mark = category(character)[0] == "M" and not space and bool(word)
        lettered = character.isalnum() and not _spaceless(character)
        joined = letters and not space and (lettered or character in JOINING)
        if mark or joined:
            word += character
            continue
        if word or space:
            yield word, space
        word, space, letters = character, "", lettered
    if word or space:
        yield word, space


def _spaceless(character: str) -> bool:
    code = ord(character)
    return code >= SPACELESS[0][0] and any(low <= code <= high for low, high in SPACELESS)
