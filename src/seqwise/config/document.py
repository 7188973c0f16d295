"""A YAML file as a table of texts with their lines. Nothing is constructed: types are the settings' business.

Aliases are followed; merge keys (`<<`), tags of one's own and several documents are refused.
"""

from pathlib import Path

import yaml

from seqwise.config.nodes import Node, Origin, Scalar, Series, Table, snake
from seqwise.errors import Fault, nearest

_TAGS = {
    yaml.ScalarNode: ("a plain value", ("null", "bool", "int", "float", "str", "timestamp")),
    yaml.SequenceNode: ("a plain list", ("seq",)),
    yaml.MappingNode: ("plain settings", ("map",)),
}
"""What may stand there, and the tags that say no more than that."""
_NESTING = 30
"""Deeper than any settings; a file nested beyond is not one."""


def load(file: Path) -> tuple[Table | None, list[Fault]]:
    """The file as a table, and what is wrong with it; None where nothing could be read."""
    text, fault = _text(file)
    if fault is not None:
        return None, [fault]
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        return None, [_unreadable(file, error)]
    except RecursionError:
        return None, [Fault("a nesting without end", "settings in sections", "to flatten it", str(file))]
    if root is None:
        return Table(origin=Origin(str(file))), []
    if not isinstance(root, yaml.MappingNode):
        kind = "a list" if isinstance(root, yaml.SequenceNode) else "a single text"
        mend = 'lines such as "out: runs/one"'
        return None, [Fault(kind, "a mapping of settings", mend, _where(file, root))]
    reader = _Reader(file)
    table = reader.node(root, 0)
    return table if isinstance(table, Table) else None, reader.faults


class _Reader:
    """Turns YAML nodes into ours, each only once, and collects what is wrong."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.faults: list[Fault] = []
        self.done: dict[int, Node] = {}
        self.open: set[int] = set()

    def node(self, node: yaml.Node, depth: int) -> Node:
        """Ours, for theirs. Aliases share one node, so that no file can unfold to more than it holds."""
        origin = Origin(_where(self.file, node))
        if id(node) in self.open or depth > _NESTING:
            self.faults.append(Fault("a nesting without end", "settings in sections", "to flatten it", origin.where))
            self.done[id(node)] = Scalar("", origin=origin)
        if id(node) not in self.done:
            self.open.add(id(node))
            read = self._node(node, origin, depth)
            self.done.setdefault(id(node), read)
            self.open.discard(id(node))
        return self.done[id(node)]

    def _node(self, node: yaml.Node, origin: Origin, depth: int) -> Node:
        allowed, tags = _TAGS[type(node)]
        if node.tag.removeprefix("tag:yaml.org,2002:") not in tags:
            self.faults.append(Fault(f"the tag {node.tag}", allowed, "to leave the tag out", origin.where))
        if isinstance(node, yaml.MappingNode):
            return self._table(node, origin, depth)
        if isinstance(node, yaml.SequenceNode):
            return Series(tuple(self.node(item, depth + 1) for item in node.value), origin)
        bare = isinstance(node, yaml.ScalarNode) and node.style is None
        return Scalar(node.value, bare, origin)

    def _table(self, node: yaml.MappingNode, origin: Origin, depth: int) -> Table:
        entries: dict[str, Node] = {}
        lines: dict[str, int] = {}
        for key, value in node.value:
            where = _where(self.file, key)
            if not isinstance(key, yaml.ScalarNode):
                self.faults.append(
                    Fault("a key that is no word", "the name of a setting", "seqwise config show", where)
                )
            elif key.value == "<<":
                self.faults.append(Fault("a merge key <<", "each setting once", "to write the settings out", where))
            elif (name := snake(key.value)) in entries:
                mend = f"to keep this one or that of line {lines[name]}"
                self.faults.append(Fault(f"{key.value}: a second time", "each setting once", mend, where))
            else:
                lines[name] = key.start_mark.line + 1
                entries[name] = self._placed(self.node(value, depth + 1), where)
        return Table(entries, origin)

    @staticmethod
    def _placed(node: Node, where: str) -> Node:
        """With the line of its key, which is where people look."""
        match node:
            case Scalar():
                return Scalar(node.text, node.plain, Origin(where))
            case Series():
                return Series(node.items, Origin(where))
            case Table():
                return Table(node.entries, Origin(where))


def _text(file: Path) -> tuple[str, Fault | None]:
    """The file's text, or why it cannot be had."""
    try:
        return file.read_bytes().decode("utf-8-sig"), None
    except FileNotFoundError:
        near = _neighbour(file)
        mend = near or "a path that exists; seqwise config show prints a file to start from"
        return "", Fault(f"{file} is missing", "a YAML file of settings", mend)
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        mend = "to save it as UTF-8"
        return "", Fault(f"byte {error.object[error.start]:#04x}", "text in UTF-8", mend, f"{file}:{line}")
    except OSError as error:
        given = f"{file} cannot be read ({error.strerror})"
        return "", Fault(given, "a YAML file of settings", "a file that you may read")


def _neighbour(file: Path) -> str | None:
    """The file beside the missing one that was probably meant."""
    if not file.parent.is_dir():
        return None
    near = nearest(file.name, [path.name for path in file.parent.iterdir() if path.suffix in (".yaml", ".yml")])
    return str(file.with_name(near)) if near else None


def _unreadable(file: Path, error: yaml.YAMLError) -> Fault:
    """What the YAML parser stumbled over, in one line."""
    mark = error.problem_mark if isinstance(error, yaml.MarkedYAMLError) else None
    problem = error.problem if isinstance(error, yaml.MarkedYAMLError) else str(error).split("\n")[0]
    where = f"{file}:{mark.line + 1}" if mark else str(file)
    mend = 'two spaces of indent for each level, and quotes around a text with ": ", "#" or a leading "*"'
    return Fault(f"{problem}".replace("\n", " "), "YAML that can be read", mend, where)


def _where(file: Path, node: yaml.Node) -> str:
    return f"{file}:{node.start_mark.line + 1}"
