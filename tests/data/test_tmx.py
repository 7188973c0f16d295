import gzip
import tracemalloc
from pathlib import Path

import pytest

from seqwise.data.text import Pairs, TextSettings, read_pairs
from seqwise.data.tmx import tmx
from seqwise.errors import DataError


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    """Files are named without a folder, as a user in that folder names them."""
    monkeypatch.chdir(tmp_path)


def unit(**texts: str) -> str:
    """A unit whose languages are spelled en_US for en-US."""
    said = (f'<tuv xml:lang="{name.replace("_", "-")}"><seg>{text}</seg></tuv>' for name, text in texts.items())
    return f"<tu>{''.join(said)}</tu>\n"


def written(*units: str, head: str = '<?xml version="1.0"?>', encoding: str = "utf-8") -> list[str]:
    body = f'{head}\n<tmx version="1.4"><header srclang="en"/><body>\n{"".join(units)}</body></tmx>'
    Path("a.tmx").write_bytes(body.encode(encoding))
    return ["a.tmx"]


def both(pairs: Pairs) -> list[tuple[str, str]]:
    return list(zip(pairs.sources, pairs.targets, strict=True))


def told(paths: list[str], **chosen: object) -> str:
    with pytest.raises(DataError) as caught:
        read_pairs(paths, TextSettings(**chosen))
    return str(caught.value)


def test_the_first_two_languages_are_the_default_and_the_user_hears_of_it():
    heard: list[str] = []
    names = written(unit(fr="un", en="one", de="eins"), unit(en="two", fr="deux"))
    assert both(read_pairs(names, TextSettings(), heard.append)) == [("un", "one"), ("deux", "two")]
    assert heard == ["a.tmx: fr to en, the languages of its first unit"]


def test_the_lay_out_of_a_segment_is_not_said():
    names = written(unit(en="\n      One,\n      two  or\tthree.\n    ", fr="Un,\r\n\r\n  deux."))
    assert both(read_pairs(names, TextSettings())) == [("One, two  or\tthree.", "Un, deux.")]


def test_languages_can_be_chosen():
    names = written(unit(fr="un", en="one", de="eins"))
    assert both(read_pairs(names, TextSettings(languages=("de", "en")))) == [("eins", "one")]


@pytest.mark.parametrize("spelled", ["en", "EN", "en-US", "en_us", "en-us-posix"])
def test_a_language_takes_its_regions(spelled):
    names = written(unit(**{spelled: "one", "fr": "un"}))
    assert both(read_pairs(names, TextSettings(languages=("En", "fr")))) == [("one", "un")]


def test_a_region_takes_only_itself():
    names = written(unit(en="one", en_GB="One", fr="un"))
    assert both(read_pairs(names, TextSettings(languages=("en-GB", "fr")))) == [("One", "un")]
    names = written(unit(eng="one", fr="un"))
    assert told(names, languages=("en", "fr")).startswith("a.tmx:3: a unit in eng and fr: needs en and fr. Try")


def test_regions_of_the_first_unit_do_not_bind_the_others():
    names = written(unit(en_US="one", fr_FR="un"), unit(en_GB="two", fr_CA="deux"))
    assert both(read_pairs(names, TextSettings())) == [("one", "un"), ("two", "deux")]
    names = written(unit(en_US="color", en_GB="colour"), unit(en_GB="lorry", en_US="truck"))
    assert both(read_pairs(names, TextSettings())) == [("color", "colour"), ("truck", "lorry")]


def test_the_first_of_several_variants_of_a_language_is_taken():
    names = written('<tu><tuv lang="en"><seg>one</seg></tuv><tuv lang="en"><seg>1</seg></tuv>'
                    '<tuv lang="fr"><seg>un</seg></tuv></tu>')  # fmt: skip
    assert both(read_pairs(names, TextSettings())) == [("one", "un")]


def test_native_codes_go_and_highlighted_text_stays():
    marked = (
        'Press <bpt i="1">&lt;b&gt;</bpt><hi type="key">En<hi>ter</hi></hi><ept i="1">&lt;/b&gt;</ept>'
        '<ph>{1}</ph> or<it pos="begin">[<sub>a note</sub>]</it> <ut>{0}</ut>go &amp; come &lt;back&gt;&#233;.'
    )
    names = written(unit(en=marked, fr="<![CDATA[un <b>]]> deux"))
    assert both(read_pairs(names, TextSettings())) == [("Press Enter or go & come <back>é.", "un <b> deux")]


def test_notes_and_properties_are_no_text():
    names = written(
        '<tu><note>x</note><prop type="y">y</prop>',
        '<tuv xml:lang="en"><note>z</note><seg>one</seg></tuv><tuv xml:lang="fr"><seg/></tuv></tu>',
    )
    assert both(read_pairs(names, TextSettings())) == [("one", "")]


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1", "cp1252"])
def test_the_encoding_is_the_one_that_the_file_declares(encoding):
    names = written(unit(en="café", fr="crème"), head=f'<?xml version="1.0" encoding="{encoding}"?>', encoding=encoding)
    assert both(read_pairs(names, TextSettings())) == [("café", "crème")]


def test_units_are_named_by_their_line_and_those_without_a_language_are_bad_rows():
    names = written(unit(en="one", fr="un"), "\n\n", unit(en="two"), unit(en="three", fr="trois"))
    assert told(names) == "a.tmx:6: a unit in en: needs en and fr. Try mending it, or --on-bad-row skip."
    pairs = read_pairs(names, TextSettings(on_bad_row="skip"))
    assert (pairs.lines, [fault.where for fault in pairs.skipped]) == ((3, 7), ["a.tmx:6"])


def test_languages_that_are_not_there_are_told_with_those_that_are():
    message = "a.tmx:3: a unit in en and fr: needs en and de. Try --data.languages en fr, or --on-bad-row skip."
    assert told(written(unit(en="one", fr="un")), languages=("en", "de")) == message
    alone = "a.tmx:3: a unit in en and fr, the only row: needs en and de. "
    mend = "Try --data.languages en fr."
    assert told(written(unit(en="one", fr="un")), languages=("en", "de"), on_bad_row="skip") == alone + mend


def test_entities_of_the_files_own_are_refused_before_they_grow():
    grown = "".join(f'<!ENTITY e{n + 1} "{f"&e{n};" * 10}">' for n in range(9))
    bomb = f'<?xml version="1.0"?>\n<!DOCTYPE tmx [\n<!ENTITY e0 "ha">{grown}]>'
    assert told(written(unit(en="&e9;", fr="un"), head=bomb)) == (
        'a.tmx:3: <!ENTITY e0 "...">: needs a file without entities of its own, which can grow without end. '
        "Try deleting its <!DOCTYPE ...>."
    )


def test_nothing_outside_the_file_is_read():
    Path("secret").write_text("secret")
    outside = '<!DOCTYPE tmx [<!ENTITY e SYSTEM "secret">]>'
    assert "needs a file without entities of its own" in told(written(unit(en="&e;", fr="un"), head=outside))


def test_a_doctype_alone_is_no_harm_and_an_entity_of_its_is_named():
    doctype = '<!DOCTYPE tmx SYSTEM "tmx14.dtd">'
    assert both(read_pairs(written(unit(en="one", fr="un"), head=doctype), TextSettings())) == [("one", "un")]
    assert told(written(unit(en="one&nbsp;two", fr="un"), head=doctype)) == (
        "a.tmx:3: &nbsp; that stands for nothing: needs characters as they are. Try mending it, or --on-bad-row skip."
    )


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b"<tmx><body>\n<tu><tuv xml:lang='en'><seg>one", ":2: no XML (no element found, column 32)"),
        (b"<tmx>\n<tu></tmx>", ":2: no XML (mismatched tag, column 7)"),
        (b"<tmx>\ncaf\xe9</tmx>", ":2: no XML (not well-formed (invalid token), column 4)"),
        (b"one\tun\n", ":1: no XML (syntax error, column 1)"),
    ],
)
def test_what_is_no_xml_is_named_by_its_line(content, place):
    Path("a.tmx").write_bytes(content)
    mend = "needs a whole, well-formed TMX file. Try writing or copying it again."
    assert told(["a.tmx"], on_bad_row="skip") == f"a.tmx{place}: {mend}"


@pytest.mark.parametrize(
    ("encoding", "given"),
    [("nothing", "unknown encoding: nothing"), ("gb2312", "multi-byte encodings are not supported")],
)
def test_an_encoding_that_the_parser_does_not_know_is_named(encoding, given):
    names = written(unit(en="one", fr="un"), head=f'<?xml version="1.0" encoding="{encoding}"?>')
    assert told(names) == (
        f"a.tmx:1: {given}: needs UTF-8, UTF-16 or an encoding of single bytes. "
        "Try converting and declaring it as UTF-8."
    )


def test_a_memory_without_units_is_named():
    assert told(written()) == "a.tmx: no row but a header or blank lines: needs one row at least. Try the right file."
    Path("a.tmx").write_bytes(b"")
    assert told(["a.tmx"]).startswith("a.tmx: an empty file: needs one row at least.")


def test_the_rest_of_a_truncated_memory_is_not_taken_for_granted():
    Path("a.tmx.gz").write_bytes(gzip.compress(b"<tmx>" + unit(en="one", fr="un").encode() * 999)[:-9])
    assert told(["a.tmx.gz"]).startswith("a.tmx.gz: a gzip file that ends too early")


def test_memory_holds_one_piece_of_the_file(tmp_path):
    """A file of 18 MB is read with less than one: nothing is kept of units that were handed on."""
    with open("a.tmx", "w", encoding="utf-8") as file:
        file.write("<tmx><body>" + unit(en="word " * 900, fr="mot " * 1100) * 2000 + "</body></tmx>")
    assert Path("a.tmx").stat().st_size > 17e6
    tracemalloc.start()
    try:
        assert sum(1 for _ in tmx("a.tmx", ("en", "fr"), print)) == 2000
        assert tracemalloc.get_traced_memory()[1] < 1e6
    finally:
        tracemalloc.stop()
