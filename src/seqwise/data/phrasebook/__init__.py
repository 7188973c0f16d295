"""A parallel corpus that the project makes itself: English and French from one synchronous grammar.

Each rule makes a phrase of both languages at once (Lewis and Stearns 1968), so a translation is right because
its rule is, not because somebody looked. The two sides differ where the languages do: gender and number, elision,
contraction, adjectives before and behind the noun, negation, questions, articles that only one of them has.

    forms        how words change and merge: je + aime -> j'aime, de + les -> des
    lexicon      nouns, adjectives, names, times, and what goes together
    verbs        verbs and their objects
    phrases      noun phrases, from a meaning to both languages       pure functions
    clauses      statements, questions, requests                      pure functions
    choices      chance: which subject, object, place
    situations   chance: which clause
    sentences    chance: which kind of sentence
    office       chance again: sentences of the office and its computers, a small domain
    corpus       distinct sentences, split

Left out: the past, formal "vous" for one person, and all that makes French from English a matter of taste. One
English sentence has one French sentence here, so that a score of 100 can be reached.
"""

from seqwise.data.phrasebook.corpus import PROBE, Part, Phrasebook, office_domain, phrasebook

__all__ = ["PROBE", "Part", "Phrasebook", "office_domain", "phrasebook"]
