"""The kinds of sentences, and how often each is drawn."""

from collections.abc import Callable
from typing import NamedTuple

from seqwise.data.phrasebook.choices import (
    ASKED,
    DENIED,
    DOING,
    DONE,
    LANDS,
    SAID,
    THERE,
    Chance,
    beside,
    described,
    lying,
    mixed,
    object_of,
    other,
    receiver,
    someone,
    somewhere,
    tail,
    times,
)
from seqwise.data.phrasebook.clauses import (
    NOTHING,
    Clause,
    Predicate,
    about_to,
    being,
    compared,
    doing_both,
    feeling,
    giving,
    identical,
    located,
    pronominal,
    question,
    request,
    same,
    speaking,
    statement,
    taking,
    there_is,
    transitive,
    where_is,
    working_as,
)
from seqwise.data.phrasebook.forms import Pair
from seqwise.data.phrasebook.lexicon import (
    AT,
    DEGREES,
    MUCH,
    INSIDE,
    NAMES,
    NOUNS,
    NUMBERS,
    OFTEN,
    PROFESSIONS,
    REALLY,
    SAID_OF,
    WELL,
    nouns,
)
from seqwise.data.phrasebook.phrases import PRONOUNS, THESE, THIS, WHO, Nominal, name, noun, prepositional
from seqwise.data.phrasebook.verbs import (
    COME,
    GIVING,
    GO,
    HOPE,
    INTRANSITIVE,
    KNOW,
    LIVE,
    SAY,
    TAKING,
    THINK,
    TRANSITIVE,
)


class Sentence(NamedTuple):
    """A sentence before it is spelled."""

    words: Pair
    mark: str
    """What ends it."""


# --- what people and animals do --------------------------------------------------------------------------

_PEOPLE_DO = mixed(
    {"transitive": 56, "intransitive": 8, "giving": 7, "taking": 12, "about to": 4, "go": 4, "come": 1}
    | {"live": 2, "speak": 3, "feel": 3}
)
_INNER = mixed({"transitive": 70, "intransitive": 15, "giving": 8, "speak": 7})
_ANIMALS_DO = mixed({"transitive": 60, "intransitive": 40})
_OF_ANIMALS = tuple(verb for verb in TRANSITIVE if "a" in verb.flags)
_RUNNING = tuple(verb for verb in INTRANSITIVE if "a" in verb.flags)
_ACTIONS = tuple(verb for verb in TRANSITIVE if not verb.state)
_FEELINGS = mixed(
    {
        Pair(("hungry",), ("faim",)): 3,
        Pair(("thirsty",), ("soif",)): 3,
        Pair(("cold",), ("froid",)): 1,
        Pair(("hot",), ("chaud",)): 1,
        Pair(("right",), ("raison",)): 1,
        Pair(("wrong",), ("tort",)): 1,
    }
)


_DEGREE = 0.35


def _predicate(
    chance: Chance, subject: Nominal, what: str, determiners: tuple[str, ...], verbs: tuple[Verb, ...] = TRANSITIVE
) -> Predicate:
    """What is done, with objects whose determiners suit."""
    match what:
        case "intransitive":
            return _alone(chance, INTRANSITIVE)
        case "giving":
            verb = chance.pick(GIVING)
            return giving(verb, object_of(chance, verb, determiners), receiver(chance))
        case "taking":
            return taking(chance.pick(TAKING), _inner(chance, subject, determiners))
        case "about to":
            return about_to(_inner(chance, subject, determiners))
        case "speak":
            language = chance.pick(NOUNS["language"])
            return speaking(language.english, language.french)
        case "go":
            return _moving(chance, GO, "to", AT)
        case "come":
            return _moving(chance, COME, "from", AT)
        case "live":
            return _moving(chance, LIVE, "in", _HOMES)
        case "feel":
            return feeling(*chance.pick(_FEELINGS))
        case _:
            verb = chance.pick(verbs)
            if "p" in verb.flags and chance.happens(0.15):
                return pronominal(verb, other(chance, subject))
            return transitive(verb, object_of(chance, verb, determiners))


def _inner(chance: Chance, subject: Nominal, determiners: tuple[str, ...]) -> Predicate:
    """What someone wants, tries or is going to do."""
    return _predicate(chance, subject, chance.pick(_INNER), determiners, _ACTIONS)


def _alone(chance: Chance, verbs: tuple[Verb, ...]) -> Predicate:
    verb = chance.pick(verbs)
    if not chance.happens(0.25):
        return same(verb, (), ())
    return same(verb, *chance.pick(WELL if "w" in verb.flags else MUCH))


def _moving(chance: Chance, verb: Verb, preposition: str, places: tuple[Noun, ...]) -> Predicate:
    """Go to the station, live in Paris; the English verb holds the preposition already."""
    land = chance.happens(0.4)
    where = noun("", chance.pick(LANDS)) if land else noun("the", chance.pick(places))
    phrase = prepositional(preposition, where)
    return same(verb, phrase.english[1:], phrase.french)


def doing(chance: Chance, asking: bool = False, brief: bool = False) -> Clause:
    """A clause about what someone does."""
    animal = chance.happens(0.1)
    if animal:
        subject = described(chance, chance.pick(NOUNS["animal"]), DOING)
    else:
        subject = someone(chance)
    negated = chance.happens(0.06 if asking else 0.2)
    determiners = DENIED if negated else ASKED if asking else DONE
    if animal and chance.happens(0.4):
        predicate = _alone(chance, _RUNNING)
    elif animal:
        predicate = _predicate(chance, subject, "transitive", determiners, _OF_ANIMALS)
    else:
        predicate = _predicate(chance, subject, chance.pick(_PEOPLE_DO), determiners)
    clause = Clause(subject, predicate, negated, short=chance.happens(0.3))
    return _circumstances(chance, clause, brief)


def _circumstances(chance: Chance, clause: Clause, brief: bool) -> Clause:
    """How often, where and when."""
    verb, going = clause.predicate.verb, clause.predicate.going
    ongoing = not verb.state and not clause.subject.general and chance.happens(0.4)
    adverb, behind = NOTHING, NOTHING
    if not ongoing and not going and chance.happens(0.12):
        adverb = chance.pick(REALLY[:1] if verb.state and clause.negated else REALLY if verb.state else
                             OFTEN[:2] if clause.negated else OFTEN)
    if not brief and (going or not verb.state):
        when = times(ongoing, going)
        if verb is GO or verb.english[0] == "visit":
            behind = chance.pick(when) if chance.happens(0.3) else NOTHING
        else:
            behind = tail(chance, when)
    return clause._replace(ongoing=ongoing, adverb=adverb, tail=behind)


# --- what is said of things and people -------------------------------------------------------------------

_THINGS = nouns(
    "animal animal motor vehicle clothes thing furniture plant text press show song building building spot food meal "
    "drink subject subject subject language game country"
)
_PASSING = ("happy", "sad", "tired", "sick", "kind", "funny", "serious")


def being_so(chance: Chance, asking: bool = False) -> Clause:
    """A clause about how someone or something is."""
    if chance.happens(0.45):
        subject = someone(chance)
    else:
        subject = described(chance, chance.pick(_THINGS), SAID, share=0.1)
    adjective = chance.pick(SAID_OF[subject.kind])
    degree = chance.pick(DEGREES) if chance.happens(0.35) else NOTHING
    clause = Clause(
        subject,
        being(subject, adjective, degree),
        negated=chance.happens(0.06 if asking else 0.2),
        short=chance.happens(0.3),
    )
    if adjective.english in _PASSING and not subject.general:
        if chance.happens(0.2):
            return clause._replace(adverb=chance.pick(OFTEN[:2]))
        if chance.happens(0.3):
            return clause._replace(tail=chance.pick(NOW))
    return clause


def being_there(chance: Chance, asking: bool = False) -> Clause:
    """A clause about where someone or something is, or what someone is by profession."""
    negated, short = chance.happens(0.06 if asking else 0.2), chance.happens(0.3)
    if chance.happens(0.3):
        subject = someone(chance, _KIN)
        if subject.kind in ("name", "kin"):
            return Clause(subject, working_as(subject, chance.pick(_PROFESSIONS)), negated, short=short)
    if chance.happens(0.4):
        subject = described(chance, chance.pick(_SMALL), SAID_OF_ONE)
        return Clause(subject, located(lying(chance)), negated, short=short)
    subject = someone(chance)
    return Clause(subject, located(somewhere(chance)), negated, short=short)
