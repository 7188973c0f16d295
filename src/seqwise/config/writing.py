"""Settings as YAML, every value written out, so that the file says all and later defaults change nothing."""

from collections.abc import Iterator

from seqwise.config.sections import Group, Section, section
from seqwise.config.texts import first_sentence

_INDENT = "  "


def to_yaml(settings: object, comments: bool = False) -> str:
    """YAML that `resolve` reads back to an equal object; with comments, the meaning stands above each key."""
    tree = section(type(settings))
    return "\n".join(_lines(tree, settings, "", comments)) + "\n"


def _lines(section: Section, settings: object, indent: str, comments: bool) -> Iterator[str]:
    """The keys of one dataclass; sections last, as they read best."""
    for entry in sorted(section.entries, key=lambda entry: isinstance(entry.form, Group)):
        value = getattr(settings, entry.name)
        if comments and isinstance(entry.form, Group) and not indent:
            yield ""
        if comments and entry.meaning:
            yield f"{indent}# {first_sentence(entry.meaning)}"
        if not isinstance(entry.form, Group):
            yield f"{indent}{entry.name}: {entry.form.write(value)}"
            continue
        below = entry.form.of(value)
        if below is None:
            yield f"{indent}{entry.name}: null"
        elif not below.entries:
            yield f"{indent}{entry.name}: {{}}"
        else:
            yield f"{indent}{entry.name}:"
            yield from _lines(below, value, indent + _INDENT, comments)
