"""The user's files as lines of text, or one line that says what is wrong with them.

    opened(path)             bytes, decompressed
    lines(path, encoding)    texts, cut at "\\n" and nowhere else

Gzip is known by its first bytes, whatever the name. What is no text at all (archives, pictures, UTF-16 that
nobody announced) is refused before a line is read. A line that cannot be decoded does not end the reading: it
comes as `Undecoded`, and whoever reads decides.

Left out: guessing the encoding. The error proposes one, and the user confirms it.
"""

import codecs
import gzip
import io
import stat
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from seqwise.errors import DataError, Fault, nearest

_BUFFER = 1 << 17  # bytes; text is decoded in such pieces, so that memory holds no second copy of a file
_HEAD = 4096  # bytes that tell what a file is
_MANY_CONTROLS = 8  # different control characters in the head; text has hardly one, a random head 20 and more
_CONTROLS = bytes({*range(32)} - {*b"\a\b\t\n\v\f\r\x1b"})
_WESTERN = 0.3  # the share of letters outside ASCII that no language in Latin script reaches

OR_SKIP = ", or --on-bad-row skip"  # the short form: it is a flag of evaluate, too
SKIPPED = "skipped, the first:"

_GZIP = b"\x1f\x8b"
_MARKS = (  # the longer first, as one begins with another
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_OTHERS = (
    (b"PAR1\x15", "a Parquet file", ""),
    (b"PK\x03\x04", "a zip archive or an office document", "unpacking it, or saving it as CSV"),
    (b"\xfd7zXZ\x00", "an xz archive", "unpacking it with xz -d"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive", "unpacking it with zstd -d"),
    (b"BZh", "a bzip2 archive", "unpacking it with bunzip2"),
    (b"%PDF-", "a PDF document", "saving it as text"),
)

Stream: TypeAlias = "io.BufferedReader[Any]"  # of the file, or of what gzip makes of it


class Undecoded(NamedTuple):
    """A line whose bytes are not in the encoding."""

    text: str
    """With U+FFFD for what could not be read."""
    fault: Fault
    """What is wrong, and where."""


def bad_row(path: str, line: int, given: str, allowed: str, mend: str = "mending it") -> Fault:
    """A row that cannot be read; `on_bad_row` decides what becomes of it."""
    return Fault(given, allowed, f"{mend}{OR_SKIP}", where=f"{path}:{line}")


def left_out(path: str, bad: Sequence[Fault]) -> str:
    """That these rows of a file were skipped."""
    return f"{path}: {len(bad):,} bad row{'s' * (len(bad) != 1)} {SKIPPED} {bad[0]}"


def shown(text: str, length: int = 40) -> str:
    """The beginning of a user's text, in quotes, safe for any terminal."""
    return repr(text if len(text) <= length else text[: length - 3] + "...")


def check_paths(paths: Sequence[str], once: bool = False) -> None:
    """Refuse what is missing, is a folder or stands twice, all in one message, before anything is read. Pipes too,
    unless all is read `once`: a head is looked at first, and what was trained on is hashed."""
    faults: list[Fault] = []
    first: dict[tuple[int, int], str] = {}
    for path in paths:
        try:
            state = Path(path).stat()
        except OSError as error:
            faults.append(_missing(path, error))
            continue
        if stat.S_ISDIR(state.st_mode):
            inside = next((name for name in sorted(Path(path).iterdir()) if name.is_file()), "a file in it")
            faults.append(Fault("a folder", "a file", str(inside), where=path))
        elif not (once or stat.S_ISREG(state.st_mode)):
            given = "a pipe" if stat.S_ISFIFO(state.st_mode) else "a device"
            faults.append(Fault(given, "a file, which can be read twice", "writing it to a file first", where=path))
        elif other := first.get(file := (state.st_dev, state.st_ino)):
            given = "the same file twice" if other == path else f"the same file as {other}"
            faults.append(Fault(given, "each file once", "the file that was meant", where=path))
        else:
            first[file] = path
    if faults:
        raise DataError.of(faults)


@contextmanager
def opened(path: str) -> Iterator[Stream]:
    """The bytes of a file, decompressed where it is gzip."""
    try:
        with io.BufferedReader(io.FileIO(path), _BUFFER) as stored:
            if stored.peek(len(_GZIP))[: len(_GZIP)] != _GZIP:
                yield stored
            else:
                with gzip.GzipFile(fileobj=stored) as plain, io.BufferedReader(plain, _BUFFER) as stream:
                    yield stream
    except EOFError:
        raise DataError("a gzip file that ends too early", "a whole file", "copying it again", path) from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError(
            f"a damaged gzip file ({str(error).lower()})", "a whole file", "copying it again", path
        ) from None
    except OSError as error:
        raise DataError(_said(error), "a file that can be read", f"ls -l {path}", path) from None


def empty(path: str) -> DataError:
    """A file without a byte."""
    return DataError("an empty file", "one row at least", "the right file, or writing this one again", path)


def lines(path: str, encoding: str, *, alone: bool = False) -> Iterator[str | Undecoded]:
    """Each line without its line feed; a carriage return before it stays.

    A file that is read alone, without settings, may be empty, and advice on it names no flag.
    """
    codec = "utf-8" if codecs.lookup(encoding).name == "utf-8-sig" else encoding
    with opened(path) as stream:
        head = stream.peek(_HEAD)[:_HEAD]
        if not head and not alone:
            raise empty(path)
        _refuse_no_text(path, head, codec, alone)
        _refuse_returns(path, stream.peek(_HEAD))
        wide = _is_wide(codec)
        yield from _wide(path, stream.read(), codec) if wide else _narrow(path, stream, codec, alone)


def _narrow(path: str, stream: Stream, codec: str, alone: bool) -> Iterator[str | Undecoded]:
    number, advice = 0, ""
    while batch := stream.readlines(_BUFFER):
        joined = b"".join(batch)
        try:
            found: list[str | Undecoded] = [*joined.decode(codec).removesuffix("\n").split("\n")]
        except UnicodeDecodeError:
            advice = advice or _advice(path, joined, codec, alone)
            found = [_decoded(path, line, raw, codec, advice) for line, raw in enumerate(batch, number + 1)]
        if number == 0 and isinstance(found[0], str):
            found[0] = found[0].removeprefix("\ufeff")
        yield from found
        number += len(batch)


def _decoded(path: str, line: int, raw: bytes, codec: str, advice: str) -> str | Undecoded:
    raw = raw.removesuffix(b"\n")
    try:
        return raw.decode(codec)
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode(codec, "replace")
        after = f" after {shown(before[-20:])}" if before else ""
        given = f"byte 0x{raw[error.start]:02x}{after}"
        return Undecoded(raw.decode(codec, "replace"), Fault(given, codec, advice, where=f"{path}:{line}"))


def _wide(path: str, data: bytes, codec: str) -> Iterator[str]:
    try:
        text = data.decode(codec)
    except UnicodeDecodeError as error:
        line = 1 + data[: error.start].decode(codec, "ignore").count("\n")
        byte = f"byte 0x{data[error.start]:02x}"
        raise DataError(byte, codec, "the encoding that it was written in", f"{path}:{line}") from None
    yield from text.removeprefix("\ufeff").removesuffix("\n").split("\n")


def _missing(path: str, error: OSError) -> Fault:
    """A file that cannot be asked even for its size; mostly a slip of the pen."""
    name, folder = Path(path).name, Path(path).parent
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        return Fault(_said(error), "a file that can be read", f"ls -l {folder}", where=path)
    if not folder.is_dir():
        return Fault(f"no folder {folder}", "a file that exists", "another path", where=path)
    close = nearest(name, sorted({other.name for other in folder.iterdir()} - {name}))
    mend = str(folder / close) if close else f"a file that stands in {folder.resolve()}"
    return Fault("no such file", "a file that exists", mend, where=path)


def _said(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _refuse_no_text(path: str, head: bytes, codec: str, alone: bool) -> None:
    """Name what the first bytes show to be no text in this encoding."""
    marked = next((name for mark, name in _MARKS if head.startswith(mark)), "")
    if marked and not codecs.lookup(codec).name.startswith(marked):
        raise DataError(f"text in {marked}", codec, _switch(path, marked, alone), path)
    for magic, name, mend in _OTHERS:
        if head.startswith(magic):
            parquet = "the text in it" if alone else "--data.format parquet"
            raise DataError(name, "text", mend or parquet, path)
    if _is_wide(codec):
        return
    lead = _controls(head[1::2]) - _controls(head[::2])  # in UTF-16 every second byte is 0, or 4 for Cyrillic
    if abs(lead) > 0.4 * len(head):
        order = "utf-16-le" if lead > 0 else "utf-16-be"
        raise DataError("what looks like UTF-16", codec, _switch(path, order, alone), path)
    controls = len({*head} & {*_CONTROLS})
    if controls >= _MANY_CONTROLS or (controls > 1 and not _fits(head, codec, whole=False)):
        raise DataError("bytes that are no text", "text", "the right file", path)


def _controls(raw: bytes) -> int:
    return len(raw) - len(raw.translate(None, _CONTROLS))


def _refuse_returns(path: str, head: bytes) -> None:
    """Lines as the first Macintosh ended them would be one line here."""
    if b"\r" in head[:-1] and b"\n" not in head:
        given = "lines that end with a carriage return alone"
        raise DataError(given, "line feeds", f"tr '\\r' '\\n' < {path} > {path}.lf", path)


def _is_wide(codec: str) -> bool:
    """Whether a line feed is more than its byte, as in UTF-16, so that bytes cannot be cut into lines."""
    return "\n".encode(codec) != b"\n"


def _fits(raw: bytes, codec: str, whole: bool = True) -> bool:
    """Whether the bytes are in the encoding; if they are not the whole, a last character may be cut off."""
    try:
        codecs.getincrementaldecoder(codec)().decode(raw, final=whole)
    except UnicodeDecodeError:
        return False
    return True


def _switch(path: str, encoding: str, alone: bool) -> str:
    """How to read a file in another encoding."""
    return f"iconv -f {encoding} -t utf-8 {path}" if alone else f"--data.encoding {encoding}"


def _advice(path: str, raw: bytes, codec: str, alone: bool) -> str:
    """What to try on bytes that are not in the encoding: another one, where one is probable."""
    utf8 = codecs.lookup(codec).name == "utf-8"
    if not utf8 and _fits(raw, "utf-8"):
        return _switch(path, "utf-8", alone)
    if utf8 and any(not line.isascii() and _fits(line, "utf-8") for line in raw.split(b"\n")):
        return "mending it, as other lines are in utf-8" + ("" if alone else OR_SKIP)
    high = [byte for byte in raw if byte >= 0x80]
    letters = len(high) + sum(map(str.isalpha, raw.decode("ascii", "ignore")))
    if len(high) > _WESTERN * letters:
        return _switch(path, "NAME", alone) + ", with the name of the right one: cp1251, gb18030, shift_jis"
    fitting = "cp1252" if min(high) < 0xA0 and _fits(raw, "cp1252") else "latin-1"
    return f"{_switch(path, fitting, alone)}, which fits"
