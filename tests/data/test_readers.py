import csv
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import polars
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqwise.data.text import Pairs, TextSettings, read_pairs
from seqwise.errors import DataError


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


def test_a_quoted_cell_may_hold_line_feeds_and_the_row_is_named_by_its_first_line():
    pairs = read_pairs(put(a__csv='source,target\n"one\ntwo, ""three""",un\n\nfour,"quatre\r\ncinq"\n'), TextSettings())
    assert both(pairs) == [('one\ntwo, "three"', "un"), ("four", "quatre\r\ncinq")]
    assert [pairs.where(item) for item in range(2)] == ["a.csv:2", "a.csv:5"]


def test_a_quote_in_tsv_is_text():
    assert both(read_pairs(put(a__tsv='"Go\tVa"\n'), TextSettings())) == [('"Go', 'Va"')]


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


# --- quotes and bad rows ---


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


# --- lists of texts ---


def test_a_list_is_a_text_of_several_sentences_and_a_list_of_targets_all_that_may_be_written():
    rows = [{"source": ["One.", "Two."], "target": [" a ", "b"]}, {"source": "Three.", "target": ["c"]}]
    names = put(a__jsonl="".join(json.dumps(row) + "\n" for row in rows))
    pairs = read_pairs(names, TextSettings())
    assert both(pairs) == [("One. Two.", "a"), ("Three.", "c")]
    assert pairs.references == (("a", "b"), ("c",))
    assert pairs.select([1]).references == (("c",),)
    polars.DataFrame({"source": [["One.", "Two."]], "target": [["a", "b"]]}).write_parquet("a.parquet")
    table = read_pairs(["a.parquet"], TextSettings())
    assert both(table) == [("One. Two.", "a")]
    assert table.references == (("a", "b"),)


def test_an_empty_list_is_a_bad_row():
    names = put(a__jsonl='{"source": "one", "target": []}\n')
    assert "needs text in quotes" in told(lambda: read_pairs(names, TextSettings()))
    polars.DataFrame({"source": ["one", "two"], "target": [["a"], [None]]}).write_parquet("a.parquet")
    assert 'a.parquet:2: no value in "target"' in told(lambda: read_pairs(["a.parquet"], TextSettings()))


def test_a_list_of_sentences_is_whole_or_a_bad_row_in_parquet_as_in_jsonl():
    polars.DataFrame(
        {"source": [["One.", "Two."], ["One.", None], [], None, [""]], "target": ["a", "b", "c", "d", "e"]}
    ).write_parquet("a.parquet")
    found = read_pairs(["a.parquet"], TextSettings(on_bad_row="skip"))
    assert both(found) == [("One. Two.", "a"), ("", "e")]
    assert [fault.where for fault in found.skipped] == ["a.parquet:2", "a.parquet:3", "a.parquet:4"]
    assert {fault.given for fault in found.skipped} == {'no value in "source"'}


def test_where_nothing_has_several_targets_there_are_no_lists():
    assert read_pairs(put(a__jsonl='{"source": "one", "target": ["un"]}\n'), TextSettings()).references == ()


# --- Parquet ---


def test_parquet_names_columns_and_rows():
    polars.DataFrame({"source": ["one", None], "n": [1, 2], "many": [[1], [2]]}).write_parquet("a.parquet")

    def message(**chosen: str) -> str:
        return told(lambda: read_pairs(["a.parquet"], TextSettings(**chosen)))

    assert message() == (
        'a.parquet: no column "target" among source, n, many: needs a column of the file. '
        "Try --data.target with one of them."
    )
    assert message(target="n") == (
        'a.parquet: column "n" of Int64: needs a column of text. Try --data.target with another.'
    )
    assert message(target="many").startswith('a.parquet: column "many" of List(Int64): needs a column of text.')
    assert message(target="source") == (
        'a.parquet:2: no value in "source": needs a value in every row. Try mending it, or --on-bad-row skip.'
    )


def test_a_nul_in_parquet_is_not_to_be_taken_out_of_its_bytes():
    polars.DataFrame({"source": ["on\0e"], "target": ["un"]}).write_parquet("a.parquet")
    assert told(lambda: read_pairs(["a.parquet"], TextSettings())) == (
        "a.parquet:1: a NUL: needs text. Try writing the file without it, or --on-bad-row skip."
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


# --- any bytes at all ---


def damaged(name: str, folder: Path, data: st.DataObject) -> None:
    """Overwrite, insert, drop or cut some bytes of a good file."""
    content = bytearray((folder / name).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, max(0, len(content) - 1)))
        length = data.draw(st.integers(0, 3))
        content[place : place + length] = data.draw(st.binary(max_size=4))
    (folder / name).write_bytes(bytes(content[: data.draw(st.integers(len(content) // 2, len(content)))]))


@pytest.mark.parametrize("write", FORMATS, ids=lambda write: write.__name__)
@settings(max_examples=100, deadline=None)
@given(data=st.data(), on_bad_row=st.sampled_from(["stop", "skip"]), zipped=st.booleans())
def test_a_damaged_file_gives_pairs_or_one_line_and_never_a_traceback(
    write, data, on_bad_row, zipped, tmp_path_factory
):
    folder = tmp_path_factory.mktemp("damaged")
    for path in (paths := write([("one", "un"), ("two, 2", "deux")] * 3, folder)):
        if zipped:
            path.write_bytes(gzip.compress(path.read_bytes()))
    damaged(paths[0].name, folder, data)
    try:
        pairs = read_pairs(paths, TextSettings(on_bad_row=on_bad_row))
    except DataError as error:
        assert [str(fault).count("\n") for fault in error.faults] == [0] * len(error.faults)  # noqa: PT017
        assert str(folder) in str(error)  # noqa: PT017
    else:
        assert len(pairs) > 0
