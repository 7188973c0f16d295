"""Forms made of others, and `form`, the only place where a Python type becomes a form.

Choice  Literal["a", "b"]            Nothing  None
Items   tuple[X, ...], tuple[X, Y]   Either   X | None, X | Y
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from seqwise.config.forms import ANY, LATER, Form, Number, Refused, Schema, Switch, Text, Time
from seqwise.config.limits import Duration, Range
from seqwise.config.nodes import Node, Scalar, Series
from seqwise.config.texts import NOTHINGS, listed, quoted
from seqwise.errors import nearest


@dataclass(frozen=True)
class Choice:
    """One of a few values."""

    values: tuple[object, ...]
    limits = ""

    @property
    def names(self) -> Mapping[str, object]:
        """The values by the way they are written."""
        return {value if isinstance(value, str) else str(value).lower(): value for value in self.values}

    @property
    def label(self) -> str:
        """`a | b | c`."""
        return " | ".join(self.names)

    @property
    def allowed(self) -> str:
        """`one of a, b or c`."""
        return listed(list(self.names)) if len(self.names) < 3 else f"one of {listed(list(self.names))}"

    @property
    def example(self) -> str:
        """The first."""
        return next(iter(self.names))

    def read(self, node: Node) -> object:
        """By its name, so that `no` is the choice "no" and not a switch."""
        if not isinstance(node, Scalar):
            raise Refused(self.allowed)
        if node.text not in self.names:
            close = nearest(node.text.lower().replace("_", "-"), self.names)
            raise Refused(self.allowed, close or "")
        return self.names[node.text]

    def check(self, value: object) -> None:
        """One of the values, of its very type: 1 is not True."""
        if not any(value == known and type(value) is type(known) for known in self.values):
            close = nearest(value, self.names) if isinstance(value, str) else None
            raise Refused(self.allowed, close or "")

    def write(self, value: object) -> str:
        """Quoted where YAML would see something else in it."""
        return quoted(value) if isinstance(value, str) else str(value).lower()

    def schema(self) -> Schema:
        """An enumeration."""
        return {"const": self.values[0]} if len(self.values) == 1 else {"enum": list(self.values)}


@dataclass(frozen=True)
class Nothing:
    """None, where a setting may be left out."""

    label = "none"
    limits = ""
    allowed = "none"
    example = "none"

    def read(self, node: Node) -> object:
        """`none`, or a null of YAML."""
        if isinstance(node, Scalar) and node.plain and node.text.lower() in NOTHINGS:
            return None
        raise Refused(self.allowed)

    def check(self, value: object) -> None:
        """None itself."""
        if value is not None:
            raise Refused(self.allowed)

    def write(self, value: object) -> str:
        """`null`, which every YAML reader knows."""
        return "null"

    def schema(self) -> Schema:
        """A null."""
        return {"type": "null"}


@dataclass(frozen=True)
class Items:
    """A tuple: any number of one form, or one of each form."""

    forms: tuple[Form, ...]
    open: bool
    """Any number of `forms[0]`."""

    @property
    def label(self) -> str:
        """`text, ...` or `number, number`."""
        return f"{self.forms[0].label}, ..." if self.open else ", ".join(form.label for form in self.forms)

    @property
    def limits(self) -> str:
        """Of the items."""
        return "; ".join(dict.fromkeys(form.limits for form in self.forms if form.limits))

    @property
    def allowed(self) -> str:
        """`a list, each a text`."""
        if self.open:
            return f"a list, each {self.forms[0].allowed}"
        return f"a list of {len(self.forms)}: {listed([form.allowed for form in self.forms], 'and')}"

    @property
    def example(self) -> str:
        """One of each."""
        return f"[{', '.join(form.example for form in self.forms)}]"

    def read(self, node: Node) -> object:
        """A list; a single word counts as a list of one."""
        if not isinstance(node, Scalar | Series):
            raise Refused(self.allowed)
        items = node.items if isinstance(node, Series) else (node,)
        try:
            return tuple(form.read(item) for form, item in zip(self._each(len(items)), items, strict=True))
        except Refused:
            raise Refused(self.allowed) from None

    def check(self, value: object) -> None:
        """A tuple: a list could be changed behind the settings' back."""
        if not isinstance(value, tuple):
            raise Refused(f"a tuple ({self.allowed})")
        for form, item in zip(self._each(len(value)), value, strict=True):
            form.check(item)

    def write(self, value: object) -> str:
        """In one line."""
        items: tuple[object, ...] = value  # type: ignore[assignment]
        texts = [form.write(item) for form, item in zip(self._each(len(items)), items, strict=True)]
        return f"[{', '.join(texts)}]"

    def schema(self) -> Schema:
        """An array."""
        if self.open:
            item = self.forms[0].schema()
            return {"anyOf": [{"type": "array", "items": item}, item]}
        count = len(self.forms)
        items = [form.schema() for form in self.forms]
        return {"type": "array", "prefixItems": items, "minItems": count, "maxItems": count}

    def _each(self, count: int) -> tuple[Form, ...]:
        """The form of each of so many items."""
        if self.open:
            return self.forms * count
        if count != len(self.forms):
            raise Refused(self.allowed)
        return self.forms


@dataclass(frozen=True)
class Either:
    """The first of several forms that accepts the value."""

    forms: tuple[Form, ...]

    @property
    def label(self) -> str:
        """`number or none`."""
        return " or ".join(form.label for form in self.forms)

    @property
    def limits(self) -> str:
        """Of those that have any."""
        return " or ".join(form.limits for form in self.forms if form.limits)

    @property
    def allowed(self) -> str:
        """`a number from 0 to 1, or none`."""
        return ", or ".join(form.allowed for form in self.forms)

    @property
    def example(self) -> str:
        """Of the first."""
        return self.forms[0].example

    def read(self, node: Node) -> object:
        """Strict forms first: a word that is a number is one, and a single text is no list."""
        refusals = []
        for form in sorted(self.forms, key=_strictness):
            try:
                return form.read(node)
            except Refused as refusal:
                refusals.append(refusal)
        raise self._refusal(refusals)

    def check(self, value: object) -> None:
        """One of them accepts it."""
        self._accepting(value)

    def write(self, value: object) -> str:
        """As the form that accepts it."""
        return self._accepting(value).write(value)

    def schema(self) -> Schema:
        """Any of them."""
        return {"anyOf": [form.schema() for form in self.forms]}

    def _accepting(self, value: object) -> Form:
        refusals = []
        for form in sorted(self.forms, key=_strictness):
            try:
                form.check(value)
            except Refused as refusal:
                refusals.append(refusal)
            else:
                return form
        raise self._refusal(refusals)

    def _refusal(self, refusals: list[Refused]) -> Refused:
        return Refused(self.allowed, next((found.instead for found in refusals if found.instead), ""))


def choices_of(form: Form) -> tuple[str, ...]:
    """The names that a form chooses from; empty for forms that are no choice."""
    if isinstance(form, Choice):
        return tuple(form.names)
    if isinstance(form, Either) and any(isinstance(member, Choice) for member in form.forms):
        return tuple(name for member in form.forms for name in choices_of(member) or (member.example,))
    return ()


_ORDER: tuple[type, ...] = (Nothing, Choice, Switch, Number, Time, Text, Items)


def _strictness(form: Form) -> tuple[int, bool]:
    return _ORDER.index(type(form)), isinstance(form, Number) and not form.whole


def form(hint: Any, notes: tuple[object, ...] = ()) -> Form:
    """The form of a type, whose notes are what `Annotated` adds to it. TypeError where there is none."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return form(arguments[0], (*arguments[1:], *notes))
    limits = next((note for note in notes if isinstance(note, Range)), None)
    if hint is float and any(isinstance(note, Duration) for note in notes):
        return Time(limits or LATER)
    if origin is Literal:
        return Choice(arguments)
    if origin in (Union, UnionType):
        return _either(tuple(form(member, notes) for member in arguments))
    if origin is tuple and arguments:
        is_open = len(arguments) == 2 and arguments[1] is Ellipsis
        return Items(tuple(form(item, notes) for item in arguments[: 1 if is_open else None]), is_open)
    simple: dict[object, Form] = {
        str: Text(),
        Path: Text(path=True),
        bool: Switch(),
        int: Number(whole=True, range=limits or ANY),
        float: Number(whole=False, range=limits or ANY),
        None: Nothing(),
        NoneType: Nothing(),
    }
    if hint not in simple:
        raise TypeError(f"a setting cannot have the type {hint}")
    return simple[hint]


def _either(forms: tuple[Form, ...]) -> Either:
    """None last, as people say it."""
    return Either(tuple(sorted(forms, key=lambda form: isinstance(form, Nothing))))
