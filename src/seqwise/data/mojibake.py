"""Text that was read in the wrong encoding at some time before it came here, and control characters.

    garbled(text) -> the first such stretch, or nothing

UTF-8 read as Windows-1252 turns an é into two letters, Ã and ©. A stretch of such letters counts if the way back works:
written in Windows-1252 and read as UTF-8 it is text. So a lone Ã of Portuguese is no sign, as what follows it is no
continuation. Letters of DOS read elsewhere leave a plus within a word, as in "Sepp+ñl+ñ". U+FFFD stands where somebody
gave up. Left out: wrong encodings of which only a language model could tell.
"""

import re

_NEXT = "[\u0080-\u00bf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]"  # bytes 80 to BF, as Latin-1 and as Windows-1252
# Of Western letters and of punctuation one is enough; of other scripts two in a row: "é »" with a space that does not
# break, and "Ü»", are bytes of UTF-8, too.
_TWICE = re.compile(
    f"[ÂÃ]{_NEXT}|â{_NEXT}{{2}}|ð{_NEXT}{{3}}|(?:[\u00c4-\u00df]{_NEXT}){{2}}|(?:[\u00e0-\u00ef]{_NEXT}{{2}}){{2}}"
)
_DOS = re.compile(r"(?<=[^\W\d_])\+[^\W\d_a-zA-Z](?=[^\W\d_])")
_LOST = re.compile("[\ufffd\x00-\x08\x0e-\x1f\x7f-\x9f]")


def garbled(text: str) -> str:
    """The first stretch that is no text, with what stands around it; nothing where all is well."""
    if text.isascii() and text.isprintable():
        return ""
    found = _LOST.search(text) or next(filter(_comes_back, _TWICE.finditer(text)), None) or _DOS.search(text)
    return text[max(0, found.start() - 8) : found.end() + 8] if found else ""


def _comes_back(found: re.Match[str]) -> bool:
    """Whether the letters are bytes of UTF-8."""
    try:
        raw = b"".join(_byte(letter) for letter in found[0])
        return raw.decode().isprintable() or raw == b"\xc2\xa0"  # the space that does not break
    except (UnicodeDecodeError, UnicodeEncodeError):
        return False


def _byte(letter: str) -> bytes:
    try:
        return letter.encode("latin-1")
    except UnicodeEncodeError:
        return letter.encode("cp1252")
