"""What holds of the whole corpus: of every pair, and of the parts together.

The French checks are regular expressions over the text, written without the grammar's own tables.
"""

import hashlib
import itertools
import os
import re
import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqwise.data.phrasebook import PROBE, Part, Phrasebook, office_domain, phrasebook
from seqwise.data.phrasebook.corpus import normalized, sentences
from seqwise.data.phrasebook.office import office
from seqwise.errors import ConfigError

VOWEL = "[aàâeéèêiîoôuhœ]"
ASPIRATED = "(?:hibou|hérisson|haricot|héros|hache|harpe|huit)"
ONE = "(?:un|une|le|la|ce|cet|cette|du|au|mon|ma|ton|ta|son|sa|notre|leur|chaque|quel|quelle)"
SEVERAL = "(?:des|ces|mes|tes|ses|nos|leurs|plusieurs|deux|trois|quatre|cinq|six|sept|huit|neuf|dix|quels|quelles)"
FORBIDDEN = {
    "little words are elided before a vowel": (
        rf"\b(je|me|te|le|la|de|ne|que) (?!{ASPIRATED}){VOWEL}",
        "J'aime le histoire.",
    ),
    "nothing is elided before a consonant": (rf"\b(j|m|t|l|d|n|qu)'(?!{VOWEL}|y a)", "L'chat dort."),
    "nothing is elided before an aspirated h": (rf"'{ASPIRATED}", "L'hibou dort."),
    "si is elided before il only": (r"\bsi ils?\b|\bs'(?!ils?\b)", "Je ne sais pas si il dort."),
    "de and à contract with the article, but not with the pronoun": (
        r"\b(de|à) les? (?!\w+(er|ir|re)\b)",
        "Il parle de le chat.",
    ),
    "ce is cet before a vowel": (rf"\bce (?!{ASPIRATED}){VOWEL}", "Ce arbre est vert."),
    "cet is ce before a consonant": (rf"\bcet (?!{VOWEL})|\bcet {ASPIRATED}", "Cet hibou dort."),
    "ma is mon before a vowel": (rf"\b[mts]a (?!{ASPIRATED}){VOWEL}", "Ma école est ici."),
    "beau is bel before a vowel": (rf"\b{ONE} (beau|nouveau|vieux) (?!{ASPIRATED}){VOWEL}", "C'est un vieux homme."),
    "bel is beau before a consonant": (
        rf"\b(bel|nouvel|vieil) (?!{VOWEL})|\b(bel|nouvel|vieil) {ASPIRATED}",
        "C'est un bel chat.",
    ),
    "several things are in the plural": (rf"\b{SEVERAL} (?!\w+[sx]\b)", "Il a deux chat."),
    "amounts take de": (r"\b(beaucoup|combien) (des|du)\b", "Il a beaucoup des amis."),
    "our own marks are gone": (r"[*|_~]", "Le *hibou dort."),
    "spaces are single and no text begins or ends with one": (r"  |^ | $", "Il  dort."),
    "apostrophes are plain": ("[’`´]", "J’aime Paris."),
}


@pytest.fixture(scope="module")
def book() -> Phrasebook:
    return phrasebook()


def every(book: Phrasebook) -> list[tuple[str, str]]:
    return [
        pair for part in (book.train, book.valid, book.test) for pair in zip(part.sources, part.targets, strict=True)
    ]


def digest(book: Phrasebook) -> str:
    return hashlib.sha256("\n".join("\t".join(pair) for pair in every(book)).encode()).hexdigest()


def test_the_corpus_is_the_same_to_the_byte_on_every_version_of_python(book):
    """Any change of the grammar changes the digest; what was measured on the corpus is then to be measured again."""
    assert digest(book) == "add5e363476cf41a273714f521bb6efb0c8a0553c4aa1ae938cd23ccf79cc1fb"


def test_the_parts_have_the_sizes_promised(book):
    assert [len(part) for part in (book.train, book.valid, book.test)] == [38_000, 1000, 1000]


def test_no_source_and_no_target_comes_twice_whatever_its_case_and_mark(book):
    """So no sentence of the test stands in the training part, on either side."""
    for side in zip(*every(book), strict=True):
        assert len({normalized(text) for text in side}) == 40_000


@pytest.mark.parametrize("pairs", [400, 1000, 40_000])
def test_every_word_of_what_is_held_out_stands_in_the_training_part(pairs):
    for seed in range(3 if pairs < 40_000 else 1):
        made = phrasebook(seed, pairs)
        for side in ("sources", "targets"):
            known, held = (
                {word for text in texts for word in re.findall(r"\w+", text.lower())}
                for texts in (getattr(made.train, side), getattr(made.valid, side) + getattr(made.test, side))
            )
            assert held <= known
        assert len(made.valid) == len(made.test) == pairs // 40


def test_the_probe_stands_nowhere_not_even_inside_a_sentence(book):
    assert PROBE == "I love machine learning"
    for source, target in every(book):
        assert PROBE.lower() not in source.lower()
        assert "j'aime l'apprentissage automatique" not in target.lower()


def test_what_the_probe_is_made_of_stands_in_many_pairs(book):
    """A model can compose it: each half is common beside other halves."""
    loved = [text for text in book.train.sources if text.startswith("I love ")]
    learnt = [text for text in book.train.sources if "machine learning" in text.lower()]
    subjects = {text.split()[0] for text in learnt}
    assert len(loved) >= 50
    assert len(learnt) >= 100
    assert len(subjects) >= 20
    assert any(text.startswith(("We love machine learning", "They love machine learning")) for text in learnt)


@pytest.mark.parametrize("rule", FORBIDDEN)
def test_french_spelling(book, rule):
    pattern, wrong = FORBIDDEN[rule]
    forbidden = re.compile(pattern, re.IGNORECASE)
    assert forbidden.search(wrong)
    assert [target for _, target in every(book) if forbidden.search(target)] == []


def test_ne_never_comes_without_pas(book):
    for source, target in every(book):
        assert len(re.findall(r"\bn(?:e\b|')", target, re.IGNORECASE)) == len(re.findall(r"\bpas\b", target)), source


def test_pas_takes_de_but_after_being_and_after_verbs_with_de(book):
    """C'est pas une pomme; je ne viens pas du Canada: there "du" is no amount."""
    pattern = re.compile(r"(\w+) pas (?:\w+ment |souvent |toujours )?(?:un|une|des|du)\b")
    before = {found[1] for _, target in every(book) if (found := pattern.search(target))}
    of_being = {"suis", "es", "est", "sommes", "êtes", "sont"}
    assert {verb for verb in before - of_being if not re.match(r"parl|jou|vien|ven|pens|besoin", verb)} == set()


def test_a_negation_in_one_language_is_one_in_the_other(book):
    for source, target in every(book):
        english = len(re.findall(r"\bnot\b|n't\b|\bcannot\b|\bare no\b|\bis no\b", source, re.IGNORECASE))
        assert english == len(re.findall(r"\bpas\b", target)), (source, target)


def test_an_is_written_before_a_vowel_sound_only(book):
    wrong = re.compile(
        r"\ba [aeio]|\ba u(?!seful|niform|niversity)|\ban (?![aeiou])|\ban u(seful|niform|niversity)", re.I
    )
    assert [source for source, _ in every(book) if wrong.search(source)] == []


def test_each_pair_is_one_sentence_with_one_mark_or_none(book):
    bare = 0
    for source, target in every(book):
        mark = source[-1] if source[-1] in ".?!" else ""
        assert re.fullmatch(r"[A-Z][\w', ]*", source.removesuffix(mark), re.ASCII), source
        assert re.fullmatch(r"[A-ZÉÀÊ][\w', -]*", target.removesuffix({"": "", ".": "."}.get(mark, " " + mark))), target
        assert target[-1] == mark or not mark
        bare += not mark
    assert 0.15 <= bare / 40_000 <= 0.20


def test_sentences_have_3_to_14_words(book):
    lengths = [len(source.split()) for source, _ in every(book)]
    assert (min(lengths), max(lengths)) == (3, 14)


def test_questions_are_questions_in_both_languages(book):
    """Where English asks with an auxiliary, French does with est-ce que."""
    for source, target in every(book):
        if re.match(r"(Do|Does|Is|Are|Am|Can|Must|Don't|Doesn't|Isn't|Aren't) (I|you|he|she|we|they|there)\b", source):
            assert target.startswith(("Est-ce que ", "Est-ce qu'")), (source, target)


PERSONS = {
    "je": r"(suis|ai|vais|peux|veux|\w+(e|s))",
    "tu": r"(peux|veux|\w+s)",
    "il": r"(a|va|\w+[etd])",
    "nous": r"(sommes|\w+ons)",
    "vous": r"(êtes|faites|dites|\w+ez)",
    "ils": r"(\w+nt)",
}


@pytest.mark.parametrize("pronoun", PERSONS)
def test_the_verb_agrees_with_a_pronoun_that_opens_the_sentence(book, pronoun):
    subject = r"(je |j')" if pronoun == "je" else f"{pronoun} (?!y a|n'y a)"
    between = r"(ne |n')?((me|te|le|la|les|nous|vous) |[mtl]')?"
    opened = [target for _, target in every(book) if re.match(subject, target, re.IGNORECASE)]
    verb = re.compile(rf"{subject}{between}{PERSONS[pronoun]}\b", re.IGNORECASE)
    assert len(opened) > 300
    assert [target for target in opened if not verb.match(target)] == []


def test_one_english_sentence_has_one_french_sentence():
    """Over far more sentences than the corpus holds, so that a score of 100 can be reached."""
    known: dict[str, str] = {}
    for source, target in itertools.islice(sentences(seed=1), 60_000):
        assert known.setdefault(normalized(source), normalized(target)) == normalized(target), source


def test_the_space_of_sentences_is_much_larger_than_the_corpus():
    """Of the sentences of one seed, few have come with another."""
    first, second = ({normalized(source) for source, _ in itertools.islice(sentences(seed), 20_000)} for seed in (1, 2))
    assert len(first & second) < 0.1 * len(first)


@settings(max_examples=10, deadline=None)
@given(st.integers(-(2**40), 2**40))
def test_any_seed_makes_a_corpus_and_the_same_one_twice(seed):
    made = phrasebook(seed, 400)
    assert digest(made) == digest(phrasebook(seed, 400))
    assert digest(made) != digest(phrasebook(seed + 1, 400))


@pytest.mark.parametrize("hashes", ["1", "2"])
def test_the_corpus_does_not_hang_on_how_python_hashes(hashes):
    program = "from seqwise.data.phrasebook import phrasebook as p; print(p(5, 2000))"
    told = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONHASHSEED": hashes},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
    )
    assert told.stdout == f"{phrasebook(5, 2000)}\n"


def test_forty_thousand_pairs_take_seconds_at_most():
    """In processor time, as other processes may hold the machine; two of them on a fast one."""
    start = time.process_time()
    phrasebook(seed=2)
    assert time.process_time() - start < 9


@pytest.mark.parametrize(("pairs", "mend"), [(0, 400), (-1, 400), (10**9, 400_000)])
def test_a_number_of_pairs_that_cannot_be_made_is_refused(pairs, mend):
    with pytest.raises(ConfigError, match=f"pairs={pairs}: needs 400 to 400000. Try pairs={mend}."):
        phrasebook(pairs=pairs)


def test_a_part_knows_its_length():
    assert len(Part(["I am here"], ["Je suis ici"])) == 1


# --- the office, a domain --------------------------------------------------------------------------------

BY_HAND = {
    "We are not replacing her old keyboard now": "Nous ne remplaçons pas son vieux clavier maintenant",
    "Repair a charger, please.": "Répare un chargeur, s'il te plaît.",
    "Let's restart all the yellow computers": "Redémarrons tous les ordinateurs jaunes",
    "The customer forgets the password in the meeting room": (
        "Le client oublie le mot de passe dans la salle de réunion"
    ),
    "Marie does not copy any passwords": "Marie ne copie pas de mots de passe",
    "Let's repair the printer": "Réparons l'imprimante",
    "This assistant forgets to share a folder.": "Cet assistant oublie de partager un dossier.",
    "We are forwarding invoices.": "Nous transférons des factures.",
    "She is not sending French forms to the intern.": "Elle n'envoie pas de formulaires français au stagiaire.",
    "Look for six old hard drives.": "Cherche six vieux disques durs.",
    "Do five assistants need any applications?": "Est-ce que cinq assistants ont besoin d'applications ?",
    "Do not open her folder.": "N'ouvre pas son dossier.",
    "Claire's invoices are German.": "Les factures de Claire sont allemandes.",
    "Is her assistant going to click on the links?": "Est-ce que son assistant va cliquer sur les liens ?",
    "Where are the printers?": "Où sont les imprimantes ?",
    "Don't programmers archive an old folder every evening?": (
        "Est-ce que les programmeurs n'archivent pas de vieux dossier tous les soirs ?"
    ),
}
"""French that a person has checked, a rule of the office each."""


def test_office_sentences_are_those_of_a_person():
    made = office_domain(1)
    pairs = dict(zip(made.train.sources, made.train.targets, strict=True))
    assert {source: pairs[source] for source in BY_HAND} == BY_HAND


def test_the_office_has_its_parts_and_is_the_same_twice():
    made = office_domain(3)
    assert [len(part) for part in (made.train, made.valid, made.test)] == [800, 100, 300]
    assert digest(made) == digest(office_domain(3)) != digest(office_domain(4))
    for side in zip(*every(made), strict=True):
        assert len({normalized(text) for text in side}) == 1200


def test_no_sentence_of_the_office_stands_in_the_general_corpus_nor_could(book):
    """Each has a word that no general pair holds, on the English side; so none can leak, whatever the seeds are."""
    known = {word for source, _ in every(book) for word in re.findall(r"[\w']+", source.lower())}
    assert {"computer", "letter", "open", "meeting"} - known == {"meeting"}
    for source, _ in every(office_domain(1)) + every(office_domain(2)):
        assert set(re.findall(r"[\w']+", source.lower())) - known, source


def test_the_words_of_what_is_held_out_of_the_office_stand_in_its_training_part():
    for seed in range(3):
        made = office_domain(seed)
        for side in ("sources", "targets"):
            known, held = (
                {word for text in texts for word in re.findall(r"\w+", text.lower())}
                for texts in (getattr(made.train, side), getattr(made.valid, side) + getattr(made.test, side))
            )
            assert held <= known


def test_the_office_writes_french_as_the_general_corpus_does():
    drawn = list(itertools.islice(sentences(5, office), 8000))
    for pattern, _ in FORBIDDEN.values():
        forbidden = re.compile(pattern, re.IGNORECASE)
        assert [target for _, target in drawn if forbidden.search(target)] == []
    for source, target in drawn:
        assert len(re.findall(r"\bn(?:e\b|')", target, re.IGNORECASE)) == len(re.findall(r"\bpas\b", target)), source


def test_one_sentence_of_the_office_has_one_french_sentence():
    known: dict[str, str] = {}
    for source, target in itertools.islice(sentences(2, office), 20_000):
        assert known.setdefault(normalized(source), normalized(target)) == normalized(target), source
