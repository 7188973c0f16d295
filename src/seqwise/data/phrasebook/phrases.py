"""Noun phrases: the rules that make "the old man" and "le vieil homme" at once.

Every function is pure. It takes the meaning (which noun, which determiner, how many) and gives both languages,
with what the rest of the sentence must agree with.
"""

from collections.abc import Sequence
from typing import NamedTuple

from seqwise.data.phrasebook.forms import Pair, Words, plain
from seqwise.data.phrasebook.lexicon import BARE, DEFINITE, NAMES, NUMBERS, Adjective, Noun


class Nominal(NamedTuple):
    """A noun phrase, and what agrees with it."""

    english: Words
    article: Words
    """The French article or determiner; apart, because a negation changes it."""
    french: Words
    """What stands behind the article."""
    kind: str = "name"
    feminine: bool = False
    english_person: int = 2
    """Of I, you, he, we, you all, they: 0 to 5."""
    french_person: int = 2
    """The same, but "mathematics is" is "les mathématiques sont"."""
    indefinite: str = ""
    """"one" for un, une; "some" for du, des and the like; both are "de" under negation."""
    general: bool = False
    """Whether it means the whole kind: "cats", les chats."""

    @property
    def whole(self) -> Words:
        """All of the French."""
        return self.article + self.french

    @property
    def pair(self) -> Pair:
        """Both languages."""
        return Pair(self.english, self.whole)

    @property
    def denied(self) -> Words:
        """French as the object of a negated verb: pas d'eau, pas de voiture, but pas la voiture."""
        return ("de|d'", *self.french) if self.indefinite else self.whole

    @property
    def place(self) -> int:
        """Which of masculine, feminine and their plurals."""
        return self.feminine + 2 * (self.french_person >= 3)

    def after(self, preposition: Words) -> Words:
        """French behind a preposition; "de" swallows du and des, but not un: besoin d'eau, besoin d'une table."""
        swallowed = self.indefinite == "some" and preposition[-1:] == ("de|d'",)
        return preposition + (self.french if swallowed else self.whole)


def _person(english: str, french: str, person: int) -> Nominal:
    elle = french == "elle"
    return Nominal((english,), (), (french,), "name", elle, person, person)


PRONOUNS = {
    "I": _person("I", "je|j'", 0),
    "you": _person("you", "tu", 1),
    "he": _person("he", "il", 2),
    "she": _person("she", "elle", 2),
    "we": _person("we", "nous", 3),
    "you all": _person("you all", "vous", 4),
    "they": _person("they", "ils", 5),
}
"""Whoever is meant by "you" is a friend (tu), and "they", "we" and "I" count as masculine: English does not tell,
and one English sentence shall have one French sentence."""
OBJECTS = {"me": "me|m'", "you": "te|t'", "him": "*le|l'", "her": "*la|l'", "us": "nous", "them": "*les"}
"""Pronouns as objects; in French they stand before the verb."""
WHO = Nominal(("who",), (), ("qui",))
THIS = Nominal(("this",), (), ("ce|c'",))
THESE = Nominal(("these",), (), ("ce|c'",), english_person=5, french_person=5)

_DETERMINERS = {  # masculine, feminine, masculine plural, feminine plural
    "the": "le|l' la|l' les les",
    "a": "un une",
    "this": "ce|cet cette ces ces",
    "that": "ce|cet cette ces ces",
    "my": "mon ma|mon mes mes",
    "your": "ton ta|ton tes tes",
    "his": "son sa|son ses ses",
    "her": "son sa|son ses ses",
    "our": "notre notre nos nos",
    "their": "leur leur leurs leurs",
    "every": "chaque chaque",
    "which": "quel quelle quels quelles",
    "what": "quel quelle quels quelles",
    "several": "plusieurs plusieurs plusieurs plusieurs",
    **{english: " ".join([french] * 4) for english, french in NUMBERS.items()},
}
_FRENCH = {english: forms.split() for english, forms in _DETERMINERS.items()}
POSSESSIVES = ("my", "your", "his", "her", "our", "their")
_AMOUNTS = {"many": "beaucoup", "a lot of": "beaucoup", "how many": "combien"}


def noun(determiner: str, word: Noun, adjectives: Sequence[Adjective] = (), plural: bool = False) -> Nominal:
    """A noun with what belongs to it. Without determiner it is an indefinite amount; "general", the whole kind."""
    plural = plural or word.number == "2"
    if word.kind in DEFINITE and determiner == "":
        determiner = "general"
    several = plural or word.number == "p"
    place = word.feminine + 2 * several
    before = [adjective.french[place] for adjective in adjectives if adjective.before]
    behind = [adjective.french[place] for adjective in adjectives if not adjective.before]
    article, indefinite = _article(determiner, word, place, bool(before))
    return Nominal(
        english=(
            *_english(determiner, plural),
            *(adjective.english for adjective in adjectives),
            word.englishes if plural else word.english,
        ),
        article=article,
        french=(*before, word.frenches if plural else word.french, *behind),
        kind=word.kind,
        feminine=word.feminine,
        english_person=5 if plural else 2,
        french_person=5 if several else 2,
        indefinite=indefinite,
        general=determiner == "general",
    )


def _article(determiner: str, word: Noun, place: int, adjective_follows: bool) -> tuple[Words, str]:
    """The French determiner, and what it becomes under negation."""
    if word.kind in BARE:
        return (), ""
    if determiner == "general":
        determiner = "the"
    if determiner.startswith("all "):
        return ("toutes" if place == 3 else "tous", _FRENCH[determiner.removeprefix("all ")][place]), ""
    if determiner in _AMOUNTS:
        return (_AMOUNTS[determiner], "de|d'"), ""
    if determiner in _FRENCH:
        return (_FRENCH[determiner][place],), "one" if determiner == "a" else ""
    if place >= 2:  # "", some, any: de beaux arbres, but des arbres verts
        return ("de|d'" if adjective_follows else "des",), "some"
    return ("de|d'", _FRENCH["the"][place]), "some"


def _english(determiner: str, plural: bool) -> Words:
    if determiner in ("", "general"):
        return ()
    if determiner == "a":
        return ("a|an",)
    if plural:
        determiner = {"this": "these", "that": "those"}.get(determiner, determiner)
    return (determiner,)


def name(who: str) -> Nominal:
    """Someone of whom only the name is told."""
    return Nominal((who,), (), (who,), "name", NAMES[who])


def friend(whose: str, who: str, words: tuple[str, str, str]) -> Nominal:
    """My friend Anne, mon amie Anne: the name tells what "friend" leaves open."""
    english, masculine, femin = words
    french = femin if NAMES[who] else masculine
    return Nominal((whose, english, who), (_FRENCH[whose][NAMES[who]],), (french, who), "name", NAMES[who])


def owned(owner: Nominal, word: Noun, adjectives: Sequence[Adjective] = (), plural: bool = False) -> Nominal:
    """The teacher's dog, le chien du professeur."""
    thing = noun("the", word, adjectives, plural)
    *words, last = owner.english
    return thing._replace(
        english=(*words, last + "'s", *thing.english[1:]), french=(*thing.french, *owner.after(("de|d'",)))
    )


def both(first: Nominal, second: Nominal) -> Nominal:
    """Anne and Paul, du pain et du fromage; masculine if one of them is."""
    return Nominal(
        (*first.english, "and", *second.english),
        (),
        (*first.whole, "et", *second.whole),
        first.kind,
        first.feminine and second.feminine,
        5,
        5,
        general=first.general,
    )


_PREPOSITIONS: dict[str, Words] = {
    "in": ("dans",),
    "at": ("à",),
    "on": ("sur",),
    "under": ("sous",),
    "near": ("près", "de|d'"),
    "behind": ("derrière",),
    "in front of": ("devant",),
    "with": ("avec",),
    "for": ("pour",),
    "to": ("à",),
    "from": ("de|d'",),
}


def prepositional(preposition: str, nominal: Nominal) -> Pair:
    """Near the bridge, près du pont; in Japan, au Japon; in London, à Londres."""
    english = (preposition, *nominal.english)
    french = _PREPOSITIONS[preposition]
    if nominal.kind == "town" and preposition == "in":
        french = ("à",)
    if nominal.kind == "country" and preposition in ("in", "to", "from"):
        if not nominal.feminine:
            return Pair(english, nominal.after(("de|d'",) if preposition == "from" else ("à",)))
        return Pair(english, ("de|d'" if preposition == "from" else "en", *nominal.french))
    return Pair(english, nominal.after(french))


def agreeing(adjective: Adjective, subject: Nominal) -> str:
    """The French adjective as one says it of the subject: elle est belle."""
    return plain(adjective.french[subject.place])
