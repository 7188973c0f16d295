"""Markdown for a pull request, read by markdown-it-py (CommonMark and GitHub's tables), no code of ours."""

import re
from dataclasses import replace

import pytest
from markdown_it import MarkdownIt

from seqwise.reports.markdown import LONGEST, markdown, plain
from seqwise.verdict.changed import difference
from seqwise.verdict.findings import ASKED


def html(text):
    return MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(text)


@pytest.fixture(scope="module")
def told(hostile):
    return markdown(hostile)


def test_the_sentence_leads_in_bold(verdict):
    assert markdown(verdict).startswith("**Better, at a price: LoRA is better than base")
    assert f"<strong>{verdict.sentence}</strong>" in html(markdown(verdict))


def test_every_answer_is_a_row_of_as_many_cells(told):
    table = html(told).split("</table>")[0]
    rows = re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)
    assert len(rows) == 14
    assert {len(re.findall(r"<t[dh]", row)) for row in rows} == {8}
    assert {"MEASURED", "NOT RUN", "ERROR", "TOO FEW"} <= set(re.findall(r"<td>(.*?)</td>", table))


def test_what_users_wrote_makes_no_element_no_link_and_calls_nobody(told):
    shown = html(told)
    assert "<script" not in shown
    assert "<a " not in shown
    assert not re.search(r"@\w", told)
    assert "\u202e" not in told
    assert set(re.findall(r"<(\w+)", shown)) <= {
        "p", "strong", "table", "thead", "tbody", "tr", "th", "td", "details", "summary", "code", "del", "ins",
        "ul", "li",
    }  # fmt: skip


@pytest.mark.parametrize(
    "text", ["a|b", "a`b`", "<b>x</b>", "*x* _y_ ~~z~~", "[x](y)", "![i](j)", "# h", "a\\|b", "1 &amp; 2", "- a", "$x$"]
)
def test_a_text_in_a_cell_is_shown_to_the_letter(text):
    shown = html(f"| c |\n| --- |\n| {plain(text)} |\n")
    cell = re.search(r"<td>(.*?)</td>", shown, re.DOTALL)[1]
    told = cell.replace("\u200b", "").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    assert told == text


def test_lines_and_names_of_others_are_broken():
    assert plain("a\n\nb") == "a b"
    assert plain("@octocat") == "@\u200boctocat"
    assert "://" not in plain("https://example.org")
    assert not re.search(r"#\d", plain("#12"))


def test_lost_items_are_folded_with_what_changed(verdict, told):
    assert "<details><summary>Lost on test by LoRA: the worst 2 of 12 (won: 34)</summary>" in markdown(verdict)
    assert "tousse <del>depuis trois jours, sans fièvre.</del></code>" in markdown(verdict)
    folded = told[told.index("<details><summary>Lost") :].split("</details>")[0]
    assert "\n\n" not in folded  # an empty line would end the HTML
    assert "&lt;script&gt;" in folded


def test_long_outputs_are_cut(verdict):
    long = "word " * 2000
    item = replace(verdict.changed[0].worst[0], tuned=long, text=long, words=difference("", long))
    shown = markdown(replace(verdict, changed=(replace(verdict.changed[0], worst=(item,)),)))
    assert len(shown) < len(markdown(verdict)) + 3 * LONGEST


def test_a_verdict_with_nothing_is_told(empty):
    assert html(markdown(empty)).count("<tr>") == len(ASKED) + 1
