"""Write into the pages what they take from the code: the help of each command, every setting, the families of
checkpoints and how far they are from their oracle.

    python docs/generate.py            rewrite what is stale; `make fix` calls this
    python docs/generate.py --check    write nothing, name the stale pages, exit with 1 if there are any

Such a place stands between two comments, `<!-- generated: seqwise train --help -->` (or `settings`, `settings of tune`,
`settings of forecast`, `families`, `gate`) and `<!-- end -->`. Text outside of them is written by people and left
alone.
"""

import contextlib
import io
import json
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


def settings(verb: str = "train") -> str:
    """Every setting of `seqwise train`, `tune` or `train forecast`: a heading for each section, a table below it."""
    from seqwise.config import describe
    from seqwise.tasks import Train
    from seqwise.tasks.forecasting import Forecast
    from seqwise.tasks.tuning import Tune

    blocks = []
    for (section, only), rows in groupby(
        describe({"train": Train, "tune": Tune, "forecast": Forecast}[verb]), lambda row: (row.section, row.only)
    ):
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


TASKS = {
    "tokens": "writes the next token",
    "masked": "fills in masked tokens",
    "labels": "labels a text",
    "token labels": "labels each token",
    "vectors": "gives a vector of each token",
}


def families() -> str:
    """The tables of checkpoints: what each family is for, its fixed choices, the keys that are read, the source."""
    from seqwise.checkpoints.encoder_decoders import STACKS
    from seqwise.checkpoints.families import Family
    from seqwise.checkpoints.hub import FAMILIES

    def block(family: Family) -> list[str]:
        fixed, keys = _flags(family)
        lines = [f"## `{family.name}`", "", f"{family.source}.", "", "| architecture | what it does |", "|---|---|"]
        lines += [f"| `{name}` | {TASKS[head.task]} |" for name, head in family.heads.items()]
        lines += [
            f"| `{bare}` | the same, where its last projection is the table of the tokens |"
            for bare, writing in STACKS.items()
            if writing in family.heads
        ]
        lines += ["", f"Always: {', '.join(fixed)}.", "", f"From `config.json`: {', '.join(keys)}."]
        refused = [
            f"`{key}` other than {' or '.join(f'`{one}`' for one in fine)}" for key, fine in family.fixed.items()
        ]
        return [*lines, *(["", f"Refused: {', '.join(refused)}."] if refused else []), ""]

    return "\n".join(line for family in FAMILIES.values() for line in block(family)).rstrip("\n")


def _flags(family: object) -> tuple[list[str], list[str]]:
    """The settings that the family fixes, and those that a file sets, each with its key where it is one."""
    from seqwise.checkpoints.families import Always, Key, Named

    fixed, keys = [], []
    for name, rule in family.settings.items():
        match rule:
            case Always():
                fixed.append(f"{name} `{str(rule.value).lower() if isinstance(rule.value, bool) else rule.value}`")
            case Key() | Named() if rule.name:
                keys.append(f"{name} (`{rule.name}`)")
            case _:
                keys.append(name)
    return fixed, keys


def gate() -> str:
    """What bench/gate.py measured, by architecture."""
    told = json.loads((ROOT / "docs" / "gate.json").read_text(encoding="utf-8"))
    rows: dict[str, list[dict]] = {}
    for case in told["cases"].values():
        rows.setdefault(case["architecture"], []).append(case)
    lines = ["| architecture | cases | logits | gradients |", "|---|---|---|---|"]
    for name, cases in rows.items():
        worst = [max(case[what] for case in cases) for what in ("logits", "gradients")]
        lines.append(f"| `{name}` | {len(cases)} | {worst[0]:.1e} | {worst[1]:.1e} |")
    versions = f"transformers {told['transformers']}, torch {told['torch']}."
    return "\n".join([*lines, "", versions])


def content(what: str) -> str:
    """What stands in a place of that name."""
    words = what.split()
    if words[0] == "seqwise":
        return command_help(words[1:])
    if words[0] == "settings":
        return settings(words[-1] if words[1:] else "train")
    if words == ["families"]:
        return families()
    if words == ["gate"]:
        return gate()
    raise SystemExit(f"no place is called {what!r}: needs `seqwise ... --help`, `settings`, `families` or `gate`")


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
