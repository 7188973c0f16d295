"""Settings: frozen dataclasses filled from a YAML file and from flags over it.

    resolve(kind, file, flags)     the settings, or one ConfigError with every fault
    attempt(kind, file, flags)     the same without raising
    from_mapping(kind, mapping)    the settings that nested dictionaries hold
    take_file(words)               which words name the file, and which are left
    word(type, text, flag)         one value, for a command that has no settings
    check(settings)                the same faults for an object built in Python
    to_yaml(settings)              back to a file
    describe(kind), schema(kind)   every setting with meaning, default and limits; as JSON Schema

One value goes document or flags -> nodes (texts with their lines) -> building, along the tree of sections,
each of whose entries has a form. Nothing here knows any setting of Seqwise: it stands in front of every room.
"""

from seqwise.config.checking import check
from seqwise.config.description import Setting, describe, schema
from seqwise.config.limits import Duration, Range
from seqwise.config.resolution import attempt, from_mapping, resolve, take_file, word
from seqwise.config.writing import to_yaml

__all__ = [
    "Duration",
    "Range",
    "Setting",
    "attempt",
    "check",
    "describe",
    "from_mapping",
    "resolve",
    "schema",
    "take_file",
    "to_yaml",
    "word",
]
