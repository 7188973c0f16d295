"""Stretches of a file that stand one behind the other in memory without a copy."""

import gc
import sys

import numpy
import pytest
import torch
from safetensors.torch import load_file, save_file

from seqwise.checkpoints.mapping import PAGE, mapped
from seqwise.checkpoints.shards import Shards

linux = pytest.mark.skipif(sys.platform != "linux", reason="pages of files are put side by side on Linux only")


@pytest.fixture
def file(tmp_path):
    """Forty pages of random bytes and a few more."""
    path = tmp_path / "bytes"
    path.write_bytes(numpy.random.default_rng(1).bytes(40 * PAGE + 1234))
    return path


@linux
@pytest.mark.parametrize("offset", [0, 8, 1234, PAGE - 8])
@pytest.mark.parametrize("lengths", [(1, 1), (3, 1, 2), (1, 5), (7, 7, 7)])
def test_stretches_follow_one_another_in_any_order(file, offset, lengths):
    data = file.read_bytes()
    first, stretches = 0, []
    for pages in lengths:
        stretches.append((first * PAGE + offset, (first + pages) * PAGE + offset))
        first += pages + 2
    for order in (stretches, stretches[::-1], [stretches[0], stretches[0]]):
        found = mapped(file, order)
        assert found is not None
        assert bytes(found.numpy()) == b"".join(data[begin:end] for begin, end in order)


@linux
def test_the_last_stretch_may_end_with_the_file(file):
    data = file.read_bytes()
    order = [(38 * PAGE + 1234, 40 * PAGE + 1234), (1234, PAGE + 1234)]
    found = mapped(file, order)
    assert bytes(found.numpy()) == b"".join(data[begin:end] for begin, end in order)


@linux
def test_writing_changes_memory_and_not_the_file(file):
    data = file.read_bytes()
    found = mapped(file, [(8, PAGE + 8), (5 * PAGE + 8, 7 * PAGE + 8)])
    other = mapped(file, [(8, PAGE + 8), (5 * PAGE + 8, 7 * PAGE + 8)])
    before = other.clone()
    found.fill_(7)
    assert (found == 7).all()
    assert torch.equal(other, before)
    assert file.read_bytes() == data


@linux
def test_memory_lives_as_long_as_a_view_of_it_and_no_longer(file):
    found = mapped(file, [(0, 8 * PAGE), (16 * PAGE, 24 * PAGE)])
    view = found.view(torch.int16)[5:]
    address = found.data_ptr()
    expected = view.clone()
    del found
    gc.collect()
    file.unlink()  # the pages outlive the name
    assert torch.equal(view, expected)
    assert _is_mapped(address)
    del view
    gc.collect()
    assert not _is_mapped(address)


def _is_mapped(address):
    with open("/proc/self/maps") as lines:
        spans = [line.split()[0].split("-") for line in lines if "bytes" in line]
    return any(int(begin, 16) <= address < int(end, 16) for begin, end in spans)


def test_what_shares_no_place_in_its_page_is_left_to_a_copy(file):
    assert mapped(file, [(8, PAGE + 8), (3 * PAGE + 16, 4 * PAGE + 16)]) is None
    assert mapped(file, [(0, PAGE), (PAGE, PAGE + 100)]) is None
    assert mapped(file, [(0, 0)]) is None


@linux
def test_matrices_of_a_checkpoint_become_one_without_a_copy(tmp_path):
    weights = {name: torch.randn(rows, 256) for name, rows in (("k", 64), ("o", 256), ("q", 256), ("v", 64))}
    save_file(weights | {"half": torch.randn(64, 256).half()}, tmp_path / "model.safetensors")
    shards = Shards.open(tmp_path)
    found = shards.mapped("q", "k", "v")
    assert torch.equal(found, torch.cat([weights["q"], weights["k"], weights["v"]]))
    assert shards.mapped("q", "half") is None
    kept = load_file(tmp_path / "model.safetensors")
    found.mul_(2)
    assert all(torch.equal(kept[name], weights[name]) for name in weights)
