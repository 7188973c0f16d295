"""What is drawn by chance: subjects, objects, places and times that suit each other.

The grammar says what is right; this file says what is likely, and keeps out what nobody says ("my man", "Paul
sees Paul").

Only `random.Random.random` is used: of Python's generators it alone promises the same numbers in every version.
"""

import random
from collections.abc import Mapping, Sequence
from typing import TypeVar

from seqwise.data.phrasebook.clauses import NOTHING
from seqwise.data.phrasebook.forms import Pair
from seqwise.data.phrasebook.lexicon import (
    AT,
    BARE,
    BESIDE,
    COLOURS,
    DEFINITE,
    INSIDE,
    MASS,
    NAMES,
    NOUNS,
    NUMBERS,
    WHERE,
    Adjective,
    Noun,
    nouns,
)
from seqwise.data.phrasebook.phrases import (
    OBJECTS,
    POSSESSIVES,
    PRONOUNS,
    Nominal,
    both,
    friend,
    name,
    noun,
    owned,
    prepositional,
)
from seqwise.data.phrasebook.verbs import Verb

Choice = TypeVar("Choice")


class Chance:
    """A seeded source of choices."""

    def __init__(self, seed: int) -> None:
        self._next = random.Random(seed).random

    def pick(self, options: Sequence[Choice]) -> Choice:
        """One of them, all equally likely."""
        return options[self.below(len(options))]

    def below(self, limit: int) -> int:
        """A number from zero on."""
        return int(self._next() * limit)

    def happens(self, share: float) -> bool:
        """True in this share of the cases."""
        return self._next() < share


def mixed(weights: Mapping[Choice, int]) -> tuple[Choice, ...]:
    """Options to pick from, each as often as its weight says."""
    return tuple(option for option, weight in weights.items() for _ in range(weight))


# --- noun phrases ----------------------------------------------------------------------------------------

DOING = mixed(
    {"the": 9, "possessive": 6, "this": 3, "that": 1, "a": 2, "number": 2, "general": 3, "every": 1}
    | {"all the": 1, "many": 1, "owned": 2}
)
"""Determiners of a subject."""
NOT_DOING = mixed({"the": 9, "possessive": 6, "this": 3, "that": 1, "number": 1, "general": 3, "owned": 2})
"""The same under negation; "every cat does not" would mean two things."""
SAID = mixed({"the": 6, "possessive": 5, "this": 5, "that": 2, "general": 3, "owned": 3})
"""Determiners of what a quality is said of."""
DONE = mixed(
    {"a": 7, "the": 6, "possessive": 5, "this": 3, "that": 1, "": 5, "some": 2, "number": 2, "many": 1}
    | {"owned": 2, "several": 1, "all the": 1}
)
"""Determiners of an object."""
DENIED = mixed({"a": 6, "the": 5, "possessive": 5, "this": 3, "that": 1, "": 4, "any": 3, "owned": 2})
"""The same under negation."""
ASKED = mixed({"a": 6, "the": 5, "possessive": 5, "this": 3, "that": 1, "": 3, "any": 3, "owned": 2})
"""The same in a question."""
LIKED = mixed({"general": 10, "the": 2, "possessive": 4, "this": 4, "that": 1, "owned": 2})
"""The same where a bare object is the whole kind."""
THERE = mixed({"a": 6, "number": 3, "many": 1, "": 2, "some": 1, "several": 1})
"""Of what there is."""
ONE = mixed({"the": 6, "possessive": 5, "this": 1, "owned": 3})
"""Of what is somewhere."""
COMPARED = mixed({"the": 2, "possessive": 3, "this": 2, "owned": 2})
"""Of what is set against something else."""
FIRM = mixed({"the": 6, "possessive": 2, "this": 1})

_SINGLE = ("a", "every")
_EITHER = ("the", "possessive", "this", "that", "owned")
_OF_MASS = {"a": "", "number": "some", "many": "a lot of", "every": "the", "all the": "the", "several": "some"}
_NAMES = tuple(NAMES)
_NUMBERS = tuple(NUMBERS)
_OWNERS = nouns("worker") + tuple(word for word in NOUNS["kin"] if word.number != "2")


def owner(chance: Chance) -> Nominal:
    """One person to whom something belongs."""
    if chance.happens(0.5):
        return name(chance.pick(_NAMES))
    word = chance.pick(_OWNERS)
    return noun(chance.pick(POSSESSIVES) if word.kind == "kin" else "the", word)


def described(
    chance: Chance, word: Noun, determiners: Sequence[str], share: float = 0.3, plurals: float = 0.3
) -> Nominal:
    """The noun with a determiner that suits it; shares of adjectives and, where both can be, of plurals."""
    if word.kind in DEFINITE or word.kind in BARE:
        return noun("", word)
    determiner = _suiting(chance.pick(determiners), word)
    plural = word.kind not in MASS and determiner not in _SINGLE and word.number != "1"
    if determiner in _EITHER:
        plural = plural and chance.happens(plurals)
    adjectives = beside(chance, word) if chance.happens(share) else ()
    if determiner == "owned":
        return owned(owner(chance), word, adjectives, plural)
    if determiner == "possessive":
        determiner = chance.pick(POSSESSIVES)
    elif determiner == "number":
        determiner = chance.pick(_NUMBERS)
    return noun(determiner, word, adjectives, plural)


def _suiting(determiner: str, word: Noun) -> str:
    if word.kind in MASS:
        return _OF_MASS.get(determiner, determiner)
    if word.kind == "kin" and determiner != "owned":
        return "possessive"
    if word.number == "1" and determiner not in _EITHER:
        return "the" if determiner in ("general", "all the", "every", "number", "many") else "a"
    if word.kind == "person" and determiner in ("possessive", "owned") and word.english != "child":
        return "the"
    return determiner


def beside(chance: Chance, word: Noun) -> tuple[Adjective, ...]:
    """One adjective that suits the noun, sometimes two."""
    options = BESIDE[word.kind]
    if not options:
        return ()
    first = chance.pick(options)
    second = chance.pick(COLOURS)
    if first.before and second in options and chance.happens(0.15):
        return first, second
    return (first,)


# --- who and what ----------------------------------------------------------------------------------------

_PEOPLE = nouns("person worker kin kin")
_WHO = mixed({"pronoun": 50, "name": 14, "names": 3, "friend": 4, "noun": 29})
_PRONOUNS = mixed({"I": 10, "you": 8, "he": 8, "she": 9, "we": 8, "they": 8, "you all": 4})
_ASKED_WHO = mixed({"I": 1, "you": 20, "he": 8, "she": 8, "we": 2, "they": 8, "you all": 4})
_FRIENDS = (("friend", "ami", "amie"), ("cousin", "cousin", "cousine"), ("neighbour", "voisin", "voisine"))


def speaker(chance: Chance) -> Nominal:
    """Whoever a pronoun means."""
    return PRONOUNS[chance.pick(_PRONOUNS)]


def someone(chance: Chance, negated: bool = False, asking: bool = False) -> Nominal:
    """A subject that can do what people do."""
    match chance.pick(_WHO):
        case "pronoun":
            return PRONOUNS[chance.pick(_ASKED_WHO)] if asking else speaker(chance)
        case "name":
            return name(chance.pick(_NAMES))
        case "names":
            first = chance.below(len(_NAMES))
            return both(name(_NAMES[first]), name(_NAMES[first - 1 - chance.below(len(_NAMES) - 1)]))
        case "friend":
            return friend(chance.pick(POSSESSIVES), chance.pick(_NAMES), chance.pick(_FRIENDS))
        case _:
            return described(chance, chance.pick(_PEOPLE), NOT_DOING if negated else DOING, share=0.2)


def receiver(chance: Chance) -> Nominal:
    """Whom something is given to or done with."""
    if chance.happens(0.4):
        return name(chance.pick(_NAMES))
    return described(chance, chance.pick(_PEOPLE), FIRM, share=0.15)


def object_of(chance: Chance, verb: Verb, determiners: Sequence[str]) -> Nominal:
    """Something that this can be done with."""
    if verb.names and chance.happens(0.15):
        return name(chance.pick(_NAMES))
    kind = chance.pick(verb.objects)
    word = chance.pick(kind)
    if "d" in verb.flags:
        return noun("the", word)
    joined = determiners is DONE and not verb.preposition and chance.happens(0.06)
    if "g" in verb.flags:
        determiners = LIKED
    first = described(chance, word, determiners)
    if not joined:
        return first
    second = chance.pick(kind)
    return first if second is word else both(first, described(chance, second, determiners, share=0))


_OTHERS = {0: ("you", "him", "her", "them"), 1: ("me", "him", "her", "us", "them")}
_OTHERS |= {3: _OTHERS[0], 4: _OTHERS[1]}


def other(chance: Chance, subject: Nominal) -> str:
    """An object pronoun that does not mean the subject."""
    return chance.pick(_OTHERS.get(subject.french_person, tuple(OBJECTS)))


# --- where and when --------------------------------------------------------------------------------------

LANDS = nouns("country town")
_AROUND = nouns("building tree")
_SETTLED = nouns("city street park garden")
_FLAT = nouns("table chair bed")
_ROUND = mixed({"in": 5, "at": 4, "near": 2, "behind": 1, "in front of": 1, "land": 3, "word": 5})
_ROUND_OF_ANIMALS = mixed({"in": 6, "near": 2, "behind": 2, "in front of": 2})
_LYING = mixed({"on": 4, "under": 3, "near": 1, "behind": 1})
_STANDING = mixed({"in": 5, "near": 2, "land": 3})


def somewhere(chance: Chance, animal: bool = False) -> Pair:
    """Where something happens; no animal is at work."""
    preposition = chance.pick(_ROUND_OF_ANIMALS if animal else _ROUND)
    match preposition:
        case "word":
            return chance.pick(WHERE)
        case "at":
            return prepositional("at", noun("the", chance.pick(AT)))
        case _:
            return _around(chance, preposition, INSIDE if preposition == "in" else _AROUND)


def lying(chance: Chance) -> Pair:
    """Where a small thing is."""
    return _around(chance, chance.pick(_LYING), _FLAT)


def standing(chance: Chance) -> Pair:
    """Where a house is."""
    preposition = chance.pick(_STANDING)
    return _around(chance, preposition, _SETTLED if preposition == "in" else _AROUND)


def _around(chance: Chance, preposition: str, places: Sequence[Noun]) -> Pair:
    if preposition == "land":
        return prepositional("in", noun("", chance.pick(LANDS)))
    return prepositional(preposition, described(chance, chance.pick(places), FIRM, share=0.15, plurals=0.05))


_TAILS = mixed({"none": 50, "time": 22, "place": 15, "with": 6, "both": 7})


def tail(chance: Chance, times: Sequence[Pair], animal: bool = False) -> Pair:
    """Where, when or with whom, or nothing of it."""
    match chance.pick(_TAILS):
        case "time":
            return chance.pick(times)
        case "place":
            return somewhere(chance, animal)
        case "with":
            return prepositional("with", receiver(chance))
        case "both":
            return somewhere(chance, animal).then(chance.pick(times))
        case _:
            return NOTHING
