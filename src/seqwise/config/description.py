"""Settings told to people and to editors: a row for each, and a JSON Schema for all."""

from dataclasses import MISSING, dataclass
from typing import Any

from seqwise.config.compounds import choices_of
from seqwise.config.forms import Schema
from seqwise.config.sections import TAG, Entry, Group, Section, section

DIALECT = "https://json-schema.org/draft/2020-12/schema"


@dataclass(frozen=True)
class Setting:
    """One setting, as help and docs show it."""

    name: str
    """The full name, dotted: `model.attention.kind`."""
    type: str
    """In words: `whole number`, `text, ...`, `relu | gelu`."""
    default: str
    """As YAML writes it; empty where it must be given."""
    limits: str
    """What it asks beyond the type: `from 0 to 1`; empty where nothing."""
    meaning: str
    """The docstring below the field."""
    choices: tuple[str, ...] = ()
    """What it chooses from; empty where it is no choice."""
    only: str = ""
    """`kind` of the model, or of another choice, that has this setting; empty where it is always there."""
    required: bool = False
    """Whether it must be given."""

    @property
    def section(self) -> str:
        """The name without its last part; empty at the top."""
        return self.name.rpartition(".")[0]


def describe(kind: type) -> list[Setting]:
    """Every setting, section by section, in the order of the dataclasses."""
    return _settings(section(kind), None, "", "")


def schema(kind: type) -> Schema:
    """The settings as JSON Schema 2020-12, with which editors complete and check a YAML file."""
    tree = section(kind)
    title = {"$schema": DIALECT, "title": kind.__name__}
    return title | _object(tree, None, None)


def _settings(section: Section, base: object, prefix: str, only: str) -> list[Setting]:
    """Settings of this section first, then those of the sections below it."""
    defaults = section.defaults(base)
    rows, below = [], []
    for entry in section.entries:
        name, default = prefix + entry.name, defaults[entry.name]
        if isinstance(entry.form, Group):
            below += _group(entry, entry.form, default, name, only)
            continue
        text = "" if default is MISSING else entry.form.write(default)
        label, limits = entry.form.label, entry.form.limits
        choices = choices_of(entry.form)
        rows.append(Setting(name, label, text, limits, entry.meaning, choices, only, default is MISSING))
    return rows + below


def _group(entry: Entry, group: Group, default: Any, name: str, only: str) -> list[Setting]:
    """Of one section, or of each that `kind` may choose, whose `kind` is told once."""
    if not group.tagged:
        return _settings(group.sections[0], default, f"{name}.", only)
    chosen = group.of(default) or group.sections[0]
    first = chosen.tags[0] if default is not None else "null"
    kinds = tuple(group.tags)
    rows = [Setting(f"{name}.{TAG}", " | ".join(kinds), first, "", entry.meaning, kinds, only)]
    for below in group.sections:
        named = _settings(below, default, f"{name}.", below.tags[0])
        rows += [row for row in named if row.name != f"{name}.{TAG}"]
    return rows


def _object(section: Section, base: object, tag: str | None) -> Schema:
    """The schema of a dataclass. With a tag: that of one kind among several, which must be named."""
    defaults = section.defaults(base)
    properties = {entry.name: _property(entry, defaults[entry.name]) for entry in section.entries}
    required = [name for name, default in defaults.items() if default is MISSING]
    if tag is not None and tag not in required:
        required = [TAG, *required]
    schema: Schema = {"type": "object", "description": section.meaning, "properties": properties}
    return schema | ({"required": required} if required else {}) | {"additionalProperties": False}


def _property(entry: Entry, default: Any) -> Schema:
    if isinstance(entry.form, Group):
        return _choice(entry.form, default) | ({"description": entry.meaning} if entry.meaning else {})
    schema = entry.form.schema()
    if entry.meaning:
        schema["description"] = entry.meaning
    if default is not MISSING:
        schema["default"] = list(default) if isinstance(default, tuple) else _plain(default)
    return schema


def _choice(group: Group, default: Any) -> Schema:
    """One of the sections; `kind` may be left out of the one that is the default."""
    chosen = group.of(default) or group.sections[0]
    schemas = [
        _object(below, default, below.tags[0] if group.tagged and below is not chosen else None)
        for below in group.sections
    ]
    if group.optional:
        schemas.append({"type": "null"})
    return schemas[0] if len(schemas) == 1 else {"oneOf": schemas}


def _plain(value: object) -> object:
    """As JSON knows it."""
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
