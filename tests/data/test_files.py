import gzip
import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqwise.data.files import Undecoded, lines, opened, shown
from seqwise.data.text import TextSettings, read_lines, read_pairs
from seqwise.errors import DataError

LETTERS = st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufeff")
SEPARATORS = st.sampled_from("\x85\u2028\u2029\r\x0b\x0cé東😀")


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    """Files are named without a folder, as a user in that folder names them."""
    monkeypatch.chdir(tmp_path)


def written(content: bytes, name: str = "a") -> str:
    Path(name).write_bytes(content)
    return name


def pairs_of(content: bytes, encoding: str) -> list[tuple[str, str]]:
    pairs = read_pairs([written(content, "a.tsv")], TextSettings(encoding=encoding))
    return list(zip(pairs.sources, pairs.targets, strict=True))


@given(
    st.lists(st.text(LETTERS | SEPARATORS), min_size=1), st.sampled_from(["utf-8", "gb18030", "utf-16", "utf-32-le"])
)
@settings(max_examples=150, deadline=None)
def test_lines_come_back_as_they_were_joined(tmp_path_factory, texts, encoding):
    """Oracle: the encoders of Python. Only line feeds cut, whatever else Unicode calls the end of a line."""
    path = tmp_path_factory.mktemp("lines") / "a"
    path.write_bytes("\n".join([*texts, ""]).encode(encoding))
    assert list(lines(str(path), encoding)) == texts


@given(st.lists(st.text(LETTERS).map(str.rstrip)), st.booleans())
@settings(max_examples=60, deadline=None)
def test_plain_lines_come_back_without_the_space_at_their_ends(tmp_path_factory, texts, zipped):
    path = tmp_path_factory.mktemp("lines") / "a"
    content = "".join(text + " \r\n" for text in texts).encode()
    path.write_bytes(gzip.compress(content) if zipped else content)
    assert read_lines(path) == texts


@given(st.lists(st.binary().map(lambda raw: raw.translate(None, bytes(range(32)))), min_size=1))
@settings(max_examples=100, deadline=None)
def test_every_line_that_is_utf8_is_read_and_every_other_one_is_named(tmp_path_factory, raws):
    """Oracle: bytes.decode of each line by itself."""
    raws = [b"first", *raws]
    path = tmp_path_factory.mktemp("lines") / "a"
    path.write_bytes(b"\n".join(raws) + b"\n")
    for number, (raw, found) in enumerate(zip(raws, lines(str(path), "utf-8"), strict=True), 1):
        try:
            assert found == raw.decode()
        except UnicodeDecodeError:
            assert isinstance(found, Undecoded)
            assert found.fault.where == f"{path}:{number}"
            assert found.text == raw.decode(errors="replace")


def test_only_line_feeds_end_a_line():
    said = "one\x85two\u2028three\x0bfour\x0cfive\x1csix\rseven"
    assert pairs_of(f"{said}\tun\r\neight\tdeux".encode(), "utf-8") == [(said, "un"), ("eight", "deux")]


def test_space_around_a_text_is_dropped_and_space_within_stays():
    found = pairs_of("  one  \u00a0 two\t\u3000un \r\n \t \r\n".encode(), "utf-8")
    assert found == [("one  \u00a0 two", "un"), ("", "")]
    assert read_lines(written(b" one \n\n")) == [" one", ""]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_is_dropped(encoding):
    content = "source\ttarget\né\tü\n".encode(encoding)
    assert pairs_of(content, encoding.removesuffix("-sig")) == [("é", "ü")]


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16", "UTF16", "utf-16-le", "utf-32-be", "utf-8-sig"])
def test_other_encodings_are_read_where_they_are_named(encoding):
    content = "Café\tKaffee\r\nnoël\tWeihnacht\r\n".encode(encoding)
    assert pairs_of(content, encoding) == [("Café", "Kaffee"), ("noël", "Weihnacht")]


@pytest.mark.parametrize("encoding", ["shift_jis", "gb18030", "big5"])
def test_encodings_of_two_bytes_keep_their_lines(encoding):
    assert pairs_of("表示\t東京\n中文\t十月\n".encode(encoding), encoding) == [("表示", "東京"), ("中文", "十月")]


def test_advice_on_a_file_that_is_read_alone_names_no_flag():
    raised = {}
    for name, content in {
        "latin": b"caf\xe9\n",
        "wide": "one\n".encode("utf-16"),
        "damaged": "café\n".encode() + b"caf\xc3\n",
        "parquet": b"PAR1\x15\x00",
    }.items():
        with pytest.raises(DataError) as caught:
            read_lines(written(content, name))
        raised[name] = str(caught.value)
    assert raised == {
        "latin": "latin:1: byte 0xe9 after 'caf': needs utf-8. Try iconv -f latin-1 -t utf-8 latin, which fits.",
        "wide": "wide: text in utf-16: needs utf-8. Try iconv -f utf-16 -t utf-8 wide.",
        "damaged": "damaged:2: byte 0xc3 after 'caf': needs utf-8. Try mending it, as other lines are in utf-8.",
        "parquet": "parquet: a Parquet file: needs text. Try the text in it.",
    }


def test_gzip_of_several_parts_is_one_file():
    """What `cat a.gz b.gz` makes."""
    path = written(gzip.compress(b"one\ntw") + gzip.compress(b"o\nthree\n"))
    assert list(lines(path, "utf-8")) == ["one", "two", "three"]


def test_a_file_called_gz_that_is_plain_is_read():
    assert list(lines(written(b"one\n", "a.gz"), "utf-8")) == ["one"]


def test_a_line_longer_than_every_piece_stays_whole():
    long = "é" * 1_000_000
    assert list(lines(written(f"one\n{long}\nthree".encode()), "utf-8")) == ["one", long, "three"]


def test_bytes_are_handed_out_as_a_stream():
    with opened(written(gzip.compress(b"one\ntwo\n"))) as stream:
        assert isinstance(stream, io.BufferedReader)
        assert stream.peek(1)[:1] == b"o"
        assert stream.read() == b"one\ntwo\n"


def test_text_in_messages_is_short_and_harmless():
    assert shown("one") == "'one'"
    assert shown("\x1b[2J" + "x" * 100, 10) == "'\\x1b[2Jxxx...'"
