"""What tests of pretrained vocabularies share: files of SentencePiece, written without its library."""

import struct
from collections.abc import Callable, Sequence

import pytest

Piece = tuple[str, float, int]  # text, score, kind


def varint(number: int) -> bytes:
    """Seven bits a byte, the low ones first."""
    low = number & 0x7F
    return bytes([low | 0x80]) + varint(number >> 7) if number > 0x7F else bytes([low])


def field(number: int, value: bytes | int | float) -> bytes:
    """A field of Protocol Buffers: an integer, a float of 32 bits, or bytes."""
    if isinstance(value, bytes):
        return varint(number << 3 | 2) + varint(len(value)) + value
    if isinstance(value, float):
        return varint(number << 3 | 5) + struct.pack("<f", value)
    return varint(number << 3) + varint(value)


def model(
    pieces: Sequence[Piece],
    *,
    bpe: bool = False,
    bytewise: bool = False,
    table: bytes = b"",
    fronted: bool = True,
    trimmed: bool = True,
) -> bytes:
    """A whole file."""
    listed = [field(1, text.encode()) + field(2, float(score)) + field(3, kind) for text, score, kind in pieces]
    trainer = field(3, 2 if bpe else 1) + field(35, int(bytewise)) + field(44, " ⁇ ".encode())
    normalizer = field(1, b"own") + field(2, table) + field(3, int(fronted)) + field(4, int(trimmed)) + field(5, 1)
    return b"".join(field(1, one) for one in listed) + field(2, trainer) + field(3, normalizer)


@pytest.fixture(scope="session")
def spm() -> Callable[..., bytes]:
    """The bytes of a SentencePiece file with these pieces."""
    return model
