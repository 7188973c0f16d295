"""The verdict as Markdown for a pull request: the sentence, the answers, costs, and the items that got worse.

Names and texts of the user's are escaped: they make no column, no element, no link, and call nobody by @. Outputs stand
in code, where no forge looks for names. Left out: pictures, which the page has.
"""

import re
from collections.abc import Sequence
from html import escape

from seqwise.printable import printable
from seqwise.reports import answers
from seqwise.reports.terminal import cells
from seqwise.stats.phrases import number
from seqwise.stats.results import Grid
from seqwise.verdict.changed import Changed, Item
from seqwise.verdict.findings import ASKED
from seqwise.verdict.verdict import Verdict

WORST = 5  # items shown of each set
LONGEST = 600  # characters of a text
BREAK = "\u200b"  # of no width: what stands on both sides of it is no name and no address

_SIGNS = re.compile(r"([\\`*_\[\]{}<>|~#!$&^])")
_CALLS = re.compile(r"(?<=[@#])(?=[\w-])|(?<=:)(?=//)|(?<=\bwww)(?=\.)", re.IGNORECASE)


def plain(text: str) -> str:
    """As text in a line of Markdown or a cell of a table, whatever stands in it."""
    return _CALLS.sub(BREAK, _SIGNS.sub(r"\\\1", printable(" ".join(text.split()))).replace("\\#", "\\#" + BREAK))


def coded(text: str) -> str:
    """As text in an element of HTML, on one line."""
    short = text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
    return _CALLS.sub(BREAK, escape(printable(" ".join(short.split()))))


def markdown(verdict: Verdict) -> str:
    """All of it; headings begin at the third level, as it stands within a longer text."""
    parts = [f"**{plain(verdict.sentence)}**", _answers(verdict)]
    parts += [plain(note) for note in verdict.notes]
    parts += [f"{plain(grid.title)}:\n\n{table(grid)}" for grid in answers.spent(verdict)]
    if (sliced := answers.slices(verdict)) is not None:
        parts.append(_folded("Slices", table(sliced)))
    parts += [_lost(found, verdict.base) for found in verdict.changed if found.worst]
    if verdict.methods:
        parts.append(_folded("Methods", "\n".join(f"- {plain(one)}" for one in verdict.methods)))
    if verdict.facts:
        parts.append(
            _folded("Facts", "\n".join(f"- {plain(name)}: {plain(one)}" for name, one in verdict.facts.items()))
        )
    return "\n\n".join(parts) + "\n"


def _answers(verdict: Verdict) -> str:
    several = len(verdict.tuned) > 1
    columns = ("question", "of", *(("system",) if several else ()), "answer", "effect", "n", "could show", "margin")
    rows = []
    for one in answers.asked(verdict):
        absent = "none" if one.state == "MEASURED" else one.state
        rows.append((
            ASKED[one.question],
            one.subject or "—",
            *((one.system or "—",) if several else ()),
            one.answer or one.state,
            answers.size(one) or absent,
            answers.counts(one.test) or absent,
            answers.least(one) or absent,
            answers.margin(one, verdict) or absent,
        ))  # fmt: skip
    return _rows(columns, rows)


def table(grid: Grid) -> str:
    """A grid, its note below."""
    state = grid.columns.index("state") if "state" in grid.columns else None
    rows = []
    for row in grid.rows:
        absent = str(row[state]) if state is not None else ""
        rows.append([shown or absent for shown in cells(row, grid.columns)])
    made = _rows(grid.columns, rows)
    return f"{made}\n\n{plain(grid.note)}" if grid.note else made


def _rows(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    escaped = [[cell if cell == "---" else plain(cell) for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in escaped)


def _folded(summary: str, text: str) -> str:
    return f"<details><summary>{coded(summary)}</summary>\n\n{text}\n\n</details>"


def _lost(found: Changed, base: str) -> str:
    shown = found.worst[:WORST]
    summary = f"Lost on {found.part} by {found.system}: the worst {len(shown)} of {found.lost:,} (won: {found.won:,})"
    body = "\n".join(_item(one, base, found.system) for one in shown)
    return f"<details><summary>{coded(summary)}</summary>\n<table>\n{body}\n</table>\n</details>"


def _item(one: Item, base: str, system: str) -> str:
    """Rows of HTML without an empty line, which would end it."""
    head = f"{one.id}: {number(one.before)} before, {number(one.after)} after"
    rows = [f'<tr><th colspan="2" align="left">{coded(head)}</th></tr>']
    for name, text in (("text", one.text), ("reference", one.reference)):
        if text.strip():
            rows.append(f"<tr><td>{name}</td><td><code>{coded(text)}</code></td></tr>")
    if one.base or one.tuned:
        rows.append(f"<tr><td>{coded(base)}</td><td><code>{_marked(one, 'gone', 'del')}</code></td></tr>")
        rows.append(f"<tr><td>{coded(system)}</td><td><code>{_marked(one, 'new', 'ins')}</code></td></tr>")
    return "\n".join(rows)


def _marked(one: Item, kind: str, element: str) -> str:
    """An output, what the other lacks marked, cut where it is long; as it is where no words were compared."""
    if not one.words:
        return coded(one.base if kind == "gone" else one.tuned)
    told, left = "", LONGEST
    for words in one.words:
        if words.kind not in ("same", kind) or left <= 0:
            continue
        core = coded(words.text[:left])
        lead, tail = (" " * (edge != edge.strip()) for edge in (words.text[:1], words.text[-1:]))
        told += f"{lead}<{element}>{core}</{element}>{tail}" if words.kind == kind else f"{lead}{core}{tail}"
        left -= len(words.text)
    return told.strip() + ("" if left > 0 else "…")
