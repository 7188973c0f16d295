"""Texts of the user's, of a download or of a model, as a terminal may get them: nothing steers it, hides or forges.

printable      one line
on_terminal    lines and tabs stay; a file and a pipe get the text as it is
"""

import re
import sys
from unicodedata import category

JOINERS = "\u200c\u200d"  # invisible, but they belong to the spelling of Persian, Hindi and others
_STEERING = re.compile(  # all control characters but tabs and line feeds, and what turns the order of letters about
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]"
)


def printable(text: str, longest: int | None = None) -> str:
    """The text on one line, cut to so many characters; what steers a terminal or hides something is escaped."""
    cut = text if longest is None or len(text) <= longest else text[: longest - 1] + "…"
    return "".join(map(_visible, cut))


def on_terminal(text: str) -> str:
    """What standard output gets: where that is a terminal, characters that would steer it are escaped."""
    return _STEERING.sub(lambda found: _escaped(found[0]), text) if sys.stdout.isatty() else text


def _visible(character: str) -> str:
    # Zs are the spaces that do not break, as before a French question mark
    if character.isprintable() or character in JOINERS or category(character) == "Zs":
        return character
    return _escaped(character)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
