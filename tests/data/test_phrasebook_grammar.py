"""Sentences checked by hand, rule by rule. The French of each was written by a person, not by the grammar.

The meaning is given to the grammar's pure functions, so nothing here hangs on chance.
"""

import pytest

from seqwise.data.phrasebook import lexicon, verbs
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
from seqwise.data.phrasebook.forms import Pair, conjugate, french_plural, imperative
from seqwise.data.phrasebook.phrases import (
    NAMES,
    PRONOUNS,
    THESE,
    THIS,
    WHO,
    Nominal,
    both,
    friend,
    name,
    noun,
    owned,
    prepositional,
)
from seqwise.data.phrasebook.sentences import Sentence

VERBS = {v.english[0]: v for v in (*verbs.INTRANSITIVE, *verbs.TAKING, *verbs.GIVING, *verbs.TRANSITIVE[::-1])}
PLAY_MUSIC = next(v for v in verbs.TRANSITIVE if v.infinitive == "jouer" and "d" in v.flags)
NOUNS = sorted((n for kind in lexicon.NOUNS.values() for n in kind), key=lambda n: -len(n.english))
DETERMINERS = [
    "all the",
    "a lot of",
    "how many",
    "the",
    "an",
    "a",
    "this",
    "that",
    "these",
    "those",
    "my",
    "his",
    "her",
]
DETERMINERS += ["their", "every", "which", "what", "some", "any", "many", "several", "two", "eight", "~"]
SINGULAR = {"an": "a", "these": "this", "those": "that", "~": "general"}
WORDS = {p.english[0]: p for p in (*lexicon.NOW, *lexicon.OFTEN, *lexicon.REALLY, *lexicon.WHERE, *lexicon.DEGREES)}
NO, ON = {"negated": True}, {"ongoing": True}


def np(text: str) -> Nominal:
    """A noun phrase as one writes it, with "~" before what means the whole kind."""
    if text in PRONOUNS or text in NAMES:
        return PRONOUNS[text] if text in PRONOUNS else name(text)
    determiner = next((d for d in DETERMINERS if text.startswith(d + " ")), "")
    word, number, rest = head(text.removeprefix(determiner).strip())
    adjectives = [lexicon.ADJECTIVES[a] for a in rest.split()]
    return noun(SINGULAR.get(determiner, determiner), word, adjectives, plural=number)


def head(text: str) -> tuple[lexicon.Noun, bool, str]:
    """The noun at the end, whether it is a plural, and what stands before it."""
    for word in NOUNS:
        for form, plural in ((word.english.removeprefix("*"), False), (word.englishes.removeprefix("*"), True)):
            if text == form or text.endswith(" " + form):
                return word, plural and word.number != "p", text.removesuffix(form).strip()
    raise LookupError(text)


def of(owner: str, thing: str) -> Nominal:
    word, plural, rest = head(thing)
    return owned(np(owner), word, [lexicon.ADJECTIVES[a] for a in rest.split()], plural)


def put(where: str, thing: str) -> Predicate:
    return located(prepositional(where, np(thing)))


def act(verb: str, thing: str | Nominal | None = None) -> Predicate:
    if thing is None:
        return same(VERBS[verb], *NOTHING)
    return transitive(VERBS[verb], np(thing) if isinstance(thing, str) else thing)


def do(subject: str | Nominal, predicate: Predicate, **more) -> Clause:
    """The keywords are those of Clause."""
    return Clause(np(subject) if isinstance(subject, str) else subject, predicate, **more)


def be(subject: str | Nominal, adjective: str, degree: str = "", **more) -> Clause:
    subject = np(subject) if isinstance(subject, str) else subject
    return Clause(subject, being(subject, lexicon.ADJECTIVES[adjective], WORDS.get(degree, NOTHING)), **more)


def one(english: str, french: str) -> Pair:
    return Pair((english,), (french,))


def holding(verb: verbs.Verb, link: Pair, clause: Clause, **more) -> Clause:
    """I think that it is so."""
    return do("I", same(verb, *link.then(statement(clause))), **more)


THAT, IF = one("that", "que|qu'"), one("if", "si")
WHERE, WHY = one("where", "où"), one("why", "pourquoi")
GARDEN, TABLE = prepositional("in", np("the garden")), prepositional("on", np("the table"))

STATEMENTS = {
    "articles that only French has, elided or plural": [
        (do("I", act("love", "music")), "I love music.", "J'aime la musique."),
        (do("I", act("love", "mathematics")), "I love mathematics.", "J'aime les mathématiques."),
        (do("we", act("learn", "art history")), "We learn art history.", "Nous apprenons l'histoire de l'art."),
        (do("I", act("love", "deep learning")), "I love deep learning.", "J'aime l'apprentissage profond."),
        (
            do("she", act("study", "machine learning")),
            "She studies machine learning.",
            "Elle étudie l'apprentissage automatique.",
        ),
        (
            do("he", act("teach", "language learning")),
            "He teaches language learning.",
            "Il enseigne l'apprentissage des langues.",
        ),
        (do("you", act("love", "~ cats")), "You love cats.", "Tu aimes les chats."),
        (do("you all", act("visit", "Italy")), "You all visit Italy.", "Vous visitez l'Italie."),
        (do("I", act("know", "Paris")), "I know Paris.", "Je connais Paris."),
    ],
    "du, de la, de l', des, and de before an adjective": [
        (do("she", act("drink", "milk")), "She drinks milk.", "Elle boit du lait."),
        (do("she", act("eat", "some soup")), "She eats some soup.", "Elle mange de la soupe."),
        (do("she", act("drink", "some water")), "She drinks some water.", "Elle boit de l'eau."),
        (do("she", act("eat", "pasta")), "She eats pasta.", "Elle mange des pâtes."),
        (do("I", act("see", "trees")), "I see trees.", "Je vois des arbres."),
        (do("I", act("see", "beautiful trees")), "I see beautiful trees.", "Je vois de beaux arbres."),
        (do("I", act("see", "black horses")), "I see black horses.", "Je vois des chevaux noirs."),
        (
            do("they", act("eat", both(np("bread"), np("eggs")))),
            "They eat bread and eggs.",
            "Ils mangent du pain et des œufs.",
        ),
    ],
    "negation takes un, du and des, but not le, mon and ce, and nothing after être": [
        (
            do("the old man", act("drink", "water"), **NO),
            "The old man does not drink water.",
            "Le vieil homme ne boit pas d'eau.",
        ),
        (do("we", act("have", "a car"), **NO), "We do not have a car.", "Nous n'avons pas de voiture."),
        (do("I", act("eat", "any meat"), short=True, **NO), "I don't eat any meat.", "Je ne mange pas de viande."),
        (do("I", act("buy", "oranges"), **NO), "I do not buy oranges.", "Je n'achète pas d'oranges."),
        (do("he", act("love", "music"), **NO), "He does not love music.", "Il n'aime pas la musique."),
        (do("he", act("open", "my letter"), **NO), "He does not open my letter.", "Il n'ouvre pas ma lettre."),
        (do(THIS, identical(np("an owl")), **NO), "This is not an owl.", "Ce n'est pas un hibou."),
        (do(THESE, identical(np("my keys")), **NO), "These are not my keys.", "Ce ne sont pas mes clés."),
    ],
    "prepositions of verbs, contracted with the article or swallowing it": [
        (do("I", act("need", "water")), "I need water.", "J'ai besoin d'eau."),
        (do("I", act("need", "a table")), "I need a table.", "J'ai besoin d'une table."),
        (do("I", act("need", "the bag"), **NO), "I do not need the bag.", "Je n'ai pas besoin du sac."),
        (do("she", act("talk about", "the films")), "She talks about the films.", "Elle parle des films."),
        (do("she", act("talk about", "history")), "She talks about history.", "Elle parle de l'histoire."),
        (do("we", act("think about", "the film")), "We think about the film.", "Nous pensons au film."),
        (do("he", act("answer", "the questions")), "He answers the questions.", "Il répond aux questions."),
        (do("they", act("play", "football")), "They play football.", "Ils jouent au football."),
        (do("they", act("play", "chess")), "They play chess.", "Ils jouent aux échecs."),
        (do("I", transitive(PLAY_MUSIC, np("the piano"))), "I play the piano.", "Je joue du piano."),
        (do("I", transitive(PLAY_MUSIC, np("the harp"))), "I play the harp.", "Je joue de la harpe."),
        (
            do("I", transitive(PLAY_MUSIC, np("the accordion")), **NO),
            "I do not play the accordion.",
            "Je ne joue pas de l'accordéon.",
        ),
        (
            do("I", giving(VERBS["give"], np("the key"), np("the teacher"))),
            "I give the key to the teacher.",
            "Je donne la clé au professeur.",
        ),
        (
            do("I", giving(VERBS["show"], np("a photo"), np("the children")), **NO),
            "I do not show a photo to the children.",
            "Je ne montre pas de photo aux enfants.",
        ),
    ],
    "adjectives before and behind the noun, agreeing, and before a vowel": [
        (do("we", act("see", "a beautiful bird")), "We see a beautiful bird.", "Nous voyons un bel oiseau."),
        (do("we", act("visit", "a new hotel")), "We visit a new hotel.", "Nous visitons un nouvel hôtel."),
        (
            do("he", act("drive", "a beautiful red car")),
            "He drives a beautiful red car.",
            "Il conduit une belle voiture rouge.",
        ),
        (do("he", act("wear", "a white shirt")), "He wears a white shirt.", "Il porte une chemise blanche."),
        (do("he", act("have", "brown shoes")), "He has brown shoes.", "Il a des chaussures marron."),
        (do("he", act("wear", "a uniform")), "He wears a uniform.", "Il porte un uniforme."),
        (be("she", "happy"), "She is happy.", "Elle est heureuse."),
        (be(both(np("Anne"), np("Marie")), "happy"), "Anne and Marie are happy.", "Anne et Marie sont heureuses."),
        (be(both(np("Anne"), np("Paul")), "happy"), "Anne and Paul are happy.", "Anne et Paul sont heureux."),
        (be("this house", "old"), "This house is old.", "Cette maison est vieille."),
        (
            be("the tree", "beautiful", tail=WORDS["today"]),
            "The tree is beautiful today.",
            "L'arbre est beau aujourd'hui.",
        ),
        (be("mathematics", "difficult"), "Mathematics is difficult.", "Les mathématiques sont difficiles."),
        (
            be("machine learning", "interesting", "very"),
            "Machine learning is very interesting.",
            "L'apprentissage automatique est très intéressant.",
        ),
        (be("we", "tired", short=True), "We're tired.", "Nous sommes fatigués."),
    ],
    "determiners": [
        (do("this man", act("see", "those trees")), "This man sees those trees.", "Cet homme voit ces arbres."),
        (do("my aunt", act("like", "his school")), "My aunt likes his school.", "Ma tante aime son école."),
        (do("every child", act("sing", "a song")), "Every child sings a song.", "Chaque enfant chante une chanson."),
        (do("two cats", act("drink", "milk")), "Two cats drink milk.", "Deux chats boivent du lait."),
        (do("I", act("need", "eight newspapers")), "I need eight newspapers.", "J'ai besoin de huit journaux."),
        (do("all the nurses", act("work")), "All the nurses work.", "Toutes les infirmières travaillent."),
        (do("she", act("have", "many old friends")), "She has many old friends.", "Elle a beaucoup de vieux amis."),
        (do("she", act("want", "a lot of water")), "She wants a lot of water.", "Elle veut beaucoup d'eau."),
        (
            do(friend("my", "Anne", ("friend", "ami", "amie")), act("buy", "a new car")),
            "My friend Anne buys a new car.",
            "Mon amie Anne achète une nouvelle voiture.",
        ),
    ],
    "the h that is aspirated and the h that is not": [
        (do("the owl", act("look for", "the bean")), "The owl looks for the bean.", "Le hibou cherche le haricot."),
        (do("the hero", act("see", "the hotel")), "The hero sees the hotel.", "Le héros voit l'hôtel."),
        (be("this hedgehog", "old"), "This hedgehog is old.", "Ce hérisson est vieux."),
        (
            do("my axe", put("near", "the church")),
            "My axe is near the church.",
            "Ma hache est près de l'église.",
        ),
    ],
    "what belongs to whom": [
        (
            do("Paul", act("wash", of("my sister", "car"))),
            "Paul washes my sister's car.",
            "Paul lave la voiture de ma sœur.",
        ),
        (
            do("I", act("see", of("the doctor", "small dog"))),
            "I see the doctor's small dog.",
            "Je vois le petit chien du médecin.",
        ),
        (
            do("I", act("like", of("Alice", "new songs"))),
            "I like Alice's new songs.",
            "J'aime les nouvelles chansons d'Alice.",
        ),
    ],
    "pronouns before the verb, where le does not contract": [
        (do("I", pronominal(VERBS["love"], "you")), "I love you.", "Je t'aime."),
        (do("she", pronominal(VERBS["see"], "him"), **NO), "She does not see him.", "Elle ne le voit pas."),
        (
            do("they", pronominal(VERBS["help"], "us"), adverb=WORDS["often"]),
            "They often help us.",
            "Ils nous aident souvent.",
        ),
        (
            do("we", taking(VERBS["try to"], pronominal(VERBS["call"], "them"))),
            "We try to call them.",
            "Nous essayons de les appeler.",
        ),
        (
            do("I", taking(VERBS["start to"], pronominal(VERBS["know"], "him"))),
            "I start to know him.",
            "Je commence à le connaître.",
        ),
    ],
    "infinitives": [
        (
            do("I", taking(VERBS["want to"], act("read", "a book"))),
            "I want to read a book.",
            "Je veux lire un livre.",
        ),
        (
            do("I", taking(VERBS["want to"], act("read", "a book")), **NO),
            "I do not want to read a book.",
            "Je ne veux pas lire de livre.",
        ),
        (do("I", taking(VERBS["like to"], act("dance"))), "I like to dance.", "J'aime danser."),
        (
            do("he", taking(VERBS["must"], act("work")), short=True, **NO),
            "He mustn't work.",
            "Il ne doit pas travailler.",
        ),
        (do("she", taking(VERBS["know how to"], act("swim"))), "She knows how to swim.", "Elle sait nager."),
        (
            do("you", taking(VERBS["can"], speaking("French", "français")), **NO),
            "You cannot speak French.",
            "Tu ne peux pas parler français.",
        ),
        (
            do("we", taking(VERBS["need to"], act("learn", "Arabic"))),
            "We need to learn Arabic.",
            "Nous avons besoin d'apprendre l'arabe.",
        ),
        (
            do("they", about_to(act("read", "the newspaper"))),
            "They are going to read the newspaper.",
            "Ils vont lire le journal.",
        ),
    ],
    "adverbs, places, and être for have": [
        (do("I", feeling(("hungry",), ("faim",)), short=True), "I'm hungry.", "J'ai faim."),
        (do("she", working_as(np("she"), "baker")), "She is a baker.", "Elle est boulangère."),
        (
            do("they", working_as(np("they"), "engineer"), **NO),
            "They are not engineers.",
            "Ils ne sont pas ingénieurs.",
        ),
        (
            do("she", act("eat", "an apple"), tail=WORDS["now"], **ON),
            "She is eating an apple now.",
            "Elle mange une pomme maintenant.",
        ),
        (
            do("she", act("like", "~ tea"), adverb=WORDS["really"], **NO),
            "She does not really like tea.",
            "Elle n'aime pas vraiment le thé.",
        ),
        (do("the bus", put("in", "Canada")), "The bus is in Canada.", "Le bus est au Canada."),
        (do("Emma", put("in", "France")), "Emma is in France.", "Emma est en France."),
        (do("Emma", put("in", "Rome")), "Emma is in Rome.", "Emma est à Rome."),
        (do("we", located(WORDS["at school"])), "We are at school.", "Nous sommes à l'école."),
        (do(WHO, act("read", "my letter"), **ON), "Who is reading my letter.", "Qui lit ma lettre."),
    ],
    "clauses in clauses": [
        (holding(verbs.THINK, THAT, be("Anne", "rich")), "I think that Anne is rich.", "Je pense qu'Anne est riche."),
        (
            holding(verbs.KNOW, IF, be("he", "sick"), **NO),
            "I do not know if he is sick.",
            "Je ne sais pas s'il est malade.",
        ),
        (
            holding(verbs.KNOW, IF, be("they", "sick"), **NO),
            "I do not know if they are sick.",
            "Je ne sais pas s'ils sont malades.",
        ),
        (
            holding(verbs.KNOW, IF, be("she", "sick"), **NO),
            "I do not know if she is sick.",
            "Je ne sais pas si elle est malade.",
        ),
        (
            do("she", doing_both(act("read", "a book"), act("drink", "coffee"), np("she"), ongoing=False)),
            "She reads a book and drinks coffee.",
            "Elle lit un livre et boit du café.",
        ),
    ],
}
OTHERS = {
    "yes or no": [
        (
            question(do("you", act("like", "these beautiful trees"))),
            "Do you like these beautiful trees?",
            "Est-ce que tu aimes ces beaux arbres ?",
        ),
        (question(do("she", act("sleep"))), "Does she sleep?", "Est-ce qu'elle dort ?"),
        (question(do("Alice", act("sleep"), **ON)), "Is Alice sleeping?", "Est-ce qu'Alice dort ?"),
        (question(do("the hero", act("sleep"))), "Does the hero sleep?", "Est-ce que le héros dort ?"),
        (question(do("you", act("have", "any bread"))), "Do you have any bread?", "Est-ce que tu as du pain ?"),
        (question(be("the soup", "hot")), "Is the soup hot?", "Est-ce que la soupe est chaude ?"),
        (question(do("you", act("want", "tea"), **NO)), "Don't you want tea?", "Est-ce que tu ne veux pas de thé ?"),
        (question(do("I", feeling(("right",), ("raison",)))), "Am I right?", "Est-ce que j'ai raison ?"),
        (question(do(THESE, identical(np("my shoes")))), "Are these my shoes?", "Est-ce que ce sont mes chaussures ?"),
    ],
    "question words": [
        (question(do("you", act("eat")), one("what", "")), "What do you eat?", "Qu'est-ce que tu manges ?"),
        (question(do("she", act("read"), **ON), one("what", "")), "What is she reading?", "Qu'est-ce qu'elle lit ?"),
        (question(do("he", act("work")), WHERE), "Where does he work?", "Où est-ce qu'il travaille ?"),
        (where_is(np("my keys")), "Where are my keys?", "Où sont mes clés ?"),
        (question(be("you", "sad"), WHY), "Why are you sad?", "Pourquoi est-ce que tu es triste ?"),
        (
            question(do("we", act("have")), np("how many owls").pair),
            "How many owls do we have?",
            "Combien de hiboux est-ce que nous avons ?",
        ),
        (
            question(do("we", act("have")), np("how many eggs").pair),
            "How many eggs do we have?",
            "Combien d'œufs est-ce que nous avons ?",
        ),
        (
            question(do("you all", act("choose")), np("which shoes").pair),
            "Which shoes do you all choose?",
            "Quelles chaussures est-ce que vous choisissez ?",
        ),
        (statement(do(WHO, act("love", "chemistry"))), "Who loves chemistry?", "Qui aime la chimie ?"),
    ],
    "what there is": [
        (there_is(np("a cat"), GARDEN), "There is a cat in the garden.", "Il y a un chat dans le jardin."),
        (there_is(np("two books"), TABLE), "There are two books on the table.", "Il y a deux livres sur la table."),
        (
            there_is(np("wine"), TABLE, negated=True),
            "There is no wine on the table.",
            "Il n'y a pas de vin sur la table.",
        ),
        (
            there_is(np("any milk"), TABLE, asking=True),
            "Is there any milk on the table?",
            "Est-ce qu'il y a du lait sur la table ?",
        ),
    ],
    "comparisons": [
        (
            compared(np("physics"), lexicon.ADJECTIVES["difficult"], np("history"), more=True),
            "Physics is more difficult than history.",
            "La physique est plus difficile que l'histoire.",
        ),
        (
            compared(np("Anne"), lexicon.ADJECTIVES["tall"], np("Arthur"), more=False),
            "Anne is as tall as Arthur.",
            "Anne est aussi grande qu'Arthur.",
        ),
        (
            compared(np("these apples"), lexicon.ADJECTIVES["good"], np("those oranges"), more=True, negated=True),
            "These apples are not better than those oranges.",
            "Ces pommes ne sont pas meilleures que ces oranges.",
        ),
    ],
    "requests and exclamations": [
        (request(act("look at", "this horse")), "Look at this horse!", "Regarde ce cheval !"),
        (request(act("open", "the door")), "Open the door!", "Ouvre la porte !"),
        (request(act("read", "these poems")), "Read these poems!", "Lis ces poèmes !"),
        (request(act("buy", "any eggs"), "do not"), "Do not buy any eggs!", "N'achète pas d'œufs !"),
        (request(act("eat", "oranges"), "let's"), "Let's eat oranges!", "Mangeons des oranges !"),
        (request(act("explain", "law"), "let's"), "Let's explain law!", "Expliquons le droit !"),
        (
            request(act("close", "the window"), "", Pair((",", "please"), (",", "s'il te plaît"))),
            "Close the window, please!",
            "Ferme la fenêtre, s'il te plaît !",
        ),
        (np("what beautiful flowers").pair, "What beautiful flowers!", "Quelles belles fleurs !"),
    ],
}

CONJUGATED = """
acheter achète achètes achète achetons achetez achètent
aimer aime aimes aime aimons aimez aiment
appeler appelle appelles appelle appelons appelez appellent
apprendre apprends apprends apprend apprenons apprenez apprennent
attendre attends attends attend attendons attendez attendent
choisir choisis choisis choisit choisissons choisissez choisissent
commencer commence commences commence commençons commencez commencent
enseigner enseigne enseignes enseigne enseignons enseignez enseignent
envoyer envoie envoies envoie envoyons envoyez envoient
espérer espère espères espère espérons espérez espèrent
étudier étudie étudies étudie étudions étudiez étudient
expliquer explique expliques explique expliquons expliquez expliquent
chercher cherche cherches cherche cherchons cherchez cherchent
manger mange manges mange mangeons mangez mangent
nager nage nages nage nageons nagez nagent
nettoyer nettoie nettoies nettoie nettoyons nettoyez nettoient
préférer préfère préfères préfère préférons préférez préfèrent
répondre réponds réponds répond répondons répondez répondent
travailler travaille travailles travaille travaillons travaillez travaillent
"""


def told(case: object) -> str:
    return case if isinstance(case, str) else ""


@pytest.mark.parametrize(
    ("clause", "english", "french"), [case for cases in STATEMENTS.values() for case in cases], ids=told
)
def test_statements_are_what_a_teacher_would_write(clause, english, french):
    assert Sentence(statement(clause), ".").spelled == (english, french)


@pytest.mark.parametrize(
    ("words", "english", "french"), [case for cases in OTHERS.values() for case in cases], ids=told
)
def test_questions_and_requests_are_what_a_teacher_would_write(words, english, french):
    assert Sentence(words, english[-1]).spelled == (english, french)


def test_a_sentence_without_mark_has_none_in_either_language():
    words = statement(do("I", act("love", "physics")))
    assert Sentence(words, "").spelled == ("I love physics", "J'aime la physique")


@pytest.mark.parametrize("line", CONJUGATED.strip().splitlines())
def test_regular_verbs_are_conjugated_as_a_grammar_book_has_them(line):
    infinitive, *forms = line.split()
    assert conjugate(infinitive) == tuple(forms)


@pytest.mark.parametrize(
    "verb", ["regarder regarde", "ouvrir ouvre", "lire lis", "choisir choisis", "attendre attends"]
)
def test_a_request_to_a_friend_drops_the_s_of_the_first_group_only(verb):
    infinitive, command = verb.split()
    assert imperative(conjugate(infinitive)) == command


@pytest.mark.parametrize(
    "pair", ["cheval chevaux", "journal journaux", "oiseau oiseaux", "bras bras", "nez nez", "bleu bleus"]
)
def test_plurals(pair):
    one, several = pair.split()
    assert french_plural(one) == several
