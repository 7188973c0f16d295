import csv
import json
from collections.abc import Callable
from pathlib import Path

import polars
import pytest

from seqwise.data import dialect
from seqwise.data.text import TextSettings, read_column, read_labelled
from seqwise.errors import DataError


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    """Files are named without a folder, as a user in that folder names them."""
    monkeypatch.chdir(tmp_path)


def put(name: str, content: str) -> str:
    Path(name).write_bytes(content.encode())
    return name


def rows(name: str, on_note: Callable[[str], None] | None = None, **chosen: str) -> list[tuple[str, str]]:
    found = read_labelled(name, TextSettings(**chosen), on_note, learnt=True)
    return list(zip(found.texts, found.labels, strict=True))


def told(read: Callable[[], object]) -> str:
    with pytest.raises(DataError) as caught:
        read()
    return str(caught.value)


# --- too many cells ---


def test_a_row_with_more_cells_than_the_first_is_skipped_where_that_is_asked_for():
    name = put("a.csv", 'text,label\nI like it, really,pos\n"good", "pos"\n, "pos"\nbad,neg\nfine,pos,\n')
    found = read_labelled(name, TextSettings(on_bad_row="skip"))
    assert (found.texts, found.labels) == (("bad", "fine"), ("neg", "pos"))
    assert [fault.where for fault in found.skipped] == ["a.csv:2", "a.csv:3", "a.csv:4"]
    name = put("a.tsv", "good\tpos\nI like it\treally\tpos\nbad\tneg\t \n")
    assert rows(name, on_bad_row="skip") == [("good", "pos"), ("bad", "neg")]


def test_a_space_and_quotes_within_quotes_are_text():
    """Oracle: the writer of csv."""
    texts = [(' "Yes."', "pos"), ('He said, "no"', "neg"), (' "Well", he said', "neg")]
    with open("a.csv", "w", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *texts])
    assert rows("a.csv") == [(text.strip(), label) for text, label in texts]


# --- quotes between tabs ---


def test_quotes_between_tabs_quote_where_the_first_row_has_them_around_every_cell():
    """Oracles: the writers of csv and polars."""
    texts = [('"Yes", he\tsaid', "pos"), ("no\nmore", "neg")]
    with open("a.tsv", "w", newline="") as file:
        csv.writer(file, "excel-tab", quoting=csv.QUOTE_ALL).writerows([("text", "label"), *texts])
    assert rows("a.tsv") == texts
    frame = polars.DataFrame(texts, ["text", "label"], orient="row")
    frame.write_csv("b.tsv", separator="\t", quote_style="non_numeric")
    assert rows("b.tsv") == texts
    assert rows(put("c.tsv", '"text"\t"n"\n"good"\t1\n"bad"\t0\n'), label="n") == [("good", "1"), ("bad", "0")]


def test_quotes_between_tabs_quote_where_no_other_reading_is_even():
    """Oracle: the writer of csv, which quotes what needs it."""
    for texts in ([("a\tb", "pos"), ("c", "neg")], [('"Yes"', "pos"), ("c", "neg")], [("a\nb", "pos"), ("c", "neg")]):
        with open("a.tsv", "w", newline="") as file:
            csv.writer(file, "excel-tab").writerows([("text", "label"), *texts])
        assert rows("a.tsv") == texts


@pytest.mark.parametrize(
    "content",
    [
        '"Hi there\t1\nBye\t2\nok "x"\t3\nz"\t4\nq\t5\n',
        'text\tlabel\n"Hi\t1\nBye"\t2\n',
        '"Hi."\t1\n"Bye\t2\nq"\t3\n""\t4\n',
        'one "two"\t1\n"three"\t2\n""quoted""\t3\n',
        'a "\t1\n' + "b\t2\n" * 30_000,
    ],
)
def test_quotes_between_tabs_are_characters_elsewhere(content):
    plain = [tuple(line.split("\t")) for line in content.splitlines() if line != "text\tlabel"]
    assert rows(put("a.tsv", content)) == plain


def test_what_r_writes_with_other_escapes_is_refused_and_not_learnt():
    name = put("a.tsv", '"text"\t"label"\n"he said \\"hi\\""\t"pos"\n')
    assert told(lambda: rows(name)).startswith("a.tsv:2: a row that is no CSV")


def test_the_end_of_the_head_may_stand_within_quotes(monkeypatch):
    monkeypatch.setattr(dialect, "HEAD", 30)
    name = put("a.tsv", '"text"\t"label"\n"good"\t"pos"\n"one\ntwo\nthree"\t"neg"\n')
    assert rows(name) == [("good", "pos"), ("one\ntwo\nthree", "neg")]


# --- what stands between cells ---


def test_the_usual_names_make_a_header_in_whatever_case():
    """As Excel and people write them; a row of them that counted would be a label of its own."""
    heard: list[str] = []
    name = put("a.csv", "Id;LABEL;Text\n1;pos;good\n2;neg;bad\n")
    assert rows(name, heard.append) == [("good", "pos"), ("bad", "neg")]
    assert heard == ["a.csv: columns between semicolons"]
    twice = put("b.csv", "Text,TEXT,Label\n1,good,pos\n")
    assert len(rows(twice, heard.append)) == 2


def test_a_first_row_that_seems_to_name_the_columns_is_no_row_unasked():
    """Otherwise the name of the column of labels would be a label, which a model learns and never says."""
    body = "".join(f"film {i} was long;{('pos', 'neg')[i % 2]}\n" for i in range(20))
    name = put("a.csv", "review text;stance\n" + body)
    assert told(lambda: rows(name)) == (
        "a.csv:1: 'review text' and 'stance', a label that no other row has: needs to be told whether this row is a "
        "header. Try --data.text NAME --data.label NAME if these are names of columns, "
        "or --data.text 1 --data.label 2 if not."
    )
    assert len(rows(name, text="review text", label="stance")) == 20
    signs = put("g.csv", "Review (en);class/label\n" + body)
    assert "a label that no other row has" in told(lambda: rows(signs))
    assert len(read_labelled(name, TextSettings())) == 21, "who knows the labels refuses others by themselves"
    assert rows(name, text="1", label="2")[0] == ("review text", "stance")
    several = put("b.csv", body), put("c.csv", "review;pos\n" + body), put("d.csv", "So long, and dull.;rare\n" + body)
    assert [len(rows(one)) for one in several] == [20, 21, 21], "a label of other rows and a sentence name nothing"
    few = put("e.tsv", "two two\ty\n"), put("f.tsv", "so bad\tneg\n" + "good film\tpos\n" * 9)
    assert [len(rows(one)) for one in few] == [1, 10], "few rows tell nothing of their first"


def test_the_first_rows_tell_the_delimiter():
    heard: list[str] = []
    name = put("a.csv", "Satz;Klasse\nGut, sehr gut;pos\nschlecht;neg\n")
    assert rows(name, heard.append, text="Satz", label="Klasse") == [("Gut, sehr gut", "pos"), ("schlecht", "neg")]
    assert heard == ["a.csv: columns between semicolons"]
    assert rows(name, heard.append)[1] == ("Gut, sehr gut", "pos")
    assert heard[-1] == "a.csv: columns 1 and 2 of 2, without a header: 'Satz', 'Klasse'"
    assert told(lambda: rows(name, text="Saz", label="Klasse")).endswith(
        'no column "Saz" among Satz, Klasse: needs a column of the first row. '
        "Try --data.text Satz, or --data.text 1 --data.label 2 where the file has no header."
    )
    assert rows(put("a.csv", "Gut, sehr gut;pos\nNein, danke;neg\n")) == [
        ("Gut, sehr gut", "pos"),
        ("Nein, danke", "neg"),
    ]
    assert rows(put("a.csv", "good|pos\nbad, really|neg\n")) == [("good", "pos"), ("bad, really", "neg")]
    assert rows(put("a.csv", "text\tlabel\ngood, yes\tpos\n")) == [("good, yes", "pos")]


def test_a_comma_is_meant_where_nothing_tells():
    assert rows(put("a.csv", "One; two; three,pos\nno,neg\n")) == [("One; two; three", "pos"), ("no", "neg")]
    assert rows(put("a.csv", "Well; no,neg\n")) == [("Well; no", "neg")]


def test_the_line_by_which_excel_tells_its_delimiter_is_no_row():
    name = put("a.csv", "\ufeffsep=;\r\ntext;label\r\ngood, yes;pos\r\n")
    assert rows(name) == [("good, yes", "pos")]
    assert read_labelled(name, TextSettings()).where(0) == "a.csv:3"


# --- which columns ---


def test_columns_are_counted_from_one():
    name = put("a.tsv", "good\tpos\tAnn\n")
    assert told(lambda: read_column(name, "0")) == ("a.tsv: --column 0: needs columns counted from 1. Try --column 1.")
    for chosen in (TextSettings(), TextSettings(text="1", label="2")):
        assert told(lambda chosen=chosen: read_labelled(name, chosen, group_by="0")) == (
            "a.tsv: --data.group-by 0: needs columns counted from 1. Try --data.group-by 1."
        )


def test_a_column_may_be_called_nought():
    assert read_labelled(put("a.csv", "text,label,0\ngood,pos,x\n"), TextSettings(), group_by="0").groups == ("x",)


def test_a_name_that_stands_twice_is_refused_where_it_is_wanted():
    name = put("a.csv", "text,label,note,note\ngood,pos,x,y\n")
    assert rows(name) == [("good", "pos")]
    assert told(lambda: read_column(name, "note")).startswith('a.csv:1: two columns "note": needs a name of its own')


@pytest.mark.parametrize("ending", ["tsv", "csv"])
def test_a_blank_line_within_a_single_column_is_an_empty_text(ending):
    name = put(f"a.{ending}", "\ntext\na\n\n  \nb\n\n")
    assert read_column(name, "text").sources == ("a", "", "", "b")
    assert read_column(put(f"a.{ending}", "a\r\n\r\nb\r\n"), "1").sources == ("a", "", "b")
    several = put(f"b.{ending}", "text,n\na,1\n\nb,2\n".replace(",", "\t" if ending == "tsv" else ","))
    assert read_column(several, "text").sources == ("a", "b")


def test_an_empty_cell_in_quotes_is_a_row_wherever_it_stands():
    """Oracle: the writer of polars."""
    texts = ("a", "", "b", "")
    polars.DataFrame({"text": texts}).write_csv("a.csv")
    assert read_column("a.csv", "text").sources == texts


def test_cells_may_be_long_but_not_without_end(monkeypatch):
    long = "x" * 200_000
    name = put("a.csv", f'text,label\n"{long}",pos\nbad,neg\n')
    assert rows(name) == [(long, "pos"), ("bad", "neg")]
    monkeypatch.setattr(dialect, "LONGEST", 1000)
    assert told(lambda: rows(name, on_bad_row="skip")) == (
        'a.csv:2: a row with a cell of more than 1,000 characters: needs a closing " before a comma or a new line. '
        'Try writing a " within a cell as "".'
    )


def test_a_header_in_capitals_names_the_group_too():
    """As the file writes it, or in lower case like the rest."""
    name = put("a.csv", "Text,Label,Group\ngood,pos,x\nbad,neg,y\n")
    for group in ("Group", "group"):
        found = read_labelled(name, TextSettings(), group_by=group)
        assert (found.texts, found.groups) == (("good", "bad"), ("x", "y"))


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_sentences_of_either_of_two_columns_are_all_read(tmp_path, ending):
    """Only what is written may be a choice of texts."""
    columns, place = {"a": ["s1", "s2"], "b": ["t1", "t2"]}, tmp_path / f"in.{ending}"
    if ending == "jsonl":
        place.write_text(json.dumps(columns) + "\n")
    else:
        polars.DataFrame({name: [value] for name, value in columns.items()}).write_parquet(place)
    found = read_column(place, ("a", "b"))
    assert (found.sources, found.targets) == (("s1 s2",), ("t1 t2",))
