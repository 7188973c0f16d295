"""The cells of a table as numbers: what stands for a missing one, separators of thousands, decimal commas.

    ColumnSettings    how a table is written
    Part              some rows of a table, and where each of them stands in its file
    numbers           texts -> float64, NaN where one is missing, and the first text that is no number
    not_a_number      the fault for that text, with the flag that would read it
    signed            the number of $1,234 or 5 % and its sign, to advise how to read it
    unlabelled        texts that name no group

Nothing is guessed: "1,234" is a thousand in London and a little more than one in Paris, so it is refused until a flag
says which. `MARKS` are read as missing without being asked for; a text beside numbers that is none of them is refused.

Signs of currency, percent and units are dropped where a flag names them; in a column either all numbers have the same
one or none has any, since 12 % beside 0.12 are two scales.

Left out: numbers in words, hexadecimal.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from seqwise.data.corpus import encoding_faults
from seqwise.data.files import shown
from seqwise.errors import Fault

TableFormat = Literal["auto", "csv", "tsv", "jsonl", "parquet"]
Flag = Callable[[str], str]
"""The flag of a setting: "thousands" -> "--data.thousands"; empty where there is none."""

MARKS = ("", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None", "none", "#N/A", "-", ".", "?")
"""Cells that mean: no number here."""
UNLABELLED = ("NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "#N/A", ".", "?")
"""Those that name no group either, where "None" and "-" may: a treatment, a result."""

_THOUSANDS = r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d*)?"  # 1,234.5
_COMMA = r"[+-]?\d+,\d+"  # 3,14
_DATE = r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}"  # 31.01.2024, which is none where points set thousands apart
_SIGN = r"[€$£¥₹%‰]"
_POINTS = r"[+-]?\d{1,3}(?:[. \u00a0\u2009\u202f’']\d{3})+(?:,\d*)?"  # 1.234,5
_ALIKE = {" ": "[\u00a0\u2009\u202f]", "'": "’"}  # spaces that do not break, as exports of Excel have them


@dataclass(frozen=True)
class ColumnSettings:
    """How a table is written."""

    format: TableFormat = "auto"
    """auto: Parquet by its first bytes, JSONL by the ending .jsonl .ndjson .json, TSV by .tsv .tab, also before .gz;
    all else is CSV."""
    encoding: str = "utf-8"
    """Of CSV, TSV and JSONL, by any name that Python knows. A byte order mark is dropped."""
    delimiter: str | None = None
    """Between the cells of CSV. By default found: that of comma, semicolon, tab and bar which gives the same number of
    cells in the first rows."""
    thousands: str | None = None
    """What sets thousands apart, such as the comma of 1,234.5. By default nothing does, and such a number is refused,
    since 1,234 may also be a little more than one."""
    decimal: Literal[".", ","] = "."
    """What stands before the fraction."""
    marks: tuple[str, ...] = ()
    """Further texts that stand for a missing number, beside empty cells, NA, N/A, NaN, null, None, #N/A, - . and ?."""
    signs: tuple[str, ...] = ()
    """Texts beside numbers that are dropped, such as % or € or kg: 12.5 % is then 12.5. Brackets are then a minus, as
    in accounts; "()" for them alone. By default none, and such a number is refused."""

    def faults(self) -> Iterator[Fault]:
        """What contradicts itself."""
        yield from written_faults(self.encoding, self.delimiter, self.thousands, self.decimal, "--")
        for sign in self.signs:
            if not sign.strip() or re.search(r"[\d+.,-]", sign):
                yield Fault(f"--signs {shown(sign)}", "a text without digits, points and commas", "--signs %")


@dataclass(frozen=True, eq=False)
class Part:
    """Rows of a table, in the order of the file."""

    frame: Any
    """polars.DataFrame. What is wanted as a number stands there as one, or as a text that is still to be read."""
    where: Callable[[int], str]
    """`file:line` of a row of this part, counted from 0."""


def written_faults(
    encoding: str, delimiter: str | None, thousands: str | None, decimal: str, prefix: str
) -> Iterator[Fault]:
    """Marks that cannot be told apart, or an encoding that is none."""
    yield from encoding_faults(encoding, prefix)
    if delimiter is not None and (len(delimiter.encode()) != 1 or delimiter in '"\r\n'):
        allowed = "one character of ASCII that is no quote"
        yield Fault(f"{prefix}delimiter {shown(delimiter)}", allowed, f'{prefix}delimiter ";"')
    if thousands is not None and (len(thousands) != 1 or thousands.isdigit() or thousands in "+-eE"):
        yield Fault(f"{prefix}thousands {shown(thousands)}", "one mark that is no digit", f"{prefix}thousands ,")
    elif thousands == decimal:
        given = f"{prefix}thousands {thousands} with {prefix}decimal {decimal}"
        other = "." if decimal == "," else ","
        yield Fault(given, "two different marks", f"{prefix}thousands {thousands} {prefix}decimal {other}")


def numbers(texts: Any, settings: ColumnSettings) -> tuple[Float[np.ndarray, "N"], int | None]:
    """Texts of a polars column as numbers, and the first that is none."""
    import polars

    stripped = texts.str.strip_chars()
    missing = stripped.is_null() | stripped.is_in([*MARKS, *settings.marks])
    plain, wrong = stripped, polars.zeros(len(texts), dtype=polars.Boolean, eager=True)
    if settings.signs:
        plain, signs = _unsigned(stripped, settings.signs)
        there = signs.filter(~missing)
        wrong = signs != (there[0] if len(there) else "")
    if settings.thousands is not None:
        if settings.thousands in _ALIKE:
            plain = plain.str.replace_all(_ALIKE[settings.thousands], settings.thousands)
        mark, point = re.escape(settings.thousands), re.escape(settings.decimal)
        grouped = plain.str.contains(settings.thousands, literal=True).fill_null(False)
        wrong = wrong | grouped & ~plain.str.contains(rf"^[+-]?\d{{1,3}}(?:{mark}\d{{3}})+(?:{point}\d*)?$")
        plain = plain.str.replace_all(settings.thousands, "", literal=True)
    if settings.decimal == ",":
        wrong = wrong | plain.str.contains(".", literal=True).fill_null(False)
        plain = plain.str.replace(",", ".", literal=True)
    read = plain.cast(polars.Float64, strict=False)
    bad = (read.is_null() | wrong) & ~missing
    values = read.set(missing, None).to_numpy().astype(np.float64)
    return values, int(bad.arg_max()) if bad.any() else None


def numeric(texts: Any, settings: ColumnSettings) -> float | None:
    """The share of a column's texts that are numbers, perhaps with other marks than the settings say; None where all
    are missing."""
    stripped = texts.str.strip_chars()
    stripped = stripped.filter(stripped.is_not_null() & ~stripped.is_in([*MARKS, *settings.marks]))
    if not len(stripped):
        return None
    plain = _unsigned(stripped, settings.signs)[0] if settings.signs else stripped
    like = plain.str.contains(rf"^(?:{_THOUSANDS}|{_COMMA}|{_POINTS})$").to_numpy()
    read = ~np.isnan(numbers(stripped, settings)[0]) & ~stripped.str.contains(rf"^{_DATE}$").to_numpy()
    return float(np.mean(like | read))


def _unsigned(stripped: Any, signs: Sequence[str]) -> tuple[Any, Any]:
    """Texts without the sign before or behind the number, and that sign; empty where there is none. Numbers in the
    brackets of accounts are below 0."""
    stripped = stripped.str.replace(r"^\(([^()+-]*)\)$", "-${1}")
    either = "|".join(re.escape(sign.strip()) for sign in sorted(signs, key=len, reverse=True))
    before, behind = rf"^([+-]?)\s*({either})\s*", rf"\s*({either})$"
    found = stripped.str.extract(before, 2).fill_null(stripped.str.extract(behind)).fill_null("")
    return stripped.str.replace(before, "${1}").str.replace(behind, ""), found


def unlabelled(settings: ColumnSettings) -> list[str]:
    """Texts that name no group: a missing label, not a label."""
    return [*UNLABELLED, *settings.marks]


def signed(text: str) -> tuple[str, str] | None:
    """The number and sign of a text with a sign of currency or percent, or in the brackets of accounts, whose sign is
    "()"; None of other texts."""
    text = text.strip()
    below = re.fullmatch(r"\((.*)\)", text)
    plain = re.sub(_SIGN, "", below[1] if below else text).strip()
    if plain == text or not re.fullmatch(r"[+-]?[\d.,’'\s]*\d", plain):
        return None
    sign = re.search(_SIGN, text)
    return (f"-{plain}", sign[0] if sign else '"()"') if below else (plain, sign[0] if sign else "")


def unsigned(text: str, flag: Flag) -> str | None:
    """How to have a text read that is a number but for its sign; None of other texts."""
    found = signed(text)
    if found is None:
        return None
    plain, sign = found
    return f"{flag('signs')} {sign}" if sign and flag("signs") else f"writing {shown(plain)}, without signs"


def not_a_number(text: str, name: str, where: str, flag: Flag, signs: Sequence[str] = ()) -> Fault:
    """What stands in a column of numbers and is none."""
    text = text.strip()
    given = f'{shown(text)} in column "{name}"'
    if re.fullmatch(_THOUSANDS, text) and re.fullmatch(_COMMA, text):
        mend = f"{flag('thousands')} , where it is above a thousand, or {flag('decimal')} , where it is not"
    elif re.fullmatch(_THOUSANDS, text):
        mend = f"{flag('thousands')} ,"
    elif re.fullmatch(_COMMA, text):
        mend = f"{flag('decimal')} ,"
    elif match := re.fullmatch(_POINTS, text):
        mark = next(letter for letter in match[0] if not letter.isdigit() and letter not in "+-")
        mark = next((told for told, others in _ALIKE.items() if mark in others), mark)
        mend = f'{flag("thousands")} "{mark}" {flag("decimal")} ,'
    elif signs and re.fullmatch(r"[+-]?[\d.,]+", text):
        given += " without a sign, beside some with one"
        mend = "writing its sign too, or dividing where it is a share"
    elif read := unsigned(text, flag):
        mend = read
    else:
        marked = text if text.isalnum() else shown(text)
        mend = f"mending it, or {flag('marks')} {marked} where it stands for a missing number"
    return Fault(given, "a number", mend, where)
