"""Lines of a file or of a stream, as many at a time as it pays to answer together."""

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from seqwise.errors import DataError

AHEAD = 1024  # lines of a file sorted by length and answered together


def in_chunks(lines: Iterable[str]) -> Iterator[list[str]]:
    """Lines of a file, as many at a time as it pays to sort by length."""
    chunk: list[str] = []
    for line in lines:
        chunk.append(line)
        if len(chunk) == AHEAD:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def as_they_come(stream: BinaryIO) -> Iterator[list[str]]:
    """Each line as soon as it is there; those that came while others were translated, together."""
    lines: queue.Queue[str | DataError | None] = queue.Queue(AHEAD)

    def read() -> None:
        for number, line in enumerate(stream, 1):
            try:
                lines.put(line.decode().rstrip("\r\n"))
            except UnicodeDecodeError as error:
                given = f"a byte 0x{line[error.start]:02x} that is no UTF-8"
                lines.put(DataError(given, "UTF-8", "iconv -f latin1 -t utf-8 before", f"standard input:{number}"))
                return
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    while (line := lines.get()) is not None:
        chunk = []
        while isinstance(line, str):
            chunk.append(line)
            if len(chunk) == AHEAD or lines.empty():
                break
            line = lines.get()
        if chunk:
            yield chunk
        if isinstance(line, DataError):
            raise line
        if line is None:
            return
