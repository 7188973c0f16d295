"""What a letter is and where a word ends, in any script: one rule for measures, checks and rivals.

Python's \\w knows no marks: the vowel signs of Hindi and Tamil, accents that stand by themselves, the points of Arabic
and Hebrew. Here a mark belongs to the letter before it, and so do the two joiners that Persian and Hindi are spelled
with, as in the vocabularies that Seqwise learns. A word begins with a letter or a digit, so that the marks of an emoji
are none. Of a text without marks the words are those of \\w.

Left out: the words of scripts without spaces, which need a dictionary; there each letter, with its marks, is a word.
"""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import chain, groupby
from unicodedata import category, normalize

UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
"""Thai, Lao, Burmese, Khmer, Chinese and Japanese: scripts without spaces, where each character counts as a word."""
CHINESE = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
"""Those of them that Chinese is written with; Japanese has its own letters between them."""
SAMPLE = 1000  # texts at most that are looked at to tell their script
_JOINERS = "\u200c\u200d"
_MOSTLY = 0.95  # of letters without spaces, from which a text is Chinese: a name or two may be Japanese


def composed(text: str) -> str:
    """Letters and their accents in one character, where Unicode has it (NFC): what looks alike is equal."""
    return normalize("NFC", text)


def words(text: str) -> list[str]:
    """The words of a text, as they stand in it."""
    return _word().findall(text)


def long_word() -> str:
    """The pattern of a word of two letters or more, for scikit-learn: its own one, with marks among the letters."""
    return rf"\w[\w{_marks()}]+"


def unspaced(texts: Sequence[str]) -> bool:
    """Whether most letters are of scripts without spaces: words, cut at spaces, would be whole sentences."""
    sample = _sample(texts)
    return 2 * _count(UNSPACED, sample) > sum(sum(map(str.isalpha, text)) for text in sample)


def chinese(texts: Sequence[str]) -> bool:
    """Whether the letters of scripts without spaces are those of Chinese."""
    sample = _sample(texts)
    return _count(CHINESE, sample) >= _MOSTLY * _count(UNSPACED, sample)


def _sample(texts: Sequence[str]) -> Sequence[str]:
    return texts[:: max(1, len(texts) // SAMPLE)]


def _count(letters: str, texts: Sequence[str]) -> int:
    return sum(len(re.findall(f"[{letters}]", text)) for text in texts)


@cache
def _word() -> re.Pattern[str]:
    marks = _marks()
    return re.compile(rf"[{UNSPACED}][{marks}]*|[^\W{UNSPACED}]+(?:[{marks}][^\W{UNSPACED}]*)*")


@cache
def _marks() -> str:
    """All marks and joiners as ranges, for a class of characters: the library `re` has no name for them."""
    return _JOINERS + "".join(f"{chr(first)}-{chr(last)}" for first, last in _ranges())


def _ranges() -> Iterator[tuple[int, int]]:
    """First and last code of each row of marks."""
    codes = chain(range(0x300, 0x20000), range(0xE0100, 0xE01F0))  # where Unicode has marks
    marks = (code for code in codes if category(chr(code)).startswith("M"))
    for _, row in groupby(enumerate(marks), key=lambda pair: pair[1] - pair[0]):
        members = [code for _, code in row]
        yield members[0], members[-1]
