import os
import stat
import string

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from seqwise.checkpoints.tensors import NAMES, read_metadata, read_tensors, write_tensors
from seqwise.errors import CheckpointError

shapes = st.lists(st.integers(0, 4), max_size=3).map(tuple)
names = st.text(st.sampled_from(string.ascii_letters + '._é"\\'), min_size=1, max_size=8)


def equal(one: torch.Tensor, other: torch.Tensor) -> bool:
    """The same type, shape and bits."""
    same = one.dtype == other.dtype and one.shape == other.shape
    flat = [tensor.contiguous().reshape(-1).view(torch.uint8) for tensor in (one, other)]
    return same and torch.equal(*flat)


def filled(shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
    if dtype is torch.bool:
        return torch.rand(shape) < 0.5
    if dtype.is_floating_point:
        return torch.randn(shape).to(dtype)
    return torch.randint(0, 100, shape).to(dtype)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(names, st.tuples(shapes, st.sampled_from(list(NAMES))), max_size=6))
def test_tensors_of_all_types_and_shapes_come_back_and_the_library_reads_them(tmp_path_factory, described):
    """Oracle: safetensors' own load_file, on what we wrote; and we read what its save_file wrote."""
    folder = tmp_path_factory.mktemp("tensors")
    tensors = {name: filled(shape, dtype) for name, (shape, dtype) in described.items()}
    write_tensors(folder / "ours", tensors)
    for found in (read_tensors(folder / "ours"), load_file(folder / "ours")):
        assert found.keys() == tensors.keys()
        assert all(equal(found[name], tensor) for name, tensor in tensors.items())
    save_file(tensors, folder / "theirs")
    found = read_tensors(folder / "theirs")
    assert all(equal(found[name], tensor) for name, tensor in tensors.items())


def test_each_number_lies_at_a_multiple_of_its_size(tmp_path):
    write_tensors(
        tmp_path / "file",
        {"a": torch.ones(3, dtype=torch.uint8), "b": torch.ones(3), "c": torch.ones(1).double()},
    )
    content = (tmp_path / "file").read_bytes()
    begin = 8 + int.from_bytes(content[:8], "little")
    assert begin % 8 == 0
    assert content[begin : begin + 8] == torch.ones(1).double().numpy().tobytes()


def test_transposed_and_sliced_tensors_are_written_as_they_look(tmp_path):
    base = torch.arange(12.0).view(3, 4)
    tensors = {"t": base.t(), "slice": base[:, 1:3], "row": base[1], "wide": base[:1].expand(5, 4)}
    write_tensors(tmp_path / "file", tensors)
    found = read_tensors(tmp_path / "file")
    assert all(torch.equal(found[name], tensor) for name, tensor in tensors.items())


def test_a_tensor_of_several_names_is_stored_once_and_comes_back_as_one(tmp_path):
    weight = torch.randn(100, 50)
    tensors = {"embed": weight, "head": weight, "view": weight.view(50, 100), "detached": weight.detach()}
    write_tensors(tmp_path / "file", tensors, {"step": "3"})
    assert (tmp_path / "file").stat().st_size < 2 * weight.nbytes + 400
    assert load_file(tmp_path / "file").keys() == {"embed", "view"}
    found = read_tensors(tmp_path / "file")
    assert all(torch.equal(found[name], tensor) for name, tensor in tensors.items())
    assert found["head"] is found["embed"]
    assert read_metadata(tmp_path / "file") == {"step": "3"}


def test_parameters_that_want_gradients_are_written(tmp_path):
    write_tensors(tmp_path / "file", {"w": torch.nn.Parameter(torch.ones(2))})
    assert torch.equal(read_tensors(tmp_path / "file")["w"], torch.ones(2))


def test_the_file_may_be_read_by_those_whom_the_user_lets(tmp_path):
    before = os.umask(0o022)
    try:
        write_tensors(tmp_path / "file", {"w": torch.ones(2)})
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o644


def test_a_file_cut_at_any_byte_is_one_line_that_tells_how_much_is_missing(tmp_path):
    path = tmp_path / "model.safetensors"
    write_tensors(path, {"w": torch.ones(100), "b": torch.ones(3)})
    whole = path.read_bytes()
    begin = 8 + int.from_bytes(whole[:8], "little")
    for size in [0, 1, 7, 8, 9, 20, begin - 1, begin, begin + 1, begin + 200, len(whole) - 1]:
        path.write_bytes(whole[:size])
        with pytest.raises(CheckpointError) as raised:
            read_tensors(path)
        line = str(raised.value)
        assert line.startswith(f"{path}: {size:,} bytes")
        assert "\n" not in line
        assert "Try copying it again, or training on with --resume" in line
        if size >= begin:
            assert f"{size:,} bytes are there: needs the {len(whole):,} that its header tells" in line
        with pytest.raises(CheckpointError):
            read_metadata(path)
    path.write_bytes(whole + b"more")
    with pytest.raises(CheckpointError, match=f"{len(whole) + 4} bytes are there: needs the {len(whole)}"):
        read_tensors(path)


@pytest.mark.parametrize(
    "content",
    [
        b"\xff" * 100,
        b"PK\x03\x04" + b"x" * 100,
        (8).to_bytes(8, "little") + b'{"a": 1}',
        (2).to_bytes(8, "little") + b"[]",
        (44).to_bytes(8, "little") + b'{"a":{"dtype":"F32","data_offsets":["x","y"]}}'[:44],
        bytes(range(255, 191, -1)),
    ],
)
def test_what_is_no_safetensors_file_is_one_clear_line(tmp_path, content):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(CheckpointError, match="needs") as raised:
        read_tensors(tmp_path / "file")
    assert "\n" not in str(raised.value)


def test_what_is_not_there_or_no_file_is_one_clear_line(tmp_path):
    with pytest.raises(CheckpointError, match="there is no file in"):
        read_tensors(tmp_path / "file")
    with pytest.raises(CheckpointError, match="needs"):
        read_tensors(tmp_path)


def test_a_type_that_has_no_place_in_the_format_is_refused_by_name(tmp_path):
    with pytest.raises(CheckpointError, match=r"tensor w is of type torch.complex64: needs one of .*float32"):
        write_tensors(tmp_path / "file", {"w": torch.ones(2, dtype=torch.complex64)})
    assert os.listdir(tmp_path) == []
