"""The kinds of sentences, how often each is drawn, and their spelling."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from seqwise.data.phrasebook.choices import (
    COMPARED,
    DENIED,
    DONE,
    ONE,
    THERE,
    Chance,
    beside,
    described,
    lying,
    mixed,
    object_of,
    someone,
    somewhere,
    speaker,
    standing,
)
from seqwise.data.phrasebook.clauses import (
    NOTHING,
    Clause,
    compared,
    doing_both,
    identical,
    question,
    request,
    same,
    statement,
    there_is,
    transitive,
    where_is,
)
from seqwise.data.phrasebook.forms import ENGLISH, FRENCH, Pair, spell
from seqwise.data.phrasebook.lexicon import COLOURS, DEFINITE, HABIT, MASS, NOW, REALLY, SAID_OF, SOON, nouns
from seqwise.data.phrasebook.phrases import THESE, THIS, WHO, noun
from seqwise.data.phrasebook.situations import ACTIONS, act, being_so, circumstances, clause, doing
from seqwise.data.phrasebook.verbs import HOPE, KNOW, SAY, THINK, TRANSITIVE


class Sentence(NamedTuple):
    """A sentence before it is spelled."""

    words: Pair
    mark: str
    """What ends it; nothing where a hurried writer would leave it out."""

    @property
    def spelled(self) -> tuple[str, str]:
        """English and French; the French has a space before ? and !."""
        source, target = spell(self.words.english, ENGLISH), spell(self.words.french, FRENCH)
        gap = " " if self.mark in ("?", "!") else ""
        return source[0].upper() + source[1:] + self.mark, target[0].upper() + target[1:] + gap + self.mark


# --- statements ------------------------------------------------------------------------------------------

_TIMES = (*HABIT, *NOW, *SOON)


def _plain(chance: Chance) -> Pair:
    drawn = clause(chance)
    if drawn.tail in _TIMES and chance.happens(0.15):  # Today, she is reading a book.
        comma = Pair((",",), (",",))
        return drawn.tail.then(comma, statement(drawn._replace(tail=NOTHING)))
    return statement(drawn)


_KINDS = nouns("subject subject language game meal drink animal food clothes show song")
_LEARNT = nouns("subject language")
_TASTES = tuple(verb for verb in TRANSITIVE if "g" in verb.flags and not verb.preposition)
_STUDIES = tuple(verb for verb in TRANSITIVE if verb.english[0] in ("study", "learn", "teach", "understand"))


def _taste(chance: Chance) -> Pair:
    """I love physics: what one says first in a foreign language, with any of the things that one can say it of."""
    if chance.happens(0.75):
        verb, word = chance.pick(_TASTES), chance.pick(_KINDS)
    else:
        verb, word = chance.pick(_STUDIES), chance.pick(_LEARNT)
    subject = speaker(chance) if chance.happens(0.7) else someone(chance)
    negated = chance.happens(0.15)
    thing = noun("general", word, plural=word.kind not in MASS)
    adverb = chance.pick(REALLY[:1] if negated else REALLY) if chance.happens(0.12) else NOTHING
    return statement(Clause(subject, transitive(verb, thing), negated, adverb=adverb, short=chance.happens(0.3)))


_JOINTS = (Pair((",", "but"), (",", "mais")), Pair(("and",), ("et",)))
_BECAUSE = Pair(("because",), ("parce que|parce qu'",))


def _two_clauses(chance: Chance) -> Pair:
    """I like tea, but she prefers coffee."""
    first, second = (statement(clause(chance, brief=True)) for _ in range(2))
    return first.then(chance.pick(_JOINTS), second)


def _reason(chance: Chance) -> Pair:
    """She is sleeping because she is tired."""
    return statement(doing(chance, brief=True)).then(_BECAUSE, statement(being_so(chance)))


def _two_acts(chance: Chance) -> Pair:
    """Paul reads a book and drinks coffee."""
    subject, ongoing = someone(chance), chance.happens(0.5)
    what = ("transitive", "alone", "giving")
    first, second = (act(chance, subject, chance.pick(what), DONE, ACTIONS) for _ in range(2))
    predicate = doing_both(first, second, subject, ongoing)
    return statement(Clause(subject, predicate, ongoing=ongoing and not subject.general))


_THAT = Pair(("that",), ("que|qu'",))
_IF = Pair(("if",), ("si",))


def _reported(chance: Chance) -> Pair:
    """I think that she is right; I do not know if she is."""
    subject, inner = someone(chance), statement(clause(chance, brief=True))
    if chance.happens(0.3):
        return statement(Clause(subject, same(KNOW, *_IF.then(inner)), negated=True, short=chance.happens(0.3)))
    return statement(Clause(subject, same(chance.pick((THINK, SAY, HOPE, KNOW)), *_THAT.then(inner))))


_COMPARED = tuple(
    word
    for word in nouns("subject language animal animal motor clothes furniture text building food drink")
    if word.number != "1"
)
_ABSOLUTE = ("pretty", "heavy", "quiet", "fresh", "hot", "cold", "huge", "sick", "tired", "delicious")
"""Adjectives without a comparative here: they would need another English form, or have none."""


def _comparison(chance: Chance) -> Pair:
    """Physics is more difficult than history."""
    word = chance.pick(_COMPARED)
    other = chance.pick([w for w in _COMPARED if w.kind == word.kind and w is not word])
    determiners = chance.pick((("general",), COMPARED))
    first, second = (described(chance, w, determiners, share=0) for w in (word, other))
    adjective = chance.pick([a for a in SAID_OF[word.kind] if a not in COLOURS and a.english not in _ABSOLUTE])
    return compared(first, adjective, second, more=chance.happens(0.7), negated=chance.happens(0.2))


_HELD = tuple(
    word
    for word in nouns("animal motor thing furniture plant text press food meal drink person worker building")
    if word.number != "1"
)
_THERE_ASKED = ("a", "a", "any")
_PLACES = {"building": standing, "thing": lying, "text": lying, "press": lying, "food": lying}


def _existence(chance: Chance, asking: bool = False) -> Pair:
    """There is a cat under the table."""
    word = chance.pick(_HELD)
    where = _PLACES.get(word.kind, somewhere)(chance)
    if not asking and chance.happens(0.2):
        return there_is(noun("", word, plural=word.kind not in MASS), where, negated=True)
    return there_is(described(chance, word, _THERE_ASKED if asking else THERE), where, asking=asking)


_SHOWN = nouns("kin animal motor clothes thing furniture text press house office shop garden")
_MINE = mixed({"a": 2, "possessive": 5, "owned": 4})


def _presented(chance: Chance, asking: bool = False) -> Pair:
    """This is my brother; these are not Anne's shoes."""
    thing = described(chance, chance.pick(_SHOWN), _MINE)
    subject = THIS if thing.english_person == 2 else THESE
    meant = Clause(subject, identical(thing), negated=not asking and chance.happens(0.2))
    return question(meant) if asking else statement(meant)


# --- questions -------------------------------------------------------------------------------------------

_WHERE, _WHEN, _WHY = (Pair((e,), (f,)) for e, f in (("where", "où"), ("when", "quand"), ("why", "pourquoi")))
_WHAT = Pair(("what",), ())
_LOST = nouns("kin animal thing thing clothes motor text press building")
_SOUGHT = tuple(v for v in TRANSITIVE if not v.names and not v.preposition and "d" not in v.flags)


def _yes_or_no(chance: Chance) -> Pair:
    return question(clause(chance, asking=True))


def _what(chance: Chance) -> Pair:
    """What does she read in the garden?"""
    meant = Clause(someone(chance, asking=True), same(chance.pick(_SOUGHT), *NOTHING))
    return question(circumstances(chance, meant), _WHAT)


def _which(chance: Chance) -> Pair:
    """Which books do you read? How many cats does she have?"""
    verb = chance.pick(_SOUGHT)
    word = chance.pick(chance.pick(verb.objects))
    if word.kind in DEFINITE:
        return _what(chance)
    counted = word.kind not in MASS and word.number != "1"
    if counted and chance.happens(0.5):
        asked = noun("how many", word, plural=True)
    else:
        asked = noun("which", word, plural=counted and chance.happens(0.4))
    meant = Clause(someone(chance, asking=True), same(verb, *NOTHING))
    return question(circumstances(chance, meant, brief=True), asked.pair)


def _who(chance: Chance) -> Pair:
    """Who is reading my newspaper?"""
    negated = chance.happens(0.15)
    what = chance.pick(("transitive", "transitive", "alone", "giving", "taking", "speak"))
    predicate = act(chance, WHO, what, DENIED if negated else DONE)
    return statement(circumstances(chance, Clause(WHO, predicate, negated), brief=True))


def _where(chance: Chance) -> Pair:
    """Where are my keys? Where does she work?"""
    if chance.happens(0.4):
        return where_is(described(chance, chance.pick(_LOST), ONE))
    subject = someone(chance, asking=True)
    predicate = act(chance, subject, chance.pick(("alone", "transitive")), DONE, ACTIONS)
    meant = Clause(subject, predicate, ongoing=not subject.general and chance.happens(0.4))
    return question(meant, _WHERE)


def _when_or_why(chance: Chance) -> Pair:
    """Why don't you like tea?"""
    drawn = doing(chance, asking=True, brief=True)
    if chance.happens(0.35) and not drawn.predicate.verb.state:
        return question(drawn._replace(negated=False, tail=NOTHING), _WHEN)
    return question(drawn, _WHY)


# --- calls -----------------------------------------------------------------------------------------------

_ASKED_FOR = tuple(verb for verb in TRANSITIVE if "i" in verb.flags)
_PLEASE = Pair((",", "please"), (",", "s'il te plaît"))
_HOWS = mixed({"": 6, "do not": 2, "don't": 1, "let's": 3})


def _request(chance: Chance) -> Pair:
    """Open the door, please!"""
    how = chance.pick(_HOWS)
    verb = chance.pick(_ASKED_FOR)
    predicate = transitive(verb, object_of(chance, verb, DENIED if "n" in how else DONE))
    please = how != "let's" and chance.happens(0.3)
    return request(predicate, how, _PLEASE if please else NOTHING)


_ADMIRED = nouns("animal motor clothes furniture plant text song building spot food drink meal show")


def _exclamation(chance: Chance) -> Pair:
    """What a beautiful house!"""
    word = chance.pick(_ADMIRED)
    plural = word.kind not in MASS and word.number != "1" and chance.happens(0.3)
    thing = noun("what", word, beside(chance, word), plural)
    if word.kind in MASS or plural:
        return thing.pair
    return Pair(("what", "a|an", *thing.english[1:]), thing.whole)


# --- all together ----------------------------------------------------------------------------------------

_Rule = Callable[[Chance], Pair]
_RULES: tuple[tuple[_Rule, str], ...] = mixed(
    {
        (_plain, "."): 47,
        (_taste, "."): 10,
        (_two_clauses, "."): 4,
        (_reason, "."): 2,
        (_two_acts, "."): 3,
        (_reported, "."): 4,
        (_comparison, "."): 3,
        (_existence, "."): 3,
        (_presented, "."): 2,
        (_yes_or_no, "?"): 12,
        (_what, "?"): 2,
        (_which, "?"): 2,
        (_who, "?"): 2,
        (_where, "?"): 2,
        (_when_or_why, "?"): 2,
        (partial(_existence, asking=True), "?"): 1,
        (partial(_presented, asking=True), "?"): 1,
        (_request, "!"): 3,
        (_exclamation, "!"): 1,
    }
)


def sentence(chance: Chance) -> Sentence:
    """Any sentence of the grammar; one in six has no mark behind it, as people type."""
    rule, mark = chance.pick(_RULES)
    if rule is _request and chance.happens(0.6):
        mark = "."
    elif mark == "." and chance.happens(0.03):
        mark = "!"
    return Sentence(rule(chance), "" if chance.happens(0.17) else mark)
