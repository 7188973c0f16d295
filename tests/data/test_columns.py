import gzip
import json
import os

import numpy as np
import polars
import pytest

from seqwise.data import delimited
from seqwise.data.cells import ColumnSettings, numbers
from seqwise.data.columns import open_table
from seqwise.errors import ConfigError, DataError


def told(path, *columns, **settings):
    """The fault of reading these columns, without the path."""
    with pytest.raises((DataError, ConfigError)) as caught:
        open_table(path, ColumnSettings(**settings)).values(columns or None)
    assert "\n" not in str(caught.value)
    return str(caught.value).replace(str(path), path.name)


@pytest.fixture
def write(tmp_path):
    def written(text: str | bytes, name: str = "f.csv"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return written


FRAME = {
    "name": ["a", "b, c", 'd "e"', ""],
    "x": [1.5, None, -2e-3, 4.0],
    "n": [1, 2, None, 4],
    "ok": [True, False, None, True],
    "day": ["2020-01-01", "2020-01-02", "2020-01-03", "2020-01-04"],
}


@pytest.mark.parametrize(
    "form", ["csv", "crlf", "tsv", "semicolons", "bom", "gz", "utf-16", "jsonl", "json", "parquet"]
)
def test_a_table_is_the_same_in_every_format(tmp_path, form):
    frame = polars.DataFrame(FRAME)
    path = tmp_path / f"f.{ {'tsv': 'tsv', 'jsonl': 'jsonl', 'json': 'json'}.get(form, 'csv') }"
    text = frame.write_csv(separator={"tsv": "\t", "semicolons": ";"}.get(form, ","))
    match form:
        case "crlf":
            path.write_bytes(text.replace("\n", "\r\n").encode())
        case "bom":
            path.write_bytes(text.encode("utf-8-sig"))
        case "gz":
            path.write_bytes(gzip.compress(text.encode()))
        case "utf-16":
            path.write_text(text, "utf-16")
        case "jsonl":
            frame.write_ndjson(path)
        case "json":
            path.write_text(json.dumps(frame.to_dicts()))
        case "parquet":
            frame.write_parquet(path)
        case _:
            path.write_text(text)
    table = open_table(path, ColumnSettings(encoding="utf-16" if form == "utf-16" else "utf-8"))
    assert dict(table.kinds) == {"name": "text", "x": "number", "n": "integer", "ok": "boolean", "day": "time"}
    assert (table.names, table.numbers, table.rows) == (tuple(FRAME), ("x", "n"), 4)
    assert np.array_equal(table.values(), [[1.5, 1], [np.nan, 2], [-2e-3, np.nan], [4, 4]], equal_nan=True)
    assert np.array_equal(table.column("ok").values, [1, 0, 1])
    assert (table.column("x").missing, table.column("x").values.tolist()) == (1, [1.5, -2e-3, 4])
    assert table.groups("name").tolist() == FRAME["name"]
    assert table.times("day").astype("datetime64[D]").astype(str).tolist() == FRAME["day"]
    assert table.sample(1)[0]["name"] == "a"


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_numbers_that_could_be_months_are_numbers(write, form):
    texts = ["1034.5", "2058.20", "1999.12", "2001.01"]
    rows = "ms,month\n" + "".join(f"{text},2015-0{i}\n" for i, text in enumerate(texts, 1))
    if form == "jsonl":
        rows = "".join(json.dumps({"ms": text, "month": f"2015-0{i}"}) + "\n" for i, text in enumerate(texts, 1))
    table = open_table(write(rows, f"f.{form}"))
    assert dict(table.kinds) == {"ms": "number", "month": "time"}
    assert table.values(["ms"])[:, 0].tolist() == [float(text) for text in texts]


def test_blocks_hold_all_rows_in_order_whatever_their_size(write, monkeypatch):
    rows = np.random.default_rng(1).normal(size=(997, 3))
    path = write("a,b,c\n" + "".join(",".join(map(repr, row)) + "\n" for row in rows.tolist()))
    monkeypatch.setattr(delimited, "_SIZE", 1000)  # bytes of a part: many parts, cut within rows
    table = open_table(path)
    for size in (1, 7, 4096):
        blocks = list(table.blocks(rows=size))
        assert max(map(len, blocks)) <= size
        assert np.array_equal(np.concatenate(blocks), rows)
    assert table.rows == 997
    assert np.array_equal(table.values(["c", "a"]), rows[:, [2, 0]])
    assert table.where(500) == f"{path}:502"


def test_parts_are_not_cut_within_quotes(write, monkeypatch):
    texts = [f'line one of {i}\n\nline "two"' if i % 3 else "plain" for i in range(200)]
    path = write(polars.DataFrame({"text": texts, "x": range(200)}).write_csv())
    monkeypatch.setattr(delimited, "_SIZE", 64)
    table = open_table(path)
    assert table.groups("text").tolist() == texts
    assert table.column("x").values.tolist() == list(range(200))
    lines = 2 + sum(1 + text.count("\n") for text in texts[:151])
    assert table.where(151) == f"{path}:{lines}"


def test_several_files_are_one_table(write):
    one, other = write("a,b\n1,2\n"), write("b,a\n4,3\n", "g.csv")
    table = open_table([one, other])
    assert table.values(["a", "b"]).tolist() == [[1, 2], [3, 4]]
    assert table.where(1) == f"{other}:2"
    third = write("a,c\n1,2\n", "h.csv")
    with pytest.raises(DataError, match=r"h\.csv: other columns than .*: b, c"):
        open_table([one, third])


def test_single_precision_stays_visible(tmp_path):
    path = tmp_path / "f.parquet"
    frame = polars.DataFrame({"a": [0.1, None], "b": [1.0, 2.0]}, schema={"a": polars.Float32, "b": polars.Float64})
    frame.write_parquet(path)
    table = open_table(path)
    assert table.kinds["a"] == "float32"
    assert next(table.blocks(["a"])).dtype == np.float32
    assert np.isnan(table.values(["a"])[1, 0])
    assert next(table.blocks()).dtype == np.float64


def test_blank_lines_are_no_rows_and_short_ones_lack_cells(write):
    table = open_table(write("\na,b\n\n1,2\n\r\n3\n\n"))
    assert np.array_equal(table.values(), [[1, 2], [3, np.nan]], equal_nan=True)
    assert table.where(1).endswith(":6")


def test_a_row_of_tabs_is_a_row_whatever_stands_elsewhere(write):
    for gap in ("", "\n", "  \n"):
        table = open_table(write(f"a\tb\n1\t2\n\t\n{gap}3\t4\n", "f.tsv"))
        assert np.array_equal(table.values(), [[1, 2], [np.nan, np.nan], [3, 4]], equal_nan=True)
        assert open_table(write(f"a,b\n1,2\n\t\n{gap}3,4\n   ")).values().tolist() == [[1, 2], [3, 4]]


def test_blank_lines_within_quotes_stay(write):
    table = open_table(write('a,b\n"x\n\n \ny",1\n\n"z\n\n",2\n'))
    assert table.groups("a").tolist() == ["x\n\n \ny", "z\n\n"]
    assert table.column("b").values.tolist() == [1, 2]


def test_years_may_be_the_names_of_columns(write):
    table = open_table(write("2019,2020,2021\n3.5,4.1,5\n"))
    assert table.names == ("2019", "2020", "2021")
    assert table.values().tolist() == [[3.5, 4.1, 5]]


def test_a_first_line_may_tell_the_delimiter(write):
    table = open_table(write("\ufeffsep=;\r\na;b\r\n1;2\r\n3;x,y,z\r\n"))
    assert (table.names, table.groups("b").tolist()) == (("a", "b"), ["2", "x,y,z"])
    assert table.where(1).endswith("f.csv:4")


@pytest.mark.parametrize("ending", ["tsv", "csv"])
def test_a_quote_between_tabs_is_a_character_unless_the_first_rows_quote(write, ending):
    corpus = write('name\tn\n"Hi there\t1\nBye\t2\nok "x"\t3\nz"\t4\nq\t5\n', f"f.{ending}")
    table = open_table(corpus)
    assert table.values(["n"]).tolist() == [[1], [2], [3], [4], [5]]
    assert table.groups("name").tolist() == ['"Hi there', "Bye", 'ok "x"', 'z"', "q"]
    crlf = open_table(write('name\tn\r\n"Hi\t1\r\nBye"\t2\r\n', f"g.{ending}"))
    assert (crlf.groups("name").tolist(), crlf.values(["n"]).tolist()) == (['"Hi', 'Bye"'], [[1], [2]])
    quoted = open_table(write('"name"\t"n"\n"Hi\tthere"\t1\n"Bye"\t2\n', f"h.{ending}"))
    assert (quoted.groups("name").tolist(), quoted.values(["n"]).tolist()) == (["Hi\tthere", "Bye"], [[1], [2]])


def test_a_quoted_line_feed_between_tabs_is_within_a_cell(write, monkeypatch):
    """Oracle: the writer of polars."""
    frame = polars.DataFrame({"text": ["a\nb\tc", "d", 'e "f"'] * 30, "n": range(90)})
    monkeypatch.setattr(delimited, "_SIZE", 100)
    table = open_table(write(frame.write_csv(separator="\t"), "f.tsv"))
    assert table.groups("text").tolist() == frame["text"].to_list()
    assert table.column("n").values.tolist() == frame["n"].to_list()


def test_long_cells_are_read_and_those_without_end_refused(write, monkeypatch):
    long = "x" * 200_000
    table = open_table(write(f'{long},b\n"{long}",1 \ny,2,\n'))
    assert (table.names, table.groups(long).tolist()) == ((long, "b"), [long, "y"])
    monkeypatch.setattr("seqwise.data.dialect.LONGEST", 1000)
    assert "f.csv:2: a row with a cell of more than 1,000 characters: needs" in told(write(f"a,b\n{long},1 \n2,3,\n"))


def test_returns_alone_are_refused_with_the_program_that_mends_them(write):
    message = told(write("a,b\r1,2\r3,4\r"))
    assert message.startswith(
        "f.csv: lines that end with a carriage return alone: needs line feeds. Try tr '\\r' '\\n'"
    )


def test_a_pipe_is_no_table(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert told(pipe) == "pipe: a pipe: needs a file, which can be read twice. Try writing it to a file first."


def test_a_gzipped_parquet_file_is_a_table(tmp_path):
    path = tmp_path / "f.parquet.gz"
    polars.DataFrame(FRAME).write_parquet(tmp_path / "f.parquet")
    path.write_bytes(gzip.compress((tmp_path / "f.parquet").read_bytes()))
    table = open_table(path)
    assert (table.names, table.rows, table.column("x").values.tolist()) == (tuple(FRAME), 4, [1.5, -2e-3, 4])


def test_spaces_around_numbers_do_not_matter(write):
    assert open_table(write("a; b\n 1 ;2 \n+3;  4e2\n")).values().tolist() == [[1, 2], [3, 400]]


def test_marks_are_missing_numbers(write):
    texts = ["1", "", "NA", "n/a", "NaN", "null", "#N/A", "-", ".", "?", "none"]
    path = write('a,b\n"' + '",0\n"'.join(texts) + '",0\n')
    assert open_table(path).column("a").missing == len(texts) - 1
    assert "Try mending it, or --marks x where" in told(write("a,b\n1,1\nx,2\n3,3\n"))
    assert open_table(write("a,b\n1,1\nx,2\n"), ColumnSettings(marks=("x",))).column("a").missing == 1


@pytest.mark.parametrize(
    ("texts", "settings", "values"),
    [
        (["1,234.5", "12", "-1,234,567"], {"thousands": ","}, [1234.5, 12, -1234567]),
        (["1.234,5", "0,25"], {"thousands": ".", "decimal": ","}, [1234.5, 0.25]),
        (["1 234,5"], {"thousands": " ", "decimal": ","}, [1234.5]),
        (["1'234.5"], {"thousands": "'"}, [1234.5]),
        (["3,14", "-0,5"], {"decimal": ","}, [3.14, -0.5]),
    ],
)
def test_separators_are_read_where_a_flag_says_so(texts, settings, values):
    found, bad = numbers(polars.Series(texts), ColumnSettings(**settings))
    assert (found.tolist(), bad) == (values, None)


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("1,23", {"thousands": ","}),
        ("12,34,567", {"thousands": ","}),
        ("1.234", {"decimal": ","}),
        ("1.5", {"thousands": ".", "decimal": ","}),
        ("1,2,3", {"decimal": ","}),
        ("1_000", {}),
        ("0x10", {}),
        ("1,234", {}),
        ("12%", {}),
    ],
)
def test_numbers_with_other_separators_are_none(text, settings):
    assert numbers(polars.Series(["1", text]), ColumnSettings(**settings))[1] == 1


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a,b\n1,2\n3,x\n4,5\n", "f.csv:3: 'x' in column \"b\": needs a number. Try mending it, or --marks x"),
        ('a,b\n1,"1,234.5"\n', "f.csv:2: '1,234.5' in column \"b\": needs a number. Try --thousands ,."),
        ('a,b\n1,"1,234"\n', "Try --thousands , where it is above a thousand, or --decimal , where it is not."),
        ("a;b\n1;0,5\n", "f.csv:2: '0,5' in column \"b\": needs a number. Try --decimal ,."),
        ("a;b\n1;1.234,5\n", 'Try --thousands "." --decimal ,.'),
        ("a,b\n1,2\n3,4,5\n6,7\n", "f.csv:3: 3 cells, '5' the first beyond the last: needs 2"),
        ("1,2\n3,4\n", "f.csv:1: a first line of numbers, '1,2': needs the names of the columns"),
        ("2019,2020\n2021,2022\n", "f.csv:1: a first line of numbers, '2019,2020'"),
        ("2019,2019\n3,4\n", "f.csv:1: a first line of numbers, '2019,2019'"),
        ("a,a\n3,4\n", 'f.csv:1: two columns "a"'),
        ("a,b\n1,2\n3,x\ry\n", "f.csv:3: a row that is no CSV (a carriage return outside quotes)"),
        ("a,b\n", "f.csv: no row but the names of the columns"),
        ("", "f.csv: an empty file"),
        ("\n\n", "f.csv: an empty file"),
        ('a,b\n1,"2\n3,4\n', "f.csv:2: a row with a quoted cell that does not end"),
        (b"a,b\n1,caf\xe9\n", "f.csv:2: byte 0xe9 after '1,caf': needs utf-8. Try --encoding latin-1, which fits."),
        ("a,b\nx,y\n", "f.csv: no column of numbers among a, b: needs one at least"),
        ("a,b\n1,2\n".encode("utf-16"), "f.csv: text in utf-16: needs utf-8. Try --encoding utf-16."),
        (b"PK\x03\x04 and more", "f.csv: a zip archive or an office document: needs text"),
        (b"PAR1\x15 and more", "f.csv: no readable Parquet"),
    ],
)
def test_what_cannot_be_read_is_one_line(write, text, fault):
    assert fault in told(write(text))


def test_columns_that_are_not_there_or_hold_text_are_refused(write):
    path = write("name,price\na,1\nb,2\n")
    assert told(path, "prise") == (
        'f.csv: no column "prise" among name, price: needs a column of the file. Try the column price.'
    )
    assert told(path, "name") == "f.csv:2: column \"name\" of text, 'a': needs a column of numbers. Try price."


def test_objects_are_refused_with_their_line(write):
    path = write('{"a": 1}\n{"a": "x"}\n{"a": 3}\n', "f.jsonl")
    assert told(path, "a").startswith("f.jsonl:2: 'x' in column \"a\": needs a number.")
    broken = write('{"a": 1}\n{"a": \n', "f.jsonl")
    assert told(broken).startswith("f.jsonl:2: no JSON")
    assert "on-bad-row" not in told(broken)


def test_entries_of_objects_are_columns_with_a_dot(write):
    table = open_table(write('{"at": {"x": 1, "y": "p"}}\n{"at": {"x": 2.5}}\n', "f.jsonl"))
    assert table.names == ("at.x", "at.y")
    assert table.column("at.x").values.tolist() == [1, 2.5]


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"thousands": ",", "decimal": ","}, "--thousands , with --decimal ,"),
        ({"thousands": "5"}, "one mark that is no digit"),
        ({"delimiter": '"'}, "one character of ASCII that is no quote"),
        ({"encoding": "utf8000"}, "an encoding that Python knows"),
    ],
)
def test_settings_that_contradict_themselves_are_refused(write, settings, fault):
    assert fault in told(write("a\n1\n"), **settings)
