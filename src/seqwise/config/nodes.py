"""Settings as they were written, before their types are known: texts, lists and tables, each with its place.

A YAML file, flags and a Python mapping all become these three. Texts stay texts: only the type of the setting
tells whether `no` is a switch turned off or a choice, and whether `1e-4` is a number.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from seqwise.config.texts import NOTHINGS


@dataclass(frozen=True)
class Origin:
    """Where something was written, for messages."""

    where: str = ""
    """`file.yaml:7`; empty for flags and Python values."""
    flag: str = ""
    """The flag as it was typed; empty for files and Python values."""

    def given(self, name: str, text: str) -> str:
        """The setting as it was written."""
        return f"{self.flag} {text}".rstrip() if self.flag else f"{name}={text}"

    def mended(self, name: str, text: str) -> str:
        """The setting as it should be written."""
        if not self.flag:
            return f"{name}={text}"
        words = text[1:-1].replace(", ", " ") if text.startswith("[") and text != "[]" else text
        return f"{flag(name)} {words}"


@dataclass(frozen=True)
class Scalar:
    """One word or text."""

    text: str
    plain: bool = True
    """Whether it may stand for a number, a switch or none; a quoted text stands for itself."""
    origin: Origin = Origin()

    def __str__(self) -> str:
        return self.text if self.plain and self.text else repr(self.text)


@dataclass(frozen=True)
class Series:
    """Several, in order."""

    items: tuple["Node", ...] = ()
    origin: Origin = Origin()

    def __str__(self) -> str:
        if self.origin.flag:
            return " ".join(map(str, self.items))
        return f"[{', '.join(map(str, self.items))}]"


@dataclass(frozen=True)
class Table:
    """Values by key; keys are in snake case."""

    entries: Mapping[str, "Node"] = field(default_factory=dict)
    origin: Origin = Origin()

    def __str__(self) -> str:
        return "{" + ", ".join(self.entries) + "}"

    def over(self, lower: "Table") -> "Table":
        """This table laid over another: what stands here wins, key by key at every depth."""
        merged = dict(lower.entries)
        for key, node in self.entries.items():
            below = merged.get(key)
            if isinstance(node, Table) and isinstance(below, Table):
                merged[key] = node.over(below)
            elif not (isinstance(node, Table) and _says_something(below)):
                merged[key] = node  # else what stands below, where settings belong, is left to be refused
        return Table(merged, lower.origin)

    def places(self, prefix: str = "") -> Iterator[tuple[str, Origin]]:
        """The origin of every key, by full name."""
        for key, node in self.entries.items():
            yield prefix + key, node.origin
            if isinstance(node, Table):
                yield from node.places(f"{prefix}{key}.")


Node = Scalar | Series | Table


def _says_something(node: "Node | None") -> bool:
    """Whether it is there, and more than an empty section or none."""
    nothing = isinstance(node, Scalar) and node.plain and node.text.lower() in NOTHINGS
    return node is not None and not nothing


def snake(key: str) -> str:
    """A key as Python writes it."""
    return key.replace("-", "_")


def flag(name: str) -> str:
    """The flag of a setting, by its full name."""
    return "--" + name.replace("_", "-")


def node(value: object) -> Node:
    """A Python value, as a mapping from JSON holds it. Strings count as quoted: "8" is no number."""
    match value:
        case None:
            return Scalar("null")
        case bool():
            return Scalar(str(value).lower())
        case int() | float():
            return Scalar(repr(value))
        case Mapping():
            return Table({snake(str(key)): node(below) for key, below in value.items()})
        case Sequence() if not isinstance(value, str):
            return Series(tuple(node(item) for item in value))
    return Scalar(str(value), plain=False)
