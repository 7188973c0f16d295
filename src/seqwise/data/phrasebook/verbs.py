"""Verbs of the phrasebook: their forms in both languages, and what they can be said of.

A line of a table reads "english = french preposition : flags : objects". Objects are kinds of nouns or single
nouns; a kind named twice is drawn twice as often. Flags:

    s  a state: "I know", never "I am knowing"        g  a bare object is the whole kind: I love cats, les chats
    a  animals do it too, without object              p  the object may be a pronoun: I see her
    i  one may ask for it: "Open the door!"           d  the object has the definite article: she takes the train
    w  one does it well or badly                      k  one learns to do it
    n  its negation reaches the object of an infinitive: je ne veux pas acheter de voiture

Left out: verbs whose French depends on more than the verb, such as "visit" (a museum is visited, to a friend one
pays a visit), and all reflexive ones.
"""

from typing import NamedTuple

from seqwise.data.phrasebook.forms import Words, conjugate, imperative, progressive, third_person
from seqwise.data.phrasebook.lexicon import Noun, nouns


class Verb(NamedTuple):
    """An action or a state."""

    english: Words
    """love, loves, loving."""
    french: Words
    """The present tense in six persons."""
    infinitive: str
    command: str
    """What one says to a friend."""
    preposition: Words
    """What the French verb puts before its object."""
    flags: str
    objects: tuple[tuple[Noun, ...], ...]
    """Kinds of objects, each with its nouns; empty where there is none."""
    names: bool
    """Whether the object may be a person's name."""

    @property
    def state(self) -> bool:
        """Whether it is no action, so that English has it in the simple form only."""
        return "s" in self.flags


_PLACE = "building spot"
_GOODS = "clothes motor vehicle thing furniture instrument plant"
_LIKED = f"subject subject subject language game animal meal drink food song show clothes {_PLACE} country"
_TRANSITIVE = f"""
love = aimer : sgp : {_LIKED} person worker kin name town
love = aimer : sgp : {_LIKED} person worker kin name town
like = aimer : sgp : {_LIKED} person worker kin name town
hate = détester : sg : subject subject language game animal meal drink food clothes building worker town
prefer = préférer : sg : subject subject language game meal drink animal clothes
see = voir : sp : animal person kin worker vehicle motor plant building name
look at = regarder : pi : animal photo clock person plant building name
watch = regarder : : show show football tennis
listen to = écouter : pi : song name worker kin
eat = manger : i : food meal
drink = boire : i : drink
read = lire : ik : text press
write = écrire : ik : text
buy = acheter : i : {_GOODS} food meal drink text newspaper
sell = vendre : : {_GOODS} food meal
study = étudier : : subject subject subject language
learn = apprendre : : subject subject language
teach = enseigner : k : subject subject language
understand = comprendre : sp : subject subject language text question name kin
explain = expliquer : ik : subject subject text exercise
know = connaître : sp : name worker kin building spot town country song
want = vouloir : s : {_GOODS} food meal drink animal text
have = avoir : s : {_GOODS} food meal drink animal text
need = avoir besoin de|d' : s : motor thing furniture clothes meal drink text worker
look for = chercher : pi : thing animal name kin clothes hotel restaurant
find = trouver : s : thing clothes plant text
wait for = attendre : pi : bus train plane taxi name kin worker
visit = visiter : i : {_PLACE} country town
help = aider : pi : name kin worker person
call = appeler : pi : name kin worker
open = ouvrir : i : opening shop bag bottle letter
close = fermer : i : opening shop bag
wash = laver : i : car shirt dress window knife dog
wear = porter : : clothes
draw = dessiner : ik : animal plant building
drive = conduire : k : motor
repair = réparer : ik : motor vehicle computer clock telephone
clean = nettoyer : i : kitchen house window car shop
prepare = préparer : ik : soup salad coffee tea fish rice meat pasta
make = faire : k : cake salad soup coffee
bring = apporter : i : food drink gift letter photo chair
choose = choisir : i : clothes text gift cake song
finish = finir : i : exercise letter novel book
sing = chanter : ik : song
take = prendre : id : bus train plane taxi bicycle
receive = recevoir : : letter gift
forget = oublier : : key bag umbrella hat book
answer = répondre à : : question letter teacher
talk about = parler de|d' : g : subject subject language name kin animal show text town country
think about = penser à : g : name kin show subject
play = jouer à : gk : game
play = jouer de|d' : dk : instrument
"""
_OF_ANIMALS = """
love = aimer : sgp : food meal animal person name
like = aimer : sgp : food meal animal person name
hate = détester : sg : meal animal
see = voir : sp : animal person plant food name
look at = regarder : p : animal person opening name
eat = manger : : food meal
eat = manger : : food meal
drink = boire : : water milk
want = vouloir : s : food meal
look for = chercher : : food garden bed shoe
wait for = attendre : p : name kin person
"""
_INTRANSITIVE = """
sleep = dormir : aw :
work = travailler : w :
sing = chanter : w :
dance = danser : w :
swim = nager : aw :
read = lire : w :
walk = marcher : a :
run = courir : a :
laugh = rire : :
travel = voyager : :
"""
_GIVING = """
give = donner : i : thing text press food clothes plant gift
show = montrer : i : photo animal house text clothes
send = envoyer : i : letter gift photo book plant
bring = apporter : i : food drink gift letter plant
write = écrire : i : letter poem
explain = expliquer : i : subject text exercise
teach = enseigner : : subject language
"""
_TAKING = """
want to = vouloir : sn :
like to = aimer : s :
love to = aimer : s :
hate to = détester : s :
prefer to = préférer : s :
hope to = espérer : s :
need to = avoir besoin de|d' : s :
try to = essayer de|d' : :
learn to = apprendre à : k :
forget to = oublier de|d' : s :
start to = commencer à : :
know how to = savoir : sk :
can = pouvoir : sn :
must = devoir : sn :
"""


def _verb(line: str) -> Verb:
    head, flags, objects = (part.strip() for part in line.split(":"))
    english, french = head.split(" = ")
    infinitive, *rest = french.split()
    preposition = () if len(rest) == 0 else (rest[-1],)
    noun, present = rest[:-1], conjugate(infinitive)  # "besoin" of "avoir besoin de" goes with the verb
    return Verb(
        english=(english, third_person(english), progressive(english)),
        french=present,
        infinitive=infinitive,
        command=imperative(present),
        preposition=(*noun, *preposition),
        flags=flags,
        objects=tuple(nouns(kind) for kind in objects.split() if kind != "name"),
        names="name" in objects.split(),
    )


def listed(table: str) -> tuple[Verb, ...]:
    """The verbs of a table, in its order."""
    return tuple(_verb(line) for line in table.strip().splitlines())


TRANSITIVE, INTRANSITIVE, GIVING, TAKING = map(listed, (_TRANSITIVE, _INTRANSITIVE, _GIVING, _TAKING))
OF_ANIMALS = listed(_OF_ANIMALS)
"""What animals do to objects."""
BE = _verb("be = être : s :")
"""Is; its English forms stand in `clauses.py`, since no other verb has as many."""
FEEL = _verb("be = avoir : s :")
"""Is hungry, is ten years old: French has hunger and years."""
GO, COME, LIVE = listed("go to = aller à : :\ncome from = venir de|d' : s :\nlive in = habiter : s :")
SPEAK = _verb("speak = parler : :")
GOING = _verb("go = aller : s :")
"""Is going to read, va lire."""
THINK, SAY, HOPE, KNOW = listed("think = penser : s :\nsay = dire : s :\nhope = espérer : s :\nknow = savoir : s :")
"""What a clause with "that" follows."""
