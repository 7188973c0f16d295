"""One HTML file that stands alone: sentences, pictures and tables, readable offline, in the dark and on paper.

Nothing is fetched and nothing runs: the page's own policy forbids both. Names and texts of the user's are escaped by
the template, pictures by who drew them. The same results give the same bytes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from jinja2 import BaseLoader, Environment, StrictUndefined, TemplateNotFound

from seqwise.reports.drawing import Picture, tied
from seqwise.reports.terminal import cells, numeric
from seqwise.stats.results import Grid, Shown

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"


@dataclass(frozen=True)
class Section:
    """A heading, what is concluded, what there is to see, and the numbers."""

    heading: str
    sentences: tuple[str, ...] = ()
    pictures: tuple[Picture, ...] = ()
    grids: tuple[Grid, ...] = ()

    @classmethod
    def of(cls, heading: str, shown: Shown, pictures: Sequence[Picture] = ()) -> "Section":
        """A result as a section."""
        return cls(heading, shown.sentences(), tuple(pictures), shown.grids())


def page(title: str, sections: Sequence[Section], facts: Mapping[str, str] | None = None) -> str:
    """The whole file as text. `facts`: where the data came from, which command made it, and the like."""
    return (
        _environment()
        .get_template("page.html")
        .render(title=title, sections=sections, facts=facts or {}, policy=POLICY)
    )


class _Shipped(BaseLoader):
    """Templates that came with the package, wherever it lies."""

    def get_source(self, environment: Environment, template: str) -> tuple[str, None, None]:
        found = resources.files("seqwise.reports").joinpath("templates").joinpath(template)
        if not found.is_file():
            raise TemplateNotFound(template)
        return found.read_text(encoding="utf-8"), None, None


@cache
def _environment() -> Environment:
    made = Environment(
        loader=_Shipped(), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    made.filters |= {"cells": cells, "numeric": numeric, "tied": tied}
    return made
