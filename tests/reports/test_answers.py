"""The tables of the verdict, for terminal and page, hold the numbers of the findings."""

from dataclasses import replace

from rich.console import Console

from seqwise.reports import answers
from seqwise.reports.terminal import Fitted
from seqwise.verdict.cost import Cost
from seqwise.verdict.findings import ASKED


def column(grid, name):
    return [row[grid.columns.index(name)] for row in grid.rows]


def test_each_answer_is_a_row_with_its_numbers(verdict):
    grid = answers.answers(verdict)
    first = dict(zip(grid.columns, grid.rows[0], strict=True))
    assert first == {
        "question": "Is it better at the task?", "of": "test", "system": "LoRA", "answer": "yes", "effect": 5.5,
        "low": 2.1, "high": 8.9, "unit": "points", "n": "400 items", "could show": 4.6, "margin": None,
    }  # fmt: skip
    assert {"yes", "no", "cannot tell", "MEASURED", "NOT RUN", "ERROR", "TOO FEW"} == set(column(grid, "answer"))


def test_questions_that_nobody_asked_are_rows_too(empty):
    grid = answers.answers(empty)
    assert column(grid, "question") == list(ASKED.values())
    assert set(column(grid, "answer")) == {"NOT RUN"}
    assert "system" not in grid.columns  # there is one


def test_slices_stand_in_a_table_of_their_own(verdict):
    grid = answers.slices(verdict)
    assert column(grid, "label") == ["short", "long", "web"]
    assert column(grid, "p, Holm") == [0.02, 0.11, None]
    assert column(grid, "state") == ["MEASURED", "MEASURED", "TOO FEW"]
    assert not any("length" in str(cell) for row in answers.answers(verdict).rows for cell in row)


def test_costs_are_told_as_people_say_them():
    grid = answers.costs((Cost("a", 1, 731.0, 59.0, 2.1e9, 884_736, 18_000.0), Cost("b")), price=2.0, currency="EUR")
    assert grid.rows[0] == (
        "a",
        "1",
        "12 min 11 s",
        "NOT RUN",
        "59 s",
        "2.1 GB",
        "NOT RUN",
        "884,736",
        "5 Wh",
        "0.41 EUR",
    )
    assert set(grid.rows[1][2:]) == {"NOT RUN"}
    assert answers.lasting(7199.9) == "2 h 0 min"
    assert answers.lasting(59.99) == "60 s"
    assert answers.lasting(3599.9) == "1 h 0 min"
    assert answers.costs(()) is None


def test_costs_of_trainings_side_by_side_are_their_shares():
    table = answers.costs([Cost("full", seed, 3000.0, whole=3600.0, beside=4.0) for seed in range(4)], 2.0, "EUR")
    assert [row[-1] for row in table.rows] == ["0.50 EUR"] * 4
    assert "full run side by side with 3 others" in table.note


def test_the_sentence_leads_and_everything_can_be_shown_on_a_terminal(verdict, hostile):
    assert answers.sentences(verdict)[0] == verdict.sentence
    assert "On short ones 6.1 points." not in answers.sentences(verdict)
    console = Console(width=80, no_color=True, markup=False)
    with console.capture() as captured:
        for grid in answers.grids(hostile):
            console.print(Fitted(grid))
    assert all(len(line) <= 80 for line in captured.get().splitlines())
    assert "\u202e" not in captured.get()
    assert [grid.title for grid in answers.grids(verdict)] == [
        "Answers", "Systems against one another", "Slices", "Flips", "Costs of training"
    ]  # fmt: skip


def test_an_effect_has_its_sign(verdict):
    gain, kept, *_ = verdict.findings
    assert answers.size(gain) == "+5.50 points (95 % 2.10 to 8.90)"
    assert answers.size(kept) == "-0.40 points (95 % -1.10 to 0.30)"
    assert [answers.kind(one) for one in verdict.findings[:5]] == ["hoped", "hoped", "feared", "feared", "open"]
    assert answers.scores(gain) == (71.2, 76.7)


def test_a_margin_has_the_unit_of_its_effect_and_that_of_more_data_of_the_curve(verdict):
    pair = next(one for one in verdict.findings if one.question == "systems")
    data = replace(next(one for one in verdict.findings if one.question == "data"), test=None, margin=1.0)
    assert [answers.margin(one, verdict) for one in (pair, data)] == ["1 point", "1 point"]
    assert answers.margin(replace(pair, margin=2.5), verdict) == "2.5 points"
    assert answers.margin(replace(pair, margin=None), verdict) == ""


def test_one_of_a_kind_is_counted_as_one(verdict):
    test = next(one.test for one in verdict.findings if one.test is not None)
    of = {"items": 1, "seeds of full": 3, "seeds of trials": 1}
    assert answers.counts(replace(test, n=of)) == "1 item, 3 seeds of full, 1 seed of trials"
