"""How words change: plural, feminine and verb forms of both languages, and how neighbours merge in spelling.

A word whose form hangs on the sound behind it is written "plain|before a vowel": "le|l'", "beau|bel", "a|an".
A star in front means that nothing merges with the word: "*hibou" (its h is aspirated), "*university", and
the pronoun "*le", since "de" and "à" contract with the article only.

    spell(["de|d'", "le|l'", "*hibou"], FRENCH)   ->  du hibou
    spell(["je|j'", "aime", "le|l'", "histoire"], FRENCH)  ->  j'aime l'histoire

Left out: every tense but the present, and whatever the words of the lexicon do not need.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

Words = tuple[str, ...]


class Pair(NamedTuple):
    """The same in both languages, word by word, not yet spelled."""

    english: Words
    french: Words

    def then(self, *others: "Pair") -> "Pair":
        """This, and the others behind it."""
        return Pair(
            self.english + tuple(word for other in others for word in other.english),
            self.french + tuple(word for other in others for word in other.french),
        )


class Language(NamedTuple):
    """What decides how neighbouring words are written."""

    vowels: str
    """Letters that begin a word with a vowel sound, unless a star stands before them."""
    merged: dict[str, dict[str, str]]
    """What a word becomes with the one behind it."""


ENGLISH = Language("aeiouAEIOU", {})
FRENCH = Language(
    "aàâeéèêiîoôuhœAÀÂEÉÈÊIÎOÔUHŒ",
    {
        "de": {"le": "du", "les": "des"},
        "à": {"le": "au", "les": "aux"},
        "si": {"il": "s'il", "ils": "s'ils"},
    },
)


def spell(words: Sequence[str], language: Language) -> str:
    """The words as one text: elided, contracted, without marks of ours."""
    spelled: list[str] = []  # from the last word to the first, since a form hangs on what follows
    for word in reversed(words):
        following = spelled[-1] if spelled else "."
        if "|" in word:
            plain, _, before_vowel = word.partition("|")
            word = before_vowel if following[0] in language.vowels else plain
        if word in language.merged and following in language.merged[word]:
            spelled[-1] = language.merged[word][following]
        else:
            spelled.append(word)
    return " ".join(reversed(spelled)).replace("' ", "'").replace(" ,", ",").replace("*", "")


def plain(word: str) -> str:
    """The form that stands before a pause."""
    return word.partition("|")[0]


# --- English ---------------------------------------------------------------------------------------------

_SIBILANT = re.compile(r"(s|x|ch|sh|o)$")


def english_plural(noun: str) -> str:
    """One cat, two cats; irregular ones stand in the lexicon."""
    if re.search(r"[^aeiou]y$", noun):
        return noun[:-1] + "ies"
    return noun + ("es" if _SIBILANT.search(noun) and noun not in ("photo", "piano") else "s")


def third_person(verb: str) -> str:
    """She looks for; only the first word changes."""
    head, *tail = verb.split()
    head = "has" if head == "have" else english_plural(head)
    return " ".join([head, *tail])


def progressive(verb: str) -> str:
    """She is looking for; only the first word changes."""
    head, *tail = verb.split()
    if head in ("swim", "run", "forget", "travel"):
        head += head[-1]
    elif re.search(r"[^e]e$", head) and head != "be":
        head = head[:-1]
    return " ".join([head + "ing", *tail])


# --- French ----------------------------------------------------------------------------------------------


def french_plural(word: str) -> str:
    """Un chat, deux chats; of nouns and adjectives."""
    word = plain(word)
    if word[-1] in "sxz":
        return word
    if word.endswith(("eau", "eu")) and word != "bleu":
        return word + "x"
    return word[:-2] + "aux" if word.endswith("al") else word + "s"


_FEMININE = [("e", "e"), ("eux", "euse"), ("er", "ère"), ("en", "enne"), ("on", "onne")]


def feminine(adjective: str) -> str:
    """Grand, grande; irregular ones stand in the lexicon."""
    for ending, becomes in _FEMININE:
        if adjective.endswith(ending):
            return adjective.removesuffix(ending) + becomes
    return adjective + "e"


def _er(infinitive: str) -> list[str]:
    """The first group, with its changes of spelling: mangeons, commençons, achète, préfère, nettoie."""
    stem = infinitive[:-2]
    stressed = stem[:-2] + "è" + stem[-1] if re.search(r"[eé][^aeiouyé]$", stem) else stem
    if stem.endswith("y"):
        stressed = stem[:-1] + "i"
    ours = {"g": stem + "e", "c": stem[:-1] + "ç"}.get(stem[-1], stem)
    return [stressed + "e", stressed + "es", stressed + "e", ours + "ons", stem + "ez", stressed + "ent"]


_IRREGULAR = """
aller vais vas va allons allez vont
appeler appelle appelles appelle appelons appelez appellent
avoir ai as a avons avez ont
boire bois bois boit buvons buvez boivent
conduire conduis conduis conduit conduisons conduisez conduisent
connaître connais connais connaît connaissons connaissez connaissent
courir cours cours court courons courez courent
devoir dois dois doit devons devez doivent
dire dis dis dit disons dites disent
dormir dors dors dort dormons dormez dorment
écrire écris écris écrit écrivons écrivez écrivent
être suis es est sommes êtes sont
faire fais fais fait faisons faites font
lire lis lis lit lisons lisez lisent
ouvrir ouvre ouvres ouvre ouvrons ouvrez ouvrent
partir pars pars part partons partez partent
peindre peins peins peint peignons peignez peignent
pouvoir peux peux peut pouvons pouvez peuvent
recevoir reçois reçois reçoit recevons recevez reçoivent
rire ris ris rit rions riez rient
savoir sais sais sait savons savez savent
sourire souris souris sourit sourions souriez sourient
suivre suis suis suit suivons suivez suivent
venir viens viens vient venons venez viennent
voir vois vois voit voyons voyez voient
vouloir veux veux veut voulons voulez veulent
"""
_LISTED = {line.split()[0]: line.split()[1:] for line in _IRREGULAR.strip().splitlines()}


def conjugate(infinitive: str) -> Words:
    """The present tense: je, tu, il, nous, vous, ils."""
    if infinitive in _LISTED:
        return tuple(_LISTED[infinitive])
    if infinitive.endswith("er"):
        return tuple(_er(infinitive))
    stem = infinitive[:-2]
    if infinitive.endswith("ir"):  # choisir
        return tuple(stem + ending for ending in ("is", "is", "it", "issons", "issez", "issent"))
    if infinitive.endswith("prendre"):
        own = infinitive.removesuffix("dre")  # the d is lost: nous prenons
        return (stem + "s", stem + "s", stem, own + "ons", own + "ez", own + "nent")
    return tuple(stem + ending for ending in ("s", "s", "", "ons", "ez", "ent"))  # vendre


def imperative(present: Words) -> str:
    """What one says to a friend: lis, but regarde and ouvre without the s."""
    return present[1].removesuffix("s") if present[1].endswith(("es", "vas")) else present[1]
