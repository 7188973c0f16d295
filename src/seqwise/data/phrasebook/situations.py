"""Clauses drawn by chance: someone does something, something is so, someone is somewhere."""

from seqwise.data.phrasebook.choices import (
    ASKED,
    DENIED,
    DOING,
    DONE,
    FIRM,
    LANDS,
    NOT_DOING,
    ONE,
    SAID,
    Chance,
    described,
    lying,
    mixed,
    object_of,
    other,
    receiver,
    someone,
    somewhere,
    tail,
)
from seqwise.data.phrasebook.clauses import (
    NOTHING,
    Clause,
    Predicate,
    about_to,
    being,
    feeling,
    giving,
    located,
    pronominal,
    same,
    speaking,
    taking,
    transitive,
    working_as,
)
from seqwise.data.phrasebook.forms import Pair
from seqwise.data.phrasebook.lexicon import (
    AT,
    COLOURS,
    DEGREES,
    HABIT,
    MUCH,
    NOUNS,
    NOW,
    OFTEN,
    PROFESSIONS,
    REALLY,
    SAID_OF,
    SOON,
    WELL,
    Noun,
    nouns,
)
from seqwise.data.phrasebook.phrases import Nominal, noun, prepositional
from seqwise.data.phrasebook.verbs import (
    COME,
    FEEL,
    GIVING,
    GO,
    INTRANSITIVE,
    LIVE,
    OF_ANIMALS,
    TAKING,
    TRANSITIVE,
    Verb,
)

# --- what people and animals do --------------------------------------------------------------------------

_PEOPLE_DO = mixed(
    {"transitive": 56, "alone": 8, "giving": 7, "taking": 12, "about to": 4, "go": 4, "come": 1}
    | {"live": 2, "speak": 3, "feel": 3}
)
_INNER = mixed({"transitive": 70, "just": 15, "giving": 8, "speak": 7})
ACTIONS = tuple(verb for verb in TRANSITIVE if not verb.state)
_ALONE_OF_ANIMALS = tuple(verb for verb in INTRANSITIVE if "a" in verb.flags)
_SKILLS = tuple(verb for verb in TRANSITIVE if "k" in verb.flags)
_ALONE_SKILLS = tuple(verb for verb in INTRANSITIVE if "w" in verb.flags and "sleep" not in verb.english)
_PLACED = ("go to", "visit", "travel", "take", "drive")  # they tell the place, or have none
_FOR_SOMEONE = ("buy", "choose", "make", "prepare", "repair", "sing", "draw", "wash")
_HOMES = nouns("city castle house")
_FEELINGS = mixed(
    {"hungry faim": 3, "thirsty soif": 3, "cold froid": 1, "hot chaud": 1, "right raison": 1, "wrong tort": 1}
)


def doing(chance: Chance, asking: bool = False, brief: bool = False) -> Clause:
    """Someone does something."""
    negated, short = _mood(chance, asking)
    determiners = DENIED if negated else ASKED if asking else DONE
    if chance.happens(0.1):
        subject = described(chance, chance.pick(NOUNS["animal"]), NOT_DOING if negated else DOING)
        predicate = animal_act(chance, subject, determiners)
    else:
        subject = someone(chance, negated, asking)
        predicate = act(chance, subject, chance.pick(_PEOPLE_DO), determiners)
    clause = Clause(subject, predicate, negated, short=short)
    return circumstances(chance, clause, brief)


def act(
    chance: Chance,
    subject: Nominal,
    what: str,
    determiners: tuple[str, ...],
    verbs: tuple[Verb, ...] = TRANSITIVE,
) -> Predicate:
    """What a person does, to objects with determiners that suit."""
    match what:
        case "alone":
            return _alone(chance, INTRANSITIVE)
        case "just":  # an infinitive goes without "very well"
            return same(chance.pick(INTRANSITIVE), *NOTHING)
        case "giving":
            verb = chance.pick(GIVING)
            return giving(verb, object_of(chance, verb, determiners), receiver(chance))
        case "taking":
            return _taking(chance, subject, determiners)
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
            english, french = chance.pick(_FEELINGS).split()
            return feeling((english,), (french,))
    verb = chance.pick(verbs)
    if "p" in verb.flags and chance.happens(0.15):
        return pronominal(verb, other(chance, subject))
    return transitive(verb, object_of(chance, verb, determiners))


def animal_act(chance: Chance, subject: Nominal, determiners: tuple[str, ...]) -> Predicate:
    """What an animal does."""
    if chance.happens(0.4):
        return _alone(chance, _ALONE_OF_ANIMALS)
    return act(chance, subject, "transitive", determiners, OF_ANIMALS)


def _taking(chance: Chance, subject: Nominal, determiners: tuple[str, ...]) -> Predicate:
    """Wants to read, knows how to swim."""
    verb = chance.pick(TAKING)
    if determiners is DENIED and "n" not in verb.flags:
        determiners = FIRM  # "n'aime pas lire de livres" or "des livres": teachers disagree
    if "k" not in verb.flags:
        return taking(verb, _inner(chance, subject, determiners))
    if chance.happens(0.4):
        return taking(verb, same(chance.pick(_ALONE_SKILLS), *NOTHING))
    return taking(verb, act(chance, subject, "transitive", determiners, _SKILLS))


def _inner(chance: Chance, subject: Nominal, determiners: tuple[str, ...]) -> Predicate:
    """What someone wants, tries or is going to do."""
    return act(chance, subject, chance.pick(_INNER), determiners, ACTIONS)


def _alone(chance: Chance, verbs: tuple[Verb, ...]) -> Predicate:
    verb = chance.pick(verbs)
    if chance.happens(0.75):
        return same(verb, *NOTHING)
    return same(verb, *chance.pick(WELL if "w" in verb.flags else MUCH))


def _moving(chance: Chance, verb: Verb, preposition: str, places: tuple[Noun, ...]) -> Predicate:
    """Go to the station, live in Paris; the English verb holds the preposition already."""
    where = noun("", chance.pick(LANDS)) if chance.happens(0.4) else noun("the", chance.pick(places))
    phrase = prepositional(preposition, where)
    return same(verb, phrase.english[1:], phrase.french)


def circumstances(chance: Chance, clause: Clause, brief: bool = False) -> Clause:
    """How often, where and when."""
    verb, going = clause.predicate.verb, clause.predicate.going
    ongoing = not verb.state and not clause.subject.general and chance.happens(0.4)
    adverb = NOTHING
    if not ongoing and not going and chance.happens(0.12):
        adverb = chance.pick(_adverbs(verb.state, clause.negated or verb is FEEL))
    times = SOON if going else NOW if ongoing else HABIT
    behind = NOTHING
    if verb.english[0] in _PLACED:
        behind = chance.pick(times) if chance.happens(0.3) and not adverb.english else NOTHING
    elif verb.english[0] in _FOR_SOMEONE and chance.happens(0.15):
        behind = prepositional("for", receiver(chance))
    elif not brief and not adverb.english and (going or not verb.state):
        behind = tail(chance, times, animal=clause.subject.kind == "animal")
    return clause._replace(ongoing=ongoing, adverb=adverb, tail=behind)


def _adverbs(state: bool, few: bool) -> tuple[Pair, ...]:
    """Few under negation, since nobody says "I do not also"; few with hunger, since "aussi faim" is "as hungry"."""
    if state:
        return REALLY[:1] if few else REALLY
    return OFTEN[:2] if few else OFTEN


# --- what is said of things and people -------------------------------------------------------------------

_THINGS = nouns(
    "animal animal motor vehicle clothes thing furniture plant text press show song building building spot food meal "
    "drink subject subject subject language game country"
)
_PASSING = ("happy", "sad", "tired", "sick", "kind", "funny")
_UTMOST = ("huge", "delicious")  # nothing is very huge
_SMALL = nouns("thing thing clothes text press food cat mouse dog rabbit")
_PROFESSIONS = tuple(PROFESSIONS)


def _mood(chance: Chance, asking: bool) -> tuple[bool, bool]:
    """Whether it is denied, and whether English is short ("isn't")."""
    return chance.happens(0.06 if asking else 0.2), chance.happens(0.3)


def being_so(chance: Chance, asking: bool = False) -> Clause:
    """Someone or something is so."""
    negated, short = _mood(chance, asking)
    if chance.happens(0.45):
        subject = someone(chance, negated, asking)
    else:
        subject = described(chance, chance.pick(_THINGS), SAID, share=0.1)
    adjective = chance.pick(SAID_OF[subject.kind])
    graded = adjective not in COLOURS and adjective.english not in _UTMOST and chance.happens(0.35)
    predicate = being(subject, adjective, chance.pick(DEGREES) if graded else NOTHING)
    clause = Clause(subject, predicate, negated, short=short)
    if adjective.english in _PASSING and not subject.general:
        if chance.happens(0.2):
            return clause._replace(adverb=chance.pick(OFTEN[:2]))
        if chance.happens(0.3):
            return clause._replace(tail=chance.pick(NOW))
    return clause


def being_there(chance: Chance, asking: bool = False) -> Clause:
    """Someone or something is somewhere."""
    negated, short = _mood(chance, asking)
    if chance.happens(0.45):
        subject = described(chance, chance.pick(_SMALL), ONE)
        return Clause(subject, located(lying(chance)), negated, short=short)
    subject = someone(chance, negated, asking)
    return Clause(subject, located(somewhere(chance)), negated, short=short)


def being_someone(chance: Chance, asking: bool = False) -> Clause:
    """Someone is a doctor."""
    negated, short = _mood(chance, asking)
    subject = someone(chance, negated, asking)
    while subject.kind not in ("name", "kin"):  # not: the queen is a lawyer
        subject = someone(chance, negated, asking)
    return Clause(subject, working_as(subject, chance.pick(_PROFESSIONS)), negated, short=short)


_CLAUSES = mixed({"doing": 78, "so": 15, "there": 5, "someone": 2})


def clause(chance: Chance, asking: bool = False, brief: bool = False) -> Clause:
    """Any of them."""
    match chance.pick(_CLAUSES):
        case "so":
            return being_so(chance, asking)
        case "there":
            return being_there(chance, asking)
        case "someone":
            return being_someone(chance, asking)
        case _:
            return doing(chance, asking, brief)
