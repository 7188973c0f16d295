"""From a table of texts to frozen dataclasses: leaves first, every fault on the way noted and none raised.

A dataclass is asked for its own `faults()` once all its values are known; where one of them is wrong, its
contradictions would only mislead.
"""

from dataclasses import MISSING
from typing import Any

from seqwise.config.checking import contradictions
from seqwise.config.forms import Form, Refused
from seqwise.config.nodes import Node, Origin, Scalar, Table, flag
from seqwise.config.sections import TAG, Entry, Group, Section, paths
from seqwise.config.texts import NOTHINGS, listed
from seqwise.errors import Fault, SeqwiseError, nearest


class Builder:
    """Builds dataclasses from the leaves up and collects faults."""

    def __init__(self, tree: Section, complete: bool) -> None:
        self.tree = tree
        self.complete = complete
        """Whether what is missing is truly missing, and not in a file that could not be read."""
        self.faults: list[Fault] = []
        self.places: dict[str, Origin] = {}

    def settings(self, table: Table) -> object:
        """The whole tree."""
        self.places = dict(table.places())
        return self.section(self.tree, table, None, "")

    def section(self, section: Section, table: Table, base: object, prefix: str) -> object:
        """One dataclass; MISSING where a value of it is wrong. `base` is the instance with its defaults."""
        self._unknown(section, table, prefix)
        defaults = section.defaults(base)
        values = {
            entry.name: self._entry(entry, table.entries.get(entry.name), defaults[entry.name], prefix + entry.name)
            for entry in section.entries
        }
        if any(value is MISSING for value in values.values()):
            return MISSING
        try:
            settings = section.kind(**values)
        except SeqwiseError as error:  # a dataclass may refuse itself
            self.faults.extend(error.faults)
            return MISSING
        if self.complete:
            self.faults.extend(contradictions(settings, self.places))
        return settings

    def _entry(self, entry: Entry, node: Node | None, default: Any, name: str) -> object:
        if isinstance(entry.form, Group):
            return self._group(entry, entry.form, node, default, name)
        if node is not None:
            return self._leaf(entry.form, node, default, name)
        if default is MISSING and self.complete:
            mend = f"{flag(name)} {entry.form.example}"
            self.faults.append(Fault(f"{flag(name)} is not given", entry.form.allowed, mend))
        return default

    def _leaf(self, form: Form, node: Node, default: Any, name: str) -> object:
        try:
            return form.read(node)
        except Refused as refusal:
            instead = refusal.instead or (form.example if default in (MISSING, None) else form.write(default))
            self._fault(node.origin, node.origin.given(name, str(node)), refusal.allowed, name, instead)
            return MISSING

    def _group(self, entry: Entry, group: Group, node: Node | None, default: Any, name: str) -> object:
        """A dataclass within a dataclass."""
        if isinstance(node, Scalar) and group.optional and node.plain and node.text.lower() in NOTHINGS:
            return None
        if node is None and default is None:
            return None
        if node is not None and not isinstance(node, Table):
            tag = node.text if isinstance(node, Scalar) and node.text in group.tags else "..."
            key = TAG if group.tagged else group.sections[0].entries[0].name
            given, mend = node.origin.given(name, str(node)), f"{name}: {{{key}: {tag}}}"
            self.faults.append(Fault(given, "settings below it", mend, node.origin.where))
            return MISSING
        table = node or Table()
        chosen = self._chosen(group, table, default, name)
        return MISSING if chosen is None else self.section(chosen, table, default, f"{name}.")

    def _chosen(self, group: Group, table: Table, default: Any, name: str) -> Section | None:
        """The section that `kind` asks for: else that of the default, else the first."""
        tag = table.entries.get(TAG)
        if not group.tagged or tag is None:
            return group.of(default) or group.sections[0]
        text = tag.text if isinstance(tag, Scalar) else str(tag)
        if text not in group.tags:
            known = list(group.tags)
            instead = nearest(text, known) or known[0]
            allowed = listed(known)
            self._fault(tag.origin, tag.origin.given(f"{name}.{TAG}", str(tag)), allowed, f"{name}.{TAG}", instead)
            return None
        return group.tags[text]

    def _unknown(self, section: Section, table: Table, prefix: str) -> None:
        """Keys that are no settings here."""
        known = {entry.name for entry in section.entries}
        for key, node in table.entries.items():
            if key in known:
                continue
            shown = node.origin.given(prefix + key, "") if node.origin.flag else prefix + key
            owners = self._owners(prefix + key) if "." not in key else []
            if owners:
                tag = section.tags[0] if section.tags else ""
                allowed = f"{prefix}{TAG} {listed(owners)}, while it is {tag}"
                mend = f"to leave it out, or {flag(prefix + TAG)} {owners[0]}"
                self.faults.append(Fault(shown.strip(), allowed, mend, node.origin.where))
            else:
                mend = self._suggestion(section, prefix, key)
                self.faults.append(Fault(f"{shown.strip()}", "a setting that is known", mend, node.origin.where))

    def _owners(self, name: str) -> list[str]:
        """The kinds of the same union that do have the setting."""
        head, _, key = name.rpartition(".")
        groups = [form for path, form in paths(self.tree) if path == head and isinstance(form, Group)]
        return [tag for group in groups for tag, section in group.tags.items() if section.entry(key)]

    def _suggestion(self, section: Section, prefix: str, key: str) -> str:
        """The nearest name in this section, else the place where that name does stand."""
        close = nearest(key, [entry.name for entry in section.entries])
        everywhere = [name for name, _ in paths(self.tree)]
        if prefix + key in everywhere:  # dotted, as flags are
            head, _, last = key.rpartition(".")
            return f"{last} below {head}"
        elsewhere = [name for name in everywhere if name.endswith(f".{key}")]
        if not close and elsewhere:
            return " or ".join(dict.fromkeys(elsewhere))
        if close:
            return prefix + close
        return nearest(prefix + key, everywhere) or "seqwise config show, which lists them all"

    def _fault(self, origin: Origin, given: str, allowed: str, name: str, instead: str) -> None:
        self.faults.append(Fault(given, allowed, origin.mended(name, instead), origin.where))
