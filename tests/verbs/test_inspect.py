import io

import pytest
from rich.console import Console

from seqwise.errors import ConfigError, DataError
from seqwise.verbs.inspect import inspect


def test_each_output_token_looks_somewhere_and_the_weights_add_up(trained):
    result = inspect(trained / "run", "one seven three two")
    assert result.output == "un sept trois deux"
    assert result.attended.words == ("one", "seven", "three", "two", "</s>")
    for row in result.attended.rows:
        assert sum(row.weights) == pytest.approx(1, abs=1e-4)


def test_a_word_by_word_translator_looks_at_the_word_it_translates(trained):
    """The corpus has one right alignment, so the weights must show it for most tokens."""
    sentence = ["two", "seven", "one", "five", "four"]
    rows = inspect(trained / "run", " ".join(sentence)).attended.rows[:-1]
    right = sum(max(range(6), key=lambda s, row=row: row.weights[s]) == t for t, row in enumerate(rows))
    assert right >= 4


def test_the_table_shows_hostile_text_as_it_is(trained):
    out = io.StringIO()
    Console(file=out, width=100).print(inspect(trained / "run", "one [bold red]two[/] \x1b[31mthree"))
    assert "[bold red]" in out.getvalue()
    assert "\x1b[31m" not in out.getvalue()


def test_what_is_not_there_is_refused(trained):
    with pytest.raises(ConfigError, match="--layer 0"):
        inspect(trained / "run", "one", layer=3)
    with pytest.raises(DataError):
        inspect(trained / "run", "  ")
