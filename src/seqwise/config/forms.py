"""What one setting accepts: a form for each plain type, able to read, check, write and describe itself.

    Text    str, Path              Number  int, float  + Range
    Switch  bool                   Time    float       + Duration, Range

`compounds.py` has those made of others, and the one place where a Python type becomes a form.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from seqwise.config.limits import DURATION, Range, seconds, span
from seqwise.config.nodes import Node, Scalar
from seqwise.config.texts import SWITCHES, quoted

Schema = dict[str, object]
_EXACT = 2**53
"""Whole numbers written as `1e5` are read through a float, which is exact up to here."""


ANY = Range()
LATER = Range(0)


class Refused(Exception):  # noqa: N818  # no error that a user meets: it becomes a Fault
    """A value that the form does not accept, and a near one that it would."""

    def __init__(self, allowed: str, instead: str = "") -> None:
        super().__init__(allowed)
        self.allowed = allowed
        self.instead = instead


class Form(Protocol):
    """What a setting accepts."""

    @property
    def label(self) -> str:
        """The type in a word or two."""

    @property
    def limits(self) -> str:
        """What it asks beyond the type, or nothing."""

    @property
    def allowed(self) -> str:
        """Every value it accepts, in words; reads on after "needs"."""

    @property
    def example(self) -> str:
        """A value it accepts, for a message that knows no better one."""

    def read(self, node: Node) -> object:
        """The value that was written, or Refused."""

    def check(self, value: object) -> None:
        """Refused where a Python value is not one of these."""

    def write(self, value: object) -> str:
        """The value on one line of YAML, so that `read` gives it back."""

    def schema(self) -> Schema:
        """The same in JSON Schema."""


@dataclass(frozen=True)
class Text:
    """Any text; a path where `path` says so."""

    path: bool = False
    label = "text"
    limits = ""
    allowed = "a text"
    example = "TEXT"

    def read(self, node: Node) -> object:
        """Whatever was written, save a bare YAML null."""
        if not isinstance(node, Scalar) or (node.plain and not node.origin.flag and node.text in ("", "~", "null")):
            raise Refused(self.allowed)
        return Path(node.text) if self.path else node.text

    def check(self, value: object) -> None:
        """Of the very type."""
        if not isinstance(value, Path if self.path else str):
            raise Refused("a Path" if self.path else self.allowed)

    def write(self, value: object) -> str:
        """Quoted where YAML would see something else in it."""
        return quoted(str(value))

    def schema(self) -> Schema:
        """A string."""
        return {"type": "string"}


@dataclass(frozen=True)
class Switch:
    """On or off."""

    label = "true or false"
    limits = ""
    allowed = "true or false"
    example = "true"

    def read(self, node: Node) -> object:
        """true, yes and on; false, no and off."""
        if isinstance(node, Scalar) and node.plain and node.text.lower() in SWITCHES:
            return SWITCHES[node.text.lower()]
        raise Refused(self.allowed)

    def check(self, value: object) -> None:
        """Of the very type."""
        if not isinstance(value, bool):
            raise Refused(self.allowed)

    def write(self, value: object) -> str:
        """`true` or `false`."""
        return str(value).lower()

    def schema(self) -> Schema:
        """A boolean."""
        return {"type": "boolean"}


@dataclass(frozen=True)
class Number:
    """A finite number within a range, whole or not."""

    whole: bool
    range: Range = ANY

    @property
    def label(self) -> str:
        """`whole number` or `number`."""
        return "whole number" if self.whole else "number"

    @property
    def limits(self) -> str:
        """`from 0 to 1`."""
        return str(self.range)

    @property
    def allowed(self) -> str:
        """`a number from 0 to 1`."""
        of = "of " if self.limits.startswith("at ") else ""
        return f"a {self.label} {of}{self.limits}".rstrip()

    @property
    def example(self) -> str:
        """The value nearest to one."""
        return self.write(self.range.nearest(1))

    def read(self, node: Node) -> object:
        """A number as YAML, JSON or Python writes it: `3`, `0.1`, `1e-4`, and `1e5` for a whole one."""
        if not isinstance(node, Scalar) or not node.plain:
            raise Refused(self.allowed)
        try:
            value: float = int(node.text) if self.whole else float(node.text)
        except ValueError:
            value = _float(node.text)
            if self.whole and math.isfinite(value):
                if not value.is_integer() or abs(value) > _EXACT:
                    raise Refused(self.allowed, self.write(self.range.nearest(round(value)))) from None
                value = int(value)
        self.check(value)
        return value

    def check(self, value: object) -> None:
        """Of the type (a whole number may stand for another one), finite, within the range."""
        fitting = isinstance(value, int if self.whole else int | float) and not isinstance(value, bool)
        if not fitting or not math.isfinite(value):  # type: ignore[arg-type]
            raise Refused(self.allowed)
        if not self.range.admits(value):  # type: ignore[arg-type]
            raise Refused(self.allowed, self.write(self.range.nearest(value)))  # type: ignore[arg-type]

    def write(self, value: object) -> str:
        """With a point before the exponent, since YAML 1.1 takes `1e-05` for a text."""
        if self.whole:
            return str(int(value))  # type: ignore[call-overload]
        exact = repr(float(value))  # type: ignore[arg-type]
        return exact if "." in exact else exact.replace("e", ".0e")

    def schema(self) -> Schema:
        """A number within the range."""
        ends = {"minimum": self.range.low, "maximum": self.range.high}
        known = {end: bound for end, bound in ends.items() if bound is not None}
        return {"type": "integer" if self.whole else "number", **known}


@dataclass(frozen=True)
class Time:
    """A duration in seconds, written with its unit."""

    range: Range = LATER
    label = "time"
    example = "10m"

    @property
    def limits(self) -> str:
        """`at least 10s`; nothing where any time will do."""
        low, high = self.range.low, self.range.high
        ends = [f"at least {span(low)}" if low else "", f"at most {span(high)}" if high is not None else ""]
        return " and ".join(filter(None, ends))

    @property
    def allowed(self) -> str:
        """With the ways to write it."""
        of = ", " if self.limits else ""
        return f"a time such as 90s, 10m or 1.5h{of}{self.limits}"

    def read(self, node: Node) -> object:
        """`90`, `90s`, `10m`, `1.5h`, `1h30m`, quoted or not."""
        value = seconds(node.text.strip()) if isinstance(node, Scalar) else None
        if value is None and isinstance(node, Scalar) and node.plain:
            value = _float(node.text)
        self.check(value)
        return value

    def check(self, value: object) -> None:
        """A finite number of seconds within the range."""
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise Refused(self.allowed)
        if not self.range.admits(value):
            raise Refused(self.allowed, self.write(self.range.nearest(value)))

    def write(self, value: object) -> str:
        """In the largest unit that holds it exactly."""
        return span(float(value))  # type: ignore[arg-type]

    def schema(self) -> Schema:
        """A number of seconds, or the text."""
        number = Number(whole=False, range=self.range).schema()
        return {"anyOf": [number, {"type": "string", "pattern": f"^({DURATION})$"}]}


def _float(text: str) -> float:
    """The number, or not-a-number, which no form accepts."""
    try:
        return float(text)
    except ValueError:
        return math.nan
