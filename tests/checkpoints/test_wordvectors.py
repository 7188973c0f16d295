import gzip
import os
import pickle
import struct
import tracemalloc
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seqwise.checkpoints import wordvectors
from seqwise.errors import DataError

DATA = Path(os.environ.get("SEQWISE_DATA", Path(__file__).resolve().parents[2] / "../shared/data"))
GLOVE = DATA / "wordvectors"
needs_data = pytest.mark.skipif(not GLOVE.is_dir(), reason=f"{GLOVE} is absent")

Vectors = Mapping[str, list[float]]


def word2vec_text(vectors: Vectors, end: str = "\n") -> bytes:
    """As gensim writes it; the original C program puts a space before each line's end."""
    width = len(next(iter(vectors.values())))
    rows = (" ".join([word, *map(repr, numbers)]) + end for word, numbers in vectors.items())
    return f"{len(vectors)} {width}\n{''.join(rows)}".encode()


def word2vec_binary(vectors: Vectors, feed: bytes = b"") -> bytes:
    """As gensim writes it; the original C program puts a line feed after each row."""
    width = len(next(iter(vectors.values())))
    rows = (word.encode() + b" " + struct.pack(f"<{width}f", *numbers) + feed for word, numbers in vectors.items())
    return f"{len(vectors)} {width}\n".encode() + b"".join(rows)


def glove(vectors: Vectors) -> bytes:
    return "".join(" ".join([word, *map(repr, numbers)]) + "\n" for word, numbers in vectors.items()).encode()


FORMATS = {
    "word2vec text, gensim": word2vec_text,
    "word2vec text, C": lambda vectors: word2vec_text(vectors, " \n"),
    "word2vec text, Windows": lambda vectors: word2vec_text(vectors, "\r\n"),
    "word2vec binary, gensim": word2vec_binary,
    "word2vec binary, C": lambda vectors: word2vec_binary(vectors, b"\n"),
    "GloVe": glove,
    "GloVe, no last line feed": lambda vectors: glove(vectors)[:-1],
}
every_format = pytest.mark.parametrize("write", FORMATS.values(), ids=FORMATS.keys())

SMALL = {"the": [0.5, -1.25, 2.0], "Dog": [1.0, 0.0, -0.0], "café": [1e-5, 3e10, 7.0], "7": [7.0, 8.0, 9.0]}


def saved(path: Path, content: bytes, zipped: bool = False) -> Path:
    path.write_bytes(gzip.compress(content) if zipped else content)
    return path


@every_format
@pytest.mark.parametrize("zipped", [False, True], ids=["plain", "gzip"])
def test_words_of_the_vocabulary_are_found_in_every_format(tmp_path, write, zipped):
    path = saved(tmp_path / "vectors", write(SMALL), zipped)
    found = wordvectors.read(path, {"7": 40, "café": 3, "absent": 5, "the": 12})
    assert found.ids.tolist() == [3, 12, 40]
    assert found.ids.dtype == torch.int64
    assert found.vectors.dtype == torch.float32
    expected = torch.tensor([SMALL["café"], SMALL["the"], SMALL["7"]])
    assert torch.equal(found.vectors, expected)
    assert (found.found, found.missing, found.total_in_file, found.width, found.lowered) == (3, 1, 4, 3, 0)
    assert str(found) == ("3 of 4 words found (75.0 %, 0 of them in lower case only) among 4 vectors of width 3")


numbers = st.floats(-1e6, 1e6, width=32).map(lambda number: float(np.float32(number)))
words = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zs", "Zl", "Zp"]), min_size=1)


@settings(max_examples=150, deadline=None)
@given(st.data(), st.integers(2, 40), st.sampled_from(sorted(FORMATS)), st.booleans())
def test_any_vectors_come_back_to_the_bit_from_any_format(tmp_path_factory, data, width, name, zipped):
    rows = st.dictionaries(words, st.lists(numbers, min_size=width, max_size=width), min_size=1, max_size=6)
    vectors = data.draw(rows)
    path = saved(tmp_path_factory.mktemp("vectors") / "file", FORMATS[name](vectors), zipped)
    found = wordvectors.read(path, {word: number for number, word in enumerate(vectors)})
    assert torch.equal(found.vectors, torch.tensor(list(vectors.values()), dtype=torch.float32))
    assert found.total_in_file == len(vectors)


@every_format
def test_a_thousand_rows_more_than_are_parsed_at_a_time_keep_their_order(tmp_path, write):
    vectors = {f"w{i}": [float(i), i + 0.5, -float(i)] for i in range(3000)}
    path = saved(tmp_path / "vectors", write(vectors))
    chosen = {f"w{i}": i for i in range(0, 3000, 2)} | {"absent": 9999}
    found = wordvectors.read(path, chosen)
    assert found.ids.tolist() == list(range(0, 3000, 2))
    assert found.vectors[:, 0].tolist() == [float(i) for i in range(0, 3000, 2)]
    assert found.total_in_file == 3000


def test_binary_rows_that_straddle_the_portions_read_are_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(wordvectors, "BLOCK", 7)
    vectors = {f"word{i}": [float(i), 10.0, 0.625, 32.0] for i in range(50)}  # 10 and 32 hide as bytes, too
    for feed in (b"", b"\n"):
        path = saved(tmp_path / "vectors", word2vec_binary(vectors, feed))
        found = wordvectors.read(path, {word: i for i, word in enumerate(vectors)})
        assert torch.equal(found.vectors, torch.tensor(list(vectors.values())))


def test_a_binary_file_is_known_though_a_line_feed_is_among_its_first_bytes(tmp_path):
    for first in (b"\n123", b"1\n23", b"12\n3", b"123\n", b"1 2\n"):
        content = b"2 2\na " + first + b"\x00\x00\x80\x3f" + b"b " + b"\x00\x00\x80\x3f" * 2
        found = wordvectors.read(saved(tmp_path / "vectors", content), {"b": 0})
        assert found.vectors.tolist() == [[1, 1]], first


def test_without_marker_and_in_lower_case_words_are_looked_for_after_the_exact_ones(tmp_path):
    rows = {
        "the": [1.0, 1.0],
        "dog": [2.0, 2.0],
        "Paris": [3.0, 3.0],
        "▁dog": [4.0, 4.0],
        "paris": [5.0, 5.0],
    }
    vocabulary = {"▁the": 0, "the": 1, "The": 2, "▁The": 3, "▁dog": 4, "▁Paris": 5, "PARIS": 6, "▁": 7}
    path = saved(tmp_path / "vectors", glove(rows))
    found = wordvectors.read(path, vocabulary)
    assert dict(zip(found.ids.tolist(), found.vectors[:, 0].tolist(), strict=True)) == {
        0: 1, 1: 1, 2: 1, 3: 1, 4: 4, 5: 3, 6: 5
    }  # fmt: skip
    assert (found.lowered, found.missing) == (3, 1)
    strict = wordvectors.read(path, vocabulary, lowercase=False, marker="")
    assert strict.ids.tolist() == [1, 4]
    other = wordvectors.read(path, {"Ġdog": 0}, marker="Ġ")
    assert other.vectors.tolist() == [[2, 2]]


@every_format
def test_of_two_rows_of_a_word_the_first_counts(tmp_path, write):
    class Twice(dict):
        def items(self):
            return [("the", [1.0, 2.0]), ("dog", [3.0, 4.0]), ("the", [5.0, 6.0])]

        def __len__(self):
            return 3

    path = saved(tmp_path / "vectors", write(Twice(the=[1.0, 2.0])))
    found = wordvectors.read(path, {"the": 0, "dog": 1})
    assert found.vectors.tolist() == [[1, 2], [3, 4]]
    assert found.total_in_file == 3


def test_words_with_spaces_are_read_from_the_right_as_in_the_largest_glove_file(tmp_path):
    rows = {"the": [1.0, 2.0], ". . .": [3.0, 4.0], "at name@domain.com": [5.0, 6.0], "\u00a0": [7.0, 8.0]}
    path = saved(tmp_path / "vectors", glove(rows))
    found = wordvectors.read(path, {word: i for i, word in enumerate(rows)})
    assert found.vectors.tolist() == list(rows.values())
    first = {word: rows[word] for word in (". . .", "the")}
    found = wordvectors.read(saved(path, glove(first)), {". . .": 0, "the": 1})
    assert found.vectors.tolist() == list(first.values())


def test_a_byte_order_mark_and_empty_lines_do_no_harm(tmp_path):
    for content in (glove(SMALL), word2vec_text(SMALL)):
        path = saved(tmp_path / "vectors", b"\xef\xbb\xbf" + content + b"\n\n")
        assert wordvectors.read(path, {"the": 0}).vectors.tolist() == [SMALL["the"]]


def test_numbers_in_unusual_forms_are_numbers(tmp_path):
    path = saved(tmp_path / "vectors", b"3 3\na +1.5 .5 -2.\nb 1E-3 1e+2 -0\nc 007 1. 0.10\n")
    found = wordvectors.read(path, {"a": 0, "b": 1, "c": 2})
    assert found.vectors.tolist() == [
        [1.5, 0.5, -2],
        [float(np.float32(1e-3)), 100, 0],
        [7, 1, float(np.float32(0.1))],
    ]


def test_no_word_of_the_vocabulary_in_the_file_is_an_answer(tmp_path):
    found = wordvectors.read(saved(tmp_path / "vectors", glove(SMALL)), {"xyz": 0})
    assert found.vectors.shape == (0, 3)
    assert (found.found, found.missing) == (0, 1)
    assert wordvectors.read(tmp_path / "vectors", {}).found == 0


# faults

BINARY = word2vec_binary({"the": [1.0, 2.0], "dog": [3.0, 4.0]})
FAULTS = {
    "too few columns": (b"2 3\nthe 1 2 3\ndog 1 2\n", ":3: 2 columns behind the word: needs 3"),
    "too few columns in the first row": (b"2 3\nthe 1 2\ndog 1 2 3\n", ":2: 2 columns behind the word: needs 3"),
    "too many columns": (b"2 3\nthe 1 2 3\ndog 1 2 3 4\n", ":3: 4 columns behind the word: needs 3"),
    "too few columns of a word not wanted": (b"2 3\nxyz 1 2\nthe 1 2 3\n", ":2: 2 columns"),
    "too few columns in GloVe": (b"the 1 2 3\ndog 1 2\n", ":2: 2 columns behind the word: needs 3"),
    "too many columns in GloVe": (b"the 1 2 3\ndog 1 2 3 4\n", ":2: 4 columns behind the word: needs 3"),
    "a word alone": (b"the 1 2 3\ndog\n", ":2: 0 columns behind the word"),
    "a word with spaces in word2vec": (b"2 2\nthe 1 2\na dog 1 2\n", ":3: 3 columns behind the word: needs 2"),
    "no numbers": (b"the 1 2 3\ndog 1 x 3\n", ":2: 'x' among the numbers"),
    "no numbers for a word not wanted": (b"the 1 2 3\nxyz 1 2_0 3\n", ":2: '2_0' among the numbers"),
    "numbers that are mangled": (b"the 1 2 3\ndog 1 2-3 3\n", ":2: '2-3' among the numbers: needs finite"),
    "not a number": (b"the 1 2 3\ndog 1 nan 3\n", ":2: 'nan' among the numbers: needs finite"),
    "infinite": (b"the 1 2 3\ndog 1 2 -inf\n", ":2: '-inf' among the numbers"),
    "too large": (b"the 1 2 3\ndog 1 2 1e39\n", ":2: '1e39' among the numbers"),
    "two spaces": (b"the 1 2 3\ndog 1  2 3\n", ":2: "),
    "hostile characters": (b"the 1 2\ndog 1 \x1b[31m\xff\n", r":2: '\x1b[31m\xff' among the numbers"),
    "fewer rows than told": (b"3 2\nthe 1 2\ndog 1 2\n", ": 2 rows are there: needs the 3 rows"),
    "more rows than told": (b"1 2\nthe 1 2\ndog 1 2\n", ": there is more behind row 1: needs the 1 rows"),
    "a header alone": (b"3 2\n", ": 0 rows are there"),
    "an empty file": (b"", ":1: the file or its first line is empty"),
    "an empty first line": (b"\nthe 1 2\n", ":1: the file or its first line is empty"),
    "another text": (b"It was a dark night.\n", ":1: neither 'count width' nor a word and numbers"),
    "noise": (b"\x00\x01\x02\xff" * 50, ":1: neither 'count width'"),
    "a zip archive": (b"PK\x03\x04rest", ": this is a zip archive: needs word2vec or GloVe. Try unzip"),
    "fastText": (struct.pack("<i", 793712314) + b"rest", ": this is fastText's own binary format"),
    "a pickle": (pickle.dumps({"the": 1}), ": this is a Python pickle"),
    "a binary file cut in a vector": (
        BINARY[:-3],
        ": row 2 of 2, at byte 16, has 9 bytes left: needs a word, a space and 8 bytes",
    ),
    "a binary file cut in a word": (BINARY[:18], ": row 2 of 2, at byte 16, has 2 bytes left"),
    "a binary file cut between rows": (BINARY[:16], ": row 2 of 2, at byte 16, has 0 bytes left"),
    "a binary file that is too long": (BINARY + b"more", ": there is more behind row 2"),
    "a binary vector that is not finite": (
        word2vec_binary({"a": [1.0, 2.0], "the": [1.0, float("nan")]}),
        ": row 2, at byte 14, has numbers that are not finite",
    ),
    "a binary file without spaces": (
        b"9 2\nthe \x00\x01\x02\x03\x04\x05\x06\x07" + b"x" * 10**5,
        ": row 2 of 9, at byte 16, has",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("content", "told"), FAULTS.values(), ids=FAULTS.keys())
@pytest.mark.parametrize("zipped", [False, True], ids=["plain", "gzip"])
def test_a_fault_is_one_line_that_names_its_place(tmp_path, content, told, zipped):
    path = saved(tmp_path / "vectors", content, zipped)
    with pytest.raises(DataError) as raised:
        wordvectors.read(path, {"the": 0, "dog": 1})
    line = str(raised.value)
    assert line.startswith(f"{path}{told}"), line
    assert "\n" not in line
    assert line.endswith(".")


def test_a_gzip_stream_that_is_cut_or_damaged_is_one_line(tmp_path):
    vectors = {f"w{i}": np.random.default_rng(i).standard_normal(20).tolist() for i in range(200)}
    zipped = gzip.compress(glove(vectors))
    for damaged in (zipped[:-100], zipped[:3000] + b"\x00" * 50 + zipped[3050:], zipped[:12]):
        with pytest.raises(DataError, match="the gzip stream is cut off or damaged"):
            wordvectors.read(saved(tmp_path / "vectors", damaged), {"w1": 0})


def test_a_file_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(DataError, match=r"nowhere: it cannot be read \(No such file"):
        wordvectors.read(tmp_path / "nowhere", {"the": 0})
    with pytest.raises(DataError, match=r"it cannot be read \(Is a directory"):
        wordvectors.read(tmp_path, {"the": 0})


# memory


@pytest.mark.parametrize("zipped", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("name", ["GloVe", "word2vec text, gensim", "word2vec binary, gensim"])
def test_a_large_file_never_stands_in_memory(tmp_path, name, zipped, monkeypatch):
    monkeypatch.setattr(wordvectors, "BLOCK", 1 << 18)
    row = np.random.default_rng(1).standard_normal(100).round(4).tolist()
    path = saved(tmp_path / "vectors", FORMATS[name]({f"w{i}": row for i in range(30_000)}), zipped)
    size = path.stat().st_size if not zipped else len(gzip.decompress(path.read_bytes()))
    assert size > 10e6
    wanted = {f"w{i}": i for i in range(0, 30_000, 50)}
    tracemalloc.start()
    found = wordvectors.read(path, wanted)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.found == 600
    assert peak < size / 4


# real files


@needs_data
def test_the_real_twitter_vectors_are_read_as_python_reads_them(tmp_path):
    """Oracle: Python's split and float, on all 11,925 words; the counts stand in DATA.md."""
    path = GLOVE / "glove_twitter_25d_12k.txt.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = [line.rstrip("\n").split(" ") for line in file]
    found = wordvectors.read(path, {row[0]: number for number, row in enumerate(rows)})
    assert (found.total_in_file, found.width, found.missing) == (11_925, 25, 0)
    expected = np.array([row[1:] for row in rows], dtype=np.float64).astype(np.float32)
    assert np.array_equal(found.vectors.numpy(), expected)
    # the same through the binary format
    vectors = {row[0]: vector.tolist() for row, vector in zip(rows, expected, strict=True)}
    binary = saved(tmp_path / "binary", word2vec_binary(vectors, b"\n"))
    again = wordvectors.read(binary, {row[0]: number for number, row in enumerate(rows)})
    assert torch.equal(again.vectors, found.vectors)


@needs_data
def test_neighbours_in_the_real_vectors_make_sense():
    """Oracle: the correlation with human judgements on WordSim-353 that DATA.md tells, 0.427 on 284 pairs."""
    pairs = []
    for line in (GLOVE / "wordsim353.tsv").read_text().splitlines():
        if not line.startswith("#"):
            one, other, score = line.split("\t")[:3]
            pairs.append((one, other, float(score)))
    words = sorted({word for one, other, _ in pairs for word in (one, other)})
    found = wordvectors.read(GLOVE / "glove_twitter_25d_12k.txt.gz", {word: i for i, word in enumerate(words)})
    unit = dict(zip((words[i] for i in found.ids), torch.nn.functional.normalize(found.vectors), strict=True))
    known = [(unit[one] @ unit[other], score) for one, other, score in pairs if one in unit and other in unit]
    ours, theirs = (np.argsort(np.argsort(column)) for column in np.array(known, dtype=float).T)
    assert len(known) == 284
    assert np.corrcoef(ours, theirs)[0, 1] == pytest.approx(0.427, abs=0.02)  # ties are ranked more coarsely here


@needs_data
def test_the_small_real_glove_file_is_read():
    found = wordvectors.read(GLOVE / "glove_6B_50d_76words.txt", {"the": 0, "हि": 1, "absent-word": 2})
    assert (found.found, found.width, found.total_in_file) == (2, 50, 76)
    assert found.vectors[0, 0] == pytest.approx(0.418, abs=1e-6)
