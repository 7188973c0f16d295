"""What a tokenizer gives besides ids, and how the parts of a tokenizer.json are read.

The bytes of GPT-2's files: Radford et al. 2019, section 2.2.
"""

import json
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from seqwise.errors import DataError

ABSENT = "\ufdd0"
"""Stands before the name of a token that no text is cut into, though a model may write it. Unicode keeps it out
of all texts."""


class Piece(NamedTuple):
    """One token of a text, and where in the text it stands."""

    piece: str
    """As `Tokenizer.pieces` shows it."""
    start: int
    """First character, in the text as it was given."""
    end: int
    """One past the last."""


class Framed(NamedTuple):
    """A text, or a pair of texts, with the special tokens that its tokenizer.json puts around it."""

    ids: list[int]
    """Such as [CLS] text [SEP] of BERT."""
    segments: list[int]
    """For each id the number of the text that it belongs to: 0, or 1 in the second of a pair, as the file has it."""


def shown(name: str, bytewise: bool) -> str:
    """A token as one reads it in a table, from its name in the file."""
    name = name.removeprefix(ABSENT)
    if bytewise and all(letter in _BYTE_OF for letter in name):
        name = bytes(_BYTE_OF[letter] for letter in name).decode("utf-8", errors="replace")
    return name.translate(_VISIBLE)


def size(name: str, bytewise: bool) -> int | None:
    """Bytes that a token stands for, where its name in the file says it: each letter a byte, or a byte by its number.
    Else None, as its text says it."""
    if bytewise and name and all(letter in _BYTE_OF for letter in name):
        return len(name)
    return 1 if _BYTE.fullmatch(name) else None


def form(part: object) -> str:
    """A part of a tokenizer as it stands in the file."""
    return "null" if part is None else part.__getstate__().decode()  # type: ignore[attr-defined]


def ends(part: object, step: dict[str, Any]) -> bool:
    """Whether this is the last step of a sequence, or all of it."""
    whole = json.loads(form(part)) or {}
    return bool((whole.get("normalizers") or [whole])[-1] == step)


def no_text(texts: Sequence[str | tuple[str, str]], start: int) -> DataError:
    """Which text the library could not read: half of a surrogate pair, from bytes that were never UTF-8."""
    for place, given in enumerate(texts, start):
        text = given if isinstance(given, str) else "\n".join(given)
        try:
            text.encode()
        except UnicodeEncodeError:
            return DataError(f"text {place + 1}, {text[:40]!r}", "text in UTF-8", "converting the file to UTF-8")
    raise TypeError(f"encode() takes a sequence of texts, not of {type(texts[0]).__name__}")


def _letters_of_bytes() -> dict[str, int]:
    """How GPT-2's files write bytes: the printable ones of Latin-1 as they are, the others from U+0100 on."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in plain]
    return {chr(byte): byte for byte in plain} | {chr(256 + place): byte for place, byte in enumerate(others)}


_BYTE = re.compile(r"<0x[0-9A-F]{2}>")
_BYTE_OF = _letters_of_bytes()
_VISIBLE = str.maketrans({" ": "▁", "\n": "\\n", "\r": "\\r", "\t": "\\t"})
