import gzip
import os
import subprocess
import sys

import pytest

from seqwise.cli import main
from seqwise.errors import ConfigError, DataError
from seqwise.verbs.predict import predict

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def shown(capsys):
    return capsys.readouterr().out.splitlines()


def test_one_text_gives_one_line(trained):
    assert predict(trained / "run", "one two three") == "un deux trois"


def test_a_file_keeps_order_and_empty_lines(trained, tmp_path, capsys):
    source, target = tmp_path / "in.txt", tmp_path / "out.txt"
    source.write_text("four one\n\nseven\n   \nsix five four three two one\n")
    predict(trained / "run", input=source, output=target)
    assert target.read_text().split("\n") == ["quatre un", "", "sept", "", "six cinq quatre trois deux un", ""]
    with gzip.open(tmp_path / "in.txt.gz", "wt") as file:
        file.write("two\none\n")
    predict(trained / "run", input=tmp_path / "in.txt.gz")
    assert shown(capsys) == ["deux", "un"]


def test_of_a_table_the_texts_of_a_column_are_answered_a_line_a_row(trained, tmp_path, capsys):
    table, rows = tmp_path / "in.csv", tmp_path / "in.jsonl"
    table.write_text('\ufeffid,said\r\n1,four one\r\n2,\r\n3,"seven\r\ntwo"\r\n', encoding="utf-8", newline="")
    predict(trained / "run", input=table, column="said")
    first, second, third = shown(capsys)  # whatever a model makes of a line feed, there are three
    assert (first, second, third[:4]) == ("quatre un", "", "sept")
    rows.write_text('{"a": {"b": "one"}}\n{"a": {"b": "two"}}\n')
    predict(trained / "run", input=rows, column="a.b")
    assert shown(capsys) == ["un", "deux"]
    rows.write_text('{"a": null}\n')
    with pytest.raises(DataError, match=r"in.jsonl:1: .a.: .null.: needs text in quotes. Try mending it.$"):
        predict(trained / "run", input=rows, column="a")
    with pytest.raises(DataError, match=r'no column "sayd" among id, said: .* Try --column said.$'):
        predict(trained / "run", input=table, column="sayd")
    (tmp_path / "in.txt").write_text("one\n")
    with pytest.raises(ConfigError, match=r"--column said for .*in.txt"):
        predict(trained / "run", input=tmp_path / "in.txt", column="said")
    with pytest.raises(ConfigError, match="--column said without --input"):
        predict(trained / "run", "one", column="said")


def test_a_table_that_is_read_line_by_line_is_told(trained, tmp_path, capsys):
    (tmp_path / "in.jsonl").write_text("one\n")
    predict(trained / "run", input=tmp_path / "in.jsonl")
    told = capsys.readouterr()
    assert told.out == "un\n"
    assert told.err == f"{tmp_path / 'in.jsonl'} is read line by line: --column NAME reads the texts of a column\n"


def test_standard_input_is_answered_line_by_line_as_it_comes(trained):
    words = [sys.executable, "-m", "seqwise", "predict", str(trained / "run")]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT) as child:
        for line, answer in (("one two", "un deux"), ("", ""), ("seven", "sept")):
            child.stdin.write(line + "\n")
            child.stdin.flush()
            assert child.stdout.readline() == answer + "\n"  # before the next line is written
        child.stdin.close()
        assert child.wait(timeout=30) == 0


def test_several_outputs_are_numbered_and_ranked(trained):
    rows = [line.split("\t") for line in predict(trained / "run", "one two", beams=4, best=3).split("\n")]
    assert [row[0] for row in rows] == ["1", "1", "1"]
    scores = [float(row[1]) for row in rows]
    assert scores == sorted(scores, reverse=True)
    assert rows[0][2] == "un deux"


@pytest.mark.parametrize("temperature", [0.0, 2.0])
def test_minimum_bayes_risk_writes_an_output_that_was_found(trained, temperature):
    """A run that is sure is answered the same; scores are those expected, at most 100."""
    flags = {"beams": 6, "mbr": "chrf", "temperature": temperature}
    assert predict(trained / "run", "one two three", **flags) == "un deux trois"
    rows = [line.split("\t") for line in predict(trained / "run", "one two three", **flags, best=2).split("\n")]
    assert 100 >= float(rows[0][1]) >= float(rows[1][1]) > 0


def test_an_ensemble_of_a_run_with_itself_is_the_run(trained):
    assert predict(trained / "run", "one two three", ensemble=(trained / "run",)) == "un deux trois"


def test_sampling_depends_on_its_seed(trained):
    texts = [predict(trained / "run", "one two three four five", temperature=3.0, seed=seed) for seed in (5, 5, 6)]
    assert texts[0] == texts[1] != texts[2]


def test_a_bad_byte_on_standard_input_ends_with_its_line(trained):
    words = [sys.executable, "-m", "seqwise", "predict", str(trained / "run")]
    done = subprocess.run(words, input=b"one\ntwo\n\xff\n", capture_output=True, env=ENVIRONMENT, timeout=60)
    assert done.returncode == 2
    assert done.stdout.decode().splitlines() == ["un", "deux"]
    assert "standard input:3" in done.stderr.decode()


def test_control_characters_of_the_input_do_not_break_lines(trained, tmp_path, capsys):
    file = tmp_path / "in.txt"
    file.write_text("one\u2028two\x85three\none\n")
    predict(trained / "run", input=file)
    assert len(shown(capsys)) == 2


def test_contradictions_are_refused(trained):
    with pytest.raises(ConfigError, match="one of them"):
        predict(trained / "run", "one", input=trained / "test.en")
    with pytest.raises(ConfigError, match="--beams 3"):
        predict(trained / "run", "one", best=3, beams=2)
    with pytest.raises(DataError):
        predict(trained / "run", input=trained / "nothing.txt")


def test_an_output_that_cannot_be_is_refused_before_anything_is_answered(trained, tmp_path, monkeypatch):
    """What is read is never written over, and nobody waits for answers that have no place to go."""
    source, link = tmp_path / "in.txt", tmp_path / "link.txt"
    source.write_text("one\n")
    link.symlink_to(source)
    monkeypatch.setattr("seqwise.verbs.predict.open_own", None)  # no model is opened for this
    for output in (source, link):
        with pytest.raises(ConfigError, match=r"which is --input: needs another file"):
            predict(trained / "run", input=source, output=output)
    with pytest.raises(ConfigError, match=rf"needs a folder that exists. Try mkdir -p {tmp_path / 'no'}"):
        predict(trained / "run", input=source, output=tmp_path / "no" / "out.txt")
    with pytest.raises(ConfigError, match="a folder: needs a file"):
        predict(trained / "run", "one", output=tmp_path)
    assert source.read_text() == "one\n"


def test_a_parquet_file_has_no_lines_so_its_column_is_asked_for(trained, tmp_path):
    with pytest.raises(ConfigError, match=r"in.parquet without --column: .* Try --column NAME"):
        predict(trained / "run", input=tmp_path / "in.parquet")


def test_a_fault_in_the_input_leaves_no_output(trained, tmp_path):
    bad, output = tmp_path / "in.txt", tmp_path / "out.txt"
    bad.write_bytes(b"one\n\xff\xfe\n")
    with pytest.raises(DataError):
        predict(trained / "run", input=bad, output=output)
    assert not output.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["in.txt"]


def test_the_command_line_says_the_same(trained, capsys):
    with pytest.raises(SystemExit) as ended:
        raise SystemExit(main(["predict", str(trained / "run"), "two two"]))
    assert ended.value.code in (0, None)
    assert shown(capsys) == ["deux deux"]


def test_a_closed_standard_input_is_no_hindrance_where_nothing_is_read_from_it(trained, monkeypatch):
    monkeypatch.setattr("sys.stdin", None)  # as `seqwise predict <&-`, and as a service without a terminal
    assert predict(trained / "run", "one two") == "un deux"
    with pytest.raises(ConfigError, match="no text, and no standard input: needs something to answer"):
        predict(trained / "run")


def test_output_is_not_written_under_the_name_of_a_packed_file(trained, tmp_path):
    with pytest.raises(
        ConfigError, match=r"--output .*out.txt.gz: needs a name of plain text.* Try --output .*out.txt"
    ):
        predict(trained / "run", "one", output=tmp_path / "out.txt.gz")
    assert not list(tmp_path.iterdir())


def test_a_seed_that_no_generator_takes_is_refused(trained, capsys):
    assert main(["predict", str(trained / "run"), "one", "--seed", "99999999999999999999", "--temperature", "1"]) == 2
    assert "seed" in capsys.readouterr().err
