"""What all of `seqwise stats` do with what they find: show it, print it as JSON, write it as a page."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from seqwise.printable import printable
from seqwise.reports import terminal
from seqwise.reports.drawing import Picture
from seqwise.reports.page import Section, page
from seqwise.stats.results import Shown


@dataclass(frozen=True)
class Part:
    """A result under its heading, and how to draw it where someone wants to see it."""

    heading: str
    result: Shown
    draw: Callable[[], Sequence[Picture]] = tuple


@dataclass(frozen=True)
class Answer:
    """What was found."""

    parts: tuple[Part, ...]
    notes: tuple[str, ...] = ()
    """What was left out, and where the page lies."""
    json: bool = False

    def sentences(self) -> tuple[str, ...]:
        """All conclusions, the most important first."""
        return tuple(sentence for part in self.parts for sentence in part.result.sentences())

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON: of each part what it concludes and the numbers in full."""
        found = {
            part.heading: {**part.result.to_dict(), "sentences": list(part.result.sentences())} for part in self.parts
        }
        return {**found, "notes": list(self.notes)}

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Sentences, then tables; or all of it as JSON."""
        if self.json:
            yield Text(json.dumps(self.to_dict(), indent=1, ensure_ascii=False), no_wrap=True, overflow="ignore")
            return
        for part in self.parts:
            if len(self.parts) > 1:
                yield Text(printable(part.heading), style="bold underline")
            yield terminal.shown(part.result)
        for note in self.notes:
            yield Text(printable(note), no_wrap=True, overflow="ignore")  # or a path would be cut in two


def answer(
    title: str,
    parts: Sequence[Part],
    facts: Mapping[str, str],
    *,
    notes: Sequence[str] = (),
    report: Path | None = None,
    as_json: bool = False,
) -> Answer:
    """Show the parts, and where a report is asked for, draw and write it first."""
    told = [note for note in notes if note]
    if report is not None:
        made = {**facts, "made by": f"seqwise {version('seqwise')}"}
        sections = [Section.of(part.heading, part.result, tuple(part.draw())) for part in parts]
        if told:
            sections.append(Section("Notes", tuple(told)))
        write(report, page(title, sections, made).encode())
        told.append(f"report: {report}")
    return Answer(tuple(parts), tuple(told), as_json)


def write(path: Path, content: bytes) -> None:
    """The whole file, or none of it."""
    from seqwise.checkpoints.files import replacing  # late: it takes torch along, two seconds of a start

    with replacing(path, len(content)) as file:
        file.write(content)
