import codecs
import io

import pytest

from seqwise.errors import DataError
from seqwise.tasks.lines import as_they_come


def came(content: bytes) -> list[str]:
    return [line for chunk in as_they_come(io.BytesIO(content)) for line in chunk]


def test_a_byte_order_mark_is_no_part_of_the_first_line():
    assert came(codecs.BOM_UTF8 + "é\r\n\ufeffb\n".encode()) == ["é", "\ufeffb"]
    assert came(b"") == []


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        ("one\n".encode("utf-16"), "utf-16"),
        (codecs.BOM_UTF16_BE + "one\n".encode("utf-16-be"), "utf-16"),
        (b"caf\xe9\n", "latin1"),
        (codecs.BOM_UTF8 + b"caf\xe9\n", "latin1"),
    ],
)
def test_advice_names_the_encoding_that_a_line_begins_in(content, encoding):
    with pytest.raises(DataError) as caught:
        came(content)
    byte = 0xE9 if encoding == "latin1" else content[0]
    assert str(caught.value) == (
        f"standard input:1: a byte 0x{byte:02x} that is no UTF-8: needs UTF-8. Try iconv -f {encoding} -t utf-8 before."
    )


def test_a_stream_that_cannot_be_read_is_one_clear_line():
    class Broken(io.BytesIO):
        def __next__(self) -> bytes:
            if self.tell() == 0:
                return super().__next__()
            raise OSError(5, "Input/output error")

    lines = as_they_come(Broken(b"one\ntwo\n"))
    with pytest.raises(DataError, match=r"standard input:2: .*cannot be read.*Input/output error.*--input FILE"):
        list(lines)
