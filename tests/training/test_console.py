import io
import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console as Terminal

from seqwise.printable import printable
from seqwise.training.console import Console
from seqwise.training.events import Evaluated, Finished, Noted, Sample, Saved, Stepped


def stepped(step: int, loss: float = 2.0, total: int | None = 1000, seconds: float = 0.1) -> Stepped:
    return Stepped(step, step / 100, loss, 5e-4, 1.25, 1000, seconds, 0.04, total)


def plain(**settings) -> tuple[Console, io.StringIO]:
    out = io.StringIO()
    return Console(Terminal(file=out, force_terminal=False), **settings), out


def on_terminal(**settings) -> tuple[Console, io.StringIO]:
    out = io.StringIO()
    terminal = Terminal(file=out, force_terminal=True, width=200, force_interactive=True)
    return Console(terminal, **settings), out


@settings(deadline=None)
@given(st.text(st.characters(codec=None)))
def test_nothing_that_steers_a_terminal_gets_through(text):
    shown = printable(text)
    forbidden = {"Cc", "Cs", "Zl", "Zp"}
    assert not any(unicodedata.category(character) in forbidden for character in shown)
    assert len(shown.splitlines()) <= 1


def test_letters_accents_and_french_spaces_stay_but_controls_and_reversals_are_escaped():
    assert printable("Ça\u00a0va\u202f? 日本 🙂 نمی\u200cخواهم") == "Ça\u00a0va\u202f? 日本 🙂 نمی\u200cخواهم"
    assert printable("\x1b[31mred\a\tend\n\u202eevil\ud800") == r"\x1b[31mred\x07\tend\n\u202eevil\ud800"
    assert printable("a" * 10, 5) == "aaaa…"


def test_a_file_gets_a_plain_line_every_so_many_steps():
    console, out = plain(every=10, seconds=1e9)
    for step in range(1, 31):
        console.tell(stepped(step))
    console.close()
    lines = out.getvalue().splitlines()
    assert [int(re.search(r"step ([\d,]+)", line)[1]) for line in lines] == [1, 11, 21]
    assert lines[0] == (
        "step 1/1,000  1:40 left  loss 2.000  10,000 tokens/s  rate 5.00e-04  gradient 1.25  padding 4.0 %  epoch 0.01"
    )


def test_a_slow_run_gets_a_line_every_so_many_seconds(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("seqwise.training.console.time.monotonic", lambda: clock[0])
    console, out = plain(every=1000, seconds=10)
    for step in range(1, 10):
        clock[0] += 4
        console.tell(stepped(step))
    steps = [int(found) for found in re.findall(r"step (\d+)", out.getvalue())]
    assert steps == [1, 4, 7]


def test_figures_are_means_since_the_line_before_weighted_by_tokens():
    console, out = plain(every=3, seconds=1e9)
    console.tell(stepped(1, 9.0))
    for step, loss in ((2, 1.0), (3, 2.0), (4, 6.0)):
        console.tell(stepped(step, loss))
    assert "loss 3.000" in out.getvalue().splitlines()[1]


@pytest.mark.parametrize(
    ("total", "limit", "expected"),
    [(None, None, None), (1000, None, "1:30 left"), (None, 60.0, "0:50 left"), (1000, 60.0, "0:50 left")],
)
def test_the_time_left_is_told_by_steps_or_by_the_limit(monkeypatch, total, limit, expected):
    clock = [0.0]
    monkeypatch.setattr("seqwise.training.console.time.monotonic", lambda: clock[0])
    console, out = plain(limit=limit)
    clock[0] = 10.0
    console.tell(stepped(100, total=total))
    assert ("left" in out.getvalue()) == (expected is not None)
    assert (expected or "") in out.getvalue()


def test_an_evaluation_shows_source_reference_and_output_of_its_samples():
    console, out = plain()
    sample = Sample("[bold]A dog[/bold] :smile:", "Un\x1b[2J chien", "Un chien\r\nfaux")
    console.tell(Evaluated(40, {"loss": 1.23456, "bleu": 34.5}, True, (sample, sample, sample)))
    lines = out.getvalue().split("\n")
    assert lines[0] == "step 40  loss 1.235  bleu 34.5  best so far"
    assert lines[1:4] == [
        "    source     [bold]A dog[/bold] :smile:",
        r"    reference  Un\x1b[2J chien",
        r"    output     Un chien\r\nfaux",
    ]
    assert len(lines) == 11


def test_a_look_at_averaged_weights_is_told_from_the_one_at_the_same_step():
    console, out = plain()
    console.tell(Evaluated(40, {"loss": 1.5}, False, averaged=True))
    console.tell(Evaluated(40, {"loss": 1.25}, True, averaged=True))
    assert out.getvalue().splitlines() == [
        "step 40  loss 1.5  weights of the last looks, averaged",
        "step 40  loss 1.25  weights of the last looks, averaged  best so far",
    ]


def test_saving_and_the_end_are_told():
    console, out = plain()
    console.tell(Saved(40, "runs/a/state/step-000040", "evaluation"))
    console.tell(Finished(50, "time limit", 40, {"bleu": 30.0}))
    console.tell(Finished(5, "signal", 0, {}))
    assert out.getvalue().splitlines() == [
        "step 40  saved runs/a/state/step-000040 (evaluation)",
        "finished at step 50 (time limit); best at step 40: bleu 30",
        "finished at step 5 (signal)",
    ]


def test_facts_are_told_on_a_line_numbers_to_four_digits():
    console, out = plain()
    console.tell(Noted(40, "replay", {"wanted": 0.05, "actual": 0.0512345, "examples": 12345.0, "file": "a\x1b.tsv"}))
    assert out.getvalue() == "replay: wanted 0.05  actual 0.05123  examples 12,345  file a\\x1b.tsv\n"


def test_plain_output_never_holds_a_control_character():
    console, out = plain(every=1)
    console.tell(stepped(1))
    console.tell(Evaluated(1, {"bleu": 1.0}, False, (Sample("\x1b]0;x\x07", "\x9b1m", "\u2028"),)))
    console.close()
    assert not [c for c in out.getvalue() if unicodedata.category(c) == "Cc" and c != "\n"]


def test_an_output_that_knows_no_accents_gets_them_escaped():
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii", newline="\n")
    console = Console(Terminal(file=out, force_terminal=False))
    console.tell(Evaluated(1, {}, False, (Sample("é", "œ", "日"),)))
    out.flush()
    assert raw.getvalue().decode("ascii").splitlines()[1:] == [
        r"    source     \xe9",
        r"    reference  \u0153",
        r"    output     \u65e5",
    ]


@pytest.mark.parametrize("total", [None, 100])
def test_a_terminal_gets_a_bar_with_all_figures_and_hostile_text_stays_text(total):
    console, out = on_terminal()
    for step in range(1, 51):
        console.tell(stepped(step, total=total))
    sample = Sample("[red]A[/red] [/] [link=x]", "\x1b[31mB", ":boom:")
    console.tell(Evaluated(50, {"bleu": 12.0}, True, (sample,)))
    console.tell(Finished(50, "steps", 50, {"bleu": 12.0}))
    console.close()
    shown = out.getvalue()
    for figure in ("loss 2.000", "rate 5.00e-04", "gradient 1.25", "10,000 tokens/s", "padding 4.0 %"):
        assert figure in shown
    assert ("50 %" in shown) == (total == 100)
    assert ("0:05 left" in shown) == (total == 100)
    assert "[red]A[/red] [/] [link=x]" in shown
    assert r"\x1b[31mB" in shown
    assert ":boom:" in shown
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h") == 1  # the cursor is given back


def test_closing_before_the_first_step_is_quiet():
    console, out = on_terminal()
    console.close()
    assert "step" not in out.getvalue()
