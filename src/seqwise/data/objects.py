"""The objects of a JSON file: one a line (JSONL), or all in one list. Which of the two, its first character tells.

    objects(path, encoding)    Found(line, row, value), or for a row that cannot be read a fault in its place

In JSONL a broken line costs that row only. A list that breaks off ends the reading: where its next item would begin
cannot be told.
"""

import json
import re
from collections.abc import Iterator
from itertools import chain
from typing import Any, NamedTuple

from seqwise.data.files import OR_SKIP, Undecoded, bad_row, lines, shown
from seqwise.errors import DataError, Fault

_SPACE = re.compile(r"[ \t\r\n]*")


class Found(NamedTuple):
    """One object, and where it begins."""

    line: int
    row: int
    """Its number in a list, from 1; 0 in JSONL, where the line says it all."""
    value: dict[str, Any]


def place(path: str, line: int, row: int) -> str:
    """`file:line`, and the number of the item in a list, of which one line may hold all."""
    return f"{path}:{line}" + (f" (row {row})" if row else "")


def bad_at(where: str, given: str, allowed: str, mend: str = "mending it") -> Fault:
    """As `bad_row`, where the place is known already."""
    return Fault(given, allowed, f"{mend}{OR_SKIP}", where)


def objects(path: str, encoding: str, *, alone: bool = False) -> Iterator[Found | Fault]:
    """Each object of the file. alone: read without settings, so that advice names no flag."""
    found = enumerate(lines(path, encoding, alone=alone), 1)
    for number, line in found:
        text = line.text if isinstance(line, Undecoded) else line
        if not text.strip():
            continue
        if text.lstrip().startswith("["):
            before = [(before, "") for before in range(1, number)]
            yield from _of_list(path, chain(before, [(number, line)], found))
        else:
            yield from _of_lines(path, chain([(number, line)], found))
        return


def _of_lines(path: str, numbered: Iterator[tuple[int, str | Undecoded]]) -> Iterator[Found | Fault]:
    for number, line in numbered:
        if isinstance(line, Undecoded):
            yield line.fault
        elif line.strip():
            try:
                yield _checked(path, number, 0, json.loads(line), line)
            except (ValueError, RecursionError) as error:
                yield bad_row(path, number, f"no JSON ({_why(error)})", "an object in each line, or one list of them")


def _of_list(path: str, numbered: Iterator[tuple[int, str | Undecoded]]) -> Iterator[Found | Fault]:
    texts: list[str] = []
    for _, read in numbered:
        if isinstance(read, Undecoded):
            raise DataError.of([read.fault])
        texts.append(read)
    text = "\n".join(texts)
    decoder = json.JSONDecoder()
    at = _after(text, text.index("[") + 1)
    line, counted, row = 1, 0, 0
    while text[at : at + 1] != "]":
        line, counted, row = line + text.count("\n", counted, at), at, row + 1
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            broken = text.count("\n", 0, error.pos) + 1 if isinstance(error, json.JSONDecodeError) else line
            given = f"no JSON in row {row} of the list ({_why(error)})"
            raise DataError(given, "a whole list of objects", "mending it", f"{path}:{broken}") from None
        yield _checked(path, line, row, value, text[at:end])
        at = _after(text, end)
        if text[at : at + 1] == ",":
            at = _after(text, at + 1)
        elif text[at : at + 1] != "]":
            given = f"a list that {'breaks off' if at == len(text) else 'has no comma'} after row {row}"
            where = f"{path}:{text.count(chr(10), 0, at) + 1}"
            raise DataError(given, "a whole list of objects", "mending it, or writing it again", where)
    behind = _after(text, at + 1)
    if behind != len(text):
        where = f"{path}:{text.count(chr(10), 0, behind) + 1}"
        raise DataError("more behind the end of the list", "one list", "one object in each line instead", where)


def _checked(path: str, line: int, row: int, value: object, raw: str) -> Found | Fault:
    """The row, or what is wrong with it whatever it holds."""
    where = place(path, line, row)
    if not isinstance(value, dict):
        return bad_at(where, f"JSON that is no object, {shown(raw)}", "an object for each row")
    if "\\u" in raw:  # the only way to write either
        if any("\0" in text for text in _texts(value)):
            return bad_at(where, "a NUL character", "text")
        if any("\ud800" <= letter <= "\udfff" for text in _texts(value) for letter in text):
            return bad_at(where, "half of a surrogate pair", "both halves, as in \\ud83d\\ude00")
    return Found(line, row, value)


def _texts(value: object) -> Iterator[str]:
    """Every text in a value, keys too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _texts(item)


def _after(text: str, at: int) -> int:
    """The first place from here on that is no space."""
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _why(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg}, column {error.colno}"
    return "nested too deeply, or a number too long"
