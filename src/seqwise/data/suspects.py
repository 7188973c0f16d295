"""What a table of cells may hold that nobody meant: a last row of totals, points that set thousands apart.

Neither is certain, so both are told and nothing is changed.
"""

from collections.abc import Sequence
from typing import Any

from seqwise.data.files import shown

_WORDS = (
    "total, totals, sum, grand total, overall, summe, gesamt, insgesamt, gesamtsumme, gesamtergebnis, totaal, totale",
    "somme, suma, итого, всего, 合计, 合計",
)
TOTALS = frozenset(word for line in _WORDS for word in line.split(", "))
_TAIL = 1 << 14  # bytes of a file that hold its last row
_GZIP = b"\x1f\x8b"
_GROUPED = r"^[+-]?[1-9]\d{0,2}(?:\.\d{3})+$"  # 1.234, but not 0.234, which no separator of thousands makes


def total(path: str, delimiter: str) -> str:
    """The cell by which the last row looks like one of totals; empty where none does."""
    with open(path, "rb") as file:
        if file.read(2) == _GZIP:
            return ""
        file.seek(max(0, file.seek(0, 2) - _TAIL))
        lines = file.read().decode("utf-8", "ignore").splitlines()
    last = next((line for line in reversed(lines) if line.strip(f" {delimiter}")), "")
    for cell in last.split(delimiter):
        text = cell.strip(' \t"').rstrip(": ")
        if text.lower() in TOTALS:
            return text
    return ""


def grouped(texts: Any) -> str:
    """One of a column's numbers, where each that has a point may be a thousand times as large; else empty."""
    pointed = texts.filter(texts.is_not_null()).str.strip_chars()
    pointed = pointed.filter(pointed.str.contains(".", literal=True))
    return str(pointed[0]) if len(pointed) and pointed.str.contains(_GROUPED).all() else ""


def told_total(text: str) -> str:
    """Of a last row."""
    return f"The last row looks like a total ({shown(text)}) and counts like any other: take it out if it is one."


def told_grouped(found: Sequence[tuple[str, str]]) -> str:
    """Of columns, each with such a number."""
    name, text = found[0]
    more = f", and so in {len(found) - 1} more columns" if len(found) > 1 else ""
    small = f"{shown(text)} in {name!r} is read as {float(text):g}{more}"
    return f'{small}: if its point sets thousands apart, --thousands "." --decimal , reads it so.'
