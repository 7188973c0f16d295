import pytest

from seqwise.config import resolve
from seqwise.errors import ConfigError


def test_an_empty_file_changes_nothing(read, kind):
    assert read("") == read("# only a comment\n") == kind()


def test_a_byte_order_mark_is_no_part_of_the_first_key(read):
    assert read(b"\xef\xbb\xbfout: a\n").out == "a"


def test_aliases_are_followed(read):
    assert read("noise: &n {dropout: 0.5}\nmodel: {attention: *n}\n").model.attention.dropout == 0.5


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("out: a\nout: b\n", "c.yaml:2: out: a second time: needs each setting once. "
         "Try to keep this one or that of line 1."),
        ("on-bad-row: stop\non_bad_row: skip\n", "c.yaml:2: on_bad_row: a second time: needs each setting once. "
         "Try to keep this one or that of line 1."),
        ("- a\n- b\n", 'c.yaml:1: a list: needs a mapping of settings. Try lines such as "out: runs/one".'),
        ("just text\n", 'c.yaml:1: a single text: needs a mapping of settings. Try lines such as "out: runs/one".'),
        ("? [a, b]\n: c\n", "c.yaml:1: a key that is no word: needs the name of a setting. Try seqwise config show."),
        ("model: &m {width: 8}\nnoise:\n  <<: *m\n", "c.yaml:3: a merge key <<: needs each setting once. "
         "Try to write the settings out."),
        ("out: !!python/name:os.system x\n", "c.yaml:1: the tag tag:yaml.org,2002:python/name:os.system: "
         "needs a plain value. Try to leave the tag out."),
        ("model: !!python/tuple [x]\n",
         "c.yaml:1: the tag tag:yaml.org,2002:python/tuple: needs a plain list. Try to leave the tag out."),
        ("model: !own {width: 8}\n", "c.yaml:1: the tag !own: needs plain settings. Try to leave the tag out."),
        ("train: &t [*t]\n", "c.yaml:1: a nesting without end: needs settings in sections. Try to flatten it."),
        ("model: &t {attention: *t}\n", "c.yaml:1: a nesting without end: needs settings in sections. "
         "Try to flatten it."),
    ],
)  # fmt: skip
def test_what_is_no_plain_mapping_is_refused_with_its_line(faults, text, told):
    assert told in faults(text)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("out: a\nmodel: [1, 2\nb: c\n", "c.yaml:3"),
        ("out: a\n\tmodel: 3\n", "c.yaml:2"),
        ("out: 'a\n", "c.yaml:2"),
        ("out: a: b\n", "c.yaml:1"),
        ("out: *missing\n", "c.yaml:1"),
        ("a: 1\n---\nb: 2\n", "c.yaml:2"),
        ("out: a\x00b\n", "c.yaml"),
    ],
)
def test_yaml_that_cannot_be_read_is_one_clear_line(faults, text, place):
    (fault,) = faults(text)
    assert fault.startswith(f"{place}: ")
    assert ": needs YAML that can be read. Try two spaces of indent" in fault
    assert "\n" not in fault


def test_text_of_another_encoding_is_told_with_byte_and_line(faults):
    assert faults("out: a\ntrain: [é]\n".encode("latin-1")) == [
        "c.yaml:2: byte 0xe9: needs text in UTF-8. Try to save it as UTF-8."
    ]


def test_a_nesting_beyond_all_measure_is_refused_and_not_followed(faults):
    for text in ("out: " + "[" * 100 + "]" * 100, "out: " + "[" * 100_000):
        assert "a nesting without end" in faults(text)[0]


def test_aliases_cannot_unfold_a_small_file_into_a_large_one(faults):
    """A "billion laughs" file: nine levels of nine aliases each."""
    lines = ["a0: &a0 [x]"] + [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 10)]
    assert len(faults("\n".join(lines))) == 10


def test_a_file_that_cannot_be_had_is_one_line_and_flags_are_still_read(kind, tmp_path):
    (tmp_path / "train.yaml").write_text("out: a\n")
    with pytest.raises(ConfigError) as caught:
        resolve(kind, tmp_path / "trian.yaml", ["--width", "x", "--resume", "--overwrite"])
    found = [str(fault).replace(f"{tmp_path}/", "") for fault in caught.value.faults]
    assert found == [
        "trian.yaml is missing: needs a YAML file of settings. Try train.yaml.",
        "--width x: needs a whole number of at least 2. Try --model.width 256.",
    ]
    with pytest.raises(ConfigError, match="cannot be read \\(Is a directory\\)"):
        resolve(kind, tmp_path)
    with pytest.raises(ConfigError, match="is missing"):
        resolve(kind, tmp_path / "no" / "such.yaml")


def test_key_and_value_on_different_lines_are_told_by_the_key(faults):
    assert faults("training:\n  dropout:\n\n    much\n")[0].startswith("c.yaml:2: training.dropout=much: ")
