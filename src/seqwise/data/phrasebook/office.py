"""Sentences of the office and its computers: a small domain, to which a model of the general corpus can be adapted.

The grammar is the same, the words are not: each sentence has a noun or a verb that no general pair holds ("print the
invoice", imprimer la facture). So a model of the general corpus knows how such a sentence is built and not what
it is about, which is how far domains are apart in practice as well (Koehn and Knowles 2017, section 3.1).
"""

from seqwise.data.phrasebook.choices import (
    ASKED,
    DENIED,
    DOING,
    DONE,
    FIRM,
    NOT_DOING,
    ONE,
    SAID,
    THERE,
    Chance,
    described,
    mixed,
    object_of,
    someone,
)
from seqwise.data.phrasebook.clauses import (
    NOTHING,
    Clause,
    Predicate,
    about_to,
    being,
    giving,
    question,
    request,
    statement,
    taking,
    there_is,
    transitive,
    where_is,
)
from seqwise.data.phrasebook.forms import Pair
from seqwise.data.phrasebook.lexicon import COLOURS, DEGREES, HABIT, NOUNS, NOW, SAID_OF, SOON, nouns
from seqwise.data.phrasebook.phrases import Nominal
from seqwise.data.phrasebook.sentences import Sentence
from seqwise.data.phrasebook.situations import act, circumstances
from seqwise.data.phrasebook.verbs import TAKING, listed

_PRINTED = "file email spreadsheet paper"
_DONE = listed(f"""
print = imprimer : i : {_PRINTED}
print = imprimer : i : {_PRINTED}
save = enregistrer : i : file password message spreadsheet presentation contract
delete = supprimer : i : data
copy = copier : i : data
rename = renommer : i : file folder database
download = télécharger : i : file application backup presentation form
install = installer : i : application server router printer scanner
restart = redémarrer : i : laptop server router printer application computer
replace = remplacer : i : device
share = partager : i : data report presentation
encrypt = chiffrer : i : file folder database backup message
check = vérifier : i : cable backup password paper
sign = signer : i : contract form invoice report
archive = archiver : i : email folder invoice report contract
forward = transférer : i : email message invoice
approve = approuver : i : budget contract report
organise = organiser : i : event
postpone = reporter : i : event
unlock = déverrouiller : i : screen laptop tablet telephone
hire = embaucher : p : staff name
click on = cliquer sur : i : link file folder
open = ouvrir : i : file folder email
prepare = préparer : i : paper meeting conference
buy = acheter : i : device
repair = réparer : i : device
forget = oublier : : password event
look for = chercher : i : device file folder
need = avoir besoin de|d' : s : device application
have = avoir : s : device event
""")
_SENT = listed("""
send = envoyer : i : data paper
show = montrer : i : data paper
give = donner : i : device paper
explain = expliquer : i : paper application
""")
_WANTED = ("want to", "need to", "try to", "forget to", "can", "must")
_TAKING = tuple(verb for verb in TAKING if verb.english[0] in _WANTED)
_THINGS = nouns("device device data paper event")
_SAID_OF = nouns("device device data paper event staff")
_WHERE = tuple(
    Pair((english,), (french,))
    for english, french in {
        "at the office": "au bureau",
        "at work": "au travail",
        "in the meeting room": "dans la salle de réunion",
        "before the meeting": "avant la réunion",
        "after the meeting": "après la réunion",
    }.items()
)


def _who(chance: Chance, negated: bool = False, asking: bool = False) -> Nominal:
    """Whoever works there."""
    if chance.happens(0.6):
        return someone(chance, negated, asking)
    return described(chance, chance.pick(NOUNS["staff"]), NOT_DOING if negated else DOING, share=0.2)


def _receiver(chance: Chance) -> Nominal:
    return described(chance, chance.pick(NOUNS["staff"]), FIRM, share=0.15)


_DOING = mixed({"transitive": 60, "giving": 14, "taking": 18, "about to": 8})


def _act(chance: Chance, subject: Nominal, determiners: tuple[str, ...]) -> Predicate:
    """What one does with documents and machines."""
    match chance.pick(_DOING):
        case "giving":
            verb = chance.pick(_SENT)
            return giving(verb, object_of(chance, verb, determiners), _receiver(chance))
        case "taking":
            verb = chance.pick(_TAKING)
            inner = FIRM if determiners is DENIED and "n" not in verb.flags else determiners
            return taking(verb, act(chance, subject, "transitive", inner, _ACTIONS))
        case "about to":
            return about_to(act(chance, subject, "transitive", determiners, _ACTIONS))
        case _:
            return act(chance, subject, "transitive", determiners, _DONE)


_ACTIONS = tuple(verb for verb in _DONE if not verb.state)


def _doing(chance: Chance, asking: bool = False) -> Clause:
    """Someone does something at the office."""
    negated, short = chance.happens(0.06 if asking else 0.2), chance.happens(0.3)
    determiners = DENIED if negated else ASKED if asking else DONE
    subject = _who(chance, negated, asking)
    clause = Clause(subject, _act(chance, subject, determiners), negated, short=short)
    clause = circumstances(chance, clause, brief=True)
    going = clause.predicate.going
    if clause.tail != NOTHING or clause.adverb != NOTHING or (clause.predicate.verb.state and not going):
        return clause
    if chance.happens(0.5):
        return clause
    times = SOON if going else NOW if clause.ongoing else HABIT
    return clause._replace(tail=chance.pick(_WHERE if chance.happens(0.6) else times))


def _so(chance: Chance) -> Clause:
    """The printer is too old."""
    negated, short = chance.happens(0.2), chance.happens(0.3)
    subject = described(chance, chance.pick(_SAID_OF), SAID, share=0.1)
    adjective = chance.pick(SAID_OF[subject.kind])
    graded = adjective not in COLOURS and chance.happens(0.4)
    predicate = being(subject, adjective, chance.pick(DEGREES) if graded else NOTHING)
    return Clause(subject, predicate, negated, short=short)


_HOWS = mixed({"": 6, "do not": 2, "let's": 2})
_PLEASE = Pair((",", "please"), (",", "s'il te plaît"))


def _request(chance: Chance) -> Pair:
    """Print the invoice, please."""
    how, verb = chance.pick(_HOWS), chance.pick([verb for verb in _DONE if "i" in verb.flags])
    predicate = transitive(verb, object_of(chance, verb, DENIED if "n" in how else DONE))
    return request(predicate, how, _PLEASE if how != "let's" and chance.happens(0.3) else NOTHING)


_KINDS = mixed({"doing": 46, "asked": 16, "so": 12, "request": 14, "where": 6, "there": 6})


def office(chance: Chance) -> Sentence:
    """Any sentence of the domain; one in six has no mark behind it, as in the general corpus."""
    mark = "."
    match chance.pick(_KINDS):
        case "asked":
            words, mark = question(_doing(chance, asking=True)), "?"
        case "so":
            words = statement(_so(chance))
        case "request":
            words = _request(chance)
        case "where":
            words, mark = where_is(described(chance, chance.pick(_THINGS), ONE)), "?"
        case "there":
            words = there_is(described(chance, chance.pick(NOUNS["device"]), THERE), chance.pick(_WHERE[:3]))
        case _:
            words = statement(_doing(chance))
    return Sentence(words, "" if chance.happens(0.17) else mark)
