"""Flags as a table of texts: `--model.width 256 --heads=8 --no-resume --train a.en a.fr`.

A flag is the full name of a setting, or the end of it where no other setting ends so. Which words belong to a
flag follows from its form: none or one for a switch, several for a list, else one.
"""

from collections.abc import Iterator, Sequence

from seqwise.config.compounds import Either, Items, Nothing
from seqwise.config.forms import Form, Switch, Text
from seqwise.config.nodes import Node, Origin, Scalar, Series, Table, flag, snake
from seqwise.config.sections import TAG, Group, Section, paths
from seqwise.config.texts import NOTHINGS, SWITCHES, listed
from seqwise.errors import Fault, nearest


def parse(section: Section, words: Sequence[str]) -> tuple[Table, list[Fault]]:
    """The words as a table, and what is wrong with them."""
    reader = _Reader(section)
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word.startswith("--") and len(word) > 2:
            reader.flag(word, rest)
        else:
            mend = f"a flag before it, such as {flag(reader.names[0])}" if reader.names else "to leave it out"
            reader.faults.append(Fault(f"the word {word}", "a flag that it belongs to", mend))
    return _nested(reader.found), reader.faults


class _Reader:
    """Takes flags one by one."""

    def __init__(self, section: Section) -> None:
        self.forms: dict[str, list[Form | Group]] = {}
        for name, form in paths(section):
            self.forms.setdefault(name, []).append(form)
        self.names = list(self.forms)
        self.found: dict[str, Node] = {}
        self.faults: list[Fault] = []

    def flag(self, word: str, rest: list[str]) -> None:
        """Read one flag and take its words from the rest."""
        typed, equals, value = word.partition("=")
        name, negated = self._name(typed)
        if name is None:
            del rest[: _values(rest)]  # so that the words of an unknown flag are no faults of their own
            return
        origin = Origin(flag=typed)
        if negated:
            if equals:
                self.faults.append(Fault(word, "no value, since it says no", f"{flag(name)}={value}"))
            self.found[name] = Scalar("false", origin=origin)
            return
        count = 0 if equals else self._count(name, rest)
        values = [value] if equals else rest[:count]
        del rest[:count]
        self._keep(name, values, origin)

    def _keep(self, name: str, values: list[str], origin: Origin) -> None:
        """Put the words under their name; a list given twice grows, anything else is given anew."""
        many, before = self._has(name, Items), self.found.get(name)
        if many and before is None and len(values) == 1:  # where a text will do as well, one by itself is one
            many = not self._has(name, Text)
        scalars = tuple(Scalar(value, origin=origin) for value in values)
        form = self.forms[name][0]
        if isinstance(form, Group) and values and values[0].lower() not in NOTHINGS:
            name = f"{name}.{TAG}"
        if name not in self.forms:
            mend = flag(name.removesuffix(TAG)) + "NAME VALUE"
            self.faults.append(Fault(f"{origin.flag} {values[0]}", "one of the settings below it", mend))
        elif not values and self._has(name, Switch):
            self.found[name] = Scalar("true", origin=origin)
        elif not values:
            self.faults.append(
                Fault(f"{origin.flag} without a value", _allowed(self.forms[name]), _example(self, name))
            )
        elif many and not (self._has(name, Nothing) and len(values) == 1 and values[0].lower() in NOTHINGS):
            earlier = before.items if isinstance(before, Series) else ()
            if isinstance(before, Scalar) and self._has(name, Text):
                earlier = (before,)
            self.found[name] = Series(() if values == ["[]"] else (*earlier, *scalars), origin)
        else:
            self.found[name] = scalars[0]

    def _count(self, name: str, rest: list[str]) -> int:
        """How many of the next words belong to the flag."""
        available = _values(rest)
        lists = [form for form in self._flat(name) if isinstance(form, Items)]
        if lists:
            return available if any(form.open for form in lists) else min(available, len(lists[0].forms))
        if self._has(name, Switch) and (not available or rest[0].lower() not in (*SWITCHES, *NOTHINGS)):
            return 0
        return min(available, 1)

    def _name(self, typed: str) -> tuple[str | None, bool]:
        """The setting that a flag means, and whether it says no; None, with a fault, where it means none."""
        key = snake(typed[2:])
        for candidate, negated in ((key, False), *((bare, True) for bare in _negations(key))):
            found = [candidate] if candidate in self.forms else self._ending(candidate)
            if negated:
                found = [name for name in found if self._has(name, Switch)]
            if len(found) > 1:
                several = listed([flag(name) for name in found])
                self.faults.append(Fault(f"{typed}", "a flag that means one setting", several))
                return None, False
            if found:
                return found[0], negated
        self.faults.append(Fault(typed, "a setting that is known", self._suggestion(key)))
        return None, False

    def _ending(self, key: str) -> list[str]:
        return [name for name in self.names if name.endswith(f".{key}")]

    def _suggestion(self, key: str) -> str:
        """The nearest full name, else the nearest last name, else where to look."""
        close = nearest(key, self.names)
        if close is None:
            last = nearest(key.rpartition(".")[2], [name.rpartition(".")[2] for name in self.names])
            close = next((name for name in self.names if name.rpartition(".")[2] == last), None)
        return flag(close) if close else "--help for all of them"

    def _flat(self, name: str) -> Iterator[Form | Group]:
        for form in self.forms[name]:
            yield from form.forms if isinstance(form, Either) else (form,)

    def _has(self, name: str, kind: type) -> bool:
        return any(isinstance(form, kind) for form in self._flat(name))


def _example(reader: _Reader, name: str) -> str:
    form = reader.forms[name][0]
    example = next(iter(form.tags), f"{flag(name)}.NAME VALUE") if isinstance(form, Group) else form.example
    return example if example.startswith("--") else f"{flag(name)} {example.strip('[]').replace(', ', ' ')}"


def _allowed(forms: Sequence[Form | Group]) -> str:
    form = forms[0]
    if isinstance(form, Group):
        return listed(list(form.tags)) if form.tags else "one of its settings"
    return form.allowed


def _negations(key: str) -> list[str]:
    """What a flag with a "no" before its first or last name would turn off."""
    head, dot, last = key.rpartition(".")
    return [key.removeprefix("no_")] * key.startswith("no_") + [head + dot + last.removeprefix("no_")] * (
        bool(dot) and last.startswith("no_")
    )


def _values(rest: list[str]) -> int:
    """How many words stand before the next flag."""
    return next((index for index, word in enumerate(rest) if word.startswith("--")), len(rest))


def _nested(found: dict[str, Node]) -> Table:
    """Full names as tables within tables."""
    table = Table()
    for name, node in found.items():
        for key in reversed(name.split(".")):
            node = Table({key: node}, node.origin)
        table = node.over(table) if isinstance(node, Table) else table
    return table
