"""The table of trials on disk: what is written stays, and what is damaged is refused by file and line."""

import json
import os
import subprocess
import sys

import pytest

from seqwise.errors import DataError
from seqwise.verdict.ledger import FILE, opened, read
from seqwise.verdict.trials import Row, Trial

SIGNATURE = {"train": "9f2c", "settings": "77ab"}
FIRST, SECOND, THIRD = (Trial(seed, 1, "full", {"rank": "é"}) for seed in (1, 2, 3))


def measured(trial, **facts):
    return Row(trial, "MEASURED", 1.5, "2030-01-01T00:00:00+00:00", "here", facts)


def failed(trial, error):
    return Row(trial, "ERROR", 0.5, "2030-01-01T00:00:00+00:00", "here", None, error)


@pytest.fixture
def table(tmp_path):
    """Two rows, one of them an error."""
    with opened(tmp_path, SIGNATURE) as ledger:
        ledger.add(measured(FIRST, score=1 / 3, nested={"a": [1, None, "inf"]}))
        ledger.add(failed(SECOND, "ValueError: no"))
    return tmp_path


def refused(folder, signature=SIGNATURE):
    with pytest.raises(DataError) as caught, opened(folder, signature):
        pass
    told = str(caught.value)
    assert "\n" not in told
    return told


def test_rows_come_back_as_they_were_written(table):
    with opened(table, SIGNATURE) as ledger:
        assert ledger.rows == (
            measured(FIRST, score=1 / 3, nested={"a": [1, None, "inf"]}),
            failed(SECOND, "ValueError: no"),
        )
        assert ledger.notes == ()
    assert read(table).rows == ledger.rows
    assert read(table).signature == SIGNATURE


def test_every_row_is_on_the_disk_before_the_next_is_made(tmp_path):
    with opened(tmp_path, SIGNATURE) as ledger:
        for count, trial in enumerate((FIRST, SECOND, THIRD), 1):
            ledger.add(measured(trial))
            assert len(read(tmp_path).rows) == count


def test_what_has_a_result_is_not_due_and_what_failed_is(table):
    with opened(table, SIGNATURE) as ledger:
        assert ledger.due([THIRD, FIRST, SECOND, THIRD]) == (THIRD, SECOND)
        assert [row.trial for row in ledger.of([THIRD, SECOND, FIRST])] == [SECOND, FIRST]


def test_a_later_result_counts_and_the_earlier_error_stays_to_be_read(table):
    with opened(table, SIGNATURE) as ledger:
        ledger.add(measured(SECOND, score=2))
    rows = read(table).rows
    assert [(row.trial.seed, row.state) for row in rows] == [(1, "MEASURED"), (2, "MEASURED")]
    assert "ValueError: no" in (table / FILE).read_text()


def test_nothing_is_counted_twice(table):
    with opened(table, SIGNATURE) as ledger, pytest.raises(ValueError, match="has a result already"):
        ledger.add(measured(FIRST))
    lines = (table / FILE).read_text().splitlines()
    (table / FILE).write_text("\n".join([*lines, lines[1]]) + "\n")
    told = refused(table)
    assert told.startswith(f"{table / FILE}:4: damaged trial table: {FIRST.name} again")


@pytest.mark.parametrize("kept", [1, 20, 150])
def test_a_half_last_line_is_cut_off_with_a_note(table, kept):
    whole = (table / FILE).read_bytes()
    last = whole.splitlines(keepends=True)[-1]
    (table / FILE).write_bytes(whole[: len(whole) - len(last) + kept])
    with opened(table, SIGNATURE) as ledger:
        assert [row.trial for row in ledger.rows] == [FIRST]
        assert f"{FILE}:3: {kept} byte" in ledger.notes[0]
        ledger.add(measured(SECOND, score=2))
    assert [row.measured for row in read(table).rows] == [True, True]


def test_every_place_where_writing_may_have_been_killed_leaves_a_table(table):
    """Cut at any byte, it opens, with the rows whose lines are whole."""
    whole = (table / FILE).read_bytes()
    for end in range(0, len(whole) + 1, 7):
        (table / FILE).write_bytes(whole[:end])
        with opened(table, SIGNATURE) as ledger:
            assert len(ledger.rows) == max(0, whole[:end].count(b"\n") - 1)
        assert (table / FILE).read_bytes().endswith(b"\n")


def test_a_damaged_line_in_the_middle_is_refused_by_file_and_line(table):
    lines = (table / FILE).read_text().splitlines()
    (table / FILE).write_text("\n".join([lines[0], lines[1][:40], lines[2]]) + "\n")
    told = refused(table)
    assert told.startswith(f"{table / FILE}:2: truncated trial table: a line that is no row")
    assert "--overwrite" in told


@pytest.mark.parametrize(
    ("name", "value"),
    [("state", "NOT RUN"), ("result", None), ("seconds", "long"), ("trial", {"seed": 1}), ("trial", [])],
)
def test_a_line_that_lacks_what_a_row_has_is_refused(table, name, value):
    lines = (table / FILE).read_text().splitlines()
    lines[1] = json.dumps({**json.loads(lines[1]), name: value})
    (table / FILE).write_text("\n".join(lines) + "\n")
    assert f"{FILE}:2: truncated trial table" in refused(table)


def test_a_row_of_another_table_is_refused(table, tmp_path):
    with opened(tmp_path / "other", {**SIGNATURE, "train": "0000"}) as ledger:
        ledger.add(measured(THIRD))
    strange = (tmp_path / "other" / FILE).read_text().splitlines()[1]
    with open(table / FILE, "a") as file:
        file.write(strange + "\n")
    assert f"{FILE}:4: damaged trial table: {THIRD.name} with the signature" in refused(table)


def test_trials_of_other_data_are_refused_and_named_unless_overwritten(table):
    other = {**SIGNATURE, "train": "0000"}
    assert "trials of something else: train is 9f2c there and 0000 here" in refused(table, other)
    assert len(read(table).rows) == 2
    with opened(table, other, overwrite=True) as ledger:
        assert ledger.rows == ()
        ledger.add(measured(FIRST))
    assert (read(table).signature, len(read(table).rows)) == (other, 1)


@pytest.mark.parametrize("content", ["something of the user's", "id,score\n1,2\n", '{"trials": 99, "of": {}}\n'])
def test_a_file_that_is_no_table_is_refused_and_left_alone(tmp_path, content):
    (tmp_path / FILE).write_text(content)
    assert f"{FILE}:1: " in refused(tmp_path)
    assert (tmp_path / FILE).read_text() == content


def test_a_folder_without_a_table_is_refused_by_who_reads(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        read(tmp_path)


def test_a_full_disk_leaves_whole_lines_and_one_clear_error(table, monkeypatch):
    real = os.write

    def half(handle, content):
        if len(content) < 20:
            raise OSError(28, "No space left on device")
        return real(handle, content[:-10])

    before = (table / FILE).read_bytes()
    with opened(table, SIGNATURE) as ledger:
        monkeypatch.setattr(os, "write", half)
        with pytest.raises(DataError, match="No space left on device"):
            ledger.add(measured(THIRD))
        monkeypatch.undo()
    assert (table / FILE).read_bytes() == before


def test_two_at_once_are_refused_and_the_lock_ends_with_its_holder(table):
    code = (
        "import sys; from pathlib import Path; from seqwise.verdict.ledger import opened\n"
        f"with opened(Path(sys.argv[1]), {SIGNATURE!r}): print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(table)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout.readline() == "held\n"
        assert f"process {holder.pid} is running the trials in" in refused(table)
        assert len(read(table).rows) == 2
        holder.kill()
    with opened(table, SIGNATURE) as ledger:
        assert len(ledger.rows) == 2
