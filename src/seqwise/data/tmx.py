"""Translation memories (TMX 1.1 to 1.4), read unit by unit, so that memory holds one piece of the file.

    <tu> <tuv xml:lang="en"><seg>Press <bpt i="1">&lt;b&gt;</bpt>Enter<ept i="1"/></seg></tuv> ... </tu>

Of inline markup the text stays (`hi`) and native codes go (`bpt ept ph it ut`, and the `sub` flows in them,
which are footnotes and alt texts). A line feed and the indent behind it lay out the file: they are read as a space.
A language is taken from the first <tuv> that has it. Expat and not ElementTree, since it knows the line of every
unit, and can refuse the declaration of entities, by which a small file becomes gigabytes.

Left out: notes, properties, and the DTD itself, which is never loaded.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

from seqwise.data.files import bad_row, empty, opened
from seqwise.data.readers import Note, Rows
from seqwise.errors import DataError, Fault

_INDENT = re.compile(r"[ \t]*\n\s*")
_PIECE = 1 << 16  # bytes parsed at once
_CODES = {"bpt", "ept", "ph", "it", "ut"}


@dataclass
class _Unit:
    """A <tu>: what is said, in several languages."""

    line: int
    texts: list[tuple[str, str]] = field(default_factory=list)
    """Language and text, in the order of the file."""
    unknown: str = ""
    """An entity that the file does not define, so that a piece of text is missing."""

    def languages(self) -> list[str]:
        """Each once."""
        return list(dict.fromkeys(language for language, _ in self.texts if language))

    def text(self, wanted: str) -> str | None:
        """What is said in a language, if anything."""
        for language, text in self.texts:
            if language == wanted or language.startswith(f"{wanted}-"):
                return text
        return None


def tmx(path: str, languages: tuple[str, ...], note: Note) -> Rows:
    """The units of a file that speak both languages; by default the first two of the first unit with two."""
    wanted = [_tag(language) for language in languages]
    for unit in _units(path):
        if not wanted and len(unit.languages()) > 1:
            wanted = _short(unit.languages()[:2])
            note(f"{path}: {wanted[0]} to {wanted[1]}, the languages of its first unit")
        texts = [unit.text(language) for language in wanted]
        if unit.unknown:
            yield bad_row(path, unit.line, f"&{unit.unknown}; that stands for nothing", "characters as they are")
        elif not wanted or None in texts:
            yield _silent(path, unit, wanted)
        else:
            yield unit.line, texts[0] or "", texts[1] or ""


class _Reader:
    """Expat's events to units."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.done: list[_Unit] = []
        self.unit = _Unit(0)
        self.language = ""
        self.text: list[str] | None = None  # the pieces of the <seg> we are in
        self.codes = 0  # how deep we are in native codes
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = self.end
        self.parser.CharacterDataHandler = self.characters
        self.parser.EntityDeclHandler = self.refuse
        self.parser.SkippedEntityHandler = self.skipped

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """An element opens."""
        if name == "tu":
            self.unit = _Unit(self.parser.CurrentLineNumber)
        elif name == "tuv":
            self.language = _tag(attributes.get("xml:lang") or attributes.get("lang") or "")
        elif name == "seg":
            self.text, self.codes = [], 0
        elif name in _CODES:
            self.codes += 1

    def end(self, name: str) -> None:
        """An element closes."""
        if name == "tu":
            self.done.append(self.unit)
        elif name == "seg":
            self.unit.texts.append((self.language, _INDENT.sub(" ", "".join(self.text or ()))))
            self.text = None
        elif name in _CODES:
            self.codes -= 1

    def characters(self, text: str) -> None:
        """Text, or a native code."""
        if self.text is not None and not self.codes:
            self.text.append(text)

    def skipped(self, name: str, _: int) -> None:
        """An entity that only the DTD could have defined."""
        self.unit.unknown = name

    def refuse(self, name: str, *_: object) -> None:
        """An entity is declared."""
        where = f"{self.path}:{self.parser.CurrentLineNumber}"
        allowed = "a file without entities of its own, which can grow without end"
        raise DataError(f'<!ENTITY {name} "...">', allowed, "deleting its <!DOCTYPE ...>", where)


def _units(path: str) -> Iterator[_Unit]:
    reader = _Reader(path)
    with opened(path) as stream:
        if not stream.peek(1):
            raise empty(path)
        more = True
        while more:
            piece = stream.read(_PIECE)
            more = bool(piece)
            try:
                reader.parser.Parse(piece, not more)
            except expat.ExpatError as error:
                given = f"no XML ({expat.ErrorString(error.code)}, column {error.offset + 1})"
                allowed = "a whole, well-formed TMX file"
                raise DataError(given, allowed, "writing or copying it again", f"{path}:{error.lineno}") from None
            except (LookupError, ValueError) as error:  # declared, and none that expat could be taught
                allowed, mend = "UTF-8, UTF-16 or an encoding of single bytes", "converting and declaring it as UTF-8"
                raise DataError(str(error), allowed, mend, f"{path}:1") from None
            yield from reader.done
            reader.done.clear()


def _silent(path: str, unit: _Unit, wanted: list[str]) -> Fault:
    """A unit that lacks a language."""
    there = unit.languages()
    given = f"a unit in {' and '.join(there) or 'no language'}"
    mend = f"--data.languages {' '.join(there[:2])}" if len(there) > 1 else "mending it"
    return bad_row(path, unit.line, given, " and ".join(wanted) or "two languages", mend)


def _tag(language: str) -> str:
    """A language tag in one spelling: en_US is en-us."""
    return language.strip().lower().replace("_", "-")


def _short(tags: list[str]) -> list[str]:
    """Without regions, so that en-GB after en-US is English too; as they are if only the region differs."""
    short = [tag.partition("-")[0] for tag in tags]
    return short if short[0] != short[1] else tags
