"""Write into the pages what they take from the code: the help of each command, and every setting.

    python docs/generate.py            rewrite what is stale; `make fix` calls this
    python docs/generate.py --check    write nothing, name the stale pages, exit with 1 if there are any

Such a place stands between two comments, `<!-- generated: seqwise train --help -->` (or `settings`) and
`<!-- end -->`. Text outside of them is written by people and left alone.
"""

import contextlib
import io
import os
import re
import sys
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PLACE = re.compile(r"(<!-- generated: (?P<what>[^\n]+?) -->\n).*?(<!-- end -->)", re.DOTALL)
PLAIN = {"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}
"""How help is shown: as wide as a page, without colours."""
WORDS = {"null": "`none`", "[]": "nothing", "": "must be given"}
"""Defaults that a flag says in other words than YAML."""


def command_help(words: list[str]) -> str:
    """What the command prints, as a block of text."""
    from seqwise.cli import main

    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        code = main(words)
    if code:
        raise SystemExit(f"seqwise {' '.join(words)} ended with {code}")
    lines = [line.rstrip() for line in shown.getvalue().strip("\n").splitlines()]
    return "\n".join(["```text", *lines, "```"])


def settings() -> str:
    """Every setting of `seqwise train`: a heading for each section, a table below it."""
    from seqwise.config import describe
    from seqwise.tasks import Train

    blocks = []
    for (section, only), rows in groupby(describe(Train), lambda row: (row.section, row.only)):
        where = f" of {_article(only)}" if only else ""
        title = f"`{section}`{where}" if section else "The run"
        blocks += [f"## {title}", "", *_table(rows), ""]
    return "\n".join(blocks[:-1])


def _article(kind: str) -> str:
    """With the article that its sound asks for: an LSTM, a Transformer."""
    named = {"transformer": "a Transformer", "lstm": "an LSTM"}
    return named.get(kind, kind)


def _table(rows: Iterable) -> list[str]:
    """Settings as rows: flag, type with limits, default, meaning."""
    lines = ["| flag | value | default | meaning |", "|---|---|---|---|"]
    for row in rows:
        value = ", ".join(filter(None, [row.type, row.limits]))
        default = WORDS.get(row.default, f"`{row.default}`")
        cells = [f"`--{row.name.replace('_', '-')}`", value, default, " ".join(row.meaning.split())]
        lines.append("| " + " | ".join(_cell(cell) for cell in cells) + " |")
    return lines


def _cell(text: str) -> str:
    """Text that must not be taken for the end of a cell, or for emphasis."""
    pieces = re.split(r"(`[^`]*`)", text)
    kept = [piece if piece.startswith("`") else re.sub(r"([*_<])", r"\\\1", piece) for piece in pieces]
    return "".join(kept).replace("|", "\\|")


def content(what: str) -> str:
    """What stands in a place of that name."""
    words = what.split()
    if words[0] == "seqwise":
        return command_help(words[1:])
    if words == ["settings"]:
        return settings()
    raise SystemExit(f"no place is called {what!r}: needs `seqwise ... --help` or `settings`")


def renewed(text: str) -> str:
    """A page with all its places written anew."""
    return PLACE.sub(lambda place: f"{place[1]}{content(place['what'])}\n{place[3]}", text)


def main(words: list[str]) -> int:
    """Rewrite, or only look."""
    os.environ |= PLAIN
    stale = []
    for page in sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]):
        old = page.read_text(encoding="utf-8")
        new = renewed(old)
        if new != old:
            stale.append(page)
            if words != ["--check"]:
                page.write_text(new, encoding="utf-8")
    for page in stale:
        print(page.relative_to(ROOT))
    return int(bool(stale) and words == ["--check"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
