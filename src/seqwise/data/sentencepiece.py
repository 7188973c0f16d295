"""The files of SentencePiece (`spiece.model`, `source.spm`, `tokenizer.model`), read without its library.

A file is a message of Protocol Buffers: fields, each with a number, a wire type and a value, nested. Read is what
cutting a text needs: the pieces with scores and kinds, and how spaces and look-alikes are treated. Kudo and
Richardson 2018; https://protobuf.dev/programming-guides/encoding; sentencepiece_model.proto.

Every length is checked against what is there, and the table of look-alikes is walked once, since the library that
follows it later checks nothing. Left out: how the model was trained, and whatever only training asks.
"""

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from seqwise.errors import CheckpointError

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)
"""Kinds of pieces, by the numbers of the file."""
_UNIGRAM, _BPE = 1, 2
_LABEL = 0x800000FF  # of a unit in the table of look-alikes; a leaf has the highest bit, and so none that can be met


class Entry(NamedTuple):
    """One piece; its id is its place."""

    text: str
    """With "▁" for a space."""
    score: float = 0.0
    """Logarithm of its probability; with BPE the later it was learnt, the lower."""
    kind: int = NORMAL
    """One of the kinds above."""


@dataclass(frozen=True)
class SentencePiece:
    """What a file says."""

    pieces: tuple[Entry, ...]
    """In the order of their ids."""
    bpe: bool = False
    """Built up by merging; otherwise chosen by likelihood (unigram)."""
    bytewise: bool = False
    """Whether an unknown character is spelled in bytes."""
    lookalikes: bytes = b""
    """The table by which characters are replaced before cutting ("precompiled_charsmap"); empty for none."""
    fronted: bool = True
    """Whether a text gets a space in front."""
    trimmed: bool = True
    """Whether outer spaces go, and inner ones become one."""

    @property
    def unknown(self) -> str:
        """The piece that stands for what there is no piece for."""
        return next(entry.text for entry in self.pieces if entry.kind == UNKNOWN)


def read(path: Path) -> SentencePiece:
    """Read a file, or say what is wrong with it."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _damaged(path, f"cannot be read ({error.strerror})") from None
    try:
        model = _parsed(data)
        _check(model)
    except (ValueError, IndexError, struct.error) as error:
        raise _damaged(path, f"no SentencePiece model ({error})") from None
    return model


def _parsed(data: bytes) -> SentencePiece:
    pieces: list[Entry] = []
    trainer: dict[int, int | bytes] | None = None
    normalizer: dict[int, int | bytes] | None = None
    for number, value in _fields(data):
        if number in (1, 2, 3) and not isinstance(value, bytes):
            raise ValueError(f"field {number} is a number")
        match number, value:
            case 1, bytes():
                pieces.append(_entry(value))
            case 2, bytes():
                trainer = dict(_fields(value))
            case 3, bytes():
                normalizer = dict(_fields(value))
    if trainer is None or normalizer is None:  # the file has them behind the pieces
        raise ValueError("the file ends too early")
    kind = trainer.get(3, _UNIGRAM)
    if kind not in (_UNIGRAM, _BPE) or trainer.get(24) or normalizer.get(5, 1) != 1:
        raise ValueError("a kind other than unigram or BPE with spaces in front of words")
    table = normalizer.get(2, b"")
    return SentencePiece(
        pieces=tuple(pieces),
        bpe=kind == _BPE,
        bytewise=bool(trainer.get(35, 0)),
        lookalikes=table if isinstance(table, bytes) else b"",
        fronted=bool(normalizer.get(3, 1)),
        trimmed=bool(normalizer.get(4, 1)),
    )


def _entry(data: bytes) -> Entry:
    fields = dict(_fields(data))
    text, score, kind = fields.get(1, b""), fields.get(2, b"\0\0\0\0"), fields.get(3, NORMAL)
    if not isinstance(text, bytes) or not isinstance(score, bytes) or not isinstance(kind, int):
        raise ValueError("a piece with fields of other types")
    (number,) = struct.unpack("<f", score)
    if not math.isfinite(number):
        raise ValueError("a score that is not finite")
    return Entry(text.decode(), number, kind)


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Number and value of each field: an integer for wire type 0, bytes for the others."""
    place = 0
    while place < len(data):
        tag, place = _varint(data, place)
        match tag & 7:
            case 0:
                value, place = _varint(data, place)
                yield tag >> 3, value
                continue
            case 1:
                size = 8
            case 2:
                size, place = _varint(data, place)
            case 5:
                size = 4
            case other:
                raise ValueError(f"wire type {other} at byte {place}")
        if size > len(data) - place:
            raise ValueError(f"{size} bytes announced at byte {place}, {len(data) - place} there")
        yield tag >> 3, data[place : place + size]
        place += size


def _varint(data: bytes, place: int) -> tuple[int, int]:
    """An integer of seven bits a byte, the low ones first, and the place behind it."""
    value = 0
    for shift in range(0, 70, 7):
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
    raise ValueError(f"a number of more than ten bytes before byte {place}")


def _check(model: SentencePiece) -> None:
    """What the wire format cannot tell."""
    names = {entry.text for entry in model.pieces}
    if len(names) < len(model.pieces) or "" in names:
        raise ValueError(f"{len(model.pieces)} pieces, of them {len(names)} different ones")
    if sum(entry.kind == UNKNOWN for entry in model.pieces) != 1:
        raise ValueError("no piece, or several, for the unknown")
    if model.bytewise and not {f"<0x{byte:02X}>" for byte in range(256)} <= names:
        raise ValueError("bytes without their pieces")
    if model.lookalikes:
        _check_lookalikes(model.lookalikes)


def _check_lookalikes(table: bytes) -> None:
    """Follow every branch of the table: a double-array trie of 32-bit units, and texts that end in a zero.

    https://github.com/s-yata/darts-clone, darts.h: a unit with the highest bit is a leaf, the rest of it the place
    of a text; any other has its label in the low byte, a bit 8 for a leaf below, and the offset from bit 10 on.
    """
    (size,) = struct.unpack_from("<I", table)
    texts = table[4 + size :]
    if size % 4 or size == 0 or size > len(table) - 4:
        raise ValueError(f"a table of look-alikes of {size} bytes, {len(table) - 4} there")
    texts.decode()
    units = struct.unpack(f"<{size // 4}I", table[4 : 4 + size])
    below: dict[int, list[int]] = {}  # where a branch leads, by its first place: its label is the distance
    for node, unit in enumerate(units):
        if 0 < unit & _LABEL < 256:
            below.setdefault(node ^ (unit & 0xFF), []).append(node)
    branches, seen = [0], {0}
    while branches:
        node = branches.pop()
        unit = units[node]
        first = node ^ ((unit >> 10) << ((unit & 0x200) >> 6))
        if first | 0xFF >= len(units):
            raise ValueError("a table of look-alikes that points outside")
        leaf = units[first] & 0x7FFFFFFF
        if unit & 0x100 and (leaf >= len(texts) or texts[leaf] & 0xC0 == 0x80):
            raise ValueError("a table of look-alikes that points between its texts")
        fresh = [node for node in below.get(first, ()) if node not in seen]
        branches += fresh
        seen.update(fresh)


def _damaged(path: Path, given: str) -> CheckpointError:
    return CheckpointError(
        given=given,
        allowed="a whole file of SentencePiece, of unigram or BPE",
        mend="copying it again, or a tokenizer.json, which transformers' save_pretrained writes",
        where=str(path),
    )
