"""The doors of the room: settings from a file and flags, or from a mapping.

What stands in a flag wins over the file, and the file over the default.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from seqwise.config import document
from seqwise.config import flags as command_line
from seqwise.config.building import Builder
from seqwise.config.compounds import form
from seqwise.config.forms import Refused
from seqwise.config.nodes import Origin, Scalar, Table, node
from seqwise.config.sections import section
from seqwise.config.texts import listed
from seqwise.errors import ConfigError, Fault

T = TypeVar("T")


def resolve(kind: type[T], file: Path | None = None, flags: Sequence[str] = ()) -> T:
    """The settings that a YAML file and flags over it ask for. ConfigError with all faults at once."""
    settings, faults = attempt(kind, file, flags)
    if faults or settings is None:
        raise ConfigError.of(faults)
    return settings


def attempt(kind: type[T], file: Path | None = None, flags: Sequence[str] = ()) -> tuple[T | None, list[Fault]]:
    """The same without raising: the settings, None where some cannot be read, and the faults."""
    tree = section(kind)
    low, faults = document.load(file) if file is not None else (Table(), [])
    high, wrong = command_line.parse(tree, flags)
    builder = Builder(tree, complete=low is not None)
    value = builder.settings(high.over(low or Table()))
    faults += wrong + builder.faults
    return (value if isinstance(value, kind) and low is not None else None), faults


def word(hint: object, text: str, flag: str) -> object:
    """One word of the command line as a value of the type, within its Range; else ConfigError."""
    origin = Origin(flag=flag)
    try:
        return form(hint).read(Scalar(text, origin=origin))
    except Refused as refusal:
        mend = f"{flag} {refusal.instead or form(hint).example}"
        raise ConfigError(origin.given("", text), refusal.allowed, mend) from None


def take_file(words: Sequence[str]) -> tuple[Path | None, list[str]]:
    """The YAML file that the words name, and the words without it.

    It is the value of `--config`, or the first word where that ends in .yaml or .yml.
    """
    rest, files = list(words), []
    if rest and not rest[0].startswith("-") and Path(rest[0]).suffix in (".yaml", ".yml"):
        files.append(rest.pop(0))
    while index := next((at + 1 for at, word in enumerate(rest) if word.partition("=")[0] == "--config"), 0):
        _, equals, value = rest.pop(index - 1).partition("=")
        if not equals and (index > len(rest) or rest[index - 1].startswith("--")):
            raise ConfigError("--config without a value", "a YAML file of settings", "--config FILE.yaml")
        files.append(value if equals else rest.pop(index - 1))
    if len(files) > 1:
        mend = f"{files[0]} alone, and flags for what differs"
        raise ConfigError(f"the files {listed(files, 'and')}", "one file of settings", mend)
    return (Path(files[0]) if files else None), rest


def from_mapping(kind: type[T], mapping: Mapping[str, object]) -> T:
    """The settings that nested dictionaries hold, such as JSON read by a server."""
    table = node(mapping)
    builder = Builder(section(kind), complete=True)
    value = builder.settings(table if isinstance(table, Table) else Table())
    if builder.faults or not isinstance(value, kind):
        raise ConfigError.of(builder.faults)
    return value
