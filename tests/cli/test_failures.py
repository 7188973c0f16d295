import pytest

from seqwise.cli.failures import failure
from seqwise.errors import ConfigError
from seqwise.printable import printable


@pytest.mark.parametrize(
    ("how", "code", "told"),
    [
        ("data", 2, "x.en:3: a\\x1b[31mb\\nc: needs text. Try less of it."),
        ("several", 2, "2 faults:\n  a: needs b. Try c.\n  here: d: needs e. Try f."),
        ("defect", 1, "internal error: KeyError: 'one\\\\ntwo' (run again with --debug to see where, and report it)"),
        ("interrupt", 130, "interrupted"),
        ("library", 1, "no_such_library is not installed: needs that library. "
         "Try pip install --upgrade seqwise, or seqwise doctor for all that is missing."),
        ("open", 2, "/no/such/file: No such file or directory: needs a path that works. Try a path that exists."),
        ("folder", 2, "/: Is a directory: needs a path that works. Try a file, not a folder."),
        ("full", 2, "runs/a/model: No space left on device: needs room on the disk. "
         "Try to free some space, or a path on another disk."),
        ("odd", 1, "internal error: OSError: no number (run again with --debug to see where, and report it)"),
    ],
)  # fmt: skip
def test_every_failure_is_a_line_and_a_code(seqwise, how, code, told):
    found, out, err = seqwise("fail", how)
    assert (found, out) == (code, "")
    assert err.removeprefix("seqwise: ") == f"{told}\n".replace("\\\\n", "\\n") or err == f"seqwise: {told}\n"
    assert "Traceback" not in err


def test_a_closed_pipe_says_nothing(seqwise):
    assert seqwise("fail", "pipe") == (141, "", "")


def test_letters_that_move_the_cursor_are_spelled_out():
    assert printable("a\x1b[2Jb\r\n\u202ec") == "a\\x1b[2Jb\\r\\n\\u202ec"
    assert printable("é 名 🙂 [x]") == "é 名 🙂 [x]"


def test_a_message_of_many_lines_is_cut_to_its_first_unless_it_is_ours():
    assert failure(RuntimeError("one\ntwo"), "seqwise").line.startswith("internal error: RuntimeError: one (run")
    assert failure(RuntimeError(), "seqwise").line.startswith("internal error: RuntimeError (run")
    assert failure(ConfigError("a", "b", "c"), "seqwise").code == 2
