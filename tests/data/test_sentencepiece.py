import random
import struct

import pytest

from seqwise.data import conversion, sentencepiece
from seqwise.data.sentencepiece import BYTE, CONTROL, NORMAL, UNKNOWN, UNUSED, USER_DEFINED, Entry
from seqwise.errors import CheckpointError

UNIGRAM = [
    *(("<unk>", 0, UNKNOWN), ("<s>", 0, CONTROL), ("</s>", 0, CONTROL)),
    *(("▁the", -2, NORMAL), ("▁dog", -3, NORMAL), ("s", -4, NORMAL), ("▁do", -4, NORMAL), ("gs", -6, NORMAL)),
    *(("▁", -5, NORMAL), ("d", -6, NORMAL), ("o", -6, NORMAL), ("g", -6, NORMAL), ("A", -7, NORMAL), ("a", -7, NORMAL)),
]
BPE = [
    *(("<unk>", 0, UNKNOWN), ("<s>", 0, CONTROL), ("</s>", 0, CONTROL)),
    *((f"<0x{byte:02X}>", 0, BYTE) for byte in range(256)),
    *(("▁d", -1, NORMAL), ("og", -2, NORMAL), ("do", 0, NORMAL), ("▁dog", -3, NORMAL), ("<cut>", 0, USER_DEFINED)),
    *((letter, -10 - place, NORMAL) for place, letter in enumerate("▁dogx")),
]


def table(texts: bytes = b"a\0", leaf: int = 0) -> bytes:
    """A table that turns "A" into the text at `leaf`, by a double array of three blocks of 256 units."""
    units = [0] * 0x300
    units[0] = 0x100 << 10  # the root: the node for byte b is 0x100 ^ b
    units[0x141] = 0x41 | 1 << 8 | (0x141 ^ 0x200) << 10  # labelled "A", with a leaf at 0x200
    units[0x200] = 1 << 31 | leaf
    return struct.pack("<I", 4 * len(units)) + struct.pack(f"<{len(units)}I", *units) + texts


def read(tmp_path, data: bytes) -> sentencepiece.SentencePiece:
    (tmp_path / "a.model").write_bytes(data)
    return sentencepiece.read(tmp_path / "a.model")


def cut(model: sentencepiece.SentencePiece, text: str, **more) -> list[str]:
    names = [entry.text for entry in model.pieces]
    special = [entry.text for entry in model.pieces if entry.kind in (CONTROL, UNKNOWN)]
    backend = conversion.of_sentencepiece(model, names, special, model.unknown, **more)
    backend.encode_special_tokens = True
    return [backend.id_to_token(token) for token in backend.encode(text, add_special_tokens=False).ids]


# ---- reading


def test_a_file_is_read_to_the_last_piece(spm, tmp_path):
    model = read(tmp_path, spm(UNIGRAM, table=table(), fronted=False))
    assert model.pieces == tuple(Entry(*piece) for piece in UNIGRAM)
    assert (model.bpe, model.bytewise, model.fronted, model.trimmed) == (False, False, False, True)
    assert model.lookalikes == table()
    assert model.unknown == "<unk>"
    model = read(tmp_path, spm(BPE, bpe=True, bytewise=True, trimmed=False))
    assert (model.bpe, model.bytewise, model.fronted, model.trimmed) == (True, True, True, False)


def test_fields_that_are_not_known_are_passed_over(spm, tmp_path):
    more = b"\x98\x06\x05" + b"\x9a\x06\x01x" + b"\x99\x06" + b"8bytes!!" + b"\x9d\x06" + b"four"  # number 99
    assert read(tmp_path, more + spm(UNIGRAM) + more) == read(tmp_path, spm(UNIGRAM))


def test_defaults_are_those_of_the_format(tmp_path):
    """A piece is normal and scores 0, a model is unigram with a space in front, where nothing else is said."""
    model = read(tmp_path, b"\x0a\x03\x0a\x01a" + b"\x0a\x05\x0a\x01u\x18\x02" + b"\x12\x00\x1a\x00")
    assert model == sentencepiece.SentencePiece((Entry("a"), Entry("u", 0.0, UNKNOWN)))


# ---- cutting: what the expected pieces are follows from the scores by hand


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the dogs", "▁the ▁dog s"),  # -2 -3 -4 against ▁do gs -4 -6
        ("  the   dog ", "▁the ▁dog"),
        ("do", "▁do"),
        ("dodo", "▁do d o"),
        ("Ж dog", "▁ <unk> ▁dog"),
        ("ЖЖ", "▁ <unk>"),  # one for a stretch
        ("", ""),
        ("   ", ""),
        ("▁dog", "▁ ▁dog"),
    ],
)
def test_unigram_takes_the_likeliest_cut(spm, tmp_path, text, expected):
    assert " ".join(cut(read(tmp_path, spm(UNIGRAM)), text)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dog", "▁ do g"),  # "do" was learnt first; then neither "▁d" nor "og" is left to join
        ("odog", "▁ o do g"),
        ("og", "▁ og"),
        (" dog", "▁ ▁ do g"),
        ("x<cut>og", "▁ x <cut> og"),
        ("é", "▁ <0xC3> <0xA9>"),
        ("<0x41>", "▁ <0x3C> <0x30> x <0x34> <0x31> <0x3E>"),
        ("</s>", "▁ <0x3C> <0x2F> <0x73> <0x3E>"),
    ],
)
def test_bpe_joins_the_best_pair_first(spm, tmp_path, text, expected):
    pieces = [*BPE, ("<", -30, UNUSED)]  # no text is cut into what is not used
    found = cut(read(tmp_path, spm(pieces, bpe=True, bytewise=True, trimmed=False)), text, once="<cut>" in text)
    assert " ".join(found) == expected


def test_merges_are_recovered_from_scores():
    scores = [("ab", -1.0), ("abc", -2.0), ("bc", -3.0), ("a", -10.0), ("b", -11.0), ("c", -12.0)]
    assert conversion.merges(scores) == [("a", "b"), ("ab", "c"), ("a", "bc"), ("b", "c")]


def test_pieces_across_words_are_found(spm, tmp_path):
    pieces = [*UNIGRAM, ("▁the▁dog", -1, NORMAL)]
    assert cut(read(tmp_path, spm(pieces)), "a the dog") == ["▁", "a", "▁the▁dog"]


def test_look_alikes_are_replaced(spm, tmp_path):
    assert cut(read(tmp_path, spm(UNIGRAM)), "AA") == ["▁", "A", "A"]
    assert cut(read(tmp_path, spm(UNIGRAM, table=table())), "AA") == ["▁", "a", "a"]


def test_bytes_of_unigram_are_no_text(spm, tmp_path):
    pieces = [*UNIGRAM, *((f"<0x{byte:02X}>", 0, BYTE) for byte in range(256))]
    model = read(tmp_path, spm(pieces, bytewise=True))
    assert cut(model, "é") == ["▁", "<0xC3>", "<0xA9>"]
    assert cut(model, "<0x41>") == ["▁", *(f"<0x{byte:02X}>" for byte in b"<0x4"), "<0x31>", "<0x3E>"]
    assert "<s>" not in cut(model, "a<s>")


def test_what_the_user_defined_always_wins(spm, tmp_path):
    pieces = [*UNIGRAM, ("gsg", -99, USER_DEFINED)]
    assert cut(read(tmp_path, spm(pieces)), "dogsg") == ["▁do", "gsg"]


# ---- damage


@pytest.mark.parametrize("size", [0, 1, 2, 3, 10, 50, 100, 150, -1, -5, -20])
def test_a_truncated_file_is_one_clear_line(spm, tmp_path, size):
    with pytest.raises(CheckpointError, match=r"a\.model: no SentencePiece model") as caught:
        read(tmp_path, spm(UNIGRAM)[:size])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\x0a\xff\xff\xff\xff\x7f", "bytes announced"),
        (b"\xff" * 20, "more than ten bytes"),
        (b"\x0b", "wire type 3"),
        (b"\x08\x01", "field 1 is a number"),
        (b"\x0a\x02\x08\x01", "fields of other types"),
        (b"\x0a\x03\x0a\x01\xff", "utf-8"),
        (b"[1, 2]", ""),
    ],
)
def test_what_is_no_such_file_is_one_clear_line(tmp_path, data, said):
    with pytest.raises(CheckpointError, match=rf"no SentencePiece model .*{said}"):
        read(tmp_path, data)


def test_what_cannot_be_a_vocabulary_is_refused(spm, tmp_path):
    for pieces, said in (
        (UNIGRAM[1:], "for the unknown"),
        ([*UNIGRAM, UNIGRAM[0]], "different ones"),
        ([*UNIGRAM, ("x", float("nan"), NORMAL)], "not finite"),
        ([*UNIGRAM, ("", 0, NORMAL)], "different ones"),
    ):
        with pytest.raises(CheckpointError, match=said):
            read(tmp_path, spm(pieces))
    with pytest.raises(CheckpointError, match="bytes without their pieces"):
        read(tmp_path, spm(UNIGRAM, bytewise=True))
    with pytest.raises(CheckpointError, match="cannot be read"):
        sentencepiece.read(tmp_path / "none.model")


@pytest.mark.parametrize(
    "broken",
    [b"\x01", b"\x00\x00\x00\x00a", table()[:100], table(b"\xff"), table(leaf=2), table(b"\xc3\xa9\0", leaf=1)],
)
def test_a_damaged_table_is_refused(spm, tmp_path, broken):
    """The library would read beyond its end, and take the process with it."""
    with pytest.raises(CheckpointError, match="no SentencePiece model"):
        read(tmp_path, spm(UNIGRAM, table=broken))


def test_a_table_that_points_outside_is_refused(spm, tmp_path):
    units = bytearray(table())
    struct.pack_into("<I", units, 4 + 4 * 0x141, 0x41 | 0x5000 << 10)
    with pytest.raises(CheckpointError, match="points outside"):
        read(tmp_path, spm(UNIGRAM, table=bytes(units)))


def test_no_damage_at_all_gets_further_than_the_reader(spm, tmp_path):
    whole = spm(UNIGRAM, table=table())
    draw = random.Random(0)
    for _ in range(400):
        data = bytearray(whole)
        for _ in range(draw.choice((1, 1, 4))):
            data[draw.randrange(len(data))] = draw.randrange(256)
        try:
            model = read(tmp_path, bytes(data))
        except CheckpointError:
            continue
        cut(model, "the Dogs A é AA")
