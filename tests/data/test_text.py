import csv
import gzip
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import polars
import pytest

from seqwise.data.text import Pairs, TextSettings, read_labelled, read_lines, read_pairs
from seqwise.errors import ConfigError, DataError

DATA = Path(os.environ.get("SEQWISE_DATA", Path(__file__).resolve().parents[2] / "../shared/data"))
PARALLEL, SENTIMENT = DATA / "parallel", DATA / "sentiment"

real = pytest.mark.skipif(not PARALLEL.is_dir(), reason=f"no {PARALLEL}; set SEQWISE_DATA")


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    """Files are named without a folder, as a user in that folder names them."""
    monkeypatch.chdir(tmp_path)


def put(**files: bytes | str) -> list[str]:
    """Write files whose dots are spelled `__`; their names."""
    names = [name.replace("__", ".") for name in files]
    for name, content in zip(names, files.values(), strict=True):
        Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return names


def both(pairs: Pairs) -> list[tuple[str, str]]:
    return list(zip(pairs.sources, pairs.targets, strict=True))


def told(read: Callable[[], object], kind: type[Exception] = DataError) -> str:
    with pytest.raises(kind) as caught:
        read()
    return str(caught.value)


def test_several_tables_follow_each_other():
    names = put(a__tsv="one\tun\n", b__jsonl='{"source": "two", "target": "deux"}\n')
    pairs = read_pairs(names, TextSettings())
    assert both(pairs) == [("one", "un"), ("two", "deux")]
    assert (pairs.where(0), pairs.where(1)) == ("a.tsv:1", "b.jsonl:1")


def test_a_single_path_need_not_stand_in_a_list():
    put(a__tsv="one\tun\n")
    assert both(read_pairs("a.tsv", TextSettings())) == both(read_pairs([Path("a.tsv")], TextSettings()))


def test_the_format_can_be_named():
    names = put(a__txt="one\tun\n", b__data="two\tdeux\n")
    assert both(read_pairs(names, TextSettings(format="tsv"))) == [("one", "un"), ("two", "deux")]


def test_lines_are_read_from_a_pipe_and_tables_are_not():
    """What a shell makes of `<(zcat a.tsv.gz)`: nothing can be read twice, or hashed."""
    code = (
        "from seqwise.data.text import read_lines, read_pairs, TextSettings;"
        "print(read_lines('/dev/stdin')); read_pairs(['/dev/stdin'], TextSettings(format='tsv'))"
    )
    done = subprocess.run([sys.executable, "-c", code], input=gzip.compress(b"a\tb\n" * 2), capture_output=True)
    assert done.stdout.decode().strip() == str(["a\tb"] * 2), done.stderr
    assert b"/dev/stdin: a pipe: needs a file, which can be read twice. Try writing it to a file first." in done.stderr


# --- labels ----------------------------------------------------------------------------------------------------


def test_labels_are_read_from_every_table():
    files = put(
        a__tsv="good film\t1\nbad film\t0\n",
        b__csv='label,text\n1,"good, film"\n0,bad film\n',
        c__jsonl='{"text": "good film", "label": 1}\n{"text": "bad film", "label": "0"}\n',
    )
    polars.DataFrame({"text": ["good film", "bad film"], "label": [1, 0]}).write_parquet("d.parquet")
    for name in [*files, "d.parquet"]:
        found = read_labelled([name], TextSettings())
        assert [each.replace(",", "") for each in found.texts] == ["good film", "bad film"], name
        assert found.labels == ("1", "0"), name
    assert found.where(1) == "d.parquet:2"
    assert len(found) == 2


def test_semicolons_part_the_columns_of_csv_where_the_first_row_names_them_so():
    names = put(a__csv='\ufeffid;text;label\r\n1;"good; film, too";1\r\n2;bad, film;0\r\n')
    told: list[str] = []
    found = read_labelled(names, TextSettings(), told.append)
    assert (found.texts, found.labels) == (("good; film, too", "bad, film"), ("1", "0"))
    assert told == ["a.csv: columns between semicolons"]
    with pytest.raises(DataError, match=r"b\.csv:3: 1 column: needs 2 columns with a semicolon between them"):
        read_labelled(put(b__csv="text;label\ngood;1\nbad,0\n"), TextSettings())


def test_commas_part_the_columns_though_a_text_holds_semicolons_and_a_blank_line_comes_first():
    names = put(a__csv="\ntext,label,of;text;label\na;b,1,x\n", b__csv="a;b,1\nc;d,0\n")
    assert read_labelled(names, TextSettings()).texts == ("a;b", "a;b", "c;d")
    with pytest.raises(DataError, match=r"c\.csv:3: 1 column"):
        read_labelled(put(c__csv="\na,1\nb\n"), TextSettings())


def test_truth_values_are_labels():
    names = put(a__jsonl='{"text": "x", "label": true}\n')
    polars.DataFrame({"text": ["x"], "label": [True]}).write_parquet("a.parquet")
    assert read_labelled([*names, "a.parquet"], TextSettings()).labels == ("true", "true")


def test_labels_may_stand_in_a_file_of_their_own():
    found = read_labelled(put(a__txt="good\nbad\n", a__label="1\n0\n"), TextSettings())
    assert (found.texts, found.labels) == (("good", "bad"), ("1", "0"))


# --- groups ----------------------------------------------------------------------------------------------------


def test_a_further_column_comes_along_and_stays_aligned_where_rows_are_bad():
    skip = TextSettings(on_bad_row="skip")
    names = put(
        a__tsv="author\ttext\tlabel\nAnn\tgood\t1\nBob\t\t0\nBob\tbad\t0\n",
        b__csv="text,label,author\ngood,1,Ann\nbad\nbad,0, Bob \n",
        c__jsonl='{"text": "good", "label": 1, "author": "Ann"}\n{"text": 5}\n'
        '{"text": "bad", "label": 0, "author": "Bob"}\n',
    )
    polars.DataFrame(
        {"text": ["good", None, "bad"], "label": [1, 0, 0], "author": ["Ann", "Bob", "Bob"]}
    ).write_parquet("d.parquet")
    for name in [*names, "d.parquet"]:
        found = read_labelled([name], skip, group_by="author")
        assert (found.texts, found.groups, len(found.skipped)) == (("good", "bad"), ("Ann", "Bob"), 1), name
        assert found.select([1]).groups == ("Bob",)
        assert read_labelled([name], skip, group_by=None).groups == ()
    pairs = read_pairs(put(e__jsonl='{"source": ["a", "b"], "target": ["x", "y"], "n": 7}\n'), skip, group_by="n")
    assert (pairs.sources, pairs.references, pairs.groups) == (("a b",), (("x", "y"),), ("7",))
    assert pairs.select([0]).groups == ("7",)


def test_groups_are_counted_where_there_is_no_header():
    name = put(a__tsv="good\t1\tAnn\nbad\t0\tBob\n")
    assert read_labelled(name, TextSettings(), group_by="3").groups == ("Ann", "Bob")
    chosen = TextSettings(text="1", label="2")
    assert read_labelled(name, chosen, group_by="3").groups == ("Ann", "Bob")
    assert told(lambda: read_labelled(name, TextSettings(), group_by="author")).count('no column "') == 3
    assert "--data.group-by" in told(lambda: read_labelled(name, TextSettings(), group_by=""))


def test_what_has_no_columns_has_no_groups():
    files = put(a__en="one\n", a__fr="un\n")
    assert told(lambda: read_pairs(files, TextSettings(), group_by="author")) == (
        "a.en: --data.group-by author for plain files: needs a table with columns. Try leaving it out."
    )
    tmx = '<tmx version="1.4"><body></body></tmx>'
    assert "for a translation memory" in told(lambda: read_pairs(put(a__tmx=tmx), TextSettings(), group_by="x"))


# --- what is wrong, in one line --------------------------------------------------------------------------------

GZIP = gzip.compress(b"one\tun\n" * 1000)
SKIP = "or --on-bad-row skip"
TWO = "two plain files, whose lines belong together, or tables such as TSV"
MISSING = "needs a column of the first row. Try"
NUMBERS = "or --data.source 1 --data.target 2 where the file has no header"
PDF = b"%PDF-1.7\n"

FAULTS: dict[str, tuple[dict[str, bytes | str], dict[str, object], str]] = {
    "too few columns": (
        {"a__tsv": "one\tun\ntwo\n"},
        {},
        f"a.tsv:2: 1 column: needs 2 columns with a tab between them. Try mending it, {SKIP}.",
    ),
    "too few columns for a number": (
        {"a__csv": "one,un\n"},
        {"source": "1", "target": "3"},
        f"a.csv:1: 2 columns: needs 3 columns with a comma between them. Try mending it, {SKIP}.",
    ),
    "more columns than the first row": (
        {"a__csv": "source,target\none,un\nwell, yes,oui\n"},
        {},
        "a.csv:3: 3 columns, 'oui' the first beyond the last: needs 2, as many as in the first row. "
        f"Try quotes around a cell that holds a comma, {SKIP}.",
    ),
    "more columns in a TSV without header": (
        {"a__tsv": "one\tun\ntwo\ttoo\tdeux\n"},
        {},
        "a.tsv:2: 3 columns, 'deux' the first beyond the last: needs 2, as many as in the first row. "
        f"Try no tab within a cell, {SKIP}.",
    ),
    "more columns, as a space stands before a quote": (
        {"a__csv": 'source,target\n"one", "un, deux"\n'},
        {},
        "a.csv:2: 3 columns, ' deux\"' the first beyond the last: needs 2, as many as in the first row. "
        f"Try no space between a comma and a quote, {SKIP}.",
    ),
    "a space before a quote": (
        {"a__csv": 'source,target\n"one", "un"\n'},
        {},
        "a.csv:2: a space before the quote of '\"un\"': needs a quote right behind the comma. "
        f"Try removing the space, {SKIP}.",
    ),
    "a space before a quote in the first row": (
        {"a__csv": '"source", "target"\n"one", "un"\n'},
        {"on_bad_row": "skip"},
        "a.csv:1: a space before the quote of '\"target\"': needs a quote right behind the comma. "
        "Try removing the space.",
    ),
    "a column that stands twice": (
        {"a__csv": "source,target,target\none,un,deux\n"},
        {},
        'a.csv:1: two columns "target": needs a name of its own for each column. Try another name.',
    ),
    "returns alone": (
        {"a__en": "one\rtwo\r", "a__fr": "un\rdeux\r"},
        {},
        "a.en: lines that end with a carriage return alone: needs line feeds. Try tr '\\r' '\\n' < a.en > a.en.lf.",
    ),
    "UTF-16 in Cyrillic without a mark": (
        {"a__tsv": "один\tдва\nтри слова\tчетыре\n".encode("utf-16-le") * 9},
        {},
        "a.tsv: what looks like UTF-16: needs utf-8. Try --data.encoding utf-16-le.",
    ),
    "text after a quote": (
        {"a__csv": 'one,un\n"two" 2,deux\n'},
        {},
        "a.csv:2: a row that is no CSV (',' expected after '\"'): needs cells as in RFC 4180. "
        f'Try writing a " as "", {SKIP}.',
    ),
    "text after a quote that runs on": (
        {"a__csv": 'one,un\n"two\n2" 2,deux\n'},
        {},
        "a.csv:2: a row up to line 3 that is no CSV (',' expected after '\"'): needs cells as in RFC 4180. "
        f'Try writing a " as "", {SKIP}.',
    ),
    "a quote that does not end": (
        {"a__csv": 'one,un\n"two,deux\nthree,trois\n'},
        {"on_bad_row": "skip"},
        'a.csv:2: a quoted cell that does not end: needs a closing " before a comma or a new line. '
        'Try writing a " within a cell as "".',
    ),
    "a quote that does not end for long": (
        {"a__csv": '"one,un\n' + "two,deux\n" * 20_000},
        {},
        'a.csv:1: a quoted cell that does not end: needs a closing " before a comma or a new line. '
        'Try writing a " within a cell as "".',
    ),
    "no JSON": (
        {"a__jsonl": '{"source": "a", "target": "b"}\n{"source": }\n'},
        {},
        f"a.jsonl:2: no JSON (Expecting value, column 12): needs an object in each line. Try mending it, {SKIP}.",
    ),
    "a JSON list": (
        {"a__json": "[\n{}\n]\n"},
        {},
        f"a.json:1: no JSON (Expecting value, column 2): needs an object in each line. Try jq -c '.[]' a.json, {SKIP}.",
    ),
    "a JSON list on one line": (
        {"a__json": '[{"source": "a", "target": "b"}]\n'},
        {},
        """a.json:1: JSON that is no object, '[{"source": "a", "target": "b"}]': needs an object in each line. """
        f"Try jq -c '.[]' a.json, {SKIP}.",
    ),
    "JSON nested without end": (
        {"a__jsonl": "[" * 100_000},
        {},
        "a.jsonl:1: no JSON (nested too deeply, or a number too long): "
        f"needs an object in each line. Try jq -c '.[]' a.jsonl, {SKIP}.",
    ),
    "JSON that is no object": (
        {"a__jsonl": '"one"\n'},
        {},
        f"a.jsonl:1: JSON that is no object, '\"one\"': needs an object in each line. Try mending it, {SKIP}.",
    ),
    "JSON without the column": (
        {"a__jsonl": '{"id": 1, "translation": {"en": "one", "fr": "un"}}\n'},
        {"source": "translaton.en", "target": "translation.fr"},
        'a.jsonl:1: no "translaton.en" among id, translation.en, translation.fr: '
        f'needs "translaton.en" in every row. Try --data.source translation.en, {SKIP}.',
    ),
    "JSON of another type": (
        {"a__jsonl": '{"source": "one", "target": [1]}\n'},
        {},
        f"a.jsonl:1: \"target\": '[1]': needs text in quotes. Try mending it, {SKIP}.",
    ),
    "half of a surrogate pair": (
        {"a__jsonl": '{"source": "one", "target": "\\ud83d"}\n'},
        {},
        f"a.jsonl:1: half of a surrogate pair: needs both halves, as in \\ud83d\\ude00. Try mending it, {SKIP}.",
    ),
    "a NUL byte": (
        {"a__tsv": b"one\tun\ntwo\tde\0ux\n"},
        {},
        f"a.tsv:2: a NUL byte: needs text. Try tr -d '\\000' < a.tsv, {SKIP}.",
    ),
    "a NUL in JSON": (
        {"a__jsonl": '{"source": "\\u0000", "target": "un"}\n'},
        {},
        f"a.jsonl:1: a NUL: needs text. Try writing it without \\u0000, {SKIP}.",
    ),
    "no good row at all": (
        {"a__tsv": "one\ntwo\n"},
        {"on_bad_row": "skip"},
        "a.tsv:1: 1 column, the first of 2 rows, which are all bad: needs 2 columns with a tab between them. "
        "Try mending it.",
    ),
    "only a header": (
        {"a__tsv": "source\ttarget\n\n"},
        {},
        "a.tsv: no row but a header or blank lines: needs one row at least. Try the right file.",
    ),
    "a missing column": (
        {"a__tsv": "id\tsplit\ten\tfr\n7\ttrain\tone\tun\n"},
        {"source": "en", "target": "frr"},
        f'a.tsv:1: no column "frr" among id, split, en, fr: {MISSING} --data.target fr, {NUMBERS}.',
    ),
    "a missing column that has one stead": (
        {"a__tsv": "sentence\ttarget\none\tun\n"},
        {},
        f'a.tsv:1: no column "source" among sentence, target: {MISSING} --data.source sentence, {NUMBERS}.',
    ),
    "a missing column that is like none": (
        {"a__csv": "id,split,en,fr\n"},
        {"source": "en", "target": "deutsch"},
        f'a.csv:1: no column "deutsch" among id, split, en, fr: {MISSING} --data.target with one of them, {NUMBERS}.',
    ),
    "a header cut otherwise": (
        {"a__tsv": "en,fr\none,un\n"},
        {"source": "en", "target": "fr"},
        "2 faults:\n"
        f'  a.tsv:1: no column "en" among en,fr: {MISSING} columns with a tab between them.\n'
        f'  a.tsv:1: no column "fr" among en,fr: {MISSING} columns with a tab between them.',
    ),
    "unequal line counts": (
        {"a__en": "one\ntwo\nthree\n", "a__fr": "un\ndeux"},
        {},
        "lines: 3 in a.en, 2 in a.fr: needs as many lines in both. "
        "Try files that belong together, or finding the line where they part.",
    ),
    "unequal line counts the other way": (
        {"a__en": "one\n", "a__fr": "un\ndeux\n\n"},
        {"on_bad_row": "skip"},
        "lines: 1 in a.en, 3 in a.fr: needs as many lines in both. "
        "Try files that belong together, or finding the line where they part.",
    ),
    "an empty file": (
        {"a__en": "", "a__fr": "un\n"},
        {},
        "a.en: an empty file: needs one row at least. Try the right file, or writing this one again.",
    ),
    "an empty gzip file": (
        {"a__tsv__gz": gzip.compress(b"")},
        {},
        "a.tsv.gz: an empty file: needs one row at least. Try the right file, or writing this one again.",
    ),
    "an empty Parquet file": (
        {"a__parquet": ""},
        {},
        "a.parquet: an empty file: needs one row at least. Try the right file, or writing this one again.",
    ),
    "one plain file": (
        {"train__en__gz": gzip.compress(b"one\n"), "train__fr__gz": GZIP},
        {"_paths": ["train.en.gz"]},
        f"train.en.gz: one plain file: needs {TWO}. Try train.en.gz train.fr.gz.",
    ),
    "one plain file alone": (
        {"train__en": "one\n"},
        {},
        f"train.en: one plain file: needs {TWO}. Try train.en and the file in the other language.",
    ),
    "one plain file with tabs": (
        {"fra__txt": "Go.\tVa !\n"},
        {},
        f"fra.txt: one plain file: needs {TWO}. Try --data.format tsv, as its first line has a tab.",
    ),
    "three files": (
        {"a__en": "one\n", "a__fr": "un\n", "a__de": "eins\n"},
        {},
        f"3 plain files (a.en, a.fr, a.de): needs {TWO}. Try joining the parts of each side with cat.",
    ),
    "a plain file with a table": (
        {"a__en": "one\n", "a__tsv": "un\n"},
        {},
        f"plain a.en with tables: needs {TWO}. Try --data.format, or one kind of file only.",
    ),
    "no file": ({}, {}, f"no file: needs {TWO}. Try a.en a.fr."),
    "the same file twice": (
        {"a__en": "one\n"},
        {"_paths": ["a.en", "a.en"]},
        "a.en: the same file twice: needs each file once. Try the file that was meant.",
    ),
    "the same file by another name": (
        {"a__en": "one\n"},
        {"_paths": ["a.en", "./a.en"]},
        "./a.en: the same file as a.en: needs each file once. Try the file that was meant.",
    ),
    "missing files": (
        {"train__en": "one\n", "train__fr": "un\n"},
        {"_paths": ["trian.en", "nowhere/train.fr"]},
        "2 faults:\n"
        "  trian.en: no such file: needs a file that exists. Try train.en.\n"
        "  nowhere/train.fr: no folder nowhere: needs a file that exists. Try another path.",
    ),
    "a missing file that is like none": (
        {"train__en": "one\n"},
        {"_paths": ["x.tsv"]},
        "x.tsv: no such file: needs a file that exists. Try a file that stands in /",
    ),
    "a truncated gzip file": (
        {"a__tsv__gz": GZIP[:-12]},
        {"on_bad_row": "skip"},
        "a.tsv.gz: a gzip file that ends too early: needs a whole file. Try copying it again.",
    ),
    "a damaged gzip file": (
        {"a__tsv__gz": GZIP[:-8] + bytes(8)},
        {},
        "a.tsv.gz: a damaged gzip file (crc check failed",
    ),
    "a zip archive": (
        {"a__tsv": b"PK\x03\x04" + bytes(range(256))},
        {},
        "a.tsv: a zip archive or an office document: needs text. Try unpacking it, or saving it as CSV.",
    ),
    "a PDF document": (
        {"a__en": PDF, "a__fr": "un\n"},
        {},
        "a.en: a PDF document: needs text. Try saving it as text.",
    ),
    "a binary file": (
        {"a__tsv": bytes(range(256)) * 20},
        {"encoding": "latin-1"},
        "a.tsv: bytes that are no text: needs text. Try the right file.",
    ),
    "a Parquet file as text": (
        {"a__tsv": b"PAR1\x15\x04\x15"},
        {},
        "a.tsv: a Parquet file: needs text. Try --data.format parquet.",
    ),
    "UTF-16": (
        {"a__tsv": "one\tun\n".encode("utf-16")},
        {},
        "a.tsv: text in utf-16: needs utf-8. Try --data.encoding utf-16.",
    ),
    "UTF-16 without a mark": (
        {"a__tsv": "one\tun\n".encode("utf-16-be")},
        {},
        "a.tsv: what looks like UTF-16: needs utf-8. Try --data.encoding utf-16-be.",
    ),
    "half of UTF-16": (
        {"a__tsv": "one\tun\ntwo\tdeux\n".encode("utf-16")[:-1]},
        {"encoding": "utf-16"},
        "a.tsv:2: byte 0x0a: needs utf-16. Try the encoding that it was written in.",
    ),
    "Latin-1": (
        {"a__txt": "plain@neutral\r\nSepp\xe4l\xe4 grows@positive\r\n".encode("latin-1"), "a__fr": "un\ndeux"},
        {"on_bad_row": "stop"},
        "a.txt:2: byte 0xe4 after 'Sepp': needs utf-8. Try --data.encoding latin-1, which fits.",
    ),
    "Windows": (
        {"a__tsv": "It’s a long caf\xe9\tun\n".encode("cp1252")},
        {},
        "a.tsv:1: byte 0x92 after 'It': needs utf-8. Try --data.encoding cp1252, which fits.",
    ),
    "another script": (
        {"a__tsv": "доброе утро\tgood morning\n".encode("cp1251")},
        {},
        "a.tsv:1: byte 0xe4: needs utf-8. "
        "Try --data.encoding NAME, with the name of the right one: cp1251, gb18030, shift_jis.",
    ),
    "UTF-8 as ASCII": (
        {"a__tsv": "café\tun\n"},
        {"encoding": "ascii"},
        "a.tsv:1: byte 0xc3 after 'caf': needs ascii. Try --data.encoding utf-8.",
    ),
    "one damaged line of UTF-8": (
        {"a__tsv": "café\tun\n".encode() * 9 + b"caf\xc3\tun\n"},
        {},
        "a.tsv:10: byte 0xc3 after 'caf': needs utf-8. "
        "Try mending it, as other lines are in utf-8, or --on-bad-row skip.",
    ),
    "no Parquet": (
        {"a__parquet": "source,target\none,un\n"},
        {},
        "a.parquet: no readable Parquet (",
    ),
}


@pytest.mark.parametrize("kind", FAULTS)
def test_a_bad_file_is_named_with_what_was_given_what_is_allowed_and_how_to_mend_it(kind):
    files, chosen, message = FAULTS[kind]
    names = put(**files)
    paths = chosen.get("_paths", names)
    known = {name: value for name, value in chosen.items() if not name.startswith("_")}
    found = told(lambda: read_pairs(paths, TextSettings(**known)))
    assert found == message if message.endswith(".") else found.startswith(message)
    assert "Try " in found


def test_a_folder_is_no_file():
    Path("corpus").mkdir()
    Path("corpus/train.en").touch()
    message = told(lambda: read_pairs(["corpus", "other"], TextSettings()))
    assert "  corpus: a folder: needs a file. Try corpus/train.en." in message


def test_a_file_that_may_not_be_read_is_named(tmp_path):
    (tmp_path / "a").write_text("one")
    assert told(lambda: read_pairs(["a/b.tsv"], TextSettings())).startswith("a/b.tsv: no folder a: needs")
    long = "x" * 300
    assert told(lambda: read_pairs([long], TextSettings())).startswith(f"{long}: file name too long: needs")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("x\t\n", "a.tsv:1: an empty label: needs a text and a label in every row. Try mending it, "),
        ("\t1\n", "a.tsv:1: an empty text: needs a text and a label in every row. Try mending it, "),
        (
            "one\tlabel\n",
            'a.tsv:1: no column "text" among one, label: needs a column of the first row. Try --data.text',
        ),
    ],
)
def test_a_bad_label_is_named(content, message):
    assert told(lambda: read_labelled(put(a__tsv=content), TextSettings())).startswith(message)


def test_a_label_of_another_type_is_named():
    names = put(a__jsonl='{"text": "x", "label": 0.5}\n')
    allowed = "needs text in quotes or a whole number"
    assert told(lambda: read_labelled(names, TextSettings())).startswith(f"a.jsonl:1: \"label\": '0.5': {allowed}")


def test_a_translation_memory_has_no_labels():
    names = put(a__tmx="<tmx/>")
    assert told(lambda: read_labelled(names, TextSettings())) == (
        "a.tmx: a translation memory: needs texts with labels. Try a TSV, CSV, JSONL or Parquet file."
    )


def test_bad_rows_are_skipped_counted_and_told_where_the_user_wants():
    heard: list[str] = []
    names = put(a__tsv=b"one\tun\ntwo\nthr\xe9e\ttrois\nfour\tqua\0tre\nfive\tcinq\n")
    pairs = read_pairs(names, TextSettings(on_bad_row="skip"), heard.append)
    assert both(pairs) == [("one", "un"), ("five", "cinq")]
    assert pairs.where(1) == "a.tsv:5"
    assert [fault.where for fault in pairs.skipped] == ["a.tsv:2", "a.tsv:3", "a.tsv:4"]
    assert heard[-1].startswith("a.tsv: 3 bad rows skipped, the first: a.tsv:2: 1 column: needs 2 columns")


def test_a_line_that_cannot_be_decoded_takes_its_pair_with_it():
    names = put(a__en=b"one\ntwo\nthree\n", a__fr=b"un\nd\xe9ux\ntrois\n")
    pairs = read_pairs(names, TextSettings(on_bad_row="skip"))
    assert (both(pairs), pairs.where(1)) == ([("one", "un"), ("three", "trois")], "a.en:3")
    assert pairs.skipped[0].where == "a.fr:2"


def test_the_encoding_of_a_large_file_is_judged_where_it_goes_wrong():
    """Far behind the first piece that is decoded."""
    names = put(a__tsv=b"plain\ttext\n" * 50_000 + b"caf\xe9\ttext\n" + b"plain\ttext\n" * 50_000)
    assert told(lambda: read_pairs(names, TextSettings())).startswith("a.tsv:50001: byte 0xe9 after 'caf': needs")
    assert len(read_pairs(names, TextSettings(on_bad_row="skip"))) == 100_000


def test_plain_lines_may_be_none_but_must_be_text():
    assert read_lines(put(a="")[0]) == []
    assert told(lambda: read_lines(put(a=b"caf\xe9\n")[0])).startswith("a:1: byte 0xe9 after 'caf': needs utf-8. Try")
    assert read_lines("a", "latin-1") == ["café"]
    assert told(lambda: read_lines("b")).startswith("b: no such file: needs")


def test_settings_are_checked_before_a_file_is_opened():
    message = told(lambda: read_pairs(["a.en"], TextSettings(encoding="latin1x")), ConfigError)
    assert message == "--data.encoding latin1x: needs an encoding that Python knows. Try --data.encoding latin-1."


def test_long_contents_are_cut_in_messages_and_control_characters_do_not_reach_the_terminal():
    names = put(a__jsonl=json.dumps(["\x1b[31m" + "x" * 999]) + "\n")
    message = told(lambda: read_pairs(names, TextSettings()))
    assert "\x1b" not in message
    assert len(message) < 200


# --- real files ------------------------------------------------------------------------------------------------


@real
def test_tatoeba_is_read_as_its_bytes_say():
    """Oracle: the csv module, without quoting, and zcat's line count."""
    path = PARALLEL / "tatoeba_en-fr" / "fra.tsv.gz"
    pairs = read_pairs([path], TextSettings())
    assert len(pairs) == 161_438
    raw = io.StringIO(gzip.decompress(path.read_bytes()).decode(), newline="\n")
    expected = list(csv.reader(raw, delimiter="\t", quoting=csv.QUOTE_NONE))
    assert [list(pair) for pair in both(pairs)] == expected


@real
def test_a_translation_memory_holds_what_the_table_made_from_it_holds():
    """Oracle: the same corpus as TSV, which was made by someone else's reader, but for the kind of spaces."""
    folder = PARALLEL / "tico19_medical_en-fr"
    memory = read_pairs([folder / "all.en-fr.tmx.gz"], TextSettings())
    table = read_pairs([folder / "tico19.en-fr.tsv.gz"], TextSettings(source="en", target="fr"))
    assert len(memory) == len(table) == 3071
    for one, other in zip(both(memory), both(table), strict=True):
        assert [text.split() for text in one] == [text.split() for text in other]


@real
def test_real_labelled_files_are_read():
    polarity = read_labelled([SENTIMENT / "sst2" / "train.tsv"], TextSettings())
    assert (len(polarity), polarity.labels.count("1")) == (6920, 3610)
    finance = read_labelled(
        [SENTIMENT / "financial_phrasebank" / "sentences_50agree.utf8.tsv"],
        TextSettings(text="sentence", label="label"),
    )
    assert (len(finance), finance.labels.count("neutral")) == (4846, 2879)
    news = DATA / "summarization" / "ag_news_headlines" / "test.csv.gz"
    assert len(read_labelled([news], TextSettings(text="3", label="1"))) == 7600


@real
def test_the_real_trap_of_an_encoding_is_told():
    path = SENTIMENT / "financial_phrasebank" / "Sentences_50Agree.txt"
    assert told(lambda: read_lines(path)).endswith(f"needs utf-8. Try iconv -f latin-1 -t utf-8 {path}, which fits.")
    assert len(read_lines(path, "latin-1")) == 4846
