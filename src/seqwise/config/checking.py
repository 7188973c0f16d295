"""Settings that exist as Python objects: is each of its type, range and choice, and do they contradict?"""

import re
from collections.abc import Iterator, Mapping

from seqwise.config.forms import Form, Refused
from seqwise.config.nodes import Origin, flag
from seqwise.config.sections import Group, Section, section
from seqwise.config.texts import listed
from seqwise.errors import ConfigError, Fault


def check(settings: object) -> None:
    """Raise where settings built in Python hold a wrong type, range or choice, or contradict themselves."""
    found = list(inspect(section(type(settings)), settings))
    if found:
        raise ConfigError.of(found)


def inspect(section: Section, settings: object, prefix: str = "") -> Iterator[Fault]:
    """What is wrong with a dataclass and those below it."""
    wrong = False
    for entry in section.entries:
        for fault in _entry(entry.form, getattr(settings, entry.name), prefix + entry.name):
            wrong = True
            yield fault
    if not wrong:
        yield from contradictions(settings, {})


def contradictions(settings: object, places: Mapping[str, Origin]) -> Iterator[Fault]:
    """The dataclass's own faults, with the line of the file where they name a setting that stands in one."""
    for fault in settings.faults() if hasattr(settings, "faults") else ():
        words = re.findall(r"--[\w.-]*\w", fault.given)
        named = [origin.where for name, origin in places.items() if flag(name) in words]
        where = fault.where or next(filter(None, named), "")
        yield Fault(fault.given, fault.allowed, fault.mend, where)


def _entry(form: Form | Group, value: object, name: str) -> Iterator[Fault]:
    if not isinstance(form, Group):
        try:
            form.check(value)
        except Refused as refusal:
            instead = refusal.instead or form.example
            yield Fault(f"{name}={value!r}", refusal.allowed, f"{name}={instead}")
        return
    below = form.of(value)
    if below is not None:
        yield from inspect(below, value, f"{name}.")
    elif value is not None or not form.optional:
        kinds = [section.kind.__name__ for section in form.sections]
        allowed = listed(kinds + ["None"] * form.optional)
        yield Fault(f"{name}={value!r}", allowed, f"{name}={kinds[0]}()")
