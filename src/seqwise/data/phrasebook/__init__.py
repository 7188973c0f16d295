from seqwise.data.phrasebook.corpus import PROBE, Part, Phrasebook, phrasebook

__all__ = ["PROBE", "Part", "Phrasebook", "phrasebook"]
