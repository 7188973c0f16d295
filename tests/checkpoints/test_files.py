import errno
import hashlib
import os
from pathlib import Path

import pytest

from seqwise.checkpoints.files import discard, hash_file, make_folder, publishing, replacing, sweep, unwritable
from seqwise.errors import CheckpointError


def interrupted(_: object) -> None:
    raise KeyboardInterrupt


def test_a_file_is_replaced_only_when_it_is_complete(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with replacing(path, 3) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    with pytest.raises(KeyboardInterrupt), replacing(path, 3) as file:
        interrupted(file.write(b"ne"))
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["file"]


def test_a_pipe_or_a_device_is_written_to_and_stays_what_it_is(tmp_path):
    """`--output /dev/null` by somebody who may do anything would else put a file in its place."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with replacing(pipe, 3) as file:
        file.write(b"new")
    assert os.read(reader, 9) == b"new"
    os.close(reader)
    assert pipe.is_fifo()
    with replacing(Path("/dev/null"), 3) as file:
        file.write(b"new")
    assert Path("/dev/null").is_char_device()
    assert os.listdir(tmp_path) == ["pipe"]


def test_content_is_on_the_disk_before_it_gets_its_name_and_the_name_afterwards(tmp_path, monkeypatch):
    done = []
    for name in ("fsync", "replace", "rename"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *given, real=real, name=name: (done.append(name), real(*given))[1])
    with replacing(tmp_path / "file", 1) as file:
        file.write(b"x")
    assert done == ["fsync", "replace", "fsync"]
    done.clear()
    with publishing(tmp_path / "folder") as part:
        (part / "file").write_bytes(b"x")
    assert done == ["fsync", "rename", "fsync"]


def test_a_folder_appears_only_when_it_is_complete(tmp_path):
    with publishing(tmp_path / "folder") as part:
        (part / "file").write_bytes(b"x")
        assert not (tmp_path / "folder").exists()
    assert (tmp_path / "folder" / "file").read_bytes() == b"x"
    with pytest.raises(KeyboardInterrupt), publishing(tmp_path / "other") as part:
        interrupted((part / "file").write_bytes(b"x"))
    assert os.listdir(tmp_path) == ["folder"]


@pytest.mark.parametrize(
    ("code", "needed", "told"),
    [
        (errno.ENOSPC, 0, "needs more room on that disk"),
        (errno.ENOSPC, 1_200, "needs 1,200 bytes on that disk"),
        (errno.EFBIG, 0, "needs leave to write larger files"),
        (errno.EFBIG, 1_200, "needs leave to write a file of 1,200 bytes"),
    ],
)
def test_no_error_asks_for_nothing(tmp_path, code, needed, told):
    assert told in str(unwritable(tmp_path / "file", OSError(code, os.strerror(code)), needed))


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (
            errno.ENOSPC,
            r"\(No space left on device\): [\d,]+\.\d MB are free: needs 12\.3 MB on that disk. Try freeing",
        ),
        (errno.EDQUOT, r"MB are free: needs 12\.3 MB"),
        (errno.EFBIG, r"needs leave to write a file of 12\.3 MB"),
        (errno.EACCES, r"\(Permission denied\): needs a folder in which this user may write. Try chmod u\+w"),
        (errno.EROFS, r"\(Read-only file system\)"),
        (errno.EIO, r"\(Input/output error\): needs a folder that can be written"),
    ],
)
def test_what_the_system_says_chooses_the_mend_and_the_old_file_stays(tmp_path, monkeypatch, code, told):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def fails(_: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(CheckpointError, match=told) as raised, replacing(path, 12_300_000) as file:
        file.write(b"new")
    assert "\n" not in str(raised.value)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(CheckpointError, match="cannot be written"):
        make_folder(tmp_path / "file" / "folder")
    with pytest.raises(CheckpointError, match="cannot be written"), replacing(tmp_path / "no" / "file", 0):
        pass


def test_leftovers_are_swept_away_and_nothing_else(tmp_path):
    (tmp_path / ".model.123-0.part").write_bytes(b"x")
    (tmp_path / ".step-1.123-1.part").mkdir()
    (tmp_path / ".step-1.123-1.part" / "file").write_bytes(b"x")
    (tmp_path / "other").mkdir()
    (tmp_path / ".link.123-2.part").symlink_to(tmp_path / "other")
    (tmp_path / "chapter.part").write_bytes(b"the user's")
    (tmp_path / ".notes.part").write_bytes(b"the user's too")
    sweep(tmp_path)
    assert sorted(os.listdir(tmp_path)) == [".notes.part", "chapter.part", "other"]
    sweep(tmp_path / "nowhere")


def test_files_folders_and_links_are_discarded(tmp_path):
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    for name in ("link", "file", "folder"):
        discard(tmp_path / name)
    assert os.listdir(tmp_path) == []
    with pytest.raises(CheckpointError, match=r"cannot be deleted \(No such file"):
        discard(tmp_path / "file")


@pytest.mark.parametrize("size", [0, 1, (1 << 20) + 1])
def test_the_hash_is_that_of_the_standard_library(tmp_path, size):
    content = os.urandom(size)
    (tmp_path / "file").write_bytes(content)
    assert hash_file(tmp_path / "file") == hashlib.sha256(content).hexdigest()


def test_hashing_what_is_not_there_is_one_clear_line(tmp_path: Path):
    with pytest.raises(CheckpointError, match=r"cannot be read \(No such file"):
        hash_file(tmp_path / "file")


def test_the_line_of_a_full_disk_names_the_place_and_what_is_free_afterwards(tmp_path, monkeypatch):
    """A tmpfs would be the real thing and needs root; here the system call fails as it does there."""
    seen = []

    def free(path: Path) -> int:
        seen.append(list(path.parent.iterdir()))
        return 0

    def fails(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("seqwise.checkpoints.files._free", free)
    with publishing(tmp_path / "step-000001") as part:
        monkeypatch.setattr(os, "fsync", fails)
        with pytest.raises(CheckpointError) as raised, replacing(part / "file", 2_000_000) as file:
            file.write(b"x")
        monkeypatch.undo()
    assert str(raised.value).startswith(f"{tmp_path}/step-000001/file cannot be written")
    assert seen == [[]]
