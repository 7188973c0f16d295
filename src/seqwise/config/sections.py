"""The tree of settings that a dataclass stands for: sections of entries with form, default and meaning.

@dataclass(frozen=True)
class Training:                                         a Section
    steps: Annotated[int, Range(1)] = 10_000            an Entry, whose form is a Form
    \"\"\"Updates of the weights.\"\"\"                       its meaning
    model: Transformer | LSTM = Transformer()           an Entry, whose form is a Group of two sections
"""

import ast
import inspect
import textwrap
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from functools import cache
from itertools import pairwise
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin, get_type_hints

from seqwise.config.compounds import form
from seqwise.config.forms import Form

TAG = "kind"
"""The field by which the dataclasses of a union are told apart."""


@dataclass(frozen=True)
class Group:
    """One section, or one of several told apart by their `kind`."""

    sections: tuple["Section", ...]
    optional: bool
    """Whether None may stand here."""

    @property
    def tagged(self) -> bool:
        """Whether `kind` chooses among several."""
        return len(self.sections) > 1

    @property
    def tags(self) -> Mapping[str, "Section"]:
        """The sections by their kind, where there are several."""
        return {tag: section for section in self.sections for tag in section.tags} if self.tagged else {}

    def of(self, value: object) -> "Section | None":
        """The section that the value is an instance of."""
        return next((section for section in self.sections if type(value) is section.kind), None)


@dataclass(frozen=True)
class Entry:
    """One setting, or one group of them."""

    name: str
    form: Form | Group
    default: Any
    """MISSING where it must be given."""
    kind: type
    """The dataclass that it stands in."""

    @property
    def meaning(self) -> str:
        """The docstring below it. The source is parsed for it, which takes longer than to check most settings."""
        return _meanings(self.kind).get(self.name, "")

    @property
    def required(self) -> bool:
        """Whether it has no default."""
        return self.default is MISSING


@dataclass(frozen=True)
class Section:
    """A dataclass of settings."""

    kind: type
    entries: tuple[Entry, ...]
    tags: tuple[str, ...]
    """The values of its `kind`, where that is a Literal."""
    meaning: str

    def entry(self, name: str) -> Entry | None:
        """The entry of that name."""
        return next((entry for entry in self.entries if entry.name == name), None)

    def defaults(self, base: object) -> dict[str, Any]:
        """The default of each entry; those of an instance go before those of the class."""
        given = type(base) is self.kind
        return {entry.name: getattr(base, entry.name) if given else entry.default for entry in self.entries}


def section(kind: type[Any]) -> Section:
    """The tree of a dataclass. TypeError where a field has a type that no setting can have."""
    return _section(cast(Hashable, kind))


@cache
def _section(kind: Any) -> Section:
    hints = get_type_hints(kind, include_extras=True)
    entries = [
        Entry(field.name, _form(kind, field.name, hints[field.name]), _default(field), kind)
        for field in fields(kind)
        if field.init
    ]
    tags = get_args(hints[TAG]) if get_origin(hints.get(TAG)) is Literal else ()
    return Section(kind, tuple(entries), tags, " ".join((kind.__doc__ or "").split()))


def paths(section: Section, prefix: str = "") -> Iterator[tuple[str, Form | Group]]:
    """Every full name below a section with its form; what several of a union have comes again."""
    for entry in section.entries:
        name = prefix + entry.name
        yield name, entry.form
        if isinstance(entry.form, Group):
            for below in entry.form.sections:
                yield from paths(below, f"{name}.")


def _form(kind: type, name: str, hint: Any) -> Form | Group:
    """A group where the type is made of dataclasses, else a form."""
    if get_origin(hint) is Annotated and is_dataclass(get_args(hint)[0]):
        hint = get_args(hint)[0]
    members = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    kinds = [member for member in members if is_dataclass(member) and isinstance(member, type)]
    try:
        if not kinds:
            return form(hint)
    except TypeError as error:
        raise TypeError(f"{kind.__qualname__}.{name}: {error}") from None
    optional = NoneType in members
    if len(kinds) + optional != len(members):
        raise TypeError(f"{kind.__qualname__}.{name}: a union of dataclasses can have no other member but None")
    group = Group(tuple(section(member) for member in kinds), optional)
    if group.tagged and len(group.tags) < len(kinds):
        raise TypeError(
            f"{kind.__qualname__}.{name}: each dataclass of a union needs a `{TAG}: Literal[...]` of its own"
        )
    return group


def _default(field: Field[Any]) -> Any:
    return field.default_factory() if field.default_factory is not MISSING else field.default


@cache
def _meanings(kind: type) -> Mapping[str, str]:
    """The docstring below each field, of the class and of those it inherits from; empty without source."""
    found: dict[str, str] = {}
    for parent in reversed([parent for parent in kind.__mro__ if is_dataclass(parent)]):
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(parent))).body[0]
        except (OSError, TypeError, SyntaxError):
            continue
        body = tree.body if isinstance(tree, ast.ClassDef) else []
        for line, below in pairwise(body):
            named = isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name)
            if named and isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
                found[line.target.id] = " ".join(str(below.value.value).split())  # type: ignore[attr-defined]
    return found
