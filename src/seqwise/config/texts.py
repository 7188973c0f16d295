"""How texts are quoted for YAML and listed for people, and the words that YAML keeps for itself."""

import re
import sys
from collections.abc import Sequence

import yaml

SWITCHES = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
NOTHINGS = ("", "~", "null", "none")
_TAKEN = {*SWITCHES, *NOTHINGS, "y", "n", "nan", "inf", "infinity"}
_SAFE = re.compile(r"[A-Za-z_/][A-Za-z0-9_/.+-]*", re.ASCII)
_ABBREVIATED = re.compile(r"\b(?:al|eq|eqs|sec|cf|vs|e\.g|i\.e|fig|approx)\.$")


def quoted(text: str) -> str:
    """The text as YAML writes it: bare only where YAML 1.1, YAML 1.2 and we see nothing else in it."""
    if _SAFE.fullmatch(text) and text.lower() not in _TAKEN:
        return text
    return yaml.safe_dump(text, default_style='"', allow_unicode=True, width=sys.maxsize).rstrip("\n")


def listed(words: Sequence[str], last: str = "or") -> str:
    """`a, b or c`."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"


def first_sentence(text: str) -> str:
    """Up to the first full stop that ends a sentence; `et al. 2017` ends none."""
    for stop in re.finditer(r"\.(?=\s)", text):
        head = text[: stop.end()]
        if _ABBREVIATED.search(head) is None and head.count("(") == head.count(")"):
            return head
    return text
