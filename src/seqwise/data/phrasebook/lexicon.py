"""Nouns, adjectives, names and little words of the phrasebook, and what goes together.

A noun is written "english french gender", with "_" for a space inside and "/" before an irregular plural. The
gender is m or f, with 1 behind it for a noun without plural ("mother": one has one), 2 for one without singular
("parents") and p for a French plural where the English is singular ("pasta", "mathematics").

Nouns stand by kind, because a kind decides what can be done with a thing (bread is eaten, a letter is read) and
which adjectives suit it. Sentences are therefore plausible, if not wise.

Left out: words with two meanings that French tells apart, such as "glass" and "glasses", "fish" in the plural or
"big" of animals (gros) and trees (grand). One English sentence must have one French sentence.
"""

from typing import NamedTuple

from seqwise.data.phrasebook.forms import Pair, Words, english_plural, feminine, french_plural


class Noun(NamedTuple):
    """A thing, a person or a subject of study."""

    english: str
    englishes: str
    french: str
    frenches: str
    feminine: bool
    number: str
    """"1" without plural, "2" without singular, "p" plural in French only, "" otherwise."""
    kind: str


class Adjective(NamedTuple):
    """A quality."""

    english: str
    french: Words
    """Masculine, feminine, masculine plural, feminine plural."""
    before: bool
    """Whether it stands before the noun in French."""
    more: Words
    """The English comparative."""


_NOUNS = {
    "person": "man/men homme m, woman/women femme f, boy garçon m, girl fille f, child/children enfant m",
    "worker": "teacher professeur m, doctor médecin m, student étudiant m, baker boulanger m, engineer ingénieur m,"
    "nurse infirmière f, artist artiste m, lawyer avocat m, king roi m1, queen reine f1, hero *héros m",
    "kin": "brother frère m, sister sœur f, mother mère f1, father père m1, parents/parents parents m2,"
    "uncle oncle m, aunt tante f, cousin cousin m, friend ami m, neighbour voisin m,"
    "grandmother grand-mère/grands-mères f1",
    "animal": "cat chat m, dog chien m, horse cheval m, bird oiseau m, owl *hibou/*hiboux m, rabbit lapin m,"
    "hedgehog *hérisson m, mouse/mice souris f, elephant éléphant m, donkey âne m, bee abeille f, squirrel écureuil m",
    "motor": "car voiture f, bus bus m, taxi taxi m",
    "vehicle": "train train m, plane avion m, bicycle vélo m, helicopter hélicoptère m",
    "clothes": "hat chapeau m, coat manteau m, shirt chemise f, dress robe f, shoe chaussure f,"
    "scarf/scarves écharpe f, *uniform/*uniforms uniforme m",
    "thing": "computer ordinateur m, telephone téléphone m, clock horloge f, key clé f, bag sac m,"
    "umbrella parapluie m, knife/knives couteau m, bottle bouteille f, pen stylo m, photo photo f, gift cadeau m,"
    "axe *hache f",
    "furniture": "table table f, chair chaise f, bed lit m, wardrobe armoire f",
    "plant": "tree arbre m, flower fleur f, rose rose f",
    "text": "book livre m, letter lettre f, novel roman m, poem poème m, story histoire f, article article m",
    "press": "newspaper journal m, exercise exercice m, question question f",
    "show": "film film m, programme émission f",
    "song": "song chanson f, opera opéra m",
    "instrument": "piano piano m1, guitar guitare f1, harp *harpe f1, accordion accordéon m1",
    "opening": "door porte f, window fenêtre f",
    "building": "school école f, hotel hôtel m, hospital hôpital m, church église f, station gare f1, shop magasin m,"
    "museum musée m, library bibliothèque f1, restaurant restaurant m, office bureau m1, kitchen cuisine f1,"
    "*university/*universities université f1, bridge pont m1, castle château m, house maison f",
    "spot": "garden jardin m, park parc m1, city ville f1, street rue f1, market marché m1, beach plage f1,"
    "island île f1",
    "food": "apple pomme f, orange orange f, egg œuf m, cake gâteau m, potato pomme_de_terre/pommes_de_terre f,"
    "bean *haricot m, strawberry fraise f, tomato tomate f, onion oignon m",
    "meal": "bread pain m, cheese fromage m, meat viande f, fish poisson m, rice riz m, soup soupe f,"
    "chocolate chocolat m, salad salade f, honey miel m, oil huile f, pasta pâtes fp",
    "drink": "water eau f, milk lait m, coffee café m, tea thé m, wine vin m, beer bière f,orange_juice jus_d'orange m",
    "subject": "mathematics mathématiques fp, statistics statistiques fp, physics physique f, chemistry chimie f,"
    "biology biologie f, history histoire f, art_history histoire_de_l'art f, geography géographie f,"
    "literature littérature f, philosophy philosophie f, economics économie f, law droit m, medicine médecine f,"
    "music musique f, music_history histoire_de_la_musique f, computer_science informatique f, logic logique f,"
    "algebra algèbre f, geometry géométrie f, astronomy astronomie f, linguistics linguistique f,"
    "psychology psychologie f, architecture architecture f, machine_learning apprentissage_automatique m,"
    "deep_learning apprentissage_profond m, language_learning apprentissage_des_langues m,"
    "reinforcement_learning apprentissage_par_renforcement m, artificial_intelligence intelligence_artificielle f,"
    "computer_vision vision_par_ordinateur f, machine_translation traduction_automatique f,"
    "data_science science_des_données f",
    "language": "French français m, English anglais m, Spanish espagnol m, German allemand m, Italian italien m,"
    "Chinese chinois m, Japanese japonais m, Arabic arabe m",
    "game": "football football m, tennis tennis m, chess échecs mp, basketball basket m",
    "country": "France France f, Italy Italie f, Spain Espagne f, Germany Allemagne f, Canada Canada m, Japan Japon m",
    "town": "Paris Paris m, London Londres m, Rome Rome f, Athens Athènes f",
    # of the office: no rule of the general corpus draws them, those of `office.py` do
    "device": "keyboard clavier m, screen écran m, printer imprimante f, cable câble m, charger chargeur m,"
    "laptop ordinateur_portable/ordinateurs_portables m, headset casque m, router routeur m, server serveur m,"
    "scanner scanner m, tablet tablette f, hard_drive disque_dur/disques_durs m",
    "data": "file fichier m, folder dossier m, password mot_de_passe/mots_de_passe m, link lien m, message message m,"
    "database base_de_données/bases_de_données f, application application f, email courriel m, backup sauvegarde f,"
    "spreadsheet tableur m",
    "paper": "invoice facture f, contract contrat m, report rapport m, budget budget m, form formulaire m,"
    "presentation présentation f",
    "event": "meeting réunion f, interview entretien m, conference conférence f, training_course formation f",
    "staff": "accountant comptable m, colleague collègue m, customer client m, intern stagiaire m,"
    "programmer programmeur m, employee employé m, assistant assistant m",
}

DEFINITE = ("subject", "language", "game", "country")
"""Kinds that have the article in French wherever English has none."""
MASS = ("meal", "drink", *DEFINITE, "town")
"""Kinds that are not counted."""
BARE = ("town", "name")
"""Kinds without any article."""


def _noun(entry: str, kind: str) -> Noun:
    english, french, gender = (part.replace("_", " ") for part in entry.split())
    one, _, several = english.partition("/")
    un, _, plusieurs = french.partition("/")
    return Noun(
        english=one,
        englishes=several or english_plural(one),
        french=un,
        frenches=plusieurs or french_plural(un),
        feminine=gender[0] == "f",
        number=gender[1:],
        kind=kind,
    )


NOUNS: dict[str, tuple[Noun, ...]] = {
    kind: tuple(_noun(entry, kind) for entry in entries.split(",")) for kind, entries in _NOUNS.items()
}

_BEFORE = (
    "beautiful beau|bel/belle/beaux/belles, pretty joli, big/bigger grand, small/smaller petit,"
    "old/older vieux|vieil/vieille/vieux/vieilles, new nouveau|nouvel/nouvelle/nouveaux/nouvelles,"
    "young/younger jeune, good/better bon, bad mauvais"
)
_BEHIND = (
    "red rouge, blue bleu, green vert, yellow jaune, black noir, white blanc/blanche,"
    "brown marron/marron/marron/marron,"
    "interesting intéressant, boring ennuyeux, important important, difficult difficile, easy/easier facile,"
    "*useful utile, expensive cher, heavy lourd, modern moderne, dangerous dangereux, huge énorme, famous célèbre,"
    "quiet tranquille, fresh frais/fraîche, delicious délicieux, hot chaud, cold froid,"
    "happy/happier heureux, sad triste, tired fatigué, kind gentil/gentille, clever intelligent, rich riche,"
    "strong fort, lazy paresseux, sick malade, funny drôle, tall grand,"
    "French français, English anglais, Italian italien, German allemand, Spanish espagnol, Japanese japonais"
)


def _adjective(entry: str, before: bool) -> Adjective:
    english, french = entry.split()
    positive, _, comparative = english.partition("/")
    given = french.split("/")
    masculine, femin = given[0], given[1] if len(given) > 1 else feminine(given[0])
    plurals = given[2:] or [french_plural(masculine), french_plural(femin)]
    more = (comparative,) if comparative else ("more", positive)
    return Adjective(positive, (masculine, femin, *plurals), before, more)


ADJECTIVES: dict[str, Adjective] = {
    adjective.english.removeprefix("*"): adjective
    for table, before in ((_BEFORE, True), (_BEHIND, False))
    for adjective in (_adjective(entry, before) for entry in table.split(","))
}

_COLOURS = "red blue green yellow black white brown"
_NATIONS = "French English Italian German Spanish Japanese"
_MOODS = "happy sad tired strong rich kind clever famous tall sick lazy funny"
_STUDY = "interesting boring important difficult easy useful"
_SUITING = {  # what stands beside the noun; and what is only said of it: "The hotel is huge."
    "person": ("old young happy sad tired strong rich clever famous", "tall sick lazy funny kind"),
    "worker": (f"old young new good bad famous clever {_NATIONS}", "tall sick tired happy sad rich kind funny"),
    "kin": ("old young rich famous", "tall sick tired happy sad kind funny clever lazy strong"),
    "name": ("", f"{_MOODS} old young"),
    "animal": ("beautiful small old young black white brown dangerous huge", "clever tired sick happy"),
    "motor": (f"beautiful big small old new expensive modern {_COLOURS} {_NATIONS}", "dangerous useful"),
    "vehicle": (f"beautiful big small old new expensive modern {_COLOURS}", "dangerous useful"),
    "clothes": (f"beautiful pretty old new expensive Italian {_COLOURS}", ""),
    "thing": (f"beautiful small old new expensive useful {_COLOURS}", ""),
    "furniture": (f"beautiful big small old new heavy modern {_COLOURS}", "expensive"),
    "plant": ("beautiful pretty big small", "expensive"),
    "text": (f"beautiful good bad new old interesting boring difficult famous useful {_NATIONS}", "easy important"),
    "press": (f"good bad new old interesting boring difficult useful {_NATIONS}", "easy important"),
    "show": (f"good bad new old interesting boring {_NATIONS}", "sad famous"),
    "song": (f"beautiful pretty new old sad famous {_NATIONS}", "boring"),
    "instrument": ("beautiful old new expensive", "heavy"),
    "opening": (f"big small old new {_COLOURS}", "heavy"),
    "building": ("beautiful pretty big small old new modern quiet famous", "huge"),
    "spot": ("beautiful pretty big small quiet famous", "huge"),
    "food": ("good small fresh delicious", "expensive"),
    "meal": ("good fresh delicious", "expensive"),
    "drink": ("good hot cold", "delicious expensive"),
    "subject": ("", _STUDY),
    "language": ("", _STUDY),
    "game": ("", "interesting boring difficult easy dangerous"),
    "country": ("", "beautiful huge famous modern quiet"),
    "town": ("", ""),
    "device": (f"small old new expensive useful modern {_COLOURS}", "heavy"),
    "data": ("old new important useful", ""),
    "paper": (f"good bad old new important interesting boring difficult {_NATIONS}", "useful easy"),
    "event": (f"good bad important interesting boring difficult {_NATIONS}", "useful"),
    "staff": (f"old young new good clever {_NATIONS}", "sick tired happy kind funny"),
}


def _known(names: str) -> tuple[Adjective, ...]:
    return tuple(ADJECTIVES[name] for name in names.split())


BESIDE: dict[str, tuple[Adjective, ...]] = {kind: _known(beside) for kind, (beside, _) in _SUITING.items()}
"""Adjectives that may stand beside a noun of the kind."""
SAID_OF: dict[str, tuple[Adjective, ...]] = {
    kind: tuple(a for a in BESIDE[kind] if a.english not in ("new", "bad")) + _known(others)
    for kind, (_, others) in _SUITING.items()
}
"""Adjectives that may be said of one: "neuf" is what a car is, "nouveau" what stands before it, so not "new"."""
COLOURS = _known(_COLOURS + " " + _NATIONS)
"""What may follow another adjective: a beautiful red car."""

NAMES = {
    "Marie": True, "Anne": True, "Alice": True, "Emma": True, "Claire": True, "Sophie": True,
    "Paul": False, "Marc": False, "Antoine": False, "Arthur": False, "Thomas": False, "Lucas": False,
}  # fmt: skip
"""People of both languages; True for women."""

NUMBERS = {
    "two": "deux", "three": "trois", "four": "quatre", "five": "cinq", "six": "six", "seven": "sept",
    "eight": "*huit", "nine": "neuf", "ten": "dix",
}  # fmt: skip

PROFESSIONS = {
    "doctor": ("médecin", "médecin"),
    "teacher": ("professeur", "professeure"),
    "student": ("étudiant", "étudiante"),
    "baker": ("boulanger", "boulangère"),
    "engineer": ("ingénieur", "ingénieure"),
    "nurse": ("infirmier", "infirmière"),
    "artist": ("artiste", "artiste"),
    "lawyer": ("avocat", "avocate"),
}
"""What someone is, masculine and feminine, without an article in French."""


def _phrases(table: str) -> tuple[Pair, ...]:
    return tuple(Pair((english,), (french,)) for english, french in (row.split(" = ") for row in table.split("; ")))


HABIT = _phrases(
    "every day = tous les jours; every morning = tous les matins; every evening = tous les soirs; "
    "every week = toutes les semaines; in the morning = le matin; in the evening = le soir; at night = la nuit; "
    "in summer = en été; in winter = en hiver; at the weekend = le week-end; every Monday = tous les lundis; "
    "every Friday = tous les vendredis; every Sunday = tous les dimanches"
)
"""When something is done as a rule."""
NOW = _phrases(
    "now = maintenant; today = aujourd'hui; this morning = ce matin; this evening = ce soir; "
    "this afternoon = cet après-midi; at the moment = en ce moment"
)
"""When something is being done."""
SOON = _phrases(
    "tomorrow = demain; tomorrow morning = demain matin; this evening = ce soir; next week = la semaine prochaine"
)
"""When something will be done."""
WHERE = _phrases("at school = à l'école; at home = à la maison; at work = au travail; here = ici")
"""Places that are a word of their own."""
OFTEN = _phrases("often = souvent; always = toujours; rarely = rarement; sometimes = parfois; also = aussi")
"""How often; between subject and verb in English, behind the verb in French."""
REALLY = _phrases("really = vraiment; also = aussi")
"""The same with a verb that is no action."""
MUCH = _phrases("a lot = beaucoup; too much = trop")
"""Behind a verb without object."""
WELL = _phrases("well = bien; very well = très bien; badly = mal") + MUCH
"""The same behind a verb that one can be good at."""
DEGREES = _phrases("very = très; too = trop; so = si")
"""Before an adjective."""

_KNOWN = {noun.english: noun for kind in NOUNS.values() for noun in kind}


def nouns(names: str) -> tuple[Noun, ...]:
    """The nouns of these names; of a kind, all of its nouns."""
    return tuple(noun for name in names.split() for noun in NOUNS.get(name) or (_KNOWN[name],))


INSIDE = nouns(
    "garden park city hotel hospital church shop library museum restaurant office kitchen street castle house"
)
"""Where one is "in"."""
AT = nouns("station market *university museum hospital hotel restaurant beach")
"""Where one is "at"."""
