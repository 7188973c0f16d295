"""Lines of a file or of a stream, as many at a time as it pays to answer together; and whether they can go where
they shall.
"""

import queue
import threading
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from seqwise.errors import ConfigError, DataError

AHEAD = 1024  # lines of a file sorted by length and answered together


def must_have_ends(
    text: str | None, source: Path | None, column: str | tuple[str, str] | None, output: Path | None
) -> None:
    """Refuse contradictory ways in, and a way out that leads nowhere or over what is read, before a model is opened.

    source, output   files, where some are given
    """
    if text is not None and source is not None:
        raise ConfigError("a text and --input", "one of them", "--input FILE without a text")
    if column is not None and source is None:
        named = column if isinstance(column, str) else " --column ".join(column)
        raise ConfigError(f"--column {named} without --input", "a table to read", "--input FILE")
    if isinstance(column, tuple) and len(column) != 2:
        raise ConfigError(f"--column {len(column)} times", "one column of texts, or two of pairs", "--column once")
    if output is None:
        return
    must_have_place("--output", output)
    if source is not None and source.is_file() and output.is_file() and output.samefile(source):
        raise ConfigError(f"--output {output}, which is --input", "another file", f"--output {output.stem}.out")


def must_have_place(flag: str, file: Path) -> None:
    """Refuse a file that no folder could hold, while nothing has been computed for it."""
    if file.is_dir():
        raise ConfigError(f"{flag} {file}, a folder", "a file", f"{flag} {file / 'out.txt'}")
    if not file.parent.is_dir():
        raise ConfigError(f"{flag} {file}", "a folder that exists", f"mkdir -p {file.parent}")


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


def _decoded(line: bytes, number: int) -> str:
    """A line of standard input as text."""
    line = line.removeprefix(BOM_UTF8) if number == 1 else line
    try:
        return line.decode().rstrip("\r\n")
    except UnicodeDecodeError as error:
        given = f"a byte 0x{line[error.start]:02x} that is no UTF-8"
        other = "utf-16" if line.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) else "latin1"
        mend = f"iconv -f {other} -t utf-8 before"
        raise DataError(given, "UTF-8", mend, f"standard input:{number}") from None


def as_they_come(stream: BinaryIO) -> Iterator[list[str]]:
    """Each line as soon as it is there; those that came while others were translated, together."""
    lines: queue.Queue[str | DataError | None] = queue.Queue(AHEAD)

    def read() -> None:
        number = 0
        try:
            for number, line in enumerate(stream, 1):
                lines.put(_decoded(line, number))
            lines.put(None)
        except DataError as error:
            lines.put(error)
        except (OSError, ValueError) as error:  # ValueError: of a stream that was closed
            given = f"standard input, which cannot be read ({error})"
            lines.put(DataError(given, "a stream that can be read", "--input FILE", f"standard input:{number + 1}"))

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
