import sys

import pytest

from seqwise.printable import on_terminal, printable


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("\x1b[2Jgone", "\\x1b[2Jgone"),
        ("back\rwards", "back\\rwards"),
        ("admin\u202etxt.exe", "admin\\u202etxt.exe"),
        ("\u2066isolated\u2069", "\\u2066isolated\\u2069"),
        ("a\u2028b", "a\\u2028b"),
        ("می\u200cخواهم", "می\u200cخواهم"),  # Persian is spelled with it
        ("שלום\u200f!", "שלום\u200f!"),  # a mark that says which way a sign goes, and turns nothing about
        ("Ça va\u00a0?", "Ça va\u00a0?"),
    ],
)
def test_a_terminal_gets_nothing_that_steers_it_and_a_file_all(monkeypatch, given, shown):
    for terminal, expected in ((True, shown), (False, given)):
        monkeypatch.setattr(sys.stdout, "isatty", lambda terminal=terminal: terminal)
        assert on_terminal(given) == expected


def test_a_line_is_one_line_and_no_longer_than_told():
    assert printable("a\nb\x1b\u202ec") == "a\\nb\\x1b\\u202ec"
    assert printable("abcdef", 4) == "abc…"
