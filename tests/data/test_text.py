import csv
import gzip
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import polars
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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


# --- what is written is read back ------------------------------------------------------------------------------


def text(without: str) -> st.SearchStrategy[str]:
    """Any text but control characters and those that a format cannot hold; with line separators of Unicode."""
    letters = st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufeff\ufffe\uffff" + without)
    return st.text(letters | st.sampled_from("\x85\u2028\u2029\u00a0'\"\\,;<&>é東😀 "), max_size=20).map(str.strip)


def written_lines(pairs: list[tuple[str, str]], folder: Path) -> list[Path]:
    for side, name in enumerate(("a.en", "a.fr")):
        (folder / name).write_bytes("".join(pair[side] + "\n" for pair in pairs).encode())
    return [folder / "a.en", folder / "a.fr"]


def written_tsv(pairs: list[tuple[str, str]], folder: Path) -> list[Path]:
    (folder / "a.tsv").write_bytes("".join(f"{source}\t{target}\r\n" for source, target in pairs).encode())
    return [folder / "a.tsv"]


def written_csv(pairs: list[tuple[str, str]], folder: Path) -> list[Path]:
    with open(folder / "a.csv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("source", "target"), *pairs])
    return [folder / "a.csv"]


def written_csv_by_polars(pairs: list[tuple[str, str]], folder: Path) -> list[Path]:
    polars.DataFrame(pairs, ["source", "target"], orient="row").write_csv(folder / "a.csv")
    return [folder / "a.csv"]


def written_jsonl(pairs: list[tuple[str, str]], folder: Path) -> list[Path]:
    rows = [json.dumps({"target": target, "source": source}) for source, target in pairs]
    (folder / "a.jsonl").write_text("\n".join(rows))
    return [folder / "a.jsonl"]


def written_jsonl_by_polars(pairs: list[tuple[str, str]], folder: Path) -> list[Path]:
    polars.DataFrame(pairs, ["source", "target"], orient="row").write_ndjson(folder / "a.jsonl")
    return [folder / "a.jsonl"]


def written_parquet(pairs: list[tuple[str, str]], folder: Path) -> list[Path]:
    polars.DataFrame(pairs, ["source", "target"], orient="row").write_parquet(folder / "a.parquet")
    return [folder / "a.parquet"]


def written_tmx(pairs: list[tuple[str, str]], folder: Path) -> list[Path]:
    body = ElementTree.SubElement(ElementTree.Element("tmx", version="1.4"), "body")
    for pair in pairs:
        unit = ElementTree.SubElement(body, "tu")
        for language, said in zip(("en-US", "fr"), pair, strict=True):
            variant = ElementTree.SubElement(unit, "tuv", {"xml:lang": language})
            ElementTree.SubElement(variant, "seg").text = said
    ElementTree.ElementTree(body).write(folder / "a.tmx", encoding="utf-8")
    return [folder / "a.tmx"]


FORMATS = {
    written_lines: "\n",
    written_tsv: "\n\t",
    written_csv: "",
    written_csv_by_polars: "",
    written_jsonl: "",
    written_jsonl_by_polars: "",
    written_parquet: "",
    written_tmx: "\r",
}


@pytest.mark.parametrize("write", FORMATS, ids=lambda write: write.__name__)
@settings(max_examples=60, deadline=None)
@given(data=st.data(), zipped=st.booleans())
def test_pairs_come_back_from_every_format_as_they_were_written(write, data, zipped, tmp_path_factory):
    """Oracles: the writers of csv, json, polars and ElementTree."""
    word = text(without=FORMATS[write])
    pairs = data.draw(st.lists(st.tuples(word, word), min_size=1, max_size=6))
    folder = tmp_path_factory.mktemp("pairs")
    paths = write(pairs, folder)
    for path in paths if zipped else ():
        path.write_bytes(gzip.compress(path.read_bytes()))  # gzip is known by its bytes, not by the name
    assert both(read_pairs(paths, TextSettings())) == pairs


@given(st.lists(text(without="\n").map(str.rstrip)))
@settings(max_examples=60, deadline=None)
def test_plain_lines_come_back_as_they_were_written(tmp_path_factory, lines):
    path = tmp_path_factory.mktemp("lines") / "a.txt"
    path.write_bytes("".join(line + "\r\n" for line in lines).encode())
    assert read_lines(path) == lines


def test_a_quoted_cell_may_hold_line_feeds_and_the_row_is_named_by_its_first_line():
    pairs = read_pairs(put(a__csv='source,target\n"one\ntwo, ""three""",un\n\nfour,"quatre\r\ncinq"\n'), TextSettings())
    assert both(pairs) == [('one\ntwo, "three"', "un"), ("four", "quatre\r\ncinq")]
    assert [pairs.where(item) for item in range(2)] == ["a.csv:2", "a.csv:5"]


def test_a_quote_in_tsv_is_text():
    assert both(read_pairs(put(a__tsv='"Go\tVa"\n'), TextSettings())) == [('"Go', 'Va"')]


def test_only_line_feeds_end_a_line():
    said = "one\x85two\u2028three\x0bfour\x0cfive\x1csix\rseven"
    names = put(a__en=said + "\neight", a__fr="un\r\ndeux\r\n")
    assert both(read_pairs(names, TextSettings())) == [(said, "un"), ("eight", "deux")]


def test_space_around_a_text_is_dropped_and_space_within_stays():
    names = put(a__en=" one  \u00a0 two\t \n\n", a__fr="\u3000un\r\n \r\n")
    assert both(read_pairs(names, TextSettings())) == [("one  \u00a0 two", "un"), ("", "")]
    assert read_lines(put(b=" one \n\n")[0]) == [" one", ""]


def test_a_byte_order_mark_is_dropped():
    for encoding in ("utf-8-sig", "utf-16", "utf-32"):
        names = put(a__tsv="source\ttarget\né\tü\n".encode(encoding))
        chosen = encoding.removesuffix("-sig")
        assert both(read_pairs(names, TextSettings(encoding=chosen))) == [("é", "ü")], encoding


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16", "utf-16-le", "utf-32-be", "utf-8-sig"])
def test_other_encodings_are_read_where_they_are_named(encoding):
    names = put(a__tsv="Café\tKaffee\r\nnoël\tWeihnacht\r\n".encode(encoding))
    pairs = read_pairs(names, TextSettings(encoding=encoding))
    assert both(pairs) == [("Café", "Kaffee"), ("noël", "Weihnacht")]


@pytest.mark.parametrize("encoding", ["shift_jis", "gb18030", "big5"])
def test_encodings_of_two_bytes_keep_their_lines(encoding):
    names = put(a__tsv="表示\t東京\n中文\t十月\n".encode(encoding))
    assert both(read_pairs(names, TextSettings(encoding=encoding))) == [("表示", "東京"), ("中文", "十月")]


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


def test_text_is_read_from_a_pipe(tmp_path):
    """What a shell makes of `<(zcat a.tsv.gz)`: nothing can be read twice."""
    code = (
        "import sys; from seqwise.data.text import read_pairs, TextSettings as S;"
        "print(read_pairs(['/dev/stdin'], S(format='tsv')).targets)"
    )
    done = subprocess.run([sys.executable, "-c", code], input=gzip.compress(b"a\tb\n" * 2), capture_output=True)
    assert done.stdout.decode().strip() == "('b', 'b')", done.stderr


# --- which columns ---------------------------------------------------------------------------------------------

TABLE = "id\tsplit\ten\tfr\n7\ttrain\tone\tun\n"


def test_a_header_is_used_where_it_names_the_columns():
    names = put(a__tsv=TABLE)
    assert both(read_pairs(names, TextSettings(source="en", target="fr"))) == [("one", "un")]
    assert both(read_pairs(names, TextSettings(source="fr", target="en"))) == [("un", "one")]


def test_usual_names_need_not_be_given():
    assert both(read_pairs(put(a__csv="id,target,source\n7,un,one\n"), TextSettings())) == [("one", "un")]


def test_without_names_the_first_two_columns_are_taken_and_the_user_hears_of_it():
    heard: list[str] = []
    pairs = read_pairs(put(a__tsv=TABLE), TextSettings(), heard.append)
    assert both(pairs) == [("id", "split"), ("7", "train")]
    assert heard == ["a.tsv: columns 1 and 2 of 4, without a header: 'id', 'split'"]


def test_numbers_are_columns_of_a_table_without_header():
    names = put(a__csv="1,title,text\n2,title,more\n")
    assert both(read_pairs(names, TextSettings(source="3", target="1"))) == [("text", "1"), ("more", "2")]


def test_a_dot_leads_into_an_object():
    rows = [{"id": "7", "translation": {"en": "one", "fr": "un"}}, {"id": "8", "translation": {"en": "", "fr": ""}}]
    chosen = TextSettings(source="translation.en", target="translation.fr")
    names = put(a__jsonl="\n".join(map(json.dumps, rows)) + "\n\n")
    polars.DataFrame(rows).write_parquet("a.parquet")
    assert both(read_pairs([*names, "a.parquet"], chosen)) == [("one", "un"), ("", "")] * 2


def test_a_name_with_a_dot_may_also_be_a_column():
    names = put(a__jsonl='{"a.b": "one", "c": "un"}\n')
    polars.DataFrame({"a.b": ["one"], "c": ["un"]}).write_parquet("a.parquet")
    assert both(read_pairs([*names, "a.parquet"], TextSettings(source="a.b", target="c"))) == [("one", "un")] * 2


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


def test_truth_values_are_labels():
    names = put(a__jsonl='{"text": "x", "label": true}\n')
    polars.DataFrame({"text": ["x"], "label": [True]}).write_parquet("a.parquet")
    assert read_labelled([*names, "a.parquet"], TextSettings()).labels == ("true", "true")


def test_labels_may_stand_in_a_file_of_their_own():
    found = read_labelled(put(a__txt="good\nbad\n", a__label="1\n0\n"), TextSettings())
    assert (found.texts, found.labels) == (("good", "bad"), ("1", "0"))


# --- what is wrong, in one line --------------------------------------------------------------------------------

GZIP = gzip.compress(b"one\tun\n" * 1000)
SKIP = "or --data.on-bad-row skip"
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
    "semicolons": (
        {"a__csv": "one;un\n"},
        {},
        "a.csv:1: 1 column: needs 2 columns with a comma between them. "
        f"Try commas in place of semicolons, {SKIP}.",
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
        "a.json:1: no JSON (Expecting value, column 2): needs an object in each line. "
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
        {"a__jsonl": '{"source": "one", "target": ["un"]}\n'},
        {},
        f'a.jsonl:1: "target": \'["un"]\': needs text in quotes. Try mending it, {SKIP}.',
    ),
    "half of a surrogate pair": (
        {"a__jsonl": '{"source": "one", "target": "\\ud83d"}\n'},
        {},
        "a.jsonl:1: half of a surrogate pair: needs both halves, as in \\ud83d\\ude00. "
        f"Try mending it, {SKIP}.",
    ),
    "a NUL byte": (
        {"a__tsv": b"one\tun\ntwo\tde\0ux\n"},
        {},
        f"a.tsv:2: a NUL byte: needs text. Try tr -d '\\000' < a.tsv, {SKIP}.",
    ),
    "a NUL in JSON": (
        {"a__jsonl": '{"source": "\\u0000", "target": "un"}\n'},
        {},
        f"a.jsonl:1: a NUL byte: needs text. Try tr -d '\\000' < a.jsonl, {SKIP}.",
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
        {"a__tsv": TABLE},
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
        "Try --data.encoding with the one it was written in, such as cp1251, gb18030 or shift_jis.",
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
        "Try mending it, as other lines are in utf-8, or --data.on-bad-row skip.",
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
        ("one\tlabel\n", 'a.tsv:1: no column "text" among one, label: needs a column of the first row. Try --data.text'),
    ],
)
def test_a_bad_label_is_named(content, message):
    assert told(lambda: read_labelled(put(a__tsv=content), TextSettings())).startswith(message)


def test_a_label_of_another_type_is_named():
    names = put(a__jsonl='{"text": "x", "label": 0.5}\n')
    allowed = "needs text in quotes or a number"
    assert told(lambda: read_labelled(names, TextSettings())).startswith(f'a.jsonl:1: "label": \'0.5\': {allowed}')


def test_a_translation_memory_has_no_labels():
    names = put(a__tmx="<tmx/>")
    assert told(lambda: read_labelled(names, TextSettings())) == (
        "a.tmx: a translation memory: needs texts with labels. Try a TSV, CSV, JSONL or Parquet file."
    )


def test_parquet_names_columns_and_rows():
    polars.DataFrame({"source": ["one", None], "n": [1, 2], "many": [["a"], ["b"]]}).write_parquet("a.parquet")

    def message(**chosen: str) -> str:
        return told(lambda: read_pairs(["a.parquet"], TextSettings(**chosen)))

    assert message() == (
        'a.parquet: no column "target" among source, n, many: needs a column of the file. '
        "Try --data.target with one of them."
    )
    assert message(target="n") == (
        'a.parquet: column "n" of Int64: needs a column of text. Try --data.target with another.'
    )
    assert message(target="many").startswith('a.parquet: column "many" of List(String): needs a column of text.')
    assert message(target="source") == (
        f'a.parquet:2: no value in "source": needs a value in every row. Try mending it, {SKIP}.'
    )


def test_a_truncated_parquet_file_is_one_line():
    frame = polars.DataFrame({"source": ["one"] * 100, "target": ["un"] * 100})
    frame.write_parquet("a.parquet")
    whole = Path("a.parquet").read_bytes()
    for length in (3, 20, len(whole) // 2, len(whole) - 1):
        Path("a.parquet").write_bytes(whole[:length])
        message = told(lambda: read_pairs(["a.parquet"], TextSettings()))
        assert message.startswith("a.parquet: no readable Parquet (")
        assert message.endswith("needs a whole Parquet file. Try writing it again.")


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


def test_a_line_that_cannot_be_decoded_takes_its_whole_csv_row_with_it():
    names = put(a__csv=b'one,un\n"two\nt\xe9o\ntoo",deux\nthree,trois\n')
    pairs = read_pairs(names, TextSettings(on_bad_row="skip"))
    assert (both(pairs), pairs.where(1)) == ([("one", "un"), ("three", "trois")], "a.csv:5")
    assert [fault.where for fault in pairs.skipped] == ["a.csv:3"]


def test_a_bad_csv_row_leaves_the_next_ones_alone():
    names = put(a__csv='one,un\n"two"x,deux\n"three"",trois\nfour,"quatre"\nfive,cinq\n')
    pairs = read_pairs(names, TextSettings(on_bad_row="skip"))
    assert both(pairs) == [("one", "un"), ("five", "cinq")]
    assert [(fault.where, fault.given[:18]) for fault in pairs.skipped] == [
        ("a.csv:2", "a row that is no C"),
        ("a.csv:3", "a row up to line 4"),
    ]
    names = put(a__csv='one,un\n"two"x,deux\nfour,"quatre"\nfi\rve,cinq\nsix,six\n')
    pairs = read_pairs(names, TextSettings(on_bad_row="skip"))
    assert both(pairs) == [("one", "un"), ("four", "quatre"), ("six", "six")]
    assert [fault.where for fault in pairs.skipped] == ["a.csv:2", "a.csv:4"]


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
    assert told(lambda: read_lines(path)).endswith("needs utf-8. Try --data.encoding latin-1, which fits.")
    assert len(read_lines(path, "latin-1")) == 4846
