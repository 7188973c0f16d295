"""Vectors of words that others trained, for the words of our vocabulary: word2vec and GloVe files, streamed.

    word2vec text     "count width", then a row a word: the word, its numbers    (Mikolov et al. 2013)
    word2vec binary   the same first line, then word, space, float32 numbers, and perhaps a line feed
    GloVe text        the rows alone; a word may contain spaces                   (Pennington et al. 2014)

Each plain or gzipped; which it is, the content tells, not the name. Rows are compared as bytes and only
those of the vocabulary are turned into numbers, a thousand at a time, so the file never stands in memory.
Every row is checked for its number of columns and for characters that no number has.

Left out: fastText's `.bin` (subwords need its own code), pickled gensim models (a pickle runs code), zip
archives.
"""

import codecs
import gzip
import io
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float, Int
from torch import Tensor

from seqwise.errors import DataError

# N words found, D width of a vector

HEADER = re.compile(rb"\s*(\d{1,12}) ([1-9]\d{0,4})\s*")
NUMERIC = b"0123456789+-.eE naifNAIF"  # nan and inf get through here and are refused with the numbers
LONGEST_LINE = 1 << 22  # bytes; 4096 numbers of 20 characters need 80 KB
LONGEST_WORD = 1 << 12  # bytes
BLOCK = 1 << 22  # bytes of a binary file read at a time
ROWS = 1024  # turned into numbers at a time
LARGEST = float(np.finfo(np.float32).max)
FOREIGN = {
    b"PK\x03\x04": ("a zip archive", "unzip, and the text file inside"),
    b"\x80": ("a Python pickle", "save_word2vec_format() of gensim, which writes the open format"),
    b"\xba\x16\x4f\x2f": ("fastText's own binary format", "the .vec file that comes with it"),
}

LOWERED = 2  # distances: 0 the word as it stands, 1 without marker, 2 in lower case, 3 both
Key = tuple[int, int]  # an id of the vocabulary, and the distance at which this key stands for it


@dataclass(frozen=True)
class WordVectors:
    """Vectors for those words of a vocabulary that a file knows."""

    ids: Int[Tensor, "N"]
    """Ids of the words found, ascending."""
    vectors: Float[Tensor, "N D"]
    """Their vectors, in the same order."""
    lowered: int
    """Of these, words that the file has in lower case only."""
    missing: int
    """Words of the vocabulary that the file does not have."""
    total_in_file: int
    """Rows of the file."""

    @property
    def width(self) -> int:
        """Numbers of a vector."""
        return self.vectors.shape[1]

    @property
    def found(self) -> int:
        """Words that have a vector now."""
        return len(self.ids)

    def __str__(self) -> str:
        words = self.found + self.missing
        share = 100 * self.found / words if words else 0.0
        return (
            f"{self.found:,} of {words:,} words found ({share:.1f} %, "
            f"{self.lowered:,} of them in lower case only) "
            f"among {self.total_in_file:,} vectors of width {self.width}"
        )


def read(path: str | Path, words: Mapping[str, int], lowercase: bool = True, marker: str = "▁") -> WordVectors:
    """Read the vectors of `words`, which maps a word to its id.

    A word that the file does not have as it stands is looked for without the `marker` that tokenizers put
    where a word begins, then, if `lowercase`, in lower case. Of two rows of the same word the first counts.
    """
    path = Path(path)
    with _opened(path) as file:
        first = file.readline(LONGEST_LINE).removeprefix(codecs.BOM_UTF8)
        _must_be_readable(first, path)
        header = HEADER.fullmatch(first)
        width = _width_of(first, path) if header is None else int(header[2])
        text = header is None or _is_text(file.read(LONGEST_WORD + 4 * width), width)
    shelf = _Shelf(words, width, lowercase, marker)
    with _opened(path) as file:
        if header is None:
            return shelf.result(_read_text(file, shelf, path, spaces=True))
        told = int(header[1])
        begin = len(file.readline(LONGEST_LINE))
        total = _read_text(file, shelf, path, spaces=False) if text else _read_binary(file, begin, told, shelf, path)
    if total != told:
        raise _fault(
            f"{total:,} rows are there" if total < told else f"there is more behind row {told:,}",
            f"the {told:,} rows that the first line tells",
            str(path),
        )
    return shelf.result(total)


class _Shelf:
    """Takes in vectors, keeps for each id the one whose key is nearest to the word."""

    def __init__(self, words: Mapping[str, int], width: int, lowercase: bool, marker: str) -> None:
        self.words = len(set(words.values()))
        self.width = width
        self.keys: dict[bytes, list[Key]] = {}
        self.rows: dict[int, tuple[int, int]] = {}  # id -> (row of the table, distance)
        self.table = np.empty((min(self.words, ROWS), width), dtype=np.float32)
        for word, number in words.items():
            bare = word.removeprefix(marker)
            forms: dict[str, int] = {}
            for distance, form in enumerate([word, bare, *([word.lower(), bare.lower()] if lowercase else [])]):
                forms.setdefault(form, distance)
            for form, distance in forms.items():
                if form:
                    self.keys.setdefault(form.encode(errors="surrogatepass"), []).append((number, distance))

    def put(self, keys: Sequence[Key], vector: npt.NDArray[np.float32]) -> None:
        for number, distance in keys:
            row, before = self.rows.get(number, (len(self.rows), None))
            if before is not None and before <= distance:
                continue
            if row == len(self.table):
                more = min(len(self.table), self.words - row)
                self.table = np.concatenate((self.table, np.empty_like(self.table[:more])))
            self.rows[number] = row, distance
            self.table[row] = vector

    def result(self, total: int) -> WordVectors:
        ids = sorted(self.rows)
        order = [self.rows[number][0] for number in ids]
        lowered = sum(distance >= LOWERED for _, distance in self.rows.values())
        vectors = torch.from_numpy(self.table[order])  # (N, D)
        return WordVectors(torch.tensor(ids, dtype=torch.int64), vectors, lowered, self.words - len(ids), total)


@contextmanager
def _opened(path: Path) -> Iterator[io.BufferedReader]:
    """The content, unzipped where it is zipped."""
    try:
        with open(path, "rb") as raw:
            zipped = raw.peek(2)[:2] == b"\x1f\x8b"
            yield io.BufferedReader(gzip.GzipFile(fileobj=raw), BLOCK) if zipped else raw
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise _fault(f"the gzip stream is cut off or damaged ({error})", "a whole file", str(path)) from error
    except OSError as error:
        raise DataError(
            given=f"it cannot be read ({error.strerror or error})",
            allowed="a file of word vectors",
            mend="another path",
            where=str(path),
        ) from error


def _must_be_readable(first: bytes, path: Path) -> None:
    """Refuse what is surely none of the three formats."""
    for magic, (what, mend) in FOREIGN.items():
        if first.startswith(magic):
            raise DataError(given=f"this is {what}", allowed="word2vec or GloVe", mend=mend, where=str(path))
    if not first.strip():
        raise _fault("the file or its first line is empty", "word2vec or GloVe", f"{path}:1")


def _is_text(rows: bytes, width: int) -> bool:
    """Whether the rows after a header are text: there are no control characters where a vector would stand."""
    vector = rows.partition(b" ")[2][: 4 * width]
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(vector)  # which may end within a letter
    except UnicodeDecodeError:
        return False
    return not any(character < " " and character not in "\t\r\n" for character in text)


def _width_of(first: bytes, path: Path) -> int:
    """Numbers at the end of the first GloVe row; at least one field is the word."""
    fields = first.strip(b"\r\n").rstrip(b" ").split(b" ")
    width = 0
    while width < len(fields) - 1 and _is_number(fields[-1 - width]):
        width += 1
    if not width:
        raise _fault("neither 'count width' nor a word and numbers", "word2vec or GloVe", f"{path}:1")
    return width


def _read_text(file: io.BufferedReader, shelf: _Shelf, path: Path, spaces: bool) -> int:
    """All rows of text from here on; returns how many there are. A word may have spaces only in GloVe."""
    total = 0
    number = 1 if spaces else 2
    wanted: list[_Row] = []
    line = file.readline(LONGEST_LINE).removeprefix(codecs.BOM_UTF8)
    while line:
        row = line.rstrip(b" \r\n")
        if row:
            total += 1
            word, _, numbers = row.partition(b" ")
            if numbers.count(b" ") != shelf.width - 1 or numbers.translate(None, NUMERIC):
                word, numbers = _uncommon(row, shelf.width, f"{path}:{number}", spaces)
            if (keys := shelf.keys.get(word)) is not None:
                wanted.append((number, keys, numbers))
                if len(wanted) == ROWS:
                    _shelve(wanted, shelf, path)
                    wanted = []
        line, number = file.readline(LONGEST_LINE), number + 1
    _shelve(wanted, shelf, path)
    return total


_Row = tuple[int, list[Key], bytes]  # line number, who wants it, its numbers as text


def _uncommon(row: bytes, width: int, where: str, spaces: bool) -> tuple[bytes, bytes]:
    """A row that is not simply a word and `width` numbers: a word with spaces, or a fault."""
    fields = row.split(b" ")
    between = fields[1 : len(fields) - width]  # what would belong to a word with spaces
    if len(fields) <= width or (between and (not spaces or any(map(_is_number, between)))):
        raise _fault(f"{len(fields) - 1:,} columns behind the word", f"{width:,}", where)
    for field in fields[-width:]:
        _must_be_number(field, where)
    return b" ".join(fields[:-width]), b" ".join(fields[-width:])


def _shelve(wanted: list[_Row], shelf: _Shelf, path: Path) -> None:
    """Turn the numbers of many rows into float32 at once; polars does it several times faster than NumPy."""
    if not wanted:
        return
    import polars  # here, since it takes a tenth of a second and nothing else in this room wants it

    schema = {str(column): polars.Float32 for column in range(shelf.width)}
    text = b"\n".join(numbers for _, _, numbers in wanted)
    try:
        parsed = polars.read_csv(text, separator=" ", has_header=False, schema=schema, quote_char=None)
        table = parsed.to_numpy()  # (rows, D)
    except polars.exceptions.PolarsError:  # a number in a form that it does not know: one by one
        table = np.full((len(wanted), shelf.width), np.nan, dtype=np.float32)
    for (number, keys, numbers), vector in zip(wanted, table, strict=True):
        if np.isfinite(vector).all():
            shelf.put(keys, vector)
        else:
            fields = numbers.split(b" ")
            for field in fields:
                _must_be_number(field, f"{path}:{number}")
            shelf.put(keys, np.array([float(field) for field in fields], dtype=np.float32))


def _must_be_number(field: bytes, where: str) -> None:
    if not (_is_number(field) and abs(float(field)) <= LARGEST):
        shown = repr(field[:40])[1:]  # escapes what a terminal would obey
        raise _fault(f"{shown} among the numbers", "finite decimal numbers", where)


def _is_number(field: bytes) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return b"_" not in field  # which Python allows


def _read_binary(file: io.BufferedReader, offset: int, told: int, shelf: _Shelf, path: Path) -> int:
    """Rows of word, space and float32 numbers, the first of which begins at byte `offset` of the file."""
    size, buffer, at = 4 * shelf.width, b"", 0
    for row in range(1, told + 1):
        while (end := buffer.find(b" ", at)) < 0 or len(buffer) < end + 1 + size:
            more = file.read(BLOCK)
            if not more or (end < 0 and len(buffer) - at > LONGEST_WORD):
                raise _fault(
                    f"row {row:,} of {told:,}, at byte {offset + at:,}, has {len(buffer) - at:,} bytes left",
                    f"a word, a space and {size:,} bytes of numbers",
                    str(path),
                )
            offset += at
            buffer, at = buffer[at:] + more, 0
        if (keys := shelf.keys.get(buffer[at:end].lstrip(b"\n"))) is not None:
            vector = np.frombuffer(buffer, dtype="<f4", count=shelf.width, offset=end + 1)
            if not np.isfinite(vector).all():
                place = f"row {row:,}, at byte {offset + at:,},"
                raise _fault(f"{place} has numbers that are not finite", "finite numbers", str(path))
            shelf.put(keys, vector)
        at = end + 1 + size
    return told + bool((buffer[at:] + file.read(LONGEST_WORD)).strip(b"\n"))


def _fault(given: str, allowed: str, where: str) -> DataError:
    return DataError(given=given, allowed=allowed, mend="downloading the file again, or another one", where=where)
