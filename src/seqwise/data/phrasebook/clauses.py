"""Clauses: subject, verb and what follows, as a statement, a question or a request in both languages.

    English   subject  auxiliary  not  adverb  verb  rest  tail         do you not often eat apples at home
    French    subject  ne  pronoun  verb  pas  adverb  rest  tail       est-ce que tu ne manges pas souvent ...

As in `phrases.py`, all functions are pure: the same meaning gives the same sentence.
"""

from typing import NamedTuple

from seqwise.data.phrasebook.forms import Pair, Words
from seqwise.data.phrasebook.lexicon import PROFESSIONS, Adjective
from seqwise.data.phrasebook.phrases import (
    OBJECTS,
    PRONOUNS,
    Nominal,
    agreeing,
    prepositional,
)
from seqwise.data.phrasebook.verbs import BE, FEEL, GOING, SPEAK, Verb

NOTHING = Pair((), ())


class Predicate(NamedTuple):
    """A verb and what belongs to it, for any subject."""

    verb: Verb
    english: Words = ()
    french: Words = ()
    denied: Words = ()
    """The French again, as it is under negation."""
    pronoun: Words = ()
    """The French object that stands before the verb."""
    going: bool = False
    """Whether it is about to be done: English goes to, French va."""


class Clause(NamedTuple):
    """Who does what, how, when and where."""

    subject: Nominal
    predicate: Predicate
    negated: bool = False
    ongoing: bool = False
    """Whether English says "is eating"; French makes no difference."""
    adverb: Pair = NOTHING
    tail: Pair = NOTHING
    short: bool = False
    """Whether English says "don't" and "I'm"."""


# --- predicates ------------------------------------------------------------------------------------------


def same(verb: Verb, english: Words, french: Words) -> Predicate:
    """A verb and words that a negation leaves alone."""
    return Predicate(verb, english, french, french)


def transitive(verb: Verb, thing: Nominal) -> Predicate:
    """Eat an apple; talk about history, where French has a preposition that negation leaves alone."""
    if verb.preposition:
        return same(verb, thing.english, thing.after(verb.preposition))
    return Predicate(verb, thing.english, thing.whole, thing.denied)


def pronominal(verb: Verb, whom: str) -> Predicate:
    """See her."""
    return Predicate(verb, (whom,), pronoun=(OBJECTS[whom],))


def giving(verb: Verb, thing: Nominal, receiver: Nominal) -> Predicate:
    """Give the book to the children."""
    to = prepositional("to", receiver)
    return Predicate(verb, thing.english + to.english, thing.whole + to.french, thing.denied + to.french)


def speaking(language: str, french: str) -> Predicate:
    """Speak French: no article, unlike "study French"."""
    return same(SPEAK, (language,), (french,))


def being(subject: Nominal, adjective: Adjective, degree: Pair = NOTHING, rest: Pair = NOTHING) -> Predicate:
    """Be very tired, as the subject is."""
    adjectives = Pair((adjective.english,), (agreeing(adjective, subject),))
    return same(BE, *degree.then(adjectives, rest))


def working_as(subject: Nominal, profession: str) -> Predicate:
    """Be a doctor: no article in French, and the word agrees."""
    several = subject.french_person >= 3
    english = (profession + "s",) if several else ("a|an", profession)
    return same(BE, english, (PROFESSIONS[profession][subject.feminine] + "s" * several,))


def identical(thing: Nominal) -> Predicate:
    """Be my car; un and des stay under negation."""
    return same(BE, *thing.pair)


def located(where: Pair) -> Predicate:
    """Be in the garden."""
    return same(BE, *where)


def feeling(english: Words, french: Words) -> Predicate:
    """Be hungry, avoir faim."""
    return same(FEEL, english, french)


def taking(verb: Verb, inner: Predicate) -> Predicate:
    """Want to read a book; the inner object feels the outer negation."""
    before = (*verb.preposition, *inner.pronoun, inner.verb.infinitive)
    return Predicate(
        verb,
        (inner.verb.english[0], *inner.english),
        before + inner.french,
        before + inner.denied,
    )


def doing_both(first: Predicate, second: Predicate, subject: Nominal, ongoing: bool) -> Predicate:
    """Read a book and drink coffee; both verbs agree with the subject."""
    verb, person = second.verb, subject.english_person
    english = verb.english[2] if ongoing else verb.english[1 if person == 2 else 0]
    french = (*second.pronoun, verb.french[subject.french_person], *second.french)
    both = same(first.verb, (*first.english, "and", english, *second.english), (*first.french, "et", *french))
    return both._replace(pronoun=first.pronoun)


def about_to(inner: Predicate) -> Predicate:
    """Be going to read a book."""
    return taking(GOING, inner)._replace(going=True)


# --- English ---------------------------------------------------------------------------------------------

_BE = ("am", "are", "is", "are", "are", "are")
_NOT = {"do": "don't", "does": "doesn't", "is": "isn't", "are": "aren't", "can": "can't", "must": "mustn't"}
_SHORT = {"am": "'m", "are": "'re", "is": "'s"}


def _finite(clause: Clause, supported: bool) -> tuple[str, Words]:
    """The auxiliary, empty where none is needed, and the verb behind it."""
    predicate, person = clause.predicate, clause.subject.english_person
    base, third, gerund = predicate.verb.english
    if base == "be":
        return _BE[person], ()
    if predicate.going:
        return _BE[person], ("going", "to")
    if base in ("can", "must"):
        return base, ()
    if clause.ongoing:
        return _BE[person], (gerund,)
    if supported:
        return ("does" if person == 2 else "do"), (base,)
    return "", (third if person == 2 else base,)


def _denied(auxiliary: str, short: bool) -> Words:
    if short and auxiliary in _NOT:
        return (_NOT[auxiliary],)
    return ("cannot",) if auxiliary == "can" else (auxiliary, "not")


def _english(clause: Clause) -> Words:
    subject = clause.subject.english
    auxiliary, main = _finite(clause, clause.negated)
    if clause.negated:
        front = subject + _denied(auxiliary, clause.short)
    elif clause.short and auxiliary in _SHORT and subject[-1] in PRONOUNS and subject != ("you all",):
        front = (subject[-1] + _SHORT[auxiliary],)
    else:
        front = (*subject, auxiliary) if auxiliary else subject
    return front + clause.adverb.english + main + clause.predicate.english + clause.tail.english


def _english_question(clause: Clause) -> Words:
    auxiliary, main = _finite(clause, supported=True)
    subject = clause.subject.english
    if not clause.negated:
        front = (auxiliary, *subject)
    elif auxiliary in _NOT:
        front = (_NOT[auxiliary], *subject)
    else:
        front = (auxiliary, *subject, "not")
    return front + clause.adverb.english + main + clause.predicate.english + clause.tail.english


# --- French ----------------------------------------------------------------------------------------------


def _french(clause: Clause) -> Words:
    predicate = clause.predicate
    verb: Words = (*predicate.pronoun, predicate.verb.french[clause.subject.french_person])
    if clause.negated:
        verb = ("ne|n'", *verb, "pas")
    rest = predicate.denied if clause.negated else predicate.french
    return clause.subject.whole + verb + clause.adverb.french + rest + clause.tail.french


# --- sentences -------------------------------------------------------------------------------------------

_QUE = "est-ce que|est-ce qu'"


def statement(clause: Clause) -> Pair:
    """She does not eat apples."""
    return Pair(_english(clause), _french(clause))


def question(clause: Clause, asked: Pair = NOTHING) -> Pair:
    """Does she eat apples? Where does she eat apples?"""
    asking = ("qu'est-ce que|qu'est-ce qu'",) if asked.english == ("what",) else (*asked.french, _QUE)
    return Pair(asked.english + _english_question(clause), asking + _french(clause))


def where_is(subject: Nominal) -> Pair:
    """Where are my keys? Où sont mes clés ?"""
    verb = BE.french[subject.french_person]
    return Pair(("where", _BE[subject.english_person], *subject.english), ("où", verb, *subject.whole))


def there_is(thing: Nominal, where: Pair, negated: bool = False, asking: bool = False) -> Pair:
    """There is a cat in the garden; there are no cats; is there a cat?"""
    verb = _BE[thing.english_person]
    front = (verb, "there") if asking else ("there", verb)
    english = (*front, "no", *thing.english) if negated else (*front, *thing.english)
    there = ("il n'y a pas", *thing.denied) if negated else ("il y a", *thing.whole)
    return Pair(english, (_QUE, *there) if asking else there).then(where)


def request(predicate: Predicate, how: str = "", tail: Pair = NOTHING) -> Pair:
    """Open the door; with "do not" or "don't", the contrary; with "let's", of all of us."""
    verb = predicate.verb
    english = (*how.split(), verb.english[0], *predicate.english)
    if how == "let's":
        french: Words = (verb.french[3], *predicate.french)
    elif how:
        french = ("ne|n'", verb.command, "pas", *predicate.denied)
    else:
        french = (verb.command, *predicate.french)
    return Pair(english, french).then(tail)


def compared(first: Nominal, adjective: Adjective, second: Nominal, more: bool, negated: bool = False) -> Pair:
    """This car is more expensive than that one, or as expensive as it."""
    english: Words
    french: Words
    if not more:
        english, french = ("as", adjective.english, "as"), ("aussi", agreeing(adjective, first))
    else:
        english, french = (*adjective.more, "than"), ("plus", agreeing(adjective, first))
        if adjective.english == "good":
            french = (("meilleur", "meilleure", "meilleurs", "meilleures")[first.place],)
    rest = Pair((*english, *second.english), (*french, "que|qu'", *second.whole))
    return statement(Clause(first, same(BE, *rest), negated))
