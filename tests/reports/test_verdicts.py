# ruff: noqa: D102  # methods that a library or a contract calls
"""The page of the verdict, parsed by Python's own parser: what is shown, that nothing runs, that it stands alone."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from seqwise.reports.effects import effects, front
from seqwise.reports.learning import learning, trend
from seqwise.reports.verdicts import hugged, verdict_page, visible
from seqwise.verdict.findings import ASKED

VOID = ("meta", "br", "img", "link", "input")


class Tags(HTMLParser):
    """Elements, attributes and texts, and whether each that was opened was closed."""

    def __init__(self, html):
        super().__init__()
        self.seen, self.attributes, self.texts, self.open, self.inside = [], [], [], [], {}
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)
        if self.open:
            self.inside.setdefault(self.open[-1], []).append(data)


@pytest.fixture(scope="module")
def html(hostile_page):
    return hostile_page


@pytest.fixture(scope="module")
def tags(html):
    return Tags(html)


def test_the_sentence_comes_first_and_large(verdict, plain_page):
    shown = Tags(plain_page)
    assert "".join(shown.inside["h1"]).replace("\u00a0", " ") == verdict.sentence
    assert shown.seen.index("h1") < shown.seen.index("h2") < shown.seen.index("table") < shown.seen.index("svg")


def test_texts_of_the_users_are_texts(tags):
    assert "script" not in tags.seen
    assert not any(name.startswith("on") for name, _ in tags.attributes)
    assert any("<script>alert(1)</script>" in text for text in tags.inside["ins"])
    assert "\u202e" not in "".join(tags.texts)  # what turns the direction of a line


def test_nothing_comes_from_elsewhere(tags, html):
    kinds = {"href", "xlink:href", "src", "action", "data", "poster", "srcset"}
    assert all(value.startswith("#") for name, value in tags.attributes if name in kinds)
    assert not {"link", "iframe", "object", "form", "base", "img"} & set(tags.seen)
    assert not re.search(r"url\((?!#)|@import", html)
    policy = next(value for name, value in tags.attributes if name == "content" and "default-src" in value)
    assert policy.startswith("default-src 'none'")


def test_every_state_is_spelled_out_and_no_cell_is_empty(html):
    table = html[html.index('<div class="table answers"') : html.index("</table>")]
    cells = re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", table, re.DOTALL)
    assert all(cell.strip() for cell in cells)
    assert {"MEASURED", "NOT RUN", "ERROR", "TOO FEW"} <= set(cells)


def test_only_what_exists_has_a_section(empty, plain_page):
    bare, full = Tags(verdict_page(empty)), Tags(plain_page)
    assert bare.inside["h2"] == ["Answers"]
    assert "svg" not in bare.seen
    headings = "Answers,Effects and margins,Systems against one another,Would more data help?,Training and validation"
    more = "Gain against loss,What it cost,Won and lost,Slices,Behind each answer,Methods,Facts"
    assert full.inside["h2"] == f"{headings},{more}".split(",")
    assert (
        verdict_page(empty).count('class="state">NOT RUN') == len(ASKED) * 5
    )  # a row for each question that nobody asked


def test_what_changed_is_marked_and_spaces_around_it_are_not(plain_page):
    page = plain_page
    assert "<del>Prendre</del> deux <del>tables</del> après" in page
    assert "<ins>Prenez</ins> deux <ins>comprimés</ins> après" in page
    sheet = page[page.index("<style>") : page.index("</style>")]
    assert "line-through" in sheet[sheet.index("del {") :]
    assert "underline" in sheet[sheet.index("ins {") :]


def test_dark_print_and_narrow_are_provided_for(html):
    assert html.count("prefers-color-scheme: dark") == 2
    assert html.count("@media print") == 2
    assert "max-width: 40rem" in html


def test_the_same_verdict_gives_the_same_bytes(hostile, html, empty):
    assert all(picture.svg in html for picture in (*effects(hostile), front(hostile.trade, hostile.base, "SST-2")))
    assert verdict_page(empty) == verdict_page(empty)


def test_a_text_keeps_its_lines_and_shows_what_hides():
    assert visible("a\r\nb\tc\u202e\x00") == "a\nb\tc\\u202e\\x00"
    assert hugged("  a b\n") == ("  ", "a b", "\n")
    assert hugged(" ") in ((" ", "", ""), ("", "", " "))


def words(picture):
    return " ".join(re.findall(r">([^<>]+)</text>", picture.svg))


def test_effects_have_a_panel_for_each_unit_with_their_margins(verdict):
    points, nats = effects(verdict)
    assert points.title == "3 of 5 effects in points leave out 0."
    assert nats.title == "1 of 1 effects in nats a token leave out 0."
    assert "within the margin" in words(points)
    assert "SST-2: kept, LoRA: -0.40 points (95 % -1.10 to 0.30), no" in points.alt
    assert "length short" not in points.alt  # slices have a picture of their own


def test_an_endless_interval_can_be_drawn(verdict):
    first = verdict.findings[0]
    interval = replace(first.interval, high=float("inf"))
    test = replace(first.test, effect=replace(first.test.effect, interval=interval))
    (picture,) = effects(replace(verdict, findings=(replace(first, test=test),)))
    assert "nan" not in picture.svg.lower()


def test_the_curve_foretells_twice_the_data_and_nothing_where_it_does_not_fit(verdict):
    drawn = learning(verdict.curve)
    assert drawn.title == "Twice the data would lower the error rate by 1.46 points (95 % 0.40 to 2.50)."
    assert "twice" in words(drawn)
    unfit = learning(replace(verdict.curve, fits=False, gain=None))
    assert "nothing is foretold" in unfit.title
    assert "twice" not in words(unfit)


def test_of_a_long_name_the_system_is_not_cut_off(verdict):
    rival = next(one for one in verdict.findings if one.question == "rival" and one.test is not None)
    several = [replace(rival, subject="copy of the whole source", system=name) for name in ("full", "replayed")]
    (drawn,) = effects(replace(verdict, tuned=("full", "replayed"), findings=tuple(several)))
    shown = words(drawn)
    assert "…: against a rival, full" in shown
    assert "…: against a rival, replayed" in shown
    assert "copy of the whole source: against a rival, full" in drawn.alt


def test_a_trend_tells_its_best_step_and_where_it_turned(verdict):
    drawn = trend(verdict.trends[0])
    assert drawn.title == "LoRA, seed 1: validation was best at step 700 of 2,000 and got worse from step 1,200 on."
    assert "did not get worse" in trend(replace(verdict.trends[0], turned=None)).title
    assert trend(replace(verdict.trends[0], best=2000, turned=None)).title.endswith("best at the end, at step 2,000.")
    short = trend(replace(verdict.trends[0], looks=verdict.trends[0].looks[:1], rise=None, turned=None))
    assert short.title.endswith("1 look at validation, too few to tell where it was best.")
    assert "best step" not in short.svg


def test_the_front_names_who_stands_on_it(verdict):
    drawn = front(verdict.trade)
    assert drawn.title.startswith("No other beats base, blend 0.3, blend 0.6 and LoRA")
    assert "full" in words(drawn)


def test_where_all_pairs_are_told_apart_nothing_is_said_of_others(plain_page):
    told = "".join(Tags(plain_page).texts).replace("\u00a0", " ")
    assert "Of 1 pair 1 is told apart." in told


def test_a_trade_names_the_set_it_was_lost_on_and_takes_two_systems(hostile, html):
    alone = replace(hostile, trade=replace(hostile.trade, choices=hostile.trade.choices[:1]))
    assert 'id="trade"' in html
    assert "lost on SST-2" in html
    assert 'id="trade"' not in verdict_page(alone)
