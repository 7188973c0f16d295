"""The corpus: distinct sentences drawn from the grammar, split so that what is tested was never seen.

All three parts come from the same grammar and the same words, so the test asks one thing: does the model
compose what it knows into sentences that it has never met? Lake and Baroni 2018 ask it in their experiment 1
of a much smaller language.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from seqwise.data.phrasebook.choices import Chance
from seqwise.data.phrasebook.lexicon import NAMES, NOUNS
from seqwise.data.phrasebook.office import office
from seqwise.data.phrasebook.sentences import Sentence, sentence
from seqwise.errors import ConfigError

PROBE = "I love machine learning"
"""A sentence that the demonstration translates, and that therefore stands in no pair.

The model meets "I love" before some seventy other things and "machine learning" in some hundred and fifty other
sentences, but never the two together, in whatever case and with whatever mark. Were the pair in the corpus, its
translation would show memory. So no source contains these words in a row, and no target contains their translation,
not even as a part of a longer sentence."""
_PROBES = ("i love machine learning", "j'aime l'apprentissage automatique")

SHORTEST, LONGEST = 3, 14
"""Words of an English sentence."""
_FEWEST, _MOST = 400, 400_000
_OFFICE, _OFFICE_HELD = 1200, 400
_HELD_OUT = 40  # one pair in so many is for validation, as many for the test

Rule = Callable[[Chance], Sentence]


@dataclass(frozen=True)
class Part:
    """Sentence pairs, side by side."""

    sources: list[str]
    targets: list[str]

    def __len__(self) -> int:
        return len(self.sources)


@dataclass(frozen=True)
class Phrasebook:
    """A parallel corpus in three parts that share no source and no target."""

    train: Part
    valid: Part
    test: Part


def phrasebook(seed: int = 0, pairs: int = 40_000) -> Phrasebook:
    """Draw so many distinct English-French pairs; the same seed gives the same bytes everywhere.

    One pair in forty is held out for validation and one for the test, and each of their words stands in the
    training part, in both languages.
    """
    if not _FEWEST <= pairs <= _MOST:
        raise ConfigError(
            given=f"pairs={pairs}",
            allowed=f"{_FEWEST} to {_MOST}",
            mend=f"pairs={min(max(pairs, _FEWEST), _MOST)}",
        )
    drawn = distinct(seed, pairs)
    held = _held_out(drawn, 2 * (pairs // _HELD_OUT))
    chosen = set(held)
    kept = [place for place in range(pairs) if place not in chosen]
    return Phrasebook(_part(drawn, kept), _part(drawn, held[::2]), _part(drawn, held[1::2]))


def office_domain(seed: int = 0) -> Phrasebook:
    """A small corpus of the office: 800 pairs to learn from, 100 to validate on, 300 for the test.

    Its sentences are of the general grammar and of words that no general pair holds. Each word of what is held out
    stands in the training part of this domain.
    """
    drawn = distinct(seed, _OFFICE, office)
    held = _held_out(drawn, _OFFICE_HELD)
    chosen = set(held)
    kept = [place for place in range(_OFFICE) if place not in chosen]
    valid, test = held[::4], [place for number, place in enumerate(held) if number % 4]
    return Phrasebook(_part(drawn, kept), _part(drawn, valid), _part(drawn, test))


def sentences(seed: int, rule: Rule = sentence) -> Iterator[tuple[str, str]]:
    """Endlessly many pairs, with repetitions, that are fit to be read."""
    chance = Chance(seed)
    while True:
        source, target = rule(chance).spelled
        if _fit(source):
            yield source, target


def distinct(seed: int, pairs: int, rule: Rule = sentence) -> list[tuple[str, str]]:
    """The first so many pairs of which neither side came before, whatever its case and its mark."""
    seen: set[str] = set()
    seen_targets: set[str] = set()
    found: list[tuple[str, str]] = []
    for source, target in sentences(seed, rule):
        key, target_key = normalized(source), normalized(target)
        if key in seen or target_key in seen_targets or _PROBES[0] in key or _PROBES[1] in target_key:
            continue
        seen.add(key)
        seen_targets.add(target_key)
        found.append((source, target))
        if len(found) == pairs:
            break
    return found


def normalized(text: str) -> str:
    """What two spellings of one sentence share: no case, no mark at the end."""
    return text.lower().rstrip(" .?!")


_WORD = re.compile(r"\w+")
_TELLING = {who.lower() for who in NAMES} | {
    part for kind in NOUNS.values() for noun in kind for part in f"{noun.english} {noun.englishes}".lower().split()
}


def _fit(source: str) -> bool:
    """Neither too short nor too long, and without saying a thing twice: "Paul sees Paul", "an apple and apples"."""
    if not SHORTEST <= len(source.split()) <= LONGEST:
        return False
    words = _WORD.findall(source.lower())
    telling = [word.removesuffix("s") for word in words if len(word) > 4 or word in _TELLING]
    return len(set(telling)) == len(telling)


def _held_out(pairs: list[tuple[str, str]], wanted: int) -> list[int]:
    """Places, from the end, of pairs without which every word of each language still stands somewhere."""
    words = [[(side, word) for side in (0, 1) for word in _WORD.findall(pair[side].lower())] for pair in pairs]
    left = Counter(word for row in words for word in row)
    held: list[int] = []
    for place in range(len(pairs) - 1, -1, -1):
        if len(held) == wanted:
            break
        here = Counter(words[place])
        if all(left[word] > count for word, count in here.items()):
            left.subtract(here)
            held.append(place)
    return held


def _part(pairs: list[tuple[str, str]], places: list[int]) -> Part:
    return Part([pairs[place][0] for place in places], [pairs[place][1] for place in places])
