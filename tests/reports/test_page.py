# ruff: noqa: D102  # methods that a library or a contract calls
"""The page is one file that needs nothing else: parsed by Python's own parser, which shares no code with ours."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest
from rich.console import Console

from seqwise.reports import plots, terminal
from seqwise.reports.page import Section, page
from seqwise.stats.results import Grid

HOSTILE = "<img src=x onerror=alert(1)> & {{ 7 * 7 }} \"'"
GRID = Grid("By group", ("group", "n", "mean", "p"), (("a", 1200, 1234.5678, 1e-9), (HOSTILE, 3, None, 0.5)), "95 %.")


class Tags(HTMLParser):
    """Elements, attributes and texts of a page, and whether each that was opened was closed."""

    VOID = ("meta", "br", "img", "link", "input")

    def __init__(self):
        super().__init__()
        self.seen, self.attributes, self.texts, self.open = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        self.attributes += attrs
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


@pytest.fixture(scope="module")
def html():
    x = np.random.default_rng(0).normal(size=100)
    pictures = (plots.bell(x, HOSTILE), plots.qq(x, HOSTILE))
    return page(HOSTILE, [Section(HOSTILE, (HOSTILE, "a 95 % interval"), pictures, (GRID,))] * 3, {"data": HOSTILE})


@pytest.fixture(scope="module")
def tags(html):
    found = Tags()
    found.feed(html)
    found.close()
    assert found.open == []
    return found


def test_texts_of_the_users_are_texts(tags):
    assert "img" not in tags.seen
    assert "script" not in tags.seen
    assert not any(name.startswith("on") for name, _ in tags.attributes)
    assert HOSTILE in tags.texts  # as heading and sentence, to the letter


def test_nothing_comes_from_elsewhere(tags, html):
    kinds = {"href", "xlink:href", "src", "action", "data", "poster", "srcset"}
    assert all(value.startswith("#") for name, value in tags.attributes if name in kinds)
    assert not {"link", "iframe", "object", "form", "base"} & set(tags.seen)
    assert not re.search(r"url\((?!#)|@import", html)
    policy = next(value for name, value in tags.attributes if name == "content" and "default-src" in value)
    assert policy.startswith("default-src 'none'")
    assert "script" not in policy


def test_sentences_come_before_pictures_and_pictures_before_tables(tags):
    order = [tag for tag in tags.seen if tag in ("h2", "p", "figure", "table")]
    assert order[:6] == ["h2", "p", "p", "figure", "figure", "table"]


def test_names_that_must_be_one_of_a_kind_are(tags):
    names = [value for name, value in tags.attributes if name == "id" and not re.match(r"[mpCh][0-9a-f_]{6,}", value)]
    assert len(names) == len(set(names))


def test_a_table_has_heads_and_full_numbers(tags):
    assert ("scope", "col") in tags.attributes
    assert ("scope", "row") in tags.attributes
    assert ("title", "1234.5678") in tags.attributes
    assert "1,235" in tags.texts
    assert "< 0.0001" in tags.texts


def test_dark_and_print_are_provided_for(html):
    assert "prefers-color-scheme: dark" in html
    assert "@media print" in html


def test_the_same_results_give_the_same_page():
    sections = [Section("a", ("b.",), (plots.bell(np.arange(9.0)),), (GRID,))]
    assert page("t", sections) == page("t", sections)


def test_templates_come_with_the_package():
    from importlib import resources

    names = {found.name for found in resources.files("seqwise.reports").joinpath("templates").iterdir()}
    assert {"page.html", "page.css"} <= names


def written(thing, width=80) -> str:
    console = Console(width=width, no_color=True, markup=False)
    with console.capture() as captured:
        console.print(thing)
    return captured.get()


def test_the_terminal_shows_four_digits_to_the_right():
    lines = written(terminal.table(Grid("T", ("a", "b"), (("x", 3.14159), ("y", 12345.678))))).splitlines()
    ends = [len(line.rstrip()) for line in lines if re.search(r"\d", line)]
    assert "3.142" in "\n".join(lines)
    assert "12,346" in "\n".join(lines)
    assert len(set(ends)) == 1


def test_a_table_steers_no_terminal():
    shown = written(terminal.table(Grid("a\x1b[31m", ("b\x07",), (("c\x1b]0;x\x07",),), "\x1b")))
    assert not re.search(r"[\x00-\x09\x0b-\x1f]", shown)
    assert "[bold]x" in written(terminal.table(Grid("t", ("[bold]x",), (("[red]y",),))))


@pytest.mark.parametrize(
    ("value", "column", "shown"),
    [(None, "", ""), (True, "", "yes"), (1200, "n", "1,200"), (0.03, "p", "0.0300"), (1e-9, "p", "< 0.0001"),
     (float("nan"), "", "not a number"), (float("inf"), "", "infinity"), ("a\tb", "", "a\\tb"),
     (0.0001234, "", "0.0001234")],
)  # fmt: skip
def test_cells(value, column, shown):
    assert terminal.cell(value, column) == shown


def test_columns_of_numbers_are_known_although_some_are_missing():
    assert terminal.numeric(GRID) == (False, True, True, True)
    assert terminal.numeric(Grid("", ("a",), ((None,),))) == (False,)


class Told:
    """A result as stats makes them."""

    def sentences(self):
        return ("First.", "Second.")

    def grids(self):
        return (GRID,)

    def to_dict(self):
        return {}


def test_any_result_is_shown_sentences_first():
    text = written(terminal.shown(Told()), 120)
    assert text.index("First.") < text.index("Second.") < text.index("By group")
    assert Section.of("h", Told()).grids == (GRID,)
